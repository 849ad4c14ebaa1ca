//! A request that takes long is handed out once more (rule R09).

use super::harness::{Harness, Summary, Waiter, bytes, failed_with, ms, value};
use kvlight::base::config::Settings;
use kvlight::base::{Status, StoreTerms};
use kvlight::task::breaker::BreakerOverride;
use kvlight::task::{Cancel, ProviderAnswer, Unanswered};

/// Hedges every request after 10 ms. There are slots for the request and its hedge.
fn hedges(settings: &mut Settings) {
    settings.tasks.hedge.after = ms(10);
    settings.tasks.hedge.max_ratio = 1.0;
    settings.tasks.max_running = 4;
}

/// Request 0 has had the keys "a" and "b" for 10 ms. Request 1, its hedge, has just been handed out with both.
fn hedged(set: impl FnOnce(&mut Settings)) -> (Harness, Waiter) {
    let mut harness = Harness::with(|settings| {
        hedges(settings);
        set(settings);
    });
    let waiter = harness.fetch_all(&["a", "b"]);
    harness.advance(10);
    assert_eq!(harness.handed(), [["a", "b"], ["a", "b"]]);
    (harness, waiter)
}

fn counts(harness: &Harness) -> (u64, u64, u64) {
    let counts = harness.table.counts();
    (counts.hedges_started, counts.hedges_won, counts.hedges_lost)
}

#[test]
fn r09_the_first_answer_settles_and_the_other_request_is_cancelled() {
    let (mut harness, waiter) = hedged(|_| {});
    assert_eq!(harness.answer(1, "a", "second"), Status::OK);
    assert!(harness.hooks.is_empty(), "both requests still have \"b\"");
    assert_eq!(harness.answer(0, "b", "first"), Status::OK);
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("second"), value("first")]));
    assert_eq!(harness.hooks, [(1, Cancel::Unwanted), (0, Cancel::Unwanted)]);
    // An answer that comes later settles nothing.
    assert_eq!((harness.answer(0, "a", "late"), harness.answer(1, "b", "late")), (Status::LATE, Status::LATE));
    [0, 1].into_iter().for_each(|nth| assert_eq!(harness.finish(nth), Status::OK));
    assert_eq!(counts(&harness), (1, 1, 0));
    let (all, sizes) = (harness.table.counts().requests, &harness.table.counts().batch_size);
    assert_eq!((all, sizes.total(), sizes.sum), (2, 2, 4), "a hedge is a request, too");
    let gauges = harness.table.gauges();
    assert_eq!((gauges.running, gauges.in_flight), (0, 0));
}

#[test]
fn r09_a_hedge_that_is_beaten_is_lost_and_cancelled() {
    let (mut harness, waiter) = hedged(|_| {});
    harness.answer(0, "a", "v");
    harness.answer(0, "b", "w");
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("v"), value("w")]));
    assert_eq!(harness.hooks, [(1, Cancel::Unwanted)]);
    harness.finish(1);
    assert_eq!(counts(&harness), (1, 0, 1));
}

#[test]
fn r09_an_error_does_not_fail_a_key_that_the_other_request_has() {
    let (mut harness, waiter) = hedged(|_| {});
    assert_eq!(harness.fail(0, "a", 503), Status::OK);
    assert_eq!(harness.fail_for_good(1, "b", 404), Status::OK);
    assert_eq!(waiter.batch(), None);
    assert_eq!((harness.answer(1, "a", "from the second"), harness.answer(0, "b", "from the first")), (Status::OK, Status::OK));
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("from the second"), value("from the first")]));
}

#[test]
fn r09_a_key_that_both_requests_fail_fails_once_and_is_retried_once() {
    let (mut harness, _) = hedged(|settings| settings.fetch.retry.count = Some(1));
    harness.fail(0, "a", 1);
    harness.fail(1, "a", 2);
    assert_eq!(harness.handed()[2], ["a"], "one retry");
    assert_eq!(harness.requests[2].handout.attempts, [2], "the hedge is no attempt of its own");
    assert_eq!(harness.table.counts().retries, 1);
}

#[test]
fn r09_keys_left_unanswered_by_a_finish_go_on_in_the_other_request() {
    let (mut harness, waiter) = hedged(|_| {});
    harness.finish_with(0, Unanswered::Unanswered);
    assert_eq!(waiter.batch(), None);
    harness.answer(1, "a", "v");
    harness.finish_with(1, Unanswered::Null);
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("v"), Summary::Null]));
    assert_eq!(counts(&harness), (1, 1, 0));
}

#[test]
fn r09_an_attempt_timeout_leaves_the_key_to_the_other_request() {
    let (mut harness, waiter) = hedged(|settings| settings.fetch.attempt_timeout = Some(ms(50)));
    harness.advance(40);
    assert_eq!(harness.hooks, [(0, Cancel::Timeout)]);
    assert_eq!(waiter.batch(), None);
    assert_eq!(harness.answer(0, "a", "late"), Status::LATE);
    harness.answer(1, "b", "in time");
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("late"), value("in time")]));
}

