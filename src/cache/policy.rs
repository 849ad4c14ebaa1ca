//! Eviction policies: which of the entries of one priority leaves first (rule S05). A store keeps the policy that it was created with
//! (`cache.policy`). The levels of priority, the ledger and everything else are the same for all policies.
//!
//! | | `lru` | `s3fifo` |
//! |---|---|---|
//! | queues of a priority | main | small, main |
//! | a new entry | end of main | end of small, or of main if its key was evicted not long ago |
//! | a use | moves it to the end of main | raises its frequency, a number of two bits |
//! | the victim | the first of main | the first of the due queue that was not used: see `s3fifo.rs` |
//!
//! Both have the same operations: an entry enters, is used and leaves, and a victim is chosen. Those of `lru` are inlined into their
//! callers; those of `s3fifo` are calls. Uses are applied many at once (`order.rs`), so that a lookup is the same for both.

mod ghosts;
mod list;
mod s3fifo;

pub(super) use self::ghosts::GhostTable;
use self::list::List;
pub(super) use self::s3fifo::S3_COST;
use self::s3fifo::{S3Fifo, SmallQueue};
use super::levels::Amount;
use super::slab::{Place, Slab};
use crate::base::NoMemory;
use crate::base::config::EvictionPolicy;
use crate::base::hint::rarely;

/// The entries of one priority.
#[derive(Default)]
pub(super) struct Queues {
    main: List,
    small: SmallQueue,
}

impl Queues {
    /// The first entry of a queue.
    pub fn first_of(&self, queue: Queue) -> Option<Place> {
        match queue {
            Queue::Small => self.small.first(),
            Queue::Main => self.main.oldest(),
        }
    }

    /// The first entry of both queues together, whatever its frequency is.
    #[inline]
    pub fn first(&self) -> Option<Place> {
        self.small.first().or_else(|| self.main.oldest())
    }

    /// The last entry, in the same order.
    pub fn last(&self) -> Option<Place> {
        self.main.newest().or_else(|| self.small.last())
    }
}

/// The queues of a priority. Small comes before main where the entries are listed in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Queue {
    Small,
    Main,
}

/// The limit for which room is made: the number of entries, or their cost.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Scarce {
    #[default]
    Entries,
    Cost,
}

/// What `s3fifo` knows about an entry: its queue, and how often it was used there. This is kept when the entry moves to another shard, and
/// when another value replaces it. The bits: one for main, two for the frequency.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct QueueState(u8);

/// An entry that comes into the queues.
pub(super) struct Arrival {
    pub place: Place,
    /// The hash of its key.
    pub hash: u64,
    /// See [`Importance::queue_state`].
    pub queue_state: Option<QueueState>,
}

/// What decides when an entry is evicted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Importance {
    pub priority: f64,
    /// `None` for the entry of a new key, and with `lru`.
    pub queue_state: Option<QueueState>,
}

/// The policy of a shard, and what it has to remember besides the queues.
pub(super) enum Policy {
    Lru,
    S3Fifo(Box<S3Fifo>),
}

impl Policy {
    pub fn new(policy: EvictionPolicy) -> Policy {
        match policy {
            EvictionPolicy::Lru => Policy::Lru,
            EvictionPolicy::S3Fifo => Policy::S3Fifo(Box::default()),
        }
    }

    /// The same policy without entries.
    pub fn empty_copy(&self) -> Policy {
        match self {
            Policy::Lru => Policy::Lru,
            Policy::S3Fifo(_) => Policy::S3Fifo(Box::default()),
        }
    }

    /// The part of an entry's cost that the policy causes, in bytes.
    #[inline(always)]
    pub fn entry_cost(&self) -> u64 {
        if self.has_queue_states() { S3_COST } else { 0 }
    }

    /// Gets memory for a slab of this capacity.
    pub fn try_reserve(&mut self, capacity: usize) -> Result<(), NoMemory> {
        self.s3fifo_mut().map_or(Ok(()), |policy| policy.try_reserve(capacity))
    }

