//! Refresh ahead of expiry (rule R05), as far as the table is concerned.

use super::harness::{Harness, Summary, failed_with, ms, stale, value};
use kvlight::base::Status;
use kvlight::base::config::BACKGROUND;
use kvlight::task::breaker::BreakerOverride;

#[test]
fn r05_a_refresh_ahead_loads_in_the_background_delivers_nothing_and_is_stored() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    harness.refresh_ahead("k");
    assert_eq!((harness.handed(), harness.requests[0].handout.urgency), (vec![vec!["k".to_owned()]], BACKGROUND));
    assert_eq!(harness.fetch("k").outcome(), value("old"), "fetches still hit");
    harness.answer(0, "k", "new");
    harness.finish(0);
    assert_eq!(harness.lookup("k"), value("new"));
    let counts = harness.table.counts();
    assert_eq!((counts.ahead_started, counts.ahead_succeeded, counts.misses.total()), (1, 1, 0));
    assert!(harness.table.is_idle());
}

#[test]
fn r05_a_refresh_ahead_joins_a_running_load_and_fetches_join_it() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    harness.refresh("k");
    harness.refresh_ahead("k");
    harness.refresh_ahead("k");
    assert_eq!((harness.requests.len(), harness.table.counts().ahead_started), (1, 0));
    harness.answer(0, "k", "new");
    harness.refresh_ahead("k");
    harness.store.evict("k");
    let waiter = harness.fetch("k");
    assert_eq!(harness.requests.len(), 2);
    harness.answer(1, "k", "newer");
    assert_eq!(waiter.outcome(), value("newer"));
}

#[test]
fn r05_a_refresh_ahead_takes_no_place_from_others_and_is_dropped_without_one() {
    let mut harness = Harness::with(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (1, 1, 1);
    });
    harness.fetch("running");
    let waits = harness.fetch_with("waits", |options| options.urgency = BACKGROUND - 1);
    harness.refresh_ahead("k");
    assert_eq!((harness.table.counts().ahead_dropped, harness.table.gauges().deferred), (1, 0));
    assert_eq!(waits.outcome(), Summary::Pending);

    let mut harness = Harness::with(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (1, 1, 1);
    });
    harness.fetch("running");
    harness.refresh_ahead("k");
    harness.fetch("urgent");
    let counts = harness.table.counts();
    assert_eq!(
        (counts.ahead_started, counts.ahead_dropped, counts.flights_ended.lost),
        (1, 1, 1),
        "a refresh ahead gives its place to a fetch"
    );
}

#[test]
fn r05_refreshes_ahead_share_a_request_with_other_keys() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("running");
    ["a", "b", "c"].into_iter().for_each(|key| harness.refresh_ahead(key));
    harness.fetch("d");
    harness.answer(0, "running", "v");
    harness.finish(0);
    assert_eq!(harness.handed()[1], ["d", "a", "b", "c"], "refreshes ahead come after the key of a fetch");
}

#[test]
fn r05_if_a_refresh_ahead_fails_the_entry_stays_and_the_store_is_notified() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    harness.put("k", "old");
    harness.refresh_ahead("k");
    harness.fail(0, "k", 503);
    harness.finish(0);
    harness.advance(10);
    assert_eq!((harness.requests.len(), harness.store.failed_refreshes().len()), (2, 0), "the load is retried like any other");
    harness.fail(1, "k", 503);
    harness.finish(1);
    assert_eq!((harness.store.failed_refreshes(), harness.lookup("k")), (vec!["k".to_owned()], value("old")));
    assert_eq!((harness.table.counts().ahead_failed, harness.table.counts().stale_error), (1, 0));
    assert_eq!(harness.table.next_due(), None, "a fresh entry is not a fallback, so the key is not throttled");
}

#[test]
fn r05_an_entry_that_expires_during_its_refresh_is_a_fallback() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    harness.refresh_ahead("k");
    harness.store.make_stale("k");
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 503);
    assert_eq!(waiter.outcome(), stale("old", Some(Status::ERR_PROVIDER)));
}

#[test]
fn r05_f08_a_write_overtakes_a_refresh_ahead() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    harness.refresh_ahead("k");
    harness.put("k", "put");
    harness.answer(0, "k", "loaded");
    assert_eq!(harness.lookup("k"), value("put"));
}

#[test]
fn r05_an_open_breaker_and_a_close_drop_refreshes_ahead() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    harness.refresh_ahead("k");
    assert_eq!((harness.requests.len(), harness.table.counts().ahead_dropped), (0, 1));
    harness.step(|table, cx| table.force_breaker(BreakerOverride::No, cx));
    harness.refresh_ahead("k");
    let waiter = harness.fetch("k");
    harness.close();
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED));
    assert_eq!((harness.table.counts().ahead_started, harness.table.counts().ahead_dropped), (1, 2));
}
