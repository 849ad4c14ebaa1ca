//! A lock for long work in steps (rule S19): between two steps, waiting threads get the lock first.
//!
//! The locks of the standard library do not ensure that. A thread that releases a lock and takes it again at once succeeds before the woken
//! thread begins to run, so that a hundred short holds would keep other threads out for as long as one long hold.

use super::sync::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a thread that gives way waits for other threads, which may not be scheduled.
const PATIENCE: Duration = Duration::from_micros(200);

/// A mutex whose holder can give way to waiting threads. Without contention it costs the same as [`Mutex`].
#[derive(Debug, Default)]
pub struct FairMutex<T> {
    mutex: Mutex<T>,
    /// How many threads have ever had to wait. (std's atomics instead of those of `base::sync`, because models need not explore a hint.)
    arrived: AtomicU32,
    /// How many of these have acquired the lock.
    served: AtomicU32,
}

impl<T> FairMutex<T> {
    /// A mutex around `value`.
    pub fn new(value: T) -> FairMutex<T> {
        FairMutex { mutex: Mutex::new(value), arrived: AtomicU32::new(0), served: AtomicU32::new(0) }
    }

    /// Waits for the lock, like [`Mutex::lock`].
    #[inline(always)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.lock_unless_broken().unwrap_or_else(|broken| broken)
    }

    /// Waits for the lock, like [`Mutex::lock_unless_broken`].
    #[inline(always)]
    pub fn lock_unless_broken(&self) -> Result<MutexGuard<'_, T>, MutexGuard<'_, T>> {
        match self.mutex.try_lock_unless_broken() {
            Some(guard) => Ok(guard),
            None => self.wait(),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) -> Result<MutexGuard<'_, T>, MutexGuard<'_, T>> {
        self.arrived.fetch_add(1, Relaxed);
        let guard = self.mutex.lock_unless_broken();
        self.served.fetch_add(1, Relaxed);
        guard
    }

    /// Takes the lock if it is free, like [`Mutex::try_lock_unless_broken`].
    #[inline(always)]
    pub fn try_lock_unless_broken(&self) -> Option<MutexGuard<'_, T>> {
        self.mutex.try_lock_unless_broken()
    }

    /// Marks the data as consistent again.
    pub fn mended(&self) {
        self.mutex.mended();
    }

    /// The data. The exclusive borrow makes locking unnecessary.
    pub fn get_mut(&mut self) -> &mut T {
        self.mutex.get_mut()
    }

    /// Called between two holds by the same thread. Returns once the threads that were waiting have had the lock, or after [`PATIENCE`].
    #[inline]
    pub fn give_way(&self) {
        if self.is_awaited() {
            self.give_way_for(PATIENCE);
        }
    }

    /// Whether a thread is waiting for the lock.
    #[inline]
    pub fn is_awaited(&self) -> bool {
        self.arrived.load(Relaxed) != self.served.load(Relaxed)
    }

    #[cold]
    fn give_way_for(&self, patience: Duration) {
        let (before, until) = (self.arrived.load(Relaxed), Instant::now() + patience);
        while before.wrapping_sub(self.served.load(Relaxed)) as i32 > 0 && Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s19_waiting_threads_get_the_lock_between_two_holds() {
        const LONG: Duration = Duration::from_secs(60);
        let lock = FairMutex::new(0);
        std::thread::scope(|threads| {
            let mut held = lock.lock();
            for _ in 0..2 {
                threads.spawn(|| *lock.lock() += 1);
            }
            while lock.arrived.load(Relaxed) < 2 {
                std::thread::yield_now();
            }
            assert_eq!((*held, lock.is_awaited()), (0, true));
            *held = 10;
            drop(held);
            lock.give_way_for(LONG);
            assert_eq!((*lock.lock(), lock.is_awaited()), (12, false), "both waiting threads had the lock");
        });
    }
}
