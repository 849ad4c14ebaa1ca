//! S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023).
//!
//! ```text
//!   new key ──▶ small ── used twice ──▶ main ◀──┐ used: through the queue once more, frequency - 1
//!                 │                       ├──────┘
//!                 │ else evicted; the     │ not used: evicted
//!                 ▼ key leaves a ghost    ▼
//!   new key that has a ghost ──▶ main, if the first of main was not used; else small, as if used once
//! ```
//!
//! Small has a tenth of the entries, or of their cost: the next victim comes from small as soon as it has that much. So an entry that is
//! used once, or never, leaves soon, and takes no room from those in main. A use changes a number and moves nothing.
//!
//! The paper admits each key with a ghost to main. Here such a key is admitted only if an entry that was not used is about to leave main.
//! Otherwise it would take the room of a better one: in a loop over more keys than fit, main would lose the keys that come next. Why, and
//! by how much: ADR 9.

use super::super::column::Column;
use super::super::levels::Amount;
use super::super::slab::{Place, Slab};
use super::super::work;
use super::ghosts::{GHOST_BYTES, GhostTable, Ghosts};
use super::list::List;
use super::{Arrival, Queue, QueueState, Queues, Scarce};
use crate::base::NoMemory;
use std::cmp::Ordering;

/// Small has one in this many entries, or this part of their cost.
const SMALL_PART: u64 = 10;
/// An entry that was used this often in small goes on to main.
const PROMOTED: u8 = 2;
/// The highest frequency.
const MOST: u8 = 3;
/// How many of the first entries of main are examined, before a key with a ghost is sent to small because all of them were used.
const TRIES: usize = 2;
/// How many entries are moved in the search for one victim. The next one is then evicted whatever its frequency is, so that a search takes
/// no longer the more entries were used (rule S19).
const MOST_MOVES: usize = 64;

/// The additional cost of an entry, in bytes: its [`QueueState`], and the ghost that it leaves.
pub(in super::super) const S3_COST: u64 = 1 + GHOST_BYTES;

/// The small queue of a priority, with its totals.
#[derive(Default)]
pub(super) struct SmallQueue {
    list: List,
    amount: Amount,
}

impl SmallQueue {
    #[inline]
    pub fn first(&self) -> Option<Place> {
        self.list.oldest()
    }

    pub fn last(&self) -> Option<Place> {
        self.list.newest()
    }

    /// Compares the queue with its part of the `whole`.
    fn compared(&self, whole: Amount, scarce: Scarce) -> Ordering {
        match scarce {
            Scarce::Entries => self.amount.entries.saturating_mul(SMALL_PART).cmp(&whole.entries),
            Scarce::Cost => (self.amount.cost * u128::from(SMALL_PART)).cmp(&whole.cost),
        }
    }

    fn append(&mut self, slab: &mut Slab, place: Place) {
        self.amount.add(Amount { entries: 1, cost: u128::from(slab.cost(place)) });
        self.list.append(slab.links_mut(), place);
    }

    fn unlink(&mut self, slab: &mut Slab, place: Place) {
        self.amount.subtract(Amount { entries: 1, cost: u128::from(slab.cost(place)) });
        self.list.unlink(slab.links_mut(), place);
    }
}

impl Queues {
    /// The queue that the next victim is in. `whole` is the total of both queues.
    pub(super) fn due(&self, whole: Amount, scarce: Scarce) -> Queue {
        let has_its_part = self.small.compared(whole, scarce).is_ge();
        if self.small.amount.entries > 0 && (has_its_part || self.main.oldest().is_none()) { Queue::Small } else { Queue::Main }
    }
}

impl QueueState {
    const IN_MAIN: u8 = 1 << 2;

    const SMALL: QueueState = QueueState(0);
    const SMALL_USED_ONCE: QueueState = QueueState(1);
    /// The state of an entry that enters main without having been used.
    pub(super) const MAIN: QueueState = QueueState(QueueState::IN_MAIN);

    fn queue(self) -> Queue {
        if self.0 & QueueState::IN_MAIN == 0 { Queue::Small } else { Queue::Main }
    }

    fn frequency(self) -> u8 {
        self.0 & MOST
    }

    /// The state after one more use.
    #[inline]
    pub(super) fn used(self) -> QueueState {
        QueueState(self.0 + u8::from(self.frequency() < MOST))
    }

