//! What went wrong in earlier systems of this kind and must not here, numbered as it was first listed.

use super::world::{Said, World, bytes, failed_with, keys, ms, provider_error, refs, value};
use kvlight::base::config::{LeavePolicy, QueueOrder};
use kvlight::base::{Status, StoreTerms};
use kvlight::task::{Cancel, Form, ProviderAnswer, TakeResult, Unanswered};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn fault09_failed_loads_do_not_leak_slots() {
    let mut world = World::new();
    for nth in 0..100 {
        let waiter = world.fetch("k");
        world.fail(nth, "k", 7);
        assert_eq!(waiter.outcome(), Said::Error(7), "load {nth} never began: the slots are gone");
    }
    assert_eq!(world.table.gauges().running, 0);
}

#[test]
fn fault10_duplicates_in_a_batch_make_one_batch_event() {
    let mut world = World::new();
    let waiter = world.fetch_all(&["a", "a", "b", "a"]);
    world.answer(0, "a", "1");
    world.answer(0, "b", "2");
    assert_eq!(waiter.order(), "b");
}

#[test]
fn fault11_a_provider_that_never_answers_costs_neither_its_key_nor_its_slot() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.attempt_timeout = Some(ms(10));
    });
    let first = world.fetch("k");
    world.advance(10);
    let second = world.fetch("k");
    assert_eq!(first.outcome(), failed_with(Status::ERR_TIMEOUT));
    world.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn fault12_a_provider_that_answers_twice_does_not_lift_the_running_limit() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 2;
        settings.tasks.batch_max_keys = 1;
    });
    world.fetch_each(&refs(&keys(40)));
    for nth in 0..10 {
        let key = format!("k{nth}");
        for _ in 0..5 {
            world.answer(nth, &key, "v");
            world.finish(nth);
        }
        assert_eq!(world.table.gauges().running, 2, "after request {nth} was answered and finished five times");
    }
}

#[test]
fn fault13_a_table_that_closes_in_flight_calls_back() {
    let mut world = World::new();
    let waiter = world.fetch_all(&["a", "b"]);
    world.close();
    assert!(waiter.is_over());
}

#[test]
fn fault14_a_pause_between_attempts_holds_no_slot() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = None;
        settings.fetch.retry.fixed = ms(1_000);
    });
    world.fetch("k");
    world.fail(0, "k", 7);
    assert_eq!(world.table.gauges().running, 0);
    assert_eq!(world.table.next_due(), Some(world.in_ms(1_000)));
}

#[test]
fn fault15_200_000_synchronous_retries_do_not_grow_the_stack() {
    let worker = std::thread::Builder::new().stack_size(256 * 1024).spawn(|| {
        let mut world = World::with(|settings| settings.fetch.retry.count = None);
        world.checks = false;
        let deepest = Rc::new(Cell::new((usize::MAX, 0usize)));
        let depth = deepest.clone();
        world.instant = Some(Box::new(move |_, attempt| {
            let here = std::ptr::from_ref(&attempt).addr();
            let (low, high) = depth.get();
            depth.set((low.min(here), high.max(here)));
            if attempt <= 200_000 {
                ProviderAnswer::Failed(provider_error(7, false))
            } else {
                ProviderAnswer::Answer(bytes("v"), StoreTerms::default())
            }
        }));
        let waiter = world.fetch("k");
        let (low, high) = deepest.get();
        (waiter.outcome(), waiter.details(0).attempts, high - low)
    });
    let (outcome, attempts, grown) = worker.expect("a thread").join().expect("no overflow");
    assert_eq!((outcome, attempts), (value("v"), 200_001));
    assert!(grown < 4_096, "the stack grew by {grown} bytes");
}

