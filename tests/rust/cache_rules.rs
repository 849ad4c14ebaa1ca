//! The rules of the store, one story each, and the faults of earlier systems that live in a store.

use kvlight::base::config::{CacheSettings, Hash};
use kvlight::base::sync::Mutex;
use kvlight::base::{Answer, Clock, Millis, Record, StoreTerms, Ttl, Value};
use kvlight::cache::{Cause, DepartureSink, Departures, END_COST, ENTRY_COST, NewEntry, PutOutcome, Store, cost_of};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const HOUR: u64 = 3_600_000;

fn text(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

fn read(answer: &Answer) -> String {
    answer.value().map_or("null".into(), |value| String::from_utf8_lossy(value.as_bytes().expect("bytes")).into_owned())
}

/// A store, a clock that is moved by hand, and all that ever left.
struct World {
    store: Store,
    clock: Clock,
    left: Departures,
}

impl World {
    fn new(settings: CacheSettings) -> World {
        World { store: Store::new(&settings, None), clock: Clock::manual(Millis(5_000)), left: Departures::new() }
    }

    fn of_capacity(capacity: u64) -> World {
        World::new(CacheSettings { capacity, ..CacheSettings::default() })
    }

    fn of_cost(limit: u64) -> World {
        World::new(CacheSettings { cost_limit: Some(limit), ..CacheSettings::default() })
    }

    fn advance(&self, by_ms: u64) {
        if let Clock::Manual(clock) = &self.clock {
            clock.advance(by_ms);
        }
    }

    fn put_entry(&mut self, key: &str, entry: NewEntry) -> PutOutcome {
        self.store.put(key.as_bytes(), entry, &self.clock, &mut self.left)
    }

    fn put(&mut self, key: &str, value: &str) -> PutOutcome {
        self.put_entry(key, NewEntry::new(text(value)))
    }

    fn put_ttl(&mut self, key: &str, ttl_ms: u64) -> PutOutcome {
        self.put_entry(
            key,
            NewEntry { terms: StoreTerms { ttl: Some(Ttl::of_ms(ttl_ms)), ..StoreTerms::default() }, ..NewEntry::new(text(key)) },
        )
    }

    fn put_priority(&mut self, key: &str, priority: f64) -> PutOutcome {
        self.put_entry(
            key,
            NewEntry { terms: StoreTerms { priority: Some(priority), ..StoreTerms::default() }, ..NewEntry::new(text(key)) },
        )
    }

    fn put_cost(&mut self, key: &str, cost: u64) -> PutOutcome {
        self.put_entry(key, NewEntry { terms: StoreTerms { cost: Some(cost), ..StoreTerms::default() }, ..NewEntry::new(text(key)) })
    }

    fn lookup(&self, key: &str) -> Option<String> {
        self.store.lookup(key.as_bytes(), &self.clock).map(|hit| read(&hit.answer))
    }

    fn has(&self, key: &str) -> bool {
        self.store.peek(key.as_bytes(), &self.clock).is_some()
    }

    fn remove(&mut self, key: &str) -> bool {
        self.store.remove(key.as_bytes(), &self.clock, &mut self.left)
    }

    fn len(&mut self) -> u64 {
        self.store.len(&self.clock, &mut self.left)
    }

    fn cost(&mut self) -> u64 {
        self.store.cost(&self.clock, &mut self.left)
    }

    /// Who left since the last call, and why.
    fn left(&mut self) -> Vec<(String, Cause)> {
        std::mem::take(&mut self.left).into_iter().map(|left| (String::from_utf8_lossy(&left.key).into_owned(), left.cause)).collect()
    }
}

fn is_stored(put: PutOutcome) -> bool {
    put.is_stored()
}

fn names(left: &[(&str, Cause)]) -> Vec<(String, Cause)> {
    left.iter().map(|(key, cause)| ((*key).to_owned(), *cause)).collect()
}

// ---- rules ------------------------------------------------------------------------------------------------------------

#[test]
fn s01_a_lookup_is_a_value_a_null_or_a_miss_and_invalid_keys_are_counted_apart() {
    let mut world = World::of_capacity(8);
    world.put("value", "v");
    world.put_entry("null", NewEntry::new(Answer::Null));
    assert_eq!(world.lookup("value"), Some("v".into()));
    assert_eq!(world.lookup("null"), Some("null".into()), "null is an answer");
    assert_eq!(world.lookup("absent"), None);
    world.store.count_invalid_key();
    let counts = world.store.counts();
    assert_eq!((counts.hits, counts.null_hits, counts.misses, counts.invalid_keys), (1, 1, 1, 1));
}

#[test]
fn s01_keys_of_every_length_are_told_apart() {
    let mut world = World::of_capacity(100);
    let keys: Vec<String> = [0, 1, 21, 22, 23, 24, 1_000, 65_535].map(|len| "k".repeat(len)).into();
    for key in &keys {
        assert!(is_stored(world.put(key, &key.len().to_string())));
    }
    for key in &keys {
        assert_eq!(world.lookup(key), Some(key.len().to_string()));
    }
}

#[test]
fn s02_both_bounds_hold_after_every_put_with_any_number_of_shards() {
    for shards in [1, 2, 3, 7, 16] {
        let mut world =
            World::new(CacheSettings { capacity: 50, cost_limit: Some(6_000), shards: Some(shards), ..CacheSettings::default() });
        assert_eq!(world.store.shards(), shards as usize);
        for i in 0..500 {
            world.put_cost(&format!("key {i}"), i % 60);
            assert!(world.len() <= 50 && world.cost() <= 6_000, "after put {i} with {shards} shards");
        }
        assert!(world.len() > 25, "the bounds are used, not only kept");
    }
}

#[test]
fn s02_capacity_0_refuses_every_put() {
    let mut world = World::of_capacity(0);
    assert_eq!(world.put("a", "1"), PutOutcome::Refused);
    assert_eq!((world.len(), world.cost(), world.lookup("a")), (0, 0, None));
    assert_eq!(world.left(), names(&[("a", Cause::Refused)]));
}

#[test]
fn s02_huge_limits_are_accepted() {
    for shards in [None, Some(4_096)] {
        let settings = CacheSettings { capacity: u64::MAX, cost_limit: Some(u64::MAX), shards, ..CacheSettings::default() };
        let mut world = World::new(settings);
        assert!(is_stored(world.put("a", "1")));
        assert_eq!((world.store.capacity(), world.store.cost_limit(), world.len()), (u64::MAX, Some(u64::MAX), 1));
    }
}

#[test]
fn s02_no_shard_is_without_room() {
    let mut world = World::new(CacheSettings { capacity: 3, shards: Some(64), ..CacheSettings::default() });
    assert_eq!(world.store.shards(), 3);
    for i in 0..50 {
        assert!(is_stored(world.put(&format!("key {i}"), "")), "every key finds a place somewhere");
    }
    assert!(world.len() <= 3);
}

#[test]
fn s03_an_entry_costs_what_is_stated_its_key_and_the_published_constant() {
    let mut world = World::of_capacity(8);
    world.put("four", "123");
    assert_eq!(world.cost(), unstated("four", "123"));
    world.put_cost("four", 1_000);
    assert_eq!(world.cost(), 1_000 + 4 + ENTRY_COST, "what was stated counts, and the old cost is given back");
    world.put_entry("", NewEntry::new(Answer::Null));
    assert_eq!(world.cost(), 1_000 + 4 + ENTRY_COST + cost_of(&Record::new(b"", Answer::Null), None, END_COST));
}

/// What an entry costs of whose value nothing is stated.
fn unstated(key: &str, value: &str) -> u64 {
    cost_of(&Record::new(key.as_bytes(), text(value)), None, 0)
}

#[test]
fn s03_every_way_out_gives_the_cost_back() {
    let mut world = World::of_capacity(8);
    let one = unstated("a", "1");
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        world.put(key, "1");
    }
    world.remove("a");
    assert_eq!(world.cost(), 7 * one, "remove");
    world.store.take(b"b", &world.clock, &mut world.left);
    assert_eq!(world.cost(), 6 * one, "take");
    world.store.pop(&world.clock, &mut world.left);
    assert_eq!(world.cost(), 5 * one, "pop");
    world.store.resize(4, None, &world.clock, &mut world.left);
    assert_eq!(world.cost(), 4 * one, "resize");
    world.put("i", "1");
    assert_eq!(world.cost(), 4 * one, "eviction");
    world.put_ttl("i", 10);
    world.advance(10);
    assert_eq!(world.cost(), 3 * one, "expiry");
    world.store.trim(0.7, &world.clock, &mut world.left);
    assert_eq!(world.cost(), 2 * one, "trim");
    world.put_entry(
        "h",
        NewEntry { terms: StoreTerms { ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() }, ..NewEntry::new(Answer::Null) },
    );
    assert_eq!(world.cost(), one, "a put with TTL 0");
    world.store.clear(&world.clock, &mut world.left);
    assert_eq!((world.cost(), world.len()), (0, 0), "clear");
}

