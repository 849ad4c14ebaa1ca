//! What stands between the queue and the provider: the rate of requests, the circuit breaker, and an adaptive number of slots (rules R07, R08, R10).

use super::world::{Said, World, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{ConcurrencyLimit, Settings};
use kvlight::task::breaker::{BreakerState, Forced};
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

fn state(world: &World) -> BreakerState {
    world.table.breaker_state(world.clock.moment())
}

/// A world whose breaker has just opened.
fn broken(retries: u32) -> World {
    let mut world = World::with(|settings| {
        breaks_after(2)(settings);
        settings.fetch.retry.count = Some(retries);
    });
    for (nth, key) in ["one", "two"].into_iter().enumerate() {
        let waiter = world.fetch_with(key, |options| options.fetch.retry.count = Some(0));
        world.fail(nth, key, 503);
        world.finish(nth);
        assert_eq!(waiter.outcome(), Said::Error(503));
    }
    assert_eq!(state(&world), BreakerState::Open);
    world
}

#[test]
fn r08_a_burst_goes_at_once_and_the_rest_follows_at_the_rate() {
    let mut world = World::with(rated);
    let asked = keys(5);
    world.fetch_all(&refs(&asked));
    assert_eq!(world.requests.len(), 2);
    for handed in 3..=5 {
        world.advance(99);
        assert_eq!(world.requests.len(), handed - 1, "a request went before its token was there");
        world.advance(1);
        assert_eq!(world.requests.len(), handed);
    }
    assert_eq!((world.table.counts().rate_waits, world.table.counts().rate_waited_us), (3, 300_000));
}

#[test]
fn r08_a_key_that_waits_for_the_rate_holds_no_slot_and_can_be_cancelled_and_time_out() {
    let mut world = World::with(rated);
    world.fetch_all(&["a", "b"]);
    let (cancelled, hasty) = (world.fetch("c"), world.fetch_with("d", |options| options.fetch.timeout = Some(ms(50))));
    assert_eq!((world.table.gauges().running, world.table.gauges().queued), (2, 2));
    world.cancel(&cancelled);
    world.advance(50);
    assert_eq!([cancelled.outcome(), hasty.outcome()], [failed_with(Status::ERR_CANCELLED), failed_with(Status::ERR_TIMEOUT)]);
    world.advance(1_000);
    assert_eq!(world.requests.len(), 2, "nothing was left to hand out");
}

#[test]
fn r08_urgency_decides_who_gets_the_next_token() {
    let mut world = World::with(rated);
    world.fetch_all(&["a", "b"]);
    world.fetch("patient");
    world.fetch_with("urgent", |options| options.urgency = 5);
    world.advance(100);
    assert_eq!(world.handed()[2], ["urgent"]);
}

#[test]
fn r08_a_join_needs_no_token() {
    let mut world = World::with(rated);
    world.fetch_all(&["a", "b"]);
    let joined = world.fetch("a");
    world.answer(0, "a", "v");
    assert_eq!(joined.outcome(), value("v"));
}

fn adapts(settings: &mut Settings) {
    settings.tasks.limit = ConcurrencyLimit::Adaptive;
    (settings.tasks.min_running, settings.tasks.max_running, settings.tasks.batch_max_keys) = (2, 9, 1);
    settings.fetch.attempt_timeout = Some(ms(1_000));
}

/// Answers whatever is running, round after round of 10 ms.
fn answer_all(world: &mut World, done: &mut usize, rounds: usize) {
    for _ in 0..rounds {
        world.advance(10);
        for nth in *done..world.requests.len() {
            let key = world.requests[nth].keys().remove(0);
            world.answer(nth, &key, "v");
            world.finish(nth);
            *done += 1;
        }
    }
}

#[test]
fn r10_the_limit_rises_to_its_bound_while_latency_stays_and_falls_with_a_timeout() {
    let mut world = World::with(adapts);
    let asked = keys(2_000);
    world.fetch_all(&refs(&asked));
    let limits = |world: &World| (world.table.gauges().concurrency_limit, world.table.gauges().running);
    assert_eq!(limits(&world), (2, 2));
    let mut done = 0;
    while world.table.gauges().concurrency_limit < 9 {
        answer_all(&mut world, &mut done, 1);
        let (limit, running) = limits(&world);
        assert!(running <= limit && limit <= 9, "{running} of {limit}");
        assert!(done < 1_500, "{limit} after {done} requests");
    }
    world.advance(1_000);
    let (limit, _) = limits(&world);
    assert!(limit < 9, "a timeout left {limit}");
    assert!(limit >= 6, "nine timeouts at once count as one, and {limit} is left");
}

#[test]
fn r10_what_nobody_wanted_any_more_says_nothing() {
    let mut world = World::with(adapts);
    for nth in 0..200 {
        world.by_hand = true;
        let waiters = [world.fetch("a"), world.fetch("b")];
        waiters.iter().for_each(|waiter| world.cancel(waiter));
        [2 * nth, 2 * nth + 1].into_iter().for_each(|nth| assert_eq!(world.finish(nth), Status::OK));
    }
    assert_eq!(world.table.gauges().concurrency_limit, 2, "requests that the provider never took");
}

#[test]
fn r07_while_it_is_open_a_key_fails_at_once_and_takes_nothing() {
    let mut world = broken(0);
    let waiter = world.fetch("k");
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_UNAVAILABLE));
    let gauges = world.table.gauges();
    assert_eq!((world.requests.len(), gauges.running, gauges.queued, gauges.in_flight), (2, 0, 0, 0));
    assert_eq!(
        (world.table.counts().missed_unavailable, world.table.counts().breaker_refused, world.table.counts().breaker_opened),
        (1, 1, 1)
    );
}

