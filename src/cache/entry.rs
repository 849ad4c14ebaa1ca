//! Entries that are put or found, the outcomes of a put and a touch, and the cost of an entry.

use super::shard::Shard;
use crate::base::{Answer, Millis, Record, StoreTerms};

/// The memory that the store's tables use for an entry, in bytes: its node, and its part of the index.
pub const NODE_COST: u64 = 58;

/// The overhead of an entry, in bytes: [`NODE_COST`], the header of its record, and the allocator's header of that block.
pub const ENTRY_COST: u64 = NODE_COST + 24 + 8;

/// Returns the cost of an entry whose value has a stated cost: `value_cost`, plus the length of the key, plus [`ENTRY_COST`]. Saturates.
pub fn entry_cost(key: &[u8], value_cost: u64) -> u64 {
    value_cost.saturating_add(key.len() as u64).saturating_add(ENTRY_COST)
}

/// The additional cost of an entry that can expire, in bytes: its links in the timing wheel.
pub const END_COST: u64 = 8;

/// The additional cost of an entry if there is an idle TTL, in bytes: the time of its last use, and its links in the list of uses.
pub const USE_COST: u64 = 16;

/// The additional cost of an entry that stays as a fallback after its expiry or is refreshed ahead of it, in bytes.
pub const LIFETIME_COST: u64 = 24;

/// Returns the cost of an entry: computed from the `stated` cost of its value, else from the memory that it takes from the heap, plus
/// `overhead` bytes for tables that only some entries use. Computed once for each entry, so that the ledger subtracts exactly what it
/// added.
#[inline]
pub fn cost_of(record: &Record, stated: Option<u64>, overhead: u64) -> u64 {
    match stated {
        Some(value_cost) => entry_cost(record.key(), value_cost),
        None => record.heap_bytes().saturating_add(NODE_COST + overhead),
    }
}

/// An answer that is to be stored.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The value, or null.
    pub answer: Answer,
    /// The terms of storing it.
    pub terms: StoreTerms,
    /// The condition of storing it.
    pub condition: Condition,
}

/// What must be true of the live entry under a key for a put to take place (rule S17). Null is an entry like any other.
#[derive(Clone, Debug, Default)]
pub enum Condition {
    /// No condition.
    #[default]
    None,
    /// There is no entry.
    Absent,
    /// There is an entry.
    Present,
    /// There is an entry with this very value, or with null if this is null. Values are compared by identity.
    Holds(Answer),
    /// There is no entry. The new entry, which comes from a saved cache, expires at this time, whatever its terms are.
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

/// References to the parts of a [`NewEntry`], so that none is moved on the way to the store. The store takes the answer and the labels.
pub(super) struct EntryParts<'a> {
    pub answer: &'a mut Answer,
    pub terms: &'a mut StoreTerms,
    pub condition: &'a Condition,
    /// While the number of shards changes: the shard whose entries are moving to the shard of this entry.
    pub leaving: Option<&'a mut Shard>,
}

impl EntryParts<'_> {
    /// Whether the outcome of the put depends on the entry under the key.
    #[inline]
    pub fn depends_on_older(&self) -> bool {
        self.terms.keep_ttl || self.terms.renews || !matches!(self.condition, Condition::None)
    }
}

impl NewEntry {
    /// Whether dropping the entry releases nothing: its answer and its labels were taken out, and it has no condition.
    #[inline(always)]
    pub fn is_spent(&self) -> bool {
        matches!((&self.answer, &self.terms.labels, &self.condition), (Answer::Null, None, Condition::None))
    }

    #[inline(always)]
    pub(super) fn parts(&mut self) -> EntryParts<'_> {
        EntryParts { answer: &mut self.answer, terms: &mut self.terms, condition: &self.condition, leaving: None }
    }

    /// Creates an entry with default terms: a computed cost, the default TTL of its kind, priority 0.
    pub fn new(answer: Answer) -> NewEntry {
        NewEntry { answer, terms: StoreTerms::default(), condition: Condition::None }
    }
}

/// The result of a lookup that finds an entry.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The value, or null.
    pub answer: Answer,
    /// The cost of the whole entry, in bytes.
    pub cost: u64,
    /// The time at which it was put.
    pub stored_at: Millis,
    /// When it expires unless it is used before; `None` if it does not.
    pub expires_at: Option<Millis>,
}

/// The outcome of a put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutOutcome {
    /// The value is in the store.
    Stored {
        /// The cost of the whole entry, in bytes.
        cost: u64,
        /// When it expires unless it is used before; `None` if it does not. A timer that sleeps longer must be woken.
        expires_at: Option<Millis>,
    },
    /// The value was refused: there is no room for its priority, or the capacity or its TTL is 0.
    Refused,
    /// The value was refused: it costs more than the limit of one shard.
    TooLarge,
    /// Nothing happened: there is an entry, or one with a different value, contrary to the condition.
    Conflict,
    /// Nothing happened: there is no entry, contrary to the condition.
    Missing,
    /// Nothing happened: there is no memory for one more entry.
    NoMemory,
}

impl PutOutcome {
    /// Whether the put took place: its condition was true, and there was memory.
    pub fn took_place(self) -> bool {
        !matches!(self, PutOutcome::Conflict | PutOutcome::Missing | PutOutcome::NoMemory)
    }

    /// Whether the value is in the store.
    pub fn is_stored(self) -> bool {
        matches!(self, PutOutcome::Stored { .. })
    }
}

/// The outcome of a touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TouchOutcome {
    /// The entry has this new end; `None` if it does not expire. A timer that sleeps longer must be woken.
    Done(Option<Millis>),
    /// There is no live entry.
    Missing,
    /// The default TTL for this kind of entry is 0: such entries are not stored.
    NoTtl,
}
