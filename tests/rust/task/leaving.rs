//! What becomes of a load whose waiters leave (rules F09, F10a), and what those are told who leave after attempts that failed (rule F10b).

use super::world::{Happening, Said, Waiter, World, failed_with, ms, value};
use kvlight::base::Status;
use kvlight::base::config::LeavePolicy;
use kvlight::task::{Cancel, Form, Unanswered};

/// One who waits 10 ms at most.
fn impatient(world: &mut World, key: &str) -> Waiter {
    world.fetch_with(key, |options| options.fetch.timeout = Some(ms(10)))
}

#[test]
fn f10a_a_load_goes_on_when_its_last_waiter_timed_out_and_can_be_joined() {
    let mut world = World::new();
    let first = impatient(&mut world, "k");
    world.advance(10);
    assert_eq!((first.outcome(), world.hooks.len()), (failed_with(Status::ERR_TIMEOUT), 0));
    let second = world.fetch("k");
    assert_eq!(world.requests.len(), 1, "the load under way was not joined");
    assert_eq!(world.answer(0, "k", "v"), Status::OK);
    assert_eq!((second.outcome(), world.lookup("k")), (value("v"), value("v")));
}

#[test]
fn f10a_a_load_that_goes_on_for_nobody_is_stored() {
    let mut world = World::new();
    impatient(&mut world, "k");
    world.advance(10);
    assert!(world.table.is_wanted(world.requests[0].id, 0));
    assert_eq!(world.answer(0, "k", "v"), Status::OK);
    assert_eq!(world.lookup("k"), value("v"));
    assert_eq!(world.table.counts().flights_succeeded, 1);
}

#[test]
fn f10a_callers_less_patient_than_the_load_is_long_cost_one_call() {
    let mut world = World::new();
    for _ in 0..9 {
        impatient(&mut world, "k");
        world.advance(10);
    }
    let last = impatient(&mut world, "k");
    world.answer(0, "k", "v");
    assert_eq!((last.outcome(), world.requests.len(), world.hooks.len()), (value("v"), 1, 0));
}

#[test]
fn f10a_f16a_a_load_that_goes_on_is_wanted_so_that_it_may_find_nothing() {
    let mut world = World::new();
    impatient(&mut world, "k");
    world.advance(10);
    world.finish_with(0, Unanswered::Null);
    assert_eq!(world.lookup("k"), Said::Null);
}

#[test]
fn f10a_a_load_that_goes_on_for_nobody_is_not_tried_again() {
    let ends: [Happening; 2] =
        [("its time", |world| world.advance(100)), ("an error", |world| assert_eq!(world.fail(0, "k", 7), Status::OK))];
    for (what, end) in ends {
        for joins in [false, true] {
            let mut world = World::with(|settings| {
                settings.fetch.retry.count = Some(5);
                settings.fetch.retry.fixed = ms(0);
                settings.fetch.attempt_timeout = Some(ms(100));
            });
            impatient(&mut world, "k");
            world.advance(10);
            let joined = joins.then(|| world.fetch("k"));
            end(&mut world);
            assert_eq!(world.requests.len(), if joins { 2 } else { 1 }, "after {what}, joined: {joins}");
            assert_eq!(world.table.counts().flights_failed, u64::from(!joins), "after {what}, joined: {joins}");
            if let Some(joined) = joined {
                world.answer(1, "k", "v");
                assert_eq!(joined.outcome(), value("v"));
            }
        }
    }
}

#[test]
fn f10a_a_late_answer_of_a_load_that_went_on_is_stored() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(100)));
    impatient(&mut world, "k");
    world.advance(100);
    assert_eq!(world.hooks, [(0, Cancel::Timeout)]);
    assert_eq!(world.answer(0, "k", "v"), Status::LATE);
    assert_eq!(world.lookup("k"), value("v"));
}

#[test]
fn f10a_a_timeout_can_cancel_and_a_cancel_can_let_the_load_go_on() {
    let mut world = World::new();
    let timed_out = world.fetch_with("a", |options| {
        (options.fetch.timeout, options.fetch.on_timeout) = (Some(ms(10)), LeavePolicy::Cancel);
    });
    let cancelled = world.fetch_with("b", |options| options.fetch.on_cancel = LeavePolicy::Continue);
    world.advance(10);
    world.cancel(&cancelled);
    assert_eq!([timed_out.outcome(), cancelled.outcome()], [failed_with(Status::ERR_TIMEOUT), failed_with(Status::ERR_CANCELLED)]);
    assert_eq!(world.hooks, [(0, Cancel::Unwanted)]);
    world.fetch("a");
    world.fetch("b");
    assert_eq!(world.handed(), [["a"], ["b"], ["a"]], "what was cancelled is loaded anew, what goes on is joined");
}

