//! One flight per key: who joins it, what a write and a cancel do to it (rules F06 to F09, F19, F20).

use super::world::{Happening, Said, World, failed_with, value};
use kvlight::base::Status;
use kvlight::base::config::ReadMode;
use kvlight::task::{Cancel, Form, Source, TakeResult, Unanswered};

#[test]
fn f06_all_forms_of_fetch_share_one_flight() {
    let mut world = World::new();
    let one = world.fetch("k");
    let each = world.fetch_each(&["k", "k"]);
    let all = world.fetch_all(&["k"]);
    world.refresh("k");
    assert_eq!(world.requests.len(), 1, "one key was loaded twice at the same time");
    world.answer(0, "k", "v");
    assert_eq!([one.outcomes(), each.outcomes(), all.outcomes()].concat(), vec![value("v"); 4]);
    assert!(world.table.is_idle());
}

#[test]
fn f06_a_flight_that_backs_off_is_joined() {
    let mut world = World::with(|settings| {
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = super::world::ms(100);
    });
    let first = world.fetch("k");
    world.fail(0, "k", 1);
    let second = world.fetch("k");
    assert_eq!(world.requests.len(), 1, "a key in backoff was loaded by somebody else");
    world.advance(100);
    world.answer(1, "k", "v");
    assert_eq!([first.outcome(), second.outcome()], [value("v"), value("v")]);
}

#[test]
fn f07_the_store_has_the_answer_before_anybody_is_told() {
    let mut world = World::new();
    let waiter = world.fetch("k");
    world.answer(0, "k", "v");
    assert_eq!(waiter.told()[0].in_store, value("v"), "a lookup from the callback would have missed");
}

#[test]
fn f07_who_missed_before_and_registers_after_hits() {
    let mut world = World::new();
    world.put("k", "v");
    let waiter = world.fetch_with("k", |options| options.missed_before = true);
    assert_eq!((waiter.outcome(), world.requests.len()), (value("v"), 0));
}

#[test]
fn f07_an_answer_that_is_not_stored_ends_its_flight_all_the_same() {
    let mut world = World::new();
    let waiter = world.fetch_with("k", |options| options.fetch.read = ReadMode::NoStore);
    world.answer(0, "k", "v");
    assert_eq!((waiter.outcome(), world.lookup("k")), (value("v"), Said::Miss));
    assert!(world.table.is_idle());
}

/// A put that arrives while the provider works wins: the late answer reaches those who waited, never the store.
#[test]
fn f08_put_beats_the_load_under_way() {
    let mut world = World::new();
    let waiter = world.fetch("k");
    world.put("k", "new");
    world.answer(0, "k", "old");
    assert_eq!(waiter.outcome(), value("old"));
    assert_eq!(world.lookup("k"), value("new"));
}

#[test]
fn f08_a_fetch_after_a_remove_starts_anew() {
    let mut world = World::new();
    let before = world.fetch("k");
    world.remove("k");
    let after = world.fetch("k");
    world.answer(0, "k", "old");
    assert_eq!((before.outcome(), after.outcome()), (value("old"), Said::Nothing));
    assert_eq!(world.lookup("k"), Said::Miss, "what was loaded before the remove was stored after it");
    world.answer(1, "k", "new");
    assert_eq!((after.outcome(), world.lookup("k")), (value("new"), value("new")));
}

#[test]
fn f08_clear_overtakes_every_load_under_way() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b"]);
    world.clear();
    let after = world.fetch("b");
    world.answer(0, "a", "1");
    world.answer(0, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2")]);
    assert_eq!([world.lookup("a"), world.lookup("b"), after.outcome()], [Said::Miss, Said::Miss, Said::Nothing]);
}

#[test]
fn f08_a_waiting_flight_is_settled_by_a_put_and_not_by_a_remove() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.fetch("busy");
    let waiter = world.fetch("k");
    world.remove("k");
    world.clear();
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.put("k", "v");
    assert_eq!((waiter.outcome(), waiter.details(0).source), (value("v"), Source::Put));
    world.finish(0);
    assert_eq!(world.requests.len(), 1, "a key was loaded after a put had settled it");
}

