//! All entries in the order of their use, for a copy of the store (rule S18).
//!
//! First the order is noted, shard by shard in small steps: four bytes for an entry. Then the entries are read in that order, a page at a
//! time, from the least to the most recently used: whoever stores them one after the other has them in the same order. Between two steps no
//! lock is held (rule S19), so of entries that are stored, replaced or removed meanwhile some are in the copy and some are not, and what is
//! used meanwhile is there with its former place in the order. What neither leaves nor is replaced is in the copy once.
//!
//! Each shard knows the order of its own entries alone. Several are read side by side, so that each is as far through its own order as the
//! others are: keys lie in shards by chance, and so the whole is in order but for neighbours.

use super::entry::{END_COST, ENTRY_COST, USE_COST};
use super::shard::Shard;
use super::slab::Place;
use super::store::Store;
use super::work;
use crate::base::{Answer, Clock, Key, Millis};

/// How many entries are looked at in one hold of a shard's lock.
const STEP: usize = 64;

/// An entry as it is copied.
pub struct Copied {
    /// Its key.
    pub key: Key,
    /// Its value, or null.
    pub answer: Answer,
    /// What the value alone costs, if that is not what it says of itself.
    pub cost: Option<u64>,
    /// Its priority.
    pub priority: f64,
    /// How long it will live; `None` for ever. An idle TTL is not part of it.
    pub ttl_left_ms: Option<u64>,
}

/// The order of all entries at one time, and how far they have been read.
pub struct Snapshot {
    /// By shard.
    orders: Vec<Vec<Place>>,
    /// How many rounds there are: in each, an equal part of every order is read.
    rounds: usize,
    round: usize,
    shard: usize,
}

impl Snapshot {
    /// How many entries there are to be read, if none leaves meanwhile.
    pub fn entries(&self) -> u64 {
        self.orders.iter().map(|order| order.len() as u64).sum()
    }

    /// The places to be read next, in the shard that is named.
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
    /// Notes the order of all entries, in steps.
    pub fn snapshot(&self) -> Snapshot {
        let order_of = |cell: &super::locked_shard::LockedShard| {
            let mut noting = Noting::default();
            while cell.read(self.sink(), |shard| shard.note_order(&mut noting)) {
                cell.give_way();
            }
            noting.order
        };
        let orders: Vec<_> = self.cells().iter().map(order_of).collect();
        let rounds = orders.iter().map(|order| order.len().div_ceil(STEP)).max().unwrap_or(0);
        Snapshot { orders, rounds, round: 0, shard: 0 }
    }

    /// Appends the next entries that are still there to `page`, which may be none, and says whether there are more.
    pub fn copy_page(&self, snapshot: &mut Snapshot, clock: &Clock, page: &mut Vec<Copied>) -> bool {
        let Some((index, places)) = snapshot.next() else { return false };
        if !places.is_empty() {
            let now = clock.millis();
            self.cells()[index].read(self.sink(), |shard| page.extend(places.iter().filter_map(|place| shard.copy(*place, now))));
        }
        true
    }
}

/// How far the order of a shard has been noted.
#[derive(Default)]
struct Noting {
    order: Vec<Place>,
    /// Whose place is in `order`, a bit each.
    noted: Vec<u64>,
    /// The priority whose list is walked, from the oldest entry on.
    priority: Option<f64>,
    /// The entry that was met last, and the one before it in the list: still so, if neither was used or left meanwhile.
    last: Option<(Place, Place)>,
    /// How many entries were looked at.
    steps: u64,
    /// Once the lists were walked: up to which place whoever was missed has been looked for.
    swept: Option<usize>,
}

impl Noting {
    fn note(&mut self, place: Place) {
        let (word, bit) = (place.index() / 64, 1 << (place.index() % 64));
        if self.noted.len() <= word {
            self.noted.resize(word + 1, 0);
        }
        if self.noted[word] & bit == 0 {
            self.noted[word] |= bit;
            self.order.push(place);
        }
    }
}

impl Shard {
    /// Notes some more of the order. Says whether there is more to do.
    fn note_order(&mut self, noting: &mut Noting) -> bool {
        for _ in 0..STEP {
            work::entry();
            let more = match noting.swept {
                None => self.note_next(noting),
                Some(at) => self.note_missed(noting, at),
            };
            if !more {
                return false;
            }
        }
        true
    }

    /// Goes one entry on in the list, or to the next list. If the entry met last was used meanwhile, the list is walked from its start again,
    /// over those that are noted already.
    fn note_next(&mut self, noting: &mut Noting) -> bool {
        noting.steps += 1;
        // However much the lists are stirred up, it comes to an end.
        let is_endless = noting.steps > 64 + 8 * self.entries();
        let stays = |(last, before): &(Place, Place)| self.slab().is_live(*last) && self.slab().older(*last) == *before;
        let met = noting.last.filter(stays).map(|(last, _)| last);
        let next = match (met, noting.priority) {
            _ if is_endless => None,
            (Some(last), _) => self.slab().newer(last).some(),
            (None, Some(priority)) => self.oldest_of(priority),
            (None, None) => None,
        };
        if let Some(place) = next {
            noting.note(place);
            noting.last = Some((place, self.slab().older(place)));
            return true;
        }
        let above = if is_endless { None } else { self.priority_above(noting.priority) };
        (noting.priority, noting.last) = (above, None);
        if above.is_none() {
            noting.swept = Some(0);
        }
        true
    }

    /// Looks for one who was missed because the lists changed.
    fn note_missed(&self, noting: &mut Noting, at: usize) -> bool {
        if at >= self.slab().nodes() {
            return false;
        }
        let place = Place::of_number(at as u32);
        if self.slab().is_live(place) {
            noting.note(place);
        }
        noting.swept = Some(at + 1);
        true
    }

    fn copy(&self, place: Place, now: Millis) -> Option<Copied> {
        let slab = self.slab();
        if !slab.is_live(place) || self.live_at(place, now).is_none() {
            return None;
        }
        let (key, answer, deadline) = (Key::new(slab.key(place)), Answer::clone(&slab.answer(place)), slab.deadline(place));
        let cost = slab.cost(place);
        // Whether it was put with an end is not known: it may have been touched since.
        let unstated = [0, END_COST, USE_COST, END_COST + USE_COST].map(|besides| slab.own_cost(place, besides));
        let stated = || cost.saturating_sub(key.len() as u64).saturating_sub(ENTRY_COST);
        let ttl_left_ms = (deadline != Millis::NEVER).then(|| deadline.since(now));
        Some(Copied { cost: (!unstated.contains(&cost)).then(stated), priority: self.priority_of(place), key, answer, ttl_left_ms })
    }
}
