//! The levels of a shard: one for each priority in use, and there may be any number of them (rule S05a). Finds the lowest level, and the
//! total of all entries up to a given priority.
//!
//! A treap (Seidel and Aragon, "Randomized search trees", 1996): a search tree by priority, and a heap by random weights, which keep it
//! balanced in whatever order priorities are added and removed. Each level stores the sum over its subtree, so that every query takes O(log
//! levels) steps. An entry refers to its level by a number, which is reused after the last entry of the level has left.

use super::work;
use crate::base::Random;
use crate::base::hint::rarely;

/// A number of entries, and their cost.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Amount {
    pub entries: u64,
    pub cost: u128,
}

impl Amount {
    pub fn is_none(self) -> bool {
        self == Amount::default()
    }

    pub fn covers(self, need: Amount) -> bool {
        self.entries >= need.entries && self.cost >= need.cost
    }

    pub fn add(&mut self, other: Amount) {
        self.entries += other.entries;
        self.cost += other.cost;
    }

    pub fn subtract(&mut self, other: Amount) {
        self.entries -= other.entries;
        self.cost -= other.cost;
    }
}

const NONE: u32 = u32::MAX;
/// When the last level goes, the memory for numbers is kept if there are at most this many: a store may be emptied and filled repeatedly.
const MOST_KEPT: usize = 64;

struct Level<L> {
    priority: f64,
    own: Amount,
    /// The sum over the subtree, including this level.
    sum: Amount,
    weight: u32,
    parent: u32,
    left: u32,
    right: u32,
    list: L,
}

/// The levels. `L` is the type of the list of entries in each.
pub(super) struct Levels<L> {
    /// By number. Each is a separate allocation, which is freed when its last entry leaves.
    levels: Vec<Option<Box<Level<L>>>>,
    free: Vec<u32>,
    root: u32,
    lowest: u32,
    random: Random,
}

/// Where a new level would be inserted into the tree.
struct InsertionPoint {
    parent: u32,
    is_left: bool,
}

impl<L: Default> Levels<L> {
    pub fn new() -> Levels<L> {
        Levels { levels: Vec::new(), free: Vec::new(), root: NONE, lowest: NONE, random: Random::new(None) }
    }

    #[inline(always)]
    fn at(&self, number: u32) -> &Level<L> {
        work::step();
        self.levels[number as usize].as_deref().expect("a level with this number is in use")
    }

    #[inline(always)]
    fn at_mut(&mut self, number: u32) -> &mut Level<L> {
        work::step();
        self.levels[number as usize].as_deref_mut().expect("a level with this number is in use")
    }

    /// The list of a level.
    #[inline]
    pub fn list(&mut self, number: u32) -> &mut L {
        &mut self.at_mut(number).list
    }

    /// The number of the only level, if there is exactly one.
    #[inline]
    pub fn only(&self) -> Option<u32> {
        (self.root != NONE && self.at(self.root).own.entries == self.at(self.root).sum.entries).then_some(self.root)
    }

    /// Whether there are entries, and all have this priority.
    #[inline(always)]
    pub fn is_only(&self, priority: f64) -> bool {
        if self.root == NONE {
            return false;
        }
        let level = self.at(self.root);
        level.own.entries == level.sum.entries && level.priority == priority
    }

    /// The list of the lowest level, whose entries are evicted first, and their total.
    #[inline]
    pub fn lowest(&self) -> Option<(&L, Amount)> {
        (self.lowest != NONE).then(|| {
            let level = self.at(self.lowest);
            (&level.list, level.own)
        })
    }

    /// The list of the highest level.
    pub fn highest(&self) -> Option<&L> {
        let (mut found, mut at) = (None, self.root);
        while at != NONE {
            let level = self.at(at);
            (found, at) = (Some(&level.list), level.right);
        }
        found
    }

    /// Like [`Levels::lowest`], to change the list.
    #[inline]
    pub fn lowest_mut(&mut self) -> Option<(&mut L, Amount)> {
        (self.lowest != NONE).then(|| {
            let level = self.at_mut(self.lowest);
            (&mut level.list, level.own)
        })
    }

