//! Memory that the system may refuse: a large allocation then ends in a status, instead of ending the process (rule L09a).

use std::collections::TryReserveError;

/// There is not enough memory, or the length exceeds what one allocation can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> NoMemory {
        NoMemory
    }
}
