//! What a fetch receives: one test for each row of the table in docs/OUTAGES.md (rule R13). Each test also provides what the
//! rows below its own would use, so that only the order decides.

use super::harness::{Harness, Summary, failed_with, ms, stale, value};
use kvlight::base::Status;
use kvlight::task::Source;
use kvlight::task::breaker::BreakerOverride;

const FAILED: Option<Status> = Some(Status::ERR_PROVIDER);

/// A harness in which the load of `k` failed a moment ago, and the error is remembered; `k` has expired. A fetch retries once, without a pause.
fn after_a_failure(throttle_ms: u64) -> Harness {
    let mut harness = Harness::with(|settings| {
        settings.cache.error_ttl_ms = 60_000;
        settings.tasks.stale_retry = ms(throttle_ms);
        settings.fetch.retry.count = Some(1);
    });
    harness.put("k", "old");
    harness.store.make_stale("k");
    let waiter = harness.fetch_with("k", |options| options.fetch.retry.count = Some(0));
    harness.fail(0, "k", 503);
    harness.finish(0);
    assert_eq!(waiter.outcome(), stale("old", FAILED));
    harness
}

#[test]
fn r13_row_1_a_fresh_entry_comes_first() {
    let mut harness = after_a_failure(1_000);
    harness.put("k", "new");
    let waiter = harness.fetch("k");
    assert_eq!((waiter.outcome(), waiter.details(0).source, harness.requests.len()), (value("new"), Source::Store, 1));
}

#[test]
fn r13_row_2_then_a_load_or_one_that_is_running() {
    let mut harness = after_a_failure(0);
    // A write makes the table forget the error, and expiring the written entry leaves a fallback.
    harness.put("k", "older");
    harness.expire("k");
    let waiters = [harness.fetch("k"), harness.fetch("k")];
    assert_eq!((waiters[0].outcome(), harness.requests.len()), (Summary::Pending, 2), "both wait for one load");
    harness.answer(1, "k", "loaded");
    assert_eq!(waiters.each_ref().map(|waiter| waiter.outcome()), [value("loaded"), value("loaded")]);
    assert_eq!(waiters.map(|waiter| waiter.details(0).source), [Source::Provider, Source::Joined]);
}

#[test]
fn r13_row_3_then_the_next_attempt() {
    let mut harness = after_a_failure(0);
    harness.put("k", "older");
    harness.expire("k");
    let waiter = harness.fetch("k");
    harness.fail(1, "k", 503);
    harness.finish(1);
    assert_eq!((waiter.outcome(), harness.requests.len()), (Summary::Pending, 3), "the load is tried again before the fallback");
    harness.answer(2, "k", "loaded");
    assert_eq!(waiter.outcome(), value("loaded"));
}

#[test]
fn r13_row_4_then_the_fallback_whatever_the_load_failed_with() {
    // A load failed shortly before: the fallback, with the error of that load.
    let mut harness = after_a_failure(1_000);
    assert_eq!((harness.fetch("k").outcome(), harness.requests.len()), (stale("old", FAILED), 1));
    // The load fails finally: the fallback, with its error.
    let mut harness = after_a_failure(0);
    harness.put("k", "older");
    harness.expire("k");
    let waiter = harness.fetch("k");
    harness.fail_for_good(1, "k", 404);
    assert_eq!(waiter.outcome(), stale("older", FAILED));
    // The breaker refuses.
    let mut harness = after_a_failure(0);
    harness.put("k", "older");
    harness.expire("k");
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    assert_eq!(harness.fetch("k").outcome(), stale("older", Some(Status::ERR_UNAVAILABLE)));
    // The load takes too long: the fallback, without an error.
    let mut harness = after_a_failure(0);
    harness.put("k", "older");
    harness.expire("k");
    let waiter = harness.fetch_with("k", |options| options.fetch.stale_timeout = Some(ms(10)));
    harness.advance(10);
    assert_eq!(waiter.outcome(), stale("older", None));
}

#[test]
fn r13_row_5_then_the_remembered_error() {
    let mut harness = after_a_failure(1_000);
    harness.store.evict("k");
    let waiter = harness.fetch("k");
    assert_eq!((waiter.outcome(), waiter.details(0).source), (Summary::Error(503), Source::ErrorMemory));
    assert_eq!(harness.requests.len(), 1, "the provider is not called");
}

#[test]
fn r13_row_6_then_the_error() {
    let mut harness = after_a_failure(1_000);
    let waiter = harness.fetch_with("new", |options| options.fetch.retry.count = Some(0));
    harness.fail(1, "new", 503);
    harness.finish(1);
    assert_eq!((waiter.outcome(), waiter.details(0).source), (Summary::Error(503), Source::Provider));
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    assert_eq!(harness.fetch("other").outcome(), failed_with(Status::ERR_UNAVAILABLE));
}