#[test]
fn s03_while_a_key_is_overwritten_its_old_cost_is_given_back_first() {
    let part = 100 + 1 + ENTRY_COST;
    let mut world = World::of_cost(2 * part);
    world.put_cost("a", 100);
    world.put_cost("b", 100);
    world.put_cost("b", 100);
    assert!(world.has("a"), "there was room for the new b in the place of the old");
    assert_eq!(world.left(), names(&[("b", Cause::Replaced)]));
}

#[test]
fn s04_a_value_dearer_than_the_limit_is_not_stored_and_the_older_one_goes() {
    let mut world = World::of_cost(1_000);
    world.put_cost("other", 10);
    world.put_cost("key", 10);
    let most = world.store.max_cost();
    assert_eq!(most, 1_000);
    assert_eq!(world.put_cost("key", most), PutOutcome::TooLarge);
    assert!(!world.has("key") && world.has("other"));
    assert_eq!(world.left(), names(&[("key", Cause::Replaced), ("key", Cause::Refused)]));
    assert!(is_stored(world.put_cost("key", most - 3 - ENTRY_COST)), "the dearest there may be");
    assert_eq!(world.len(), 1, "and it has the place for itself");
}

#[test]
fn s04_the_dearest_value_is_the_same_for_every_shard() {
    let mut world = World::new(CacheSettings { capacity: 100, cost_limit: Some(1_003), shards: Some(4), ..CacheSettings::default() });
    assert_eq!(world.store.max_cost(), 250);
    for i in 0..9 {
        let key = i.to_string();
        assert!(is_stored(world.put_cost(&key, 250 - 1 - ENTRY_COST)));
        assert_eq!(world.put_cost(&key, 251 - 1 - ENTRY_COST), PutOutcome::TooLarge);
    }
}

#[test]
fn s05_room_is_made_from_the_lowest_priority_then_the_least_recently_used() {
    let mut world = World::of_capacity(4);
    world.put_priority("high", 2.0);
    world.put_priority("low old", 1.0);
    world.put_priority("low young", 1.0);
    world.put_priority("lowest", -1.0);
    world.lookup("low old");
    for _ in 0..3 {
        world.put_priority("x", 2.0);
        world.put_priority("y", 2.0);
        world.put_priority("z", 2.0);
    }
    let left = world.left();
    let victims = names(&[("lowest", Cause::Capacity), ("low young", Cause::Capacity), ("low old", Cause::Capacity)]);
    assert_eq!(left[..3], victims);
    assert!(world.has("high") && left[3..].iter().all(|(_, cause)| *cause == Cause::Replaced));
}

/// Uses are noted and worked in later, a page of them at a time: no number of them may change who leaves.
#[test]
fn s05_however_many_uses_there_were_the_least_recent_one_leaves() {
    for uses in (0..140).chain([1000]) {
        let mut world = World::of_capacity(5);
        for key in ["a", "b", "c", "d", "e"] {
            world.put(key, key);
        }
        let keys = [b"c", b"a", b"e", b"c", b"b"];
        let mut order = vec!["a", "b", "c", "d", "e"];
        for key in keys.iter().cycle().take(uses) {
            let seen =
                world.store.try_lookup_fast(*key, &world.clock, read).unwrap_or_else(|| world.store.lookup_with(*key, &world.clock, read));
            let name = seen.expect("all of them fit");
            order.retain(|other| *other != name);
            order.push(["a", "b", "c", "d", "e"][usize::from(name.as_bytes()[0] - b'a')]);
        }
        assert_eq!(world.store.counts().hits, uses as u64);
        for victim in order {
            assert_eq!(
                world.store.pop(&world.clock, &mut world.left).map(|answer| read(&answer)).as_deref(),
                Some(victim),
                "after {uses} uses"
            );
        }
    }
}

