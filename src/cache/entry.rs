//! What goes into the store and what comes out of it.

use crate::base::{Answer, Millis, Record, StoreTerms};

/// What the store's tables spend on an entry, in bytes: its node, and its part of the index.
pub const NODE_COST: u64 = 58;

/// What the store itself spends on an entry, in bytes: [`NODE_COST`], the start of its record, and what an allocator notes of a block.
pub const ENTRY_COST: u64 = NODE_COST + 24 + 8;

/// What an entry costs whose value's cost is stated: that, its key's length and [`ENTRY_COST`]. Saturates.
pub fn entry_cost(key: &[u8], value_cost: u64) -> u64 {
    value_cost.saturating_add(key.len() as u64).saturating_add(ENTRY_COST)
}

/// What an entry with an end takes besides: its links in the wheel.
pub const END_COST: u64 = 8;

/// What an entry takes besides where uses have a time.
pub const USE_COST: u64 = 16;

/// What an entry costs: by what is stated of its value, else what the heap holds for it, with `besides` for tables that not every entry is in.
/// It is found once for each entry, so that what is given back is what was charged.
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
    /// On which terms.
    pub terms: StoreTerms,
    /// Whether at all.
    pub condition: Condition,
}

/// What must hold of the live entry under a key for a put to take place (rule S17). Null is an entry like any other.
#[derive(Clone, Debug, Default)]
pub enum Condition {
    /// Anything.
    #[default]
    None,
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// There is one, and it holds this very value, or null.
    Holds(Answer),
    /// There is none; and the entry, which was in a store before, ends at this time, whatever its terms say.
    Restored(Millis),
}

impl Condition {
    /// What the put comes to if the condition does not hold.
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
    /// Whether what becomes of it depends on what is under its key.
    #[inline]
    pub(super) fn depends_on_older(&self) -> bool {
        self.terms.keep_ttl || !matches!(self.condition, Condition::None)
    }

    /// An answer on the default terms: at its own cost, with the TTL of its kind and priority 0.
    pub fn new(answer: Answer) -> NewEntry {
        NewEntry { answer, terms: StoreTerms::default(), condition: Condition::None }
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
pub enum PutOutcome {
    /// It is in the store.
    Stored {
        /// What the whole entry costs.
        cost: u64,
        /// When it expires if it is not used before; `None` for never. A timer that sleeps beyond it is to be woken.
        expires_at: Option<Millis>,
    },
    /// It is not: its priority is too low, or the capacity or its TTL is 0.
    Refused,
    /// It is not: it costs more than its shard may hold in all.
    TooLarge,
    /// Nothing happened: there is an entry, or another one, against the put's condition.
    Conflict,
    /// Nothing happened: there is no entry, against the put's condition.
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

/// What became of a touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TouchOutcome {
    /// The entry has its new end; `None` for never. A timer that sleeps beyond it is to be woken.
    Done(Option<Millis>),
    /// There is no live entry.
    Missing,
    /// The TTL of its kind is 0, which is none.
    NoTtl,
}
