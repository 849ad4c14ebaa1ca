//! Which keys hold a place in the queue, wait without one, lose their place, or are lost (rules F13 to F13g).

use super::admission::narrow;
use super::harness::{Harness, Summary, Waiter, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{Overflow, QueueOrder, Settings};
use kvlight::task::{Form, Unanswered};

/// Finishes one request after another. Returns the keys in the order in which they were handed out.
pub fn order_of(harness: &mut Harness) -> Vec<String> {
    let mut nth = 0;
    while nth < harness.requests.len() {
        harness.finish_with(nth, Unanswered::Null);
        nth += 1;
    }
    harness.handed().concat()
}

fn is_lost(waiter: &Waiter) -> bool {
    waiter.outcome() == failed_with(Status::ERR_QUEUE_FULL)
}

fn lost_of(waiter: &Waiter) -> usize {
    waiter.outcomes().iter().filter(|outcome| **outcome == failed_with(Status::ERR_QUEUE_FULL)).count()
}

/// The number of keys that hold a place or are retried, and the number that wait without a place.
fn waiting(harness: &Harness) -> (u64, u64) {
    let gauges = harness.table.gauges();
    (gauges.queued, gauges.deferred)
}

fn rejecting(places: u32, order: QueueOrder) -> impl FnOnce(&mut Settings) {
    move |settings| {
        narrow(places, order)(settings);
        settings.tasks.queue_overflow = Overflow::Reject;
    }
}

#[test]
fn f13_a_key_takes_a_free_slot_in_the_call_itself() {
    let mut harness = Harness::with(|settings| settings.tasks.queue_max_keys = 0);
    harness.fetch("a");
    assert_eq!((harness.requests.len(), harness.table.gauges().queued), (1, 0));
}

#[test]
fn f13_without_places_a_single_key_without_a_slot_is_lost() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(0, order));
        harness.fetch("a");
        assert!(is_lost(&harness.fetch("b")), "{order:?}");
    }
}

#[test]
fn f13_without_places_no_key_lingers() {
    let mut harness = Harness::with(|settings| {
        narrow(0, QueueOrder::Lifo)(settings);
        settings.tasks.batch_linger = ms(10);
    });
    let waiter = harness.fetch("a");
    assert_eq!((waiter.outcome(), harness.requests.len()), (Summary::Pending, 1), "a slot is free, so the key is not lost");
}

#[test]
fn f13f_a_thousand_single_fetches_with_default_settings_have_a_thousand_answers() {
    let mut harness = Harness::new();
    harness.checks = false;
    let waiters: Vec<Waiter> = keys(1_000).iter().map(|key| harness.fetch(key)).collect();
    order_of(&mut harness);
    assert!(waiters.iter().all(|waiter| waiter.outcome() == Summary::Null));
}

#[test]
fn f13a_batches_of_a_thousand_keys_lose_no_key() {
    for (order, places) in
        [(QueueOrder::Fifo, 65_536), (QueueOrder::Lifo, 65_536), (QueueOrder::Fifo, 256), (QueueOrder::Lifo, 256), (QueueOrder::Lifo, 0)]
    {
        let mut harness = Harness::with(|settings| {
            (settings.tasks.queue_order, settings.tasks.queue_max_keys) = (order, places);
        });
        harness.checks = false;
        let mut batches = Vec::new();
        for nth in 0..12 {
            // Each batch shares half of its keys with the one before.
            let names: Vec<String> = (500 * nth..500 * nth + 1_000).map(|key| format!("k{key}")).collect();
            batches.push(harness.ask(Form::All, &refs(&names), |options| options.urgency = nth % 3));
            harness.fetch(&format!("single {nth}"));
        }
        assert_eq!(harness.table.check(), Ok(()));
        order_of(&mut harness);
        for batch in &batches {
            assert!(batch.outcomes().iter().all(|outcome| *outcome == Summary::Null), "{order:?} with {places} places");
        }
    }
}

