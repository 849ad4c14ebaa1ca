//! Compares the store with a model that is simple enough to be obviously right: a list that is sorted when an entry has to be evicted, or, with
//! `cache.policy` = `s3fifo`, the reference of `cache_policy.rs`.
//!
//! Runs any sequence of operations on a manual clock. After each, the outcome, the departures in order with their causes, and the counters
//! are compared; after some, the ledger is too. Only the store decides when an expired entry is removed; the model then removes it as well,
//! and checks that it had expired.

use crate::cache_policy::{Reference, Scarce};
use kvlight::base::config::{CacheSettings, EvictionPolicy};
use kvlight::base::{Answer, Clock, Key, Labels, Millis, StoreTerms, Ttl, Value};
use kvlight::cache::{Cause, Condition, Departure, Departures, ENTRY_COST, Hit, NewEntry, PutOutcome, Store, StoreCounts, TouchOutcome};
use proptest::prelude::*;

/// Few, so that operations often meet the same entries.
const KEYS: u8 = 16;

fn key_bytes(key: u8) -> Vec<u8> {
    // Empty, short and long keys. Long ones are not stored inside a key handle.
    vec![key; key_len(key)]
}

fn key_len(key: u8) -> usize {
    usize::from(key) * 2
}

/// Every value contains its number; null has none.
fn answer(id: Option<u64>) -> Answer {
    id.map_or(Answer::Null, |id| Answer::Value(Value::bytes(&id.to_le_bytes()).expect("memory")))
}

fn id(answer: &Answer) -> Option<u64> {
    answer.value().map(|value| u64::from_le_bytes(value.as_bytes().expect("bytes").try_into().expect("a number")))
}

/// The tags of the model. An entry's labels are a number: the first two bits say which tags it has, the third whether it has a version.
const TAGS: [&[u8]; 2] = [b"tag", b"another tag"];

fn labels(of: u8) -> Option<Labels> {
    let version: &[u8] = if of & 4 != 0 { b"version" } else { b"" };
    Labels::new(version, (0..TAGS.len()).filter(|tag| of & 1 << tag != 0).map(|tag| TAGS[tag])).expect("good labels")
}

/// The cost of each combination of labels, measured in an otherwise empty store.
fn label_costs() -> [u64; 8] {
    let store = Store::new(&CacheSettings { shards: Some(1), ..CacheSettings::default() }, None);
    let (clock, mut out) = (Clock::manual(Millis(0)), Departures::new());
    std::array::from_fn(|of| {
        let terms = StoreTerms { cost: Some(0), labels: labels(of as u8), ..StoreTerms::default() };
        let put = store.put(b"", NewEntry { terms, ..NewEntry::new(Answer::Null) }, &clock, &mut out);
        let PutOutcome::Stored { cost, .. } = put else { panic!("it is stored: {put:?}") };
        cost - ENTRY_COST
    })
}

#[derive(Clone, Debug)]
struct ModelEntry {
    labels: u8,
    key: u8,
    id: Option<u64>,
    cost: u64,
    priority: f64,
    deadline: u64,
    stored_at: u64,
    used_at: u64,
    /// Increases with each use.
    recency: u64,
}

/// The TTL that applies to an answer: the stated one, or the default for a value or (`id` is `None`) a null.
fn ttl_of(settings: &CacheSettings, stated: Option<Ttl>, id: Option<u64>) -> Ttl {
    let default = if id.is_some() { settings.ttl_ms } else { settings.null_ttl_ms };
    stated.unwrap_or(default.map_or(Ttl::Never, Ttl::of_ms))
}

struct Model {
    settings: CacheSettings,
    label_costs: [u64; 8],
    now: u64,
    entries: Vec<ModelEntry>,
    uses: u64,
    counts: Counts,
    /// The order of eviction with `s3fifo`. With `lru` it is the order of `recency`.
    s3fifo: Option<Reference>,
}

/// The statistics that are compared.
#[derive(Default, PartialEq, Debug)]
struct Counts {
    hits: u64,
    null_hits: u64,
    misses: u64,
    inserts: u64,
    replacements: u64,
    /// Entries and their cost.
    removed: [(u64, u64); Cause::ALL.len()],
}

impl Counts {
    fn of(counts: &StoreCounts) -> Counts {
        let removed = Cause::ALL.map(|cause| (counts.removed(cause).entries, counts.removed(cause).cost));
        let StoreCounts { hits, null_hits, misses, inserts, replacements, .. } = *counts;
        Counts { hits, null_hits, misses, inserts, replacements, removed }
    }
}

/// The properties of a departure that are compared: key, value, cost and cause.
type Left = (u8, Option<u64>, u64, Cause);

impl Model {
    fn end(&self, entry: &ModelEntry) -> u64 {
        self.settings.idle_ttl_ms.map_or(entry.deadline, |idle| entry.deadline.min(entry.used_at.saturating_add(idle)))
    }

    fn is_due(&self, entry: &ModelEntry) -> bool {
        self.end(entry) <= self.now
    }

    fn anything_due(&self) -> bool {
        self.entries.iter().any(|entry| self.is_due(entry))
    }

