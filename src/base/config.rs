//! All settings. The parser, `docs/CONFIGURATION.md` and the JSON list for bindings are generated from one table.
//!
//! A setting has a name, a type with its range, a default and a description. Settings marked per fetch are also accepted in the options of
//! a fetch, under the same name, where they override the engine's.

mod contradictions;
mod manual;
mod settings;

pub use contradictions::FetchRefusal;
pub use manual::as_markdown;
pub use settings::*;

use super::Status;
use std::borrow::Cow;
use std::ffi::CString;
use std::time::Duration;

/// One setting.
pub struct SettingRow {
    /// The name, such as `cache.capacity`.
    pub name: &'static str,
    /// The type and the range.
    pub domain: Domain,
    /// The default, as text.
    pub default: &'static str,
    /// Whether a fetch's options may set it.
    pub per_fetch: bool,
    /// What the setting does, in one or more sentences.
    pub about: &'static str,
    write: fn(&mut Settings, &SettingValue),
}

/// The values that a setting accepts.
#[derive(Clone, Copy)]
pub enum Domain {
    /// A whole number between the two, both included.
    Int(i64, i64),
    /// A number between the two, both included.
    Real(f64, f64),
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A value of a setting, checked against its domain.
#[derive(Clone, Copy)]
enum SettingValue {
    Int(i64),
    Real(f64),
    Bool(bool),
    /// The index of the word in its domain.
    Word(usize),
}

impl SettingValue {
    fn int(&self) -> i64 {
        if let SettingValue::Int(value) = self { *value } else { unreachable!("the table's domain is Int") }
    }
    /// `None` for -1.
    fn limit(&self) -> Option<u64> {
        u64::try_from(self.int()).ok()
    }
    fn count(&self) -> u64 {
        self.int().unsigned_abs()
    }
    fn small(&self) -> u32 {
        u32::try_from(self.int()).unwrap_or(u32::MAX)
    }
    fn size(&self) -> usize {
        usize::try_from(self.int()).unwrap_or(usize::MAX)
    }
    fn millis(&self) -> Duration {
        Duration::from_millis(self.count())
    }
    fn maybe_millis(&self) -> Option<Duration> {
        self.limit().map(Duration::from_millis)
    }
    fn real(&self) -> f64 {
        if let SettingValue::Real(value) = self { *value } else { unreachable!("the table's domain is Real") }
    }
    fn bool(&self) -> bool {
        if let SettingValue::Bool(value) = self { *value } else { unreachable!("the table's domain is Bool") }
    }
    fn word<T: Copy>(&self, words: &[T]) -> T {
        if let SettingValue::Word(index) = self { words[*index] } else { unreachable!("the table's domain is Word") }
    }
}

const MAX: i64 = i64::MAX;
/// The largest number of a setting of 32 bits.
const COUNT: i64 = u32::MAX as i64;
const ANY: f64 = f64::INFINITY;
const LEAST_URGENT: i64 = i32::MIN as i64;
const MOST_URGENT: i64 = i32::MAX as i64;

macro_rules! rows {
    ($($name:literal $domain:expr, $default:literal, $scope:ident, $about:literal, $write:expr;)*) => {
        &[$(SettingRow { name: $name, domain: $domain, default: $default, per_fetch: rows!(@$scope), about: $about, write: $write },)*]
    };
    (@engine) => { false };
    (@fetch) => { true };
}

use Domain::{Bool, Int, Real, Word};

/// Every setting, in the order of the manual.
#[rustfmt::skip]
pub static TABLE: &[SettingRow] = rows! {
    "cache.capacity" Int(0, MAX), "1024", engine, "The maximum number of entries in the store; 0 stores nothing.",
        |s, v| s.cache.capacity = v.count();
    "cache.cost_limit" Int(-1, MAX), "-1", engine, "The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST.",
        |s, v| s.cache.cost_limit = v.limit();
    "cache.shards" Int(0, 4096), "0", engine, "The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors.",
        |s, v| s.cache.shards = (v.int() > 0).then(|| v.small());
    "cache.ttl_ms" Int(-1, MAX), "-1", engine, "The TTL of values, in milliseconds; -1 never expires them; 0 stores no values.",
        |s, v| s.cache.ttl_ms = v.limit();
    "cache.null_ttl_ms" Int(-1, MAX), "60000", engine, "The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls.",
        |s, v| s.cache.null_ttl_ms = v.limit();
    "cache.ttl_jitter_ms" Int(0, MAX), "0", engine, "The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2).",
        |s, v| s.cache.ttl_jitter_ms = v.count();
    "cache.idle_ttl_ms" Int(-1, MAX), "-1", engine, "The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused.",
        |s, v| s.cache.idle_ttl_ms = v.limit();
    "cache.timer" Bool, "true", engine, "Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer.",
        |s, v| s.cache.timer = v.bool();
    "cache.seed" Int(-1, MAX), "-1", engine, "A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random.",
        |s, v| s.cache.seed = v.limit();
    "cache.hash" Word(Hash::WORDS), "fast", engine, "The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys.",
        |s, v| s.cache.hash = v.word(&Hash::ALL);
    "cache.policy" Word(EvictionPolicy::WORDS), "lru", engine, "Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else.",
        |s, v| s.cache.policy = v.word(&EvictionPolicy::ALL);
    "cache.error_ttl_ms" Int(0, MAX), "0", engine, "How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors.",
        |s, v| s.cache.error_ttl_ms = v.count();
    "cache.error_capacity" Int(1, COUNT), "1024", engine, "The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory.",
        |s, v| s.cache.error_capacity = v.count();
    "removals.max_pending" Int(-1, MAX), "1024", engine, "How many entries that have left an engine's cache may wait for the removal listener or, without a listener, for their destructors; -1 is no limit. Beyond the limit, a thread that writes outside callbacks waits until the listener has been called for some of these entries or, without a listener, runs destructors itself. Unless it is -1, the limit is lower for a small cache: no more entries may wait than the cache may hold (but at least 16), and they may cost no more than it may hold.",
        |s, v| s.cache.max_pending_removals = v.limit();
    "tasks.max_running" Int(1, 65_536), "4", engine, "The maximum number of requests that are with the provider at a time. Each of them holds a slot. Requests counted by tasks.max_abandoned come on top.",
        |s, v| s.tasks.max_running = v.small();
    "tasks.limit" Word(ConcurrencyLimit::WORDS), "fixed", engine, "How many slots there are. fixed: tasks.max_running. adaptive: a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when requests take longer or exceed attempt_timeout_ms.",
        |s, v| s.tasks.limit = v.word(&ConcurrencyLimit::ALL);
    "tasks.min_running" Int(1, 65_536), "1", engine, "With tasks.limit = adaptive: the lowest number of slots, and the initial one.",
        |s, v| s.tasks.min_running = v.small();
    "tasks.max_abandoned" Int(0, 65_536), "4", engine, "How many requests that have exceeded attempt_timeout_ms may still be with the provider without holding a slot. Beyond that, a request that exceeds attempt_timeout_ms keeps its slot until it or another such request ends.",
        |s, v| s.tasks.max_abandoned = v.small();
    "tasks.stack_bytes" Int(65_536, 1 << 30), "8388608", engine, "The stack size of provider threads, in bytes. The thread that runs callbacks has the same stack size, unless the engine uses a shared runtime.",
        |s, v| s.tasks.stack_bytes = v.size();
    "queue.max_keys" Int(0, COUNT), "65536", engine, "The number of places in the queue. The key of a single-key fetch needs a place to wait for a slot. Keys of larger fetches and of refreshes take places too, while any are free.",
        |s, v| s.tasks.queue_max_keys = v.small();
    "queue.order" Word(QueueOrder::WORDS), "fifo", engine, "Which fetch goes first among those of equal urgency: the oldest (fifo) or the newest (lifo). When the queue is full, a new key takes the place of the least urgent key if that key is less urgent or, with lifo, equally urgent and older. Otherwise the new key finds no place, and queue.overflow applies. A fetch of very many keys searches for places in steps, and does not consider keys that arrive between two steps.",
        |s, v| s.tasks.queue_order = v.word(&QueueOrder::ALL);
    "queue.ageing_ms" Int(0, COUNT), "0", engine, "With queue.order = fifo: the waiting time, in milliseconds, that raises the urgency of a key by one, so that steady urgent traffic starves no key; 0 turns this off.",
        |s, v| s.tasks.queue_ageing = Some(v.millis()).filter(|step| !step.is_zero());
    "queue.share" Real(0.0, 1.0), "0.5", engine, "The share of the queue's places that the keys of one fetch may take at one urgency, but at least one place. The other keys of the fetch wait without a place.",
        |s, v| s.tasks.queue_share = v.real();
    "queue.overflow" Word(Overflow::WORDS), "wait", engine, "What happens to a key that finds no place in the queue or loses its place, if the key belongs to a refresh or to a fetch of several keys. wait: the key waits without a place. reject: the key fails with KVL_ERR_QUEUE_FULL, and queue.share has no effect. The key of a single-key fetch always fails with KVL_ERR_QUEUE_FULL.",
        |s, v| s.tasks.queue_overflow = v.word(&Overflow::ALL);
    "batch.max_keys" Int(1, 1_000_000), "20", engine, "The maximum number of keys in a request; 1 for a provider that answers one key at a time.",
        |s, v| s.tasks.batch_max_keys = v.small();
    "batch.linger_us" Int(0, 3_600_000_000), "0", engine, "How long a key waits for other keys to join its request, in microseconds.",
        |s, v| s.tasks.batch_linger = Duration::from_micros(v.count());
    "batch.omitted_is_null" Bool, "false", engine, "Whether a key that the provider leaves unanswered becomes null (true) or fails (false). Neither happens to a key that is no longer wanted.",
        |s, v| s.tasks.omitted_is_null = v.bool();
    "rate.requests_per_s" Real(0.0, 1e9), "0", engine, "The maximum number of requests to the provider per second; 0 is no limit. A key that waits for the rate limit holds no slot.",
        |s, v| s.tasks.rate.requests_per_s = v.real();
    "rate.burst" Int(1, COUNT), "1", engine, "With rate.requests_per_s: how many requests may be passed to the provider at once after an idle time.",
        |s, v| s.tasks.rate.burst = v.small();
    "breaker.failure_ratio" Real(0.0, 1.0), "0", engine, "The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 turns this off. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent.",
        |s, v| s.tasks.breaker.failure_ratio = v.real();
    "breaker.window_ms" Int(10, COUNT), "10000", engine, "The time over which breaker.failure_ratio is measured, in milliseconds.",
        |s, v| s.tasks.breaker.window = v.millis();
    "breaker.min_requests" Int(1, COUNT), "20", engine, "The number of requests within breaker.window_ms below which breaker.failure_ratio does not apply.",
        |s, v| s.tasks.breaker.min_requests = v.small();
    "breaker.consecutive" Int(0, COUNT), "0", engine, "The circuit breaker opens when this many requests in a row have failed; 0 turns this off.",
        |s, v| s.tasks.breaker.consecutive = v.small();
    "breaker.open_ms" Int(1, COUNT), "5000", engine, "How long an open circuit breaker keeps requests from the provider before it lets probe requests through, in milliseconds. Until then, keys that would need the provider fail with KVL_ERR_UNAVAILABLE.",
        |s, v| s.tasks.breaker.open = v.millis();
    "breaker.probes" Int(1, COUNT), "1", engine, "How many probe requests must succeed before the circuit breaker closes. If a probe request fails, the circuit breaker opens again.",
        |s, v| s.tasks.breaker.probes = v.small();
    "hedge.after_ms" Int(0, COUNT), "0", engine, "The time, in milliseconds, after which the unanswered keys of a slow request are passed to the provider once more, in a hedge request, if a slot is free. The first answer to each key counts, and a request whose remaining keys the other request has answered is cancelled. 0 turns this off.",
        |s, v| s.tasks.hedge.after = v.millis();
    "hedge.percentile" Real(0.0, 1.0), "0", engine, "Like hedge.after_ms, but with a measured time: the time within which this share of the recent requests, such as 0.95, was answered. 0 turns this off.",
        |s, v| s.tasks.hedge.percentile = v.real();
    "hedge.max_ratio" Real(0.0, 1.0), "0.05", engine, "The largest share of the requests that may be repeated by a hedge request.",
        |s, v| s.tasks.hedge.max_ratio = v.real();
    "provider.idempotent" Bool, "true", engine, "Whether the keys of a slow request may be passed to the provider a second time. false makes the hedge settings an error. Even with false, a key may be in two requests at a time: after a write during its load, or after an attempt that timed out.",
        |s, v| s.tasks.idempotent = v.bool();
    "refresh.after" Real(0.0, 1.0), "0", engine, "The share of an entry's TTL after which the next use of the entry also starts a load of it in the background: a refresh ahead. Until the load ends, uses of the entry continue to hit. 0 turns this off. Entries that are not used are not refreshed.",
        |s, v| s.cache.refresh.after = v.real();
    "refresh.after_ms" Int(0, MAX), "0", engine, "Like refresh.after, but as a time since the entry was stored, in milliseconds. 0 turns this off.",
        |s, v| s.cache.refresh.after_ms = v.count();
    "refresh.retry_ms" Int(1, COUNT), "1000", engine, "The pause after a failed or dropped refresh ahead, in milliseconds. The first use of the entry after the pause starts another refresh ahead.",
        |s, v| s.cache.refresh.retry_ms = v.count();
    "refresh.jitter" Real(0.0, 1.0), "0", engine, "The largest share by which the time until a refresh ahead is shortened at random, so that entries stored together are not loaded together.",
        |s, v| s.cache.refresh.jitter = v.real();
    "stale.ttl_ms" Int(0, MAX), "0", engine, "How long an expired entry of an engine's cache stays as a fallback for fetches whose load fails, in milliseconds; 0 keeps no fallbacks. Requires entries that expire.",
        |s, v| s.cache.stale_ttl_ms = v.count();
    "stale.retry_ms" Int(0, COUNT), "1000", engine, "How long a key with a fallback is not loaded again after a failed load, in milliseconds. Fetches of the key in that time receive the fallback at once.",
        |s, v| s.tasks.stale_retry = v.millis();
    "stale.timeout_ms" Int(-1, MAX), "-1", fetch, "How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms.",
        |s, v| s.fetch.stale_timeout = v.maybe_millis();
    "l2.timeout_ms" Int(-1, MAX), "50", engine, "How long the second tier may take for a lookup, in milliseconds. After that, the provider is called. -1 is no limit; 0 is refused.",
        |s, v| s.second_tier.timeout = v.maybe_millis();
    "l2.write_timeout_ms" Int(1, COUNT), "5000", engine, "How long the second tier may take for a request that writes, in milliseconds. A request that takes longer counts as failed, and its puts and removals are sent again.",
        |s, v| s.second_tier.write_timeout = v.millis();
    "l2.single_flight" Bool, "true", engine, "What to do with a key that another process is loading. true: look the key up again until its answer is in the second tier, for up to l2.wait_ms. false: load the key in this process too. true has no effect unless the second tier reports such keys (kvl_l2_request_leased).",
        |s, v| s.second_tier.single_flight = v.bool();
    "l2.wait_ms" Int(0, COUNT), "1000", engine, "How long a key waits for the load of another process, in milliseconds. After that, this process loads the key, and takes over its lease if the second tier allows that.",
        |s, v| s.second_tier.wait = v.millis();
    "l2.ttl_ms" Int(-1, MAX), "-1", engine, "The longest TTL in the second tier, in milliseconds; -1 uses the TTL that the entry has in this process; 0 is refused.",
        |s, v| s.second_tier.ttl_ms = v.limit();
    "l2.local_ttl_ms" Int(-1, MAX), "-1", engine, "The longest TTL in this process for an entry found in the second tier, in milliseconds; -1 uses what is left of its TTL there; 0 is refused.",
        |s, v| s.second_tier.local_ttl_ms = v.limit();
    "l2.batch_keys" Int(1, 256), "256", engine, "The maximum number of keys in a request for the second tier.",
        |s, v| s.second_tier.batch_keys = v.small();
    "l2.max_requests" Int(1, 1024), "4", engine, "The maximum number of requests that read from the second tier at a time. One more request may write at the same time.",
        |s, v| s.second_tier.max_requests = v.small();
    "l2.max_asking" Int(1, COUNT), "65536", engine, "How many keys may wait to be looked up in the second tier. Further keys go to the provider at once.",
        |s, v| s.second_tier.max_asking = v.small();
    "l2.max_value" Int(0, COUNT), "1048576", engine, "The largest value that is written to the second tier, in bytes. A put of a larger value removes the key from the second tier.",
        |s, v| s.second_tier.max_value = v.count();
    "l2.pending_keys" Int(1, COUNT), "65536", engine, "How many keys may wait to be written to the second tier. Beyond that, a put or removal clears the whole second tier instead, and answers of the provider are not written to it.",
        |s, v| s.second_tier.pending_keys = v.small();
    "l2.pending_bytes" Int(0, MAX), "67108864", engine, "The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, a put removes the key from the second tier instead, and answers of the provider are not written to it.",
        |s, v| s.second_tier.pending_bytes = v.count();
    "l2.break_after" Int(0, COUNT), "5", engine, "The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0 never leaves it alone.",
        |s, v| s.second_tier.break_after = v.small();
    "l2.break_ms" Int(1, COUNT), "1000", engine, "How long the second tier is left alone after l2.break_after failures in a row, in milliseconds. The time doubles with each further failure, up to l2.break_cap_ms. A failed write is repeated after this time at the earliest.",
        |s, v| s.second_tier.break_for = v.millis();
    "l2.break_cap_ms" Int(1, COUNT), "30000", engine, "The longest time for which the second tier is left alone, in milliseconds.",
        |s, v| s.second_tier.break_cap = v.millis();
    "batch.mode" Word(BatchMode::WORDS), "partial", fetch, "Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing).",
        |s, v| s.fetch.batch_mode = v.word(&BatchMode::ALL);
    "timeout_ms" Int(-1, MAX), "-1", fetch, "How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused.",
        |s, v| s.fetch.timeout = v.maybe_millis();
    "attempt_timeout_ms" Int(-1, MAX), "-1", engine, "How long the provider may take for a request, in milliseconds from when the provider receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused.",
        |s, v| s.fetch.attempt_timeout = v.maybe_millis();
    "read" Word(ReadMode::WORDS), "normal", fetch, "normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer.",
        |s, v| s.fetch.read = v.word(&ReadMode::ALL);
    "load.on_timeout" Word(LeavePolicy::WORDS), "continue", fetch, "What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted.",
        |s, v| s.fetch.on_timeout = v.word(&LeavePolicy::ALL);
    "load.on_cancel" Word(LeavePolicy::WORDS), "cancel", fetch, "What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout.",
        |s, v| s.fetch.on_cancel = v.word(&LeavePolicy::ALL);
    "priority" Real(-ANY, ANY), "0", fetch, "The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first.",
        |s, v| s.fetch.priority = Some(v.real());
    "urgency" Int(LEAST_URGENT, MOST_URGENT), "0", fetch, "Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency.",
        |s, v| s.fetch.urgency = i32::try_from(v.int()).ok();
    "retry.count" Int(-1, COUNT), "0", fetch, "How many times a failed key is retried; -1 is no limit.",
        |s, v| s.fetch.retry.count = v.limit().map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    "retry.shape" Word(RetryShape::WORDS), "fixed", fetch, "How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses.",
        |s, v| s.fetch.retry.shape = v.word(&RetryShape::ALL);
    "retry.first_ms" Int(0, MAX), "1000", fetch, "The first exponential pause, in milliseconds.",
        |s, v| s.fetch.retry.first = v.millis();
    "retry.fixed_ms" Int(0, MAX), "100", fetch, "The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency.",
        |s, v| s.fetch.retry.fixed = v.millis();
    "retry.factor" Real(1.0, 1e6), "2", fetch, "The factor by which each exponential pause is multiplied to give the next.",
        |s, v| s.fetch.retry.factor = v.real();
    "retry.switch_after" Int(0, COUNT), "0", fetch, "The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape.",
        |s, v| s.fetch.retry.switch_after = v.small();
    "retry.cap_ms" Int(0, MAX), "60000", fetch, "The longest pause, in milliseconds.",
        |s, v| s.fetch.retry.cap = v.millis();
    "retry.jitter" Real(0.0, 1.0), "0", fetch, "Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms.",
        |s, v| s.fetch.retry.jitter = v.real();
    "retry.budget_ms" Int(-1, MAX), "-1", fetch, "How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit.",
        |s, v| s.fetch.retry.budget = v.maybe_millis();
};

/// A value as the host gave it.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Text, of any setting.
    Text(&'a str),
    /// A whole number; 0 and 1 for a `Bool`.
    Int(i64),
    /// A number.
    Real(f64),
}

/// The object whose settings are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// An engine or a cache: all settings.
    Engine,
    /// A fetch: the settings marked per fetch.
    Fetch,
}

