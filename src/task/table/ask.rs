//! A fetch comes: each position is settled at once, joins a flight, or starts one (rules F04 to F07, F19, F20).

use super::admit::WayIn;
use super::{Host, Store, Table, Turn};
use crate::base::config::{BatchMode, FetchSettings, Overflow, Read};
use crate::base::{Key, Keys, Moment};
use crate::task::deadlines::Due;
use crate::task::demand::{Demand, Wish};
use crate::task::fetch::{Fetch, Form, Position};
use crate::task::flight::{Flight, Lane, Phase, Priority, Standing, Waiter};
use crate::task::group::Waiting;
use crate::task::host::Litter;
use crate::task::outcome::{Outcome, Source, Verdict};
use crate::task::queue::{Rank, Search, Stand};
use crate::task::{FetchId, FlightId, LaneId};
use smallvec::SmallVec;
use std::sync::Arc;

/// What the store said of a position before the lock was taken.
#[derive(Debug)]
pub enum Probe {
    /// The store does not have it, or was not asked.
    Missed,
    /// It is settled: a hit, an invalid key, a key too long.
    Settled(Outcome),
}

/// Memory for the telling, reserved before a fetch is accepted (rule F01).
pub struct Room {
    positions: SmallVec<[Position; 1]>,
    outcomes: Vec<Outcome>,
}

impl Room {
    /// Room for `positions` positions; `None` when memory is out.
    pub fn try_new(positions: usize, form: Form) -> Option<Room> {
        if (form, positions) == (Form::Each, 1) {
            return Some(Room { positions: SmallVec::from_buf([Position::Open(FlightId::NULL)]), outcomes: Vec::new() });
        }
        let mut room = Room { positions: SmallVec::new(), outcomes: Vec::new() };
        if form == Form::Refresh {
            return Some(room);
        }
        room.positions.try_reserve_exact(positions).ok()?;
        room.positions.resize(positions, Position::Open(FlightId::NULL));
        if form == Form::All {
            room.outcomes.try_reserve_exact(positions).ok()?;
            room.outcomes.resize_with(positions, || Outcome::bare(Verdict::Miss));
        }
        Some(room)
    }
}

/// One call that asks for positions.
pub struct Ask<'a, H: Host> {
    /// The keys, one for each position.
    pub keys: Keys<'a>,
    /// What the store said of each.
    pub probes: &'a mut [Probe],
    /// Whether the store may have been written since it was asked: then it is asked again.
    pub reprobe: bool,
    /// How the host wants to be told.
    pub form: Form,
    /// The engine's settings with the options over them.
    pub settings: &'a Arc<FetchSettings>,
    /// Where its events go; `None` for a refresh.
    pub mailbox: Option<H::Mailbox>,
    /// What the provider may see of it.
    pub context: Option<H::Context>,
    /// Higher goes first.
    pub urgency: i32,
    /// When what is open is told TIMEOUT.
    pub deadline: Option<Moment>,
    /// After how many more settled positions progress is told; 0: never.
    pub progress_step: usize,
    /// Memory for it.
    pub room: Room,
}

/// A fetch whose positions are being asked.
pub(super) struct Asking<'a> {
    pub id: FetchId,
    form: Form,
    settings: &'a Arc<FetchSettings>,
    reprobe: bool,
    pub wish: Wish,
    stand: Stand,
    /// Where its own keys stand in the queue.
    pub rank: Rank,
    /// Whether all its keys that are being loaded were joined, so that none of them gives its place to another.
    looked_ahead: bool,
    pub search: Search,
}

impl Asking<'_> {
    /// Whether it is a refresh, which costs nobody a place (rule F13d).
    pub fn is_refresh(&self) -> bool {
        self.form == Form::Refresh
    }
}

