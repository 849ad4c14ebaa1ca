//! The interface to the floor above (event sinks, request handles, the store), and the effects that the table returns.

use super::RequestId;
use super::fifo_map::Emptied;
use super::outcome::{BatchOutcome, Outcome};
use super::second_tier::TierHandout;
use crate::base::variants::variants;
use crate::base::{Answer, BlockDeque, Error, Key, Now, PackedKeys, StoreTerms};
use smallvec::SmallVec;

/// The types that the floor above provides.
pub trait Host {
    /// Collects the events of one fetch.
    type Sink: EventSink;
    /// The handle that the provider receives.
    type Request: Clone;
    /// Data of a fetch that is passed to the provider.
    type Context: Clone;
    /// The receiver of a fetch that joined a load and that nothing can end earlier: see [`Joined`].
    type Joiner;

    /// Creates the handle for a request. Called under the table's lock, so it may allocate, but must not block or call the program.
    fn request(&self, handout: Handout<Self::Context>) -> Self::Request;
}

/// Collects the events of one fetch, in order. Events are posted under the table's lock, so that they are delivered in the order in which
/// the positions settle (rule F03).
pub trait EventSink: Clone {
    /// Appends an event. Returns true if the event sink must be scheduled for delivery now.
    #[must_use]
    fn post(&self, event: Event) -> bool;
    /// Updates the number of settled positions, and how many of them failed.
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
        /// Whether this is the last event.
        last: bool,
    },
    /// All positions are settled. This is the last event.
    Batch(BatchOutcome),
    /// More positions are settled.
    Progress {
        /// The number of settled positions.
        done: usize,
        /// How many of them failed.
        failed: usize,
        /// The number of positions.
        total: usize,
    },
}

/// The outcome of a load for its *joiners*: fetches of one key that joined the load, and that nothing else could have ended.
pub struct Joined<J> {
    /// The key.
    pub key: Key,
    /// Its outcome.
    pub outcome: Outcome,
    /// The receivers of the joiners, in the order in which these joined.
    pub joiners: BlockDeque<J>,
}

/// A request that is to be passed to the provider.
#[derive(Debug)]
pub struct Handout<C> {
    /// The id by which the provider's answers refer to it.
    pub id: RequestId,
    /// The keys, each once.
    pub keys: PackedKeys,
    /// The number of the attempt of each key's flight: 1, 2, ...
    pub attempts: Vec<u32>,
    /// For each key, the context of the fetch that started its flight; empty if no fetch has a context.
    pub contexts: Vec<Option<C>>,
    /// The highest urgency among the keys.
    pub urgency: i32,
}

variants! {
    /// Why a request is no longer wanted. The numbers are part of the C API.
    #[repr(u32)]
    pub enum Cancel {
        /// None of the request's keys is wanted any more.
        Unwanted = 1,
        /// The attempt timed out.
        Timeout = 2,
        /// The engine closes.
        Closed = 3,
    }
}

/// The result of storing an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct FillResult {
    /// As in [`Outcome`]; 0 if the answer is not stored.
    pub ttl_left_ms: i64,
    /// The cost of the entry in bytes; 0 if the answer is not stored.
    pub cost: u64,
}

