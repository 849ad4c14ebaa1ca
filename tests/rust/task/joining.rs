//! One flight per key: which fetches join it, and what a write and a cancel do to it (rules F06 to F09, F19, F20, F20a).

use super::harness::{Harness, NamedEvent, Summary, failed_with, value};
use kvlight::base::Status;
use kvlight::base::config::ReadMode;
use kvlight::task::{Cancel, Form, Source, TakeResult, Unanswered};

#[test]
fn f06_all_forms_of_fetch_share_one_flight() {
    let mut harness = Harness::new();
    let one = harness.fetch("k");
    let each = harness.fetch_each(&["k", "k"]);
    let all = harness.fetch_all(&["k"]);
    harness.refresh("k");
    assert_eq!(harness.requests.len(), 1, "one key is loaded once at a time");
    harness.answer(0, "k", "v");
    assert_eq!([one.outcomes(), each.outcomes(), all.outcomes()].concat(), vec![value("v"); 4]);
    assert!(harness.table.is_idle());
}

#[test]
fn f06_a_flight_in_backoff_is_joined() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = super::harness::ms(100);
    });
    let first = harness.fetch("k");
    harness.fail(0, "k", 1);
    let second = harness.fetch("k");
    assert_eq!(harness.requests.len(), 1, "a key in backoff is not loaded by another flight");
    harness.advance(100);
    harness.answer(1, "k", "v");
    assert_eq!([first.outcome(), second.outcome()], [value("v"), value("v")]);
}

#[test]
fn f07_an_answer_is_stored_before_it_is_delivered() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("k");
    harness.answer(0, "k", "v");
    assert_eq!(waiter.results()[0].in_store, value("v"), "a lookup from the callback hits");
}

#[test]
fn f07_a_fetch_that_missed_before_the_load_ended_hits_when_it_registers() {
    let mut harness = Harness::new();
    harness.put("k", "v");
    let waiter = harness.fetch_with("k", |options| options.missed_before = true);
    assert_eq!((waiter.outcome(), harness.requests.len()), (value("v"), 0));
}

#[test]
fn f07_an_answer_that_is_not_stored_ends_its_flight_too() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_with("k", |options| options.fetch.read = ReadMode::NoStore);
    harness.answer(0, "k", "v");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("v"), Summary::Miss));
    assert!(harness.table.is_idle());
}

/// A put during a load wins: the load's answer reaches the earlier fetches, but not the store.
#[test]
fn f08_put_beats_the_load_under_way() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("k");
    harness.put("k", "new");
    harness.answer(0, "k", "old");
    assert_eq!(waiter.outcome(), value("old"));
    assert_eq!(harness.lookup("k"), value("new"));
}

#[test]
fn f08_a_fetch_after_a_remove_starts_a_new_load() {
    let mut harness = Harness::new();
    let before = harness.fetch("k");
    harness.remove("k");
    let after = harness.fetch("k");
    harness.answer(0, "k", "old");
    assert_eq!((before.outcome(), after.outcome()), (value("old"), Summary::Pending));
    assert_eq!(harness.lookup("k"), Summary::Miss, "an answer from before the remove is not stored after it");
    harness.answer(1, "k", "new");
    assert_eq!((after.outcome(), harness.lookup("k")), (value("new"), value("new")));
}

#[test]
fn f08_a_clear_overtakes_every_running_load() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b"]);
    harness.clear();
    let after = harness.fetch("b");
    harness.answer(0, "a", "1");
    harness.answer(0, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2")]);
    assert_eq!([harness.lookup("a"), harness.lookup("b"), after.outcome()], [Summary::Miss, Summary::Miss, Summary::Pending]);
}

#[test]
fn f08_a_waiting_flight_is_settled_by_a_put_and_not_by_a_remove() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("busy");
    let waiter = harness.fetch("k");
    harness.remove("k");
    harness.clear();
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.put("k", "v");
    assert_eq!((waiter.outcome(), waiter.details(0).source), (value("v"), Source::Put));
    harness.finish(0);
    assert_eq!(harness.requests.len(), 1, "a key that a put settled is not loaded");
}

#[test]
fn f08_a_flight_that_waits_during_a_remove_stores_its_answer() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("busy");
    let waiter = harness.fetch("k");
    harness.remove("k");
    harness.finish(0);
    harness.answer(1, "k", "v");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("v"), value("v")));
}

