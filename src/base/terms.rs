//! The terms on which an answer is stored.

use super::time::Ttl;

/// What was stated of an answer. Whatever is `None` is left to the options of the fetch, the cost function and the configuration.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct StoreTerms {
    /// How long the entry lives; `None`: the default of its kind.
    pub ttl: Option<Ttl>,
    /// Whether a put over a live entry keeps that entry's end; `ttl` is then for a key that has none.
    pub keep_ttl: bool,
    /// Lower priorities make room for higher ones; `None`: the fetch's, else 0. NaN is not a priority: such an entry is refused.
    pub priority: Option<f64>,
    /// What the value costs, without key and node; `None`: what the cost function says, else the value itself.
    pub cost: Option<u64>,
}

impl StoreTerms {
    /// These terms, with `priority` where none was stated.
    #[inline]
    pub fn or_priority(self, priority: Option<f64>) -> StoreTerms {
        StoreTerms { priority: self.priority.or(priority), ..self }
    }
}
