//! Who gets a slot, who a place in the queue, who waits with its fetch, and who is lost (rules F12 to F14).

use super::{Host, Store, Table, Turn};
use crate::base::config::Order;
use crate::base::{Moment, PackedKeys};
use crate::task::deadlines::Due;
use crate::task::flight::{Lane, Phase, Standing};
use crate::task::host::Handout;
use crate::task::outcome::Outcome;
use crate::task::queue::Rank;
use crate::task::request::{Call, Part, Request};
use crate::task::{FetchId, FlightId};
use smallvec::SmallVec;

/// How a new flight comes in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WayIn {
    /// Into the next request, together with other newcomers of its fetch.
    Opening,
    /// It waits with its fetch.
    Spilled,
    /// It takes a place of the queue.
    Place,
}

impl<H: Host> Table<H> {
    /// Finds a newcomer of `fetch` a slot, a place, or room with its fetch; `None` if it is lost. For its sake others may go.
    #[inline(always)]
    pub(super) fn way_in<S: Store>(&mut self, fetch: FetchId, turn: &mut Turn<'_, H, S>) -> Option<WayIn> {
        // Where there is no place to wait in, nothing can linger.
        let lingers = !self.settings.batch_linger.is_zero() && self.settings.queue_max_keys > 0;
        if !lingers && self.queue.len() == 0 && (!self.opening.is_empty() || self.slots.is_free()) {
            return Some(WayIn::Opening);
        }
        if self.settings.queue_spill {
            let owner = &self.fetches[fetch];
            if owner.places >= self.share || !owner.spilled.is_empty() {
                return Some(WayIn::Spilled);
            }
        }
        if self.is_full() {
            // A full queue whose keys only linger is a request that can be formed.
            self.form_requests(turn);
            if self.is_full() && !self.make_place(fetch, turn) {
                return None;
            }
        }
        Some(WayIn::Place)
    }

    fn is_full(&self) -> bool {
        self.queue.occupied() >= self.settings.queue_max_keys as usize
    }

    /// Gives up the oldest waiting key for one of `newcomer`'s; false if none may be given up.
    fn make_place<S: Store>(&mut self, newcomer: FetchId, turn: &mut Turn<'_, H, S>) -> bool {
        if self.settings.queue_order == Order::Fifo {
            return false;
        }
        let own_too = !self.settings.queue_spill;
        let may_go = |id: &FlightId| own_too || !self.flights[*id].waiters.iter().any(|waiter| waiter.fetch == newcomer);
        let Some(loser) = self.queue.oldest_first().find(may_go) else { return false };
        self.stop_waiting(loser);
        let flight = self.take_flight(loser);
        self.counts.flights_lost += 1;
        let error = self.errors.queue_full.clone();
        self.tell(flight, Outcome::failed(error), turn.out);
        true
    }

    pub(super) fn rank(&self, id: FlightId) -> Rank {
        let flight = &self.flights[id];
        // The owner is kept while a flight of its waits.
        let arrival = self.fetches.get(flight.owner).map_or(0, |fetch| fetch.arrival);
        Rank::new(flight.urgency, arrival, self.settings.queue_order)
    }

    fn place(&mut self, id: FlightId, asked_at: Moment) {
        let rank = self.rank(id);
        let flight = &mut self.flights[id];
        flight.phase = Phase::Queued;
        self.queue.push(rank, flight.position, id, asked_at);
        if let Some(owner) = self.fetches.get_mut(flight.owner) {
            owner.places += 1;
        }
    }

    /// Lists the fetch among those that free places go to, or strikes it off, after its places or what waits with it changed.
    pub(super) fn tend(&mut self, id: FetchId) {
        let Some(fetch) = self.fetches.get_mut(id) else { return };
        let hungry = !fetch.spilled.is_empty() && fetch.places < self.share;
        if std::mem::replace(&mut fetch.hungry, hungry) == hungry {
            return;
        }
        let rank = Rank::new(fetch.urgency, fetch.arrival, self.settings.queue_order);
        if hungry {
            self.hungry.insert(rank, id);
        } else {
            self.hungry.remove(&rank);
        }
    }

