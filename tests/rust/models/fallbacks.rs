//! Races of fallbacks and of the rate limit: the failure, the soft timeout and the answer of a load against each other and against writes; a
//! token that becomes due against fetches and cancels; expiring or removing a key against its load.

use super::explore;
use super::resilience::{Harness, Received, advance, failure, fetch, fetch_with, put, text_of, value};
use kvlight::base::config::Settings;
use kvlight::base::{Status, StoreTerms, Ttl};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::engine::invalidate::Outdated;
use kvlight::task::Unanswered;
use std::sync::Arc;
use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn stale_old(failure: Status) -> Received {
    Received::Stale("old".into(), Some(failure))
}

#[test]
fn r02_r03_a_failure_concurrent_with_a_put_gives_the_fallback_or_the_error_and_throttles_nothing() {
    explore("covered failure against put", 3, || {
        let (harness, request) = Harness::aged(|_| {});
        let writer = {
            let core = harness.core.clone();
            loom::thread::spawn(move || put(&core, "new"))
        };
        request.finish(Unanswered::Failed(failure()));
        drop(request);
        writer.join().expect("the thread ends");
        harness.drain();
        let received = harness.received("a");
        assert!(received == stale_old(Status::ERR_PROVIDER) || received == Received::Failed(Status::ERR_PROVIDER), "{received:?}");
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"new"[..]), "in either order, the put stays");
        advance(&harness.clock, 20);
        harness.fetch("b", b"k");
        harness.drain();
        assert!(harness.request().is_some(), "the put ended the throttling, or the failure began none");
        harness.end();
    });
}

#[test]
fn r02_an_attempt_timeout_concurrent_with_the_answer_gives_one_event_and_stores_the_answer() {
    explore("attempt timeout against the answer", 3, || {
        let (harness, request) = Harness::aged(|settings| settings.fetch.attempt_timeout = Some(ms(50)));
        let timer = {
            let clock = harness.clock.clone();
            loom::thread::spawn(move || advance(&clock, 50))
        };
        request.resolve(0, value("new"), StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() });
        drop(request);
        timer.join().expect("the thread ends");
        harness.drain();
        let received = harness.received("a");
        assert!(received == stale_old(Status::ERR_TIMEOUT) || received == Received::Value("new".into()), "{received:?}");
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"new"[..]), "a late answer is stored");
        harness.end();
    });
}

#[test]
fn r03_a_fetch_concurrent_with_a_covered_failure_starts_no_second_load() {
    explore("covered failure against fetch", 3, || {
        let (harness, request) = Harness::aged(|_| {});
        let other = {
            let (core, log) = (harness.core.clone(), harness.log.clone());
            loom::thread::spawn(move || fetch(&core, &log, "b", b"k"))
        };
        request.finish(Unanswered::Failed(failure()));
        drop(request);
        other.join().expect("the thread ends");
        harness.drain();
        assert!(harness.request().is_none(), "the fetch joined the load, or found the key throttled");
        assert_eq!([harness.received("a"), harness.received("b")], [stale_old(Status::ERR_PROVIDER), stale_old(Status::ERR_PROVIDER)]);
        harness.end();
    });
}

/// The soft timeout of the fetch "a", 50 ms, passes while `end` ends its request. Returns what "a" received.
fn at_the_soft_timeout(end: impl FnOnce(kvlight::engine::request::Ticket)) -> (Harness, Received) {
    let (harness, request) = Harness::aged(|settings| settings.fetch.stale_timeout = Some(ms(50)));
    let timer = {
        let clock = harness.clock.clone();
        loom::thread::spawn(move || advance(&clock, 50))
    };
    end(request);
    timer.join().expect("the thread ends");
    harness.drain();
    assert!(harness.request().is_none(), "one load is enough");
    let received = harness.received("a");
    (harness, received)
}

#[test]
fn r04_the_soft_timeout_concurrent_with_the_answer_gives_one_event_and_stores_the_answer() {
    explore("soft timeout against the answer", 3, || {
        let (harness, received) = at_the_soft_timeout(|request| {
            let terms = StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() };
            assert_eq!(request.resolve(0, value("new"), terms), Status::OK, "the load goes on");
        });
        assert!(received == Received::Stale("old".into(), None) || received == Received::Value("new".into()), "{received:?}");
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"new"[..]));
        harness.end();
    });
}

#[test]
fn r02_r04_the_soft_timeout_concurrent_with_a_failure_serves_the_fallback_once() {
    explore("soft timeout against failure", 3, || {
        let (harness, received) = at_the_soft_timeout(|request| {
            request.finish(Unanswered::Failed(failure()));
        });
        assert!(received == Received::Stale("old".into(), None) || received == stale_old(Status::ERR_PROVIDER), "{received:?}");
        harness.fetch("b", b"k");
        harness.drain();
        assert_eq!(harness.received("b"), stale_old(Status::ERR_PROVIDER), "the failure throttles the key for every caller");
        harness.end();
    });
}

