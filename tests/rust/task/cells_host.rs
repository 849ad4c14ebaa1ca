//! The table of states, cell by cell: what leaving, overflow, writes, extras and the close do to a flight of `k` in each state.

use super::scene::*;
use super::world::{Said, World, failed_with, value};
use kvlight::base::Status;
use kvlight::task::Cancel;

#[test]
fn cell_one_of_two_waiters_leaves_and_the_flight_stays() {
    for state in [Deferred, Queued, Running, Backoff] {
        let mut scene = Scene::new(state);
        let second = scene.world.fetch("k");
        scene.world.cancel(&second);
        assert_eq!(second.outcome(), failed_with(Status::ERR_CANCELLED), "{state:?}");
        scene.run_dry("v");
        assert_eq!(scene.told(), value("v"), "{state:?}: one waiter's cancel failed the other");
    }
}

#[test]
fn cell_the_last_waiter_leaves_deferred_queued_backoff_and_the_flight_ends() {
    for state in [Deferred, Queued, Backoff, OvertakenBackoff] {
        let mut scene = Scene::new(state);
        let loads = scene.loads();
        scene.world.cancel(&scene.waiter.clone());
        scene.run_dry("v");
        assert_eq!((scene.loads(), scene.told()), (loads, failed_with(Status::ERR_CANCELLED)), "{state:?}");
    }
}

#[test]
fn cell_the_last_waiter_leaves_running_and_overtaken_and_the_request_is_told() {
    for state in [Running, Overtaken] {
        let mut scene = Scene::new(state);
        scene.world.cancel(&scene.waiter.clone());
        assert_eq!(scene.world.hooks, [(scene.mine, Cancel::Unwanted)], "{state:?}");
        scene.world.fetch("k");
        assert_eq!(scene.in_flight(), 2, "{state:?}: a told flight was joined");
    }
}

#[test]
fn cell_queue_overflow_picks_a_queued_flight() {
    let mut scene = Scene::new(Queued);
    scene.world.fetch("second");
    scene.world.fetch("third");
    assert_eq!(scene.told(), failed_with(Status::ERR_QUEUE_FULL));
}

#[test]
fn cell_queue_overflow_never_picks_a_deferred_or_paused_one() {
    for state in [Deferred, Backoff] {
        let mut scene = Scene::new(state);
        for key in ["1", "2", "3", "4", "5"] {
            scene.world.fetch(key);
        }
        assert_eq!(scene.told(), Said::Nothing, "{state:?}");
    }
}

#[test]
fn cell_put_on_deferred_queued_backoff_settles_with_the_value_put() {
    for state in [Deferred, Queued, Backoff, OvertakenBackoff] {
        let mut scene = Scene::new(state);
        let loads = scene.loads();
        scene.world.put("k", "put");
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("put"), value("put")), "{state:?}");
        scene.run_dry("loaded");
        assert_eq!(scene.loads(), loads, "{state:?}");
    }
}

#[test]
fn cell_put_on_running_overtakes_it() {
    let mut scene = Scene::new(Running);
    scene.world.put("k", "put");
    assert_eq!(scene.told(), Said::Nothing);
    assert_eq!(scene.world.fetch("k").outcome(), value("put"));
    scene.world.answer(scene.mine, "k", "loaded");
    assert_eq!((scene.told(), scene.world.lookup("k")), (value("loaded"), value("put")));
}

#[test]
fn cell_put_on_overtaken_and_told_leaves_them_and_wins() {
    for state in [Overtaken, Told] {
        let mut scene = Scene::new(state);
        let told = scene.told();
        scene.world.put("k", "put");
        assert_eq!(scene.told(), told, "{state:?}");
        scene.world.answer(scene.mine, "k", "loaded");
        assert_eq!(scene.world.lookup("k"), value("put"), "{state:?}");
    }
}

#[test]
fn cell_remove_and_clear_on_waiting_flights_leave_them() {
    let writes: [fn(&mut World); 2] = [|world| world.remove("k"), |world| world.clear()];
    for (state, write) in WAITING.into_iter().flat_map(|state| writes.map(|write| (state, write))) {
        let mut scene = Scene::new(state);
        write(&mut scene.world);
        assert_eq!(scene.told(), Said::Nothing, "{state:?}");
        scene.run_dry("v");
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("v"), value("v")), "{state:?} began its attempt after the write");
    }
}

#[test]
fn cell_remove_and_clear_on_running_overtake_it_and_break_the_stamp_of_told() {
    let writes: [fn(&mut World); 2] = [|world| world.remove("k"), |world| world.clear()];
    for (state, write) in [Running, Overtaken, Told].into_iter().flat_map(|state| writes.map(|write| (state, write))) {
        let mut scene = Scene::new(state);
        write(&mut scene.world);
        scene.world.answer(scene.mine, "k", "v");
        assert_eq!(scene.world.lookup("k"), Said::Miss, "{state:?} stored what was loaded before the write");
    }
}

#[test]
fn cell_supply_on_deferred_queued_backoff_settles() {
    for state in WAITING {
        let mut scene = Scene::new(state);
        assert_eq!(scene.world.extra(0, "k", "supplied"), Status::OK);
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("supplied"), value("supplied")), "{state:?}");
    }
}

#[test]
fn cell_supply_on_absent_and_running_stores_and_leaves_it() {
    for state in [Absent, Running] {
        let mut scene = Scene::new(state);
        let told = scene.told();
        assert_eq!(scene.world.extra(0, "k", "supplied"), Status::OK);
        assert_eq!((scene.told(), scene.world.lookup("k")), (told, value("supplied")), "{state:?}");
    }
}

#[test]
fn cell_drain_lets_everything_go_on() {
    for state in [Deferred, Queued, Running, Overtaken, Backoff, OvertakenBackoff] {
        let mut scene = Scene::new(state);
        scene.world.drain(10_000);
        assert!(!scene.world.table.is_open());
        scene.run_dry("v");
        assert_eq!((scene.told(), scene.world.table.is_idle()), (value("v"), true), "{state:?}");
    }
}

#[test]
fn cell_close_cancel_and_the_drains_end_tell_closed() {
    let closes: [fn(&mut World); 2] = [
        |world| world.close(),
        |world| {
            world.drain(50);
            world.advance(50);
        },
    ];
    for (state, close) in [Deferred, Queued, Running, Overtaken, Backoff].into_iter().flat_map(|state| closes.map(|close| (state, close))) {
        let mut scene = Scene::new(state);
        close(&mut scene.world);
        assert_eq!((scene.told(), scene.world.table.is_idle()), (failed_with(Status::ERR_CLOSED), true), "{state:?}");
    }
}

#[test]
fn cell_close_on_told_leaves_it() {
    let mut scene = Scene::new(Told);
    scene.world.close();
    assert_eq!(scene.told(), failed_with(Status::ERR_CANCELLED));
    assert_eq!(scene.world.answer(scene.mine, "k", "v"), Status::ERR_CLOSED);
}
