//! Who holds a place in the queue, who waits without one, who gives way, and who is lost (rule F13).

use super::admission::narrow;
use super::world::{Said, Waiter, World, failed_with, keys, ms, refs, value};
use kvlight::base::Status;
use kvlight::base::config::{Overflow, QueueOrder, Settings};
use kvlight::task::{Form, Unanswered};

const BOTH: [QueueOrder; 2] = [QueueOrder::Fifo, QueueOrder::Lifo];

/// Finishes request after request and says in which order the keys were handed out.
pub fn order_of(world: &mut World) -> Vec<String> {
    let mut nth = 0;
    while nth < world.requests.len() {
        world.finish_with(nth, Unanswered::Null);
        nth += 1;
    }
    world.handed().concat()
}

fn is_lost(waiter: &Waiter) -> bool {
    waiter.outcome() == failed_with(Status::ERR_QUEUE_FULL)
}

fn lost_of(waiter: &Waiter) -> usize {
    waiter.outcomes().iter().filter(|said| **said == failed_with(Status::ERR_QUEUE_FULL)).count()
}

/// How many keys hold a place or are tried again, and how many wait without a place.
fn waiting(world: &World) -> (u64, u64) {
    let gauges = world.table.gauges();
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
    let mut world = World::with(|settings| settings.tasks.queue_max_keys = 0);
    world.fetch("a");
    assert_eq!((world.requests.len(), world.table.gauges().queued), (1, 0));
}

#[test]
fn f13_with_no_places_a_single_key_that_finds_no_slot_is_lost() {
    for order in BOTH {
        let mut world = World::with(narrow(0, order));
        world.fetch("a");
        assert!(is_lost(&world.fetch("b")), "{order:?}");
    }
}

#[test]
fn f13_with_no_places_nothing_lingers() {
    let mut world = World::with(|settings| {
        narrow(0, QueueOrder::Lifo)(settings);
        settings.tasks.batch_linger = ms(10);
    });
    let waiter = world.fetch("a");
    assert_eq!((waiter.outcome(), world.requests.len()), (Said::Nothing, 1), "a slot is free, and the key was lost");
}

#[test]
fn f13f_a_thousand_single_fetches_on_the_defaults_are_a_thousand_answers() {
    let mut world = World::new();
    world.checks = false;
    let waiters: Vec<Waiter> = keys(1_000).iter().map(|key| world.fetch(key)).collect();
    order_of(&mut world);
    assert!(waiters.iter().all(|waiter| waiter.outcome() == Said::Null));
}

#[test]
fn f13a_batches_of_a_thousand_keys_lose_nothing_whatever_else_waits() {
    for (order, places) in
        [(QueueOrder::Fifo, 65_536), (QueueOrder::Lifo, 65_536), (QueueOrder::Fifo, 256), (QueueOrder::Lifo, 256), (QueueOrder::Lifo, 0)]
    {
        let mut world = World::with(|settings| {
            (settings.tasks.queue_order, settings.tasks.queue_max_keys) = (order, places);
        });
        world.checks = false;
        let mut batches = Vec::new();
        for nth in 0..12 {
            // Each shares half of its keys with the one before.
            let names: Vec<String> = (500 * nth..500 * nth + 1_000).map(|key| format!("k{key}")).collect();
            batches.push(world.ask(Form::All, &refs(&names), |options| options.urgency = nth % 3));
            world.fetch(&format!("single {nth}"));
        }
        assert_eq!(world.table.check(), Ok(()));
        order_of(&mut world);
        for batch in &batches {
            assert!(batch.outcomes().iter().all(|said| *said == Said::Null), "{order:?} on {places} places");
        }
    }
}

#[test]
fn f13a_a_key_whose_place_is_taken_is_deferred_again() {
    let mut world = World::with(narrow(2, QueueOrder::Lifo));
    world.fetch("busy");
    let batch = world.fetch_each(&["a1", "a2", "a3"]);
    assert_eq!(waiting(&world), (1, 2), "its share is one place");
    let singles = [world.fetch("s1"), world.fetch("s2")];
    assert_eq!(waiting(&world), (2, 3), "both places are the singles'");
    assert_eq!(order_of(&mut world), ["busy", "s2", "s1", "a1", "a2", "a3"]);
    assert!(batch.is_over() && singles.iter().all(Waiter::is_over) && lost_of(&batch) == 0);
}

