//! Memory that may be refused: large allocations ask for it, and end in a status instead of the process (rule L09a).

use std::alloc::{Layout, alloc_zeroed};
use std::collections::TryReserveError;
use std::ptr::NonNull;

/// There is not enough memory, or the length exceeds what one allocation can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> NoMemory {
        NoMemory
    }
}

/// Types of which zero bytes are a value.
///
/// # Safety
/// A value whose bytes are all zero is valid.
pub unsafe trait Zero: Copy {}

// SAFETY: integers have no invalid values.
unsafe impl Zero for u32 {}
// SAFETY: as above.
unsafe impl Zero for u64 {}
// SAFETY: as above.
unsafe impl Zero for [u32; 2] {}

/// `count` zeros. The system provides zeroed memory untouched, so this costs nothing for items that are never written.
pub fn zeros<T: Zero>(count: usize) -> Result<Vec<T>, NoMemory> {
    let layout = Layout::array::<T>(count).map_err(|_| NoMemory)?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout is not empty.
    let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(NoMemory)?.cast::<T>();
    // SAFETY: the allocation has the layout of an array of `count` items, which are all zero and therefore valid.
    Ok(unsafe { Vec::from_raw_parts(start.as_ptr(), count, count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l09a_zeros_are_zero_and_an_impossible_number_of_them_is_no_memory() {
        assert_eq!(zeros::<u32>(0), Ok(vec![]));
        assert_eq!(zeros::<[u32; 2]>(3), Ok(vec![[0, 0]; 3]));
        assert_eq!(zeros::<u64>(usize::MAX), Err(NoMemory));
    }
}