    /// Gives free places to flights that wait with this fetch, as far as its share goes.
    fn refill_from(&mut self, fetch: FetchId) {
        while !self.is_full() {
            let Some(owner) = self.fetches.get_mut(fetch).filter(|owner| owner.places < self.share) else { break };
            let Some(next) = owner.spilled.pop_front() else { break };
            if let Some(Phase::Spilled { asked_at }) = self.flights.get(next).map(|flight| flight.phase) {
                self.spilled -= 1;
                self.place(next, asked_at);
            }
        }
        self.tend(fetch);
    }

    /// Gives free places to flights that wait with their fetches.
    fn refill(&mut self) {
        while !self.is_full() {
            // Either the places run out here, or the fetch's share or flights do, which strikes it off.
            let Some((_, fetch)) = self.hungry.first_key_value() else { return };
            self.refill_from(*fetch);
        }
    }

    /// A flight's urgency rises; one that waits moves ahead.
    pub(super) fn raise(&mut self, id: FlightId, urgency: i32) {
        let before = self.rank(id);
        let flight = &mut self.flights[id];
        flight.urgency = urgency;
        if let Phase::Queued = flight.phase {
            let position = flight.position;
            let asked_at = self.queue.remove_ranked(before, position, id).unwrap_or_default();
            self.queue.push(self.rank(id), position, id, asked_at);
        }
    }

    /// A flight whose pause is over goes to the head of the queue.
    pub(super) fn requeue(&mut self, id: FlightId) {
        let nth = self.queue.push_retried(id);
        let flight = &mut self.flights[id];
        flight.phase = Phase::Retried { nth };
        if let Some(owner) = self.fetches.get_mut(flight.owner) {
            owner.waiting += 1;
        }
    }

    /// Whether a request can be formed of what waits, a slot given.
    fn is_formable<S>(&self, turn: &Turn<'_, H, S>) -> bool {
        let waiting = self.queue.len();
        if waiting == 0 {
            return false;
        }
        let linger = self.settings.batch_linger;
        linger.is_zero()
            || self.queue.has_retried()
            || waiting + self.spilled >= self.settings.batch_max_keys as usize
            || self.is_full()
            || self.queue.oldest().is_some_and(|oldest| oldest.after(linger) <= turn.now.moment())
    }

    /// Takes the waiting key that goes first into a request that has `taken` already. An overtaken flight that is tried again and
    /// the current one of its key travel apart: a key is in a request at most once (rule F04).
    fn take_next(&mut self, taken: &[FlightId]) -> Option<FlightId> {
        let Table { queue, flights, lanes, .. } = self;
        if self.overtaken == 0 {
            return queue.pop(|_| false);
        }
        queue.pop(|id| {
            let lane = flights[id].lane;
            !lanes[lane].overtaken.is_empty() && taken.iter().any(|other| flights[*other].lane == lane)
        })
    }

    /// Whether a slot or a place can have become free for somebody who waits for one.
    pub(super) fn may_admit(&self) -> bool {
        self.queue.len() + self.spilled > 0 && (self.slots.is_free() || !self.hungry.is_empty())
    }

    /// Forms requests while there are slots and keys for them.
    pub(super) fn form_requests<S: Store>(&mut self, turn: &mut Turn<'_, H, S>) {
        self.refill();
        while self.slots.is_free() && self.is_formable(turn) {
            let mut taken = std::mem::take(&mut self.forming);
            while taken.len() < self.settings.batch_max_keys as usize {
                if self.queue.len() == 0 {
                    // What waits with other fetches goes into this request too.
                    self.refill();
                }
                let Some(id) = self.take_next(&taken) else { break };
                taken.push(id);
                let flight = &self.flights[id];
                let owner = flight.owner;
                // Counted as waiting until it is handed out, so that its fetch is kept.
                let Some(fetch) = self.fetches.get_mut(owner) else { continue };
                fetch.places -= usize::from(matches!(flight.phase, Phase::Queued));
                if !fetch.spilled.is_empty() {
                    // The fetch's next key follows at once, into this very request if it has room.
                    self.refill_from(owner);
                }
            }
            self.hand_out(&taken, turn);
            taken.clear();
            self.forming = taken;
            self.refill();
        }
        self.arm_linger(turn);
    }

