//! The table: all flights, fetches and requests of one engine, and what each event does to them.
//!
//! One file for each event: [`ask`](self) (a fetch arrives; one of very many keys: `ask_steps`, `ask_order`), `admit` (which keys get a
//! slot or a place), `gate` (rate limit and circuit breaker), `attempt` (a request is taken, finished, or times out), `hedge` (a request is
//! handed out once more), `second_tier` (keys are looked up, filled and written there), `answer` (the provider answers), `settle` (a
//! position is settled, a fetch is cancelled, a waiter leaves), `write` (the host writes the cache), `time` (a deadline fires), `fallback`
//! (a fallback is served because a load failed or takes too long), `close`. Work that takes several holds of the lock is in `steps`.
//!
//! A method that may affect other keys ends in `conclude`, which does what the event made possible or necessary elsewhere: it ends batches
//! that failed as a whole, gives out free places, and forms requests. Before `conclude` has run, ids may be those of removed items.
//!
//! Invariants between public methods (verified by `check`):
//! - A key state has at most one current flight.
//! - A position is settled once; its last one ends the fetch.
//! - A flight that is queued or in backoff is wanted.
//! - The slots in use are the requests that were handed out, have not ended and are not abandoned.
//! - A flight ends only after its answer is in the store.
//! - An answer is stored only if its stamp is whole.
//! - A key state lives as long as a flight, or a part that outlived its flight, refers to it.
//! - No key waits while a slot is free, unless it lingers, gathers or waits for the rate limit.
//! - No key waits without a place while a place is free for it.

mod admit;
mod answer;
mod ask;
mod ask_order;
mod ask_steps;
mod attempt;
mod check;
mod close;
mod fallback;
mod gate;
mod hedge;
mod second_tier;
mod settle;
mod steps;
mod time;
mod write;

pub use answer::ProviderAnswer;
pub use ask::{FetchRequest, JoinRequest, Probe, Reservation};
pub use ask_order::AskOrder;
pub use ask_steps::{AskProgress, FetchInSteps, refusal_of_all};
pub use attempt::{TakeResult, Unanswered};
pub use close::Close;
pub use second_tier::{TierAnswer, TierEnd};
pub use write::Write;

use self::fallback::ThrottledKeys;
use self::settle::EndReason;
use self::steps::Backlog;
use super::breaker::Breaker;
use super::counts::Gauges;
use super::deadlines::{DeadlineId, Deadlines};
use super::error_memory::ErrorMemory;
use super::fetch::Fetch;
use super::flight::{EndedFlight, Flight, Phase};
use super::flights::Flights;
use super::group::WaitingKey;
use super::hedge::Hedging;
use super::host::{Effects, Host, TableContext};
use super::queue::WaitQueue;
use super::rate::Rate;
use super::recent::RecentWrites;
use super::removed_tags::RemovedTags;
use super::request::{Part, Request, Slots};
use super::second_tier::SecondTier;
use super::slab::IdSlab;
use super::throttle::Throttle;
use super::{AnswerStore, FetchId, FlightId, RequestId, TaskCounts};
use crate::base::config::{Settings, TaskSettings};
use crate::base::hint::rarely;
use crate::base::{Error, KeyHasher, Moment, Random, Status};
use std::time::Duration;

/// The state of all loads of one engine.
pub struct Table<H: Host> {
    host: H,
    settings: TaskSettings,
    attempt_timeout: Option<Duration>,
    life: Acceptance,

    hasher: KeyHasher,
    flights: Flights<H>,
    fetches: IdSlab<FetchId, Fetch<H>>,
    requests: IdSlab<RequestId, Request<H::Request>>,

    queue: WaitQueue,
    slots: Slots,
    rate: Rate,
    /// Set while keys wait for the rate limit.
    rate_wait: Option<RateWait>,
    breaker: Breaker,
    hedging: Hedging,
    /// The number of hedge parts, which repeat keys of other requests.
    hedged: usize,
    deadlines: Deadlines,
    /// The deadline at which lingering keys are checked next.
    linger: Option<DeadlineId>,
    /// Whether new keys gather until the host says that it has asked for all it wants now.
    gathers: bool,
    error_memory: ErrorMemory,
    /// The deadline at which the oldest remembered error expires.
    errors_expire: Option<DeadlineId>,
    throttled: ThrottledKeys,
    recent: RecentWrites,
    removed_tags: RemovedTags,
    /// `None` if the engine has no second tier.
    tier: Option<Box<SecondTier>>,
    random: Random,

    /// New flights of the current fetch that will share the next request. A free slot is kept for them.
    opening: Vec<FlightId>,
    /// Work of earlier events that is done in steps.
    backlog: Backlog,
    /// Whether some of the deadlines that are due have yet to fire.
    is_firing: bool,
    /// A buffer for the keys of a request while it is formed; empty otherwise.
    forming: Vec<FlightId>,
    /// All-or-nothing batches that failed and that `conclude` ends.
    collapsing: Vec<FetchId>,
    /// The number of fetches that arrived, plus immediate retries, which queue like arrivals.
    arrivals: u64,
    /// The number of retries that entered the queue after a pause.
    retries: u64,
    /// The number of requests that were formed, including looks in the second tier. The number of an attempt is that of its request.
    attempts: u64,
    errors: Errors,
    counts: TaskCounts,
}

