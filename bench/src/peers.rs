//! One type for each peer.

use crate::bytes::{Key, Slice, Value};
use foldhash::fast::RandomState;
use std::cell::UnsafeCell;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard};

pub trait Peer: Sync {
    /// `with_ttl`: with a time to live, if the peer has one.
    fn new(capacity: usize, with_ttl: bool) -> Self;
    fn get(&self, key: &[u8]) -> Option<Value>;
    /// Passes the value's bytes to `see`, without cloning the value where the peer allows that. Returns whether the key was found.
    fn show(&self, key: &[u8], see: impl FnOnce(&[u8])) -> bool {
        self.get(key).map(|value| see(&value.slice)).is_some()
    }
    fn put(&self, key: &[u8], value: Value);
    fn len(&self) -> usize;
}

pub struct Quick(quick_cache::sync::Cache<Key, Value, quick_cache::UnitWeighter, RandomState>);

impl Peer for Quick {
    fn new(capacity: usize, _with_ttl: bool) -> Quick {
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        Quick(quick_cache::sync::Cache::with(capacity, capacity as u64, quick_cache::UnitWeighter, RandomState::default(), lifecycle))
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        self.0.get(Slice::of(key))
    }

    fn put(&self, key: &[u8], value: Value) {
        self.0.insert(Key::new(key), value);
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

pub struct Moka(moka::sync::Cache<Key, Value, RandomState>);

impl Peer for Moka {
    fn new(capacity: usize, with_ttl: bool) -> Moka {
        let mut builder = moka::sync::Cache::builder().max_capacity(capacity as u64);
        if with_ttl {
            builder = builder.time_to_live(std::time::Duration::from_secs(3600));
        }
        Moka(builder.build_with_hasher(RandomState::default()))
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        self.0.get(Slice::of(key))
    }

    fn put(&self, key: &[u8], value: Value) {
        self.0.insert(Key::new(key), value);
    }

    fn len(&self) -> usize {
        self.0.run_pending_tasks();
        self.0.entry_count() as usize
    }
}

/// A table with lock-free reads. It has no limit and no order of eviction, so it is measured only where all keys fit.
pub struct Papaya(papaya::HashMap<Key, Value, RandomState>);

impl Peer for Papaya {
    fn new(capacity: usize, _with_ttl: bool) -> Papaya {
        Papaya(papaya::HashMap::builder().capacity(capacity).hasher(RandomState::default()).build())
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        self.0.pin().get(Slice::of(key)).cloned()
    }

    fn show(&self, key: &[u8], see: impl FnOnce(&[u8])) -> bool {
        self.0.pin().get(Slice::of(key)).map(|value| see(&value.slice)).is_some()
    }

    fn put(&self, key: &[u8], value: Value) {
        self.0.pin().insert(Key::new(key), value);
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

type List = lru::LruCache<Key, Value, RandomState>;

fn list(capacity: usize, hasher: RandomState) -> List {
    // Not with `with_hasher`, which allocates the whole hash table in advance: it should grow as it is filled.
    let mut list = lru::LruCache::unbounded_with_hasher(hasher);
    list.resize(capacity.max(1).try_into().expect("at least 1"));
    list
}

fn locked(list: &Mutex<List>) -> MutexGuard<'_, List> {
    list.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The `lru` crate behind one mutex.
pub struct Lru(Mutex<List>);

impl Peer for Lru {
    fn new(capacity: usize, _with_ttl: bool) -> Lru {
        Lru(Mutex::new(list(capacity, RandomState::default())))
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        locked(&self.0).get(Slice::of(key)).cloned()
    }

    fn show(&self, key: &[u8], see: impl FnOnce(&[u8])) -> bool {
        locked(&self.0).get(Slice::of(key)).map(|value| see(&value.slice)).is_some()
    }

    fn put(&self, key: &[u8], value: Value) {
        let left = locked(&self.0).push(Key::new(key), value);
        drop(left);
    }

    fn len(&self) -> usize {
        locked(&self.0).len()
    }
}

/// The `lru` crate in as many shards, each behind a mutex, as kvlight has from a capacity of 8,192 on.
pub struct LruSharded {
    hasher: RandomState,
    shards: Box<[Shard]>,
}

#[repr(align(128))]
struct Shard(Mutex<List>);

impl LruSharded {
    fn shard(&self, key: &[u8]) -> &Mutex<List> {
        // Like kvlight: by bits of the hash that the table inside a shard does not use.
        let middle = u64::from((self.hasher.hash_one(Slice::of(key)) >> 16) as u32);
        &self.shards[((middle * self.shards.len() as u64) >> 32) as usize].0
    }
}

impl Peer for LruSharded {
    fn new(capacity: usize, _with_ttl: bool) -> LruSharded {
        let hasher = RandomState::default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = 1 << (cores * 32).next_power_of_two().min((capacity / 1024).max(1)).ilog2();
        let shards = (0..count).map(|_| Shard(Mutex::new(list(capacity.div_ceil(count), hasher.clone())))).collect();
        LruSharded { hasher, shards }
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        locked(self.shard(key)).get(Slice::of(key)).cloned()
    }

    fn show(&self, key: &[u8], see: impl FnOnce(&[u8])) -> bool {
        locked(self.shard(key)).get(Slice::of(key)).map(|value| see(&value.slice)).is_some()
    }

    fn put(&self, key: &[u8], value: Value) {
        let left = locked(self.shard(key)).push(Key::new(key), value);
        drop(left);
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| locked(&shard.0).len()).sum()
    }
}

/// A lower bound on the time of a lookup: a bare hash table, without a lock, an order or a limit. It is filled before it is shared.
pub struct Floor(UnsafeCell<hashbrown::HashMap<Key, Value, RandomState>>);

// SAFETY: the driver fills it from one thread, and only reads it from several.
unsafe impl Sync for Floor {}

impl Peer for Floor {
    fn new(_capacity: usize, _with_ttl: bool) -> Floor {
        Floor(UnsafeCell::default())
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        // SAFETY: no thread writes during this call, see above.
        unsafe { &*self.0.get() }.get(Slice::of(key)).cloned()
    }

    fn show(&self, key: &[u8], see: impl FnOnce(&[u8])) -> bool {
        // SAFETY: no thread writes during this call, see above.
        unsafe { &*self.0.get() }.get(Slice::of(key)).map(|value| see(&value.slice)).is_some()
    }

    fn put(&self, key: &[u8], value: Value) {
        // SAFETY: no other thread uses it during this call, see above.
        unsafe { &mut *self.0.get() }.insert(Key::new(key), value);
    }

    fn len(&self) -> usize {
        // SAFETY: no thread writes during this call, see above.
        unsafe { &*self.0.get() }.len()
    }
}