#[test]
fn f13a_a_key_whose_place_is_taken_is_deferred_again() {
    let mut harness = Harness::with(narrow(2, QueueOrder::Lifo));
    harness.fetch("busy");
    let batch = harness.fetch_each(&["a1", "a2", "a3"]);
    assert_eq!(waiting(&harness), (1, 2), "the share is one place");
    let singles = [harness.fetch("s1"), harness.fetch("s2")];
    assert_eq!(waiting(&harness), (2, 3), "single keys hold both places");
    assert_eq!(order_of(&mut harness), ["busy", "s2", "s1", "a1", "a2", "a3"]);
    assert!(batch.has_ended() && singles.iter().all(Waiter::has_ended) && lost_of(&batch) == 0);
}

#[test]
fn f13a_a_single_key_that_a_batch_wants_too_is_not_lost() {
    let mut harness = Harness::with(narrow(1, QueueOrder::Lifo));
    harness.fetch("busy");
    let single = harness.fetch("a");
    harness.fetch_each(&["a", "b"]);
    let newcomer = harness.fetch("c");
    assert_eq!([single.outcome(), newcomer.outcome()], [Summary::Pending, Summary::Pending]);
    assert_eq!(order_of(&mut harness), ["busy", "c", "b", "a"]);
}

#[test]
fn f13a_a_key_wanted_only_by_single_fetches_may_be_lost() {
    let mut harness = Harness::with(narrow(2, QueueOrder::Lifo));
    harness.fetch("busy");
    let batch = harness.fetch_each(&["a", "b"]);
    let single = harness.fetch("a");
    harness.cancel(&batch);
    harness.fetch("c");
    assert_eq!(single.outcome(), Summary::Pending, "there are two places");
    harness.fetch("d");
    assert!(is_lost(&single));
}

#[test]
fn f13b_a_new_key_takes_a_place_only_from_a_less_urgent_key_or_with_lifo_an_older_one() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(1, order));
        harness.fetch("busy");
        let urgent = harness.fetch_with("urgent", |options| options.urgency = 1);
        assert!(is_lost(&harness.fetch("idle")), "{order:?}: the waiting key is more urgent");
        let as_urgent = harness.fetch_with("as urgent", |options| options.urgency = 1);
        let (lost, waits) = if order == QueueOrder::Lifo { (&urgent, &as_urgent) } else { (&as_urgent, &urgent) };
        assert!(is_lost(lost) && waits.outcome() == Summary::Pending, "{order:?}");
        let most_urgent = harness.fetch_with("most urgent", |options| options.urgency = 2);
        assert!(is_lost(waits) && most_urgent.outcome() == Summary::Pending, "{order:?}");
    }
}

#[test]
fn f13b_of_the_least_urgent_keys_the_newest_loses_its_place_with_fifo_and_the_oldest_with_lifo() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(4, order));
        harness.fetch("busy");
        let urgent = harness.fetch_with("urgent", |options| options.urgency = 1);
        let [old, new] = ["old", "new"].map(|key| harness.fetch_with(key, |options| options.urgency = -1));
        let middle = harness.fetch("middle");
        harness.fetch_with("newcomer", |options| options.urgency = 5);
        assert_eq!((is_lost(&old), is_lost(&new)), (order == QueueOrder::Lifo, order == QueueOrder::Fifo));
        assert_eq!([urgent.outcome(), middle.outcome()], [Summary::Pending, Summary::Pending]);
    }
}

#[test]
fn f13b_a_key_that_an_urgent_fetch_joined_keeps_its_place() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(1, order));
        harness.fetch("busy");
        let first = harness.fetch_with("a", |options| options.urgency = -5);
        let urgent = harness.fetch_with("a", |options| options.urgency = 5);
        assert!(is_lost(&harness.fetch("newcomer")), "{order:?}");
        harness.cancel(&urgent);
        harness.fetch("another");
        assert!(is_lost(&first), "{order:?}: the urgent fetch has left");
    }
}

#[test]
fn f13b_a_batch_takes_the_places_of_less_urgent_keys_up_to_its_share() {
    let mut harness = Harness::with(narrow(4, QueueOrder::Fifo));
    harness.fetch("busy");
    let idle: Vec<Waiter> = keys(4).iter().map(|key| harness.fetch_with(key, |options| options.urgency = -1)).collect();
    harness.fetch_each(&["a", "b", "c"]);
    assert_eq!(idle.iter().map(is_lost).collect::<Vec<bool>>(), [false, false, true, true]);
    assert_eq!(waiting(&harness), (4, 1));
}

