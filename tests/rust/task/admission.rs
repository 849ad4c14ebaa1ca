//! Slots, places and requests (rules F12 to F14).

use super::world::{Said, Waiter, World, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{Order, Settings};
use kvlight::task::Form;
use std::time::Duration;

/// One slot, requests of one key, so many places.
fn narrow(places: u32, order: Order) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        settings.tasks.queue_max_keys = places;
        settings.tasks.queue_order = order;
    }
}

/// Finishes request after request and says in which order the keys were handed out.
fn order_of(world: &mut World) -> Vec<String> {
    let mut nth = 0;
    while nth < world.requests.len() {
        world.finish(nth);
        nth += 1;
    }
    world.handed().concat()
}

fn is_lost(waiter: &Waiter) -> bool {
    waiter.outcome() == failed_with(Status::ERR_QUEUE_FULL)
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
    let mut world = World::with(narrow(10, Order::Fifo));
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
    let mut world = World::with(narrow(10, Order::Fifo));
    world.fetch("a");
    world.fetch("b");
    assert_eq!(world.requests.len(), 1, "the provider answers later, and its slot was used");
    world.answer(0, "a", "1");
    assert_eq!(world.requests.len(), 2);
}

#[test]
fn f12_a_finish_frees_the_slot_though_the_call_has_not_returned() {
    let mut world = World::with(narrow(10, Order::Fifo));
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
        narrow(10, Order::Fifo)(settings);
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
fn f13_a_key_takes_a_free_slot_in_the_call_itself() {
    let mut world = World::with(|settings| settings.tasks.queue_max_keys = 0);
    world.fetch("a");
    assert_eq!((world.requests.len(), world.table.gauges().queued), (1, 0));
}

#[test]
fn f13_with_no_places_what_finds_no_slot_is_lost() {
    for order in [Order::Lifo, Order::Fifo] {
        let mut world = World::with(narrow(0, order));
        world.fetch("a");
        assert!(is_lost(&world.fetch("b")), "{order:?}");
    }
}

#[test]
fn f13_with_no_places_nothing_lingers() {
    let mut world = World::with(|settings| {
        narrow(0, Order::Lifo)(settings);
        settings.tasks.batch_linger = ms(10);
    });
    let waiter = world.fetch("a");
    assert_eq!((waiter.outcome(), world.requests.len()), (Said::Nothing, 1), "a slot is free, and the key was lost");
}

#[test]
fn f13_lifo_serves_the_newest_fetch_and_within_it_the_order_asked() {
    let mut world = World::with(narrow(100, Order::Lifo));
    world.fetch("busy");
    world.fetch_each(&["a1", "a2"]);
    world.fetch_each(&["b1", "b2"]);
    assert_eq!(order_of(&mut world), ["busy", "b1", "b2", "a1", "a2"]);
}

#[test]
fn f13_fifo_serves_the_oldest_fetch() {
    let mut world = World::with(narrow(100, Order::Fifo));
    world.fetch("busy");
    world.fetch_each(&["a1", "a2"]);
    world.fetch_each(&["b1", "b2"]);
    assert_eq!(order_of(&mut world), ["busy", "a1", "a2", "b1", "b2"]);
}

#[test]
fn f13_higher_urgency_first() {
    for order in [Order::Lifo, Order::Fifo] {
        let mut world = World::with(narrow(100, order));
        world.fetch("busy");
        world.fetch_with("low", |options| options.urgency = -1);
        world.fetch_with("high", |options| options.urgency = 5);
        world.fetch("middle");
        assert_eq!(order_of(&mut world), ["busy", "high", "middle", "low"], "{order:?}");
    }
}

#[test]
fn f13_urgency_can_be_raised_while_keys_wait_and_spill() {
    let mut world = World::with(narrow(4, Order::Fifo));
    world.fetch("busy");
    let first = world.fetch_each(&["a1", "a2", "a3", "a4"]);
    let second = world.fetch_each(&["b1", "b2", "b3", "b4"]);
    world.set_urgency(&second, 3);
    assert_eq!(order_of(&mut world), ["busy", "b1", "b2", "b3", "b4", "a1", "a2", "a3", "a4"]);
    assert!(first.is_over() && second.is_over());
}

#[test]
fn f13_lifo_gives_up_the_oldest_key_that_the_newcomer_does_not_wait_for() {
    let mut world = World::with(narrow(2, Order::Lifo));
    world.fetch("busy");
    let (oldest, older) = (world.fetch("oldest"), world.fetch("older"));
    let newcomer = world.fetch_each(&["oldest", "new"]);
    assert_eq!(oldest.outcome(), Said::Nothing, "a key was given up that the newcomer itself waits for");
    assert!(is_lost(&older));
    world.finish(0);
    assert!(newcomer.told().is_empty());
}

#[test]
fn f13_lifo_gives_up_the_least_urgent_first() {
    let mut world = World::with(narrow(2, Order::Lifo));
    world.fetch("busy");
    let urgent = world.fetch_with("urgent", |options| options.urgency = 1);
    let idle = world.fetch("idle");
    world.fetch("new");
    assert_eq!((urgent.outcome(), is_lost(&idle)), (Said::Nothing, true));
}

#[test]
fn f13_lifo_loses_the_newcomer_when_it_waits_for_everything() {
    let mut world = World::with(narrow(1, Order::Lifo));
    world.fetch("busy");
    let waiting = world.fetch("a");
    let newcomer = world.fetch_each(&["a", "b"]);
    assert_eq!(newcomer.outcomes(), [Said::Nothing, failed_with(Status::ERR_QUEUE_FULL)]);
    assert_eq!(waiting.outcome(), Said::Nothing);
}

#[test]
fn f13_fifo_refuses_the_newcomer() {
    let mut world = World::with(narrow(1, Order::Fifo));
    world.fetch("busy");
    let waiting = world.fetch("a");
    let refused = world.fetch("b");
    assert_eq!((waiting.outcome(), is_lost(&refused)), (Said::Nothing, true));
}

#[test]
fn f13_every_waiter_of_the_loser_hears_of_it() {
    let mut world = World::with(narrow(1, Order::Lifo));
    world.fetch("busy");
    let (one, two) = (world.fetch("a"), world.fetch("a"));
    world.fetch("b");
    assert!(is_lost(&one) && is_lost(&two));
    assert_eq!(world.table.counts().flights_lost, 1);
}

#[test]
fn f13_one_fetch_occupies_its_share_and_the_rest_waits_with_it() {
    let mut world = World::with(narrow(8, Order::Lifo));
    world.fetch("busy");
    let names = keys(20);
    let big = world.fetch_each(&refs(&names));
    let gauges = world.table.gauges();
    assert_eq!((gauges.queued, gauges.spilled), (4, 16));
    assert!(big.told().is_empty(), "a fetch lost keys of its own");
    let order = order_of(&mut world);
    assert_eq!(order[1..], names, "the keys of one fetch follow in the order asked");
}

#[test]
fn f13_a_share_is_at_least_one_place() {
    let mut world = World::with(|settings| {
        narrow(3, Order::Lifo)(settings);
        settings.tasks.queue_share = 0.0;
    });
    world.fetch("busy");
    let waiter = world.fetch_each(&["a", "b", "c"]);
    assert_eq!((world.table.gauges().queued, world.table.gauges().spilled), (1, 2));
    assert_eq!(order_of(&mut world), ["busy", "a", "b", "c"]);
    assert!(waiter.is_over());
}

#[test]
fn f13_a_spilled_key_can_be_joined_and_cancelled_like_any_other() {
    let mut world = World::with(narrow(2, Order::Fifo));
    world.fetch("busy");
    let big = world.fetch_each(&["a", "b", "c"]);
    let other = world.fetch("c");
    assert_eq!(world.table.gauges().spilled, 2);
    world.cancel(&big);
    assert_eq!(world.table.gauges().in_flight, 2, "the busy one and the one that somebody else waits for");
    assert_eq!(order_of(&mut world), ["busy", "c"]);
    assert_eq!(other.outcome(), failed_with(Status::ERR_UNANSWERED));
}

#[test]
fn f13_places_that_become_free_go_to_every_fetch_that_spills() {
    let mut world = World::with(narrow(4, Order::Lifo));
    world.fetch("busy");
    let first = world.fetch_each(&["a1", "a2", "a3"]);
    let second = world.fetch_each(&["b1", "b2", "b3"]);
    let third = world.fetch_each(&["c1", "c2", "c3"]);
    let lost = first.outcomes().iter().filter(|said| **said == failed_with(Status::ERR_QUEUE_FULL)).count();
    assert_eq!(lost, 2, "the newest fetch takes the two places of the oldest");
    world.cancel(&third);
    assert_eq!(world.table.gauges().spilled, 1, "two places are free; one key of the first fetch could wait there");
    order_of(&mut world);
    assert!(first.is_over() && second.is_over());
}

#[test]
fn f13_a_fetch_that_waits_for_places_is_found_again_when_its_urgency_was_raised() {
    let mut world = World::with(narrow(4, Order::Lifo));
    world.fetch("busy");
    let first = world.fetch_each(&["a1", "a2", "a3"]);
    world.fetch_each(&["b1", "b2", "b3"]);
    let third = world.fetch_each(&["c1", "c2", "c3"]);
    world.set_urgency(&first, 5);
    world.cancel(&third);
    assert_eq!(world.handed(), [["busy"]]);
    world.finish(0);
    assert_eq!(world.handed()[1], ["a3"], "the most urgent one goes first");
}

#[test]
fn f13_a_put_that_settles_a_waiting_key_gives_its_place_to_one_that_spilled() {
    let mut world = World::with(narrow(2, Order::Fifo));
    world.fetch("busy");
    let waiter = world.fetch_each(&["a1", "a2"]);
    assert_eq!((world.table.gauges().queued, world.table.gauges().spilled), (1, 1));
    world.put("a1", "v");
    assert_eq!(waiter.outcomes()[0], value("v"));
    assert_eq!((world.table.gauges().queued, world.table.gauges().spilled), (1, 0));
}

#[test]
fn f13_without_spill_every_key_beyond_the_places_is_lost() {
    for order in [Order::Lifo, Order::Fifo] {
        let mut world = World::with(|settings| {
            narrow(3, order)(settings);
            settings.tasks.queue_spill = false;
        });
        world.fetch("busy");
        let names = keys(10);
        let waiter = world.fetch_each(&refs(&names));
        let lost = waiter.outcomes().iter().filter(|said| **said == failed_with(Status::ERR_QUEUE_FULL)).count();
        assert_eq!(lost, 7, "{order:?}");
        assert_eq!(world.table.gauges().queued, 3);
    }
}

#[test]
fn f14_keys_of_one_fetch_fill_a_request_before_another_is_opened() {
    let mut world = World::with(|settings| settings.tasks.batch_max_keys = 3);
    world.fetch_each(&refs(&keys(7)));
    assert_eq!(world.handed(), [vec!["k0", "k1", "k2"], vec!["k3", "k4", "k5"], vec!["k6"]]);
}

#[test]
fn f14_spilled_keys_fill_a_request_too() {
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
fn f14_a_request_with_room_takes_what_waits_with_other_fetches_too() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
    });
    world.fetch("busy");
    let older = world.fetch_each(&["a1", "a2", "a3"]);
    world.fetch_each(&["b1", "b2"]);
    assert_eq!(older.outcomes()[0], failed_with(Status::ERR_QUEUE_FULL), "the one place goes to the newer fetch");
    world.finish(0);
    assert_eq!(world.handed()[1], ["b1", "b2", "a2", "a3"]);
}

#[test]
fn f14_single_fetches_that_wait_travel_together() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_order = Order::Fifo;
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
fn f14_keys_that_wait_with_their_fetch_make_a_request_full_too() {
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
        (settings.tasks.queue_max_keys, settings.tasks.queue_share, settings.tasks.queue_spill) = (2, 1.0, false);
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
