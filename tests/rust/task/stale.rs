//! What the store still has after its end, told where there is nothing better (rules R02 to R04, R12).

use super::told::Told;
use super::world::{Said, World, failed_with, ms, provider_error, stale, value};
use kvlight::base::Status;
use kvlight::base::config::Settings;
use kvlight::task::breaker::{BreakerState, Forced};
use kvlight::task::{Form, ProviderAnswer, Source, Unanswered, Verdict};

const FAILED: Option<Status> = Some(Status::ERR_PROVIDER);

/// A world in which the time of `k` is over, and of `n`, which is null.
fn aged(set: impl FnOnce(&mut Settings)) -> World {
    let mut world = World::with(set);
    world.put("k", "old");
    world.put_answer("n", &kvlight::base::Answer::Null);
    ["k", "n"].into_iter().for_each(|key| world.shelf.age(key));
    world
}

/// One in which `k` has just failed, and is left alone for a second.
fn throttled() -> World {
    let mut world = aged(|_| {});
    let waiter = world.fetch("k");
    world.fail(0, "k", 503);
    world.finish(0);
    assert_eq!(waiter.outcome(), stale("old", FAILED));
    world
}

#[test]
fn r02_a_failure_is_covered_by_what_the_store_still_has() {
    let mut world = aged(|_| {});
    let (value_of, null_of, nothing_of) = (world.fetch("k"), world.fetch("n"), world.fetch("new"));
    for (nth, key) in ["k", "n", "new"].into_iter().enumerate() {
        world.fail(nth, key, 503);
        world.finish(nth);
    }
    assert_eq!(value_of.outcome(), stale("old", FAILED));
    assert_eq!(null_of.outcome(), Said::Stale(Box::new(Said::Null), FAILED));
    assert_eq!(nothing_of.outcome(), Said::Error(503));
    assert_eq!(world.table.counts().stale_error, 2);
    let Told { outcome, .. } = value_of.told().pop().expect("it was told");
    assert_eq!((outcome.source, outcome.age_ms, outcome.status(), outcome.attempts), (Source::Stale, 7, Status::VALUE, 1));
    let Verdict::Stale(told) = outcome.verdict else { panic!("it is stale") };
    assert_eq!(told.failure.map(|error| error.code()), Some(503), "a program can log it");
}

#[test]
fn r02_whatever_the_load_failed_with_and_everybody_who_waits() {
    let set = |settings: &mut Settings| settings.fetch.attempt_timeout = Some(ms(10));
    let unanswered = |world: &mut World| {
        world.finish_with(0, Unanswered::Unanswered);
    };
    let failed = |world: &mut World| {
        world.finish_with(0, Unanswered::Failed(provider_error(1, true)));
    };
    let late = |world: &mut World| world.advance(10);
    let causes: [(&dyn Fn(&mut World), Status); 3] =
        [(&unanswered, Status::ERR_UNANSWERED), (&failed, Status::ERR_PROVIDER), (&late, Status::ERR_TIMEOUT)];
    for (cause, status) in causes {
        let mut world = aged(set);
        let (first, joined) = (world.fetch("k"), world.fetch_all(&["k", "k"]));
        cause(&mut world);
        let told = stale("old", Some(status));
        assert_eq!(first.outcome(), told);
        assert_eq!(joined.batch().map(|(outcomes, _)| outcomes), Some(vec![told.clone(), told]));
        assert_eq!(world.table.counts().stale_error, 3);
    }
}

#[test]
fn r02_a_batch_of_all_or_nothing_does_not_fail_by_what_a_fallback_covered() {
    let mut world = aged(|_| {});
    let whole = world.ask(Form::All, &["k", "m"], |options| options.fetch.batch_mode = kvlight::base::config::BatchMode::AllOrNothing);
    world.fail(0, "k", 503);
    world.answer(0, "m", "v");
    assert_eq!(whole.batch(), Some((vec![stale("old", FAILED), value("v")], Status::OK)));
}

#[test]
fn r02_an_open_breaker_and_a_full_queue_are_failures_too() {
    let mut world = aged(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (1, 1, 1);
    });
    world.fetch("running");
    let waits = world.fetch("n");
    let refused = world.fetch("k");
    assert_eq!(refused.outcome(), stale("old", Some(Status::ERR_QUEUE_FULL)));
    let urgent = world.fetch_with("urgent", |options| options.urgency = 5);
    assert_eq!(waits.outcome(), Said::Stale(Box::new(Said::Null), Some(Status::ERR_QUEUE_FULL)), "it lost its place");
    world.step(|table, turn| table.force_breaker(Forced::Open, turn));
    assert_eq!(urgent.outcome(), failed_with(Status::ERR_UNAVAILABLE));
    assert_eq!(world.table.breaker_state(world.clock.moment()), BreakerState::Open);
    for _ in 0..2 {
        assert_eq!(world.fetch("k").outcome(), stale("old", Some(Status::ERR_UNAVAILABLE)), "and the key is not left alone for it");
    }
    assert_eq!((world.table.counts().stale_error, world.table.counts().stale_throttled), (4, 0));
}

