//! The queue: all keys that wait for a slot, in one order, and the places that some of them hold (rules F11, F13, F14).
//!
//! ```text
//!   the order:   urgency, highest first   (a virtual deadline instead, where waiting makes more urgent)
//!                 └─ those that are tried again, in the order in which they fell due
//!                 └─ the others, by the arrival of the fetch that started them
//!                     └─ of one fetch, as asked
//! ```
//!
//! A *place* is a right to wait that keys of fetches of a single key need: without one they are lost. Other keys hold places while there
//! are any, as far as the share of their fetch goes, and wait without one else: they are *deferred*. Whether a key holds a place does not
//! move it in the order. Which of a group's keys hold the group's places is not told apart: all of one group are alike.

use super::FlightId;
use super::group::{Group, WaitingKey};
use crate::base::Moment;
use crate::base::config::{Overflow, QueueOrder, TaskSettings};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

/// Where the keys of one fetch and one urgency stand among all; lower goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank {
    before: i64,
    turn: u64,
}

/// Where a key stands among those of its urgency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// First those that are tried again after a pause; from `ARRIVED` on those that came with a fetch; from `BEHIND` on, under `Lifo`,
    /// those that are behind all of them.
    turn: u64,
    /// When it was asked; not stated where neither lingering nor ageing depends on it.
    pub asked_at: Moment,
}

const ARRIVED: u64 = 1 << 62;
const BEHIND: u64 = 1 << 63;

/// What the order of the queue is.
#[derive(Clone, Copy, Debug)]
pub struct Ranking {
    order: QueueOrder,
    /// How long a wait counts as one step of urgency.
    ageing: Option<Duration>,
}

impl Ranking {
    fn new(settings: &TaskSettings) -> Ranking {
        let ageing = settings.queue_ageing.filter(|_| settings.queue_order == QueueOrder::Fifo);
        Ranking { order: settings.queue_order, ageing }
    }

    /// Where a key of this urgency stands among all.
    #[inline]
    pub fn rank(self, urgency: i32, stand: Arrival) -> Rank {
        let before = match self.ageing {
            None => -i64::from(urgency),
            Some(step) => {
                let earlier = i128::from(urgency) * step.as_nanos() as i128;
                i64::try_from(i128::from(stand.asked_at.0) - earlier).unwrap_or(if urgency > 0 { i64::MIN } else { i64::MAX })
            }
        };
        Rank { before, turn: stand.turn }
    }

    /// Where the keys stand of the fetch that came as the `arrival`th.
    pub fn arrived(self, arrival: u64, asked_at: Moment) -> Arrival {
        let turn = match self.order {
            QueueOrder::Fifo => ARRIVED + arrival,
            QueueOrder::Lifo => BEHIND - 1 - arrival,
        };
        Arrival { turn, asked_at }
    }

    /// Where a key stands that goes behind all that wait at its urgency, as if it had come as the `arrival`th, at this moment.
    pub fn behind(self, arrival: u64, now: Moment) -> Arrival {
        let turn = match self.order {
            QueueOrder::Fifo => ARRIVED + arrival,
            QueueOrder::Lifo => BEHIND + arrival,
        };
        Arrival { turn, asked_at: now }
    }

    /// Where the key stands that was the `nth` to be due again, and was asked then.
    pub fn again(self, nth: u64, asked_at: Moment) -> Arrival {
        Arrival { turn: nth, asked_at }
    }

    /// Whether a key gives its place to a newcomer: one that is less urgent, or under `Lifo` as urgent and older (rule F13b).
    fn yields_to(self, holder: Rank, newcomer: Rank) -> bool {
        match self.order {
            QueueOrder::Fifo => holder.before > newcomer.before,
            QueueOrder::Lifo => holder > newcomer,
        }
    }
}

/// The waiting keys.
pub struct WaitQueue {
    pub ranking: Ranking,
    order: BTreeMap<Rank, Group>,
    places: QueuePlaces,
    /// How many keys wait.
    len: usize,
    /// How many of them are tried again: they need no places.
    retried: usize,
    /// How many of the others were asked when: a lingering queue is asked for its oldest key at every event. `None`: nothing lingers.
    ages: Option<BTreeMap<Moment, usize>>,
}

/// Who holds places, and who waits for one.
struct QueuePlaces {
    /// How many there are.
    total: usize,
    /// How many of them one group may hold.
    share: usize,
    /// How many are held.
    held: usize,
    /// The groups that hold some.
    holders: BTreeSet<Rank>,
    /// The groups that could hold more than they do.
    lacking: BTreeSet<Rank>,
}

