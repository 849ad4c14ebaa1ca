//! The end of an engine (rules L05, L05b): close, free, dispose.
//!
//! ```text
//!   Open ── close ──▶ Closing ── the table is idle, nothing pending ──▶ Drained ── notice delivered ──▶ Reported ── free, dispose ──▶ Over
//!     └─ the table panicked ──▶ Shut ── close ──▲    └── free, dispose: do not wait for items in queues ──▲
//! ```
//!
//! Once the table accepts nothing new, it becomes empty and stays empty, and pending work ends. A thread that sees an empty table and no
//! pending work at one instant, under the table's lock, knows that everything is done. The stage alone does not prove that: it is set
//! before the table is closed, and a fetch may be accepted in between.

use super::host::CloseListener;
use super::lifecycle::{CallSite, ClosingState, LifeStage, Ownership};
use super::polled_event::PolledEvent;
use super::{Core, Threads};
use crate::base::hint::rarely;
use crate::base::sync::wait;
use crate::base::{Moment, Now, Status};
use crate::cache::Departures;
use crate::runtime::Runtime;
use crate::runtime::delivery::{Deliverable, DeliveryResult, PullResult, Remainder, RemoteDrop};
use crate::runtime::hooks::call_host;
use crate::task::Close;
use std::sync::Arc;
use std::time::Duration;

impl Core {
    pub(super) fn check_open(&self) -> Result<(), Status> {
        if self.life.has_reached(LifeStage::Shut) { Err(Status::ERR_CLOSED) } else { Ok(()) }
    }

    /// Closes the engine: it accepts nothing new, and `listener` is called when everything is done. If `drain` is `None`, accepted work is
    /// cancelled. `Some(limit)` lets it continue for at most `limit`, and `Some(None)` without limit. Never blocks. A second close can only
    /// shorten a drain.
    pub fn close(&self, drain: Option<Option<Duration>>, listener: Option<Box<dyn CloseListener>>) {
        self.life.advance(LifeStage::Shut);
        {
            let mut ending = self.life.ending.lock();
            ending.listeners.extend(listener);
            // A listener that is added after the notice was delivered gets a notice of its own.
            ending.sent = ending.sent && !self.life.has_reached(LifeStage::Reported);
        }
        self.life.advance(LifeStage::Closing);
        let how = match drain {
            None => Close::Cancel,
            Some(limit) => {
                let now = Now::of(&self.clock);
                Close::Drain(limit.map_or(Moment::NEVER, |span| now.moment().after(span)))
            }
        };
        self.with_table(|table, cx| table.close(how, cx));
    }

    /// Sends the notice of the close if everything is done, and ends an engine that no other thread will end.
    #[inline]
    pub(super) fn conclude_if_closing(&self) {
        if rarely(self.life.has_reached(LifeStage::Closing)) {
            self.conclude();
        }
    }

    #[inline(never)]
    fn conclude(&self) {
        let is_done = || self.loads.as_ref().is_some_and(|loads| loads.table.lock().is_over() && self.life.is_quiet());
        // Checked twice: usually the first check, which takes no lock, is false.
        if !self.life.is_quiet() || !is_done() {
            return;
        }
        let (sends, disposed) = {
            let mut ending = self.life.ending.lock();
            let sends = !std::mem::replace(&mut ending.sent, true);
            self.life.advance(LifeStage::Drained);
            self.life.changed.notify_all();
            (sends, self.life.is_disposed())
        };
        match self.results_at() {
            CallSite::Queue if disposed => self.end_unattended(sends),
            CallSite::Queue | CallSite::Threads if sends => self.send_close_notice(),
            CallSite::Queue | CallSite::Threads => {}
        }
    }

    fn send_close_notice(&self) {
        self.send(Arc::new(CloseNotice(self.me())));
    }

    /// Closes the engine, waits for host code that is running, and ends the threads. Must not be called from callbacks.
    pub fn free(self: Arc<Core>) {
        self.life.give_up(Ownership::Freed);
        self.close(None, None);
        {
            // Items in a queue stay there, because this very thread may be the queue's reader. So if results go to a queue, the notice is
            // sent but not waited for.
            let is_done = |ending: &ClosingState| {
                self.life.is_quiet()
                    && match self.results_at() {
                        CallSite::Queue => ending.sent,
                        CallSite::Threads => self.life.has_reached(LifeStage::Reported),
                    }
            };
            let mut ending = self.life.ending.lock();
            while !is_done(&ending) {
                ending = wait(&self.life.changed, ending);
            }
        }
        self.wind_up();
        self.life.wait_for_leases();
    }

    /// Releases the engine: closes it, and lets it end when it is idle. Never waits.
    pub fn dispose(self: Arc<Core>) {
        {
            // Done under the lock, so that either the delivery of the notice sees the disposal, or the close sees that delivery.
            let _ending = self.life.ending.lock();
            self.life.give_up(Ownership::Disposed);
        }
        // The queue may be freed from now on, even if this engine still sends to it.
        self.unroute();
        self.close(None, None);
    }

