//! Where this thread and this process stand: inside a callback, and behind how many forks.

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    static HOST_DEPTH: Cell<u32> = const { Cell::new(0) };
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of the host's. Until it returns, this thread counts as inside a callback.
pub fn calling_host<R>(run: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = HOST_DEPTH.try_with(|depth| depth.set(depth.get() - 1));
        }
    }
    // A thread-local may be gone while the thread ends; a destructor that runs then is inside no callback of ours.
    if HOST_DEPTH.try_with(|depth| depth.set(depth.get() + 1)).is_err() {
        return run();
    }
    let _leave = Leave;
    run()
}

/// Says that this thread belongs to the library: whatever runs on it may not wait for the library.
pub fn claim_thread() {
    OURS.with(|ours| ours.set(true));
}

/// Whether a function marked `outside` must refuse: we are inside a callback or on a thread of ours.
pub fn must_not_wait() -> bool {
    HOST_DEPTH.try_with(Cell::get).unwrap_or(0) > 0 || OURS.try_with(Cell::get).unwrap_or(false)
}

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the first process and this one, at the time a handle is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation(u32);

impl Generation {
    /// This process. The first call asks the system to tell us of forks.
    pub fn now() -> Generation {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            unsafe extern "C" fn in_child() {
                FORKS.fetch_add(1, Ordering::Relaxed);
            }
            // SAFETY: the handler only touches an atomic, which is legal in the child of a fork.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        Generation(FORKS.load(Ordering::Relaxed))
    }

    /// Whether the process was forked since: locks may be held by threads that do not exist here (rule L06).
    pub fn is_stale(self) -> bool {
        self.0 != FORKS.load(Ordering::Relaxed)
    }
}
