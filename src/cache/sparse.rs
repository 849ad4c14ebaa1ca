//! A column in which only some nodes have an element, such as the links of the timing wheel, which only entries with a TTL need.
//!
//! Each of its parts gets memory when the first of the part's elements is needed. So little is done at once (rule S19), whether a column
//! grows or gets its first element. If there is no memory for the list of the parts, the caller gets an error (rule L09a); if there is none
//! for a part, which is small, the program ends.

use crate::base::NoMemory;
use crate::base::hint::rarely;
use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Index, IndexMut};

/// The number of elements in a part.
const PART: usize = 1 << 11;

/// A column with an element for each node of a slab. An element that was never changed is blank.
pub(super) struct SparseColumn<T> {
    /// All elements of a part without memory are blank. The other parts have as many elements as the capacity gives them.
    parts: Vec<Vec<T>>,
    blank: T,
    capacity: usize,
}

impl<T: Copy> SparseColumn<T> {
    pub const fn new(blank: T) -> SparseColumn<T> {
        SparseColumn { parts: Vec::new(), blank, capacity: 0 }
    }

    /// Whether the column was never prepared for any node.
    #[inline(always)]
    pub fn is_unused(&self) -> bool {
        self.parts.is_empty()
    }

    /// Prepares the column for a slab of this capacity. If there is no memory for that, the column stays as it is.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), NoMemory> {
        if capacity <= self.capacity {
            return Ok(());
        }
        let number = capacity.div_ceil(PART);
        self.parts.try_reserve_exact(number - self.parts.len())?;
        if let Some((at, last)) = self.parts.iter_mut().enumerate().next_back().filter(|(_, last)| !last.is_empty()) {
            let len = size_of_part(at, capacity);
            last.try_reserve_exact(len - last.len())?;
            last.resize(len, self.blank);
        }
        self.parts.resize_with(number, Vec::new);
        self.capacity = capacity;
        Ok(())
    }

    /// The element at `at`, to change it. `capacity` is the capacity of the slab. As for any vector, running out of memory ends the
    /// program.
    #[inline(always)]
    pub fn reach(&mut self, at: usize, capacity: usize) -> &mut T {
        if rarely(self.get_mut(at).is_none()) {
            self.add_part(at, capacity);
        }
        &mut self[at]
    }

    #[cold]
    #[inline(never)]
    fn add_part(&mut self, at: usize, capacity: usize) {
        if self.try_grow(capacity.max(at + 1)).is_err() {
            handle_alloc_error(Layout::new::<Vec<T>>());
        }
        let part = &mut self.parts[at / PART];
        if part.is_empty() {
            *part = vec![self.blank; size_of_part(at / PART, self.capacity)];
        }
    }

    /// The element at `at`, if its part has memory; otherwise it is blank.
    #[inline(always)]
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.parts.get_mut(at / PART)?.get_mut(at % PART)
    }
}

fn size_of_part(number: usize, capacity: usize) -> usize {
    (capacity - number * PART).min(PART)
}

impl<T: Copy> Index<usize> for SparseColumn<T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, at: usize) -> &T {
        self.parts.get(at / PART).and_then(|part| part.get(at % PART)).unwrap_or(&self.blank)
    }
}

impl<T: Copy> IndexMut<usize> for SparseColumn<T> {
    #[inline(always)]
    fn index_mut(&mut self, at: usize) -> &mut T {
        self.get_mut(at).expect("an element that was reached before")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elements_with_memory(column: &SparseColumn<u32>) -> usize {
        column.parts.iter().map(Vec::capacity).sum()
    }

    #[test]
    fn s19_the_first_element_of_a_large_column_gets_memory_for_one_part_only() {
        let mut column = SparseColumn::new(7);
        *column.reach(500_000, 1_000_000) = 8;
        assert_eq!([0, 499_999, 500_000, 999_999, usize::MAX].map(|at| column[at]), [7, 7, 8, 7, 7]);
        assert_eq!(elements_with_memory(&column), PART);
    }

    #[test]
    fn s19_a_column_that_grows_does_not_move_full_parts() {
        let mut column = SparseColumn::new(0);
        *column.reach(5, PART) = 5;
        let first = std::ptr::from_ref(&column[5]);
        for capacity in PART..20 * PART {
            assert_eq!(column.try_grow(capacity), Ok(()));
            column.reach(capacity - 1, capacity);
        }
        assert!(std::ptr::eq(first, &column[5]));
    }

    #[test]
    fn s03a_a_column_has_no_memory_beyond_the_capacity_of_the_slab() {
        let mut column = SparseColumn::new(0);
        assert!(column.is_unused());
        for capacity in [3, 8, PART - 1, PART + 1, 2 * PART + 17] {
            for at in 0..capacity {
                *column.reach(at, capacity) += 1;
            }
            assert_eq!(elements_with_memory(&column), capacity);
        }
        assert_eq!([0, 3, 8, PART, 2 * PART].map(|at| column[at]), [5, 4, 3, 2, 1]);
    }

    #[test]
    fn l09a_a_capacity_for_which_there_is_no_memory_is_an_error() {
        let mut column = SparseColumn::new(0);
        *column.reach(1, 9) = 4;
        // On 32-bit systems the list of the parts of the largest column has 24 MiB, for which there is memory.
        if cfg!(target_pointer_width = "64") {
            assert_eq!(column.try_grow(usize::MAX), Err(NoMemory));
            assert_eq!((column[1], column.capacity), (4, 9));
        }
    }

    proptest! {
        #[test]
        fn s19_a_column_behaves_like_an_array(steps in prop::collection::vec((0..4u8, 0..5 * PART), 1..60)) {
            let (mut column, mut array, mut capacity) = (SparseColumn::new(0), vec![0; 5 * PART], 0);
            for (step, at) in steps {
                match step {
                    0 => {
                        capacity = capacity.max(at);
                        prop_assert_eq!(column.try_grow(capacity), Ok(()));
                    }
                    1 => {
                        if let Some(element) = column.get_mut(at) {
                            *element += 2;
                            array[at] += 2;
                        }
                    }
                    _ => {
                        capacity = capacity.max(at + 1);
                        *column.reach(at, capacity) += 1;
                        array[at] += 1;
                    }
                }
                prop_assert_eq!(column[at], array[at]);
            }
            prop_assert!((0..5 * PART).all(|at| column[at] == array[at]));
        }
    }
}
