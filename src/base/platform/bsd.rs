//! FreeBSD, and every other POSIX system without a file of its own here. One clock has to serve as all three: suspend-aware, running, and
//! coarse.
//!
//! Whether that clock runs while the machine sleeps depends on the system. FreeBSD's does not; std measures its waits by it too.

use std::os::fd::OwnedFd;

// The coarse variants (_FAST) do not say how far behind they may be.
pub(super) use libc::{CLOCK_MONOTONIC as SUSPEND_AWARE, CLOCK_MONOTONIC as RUNNING, CLOCK_MONOTONIC as RUNNING_COARSE};

/// There are no eventfds.
pub(super) fn event_fd() -> Option<OwnedFd> {
    None
}

/// The library's code is never unmapped: it is linked with `-z nodelete` (build.rs).
pub fn pin_library() {}
