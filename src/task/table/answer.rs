//! The provider answers: a key of its request in time or late, or a key that is not in it (rules F10, F11, F15).

use super::admit::Again;
use super::{Host, Life, Store, Table, Turn};
use crate::base::{Answer, Error, Moment, Now, Status, StoreTerms};
use crate::task::deadlines::Due;
use crate::task::flight::{Phase, Stamp, Standing};
use crate::task::host::{Filled, Litter};
use crate::task::outcome::{Outcome, Source};
use crate::task::request::{Part, Stray};
use crate::task::{FlightId, LaneId, RequestId};

/// What the provider says of one key.
#[derive(Clone, Debug)]
pub enum Given {
    /// A value or null, on these terms.
    Answer(Answer, StoreTerms),
    /// No answer, and why.
    Failed(Error),
}

impl<H: Host> Table<H> {
    /// The provider answers one key. `index` is below the request's length.
    pub fn answer<S: Store>(&mut self, id: RequestId, index: usize, given: Given, turn: &mut Turn<'_, H, S>) -> Status {
        let Some(request) = self.requests.get_mut(id).filter(|_| self.life != Life::Closed) else {
            litter(given, turn);
            return self.over(id);
        };
        let part = request.take_part(index);
        let status = self.part_answered(id, part, given, turn);
        let request = &self.requests[id];
        let (is_unwanted, is_done) = (request.wanted == 0 && request.unanswered > 0, request.is_done());
        if is_unwanted && matches!(part, Part::Open { .. }) {
            // The last key that somebody waited for is answered; who waited for the others had left before.
            self.cancel_request(id, turn.out);
        }
        if is_done {
            self.release(id, turn);
        }
        self.conclude(turn);
        status
    }

    /// What was open of a part that the request counts as answered. Nearly always that is its flight: all that is on the way of an
    /// answer to it is inlined, for each step is little more than its call.
    #[inline(always)]
    fn part_answered<S: Store>(&mut self, id: RequestId, part: Part, given: Given, turn: &mut Turn<'_, H, S>) -> Status {
        let Part::Open { flight, stamp } = part else { return self.late_part_answered(part, given, turn) };
        if self.flights[flight].is_wanted() {
            self.requests[id].wanted -= 1;
        }
        match given {
            Given::Answer(answer, terms) => self.land(flight, stamp, answer, terms, turn),
            Given::Failed(error) => {
                self.note_failure(id, &error);
                self.fail(flight, error, turn);
            }
        }
        Status::OK
    }

    #[inline(never)]
    fn late_part_answered<S: Store>(&mut self, part: Part, given: Given, turn: &mut Turn<'_, H, S>) -> Status {
        match (part, given) {
            (Part::Answered | Part::Open { .. }, given) => {
                litter(given, turn);
                return Status::ERR_ALREADY_ANSWERED;
            }
            (Part::Unwanted(stray), Given::Answer(mut answer, terms)) => {
                self.store_stray(stray, &mut answer, terms, turn);
                turn.out.litter.push(Litter::Answer(answer));
                self.release_lane(stray.lane);
            }
            (Part::Late { stray, flight }, Given::Answer(answer, terms)) => {
                self.land_late(stray, flight, answer, terms, turn);
                self.release_lane(stray.lane);
            }
            (Part::Unwanted(stray) | Part::Late { stray, .. }, given) => {
                litter(given, turn);
                self.release_lane(stray.lane);
            }
        }
        self.counts.answers_late += 1;
        Status::LATE
    }

    /// A flight has its answer: the store first, the flight after. Were the flight to end first, a fetch between the two
    /// would miss and load again (F07).
    #[inline(always)]
    pub(super) fn land<S: Store>(&mut self, id: FlightId, stamp: Stamp, mut answer: Answer, terms: StoreTerms, turn: &mut Turn<'_, H, S>) {
        let flight = &self.flights[id];
        let (lane, standing, stores, priority) = (flight.lane, flight.standing, flight.demand.stores, flight.priority.get());
        let mut filled = Filled::default();
        if standing == Standing::Current {
            if stores {
                filled = self.store_if_whole(lane, stamp, &mut answer, terms.or_priority(priority), turn);
            }
            self.forget_failure(lane, turn);
        }
        self.end_with(id, answer, Source::Provider, filled, turn);
    }

