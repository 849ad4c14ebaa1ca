//! The provider answers a key of its request, in time or late, or a key that is not in the request (rules F10, F11, F15).

use super::admit::RetryStart;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::hint::rarely;
use crate::base::{Answer, Error, Labels, Moment, Now, Status, StoreTerms};
use crate::task::deadlines::Due;
use crate::task::flight::{Flight, Phase, Stamp, Standing};
use crate::task::host::{DeferredDrop, FillResult};
use crate::task::outcome::{Outcome, Source};
use crate::task::request::{FlightRemains, Part};
use crate::task::{FlightId, KeyStateId, RequestId};

/// The provider's answer for one key.
#[derive(Clone, Debug)]
pub enum ProviderAnswer {
    /// A value or null, with the terms of storing it.
    Answer(Answer, StoreTerms),
    /// An error.
    Failed(Error),
}

impl<H: Host> Table<H> {
    /// The provider answers one key. `index` must be below the number of keys of the request.
    pub fn answer<S: AnswerStore>(
        &mut self,
        id: RequestId,
        index: usize,
        answer: ProviderAnswer,
        cx: &mut TableContext<'_, H, S>,
    ) -> Status {
        match answer {
            ProviderAnswer::Answer(answer, mut terms) => self.resolve(id, index, answer, &mut terms, cx),
            ProviderAnswer::Failed(error) => self.reject(id, index, error, cx),
        }
    }

    /// The provider answers one key with a value or null. Nearly always the key's part is open. The whole path from here to the waiters is
    /// inlined, because a call would cost nearly as much as the step that it makes.
    #[inline]
    pub fn resolve<S: AnswerStore>(
        &mut self,
        id: RequestId,
        index: usize,
        answer: Answer,
        terms: &mut StoreTerms,
        cx: &mut TableContext<'_, H, S>,
    ) -> Status {
        let Some(part) = self.take_part(id, index) else {
            cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
            return self.status_if_ended(id);
        };
        let Part::Open { flight, stamp } = part else { return self.other_part_resolved(id, part, answer, terms, cx) };
        let was_wanted = self.settle_current(flight, stamp, answer, terms, Source::Provider, cx);
        self.open_part_answered(id, was_wanted, cx);
        Status::OK
    }

    /// The provider answers one key with an error.
    pub fn reject<S: AnswerStore>(&mut self, id: RequestId, index: usize, error: Error, cx: &mut TableContext<'_, H, S>) -> Status {
        let Some(part) = self.take_part(id, index) else {
            cx.out.deferred_drops.push(DeferredDrop::Error(error));
            return self.status_if_ended(id);
        };
        let Part::Open { flight, .. } = part else {
            if let Part::Hedge { flight, .. } = part {
                // The other request may still answer.
                self.hedge_answered(id, cx.out);
                self.note_failure(id, &error);
                let dropped = self.flights[flight].note_error(error);
                cx.out.defer_error_drop(dropped);
            } else {
                cx.out.deferred_drops.push(DeferredDrop::Error(error));
            }
            return self.other_part_answered(id, part, cx);
        };
        let was_wanted = self.flights[flight].is_wanted();
        self.note_failure(id, &error);
        self.fail(flight, error, cx);
        self.open_part_answered(id, was_wanted, cx);
        Status::OK
    }

    /// Marks a part as answered. Returns its previous state; `None` if the request is finished or the engine has ended.
    #[inline(always)]
    fn take_part(&mut self, id: RequestId, index: usize) -> Option<Part> {
        let request = self.requests.get_mut(id).filter(|request| self.life != Acceptance::Closed && !request.is_finishing)?;
        Some(request.take_part(index))
    }

    /// Updates the request after the answer for an open part, and concludes the event.
    #[inline(always)]
    fn open_part_answered<S: AnswerStore>(&mut self, id: RequestId, was_wanted: bool, cx: &mut TableContext<'_, H, S>) {
        let request = &mut self.requests[id];
        request.wanted -= usize::from(was_wanted);
        let is_done = request.is_done();
        if rarely(request.wanted == 0 && request.unanswered > 0) {
            // The last wanted key is answered, and no waiter is left for the others.
            self.cancel_request(id, cx.out);
        }
        if is_done {
            self.release(id, cx);
        }
        self.conclude(cx);
    }

