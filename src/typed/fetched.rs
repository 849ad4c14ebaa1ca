//! The details of a result: where the value came from, how old it is, and whether it has expired.

use super::error::FetchError;
use super::fetch::of_outcome;
use crate::task::{Outcome, Source, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// The result of one key with its details: see [`super::FetchFuture::detailed`] and [`super::Tasks::fetch_wait_detailed`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetched<V> {
    /// The value; `None` if the key is known to be absent.
    pub value: Option<Arc<V>>,
    /// Where the value came from.
    pub source: Source,
    /// The number of attempts of the load; 0 if there was none.
    pub attempts: u32,
    /// The time since the value was loaded, put, or found in the second tier.
    pub age: Duration,
    /// The time until the value expires: `Duration::MAX` if it never does, zero if it is not stored or has expired.
    pub ttl_left: Duration,
    /// Whether the value has expired and is served as a fallback (`stale.ttl_ms`).
    pub is_stale: bool,
    /// The error of the load, if a stale value is served in its place. `None` if the load has not failed but takes longer than
    /// `stale.timeout_ms`, and if the value is not stale.
    pub failure: Option<FetchError>,
}

impl<V: Send + Sync + 'static> Fetched<V> {
    pub(super) fn new(outcome: Outcome) -> Result<Fetched<V>, FetchError> {
        let (is_stale, failure) = match &outcome.verdict {
            Verdict::Stale(stale) => (true, stale.failure.clone().map(FetchError::new)),
            _ => (false, None),
        };
        let ttl_left = u64::try_from(outcome.ttl_left_ms).map_or(Duration::MAX, Duration::from_millis);
        let (source, attempts, age) = (outcome.source, outcome.attempts, Duration::from_millis(outcome.age_ms));
        Ok(Fetched { value: of_outcome(outcome)?, source, attempts, age, ttl_left, is_stale, failure })
    }
}