    /// Ends a flight with an answer.
    #[inline(always)]
    pub(super) fn end_with<S>(&mut self, id: FlightId, answer: Answer, source: Source, filled: Filled, turn: &mut Turn<'_, H, S>) {
        let flight = self.take_flight(id);
        self.counts.flights_succeeded += 1;
        let outcome = Outcome { ttl_left_ms: filled.ttl_left_ms, cost: filled.cost, ..Outcome::of(answer, source) };
        self.tell(flight, outcome, turn.out);
    }

    #[inline(always)]
    fn store_if_whole<S: Store>(
        &mut self,
        lane: LaneId,
        stamp: Stamp,
        answer: &mut Answer,
        terms: StoreTerms,
        turn: &mut Turn<'_, H, S>,
    ) -> Filled {
        let lane = &mut self.lanes[lane];
        if !lane.is_whole(stamp) {
            return Filled::default();
        }
        lane.loaded(stamp);
        // News to other requests that are out: to the one that brought it, and to those to come, it is none.
        if self.requests.len() > 1 {
            self.recent.write(lane.hash, true);
        }
        turn.store.fill(&lane.key, answer, terms)
    }

    fn store_stray<S: Store>(&mut self, stray: Stray, answer: &mut Answer, terms: StoreTerms, turn: &mut Turn<'_, H, S>) -> Filled {
        if !stray.stores || self.life == Life::Closed || !self.lanes[stray.lane].is_whole(stray.stamp) {
            return Filled::default();
        }
        self.forget_failure(stray.lane, turn);
        self.store_if_whole(stray.lane, stray.stamp, answer, terms.or_priority(stray.priority), turn)
    }

    #[inline]
    fn forget_failure<S>(&mut self, lane: LaneId, turn: &mut Turn<'_, H, S>) {
        if self.failures.is_empty() {
            return;
        }
        let litter = &mut turn.out.litter;
        self.failures.forget(&self.lanes[lane].key, &mut |error| litter.push(Litter::Error(error)));
    }

    /// An answer came after its attempt's time. If nothing newer was written it settles the key's flight, whatever that does
    /// by now; else only the flight that it was asked for, if that is overtaken too (rule F10).
    fn land_late<S: Store>(&mut self, stray: Stray, asked_for: FlightId, mut answer: Answer, terms: StoreTerms, turn: &mut Turn<'_, H, S>) {
        let lane = &self.lanes[stray.lane];
        if !lane.is_whole(stray.stamp) {
            // An earlier write may lie between the attempt and the last who joined: they must not be told what is older.
            let serves = |standing| matches!(standing, Standing::Overtaken { write } if stray.stamp.is_after_all_who_joined(write));
            if self.flights.get(asked_for).is_some_and(|flight| serves(flight.standing)) {
                self.stop_for(asked_for, turn);
                self.end_with(asked_for, answer, Source::Provider, Filled::default(), turn);
            } else {
                turn.out.litter.push(Litter::Answer(answer));
            }
            return;
        }
        let Some(current) = lane.current else {
            self.store_stray(stray, &mut answer, terms, turn);
            turn.out.litter.push(Litter::Answer(answer));
            return;
        };
        self.stop_for(current, turn);
        if self.flights[current].demand.stores {
            // `land` stores if the flight's wish is to store; the attempt's own counts too.
            self.land(current, stray.stamp, answer, terms, turn);
        } else {
            let filled = self.store_stray(stray, &mut answer, terms, turn);
            self.end_with(current, answer, Source::Provider, filled, turn);
        }
    }

    /// Frees a flight of what it is doing, since it is about to be settled by somebody else: a running attempt becomes told.
    pub(super) fn stop_for<S>(&mut self, id: FlightId, turn: &mut Turn<'_, H, S>) {
        self.stop_waiting(id);
        let flight = &self.flights[id];
        if let Phase::Running { request, index } = flight.phase {
            let wanted = flight.is_wanted();
            let stray = Stray {
                lane: flight.lane,
                stamp: self.lanes[flight.lane].stamp(0),
                stores: flight.demand.stores,
                priority: flight.priority.get(),
            };
            let running = &mut self.requests[request];
            if let Part::Open { stamp, .. } = running.parts[index as usize] {
                running.parts[index as usize] = Part::Unwanted(Stray { stamp, ..stray });
                self.lanes[stray.lane].holders += 1;
                if wanted {
                    self.want_one_less(request, turn.out);
                }
            }
        }
    }