#[test]
fn f08_a_write_overtakes_a_refresh() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    harness.refresh("k");
    harness.put("k", "new");
    harness.answer(0, "k", "refreshed");
    assert_eq!(harness.lookup("k"), value("new"));
}

#[test]
fn f08_an_overtaken_flight_is_retried_for_its_waiters_and_still_never_stores() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = Some(1));
    let waiter = harness.fetch("k");
    harness.remove("k");
    harness.fail(0, "k", 1);
    harness.answer(1, "k", "again");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("again"), Summary::Miss));
}

#[test]
fn f09_cancel_settles_open_positions_and_is_idempotent() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_all(&["a", "b"]);
    harness.answer(0, "a", "1");
    harness.cancel(&waiter);
    harness.cancel(&waiter);
    assert_eq!(waiter.batch(), Some((vec![value("1"), failed_with(Status::ERR_CANCELLED)], Status::ERR_CANCELLED)));
    assert_eq!(harness.table.counts().fetch_cancels, 1);
}

#[test]
fn f09_an_unwanted_waiting_flight_leaves_queue_and_backoff_at_once() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = super::harness::ms(100);
    });
    let paused = harness.fetch("paused");
    harness.fail(0, "paused", 1);
    harness.finish(0);
    harness.fetch("busy");
    let queued = harness.fetch("queued");
    harness.cancel(&paused);
    harness.cancel(&queued);
    assert_eq!(harness.table.gauges().in_flight, 1, "only the running flight is left");
    harness.advance(1_000);
    harness.finish(1);
    assert_eq!(harness.handed(), [["paused"], ["busy"]]);
}

#[test]
fn f09_a_running_flight_stays_joinable_while_its_request_is_wanted() {
    let mut harness = Harness::new();
    let both = harness.fetch_each(&["a", "b"]);
    let also = harness.fetch("a");
    harness.cancel(&both);
    assert!(harness.hooks.is_empty(), "a request with a wanted key is not cancelled");
    let late = harness.fetch("b");
    assert_eq!(harness.requests.len(), 1, "the flight can still be joined");
    harness.answer(0, "b", "2");
    harness.answer(0, "a", "1");
    assert_eq!([also.outcome(), late.outcome()], [value("1"), value("2")]);
}

#[test]
fn f09_a_request_is_cancelled_when_the_last_wanted_key_is_answered() {
    let mut harness = Harness::new();
    let both = harness.fetch_each(&["a", "b"]);
    let also = harness.fetch("a");
    harness.cancel(&both);
    harness.answer(0, "a", "1");
    assert_eq!(also.outcome(), value("1"));
    assert_eq!(harness.hooks, [(0, Cancel::Unwanted)], "the other key of the request is not wanted");
    let late = harness.fetch("b");
    assert_eq!(harness.handed()[1], ["b"], "an unwanted flight is not joined");
    harness.answer(1, "b", "2");
    assert_eq!(late.outcome(), value("2"));
}

#[test]
fn f09_a_fetch_after_the_cancellation_starts_a_new_load() {
    let mut harness = Harness::new();
    let first = harness.fetch("k");
    harness.cancel(&first);
    assert_eq!((first.outcome(), harness.hooks.clone()), (failed_with(Status::ERR_CANCELLED), vec![(0, Cancel::Unwanted)]));
    let second = harness.fetch("k");
    assert_eq!(harness.requests.len(), 2);
    harness.fail(0, "k", 1);
    assert_eq!(second.outcome(), Summary::Pending, "the error of a cancelled request does not reach a later fetch");
    harness.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn f09_an_unwanted_answer_is_stored_if_nothing_newer_was() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b", "c"]);
    harness.cancel(&waiter);
    harness.put("b", "new");
    harness.answer(0, "a", "1");
    harness.answer(0, "b", "2");
    let newer = harness.fetch("c");
    harness.answer(1, "c", "3");
    harness.answer(0, "c", "stale");
    assert_eq!([harness.lookup("a"), harness.lookup("b"), harness.lookup("c")], [value("1"), value("new"), value("3")]);
    assert_eq!(newer.outcome(), value("3"));
}

