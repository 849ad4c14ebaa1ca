//! A flight: one load of one key, shared by every fetch that wants the key. And the key state: everything known about a key while it is
//! being loaded, or while an answer for it may still arrive.

use super::deadlines::DeadlineId;
use super::demand::Demand;
use super::host::Host;
use super::outcome::Outcome;
use super::queue::QueuePosition;
use super::request::FlightRemains;
use super::waiters::{Waiter, Waiters};
use super::{FetchId, FlightId, KeyStateId, RequestId};
use crate::base::config::FetchSettings;
use crate::base::{BlockDeque, Error, Key, Moment};
use smallvec::SmallVec;
use std::num::NonZeroU64;
use std::sync::Arc;

/// One load of one key.
pub struct Flight<H: Host> {
    pub key_state: KeyStateId,
    pub phase: Phase,
    pub standing: Standing,
    pub waiters: Waiters,
    /// The fetches that wait for the flight and have no record of their own; `None` if there are none.
    pub joiners: Option<Box<Joiners<H>>>,
    /// The present demand: that of waiters which have not left, and that of joiners and refreshes, which never leave.
    pub demand: Demand,
    /// Whether the look or the running attempt continues without demand, because the last waiter to leave chose that (rule F10a). If
    /// another fetch joins, the last one to leave decides again.
    pub continues: bool,
    /// Whether a fetch received the fallback instead of waiting for the flight. The wish of the first such fetch stays in the demand, so
    /// that the load goes on.
    pub revalidates: bool,
    /// Whether the flight was started by a refresh ahead of expiry.
    pub is_ahead: bool,
    /// The number of attempts that have begun.
    pub attempts: u32,
    /// When the first attempt began; `Moment::NEVER` before that.
    pub first_began: Moment,
    /// The error of the last failed attempt; the provider's own error, if there was one (rule F10b). Never dropped under a lock.
    pub last_error: Option<Error>,
    /// The settings of the first waiter, whose retry policy applies to the flight (rule F19); `None` if that policy never retries.
    pub retry: Option<Arc<FetchSettings>>,
    /// The highest priority among the fetches that joined.
    pub priority: Priority,
    /// The fetch that started the flight.
    pub owner: FetchId,
    /// The flight's position in that fetch.
    pub position: u32,
}

/// The phase of a flight.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    /// The fetch that starts the flight is about to put it into a new request.
    Opening,
    /// Its key is looked up in the second tier, or waits for that.
    Looking,
    /// It waits in the queue, with or without a place, at the position of its fetch.
    Queued,
    /// It waits in the queue for another attempt.
    Retried { queue_position: QueuePosition },
    /// The provider has it, as part number `index` of the request.
    Running { request: RequestId, index: u32 },
    /// It failed, and pauses before the next attempt.
    Backoff { timer: DeadlineId },
}

/// Whether a flight can be joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Fetches of its key join it.
    Current,
    /// The key was written during the load. The flight settles the positions that had joined before, and its answer is not stored.
    Overtaken {
        /// The number of that write among the writes of the key. The flight could be joined until that write.
        write: NonZeroU64,
    },
}

/// The part of an ended flight that is needed to settle its waiters and to handle answers that still arrive. Moving less than the whole
/// flight is cheaper.
pub struct EndedFlight<H: Host> {
    pub key_state: KeyStateId,
    pub waiters: Waiters,
    pub joiners: Option<Box<Joiners<H>>>,
    pub attempts: u32,
    pub stores: bool,
    pub priority: Priority,
    pub owner: FetchId,
    /// To be dropped after the lock is released.
    pub last_error: Option<Error>,
}

impl<H: Host> EndedFlight<H> {
    /// The data to keep for an answer that may still arrive.
    pub fn remains(&self, stamp: Stamp) -> FlightRemains {
        FlightRemains { key_state: self.key_state, stamp, stores: self.stores, priority: self.priority.get() }
    }
}

/// Fetches that joined a flight and that nothing can end earlier: each is of one key, without a handle, a time limit or progress. Such a
/// fetch needs no record of its own, because its demand, which the flight counts, ends with the flight.
pub struct Joiners<H: Host> {
    pub key: Key,
    pub list: BlockDeque<H::Joiner>,
}

/// An optional priority, smaller than an `Option<f64>`: NaN stands for none.
#[derive(Clone, Copy, Debug)]
pub struct Priority(f64);

impl Priority {
    /// From a stated priority, which is never NaN.
    pub fn of(stated: Option<f64>) -> Priority {
        Priority(stated.unwrap_or(f64::NAN))
    }

    /// The priority, if there is one.
    pub fn get(self) -> Option<f64> {
        Some(self.0).filter(|priority| !priority.is_nan())
    }

    /// The higher of the two. Any priority is higher than none.
    pub fn max(self, other: Priority) -> Priority {
        Priority(self.0.max(other.0))
    }
}

impl<H: Host> Flight<H> {
    /// The data to keep for an answer that may arrive after the flight has ended.
    pub fn remains(&self, stamp: Stamp) -> FlightRemains {
        FlightRemains { key_state: self.key_state, stamp, stores: self.demand.stores, priority: self.priority.get() }
    }

    /// Whether the flight's answer is wanted.
    pub fn is_wanted(&self) -> bool {
        self.continues || !self.demand.is_empty()
    }

