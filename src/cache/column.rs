//! A vector that moves at most [`PART`] elements when it grows, so that growing takes no longer the more elements there are (rule S19).
//!
//! The elements are in parts of [`PART`] elements. Only the last part may be smaller, and only that one grows. Reading an element takes one
//! memory access more than in a vector: the address of its part, in a list that is short enough to be in the processor's cache.
//!
//! The file uses unsafe code to avoid further accesses: the list has the parts' addresses and nothing else.

use std::alloc::{Layout, handle_alloc_error};
use std::collections::TryReserveError;
use std::ops::{Index, IndexMut};
use std::ptr::NonNull;

/// The number of elements in a part.
const PART: usize = 1 << SHIFT;
const SHIFT: u32 = 11;

/// A growable column of elements.
pub(super) struct Column<T> {
    /// The address of each part's first element.
    starts: Vec<NonNull<T>>,
    /// The elements. All parts but the last are full.
    parts: Vec<Vec<T>>,
    len: usize,
    /// The number of elements that there is memory for.
    capacity: usize,
}

// SAFETY: the addresses point at elements that the column owns, and only its methods use them, by the rules of references.
unsafe impl<T: Send> Send for Column<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Column<T> {}

impl<T> Default for Column<T> {
    fn default() -> Column<T> {
        Column::new()
    }
}

impl<T> Column<T> {
    pub const fn new() -> Column<T> {
        Column { starts: Vec::new(), parts: Vec::new(), len: 0, capacity: 0 }
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number of elements that there is memory for.
    #[inline(always)]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Gets memory for `capacity` elements. If that fails, the elements stay as they are.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), TryReserveError> {
        while self.capacity < capacity {
            let number = self.capacity >> SHIFT;
            let wanted = (capacity - number * PART).min(PART);
            if self.capacity.is_multiple_of(PART) {
                let mut part = Vec::new();
                part.try_reserve_exact(wanted)?;
                self.parts.try_reserve(1)?;
                self.starts.try_reserve(1)?;
                self.starts.push(start_of(&mut part));
                self.parts.push(part);
            } else {
                let last = &mut self.parts[number];
                last.try_reserve_exact(wanted - last.len())?;
                self.starts[number] = start_of(last);
            }
            self.capacity = number * PART + wanted;
        }
        Ok(())
    }

    /// Gets memory for `capacity` elements. As for any vector, running out of memory ends the program.
    pub fn grow(&mut self, capacity: usize) {
        if self.try_grow(capacity).is_err() {
            handle_alloc_error(Layout::new::<T>());
        }
    }

    /// Adds an element. Gets memory for it if necessary.
    #[inline]
    pub fn push(&mut self, element: T) {
        if self.len == self.capacity {
            self.grow(self.len + 1);
        }
        // The part has the memory already, so this does not move it.
        self.parts[self.len >> SHIFT].push(element);
        self.len += 1;
    }

    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<&T> {
        // SAFETY: there is a part for each element, its address is current, and the element is initialised.
        (at < self.len).then(|| unsafe { &*self.starts.get_unchecked(at >> SHIFT).as_ptr().add(at & (PART - 1)) })
    }

    #[inline(always)]
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        // SAFETY: as above.
        (at < self.len).then(|| unsafe { &mut *self.starts.get_unchecked(at >> SHIFT).as_ptr().add(at & (PART - 1)) })
    }

    pub fn into_elements(self) -> impl Iterator<Item = T> {
        self.parts.into_iter().flatten()
    }
}

fn start_of<T>(part: &mut Vec<T>) -> NonNull<T> {
    NonNull::new(part.as_mut_ptr()).unwrap_or(NonNull::dangling())
}

impl<T> Index<usize> for Column<T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, at: usize) -> &T {
        self.get(at).expect("an element of the column")
    }
}

impl<T> IndexMut<usize> for Column<T> {
    #[inline(always)]
    fn index_mut(&mut self, at: usize) -> &mut T {
        self.get_mut(at).expect("an element of the column")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;

    #[test]
    fn s19_a_column_that_grows_does_not_move_full_parts() {
        let mut column = Column::new();
        (0..PART + 1).for_each(|number| column.push(number));
        let first = std::ptr::from_ref(&column[7]);
        (PART + 1..20 * PART).for_each(|number| column.push(number));
        assert!(std::ptr::eq(first, &column[7]));
        assert!((0..20 * PART).all(|number| column[number] == number));
        assert_eq!((column.get(20 * PART), column.get(usize::MAX)), (None, None));
    }

    #[test]
    fn s20_elements_are_dropped_once() {
        let shared = Rc::new(());
        let mut column = Column::new();
        (0..2 * PART + 9).for_each(|_| column.push(Some(shared.clone())));
        assert_eq!(column[PART].take().map(|taken| Rc::strong_count(&taken)), Some(2 * PART + 10));
        assert_eq!(Rc::strong_count(&shared), 2 * PART + 9);
        assert_eq!(column.into_elements().flatten().take(5).count(), 5);
        assert_eq!(Rc::strong_count(&shared), 1);
    }

    proptest! {
        #[test]
        fn s20_a_column_behaves_like_a_vector(steps in prop::collection::vec((0..3u8, 0..3 * PART), 1..40)) {
            let (mut column, mut vector) = (Column::new(), Vec::new());
            for (step, number) in steps {
                match step {
                    0 => {
                        column.grow(number);
                        prop_assert!(column.capacity() >= number);
                    }
                    1 => (0..number / 8).for_each(|element| {
                        column.push(element);
                        vector.push(element);
                    }),
                    _ => {
                        if let Some(element) = vector.get_mut(number) {
                            *element += 1;
                            column[number] += 1;
                        }
                        prop_assert_eq!(column.get_mut(number).copied(), vector.get(number).copied());
                    }
                }
                prop_assert_eq!(column.len(), vector.len());
            }
            prop_assert_eq!(column.into_elements().collect::<Vec<_>>(), vector);
        }
    }
}
