//! Where this thread and this process stand: inside a callback, on a thread of the library, and behind how many forks.

use super::platform::{self, SignalSet};
use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    static PLACE: Cell<ThreadContext> = const { Cell::new(ThreadContext { forks: 0, callbacks: 0, is_ours: false }) };
}

/// What a thread is doing for the library.
#[derive(Clone, Copy)]
struct ThreadContext {
    /// In which process that was noted. The child of a fork has the memory of the thread that forked, but it is inside no callback:
    /// its caller does not exist there (rule L06).
    forks: u32,
    /// How many callbacks it is inside.
    callbacks: u32,
    /// Whether the library started it.
    is_ours: bool,
}

impl ThreadContext {
    /// As noted in this process; where nothing was, the thread is the program's and outside.
    fn here(self) -> ThreadContext {
        let forks = FORKS.load(Ordering::Relaxed);
        if self.forks == forks { self } else { ThreadContext { forks, callbacks: 0, is_ours: false } }
    }
}

/// Runs host code. Until it returns, this thread counts as inside a callback.
pub fn calling_host<R>(run: impl FnOnce() -> R) -> R {
    /// What was noted before the call.
    struct ContextGuard(ThreadContext);
    impl Drop for ContextGuard {
        fn drop(&mut self) {
            let _ = PLACE.try_with(|place| place.set(self.0));
        }
    }
    let enter = |place: &Cell<ThreadContext>| {
        let before = place.get().here();
        place.set(ThreadContext { callbacks: before.callbacks + 1, ..before });
        before
    };
    // A thread-local may be gone while the thread ends; a destructor that runs then is not inside a callback.
    let _leave = PLACE.try_with(enter).map(ContextGuard);
    run()
}

/// Says that this thread belongs to the library: whatever runs on it may not wait for the library. `hidden`: the signals that it blocks
/// and the program does not.
pub fn claim_thread(hidden: SignalSet) {
    PLACE.with(|place| place.set(ThreadContext { is_ours: true, ..place.get().here() }));
    HIDDEN.with(|signals| signals.set(Some(hidden)));
}

/// Whether a function marked `outside` must refuse: this thread is inside a callback or belongs to the library.
pub fn must_not_wait() -> bool {
    PLACE.try_with(|place| place.get().here()).is_ok_and(|place| place.callbacks > 0 || place.is_ours)
}

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the first process and this one, at the time a handle is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation(u32);

impl Generation {
    /// This process. The first call asks the system to report forks and to keep the library's code mapped.
    pub fn now() -> Generation {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            extern "C" fn in_child() {
                FORKS.fetch_add(1, Ordering::Relaxed);
                // That thread is the program's now, and takes its signals again.
                if let Ok(Some(hidden)) = HIDDEN.try_with(Cell::take) {
                    platform::unblock_signals(&hidden);
                }
            }
            platform::pin_library();
            platform::watch_forks(in_child);
        });
        Generation(FORKS.load(Ordering::Relaxed))
    }

    /// Whether the process was forked since: locks may be held by threads that do not exist here (rule L06).
    pub fn is_stale(self) -> bool {
        self.0 != FORKS.load(Ordering::Relaxed)
    }
}

thread_local! {
    /// On a thread of the library: the signals that it blocks and the program does not.
    static HIDDEN: Cell<Option<SignalSet>> = const { Cell::new(None) };
}

/// While this lives the thread blocks all signals but the synchronous ones. A thread that it starts inherits that from its first
/// instruction on, so that the program's signals reach the program's threads alone (rule L08).
pub struct SignalsHidden {
    before: SignalSet,
}

impl SignalsHidden {
    /// From now on.
    #[allow(clippy::new_without_default)] // it changes the thread, which a default value would hide
    pub fn new() -> SignalsHidden {
        SignalsHidden { before: platform::block_signals() }
    }

    /// The signals that a thread started now blocks and the program does not, for [`claim_thread`] there.
    pub fn hidden(&self) -> SignalSet {
        // Where one of the library's threads starts another, the program blocks less than the starter does.
        let own = HIDDEN.with(Cell::get).unwrap_or_else(SignalSet::empty);
        SignalSet::asynchronous().without(self.before.without(own))
    }
}

impl Drop for SignalsHidden {
    fn drop(&mut self) {
        platform::restore_signals(&self.before);
    }
}
