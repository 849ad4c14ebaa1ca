//! What goes into the store and what comes out of it.

use crate::base::{Answer, Millis, StoreTerms};

/// What the store itself spends on an entry, in bytes: its node, and its place in the index at a common load.
pub const ENTRY_COST: u64 = 80;

/// What an entry costs: its value's cost, its key's length and [`ENTRY_COST`]. Saturates, and is computed once per entry, so
/// that what is given back is what was charged.
pub fn entry_cost(key: &[u8], value_cost: u64) -> u64 {
    value_cost.saturating_add(key.len() as u64).saturating_add(ENTRY_COST)
}

/// An answer on its way into the store.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value, or null.
    pub answer: Answer,
    /// On which terms.
    pub terms: StoreTerms,
}

impl Entry {
    /// An answer on the default terms: at its own cost, with the TTL of its kind and priority 0.
    pub fn new(answer: Answer) -> Entry {
        Entry { answer, terms: StoreTerms::default() }
    }
}

/// What is found under a key.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The value, or null.
    pub answer: Answer,
    /// What the whole entry costs.
    pub cost: u64,
    /// When it was put.
    pub stored_at: Millis,
    /// When it expires if it is not used before; `None` for never.
    pub expires_at: Option<Millis>,
}

/// What became of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Put {
    /// It is in the store.
    Stored {
        /// What the whole entry costs.
        cost: u64,
        /// When it expires if it is not used before; `None` for never. A timer that sleeps beyond it is to be woken.
        expires_at: Option<Millis>,
    },
    /// It is not: its priority is too low, the capacity or its TTL is 0, or it would need a 65th priority.
    Refused,
    /// It is not: it costs more than its shard may hold in all.
    TooLarge,
}

impl Put {
    /// Whether the value is in the store.
    pub fn is_stored(self) -> bool {
        matches!(self, Put::Stored { .. })
    }
}
