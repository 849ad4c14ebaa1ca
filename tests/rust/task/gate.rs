//! The limits between the queue and the provider: the rate limit, the circuit breaker, and the adaptive concurrency limit (rules R07, R08,
//! R10).

use super::harness::{Harness, Summary, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{ConcurrencyLimit, Settings};
use kvlight::task::breaker::{BreakerOverride, BreakerState};
use kvlight::task::{Form, ProviderAnswer, Unanswered};

fn rated(settings: &mut Settings) {
    settings.tasks.rate.requests_per_s = 10.0;
    settings.tasks.rate.burst = 2;
    settings.tasks.batch_max_keys = 1;
    settings.tasks.max_running = 100;
}

fn breaks_after(failures: u32) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.tasks.breaker.consecutive = failures;
        settings.tasks.breaker.open = ms(1_000);
        settings.tasks.batch_max_keys = 1;
        settings.tasks.max_running = 2;
    }
}

fn state(harness: &Harness) -> BreakerState {
    harness.table.breaker_state(harness.clock.moment())
}

/// A harness whose circuit breaker has just opened.
fn broken(retries: u32) -> Harness {
    let mut harness = Harness::with(|settings| {
        breaks_after(2)(settings);
        settings.fetch.retry.count = Some(retries);
    });
    for (nth, key) in ["one", "two"].into_iter().enumerate() {
        let waiter = harness.fetch_with(key, |options| options.fetch.retry.count = Some(0));
        harness.fail(nth, key, 503);
        harness.finish(nth);
        assert_eq!(waiter.outcome(), Summary::Error(503));
    }
    assert_eq!(state(&harness), BreakerState::Open);
    harness
}

#[test]
fn r08_a_burst_is_handed_out_at_once_and_the_rest_at_the_rate() {
    let mut harness = Harness::with(rated);
    let asked = keys(5);
    harness.fetch_all(&refs(&asked));
    assert_eq!(harness.requests.len(), 2);
    for handed in 3..=5 {
        harness.advance(99);
        assert_eq!(harness.requests.len(), handed - 1, "no request is handed out before its token is available");
        harness.advance(1);
        assert_eq!(harness.requests.len(), handed);
    }
    assert_eq!((harness.table.counts().rate_waits, harness.table.counts().rate_waited_us), (3, 300_000));
}

#[test]
fn r08_a_key_that_waits_for_the_rate_holds_no_slot_and_can_end_early() {
    let mut harness = Harness::with(rated);
    harness.fetch_all(&["a", "b"]);
    let (cancelled, hasty) = (harness.fetch("c"), harness.fetch_with("d", |options| options.fetch.timeout = Some(ms(50))));
    assert_eq!((harness.table.gauges().running, harness.table.gauges().queued), (2, 2));
    harness.cancel(&cancelled);
    harness.advance(50);
    assert_eq!([cancelled.outcome(), hasty.outcome()], [failed_with(Status::ERR_CANCELLED), failed_with(Status::ERR_TIMEOUT)]);
    harness.advance(1_000);
    assert_eq!(harness.requests.len(), 2, "no key is left to hand out");
}

#[test]
fn r08_the_most_urgent_key_gets_the_next_token() {
    let mut harness = Harness::with(rated);
    harness.fetch_all(&["a", "b"]);
    harness.fetch("patient");
    harness.fetch_with("urgent", |options| options.urgency = 5);
    harness.advance(100);
    assert_eq!(harness.handed()[2], ["urgent"]);
}