    /// Handles a value or null for a part that was not open.
    #[inline(never)]
    fn other_part_resolved<S: AnswerStore>(
        &mut self,
        id: RequestId,
        part: Part,
        mut answer: Answer,
        terms: &mut StoreTerms,
        cx: &mut TableContext<'_, H, S>,
    ) -> Status {
        match part {
            Part::Unwanted(remains) => {
                self.store_without_flight(remains, &mut answer, terms, cx);
                cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
            }
            Part::Late { remains, flight } => self.settle_late(remains, flight, answer, terms, cx),
            Part::Hedge { remains, flight } => {
                self.hedge_answered(id, cx.out);
                self.note_win(id);
                self.settle_late(remains, flight, answer, terms, cx);
            }
            Part::Answered | Part::Open { .. } => cx.out.deferred_drops.push(DeferredDrop::Answer(answer)),
        }
        self.other_part_answered(id, part, cx)
    }

    /// Ends a part that was not open, after its answer was handled.
    #[inline(never)]
    fn other_part_answered<S: AnswerStore>(&mut self, id: RequestId, part: Part, cx: &mut TableContext<'_, H, S>) -> Status {
        let status = match part {
            Part::Unwanted(remains) | Part::Late { remains, .. } => {
                self.flights.release(remains.key_state);
                self.counts.answers_late += 1;
                Status::LATE
            }
            Part::Hedge { remains, .. } => {
                self.flights.release(remains.key_state);
                Status::OK
            }
            Part::Answered | Part::Open { .. } => Status::ERR_ALREADY_ANSWERED,
        };
        if self.requests[id].is_done() {
            self.release(id, cx);
        }
        self.conclude(cx);
        status
    }

    /// Settles a flight with its answer. Returns whether the flight was wanted. The flight and its key state are looked up only once.
    ///
    /// The answer is in the store before the table's lock is released, and a fetch that missed repeats its lookup under that lock. So every
    /// fetch finds the flight or the answer (F07).
    #[inline(always)]
    pub(super) fn settle_current<S: AnswerStore>(
        &mut self,
        id: FlightId,
        stamp: Stamp,
        mut answer: Answer,
        terms: &mut StoreTerms,
        source: Source,
        cx: &mut TableContext<'_, H, S>,
    ) -> bool {
        let is_tag_removed = self.is_tag_removed(terms, stamp.attempt());
        self.withdraw_hedge(id, cx.out);
        let Table { flights, requests, recent, throttled, error_memory, counts, tier, .. } = self;
        let (flight, key_state) = flights.get_with_key(id).expect("the caller looked the flight up in the same operation");
        let was_wanted = flight.is_wanted();
        counts.ahead_succeeded += u64::from(flight.is_ahead);
        counts.flights_ended.succeeded += 1;
        let mut filled = FillResult::default();
        let is_tagged = rarely(tier.is_some()) && terms.labels.as_ref().is_some_and(Labels::has_tags);
        if flight.standing == Standing::Current {
            if flight.demand.stores && key_state.is_whole(stamp) && !is_tag_removed {
                key_state.loaded(stamp);
                // Only other requests that were handed out need to know of this write: the request that brought it and later ones do not.
                if requests.len() > 1 {
                    recent.write(key_state.hash, true);
                }
                terms.default_priority(flight.priority.get());
                filled = cx.store.fill(key_state.hash, &key_state.key, &mut answer, terms);
            }
            if rarely(!throttled.is_empty()) {
                throttled.end(&key_state.key, cx.out);
            }
            if rarely(!error_memory.is_empty()) {
                let drops = &mut cx.out.deferred_drops;
                error_memory.forget(&key_state.key, &mut |error| drops.push(DeferredDrop::Error(error)));
            }
        }
        let (attempts, owner) = (flight.attempts, flight.owner);
        let only_waiter = flight.only_waiter();
        if rarely(tier.is_some()) {
            let load_ms = cx.now.moment().since(flight.first_began).as_millis() as u64;
            self.fill_behind(id, (&answer, filled, is_tagged), load_ms, (cx.now, &mut *cx.out));
            self.forget_look(id);
        }
        let outcome = Outcome { ttl_left_ms: filled.ttl_left_ms, cost: filled.cost, ..Outcome::of(answer, source).of_load(attempts) };
        let flights = &mut self.flights;
        match only_waiter {
            Some(waiter) if waiter.fetch == owner => {
                // This is nearly always so, and then nothing else of the flight needs to be moved.
                flights.remove_and_release(id, |_| ());
                self.settle(waiter.fetch, waiter.position, outcome, cx.out);
            }
            _ => {
                let flight = flights.remove_and_release(id, Flight::end).expect("it was looked up above");
                self.settle_waiters(flight, outcome, cx.out);
            }
        }
        was_wanted
    }

