//! A cache of typed values, with or without a provider.

use super::error::FetchError;
use super::in_process::InProcess;
use super::key::{CacheKey, KeyBytes, with_key};
use super::value::{shared, stored};
use crate::base::labels::{LABEL_MAX, TAGS_MAX};
use crate::base::{Answer, Labels, Status, StoreTerms, Ttl};
use crate::cache::{Condition, Departures, NewEntry};
use crate::engine::Core;
use crate::engine::cache::Lookup;
use crate::engine::cache_ref::CacheRef;
use crate::engine::entries::Entries;
use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A bounded cache of `V` by `K`. A clone is another handle to the same cache. The entries are dropped with the last handle. Every method
/// may be called from any thread.
///
/// No entry has a key of more than 65,535 bytes: such a key is unknown to lookups and removals, and what stores fails with
/// [`super::ErrorKind::InvalidKey`]. In a forked child, a cache from before the fork is refused: what stores fails with
/// [`super::ErrorKind::Forked`], and the cache seems empty.
pub struct TypedCache<K: CacheKey, V> {
    cache: InProcess<CacheRef>,
    types: PhantomData<fn(K) -> V>,
}

impl<K: CacheKey, V> Clone for TypedCache<K, V> {
    fn clone(&self) -> TypedCache<K, V> {
        TypedCache { cache: self.cache.clone(), types: PhantomData }
    }
}

/// What the cache knows about a key.
#[derive(Debug)]
pub enum CacheState<V> {
    /// The key has a value.
    Value(Arc<V>),
    /// The key is known to be absent.
    Absent,
    /// The cache has no entry for the key.
    Unknown,
}

impl<V> CacheState<V> {
    /// The value, if there is one.
    pub fn value(self) -> Option<Arc<V>> {
        if let CacheState::Value(value) = self { Some(value) } else { None }
    }
}

impl<V: Send + Sync + 'static> CacheState<V> {
    /// A closed cache knows nothing.
    fn of(found: Result<Lookup, Status>) -> CacheState<V> {
        match found {
            Ok(Lookup::Value(value)) => CacheState::Value(shared(&value)),
            Ok(Lookup::Null) => CacheState::Absent,
            Ok(Lookup::Miss | Lookup::InvalidKey) | Err(_) => CacheState::Unknown,
        }
    }
}

/// The terms on which an entry is stored. A term that is `None` is taken from the settings.
#[derive(Clone, Debug, Default)]
pub struct EntryTerms {
    /// The entry's time to live. `Duration::MAX`: it never expires; zero: it is not stored.
    pub ttl: Option<Duration>,
    /// Entries with a lower priority are evicted before those with a higher one.
    pub priority: Option<f64>,
    /// The cost of the value, in the unit of `cache.cost_limit`.
    pub cost: Option<u64>,
    /// How long the entry stays as a fallback after it expires; zero: it does not.
    pub stale_ttl: Option<Duration>,
    /// The version of the record, for example an ETag, at most 255 bytes: [`super::LoadRequest::stale`] returns it. Empty: none.
    pub version: String,
    /// Names by which [`TypedCache::remove_tag`] and [`TypedCache::expire_tag`] find the entry: at most 16, of 1 to 255 bytes.
    pub tags: Vec<String>,
}

impl EntryTerms {
    /// The library's form of these terms. Fails with a sentence if the priority, the version or a tag is out of range.
    pub(super) fn stated(&self) -> Result<StoreTerms, FetchError> {
        if let Some(sentence) = self.problem() {
            return Err(FetchError::with_text(Status::ERR_BAD_VALUE, &sentence));
        }
        let ttl = self.ttl.map(ttl_of);
        let labels = Labels::new(self.version.as_bytes(), self.tags.iter().map(String::as_bytes)).map_err(FetchError::of)?;
        let stale_ms = self.stale_ttl.map(whole_millis);
        Ok(StoreTerms { ttl, stale_ms, priority: self.priority, cost: self.cost, labels, ..StoreTerms::default() })
    }