#[test]
fn r08_f14_a_key_that_has_lingered_waits_for_its_token_without_polling() {
    let mut harness = Harness::with(|settings| {
        (settings.tasks.rate.requests_per_s, settings.tasks.rate.burst) = (10.0, 1);
        settings.tasks.batch_linger = ms(20);
    });
    harness.fetch("first");
    harness.advance(20);
    let waiter = harness.fetch("k");
    harness.advance(20);
    assert_eq!(harness.requests.len(), 1, "the next token is due 100 ms after the first");
    assert_eq!(harness.table.next_due(), Some(harness.in_ms(80)), "until then nothing is due");
    harness.advance(80);
    harness.answer(1, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn r08_a_join_needs_no_token() {
    let mut harness = Harness::with(rated);
    harness.fetch_all(&["a", "b"]);
    let joined = harness.fetch("a");
    harness.answer(0, "a", "v");
    assert_eq!(joined.outcome(), value("v"));
}

fn adapts(settings: &mut Settings) {
    settings.tasks.limit = ConcurrencyLimit::Adaptive;
    (settings.tasks.min_running, settings.tasks.max_running, settings.tasks.batch_max_keys) = (2, 9, 1);
    settings.fetch.attempt_timeout = Some(ms(1_000));
}

/// In each round, lets 10 ms pass and answers all requests from number `done` on.
fn answer_all(harness: &mut Harness, done: &mut usize, rounds: usize) {
    for _ in 0..rounds {
        harness.advance(10);
        for nth in *done..harness.requests.len() {
            let key = harness.requests[nth].keys().remove(0);
            harness.answer(nth, &key, "v");
            harness.finish(nth);
            *done += 1;
        }
    }
}

#[test]
fn r10_the_limit_rises_while_latency_is_constant_and_falls_at_a_timeout() {
    let mut harness = Harness::with(adapts);
    let asked = keys(2_000);
    harness.fetch_all(&refs(&asked));
    let limits = |harness: &Harness| (harness.table.gauges().concurrency_limit, harness.table.gauges().running);
    assert_eq!(limits(&harness), (2, 2));
    let mut done = 0;
    while harness.table.gauges().concurrency_limit < 9 {
        answer_all(&mut harness, &mut done, 1);
        let (limit, running) = limits(&harness);
        assert!(running <= limit && limit <= 9, "{running} running with a limit of {limit}");
        assert!(done < 1_500, "{limit} after {done} requests");
    }
    harness.advance(1_000);
    let (limit, _) = limits(&harness);
    assert!(limit < 9, "the limit is {limit} after a timeout");
    assert!(limit >= 6, "nine simultaneous timeouts count as one, but the limit is {limit}");
}

#[test]
fn r10_requests_that_were_not_taken_do_not_change_the_limit() {
    let mut harness = Harness::with(adapts);
    for nth in 0..200 {
        harness.takes_manually = true;
        let waiters = [harness.fetch("a"), harness.fetch("b")];
        waiters.iter().for_each(|waiter| harness.cancel(waiter));
        [2 * nth, 2 * nth + 1].into_iter().for_each(|nth| assert_eq!(harness.finish(nth), Status::OK));
    }
    assert_eq!(harness.table.gauges().concurrency_limit, 2, "the provider never took the requests");
}

#[test]
fn r07_while_the_breaker_is_open_a_key_fails_at_once_and_takes_no_place() {
    let mut harness = broken(0);
    let waiter = harness.fetch("k");
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_UNAVAILABLE));
    let gauges = harness.table.gauges();
    assert_eq!((harness.requests.len(), gauges.running, gauges.queued, gauges.in_flight), (2, 0, 0, 0));
    assert_eq!(
        (harness.table.counts().misses.unavailable, harness.table.counts().breaker_refused, harness.table.counts().breaker_opened),
        (1, 1, 1)
    );
}

#[test]
fn r07_while_the_breaker_is_open_stored_keys_hit_and_running_loads_are_joined() {
    let mut harness = Harness::with(breaks_after(1));
    harness.put("kept", "v");
    let running = harness.fetch("slow");
    harness.fetch("bad");
    harness.fail(1, "bad", 503);
    harness.finish(1);
    assert_eq!(state(&harness), BreakerState::Open);
    let (hit, joined) = (harness.fetch("kept"), harness.fetch("slow"));
    harness.answer(0, "slow", "late but good");
    assert_eq!([hit.outcome(), running.outcome(), joined.outcome()], [value("v"), value("late but good"), value("late but good")]);
}

#[test]
fn r07_waiting_keys_are_refused_when_the_breaker_opens() {
    let mut harness = Harness::with(breaks_after(2));
    let (_running, waiting) = (harness.fetch_all(&["a", "b"]), harness.fetch_all(&["c", "d"]));
    for (nth, key) in ["a", "b"].into_iter().enumerate() {
        harness.fail(nth, key, 503);
        harness.finish(nth);
    }
    let refused = failed_with(Status::ERR_UNAVAILABLE);
    // The first failure frees a slot for "c" before the second one opens the breaker.
    assert_eq!(harness.handed(), [["a"], ["b"], ["c"]]);
    harness.answer(2, "c", "v");
    assert_eq!(waiting.batch().map(|(outcomes, _)| outcomes), Some(vec![value("v"), refused]));
}

