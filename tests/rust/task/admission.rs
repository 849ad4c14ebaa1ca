//! Which keys share a request, when it is handed out, and how long it holds its slot (rules F12, F14, F14a).

use super::harness::{Harness, Summary, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{Overflow, QueueOrder, Settings};
use kvlight::task::Form;
use std::time::Duration;

/// One slot, requests of one key, and this many places.
pub fn narrow(places: u32, order: QueueOrder) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        settings.tasks.queue_max_keys = places;
        settings.tasks.queue_order = order;
    }
}

#[test]
fn f12_at_most_max_running_requests_hold_a_slot() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 2;
        settings.tasks.batch_max_keys = 1;
    });
    let waiter = harness.fetch_each(&["a", "b", "c", "d"]);
    assert_eq!((harness.requests.len(), harness.table.gauges().running), (2, 2));
    harness.fail(0, "a", 1);
    assert_eq!((harness.requests.len(), harness.table.gauges().running), (3, 2));
    harness.finish(1);
    harness.answer(2, "c", "3");
    harness.answer(3, "d", "4");
    assert_eq!(harness.table.gauges().running, 0, "all slots are free");
    let expected = [Summary::Error(1), failed_with(Status::ERR_UNANSWERED), value("3"), value("4")];
    assert_eq!(waiter.outcomes(), expected);
}

#[test]
fn f12_a_slot_is_held_until_all_keys_are_answered_and_the_call_has_returned() {
    let mut harness = Harness::with(narrow(10, QueueOrder::Fifo));
    harness.takes_manually = true;
    harness.fetch("a");
    harness.fetch("b");
    harness.take(0);
    harness.answer(0, "a", "1");
    assert_eq!(harness.requests.len(), 1, "the provider's call has not returned, so it keeps the slot");
    harness.returned(0);
    assert_eq!(harness.requests.len(), 2);
}

#[test]
fn f12_a_slot_is_held_after_the_return_until_the_last_answer() {
    let mut harness = Harness::with(narrow(10, QueueOrder::Fifo));
    harness.fetch("a");
    harness.fetch("b");
    assert_eq!(harness.requests.len(), 1, "the provider has not answered, so it keeps the slot");
    harness.answer(0, "a", "1");
    assert_eq!(harness.requests.len(), 2);
}

#[test]
fn f12_a_finish_frees_the_slot_before_the_call_returns() {
    let mut harness = Harness::with(narrow(10, QueueOrder::Fifo));
    harness.takes_manually = true;
    harness.fetch("a");
    harness.fetch("b");
    harness.take(0);
    harness.finish(0);
    assert_eq!(harness.requests.len(), 2);
    harness.returned(0);
    assert_eq!(harness.table.gauges().running, 1, "the slot is freed once");
}

#[test]
fn f12_a_call_that_hangs_after_all_answers_loses_its_slot_at_the_timeout() {
    let mut harness = Harness::with(|settings| {
        narrow(10, QueueOrder::Fifo)(settings);
        settings.fetch.attempt_timeout = Some(ms(10));
    });
    harness.takes_manually = true;
    let first = harness.fetch("a");
    harness.fetch("b");
    harness.take(0);
    harness.answer(0, "a", "1");
    harness.advance(10);
    assert_eq!(harness.handed(), [["a"], ["b"]], "the slot of a call that does not return is free after the timeout");
    assert_eq!(first.outcome(), value("1"));
}

#[test]
fn f14_keys_of_one_fetch_fill_a_request_before_another_is_opened() {
    let mut harness = Harness::with(|settings| settings.tasks.batch_max_keys = 3);
    harness.fetch_each(&refs(&keys(7)));
    assert_eq!(harness.handed(), [vec!["k0", "k1", "k2"], vec!["k3", "k4", "k5"], vec!["k6"]]);
}

#[test]
fn f14_deferred_keys_fill_a_request_too() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 5;
        settings.tasks.queue_max_keys = 2;
    });
    harness.fetch("busy");
    harness.fetch_each(&refs(&keys(7)));
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["k0", "k1", "k2", "k3", "k4"]);
}

#[test]
fn f14_a_request_with_room_takes_the_deferred_keys_of_other_fetches() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
    });
    harness.fetch("busy");
    harness.fetch_each(&["a1", "a2", "a3"]);
    harness.fetch_each(&["b1", "b2"]);
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["a1", "a2", "a3", "b1", "b2"]);
}

#[test]
fn f14_waiting_single_fetches_share_a_request() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_order = QueueOrder::Fifo;
    });
    harness.fetch("busy");
    for key in ["a", "b", "c"] {
        harness.fetch(key);
    }
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["a", "b", "c"]);
}

fn lingering(settings: &mut Settings) {
    settings.tasks.batch_max_keys = 3;
    settings.tasks.batch_linger = Duration::from_micros(10_000);
}

#[test]
fn f14_a_lingering_key_waits_for_others_and_holds_no_slot() {
    let mut harness = Harness::with(lingering);
    harness.fetch("a");
    harness.advance(9);
    assert_eq!((harness.requests.len(), harness.table.gauges().running, harness.table.gauges().queued), (0, 0, 1));
    harness.fetch("b");
    harness.advance(1);
    assert_eq!(harness.handed().concat().len(), 2, "the oldest key is due, and the later one joins its request");
}

#[test]
fn f14_a_full_request_does_not_linger() {
    let mut harness = Harness::with(lingering);
    for key in ["a", "b", "c"] {
        harness.fetch(key);
    }
    assert_eq!(harness.requests.len(), 1);
}

