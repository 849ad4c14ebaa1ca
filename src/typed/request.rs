//! The request that a provider in Rust answers.

use super::cache::EntryTerms;
use super::error::{FetchError, of_panic, of_provider};
use super::in_process::InProcess;
use super::key::{CacheKey, KeyBytes, with_key};
use super::value::{shared, stored};
use crate::base::panics::catch_panic;
use crate::base::{Answer, Error, Status};
use crate::engine::request::Ticket;
use crate::task::Unanswered;
use std::any::Any;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
/// Each answering method returns whether the answer came in time: false if the key has an answer already, or if the attempt has ended, for
/// example by its timeout. A value that comes late still answers those who wait for a retry of the key, and is stored unless something newer
/// was. Methods that take [`EntryTerms`] fail if a term is out of range, and the key is then still without an answer.
///
/// In a forked child, a request from before the fork has no keys, and answers are refused.
pub struct LoadRequest<K: CacheKey, V> {
    ticket: InProcess<Ticket>,
    types: PhantomData<fn(K) -> V>,
}

impl<K: CacheKey, V: Send + Sync + 'static> LoadRequest<K, V> {
    pub(super) fn new(ticket: Ticket) -> LoadRequest<K, V> {
        LoadRequest { ticket: InProcess::new(ticket), types: PhantomData }
    }

    /// The number of keys, at least one. In a forked child: 0.
    pub fn len(&self) -> usize {
        self.ticket.get().map_or(0, |ticket| ticket.keys().len())
    }

    /// Whether there are no keys, as in a forked child.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key at `index`. Panics unless `index` is below [`LoadRequest::len`].
    pub fn key(&self, index: usize) -> K {
        let ticket = self.ticket.get().ok();
        K::from_bytes(ticket.and_then(|ticket| ticket.keys().get(index)).expect("an index below the length"))
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<K> {
        self.ticket.get().map_or_else(|_| Vec::new(), |ticket| ticket.keys().iter().map(K::from_bytes).collect())
    }

    /// The index of the key with the bytes of `key`.
    pub(super) fn index_of(&self, key: &K) -> Option<usize> {
        let ticket = self.ticket.get().ok()?;
        key.with_bytes(|key| ticket.index_of(key))
    }

    fn answer(&self, index: usize, answer: Answer, terms: &EntryTerms) -> Result<bool, FetchError> {
        let (ticket, terms) = (self.ticket.get().map_err(FetchError::of)?, terms.stated()?);
        Ok(ticket.resolve(index, answer, terms) == Status::OK)
    }

    fn reject(&self, index: usize, error: Error) -> bool {
        self.ticket.get().map(|ticket| ticket.fail(index, error)) == Ok(Status::OK)
    }

    /// Answers the key at `index`.
    pub fn resolve(&self, index: usize, value: impl Into<Arc<V>>) -> bool {
        self.resolve_with(index, value, EntryTerms::default()).unwrap_or(false)
    }

    /// Answers the key at `index` with the given terms. Fails if the priority, the version or a tag is out of range.
    pub fn resolve_with(&self, index: usize, value: impl Into<Arc<V>>, terms: EntryTerms) -> Result<bool, FetchError> {
        self.answer(index, Answer::Value(stored(value.into(), terms.cost.unwrap_or(0))), &terms)
    }

    /// The cache's entry for the key at `index`, expired or not; `None` if there is none. A provider can ask its source whether the record
    /// has changed since, and answer [`LoadRequest::not_modified`] if it has not.
    pub fn stale(&self, index: usize) -> Option<StaleEntry<V>> {
        let known = self.ticket.get().ok()?.known(index).ok()??;
        let version = known.labels.as_ref().map(|labels| String::from_utf8_lossy(labels.version()).into_owned());
        let age = Duration::from_millis(known.age_ms);
        Some(StaleEntry { value: known.answer.value().map(shared), age, version: version.unwrap_or_default() })
    }

    /// Answers the key at `index` with what [`LoadRequest::stale`] returns: the record has not changed. The same value gets a new lifetime,
    /// and keeps its version and its tags unless the terms state others. Also refused if the cache has no entry for the key.
    pub fn not_modified(&self, index: usize, terms: EntryTerms) -> Result<bool, FetchError> {
        let (ticket, terms) = (self.ticket.get().map_err(FetchError::of)?, terms.stated()?);
        Ok(ticket.not_modified(index, terms) == Ok(Status::OK))
    }

    /// Answers that the key at `index` is absent.
    pub fn resolve_absent(&self, index: usize) -> bool {
        self.resolve_absent_with(index, EntryTerms::default()).unwrap_or(false)
    }

    /// Answers that the key at `index` is absent, with the given terms: for example the TTL of this answer, and how long it then stays a
    /// fallback. Fails if the priority, the version or a tag is out of range.
    pub fn resolve_absent_with(&self, index: usize, terms: EntryTerms) -> Result<bool, FetchError> {
        self.answer(index, Answer::Null, &terms)
    }

    /// Fails the key at `index`. It is retried if the settings say so.
    pub fn fail(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.reject(index, of_provider(Arc::from(error.into()), false))
    }

    /// Fails the key at `index`, and prevents retries.
    pub fn fail_permanently(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.reject(index, of_provider(Arc::from(error.into()), true))
    }

    /// Fails the key at `index` like [`LoadRequest::fail_permanently`]. An expired entry of the key is removed from the cache,
    /// and not served as a fallback (`stale.ttl_ms`).
    pub fn fail_gone(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> bool {
        self.reject(index, of_provider(Arc::from(error.into()), true).forbidding_stale())
    }

    /// Fails the key at `index`. A retry waits for at least `pause`, as with HTTP's Retry-After.
    pub fn fail_with_pause(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>, pause: Duration) -> bool {
        let mut error = of_provider(Arc::from(error.into()), false);
        error.set_pause(pause);
        self.reject(index, error)
    }

    /// Answers `key`, given itself instead of its index. If it is not in this request, the value is stored unless the cache or a load has
    /// something newer for it.
    pub fn supply<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>) -> bool
    where
        K: Borrow<Q>,
    {
        self.supply_with(key, value, EntryTerms::default()).unwrap_or(false)
    }

    /// Like [`LoadRequest::supply`], with the given terms. Fails if the priority, the version or a tag is out of range.
    pub fn supply_with<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>, terms: EntryTerms) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        let answer = Answer::Value(stored(value.into(), terms.cost.unwrap_or(0)));
        self.supply_answer(key, answer, &terms)
    }

    /// Like [`LoadRequest::supply`], but answers that the key is absent.
    pub fn supply_absent<Q: KeyBytes + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.supply_absent_with(key, EntryTerms::default()).unwrap_or(false)
    }

    /// Like [`LoadRequest::supply_absent`], with the given terms. Fails if the priority, the version or a tag is out of range.
    pub fn supply_absent_with<Q: KeyBytes + ?Sized>(&self, key: &Q, terms: EntryTerms) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.supply_answer(key, Answer::Null, &terms)
    }

    fn supply_answer<Q: KeyBytes + ?Sized>(&self, key: &Q, answer: Answer, terms: &EntryTerms) -> Result<bool, FetchError> {
        let (ticket, terms) = (self.ticket.get().map_err(FetchError::of)?, terms.stated()?);
        Ok(with_key(key, |key| Ok(ticket.supply(key, answer, terms))) == Ok(Status::OK))
    }

    /// The number of this attempt to load the key at `index`; the first is 1. 0 if the index is out of range.
    pub fn attempt(&self, index: usize) -> u32 {
        self.ticket.get().ok().and_then(|ticket| ticket.attempt(index)).unwrap_or(0)
    }

    /// Whether the answer to the key at `index` is still wanted.
    pub fn is_wanted(&self, index: usize) -> bool {
        self.ticket.get().is_ok_and(|ticket| ticket.is_wanted(index))
    }

    /// The highest urgency among the keys (`urgency`).
    pub fn urgency(&self) -> i32 {
        self.ticket.get().map_or(0, |ticket| ticket.urgency())
    }

    /// The time until the attempt times out (`attempt_timeout_ms`); `None` if it does not.
    pub fn time_left(&self) -> Option<Duration> {
        self.ticket.get().ok()?.time_left()
    }

    /// Whether no key is wanted any more, so that the provider may give up.
    pub fn is_cancelled(&self) -> bool {
        self.ticket.get().is_ok_and(|ticket| ticket.cancel_reason() != 0)
    }

    /// Restarts the attempt's timeout (`attempt_timeout_ms`). Returns false if the attempt is over.
    pub fn heartbeat(&self) -> bool {
        self.ticket.get().is_ok_and(|ticket| ticket.heartbeat() == Status::OK)
    }

    /// Finishes the request: keys without an answer are known to be absent.
    pub fn finish_absent(self) {
        self.finish(Unanswered::Null);
    }

    /// Finishes the request: keys without an answer fail with `error`.
    pub fn finish_failed(self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        self.finish(Unanswered::Failed(of_provider(Arc::from(error.into()), false)));
    }

    fn finish(self, rest: Unanswered) {
        // In the child of a fork there is nothing to finish.
        let _ = self.ticket.get().map(|ticket| ticket.finish(rest));
    }
}

