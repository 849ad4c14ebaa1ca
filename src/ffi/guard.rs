//! The guard around exports, which catches panics, and the check ([`outside`]) that refuses functions that would wait inside callbacks. Two
//! kinds of code need no guard: exports in which nothing can panic ([`unguarded`]), and the fast paths of lookups (`Caller::try_fast`,
//! `Caller::try_validated`).
//!
//! The guard does not check handles; they are checked where they are borrowed (`handle.rs`).

use super::constants::kvl_status_t;
use crate::base::Status;
use crate::base::panics::catch_panic;
use crate::base::process::must_not_wait;

/// Proof that the program that calls an export keeps the promises of the header. An export reads the pointers that it was passed through
/// these methods and in no other way, so that it asserts the promises once. What a method returns must not outlive this value.
pub(crate) struct Caller(());

impl Caller {
    /// Asserts the caller's promises.
    ///
    /// # Safety
    /// Every pointer that is passed to the methods of the result keeps the promises of the header: it is NULL, or valid as its parameter's
    /// documentation says, until the export returns. Every handle is of the type that its
    /// parameter declares, and was not freed.
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

/// Like [`guard`], but not inlined: for the slow path of an export whose fast path cannot panic.
#[inline(never)]
pub(crate) fn guard_slow(run: impl FnOnce() -> Result<Status, Status>) -> kvl_status_t {
    guard(run)
}

/// Runs an export that does not return a status. `fallback` is returned after a panic.
#[inline]
pub(crate) fn guard_or<R>(fallback: R, run: impl FnOnce() -> R) -> R {
    catch_panic(run).unwrap_or(fallback)
}

/// Runs an export in which nothing can panic and no host code runs: it only reads a handle, or counts a reference to it. The guard
/// accesses thread-local storage, which takes longer than the whole call.
#[inline(always)]
pub(crate) fn unguarded<R>(run: impl FnOnce() -> R) -> R {
    run()
}

/// For exports whose documentation says `@threads outside`: fails inside callbacks and on threads of the library, where nothing may wait.
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
    fn l01_a_function_that_would_wait_is_refused_inside_a_callback() {
        assert_eq!(outside(), Ok(()));
        assert_eq!(calling_host(outside), Err(Status::ERR_REENTRANT));
        assert_eq!(outside(), Ok(()));
    }
}
