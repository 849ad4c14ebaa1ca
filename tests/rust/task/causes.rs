//! What a fetch that ends early says of the attempts before (rule F10b), and pauses that the provider asks for (rule F11a).

use super::world::{Said, World, bytes, failed_with, ms, provider_error, value};
use kvlight::base::config::{BatchMode, LeavePolicy};
use kvlight::base::{Error, Status, StoreTerms};
use kvlight::task::breaker::Forced;
use kvlight::task::{Form, ProviderAnswer};

/// Two retries, 100 ms apart.
fn retrying() -> World {
    World::with(|settings| {
        settings.fetch.retry.count = Some(2);
        settings.fetch.retry.fixed = ms(100);
    })
}

/// What an error is, and what it says of its cause.
fn chain(error: &Error) -> (Status, Option<i64>) {
    let cause = error.cause();
    assert!(cause.is_none_or(|cause| cause.cause().is_none()), "causes have none of their own");
    (error.status(), cause.map(|cause| cause.code()))
}

#[test]
fn f10b_a_timeout_says_how_often_it_was_tried_and_what_came_of_it() {
    let mut world = retrying();
    let waiter = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(150)));
    world.fail(0, "k", 7);
    world.advance(100);
    world.fail(1, "k", 8);
    world.advance(50);
    let outcome = waiter.details(0);
    assert_eq!((chain(outcome.error().expect("it failed")), outcome.attempts), ((Status::ERR_TIMEOUT, Some(8)), 2));
}

#[test]
fn f10b_the_cause_is_the_very_error_of_the_provider() {
    let mut world = retrying();
    let waiter = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(50)));
    let error = provider_error(7, false);
    world.give(0, "k", ProviderAnswer::Failed(error.clone()));
    world.advance(50);
    assert!(waiter.error(0).cause().is_some_and(|cause| cause.is(&error)));
}

#[test]
fn f10b_without_a_failed_attempt_there_is_no_cause() {
    let mut world = retrying();
    let waiter = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(50)));
    world.advance(50);
    let outcome = waiter.details(0);
    assert_eq!((chain(outcome.error().expect("it failed")), outcome.attempts), ((Status::ERR_TIMEOUT, None), 1));
}

#[test]
fn f10b_a_cancel_and_a_close_carry_the_cause() {
    let mut world = retrying();
    let (cancelled, closed) = (world.fetch("a"), world.fetch("b"));
    world.fail(0, "a", 7);
    world.fail(1, "b", 8);
    world.cancel(&cancelled);
    world.close();
    assert_eq!(chain(&cancelled.error(0)), (Status::ERR_CANCELLED, Some(7)));
    assert_eq!(chain(&closed.error(0)), (Status::ERR_CLOSED, Some(8)));
    assert_eq!([cancelled.details(0).attempts, closed.details(0).attempts], [1, 1]);
}

