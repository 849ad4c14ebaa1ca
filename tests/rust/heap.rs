//! What an entry costs is what the heap holds for it (rule S03a). The allocations of this very process are counted, so this file has one
//! test only.

use kvlight::base::config::CacheSettings;
use kvlight::base::{Answer, Clock, Millis, Object, Value};
use kvlight::cache::{Departures, NewEntry, Store};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

static HELD: AtomicU64 = AtomicU64::new(0);

struct Counting;

/// What an allocator in the manner of glibc's holds for a block: a word of its own beside it, in steps of two words.
fn held_for(layout: Layout) -> u64 {
    (layout.size() as u64 + 8).div_ceil(16).max(2) * 16
}

// SAFETY: the system's allocator does it all; beside it a number is counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(held_for(layout), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(held_for(layout), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Which bytes of the host's there are beside the heap, which the host says the value costs.
type Make = fn(key: &[u8], len: usize) -> Answer;

static OUTSIDE: [u8; 4096] = [0; 4096];

fn by_bytes(key: &[u8], len: usize) -> Answer {
    Answer::Value(Value::bytes_under(key, &OUTSIDE[..len]).expect("memory"))
}

fn made_before(_: &[u8], len: usize) -> Answer {
    Answer::Value(Value::bytes(&OUTSIDE[..len]).expect("memory"))
}

fn object(_: &[u8], len: usize) -> Answer {
    Answer::Value(Value::object(Object::new(null_mut(), None), len as u64))
}

fn external(_: &[u8], len: usize) -> Answer {
    // SAFETY: a static is readable for ever.
    Answer::Value(unsafe { Value::external(OUTSIDE.as_ptr(), len, Object::new(null_mut(), None)) })
}

fn null(_: &[u8], _: usize) -> Answer {
    Answer::Null
}

/// Puts `entries` of a shape into a store, and says what the heap holds for it and what it costs, without what lies outside the heap.
fn fill(make: Make, key_len: usize, len: usize, outside: bool, entries: u64, settings: &CacheSettings) -> (u64, u64) {
    let (clock, mut left) = (Clock::manual(Millis(0)), Departures::new());
    let store = Store::new(settings, None);
    let mut key = vec![0; key_len];
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..entries {
        let digits = key_len.min(8);
        key[..digits].copy_from_slice(&number.to_le_bytes()[..digits]);
        assert!(store.put(&key, NewEntry::new(make(&key, len)), &clock, &mut left).is_stored());
        left.clear();
    }
    let held = HELD.load(Ordering::Relaxed) - before;
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
    let shapes: [(&str, Make, usize, usize, bool); 12] = [
        ("short", by_bytes, 8, 8, false),
        ("common", by_bytes, 16, 64, false),
        ("a byte beyond a step", by_bytes, 9, 9, false),
        ("tiny", by_bytes, 2, 0, false),
        ("long", by_bytes, 40, 4_000, false),
        ("long keys", by_bytes, 1_000, 3, false),
        ("made before it was put", made_before, 16, 64, false),
        ("made before it was put, short", made_before, 9, 9, false),
        ("object", object, 16, 100, true),
        ("bytes outside", external, 16, 1_000, true),
        ("null", null, 16, 0, false),
        ("null, long key", null, 60, 0, false),
    ];
    for (shape, make, key_len, len, outside) in shapes {
        // At its capacity, beyond it, at a limit by cost, and at any point of the growth of its tables.
        for (entries, settings) in
            [(5_000, &full), (8_000, &full), (8_000, &idle), (20_000, &by_cost), (700, &open), (3_001, &open), (7_777, &open)]
        {
            let (held, cost) = fill(make, key_len, len, outside, entries, settings);
            let ratio = held as f64 / cost as f64;
            assert!((0.90..1.10).contains(&ratio), "{shape}, {entries} entries: the heap holds {held}, they cost {cost}: {ratio:.3}");
            if settings.capacity == full.capacity {
                assert!(
                    (0.99..1.01).contains(&ratio),
                    "{shape}: a full store costs what it holds, to what the tables are rounded by: {ratio:.4}"
                );
            }
        }
    }
}
