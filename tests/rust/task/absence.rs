//! When a finish without an answer for a key means "there is no such record" (rule F16a): only if the provider had taken the key, the key was
//! wanted, and the attempt had not timed out when the request was finished.

use super::harness::{Harness, Summary, failed_with, ms, value};
use kvlight::base::Status;
use kvlight::base::config::{BatchMode, ReadMode};
use kvlight::task::{Form, TakeResult, Unanswered};

/// The two ways of finishing a request so that unanswered keys become null.
fn silent_finishes() -> [(&'static str, Unanswered); 2] {
    [("by omission", Unanswered::Unanswered), ("by stating that the rest is null", Unanswered::Null)]
}

fn harness() -> Harness {
    Harness::with(|settings| settings.tasks.omitted_is_null = true)
}

fn manual_harness() -> Harness {
    let mut harness = harness();
    harness.takes_manually = true;
    harness
}

#[test]
fn f16a_a_request_withdrawn_before_it_is_taken_makes_no_nulls() {
    for (how, rest) in silent_finishes() {
        let mut harness = manual_harness();
        let waiter = harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
        let cancelled = harness.fetch("l");
        harness.advance(10);
        harness.cancel(&cancelled);
        for nth in 0..2 {
            assert_eq!(harness.take(nth), TakeResult::Skip);
            harness.finish_with(nth, rest.clone());
        }
        assert_eq!((waiter.outcome(), cancelled.outcome()), (failed_with(Status::ERR_TIMEOUT), failed_with(Status::ERR_CANCELLED)));
        assert_eq!(
            [harness.lookup("k"), harness.lookup("l")],
            [Summary::Miss, Summary::Miss],
            "{how}: the provider did not look for the keys"
        );
        assert_eq!(harness.fetch("k").outcome(), Summary::Pending, "{how}");
    }
}

#[test]
fn f16a_a_request_that_was_not_taken_is_unanswered_even_for_waiters() {
    for (how, rest) in silent_finishes() {
        let mut harness = manual_harness();
        let waiter = harness.fetch("k");
        harness.finish_with(0, rest);
        assert_eq!((waiter.outcome(), harness.lookup("k")), (failed_with(Status::ERR_UNANSWERED), Summary::Miss), "{how}");
    }
}

#[test]
fn f16a_a_finish_after_a_cancel_makes_no_nulls() {
    for (how, rest) in silent_finishes() {
        let mut harness = harness();
        let waiter = harness.fetch_each(&["a", "b"]);
        harness.answer(0, "a", "1");
        harness.cancel(&waiter);
        assert_eq!(harness.finish_with(0, rest), Status::OK);
        assert_eq!([harness.lookup("a"), harness.lookup("b")], [value("1"), Summary::Miss], "{how}");
    }
}

#[test]
fn f16a_a_cancelled_refresh_does_not_change_the_value() {
    for (how, rest) in silent_finishes() {
        let mut harness = harness();
        harness.put("k", "good");
        let refresh = harness.fetch_with("k", |options| options.fetch.read = ReadMode::Refresh);
        harness.cancel(&refresh);
        harness.finish_with(0, rest);
        assert_eq!(harness.lookup("k"), value("good"), "{how}");
    }
}

#[test]
fn f16a_a_batch_that_failed_as_a_whole_makes_no_nulls() {
    for (how, rest) in silent_finishes() {
        let mut harness = harness();
        let waiter = harness.ask(Form::All, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
        harness.fail(0, "a", 7);
        assert!(waiter.has_ended());
        harness.finish_with(0, rest);
        assert_eq!(harness.lookup("b"), Summary::Miss, "{how}");
    }
}

#[test]
fn f16a_a_finish_after_the_attempt_timeout_leaves_the_key_to_its_retry() {
    // The key is in backoff, or the provider has it again.
    for (where_it_is, advance) in [("in backoff", 0), ("in its second attempt", 5)] {
        for (how, rest) in silent_finishes() {
            let mut harness = Harness::with(|settings| {
                settings.tasks.omitted_is_null = true;
                settings.fetch.attempt_timeout = Some(ms(10));
                (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(3), ms(5));
            });
            let waiter = harness.fetch("k");
            harness.advance(10);
            harness.advance(advance);
            assert_eq!(harness.finish_with(0, rest), Status::OK);
            assert_eq!((waiter.outcome(), harness.lookup("k")), (Summary::Pending, Summary::Miss), "{how}, {where_it_is}");
            harness.advance(5 - advance);
            harness.answer(1, "k", "v");
            assert_eq!(waiter.outcome(), value("v"), "{how}, {where_it_is}");
        }
    }
}

#[test]
fn f16a_a_finish_after_the_last_attempt_timeout_or_the_close_stores_nothing() {
    for (how, rest) in silent_finishes() {
        let mut harness = Harness::with(|settings| {
            settings.tasks.omitted_is_null = true;
            settings.fetch.attempt_timeout = Some(ms(10));
        });
        harness.fetch("late");
        harness.advance(10);
        harness.finish_with(0, rest.clone());
        harness.fetch("closed");
        harness.close();
        assert_eq!(harness.finish_with(1, rest), Status::ERR_CLOSED);
        assert_eq!([harness.lookup("late"), harness.lookup("closed")], [Summary::Miss, Summary::Miss], "{how}");
    }
}

#[test]
fn f16a_only_the_wanted_keys_of_a_request_become_null() {
    for (how, rest) in silent_finishes() {
        let mut harness = Harness::with(|settings| {
            settings.tasks.omitted_is_null = true;
            settings.tasks.max_running = 1;
            settings.fetch.retry.count = Some(5);
        });
        harness.fetch("busy");
        let (stays, leaves) = (harness.fetch("a"), harness.fetch("b"));
        harness.finish(0);
        assert_eq!(harness.handed()[1].len(), 2, "both keys are in one request");
        harness.cancel(&leaves);
        harness.finish_with(1, rest);
        assert_eq!((stays.outcome(), harness.lookup("a"), harness.lookup("b")), (Summary::Null, Summary::Null, Summary::Miss), "{how}");
        let counts = harness.table.counts();
        assert_eq!((counts.flights_ended.failed, harness.requests.len()), (1, 2), "{how}: an unwanted key that fails is not retried");
    }
}

#[test]
fn f16a_an_unwanted_key_that_is_wanted_again_may_become_null() {
    for (how, rest) in silent_finishes() {
        let mut harness = harness();
        let both = harness.fetch_each(&["a", "b"]);
        let stays = harness.fetch("a");
        harness.cancel(&both);
        let again = harness.fetch("b");
        harness.finish_with(0, rest);
        assert_eq!([stays.outcome(), again.outcome()], [Summary::Null, Summary::Null], "{how}");
    }
}

#[test]
fn f16a_a_refresh_wants_its_key() {
    for (how, rest) in silent_finishes() {
        let mut harness = harness();
        harness.put("k", "deleted since");
        harness.refresh("k");
        harness.finish_with(0, rest);
        assert_eq!(harness.lookup("k"), Summary::Null, "{how}");
    }
}

#[test]
fn f16a_a_finish_does_not_replace_another_answer_by_null() {
    for (how, rest) in silent_finishes() {
        let mut harness = Harness::with(|settings| {
            settings.tasks.omitted_is_null = true;
            settings.fetch.attempt_timeout = Some(ms(10));
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = ms(0);
        });
        let waiter = harness.fetch("k");
        harness.advance(10);
        harness.answer(0, "k", "late");
        harness.finish_with(1, rest);
        assert_eq!((waiter.outcome(), harness.lookup("k")), (value("late"), value("late")), "{how}");
    }
}

#[test]
fn f16a_f09_f10_a_stated_null_is_stored_even_if_it_is_unwanted_or_late() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    let cancelled = harness.fetch("unwanted");
    harness.cancel(&cancelled);
    assert_eq!(harness.answer_null(0, "unwanted"), Status::LATE);
    harness.fetch("late");
    harness.advance(10);
    assert_eq!(harness.answer_null(1, "late"), Status::LATE);
    assert_eq!([harness.lookup("unwanted"), harness.lookup("late")], [Summary::Null, Summary::Null]);
}

#[test]
fn f16a_a_finish_with_an_error_fails_only_open_keys() {
    let mut harness = Harness::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.fetch.attempt_timeout = Some(ms(10));
        (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(1), ms(5));
    });
    let waiter = harness.fetch("k");
    harness.advance(10);
    harness.finish_with(0, Unanswered::Failed(super::harness::provider_error(7, true)));
    harness.advance(5);
    harness.answer(1, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn s12a_an_omitted_answer_is_not_counted_as_late() {
    for (how, rest) in silent_finishes() {
        let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
        let cancelled = harness.fetch_each(&["a", "b"]);
        harness.cancel(&cancelled);
        harness.finish_with(0, rest.clone());
        harness.fetch("late");
        harness.advance(10);
        harness.finish_with(1, rest);
        assert_eq!(harness.table.counts().answers_late, 0, "{how}");
        harness.fetch("answered");
        harness.advance(10);
        harness.answer(2, "answered", "v");
        assert_eq!(harness.table.counts().answers_late, 1, "{how}");
    }
}
