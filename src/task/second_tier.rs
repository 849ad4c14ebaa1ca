//! What the table knows of a second tier: a store that the host keeps for several processes (rules T01 to T15).
//!
//! ```text
//!   a key that missed            Looking ── hit, stamp whole ──▶ settled with it
//!                                   │
//!                                   ╰── miss, failure, timeout, outdated ──▶ Queued for the provider
//!
//!   a key that was written here  Dirty ── next request ──▶ Sent ── finished ──▶ clean
//!                                   ▲                        │ failed, or written again
//!                                   ╰────────────────────────╯
//! ```
//!
//! At most `l2.max_requests` requests read at a time, and one writes: so two writes of a key cannot overtake each other. Writes go before
//! fills. A dirty key is not looked up (rule T06). Nothing of this delays a caller but a look, and that for `l2.timeout_ms` at most.

use super::deadlines::DeadlineId;
use super::flight::Stamp;
use super::slab::IdSlab;
use super::{FlightId, TierRequestId};
use crate::base::config::SecondTierSettings;
use crate::base::{Answer, Key, Millis, Moment, PackedKeys};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What the host's second tier can do beyond reading and writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TierAbilities {
    /// A fill is done only if the key still is as the read had found it.
    pub is_conditional: bool,
    /// A read of an absent key grants a token that no other read of it has: without one there is no fill.
    pub grants_leases: bool,
}

/// What a request asks of the second tier. The numbers are part of the C API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum TierRequestKind {
    /// What it has of the keys.
    Read = 1,
    /// To store entries that were loaded, each if its key is as it was read.
    Fill = 2,
    /// To store entries that were put.
    Write = 3,
    /// To remove keys.
    Remove = 4,
    /// To remove all keys.
    Clear = 5,
}

/// What a look found of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Entry,
    Nothing,
}

/// What a read found of a key, as the host names it: a lease, a version. A fill is conditional on it.
pub type Token = Box<[u8]>;

/// An entry that is to be stored.
#[derive(Clone, Debug)]
pub struct OutgoingEntry {
    /// The value, or null.
    pub answer: Answer,
    /// Its TTL in milliseconds; `None`: it does not expire.
    pub ttl_ms: Option<u64>,
    /// How long its load took, in milliseconds.
    pub load_ms: u64,
    /// For a fill: the token of the read.
    pub token: Token,
}

/// A request for the second tier.
#[derive(Debug)]
pub struct TierHandout {
    /// The id by which its answers refer to it.
    pub id: TierRequestId,
    /// What is asked.
    pub kind: TierRequestKind,
    /// The keys, each once; none of a clear.
    pub keys: PackedKeys,
    /// For a write and a fill: the entry of each key.
    pub entries: Vec<OutgoingEntry>,
}

/// A request that the host has.
pub(super) enum TierRequest {
    Look(Look),
    Sent(Sent),
}

/// Keys that are being looked up.
pub(super) struct Look {
    pub parts: Vec<LookPart>,
    /// `None`: the time is over, or there is no limit.
    pub timer: Option<DeadlineId>,
    pub answered: usize,
    pub failed: usize,
    /// Whether it timed out: its keys have gone to the provider.
    pub is_late: bool,
}

#[derive(Clone, Copy)]
pub(super) enum LookPart {
    Open { flight: FlightId, stamp: Stamp },
    Answered,
}

/// Keys that are being written.
pub(super) struct Sent {
    pub kind: TierRequestKind,
    /// The keys, with the number of the write that is sent.
    pub keys: Vec<(Key, u64)>,
    pub failed: Vec<bool>,
    pub refused: Vec<bool>,
}

/// What is to be known of a flight beyond its phase.
pub(super) enum Mark {
    /// It loads in any case: the look is only to find out what a fill may replace.
    Reloads,
    /// Its answer may be filled, with this token.
    Fills(Token),
}

