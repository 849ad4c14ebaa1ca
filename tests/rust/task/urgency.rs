//! In which order keys go that wait: by urgency, then what is tried again, then by arrival (rules F13, F13c, F13e).

use super::admission::narrow;
use super::places::order_of;
use super::world::{Waiter, World, keys, ms, refs};
use kvlight::base::config::{QueueOrder, Settings};
use kvlight::task::Unanswered;

const BOTH: [QueueOrder; 2] = [QueueOrder::Fifo, QueueOrder::Lifo];

#[test]
fn f13_lifo_serves_the_newest_fetch_and_within_it_the_order_asked() {
    let mut world = World::with(narrow(100, QueueOrder::Lifo));
    world.fetch("busy");
    world.fetch_each(&["a1", "a2"]);
    world.fetch_each(&["b1", "b2"]);
    assert_eq!(order_of(&mut world), ["busy", "b1", "b2", "a1", "a2"]);
}

#[test]
fn f13_fifo_serves_the_oldest_fetch() {
    let mut world = World::with(narrow(100, QueueOrder::Fifo));
    world.fetch("busy");
    world.fetch_each(&["a1", "a2"]);
    world.fetch_each(&["b1", "b2"]);
    assert_eq!(order_of(&mut world), ["busy", "a1", "a2", "b1", "b2"]);
}

#[test]
fn f13e_fifo_is_the_default() {
    assert_eq!(Settings::default().tasks.queue_order, QueueOrder::Fifo);
}

#[test]
fn f13_higher_urgency_first() {
    for order in BOTH {
        let mut world = World::with(narrow(100, order));
        world.fetch("busy");
        world.fetch_with("low", |options| options.urgency = -1);
        world.fetch_with("high", |options| options.urgency = 5);
        world.fetch("middle");
        assert_eq!(order_of(&mut world), ["busy", "high", "middle", "low"], "{order:?}");
    }
}

#[test]
fn f13c_a_deferred_key_becomes_as_urgent_as_who_joins_it() {
    for order in BOTH {
        let mut world = World::with(narrow(4, order));
        world.fetch("busy");
        world.fetch_each(&["a", "b", "c", "d", "e", "f"]);
        let urgent = world.fetch_with("f", |options| options.urgency = 1000);
        assert_eq!(order_of(&mut world), ["busy", "f", "a", "b", "c", "d", "e"], "{order:?}");
        assert!(urgent.is_over());
    }
}

#[test]
fn f13c_an_urgency_falls_when_the_urgent_one_leaves_or_says_so() {
    let mut world = World::with(narrow(100, QueueOrder::Fifo));
    world.fetch("busy");
    let first = world.fetch_with("a", |options| options.urgency = 5);
    world.fetch("b");
    world.set_urgency(&first, -5);
    world.fetch("c");
    world.fetch("d");
    let urgent = world.fetch_with("d", |options| options.urgency = 9);
    world.cancel(&urgent);
    assert_eq!(order_of(&mut world), ["busy", "b", "c", "d", "a"]);
    assert_eq!(world.requests[4].handout.urgency, -5);
}

#[test]
fn f13c_an_urgency_falls_when_the_urgent_ones_time_is_over() {
    let mut world = World::with(narrow(100, QueueOrder::Fifo));
    world.fetch("busy");
    world.fetch("a");
    world.fetch("b");
    world.fetch_with("b", |options| (options.urgency, options.fetch.timeout) = (9, Some(ms(10))));
    world.advance(10);
    assert_eq!(order_of(&mut world), ["busy", "a", "b"]);
}

