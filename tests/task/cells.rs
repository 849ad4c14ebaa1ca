//! The table of states, cell by cell: each event meets a flight of `k` in each state that it can meet it in.

use super::world::{Said, Waiter, World, failed_with, ms, value};
use kvlight::base::Status;
use kvlight::base::config::{Order, Read};
use kvlight::task::{Cancel, Form, Rest, Taken};

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Absent,
    Spilled,
    Queued,
    Running,
    Overtaken,
    Told,
    Backoff,
    OvertakenBackoff,
    Ended,
}

use State::*;

const WAITING: [State; 3] = [Spilled, Queued, Backoff];
const ALL: [State; 9] = [Absent, Spilled, Queued, Running, Overtaken, Told, Backoff, OvertakenBackoff, Ended];

/// A world in which the flight of `k` is in some state. Two slots, requests of one key, two places of which a fetch gets one,
/// one retry after 100 ms. Request 0 is with the provider all the time.
struct Scene {
    world: World,
    /// Who asked for `k`: its last position.
    waiter: Waiter,
    /// The request that holds `k`, or held it.
    mine: usize,
    /// An abandoned request that once asked for `k`.
    late: Option<usize>,
}

impl Scene {
    fn new(state: State) -> Scene {
        Scene::build(state, false)
    }

    /// The same, after an earlier attempt for `k` ran out of time whose answer may still come.
    fn after_a_late_attempt(state: State) -> Scene {
        Scene::build(state, true)
    }

    fn build(state: State, has_late: bool) -> Scene {
        let mut world = World::with(|settings| {
            let tasks = &mut settings.tasks;
            (tasks.max_running, tasks.batch_max_keys, tasks.queue_max_keys) = (2, 1, 2);
            tasks.queue_order = Order::Lifo;
            settings.fetch.attempt_timeout = Some(ms(1_000));
            settings.fetch.retry.fixed = ms(100);
            settings.fetch.retry.count = Some(0);
        });
        // A retry policy of its own, so that the attempt before leaves no flight behind.
        let late = has_late.then(|| {
            world.fetch("k");
            world.advance(1_000);
            0
        });
        let first = world.requests.len();
        world.fetch("busy");
        if matches!(state, Spilled | Queued) {
            world.fetch("busy too");
        }
        let keys: &[&str] = match state {
            Absent => &["!nothing"],
            Spilled => &["first", "k"],
            _ => &["k"],
        };
        let waiter = world.ask(Form::Each, keys, |options| options.fetch.retry.count = Some(1));
        let mine = first + 1;
        match state {
            Absent | Spilled | Queued | Running => {}
            Overtaken => world.remove("k"),
            Told => world.cancel(&waiter),
            Backoff => {
                world.fail(mine, "k", 1);
            }
            OvertakenBackoff => {
                world.remove("k");
                world.fail(mine, "k", 1);
            }
            Ended => {
                world.finish_with(mine, Rest::Null);
                world.remove("k");
            }
        }
        Scene { world, waiter, mine, late }
    }

    fn told(&self) -> Said {
        self.waiter.outcomes().last().expect("a position").clone()
    }

    fn in_flight(&self) -> u64 {
        self.world.table.gauges().in_flight
    }

    /// How many requests for `k` were handed out.
    fn loads(&self) -> usize {
        self.world.handed().iter().filter(|keys| keys[..] == ["k"]).count()
    }

    /// Lets the provider finish everything that it has or gets.
    fn run_dry(&mut self, answer: &str) {
        self.world.advance(100);
        let mut nth = 0;
        while nth < self.world.requests.len() {
            let keys = self.world.requests[nth].keys();
            self.world.answer(nth, &keys[0], answer);
            self.world.finish(nth);
            nth += 1;
        }
    }
}

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
    let scene = Scene::new(Spilled);
    assert_eq!((scene.world.table.gauges().queued, scene.world.table.gauges().spilled), (1, 1));
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
fn cell_ask_on_spilled_queued_running_backoff_joins() {
    for state in [Spilled, Queued, Running, Backoff] {
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
        let waiter = scene.world.fetch_with("k", |options| options.fetch.read = Read::CacheOnly);
        assert_eq!((waiter.outcome(), scene.in_flight()), (Said::Miss, before), "{state:?}");
    }
}