    pub fn lowest_priority(&self) -> Option<f64> {
        (self.lowest != NONE).then(|| self.at(self.lowest).priority)
    }

    /// The lowest priority in use above `priority`; if `priority` is `None`, the lowest in use.
    pub fn priority_above(&self, priority: Option<f64>) -> Option<f64> {
        let Some(priority) = priority else { return self.lowest_priority() };
        let (mut above, mut at) = (None, self.root);
        while at != NONE {
            let level = self.at(at);
            if level.priority > priority {
                above = Some(level.priority);
                at = level.left;
            } else {
                at = level.right;
            }
        }
        above
    }

    /// The priority of a level.
    pub fn priority(&self, number: u32) -> f64 {
        self.at(number).priority
    }

    /// The list of the level of `priority`, if there is one.
    pub fn list_of(&self, priority: f64) -> Option<&L> {
        self.find(priority).ok().map(|number| &self.at(number).list)
    }

    /// Whether [`Levels::open`] may have to add a level of this priority to existing levels: there is a root, and it has another priority.
    #[inline(always)]
    pub fn may_need_another(&self, priority: f64) -> bool {
        self.root != NONE && self.at(self.root).priority != priority
    }

    /// Returns the number of the level of `priority`, and creates the level if needed. -0 and 0 are one level: the caller has turned
    /// -0 into 0, so that [`Levels::priority`] never returns -0.
    #[inline]
    pub fn open(&mut self, priority: f64) -> u32 {
        // Most stores have a single level.
        if self.root != NONE && self.at(self.root).priority == priority {
            return self.root;
        }
        self.find(priority).unwrap_or_else(|gap| self.insert(priority, &gap))
    }

    #[inline(never)]
    fn find(&self, priority: f64) -> Result<u32, InsertionPoint> {
        let mut gap = InsertionPoint { parent: NONE, is_left: false };
        let mut at = self.root;
        while at != NONE {
            let level = self.at(at);
            if level.priority == priority {
                return Ok(at);
            }
            gap = InsertionPoint { parent: at, is_left: priority < level.priority };
            at = if gap.is_left { level.left } else { level.right };
        }
        Err(gap)
    }

    #[inline(never)]
    fn insert(&mut self, priority: f64, gap: &InsertionPoint) -> u32 {
        let weight = self.random.bits() as u32;
        let (own, sum, list) = (Amount::default(), Amount::default(), L::default());
        let level = Box::new(Level { priority, own, sum, weight, parent: gap.parent, left: NONE, right: NONE, list });
        let number = match self.free.pop() {
            Some(number) => {
                self.levels[number as usize] = Some(level);
                number
            }
            None => {
                self.levels.push(Some(level));
                u32::try_from(self.levels.len() - 1).expect("a shard has fewer than 2^32 entries, and no more levels than entries")
            }
        };
        match gap.parent {
            NONE => self.root = number,
            parent if gap.is_left => self.at_mut(parent).left = number,
            parent => self.at_mut(parent).right = number,
        }
        while self.at(number).parent != NONE && self.at(self.at(number).parent).weight < weight {
            self.rotate_up(number);
        }
        if self.lowest == NONE || priority < self.at(self.lowest).priority {
            self.lowest = number;
        }
        number
    }

    /// Rotates a level into the position of its parent, which becomes its child.
    fn rotate_up(&mut self, number: u32) {
        let Level { parent, left, right, .. } = *self.at(number);
        let grandparent = self.at(parent).parent;
        let is_left = self.at(parent).left == number;
        let between = if is_left { right } else { left };
        if is_left {
            self.at_mut(parent).left = between;
            self.at_mut(number).right = parent;
        } else {
            self.at_mut(parent).right = between;
            self.at_mut(number).left = parent;
        }
        if between != NONE {
            self.at_mut(between).parent = parent;
        }
        self.at_mut(parent).parent = number;
        self.at_mut(number).parent = grandparent;
        self.replace_child(grandparent, parent, number);
        self.sum_up(parent);
        self.sum_up(number);
    }

