//! The queue: all keys that wait for a slot, in one order, and the places that some of them hold (rules F11, F13, F14).
//!
//! ```text
//!   the order:   urgency, highest first   (with ageing, a virtual deadline instead)
//!                 └─ retried keys, in the order in which their pauses ended
//!                 └─ other keys, by the arrival of the fetch that started their flights
//!                     └─ within one fetch, by position
//! ```
//!
//! A *place* is the right to wait. The key of a single-key fetch needs one; without it the key is lost. Other keys hold places while there
//! are free ones, up to the share of their fetch. Beyond that they are *deferred*: they wait without a place. Holding a place does not
//! change a key's position in the order. Places belong to a group as a whole, not to particular keys of it.

use super::FlightId;
use super::group::{Group, WaitingKey};
use crate::base::Moment;
use crate::base::config::{Overflow, QueueOrder, TaskSettings};
use std::cmp::Ordering;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

/// The position of a group (the keys of one fetch at one urgency) in the whole order. The lowest is served first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rank {
    /// The negative urgency; with ageing the virtual deadline, in nanoseconds.
    before: i64,
    sequence: u64,
}

impl Ord for Rank {
    #[inline(always)]
    fn cmp(&self, other: &Rank) -> Ordering {
        #[cfg(test)]
        tests::COMPARISONS.set(tests::COMPARISONS.get() + 1);
        self.before.cmp(&other.before).then(self.sequence.cmp(&other.sequence))
    }
}

impl PartialOrd for Rank {
    #[inline(always)]
    fn partial_cmp(&self, other: &Rank) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The position of a key among those of equal urgency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueuePosition {
    /// Below `ARRIVED`: retried after a pause. From `ARRIVED` on: arrived with a fetch. From `BEHIND` on, with `Lifo`: behind all other
    /// keys.
    sequence: u64,
    /// When the key was requested; zero unless linger or ageing needs it.
    pub requested_at: Moment,
}

const ARRIVED: u64 = 1 << 62;
const BEHIND: u64 = 1 << 63;

/// The ordering rule of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Ranking {
    order: QueueOrder,
    /// The waiting time that counts as one step of urgency; `None` without ageing.
    ageing: Option<Duration>,
}

impl Ranking {
    fn new(settings: &TaskSettings) -> Ranking {
        let ageing = settings.queue_ageing.filter(|_| settings.queue_order.can_age());
        Ranking { order: settings.queue_order, ageing }
    }

    /// The position in the whole order, for a key with this urgency and this position among keys of equal urgency.
    #[inline]
    pub fn rank(self, urgency: i32, queue_position: QueuePosition) -> Rank {
        let before = match self.ageing {
            None => -i64::from(urgency),
            Some(step) => {
                let earlier = i128::from(urgency) * step.as_nanos() as i128;
                i64::try_from(i128::from(queue_position.requested_at.0) - earlier).unwrap_or(if urgency > 0 { i64::MIN } else { i64::MAX })
            }
        };
        Rank { before, sequence: queue_position.sequence }
    }

    /// The position of the keys of a fetch. `arrival` is the number of the fetch.
    pub fn arrived(self, arrival: u64, requested_at: Moment) -> QueuePosition {
        let sequence = match self.order {
            QueueOrder::Fifo => ARRIVED + arrival,
            QueueOrder::Lifo => BEHIND - 1 - arrival,
        };
        QueuePosition { sequence, requested_at }
    }

    /// The position behind all keys that wait at the same urgency, as if the key arrived now with a fetch of number `arrival`.
    pub fn behind(self, arrival: u64, now: Moment) -> QueuePosition {
        let sequence = match self.order {
            QueueOrder::Fifo => ARRIVED + arrival,
            QueueOrder::Lifo => BEHIND + arrival,
        };
        QueuePosition { sequence, requested_at: now }
    }

    /// The position of a retried key whose pause was the `nth` to end.
    pub fn retried(self, nth: u64, requested_at: Moment) -> QueuePosition {
        QueuePosition { sequence: nth, requested_at }
    }

    /// Whether `holder` gives up its place to `newcomer`: it is less urgent, or with `Lifo` equally urgent and older (rule F13b).
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
    /// The number of waiting keys.
    len: usize,
    /// The number of retried keys, which need no places.
    retried: usize,
    /// How many of the other keys were requested at each time: linger needs the time of the oldest at every event. `None` without linger.
    ages: Option<BTreeMap<Moment, usize>>,
}

/// The places of the queue: which groups hold some, and which could hold more.
struct QueuePlaces {
    /// The number of places.
    total: usize,
    /// The maximum number of places of one group.
    share: usize,
    /// The number of places that are held.
    held: usize,
    /// The groups that hold places.
    holders: BTreeSet<Rank>,
    /// The groups that could hold more places than they do.
    lacking: BTreeSet<Rank>,
}