    fn find(&self, key: u8) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    fn find_alive(&self, key: u8) -> Option<usize> {
        self.find(key).filter(|at| !self.is_due(&self.entries[*at]))
    }

    fn cost(&self) -> u64 {
        self.entries.iter().map(|entry| entry.cost).sum()
    }

    fn leave(&mut self, at: usize, cause: Cause, left: &mut Vec<Left>) {
        let entry = self.entries.remove(at);
        if let Some(s3fifo) = &mut self.s3fifo {
            match cause {
                Cause::Capacity | Cause::Cost | Cause::Trimmed => s3fifo.record_eviction(entry.key),
                Cause::Expired | Cause::Replaced | Cause::Removed | Cause::Cleared | Cause::Refused | Cause::Tag => {}
            }
            s3fifo.leave(entry.key);
        }
        self.count_removed(cause, entry.cost);
        left.push((entry.key, entry.id, entry.cost, cause));
    }

    fn count_removed(&mut self, cause: Cause, cost: u64) {
        let tally = &mut self.counts.removed[cause as usize - 1];
        *tally = (tally.0 + 1, tally.1 + cost);
    }

    /// The places of all entries: the lowest priority first, and within a priority in the order of the policy.
    fn in_order(&self) -> Vec<usize> {
        if let Some(s3fifo) = &self.s3fifo {
            return s3fifo.in_order().into_iter().map(|key| self.find(key).expect("the entry is in the model")).collect();
        }
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        let rank = |at: &usize| (self.entries[*at].priority, self.entries[*at].recency);
        order.sort_by(|one, other| rank(one).partial_cmp(&rank(other)).expect("no NaN"));
        order
    }

    /// The entry that is evicted next. With `s3fifo`, the search may move entries.
    fn next_victim(&mut self, scarce: Scarce) -> Option<usize> {
        match &mut self.s3fifo {
            Some(s3fifo) => s3fifo.victim(scarce).and_then(|key| self.find(key)),
            None => self.in_order().first().copied(),
        }
    }

    fn record_use(&mut self, at: usize) {
        self.uses += 1;
        self.entries[at].recency = self.uses;
        self.s3fifo.iter_mut().for_each(|s3fifo| s3fifo.used(self.entries[at].key));
        self.entries[at].used_at = self.now;
    }

    fn lookup(&mut self, key: u8, counts_a_miss: bool) -> Option<usize> {
        let found = self.find_alive(key);
        match found {
            Some(at) => {
                self.record_use(at);
                if self.entries[at].id.is_some() { self.counts.hits += 1 } else { self.counts.null_hits += 1 }
            }
            None => self.counts.misses += u64::from(counts_a_miss),
        }
        found
    }

    /// Removes from the model the expired entries that the store has removed.
    fn expire(&mut self, departures: &[Departure]) {
        for departure in departures.iter().filter(|departure| departure.cause == Cause::Expired) {
            let at = self.entries.iter().position(|entry| key_bytes(entry.key) == departure.key() && entry.id == id(&departure.answer()));
            let at = at.expect("the expired entry was in the store");
            assert!(self.is_due(&self.entries[at]), "{departure:?} left before its expiry");
            self.leave(at, Cause::Expired, &mut Vec::new());
        }
    }

    /// How many entries, and how much cost, must leave before an entry of this cost fits.
    fn lack(&self, cost: u64) -> (u64, u64) {
        let entries = (self.entries.len() as u64 + 1).saturating_sub(self.settings.capacity);
        (entries, self.settings.cost_limit.map_or(0, |limit| (self.cost() + cost).saturating_sub(limit)))
    }

    /// The outcome of a put whose condition is false; `None` if it is true.
    fn unmet(&self, key: u8, when: When) -> Option<PutOutcome> {
        match (when, self.find_alive(key)) {
            (When::Absent | When::HoldsAnother, Some(_)) => Some(PutOutcome::Conflict),
            (When::Present | When::HoldsThis | When::HoldsAnother, None) => Some(PutOutcome::Missing),
            _ => None,
        }
    }