/// Settings under construction. A refused setting changes nothing. The first problem is kept, so a program may set many and check once.
#[derive(Clone, Debug)]
pub struct Draft {
    settings: Settings,
    stated: Vec<(&'static str, String)>,
    scope: Scope,
    problem: Option<CString>,
}

impl Draft {
    /// Starts with all defaults.
    pub fn new(scope: Scope) -> Draft {
        Draft { settings: Settings::default(), stated: Vec::new(), scope, problem: None }
    }

    /// The settings so far.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A sentence about the first setting that was refused.
    pub fn problem(&self) -> Option<&CString> {
        self.problem.as_ref()
    }

    /// Writes one setting. Returns a status if it was refused; [`Draft::problem`] says why.
    pub fn set(&mut self, name: &str, input: Input<'_>) -> Result<(), Status> {
        let outcome = self.try_set(name, input);
        if let Err((_, sentence)) = &outcome {
            // Only the first problem is kept, because the others may follow from it.
            if self.problem.is_none() {
                self.problem = Some(CString::new(sentence.replace('\0', "?")).unwrap_or_default());
            }
        }
        outcome.map_err(|(status, _)| status)
    }

    fn try_set(&mut self, name: &str, input: Input<'_>) -> Result<(), (Status, String)> {
        let Some(row) = row(name) else {
            let remedy = match nearest(name) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => "the manual's page \"Configuration\" lists all settings".into(),
            };
            return Err((Status::ERR_UNKNOWN_KEY, format!("there is no setting \"{}\"; {remedy}", shortened(name))));
        };
        if self.scope == Scope::Fetch && !row.per_fetch {
            return Err((
                Status::ERR_UNKNOWN_KEY,
                format!("\"{name}\" applies to the whole engine: set it in the configuration, not in the options of a fetch"),
            ));
        }
        let Some(parsed) = row.parse(input) else {
            return Err((Status::ERR_BAD_VALUE, format!("\"{name}\" takes {}, not {}", row.domain_text(), input.text())));
        };
        (row.write)(&mut self.settings, &parsed);
        self.stated.retain(|(stated, _)| *stated != row.name);
        self.stated.push((row.name, row.canonical(parsed)));
        Ok(())
    }