#[test]
fn r02_a_retry_comes_before_the_fallback() {
    let mut world = aged(|settings| settings.fetch.retry.count = Some(1));
    let waiter = world.fetch("k");
    world.fail(0, "k", 503);
    world.finish(0);
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.answer(1, "k", "new");
    assert_eq!((waiter.outcome(), world.lookup("k")), (value("new"), value("new")));
}

#[test]
fn r02_a_cancel_a_timeout_of_the_fetch_and_a_close_are_told_as_they_are() {
    let mut world = aged(|_| {});
    let (cancelled, hasty) = (world.fetch("k"), world.fetch_with("k", |options| options.fetch.timeout = Some(ms(5))));
    let closed = world.fetch("n");
    world.cancel(&cancelled);
    world.advance(5);
    world.close();
    let told = [cancelled.outcome(), hasty.outcome(), closed.outcome()];
    assert_eq!(told, [Status::ERR_CANCELLED, Status::ERR_TIMEOUT, Status::ERR_CLOSED].map(failed_with));
}

#[test]
fn r02_an_error_can_say_that_the_older_answer_is_worth_nothing() {
    let mut world = aged(|_| {});
    let waiter = world.fetch("k");
    world.give(0, "k", ProviderAnswer::Failed(provider_error(410, true).forbidding_stale()));
    assert_eq!(waiter.outcome(), Said::Error(410));
    assert!(!world.shelf.has("k"), "and it is gone");
}

#[test]
fn r02_what_was_written_meanwhile_is_no_fallback_of_an_overtaken_load() {
    let mut world = aged(|_| {});
    let (first, removed) = (world.fetch("k"), world.fetch("n"));
    world.put("k", "put");
    world.remove("n");
    world.give(0, "k", ProviderAnswer::Failed(provider_error(410, true).forbidding_stale()));
    world.fail(1, "n", 503);
    assert_eq!((first.outcome(), removed.outcome(), world.lookup("k")), (Said::Error(410), Said::Error(503), value("put")));
}

#[test]
fn r03_after_a_covered_failure_the_key_is_left_alone_for_a_while() {
    let mut world = throttled();
    for _ in 0..10 {
        assert_eq!(world.fetch("k").outcome(), stale("old", FAILED), "at once");
    }
    assert_eq!(world.requests.len(), 1);
    world.advance(999);
    assert_eq!(world.fetch("k").outcome(), stale("old", FAILED));
    world.advance(1);
    let waiter = world.fetch("k");
    assert_eq!((waiter.outcome(), world.requests.len()), (Said::Nothing, 2));
    world.answer(1, "k", "new");
    assert_eq!(waiter.outcome(), value("new"));
    let counts = world.table.counts();
    assert_eq!((counts.stale_error, counts.stale_throttled, counts.misses()), (1, 11, 13));
    assert_eq!(world.table.next_due(), None, "nothing is kept of a pause that is over");
}

#[test]
fn r03_a_write_a_clear_and_a_refresh_end_the_pause() {
    type Ends = fn(&mut World);
    let ends: [(&str, Ends); 5] = [
        ("put", |world| {
            world.put("k", "put");
            world.shelf.age("k");
        }),
        ("remove", |world| world.remove("k")),
        ("expire", |world| world.expire("k")),
        ("clear", World::clear),
        ("refresh", |world| world.refresh("k")),
    ];
    for (name, end) in ends {
        let mut world = throttled();
        end(&mut world);
        let before = world.requests.len();
        let waiter = world.fetch("k");
        assert_eq!((waiter.outcome(), world.requests.len()), (Said::Nothing, before + usize::from(name != "refresh")), "{name}");
    }
}

#[test]
fn r03_without_a_fallback_nothing_is_left_alone() {
    let mut world = World::new();
    for nth in 0..3 {
        let waiter = world.fetch("k");
        world.fail(nth, "k", 503);
        world.finish(nth);
        assert_eq!(waiter.outcome(), Said::Error(503));
    }
    let mut world = throttled();
    world.shelf.lose("k");
    world.fetch("k");
    assert_eq!(world.requests.len(), 2, "the fallback has left: there is nothing to tell");
}