/// How far a fetch has come in its search for keys that give up their places. The search visits each group once, even if it takes several
/// holds of the lock. Groups that are added behind the visited ones meanwhile are not searched.
#[derive(Clone, Copy, Default)]
pub struct Search {
    passed: Option<Rank>,
}

impl Search {
    /// Skips the group of this rank from now on.
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

    /// The number of waiting keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number of keys that wait without a place, except retried ones.
    pub fn deferred(&self) -> usize {
        self.len - self.retried - self.places.held
    }

    /// Whether there is a retried key.
    pub fn has_retried(&self) -> bool {
        self.retried > 0
    }

    /// Whether all places are held.
    pub fn is_full(&self) -> bool {
        self.places.are_held()
    }

    /// Whether the keys of this rank hold their maximum number of places.
    #[inline]
    pub fn is_share_used(&self, rank: Rank) -> bool {
        self.order.get(&rank).is_some_and(|group| group.places >= group.most_places)
    }

    /// Inserts a key, with a place if one is free and its share allows it.
    #[inline]
    pub fn push(&mut self, rank: Rank, key: WaitingKey, requested_at: Moment) {
        self.insert(rank, key, self.places.share);
        if let Some(ages) = &mut self.ages {
            *ages.entry(requested_at).or_default() += 1;
        }
    }

    /// Inserts a retried key, which needs no place.
    pub fn push_retried(&mut self, rank: Rank, key: WaitingKey) {
        self.insert(rank, key, 0);
        self.retried += 1;
    }

