//! The interface for Rust programs: typed keys and values, with blocking calls and with futures.

use super::typed_fixture::{block_on, by_hand, is_pending};
use kvlight::base::Millis;
use kvlight::base::config::TABLE;
use kvlight::{
    BreakerOverride, BreakerState, Builder, CacheState, Cause, EntryTerms, ErrorKind, FetchError, FetchOptions, FetchProgress, LoadRequest,
    ManualClock, Source, Tasks, TypedCache,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// Doubles even numbers; odd numbers are absent.
fn doubling(calls: &Arc<AtomicUsize>) -> Builder<u64, u64> {
    let calls = calls.clone();
    Tasks::builder().load(move |keys: &[u64]| {
        calls.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(keys.iter().filter(|key| **key % 2 == 0).map(|key| (*key, 2 * key)).collect())
    })
}

#[test]
fn f01_blocking_calls_and_futures_return_values_and_absences_in_order() {
    let calls = Arc::new(AtomicUsize::new(0));
    let tasks = doubling(&calls).build().expect("an engine");
    assert_eq!(tasks.fetch_wait(&4).expect("a value").as_deref(), Some(&8));
    assert_eq!(tasks.fetch_wait(&5).expect("an absence"), None);
    assert_eq!(block_on(tasks.fetch(&4)).expect("a value").as_deref(), Some(&8));
    let all: Vec<Option<u64>> = block_on(tasks.fetch_all(&[6, 7, 6, 4]))
        .expect("a batch")
        .into_iter()
        .map(|found| found.expect("an answer").as_deref().copied())
        .collect();
    assert_eq!(all, [Some(12), None, Some(12), Some(8)]);
    assert_eq!(calls.load(Ordering::Relaxed), 3, "4, then 5, then 6 and 7 together");
    let all = tasks.fetch_all_wait(&[4, 5]).expect("a batch");
    assert_eq!(all.into_iter().map(|found| found.expect("an answer").is_some()).collect::<Vec<_>>(), [true, false]);
    tasks.shut_down();
}

#[test]
fn f06_a_thousand_fetches_of_one_key_share_one_call_and_one_value() {
    let (builder, requests) = by_hand::<String, String>();
    let tasks = builder.build().expect("an engine");
    let mut fetches: Vec<_> = (0..1000).map(|_| tasks.fetch("key")).collect();
    for fetch in &mut fetches {
        assert!(is_pending(fetch));
    }
    let request = requests.recv().expect("one request");
    assert_eq!(request.keys(), ["key"]);
    assert!(request.resolve(0, "value".to_owned()));
    assert!(!request.resolve(0, "other".to_owned()), "the key has an answer already");
    drop(request);
    let values: Vec<Arc<String>> = fetches.into_iter().map(|fetch| block_on(fetch).expect("an answer").expect("a value")).collect();
    assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])));
    assert!(requests.try_recv().is_err());
}

#[derive(Debug)]
struct Down(u32);

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "down for {} s", self.0)
    }
}

impl std::error::Error for Down {}

#[test]
fn f20_the_providers_error_reaches_every_caller_as_the_same_object() {
    let tasks: Tasks<u8, ()> = Tasks::builder().load(|_: &[u8]| Err::<HashMap<u8, ()>, _>(Down(7))).build().expect("an engine");
    let found = tasks.fetch_all_wait(&[1, 2]).expect("a batch");
    let errors: Vec<&FetchError> = found.iter().map(|found| found.as_ref().expect_err("the load failed")).collect();
    assert!(errors[0].is_same(errors[1]));
    assert_eq!((errors[0].kind(), errors[0].to_string()), (ErrorKind::Provider, "down for 7 s".to_owned()));
    assert_eq!(errors[0].provider_error().and_then(|error| error.downcast_ref::<Down>()).map(|down| down.0), Some(7));
    assert!(std::error::Error::source(errors[0]).is_some_and(|source| source.is::<Down>()));
}

#[test]
fn f09_a_future_that_is_dropped_cancels_its_fetch_and_no_other() {
    let (builder, requests) = by_hand::<u8, u8>();
    let tasks = builder.build().expect("an engine");
    let (mut first, mut second) = (tasks.fetch(&1), tasks.fetch(&1));
    assert!(is_pending(&mut first));
    assert!(is_pending(&mut second));
    let request = requests.recv().expect("a request");
    drop(first);
    assert!(!request.is_cancelled());
    request.resolve(0, 5);
    assert_eq!(block_on(second).expect("an answer").as_deref(), Some(&5));
    let mut third = tasks.fetch(&2);
    assert!(is_pending(&mut third));
    let request = requests.recv().expect("a request");
    drop(third);
    assert!(request.is_cancelled());
}

