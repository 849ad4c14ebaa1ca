//! A fetch: one call that asks for one or several keys, each a position.

use super::FlightId;
use super::deadlines::DeadlineId;
use super::demand::Wish;
use super::host::Host;
use super::outcome::Outcome;
use super::queue::Arrival;
use crate::base::Error;
use crate::base::config::{BatchMode, LeavePolicy};
use smallvec::SmallVec;

/// How a fetch wants its results delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One event for each position.
    Each,
    /// One event for all positions.
    All,
    /// None: a refresh only wants its keys loaded.
    Refresh,
    /// Not at all, and not at any cost: its keys were used, and will soon be over (rule R05).
    Ahead,
}

impl Form {
    /// Whether anybody is told.
    pub fn tells(self) -> bool {
        matches!(self, Form::Each | Form::All)
    }
}

/// A fetch under way.
pub struct Fetch<H: Host> {
    /// `None` where nobody is told, and after the last event.
    pub sink: Option<H::Sink>,
    pub context: Option<H::Context>,
    pub form: Form,
    pub mode: BatchMode,
    /// What happens to a running load when this fetch, its last waiter, times out (rule F10a).
    pub on_timeout: LeavePolicy,
    /// The same when it is cancelled.
    pub on_cancel: LeavePolicy,
    pub positions: SmallVec<[Position; 1]>,
    /// How many positions are not settled.
    pub open: usize,
    /// How many settled positions failed.
    pub failed: usize,
    /// `Form::All`: the results so far, by position.
    pub outcomes: Vec<Outcome>,
    /// Why the fetch as a whole ended early, if it did.
    pub ended: Option<Error>,
    /// After how many more settled positions progress is reported; 0: never.
    pub progress_step: usize,
    /// At how many settled positions progress is reported next.
    pub progress_at: usize,
    /// The fetch's timeout.
    pub deadline: Option<DeadlineId>,
    /// When it waits no longer for better than what is stale.
    pub stale_at: Option<DeadlineId>,
    /// What it adds to the demand for each of its keys.
    pub wish: Wish,
    /// The fetch's number, counting from the first.
    pub arrival: u64,
    /// Where its keys stand in the queue.
    pub stand: Arrival,
    /// How many flights that it started wait in the queue. While there are any, the fetch is kept, because they use its context.
    pub waiting: usize,
}

/// One position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// Not settled; waits for this flight (a null id: for none yet).
    Open(FlightId),
    /// Settled for good.
    Settled,
}

impl<H: Host> Fetch<H> {
    /// Whether every position is settled, and no flight that it started waits in the queue.
    pub fn is_over(&self) -> bool {
        self.open == 0 && self.waiting == 0
    }

    /// How many positions are settled.
    pub fn done(&self) -> usize {
        self.positions.len() - self.open
    }
}