    /// Ends a flight with an answer that the caller has stored, or that is not stored.
    #[inline(always)]
    pub(super) fn end_with<S>(
        &mut self,
        id: FlightId,
        answer: Answer,
        source: Source,
        filled: FillResult,
        cx: &mut TableContext<'_, H, S>,
    ) {
        self.counts.ahead_succeeded += u64::from(self.flights[id].is_ahead);
        let flight = self.take_flight(id);
        self.counts.flights_ended.succeeded += 1;
        let outcome = Outcome { ttl_left_ms: filled.ttl_left_ms, cost: filled.cost, ..Outcome::of(answer, source) };
        self.settle_flight(flight, outcome, cx.out);
    }

    /// Stores an answer whose flight has ended or does not store it, if its stamp is whole and its attempt was to be stored.
    fn store_without_flight<S: AnswerStore>(
        &mut self,
        remains: FlightRemains,
        answer: &mut Answer,
        terms: &mut StoreTerms,
        cx: &mut TableContext<'_, H, S>,
    ) -> FillResult {
        let is_whole = self.flights[remains.key_state].is_whole(remains.stamp) && !self.is_tag_removed(terms, remains.stamp.attempt());
        if !remains.stores || self.life == Acceptance::Closed || !is_whole {
            return FillResult::default();
        }
        self.forget_failure(remains.key_state, cx);
        terms.default_priority(remains.priority);
        let key_state = &mut self.flights[remains.key_state];
        key_state.loaded(remains.stamp);
        // Only other requests need to know of this write, as in `settle_current`.
        if self.requests.len() > 1 {
            self.recent.write(key_state.hash, true);
        }
        cx.store.fill(key_state.hash, &key_state.key, answer, terms)
    }

    /// Forgets the remembered error of a key, and allows loading it again.
    #[inline]
    fn forget_failure<S>(&mut self, key_state: KeyStateId, cx: &mut TableContext<'_, H, S>) {
        if self.error_memory.is_empty() && self.throttled.is_empty() {
            return;
        }
        let Table { throttled, error_memory, flights, .. } = self;
        let key = &flights[key_state].key;
        throttled.end(key, cx.out);
        let drops = &mut cx.out.deferred_drops;
        error_memory.forget(key, &mut |error| drops.push(DeferredDrop::Error(error)));
    }

    /// Handles an answer that arrived after its attempt timed out. If the key was not written since, the answer settles the key's current
    /// flight, whatever its phase. Otherwise it settles only the flight for which it was requested, and only if that flight is overtaken
    /// too (rule F10).
    fn settle_late<S: AnswerStore>(
        &mut self,
        remains: FlightRemains,
        requested_for: FlightId,
        mut answer: Answer,
        terms: &mut StoreTerms,
        cx: &mut TableContext<'_, H, S>,
    ) {
        let key_state = &self.flights[remains.key_state];
        if !key_state.is_whole(remains.stamp) {
            // A write may lie between the attempt and the last waiter's joining. That waiter must not receive older data.
            let serves = |standing| matches!(standing, Standing::Overtaken { write } if remains.stamp.is_after_last_join(write));
            if self.flights.get(requested_for).is_some_and(|flight| serves(flight.standing)) {
                self.leave_phase(requested_for, cx);
                self.end_with(requested_for, answer, Source::Provider, FillResult::default(), cx);
            } else {
                cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
            }
            return;
        }
        let Some(current) = key_state.current else {
            self.store_without_flight(remains, &mut answer, terms, cx);
            cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
            return;
        };
        self.leave_phase(current, cx);
        if self.flights[current].demand.stores {
            // `settle_current` stores the answer if the current flight wants that. In the other branch, the demand of the late attempt
            // decides.
            self.settle_current(current, remains.stamp, answer, terms, Source::Provider, cx);
        } else {
            let filled = self.store_without_flight(remains, &mut answer, terms, cx);
            self.end_with(current, answer, Source::Provider, filled, cx);
        }
    }

    /// Takes a flight out of its phase before an answer from elsewhere settles it. The part of a running attempt becomes unwanted.
    pub(super) fn leave_phase<S>(&mut self, id: FlightId, cx: &mut TableContext<'_, H, S>) {
        self.stop_waiting(id);
        self.withdraw_hedge(id, cx.out);
        let flight = &self.flights[id];
        if let Phase::Running { request, index } = flight.phase {
            let wanted = flight.is_wanted();
            let part = &mut self.requests[request].parts[index as usize];
            if let Part::Open { stamp, .. } = *part {
                let remains = flight.remains(stamp);
                *part = Part::Unwanted(remains);
                self.flights[remains.key_state].holders += 1;
                if wanted {
                    self.drop_wanted_key(request, cx.out);
                }
            }
        }
    }