#[test]
fn f08_a_flight_that_waited_through_a_remove_stores_its_answer() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.fetch("busy");
    let waiter = world.fetch("k");
    world.remove("k");
    world.finish(0);
    world.answer(1, "k", "v");
    assert_eq!((waiter.outcome(), world.lookup("k")), (value("v"), value("v")));
}

#[test]
fn f08_a_refresh_is_overtaken_too() {
    let mut world = World::new();
    world.put("k", "old");
    world.refresh("k");
    world.put("k", "new");
    world.answer(0, "k", "refreshed");
    assert_eq!(world.lookup("k"), value("new"));
}

#[test]
fn f08_an_overtaken_flight_is_retried_for_its_waiters_and_still_never_stores() {
    let mut world = World::with(|settings| settings.fetch.retry.count = Some(1));
    let waiter = world.fetch("k");
    world.remove("k");
    world.fail(0, "k", 1);
    world.answer(1, "k", "again");
    assert_eq!((waiter.outcome(), world.lookup("k")), (value("again"), Said::Miss));
}

#[test]
fn f09_cancel_settles_what_is_unsettled_and_is_idempotent() {
    let mut world = World::new();
    let waiter = world.fetch_all(&["a", "b"]);
    world.answer(0, "a", "1");
    world.cancel(&waiter);
    world.cancel(&waiter);
    assert_eq!(waiter.batch(), Some((vec![value("1"), failed_with(Status::ERR_CANCELLED)], Status::ERR_CANCELLED)));
    assert_eq!(world.table.counts().fetch_cancels, 1);
}

#[test]
fn f09_a_waiting_flight_that_nobody_wants_leaves_queue_and_backoff_at_once() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = super::world::ms(100);
    });
    let paused = world.fetch("paused");
    world.fail(0, "paused", 1);
    world.finish(0);
    world.fetch("busy");
    let queued = world.fetch("queued");
    world.cancel(&paused);
    world.cancel(&queued);
    assert_eq!(world.table.gauges().in_flight, 1, "only the one that is busy is left");
    world.advance(1_000);
    world.finish(1);
    assert_eq!(world.handed(), [["paused"], ["busy"]]);
}

#[test]
fn f09_a_running_flight_stays_joinable_while_its_request_is_wanted() {
    let mut world = World::new();
    let both = world.fetch_each(&["a", "b"]);
    let also = world.fetch("a");
    world.cancel(&both);
    assert!(world.hooks.is_empty(), "somebody waits for a key of the request, and it was told to stop");
    let late = world.fetch("b");
    assert_eq!(world.requests.len(), 1, "the flight was still joinable");
    world.answer(0, "b", "2");
    world.answer(0, "a", "1");
    assert_eq!([also.outcome(), late.outcome()], [value("1"), value("2")]);
}

#[test]
fn f09_a_request_is_told_when_the_last_wanted_key_is_answered() {
    let mut world = World::new();
    let both = world.fetch_each(&["a", "b"]);
    let also = world.fetch("a");
    world.cancel(&both);
    world.answer(0, "a", "1");
    assert_eq!(also.outcome(), value("1"));
    assert_eq!(world.hooks, [(0, Cancel::Unwanted)], "nobody wants what is left of the request");
    let late = world.fetch("b");
    assert_eq!(world.handed()[1], ["b"], "a told flight was joined");
    world.answer(1, "b", "2");
    assert_eq!(late.outcome(), value("2"));
}

#[test]
fn f09_who_comes_after_the_telling_starts_a_new_load() {
    let mut world = World::new();
    let first = world.fetch("k");
    world.cancel(&first);
    assert_eq!((first.outcome(), world.hooks.clone()), (failed_with(Status::ERR_CANCELLED), vec![(0, Cancel::Unwanted)]));
    let second = world.fetch("k");
    assert_eq!(world.requests.len(), 2);
    world.fail(0, "k", 1);
    assert_eq!(second.outcome(), Said::Nothing, "the error of a told request reached a newcomer");
    world.answer(1, "k", "v");
    assert_eq!(second.outcome(), value("v"));
}

