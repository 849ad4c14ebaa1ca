//! Verifies the table's invariants and describes violations in sentences. For tests only, because it reads everything.

use super::{Acceptance, Host, Table};
use crate::base::Moment;
use crate::task::deadlines::Due;
use crate::task::fetch::Position;
use crate::task::flight::{Flight, Phase, Standing};
use crate::task::hedge::Hedge;
use crate::task::request::{Hold, Part, Time};
use crate::task::waiters::Waiter;
use crate::task::{FetchId, FlightId, RequestId};
use std::collections::HashMap;

type CheckResult = Result<(), String>;

fn ensure(holds: bool, broken: impl FnOnce() -> String) -> CheckResult {
    if holds { Ok(()) } else { Err(broken()) }
}

impl<H: Host> Table<H> {
    /// Whether the request holds a slot and its attempt has not timed out.
    #[doc(hidden)]
    pub fn holds_slot(&self, id: RequestId) -> bool {
        self.requests.get(id).is_some_and(|request| request.hold == Hold::Slot)
    }

    /// Verifies all invariants. Call it between operations.
    #[doc(hidden)]
    pub fn check(&self) -> CheckResult {
        ensure(self.opening.is_empty(), || "new flights were left without a request".into())?;
        ensure(self.collapsing.is_empty(), || "a batch that failed as a whole has open positions".into())?;
        self.check_key_states()?;
        self.flights.keys().try_for_each(|id| self.check_flight(id))?;
        self.fetches.keys().try_for_each(|id| self.check_fetch(id))?;
        self.requests.keys().try_for_each(|id| self.check_request(id))?;
        self.check_slots()?;
        let repeated = self.requests.values().flat_map(|request| &request.parts).filter(|part| matches!(part, Part::Hedge { .. })).count();
        ensure(repeated == self.hedged, || format!("{repeated} parts repeat others, {} are counted", self.hedged))?;
        self.flights.check()?;
        self.check_queue()?;
        self.check_deadlines()?;
        let is_counted = self.tier.as_ref().is_none_or(|tier| tier.is_counted());
        ensure(is_counted, || "late requests to write to the second tier are miscounted".into())?;
        let is_flight = |id| self.flights.get(id).is_some();
        ensure(self.tier.as_ref().is_none_or(|tier| tier.remembered().all(is_flight)), || {
            "the second tier remembers flights that have ended".into()
        })?;
        let counts = &self.counts;
        let ended = counts.flights_ended.total();
        ensure(counts.flights_started == ended + self.flights.len() as u64, || {
            format!("{} flights started, {ended} ended and {} are in flight", counts.flights_started, self.flights.len())
        })
    }

    fn check_key_states(&self) -> CheckResult {
        let mut holders: HashMap<_, u32> = HashMap::new();
        self.flights.values().for_each(|flight| *holders.entry(flight.key_state).or_default() += 1);
        for part in self.requests.values().flat_map(|request| &request.parts) {
            if let Part::Unwanted(remains) | Part::Late { remains, .. } | Part::Hedge { remains, .. } = part {
                *holders.entry(remains.key_state).or_default() += 1;
            }
        }
        for (id, key_state) in self.flights.key_states() {
            ensure(self.flights.find(key_state.hash, &key_state.key) == Some(id), || {
                format!("{:?} is not found in the index", key_state.key)
            })?;
            let held = holders.get(&id).copied().unwrap_or_default();
            ensure(held == key_state.holders && held > 0, || {
                format!("{:?} has {held} references, but {} are counted", key_state.key, key_state.holders)
            })?;
            let current = key_state.current.iter().map(|id| (id, true));
            for (flight, current) in current.chain(key_state.overtaken.iter().map(|id| (id, false))) {
                let agrees = |flight: &Flight<H>| flight.key_state == id && (flight.standing == Standing::Current) == current;
                let agrees = self.flights.get(*flight).is_some_and(agrees);
                ensure(agrees, || format!("{:?} lists a flight of another key or standing", key_state.key))?;
            }
        }
        Ok(())
    }