#[test]
fn f13a_a_single_key_that_a_batch_wants_too_is_not_lost() {
    let mut world = World::with(narrow(1, QueueOrder::Lifo));
    world.fetch("busy");
    let single = world.fetch("a");
    world.fetch_each(&["a", "b"]);
    let newcomer = world.fetch("c");
    assert_eq!([single.outcome(), newcomer.outcome()], [Said::Nothing, Said::Nothing]);
    assert_eq!(order_of(&mut world), ["busy", "c", "b", "a"]);
}

#[test]
fn f13a_a_key_of_which_only_single_fetches_are_left_may_be_lost() {
    let mut world = World::with(narrow(2, QueueOrder::Lifo));
    world.fetch("busy");
    let batch = world.fetch_each(&["a", "b"]);
    let single = world.fetch("a");
    world.cancel(&batch);
    world.fetch("c");
    assert_eq!(single.outcome(), Said::Nothing, "there are two places");
    world.fetch("d");
    assert!(is_lost(&single));
}

#[test]
fn f13b_a_newcomer_takes_a_place_only_from_a_less_urgent_key_or_under_lifo_an_older_one() {
    for order in BOTH {
        let mut world = World::with(narrow(1, order));
        world.fetch("busy");
        let urgent = world.fetch_with("urgent", |options| options.urgency = 1);
        assert!(is_lost(&world.fetch("idle")), "{order:?}: an urgent key waits");
        let as_urgent = world.fetch_with("as urgent", |options| options.urgency = 1);
        let (lost, waits) = if order == QueueOrder::Lifo { (&urgent, &as_urgent) } else { (&as_urgent, &urgent) };
        assert!(is_lost(lost) && waits.outcome() == Said::Nothing, "{order:?}");
        let most_urgent = world.fetch_with("most urgent", |options| options.urgency = 2);
        assert!(is_lost(waits) && most_urgent.outcome() == Said::Nothing, "{order:?}");
    }
}

#[test]
fn f13b_the_least_urgent_goes_under_fifo_its_newest_and_under_lifo_its_oldest() {
    for order in BOTH {
        let mut world = World::with(narrow(4, order));
        world.fetch("busy");
        let urgent = world.fetch_with("urgent", |options| options.urgency = 1);
        let [old, new] = ["old", "new"].map(|key| world.fetch_with(key, |options| options.urgency = -1));
        let middle = world.fetch("middle");
        world.fetch_with("newcomer", |options| options.urgency = 5);
        assert_eq!((is_lost(&old), is_lost(&new)), (order == QueueOrder::Lifo, order == QueueOrder::Fifo));
        assert_eq!([urgent.outcome(), middle.outcome()], [Said::Nothing, Said::Nothing]);
    }
}

#[test]
fn f13b_a_key_that_somebody_urgent_joined_does_not_give_way() {
    for order in BOTH {
        let mut world = World::with(narrow(1, order));
        world.fetch("busy");
        let first = world.fetch_with("a", |options| options.urgency = -5);
        let urgent = world.fetch_with("a", |options| options.urgency = 5);
        assert!(is_lost(&world.fetch("newcomer")), "{order:?}");
        world.cancel(&urgent);
        world.fetch("another");
        assert!(is_lost(&first), "{order:?}: nobody urgent wants it any more");
    }
}

#[test]
fn f13b_a_batch_takes_the_places_of_less_urgent_singles_as_far_as_its_share_goes() {
    let mut world = World::with(narrow(4, QueueOrder::Fifo));
    world.fetch("busy");
    let idle: Vec<Waiter> = keys(4).iter().map(|key| world.fetch_with(key, |options| options.urgency = -1)).collect();
    world.fetch_each(&["a", "b", "c"]);
    assert_eq!(idle.iter().map(is_lost).collect::<Vec<bool>>(), [false, false, true, true]);
    assert_eq!(waiting(&world), (4, 1));
}

