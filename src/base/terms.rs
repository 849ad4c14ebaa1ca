//! The terms on which an answer is stored.

use super::labels::Labels;
use super::time::Ttl;

/// The stated terms of an answer. A term that is `None` comes from the options of the fetch, the cost function or the configuration.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StoreTerms {
    /// How long the entry stays fresh; `None`: the configured TTL of values or of nulls.
    pub ttl: Option<Ttl>,
    /// Whether a put that replaces a live entry keeps its expiry time; `ttl` then applies only if the key has no entry.
    pub keep_ttl: bool,
    /// How long the entry stays as a fallback after its expiry, in milliseconds; `None`: as configured.
    pub stale_ms: Option<u64>,
    /// Entries of lower priority are evicted first; `None`: the priority of the fetch, else 0. An entry with NaN is refused.
    pub priority: Option<f64>,
    /// The cost of the value in bytes, without key and node; `None`: the result of the cost function, else the value's own cost.
    pub cost: Option<u64>,
    /// The version of the data and the entry's tags, if any are stated.
    pub labels: Option<Labels>,
    /// Whether a put of the very value that is already stored renews its entry in place, instead of replacing the value by itself (rule
    /// R06).
    pub renews: bool,
}

impl StoreTerms {
    /// States `priority` if none is stated.
    #[inline]
    pub fn default_priority(&mut self, priority: Option<f64>) {
        self.priority = self.priority.or(priority);
    }
}
