//! What happens to a load whose waiters leave (rules F09, F10a).

use super::harness::{Harness, NamedEvent, Summary, Waiter, failed_with, ms, value};
use kvlight::base::Status;
use kvlight::base::config::LeavePolicy;
use kvlight::task::{Cancel, Form, Unanswered};

/// Starts a fetch with a timeout of 10 ms.
fn impatient(harness: &mut Harness, key: &str) -> Waiter {
    harness.fetch_with(key, |options| options.fetch.timeout = Some(ms(10)))
}

#[test]
fn f10a_a_load_continues_after_its_last_waiter_timed_out_and_can_be_joined() {
    let mut harness = Harness::new();
    let first = impatient(&mut harness, "k");
    harness.advance(10);
    assert_eq!((first.outcome(), harness.hooks.len()), (failed_with(Status::ERR_TIMEOUT), 0));
    let second = harness.fetch("k");
    assert_eq!(harness.requests.len(), 1, "the running load is joined");
    assert_eq!(harness.answer(0, "k", "v"), Status::OK);
    assert_eq!((second.outcome(), harness.lookup("k")), (value("v"), value("v")));
}

#[test]
fn f10a_a_load_that_continues_without_waiters_is_stored() {
    let mut harness = Harness::new();
    impatient(&mut harness, "k");
    harness.advance(10);
    assert!(harness.table.is_wanted(harness.requests[0].id, 0));
    assert_eq!(harness.answer(0, "k", "v"), Status::OK);
    assert_eq!(harness.lookup("k"), value("v"));
    assert_eq!(harness.table.counts().flights_ended.succeeded, 1);
}

#[test]
fn f10a_callers_that_all_time_out_during_a_load_cause_one_request() {
    let mut harness = Harness::new();
    for _ in 0..9 {
        impatient(&mut harness, "k");
        harness.advance(10);
    }
    let last = impatient(&mut harness, "k");
    harness.answer(0, "k", "v");
    assert_eq!((last.outcome(), harness.requests.len(), harness.hooks.len()), (value("v"), 1, 0));
}

#[test]
fn f10a_f16a_a_load_that_continues_is_wanted_and_may_become_null() {
    let mut harness = Harness::new();
    impatient(&mut harness, "k");
    harness.advance(10);
    harness.finish_with(0, Unanswered::Null);
    assert_eq!(harness.lookup("k"), Summary::Null);
}

#[test]
fn f10a_a_load_that_continues_without_waiters_is_not_retried() {
    let ends: [NamedEvent; 2] =
        [("a timeout", |harness| harness.advance(100)), ("an error", |harness| assert_eq!(harness.fail(0, "k", 7), Status::OK))];
    for (what, end) in ends {
        for joins in [false, true] {
            let mut harness = Harness::with(|settings| {
                settings.fetch.retry.count = Some(5);
                settings.fetch.retry.fixed = ms(0);
                settings.fetch.attempt_timeout = Some(ms(100));
            });
            impatient(&mut harness, "k");
            harness.advance(10);
            let joined = joins.then(|| harness.fetch("k"));
            end(&mut harness);
            assert_eq!(harness.requests.len(), if joins { 2 } else { 1 }, "after {what}, joined: {joins}");
            assert_eq!(harness.table.counts().flights_ended.failed, u64::from(!joins), "after {what}, joined: {joins}");
            if let Some(joined) = joined {
                harness.answer(1, "k", "v");
                assert_eq!(joined.outcome(), value("v"));
            }
        }
    }
}

#[test]
fn f10a_a_late_answer_of_a_load_that_continued_is_stored() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(100)));
    impatient(&mut harness, "k");
    harness.advance(100);
    assert_eq!(harness.hooks, [(0, Cancel::Timeout)]);
    assert_eq!(harness.answer(0, "k", "v"), Status::LATE);
    assert_eq!(harness.lookup("k"), value("v"));
}

#[test]
fn f10a_a_timeout_may_cancel_the_load_and_a_cancel_may_let_it_continue() {
    let mut harness = Harness::new();
    let timed_out = harness.fetch_with("a", |options| {
        (options.fetch.timeout, options.fetch.on_timeout) = (Some(ms(10)), LeavePolicy::Cancel);
    });
    let cancelled = harness.fetch_with("b", |options| options.fetch.on_cancel = LeavePolicy::Continue);
    harness.advance(10);
    harness.cancel(&cancelled);
    assert_eq!([timed_out.outcome(), cancelled.outcome()], [failed_with(Status::ERR_TIMEOUT), failed_with(Status::ERR_CANCELLED)]);
    assert_eq!(harness.hooks, [(0, Cancel::Unwanted)]);
    harness.fetch("a");
    harness.fetch("b");
    assert_eq!(harness.handed(), [["a"], ["b"], ["a"]], "a cancelled load starts again, and one that continues is joined");
}