#[test]
fn f14_deferred_keys_make_a_request_full_too() {
    let mut harness = Harness::with(|settings| {
        lingering(settings);
        settings.tasks.queue_max_keys = 2;
    });
    harness.fetch_each(&["a", "b", "c"]);
    assert_eq!(harness.handed(), [["a", "b", "c"]], "three waiting keys make a full request");
}

#[test]
fn f14_a_full_queue_does_not_linger() {
    let mut harness = Harness::with(|settings| {
        lingering(settings);
        settings.tasks.queue_max_keys = 2;
    });
    let (first, second) = (harness.fetch("a"), harness.fetch("b"));
    let third = harness.fetch("c");
    assert_eq!(harness.handed().concat().len(), 2, "lingering keys must not cause others to be lost");
    assert_eq!([first.outcome(), second.outcome(), third.outcome()], [Summary::Pending, Summary::Pending, Summary::Pending]);
}

#[test]
fn f14_a_queue_that_one_fetch_fills_does_not_linger() {
    let mut harness = Harness::with(|settings| {
        lingering(settings);
        settings.tasks.batch_max_keys = 5;
        (settings.tasks.queue_max_keys, settings.tasks.queue_overflow) = (2, Overflow::Reject);
    });
    let waiter = harness.fetch_each(&["a", "b", "c"]);
    assert_eq!(harness.handed(), [["a", "b"]], "two keys fill the queue and are handed out, and the third has a place");
    assert_eq!((waiter.outcomes(), harness.table.gauges().queued), (vec![Summary::Pending; 3], 1));
}

#[test]
fn f14_the_linger_deadline_is_set_again_when_the_oldest_key_leaves() {
    let mut harness = Harness::with(lingering);
    let first = harness.fetch("a");
    harness.advance(5);
    harness.fetch("b");
    harness.cancel(&first);
    harness.advance(9);
    assert_eq!(harness.requests.len(), 0, "the younger key lingers for the full time");
    harness.advance(1);
    assert_eq!(harness.handed(), [["b"]], "the linger time of the younger key has ended");
}

#[test]
fn f14_a_key_that_lingered_while_all_slots_were_taken_is_handed_out_at_once() {
    let mut harness = Harness::with(|settings| {
        lingering(settings);
        settings.tasks.max_running = 1;
    });
    harness.ask(Form::Each, &["x", "y", "z"], |_| {});
    harness.fetch("a");
    harness.advance(50);
    assert_eq!(harness.requests.len(), 1);
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["a"]);
}

#[test]
fn f14_a_due_retry_does_not_linger() {
    let mut harness = Harness::with(|settings| {
        lingering(settings);
        settings.fetch.retry.count = Some(1);
    });
    harness.fetch_each(&["a", "b", "c"]);
    harness.answer(0, "a", "1");
    harness.fail(0, "b", 1);
    assert_eq!(harness.handed()[1], ["b"]);
}

#[test]
fn f14a_keys_that_gather_share_requests_once_they_are_handed_out() {
    let mut harness = Harness::with(|settings| settings.tasks.batch_max_keys = 4);
    harness.gather(true);
    harness.fetch("a");
    harness.fetch_each(&["b", "a"]);
    assert_eq!((harness.requests.len(), harness.table.gauges().queued), (0, 2));
    harness.gather(false);
    assert_eq!(harness.handed(), [["a", "b"]]);
    harness.fetch("c");
    assert_eq!(harness.handed()[1], ["c"], "no key gathers any more");
}

#[test]
fn f14a_neither_a_full_request_nor_a_full_queue_gathers() {
    let mut harness = Harness::with(|settings| (settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (3, 2));
    harness.gather(true);
    harness.fetch_each(&["a", "b", "c"]);
    assert_eq!(harness.handed(), [["a", "b", "c"]]);
    let waiters = ["d", "e", "f"].map(|key| harness.fetch(key));
    assert_eq!(harness.handed()[1], ["d", "e"], "keys that gather must not cause others to be lost");
    assert!(waiters.iter().all(|waiter| waiter.outcome() == Summary::Pending));
}

#[test]
fn f14a_keys_that_gathered_while_all_slots_were_taken_are_handed_out_at_once() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("busy");
    harness.gather(true);
    harness.fetch("a");
    harness.fetch("b");
    harness.gather(false);
    assert_eq!(harness.requests.len(), 1);
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["a", "b"]);
}

#[test]
fn f14a_a_retry_does_not_gather_and_takes_gathering_keys_along() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = Some(1));
    harness.fetch("a");
    harness.gather(true);
    harness.fetch("b");
    harness.fail(0, "a", 1);
    assert_eq!(harness.handed()[1], ["b", "a"]);
}

#[test]
fn f14a_a_key_that_has_gathered_can_be_cancelled() {
    let mut harness = Harness::with(|_| {});
    harness.gather(true);
    let (first, second) = (harness.fetch("a"), harness.fetch("b"));
    harness.cancel(&first);
    harness.gather(false);
    assert_eq!(harness.handed(), [["b"]]);
    assert_eq!(second.outcome(), Summary::Pending);
}

#[test]
fn f14a_keys_that_have_gathered_still_linger() {
    let mut harness = Harness::with(lingering);
    harness.gather(true);
    harness.fetch("a");
    harness.gather(false);
    assert_eq!(harness.requests.len(), 0, "the linger time of the key has not ended");
    harness.gather(true);
    harness.advance(10);
    assert_eq!(harness.handed(), [["a"]], "the linger time has ended, although keys gather");
}