/// What the short way of a lookup cannot do is left to the long one, and nothing is done twice.
#[test]
fn s12_a_lookup_by_the_short_way_is_counted_once_or_not_at_all() {
    let mut world = World::new(CacheSettings { idle_ttl_ms: Some(HOUR), ..CacheSettings::default() });
    world.put("a", "1");
    assert_eq!(world.store.try_lookup_fast(b"a", &world.clock, read), None, "the last use must be noted with its time");
    assert_eq!((world.store.counts().hits, world.store.counts().misses), (0, 0));

    let mut world = World::of_capacity(10);
    world.put_ttl("soon", 10);
    world.put("ever", "2");
    for (key, seen) in [("soon", Some("soon")), ("ever", Some("2")), ("never", None)] {
        assert_eq!(world.store.try_lookup_fast(key.as_bytes(), &world.clock, read), Some(seen.map(String::from)));
    }
    world.advance(10);
    assert_eq!(world.store.try_lookup_fast(b"soon", &world.clock, read), Some(None), "at its very end it is gone");
    assert_eq!((world.store.counts().hits, world.store.counts().misses), (2, 2));
}

#[test]
fn s05_a_newcomer_of_too_low_a_priority_is_refused_and_nobody_leaves() {
    let mut world = World::of_capacity(2);
    world.put_priority("a", 1.0);
    world.put_priority("b", 2.0);
    assert_eq!(world.put_priority("c", 0.5), PutOutcome::Refused);
    assert!(world.has("a") && world.has("b"));
    assert_eq!(world.left(), names(&[("c", Cause::Refused)]));
}

#[test]
fn s05_whether_room_suffices_is_decided_before_the_first_victim() {
    let entry = |cost: u64| cost + 3 + ENTRY_COST;
    let mut world = World::of_cost(entry(10) + entry(10) + entry(500));
    world.put_entry("lo1", NewEntry { terms: StoreTerms { cost: Some(10), ..StoreTerms::default() }, ..NewEntry::new(text("")) });
    world.put_entry("lo2", NewEntry { terms: StoreTerms { cost: Some(10), ..StoreTerms::default() }, ..NewEntry::new(text("")) });
    world.put_entry(
        "big",
        NewEntry { terms: StoreTerms { cost: Some(500), priority: Some(9.0), ..StoreTerms::default() }, ..NewEntry::new(text("")) },
    );
    let refused =
        world.put_entry("new", NewEntry { terms: StoreTerms { cost: Some(300), ..StoreTerms::default() }, ..NewEntry::new(text("")) });
    assert_eq!(refused, PutOutcome::Refused, "the two low ones would not have been enough");
    assert!(world.has("lo1") && world.has("lo2") && world.has("big"));
}

#[test]
fn s05_priorities_order_as_numbers() {
    let mut world = World::of_capacity(3);
    world.put_priority("zero", 0.0);
    world.put_priority("minus zero", -0.0);
    world.put_priority("infinite", f64::INFINITY);
    assert!(is_stored(world.put_priority("new", -0.0)), "-0 equals 0");
    assert_eq!(world.left(), names(&[("zero", Cause::Capacity)]));
    assert_eq!(world.put_priority("low", f64::NEG_INFINITY), PutOutcome::Refused);
    assert_eq!(world.put_priority("none", f64::NAN), PutOutcome::Refused);
}

#[test]
fn s05a_any_number_of_priorities_may_be_in_use() {
    let mut world = World::of_capacity(1_000);
    // In an order that is neither up nor down.
    let priority_of = |i: u32| f64::from(i * 617 % 1_000) * 0.5;
    for i in 0..1_000 {
        assert!(is_stored(world.put_priority(&i.to_string(), priority_of(i))), "priority {i}");
    }
    assert!(is_stored(world.put_priority("0", 12_345.678)), "a resident key under a priority that nothing else has");
    assert!(world.has("0"));
    assert!(world.left() == names(&[("0", Cause::Replaced)]));
    let mut leaving: Vec<u32> = (1..1_000).collect();
    leaving.sort_by(|one, other| priority_of(*one).total_cmp(&priority_of(*other)));
    for i in leaving {
        assert_eq!(world.store.pop(&world.clock, &mut world.left).map(|answer| read(&answer)), Some(i.to_string()));
    }
}