#[test]
fn f13d_a_refresh_costs_nobody_a_place_and_all_of_it_is_loaded() {
    for order in BOTH {
        let mut world = World::with(narrow(4, order));
        world.fetch("busy");
        let users: Vec<Waiter> = keys(3).iter().map(|key| world.fetch_with(key, |options| options.urgency = -7)).collect();
        world.ask(Form::Refresh, &["r1", "r2", "r3"], |options| options.urgency = 9);
        assert_eq!(waiting(&world), (4, 2), "{order:?}");
        users.iter().for_each(|user| assert_eq!(user.outcome(), Said::Nothing, "{order:?}"));
        assert_eq!(order_of(&mut world).iter().filter(|key| key.starts_with('r')).count(), 3, "{order:?}");
    }
}

#[test]
fn f13d_a_refresh_gives_way_to_a_fetch() {
    let mut world = World::with(narrow(1, QueueOrder::Fifo));
    world.fetch("busy");
    world.ask(Form::Refresh, &["r"], |options| options.urgency = -1000);
    assert_eq!(waiting(&world), (1, 0));
    let user = world.fetch("user");
    assert_eq!((user.outcome(), waiting(&world)), (Said::Nothing, (1, 1)));
    assert_eq!(order_of(&mut world), ["busy", "user", "r"]);
}

#[test]
fn f13d_with_reject_a_refresh_is_left_out_where_there_is_no_place() {
    let mut world = World::with(rejecting(1, QueueOrder::Lifo));
    world.fetch("busy");
    let user = world.fetch("user");
    world.refresh("r");
    assert_eq!((user.outcome(), world.table.gauges().in_flight), (Said::Nothing, 2));
    assert_eq!(world.table.counts().refreshes_refused, 1, "a refresh that was left out is counted (rule S12a)");
}

#[test]
fn f13g_what_the_new_fetch_asks_for_itself_keeps_its_place_wherever_it_stands_in_its_list() {
    for (names, overflow) in [(["a", "c"], Overflow::Wait), (["c", "a"], Overflow::Wait), (["c", "a"], Overflow::Reject)] {
        let mut world = World::with(|settings| {
            narrow(2, QueueOrder::Lifo)(settings);
            settings.tasks.queue_overflow = overflow;
        });
        world.fetch("busy");
        let [a, b] = [world.fetch("a"), world.fetch("b")];
        let newcomer = world.fetch_each(&names);
        assert_eq!((a.outcome(), is_lost(&b)), (Said::Nothing, true), "a fetch of {names:?}");
        assert_eq!(newcomer.outcomes(), [Said::Nothing, Said::Nothing], "a fetch of {names:?}");
    }
}

#[test]
fn f13g_a_fetch_that_waits_for_every_key_takes_no_place() {
    for (overflow, told) in [(Overflow::Wait, Said::Nothing), (Overflow::Reject, failed_with(Status::ERR_QUEUE_FULL))] {
        let mut world = World::with(|settings| {
            narrow(1, QueueOrder::Lifo)(settings);
            settings.tasks.queue_overflow = overflow;
        });
        world.fetch("busy");
        let first = world.fetch("a");
        let newcomer = world.fetch_each(&["b", "a"]);
        assert_eq!((first.outcome(), newcomer.outcomes()), (Said::Nothing, vec![told, Said::Nothing]), "{overflow:?}");
    }
}

#[test]
fn f13g_what_comes_to_light_on_the_look_ahead_is_asked_once() {
    let mut world = World::with(|settings| {
        narrow(1, QueueOrder::Lifo)(settings);
        settings.cache.error_ttl_ms = 1_000;
    });
    world.fetch("bad");
    world.fail_for_good(0, "bad", 4);
    world.finish(0);
    world.fetch("busy");
    world.fetch("a");
    world.put("hit", "v");
    let waiter = world.ask(Form::Each, &["b", "a", "hit", "bad", "b"], |options| options.missed_before = true);
    assert_eq!(waiter.outcomes(), [Said::Nothing, Said::Nothing, value("v"), Said::Error(4), Said::Nothing]);
    let counts = world.table.counts();
    assert_eq!((counts.missed_started, counts.missed_joined, counts.missed_remembered), (4, 2, 1));
}

