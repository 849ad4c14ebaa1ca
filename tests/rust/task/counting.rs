//! What the table counts and says of itself (rules S12, F10, F13, F20, F22), where no other story looks.

use super::world::{Said, World, failed_with, ms, value};
use kvlight::base::config::{BatchMode, RetryShape};
use kvlight::base::{Now, Status};
use kvlight::task::{Form, Source};

#[test]
fn s12_an_attempt_that_takes_too_long_is_counted_and_its_request_abandoned() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    world.by_hand = true;
    let waiter = world.fetch_each(&["a", "b"]);
    world.take(0);
    world.answer(0, "a", "1");
    world.advance(10);
    assert_eq!(waiter.outcomes(), [value("1"), failed_with(Status::ERR_TIMEOUT)]);
    let counts = world.table.counts();
    assert_eq!((counts.attempt_timeouts, counts.requests_abandoned, counts.requests), (1, 1, 1));
}

#[test]
fn s12_each_request_is_timed_once_from_its_forming_to_its_end() {
    let mut world = World::new();
    world.fetch_each(&["a", "b"]);
    world.advance(3);
    world.answer(0, "a", "1");
    world.advance(2);
    world.answer(0, "b", "2");
    let latency = &world.table.counts().latency;
    assert_eq!((latency.total(), latency.sum), (1, 5_000));
}

#[test]
fn s12_each_attempt_after_the_first_is_counted_as_a_retry() {
    let mut world = World::with(|settings| {
        settings.fetch.retry.count = Some(2);
        (settings.fetch.retry.shape, settings.fetch.retry.fixed) = (RetryShape::Fixed, ms(1));
    });
    let waiter = world.fetch("k");
    for nth in 0..3 {
        world.fail(nth, "k", 7);
        world.advance(2);
    }
    assert!(waiter.is_over());
    let counts = world.table.counts();
    assert_eq!((counts.attempts, counts.retries, counts.flights_failed), (3, 2, 1));
}

#[test]
fn s12_a_batch_that_ends_on_a_remembered_error_counts_each_position_once() {
    let mut world = World::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        (settings.tasks.max_running, settings.tasks.queue_max_keys) = (1, 0);
    });
    world.fetch("bad");
    world.fail_for_good(0, "bad", 7);
    world.finish(0);
    world.fetch("busy");
    let batch = world.ask(Form::All, &["a", "bad", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    let cancelled = failed_with(Status::ERR_CANCELLED);
    assert_eq!(batch.outcomes(), [cancelled.clone(), Said::Error(7), cancelled]);
    let counts = world.table.counts();
    assert_eq!((counts.missed_started, counts.missed_remembered, counts.missed_unasked, counts.misses()), (2, 1, 2, 5));
}

#[test]
fn f03_how_far_a_fetch_is_can_be_asked_after_each_position() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b"]);
    assert_eq!(waiter.polled(), (0, 0));
    world.answer(0, "a", "1");
    assert_eq!(waiter.polled(), (1, 0));
    world.fail(0, "b", 7);
    assert_eq!(waiter.polled(), (2, 1));
}

#[test]
fn s12_extra_answers_are_counted_as_stored_or_refused() {
    let mut world = World::new();
    world.fetch("k");
    world.put("written", "1");
    assert_eq!([world.extra(0, "written", "2"), world.extra(0, "new", "3")], [Status::LATE, Status::OK]);
    let counts = world.table.counts();
    assert_eq!((counts.extras_stored, counts.extras_refused), (1, 1));
}

#[test]
fn f10_a_request_says_how_much_of_its_time_is_left() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    world.fetch("k");
    world.advance(4);
    let id = world.requests[0].id;
    assert_eq!(world.table.time_left(id, &Now::of(&world.clock)), Some(ms(6)));
}

#[test]
fn f10_deadlines_of_fetches_that_ended_before_are_cleared_away() {
    let mut world = World::new();
    for nth in 0..65 {
        world.fetch_with("k", |options| options.fetch.timeout = Some(ms(1_000)));
        world.answer(nth, "k", "v");
        world.remove("k");
    }
    assert_eq!(world.table.next_due(), None, "what is over is still waited for");
}

#[test]
fn f13_a_request_is_as_urgent_as_the_most_urgent_of_its_keys() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.fetch("first");
    for (key, urgency) in [("a", 2), ("b", 7), ("c", -3)] {
        world.fetch_with(key, |options| options.urgency = urgency);
    }
    world.answer(0, "first", "1");
    let urgencies: Vec<i32> = world.requests[1..].iter().map(|request| request.handout.urgency).collect();
    assert_eq!(urgencies.first(), Some(&7));
    assert!(world.requests[1].keys().contains(&"b".to_owned()));
}

#[test]
fn f20_a_late_answer_forgets_a_remembered_error() {
    let mut world = World::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.fetch.attempt_timeout = Some(ms(10));
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.first = ms(0);
    });
    let waiter = world.fetch("k");
    world.advance(10);
    world.fail_for_good(1, "k", 7);
    assert_eq!(waiter.outcome(), Said::Error(7));
    assert_eq!(world.answer(0, "k", "late"), Status::LATE);
    assert_eq!(world.lookup("k"), value("late"), "nothing newer was written");
    world.shelf.lose("k");
    assert_eq!(world.fetch("k").outcome(), Said::Nothing, "once the late answer has expired the error is told again");
}

#[test]
fn f22_an_error_comes_from_the_provider_only_if_it_is_the_providers() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    let waiter = world.fetch_each(&["a", "b"]);
    world.fail(0, "a", 7);
    world.advance(10);
    assert_eq!(waiter.outcomes(), [Said::Error(7), failed_with(Status::ERR_TIMEOUT)]);
    assert_eq!([waiter.details(0).source, waiter.details(1).source], [Source::Provider, Source::None]);
}

#[test]
fn l05_an_engine_that_refreshes_for_nobody_is_not_idle() {
    let mut world = World::new();
    world.refresh("k");
    assert!(!world.table.is_idle());
    world.answer(0, "k", "v");
    assert!(world.table.is_idle());
}
