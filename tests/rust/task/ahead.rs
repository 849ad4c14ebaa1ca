//! Loads of entries that are used and will soon be over (rule R05), as the table sees them.

use super::world::{Said, World, failed_with, ms, stale, value};
use kvlight::base::Status;
use kvlight::base::config::BACKGROUND;
use kvlight::task::breaker::Forced;

#[test]
fn r05_it_loads_in_the_background_tells_nobody_and_is_stored() {
    let mut world = World::new();
    world.put("k", "old");
    world.refresh_ahead("k");
    assert_eq!((world.handed(), world.requests[0].handout.urgency), (vec![vec!["k".to_owned()]], BACKGROUND));
    assert_eq!(world.fetch("k").outcome(), value("old"), "uses go on hitting");
    world.answer(0, "k", "new");
    world.finish(0);
    assert_eq!(world.lookup("k"), value("new"));
    let counts = world.table.counts();
    assert_eq!((counts.ahead_started, counts.ahead_succeeded, counts.misses()), (1, 1, 0));
    assert!(world.table.is_idle());
}

#[test]
fn r05_it_joins_a_load_under_way_and_others_join_it() {
    let mut world = World::new();
    world.put("k", "old");
    world.refresh("k");
    world.refresh_ahead("k");
    world.refresh_ahead("k");
    assert_eq!((world.requests.len(), world.table.counts().ahead_started), (1, 0));
    world.answer(0, "k", "new");
    world.refresh_ahead("k");
    world.shelf.lose("k");
    let waiter = world.fetch("k");
    assert_eq!(world.requests.len(), 2);
    world.answer(1, "k", "newer");
    assert_eq!(waiter.outcome(), value("newer"));
}

#[test]
fn r05_it_displaces_nobody_and_is_dropped_where_there_is_no_place() {
    let mut world = World::with(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (1, 1, 1);
    });
    world.fetch("running");
    let waits = world.fetch_with("waits", |options| options.urgency = BACKGROUND - 1);
    world.refresh_ahead("k");
    assert_eq!((world.table.counts().ahead_dropped, world.table.gauges().deferred), (1, 0));
    assert_eq!(waits.outcome(), Said::Nothing);

    let mut world = World::with(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (1, 1, 1);
    });
    world.fetch("running");
    world.refresh_ahead("k");
    world.fetch("urgent");
    let counts = world.table.counts();
    assert_eq!((counts.ahead_started, counts.ahead_dropped, counts.flights_lost), (1, 1, 1), "and gives its place to a fetch");
}

#[test]
fn r05_it_gathers_with_others_into_one_request() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.fetch("running");
    ["a", "b", "c"].into_iter().for_each(|key| world.refresh_ahead(key));
    world.fetch("d");
    world.answer(0, "running", "v");
    world.finish(0);
    assert_eq!(world.handed()[1], ["d", "a", "b", "c"], "behind what a fetch waits for");
}

#[test]
fn r05_if_it_fails_the_entry_stays_and_the_store_hears_of_it() {
    let mut world = World::with(|settings| {
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    world.put("k", "old");
    world.refresh_ahead("k");
    world.fail(0, "k", 503);
    world.finish(0);
    world.advance(10);
    assert_eq!((world.requests.len(), world.shelf.failed_ahead().len()), (2, 0), "it is tried again like any other");
    world.fail(1, "k", 503);
    world.finish(1);
    assert_eq!((world.shelf.failed_ahead(), world.lookup("k")), (vec!["k".to_owned()], value("old")));
    assert_eq!((world.table.counts().ahead_failed, world.table.counts().stale_error), (1, 0));
    assert_eq!(world.table.next_due(), None, "a fresh entry is no fallback: the key is not left alone");
}

#[test]
fn r05_what_ends_while_it_is_loaded_anew_is_a_fallback_like_any_other() {
    let mut world = World::new();
    world.put("k", "old");
    world.refresh_ahead("k");
    world.shelf.age("k");
    let waiter = world.fetch("k");
    world.fail(0, "k", 503);
    assert_eq!(waiter.outcome(), stale("old", Some(Status::ERR_PROVIDER)));
}

#[test]
fn r05_f08_a_write_overtakes_it() {
    let mut world = World::new();
    world.put("k", "old");
    world.refresh_ahead("k");
    world.put("k", "put");
    world.answer(0, "k", "loaded");
    assert_eq!(world.lookup("k"), value("put"));
}

#[test]
fn r05_an_open_breaker_and_a_close_drop_it() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.step(|table, turn| table.force_breaker(Forced::Open, turn));
    world.refresh_ahead("k");
    assert_eq!((world.requests.len(), world.table.counts().ahead_dropped), (0, 1));
    world.step(|table, turn| table.force_breaker(Forced::No, turn));
    world.refresh_ahead("k");
    let waiter = world.fetch("k");
    world.close();
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED));
    assert_eq!((world.table.counts().ahead_started, world.table.counts().ahead_dropped), (1, 2));
}
