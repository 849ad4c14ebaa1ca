//! The store: a bounded memory of answers (rules S01 to S21).
//!
//! Data behind locks. Nothing here starts a thread or calls the host: the floors above run the validator and the cost function before a
//! call of the store, and the listeners after it. Each call receives a clock, which a lookup reads only for an entry that can expire.
//!
//! ```text
//!   Store ── hash(key) ──▶ LockedShard ── one lock ──▶ Shard
//!                                                       ├─ index   key ──▶ record
//!                                                       ├─ slab    the nodes, each with a record
//!                                                       ├─ order   for each priority: the queues of the policy
//!                                                       ├─ wheel   by expiry time
//!                                                       ├─ lifetimes  expired entries that stay as fallbacks
//!                                                       ├─ labels  versions and tags
//!                                                       └─ ledger, limits, counts
//! ```
//!
//! An entry that leaves is never dropped under a lock. It becomes a [`Departure`], which goes to the [`DepartureSink`] in store order, or
//! to the caller. Read `shard.rs` first: it and its folder contain the operations. Most of the other files contain one structure each.

mod column;
mod counts;
mod departure;
mod entry;
mod idle;
mod index;
mod labels;
mod layout;
mod levels;
mod lifetimes;
mod limits;
mod links;
mod locked_shard;
mod order;
mod policy;
pub mod saved;
mod shard;
mod slab;
mod snapshot;
mod sparse;
mod store;
mod walk;
mod wheel;
mod work;

pub use counts::{StoreCounts, Tally};
pub use departure::{Cause, Departure, DepartureSink, Departures, EachStep, StepSink};
pub use entry::{Condition, END_COST, ENTRY_COST, Hit, NODE_COST, NewEntry, PutOutcome, TouchOutcome, USE_COST, cost_of};
pub use snapshot::{CopiedEntry, Snapshot};
pub use store::Store;
pub use walk::Walk;