    /// The current text of a setting: the value that was set, or the default; `None` if there is no such setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        let row = row(name)?;
        let stated = self.stated.iter().find(|(stated, _)| *stated == row.name);
        Some(stated.map_or(row.default, |(_, text)| text))
    }

    /// `base`, overridden by the settings that were set here (rule F19).
    fn over(&self, base: &FetchSettings) -> FetchSettings {
        let mut all = Settings { fetch: base.clone(), ..Settings::default() };
        for (name, text) in &self.stated {
            if let Some((row, parsed)) = row(name).and_then(|row| Some((row, row.parse(Input::Text(text))?))) {
                (row.write)(&mut all, &parsed);
            }
        }
        all.fetch
    }
}

/// The text of a number; `None` if it begins with a plus sign or contains spaces.
fn bare(text: &str) -> Option<&str> {
    (!text.starts_with('+') && !text.contains(char::is_whitespace)).then_some(text)
}

impl Input<'_> {
    fn text(self) -> String {
        match self {
            Input::Text(text) => format!("\"{}\"", shortened(text)),
            Input::Int(value) => value.to_string(),
            Input::Real(value) => real_text(value),
        }
    }
}

/// The beginning of a long text, for a sentence about it.
fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 128;
    if text.len() <= MOST {
        return text.into();
    }
    let end = (0..=MOST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &text[..end]).into()
}