#[test]
fn f13c_a_key_that_waits_to_be_tried_again_becomes_as_urgent_as_who_joins_it() {
    let mut world = World::with(|settings| {
        narrow(100, QueueOrder::Fifo)(settings);
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    world.fetch_with("a", |options| options.urgency = -100);
    world.fail(0, "a", 1);
    world.fetch("busy");
    world.fetch("b");
    world.advance(10);
    let joiner = world.fetch_with("a", |options| options.urgency = 1);
    world.finish_with(1, Unanswered::Null);
    assert_eq!(world.handed()[2], ["a"]);
    assert!(!joiner.is_over());
}

#[test]
fn f13c_an_urgent_fetch_goes_before_thousands_that_are_tried_again() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    world.checks = false;
    world.ask(kvlight::task::Form::All, &refs(&keys(2_000)), |options| options.urgency = -100);
    for nth in 0..100 {
        world.finish_with(nth, Unanswered::Failed(super::world::provider_error(503, false)));
    }
    world.fetch("busy");
    world.advance(10);
    world.fetch_with("urgent", |options| options.urgency = 100);
    let running = world.requests.len();
    world.finish_with(running - 1, Unanswered::Null);
    assert_eq!(world.handed()[running][0], "urgent");
}

#[test]
fn f13c_the_urgency_of_a_whole_fetch_can_change_while_it_waits_with_places_and_without() {
    for order in BOTH {
        let mut world = World::with(narrow(4, order));
        world.fetch("busy");
        let first = world.fetch_each(&["a1", "a2", "a3", "a4"]);
        let second = world.fetch_each(&["b1", "b2", "b3", "b4"]);
        let raised = if order == QueueOrder::Fifo { &second } else { &first };
        world.set_urgency(raised, 3);
        let keys = order_of(&mut world);
        let (one, other) = if order == QueueOrder::Fifo { ("b", "a") } else { ("a", "b") };
        assert!(keys[1..5].iter().all(|key| key.starts_with(one)) && keys[5..].iter().all(|key| key.starts_with(other)), "{keys:?}");
        assert!(keys[1..5].is_sorted() && keys[5..].is_sorted(), "{keys:?}");
        assert!(first.is_over() && second.is_over());
    }
}

fn ageing(settings: &mut Settings) {
    narrow(100, QueueOrder::Fifo)(settings);
    settings.tasks.queue_ageing = Some(ms(100));
}

#[test]
fn f13e_waiting_counts_as_urgency_where_keys_age() {
    let mut world = World::with(ageing);
    world.fetch("busy");
    world.fetch("old");
    world.advance(150);
    world.fetch_with("one step ahead", |options| options.urgency = 1);
    world.fetch_with("two steps ahead", |options| options.urgency = 2);
    assert_eq!(order_of(&mut world), ["busy", "two steps ahead", "old", "one step ahead"]);
}

#[test]
fn f13e_steady_urgent_traffic_starves_nobody_where_keys_age() {
    for (step, starves) in [(Some(ms(100)), false), (None, true)] {
        let mut world = World::with(|settings| {
            ageing(settings);
            settings.tasks.queue_ageing = step;
        });
        world.fetch("busy");
        let patient = world.fetch_with("patient", |options| options.urgency = -10);
        world.fetch_with("urgent", |options| options.urgency = 10);
        for nth in 0..300 {
            world.advance(10);
            world.fetch_with(&format!("urgent {nth}"), |options| options.urgency = 10);
            world.finish_with(nth, Unanswered::Null);
        }
        assert_eq!(patient.is_over(), !starves, "{step:?}");
    }
}

#[test]
fn f13e_a_newcomer_takes_no_place_from_one_that_has_waited_long_enough() {
    let mut world = World::with(|settings| {
        ageing(settings);
        settings.tasks.queue_max_keys = 1;
    });
    world.fetch("busy");
    let old = world.fetch("old");
    world.advance(150);
    let lost = world.fetch_with("one step ahead", |options| options.urgency = 1);
    assert!(lost.is_over() && !old.is_over());
    let urgent = world.fetch_with("two steps ahead", |options| options.urgency = 2);
    assert!(old.is_over() && !urgent.is_over());
}

#[test]
fn f13e_lifo_knows_no_ageing() {
    let mut world = World::with(|settings| {
        ageing(settings);
        settings.tasks.queue_order = QueueOrder::Lifo;
    });
    world.fetch("busy");
    world.fetch("old");
    world.advance(1_000);
    world.fetch_with("urgent", |options| options.urgency = 1);
    assert_eq!(order_of(&mut world), ["busy", "urgent", "old"]);
}

#[test]
fn f13e_in_a_closed_loop_fifo_serves_all_alike() {
    let mut world = World::with(narrow(100, QueueOrder::Fifo));
    let mut served = [0; 16];
    let mut waiters: Vec<Waiter> = (0..16).map(|thread| world.fetch(&format!("{thread} 0"))).collect();
    for nth in 0..160 {
        world.finish_with(nth, Unanswered::Null);
        for (thread, waiter) in waiters.iter_mut().enumerate().filter(|(_, waiter)| waiter.is_over()) {
            served[thread] += 1;
            *waiter = world.fetch(&format!("{thread} {}", served[thread]));
        }
    }
    assert_eq!(served, [10; 16]);
}
