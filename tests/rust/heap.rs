//! The cost of an entry is the memory that it occupies on the heap (rule S03a). The allocations of this whole process are counted, so this
//! file has only one test.

use kvlight::base::config::CacheSettings;
use kvlight::base::{Answer, Clock, Millis, Object, Value};
use kvlight::cache::{Departures, NewEntry, Store};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

static HELD: AtomicU64 = AtomicU64::new(0);

struct Counting;

/// The heap memory of a block under an allocator like glibc's: the block and one word, rounded up to two words.
fn held_for(layout: Layout) -> u64 {
    (layout.size() as u64 + 8).div_ceil(16).max(2) * 16
}

// SAFETY: every call is passed on to the system's allocator; besides, a number is counted.
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

/// A shape of entries, and whether the host states a cost for bytes outside of the heap.
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
    // SAFETY: a static is always readable.
    Answer::Value(unsafe { Value::external(OUTSIDE.as_ptr(), len, Object::new(null_mut(), None)) })
}

fn null(_: &[u8], _: usize) -> Answer {
    Answer::Null
}

/// Puts `entries` of a shape into a store. Returns the heap memory of the store and the cost of its entries, without memory outside of the
/// heap.
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
        // At the capacity, beyond it, at a cost limit, and at several points of the growth of the tables.
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