/// Formats a number, with an exponent if it would have hundreds of digits otherwise.
fn real_text(value: f64) -> String {
    if value == 0.0 || (1e-5..1e16).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

impl SettingRow {
    fn parse(&self, input: Input<'_>) -> Option<SettingValue> {
        match self.domain {
            Int(low, high) => {
                let value = match input {
                    Input::Int(value) => value,
                    Input::Text(text) => bare(text)?.parse().ok()?,
                    Input::Real(value) if value.fract() == 0.0 && value.abs() < 9e15 => value as i64,
                    Input::Real(_) => return None,
                };
                ((low..=high).contains(&value) && !(value == 0 && self.refuses_zero())).then_some(SettingValue::Int(value))
            }
            Real(low, high) => {
                let value = match input {
                    Input::Real(value) => value,
                    Input::Int(value) => value as f64,
                    Input::Text(text) => bare(text)?.parse().ok()?,
                };
                (low..=high).contains(&value).then_some(SettingValue::Real(value))
            }
            Bool => match input {
                Input::Text("true" | "1") | Input::Int(1) => Some(SettingValue::Bool(true)),
                Input::Text("false" | "0") | Input::Int(0) => Some(SettingValue::Bool(false)),
                _ => None,
            },
            Word(words) => match input {
                Input::Text(text) => words.iter().position(|word| *word == text).map(SettingValue::Word),
                _ => None,
            },
        }
    }

    /// Whether 0 is refused although it is in the range. With 0, a timeout or a TTL would be over before it begins; but `stale.timeout_ms`
    /// may be 0.
    fn refuses_zero(&self) -> bool {
        matches!(self.name, "timeout_ms" | "attempt_timeout_ms" | "cache.idle_ttl_ms" | "l2.timeout_ms" | "l2.ttl_ms" | "l2.local_ttl_ms")
    }

    fn canonical(&self, parsed: SettingValue) -> String {
        match (parsed, self.domain) {
            (SettingValue::Int(value), _) => value.to_string(),
            (SettingValue::Real(value), _) => real_text(value),
            (SettingValue::Bool(value), _) => value.to_string(),
            (SettingValue::Word(index), Word(words)) => words[index].to_owned(),
            (SettingValue::Word(_), _) => unreachable!("a word is parsed from a Word"),
        }
    }

    fn domain_text(&self) -> String {
        match self.domain {
            Int(low, MAX) if self.refuses_zero() => format!("{low} or a whole number from 1"),
            Int(low, MAX) => format!("a whole number from {low}"),
            Int(low, high) => format!("a whole number from {low} to {high}"),
            Real(low, high) if low.is_finite() && high.is_finite() => format!("a number from {low} to {high}"),
            Real(..) => "a number".to_owned(),
            Bool => "true or false".to_owned(),
            Word(words) => format!("one of {}", words.join(", ")),
        }
    }

    fn type_name(&self) -> &'static str {
        match self.domain {
            Int(..) => "int",
            Real(..) => "real",
            Bool => "bool",
            Word(_) => "word",
        }
    }
}

