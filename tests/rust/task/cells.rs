//! The table of states, cell by cell: what fetches, slots and the provider do to a flight of `k` in each state. A late answer is *whole* if
//! nothing was written since its attempt began, and otherwise *broken*.

use super::harness::{Harness, Summary, failed_with, ms, value};
use super::scene::*;
use kvlight::base::Status;
use kvlight::base::config::ReadMode;
use kvlight::task::{Cancel, Unanswered};

#[test]
fn cell_ask_on_absent_takes_a_slot() {
    let mut scene = Scene::new(Absent);
    scene.harness.fetch("k");
    assert_eq!((scene.loads(), scene.harness.table.gauges().running), (1, 2));
}

#[test]
fn cell_ask_on_absent_takes_a_place_if_no_slot_is_free() {
    let mut scene = Scene::new(Absent);
    scene.harness.fetch("busy too");
    scene.harness.fetch("k");
    assert_eq!(scene.harness.table.gauges().queued, 1);
}

#[test]
fn cell_ask_on_absent_is_deferred_if_the_share_is_used() {
    let scene = Scene::new(Deferred);
    assert_eq!((scene.harness.table.gauges().queued, scene.harness.table.gauges().deferred), (1, 1));
}

#[test]
fn cell_ask_on_absent_and_ended_hits_what_was_stored_meanwhile() {
    for state in [Absent, Ended] {
        let mut scene = Scene::new(state);
        scene.harness.put("k", "v");
        let waiter = scene.harness.fetch_with("k", |options| options.missed_before = true);
        assert_eq!(waiter.outcome(), value("v"), "{state:?}");
    }
}

#[test]
fn cell_ask_on_deferred_queued_running_backoff_joins() {
    for state in [Deferred, Queued, Running, Backoff] {
        let mut scene = Scene::new(state);
        let before = scene.in_flight();
        let second = scene.harness.fetch("k");
        assert_eq!(scene.in_flight(), before, "no second flight beside one that is {state:?}");
        scene.finish_everything("v");
        assert_eq!([scene.outcome(), second.outcome()], [value("v"), value("v")], "{state:?}");
    }
}

#[test]
fn cell_ask_on_overtaken_unwanted_ended_starts_a_new_flight() {
    for state in [Overtaken, Unwanted, OvertakenBackoff, Ended] {
        let mut scene = Scene::new(state);
        let (before, earlier) = (scene.in_flight(), scene.outcome());
        let second = scene.harness.fetch("k");
        assert_eq!(scene.in_flight(), before + 1, "{state:?} is not joined");
        assert_eq!((second.outcome(), scene.outcome()), (Summary::Pending, earlier), "{state:?}");
        scene.finish_everything("v");
        assert_eq!(second.outcome(), value("v"), "{state:?}");
    }
}

#[test]
fn cell_cache_only_is_a_miss_everywhere() {
    for state in ALL {
        let mut scene = Scene::new(state);
        let before = scene.in_flight();
        let waiter = scene.harness.fetch_with("k", |options| options.fetch.read = ReadMode::CacheOnly);
        assert_eq!((waiter.outcome(), scene.in_flight()), (Summary::Miss, before), "{state:?}");
    }
}

#[test]
fn cell_place_free_on_deferred_queues_it() {
    let mut scene = Scene::new(Deferred);
    scene.harness.finish(0);
    assert_eq!((scene.harness.table.gauges().queued, scene.harness.table.gauges().deferred), (1, 0));
}

#[test]
fn cell_slot_free_on_queued_runs_its_first_attempt() {
    let mut scene = Scene::new(Queued);
    scene.harness.finish(0);
    assert_eq!((scene.loads(), scene.harness.requests[2].handout.attempts.clone()), (1, vec![1]));
}

#[test]
fn cell_answer_on_running_stores_and_delivers() {
    let mut scene = Scene::new(Running);
    assert_eq!(scene.harness.answer(scene.request, "k", "v"), Status::OK);
    assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("v"), value("v")));
}

#[test]
fn cell_answer_on_overtaken_delivers_and_does_not_store() {
    let mut scene = Scene::new(Overtaken);
    assert_eq!(scene.harness.answer(scene.request, "k", "v"), Status::OK);
    assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("v"), Summary::Miss));
}

#[test]
fn cell_answer_on_unwanted_is_stored_and_not_delivered() {
    let mut scene = Scene::new(Unwanted);
    assert_eq!(scene.harness.answer(scene.request, "k", "v"), Status::LATE);
    assert_eq!((scene.outcome(), scene.harness.lookup("k")), (failed_with(Status::ERR_CANCELLED), value("v")));
}

