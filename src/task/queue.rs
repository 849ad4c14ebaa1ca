//! The admission queue: keys that wait for a slot (rules F13, F14).
//!
//! Retried keys stand at the head, in the order in which they fell due, and count against no limit. The others are ordered by
//! urgency, then by their fetch's arrival (newest or oldest first), then in the order asked.

use super::FlightId;
use crate::base::Moment;
use crate::base::config::Order;
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

/// Where a fetch's keys stand among those of others; lower goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank {
    urgency: Reverse<i32>,
    turn: u64,
}

impl Rank {
    /// The rank of a key of this urgency whose fetch arrived as the `arrival`th.
    pub fn new(urgency: i32, arrival: u64, order: Order) -> Rank {
        let turn = match order {
            Order::Fifo => arrival,
            Order::Lifo => u64::MAX - arrival,
        };
        Rank { urgency: Reverse(urgency), turn }
    }
}

/// The waiting keys.
pub struct Queue {
    retried: BTreeMap<u64, FlightId>,
    retries: u64,
    ranked: BTreeMap<Rank, VecDeque<Waiting>>,
    ranked_len: usize,
    /// How many of the ranked were asked when: a lingering queue is asked for its oldest key at every event. `None`: nothing lingers.
    ages: Option<BTreeMap<Moment, usize>>,
}

struct Waiting {
    position: u32,
    flight: FlightId,
    asked_at: Moment,
}

impl Queue {
    /// An empty queue, in which keys linger or not.
    pub fn new(lingers: bool) -> Queue {
        Queue { retried: BTreeMap::new(), retries: 0, ranked: BTreeMap::new(), ranked_len: 0, ages: lingers.then(BTreeMap::new) }
    }

    /// How many keys wait.
    pub fn len(&self) -> usize {
        self.retried.len() + self.ranked_len
    }

    /// How many of them occupy a place: all but the retried.
    pub fn occupied(&self) -> usize {
        self.ranked_len
    }

    /// Whether a retried key waits.
    pub fn has_retried(&self) -> bool {
        !self.retried.is_empty()
    }

    /// Puts a retried key at the head's end. The how manieth it is is answered.
    pub fn push_retried(&mut self, flight: FlightId) -> u64 {
        self.retries += 1;
        self.retried.insert(self.retries, flight);
        self.retries
    }

    /// Puts a key where its rank and position say.
    #[inline(always)]
    pub fn push(&mut self, rank: Rank, position: u32, flight: FlightId, asked_at: Moment) {
        let keys = self.ranked.entry(rank).or_default();
        // Made where it goes: what is moved just after it was written is read in wider pieces, and waits.
        let waiting = || Waiting { position, flight, asked_at };
        // Keys come in the order asked; only one whose urgency rose later is put between others.
        if keys.back().is_none_or(|last| last.position <= position) {
            keys.push_back(waiting());
        } else {
            let at = keys.partition_point(|before| before.position <= position);
            keys.insert(at, waiting());
        }
        self.ranked_len += 1;
        if let Some(ages) = &mut self.ages {
            *ages.entry(asked_at).or_default() += 1;
        }
    }

    /// Takes a retried key out.
    pub fn remove_retried(&mut self, nth: u64) {
        self.retried.remove(&nth);
    }

    /// Takes a key out that stands where its rank and position say. When it was asked is answered.
    pub fn remove_ranked(&mut self, rank: Rank, position: u32, flight: FlightId) -> Option<Moment> {
        let keys = self.ranked.get_mut(&rank)?;
        let first = keys.partition_point(|before| before.position < position);
        let at = (first..keys.len()).find(|at| keys[*at].flight == flight)?;
        let gone = keys.remove(at)?;
        if keys.is_empty() {
            self.ranked.remove(&rank);
        }
        self.left(&gone);
        Some(gone.asked_at)
    }

    fn left(&mut self, gone: &Waiting) {
        self.ranked_len -= 1;
        let Some(ages) = &mut self.ages else { return };
        if let Entry::Occupied(mut as_old) = ages.entry(gone.asked_at) {
            *as_old.get_mut() -= 1;
            if *as_old.get() == 0 {
                as_old.remove();
            }
        }
    }

    /// When the oldest of the keys was asked that occupy a place.
    pub fn oldest(&self) -> Option<Moment> {
        self.ages.as_ref()?.first_key_value().map(|(asked_at, _)| *asked_at)
    }

    /// Takes the key that goes first among those that need not be `passed` over.
    pub fn pop(&mut self, passed: impl Fn(FlightId) -> bool) -> Option<FlightId> {
        if !self.retried.is_empty() {
            let retried = self.retried.iter().find(|(_, flight)| !passed(**flight)).map(|(nth, _)| *nth);
            if let Some(nth) = retried {
                return self.retried.remove(&nth);
            }
        }
        let goes = |waiting: &Waiting| !passed(waiting.flight);
        // Nearly always the first of the first goes.
        if let Some(mut first) = self.ranked.first_entry()
            && first.get().front().is_some_and(goes)
        {
            let gone = first.get_mut().pop_front()?;
            if first.get().is_empty() {
                first.remove();
            }
            self.left(&gone);
            return Some(gone.flight);
        }
        let (rank, at) = self.ranked.iter().find_map(|(rank, keys)| Some((*rank, keys.iter().position(goes)?)))?;
        let keys = self.ranked.get_mut(&rank)?;
        let first = keys.remove(at)?;
        if keys.is_empty() {
            self.ranked.remove(&rank);
        }
        self.left(&first);
        Some(first.flight)
    }

    /// The keys that may have to give way, in the order in which they do: lowest urgency, oldest fetch, first asked. Under
    /// `Fifo` the newcomer is refused instead, so that this is asked of `Lifo` queues only.
    pub fn oldest_first(&self) -> impl Iterator<Item = FlightId> {
        self.ranked.values().rev().flat_map(|keys| keys.iter().map(|waiting| waiting.flight))
    }

    /// Whether the key is the nth retried.
    pub fn holds_retried(&self, nth: u64, flight: FlightId) -> bool {
        self.retried.get(&nth) == Some(&flight)
    }

    /// Whether the key stands where this rank and position say. For checks: it reads everything.
    pub fn holds_ranked(&self, rank: Rank, position: u32, flight: FlightId) -> bool {
        let holds = |keys: &VecDeque<Waiting>| keys.iter().any(|waiting| waiting.position == position && waiting.flight == flight);
        self.ranked.get(&rank).is_some_and(holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f13_a_rank_without_keys_is_not_kept() {
        let mut queue = Queue::new(true);
        let rank = Rank::new(0, 1, Order::Fifo);
        let (first, second) = (FlightId::default(), FlightId::default());
        queue.push(rank, 0, first, Moment(1));
        assert_eq!(queue.remove_ranked(rank, 0, first), Some(Moment(1)));
        assert!(queue.ranked.is_empty() && queue.len() == 0 && queue.oldest().is_none());
        queue.push(rank, 0, second, Moment(1));
        assert_eq!(queue.pop(|_| false), Some(second));
        assert!(queue.ranked.is_empty() && queue.len() == 0 && queue.oldest().is_none());
    }
}