/// Whether new fetches are accepted, and whether accepted ones continue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Acceptance {
    Open,
    /// Accepted fetches continue until this time at the latest.
    Draining(Moment),
    Closed,
}

/// A period in which keys wait for the rate limit while a slot is free.
#[derive(Clone, Copy)]
struct RateWait {
    since: Moment,
    /// The deadline at which a token is available.
    timer: DeadlineId,
}

/// The library's own errors, created once.
struct Errors {
    timeout: Error,
    cancelled: Error,
    queue_full: Error,
    unanswered: Error,
    closed: Error,
    unavailable: Error,
    panic: Error,
}

impl<H: Host> Table<H> {
    /// Creates an empty table with its own hasher.
    pub fn new(host: H, settings: &Settings) -> Table<H> {
        Table::with_hasher(host, settings, KeyHasher::new(settings.cache.hash))
    }

    /// Creates an empty table with the hasher of the store that it fills.
    pub fn with_hasher(host: H, settings: &Settings, hasher: KeyHasher) -> Table<H> {
        let tasks = settings.tasks.clone();
        Table {
            host,
            attempt_timeout: settings.fetch.attempt_timeout,
            life: Acceptance::Open,
            hasher,
            flights: Flights::new(),
            fetches: IdSlab::new(),
            requests: IdSlab::new(),
            queue: WaitQueue::new(&tasks),
            slots: Slots::new(&tasks),
            rate: Rate::new(&tasks.rate),
            rate_wait: None,
            breaker: Breaker::new(&tasks.breaker),
            hedging: Hedging::new(&tasks.hedge),
            hedged: 0,
            deadlines: Deadlines::default(),
            linger: None,
            gathers: false,
            errors_expire: None,
            error_memory: ErrorMemory::new(settings.cache.error_ttl_ms, settings.cache.error_capacity),
            throttled: ThrottledKeys::new(Throttle::new(tasks.stale_retry)),
            recent: RecentWrites::default(),
            removed_tags: RemovedTags::default(),
            tier: None,
            random: Random::new(settings.cache.seed),
            opening: Vec::new(),
            backlog: Backlog::default(),
            is_firing: false,
            forming: Vec::new(),
            collapsing: Vec::new(),
            arrivals: 0,
            retries: 0,
            attempts: 0,
            errors: Errors {
                timeout: Error::of(Status::ERR_TIMEOUT),
                cancelled: Error::of(Status::ERR_CANCELLED),
                queue_full: Error::of(Status::ERR_QUEUE_FULL),
                unanswered: Error::of(Status::ERR_UNANSWERED),
                closed: Error::of(Status::ERR_CLOSED),
                unavailable: Error::of(Status::ERR_UNAVAILABLE),
                panic: Error::of(Status::ERR_PANIC),
            },
            counts: TaskCounts::default(),
            settings: tasks,
        }
    }

    /// The hasher of the keys.
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// Whether new fetches, puts and refreshes are accepted.
    pub fn is_open(&self) -> bool {
        self.life == Acceptance::Open
    }

    /// Whether nothing is in progress: no fetch and no flight is left, and nothing is to be written to the second tier.
    pub fn is_idle(&self) -> bool {
        self.fetches.is_empty() && self.flights.is_empty() && self.is_tier_idle()
    }

    /// Whether nothing is in progress and nothing is accepted any more. Once true, it stays so.
    pub fn is_over(&self) -> bool {
        !self.is_open() && self.is_idle()
    }

    /// The counters since the last reset.
    pub fn counts(&self) -> &TaskCounts {
        &self.counts
    }

    /// Returns the counters since the last reset, and resets them.
    pub fn reset_counts(&mut self) -> TaskCounts {
        std::mem::take(&mut self.counts)
    }

    /// The state of the table at this moment.
    pub fn gauges(&self) -> Gauges {
        Gauges {
            queued: (self.queue.len() - self.queue.deferred()) as u64,
            deferred: self.queue.deferred() as u64,
            running: u64::from(self.slots.running),
            concurrency_limit: u64::from(self.slots.limit()),
            in_flight: self.flights.len() as u64,
            abandoned: u64::from(self.slots.abandoned),
            tier_pending: self.tier_gauges().0,
            tier_avoided: u64::from(self.tier_gauges().1),
        }
    }

    /// The time of the next deadline.
    pub fn next_due(&self) -> Option<Moment> {
        self.deadlines.next()
    }

    /// The hash by which the table finds a key.
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// Removes a flight from the table and from its key state. The caller must release the flight's reference to the key state.
    fn take_flight(&mut self, id: FlightId) -> EndedFlight<H> {
        if rarely(self.tier.is_some()) {
            self.forget_look(id);
        }
        self.flights.remove(id, Flight::end).expect("the caller looked the flight up in the same operation")
    }

