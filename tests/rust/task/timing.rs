//! Timeouts, late answers and retries (rules F10, F11, F11b, F13c).

use super::harness::{Harness, Summary, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{QueueOrder, ReadMode, RetryShape, Settings};
use kvlight::task::{Cancel, Form, TakeResult, Unanswered};

fn timeout_and_retries(timeout_ms: u64, retries: u32) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.fetch.attempt_timeout = Some(ms(timeout_ms));
        settings.fetch.retry.count = Some(retries);
    }
}

#[test]
fn f10_a_fetch_timeout_settles_open_positions_and_keeps_the_others() {
    let mut harness = Harness::new();
    let waiter = harness.ask(Form::All, &["a", "b"], |options| options.fetch.timeout = Some(ms(50)));
    harness.answer(0, "a", "1");
    harness.advance(49);
    assert!(!waiter.has_ended(), "the timeout has not fired early");
    harness.advance(1);
    assert_eq!(waiter.batch(), Some((vec![value("1"), failed_with(Status::ERR_TIMEOUT)], Status::ERR_TIMEOUT)));
    assert_eq!(harness.table.counts().fetch_timeouts, 1);
}

#[test]
fn f10_a_fetch_timeout_does_not_affect_other_fetches() {
    let mut harness = Harness::new();
    let hasty = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
    let patient = harness.fetch("k");
    harness.advance(10);
    harness.answer(0, "k", "v");
    assert_eq!([hasty.outcome(), patient.outcome()], [failed_with(Status::ERR_TIMEOUT), value("v")]);
}

#[test]
fn f10_a_timeout_does_not_replace_an_earlier_answer() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
    harness.answer(0, "k", "v");
    harness.advance(100);
    assert_eq!((waiter.outcome(), harness.table.counts().fetch_timeouts), (value("v"), 0));
}

#[test]
fn f10_an_attempt_timeout_starts_when_the_request_is_taken() {
    let mut harness = Harness::with(timeout_and_retries(10, 0));
    harness.takes_manually = true;
    let waiter = harness.fetch("k");
    harness.advance(1_000);
    assert_eq!(waiter.outcome(), Summary::Pending, "the attempt timeout has not started");
    assert_eq!(harness.take(0), TakeResult::Run);
    harness.advance(9);
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.advance(1);
    assert_eq!((waiter.outcome(), harness.hooks.clone()), (failed_with(Status::ERR_TIMEOUT), vec![(0, Cancel::Timeout)]));
}

#[test]
fn f10_a_heartbeat_restarts_the_attempt_timeout() {
    let mut harness = Harness::with(timeout_and_retries(10, 0));
    let waiter = harness.fetch("k");
    for _ in 0..5 {
        harness.advance(9);
        assert_eq!(harness.heartbeat(0), Status::OK);
    }
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.advance(10);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_TIMEOUT));
    assert_eq!(harness.heartbeat(0), Status::LATE, "a heartbeat does not revive an attempt that timed out");
}

#[test]
fn f10_an_attempt_timeout_is_retried_and_frees_the_slot() {
    let mut harness = Harness::with(|settings| {
        timeout_and_retries(10, 1)(settings);
        settings.tasks.max_running = 1;
    });
    let waiter = harness.fetch("k");
    harness.advance(10);
    assert_eq!(harness.handed(), [["k"], ["k"]], "the slot of a hung request is used again");
    harness.answer(1, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f10_a_late_answer_settles_its_flight_while_a_later_attempt_runs() {
    let mut harness = Harness::with(timeout_and_retries(10, 1));
    let waiter = harness.fetch("k");
    harness.advance(10);
    assert_eq!(harness.answer(0, "k", "late"), Status::LATE);
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("late"), value("late")));
    assert_eq!(harness.hooks, [(0, Cancel::Timeout), (1, Cancel::Unwanted)], "the running attempt is no longer wanted");
    harness.answer(1, "k", "later");
    assert_eq!(harness.lookup("k"), value("later"), "the answer of the younger attempt is newer");
}

#[test]
fn f10_f19_a_late_answer_settles_a_flight_that_does_not_store_it() {
    let mut harness = Harness::with(timeout_and_retries(10, 1));
    let waiter = harness.fetch_with("k", |options| options.fetch.read = ReadMode::NoStore);
    harness.advance(10);
    harness.answer(0, "k", "late");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("late"), Summary::Miss));
}

#[test]
fn f10_a_late_answer_of_an_older_attempt_does_not_replace_that_of_a_younger_one() {
    let mut harness = Harness::with(timeout_and_retries(10, 1));
    harness.fetch("k");
    harness.advance(10);
    harness.answer(1, "k", "young");
    harness.answer(0, "k", "old");
    assert_eq!(harness.lookup("k"), value("young"));
}

