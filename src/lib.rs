//! kvlight: a loading cache for every language, behind a C ABI.
//!
//! A program asks for keys; kvlight answers from memory, and asks the program's own provider for missing keys: once for each key, however
//! many callers want it; for many keys in one request; and with a bounded number of requests at a time.
//!
//! **For Rust programs**: [`Tasks`], [`TypedCache`] and [`Builder`], described in [`typed`].
//!
//! The other modules. Each imports only from modules that are listed before it:
//!
//! - [`base`]: keys, values, errors, statuses, configuration, clocks.
//! - [`cache`]: the store. Pure data: `now` is an argument.
//! - [`task`]: the state machine of a load. Pure data: events in, effects out.
//! - [`tier`]: the format of entries in a second tier.
//! - [`runtime`]: threads, timers, delivery.
//! - [`engine`]: one cache, one task table and one runtime behind a safe interface.
//! - [`ffi`]: the C ABI. [`typed`]: the interface for Rust.
#![warn(missing_docs)]

pub mod base;
pub mod cache;
pub mod engine;
pub mod ffi;
pub mod runtime;
pub mod task;
pub mod tier;
pub mod typed;

pub use base::Millis;
pub use base::clock::ManualClock;
pub use cache::Cause;
pub use typed::{
    BatchFuture, BreakerOverride, BreakerState, Builder, CacheIter, CacheKey, CacheState, DetailedBatch, DetailedFetch, EntryTerms,
    ErrorKind, FetchError, FetchFuture, FetchOptions, FetchProgress, FetchResult, Fetched, IntoSetting, KeyBytes, LoadRequest, SharedEntry,
    Source, StaleEntry, Tasks, TierError, TierFound, TierStore, TtlLeft, TypedCache, WantedKey,
};
