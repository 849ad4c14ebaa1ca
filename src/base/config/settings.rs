//! The settings of an engine, a cache or a fetch as types, with their defaults. Each field is a row of the table in `config`.

use crate::base::variants::variants;
use std::time::Duration;

/// All settings of an engine or a cache.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The store: `cache.*`, `refresh.*`, `removals.*` and `stale.ttl_ms`.
    pub cache: CacheSettings,
    /// Loading: all other settings that apply to the whole engine.
    pub tasks: TaskSettings,
    /// `l2.*`
    pub second_tier: SecondTierSettings,
    /// The settings that a fetch may override.
    pub fetch: FetchSettings,
}

/// The limits of the store, and when entries expire (rules S02 to S09).
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
pub struct CacheSettings {
    pub capacity: u64,
    pub cost_limit: Option<u64>,
    /// `None`: chosen by the limits and the number of processors.
    pub shards: Option<u32>,
    /// `None`: entries do not expire.
    pub ttl_ms: Option<u64>,
    pub null_ttl_ms: Option<u64>,
    pub ttl_jitter_ms: u64,
    pub idle_ttl_ms: Option<u64>,
    /// How long an expired entry stays as a fallback (rule R01).
    pub stale_ttl_ms: u64,
    pub refresh: RefreshSettings,
    pub timer: bool,
    pub seed: Option<u64>,
    pub hash: Hash,
    pub policy: EvictionPolicy,
    pub error_ttl_ms: u64,
    pub error_capacity: u64,
    /// `None`: no limit.
    pub max_pending_removals: Option<u64>,
}

/// When the use of an entry starts a refresh ahead of its expiry (rule R05).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
pub struct RefreshSettings {
    /// 0: `after_ms` applies.
    pub after: f64,
    /// 0: `after` applies.
    pub after_ms: u64,
    pub retry_ms: u64,
    pub jitter: f64,
}

impl RefreshSettings {
    /// Whether there is refresh ahead at all.
    pub fn is_on(&self) -> bool {
        self.after > 0.0 || self.after_ms > 0
    }
}

variants! {
    /// The hash function for keys.
    pub enum Hash {
        /// foldhash, which is fast.
        Fast = "fast",
        /// SipHash-1-3, for keys that an attacker chooses.
        Sip = "sip",
    } words
}

variants! {
    /// Which entries leave first when there is no room (rule S05).
    pub enum EvictionPolicy {
        /// The least recently used.
        Lru = "lru",
        /// Those that were used once or never since they were stored, before those that are used again and again.
        S3Fifo = "s3fifo",
    } words
}

/// How loads are admitted and formed into requests (rules F12 to F16).
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
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
    /// `None`: waiting does not change the urgency.
    pub queue_ageing: Option<Duration>,
    pub batch_max_keys: u32,
    pub batch_linger: Duration,
    pub omitted_is_null: bool,
    pub rate: RateSettings,
    pub breaker: BreakerSettings,
    pub hedge: HedgeSettings,
    /// Whether the provider may be called for the same key twice at a time.
    pub idempotent: bool,
    /// How long a key is not loaded again after a failure that a fallback covered (rule R03).
    pub stale_retry: Duration,
}

/// How a second tier is read and written (rules T01 to T15).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
pub struct SecondTierSettings {
    pub timeout: Option<Duration>,
    pub write_timeout: Duration,
    pub single_flight: bool,
    pub wait: Duration,
    /// `None`: as in this process.
    pub ttl_ms: Option<u64>,
    /// `None`: what is left in the second tier.
    pub local_ttl_ms: Option<u64>,
    pub batch_keys: u32,
    pub max_requests: u32,
    pub max_asking: u32,
    pub max_value: u64,
    pub pending_keys: u32,
    pub pending_bytes: u64,
    pub break_after: u32,
    pub break_for: Duration,
    pub break_cap: Duration,
}

variants! {
    /// How many requests may be with the provider (rule R10).
    pub enum ConcurrencyLimit {
        /// Up to `tasks.max_running`.
        Fixed = "fixed",
        /// Between `tasks.min_running` and `tasks.max_running`, depending on the latency of requests.
        Adaptive = "adaptive",
    } words
}

impl ConcurrencyLimit {
    /// Whether the number of slots follows the latency of requests.
    pub fn is_adaptive(self) -> bool {
        match self {
            ConcurrencyLimit::Fixed => false,
            ConcurrencyLimit::Adaptive => true,
        }
    }
}

/// The rate limit of requests (rule R08).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
pub struct RateSettings {
    /// 0: no limit.
    pub requests_per_s: f64,
    pub burst: u32,
}

/// The circuit breaker: when a failing provider receives no requests (rule R07).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
pub struct BreakerSettings {
    pub failure_ratio: f64,
    pub window: Duration,
    pub min_requests: u32,
    pub consecutive: u32,
    pub open: Duration,
    pub probes: u32,
}

/// When a slow request is handed out once more (rule R09).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
pub struct HedgeSettings {
    /// Zero: `percentile` applies.
    pub after: Duration,
    /// 0: `after` applies.
    pub percentile: f64,
    pub max_ratio: f64,
}

variants! {
    /// Which of the waiting fetches is served first, among those of equal urgency.
    pub enum QueueOrder {
        /// The oldest, which is fair.
        Fifo = "fifo",
        /// The newest, for lists that scroll: the newest key is the one on the screen.
        Lifo = "lifo",
    } words
}