/// One request of one key every 100 ms; the first one at once.
fn rated(settings: &mut Settings) {
    (settings.tasks.rate.requests_per_s, settings.tasks.rate.burst) = (10.0, 1);
    settings.tasks.batch_max_keys = 1;
}

#[test]
fn r08_a_fetch_concurrent_with_a_token_that_is_due_waits_for_the_next() {
    explore("token against submit", 3, || {
        let harness = Harness::new(rated);
        ["x", "a"].into_iter().for_each(|name| harness.fetch(name, name.as_bytes()));
        let timer = {
            let clock = harness.clock.clone();
            loom::thread::spawn(move || advance(&clock, 100))
        };
        harness.fetch("b", b"b");
        timer.join().expect("the thread ends");
        harness.drain();
        let handed = || std::iter::from_fn(|| harness.request()).map(|request| request.keys()[0].to_vec()).collect::<Vec<_>>();
        assert_eq!(handed(), [b"x", b"a"], "there is one token, and \"a\" was first");
        advance(&harness.clock, 100);
        harness.drain();
        assert_eq!(handed(), [b"b"], "the timer waits for the next token");
        harness.end();
    });
}

#[test]
fn r08_a_cancel_concurrent_with_a_token_that_is_due_leaves_at_most_one_request() {
    explore("token against cancel", 3, || {
        let harness = Harness::new(rated);
        harness.fetch("x", b"x");
        let handle = Arc::new(FetchHandle::new());
        fetch_with(&harness.core, &harness.log, "a", b"a", Some(&handle));
        let timer = {
            let clock = harness.clock.clone();
            loom::thread::spawn(move || advance(&clock, 100))
        };
        handle.cancel();
        timer.join().expect("the thread ends");
        harness.fetch("b", b"b");
        harness.drain();
        assert_eq!(harness.received("a"), Received::Failed(Status::ERR_CANCELLED));
        // If the token went to the cancelled key, "b" waits for the next one.
        advance(&harness.clock, 100);
        harness.drain();
        let handed: Vec<Vec<u8>> = std::iter::from_fn(|| harness.request()).map(|request| request.keys()[0].to_vec()).collect();
        assert_eq!(handed, [b"x", b"b"], "the provider is not called for a cancelled key, and no key is forgotten");
        harness.end();
    });
}

#[test]
fn r12_expiring_a_key_concurrently_with_its_answer_leaves_nothing_fresh_and_a_fallback() {
    let expires: [(&str, fn(&Harness) -> Box<dyn FnOnce() + Send>); 2] = [
        ("expire against the answer", |harness| {
            let core = harness.core.clone();
            Box::new(move || assert!(core.expire(b"k").is_ok()))
        }),
        ("expiring for another process against the answer", |harness| {
            let core = harness.core.clone();
            Box::new(move || core.invalidate([&b"k"[..]].into_iter(), Outdated::Expired).expect("the engine is open"))
        }),
    ];
    for (name, expire) in expires {
        explore(name, 3, move || {
            let (harness, request) = Harness::aged(|_| {});
            let expirer = loom::thread::spawn(expire(&harness));
            request.resolve(0, value("v"), StoreTerms::default());
            drop(request);
            expirer.join().expect("the thread ends");
            harness.drain();
            assert_eq!(harness.received("a"), Received::Value("v".into()));
            assert_eq!(text_of(&harness.core, b"k"), None, "in either order, the load began before");
            harness.fetch("b", b"k");
            harness.drain();
            harness.request().expect("the key is loaded again").finish(Unanswered::Failed(failure()));
            harness.drain();
            let fallback = harness.received("b");
            let covered = |text: &str| Received::Stale(text.into(), Some(Status::ERR_PROVIDER));
            assert!(fallback == covered("old") || fallback == covered("v"), "{fallback:?}");
            harness.end();
        });
    }
}

#[test]
fn r12_t05_removing_a_key_for_another_process_concurrently_with_its_answer_leaves_nothing() {
    explore("invalidation against the answer", 3, || {
        let (harness, request) = Harness::aged(|_| {});
        let invalidator = {
            let core = harness.core.clone();
            loom::thread::spawn(move || core.invalidate([&b"k"[..]].into_iter(), Outdated::Removed).expect("the engine is open"))
        };
        request.resolve(0, value("v"), StoreTerms::default());
        drop(request);
        invalidator.join().expect("the thread ends");
        harness.drain();
        assert_eq!((harness.received("a"), text_of(&harness.core, b"k")), (Received::Value("v".into()), None));
        harness.fetch("b", b"k");
        harness.drain();
        harness.request().expect("the key is loaded again").finish(Unanswered::Failed(failure()));
        harness.drain();
        assert_eq!(harness.received("b"), Received::Failed(Status::ERR_PROVIDER), "there is no fallback");
        harness.end();
    });
}
