//! The state machine of a load: who gets which answer, exactly once.
//!
//! Pure data. Nothing here starts a thread, takes a lock or calls the host: every method takes an event, changes the
//! [`Table`], and leaves in the [`Outbox`] what the caller must carry out once the table's lock is gone.
//!
//! ```text
//!            ask            slot free            answer
//!   absent ───────▶ Queued ───────────▶ Running ────────▶ settled
//!                      ▲                   │ retriable
//!                      ╰──── Backoff ◀─────╯
//! ```
//!
//! A *flight* is one load of one key, shared by everybody who wants it. It is *current* (can be joined) or *overtaken* (a
//! write came: it serves its waiters, never stores, cannot be joined). When nobody waits any more for anything a request
//! holds, the request is *told*: its flights end, and what of it still comes in may be stored but settles nobody. An attempt
//! whose time is over leaves a *late* part behind, whose answer still counts if nothing newer was written.
//!
//! How to read it: [`outcome`] (what is told), [`host`] (what the floor above lends), [`flight`], [`fetch`], [`request`] (the
//! three nouns), [`demand`] (who wants a flight), [`queue`] of [`group`]s, [`deadlines`], [`retry`], [`failures`], [`recent`] (the parts), then [`table`], one file per
//! event. Rules F06 to F20; the full table of states is in ARCHITECTURE.md.

pub mod counts;
mod deadlines;
mod demand;
mod failures;
mod fetch;
mod flight;
mod group;
pub mod host;
pub mod outcome;
mod queue;
mod recent;
mod request;
pub mod retry;
pub mod table;

pub use counts::Counts;
pub use fetch::Form;
pub use host::{Cancel, Event, Filled, Handout, Host, Mailbox, Outbox, Store, Turn};
pub use outcome::{Batch, Outcome, Source, Verdict};
pub use table::{Ask, Close, Given, Probe, Rest, Table, Taken};

slotmap::new_key_type! {
    /// A fetch; a stale id does nothing.
    pub struct FetchId;
    /// A flight; a stale id does nothing.
    pub struct FlightId;
    /// A request; a stale id does nothing.
    pub struct RequestId;
    /// A key that somebody loads or may still answer.
    pub struct LaneId;
}