#[test]
fn s05a_a_newcomer_of_many_priorities_makes_room_from_those_below_it_alone() {
    let cost_limit = Some(2_000 * (1_000 + ENTRY_COST));
    let mut world = World::new(CacheSettings { capacity: 3_000, cost_limit, shards: Some(1), ..CacheSettings::default() });
    let of = |priority, cost| {
        let terms = StoreTerms { priority: Some(priority), cost: Some(cost), ..StoreTerms::default() };
        NewEntry { terms, ..NewEntry::new(text("")) }
    };
    for i in 0..2_000u32 {
        let key = i.to_string();
        world.put_entry(&key, of(f64::from(i), 1_000 - key.len() as u64));
    }
    assert_eq!(world.len(), 2_000);
    let cost = 500 * (1_000 + ENTRY_COST) - ENTRY_COST - 3;
    assert_eq!(world.put_entry("new", of(498.5, cost)), PutOutcome::Refused, "499 are not enough");
    assert_eq!(world.left(), names(&[("new", Cause::Refused)]));
    assert!(is_stored(world.put_entry("new", of(499.5, cost))));
    let left: Vec<String> = world.left().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, (0..500).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn s05_nulls_are_victims_like_any_other() {
    let mut world = World::of_capacity(2);
    world.put_entry("null", NewEntry::new(Answer::Null));
    world.put("value", "1");
    world.put("new", "2");
    assert_eq!(world.left(), names(&[("null", Cause::Capacity)]));
}

#[test]
fn s05_what_is_due_makes_room_before_anybody_alive() {
    let mut world = World::of_capacity(20);
    for i in 0..10 {
        world.put(&format!("alive {i}"), "");
    }
    for i in 0..10 {
        world.put_entry(
            &format!("due {i}"),
            NewEntry {
                terms: StoreTerms { ttl: Some(Ttl::of_ms(10)), priority: Some(9.0), ..StoreTerms::default() },
                ..NewEntry::new(text(""))
            },
        );
    }
    world.advance(10);
    for i in 0..10 {
        world.put(&format!("new {i}"), "");
    }
    assert!(world.left().iter().all(|(key, cause)| key.starts_with("due") && *cause == Cause::Expired));
    assert_eq!(world.len(), 20);
}

#[test]
fn s05_one_put_takes_as_much_of_what_is_due_as_it_needs() {
    let one = 2 + ENTRY_COST;
    let mut world = World::of_cost(21 * one);
    assert!(is_stored(world.put_cost("no", 0)), "alive, and the least recently used");
    for i in 10..30 {
        world.put_entry(
            &i.to_string(),
            NewEntry {
                terms: StoreTerms { cost: Some(0), ttl: Some(Ttl::of_ms(10)), priority: Some(9.0), ..StoreTerms::default() },
                ..NewEntry::new(text(""))
            },
        );
    }
    world.advance(10);
    assert!(is_stored(world.put_cost("in", 19 * one)), "more than a write gives back on the side");
    assert!(world.has("no"));
    assert!(world.left().iter().all(|(_, cause)| *cause == Cause::Expired));
}

#[test]
fn s06_an_entry_lives_to_its_end_and_not_a_millisecond_longer() {
    let mut world = World::of_capacity(8);
    world.put_ttl("a", 10);
    world.put_ttl("b", HOUR);
    for (key, ttl) in [("a", 10), ("b", HOUR - 10)] {
        world.advance(ttl - 1);
        assert!(world.has(key));
        world.advance(1);
        assert!(!world.has(key) && world.lookup(key).is_none());
    }
    assert_eq!((world.len(), world.cost()), (0, 0), "and the sums know it");
    assert_eq!(world.left(), names(&[("a", Cause::Expired), ("b", Cause::Expired)]));
}

/// By the system's clock, which is coarse. However slow the machine, an entry that is gone has had its time.
#[test]
fn s06_an_entry_does_not_end_before_its_ttl_however_short() {
    for idle_ttl_ms in [None, Some(2)] {
        let store = Store::new(&CacheSettings { idle_ttl_ms, ..CacheSettings::default() }, None);
        let clock = Clock::system();
        for _ in 0..20 {
            let before = std::time::Instant::now();
            let ttl = if idle_ttl_ms.is_some() { Ttl::Never } else { Ttl::of_ms(2) };
            let terms = StoreTerms { ttl: Some(ttl), ..StoreTerms::default() };
            store.put(b"a", NewEntry { terms, ..NewEntry::new(text("")) }, &clock, &mut Departures::new());
            while store.peek(b"a", &clock).is_some() {}
            assert!(before.elapsed() >= std::time::Duration::from_millis(2), "it lived {:?}", before.elapsed());
        }
    }
}

#[test]
fn s06_defaults_are_for_ever_for_values_and_a_minute_for_nulls() {
    let mut world = World::of_capacity(8);
    world.put("value", "v");
    world.put_entry("null", NewEntry::new(Answer::Null));
    world.put_entry(
        "stated",
        NewEntry { terms: StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() }, ..NewEntry::new(Answer::Null) },
    );
    world.advance(59_999);
    assert!(world.has("null"));
    world.advance(1);
    assert!(!world.has("null"));
    world.advance(1_000 * HOUR);
    assert!(world.has("value") && world.has("stated"));
}

#[test]
fn s06_ttl_0_does_not_store_and_removes_what_was_there() {
    let mut world = World::of_capacity(8);
    world.put("a", "old");
    assert_eq!(world.put_ttl("a", 0), PutOutcome::Refused);
    assert_eq!(world.lookup("a"), None);
    assert_eq!(world.left(), names(&[("a", Cause::Removed), ("a", Cause::Refused)]));
    let mut world = World::new(CacheSettings { ttl_ms: Some(0), null_ttl_ms: Some(0), ..CacheSettings::default() });
    assert_eq!(world.put("value", "v"), PutOutcome::Refused, "as a default too");
    assert_eq!(world.put_entry("null", NewEntry::new(Answer::Null)), PutOutcome::Refused);
    assert!(is_stored(world.put_ttl("stated", 5)));
}

#[test]
fn s06_an_expired_entry_overwritten_expired_and_was_not_replaced() {
    let mut world = World::of_capacity(8);
    world.put_ttl("a", 10);
    world.advance(20);
    world.put("a", "new");
    assert_eq!(world.left(), names(&[("a", Cause::Expired)]));
    assert_eq!((world.store.counts().inserts, world.store.counts().replacements), (2, 0));
}

#[test]
fn s07_a_timer_gives_back_what_is_due_in_slices_and_knows_when_to_come_again() {
    let mut world = World::of_capacity(8_000);
    assert_eq!((world.store.shards(), world.store.next_due()), (1, None));
    for i in 0..1_000 {
        world.put_ttl(&i.to_string(), 100 + i % 10);
    }
    world.put_ttl("later", HOUR);
    let first_end = Millis(5_000 + 100);
    assert!(world.store.next_due().is_some_and(|due| due <= first_end));
    assert!(world.store.next_wake().is_some_and(|wake| wake.0 % 500 == 0 && wake.since(first_end) < 500));
    world.advance(200);
    let mut slices = 0;
    while world.store.sweep(&world.clock, 100, &mut world.left) {
        slices += 1;
        assert!(world.left.len() <= 100 * slices);
    }
    assert_eq!(world.left().len(), 1_000);
    assert!(world.store.next_due().is_some_and(|due| due > world.clock.millis()));
    assert_eq!(world.len(), 1);
}

#[test]
fn s07_what_ends_at_this_very_moment_is_more_to_do() {
    let mut world = World::of_capacity(100);
    for i in 0..3 {
        world.put_ttl(&i.to_string(), 100);
    }
    world.advance(100);
    assert!(world.store.sweep(&world.clock, 1, &mut world.left), "two are left, and their time is over");
    assert_eq!(world.left().len(), 1);
}

#[test]
fn s07_a_timer_that_keeps_its_appointments_is_on_time_and_seldom_woken() {
    let mut world = World::of_capacity(10_000);
    for i in 0..2_000 {
        world.put_ttl(&i.to_string(), 1 + i * 7);
    }
    let mut wakes = 0;
    while let Some(wake) = world.store.next_wake() {
        world.advance(wake.since(world.clock.millis()));
        while world.store.sweep(&world.clock, 64, &mut world.left) {}
        wakes += 1;
    }
    for left in &world.left {
        let late = left.left_at.since(left.expires_at().expect("an end"));
        assert!(late < 1_000, "{left:?} was kept for {late} ms");
    }
    assert_eq!(world.left.len(), 2_000);
    assert!(wakes <= 2 * 14 + 2, "{wakes} wakes for 14 seconds");
}