/// The second tier of an engine.
pub(super) struct SecondTier {
    pub settings: SecondTierSettings,
    pub abilities: TierAbilities,
    /// The flights that wait for a look. Those that have ended since are skipped.
    pub waiting: VecDeque<FlightId>,
    /// The flights whose look has ended, or that are not looked up after all: they go to the provider.
    pub looked: VecDeque<FlightId>,
    /// The requests that the host has.
    pub requests: IdSlab<TierRequestId, TierRequest>,
    /// How many of them read, including those that timed out and were not finished.
    pub reading: u32,
    /// How many of these timed out.
    pub late: u32,
    /// What is to be known of a flight beyond its phase.
    pub marks: BTreeMap<FlightId, Mark>,
    pub behind: WriteBehind,
    pub breaker: TierBreaker,
    /// Whether work of a later hold of the lock was begun for it.
    pub goes_on_later: bool,
}

impl SecondTier {
    pub fn new(settings: &SecondTierSettings, abilities: TierAbilities) -> SecondTier {
        SecondTier {
            abilities,
            waiting: VecDeque::new(),
            looked: VecDeque::new(),
            requests: IdSlab::new(),
            reading: 0,
            late: 0,
            marks: BTreeMap::new(),
            behind: WriteBehind::default(),
            breaker: TierBreaker::new(settings),
            goes_on_later: false,
            settings: settings.clone(),
        }
    }

    /// Whether the flight waits for a look, is looked up, or waits to be passed on. For checks.
    pub fn knows(&self, id: FlightId) -> bool {
        let looked_up = |look: &Look| look.parts.iter().any(|part| matches!(part, LookPart::Open { flight, .. } if *flight == id));
        let mut requests = self.requests.values();
        self.waiting.contains(&id)
            || self.looked.contains(&id)
            || requests.any(|request| matches!(request, TierRequest::Look(look) if looked_up(look)))
    }

    /// How many deadlines are set for it. For checks.
    pub fn deadlines(&self) -> usize {
        let timed = |request: &&TierRequest| matches!(request, TierRequest::Look(look) if look.timer.is_some());
        self.requests.values().filter(timed).count() + usize::from(self.behind.retry.is_some())
    }

    /// Whether a key that missed is looked up.
    pub fn looks_up(&self, key: &[u8], now: Moment) -> bool {
        self.waiting.len() < self.settings.max_asking as usize && !self.behind.is_dirty(key) && self.breaker.admits(now)
    }

    /// What a look has found gives this right to fill.
    pub fn right_of(&self, found: Found, token: Token) -> Option<Token> {
        let TierAbilities { is_conditional, grants_leases } = self.abilities;
        match (is_conditional, found) {
            (false, _) => Some(Token::default()),
            // Without a lease of an absent key there is no fill (rule T03). Without leases at all, "still absent" must do.
            (true, Found::Nothing) => Some(token).filter(|token| !grants_leases || !token.is_empty()),
            (true, Found::Entry) => Some(token).filter(|token| !token.is_empty()),
        }
    }

    /// Ends everything. Returns what is to be dropped once the lock is released.
    #[must_use]
    pub fn close(&mut self) -> Box<dyn Send> {
        let requests = self.requests.drain();
        self.waiting.clear();
        self.looked.clear();
        (self.reading, self.late) = (0, 0);
        (self.behind.sent, self.behind.retry) = (None, None);
        Box::new((self.behind.lose(), requests, std::mem::take(&mut self.marks)))
    }

    /// What remains of its TTL for the second tier; `None`: it does not expire.
    pub fn ttl_of(&self, ttl_left_ms: i64) -> Option<u64> {
        let own = u64::try_from(ttl_left_ms).ok();
        match (own, self.settings.ttl_ms) {
            (Some(own), Some(most)) => Some(own.min(most)),
            (own, most) => own.or(most),
        }
    }
}

/// What is to be written behind the callers' backs. In trees: a hash table that grows moves all of its elements in one hold (rule S19).
#[derive(Default)]
pub(super) struct WriteBehind {
    dirty: BTreeMap<Key, Dirty>,
    /// The dirty keys by their oldest write that is not in the second tier.
    order: BTreeMap<u64, Key>,
    fills: BTreeMap<Key, Fill>,
    /// Their keys by their numbers.
    fill_order: BTreeMap<u64, Key>,
    /// The number of the last fill.
    filled: u64,
    /// The number of the last write.
    pub written: u64,
    /// The first write that was given up; `None`: none was.
    lost_from: Option<u64>,
    /// The clear that is not in the second tier yet: until then every key is dirty.
    clear: Option<DirtyClear>,
    /// The bytes of the values that wait to be written, and of those that wait to be filled.
    bytes: usize,
    fill_bytes: usize,
    /// The request that writes.
    pub sent: Option<TierRequestId>,
    /// When a write that failed is sent again.
    pub retry: Option<DeadlineId>,
}