#[test]
fn cell_place_free_on_spilled_queues_it() {
    let mut scene = Scene::new(Spilled);
    scene.world.finish(0);
    assert_eq!((scene.world.table.gauges().queued, scene.world.table.gauges().spilled), (1, 0));
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
        scene.world.finish_with(scene.mine, Rest::Null);
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
fn cell_whole_late_answer_on_spilled_queued_running_backoff_settles() {
    for state in [Spilled, Queued, Running, Backoff] {
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
fn cell_broken_late_answer_on_spilled_queued_running_backoff_is_refused() {
    for state in [Spilled, Queued, Backoff] {
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
    for state in [Absent, Spilled, Queued, Running, Overtaken, Told, Backoff] {
        let mut scene = Scene::after_a_late_attempt(state);
        let before = (scene.told(), scene.in_flight());
        assert_eq!(scene.world.fail_for_good(0, "k", 9), Status::LATE);
        assert_eq!((scene.told(), scene.in_flight()), before, "{state:?}");
    }
}

#[test]
fn cell_backoff_due_goes_to_the_head_of_the_queue_and_keeps_its_standing() {
    for (state, stored) in [(Backoff, value("v")), (OvertakenBackoff, Said::Miss)] {
        let mut scene = Scene::new(state);
        scene.world.fetch("busy too");
        scene.world.fetch_with("urgent", |options| options.urgency = 9);
        scene.world.advance(100);
        assert_eq!(scene.world.table.gauges().queued, 2, "{state:?}");
        scene.world.finish(0);
        assert_eq!(scene.loads(), 2, "{state:?} did not go first");
        let last = scene.world.requests.len() - 1;
        scene.world.answer(last, "k", "v");
        assert_eq!((scene.told(), scene.world.lookup("k")), (value("v"), stored), "{state:?}");
    }
}

#[test]
fn cell_one_of_two_waiters_leaves_and_the_flight_stays() {
    for state in [Spilled, Queued, Running, Backoff] {
        let mut scene = Scene::new(state);
        let second = scene.world.fetch("k");
        scene.world.cancel(&second);
        assert_eq!(second.outcome(), failed_with(Status::ERR_CANCELLED), "{state:?}");
        scene.run_dry("v");
        assert_eq!(scene.told(), value("v"), "{state:?}: one waiter's cancel failed the other");
    }
}

#[test]
fn cell_the_last_waiter_leaves_spilled_queued_backoff_and_the_flight_ends() {
    for state in [Spilled, Queued, Backoff, OvertakenBackoff] {
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
fn cell_queue_overflow_never_picks_a_spilled_or_paused_one() {
    for state in [Spilled, Backoff] {
        let mut scene = Scene::new(state);
        for key in ["1", "2", "3", "4", "5"] {
            scene.world.fetch(key);
        }
        assert_eq!(scene.told(), Said::Nothing, "{state:?}");
    }
}

#[test]
fn cell_put_on_spilled_queued_backoff_settles_with_the_value_put() {
    for state in [Spilled, Queued, Backoff, OvertakenBackoff] {
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
fn cell_supply_on_spilled_queued_backoff_settles() {
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
    for state in [Spilled, Queued, Running, Overtaken, Backoff, OvertakenBackoff] {
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
    for (state, close) in [Spilled, Queued, Running, Overtaken, Backoff].into_iter().flat_map(|state| closes.map(|close| (state, close))) {
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

#[test]
fn f09_a_told_request_that_was_not_taken_yet_is_skipped() {
    let mut world = World::new();
    world.by_hand = true;
    let waiter = world.fetch("k");
    world.cancel(&waiter);
    assert_eq!(world.take(0), Taken::Skip);
    world.finish(0);
    assert_eq!(world.table.gauges().running, 0);
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
