//! Departures that have not been reported to the removal listener yet or, without a listener, dropped yet (rules S11, S11a, L04).
//!
//! With a listener, removals are recorded under the shard's lock, so that those of one key are reported in store order, whichever threads
//! caused them. Without one, only values with a destructor of the host are kept here.
//!
//! One thread at a time reports: the one that has the *turn*.
//!
//! - For an engine, that thread is the dispatcher, or the thread that reads the program's queue. Writers that cause removals faster than it
//!   reports them wait for it ([`Removals::throttle`]), or drop values themselves.
//! - For a cache without an engine, it is the thread that caused a removal, or the dispatcher for expired entries. A thread that finds
//!   the turn taken waits until its own removals are reported ([`Removals::deliver_here`]), so that no more are pending than there are
//!   threads.
//!
//! A throttled writer waits until two removals are reported for each that it may have caused, counted from the end of the previous writer's
//! share. That bounds both the number of pending removals and the wait of a writer, however many were pending before.

use super::Core;
use super::host::RemovalListener;
use super::lifecycle::CallSite;
use super::polled_event::PolledEvent;
use crate::base::BlockDeque;
use crate::base::hint::rarely;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::base::sync::{Condvar, Mutex, MutexGuard, wait, wait_timeout};
use crate::cache::{Departure, DepartureSink, Departures};
use crate::runtime::delivery::{Deliverable, DeliveryResult, PullResult, Remainder};
use crate::runtime::hooks::call_host;
use crate::runtime::host_queue::HostQueue;
use std::cell::Cell;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long a writer waits for one call of the listener. A listener that takes longer may itself be waiting for that writer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much may be pending before writers are throttled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub entries: u64,
    pub cost: u64,
}

impl Bounds {
    pub(super) const NONE: Bounds = Bounds { entries: u64::MAX, cost: u64::MAX };
    /// The bound for the smallest stores.
    const LEAST: u64 = 16;

    /// At most `most` entries, and neither more entries nor more cost than the store may hold.
    pub(super) fn new(most: u64, capacity: u64, cost_limit: Option<u64>) -> Bounds {
        Bounds { entries: most.min(capacity.max(Bounds::LEAST)), cost: cost_limit.unwrap_or(u64::MAX) }
    }
}

/// Removals to be reported to the listener or, without one, values to be dropped.
pub(super) struct Removals {
    listener: Option<Arc<dyn RemovalListener>>,
    core: Weak<Core>,
    pending: Mutex<Pending>,
    /// Signalled when a removal was reported or a turn ends, if a thread waits.
    progressed: Condvar,
    /// Whether more is pending than the bounds allow. A copy that is read without the lock.
    is_bound_exceeded: AtomicBool,
}

struct Pending {
    departures: BlockDeque<Departure>,
    cost: u128,
    bounds: Bounds,
    /// The number of removals whose report has at least begun. All removals are numbered in their order, from 1 on.
    reported: u64,
    /// The number of the last removal that waiting writers have claimed.
    claimed: u64,
    /// The number of the last removal that the thread with the turn must report, if no other thread does.
    owed: u64,
    /// Whether a thread has the turn.
    is_turn_taken: bool,
    /// The number of threads that wait for progress.
    waiting: usize,
    /// How many removals were reported when a writer had waited too long for the next one. No writer waits for that one again.
    stuck_at: Option<u64>,
    delivery: Sending,
    /// The number of claims so far.
    claims: u64,
    /// Set after the end of the engine: nothing is recorded or reported any more.
    silent: bool,
}

/// The state of the delivery for pending removals.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Sending {
    /// There is no delivery.
    #[default]
    No,
    /// The thread that made this claim is about to send the delivery.
    Claimed(Claim),
    /// The delivery was sent, and is not finished.
    Sent,
}

/// Identifies the thread that is about to send the delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim(u64);

impl Pending {
    fn exceeds_bounds(&self) -> bool {
        self.departures.len() as u64 > self.bounds.entries || self.cost > u128::from(self.bounds.cost)
    }

    fn push(&mut self, departure: Departure) {
        self.cost += u128::from(departure.cost);
        self.departures.push_back(departure);
    }

    fn pop(&mut self) -> Option<Departure> {
        let first = self.departures.pop_front()?;
        self.reported += 1;
        self.cost -= u128::from(first.cost);
        Some(first)
    }

    /// The number of the last pending removal.
    fn last(&self) -> u64 {
        self.reported + self.departures.len() as u64
    }

