//! Chooses between the locks and cells of the standard library, of the model checker, and of parking_lot and once_cell for the race
//! detector. No other file does.
//!
//! Normally the locks are the standard library's. They allocate no memory, so that none is left once a program has freed its handles (rule
//! L08). But the standard library is compiled without the race detector (tests/tiers/race), so the detector cannot see that one thread
//! waited for another. parking_lot and once_cell are compiled with the detector.

#[cfg(kvl_model)]
pub use loom::sync::{Condvar, MutexGuard, atomic};
#[cfg(kvl_race)]
pub use once_cell::sync::OnceCell as OnceLock;
#[cfg(kvl_race)]
pub use parking_lot::{Condvar, MutexGuard};
#[cfg(not(kvl_race))]
pub use std::sync::OnceLock;
#[cfg(not(kvl_model))]
pub use std::sync::atomic;
#[cfg(not(any(kvl_model, kvl_race)))]
pub use std::sync::{Condvar, MutexGuard};

#[cfg(kvl_model)]
use loom::sync::Mutex as Inner;
#[cfg(kvl_race)]
use parking_lot::Mutex as Inner;
#[cfg(not(any(kvl_model, kvl_race)))]
use std::sync::{Mutex as Inner, PoisonError};

/// A mutex without poisoning. After a panic under the lock, the code that catches it or the next holder repairs the data (rule L07).
#[derive(Debug, Default)]
pub struct Mutex<T>(Inner<T>);

impl<T> Mutex<T> {
    /// A mutex around `value`.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(Inner::new(value))
    }

    /// Waits for the lock.
    #[cfg(not(kvl_race))]
    #[inline(always)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(
            #[cold]
            |poisoned| poisoned.into_inner(),
        )
    }

    /// Waits for the lock.
    #[cfg(kvl_race)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }

    /// The data. The exclusive borrow makes locking unnecessary.
    #[cfg(not(kvl_race))]
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The data. The exclusive borrow makes locking unnecessary.
    #[cfg(kvl_race)]
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Waits for the lock. Returns it as `Err` if there was a panic under it since the last [`Mutex::mended`].
    #[cfg(not(any(kvl_model, kvl_race)))]
    #[inline(always)]
    pub fn lock_unless_broken(&self) -> Result<MutexGuard<'_, T>, MutexGuard<'_, T>> {
        self.0.lock().map_err(PoisonError::into_inner)
    }

    /// Never `Err`: with these locks no test panics while holding one.
    #[cfg(any(kvl_model, kvl_race))]
    pub fn lock_unless_broken(&self) -> Result<MutexGuard<'_, T>, MutexGuard<'_, T>> {
        Ok(self.lock())
    }

    /// Takes the lock if it is free and there was no panic under it since the last [`Mutex::mended`]. Does not panic.
    #[inline(always)]
    pub fn try_lock_unless_broken(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(kvl_race)]
        return self.0.try_lock();
        #[cfg(not(kvl_race))]
        return self.0.try_lock().ok();
    }

    /// Marks the data as consistent again.
    pub fn mended(&self) {
        #[cfg(not(any(kvl_model, kvl_race)))]
        self.0.clear_poison();
    }
}

/// Waits on `condvar`, without poisoning.
#[cfg(kvl_race)]
pub fn wait<'a, T>(condvar: &Condvar, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(&mut guard);
    guard
}

/// Waits on `condvar` for at most `timeout`, without poisoning.
#[cfg(kvl_race)]
pub fn wait_timeout<'a, T>(condvar: &Condvar, mut guard: MutexGuard<'a, T>, timeout: std::time::Duration) -> MutexGuard<'a, T> {
    let _ = condvar.wait_for(&mut guard, timeout);
    guard
}

/// Waits on `condvar`, without poisoning.
#[cfg(not(kvl_race))]
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Waits on `condvar` for at most `timeout`, without poisoning.
#[cfg(not(any(kvl_model, kvl_race)))]
pub fn wait_timeout<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, timeout: std::time::Duration) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, timeout).unwrap_or_else(|poisoned| poisoned.into_inner()).0
}

/// Time does not pass in a model: another thread wakes the waiting one, or the model reports a deadlock.
#[cfg(kvl_model)]
pub fn wait_timeout<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, _timeout: std::time::Duration) -> MutexGuard<'a, T> {
    wait(condvar, guard)
}

/// Calls `look` until it returns `Some`, for a few microseconds at most, so that the caller need not sleep: waking up takes longer.
#[cfg(not(kvl_model))]
pub fn linger<R>(mut look: impl FnMut() -> Option<R>) -> Option<R> {
    /// This many calls are followed by 1, 2, 4, ... spins, then as many by a yield each.
    const ROUNDS: u32 = 6;
    for round in 0..2 * ROUNDS {
        if let found @ Some(_) = look() {
            return found;
        }
        match round.checked_sub(ROUNDS) {
            None => (0..1 << round).for_each(|_| std::hint::spin_loop()),
            Some(_) => std::thread::yield_now(),
        }
    }
    look()
}

/// Time does not pass in a model: calls `look` once.
#[cfg(kvl_model)]
pub fn linger<R>(look: impl FnOnce() -> Option<R>) -> Option<R> {
    look()
}

/// Makes everything that other threads did before they released `count` visible to this thread.
#[cfg(not(kvl_race))]
pub fn acquire(_count: &std::sync::atomic::AtomicU32) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
}

/// Like the other `acquire`, for the race detector, which does not support fences.
#[cfg(kvl_race)]
pub fn acquire(count: &std::sync::atomic::AtomicU32) {
    count.load(std::sync::atomic::Ordering::Acquire);
}