    fn replace_child(&mut self, parent: u32, child: u32, by: u32) {
        if parent == NONE {
            self.root = by;
        } else if self.at(parent).left == child {
            self.at_mut(parent).left = by;
        } else {
            self.at_mut(parent).right = by;
        }
    }

    fn sum_of(&self, number: u32) -> Amount {
        if number == NONE { Amount::default() } else { self.at(number).sum }
    }

    fn sum_up(&mut self, number: u32) {
        let Level { own, left, right, .. } = *self.at(number);
        let mut sum = own;
        sum.add(self.sum_of(left));
        sum.add(self.sum_of(right));
        self.at_mut(number).sum = sum;
    }

    /// Adds an entry of this cost to a level. `link` puts the entry into the list, and gets the level's new total.
    #[inline(always)]
    pub fn enter(&mut self, number: u32, cost: u64, link: impl FnOnce(&mut L, Amount)) {
        let amount = Amount { entries: 1, cost: u128::from(cost) };
        let level = self.at_mut(number);
        level.own.add(amount);
        level.sum.add(amount);
        link(&mut level.list, level.own);
        let mut at = level.parent;
        while rarely(at != NONE) {
            let level = self.at_mut(at);
            level.sum.add(amount);
            at = level.parent;
        }
    }

    /// Removes an entry of this cost from a level. `unlink` takes the entry out of the list. A level without entries is removed.
    #[inline(always)]
    pub fn leave(&mut self, number: u32, cost: u64, unlink: impl FnOnce(&mut L)) {
        let amount = Amount { entries: 1, cost: u128::from(cost) };
        let level = self.at_mut(number);
        unlink(&mut level.list);
        level.own.subtract(amount);
        level.sum.subtract(amount);
        let is_last = level.own.entries == 0;
        let mut at = level.parent;
        while rarely(at != NONE) {
            let level = self.at_mut(at);
            level.sum.subtract(amount);
            at = level.parent;
        }
        if rarely(is_last) {
            self.remove(number);
        }
    }

    /// Records that one entry of the only level was replaced by another: `left` and `entered` are their costs. `change` changes the list.
    #[inline(always)]
    pub fn exchange_in_only(&mut self, left: u64, entered: u64, change: impl FnOnce(&mut L)) {
        debug_assert_eq!(self.only(), Some(self.root));
        let level = self.at_mut(self.root);
        for amount in [&mut level.own, &mut level.sum] {
            amount.cost = amount.cost - u128::from(left) + u128::from(entered);
        }
        change(&mut level.list);
    }

    #[inline(never)]
    fn remove(&mut self, number: u32) {
        if self.lowest == number {
            self.lowest = self.after(number).unwrap_or(NONE);
        }
        loop {
            let Level { parent, left, right, .. } = *self.at(number);
            let child = match (left, right) {
                (NONE, NONE) => {
                    self.replace_child(parent, number, NONE);
                    break;
                }
                (NONE, child) | (child, NONE) => child,
                (left, right) if self.at(left).weight > self.at(right).weight => left,
                (_, right) => right,
            };
            self.rotate_up(child);
        }
        self.levels[number as usize] = None;
        self.free.push(number);
        if self.root == NONE && self.levels.len() > MOST_KEPT {
            // Frees the memory of the numbers, which then start from 0 again.
            (self.levels, self.free) = (Vec::new(), Vec::new());
        }
    }

    /// Returns the level of the next higher priority.
    fn after(&self, number: u32) -> Option<u32> {
        let mut at = self.at(number).right;
        if at != NONE {
            while self.at(at).left != NONE {
                at = self.at(at).left;
            }
            return Some(at);
        }
        let (mut child, mut at) = (number, self.at(number).parent);
        while at != NONE && self.at(at).right == child {
            (child, at) = (at, self.at(at).parent);
        }
        (at != NONE).then_some(at)
    }

