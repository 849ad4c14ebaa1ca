//! A list of all entries in eviction order, for a copy of the store (rule S18): with `lru`, in order of use; with `s3fifo`, the small queue
//! before the main queue.
//!
//! First the order is recorded, shard by shard and in small steps, with four bytes for each entry. Then the entries are read in that order,
//! a page at a time, so that storing them in turn restores the order. Between two steps no lock is held (rule S19): entries that are
//! stored, replaced or removed meanwhile may or may not be in the copy, and entries that are used meanwhile keep their former position. An
//! entry that is neither removed nor replaced is in the copy, and more than once only if the number of shards changes meanwhile.
//!
//! Each shard knows only the order of its own entries. The shards are read in turn, an equal part of each in every round. Since keys are
//! spread over shards at random, the whole is nearly in order.

use super::departure::Departures;
use super::entry::{END_COST, ENTRY_COST, LIFETIME_COST};
use super::labels::labels_cost;
use super::layout::Layout;
use super::order::QueueId;
use super::shard::Shard;
use super::slab::Place;
use super::store::Store;
use super::work;
use crate::base::{Answer, Clock, Key, Labels, Millis, NoMemory};

/// The number of entries visited in one hold of a shard's lock.
const STEP: usize = 64;

/// A copied entry.
pub struct CopiedEntry {
    /// The key.
    pub key: Key,
    /// The value, or null.
    pub answer: Answer,
    /// The stated cost of the value in bytes; `None` if the cost is computed.
    pub cost: Option<u64>,
    /// The priority.
    pub priority: f64,
    /// The time to live that is left, in milliseconds; `None` if the entry does not expire. Ignores an idle TTL.
    pub ttl_left_ms: Option<u64>,
    /// The version and the tags of the entry.
    pub labels: Option<Labels>,
}

/// A recorded order of all entries, and the progress of reading them.
pub struct Snapshot {
    /// The layout when the order was recorded. After a change of the layout the recorded places are meaningless.
    layout: Layout,
    /// The places of each shard's entries in eviction order, indexed by shard.
    orders: Vec<Vec<Place>>,
    /// The number of rounds. In each round an equal part of every order is read.
    rounds: usize,
    round: usize,
    shard: usize,
}

impl Snapshot {
    /// The number of entries in the order. Fewer are copied if some are removed meanwhile.
    pub fn entries(&self) -> u64 {
        self.orders.iter().map(|order| order.len() as u64).sum()
    }

    /// Returns the index of a shard, and the places to be read next in it.
    fn next(&mut self) -> Option<(usize, &[Place])> {
        if self.round == self.rounds {
            return None;
        }
        let (shard, round) = (self.shard, self.round);
        self.shard += 1;
        if self.shard == self.orders.len() {
            (self.shard, self.round) = (0, self.round + 1);
        }
        let order = &self.orders[shard];
        let until = |round: usize| (order.len() as u128 * round as u128 / self.rounds as u128) as usize;
        Some((shard, &order[until(round)..until(round + 1)]))
    }
}

impl Store {
    /// Records the order of all entries, in steps.
    pub fn snapshot(&self) -> Result<Snapshot, NoMemory> {
        let order_of = |shard: &super::locked_shard::LockedShard| {
            let mut scan = OrderScan::default();
            while shard.read(self.sink(), |shard| shard.scan_order(&mut scan))? {
                shard.give_way();
            }
            Ok(scan.order)
        };
        let layout = loop {
            let layout = self.layout();
            self.end_move(&mut Departures::new());
            if self.layout() == layout {
                break layout;
            }
        };
        let orders = self.locked_shards().iter().map(order_of).collect::<Result<Vec<_>, NoMemory>>()?;
        let rounds = orders.iter().map(|order| order.len().div_ceil(STEP)).max().unwrap_or(0);
        Ok(Snapshot { layout, orders, rounds, round: 0, shard: 0 })
    }

    /// Appends the next entries that still exist, possibly none, to `page`. Returns false if all have been read.
    pub fn copy_page(&self, snapshot: &mut Snapshot, clock: &Clock, page: &mut Vec<CopiedEntry>) -> Result<bool, NoMemory> {
        let layout = snapshot.layout;
        let Some((index, places)) = snapshot.next() else { return Ok(false) };
        page.try_reserve(places.len())?;
        if !places.is_empty() {
            let now = clock.millis();
            let copied = self.locked_shards()[index].read_if(
                self.sink(),
                || self.layout() == layout,
                |shard| page.extend(places.iter().filter_map(|place| shard.copy(*place, now))),
            );
            if copied.is_err() {
                // Starts again. If a key is copied twice, each of the two answers was in the store at some time since the copy began.
                *snapshot = self.snapshot()?;
            }
        }
        Ok(true)
    }
}

