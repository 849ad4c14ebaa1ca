//! What an engine, a cache or a fetch is made from: the settings as types, with their defaults. Each field is a row of the table in `config`.

use std::time::Duration;

/// What an engine or a cache is made from.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `cache.*`
    pub cache: CacheSettings,
    /// `tasks.*`, `queue.*` and `batch.*` but for the per-fetch ones
    pub tasks: TaskSettings,
    /// What a fetch may override.
    pub fetch: FetchSettings,
}

/// How the store is bounded and when entries end (rules S02 to S09).
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each field is a row of the table below, with its sentence
pub struct CacheSettings {
    pub capacity: u64,
    pub cost_limit: Option<u64>,
    /// `None`: as many as the sizes allow.
    pub shards: Option<u32>,
    /// `None`: entries live until something removes them.
    pub ttl_ms: Option<u64>,
    pub null_ttl_ms: Option<u64>,
    pub ttl_jitter_ms: u64,
    pub idle_ttl_ms: Option<u64>,
    /// How long an entry stays after its end as a fallback (rule R01).
    pub stale_ttl_ms: u64,
    pub refresh: RefreshSettings,
    pub timer: bool,
    pub seed: Option<u64>,
    pub hash: Hash,
    pub error_ttl_ms: u64,
    pub error_capacity: u64,
    /// `None`: any number.
    pub max_pending_removals: Option<u64>,
}

/// When an entry that is used is loaded anew before its end (rule R05).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is a row of the table below, with its sentence
pub struct RefreshSettings {
    /// 0: by `after_ms`.
    pub after: f64,
    /// 0: by `after`.
    pub after_ms: u64,
    pub retry_ms: u64,
    pub jitter: f64,
}

impl RefreshSettings {
    /// Whether entries are loaded before their end at all.
    pub fn is_on(&self) -> bool {
        self.after > 0.0 || self.after_ms > 0
    }
}

/// How keys are hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    /// foldhash: fast.
    Fast,
    /// SipHash-1-3: for keys that an attacker chooses.
    Sip,
}

/// How loads are admitted and formed into requests (rules F12 to F16).
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each field is a row of the table below, with its sentence
pub struct TaskSettings {
    pub max_running: u32,
    pub limit: ConcurrencyLimit,
    pub min_running: u32,
    pub max_abandoned: u32,
    pub stack_bytes: usize,
    pub queue_max_keys: u32,
    pub queue_order: QueueOrder,
    pub queue_share: f64,
    pub queue_overflow: Overflow,
    /// `None`: waiting makes nothing more urgent.
    pub queue_ageing: Option<Duration>,
    pub batch_max_keys: u32,
    pub batch_linger: Duration,
    pub omitted_is_null: bool,
    pub rate: RateSettings,
    pub breaker: BreakerSettings,
    /// How long a key is left alone after a failure that a fallback covered (rule R03).
    pub stale_retry: Duration,
}

/// How many requests may be with the provider (rule R10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConcurrencyLimit {
    /// `tasks.max_running`.
    Fixed,
    /// Between `tasks.min_running` and that, by what latency says.
    Adaptive,
}

/// How fast requests are handed out (rule R08).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is a row of the table below, with its sentence
pub struct RateSettings {
    /// 0: as fast as they come.
    pub requests_per_s: f64,
    pub burst: u32,
}

/// When a failing provider is left alone (rule R07).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is a row of the table below, with its sentence
pub struct BreakerSettings {
    pub failure_ratio: f64,
    pub window: Duration,
    pub min_requests: u32,
    pub consecutive: u32,
    pub open: Duration,
    pub probes: u32,
}

/// Which of the waiting fetches goes first, among those of one urgency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueOrder {
    /// The oldest: fair.
    Fifo,
    /// The newest: for lists that scroll, where the newest key is the one on the screen.
    Lifo,
}

/// What becomes of the keys of a refresh, or of a fetch of several keys, that find no place in the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// They wait without a place.
    Wait,
    /// They fail, as a single key does.
    Reject,
}

