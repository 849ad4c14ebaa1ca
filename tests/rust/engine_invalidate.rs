//! Invalidated keys: their entries leave or become stale, and loads that began earlier do not store their answers (rule T05).

use super::engine_fixture::*;
use kvlight::base::Status;
use kvlight::cache::Cause;
use kvlight::engine::invalidate::Outdated;
use kvlight::task::Source;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

fn invalidate(engine: &EngineFixture, keys: &[&str], fate: Outdated) {
    assert_eq!(engine.core.invalidate(keys.iter().map(|key| key.as_bytes()), fate), Ok(()));
}

#[test]
fn t05_an_invalidated_key_is_loaded_again_when_it_is_fetched() {
    let engine = test_engine().echo().start();
    for key in ["a", "b", "c"] {
        engine.put(key, "old");
    }
    invalidate(&engine, &["a", "missing", "b", "a"], Outdated::Removed);
    assert_eq!([engine.peek("a"), engine.peek("b"), engine.peek("c")], ["MISS", "MISS", "old"]);
    assert_eq!(engine.calls(), 0, "nothing is loaded before somebody asks");
    assert_eq!(engine.fetch("a").text(), "a!");
    assert_eq!(engine.stats().store.removed(Cause::Removed).entries, 2);
    engine.free();
}

#[test]
fn t05_f08_a_load_that_began_earlier_answers_its_callers_and_stores_nothing() {
    let engine = test_engine().start();
    let before = engine.fetch("k");
    let old = engine.request();
    invalidate(&engine, &["k"], Outdated::Removed);
    let after = engine.fetch("k");
    let new = engine.request();
    new.answer("k", "new");
    old.answer("k", "old");
    assert_eq!([before.text(), after.text()], ["old", "new"], "only the earlier fetch receives the old value");
    assert_eq!(engine.lookup("k"), "new");
    engine.free();
}

#[test]
fn t05_a_load_that_still_waits_for_a_slot_stores_its_answer() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    let first = engine.fetch("first");
    let running = engine.request();
    let waits = engine.fetch("k");
    invalidate(&engine, &["k"], Outdated::Removed);
    running.answer_all();
    engine.request().answer_all();
    assert_eq!([first.text(), waits.text()], ["first!", "k!"]);
    assert_eq!(engine.lookup("k"), "k!");
    engine.free();
}

#[test]
fn t05_f10_a_late_answer_of_an_earlier_load_is_not_stored() {
    let engine = test_engine().with(|settings| settings.fetch.attempt_timeout = Some(std::time::Duration::from_millis(10))).start();
    let waiter = engine.fetch("k");
    let late = engine.request();
    engine.advance(10);
    invalidate(&engine, &["k"], Outdated::Removed);
    assert_eq!(late.answer("k", "old"), Status::LATE);
    assert_eq!(waiter.text(), "ERR_TIMEOUT");
    assert_eq!(engine.lookup("k"), "MISS");
    engine.free();
}

#[test]
fn t05_r12_an_invalidated_entry_can_stay_as_a_fallback() {
    let engine = test_engine().with(|settings| settings.cache.stale_ttl_ms = 1_000).start();
    engine.put("k", "old");
    invalidate(&engine, &["k"], Outdated::Expired);
    assert_eq!(engine.peek("k"), "MISS");
    let waiter = engine.fetch("k");
    engine.request().fail("k", permanent(1));
    assert_eq!(waiter.outcome().source, Source::Stale, "the fallback covers the failed load");
    invalidate(&engine, &["k"], Outdated::Removed);
    let waiter = engine.fetch("k");
    engine.request().fail("k", permanent(1));
    assert_eq!(waiter.text(), "ERR_PROVIDER", "an entry that is removed is no fallback");
    engine.free();
}

#[test]
fn t05_everything_can_be_invalidated() {
    for fate in [Outdated::Removed, Outdated::Expired] {
        let engine = test_engine().start();
        engine.put("stored", "old");
        let waiter = engine.fetch("k");
        let old = engine.request();
        assert_eq!(engine.core.invalidate_all(fate), Ok(()));
        assert_eq!(engine.lookup("stored"), "MISS", "{fate:?}");
        old.answer("k", "old");
        assert_eq!(waiter.text(), "old");
        assert_eq!(engine.lookup("k"), "MISS", "{fate:?}: the load began earlier");
        engine.free();
    }
}

#[test]
fn t05_s11_the_removals_are_reported_in_order() {
    let (sender, reported) = channel();
    let sender = Mutex::new(sender);
    let listener = HostFunction(move |departure: &kvlight::cache::Departure| {
        let _ = sender.lock().expect("no panic").send(departed(departure));
    });
    let engine = test_engine().hooks(|hooks| hooks.removal = Some(Arc::new(listener))).start();
    engine.put("a", "1");
    engine.put("b", "2");
    invalidate(&engine, &["b", "a"], Outdated::Removed);
    let removed = |key: &str, text: &str| (key.to_owned(), text.to_owned(), Cause::Removed);
    assert_eq!([reported.recv_timeout(PATIENCE), reported.recv_timeout(PATIENCE)], [Ok(removed("b", "2")), Ok(removed("a", "1"))]);
    engine.free();
}

#[test]
fn t05_s19_one_call_invalidates_thousands_of_keys() {
    let engine = test_engine().start();
    let names: Vec<String> = (0..3_000).map(|nth| format!("k{nth}")).collect();
    names.iter().for_each(|name| assert_eq!(engine.put(name, "old"), Status::OK));
    assert_eq!(engine.core.invalidate(names.iter().map(|name| name.as_bytes()), Outdated::Removed), Ok(()));
    assert_eq!(engine.core.len(), 0);
    engine.free();
}