#[test]
fn s06_terms_apply_and_a_cache_needs_no_provider() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let cache: TypedCache<String, Vec<u8>> =
        Builder::default().set("cache.capacity", 2).clock(clock.clone()).build_cache().expect("a cache");
    let short = EntryTerms { ttl: Some(Duration::from_millis(50)), ..EntryTerms::default() };
    assert!(cache.put_with("a", vec![1], short).expect("open"));
    assert!(cache.put_absent("b").expect("open"));
    assert!(matches!(cache.get("a"), CacheState::Value(value) if *value == [1]));
    assert!(matches!(cache.peek("b"), CacheState::Absent));
    clock.advance(50);
    assert!(matches!(cache.get("a"), CacheState::Unknown));
    assert!(cache.remove("b") && !cache.remove("b") && cache.is_empty());
}

/// A value whose drop panics if it says so.
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "a drop that panics");
    }
}

#[test]
fn l07_a_drop_that_panics_ends_neither_the_call_nor_the_process() {
    let cache: TypedCache<u32, Bomb> = Builder::default().build_cache().expect("a cache");
    assert!(cache.put(&1, Bomb(true)).expect("open") && cache.put(&1, Bomb(false)).expect("open"));
    for key in 2..10 {
        cache.put(&key, Bomb(true)).expect("open");
    }
    assert!(cache.remove(&2));
    cache.resize(4, None).expect("open");
    cache.clear();
    cache.put(&1, Bomb(true)).expect("open");
    cache.put(&2, Bomb(true)).expect("open");
    drop(cache);
    let tasks: Tasks<u32, Bomb> = Tasks::builder().load(|_: &[u32]| Ok::<_, String>(HashMap::new())).build().expect("an engine");
    for key in 0..3 {
        tasks.cache().put(&key, Bomb(true)).expect("open");
    }
    tasks.shut_down();
}

#[test]
fn l07_a_panic_of_a_provider_is_the_error_of_its_keys() {
    let tasks: Tasks<u8, u8> = Tasks::builder()
        .load(|keys: &[u8]| -> Result<HashMap<u8, u8>, String> { panic!("no key {}", keys[0]) })
        .build()
        .expect("an engine");
    let error = tasks.fetch_wait(&7).expect_err("it panics");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Provider, "the provider panicked: no key 7"));
    let tasks: Tasks<u8, u8> =
        Tasks::builder().provider(|request: LoadRequest<u8, u8>| panic!("{}", request.len())).build().expect("an engine");
    assert_eq!(tasks.fetch_wait(&7).expect_err("it panics").kind(), ErrorKind::Provider);
}

#[test]
fn f10b_a_timeout_after_failed_attempts_has_their_last_error() {
    let (clock, calls) = (Arc::new(ManualClock::new(Millis(0))), Arc::new(AtomicUsize::new(0)));
    let counted = calls.clone();
    let tasks: Tasks<u8, u8> = Tasks::builder()
        .set("retry.count", -1)
        .set("retry.fixed_ms", 0)
        .clock(clock.clone())
        .load(move |_: &[u8]| {
            counted.fetch_add(1, Ordering::SeqCst);
            Err::<HashMap<u8, u8>, _>("the database is down")
        })
        .build()
        .expect("an engine");
    let error = thread::scope(|threads| {
        let fetch = threads.spawn(|| tasks.fetch_wait_with(&1, &FetchOptions::new().set("timeout_ms", 100)));
        // One attempt has failed when the second one begins.
        while calls.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
        clock.advance(100);
        fetch.join().expect("no panic").expect_err("no attempt succeeds")
    });
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.provider_error().map(ToString::to_string).as_deref(), Some("the database is down"));
}

#[test]
fn l09_a_priority_that_is_no_number_is_refused_and_changes_nothing() {
    let cache: TypedCache<u8, u8> = Builder::default().build_cache().expect("a cache");
    cache.put(&1, 1).expect("open");
    let terms = || EntryTerms { priority: Some(f64::NAN), ..EntryTerms::default() };
    assert_eq!(cache.put_with(&1, 2, terms()).expect_err("not a number").kind(), ErrorKind::BadSetting);
    assert_eq!(cache.put_if_absent(&2, 2, terms()).expect_err("not a number").kind(), ErrorKind::BadSetting);
    assert!(matches!((cache.get(&1), cache.get(&2)), (CacheState::Value(value), CacheState::Unknown) if *value == 1));
}