    /// Removes a waiting flight from the queue, or cancels its pause.
    fn stop_waiting(&mut self, id: FlightId) {
        let flight = &self.flights[id];
        let (owner, key) = (flight.owner, WaitingKey { position: flight.position, flight: id });
        match flight.phase {
            Phase::Queued | Phase::Retried { .. } => {
                let queue_position = self.queue_position(flight);
                self.queue.remove(queue_position, flight.demand.urgency(), key);
                self.leave_queue(owner, 1);
            }
            Phase::Backoff { timer } => self.deadlines.cancel(timer),
            Phase::Looking => {
                self.leave_queue(owner, 1);
            }
            Phase::Opening | Phase::Running { .. } => {}
        }
    }

    /// Records that this many flights that the fetch started no longer wait. Returns true if the fetch has ended.
    fn leave_queue(&mut self, owner: FetchId, flights: usize) -> bool {
        let Some(fetch) = self.fetches.get_mut(owner) else { return false };
        fetch.waiting -= flights;
        fetch.has_ended()
    }

    /// Whether the fetch is settled, and no flight that it started waits.
    fn has_ended(&self, id: FetchId) -> bool {
        self.fetches.get(id).is_some_and(Fetch::has_ended)
    }

    /// Removes a fetch that has ended.
    fn forget_fetch(&mut self, id: FetchId, out: &mut Effects<H>) {
        let Table { fetches, deadlines, .. } = self;
        fetches.remove_with(id, |fetch| {
            for timer in [fetch.deadline, fetch.stale_at].into_iter().flatten() {
                deadlines.cancel(timer);
            }
            fetch.defer_drops(out);
        });
    }

    fn forget_fetch_if_ended(&mut self, id: FetchId, out: &mut Effects<H>) {
        if self.has_ended(id) {
            self.forget_fetch(id, out);
        }
    }

    /// Ends an event: does what the event made possible or necessary elsewhere.
    #[inline]
    fn conclude<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        if rarely(!self.collapsing.is_empty() || self.backlog.is_new()) {
            self.run_follow_ups(cx);
        }
        if rarely(self.tier.is_some()) {
            self.conclude_tier(cx);
            // Keys that were refused may have failed their batches.
            if !self.collapsing.is_empty() {
                self.run_follow_ups(cx);
            }
        }
        if self.queue.len() > 0 && self.can_queue_move() {
            self.form_requests(cx);
            // Keys that were refused may have failed their batches.
            if rarely(!self.collapsing.is_empty()) {
                self.run_follow_ups(cx);
            }
        }
    }

    /// Ends batches that failed as a whole, and does the first step of new long work.
    #[inline(never)]
    fn run_follow_ups<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        loop {
            while let Some(fetch) = self.collapsing.pop() {
                self.end_fetch(fetch, EndReason::Failure, cx);
            }
            if !self.backlog.take_new() {
                return;
            }
            self.work_on(cx);
        }
    }

    /// Whether an event may affect waiting keys: a request can be formed, a place is free for one of them, or the circuit breaker may
    /// refuse them. False for nearly every answer, because all slots are taken while keys wait.
    #[inline]
    fn can_queue_move(&self) -> bool {
        self.slots.is_free() || self.queue.can_refill() || !self.breaker.is_closed()
    }

    /// Whether the provider has a request, so that writes must be recorded (`recent`).
    fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }
}

impl<R> Request<R> {
    /// The flight of this part, if the part is open.
    fn open_flight(&self, index: usize) -> Option<FlightId> {
        match self.parts.get(index)? {
            Part::Open { flight, .. } => Some(*flight),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::{Event, EventSink, Handout};
    use super::*;
    use crate::base::config::Hash;
    use crate::base::hash::tests::colliding_keys;

    #[derive(Clone)]
    struct Nobody;

    impl EventSink for Nobody {
        fn post(&self, _: Event) -> bool {
            false
        }
        fn progress(&self, _: usize, _: usize) {}
    }

    impl Host for Nobody {
        type Sink = Nobody;
        type Request = ();
        type Context = ();
        type Joiner = ();
        fn request(&self, _: Handout<()>) {}
    }

    #[test]
    fn s21_loads_of_keys_made_to_collide_cost_no_more_than_others() {
        for hash in Hash::ALL {
            let mut settings = Settings::default();
            settings.cache.hash = hash;
            let mut table = Table::new(Nobody, &settings);
            assert_eq!(matches!(table.hasher, KeyHasher::Sip(_)), hash == Hash::Sip, "the hash function of the store");
            let keys = colliding_keys(16, 1, 4_000);
            for key in &keys {
                table.flights.add_state(table.hash(key), key);
            }
            let compared: usize = keys.iter().map(|key| table.flights.compared(table.hash(key), key)).sum();
            assert!(compared < 80_000, "{hash:?}: {} keys compared in 4000 lookups", compared);
        }
    }
}