/// How far a fetch has looked for a place that another key gives to its own. It looks at each group once.
#[derive(Clone, Copy, Default)]
pub struct Search {
    passed: Option<Rank>,
}

impl Search {
    /// The keys of this rank stay.
    pub fn pass(&mut self, rank: Rank) {
        self.passed = Some(rank);
    }
}

impl WaitQueue {
    /// An empty queue.
    pub fn new(settings: &TaskSettings) -> WaitQueue {
        let total = settings.queue_max_keys as usize;
        let share = match settings.queue_overflow {
            Overflow::Wait => (f64::from(settings.queue_max_keys) * settings.queue_share) as usize,
            Overflow::Reject => usize::MAX,
        };
        WaitQueue {
            ranking: Ranking::new(settings),
            order: BTreeMap::new(),
            places: QueuePlaces { total, share: share.max(1), held: 0, holders: BTreeSet::new(), lacking: BTreeSet::new() },
            len: 0,
            retried: 0,
            ages: (!settings.batch_linger.is_zero()).then(BTreeMap::new),
        }
    }

    /// How many keys wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many of them wait without a place though they are not tried again.
    pub fn deferred(&self) -> usize {
        self.len - self.retried - self.places.held
    }

    /// Whether a key waits that is tried again.
    pub fn has_retried(&self) -> bool {
        self.retried > 0
    }

    /// Whether all places are held.
    pub fn is_full(&self) -> bool {
        self.places.are_held()
    }

    /// Whether the keys of this rank hold all the places that they may.
    #[inline]
    pub fn is_share_used(&self, rank: Rank) -> bool {
        self.order.get(&rank).is_some_and(|group| group.places >= group.most_places)
    }

    /// Puts a key where it belongs. It holds a place if there is one.
    #[inline]
    pub fn push(&mut self, rank: Rank, key: WaitingKey, asked_at: Moment) {
        self.insert(rank, key, self.places.share);
        if let Some(ages) = &mut self.ages {
            *ages.entry(asked_at).or_default() += 1;
        }
    }

    /// Puts a key where it belongs that is tried again: it needs no place.
    pub fn push_retried(&mut self, rank: Rank, key: WaitingKey) {
        self.insert(rank, key, 0);
        self.retried += 1;
    }

    /// Moves a key that waits where it belongs when its urgency changes.
    pub fn move_key(&mut self, stand: Arrival, from: i32, to: i32, key: WaitingKey) {
        let is_retried = self.remove(stand, from, key);
        let rank = self.ranking.rank(to, stand);
        if is_retried {
            self.push_retried(rank, key);
        } else {
            self.push(rank, key, stand.asked_at);
        }
    }

    #[inline]
    fn insert(&mut self, rank: Rank, key: WaitingKey, most_places: usize) {
        self.len += 1;
        let group = match self.order.entry(rank) {
            Entry::Occupied(group) => {
                let group = group.into_mut();
                group.push(key);
                group
            }
            Entry::Vacant(vacant) => vacant.insert(Group::of(key, most_places)),
        };
        self.places.key_came(rank, group);
    }

    /// Takes a key out. Whether it was to be tried again is answered.
    pub fn remove(&mut self, stand: Arrival, urgency: i32, key: WaitingKey) -> bool {
        let rank = self.ranking.rank(urgency, stand);
        let Some(group) = self.order.get_mut(&rank) else { return false };
        let is_retried = group.is_retried();
        group.remove(key.position);
        self.places.keys_left(rank, group);
        if group.len == 0 {
            self.order.remove(&rank);
        }
        self.len -= 1;
        if is_retried {
            self.retried -= 1;
        } else {
            self.note_gone(stand.asked_at);
        }
        is_retried
    }

    /// Takes out the keys that go first, `most` of them at most, up to the first that may not go after those before it.
    #[inline]
    pub fn pop(&mut self, most: usize, popped: &mut Vec<FlightId>, mut may_go: impl FnMut(&[FlightId], FlightId) -> bool) {
        while popped.len() < most
            && let Some(mut entry) = self.order.first_entry()
        {
            let (rank, group, before) = (*entry.key(), entry.get_mut(), popped.len());
            let is_stopped = group.pop(most, popped, &mut may_go);
            let count = popped.len() - before;
            self.len -= count;
            self.retried -= if group.is_retried() { count } else { 0 };
            self.places.keys_left(rank, group);
            if group.len == 0 {
                entry.remove();
            }
            if is_stopped {
                break;
            }
        }
    }

    /// Whether it is to be told when the keys were asked that are popped.
    pub fn has_ages(&self) -> bool {
        self.ages.is_some()
    }