#[test]
fn f10a_the_last_waiter_to_leave_decides() {
    for cancels_last in [false, true] {
        let mut harness = Harness::new();
        let timed_out = impatient(&mut harness, "k");
        let cancelled = harness.fetch("k");
        if cancels_last {
            harness.advance(10);
            harness.cancel(&cancelled);
        } else {
            harness.cancel(&cancelled);
            harness.advance(10);
        }
        assert!(timed_out.has_ended() && cancelled.has_ended());
        assert_eq!(harness.hooks.len(), usize::from(cancels_last), "the last waiter is cancelled: {cancels_last}");
    }
}

#[test]
fn f10a_a_fetch_that_joins_and_is_cancelled_is_the_last_to_leave() {
    let mut harness = Harness::new();
    impatient(&mut harness, "k");
    harness.advance(10);
    let second = harness.fetch("k");
    harness.cancel(&second);
    assert_eq!(harness.hooks, [(0, Cancel::Unwanted)]);
}

#[test]
fn f10a_a_key_that_continues_keeps_its_request_wanted() {
    let mut harness = Harness::new();
    let both = harness.ask(Form::All, &["a", "b"], |options| options.fetch.timeout = Some(ms(10)));
    harness.advance(10);
    assert!(both.has_ended());
    harness.answer(0, "a", "1");
    assert_eq!(harness.hooks, [], "b continues");
    harness.answer(0, "b", "2");
    assert_eq!([harness.lookup("a"), harness.lookup("b")], [value("1"), value("2")]);
}

#[test]
fn f10a_a_load_that_the_provider_has_not_taken_ends_with_its_last_waiter() {
    // One key waits in the queue, one waits for its retry, and the request of the third was not taken.
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(1), ms(1_000));
    });
    harness.takes_manually = true;
    impatient(&mut harness, "pauses");
    harness.take(0);
    harness.fail(0, "pauses", 7);
    harness.returned(0);
    impatient(&mut harness, "untaken");
    impatient(&mut harness, "queued");
    assert_eq!(harness.table.gauges().in_flight, 3);
    harness.advance(10);
    assert_eq!((harness.table.gauges().in_flight, harness.hooks.clone()), (0, vec![(1, Cancel::Unwanted)]));
}

#[test]
fn f10a_a_write_ends_a_load_that_continues_without_waiters() {
    let writes: [NamedEvent; 3] =
        [("a remove", |harness| harness.remove("k")), ("a put", |harness| harness.put("k", "new")), ("a clear", |harness| harness.clear())];
    for (what, write) in writes {
        let mut harness = Harness::new();
        impatient(&mut harness, "k");
        harness.advance(10);
        write(&mut harness);
        assert_eq!(harness.hooks, [(0, Cancel::Unwanted)], "after {what} the load can be neither joined nor stored");
        let before = harness.lookup("k");
        harness.answer(0, "k", "old");
        assert_eq!(harness.lookup("k"), before, "{what}");
    }
}

#[test]
fn f10a_an_overtaken_load_ends_when_its_last_waiter_times_out() {
    let mut harness = Harness::new();
    impatient(&mut harness, "k");
    harness.remove("k");
    harness.advance(10);
    assert_eq!(harness.hooks, [(0, Cancel::Unwanted)]);
}

#[test]
fn f10a_l05_a_drain_waits_for_loads_that_continue_and_a_close_ends_them() {
    for drains in [true, false] {
        let mut harness = Harness::new();
        impatient(&mut harness, "k");
        harness.advance(10);
        if drains {
            harness.drain(1_000);
            assert!(!harness.table.is_idle());
            harness.answer(0, "k", "v");
            assert_eq!((harness.table.is_idle(), harness.lookup("k")), (true, value("v")));
        } else {
            harness.close();
            assert_eq!((harness.table.is_idle(), harness.hooks.clone()), (true, vec![(0, Cancel::Closed)]));
        }
    }
}

#[test]
fn f09_l05_a_waiter_that_leaves_at_a_close_does_not_count_as_cancelled() {
    let mut harness = Harness::new();
    harness.fetch_with("k", |options| options.fetch.on_cancel = LeavePolicy::Continue);
    harness.close();
    assert_eq!((harness.hooks.clone(), harness.table.is_idle()), (vec![(0, Cancel::Closed)], true));
}
