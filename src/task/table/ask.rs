//! A fetch arrives. Each position is settled at once, joins a flight, or starts one (rules F04 to F07, F19, F20).

use super::admit::Admission;
use super::ask_steps::{OwnKeys, refusal_of_all};
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::config::FetchSettings;
use crate::base::hint::rarely;
use crate::base::{BlockDeque, CallKeys, Error, Key, Moment, Now};
use crate::task::deadlines::Due;
use crate::task::demand::{Demand, Wish};
use crate::task::fetch::{Fetch, Form, Position};
use crate::task::flight::{Flight, Joiners, Phase, Priority, Standing};
use crate::task::group::WaitingKey;
use crate::task::host::DeferredDrop;
use crate::task::outcome::{Outcome, Source, Verdict};
use crate::task::queue::{QueuePosition, Rank, Search};
use crate::task::waiters::{Waiter, Waiters};
use crate::task::{FetchId, FlightId, KeyStateId};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// The result of looking a position up in the store before the table's lock is taken.
#[derive(Debug)]
pub enum Probe {
    /// The store does not have the key, or was not read.
    Missed {
        /// The hash of the key, by the table's hasher.
        hash: u64,
    },
    /// The position is settled: a hit, an invalid key, or a key that is too long.
    Settled(Outcome),
}

/// Memory for the results, reserved before a fetch is accepted (rule F01).
#[derive(Default)]
pub struct Reservation {
    positions: SmallVec<[Position; 1]>,
    outcomes: Vec<Outcome>,
}

impl Reservation {
    /// Reserves memory for `positions` positions; `None` if there is not enough.
    pub fn try_new(positions: usize, form: Form) -> Option<Reservation> {
        if (form, positions) == (Form::Each, 1) {
            return Some(Reservation { positions: SmallVec::from_buf([Position::Open(FlightId::NULL)]), outcomes: Vec::new() });
        }
        let mut reservation = Reservation { positions: SmallVec::new(), outcomes: Vec::new() };
        if !form.delivers() {
            return Some(reservation);
        }
        reservation.positions.try_reserve_exact(positions).ok()?;
        reservation.positions.resize(positions, Position::Open(FlightId::NULL));
        if form == Form::All {
            reservation.outcomes.try_reserve_exact(positions).ok()?;
            reservation.outcomes.resize_with(positions, || Outcome::bare(Verdict::Miss));
        }
        Some(reservation)
    }
}

/// The arguments of a fetch.
pub struct FetchRequest<'a, H: Host> {
    /// The keys, one for each position.
    pub keys: CallKeys<'a>,
    /// The result of each lookup in the store.
    pub probes: &'a mut [Probe],
    /// Whether the store may have been written since the lookups, which are then repeated.
    pub reprobe: bool,
    /// How the results are delivered.
    pub form: Form,
    /// The engine's settings, overridden by the options of the call.
    pub settings: &'a Arc<FetchSettings>,
    /// The event sink of the fetch; `None` for a refresh.
    pub sink: Option<H::Sink>,
    /// Data that is passed to the provider.
    pub context: Option<H::Context>,
    /// Keys of higher urgency are served first.
    pub urgency: i32,
    /// The time at which open positions are settled with TIMEOUT.
    pub deadline: Option<Moment>,
    /// The number of settled positions between two reports of progress; 0: none.
    pub progress_step: usize,
    /// The memory reserved for the fetch.
    pub reservation: Reservation,
}

/// The arguments of a fetch of one key that may join a load: [`Table::join_alone`].
#[derive(Clone, Copy)]
pub struct JoinRequest<'a> {
    /// The key's hash, by the table's hasher.
    pub hash: u64,
    /// The key, which the store did not have.
    pub key: &'a [u8],
    /// Whether the store may have been written since the lookup.
    pub reprobe: bool,
    /// The engine's settings, overridden by the options of the call.
    pub settings: &'a FetchSettings,
    /// Keys of higher urgency are served first.
    pub urgency: i32,
}