#[test]
fn f10b_the_last_attempts_timeout_does_not_hide_what_the_provider_said() {
    let mut world = World::with(|settings| {
        settings.fetch.attempt_timeout = Some(ms(10));
        settings.fetch.retry.count = Some(2);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.fetch("k");
    world.fail(0, "k", 7);
    world.advance(100);
    world.advance(10);
    world.advance(100);
    world.advance(10);
    let outcome = waiter.details(0);
    assert_eq!((chain(outcome.error().expect("it failed")), outcome.attempts), ((Status::ERR_TIMEOUT, Some(7)), 3));
}

#[test]
fn f10b_an_attempts_timeout_is_a_cause_if_the_provider_said_nothing() {
    let mut world = World::with(|settings| {
        settings.fetch.attempt_timeout = Some(ms(10));
        settings.fetch.retry.count = Some(5);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(50)));
    world.advance(50);
    let error = waiter.error(0);
    assert_eq!((error.status(), error.cause().map(|cause| cause.status())), (Status::ERR_TIMEOUT, Some(Status::ERR_TIMEOUT)));
}

#[test]
fn f10b_an_open_breaker_says_what_the_attempt_before_had_failed_with() {
    let mut world = World::with(|settings| {
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.fetch("k");
    world.fail(0, "k", 7);
    world.step(|table, turn| table.force_breaker(Forced::Open, turn));
    world.advance(100);
    assert_eq!(chain(&waiter.error(0)), (Status::ERR_UNAVAILABLE, Some(7)));
}

#[test]
fn f10b_each_position_has_the_cause_of_its_own_load() {
    let mut world = World::with(|settings| {
        settings.tasks.batch_max_keys = 8;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.ask(Form::All, &["a", "b", "c"], |options| options.fetch.timeout = Some(ms(50)));
    world.fail(0, "b", 8);
    world.answer(0, "c", "3");
    world.advance(50);
    let codes = [0, 1].map(|index| chain(&waiter.error(index)));
    assert_eq!(codes, [(Status::ERR_TIMEOUT, None), (Status::ERR_TIMEOUT, Some(8))]);
    assert_eq!(waiter.outcomes()[2], value("3"));
    assert_eq!(chain(&waiter.ended()), (Status::ERR_TIMEOUT, Some(8)), "the whole names one of them");
}

#[test]
fn f10b_what_falls_with_its_batch_names_its_own_cause() {
    let mut world = World::with(|settings| {
        settings.tasks.batch_max_keys = 8;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.ask(Form::All, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    world.fail(0, "a", 7);
    world.fail_for_good(0, "b", 8);
    assert_eq!(chain(&waiter.error(0)), (Status::ERR_CANCELLED, Some(7)));
    assert_eq!(waiter.outcomes()[1], Said::Error(8));
}

#[test]
fn f10b_a_load_that_goes_on_keeps_its_cause_for_who_joins() {
    let mut world = World::with(|settings| {
        settings.fetch.retry.count = Some(3);
        settings.fetch.retry.fixed = ms(100);
        settings.fetch.on_timeout = LeavePolicy::Continue;
    });
    let hasty = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(150)));
    world.fail(0, "k", 7);
    world.advance(150);
    assert_eq!(chain(&hasty.error(0)), (Status::ERR_TIMEOUT, Some(7)));
    let second = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
    world.advance(10);
    let outcome = second.details(0);
    assert_eq!((chain(outcome.error().expect("it failed")), outcome.attempts), ((Status::ERR_TIMEOUT, Some(7)), 2));
}

#[test]
fn f10b_an_answer_after_failures_has_no_error_and_leaves_none_behind() {
    let mut world = retrying();
    let waiter = world.fetch("k");
    world.fail(0, "k", 7);
    world.advance(100);
    world.answer(1, "k", "v");
    assert_eq!((waiter.outcome(), waiter.details(0).attempts), (value("v"), 2));
}

/// Fails the only key of request `nth` and asks for a pause.
fn fail_and_ask(world: &mut World, nth: usize, pause_ms: u64) {
    let mut error = Error::of_provider(429, b"too many requests", false, None);
    assert!(error.set_pause(ms(pause_ms)));
    world.give(nth, "k", ProviderAnswer::Failed(error));
}

#[test]
fn f11a_the_pause_is_the_longer_of_the_policys_and_the_providers() {
    for (asked, pause) in [(0, 100), (99, 100), (5_000, 5_000)] {
        let mut world = retrying();
        let waiter = world.fetch("k");
        fail_and_ask(&mut world, 0, asked);
        world.advance(pause - 1);
        assert_eq!(world.requests.len(), 1, "{asked} ms were asked for");
        world.advance(1);
        assert_eq!(world.requests.len(), 2, "{asked} ms were asked for");
        world.give(1, "k", ProviderAnswer::Answer(bytes("v"), StoreTerms::default()));
        assert_eq!(waiter.outcome(), value("v"));
    }
}

#[test]
fn f11a_a_pause_beyond_the_budget_is_the_end() {
    let mut world = World::with(|settings| {
        let retry = &mut settings.fetch.retry;
        (retry.count, retry.fixed, retry.budget) = (None, ms(100), Some(ms(1_000)));
    });
    let waiter = world.fetch("k");
    fail_and_ask(&mut world, 0, 1_001);
    assert_eq!(waiter.outcome(), Said::Error(429));
    let waiter = world.fetch("k");
    fail_and_ask(&mut world, 1, 1_000);
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.cancel(&waiter);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CANCELLED));
}

#[test]
fn f11a_a_pause_that_never_ends_is_the_end() {
    let mut world = World::with(|settings| settings.fetch.retry.count = None);
    let waiter = world.fetch("k");
    fail_and_ask(&mut world, 0, u64::MAX);
    assert_eq!(waiter.outcome(), Said::Error(429));
}

#[test]
fn f11a_an_error_that_others_hold_takes_no_pause() {
    let mut error = Error::of_provider(429, b"", false, None);
    let other = error.clone();
    assert!(!error.set_pause(ms(1)) && error.pause().is_none());
    drop(other);
    assert!(error.set_pause(ms(1)) && error.pause() == Some(ms(1)));
}
