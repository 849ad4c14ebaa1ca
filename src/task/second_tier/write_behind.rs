//! What is to be written to the second tier, without making callers wait: writes, fills, and a clear (rules T06, T07, T12).

use super::{OutgoingEntry, SendStage, Sent, StoreResult, TierRequestKind};
use crate::base::config::SecondTierSettings;
use crate::base::{Answer, Key, Millis, PackedKeys};
use crate::task::TierRequestId;
use crate::task::deadlines::DeadlineId;
use std::collections::BTreeMap;

/// The writes, the fills and the clear that wait, and what is known of late requests. The maps are trees, because a hash table that grows
/// moves all of its elements in one hold of the lock (rule S19).
#[derive(Default)]
pub(in crate::task) struct WriteBehind {
    dirty: BTreeMap<Key, Dirty>,
    /// The dirty keys by their oldest write that is not in the second tier.
    order: BTreeMap<u64, Key>,
    fills: BTreeMap<Key, Fill>,
    /// The keys of the fills, by the numbers of the fills.
    fill_order: BTreeMap<u64, Key>,
    /// The number of the last fill.
    filled: u64,
    /// The number of the last write.
    pub written: u64,
    /// The first write that was given up; `None` if none was.
    lost_from: Option<u64>,
    /// The clear that is not in the second tier yet. Until it is, every key is dirty.
    clear: Option<DirtyClear>,
    /// The bytes of the values that wait to be written.
    bytes: usize,
    /// The bytes of the values that wait to be filled.
    fill_bytes: usize,
    /// The request that is under way; `None` if none is, or if it is late.
    pub sent: Option<TierRequestId>,
    /// When a write that failed is sent again.
    pub retry: Option<DeadlineId>,
    /// How many requests that write have not ended although their time is over.
    pub late_requests: u32,
    /// The keys of those late requests that may overwrite something newer.
    late: BTreeMap<Key, LateKey>,
    /// The number of the last clear.
    pub cleared: u64,
}

/// A key that late requests may still write.
#[derive(Default)]
struct LateKey {
    requests: u32,
    /// The number of the last write when the first of these requests was formed.
    formed_at: u64,
    is_written_since: bool,
}

impl LateKey {
    fn is_outdated(&self, cleared: u64) -> bool {
        self.is_written_since || self.formed_at < cleared
    }
}

#[derive(Clone, Copy)]
struct DirtyClear {
    /// The number of the oldest write that is not in the second tier: the clear itself, or a write that it has made obsolete.
    since: u64,
    /// The number of the clear.
    version: u64,
}

struct Dirty {
    /// The number of the key's oldest write that is not in the second tier.
    since: u64,
    /// The number of its latest write.
    version: u64,
    op: Op,
    /// `Some` while the key is being sent. It then contains the number of the first write since the key was sent, if there was one.
    sent: Option<Option<u64>>,
    /// How many times in a row the value of the key, or an earlier one, could not be written.
    failures: u32,
}

/// After this many failures in a row to write a key, the key is removed from the second tier instead: the tier may not accept such values.
/// A newer value does not restart the count: otherwise the outdated entry of a key that is written often would stay.
const MOST_FAILURES: u32 = 3;

enum Op {
    Put { entry: OutgoingEntry, at: Millis },
    Remove,
}

struct Fill {
    nth: u64,
    entry: OutgoingEntry,
    at: Millis,
}

/// The length of a value in bytes; for an object, its stated cost.
fn bytes_of(answer: &Answer) -> usize {
    answer.value().map_or(0, |value| value.as_bytes().map_or(value.cost() as usize, <[u8]>::len))
}

impl Op {
    fn bytes(&self) -> usize {
        match self {
            Op::Put { entry, .. } => bytes_of(&entry.answer),
            Op::Remove => 0,
        }
    }
}

/// Subtracts from an entry's TTL the time for which it has waited since `at`; `Err` if nothing is left.
fn aged(entry: &mut OutgoingEntry, at: Millis, now: Millis) -> Result<(), ()> {
    if let Some(ttl) = &mut entry.ttl_ms {
        *ttl = ttl.saturating_sub(now.since(at));
        if *ttl == 0 {
            return Err(());
        }
    }
    Ok(())
}

/// Whether the request is late, and may replace something newer. A removal, a clear and a conditional fill cannot.
fn overwrites(sent: &Sent, is_conditional: bool) -> bool {
    sent.stage == SendStage::Late
        && match sent.kind {
            TierRequestKind::Write => true,
            TierRequestKind::Fill => !is_conditional,
            TierRequestKind::Remove | TierRequestKind::Clear | TierRequestKind::Read => false,
        }
}

