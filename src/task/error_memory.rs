//! The memory of recent errors (rule F20): limited in number, in bytes and in time; the oldest are forgotten first.

use super::fifo_map::{Emptied, FifoMap, Remembered};
use crate::base::{Error, Key, Millis};

/// What is counted for an error besides its key and its message, in bytes: the memory of the error itself and its share of the nodes of the
/// map's trees, which are at least half full.
const OVERHEAD: u64 = 320;
/// All errors together may use `capacity` times this number of bytes. The average message is far shorter.
const BYTES_EACH: u64 = 1024;
/// The number of expired errors that are removed at a time (rule S19).
const STEP: usize = 256;

/// Recent errors, by key. A fetch of a key that is remembered here receives the error again, without a load.
pub struct ErrorMemory {
    /// All errors have the same TTL, so the oldest is the first to expire.
    errors: FifoMap<RecentFailure>,
    ttl_ms: u64,
    /// The maximum number of errors; 0 if none are remembered.
    capacity: u64,
    bytes: u64,
}

struct RecentFailure {
    error: Error,
    until: Millis,
}

impl Remembered for RecentFailure {
    fn runs_host_code_on_drop(&self) -> bool {
        self.error.runs_host_code_on_drop()
    }
}

fn bytes_of(key: &[u8], error: &Error) -> u64 {
    // The map holds the key twice.
    OVERHEAD + 2 * key.len() as u64 + error.message().count_bytes() as u64
}

impl ErrorMemory {
    /// Creates a memory for `capacity` errors with a TTL of `ttl_ms` milliseconds; 0 remembers none.
    pub fn new(ttl_ms: u64, capacity: u64) -> ErrorMemory {
        let capacity = if ttl_ms > 0 { capacity } else { 0 };
        ErrorMemory { errors: FifoMap::new(), ttl_ms, capacity, bytes: 0 }
    }

    /// Returns the error remembered for `key`. An expired one is removed and passed to `gone`.
    pub fn recall(&mut self, key: &[u8], now: Millis, gone: &mut impl FnMut(Error)) -> Option<Error> {
        let remembered = self.errors.get(key)?;
        if remembered.until > now {
            return Some(remembered.error.clone());
        }
        self.forget(key, gone);
        None
    }

    /// Remembers `error` from `now` on. Errors that it replaces or displaces are passed to `gone`.
    pub fn remember(&mut self, key: &Key, error: &Error, now: Millis, gone: &mut impl FnMut(Error)) {
        if self.capacity == 0 {
            return;
        }
        self.forget(key, gone);
        self.bytes += bytes_of(key, error);
        self.errors.insert(key, RecentFailure { error: error.clone(), until: now.after(self.ttl_ms) });
        while self.errors.len() as u64 > self.capacity || self.bytes > self.capacity.saturating_mul(BYTES_EACH) {
            self.forget_oldest(gone);
        }
    }

    /// Forgets the error of `key`, if there is one, and passes it to `gone`.
    pub fn forget(&mut self, key: &[u8], gone: &mut impl FnMut(Error)) {
        if let Some(forgotten) = self.errors.remove(key) {
            self.pass_on(key, forgotten, gone);
        }
    }

    fn forget_oldest(&mut self, gone: &mut impl FnMut(Error)) {
        if let Some((key, forgotten)) = self.errors.pop_oldest() {
            self.pass_on(&key, forgotten, gone);
        }
    }

    /// Passes an error that was removed to `gone`.
    fn pass_on(&mut self, key: &[u8], forgotten: RecentFailure, gone: &mut impl FnMut(Error)) {
        self.bytes -= bytes_of(key, &forgotten.error);
        gone(forgotten.error);
    }

    /// The time at which the oldest error expires.
    pub fn next_end(&self) -> Option<Millis> {
        self.errors.oldest().map(|(_, oldest)| oldest.until)
    }

