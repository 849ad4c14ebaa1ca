//! Invalidated keys: their entries leave, and loads that began before do not store their answers (rule T05).

use super::engine_fixture::*;
use kvlight::base::Status;
use kvlight::cache::Cause;
use kvlight::engine::invalidate::Outdated;
use kvlight::task::Source;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

fn invalidate(world: &EngineFixture, keys: &[&str], fate: Outdated) {
    assert_eq!(world.core.invalidate(keys.iter().map(|key| key.as_bytes()), fate), Ok(()));
}

#[test]
fn t05_an_entry_that_another_process_wrote_is_loaded_again() {
    let world = test_engine().echo().start();
    for key in ["a", "b", "c"] {
        world.put(key, "old");
    }
    invalidate(&world, &["a", "missing", "b", "a"], Outdated::Removed);
    assert_eq!([world.peek("a"), world.peek("b"), world.peek("c")], ["MISS", "MISS", "old"]);
    assert_eq!(world.calls(), 0, "nothing is loaded before somebody asks");
    assert_eq!(world.fetch("a").text(), "a!");
    assert_eq!(world.stats().store.removed(Cause::Removed).entries, 2);
    world.free();
}

#[test]
fn t05_f08_a_load_that_began_before_answers_its_callers_and_stores_nothing() {
    let world = test_engine().start();
    let before = world.fetch("k");
    let old = world.request();
    invalidate(&world, &["k"], Outdated::Removed);
    let after = world.fetch("k");
    let new = world.request();
    new.answer("k", "new");
    old.answer("k", "old");
    assert_eq!([before.text(), after.text()], ["old", "new"], "only who asked before receives the old value");
    assert_eq!(world.lookup("k"), "new");
    world.free();
}

#[test]
fn t05_a_load_that_waits_begins_after_the_change_and_is_stored() {
    let world = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    let first = world.fetch("first");
    let running = world.request();
    let waits = world.fetch("k");
    invalidate(&world, &["k"], Outdated::Removed);
    running.answer_all();
    world.request().answer_all();
    assert_eq!([first.text(), waits.text()], ["first!", "k!"]);
    assert_eq!(world.lookup("k"), "k!");
    world.free();
}

#[test]
fn t05_f10_a_late_answer_of_before_is_not_stored() {
    let world = test_engine().with(|settings| settings.fetch.attempt_timeout = Some(std::time::Duration::from_millis(10))).start();
    let waiter = world.fetch("k");
    let late = world.request();
    world.advance(10);
    invalidate(&world, &["k"], Outdated::Removed);
    assert_eq!(late.answer("k", "old"), Status::LATE);
    assert_eq!(waiter.text(), "ERR_TIMEOUT");
    assert_eq!(world.lookup("k"), "MISS");
    world.free();
}

#[test]
fn t05_r12_an_outdated_entry_can_stay_as_a_fallback() {
    let world = test_engine().with(|settings| settings.cache.stale_ttl_ms = 1_000).start();
    world.put("k", "old");
    invalidate(&world, &["k"], Outdated::Expired);
    assert_eq!(world.peek("k"), "MISS");
    let waiter = world.fetch("k");
    world.request().fail("k", permanent(1));
    assert_eq!(waiter.outcome().source, Source::Stale, "the fallback covers the failed load");
    invalidate(&world, &["k"], Outdated::Removed);
    let waiter = world.fetch("k");
    world.request().fail("k", permanent(1));
    assert_eq!(waiter.text(), "ERR_PROVIDER", "removed, nothing of it stays");
    world.free();
}

#[test]
fn t05_everything_can_be_outdated() {
    for fate in [Outdated::Removed, Outdated::Expired] {
        let world = test_engine().start();
        world.put("stored", "old");
        let waiter = world.fetch("k");
        let old = world.request();
        assert_eq!(world.core.invalidate_all(fate), Ok(()));
        assert_eq!(world.lookup("stored"), "MISS", "{fate:?}");
        old.answer("k", "old");
        assert_eq!(waiter.text(), "old");
        assert_eq!(world.lookup("k"), "MISS", "{fate:?}: its load began before");
        world.free();
    }
}

#[test]
fn t05_s11_the_removals_are_reported_in_order() {
    let (sender, reported) = channel();
    let sender = Mutex::new(sender);
    let listener = HostFunction(move |departure: &kvlight::cache::Departure| {
        let _ = sender.lock().expect("no panic").send(departed(departure));
    });
    let world = test_engine().hooks(|hooks| hooks.removal = Some(Arc::new(listener))).start();
    world.put("a", "1");
    world.put("b", "2");
    invalidate(&world, &["b", "a"], Outdated::Removed);
    let removed = |key: &str, text: &str| (key.to_owned(), text.to_owned(), Cause::Removed);
    assert_eq!([reported.recv_timeout(PATIENCE), reported.recv_timeout(PATIENCE)], [Ok(removed("b", "2")), Ok(removed("a", "1"))]);
    world.free();
}

#[test]
fn t05_s19_very_many_keys_are_one_call() {
    let world = test_engine().start();
    let names: Vec<String> = (0..3_000).map(|nth| format!("k{nth}")).collect();
    names.iter().for_each(|name| assert_eq!(world.put(name, "old"), Status::OK));
    assert_eq!(world.core.invalidate(names.iter().map(|name| name.as_bytes()), Outdated::Removed), Ok(()));
    assert_eq!(world.core.len(), 0);
    world.free();
}