/// Receives the answers that the caller must drop once the lock is released.
pub(in crate::task) type Dropped<'a> = &'a mut dyn FnMut(Answer);

impl WriteBehind {
    /// Whether the second tier may have something older than this process about the key.
    pub fn is_dirty(&self, key: &[u8]) -> bool {
        self.clear.is_some() || self.dirty.contains_key(key) || self.late.get(key).is_some_and(|late| late.is_outdated(self.cleared))
    }

    /// How many keys wait to be written or filled.
    pub fn pending(&self) -> usize {
        self.dirty.len() + self.fills.len() + usize::from(self.clear.is_some())
    }

    /// Whether everything is written, and nothing is being written.
    pub fn is_done(&self) -> bool {
        self.pending() == 0 && self.sent.is_none()
    }

    /// Whether every write up to this number is in the second tier; `None` if one of them was given up.
    pub fn has_written(&self, upto: u64) -> Option<bool> {
        if self.lost_from.is_some_and(|lost| lost <= upto) {
            return None;
        }
        Some(self.oldest().is_none_or(|oldest| oldest > upto))
    }

    /// The number of the oldest write that is not in the second tier.
    fn oldest(&self) -> Option<u64> {
        let clear = self.clear.iter().map(|clear| clear.since);
        clear.chain(self.order.first_key_value().map(|(since, _)| *since)).min()
    }

    /// Gives up what waits: the writes are lost. Returns what waited, to be dropped once the lock is released.
    #[must_use]
    pub fn lose(&mut self) -> Box<dyn Send> {
        let lost_from = self.lost_from.into_iter().chain(self.oldest()).min();
        let waited = self.give_up();
        self.lost_from = lost_from;
        waited
    }

    /// Gives up what a finished request has failed to write. A key that was written again since still waits.
    pub fn lose_failed(&mut self, sent: &Sent, drop: Dropped<'_>) {
        for ((key, version), result) in sent.keys.iter().zip(&sent.results) {
            if *result != StoreResult::Failed {
                continue;
            }
            let since = match sent.kind {
                TierRequestKind::Clear => self.clear.take_if(|clear| clear.version == *version).map(|clear| clear.since),
                _ if self.dirty.get(key).is_some_and(|dirty| dirty.version == *version) => self.dirty.remove(key).map(|dirty| {
                    self.order.remove(&dirty.since);
                    self.bytes -= dirty.op.bytes();
                    if let Op::Put { entry, .. } = dirty.op {
                        drop(entry.answer);
                    }
                    dirty.since
                }),
                _ => None,
            };
            self.lost_from = self.lost_from.into_iter().chain(since).min();
        }
    }

    /// The key was put or, if `entry` is `None`, removed. Returns false if there are too many dirty keys: then everything must be cleared.
    pub fn write(&mut self, key: &[u8], entry: Option<(OutgoingEntry, Millis)>, limits: &SecondTierSettings, drop: Dropped<'_>) -> bool {
        self.forget_fill(key, drop);
        self.written += 1;
        let version = self.written;
        if let Some(late) = self.late.get_mut(key) {
            late.is_written_since = true;
        }
        let room = (limits.pending_bytes as usize).saturating_sub(self.bytes + self.fill_bytes);
        let op = match entry {
            Some((entry, at)) if bytes_of(&entry.answer) <= room && bytes_of(&entry.answer) <= limits.max_value as usize => {
                Op::Put { entry, at }
            }
            Some((entry, _)) => {
                // Without room for its value the key is removed: the older value must not be found.
                drop(entry.answer);
                Op::Remove
            }
            None => Op::Remove,
        };
        self.bytes += op.bytes();
        if let Some(known) = self.dirty.get_mut(key) {
            known.version = version;
            if let Some(after) = &mut known.sent {
                after.get_or_insert(version);
            }
            let before = std::mem::replace(&mut known.op, op);
            self.bytes -= before.bytes();
            if let Op::Put { entry, .. } = before {
                drop(entry.answer);
            }
            return true;
        }
        if self.dirty.len() >= limits.pending_keys as usize {
            self.bytes -= op.bytes();
            if let Op::Put { entry, .. } = op {
                drop(entry.answer);
            }
            return false;
        }
        self.dirty.insert(Key::new(key), Dirty { since: version, version, op, sent: None, failures: 0 });
        self.order.insert(version, Key::new(key));
        true
    }

    /// A write comes too late to be passed on: it is lost.
    pub fn refuse(&mut self) {
        self.written += 1;
        self.lost_from.get_or_insert(self.written);
    }