    fn put(&mut self, key: u8, given: &Given) -> (PutOutcome, Vec<Left>) {
        let mut left = Vec::new();
        if let Some(unmet) = self.unmet(key, given.when) {
            return (unmet, left);
        }
        let cost = given.cost + key_len(key) as u64 + ENTRY_COST + self.label_costs[usize::from(given.labels)];
        let ttl = ttl_of(&self.settings, given.ttl, given.id);
        if given.renews
            && ttl != Ttl::DoNotStore
            && let Some(at) = self.find(key).filter(|at| self.entries[*at].labels == given.labels)
        {
            return (self.renew(at, ttl, given.priority), left);
        }
        let kept = self.find(key).filter(|_| given.keep_ttl).map(|at| self.entries[at].deadline);
        let stores = kept.is_some() || ttl != Ttl::DoNotStore;
        let (mut replaces, mut taken_over) = (false, None);
        if let Some(at) = self.find(key) {
            assert!(!self.is_due(&self.entries[at]), "a write removes an expired entry under its key");
            replaces = stores;
            taken_over = self.s3fifo.as_ref().map(|s3fifo| s3fifo.standing_after_use(key));
            self.leave(at, if replaces { Cause::Replaced } else { Cause::Removed }, &mut left);
        }
        if let Err(refusal) = self.make_room(cost, given.priority, stores, &mut left) {
            self.count_removed(Cause::Refused, cost);
            left.push((key, given.id, cost, Cause::Refused));
            return (refusal, left);
        }
        self.counts.inserts += 1;
        self.counts.replacements += u64::from(replaces);
        self.uses += 1;
        let deadline = kept.unwrap_or_else(|| self.deadline(ttl));
        let (id, priority, recency, now) = (given.id, given.priority + 0.0, self.uses, self.now);
        let entry = ModelEntry { labels: given.labels, key, id, cost, priority, deadline, stored_at: now, used_at: now, recency };
        let end = self.end(&entry);
        self.s3fifo.iter_mut().for_each(|s3fifo| s3fifo.enter(key, entry.priority, cost, taken_over));
        self.entries.push(entry);
        (PutOutcome::Stored { cost, expires_at: (end != u64::MAX).then_some(Millis(end)) }, left)
    }

    /// Gives an entry a new lifetime and a new priority. Its cost stays.
    fn renew(&mut self, at: usize, ttl: Ttl, priority: f64) -> PutOutcome {
        let (key, cost) = (self.entries[at].key, self.entries[at].cost);
        (self.entries[at].deadline, self.entries[at].priority) = (self.deadline(ttl), priority + 0.0);
        self.entries[at].stored_at = self.now;
        self.record_use(at);
        if let Some(s3fifo) = &mut self.s3fifo {
            let standing = s3fifo.standing(key);
            s3fifo.leave(key);
            s3fifo.enter(key, priority + 0.0, cost, Some(standing));
        }
        let end = self.end(&self.entries[at]);
        PutOutcome::Stored { cost: self.entries[at].cost, expires_at: (end != u64::MAX).then_some(Millis(end)) }
    }

    /// Expires the live entries that are selected, and returns their number.
    fn end_now(&mut self, is_selected: impl Fn(&ModelEntry) -> bool) -> usize {
        let meant: Vec<usize> =
            (0..self.entries.len()).filter(|at| is_selected(&self.entries[*at]) && !self.is_due(&self.entries[*at])).collect();
        meant.iter().for_each(|at| self.entries[*at].deadline = self.now);
        meant.len()
    }

    fn deadline(&self, ttl: Ttl) -> u64 {
        if let Ttl::For(ms) = ttl { self.now.saturating_add(ms.get()) } else { u64::MAX }
    }

    fn touch(&mut self, key: u8, ttl: Option<Ttl>) -> TouchOutcome {
        let Some(at) = self.find_alive(key) else { return TouchOutcome::Missing };
        let ttl = ttl_of(&self.settings, ttl, self.entries[at].id);
        if ttl == Ttl::DoNotStore {
            return TouchOutcome::NoTtl;
        }
        self.entries[at].deadline = self.deadline(ttl);
        self.record_use(at);
        let end = self.end(&self.entries[at]);
        TouchOutcome::Done((end != u64::MAX).then_some(Millis(end)))
    }

    fn make_room(&mut self, cost: u64, priority: f64, stores: bool, left: &mut Vec<Left>) -> Result<(), PutOutcome> {
        if !stores || self.settings.capacity == 0 {
            return Err(PutOutcome::Refused);
        }
        if self.settings.cost_limit.is_some_and(|limit| cost > limit) {
            return Err(PutOutcome::TooLarge);
        }
        let (entries, bytes) = self.lack(cost);
        let evictable: Vec<u64> = self.entries.iter().filter(|entry| entry.priority <= priority).map(|entry| entry.cost).collect();
        let refused = (evictable.len() as u64) < entries || evictable.iter().sum::<u64>() < bytes;
        assert!(
            !self.anything_due() || (!refused && (entries, bytes) == (0, 0)),
            "no live entry is evicted, and no new one refused, while there is an expired one"
        );
        if refused {
            return Err(PutOutcome::Refused);
        }
        loop {
            let (cause, scarce) = match self.lack(cost) {
                (0, 0) => return Ok(()),
                (0, _) => (Cause::Cost, Scarce::Cost),
                _ => (Cause::Capacity, Scarce::Entries),
            };
            let at = self.next_victim(scarce).expect("there is enough to evict");
            assert!(self.entries[at].priority <= priority, "no entry of a higher priority is evicted");
            self.leave(at, cause, left);
        }
    }

    /// Evicts until there are at most this many entries with at most this total cost.
    fn trim_to(&mut self, entries: u64, cost: u64) -> Vec<Left> {
        let mut left = Vec::new();
        loop {
            let scarce = match (self.entries.len() as u64 > entries, self.cost() > cost) {
                (true, _) => Scarce::Entries,
                (_, true) => Scarce::Cost,
                _ => return left,
            };
            let at = self.next_victim(scarce).expect("there are entries");
            self.leave(at, Cause::Trimmed, &mut left);
        }
    }
}

