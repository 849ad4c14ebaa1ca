//! Slots and requests (rules F12, F14).

use super::world::{Said, World, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{Overflow, QueueOrder, Settings};
use kvlight::task::Form;
use std::time::Duration;

/// One slot, requests of one key, so many places.
pub fn narrow(places: u32, order: QueueOrder) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        settings.tasks.queue_max_keys = places;
        settings.tasks.queue_order = order;
    }
}

#[test]
fn f12_at_most_so_many_requests_hold_a_slot() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 2;
        settings.tasks.batch_max_keys = 1;
    });
    let waiter = world.fetch_each(&["a", "b", "c", "d"]);
    assert_eq!((world.requests.len(), world.table.gauges().running), (2, 2));
    world.fail(0, "a", 1);
    assert_eq!((world.requests.len(), world.table.gauges().running), (3, 2));
    world.finish(1);
    world.answer(2, "c", "3");
    world.answer(3, "d", "4");
    assert_eq!(world.table.gauges().running, 0, "a slot was lost");
    let told = [Said::Error(1), failed_with(Status::ERR_UNANSWERED), value("3"), value("4")];
    assert_eq!(waiter.outcomes(), told);
}

#[test]
fn f12_a_slot_is_held_until_all_is_answered_and_the_call_returned() {
    let mut world = World::with(narrow(10, QueueOrder::Fifo));
    world.by_hand = true;
    world.fetch("a");
    world.fetch("b");
    world.take(0);
    world.answer(0, "a", "1");
    assert_eq!(world.requests.len(), 1, "the provider's call has not returned, and its slot was used");
    world.returned(0);
    assert_eq!(world.requests.len(), 2);
}

#[test]
fn f12_a_slot_is_held_after_the_return_until_the_last_answer() {
    let mut world = World::with(narrow(10, QueueOrder::Fifo));
    world.fetch("a");
    world.fetch("b");
    assert_eq!(world.requests.len(), 1, "the provider answers later, and its slot was used");
    world.answer(0, "a", "1");
    assert_eq!(world.requests.len(), 2);
}

#[test]
fn f12_a_finish_frees_the_slot_though_the_call_has_not_returned() {
    let mut world = World::with(narrow(10, QueueOrder::Fifo));
    world.by_hand = true;
    world.fetch("a");
    world.fetch("b");
    world.take(0);
    world.finish(0);
    assert_eq!(world.requests.len(), 2);
    world.returned(0);
    assert_eq!(world.table.gauges().running, 1, "the slot was freed twice");
}

#[test]
fn f12_a_provider_that_answered_everything_and_hangs_loses_its_slot_in_time() {
    let mut world = World::with(|settings| {
        narrow(10, QueueOrder::Fifo)(settings);
        settings.fetch.attempt_timeout = Some(ms(10));
    });
    world.by_hand = true;
    let first = world.fetch("a");
    world.fetch("b");
    world.take(0);
    world.answer(0, "a", "1");
    world.advance(10);
    assert_eq!(world.handed(), [["a"], ["b"]], "a call that never returns keeps its slot for ever");
    assert_eq!(first.outcome(), value("1"));
}

#[test]
fn f14_keys_of_one_fetch_fill_a_request_before_another_is_opened() {
    let mut world = World::with(|settings| settings.tasks.batch_max_keys = 3);
    world.fetch_each(&refs(&keys(7)));
    assert_eq!(world.handed(), [vec!["k0", "k1", "k2"], vec!["k3", "k4", "k5"], vec!["k6"]]);
}

#[test]
fn f14_deferred_keys_fill_a_request_too() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 5;
        settings.tasks.queue_max_keys = 2;
    });
    world.fetch("busy");
    world.fetch_each(&refs(&keys(7)));
    world.finish(0);
    assert_eq!(world.handed()[1], ["k0", "k1", "k2", "k3", "k4"]);
}

#[test]
fn f14_a_request_with_room_takes_what_other_fetches_have_deferred_too() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
    });
    world.fetch("busy");
    world.fetch_each(&["a1", "a2", "a3"]);
    world.fetch_each(&["b1", "b2"]);
    world.finish(0);
    assert_eq!(world.handed()[1], ["a1", "a2", "a3", "b1", "b2"]);
}