#[test]
fn fault15_count_0_never_retries() {
    let mut world = World::with(|settings| settings.fetch.retry.count = Some(0));
    world.fetch("k");
    world.fail(0, "k", 7);
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn fault16_one_bad_key_does_not_fail_its_batch() {
    let mut world = World::new();
    let names = keys(20);
    let waiter = world.fetch_each(&refs(&names));
    world.fail(0, "k7", 7);
    for key in names.iter().filter(|key| *key != "k7") {
        world.answer(0, key, "v");
    }
    let failed = waiter.outcomes().iter().filter(|said| **said != value("v")).count();
    assert_eq!(failed, 1);
}

#[test]
fn fault17_an_omitted_key_is_not_absent_for_ever() {
    let mut world = World::new();
    let first = world.fetch("k");
    world.finish(0);
    assert_eq!((first.outcome(), world.lookup("k")), (failed_with(Status::ERR_UNANSWERED), Said::Miss));
    let second = world.fetch("k");
    world.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn fault18_1_000_keys_on_the_defaults_are_1_000_answers() {
    let mut world = World::new();
    world.instant = Some(Box::new(|key, _| ProviderAnswer::Answer(bytes(&String::from_utf8_lossy(key)), StoreTerms::default())));
    let names = keys(1_000);
    let waiter = world.fetch_all(&refs(&names));
    let expected: Vec<Said> = names.iter().map(|key| value(key)).collect();
    assert_eq!(waiter.batch(), Some((expected, Status::OK)));
    assert_eq!(world.table.counts().flights_lost, 0);
}

#[test]
fn fault18_1_000_keys_with_a_slow_provider_lose_none_either() {
    let mut world = World::new();
    let waiter = world.fetch_each(&refs(&keys(1_000)));
    let mut nth = 0;
    while nth < world.requests.len() {
        world.finish_with(nth, Unanswered::Null);
        nth += 1;
    }
    assert_eq!(waiter.outcomes(), vec![Said::Null; 1_000]);
    assert_eq!(nth, 50, "twenty keys in each request");
}

#[test]
fn fault19_every_batch_size_forms_requests() {
    for batch in [1, 2, 1_000_000] {
        let mut world = World::with(|settings| settings.tasks.batch_max_keys = batch);
        let waiter = world.fetch_each(&refs(&keys(10)));
        let mut nth = 0;
        while nth < world.requests.len() {
            world.finish_with(nth, Unanswered::Null);
            nth += 1;
        }
        assert!(waiter.is_over(), "requests of {batch}");
    }
}

#[test]
fn fault21_a_put_wins_over_an_older_load_that_finishes_later() {
    let mut world = World::new();
    world.refresh("k");
    world.put("k", "put");
    world.answer(0, "k", "older");
    assert_eq!(world.lookup("k"), value("put"));
}

#[test]
fn fault22_who_started_a_load_may_leave_it_to_the_others() {
    let mut world = World::new();
    let leader = world.fetch("k");
    let followers = [world.fetch("k"), world.fetch("k")];
    world.cancel(&leader);
    assert_eq!((world.requests.len(), world.hooks.len()), (1, 0), "the load went on");
    world.answer(0, "k", "v");
    assert_eq!(followers.map(|follower| follower.outcome()), [value("v"), value("v")]);
}

#[test]
fn fault22_who_started_a_waiting_load_may_leave_it_too() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 2;
        settings.fetch.retry.count = Some(1);
    });
    world.fetch("busy");
    let leader = world.fetch_each(&["a", "b", "c"]);
    let follower = world.fetch("c");
    world.cancel(&leader);
    world.finish_with(0, Unanswered::Null);
    world.fail(1, "c", 7);
    world.answer(2, "c", "v");
    assert_eq!(follower.outcome(), value("v"));
}

#[test]
fn fault23_one_waiters_cancel_does_not_fail_the_others() {
    let mut world = World::new();
    let waiters: Vec<_> = (0..200).map(|_| world.fetch("k")).collect();
    for waiter in &waiters[..199] {
        world.cancel(waiter);
    }
    world.answer(0, "k", "v");
    assert_eq!(waiters[199].outcome(), value("v"));
}

#[test]
fn fault24_who_comes_between_cancel_and_answer_is_never_told_cancelled() {
    let mut world = World::new();
    let first = world.fetch("k");
    world.cancel(&first);
    let second = world.fetch("k");
    world.finish_with(0, Unanswered::Failed(provider_error(1, true)));
    assert_eq!(second.outcome(), Said::Nothing);
    world.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn fault25_a_timeout_frees_the_key_too() {
    // A load that hangs is given up by its last waiter, or, where loads go on without one, after the time of the attempt.
    for leave in [LeavePolicy::Cancel, LeavePolicy::Continue] {
        let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(20)));
        let hasty = world.fetch_with("k", |options| (options.fetch.timeout, options.fetch.on_timeout) = (Some(ms(10)), leave));
        world.advance(if leave == LeavePolicy::Cancel { 10 } else { 20 });
        let second = world.fetch("k");
        assert_eq!((hasty.outcome(), world.requests.len()), (failed_with(Status::ERR_TIMEOUT), 2), "{leave:?}");
        world.answer(1, "k", "v");
        assert_eq!(second.outcome(), value("v"));
    }
}

#[test]
fn fault29_no_load_begins_for_a_key_whose_answer_is_stored() {
    let mut world = World::new();
    let first = world.fetch("k");
    world.answer(0, "k", "v");
    let second = world.fetch_with("k", |options| options.missed_before = true);
    assert_eq!((first.outcome(), second.outcome(), world.requests.len()), (value("v"), value("v"), 1));
}