    /// Returns the total of all entries with a priority up to and including `priority`.
    pub fn up_to(&self, priority: f64) -> Amount {
        let mut amount = Amount::default();
        let mut at = self.root;
        while at != NONE {
            let level = self.at(at);
            if level.priority <= priority {
                amount.add(level.own);
                amount.add(self.sum_of(level.left));
                at = level.right;
            } else {
                at = level.left;
            }
        }
        amount
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::steps_of;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type BareLevels = Levels<()>;

    impl BareLevels {
        /// Checks the order, the heap and the sums of a subtree. Returns its total, the number of its levels and its lowest priority.
        fn check(&self, at: u32, parent: u32) -> (Amount, usize, f64) {
            let level = self.at(at);
            assert_eq!(level.parent, parent);
            let (mut sum, mut count, mut first) = (level.own, 1, level.priority);
            for (child, is_left) in [(level.left, true), (level.right, false)] {
                if child != NONE {
                    assert!(self.at(child).weight <= level.weight);
                    assert_eq!(self.at(child).priority < level.priority, is_left);
                    let (below, levels, lowest) = self.check(child, at);
                    sum.add(below);
                    count += levels;
                    first = first.min(lowest);
                }
            }
            assert_eq!(level.sum, sum);
            (sum, count, first)
        }
    }

    proptest! {
        #[test]
        fn s05a_the_tree_behaves_like_a_sorted_map(steps in prop::collection::vec((any::<bool>(), 0..60u8, 0..100u64), 1..400)) {
            let mut levels = BareLevels::new();
            let mut map: BTreeMap<u8, (u32, Vec<u64>)> = BTreeMap::new();
            for (enters, priority, cost) in steps {
                if enters {
                    let number = levels.open(f64::from(priority));
                    levels.enter(number, cost, |(), _| ());
                    let (known, costs) = map.entry(priority).or_insert((number, Vec::new()));
                    prop_assert_eq!(*known, number);
                    costs.push(cost);
                } else if let Some((number, costs)) = map.get_mut(&priority) {
                    levels.leave(*number, costs.pop().expect("a level in the map has an entry"), |()| ());
                    if costs.is_empty() {
                        map.remove(&priority);
                    }
                }
                let lowest = map.keys().next().map(|priority| f64::from(*priority));
                prop_assert_eq!(levels.lowest_priority(), lowest);
                prop_assert_eq!(levels.only().is_some(), map.len() == 1);
                if let Some(lowest) = lowest {
                    let (_, count, first) = levels.check(levels.root, NONE);
                    prop_assert_eq!((count, first), (map.len(), lowest));
                }
                for asked in [-1.0, f64::from(priority) - 0.5, f64::from(priority), f64::INFINITY] {
                    let below = map.iter().filter(|(priority, _)| f64::from(**priority) <= asked).flat_map(|(_, (_, costs))| costs);
                    let (mut entries, mut sum) = (0, 0);
                    below.for_each(|cost| (entries, sum) = (entries + 1, sum + u128::from(*cost)));
                    prop_assert_eq!(levels.up_to(asked), Amount { entries, cost: sum });
                }
            }
        }
    }

    /// In a random tree of n nodes, here levels, a node is about 2 ln n deep on average, whatever the order in which priorities are added.
    #[test]
    fn s05a_each_operation_takes_logarithmically_many_steps() {
        const MANY: u32 = 50_000;
        let orders: [fn(u32) -> u32; 3] = [|n| n, |n| MANY - n, |n| n.wrapping_mul(0x9E37_79B9)];
        for order in orders {
            let mut levels = BareLevels::new();
            let mut numbers = Vec::new();
            let inserting = steps_of(|| {
                for n in 0..MANY {
                    let number = levels.open(f64::from(order(n)));
                    levels.enter(number, 1, |(), _| ());
                    numbers.push(number);
                }
            });
            let querying = steps_of(|| (0..MANY).for_each(|n| assert!(levels.up_to(f64::from(order(n))).entries > 0)));
            let removing = steps_of(|| numbers.iter().for_each(|number| levels.leave(*number, 1, |()| ())));
            for (what, steps) in [("insert", inserting), ("query", querying), ("remove", removing)] {
                assert!(steps < 150 * u64::from(MANY), "{what}: {} steps each", steps / u64::from(MANY));
            }
            assert_eq!(
                (levels.lowest_priority(), levels.levels.capacity(), levels.free.capacity()),
                (None, 0, 0),
                "a tree that was large keeps no memory once it is empty (S20)"
            );
        }
    }
}
