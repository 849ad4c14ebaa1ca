//! A request: a batch of keys handed to the provider. And the slots, which limit how many requests the provider has at a time (rule F12).

use super::breaker::Era;
use super::concurrency::Concurrency;
use super::deadlines::DeadlineId;
use super::flight::Stamp;
use super::hedge::Hedge;
use super::recent::Tick;
use super::{FlightId, KeyStateId, RequestId};
use crate::base::Moment;
use crate::base::config::TaskSettings;
use std::collections::BTreeMap;

/// A request that was handed to the provider.
pub struct Request<R> {
    pub handle: R,
    pub parts: Vec<Part>,
    /// The number of parts without an answer, wanted or not.
    pub unanswered: usize,
    /// The number of open parts whose flight is wanted, plus the number of hedge parts.
    pub wanted: usize,
    pub call: ProviderCall,
    pub hold: Hold,
    pub time: Time,
    /// When the request was created.
    pub formed: Moment,
    /// The same moment, in the order of the recorded writes.
    pub handed: Tick,
    /// The era of the circuit breaker when the request was handed out.
    pub era: Era,
    /// Whether the provider has finished it, and its parts are being settled in steps.
    pub is_finishing: bool,
    /// Whether one of its keys failed with an error that is not permanent.
    pub failed: bool,
    /// Whether it was cancelled before any of its keys was answered, so that its end says nothing about the provider.
    pub is_withdrawn: bool,
    /// The number of the request among all attempts. The stamps of its parts contain it.
    pub attempt: u64,
    pub hedge: Hedge,
}

/// One key of a request. Only an open part can become null by omission: see `Table::finish`.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The answer settles this flight.
    Open { flight: FlightId, stamp: Stamp },
    /// The request was cancelled, or the flight was settled by another answer. An answer may be stored, but settles no position.
    Unwanted(FlightRemains),
    /// The attempt timed out. An answer settles the flight in any phase if the key was not written since.
    Late { remains: FlightRemains, flight: FlightId },
    /// The part repeats a key of another request, which holds the open part. An answer settles the flight (rule R09).
    Hedge { remains: FlightRemains, flight: FlightId },
    /// The part has been answered.
    Answered,
}

/// The data of a flight that are kept for an answer that arrives after the flight has ended.
#[derive(Clone, Copy, Debug)]
pub struct FlightRemains {
    pub key_state: KeyStateId,
    pub stamp: Stamp,
    pub stores: bool,
    pub priority: Option<f64>,
}

/// The stage of the provider's call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProviderCall {
    /// The call has not begun.
    Waiting,
    /// The call is running.
    Running,
    /// The call has returned.
    Returned,
}

/// The time limit of the attempt (rule F10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// No limit: the attempt has not begun, or there is no timeout.
    Unlimited,
    /// The attempt times out when this deadline fires.
    Until(DeadlineId),
    /// The attempt timed out before the request was finished.
    Over,
}

/// The resource that a request occupies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// A slot.
    Slot,
    /// A slot, although the attempt timed out, because `max_abandoned` requests are abandoned already.
    OverdueSlot,
    /// No slot: it is one of at most `max_abandoned` abandoned requests.
    Abandoned,
    /// Nothing.
    Nothing,
}

/// The resources and numbers that a request gets when it is handed out.
pub struct Issue {
    /// When it is created.
    pub formed: Moment,
    /// The same moment, in the order of the recorded writes.
    pub handed: Tick,
    pub era: Era,
    /// Its number among all attempts.
    pub attempt: u64,
    pub hold: Hold,
}

impl<R> Request<R> {
    /// A request on its way to the provider; all of its parts are wanted.
    pub fn new(handle: R, parts: Vec<Part>, issue: Issue, hedge: Hedge) -> Request<R> {
        let Issue { formed, handed, era, attempt, hold } = issue;
        let count = parts.len();
        Request {
            handle,
            parts,
            unanswered: count,
            wanted: count,
            call: ProviderCall::Waiting,
            hold,
            time: Time::Unlimited,
            formed,
            handed,
            era,
            failed: false,
            is_withdrawn: false,
            attempt,
            hedge,
            is_finishing: false,
        }
    }

    /// Marks a part as answered. Returns its previous state.
    pub fn take_part(&mut self, index: usize) -> Part {
        let part = std::mem::replace(&mut self.parts[index], Part::Answered);
        self.unanswered -= usize::from(!matches!(part, Part::Answered));
        part
    }

    /// Whether the provider has taken the request.
    pub fn is_taken(&self) -> bool {
        self.call != ProviderCall::Waiting
    }

    /// Whether every part is answered and the provider's call has returned.
    pub fn is_done(&self) -> bool {
        self.unanswered == 0 && self.call == ProviderCall::Returned
    }
}

/// The slots, and which requests occupy them.
pub struct Slots {
    max_running: u32,
    /// Determines `max_running` unless it is fixed (rule R10).
    concurrency: Option<Box<Concurrency>>,
    max_abandoned: u32,
    pub running: u32,
    pub abandoned: u32,
    /// Requests that hold a slot although their attempt timed out, by attempt number, so that the oldest is first.
    overdue: BTreeMap<u64, RequestId>,
}

impl Slots {
    /// Creates slots that are all free.
    pub fn new(settings: &TaskSettings) -> Slots {
        let TaskSettings { limit, min_running, max_running, max_abandoned, .. } = *settings;
        let concurrency = limit.is_adaptive().then(|| Box::new(Concurrency::new(min_running, max_running)));
        let max_running = concurrency.as_ref().map_or(max_running, |concurrency| concurrency.limit());
        Slots { max_running, concurrency, max_abandoned, running: 0, abandoned: 0, overdue: BTreeMap::new() }
    }

    /// The number of requests that may hold a slot now.
    pub fn limit(&self) -> u32 {
        self.max_running
    }

    /// Records that a request that was handed out at `handed` succeeded.
    #[inline]
    pub fn note_success(&mut self, handed: Moment, now: Moment) {
        if let Some(concurrency) = &mut self.concurrency {
            concurrency.ended(handed, now, self.running);
            self.max_running = concurrency.limit();
        }
    }

    /// Records that a request that was handed out at `handed` timed out.
    pub fn note_timeout(&mut self, handed: Moment, now: Moment) {
        if let Some(concurrency) = &mut self.concurrency {
            concurrency.timed_out(handed, now);
            self.max_running = concurrency.limit();
        }
    }

    /// Whether a slot is free.
    pub fn is_free(&self) -> bool {
        self.running < self.max_running
    }

    /// Takes a slot for a request.
    pub fn take(&mut self) -> Hold {
        debug_assert!(self.is_free());
        self.running += 1;
        Hold::Slot
    }

    /// Updates the slots when an attempt times out. Returns what its request occupies from then on.
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

    /// Frees what an ended request occupied. If an overdue request becomes abandoned in its place, returns the id of that request.
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

    /// The number of requests that hold a slot although their attempt timed out.
    pub fn overdue(&self) -> usize {
        self.overdue.len()
    }
}
