//! The end of an engine (rule L05): close, free, dispose.
//!
//! ```text
//!   open ── close ──▶ closing ── nothing under way, nothing undelivered, no call out ──▶ told ── free, dispose ──▶ over
//! ```
//!
//! Closing is over when the table is idle, every accepted fetch has had its last event, and every provider call came back.
//! Once the table takes nothing new, each of these can only become true, so that whoever sees all of them at once is right.

use super::host::Closed;
use super::letter::Letter;
use super::{Core, Threads};
use crate::base::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use crate::base::{Now, Status};
use crate::cache::Departures;
use crate::runtime::Runtime;
use crate::runtime::hooks::call_host;
use crate::runtime::mail::{Delivered, Drops, Mail, Pulled};
use crate::task::Close;
use std::sync::Arc;
use std::time::Duration;

/// How far an engine's life has come.
#[derive(Default)]
pub(super) struct Life {
    /// Nothing new is accepted.
    shut: AtomicBool,
    /// Somebody waits for the end.
    closing: AtomicBool,
    /// Nothing works any more.
    over: AtomicBool,
    detached: AtomicBool,
    unrouted: AtomicBool,
    /// Those who hold it as a cache.
    holders: AtomicUsize,
    /// Accepted fetches whose last event is not delivered.
    fetches: AtomicUsize,
    /// Requests handed out to provider threads whose call has not come back.
    calls: AtomicUsize,
    /// Deliveries at work.
    begun: AtomicUsize,
    /// Turns of the table that have yet to send what they set off.
    carrying: AtomicUsize,
    leases: Arc<Leases>,
    ending: Mutex<Ending>,
    told: Condvar,
}

#[derive(Default)]
struct Ending {
    listeners: Vec<Box<dyn Closed>>,
    /// The news is on its way.
    sent: bool,
    told: bool,
    /// The handle was given up: whoever tells winds up too.
    disposed: bool,
}

impl Life {
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Nothing works any more; false if that was so already.
    pub(super) fn end(&self) -> bool {
        !self.over.swap(true, Ordering::AcqRel)
    }

    pub(super) fn holder_comes(&self) {
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn last_holder_goes(&self) -> bool {
        self.holders.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }

    pub(super) fn shut(&self) {
        self.shut.store(true, Ordering::Relaxed);
    }

    pub(super) fn fetch_begins(&self) {
        self.fetches.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn fetch_ends(&self) {
        self.fetches.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn call_begins(&self) {
        self.calls.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn call_ends(&self) {
        self.calls.fetch_sub(1, Ordering::AcqRel);
        self.stir();
    }

    /// A turn of the table leaves something to send. Said under the table's lock, so that nobody finds the engine quiet first.
    pub(super) fn carry_begins(&self) {
        self.carrying.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn carry_ends(&self) {
        self.carrying.fetch_sub(1, Ordering::AcqRel);
    }

    /// A thread that is not joined holds the engine; dropped after what it holds.
    pub(super) fn lease(&self) -> Lease {
        *self.leases.out.lock() += 1;
        Lease(self.leases.clone())
    }

    /// A delivery begins; it ends when the result is dropped.
    pub(super) fn begin(&self) -> Begun<'_> {
        self.begun.fetch_add(1, Ordering::AcqRel);
        Begun(self)
    }

    /// Whoever waits for the end looks again.
    fn stir(&self) {
        if self.closing.load(Ordering::Acquire) {
            let _ending = self.ending.lock();
            self.told.notify_all();
        }
    }

    fn is_host_code_out(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0 || self.begun.load(Ordering::Acquire) > 0
    }
}

/// How many threads of a shared runtime hold the engine. Apart from the engine, which a thread lets go of first.
#[derive(Default)]
struct Leases {
    out: Mutex<usize>,
    back: Condvar,
}

impl Leases {
    fn wait(&self) {
        let mut out = self.out.lock();
        while *out > 0 {
            out = wait(&self.back, out);
        }
    }
}

/// A thread's hold on the engine.
pub(super) struct Lease(Arc<Leases>);

impl Drop for Lease {
    fn drop(&mut self) {
        *self.0.out.lock() -= 1;
        self.0.back.notify_all();
    }
}

/// A delivery at work.
pub(super) struct Begun<'a>(&'a Life);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.begun.fetch_sub(1, Ordering::AcqRel);
        self.0.stir();
    }
}

/// The news that an engine is closed: its last mail.
struct ClosedMail(Arc<Core>);

impl ClosedMail {
    /// The next who is to be told; after the last one, the engine's end.
    fn take(&self) -> Option<Box<dyn Closed>> {
        let core = &self.0;
        let disposed = {
            let mut ending = core.life.ending.lock();
            if !ending.listeners.is_empty() {
                return Some(ending.listeners.remove(0));
            }
            ending.told = true;
            core.life.told.notify_all();
            ending.disposed
        };
        if disposed {
            core.wind_up();
        }
        None
    }
}

impl Mail for ClosedMail {
    fn deliver(&self, _most: usize) -> Delivered {
        let core = &self.0;
        if let (None, None) = (&core.routes.results, &core.routes.removals) {
            // A long row of them may have been put behind this mail; the news is the last that is told.
            core.removals.deliver(usize::MAX);
        }
        let mut count = 0;
        while let Some(listener) = self.take() {
            let _begun = self.0.life.begin();
            count += usize::from(listener.is_callable());
            call_host(|| listener.closed());
        }
        Delivered::all(count)
    }