    #[inline(always)]
    fn s3fifo(&self) -> Option<&S3Fifo> {
        match self {
            Policy::S3Fifo(policy) => Some(policy),
            Policy::Lru => None,
        }
    }

    #[inline(always)]
    pub fn s3fifo_mut(&mut self) -> Option<&mut S3Fifo> {
        match self {
            Policy::S3Fifo(policy) => Some(policy),
            Policy::Lru => None,
        }
    }

    /// Adds an entry to the queues of its priority, whose new total is `whole`.
    #[inline(always)]
    pub fn enter(&mut self, slab: &mut Slab, queues: &mut Queues, whole: Amount, arrival: Arrival) {
        match self {
            Policy::Lru => queues.main.append(slab.links_mut(), arrival.place),
            Policy::S3Fifo(policy) => policy.enter(slab, queues, whole, arrival),
        }
    }

    /// Takes an entry out of its queue.
    #[inline(always)]
    pub fn leave(&mut self, slab: &mut Slab, queues: &mut Queues, place: Place) {
        match self {
            Policy::Lru => queues.main.unlink(slab.links_mut(), place),
            Policy::S3Fifo(policy) => policy.leave(slab, queues, place),
        }
    }

    /// Applies a use with `lru`; with `s3fifo` see [`S3Fifo::used`].
    #[inline(always)]
    pub fn renew(slab: &mut Slab, queues: &mut Queues, place: Place) {
        queues.main.renew(slab.links_mut(), place);
    }

    /// Makes an entry the first of its queue. `queues` are those of its priority.
    pub fn make_first(&mut self, slab: &mut Slab, queues: &mut Queues, place: Place) {
        match self {
            Policy::Lru => queues.main.make_oldest(slab.links_mut(), place),
            Policy::S3Fifo(policy) => policy.make_first(slab, queues, place),
        }
    }

    /// Chooses a victim among the entries of a priority, whose total is `whole`.
    #[inline(always)]
    pub fn victim(&mut self, slab: &mut Slab, queues: &mut Queues, whole: Amount, scarce: Scarce) -> Option<Place> {
        match self {
            Policy::Lru => queues.main.oldest(),
            Policy::S3Fifo(policy) => policy.victim(slab, queues, whole, scarce),
        }
    }

    /// The entry that is probably the next victim.
    #[inline(always)]
    pub fn probable_victim(&self, queues: &Queues, whole: Amount) -> Option<Place> {
        match self {
            Policy::Lru => queues.main.oldest(),
            Policy::S3Fifo(_) => queues.first_of(queues.due(whole, Scarce::Entries)),
        }
    }

    /// Whether entries have a [`QueueState`].
    #[inline(always)]
    pub fn has_queue_states(&self) -> bool {
        rarely(self.s3fifo().is_some())
    }

    /// The state that an entry keeps when it moves to another shard.
    #[inline(always)]
    pub fn queue_state(&self, place: Place) -> Option<QueueState> {
        self.s3fifo().and_then(|policy| policy.queue_state(place))
    }

    /// The state that an entry keeps when another value replaces it, which counts as a use.
    #[inline(always)]
    pub fn queue_state_after_use(&self, place: Place) -> Option<QueueState> {
        self.queue_state(place).map(QueueState::used)
    }

    /// The state of an entry whose own state is not known: it comes from a file, or is a fallback that moves to another shard.
    pub fn queue_state_of_returning(&self) -> Option<QueueState> {
        self.s3fifo().map(|_| QueueState::MAIN)
    }

    /// Notes that the entry at `place`, whose key has this hash, is about to be evicted. Returns memory that is no longer used, to be
    /// dropped after the lock is released.
    #[inline(always)]
    pub fn note_evicted(&mut self, place: Place, hash: u64) -> Option<GhostTable> {
        if self.has_queue_states() { self.s3fifo_mut().and_then(|policy| policy.note_evicted(place, hash)) } else { None }
    }
}
