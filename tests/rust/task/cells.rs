//! The table of states, cell by cell: what fetches, slots and the provider do to a flight of `k` in each state.

use super::scene::*;
use super::world::{Said, World, failed_with, ms, value};
use kvlight::base::Status;
use kvlight::base::config::ReadMode;
use kvlight::task::{Cancel, Unanswered};

#[test]
fn cell_ask_on_absent_takes_a_slot() {
    let mut scene = Scene::new(Absent);
    scene.world.fetch("k");
    assert_eq!((scene.loads(), scene.world.table.gauges().running), (1, 2));
}

#[test]
fn cell_ask_on_absent_takes_a_place_when_no_slot_is_free() {
    let mut scene = Scene::new(Absent);
    scene.world.fetch("busy too");
    scene.world.fetch("k");
    assert_eq!(scene.world.table.gauges().queued, 1);
}

#[test]
fn cell_ask_on_absent_spills_when_the_share_is_used() {
    let scene = Scene::new(Deferred);
    assert_eq!((scene.world.table.gauges().queued, scene.world.table.gauges().deferred), (1, 1));
}

#[test]
fn cell_ask_on_absent_and_ended_hits_what_the_store_has_by_now() {
    for state in [Absent, Ended] {
        let mut scene = Scene::new(state);
        scene.world.put("k", "v");
        let waiter = scene.world.fetch_with("k", |options| options.missed_before = true);
        assert_eq!(waiter.outcome(), value("v"), "{state:?}");
    }
}

#[test]
fn cell_ask_on_deferred_queued_running_backoff_joins() {
    for state in [Deferred, Queued, Running, Backoff] {
        let mut scene = Scene::new(state);
        let before = scene.in_flight();
        let second = scene.world.fetch("k");
        assert_eq!(scene.in_flight(), before, "a second flight beside one that is {state:?}");
        scene.run_dry("v");
        assert_eq!([scene.told(), second.outcome()], [value("v"), value("v")], "{state:?}");
    }
}

#[test]
fn cell_ask_on_overtaken_told_ended_starts_a_new_flight() {
    for state in [Overtaken, Told, OvertakenBackoff, Ended] {
        let mut scene = Scene::new(state);
        let (before, told) = (scene.in_flight(), scene.told());
        let second = scene.world.fetch("k");
        assert_eq!(scene.in_flight(), before + 1, "{state:?} was joined");
        assert_eq!((second.outcome(), scene.told()), (Said::Nothing, told), "{state:?}");
        scene.run_dry("v");
        assert_eq!(second.outcome(), value("v"), "{state:?}");
    }
}

#[test]
fn cell_cache_only_is_a_miss_everywhere() {
    for state in ALL {
        let mut scene = Scene::new(state);
        let before = scene.in_flight();
        let waiter = scene.world.fetch_with("k", |options| options.fetch.read = ReadMode::CacheOnly);
        assert_eq!((waiter.outcome(), scene.in_flight()), (Said::Miss, before), "{state:?}");
    }
}

#[test]
fn cell_place_free_on_deferred_queues_it() {
    let mut scene = Scene::new(Deferred);
    scene.world.finish(0);
    assert_eq!((scene.world.table.gauges().queued, scene.world.table.gauges().deferred), (1, 0));
}

#[test]
fn cell_slot_free_on_queued_runs_its_first_attempt() {
    let mut scene = Scene::new(Queued);
    scene.world.finish(0);
    assert_eq!((scene.loads(), scene.world.requests[2].handout.attempts.clone()), (1, vec![1]));
}

#[test]
fn cell_answer_on_running_stores_and_tells() {
    let mut scene = Scene::new(Running);
    assert_eq!(scene.world.answer(scene.mine, "k", "v"), Status::OK);
    assert_eq!((scene.told(), scene.world.lookup("k")), (value("v"), value("v")));
}

#[test]
fn cell_answer_on_overtaken_tells_and_does_not_store() {
    let mut scene = Scene::new(Overtaken);
    assert_eq!(scene.world.answer(scene.mine, "k", "v"), Status::OK);
    assert_eq!((scene.told(), scene.world.lookup("k")), (value("v"), Said::Miss));
}

#[test]
fn cell_answer_on_told_stores_and_tells_nobody() {
    let mut scene = Scene::new(Told);
    assert_eq!(scene.world.answer(scene.mine, "k", "v"), Status::LATE);
    assert_eq!((scene.told(), scene.world.lookup("k")), (failed_with(Status::ERR_CANCELLED), value("v")));
}

