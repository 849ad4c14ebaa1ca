//! A position is settled, a waiter leaves, a fetch ends or is cancelled (rules F01, F03, F09, F17).

use super::steps::{FetchEnd, LongWork, Settlement};
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::config::LeavePolicy;
use crate::base::hint::rarely;
use crate::task::demand::Wish;
use crate::task::fetch::{Fetch, Form, Position};
use crate::task::flight::{EndedFlight, Flight, Joiners, Phase, Standing};
use crate::task::host::{Cancel, DeferredDrop, Effects, Event, EventSink, Joined, STEP};
use crate::task::outcome::{BatchOutcome, Outcome, Source};
use crate::task::request::Part;
use crate::task::slab::IdSlab;
use crate::task::waiters::Waiter;
use crate::task::{FetchId, FlightId, RequestId};

/// Why the open positions of a fetch end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EndReason {
    /// The fetch timed out.
    Timeout,
    /// The fetch was cancelled.
    Cancel,
    /// The fetch is all-or-nothing, and one of its positions failed.
    Failure,
    /// The engine is closing.
    Close,
}

impl<H: Host> Table<H> {
    /// Settles all waiters of a flight that was taken out of the table, and releases the flight's reference to its key state. The waiters are
    /// taken by value, so none can be settled twice.
    #[inline(always)]
    pub(super) fn settle_flight(&mut self, flight: EndedFlight<H>, outcome: Outcome, out: &mut Effects<H>) {
        self.flights.release(flight.key_state);
        self.settle_waiters(flight, outcome, out);
    }

    /// Like `settle_flight`, for a flight whose reference to its key state was released. Not inlined, since `settle_current` settles the
    /// usual flight, of one waiter, without it.
    #[inline(never)]
    pub(super) fn settle_waiters(&mut self, flight: EndedFlight<H>, outcome: Outcome, out: &mut Effects<H>) {
        let EndedFlight { mut waiters, joiners, owner, attempts, last_error, .. } = flight;
        out.defer_error_drop(last_error);
        let outcome = outcome.of_load(attempts);
        if let Some(joiners) = joiners {
            self.counts.stale_error += if outcome.source == Source::Stale { joiners.list.len() as u64 } else { 0 };
            settle_joiners(*joiners, outcome.clone(), out);
        }
        if rarely(!out.spend(waiters.len().saturating_sub(1))) {
            return self.begin_work(LongWork::Settle(Box::new(Settlement { waiters, outcome, owner })));
        }
        let last = waiters.last();
        while waiters.len() > 1
            && let Some(waiter) = waiters.pop()
        {
            self.settle_waiter(waiter, outcome.clone(), out);
        }
        // The last waiter gets the original. Most flights have one waiter, which then needs no second reference.
        match last {
            Some(last) => self.settle_waiter(last, outcome, out),
            None => out.defer_outcome_drop(outcome),
        }
        // The fetch that started the flight no longer waits for it, or never did: it may have been kept only for the flight.
        if last.is_none_or(|last| last.fetch != owner) {
            self.forget_fetch_if_ended(owner, out);
        }
    }

    #[inline(always)]
    pub(super) fn settle_waiter(&mut self, waiter: Waiter, mut outcome: Outcome, out: &mut Effects<H>) {
        if rarely(waiter.joined) && outcome.source == Source::Provider {
            outcome.source = Source::Joined;
        }
        if rarely(outcome.source == Source::Stale) && waits(&self.fetches, waiter) {
            self.counts.stale_error += 1;
        }
        self.settle(waiter.fetch, waiter.position, outcome, out);
    }

    /// Settles one position, unless it is settled already.
    #[inline(always)]
    pub(super) fn settle(&mut self, id: FetchId, position: u32, outcome: Outcome, out: &mut Effects<H>) {
        let Some(fetch) = self.fetches.get_mut(id) else { return out.defer_outcome_drop(outcome) };
        if rarely(fetch.positions[position as usize] == Position::Settled) {
            out.defer_outcome_drop(outcome);
        } else {
            let failed_before = fetch.failed > 0;
            fetch.settle(position as usize, outcome, out);
            if fetch.open > 0 && fetch.failed > 0 && !failed_before && fetch.is_all_or_nothing() {
                self.collapsing.push(id);
            }
        }
        if fetch.has_ended() {
            self.forget_fetch(id, out);
        }
    }

    /// Ends a fetch that has no positions.
    pub(super) fn finish_fetch(&mut self, id: FetchId, out: &mut Effects<H>) {
        if let Some(fetch) = self.fetches.get_mut(id) {
            fetch.post_batch(out);
        }
    }