impl<K: CacheKey, V> Drop for LoadRequest<K, V> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut ticket = self.ticket.take();
        let _ = ABANDONED.try_with(|abandoned| {
            if let Some(abandoned) = &mut *abandoned.borrow_mut() {
                abandoned.extend(ticket.take());
            }
        });
        ticket.into_iter().for_each(|ticket| fail_after_panic(&ticket, None));
    }
}

thread_local! {
    /// Inside a call of the provider: the requests that a panic has dropped. What the panic says is known only after it was caught.
    static ABANDONED: RefCell<Option<Vec<Ticket>>> = const { RefCell::new(None) };
}

/// Calls a provider. If it panics, the keys of the requests that it held fail with the text of the panic.
pub(super) fn call_provider<K: CacheKey, V: Send + Sync + 'static>(provide: &impl Fn(LoadRequest<K, V>), ticket: Ticket) {
    let outside = ABANDONED.replace(Some(Vec::new()));
    let outcome = catch_unwind(AssertUnwindSafe(|| provide(LoadRequest::new(ticket))));
    let abandoned = ABANDONED.replace(outside).unwrap_or_default();
    // If the provider itself has caught a panic, its text is not known here.
    let payload = outcome.as_ref().err().map(|payload| &**payload);
    abandoned.iter().for_each(|ticket| fail_after_panic(ticket, payload));
}

fn fail_after_panic(ticket: &Ticket, payload: Option<&(dyn Any + Send)>) {
    let error = of_provider(Arc::from(Box::from(of_panic(payload))), false);
    let _ = catch_panic(|| ticket.finish(Unanswered::Failed(error)));
}
