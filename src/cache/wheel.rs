//! Which entries are due, without looking at those that are not (rule S07).
//!
//! A hierarchical timing wheel (Varghese and Lauck, 1987, scheme 7) by the millisecond: eleven levels of 64 slots hold any
//! point in time. A node lies in the level of the highest of its deadline's base-64 digits that differs from `elapsed`'s, in
//! the slot of that digit; so the first slot in use of the lowest level in use is the next to come. When a slot's time has
//! come its nodes are handed out one by one: the caller lets them expire, or puts them back under the end they have by now.
//! That is how they move down the levels, and how an end that moved (idle TTL) is found out late, at no cost to a hit.

use super::slab::Place;
use crate::base::Millis;

const LEVELS: usize = 11;
const SLOTS: usize = 64;
const DIGIT: u32 = 6;
/// The list of those whose slot has come; it stands behind the slots.
const CAME: usize = LEVELS * SLOTS;

#[derive(Clone, Copy)]
struct Links {
    /// The node before, or the list of which this is the first, or nothing.
    before: u32,
    after: Place,
}

/// Marks a list's number, to tell it from a node's.
const LIST: u32 = 1 << 31;
const UNLINKED: Links = Links { before: Place::NONE.number(), after: Place::NONE };

/// The wheel of one shard.
pub(super) struct Wheel {
    /// What lies before it has come.
    elapsed: u64,
    first: Box<[Place; CAME + 1]>,
    /// Per level, one bit per slot in use.
    slots_in_use: [u64; LEVELS],
    /// One bit per level in use.
    levels_in_use: u16,
    /// By place in the slab.
    links: Vec<Links>,
}

impl Wheel {
    pub fn new(now: Millis) -> Wheel {
        let first = Box::new([Place::NONE; CAME + 1]);
        Wheel { elapsed: now.0, first, slots_in_use: [0; LEVELS], levels_in_use: 0, links: Vec::new() }
    }

    /// Before this nothing has to be done. Never later than the first end, and often earlier.
    pub fn next_due(&self) -> Millis {
        if self.first[CAME] != Place::NONE {
            return Millis(self.elapsed);
        }
        self.next_slot().map_or(Millis::NEVER, |(_, start)| Millis(start))
    }

    /// The slot that comes next, and when.
    fn next_slot(&self) -> Option<(usize, u64)> {
        if self.levels_in_use == 0 {
            return None;
        }
        let level = self.levels_in_use.trailing_zeros();
        let slot = self.slots_in_use[level as usize].trailing_zeros();
        let shift = level * DIGIT;
        // The digits above the level are those of `elapsed`, those below it 0. At the top level there are none above.
        let above = self.elapsed.checked_shr(shift + DIGIT).map_or(0, |digits| digits << (shift + DIGIT));
        Some((level as usize * SLOTS + slot as usize, above | u64::from(slot) << shift))
    }

    /// Lays the node at `place` down until `end`. `room` is for how many nodes the slab has memory.
    pub fn insert(&mut self, place: Place, end: Millis, room: usize) {
        if self.links.len() <= place.index() {
            self.links.reserve_exact(room.max(place.index() + 1) - self.links.len());
            self.links.resize(place.index() + 1, UNLINKED);
        }
        // A clock that stepped back may ask for a point that is over for the wheel: the next to come then.
        let at = end.0.max(self.elapsed.saturating_add(1));
        let level = (63 - ((at ^ self.elapsed) | 1).leading_zeros()) / DIGIT;
        let slot = (at >> (level * DIGIT)) as usize % SLOTS;
        self.slots_in_use[level as usize] |= 1 << slot;
        self.levels_in_use |= 1 << level;
        self.push(level as usize * SLOTS + slot, place);
    }

    fn push(&mut self, list: usize, place: Place) {
        let after = std::mem::replace(&mut self.first[list], place);
        self.links[place.index()] = Links { before: LIST | list as u32, after };
        if let Some(after) = after.some() {
            self.links[after.index()].before = place.number();
        }
    }

    /// Takes the node at `place` out, if it is in.
    pub fn remove(&mut self, place: Place) {
        let Some(links) = self.links.get_mut(place.index()) else { return };
        let Links { before, after } = std::mem::replace(links, UNLINKED);
        if before == UNLINKED.before {
            return;
        }
        if let Some(after) = after.some() {
            self.links[after.index()].before = before;
        }
        if before & LIST == 0 {
            self.links[before as usize].after = after;
            return;
        }
        let list = (before & !LIST) as usize;
        self.first[list] = after;
        if after == Place::NONE && list != CAME {
            self.free(list);
        }
    }

