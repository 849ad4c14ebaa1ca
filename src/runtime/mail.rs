//! Delivery: mail is sent once however many events it holds, and delivered in the order in which it was sent.
//!
//! The dispatcher is one thread. A slow callback delays the callbacks behind it, and nothing else (rule L03): whoever sends
//! never waits.

use super::postbox::Postbox;
use super::{NoThread, threads};
use crate::base::panics::contained;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Something to be delivered: the events of one fetch, removals, an object to be dropped.
pub trait Mail: Send + Sync {
    /// Delivers at most `most` events, calling the host, and says how many it delivered. When fewer than `most` were there, it
    /// is out of the post until it is sent again.
    fn deliver(self: Arc<Self>, most: usize) -> usize;
}

/// One thread that delivers.
pub struct Dispatcher {
    inner: Arc<Inner>,
}

struct Inner {
    post: Postbox,
    /// Mail that was sent and is not delivered yet.
    undelivered: AtomicUsize,
    /// Set when nothing can be sent any more: later mail is delivered where it is sent.
    stopped: Mutex<bool>,
}

impl Dispatcher {
    pub(super) fn start() -> Result<(Dispatcher, JoinHandle<()>), NoThread> {
        let inner = Inner { post: Postbox::new(), undelivered: AtomicUsize::new(0), stopped: Mutex::new(false) };
        let inner = Arc::new(inner);
        let at_work = inner.clone();
        let thread = threads::start("kvl-dispatch", move || at_work.deliver_all())?;
        Ok((Dispatcher { inner: inner }, thread))
    }

    /// Sends mail. Never waits.
    pub(super) fn send(&self, mail: Arc<dyn Mail>) {
        let stopped = self.inner.stopped.lock();
        if *stopped {
            drop(stopped);
            deliver(mail);
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

    /// Ends the thread after what was sent.
    pub(super) fn stop(&self) {
        *self.inner.stopped.lock() = true;
        self.inner.post.wake();
    }
}

impl Inner {
    fn deliver_all(&self) {
        loop {
            match self.post.take(None) {
                Some(mail) => {
                    deliver(mail);
                    self.undelivered.fetch_sub(1, Ordering::AcqRel);
                }
                None if *self.stopped.lock() && self.post.is_empty() => return,
                None => {}
            }
        }
    }
}

fn deliver(mail: Arc<dyn Mail>) {
    // The host's panics end in `call_host`; one of ours must not take the thread with it.
    let _ = contained(|| mail.deliver(usize::MAX));
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
    fn deliver(self: Arc<Self>, most: usize) -> usize {
        let mail = self.mail.lock().take();
        let count = mail.map_or(0, |mail| mail.deliver(most));
        *self.delivered.lock() = true;
        self.open.notify_all();
        count
    }
}

/// Something whose drop may run code of the host's, sent to be dropped where callbacks run (rule L04).
pub struct Drops<T>(Mutex<Option<T>>);

impl<T: Send + 'static> Drops<T> {
    /// Mail that drops `what` on delivery.
    pub fn new(what: T) -> Arc<dyn Mail> {
        Arc::new(Drops(Mutex::new(Some(what))))
    }
}

impl<T: Send> Mail for Drops<T> {
    fn deliver(self: Arc<Self>, _most: usize) -> usize {
        let what = self.0.lock().take();
        drop(what);
        0
    }
}