#[test]
fn cell_answer_on_ended_is_refused() {
    let mut scene = Scene::new(Ended);
    assert_eq!(scene.world.answer(scene.mine, "k", "v"), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(scene.world.lookup("k"), Said::Miss);
}

#[test]
fn cell_error_with_retry_left_on_running_and_overtaken_backs_off() {
    for (state, stored) in [(Running, value("v")), (Overtaken, Said::Miss)] {
        let mut scene = Scene::new(state);
        scene.world.fail(scene.mine, "k", 7);
        assert_eq!(scene.told(), Said::Nothing, "{state:?}");
        scene.world.advance(100);
        assert_eq!(scene.loads(), 2, "{state:?}");
        scene.world.answer(scene.mine + 1, "k", "v");
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("v"), stored), "{state:?} keeps its standing");
    }
}

#[test]
fn cell_error_on_told_ends_it() {
    let mut scene = Scene::new(Told);
    assert_eq!(scene.world.fail(scene.mine, "k", 7), Status::LATE);
    scene.world.advance(1_000);
    assert_eq!((scene.loads(), scene.told()), (1, failed_with(Status::ERR_CANCELLED)));
}

#[test]
fn cell_final_error_on_running_and_overtaken_tells() {
    for state in [Running, Overtaken] {
        let mut scene = Scene::new(state);
        scene.world.fail_for_good(scene.mine, "k", 7);
        assert_eq!((scene.told(), scene.in_flight()), (Said::Error(7), 1), "{state:?}");
    }
}

#[test]
fn cell_finish_without_answer_on_running_and_overtaken_fails_or_is_null() {
    for (state, stored) in [(Running, Said::Null), (Overtaken, Said::Miss)] {
        let mut scene = Scene::new(state);
        scene.world.finish_with(scene.mine, Unanswered::Null);
        assert_eq!((scene.told(), scene.world.lookup("k")), (Said::Null, stored), "{state:?}");
        let mut scene = Scene::new(state);
        scene.world.finish(scene.mine);
        scene.world.advance(100);
        scene.world.finish(scene.mine + 1);
        assert_eq!(scene.told(), failed_with(Status::ERR_UNANSWERED), "{state:?}, after its retry");
    }
}

#[test]
fn cell_finish_without_answer_on_told_ends_it() {
    let mut scene = Scene::new(Told);
    scene.world.finish(scene.mine);
    assert_eq!((scene.in_flight(), scene.world.lookup("k")), (1, Said::Miss));
}

#[test]
fn cell_attempt_deadline_on_running_and_overtaken_is_an_error_timeout() {
    for state in [Running, Overtaken] {
        let mut scene = Scene::new(state);
        scene.world.advance(1_000);
        assert_eq!(scene.world.table.gauges().abandoned, 2, "{state:?}");
        scene.world.advance(100);
        assert_eq!((scene.loads(), scene.told()), (2, Said::Nothing), "{state:?} has a retry left");
        scene.world.advance(1_000);
        assert_eq!(scene.told(), failed_with(Status::ERR_TIMEOUT), "{state:?}");
    }
}

#[test]
fn cell_attempt_deadline_on_told_frees_the_slot() {
    let mut scene = Scene::new(Told);
    scene.world.advance(1_000);
    assert_eq!((scene.world.table.gauges().running, scene.in_flight()), (0, 0));
    scene.world.answer(scene.mine, "k", "v");
    assert_eq!(scene.world.lookup("k"), value("v"));
}

#[test]
fn cell_whole_late_answer_on_deferred_queued_running_backoff_settles() {
    for state in [Deferred, Queued, Running, Backoff] {
        let mut scene = Scene::after_a_late_attempt(state);
        let late = scene.late.expect("there is one");
        assert_eq!(scene.world.answer(late, "k", "late"), Status::LATE);
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("late"), value("late")), "{state:?}");
        let loads = scene.loads();
        scene.run_dry("again");
        assert_eq!(scene.loads(), loads, "{state:?} was settled and loaded all the same");
    }
}

#[test]
fn cell_whole_late_answer_on_running_makes_the_running_attempt_told() {
    let mut scene = Scene::after_a_late_attempt(Running);
    scene.world.answer(0, "k", "late");
    assert!(scene.world.hooks.contains(&(scene.mine, Cancel::Unwanted)));
    scene.world.answer(scene.mine, "k", "younger");
    assert_eq!(scene.world.lookup("k"), value("younger"));
}