#[test]
fn f14_single_fetches_that_wait_travel_together() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_order = QueueOrder::Fifo;
    });
    world.fetch("busy");
    for key in ["a", "b", "c"] {
        world.fetch(key);
    }
    world.finish(0);
    assert_eq!(world.handed()[1], ["a", "b", "c"]);
}

fn lingering(settings: &mut Settings) {
    settings.tasks.batch_max_keys = 3;
    settings.tasks.batch_linger = Duration::from_micros(10_000);
}

#[test]
fn f14_a_lingering_key_waits_for_company_and_holds_no_slot() {
    let mut world = World::with(lingering);
    world.fetch("a");
    world.advance(9);
    assert_eq!((world.requests.len(), world.table.gauges().running, world.table.gauges().queued), (0, 0, 1));
    world.fetch("b");
    world.advance(1);
    assert_eq!(world.handed().concat().len(), 2, "the oldest key is due, and who came later travels along");
}

#[test]
fn f14_a_full_request_lingers_no_longer() {
    let mut world = World::with(lingering);
    for key in ["a", "b", "c"] {
        world.fetch(key);
    }
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn f14_deferred_keys_make_a_request_full_too() {
    let mut world = World::with(|settings| {
        lingering(settings);
        settings.tasks.queue_max_keys = 2;
    });
    world.fetch_each(&["a", "b", "c"]);
    assert_eq!(world.handed(), [["a", "b", "c"]], "three keys wait, which is a request");
}

#[test]
fn f14_a_full_queue_lingers_no_longer() {
    let mut world = World::with(|settings| {
        lingering(settings);
        settings.tasks.queue_max_keys = 2;
    });
    let (first, second) = (world.fetch("a"), world.fetch("b"));
    let third = world.fetch("c");
    assert_eq!(world.handed().concat().len(), 2, "who lingers must not make others lose");
    assert_eq!([first.outcome(), second.outcome(), third.outcome()], [Said::Nothing, Said::Nothing, Said::Nothing]);
}

#[test]
fn f14_a_queue_that_one_fetch_fills_lingers_no_longer_either() {
    let mut world = World::with(|settings| {
        lingering(settings);
        settings.tasks.batch_max_keys = 5;
        (settings.tasks.queue_max_keys, settings.tasks.queue_overflow) = (2, Overflow::Reject);
    });
    let waiter = world.fetch_each(&["a", "b", "c"]);
    assert_eq!(world.handed(), [["a", "b"]], "two keys fill the queue: they go, and the third has a place");
    assert_eq!((waiter.outcomes(), world.table.gauges().queued), (vec![Said::Nothing; 3], 1));
}

#[test]
fn f14_lingering_is_armed_again_when_the_oldest_key_left() {
    let mut world = World::with(lingering);
    let first = world.fetch("a");
    world.advance(5);
    world.fetch("b");
    world.cancel(&first);
    world.advance(9);
    assert_eq!(world.requests.len(), 0, "a key lingered shorter than it should");
    world.advance(1);
    assert_eq!(world.handed(), [["b"]], "nothing ended the lingering of the younger key");
}

#[test]
fn f14_who_lingered_while_all_slots_were_busy_goes_at_once() {
    let mut world = World::with(|settings| {
        lingering(settings);
        settings.tasks.max_running = 1;
    });
    world.ask(Form::Each, &["x", "y", "z"], |_| {});
    world.fetch("a");
    world.advance(50);
    assert_eq!(world.requests.len(), 1);
    world.finish(0);
    assert_eq!(world.handed()[1], ["a"]);
}

#[test]
fn f14_a_due_retry_does_not_linger() {
    let mut world = World::with(|settings| {
        lingering(settings);
        settings.fetch.retry.count = Some(1);
    });
    world.fetch_each(&["a", "b", "c"]);
    world.answer(0, "a", "1");
    world.fail(0, "b", 1);
    assert_eq!(world.handed()[1], ["b"]);
}
