//! The end: draining, closing, and failing after a panic (rules L05, L05a, L07).

use super::harness::{Harness, Summary, failed_with, ms, value};
use kvlight::base::Status;
use kvlight::task::{Cancel, Effects, Form};
use std::time::Duration;

#[test]
fn l05_drain_finishes_what_was_accepted() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
    });
    let waiter = harness.fetch_each(&["a", "b"]);
    harness.drain(100);
    assert!(!harness.table.is_open());
    assert!(!harness.table.is_idle());
    harness.answer(0, "a", "1");
    harness.answer(1, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2")]);
    assert!(harness.table.is_idle(), "everything is settled, so the drain has ended");
}

#[test]
fn l05_a_drain_ends_at_its_deadline() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_all(&["a", "b"]);
    harness.drain(100);
    harness.answer(0, "a", "1");
    harness.advance(99);
    assert!(!waiter.has_ended());
    harness.advance(1);
    assert_eq!(waiter.batch(), Some((vec![value("1"), failed_with(Status::ERR_CLOSED)], Status::ERR_CLOSED)));
    assert_eq!(harness.hooks, [(0, Cancel::Closed)]);
}

#[test]
fn l05_a_second_close_may_only_shorten_the_drain() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("a");
    harness.drain(100);
    harness.drain(1_000);
    harness.advance(50);
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.drain(10);
    harness.advance(10);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED));

    let mut harness = Harness::new();
    let waiter = harness.fetch("a");
    harness.drain(100);
    harness.drain(1_000);
    harness.advance(100);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED), "a second close does not lengthen the drain");
}

#[test]
fn l05_a_close_without_a_drain_settles_all_and_is_idempotent() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        settings.tasks.queue_max_keys = 2;
    });
    let fetches = [harness.fetch("a"), harness.fetch_each(&["b", "c", "d"]), harness.fetch_all(&["a", "x"])];
    harness.refresh("r");
    harness.close();
    harness.close();
    harness.drain(100);
    for waiter in &fetches {
        assert!(waiter.has_ended(), "a fetch was not settled by the close");
        let closed = waiter.outcomes().into_iter().filter(|outcome| *outcome == failed_with(Status::ERR_CLOSED)).count();
        assert!(closed >= 1);
    }
    assert!(harness.table.is_idle());
    assert_eq!(harness.hooks, [(0, Cancel::Closed)], "the provider is notified once, with the reason");
    harness.finish(0);
    assert_eq!((harness.table.gauges().running, harness.table.next_due()), (0, None));
}

#[test]
fn l05_a_close_without_a_drain_ends_a_running_drain() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("a");
    harness.drain(1_000);
    harness.close();
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED));
}

#[test]
fn l05_a_drain_ends_endless_retries() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = None;
        settings.fetch.retry.fixed = super::harness::ms(10);
    });
    let waiter = harness.fetch("a");
    harness.fail(0, "a", 1);
    harness.drain(25);
    harness.advance(10);
    harness.fail(1, "a", 1);
    harness.advance(15);
    assert_eq!((waiter.outcome(), harness.table.is_idle()), (failed_with(Status::ERR_CLOSED), true));
}

#[test]
fn l05_a_hung_request_does_not_prolong_a_drain() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(super::harness::ms(10)));
    let waiter = harness.fetch("a");
    harness.drain(1_000);
    harness.advance(10);
    assert_eq!((waiter.outcome(), harness.table.is_idle()), (failed_with(Status::ERR_TIMEOUT), true));
}

/// Does what the engine does after it has caught a panic under the lock. Returns the reasons of the cancelled requests.
fn fail_table(harness: &mut Harness) -> Vec<Cancel> {
    let mut out = Effects::default();
    harness.table.fail_everything(&mut out);
    assert_eq!(harness.table.check(), Ok(()), "the failed table is empty");
    out.cancelled.iter().map(|(_, why)| *why).collect()
}

#[test]
fn l07_a_failed_table_settles_all_open_positions_and_closes() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        settings.tasks.queue_max_keys = 2;
        settings.fetch.timeout = Some(Duration::from_secs(5));
    });
    let each = harness.fetch_each(&["a", "b", "c", "d"]);
    let all = harness.ask(Form::All, &["a", "b"], |options| options.progress_step = 1);
    harness.answer(0, "a", "1");
    assert_eq!(fail_table(&mut harness), [Cancel::Closed, Cancel::Closed]);
    let panicked = failed_with(Status::ERR_PANIC);
    assert_eq!(each.outcomes(), [value("1"), panicked.clone(), panicked.clone(), panicked.clone()]);
    assert_eq!(all.outcomes(), [value("1"), panicked]);
    assert!(harness.table.is_idle() && !harness.table.is_open());
    assert_eq!(harness.table.next_due(), None, "a failed table has no deadline");
    assert_eq!(fail_table(&mut harness), [], "failing again does nothing");
}

#[test]
fn l07_requests_of_a_failed_table_are_refused() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("a");
    fail_table(&mut harness);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_PANIC));
    assert_eq!([harness.answer(0, "a", "1"), harness.finish(0), harness.heartbeat(0)], [Status::ERR_CLOSED; 3]);
    harness.returned(0);
    harness.cancel(&waiter);
    harness.put("a", "2");
    harness.clear();
    harness.advance(1_000);
    harness.close();
    assert_eq!(waiter.results().len(), 1);
}

#[test]
fn l07_a_panic_during_delivery_leaves_no_position_open() {
    let mut harness = Harness::new();
    let (first, broken, last) = (harness.fetch("k"), harness.fetch("k"), harness.fetch("k"));
    broken.panic_on_next_event();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| harness.answer(0, "k", "v")));
    assert!(caught.is_err(), "the sink panicked");
    fail_table(&mut harness);
    assert_eq!(first.outcome(), value("v"));
    assert_eq!(last.outcome(), failed_with(Status::ERR_PANIC));
    assert!(last.has_ended() && first.has_ended());
}

#[test]
fn l05a_a_drain_hands_out_keys_that_gather() {
    let mut harness = Harness::with(|_| {});
    harness.gather(true);
    let waiter = harness.fetch("k");
    assert_eq!(harness.requests.len(), 0, "the key gathers");
    harness.drain(10_000);
    harness.gather(true);
    harness.answer(0, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn l05a_a_drain_ends_every_linger_at_once() {
    let mut harness = Harness::with(|settings| settings.tasks.batch_linger = ms(3_600_000));
    let waiter = harness.fetch("k");
    assert_eq!(harness.requests.len(), 0, "the key lingers");
    harness.drain(10_000);
    assert_eq!(harness.requests.len(), 1, "no new key can join it");
    harness.answer(0, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}
