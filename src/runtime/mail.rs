//! Delivery: mail is sent once however many events it holds, and delivered in the order in which it was sent.
//!
//! The dispatcher is one thread. A slow callback delays the callbacks behind it, and nothing else (rule L03): whoever sends
//! never waits.

use super::postbox::Postbox;
use super::{NoThread, threads};
use crate::base::panics::contained;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use std::any::Any;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Something to be delivered: the events of one fetch, a request, removals, an object to be dropped.
pub trait Mail: Send + Sync {
    /// Delivers at most `most` events, calling the program. What it holds is let go of before this returns, unless there is a rest.
    fn deliver(self: Arc<Self>, most: usize) -> Delivered;
    /// Takes one event out, for a host that is not called but asks.
    fn pull(self: Arc<Self>) -> Pulled;
}

/// An event that was taken out. Who asked knows its type. Dropping it ends what was lent with it.
pub type Letter = Box<dyn Any>;

/// What a delivery did.
pub struct Delivered {
    /// How many of the program's functions were called.
    pub count: usize,
    /// What is left.
    pub rest: Rest,
}

/// What is left of mail.
pub enum Rest {
    /// Nothing: it is out of the post until it is sent again.
    Nothing,
    /// More than was asked for: this is to be delivered on.
    More(Arc<dyn Mail>),
    /// This, whose next event has no function to call.
    NoFunction(Arc<dyn Mail>),
}

impl Delivered {
    /// All of it, in so many calls.
    pub fn all(count: usize) -> Delivered {
        Delivered { count, rest: Rest::Nothing }
    }
}

/// What was taken out.
pub struct Pulled {
    /// `None`: there was nothing to show.
    pub letter: Option<Letter>,
    /// Whether there is more.
    pub more: bool,
}

impl Pulled {
    /// Nothing to show, and nothing more.
    pub fn nothing() -> Pulled {
        Pulled { letter: None, more: false }
    }
}

/// One thread that delivers, started with the first mail: a host that reads its queues itself never gets one.
pub struct Dispatcher {
    inner: Arc<Inner>,
    stack_bytes: usize,
    /// Until somebody joins it.
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    post: Postbox,
    /// Mail that was sent and is not delivered yet.
    undelivered: AtomicUsize,
    phase: Mutex<Phase>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No mail was sent yet.
    Idle,
    Running,
    /// Nothing can be sent any more: later mail is delivered where it is sent.
    Stopped,
}

impl Dispatcher {
    pub(super) fn new(stack_bytes: usize) -> Dispatcher {
        let inner = Inner { post: Postbox::new(), undelivered: AtomicUsize::new(0), phase: Mutex::new(Phase::Idle) };
        Dispatcher { inner: Arc::new(inner), stack_bytes, thread: Mutex::new(None) }
    }

    /// Starts the thread, if it does not run yet.
    pub fn start(&self) -> Result<(), NoThread> {
        let mut phase = self.inner.phase.lock();
        if *phase == Phase::Idle {
            let at_work = self.inner.clone();
            *self.thread.lock() = Some(threads::start("kvl-dispatch", self.stack_bytes, move || at_work.deliver_all())?);
            *phase = Phase::Running;
        }
        Ok(())
    }

    /// Sends mail. Never waits.
    pub(super) fn send(&self, mail: Arc<dyn Mail>) {
        let started = self.start();
        let phase = self.inner.phase.lock();
        if *phase == Phase::Stopped || started.is_err() {
            drop(phase);
            deliver_all_of(mail);
            return;
        }
        self.inner.undelivered.fetch_add(1, Ordering::AcqRel);
        // Under the lock: nothing may be sent behind the stop.
        self.inner.post.send(mail);
    }

    /// Whether there is mail on its way, or in delivery.
    pub(super) fn is_busy(&self) -> bool {
        self.inner.undelivered.load(Ordering::Acquire) > 0
    }

    /// Ends the thread after what was sent, and hands it out to be joined.
    pub(super) fn stop(&self) -> Option<JoinHandle<()>> {
        *self.inner.phase.lock() = Phase::Stopped;
        self.inner.post.wake();
        self.thread.lock().take()
    }
}

impl Inner {
    fn deliver_all(&self) {
        loop {
            match self.post.take(None) {
                Some(mail) => match deliver(mail, BURST) {
                    Rest::More(rest) => self.post.send(rest),
                    done => {
                        let _ = contained(|| drop(done));
                        self.undelivered.fetch_sub(1, Ordering::AcqRel);
                    }
                },
                None if *self.phase.lock() == Phase::Stopped && self.post.is_empty() => return,
                None => {}
            }
        }
    }
}

/// How many events of one mail are delivered before the next mail has its turn: mail that never ends, as removals may while
/// others write, does not hold up the rest.
const BURST: usize = 256;

fn deliver(mail: Arc<dyn Mail>, most: usize) -> Rest {
    // The program's panics end in `call_host`; one of ours must not take the thread with it.
    contained(move || mail.deliver(most)).map_or(Rest::Nothing, |delivered| delivered.rest)
}

/// Delivers mail to its end, here.
pub fn deliver_all_of(mail: Arc<dyn Mail>) {
    let mut rest = Rest::More(mail);
    while let Rest::More(mail) = rest {
        rest = deliver(mail, usize::MAX);
    }
}

/// Mail by which its sender knows that it was delivered.
pub(super) struct Gate {
    mail: Mutex<Option<Arc<dyn Mail>>>,
    delivered: Mutex<bool>,
    open: Condvar,
}

impl Gate {
    pub(super) fn new(mail: Arc<dyn Mail>) -> Gate {
        Gate { mail: Mutex::new(Some(mail)), delivered: Mutex::new(false), open: Condvar::new() }
    }

    pub(super) fn wait(&self) {
        let mut delivered = self.delivered.lock();
        while !*delivered {
            delivered = wait(&self.open, delivered);
        }
    }
}

impl Mail for Gate {
    fn deliver(self: Arc<Self>, _most: usize) -> Delivered {
        let mail = self.mail.lock().take();
        // All of it: its sender waits for that.
        mail.into_iter().for_each(deliver_all_of);
        *self.delivered.lock() = true;
        self.open.notify_all();
        Delivered::all(0)
    }

    fn pull(self: Arc<Self>) -> Pulled {
        self.deliver(usize::MAX);
        Pulled::nothing()
    }
}

/// Something whose drop may run code of the host's, sent to be dropped where callbacks run (rule L04).
pub struct Drops<T>(Mutex<Option<T>>);

impl<T: Send + 'static> Drops<T> {
    /// Mail that drops `what` on delivery.
    pub fn mail(what: T) -> Arc<dyn Mail> {
        Arc::new(Drops(Mutex::new(Some(what))))
    }
}

impl<T: Send> Mail for Drops<T> {
    fn deliver(self: Arc<Self>, _most: usize) -> Delivered {
        let what = self.0.lock().take();
        drop(what);
        Delivered::all(0)
    }

    fn pull(self: Arc<Self>) -> Pulled {
        self.deliver(1);
        Pulled::nothing()
    }
}
