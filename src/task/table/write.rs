//! The host writes the cache while keys are loaded (rule F08): a put settles what waits, and every write overtakes what the
//! provider has in its hands.

use super::{Host, Store, Table, Turn};
use crate::base::Answer;
use crate::task::flight::{Phase, Standing};
use crate::task::host::{Filled, Litter, Outbox};
use crate::task::outcome::Source;
use crate::task::{FlightId, LaneId};
use std::num::NonZeroU64;

/// What was done to the cache.
#[derive(Clone, Copy, Debug)]
pub enum Write<'a> {
    /// A put, and what became of it in the store: even one that was not stored is the newest there is.
    Put(&'a Answer, Filled),
    /// A remove or a take.
    Removed,
}

impl<H: Host> Table<H> {
    /// The host wrote this key. To be called in the same lock hold as the write itself: no load may store between the two.
    pub fn written<S: Store>(&mut self, key: &[u8], write: Write<'_>, turn: &mut Turn<'_, H, S>) {
        let hash = self.hash(key);
        self.recent.write(hash, self.is_watched());
        let litter = &mut turn.out.litter;
        self.failures.forget(key, &mut |error| litter.push(Litter::Error(error)));
        let Some(lane) = self.lane_of(hash, key) else { return };
        self.lanes[lane].writes += 1;
        if let Write::Put(answer, filled) = write {
            self.settle_waiting(lane, answer, Source::Put, filled, turn);
        }
        if let Some(lane) = self.lane_of(hash, key) {
            self.overtake(lane, turn.out);
        }
        self.conclude(turn);
    }

    /// The host removed every key.
    pub fn cleared<S: Store>(&mut self, turn: &mut Turn<'_, H, S>) {
        self.recent.write_all();
        let litter = &mut turn.out.litter;
        self.failures.clear(&mut |error| litter.push(Litter::Error(error)));
        let lanes: Vec<LaneId> = self.lanes.keys().collect();
        for lane in lanes {
            self.lanes[lane].writes += 1;
            self.overtake(lane, turn.out);
        }
        self.conclude(turn);
    }

    /// The lane was just written: the flight that the provider has in its hands serves those who joined it, and nobody else.
    fn overtake(&mut self, lane: LaneId, out: &mut Outbox<H>) {
        let Some(id) = self.lanes[lane].current else { return };
        let flight = &mut self.flights[id];
        if let Phase::Running { request, .. } = flight.phase {
            let Some(write) = NonZeroU64::new(self.lanes[lane].writes) else { return };
            flight.standing = Standing::Overtaken { write };
            let goes_on = std::mem::take(&mut flight.goes_on);
            self.lanes[lane].current = None;
            self.lanes[lane].overtaken.push(id);
            self.overtaken += 1;
            if goes_on {
                // To be joined and stored, and it can be neither any more.
                self.want_one_less(request, out);
            }
        }
    }

    /// Settles the flights of a lane that wait for their turn with an answer that came another way.
    pub(super) fn settle_waiting<S: Store>(
        &mut self,
        lane: LaneId,
        answer: &Answer,
        source: Source,
        filled: Filled,
        turn: &mut Turn<'_, H, S>,
    ) {
        let known = &self.lanes[lane];
        let waits = |id: &FlightId| !matches!(self.flights[*id].phase, Phase::Running { .. });
        let waiting: Vec<FlightId> = known.current.iter().chain(&known.overtaken).copied().filter(waits).collect();
        for id in waiting {
            self.stop_waiting(id);
            self.end_with(id, answer.clone(), source, filled, turn);
        }
    }
}
