//! FreeBSD, and every other system with POSIX that no file here is about: one clock, which has to serve for all three.
//!
//! Whether that clock goes on while the machine sleeps is the system's affair; FreeBSD's, by which std's waits are measured too, does not.

use std::os::fd::OwnedFd;

// The cheap variants (_FAST) do not say how far behind they may be.
pub(super) use libc::{CLOCK_MONOTONIC as SUSPEND_AWARE, CLOCK_MONOTONIC as RUNNING, CLOCK_MONOTONIC as RUNNING_COARSE};

pub(super) fn event_fd() -> Option<OwnedFd> {
    None
}

/// The library's code is never unmapped: it is linked with `-z nodelete` (build.rs).
pub fn pin_library() {}
