//! The writes of the last seconds, which are sent again to a server that may have lost them.

use std::collections::VecDeque;
use std::time::Duration;

/// The number of keys that are remembered one by one. With more of them, everything counts as written.
const MOST_KEYS: usize = 65_536;
/// The same limit for the total length of the keys, in bytes.
const MOST_BYTES: usize = 8 << 20;

/// The last writes, oldest first.
#[derive(Clone, Default)]
pub struct Journal {
    keys: VecDeque<(u64, Box<[u8]>)>,
    /// The total length of the keys.
    bytes: usize,
    /// Whether all keys were cleared, or too many were written: then everything is cleared again when the server that has the epoch
    /// returns.
    pub is_everything: bool,
    /// Whether too many keys were written since the last clear. Any server may lack some of them, so the clear is repeated when any
    /// server returns, not only the one that has the epoch.
    pub has_overflowed: bool,
    /// When the last clear was recorded or repeated.
    everything_at: u64,
}

impl Journal {
    /// Records that these keys are written now. `kept` is how long writes are remembered; zero: not at all.
    pub fn add<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>, now_ms: u64, kept: Duration) {
        if kept.is_zero() {
            return;
        }
        for key in keys {
            self.bytes += key.len();
            self.keys.push_back((now_ms, key.into()));
        }
        if self.keys.len() > MOST_KEYS || self.bytes > MOST_BYTES {
            self.add_all(now_ms, kept);
            self.has_overflowed = true;
        }
    }

    /// Records that all keys are cleared now.
    pub fn add_all(&mut self, now_ms: u64, kept: Duration) {
        self.keys.clear();
        self.bytes = 0;
        (self.is_everything, self.has_overflowed, self.everything_at) = (!kept.is_zero(), false, now_ms);
    }

    /// Records that the clear in `before`, an earlier copy of this journal, has been repeated now.
    pub fn note_repeated(&mut self, before: &Journal, now_ms: u64) {
        if self.everything_at == before.everything_at {
            (self.has_overflowed, self.everything_at) = (false, now_ms);
        }
    }

    /// Forgets what was written more than `kept` ago. Not to be called while a server is unreachable: its replacement may lack older
    /// writes.
    pub fn forget_old(&mut self, now_ms: u64, kept: Duration) {
        let kept = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
        let is_old = |at: u64| now_ms.saturating_sub(at) >= kept;
        while let Some((_, key)) = self.keys.front().filter(|(at, _)| is_old(*at)) {
            self.bytes -= key.len();
            self.keys.pop_front();
        }
        self.is_everything &= !is_old(self.everything_at);
        self.has_overflowed &= self.is_everything;
    }

    /// Whether something was written within the last `kept`.
    pub fn has_recent_writes(&self, now_ms: u64, kept: Duration) -> bool {
        let kept = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
        let last = self.keys.back().map(|(at, _)| *at).max(self.is_everything.then_some(self.everything_at));
        last.is_some_and(|at| now_ms.saturating_sub(at) < kept)
    }

    /// The keys that were written.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|(_, key)| &**key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Duration = Duration::from_millis(100);

    fn add(journal: &mut Journal, key: &str, at: u64) {
        journal.forget_old(at, KEPT);
        journal.add([key.as_bytes()].into_iter(), at, KEPT);
    }

    #[test]
    fn t07_the_writes_of_the_last_seconds_are_remembered() {
        let mut journal = Journal::default();
        add(&mut journal, "a", 0);
        add(&mut journal, "b", 50);
        add(&mut journal, "c", 120);
        assert_eq!(journal.keys().collect::<Vec<_>>(), [b"b", b"c"]);
        journal.add_all(130, KEPT);
        assert!(journal.is_everything && journal.keys().next().is_none());
        add(&mut journal, "d", 140);
        assert!(journal.is_everything);
        add(&mut journal, "e", 230);
        assert!(!journal.is_everything, "the clear is old enough");
        assert!(journal.has_recent_writes(329, KEPT) && !journal.has_recent_writes(330, KEPT));
        journal.add([&b"f"[..]].into_iter(), 400, KEPT);
        assert_eq!(journal.keys().count(), 3, "only forget_old forgets");
        journal.forget_old(500, KEPT);
        journal.add([&b"g"[..]].into_iter(), 500, Duration::ZERO);
        assert_eq!(journal.keys().count(), 0, "with a duration of 0 nothing is remembered");
    }

    #[test]
    fn t12_the_journal_is_bounded() {
        let mut journal = Journal::default();
        for nth in 0..=MOST_KEYS {
            add(&mut journal, &nth.to_string(), 0);
        }
        assert!(journal.is_everything && journal.keys().next().is_none(), "too many keys count as a clear");
        assert!(journal.has_overflowed, "a clear that is repeated when any server returns");
        journal.add_all(1, KEPT);
        assert!(
            journal.is_everything && !journal.has_overflowed,
            "a clear by the program is repeated only when the server that has the epoch returns"
        );
        let before = journal.clone();
        journal.note_repeated(&before, 50);
        journal.forget_old(120, KEPT);
        assert!(journal.is_everything, "a repeated clear counts as written at the time of its repetition");
        (journal.has_overflowed, journal.everything_at) = (true, 130);
        journal.note_repeated(&before, 140);
        assert!(journal.has_overflowed, "a later clear was not repeated");
        let mut journal = Journal::default();
        let long = vec![b'k'; 1 << 16];
        journal.add((0..=MOST_BYTES >> 16).map(|_| &long[..]), 0, KEPT);
        assert!(journal.is_everything && journal.keys().next().is_none(), "too many bytes of keys count as a clear");
    }
}