#[test]
fn r07_a_refused_key_is_retried_when_the_breaker_lets_requests_through() {
    let mut harness = broken(3);
    let waiter = harness.ask(Form::All, &["k"], |options| options.fetch.retry.count = Some(3));
    // A new fetch fails at once; a load that was in progress pauses.
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![failed_with(Status::ERR_UNAVAILABLE)]));

    let mut harness = Harness::with(|settings| {
        breaks_after(1)(settings);
        settings.fetch.retry.count = Some(1);
    });
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 503);
    harness.finish(0);
    assert_eq!((state(&harness), harness.requests.len(), waiter.outcome()), (BreakerState::Open, 1, Summary::Pending));
    harness.advance(999);
    assert_eq!(harness.requests.len(), 1, "an open breaker holds back a retry without pause");
    harness.advance(1);
    assert_eq!(harness.requests.len(), 2, "the retry is the probe");
    harness.answer(1, "k", "v");
    harness.finish(1);
    assert_eq!((waiter.outcome(), state(&harness)), (value("v"), BreakerState::Closed));
}

#[test]
fn r07_a_half_open_breaker_lets_its_probes_through_and_refuses_other_keys() {
    let mut harness = broken(0);
    harness.advance(1_000);
    assert_eq!(state(&harness), BreakerState::HalfOpen);
    let waiter = harness.fetch_all(&["probe", "other"]);
    assert_eq!(harness.handed().len(), 3);
    harness.answer(2, "probe", "v");
    harness.finish(2);
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("v"), failed_with(Status::ERR_UNAVAILABLE)]));
    assert_eq!(state(&harness), BreakerState::Closed);
    harness.fetch("after");
    assert_eq!(harness.handed().len(), 4);
}

#[test]
fn r07_r10_a_cancelled_request_says_nothing_about_the_provider() {
    let mut harness = broken(0);
    harness.advance(1_000);
    let probe = harness.fetch("probe");
    harness.cancel(&probe);
    harness.finish(2);
    assert_eq!(state(&harness), BreakerState::HalfOpen, "a cancelled probe without an answer proves nothing");
    let waiter = harness.fetch("another");
    assert_eq!(harness.handed()[3..], [["another"]], "another probe takes its place");
    harness.fail(3, "another", 503);
    harness.finish(3);
    assert_eq!((waiter.outcome(), state(&harness)), (Summary::Error(503), BreakerState::Open));

    // One key of the probe is answered before the other key becomes unwanted.
    let mut harness = Harness::with(|settings| {
        breaks_after(1)(settings);
        settings.tasks.batch_max_keys = 2;
    });
    harness.fetch("bad");
    harness.fail(0, "bad", 503);
    harness.finish(0);
    harness.advance(1_000);
    let waiter = harness.fetch_each(&["answered", "left"]);
    harness.answer(1, "answered", "v");
    harness.cancel(&waiter);
    harness.finish(1);
    assert_eq!(state(&harness), BreakerState::Closed, "the provider works");

    // Cancelled requests end early, which is no sign of a fast provider.
    let mut harness = Harness::with(adapts);
    for nth in (0..400).step_by(2) {
        let waiters = [harness.fetch("a"), harness.fetch("b")];
        waiters.iter().for_each(|waiter| harness.cancel(waiter));
        [nth, nth + 1].into_iter().for_each(|nth| assert_eq!(harness.finish(nth), Status::OK));
    }
    assert_eq!(harness.table.gauges().concurrency_limit, 2);
}

#[test]
fn r07_a_timeout_counts_as_a_failure_and_a_permanent_error_does_not() {
    let mut harness = Harness::with(|settings| {
        breaks_after(2)(settings);
        settings.fetch.attempt_timeout = Some(ms(10));
    });
    for nth in 0..5 {
        harness.fetch("gone");
        harness.fail_for_good(nth, "gone", 404);
        harness.finish(nth);
    }
    assert_eq!(state(&harness), BreakerState::Closed);
    harness.fetch("slow");
    harness.advance(10);
    harness.fetch("slow too");
    harness.advance(10);
    assert_eq!(state(&harness), BreakerState::Open);
}

#[test]
fn r07_an_unanswered_key_counts_as_a_failure_and_an_unwanted_one_does_not() {
    let mut harness = Harness::with(breaks_after(1));
    let waiter = harness.fetch("k");
    harness.cancel(&waiter);
    harness.finish(0);
    assert_eq!(state(&harness), BreakerState::Closed);
    harness.fetch("k");
    harness.finish_with(1, Unanswered::Unanswered);
    assert_eq!(state(&harness), BreakerState::Open);
}

#[test]
fn r07_an_operator_opens_and_closes_the_breaker() {
    let mut harness = Harness::with(|settings| settings.tasks.batch_max_keys = 1);
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    assert_eq!(harness.fetch("k").outcome(), failed_with(Status::ERR_UNAVAILABLE));
    harness.step(|table, cx| table.force_breaker(BreakerOverride::No, cx));
    let waiter = harness.fetch("k");
    harness.give(0, "k", ProviderAnswer::Answer(super::harness::bytes("v"), Default::default()));
    assert_eq!(waiter.outcome(), value("v"));
}