#[derive(Clone, Copy)]
struct DirtyClear {
    /// The oldest write that is not in the second tier: this one, or one whose place it took.
    since: u64,
    /// Its number.
    version: u64,
}

struct Dirty {
    /// Its oldest write that is not in the second tier.
    since: u64,
    /// Its latest write.
    version: u64,
    op: Op,
    /// Set while it is sent: the first write after that.
    sent: Option<Option<u64>>,
    /// How many times in a row its value, or an earlier one, could not be written.
    failures: u32,
}

/// After so many failures in a row to write values of a key, it is removed instead: the second tier may not take such values. Newer values
/// share the count, or the outdated entry of a key that is written often would stay.
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

fn bytes_of(answer: &Answer) -> usize {
    answer.value().and_then(|value| value.as_bytes()).map_or(0, <[u8]>::len)
}

impl Op {
    fn bytes(&self) -> usize {
        match self {
            Op::Put { entry, .. } => bytes_of(&entry.answer),
            Op::Remove => 0,
        }
    }
}

/// How much of its TTL is left to an entry that waits since `at`; `Err` if nothing is.
fn aged(entry: &mut OutgoingEntry, at: Millis, now: Millis) -> Result<(), ()> {
    if let Some(ttl) = &mut entry.ttl_ms {
        *ttl = ttl.saturating_sub(now.since(at));
        if *ttl == 0 {
            return Err(());
        }
    }
    Ok(())
}

/// What the caller must drop once the lock is released.
pub(super) type Dropped<'a> = &'a mut dyn FnMut(Answer);

impl WriteBehind {
    /// Whether the second tier may have something older than this process about the key.
    pub fn is_dirty(&self, key: &[u8]) -> bool {
        self.clear.is_some() || self.dirty.contains_key(key)
    }

    /// How many keys wait to be written or filled.
    pub fn pending(&self) -> usize {
        self.dirty.len() + self.fills.len() + usize::from(self.clear.is_some())
    }

    /// Whether everything is written, and nothing is being written.
    pub fn is_done(&self) -> bool {
        self.pending() == 0 && self.sent.is_none()
    }

    /// Whether every write up to this number is in the second tier; `None`: some will never be.
    pub fn has_written(&self, upto: u64) -> Option<bool> {
        if self.lost_from.is_some_and(|lost| lost <= upto) {
            return None;
        }
        Some(self.oldest().is_none_or(|oldest| oldest > upto))
    }

    /// The oldest write that is not in the second tier.
    fn oldest(&self) -> Option<u64> {
        let clear = self.clear.iter().map(|clear| clear.since);
        clear.chain(self.order.first_key_value().map(|(since, _)| *since)).min()
    }

    /// Gives up what waits, for ever. Returns it, to be dropped once the lock is released.
    #[must_use]
    pub fn lose(&mut self) -> Box<dyn Send> {
        let lost_from = self.lost_from.or(self.oldest());
        let waited = self.give_up();
        self.lost_from = lost_from;
        waited
    }

