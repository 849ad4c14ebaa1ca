//! Rules of a line each: what a drain does to lingering, a refresh to a remembered error, and what is counted when.

use super::world::{Said, World, bytes, failed_with, ms, value};
use kvlight::base::{Status, StoreTerms, Ttl};
use kvlight::task::{Form, ProviderAnswer};

#[test]
fn l05a_a_drain_ends_every_linger_at_once() {
    let mut world = World::with(|settings| settings.tasks.batch_linger = ms(3_600_000));
    let waiter = world.fetch("k");
    assert_eq!(world.requests.len(), 0, "it lingers");
    world.drain(10_000);
    assert_eq!(world.requests.len(), 1, "nobody new can join it");
    world.answer(0, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn f20a_a_refresh_forgets_a_remembered_error_at_once() {
    for refreshes in [true, false] {
        let mut world = World::with(|settings| settings.cache.error_ttl_ms = 60_000);
        world.fetch("k");
        world.fail(0, "k", 7);
        assert_eq!(world.fetch("k").outcome(), Said::Error(7), "it is remembered");
        if refreshes {
            world.refresh("k");
        } else {
            world.ask(Form::Each, &["k"], |options| options.fetch.read = kvlight::base::config::ReadMode::Refresh);
        }
        let joined = world.fetch("k");
        assert_eq!(joined.outcome(), Said::Nothing, "it joins the load under way instead");
        world.answer(1, "k", "v");
        assert_eq!(joined.outcome(), value("v"));
    }
}

#[test]
fn s12a_a_retry_counts_when_it_is_handed_out() {
    let mut world = World::with(|settings| {
        settings.fetch.retry.count = Some(3);
        settings.fetch.retry.fixed = ms(100);
    });
    let waiter = world.fetch("k");
    world.fail(0, "k", 7);
    assert_eq!(world.table.counts().retries, 0, "it pauses, and may never begin");
    world.cancel(&waiter);
    world.advance(100);
    assert_eq!((world.table.counts().retries, waiter.outcome()), (0, failed_with(Status::ERR_CANCELLED)));
    world.fetch("l");
    world.fail(1, "l", 7);
    world.advance(100);
    assert_eq!(world.table.counts().retries, 1);
}

#[test]
fn s12a_an_extra_that_the_store_refused_is_not_counted_as_stored_and_keeps_no_older_answer_out() {
    let mut world = World::with(|settings| settings.tasks.max_running = 2);
    let waiter = world.fetch("k");
    world.fetch("other");
    let id = world.requests[1].id;
    let terms = StoreTerms { ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() };
    world.step(|table, turn| table.extra(id, b"k", bytes("passing"), terms, turn));
    assert_eq!((world.table.counts().extras_stored, world.table.counts().extras_refused), (0, 1));
    world.give(0, "k", ProviderAnswer::Answer(bytes("v"), StoreTerms::default()));
    assert_eq!((waiter.outcome(), world.lookup("k")), (value("v"), value("v")));
}
