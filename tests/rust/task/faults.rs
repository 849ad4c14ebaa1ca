//! Faults of earlier systems that must not occur here, under their numbers in docs/CONTRACT.md.

use super::harness::{Harness, Summary, bytes, failed_with, keys, ms, provider_error, refs, value};
use kvlight::base::config::{LeavePolicy, QueueOrder};
use kvlight::base::{Status, StoreTerms};
use kvlight::task::{Cancel, Form, ProviderAnswer, TakeResult, Unanswered};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn fault09_failed_loads_do_not_leak_slots() {
    let mut harness = Harness::new();
    for nth in 0..100 {
        let waiter = harness.fetch("k");
        harness.fail(nth, "k", 7);
        assert_eq!(waiter.outcome(), Summary::Error(7), "load {nth} finds a free slot, and fails");
    }
    assert_eq!(harness.table.gauges().running, 0);
}

#[test]
fn fault10_duplicates_in_a_batch_cause_one_batch_event() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_all(&["a", "a", "b", "a"]);
    harness.answer(0, "a", "1");
    harness.answer(0, "b", "2");
    assert_eq!(waiter.order(), "b");
}

#[test]
fn fault11_a_provider_that_never_answers_blocks_neither_key_nor_slot() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.attempt_timeout = Some(ms(10));
    });
    let first = harness.fetch("k");
    harness.advance(10);
    let second = harness.fetch("k");
    assert_eq!(first.outcome(), failed_with(Status::ERR_TIMEOUT));
    harness.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn fault12_a_provider_that_answers_twice_does_not_lift_the_running_limit() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 2;
        settings.tasks.batch_max_keys = 1;
    });
    harness.fetch_each(&refs(&keys(40)));
    for nth in 0..10 {
        let key = format!("k{nth}");
        for _ in 0..5 {
            harness.answer(nth, &key, "v");
            harness.finish(nth);
        }
        assert_eq!(harness.table.gauges().running, 2, "after request {nth} was answered and finished five times");
    }
}

#[test]
fn fault13_a_close_settles_running_fetches() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_all(&["a", "b"]);
    harness.close();
    assert!(waiter.has_ended());
}

#[test]
fn fault14_a_pause_between_attempts_holds_no_slot() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = None;
        settings.fetch.retry.fixed = ms(1_000);
    });
    harness.fetch("k");
    harness.fail(0, "k", 7);
    assert_eq!(harness.table.gauges().running, 0);
    assert_eq!(harness.table.next_due(), Some(harness.in_ms(1_000)));
}

#[test]
fn fault15_200_000_synchronous_retries_do_not_grow_the_stack() {
    let worker = std::thread::Builder::new().stack_size(256 * 1024).spawn(|| {
        let mut harness = Harness::with(|settings| settings.fetch.retry.count = None);
        harness.checks = false;
        let deepest = Rc::new(Cell::new((usize::MAX, 0usize)));
        let depth = deepest.clone();
        harness.sync_provider = Some(Box::new(move |_, attempt| {
            let here = std::ptr::from_ref(&attempt).addr();
            let (low, high) = depth.get();
            depth.set((low.min(here), high.max(here)));
            if attempt <= 200_000 {
                ProviderAnswer::Failed(provider_error(7, false))
            } else {
                ProviderAnswer::Answer(bytes("v"), StoreTerms::default())
            }
        }));
        let waiter = harness.fetch("k");
        let (low, high) = deepest.get();
        (waiter.outcome(), waiter.details(0).attempts, high - low)
    });
    let (outcome, attempts, grown) = worker.expect("a thread").join().expect("no stack overflow");
    assert_eq!((outcome, attempts), (value("v"), 200_001));
    assert!(grown < 4_096, "the stack grew by {grown} bytes");
}

#[test]
fn fault15_count_0_never_retries() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = Some(0));
    harness.fetch("k");
    harness.fail(0, "k", 7);
    assert_eq!(harness.requests.len(), 1);
}

#[test]
fn fault16_one_bad_key_does_not_fail_its_batch() {
    let mut harness = Harness::new();
    let names = keys(20);
    let waiter = harness.fetch_each(&refs(&names));
    harness.fail(0, "k7", 7);
    for key in names.iter().filter(|key| *key != "k7") {
        harness.answer(0, key, "v");
    }
    let failed = waiter.outcomes().iter().filter(|outcome| **outcome != value("v")).count();
    assert_eq!(failed, 1);
}