    /// The state after the entry was the first of its queue and stayed; `None` if it is evicted.
    fn passed(self) -> Option<QueueState> {
        match self.queue() {
            Queue::Small => (self.frequency() >= PROMOTED).then_some(QueueState::MAIN),
            Queue::Main => (self.frequency() > 0).then(|| QueueState(self.0 - 1)),
        }
    }
}

/// What the policy remembers about a shard's entries, and about those that left small.
#[derive(Default)]
pub(in super::super) struct S3Fifo {
    /// By place in the slab. Kept after the entry has left, until the place is used again.
    queue_states: Column<QueueState>,
    ghosts: Ghosts,
    entries: u64,
    /// The limit for which room was made last.
    scarce: Scarce,
}

impl S3Fifo {
    pub fn try_reserve(&mut self, capacity: usize) -> Result<(), NoMemory> {
        Ok(self.queue_states.try_grow(capacity)?)
    }

    pub fn queue_state(&self, place: Place) -> Option<QueueState> {
        self.queue_states.get(place.index()).copied()
    }

    #[inline(never)]
    pub fn enter(&mut self, slab: &mut Slab, queues: &mut Queues, whole: Amount, arrival: Arrival) {
        let Arrival { place, hash, queue_state } = arrival;
        let queue_state = match queue_state {
            Some(queue_state) => queue_state,
            None if !self.ghosts.take(hash, self.entries) => QueueState::SMALL,
            None if self.admits(slab, queues, whole) => QueueState::MAIN,
            None => QueueState::SMALL_USED_ONCE,
        };
        self.entries += 1;
        while self.queue_states.len() <= place.index() {
            self.queue_states.push(QueueState::SMALL);
        }
        self.queue_states[place.index()] = queue_state;
        match queue_state.queue() {
            Queue::Small => queues.small.append(slab, place),
            Queue::Main => queues.main.append(slab.links_mut(), place),
        }
    }

    /// Whether the entry of a key with a ghost goes to main: if main has room, or an entry that was not used is the next to leave it. Each
    /// entry that is in the way loses one from its frequency, so that none is in the way forever. `whole` includes the new entry.
    fn admits(&mut self, slab: &mut Slab, queues: &mut Queues, whole: Amount) -> bool {
        if queues.small.compared(whole, self.scarce).is_gt() {
            return true;
        }
        for _ in 0..TRIES {
            let Some(first) = queues.main.oldest() else { return true };
            let queue_state = &mut self.queue_states[first.index()];
            let Some(passed) = queue_state.passed() else { return true };
            *queue_state = passed;
            work::entry();
            queues.main.renew(slab.links_mut(), first);
        }
        false
    }

    #[inline(never)]
    pub fn leave(&mut self, slab: &mut Slab, queues: &mut Queues, place: Place) {
        self.entries -= 1;
        match self.queue_states[place.index()].queue() {
            Queue::Small => queues.small.unlink(slab, place),
            Queue::Main => queues.main.unlink(slab.links_mut(), place),
        }
    }

    /// Makes an entry the first of its queue.
    pub fn make_first(&mut self, slab: &mut Slab, queues: &mut Queues, place: Place) {
        let list = match self.queue_states[place.index()].queue() {
            Queue::Small => &mut queues.small.list,
            Queue::Main => &mut queues.main,
        };
        list.make_oldest(slab.links_mut(), place);
    }

    /// Applies a use.
    #[inline]
    pub fn used(&mut self, place: Place) {
        let queue_state = &mut self.queue_states[place.index()];
        *queue_state = queue_state.used();
    }

    #[inline(never)]
    pub fn victim(&mut self, slab: &mut Slab, queues: &mut Queues, whole: Amount, scarce: Scarce) -> Option<Place> {
        self.scarce = scarce;
        let mut moves = 0;
        loop {
            let queue = queues.due(whole, scarce);
            let first = queues.first_of(queue)?;
            let queue_state = &mut self.queue_states[first.index()];
            match queue_state.passed() {
                Some(passed) if moves < MOST_MOVES => *queue_state = passed,
                _ => return Some(first),
            }
            moves += 1;
            work::entry();
            match queue {
                Queue::Small => {
                    queues.small.unlink(slab, first);
                    queues.main.append(slab.links_mut(), first);
                }
                Queue::Main => queues.main.renew(slab.links_mut(), first),
            }
        }
    }

    /// Leaves a ghost of an entry that is evicted from small.
    #[inline(never)]
    pub fn note_evicted(&mut self, place: Place, hash: u64) -> Option<GhostTable> {
        let is_small = self.queue_state(place)?.queue() == Queue::Small;
        if is_small { self.ghosts.insert(hash, self.entries) } else { None }
    }
}