#[test]
fn cell_whole_late_answer_on_told_absent_ended_is_stored() {
    for state in [Absent, Told] {
        let mut scene = Scene::after_a_late_attempt(state);
        scene.world.answer(0, "k", "late");
        assert_eq!(scene.world.lookup("k"), value("late"), "{state:?}");
    }
}

#[test]
fn cell_broken_late_answer_on_deferred_queued_running_backoff_is_refused() {
    for state in [Deferred, Queued, Backoff] {
        let mut scene = Scene::after_a_late_attempt(state);
        scene.world.remove("k");
        scene.world.answer(0, "k", "late");
        assert_eq!((scene.told(), scene.world.lookup("k")), (Said::Nothing, Said::Miss), "{state:?}");
    }
    let mut scene = Scene::after_a_late_attempt(Absent);
    scene.world.remove("k");
    let waiter = scene.world.fetch("k");
    scene.world.answer(0, "k", "late");
    assert_eq!((waiter.outcome(), scene.world.lookup("k")), (Said::Nothing, Said::Miss), "who joined after the write was told");
}

#[test]
fn cell_broken_late_answer_on_overtaken_tells_its_own_flight_and_does_not_store() {
    // The overtaken flight itself ran out of time, once in backoff and once in its next attempt.
    for pause in [0, 100] {
        let mut scene = Scene::new(Overtaken);
        scene.world.advance(1_000);
        scene.world.advance(pause);
        let newcomer = scene.world.fetch("k");
        scene.world.answer(scene.mine, "k", "late");
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("late"), Said::Miss), "{pause} ms after its time");
        assert_eq!(newcomer.outcome(), Said::Nothing, "a newcomer was told what a write overtook");
    }
}

#[test]
fn cell_late_answer_of_an_overtaken_flights_second_attempt_tells_it_and_does_not_store() {
    let mut scene = Scene::new(OvertakenBackoff);
    scene.world.advance(100);
    let second = scene.world.requests.len() - 1;
    scene.world.advance(1_000);
    assert_eq!(scene.told(), failed_with(Status::ERR_TIMEOUT));
    scene.world.answer(second, "k", "late");
    assert_eq!(scene.world.lookup("k"), Said::Miss, "an overtaken flight stored");
}

#[test]
fn cell_late_error_is_dropped_everywhere() {
    for state in [Absent, Deferred, Queued, Running, Overtaken, Told, Backoff] {
        let mut scene = Scene::after_a_late_attempt(state);
        let before = (scene.told(), scene.in_flight());
        assert_eq!(scene.world.fail_for_good(0, "k", 9), Status::LATE);
        assert_eq!((scene.told(), scene.in_flight()), before, "{state:?}");
    }
}

#[test]
fn cell_backoff_due_goes_before_those_of_its_urgency_and_keeps_its_standing() {
    for (state, stored) in [(Backoff, value("v")), (OvertakenBackoff, Said::Miss)] {
        let mut scene = Scene::new(state);
        scene.world.fetch("busy too");
        scene.world.fetch("who waits");
        scene.world.advance(100);
        assert_eq!(scene.world.table.gauges().queued, 2, "{state:?}");
        scene.world.finish(0);
        assert_eq!(scene.loads(), 2, "{state:?} did not go first");
        let last = scene.world.requests.len() - 1;
        scene.world.answer(last, "k", "v");
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("v"), stored), "{state:?}");
    }
}

/// A hole that the model found: the late attempt began before a first write, somebody joined after it, then a second write came.
#[test]
fn cell_late_answer_on_overtaken_is_refused_if_somebody_joined_after_an_earlier_write() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.attempt_timeout = Some(ms(1_000));
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let first = world.fetch("k");
    world.advance(1_000);
    world.remove("k");
    let second = world.fetch("k");
    world.advance(100);
    world.remove("k");
    assert_eq!(world.answer(0, "k", "before the first remove"), Status::LATE);
    assert_eq!([first.outcome(), second.outcome()], [Said::Nothing, Said::Nothing], "the second joined after a remove");
    world.answer(1, "k", "before the second remove");
    assert_eq!([first.outcome(), second.outcome()], [value("before the second remove"), value("before the second remove")]);
}