    /// An attempt failed: the flight pauses, or it ends and everybody hears of it.
    pub(super) fn fail<S>(&mut self, id: FlightId, error: Error, turn: &mut Turn<'_, H, S>) {
        self.fail_until(id, error, Moment::default(), turn);
    }

    /// The same; the next attempt begins at `not_before` at the earliest.
    pub(super) fn fail_until<S>(&mut self, id: FlightId, error: Error, not_before: Moment, turn: &mut Turn<'_, H, S>) {
        if let Some(due) = self.next_attempt(id, &error, not_before, turn.now) {
            turn.out.litter.push(Litter::Error(error));
            if due <= turn.now.moment() {
                return self.requeue(id, Again::AtOnce, turn.now.moment());
            }
            self.flights[id].phase = Phase::Backoff { timer: self.deadlines.set(due, Due::Retry(id)) };
            return;
        }
        let flight = &self.flights[id];
        if flight.standing == Standing::Current && error.status() == Status::ERR_PROVIDER {
            let litter = &mut turn.out.litter;
            let gone = &mut |error| litter.push(Litter::Error(error));
            self.failures.remember(&self.lanes[flight.lane].key, &error, turn.now.millis(), gone);
        }
        let flight = self.take_flight(id);
        self.counts.flights_failed += 1;
        let source = if error.status() == Status::ERR_PROVIDER { Source::Provider } else { Source::None };
        self.tell(flight, Outcome { source, ..Outcome::failed(error) }, turn.out);
    }

    /// When the flight is tried again after `error`, if it is.
    fn next_attempt(&mut self, id: FlightId, error: &Error, not_before: Moment, now: &Now<'_>) -> Option<Moment> {
        let flight = &self.flights[id];
        let retry = &flight.retry.as_ref()?.retry;
        if flight.demand.is_empty() || !error.is_retriable() || !retry.allows(flight.attempts) || self.life == Life::Closed {
            return None;
        }
        let due = now.moment().after(retry.pause(flight.attempts, &mut self.random)).max(not_before);
        let end = retry.budget.map_or(Moment::NEVER, |budget| flight.first_began.after(budget));
        (due <= end && due < Moment::NEVER).then_some(due)
    }

    /// The provider answers a key that is not in the request (rule F15). OK if it was stored, LATE if it was old news.
    pub fn extra<S: Store>(
        &mut self,
        id: RequestId,
        key: &[u8],
        mut answer: Answer,
        terms: StoreTerms,
        turn: &mut Turn<'_, H, S>,
    ) -> Status {
        let status = self.over(id);
        let hash = self.hash(key);
        let (handed, attempt) = self.requests.get(id).map(|request| (request.handed, request.attempt)).unwrap_or_default();
        if status != Status::OK || self.recent.is_written_since(hash, handed) {
            self.counts.extras_refused += 1;
            turn.out.litter.push(Litter::Answer(answer));
            return if status == Status::OK { Status::LATE } else { status };
        }
        let filled = turn.store.fill(key, &mut answer, terms);
        // What the store did not take is no news to others: an older attempt's answer may still be stored (rule S12a).
        let is_stored = filled.ttl_left_ms != 0;
        if is_stored {
            self.counts.extras_stored += 1;
            self.recent.write(hash, true);
        } else {
            self.counts.extras_refused += 1;
        }
        let litter = &mut turn.out.litter;
        self.failures.forget(key, &mut |error| litter.push(Litter::Error(error)));
        let lane = self.lane_of(hash, key);
        if let Some(lane) = lane {
            if is_stored {
                self.lanes[lane].loaded_by = self.lanes[lane].loaded_by.max(attempt);
            }
            self.settle_waiting(lane, &answer, Source::Provider, filled, turn);
        }
        turn.out.litter.push(Litter::Answer(answer));
        self.conclude(turn);
        Status::OK
    }
}

fn litter<H: Host, S>(given: Given, turn: &mut Turn<'_, H, S>) {
    turn.out.litter.push(match given {
        Given::Answer(answer, _) => Litter::Answer(answer),
        Given::Failed(error) => Litter::Error(error),
    });
}
