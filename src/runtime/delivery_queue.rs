//! A queue of deliveries that a reader can wait on. The dispatcher thread has one, and so has each queue of the host.
//!
//! The channel is used only without blocking. Its blocking calls keep a thread handle in the local storage of the calling thread, which a
//! host's main thread never frees (rule L08), so the reader waits on a condition variable here. A sender takes no lock unless the reader
//! sleeps.

use super::delivery::Deliverable;
use crate::base::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::base::sync::{Condvar, Mutex, wait, wait_timeout};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Deliveries for one reader. Any number of threads may send; only one may read at a time.
pub struct DeliveryQueue {
    sender: Sender<Arc<dyn Deliverable>>,
    receiver: Receiver<Arc<dyn Deliverable>>,
    sleepers: AtomicUsize,
    /// Whether the reader must stop waiting although no delivery arrived. Stays set until the reader waits, so that no wake is lost.
    woken: Mutex<bool>,
    wakeup: Condvar,
}

impl DeliveryQueue {
    /// Creates an empty queue.
    #[allow(clippy::new_without_default)] // a queue has an identity, which a default value would hide
    pub fn new() -> DeliveryQueue {
        let (sender, receiver) = unbounded();
        DeliveryQueue { sender, receiver, sleepers: AtomicUsize::new(0), woken: Mutex::new(false), wakeup: Condvar::new() }
    }

    /// Sends a delivery. Never waits for the reader.
    pub fn send(&self, item: Arc<dyn Deliverable>) {
        // The receiver exists as long as the queue, so this cannot fail.
        let _ = self.sender.send(item);
        // Pairs with the fence in `take`: either the reader sees the delivery, or this thread sees that the reader sleeps.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // Under the lock, the reader is either before its last check, or asleep.
            let _woken = self.woken.lock();
            self.wakeup.notify_all();
        }
    }

    /// Whether no delivery is waiting.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// The number of deliveries that are waiting.
    pub fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Takes the next delivery, if there is one.
    pub fn try_take(&self) -> Option<Arc<dyn Deliverable>> {
        self.receiver.try_recv().ok()
    }

    /// Takes the next delivery. Waits for it for at most `timeout` (`None`: without limit), or until [`DeliveryQueue::wake`].
    pub fn take(&self, timeout: Option<Duration>) -> Option<Arc<dyn Deliverable>> {
        if let Some(item) = self.try_take() {
            return Some(item);
        }
        let until = timeout.map(|timeout| Instant::now().checked_add(timeout));
        let mut woken = self.woken.lock();
        loop {
            self.sleepers.fetch_add(1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let item = self.try_take();
            let left = match until {
                Some(Some(until)) => Some(until.saturating_duration_since(Instant::now())),
                _ => None,
            };
            let is_over = item.is_some() || std::mem::take(&mut *woken) || left.is_some_and(|left| left.is_zero());
            if is_over {
                self.sleepers.fetch_sub(1, Ordering::Relaxed);
                return item;
            }
            woken = match left {
                Some(left) => wait_timeout(&self.wakeup, woken, left),
                None => wait(&self.wakeup, woken),
            };
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Makes the reader that waits in [`DeliveryQueue::take`], or the next one to do so, stop waiting.
    pub fn wake(&self) {
        *self.woken.lock() = true;
        self.wakeup.notify_all();
    }
}