#[test]
fn s07_every_write_gives_back_up_to_8_of_what_is_due() {
    let mut world = World::new(CacheSettings { timer: false, capacity: 1_000, ..CacheSettings::default() });
    for i in 0..20 {
        world.put_ttl(&i.to_string(), 10);
    }
    world.advance(60);
    for expected in [8, 8, 4, 0] {
        world.put("a", "");
        let expired = world.left().iter().filter(|(_, cause)| *cause == Cause::Expired).count();
        assert_eq!(expired, expected);
    }
    world.put_ttl("b", 10);
    world.advance(10);
    assert!(!world.remove("absent"));
    assert_eq!(world.left(), names(&[("b", Cause::Expired)]), "a remove is a write");
}

#[test]
fn s08_jitter_stays_within_half_of_the_ttl_and_reaches_both_ends() {
    for (jitter, ttl, low, high) in [(10, 1_000, 990, 1_010), (u64::MAX, 20, 10, 30), (5, 1, 1, 1), (7, 3, 2, 4)] {
        let mut world = World::new(CacheSettings { capacity: 10_000, ttl_jitter_ms: jitter, ..CacheSettings::default() });
        let now = world.clock.millis();
        let mut drawn = Vec::new();
        for i in 0..2_000 {
            let PutOutcome::Stored { expires_at, .. } = world.put_ttl(&i.to_string(), ttl) else { panic!("there is room") };
            drawn.push(expires_at.expect("an end").since(now));
        }
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&low), Some(&high)), "ttl {ttl} ± {jitter}");
    }
}

#[test]
fn s08_jitter_is_for_defaults_and_nulls_too_and_not_for_ever() {
    let settings =
        CacheSettings { ttl_ms: Some(1_000), null_ttl_ms: Some(1_000), ttl_jitter_ms: 500, capacity: 1_000, ..CacheSettings::default() };
    let mut world = World::new(settings);
    for answer in [Answer::Null, text("v")] {
        let mut ends = std::collections::BTreeSet::new();
        for i in 0..100 {
            let PutOutcome::Stored { expires_at, .. } = world.put_entry(&i.to_string(), NewEntry::new(answer.clone())) else {
                panic!("there is room")
            };
            ends.insert(expires_at);
        }
        assert!(ends.len() > 50 && !ends.contains(&None));
    }
    let never = world.put_entry(
        "never",
        NewEntry { terms: StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() }, ..NewEntry::new(Answer::Null) },
    );
    assert!(matches!(never, PutOutcome::Stored { expires_at: None, .. }));
}

#[test]
fn s08_a_seed_makes_jitter_repeatable() {
    let ends = |seed| {
        let mut world =
            World::new(CacheSettings { seed, shards: Some(4), ttl_jitter_ms: 1_000, capacity: 100, ..CacheSettings::default() });
        (0..20).map(|i| world.put_ttl(&i.to_string(), HOUR)).collect::<Vec<PutOutcome>>()
    };
    assert_eq!(ends(Some(7)), ends(Some(7)));
    assert_ne!(ends(Some(7)), ends(Some(8)));
    assert_ne!(ends(None), ends(None));
}

#[test]
fn s09_an_entry_ends_its_idle_time_after_its_last_use() {
    let mut world = World::new(CacheSettings { idle_ttl_ms: Some(100), ..CacheSettings::default() });
    world.put("used", "");
    world.put("idle", "");
    world.put_ttl("short", 150);
    for _ in 0..10 {
        world.advance(60);
        assert!(world.lookup("used").is_some());
        world.lookup("short");
    }
    assert_eq!(world.len(), 1);
    let mut left = world.left();
    left.sort();
    assert_eq!(left, names(&[("idle", Cause::Expired), ("short", Cause::Expired)]), "the earlier of both ends");
    world.advance(99);
    assert!(world.has("used"), "to peek is no use");
    world.advance(1);
    assert!(!world.has("used"));
}

/// A mailbox, as the floor above has one.
#[derive(Default)]
struct Mailbox(Mutex<Departures>);

impl DepartureSink for Mailbox {
    fn record(&self, departures: &mut Departures) {
        self.0.lock().append(departures);
    }
}

#[test]
fn s11_each_value_is_heard_of_exactly_once_by_the_outlet_or_by_the_caller() {
    let mailbox = Arc::new(Mailbox::default());
    let settings = CacheSettings { capacity: 10, cost_limit: Some(2_000), ..CacheSettings::default() };
    for outlet in [None, Some(mailbox.clone() as Arc<dyn DepartureSink>)] {
        let has_outlet = outlet.is_some();
        let (store, clock, mut out) = (Store::new(&settings, outlet), Clock::manual(Millis(0)), Departures::new());
        for i in 0..300u64 {
            let key = [(i % 17) as u8];
            let entry = NewEntry {
                terms: StoreTerms { cost: Some(i * 13 % 400), priority: Some((i % 3) as f64), ..StoreTerms::default() },
                ..NewEntry::new(text(&i.to_string()))
            };
            store.put(&key, entry, &clock, &mut out);
        }
        store.clear(&clock, &mut out);
        if has_outlet {
            assert!(out.is_empty(), "with an outlet the caller gets nothing");
            out = std::mem::take(&mut mailbox.0.lock());
        }
        let mut heard: Vec<u64> = out.iter().map(|left| read(&left.answer).parse().expect("a number")).collect();
        // A refused newcomer leaves after the older value of its key: so per key the order is that of the puts.
        let by_key = |key: u8| heard.iter().copied().filter(|i| (i % 17) as u8 == key).collect::<Vec<u64>>();
        assert!((0..17).all(|key| by_key(key).is_sorted()));
        heard.sort_unstable();
        assert_eq!(heard, (0..300).collect::<Vec<u64>>());
    }
}

#[test]
fn s11_a_departure_says_what_it_was_and_when() {
    let mut world = World::of_capacity(8);
    world.put_ttl("key", 100);
    world.advance(30);
    world.remove("key");
    let left = &world.left[0];
    assert_eq!((read(&left.answer).as_str(), left.cost), ("key", unstated("key", "key") + END_COST));
    assert_eq!((left.stored_at, left.expires_at(), left.left_at), (Millis(5_000), Some(Millis(5_100)), Millis(5_030)));
}

