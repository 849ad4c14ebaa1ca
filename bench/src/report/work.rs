//! What is measured, beside whom, and what is asked: the column of goals that this state of the library is held to.

/// A work of the store driver.
pub struct StoreWork {
    pub work: &'static str,
    pub form: &'static str,
    pub threads: u32,
    /// Those that something is asked of.
    pub asked: &'static [(&'static str, f64)],
    pub subjects: &'static str,
}

const ALL: &str = "kvlight,quick_cache,moka,lru_mutex,lru_sharded,hashbrown";
/// The bare table has no lock and no limit.
const BOUNDED: &str = "kvlight,quick_cache,moka,lru_mutex,lru_sharded";

const fn store(
    work: &'static str,
    form: &'static str,
    threads: u32,
    subjects: &'static str,
    asked: &'static [(&'static str, f64)],
) -> StoreWork {
    StoreWork { work, form, threads, asked, subjects }
}

pub const STORE: &[StoreWork] = &[
    store("resident", "retained", 1, ALL, &[("quick_cache", 1.0), ("moka", 4.0)]),
    store("resident", "retained", 2, ALL, &[("quick_cache", 0.9), ("moka", 4.0)]),
    store("resident", "copied", 1, ALL, &[("quick_cache", 1.1), ("moka", 4.0)]),
    store("resident", "copied", 2, ALL, &[("quick_cache", 1.0), ("moka", 4.0)]),
    store("resident", "batch", 1, ALL, &[]),
    store("uniform", "retained", 1, ALL, &[]),
    store("uniform", "copied", 1, ALL, &[]),
    store("tenth", "retained", 1, BOUNDED, &[]),
    store("tenth", "retained", 2, BOUNDED, &[]),
    store("churn", "retained", 1, BOUNDED, &[("quick_cache", 1.1), ("moka", 10.0)]),
    store("churn", "retained", 2, BOUNDED, &[]),
    store("careful", "retained", 1, "kvlight,moka", &[]),
];

/// Bytes of heap an entry, at most.
pub const MOST_BYTES: f64 = 190.0;

/// A work of the fetch driver: its name there, its name here, and the nanoseconds that it may take.
pub const FETCH: &[(&str, &str, f64)] = &[
    ("absent", "fetch 1,000 absent keys, 64 a request, one worker, a key", 250.0),
    ("resident", "fetch 1,000 resident keys, a key", 100.0),
    ("trip", "fetch one absent key, round trip, median", 12_000.0),
    ("waiters", "100 waiters on one key, a waiter", 60.0),
];

/// Sizes at which a hit is measured; the quick run leaves the last out.
pub const SIZES: &[u64] = &[10_000, 100_000, 1_000_000, 10_000_000];
pub const SIZE_SUBJECTS: &str = "kvlight,quick_cache,hashbrown";