    /// Forgets expired errors, at most `STEP` of them. If there are more, [`ErrorMemory::next_end`] is not after `now`.
    pub fn expire(&mut self, now: Millis, gone: &mut impl FnMut(Error)) {
        for _ in 0..STEP {
            if self.next_end().is_none_or(|end| end > now) {
                return;
            }
            self.forget_oldest(gone);
        }
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Forgets everything. Returns what was remembered, if anything, to be dropped once the lock is released.
    #[must_use]
    pub fn clear(&mut self) -> Option<Emptied> {
        self.bytes = 0;
        self.errors.take_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembers(memory: &mut ErrorMemory) -> bool {
        let error = Error::of_provider(1, b"no", true, None);
        memory.remember(&Key::new(b"k"), &error, Millis(10), &mut |_| {});
        memory.recall(b"k", Millis(10), &mut |_| {}).is_some()
    }

    #[test]
    fn f20_without_a_ttl_or_capacity_nothing_is_remembered() {
        for (ttl_ms, capacity, wanted) in [(0, 5, false), (5, 0, false), (1, 1, true)] {
            let mut memory = ErrorMemory::new(ttl_ms, capacity);
            assert_eq!((memory.capacity > 0, remembers(&mut memory)), (wanted, wanted), "TTL {ttl_ms} ms, capacity {capacity}");
        }
    }

    #[test]
    fn f20_each_forgotten_error_is_passed_to_the_caller() {
        let (mut memory, mut gone) = (ErrorMemory::new(5, 1), 0);
        let error = Error::of_provider(1, b"no", true, None);
        let mut count = |_| gone += 1;
        memory.remember(&Key::new(b"a"), &error, Millis(10), &mut count);
        memory.remember(&Key::new(b"b"), &error, Millis(10), &mut count);
        assert!(memory.recall(b"b", Millis(15), &mut count).is_none(), "the error has expired");
        memory.forget(b"b", &mut |_| panic!("the expired error is still remembered"));
        memory.remember(&Key::new(b"c"), &error, Millis(10), &mut count);
        memory.forget(b"c", &mut count);
        assert_eq!(gone, 3);
        memory.remember(&Key::new(b"d"), &error, Millis(10), &mut |_| {});
        assert!(memory.clear().is_some() && memory.clear().is_none());
        assert!(memory.is_empty());
    }

    #[test]
    fn s20_errors_are_bounded_in_bytes() {
        let mut memory = ErrorMemory::new(5, 100);
        let long = Error::of_provider(1, &[b'x'; 10_000], true, None);
        for number in 0..100u32 {
            memory.remember(&Key::new(&number.to_le_bytes()), &long, Millis(0), &mut |_| {});
        }
        assert_eq!(memory.errors.len(), 9, "9 errors of about 10 KB fit");
        assert!(memory.bytes <= 100 * BYTES_EACH);
        assert!(memory.recall(&99u32.to_le_bytes(), Millis(1), &mut |_| {}).is_some(), "the youngest errors are remembered");
        drop(memory.clear());
        assert_eq!(memory.bytes, 0);
    }

    #[test]
    fn s20_both_copies_of_a_long_key_are_counted() {
        for (key_len, message_len) in [(300, 700), (20_000, 0), (40, 8_000)] {
            let mut memory = ErrorMemory::new(5, 100);
            for number in 0..200u32 {
                let mut key = vec![b'k'; key_len];
                key[..4].copy_from_slice(&number.to_le_bytes());
                let error = Error::of_provider(1, &vec![b'x'; message_len], true, None);
                memory.remember(&Key::new(&key), &error, Millis(0), &mut |_| {});
            }
            let held = memory.errors.key_bytes() + memory.errors.len() * (message_len + 256);
            assert!(held as u64 <= 100 * BYTES_EACH, "keys of {key_len} bytes, messages of {message_len}: {held} bytes");
        }
    }

    #[test]
    fn s20_expired_errors_are_removed_in_steps() {
        let (mut memory, mut gone) = (ErrorMemory::new(5, 10_000), 0);
        let error = Error::of_provider(1, b"no", true, None);
        for number in 0..1_000u32 {
            memory.remember(&Key::new(&number.to_le_bytes()), &error, Millis(0), &mut |_| {});
        }
        memory.remember(&Key::new(b"younger"), &error, Millis(1), &mut |_| {});
        memory.expire(Millis(4), &mut |_| gone += 1);
        assert_eq!((gone, memory.next_end()), (0, Some(Millis(5))));
        memory.expire(Millis(5), &mut |_| gone += 1);
        assert_eq!(gone, STEP);
        (0..3).for_each(|_| memory.expire(Millis(5), &mut |_| gone += 1));
        assert_eq!((gone, memory.next_end()), (1_000, Some(Millis(6))));
        memory.expire(Millis(6), &mut |_| gone += 1);
        assert_eq!((gone, memory.next_end(), memory.bytes), (1_001, None, 0));
    }
}
