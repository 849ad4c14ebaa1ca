//! The table of states, cell by cell: what the circuit breaker, the rate limit, the soft timeout, the hedge and tags do to a flight of `k`
//! in each state (rules R04, R07 to R09, R11).

use super::harness::{Harness, Summary, bytes, failed_with, ms, stale, tagged, value};
use super::scene::*;
use kvlight::base::Status;
use kvlight::base::config::Settings;
use kvlight::task::ProviderAnswer;
use kvlight::task::breaker::{BreakerOverride, BreakerState};

fn open_breaker(scene: &mut Scene) {
    scene.harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
}

#[test]
fn r07_cell_breaker_opens_on_deferred_and_queued_refuses_them() {
    for state in [Deferred, Queued] {
        let mut scene = Scene::new(state);
        let loads = scene.loads();
        open_breaker(&mut scene);
        assert_eq!(scene.outcome(), failed_with(Status::ERR_UNAVAILABLE), "{state:?}");
        let gauges = scene.harness.table.gauges();
        assert_eq!((scene.loads(), gauges.queued, gauges.deferred, gauges.running), (loads, 0, 0, 2), "{state:?}");
    }
}

#[test]
fn r02_r07_cell_breaker_opens_on_queued_with_a_fallback_serves_it() {
    let mut scene = Scene::new(Queued);
    scene.harness.put("k", "old");
    scene.harness.store.make_stale("k");
    let waiter = scene.harness.fetch("k");
    open_breaker(&mut scene);
    assert_eq!(waiter.outcome(), stale("old", Some(Status::ERR_UNAVAILABLE)));
}

#[test]
fn r07_cell_breaker_opens_on_running_overtaken_unwanted_leaves_them() {
    for (state, stored) in [(Running, value("v")), (Overtaken, Summary::Miss), (Unwanted, value("v"))] {
        let mut scene = Scene::new(state);
        let before = scene.outcome();
        open_breaker(&mut scene);
        assert_eq!(scene.outcome(), before, "{state:?}");
        assert!(!scene.harness.hooks.iter().any(|(nth, _)| *nth == scene.request) || state == Unwanted, "{state:?} is not cancelled");
        scene.harness.answer(scene.request, "k", "v");
        let outcome = if state == Unwanted { before } else { value("v") };
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (outcome, stored), "{state:?}");
    }
}

#[test]
fn r07_cell_breaker_opens_on_backoff_refuses_it_when_it_is_due() {
    for state in [Backoff, OvertakenBackoff] {
        let mut scene = Scene::new(state);
        let loads = scene.loads();
        open_breaker(&mut scene);
        assert_eq!(scene.outcome(), Summary::Pending, "{state:?}");
        scene.harness.advance(100);
        assert_eq!((scene.outcome(), scene.loads()), (failed_with(Status::ERR_UNAVAILABLE), loads), "{state:?}");
    }
}

/// One request opens the breaker for 1,000 ms. A key that waits has a retry left.
#[test]
fn r07_cell_breaker_opens_on_queued_with_a_retry_left_pauses_it_until_the_breaker_lets_it_through() {
    let mut harness = Harness::with(|settings| {
        (settings.tasks.breaker.consecutive, settings.tasks.breaker.open) = (1, ms(1_000));
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, 1);
        settings.fetch.retry.count = Some(1);
    });
    harness.fetch_with("busy", |options| options.fetch.retry.count = Some(0));
    let waiter = harness.fetch("k");
    harness.fail(0, "busy", 503);
    harness.finish(0);
    let gauges = harness.table.gauges();
    assert_eq!((waiter.outcome(), gauges.queued, gauges.in_flight), (Summary::Pending, 0, 1), "the key holds no place");
    harness.advance(999);
    assert_eq!(harness.requests.len(), 1);
    harness.advance(1);
    assert_eq!(harness.handed()[1..], [["k"]], "the key is the probe");
    harness.answer(1, "k", "v");
    harness.finish(1);
    assert_eq!((waiter.outcome(), harness.table.breaker_state(harness.clock.moment())), (value("v"), BreakerState::Closed));
}

/// A token comes every 100 ms, and there is never more than one. `busy` has taken the first.
fn rated(set: impl FnOnce(&mut Settings)) -> Harness {
    let mut harness = Harness::with(|settings| {
        (settings.tasks.rate.requests_per_s, settings.tasks.rate.burst) = (10.0, 1);
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (4, 1);
        set(settings);
    });
    harness.fetch("busy");
    harness
}

