//! The store: a bounded memory of answers (rules S01 to S14, S16).
//!
//! Pure data. Nothing here starts a thread or calls the host: validator, cost function and listeners are run by the floors
//! above, before and after. `now` comes in with each call as a clock, which is read only where an entry's end is in question.
//!
//! ```text
//!   Store ── hash(key) ──▶ Cell ── one lock ──▶ Shard
//!                                                ├─ index   key ──▶ record
//!                                                ├─ slab    the nodes, each with a record
//!                                                ├─ order   per priority: least to most recently used
//!                                                ├─ wheel   by the time of their end
//!                                                └─ ledger, limits, counts
//! ```
//!
//! What leaves is never dropped under a lock: it becomes a [`Departure`], which goes to the [`DepartureSink`] in store order or to
//! the caller. Read `shard.rs` first: it holds every operation; the files beside it hold one structure each.

mod counts;
mod departure;
mod entry;
mod idle;
mod index;
mod levels;
mod limits;
mod locked_shard;
mod order;
pub mod saved;
mod shard;
mod slab;
mod snapshot;
mod store;
mod walk;
mod wheel;
mod work;

pub use counts::{StoreCounts, Tally};
pub use departure::{Cause, Departure, DepartureSink, Departures, EachStep, StepSink};
pub use entry::{Condition, END_COST, ENTRY_COST, Hit, NODE_COST, NewEntry, PutOutcome, TouchOutcome, USE_COST, cost_of};
pub use snapshot::{Copied, Snapshot};
pub use store::Store;
pub use walk::Walk;