    /// Claims removals for a writer of `written` entries, behind the claims of other waiting writers. Returns the number of the last
    /// removal for which the writer waits.
    fn claim(&mut self, written: u64) -> u64 {
        let others = if self.waiting > 0 { self.claimed } else { 0 };
        self.claimed = others.max(self.reported).saturating_add(written.saturating_mul(2));
        self.claimed
    }
}

thread_local! {
    /// Whether this thread is reporting removals. If so, it must not wait for the turn, whose holder may be waiting for this thread.
    static REPORTS: Cell<bool> = const { Cell::new(false) };
}

fn is_reporting() -> bool {
    REPORTS.try_with(Cell::get).unwrap_or(true)
}

impl Removals {
    pub(super) fn new(listener: Option<Arc<dyn RemovalListener>>, bounds: Bounds, core: Weak<Core>) -> Removals {
        let pending = Pending {
            departures: BlockDeque::new(),
            cost: 0,
            bounds,
            reported: 0,
            claimed: 0,
            owed: 0,
            is_turn_taken: false,
            waiting: 0,
            stuck_at: None,
            delivery: Sending::No,
            claims: 0,
            silent: false,
        };
        Removals { listener, core, pending: Mutex::new(pending), progressed: Condvar::new(), is_bound_exceeded: AtomicBool::new(false) }
    }

    /// Whether there is a listener.
    #[inline(always)]
    pub(super) fn has_listener(&self) -> bool {
        self.listener.is_some()
    }

    /// Whether writers must be throttled, because more is pending than the bounds allow.
    #[inline(always)]
    pub(super) fn must_throttle(&self) -> bool {
        rarely(self.is_bound_exceeded.load(Ordering::Relaxed))
    }

    /// The number of pending removals, and their cost.
    pub(super) fn pending(&self) -> (u64, u64) {
        let pending = self.pending.lock();
        (pending.departures.len() as u64, u64::try_from(pending.cost).unwrap_or(u64::MAX))
    }

    pub(super) fn set_bounds(&self, bounds: Bounds) {
        let mut pending = self.pending.lock();
        pending.bounds = bounds;
        self.update_bound_flag(&pending);
    }

    fn update_bound_flag(&self, pending: &Pending) {
        let is_bound_exceeded = pending.exceeds_bounds();
        if self.is_bound_exceeded.load(Ordering::Relaxed) != is_bound_exceeded {
            self.is_bound_exceeded.store(is_bound_exceeded, Ordering::Relaxed);
        }
    }

    /// Keeps those of `left` whose drop runs host code, and drops the others. After the end of the engine, returns them instead of keeping
    /// them.
    pub(super) fn keep(&self, left: Departures) -> Result<(), Departures> {
        let (kept, others): (Departures, Departures) = left.into_iter().partition(|departure| departure.answer().runs_host_code_on_drop());
        drop(others);
        let mut pending = self.pending.lock();
        if pending.silent {
            return Err(kept);
        }
        kept.into_iter().for_each(|departure| pending.push(departure));
        self.update_bound_flag(&pending);
        Ok(())
    }

    /// Returns a claim if the caller must send a delivery for pending removals. To a queue the caller sends one even if another thread is
    /// about to, because what the caller sends next must come after a delivery. A second delivery is harmless there, since one thread reads
    /// at a time.
    pub(super) fn claim(&self, to_queue: bool) -> Option<Claim> {
        let mut pending = self.pending.lock();
        let is_due = match pending.delivery {
            Sending::No => !pending.departures.is_empty(),
            Sending::Claimed(_) => to_queue,
            Sending::Sent => false,
        };
        is_due.then(|| {
            pending.claims += 1;
            let claim = Claim(pending.claims);
            pending.delivery = Sending::Claimed(claim);
            claim
        })
    }

    /// Records that the delivery was sent.
    pub(super) fn note_sent(&self, claim: Claim) {
        let mut pending = self.pending.lock();
        if pending.delivery == Sending::Claimed(claim) {
            pending.delivery = Sending::Sent;
        }
    }

    /// Creates the delivery for pending removals.
    pub(super) fn delivery(self: &Arc<Self>, core: &Core) -> Arc<dyn Deliverable> {
        // The delivery of an engine counts as pending work and keeps the engine. A cache without an engine may end before all removals are
        // reported.
        let engine = core.is_engine().then(|| core.me());
        engine.iter().for_each(|core| core.life.begin(core.removals_at()));
        Arc::new(RemovalDelivery { removals: self.clone(), engine, is_done: AtomicBool::new(false) })
    }