#[test]
fn f09_a_told_answer_is_stored_if_nothing_newer_was() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b", "c"]);
    world.cancel(&waiter);
    world.put("b", "new");
    world.answer(0, "a", "1");
    world.answer(0, "b", "2");
    let newer = world.fetch("c");
    world.answer(1, "c", "3");
    world.answer(0, "c", "stale");
    assert_eq!([world.lookup("a"), world.lookup("b"), world.lookup("c")], [value("1"), value("new"), value("3")]);
    assert_eq!(newer.outcome(), value("3"));
}

#[test]
fn f09_a_told_flight_is_not_retried() {
    let mut world = World::with(|settings| settings.fetch.retry.count = None);
    let waiter = world.fetch("k");
    world.cancel(&waiter);
    world.fail(0, "k", 1);
    assert_eq!(world.requests.len(), 1);
    assert!(world.table.is_idle());
}

#[test]
fn f09_a_told_request_that_was_not_taken_yet_is_skipped() {
    let mut world = World::new();
    world.by_hand = true;
    let waiter = world.fetch("k");
    world.cancel(&waiter);
    assert_eq!(world.take(0), TakeResult::Skip);
    world.finish(0);
    assert_eq!(world.table.gauges().running, 0);
}

#[test]
fn f09_a_refresh_keeps_a_flight_that_its_waiters_left() {
    let mut world = World::new();
    let waiter = world.fetch("k");
    world.refresh("k");
    world.cancel(&waiter);
    assert!(world.hooks.is_empty(), "the refresh still wants the key");
    world.answer(0, "k", "v");
    assert_eq!(world.lookup("k"), value("v"));
}

#[test]
fn f19_cache_only_neither_starts_nor_joins() {
    let mut world = World::new();
    world.fetch("k");
    let waiter = world.ask(Form::Each, &["k", "x"], |options| options.fetch.read = ReadMode::CacheOnly);
    assert_eq!(waiter.outcomes(), [Said::Miss, Said::Miss]);
    assert_eq!((world.requests.len(), world.table.counts().missed_cache_only), (1, 2));
}

#[test]
fn f19_a_refresh_never_reads_and_leaves_the_old_value_to_others() {
    let mut world = World::new();
    world.put("k", "old");
    let refreshing = world.fetch_with("k", |options| options.fetch.read = ReadMode::Refresh);
    assert_eq!(world.fetch("k").outcome(), value("old"));
    world.answer(0, "k", "new");
    assert_eq!((refreshing.outcome(), world.lookup("k")), (value("new"), value("new")));
}

#[test]
fn f19_a_refresh_that_fails_leaves_the_old_value() {
    let mut world = World::new();
    world.put("k", "old");
    world.refresh("k");
    world.fail(0, "k", 1);
    assert_eq!(world.lookup("k"), value("old"));
}

#[test]
fn f19_stored_unless_all_waiters_said_no_store() {
    let mut world = World::new();
    world.fetch_with("k", |options| options.fetch.read = ReadMode::NoStore);
    world.fetch("k");
    world.answer(0, "k", "v");
    assert_eq!(world.lookup("k"), value("v"));
}

#[test]
fn f19_the_highest_entry_priority_and_urgency_count() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.fetch("busy");
    world.fetch_with("low", |options| options.fetch.priority = Some(1.0));
    world.fetch_with("other", |options| options.urgency = 1);
    world.fetch_with("low", |options| {
        options.fetch.priority = Some(5.0);
        options.urgency = 2;
    });
    world.finish(0);
    assert_eq!(world.handed()[1], ["low", "other"], "an urgent newcomer did not lift the flight it joined");
    world.answer(1, "low", "v");
    assert_eq!(world.shelf.priority("low"), Some(5.0));
}

#[test]
fn f19_a_refresh_that_joins_lifts_priority_and_urgency_too() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.fetch("busy");
    world.fetch("k");
    world.fetch_with("other", |options| options.urgency = 1);
    world.ask(Form::Refresh, &["k"], |options| {
        options.urgency = 2;
        options.fetch.priority = Some(4.0);
    });
    world.finish(0);
    assert_eq!(world.handed()[1], ["k", "other"]);
    world.answer(1, "k", "v");
    assert_eq!(world.shelf.priority("k"), Some(4.0));
}

