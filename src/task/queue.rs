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
use super::group::{Group, Waiting};
use crate::base::Moment;
use crate::base::config::{Order, Overflow, TaskSettings};
use std::collections::btree_map::{Entry, OccupiedEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

/// Where a key stands among those of other fetches; lower goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rank {
    before: i64,
    turn: Turn,
}

/// Where a key stands among those of one urgency: first those that are tried again after a pause, then most of them, then those that go
/// behind all that wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Turn(u64);

/// All turns from here on are of keys that came with a fetch.
const ARRIVED: u64 = 1 << 62;
/// All turns from here on are behind those.
const BEHIND: u64 = 1 << 63;

/// What the order of the queue is.
#[derive(Clone, Copy, Debug)]
pub struct Ranking {
    order: Order,
    /// How long a wait counts as one step of urgency.
    ageing: Option<Duration>,
}

impl Ranking {
    fn new(settings: &TaskSettings) -> Ranking {
        let ageing = settings.queue_ageing.filter(|_| settings.queue_order == Order::Fifo);
        Ranking { order: settings.queue_order, ageing }
    }

    /// Where a key of this urgency stands that was asked then.
    #[inline]
    pub fn rank(self, urgency: i32, turn: Turn, asked_at: Moment) -> Rank {
        let before = match self.ageing {
            None => -i64::from(urgency),
            Some(step) => {
                let earlier = i128::from(urgency) * step.as_nanos() as i128;
                i64::try_from(i128::from(asked_at.0) - earlier).unwrap_or(if urgency > 0 { i64::MIN } else { i64::MAX })
            }
        };
        Rank { before, turn }
    }

    /// The turn of the keys of the fetch that came as the `arrival`th.
    pub fn turn_of(self, arrival: u64) -> Turn {
        match self.order {
            Order::Fifo => Turn(ARRIVED + arrival),
            Order::Lifo => Turn(BEHIND - 1 - arrival),
        }
    }

    /// The turn of a key that goes behind all that wait at its urgency, as if it had come as the `arrival`th.
    pub fn turn_behind(self, arrival: u64) -> Turn {
        match self.order {
            Order::Fifo => Turn(ARRIVED + arrival),
            Order::Lifo => Turn(BEHIND + arrival),
        }
    }

    /// The turn of the key that was the `nth` to be due again.
    pub fn turn_again(self, nth: u64) -> Turn {
        Turn(nth)
    }

    /// Whether a key gives its place to a newcomer: one that is less urgent, or under `Lifo` as urgent and older (rule F13b).
    fn gives_way(self, holder: Rank, newcomer: Rank) -> bool {
        match self.order {
            Order::Fifo => holder.before > newcomer.before,
            Order::Lifo => holder > newcomer,
        }
    }
}

/// The waiting keys.
pub struct Queue {
    pub ranking: Ranking,
    order: BTreeMap<Rank, Group>,
    places: Places,
    /// How many keys wait.
    len: usize,
    /// How many of them are tried again: they need no places.
    retried: usize,
    /// How many of the others were asked when: a lingering queue is asked for its oldest key at every event. `None`: nothing lingers.
    ages: Option<BTreeMap<Moment, usize>>,
}

/// Who holds places, and who waits for one.
struct Places {
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

impl Queue {
    /// An empty queue.
    pub fn new(settings: &TaskSettings) -> Queue {
        let total = settings.queue_max_keys as usize;
        let share = match settings.queue_overflow {
            Overflow::Wait => (f64::from(settings.queue_max_keys) * settings.queue_share) as usize,
            Overflow::Reject => usize::MAX,
        };
        Queue {
            ranking: Ranking::new(settings),
            order: BTreeMap::new(),
            places: Places { total, share: share.max(1), held: 0, holders: BTreeSet::new(), lacking: BTreeSet::new() },
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
    pub fn push(&mut self, rank: Rank, key: Waiting, asked_at: Moment) {
        self.insert(rank, key, self.places.share);
        if let Some(ages) = &mut self.ages {
            *ages.entry(asked_at).or_default() += 1;
        }
    }

    /// Puts a key where it belongs that is tried again: it needs no place.
    pub fn push_retried(&mut self, rank: Rank, key: Waiting) {
        self.insert(rank, key, 0);
        self.retried += 1;
    }

    #[inline]
    fn insert(&mut self, rank: Rank, key: Waiting, most_places: usize) {
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

    /// Takes a key out.
    pub fn remove(&mut self, rank: Rank, position: u32, asked_at: Moment) {
        if let Entry::Occupied(group) = self.order.entry(rank) {
            take(group, position, &mut self.places);
            self.len -= 1;
            self.note_gone(asked_at);
        }
    }

    /// Takes a key out that is tried again.
    pub fn remove_retried(&mut self, rank: Rank, position: u32) {
        if let Entry::Occupied(group) = self.order.entry(rank) {
            take(group, position, &mut self.places);
            self.len -= 1;
            self.retried -= 1;
        }
    }

    /// Takes out the key that goes first, if it `may_go`.
    #[inline]
    pub fn pop(&mut self, may_go: impl FnOnce(FlightId) -> bool) -> Option<FlightId> {
        let group = self.order.first_entry()?;
        let first = group.get().first();
        if !may_go(first.flight) {
            return None;
        }
        self.len -= 1;
        self.retried -= usize::from(group.get().is_retried());
        take(group, first.position, &mut self.places);
        Some(first.flight)
    }

    /// A key that was popped was not tried again, and asked then.
    #[inline]
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
        let group = self.order.get(&rank).filter(|_| self.ranking.gives_way(rank, newcomer))?;
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
        let is_it = |key: &Waiting| key.position == position && key.flight == flight;
        self.order.get(&rank).is_some_and(|group| group.keys().iter().any(is_it))
    }

    /// Whether its numbers and lists agree. For checks: it reads everything.
    pub fn check(&self) -> Result<(), String> {
        let Places { total, held, holders, lacking, .. } = &self.places;
        let sum = |of: fn(&Group) -> usize| self.order.values().map(of).sum::<usize>();
        let is = (sum(Group::len), sum(|group| group.places), sum(|group| if group.is_retried() { group.len() } else { 0 }));
        let counted = (self.len, *held, self.retried);
        if is != counted {
            return Err(format!("keys, places held and keys tried again are {is:?}, counted {counted:?}"));
        }
        if held > total {
            return Err(format!("{held} keys on {total} places"));
        }
        if let Some(group) = self.order.values().find(|group| group.places > group.len().min(group.most_places)) {
            return Err(format!("{} keys hold {} places, and may hold {}", group.len(), group.places, group.most_places));
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

/// Takes the key that was asked at this position out of a group.
#[inline]
fn take(mut entry: OccupiedEntry<'_, Rank, Group>, position: u32, places: &mut Places) {
    let rank = *entry.key();
    if entry.get_mut().remove(position) {
        places.key_left(rank, entry.get_mut());
    } else {
        places.group_left(rank, &entry.remove());
    }
}

impl Places {
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

    /// A key left the group. If another waits without a place it has that one's now.
    #[inline]
    fn key_left(&mut self, rank: Rank, group: &mut Group) {
        if group.places > group.len() {
            group.places -= 1;
            self.held -= 1;
        } else if group.places < group.most_places && group.lacks() == 0 {
            self.lacking.remove(&rank);
        }
    }

    /// The last key left the group.
    #[inline]
    fn group_left(&mut self, rank: Rank, group: &Group) {
        if group.places > 0 {
            self.held -= group.places;
            self.holders.remove(&rank);
        } else {
            self.lacking.remove(&rank);
        }
    }
}