/// A fetch whose positions are being processed.
pub(super) struct FetchContext<'a> {
    pub id: FetchId,
    pub form: Form,
    pub settings: &'a Arc<FetchSettings>,
    pub reprobe: bool,
    pub wish: Wish,
    /// Whether a key that fails may be tried again.
    pub retries: bool,
    /// Whether its keys may linger for a fuller request. Never if the queue has no places.
    pub lingers: bool,
    pub queue_position: QueuePosition,
    /// The rank of its keys in the queue.
    pub rank: Rank,
    /// Whether it has joined the flights of all its remaining keys, so that none of these loses its place to another key of the fetch.
    pub looked_ahead: bool,
    pub search: Search,
    /// `Some` if its keys are processed in steps; it then has the sorted hashes of these keys, once they are needed.
    pub steps: Option<&'a OwnKeys>,
}

/// What became of one position.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is settled or waits for a flight.
    Processed,
    /// Nothing yet: the sorted hashes of the fetch's keys are needed first. Only for a fetch in steps.
    NeedsSortedKeys,
    /// Nothing yet: the search for a key that gives up its place goes on in the next hold. Only for a fetch in steps.
    Searching,
}

impl FetchContext<'_> {
    /// Whether it is a refresh of either kind, which does not take the place of another key (rule F13d).
    pub fn is_refresh(&self) -> bool {
        !self.form.delivers()
    }

    /// Whether the key with this hash is one of its own. Always false for a fetch that is not processed in steps, which looks ahead
    /// instead.
    pub fn is_own(&self, hash: u64) -> bool {
        self.steps.is_some_and(|own| own.as_ref().is_some_and(|hashes| hashes.binary_search(&hash).is_ok()))
    }
}

impl<H: Host> Table<H> {
    /// Processes the arrival of a fetch in one hold of the lock. Returns its id if any position is still open.
    pub fn ask<S: AnswerStore>(&mut self, mut ask: FetchRequest<'_, H>, cx: &mut TableContext<'_, H, S>) -> Option<FetchId> {
        let (form, settings, reprobe, deadline) = (ask.form, ask.settings, ask.reprobe, ask.deadline);
        let (ask_count, refusal) = (ask.probes.len(), refusal_of_all(form, settings, ask.probes));
        let (id, wish, queue_position) = self.register(&mut ask, ask_count > 1, refusal, cx.now);
        let FetchRequest { keys, probes, .. } = ask;
        if let Some(deadline) = deadline {
            self.fetches[id].deadline = Some(self.deadlines.set(deadline, Due::Fetch(id)));
        }
        if keys.is_empty() && form == Form::All {
            self.finish_fetch(id, cx.out);
        }
        let rank = self.queue.ranking.rank(wish.urgency, queue_position);
        let (looked_ahead, search, steps) = (false, Search::default(), None);
        let (retries, lingers) = (settings.retry.allows(1), self.may_linger());
        let mut asking =
            FetchContext { id, form, settings, reprobe, wish, retries, lingers, queue_position, rank, looked_ahead, search, steps };
        for position in 0..probes.len() {
            self.ask_probed(&mut asking, position as u32, &keys, probes, cx);
        }
        self.conclude_ask(id, settings.stale_timeout, cx)
    }

    /// Adds a fetch, and keeps it in the table until all its keys are processed.
    #[inline(always)]
    pub(super) fn register(
        &mut self,
        ask: &mut FetchRequest<'_, H>,
        is_many: bool,
        refusal: Option<Error>,
        now: &Now<'_>,
    ) -> (FetchId, Wish, QueuePosition) {
        let FetchRequest { form, settings, urgency, progress_step, .. } = *ask;
        self.arrivals += 1;
        let arrival = self.arrivals;
        let is_deferrable = (form == Form::Refresh || is_many) && self.settings.queue_overflow.defers();
        let wish = Wish { urgency, is_deferrable, stores: settings.read.stores() };
        // The age of a key matters only for linger and ageing.
        let has_age = !self.settings.batch_linger.is_zero() || self.settings.queue_ageing.is_some();
        let requested_at = if has_age { now.moment() } else { Moment::default() };
        let queue_position = self.queue.ranking.arrived(arrival, requested_at);
        let Reservation { positions, outcomes } = std::mem::take(&mut ask.reservation);
        let fails = refusal.is_some();
        let id = self.fetches.insert_with_key(|_| Fetch {
            sink: ask.sink.take(),
            context: ask.context.take(),
            form,
            mode: settings.batch_mode,
            on_timeout: settings.on_timeout,
            on_cancel: settings.on_cancel,
            open: positions.len(),
            positions,
            failed: 0,
            outcomes,
            is_ending: false,
            is_asking: false,
            ended: refusal,
            progress_step,
            progress_at: progress_step,
            deadline: None,
            stale_at: None,
            wish,
            arrival,
            queue_position,
            // Keeps the fetch until all its keys are processed; `conclude_ask` subtracts it.
            waiting: 1,
        });
        if fails {
            self.collapsing.push(id);
        }
        (id, wish, queue_position)
    }

