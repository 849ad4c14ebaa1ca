//! The table of states, cell by cell: what leaving, overflow, writes, extras and the close do to a flight of `k` in each state.

use super::harness::{Harness, Summary, failed_with, value};
use super::scene::*;
use kvlight::base::Status;
use kvlight::task::Cancel;

#[test]
fn cell_one_of_two_waiters_leaves_and_the_flight_stays() {
    for state in [Deferred, Queued, Running, Backoff] {
        let mut scene = Scene::new(state);
        let second = scene.harness.fetch("k");
        scene.harness.cancel(&second);
        assert_eq!(second.outcome(), failed_with(Status::ERR_CANCELLED), "{state:?}");
        scene.finish_everything("v");
        assert_eq!(scene.outcome(), value("v"), "{state:?}: the other waiter receives the answer");
    }
}

#[test]
fn cell_the_last_waiter_leaves_deferred_queued_backoff_and_the_flight_ends() {
    for state in [Deferred, Queued, Backoff, OvertakenBackoff] {
        let mut scene = Scene::new(state);
        let loads = scene.loads();
        scene.harness.cancel(&scene.waiter.clone());
        scene.finish_everything("v");
        assert_eq!((scene.loads(), scene.outcome()), (loads, failed_with(Status::ERR_CANCELLED)), "{state:?}");
    }
}

#[test]
fn cell_the_last_waiter_leaves_running_and_overtaken_and_the_request_is_cancelled() {
    for state in [Running, Overtaken] {
        let mut scene = Scene::new(state);
        scene.harness.cancel(&scene.waiter.clone());
        assert_eq!(scene.harness.hooks, [(scene.request, Cancel::Unwanted)], "{state:?}");
        scene.harness.fetch("k");
        assert_eq!(scene.in_flight(), 2, "{state:?}: an unwanted flight is not joined");
    }
}

#[test]
fn cell_queue_overflow_picks_a_queued_flight() {
    let mut scene = Scene::new(Queued);
    scene.harness.fetch("second");
    scene.harness.fetch("third");
    assert_eq!(scene.outcome(), failed_with(Status::ERR_QUEUE_FULL));
}

#[test]
fn cell_queue_overflow_never_picks_a_deferred_or_pausing_flight() {
    for state in [Deferred, Backoff] {
        let mut scene = Scene::new(state);
        for key in ["1", "2", "3", "4", "5"] {
            scene.harness.fetch(key);
        }
        assert_eq!(scene.outcome(), Summary::Pending, "{state:?}");
    }
}

#[test]
fn cell_put_on_deferred_queued_backoff_settles_with_the_value_put() {
    for state in [Deferred, Queued, Backoff, OvertakenBackoff] {
        let mut scene = Scene::new(state);
        let loads = scene.loads();
        scene.harness.put("k", "put");
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("put"), value("put")), "{state:?}");
        scene.finish_everything("loaded");
        assert_eq!(scene.loads(), loads, "{state:?}");
    }
}

#[test]
fn cell_put_on_running_overtakes_it() {
    let mut scene = Scene::new(Running);
    scene.harness.put("k", "put");
    assert_eq!(scene.outcome(), Summary::Pending);
    assert_eq!(scene.harness.fetch("k").outcome(), value("put"));
    scene.harness.answer(scene.request, "k", "loaded");
    assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("loaded"), value("put")));
}

#[test]
fn cell_put_on_overtaken_and_unwanted_leaves_them_and_stays_stored() {
    for state in [Overtaken, Unwanted] {
        let mut scene = Scene::new(state);
        let earlier = scene.outcome();
        scene.harness.put("k", "put");
        assert_eq!(scene.outcome(), earlier, "{state:?}");
        scene.harness.answer(scene.request, "k", "loaded");
        assert_eq!(scene.harness.lookup("k"), value("put"), "{state:?}");
    }
}

#[test]
fn cell_remove_clear_and_expire_on_waiting_flights_leave_them() {
    let writes: [fn(&mut Harness); 3] = [|harness| harness.remove("k"), |harness| harness.clear(), |harness| harness.expire("k")];
    for (state, write) in WAITING.into_iter().flat_map(|state| writes.map(|write| (state, write))) {
        let mut scene = Scene::new(state);
        write(&mut scene.harness);
        assert_eq!(scene.outcome(), Summary::Pending, "{state:?}");
        scene.finish_everything("v");
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("v"), value("v")), "{state:?} begins its attempt after the write");
    }
}

#[test]
fn cell_remove_clear_and_expire_on_running_overtake_it_and_break_the_stamp_of_unwanted() {
    let writes: [fn(&mut Harness); 3] = [|harness| harness.remove("k"), |harness| harness.clear(), |harness| harness.expire("k")];
    for (state, write) in [Running, Overtaken, Unwanted].into_iter().flat_map(|state| writes.map(|write| (state, write))) {
        let mut scene = Scene::new(state);
        write(&mut scene.harness);
        scene.harness.answer(scene.request, "k", "v");
        assert_eq!(scene.harness.lookup("k"), Summary::Miss, "{state:?} does not store an answer from before the write");
    }
}

#[test]
fn cell_supply_on_deferred_queued_backoff_settles() {
    for state in WAITING {
        let mut scene = Scene::new(state);
        assert_eq!(scene.harness.extra(0, "k", "supplied"), Status::OK);
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (value("supplied"), value("supplied")), "{state:?}");
    }
}

#[test]
fn cell_supply_on_absent_and_running_stores_and_leaves_it() {
    for state in [Absent, Running] {
        let mut scene = Scene::new(state);
        let earlier = scene.outcome();
        assert_eq!(scene.harness.extra(0, "k", "supplied"), Status::OK);
        assert_eq!((scene.outcome(), scene.harness.lookup("k")), (earlier, value("supplied")), "{state:?}");
    }
}

#[test]
fn cell_drain_lets_everything_continue() {
    for state in [Deferred, Queued, Running, Overtaken, Backoff, OvertakenBackoff] {
        let mut scene = Scene::new(state);
        scene.harness.drain(10_000);
        assert!(!scene.harness.table.is_open());
        scene.finish_everything("v");
        assert_eq!((scene.outcome(), scene.harness.table.is_idle()), (value("v"), true), "{state:?}");
    }
}

#[test]
fn cell_close_and_the_end_of_a_drain_settle_with_closed() {
    let closes: [fn(&mut Harness); 2] = [
        |harness| harness.close(),
        |harness| {
            harness.drain(50);
            harness.advance(50);
        },
    ];
    for (state, close) in [Deferred, Queued, Running, Overtaken, Backoff].into_iter().flat_map(|state| closes.map(|close| (state, close))) {
        let mut scene = Scene::new(state);
        close(&mut scene.harness);
        assert_eq!((scene.outcome(), scene.harness.table.is_idle()), (failed_with(Status::ERR_CLOSED), true), "{state:?}");
    }
}

#[test]
fn cell_close_on_unwanted_leaves_it() {
    let mut scene = Scene::new(Unwanted);
    scene.harness.close();
    assert_eq!(scene.outcome(), failed_with(Status::ERR_CANCELLED));
    assert_eq!(scene.harness.answer(scene.request, "k", "v"), Status::ERR_CLOSED);
}
