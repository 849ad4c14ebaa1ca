//! A double-ended queue in blocks: growing moves the elements of at most one block, and memory is freed block by block (rules S19, S20).
//!
//! A `VecDeque` of a million elements moves all of them when it grows, and frees its memory at once. Under a lock, either takes
//! milliseconds.

use super::NoMemory;
use super::hint::rarely;
use std::alloc::{Layout, handle_alloc_error};
use std::collections::VecDeque;

/// The number of elements in a block.
const BLOCK: usize = 256;

/// The number of elements that the first allocation of a queue has room for.
const FEWEST: usize = 4;

/// A double-ended queue whose operations take about the same time however many elements it has.
#[derive(Debug)]
pub struct BlockDeque<T> {
    first: VecDeque<T>,
    /// The blocks after the first one, none of them empty, and all but the last full. Short queues have none.
    more: VecDeque<VecDeque<T>>,
}

impl<T> Default for BlockDeque<T> {
    fn default() -> BlockDeque<T> {
        BlockDeque::new()
    }
}

impl<T> BlockDeque<T> {
    /// An empty queue. Allocates nothing.
    pub const fn new() -> BlockDeque<T> {
        BlockDeque { first: VecDeque::new(), more: VecDeque::new() }
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        let last = self.more.back().map_or(0, VecDeque::len);
        self.first.len() + self.more.len().saturating_sub(1) * BLOCK + last
    }

    /// Whether there are no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The first element.
    #[inline]
    pub fn front(&self) -> Option<&T> {
        self.first.front()
    }

    /// The last element.
    #[inline]
    pub fn back(&self) -> Option<&T> {
        self.more.back().unwrap_or(&self.first).back()
    }

    /// The element at `at`, counted from the front.
    #[inline]
    pub fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(self.first.len()) {
            None => self.first.get(at),
            Some(at) => self.more.get(at / BLOCK)?.get(at % BLOCK),
        }
    }

    /// The element at `at`, counted from the front.
    #[inline]
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(self.first.len()) {
            None => self.first.get_mut(at),
            Some(at) => self.more.get_mut(at / BLOCK)?.get_mut(at % BLOCK),
        }
    }

    /// The elements, from the front to the back.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.first.iter().chain(self.more.iter().flatten())
    }

    /// Adds an element at the back. As for any queue, running out of memory ends the program.
    #[inline]
    pub fn push_back(&mut self, element: T) {
        if self.try_push_back(element).is_err() {
            handle_alloc_error(Layout::new::<[T; BLOCK]>());
        }
    }

    /// Adds an element at the back, if there is memory for it.
    #[inline]
    pub fn try_push_back(&mut self, element: T) -> Result<(), NoMemory> {
        let last = if rarely(!self.more.is_empty()) { self.more.back_mut() } else { None };
        let mut block = last.unwrap_or(&mut self.first);
        if block.len() == block.capacity() {
            block = self.last_block_with_room()?;
        }
        block.push_back(element);
        Ok(())
    }

    /// The last block, with memory for another element. It is a new block if the last one is full.
    #[cold]
    fn last_block_with_room(&mut self) -> Result<&mut VecDeque<T>, NoMemory> {
        let last = self.more.back().unwrap_or(&self.first);
        if last.len() < BLOCK {
            let wanted = (2 * last.len()).clamp(FEWEST, BLOCK) - last.len();
            let last = self.more.back_mut().unwrap_or(&mut self.first);
            last.try_reserve_exact(wanted)?;
            return Ok(last);
        }
        let mut block = VecDeque::new();
        block.try_reserve_exact(BLOCK)?;
        self.more.try_reserve(1)?;
        self.more.push_back(block);
        self.more.back_mut().ok_or(NoMemory)
    }

    /// Removes the first element.
    #[inline]
    pub fn pop_front(&mut self) -> Option<T> {
        let element = self.first.pop_front();
        if self.first.is_empty()
            && let Some(next) = self.more.pop_front()
        {
            self.first = next;
            self.forget_more_if_empty();
        }
        element
    }

    /// Removes the last element.
    #[inline]
    pub fn pop_back(&mut self) -> Option<T> {
        let Some(last) = self.more.back_mut() else { return self.first.pop_back() };
        let element = last.pop_back();
        if last.is_empty() {
            self.more.pop_back();
            self.forget_more_if_empty();
        }
        element
    }

    /// Frees the memory of the list of further blocks once the list is empty: 32 bytes for each block that the queue had when it was
    /// longest.
    fn forget_more_if_empty(&mut self) {
        if self.more.is_empty() {
            self.more = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;

    #[test]
    fn s19_a_queue_that_grows_does_not_move_full_blocks() {
        let mut queue = BlockDeque::new();
        (0..=BLOCK).for_each(|number| queue.push_back(number));
        let (first, later) = (std::ptr::from_ref(&queue.first[7]), std::ptr::from_ref(&queue.more[0][0]));
        (queue.len()..100 * BLOCK).for_each(|number| queue.push_back(number));
        assert_eq!((std::ptr::from_ref(&queue.first[7]), std::ptr::from_ref(&queue.more[0][0])), (first, later));
        assert!(queue.iter().copied().eq(0..100 * BLOCK));
    }

    #[test]
    fn s20_a_queue_frees_each_block_that_is_used_up() {
        let mut queue = BlockDeque::new();
        (0..4 * BLOCK).for_each(|number| queue.push_back(number));
        (0..3 * BLOCK).for_each(|number| assert_eq!(queue.pop_front(), Some(number)));
        assert_eq!((queue.more.capacity(), queue.len()), (0, BLOCK), "nor does the list of blocks remain");
        (0..9 * BLOCK).for_each(|number| queue.push_back(number));
        (0..9 * BLOCK).for_each(|_| assert!(queue.pop_back().is_some()));
        assert_eq!((queue.more.capacity(), queue.len()), (0, BLOCK));
        let shared = Rc::new(());
        let mut queue = BlockDeque::new();
        (0..3 * BLOCK).for_each(|_| queue.push_back(shared.clone()));
        (0..BLOCK + 3).for_each(|_| drop((queue.pop_back(), queue.pop_front())));
        assert_eq!(Rc::strong_count(&shared), 1 + 3 * BLOCK - 2 * (BLOCK + 3));
        drop(queue);
        assert_eq!(Rc::strong_count(&shared), 1);
    }

    proptest! {
        #[test]
        fn s19_a_queue_in_blocks_behaves_like_one_in_one_piece(steps in prop::collection::vec((0..5u8, 0..3 * BLOCK), 1..40)) {
            let (mut blocks, mut whole) = (BlockDeque::new(), VecDeque::new());
            for (step, number) in steps {
                match step {
                    0 | 1 => (0..number).for_each(|element| {
                        blocks.push_back(element);
                        whole.push_back(element);
                    }),
                    2 => (0..number).for_each(|_| assert_eq!(blocks.pop_front(), whole.pop_front())),
                    3 => (0..number / 2).for_each(|_| assert_eq!(blocks.pop_back(), whole.pop_back())),
                    _ => {
                        blocks.get_mut(number).into_iter().for_each(|element| *element += 1);
                        whole.get_mut(number).into_iter().for_each(|element| *element += 1);
                    }
                }
                prop_assert_eq!((blocks.len(), blocks.is_empty()), (whole.len(), whole.is_empty()));
                prop_assert_eq!((blocks.front(), blocks.back(), blocks.get(number)), (whole.front(), whole.back(), whole.get(number)));
            }
            prop_assert!(blocks.iter().eq(&whole) && blocks.iter().rev().eq(whole.iter().rev()));
        }
    }
}
