//! The order of waiting keys: by urgency, then retried keys, then by arrival (rules F13, F13c, F13e).

use super::admission::narrow;
use super::harness::{Harness, Waiter, keys, ms, refs};
use super::places::order_of;
use kvlight::base::config::{QueueOrder, Settings};
use kvlight::task::Unanswered;

#[test]
fn f13_lifo_serves_the_newest_fetch_and_its_keys_in_order() {
    let mut harness = Harness::with(narrow(100, QueueOrder::Lifo));
    harness.fetch("busy");
    harness.fetch_each(&["a1", "a2"]);
    harness.fetch_each(&["b1", "b2"]);
    assert_eq!(order_of(&mut harness), ["busy", "b1", "b2", "a1", "a2"]);
}

#[test]
fn f13_fifo_serves_the_oldest_fetch() {
    let mut harness = Harness::with(narrow(100, QueueOrder::Fifo));
    harness.fetch("busy");
    harness.fetch_each(&["a1", "a2"]);
    harness.fetch_each(&["b1", "b2"]);
    assert_eq!(order_of(&mut harness), ["busy", "a1", "a2", "b1", "b2"]);
}

#[test]
fn f13e_fifo_is_the_default() {
    assert_eq!(Settings::default().tasks.queue_order, QueueOrder::Fifo);
}

#[test]
fn f13_higher_urgency_is_served_first() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(100, order));
        harness.fetch("busy");
        harness.fetch_with("low", |options| options.urgency = -1);
        harness.fetch_with("high", |options| options.urgency = 5);
        harness.fetch("middle");
        assert_eq!(order_of(&mut harness), ["busy", "high", "middle", "low"], "{order:?}");
    }
}

#[test]
fn f13c_a_deferred_key_takes_the_urgency_of_a_fetch_that_joins() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(4, order));
        harness.fetch("busy");
        harness.fetch_each(&["a", "b", "c", "d", "e", "f"]);
        let urgent = harness.fetch_with("f", |options| options.urgency = 1000);
        assert_eq!(order_of(&mut harness), ["busy", "f", "a", "b", "c", "d", "e"], "{order:?}");
        assert!(urgent.has_ended());
    }
}

#[test]
fn f13c_the_urgency_falls_when_the_urgent_fetch_leaves_or_lowers_it() {
    let mut harness = Harness::with(narrow(100, QueueOrder::Fifo));
    harness.fetch("busy");
    let first = harness.fetch_with("a", |options| options.urgency = 5);
    harness.fetch("b");
    harness.set_urgency(&first, -5);
    harness.fetch("c");
    harness.fetch("d");
    let urgent = harness.fetch_with("d", |options| options.urgency = 9);
    harness.cancel(&urgent);
    assert_eq!(order_of(&mut harness), ["busy", "b", "c", "d", "a"]);
    assert_eq!(harness.requests[4].handout.urgency, -5);
}

#[test]
fn f13c_the_urgency_falls_when_the_urgent_fetch_times_out() {
    let mut harness = Harness::with(narrow(100, QueueOrder::Fifo));
    harness.fetch("busy");
    harness.fetch("a");
    harness.fetch("b");
    harness.fetch_with("b", |options| (options.urgency, options.fetch.timeout) = (9, Some(ms(10))));
    harness.advance(10);
    assert_eq!(order_of(&mut harness), ["busy", "a", "b"]);
}

