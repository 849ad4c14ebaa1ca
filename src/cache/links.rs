//! The links of a shard's nodes. They are in one array, because hits move nodes in the lists, and a second memory access for each node
//! would cost too much. An array moves when it grows; a large one does so in small steps (rule S19).
//!
//! ```text
//!   whole ── little room is left ──▶ being copied: each new node copies some links; a copied link that changes is copied again
//!     ▲                                │ all links are copied
//!     └────────────────────────────────┘ the copy replaces the array, which is freed after the lock is released
//! ```
//!
//! In a full shard there are no new nodes: a resize that raises the limit copies the array, in its own steps.

use super::slab::Place;
use std::collections::TryReserveError;

/// The neighbours in the list of the level. In a free node, `newer` is the next free node.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub(super) struct Links {
    pub older: Place,
    pub newer: Place,
}

impl Links {
    pub const NONE: Links = Links { older: Place::NONE, newer: Place::NONE };
}

/// An array of fewer links is moved at once.
const LARGE: usize = 1 << 14;
/// How many links each new node copies.
const COPIED_AT_ONCE: usize = 64;
/// How many links a step of a resize copies.
const PREPARED_AT_ONCE: usize = 1 << 12;
/// Copying begins when the room that is left is a 32nd of the links. When the copy is complete, half of that room is still there.
const ROOM_LEFT: usize = 32;

const _: () = assert!(COPIED_AT_ONCE >= 2 * ROOM_LEFT);

pub(super) struct LinkArray {
    links: Vec<Links>,
    /// A copy of the first links, in a larger array; without memory if none is being made.
    copy: Vec<Links>,
    outgrown: Vec<Links>,
}

impl LinkArray {
    pub const fn new() -> LinkArray {
        LinkArray { links: Vec::new(), copy: Vec::new(), outgrown: Vec::new() }
    }

