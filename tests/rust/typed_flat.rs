//! Repeating any operation of the typed interface does not increase memory (rule L08). KVL_CALLS is how often a cheap operation is repeated;
//! `make test-long` sets a million. A costly operation is repeated once for every 100 or 500 of these.
//!
//! The allocator counts for the whole process, so this file has only one test.

mod typed_fixture;

use kvlight::{Builder, ErrorKind, FetchResult, Tasks};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};
use typed_fixture::{block_on, by_hand, is_pending};

const DEFAULT_CALLS: u64 = 10_000;
const WARM_UP: u64 = 100_000;
/// The keys of a batch.
const BATCH: u64 = 100;
/// The growth, in bytes, that what is still on its way between threads may cause.
const ALLOWED: isize = 64 << 10;

/// The heap memory that the process holds, in bytes.
static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_add(size.cast_signed() - layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Repeats `work`, which gets the number of the call, and checks that the memory stays as it is.
fn assert_flat(what: &str, calls: u64, mut work: impl FnMut(u64)) {
    let (mut last, mut grown) = (0, 0);
    let mut run = |count: u64| {
        (last..last + count).for_each(&mut work);
        last += count;
    };
    run(calls.min(WARM_UP));
    // A leak grows in every round. A structure that has not reached its limit grows only in some.
    for _ in 0..3 {
        let before = HELD.load(Ordering::Relaxed);
        run(calls);
        grown = HELD.load(Ordering::Relaxed) - before;
        if grown <= ALLOWED {
            return;
        }
    }
    panic!("{what}: the memory has grown by {grown} bytes after {calls} calls");
}

/// Keys that begin with "n" are absent; the provider fails for those that begin with "f".
fn builder() -> Builder<String, String> {
    Tasks::builder().set("cache.capacity", 1000).load(|keys: &[String]| {
        let known = keys.iter().filter(|key| !key.starts_with('n'));
        if keys[0].starts_with('f') { Err("no such host") } else { Ok(known.map(|key| (key.clone(), format!("value of {key}"))).collect()) }
    })
}

#[test]
fn l08_memory_is_flat_in_rust() {
    let calls = std::env::var("KVL_CALLS").map_or(DEFAULT_CALLS, |calls| calls.parse().expect("KVL_CALLS is a number"));
    let tasks = builder().build().expect("an engine");
    let cache = tasks.cache();
    let key = |prefix: &str, number: u64| format!("{prefix}{number}");
    let is_value = |found: FetchResult<String>| found.expect("an answer").is_some();

    assert_flat("gets", calls, |number| drop(cache.get(&key("k", number % 2000))));
    assert_flat("puts", calls, |number| assert!(cache.put(&key("k", number % 2000), key("value ", number)).expect("open")));
    assert_flat("removes", calls, |number| {
        cache.put("removed", key("value ", number)).expect("open");
        assert!(cache.remove("removed"));
    });
    assert_flat("futures that find a value", calls, |_| {
        cache.put("kept", "value".to_owned()).expect("open");
        assert!(is_value(block_on(tasks.fetch("kept"))));
    });
    assert_flat("waits that find a value", calls, |_| {
        cache.put("kept", "value".to_owned()).expect("open");
        assert!(is_value(tasks.fetch_wait("kept")));
    });
    assert_flat("futures that load", calls, |number| assert!(is_value(block_on(tasks.fetch(&key("u", number))))));
    assert_flat("waits that load", calls, |number| assert!(is_value(tasks.fetch_wait(&key("w", number)))));
    assert_flat("absences", calls, |number| assert!(!is_value(block_on(tasks.fetch(&key("n", number))))));
    assert_flat("failures", calls, |number| {
        let error = block_on(tasks.fetch(&key("f", number))).expect_err("the provider fails");
        assert_eq!(error.kind(), ErrorKind::Provider);
    });
    assert_flat("batches", calls / BATCH, |number| {
        let keys: Vec<String> = (0..BATCH).map(|at| key("b", number * BATCH + at)).collect();
        assert!(block_on(tasks.fetch_all(&keys)).expect("a batch").into_iter().all(is_value));
    });

    let (builder_by_hand, requests) = by_hand::<String, String>();
    let slow = builder_by_hand.build().expect("an engine");
    assert_flat("futures dropped at once", calls, |number| {
        assert!(is_pending(&mut slow.fetch(&key("k", number))));
        while requests.try_recv().is_ok() {}
    });
    assert_flat("futures dropped while their keys are loaded", calls, |number| {
        let key = key("l", number);
        let mut fetch = slow.fetch(&key);
        assert!(is_pending(&mut fetch));
        // Requests of earlier fetches may come first.
        let request = std::iter::repeat_with(|| requests.recv().expect("a request")).find(|request| request.key(0) == key);
        drop(fetch);
        assert!(request.is_some_and(|request| request.is_cancelled()));
    });

    assert_flat("engines", calls / 500, |_| {
        let tasks = builder().build().expect("an engine");
        assert!(is_value(tasks.fetch_wait("a")));
        tasks.shut_down();
    });
}