#[test]
fn l09_a_key_that_is_too_long_harms_no_entry() {
    let long = "k".repeat(65_536);
    let provider = |request: LoadRequest<String, u8>| {
        assert!(!request.supply(&"k".repeat(65_536), 2));
        request.resolve(0, 1);
    };
    let tasks: Tasks<String, u8> = Tasks::builder().provider(provider).build().expect("an engine");
    let cache = tasks.cache();
    cache.put("short", 1).expect("open");
    let kind = |error: FetchError| error.kind();
    assert_eq!(cache.put(&long, 1).map_err(kind), Err(ErrorKind::InvalidKey));
    assert_eq!(cache.put_absent(&long).map_err(kind), Err(ErrorKind::InvalidKey));
    assert_eq!(cache.put_if_absent(&long, 1, EntryTerms::default()).map_err(kind), Err(ErrorKind::InvalidKey));
    assert_eq!(cache.touch(&long, None).map_err(kind), Err(ErrorKind::InvalidKey));
    assert!(matches!(
        (cache.get(&long), cache.peek(&long), cache.take(&long)),
        (CacheState::Unknown, CacheState::Unknown, CacheState::Unknown)
    ));
    assert!(!cache.remove(&long) && !cache.expire(&long));
    tasks.refresh([&*long]).expect("open");
    tasks.invalidate([&*long]).expect("open");
    assert_eq!(tasks.fetch_wait(&long).map_err(kind), Err(ErrorKind::InvalidKey));
    assert_eq!(tasks.fetch_wait("loaded").expect("a value").as_deref(), Some(&1));
    assert!(matches!(cache.get("short"), CacheState::Value(value) if *value == 1));
    assert_eq!(cache.len(), 2);
}

#[test]
fn s17_a_touch_gives_an_entry_a_new_ttl() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let cache: TypedCache<u8, u8> = Builder::default().set("cache.ttl_ms", 50).clock(clock.clone()).build_cache().expect("a cache");
    for key in 1..=3 {
        cache.put(&key, key).expect("open");
    }
    clock.advance(40);
    assert!(cache.touch(&1, None).expect("open"));
    assert!(cache.touch(&2, Some(Duration::MAX)).expect("open"));
    assert!(!cache.touch(&4, None).expect("open"), "there is no entry");
    clock.advance(49);
    assert!(matches!((cache.peek(&1), cache.peek(&2), cache.peek(&3)), (CacheState::Value(_), CacheState::Value(_), CacheState::Unknown)));
    clock.advance(1);
    assert!(matches!((cache.peek(&1), cache.peek(&2)), (CacheState::Unknown, CacheState::Value(_))));
    assert_eq!(cache.touch(&2, Some(Duration::ZERO)).expect_err("a TTL of 0").kind(), ErrorKind::BadSetting);
}

#[test]
fn s17_a_conditional_put_stores_once_and_one_taker_receives_the_value() {
    let cache: TypedCache<u8, String> = Builder::default().build_cache().expect("a cache");
    assert!(cache.put_if_absent(&1, "first".to_owned(), EntryTerms::default()).expect("open"));
    assert!(!cache.put_if_absent(&1, "second".to_owned(), EntryTerms::default()).expect("open"));
    assert!(cache.put_absent(&2).expect("open"));
    assert!(!cache.put_if_absent(&2, "value".to_owned(), EntryTerms::default()).expect("open"), "an absence is an entry");
    let values: Vec<Option<Arc<String>>> = thread::scope(|threads| {
        [1, 2].map(|_| threads.spawn(|| cache.take(&1).value())).map(|taker| taker.join().expect("no panic")).into()
    });
    assert_eq!(values.iter().flatten().map(|value| value.as_str()).collect::<Vec<_>>(), ["first"]);
    assert!(matches!(cache.take(&2), CacheState::Absent));
    assert!(matches!(cache.take(&2), CacheState::Unknown) && cache.is_empty());
}

