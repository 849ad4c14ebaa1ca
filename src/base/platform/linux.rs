//! Linux and Android: a suspend-aware clock, a coarse one that excludes sleep, and eventfds.

use std::os::fd::{FromRawFd, OwnedFd};

pub(super) use libc::{CLOCK_BOOTTIME as SUSPEND_AWARE, CLOCK_MONOTONIC as RUNNING, CLOCK_MONOTONIC_COARSE as RUNNING_COARSE};

/// A new eventfd; `None` if the system refuses one.
pub(super) fn event_fd() -> Option<OwnedFd> {
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    // SAFETY: a new descriptor with no other owner.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The library's code is never unmapped: it is linked with `-z nodelete` (build.rs).
pub fn pin_library() {}
