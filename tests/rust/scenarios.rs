//! The scenarios that every language has, for Rust programs. The model is `tests/programs/scenarios/c`.

use super::typed_fixture::{block_on, by_hand, is_pending};
use kvlight::base::Millis;
use kvlight::{Builder, CacheState, ErrorKind, FetchFuture, FetchOptions, LoadRequest, ManualClock, Source, Tasks, TypedCache};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};

/// How often the provider was called, and with how many keys.
#[derive(Default)]
struct Calls {
    requests: AtomicUsize,
    keys: AtomicUsize,
}

impl Calls {
    fn so_far(&self) -> (usize, usize) {
        (self.requests.load(Ordering::SeqCst), self.keys.load(Ordering::SeqCst))
    }
}

/// A provider whose answer to a key depends on how the key begins: keys with "no" are absent, those with "bad" fail, those with "flaky" fail
/// twice.
fn answering(calls: &Arc<Calls>) -> Builder<String, String> {
    let calls = calls.clone();
    Tasks::builder().provider(move |request: LoadRequest<String, String>| {
        calls.requests.fetch_add(1, Ordering::SeqCst);
        calls.keys.fetch_add(request.len(), Ordering::SeqCst);
        for (index, key) in request.keys().iter().enumerate() {
            if key.starts_with("no") {
                request.resolve_absent(index);
            } else if key.starts_with("bad") {
                request.fail(index, "no such shelf");
            } else if key.starts_with("flaky") && request.attempt(index) < 3 {
                request.fail(index, "not yet");
            } else {
                request.resolve(index, format!("value of {key}"));
            }
        }
    })
}

fn engine(calls: &Arc<Calls>) -> Tasks<String, String> {
    answering(calls).build().expect("an engine")
}

/// The value of a key that has one.
fn value(tasks: &Tasks<String, String>, key: &str) -> String {
    block_on(tasks.fetch(key)).expect("an answer").expect("a value").to_string()
}

#[test]
fn f02_scenario01_hit() {
    let calls = Arc::default();
    let tasks = engine(&calls);
    let loaded = block_on(tasks.fetch("a").detailed()).expect("an answer");
    assert_eq!((loaded.value.as_deref().map(String::as_str), loaded.source), (Some("value of a"), Source::Provider));
    let again = block_on(tasks.fetch("a").detailed()).expect("an answer");
    assert_eq!((again.value.as_deref().map(String::as_str), again.source), (Some("value of a"), Source::Store));
    assert!(!is_pending(&mut tasks.fetch("a")), "the first poll returns what is in the store");
    assert_eq!(tasks.fetch_wait("a").expect("an answer"), again.value);
    assert_eq!(calls.so_far(), (1, 1));
}

#[test]
fn s01_scenario02_null_hit() {
    let calls = Arc::default();
    let tasks = engine(&calls);
    assert_eq!(block_on(tasks.fetch("nobody")).expect("an absence"), None);
    assert!(matches!(tasks.cache().get("nobody"), CacheState::Absent));
    assert_eq!(tasks.fetch_wait("nobody").expect("an absence"), None);
    assert_eq!(calls.so_far(), (1, 1));
}

#[test]
fn s01_scenario03_miss() {
    let calls = Arc::default();
    let tasks = engine(&calls);
    assert!(matches!(tasks.cache().get("a"), CacheState::Unknown));
    let stored_only = FetchOptions::new().set("read", "cache_only");
    let missed = block_on(tasks.fetch_with("a", &stored_only).detailed()).expect("a miss");
    assert_eq!((missed.value, missed.source), (None, Source::None));
    assert_eq!(calls.so_far(), (0, 0));
    assert_eq!(value(&tasks, "a"), "value of a");
    assert_eq!(calls.so_far(), (1, 1));
}

#[test]
fn f04_f05_scenario04_batch_with_duplicates() {
    let calls = Arc::default();
    let tasks = engine(&calls);
    let wanted = ["a", "b", "a", "nobody", "b"];
    let found = block_on(tasks.fetch_all(wanted)).expect("a batch");
    let found: Vec<_> = found.into_iter().map(|result| result.expect("an answer").as_deref().cloned()).collect();
    let [a, b] = ["value of a", "value of b"].map(|text| Some(text.to_owned()));
    assert_eq!(found, [a.clone(), b.clone(), a, None, b]);
    assert_eq!(calls.so_far(), (1, 3), "each key is in the request once");
    assert!(block_on(tasks.fetch_all::<str>([])).expect("an empty batch").is_empty());
}

#[test]
fn f17_f20_scenario05_one_failing_key_in_a_batch() {
    let calls = Arc::default();
    let tasks = engine(&calls);
    let found = block_on(tasks.fetch_all(["a", "bad", "c", "bad"])).expect("a batch");
    let text = |index: usize| found[index].as_ref().expect("an answer").as_deref().map(String::as_str);
    assert_eq!((text(0), text(2)), (Some("value of a"), Some("value of c")));
    let error = found[1].as_ref().expect_err("the provider failed it");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Provider, "no such shelf"));
    assert!(error.is_same(found[3].as_ref().expect_err("the provider failed it")));
}

#[test]
fn f11_scenario06_retry_then_success() {
    let calls = Arc::default();
    let tasks = answering(&calls).set("retry.count", 3).set("retry.fixed_ms", 0).build().expect("an engine");
    let loaded = block_on(tasks.fetch("flaky").detailed()).expect("the third attempt succeeds");
    assert_eq!((loaded.value.as_deref().map(String::as_str), loaded.attempts), (Some("value of flaky"), 3));
    assert_eq!(calls.so_far(), (3, 3));
}

