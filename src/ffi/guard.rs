//! The guard around every export: panics stop here, and a function that would wait is refused inside callbacks.
//!
//! It knows nothing about handles, which are checked where they are borrowed (`handle.rs`).

use super::constants::kvl_status_t;
use crate::base::Status;
use crate::base::panics::catch_panic;
use crate::base::process::must_not_wait;

/// The caller's promises about the arguments of an export, as one value, so that they are asserted in one place.
///
/// All reads through pointers of the caller go through this value, and their results live no longer than it.
pub(crate) struct Caller(());

impl Caller {
    /// Asserts the caller's promises.
    ///
    /// # Safety
    /// Every pointer that is given to the methods of the result keeps the promises of the header: NULL, or valid for what
    /// its parameter's documentation says, until the export returns. Handles are of their type and were not ended.
    pub(crate) unsafe fn trusted() -> Caller {
        Caller(())
    }
}

/// Runs an export that returns a status.
#[inline]
pub(crate) fn guard(run: impl FnOnce() -> Result<Status, Status>) -> kvl_status_t {
    let status = match catch_panic(run) {
        Ok(Ok(status) | Err(status)) => status,
        Err(_) => Status::ERR_PANIC,
    };
    status.0
}

/// Like [`guard`], for the slow path of an export with a fast path that cannot panic: not inlined.
#[inline(never)]
pub(crate) fn guard_apart(run: impl FnOnce() -> Result<Status, Status>) -> kvl_status_t {
    guard(run)
}

/// Runs an export that returns something else; `fallback` is returned after a panic.
#[inline]
pub(crate) fn guard_or<R>(fallback: R, run: impl FnOnce() -> R) -> R {
    catch_panic(run).unwrap_or(fallback)
}

/// For functions marked `outside`: returns an error inside callbacks and on library threads.
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
