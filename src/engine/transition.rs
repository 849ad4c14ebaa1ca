//! Operations on the table: the protocol under one hold of the lock, and then, with no lock held, the effects.

use super::Core;
use super::fetch_events::FetchSink;
use super::joined::{JoinedDelivery, Joiner};
use super::lifecycle::{CallSite, LifeStage, PendingCount};
use super::request::{CancelDelivery, ProviderRequest};
use crate::base::hint::rarely;
use crate::base::object::Object;
use crate::base::panics::catch_panic_within;
use crate::base::process::must_not_wait;
use crate::base::sync::Mutex;
use crate::base::{Answer, Key, Millis, Now, Status, StoreTerms, Value};
use crate::cache::{Departure, Departures, Hit, PutOutcome};
use crate::runtime::delivery::{Deliverable, DeliveryResult, PullResult, RemoteDrop, deliver_all_of};
use crate::runtime::host_queue::HostQueue;
use crate::task::host::DeferredDrop;
use crate::task::{AnswerStore, Cancel, Effects, FillResult, Handout, Host, Outcome, Source, Table, TableContext};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};

/// The host of an engine's table.
pub struct EngineHost(pub(super) Weak<Core>);

impl Host for EngineHost {
    type Sink = FetchSink;
    type Request = Arc<ProviderRequest>;
    type Context = Arc<Object>;
    type Joiner = Joiner;

    fn request(&self, handout: Handout<Arc<Object>>) -> Arc<ProviderRequest> {
        let core = self.0.upgrade().expect("the table is used through its engine");
        // This runs under the table's lock, before another thread can find the table idle.
        core.life.begin(core.routes.provider_at());
        Arc::new(ProviderRequest::new(core, handout))
    }
}

/// The store, as the table sees it.
pub(super) struct StoreAccess<'a> {
    pub core: &'a Core,
    pub now: &'a Now<'a>,
    pub left: &'a mut Departures,
    /// When the first of the entries that were stored expires; [`Millis::NEVER`] if none does.
    pub ends: Millis,
    /// The keys and statuses of positions that the second lookup found in the store, in the order of processing.
    pub found: Vec<(Key, Status)>,
}

impl StoreAccess<'_> {
    /// Notes when an entry that was just stored expires.
    #[inline(always)]
    pub fn note_end(&mut self, put: PutOutcome) {
        if let PutOutcome::Stored { expires_at: Some(end), .. } = put {
            self.ends = self.ends.min(end);
        }
    }
}

impl AnswerStore for StoreAccess<'_> {
    fn probe(&mut self, hash: u64, key: &[u8]) -> Option<Outcome> {
        // A shard that panicked is empty, and the table continues (rule L07).
        let hit = catch_panic_within(|| self.core.store.probe_hashed(hash, key, self.now.clock())).unwrap_or_default()?;
        let outcome = outcome_of(hit, self.now);
        if self.core.hooks.record.is_some() {
            self.found.push((Key::new(key), outcome.status()));
        }
        Some(outcome)
    }

    #[inline(always)]
    fn fill(&mut self, hash: u64, key: &[u8], answer: &mut Answer, terms: &mut StoreTerms) -> FillResult {
        let mut stored = answer.share();
        // The outcome if the put panics. The closure writes its outcome here, because a returned one would be moved several times.
        let mut put = PutOutcome::NoMemory;
        let _ = catch_panic_within(
            #[inline(always)]
            || put = self.core.store.put_hashed(hash, key, &mut stored, terms, self.now.clock(), self.left),
        );
        self.core.loads().note_written();
        self.note_end(put);
        filled_of(put, self.now)
    }

    fn stale(&mut self, key: &[u8]) -> Option<Outcome> {
        let hit = catch_panic_within(|| self.core.store.stale(key, self.now.clock())).unwrap_or_default()?;
        // The entry has expired, even if its end lies within the present millisecond.
        Some(Outcome { ttl_left_ms: 0, ..outcome_of(hit, self.now) })
    }

    fn refresh_failed(&mut self, key: &[u8]) {
        let _ = catch_panic_within(|| self.core.store.refresh_failed(key, self.now.clock()));
    }

    fn remove_stale(&mut self, key: &[u8]) {
        let _ = catch_panic_within(|| self.core.store.remove_stale(key, self.now.clock(), self.left));
    }
}