    /// The number of links that there is memory for.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.links.capacity()
    }

    #[inline(always)]
    pub fn get(&self, place: Place) -> Option<&Links> {
        self.links.get(place.index())
    }

    /// The address of a node's links, for a prefetch only: for [`Place::NONE`] there is nothing at the address.
    #[inline(always)]
    pub fn address(&self, place: Place) -> *const Links {
        self.links.as_ptr().wrapping_add(place.index())
    }

    #[inline(always)]
    pub fn of(&self, place: Place) -> &Links {
        &self.links[place.index()]
    }

    /// To change the links of a node. [`LinkArray::changed`] must follow.
    #[inline(always)]
    pub fn of_mut(&mut self, place: Place) -> &mut Links {
        &mut self.links[place.index()]
    }

    /// Notes that the links of these nodes were changed.
    #[inline(always)]
    pub fn changed<const N: usize>(&mut self, places: [Place; N]) {
        if self.copy.capacity() > 0 {
            self.copy_again(&places);
        }
    }

    #[cold]
    #[inline(never)]
    fn copy_again(&mut self, places: &[Place]) {
        for place in places {
            if let Some(copy) = self.copy.get_mut(place.index()) {
                *copy = self.links[place.index()];
            }
        }
    }

    /// Gets memory for `capacity` links. If that fails, the links stay as they are.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), TryReserveError> {
        if capacity <= self.links.capacity() {
            return Ok(());
        }
        self.links.try_reserve_exact(capacity.saturating_sub(self.links.len()))?;
        // An incomplete copy is given up: there is room now.
        self.outgrown = std::mem::take(&mut self.copy);
        Ok(())
    }

    /// Adds the links of a new node. `next_capacity` returns the capacity that follows the present one.
    #[inline(always)]
    pub fn push(&mut self, links: Links, next_capacity: impl FnOnce(usize) -> usize) {
        self.links.push(links);
        if self.links.len() > LARGE {
            self.grow_ahead(next_capacity);
        }
    }

    #[inline(never)]
    fn grow_ahead(&mut self, next_capacity: impl FnOnce(usize) -> usize) {
        let capacity = self.links.capacity();
        self.copy_some(COPIED_AT_ONCE, next_capacity(capacity));
    }

    /// Copies a part of a nearly full array to a larger one, for a limit that is about to rise. Returns whether there is more to copy.
    pub fn prepare(&mut self, next_capacity: impl FnOnce(usize) -> usize) -> bool {
        let capacity = self.links.capacity();
        self.links.len() > LARGE && self.copy_some(PREPARED_AT_ONCE, next_capacity(capacity))
    }

    /// Copies up to `most` links if little room is left. Returns whether some remain to be copied.
    fn copy_some(&mut self, most: usize, wanted: usize) -> bool {
        let (len, capacity) = (self.links.len(), self.links.capacity());
        if self.copy.capacity() == 0 {
            // Without memory for a copy, the next attempt follows with the next node; once no room is left, `try_grow` decides.
            if capacity - len > len / ROOM_LEFT || wanted <= capacity || self.copy.try_reserve_exact(wanted).is_err() {
                return false;
            }
        }
        let from = self.copy.len();
        let to = len.min(from + most);
        self.copy.extend_from_slice(&self.links[from..to]);
        if to == len {
            self.outgrown = std::mem::replace(&mut self.links, std::mem::take(&mut self.copy));
        }
        to < len
    }

    /// The capacity of the array that is to be freed, 0 if there is none.
    #[inline(always)]
    pub fn outgrown(&self) -> usize {
        self.outgrown.capacity()
    }

    /// Returns an array that is no longer used, to be dropped after the lock is released.
    pub fn take_outgrown(&mut self) -> Vec<Links> {
        std::mem::take(&mut self.outgrown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(number: u32) -> Links {
        Links { older: Place::of_number(number), newer: Place::of_number(number / 2) }
    }

    fn next_capacity(capacity: usize) -> usize {
        capacity + capacity / 8
    }

    #[test]
    fn s19_a_full_array_is_copied_before_the_limit_rises() {
        let mut array = LinkArray::new();
        assert!(array.try_grow(5 * LARGE).is_ok());
        (0..5 * LARGE as u32).for_each(|number| array.push(links(number), |capacity| capacity));
        assert_eq!((array.capacity(), array.copy.capacity()), (5 * LARGE, 0), "the limit allows no larger array");
        let mut steps = 1;
        while array.prepare(next_capacity) {
            steps += 1;
            assert!(array.copy.len() <= (steps - 1) * PREPARED_AT_ONCE);
        }
        assert_eq!((array.capacity(), steps), (next_capacity(5 * LARGE), 5 * LARGE / PREPARED_AT_ONCE));
        assert!(!array.prepare(next_capacity), "there is room");
        assert!((0..5 * LARGE as u32).all(|number| array.of(Place::of_number(number)).older.number() == number));
    }

    #[test]
    fn s19_a_large_array_is_copied_a_little_at_a_time() {
        let mut array = LinkArray::new();
        assert!(array.try_grow(LARGE).is_ok());
        let (mut expected, mut moves) = (Vec::new(), 0);
        for number in 0..20 * LARGE as u32 {
            if array.links.len() == array.capacity() {
                assert!(array.links.len() <= LARGE, "a large array has room before it is full");
                assert!(array.try_grow(next_capacity(array.capacity())).is_ok());
            }
            let before = (array.copy.len(), array.capacity());
            array.push(links(number), next_capacity);
            expected.push(number);
            assert!(array.copy.len() <= before.0 + COPIED_AT_ONCE);
            moves += u32::from(array.capacity() != before.1);
            assert_eq!(array.outgrown() > 0, array.capacity() != before.1);
            drop(array.take_outgrown());
            // A link that changes meanwhile, copied or not, is correct in the copy.
            let other = number.wrapping_mul(0x9E37_79B9) % (number + 1);
            array.of_mut(Place::of_number(other)).older = Place::of_number(number);
            array.changed([Place::NONE, Place::of_number(other)]);
            expected[other as usize] = number;
        }
        assert!(moves > 10, "{moves} moves");
        let older = |number: u32| array.of(Place::of_number(number)).older.number();
        assert!(expected.iter().zip(0..).all(|(expected, number)| *expected == older(number)));
    }
}
