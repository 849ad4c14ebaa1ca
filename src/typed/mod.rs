//! kvlight for Rust programs: caches and engines with typed keys and values, futures that need no particular executor, and blocking calls.
//!
//! ```
//! use kvlight::{FetchError, Tasks};
//! use std::collections::HashMap;
//!
//! fn main() -> Result<(), FetchError> {
//!     let capitals: Tasks<String, String> = Tasks::builder()
//!         .set("cache.capacity", 10_000)
//!         .load(|countries: &[String]| {
//!             // Called with the keys that are missing. Keys left out are known to be absent.
//!             let known = |country: &String| (country == "France").then(|| (country.clone(), "Paris".to_owned()));
//!             Ok::<_, std::io::Error>(countries.iter().filter_map(known).collect::<HashMap<_, _>>())
//!         })
//!         .build()?;
//!     assert_eq!(capitals.fetch_wait("France")?.as_deref(), Some(&"Paris".to_owned()));
//!     assert_eq!(capitals.fetch_wait("Atlantis")?, None);
//!     capitals.shut_down();
//!     Ok(())
//! }
//! ```
//!
//! In async code, use `capitals.fetch("France").await`. [`Tasks::fetch`] returns a future that starts when it is first polled, cancels its
//! fetch when it is dropped, and works with any executor. `capitals.fetch("France").detailed().await` also says where the value came from,
//! how old it is, and whether it is stale.
//!
//! - [`Tasks`]: an engine, which is a cache with a provider. [`Builder`] creates it.
//! - [`FetchOptions`]: settings for single calls, such as a time limit, retries, or how long to wait before an expired value is served.
//! - [`TypedCache`]: a cache without a provider, or an engine's cache, for reading and writing.
//! - [`LoadRequest`]: the keys that a provider is to answer, now or later, on any thread. [`StaleEntry`]: the cache's entry for such a key.
//! - [`TierStore`]: a store behind an engine that several processes may share ([`Builder::second_tier`]).
//! - [`CacheKey`]: types that can be keys. [`FetchError`]: the reason why a fetch failed.
//!
//! Values are shared as `Arc<V>`: a hit clones the `Arc` and nothing else. Every promise of `docs/CONTRACT.md` holds here as in C.

mod builder;
mod cache;
mod error;
mod fetch;
mod fetched;
mod in_process;
mod key;
mod options;
mod request;
mod second_tier;
mod setting;
mod tasks;
mod value;

pub use crate::task::Source;
pub use crate::task::breaker::{BreakerOverride, BreakerState};
pub use builder::Builder;
pub use cache::{CacheIter, CacheState, EntryTerms, TypedCache};
pub use error::{ErrorKind, FetchError};
pub use fetch::{BatchFuture, DetailedBatch, DetailedFetch, FetchFuture};
pub use fetched::Fetched;
pub use key::{CacheKey, KeyBytes};
pub use options::{FetchOptions, FetchProgress};
pub use request::{LoadRequest, StaleEntry};
pub use second_tier::{SharedEntry, TierError, TierFound, TierStore, TtlLeft, WantedKey};
pub use setting::IntoSetting;
pub use tasks::{FetchResult, Tasks};