#[test]
fn f13d_a_refresh_takes_no_place_from_others_and_all_its_keys_are_loaded() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(4, order));
        harness.fetch("busy");
        let users: Vec<Waiter> = keys(3).iter().map(|key| harness.fetch_with(key, |options| options.urgency = -7)).collect();
        harness.ask(Form::Refresh, &["r1", "r2", "r3"], |options| options.urgency = 9);
        assert_eq!(waiting(&harness), (4, 2), "{order:?}");
        users.iter().for_each(|user| assert_eq!(user.outcome(), Summary::Pending, "{order:?}"));
        assert_eq!(order_of(&mut harness).iter().filter(|key| key.starts_with('r')).count(), 3, "{order:?}");
    }
}

#[test]
fn f13d_a_refresh_loses_its_place_to_a_fetch() {
    let mut harness = Harness::with(narrow(1, QueueOrder::Fifo));
    harness.fetch("busy");
    harness.ask(Form::Refresh, &["r"], |options| options.urgency = -1000);
    assert_eq!(waiting(&harness), (1, 0));
    let user = harness.fetch("user");
    assert_eq!((user.outcome(), waiting(&harness)), (Summary::Pending, (1, 1)));
    assert_eq!(order_of(&mut harness), ["busy", "user", "r"]);
}

#[test]
fn f13d_with_reject_a_refresh_without_a_place_is_rejected() {
    let mut harness = Harness::with(rejecting(1, QueueOrder::Lifo));
    harness.fetch("busy");
    let user = harness.fetch("user");
    harness.refresh("r");
    assert_eq!((user.outcome(), harness.table.gauges().in_flight), (Summary::Pending, 2));
    assert_eq!(harness.table.counts().refreshes_refused, 1, "a rejected refresh is counted (rule S12a)");
}

#[test]
fn f13g_a_key_that_the_new_fetch_wants_too_keeps_its_place() {
    for (names, overflow) in [(["a", "c"], Overflow::Wait), (["c", "a"], Overflow::Wait), (["c", "a"], Overflow::Reject)] {
        let mut harness = Harness::with(|settings| {
            narrow(2, QueueOrder::Lifo)(settings);
            settings.tasks.queue_overflow = overflow;
        });
        harness.fetch("busy");
        let [a, b] = [harness.fetch("a"), harness.fetch("b")];
        let newcomer = harness.fetch_each(&names);
        assert_eq!((a.outcome(), is_lost(&b)), (Summary::Pending, true), "a fetch of {names:?}");
        assert_eq!(newcomer.outcomes(), [Summary::Pending, Summary::Pending], "a fetch of {names:?}");
    }
}

#[test]
fn f13g_a_fetch_that_joins_every_waiting_key_takes_no_place() {
    for (overflow, expected) in [(Overflow::Wait, Summary::Pending), (Overflow::Reject, failed_with(Status::ERR_QUEUE_FULL))] {
        let mut harness = Harness::with(|settings| {
            narrow(1, QueueOrder::Lifo)(settings);
            settings.tasks.queue_overflow = overflow;
        });
        harness.fetch("busy");
        let first = harness.fetch("a");
        let newcomer = harness.fetch_each(&["b", "a"]);
        assert_eq!((first.outcome(), newcomer.outcomes()), (Summary::Pending, vec![expected, Summary::Pending]), "{overflow:?}");
    }
}

#[test]
fn f13g_keys_settled_by_the_look_ahead_are_processed_once() {
    let mut harness = Harness::with(|settings| {
        narrow(1, QueueOrder::Lifo)(settings);
        settings.cache.error_ttl_ms = 1_000;
    });
    harness.fetch("bad");
    harness.fail_for_good(0, "bad", 4);
    harness.finish(0);
    harness.fetch("busy");
    harness.fetch("a");
    harness.put("hit", "v");
    let waiter = harness.ask(Form::Each, &["b", "a", "hit", "bad", "b"], |options| options.missed_before = true);
    assert_eq!(waiter.outcomes(), [Summary::Pending, Summary::Pending, value("v"), Summary::Error(4), Summary::Pending]);
    let counts = harness.table.counts();
    assert_eq!((counts.misses.started, counts.misses.joined, counts.misses.remembered), (4, 2, 1));
}

