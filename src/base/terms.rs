//! The terms on which an answer is stored.

use super::time::Ttl;

/// The stated terms of an answer. A term that is `None` is determined by the options of the fetch, the cost function or the configuration.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct StoreTerms {
    /// How long the entry lives; `None`: the default of its kind.
    pub ttl: Option<Ttl>,
    /// Whether a put over a live entry keeps that entry's expiry time; `ttl` then applies to a key without an entry.
    pub keep_ttl: bool,
    /// How long the entry stays after its expiry as a fallback, in milliseconds; `None`: what the configuration says.
    pub stale_ms: Option<u64>,
    /// Lower priorities are evicted for higher ones; `None`: that of the fetch, else 0. An entry with NaN is refused.
    pub priority: Option<f64>,
    /// The cost of the value, without key and node; `None`: that of the cost function, else the value's own.
    pub cost: Option<u64>,
}

impl StoreTerms {
    /// These terms, with `priority` where none was stated.
    #[inline]
    pub fn or_priority(&self, priority: Option<f64>) -> StoreTerms {
        StoreTerms { priority: self.priority.or(priority), ..*self }
    }
}
