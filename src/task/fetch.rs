//! A fetch: one call that requests one or several keys. Each listed key is a position.

use super::FlightId;
use super::deadlines::DeadlineId;
use super::demand::Wish;
use super::host::Host;
use super::outcome::Outcome;
use super::queue::QueuePosition;
use crate::base::Error;
use crate::base::config::{BatchMode, LeavePolicy};
use smallvec::SmallVec;

/// How the results of a fetch are delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One event for each position.
    Each,
    /// One event for all positions.
    All,
    /// No event: a refresh only wants its keys loaded.
    Refresh,
    /// No event, and dropped if no place is free: a refresh of entries that were used shortly before their expiry (rule R05).
    Ahead,
}

impl Form {
    /// Whether results are delivered.
    pub fn delivers(self) -> bool {
        matches!(self, Form::Each | Form::All)
    }
}

/// A fetch that has not ended.
pub struct Fetch<H: Host> {
    /// `None` if no results are delivered, and after the last event.
    pub sink: Option<H::Sink>,
    pub context: Option<H::Context>,
    pub form: Form,
    pub mode: BatchMode,
    /// What happens to a running load if this fetch is its last waiter and times out (rule F10a).
    pub on_timeout: LeavePolicy,
    /// What happens to a running load if this fetch is its last waiter and is cancelled (rule F10a).
    pub on_cancel: LeavePolicy,
    pub positions: SmallVec<[Position; 1]>,
    /// The number of positions that are not settled.
    pub open: usize,
    /// The number of settled positions that failed.
    pub failed: usize,
    /// With `Form::All`: the results so far, by position.
    pub outcomes: Vec<Outcome>,
    /// Whether its open positions are being settled in steps, because the fetch was cancelled, timed out or failed as a whole, or because
    /// the engine closes.
    pub is_ending: bool,
    /// Whether its arrival is still being processed, in steps.
    pub is_asking: bool,
    /// Why the fetch as a whole ended early, if it did.
    pub ended: Option<Error>,
    /// The number of settled positions between two reports of progress; 0: no reports.
    pub progress_step: usize,
    /// The number of settled positions at which progress is reported next.
    pub progress_at: usize,
    /// The deadline of the fetch's timeout.
    pub deadline: Option<DeadlineId>,
    /// The deadline at which the fetch stops waiting for loads, and receives fallbacks.
    pub stale_at: Option<DeadlineId>,
    /// What the fetch adds to the demand for each of its keys.
    pub wish: Wish,
    /// The number of the fetch, in order of arrival.
    pub arrival: u64,
    /// The position of its keys in the order of the queue.
    pub queue_position: QueuePosition,
    /// The number of flights started by the fetch that wait in the queue or for a look in the second tier, plus one while its keys are
    /// being processed. Until it is 0 the fetch is kept, because the flights use its context.
    pub waiting: usize,
}

/// The state of one position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// Not settled. The id is that of the flight it waits for; null before it has joined one.
    Open(FlightId),
    /// Settled.
    Settled,
}

impl<H: Host> Fetch<H> {
    /// Whether every position is settled, and no flight that the fetch started waits.
    pub fn has_ended(&self) -> bool {
        self.open == 0 && self.waiting == 0
    }

    /// The number of settled positions.
    pub fn done(&self) -> usize {
        self.positions.len() - self.open
    }
}
