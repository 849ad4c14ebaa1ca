//! The request that a provider in Rust answers.

use super::cache::EntryTerms;
use super::error::{of_panic, of_provider};
use super::key::{CacheKey, KeyBytes, with_key};
use super::value::{shared, stored};
use crate::base::panics::catch_panic;
use crate::base::{Answer, Status};
use crate::engine::request::Ticket;
use crate::task::Unanswered;
use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// The stored entry of a key that a provider is to load.
#[derive(Debug)]
pub struct StaleEntry<V> {
    /// `None`: the key is known to be absent.
    pub value: Option<Arc<V>>,
    /// The time since the value was loaded, put, or found in the second tier.
    pub age: Duration,
    /// The version that was stored with the value; empty if there was none.
    pub version: String,
}

/// Keys for the provider to answer: each separately, in any order, now or later, on any thread. Dropping the request finishes it: keys
/// without an answer then fail with [`super::ErrorKind::Unanswered`].
///
/// Each answering method returns whether the answer was accepted. It is refused if the key has an answer already, or if it came too late: a
/// value that comes late answers nobody, but is stored unless something newer was.
pub struct LoadRequest<K: CacheKey, V> {
    ticket: Ticket,
    types: PhantomData<fn(K) -> V>,
}

impl<K: CacheKey, V: Send + Sync + 'static> LoadRequest<K, V> {
    pub(super) fn new(ticket: Ticket) -> LoadRequest<K, V> {
        LoadRequest { ticket, types: PhantomData }
    }

    /// The number of keys, at least one.
    pub fn len(&self) -> usize {
        self.ticket.keys().len()
    }

    /// Whether there are no keys; always false.
    pub fn is_empty(&self) -> bool {
        self.ticket.keys().is_empty()
    }

    /// The key at `index`. Panics unless `index` is below [`LoadRequest::len`].
    pub fn key(&self, index: usize) -> K {
        K::from_bytes(self.ticket.keys().get(index).expect("an index below the length"))
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<K> {
        self.ticket.keys().iter().map(K::from_bytes).collect()
    }

    /// Answers the key at `index`.
    pub fn resolve(&self, index: usize, value: impl Into<Arc<V>>) -> bool {
        self.resolve_with(index, value, EntryTerms::default())
    }

    /// Answers the key at `index` with the given terms. Refused if the priority, the version or a tag is out of range.
    pub fn resolve_with(&self, index: usize, value: impl Into<Arc<V>>, terms: EntryTerms) -> bool {
        let value = Answer::Value(stored(value.into(), terms.cost.unwrap_or(0)));
        terms.stated().is_ok_and(|terms| self.ticket.resolve(index, value, terms) == Status::OK)
    }

    /// The cache's entry for the key at `index`, expired or not; `None` if there is none. A provider can ask its source whether the record
    /// has changed since, and answer [`LoadRequest::not_modified`] if it has not.
    pub fn stale(&self, index: usize) -> Option<StaleEntry<V>> {
        let known = self.ticket.known(index).ok()??;
        let version = known.labels.as_ref().map(|labels| String::from_utf8_lossy(labels.version()).into_owned());
        let age = Duration::from_millis(known.age_ms);
        Some(StaleEntry { value: known.answer.value().map(shared), age, version: version.unwrap_or_default() })
    }

    /// Answers the key at `index` with what [`LoadRequest::stale`] returns: the record has not changed. The same value gets a new lifetime,
    /// and keeps its version and its tags unless the terms state others. Also refused if the cache has no entry for the key.
    pub fn not_modified(&self, index: usize, terms: EntryTerms) -> bool {
        terms.stated().and_then(|terms| self.ticket.not_modified(index, terms)) == Ok(Status::OK)
    }

    /// Answers that the key at `index` is absent.
    pub fn resolve_absent(&self, index: usize) -> bool {
        self.resolve_absent_with(index, EntryTerms::default())
    }

    /// Answers that the key at `index` is absent, with the given terms: for example the TTL of this answer, and how long it then stays a
    /// fallback. Refused if the priority, the version or a tag is out of range.
    pub fn resolve_absent_with(&self, index: usize, terms: EntryTerms) -> bool {
        terms.stated().is_ok_and(|terms| self.ticket.resolve(index, Answer::Null, terms) == Status::OK)
    }

    /// Fails the key at `index`. It is retried if the settings say so.
    pub fn fail(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.ticket.fail(index, of_provider(Arc::from(error.into()), false)) == Status::OK
    }

    /// Fails the key at `index`, and prevents retries.
    pub fn fail_permanently(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.ticket.fail(index, of_provider(Arc::from(error.into()), true)) == Status::OK
    }

    /// Fails the key at `index` like [`LoadRequest::fail_permanently`]. An expired entry of the key is removed from the cache,
    /// and not served as a fallback (`stale.ttl_ms`).
    pub fn fail_gone(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.ticket.fail(index, of_provider(Arc::from(error.into()), true).forbidding_stale()) == Status::OK
    }

    /// Fails the key at `index`. A retry waits for at least `pause`, as with HTTP's Retry-After.
    pub fn fail_with_pause(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>, pause: Duration) -> bool {
        let mut error = of_provider(Arc::from(error.into()), false);
        error.set_pause(pause);
        self.ticket.fail(index, error) == Status::OK
    }

    /// Answers `key`, given itself instead of its index. If it is not in this request, the value is stored unless the cache or a load has
    /// something newer for it.
    pub fn supply<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>) -> bool
    where
        K: Borrow<Q>,
    {
        self.supply_with(key, value, EntryTerms::default())
    }

    /// Like [`LoadRequest::supply`], with the given terms. Refused if the priority, the version or a tag is out of range.
    pub fn supply_with<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>, terms: EntryTerms) -> bool
    where
        K: Borrow<Q>,
    {
        let answer = Answer::Value(stored(value.into(), terms.cost.unwrap_or(0)));
        self.supply_answer(key, answer, terms)
    }

    /// Like [`LoadRequest::supply`], but answers that the key is absent.
    pub fn supply_absent<Q: KeyBytes + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.supply_absent_with(key, EntryTerms::default())
    }

    /// Like [`LoadRequest::supply_absent`], with the given terms. Refused if the priority, the version or a tag is out of range.
    pub fn supply_absent_with<Q: KeyBytes + ?Sized>(&self, key: &Q, terms: EntryTerms) -> bool
    where
        K: Borrow<Q>,
    {
        self.supply_answer(key, Answer::Null, terms)
    }

    fn supply_answer<Q: KeyBytes + ?Sized>(&self, key: &Q, answer: Answer, terms: EntryTerms) -> bool {
        let Ok(terms) = terms.stated() else { return false };
        with_key(key, |key| Ok(self.ticket.supply(key, answer, terms))) == Ok(Status::OK)
    }

    /// The number of this attempt to load the key at `index`; the first is 1. 0 if the index is out of range.
    pub fn attempt(&self, index: usize) -> u32 {
        self.ticket.attempt(index).unwrap_or(0)
    }

    /// Whether the answer to the key at `index` is still wanted.
    pub fn is_wanted(&self, index: usize) -> bool {
        self.ticket.is_wanted(index)
    }

    /// The highest urgency among the keys (`urgency`).
    pub fn urgency(&self) -> i32 {
        self.ticket.urgency()
    }

    /// The time until the attempt times out (`attempt_timeout_ms`); `None` if it does not.
    pub fn time_left(&self) -> Option<Duration> {
        self.ticket.time_left()
    }

    /// Whether no key is wanted any more, so that the provider may give up.
    pub fn is_cancelled(&self) -> bool {
        self.ticket.cancel_reason() != 0
    }

    /// Restarts the attempt's timeout (`attempt_timeout_ms`). Returns false if the attempt is over.
    pub fn heartbeat(&self) -> bool {
        self.ticket.heartbeat() == Status::OK
    }

    /// Finishes the request: keys without an answer are known to be absent.
    pub fn finish_absent(self) {
        self.ticket.finish(Unanswered::Null);
    }

    /// Finishes the request: keys without an answer fail with `error`.
    pub fn finish_failed(self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        self.ticket.finish(Unanswered::Failed(of_provider(Arc::from(error.into()), false)));
    }
}

impl<K: CacheKey, V> Drop for LoadRequest<K, V> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = of_provider(Arc::from(Box::from(of_panic(None))), false);
            let _ = catch_panic(|| self.ticket.finish(Unanswered::Failed(error)));
        }
    }
}
