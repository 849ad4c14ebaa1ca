//! The interface for Rust programs, used in ways that cannot work or that end the engine: each is refused with a sentence, or loses nothing.

use super::typed_fixture::{block_on, by_hand, is_pending};
use kvlight::{
    Builder, CacheKey, EntryTerms, ErrorKind, FetchError, FetchOptions, FetchResult, KeyBytes, LoadRequest, SharedEntry, Tasks, TierError,
    TierFound, TierStore, TypedCache, WantedKey,
};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Loads each key as itself.
fn identity() -> Builder<u32, u32> {
    Tasks::builder().load(|keys: &[u32]| Ok::<_, FetchError>(keys.iter().map(|key| (*key, *key)).collect()))
}

/// What a refused call says.
fn sentence<T>(refused: Result<T, FetchError>) -> String {
    let error = refused.err().expect("it cannot work");
    assert_eq!(error.kind(), ErrorKind::BadSetting, "{error}");
    error.to_string()
}

const SOON: Duration = Duration::from_secs(60);

#[test]
fn l05a_a_drain_lets_accepted_work_end() {
    let (builder, requests) = by_hand::<u32, u32>();
    let tasks = builder.build().expect("an engine");
    let (mut fetch, other) = (tasks.fetch(&1), tasks.clone());
    assert!(is_pending(&mut fetch));
    let request = requests.recv().expect("a request");
    let draining = thread::spawn(move || tasks.drain(Duration::MAX));
    while other.refresh(&[2]).is_ok() {
        thread::yield_now();
    }
    assert_eq!(other.fetch_wait(&3).expect_err("the engine accepts nothing new").kind(), ErrorKind::Closed);
    assert!(request.resolve(0, 7_u32));
    drop(request);
    assert_eq!(block_on(fetch).expect("an answer").as_deref(), Some(&7));
    // The request of the refresh, if one was accepted.
    while !draining.is_finished() {
        let _ = requests.recv_timeout(Duration::from_millis(1));
    }
    draining.join().expect("no panic");
    assert!(other.cache().put(&1, 1_u32).is_err(), "the engine has ended");
}

#[test]
fn l05_a_drain_ends_at_its_limit() {
    let (builder, requests) = by_hand::<u32, u32>();
    let tasks = builder.build().expect("an engine");
    let mut fetch = tasks.fetch(&1);
    assert!(is_pending(&mut fetch));
    let _request = requests.recv().expect("a request that is never answered");
    tasks.drain(Duration::from_millis(1));
    assert_eq!(block_on(fetch).expect_err("the limit has passed").kind(), ErrorKind::Closed);
}

#[test]
fn l05_a_drain_inside_the_provider_lets_its_own_request_end() {
    let own: Arc<Mutex<Option<Tasks<u32, u32>>>> = Arc::default();
    let held = own.clone();
    let provide = move |request: LoadRequest<u32, u32>| {
        // The last handle: without the drain, its drop would cancel the fetch.
        held.lock().expect("no panic").take().expect("the handle is set").drain(Duration::MAX);
        request.resolve(0, 7_u32);
    };
    let tasks = Tasks::builder().provider(provide).build().expect("an engine");
    let fetch = tasks.fetch(&1);
    *own.lock().expect("no panic") = Some(tasks);
    assert_eq!(block_on(fetch).expect("an answer").as_deref(), Some(&7));
}

