//! Memory that may be refused: large allocations ask for it, and end in a status instead of the process (rule L09a).

use std::collections::TryReserveError;

/// There is not enough memory, or the length exceeds what one allocation can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> NoMemory {
        NoMemory
    }
}