    fn arm_linger<S>(&mut self, turn: &Turn<'_, H, S>) {
        if self.settings.batch_linger.is_zero() || self.linger_at.is_some() || !self.slots.is_free() {
            return;
        }
        if let Some(oldest) = self.queue.oldest() {
            let at = oldest.after(self.settings.batch_linger).max(turn.now.moment());
            self.linger_at = Some(at);
            self.deadlines.push(at, Due::Linger);
        }
    }

    /// Hands out what the fetch in hand collected for its next request.
    pub(super) fn hand_out_opening<S: Store>(&mut self, turn: &mut Turn<'_, H, S>) {
        if !self.opening.is_empty() {
            let mut opening = std::mem::take(&mut self.opening);
            self.hand_out(&opening, turn);
            opening.clear();
            self.opening = opening;
        }
    }

    /// Makes one request of waiting flights that are in no queue.
    fn hand_out<S: Store>(&mut self, ids: &[FlightId], turn: &mut Turn<'_, H, S>) {
        let formed = turn.now.moment();
        self.attempts += 1;
        let (attempt, hold, handed) = (self.attempts, self.slots.take(), self.recent.now());
        // How many keys in a row are of one fetch: most often all.
        let mut owners: SmallVec<[(FetchId, usize); 1]> = SmallVec::new();
        let Table { host, requests, flights, lanes, fetches, .. } = self;
        let request = requests.insert_with_key(|request| {
            let count = ids.len();
            let mut keys = PackedKeys::try_with_capacity(count, 16 * count).unwrap_or_default();
            let (mut attempts, mut contexts) = (Vec::with_capacity(count), Vec::with_capacity(count));
            let (mut parts, mut urgency, mut context) = (Vec::with_capacity(count), i32::MIN, None);
            for (index, id) in (0..).zip(ids) {
                let flight = &mut flights[*id];
                let lane = &lanes[flight.lane];
                flight.phase = Phase::Running { request, index };
                flight.attempts = flight.attempts.saturating_add(1);
                flight.first_began = flight.first_began.min(formed);
                match owners.last_mut() {
                    Some((owner, keys)) if *owner == flight.owner => *keys += 1,
                    _ => {
                        owners.push((flight.owner, 1));
                        context = fetches.get(flight.owner).and_then(|fetch| fetch.context.clone());
                    }
                }
                keys.push(&lane.key);
                attempts.push(flight.attempts);
                contexts.push(context.clone());
                // An overtaken flight never stores, not even what a later attempt brings: newcomers have a flight of their own.
                let stamp = match flight.standing {
                    Standing::Current => lane.stamp(attempt),
                    Standing::Overtaken { .. } => Lane::broken_stamp(attempt),
                };
                parts.push(Part::Open { flight: *id, stamp });
                urgency = urgency.max(flight.urgency);
            }
            // A flight that waits is wanted.
            let (unanswered, wanted) = (count, count);
            let handle = host.request(Handout { id: request, keys, attempts, contexts, urgency });
            Request { handle, parts, unanswered, wanted, call: Call::Waiting, hold, deadline: None, formed, handed, attempt }
        });
        for (owner, keys) in owners {
            if self.wait_no_more(owner, keys, 0) {
                self.forget_fetch(owner, turn.out);
            }
        }
        self.counts.requests += 1;
        self.counts.attempts += ids.len() as u64;
        self.counts.batch_size.count(ids.len() as u64);
        turn.out.handed.push(self.requests[request].handle.clone());
    }

    /// The fetch's urgency becomes `urgency`; that of its flights is the highest among their waiters.
    pub fn set_urgency(&mut self, id: FetchId, urgency: i32) {
        let Some(fetch) = self.fetches.get_mut(id) else { return };
        let order = self.settings.queue_order;
        let before = Rank::new(fetch.urgency, fetch.arrival, order);
        fetch.urgency = urgency;
        if self.hungry.remove(&before).is_some() {
            self.hungry.insert(Rank::new(urgency, fetch.arrival, order), id);
        }
        let open: Vec<FlightId> = fetch.open_flights().map(|(_, flight)| flight).collect();
        for flight in open {
            if self.flights.get(flight).is_some_and(|flight| flight.urgency < urgency) {
                self.raise(flight, urgency);
            }
        }
    }
}
