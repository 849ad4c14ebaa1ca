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
//!                                Expired ── never served ──▶ ended  Late ── finished ──▶ ended: keys that were written since are removed
//! ```
//!
//! At most `l2.max_requests` requests read at a time, and one writes: so two writes of a key cannot overtake each other, unless the host takes
//! longer than `l2.write_timeout_ms` for the first. Writes go before fills. A dirty key is not looked up (rule T06), nor is one that a late request
//! may overwrite. Nothing of this delays a caller but a look, and that for `l2.timeout_ms` at most.

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
    /// A fill is done only if the key still is as the read had found it.
    pub is_conditional: bool,
    /// A read of an absent key grants a token that no other read of it has: without one there is no fill.
    pub grants_leases: bool,
    /// It makes bytes of objects, and objects of bytes.
    pub takes_objects: bool,
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
    /// For a read: the keys whose lease may be taken from the process that has it, by their indexes, in order.
    pub steals: Vec<u32>,
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
    Open {
        flight: FlightId,
        stamp: Stamp,
    },
    /// Looked up without success: it goes to the provider together with the other keys of the request.
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
    /// Its time was over before the host took it: it is never served.
    Expired,
    /// Its time was over when the host had taken it: it has failed, but may still write.
    Late,
}

/// Keys that are being written.
pub(super) struct Sent {
    pub kind: TierRequestKind,
    pub stage: SendStage,
    /// `None`: the time is over, or has no end.
    pub timer: Option<DeadlineId>,
    /// The keys, with the number of the write that is sent.
    pub keys: Vec<(Key, u64)>,
    /// The number of the last write when it was formed.
    pub formed_at: u64,
    /// What came of each key.
    pub results: Vec<StoreResult>,
}

/// What came of a key that was to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StoreResult {
    /// Unless the host says something else, it is done when the request is finished.
    Done,
    Refused,
    Failed,
}

impl Sent {
    pub fn new(kind: TierRequestKind, keys: Vec<(Key, u64)>, formed_at: u64) -> Sent {
        let results = vec![StoreResult::Done; keys.len()];
        Sent { kind, stage: SendStage::Waiting, timer: None, keys, formed_at, results }
    }

    /// The host takes it. False: its time is over.
    pub fn take(&mut self) -> bool {
        if self.stage == SendStage::Waiting {
            self.stage = SendStage::Taken;
        }
        !self.is_over()
    }

    /// Its time is over.
    pub fn time_out(&mut self) {
        self.stage = if self.stage == SendStage::Taken { SendStage::Late } else { SendStage::Expired };
        self.timer = None;
        self.fail();
    }

    /// All of it has failed.
    pub fn fail(&mut self) {
        self.results.fill(StoreResult::Failed);
    }

    /// How many keys had this result.
    pub fn count(&self, result: StoreResult) -> u64 {
        self.results.iter().filter(|other| **other == result).count() as u64
    }

    /// Whether its time is over.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, SendStage::Expired | SendStage::Late)
    }
}

/// What is to be known of a flight beyond its phase.
pub(super) enum Mark {
    /// It loads in any case: the look is only to find out what a fill may replace.
    Reloads,
    /// Its answer may be filled, with this token, unless everything was cleared after this clear.
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
    /// The search for places of those that this fetch started, until all have gone on.
    pub search: Option<(FetchId, Search)>,
    /// The flights whose key another process loads.
    pub polls: Polls,
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

    /// Whether the requests that write are counted rightly. For checks.
    pub fn is_counted(&self) -> bool {
        let is_late = |request: &&TierRequest| matches!(request, TierRequest::Sent(sent) if sent.is_over());
        let is_sent = |id| matches!(self.requests.get(id), Some(TierRequest::Sent(sent)) if !sent.is_over());
        self.requests.values().filter(is_late).count() == self.behind.late_requests as usize && self.behind.sent.is_none_or(is_sent)
    }

    /// How many deadlines are set for it. For checks.
    pub fn deadlines(&self) -> usize {
        let timed = |request: &&TierRequest| match request {
            TierRequest::Look(look) => look.timer.is_some(),
            TierRequest::Sent(sent) => sent.timer.is_some(),
        };
        let single = usize::from(self.behind.retry.is_some()) + usize::from(self.polls.timer.is_some());
        self.requests.values().filter(timed).count() + single
    }

    /// Whether a key that missed is looked up.
    pub fn looks_up(&self, key: &[u8], now: Moment) -> bool {
        self.waiting.len() + self.polls.len() < self.settings.max_asking as usize && !self.behind.is_dirty(key) && self.breaker.admits(now)
    }

    /// What a look has found gives this right to fill.
    pub fn right_of(&self, found: Found, token: Token) -> Option<Token> {
        let TierAbilities { is_conditional, grants_leases, .. } = self.abilities;
        match (is_conditional, found) {
            (false, _) => Some(Token::default()),
            // Without a lease of an absent key there is no fill (rule T03). Without leases at all, "still absent" must do.
            (true, Found::Nothing) => Some(token).filter(|token| !grants_leases || !token.is_empty()),
            (true, Found::Entry) => Some(token).filter(|token| !token.is_empty()),
        }
    }

    /// Whether the answer may leave this process.
    pub fn takes(&self, answer: &Answer) -> bool {
        answer.value().is_none_or(|value| match value.kind() {
            Kind::Bytes => true,
            Kind::Object => self.abilities.takes_objects,
        })
    }

    /// Ends everything. Returns what is to be dropped once the lock is released.
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

    /// What remains of its TTL for the second tier; `None`: it does not expire.
    pub fn ttl_of(&self, ttl_left_ms: i64) -> Option<u64> {
        let own = u64::try_from(ttl_left_ms).ok();
        match (own, self.settings.ttl_ms) {
            (Some(own), Some(most)) => Some(own.min(most)),
            (own, most) => own.or(most),
        }
    }
}