#[test]
fn f10_scenario07_timeout() {
    let clock = Arc::new(ManualClock::new(Millis(0)));
    let (builder, requests) = by_hand::<String, String>();
    let tasks = builder.set("timeout_ms", 1000).clock(clock.clone()).build().expect("an engine");
    let mut slow = tasks.fetch("slow");
    assert!(is_pending(&mut slow));
    let held = requests.recv().expect("a request");
    clock.advance(999);
    assert!(is_pending(&mut slow));
    clock.advance(1);
    assert_eq!(block_on(slow).expect_err("no answer came in time").kind(), ErrorKind::Timeout);
    assert!(!held.is_cancelled(), "the load continues for the next fetch of its key");
    assert!(held.resolve(0, "late".to_owned()));
    assert_eq!(value(&tasks, "slow"), "late");
}

#[test]
fn f09_scenario08_cancel() {
    let (builder, requests) = by_hand::<String, String>();
    let tasks = builder.build().expect("an engine");
    let (mut leaves, mut stays) = (tasks.fetch("slow"), tasks.fetch("slow"));
    assert!(is_pending(&mut leaves) && is_pending(&mut stays));
    let held = requests.recv().expect("a request");
    drop(leaves);
    assert!(is_pending(&mut stays) && !held.is_cancelled());
    assert!(held.resolve(0, "late".to_owned()));
    assert_eq!(block_on(stays).expect("an answer").as_deref().map(String::as_str), Some("late"));
    let mut alone = tasks.fetch("alone");
    assert!(is_pending(&mut alone));
    let held = requests.recv().expect("a request");
    drop(alone);
    assert!(held.is_cancelled(), "nobody wants the key any more");
}

#[test]
fn l05_scenario09_close_while_loading() {
    let (builder, requests) = by_hand::<String, String>();
    let tasks = builder.build().expect("an engine");
    let mut slow = tasks.fetch("slow");
    assert!(is_pending(&mut slow));
    let held = requests.recv().expect("a request");
    tasks.clone().shut_down();
    assert_eq!(block_on(slow).expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(block_on(tasks.fetch("a")).expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(tasks.fetch_wait("a").expect_err("closed").kind(), ErrorKind::Closed);
    assert!(held.is_cancelled() && !held.resolve(0, "late".to_owned()), "the request refuses answers, but stays valid");
}

#[test]
fn f04_f05_scenario10_ten_thousand_keys() {
    let calls = Arc::default();
    let tasks = answering(&calls).set("cache.capacity", 20_000).set("batch.max_keys", 100).build().expect("an engine");
    let wanted: Vec<String> = (0..10_000).map(|number| format!("k{number}")).collect();
    for _ in 0..2 {
        let found = block_on(tasks.fetch_all(&wanted)).expect("a batch");
        assert_eq!(found.len(), 10_000);
        for (key, result) in wanted.iter().zip(found) {
            assert_eq!(result.expect("an answer").as_deref(), Some(&format!("value of {key}")));
        }
        assert_eq!(calls.so_far().1, 10_000, "each key is loaded once");
    }
    assert_eq!(tasks.cache().len(), 10_000);
}

/// A waker that fetches another key, on the thread that delivers the result of the first.
struct FetchAgain {
    tasks: Tasks<String, String>,
    seen: mpsc::Sender<(CacheState<String>, FetchFuture<String>)>,
}

impl Wake for FetchAgain {
    fn wake(self: Arc<Self>) {
        let mut second = self.tasks.fetch("b");
        assert!(is_pending(&mut second));
        self.seen.send((self.tasks.cache().get("a"), second)).expect("the test listens");
    }
}

#[test]
fn f07_l01_scenario11_callback_that_fetches() {
    let calls = Arc::default();
    let tasks = engine(&calls);
    let (seen, callbacks) = mpsc::channel();
    let waker = Waker::from(Arc::new(FetchAgain { tasks: tasks.clone(), seen }));
    let mut first = Box::pin(tasks.fetch("a"));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let (stored, second) = callbacks.recv().expect("the callback ran");
    assert_eq!(stored.value().as_deref().map(String::as_str), Some("value of a"), "stored before it was delivered");
    assert_eq!(block_on(second).expect("an answer").as_deref().map(String::as_str), Some("value of b"));
    assert_eq!(block_on(first).expect("an answer").as_deref().map(String::as_str), Some("value of a"));
    assert_eq!(calls.so_far(), (2, 2));
}

/// Sends its name when it is dropped.
struct Counted(String, mpsc::Sender<String>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.send(self.0.clone()).expect("the test listens");
    }
}

#[test]
fn l04_scenario12_object_value_whose_destructor_is_counted() {
    let (send, dropped) = mpsc::channel();
    let send = Mutex::new(send);
    let provide = move |request: LoadRequest<String, Counted>| {
        let send = send.lock().expect("no panic").clone();
        request.resolve(0, Counted(request.key(0), send));
    };
    let tasks: Tasks<String, Counted> = Tasks::builder().provider(provide).build().expect("an engine");
    let cache: TypedCache<String, Counted> = tasks.cache();
    let one = block_on(tasks.fetch("object1")).expect("an answer").expect("a value");
    assert!(Arc::ptr_eq(&one, &cache.get("object1").value().expect("it is stored")));
    assert!(cache.remove("object1"));
    let other = block_on(tasks.fetch("object2")).expect("an answer").expect("a value");
    assert!(dropped.try_recv().is_err(), "the program holds the first");
    drop(one);
    assert_eq!(dropped.recv().as_deref(), Ok("object1"));
    drop(other);
    assert!(dropped.try_recv().is_err(), "the store holds the second");
    drop(cache);
    tasks.shut_down();
    assert_eq!(dropped.recv().as_deref(), Ok("object2"));
    assert!(dropped.recv().is_err(), "each was dropped once, and the provider too");
}