    fn check_flight(&self, id: FlightId) -> CheckResult {
        let flight = &self.flights[id];
        let key_state = self.flights.key_state(flight.key_state).ok_or("a flight has no key state")?;
        let key = &key_state.key;
        let listed = match flight.standing {
            Standing::Current => key_state.current == Some(id),
            Standing::Overtaken { .. } => key_state.overtaken.iter().filter(|other| **other == id).count() == 1,
        };
        ensure(listed, || format!("a flight of {key:?} is {:?}, but its key state does not list it as such", flight.standing))?;
        let open = |fetch: FetchId, position: u32| {
            self.fetches.get(fetch).is_some_and(|fetch| fetch.positions[position as usize] == Position::Open(id))
        };
        let waiters = flight.waiters.iter().filter(|waiter| open(waiter.fetch, waiter.position));
        let wishes = waiters.map(|waiter| self.wish_at(waiter.fetch, waiter.position as usize));
        ensure(flight.demand.covers(wishes), || format!("the demand for {key:?} does not include all its waiters"))?;
        let demand = flight.demand.total() as usize;
        ensure(demand >= flight.joined(), || format!("{} fetches joined {key:?}, and its demand is {demand}", flight.joined()))?;
        let wanted = || ensure(!flight.demand.is_empty(), || format!("{key:?} waits although it is not wanted: {:?}", flight.phase));
        let may_continue = !flight.continues || (flight.demand.is_empty() && flight.standing == Standing::Current);
        ensure(may_continue, || format!("{key:?} continues, but has demand or is overtaken"))?;
        match flight.phase {
            Phase::Running { request, index } => {
                let part = self.requests.get(request).and_then(|request| request.open_flight(index as usize));
                ensure(part == Some(id), || format!("{key:?} runs in a request without an open part for it"))
            }
            Phase::Backoff { timer } => {
                wanted()?;
                let is_timed = self.life == Acceptance::Closed || self.deadlines.holds(timer, Due::Retry(id));
                ensure(is_timed, || format!("there is no deadline for the pause of {key:?}"))
            }
            Phase::Queued | Phase::Retried { .. } => {
                wanted()?;
                let rank = self.queue.ranking.rank(flight.demand.urgency(), self.queue_position(flight));
                let stands = self.queue.holds(rank, flight.position, id);
                ensure(stands, || format!("{key:?} is not in the group of its urgency and arrival"))
            }
            Phase::Looking => {
                ensure(flight.is_wanted(), || format!("{key:?} is looked up although it is not wanted"))?;
                let looks = self.tier.as_ref().is_some_and(|tier| tier.knows(id));
                ensure(looks || self.life == Acceptance::Closed, || format!("nobody looks {key:?} up"))
            }
            Phase::Opening => Err(format!("{key:?} was collected for a request that was not formed")),
        }
    }

