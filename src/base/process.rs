//! The context of the current thread and process: whether the thread is inside a callback or belongs to the library, which signals the
//! library blocks on it, and how often the process was forked.

use super::Status;
use super::hint::rarely;
use super::platform::{self, SignalSet};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Once};

thread_local! {
    static HERE: ThreadState = const {
        ThreadState {
            context: Cell::new(ThreadContext { forks: 0, callbacks: 0, owner: ThreadOwner::Program }),
            contains_panics: Cell::new(false),
            number: Cell::new(0),
        }
    };
}

/// What the library keeps for a thread. It is one variable, since in a shared library each access to a thread's storage costs a call. It
/// has no destructor, so it can be used even while the thread ends.
pub struct ThreadState {
    context: Cell<ThreadContext>,
    /// Whether a panic on this thread is caught, and prints no message.
    pub(super) contains_panics: Cell<bool>,
    /// See [`ThreadState::number`]; 0 until that is called for the first time.
    number: Cell<usize>,
}

impl ThreadState {
    /// The state of the current thread.
    #[inline(always)]
    pub fn with<R>(look: impl FnOnce(&ThreadState) -> R) -> R {
        HERE.with(look)
    }

    /// A number that no other thread has (until there have been as many threads as there are numbers).
    #[inline(always)]
    pub fn number(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        #[cold]
        #[inline(never)]
        fn first(number: &Cell<usize>) -> usize {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
            number.get()
        }
        match self.number.get() {
            0 => first(&self.number),
            known => known,
        }
    }

    /// See [`calling_host`].
    #[inline(always)]
    pub(super) fn call_host<R>(&self, run: impl FnOnce() -> R) -> R {
        /// Restores the context from before the call.
        struct ContextGuard<'a>(&'a Cell<ThreadContext>, ThreadContext);
        impl Drop for ContextGuard<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let before = self.context.get().in_this_process();
        self.context.set(ThreadContext { callbacks: before.callbacks + 1, ..before });
        let _leave = ContextGuard(&self.context, before);
        run()
    }
}

/// What the current thread is doing for the library.
#[derive(Clone, Copy)]
struct ThreadContext {
    /// The number of forks when this was written. The child of a fork inherits the memory of the thread that forked, but is inside no
    /// callback: the callback's caller does not exist there (rule L06).
    forks: u32,
    /// The depth of nested callbacks.
    callbacks: u32,
    owner: ThreadOwner,
}

/// Who started a thread. As wide as its neighbours, so that all are copied as words.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum ThreadOwner {
    Program,
    Library,
}

impl ThreadContext {
    /// The context, if it was written in this process; otherwise that of a thread of the program outside callbacks.
    fn in_this_process(self) -> ThreadContext {
        let forks = FORKS.load(Ordering::Relaxed);
        if self.forks == forks { self } else { ThreadContext { forks, callbacks: 0, owner: ThreadOwner::Program } }
    }
}

/// Runs host code. Until it returns, this thread counts as inside a callback.
pub fn calling_host<R>(run: impl FnOnce() -> R) -> R {
    ThreadState::with(|state| state.call_host(run))
}

/// Marks the current thread as one of the library, so that functions which wait for the library refuse to be called on it. `hidden`
/// contains the signals that the thread blocks and the program does not.
pub fn claim_thread(hidden: SignalSet) {
    ThreadState::with(|state| state.context.set(ThreadContext { owner: ThreadOwner::Library, ..state.context.get().in_this_process() }));
    HIDDEN.with(|signals| signals.set(Some(hidden)));
}

/// Whether a function marked `@threads outside` must refuse the call, because the thread is inside a callback or belongs to the library.
pub fn must_not_wait() -> bool {
    let context = ThreadState::with(|state| state.context.get().in_this_process());
    context.callbacks > 0 || context.owner == ThreadOwner::Library
}

static FORKS: AtomicU32 = AtomicU32::new(0);

/// Identifies the process that created a handle: the number of forks between the first process and that one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation(u32);

impl Generation {
    /// The generation of this process. The first call registers a fork handler and keeps the library's code mapped.
    pub fn now() -> Generation {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            extern "C" fn in_child() {
                FORKS.fetch_add(1, Ordering::Relaxed);
                // In the child this thread belongs to the program, and must receive its signals again.
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
    #[inline]
    pub fn is_stale(self) -> bool {
        self.0 != FORKS.load(Ordering::Relaxed)
    }

    /// Fails with FORKED if the process was forked since. Every interface asks this before it uses what belongs to a process, and before it
    /// drops that: in the child it is left as it is (rule L06).
    #[inline]
    pub fn check(self) -> Result<(), Status> {
        if rarely(self.is_stale()) { Err(Status::ERR_FORKED) } else { Ok(()) }
    }
}

/// A type that records the process in which it was created.
pub trait HasGeneration {
    /// The process, counted in forks.
    fn generation(&self) -> Generation;
}

impl<T: HasGeneration> HasGeneration for Arc<T> {
    #[inline]
    fn generation(&self) -> Generation {
        (**self).generation()
    }
}

thread_local! {
    /// On a thread of the library: the signals that it blocks and the program does not.
    static HIDDEN: Cell<Option<SignalSet>> = const { Cell::new(None) };
}

/// While this exists, the thread blocks all signals except synchronous ones. A thread that it starts inherits the mask from its first
/// instruction on, so that only the program's own threads receive its signals (rule L08).
pub struct SignalsHidden {
    before: SignalSet,
}

impl SignalsHidden {
    /// Blocks the signals.
    #[allow(clippy::new_without_default)] // it changes the thread, which a default value would hide
    pub fn new() -> SignalsHidden {
        SignalsHidden { before: platform::block_signals() }
    }

    /// The signals that a thread started now blocks and the program does not, for [`claim_thread`] there.
    pub fn hidden(&self) -> SignalSet {
        // If a thread of the library starts another one, the program blocks fewer signals than the starting thread does.
        let own = HIDDEN.with(Cell::get).unwrap_or_else(SignalSet::empty);
        SignalSet::asynchronous().without(self.before.without(own))
    }
}

impl Drop for SignalsHidden {
    fn drop(&mut self) {
        platform::restore_signals(&self.before);
    }
}
