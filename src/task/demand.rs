//! The demand for a flight's key: how many waiters and refreshes want it, and with which urgency (rules F09, F13, F19).
//!
//! A flight is as urgent as the most urgent of them. Its urgency rises when a more urgent waiter joins, and falls when that waiter leaves.
//! Nearly always all have the same urgency, so those of lower urgencies are counted separately.

use std::collections::BTreeMap;

/// One unit of demand: a position that waits for the key, or a refresh of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    pub urgency: i32,
    /// Whether the key may wait without a place if none is free, instead of being lost. True for fetches of several keys, and for
    /// refreshes.
    pub is_deferrable: bool,
    /// Whether the answer is to be stored.
    pub stores: bool,
}

/// The total demand for one key.
pub struct Demand {
    /// The highest urgency. An empty demand keeps the last one.
    urgency: i32,
    /// The number of wishes with that urgency.
    most_urgent: u32,
    /// The wishes of lower urgency.
    less_urgent: Option<Box<LessUrgent>>,
    /// The number of deferrable wishes.
    deferrable: u32,
    /// Whether any wish, including those that were removed, needs the answer to be stored.
    pub stores: bool,
}

#[derive(Default)]
struct LessUrgent {
    by_urgency: BTreeMap<i32, u32>,
    total: u32,
}

impl Demand {
    /// Creates a demand with one wish.
    pub fn of(wish: Wish) -> Demand {
        Demand { urgency: wish.urgency, most_urgent: 1, less_urgent: None, deferrable: u32::from(wish.is_deferrable), stores: wish.stores }
    }

    /// The highest urgency among the wishes.
    pub fn urgency(&self) -> i32 {
        self.urgency
    }

    /// Whether dropping the demand frees no memory.
    #[inline(always)]
    pub fn owns_nothing(&self) -> bool {
        self.less_urgent.is_none()
    }

    /// The number of wishes.
    pub fn total(&self) -> u32 {
        self.most_urgent + self.less_urgent.as_ref().map_or(0, |less| less.total)
    }

    /// Whether there is no wish.
    pub fn is_empty(&self) -> bool {
        // If any wishes are left, the most urgent one is among them.
        self.most_urgent == 0
    }

    /// Whether any wish is deferrable, so that the key is not lost if there is no place.
    pub fn is_deferrable(&self) -> bool {
        self.deferrable > 0
    }

    /// Adds a wish.
    #[inline]
    pub fn add(&mut self, wish: Wish) {
        self.stores |= wish.stores;
        self.deferrable += u32::from(wish.is_deferrable);
        if wish.urgency == self.urgency {
            self.most_urgent += 1;
        } else {
            self.add_other(wish.urgency);
        }
    }

    fn add_other(&mut self, urgency: i32) {
        if self.is_empty() {
            (self.urgency, self.most_urgent) = (urgency, 1);
        } else if urgency > self.urgency {
            let (urgency, count) = (std::mem::replace(&mut self.urgency, urgency), std::mem::replace(&mut self.most_urgent, 1));
            self.add_below(urgency, count);
        } else {
            self.add_below(urgency, 1);
        }
    }

    fn add_below(&mut self, urgency: i32, count: u32) {
        let less = self.less_urgent.get_or_insert_default();
        *less.by_urgency.entry(urgency).or_default() += count;
        less.total += count;
    }

    /// Removes a wish that was added before.
    #[inline]
    pub fn remove(&mut self, wish: Wish) {
        self.deferrable -= u32::from(wish.is_deferrable);
        if wish.urgency == self.urgency && self.most_urgent > 1 {
            self.most_urgent -= 1;
        } else {
            self.remove_other(wish.urgency);
        }
    }

    fn remove_other(&mut self, urgency: i32) {
        let Some(less) = self.less_urgent.as_mut() else {
            self.most_urgent = 0;
            return;
        };
        less.total -= 1;
        if urgency == self.urgency {
            // The next lower urgency becomes the highest.
            if let Some((urgency, count)) = less.by_urgency.pop_last() {
                (self.urgency, self.most_urgent) = (urgency, count);
                less.total -= count - 1;
            }
        } else if let Some(count) = less.by_urgency.get_mut(&urgency) {
            *count -= 1;
            if *count == 0 {
                less.by_urgency.remove(&urgency);
            }
        }
        if less.total == 0 {
            self.less_urgent = None;
        }
    }

    /// Whether the counts are consistent and include `wishes`, those of the waiters; joiners and refreshes have further ones. Used in
    /// checks.
    pub fn covers(&self, wishes: impl Iterator<Item = Wish> + Clone) -> bool {
        let less = || self.less_urgent.iter().flat_map(|less| &less.by_urgency);
        let known = |urgency: i32| match less().find(|(level, _)| **level == urgency) {
            Some((_, count)) => *count,
            None if urgency == self.urgency => self.most_urgent,
            None => 0,
        };
        let count = |urgency: i32| wishes.clone().filter(|wish| wish.urgency == urgency).count();
        let deferrable = wishes.clone().filter(|wish| wish.is_deferrable).count();
        self.total() == self.most_urgent + less().map(|(_, count)| count).sum::<u32>()
            && less().all(|(urgency, count)| *urgency < self.urgency && *count > 0)
            && self.total() as usize >= wishes.clone().count()
            && (deferrable..=self.total() as usize).contains(&(self.deferrable as usize))
            && wishes.clone().all(|wish| wish.urgency <= self.urgency && count(wish.urgency) <= known(wish.urgency) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f13c_a_key_has_the_highest_urgency_among_its_present_wishes() {
        let wish = |urgency, is_deferrable| Wish { urgency, is_deferrable, stores: false };
        let mut wishes = vec![wish(0, true)];
        let mut demand = Demand::of(wishes[0]);
        for (urgency, is_deferrable) in [(0, false), (5, false), (-3, true), (5, true), (2, false), (-3, false)] {
            wishes.push(wish(urgency, is_deferrable));
            demand.add(wish(urgency, is_deferrable));
            assert!(demand.covers(wishes.iter().copied()));
        }
        for nth in [2, 1, 2, 3, 0, 1, 0] {
            demand.remove(wishes.remove(nth));
            assert!(demand.covers(wishes.iter().copied()), "after the removal of number {nth}");
            assert_eq!((demand.total(), demand.is_deferrable()), (wishes.len() as u32, wishes.iter().any(|wish| wish.is_deferrable)));
            if let Some(highest) = wishes.iter().map(|wish| wish.urgency).max() {
                assert_eq!(demand.urgency(), highest);
            }
        }
        assert!(demand.is_empty());
        demand.add(wish(-7, false));
        assert_eq!(demand.urgency(), -7, "the wishes that have left no longer count");
    }
}