    /// Discards all pending removals: a queue was freed before the delivery in it was read.
    fn forget(&self) {
        let departures = {
            let mut pending = self.pending.lock();
            pending.delivery = Sending::No;
            pending.reported = pending.last();
            pending.cost = 0;
            let departures = std::mem::take(&mut pending.departures);
            self.note_progress(&pending);
            departures
        };
        drop(departures);
    }

    /// Stops recording removals.
    pub(super) fn silence(&self) {
        self.pending.lock().silent = true;
        self.progressed.notify_all();
    }

    /// Throttles a writer while more is pending than the bounds allow: it waits until others have reported two removals for each of its
    /// `written` entries, or drops as many values itself. Must not be called on the dispatcher or inside a callback.
    #[cold]
    pub(super) fn throttle(&self, written: u64) {
        if self.listener.is_none() {
            return self.drop_some(written.saturating_mul(2));
        }
        let mut pending = self.pending.lock();
        let enough = pending.claim(written);
        while pending.exceeds_bounds() && pending.reported < enough && !pending.silent {
            match self.wait_for_progress(pending) {
                Some(progressed) => pending = progressed,
                None => break,
            }
        }
    }

    /// Waits until another report begins, a turn begins or ends, or the engine has ended. Returns `None` if the listener takes too long.
    fn wait_for_progress<'a>(&self, mut pending: MutexGuard<'a, Pending>) -> Option<MutexGuard<'a, Pending>> {
        let (before, turn) = (pending.reported, pending.is_turn_taken);
        if pending.stuck_at == Some(before) {
            return None;
        }
        let until = Instant::now() + PATIENCE;
        pending.waiting += 1;
        let moved = loop {
            let left = until.saturating_duration_since(Instant::now());
            pending = wait_timeout(&self.progressed, pending, left);
            if pending.reported != before || pending.is_turn_taken != turn || pending.silent {
                break true;
            }
            if left.is_zero() {
                pending.stuck_at = Some(before);
                break false;
            }
        };
        pending.waiting -= 1;
        moved.then_some(pending)
    }

    fn drop_some(&self, count: u64) {
        for _ in 0..count {
            let first = self.take();
            let Some(first) = first else { break };
            self.report(first);
        }
    }

    /// For a cache without an engine: reports on this thread the removals that it has just caused, and earlier ones. `all` is false for a
    /// thread that has caused about one removal: it need not stay until all earlier ones are reported.
    pub(super) fn deliver_here(&self, all: bool) {
        let mut pending = self.pending.lock();
        if pending.departures.is_empty() {
            return;
        }
        let last = pending.last();
        let enough = if all { last } else { pending.claim(1).min(last) };
        pending.owed = pending.owed.max(last);
        while pending.is_turn_taken {
            // The thread that has the turn continues until everything is reported.
            if pending.reported >= enough || is_reporting() {
                return;
            }
            match self.wait_for_progress(pending) {
                Some(progressed) => pending = progressed,
                None => return,
            }
        }
        pending.is_turn_taken = true;
        drop(pending);
        while let Some(departure) = self.take_in_turn(enough) {
            self.report(departure);
        }
    }

    /// Takes the next removal. `None` ends the turn: removal number `enough` was reported, and other threads report the rest, if any.
    fn take_in_turn(&self, enough: u64) -> Option<Departure> {
        let mut pending = self.pending.lock();
        let others = pending.waiting > 0 || pending.delivery != Sending::No || pending.reported >= pending.owed;
        let first = if pending.reported >= enough && others { None } else { pending.pop() };
        if first.is_none() {
            pending.is_turn_taken = false;
        }
        self.note_progress(&pending);
        first
    }

    /// Takes the next removal, whichever thread has the turn.
    fn take(&self) -> Option<Departure> {
        let mut pending = self.pending.lock();
        let first = pending.pop();
        self.note_progress(&pending);
        first
    }

    fn note_progress(&self, pending: &Pending) {
        self.update_bound_flag(pending);
        if pending.waiting > 0 {
            self.progressed.notify_all();
        }
    }

    fn report(&self, departure: Departure) {
        let outer = REPORTS.try_with(|reports| reports.replace(true)).unwrap_or(true);
        if let Some(listener) = &self.listener {
            call_host(|| listener.removed(&departure));
        }
        // This may be the last reference to the value.
        call_host(|| drop(departure));
        let _ = REPORTS.try_with(|reports| reports.set(outer));
    }
}

