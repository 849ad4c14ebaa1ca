//! macOS, iOS and their kin.
//!
//! There CLOCK_MONOTONIC goes on while the machine sleeps, and std's waits do not: were timeouts measured by it, a phone that slept would
//! wake to timeouts. The clock that std itself reads is CLOCK_UPTIME_RAW.

use std::ffi::c_void;
use std::os::fd::OwnedFd;

// The cheap variant (_APPROX) does not say how far behind it may be, and these are read without a system call anyway.
pub(super) use libc::{CLOCK_MONOTONIC_RAW as SUSPEND_AWARE, CLOCK_UPTIME_RAW as RUNNING, CLOCK_UPTIME_RAW as RUNNING_COARSE};

pub(super) fn event_fd() -> Option<OwnedFd> {
    None
}

/// The code of the library stays where it is, even if a plugin that brought it is unloaded: threads and fork handlers stand in it.
pub fn pin_library() {
    // SAFETY: the address is that of a function of the library; `found` is filled in if the call says so, and its path then is a string
    // that lives as long as that code is loaded, which it is while we run in it.
    unsafe {
        let mut found: libc::Dl_info = std::mem::zeroed();
        let here = pin_library as fn() as *const c_void;
        if libc::dladdr(here, &mut found) != 0 && !found.dli_fname.is_null() {
            // Nothing is loaded anew; the handle is given up on purpose.
            libc::dlopen(found.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}
