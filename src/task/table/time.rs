//! Something falls due: a fetch's timeout, an attempt's, the end of a pause, of a key's lingering, of a drain.

use super::admit::Again;
use super::{Host, Life, Store, Table, Turn};
use crate::base::Moment;
use crate::task::deadlines::Due;
use crate::task::flight::Phase;
use crate::task::host::Cancel;
use crate::task::request::{Hold, Part, Stray};
use crate::task::{FlightId, RequestId};

impl<H: Host> Table<H> {
    /// Does all that is due.
    pub fn advance<S: Store>(&mut self, turn: &mut Turn<'_, H, S>) {
        while let Some((at, due)) = self.deadlines.pop(turn.now.moment()) {
            match due {
                Due::Fetch(id) => {
                    let Some(fetch) = self.fetches.get_mut(id) else { continue };
                    fetch.has_deadline = false;
                    if fetch.open > 0 {
                        self.counts.fetch_timeouts += 1;
                        let error = self.errors.timeout.clone();
                        self.end_fetch(id, &error, turn);
                    }
                }
                Due::Attempt(id) => self.attempt_due(id, at, turn),
                Due::Retry(id) => {
                    let is_due = |phase| matches!(phase, Phase::Backoff { due } if due == at);
                    if self.flights.get(id).is_some_and(|flight| is_due(flight.phase)) {
                        self.requeue(id, Again::Paused, turn.now.moment());
                    }
                }
                Due::Linger => self.linger_at = None,
                Due::Drain => {
                    if matches!(self.life, Life::Draining(until) if until <= at) {
                        self.end_all(turn);
                    }
                }
            }
        }
        self.conclude(turn);
    }

    fn attempt_due<S: Store>(&mut self, id: RequestId, at: Moment, turn: &mut Turn<'_, H, S>) {
        let Some(request) = self.requests.get_mut(id) else { return };
        match request.deadline {
            // A heartbeat moved it.
            Some(deadline) if deadline > at => return self.deadlines.push(deadline, Due::Attempt(id)),
            Some(_) => request.deadline = None,
            None => return,
        }
        // One that answered every key and does not come back keeps its slot no longer either.
        if request.hold == Hold::Slot {
            self.abandon(id, turn);
        }
    }

    /// The attempt's time is over: its unanswered keys fail with TIMEOUT, and what still comes in is late (rule F10).
    fn abandon<S: Store>(&mut self, id: RequestId, turn: &mut Turn<'_, H, S>) {
        self.counts.requests_abandoned += 1;
        let mut failed: Vec<FlightId> = Vec::new();
        let request = &mut self.requests[id];
        for part in &mut request.parts {
            if let Part::Open { flight: flight_id, stamp } = *part {
                let flight = &self.flights[flight_id];
                let stray = Stray { lane: flight.lane, stamp, stores: flight.stores, priority: flight.priority };
                self.lanes[flight.lane].holders += 1;
                *part = Part::Late { stray, flight: flight_id };
                failed.push(flight_id);
            }
        }
        request.wanted = 0;
        request.hold = self.slots.abandon(id, request.attempt, request.hold);
        turn.out.cancelled.push((request.handle.clone(), Cancel::Timeout));
        for flight in failed {
            self.counts.attempt_timeouts += 1;
            self.fail(flight, self.errors.timeout.clone(), turn);
        }
    }
}
