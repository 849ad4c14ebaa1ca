//! What the table knows of a second tier: a store that the host keeps for several processes (rules T01 to T15).
//!
//! ```text
//!   a key that missed            Looking ── hit, stamp whole ──▶ settled with it
//!                                   │
//!                                   ├── another process loads it ──▶ waits for a poll ──▶ Looking again, for `l2.wait_ms` at most
//!                                   ╰── miss, failure, timeout, outdated ──▶ Queued for the provider
//!
//!   a key that was written here  Dirty ── next request ──▶ Sent ── finished ──▶ clean
//!                                   ▲                        │ failed, timed out, or written again
//!                                   ╰────────────────────────╯
//!
//!   a request that writes        Waiting ── the host takes it ──▶ Taken ── finished ──▶ ended
//!                                   │ timeout                        │ timeout
//!                                   ▼                                ▼
//!                                Expired ── never served ──▶ ended  Late ── finished ──▶ ended: its keys that were written since are removed there
//! ```
//!
//! At most `l2.max_requests` requests read at a time, and only one writes. So two writes of a key cannot overtake each other, unless the
//! host takes longer than `l2.write_timeout_ms` for the first. Writes go before fills. A dirty key is not looked up (rule T06), nor is a
//! key that a late request may overwrite. A caller is delayed only by looks, each for `l2.timeout_ms` at most, and by the load of another
//! process, for `l2.wait_ms` at most.

use super::deadlines::DeadlineId;
use super::flight::Stamp;
use super::queue::Search;
use super::slab::IdSlab;
use super::{FetchId, FlightId, TierRequestId};
use crate::base::config::SecondTierSettings;
use crate::base::{Answer, Key, Kind, Moment, PackedKeys};
use std::collections::{BTreeMap, VecDeque};

mod breaker;
mod polls;
mod write_behind;

use breaker::TierBreaker;
use polls::Polls;
use write_behind::WriteBehind;

/// What the host's second tier can do beyond reading and writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TierAbilities {
    /// It stores a fill only if the key is still as the read found it.
    pub is_conditional: bool,
    /// For an absent key it gives a token to one read at a time. Without a token the key is not filled.
    pub grants_leases: bool,
    /// It converts objects to bytes, and bytes to objects.
    pub takes_objects: bool,
}

/// What a request asks of the second tier. The numbers are part of the C API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum TierRequestKind {
    /// To return the entries of keys.
    Read = 1,
    /// To store entries that were loaded, each only if its key is still as it was read.
    Fill = 2,
    /// To store entries that were put.
    Write = 3,
    /// To remove keys.
    Remove = 4,
    /// To remove all keys.
    Clear = 5,
}

/// What a look found for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Entry,
    Nothing,
}

/// The host's name for what a read found under a key: a lease, or a version. A fill is conditional on it. Empty if the host gave none.
pub type Token = Box<[u8]>;

/// An entry that is to be stored.
#[derive(Clone, Debug)]
pub struct OutgoingEntry {
    /// The value, or null.
    pub answer: Answer,
    /// Its TTL in milliseconds; `None` if it does not expire.
    pub ttl_ms: Option<u64>,
    /// How long its load took, in milliseconds; 0 if it was put.
    pub load_ms: u64,
    /// For a fill: the token of the read.
    pub token: Token,
}

/// A request for the second tier.
#[derive(Debug)]
pub struct TierHandout {
    /// The id by which the host's answers refer to it.
    pub id: TierRequestId,
    /// What is asked.
    pub kind: TierRequestKind,
    /// The keys, each once; a clear has none.
    pub keys: PackedKeys,
    /// For a write and a fill: the entry of each key.
    pub entries: Vec<OutgoingEntry>,
    /// For a read: the indexes, ascending, of the keys whose lease may be taken from the process that has it.
    pub steals: Vec<u32>,
}

/// A request that is on its way to the host or with it.
pub(super) enum TierRequest {
    Look(Look),
    Sent(Sent),
}

