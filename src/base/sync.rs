//! The one place where the standard library, the model checker or what the race detector can see through is chosen.
//!
//! Locks are the standard library's: they hold no memory of their own, so that a program that freed its handles has
//! nothing of ours left (rule L08). But they are compiled before the race detector comes (tests/tiers/race), which would then see
//! nothing of who waited for whom; parking_lot is compiled with us.

#[cfg(kvl_model)]
pub use loom::sync::{Condvar, MutexGuard, atomic};
#[cfg(kvl_race)]
pub use parking_lot::{Condvar, MutexGuard};
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

/// A mutex without poisoning: who catches a panic under the lock mends what it guards before others see it (rule L07), or who
/// comes next does.
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

    /// What it guards, where nobody else can hold it.
    #[cfg(not(kvl_race))]
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What it guards, where nobody else can hold it.
    #[cfg(kvl_race)]
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Waits for the lock; in `Err` if a panic passed through it since [`Mutex::mended`].
    #[cfg(not(any(kvl_model, kvl_race)))]
    #[inline(always)]
    pub fn lock_unless_broken(&self) -> Result<MutexGuard<'_, T>, MutexGuard<'_, T>> {
        self.0.lock().map_err(PoisonError::into_inner)
    }

    /// Where locks are others than the standard library's, no test panics under one.
    #[cfg(any(kvl_model, kvl_race))]
    pub fn lock_unless_broken(&self) -> Result<MutexGuard<'_, T>, MutexGuard<'_, T>> {
        Ok(self.lock())
    }

    /// The lock, if nobody holds it and no panic passed through it since [`Mutex::mended`]. Does not panic.
    #[inline(always)]
    pub fn try_lock_unless_broken(&self) -> Option<MutexGuard<'_, T>> {
        #[cfg(kvl_race)]
        return self.0.try_lock();
        #[cfg(not(kvl_race))]
        return self.0.try_lock().ok();
    }

    /// What it guards is whole again.
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
pub fn wait_until<'a, T>(condvar: &Condvar, mut guard: MutexGuard<'a, T>, timeout: std::time::Duration) -> MutexGuard<'a, T> {
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
pub fn wait_until<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, timeout: std::time::Duration) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, timeout).unwrap_or_else(|poisoned| poisoned.into_inner()).0
}

/// In a model time stands still: what waits is woken, or the model finds that nobody does.
#[cfg(kvl_model)]
pub fn wait_until<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, _timeout: std::time::Duration) -> MutexGuard<'a, T> {
    wait(condvar, guard)
}

/// Looks a few times, over some microseconds and giving way to others, before it is worth going to sleep: to be woken up takes longer.
#[cfg(not(kvl_model))]
pub fn linger<R>(mut look: impl FnMut() -> Option<R>) -> Option<R> {
    /// Of 1, 2, 4, ... pauses each; then as many that yield the processor.
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

/// In a model time stands still: who would linger looks once.
#[cfg(kvl_model)]
pub fn linger<R>(look: impl FnOnce() -> Option<R>) -> Option<R> {
    look()
}

/// What others did before they released `count` comes before what we do next.
#[cfg(not(kvl_race))]
pub fn acquire(_count: &std::sync::atomic::AtomicU32) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
}

/// The same for the race detector, which is blind to fences.
#[cfg(kvl_race)]
pub fn acquire(count: &std::sync::atomic::AtomicU32) {
    count.load(std::sync::atomic::Ordering::Acquire);
}
