//! Timeouts, late answers and retries (rules F10, F11).

use super::world::{Said, World, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{QueueOrder, RetryShape, Settings};
use kvlight::task::{Cancel, Form, TakeResult, Unanswered};

fn attempts_of(timeout_ms: u64, retries: u32) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.fetch.attempt_timeout = Some(ms(timeout_ms));
        settings.fetch.retry.count = Some(retries);
    }
}

#[test]
fn f10_a_fetch_timeout_settles_what_is_open_and_delivers_the_rest() {
    let mut world = World::new();
    let waiter = world.ask(Form::All, &["a", "b"], |options| options.fetch.timeout = Some(ms(50)));
    world.answer(0, "a", "1");
    world.advance(49);
    assert!(!waiter.is_over(), "the timeout came early");
    world.advance(1);
    assert_eq!(waiter.batch(), Some((vec![value("1"), failed_with(Status::ERR_TIMEOUT)], Status::ERR_TIMEOUT)));
    assert_eq!(world.table.counts().fetch_timeouts, 1);
}

#[test]
fn f10_a_fetch_timeout_is_that_fetchs_alone() {
    let mut world = World::new();
    let hasty = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
    let patient = world.fetch("k");
    world.advance(10);
    world.answer(0, "k", "v");
    assert_eq!([hasty.outcome(), patient.outcome()], [failed_with(Status::ERR_TIMEOUT), value("v")]);
}

#[test]
fn f10_an_answer_before_the_timeout_wins_for_good() {
    let mut world = World::new();
    let waiter = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
    world.answer(0, "k", "v");
    world.advance(100);
    assert_eq!((waiter.outcome(), world.table.counts().fetch_timeouts), (value("v"), 0));
}

#[test]
fn f10_an_attempt_timeout_counts_from_the_taking() {
    let mut world = World::with(attempts_of(10, 0));
    world.by_hand = true;
    let waiter = world.fetch("k");
    world.advance(1_000);
    assert_eq!(waiter.outcome(), Said::Nothing, "the attempt's time ran before anybody took it");
    assert_eq!(world.take(0), TakeResult::Run);
    world.advance(9);
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.advance(1);
    assert_eq!((waiter.outcome(), world.hooks.clone()), (failed_with(Status::ERR_TIMEOUT), vec![(0, Cancel::Timeout)]));
}

#[test]
fn f10_a_heartbeat_restarts_the_attempts_time() {
    let mut world = World::with(attempts_of(10, 0));
    let waiter = world.fetch("k");
    for _ in 0..5 {
        world.advance(9);
        assert_eq!(world.heartbeat(0), Status::OK);
    }
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.advance(10);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_TIMEOUT));
    assert_eq!(world.heartbeat(0), Status::LATE, "a heartbeat revived an attempt that was over");
}

