//! Finds expired entries without visiting others (rule S07), and with little work at a time (rule S19).
//!
//! A hierarchical timing wheel (Varghese and Lauck, 1987, scheme 7) whose wheels are created where needed: a trie over the expiry time in
//! milliseconds, six bits for each level, without levels on which all times agree. A slot has an unordered list of entries. A list of more
//! than [`LONGEST`] entries becomes a separate wheel with finer slots; so does a list of more than [`SHORT`] once its first entries may
//! have expired. At the lowest level all entries of a slot have the same expiry time, and their number is not limited.
//!
//! So at most [`LONGEST`] entries move down a level at once, and expired entries are found exactly.

use super::slab::Place;
use super::sparse::SparseColumn;
use super::work;
use crate::base::hint::rarely;
use crate::base::{Millis, NoMemory};

/// The number of slots of a wheel.
const SLOTS: usize = 64;
/// The number of bits of an expiry time that select a slot.
const DIGIT: u32 = 6;
/// The maximum number of entries in a slot above the lowest level.
const LONGEST: u8 = 64;
/// A list of up to this many entries is searched for expired ones, instead of being moved into finer slots.
const SHORT: u8 = 8;

#[derive(Clone, Copy)]
struct WheelLinks {
    /// The previous entry; for the first entry of a list, the number of the list with [`MARK`]; for an unlisted entry, [`Place::NONE`].
    before: u32,
    after: Place,
}

/// The bit that distinguishes a list from an entry in `before`, and a wheel from a list's first entry in a slot.
const MARK: u32 = 1 << 31;
const UNLINKED: WheelLinks = WheelLinks { before: Place::NONE.number(), after: Place::NONE };
const NO_WHEEL: u32 = u32::MAX >> 1;
/// Lists are numbered by wheel and slot, below the mark. Once there are this many wheels, lists are no longer refined.
const MAX_WHEELS: usize = (NO_WHEEL as usize) / SLOTS;

/// The content of a slot.
enum Slot {
    Nothing,
    /// A list, by its first entry.
    List(Place),
    /// A wheel, by its number.
    Wheel(u32),
}

/// A wheel: the slots of one digit, for expiry times that agree in all higher digits.
struct Wheel {
    /// The list that the wheel replaced; [`NO_WHEEL`] for the outermost wheel.
    above: u32,
    level: u32,
    /// The higher digits, which are the same for all of its entries.
    prefix: u64,
    /// One bit for each slot in use.
    used: u64,
    slots: [u32; SLOTS],
    /// The number of entries that were added to each list since it was last empty: an upper bound of its length.
    lengths: [u8; SLOTS],
}

impl Wheel {
    fn new(level: u32, end: u64, above: u32) -> Box<Wheel> {
        let (slots, lengths) = ([Place::NONE.number(); SLOTS], [0; SLOTS]);
        Box::new(Wheel { above, level, prefix: Wheel::prefix(level, end), used: 0, slots, lengths })
    }

    /// Returns the digits of `end` above `level`.
    fn prefix(level: u32, end: u64) -> u64 {
        end.checked_shr((level + 1) * DIGIT).unwrap_or(0)
    }

    fn slot_of(&self, end: u64) -> usize {
        (end >> (self.level * DIGIT)) as usize % SLOTS
    }

    /// The first expiry time that belongs to a slot.
    fn start(&self, slot: usize) -> u64 {
        let above = self.prefix.checked_shl((self.level + 1) * DIGIT).unwrap_or(0);
        above | (slot as u64) << (self.level * DIGIT)
    }

    /// The last expiry time that belongs to a slot.
    fn last(&self, slot: usize) -> u64 {
        self.start(slot) | ((1 << (self.level * DIGIT)) - 1)
    }

    fn get(&self, slot: usize) -> Slot {
        match self.slots[slot] {
            none if none == Place::NONE.number() => Slot::Nothing,
            wheel if wheel & MARK != 0 => Slot::Wheel(wheel & !MARK),
            first => Slot::List(Place::of_number(first)),
        }
    }

    fn first_slot(&self) -> usize {
        self.used.trailing_zeros() as usize % SLOTS
    }
}

/// Returns the highest digit in which two expiry times differ.
fn level_of(one: u64, other: u64) -> u32 {
    (63 - ((one ^ other) | 1).leading_zeros()) / DIGIT
}

