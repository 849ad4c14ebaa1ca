//! Small rules: a drain ends linger, a refresh forgets a remembered error, and what is counted when.

use super::harness::{Harness, Summary, bytes, failed_with, ms, value};
use kvlight::base::{Status, StoreTerms, Ttl};
use kvlight::task::{Form, ProviderAnswer};

#[test]
fn l05a_a_drain_ends_every_linger_at_once() {
    let mut harness = Harness::with(|settings| settings.tasks.batch_linger = ms(3_600_000));
    let waiter = harness.fetch("k");
    assert_eq!(harness.requests.len(), 0, "the key lingers");
    harness.drain(10_000);
    assert_eq!(harness.requests.len(), 1, "no new key can join it");
    harness.answer(0, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f20a_a_refresh_forgets_a_remembered_error_at_once() {
    for refreshes in [true, false] {
        let mut harness = Harness::with(|settings| settings.cache.error_ttl_ms = 60_000);
        harness.fetch("k");
        harness.fail(0, "k", 7);
        assert_eq!(harness.fetch("k").outcome(), Summary::Error(7), "the error is remembered");
        if refreshes {
            harness.refresh("k");
        } else {
            harness.ask(Form::Each, &["k"], |options| options.fetch.read = kvlight::base::config::ReadMode::Refresh);
        }
        let joined = harness.fetch("k");
        assert_eq!(joined.outcome(), Summary::Pending, "the fetch joins the running load instead");
        harness.answer(1, "k", "v");
        assert_eq!(joined.outcome(), value("v"));
    }
}

#[test]
fn s12a_a_retry_counts_when_it_is_handed_out() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(3);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 7);
    assert_eq!(harness.table.counts().retries, 0, "the retry is pausing, and may never begin");
    harness.cancel(&waiter);
    harness.advance(100);
    assert_eq!((harness.table.counts().retries, waiter.outcome()), (0, failed_with(Status::ERR_CANCELLED)));
    harness.fetch("l");
    harness.fail(1, "l", 7);
    harness.advance(100);
    assert_eq!(harness.table.counts().retries, 1);
}

#[test]
fn s12a_an_extra_that_was_not_stored_is_counted_as_refused_and_outdates_no_answer() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 2);
    let waiter = harness.fetch("k");
    harness.fetch("other");
    let id = harness.requests[1].id;
    let terms = StoreTerms { ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() };
    harness.step(|table, cx| table.extra(id, b"k", bytes("passing"), terms, cx));
    assert_eq!((harness.table.counts().extras_stored, harness.table.counts().extras_refused), (0, 1));
    harness.give(0, "k", ProviderAnswer::Answer(bytes("v"), StoreTerms::default()));
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("v"), value("v")));
}