    /// The key was put, or removed. Returns false if there are too many dirty keys: then everything must be cleared.
    pub fn write(&mut self, key: &[u8], entry: Option<(OutgoingEntry, Millis)>, limits: &SecondTierSettings, drop: Dropped<'_>) -> bool {
        self.forget_fill(key, drop);
        self.written += 1;
        let version = self.written;
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

    /// All keys were cleared. What waited is obsolete, but counts as written only with the clear.
    /// Returns it, to be dropped once the lock is released.
    #[must_use]
    pub fn clear_all(&mut self) -> Box<dyn Send> {
        self.written += 1;
        let since = self.oldest().unwrap_or(self.written);
        let obsolete = self.give_up();
        self.clear = Some(DirtyClear { since, version: self.written });
        obsolete
    }

    /// Forgets what waits.
    fn give_up(&mut self) -> Box<dyn Send> {
        let waited = std::mem::take(self);
        let WriteBehind { dirty, order, fills, fill_order, filled, written, lost_from, sent, retry, .. } = waited;
        (self.written, self.filled, self.lost_from, self.sent, self.retry) = (written, filled, lost_from, sent, retry);
        Box::new((dirty, order, fills, fill_order))
    }

    /// An answer was loaded that may be filled. False if it is not: the key is dirty, or there is no room.
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

    /// The same of all keys. Returns the fills, to be dropped once the lock is released.
    #[must_use]
    pub fn forget_fills(&mut self) -> Box<dyn Send> {
        self.fill_bytes = 0;
        Box::new((std::mem::take(&mut self.fills), std::mem::take(&mut self.fill_order)))
    }

    /// Takes what is written next: the clear, else the oldest writes of one kind, else fills. Those that have expired are charged to `budget`.
    /// `None`: there is nothing, or the budget is used up.
    pub fn next(
        &mut self,
        most: usize,
        now: Millis,
        budget: &mut usize,
        drop: Dropped<'_>,
    ) -> Option<(Sent, PackedKeys, Vec<OutgoingEntry>)> {
        if let Some(clear) = self.clear {
            let keys = vec![(Key::EMPTY, clear.version)];
            let sent = Sent { kind: TierRequestKind::Clear, keys, failed: vec![false], refused: vec![false] };
            return Some((sent, PackedKeys::default(), Vec::new()));
        }
        let (mut kind, mut keys, mut packed, mut entries) = (None, Vec::new(), PackedKeys::default(), Vec::new());
        for key in self.order.values().take(most) {
            let Some(dirty) = self.dirty.get_mut(key) else { continue };
            let aged_entry = match &dirty.op {
                Op::Put { entry, at } => {
                    let mut entry = entry.clone();
                    aged(&mut entry, *at, now).is_ok().then_some(entry)
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
        let count = keys.len();
        Some((Sent { kind, keys, failed: vec![false; count], refused: vec![false; count] }, packed, entries))
    }

    /// A request that wrote is finished. What failed, or was written again, stays dirty.
    pub fn ended(&mut self, sent: &Sent, drop: Dropped<'_>) {
        match sent.kind {
            TierRequestKind::Clear => {
                let done = sent.keys[0].1;
                if let (false, Some(clear)) = (sent.failed[0], self.clear) {
                    // Another clear may have followed. What came before this one is written all the same.
                    self.clear = (clear.version != done).then_some(DirtyClear { since: done + 1, ..clear });
                }
            }
            TierRequestKind::Write | TierRequestKind::Remove => {
                for ((key, version), failed) in sent.keys.iter().zip(&sent.failed) {
                    // After a clear the key may have been written anew.
                    let Some(dirty) = self.dirty.get_mut(key).filter(|dirty| dirty.sent.is_some()) else { continue };
                    let after = dirty.sent.take().flatten();
                    if *failed {
                        dirty.failures += 1;
                        if dirty.failures >= MOST_FAILURES
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

/// Keeps requests from a second tier that fails: after so many failures in a row, for a time that doubles with each further one.
pub(super) struct TierBreaker {
    after: u32,
    first: Duration,
    cap: Duration,
    failures: u32,
    pause: Duration,
    /// Until then nothing is sent. After that the next request decides.
    until: Option<Moment>,
}

impl TierBreaker {
    fn new(settings: &SecondTierSettings) -> TierBreaker {
        let SecondTierSettings { break_after, break_for, break_cap, .. } = *settings;
        TierBreaker { after: break_after, first: break_for, cap: break_cap.max(break_for), failures: 0, pause: break_for, until: None }
    }

    /// Whether requests may be sent.
    pub fn admits(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Whether it is open, or one request decides whether it stays so.
    pub fn is_tripped(&self) -> bool {
        self.until.is_some()
    }

    /// When requests may be sent again.
    pub fn next_at(&self, now: Moment) -> Moment {
        self.until.unwrap_or(now).max(now)
    }

    /// A request succeeded.
    pub fn succeeded(&mut self) {
        (self.failures, self.pause, self.until) = (0, self.first, None);
    }

    /// A request failed. Returns true if that opened the breaker.
    pub fn failed(&mut self, now: Moment) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.after || self.after == 0 || !self.admits(now) {
            return false;
        }
        self.until = Some(now.after(self.pause));
        self.pause = (self.pause * 2).min(self.cap);
        true
    }
}
