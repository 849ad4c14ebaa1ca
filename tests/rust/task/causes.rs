//! The causes in the errors of fetches that end early (rule F10b), and pauses that the provider requests (rule F11a).

use super::harness::{Harness, Summary, bytes, failed_with, ms, provider_error, value};
use kvlight::base::config::{BatchMode, LeavePolicy};
use kvlight::base::{Error, Status, StoreTerms};
use kvlight::task::breaker::BreakerOverride;
use kvlight::task::{Form, ProviderAnswer};

/// Two retries, 100 ms apart.
fn retrying() -> Harness {
    Harness::with(|settings| {
        settings.fetch.retry.count = Some(2);
        settings.fetch.retry.fixed = ms(100);
    })
}

/// The status of an error, and the code of its cause.
fn chain(error: &Error) -> (Status, Option<i64>) {
    let cause = error.cause();
    assert!(cause.is_none_or(|cause| cause.cause().is_none()), "a cause has no cause itself");
    (error.status(), cause.map(|cause| cause.code()))
}

#[test]
fn f10b_a_timeout_reports_the_number_of_attempts_and_the_last_error() {
    let mut harness = retrying();
    let waiter = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(150)));
    harness.fail(0, "k", 7);
    harness.advance(100);
    harness.fail(1, "k", 8);
    harness.advance(50);
    let outcome = waiter.details(0);
    assert_eq!((chain(outcome.error().expect("the fetch failed")), outcome.attempts), ((Status::ERR_TIMEOUT, Some(8)), 2));
}

#[test]
fn f10b_the_cause_is_the_providers_error_object() {
    let mut harness = retrying();
    let waiter = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(50)));
    let error = provider_error(7, false);
    harness.give(0, "k", ProviderAnswer::Failed(error.clone()));
    harness.advance(50);
    assert!(waiter.error(0).cause().is_some_and(|cause| cause.is(&error)));
}

#[test]
fn f10b_without_a_failed_attempt_there_is_no_cause() {
    let mut harness = retrying();
    let waiter = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(50)));
    harness.advance(50);
    let outcome = waiter.details(0);
    assert_eq!((chain(outcome.error().expect("the fetch failed")), outcome.attempts), ((Status::ERR_TIMEOUT, None), 1));
}

#[test]
fn f10b_a_cancel_and_a_close_carry_the_cause() {
    let mut harness = retrying();
    let (cancelled, closed) = (harness.fetch("a"), harness.fetch("b"));
    harness.fail(0, "a", 7);
    harness.fail(1, "b", 8);
    harness.cancel(&cancelled);
    harness.close();
    assert_eq!(chain(&cancelled.error(0)), (Status::ERR_CANCELLED, Some(7)));
    assert_eq!(chain(&closed.error(0)), (Status::ERR_CLOSED, Some(8)));
    assert_eq!([cancelled.details(0).attempts, closed.details(0).attempts], [1, 1]);
}

#[test]
fn f10b_the_timeout_of_the_last_attempt_does_not_hide_the_providers_error() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.attempt_timeout = Some(ms(10));
        settings.fetch.retry.count = Some(2);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 7);
    harness.advance(100);
    harness.advance(10);
    harness.advance(100);
    harness.advance(10);
    let outcome = waiter.details(0);
    assert_eq!((chain(outcome.error().expect("the fetch failed")), outcome.attempts), ((Status::ERR_TIMEOUT, Some(7)), 3));
}

#[test]
fn f10b_an_attempt_timeout_is_the_cause_if_the_provider_gave_no_error() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.attempt_timeout = Some(ms(10));
        settings.fetch.retry.count = Some(5);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(50)));
    harness.advance(50);
    let error = waiter.error(0);
    assert_eq!((error.status(), error.cause().map(|cause| cause.status())), (Status::ERR_TIMEOUT, Some(Status::ERR_TIMEOUT)));
}

#[test]
fn f10b_an_open_breaker_reports_the_error_of_the_previous_attempt() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 7);
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    harness.advance(100);
    assert_eq!(chain(&waiter.error(0)), (Status::ERR_UNAVAILABLE, Some(7)));
}