#[test]
fn cell_answer_on_ended_is_refused() {
    let mut scene = Scene::new(Ended);
    assert_eq!(scene.harness.answer(scene.request, "k", "v"), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(scene.harness.lookup("k"), Summary::Miss);
}

#[test]
fn cell_error_with_retry_left_on_running_and_overtaken_backs_off() {
    for (state, stored) in [(Running, value("v")), (Overtaken, Summary::Miss)] {
        let mut scene = Scene::new(state);
        scene.harness.fail(scene.request, "k", 7);
        assert_eq!(scene.outcome(), Summary::Pending, "{state:?}");
        scene.harness.advance(100);
        assert_eq!(scene.loads(), 2, "{state:?}");
        scene.harness.answer(scene.request + 1, "k", "v");
        assert_eq!(
            (scene.outcome(), scene.harness.lookup("k")),
            (value("v"), stored),
            "{state:?}: a retry of an overtaken flight is overtaken too"
        );
    }
}

#[test]
fn cell_error_on_unwanted_ends_it() {
    let mut scene = Scene::new(Unwanted);
    assert_eq!(scene.harness.fail(scene.request, "k", 7), Status::LATE);
    scene.harness.advance(1_000);
    assert_eq!((scene.loads(), scene.outcome()), (1, failed_with(Status::ERR_CANCELLED)));
}

#[test]
fn cell_final_error_on_running_and_overtaken_is_delivered() {
    for state in [Running, Overtaken] {
        let mut scene = Scene::new(state);
        scene.harness.fail_for_good(scene.request, "k", 7);
        assert_eq!((scene.outcome(), scene.in_flight()), (Summary::Error(7), 1), "{state:?}");
    }
}

#[test]
fn cell_finish_without_answer_on_running_and_overtaken_fails_or_is_null() {
    for (state, stored) in [(Running, Summary::Null), (Overtaken, Summary::Miss)] {
        let mut scene = Scene::new(state);
        scene.harness.finish_with(scene.request, Unanswered::Null);
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (Summary::Null, stored), "{state:?}");
        let mut scene = Scene::new(state);
        scene.harness.finish(scene.request);
        scene.harness.advance(100);
        scene.harness.finish(scene.request + 1);
        assert_eq!(scene.outcome(), failed_with(Status::ERR_UNANSWERED), "{state:?}, after its retry");
    }
}

#[test]
fn cell_finish_without_answer_on_unwanted_ends_it() {
    let mut scene = Scene::new(Unwanted);
    scene.harness.finish(scene.request);
    assert_eq!((scene.in_flight(), scene.harness.lookup("k")), (1, Summary::Miss));
}

#[test]
fn cell_attempt_deadline_on_running_and_overtaken_is_a_timeout_error() {
    for state in [Running, Overtaken] {
        let mut scene = Scene::new(state);
        scene.harness.advance(1_000);
        assert_eq!(scene.harness.table.gauges().abandoned, 2, "{state:?}");
        scene.harness.advance(100);
        assert_eq!((scene.loads(), scene.outcome()), (2, Summary::Pending), "{state:?} has a retry left");
        scene.harness.advance(1_000);
        assert_eq!(scene.outcome(), failed_with(Status::ERR_TIMEOUT), "{state:?}");
    }
}

#[test]
fn cell_attempt_deadline_on_unwanted_frees_the_slot() {
    let mut scene = Scene::new(Unwanted);
    scene.harness.advance(1_000);
    assert_eq!((scene.harness.table.gauges().running, scene.in_flight()), (0, 0));
    scene.harness.answer(scene.request, "k", "v");
    assert_eq!(scene.harness.lookup("k"), value("v"));
}

#[test]
fn cell_whole_late_answer_on_deferred_queued_running_backoff_settles() {
    for state in [Deferred, Queued, Running, Backoff] {
        let mut scene = Scene::after_a_late_attempt(state);
        let late = scene.late.expect("there is a late request");
        assert_eq!(scene.harness.answer(late, "k", "late"), Status::LATE);
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("late"), value("late")), "{state:?}");
        let loads = scene.loads();
        scene.finish_everything("again");
        assert_eq!(scene.loads(), loads, "{state:?} is settled and not loaded");
    }
}

#[test]
fn cell_whole_late_answer_on_running_makes_the_running_attempt_unwanted() {
    let mut scene = Scene::after_a_late_attempt(Running);
    scene.harness.answer(0, "k", "late");
    assert!(scene.harness.hooks.contains(&(scene.request, Cancel::Unwanted)));
    scene.harness.answer(scene.request, "k", "younger");
    assert_eq!(scene.harness.lookup("k"), value("younger"));
}