#[derive(Clone, Debug)]
struct Given {
    id: Option<u64>,
    cost: u64,
    ttl: Option<Ttl>,
    keep_ttl: bool,
    when: When,
    priority: f64,
    labels: u8,
    /// Whether the value is the one that the key already has.
    renews: bool,
}

/// The condition of a put.
#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    Absent,
    Present,
    /// The key must have the value that is stored for it: true unless the key is absent.
    HoldsThis,
    /// The key must have a value that is not stored for it: always false.
    HoldsAnother,
}

#[derive(Clone, Debug)]
enum Op {
    Put {
        key: u8,
        null: bool,
        cost: u64,
        ttl: Option<Ttl>,
        keep_ttl: bool,
        when: When,
        priority: f64,
        /// Whether the put returns its victims.
        naming: bool,
        labels: u8,
    },
    /// Puts the key's own value again, with the same labels (`None`) or with others.
    Renew {
        key: u8,
        cost: u64,
        ttl: Option<Ttl>,
        priority: f64,
        labels: Option<u8>,
    },
    RemoveTag(usize),
    ExpireTag(usize),
    ExpireAll,
    Expire(u8),
    Touch(u8, Option<Ttl>),
    Lookup(u8),
    LookupWith(u8),
    LookupFast(u8),
    HitFast(u8),
    Probe(u8),
    Peek(u8),
    Remove(u8),
    Take(u8),
    Pop,
    Trim(f64),
    TrimTo(u64),
    Resize(u64, Option<u64>),
    Clear,
    RemoveExpired,
    Sweep(usize),
    Advance(u64),
    ResetCounts,
}

fn any_ttl() -> impl Strategy<Value = Option<Ttl>> {
    // Mostly multiples of the clock's steps, so that the clock often stands exactly at an expiry time.
    let spans = prop_oneof![5 => (1..10u64).prop_map(|tens| tens * 10), 1 => 1..100u64, 2 => 100..10_000u64, 1 => Just(u64::MAX)];
    let ttls = prop_oneof![1 => Just(Ttl::Never), 1 => Just(Ttl::DoNotStore), 8 => spans.prop_map(Ttl::of_ms)];
    prop_oneof![2 => Just(None), 3 => ttls.prop_map(Some)]
}

fn any_capacity() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 6 => 1..15u64, 2 => 15..100u64, 1 => Just(u64::MAX)]
}

fn any_cost_limit() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![4 => Just(None), 1 => (0..300u64).prop_map(Some), 4 => (300..4_000u64).prop_map(Some)]
}

fn any_priority(many: bool) -> BoxedStrategy<f64> {
    if many {
        return (0..200u8).prop_map(f64::from).boxed();
    }
    let others = prop_oneof![Just(-0.0), Just(1.0), Just(-1.5), Just(f64::INFINITY), Just(f64::NEG_INFINITY)];
    prop_oneof![1 => Just(0.0), 1 => others].boxed()
}

/// `many`: for a store that is to have many entries of different priorities.
fn any_op(many: bool) -> impl Strategy<Value = Op> {
    let keys = if many { 0..80u8 } else { 0..KEYS };
    let cost = prop_oneof![8 => 0..200u64, 1 => 200..5_000u64];
    let when = prop_oneof![8 => Just(When::Always), 1 => Just(When::Absent), 1 => Just(When::Present), 2 => Just(When::HoldsThis),
        1 => Just(When::HoldsAnother)];
    let labels = prop_oneof![3 => Just(0), 2 => 0..8u8];
    let renew = (keys.clone(), cost.clone(), any_ttl(), any_priority(many), prop_oneof![3 => Just(None), 1 => (0..8u8).prop_map(Some)]);
    let renew = renew.prop_map(|(key, cost, ttl, priority, labels)| Op::Renew { key, cost, ttl, priority, labels });
    let naming = (any::<bool>(), labels);
    let put = (keys.clone(), prop::bool::weighted(0.2), cost, any_ttl(), prop::bool::weighted(0.2), when, any_priority(many), naming);
    let put = put.prop_map(move |(key, null, cost, ttl, keep_ttl, when, priority, (naming, labels))| {
        // Entries must stay, or there would never be many priorities at the same time.
        let ttl = if many { None } else { ttl };
        let priority = if many && cost % 20 != 0 { f64::from(key) } else { priority };
        Op::Put { key, null, cost, ttl, keep_ttl, when, priority, naming, labels }
    });
    let touch = (keys.clone(), any_ttl().prop_filter("a touch with TTL 0 is refused", |ttl| *ttl != Some(Ttl::DoNotStore)));
    // For the same reason, operations that remove entries must be rare.
    let often = |weight| if many { weight * 50 } else { weight };
    prop_oneof![
        often(40) => put,
        often(6) => renew,
        often(12) => keys.clone().prop_map(Op::Lookup),
        4 => keys.clone().prop_map(Op::LookupWith),
        8 => keys.clone().prop_map(Op::LookupFast),
        8 => keys.clone().prop_map(Op::HitFast),
        4 => keys.clone().prop_map(Op::Probe),
        4 => keys.clone().prop_map(Op::Peek),
        4 => keys.clone().prop_map(Op::Remove),
        2 => keys.clone().prop_map(Op::Take),
        2 => keys.prop_map(Op::Expire),
        1 => (0..TAGS.len()).prop_map(Op::RemoveTag),
        1 => (0..TAGS.len()).prop_map(Op::ExpireTag),
        1 => Just(Op::ExpireAll),
        4 => touch.prop_map(|(key, ttl)| Op::Touch(key, ttl)),
        2 => Just(Op::Pop),
        1 => (0.0..1.1f64).prop_map(Op::Trim),
        1 => (0..20u64).prop_map(Op::TrimTo),
        1 => (any_capacity(), any_cost_limit()).prop_map(|(capacity, limit)| Op::Resize(capacity, limit)),
        1 => Just(Op::Clear),
        1 => Just(Op::RemoveExpired),
        1 => (1..5usize).prop_map(Op::Sweep),
        10 => prop_oneof![8 => (0..6u64).prop_map(|tens| tens * 10), 1 => 0..60u64, 1 => 60..20_000u64].prop_map(Op::Advance),
        1 => Just(Op::ResetCounts),
    ]
}