impl QueueOrder {
    /// Whether `queue.ageing_ms` has a meaning: it moves older keys forward, which an order that puts them last contradicts.
    pub fn can_age(self) -> bool {
        match self {
            QueueOrder::Fifo => true,
            QueueOrder::Lifo => false,
        }
    }
}

variants! {
    /// What happens to the keys of a refresh, or of a fetch of several keys, that find no place in the queue.
    pub enum Overflow {
        /// They wait without a place.
        Wait = "wait",
        /// They fail, as a single key does.
        Reject = "reject",
    } words
}

impl Overflow {
    /// Whether a key may wait without a place.
    pub fn defers(self) -> bool {
        match self {
            Overflow::Wait => true,
            Overflow::Reject => false,
        }
    }
}

/// The settings that a fetch may override (rule F19).
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
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
    /// How long a fetch with a fallback waits for the load before it receives the fallback; `None`: until the load ends (rule R04).
    pub stale_timeout: Option<Duration>,
}

impl FetchSettings {
    /// Whether an entry in the store answers the fetch.
    #[inline(always)]
    pub fn reads_store(&self) -> bool {
        // Every field is named, so that the compiler asks whether a new one excludes stored entries.
        let FetchSettings {
            timeout: _,
            attempt_timeout: _,
            retry: _,
            read,
            priority: _,
            urgency: _,
            batch_mode: _,
            on_timeout: _,
            on_cancel: _,
            stale_timeout: _,
        } = self;
        read.reads_store()
    }
}

variants! {
    /// What happens to a running load when its last waiter leaves (rule F10a).
    pub enum LeavePolicy {
        /// It continues: others can join it, and its answer is stored. It is not retried.
        Continue = "continue",
        /// The provider is notified, once no key of its request is wanted.
        Cancel = "cancel",
    } words
}

impl LeavePolicy {
    /// Whether the load goes on without a waiter.
    pub fn continues(self) -> bool {
        match self {
            LeavePolicy::Continue => true,
            LeavePolicy::Cancel => false,
        }
    }
}

/// The urgency of a refresh whose options state none.
pub const BACKGROUND: i32 = -1000;

variants! {
    /// How a fetch reads.
    pub enum ReadMode {
        /// The store first, then the provider.
        Normal = "normal",
        /// Loads in any case, and stores the answer.
        Refresh = "refresh",
        /// The store only; never loads.
        CacheOnly = "cache_only",
        /// The store first, then the provider, whose answer is not stored.
        NoStore = "no_store",
    } words
}

impl ReadMode {
    /// Whether an entry in the store answers the fetch, as far as the mode decides: see [`FetchSettings::reads_store`].
    #[inline(always)]
    fn reads_store(self) -> bool {
        match self {
            ReadMode::Normal | ReadMode::CacheOnly | ReadMode::NoStore => true,
            ReadMode::Refresh => false,
        }
    }

    /// Whether a missing key is loaded.
    #[inline(always)]
    pub fn loads(self) -> bool {
        match self {
            ReadMode::Normal | ReadMode::Refresh | ReadMode::NoStore => true,
            ReadMode::CacheOnly => false,
        }
    }

    /// Whether what is loaded is stored.
    #[inline(always)]
    pub fn stores(self) -> bool {
        match self {
            ReadMode::Normal | ReadMode::Refresh | ReadMode::CacheOnly => true,
            ReadMode::NoStore => false,
        }
    }
}

variants! {
    /// What the failure of one key means for the rest of its batch.
    pub enum BatchMode {
        /// Nothing: the other keys are delivered.
        Partial = "partial",
        /// The first final failure ends the batch.
        AllOrNothing = "all_or_nothing",
    } words
}

impl BatchMode {
    /// Whether one failure ends the whole batch.
    pub fn is_all_or_nothing(self) -> bool {
        match self {
            BatchMode::Partial => false,
            BatchMode::AllOrNothing => true,
        }
    }
}

/// When a failed key is retried (rule F11).
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)] // each field is described in its row of the table in `config`
pub struct RetrySettings {
    /// `None`: no limit.
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

variants! {
    /// How the pauses between attempts grow.
    pub enum RetryShape {
        /// `retry.fixed_ms` each time.
        Fixed = "fixed",
        /// `retry.first_ms`, times `retry.factor` each time.
        Exponential = "exponential",
        /// Exponential for `retry.switch_after` pauses, then fixed.
        ExponentialThenFixed = "exponential_then_fixed",
        /// Fixed for `retry.switch_after` pauses, then exponential.
        FixedThenExponential = "fixed_then_exponential",
    } words
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
            policy: EvictionPolicy::Lru,
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
            hedge: HedgeSettings { after: Duration::ZERO, percentile: 0.0, max_ratio: 0.05 },
            idempotent: true,
            stale_retry: Duration::from_secs(1),
        }
    }
}

impl Default for SecondTierSettings {
    fn default() -> Self {
        SecondTierSettings {
            timeout: Some(Duration::from_millis(50)),
            write_timeout: Duration::from_secs(5),
            single_flight: true,
            wait: Duration::from_secs(1),
            ttl_ms: None,
            local_ttl_ms: None,
            batch_keys: 256,
            max_requests: 4,
            max_asking: 65_536,
            max_value: 1 << 20,
            pending_keys: 65_536,
            pending_bytes: 64 << 20,
            break_after: 5,
            break_for: Duration::from_secs(1),
            break_cap: Duration::from_secs(30),
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