#[test]
fn f10a_how_the_last_waiter_leaves_decides() {
    for cancels_last in [false, true] {
        let mut world = World::new();
        let timed_out = impatient(&mut world, "k");
        let cancelled = world.fetch("k");
        if cancels_last {
            world.advance(10);
            world.cancel(&cancelled);
        } else {
            world.cancel(&cancelled);
            world.advance(10);
        }
        assert!(timed_out.is_over() && cancelled.is_over());
        assert_eq!(world.hooks.len(), usize::from(cancels_last), "the last one cancelled: {cancels_last}");
    }
}

#[test]
fn f10a_who_joins_and_cancels_leaves_last() {
    let mut world = World::new();
    impatient(&mut world, "k");
    world.advance(10);
    let second = world.fetch("k");
    world.cancel(&second);
    assert_eq!(world.hooks, [(0, Cancel::Unwanted)]);
}

#[test]
fn f10a_a_key_that_goes_on_keeps_its_request_from_being_cancelled() {
    let mut world = World::new();
    let both = world.ask(Form::All, &["a", "b"], |options| options.fetch.timeout = Some(ms(10)));
    world.advance(10);
    assert!(both.is_over());
    world.answer(0, "a", "1");
    assert_eq!(world.hooks, [], "b goes on");
    world.answer(0, "b", "2");
    assert_eq!([world.lookup("a"), world.lookup("b")], [value("1"), value("2")]);
}

#[test]
fn f10a_what_the_provider_does_not_have_ends_with_its_last_waiter() {
    // One key waits in the queue, one for its retry, and the request of the third was not taken yet.
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(1), ms(1_000));
    });
    world.by_hand = true;
    impatient(&mut world, "pauses");
    world.take(0);
    world.fail(0, "pauses", 7);
    world.returned(0);
    impatient(&mut world, "untaken");
    impatient(&mut world, "queued");
    assert_eq!(world.table.gauges().in_flight, 3);
    world.advance(10);
    assert_eq!((world.table.gauges().in_flight, world.hooks.clone()), (0, vec![(1, Cancel::Unwanted)]));
}

#[test]
fn f10a_a_write_ends_what_goes_on_for_nobody() {
    let writes: [Happening; 3] =
        [("a remove", |world| world.remove("k")), ("a put", |world| world.put("k", "new")), ("a clear", |world| world.clear())];
    for (what, write) in writes {
        let mut world = World::new();
        impatient(&mut world, "k");
        world.advance(10);
        write(&mut world);
        assert_eq!(world.hooks, [(0, Cancel::Unwanted)], "after {what} it can be neither joined nor stored");
        let before = world.lookup("k");
        world.answer(0, "k", "old");
        assert_eq!(world.lookup("k"), before, "{what}");
    }
}

#[test]
fn f10a_a_waiter_of_an_overtaken_load_that_times_out_lets_it_end() {
    let mut world = World::new();
    impatient(&mut world, "k");
    world.remove("k");
    world.advance(10);
    assert_eq!(world.hooks, [(0, Cancel::Unwanted)]);
}

#[test]
fn f10a_l05_a_drain_waits_for_what_goes_on_and_a_close_ends_it() {
    for drains in [true, false] {
        let mut world = World::new();
        impatient(&mut world, "k");
        world.advance(10);
        if drains {
            world.drain(1_000);
            assert!(!world.table.is_idle());
            world.answer(0, "k", "v");
            assert_eq!((world.table.is_idle(), world.lookup("k")), (true, value("v")));
        } else {
            world.close();
            assert_eq!((world.table.is_idle(), world.hooks.clone()), (true, vec![(0, Cancel::Closed)]));
        }
    }
}

#[test]
fn f09_l05_who_leaves_because_of_the_close_is_not_taken_for_one_who_cancels() {
    let mut world = World::new();
    world.fetch_with("k", |options| options.fetch.on_cancel = LeavePolicy::Continue);
    world.close();
    assert_eq!((world.hooks.clone(), world.table.is_idle()), (vec![(0, Cancel::Closed)], true));
}
