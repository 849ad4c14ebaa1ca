//! The measurements, the peers, and the goals for the current state of the library.

/// A measurement of the store driver.
pub struct StoreWork {
    pub work: &'static str,
    pub form: &'static str,
    pub threads: u32,
    /// The text in the table.
    pub label: &'static str,
    pub chapter: Chapter,
    pub subjects: &'static [&'static str],
    /// The peers for which there is a goal, with the speed-up.
    pub asked: &'static [(&'static str, f64)],
}

/// The section of the table that a row is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Chapter {
    Lookups,
    Writes,
    Fetching,
    Memory,
    Swift,
}

impl Chapter {
    pub const ALL: [Chapter; 5] = [Chapter::Lookups, Chapter::Writes, Chapter::Fetching, Chapter::Memory, Chapter::Swift];

    pub fn title(self) -> &'static str {
        match self {
            Chapter::Lookups => "Lookups that hit",
            Chapter::Writes => "Lookups that miss, and writes",
            Chapter::Fetching => "Fetching",
            Chapter::Memory => "Memory",
            Chapter::Swift => "From Swift",
        }
    }
}

/// hashbrown's table alone is the lower bound: no lock, no order, no limit.
const ALL: &[&str] = &["quick_cache", "moka", "lru_mutex", "lru_sharded", "papaya", "hashbrown"];
const BOUNDED: &[&str] = &["quick_cache", "moka", "lru_mutex", "lru_sharded"];
/// The bounded peers, and kvlight with `cache.policy` = `s3fifo`.
const POLICIES: &[&str] = &["kvlight_s3fifo", "quick_cache", "moka", "lru_mutex", "lru_sharded"];
/// quick_cache has no time to live, and is included to show what that saves.
const CAREFUL: &[&str] = &["moka", "quick_cache"];

const HITS: &[(&str, f64)] = &[("quick_cache", 1.0), ("moka", 4.0)];
const COPIES: &[(&str, f64)] = &[("quick_cache", 1.2), ("moka", 4.0)];
const COPIES_2: &[(&str, f64)] = &[("quick_cache", 1.1), ("moka", 4.0)];
const BATCH: &[(&str, f64)] = &[("quick_cache", 1.4)];
const WITH_TTL: &[(&str, f64)] = &[("quick_cache", 0.9)];
const CHURN: &[(&str, f64)] = &[("quick_cache", 1.3), ("moka", 10.0)];

macro_rules! store {
    ($($chapter:ident $work:literal $form:literal $threads:literal $label:literal $subjects:ident $asked:expr;)*) => {
        pub const STORE: &[StoreWork] = &[$(StoreWork {
            work: $work, form: $form, threads: $threads, label: $label, chapter: Chapter::$chapter, subjects: $subjects, asked: $asked,
        }),*];
    };
}

store! {
    Lookups "resident" "retained" 1 "a reference taken and given back" ALL HITS;
    Lookups "resident" "retained" 2 "a reference taken and given back" ALL HITS;
    Lookups "resident" "copied" 1 "64 bytes copied out" ALL COPIES;
    Lookups "resident" "copied" 2 "64 bytes copied out" ALL COPIES_2;
    Lookups "resident" "view" 1 "looked at through a reader; the others: a reference" ALL &[];
    Lookups "resident" "view" 2 "looked at through a reader; the others: a reference" ALL &[];
    Lookups "resident" "batch" 1 "64 keys in a call; the others: in 64" ALL BATCH;
    Lookups "uniform" "retained" 1 "keys drawn evenly, a reference" ALL &[];
    Lookups "uniform" "copied" 1 "keys drawn evenly, copied out" ALL &[];
    Lookups "careful" "retained" 1 "with TTL, validator, statistics" CAREFUL WITH_TTL;
    Lookups "careful" "retained" 2 "with TTL, validator, statistics" CAREFUL WITH_TTL;
    Writes "tenth" "retained" 1 "room for a tenth: what is missed is put" POLICIES &[];
    Writes "tenth" "retained" 2 "room for a tenth: what is missed is put" BOUNDED &[];
    Writes "tail" "retained" 2 "one in 1,000 lookups takes longer, while another thread puts" BOUNDED &[];
    Writes "churn" "retained" 1 "miss, put, evict" POLICIES CHURN;
    Writes "churn" "retained" 2 "miss, put, evict" BOUNDED &[];
}

