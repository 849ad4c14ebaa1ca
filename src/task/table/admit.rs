//! Admission: which keys get a slot or a place in the queue, which wait without a place, and which are lost (rules F12 to F14).

use super::ask::FetchContext;
use super::steps::LongWork;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::hint::rarely;
use crate::base::{Moment, PackedKeys};
use crate::task::deadlines::Due;
use crate::task::demand::{Demand, Wish};
use crate::task::flight::{Flight, Phase};
use crate::task::group::WaitingKey;
use crate::task::hedge::Hedge;
use crate::task::host::Handout;
use crate::task::queue::{QueuePosition, Rank, Search};
use crate::task::request::{Issue, Part, Request};
use crate::task::{FetchId, FlightId};
use smallvec::SmallVec;

/// How a new flight is admitted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It joins the next request, together with other new flights of its fetch.
    Opening,
    /// It is looked up in the second tier first.
    Look,
    /// It enters the queue.
    Queue,
    /// All places are held. It enters the queue if another key gives up its place, or if it can wait without one.
    Displacing,
    /// It is not admitted.
    Lost,
}

/// The result of a search for a key that gives up its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Displaced {
    /// A place is free now.
    One,
    /// No key gives way.
    Nobody,
    /// The budget of this hold is used up. The search can go on.
    NotYet,
}

/// How a retried flight enters the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryStart {
    /// After a pause: before the keys of its urgency that arrived with a fetch.
    Paused,
    /// Without a pause: behind all keys that wait at its urgency, so that keys that keep failing do not starve others (rule F11b).
    AtOnce,
}

impl<H: Host> Table<H> {
    /// Decides how the next new flight of the fetch is admitted.
    #[inline(always)]
    pub(super) fn admission<S: AnswerStore>(&mut self, asking: &FetchContext<'_>, cx: &mut TableContext<'_, H, S>) -> Admission {
        if !asking.lingers && self.queue.len() == 0 && (!self.opening.is_empty() || self.may_hand_out(cx.now)) {
            return Admission::Opening;
        }
        if self.queue.is_full() {
            // If the keys in a full queue merely linger, a request can be formed of them.
            self.form_requests(cx);
        }
        let needs_no_place = || asking.wish.is_deferrable && (asking.is_refresh() || self.queue.is_share_used(asking.rank));
        if self.queue.is_full() && !needs_no_place() { Admission::Displacing } else { Admission::Queue }
    }

    /// Decides how the next new flight of the fetch is admitted while all places are held: to a place that another key gives up, without a
    /// place, or not at all (rules F13a, F13b). `None` if the search for a place goes on in the next hold, which happens only to a fetch in
    /// steps.
    pub(super) fn admission_when_full<S: AnswerStore>(
        &mut self,
        asking: &mut FetchContext<'_>,
        cx: &mut TableContext<'_, H, S>,
    ) -> Option<Admission> {
        // A refresh does not take the place of another key (rule F13d).
        let displaced = if asking.is_refresh() { Displaced::Nobody } else { self.take_place(asking, cx) };
        match displaced {
            Displaced::One => Some(Admission::Queue),
            Displaced::Nobody if asking.wish.is_deferrable => Some(Admission::Queue),
            Displaced::Nobody => Some(Admission::Lost),
            Displaced::NotYet => None,
        }
    }

    /// Takes a place for the next key of the fetch, from a key that the fetch does not want too (rule F13g). Only a fetch in steps stops
    /// before the search has ended: any other fetch has few keys of its own to pass over.
    fn take_place<S: AnswerStore>(&mut self, asking: &mut FetchContext<'_>, cx: &mut TableContext<'_, H, S>) -> Displaced {
        let mut search = asking.search;
        let is_own = |table: &Self, flight: &Flight<H>| {
            flight.waiters.last().is_some_and(|waiter| waiter.fetch == asking.id) || asking.is_own(table.flights[flight.key_state].hash)
        };
        let displaced = loop {
            let displaced = self.displace(asking.rank, &mut search, is_own, cx);
            if displaced != Displaced::NotYet || asking.steps.is_some() {
                break displaced;
            }
        };
        asking.search = search;
        displaced
    }

    /// Takes the place of the last key in the order that yields to a newcomer of this rank. Keys for which `is_own` returns true are
    /// skipped, and cost one unit of the budget each. The key that loses its place is deferred if it can be; otherwise its waiters are
    /// settled with QUEUE_FULL.
    pub(super) fn displace<S: AnswerStore>(
        &mut self,
        newcomer: Rank,
        search: &mut Search,
        is_own: impl Fn(&Self, &Flight<H>) -> bool,
        cx: &mut TableContext<'_, H, S>,
    ) -> Displaced {
        while let Some((rank, group)) = self.queue.last_to_give_way(*search, newcomer) {
            let (last, has_deferred) = (group.last(), group.deferred() > 0);
            let flight = &self.flights[last.flight];
            if is_own(self, flight) {
                search.pass(rank);
                if !cx.out.spend(1) {
                    return Displaced::NotYet;
                }
                continue;
            }
            if has_deferred || flight.demand.is_deferrable() {
                self.queue.take_place(rank);
            } else {
                self.lose(last.flight, cx);
            }
            return Displaced::One;
        }
        Displaced::Nobody
    }

