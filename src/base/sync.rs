//! The one place where the standard library or the model checker is chosen.
//!
//! Locks are the standard library's: they hold no memory of their own, so that a program that freed its handles has
//! nothing of ours left (rule L08).

#[cfg(loom)]
pub use loom::sync::{Condvar, MutexGuard, atomic};
#[cfg(not(loom))]
pub use std::sync::{Condvar, MutexGuard, atomic};

#[cfg(loom)]
use loom::sync::Mutex as Inner;
#[cfg(not(loom))]
use std::sync::Mutex as Inner;

/// A mutex without poisoning: who catches a panic under the lock mends what it guards before others see it (rule L07).
#[derive(Debug, Default)]
pub struct Mutex<T>(Inner<T>);

impl<T> Mutex<T> {
    /// A mutex around `value`.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(Inner::new(value))
    }

    /// Waits for the lock.
    #[inline(always)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(
            #[cold]
            |poisoned| poisoned.into_inner(),
        )
    }
}

/// Waits on `condvar`, without poisoning.
pub fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Waits on `condvar` for at most `timeout`, without poisoning.
#[cfg(not(loom))]
pub fn wait_until<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, timeout: std::time::Duration) -> MutexGuard<'a, T> {
    condvar.wait_timeout(guard, timeout).unwrap_or_else(|poisoned| poisoned.into_inner()).0
}