/// The same operation without priorities and labels, so that a put into a full shard takes over the node of its victim.
fn plain(op: Op) -> Op {
    match op {
        Op::Put { key, null, cost, ttl, keep_ttl, when, naming, .. } => {
            Op::Put { key, null, cost, ttl, keep_ttl, when, priority: 0.0, naming, labels: 0 }
        }
        Op::Renew { key, cost, ttl, .. } => Op::Renew { key, cost, ttl, priority: -0.0, labels: None },
        other => other,
    }
}

fn settings(
    capacity: u64,
    cost_limit: Option<u64>,
    ttl_ms: Option<u64>,
    null_ttl_ms: Option<u64>,
    idle_ttl_ms: Option<u64>,
) -> CacheSettings {
    CacheSettings { capacity, cost_limit, shards: Some(1), ttl_ms, null_ttl_ms, idle_ttl_ms, ..CacheSettings::default() }
}

fn any_policy() -> impl Strategy<Value = EvictionPolicy> {
    prop::sample::select(&EvictionPolicy::ALL[..])
}

fn any_settings() -> impl Strategy<Value = CacheSettings> {
    let ttl = || prop_oneof![3 => Just(None), 1 => Just(Some(0)), 3 => (1..50u64).prop_map(|tens| Some(tens * 10))];
    let idle = prop_oneof![2 => Just(None), 1 => (1..20u64).prop_map(|tens| Some(tens * 10))];
    (any_capacity(), any_cost_limit(), ttl(), ttl(), idle, any_policy()).prop_map(|(capacity, limit, ttl, null_ttl, idle, policy)| {
        CacheSettings { policy, ..settings(capacity, limit, ttl, null_ttl, idle) }
    })
}

struct Fixture {
    store: Store,
    clock: Clock,
    model: Model,
    /// The number of values that were put.
    given: u64,
    /// How many of them were put with a condition that was false.
    unmet: u64,
    departed: u64,
}

impl Fixture {
    fn new(settings: &CacheSettings) -> Fixture {
        let start = 1_000_000;
        let (settings, label_costs) = (settings.clone(), label_costs());
        let store = Store::new(&settings, None);
        let s3fifo = match settings.policy {
            EvictionPolicy::Lru => None,
            EvictionPolicy::S3Fifo => Some(Reference::default()),
        };
        let model = Model { settings, label_costs, now: start, entries: Vec::new(), uses: 0, counts: Counts::default(), s3fifo };
        Fixture { store, clock: Clock::manual(Millis(start)), model, given: 0, unmet: 0, departed: 0 }
    }

    fn advance(&mut self, by_ms: u64) {
        if let Clock::Manual(clock) = &self.clock {
            clock.advance(by_ms);
        }
        self.model.now += by_ms;
    }

    /// Compares the departures with the expected ones. Expired entries are not compared: [`Model::expire`] has removed the same ones.
    fn check_left(&mut self, out: &Departures, expected: &[Left]) {
        self.departed += out.len() as u64;
        let left = out.iter().filter(|departure| departure.cause != Cause::Expired);
        let left: Vec<_> = left.map(|left| (left.key().to_vec(), id(&left.answer()), left.cost, left.cause)).collect();
        let expected: Vec<_> = expected.iter().map(|(key, id, cost, cause)| (key_bytes(*key), *id, *cost, *cause)).collect();
        assert_eq!(left, expected);
        for departure in out {
            assert_eq!(departure.left_at, self.clock.millis());
        }
    }

    fn check_hit(&self, hit: Option<Hit>, expected: Option<usize>) {
        let hit = hit.map(|hit| (id(&hit.answer), hit.cost, hit.stored_at.0, hit.expires_at.map_or(u64::MAX, |end| end.0)));
        let expected = expected.map(|at| &self.model.entries[at]);
        assert_eq!(hit, expected.map(|entry| (entry.id, entry.cost, entry.stored_at, self.model.end(entry))));
    }