#[test]
fn f10_a_late_answer_settles_a_flight_in_backoff() {
    let mut harness = Harness::with(|settings| {
        timeout_and_retries(10, 1)(settings);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.fetch("k");
    harness.advance(10);
    harness.answer(0, "k", "late");
    assert_eq!(waiter.outcome(), value("late"));
    harness.advance(1_000);
    assert_eq!(harness.requests.len(), 1, "a settled flight is not retried");
}

#[test]
fn f10_a_late_answer_that_a_write_overtook_is_dropped() {
    let mut harness = Harness::with(|settings| {
        timeout_and_retries(10, 1)(settings);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.fetch("k");
    harness.advance(10);
    harness.remove("k");
    assert_eq!(harness.answer(0, "k", "stale"), Status::LATE);
    assert_eq!((waiter.outcome(), harness.lookup("k")), (Summary::Pending, Summary::Miss));
    harness.advance(100);
    harness.answer(1, "k", "fresh");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("fresh"), value("fresh")));
}

#[test]
fn f10_a_late_error_is_dropped() {
    let mut harness = Harness::with(timeout_and_retries(10, 1));
    let waiter = harness.fetch("k");
    harness.advance(10);
    assert_eq!(harness.fail_for_good(0, "k", 9), Status::LATE);
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.answer(1, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f10_beyond_max_abandoned_a_slot_is_free_once_an_abandoned_request_ends() {
    let mut harness = Harness::with(|settings| {
        timeout_and_retries(10, 0)(settings);
        settings.tasks.max_running = 1;
        settings.tasks.max_abandoned = 1;
    });
    let first = harness.fetch("a");
    harness.advance(10);
    let second = harness.fetch("b");
    harness.advance(10);
    assert_eq!([first.outcome(), second.outcome()], [failed_with(Status::ERR_TIMEOUT), failed_with(Status::ERR_TIMEOUT)]);
    let third = harness.fetch("c");
    assert_eq!(harness.requests.len(), 2, "no third request runs beside two that hang");
    harness.finish(0);
    assert_eq!(harness.handed()[2], ["c"], "the abandoned request has finished, so the second is abandoned instead, and its slot is free");
    harness.answer(2, "c", "3");
    assert_eq!(third.outcome(), value("3"));
    assert_eq!(harness.table.gauges().abandoned, 1);
}

#[test]
fn f10_with_max_abandoned_0_the_hung_request_itself_frees_the_slot() {
    let mut harness = Harness::with(|settings| {
        timeout_and_retries(10, 0)(settings);
        settings.tasks.max_running = 1;
        settings.tasks.max_abandoned = 0;
    });
    harness.fetch("a");
    harness.advance(10);
    harness.fetch("b");
    assert_eq!(harness.requests.len(), 1);
    harness.answer(0, "a", "late");
    assert_eq!(harness.handed()[1..], [["b"]], "everything is answered and the call has returned, so the slot is free");
}

#[test]
fn f10_the_longest_timeouts_never_fire_and_never_overflow() {
    let mut harness = Harness::with(timeout_and_retries(i64::MAX as u64, 0));
    let waiter = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(i64::MAX as u64)));
    // In milliseconds: a quarter of the clock's range, which is in nanoseconds.
    const LONG_MS: u64 = u64::MAX / 4_000_000;
    harness.advance(LONG_MS);
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.answer(0, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f11_a_retry_count_of_n_means_n_plus_one_attempts() {
    for count in [0, 1, 3] {
        let mut harness = Harness::with(|settings| settings.fetch.retry.count = Some(count));
        let waiter = harness.fetch("k");
        for attempt in 0..=count as usize {
            assert_eq!(waiter.outcome(), Summary::Pending, "settled after {attempt} failed attempts, with {count} retries allowed");
            harness.fail(attempt, "k", 7);
        }
        assert_eq!((waiter.outcome(), harness.requests.len()), (Summary::Error(7), count as usize + 1));
    }
}

#[test]
fn f11_the_pauses_follow_the_shape() {
    let mut harness = Harness::with(|settings| {
        let retry = &mut settings.fetch.retry;
        (retry.count, retry.shape, retry.first) = (Some(3), RetryShape::Exponential, ms(100));
    });
    harness.fetch("k");
    for (nth, pause) in [100, 200, 400].into_iter().enumerate() {
        harness.fail(nth, "k", 7);
        harness.advance(pause - 1);
        assert_eq!(harness.requests.len(), nth + 1, "pause {nth} is shorter than {pause} ms");
        harness.advance(1);
        assert_eq!(harness.requests.len(), nth + 2, "pause {nth} is longer than {pause} ms");
    }
}

#[test]
fn f11_the_budget_ends_the_retries() {
    let mut harness = Harness::with(|settings| {
        let retry = &mut settings.fetch.retry;
        (retry.count, retry.fixed, retry.budget) = (None, ms(100), Some(ms(250)));
    });
    let waiter = harness.fetch("k");
    for nth in 0..3 {
        harness.fail(nth, "k", 7);
        harness.advance(100);
    }
    assert_eq!((waiter.outcome(), harness.requests.len()), (Summary::Error(7), 3), "attempts begin at 0, 100 and 200 ms");
}

#[test]
fn f11_a_permanent_error_is_not_retried() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = None);
    let waiter = harness.fetch("k");
    harness.fail_for_good(0, "k", 7);
    assert_eq!((waiter.outcome(), harness.requests.len()), (Summary::Error(7), 1));
}

#[test]
fn f11_a_key_in_backoff_holds_no_slot_and_no_place() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
        settings.tasks.batch_max_keys = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    harness.fetch("k");
    harness.fail(0, "k", 7);
    let (second, third) = (harness.fetch("second"), harness.fetch("third"));
    assert_eq!(harness.handed()[1], ["second"]);
    harness.answer(1, "second", "2");
    harness.answer(2, "third", "3");
    assert_eq!([second.outcome(), third.outcome()], [value("2"), value("3")]);
}

#[test]
fn f11_a_due_retry_waits_without_a_place_and_is_not_lost() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
        settings.tasks.batch_max_keys = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    let retried = harness.fetch("retried");
    harness.fail(0, "retried", 7);
    harness.fetch("busy");
    let waiting = harness.fetch("waiting");
    harness.advance(10);
    assert_eq!(harness.table.gauges().queued, 2, "a due retry is queued although the only place is taken");
    harness.fetch_with("newcomer", |options| options.urgency = 9);
    assert_eq!([waiting.outcome(), retried.outcome()], [failed_with(Status::ERR_QUEUE_FULL), Summary::Pending]);
}