/// The progress of recording the order of a shard.
#[derive(Default)]
struct OrderScan {
    order: Vec<Place>,
    /// One bit for each place, which is set if the place is in `order`.
    recorded: Vec<u64>,
    /// The queue that is being read, from its first entry on.
    queue: Option<QueueId>,
    /// The last entry read, and the one before it in its queue. If it still has that neighbour, it was neither used nor removed meanwhile.
    last: Option<(Place, Place)>,
    /// The number of entries visited.
    steps: u64,
    /// Set once all queues have been read: the places below this one have been searched for entries that were missed.
    swept: Option<usize>,
}

impl OrderScan {
    /// Gets memory for the entries of one step.
    fn try_reserve(&mut self, nodes: usize) -> Result<(), NoMemory> {
        self.order.try_reserve(STEP)?;
        Ok(self.recorded.try_reserve(nodes.div_ceil(64).saturating_sub(self.recorded.len()))?)
    }

    fn note(&mut self, place: Place) {
        let (word, bit) = (place.index() / 64, 1 << (place.index() % 64));
        if self.recorded.len() <= word {
            self.recorded.resize(word + 1, 0);
        }
        if self.recorded[word] & bit == 0 {
            self.recorded[word] |= bit;
            self.order.push(place);
        }
    }
}

impl Shard {
    /// Records a further part of the order. Returns whether there is more.
    fn scan_order(&mut self, scan: &mut OrderScan) -> Result<bool, NoMemory> {
        scan.try_reserve(self.slab().nodes())?;
        for _ in 0..STEP {
            work::entry();
            let more = match scan.swept {
                None => self.note_next(scan),
                Some(at) => self.note_missed(scan, at),
            };
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the next entry of the queue, or continues with the next queue. If the last entry read was moved meanwhile, starts the queue
    /// again; entries that are recorded already are skipped.
    fn note_next(&mut self, scan: &mut OrderScan) -> bool {
        scan.steps += 1;
        // Bounds the work, however often the queues change meanwhile.
        let gives_up = scan.steps > 64 + 8 * self.entries();
        let stays = |(last, before): &(Place, Place)| self.slab().has_entry(*last) && self.slab().older(*last) == *before;
        let met = scan.last.filter(stays).map(|(last, _)| last);
        let next = match (met, scan.queue) {
            _ if gives_up => None,
            (Some(last), _) => self.slab().newer(last).some(),
            (None, Some(queue)) => self.first_of(queue),
            (None, None) => None,
        };
        if let Some(place) = next {
            scan.note(place);
            scan.last = Some((place, self.slab().older(place)));
            return true;
        }
        let after = if gives_up { None } else { self.queue_after(scan.queue) };
        (scan.queue, scan.last) = (after, None);
        if after.is_none() {
            scan.swept = Some(0);
        }
        true
    }

    /// Checks a place for an entry that was missed because the queues changed.
    fn note_missed(&self, scan: &mut OrderScan, at: usize) -> bool {
        if at >= self.slab().nodes() {
            return false;
        }
        let place = Place::of_number(at as u32);
        if self.slab().has_entry(place) {
            scan.note(place);
        }
        scan.swept = Some(at + 1);
        true
    }

    fn copy(&self, place: Place, now: Millis) -> Option<CopiedEntry> {
        let slab = self.slab();
        if !slab.has_entry(place) || self.live_at(place, now).is_none() {
            return None;
        }
        let (key, answer, deadline) = (Key::new(slab.key(place)), Answer::clone(&slab.answer(place)), self.ttl_end_of(place));
        let labels = self.labels_of(place).cloned();
        let cost = slab.cost(place).saturating_sub(labels_cost(labels.as_ref()));
        // A touch may have changed whether the entry can expire, so all costs that may have been charged are compared.
        let of_order = self.cost_of_order();
        let more = [0, END_COST, LIFETIME_COST, END_COST + LIFETIME_COST];
        let is_unstated = more.into_iter().any(|more| slab.own_cost(place, of_order + more) == cost);
        let stated = || cost.saturating_sub(key.len() as u64).saturating_sub(ENTRY_COST);
        let ttl_left_ms = (deadline != Millis::NEVER).then(|| deadline.since(now));
        Some(CopiedEntry { cost: (!is_unstated).then(stated), priority: self.priority_of(place), key, answer, ttl_left_ms, labels })
    }
}