#[test]
fn fault17_an_omitted_key_is_not_null_for_ever() {
    let mut harness = Harness::new();
    let first = harness.fetch("k");
    harness.finish(0);
    assert_eq!((first.outcome(), harness.lookup("k")), (failed_with(Status::ERR_UNANSWERED), Summary::Miss));
    let second = harness.fetch("k");
    harness.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn fault18_1_000_keys_with_default_settings_have_1_000_answers() {
    let mut harness = Harness::new();
    harness.sync_provider = Some(Box::new(|key, _| ProviderAnswer::Answer(bytes(&String::from_utf8_lossy(key)), StoreTerms::default())));
    let names = keys(1_000);
    let waiter = harness.fetch_all(&refs(&names));
    let expected: Vec<Summary> = names.iter().map(|key| value(key)).collect();
    assert_eq!(waiter.batch(), Some((expected, Status::OK)));
    assert_eq!(harness.table.counts().flights_ended.lost, 0);
}

#[test]
fn fault18_1_000_keys_with_a_slow_provider_have_1_000_answers() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&refs(&keys(1_000)));
    let mut nth = 0;
    while nth < harness.requests.len() {
        harness.finish_with(nth, Unanswered::Null);
        nth += 1;
    }
    assert_eq!(waiter.outcomes(), vec![Summary::Null; 1_000]);
    assert_eq!(nth, 50, "there are twenty keys in each request");
}

#[test]
fn fault19_every_batch_size_forms_requests() {
    for batch in [1, 2, 1_000_000] {
        let mut harness = Harness::with(|settings| settings.tasks.batch_max_keys = batch);
        let waiter = harness.fetch_each(&refs(&keys(10)));
        let mut nth = 0;
        while nth < harness.requests.len() {
            harness.finish_with(nth, Unanswered::Null);
            nth += 1;
        }
        assert!(waiter.has_ended(), "requests of {batch}");
    }
}

#[test]
fn fault21_an_older_load_does_not_replace_a_put() {
    let mut harness = Harness::new();
    harness.refresh("k");
    harness.put("k", "put");
    harness.answer(0, "k", "older");
    assert_eq!(harness.lookup("k"), value("put"));
}

#[test]
fn fault22_the_fetch_that_started_a_load_may_leave_it() {
    let mut harness = Harness::new();
    let leader = harness.fetch("k");
    let followers = [harness.fetch("k"), harness.fetch("k")];
    harness.cancel(&leader);
    assert_eq!((harness.requests.len(), harness.hooks.len()), (1, 0), "the load continues");
    harness.answer(0, "k", "v");
    assert_eq!(followers.map(|follower| follower.outcome()), [value("v"), value("v")]);
}

#[test]
fn fault22_the_fetch_that_started_a_waiting_load_may_leave_it() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 2;
        settings.fetch.retry.count = Some(1);
    });
    harness.fetch("busy");
    let leader = harness.fetch_each(&["a", "b", "c"]);
    let follower = harness.fetch("c");
    harness.cancel(&leader);
    harness.finish_with(0, Unanswered::Null);
    harness.fail(1, "c", 7);
    harness.answer(2, "c", "v");
    assert_eq!(follower.outcome(), value("v"));
}

#[test]
fn fault23_one_waiters_cancel_does_not_fail_the_others() {
    let mut harness = Harness::new();
    let waiters: Vec<_> = (0..200).map(|_| harness.fetch("k")).collect();
    for waiter in &waiters[..199] {
        harness.cancel(waiter);
    }
    harness.answer(0, "k", "v");
    assert_eq!(waiters[199].outcome(), value("v"));
}

#[test]
fn fault24_a_fetch_between_cancel_and_answer_is_not_cancelled() {
    let mut harness = Harness::new();
    let first = harness.fetch("k");
    harness.cancel(&first);
    let second = harness.fetch("k");
    harness.finish_with(0, Unanswered::Failed(provider_error(1, true)));
    assert_eq!(second.outcome(), Summary::Pending);
    harness.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn fault25_a_timeout_frees_the_key_too() {
    // If the last waiter's leaving does not end a load that hangs, the attempt timeout does.
    for leave in LeavePolicy::ALL {
        let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(20)));
        let hasty = harness.fetch_with("k", |options| (options.fetch.timeout, options.fetch.on_timeout) = (Some(ms(10)), leave));
        harness.advance(if leave == LeavePolicy::Cancel { 10 } else { 20 });
        let second = harness.fetch("k");
        assert_eq!((hasty.outcome(), harness.requests.len()), (failed_with(Status::ERR_TIMEOUT), 2), "{leave:?}");
        harness.answer(1, "k", "v");
        assert_eq!(second.outcome(), value("v"));
    }
}

#[test]
fn fault29_no_load_starts_for_a_key_whose_answer_is_stored() {
    let mut harness = Harness::new();
    let first = harness.fetch("k");
    harness.answer(0, "k", "v");
    let second = harness.fetch_with("k", |options| options.missed_before = true);
    assert_eq!((first.outcome(), second.outcome(), harness.requests.len()), (value("v"), value("v"), 1));
}

