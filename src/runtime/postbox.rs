//! A queue of mail, and a way to wait for it: what the dispatcher thread and the host's queue have in common.
//!
//! The channel is only ever asked without waiting. Its own way of waiting keeps a handle of the sender's thread in that thread's
//! local storage, where a host's main thread would never give it back (rule L08); so the waiting is done here, on a condition
//! variable. A sender that finds nobody asleep takes no lock.

use super::mail::Mail;
use crate::base::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::base::sync::{Condvar, Mutex, wait, wait_until};
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Mail on its way to one reader. Any number of senders; whoever reads does so one at a time.
pub struct Postbox {
    sender: Sender<Arc<dyn Mail>>,
    receiver: Receiver<Arc<dyn Mail>>,
    sleepers: AtomicUsize,
    /// Whether the reader is to stop waiting, for another reason than mail. Kept until it waits: a wake that comes just before
    /// is not lost.
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Postbox {
    /// An empty one.
    #[allow(clippy::new_without_default)] // a postbox is a thing, not a value
    pub fn new() -> Postbox {
        let (sender, receiver) = unbounded();
        Postbox { sender, receiver, sleepers: AtomicUsize::new(0), woken: Mutex::new(false), bell: Condvar::new() }
    }

    /// Sends mail. Never waits for the reader.
    pub fn send(&self, mail: Arc<dyn Mail>) {
        // Both ends live as long as the postbox.
        let _ = self.sender.send(mail);
        // Pairs with the fence in `take`: either the reader sees the mail, or we see that it sleeps.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // Under the lock the reader is either before its last look, or asleep.
            let _woken = self.woken.lock();
            self.bell.notify_all();
        }
    }

    /// Whether no mail waits.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// The next mail, if there is some.
    pub fn try_take(&self) -> Option<Arc<dyn Mail>> {
        self.receiver.try_recv().ok()
    }

    /// The next mail; waits for it, for at most `timeout` (`None`: as long as it takes), or until [`Postbox::wake`].
    pub fn take(&self, timeout: Option<Duration>) -> Option<Arc<dyn Mail>> {
        if let Some(mail) = self.try_take() {
            return Some(mail);
        }
        let until = timeout.map(|timeout| Instant::now().checked_add(timeout));
        let mut woken = self.woken.lock();
        loop {
            self.sleepers.fetch_add(1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let mail = self.try_take();
            let left = match until {
                Some(Some(until)) => Some(until.saturating_duration_since(Instant::now())),
                _ => None,
            };
            let is_over = mail.is_some() || std::mem::take(&mut *woken) || left.is_some_and(|left| left.is_zero());
            if is_over {
                self.sleepers.fetch_sub(1, Ordering::Relaxed);
                return mail;
            }
            woken = match left {
                Some(left) => wait_until(&self.bell, woken, left),
                None => wait(&self.bell, woken),
            };
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whoever waits in [`Postbox::take`], or does so next, stops waiting.
    pub fn wake(&self) {
        *self.woken.lock() = true;
        self.bell.notify_all();
    }
}
