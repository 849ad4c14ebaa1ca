//! Calls of the host's functions. All of them go through [`call_host`], with no lock held.

use crate::base::panics::{catch_panic_of_host, catch_panic_of_host_on};
use crate::base::process::ThreadState;

/// Calls the host. Until this returns, the thread counts as inside a callback. A panic of a Rust host is caught here, because it cannot be
/// passed on; the result is then `None`, and the engine continues (rule L07).
pub fn call_host<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_panic_of_host(run).ok()
}

/// Like [`call_host`], for a caller that has the state of the current thread.
#[inline(always)]
pub fn call_host_on<R>(thread: &ThreadState, run: impl FnOnce() -> R) -> Option<R> {
    catch_panic_of_host_on(thread, run).ok()
}