#[test]
fn fault30_errors_are_remembered_only_if_configured_and_only_for_their_ttl() {
    for (ttl, loads) in [(0, 2), (100, 1)] {
        let mut harness = Harness::with(|settings| settings.cache.error_ttl_ms = ttl);
        harness.fetch("k");
        harness.fail(0, "k", 7);
        harness.fetch("k");
        assert_eq!(harness.requests.len(), loads, "remembered for {ttl} ms");
    }
}

#[test]
fn fault31_a_failed_refresh_does_not_prevent_the_next() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    for nth in 0..10 {
        harness.refresh("k");
        harness.fail(nth, "k", 7);
    }
    harness.refresh("k");
    harness.answer(10, "k", "new");
    assert_eq!(harness.lookup("k"), value("new"));
}

#[test]
fn fault32_cancel_and_completion_settle_once_in_either_order() {
    let mut harness = Harness::new();
    let (early, late) = (harness.fetch("k"), harness.fetch("k"));
    harness.cancel(&early);
    harness.answer(0, "k", "v");
    harness.cancel(&late);
    harness.cancel(&early);
    assert_eq!([early.outcome(), late.outcome()], [failed_with(Status::ERR_CANCELLED), value("v")]);
    assert_eq!([early.results().len(), late.results().len()], [1, 1]);
}

#[test]
fn fault36_an_answer_inside_the_call_is_delivered_through_the_sink() {
    let mut harness = Harness::new();
    harness.sync_provider = Some(Box::new(|_, _| ProviderAnswer::Answer(bytes("v"), StoreTerms::default())));
    let waiter = harness.fetch("k");
    assert!(waiter.id.is_some(), "the position is registered as open");
    assert_eq!(waiter.outcome(), value("v"));
    assert!(harness.table.is_idle());
}

#[test]
fn fault38_a_request_that_returned_without_an_answer_ends_with_its_last_release() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.takes_manually = true;
    let waiter = harness.fetch("k");
    assert_eq!(harness.take(0), TakeResult::Run);
    harness.returned(0);
    assert_eq!((waiter.outcome(), harness.table.gauges().running), (Summary::Pending, 1), "the provider may still answer later");
    harness.finish(0);
    assert_eq!((waiter.outcome(), harness.table.gauges().running), (failed_with(Status::ERR_UNANSWERED), 0));
}

#[test]
fn fault41_a_cancelled_request_reports_that_it_is_not_wanted() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("k");
    let id = harness.requests[0].id;
    assert!(harness.table.is_wanted(id, 0));
    harness.cancel(&waiter);
    assert!(!harness.table.is_wanted(id, 0), "a cancel hook that is set now would never be called");
    assert_eq!(harness.hooks, [(0, Cancel::Unwanted)]);
    harness.finish(0);
    assert!(!harness.table.is_wanted(id, 0), "a request that has ended is not wanted");
}

#[test]
fn fault43_a_late_answer_after_a_write_is_dropped() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    harness.fetch("k");
    harness.advance(10);
    harness.put("k", "put");
    assert_eq!(harness.answer(0, "k", "late"), Status::LATE);
    assert_eq!(harness.lookup("k"), value("put"));
}

#[test]
fn fault44_under_lifo_a_huge_fetch_does_not_hold_single_ones_up() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_order = QueueOrder::Lifo;
    });
    harness.checks = false;
    let names = keys(10_000);
    let huge = harness.fetch_each(&refs(&names));
    let singles: Vec<_> = (0..20).map(|nth| harness.fetch(&format!("single {nth}"))).collect();
    harness.finish_with(0, Unanswered::Null);
    assert_eq!(
        harness.requests[1].keys().iter().filter(|key| key.starts_with("single")).count(),
        20,
        "the single keys share the next request"
    );
    let mut nth = 1;
    while nth < harness.requests.len() {
        harness.finish_with(nth, Unanswered::Null);
        nth += 1;
    }
    assert!(huge.has_ended() && singles.iter().all(|single| single.outcome() == Summary::Null));
    assert_eq!(harness.table.check(), Ok(()));
}

#[test]
fn fault44_a_huge_fetch_leaves_places_to_others_in_either_order() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(|settings| {
            settings.tasks.max_running = 1;
            settings.tasks.queue_order = order;
        });
        let huge = harness.ask(Form::All, &refs(&keys(2_000)), |_| {});
        let single = harness.fetch("single");
        assert_eq!((single.outcome(), huge.has_ended()), (Summary::Pending, false), "{order:?}");
    }
}