    /// Ends a waiting flight with QUEUE_FULL.
    pub(super) fn lose<S: AnswerStore>(&mut self, id: FlightId, cx: &mut TableContext<'_, H, S>) {
        self.stop_waiting(id);
        self.counts.ahead_dropped += u64::from(self.flights[id].is_ahead);
        let error = self.flights[id].with_cause(&self.errors.queue_full);
        let outcome = self.after_failure(id, error, cx);
        let flight = self.take_flight(id);
        self.counts.flights_ended.lost += 1;
        self.settle_flight(flight, outcome, cx.out);
    }

    /// The position of a waiting flight among those of equal urgency.
    pub(super) fn queue_position(&self, flight: &Flight<H>) -> QueuePosition {
        match flight.phase {
            Phase::Retried { queue_position } => queue_position,
            // The fetch is kept while a flight that it started waits.
            _ => self.fetches[flight.owner].queue_position,
        }
    }

    /// Changes the demand for a flight. If that changes the urgency of a waiting flight, moves it in the queue (rule F13c).
    #[inline]
    pub(super) fn change_demand(&mut self, id: FlightId, change: impl FnOnce(&mut Demand)) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        let before = flight.demand.urgency();
        change(&mut flight.demand);
        if flight.demand.urgency() != before {
            self.move_in_queue(id, before);
        }
    }

    /// Moves a flight whose urgency was `before`, if it waits in the queue.
    pub(super) fn move_in_queue(&mut self, id: FlightId, before: i32) {
        let flight = &self.flights[id];
        if let Phase::Queued | Phase::Retried { .. } = flight.phase {
            let key = WaitingKey { position: flight.position, flight: id };
            self.queue.move_key(self.queue_position(flight), before, flight.demand.urgency(), key);
        }
    }

    /// Puts a retried flight into the queue. It needs no place, and is never lost.
    pub(super) fn requeue(&mut self, id: FlightId, start: RetryStart, now: Moment) {
        let (owner, ranking) = (self.flights[id].owner, self.queue.ranking);
        let owner = self.fetches.get_mut(owner).map(|owner| {
            owner.waiting += 1;
            owner.queue_position.requested_at
        });
        let queue_position = match start {
            RetryStart::Paused => {
                self.retries += 1;
                ranking.retried(self.retries, owner.unwrap_or(now))
            }
            RetryStart::AtOnce => {
                self.arrivals += 1;
                ranking.behind(self.arrivals, now)
            }
        };
        let flight = &mut self.flights[id];
        flight.phase = Phase::Retried { queue_position };
        let key = WaitingKey { position: flight.position, flight: id };
        self.queue.push_retried(ranking.rank(flight.demand.urgency(), queue_position), key);
    }

    /// Whether a request can be formed of the waiting keys once a slot is free.
    fn is_formable<S>(&self, cx: &TableContext<'_, H, S>) -> bool {
        let waiting = self.queue.len();
        if waiting == 0 {
            return false;
        }
        let linger = self.settings.batch_linger;
        (linger.is_zero() && !self.gathers)
            || self.queue.has_retried()
            || waiting >= self.settings.batch_max_keys as usize
            || self.queue.is_full()
            || (!linger.is_zero() && self.queue.oldest().is_some_and(|oldest| oldest.after(linger) <= cx.now.moment()))
    }

    /// From now on lets new keys gather for fuller requests, or, if `gathers` is false, hands out those that have gathered (rule F14a). A
    /// drain has no new keys to wait for.
    pub fn gather<S: AnswerStore>(&mut self, gathers: bool, cx: &mut TableContext<'_, H, S>) {
        self.gathers = gathers && self.life == Acceptance::Open;
        if !self.gathers {
            self.conclude(cx);
        }
    }

    /// Takes the first waiting keys for a request. An overtaken flight that is retried and the current flight of its key go into different
    /// requests, because a request contains a key at most once (rule F04). The request is then smaller.
    pub(super) fn take_first(&mut self, taken: &mut Vec<FlightId>) {
        let Table { queue, flights, fetches, .. } = self;
        let most = self.settings.batch_max_keys as usize;
        queue.pop(most, taken, |taken, id| {
            let key_state = |id: FlightId| flights[id].key_state;
            flights.overtaken() == 0
                || flights[key_state(id)].overtaken.is_empty()
                || taken.iter().all(|other| key_state(*other) != key_state(id))
        });
        if queue.has_ages() {
            for flight in taken.iter().map(|id| &flights[*id]).filter(|flight| matches!(flight.phase, Phase::Queued)) {
                queue.forget_age(fetches[flight.owner].queue_position.requested_at);
            }
        }
    }

    /// Forms requests as long as there are slots and keys for them.
    pub(super) fn form_requests<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        if self.is_firing || self.life == Acceptance::Closed {
            // Places that became free are given out nonetheless.
            return self.queue.refill();
        }
        self.refuse_waiting_keys(cx);
        self.queue.refill();
        while self.slots.is_free() && self.is_formable(cx) && self.rate_allows(cx.now.moment()) {
            if cx.out.budget == 0 {
                return self.form_later();
            }
            let mut taken = std::mem::take(&mut self.forming);
            self.take_first(&mut taken);
            cx.out.budget = cx.out.budget.saturating_sub(taken.len());
            self.hand_out(&taken, cx);
            taken.clear();
            self.forming = taken;
            self.refuse_waiting_keys(cx);
            self.queue.refill();
        }
        self.arm_linger(cx);
    }

    fn arm_linger<S>(&mut self, cx: &TableContext<'_, H, S>) {
        if self.settings.batch_linger.is_zero() || self.linger.is_some() || !self.slots.is_free() {
            return;
        }
        if let Some(oldest) = self.queue.oldest() {
            let at = oldest.after(self.settings.batch_linger);
            // Otherwise the keys have lingered long enough and wait for a token, for which there is another deadline.
            if at > cx.now.moment() {
                self.linger = Some(self.deadlines.set(at, Due::Linger));
            }
        }
    }

    /// Hands out the flights that were collected for the next request of the current fetch.
    pub(super) fn hand_out_opening<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        if !self.opening.is_empty() {
            let mut opening = std::mem::take(&mut self.opening);
            self.hand_out(&opening, cx);
            opening.clear();
            self.opening = opening;
        }
    }

    /// Takes a token, a slot and a number for a request.
    pub(super) fn issue(&mut self, formed: Moment) -> Issue {
        self.take_token(formed);
        self.attempts += 1;
        Issue { formed, handed: self.recent.next_tick(), era: self.breaker.handed(formed), attempt: self.attempts, hold: self.slots.take() }
    }

    /// Creates a request from flights that are not in the queue.
    fn hand_out<S: AnswerStore>(&mut self, ids: &[FlightId], cx: &mut TableContext<'_, H, S>) {
        let issue = self.issue(cx.now.moment());
        let (formed, attempt) = (issue.formed, issue.attempt);
        let mut retries = 0;
        // Runs of consecutive keys that belong to one fetch. Usually there is one run.
        let mut owners: SmallVec<[(FetchId, usize); 1]> = SmallVec::new();
        let Table { host, requests, flights, fetches, .. } = self;
        let request = requests.insert_with_key(|request| {
            let count = ids.len();
            let mut keys = PackedKeys::try_with_capacity(count, 16 * count).unwrap_or_default();
            let (mut attempts, mut contexts) = (Vec::with_capacity(count), Vec::new());
            let (mut parts, mut urgency, mut context) = (Vec::with_capacity(count), i32::MIN, None);
            for (index, id) in (0..).zip(ids) {
                let (flight, key_state) = flights.get_with_key(*id).expect("the caller knows that it is there");
                flight.phase = Phase::Running { request, index };
                flight.attempts = flight.attempts.saturating_add(1);
                retries += u64::from(flight.attempts > 1);
                flight.first_began = flight.first_began.min(formed);
                match owners.last_mut() {
                    Some((owner, keys)) if *owner == flight.owner => *keys += 1,
                    _ => {
                        owners.push((flight.owner, 1));
                        context = fetches.get(flight.owner).and_then(|fetch| fetch.context.clone());
                    }
                }
                keys.push(&key_state.key);
                attempts.push(flight.attempts);
                if rarely(context.is_some() || !contexts.is_empty()) {
                    contexts.resize(index as usize, None);
                    contexts.push(context.clone());
                }
                parts.push(Part::Open { flight: *id, stamp: key_state.stamp_of(flight.standing, attempt) });
                urgency = urgency.max(flight.demand.urgency());
            }
            // Every waiting flight is wanted.
            Request::new(host.request(Handout { id: request, keys, attempts, contexts, urgency }), parts, issue, Hedge::None)
        });
        for (owner, keys) in owners {
            if self.leave_queue(owner, keys) {
                self.forget_fetch(owner, cx.out);
            }
        }
        self.counts.retries += retries;
        self.counts.count_request(ids.len() as u64);
        self.hedging.note_request();
        self.counts.attempts += ids.len() as u64;
        cx.out.handed.push(self.requests[request].handle.clone());
    }

    /// Changes the urgency of a fetch.
    pub fn set_urgency<S: AnswerStore>(&mut self, id: FetchId, urgency: i32, cx: &mut TableContext<'_, H, S>) {
        let Some(fetch) = self.fetches.get_mut(id) else { return };
        let before = fetch.wish;
        if before.urgency == urgency {
            return;
        }
        fetch.wish.urgency = urgency;
        let after = fetch.wish;
        self.begin_work(LongWork::Urgency { fetch: id, before, after, next: 0 });
        self.conclude(cx);
    }

    /// Changes what a position adds to the demand for a flight.
    pub(super) fn exchange_wish(&mut self, flight: FlightId, before: Wish, after: Wish) {
        self.change_demand(flight, |demand| {
            demand.add(after);
            demand.remove(before);
        });
    }
}