#[test]
fn f13c_a_due_retry_precedes_keys_of_equal_urgency() {
    for urgency in [-1, 0, 1] {
        let mut harness = Harness::with(|settings| {
            settings.tasks.max_running = 1;
            settings.tasks.batch_max_keys = 1;
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = ms(10);
        });
        harness.fetch_with("retried", |options| options.urgency = urgency);
        harness.fail(0, "retried", 7);
        harness.fetch("busy");
        harness.fetch("waiting");
        harness.advance(10);
        harness.finish(1);
        assert_eq!(harness.handed()[2], [if urgency < 0 { "waiting" } else { "retried" }], "retried with urgency {urgency}");
    }
}

#[test]
fn f11b_a_retry_without_pause_follows_waiting_keys_of_equal_urgency() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(|settings| {
            settings.tasks.max_running = 1;
            settings.tasks.batch_max_keys = 1;
            settings.tasks.queue_order = order;
            settings.fetch.retry.count = None;
        });
        harness.fetch("fails");
        harness.fetch_with("idle", |options| options.urgency = -1);
        harness.fetch_each(&["a", "b"]);
        harness.fail(0, "fails", 7);
        for nth in 1..=2 {
            harness.finish_with(nth, Unanswered::Null);
        }
        assert_eq!(harness.handed()[1..], [["a"], ["b"], ["fails"]], "{order:?}");
    }
}

#[test]
fn f11b_keys_that_keep_failing_immediately_do_not_starve_others() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 2;
        settings.tasks.batch_max_keys = 4;
        settings.fetch.retry.count = None;
    });
    harness.fetch_each(&refs(&keys(64)));
    let mut served = 0;
    for nth in 0..200 {
        let handed = harness.requests[nth].keys();
        for key in handed {
            if key.starts_with('k') {
                harness.fail(nth, &key, 503);
            } else {
                harness.answer(nth, &key, "v");
                served += 1;
            }
        }
        harness.finish(nth);
        if nth % 10 == 0 {
            harness.fetch(&format!("single {nth}"));
        }
    }
    assert!(served >= 15, "of 20 single keys {served} were served in 200 requests");
}

#[test]
fn f11_only_failed_keys_of_a_batch_are_retried() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = Some(1));
    let waiter = harness.fetch_all(&["a", "b", "c"]);
    harness.answer(0, "a", "1");
    harness.fail(0, "b", 7);
    harness.answer_null(0, "c");
    assert_eq!(harness.handed()[1..], [["b"]]);
    assert_eq!(harness.requests[1].handout.attempts, [2]);
    harness.answer(1, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2"), Summary::Null]);
}
