//! The child of a fork: every method of a handle from before the fork is refused there, and none waits (rule L06, fault 34).
//!
//! The children inherit only the thread that forks, so the test needs a process in which no other test holds a lock of the standard library.
#![cfg(unix)]

mod typed_fixture;

use kvlight::{
    BreakerOverride, BreakerState, CacheState, EntryTerms, ErrorKind, FetchError, FetchOptions, LoadRequest, ManualClock, Millis, Tasks,
    TypedCache,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use typed_fixture::{block_on, by_hand, is_pending};

/// How long a child may take, which waits for nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks in the child of a fork that `holds` returns, and returns true.
fn check(what: &str, holds: impl FnOnce() -> bool) {
    // SAFETY: the child calls only what the library allows after a fork, and exits without running code of the parent.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let failed = !catch_unwind(AssertUnwindSafe(holds)).unwrap_or(false);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(failed.into()) };
    }
    let (begun, mut outcome) = (Instant::now(), -1);
    // SAFETY: a child of this process.
    while unsafe { libc::waitpid(pid, &raw mut outcome, libc::WNOHANG) } == 0 {
        if begun.elapsed() > PATIENCE {
            // SAFETY: as above; the second call removes what is left of the child.
            unsafe {
                libc::kill(pid, libc::SIGKILL);
                libc::waitpid(pid, &raw mut outcome, 0);
            }
            panic!("{what}: the child waits");
        }
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(outcome, 0, "{what}: the child was not refused");
}

fn is_refused<T>(outcome: Result<T, FetchError>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::Forked)
}