    /// Whether keys may wait for a fuller request although a slot is free. Never if the queue has no places.
    pub(super) fn may_linger(&self) -> bool {
        (self.gathers || !self.settings.batch_linger.is_zero()) && self.settings.queue_max_keys > 0
    }

    /// Processes one position.
    #[inline(always)]
    pub(super) fn ask_probed<S: AnswerStore>(
        &mut self,
        asking: &mut FetchContext<'_>,
        position: u32,
        keys: &CallKeys<'_>,
        probes: &mut [Probe],
        cx: &mut TableContext<'_, H, S>,
    ) -> Asked {
        if let Probe::Missed { hash } = probes[position as usize] {
            return self.ask_position(asking, position, hash, keys, probes, cx);
        }
        match std::mem::replace(&mut probes[position as usize], Probe::Missed { hash: 0 }) {
            // A refresh delivers nothing: its invalid keys are skipped.
            Probe::Settled(outcome) if !asking.form.delivers() => cx.out.defer_outcome_drop(outcome),
            Probe::Settled(outcome) => self.settle(asking.id, position, outcome, cx.out),
            Probe::Missed { .. } => {}
        }
        Asked::Processed
    }

    /// Ends the arrival of a fetch, once all its keys are processed. Returns its id if any position is still open.
    #[inline(always)]
    pub(super) fn conclude_ask<S: AnswerStore>(
        &mut self,
        id: FetchId,
        stale: Option<Duration>,
        cx: &mut TableContext<'_, H, S>,
    ) -> Option<FetchId> {
        self.hand_out_opening(cx);
        if let Some(longest) = stale {
            self.limit_wait(id, longest, cx);
        }
        if self.leave_queue(id, 1) {
            self.forget_fetch(id, cx.out);
        }
        self.conclude(cx);
        self.fetches.get(id).is_some_and(|fetch| fetch.open > 0).then_some(id)
    }