#[test]
fn s18_an_iteration_visits_each_entry_once_while_the_cache_changes() {
    let cache: TypedCache<u32, u32> = Builder::default().build_cache().expect("a cache");
    for key in 0..1000 {
        cache.put(&key, key * 2).expect("open");
    }
    cache.put_absent(&1000).expect("open");
    let mut seen: Vec<(u32, Option<u32>)> = Vec::new();
    for (key, value) in &cache {
        cache.remove(&key);
        seen.push((key, value.map(|value| *value)));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..1000).map(|key| (key, Some(key * 2))).chain([(1000, None)]).collect::<Vec<_>>());
    assert!(cache.is_empty() && cache.iter().next().is_none());

    let tasks = doubling(&Arc::default()).build().expect("an engine");
    tasks.cache().put(&1, 1).expect("open");
    let mut entries = tasks.cache().iter();
    tasks.shut_down();
    assert!(entries.next().is_none(), "the engine has ended");
}

#[test]
fn r11_r12_tags_remove_and_expire_their_entries() {
    let tagged = |tags: &[&str]| EntryTerms { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..EntryTerms::default() };
    let cache: TypedCache<u8, u8> = Builder::default().build_cache().expect("a cache");
    assert!(cache.put_with(&1, 1, tagged(&["odd", "small"])).expect("open"));
    assert!(cache.put_with(&2, 2, tagged(&["small"])).expect("open"));
    assert!(cache.put_with(&3, 3, tagged(&["odd"])).expect("open"));
    assert_eq!((cache.remove_tag("odd"), cache.remove_tag("odd"), cache.remove_tag("")), (2, 0, 0));
    assert!(matches!(cache.get(&2), CacheState::Value(value) if *value == 2));
    assert_eq!((cache.expire_tag("small"), cache.len()), (1, 0));
    cache.put(&4, 4).expect("open");
    assert!(cache.expire(&4) && !cache.expire(&4));
    cache.put(&5, 5).expect("open");
    cache.expire_all();
    assert!(cache.is_empty());
    for refused in [tagged(&[""]), tagged(&["t"; 17]), EntryTerms { version: "v".repeat(256), ..EntryTerms::default() }] {
        assert_eq!(cache.put_with(&6, 6, refused).expect_err("a label is out of range").kind(), ErrorKind::BadSetting);
    }
}

#[test]
fn r06_a_record_that_has_not_changed_keeps_its_value() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let tasks: Tasks<u8, String> = Tasks::builder()
        .set("cache.ttl_ms", 100)
        .set("stale.ttl_ms", 1000)
        .clock(clock.clone())
        .provider(move |request| {
            let held = request.stale(0);
            let is_same = held.as_ref().is_some_and(|entry| entry.version == "v1");
            // Noted before the answer, because the answer lets the test go on.
            noted.lock().expect("no panic").push(held.map(|entry| (entry.value, entry.age)));
            if is_same {
                assert!(request.not_modified(0, EntryTerms::default()).expect("terms in range"));
            } else {
                assert!(!request.not_modified(0, EntryTerms::default()).expect("terms in range"), "there is no entry to renew");
                let terms = EntryTerms { version: "v1".to_owned(), tags: vec!["tag".to_owned()], ..EntryTerms::default() };
                assert!(request.resolve_with(0, "answer".to_owned(), terms).expect("terms in range"));
            }
        })
        .build()
        .expect("an engine");
    let first = tasks.fetch_wait(&1).expect("an answer").expect("a value");
    clock.advance(150);
    let again = tasks.fetch_wait(&1).expect("an answer").expect("a value");
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(*seen.lock().expect("no panic"), [None, Some((Some(first), Duration::from_millis(150)))]);
    assert!(matches!(tasks.cache().get(&1), CacheState::Value(_)), "the entry is fresh again");
    assert_eq!(tasks.cache().remove_tag("tag"), 1, "the entry kept its tags");
}