    /// Ends the flight. The waiters become the caller's.
    #[inline(always)]
    pub fn end(&mut self) -> EndedFlight<H> {
        let Flight { key_state, attempts, priority, owner, .. } = *self;
        let (waiters, joiners, last_error) = (std::mem::take(&mut self.waiters), self.joiners.take(), self.last_error.take());
        EndedFlight { key_state, waiters, joiners, attempts, stores: self.demand.stores, priority, owner, last_error }
    }

    /// Records the error of an attempt after which another may follow. An error of the library does not replace one of the provider.
    /// Returns the error that is not kept.
    #[must_use]
    pub fn note_error(&mut self, error: Error) -> Option<Error> {
        if self.last_error.as_ref().is_some_and(|last| last.is_of_provider()) && !error.is_of_provider() {
            return Some(error);
        }
        self.last_error.replace(error)
    }

    /// The waiter that started the flight, if there was no other, and no failed attempt.
    #[inline(always)]
    pub fn only_waiter(&self) -> Option<Waiter> {
        match (&self.waiters, &self.joiners, &self.last_error) {
            (Waiters::One(waiter), None, None) if !waiter.joined => Some(*waiter),
            _ => None,
        }
    }

    /// Whether dropping the flight frees and releases nothing.
    #[inline(always)]
    pub fn owns_nothing(&self) -> bool {
        let Flight {
            waiters,
            joiners,
            demand,
            last_error,
            retry,
            // The others own nothing. They are named so that a new field is not forgotten here.
            key_state: _,
            phase: _,
            standing: _,
            continues: _,
            revalidates: _,
            is_ahead: _,
            attempts: _,
            first_began: _,
            priority: _,
            owner: _,
            position: _,
        } = self;
        waiters.owns_nothing() && joiners.is_none() && demand.owns_nothing() && last_error.is_none() && retry.is_none()
    }

    /// The number of joiners.
    pub fn joined(&self) -> usize {
        self.joiners.as_ref().map_or(0, |joiners| joiners.list.len())
    }

    /// Returns `error`, with the error of the last attempt as its cause.
    pub fn with_cause(&self, error: &Error) -> Error {
        with_cause(error, self.last_error.as_ref())
    }

    /// The outcome of a position that stops waiting for the flight because of this error of the library.
    pub fn failed(&self, error: &Error) -> Outcome {
        Outcome::failed(self.with_cause(error)).of_load(self.attempts)
    }
}

fn with_cause(error: &Error, cause: Option<&Error>) -> Error {
    cause.map_or_else(|| error.clone(), |cause| error.caused_by(cause))
}

/// Everything known about a key while it is being loaded, or while an answer for it may still arrive.
pub struct KeyState {
    pub key: Key,
    pub hash: u64,
    /// The flight that fetches join.
    pub current: Option<FlightId>,
    /// The flights that a write has overtaken and that have not ended.
    pub overtaken: SmallVec<[FlightId; 1]>,
    /// The number of times that the key was put, removed or cleared since this state was created.
    pub writes: u64,
    /// The number of the youngest attempt whose answer was stored.
    pub loaded_by: u64,
    /// The number of flights and parts of requests that refer to this state.
    pub holders: u32,
}

/// How often a key had been written when an attempt began, and the number of the attempt. These two numbers decide whether the attempt's
/// answer may be stored (rules F08, F10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    writes: u64,
    /// The number of the attempt among all attempts.
    attempt: u64,
}

impl Stamp {
    /// The number of the attempt among all attempts.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// Whether the attempt began after the last waiter had joined the flight that was overtaken by this write. If so, the answer is not
    /// older than the call of any waiter.
    pub fn is_after_last_join(&self, overtaken_by: NonZeroU64) -> bool {
        self.writes >= overtaken_by.get() - 1
    }
}

impl KeyState {
    /// The state of a key whose first flight begins.
    #[inline(always)]
    pub fn of(key: Key, hash: u64, flight: FlightId) -> KeyState {
        KeyState { key, hash, current: Some(flight), overtaken: SmallVec::new(), writes: 0, loaded_by: 0, holders: 1 }
    }

    /// Whether dropping the state frees nothing.
    #[inline(always)]
    pub fn owns_nothing(&self) -> bool {
        let KeyState { key, overtaken, hash: _, current: _, writes: _, loaded_by: _, holders: _ } = self;
        key.owns_nothing() && !overtaken.spilled()
    }

    /// The stamp of an attempt that begins now, of a flight with this standing. An overtaken flight gets a stamp that is never whole: none
    /// of its answers is stored, not even the answer of a later attempt, because a newer flight loads the key for the store.
    pub fn stamp_of(&self, standing: Standing, attempt: u64) -> Stamp {
        let writes = if standing == Standing::Current { self.writes } else { u64::MAX };
        Stamp { writes, attempt }
    }

    /// Whether neither the host nor the answer of a younger attempt has written the key since the attempt began.
    pub fn is_whole(&self, stamp: Stamp) -> bool {
        self.writes == stamp.writes && self.loaded_by < stamp.attempt
    }

    /// Records that the answer of the attempt with this stamp was stored.
    pub fn loaded(&mut self, stamp: Stamp) {
        self.loaded_by = self.loaded_by.max(stamp.attempt);
    }
}