/// What one fetch may set for itself (rule F19).
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each field is a row of the table below, with its sentence
pub struct FetchSettings {
    pub timeout: Option<Duration>,
    pub attempt_timeout: Option<Duration>,
    pub retry: RetrySettings,
    pub read: ReadMode,
    /// `None`: not stated, which counts as 0.
    pub priority: Option<f64>,
    /// `None`: not stated, which counts as 0 for a fetch and as [`BACKGROUND`] for a refresh.
    pub urgency: Option<i32>,
    pub batch_mode: BatchMode,
    pub on_timeout: LeavePolicy,
    pub on_cancel: LeavePolicy,
    /// How long a fetch waits for better than what is stale; `None`: for as long as the load takes (rule R04).
    pub stale_timeout: Option<Duration>,
}

/// What becomes of a load in the provider's hands when its last waiter leaves (rule F10a).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeavePolicy {
    /// It goes on: others can join it, and its answer is stored. It is not tried again.
    Continue,
    /// The provider is notified, once it has nothing else that is wanted.
    Cancel,
}

/// The urgency of a refresh whose options state none.
pub const BACKGROUND: i32 = -1000;

/// How a fetch reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadMode {
    /// The store first, then the provider.
    Normal,
    /// Load anew and store, whatever the store holds.
    Refresh,
    /// The store only.
    CacheOnly,
    /// The store first, then the provider, whose answer is not stored.
    NoStore,
}

/// What one failure does to the rest of its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchMode {
    /// Nothing: deliver what there is.
    Partial,
    /// The first final failure ends the batch.
    AllOrNothing,
}

/// When a failed key is tried again (rule F11).
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)] // each field is a row of the table below, with its sentence
pub struct RetrySettings {
    /// `None`: for ever.
    pub count: Option<u32>,
    pub shape: RetryShape,
    pub first: Duration,
    pub fixed: Duration,
    pub factor: f64,
    pub switch_after: u32,
    pub cap: Duration,
    pub jitter: f64,
    pub budget: Option<Duration>,
}

/// How the pauses between attempts grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryShape {
    /// `retry.fixed_ms` each time.
    Fixed,
    /// `retry.first_ms`, times `retry.factor` each time.
    Exponential,
    /// Exponential for `retry.switch_after` pauses, then fixed.
    ExponentialThenFixed,
    /// Fixed for `retry.switch_after` pauses, then exponential.
    FixedThenExponential,
}

impl Default for CacheSettings {
    fn default() -> Self {
        CacheSettings {
            capacity: 1024,
            cost_limit: None,
            shards: None,
            ttl_ms: None,
            null_ttl_ms: Some(60_000),
            ttl_jitter_ms: 0,
            idle_ttl_ms: None,
            stale_ttl_ms: 0,
            refresh: RefreshSettings { after: 0.0, after_ms: 0, retry_ms: 1_000, jitter: 0.0 },
            timer: true,
            seed: None,
            hash: Hash::Fast,
            error_ttl_ms: 0,
            error_capacity: 1024,
            max_pending_removals: Some(1024),
        }
    }
}

impl Default for TaskSettings {
    fn default() -> Self {
        TaskSettings {
            max_running: 4,
            limit: ConcurrencyLimit::Fixed,
            min_running: 1,
            max_abandoned: 4,
            stack_bytes: 8 << 20,
            queue_max_keys: 65_536,
            queue_order: QueueOrder::Fifo,
            queue_share: 0.5,
            queue_overflow: Overflow::Wait,
            queue_ageing: None,
            batch_max_keys: 20,
            batch_linger: Duration::ZERO,
            omitted_is_null: false,
            rate: RateSettings { requests_per_s: 0.0, burst: 1 },
            breaker: BreakerSettings {
                failure_ratio: 0.0,
                window: Duration::from_secs(10),
                min_requests: 20,
                consecutive: 0,
                open: Duration::from_secs(5),
                probes: 1,
            },
            stale_retry: Duration::from_secs(1),
        }
    }
}

impl Default for FetchSettings {
    fn default() -> Self {
        FetchSettings {
            timeout: None,
            attempt_timeout: None,
            retry: RetrySettings::default(),
            read: ReadMode::Normal,
            priority: None,
            urgency: None,
            batch_mode: BatchMode::Partial,
            on_timeout: LeavePolicy::Continue,
            on_cancel: LeavePolicy::Cancel,
            stale_timeout: None,
        }
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings {
            count: Some(0),
            shape: RetryShape::Fixed,
            first: Duration::from_secs(1),
            fixed: Duration::from_millis(100),
            factor: 2.0,
            switch_after: 0,
            cap: Duration::from_secs(60),
            jitter: 0.0,
            budget: None,
        }
    }
}
