//! The types of an entry on its way into the store and out of it, and what it costs.

use crate::base::{Answer, Millis, Record, StoreTerms};

/// The bytes that the store's tables use for an entry: its node, and its part of the index.
pub const NODE_COST: u64 = 58;

/// The bytes of overhead of an entry: [`NODE_COST`], the header of its record, and the allocator's header of that block.
pub const ENTRY_COST: u64 = NODE_COST + 24 + 8;

/// The cost of an entry whose value has a stated cost: that, the length of its key, and [`ENTRY_COST`]. Saturates.
pub fn entry_cost(key: &[u8], value_cost: u64) -> u64 {
    value_cost.saturating_add(key.len() as u64).saturating_add(ENTRY_COST)
}

/// What an entry that can expire costs in addition: its links in the wheel.
pub const END_COST: u64 = 8;

/// What an entry costs in addition if there is an idle TTL: the time and the links of its last use.
pub const USE_COST: u64 = 16;

/// The memory that an entry takes besides if it stays as a fallback after its expiry, or is loaded anew before it.
pub const LIFETIME_COST: u64 = 24;

/// The cost of an entry: from the stated cost of its value, else the memory it takes from the heap, plus `besides` for tables that only
/// some entries use. Computed once for each entry, so that exactly what was charged is released.
#[inline]
pub fn cost_of(record: &Record, stated: Option<u64>, besides: u64) -> u64 {
    match stated {
        Some(value_cost) => entry_cost(record.key(), value_cost),
        None => record.heap_bytes().saturating_add(NODE_COST + besides),
    }
}

/// An answer on its way into the store.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The value, or null.
    pub answer: Answer,
    /// The terms on which it is stored.
    pub terms: StoreTerms,
    /// The condition on which it is stored.
    pub condition: Condition,
}

/// What must hold of the live entry under a key for a put to take place (rule S17). Null is an entry like any other.
#[derive(Clone, Debug, Default)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// There is no entry.
    Absent,
    /// There is an entry.
    Present,
    /// There is an entry, and it holds this very value, or null.
    Holds(Answer),
    /// There is no entry. The new one, which is restored from a copy of a store, expires at this time, whatever its terms say.
    Restored(Millis),
}

impl Condition {
    /// Returns the outcome of the put if the condition does not hold.
    pub(super) fn check(&self, found: Option<&Answer>) -> Result<(), PutOutcome> {
        match (self, found) {
            (Condition::None, _) | (Condition::Absent | Condition::Restored(_), None) | (Condition::Present, Some(_)) => Ok(()),
            (Condition::Holds(expected), Some(found)) if expected.is(found) => Ok(()),
            (Condition::Absent | Condition::Restored(_) | Condition::Holds(_), Some(_)) => Err(PutOutcome::Conflict),
            (Condition::Present | Condition::Holds(_), None) => Err(PutOutcome::Missing),
        }
    }
}

impl NewEntry {
    /// Whether the outcome of its put depends on the entry under its key.
    #[inline]
    pub(super) fn depends_on_older(&self) -> bool {
        self.terms.keep_ttl || !matches!(self.condition, Condition::None)
    }

    /// An answer on the default terms: its own cost, the default TTL of its kind, priority 0.
    pub fn new(answer: Answer) -> NewEntry {
        NewEntry { answer, terms: StoreTerms::default(), condition: Condition::None }
    }
}

/// The result of a lookup that finds an entry.
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

/// The outcome of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutOutcome {
    /// The value is in the store.
    Stored {
        /// What the whole entry costs.
        cost: u64,
        /// When it expires if it is not used before; `None` for never. A timer that sleeps longer must be woken.
        expires_at: Option<Millis>,
    },
    /// The value was refused: its priority is too low, or the capacity or its TTL is 0.
    Refused,
    /// The value was refused: it costs more than a whole shard may.
    TooLarge,
    /// Nothing happened: there is an entry, or a different one, contrary to the put's condition.
    Conflict,
    /// Nothing happened: there is no entry, contrary to the put's condition.
    Missing,
}

impl PutOutcome {
    /// Whether the put took place: its condition held.
    pub fn took_place(self) -> bool {
        !matches!(self, PutOutcome::Conflict | PutOutcome::Missing)
    }

    /// Whether the value is in the store.
    pub fn is_stored(self) -> bool {
        matches!(self, PutOutcome::Stored { .. })
    }
}

/// The outcome of a touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TouchOutcome {
    /// The entry has its new end; `None` for never. A timer that sleeps longer must be woken.
    Done(Option<Millis>),
    /// There is no live entry.
    Missing,
    /// The default TTL of its kind is 0, with which nothing is kept.
    NoTtl,
}