    /// A sentence that says which term is out of range; `None` if all are in it.
    fn problem(&self) -> Option<String> {
        if self.priority.is_some_and(f64::is_nan) {
            return Some("the term \"priority\" is not a number".to_owned());
        }
        if self.version.len() > LABEL_MAX {
            return Some(format!("the term \"version\" has {} bytes, and may have {LABEL_MAX}", self.version.len()));
        }
        if self.tags.len() > TAGS_MAX {
            return Some(format!("the term \"tags\" has {} tags, and may have {TAGS_MAX}", self.tags.len()));
        }
        let len = self.tags.iter().map(String::len).find(|len| !(1..=LABEL_MAX).contains(len))?;
        Some(format!("a tag of the term \"tags\" has {len} bytes, and must have 1 to {LABEL_MAX}"))
    }
}

fn ttl_of(span: Duration) -> Ttl {
    if span == Duration::MAX { Ttl::Never } else { Ttl::of_ms(whole_millis(span)) }
}

/// Rounds up, so that a TTL of less than a millisecond does not become 0.
fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl<K: CacheKey, V: Send + Sync + 'static> TypedCache<K, V> {
    pub(super) fn new(core: Arc<Core>) -> TypedCache<K, V> {
        TypedCache { cache: InProcess::new(CacheRef::new(core)), types: PhantomData }
    }

    /// Looks `key` up. Counts as a use of its entry.
    pub fn get<Q: KeyBytes + ?Sized>(&self, key: &Q) -> CacheState<V>
    where
        K: Borrow<Q>,
    {
        CacheState::of(with_key(key, |key| self.cache.get()?.get(key)))
    }

    /// Looks `key` up without counting a use or a lookup.
    pub fn peek<Q: KeyBytes + ?Sized>(&self, key: &Q) -> CacheState<V>
    where
        K: Borrow<Q>,
    {
        CacheState::of(with_key(key, |key| self.cache.get()?.peek(key)).map(|hit| hit.map(|hit| hit.answer).into()))
    }

    /// Stores `value` under `key`, replaces an existing entry, and overtakes a load of the key in progress. Returns false if the value was
    /// not stored: it costs more than a shard's part of `cache.cost_limit`, only entries of a higher priority could make room, or the
    /// capacity or the TTL is 0.
    pub fn put<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.put_with(key, value, EntryTerms::default())
    }

    /// Like [`TypedCache::put`], with the given terms. Fails if the priority, the version or a tag is out of range.
    pub fn put_with<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>, terms: EntryTerms) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.store(key, Some(value.into()), terms, Condition::None)
    }

    /// Stores `value` under `key` if this process has no entry of it, in one step; a second tier is not asked. Knowing that the key is
    /// absent is an entry, too. Returns whether the value was stored. Fails if the priority, the version or a tag is out of range.
    pub fn put_if_absent<Q: KeyBytes + ?Sized>(&self, key: &Q, value: impl Into<Arc<V>>, terms: EntryTerms) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.store(key, Some(value.into()), terms, Condition::Absent)
    }

    /// Stores that `key` is absent. Returns false if that was not stored, for the reasons given at [`TypedCache::put`].
    pub fn put_absent<Q: KeyBytes + ?Sized>(&self, key: &Q) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.put_absent_with(key, EntryTerms::default())
    }

    /// Like [`TypedCache::put_absent`], with the given terms. Fails if the priority, the version or a tag is out of range.
    pub fn put_absent_with<Q: KeyBytes + ?Sized>(&self, key: &Q, terms: EntryTerms) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        self.store(key, None, terms, Condition::None)
    }

    fn store<Q: KeyBytes + ?Sized>(
        &self,
        key: &Q,
        value: Option<Arc<V>>,
        terms: EntryTerms,
        condition: Condition,
    ) -> Result<bool, FetchError> {
        let mut left = Departures::new();
        let answer = value.map_or(Answer::Null, |value| Answer::Value(stored(value, terms.cost.unwrap_or(0))));
        let entry = NewEntry { answer, terms: terms.stated()?, condition };
        let core = self.cache.get().map_err(FetchError::of)?.core();
        let status = with_key(key, |key| core.put(key, entry, None, &mut left)).map_err(FetchError::of)?;
        core.release_departures(left);
        match status {
            Status::OK => Ok(true),
            Status::ERR_KEY_TOO_LONG | Status::INVALID_KEY => Err(FetchError::of(status)),
            _ => Ok(false),
        }
    }

    /// Removes the entry of `key`, and overtakes a load of it in progress. Returns whether there was an entry.
    pub fn remove<Q: KeyBytes + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        with_key(key, |key| self.cache.get()?.remove(key)) == Ok(Status::OK)
    }

    /// Like [`TypedCache::remove`], but returns the entry. Of several threads that take a key, one receives its value. What only a second
    /// tier has is removed there without being returned.
    pub fn take<Q: KeyBytes + ?Sized>(&self, key: &Q) -> CacheState<V>
    where
        K: Borrow<Q>,
    {
        CacheState::of(with_key(key, |key| self.cache.get()?.take(key)))
    }

    /// Expires the entry of `key` now: the next fetch of the key loads it. Until then the entry stays as a fallback, if `stale.ttl_ms` is
    /// set. From a second tier the entry is removed. Returns whether there was an entry.
    pub fn expire<Q: KeyBytes + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        with_key(key, |key| self.cache.get()?.expire(key)) == Ok(Status::OK)
    }

    /// Gives the entry of `key` a new TTL, counted from now: `ttl`, or that of the settings. Counts as a use of the entry, but not as a
    /// lookup. Returns whether there was an entry. Fails if the TTL, stated or configured, is 0.
    pub fn touch<Q: KeyBytes + ?Sized>(&self, key: &Q, ttl: Option<Duration>) -> Result<bool, FetchError>
    where
        K: Borrow<Q>,
    {
        let touched = with_key(key, |key| self.cache.get()?.touch(key, ttl.map(ttl_of)));
        touched.map(|status| status == Status::OK).map_err(|status| match status {
            Status::ERR_BAD_VALUE => FetchError::with_text(status, "a TTL of 0 stores nothing: state a longer one, or call `remove`"),
            _ => FetchError::of(status),
        })
    }

    /// Removes all entries with a tag, and returns their number. Loads in progress do not store an answer that has the tag.
    pub fn remove_tag(&self, tag: &str) -> usize {
        // A closed cache has no entries.
        self.cache.get().and_then(|cache| cache.remove_tag(tag.as_bytes())).unwrap_or(0)
    }

    /// Expires all entries with a tag, as [`TypedCache::expire`] does for a key, and returns their number.
    pub fn expire_tag(&self, tag: &str) -> usize {
        self.cache.get().and_then(|cache| cache.expire_tag(tag.as_bytes())).unwrap_or(0)
    }

    /// Expires all entries, as [`TypedCache::expire`] does for a key. Loads in progress do not store their answers. A second tier is cleared,
    /// for all processes.
    pub fn expire_all(&self) {
        let _ = self.cache.get().and_then(|cache| cache.expire_all());
    }

    /// Removes all entries.
    pub fn clear(&self) {
        // A closed cache has no entries.
        let _ = self.cache.get().and_then(|cache| cache.clear());
    }

    /// Visits, once, every key that has an entry throughout, with the entry as it is at that moment: `None` if the key is known to be
    /// absent. Counts neither uses nor lookups, and holds no lock, so that the cache may be changed meanwhile. Ends early if the engine is
    /// shut down.
    pub fn iter(&self) -> CacheIter<K, V> {
        CacheIter { cache: self.clone(), entries: Entries::default() }
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.cache.get().map_or(0, |cache| cache.len())
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes the limits (`None`: the cost is not limited). Entries that no longer fit are evicted before this returns.
    pub fn resize(&self, capacity: u64, cost_limit: Option<u64>) -> Result<(), FetchError> {
        self.cache.get().and_then(|cache| cache.resize(capacity, cost_limit)).map_err(FetchError::of)
    }

    /// The statistics as JSON, described in docs/STATISTICS.md. In a forked child: an empty object.
    pub fn stats_json(&self) -> String {
        self.cache.get().map_or_else(|_| "{}".to_owned(), |cache| cache.stats().to_json())
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> IntoIterator for &TypedCache<K, V> {
    type Item = (K, Option<Arc<V>>);
    type IntoIter = CacheIter<K, V>;

    fn into_iter(self) -> CacheIter<K, V> {
        self.iter()
    }
}

/// An iterator over the entries of a cache: see [`TypedCache::iter`].
pub struct CacheIter<K: CacheKey, V> {
    cache: TypedCache<K, V>,
    entries: Entries,
}

impl<K: CacheKey, V: Send + Sync + 'static> Iterator for CacheIter<K, V> {
    type Item = (K, Option<Arc<V>>);

    fn next(&mut self) -> Option<(K, Option<Arc<V>>)> {
        let (key, hit) = self.entries.next(self.cache.cache.get().ok()?).ok().flatten()?;
        Some((K::from_bytes(&key), hit.answer.value().map(shared)))
    }
}