#[test]
fn r02_r07_a_fallback_serves_while_the_breaker_is_open_unless_the_record_is_gone() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let tasks: Tasks<u8, u8> = Tasks::builder()
        .set("cache.ttl_ms", 100)
        .set("stale.ttl_ms", 10_000)
        .set("stale.retry_ms", 0)
        .set("breaker.consecutive", 1)
        .clock(clock.clone())
        .provider(move |request| {
            let _ = match counted.fetch_add(1, Ordering::Relaxed) {
                0 => request.resolve(0, 7),
                1 => request.fail(0, Down(1)),
                _ => request.fail_gone(0, Down(1)),
            };
        })
        .build()
        .expect("an engine");
    assert_eq!(tasks.fetch_wait(&1).expect("an answer").as_deref(), Some(&7));
    clock.advance(150);
    for _ in 0..2 {
        assert_eq!(tasks.fetch_wait(&1).expect("the fallback").as_deref(), Some(&7));
        assert_eq!((tasks.breaker_state(), calls.load(Ordering::Relaxed)), (BreakerState::Open, 2));
    }
    let detailed = block_on(tasks.fetch(&1).detailed()).expect("the fallback");
    assert_eq!((detailed.value.as_deref(), detailed.source, detailed.is_stale), (Some(&7), Source::Stale, true));
    assert_eq!((detailed.age, detailed.ttl_left), (Duration::from_millis(150), Duration::ZERO));
    assert_eq!(detailed.failure.map(|error| error.kind()), Some(ErrorKind::Unavailable));
    tasks.force_breaker(BreakerOverride::Closed).expect("open");
    assert_eq!(tasks.breaker_state(), BreakerState::Closed);
    for _ in 0..2 {
        assert_eq!(tasks.fetch_wait(&1).expect_err("the record is gone").kind(), ErrorKind::Provider);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

/// An engine whose requests the test answers. Values are fresh for 100 ms and fallbacks for 10 s.
fn with_fallbacks(clock: &Arc<ManualClock>) -> (Tasks<u8, u8>, mpsc::Receiver<LoadRequest<u8, u8>>) {
    let (builder, requests) = by_hand();
    let builder = builder.set("cache.ttl_ms", Duration::from_millis(100)).set("stale.ttl_ms", 10_000).clock(clock.clone());
    (builder.build().expect("an engine"), requests)
}

#[test]
fn r04_f19_a_fetch_states_how_long_it_waits_before_it_is_served_a_fallback() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let (tasks, requests) = with_fallbacks(&clock);
    tasks.cache().put(&1, 7).expect("open");
    clock.advance(150);
    let at_once = FetchOptions::new().set("stale.timeout_ms", 0);
    let soon = FetchOptions::new().set("stale.timeout_ms", Duration::from_millis(50));

    assert_eq!(tasks.fetch_wait_with(&1, &at_once).expect("the fallback").as_deref(), Some(&7));
    let detailed = block_on(tasks.fetch_with(&1, &at_once).detailed()).expect("the fallback");
    assert_eq!((detailed.value.as_deref(), detailed.source, detailed.is_stale), (Some(&7), Source::Stale, true));
    assert!(detailed.failure.is_none(), "the load has not failed");
    let request = requests.recv().expect("one load for both");
    assert!(request.is_wanted(0));

    let batch = tasks.fetch_all_wait_detailed(&[1], &at_once).expect("a batch").remove(0);
    for waited in [tasks.fetch_wait_detailed(&1, &at_once), batch] {
        let waited = waited.expect("the fallback");
        assert_eq!(
            (waited.value.as_deref(), waited.source, waited.is_stale, waited.failure.is_none()),
            (Some(&7), Source::Stale, true, true)
        );
        assert_eq!(waited.age, Duration::from_millis(150));
    }

    let mut plain = tasks.fetch(&1);
    let mut waiting = tasks.fetch_all_with(&[1, 2], &soon);
    assert!(is_pending(&mut plain));
    assert!(is_pending(&mut waiting));
    clock.advance(50);
    let second = requests.recv().expect("the key that has no fallback is loaded");
    assert!(second.resolve(0, 8));
    let found = block_on(waiting).expect("a batch").into_iter().map(|found| found.expect("an answer").as_deref().copied());
    assert_eq!(found.collect::<Vec<_>>(), [Some(7), Some(8)], "the fallback of one, the answer of the other");
    assert!(is_pending(&mut plain), "the options were those of another fetch");
    assert!(request.resolve(0, 9));
    assert_eq!(block_on(plain).expect("an answer").as_deref(), Some(&9));
    assert_eq!(tasks.fetch_wait_with(&1, &at_once).expect("a value").as_deref(), Some(&9), "the answer was stored");
    let all = tasks.fetch_all_wait_with(&[1, 2], &at_once).expect("a batch");
    assert_eq!(all.into_iter().map(|found| found.expect("an answer").as_deref().copied()).collect::<Vec<_>>(), [Some(9), Some(8)]);
}