#[test]
fn f09_an_unwanted_flight_is_not_retried() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = None);
    let waiter = harness.fetch("k");
    harness.cancel(&waiter);
    harness.fail(0, "k", 1);
    assert_eq!(harness.requests.len(), 1);
    assert!(harness.table.is_idle());
}

#[test]
fn f09_a_cancelled_request_that_was_not_taken_is_skipped() {
    let mut harness = Harness::new();
    harness.takes_manually = true;
    let waiter = harness.fetch("k");
    harness.cancel(&waiter);
    assert_eq!(harness.take(0), TakeResult::Skip);
    harness.finish(0);
    assert_eq!(harness.table.gauges().running, 0);
}

#[test]
fn f09_a_refresh_keeps_a_flight_without_waiters() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("k");
    harness.refresh("k");
    harness.cancel(&waiter);
    assert!(harness.hooks.is_empty(), "the refresh still wants the key");
    harness.answer(0, "k", "v");
    assert_eq!(harness.lookup("k"), value("v"));
}

#[test]
fn f19_cache_only_neither_starts_nor_joins() {
    let mut harness = Harness::new();
    harness.fetch("k");
    let waiter = harness.ask(Form::Each, &["k", "x"], |options| options.fetch.read = ReadMode::CacheOnly);
    assert_eq!(waiter.outcomes(), [Summary::Miss, Summary::Miss]);
    assert_eq!((harness.requests.len(), harness.table.counts().misses.cache_only), (1, 2));
}

#[test]
fn f19_a_refresh_never_reads_and_leaves_the_old_value_to_others() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    let refreshing = harness.fetch_with("k", |options| options.fetch.read = ReadMode::Refresh);
    assert_eq!(harness.fetch("k").outcome(), value("old"));
    harness.answer(0, "k", "new");
    assert_eq!((refreshing.outcome(), harness.lookup("k")), (value("new"), value("new")));
}

#[test]
fn f19_a_refresh_that_fails_leaves_the_old_value() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    harness.refresh("k");
    harness.fail(0, "k", 1);
    assert_eq!(harness.lookup("k"), value("old"));
}

#[test]
fn f19_an_answer_is_stored_unless_all_waiters_use_no_store() {
    let mut harness = Harness::new();
    harness.fetch_with("k", |options| options.fetch.read = ReadMode::NoStore);
    harness.fetch("k");
    harness.answer(0, "k", "v");
    assert_eq!(harness.lookup("k"), value("v"));
}

#[test]
fn f19_a_flight_has_the_highest_priority_and_urgency_of_its_fetches() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("busy");
    harness.fetch_with("low", |options| options.fetch.priority = Some(1.0));
    harness.fetch_with("other", |options| options.urgency = 1);
    harness.fetch_with("low", |options| {
        options.fetch.priority = Some(5.0);
        options.urgency = 2;
    });
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["low", "other"], "an urgent fetch raises the urgency of the flight it joins");
    harness.answer(1, "low", "v");
    assert_eq!(harness.store.priority("low"), Some(5.0));
}

#[test]
fn f19_a_refresh_that_joins_raises_priority_and_urgency() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("busy");
    harness.fetch("k");
    harness.fetch_with("other", |options| options.urgency = 1);
    harness.ask(Form::Refresh, &["k"], |options| {
        options.urgency = 2;
        options.fetch.priority = Some(4.0);
    });
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["k", "other"]);
    harness.answer(1, "k", "v");
    assert_eq!(harness.store.priority("k"), Some(4.0));
}

#[test]
fn f19_a_flight_has_the_retry_policy_of_its_first_waiter() {
    let mut harness = Harness::new();
    let first = harness.fetch_with("k", |options| options.fetch.retry.count = Some(1));
    let second = harness.fetch("k");
    harness.fail(0, "k", 1);
    harness.fail(1, "k", 2);
    assert_eq!([first.outcome(), second.outcome()], [Summary::Error(2), Summary::Error(2)]);
}

#[test]
fn f19_a_refresh_of_an_invalid_key_delivers_nothing() {
    let mut harness = Harness::new();
    harness.ask(Form::Refresh, &["!k", "a"], |_| {});
    assert_eq!(harness.handed(), [["a"]]);
}