#[test]
fn r08_cell_token_due_on_absent_sets_no_further_deadline() {
    let mut harness = rated(|_| {});
    let waiter = harness.fetch("k");
    harness.cancel(&waiter);
    harness.advance(100);
    assert_eq!((harness.requests.len(), harness.table.next_due()), (1, None));
    harness.fetch("k");
    assert_eq!(harness.requests.len(), 2, "the token was kept");
}

#[test]
fn r08_cell_token_due_on_queued_and_deferred_hands_the_first_out() {
    let mut harness = rated(|settings| settings.tasks.queue_max_keys = 1);
    let whole = harness.fetch_all(&["k", "l"]);
    let gauges = harness.table.gauges();
    assert_eq!((gauges.queued, gauges.deferred, gauges.running), (1, 1, 1));
    harness.advance(99);
    assert_eq!(harness.requests.len(), 1);
    harness.advance(1);
    let gauges = harness.table.gauges();
    assert_eq!((harness.requests.len(), gauges.queued, gauges.deferred), (2, 1, 0), "the other key has taken its place");
    harness.advance(100);
    for (nth, key) in [(1, "k"), (2, "l")] {
        assert_eq!(harness.requests[nth].handout.attempts, [1]);
        harness.answer(nth, key, "v");
    }
    assert_eq!(whole.batch().map(|(outcomes, _)| outcomes), Some(vec![value("v"), value("v")]));
}

#[test]
fn r08_cell_token_due_without_a_slot_waits_for_one() {
    let mut harness = rated(|settings| settings.tasks.max_running = 1);
    harness.fetch("k");
    harness.advance(1_000);
    assert_eq!((harness.requests.len(), harness.table.next_due()), (1, None), "nothing polls");
    harness.answer(0, "busy", "v");
    assert_eq!(harness.requests.len(), 2);
}

#[test]
fn r08_cell_token_due_on_running_overtaken_and_unwanted_leaves_them() {
    for (name, outcome, stored) in [
        ("running", value("v"), value("v")),
        ("overtaken", value("v"), Summary::Miss),
        ("unwanted", failed_with(Status::ERR_CANCELLED), value("v")),
    ] {
        let mut harness = rated(|_| {});
        harness.advance(100);
        let waiter = harness.fetch("k");
        match name {
            "overtaken" => harness.remove("k"),
            "unwanted" => harness.cancel(&waiter),
            _ => {}
        }
        harness.fetch("other");
        harness.advance(100);
        assert_eq!(harness.handed(), [["busy"], ["k"], ["other"]], "{name}: the token is for the key that waits");
        harness.answer(1, "k", "v");
        assert_eq!((waiter.outcome(), harness.lookup("k")), (outcome, stored), "{name}");
    }
}

#[test]
fn r08_cell_token_due_on_backoff_is_kept_for_it() {
    for (overtakes, stored) in [(false, value("v")), (true, Summary::Miss)] {
        let mut harness = rated(|settings| (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(1), ms(150)));
        harness.advance(100);
        let waiter = harness.fetch("k");
        if overtakes {
            harness.remove("k");
        }
        harness.fail(1, "k", 503);
        harness.advance(149);
        assert_eq!((harness.requests.len(), waiter.outcome()), (2, Summary::Pending), "overtaken: {overtakes}");
        harness.advance(1);
        assert_eq!(harness.requests.len(), 3, "overtaken: {overtakes}: there has been a token for 50 ms");
        harness.answer(2, "k", "v");
        assert_eq!((waiter.outcome(), harness.lookup("k")), (value("v"), stored), "overtaken: {overtakes}");
    }
}

#[test]
fn r08_cell_token_due_on_a_retry_that_waits_for_it_hands_it_out_first() {
    let mut harness = rated(|settings| settings.fetch.retry.count = Some(1));
    harness.advance(100);
    let waiter = harness.fetch("k");
    harness.remove("k");
    harness.fail(1, "k", 503);
    assert_eq!((harness.requests.len(), harness.table.gauges().queued), (2, 1), "a retry needs a token too");
    harness.advance(100);
    harness.answer(2, "k", "v");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("v"), Summary::Miss), "the flight stays overtaken");
}

/// The entry of `k` has expired, and a fetch waits for its load no longer than 50 ms. A retry begins 80 ms after a failure.
fn with_soft_timeout() -> (Harness, super::harness::Waiter) {
    let mut harness = Harness::with(|settings| {
        settings.fetch.stale_timeout = Some(ms(50));
        (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(1), ms(80));
    });
    harness.put("k", "old");
    harness.store.make_stale("k");
    let waiter = harness.fetch("k");
    (harness, waiter)
}

