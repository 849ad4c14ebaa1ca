//! What the floor above lends to the table: event sinks, request handles, the store; and what the table gives back.

use super::RequestId;
use super::outcome::{BatchOutcome, Outcome};
use crate::base::{Answer, Error, Now, PackedKeys, StoreTerms};
use smallvec::SmallVec;

/// The kinds of things that the floor above brings along.
pub trait Host {
    /// Where the events of one fetch are collected.
    type Sink: EventSink;
    /// The handle that the provider gets.
    type Request: Clone;
    /// What a fetch carries for the provider to see.
    type Context: Clone;

    /// Makes the handle for a request. Called under the table's lock: it allocates, and does nothing else.
    fn request(&self, handout: Handout<Self::Context>) -> Self::Request;
}

/// Where the events of one fetch are collected, in order. Posting happens under the table's lock, so that the order in which
/// positions settle is the order in which they are told (rule F03).
pub trait EventSink: Clone {
    /// Appends an event; true if the event sink must be scheduled for delivery now.
    #[must_use]
    fn post(&self, event: Event) -> bool;
    /// Says how many positions are settled and how many of them failed.
    fn progress(&self, done: usize, failed: usize);
}

/// One event of a fetch.
#[derive(Debug)]
pub enum Event {
    /// A position is settled.
    Result {
        /// Its index in the call.
        index: usize,
        /// What came of it.
        outcome: Outcome,
        /// Whether nothing more follows.
        last: bool,
    },
    /// All positions are settled. Nothing more follows.
    Batch(BatchOutcome),
    /// Some more positions are settled.
    Progress {
        /// How many are.
        done: usize,
        /// How many of them failed.
        failed: usize,
        /// How many there are.
        total: usize,
    },
}

/// A request on its way to the provider.
#[derive(Debug)]
pub struct Handout<C> {
    /// By which the provider's answers refer to it.
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
    /// Nobody waits any more.
    Unwanted = 1,
    /// The attempt's time is over.
    Timeout = 2,
    /// The engine closes.
    Closed = 3,
}

/// What became of an answer in the store.
#[derive(Clone, Copy, Debug, Default)]
pub struct FillResult {
    /// As in [`Outcome`]; 0 when it is not stored.
    pub ttl_left_ms: i64,
    /// What the entry costs; 0 when it is not stored.
    pub cost: u64,
}

/// The store, as far as loading needs it. Called under the table's lock.
pub trait AnswerStore {
    /// What the store has of `key`; counts as a hit and as use, not as a miss.
    fn probe(&mut self, key: &[u8]) -> Option<Outcome>;
    /// Stores an answer, which stays with the caller too: it is borrowed alone, so that it can be shared without a word to others.
    fn fill(&mut self, key: &[u8], answer: &mut Answer, terms: StoreTerms) -> FillResult;
}

/// What one operation on the table works with.
pub struct TableContext<'a, H: Host, S> {
    /// The time.
    pub now: &'a Now<'a>,
    /// The store.
    pub store: &'a mut S,
    /// What is to be done after unlocking.
    pub out: &'a mut Effects<H>,
}

/// What must be carried out once the table's lock is gone, in this order. Dropping one unread loses somebody's answer. Most turns leave
/// nothing, or an event sink: to make and drop an empty one is cheap.
#[must_use]
pub struct Effects<H: Host> {
    /// Mailboxes to deliver.
    pub scheduled: SmallVec<[H::Sink; 2]>,
    /// Requests to hand to the provider.
    pub handed: Vec<H::Request>,
    /// Requests whose provider must hear that they are no longer wanted.
    pub cancelled: Vec<(H::Request, Cancel)>,
    /// What may be the last reference to something of the host's: dropped where callbacks run, under no lock.
    pub deferred_drops: Vec<DeferredDrop<H>>,
}

/// Something whose drop may run code of the host's. Held only to be dropped.
pub enum DeferredDrop<H: Host> {
    /// An answer that nobody wanted any more, or that everybody has.
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
    /// Whether dropping it can run code of the host's.
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

    pub(super) fn defer_outcome_drop(&mut self, outcome: Outcome) {
        match outcome.verdict {
            super::Verdict::Value(value) => self.deferred_drops.push(DeferredDrop::Answer(Answer::Value(value))),
            super::Verdict::Failed(error) => self.deferred_drops.push(DeferredDrop::Error(error)),
            super::Verdict::Null | super::Verdict::Miss | super::Verdict::InvalidKey => {}
        }
    }
}
