//! Keeps signals away from this library's thread: they are for the program's threads.

/// Runs an action, such as starting a thread, with all signals blocked except those of faults: a thread that it starts inherits the mask.
#[cfg(unix)]
pub fn without_signals<T>(action: impl FnOnce() -> T) -> T {
    // SAFETY: the calls initialise both sets before they read them, and change only this thread's mask.
    unsafe {
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut blocked);
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT, libc::SIGSYS] {
            libc::sigdelset(&mut blocked, fault);
        }
        let is_set = libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before) == 0;
        let result = action();
        if is_set {
            libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        }
        result
    }
}

/// Runs an action. This system has no signals to block.
#[cfg(not(unix))]
pub fn without_signals<T>(action: impl FnOnce() -> T) -> T {
    action()
}