#[test]
fn f19_the_first_waiters_retry_policy_is_the_flights() {
    let mut world = World::new();
    let first = world.fetch_with("k", |options| options.fetch.retry.count = Some(1));
    let second = world.fetch("k");
    world.fail(0, "k", 1);
    world.fail(1, "k", 2);
    assert_eq!([first.outcome(), second.outcome()], [Said::Error(2), Said::Error(2)]);
}

#[test]
fn f19_a_refresh_of_an_invalid_key_tells_nobody() {
    let mut world = World::new();
    world.ask(Form::Refresh, &["!k", "a"], |_| {});
    assert_eq!(world.handed(), [["a"]]);
}

#[test]
fn f20_a_final_error_is_remembered_for_its_time() {
    let mut world = World::with(|settings| settings.cache.error_ttl_ms = 1_000);
    world.fetch("k");
    world.fail(0, "k", 7);
    let soon = world.fetch("k");
    assert_eq!((soon.outcome(), soon.details(0).source), (Said::Error(7), Source::ErrorMemory));
    world.advance(1_000);
    world.fetch("k");
    assert_eq!(world.requests.len(), 2, "the error outlived its time");
}

#[test]
fn f20_writes_refresh_and_later_answers_forget_a_remembered_error() {
    let forgets: [Happening; 5] = [
        ("put", |world| world.put("k", "v")),
        ("remove", |world| world.remove("k")),
        ("clear", |world| world.clear()),
        ("a later answer", |world| {
            world.refresh("k");
            world.answer(1, "k", "v");
        }),
        ("an extra", |world| {
            world.fetch("other");
            world.extra(1, "k", "v");
        }),
    ];
    for (what, forget) in forgets {
        let mut world = World::with(|settings| settings.cache.error_ttl_ms = 1_000);
        world.fetch("k");
        world.fail(0, "k", 7);
        forget(&mut world);
        // Else what is stored would hide what is remembered.
        world.shelf.lose("k");
        assert_eq!(world.fetch("k").outcome(), Said::Nothing, "{what} did not forget the error");
    }
}

#[test]
fn f20_only_a_final_error_of_the_providers_is_remembered() {
    let mut world = World::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.fetch.retry.count = Some(1);
    });
    world.fetch("k");
    world.fail(0, "k", 7);
    assert_eq!(world.fetch("k").outcome(), Said::Nothing, "an error that is retried was remembered");
    world.finish_with(1, Unanswered::Unanswered);
    world.fetch("k");
    assert_eq!(world.requests.len(), 3, "an error that was not the provider's was remembered");
}

#[test]
fn f20_at_most_so_many_errors_are_remembered() {
    let mut world = World::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.cache.error_capacity = 2;
    });
    for (nth, key) in ["a", "b", "c"].into_iter().enumerate() {
        world.fetch(key);
        world.fail(nth, key, 7);
    }
    assert_eq!([world.fetch("b").outcome(), world.fetch("c").outcome()], [Said::Error(7), Said::Error(7)]);
    assert_eq!(world.fetch("a").outcome(), Said::Nothing, "the oldest error was kept");
}

#[test]
fn s20_remembered_errors_are_forgotten_by_the_timer() {
    let mut world = World::with(|settings| settings.cache.error_ttl_ms = 1_000);
    for (nth, key) in ["a", "b"].into_iter().enumerate() {
        world.fetch(key);
        world.fail(nth, key, 7);
    }
    assert!(world.table.next_due().is_some(), "a timer wakes for them");
    world.advance(999);
    assert_eq!(world.fetch("a").outcome(), Said::Error(7));
    world.advance(1);
    assert!(world.table.next_due().is_none(), "nothing is left to wait for, since nobody had to ask");
}

#[test]
fn f20_off_by_default() {
    let mut world = World::new();
    world.fetch("k");
    world.fail(0, "k", 7);
    world.fetch("k");
    assert_eq!(world.requests.len(), 2);
}