    /// All keys were cleared. What waited is obsolete, but counts as written only with the clear. Returns it, to be dropped once the lock
    /// is released.
    #[must_use]
    pub fn clear_all(&mut self) -> Box<dyn Send> {
        self.written += 1;
        let since = self.oldest().unwrap_or(self.written);
        let obsolete = self.give_up();
        self.clear = Some(DirtyClear { since, version: self.written });
        self.cleared = self.written;
        obsolete
    }

    /// Takes out what waits. What is known of requests, and all numbers, stay.
    fn give_up(&mut self) -> Box<dyn Send> {
        let waited = std::mem::take(self);
        let WriteBehind { dirty, order, fills, fill_order, filled, written, lost_from, sent, retry, late_requests, late, cleared, .. } =
            waited;
        (self.written, self.filled, self.lost_from, self.sent, self.retry) = (written, filled, lost_from, sent, retry);
        (self.late_requests, self.late, self.cleared) = (late_requests, late, cleared);
        Box::new((dirty, order, fills, fill_order))
    }

    /// An answer was loaded that may be filled. Returns false if it will not be, because the key is dirty or there is no room.
    pub fn fill(&mut self, key: &Key, entry: OutgoingEntry, at: Millis, limits: &SecondTierSettings, drop: Dropped<'_>) -> bool {
        let bytes = bytes_of(&entry.answer);
        let fits = bytes <= limits.max_value as usize && self.bytes + self.fill_bytes + bytes <= limits.pending_bytes as usize;
        self.forget_fill(key, drop);
        if !fits || self.fills.len() >= limits.pending_keys as usize || self.is_dirty(key) {
            drop(entry.answer);
            return false;
        }
        self.fill_bytes += bytes;
        self.filled += 1;
        self.fills.insert(key.clone(), Fill { nth: self.filled, entry, at });
        self.fill_order.insert(self.filled, key.clone());
        true
    }

    /// The key was written, here or elsewhere: what was loaded before is not filled any more.
    pub fn forget_fill(&mut self, key: &[u8], drop: Dropped<'_>) {
        if let Some(fill) = self.fills.remove(key) {
            self.fill_bytes -= bytes_of(&fill.entry.answer);
            self.fill_order.remove(&fill.nth);
            drop(fill.entry.answer);
        }
    }

    /// Every key was written: what was loaded before is not filled any more. Returns the fills, to be dropped once the lock is released.
    #[must_use]
    pub fn forget_fills(&mut self) -> Box<dyn Send> {
        self.fill_bytes = 0;
        Box::new((std::mem::take(&mut self.fills), std::mem::take(&mut self.fill_order)))
    }

    /// Returns what is written next, as a request for at most `most` keys: the clear, else the oldest writes of one kind, else fills. Fills
    /// that have expired are dropped, and cost one unit of `budget` each. `None` if there is nothing to write, or the budget is used up.
    pub fn next(
        &mut self,
        most: usize,
        now: Millis,
        budget: &mut usize,
        drop: Dropped<'_>,
    ) -> Option<(Sent, PackedKeys, Vec<OutgoingEntry>)> {
        if let Some(clear) = self.clear {
            let keys = vec![(Key::EMPTY, clear.version)];
            return Some((Sent::new(TierRequestKind::Clear, keys, self.written), PackedKeys::default(), Vec::new()));
        }
        let (mut kind, mut keys, mut packed, mut entries) = (None, Vec::new(), PackedKeys::default(), Vec::new());
        for key in self.order.values().take(most) {
            let Some(dirty) = self.dirty.get_mut(key) else { continue };
            let aged_entry = match &dirty.op {
                Op::Put { entry, at } => {
                    let mut entry = entry.clone();
                    let is_alive = aged(&mut entry, *at, now).is_ok();
                    if let (false, Some(late)) = (is_alive, self.late.get_mut(key)) {
                        // A late request may still write this value, and its entry would then outlive the TTL.
                        late.is_written_since = true;
                    }
                    is_alive.then_some(entry)
                }
                Op::Remove => None,
            };
            let this = if aged_entry.is_some() { TierRequestKind::Write } else { TierRequestKind::Remove };
            if *kind.get_or_insert(this) != this {
                break;
            }
            dirty.sent = Some(None);
            packed.push(key);
            keys.push((key.clone(), dirty.version));
            entries.extend(aged_entry);
        }
        if kind.is_none() {
            while keys.len() < most
                && let Some((_, key)) = self.fill_order.pop_first()
            {
                let Some(mut fill) = self.fills.remove(&key) else { continue };
                self.fill_bytes -= bytes_of(&fill.entry.answer);
                if aged(&mut fill.entry, fill.at, now).is_err() {
                    drop(fill.entry.answer);
                    if *budget == 0 {
                        break;
                    }
                    *budget -= 1;
                    continue;
                }
                kind = Some(TierRequestKind::Fill);
                packed.push(&key);
                keys.push((key, 0));
                entries.push(fill.entry);
            }
        }
        let kind = kind?;
        Some((Sent::new(kind, keys, self.written), packed, entries))
    }