    /// Settles a position that the store did not answer, joins the flight of its key, or starts one.
    fn ask_position<S: AnswerStore>(
        &mut self,
        asking: &mut FetchContext<'_>,
        position: u32,
        hash: u64,
        keys: &CallKeys<'_>,
        probes: &[Probe],
        cx: &mut TableContext<'_, H, S>,
    ) -> Asked {
        if (asking.looked_ahead || asking.steps.is_some()) && asking.form.delivers() && !self.fetches[asking.id].is_unasked(position) {
            self.counts.misses.unasked += u64::from(asking.steps.is_some());
            return Asked::Processed;
        }
        if asking.steps.is_some() && self.life == Acceptance::Closed {
            // The close settles the position.
            self.counts.misses.unasked += 1;
            return Asked::Processed;
        }
        let Some(new) = self.look_up(asking, position, hash, &keys[position as usize], cx) else { return Asked::Processed };
        if rarely(new.looks) {
            self.counts.ahead_started += u64::from(asking.form == Form::Ahead);
            self.counts.misses.started += u64::from(!asking.is_refresh());
            self.start(Admission::Look, new, asking, cx);
            return Asked::Processed;
        }
        let mut admission = self.admission(asking, cx);
        if admission == Admission::Displacing {
            if let (Some(None), false) = (asking.steps, asking.is_refresh()) {
                return Asked::NeedsSortedKeys;
            }
            if asking.steps.is_none() && !asking.is_refresh() && !std::mem::replace(&mut asking.looked_ahead, true) {
                self.look_ahead(asking, position, keys, probes, cx);
                if self.fetches[asking.id].ended.is_some() {
                    // The look-ahead found a key that fails, and the whole batch with it.
                    self.counts.misses.unasked += 1;
                    return Asked::Processed;
                }
            }
            let Some(found) = self.admission_when_full(asking, cx) else { return Asked::Searching };
            admission = found;
        }
        self.counts.ahead_started += u64::from(asking.form == Form::Ahead && admission != Admission::Lost);
        self.counts.ahead_dropped += u64::from(asking.form == Form::Ahead && admission == Admission::Lost);
        if admission != Admission::Lost {
            self.counts.misses.started += u64::from(!asking.is_refresh());
            self.start(admission, new, asking, cx);
            return Asked::Processed;
        }
        if !asking.is_refresh() {
            self.counts.misses.queue_full += 1;
            let outcome = Outcome::failed(self.errors.queue_full.clone());
            let outcome = self.instead_of_load(&keys[position as usize], outcome, cx);
            self.settle(asking.id, position, outcome, cx.out);
        } else if asking.form == Form::Refresh {
            self.counts.refreshes_refused += 1;
        }
        Asked::Processed
    }

    /// Sets the deadline at which the fetch stops waiting for its loads, and receives fallbacks where there are any (rule R04). The caller
    /// keeps the fetch in the table.
    fn limit_wait<S: AnswerStore>(&mut self, id: FetchId, longest: Duration, cx: &mut TableContext<'_, H, S>) {
        if longest.is_zero() {
            return self.deliver_fallbacks(id, cx);
        }
        let at = cx.now.moment().after(longest);
        if let Some(fetch) = self.fetches.get_mut(id).filter(|fetch| fetch.open > 0 && at < Moment::NEVER) {
            fetch.stale_at = Some(self.deadlines.set(at, Due::Stale(id)));
        }
    }

    /// Joins the flights of all keys that the fetch has not processed yet, so that none of these loses its place to another key of the
    /// fetch (rule F13g).
    #[inline(never)]
    fn look_ahead<S: AnswerStore>(
        &mut self,
        asking: &mut FetchContext<'_>,
        after: u32,
        keys: &CallKeys<'_>,
        probes: &[Probe],
        cx: &mut TableContext<'_, H, S>,
    ) {
        for (position, probe) in (0..).zip(probes).skip(after as usize + 1) {
            // Once the batch has failed as a whole there is nothing to join. Its other positions are counted when they are processed.
            if self.fetches[asking.id].ended.is_some() {
                return;
            }
            if let Probe::Missed { hash } = probe {
                self.look_up(asking, position, *hash, &keys[position as usize], cx);
            }
        }
    }