    /// Settles the open positions of a fetch and leaves their flights. Records `why` as the end of the whole fetch, unless an earlier end
    /// was recorded.
    pub(super) fn end_fetch<S: AnswerStore>(&mut self, id: FetchId, why: EndReason, cx: &mut TableContext<'_, H, S>) {
        let Some(fetch) = self.fetches.get_mut(id).filter(|fetch| !fetch.is_ending) else { return };
        let (error, how) = match why {
            EndReason::Timeout => (&self.errors.timeout, fetch.on_timeout),
            EndReason::Cancel | EndReason::Failure => (&self.errors.cancelled, fetch.on_cancel),
            EndReason::Close => (&self.errors.closed, LeavePolicy::Cancel),
        };
        let error = error.clone();
        let ends_whole = fetch.open > 0 && fetch.ended.is_none();
        if rarely(!cx.out.spend(fetch.positions.len())) {
            fetch.is_ending = true;
            if ends_whole {
                fetch.ended = Some(error.clone());
            }
            let left = fetch.positions.len();
            return self.begin_work(LongWork::EndFetch(FetchEnd { fetch: id, error, how, left, ends_whole }));
        }
        let open = fetch.open_flights().collect::<Vec<(usize, FlightId)>>();
        if ends_whole {
            // The error of the whole batch has room for one cause, so the first key that has one provides it.
            let cause = open.iter().find_map(|(_, flight)| self.flights.get(*flight)?.last_error.as_ref());
            fetch.ended = Some(cause.map_or_else(|| error.clone(), |cause| error.caused_by(cause)));
        }
        for (position, flight) in open {
            self.end_position(id, position, flight, &error, how, cx.out);
        }
    }

    /// Cancels a fetch. Settled positions do not change (rule F09). Returns false if no position was open.
    pub fn cancel<S: AnswerStore>(&mut self, id: FetchId, cx: &mut TableContext<'_, H, S>) -> bool {
        let is_open = self.fetches.get(id).is_some_and(|fetch| fetch.open > 0 && !fetch.is_ending);
        if is_open {
            self.counts.fetch_cancels += 1;
            self.end_fetch(id, EndReason::Cancel, cx);
            self.conclude(cx);
        }
        is_open
    }

    /// Removes a waiter from its flight, after its position was settled. A flight that is no longer wanted ends at once if it waits; if it
    /// runs, it can be joined until no key of its request is wanted. The last waiter can ask for it to continue, if it runs or is looked up
    /// (rule F10a).
    pub(super) fn leave(&mut self, id: FlightId, wish: Wish, how: LeavePolicy, out: &mut Effects<H>) {
        self.change_demand(id, |demand| demand.remove(wish));
        let Some(flight) = self.flights.get_mut(id) else { return };
        let has_begun = match flight.phase {
            Phase::Running { request, .. } => self.requests[request].is_taken(),
            Phase::Looking => true,
            Phase::Opening | Phase::Queued | Phase::Retried { .. } | Phase::Backoff { .. } => false,
        };
        // A flight that can be neither joined nor stored need not continue.
        flight.continues = how.continues() && has_begun && flight.demand.is_empty() && flight.standing == Standing::Current;
        if flight.is_wanted() {
            return self.sweep_waiters(id);
        }
        if let Phase::Running { request, .. } = flight.phase {
            self.drop_wanted_key(request, out);
        } else {
            self.end_waiting(id, out);
        }
    }

    /// Called when a position has left a flight: forgets some of those that have left, if there are many of them.
    pub(super) fn sweep_waiters(&mut self, id: FlightId) {
        let Table { flights, fetches, .. } = self;
        let Some(Flight { waiters, demand, .. }) = flights.get_mut(id) else { return };
        waiters.sweep(demand.total() as usize, |waiter| waits(fetches, waiter));
    }

    /// Decrements the number of wanted keys of a request, and cancels the request with the last one.
    pub(super) fn drop_wanted_key(&mut self, id: RequestId, out: &mut Effects<H>) {
        let request = &mut self.requests[id];
        request.wanted -= 1;
        if request.wanted == 0 {
            self.cancel_request(id, out);
        }
    }

    /// Ends a waiting flight that is not wanted.
    pub(super) fn end_waiting(&mut self, id: FlightId, out: &mut Effects<H>) {
        self.stop_waiting(id);
        self.counts.ahead_dropped += u64::from(self.flights[id].is_ahead);
        let flight = self.take_flight(id);
        self.counts.flights_ended.cancelled += 1;
        self.flights.release(flight.key_state);
        out.defer_error_drop(flight.last_error);
        self.forget_fetch_if_ended(flight.owner, out);
    }

