//! A fetch comes: each position is settled at once, joins a flight, or starts one (rules F04 to F07, F19, F20).

use super::admit::WayIn;
use super::{Host, Store, Table, Turn};
use crate::base::config::{BatchMode, FetchSettings, Read};
use crate::base::{Keys, Moment};
use crate::task::deadlines::Due;
use crate::task::fetch::{Fetch, Form, Position};
use crate::task::flight::{Flight, Phase, Standing, Waiter};
use crate::task::host::Litter;
use crate::task::outcome::{Outcome, Source, Verdict};
use crate::task::queue::Rank;
use crate::task::{FetchId, FlightId, LaneId};
use slotmap::Key as _;
use smallvec::SmallVec;
use std::collections::VecDeque;
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
            return Some(Room { positions: SmallVec::from_buf([Position::Open(FlightId::null())]), outcomes: Vec::new() });
        }
        let mut room = Room { positions: SmallVec::new(), outcomes: Vec::new() };
        if form == Form::Refresh {
            return Some(room);
        }
        room.positions.try_reserve_exact(positions).ok()?;
        room.positions.resize(positions, Position::Open(FlightId::null()));
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

impl<H: Host> Table<H> {
    /// Takes a fetch in. Its id is answered if anything of it is still open.
    pub fn ask<S: Store>(&mut self, ask: Ask<'_, H>, turn: &mut Turn<'_, H, S>) -> Option<FetchId> {
        let Ask { keys, probes, reprobe, form, settings, mailbox, context, urgency, deadline, progress_step, room } = ask;
        self.arrivals += 1;
        let deadline = deadline.filter(|deadline| *deadline < Moment::NEVER);
        let is_refresh = form == Form::Refresh;
        let arrival = self.arrivals;
        let id = self.fetches.insert_with_key(|_| Fetch {
            mailbox,
            context,
            form,
            mode: settings.batch_mode,
            open: room.positions.len(),
            positions: room.positions,
            failed: 0,
            outcomes: room.outcomes,
            ended: None,
            progress_step,
            progress_at: progress_step,
            has_deadline: deadline.is_some(),
            urgency,
            arrival,
            spilled: VecDeque::new(),
            places: 0,
            hungry: false,
            // Held until all its keys are asked; given back below.
            waiting: 1,
        });
        if let Some(deadline) = deadline {
            self.deadlines.push(deadline, Due::Fetch(id));
        }
        if keys.is_empty() && form == Form::All {
            self.finish_fetch(id, turn.out);
        }
        if settings.read != Read::CacheOnly {
            self.make_room(probes);
        }
        for (position, probe) in (0..).zip(probes) {
            if let Probe::Missed = probe {
                let key = &keys[position as usize];
                if is_refresh {
                    self.refresh_key(id, position, key, settings, turn);
                } else {
                    self.ask_position(id, position, key, settings, reprobe, turn);
                }
            } else if let Probe::Settled(outcome) = std::mem::replace(probe, Probe::Missed) {
                if is_refresh {
                    // A refresh tells nobody: its invalid keys are left out.
                    turn.out.litter_outcome(outcome);
                } else {
                    self.settle(id, position, outcome, turn.out);
                }
            }
        }
        self.hand_out_opening(turn);
        if self.wait_no_more(id, 1, 0) {
            self.forget_fetch(id, turn.out);
        }
        self.conclude(turn);
        self.fetches.get(id).is_some_and(|fetch| fetch.open > 0).then_some(id)
    }

    /// Makes room for many newcomers at once: to grow step by step is to move them all again and again. Where memory lacks for that
    /// they come in one by one. There is a limit, for a key that the store lacks may yet join a load, or be known to fail.
    fn make_room(&mut self, probes: &[Probe]) {
        const MANY: usize = 64;
        const MOST: usize = 65_536;
        if probes.len() < MANY {
            return;
        }
        let missed = probes.iter().filter(|probe| matches!(probe, Probe::Missed)).count();
        // What does not wait with its fetch is refused when the queue is full.
        let most = if self.settings.queue_spill { MOST } else { MOST.min(self.settings.queue_max_keys as usize) };
        let newcomers = missed.min(most);
        let Table { lanes, flights, by_key, .. } = self;
        let _ = lanes.try_reserve(newcomers).and_then(|()| flights.try_reserve(newcomers));
        let _ = by_key.try_reserve(newcomers, |id| lanes[*id].hash);
    }