#[test]
fn r04_cell_soft_timeout_on_overtaken_serves_the_fallback_and_the_load_goes_on_without_storing() {
    let (mut harness, waiter) = with_soft_timeout();
    // The entry of the key expires, and stays as a fallback.
    harness.expire("k");
    harness.advance(50);
    assert_eq!((waiter.outcome(), harness.table.gauges().in_flight), (stale("old", None), 1));
    assert!(harness.hooks.is_empty(), "the provider is not notified");
    let second = harness.fetch("k");
    assert_eq!(harness.requests.len(), 2, "an overtaken flight is not joined");
    harness.answer(0, "k", "from before");
    assert_eq!((harness.lookup("k"), second.outcome()), (Summary::Miss, Summary::Pending));
    harness.answer(1, "k", "new");
    assert_eq!((harness.lookup("k"), second.outcome()), (value("new"), value("new")));
    [0, 1].into_iter().for_each(|nth| assert_eq!(harness.finish(nth), Status::OK));
    assert!(harness.table.is_idle());
}

#[test]
fn r04_cell_soft_timeout_on_overtaken_without_a_fallback_keeps_waiting() {
    let (mut harness, waiter) = with_soft_timeout();
    harness.remove("k");
    harness.advance(50);
    assert_eq!(waiter.outcome(), Summary::Pending, "the fallback was removed");
    harness.answer(0, "k", "v");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("v"), Summary::Miss));
}

#[test]
fn r04_cell_soft_timeout_on_backoff_serves_the_fallback_and_the_load_is_retried() {
    for (overtakes, stored) in [(false, value("new")), (true, Summary::Miss)] {
        let (mut harness, waiter) = with_soft_timeout();
        if overtakes {
            harness.expire("k");
        }
        harness.fail(0, "k", 503);
        harness.advance(49);
        assert_eq!(waiter.outcome(), Summary::Pending, "a retry comes before the fallback");
        harness.advance(1);
        assert_eq!(waiter.outcome(), stale("old", None), "overtaken: {overtakes}");
        harness.advance(30);
        assert_eq!(harness.requests.len(), 2, "overtaken: {overtakes}: the load goes on, like that of a refresh");
        harness.answer(1, "k", "new");
        assert_eq!(harness.lookup("k"), stored, "overtaken: {overtakes}");
        assert!(harness.table.is_idle());
    }
}

#[test]
fn r09_cell_hedge_on_overtaken_repeats_it_and_neither_answer_is_stored() {
    for fast in [0, 1] {
        let mut harness = Harness::with(|settings| {
            (settings.tasks.hedge.after, settings.tasks.hedge.max_ratio, settings.tasks.max_running) = (ms(10), 1.0, 4);
        });
        let waiter = harness.fetch("k");
        harness.remove("k");
        harness.advance(10);
        assert_eq!(harness.handed(), [["k"], ["k"]], "the waiter still wants the key");
        let newcomer = harness.fetch("k");
        assert_eq!(harness.requests.len(), 3, "an overtaken flight is not joined, nor is its hedge");
        harness.answer(fast, "k", "first");
        harness.answer(1 - fast, "k", "second");
        assert_eq!((waiter.outcome(), harness.lookup("k")), (value("first"), Summary::Miss), "request {fast} answers first");
        assert_eq!(newcomer.outcome(), Summary::Pending, "the newcomer asked after the removal");
        harness.answer(2, "k", "new");
        assert_eq!((newcomer.outcome(), harness.lookup("k")), (value("new"), value("new")));
    }
}

#[test]
fn r11_cell_tag_removed_on_overtaken_leaves_it_and_it_is_not_stored() {
    let mut scene = Scene::new(Overtaken);
    scene.harness.finish(0);
    let newcomer = scene.harness.fetch("k");
    scene.harness.remove_tag("t");
    assert_eq!([scene.outcome(), newcomer.outcome()], [Summary::Pending, Summary::Pending], "a removed tag ends no load");
    let answer = |text: &str| ProviderAnswer::Answer(bytes(text), tagged(&["t"]));
    let current = scene.harness.requests.len() - 1;
    for (nth, text) in [(scene.request, "overtaken"), (current, "current")] {
        scene.harness.give(nth, "k", answer(text));
        assert_eq!(scene.harness.lookup("k"), Summary::Miss, "{text}: the load began before the removal, and the answer carries the tag");
    }
    assert_eq!([scene.outcome(), newcomer.outcome()], [value("overtaken"), value("current")]);
    let after = scene.harness.fetch("k");
    let last = scene.harness.requests.len() - 1;
    scene.harness.give(last, "k", answer("after"));
    assert_eq!((after.outcome(), scene.harness.lookup("k")), (value("after"), value("after")));
}