    fn run(&mut self, op: &Op) {
        let Fixture { store, clock, model, .. } = self;
        let mut out = Departures::new();
        let mut expected = Vec::new();
        match *op {
            Op::Put { key, null, cost, ttl, keep_ttl, when, priority, naming, labels: of } => {
                let given = Given { id: (!null).then_some(self.given), cost, ttl, keep_ttl, when, priority, labels: of, renews: false };
                self.given += 1;
                let condition = match when {
                    When::Always => Condition::None,
                    When::Absent => Condition::Absent,
                    When::Present => Condition::Present,
                    When::HoldsThis => Condition::Holds(store.peek(&key_bytes(key), clock).map_or(Answer::Null, |hit| hit.answer)),
                    // The same bytes in another value: the condition compares values by identity.
                    When::HoldsAnother => {
                        Condition::Holds(answer(Some(model.find(key).and_then(|at| model.entries[at].id).unwrap_or(self.given))))
                    }
                };
                let (priority, cost) = (Some(priority), Some(cost));
                let terms = StoreTerms { ttl, keep_ttl, priority, cost, labels: labels(of), ..StoreTerms::default() };
                let entry = NewEntry { answer: answer(given.id), terms, condition };
                let (put, named) = if naming {
                    let (put, named) = store.put_with_victims(&key_bytes(key), &mut { entry }, clock, &mut out);
                    (put, Some(named))
                } else {
                    (store.put(&key_bytes(key), entry, clock, &mut out), None)
                };
                model.expire(&out);
                let (outcome, left) = model.put(key, &given);
                assert_eq!(put, outcome);
                self.unmet += u64::from(!put.took_place());
                if let Some(named) = named {
                    let victims = left.iter().filter(|left| match left.3 {
                        Cause::Capacity | Cause::Cost | Cause::Refused => true,
                        Cause::Expired | Cause::Replaced | Cause::Removed | Cause::Cleared | Cause::Trimmed | Cause::Tag => false,
                    });
                    let victims: Vec<_> = victims.map(|left| (Key::new(&key_bytes(left.0)), left.1)).collect();
                    assert_eq!(named.iter().map(|left| (Key::new(left.key()), id(&left.answer()))).collect::<Vec<_>>(), victims);
                }
                expected = left;
            }
            Op::Renew { key, cost, ttl, priority, labels: stated } => {
                let (Some(at), Some((hit, _))) = (model.find_alive(key), store.known(&key_bytes(key), clock)) else { return };
                let of = stated.unwrap_or(model.entries[at].labels);
                let given =
                    Given { id: id(&hit.answer), cost, ttl, keep_ttl: false, when: When::Always, priority, labels: of, renews: true };
                let (priority, cost) = (Some(priority), Some(cost));
                let terms = StoreTerms { ttl, priority, cost, labels: labels(of), renews: true, ..StoreTerms::default() };
                let departed = model.entries[at].labels != of || ttl_of(&model.settings, ttl, given.id) == Ttl::DoNotStore;
                // A value that departs and is stored again counts as another one.
                self.given += u64::from(departed);
                let put = store.put(&key_bytes(key), NewEntry { terms, ..NewEntry::new(hit.answer) }, clock, &mut out);
                model.expire(&out);
                let (outcome, left) = model.put(key, &given);
                assert_eq!(put, outcome);
                assert!(departed || left.is_empty(), "renewing a value removes nothing: {left:?}");
                expected = left;
            }
            Op::RemoveTag(tag) => {
                let has_it = |entry: &ModelEntry| entry.labels & 1 << tag != 0;
                let alive = model.entries.iter().filter(|entry| has_it(entry) && !model.is_due(entry)).count();
                assert_eq!(store.remove_tag(TAGS[tag], clock, &mut out), alive);
                model.expire(&out);
                while let Some(at) = model.entries.iter().position(has_it) {
                    model.leave(at, Cause::Tag, &mut expected);
                }
                // Entries with a tag leave in no particular order.
                out.sort_by(|one, other| one.key().cmp(other.key()));
                expected.sort_by_key(|(key, ..)| key_bytes(*key));
            }
            Op::ExpireTag(tag) => {
                let expired = model.end_now(|entry| entry.labels & 1 << tag != 0);
                assert_eq!(store.expire_tag(TAGS[tag], clock, &mut out), expired);
                model.expire(&out);
            }
            Op::ExpireAll => {
                model.end_now(|_| true);
                store.expire_all(clock, &mut out);
                model.expire(&out);
            }
            Op::Expire(key) => {
                let expired = model.end_now(|entry| entry.key == key);
                assert_eq!(store.expire(&key_bytes(key), clock, &mut out), expired == 1);
                model.expire(&out);
            }
            Op::Touch(key, ttl) => {
                let touched = store.touch(&key_bytes(key), ttl, clock, &mut out);
                model.expire(&out);
                assert_eq!(touched, model.touch(key, ttl));
            }
            Op::Lookup(key) => {
                let (hit, found) = (store.lookup(&key_bytes(key), clock), model.lookup(key, true));
                self.check_hit(hit, found);
            }
            Op::LookupWith(key) => {
                let (seen, found) = (store.lookup_with(&key_bytes(key), clock, id), model.lookup(key, true));
                assert_eq!(seen, found.map(|at| model.entries[at].id));
            }
            Op::LookupFast(key) => {
                // The fast path, then the slow path if the fast one does not apply.
                let seen =
                    store.try_lookup_fast(&key_bytes(key), clock, id).unwrap_or_else(|| store.lookup_with(&key_bytes(key), clock, id));
                assert_eq!(seen, model.lookup(key, true).map(|at| model.entries[at].id));
            }
            Op::HitFast(key) => {
                // The same two paths without counting a miss.
                let seen = store.try_hit_fast(&key_bytes(key), clock, id).unwrap_or_else(|| store.probe_with(&key_bytes(key), clock, id));
                assert_eq!(seen, model.lookup(key, false).map(|at| model.entries[at].id));
            }
            Op::Probe(key) => {
                let (hit, found) = (store.probe(&key_bytes(key), clock), model.lookup(key, false));
                self.check_hit(hit, found);
            }
            Op::Peek(key) => {
                let (hit, found) = (store.peek(&key_bytes(key), clock), model.find_alive(key));
                self.check_hit(hit, found);
            }
            Op::Remove(key) => {
                let removed = store.remove(&key_bytes(key), clock, &mut out);
                model.expire(&out);
                assert_eq!(removed, model.find(key).is_some());
                if let Some(at) = model.find(key) {
                    model.leave(at, Cause::Removed, &mut expected);
                }
            }
            Op::Take(key) => {
                let taken = store.take(&key_bytes(key), clock, &mut out);
                model.expire(&out);
                assert_eq!(taken.map(|answer| id(&answer)), model.find(key).map(|at| model.entries[at].id));
                if let Some(at) = model.find(key) {
                    model.leave(at, Cause::Removed, &mut expected);
                }
            }
            Op::Pop => {
                let popped = store.pop(clock, &mut out);
                model.expire(&out);
                assert!(!model.anything_due());
                let victim = model.next_victim(Scarce::Entries);
                assert_eq!(popped.map(|answer| id(&answer)), victim.map(|at| model.entries[at].id));
                victim.into_iter().for_each(|at| model.leave(at, Cause::Removed, &mut expected));
            }
            Op::Trim(ratio) => {
                store.trim(ratio, clock, &mut out);
                model.expire(&out);
                let keep = |whole: u64| whole.min((whole as f64 * ratio) as u64);
                let (entries, cost) = (keep(model.entries.len() as u64), keep(model.cost()));
                expected = model.trim_to(entries, cost);
            }
            Op::TrimTo(entries) => {
                store.trim_to(entries, clock, &mut out);
                model.expire(&out);
                expected = model.trim_to(entries, u64::MAX);
            }
            Op::Resize(capacity, cost_limit) => {
                store.resize(capacity, cost_limit, clock, &mut out);
                model.expire(&out);
                (model.settings.capacity, model.settings.cost_limit) = (capacity, cost_limit);
                expected = model.trim_to(capacity, cost_limit.unwrap_or(u64::MAX));
                assert_eq!((store.capacity(), store.cost_limit()), (capacity, cost_limit));
            }
            Op::Clear => {
                store.clear(clock, &mut out);
                model.expire(&out);
                while let Some(at) = model.in_order().first() {
                    model.leave(*at, Cause::Cleared, &mut expected);
                }
            }
            Op::RemoveExpired => {
                let due = model.entries.iter().filter(|entry| model.is_due(entry)).count();
                assert_eq!(store.remove_expired(clock, &mut out), due);
                model.expire(&out);
            }
            Op::Sweep(limit) => {
                let more = store.sweep(clock, limit, &mut out);
                assert!(out.len() <= limit);
                model.expire(&out);
                assert!(more || !model.anything_due(), "a sweep without more to do has removed all expired entries");
            }
            Op::Advance(by_ms) => self.advance(by_ms),
            Op::ResetCounts => {
                assert_eq!(Counts::of(&store.reset_counts()), std::mem::take(&mut model.counts));
            }
        }
        self.check_left(&out, &expected);
        self.check_at_rest();
    }

