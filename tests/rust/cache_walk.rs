//! Walks over all entries of a store (rule S18): an entry that stays is visited once, whatever else happens, and each page is a small step
//! (rule S19).

use kvlight::base::config::CacheSettings;
use kvlight::base::{Answer, Clock, Key, Millis, StoreTerms, Ttl, Value};
use kvlight::cache::{Departures, NewEntry, Store, Walk};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// More keys than a page can have: about 64, since it ends with a whole bucket.
const LONG_PAGE: usize = 256;

struct Fixture {
    store: Store,
    clock: Clock,
    left: Departures,
}

fn key_of(number: u32) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

impl Fixture {
    fn new(shards: u32, capacity: u64) -> Fixture {
        let settings = CacheSettings { capacity, shards: Some(shards), ..CacheSettings::default() };
        Fixture { store: Store::new(&settings, None), clock: Clock::manual(Millis(5_000)), left: Departures::new() }
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

    /// Walks over all entries, and calls `between` after each page. Returns how often each key was visited.
    fn walk(&mut self, mut between: impl FnMut(&mut Fixture)) -> BTreeMap<Vec<u8>, usize> {
        let (mut walk, mut visited) = (Walk::new(), BTreeMap::new());
        let mut page: Vec<Key> = Vec::new();
        while self.store.walk(&mut walk, &self.clock, &mut page) {
            assert!(page.len() < LONG_PAGE, "a page of {}", page.len());
            page.drain(..).for_each(|key| *visited.entry(key.to_vec()).or_default() += 1);
            between(self);
        }
        visited
    }
}

fn once(numbers: impl Iterator<Item = u32>) -> BTreeMap<Vec<u8>, usize> {
    numbers.map(|number| (key_of(number), 1)).collect()
}

#[test]
fn s18_a_walk_visits_each_entry_once_in_one_shard_and_in_many() {
    for (shards, entries) in [(1, 0), (1, 1), (1, 3_000), (7, 3_000), (64, 20_000)] {
        let mut fixture = Fixture::new(shards, 100_000);
        (0..entries).for_each(|number| fixture.put(number));
        assert_eq!(fixture.walk(|_| ()), once(0..entries), "{entries} in {shards}");
    }
}

#[test]
fn s18_entries_that_stay_are_visited_once_while_others_change() {
    for shards in [1, 5] {
        let mut fixture = Fixture::new(shards, 1 << 20);
        (0..2_000).for_each(|number| fixture.put(number));
        let mut next = 2_000;
        let mut visited = fixture.walk(|fixture| {
            // The index grows several times. Some entries that stay are replaced, and so move to another node.
            (next..next + 150).for_each(|number| fixture.put(number));
            (0..20).for_each(|step| fixture.put((next * 31 + step * 97) % 1_000));
            (0..5).for_each(|step| fixture.remove(1_000 + (next * 17 + step * 61) % 1_000));
            next += 150;
        });
        assert!(next > 10_000, "there were many pages: {next}");
        assert!(visited.values().all(|times| *times == 1), "no entry is visited twice");
        visited.retain(|key, _| (0..1_000).any(|number| key_of(number) == *key));
        assert_eq!(visited, once(0..1_000), "shards: {shards}");
    }
}

#[test]
fn s18_a_walk_visits_live_entries_and_does_not_count_as_a_use() {
    let mut fixture = Fixture::new(1, 3);
    fixture.put_for(0, Ttl::of_ms(10));
    (1..3).for_each(|number| fixture.put(number));
    if let Clock::Manual(clock) = &fixture.clock {
        clock.advance(10);
    }
    assert_eq!(fixture.walk(|_| ()), once(1..3), "the first entry has expired");
    let counts = fixture.store.counts();
    assert_eq!((counts.hits, counts.misses), (0, 0));
    (3..5).for_each(|number| fixture.put(number));
    assert_eq!(fixture.walk(|_| ()), once(2..5), "the least recently used entry is evicted, although it was visited last");
}

#[test]
fn s18_a_walk_ends_although_the_store_is_cleared() {
    let mut fixture = Fixture::new(3, 10_000);
    (0..5_000).for_each(|number| fixture.put(number));
    let mut pages = 0;
    let visited = fixture.walk(|fixture| {
        pages += 1;
        if pages == 5 {
            fixture.store.clear(&fixture.clock, &mut fixture.left);
        }
    });
    assert!(visited.len() < 1_000 && visited.values().all(|times| *times == 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Between pages, keys other than those that are checked are put and removed.
    #[test]
    fn s18_after_any_changes_entries_that_stay_are_visited_once(
        shards in 1..6u32,
        kept in 0..400u32,
        changes in prop::collection::vec(prop::collection::vec((any::<bool>(), 1_000..1_500u32), 0..40), 1..20),
    ) {
        let mut fixture = Fixture::new(shards, 1 << 20);
        (0..kept).for_each(|number| fixture.put(number));
        let mut turns = changes.into_iter().cycle().take(200);
        let mut visited = fixture.walk(|fixture| {
            for (puts, number) in turns.next().unwrap_or_default() {
                if puts { fixture.put(number) } else { fixture.remove(number) }
            }
        });
        prop_assert!(visited.values().all(|times| *times == 1));
        visited.retain(|key, _| (0..kept).any(|number| key_of(number) == *key));
        prop_assert_eq!(visited, once(0..kept));
    }
}