    /// A key that was popped was not tried again, and asked then.
    pub fn note_gone(&mut self, asked_at: Moment) {
        let Some(ages) = &mut self.ages else { return };
        if let Entry::Occupied(mut as_old) = ages.entry(asked_at) {
            *as_old.get_mut() -= 1;
            if *as_old.get() == 0 {
                as_old.remove();
            }
        }
    }

    /// When the oldest of the keys was asked that are not tried again.
    pub fn oldest(&self) -> Option<Moment> {
        self.ages.as_ref()?.first_key_value().map(|(asked_at, _)| *asked_at)
    }

    /// Gives free places to keys that wait without one, in order.
    pub fn refill(&mut self) {
        while !self.places.are_held()
            && let Some(rank) = self.places.lacking.pop_first()
        {
            let Some(group) = self.order.get_mut(&rank) else { continue };
            let more = group.lacks().min(self.places.total - self.places.held);
            if group.places == 0 {
                self.places.holders.insert(rank);
            }
            group.places += more;
            self.places.held += more;
            if group.lacks() > 0 {
                self.places.lacking.insert(rank);
            }
        }
    }

    /// The last of the keys that hold places, if it gives way to a newcomer of this rank. Those that the search has passed are not looked
    /// at again.
    pub fn last_to_give_way(&self, search: Search, newcomer: Rank) -> Option<(Rank, &Group)> {
        let end = search.passed.map_or(Bound::Unbounded, Bound::Excluded);
        let rank = *self.places.holders.range((Bound::Unbounded, end)).next_back()?;
        let group = self.order.get(&rank).filter(|_| self.ranking.yields_to(rank, newcomer))?;
        Some((rank, group))
    }

    /// Takes a place from the keys of this rank, one of which then waits without.
    pub fn take_place(&mut self, rank: Rank) {
        if let Some(group) = self.order.get_mut(&rank).filter(|group| group.places > 0) {
            group.places -= 1;
            self.places.held -= 1;
            if group.places == 0 {
                self.places.holders.remove(&rank);
            }
            self.places.lacking.insert(rank);
        }
    }

    /// Whether the key stands here. For checks: it reads everything.
    pub fn holds(&self, rank: Rank, position: u32, flight: FlightId) -> bool {
        let is_it = |key: &WaitingKey| key.position == position && key.flight == flight;
        self.order.get(&rank).is_some_and(|group| group.keys().iter().any(is_it))
    }

    /// Whether its numbers and lists agree. For checks: it reads everything.
    pub fn check(&self) -> Result<(), String> {
        let QueuePlaces { total, held, holders, lacking, .. } = &self.places;
        let sum = |of: fn(&Group) -> usize| self.order.values().map(of).sum::<usize>();
        let is = (sum(|group| group.len), sum(|group| group.places), sum(|group| if group.is_retried() { group.len } else { 0 }));
        let counted = (self.len, *held, self.retried);
        if is != counted {
            return Err(format!("keys, places held and keys tried again are {is:?}, counted {counted:?}"));
        }
        if held > total {
            return Err(format!("{held} keys on {total} places"));
        }
        if let Some(group) = self.order.values().find(|group| group.places > group.len.min(group.most_places)) {
            return Err(format!("{} keys hold {} places, and may hold {}", group.len, group.places, group.most_places));
        }
        let ranks = |is: fn(&Group) -> bool| self.order.iter().filter(move |(_, group)| is(group)).map(|(rank, _)| rank);
        if !ranks(|group| group.places > 0).eq(holders) || !ranks(|group| group.lacks() > 0).eq(lacking) {
            return Err("a list of who holds or lacks places is wrong".into());
        }
        if held < total && !lacking.is_empty() {
            return Err("a key waits without a place, and one is free".into());
        }
        Ok(())
    }
}

impl QueuePlaces {
    fn are_held(&self) -> bool {
        self.held >= self.total
    }

    /// A key came to the group.
    #[inline]
    fn key_came(&mut self, rank: Rank, group: &mut Group) {
        if group.lacks() == 0 {
            return;
        }
        if self.are_held() {
            self.lacking.insert(rank);
            return;
        }
        self.held += 1;
        group.places += 1;
        if group.places == 1 {
            self.holders.insert(rank);
        }
        if group.lacks() == 0 && !self.lacking.is_empty() {
            self.lacking.remove(&rank);
        }
    }

    /// Keys left the group. If others wait without a place they have theirs now.
    #[inline]
    fn keys_left(&mut self, rank: Rank, group: &mut Group) {
        if group.places > group.len {
            self.held -= group.places - group.len;
            group.places = group.len;
            if group.places == 0 {
                self.holders.remove(&rank);
            }
        } else if group.places < group.most_places && group.lacks() == 0 {
            self.lacking.remove(&rank);
        }
    }
}
