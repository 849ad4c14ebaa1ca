//! The memory of recent errors (rule F20): bounded, evicting the least recently used, and limited in time.

use crate::base::{Error, Key, Millis};
use lru::LruCache;
use std::num::NonZeroUsize;

/// Recent errors, by key. A fetch of such a key receives the error again, without a load.
pub struct ErrorMemory {
    /// `None`: nothing is remembered.
    errors: Option<LruCache<Key, RecentFailure>>,
    ttl_ms: u64,
}

struct RecentFailure {
    error: Error,
    until: Millis,
}

impl ErrorMemory {
    /// A memory for `capacity` errors, `ttl_ms` long each; 0 remembers none.
    pub fn new(ttl_ms: u64, capacity: u64) -> ErrorMemory {
        // The crate would allocate a bounded cache in advance, so it is created unbounded and bounded below.
        let wanted = ttl_ms > 0 && capacity > 0;
        ErrorMemory { errors: wanted.then(LruCache::unbounded).map(|errors| bounded(errors, capacity)), ttl_ms }
    }

    /// The error remembered for `key`. An expired one is removed and passed to `gone`.
    pub fn recall(&mut self, key: &[u8], now: Millis, gone: &mut impl FnMut(Error)) -> Option<Error> {
        let errors = self.errors.as_mut()?;
        let remembered = errors.get(key)?;
        if remembered.until > now {
            return Some(remembered.error.clone());
        }
        errors.pop(key).into_iter().for_each(|expired| gone(expired.error));
        None
    }

    /// Remembers `error` from `now` on. An error that it replaces or evicts is passed to `gone`.
    pub fn remember(&mut self, key: &Key, error: &Error, now: Millis, gone: &mut impl FnMut(Error)) {
        let Some(errors) = self.errors.as_mut() else { return };
        let remembered = RecentFailure { error: error.clone(), until: now.after(self.ttl_ms) };
        errors.push(key.clone(), remembered).into_iter().for_each(|(_, out)| gone(out.error));
    }

    /// Forgets the error of `key`, if there is one.
    pub fn forget(&mut self, key: &[u8], gone: &mut impl FnMut(Error)) {
        if let Some(errors) = self.errors.as_mut() {
            errors.pop(key).into_iter().for_each(|forgotten| gone(forgotten.error));
        }
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.errors.as_ref().is_none_or(LruCache::is_empty)
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

fn bounded(mut errors: LruCache<Key, RecentFailure>, capacity: u64) -> LruCache<Key, RecentFailure> {
    let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
    if let Some(capacity) = NonZeroUsize::new(capacity) {
        errors.resize(capacity);
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembers(failures: &mut ErrorMemory) -> bool {
        let error = Error::of_provider(1, b"no", true, None);
        failures.remember(&Key::new(b"k"), &error, Millis(10), &mut |_| {});
        failures.recall(b"k", Millis(10), &mut |_| {}).is_some()
    }

    #[test]
    fn f20_no_time_or_no_room_remembers_nothing() {
        for (ttl_ms, capacity, wanted) in [(0, 5, false), (5, 0, false), (1, 1, true)] {
            let mut failures = ErrorMemory::new(ttl_ms, capacity);
            assert_eq!((failures.errors.is_some(), remembers(&mut failures)), (wanted, wanted), "{ttl_ms} ms, room for {capacity}");
        }
    }

    #[test]
    fn f20_each_error_that_goes_is_handed_out() {
        let (mut failures, mut gone) = (ErrorMemory::new(5, 1), 0);
        let error = Error::of_provider(1, b"no", true, None);
        let mut count = |_| gone += 1;
        failures.remember(&Key::new(b"a"), &error, Millis(10), &mut count);
        failures.remember(&Key::new(b"b"), &error, Millis(10), &mut count);
        assert!(failures.recall(b"b", Millis(15), &mut count).is_none(), "its time is over");
        failures.forget(b"b", &mut |_| panic!("it was forgotten when its time was over"));
        failures.remember(&Key::new(b"c"), &error, Millis(10), &mut count);
        failures.forget(b"c", &mut count);
        failures.remember(&Key::new(b"d"), &error, Millis(10), &mut count);
        failures.clear(&mut count);
        assert_eq!(gone, 4);
    }
}