    /// The conditions that are true between any two operations.
    fn check_at_rest(&mut self) {
        assert_eq!(Counts::of(&self.store.counts()), self.model.counts);
        let first_end = self.model.entries.iter().map(|entry| self.model.end(entry)).min().unwrap_or(u64::MAX);
        let next_due = self.store.next_due().unwrap_or(Millis::NEVER);
        assert!(next_due.0 <= first_end, "the timer does not sleep beyond an expiry");
        let alive = self.model.entries.iter().filter(|entry| !self.model.is_due(entry));
        for entry in alive {
            let hit = self.store.peek(&key_bytes(entry.key), &self.clock).expect("the entry is alive");
            assert_eq!((id(&hit.answer), hit.cost), (entry.id, entry.cost));
        }
    }

    /// Compares the number of entries and their total cost. Reading these removes expired entries. So it is done only after some operations;
    /// otherwise no operation would ever meet an expired entry.
    fn check_sums(&mut self) {
        let mut out = Departures::new();
        let len = self.store.len(&self.clock, &mut out);
        let cost = self.store.cost(&self.clock, &mut out);
        self.model.expire(&out);
        self.check_left(&out, &[]);
        assert!(!self.model.anything_due());
        assert_eq!((len, cost), (self.model.entries.len() as u64, self.model.cost()));
        assert!(len <= self.store.capacity() && self.store.cost_limit().is_none_or(|limit| cost <= limit));
        let hits = (0..=u8::MAX).filter_map(|key| self.store.peek(&key_bytes(key), &self.clock));
        assert_eq!(cost, hits.map(|hit| hit.cost).sum::<u64>(), "the ledger equals the sum of all costs");
    }
}