#[test]
fn f13_every_waiter_of_the_loser_is_told() {
    let mut world = World::with(narrow(1, QueueOrder::Lifo));
    world.fetch("busy");
    let (one, two) = (world.fetch("a"), world.fetch("a"));
    world.fetch("b");
    assert!(is_lost(&one) && is_lost(&two));
    assert_eq!(world.table.counts().flights_lost, 1);
}

#[test]
fn f13_one_fetch_holds_its_share_of_the_places_and_its_other_keys_are_deferred() {
    for order in BOTH {
        let mut world = World::with(narrow(8, order));
        world.fetch("busy");
        let names = keys(20);
        let big = world.fetch_each(&refs(&names));
        assert_eq!(waiting(&world), (4, 16));
        assert_eq!(order_of(&mut world)[1..], names, "the keys of one fetch follow in the order asked");
        assert_eq!(lost_of(&big), 0);
    }
}

#[test]
fn f13_a_share_is_at_least_one_place() {
    let mut world = World::with(|settings| {
        narrow(3, QueueOrder::Lifo)(settings);
        settings.tasks.queue_share = 0.0;
    });
    world.fetch("busy");
    let waiter = world.fetch_each(&["a", "b", "c"]);
    assert_eq!(waiting(&world), (1, 2));
    assert_eq!(order_of(&mut world), ["busy", "a", "b", "c"]);
    assert!(waiter.is_over());
}

#[test]
fn f13_a_deferred_key_can_be_joined_and_cancelled_like_any_other() {
    let mut world = World::with(narrow(2, QueueOrder::Fifo));
    world.fetch("busy");
    let big = world.fetch_each(&["a", "b", "c"]);
    let other = world.fetch("c");
    assert_eq!(waiting(&world), (1, 2));
    world.cancel(&big);
    assert_eq!(world.table.gauges().in_flight, 2, "the busy one and the one that somebody else waits for");
    assert_eq!(order_of(&mut world), ["busy", "c"]);
    assert_eq!(other.outcome(), Said::Null);
}

#[test]
fn f13_places_that_become_free_go_to_every_fetch_that_lacks_some() {
    let mut world = World::with(narrow(4, QueueOrder::Lifo));
    world.fetch("busy");
    world.fetch_each(&["a1", "a2", "a3"]);
    world.fetch_each(&["b1", "b2", "b3"]);
    let third = world.fetch_each(&["c1", "c2", "c3"]);
    assert_eq!(waiting(&world), (4, 5), "the newest fetch took the places of the oldest");
    world.cancel(&third);
    assert_eq!(waiting(&world), (4, 2));
    world.put("b1", "v");
    world.put("b2", "v");
    assert_eq!(waiting(&world), (3, 1), "one place is free, but each fetch has its share");
}

#[test]
fn f13_a_put_that_settles_a_waiting_key_gives_its_place_to_a_deferred_one() {
    let mut world = World::with(narrow(2, QueueOrder::Fifo));
    world.fetch("busy");
    let waiter = world.fetch_each(&["a1", "a2"]);
    assert_eq!(waiting(&world), (1, 1));
    world.put("a1", "v");
    assert_eq!((waiter.outcomes()[0].clone(), waiting(&world)), (value("v"), (1, 0)));
}

#[test]
fn f13_with_reject_every_key_beyond_the_places_is_lost() {
    for order in BOTH {
        let mut world = World::with(rejecting(3, order));
        world.fetch("busy");
        let names = keys(10);
        let waiter = world.fetch_each(&refs(&names));
        assert_eq!((lost_of(&waiter), waiting(&world)), (7, (3, 0)), "{order:?}");
    }
}

#[test]
fn f13a_with_reject_a_newcomer_takes_places_of_batches_too() {
    for order in BOTH {
        let mut world = World::with(rejecting(2, order));
        world.fetch("busy");
        let batch = world.fetch_each(&["a", "b"]);
        world.fetch_with("urgent", |options| options.urgency = 1);
        assert_eq!(lost_of(&batch), 1, "{order:?}");
        assert_eq!(order_of(&mut world), ["busy", "urgent", "a"], "{order:?}");
    }
}