    /// Settles a position from the store or the error memory, or joins the flight of its key. Otherwise returns what a new flight needs.
    #[inline(always)]
    fn look_up<'k, S: AnswerStore>(
        &mut self,
        asking: &FetchContext<'_>,
        position: u32,
        hash: u64,
        key: &'k [u8],
        cx: &mut TableContext<'_, H, S>,
    ) -> Option<NewKey<'k>> {
        let (id, read) = (asking.id, asking.settings.read);
        if asking.settings.batch_mode.is_all_or_nothing() && self.fetches[id].ended.is_some() {
            // The batch failed as a whole at an earlier position. This one is settled with the rest in `conclude`.
            self.counts.misses.unasked += 1;
            return None;
        }
        let reads = asking.settings.reads_store() && !asking.is_refresh();
        if asking.reprobe && reads {
            // If a load stored its answer since the first lookup, it ended its flight in the same hold of the lock, and this lookup is a
            // hit (F07).
            if let Some(outcome) = cx.store.probe(hash, key) {
                self.settle(id, position, outcome, cx.out);
                return None;
            }
        }
        if !read.loads() && !asking.is_refresh() {
            self.counts.misses.cache_only += 1;
            self.settle(id, position, Outcome::bare(Verdict::Miss), cx.out);
            return None;
        }
        let found = self.flights.find_with_current(hash, key);
        if let Some((_, Some(flight))) = found {
            if rarely(self.tier.is_some()) && !reads {
                self.mark_reload(flight);
            }
            self.join(flight, position, asking);
            return None;
        }
        if !self.throttled.is_empty() {
            if !reads {
                self.throttled.end(key, cx.out);
            } else if let Some(outcome) = self.fallback_while_throttled(key, cx) {
                self.settle(id, position, outcome, cx.out);
                return None;
            }
        }
        if !reads && !self.error_memory.is_empty() {
            // A forced load supersedes the remembered error, whatever the result of the load (rule F20a).
            let drops = &mut cx.out.deferred_drops;
            self.error_memory.forget(key, &mut |error| drops.push(DeferredDrop::Error(error)));
        }
        if reads && !self.error_memory.is_empty() {
            let drops = &mut cx.out.deferred_drops;
            let gone = &mut |error| drops.push(DeferredDrop::Error(error));
            if let Some(error) = self.error_memory.recall(key, cx.now.millis(), gone) {
                self.counts.misses.remembered += 1;
                let outcome = Outcome { source: Source::ErrorMemory, ..Outcome::failed(error) };
                let outcome = self.instead_of_load(key, outcome, cx);
                self.settle(id, position, outcome, cx.out);
                return None;
            }
        }
        if rarely(self.tier.is_some()) && self.looks_up(key, cx.now) {
            return Some(NewKey { key_state: found.map(|(key_state, _)| key_state), hash, key, position, looks: true });
        }
        if !self.is_provider_available(cx.now) {
            self.counts.misses.unavailable += u64::from(!asking.is_refresh());
            self.counts.ahead_dropped += u64::from(asking.form == Form::Ahead);
            let outcome = Outcome::failed(self.errors.unavailable.clone());
            if asking.is_refresh() {
                cx.out.defer_outcome_drop(outcome);
            } else {
                let outcome = self.instead_of_load(key, outcome, cx);
                self.settle(id, position, outcome, cx.out);
            }
            return None;
        }
        Some(NewKey { key_state: found.map(|(key_state, _)| key_state), hash, key, position, looks: false })
    }

    /// Starts a flight with the given admission. Its position waits for it, unless the fetch is a refresh.
    #[inline(always)]
    fn start<S: AnswerStore>(&mut self, admission: Admission, new: NewKey<'_>, asking: &FetchContext<'_>, cx: &mut TableContext<'_, H, S>) {
        let NewKey { key_state, hash, key, position, .. } = new;
        let Table { flights, fetches, queue, opening, .. } = self;
        let settings = asking.settings;
        let waiter = Waiter { fetch: asking.id, position, joined: false };
        let make = |key_state| Flight {
            key_state,
            phase: match admission {
                Admission::Opening => Phase::Opening,
                Admission::Look => Phase::Looking,
                Admission::Queue | Admission::Displacing | Admission::Lost => Phase::Queued,
            },
            standing: Standing::Current,
            joiners: None,
            waiters: if asking.is_refresh() { Waiters::None } else { Waiters::One(waiter) },
            demand: Demand::of(asking.wish),
            continues: false,
            revalidates: false,
            is_ahead: asking.form == Form::Ahead,
            attempts: 0,
            first_began: Moment::NEVER,
            last_error: None,
            retry: if asking.retries { Some(settings.clone()) } else { None },
            priority: Priority::of(settings.priority),
            owner: asking.id,
            position,
        };
        // The flight that gave up its place may have had the last reference to the key state.
        let flight = match key_state.filter(|id| flights.key_state(*id).is_some()) {
            Some(key_state) => flights.add_further(key_state, make(key_state)),
            None => flights.add_first(hash, key, make),
        };
        let fetch = &mut fetches[asking.id];
        fetch.waiting += 1;
        if let Some(Position::Open(open)) = fetch.positions.get_mut(position as usize) {
            *open = flight;
        }
        self.counts.flights_started += 1;
        if admission == Admission::Opening {
            opening.push(flight);
            if opening.len() >= self.settings.batch_max_keys as usize {
                self.hand_out_opening(cx);
            }
        } else if rarely(admission == Admission::Look) {
            let reloads = asking.is_refresh() || !settings.reads_store();
            self.look_later(flight, reloads);
        } else {
            queue.push(asking.rank, WaitingKey { position, flight }, asking.queue_position.requested_at);
        }
    }

    /// A position joins a flight (rule F19). Not inlined, so that a key that starts a flight, as most do, saves no registers for this.
    #[inline(never)]
    fn join(&mut self, id: FlightId, position: u32, asking: &FetchContext<'_>) {
        let is_miss = !asking.is_refresh();
        if is_miss {
            self.fetches[asking.id].positions[position as usize] = Position::Open(id);
        }
        self.add_demand(id, asking.wish, asking.settings.priority, is_miss, |flight| {
            if is_miss {
                flight.waiters.push(Waiter { fetch: asking.id, position, joined: true });
            }
        });
    }

    /// Adds the demand and the priority of a joining fetch to a flight, and counts its miss. `enter` adds the fetch to a list of the
    /// flight.
    #[inline(always)]
    fn add_demand(&mut self, id: FlightId, wish: Wish, priority: Option<f64>, is_miss: bool, enter: impl FnOnce(&mut Flight<H>)) {
        self.counts.misses.joined += u64::from(is_miss);
        let flight = &mut self.flights[id];
        if let (false, Phase::Running { request, .. }) = (flight.is_wanted(), flight.phase) {
            // The flight was unwanted. Now it counts as a wanted key of its request again.
            self.requests[request].wanted += 1;
        }
        flight.priority = flight.priority.max(Priority::of(priority));
        flight.continues = false;
        let before = flight.demand.urgency();
        flight.demand.add(wish);
        enter(flight);
        if rarely(flight.demand.urgency() != before) {
            self.move_in_queue(id, before);
        }
    }

    /// A fetch of one key joins the key's flight and waits for its end, without a record of its own. Returns false if there is no flight to
    /// join, or if the store may have the key by now: then the caller uses [`Table::ask`].
    ///
    /// Nothing may be able to end the fetch earlier: it has neither a handle nor a time limit, reports no progress, and does not switch to
    /// a fallback after a time (rule R04). `joiner` is called only if the fetch joins.
    pub fn join_alone(&mut self, request: &JoinRequest<'_>, joiner: impl FnOnce() -> H::Joiner) -> bool {
        let JoinRequest { hash, key, reprobe, settings, urgency } = *request;
        debug_assert!(settings.stale_timeout.is_none());
        if !settings.read.loads() || (reprobe && settings.reads_store()) {
            return false;
        }
        let Some((_, Some(id))) = self.flights.find_with_current(hash, key) else { return false };
        if rarely(self.tier.is_some()) && !settings.reads_store() {
            self.mark_reload(id);
        }
        let wish = Wish { urgency, is_deferrable: false, stores: settings.read.stores() };
        self.add_demand(id, wish, settings.priority, true, |flight| {
            let joiners = flight.joiners.get_or_insert_with(|| Box::new(Joiners { key: Key::new(key), list: BlockDeque::new() }));
            joiners.list.push_back(joiner());
        });
        true
    }
}

/// A key without a current flight, for which a position is about to start one.
struct NewKey<'k> {
    /// The state of the key, if it has one.
    key_state: Option<KeyStateId>,
    hash: u64,
    key: &'k [u8],
    position: u32,
    /// Whether the key is looked up in the second tier first.
    looks: bool,
}

impl<H: Host> Fetch<H> {
    /// Whether one failure ends the whole batch.
    pub(super) fn is_all_or_nothing(&self) -> bool {
        self.mode.is_all_or_nothing()
    }

    /// Whether this position has not been processed yet.
    fn is_unasked(&self, position: u32) -> bool {
        self.positions[position as usize] == Position::Open(FlightId::NULL)
    }
}