    /// Handles a failed attempt: the flight pauses and is retried, or it ends and its waiters are settled with the error.
    pub(super) fn fail<S: AnswerStore>(&mut self, id: FlightId, error: Error, cx: &mut TableContext<'_, H, S>) {
        self.fail_until(id, error, Moment::default(), cx);
    }

    /// Like `fail`, but the next attempt begins no earlier than `not_before`.
    pub(super) fn fail_until<S: AnswerStore>(&mut self, id: FlightId, error: Error, not_before: Moment, cx: &mut TableContext<'_, H, S>) {
        let Some(error) = self.go_on_in_hedge(id, error, cx.out) else { return };
        if let Some(due) = self.next_attempt(id, &error, not_before, cx.now) {
            let dropped = self.flights[id].note_error(error);
            cx.out.defer_error_drop(dropped);
            if due <= cx.now.moment() {
                return self.requeue(id, RetryStart::AtOnce, cx.now.moment());
            }
            self.flights[id].phase = Phase::Backoff { timer: self.deadlines.set(due, Due::Retry(id)) };
            return;
        }
        self.counts.ahead_failed += u64::from(self.flights[id].is_ahead);
        // An error of the library has the provider's error as its cause (rule F10b).
        let is_of_library = [&self.errors.timeout, &self.errors.unavailable].into_iter().any(|own| error.is(own));
        let error = if is_of_library { self.flights[id].with_cause(&error) } else { error };
        let outcome = self.after_failure(id, error, cx);
        let flight = self.take_flight(id);
        self.counts.flights_ended.failed += 1;
        self.settle_flight(flight, outcome, cx.out);
    }

    /// The time at which the next attempt after `error` begins; `None` if there is none.
    fn next_attempt(&mut self, id: FlightId, error: &Error, not_before: Moment, now: &Now<'_>) -> Option<Moment> {
        let flight = &self.flights[id];
        let retry = &flight.retry.as_ref()?.retry;
        if flight.demand.is_empty() || !error.is_retriable() || !retry.allows(flight.attempts) || self.life == Acceptance::Closed {
            return None;
        }
        // The provider may request a longer pause (rule F11a).
        let pause = retry.pause(flight.attempts, &mut self.random).max(error.pause().unwrap_or_default());
        let due = now.moment().after(pause).max(not_before);
        let end = retry.budget.map_or(Moment::NEVER, |budget| flight.first_began.after(budget));
        (due <= end && due < Moment::NEVER).then_some(due)
    }

    /// The provider answers a key that is not in the request (rule F15). Returns OK if the answer was accepted, LATE if it was outdated.
    pub fn extra<S: AnswerStore>(
        &mut self,
        id: RequestId,
        key: &[u8],
        mut answer: Answer,
        mut terms: StoreTerms,
        cx: &mut TableContext<'_, H, S>,
    ) -> Status {
        let status = self.status_if_ended(id);
        let hash = self.hash(key);
        let (handed, attempt) = self.requests.get(id).map(|request| (request.handed, request.attempt)).unwrap_or_default();
        if status != Status::OK || self.recent.is_written_since(hash, handed) || self.is_tag_removed(&terms, attempt) {
            self.counts.extras_refused += 1;
            cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
            return if status == Status::OK { Status::LATE } else { status };
        }
        let filled = cx.store.fill(hash, key, &mut answer, &mut terms);
        // An answer that was not stored makes no other answer outdated: that of an older attempt may still be stored (rule S12a).
        let is_stored = filled.ttl_left_ms != 0;
        if is_stored {
            self.counts.extras_stored += 1;
            self.recent.write(hash, true);
        } else {
            self.counts.extras_refused += 1;
        }
        let drops = &mut cx.out.deferred_drops;
        self.error_memory.forget(key, &mut |error| drops.push(DeferredDrop::Error(error)));
        self.throttled.end(key, cx.out);
        let key_state = self.flights.find(hash, key);
        if let Some(key_state) = key_state {
            if is_stored {
                self.flights[key_state].loaded_by = self.flights[key_state].loaded_by.max(attempt);
            }
            self.settle_waiting(key_state, &answer, Source::Provider, filled, cx);
        }
        cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
        self.conclude(cx);
        Status::OK
    }
}