impl DepartureSink for Removals {
    fn record(&self, departures: &mut Departures) {
        let mut pending = self.pending.lock();
        if !pending.silent {
            departures.drain(..).for_each(|departure| pending.push(departure));
            self.update_bound_flag(&pending);
        }
    }
}

/// The delivery of pending removals.
struct RemovalDelivery {
    removals: Arc<Removals>,
    /// `None` for a cache without an engine.
    engine: Option<Arc<Core>>,
    /// Whether the delivery has reported everything that was pending.
    is_done: AtomicBool,
}

impl RemovalDelivery {
    /// Marks the delivery as done.
    fn end(&self) {
        if self.is_done.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(core) = &self.engine {
            core.life.end_one(core.removals_at());
            core.conclude_if_closing();
        }
    }

    /// Takes the turn. Returns false if another call has it and this thread must not wait, because it is inside a report: the holder of the
    /// turn then reports the pending removals too.
    fn take_turn(&self) -> bool {
        let removals = &*self.removals;
        let mut pending = removals.pending.lock();
        while pending.is_turn_taken {
            if is_reporting() {
                pending.owed = pending.last();
                pending.delivery = Sending::No;
                return false;
            }
            pending.waiting += 1;
            pending = wait(&removals.progressed, pending);
            pending.waiting -= 1;
        }
        pending.is_turn_taken = true;
        true
    }

    /// Reports at most `most` removals. Returns their number, and whether none is left.
    fn report_some(&self, most: usize) -> (usize, bool) {
        let removals = &*self.removals;
        if !self.take_turn() {
            return (0, true);
        }
        for count in 0..most {
            let Some(departure) = removals.take_scheduled() else { return (count, true) };
            removals.report(departure);
        }
        let mut pending = removals.pending.lock();
        pending.is_turn_taken = false;
        removals.note_progress(&pending);
        (most, false)
    }
}

impl Deliverable for RemovalDelivery {
    fn deliver(self: Arc<Self>, most: usize) -> DeliveryResult {
        if self.removals.listener.as_ref().is_some_and(|listener| !listener.is_callable()) {
            return DeliveryResult { count: 0, remainder: Remainder::NoFunction(self) };
        }
        // The listener's user data is released with the cache, which must not happen during a call.
        let core = self.engine.clone().or_else(|| self.removals.core.upgrade());
        let _delivering = self.engine.as_ref().and_then(|core| core.delivering(core.removals_at()));
        let (count, is_all) = self.report_some(most);
        // Counts calls of host functions only.
        let count = if self.removals.has_listener() { count } else { 0 };
        if !is_all {
            return DeliveryResult { count, remainder: Remainder::More(self) };
        }
        self.end();
        drop((self, core));
        DeliveryResult::all(count)
    }

    fn pull(self: Arc<Self>) -> PullResult {
        let Some(listener) = &self.removals.listener else {
            self.deliver(usize::MAX);
            return PullResult::nothing();
        };
        let Some(departure) = self.removals.pull_one() else {
            self.end();
            return PullResult::nothing();
        };
        let event = PolledEvent::Removal { core: self.engine.clone(), user_data: listener.user_data(), departure };
        PullResult { event: Some(Box::new(event)), more: true }
    }
}

impl Drop for RemovalDelivery {
    fn drop(&mut self) {
        if !self.is_done.load(Ordering::Relaxed) {
            // A queue was freed with this delivery in it.
            self.removals.forget();
            self.end();
        }
    }
}

impl Removals {
    /// Takes the next removal. `None` ends this delivery and the turn.
    fn take_scheduled(&self) -> Option<Departure> {
        let mut pending = self.pending.lock();
        let first = pending.pop();
        if first.is_none() {
            (pending.delivery, pending.is_turn_taken) = (Sending::No, false);
        }
        self.note_progress(&pending);
        first
    }

    /// Like [`Removals::take_scheduled`], for a program that reads events from its queue and so needs no turn.
    fn pull_one(&self) -> Option<Departure> {
        let mut pending = self.pending.lock();
        let first = pending.pop();
        if first.is_none() {
            pending.delivery = Sending::No;
        }
        self.update_bound_flag(&pending);
        first
    }
}

impl Core {
    /// The queue of the program where departures are reported or, without a listener, dropped; `None` for the dispatcher.
    pub(super) fn removals_route(&self) -> &Option<Arc<HostQueue>> {
        if self.removals.has_listener() { &self.routes.removals } else { &self.routes.results }
    }

    pub(super) fn removals_at(&self) -> CallSite {
        super::call_site_of(self.removals_route())
    }
}