impl<H: Host> Table<H> {
    /// Takes a fetch in. Its id is answered if anything of it is still open.
    pub fn ask<S: Store>(&mut self, ask: Ask<'_, H>, turn: &mut Turn<'_, H, S>) -> Option<FetchId> {
        let Ask { keys, probes, reprobe, form, settings, mailbox, context, urgency, deadline, progress_step, room } = ask;
        self.arrivals += 1;
        let arrival = self.arrivals;
        let is_deferrable = (form == Form::Refresh || probes.len() > 1) && self.settings.queue_overflow == Overflow::Wait;
        let wish = Wish { urgency, is_deferrable, stores: settings.read != Read::NoStore };
        // Only a key that lingers, or that grows more urgent, has an age.
        let has_age = !self.settings.batch_linger.is_zero() || self.settings.queue_ageing.is_some();
        let asked_at = if has_age { turn.now.moment() } else { Moment::default() };
        let stand = self.queue.ranking.arrived(arrival, asked_at);
        let id = self.fetches.insert_with_key(|_| Fetch {
            mailbox,
            context,
            form,
            mode: settings.batch_mode,
            on_timeout: settings.on_timeout,
            on_cancel: settings.on_cancel,
            open: room.positions.len(),
            positions: room.positions,
            failed: 0,
            outcomes: room.outcomes,
            ended: None,
            progress_step,
            progress_at: progress_step,
            deadline: None,
            wish,
            arrival,
            stand,
            // Held until all its keys are asked; given back below.
            waiting: 1,
        });
        if let Some(deadline) = deadline {
            self.fetches[id].deadline = Some(self.deadlines.set(deadline, Due::Fetch(id)));
        }
        if keys.is_empty() && form == Form::All {
            self.finish_fetch(id, turn.out);
        }
        let rank = self.queue.ranking.rank(urgency, stand);
        let (looked_ahead, search) = (false, Search::default());
        let mut asking = Asking { id, form, settings, reprobe, wish, stand, rank, looked_ahead, search };
        self.refuse_as_a_whole(id, probes);
        for position in 0..probes.len() {
            match std::mem::replace(&mut probes[position], Probe::Missed) {
                Probe::Missed => self.ask_position(&mut asking, position as u32, &keys, probes, turn),
                // A refresh tells nobody: its invalid keys are left out.
                Probe::Settled(outcome) if form == Form::Refresh => turn.out.litter_outcome(outcome),
                Probe::Settled(outcome) => self.settle(id, position as u32, outcome, turn.out),
            }
        }
        self.hand_out_opening(turn);
        if self.wait_no_more(id, 1) {
            self.forget_fetch(id, turn.out);
        }
        self.conclude(turn);
        self.fetches.get(id).is_some_and(|fetch| fetch.open > 0).then_some(id)
    }

    /// An all-or-nothing batch with a key that is refused ends before anything of it is handed out.
    fn refuse_as_a_whole(&mut self, id: FetchId, probes: &[Probe]) {
        let refused = |probe: &Probe| match probe {
            Probe::Settled(outcome) => outcome.refusal(),
            Probe::Missed => None,
        };
        let fetch = &mut self.fetches[id];
        if fetch.is_all_or_nothing()
            && fetch.form != Form::Refresh
            && let Some(error) = probes.iter().find_map(refused)
        {
            fetch.ended = Some(error);
            self.collapsing.push(id);
        }
    }

