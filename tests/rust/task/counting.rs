//! The table's counts and reports, and some rules of deadlines and late answers, where no other test covers them (rules S12, S12a, F03, F10, F13, F20, F22, L05).

use super::harness::{Harness, Summary, bytes, failed_with, ms, value};
use kvlight::base::config::{BatchMode, RetryShape};
use kvlight::base::{Now, Status, StoreTerms, Ttl};
use kvlight::task::{Form, ProviderAnswer, Source};

#[test]
fn s12_an_attempt_that_takes_too_long_is_counted_and_its_request_abandoned() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    harness.takes_manually = true;
    let waiter = harness.fetch_each(&["a", "b"]);
    harness.take(0);
    harness.answer(0, "a", "1");
    harness.advance(10);
    assert_eq!(waiter.outcomes(), [value("1"), failed_with(Status::ERR_TIMEOUT)]);
    let counts = harness.table.counts();
    assert_eq!((counts.attempt_timeouts, counts.requests_abandoned, counts.requests), (1, 1, 1));
}

#[test]
fn s12_each_request_is_timed_once_from_its_creation_to_its_end() {
    let mut harness = Harness::new();
    harness.fetch_each(&["a", "b"]);
    harness.advance(3);
    harness.answer(0, "a", "1");
    harness.advance(2);
    harness.answer(0, "b", "2");
    let latency = &harness.table.counts().latency;
    assert_eq!((latency.total(), latency.sum), (1, 5_000));
}

#[test]
fn s12_each_attempt_after_the_first_is_counted_as_a_retry() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(2);
        (settings.fetch.retry.shape, settings.fetch.retry.fixed) = (RetryShape::Fixed, ms(1));
    });
    let waiter = harness.fetch("k");
    for nth in 0..3 {
        harness.fail(nth, "k", 7);
        harness.advance(2);
    }
    assert!(waiter.has_ended());
    let counts = harness.table.counts();
    assert_eq!((counts.attempts, counts.retries, counts.flights_ended.failed), (3, 2, 1));
}

#[test]
fn s12_a_batch_that_ends_at_a_remembered_error_counts_each_position_once() {
    let mut harness = Harness::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        (settings.tasks.max_running, settings.tasks.queue_max_keys) = (1, 0);
    });
    harness.fetch("bad");
    harness.fail_for_good(0, "bad", 7);
    harness.finish(0);
    harness.fetch("busy");
    let batch = harness.ask(Form::All, &["a", "bad", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    let cancelled = failed_with(Status::ERR_CANCELLED);
    assert_eq!(batch.outcomes(), [cancelled.clone(), Summary::Error(7), cancelled]);
    let counts = harness.table.counts();
    assert_eq!((counts.misses.started, counts.misses.remembered, counts.misses.unasked, counts.misses.total()), (2, 1, 2, 5));
}

#[test]
fn f03_progress_can_be_polled_after_each_position() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b"]);
    assert_eq!(waiter.polled(), (0, 0));
    harness.answer(0, "a", "1");
    assert_eq!(waiter.polled(), (1, 0));
    harness.fail(0, "b", 7);
    assert_eq!(waiter.polled(), (2, 1));
}

#[test]
fn s12_extra_answers_are_counted_as_stored_or_refused() {
    let mut harness = Harness::new();
    harness.fetch("k");
    harness.put("written", "1");
    assert_eq!([harness.extra(0, "written", "2"), harness.extra(0, "new", "3")], [Status::LATE, Status::OK]);
    let counts = harness.table.counts();
    assert_eq!((counts.extras_stored, counts.extras_refused), (1, 1));
}

#[test]
fn f10_a_request_reports_the_time_left() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    harness.fetch("k");
    harness.advance(4);
    let id = harness.requests[0].id;
    assert_eq!(harness.table.time_left(id, &Now::of(&harness.clock)), Some(ms(6)));
}

#[test]
fn f10_deadlines_of_ended_fetches_are_removed() {
    let mut harness = Harness::new();
    for nth in 0..65 {
        harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(1_000)));
        harness.answer(nth, "k", "v");
        harness.remove("k");
    }
    assert_eq!(harness.table.next_due(), None, "no deadline is left");
}

#[test]
fn f13_a_request_has_the_highest_urgency_of_its_keys() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("first");
    for (key, urgency) in [("a", 2), ("b", 7), ("c", -3)] {
        harness.fetch_with(key, |options| options.urgency = urgency);
    }
    harness.answer(0, "first", "1");
    let urgencies: Vec<i32> = harness.requests[1..].iter().map(|request| request.handout.urgency).collect();
    assert_eq!(urgencies.first(), Some(&7));
    assert!(harness.requests[1].keys().contains(&"b".to_owned()));
}

#[test]
fn f20_a_late_answer_forgets_a_remembered_error() {
    let mut harness = Harness::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.fetch.attempt_timeout = Some(ms(10));
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.first = ms(0);
    });
    let waiter = harness.fetch("k");
    harness.advance(10);
    harness.fail_for_good(1, "k", 7);
    assert_eq!(waiter.outcome(), Summary::Error(7));
    assert_eq!(harness.answer(0, "k", "late"), Status::LATE);
    assert_eq!(harness.lookup("k"), value("late"), "nothing newer was written");
    harness.store.evict("k");
    assert_eq!(harness.fetch("k").outcome(), Summary::Pending, "the error is forgotten, so the key is loaded again");
}

#[test]
fn f22_only_the_providers_errors_have_the_provider_as_source() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    let waiter = harness.fetch_each(&["a", "b"]);
    harness.fail(0, "a", 7);
    harness.advance(10);
    assert_eq!(waiter.outcomes(), [Summary::Error(7), failed_with(Status::ERR_TIMEOUT)]);
    assert_eq!([waiter.details(0).source, waiter.details(1).source], [Source::Provider, Source::None]);
}

#[test]
fn l05_an_engine_with_a_running_refresh_is_not_idle() {
    let mut harness = Harness::new();
    harness.refresh("k");
    assert!(!harness.table.is_idle());
    harness.answer(0, "k", "v");
    assert!(harness.table.is_idle());
}

#[test]
fn s12a_a_retry_counts_when_it_is_handed_out() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(3);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 7);
    assert_eq!(harness.table.counts().retries, 0, "the retry is pausing, and may never begin");
    harness.cancel(&waiter);
    harness.advance(100);
    assert_eq!((harness.table.counts().retries, waiter.outcome()), (0, failed_with(Status::ERR_CANCELLED)));
    harness.fetch("l");
    harness.fail(1, "l", 7);
    harness.advance(100);
    assert_eq!(harness.table.counts().retries, 1);
}

#[test]
fn s12a_an_extra_that_was_not_stored_is_counted_as_refused_and_outdates_no_answer() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 2);
    let waiter = harness.fetch("k");
    harness.fetch("other");
    let id = harness.requests[1].id;
    let terms = StoreTerms { ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() };
    harness.step(|table, cx| table.extra(id, b"k", bytes("passing"), terms, cx));
    assert_eq!((harness.table.counts().extras_stored, harness.table.counts().extras_refused), (0, 1));
    harness.give(0, "k", ProviderAnswer::Answer(bytes("v"), StoreTerms::default()));
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("v"), value("v")));
}
