//! A fetch: one call that asks for one or many positions.

use super::FlightId;
use super::host::Host;
use super::outcome::Outcome;
use crate::base::Error;
use crate::base::config::BatchMode;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// How a fetch wants to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Each position alone.
    Each,
    /// All at once.
    All,
    /// Not at all: it only wants its keys loaded.
    Refresh,
}

/// A fetch under way.
pub struct Fetch<H: Host> {
    /// `None` for a refresh, and after the last event.
    pub mailbox: Option<H::Mailbox>,
    pub context: Option<H::Context>,
    pub form: Form,
    pub mode: BatchMode,
    pub positions: SmallVec<[Position; 1]>,
    /// How many positions are not settled.
    pub open: usize,
    /// How many settled positions failed.
    pub failed: usize,
    /// `Form::All`: the results so far, by position.
    pub outcomes: Vec<Outcome>,
    /// Why the whole ended early.
    pub ended: Option<Error>,
    /// After how many more settled positions progress is told; 0: never.
    pub progress_step: usize,
    /// At how many settled positions progress is told next.
    pub progress_at: usize,
    pub has_deadline: bool,
    pub urgency: i32,
    /// Which fetch it is, counted from the first.
    pub arrival: u64,
    /// Its flights that wait with it, in the order asked; those that ended meanwhile are stale.
    pub spilled: VecDeque<FlightId>,
    /// How many places of the queue its flights occupy.
    pub places: usize,
    /// Whether it stands among those that free places go to: something waits with it, and its share is not used.
    pub hungry: bool,
    /// How many of its flights wait, spilled or queued: while any does, the fetch is kept for their order's sake.
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
    /// How many positions are settled.
    pub fn done(&self) -> usize {
        self.positions.len() - self.open
    }
}