/// Keys that are being looked up.
pub(super) struct Look {
    pub parts: Vec<LookPart>,
    /// `None` if the time is over, or if there is no limit.
    pub timer: Option<DeadlineId>,
    pub answered: usize,
    pub failed: usize,
    /// Whether the request timed out, so that its keys have gone to the provider.
    pub is_late: bool,
}

#[derive(Clone, Copy)]
pub(super) enum LookPart {
    Open {
        flight: FlightId,
        stamp: Stamp,
    },
    /// The key was not found: it goes to the provider together with the others of this request that were not found.
    Missed(FlightId),
    Answered,
}

/// How far the host is with a request that writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SendStage {
    /// It is on its way to the host.
    Waiting,
    /// The host has it.
    Taken,
    /// Its time was over before the host took it. It is never served.
    Expired,
    /// Its time was over after the host had taken it. It has failed, but may still write.
    Late,
}

/// Keys that are being written.
pub(super) struct Sent {
    pub kind: TierRequestKind,
    pub stage: SendStage,
    /// `None` if the time is over, or if there is no limit.
    pub timer: Option<DeadlineId>,
    /// The keys, each with the number of the write that is sent; 0 for a fill. A clear has one empty key.
    pub keys: Vec<(Key, u64)>,
    /// The number of the last write when the request was formed.
    pub formed_at: u64,
    /// The result of each key.
    pub results: Vec<StoreResult>,
}

/// The result of writing a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StoreResult {
    /// Written. This is also the result of a key of which the host says nothing before it finishes the request.
    Done,
    Refused,
    Failed,
}

impl Sent {
    pub fn new(kind: TierRequestKind, keys: Vec<(Key, u64)>, formed_at: u64) -> Sent {
        let results = vec![StoreResult::Done; keys.len()];
        Sent { kind, stage: SendStage::Waiting, timer: None, keys, formed_at, results }
    }

    /// Records that the host takes the request. Returns false if the request's time is over.
    pub fn take(&mut self) -> bool {
        if self.stage == SendStage::Waiting {
            self.stage = SendStage::Taken;
        }
        !self.is_over()
    }

    /// Records that the time of the request is over: all of it has failed.
    pub fn time_out(&mut self) {
        self.stage = if self.stage == SendStage::Taken { SendStage::Late } else { SendStage::Expired };
        self.timer = None;
        self.fail();
    }

    /// Records that every key has failed.
    pub fn fail(&mut self) {
        self.results.fill(StoreResult::Failed);
    }

    /// How many keys had this result.
    pub fn count(&self, result: StoreResult) -> u64 {
        self.results.iter().filter(|other| **other == result).count() as u64
    }

    /// Whether the time of the request is over.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, SendStage::Expired | SendStage::Late)
    }
}

/// What is remembered of a flight beyond its phase.
pub(super) enum Mark {
    /// It loads in any case: the look is only to find out what a fill may replace.
    Reloads,
    /// Its answer may be filled with this token, unless a clear has followed the one with the number `cleared`.
    Fills { token: Token, cleared: u64 },
}

/// The second tier of an engine.
pub(super) struct SecondTier {
    pub settings: SecondTierSettings,
    pub abilities: TierAbilities,
    /// The flights that wait for a look. Those that have ended since are skipped.
    pub waiting: VecDeque<FlightId>,
    /// The flights whose look has ended, or that are not looked up after all: they go to the provider.
    pub looked: VecDeque<FlightId>,
    /// A fetch that started flights in `looked`, and how far the search for places in the queue has come for these. `None` once `looked` is
    /// empty.
    pub search: Option<(FetchId, Search)>,
    /// The flights whose key another process loads.
    pub polls: Polls,
    /// The requests that are on their way to the host or with it.
    pub requests: IdSlab<TierRequestId, TierRequest>,
    /// The number of requests that are reads, including those that timed out but that the host has not finished.
    pub reading: u32,
    /// The number of reads that timed out.
    pub late: u32,
    pub marks: BTreeMap<FlightId, Mark>,
    pub behind: WriteBehind,
    pub breaker: TierBreaker,
    /// Whether the rest of `conclude_tier` is left to a later hold of the lock.
    pub goes_on_later: bool,
}