pub(super) fn filled_of(put: PutOutcome, now: &Now<'_>) -> FillResult {
    match put {
        PutOutcome::Stored { cost, expires_at } => FillResult { ttl_left_ms: ttl_left(expires_at, now), cost },
        PutOutcome::Refused | PutOutcome::TooLarge | PutOutcome::Conflict | PutOutcome::Missing | PutOutcome::NoMemory => {
            FillResult::default()
        }
    }
}

/// The outcome of a hit.
#[inline(always)]
pub(super) fn outcome_of(hit: Hit, now: &Now<'_>) -> Outcome {
    Outcome {
        age_ms: now.millis().since(hit.stored_at),
        ttl_left_ms: ttl_left(hit.expires_at, now),
        cost: hit.cost,
        ..Outcome::of(hit.answer, Source::Store)
    }
}

pub(super) fn ttl_left(expires_at: Option<crate::base::Millis>, now: &Now<'_>) -> i64 {
    expires_at.map_or(-1, |end| i64::try_from(now.left_until(end)).unwrap_or(i64::MAX))
}

/// Whether dropping the departures runs no host code and reports nothing. If there are many, they are not examined, and this returns false:
/// examining them would take longer than counting the drop as pending work.
fn ends_silently(left: &Departures) -> bool {
    const MANY: usize = 8;
    left.len() < MANY && left.iter().all(|left| left.answer().ends_silently())
}

pub(super) type EngineTable = Table<EngineHost>;
pub(super) type EngineContext<'a, 'b> = TableContext<'a, EngineHost, StoreAccess<'b>>;

