//! Values that are no longer in the store, and why (rule S11). Each value given to the store becomes exactly one departure.

use crate::base::record::AnswerRef;
use crate::base::variants::variants;
use crate::base::{FormerRecord, Millis};
use smallvec::SmallVec;

variants! {
    /// Why a value is no longer in the store. The numbers are those of `KVL_CAUSE_*`.
    #[derive(PartialOrd, Ord, Hash)]
    #[repr(u32)]
    pub enum Cause {
        /// It expired.
        Expired = 1,
        /// It was evicted because there were too many entries.
        Capacity = 2,
        /// It was evicted because the total cost was too high.
        Cost = 3,
        /// A newer value was put under its key, even if that one was refused.
        Replaced = 4,
        /// It was removed, taken or popped, or a value with TTL 0 was put under its key.
        Removed = 5,
        /// The store was cleared.
        Cleared = 6,
        /// It was never stored.
        Refused = 7,
        /// The store was trimmed or made smaller.
        Trimmed = 8,
        /// Its tag was removed.
        Tag = 9,
    }
}

impl Cause {
    pub(super) fn index(self) -> usize {
        self as usize - 1
    }

    /// Whether the entry is a victim: it left only because there was no room.
    #[inline(always)]
    pub(super) fn is_eviction(self) -> bool {
        match self {
            Cause::Capacity | Cause::Cost | Cause::Trimmed => true,
            Cause::Expired | Cause::Replaced | Cause::Removed | Cause::Cleared | Cause::Refused | Cause::Tag => false,
        }
    }
}

/// A value that left the store, or was never stored.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The key and the answer.
    pub record: FormerRecord,
    /// The cost of the whole entry, in bytes.
    pub cost: u64,
    /// The time at which it was put.
    pub stored_at: Millis,
    /// When it would have expired; [`Millis::NEVER`] if it would not, and for a refused value. An `Option` would take two words.
    pub end: Millis,
    /// The time at which it left.
    pub left_at: Millis,
    /// The cause.
    pub cause: Cause,
}

impl Departure {
    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        self.record.key()
    }

    /// The value, or null.
    #[inline]
    pub fn answer(&self) -> AnswerRef<'_> {
        self.record.answer()
    }

    /// When it would have expired; `None` if it would not, and for a refused value.
    pub fn expires_at(&self) -> Option<Millis> {
        (self.end != Millis::NEVER).then_some(self.end)
    }
}

/// Departures in the order in which they happened. The owner must drop them with no lock held, because dropping a value may run host code.
pub type Departures = SmallVec<[Departure; 1]>;

/// Receives the departures of each step of a long operation, before the next step.
pub trait StepSink {
    /// Takes the departures, except those that a [`DepartureSink`] has taken before. Called with no lock held.
    fn take(&mut self, departures: &mut Departures);
}

/// Collects all departures.
impl StepSink for Departures {
    fn take(&mut self, departures: &mut Departures) {
        self.append(departures);
    }
}

/// Calls a function after each step.
pub struct EachStep<F>(pub F);

impl<F: FnMut(Departures)> StepSink for EachStep<F> {
    fn take(&mut self, departures: &mut Departures) {
        (self.0)(std::mem::take(departures));
    }
}

/// Receives departures as they happen, so that those of one key arrive in store order, whichever threads cause them.
pub trait DepartureSink: Send + Sync {
    /// Moves the departures out of the list. Called under a shard's lock, so it must not block, drop a value or call the store.
    fn record(&self, departures: &mut Departures);
}