#[test]
fn r07_what_is_stored_hits_and_what_runs_is_joined() {
    let mut world = World::with(breaks_after(1));
    world.put("kept", "v");
    let running = world.fetch("slow");
    world.fetch("bad");
    world.fail(1, "bad", 503);
    world.finish(1);
    assert_eq!(state(&world), BreakerState::Open);
    let (hit, joined) = (world.fetch("kept"), world.fetch("slow"));
    world.answer(0, "slow", "late but good");
    assert_eq!([hit.outcome(), running.outcome(), joined.outcome()], [value("v"), value("late but good"), value("late but good")]);
}

#[test]
fn r07_what_waited_for_a_slot_is_refused_when_it_opens() {
    let mut world = World::with(breaks_after(2));
    let (_running, waiting) = (world.fetch_all(&["a", "b"]), world.fetch_all(&["c", "d"]));
    for (nth, key) in ["a", "b"].into_iter().enumerate() {
        world.fail(nth, key, 503);
        world.finish(nth);
    }
    let refused = failed_with(Status::ERR_UNAVAILABLE);
    // The first failure freed a slot for "c" before the second opened the breaker.
    assert_eq!(world.handed(), [["a"], ["b"], ["c"]]);
    world.answer(2, "c", "v");
    assert_eq!(waiting.batch().map(|(outcomes, _)| outcomes), Some(vec![value("v"), refused]));
}

#[test]
fn r07_a_refused_key_is_retried_when_requests_go_out_again_and_not_before() {
    let mut world = broken(3);
    let waiter = world.ask(Form::All, &["k"], |options| options.fetch.retry.count = Some(3));
    // A newcomer is told at once; one that was under way pauses.
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![failed_with(Status::ERR_UNAVAILABLE)]));

    let mut world = World::with(|settings| {
        breaks_after(1)(settings);
        settings.fetch.retry.count = Some(1);
    });
    let waiter = world.fetch("k");
    world.fail(0, "k", 503);
    world.finish(0);
    assert_eq!((state(&world), world.requests.len(), waiter.outcome()), (BreakerState::Open, 1, Said::Nothing));
    world.advance(999);
    assert_eq!(world.requests.len(), 1, "a retry without pause hammered a provider that is left alone");
    world.advance(1);
    assert_eq!(world.requests.len(), 2, "it is the probe");
    world.answer(1, "k", "v");
    world.finish(1);
    assert_eq!((waiter.outcome(), state(&world)), (value("v"), BreakerState::Closed));
}

#[test]
fn r07_half_open_lets_its_probes_through_and_refuses_the_others() {
    let mut world = broken(0);
    world.advance(1_000);
    assert_eq!(state(&world), BreakerState::HalfOpen);
    let waiter = world.fetch_all(&["probe", "other"]);
    assert_eq!(world.handed().len(), 3);
    world.answer(2, "probe", "v");
    world.finish(2);
    assert_eq!(waiter.batch().map(|(outcomes, _)| outcomes), Some(vec![value("v"), failed_with(Status::ERR_UNAVAILABLE)]));
    assert_eq!(state(&world), BreakerState::Closed);
    world.fetch("after");
    assert_eq!(world.handed().len(), 4);
}

#[test]
fn r07_a_permanent_error_says_nothing_against_the_provider_and_a_timeout_does() {
    let mut world = World::with(|settings| {
        breaks_after(2)(settings);
        settings.fetch.attempt_timeout = Some(ms(10));
    });
    for nth in 0..5 {
        world.fetch("gone");
        world.fail_for_good(nth, "gone", 404);
        world.finish(nth);
    }
    assert_eq!(state(&world), BreakerState::Closed);
    world.fetch("slow");
    world.advance(10);
    world.fetch("slow too");
    world.advance(10);
    assert_eq!(state(&world), BreakerState::Open);
}

#[test]
fn r07_what_a_request_left_unanswered_is_a_failure_and_what_nobody_wanted_is_not() {
    let mut world = World::with(breaks_after(1));
    let waiter = world.fetch("k");
    world.cancel(&waiter);
    world.finish(0);
    assert_eq!(state(&world), BreakerState::Closed);
    world.fetch("k");
    world.finish_with(1, Unanswered::Unanswered);
    assert_eq!(state(&world), BreakerState::Open);
}

#[test]
fn r07_an_operator_opens_and_closes_it() {
    let mut world = World::with(|settings| settings.tasks.batch_max_keys = 1);
    world.step(|table, turn| table.force_breaker(Forced::Open, turn));
    assert_eq!(world.fetch("k").outcome(), failed_with(Status::ERR_UNAVAILABLE));
    world.step(|table, turn| table.force_breaker(Forced::No, turn));
    let waiter = world.fetch("k");
    world.give(0, "k", ProviderAnswer::Answer(super::world::bytes("v"), Default::default()));
    assert_eq!(waiter.outcome(), value("v"));
}