#[test]
fn s12_inserts_are_those_in_the_store_and_those_that_left() {
    let mut world = World::of_capacity(10);
    for i in 0..100 {
        world.put_priority(&(i % 13).to_string(), f64::from(i % 4));
    }
    let (counts, entries) = (world.store.counts(), world.len());
    assert_eq!(counts.inserts + counts.removed(Cause::Refused).entries, 100);
    assert_eq!(counts.inserts, counts.removed_in_all().entries + entries);
    assert!(counts.replacements <= counts.removed(Cause::Replaced).entries, "a replacement may still be refused");
}

#[test]
fn s12_each_event_is_in_exactly_one_window_while_others_look() {
    const LOOKUPS: u64 = 20_000;
    let settings = CacheSettings { shards: Some(4), ..CacheSettings::default() };
    let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(0)));
    store.put(b"1", NewEntry::new(text("")), &clock, &mut Departures::new());
    let (mut hits, mut misses, mut invalid) = (0, 0, 0);
    std::thread::scope(|scope| {
        let lookers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for i in 0..LOOKUPS {
                        store.lookup(&[b'0' + (i % 2) as u8], &clock);
                        store.count_invalid_key();
                    }
                })
            })
            .collect();
        let mut add = |counts: kvlight::cache::StoreCounts| {
            hits += counts.hits;
            misses += counts.misses;
            invalid += counts.invalid_keys;
        };
        while !lookers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            add(store.reset_counts());
        }
        add(store.reset_counts());
    });
    assert_eq!((hits, misses, invalid), (LOOKUPS, LOOKUPS, 2 * LOOKUPS));
}

#[test]
fn s12_a_probe_counts_its_hits_and_leaves_its_misses_to_the_fetch() {
    let mut world = World::of_capacity(8);
    world.put("a", "");
    assert!(world.store.probe(b"a", &world.clock).is_some());
    assert!(world.store.probe(b"b", &world.clock).is_none());
    assert_eq!((world.store.counts().hits, world.store.counts().misses), (1, 0));
}

#[test]
fn s13_peek_changes_neither_recency_nor_statistics() {
    let mut world = World::of_capacity(2);
    world.put("a", "");
    world.put("b", "");
    let before = world.store.counts();
    assert!(world.has("a") && !world.has("absent"));
    assert_eq!(world.store.counts(), before);
    world.put("c", "");
    assert_eq!(world.left(), names(&[("a", Cause::Capacity)]), "it still was the least recently used");
}

#[test]
fn s13_looking_in_place_is_a_use_like_any_other() {
    let mut world = World::of_capacity(2);
    world.put("a", "1");
    world.put("b", "");
    assert_eq!(world.store.lookup_with(b"a", &world.clock, read), Some("1".into()));
    assert_eq!(world.store.lookup_with(b"x", &world.clock, read), None);
    assert_eq!((world.store.counts().hits, world.store.counts().misses), (1, 1));
    world.put("c", "");
    assert_eq!(world.left(), names(&[("b", Cause::Capacity)]));
}

#[test]
fn s14_trim_keeps_no_more_than_the_ratio_of_entries_and_of_cost() {
    for shards in [1, 4] {
        let mut world = World::new(CacheSettings { capacity: 1_000, shards: Some(shards), ..CacheSettings::default() });
        for i in 0..100 {
            world.put_cost(&i.to_string(), i * 10);
        }
        let (entries, cost) = (world.len(), world.cost());
        world.store.trim(0.6, &world.clock, &mut world.left);
        assert!(world.len() <= entries * 6 / 10 && world.cost() <= cost * 6 / 10);
        assert!(world.len() >= entries / 4, "and not much less");
        assert!(world.left().iter().all(|(_, cause)| *cause == Cause::Trimmed));
        world.store.trim(1.0, &world.clock, &mut world.left);
        assert!(world.left().is_empty());
        world.store.trim(0.0, &world.clock, &mut world.left);
        assert_eq!((world.len(), world.cost()), (0, 0));
    }
}

#[test]
fn s14_trim_to_keeps_as_many_as_were_asked_for() {
    for shards in [1, 3, 16] {
        let mut world = World::new(CacheSettings { capacity: 10_000, shards: Some(shards), ..CacheSettings::default() });
        for i in 0..500 {
            world.put(&i.to_string(), "");
        }
        for keep in [600, 333, 100, 7, 1, 0] {
            world.store.trim_to(keep, &world.clock, &mut world.left);
            assert_eq!(world.len(), keep.min(500), "with {shards} shards");
        }
    }
}

#[test]
fn s14a_a_resize_takes_effect_before_it_returns_and_says_trimmed() {
    let mut world = World::of_capacity(10);
    for i in 0..10 {
        world.put(&i.to_string(), "");
    }
    world.store.resize(4, None, &world.clock, &mut world.left);
    assert_eq!((world.len(), world.store.capacity()), (4, 4));
    assert!(world.left().iter().all(|(_, cause)| *cause == Cause::Trimmed));
    let one = unstated("0", "");
    world.store.resize(4, Some(2 * one), &world.clock, &mut world.left);
    assert_eq!((world.len(), world.cost(), world.store.max_cost()), (2, 2 * one, 2 * one));
    assert_eq!(world.left(), names(&[("6", Cause::Trimmed), ("7", Cause::Trimmed)]));
    world.store.resize(100, None, &world.clock, &mut world.left);
    (0..200).for_each(|i| assert!(is_stored(world.put(&i.to_string(), ""))));
    assert_eq!(world.len(), 100);
}

#[test]
fn s14_pop_hands_out_the_next_victim_of_the_lowest_priority_of_all_shards() {
    let mut world = World::new(CacheSettings { capacity: 1_000, shards: Some(8), ..CacheSettings::default() });
    for i in 0..60 {
        world.put_priority(&i.to_string(), f64::from(i / 10));
    }
    let mut popped = Vec::new();
    while let Some(answer) = world.store.pop(&world.clock, &mut world.left) {
        popped.push(read(&answer).parse::<u32>().expect("a number") / 10);
    }
    assert_eq!(popped.len(), 60);
    assert!(popped.is_sorted());
}

#[test]
fn s14_take_hands_out_and_an_expired_entry_is_not_there() {
    let mut world = World::of_capacity(8);
    world.put_ttl("a", 10);
    world.put_ttl("b", 10);
    let taken = world.store.take(b"a", &world.clock, &mut world.left);
    assert_eq!(taken.map(|answer| read(&answer)), Some("a".into()));
    world.advance(10);
    assert!(world.store.take(b"b", &world.clock, &mut world.left).is_none());
    assert_eq!(world.left(), names(&[("a", Cause::Removed), ("b", Cause::Expired)]));
}

