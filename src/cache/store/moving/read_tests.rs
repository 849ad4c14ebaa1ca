//! Reads while entries move.

use super::super::super::entry::NewEntry;
use super::tests::{MANY, key};
use super::*;
use crate::base::config::CacheSettings;
use crate::base::{Answer, Value};

fn value() -> Answer {
    Answer::Value(Value::bytes(b"value").expect("memory"))
}

#[test]
fn s02a_a_read_that_pauses_for_a_whole_cycle_of_changes_looks_again() {
    let settings = CacheSettings { capacity: 1 << 20, cost_limit: Some(MANY), ..CacheSettings::default() };
    let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(1_000)));
    let (many, name) = (store.shards(), key(7));
    let hash = store.hasher.hash(&name);
    for number in 0..200 {
        assert!(store.put(&key(number), NewEntry::new(value()), &clock, &mut Departures::new()).is_stored());
    }
    let change = |shards| store.change_layout(Some(shards), || true, &mut Departures::new());
    let begin = || {
        while store.moving.lock().is_none() {
            assert!(change(1));
        }
    };
    begin();
    let brought = store.bring_for_read(hash, &name);
    assert!(store.shard_while_changing(brought, hash).is_some());
    while change(1) {}
    while change(many) {}
    begin();
    assert_eq!(store.layout(), brought.layout, "the same group moves in the same layout");
    assert!(store.shard_while_changing(brought, hash).is_none(), "the entry has left its shard again");
    assert!(store.lookup(&name, &clock).is_some());
}