#[test]
fn l09b_a_cache_without_an_engine_refuses_what_only_an_engine_has() {
    struct Nowhere;
    impl TierStore for Nowhere {
        fn read(&self, keys: &[WantedKey<'_>]) -> Result<Vec<TierFound>, TierError> {
            Ok(vec![TierFound::Failed; keys.len()])
        }
        fn fill(&self, entries: &[SharedEntry<'_>]) -> Result<Vec<bool>, TierError> {
            Ok(vec![false; entries.len()])
        }
        fn write(&self, _: &[SharedEntry<'_>]) -> Result<(), TierError> {
            Ok(())
        }
        fn remove(&self, _: &[&[u8]]) -> Result<(), TierError> {
            Ok(())
        }
        fn clear(&self) -> Result<(), TierError> {
            Ok(())
        }
    }
    let lasting = || Tasks::<u32, u32>::builder().set("cache.ttl_ms", 50);
    assert!(sentence(identity().build_cache()).contains("provider"));
    assert!(sentence(lasting().second_tier(Nowhere, |_| None, |_| None).build_cache()).contains("second_tier"));
    assert!(sentence(lasting().set("stale.ttl_ms", 50).build_cache()).contains("stale.ttl_ms"));
    assert!(sentence(lasting().set("refresh.after", 0.5).build_cache()).contains("refresh"));
    assert!(sentence(lasting().set("refresh.after_ms", 20).build_cache()).contains("refresh"));
    assert!(sentence(lasting().set("cache.capacty", 1).build_cache()).contains("cache.capacity"), "a refused setting is named first");
    assert!(lasting().set("stale.ttl_ms", 0).build_cache().is_ok());
}

#[test]
fn l09_a_refusal_names_what_is_wrong_and_what_to_do() {
    let refused = sentence(Tasks::<u32, u32>::builder().build());
    assert!(refused.contains("`provider`") && refused.contains("`build_cache`"), "{refused}");
    let tasks = identity().build().expect("an engine");
    for read in ["cache_only", "no_store"] {
        let refused = sentence(tasks.refresh_with(&[1], &FetchOptions::new().set("read", read)));
        assert!(refused.contains("\"read\""), "{refused}");
    }
    let terms = EntryTerms::default;
    let tagged = |tags: Vec<String>| EntryTerms { tags, ..terms() };
    for (terms, named) in [
        (EntryTerms { priority: Some(f64::NAN), ..terms() }, "\"priority\" is not a number"),
        (EntryTerms { version: "v".repeat(256), ..terms() }, "\"version\" has 256 bytes"),
        (tagged(vec!["t".to_owned(); 17]), "\"tags\" has 17 tags"),
        (tagged(vec!["t".to_owned(), String::new()]), "\"tags\" has 0 bytes"),
        (tagged(vec!["t".repeat(256)]), "\"tags\" has 256 bytes"),
    ] {
        let refused = sentence(tasks.cache().put_with(&1, 1_u32, terms));
        assert!(refused.contains(named), "{refused}");
    }
    assert!(sentence(tasks.cache().touch(&1, Some(Duration::ZERO))).contains("TTL"));
}

#[test]
fn l09a_a_ttl_that_is_too_long_to_count_lasts() {
    for ttl in [Duration::from_secs(u64::MAX), Duration::MAX] {
        let cache: TypedCache<u32, u32> = Tasks::builder().set("cache.ttl_ms", ttl).build_cache().expect("a cache");
        assert!(cache.put(&1, 1_u32).expect("open") && cache.get(&1).value().is_some());
        assert!(identity().set("cache.ttl_ms", 5).set("stale.ttl_ms", ttl).build().is_ok());
    }
}

/// How the loads of an engine end whose removal listener or progress function waits for a future of it.
fn waits_inside(builder: Builder<u32, u32>, own: &Arc<OnceLock<Tasks<u32, u32>>>, begin: impl FnOnce(&Tasks<u32, u32>)) {
    let tasks = builder.build().expect("an engine");
    own.set(tasks.clone()).ok().expect("set once");
    begin(&tasks);
    assert_eq!(block_on(tasks.fetch(&88)).expect("deliveries go on").as_deref(), Some(&88));
    tasks.shut_down();
}

#[test]
fn l01_f21_a_future_that_would_wait_inside_a_callback_is_refused() {
    let own: Arc<OnceLock<Tasks<u32, u32>>> = Arc::default();
    let (found, outcomes) = mpsc::channel::<FetchResult<u32>>();
    let wait_for = {
        let (own, found) = (own.clone(), Mutex::new(found));
        move |key: u32| {
            let waited = block_on(own.get().expect("the handle is set").fetch(&key));
            found.lock().expect("no panic").send(waited).expect("the test listens");
        }
    };
    let builder = identity().on_removal(move |_, _, _| {
        wait_for(2);
        wait_for(77);
    });
    waits_inside(builder, &own, |tasks| {
        tasks.fetch_all_wait(&[1, 2]).expect("a batch");
        assert!(tasks.cache().remove(&1));
        assert_eq!(outcomes.recv_timeout(SOON).expect("it is called").expect("a value that is cached").as_deref(), Some(&2));
        let refused = outcomes.recv_timeout(SOON).expect("it does not wait").expect_err("it would wait for itself");
        assert_eq!(refused.kind(), ErrorKind::WouldDeadlock);
    });

    let own: Arc<OnceLock<Tasks<u32, u32>>> = Arc::default();
    let (seen, kinds) = (own.clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = kinds.clone();
    waits_inside(identity(), &own, |tasks| {
        let report = FetchOptions::new().on_progress(1, move |progress| {
            // A key of its own each time: the refused fetch may have begun a load.
            let key = 70 + u32::try_from(progress.done).expect("few");
            let waited = block_on(seen.get().expect("the handle is set").fetch_all(&[key]));
            noted.lock().expect("no panic").push(waited.err().map(|error| error.kind()));
        });
        block_on(tasks.fetch_all_with(&[3, 4], &report)).expect("a batch");
    });
    let kinds = kinds.lock().expect("no panic");
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == Some(ErrorKind::WouldDeadlock)), "{kinds:?}");
}

/// An executor that polls a task inside the call that wakes it. The task fetches 1, then 2.
struct Inline {
    task: Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let mut task = self.task.lock().expect("no panic");
        if task.as_mut().poll(&mut Context::from_waker(&Waker::from(self.clone()))).is_ready() {
            *task = Box::pin(std::future::pending());
        }
    }
}

#[test]
fn l01_an_executor_may_poll_inside_the_wake() {
    let (builder, requests) = by_hand::<u32, u32>();
    let tasks = builder.build().expect("an engine");
    let (found, outcomes) = mpsc::channel();
    let both = {
        let tasks = tasks.clone();
        async move {
            for key in [1, 2] {
                found.send(tasks.fetch(&key).await).expect("the test listens");
            }
        }
    };
    Arc::new(Inline { task: Mutex::new(Box::pin(both)) }).wake();
    for key in [1, 2] {
        let request = requests.recv_timeout(SOON).expect("a request");
        assert_eq!(request.keys(), [key]);
        request.resolve(0, key);
        drop(request);
        assert_eq!(outcomes.recv_timeout(SOON).expect("it is delivered").expect("an answer").as_deref(), Some(&key));
    }
}

#[test]
fn l01_a_provider_awaits_another_engine_but_may_not_wait_for_it() {
    let inner = identity().build().expect("an engine");
    let (behind, (refusals, refused)) = (inner.clone(), mpsc::channel());
    let refusals = Mutex::new(refusals);
    let outer: Tasks<u32, u32> = Tasks::builder()
        .provider(move |request: LoadRequest<u32, u32>| {
            let key = request.key(0);
            refusals.lock().expect("no panic").send(behind.fetch_wait(&key)).expect("the test listens");
            let _ = match block_on(behind.fetch(&key)) {
                Ok(Some(value)) => request.resolve(0, value),
                _ => request.fail(0, "the inner engine has no value"),
            };
        })
        .build()
        .expect("an engine");
    assert_eq!(outer.fetch_wait(&5).expect("an answer").as_deref(), Some(&5));
    let error = refused.recv().expect("it was called").expect_err("it may not wait");
    assert_eq!(error.kind(), ErrorKind::WouldDeadlock);
    assert!(error.to_string().contains("not even for another engine") && error.to_string().contains("`fetch`"), "{error}");
}

#[test]
fn l07_the_text_of_a_providers_panic_reaches_its_callers() {
    let tasks: Tasks<u32, u32> = Tasks::builder()
        .provider(|request: LoadRequest<u32, u32>| {
            request.resolve(0, 7_u32);
            panic!("no answer to {}", request.key(1))
        })
        .build()
        .expect("an engine");
    let found = tasks.fetch_all_wait(&[1, 2]).expect("a batch");
    assert_eq!(found[0].as_ref().expect("it was answered before").as_deref(), Some(&7));
    let error = found[1].as_ref().expect_err("it panics");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Provider, "the provider panicked: no answer to 2"));
    // A request that a thread of the program drops while it panics, and one whose panic the provider catches: the text is not known.
    type Provide = fn(LoadRequest<u32, u32>);
    let elsewhere: Provide = |request| drop(thread::spawn(move || panic_with(request)).join());
    let caught: Provide = |request| drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || panic_with(request))));
    for provide in [elsewhere, caught] {
        let tasks: Tasks<u32, u32> = Tasks::builder().provider(provide).build().expect("an engine");
        let error = tasks.fetch_wait(&1).expect_err("it panics");
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Provider, "the provider panicked"));
    }
}