#[test]
fn s14_a_put_names_whom_it_cost_the_place() {
    let mut world = World::of_capacity(3);
    world.put_ttl("due", 10);
    world.put("key", "old");
    world.put_priority("high", 5.0);
    world.advance(10);
    let mut put = |key: &str, priority| {
        let entry = NewEntry { terms: StoreTerms { priority: Some(priority), ..StoreTerms::default() }, ..NewEntry::new(text(key)) };
        let (put, named) = world.store.put_naming(key.as_bytes(), entry, &world.clock, &mut world.left);
        (put.is_stored(), named.iter().map(|left| read(&left.answer)).collect::<Vec<_>>())
    };
    assert_eq!(put("key", 1.0), (true, vec![]), "neither what expired nor what was replaced");
    assert_eq!(put("new", 1.0), (true, vec![]));
    assert_eq!(put("newer", 2.0), (true, vec!["key".into()]));
    assert_eq!(put("low", 0.0), (false, vec!["low".into()]), "the newcomer itself if it stays out");
}

#[test]
fn s16_a_value_stays_readable_after_its_entry_and_its_store_are_gone() {
    let mut world = World::of_capacity(8);
    world.put("a", "still here");
    let hit = world.store.lookup(b"a", &world.clock).expect("a hit");
    world.remove("a");
    drop(world);
    assert_eq!(read(&hit.answer), "still here");
}

#[test]
fn l07_a_panic_in_a_shard_empties_that_shard_and_no_other() {
    let mailbox = Arc::new(Mailbox::default());
    let settings = CacheSettings { shards: Some(2), ..CacheSettings::default() };
    for outlet in [None, Some(mailbox.clone() as Arc<dyn DepartureSink>)] {
        let (store, clock, mut out) = (Store::new(&settings, outlet.clone()), Clock::manual(Millis(0)), Departures::new());
        for i in 0..100u8 {
            let entry = NewEntry {
                terms: StoreTerms { ttl: Some(Ttl::of_ms(10)), ..StoreTerms::default() },
                ..NewEntry::new(text(&i.to_string()))
            };
            store.put(&[i], entry, &clock, &mut out);
        }
        let panic = catch_unwind(AssertUnwindSafe(|| store.lookup_with(&[0], &clock, |_| panic!("on purpose"))));
        assert!(panic.is_err(), "the panic goes on to the boundary");
        assert!(store.peek(&[0], &clock).is_none());
        let len = store.len(&clock, &mut out);
        assert!(len > 0 && len < 100, "the other shard lives on");
        assert_eq!(store.counts().removed(Cause::Cleared).entries, 100 - len);
        if outlet.is_some() {
            assert_eq!(std::mem::take(&mut *mailbox.0.lock()).len() as u64, 100 - len, "each is heard of");
        }
        assert!(store.put(&[0], NewEntry::new(text("")), &clock, &mut out).is_stored(), "and the shard works again");
        assert_eq!(store.len(&clock, &mut out), len + 1);
    }
}

#[test]
fn s08_attackers_may_choose_keys_where_they_are_hashed_with_sip() {
    let mut world = World::new(CacheSettings { hash: Hash::Sip, capacity: 1_000, shards: Some(3), ..CacheSettings::default() });
    (0..500).for_each(|i| assert!(is_stored(world.put(&i.to_string(), &i.to_string()))));
    assert!((0..500).filter(|i| world.lookup(&i.to_string()) == Some(i.to_string())).count() > 450);
}

// ---- faults of earlier systems ------------------------------------------------------------------------------------------

#[test]
fn fault01_cost_is_given_back_by_overwrite_remove_and_expiry() {
    let mut world = World::of_cost(3 * (100 + 1 + ENTRY_COST));
    for _ in 0..1_000 {
        world.put_cost("a", 100);
        world.put_entry(
            "b",
            NewEntry {
                terms: StoreTerms { cost: Some(100), ttl: Some(Ttl::of_ms(10)), ..StoreTerms::default() },
                ..NewEntry::new(text(""))
            },
        );
        world.put_cost("c", 100);
        world.remove("c");
        world.advance(20);
        assert!(world.lookup("b").is_none());
    }
    assert!(is_stored(world.put_cost("d", 100)));
    assert!(world.left().iter().all(|(_, cause)| !matches!(cause, Cause::Cost | Cause::Refused)));
}

#[test]
fn fault02_a_null_victim_does_not_end_the_eviction() {
    let mut world = World::of_cost(1_100);
    (0..8).for_each(|i| assert!(is_stored(world.put_entry(&i.to_string(), NewEntry::new(Answer::Null)))));
    assert!(is_stored(world.put_cost("big", 800)));
    assert!(world.cost() <= 1_100);
    assert_eq!(world.left().len(), 7, "as many nulls as it took");
}

#[test]
fn fault03_an_oversize_replacement_does_not_leave_the_old_value() {
    let mut world = World::of_cost(1_000);
    world.put("key", "old");
    assert_eq!(world.put_cost("key", 1_001), PutOutcome::TooLarge);
    assert_eq!(world.lookup("key"), None);
}

#[test]
fn fault04_a_refused_insert_leaves_no_ghost_in_the_expiry() {
    let mut world = World::of_capacity(1);
    world.put_priority("high", 5.0);
    for _ in 0..100 {
        let refused = world.put_entry(
            "low",
            NewEntry { terms: StoreTerms { ttl: Some(Ttl::of_ms(10)), ..StoreTerms::default() }, ..NewEntry::new(text("")) },
        );
        assert_eq!(refused, PutOutcome::Refused);
    }
    assert_eq!(world.store.next_due(), None);
    world.advance(100);
    assert_eq!(world.store.remove_expired(&world.clock, &mut world.left), 0);
    assert!(world.has("high"));
}

#[test]
fn fault05_no_expired_entry_survives_a_purge_after_removals_from_the_middle() {
    let mut world = World::of_capacity(1_000);
    (0..300).for_each(|i| assert!(is_stored(world.put_ttl(&i.to_string(), 10 + i))));
    (0..300).filter(|i| i % 3 == 1).for_each(|i| assert!(world.remove(&i.to_string())));
    world.advance(400);
    assert_eq!(world.store.remove_expired(&world.clock, &mut world.left), 200);
    assert_eq!((world.len(), world.cost(), world.store.next_due()), (0, 0, None));
}