/// The expiry times of one shard's entries.
pub(super) struct Expirations {
    /// Indexed by number.
    wheels: Vec<Option<Box<Wheel>>>,
    free: Vec<u32>,
    outermost: u32,
    /// Indexed by place in the slab.
    links: SparseColumn<WheelLinks>,
    /// A lower bound of all expiry times.
    soonest: u64,
}

impl Expirations {
    pub fn new() -> Expirations {
        Expirations { wheels: Vec::new(), free: Vec::new(), outermost: NO_WHEEL, links: SparseColumn::new(UNLINKED), soonest: u64::MAX }
    }

    /// A lower bound of all expiry times: there is nothing to do before it.
    pub fn next_due(&self) -> Millis {
        Millis(self.soonest)
    }

    fn wheel(&self, number: u32) -> &Wheel {
        self.wheels[number as usize].as_deref().expect("a wheel with this number is in use")
    }

    fn wheel_mut(&mut self, number: u32) -> &mut Wheel {
        self.wheels[number as usize].as_deref_mut().expect("a wheel with this number is in use")
    }

    fn add_wheel(&mut self, wheel: Box<Wheel>) -> u32 {
        // 64 entries need about 11 wheels in the worst case, and only with contrived expiry times.
        assert!(self.can_refine(), "there is a number for the new wheel");
        match self.free.pop() {
            Some(number) => {
                self.wheels[number as usize] = Some(wheel);
                number
            }
            None => {
                self.wheels.push(Some(wheel));
                self.wheels.len() as u32 - 1
            }
        }
    }

    /// Whether the wheel has no memory for entries yet.
    #[inline(always)]
    pub fn is_unused(&self) -> bool {
        self.links.is_unused()
    }

