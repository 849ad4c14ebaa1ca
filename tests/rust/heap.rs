//! What a store does to the heap: the cost of an entry is the memory that it occupies (rule S03a), and no put moves a large block (rule
//! S19). The allocator counts for each thread alone, so tests do not disturb each other.

use kvlight::base::config::{CacheSettings, EvictionPolicy};
use kvlight::base::{Answer, Clock, Millis, Object, StoreTerms, Ttl, Value};
use kvlight::cache::{Departures, NewEntry, Store};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

thread_local! {
    /// The heap memory that the thread holds, in bytes.
    static HELD: Cell<u64> = const { Cell::new(0) };
    /// The old size of the largest block that was resized, in bytes. Resizing a block may move it.
    static LARGEST_RESIZED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

/// The heap memory of a block under an allocator like glibc's: the block and one word, rounded up to a multiple of two words, and at least
/// four words.
fn held_for(layout: Layout) -> u64 {
    (layout.size() as u64 + 8).div_ceil(16).max(2) * 16
}

// SAFETY: every call is passed on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(held_for(layout)));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(held_for(layout)));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise; the alignment is that of a layout.
        let resized = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        HELD.set(HELD.get().wrapping_sub(held_for(layout)).wrapping_add(held_for(resized)));
        LARGEST_RESIZED.set(LARGEST_RESIZED.get().max(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Makes the answer for an entry under `key`. A value has `len` bytes.
type Make = fn(key: &[u8], len: usize) -> Answer;

static OUTSIDE: [u8; 4096] = [0; 4096];

fn made_under_key(key: &[u8], len: usize) -> Answer {
    Answer::Value(Value::bytes_under(key, &OUTSIDE[..len]).expect("memory"))
}

fn made_before(_: &[u8], len: usize) -> Answer {
    Answer::Value(Value::bytes(&OUTSIDE[..len]).expect("memory"))
}

fn object(_: &[u8], len: usize) -> Answer {
    Answer::Value(Value::object(Object::new(null_mut(), None), len as u64))
}

fn external(_: &[u8], len: usize) -> Answer {
    // SAFETY: a static is always readable.
    Answer::Value(unsafe { Value::external(OUTSIDE.as_ptr(), len, Object::new(null_mut(), None)) })
}

fn null(_: &[u8], _: usize) -> Answer {
    Answer::Null
}

/// Puts `entries` entries into a new store. Returns by how much that made the heap grow, and what the entries cost. If their values are
/// `outside` of the heap, the bytes of the values are not counted as cost.
fn fill(make: Make, key_len: usize, len: usize, outside: bool, entries: u64, settings: &CacheSettings) -> (u64, u64) {
    let (clock, mut left) = (Clock::manual(Millis(0)), Departures::new());
    let store = Store::new(settings, None);
    let mut key = vec![0; key_len];
    let before = HELD.get();
    for number in 0..entries {
        let digits = key_len.min(8);
        key[..digits].copy_from_slice(&number.to_le_bytes()[..digits]);
        assert!(store.put(&key, NewEntry::new(make(&key, len)), &clock, &mut left).is_stored());
        left.clear();
    }
    let held = HELD.get().wrapping_sub(before);
    let kept = store.len(&clock, &mut left);
    (held, store.cost(&clock, &mut left) - if outside { kept * len as u64 } else { 0 })
}

#[test]
fn s03a_an_entry_costs_what_the_heap_holds_for_it() {
    let full = CacheSettings { capacity: 5_000, shards: Some(1), ..CacheSettings::default() };
    let by_cost = CacheSettings { capacity: 1 << 40, cost_limit: Some(1_000_000), shards: Some(1), ..CacheSettings::default() };
    let open = CacheSettings { capacity: 1 << 40, shards: Some(1), ..CacheSettings::default() };
    let idle =
        CacheSettings { capacity: 5_000, shards: Some(1), ttl_ms: Some(60_000), idle_ttl_ms: Some(1_000), ..CacheSettings::default() };
    let by_policy = EvictionPolicy::ALL.map(|policy| CacheSettings { policy, ..full.clone() });
    let shapes: [(&str, Make, usize, usize, bool); 12] = [
        ("short", made_under_key, 8, 8, false),
        ("common", made_under_key, 16, 64, false),
        ("a byte beyond a step", made_under_key, 9, 9, false),
        ("tiny", made_under_key, 2, 0, false),
        ("long", made_under_key, 40, 4_000, false),
        ("long keys", made_under_key, 1_000, 3, false),
        ("made before it was put", made_before, 16, 64, false),
        ("made before it was put, short", made_before, 9, 9, false),
        ("object", object, 16, 100, true),
        ("bytes outside", external, 16, 1_000, true),
        ("null", null, 16, 0, false),
        ("null, long key", null, 60, 0, false),
    ];
    for (shape, make, key_len, len, outside) in shapes {
        // At the capacity, beyond it, at a cost limit, and at several points of the growth of the tables.
        let others = [(5_000, &full), (8_000, &idle), (20_000, &by_cost), (700, &open), (3_001, &open), (7_777, &open)];
        for (entries, settings) in by_policy.iter().map(|settings| (8_000, settings)).chain(others) {
            let (held, cost) = fill(make, key_len, len, outside, entries, settings);
            let ratio = held as f64 / cost as f64;
            assert!(
                (0.90..1.10).contains(&ratio),
                "{shape}, {entries} entries: the heap holds {held}, and the entries cost {cost}: {ratio:.3}"
            );
            if settings.capacity == full.capacity {
                assert!(
                    (0.99..1.01).contains(&ratio),
                    "{shape}: the entries of a full store cost what the heap holds, but for the rounding of tables: {ratio:.4}"
                );
            }
        }
        // The ghosts of `s3fifo`, which the entries pay for, are there from the first eviction on.
        let s3fifo = CacheSettings { policy: EvictionPolicy::S3Fifo, ..full.clone() };
        let (held, cost) = fill(make, key_len, len, outside, 5_000, &s3fifo);
        let ratio = held as f64 / cost as f64;
        assert!((0.90..1.0).contains(&ratio), "{shape}, before there are ghosts: {ratio:.4}");
    }
}

/// The terms of an entry, by its number.
type Terms = fn(u64) -> StoreTerms;

/// This holds whatever the terms of the entries are, and also if the first entry with terms comes late.
#[test]
fn s19_no_put_moves_more_than_a_small_block() {
    const MANY: u64 = 300_000;
    let plain = CacheSettings { capacity: 1 << 40, shards: Some(1), ..CacheSettings::default() };
    let idle = CacheSettings { idle_ttl_ms: Some(60_000), ..plain.clone() };
    let graced = CacheSettings { ttl_ms: Some(60_000), stale_ttl_ms: 60_000, ..plain.clone() };
    let no_terms: Terms = |_| StoreTerms::default();
    let ttl: Terms = |number| StoreTerms { ttl: Some(Ttl::of_ms(60_000 + number)), ..StoreTerms::default() };
    let priority: Terms = |number| StoreTerms { priority: Some((number % 7) as f64), ..StoreTerms::default() };
    let late: Terms = |number| match number {
        250_000 => StoreTerms { ttl: Some(Ttl::of_ms(60_000)), stale_ms: Some(60_000), priority: Some(3.0), ..StoreTerms::default() },
        _ => StoreTerms::default(),
    };
    let shapes: [(&str, &CacheSettings, Terms); 6] = [
        ("no terms", &plain, no_terms),
        ("idle TTL", &idle, no_terms),
        ("grace", &graced, no_terms),
        ("TTL", &plain, ttl),
        ("priorities", &plain, priority),
        ("one late entry with all of them", &plain, late),
    ];
    for (shape, settings, terms) in shapes {
        let (clock, mut left) = (Clock::manual(Millis(0)), Departures::new());
        let store = Store::new(settings, None);
        LARGEST_RESIZED.set(0);
        for number in 0..MANY {
            let entry = NewEntry { terms: terms(number), ..NewEntry::new(Answer::Null) };
            assert!(store.put(&number.to_le_bytes(), entry, &clock, &mut left).is_stored());
        }
        let resized = LARGEST_RESIZED.get();
        assert!(resized <= 256 << 10, "{shape}: a block of {resized} bytes was resized, which may move it");
    }
}
