//! A cache of typed values, by itself or in front of a provider.

use super::error::FetchError;
use super::key::{CacheKey, KeyBytes};
use super::value::{shared, stored};
use crate::base::{Answer, Status, StoreTerms, Ttl};
use crate::cache::{Departures, NewEntry};
use crate::engine::Core;
use crate::engine::cache::Lookup;
use crate::engine::cache_ref::CacheRef;
use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A bounded cache of `V` by `K`. Cloning gives another handle to the same cache; its entries are dropped with the last handle. Every
/// method may be called from any thread.
pub struct TypedCache<K: CacheKey, V> {
    held: CacheRef,
    types: PhantomData<fn(K) -> V>,
}

impl<K: CacheKey, V> Clone for TypedCache<K, V> {
    fn clone(&self) -> TypedCache<K, V> {
        TypedCache { held: self.held.clone(), types: PhantomData }
    }
}

/// What a cache knows of a key.
#[derive(Debug)]
pub enum CacheState<V> {
    /// Its value.
    Value(Arc<V>),
    /// That there is no such record.
    Absent,
    /// Nothing.
    Unknown,
}

impl<V> CacheState<V> {
    /// The value, if there is one.
    pub fn value(self) -> Option<Arc<V>> {
        if let CacheState::Value(value) = self { Some(value) } else { None }
    }
}

/// The terms on which an entry is stored. What is `None` is left to the settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntryTerms {
    /// How long it lives. `Duration::MAX`: for ever; zero: it is not stored.
    pub ttl: Option<Duration>,
    /// Entries of lower priority make room for those of higher.
    pub priority: Option<f64>,
    /// What the value costs, in whatever unit `cache.cost_limit` is meant.
    pub cost: Option<u64>,
}

impl From<EntryTerms> for StoreTerms {
    fn from(terms: EntryTerms) -> StoreTerms {
        let ttl = terms.ttl.map(|ttl| if ttl == Duration::MAX { Ttl::Never } else { Ttl::of_ms(whole_millis(ttl)) });
        StoreTerms { ttl, priority: terms.priority, cost: terms.cost, ..StoreTerms::default() }
    }
}

/// Rounded up, so that a TTL below a millisecond is none of 0.
fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl<K: CacheKey, V: Send + Sync + 'static> TypedCache<K, V> {
    pub(super) fn new(core: Arc<Core>) -> TypedCache<K, V> {
        TypedCache { held: CacheRef::new(core), types: PhantomData }
    }

    /// Looks `key` up, which counts as a use of its entry.
    pub fn get<Q: KeyBytes + ?Sized>(&self, key: &Q) -> CacheState<V>
    where
        K: Borrow<Q>,
    {
        match key.with_bytes(|key| self.held.get(key)) {
            Ok(Lookup::Value(value)) => CacheState::Value(shared(&value)),
            Ok(Lookup::Null) => CacheState::Absent,
            Ok(Lookup::Miss | Lookup::InvalidKey) | Err(_) => CacheState::Unknown,
        }
    }

    /// Looks `key` up without counting as a use or a lookup.
    pub fn peek<Q: KeyBytes + ?Sized>(&self, key: &Q) -> CacheState<V>
    where
        K: Borrow<Q>,
    {
        match key.with_bytes(|key| self.held.peek(key)).ok().flatten().map(|hit| hit.answer) {
            Some(Answer::Value(value)) => CacheState::Value(shared(&value)),
            Some(Answer::Null) => CacheState::Absent,
            None => CacheState::Unknown,
        }
    }

    /// Stores `value` under `key`, in place of what is there; a load of the key under way is overtaken. `false`: it was refused, since it
    /// is larger than the cache or there is room for entries of higher priority only.
    pub fn put<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.put_with(key, value, EntryTerms::default())
    }

    /// As [`TypedCache::put`], on terms of its own.
    pub fn put_with<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>, terms: EntryTerms) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        let answer = Answer::Value(stored(value.into(), terms.cost.unwrap_or(0)));
        self.store(key, answer, terms)
    }

    /// Stores that there is no record under `key`.
    pub fn put_absent<Q: KeyBytes + ?Sized>(&self, key: &Q) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.store(key, Answer::Null, EntryTerms::default())
    }

    fn store<Q: KeyBytes + ?Sized>(&self, key: &Q, answer: Answer, terms: EntryTerms) -> Result<bool, FetchError> {
        let mut left = Departures::new();
        let entry = NewEntry { terms: terms.into(), ..NewEntry::new(answer) };
        let core = self.held.core();
        let status = key.with_bytes(|key| core.put(key, entry, None, &mut left)).map_err(FetchError::of)?;
        core.release_departures(left);
        match status {
            Status::OK => Ok(true),
            Status::ERR_KEY_TOO_LONG | Status::INVALID_KEY => Err(FetchError::of(status)),
            _ => Ok(false),
        }
    }

    /// Removes `key`; a load of it under way is overtaken. Whether it had an entry.
    pub fn remove<Q: KeyBytes + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        key.with_bytes(|key| self.held.remove(key)) == Ok(Status::OK)
    }

    /// Removes all entries.
    pub fn clear(&self) {
        // Closed: then there are none.
        let _ = self.held.clear();
    }

    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.held.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes the bounds; what no longer fits leaves before this returns.
    pub fn resize(&self, capacity: u64, cost_limit: Option<u64>) -> Result<(), FetchError> {
        self.held.resize(capacity, cost_limit).map_err(FetchError::of)
    }

    /// The statistics as JSON: docs/STATISTICS.md.
    pub fn stats_json(&self) -> String {
        self.held.stats().to_json()
    }
}