fn panic_with(request: LoadRequest<u32, u32>) {
    std::panic::resume_unwind(Box::new(request.len()));
}

/// A key whose `Eq` distinguishes what its bytes do not.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Word(String);

impl KeyBytes for Word {
    fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
        use_bytes(self.0.to_lowercase().as_bytes())
    }
}

impl CacheKey for Word {
    fn from_bytes(bytes: &[u8]) -> Word {
        Word(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[test]
fn f15_answers_are_matched_with_their_keys_by_the_bytes() {
    let tasks: Tasks<Word, usize> = Tasks::builder()
        .load(|words: &[Word]| {
            let found = words.iter().filter(|word| word.0 != "none").map(|word| (Word(word.0.to_uppercase()), word.0.len()));
            Ok::<_, FetchError>(found.chain([(Word("unasked".to_owned()), 0)]).collect::<HashMap<_, _>>())
        })
        .build()
        .expect("an engine");
    assert_eq!(tasks.fetch_wait(&Word("Abc".to_owned())).expect("an answer").as_deref(), Some(&3));
    let many: Vec<Word> = (0..100).map(|number| Word(format!("w{number}"))).chain([Word("None".to_owned())]).collect();
    let found = tasks.fetch_all_wait(&many).expect("a batch");
    let found: Vec<Option<usize>> = found.into_iter().map(|found| found.expect("an answer").as_deref().copied()).collect();
    assert!(found[..100].iter().zip(&many).all(|(len, word)| *len == Some(word.0.len())) && found[100].is_none(), "{found:?}");
    assert_eq!(tasks.cache().len(), 102, "what nobody asked for is not stored");
}

#[test]
fn s11_what_is_in_the_cache_at_its_end_is_dropped_and_not_reported() {
    let (reports, values) = (Arc::new(AtomicUsize::new(0)), Arc::new(5_u32));
    let counting = || {
        let reports = reports.clone();
        identity().on_removal(move |_, _, _| {
            reports.fetch_add(1, Ordering::SeqCst);
        })
    };
    let tasks = counting().build().expect("an engine");
    for key in 0..3 {
        tasks.cache().put(&key, values.clone()).expect("open");
    }
    assert!(tasks.cache().remove(&0));
    tasks.shut_down();
    assert_eq!((reports.load(Ordering::SeqCst), Arc::strong_count(&values)), (1, 1), "one removal, and no value is left");
}

#[test]
fn f10_a_late_value_answers_those_who_wait_for_the_retry() {
    let clock = Arc::new(kvlight::ManualClock::new(kvlight::Millis(0)));
    let (builder, requests) = by_hand::<u32, u32>();
    let tasks = builder.set("attempt_timeout_ms", 10).set("retry.count", 1).set("retry.fixed_ms", 100).clock(clock.clone()).build();
    let tasks = tasks.expect("an engine");
    let mut fetch = tasks.fetch(&1);
    assert!(is_pending(&mut fetch));
    let request = requests.recv().expect("a request");
    clock.advance(10);
    assert!(!request.resolve(0, 7_u32), "the attempt has ended");
    assert_eq!(block_on(fetch).expect("the late value").as_deref(), Some(&7));
}
