//! Keys whose load failed while the store had something to tell instead: they are left alone for a while (rule R03).
//!
//! All pauses are equally long, so that the first that began is the first to be over. Bounded by itself: a key comes here with a failed
//! load alone, and leaves when its pause is over, at the latest with the timer.

use crate::base::{Error, Key, Moment};
use lru::LruCache;
use std::time::Duration;

/// The keys that are left alone, and what their loads failed with.
pub struct Throttle {
    /// In the order in which the pauses began: nothing here is moved when it is read.
    pauses: LruCache<Key, Pause>,
    length: Duration,
}

struct Pause {
    error: Error,
    until: Moment,
}

impl Throttle {
    /// One with pauses of that length; zero makes none.
    pub fn new(length: Duration) -> Throttle {
        Throttle { pauses: LruCache::unbounded(), length }
    }

    /// What the load of `key` failed with, if it is left alone.
    pub fn recall(&self, key: &[u8], now: Moment) -> Option<Error> {
        self.pauses.peek(key).filter(|pause| pause.until > now).map(|pause| pause.error.clone())
    }

    /// Leaves `key` alone from `now` on. What it replaces is handed out through `gone`.
    pub fn begin(&mut self, key: &Key, error: &Error, now: Moment, gone: &mut impl FnMut(Error)) {
        if !self.length.is_zero() {
            let pause = Pause { error: error.clone(), until: now.after(self.length) };
            self.pauses.push(key.clone(), pause).into_iter().for_each(|(_, older)| gone(older.error));
        }
    }

    /// `key` is not left alone any more.
    pub fn end(&mut self, key: &[u8], gone: &mut impl FnMut(Error)) {
        self.pauses.pop(key).into_iter().for_each(|pause| gone(pause.error));
    }

    /// Ends up to `most` pauses that are over.
    pub fn end_due(&mut self, most: usize, now: Moment, gone: &mut impl FnMut(Error)) {
        for _ in 0..most {
            if self.next_due().is_none_or(|due| due > now) {
                return;
            }
            self.pauses.pop_lru().into_iter().for_each(|(_, pause)| gone(pause.error));
        }
    }

    /// When the first pause is over.
    pub fn next_due(&self) -> Option<Moment> {
        self.pauses.peek_lru().map(|(_, pause)| pause.until)
    }

    /// Whether nothing is left alone.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pauses.is_empty()
    }

    /// Ends all pauses.
    pub fn clear(&mut self, gone: &mut impl FnMut(Error)) {
        while let Some((_, pause)) = self.pauses.pop_lru() {
            gone(pause.error);
        }
    }
}