    /// Cancels a request that has no wanted key any more: its flights end, its open parts become unwanted, and the provider is notified
    /// (rule F09).
    pub(super) fn cancel_request(&mut self, id: RequestId, out: &mut Effects<H>) {
        let why = if self.life == Acceptance::Closed { Cancel::Closed } else { Cancel::Unwanted };
        for index in 0..self.requests[id].parts.len() {
            let (flight_id, stamp) = match self.requests[id].parts[index] {
                Part::Open { flight, stamp } => (flight, stamp),
                Part::Hedge { remains, .. } => {
                    self.requests[id].parts[index] = Part::Unwanted(remains);
                    self.hedged -= 1;
                    continue;
                }
                Part::Unwanted(_) | Part::Late { .. } | Part::Answered => continue,
            };
            self.withdraw_hedge(flight_id, out);
            self.counts.ahead_dropped += u64::from(self.flights[flight_id].is_ahead);
            let flight = self.take_flight(flight_id);
            // The flight's reference to the key state becomes the part's.
            self.requests[id].parts[index] = Part::Unwanted(flight.remains(stamp));
            out.defer_error_drop(flight.last_error);
            self.counts.flights_ended.cancelled += 1;
        }
        let request = &mut self.requests[id];
        request.is_withdrawn |= request.unanswered == request.parts.len();
        request.wanted = 0;
        if !request.is_finishing {
            out.cancelled.push((request.handle.clone(), why));
        }
    }
}

/// Whether the position still waits for the flight that lists it.
fn waits<H: Host>(fetches: &IdSlab<FetchId, Fetch<H>>, waiter: Waiter) -> bool {
    fetches.get(waiter.fetch).is_some_and(|fetch| fetch.positions[waiter.position as usize] != Position::Settled)
}

/// Adds an effect: a flight's outcome is to be delivered to its joiners.
#[inline(never)]
pub(super) fn settle_joiners<H: Host>(joiners: Joiners<H>, mut outcome: Outcome, out: &mut Effects<H>) {
    if outcome.source == Source::Provider {
        outcome.source = Source::Joined;
    }
    out.joined.push(Joined { key: joiners.key, outcome, joiners: joiners.list });
}

impl<H: Host> Fetch<H> {
    /// The open positions, with the flights that they wait for.
    pub(super) fn open_flights(&self) -> impl Iterator<Item = (usize, FlightId)> {
        self.positions.iter().enumerate().filter_map(|(position, state)| match state {
            Position::Open(flight) => Some((position, *flight)),
            Position::Settled => None,
        })
    }

    /// Settles an open position: collects its outcome, and posts the events that are due.
    #[inline(always)]
    pub(super) fn settle(&mut self, position: usize, outcome: Outcome, out: &mut Effects<H>) {
        self.positions[position] = Position::Settled;
        self.open -= 1;
        if let Some(error) = outcome.error() {
            self.failed += 1;
            if self.is_all_or_nothing() {
                self.ended.get_or_insert_with(|| error.clone());
            }
        }
        let last = self.open == 0;
        if let Some(sink) = &self.sink {
            sink.progress(self.done(), self.failed);
        }
        if rarely(self.progress_step > 0) {
            self.post_progress(out);
        }
        if self.form == Form::All {
            // The placeholder owns nothing, so its drop is skipped.
            std::mem::forget(std::mem::replace(&mut self.outcomes[position], outcome));
            if last {
                self.post_batch(out);
            }
        } else if last {
            self.post_last(Event::Result { index: position, outcome, last }, out);
        } else {
            self.post(Event::Result { index: position, outcome, last }, out);
        }
    }

    /// Posts a progress event if one is due.
    fn post_progress(&mut self, out: &mut Effects<H>) {
        let (done, failed, total) = (self.done(), self.failed, self.positions.len());
        if done >= self.progress_at || self.open == 0 {
            self.progress_at = done.saturating_add(self.progress_step);
            self.post(Event::Progress { done, failed, total }, out);
        }
    }

    pub(super) fn post_batch(&mut self, out: &mut Effects<H>) {
        let outcomes = std::mem::take(&mut self.outcomes);
        self.post_last(Event::Batch(BatchOutcome { outcomes, ended: self.ended.clone() }), out);
    }

    /// Posts the last event, and moves the sink into the effects.
    fn post_last(&mut self, event: Event, out: &mut Effects<H>) {
        let Some(sink) = self.sink.take() else { return };
        if sink.post(event) {
            out.scheduled.push(sink);
        } else {
            out.deferred_drops.push(DeferredDrop::Sink(sink));
        }
    }

    fn post(&self, event: Event, out: &mut Effects<H>) {
        let Some(sink) = &self.sink else { return };
        if sink.post(event) {
            out.scheduled.push(sink.clone());
        }
    }

    /// Defers the drops of the remains of an ended fetch until the lock is released.
    pub(super) fn defer_drops(&mut self, out: &mut Effects<H>) {
        if let Some(sink) = self.sink.take() {
            out.deferred_drops.push(DeferredDrop::Sink(sink));
        }
        if let Some(context) = self.context.take() {
            out.deferred_drops.push(DeferredDrop::Context(context));
        }
        out.defer_error_drop(self.ended.take());
        // Outcomes are left only after a panic of the table.
        if rarely(!self.outcomes.is_empty()) {
            self.outcomes.drain(..).for_each(|outcome| out.defer_outcome_drop(outcome));
        }
        if rarely(self.positions.len() > STEP) {
            out.defer_memory(self.positions.len(), std::mem::take(&mut self.positions));
        }
    }
}