#[test]
fn f19_options_state_urgency_reading_and_retries_of_one_call() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let (tasks, requests) = with_fallbacks(&clock);
    let reading = |how| FetchOptions::new().set("read", how);
    assert_eq!(tasks.fetch_wait_with(&1, &reading("cache_only")).expect("a miss"), None);
    assert!(requests.try_recv().is_err(), "a fetch from the cache only loads nothing");

    tasks.refresh_with(&[1], &FetchOptions::new().set("urgency", 5).set("retry.count", 1).set("retry.fixed_ms", 0)).expect("open");
    let request = requests.recv().expect("a request");
    assert_eq!((request.urgency(), request.attempt(0), request.attempt(1), request.time_left()), (5, 1, 0, None));
    assert!(request.fail(0, Down(1)));
    drop(request);
    let request = requests.recv().expect("the second attempt");
    assert_eq!(request.attempt(0), 2);
    assert!(request.resolve(0, 3));
    drop(request);
    assert_eq!(tasks.fetch_wait(&1).expect("a value").as_deref(), Some(&3));
    tasks.refresh_with(&[1], &reading("no_store")).expect_err("a refresh stores");
}

#[test]
fn f03_a_batch_reports_its_progress() {
    let (tasks, requests) = with_fallbacks(&Arc::new(ManualClock::new(Millis(0))));
    let seen: Arc<Mutex<Vec<FetchProgress>>> = Arc::default();
    let noted = seen.clone();
    let options = FetchOptions::new().on_progress(2, move |progress| noted.lock().expect("no panic").push(progress));
    tasks.cache().put(&1, 1).expect("open");
    let mut fetch = tasks.fetch_all_with(&[1, 2, 3, 4], &options);
    assert!(is_pending(&mut fetch));
    let request = requests.recv().expect("a request");
    assert!(request.resolve(0, 2) && request.fail_permanently(1, Down(1)) && request.resolve(2, 4));
    assert_eq!(block_on(fetch).expect("a batch").iter().filter(|found| found.is_ok()).count(), 3);
    let seen = seen.lock().expect("no panic");
    assert!(seen.iter().all(|each| each.total == 4) && seen.is_sorted_by_key(|each| each.done), "{seen:?}");
    assert_eq!(seen.last(), Some(&FetchProgress { done: 4, failed: 1, total: 4 }));
    let found = block_on(tasks.fetch_all_with(&[1, 2], &options)).expect("a batch");
    assert!(found.iter().all(Result::is_ok) && seen.len() <= 2, "hits are not reported as progress");
}

#[test]
fn l09b_r04_options_that_cannot_work_fail_their_call_with_a_sentence() {
    let (tasks, requests) = with_fallbacks(&Arc::new(ManualClock::new(Millis(0))));
    let assert_refused = |options: &FetchOptions, words: &str| {
        let errors = [
            tasks.fetch_wait_with(&1, options).expect_err("refused"),
            tasks.fetch_all_wait_with(&[1], options).expect_err("refused"),
            tasks.fetch_wait_detailed(&1, options).expect_err("refused"),
            tasks.fetch_all_wait_detailed(&[1], options).expect_err("refused"),
            block_on(tasks.fetch_with(&1, options)).expect_err("refused"),
            block_on(tasks.fetch_with(&1, options).detailed()).expect_err("refused"),
            block_on(tasks.fetch_all_with(&[1], options)).expect_err("refused"),
            block_on(tasks.fetch_all_with(&[1], options).detailed()).expect_err("refused"),
            tasks.refresh_with(&[1], options).expect_err("refused"),
        ];
        for error in errors {
            assert!(error.kind() == ErrorKind::BadSetting && error.to_string().contains(words), "{error}");
        }
    };
    assert_refused(&FetchOptions::new().set("timeuot_ms", 5), "did you mean \"timeout_ms\"?");
    assert_refused(&FetchOptions::new().set("retry.count", Duration::from_secs(1)), "not \"1s\"");
    assert_refused(&FetchOptions::new().set("cache.capacity", 5), "applies to the whole engine");
    assert_refused(&FetchOptions::new().set("stale.timeout_ms", 6).set("timeout_ms", 5), "before it receives the fallback");
    assert_refused(&FetchOptions::new().set("stale.timeout_ms", 6).set("read", "cache_only"), "nothing is loaded");
    assert!(requests.try_recv().is_err(), "nothing was loaded");
    for row in TABLE.iter().filter(|row| row.per_fetch) {
        tasks.cache().put(&1, 1).expect("open");
        tasks.fetch_wait_with(&1, &FetchOptions::new().set(row.name, row.default)).expect(row.name);
    }
}

