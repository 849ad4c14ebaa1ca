//! The memory of recent failures (rule F20): bounded, least recently used out, each for a time.

use crate::base::{Error, Key, Millis};
use lru::LruCache;
use std::num::NonZeroUsize;

/// Errors that are given again to who asks for their key.
pub struct Failures {
    /// `None`: nothing is remembered.
    errors: Option<LruCache<Key, Remembered>>,
    ttl_ms: u64,
}

struct Remembered {
    error: Error,
    until: Millis,
}

impl Failures {
    /// A memory for `capacity` errors, `ttl_ms` long each; 0 remembers none.
    pub fn new(ttl_ms: u64, capacity: u64) -> Failures {
        // Unbounded as far as the crate knows, since it allocates a bounded one ahead; the bound is kept below.
        let wanted = ttl_ms > 0 && capacity > 0;
        Failures { errors: wanted.then(LruCache::unbounded).map(|errors| bounded(errors, capacity)), ttl_ms }
    }

    /// The error remembered of `key`. What is past its time is handed out through `gone`.
    pub fn recall(&mut self, key: &[u8], now: Millis, gone: &mut impl FnMut(Error)) -> Option<Error> {
        let errors = self.errors.as_mut()?;
        let remembered = errors.get(key)?;
        if remembered.until > now {
            return Some(remembered.error.clone());
        }
        errors.pop(key).into_iter().for_each(|expired| gone(expired.error));
        None
    }

    /// Remembers `error` from `now` on.
    pub fn remember(&mut self, key: &Key, error: &Error, now: Millis, gone: &mut impl FnMut(Error)) {
        let Some(errors) = self.errors.as_mut() else { return };
        let remembered = Remembered { error: error.clone(), until: now.after(self.ttl_ms) };
        errors.push(key.clone(), remembered).into_iter().for_each(|(_, out)| gone(out.error));
    }

    /// Forgets what is remembered of `key`.
    pub fn forget(&mut self, key: &[u8], gone: &mut impl FnMut(Error)) {
        if let Some(errors) = self.errors.as_mut() {
            errors.pop(key).into_iter().for_each(|forgotten| gone(forgotten.error));
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self, gone: &mut impl FnMut(Error)) {
        if let Some(errors) = self.errors.as_mut() {
            while let Some((_, forgotten)) = errors.pop_lru() {
                gone(forgotten.error);
            }
        }
    }
}

fn bounded(mut errors: LruCache<Key, Remembered>, capacity: u64) -> LruCache<Key, Remembered> {
    let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
    if let Some(capacity) = NonZeroUsize::new(capacity) {
        errors.resize(capacity);
    }
    errors
}
