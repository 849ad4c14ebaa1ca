//! Who wants a flight's key now, and how urgently (rules F09, F13).
//!
//! A flight is as urgent as the most urgent of those who want it: its urgency rises when somebody joins and falls when they leave. Nearly
//! always everybody wants it at one urgency; what is wanted at lower ones is counted apart.

use std::collections::BTreeMap;

/// One position that waits for a key, or one refresh of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    pub urgency: i32,
    /// Whether the key waits without a place, rather than be lost, where it finds none: that of a fetch of several keys, or of a refresh.
    pub is_deferrable: bool,
}

/// All who want one key.
pub struct Demand {
    /// The highest urgency among them; the last known one when nobody is left.
    urgency: i32,
    /// How many want it at that urgency.
    most_urgent: u32,
    /// How many want it at lower urgencies.
    below: Option<Box<BTreeMap<i32, u32>>>,
    /// How many want it at all.
    total: u32,
    /// How many of them are deferrable.
    deferrable: u32,
}

impl Demand {
    /// The first who wants it.
    pub fn of(wish: Wish) -> Demand {
        Demand { urgency: wish.urgency, most_urgent: 1, below: None, total: 1, deferrable: wish.is_deferrable.into() }
    }

    /// The highest urgency among those who want it.
    pub fn urgency(&self) -> i32 {
        self.urgency
    }

    /// How many want it.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether anybody wants it who is not to lose it for want of a place.
    pub fn is_deferrable(&self) -> bool {
        self.deferrable > 0
    }

    /// One more wants it.
    #[inline]
    pub fn add(&mut self, wish: Wish) {
        self.total += 1;
        self.deferrable += u32::from(wish.is_deferrable);
        if wish.urgency == self.urgency {
            self.most_urgent += 1;
        } else {
            self.add_other(wish.urgency);
        }
    }

    fn add_other(&mut self, urgency: i32) {
        if self.most_urgent == 0 || urgency > self.urgency {
            let before = std::mem::replace(&mut self.urgency, urgency);
            let count = std::mem::replace(&mut self.most_urgent, 1);
            if count > 0 {
                self.below.get_or_insert_default().insert(before, count);
            }
        } else {
            *self.below.get_or_insert_default().entry(urgency).or_default() += 1;
        }
    }

    /// One who had added this wish wants it no more.
    #[inline]
    pub fn remove(&mut self, wish: Wish) {
        self.total -= 1;
        self.deferrable -= u32::from(wish.is_deferrable);
        if wish.urgency != self.urgency {
            return self.remove_below(wish.urgency);
        }
        self.most_urgent -= 1;
        if self.most_urgent == 0
            && let Some((urgency, count)) = self.below.as_mut().and_then(|below| below.pop_last())
        {
            (self.urgency, self.most_urgent) = (urgency, count);
        }
    }

    fn remove_below(&mut self, urgency: i32) {
        let Some(below) = self.below.as_mut() else { return };
        if let Some(count) = below.get_mut(&urgency) {
            *count -= 1;
            if *count == 0 {
                below.remove(&urgency);
            }
        }
    }

    /// Whether its parts agree with each other, and these wishes are among its own; the others may be of refreshes. For checks.
    pub fn covers(&self, wishes: impl Iterator<Item = Wish> + Clone) -> bool {
        let below = || self.below.as_deref().into_iter().flatten();
        let known = |urgency: i32| {
            if urgency == self.urgency { self.most_urgent } else { below().find(|level| *level.0 == urgency).map_or(0, |level| *level.1) }
        };
        let count = |urgency: i32| wishes.clone().filter(|wish| wish.urgency == urgency).count();
        self.total == self.most_urgent + below().map(|level| level.1).sum::<u32>()
            && self.total as usize >= wishes.clone().count()
            && self.deferrable as usize >= wishes.clone().filter(|wish| wish.is_deferrable).count()
            && self.deferrable <= self.total
            && below().all(|(urgency, known)| *urgency < self.urgency && *known > 0)
            && wishes.clone().all(|wish| wish.urgency <= self.urgency && count(wish.urgency) <= known(wish.urgency) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f13c_a_key_is_as_urgent_as_the_most_urgent_who_want_it_now() {
        let wish = |urgency, is_deferrable| Wish { urgency, is_deferrable };
        let mut wishes = vec![wish(0, true)];
        let mut demand = Demand::of(wishes[0]);
        for (urgency, is_deferrable) in [(0, false), (5, false), (-3, true), (5, true), (2, false), (-3, false)] {
            wishes.push(wish(urgency, is_deferrable));
            demand.add(wish(urgency, is_deferrable));
            assert!(demand.covers(wishes.iter().copied()));
        }
        for nth in [2, 1, 2, 3, 0, 1, 0] {
            demand.remove(wishes.remove(nth));
            assert!(demand.covers(wishes.iter().copied()), "after {nth}");
            assert_eq!((demand.total(), demand.is_deferrable()), (wishes.len() as u32, wishes.iter().any(|wish| wish.is_deferrable)));
            if let Some(highest) = wishes.iter().map(|wish| wish.urgency).max() {
                assert_eq!(demand.urgency(), highest);
            }
        }
        assert!(demand.is_empty());
        demand.add(wish(-7, false));
        assert_eq!(demand.urgency(), -7, "nobody is left of those who were more urgent");
    }
}