#[test]
fn r01_r11_absences_and_extra_keys_have_terms_too() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let (tasks, requests) = with_fallbacks(&clock);
    let cache = tasks.cache();
    let short = |tag: &str| EntryTerms {
        ttl: Some(Duration::from_millis(10)),
        stale_ttl: Some(Duration::from_millis(40)),
        tags: vec![tag.to_owned()],
        ..EntryTerms::default()
    };
    let refused = || EntryTerms { version: "v".repeat(256), ..EntryTerms::default() };
    let mut fetch = tasks.fetch(&1);
    assert!(is_pending(&mut fetch));
    let request = requests.recv().expect("a request");
    let kind = |refused: Result<bool, FetchError>| refused.expect_err("the version is too long").kind();
    assert_eq!([kind(request.resolve_absent_with(0, refused())), kind(request.supply_with(&2, 2, refused()))], [ErrorKind::BadSetting; 2]);
    assert_eq!(kind(request.not_modified(0, refused())), ErrorKind::BadSetting);
    let is_accepted = |answered: Result<bool, FetchError>| answered.expect("terms in range");
    assert!(is_accepted(request.supply_with(&2, 2, short("extra"))) && is_accepted(request.supply_absent_with(&3, short("extra"))));
    assert!(request.supply_absent(&4) && is_accepted(request.resolve_absent_with(0, short("absent"))));
    assert_eq!(block_on(fetch).expect("an absence"), None);
    cache.put_absent_with(&5, short("put")).expect("open");
    let states = |keys: &[u8]| keys.iter().map(|key| format!("{:?}", cache.peek(key))).collect::<Vec<_>>().join(" ");
    assert_eq!(states(&[1, 2, 3, 4, 5]), "Absent Value(2) Absent Absent Absent");
    assert_eq!((cache.expire_tag("put"), cache.expire_tag("none")), (1, 0));
    assert_eq!(states(&[1, 2, 3, 4, 5]), "Absent Value(2) Absent Absent Unknown");
    clock.advance(20);
    assert_eq!(states(&[1, 2, 3, 4, 5]), "Unknown Unknown Unknown Absent Unknown", "each had its own TTL");
    for (key, value) in [(1, None), (2, Some(2)), (3, None), (5, None)] {
        let at_once = FetchOptions::new().set("stale.timeout_ms", 0);
        let found = block_on(tasks.fetch_with(&key, &at_once).detailed()).expect("the fallback");
        assert_eq!((found.is_stale, found.value.as_deref().copied()), (true, value), "key {key}");
    }
}

#[test]
fn f22_details_say_where_a_value_came_from_how_old_it_is_and_when_it_expires() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let tasks: Tasks<u64, u64> = doubling(&Arc::default()).set("cache.ttl_ms", 100).clock(clock.clone()).build().expect("an engine");
    let loaded = block_on(tasks.fetch(&4).detailed()).expect("a value");
    assert_eq!((loaded.value.as_deref(), loaded.source, loaded.attempts), (Some(&8), Source::Provider, 1));
    assert_eq!((loaded.age, loaded.ttl_left, loaded.is_stale), (Duration::ZERO, Duration::from_millis(100), false));
    clock.advance(40);
    let batch = block_on(tasks.fetch_all(&[4, 5]).detailed()).expect("a batch");
    let [resident, absent] = <[_; 2]>::try_from(batch).expect("two results").map(|found| found.expect("an answer"));
    assert_eq!((resident.value.as_deref(), resident.source, resident.attempts), (Some(&8), Source::Store, 0));
    assert_eq!((resident.age, resident.ttl_left), (Duration::from_millis(40), Duration::from_millis(60)));
    assert_eq!((absent.value, absent.source), (None, Source::Provider));
    assert!(resident.failure.is_none() && absent.failure.is_none());
    for one in [block_on(tasks.fetch(&4).detailed()), tasks.fetch_wait_detailed(&4, &FetchOptions::new())] {
        let one = one.expect("a value");
        assert_eq!((one.source, one.age, one.ttl_left), (Source::Store, Duration::from_millis(40), Duration::from_millis(60)));
    }
}