#[test]
fn f10_an_attempt_timeout_is_retried_and_frees_the_slot() {
    let mut world = World::with(|settings| {
        attempts_of(10, 1)(settings);
        settings.tasks.max_running = 1;
    });
    let waiter = world.fetch("k");
    world.advance(10);
    assert_eq!(world.handed(), [["k"], ["k"]], "the slot of a hung request was not used again");
    world.answer(1, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f10_a_late_answer_settles_its_flight_in_whatever_attempt_it_is() {
    let mut world = World::with(attempts_of(10, 1));
    let waiter = world.fetch("k");
    world.advance(10);
    assert_eq!(world.answer(0, "k", "late"), Status::LATE);
    assert_eq!((waiter.outcome(), world.lookup("k")), (value("late"), value("late")));
    assert_eq!(world.hooks, [(0, Cancel::Timeout), (1, Cancel::Unwanted)], "the running attempt is no longer wanted");
    world.answer(1, "k", "later");
    assert_eq!(world.lookup("k"), value("later"), "the younger attempt is the newer one");
}

#[test]
fn f10_a_late_answer_of_an_older_attempt_does_not_replace_a_younger_ones() {
    let mut world = World::with(attempts_of(10, 1));
    world.fetch("k");
    world.advance(10);
    world.answer(1, "k", "young");
    world.answer(0, "k", "old");
    assert_eq!(world.lookup("k"), value("young"));
}

#[test]
fn f10_a_late_answer_settles_a_flight_in_backoff() {
    let mut world = World::with(|settings| {
        attempts_of(10, 1)(settings);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.fetch("k");
    world.advance(10);
    world.answer(0, "k", "late");
    assert_eq!(waiter.outcome(), value("late"));
    world.advance(1_000);
    assert_eq!(world.requests.len(), 1, "a settled flight was tried again");
}

#[test]
fn f10_a_late_answer_that_a_write_overtook_is_dropped() {
    let mut world = World::with(|settings| {
        attempts_of(10, 1)(settings);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.fetch("k");
    world.advance(10);
    world.remove("k");
    assert_eq!(world.answer(0, "k", "stale"), Status::LATE);
    assert_eq!((waiter.outcome(), world.lookup("k")), (Said::Nothing, Said::Miss));
    world.advance(100);
    world.answer(1, "k", "fresh");
    assert_eq!((waiter.outcome(), world.lookup("k")), (value("fresh"), value("fresh")));
}

#[test]
fn f10_a_late_error_is_dropped() {
    let mut world = World::with(attempts_of(10, 1));
    let waiter = world.fetch("k");
    world.advance(10);
    assert_eq!(world.fail_for_good(0, "k", 9), Status::LATE);
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.answer(1, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f10_beyond_max_abandoned_the_slot_waits_for_one_to_finish() {
    let mut world = World::with(|settings| {
        attempts_of(10, 0)(settings);
        settings.tasks.max_running = 1;
        settings.tasks.max_abandoned = 1;
    });
    let first = world.fetch("a");
    world.advance(10);
    let second = world.fetch("b");
    world.advance(10);
    assert_eq!([first.outcome(), second.outcome()], [failed_with(Status::ERR_TIMEOUT), failed_with(Status::ERR_TIMEOUT)]);
    let third = world.fetch("c");
    assert_eq!(world.requests.len(), 2, "a third request runs beside two that hang, where one may");
    world.finish(0);
    assert_eq!(world.handed()[2], ["c"], "the abandoned request finished, and its room was not used");
    world.answer(2, "c", "3");
    assert_eq!(third.outcome(), value("3"));
    assert_eq!(world.table.gauges().abandoned, 1);
}

#[test]
fn f10_with_no_abandoned_allowed_the_hung_request_itself_frees_the_slot() {
    let mut world = World::with(|settings| {
        attempts_of(10, 0)(settings);
        settings.tasks.max_running = 1;
        settings.tasks.max_abandoned = 0;
    });
    world.fetch("a");
    world.advance(10);
    world.fetch("b");
    assert_eq!(world.requests.len(), 1);
    world.answer(0, "a", "late");
    assert_eq!(world.handed()[1..], [["b"]], "everything was answered and the call came back: the slot is free");
}

#[test]
fn f10_the_longest_timeouts_never_fire_and_never_overflow() {
    let mut world = World::with(attempts_of(i64::MAX as u64, 0));
    let waiter = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(i64::MAX as u64)));
    world.advance(u64::MAX / 4_000_000);
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.answer(0, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f11_count_n_is_n_plus_one_attempts() {
    for count in [0, 1, 3] {
        let mut world = World::with(|settings| settings.fetch.retry.count = Some(count));
        let waiter = world.fetch("k");
        for attempt in 0..=count as usize {
            assert_eq!(waiter.outcome(), Said::Nothing, "told before attempt {attempt} of {count} retries");
            world.fail(attempt, "k", 7);
        }
        assert_eq!((waiter.outcome(), world.requests.len()), (Said::Error(7), count as usize + 1));
    }
}

#[test]
fn f11_the_pauses_follow_the_shape() {
    let mut world = World::with(|settings| {
        let retry = &mut settings.fetch.retry;
        (retry.count, retry.shape, retry.first) = (Some(3), RetryShape::Exponential, ms(100));
    });
    world.fetch("k");
    for (nth, pause) in [100, 200, 400].into_iter().enumerate() {
        world.fail(nth, "k", 7);
        world.advance(pause - 1);
        assert_eq!(world.requests.len(), nth + 1, "pause {nth} is shorter than {pause} ms");
        world.advance(1);
        assert_eq!(world.requests.len(), nth + 2, "pause {nth} is longer than {pause} ms");
    }
}

#[test]
fn f11_the_budget_ends_the_retries() {
    let mut world = World::with(|settings| {
        let retry = &mut settings.fetch.retry;
        (retry.count, retry.fixed, retry.budget) = (None, ms(100), Some(ms(250)));
    });
    let waiter = world.fetch("k");
    for nth in 0..3 {
        world.fail(nth, "k", 7);
        world.advance(100);
    }
    assert_eq!((waiter.outcome(), world.requests.len()), (Said::Error(7), 3), "attempts begin at 0, 100 and 200 ms, none later");
}

#[test]
fn f11_a_permanent_error_is_not_retried() {
    let mut world = World::with(|settings| settings.fetch.retry.count = None);
    let waiter = world.fetch("k");
    world.fail_for_good(0, "k", 7);
    assert_eq!((waiter.outcome(), world.requests.len()), (Said::Error(7), 1));
}

#[test]
fn f11_a_key_in_backoff_holds_no_slot_and_no_place() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
        settings.tasks.batch_max_keys = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    world.fetch("k");
    world.fail(0, "k", 7);
    let (second, third) = (world.fetch("second"), world.fetch("third"));
    assert_eq!(world.handed()[1], ["second"]);
    world.answer(1, "second", "2");
    world.answer(2, "third", "3");
    assert_eq!([second.outcome(), third.outcome()], [value("2"), value("3")]);
}

#[test]
fn f11_a_due_key_waits_over_the_limit_and_is_not_lost() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
        settings.tasks.batch_max_keys = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    let retried = world.fetch("retried");
    world.fail(0, "retried", 7);
    world.fetch("busy");
    let waiting = world.fetch("waiting");
    world.advance(10);
    assert_eq!(world.table.gauges().queued, 2, "a due key is queued though the one place is taken");
    world.fetch_with("newcomer", |options| options.urgency = 9);
    assert_eq!([waiting.outcome(), retried.outcome()], [failed_with(Status::ERR_QUEUE_FULL), Said::Nothing]);
}

#[test]
fn f13c_a_due_key_goes_first_within_its_own_urgency() {
    for urgency in [-1, 0, 1] {
        let mut world = World::with(|settings| {
            settings.tasks.max_running = 1;
            settings.tasks.batch_max_keys = 1;
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = ms(10);
        });
        world.fetch_with("retried", |options| options.urgency = urgency);
        world.fail(0, "retried", 7);
        world.fetch("busy");
        world.fetch("waiting");
        world.advance(10);
        world.finish(1);
        assert_eq!(world.handed()[2], [if urgency < 0 { "waiting" } else { "retried" }], "retried with urgency {urgency}");
    }
}

#[test]
fn f11b_a_retry_without_pause_goes_behind_those_that_wait_at_its_urgency() {
    for order in [QueueOrder::Fifo, QueueOrder::Lifo] {
        let mut world = World::with(|settings| {
            settings.tasks.max_running = 1;
            settings.tasks.batch_max_keys = 1;
            settings.tasks.queue_order = order;
            settings.fetch.retry.count = None;
        });
        world.fetch("fails");
        world.fetch_with("idle", |options| options.urgency = -1);
        world.fetch_each(&["a", "b"]);
        world.fail(0, "fails", 7);
        for nth in 1..=2 {
            world.finish_with(nth, Unanswered::Null);
        }
        assert_eq!(world.handed()[1..], [["a"], ["b"], ["fails"]], "{order:?}");
    }
}

#[test]
fn f11b_keys_that_fail_at_once_for_ever_starve_nobody() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 2;
        settings.tasks.batch_max_keys = 4;
        settings.fetch.retry.count = None;
    });
    world.fetch_each(&refs(&keys(64)));
    let mut served = 0;
    for nth in 0..200 {
        let handed = world.requests[nth].keys();
        for key in handed {
            if key.starts_with('k') {
                world.fail(nth, &key, 503);
            } else {
                world.answer(nth, &key, "v");
                served += 1;
            }
        }
        world.finish(nth);
        if nth % 10 == 0 {
            world.fetch(&format!("single {nth}"));
        }
    }
    assert!(served >= 15, "of 20 single keys {served} were served in 200 requests");
}

#[test]
fn f11_only_failed_keys_of_a_batch_are_retried() {
    let mut world = World::with(|settings| settings.fetch.retry.count = Some(1));
    let waiter = world.fetch_all(&["a", "b", "c"]);
    world.answer(0, "a", "1");
    world.fail(0, "b", 7);
    world.answer_null(0, "c");
    assert_eq!(world.handed()[1..], [["b"]]);
    assert_eq!(world.requests[1].handout.attempts, [2]);
    world.answer(1, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2"), Said::Null]);
}