    /// Moves a waiting key whose urgency changed.
    pub fn move_key(&mut self, queue_position: QueuePosition, from: i32, to: i32, key: WaitingKey) {
        let is_retried = self.remove(queue_position, from, key);
        let rank = self.ranking.rank(to, queue_position);
        if is_retried {
            self.push_retried(rank, key);
        } else {
            self.push(rank, key, queue_position.requested_at);
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
        self.places.key_added(rank, group);
    }

    /// Removes a key. Returns whether it was a retried one.
    pub fn remove(&mut self, queue_position: QueuePosition, urgency: i32, key: WaitingKey) -> bool {
        let rank = self.ranking.rank(urgency, queue_position);
        let Some(group) = self.order.get_mut(&rank) else { return false };
        let is_retried = group.is_retried();
        group.remove(key.position);
        self.places.keys_removed(rank, group);
        if group.len == 0 {
            self.order.remove(&rank);
        }
        self.len -= 1;
        if is_retried {
            self.retried -= 1;
        } else {
            self.forget_age(queue_position.requested_at);
        }
        is_retried
    }

    /// Moves keys from the front to `popped` until `popped` has `most` keys, or until `may_go` refuses one. The arguments of `may_go` are
    /// the keys popped so far and the next one.
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
            self.places.keys_removed(rank, group);
            if group.len == 0 {
                entry.remove();
            }
            if is_stopped {
                break;
            }
        }
    }

    /// Whether the queue stores the times at which keys were requested. If so, `forget_age` must be called for each key that `pop` takes,
    /// except retried ones.
    pub fn has_ages(&self) -> bool {
        self.ages.is_some()
    }

    /// Forgets the time at which a key was requested, because the key has left the queue. Not to be called for a retried key.
    pub fn forget_age(&mut self, requested_at: Moment) {
        let Some(ages) = &mut self.ages else { return };
        if let Entry::Occupied(mut entry) = ages.entry(requested_at) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    /// The time at which the oldest key that is not retried was requested.
    pub fn oldest(&self) -> Option<Moment> {
        self.ages.as_ref()?.first_key_value().map(|(requested_at, _)| *requested_at)
    }

    /// Whether a place is free for a key that waits without one.
    #[inline]
    pub fn can_refill(&self) -> bool {
        !self.places.are_held() && !self.places.lacking.is_empty()
    }

    /// Gives free places to keys that wait without a place, in order.
    pub fn refill(&mut self) {
        while self.can_refill()
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

    /// Returns the last group in the order that holds a place and that the search has not passed, if it yields to a newcomer of this rank.
    pub fn last_to_give_way(&self, search: Search, newcomer: Rank) -> Option<(Rank, &Group)> {
        let end = search.passed.map_or(Bound::Unbounded, Bound::Excluded);
        let rank = *self.places.holders.range((Bound::Unbounded, end)).next_back()?;
        let group = self.order.get(&rank).filter(|_| self.ranking.yields_to(rank, newcomer))?;
        Some((rank, group))
    }

    /// Takes a place from the keys of this rank, one of which is then deferred.
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

    /// Whether the key has this rank. Used in checks: reads the whole group.
    pub fn holds(&self, rank: Rank, position: u32, flight: FlightId) -> bool {
        let is_it = |key: &WaitingKey| key.position == position && key.flight == flight;
        self.order.get(&rank).is_some_and(|group| group.keys().iter().any(is_it))
    }

    /// Checks that counts and lists are consistent: reads everything.
    pub fn check(&self) -> Result<(), String> {
        let QueuePlaces { total, held, holders, lacking, .. } = &self.places;
        let sum = |of: fn(&Group) -> usize| self.order.values().map(of).sum::<usize>();
        let is = (sum(|group| group.len), sum(|group| group.places), sum(|group| if group.is_retried() { group.len } else { 0 }));
        let counted = (self.len, *held, self.retried);
        if is != counted {
            return Err(format!("keys, held places and retried keys are {is:?}, but {counted:?} were counted"));
        }
        if held > total {
            return Err(format!("{held} places are held of {total}"));
        }
        if let Some(group) = self.order.values().find(|group| group.places > group.len.min(group.most_places)) {
            return Err(format!("{} keys hold {} places of at most {}", group.len, group.places, group.most_places));
        }
        let ranks = |is: fn(&Group) -> bool| self.order.iter().filter(move |(_, group)| is(group)).map(|(rank, _)| rank);
        if !ranks(|group| group.places > 0).eq(holders) || !ranks(|group| group.lacks() > 0).eq(lacking) {
            return Err("the list of groups that hold places, or of those that lack some, is wrong".into());
        }
        if held < total && !lacking.is_empty() {
            return Err("a key waits without a place although one is free".into());
        }
        Ok(())
    }
}

impl QueuePlaces {
    fn are_held(&self) -> bool {
        self.held >= self.total
    }

    /// Updates the places after a key was added to the group.
    #[inline]
    fn key_added(&mut self, rank: Rank, group: &mut Group) {
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

    /// Updates the places after keys were removed from the group. Its remaining keys take over as many of its places as they can use.
    #[inline]
    fn keys_removed(&mut self, rank: Rank, group: &mut Group) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Settings;
    use crate::task::slab::IdSlab;
    use std::cell::Cell;

    thread_local! {
        pub(super) static COMPARISONS: Cell<u64> = const { Cell::new(0) };
    }

    fn comparisons_of(work: impl FnOnce()) -> u64 {
        let before = COMPARISONS.get();
        work();
        COMPARISONS.get() - before
    }

    /// A queue in which single fetches of seven urgencies hold all places.
    fn full(order: QueueOrder, places: u32, flight: FlightId) -> WaitQueue {
        let settings = TaskSettings { queue_max_keys: places, queue_order: order, ..Settings::default().tasks };
        let mut queue = WaitQueue::new(&settings);
        for arrival in 0..u64::from(places) {
            let rank = queue.ranking.rank((arrival % 7) as i32, queue.ranking.arrived(arrival, Moment::default()));
            queue.push(rank, WaitingKey { position: 0, flight }, Moment::default());
        }
        assert!(queue.is_full());
        queue
    }

    #[test]
    fn f13b_a_key_that_gives_way_is_found_in_logarithmic_time() {
        const PLACES: u32 = 32_000;
        let flight = IdSlab::<FlightId, ()>::new().insert_with_key(|_| ());
        for order in QueueOrder::ALL {
            let mut queue = full(order, PLACES, flight);
            for arrival in u64::from(PLACES)..u64::from(PLACES) + 5_000 {
                let newcomer = queue.ranking.rank(7, queue.ranking.arrived(arrival, Moment::default()));
                let comparisons = comparisons_of(|| {
                    let (last, _) = queue.last_to_give_way(Search::default(), newcomer).expect("a key that is less urgent");
                    assert!(last > newcomer);
                    queue.take_place(last);
                    queue.push(newcomer, WaitingKey { position: 0, flight }, Moment::default());
                });
                assert!(comparisons < 500, "{comparisons} comparisons for one place");
            }
            assert_eq!((queue.check(), queue.deferred()), (Ok(()), 5_000));
        }
    }

    #[test]
    fn f13b_a_key_that_takes_no_place_learns_that_at_once() {
        let flight = IdSlab::<FlightId, ()>::new().insert_with_key(|_| ());
        let queue = full(QueueOrder::Fifo, 32_000, flight);
        let newcomer = queue.ranking.rank(0, queue.ranking.arrived(1 << 20, Moment::default()));
        let comparisons = comparisons_of(|| assert!(queue.last_to_give_way(Search::default(), newcomer).is_none()));
        assert!(comparisons < 100, "{comparisons} comparisons");
    }
}