    fn check_fetch(&self, id: FetchId) -> CheckResult {
        let fetch = &self.fetches[id];
        let nth = fetch.arrival;
        // A fetch that started a flight stays until all waiters of the flight are settled, which may take several steps.
        let has_ended = fetch.open == 0 && fetch.waiting == 0 && !self.backlog.settles();
        ensure(!has_ended, || format!("fetch {nth} has ended and was not removed"))?;
        let open = fetch.open_flights().count();
        ensure(open == fetch.open, || format!("fetch {nth} has {open} open positions, but {} are counted", fetch.open))?;
        for (position, flight) in fetch.open_flights() {
            // Such a position has not been asked for yet, or never will be, because the fetch is ending or the table is closed.
            let is_unasked = (fetch.is_asking || fetch.is_ending || self.life == Acceptance::Closed) && flight == FlightId::NULL;
            if is_unasked || (self.backlog.settles() && self.flights.get(flight).is_none()) {
                continue;
            }
            let waits = |waiter: &Waiter| waiter.fetch == id && waiter.position as usize == position;
            let listed = self.flights.get(flight).map_or(0, |flight| flight.waiters.iter().filter(|waiter| waits(waiter)).count());
            ensure(listed == 1, || format!("position {position} of fetch {nth} is listed {listed} times by its flight"))?;
        }
        let waits =
            |flight: &&Flight<H>| flight.owner == id && matches!(flight.phase, Phase::Looking | Phase::Queued | Phase::Retried { .. });
        let waiting = self.flights.values().filter(waits).count();
        let waiting = waiting + usize::from(fetch.is_asking);
        ensure(waiting == fetch.waiting, || format!("{waiting} flights of fetch {nth} wait, but {} are counted", fetch.waiting))?;
        let timed = fetch.deadline.is_none_or(|timer| self.life == Acceptance::Closed || self.deadlines.holds(timer, Due::Fetch(id)));
        ensure(timed, || format!("there is no deadline for the timeout of fetch {nth}"))
    }

    fn check_request(&self, id: RequestId) -> CheckResult {
        let request = &self.requests[id];
        let nth = request.attempt;
        let unanswered = request.parts.iter().filter(|part| !matches!(part, Part::Answered)).count();
        ensure(unanswered == request.unanswered, || {
            format!("request {nth} has {unanswered} unanswered keys, but {} are counted", request.unanswered)
        })?;
        let mut wanted = 0;
        for (at, part) in request.parts.iter().enumerate() {
            if let Part::Hedge { flight, .. } = part {
                wanted += 1;
                let flight = self.flights.get(*flight).ok_or_else(|| format!("key {at} of request {nth} hedges a flight that is gone"))?;
                let runs = matches!(flight.phase, Phase::Running { request, .. } if self.requests[request].hedge == Hedge::By(id));
                ensure(runs, || format!("key {at} of request {nth} repeats a key that no other request has"))?;
            }
            let Part::Open { flight, .. } = part else { continue };
            let flight = self.flights.get(*flight).ok_or_else(|| format!("key {at} of request {nth} has no flight"))?;
            let runs = matches!(flight.phase, Phase::Running { request, index } if request == id && index as usize == at);
            ensure(runs, || format!("key {at} of request {nth} belongs to a flight that does not run in it"))?;
            wanted += usize::from(flight.is_wanted());
        }
        ensure(wanted == request.wanted, || format!("{wanted} keys of request {nth} are wanted, but {} are counted", request.wanted))?;
        let open = (0..request.parts.len()).any(|index| request.open_flight(index).is_some());
        ensure(request.is_finishing == self.backlog.finishes(id), || {
            format!("request {nth} is finishing without long work for that, or has such work without finishing")
        })?;
        ensure(wanted > 0 || !open || request.is_finishing, || format!("request {nth} has no wanted key, but was not cancelled"))?;
        ensure(!request.is_done() || request.hold == Hold::Nothing || request.is_finishing, || {
            format!("request {nth} is done, but holds a slot")
        })?;
        let Time::Until(timer) = request.time else { return Ok(()) };
        let timed = self.life == Acceptance::Closed || self.deadlines.holds(timer, Due::Attempt(id));
        ensure(timed, || format!("there is no deadline for the attempt of request {nth}"))
    }