    /// The time of a request is over, and the request was counted as failed. If the host has it, its keys may still be written.
    pub fn timed_out(&mut self, sent: &Sent, is_conditional: bool) {
        self.late_requests += 1;
        if !overwrites(sent, is_conditional) {
            return;
        }
        for (key, version) in &sent.keys {
            // A fill has the number 0: if its key is dirty, the key was written since.
            let is_written_since = self.dirty.get(key).is_some_and(|dirty| dirty.version != *version);
            let late = self.late.entry(key.clone()).or_insert_with(|| LateKey { formed_at: sent.formed_at, ..LateKey::default() });
            late.requests += 1;
            late.is_written_since |= is_written_since;
        }
    }

    /// The host has ended a late request. Returns the keys that it may have overwritten, and which must be removed from the second tier.
    pub fn late_ended(&mut self, sent: &Sent, is_conditional: bool) -> Vec<Key> {
        self.late_requests -= 1;
        let mut overwritten = Vec::new();
        if !overwrites(sent, is_conditional) {
            return overwritten;
        }
        for (key, _) in &sent.keys {
            let Some(late) = self.late.get_mut(key) else { continue };
            late.requests -= 1;
            let (is_over, is_outdated) = (late.requests == 0, late.is_outdated(self.cleared));
            if is_over {
                self.late.remove(key);
            }
            if is_outdated && !self.write_again_if_dirty(key) {
                overwritten.push(key.clone());
            }
        }
        overwritten
    }

    /// Makes sure that a dirty key is written in a later request than the one under way. Returns true if such a request will write the key,
    /// or clear everything.
    fn write_again_if_dirty(&mut self, key: &Key) -> bool {
        let Some(dirty) = self.dirty.get_mut(key) else { return self.clear.is_some() && self.sent.is_none() };
        if let Some(after) = &mut dirty.sent {
            self.written += 1;
            dirty.version = self.written;
            after.get_or_insert(self.written);
        }
        true
    }

    /// Forgets late requests. Returns what was known of their keys, to be dropped once the lock is released.
    #[must_use]
    pub fn forget_late(&mut self) -> Box<dyn Send> {
        self.late_requests = 0;
        Box::new(std::mem::take(&mut self.late))
    }

    /// A request that writes has ended. A key that failed, or was written again, stays dirty.
    pub fn ended(&mut self, sent: &Sent, drop: Dropped<'_>) {
        match sent.kind {
            TierRequestKind::Clear => {
                let done = sent.keys[0].1;
                if let (StoreResult::Done, Some(clear)) = (sent.results[0], self.clear) {
                    // Another clear may have followed, which is still to be written.
                    self.clear = (clear.version != done).then_some(DirtyClear { since: done + 1, ..clear });
                }
            }
            TierRequestKind::Write | TierRequestKind::Remove => {
                for ((key, version), result) in sent.keys.iter().zip(&sent.results) {
                    // After a clear the key may have been written again.
                    let Some(dirty) = self.dirty.get_mut(key).filter(|dirty| dirty.sent.is_some()) else { continue };
                    let after = dirty.sent.take().flatten();
                    if *result == StoreResult::Failed {
                        // The failure of a request that the host never took says nothing about the value.
                        dirty.failures += u32::from(sent.stage != SendStage::Expired);
                        if dirty.failures >= MOST_FAILURES
                            && let Op::Put { entry, .. } = std::mem::replace(&mut dirty.op, Op::Remove)
                        {
                            self.bytes -= bytes_of(&entry.answer);
                            drop(entry.answer);
                        }
                        continue;
                    }
                    if *result == StoreResult::Refused {
                        // The older entry must not stay: unless a newer value follows, the key is removed.
                        if after.is_none()
                            && let Op::Put { entry, .. } = std::mem::replace(&mut dirty.op, Op::Remove)
                        {
                            self.bytes -= bytes_of(&entry.answer);
                            drop(entry.answer);
                        }
                        continue;
                    }
                    self.order.remove(&dirty.since);
                    match after {
                        Some(first) => {
                            dirty.since = first;
                            self.order.insert(first, key.clone());
                        }
                        None => {
                            debug_assert_eq!(dirty.version, *version);
                            let Some(dirty) = self.dirty.remove(key) else { continue };
                            self.bytes -= dirty.op.bytes();
                            if let Op::Put { entry, .. } = dirty.op {
                                drop(entry.answer);
                            }
                        }
                    }
                }
            }
            TierRequestKind::Fill | TierRequestKind::Read => {}
        }
    }
}