    /// Settles a position that the store did not answer, joins the flight of its key, or starts one.
    fn ask_position<S: Store>(
        &mut self,
        asking: &mut Asking<'_>,
        position: u32,
        keys: &Keys<'_>,
        probes: &[Probe],
        turn: &mut Turn<'_, H, S>,
    ) {
        if asking.looked_ahead && !self.fetches[asking.id].is_unasked(position) {
            return;
        }
        let Some(new) = self.look_up(asking, position, &keys[position as usize], turn) else { return };
        let mut way = self.way_in(asking, turn);
        if way == WayIn::Displacing {
            if !asking.is_refresh() && !std::mem::replace(&mut asking.looked_ahead, true) {
                self.look_ahead(asking, position, keys, probes, turn);
                if self.fetches[asking.id].ended.is_some() {
                    // A key further on is known to fail, and with it the batch.
                    self.counts.missed_unasked += 1;
                    return;
                }
            }
            way = self.way_in_for_a_place(asking, turn);
        }
        if way != WayIn::Lost {
            self.counts.missed_started += u64::from(!asking.is_refresh());
            return self.start(way, new, asking, turn);
        }
        if !asking.is_refresh() {
            self.counts.missed_queue_full += 1;
            let error = self.errors.queue_full.clone();
            self.settle(asking.id, position, Outcome::failed(error), turn.out);
        }
    }

    /// Joins whatever is under way of what the fetch has not asked yet: none of it is to give its place to one of the fetch's own keys
    /// (rule F13g).
    fn look_ahead<S: Store>(&mut self, asking: &mut Asking<'_>, after: u32, keys: &Keys<'_>, probes: &[Probe], turn: &mut Turn<'_, H, S>) {
        for (position, probe) in (0..).zip(probes).skip(after as usize + 1) {
            // A batch that failed as a whole meanwhile looks no further: its other positions are counted when their turn comes.
            if self.fetches[asking.id].ended.is_some() {
                return;
            }
            if let Probe::Missed = probe {
                self.look_up(asking, position, &keys[position as usize], turn);
            }
        }
    }