fn row(name: &str) -> Option<&'static SettingRow> {
    TABLE.iter().find(|row| row.name == name)
}

/// The setting to suggest for an unknown name: the first with this name in any group, or else the closest, if at least half of it is right.
fn nearest(name: &str) -> Option<&'static str> {
    let without_group = |row: &&SettingRow| row.name.split_once('.').is_some_and(|(_, last)| last == name);
    let near = || TABLE.iter().map(|row| (edits(name, row.name), row)).min_by_key(|(edits, _)| *edits);
    let is_close = |edits: usize| 2 * edits <= name.chars().count();
    let row = TABLE.iter().find(without_group).or_else(|| near().filter(|(edits, _)| is_close(*edits)).map(|(_, row)| row));
    row.map(|row| row.name)
}

/// The Levenshtein distance between `to` and the first 64 characters of `from`, which may be of any length.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(64).collect(), to.chars().collect());
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

/// The list for bindings: an array of objects with name, type, range, default, per_fetch and about.
pub fn as_json() -> String {
    let rows = TABLE.iter().map(|row| {
        let mut entry = serde_json::json!({ "name": row.name, "type": row.type_name() });
        match row.domain {
            Int(low, high) => entry["range"] = serde_json::json!([low, high]),
            Real(low, high) if low.is_finite() && high.is_finite() => entry["range"] = serde_json::json!([low, high]),
            Word(words) => entry["words"] = serde_json::json!(words),
            Real(..) | Bool => {}
        }
        entry["default"] = row.default.into();
        entry["per_fetch"] = row.per_fetch.into();
        entry["about"] = row.about.into();
        entry
    });
    serde_json::Value::Array(rows.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_of_the_table_is_the_default_of_the_struct() {
        let mut draft = Draft::new(Scope::Engine);
        for row in TABLE {
            draft.set(row.name, Input::Text(row.default)).expect(row.name);
        }
        // Only these two distinguish "0" from "not stated".
        (draft.settings.fetch.priority, draft.settings.fetch.urgency) = (None, None);
        assert_eq!(format!("{:?}", draft.settings()), format!("{:?}", Settings::default()));
    }

    #[test]
    fn l09_an_unknown_setting_names_a_similar_one_if_there_is_one() {
        for (wrong, right) in [
            ("cache.capasity", Some("cache.capacity")),
            ("cache_ttl_ms", Some("cache.ttl_ms")),
            ("max_running", Some("tasks.max_running")),
            ("cache.timeout_ms", Some("stale.timeout_ms")),
            ("nonsense", None),
            ("", None),
        ] {
            let mut draft = Draft::new(Scope::Engine);
            assert_eq!(draft.set(wrong, Input::Int(5)), Err(Status::ERR_UNKNOWN_KEY));
            let problem = draft.problem().expect("a problem").to_str().expect("text").to_owned();
            let remedy = right.map_or("\"Configuration\" lists all".into(), |right| format!("did you mean \"{right}\"?"));
            assert!(problem.contains(&remedy), "{wrong}: {problem}");
            assert_eq!(draft.settings().cache.capacity, 1024);
        }
    }

    #[test]
    fn l09_a_value_out_of_range_changes_nothing_and_the_problem_gives_the_range() {
        let mut draft = Draft::new(Scope::Engine);
        for (name, input) in [
            ("cache.capacity", Input::Int(-1)),
            ("tasks.max_running", Input::Text("0")),
            ("queue.share", Input::Real(f64::NAN)),
            ("queue.order", Input::Text("newest")),
            ("timeout_ms", Input::Int(0)),
            ("priority", Input::Real(f64::NAN)),
            ("cache.timer", Input::Int(2)),
            ("retry.count", Input::Real(1.5)),
        ] {
            assert_eq!(draft.set(name, input), Err(Status::ERR_BAD_VALUE), "{name}");
        }
        let problem = draft.problem().expect("a problem").to_str().expect("text").to_owned();
        assert_eq!(problem, "\"cache.capacity\" takes a whole number from 0, not -1");
        assert_eq!(format!("{:?}", draft.settings()), format!("{:?}", Settings::default()));
    }

    #[test]
    fn l09_the_problem_of_a_refused_zero_says_that_zero_is_excluded() {
        for name in ["timeout_ms", "attempt_timeout_ms", "cache.idle_ttl_ms"] {
            let mut draft = Draft::new(Scope::Engine);
            assert_eq!(draft.set(name, Input::Int(0)), Err(Status::ERR_BAD_VALUE), "{name}");
            let problem = draft.problem().expect("a problem").to_str().expect("text").to_owned();
            assert_eq!(problem, format!("\"{name}\" takes -1 or a whole number from 1, not 0"));
        }
    }

    #[test]
    fn l09_a_number_of_any_size_is_formatted_briefly_and_parsed_back() {
        for value in [0.0, -0.0, 0.5, 3.0, 1e-5, 1e-6, 1.5e15, 1e16, -1e300, 5e-324, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY] {
            let mut draft = Draft::new(Scope::Engine);
            draft.set("priority", Input::Real(value)).expect("any number but NaN");
            let text = draft.get("priority").expect("it is a setting").to_owned();
            assert!(text.len() <= 25, "{value:e} is formatted as {text}");
            draft.set("priority", Input::Text(&text)).expect("the formatted number is accepted");
            assert_eq!((draft.get("priority"), draft.settings().fetch.priority), (Some(&*text), Some(value)));
        }
    }

    #[test]
    fn f19_options_override_only_the_settings_that_they_state() {
        let mut options = Draft::new(Scope::Fetch);
        options.set("retry.count", Input::Int(3)).expect("per fetch");
        assert_eq!(options.set("cache.capacity", Input::Int(3)), Err(Status::ERR_UNKNOWN_KEY));
        let base = FetchSettings { timeout: Some(Duration::from_secs(5)), ..FetchSettings::default() };
        let merged = options.over(&base);
        assert_eq!((merged.timeout, merged.retry.count), (Some(Duration::from_secs(5)), Some(3)));
    }
}