#[test]
fn r04_a_fetch_waits_no_longer_than_it_says_and_the_load_goes_on() {
    let mut world = aged(|settings| settings.fetch.stale_timeout = Some(ms(50)));
    let (waiter, without) = (world.fetch("k"), world.fetch("new"));
    world.advance(49);
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.advance(1);
    assert_eq!((waiter.outcome(), without.outcome()), (stale("old", None), Said::Nothing));
    world.advance(1_000);
    assert!(world.hooks.is_empty(), "the provider is told nothing");
    world.answer(0, "k", "new");
    assert_eq!(world.lookup("k"), value("new"));
    world.answer(1, "new", "v");
    assert_eq!(without.outcome(), value("v"));
    assert_eq!((world.table.counts().stale_timeout, world.table.counts().flights_succeeded), (1, 2));
    assert!(world.table.is_idle());
}

#[test]
fn r04_stale_while_revalidate_is_told_at_once() {
    let mut world = aged(|settings| settings.fetch.stale_timeout = Some(ms(0)));
    let whole = world.fetch_all(&["k", "n"]);
    let told = vec![stale("old", None), Said::Stale(Box::new(Said::Null), None)];
    assert_eq!(whole.batch(), Some((told, Status::OK)));
    assert_eq!(world.handed(), [["k", "n"]]);
    // Others join the load, however many; none of them is kept in mind.
    for _ in 0..1_000 {
        assert_eq!(world.fetch("k").outcome(), stale("old", None));
    }
    let eager = world.fetch_with("k", |options| options.fetch.stale_timeout = None);
    world.cancel(&eager);
    assert_eq!((world.requests.len(), world.hooks.len()), (1, 0));
    world.answer(0, "k", "new");
    world.answer_null(0, "n");
    assert_eq!(world.fetch("k").outcome(), value("new"));
    assert!(world.table.is_idle());
}

#[test]
fn r04_a_load_that_goes_on_waits_is_tried_again_and_may_fail() {
    let mut world = aged(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, 1);
        settings.fetch.stale_timeout = Some(ms(0));
        settings.fetch.retry.count = Some(1);
    });
    let busy = world.fetch("busy");
    assert_eq!(world.fetch("k").outcome(), stale("old", None), "it waits for a slot");
    world.answer(0, "busy", "v");
    world.finish(0);
    assert_eq!((busy.outcome(), world.handed().len()), (value("v"), 2));
    world.fail(1, "k", 503);
    world.finish(1);
    assert_eq!(world.handed().len(), 3, "tried again");
    world.fail(2, "k", 503);
    world.finish(2);
    assert_eq!(world.table.counts().flights_failed, 1);
    assert_eq!(world.fetch("k").outcome(), stale("old", FAILED), "and left alone");
    assert!(world.table.is_idle());
}

#[test]
fn r04_each_fetch_says_for_itself_how_long_it_waits() {
    let mut world = aged(|_| {});
    let patient = world.fetch("k");
    let hasty = world.fetch_with("k", |options| options.fetch.stale_timeout = Some(ms(5)));
    world.advance(5);
    assert_eq!((patient.outcome(), hasty.outcome()), (Said::Nothing, stale("old", None)));
    world.close();
    assert_eq!(patient.outcome(), failed_with(Status::ERR_CLOSED));
}

#[test]
fn r12_to_expire_a_key_is_a_removal_to_its_load_and_leaves_a_fallback() {
    let mut world = World::new();
    world.put("k", "old");
    let before = world.fetch_with("k", |options| options.fetch.read = kvlight::base::config::ReadMode::Refresh);
    world.expire("k");
    let after = world.fetch("k");
    assert_eq!(world.requests.len(), 2, "it is loaded again");
    world.answer(0, "k", "of before");
    assert_eq!((before.outcome(), world.lookup("k")), (value("of before"), Said::Miss));
    world.fail(1, "k", 503);
    assert_eq!(after.outcome(), stale("old", FAILED));
}

#[test]
fn r13_a_remembered_error_comes_after_the_fallback() {
    let mut world = aged(|settings| {
        settings.cache.error_ttl_ms = 60_000;
        settings.tasks.stale_retry = ms(0);
    });
    world.fetch("k");
    world.fail(0, "k", 503);
    world.finish(0);
    assert_eq!(world.fetch("k").outcome(), stale("old", FAILED));
    world.shelf.lose("k");
    assert_eq!(world.fetch("k").outcome(), Said::Error(503));
    assert_eq!((world.requests.len(), world.table.counts().missed_remembered), (1, 2));
}