unsafe extern "C-unwind" fn count_end(counter: *mut c_void) {
    // SAFETY: the tests below pass a counter that outlives every value.
    unsafe { (*counter.cast::<AtomicU64>()).fetch_add(1, Ordering::SeqCst) };
}

fn object(counter: &AtomicU64) -> Answer {
    Answer::Value(Value::object_with(std::ptr::from_ref(counter).cast_mut().cast(), 1, Some(count_end)))
}

#[test]
fn fault06_dropping_a_store_drops_its_values() {
    let ended = AtomicU64::new(0);
    let mut world = World::new(CacheSettings { shards: Some(3), ..CacheSettings::default() });
    for i in 0..100 {
        world.put_entry(
            &i.to_string(),
            NewEntry {
                terms: StoreTerms { ttl: (i % 2 == 0).then_some(Ttl::of_ms(9)), ..StoreTerms::default() },
                ..NewEntry::new(object(&ended))
            },
        );
    }
    world.remove("5");
    drop(world);
    assert_eq!(ended.load(Ordering::SeqCst), 100);
}

/// A host's object whose destructor asks the store that just let go of it.
struct Caller {
    store: Arc<Store>,
    clock: Clock,
    seen: AtomicU64,
}

unsafe extern "C-unwind" fn call_back(caller: *mut c_void) {
    // SAFETY: the test below keeps the caller alive beyond every value.
    let caller = unsafe { &*caller.cast::<Caller>() };
    caller.store.lookup(b"a", &caller.clock);
    caller.store.put(b"from the destructor", NewEntry::new(Answer::Null), &caller.clock, &mut Departures::new());
    caller.seen.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn fault07_a_destructor_that_calls_back_does_not_deadlock() {
    let store = Arc::new(Store::new(&CacheSettings { capacity: 4, shards: Some(1), ..CacheSettings::default() }, None));
    let caller = Caller { store, clock: Clock::manual(Millis(0)), seen: AtomicU64::new(0) };
    let (store, clock) = (&caller.store, &caller.clock);
    let object = || Answer::Value(Value::object_with(std::ptr::from_ref(&caller).cast_mut().cast(), 1, Some(call_back)));
    let entry = |ttl| NewEntry { terms: StoreTerms { ttl: Some(ttl), ..StoreTerms::default() }, ..NewEntry::new(object()) };
    // Every way out: the caller drops what left, and no lock is held by then.
    store.put(b"a", entry(Ttl::Never), clock, &mut Departures::new());
    store.put(b"a", entry(Ttl::Never), clock, &mut Departures::new());
    store.put(b"a", entry(Ttl::DoNotStore), clock, &mut Departures::new());
    store.put(b"a", entry(Ttl::of_ms(1)), clock, &mut Departures::new());
    store.remove(b"a", clock, &mut Departures::new());
    store.put(b"a", entry(Ttl::Never), clock, &mut Departures::new());
    store.resize(0, None, clock, &mut Departures::new());
    store.resize(4, None, clock, &mut Departures::new());
    store.put(b"a", entry(Ttl::Never), clock, &mut Departures::new());
    store.trim(0.0, clock, &mut Departures::new());
    store.put(b"a", entry(Ttl::Never), clock, &mut Departures::new());
    store.clear(clock, &mut Departures::new());
    store.put(b"a", entry(Ttl::Never), clock, &mut Departures::new());
    let panic = catch_unwind(AssertUnwindSafe(|| store.lookup_with(b"a", clock, |_| panic!("on purpose"))));
    assert!(panic.is_err());
    assert!(store.lookup(b"a", clock).is_none(), "who comes next finds it empty");
    assert_eq!(caller.seen.load(Ordering::SeqCst), 8, "all that were put");
}

#[test]
fn fault08_nothing_is_born_expired_whatever_the_jitter() {
    let mut world = World::new(CacheSettings { capacity: 5_000, ttl_jitter_ms: 1_000_000, ..CacheSettings::default() });
    for ttl in [1, 2, 3, 10] {
        for i in 0..1_000 {
            let key = format!("{ttl} {i}");
            assert!(is_stored(world.put_ttl(&key, ttl)));
            assert!(world.has(&key), "ttl {ttl}");
        }
    }
}

#[test]
fn fault27_costs_beyond_32_and_64_bits_add_up() {
    let mut world = World::of_capacity(8);
    world.put_cost("a", 1 << 33);
    world.put_cost("b", 1 << 33);
    assert_eq!(world.cost(), (1 << 34) + 2 + 2 * ENTRY_COST);
    world.put_cost("c", u64::MAX);
    world.put_cost("d", u64::MAX);
    assert_eq!(world.cost(), u64::MAX, "shown as the end of the range, and kept exactly:");
    world.remove("c");
    world.remove("d");
    assert_eq!(world.cost(), (1 << 34) + 2 + 2 * ENTRY_COST);
    let mut world = World::of_cost(u64::MAX);
    assert!(is_stored(world.put_cost("a", u64::MAX)));
    assert!(is_stored(world.put_cost("b", 1)));
    assert_eq!((world.len(), world.left()), (1, names(&[("a", Cause::Cost)])));
}

#[test]
fn fault28_huge_ttls_saturate_and_a_clock_that_steps_back_does_no_harm() {
    let settings = CacheSettings {
        ttl_ms: Some(u64::MAX),
        null_ttl_ms: Some(u64::MAX - 1),
        ttl_jitter_ms: u64::MAX,
        idle_ttl_ms: Some(u64::MAX),
        ..CacheSettings::default()
    };
    let mut world = World::new(settings);
    world.put("a", "");
    world.put_entry("b", NewEntry::new(Answer::Null));
    world.advance(1_000 * HOUR);
    assert!(world.has("a") && world.has("b"));

    let mut world = World::new(CacheSettings { idle_ttl_ms: Some(500), ..CacheSettings::default() });
    world.put_ttl("a", 1_000);
    world.advance(100);
    assert_eq!(world.len(), 1);
    // Two views on time, one behind the other, as two threads may have.
    world.clock = Clock::manual(Millis(4_000));
    world.put_ttl("b", 10);
    assert!(world.lookup("a").is_some() && world.lookup("b").is_some());
    assert_eq!(world.len(), 2);
    world.clock = Clock::manual(Millis(6_001));
    assert_eq!((world.len(), world.cost()), (0, 0));
}
