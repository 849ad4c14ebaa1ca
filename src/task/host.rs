//! What the floor above provides to the table (event sinks, request handles, the store), and the effects that the table returns.

use super::RequestId;
use super::outcome::{BatchOutcome, Outcome};
use crate::base::{Answer, Error, Now, PackedKeys, StoreTerms};
use smallvec::SmallVec;

/// The types that the floor above provides.
pub trait Host {
    /// Where the events of one fetch are collected.
    type Sink: EventSink;
    /// The handle that the provider receives.
    type Request: Clone;
    /// Data of a fetch that is passed to the provider.
    type Context: Clone;

    /// Creates the handle for a request. Called under the table's lock: it may allocate, and does nothing else.
    fn request(&self, handout: Handout<Self::Context>) -> Self::Request;
}

/// Collects the events of one fetch, in order. Events are posted under the table's lock, so that they are delivered in the order in
/// which the positions settle (rule F03).
pub trait EventSink: Clone {
    /// Appends an event; true if the event sink must be scheduled for delivery now.
    #[must_use]
    fn post(&self, event: Event) -> bool;
    /// Updates how many positions are settled, and how many of them failed.
    fn progress(&self, done: usize, failed: usize);
}

/// One event of a fetch.
#[derive(Debug)]
pub enum Event {
    /// A position is settled.
    Result {
        /// Its index in the call.
        index: usize,
        /// How it was settled.
        outcome: Outcome,
        /// Whether nothing more follows.
        last: bool,
    },
    /// All positions are settled. Nothing more follows.
    Batch(BatchOutcome),
    /// Some more positions are settled.
    Progress {
        /// How many positions are settled.
        done: usize,
        /// How many of them failed.
        failed: usize,
        /// How many positions there are.
        total: usize,
    },
}

/// A request on its way to the provider.
#[derive(Debug)]
pub struct Handout<C> {
    /// The id by which the provider's answers refer to it.
    pub id: RequestId,
    /// The keys, each once.
    pub keys: PackedKeys,
    /// Which attempt of its flight each key is in: 1, 2, ...
    pub attempts: Vec<u32>,
    /// The context of the fetch that started each key's flight.
    pub contexts: Vec<Option<C>>,
    /// The highest urgency among the keys.
    pub urgency: i32,
}

/// Why a request is no longer wanted. The numbers are the C API's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Cancel {
    /// None of its keys is wanted any more.
    Unwanted = 1,
    /// The attempt timed out.
    Timeout = 2,
    /// The engine closes.
    Closed = 3,
}

/// The result of storing an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct FillResult {
    /// As in [`Outcome`]; 0 when it is not stored.
    pub ttl_left_ms: i64,
    /// What the entry costs; 0 when it is not stored.
    pub cost: u64,
}

/// The store, as far as loading needs it. Called under the table's lock.
pub trait AnswerStore {
    /// Looks `key` up. A find counts as a hit and as a use; no find does not count as a miss.
    fn probe(&mut self, key: &[u8]) -> Option<Outcome>;
    /// Stores an answer, of which the caller keeps a reference. Exclusive access lets it be shared without synchronisation. `hash` is the
    /// key's, by the table's hasher.
    fn fill(&mut self, hash: u64, key: &[u8], answer: &mut Answer, terms: StoreTerms) -> FillResult;
    /// What the store has of `key` after its end (rule R01); counts as no hit.
    fn stale(&mut self, key: &[u8]) -> Option<Outcome>;
    /// Removes that.
    fn remove_stale(&mut self, key: &[u8]);
    /// The load of `key` ahead of its entry's end failed.
    fn refresh_failed(&mut self, key: &[u8]);
}

/// The environment of one operation on the table.
pub struct TableContext<'a, H: Host, S> {
    /// The time.
    pub now: &'a Now<'a>,
    /// The store.
    pub store: &'a mut S,
    /// What must be done once the table's lock is released.
    pub out: &'a mut Effects<H>,
}

/// What must be carried out once the table's lock is released, in the order of the fields. If effects are dropped instead, a caller
/// loses its answer. Most operations have none, or one event sink, so creating and dropping an empty value is cheap.
#[must_use]
pub struct Effects<H: Host> {
    /// Event sinks to schedule for delivery.
    pub scheduled: SmallVec<[H::Sink; 2]>,
    /// Requests to hand to the provider.
    pub handed: Vec<H::Request>,
    /// Requests whose provider must be notified that they are no longer wanted.
    pub cancelled: Vec<(H::Request, Cancel)>,
    /// Possibly last references to host objects: dropped where callbacks run, under no lock.
    pub deferred_drops: Vec<DeferredDrop<H>>,
}

/// A reference whose drop may run host code. It is kept only to be dropped.
pub enum DeferredDrop<H: Host> {
    /// An answer that was not wanted, or that has been delivered to every waiter.
    Answer(Answer),
    /// An error, likewise.
    Error(Error),
    /// The context of a fetch that ended.
    Context(H::Context),
    /// The event sink of a fetch that ended.
    Sink(H::Sink),
    /// The handle of a request that is over.
    Request(H::Request),
}

impl<H: Host> DeferredDrop<H> {
    /// Whether dropping it can run host code.
    pub fn runs_host_code(&self) -> bool {
        match self {
            DeferredDrop::Answer(answer) => answer.runs_host_code_on_drop(),
            DeferredDrop::Error(error) => error.runs_host_code_on_drop(),
            DeferredDrop::Context(_) | DeferredDrop::Sink(_) | DeferredDrop::Request(_) => true,
        }
    }
}

impl<H: Host> Default for Effects<H> {
    fn default() -> Self {
        Effects { scheduled: SmallVec::new(), handed: Vec::new(), cancelled: Vec::new(), deferred_drops: Vec::new() }
    }
}

impl<H: Host> Effects<H> {
    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.scheduled.is_empty() && self.handed.is_empty() && self.cancelled.is_empty() && self.deferred_drops.is_empty()
    }

    /// Drops an error after unlocking, if there is one: it may carry an object of the program.
    #[inline]
    pub(super) fn defer_error_drop(&mut self, error: Option<Error>) {
        if let Some(error) = error {
            self.deferred_drops.push(DeferredDrop::Error(error));
        }
    }

    pub(super) fn defer_outcome_drop(&mut self, outcome: Outcome) {
        match outcome.verdict {
            super::Verdict::Value(value) => self.deferred_drops.push(DeferredDrop::Answer(Answer::Value(value))),
            super::Verdict::Failed(error) => self.deferred_drops.push(DeferredDrop::Error(error)),
            super::Verdict::Stale(stale) => {
                self.deferred_drops.push(DeferredDrop::Answer(stale.answer));
                self.deferred_drops.extend(stale.failure.map(DeferredDrop::Error));
            }
            super::Verdict::Null | super::Verdict::Miss | super::Verdict::InvalidKey => {}
        }
    }
}