    fn check_slots(&self) -> CheckResult {
        let holding = |hold| self.requests.values().filter(|request| request.hold == hold).count();
        let (slots, overdue, abandoned) = (holding(Hold::Slot), holding(Hold::OverdueSlot), holding(Hold::Abandoned));
        let known = &self.slots;
        ensure(known.running as usize == slots + overdue, || {
            format!("{} slots are taken, but {} are counted", slots + overdue, known.running)
        })?;
        ensure(known.abandoned as usize == abandoned, || {
            format!("{abandoned} requests are abandoned, but {} are counted", known.abandoned)
        })?;
        ensure(slots + overdue <= self.settings.max_running as usize, || "more than max_running requests hold a slot".into())?;
        ensure(abandoned <= self.settings.max_abandoned as usize, || "more than max_abandoned requests are abandoned".into())?;
        ensure(known.overdue() == overdue, || format!("{overdue} requests are overdue, but {} are listed", known.overdue()))?;
        let full = abandoned == self.settings.max_abandoned as usize;
        ensure(overdue == 0 || full, || "a request keeps its slot although it could be abandoned".into())
    }

    /// Each deadline has a cause: nothing that has ended leaves its deadline behind.
    fn check_deadlines(&self) -> CheckResult {
        let fetches = self.fetches.values().filter(|fetch| fetch.deadline.is_some_and(|timer| timer.at < Moment::NEVER));
        let attempts = self.requests.values().filter(|request| matches!(request.time, Time::Until(_)));
        let pauses = self.flights.values().filter(|flight| matches!(flight.phase, Phase::Backoff { timer } if timer.at < Moment::NEVER));
        let rate = self.rate_wait.iter().filter(|wait| self.deadlines.holds(wait.timer, Due::Rate));
        let single = usize::from(self.linger.is_some()) + usize::from(self.errors_expire.is_some_and(|timer| timer.at < Moment::NEVER));
        let single = single + usize::from(self.throttled.timer().is_some());
        let hedges = self.requests.values().filter(|request| matches!(request.hedge, Hedge::Due(_)));
        let stale = self.fetches.values().filter(|fetch| fetch.stale_at.is_some());
        let tier = self.tier.as_ref().map_or(0, |tier| tier.deadlines());
        let causes = tier + fetches.count() + stale.count() + attempts.count() + hedges.count() + pauses.count() + rate.count() + single;
        let known = self.deadlines.len();
        ensure(self.backlog.is_empty() != self.has_long_work(self.long_work_begun()), || "long work is miscounted".into())?;
        let agree = match self.life {
            // A close drops all deadlines at once, but fetches and requests that it has not reached still refer to theirs.
            Acceptance::Closed if !self.backlog.is_empty() => known <= causes,
            Acceptance::Open => known == causes,
            // Deadlines of drains are also pending.
            Acceptance::Draining(_) => known >= causes,
            Acceptance::Closed => known == 0,
        };
        ensure(agree, || format!("{known} deadlines are pending, but {causes} have a cause"))
    }

    fn check_queue(&self) -> CheckResult {
        self.queue.check()?;
        let waiting = self.flights.values().filter(|flight| matches!(flight.phase, Phase::Queued | Phase::Retried { .. })).count();
        ensure(waiting == self.queue.len(), || format!("{waiting} flights wait, but the queue has {}", self.queue.len()))?;
        let waits_for_rate = self.rate_wait.is_some_and(|wait| self.deadlines.holds(wait.timer, Due::Rate));
        let is_left_for_later = self.backlog.forms() || self.is_firing || self.life == Acceptance::Closed;
        if !self.slots.is_free() || waiting == 0 || waits_for_rate || is_left_for_later {
            return Ok(());
        }
        let lingers = !self.settings.batch_linger.is_zero();
        ensure(lingers || self.gathers, || format!("{waiting} keys wait although a slot is free"))?;
        ensure(!self.queue.has_retried(), || "a retried key lingers although a slot is free".into())?;
        ensure(waiting < self.settings.batch_max_keys as usize, || "a full request lingers although a slot is free".into())?;
        ensure(!self.queue.is_full(), || "keys linger in a full queue although a slot is free".into())?;
        let armed = self.linger.is_some_and(|timer| self.deadlines.holds(timer, Due::Linger));
        ensure(armed || !lingers, || "keys linger, but no deadline ends that".into())
    }
}
