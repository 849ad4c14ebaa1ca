//! The state machine of a load: which waiter receives which answer, exactly once.
//!
//! Pure data. Nothing here starts a thread, takes a lock or calls the host. Every method takes an event, changes the [`Table`], and adds to
//! the [`Effects`] what the caller must do once the table's lock is released.
//!
//! ```text
//!            ask            slot free            answer
//!   absent ───────▶ Queued ───────────▶ Running ────────▶ settled
//!                      ▲                   │ retriable
//!                      ╰──── Backoff ◀─────╯
//! ```
//!
//! A *flight* is one load of one key, shared by every fetch that wants the key. It is *current* (fetches can join it) or *overtaken* (the
//! key was written meanwhile: the flight still settles its waiters, but its answer is not stored and no fetch can join it). Once no key of
//! a request is wanted, the request is cancelled. Its flights end, and its parts become *unwanted*: their answers may still be stored, but
//! settle no position. An attempt that times out leaves a *late* part, whose answer is still used if nothing newer was written.
//!
//! Reading order: [`outcome`] (what is delivered), [`host`] (the interface to the floor above), [`flight`], [`fetch`], [`request`] (the
//! three nouns), [`flights`] (all flights and key states, over [`key_index`]), [`waiters`] (the positions that wait for a flight),
//! [`demand`] (how many fetches want a flight), [`queue`] of [`group`]s, [`deadlines`], [`retry`], [`hedge`], [`breaker`], [`rate`],
//! [`concurrency`], [`error_memory`], [`throttle`], [`recent`], [`removed_tags`], [`second_tier`], [`counts`], then [`table`], with one
//! file for each event. Two structures know nothing of loads: [`slab`], `fifo_map`.
//!
//! Rules: mainly F06 to F20. The full table of states is in ARCHITECTURE.md.

pub mod breaker;
mod concurrency;
pub mod counts;
mod deadlines;
mod demand;
mod error_memory;
mod fetch;
mod fifo_map;
mod flight;
mod flights;
mod group;
mod hedge;
pub mod host;
mod key_index;
pub mod outcome;
mod queue;
mod rate;
mod recent;
mod removed_tags;
mod request;
pub mod retry;
pub mod second_tier;
mod slab;
pub mod table;
mod throttle;
mod waiters;

pub use counts::TaskCounts;
pub use fetch::Form;
pub use host::{AnswerStore, Cancel, Effects, Event, EventSink, FillResult, Handout, Host, Joined, STEP, TableContext};
pub use outcome::{BatchOutcome, Outcome, Source, Verdict};
use slab::{Id, RawId};
pub use table::{Close, FetchRequest, JoinRequest, Probe, ProviderAnswer, Table, TakeResult, Unanswered};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(RawId);

        impl $name {
            /// An id that refers to nothing.
            pub const NULL: $name = $name(RawId::NULL);
        }

        impl Id for $name {
            #[inline]
            fn of(raw: RawId) -> $name {
                $name(raw)
            }
            #[inline]
            fn raw(self) -> RawId {
                self.0
            }
        }
    )*};
}

ids! {
    /// A fetch. The id of a fetch that has ended finds nothing.
    FetchId
    /// A flight. The id of a flight that has ended finds nothing.
    FlightId
    /// A request. The id of a request that has ended finds nothing.
    RequestId
    /// A request for the second tier. The id of a request that has ended finds nothing.
    TierRequestId
    /// A key that is being loaded, or whose answer may still arrive.
    KeyStateId
}
