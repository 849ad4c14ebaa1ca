//! macOS, iOS and related systems.
//!
//! Here CLOCK_MONOTONIC runs on while the machine sleeps, and std's waits do not. If timeouts were measured by CLOCK_MONOTONIC, a phone
//! would find all of them expired after a sleep. The clock that std itself reads is CLOCK_UPTIME_RAW.

use std::ffi::c_void;
use std::os::fd::OwnedFd;

// The coarse variant (_APPROX) does not say how far behind it may be, and this clock is read without a system call anyway.
pub(super) use libc::{CLOCK_MONOTONIC_RAW as SUSPEND_AWARE, CLOCK_UPTIME_RAW as RUNNING, CLOCK_UPTIME_RAW as RUNNING_COARSE};

/// There are no eventfds.
pub(super) fn event_fd() -> Option<OwnedFd> {
    None
}

/// Keeps the library's code mapped, even if a plugin that contains it is unloaded: its threads and fork handlers run that code.
pub fn pin_library() {
    // SAFETY: the address is that of a function of the library. `found` is filled in if the call succeeds. Its path is then a string that
    // is valid while that code is loaded, and code that runs is loaded.
    unsafe {
        let mut found: libc::Dl_info = std::mem::zeroed();
        let here = pin_library as fn() as *const c_void;
        if libc::dladdr(here, &mut found) != 0 && !found.dli_fname.is_null() {
            // RTLD_NOLOAD: this loads nothing. The handle is leaked on purpose.
            libc::dlopen(found.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}