#[test]
fn t05_what_another_process_has_changed_is_loaded_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let tasks = doubling(&calls).build().expect("an engine");
    tasks.fetch_all_wait(&[2, 4, 5]).expect("a batch");
    tasks.invalidate(&[4, 5]).expect("open");
    assert!(matches!(tasks.cache().get(&2), CacheState::Value(_)), "2 was not invalidated");
    assert!(matches!(tasks.cache().get(&4), CacheState::Unknown));
    assert_eq!(tasks.fetch_wait(&4).expect("a value").as_deref(), Some(&8));
    assert_eq!(calls.load(Ordering::Relaxed), 2, "4 was loaded again");
    tasks.invalidate_all().expect("open");
    assert!(matches!(tasks.cache().get(&2), CacheState::Unknown));
    let other_handle = tasks.clone();
    tasks.shut_down();
    assert_eq!(other_handle.invalidate(&[2]).expect_err("the engine is closed").kind(), ErrorKind::Closed);
}

#[test]
fn s11_a_removed_value_is_reported_with_its_cause_and_dropped_once() {
    let left = Arc::new(Mutex::new(Vec::new()));
    let seen = left.clone();
    let value = Arc::new(7);
    let cache: TypedCache<u8, i32> = Builder::default()
        .set("cache.capacity", 1)
        .on_removal(move |key, value, cause| seen.lock().expect("no panic").push((key, *value, cause)))
        .build_cache()
        .expect("a cache");
    cache.put(&1, value.clone()).expect("open");
    assert_eq!(Arc::strong_count(&value), 2);
    cache.put(&2, 8).expect("open");
    assert_eq!(*left.lock().expect("no panic"), [(1, 7, Cause::Capacity)]);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn s03_a_cost_function_bounds_the_total_cost() {
    let cache: TypedCache<u32, String> =
        Builder::default().set("cache.cost_limit", 1 << 20).cost(|text: &String| text.len() as u64).build_cache().expect("a cache");
    for key in 0..64_u32 {
        cache.put(&key, "x".repeat(64 << 10)).expect("open");
    }
    assert!(cache.len() < 16, "{} entries of 64 KiB in 1 MiB", cache.len());
}

#[test]
fn l09_a_refused_setting_is_reported_in_a_sentence() {
    let refused = Tasks::<u8, u8>::builder().set("cache.capacty", 5).load(|_: &[u8]| Ok::<_, Down>(HashMap::new())).build();
    let error = refused.err().expect("there is no such setting");
    assert_eq!(error.kind(), ErrorKind::BadSetting);
    assert!(error.to_string().contains("did you mean \"cache.capacity\"?"), "{error}");
    let contradictory = Tasks::<u8, u8>::builder().set("stale.ttl_ms", 5).load(|_: &[u8]| Ok::<_, Down>(HashMap::new())).build();
    let error = contradictory.err().expect("no entry expires");
    assert!(error.kind() == ErrorKind::BadSetting && error.to_string().contains("no entry expires"), "{error}");
}

#[test]
fn l05_fetches_in_progress_fail_with_closed_at_shutdown() {
    let (builder, requests) = by_hand::<u8, u8>();
    let tasks = builder.build().expect("an engine");
    let mut fetch = tasks.fetch(&1);
    assert!(is_pending(&mut fetch));
    let request = requests.recv().expect("a request");
    drop(tasks);
    assert_eq!(block_on(fetch).expect_err("closed").kind(), ErrorKind::Closed);
    drop(request);
}

#[test]
fn l01_a_blocking_call_inside_the_provider_is_refused() {
    let inner: Arc<Mutex<Option<Tasks<u8, u8>>>> = Arc::default();
    let seen = inner.clone();
    let tasks: Tasks<u8, u8> = Tasks::builder()
        .load(move |keys: &[u8]| {
            let tasks = seen.lock().expect("no panic").clone().expect("the handle is set");
            let refused = tasks.fetch_wait(&9).expect_err("the provider would wait for itself");
            assert_eq!(refused.kind(), ErrorKind::WouldDeadlock);
            Ok::<_, Down>(keys.iter().map(|key| (*key, 1)).collect())
        })
        .build()
        .expect("an engine");
    *inner.lock().expect("no panic") = Some(tasks.clone());
    assert_eq!(tasks.fetch_wait(&1).expect("an answer").as_deref(), Some(&1));
    inner.lock().expect("no panic").take();
}