    fn free(&mut self, list: usize) {
        let (level, slot) = (list / SLOTS, list % SLOTS);
        self.slots_in_use[level] &= !(1 << slot);
        if self.slots_in_use[level] == 0 {
            self.levels_in_use &= !(1 << level);
        }
    }

    /// Takes out a node whose slot has come by `now`: its end has come, or is to be looked at again.
    pub fn take(&mut self, now: Millis) -> Option<Place> {
        loop {
            if let Some(place) = self.first[CAME].some() {
                self.remove(place);
                return Some(place);
            }
            let Some((list, start)) = self.next_slot().filter(|(_, start)| *start <= now.0) else {
                // No slot begins between the two, so every node stays right where it lies.
                self.elapsed = self.elapsed.max(now.0);
                return None;
            };
            self.elapsed = start;
            let place = std::mem::replace(&mut self.first[list], Place::NONE);
            self.free(list);
            self.first[CAME] = place;
            self.links[place.index()].before = LIST | CAME as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(number: u32) -> Place {
        Place::of_number(number)
    }

    /// Everything that is due by `now`, laid down again as long as its end is not over.
    fn due(wheel: &mut Wheel, ends: &[u64], now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(place) = wheel.take(Millis(now)) {
            let end = ends[place.index()];
            if end <= now { due.push(place.number()) } else { wheel.insert(place, Millis(end), ends.len()) }
        }
        due.sort_unstable();
        due
    }

    #[test]
    fn s07_a_slot_moves_down_level_by_level_and_is_on_time() {
        let ends = [1, 63, 64, 4_095, 4_096, 262_144, 1 << 40, u64::MAX - 1];
        let mut wheel = Wheel::new(Millis(0));
        for (number, end) in ends.iter().enumerate() {
            wheel.insert(place(number as u32), Millis(*end), 0);
        }
        for (number, end) in ends.iter().enumerate() {
            assert!(due(&mut wheel, &ends, end - 1).is_empty(), "before {end}");
            assert!(wheel.next_due().0 <= *end);
            assert_eq!(due(&mut wheel, &ends, *end), [number as u32]);
        }
        assert_eq!(wheel.next_due(), Millis::NEVER);
    }

    #[test]
    fn fault28_a_clock_that_steps_back_delays_by_a_tick_at_most() {
        let mut wheel = Wheel::new(Millis(1_000));
        assert_eq!(wheel.take(Millis(10)), None);
        wheel.insert(place(0), Millis(20), 0);
        assert_eq!(wheel.take(Millis(30)), None);
        assert_eq!(due(&mut wheel, &[20], 1_001), [0]);
    }

    proptest! {
        #[test]
        fn s07_what_is_due_is_handed_out_exactly_then(
            start in 0..1u64 << 45,
            steps in prop::collection::vec((any::<bool>(), 0..60u32, 0..46u32, any::<u64>()), 1..200),
        ) {
            let mut now = start;
            let mut wheel = Wheel::new(Millis(now));
            let mut ends = vec![u64::MAX; 60];
            for (inserts, number, bits, draw) in steps {
                let span = draw % (1 << bits);
                if inserts {
                    wheel.remove(place(number));
                    ends[number as usize] = now + 1 + span;
                    wheel.insert(place(number), Millis(now + 1 + span), 60);
                } else if bits == 0 {
                    wheel.remove(place(number));
                    ends[number as usize] = u64::MAX;
                } else {
                    now += span >> 3;
                    let expected: Vec<u32> = (0..60).filter(|n| ends[*n as usize] <= now).collect();
                    prop_assert_eq!(due(&mut wheel, &ends, now), expected.clone());
                    expected.into_iter().for_each(|n| ends[n as usize] = u64::MAX);
                }
                let first = ends.iter().copied().min().unwrap_or(u64::MAX);
                prop_assert!(wheel.next_due().0 <= first);
                prop_assert!(wheel.next_due().0 > now);
                prop_assert_eq!(wheel.next_due() == Millis::NEVER, first == u64::MAX);
            }
        }
    }
}