/// The part of the store that loading needs. Called under the table's lock.
pub trait AnswerStore {
    /// Looks `key` up. `hash` is its hash by the table's hasher. An entry that is found counts as a hit and as a use; a miss is not
    /// counted.
    fn probe(&mut self, hash: u64, key: &[u8]) -> Option<Outcome>;
    /// Stores another reference to the caller's answer. Since the answer is borrowed exclusively, that need not cost an atomic operation.
    /// `hash` is the hash of the key by the table's hasher. The labels are taken out of the terms.
    fn fill(&mut self, hash: u64, key: &[u8], answer: &mut Answer, terms: &mut StoreTerms) -> FillResult;
    /// Returns the expired entry of `key` that is kept as a fallback (rule R01). This does not count as a hit.
    fn stale(&mut self, key: &[u8]) -> Option<Outcome>;
    /// Removes the fallback of `key`.
    fn remove_stale(&mut self, key: &[u8]);
    /// Records that the refresh of `key` ahead of its expiry failed.
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

/// What the caller must do once the table's lock is released. If effects are dropped instead, a caller never receives its answer. Most
/// operations have no effect, or schedule one event sink, so creating and dropping an empty value must be cheap.
#[must_use]
pub struct Effects<H: Host> {
    /// Event sinks to schedule for delivery.
    pub scheduled: SmallVec<[H::Sink; 2]>,
    /// Outcomes to be delivered to joiners.
    pub joined: Vec<Joined<H::Joiner>>,
    /// Requests to pass to the provider.
    pub handed: Vec<H::Request>,
    /// Requests whose provider must be notified that they are no longer wanted.
    pub cancelled: Vec<(H::Request, Cancel)>,
    /// Requests for the second tier; `None` if there are none.
    pub tier: Option<Box<Vec<TierHandout>>>,
    /// What must be dropped where callbacks run, with no lock held.
    pub deferred_drops: Vec<DeferredDrop<H>>,
    /// How much more may be done in this hold of the lock, in units of about one key (rule S19). The rest is done in later holds.
    pub budget: usize,
}

/// The maximum number of keys that one hold of the table's lock works on. Only a single request of more keys exceeds it.
pub const STEP: usize = 256;

/// Something that is kept only to be dropped later, because its drop may run host code or take long.
pub enum DeferredDrop<H: Host> {
    /// An answer that was not wanted, or that has been delivered to every waiter.
    Answer(Answer),
    /// An error that was not wanted, or that has been delivered to every waiter.
    Error(Error),
    /// The context of a fetch that ended.
    Context(H::Context),
    /// The event sink of a fetch that ended.
    Sink(H::Sink),
    /// The handle of a request that has ended.
    Request(H::Request),
    /// Any number of answers that waited to be written to the second tier, or of remembered errors. Some may hold an object of the host.
    Waiting(Box<dyn Send>),
    /// Much of the table's own memory, which takes long to free.
    Memory(Box<dyn Send>),
}

impl<H: Host> From<Emptied> for DeferredDrop<H> {
    fn from(emptied: Emptied) -> DeferredDrop<H> {
        let Emptied { contents, runs_host_code } = emptied;
        if runs_host_code { DeferredDrop::Waiting(contents) } else { DeferredDrop::Memory(contents) }
    }
}

impl<H: Host> DeferredDrop<H> {
    /// Whether dropping it may run host code.
    pub fn runs_host_code(&self) -> bool {
        match self {
            DeferredDrop::Answer(answer) => answer.runs_host_code_on_drop(),
            DeferredDrop::Error(error) => error.runs_host_code_on_drop(),
            DeferredDrop::Memory(_) => false,
            DeferredDrop::Context(_) | DeferredDrop::Sink(_) | DeferredDrop::Request(_) | DeferredDrop::Waiting(_) => true,
        }
    }
}

impl<H: Host> Default for Effects<H> {
    fn default() -> Self {
        let (scheduled, joined, handed) = (SmallVec::new(), Vec::new(), Vec::new());
        Effects { scheduled, joined, handed, cancelled: Vec::new(), tier: None, deferred_drops: Vec::new(), budget: STEP }
    }
}

impl<H: Host> Effects<H> {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Effects { scheduled, joined, handed, cancelled, tier, deferred_drops, budget: _ } = self;
        let is_nothing_sent = scheduled.is_empty() && joined.is_empty() && handed.is_empty();
        is_nothing_sent && cancelled.is_empty() && tier.is_none() && deferred_drops.is_empty()
    }

    /// Whether there is nothing to do but to send results and requests. These are counted as pending until they have been delivered.
    pub fn only_sends(&self) -> bool {
        let Effects { scheduled: _, joined: _, handed: _, cancelled, tier, deferred_drops, budget: _ } = self;
        cancelled.is_empty() && tier.is_none() && deferred_drops.is_empty()
    }

    /// Adds a request for the second tier.
    #[cold]
    pub(super) fn hand_to_tier(&mut self, request: TierHandout) {
        self.tier.get_or_insert_default().push(request);
    }

    /// Spends `many` of the budget. Returns false, and spends nothing, if less is left.
    #[inline(always)]
    pub(super) fn spend(&mut self, many: usize) -> bool {
        let suffices = many <= self.budget;
        self.budget -= if suffices { many } else { 0 };
        suffices
    }

    /// Frees the memory of a list of `count` items after unlocking, if that takes long.
    pub(super) fn defer_memory(&mut self, count: usize, memory: impl Send + 'static) {
        if count > STEP {
            self.deferred_drops.push(DeferredDrop::Memory(Box::new(memory)));
        }
    }

    /// Drops an error after unlocking, if there is one: it may carry an object of the program.
    #[inline]
    pub(super) fn defer_error_drop(&mut self, error: Option<Error>) {
        if let Some(error) = error {
            self.deferred_drops.push(DeferredDrop::Error(error));
        }
    }

    /// Drops what an outcome refers to after unlocking.
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