/// Runs the operations, each followed by a check of the sums if that is asked for.
fn play(settings: &CacheSettings, ops: &[(Op, bool)]) {
    let mut fixture = Fixture::new(settings);
    for (op, asks_for_sums) in ops {
        fixture.run(op);
        if *asks_for_sums {
            fixture.check_sums();
        }
    }
    fixture.check_sums();
    assert_eq!(
        fixture.given,
        fixture.unmet + fixture.departed + fixture.model.entries.len() as u64,
        "each value becomes exactly one departure"
    );
}

/// The number of cases: PROPTEST_CASES, which the mutation tests set, or else `usually`.
fn cases(usually: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usually)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(250), failure_persistence: None, ..ProptestConfig::default() })]

    /// 250 cases of up to 500 operations: about 60,000 operations.
    #[test]
    fn s01_s14_r06_r11_r12_the_store_behaves_like_its_model(
        settings in any_settings(),
        ops in prop::collection::vec((any_op(false), prop::bool::weighted(0.3)), 1..500),
    ) {
        play(&settings, &ops);
    }

    #[test]
    fn s03_the_ledger_is_exact_after_every_step(
        settings in any_settings(),
        ops in prop::collection::vec((any_op(false), Just(true)), 1..300),
    ) {
        play(&settings, &ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(100), failure_persistence: None, ..ProptestConfig::default() })]

    /// As many priorities as entries, in stores that are always full or nearly full.
    #[test]
    fn s05a_with_many_priorities_the_store_behaves_like_its_model(
        capacity in 50..100u64,
        cost_limit in prop_oneof![Just(None), (5_000..40_000u64).prop_map(Some)],
        policy in any_policy(),
        ops in prop::collection::vec((any_op(true), prop::bool::weighted(0.05)), 200..700),
    ) {
        play(&CacheSettings { policy, ..settings(capacity, cost_limit, None, None, None) }, &ops);
    }

    /// Nearly all puts take over the node of an older entry or of a victim, with and without TTLs.
    #[test]
    fn s05_s11_without_priorities_and_labels_the_store_behaves_like_its_model(
        capacity in 1..15u64,
        cost_limit in any_cost_limit(),
        ttl in prop_oneof![2 => Just(None), 1 => (1..50u64).prop_map(|tens| Some(tens * 10))],
        ops in prop::collection::vec((any_op(false).prop_map(plain), Just(true)), 1..400),
    ) {
        play(&settings(capacity, cost_limit, ttl, None, None), &ops);
    }

    /// With one priority and without TTL the store is an LRU cache, which evicts exactly like the crate `lru`.
    #[test]
    fn s05_with_one_priority_the_store_is_exactly_lru(
        capacity in 1..20usize,
        ops in prop::collection::vec((0..4u8, 0..30u8), 1..500),
    ) {
        let store = Store::new(&settings(capacity as u64, None, None, None, None), None);
        let (clock, mut out) = (Clock::manual(Millis(0)), Departures::new());
        let mut oracle = lru::LruCache::new(capacity.try_into().expect("not 0"));
        for (number, (op, key)) in ops.iter().enumerate() {
            let number = number as u64;
            match op {
                0 | 1 => {
                    prop_assert!(store.put(&[*key], NewEntry::new(answer(Some(number))), &clock, &mut out).is_stored());
                    oracle.put(*key, number);
                }
                2 => {
                    let found = store.lookup(&[*key], &clock).and_then(|hit| id(&hit.answer));
                    prop_assert_eq!(found, oracle.get(key).copied());
                }
                _ => {
                    let taken = store.take(&[*key], &clock, &mut out).and_then(|answer| id(&answer));
                    prop_assert_eq!(taken, oracle.pop(key));
                }
            }
            for (key, number) in &oracle {
                prop_assert_eq!(store.peek(&[*key], &clock).and_then(|hit| id(&hit.answer)), Some(*number));
            }
            prop_assert_eq!(store.len(&clock, &mut out), oracle.len() as u64);
        }
        while let Some((_, number)) = oracle.pop_lru() {
            prop_assert_eq!(store.pop(&clock, &mut out).and_then(|answer| id(&answer)), Some(number));
        }
    }
}
