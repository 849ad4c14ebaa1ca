//! A request: what the provider is handed; and the slots that bound how many it has at a time (rule F12).

use super::breaker::Era;
use super::deadlines::DeadlineId;
use super::flight::Stamp;
use super::recent::Tick;
use super::{FlightId, KeyStateId, RequestId};
use crate::base::Moment;
use std::collections::BTreeMap;

/// A request in the provider's hands.
pub struct Request<R> {
    pub handle: R,
    pub parts: Vec<Part>,
    /// How many parts have no answer yet, whoever waits for it.
    pub unanswered: usize,
    /// How many parts are open and have somebody interested.
    pub wanted: usize,
    pub call: ProviderCall,
    pub hold: Hold,
    pub time: Time,
    /// When it was formed.
    pub formed: Moment,
    pub handed: Tick,
    /// The breaker's era in which it was handed out.
    pub era: Era,
    /// Whether a key of it failed with an error that is not permanent.
    pub failed: bool,
    /// Its number among all attempts: what its parts' stamps carry.
    pub attempt: u64,
}

/// One key of a request. Only an open part may be absent by omission: see `Table::finish`.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The answer settles this flight.
    Open { flight: FlightId, stamp: Stamp },
    /// Its request was cancelled, or its flight was settled by another answer: an answer may be stored, and settles nobody.
    Unwanted(FlightRemains),
    /// The attempt's time was over: an answer settles the flight, whatever it does by now, if nothing newer was written.
    Late { remains: FlightRemains, flight: FlightId },
    /// Answered for good.
    Answered,
}

/// What is kept of a flight for an answer that outlives it.
#[derive(Clone, Copy, Debug)]
pub struct FlightRemains {
    pub key_state: KeyStateId,
    pub stamp: Stamp,
    pub stores: bool,
    pub priority: Option<f64>,
}

/// Where the provider's call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProviderCall {
    /// It has not begun.
    Waiting,
    /// It runs.
    Running,
    /// It came back.
    Returned,
}

/// How long the attempt may still take (rule F10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// For ever: it has not begun, or there is no timeout.
    Unlimited,
    /// Until this timer fires.
    Until(DeadlineId),
    /// It was over before the request was finished.
    Over,
}

/// What a request keeps from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// A slot.
    Slot,
    /// A slot, though its time is over: `max_abandoned` others are in the same state.
    OverdueSlot,
    /// One of the `max_abandoned`.
    Abandoned,
    /// Nothing.
    Nothing,
}

impl<R> Request<R> {
    /// What was open of the part, which is answered from now on.
    pub fn take_part(&mut self, index: usize) -> Part {
        let part = std::mem::replace(&mut self.parts[index], Part::Answered);
        self.unanswered -= usize::from(!matches!(part, Part::Answered));
        part
    }

    /// Whether the provider has it in its hands, or had it.
    pub fn is_taken(&self) -> bool {
        self.call != ProviderCall::Waiting
    }

    /// Whether the provider needs nothing of it any more.
    pub fn is_done(&self) -> bool {
        self.unanswered == 0 && self.call == ProviderCall::Returned
    }
}

/// Who may be with the provider.
pub struct Slots {
    max_running: u32,
    max_abandoned: u32,
    pub running: u32,
    pub abandoned: u32,
    /// Requests that hold a slot though their time is over, by attempt, so that the oldest comes first.
    overdue: BTreeMap<u64, RequestId>,
}

impl Slots {
    /// All free.
    pub fn new(max_running: u32, max_abandoned: u32) -> Slots {
        Slots { max_running, max_abandoned, running: 0, abandoned: 0, overdue: BTreeMap::new() }
    }

    /// Whether a request can be formed.
    pub fn is_free(&self) -> bool {
        self.running < self.max_running
    }

    /// A request takes a slot.
    pub fn take(&mut self) -> Hold {
        debug_assert!(self.is_free());
        self.running += 1;
        Hold::Slot
    }

    /// The request's time is over.
    #[must_use]
    pub fn abandon(&mut self, id: RequestId, attempt: u64, hold: Hold) -> Hold {
        if hold != Hold::Slot {
            return hold;
        }
        if self.abandoned < self.max_abandoned {
            self.running -= 1;
            self.abandoned += 1;
            return Hold::Abandoned;
        }
        self.overdue.insert(attempt, id);
        Hold::OverdueSlot
    }

    /// The request is over. If that makes room for an overdue one to be abandoned, its id is answered.
    #[must_use]
    pub fn release(&mut self, attempt: u64, hold: Hold) -> Option<RequestId> {
        match hold {
            Hold::Nothing => None,
            Hold::Slot => {
                self.running -= 1;
                None
            }
            Hold::OverdueSlot => {
                self.running -= 1;
                self.overdue.remove(&attempt);
                None
            }
            Hold::Abandoned => {
                self.abandoned -= 1;
                let (_, next) = self.overdue.pop_first()?;
                self.running -= 1;
                self.abandoned += 1;
                Some(next)
            }
        }
    }

    /// How many requests hold a slot though their time is over.
    pub fn overdue(&self) -> usize {
        self.overdue.len()
    }
}