#[test]
fn cell_whole_late_answer_on_unwanted_and_absent_is_stored() {
    for state in [Absent, Unwanted] {
        let mut scene = Scene::after_a_late_attempt(state);
        scene.harness.answer(0, "k", "late");
        assert_eq!(scene.harness.lookup("k"), value("late"), "{state:?}");
    }
}

#[test]
fn cell_broken_late_answer_on_deferred_queued_running_backoff_is_refused() {
    for state in [Deferred, Queued, Backoff] {
        let mut scene = Scene::after_a_late_attempt(state);
        scene.harness.remove("k");
        scene.harness.answer(0, "k", "late");
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (Summary::Pending, Summary::Miss), "{state:?}");
    }
    let mut scene = Scene::after_a_late_attempt(Absent);
    scene.harness.remove("k");
    let waiter = scene.harness.fetch("k");
    scene.harness.answer(0, "k", "late");
    assert_eq!(
        (waiter.outcome(), scene.harness.lookup("k")),
        (Summary::Pending, Summary::Miss),
        "a fetch that began after the write is not settled"
    );
}

#[test]
fn cell_broken_late_answer_on_overtaken_settles_its_own_flight_and_does_not_store() {
    // The attempt of the overtaken flight timed out. The answer arrives in backoff, or during the next attempt.
    for pause in [0, 100] {
        let mut scene = Scene::new(Overtaken);
        scene.harness.advance(1_000);
        scene.harness.advance(pause);
        let newcomer = scene.harness.fetch("k");
        scene.harness.answer(scene.request, "k", "late");
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("late"), Summary::Miss), "{pause} ms after the timeout");
        assert_eq!(newcomer.outcome(), Summary::Pending, "a later fetch does not receive an overtaken answer");
    }
}

#[test]
fn cell_late_answer_of_an_overtaken_flight_that_has_failed_is_not_stored() {
    let mut scene = Scene::new(OvertakenBackoff);
    scene.harness.advance(100);
    let second = scene.harness.requests.len() - 1;
    scene.harness.advance(1_000);
    assert_eq!(scene.outcome(), failed_with(Status::ERR_TIMEOUT));
    scene.harness.answer(second, "k", "late");
    assert_eq!(scene.harness.lookup("k"), Summary::Miss, "an overtaken flight does not store");
}

#[test]
fn cell_late_error_is_dropped_everywhere() {
    for state in [Absent, Deferred, Queued, Running, Overtaken, Unwanted, Backoff] {
        let mut scene = Scene::after_a_late_attempt(state);
        let before = (scene.outcome(), scene.in_flight());
        assert_eq!(scene.harness.fail_for_good(0, "k", 9), Status::LATE);
        assert_eq!((scene.outcome(), scene.in_flight()), before, "{state:?}");
    }
}

#[test]
fn cell_backoff_due_precedes_keys_of_equal_urgency_and_stays_overtaken_if_it_was() {
    for (state, stored) in [(Backoff, value("v")), (OvertakenBackoff, Summary::Miss)] {
        let mut scene = Scene::new(state);
        scene.harness.fetch("busy too");
        scene.harness.fetch("waiting");
        scene.harness.advance(100);
        assert_eq!(scene.harness.table.gauges().queued, 2, "{state:?}");
        scene.harness.finish(0);
        assert_eq!(scene.loads(), 2, "{state:?} is handed out first");
        let last = scene.harness.requests.len() - 1;
        scene.harness.answer(last, "k", "v");
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("v"), stored), "{state:?}");
    }
}

/// The model test found this: the late attempt began before a first write, a fetch joined after that write, and then there was a second write.
#[test]
fn cell_late_answer_on_overtaken_is_refused_if_a_fetch_joined_after_an_earlier_write() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.attempt_timeout = Some(ms(1_000));
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    let first = harness.fetch("k");
    harness.advance(1_000);
    harness.remove("k");
    let second = harness.fetch("k");
    harness.advance(100);
    harness.remove("k");
    assert_eq!(harness.answer(0, "k", "before the first remove"), Status::LATE);
    assert_eq!([first.outcome(), second.outcome()], [Summary::Pending, Summary::Pending], "the second fetch joined after a remove");
    harness.answer(1, "k", "before the second remove");
    assert_eq!([first.outcome(), second.outcome()], [value("before the second remove"), value("before the second remove")]);
}