#[test]
fn r09_a_key_fails_when_both_requests_time_out() {
    let (mut harness, waiter) = hedged(|settings| settings.fetch.attempt_timeout = Some(ms(50)));
    harness.advance(60);
    let timeout = || failed_with(Status::ERR_TIMEOUT);
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![timeout(), timeout()]));
    assert_eq!(harness.hooks, [(0, Cancel::Timeout), (1, Cancel::Timeout)]);
}

#[test]
fn r09_only_keys_that_are_unanswered_and_wanted_are_repeated() {
    let mut harness = Harness::with(|settings| {
        hedges(settings);
        settings.tasks.batch_linger = ms(1);
    });
    let (_two, left) = (harness.fetch_all(&["a", "b"]), harness.fetch("c"));
    harness.advance(1);
    assert_eq!(harness.handed(), [["a", "b", "c"]]);
    harness.answer(0, "a", "v");
    harness.cancel(&left);
    harness.advance(10);
    assert_eq!(harness.handed()[1..], [["b"]]);
    harness.answer(0, "b", "v");
    // No key is open when the request is due to be hedged.
    harness.fetch("d");
    harness.advance(1);
    let request = harness.requests.len() - 1;
    harness.answer(request, "d", "v");
    harness.advance(10);
    assert_eq!(harness.handed().len(), 3);
}

#[test]
fn r09_without_a_slot_a_token_a_share_or_a_closed_breaker_nothing_is_repeated() {
    let refusals: [(&str, fn(&mut Settings)); 3] = [
        ("slot", |settings| settings.tasks.max_running = 1),
        ("token", |settings| settings.tasks.rate.requests_per_s = 1.0),
        ("share", |settings| settings.tasks.hedge.max_ratio = 0.5),
    ];
    for (what, refuse) in refusals {
        let mut harness = Harness::with(|settings| {
            hedges(settings);
            refuse(settings);
        });
        harness.fetch("a");
        harness.advance(20);
        assert_eq!(harness.handed().len(), 1, "no {what}");
        harness.answer(0, "a", "v");
    }
    let mut harness = Harness::with(hedges);
    harness.fetch("a");
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    harness.advance(20);
    assert_eq!(harness.handed().len(), 1);
}

#[test]
fn r09_a_write_overtakes_both_requests() {
    let (mut harness, waiter) = hedged(|_| {});
    harness.put("a", "written");
    harness.answer(1, "a", "older");
    harness.answer(0, "b", "v");
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("older"), value("v")]));
    assert_eq!(harness.lookup("a"), value("written"));
    // The other answer comes too, and is not stored either.
    harness.answer(0, "a", "older still");
    assert_eq!(harness.lookup("a"), value("written"));
}

#[test]
fn r09_when_no_waiter_is_left_both_requests_are_cancelled() {
    let (mut harness, waiter) = hedged(|_| {});
    harness.cancel(&waiter);
    let mut cancelled = harness.hooks.clone();
    cancelled.sort_by_key(|(nth, _)| *nth);
    assert_eq!(cancelled, [(0, Cancel::Unwanted), (1, Cancel::Unwanted)]);
    assert_eq!(harness.table.gauges().in_flight, 0);
    [0, 1].into_iter().for_each(|nth| assert_eq!(harness.finish(nth), Status::OK));
}

#[test]
fn r09_l05_a_close_settles_the_keys_and_cancels_both_requests() {
    let (mut harness, waiter) = hedged(|_| {});
    harness.close();
    let closed = || failed_with(Status::ERR_CLOSED);
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![closed(), closed()]));
    assert_eq!(harness.hooks.len(), 2);
    assert_eq!(harness.give(1, "a", ProviderAnswer::Answer(bytes("v"), StoreTerms::default())), Status::ERR_CLOSED);
}

#[test]
fn r09_a_fetch_that_joins_receives_the_first_answer() {
    let (mut harness, _waiter) = hedged(|_| {});
    let joined = harness.fetch("a");
    harness.answer(1, "a", "v");
    assert_eq!(joined.outcome(), value("v"));
    assert_eq!(harness.handed().len(), 2);
}

#[test]
fn r09_the_delay_follows_what_requests_take() {
    let mut harness = Harness::with(|settings| {
        hedges(settings);
        settings.tasks.hedge.after = ms(0);
        settings.tasks.hedge.percentile = 0.9;
    });
    for nth in 0..40 {
        let key = format!("k{nth}");
        harness.fetch(&key);
        harness.advance(5);
        harness.answer(nth, &key, "v");
        harness.finish(nth);
    }
    assert_eq!(harness.table.counts().hedges_started, 0);
    harness.fetch("slow");
    harness.advance(4);
    assert_eq!(harness.handed().len(), 41);
    harness.advance(2);
    assert_eq!(harness.handed().len(), 42, "hedged after the 5 ms that nearly all requests took");
}
