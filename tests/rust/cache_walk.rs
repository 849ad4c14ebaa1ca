//! Walks over all entries of a store (rule S18): what stays is met once, whatever else happens, and each page is a small step (rule S19).

use kvlight::base::config::CacheSettings;
use kvlight::base::{Answer, Clock, Key, Millis, StoreTerms, Ttl, Value};
use kvlight::cache::{Departures, NewEntry, Store, Walk};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// More than a page has, with the buckets that lie behind its last one.
const LONG_PAGE: usize = 256;

struct World {
    store: Store,
    clock: Clock,
    left: Departures,
}

fn key_of(number: u32) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

impl World {
    fn new(shards: u32, capacity: u64) -> World {
        let settings = CacheSettings { capacity, shards: Some(shards), ..CacheSettings::default() };
        World { store: Store::new(&settings, None), clock: Clock::manual(Millis(5_000)), left: Departures::new() }
    }

    fn put_for(&mut self, number: u32, ttl: Ttl) {
        let terms = StoreTerms { ttl: Some(ttl), ..StoreTerms::default() };
        let value = Answer::Value(Value::bytes(&number.to_le_bytes()).expect("memory"));
        assert!(self.store.put(&key_of(number), NewEntry { terms, ..NewEntry::new(value) }, &self.clock, &mut self.left).is_stored());
    }

    fn put(&mut self, number: u32) {
        self.put_for(number, Ttl::Never);
    }

    fn remove(&mut self, number: u32) {
        self.store.remove(&key_of(number), &self.clock, &mut self.left);
    }

    /// Walks over everything, and calls `between` after each page. How often each key was met.
    fn walk(&mut self, mut between: impl FnMut(&mut World)) -> BTreeMap<Vec<u8>, usize> {
        let (mut walk, mut met) = (Walk::new(), BTreeMap::new());
        let mut page: Vec<Key> = Vec::new();
        while self.store.walk(&mut walk, &self.clock, &mut page) {
            assert!(page.len() < LONG_PAGE, "a page of {}", page.len());
            page.drain(..).for_each(|key| *met.entry(key.to_vec()).or_default() += 1);
            between(self);
        }
        met
    }
}

fn once(numbers: impl Iterator<Item = u32>) -> BTreeMap<Vec<u8>, usize> {
    numbers.map(|number| (key_of(number), 1)).collect()
}

#[test]
fn s18_a_walk_meets_each_entry_once_in_one_shard_and_in_many() {
    for (shards, entries) in [(1, 0), (1, 1), (1, 3_000), (7, 3_000), (64, 20_000)] {
        let mut world = World::new(shards, 100_000);
        (0..entries).for_each(|number| world.put(number));
        assert_eq!(world.walk(|_| ()), once(0..entries), "{entries} in {shards}");
    }
}

#[test]
fn s18_what_stays_is_met_once_while_the_rest_comes_goes_and_is_replaced() {
    for shards in [1, 5] {
        let mut world = World::new(shards, 1 << 20);
        (0..2_000).for_each(|number| world.put(number));
        let mut next = 2_000;
        let mut met = world.walk(|world| {
            // The index grows several times over; of what stays some is replaced, and so moves to another node.
            (next..next + 150).for_each(|number| world.put(number));
            (0..20).for_each(|step| world.put((next * 31 + step * 97) % 1_000));
            (0..5).for_each(|step| world.remove(1_000 + (next * 17 + step * 61) % 1_000));
            next += 150;
        });
        assert!(next > 10_000, "there were many pages: {next}");
        assert!(met.values().all(|times| *times == 1), "nothing is met twice");
        met.retain(|key, _| (0..1_000).any(|number| key_of(number) == *key));
        assert_eq!(met, once(0..1_000), "shards: {shards}");
    }
}

#[test]
fn s18_a_walk_shows_what_is_alive_and_is_no_use() {
    let mut world = World::new(1, 3);
    world.put_for(0, Ttl::of_ms(10));
    (1..3).for_each(|number| world.put(number));
    if let Clock::Manual(clock) = &world.clock {
        clock.advance(10);
    }
    assert_eq!(world.walk(|_| ()), once(1..3), "the first is over");
    let counts = world.store.counts();
    assert_eq!((counts.hits, counts.misses), (0, 0));
    (3..5).for_each(|number| world.put(number));
    assert_eq!(world.walk(|_| ()), once(2..5), "the least recently used has made room, though it was met last");
}

#[test]
fn s18_a_walk_over_what_is_cleared_meanwhile_ends() {
    let mut world = World::new(3, 10_000);
    (0..5_000).for_each(|number| world.put(number));
    let mut pages = 0;
    let met = world.walk(|world| {
        pages += 1;
        if pages == 5 {
            world.store.clear(&world.clock, &mut world.left);
        }
    });
    assert!(met.len() < 1_000 && met.values().all(|times| *times == 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any changes between any two pages, of keys that the walk is not asked about.
    #[test]
    fn s18_any_changes_leave_what_stays_met_once(
        shards in 1..6u32,
        kept in 0..400u32,
        changes in prop::collection::vec(prop::collection::vec((any::<bool>(), 1_000..1_500u32), 0..40), 1..20),
    ) {
        let mut world = World::new(shards, 1 << 20);
        (0..kept).for_each(|number| world.put(number));
        let mut turns = changes.into_iter().cycle().take(200);
        let mut met = world.walk(|world| {
            for (puts, number) in turns.next().unwrap_or_default() {
                if puts { world.put(number) } else { world.remove(number) }
            }
        });
        prop_assert!(met.values().all(|times| *times == 1));
        met.retain(|key, _| (0..kept).any(|number| key_of(number) == *key));
        prop_assert_eq!(met, once(0..kept));
    }
}