#[test]
fn f10b_each_position_has_the_cause_of_its_own_load() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.batch_max_keys = 8;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.ask(Form::All, &["a", "b", "c"], |options| options.fetch.timeout = Some(ms(50)));
    harness.fail(0, "b", 8);
    harness.answer(0, "c", "3");
    harness.advance(50);
    let codes = [0, 1].map(|index| chain(&waiter.error(index)));
    assert_eq!(codes, [(Status::ERR_TIMEOUT, None), (Status::ERR_TIMEOUT, Some(8))]);
    assert_eq!(waiter.outcomes()[2], value("3"));
    assert_eq!(chain(&waiter.ended()), (Status::ERR_TIMEOUT, Some(8)), "the batch has one of the causes");
}

#[test]
fn f10b_a_position_that_ends_with_its_batch_has_its_own_cause() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.batch_max_keys = 8;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.ask(Form::All, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    harness.fail(0, "a", 7);
    harness.fail_for_good(0, "b", 8);
    assert_eq!(chain(&waiter.error(0)), (Status::ERR_CANCELLED, Some(7)));
    assert_eq!(waiter.outcomes()[1], Summary::Error(8));
}

#[test]
fn f10b_a_load_that_continues_keeps_its_cause_for_later_fetches() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(3);
        settings.fetch.retry.fixed = ms(100);
        settings.fetch.on_timeout = LeavePolicy::Continue;
    });
    let hasty = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(150)));
    harness.fail(0, "k", 7);
    harness.advance(150);
    assert_eq!(chain(&hasty.error(0)), (Status::ERR_TIMEOUT, Some(7)));
    let second = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
    harness.advance(10);
    let outcome = second.details(0);
    assert_eq!((chain(outcome.error().expect("the fetch failed")), outcome.attempts), ((Status::ERR_TIMEOUT, Some(7)), 2));
}

#[test]
fn f10b_an_answer_after_failures_has_no_error() {
    let mut harness = retrying();
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 7);
    harness.advance(100);
    harness.answer(1, "k", "v");
    assert_eq!((waiter.outcome(), waiter.details(0).attempts), (value("v"), 2));
}

/// Fails `k`, the only key of request `nth`, with an error that requests a pause.
fn fail_with_pause(harness: &mut Harness, nth: usize, pause_ms: u64) {
    let mut error = Error::of_provider(429, b"too many requests", false, None);
    assert!(error.set_pause(ms(pause_ms)));
    harness.give(nth, "k", ProviderAnswer::Failed(error));
}

#[test]
fn f11a_the_longer_pause_of_policy_and_provider_applies() {
    for (requested, pause) in [(0, 100), (99, 100), (5_000, 5_000)] {
        let mut harness = retrying();
        let waiter = harness.fetch("k");
        fail_with_pause(&mut harness, 0, requested);
        harness.advance(pause - 1);
        assert_eq!(harness.requests.len(), 1, "{requested} ms were requested");
        harness.advance(1);
        assert_eq!(harness.requests.len(), 2, "{requested} ms were requested");
        harness.give(1, "k", ProviderAnswer::Answer(bytes("v"), StoreTerms::default()));
        assert_eq!(waiter.outcome(), value("v"));
    }
}

#[test]
fn f11a_a_pause_beyond_the_budget_ends_the_load() {
    let mut harness = Harness::with(|settings| {
        let retry = &mut settings.fetch.retry;
        (retry.count, retry.fixed, retry.budget) = (None, ms(100), Some(ms(1_000)));
    });
    let waiter = harness.fetch("k");
    fail_with_pause(&mut harness, 0, 1_001);
    assert_eq!(waiter.outcome(), Summary::Error(429));
    let waiter = harness.fetch("k");
    fail_with_pause(&mut harness, 1, 1_000);
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.cancel(&waiter);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CANCELLED));
}

#[test]
fn f11a_an_endless_pause_ends_the_load() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = None);
    let waiter = harness.fetch("k");
    fail_with_pause(&mut harness, 0, u64::MAX);
    assert_eq!(waiter.outcome(), Summary::Error(429));
}

#[test]
fn f11a_a_shared_error_accepts_no_pause() {
    let mut error = Error::of_provider(429, b"", false, None);
    let other = error.clone();
    assert!(!error.set_pause(ms(1)) && error.pause().is_none());
    drop(other);
    assert!(error.set_pause(ms(1)) && error.pause() == Some(ms(1)));
}