    /// Settles a position from the store or from the memory of errors, or joins the flight of its key. Else a flight is to be started.
    fn look_up<'k, S: Store>(
        &mut self,
        asking: &Asking<'_>,
        position: u32,
        key: &'k [u8],
        turn: &mut Turn<'_, H, S>,
    ) -> Option<Newcomer<'k>> {
        let (id, read) = (asking.id, asking.settings.read);
        if asking.settings.batch_mode == BatchMode::AllOrNothing && self.fetches[id].ended.is_some() {
            // The batch failed as a whole on an earlier position; this one is settled with the rest in `conclude`.
            self.counts.missed_unasked += 1;
            return None;
        }
        let reads = read != Read::Refresh && !asking.is_refresh();
        if asking.reprobe && reads {
            // Whoever stored since we missed ended its flight in the same lock hold: asked again, we hit (F07).
            if let Some(outcome) = turn.store.probe(key) {
                self.settle(id, position, outcome, turn.out);
                return None;
            }
        }
        if read == Read::CacheOnly && !asking.is_refresh() {
            self.counts.missed_cache_only += 1;
            self.settle(id, position, Outcome::bare(Verdict::Miss), turn.out);
            return None;
        }
        let hash = self.hash(key);
        let lane = self.lane_of(hash, key);
        if let Some(flight) = lane.and_then(|lane| self.lanes[lane].current) {
            self.join(flight, position, asking);
            return None;
        }
        if !reads && !self.failures.is_empty() {
            // Loaded anew: what it failed with before is history, whatever comes of this (rule F20a).
            let litter = &mut turn.out.litter;
            self.failures.forget(key, &mut |error| litter.push(Litter::Error(error)));
        }
        if reads && !self.failures.is_empty() {
            let litter = &mut turn.out.litter;
            let gone = &mut |error| litter.push(Litter::Error(error));
            if let Some(error) = self.failures.recall(key, turn.now.millis(), gone) {
                self.counts.missed_remembered += 1;
                let outcome = Outcome { source: Source::ErrorMemory, ..Outcome::failed(error) };
                self.settle(id, position, outcome, turn.out);
                return None;
            }
        }
        if !self.is_provider_available(turn.now) {
            self.counts.missed_unavailable += u64::from(!asking.is_refresh());
            let outcome = Outcome::failed(self.errors.unavailable.clone());
            if asking.is_refresh() {
                turn.out.litter_outcome(outcome);
            } else {
                self.settle(id, position, outcome, turn.out);
            }
            return None;
        }
        Some(Newcomer { lane, hash, key, position })
    }

    /// A new flight, which comes in on the way found for it. Its position waits for it, unless it is a refresh's.
    #[inline]
    fn start<S: Store>(&mut self, way: WayIn, new: Newcomer<'_>, asking: &Asking<'_>, turn: &mut Turn<'_, H, S>) {
        let Newcomer { lane, hash, key, position } = new;
        let Table { flights, fetches, queue, opening, lanes, by_key, .. } = self;
        let settings = asking.settings;
        let waiter = Waiter { fetch: asking.id, position, joined: false };
        let make = |lane| Flight {
            lane,
            phase: if way == WayIn::Opening { Phase::Opening } else { Phase::Queued },
            standing: Standing::Current,
            waiters: if asking.is_refresh() { SmallVec::new() } else { SmallVec::from_buf([waiter]) },
            demand: Demand::of(asking.wish),
            goes_on: false,
            attempts: 0,
            first_began: Moment::NEVER,
            retry: settings.retry.allows(1).then(|| settings.clone()),
            priority: Priority::of(settings.priority),
            owner: asking.id,
            position,
        };
        // Whoever lost a place for its sake may have been the last of the lane.
        let flight = match lane.and_then(|id| Some((id, lanes.get_mut(id)?))) {
            Some((id, lane)) => {
                let flight = flights.insert_with_key(|_| make(id));
                lane.current = Some(flight);
                lane.holders += 1;
                flight
            }
            None => {
                let (key, mut flight) = (Key::new(key), FlightId::NULL);
                let lane = lanes.insert_with_key(|id| {
                    flight = flights.insert_with_key(|_| make(id));
                    Lane::of(key, hash, flight)
                });
                by_key.insert(hash, lane);
                flight
            }
        };
        let fetch = &mut fetches[asking.id];
        fetch.waiting += 1;
        if let Some(Position::Open(open)) = fetch.positions.get_mut(position as usize) {
            *open = flight;
        }
        self.counts.flights_started += 1;
        if way == WayIn::Opening {
            opening.push(flight);
            if opening.len() >= self.settings.batch_max_keys as usize {
                self.hand_out_opening(turn);
            }
        } else {
            queue.push(asking.rank, Waiting { position, flight }, asking.stand.asked_at);
        }
    }

    /// What a fetch asks for is added to what was asked of the flight before (rule F19).
    #[inline]
    fn join(&mut self, id: FlightId, position: u32, asking: &Asking<'_>) {
        let flight = &mut self.flights[id];
        if let (false, Phase::Running { request, .. }) = (flight.is_wanted(), flight.phase) {
            // Nobody wanted it: its request is wanted again.
            self.requests[request].wanted += 1;
        }
        flight.priority = flight.priority.max(Priority::of(asking.settings.priority));
        flight.goes_on = false;
        if !asking.is_refresh() {
            self.counts.missed_joined += 1;
            flight.waiters.push(Waiter { fetch: asking.id, position, joined: true });
            self.fetches[asking.id].positions[position as usize] = Position::Open(id);
        }
        let before = flight.demand.urgency();
        flight.demand.add(asking.wish);
        if flight.demand.urgency() != before {
            self.move_in_queue(id, before);
        }
    }
}

/// A key that nobody loads yet, and the position for which it will be loaded.
struct Newcomer<'k> {
    /// The key's, if it has one.
    lane: Option<LaneId>,
    hash: u64,
    key: &'k [u8],
    position: u32,
}

impl<H: Host> Fetch<H> {
    /// Whether one failure ends the rest.
    pub(super) fn is_all_or_nothing(&self) -> bool {
        self.mode == BatchMode::AllOrNothing
    }

    /// Whether nothing was done for this position yet.
    fn is_unasked(&self, position: u32) -> bool {
        self.positions[position as usize] == Position::Open(FlightId::NULL)
    }
}