    fn pull(self: Arc<Self>) -> Pulled {
        let Some(listener) = self.take() else { return Pulled::nothing() };
        let letter = Letter::Closed { core: self.0.clone(), listener: listener.into_any() };
        Pulled { letter: Some(Box::new(letter)), more: true }
    }
}

impl Core {
    pub(super) fn check_open(&self) -> Result<(), Status> {
        if self.life.is_shut() || self.life.is_over() { Err(Status::ERR_CLOSED) } else { Ok(()) }
    }

    /// Accepts nothing new; `listener` hears when all is done. `drain`: what was accepted goes on for that long, `None` for as
    /// long as it takes. Never blocks; a second close may only shorten.
    pub fn close(&self, drain: Option<Option<Duration>>, listener: Option<Box<dyn Closed>>) {
        self.life.shut();
        {
            let mut ending = self.life.ending.lock();
            ending.listeners.extend(listener);
            // Who comes after the news gets it by a mail of its own.
            ending.sent = ending.sent && !ending.told;
        }
        self.life.closing.store(true, Ordering::Release);
        let how = match drain {
            None => Close::Cancel,
            Some(for_long) => {
                let now = Now::of(&self.clock);
                Close::Drain(for_long.map_or(crate::base::Moment::NEVER, |span| now.moment().after(span)))
            }
        };
        self.turn(|table, turn| table.close(how, turn));
    }

    /// Sends the news if the time has come.
    pub(super) fn conclude_if_closing(&self) {
        let life = &self.life;
        if !life.closing.load(Ordering::Acquire) {
            return;
        }
        let is_quiet = || [&life.fetches, &life.calls, &life.carrying].iter().all(|count| count.load(Ordering::Acquire) == 0);
        if !is_quiet() || !self.table.as_ref().is_some_and(|table| table.lock().is_idle()) || !is_quiet() {
            return;
        }
        if !std::mem::replace(&mut life.ending.lock().sent, true) {
            self.send(Arc::new(ClosedMail(self.me())));
        }
    }

    /// Closes, waits for host code that has begun, and ends the threads. Not from callbacks.
    pub fn free(self: Arc<Core>) {
        self.close(None, None);
        {
            // What lies in a host's queue stays there: it may be this very thread that would read it.
            let is_waited_for = |ending: &Ending| match self.routes.results {
                None => !ending.told,
                Some(_) => self.life.is_host_code_out(),
            };
            let mut ending = self.life.ending.lock();
            while is_waited_for(&ending) {
                ending = wait(&self.life.told, ending);
            }
        }
        self.wind_up();
        // Threads that are not joined may still hold the engine for a moment: were one of them the last, the hooks' user data
        // would end behind our back.
        self.life.leases.wait();
    }

    /// Gives the engine up: it closes, and ends itself when it is idle. Never waits.
    pub fn dispose(self: Arc<Core>) {
        self.life.ending.lock().disposed = true;
        self.close(None, None);
    }

    /// Nothing is under way any more: the entries are dropped where callbacks run, then the threads end.
    fn wind_up(&self) {
        if !self.life.end() {
            return;
        }
        self.removals.silence();
        if let (Some(runtime), None, None) = (self.running(), &self.routes.results, &self.routes.removals) {
            // Recorded by a write that has yet to send it: told now, for afterwards nobody is called any more.
            runtime.deliver_and_wait(self.removals.clone());
        }
        let mut left = Departures::new();
        self.store.clear(&self.clock, &mut left);
        match (self.running(), &self.routes.results) {
            (Some(runtime), None) => runtime.deliver_and_wait(Drops::mail(left)),
            _ => drop(left),
        }
        self.end_alarm();
        match &self.threads {
            Threads::Own(_) => self.running().into_iter().for_each(|runtime| runtime.stop()),
            Threads::Shared(runtime) => self.leave(runtime),
        }
        self.unroute();
    }

    /// The timer looks after it no more, and does not hold it: it never is the one to drop the last reference.
    pub(super) fn end_alarm(&self) {
        if let (Some(alarm), Some(runtime)) = (self.alarm.get(), self.running()) {
            alarm.end();
            runtime.timer().pass();
        }
    }

    /// Uses `runtime` no more. Once, whoever comes first.
    pub(super) fn leave(&self, runtime: &Runtime) {
        if !self.life.detached.swap(true, Ordering::AcqRel) {
            runtime.detach();
        }
    }

    /// Sends to queues of the host's no more. Once, whoever comes first.
    pub(super) fn unroute(&self) {
        if !self.life.unrouted.swap(true, Ordering::AcqRel) {
            self.routes.detach();
        }
    }
}