impl Core {
    /// Runs `work` on the table, then applies its effects. Only for engines.
    pub(super) fn with_table<R>(&self, work: impl FnOnce(&mut EngineTable, &mut EngineContext<'_, '_>) -> R) -> R {
        self.try_with_table(work, |request| self.hand_to_provider(request)).unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Like [`Core::with_table`]; new requests go to `hand`.
    pub(super) fn with_table_handing<R>(
        &self,
        work: impl FnOnce(&mut EngineTable, &mut EngineContext<'_, '_>) -> R,
        hand: impl FnMut(Arc<ProviderRequest>),
    ) -> R {
        self.try_with_table(work, hand).unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Like [`Core::with_table_handing`]. A panic in `work` is returned after everything was settled with PANIC.
    pub(super) fn try_with_table<R>(
        &self,
        work: impl FnOnce(&mut EngineTable, &mut EngineContext<'_, '_>) -> R,
        mut hand: impl FnMut(Arc<ProviderRequest>),
    ) -> std::thread::Result<R> {
        let (result, long_work) = self.hold_table(work, &mut hand);
        if let Some(many) = long_work {
            self.go_on(many, &mut hand);
        }
        result
    }

    /// Does the table's long work until its first `many` pieces are done, a step in each hold of the lock (rule S19). Other threads can
    /// take the lock in between. A panic settles everything with PANIC; the operation that began the work has had its effect by then.
    #[cold]
    #[inline(never)]
    fn go_on(&self, mut many: u64, hand: &mut impl FnMut(Arc<ProviderRequest>)) {
        loop {
            self.loads().table.give_way();
            let (more, begun) = self.hold_table(|table, cx| table.go_on(many, cx), hand);
            // A step may begin further long work.
            many = begun.unwrap_or(many);
            if !more.unwrap_or(false) && begun.is_none() {
                return;
            }
        }
    }

    /// One hold of the table's lock, and its effects. If `work` began a piece of long work that is not done, also returns how many pieces
    /// must be done until it is.
    fn hold_table<R>(
        &self,
        work: impl FnOnce(&mut EngineTable, &mut EngineContext<'_, '_>) -> R,
        hand: &mut impl FnMut(Arc<ProviderRequest>),
    ) -> (std::thread::Result<R>, Option<u64>) {
        let now = Now::of(&self.clock);
        let (mut out, mut left) = (Effects::default(), Departures::new());
        let mut store = StoreAccess { core: self, now: &now, left: &mut left, ends: Millis::NEVER, found: Vec::new() };
        let (result, due, has_effects, leaves_no_work, long_work) = {
            let mut table = self.loads().table.lock();
            let begun = table.long_work_begun();
            let mut cx = TableContext { now: &now, store: &mut store, out: &mut out };
            let result = catch_unwind(AssertUnwindSafe(|| work(&mut table, &mut cx)));
            if result.is_err() {
                // The table's state is unknown: everything is settled with PANIC, and the engine closes (rule L07).
                self.life.advance(LifeStage::Shut);
                table.fail_everything(&mut out);
            }
            let has_effects = !out.is_empty();
            // The store has recorded removals already; their delivery still has to be sent.
            let leaves_no_work = (!has_effects || out.only_sends()) && !self.removals.has_listener() && ends_silently(store.left);
            if !leaves_no_work {
                self.life.begin(CallSite::Threads);
            }
            let long_work = Some(table.long_work_begun()).filter(|many| *many > begun && table.has_long_work(*many));
            (result, table.next_due(), has_effects, leaves_no_work, long_work)
        };
        let ends = store.ends;
        // Departures come first: in a common queue, a key's result must come after the removal of the value that it replaced.
        if leaves_no_work {
            // No listener is notified of the departures, and dropping them runs no code of the program.
            if left.is_empty() { std::mem::forget(left) } else { drop(left) }
        } else {
            self.send_departures(left);
        }
        if has_effects {
            self.apply_effects(out, hand);
        } else {
            // The usual case. Dropping empty effects would take longer.
            std::mem::forget(out);
        }
        if !leaves_no_work {
            self.life.end_one(CallSite::Threads);
        }
        if due.is_some() {
            self.table_due(due);
        }
        if ends != Millis::NEVER {
            self.entry_due(ends);
        }
        if rarely(self.hooks.second_tier.is_some()) {
            self.note_tier_progress();
        }
        self.conclude_if_closing();
        (result, long_work)
    }

    fn apply_effects(&self, out: Effects<EngineHost>, hand: &mut impl FnMut(Arc<ProviderRequest>)) {
        // Every field is named, so that the compiler asks for a new one.
        let Effects { scheduled, joined, handed, cancelled, tier, deferred_drops, budget: _ } = out;
        for FetchSink(fetch_events) in scheduled {
            if fetch_events.is_direct() {
                fetch_events.deliver(usize::MAX);
            } else {
                self.send(fetch_events);
            }
        }
        for joined in joined {
            self.send(JoinedDelivery::new(self.me(), joined));
        }
        for (request, why) in cancelled {
            request.cancelled(why);
        }
        handed.into_iter().for_each(hand);
        tier.into_iter().flat_map(|requests| *requests).for_each(|request| self.hand_to_tier(request));
        for deferred_drop in deferred_drops {
            self.run_deferred_drop(deferred_drop);
        }
    }

    /// Sends an item to where results are delivered.
    pub(super) fn send(&self, item: Arc<dyn Deliverable>) {
        self.send_by(&self.routes.results, item);
    }

    /// Sends an item to a queue of the program, or else to the dispatcher.
    pub(super) fn send_by(&self, route: &Option<Arc<HostQueue>>, item: Arc<dyn Deliverable>) {
        match (route, self.running()) {
            (Some(queue), _) => queue.send(item),
            (None, Some(runtime)) => runtime.send(item),
            // A cache without threads delivers in the call, after it has released its locks.
            (None, None) => deliver_all_of(item),
        }
    }

    /// Drops `what` where callbacks run, since that may run host code.
    pub(super) fn send_drop<T: Send + 'static>(&self, what: T) {
        if !self.is_engine() {
            return self.send(RemoteDrop::deliverable(what));
        }
        let pending = PendingCount::new(self.me(), self.routes.results_at());
        self.send(Arc::new(CountedDrop(Mutex::new(Some((what, pending))))));
    }

    fn run_deferred_drop(&self, deferred_drop: DeferredDrop<EngineHost>) {
        match deferred_drop {
            // Runs no host code: the receiver was dropped after the last event.
            DeferredDrop::Sink(_) | DeferredDrop::Memory(_) => drop(deferred_drop),
            DeferredDrop::Request(request) => self.drop_request(request),
            _ if deferred_drop.runs_host_code() && self.is_engine() => self.send_drop(deferred_drop),
            _ => drop(deferred_drop),
        }
    }

    /// Drops a fetch's context, possibly the last reference, where callbacks run.
    pub(super) fn drop_context(&self, context: Arc<Object>) {
        if context.ends_where_dropped() { self.send_drop(context) } else { drop(context) }
    }

    /// Drops a reference to a request, possibly the last one. Requests hold contexts of the host.
    pub(super) fn drop_request(&self, request: Arc<ProviderRequest>) {
        if request.runs_host_code_on_drop() { self.send_drop(request) } else { drop(request) }
    }

    /// Releases departures with no lock held, on the thread that caused them. For an engine: sends those whose drop runs host code to where
    /// callbacks run, and the delivery for the listener. For a cache without an engine: reports them here.
    pub fn release_departures(&self, left: Departures) {
        if self.is_engine() {
            return self.send_departures(left);
        }
        self.report_removals(true);
        drop(left);
    }

    /// Reports the departures of a cache without an engine, on this thread unless removals go to a queue. For `all` see
    /// [`Removals::deliver_here`](super::removals::Removals::deliver_here).
    #[inline]
    pub(super) fn report_removals(&self, all: bool) {
        if !self.removals.has_listener() {
            return;
        }
        match &self.routes.removals {
            None => self.removals.deliver_here(all),
            Some(_) => self.send_removals(),
        }
    }

    /// Called by a thread that has written `written` entries, with no lock held. If more removals are pending than the bounds allow, waits
    /// until some are reported, or drops some values itself (rule S11a). Inside callbacks it does neither.
    #[inline(always)]
    pub(super) fn throttle_writer(&self, written: usize) {
        if self.removals.must_throttle() && !must_not_wait() {
            self.throttle_writer_now(written);
        }
    }

    /// Like [`Core::throttle_writer`], but also on threads of the library. Must not be called inside callbacks.
    #[cold]
    pub(super) fn throttle_writer_now(&self, written: usize) {
        let me = self.me();
        // Dropped after the values, because a destructor that runs here may release the last handle.
        let _pending = me.is_engine().then(|| PendingCount::new(me.clone(), CallSite::Threads));
        me.removals.throttle(written as u64);
    }

    /// Releases a reference that a call took for itself. If it is the last one, the host's destructor runs where callbacks run.
    pub fn release_value(&self, value: Value) {
        let runs_host_code = value.runs_host_code_on_drop() && self.is_engine();
        match value.give_up() {
            Some(last) if runs_host_code => self.send_drop(last),
            last => drop(last),
        }
    }

    /// Sends departures to where callbacks run, for an engine and for the timer's thread, on which no host code runs.
    #[inline(always)]
    pub(super) fn send_departures(&self, left: Departures) {
        let runs_host_code = |departure: &Departure| departure.answer().runs_host_code_on_drop();
        if left.iter().any(runs_host_code) {
            if let Err(left) = self.removals.keep(left) {
                return self.send_drop(left);
            }
        } else if !self.removals.has_listener() {
            return;
        }
        self.send_removals();
    }

    /// Sends the delivery for pending removals, unless one was sent or none are pending.
    fn send_removals(&self) {
        let route = self.removals_route();
        if let Some(claim) = self.removals.claim(route.is_some()) {
            self.send_by(route, self.removals.delivery(self));
            self.removals.note_sent(claim);
        }
    }
}

/// An object of an engine that was sent to be dropped where callbacks run. Counts as pending work until then.
struct CountedDrop<T>(Mutex<Option<(T, PendingCount)>>);

impl<T: Send> Deliverable for CountedDrop<T> {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let held = self.0.lock().take();
        drop(self);
        if let Some((what, pending)) = held {
            let _delivering = pending.delivering();
            drop(what);
            drop(pending);
        }
        DeliveryResult::all(0)
    }

    fn pull(self: Arc<Self>) -> PullResult {
        self.deliver(1);
        PullResult::nothing()
    }
}

impl ProviderRequest {
    fn cancelled(self: Arc<ProviderRequest>, why: Cancel) {
        let core = self.core().clone();
        if self.note_cancel(why) {
            core.send_by(&core.routes.provider, CancelDelivery::new(self));
        } else {
            self.withdraw();
            core.drop_request(self);
        }
    }
}