#[test]
fn fault30_errors_are_remembered_only_where_configured_and_only_for_their_time() {
    for (ttl, loads) in [(0, 2), (100, 1)] {
        let mut world = World::with(|settings| settings.cache.error_ttl_ms = ttl);
        world.fetch("k");
        world.fail(0, "k", 7);
        world.fetch("k");
        assert_eq!(world.requests.len(), loads, "remembered for {ttl} ms");
    }
}

#[test]
fn fault31_a_refresh_that_failed_does_not_stop_the_next() {
    let mut world = World::new();
    world.put("k", "old");
    for nth in 0..10 {
        world.refresh("k");
        world.fail(nth, "k", 7);
    }
    world.refresh("k");
    world.answer(10, "k", "new");
    assert_eq!(world.lookup("k"), value("new"));
}

#[test]
fn fault32_cancel_and_completion_settle_once_whoever_comes_first() {
    let mut world = World::new();
    let (early, late) = (world.fetch("k"), world.fetch("k"));
    world.cancel(&early);
    world.answer(0, "k", "v");
    world.cancel(&late);
    world.cancel(&early);
    assert_eq!([early.outcome(), late.outcome()], [failed_with(Status::ERR_CANCELLED), value("v")]);
    assert_eq!([early.told().len(), late.told().len()], [1, 1]);
}

#[test]
fn fault36_an_answer_inside_the_call_is_told_through_the_mailbox() {
    let mut world = World::new();
    world.instant = Some(Box::new(|_, _| ProviderAnswer::Answer(bytes("v"), StoreTerms::default())));
    let waiter = world.fetch("k");
    assert!(waiter.id.is_some(), "the position was open when the call registered it");
    assert_eq!(waiter.outcome(), value("v"));
    assert!(world.table.is_idle());
}

#[test]
fn fault38_a_provider_that_returns_with_neither_answer_nor_finish_is_finished_by_the_last_release() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.by_hand = true;
    let waiter = world.fetch("k");
    assert_eq!(world.take(0), TakeResult::Run);
    world.returned(0);
    assert_eq!((waiter.outcome(), world.table.gauges().running), (Said::Nothing, 1), "it may still answer later");
    world.finish(0);
    assert_eq!((waiter.outcome(), world.table.gauges().running), (failed_with(Status::ERR_UNANSWERED), 0));
}

#[test]
fn fault41_a_request_knows_after_the_cancel_that_nobody_wants_it() {
    let mut world = World::new();
    let waiter = world.fetch("k");
    let id = world.requests[0].id;
    assert!(world.table.is_wanted(id, 0));
    world.cancel(&waiter);
    assert!(!world.table.is_wanted(id, 0), "a hook set now would never be called");
    assert_eq!(world.hooks, [(0, Cancel::Unwanted)]);
    world.finish(0);
    assert!(!world.table.is_wanted(id, 0), "a stale request is asked");
}

#[test]
fn fault43_a_late_answer_after_a_write_is_dropped() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    world.fetch("k");
    world.advance(10);
    world.put("k", "put");
    assert_eq!(world.answer(0, "k", "late"), Status::LATE);
    assert_eq!(world.lookup("k"), value("put"));
}

#[test]
fn fault44_under_lifo_a_huge_fetch_does_not_hold_single_ones_up() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_order = QueueOrder::Lifo;
    });
    world.checks = false;
    let names = keys(10_000);
    let huge = world.fetch_each(&refs(&names));
    let singles: Vec<_> = (0..20).map(|nth| world.fetch(&format!("single {nth}"))).collect();
    world.finish_with(0, Unanswered::Null);
    assert_eq!(world.requests[1].keys().iter().filter(|key| key.starts_with("single")).count(), 20, "they go next, together");
    let mut nth = 1;
    while nth < world.requests.len() {
        world.finish_with(nth, Unanswered::Null);
        nth += 1;
    }
    assert!(huge.is_over() && singles.iter().all(|single| single.outcome() == Said::Null));
    assert_eq!(world.table.check(), Ok(()));
}

#[test]
fn fault44_a_huge_fetch_leaves_places_to_others_under_either_order() {
    for order in [kvlight::base::config::QueueOrder::Lifo, kvlight::base::config::QueueOrder::Fifo] {
        let mut world = World::with(|settings| {
            settings.tasks.max_running = 1;
            settings.tasks.queue_order = order;
        });
        let huge = world.ask(Form::All, &refs(&keys(2_000)), |_| {});
        let single = world.fetch("single");
        assert_eq!((single.outcome(), huge.is_over()), (Said::Nothing, false), "{order:?}");
    }
}