#[test]
fn f20_a_final_error_is_remembered_for_its_ttl() {
    let mut harness = Harness::with(|settings| settings.cache.error_ttl_ms = 1_000);
    harness.fetch("k");
    harness.fail(0, "k", 7);
    let soon = harness.fetch("k");
    assert_eq!((soon.outcome(), soon.details(0).source), (Summary::Error(7), Source::ErrorMemory));
    harness.advance(1_000);
    harness.fetch("k");
    assert_eq!(harness.requests.len(), 2, "the error is forgotten after its TTL");
}

#[test]
fn f20_writes_refresh_and_later_answers_forget_a_remembered_error() {
    let forgets: [NamedEvent; 5] = [
        ("put", |harness| harness.put("k", "v")),
        ("remove", |harness| harness.remove("k")),
        ("clear", |harness| harness.clear()),
        ("a later answer", |harness| {
            harness.refresh("k");
            harness.answer(1, "k", "v");
        }),
        ("an extra", |harness| {
            harness.fetch("other");
            harness.extra(1, "k", "v");
        }),
    ];
    for (what, forget) in forgets {
        let mut harness = Harness::with(|settings| settings.cache.error_ttl_ms = 1_000);
        harness.fetch("k");
        harness.fail(0, "k", 7);
        forget(&mut harness);
        // Otherwise the stored entry would hide the remembered error.
        harness.store.evict("k");
        assert_eq!(harness.fetch("k").outcome(), Summary::Pending, "{what} forgets the error");
    }
}

#[test]
fn f20_only_a_final_error_of_the_provider_is_remembered() {
    let mut harness = Harness::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.fetch.retry.count = Some(1);
    });
    harness.fetch("k");
    harness.fail(0, "k", 7);
    assert_eq!(harness.fetch("k").outcome(), Summary::Pending, "an error that is retried is not remembered");
    harness.finish_with(1, Unanswered::Unanswered);
    harness.fetch("k");
    assert_eq!(harness.requests.len(), 3, "an error of the library is not remembered");
}

#[test]
fn f20_at_most_error_capacity_errors_are_remembered() {
    let mut harness = Harness::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.cache.error_capacity = 2;
    });
    for (nth, key) in ["a", "b", "c"].into_iter().enumerate() {
        harness.fetch(key);
        harness.fail(nth, key, 7);
    }
    assert_eq!([harness.fetch("b").outcome(), harness.fetch("c").outcome()], [Summary::Error(7), Summary::Error(7)]);
    assert_eq!(harness.fetch("a").outcome(), Summary::Pending, "the oldest error is forgotten");
}

#[test]
fn s20_remembered_errors_are_forgotten_by_the_timer() {
    let mut harness = Harness::with(|settings| settings.cache.error_ttl_ms = 1_000);
    for (nth, key) in ["a", "b"].into_iter().enumerate() {
        harness.fetch(key);
        harness.fail(nth, key, 7);
    }
    assert!(harness.table.next_due().is_some(), "there is a deadline for the errors");
    harness.advance(999);
    assert_eq!(harness.fetch("a").outcome(), Summary::Error(7));
    harness.advance(1);
    assert!(harness.table.next_due().is_none(), "no deadline is left, without any fetch");
}

#[test]
fn f20_no_errors_are_remembered_by_default() {
    let mut harness = Harness::new();
    harness.fetch("k");
    harness.fail(0, "k", 7);
    harness.fetch("k");
    assert_eq!(harness.requests.len(), 2);
}

#[test]
fn f20a_a_refresh_forgets_a_remembered_error_at_once() {
    for refreshes in [true, false] {
        let mut harness = Harness::with(|settings| settings.cache.error_ttl_ms = 60_000);
        harness.fetch("k");
        harness.fail(0, "k", 7);
        assert_eq!(harness.fetch("k").outcome(), Summary::Error(7), "the error is remembered");
        if refreshes {
            harness.refresh("k");
        } else {
            harness.ask(Form::Each, &["k"], |options| options.fetch.read = ReadMode::Refresh);
        }
        let joined = harness.fetch("k");
        assert_eq!(joined.outcome(), Summary::Pending, "the fetch joins the running load instead");
        harness.answer(1, "k", "v");
        assert_eq!(joined.outcome(), value("v"));
    }
}
