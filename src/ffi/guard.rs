//! The one door that every export goes through: panics stop here, and a function that would wait refuses inside callbacks.
//!
//! It knows nothing of handles; those are checked where they are borrowed (`handle.rs`).

use super::constants::kvl_status_t;
use crate::base::Status;
use crate::base::panics::catch_panic;
use crate::base::process::must_not_wait;

/// What an export may believe of its arguments, as one value, so that the promise is made in one place.
///
/// All that is read through a pointer of the caller's goes through it, and lives no longer than it.
pub(crate) struct Caller(());

impl Caller {
    /// Believes the caller.
    ///
    /// # Safety
    /// Every pointer that is given to the methods of the result keeps the promises of the header: NULL, or valid for what
    /// its parameter's documentation says, until the export returns. Handles are of their type and were not ended.
    pub(crate) unsafe fn trusted() -> Caller {
        Caller(())
    }
}

/// Runs an export that answers a status.
#[inline]
pub(crate) fn guard(run: impl FnOnce() -> Result<Status, Status>) -> kvl_status_t {
    let status = match catch_panic(run) {
        Ok(Ok(status) | Err(status)) => status,
        Err(_) => Status::ERR_PANIC,
    };
    status.0
}

/// As [`guard`], on the long way of an export that has a short one, on which nothing can panic: not inlined there.
#[inline(never)]
pub(crate) fn guard_apart(run: impl FnOnce() -> Result<Status, Status>) -> kvl_status_t {
    guard(run)
}

/// Runs an export that answers something else; `fallback` stands for a panic.
#[inline]
pub(crate) fn guard_or<R>(fallback: R, run: impl FnOnce() -> R) -> R {
    catch_panic(run).unwrap_or(fallback)
}

/// For functions marked `outside`: refuses inside callbacks and on library threads.
pub(crate) fn outside() -> Result<(), Status> {
    if must_not_wait() { Err(Status::ERR_REENTRANT) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::process::calling_host;

    #[test]
    fn l07_a_panic_becomes_a_status() {
        assert_eq!(guard(|| panic!("contained")), Status::ERR_PANIC.0);
        assert_eq!(guard_or(7, || panic!("contained")), 7);
        assert_eq!((guard(|| Ok(Status::OK)), guard(|| Err(Status::ERR_CLOSED))), (0, -200));
    }

    #[test]
    fn l01_who_would_wait_refuses_inside_a_callback() {
        assert_eq!(outside(), Ok(()));
        assert_eq!(calling_host(outside), Err(Status::ERR_REENTRANT));
        assert_eq!(outside(), Ok(()));
    }
}