#[test]
fn f13c_a_retried_key_takes_the_urgency_of_a_fetch_that_joins() {
    let mut harness = Harness::with(|settings| {
        narrow(100, QueueOrder::Fifo)(settings);
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    harness.fetch_with("a", |options| options.urgency = -100);
    harness.fail(0, "a", 1);
    harness.fetch("busy");
    harness.fetch("b");
    harness.advance(10);
    let joiner = harness.fetch_with("a", |options| options.urgency = 1);
    harness.finish_with(1, Unanswered::Null);
    assert_eq!(harness.handed()[2], ["a"]);
    assert!(!joiner.has_ended());
}

#[test]
fn f13c_an_urgent_fetch_precedes_thousands_of_retried_keys() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    harness.checks = false;
    harness.ask(kvlight::task::Form::All, &refs(&keys(2_000)), |options| options.urgency = -100);
    for nth in 0..100 {
        harness.finish_with(nth, Unanswered::Failed(super::harness::provider_error(503, false)));
    }
    harness.fetch("busy");
    harness.advance(10);
    harness.fetch_with("urgent", |options| options.urgency = 100);
    let running = harness.requests.len();
    harness.finish_with(running - 1, Unanswered::Null);
    assert_eq!(harness.handed()[running][0], "urgent");
}

#[test]
fn f13c_the_urgency_of_a_fetch_can_change_while_it_waits() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(4, order));
        harness.fetch("busy");
        let first = harness.fetch_each(&["a1", "a2", "a3", "a4"]);
        let second = harness.fetch_each(&["b1", "b2", "b3", "b4"]);
        let raised = if order == QueueOrder::Fifo { &second } else { &first };
        harness.set_urgency(raised, 3);
        let keys = order_of(&mut harness);
        let (one, other) = if order == QueueOrder::Fifo { ("b", "a") } else { ("a", "b") };
        assert!(keys[1..5].iter().all(|key| key.starts_with(one)) && keys[5..].iter().all(|key| key.starts_with(other)), "{keys:?}");
        assert!(keys[1..5].is_sorted() && keys[5..].is_sorted(), "{keys:?}");
        assert!(first.has_ended() && second.has_ended());
    }
}

fn ageing(settings: &mut Settings) {
    narrow(100, QueueOrder::Fifo)(settings);
    settings.tasks.queue_ageing = Some(ms(100));
}

#[test]
fn f13e_with_ageing_waiting_counts_as_urgency() {
    let mut harness = Harness::with(ageing);
    harness.fetch("busy");
    harness.fetch("old");
    harness.advance(150);
    harness.fetch_with("one step ahead", |options| options.urgency = 1);
    harness.fetch_with("two steps ahead", |options| options.urgency = 2);
    assert_eq!(order_of(&mut harness), ["busy", "two steps ahead", "old", "one step ahead"]);
}

#[test]
fn f13e_with_ageing_steady_urgent_traffic_starves_no_key() {
    for (step, starves) in [(Some(ms(100)), false), (None, true)] {
        let mut harness = Harness::with(|settings| {
            ageing(settings);
            settings.tasks.queue_ageing = step;
        });
        harness.fetch("busy");
        let patient = harness.fetch_with("patient", |options| options.urgency = -10);
        harness.fetch_with("urgent", |options| options.urgency = 10);
        for nth in 0..300 {
            harness.advance(10);
            harness.fetch_with(&format!("urgent {nth}"), |options| options.urgency = 10);
            harness.finish_with(nth, Unanswered::Null);
        }
        assert_eq!(patient.has_ended(), !starves, "{step:?}");
    }
}

#[test]
fn f13e_a_new_key_takes_no_place_from_one_that_has_waited_long_enough() {
    let mut harness = Harness::with(|settings| {
        ageing(settings);
        settings.tasks.queue_max_keys = 1;
    });
    harness.fetch("busy");
    let old = harness.fetch("old");
    harness.advance(150);
    let lost = harness.fetch_with("one step ahead", |options| options.urgency = 1);
    assert!(lost.has_ended() && !old.has_ended());
    let urgent = harness.fetch_with("two steps ahead", |options| options.urgency = 2);
    assert!(old.has_ended() && !urgent.has_ended());
}

#[test]
fn f13e_lifo_ignores_ageing() {
    let mut harness = Harness::with(|settings| {
        ageing(settings);
        settings.tasks.queue_order = QueueOrder::Lifo;
    });
    harness.fetch("busy");
    harness.fetch("old");
    harness.advance(1_000);
    harness.fetch_with("urgent", |options| options.urgency = 1);
    assert_eq!(order_of(&mut harness), ["busy", "urgent", "old"]);
}

#[test]
fn f13e_in_a_closed_loop_fifo_serves_all_callers_equally() {
    let mut harness = Harness::with(narrow(100, QueueOrder::Fifo));
    let mut served = [0; 16];
    let mut waiters: Vec<Waiter> = (0..16).map(|thread| harness.fetch(&format!("{thread} 0"))).collect();
    for nth in 0..160 {
        harness.finish_with(nth, Unanswered::Null);
        for (thread, waiter) in waiters.iter_mut().enumerate().filter(|(_, waiter)| waiter.has_ended()) {
            served[thread] += 1;
            *waiter = harness.fetch(&format!("{thread} {}", served[thread]));
        }
    }
    assert_eq!(served, [10; 16]);
}