#[test]
fn f13_every_waiter_of_a_lost_key_is_settled() {
    let mut harness = Harness::with(narrow(1, QueueOrder::Lifo));
    harness.fetch("busy");
    let (one, two) = (harness.fetch("a"), harness.fetch("a"));
    harness.fetch("b");
    assert!(is_lost(&one) && is_lost(&two));
    assert_eq!(harness.table.counts().flights_ended.lost, 1);
}

#[test]
fn f13_one_fetch_holds_its_share_of_the_places_and_its_other_keys_are_deferred() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(narrow(8, order));
        harness.fetch("busy");
        let names = keys(20);
        let big = harness.fetch_each(&refs(&names));
        assert_eq!(waiting(&harness), (4, 16));
        assert_eq!(order_of(&mut harness)[1..], names, "the keys of one fetch follow in the order of the call");
        assert_eq!(lost_of(&big), 0);
    }
}

#[test]
fn f13_a_share_is_at_least_one_place() {
    let mut harness = Harness::with(|settings| {
        narrow(3, QueueOrder::Lifo)(settings);
        settings.tasks.queue_share = 0.0;
    });
    harness.fetch("busy");
    let waiter = harness.fetch_each(&["a", "b", "c"]);
    assert_eq!(waiting(&harness), (1, 2));
    assert_eq!(order_of(&mut harness), ["busy", "a", "b", "c"]);
    assert!(waiter.has_ended());
}

#[test]
fn f13_a_deferred_key_can_be_joined_and_cancelled() {
    let mut harness = Harness::with(narrow(2, QueueOrder::Fifo));
    harness.fetch("busy");
    let big = harness.fetch_each(&["a", "b", "c"]);
    let other = harness.fetch("c");
    assert_eq!(waiting(&harness), (1, 2));
    harness.cancel(&big);
    assert_eq!(harness.table.gauges().in_flight, 2, "the running flight and the one that another fetch waits for");
    assert_eq!(order_of(&mut harness), ["busy", "c"]);
    assert_eq!(other.outcome(), Summary::Null);
}

#[test]
fn f13_free_places_are_given_to_every_fetch_that_lacks_some() {
    let mut harness = Harness::with(narrow(4, QueueOrder::Lifo));
    harness.fetch("busy");
    harness.fetch_each(&["a1", "a2", "a3"]);
    harness.fetch_each(&["b1", "b2", "b3"]);
    let third = harness.fetch_each(&["c1", "c2", "c3"]);
    assert_eq!(waiting(&harness), (4, 5), "the newest fetch has taken the places of the oldest");
    harness.cancel(&third);
    assert_eq!(waiting(&harness), (4, 2));
    harness.put("b1", "v");
    harness.put("b2", "v");
    assert_eq!(waiting(&harness), (3, 1), "one place is free, because each fetch holds its share");
}

#[test]
fn f13_a_put_that_settles_a_waiting_key_gives_its_place_to_a_deferred_one() {
    let mut harness = Harness::with(narrow(2, QueueOrder::Fifo));
    harness.fetch("busy");
    let waiter = harness.fetch_each(&["a1", "a2"]);
    assert_eq!(waiting(&harness), (1, 1));
    harness.put("a1", "v");
    assert_eq!((waiter.outcomes()[0].clone(), waiting(&harness)), (value("v"), (1, 0)));
}

#[test]
fn f13_with_reject_every_key_beyond_the_places_is_lost() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(rejecting(3, order));
        harness.fetch("busy");
        let names = keys(10);
        let waiter = harness.fetch_each(&refs(&names));
        assert_eq!((lost_of(&waiter), waiting(&harness)), (7, (3, 0)), "{order:?}");
    }
}

#[test]
fn f13a_with_reject_a_newcomer_takes_places_of_batches_too() {
    for order in QueueOrder::ALL {
        let mut harness = Harness::with(rejecting(2, order));
        harness.fetch("busy");
        let batch = harness.fetch_each(&["a", "b"]);
        harness.fetch_with("urgent", |options| options.urgency = 1);
        assert_eq!(lost_of(&batch), 1, "{order:?}");
        assert_eq!(order_of(&mut harness), ["busy", "urgent", "a"], "{order:?}");
    }
}