/// The traces, to compare which keys caches keep. `BENCH_TRACE` names a file with one key a line, which is added.
pub const TRACES: &[(&str, &str)] = &[
    ("zipf-0.7", "Zipf 0.7"),
    ("zipf-0.9", "Zipf 0.9"),
    ("zipf-1.1", "Zipf 1.1"),
    ("scan", "Zipf 0.9, with scans"),
    ("loop", "a loop over a quarter too many"),
    ("shift", "Zipf 0.9, what is popular shifts"),
];
pub const TRACE_SUBJECTS: &[&str] = POLICIES;

/// The number of keys in all measurements of the store except those by size.
pub const KEYS: u64 = 100_000;

pub const BYTES_SUBJECTS: &[&str] = ALL;
/// The goal for the bytes of heap for each entry, at most.
pub const MOST_BYTES: f64 = 176.0;

/// A measurement of the fetch driver.
pub struct FetchWork {
    pub work: &'static str,
    pub name: &'static str,
    pub label: &'static str,
    /// The goal, at most, in nanoseconds.
    pub most: f64,
    pub subjects: &'static [&'static str],
}

const LOADERS: &[&str] =
    &["channel_std", "channel_crossbeam", "channel_by_64", "quick_cache", "quick_cache_in_turn", "moka", "moka_in_turn"];

pub const FETCH: &[FetchWork] = &[
    FetchWork { work: "absent", name: "fetch 1,000 absent", label: "1,000 absent keys, ns a key", most: 300.0, subjects: LOADERS },
    FetchWork {
        work: "resident",
        name: "fetch 1,000 resident",
        label: "1,000 resident keys, ns a key",
        most: 45.0,
        subjects: &["quick_cache", "moka"],
    },
    FetchWork {
        work: "trip",
        name: "fetch one absent",
        label: "one absent key, round trip",
        most: 7_000.0,
        subjects: &["parked_worker", "quick_cache", "moka"],
    },
    FetchWork {
        work: "waiters",
        name: "100 waiters on one key",
        label: "100 waiters on one key, ns a waiter",
        most: 150.0,
        subjects: &["quick_cache", "moka"],
    },
];

/// Numbers of entries at which a hit is measured; the quick form omits the last.
pub const SIZES: &[u64] = &[10_000, 100_000, 1_000_000, 10_000_000];
pub const SIZE_SUBJECTS: &[&str] = &["quick_cache", "hashbrown"];

/// The beginning of a line that `make bench-swift` prints, its label in the table, the nanoseconds that an earlier library in Swift took
/// for similar work on another machine, and the goal for the speed-up. Resident keys have a goal only if they are those of that library's
/// performance tests: 10,000 numbers in order. With 100,000 keys in random order the time is dominated by memory accesses.
pub const SWIFT: &[(&str, &str, f64, Option<f64>)] = &[
    ("getElement, 10,000 Int keys in order", "get, 10,000 keys in order", 1090.0, Some(5.0)),
    ("getElement, Int key, of 100,000", "get, 100,000 keys in no order", 1090.0, None),
    ("fetch(key:), 10,000 resident in order", "fetch of a resident key, 10,000 in order", 3500.0, Some(5.0)),
    ("fetch(key:), resident, of 100,000", "fetch of a resident key, 100,000 in no order", 3500.0, None),
    ("fetch(keys:), 100,000 absent by 64", "100,000 absent keys, 64 a request, ns a key", 14_900.0, Some(21.3)),
];