impl SecondTier {
    pub fn new(settings: &SecondTierSettings, abilities: TierAbilities) -> SecondTier {
        SecondTier {
            abilities,
            waiting: VecDeque::new(),
            looked: VecDeque::new(),
            search: None,
            polls: Polls::default(),
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
        let looked_up = |look: &Look| {
            look.parts.iter().any(|part| matches!(part, LookPart::Open { flight, .. } | LookPart::Missed(flight) if *flight == id))
        };
        let mut requests = self.requests.values();
        self.waiting.contains(&id)
            || self.looked.contains(&id)
            || self.polls.contains(id)
            || requests.any(|request| matches!(request, TierRequest::Look(look) if looked_up(look)))
    }

    /// The flights of which something is remembered beyond their looks. For checks.
    pub fn remembered(&self) -> impl Iterator<Item = FlightId> {
        self.marks.keys().copied().chain(self.polls.flights())
    }

    /// Whether the counts of requests that write are right. For checks.
    pub fn is_counted(&self) -> bool {
        let is_late = |request: &&TierRequest| matches!(request, TierRequest::Sent(sent) if sent.is_over());
        let is_sent = |id| matches!(self.requests.get(id), Some(TierRequest::Sent(sent)) if !sent.is_over());
        self.requests.values().filter(is_late).count() == self.behind.late_requests as usize && self.behind.sent.is_none_or(is_sent)
    }

    /// How many deadlines are set for the second tier. For checks.
    pub fn deadlines(&self) -> usize {
        let timed = |request: &&TierRequest| match request {
            TierRequest::Look(look) => look.timer.is_some(),
            TierRequest::Sent(sent) => sent.timer.is_some(),
        };
        let single = usize::from(self.behind.retry.is_some()) + usize::from(self.polls.timer.is_some());
        self.requests.values().filter(timed).count() + single
    }

    /// Whether a key that missed in the store is to be looked up.
    pub fn looks_up(&self, key: &[u8], now: Moment) -> bool {
        self.waiting.len() + self.polls.len() < self.settings.max_asking as usize && !self.behind.is_dirty(key) && self.breaker.admits(now)
    }

    /// The token with which a key may be filled after a look with this result; `None` if it must not be filled.
    pub fn fill_token(&self, found: Found, token: Token) -> Option<Token> {
        let TierAbilities { is_conditional, grants_leases, .. } = self.abilities;
        match (is_conditional, found) {
            (false, _) => Some(Token::default()),
            // Where leases are granted, an absent key is filled only with a lease (rule T03). Elsewhere it suffices that the key is still
            // absent.
            (true, Found::Nothing) => Some(token).filter(|token| !grants_leases || !token.is_empty()),
            (true, Found::Entry) => Some(token).filter(|token| !token.is_empty()),
        }
    }

    /// Whether the second tier takes this answer. It takes an object only if it can convert objects.
    pub fn takes(&self, answer: &Answer) -> bool {
        answer.value().is_none_or(|value| match value.kind() {
            Kind::Bytes => true,
            Kind::Object => self.abilities.takes_objects,
        })
    }

    /// Gives up everything that is read or waits to be written. Returns what is to be dropped once the lock is released.
    #[must_use]
    pub fn close(&mut self) -> Box<dyn Send> {
        let requests = self.requests.drain();
        self.waiting.clear();
        self.looked.clear();
        self.polls.clear();
        (self.reading, self.late) = (0, 0);
        (self.behind.sent, self.behind.retry) = (None, None);
        Box::new((self.behind.lose(), self.behind.forget_late(), requests, std::mem::take(&mut self.marks)))
    }

    /// The TTL of an entry in the second tier, in milliseconds; `None` if it does not expire. `ttl_left_ms` is what is left of its TTL in
    /// the store, negative if it does not expire there.
    pub fn ttl_of(&self, ttl_left_ms: i64) -> Option<u64> {
        let own = u64::try_from(ttl_left_ms).ok();
        match (own, self.settings.ttl_ms) {
            (Some(own), Some(most)) => Some(own.min(most)),
            (own, most) => own.or(most),
        }
    }
}