    /// Ends an engine that has nothing in progress: drops the entries where callbacks run, then ends the threads.
    fn wind_up(&self) {
        if !self.life.advance(LifeStage::Over) {
            return;
        }
        let running = self.running();
        self.removals.silence();
        if let (Some(runtime), None) = (running, self.removals_route()) {
            // A write may have recorded departures and not sent them yet. They are reported now, because afterwards no listener is called.
            runtime.deliver_and_wait(self.removals.delivery(self));
        }
        let mut left = Departures::new();
        self.store.clear(&self.clock, &mut left);
        match running {
            Some(runtime) if self.results_at() == CallSite::Threads => runtime.deliver_and_wait(RemoteDrop::deliverable(left)),
            // When the dispatcher drops this item, it has released everything that it had delivered for this engine.
            Some(runtime) if self.uses_dispatcher() => {
                drop(left);
                runtime.deliver_and_wait(RemoteDrop::deliverable(()));
            }
            _ => drop(left),
        }
        self.end_threads(Runtime::stop);
    }

    /// Like [`Core::wind_up`], for a disposed engine whose results lie in a queue that may never be read: ends the threads, and leaves the
    /// store to be dropped with the last delivery in that queue. That delivery is sent when nothing in the library holds the engine any
    /// more, so that the hooks' user data is released where the queue is read or freed.
    fn end_unattended(&self, sends_notice: bool) {
        match self.running() {
            Some(runtime) if runtime.timer().is_here() => runtime.send(Arc::new(UnattendedEnd { core: self.me(), sends_notice })),
            _ => {
                if self.life.advance(LifeStage::Over) {
                    self.removals.silence();
                    self.end_threads(Runtime::stop_if_idle);
                }
                if sends_notice {
                    self.send_close_notice();
                }
            }
        }
    }

    fn end_threads(&self, stop: fn(&Runtime)) {
        self.end_alarm();
        match &self.threads {
            Threads::Own(_) => self.running().into_iter().for_each(|runtime| stop(runtime)),
            Threads::Shared(runtime) => self.leave(runtime),
        }
        self.unroute();
    }

    /// Unregisters from the timer, and waits for its current action: only during one does the timer hold a strong reference.
    pub(super) fn end_alarm(&self) {
        if let (Some(alarm), Some(runtime)) = (self.alarm.get(), self.running()) {
            alarm.end();
            runtime.timer().wait_for_current_action();
        }
    }

    /// Detaches from `runtime`. Only the first call has an effect.
    pub(super) fn leave(&self, runtime: &Runtime) {
        if self.life.detach() {
            runtime.detach();
        }
    }

    /// Detaches from the program's queues. Only the first call has an effect.
    pub(super) fn unroute(&self) {
        if self.life.unroute() {
            self.routes.detach();
        }
    }
}

/// The notice that an engine is closed. It is the engine's last delivery.
struct CloseNotice(Arc<Core>);

impl CloseNotice {
    /// Returns the next listener to notify. After the last one, marks the close as reported, and ends a disposed engine.
    fn take(&self) -> Option<Box<dyn CloseListener>> {
        let core = &self.0;
        let disposed = {
            let mut ending = core.life.ending.lock();
            if !ending.listeners.is_empty() {
                return Some(ending.listeners.remove(0));
            }
            core.life.advance(LifeStage::Reported);
            core.life.changed.notify_all();
            core.life.is_disposed()
        };
        if disposed {
            core.wind_up();
        }
        None
    }
}

impl Deliverable for CloseNotice {
    fn deliver(self: Arc<Self>, most: usize) -> DeliveryResult {
        let _delivering = self.0.delivering(self.0.routes.results_at());
        let mut count = 0;
        while count < most {
            let Some(listener) = self.take() else {
                drop(self);
                return DeliveryResult::all(count);
            };
            count += usize::from(listener.is_callable());
            call_host(|| listener.closed());
        }
        DeliveryResult { count, remainder: Remainder::More(self) }
    }

    fn pull(self: Arc<Self>) -> PullResult {
        let Some(listener) = self.take() else { return PullResult::nothing() };
        let event = PolledEvent::Closed { core: self.0.clone(), listener: listener.into_any() };
        PullResult { event: Some(Box::new(event)), more: true }
    }
}

/// Ends a disposed engine on the dispatcher after the timer found it done: the timer holds the engine only briefly, and must not drop the
/// last reference.
struct UnattendedEnd {
    core: Arc<Core>,
    sends_notice: bool,
}

impl Deliverable for UnattendedEnd {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        self.core.end_unattended(self.sends_notice);
        DeliveryResult::all(0)
    }

    fn pull(self: Arc<Self>) -> PullResult {
        self.deliver(1);
        PullResult::nothing()
    }
}