    /// Prepares for the entries of a slab of this capacity. If there is no memory for that, nothing changes.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), NoMemory> {
        self.links.try_grow(capacity)
    }

    /// Adds the entry at `place`, which expires at `end`; `end_of` must return this time for it. `capacity` is the number of entries
    /// that the slab has memory for.
    pub fn insert(&mut self, place: Place, end: Millis, capacity: usize, end_of: impl Fn(Place) -> Millis) {
        self.links.reach(place.index(), capacity);
        let end = end.0;
        self.soonest = self.soonest.min(end);
        if rarely(self.outermost == NO_WHEEL) {
            self.outermost = self.add_wheel(Wheel::new(0, end, NO_WHEEL));
        }
        let mut at = self.outermost;
        loop {
            let wheel = self.wheel(at);
            if rarely(Wheel::prefix(wheel.level, end) != wheel.prefix) {
                at = self.enclose(at, end);
                continue;
            }
            let slot = wheel.slot_of(end);
            if let Slot::Wheel(inner) = wheel.get(slot) {
                at = inner;
                continue;
            }
            if rarely(wheel.lengths[slot] >= LONGEST) && wheel.level > 0 && self.can_refine() {
                at = self.refine(at, slot, &end_of);
                continue;
            }
            return self.push(at, slot, place);
        }
    }

    /// Creates a wheel above one that has no slot for `end`.
    fn enclose(&mut self, inner: u32, end: u64) -> u32 {
        let Wheel { above, level, prefix, .. } = *self.wheel(inner);
        let inside = prefix.checked_shl((level + 1) * DIGIT).unwrap_or(0);
        let mut outer = Wheel::new(level_of(inside, end), end, above);
        let slot = outer.slot_of(inside);
        outer.used = 1 << slot;
        outer.slots[slot] = MARK | inner;
        let outer = self.add_wheel(outer);
        self.wheel_mut(inner).above = outer * SLOTS as u32 + slot as u32;
        if above == NO_WHEEL {
            self.outermost = outer;
        } else {
            self.wheel_mut(above / SLOTS as u32).slots[above as usize % SLOTS] = MARK | outer;
        }
        outer
    }

    fn can_refine(&self) -> bool {
        self.wheels.len() - self.free.len() < MAX_WHEELS
    }

    /// Moves the entries of a list into a new wheel. Returns the number of that wheel.
    fn refine(&mut self, number: u32, slot: usize, end_of: &impl Fn(Place) -> Millis) -> u32 {
        let above = number * SLOTS as u32 + slot as u32;
        let Slot::List(first) = self.wheel(number).get(slot) else { return number };
        let end = end_of(first).0;
        let mut level = 0;
        self.each(first, |place| level = level.max(level_of(end, end_of(place).0)));
        let inner = self.add_wheel(Wheel::new(level, end, above));
        let wheel = self.wheel_mut(number);
        (wheel.slots[slot], wheel.lengths[slot]) = (MARK | inner, 0);
        let mut next = Some(first);
        while let Some(place) = next {
            next = self.links[place.index()].after.some();
            let slot = self.wheel(inner).slot_of(end_of(place).0);
            self.push(inner, slot, place);
        }
        inner
    }

    /// Calls `see` with each entry of the list that begins with `first`.
    fn each(&self, first: Place, mut see: impl FnMut(Place)) {
        let mut next = Some(first);
        while let Some(place) = next {
            work::entry();
            see(place);
            next = self.links[place.index()].after.some();
        }
    }

    fn push(&mut self, number: u32, slot: usize, place: Place) {
        let wheel = self.wheel_mut(number);
        let after = Place::of_number(std::mem::replace(&mut wheel.slots[slot], place.number()));
        wheel.used |= 1 << slot;
        wheel.lengths[slot] = wheel.lengths[slot].saturating_add(1);
        self.links[place.index()] = WheelLinks { before: MARK | (number * SLOTS as u32 + slot as u32), after };
        if let Some(after) = after.some() {
            self.links[after.index()].before = place.number();
        }
    }

    /// Removes the entry at `place`, if it is in a list.
    #[inline(always)]
    pub fn remove(&mut self, place: Place) {
        if self.outermost != NO_WHEEL {
            self.unlink(place);
        }
    }

    #[inline(never)]
    fn unlink(&mut self, place: Place) {
        let Some(links) = self.links.get_mut(place.index()) else { return };
        let WheelLinks { before, after } = std::mem::replace(links, UNLINKED);
        if before == UNLINKED.before {
            return;
        }
        if let Some(after) = after.some() {
            self.links[after.index()].before = before;
        }
        if before & MARK == 0 {
            self.links[before as usize].after = after;
            return;
        }
        let list = before & !MARK;
        self.wheel_mut(list / SLOTS as u32).slots[list as usize % SLOTS] = after.number();
        if after == Place::NONE {
            self.vacate(list);
        }
    }

    /// Marks a slot as empty. Removes its wheel if that has no other slot in use.
    fn vacate(&mut self, list: u32) {
        let (number, slot) = (list / SLOTS as u32, list as usize % SLOTS);
        let wheel = self.wheel_mut(number);
        wheel.used &= !(1 << slot);
        (wheel.slots[slot], wheel.lengths[slot]) = (Place::NONE.number(), 0);
        if wheel.used != 0 {
            return;
        }
        let above = wheel.above;
        self.wheels[number as usize] = None;
        self.free.push(number);
        if above == NO_WHEEL {
            self.outermost = NO_WHEEL;
            self.soonest = u64::MAX;
            (self.wheels, self.free) = (Vec::new(), Vec::new());
        } else {
            self.vacate(above);
        }
    }

    /// Removes and returns an entry that has expired by `now`.
    pub fn take(&mut self, now: Millis, end_of: impl Fn(Place) -> Millis) -> Option<Place> {
        while self.soonest <= now.0 && self.outermost != NO_WHEEL {
            let (number, slot, first) = self.first_list();
            let wheel = self.wheel(number);
            if wheel.start(slot) > now.0 {
                self.soonest = wheel.start(slot);
            } else if wheel.last(slot) <= now.0 {
                self.remove(first);
                return Some(first);
            } else if wheel.lengths[slot] > SHORT && self.can_refine() {
                self.refine(number, slot, &end_of);
            } else {
                let (mut soonest, mut due) = (u64::MAX, None);
                self.each(first, |place| {
                    let end = end_of(place).0;
                    if end < soonest {
                        (soonest, due) = (end, Some(place));
                    }
                });
                self.soonest = soonest;
                if soonest <= now.0 {
                    due.into_iter().for_each(|place| self.remove(place));
                    return due;
                }
            }
        }
        None
    }

    /// Returns the wheel, the slot and the first entry of the list with the earliest expiry times.
    fn first_list(&self) -> (u32, usize, Place) {
        let mut number = self.outermost;
        loop {
            let wheel = self.wheel(number);
            let slot = wheel.first_slot();
            match wheel.get(slot) {
                Slot::Wheel(inner) => number = inner,
                Slot::List(first) => return (number, slot, first),
                Slot::Nothing => unreachable!("a wheel in use has a slot in use"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::entries_of;
    use super::*;
    use proptest::prelude::*;

    fn place(number: u32) -> Place {
        Place::of_number(number)
    }

    /// All entries that have expired by `now`.
    fn due(wheel: &mut Expirations, ends: &[u64], now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(place) = wheel.take(Millis(now), |place| Millis(ends[place.index()])) {
            assert!(ends[place.index()] <= now);
            due.push(place.number());
        }
        due.sort_unstable();
        due
    }

    fn insert(wheel: &mut Expirations, ends: &[u64], number: usize) {
        wheel.insert(place(number as u32), Millis(ends[number]), ends.len(), |place| Millis(ends[place.index()]));
    }

    #[test]
    fn s07_near_and_far_expiry_times_are_reported_on_time() {
        let ends = [1, 63, 64, 4_095, 4_096, 262_144, 1 << 40, u64::MAX - 1];
        let mut wheel = Expirations::new();
        (0..ends.len()).for_each(|number| insert(&mut wheel, &ends, number));
        for (number, end) in ends.iter().enumerate() {
            assert!(due(&mut wheel, &ends, end - 1).is_empty(), "before {end}");
            assert!(wheel.next_due().0 <= *end);
            assert_eq!(due(&mut wheel, &ends, *end), [number as u32]);
        }
        assert_eq!((wheel.next_due(), wheel.wheels.len()), (Millis::NEVER, 0));
    }

    #[test]
    fn fault28_a_clock_that_steps_back_does_no_harm() {
        let mut wheel = Expirations::new();
        assert!(due(&mut wheel, &[20], 1_000).is_empty());
        insert(&mut wheel, &[20], 0);
        assert!(due(&mut wheel, &[20], 10).is_empty());
        assert_eq!(due(&mut wheel, &[20], 30), [0]);
    }

    #[test]
    fn s19_an_insertion_or_a_take_visits_no_more_than_a_few_lists() {
        const MANY: usize = 100_000;
        let spreads: [fn(u64) -> u64; 5] = [
            |_| 300_000,
            |n| 300_000 + n,
            |n| 300_000 + n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 10_000,
            |n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20,
            // The deepest tree: 65 entries in each slot of each level on the path to time 0.
            |n| (n % 65) << (6 * (n / 65 % 10)),
        ];
        for (spread, of) in spreads.into_iter().enumerate() {
            let ends: Vec<u64> = (0..MANY as u64).map(of).collect();
            let mut wheel = Expirations::new();
            let (mut most, mut all) = (0, 0);
            let mut step = |work: &mut dyn FnMut()| {
                let entries = entries_of(work);
                (most, all) = (entries.max(most), all + entries);
            };
            (0..MANY).for_each(|number| step(&mut || insert(&mut wheel, &ends, number)));
            let mut in_order = ends.clone();
            in_order.sort_unstable();
            for end in in_order {
                step(&mut || {
                    let taken = wheel.take(Millis(end), |place| Millis(ends[place.index()])).expect("an entry is due");
                    assert_eq!(ends[taken.index()], end);
                });
            }
            assert!(most <= 2 * 11 * u64::from(LONGEST), "spread {spread}: {most} entries in one step");
            assert!(all <= 30 * MANY as u64, "spread {spread}: {} entries a step", all / MANY as u64);
            assert_eq!((wheel.wheels.capacity(), wheel.outermost), (0, NO_WHEEL), "an empty wheel keeps no memory (S20)");
        }
    }

    proptest! {
        #[test]
        fn s07_entries_are_reported_exactly_when_they_expire(
            start in 0..1u64 << 45,
            steps in prop::collection::vec((any::<bool>(), 0..400u32, 0..46u32, any::<u64>()), 1..900),
        ) {
            let mut now = start;
            let mut wheel = Expirations::new();
            let mut ends = vec![u64::MAX; 400];
            for (inserts, number, bits, draw) in steps {
                let span = draw % (1 << bits);
                if inserts {
                    wheel.remove(place(number));
                    ends[number as usize] = now + 1 + span;
                    insert(&mut wheel, &ends, number as usize);
                } else if bits == 0 {
                    wheel.remove(place(number));
                    ends[number as usize] = u64::MAX;
                } else {
                    now += span >> 3;
                    let expected: Vec<u32> = (0..400).filter(|n| ends[*n as usize] <= now).collect();
                    prop_assert_eq!(due(&mut wheel, &ends, now), expected.clone());
                    expected.into_iter().for_each(|n| ends[n as usize] = u64::MAX);
                    prop_assert!(wheel.next_due().0 > now);
                }
                let first = ends.iter().copied().min().unwrap_or(u64::MAX);
                prop_assert!(wheel.next_due().0 <= first);
                prop_assert_eq!(wheel.next_due() == Millis::NEVER, first == u64::MAX);
            }
        }
    }
}
