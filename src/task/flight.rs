//! A flight: one load of one key, shared by everybody who wants it; and the key state: all that is known of a key while anybody
//! loads it or may still answer it.

use super::deadlines::DeadlineId;
use super::demand::Demand;
use super::queue::Arrival;
use super::{FetchId, FlightId, KeyStateId, RequestId};
use crate::base::config::FetchSettings;
use crate::base::{Key, Moment};
use smallvec::SmallVec;
use std::num::NonZeroU64;
use std::sync::Arc;

/// One load of one key.
pub struct Flight {
    pub key_state: KeyStateId,
    pub phase: Phase,
    pub standing: Standing,
    /// Who waits. Those who left stay listed until they are many: their positions are settled, so telling them does nothing.
    pub waiters: SmallVec<[Waiter; 1]>,
    /// Who wants it now: the waiters that still wait, and refreshes, which never leave.
    pub demand: Demand,
    /// Whether the attempt in the provider's hands goes on, though nobody is left who wants it: the last one who left said so (rule
    /// F10a). If somebody joins, it is for the next who leaves last to say.
    pub goes_on: bool,
    /// How many attempts began.
    pub attempts: u32,
    /// When the first one began; never, as long as none did.
    pub first_began: Moment,
    /// The first waiter's, whose retry policy is the flight's (rule F19); `None` if that tries nothing again.
    pub retry: Option<Arc<FetchSettings>>,
    /// The highest entry priority asked.
    pub priority: Priority,
    /// The fetch that started it.
    pub owner: FetchId,
    /// Its position there.
    pub position: u32,
}

/// What a flight is doing.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    /// It is collected for the request that its fetch is about to open.
    Opening,
    /// It waits in the queue, with a place or without, where its fetch stands.
    Queued,
    /// It waits in the queue to be tried again.
    Retried { stand: Arrival },
    /// The provider has it.
    Running { request: RequestId, index: u32 },
    /// It failed and pauses.
    Backoff { timer: DeadlineId },
}

/// Whether a flight can be joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is the one a fetch joins.
    Current,
    /// The key was written while the provider had it: it serves those who joined before, and never stores.
    Overtaken {
        /// The how manieth write of the key that was: it could be joined until then.
        write: NonZeroU64,
    },
}

/// One position that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    pub fetch: FetchId,
    pub position: u32,
    /// Whether it came after the flight was started.
    pub joined: bool,
}

/// What is left of a flight that ended, for those who wait for it and for its answers that are on their way. Most of a flight need not be
/// moved.
pub struct EndedFlight {
    pub key_state: KeyStateId,
    pub waiters: SmallVec<[Waiter; 1]>,
    pub attempts: u32,
    pub stores: bool,
    pub priority: Priority,
    pub owner: FetchId,
}

/// A priority, or none: smaller than an `Option` of one.
#[derive(Clone, Copy, Debug)]
pub struct Priority(f64);

impl Priority {
    /// As it was stated: never NaN.
    pub fn of(stated: Option<f64>) -> Priority {
        Priority(stated.unwrap_or(f64::NAN))
    }

    /// It, if there is one.
    pub fn get(self) -> Option<f64> {
        Some(self.0).filter(|priority| !priority.is_nan())
    }

    /// The higher of both; none is lower than any.
    pub fn max(self, other: Priority) -> Priority {
        Priority(self.0.max(other.0))
    }
}

impl Flight {
    /// Whether its answer is wanted.
    pub fn is_wanted(&self) -> bool {
        self.goes_on || !self.demand.is_empty()
    }

    /// Ends it: its waiters go to the caller.
    #[inline(always)]
    pub fn end(&mut self) -> EndedFlight {
        let Flight { key_state, attempts, priority, owner, .. } = *self;
        EndedFlight { key_state, waiters: std::mem::take(&mut self.waiters), attempts, stores: self.demand.stores, priority, owner }
    }
}

/// All that is known of a key while anybody loads it or may still answer it.
pub struct KeyState {
    pub key: Key,
    pub hash: u64,
    /// The flight that a fetch joins.
    pub current: Option<FlightId>,
    /// Flights that a write overtook and that still serve somebody.
    pub overtaken: SmallVec<[FlightId; 1]>,
    /// How often the key was put, removed or cleared.
    pub writes: u64,
    /// The youngest attempt whose answer was stored.
    pub loaded_by: u64,
    /// How many flights and parts of requests refer to it.
    pub holders: u32,
}

/// The state of the key when an attempt began: what decides whether its answer may still be stored (rules F08, F10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    writes: u64,
    /// The attempt's number among all.
    attempt: u64,
}

impl Stamp {
    /// Whether the attempt began after everybody had joined the flight that was overtaken then: its answer is not older than
    /// any of their calls.
    pub fn is_after_all_who_joined(&self, overtaken_by: NonZeroU64) -> bool {
        self.writes >= overtaken_by.get() - 1
    }
}

impl KeyState {
    /// The key state of a key whose first flight begins.
    #[inline(always)]
    pub fn of(key: Key, hash: u64, flight: FlightId) -> KeyState {
        KeyState { key, hash, current: Some(flight), overtaken: SmallVec::new(), writes: 0, loaded_by: 0, holders: 1 }
    }

    /// A stamp for the attempt with this number, which begins now.
    pub fn stamp(&self, attempt: u64) -> Stamp {
        Stamp { writes: self.writes, attempt }
    }

    /// A stamp for the attempt with this number of a flight that was overtaken: it is never whole.
    pub fn broken_stamp(attempt: u64) -> Stamp {
        Stamp { writes: u64::MAX, attempt }
    }

    /// Whether nothing newer was written since the attempt began: neither by the host nor by a younger attempt.
    pub fn is_whole(&self, stamp: Stamp) -> bool {
        self.writes == stamp.writes && self.loaded_by < stamp.attempt
    }

    /// The answer of the attempt with this stamp is stored.
    pub fn loaded(&mut self, stamp: Stamp) {
        self.loaded_by = self.loaded_by.max(stamp.attempt);
    }
}