    fn ask_position<S: Store>(
        &mut self,
        id: FetchId,
        position: u32,
        key: &[u8],
        settings: &Arc<FetchSettings>,
        reprobe: bool,
        turn: &mut Turn<'_, H, S>,
    ) {
        if self.fetches[id].ended.is_some() {
            // The batch failed as a whole on an earlier position; this one is settled with the rest in `conclude`.
            self.counts.missed_unasked += 1;
            return;
        }
        if reprobe && settings.read != Read::Refresh {
            // Whoever stored since we missed ended its flight in the same lock hold: asked again, we hit (F07).
            if let Some(outcome) = turn.store.probe(key) {
                return self.settle(id, position, outcome, turn.out);
            }
        }
        if settings.read == Read::CacheOnly {
            self.counts.missed_cache_only += 1;
            return self.settle(id, position, Outcome::bare(Verdict::Miss), turn.out);
        }
        let hash = self.hash(key);
        let lane = self.lane_of(hash, key);
        if let Some(flight) = lane.and_then(|lane| self.lanes[lane].current) {
            self.counts.missed_joined += 1;
            let fetch = &mut self.fetches[id];
            if let Some(Position::Open(open)) = fetch.positions.get_mut(position as usize) {
                *open = flight;
            }
            let urgency = fetch.urgency;
            return self.join(flight, Some(Waiter { fetch: id, position, joined: true }), urgency, settings);
        }
        if settings.read != Read::Refresh && !self.failures.is_empty() {
            let litter = &mut turn.out.litter;
            let gone = &mut |error| litter.push(Litter::Error(error));
            if let Some(error) = self.failures.recall(key, turn.now.millis(), gone) {
                self.counts.missed_remembered += 1;
                let outcome = Outcome { source: Source::ErrorMemory, ..Outcome::failed(error) };
                return self.settle(id, position, outcome, turn.out);
            }
        }
        if let Some(way) = self.way_in(id, turn) {
            self.counts.missed_started += 1;
            self.start(way, Newcomer { lane, hash, key, owner: id, position, refresh: false }, settings, turn);
        } else {
            self.counts.missed_queue_full += 1;
            let error = self.errors.queue_full.clone();
            self.settle(id, position, Outcome::failed(error), turn.out);
        }
    }

    fn refresh_key<S: Store>(&mut self, id: FetchId, position: u32, key: &[u8], settings: &Arc<FetchSettings>, turn: &mut Turn<'_, H, S>) {
        let hash = self.hash(key);
        let lane = self.lane_of(hash, key);
        if let Some(current) = lane.and_then(|lane| self.lanes[lane].current) {
            let urgency = self.fetches[id].urgency;
            return self.join(current, None, urgency, settings);
        }
        if let Some(way) = self.way_in(id, turn) {
            self.start(way, Newcomer { lane, hash, key, owner: id, position, refresh: true }, settings, turn);
        }
    }

    /// A new flight, which comes in on the way found for it. Its position waits for it, unless it is a refresh's.
    fn start<S: Store>(&mut self, way: WayIn, new: Newcomer<'_>, settings: &Arc<FetchSettings>, turn: &mut Turn<'_, H, S>) {
        let Newcomer { lane, hash, key, owner, position, refresh } = new;
        // Who went for its sake may have been the last of the lane.
        let lane = lane.filter(|lane| self.lanes.contains_key(*lane)).unwrap_or_else(|| self.make_lane(hash, key));
        let Table { flights, fetches, queue, opening, lanes, .. } = self;
        let fetch = &mut fetches[owner];
        fetch.waiting += 1;
        let rank = Rank::new(fetch.urgency, fetch.arrival, self.settings.queue_order);
        // Only a key that lingers has an age.
        let asked_at = if self.settings.batch_linger.is_zero() { Moment::default() } else { turn.now.moment() };
        let waiter = Waiter { fetch: owner, position, joined: false };
        let flight = flights.insert_with_key(|_| Flight {
            lane,
            phase: match way {
                WayIn::Opening | WayIn::Spilled => Phase::Spilled { asked_at },
                WayIn::Place => Phase::Queued,
            },
            standing: Standing::Current,
            waiters: if refresh { SmallVec::new() } else { SmallVec::from_buf([waiter]) },
            interest: u32::from(!refresh),
            refresh,
            attempts: 0,
            first_began: Moment::NEVER,
            retry: settings.retry.allows(1).then(|| settings.clone()),
            stores: settings.read != Read::NoStore,
            priority: settings.priority,
            urgency: fetch.urgency,
            owner,
            position,
        });
        if let Some(Position::Open(open)) = fetch.positions.get_mut(position as usize) {
            *open = flight;
        }
        let lane = &mut lanes[lane];
        lane.current = Some(flight);
        lane.holders += 1;
        self.counts.flights_started += 1;
        match way {
            WayIn::Place => {
                fetch.places += 1;
                queue.push(rank, position, flight, asked_at);
            }
            WayIn::Opening => {
                opening.push(flight);
                if opening.len() >= self.settings.batch_max_keys as usize {
                    self.hand_out_opening(turn);
                }
            }
            WayIn::Spilled => {
                fetch.spilled.push_back(flight);
                self.spilled += 1;
                self.tend(owner);
            }
        }
    }

    /// What a newcomer asks for is added to what was asked of the flight before (rule F19). Without a waiter it is a refresh.
    fn join(&mut self, id: FlightId, waiter: Option<Waiter>, urgency: i32, settings: &FetchSettings) {
        let flight = &mut self.flights[id];
        if let (false, Phase::Running { request, .. }) = (flight.is_wanted(), flight.phase) {
            // Nobody wanted it: its request is wanted again.
            self.requests[request].wanted += 1;
        }
        match waiter {
            Some(waiter) => {
                flight.waiters.push(waiter);
                flight.interest += 1;
            }
            None => flight.refresh = true,
        }
        flight.stores |= settings.read != Read::NoStore;
        flight.priority = higher(flight.priority, settings.priority);
        if urgency > flight.urgency {
            self.raise(id, urgency);
        }
    }
}

/// A key that nobody loads yet, and for which position of which fetch it will be.
struct Newcomer<'a> {
    /// The key's, if it has one.
    lane: Option<LaneId>,
    hash: u64,
    key: &'a [u8],
    owner: FetchId,
    position: u32,
    refresh: bool,
}

fn higher(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

impl<H: Host> Fetch<H> {
    /// Whether one failure ends the rest.
    pub(super) fn is_all_or_nothing(&self) -> bool {
        self.mode == BatchMode::AllOrNothing
    }
}