fn is_unknown<V>(state: CacheState<V>) -> bool {
    matches!(state, CacheState::Unknown)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn l06_fault34_every_call_of_an_older_handle_is_refused_in_the_child() {
    let (builder, requests) = by_hand::<u8, u32>();
    let tasks = builder.build().expect("an engine");
    let cache = tasks.cache();
    cache.put(&1, 11_u32).expect("open");
    let value = cache.get(&1).value().expect("a value");
    let error = tasks.refresh_with(&[1], &FetchOptions::new().set("read", "cache_only")).expect_err("a refresh stores");
    let (new, mut running, mut batch) = (tasks.fetch(&2), tasks.fetch(&3), tasks.fetch_all(&[4]));
    assert!(is_pending(&mut running) && is_pending(&mut batch));
    let (request, entries) = (requests.recv().expect("a request"), cache.iter());
    let (options, terms) = (FetchOptions::new().set("timeout_ms", 1), EntryTerms::default);

    // A key that the cache has, and one that it has not.
    for key in [1, 9] {
        check("fetch", || is_refused(block_on(tasks.fetch(&key))));
        check("fetch, detailed", || is_refused(block_on(tasks.fetch(&key).detailed())));
        check("fetch_with", || is_refused(block_on(tasks.fetch_with(&key, &options))));
        check("fetch_all", || is_refused(block_on(tasks.fetch_all(&[key]))));
        check("fetch_all, detailed", || is_refused(block_on(tasks.fetch_all(&[key]).detailed())));
        check("fetch_all_with", || is_refused(block_on(tasks.fetch_all_with(&[key], &options))));
        check("fetch_wait", || is_refused(tasks.fetch_wait(&key)));
        check("fetch_wait_with", || is_refused(tasks.fetch_wait_with(&key, &options)));
        check("fetch_wait_detailed", || is_refused(tasks.fetch_wait_detailed(&key, &options)));
        check("fetch_all_wait", || is_refused(tasks.fetch_all_wait(&[key])));
        check("fetch_all_wait_with", || is_refused(tasks.fetch_all_wait_with(&[key], &options)));
        check("fetch_all_wait_detailed", || is_refused(tasks.fetch_all_wait_detailed(&[key], &options)));
    }
    check("a future that the parent created", || is_refused(block_on(new)));
    check("refresh", || is_refused(tasks.refresh(&[1])));
    check("refresh_with", || is_refused(tasks.refresh_with(&[1], &options)));
    check("invalidate", || is_refused(tasks.invalidate(&[1])));
    check("invalidate_all", || is_refused(tasks.invalidate_all()));
    check("sync_second_tier", || is_refused(tasks.sync_second_tier(None)));
    check("breaker_state", || tasks.breaker_state() == BreakerState::Closed);
    check("force_breaker", || is_refused(tasks.force_breaker(BreakerOverride::Open)));
    check("cache", || is_unknown(tasks.cache().get(&1)));
    check("builder", || Tasks::<u8, u32>::builder().build_cache().is_ok());

    check("get", || is_unknown(cache.get(&1)));
    check("peek", || is_unknown(cache.peek(&1)));
    check("put", || is_refused(cache.put(&1, 2_u32)));
    check("put_with", || is_refused(cache.put_with(&1, 2_u32, terms())));
    check("put_if_absent", || is_refused(cache.put_if_absent(&2, 2_u32, terms())));
    check("put_absent", || is_refused(cache.put_absent(&1)));
    check("put_absent_with", || is_refused(cache.put_absent_with(&1, terms())));
    check("remove", || !cache.remove(&1));
    check("take", || is_unknown(cache.take(&1)));
    check("expire", || !cache.expire(&1));
    check("touch", || is_refused(cache.touch(&1, None)));
    check("remove_tag and expire_tag", || cache.remove_tag("tag") == 0 && cache.expire_tag("tag") == 0);
    check("expire_all and clear", || {
        cache.expire_all();
        cache.clear();
        true
    });
    check("iter", || cache.iter().next().is_none());
    check("an iterator that the parent created", || { entries }.next().is_none());
    check("len and is_empty", || (cache.len(), cache.is_empty()) == (0, true));
    check("resize", || is_refused(cache.resize(1, None)));
    check("stats_json", || cache.stats_json() == "{}");

    check("len, is_empty and keys of a request", || (request.len(), request.is_empty()) == (0, true) && request.keys().is_empty());
    check("key", || catch_unwind(AssertUnwindSafe(|| request.key(0))).is_err());
    check("resolve", || !request.resolve(0, 2_u32) && is_refused(request.resolve_with(0, 2_u32, terms())));
    check("stale and not_modified", || request.stale(0).is_none() && is_refused(request.not_modified(0, terms())));
    check("resolve_absent", || !request.resolve_absent(0) && is_refused(request.resolve_absent_with(0, terms())));
    check("fail", || !request.fail(0, "no") && !request.fail_permanently(0, "no"));
    check("fail_gone and fail_with_pause", || !request.fail_gone(0, "no") && !request.fail_with_pause(0, "no", SECOND));
    check("supply", || !request.supply(&3, 2_u32) && is_refused(request.supply_with(&3, 2_u32, terms())));
    check("supply_absent", || !request.supply_absent(&3) && is_refused(request.supply_absent_with(&3, terms())));
    check("attempt, is_wanted and urgency", || request.attempt(0) == 0 && !request.is_wanted(0) && request.urgency() == 0);
    check("time_left, is_cancelled and heartbeat", || request.time_left().is_none() && !request.is_cancelled() && !request.heartbeat());

    check("a value and an error", || *value == 11 && error.to_string().contains("read") && error.kind() == ErrorKind::BadSetting);
    check("new handles", || {
        let tasks = Tasks::<u8, u32>::builder().load(|_: &[u8]| Ok::<_, FetchError>([(1, 5)].into())).build().expect("an engine");
        let found = (tasks.fetch_wait(&1).expect("an answer"), block_on(tasks.fetch(&2)).expect("an answer"));
        tasks.shut_down();
        found == (Some(Arc::new(5)), None)
    });
    assert!(request.resolve(0, 33_u32), "the handles still work in the parent");
    assert_eq!(block_on(running).expect("an answer").as_deref(), Some(&33));
}

/// Handles of an engine with a fetch in progress, whose request is with the provider.
fn handles() -> (Tasks<u8, u32>, LoadRequest<u8, u32>, kvlight::FetchFuture<u32>) {
    let (builder, requests) = by_hand::<u8, u32>();
    let tasks = builder.build().expect("an engine");
    let mut fetch = tasks.fetch(&1);
    assert!(is_pending(&mut fetch));
    (tasks, requests.recv().expect("a request"), fetch)
}

#[test]
fn l06_freeing_an_older_handle_in_the_child_does_nothing() {
    // What a child moves out is the child's copy: the parent must not drop its own while the handle is in use, so each case has its own.
    type Freeing = (&'static str, fn(Tasks<u8, u32>, LoadRequest<u8, u32>, kvlight::FetchFuture<u32>) -> bool);
    let cases: &[Freeing] = &[
        ("shut_down", |tasks, _, _| {
            tasks.shut_down();
            true
        }),
        ("drain", |tasks, _, _| {
            tasks.drain(Duration::MAX);
            true
        }),
        ("a clone of an engine, then the last handle", |tasks, request, fetch| {
            drop((tasks.clone(), fetch, request, tasks.cache(), tasks));
            true
        }),
        ("a future in progress", |_tasks, _request, fetch| is_refused(block_on(fetch))),
        ("a detailed future in progress", |_tasks, _request, fetch| is_refused(block_on(fetch.detailed()))),
        ("a future whose answer has arrived", |_tasks, request, fetch| {
            drop(request);
            is_refused(block_on(fetch))
        }),
        ("finish_absent", |_tasks, request, _fetch| {
            request.finish_absent();
            true
        }),
        ("finish_failed", |_tasks, request, _fetch| {
            request.finish_failed("no");
            true
        }),
        ("a request during a panic", |_tasks, request, _fetch| {
            catch_unwind(AssertUnwindSafe(move || {
                let _request = request;
                panic!("the child panics");
            }))
            .is_err()
        }),
    ];
    for (what, free) in cases {
        let (tasks, request, fetch) = handles();
        check(what, || free(tasks, request, fetch));
    }
    let cache: TypedCache<u8, u32> = Tasks::builder().set("cache.ttl_ms", SECOND).build_cache().expect("a cache");
    cache.put(&1, 1_u32).expect("open");
    check("the last handle of a cache", || {
        drop(cache);
        true
    });
}

#[test]
fn l06_an_older_clock_stands_still_in_the_child() {
    let clock = Arc::new(ManualClock::new(Millis(5)));
    let tasks = by_hand::<u8, u32>().0.clock(clock.clone()).build().expect("an engine");
    check("advance", || {
        clock.advance(10);
        clock.millis() == Millis(5)
    });
    check("clock", || is_refused(by_hand::<u8, u32>().0.clock(clock.clone()).build()));
    tasks.shut_down();
    clock.advance(10);
    assert_eq!(clock.millis(), Millis(15));
}

/// No method is left out: each public method of the handles is called in this file.
#[test]
fn l06_every_method_of_a_handle_is_tried_in_a_child() {
    let sources = [
        include_str!("../../src/typed/tasks.rs"),
        include_str!("../../src/typed/cache.rs"),
        include_str!("../../src/typed/fetch.rs"),
        include_str!("../../src/typed/request.rs"),
    ];
    let tests = include_str!("typed_forked.rs");
    let names = sources.iter().flat_map(|source| source.split("    pub fn ").skip(1));
    let names: Vec<&str> = names.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()).collect();
    assert!(names.len() > 50, "the methods were read: {names:?}");
    let missing: Vec<&&str> = names.iter().filter(|name| !tests.contains(&format!("{name}("))).collect();
    assert!(missing.is_empty(), "not tried in a child: {missing:?}");
}
