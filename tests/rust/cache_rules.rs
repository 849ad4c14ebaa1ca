//! The rules of the store, and the faults of earlier systems that it must not repeat.

use kvlight::base::config::{CacheSettings, Hash};
use kvlight::base::sync::Mutex;
use kvlight::base::{Answer, Clock, Millis, Record, StoreTerms, Ttl, Value};
use kvlight::cache::{Cause, DepartureSink, Departures, END_COST, ENTRY_COST, NewEntry, PutOutcome, Store, TouchOutcome, cost_of};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// In milliseconds.
const HOUR: u64 = 3_600_000;

fn text(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

fn read(answer: &Answer) -> String {
    answer.value().map_or("null".into(), |value| String::from_utf8_lossy(value.as_bytes().expect("bytes")).into_owned())
}

/// A store, a manual clock, and all departures.
struct Fixture {
    store: Store,
    clock: Clock,
    left: Departures,
}

impl Fixture {
    fn new(settings: CacheSettings) -> Fixture {
        Fixture { store: Store::new(&settings, None), clock: Clock::manual(Millis(5_000)), left: Departures::new() }
    }

    fn of_capacity(capacity: u64) -> Fixture {
        Fixture::new(CacheSettings { capacity, ..CacheSettings::default() })
    }

    fn of_cost(limit: u64) -> Fixture {
        Fixture::new(CacheSettings { cost_limit: Some(limit), ..CacheSettings::default() })
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

    /// The departures since the last call: key and cause.
    fn left(&mut self) -> Vec<(String, Cause)> {
        std::mem::take(&mut self.left).into_iter().map(|left| (String::from_utf8_lossy(left.key()).into_owned(), left.cause)).collect()
    }
}

/// Expected departures, in the form of [`Fixture::left`].
fn departures(left: &[(&str, Cause)]) -> Vec<(String, Cause)> {
    left.iter().map(|(key, cause)| ((*key).to_owned(), *cause)).collect()
}

// ---- rules ------------------------------------------------------------------------------------------------------------

#[test]
fn s01_a_lookup_is_a_value_a_null_or_a_miss_and_invalid_keys_are_counted_apart() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put("value", "v");
    fixture.put_entry("null", NewEntry::new(Answer::Null));
    assert_eq!(fixture.lookup("value"), Some("v".into()));
    assert_eq!(fixture.lookup("null"), Some("null".into()), "null is found as an answer");
    assert_eq!(fixture.lookup("absent"), None);
    fixture.store.count_invalid_key();
    let counts = fixture.store.counts();
    assert_eq!((counts.hits, counts.null_hits, counts.misses, counts.invalid_keys), (1, 1, 1, 1));
}

#[test]
fn s01_keys_of_every_length_are_distinct() {
    let mut fixture = Fixture::of_capacity(100);
    let keys: Vec<String> = [0, 1, 21, 22, 23, 24, 1_000, 65_535].map(|len| "k".repeat(len)).into();
    for key in &keys {
        assert!(fixture.put(key, &key.len().to_string()).is_stored());
    }
    for key in &keys {
        assert_eq!(fixture.lookup(key), Some(key.len().to_string()));
    }
}

#[test]
fn s02_both_limits_are_kept_after_every_put_with_any_number_of_shards() {
    for shards in [1, 2, 3, 7, 16] {
        let mut fixture =
            Fixture::new(CacheSettings { capacity: 50, cost_limit: Some(6_000), shards: Some(shards), ..CacheSettings::default() });
        assert_eq!(fixture.store.shards(), shards as usize);
        for i in 0..500 {
            fixture.put_cost(&format!("key {i}"), i % 60);
            assert!(fixture.len() <= 50 && fixture.cost() <= 6_000, "after put {i} with {shards} shards");
        }
        assert!(fixture.len() > 25, "the capacity is used");
    }
}

#[test]
fn s02_capacity_0_refuses_every_put() {
    let mut fixture = Fixture::of_capacity(0);
    assert_eq!(fixture.put("a", "1"), PutOutcome::Refused);
    assert_eq!((fixture.len(), fixture.cost(), fixture.lookup("a")), (0, 0, None));
    assert_eq!(fixture.left(), departures(&[("a", Cause::Refused)]));
}

#[test]
fn s02_huge_limits_are_accepted() {
    for shards in [None, Some(4_096)] {
        let settings = CacheSettings { capacity: u64::MAX, cost_limit: Some(u64::MAX), shards, ..CacheSettings::default() };
        let mut fixture = Fixture::new(settings);
        assert!(fixture.put("a", "1").is_stored());
        assert_eq!((fixture.store.capacity(), fixture.store.cost_limit(), fixture.len()), (u64::MAX, Some(u64::MAX), 1));
    }
}

#[test]
fn s02_every_shard_has_room_for_an_entry() {
    let mut fixture = Fixture::new(CacheSettings { capacity: 3, shards: Some(64), ..CacheSettings::default() });
    assert_eq!(fixture.store.shards(), 3);
    for i in 0..50 {
        assert!(fixture.put(&format!("key {i}"), "").is_stored(), "every key is stored");
    }
    assert!(fixture.len() <= 3);
}

#[test]
fn s03_the_cost_is_the_sum_of_the_stated_cost_the_key_and_the_published_constant() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put("four", "123");
    assert_eq!(fixture.cost(), default_cost("four", "123"));
    fixture.put_cost("four", 1_000);
    assert_eq!(fixture.cost(), 1_000 + 4 + ENTRY_COST, "the stated cost is added, and the old cost subtracted");
    fixture.put_entry("", NewEntry::new(Answer::Null));
    assert_eq!(fixture.cost(), 1_000 + 4 + ENTRY_COST + cost_of(&Record::new(b"", Answer::Null), None, END_COST));
}

/// The cost of an entry without a stated cost.
fn default_cost(key: &str, value: &str) -> u64 {
    cost_of(&Record::new(key.as_bytes(), text(value)), None, 0)
}

#[test]
fn s03_every_removal_subtracts_the_cost() {
    let mut fixture = Fixture::of_capacity(8);
    let one = default_cost("a", "1");
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        fixture.put(key, "1");
    }
    fixture.remove("a");
    assert_eq!(fixture.cost(), 7 * one, "remove");
    fixture.store.take(b"b", &fixture.clock, &mut fixture.left);
    assert_eq!(fixture.cost(), 6 * one, "take");
    fixture.store.pop(&fixture.clock, &mut fixture.left);
    assert_eq!(fixture.cost(), 5 * one, "pop");
    fixture.store.resize(4, None, &fixture.clock, &mut fixture.left);
    assert_eq!(fixture.cost(), 4 * one, "resize");
    fixture.put("i", "1");
    assert_eq!(fixture.cost(), 4 * one, "eviction");
    fixture.put_ttl("i", 10);
    fixture.advance(10);
    assert_eq!(fixture.cost(), 3 * one, "expiry");
    fixture.store.trim(0.7, &fixture.clock, &mut fixture.left);
    assert_eq!(fixture.cost(), 2 * one, "trim");
    fixture.put_entry(
        "h",
        NewEntry { terms: StoreTerms { ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() }, ..NewEntry::new(Answer::Null) },
    );
    assert_eq!(fixture.cost(), one, "a put with TTL 0");
    fixture.store.clear(&fixture.clock, &mut fixture.left);
    assert_eq!((fixture.cost(), fixture.len()), (0, 0), "clear");
}

#[test]
fn s03_when_a_key_is_overwritten_its_old_cost_is_subtracted_first() {
    let part = 100 + 1 + ENTRY_COST;
    let mut fixture = Fixture::of_cost(2 * part);
    fixture.put_cost("a", 100);
    fixture.put_cost("b", 100);
    fixture.put_cost("b", 100);
    assert!(fixture.has("a"), "the new b has room in place of the old one");
    assert_eq!(fixture.left(), departures(&[("b", Cause::Replaced)]));
}

#[test]
fn s04_a_value_above_the_maximum_cost_is_not_stored_and_the_older_one_is_removed() {
    let mut fixture = Fixture::of_cost(1_000);
    fixture.put_cost("other", 10);
    fixture.put_cost("key", 10);
    let most = fixture.store.max_cost();
    assert_eq!(most, 1_000);
    assert_eq!(fixture.put_cost("key", most), PutOutcome::TooLarge);
    assert!(!fixture.has("key") && fixture.has("other"));
    assert_eq!(fixture.left(), departures(&[("key", Cause::Replaced), ("key", Cause::Refused)]));
    assert!(fixture.put_cost("key", most - 3 - ENTRY_COST).is_stored(), "a value of exactly the maximum cost");
    assert_eq!(fixture.len(), 1, "it is the only entry");
}

#[test]
fn s04_the_maximum_cost_is_the_same_for_every_shard() {
    let mut fixture = Fixture::new(CacheSettings { capacity: 100, cost_limit: Some(1_003), shards: Some(4), ..CacheSettings::default() });
    assert_eq!(fixture.store.max_cost(), 250);
    for i in 0..9 {
        let key = i.to_string();
        assert!(fixture.put_cost(&key, 250 - 1 - ENTRY_COST).is_stored());
        assert_eq!(fixture.put_cost(&key, 251 - 1 - ENTRY_COST), PutOutcome::TooLarge);
    }
}

#[test]
fn s05_room_is_made_from_the_lowest_priority_then_the_least_recently_used() {
    let mut fixture = Fixture::of_capacity(4);
    fixture.put_priority("high", 2.0);
    fixture.put_priority("low old", 1.0);
    fixture.put_priority("low young", 1.0);
    fixture.put_priority("lowest", -1.0);
    fixture.lookup("low old");
    for _ in 0..3 {
        fixture.put_priority("x", 2.0);
        fixture.put_priority("y", 2.0);
        fixture.put_priority("z", 2.0);
    }
    let left = fixture.left();
    let victims = departures(&[("lowest", Cause::Capacity), ("low young", Cause::Capacity), ("low old", Cause::Capacity)]);
    assert_eq!(left[..3], victims);
    assert!(fixture.has("high") && left[3..].iter().all(|(_, cause)| *cause == Cause::Replaced));
}

/// Uses are recorded in a buffer and applied when it is full. The eviction order must be right whether the buffer is full or not.
#[test]
fn s05_after_any_number_of_uses_the_least_recently_used_entry_is_evicted() {
    for uses in (0..140).chain([1000]) {
        let mut fixture = Fixture::of_capacity(5);
        for key in ["a", "b", "c", "d", "e"] {
            fixture.put(key, key);
        }
        let keys = [b"c", b"a", b"e", b"c", b"b"];
        let mut order = vec!["a", "b", "c", "d", "e"];
        for key in keys.iter().cycle().take(uses) {
            let seen = fixture
                .store
                .try_lookup_fast(*key, &fixture.clock, read)
                .unwrap_or_else(|| fixture.store.lookup_with(*key, &fixture.clock, read));
            let name = seen.expect("all entries fit");
            order.retain(|other| *other != name);
            order.push(["a", "b", "c", "d", "e"][usize::from(name.as_bytes()[0] - b'a')]);
        }
        assert_eq!(fixture.store.counts().hits, uses as u64);
        for victim in order {
            assert_eq!(
                fixture.store.pop(&fixture.clock, &mut fixture.left).map(|answer| read(&answer)).as_deref(),
                Some(victim),
                "after {uses} uses"
            );
        }
    }
}

/// What the fast path of a lookup cannot do is left to the slow path. Nothing may be counted by both.
#[test]
fn s12_a_lookup_on_the_fast_path_is_counted_once_or_not_at_all() {
    let mut fixture = Fixture::new(CacheSettings { idle_ttl_ms: Some(HOUR), ..CacheSettings::default() });
    fixture.put("a", "1");
    assert_eq!(fixture.store.try_lookup_fast(b"a", &fixture.clock, read), None, "the time of the use must be recorded");
    assert_eq!((fixture.store.counts().hits, fixture.store.counts().misses), (0, 0));

    let mut fixture = Fixture::of_capacity(10);
    fixture.put_ttl("soon", 10);
    fixture.put("ever", "2");
    for (key, seen) in [("soon", Some("soon")), ("ever", Some("2")), ("never", None)] {
        assert_eq!(fixture.store.try_lookup_fast(key.as_bytes(), &fixture.clock, read), Some(seen.map(String::from)));
    }
    fixture.advance(10);
    assert_eq!(fixture.store.try_lookup_fast(b"soon", &fixture.clock, read), Some(None), "an entry is absent exactly at its expiry");
    assert_eq!((fixture.store.counts().hits, fixture.store.counts().misses), (2, 2));
}

#[test]
fn s05_a_put_of_too_low_a_priority_is_refused_and_evicts_nothing() {
    let mut fixture = Fixture::of_capacity(2);
    fixture.put_priority("a", 1.0);
    fixture.put_priority("b", 2.0);
    assert_eq!(fixture.put_priority("c", 0.5), PutOutcome::Refused);
    assert!(fixture.has("a") && fixture.has("b"));
    assert_eq!(fixture.left(), departures(&[("c", Cause::Refused)]));
}

#[test]
fn s05_a_put_that_cannot_fit_evicts_nothing() {
    let entry = |cost: u64| cost + 3 + ENTRY_COST;
    let mut fixture = Fixture::of_cost(entry(10) + entry(10) + entry(500));
    fixture.put_entry("lo1", NewEntry { terms: StoreTerms { cost: Some(10), ..StoreTerms::default() }, ..NewEntry::new(text("")) });
    fixture.put_entry("lo2", NewEntry { terms: StoreTerms { cost: Some(10), ..StoreTerms::default() }, ..NewEntry::new(text("")) });
    fixture.put_entry(
        "big",
        NewEntry { terms: StoreTerms { cost: Some(500), priority: Some(9.0), ..StoreTerms::default() }, ..NewEntry::new(text("")) },
    );
    let refused =
        fixture.put_entry("new", NewEntry { terms: StoreTerms { cost: Some(300), ..StoreTerms::default() }, ..NewEntry::new(text("")) });
    assert_eq!(refused, PutOutcome::Refused, "evicting both low entries would not be enough");
    assert!(fixture.has("lo1") && fixture.has("lo2") && fixture.has("big"));
}

#[test]
fn s05_priorities_are_ordered_as_numbers() {
    let mut fixture = Fixture::of_capacity(3);
    fixture.put_priority("zero", 0.0);
    fixture.put_priority("minus zero", -0.0);
    fixture.put_priority("infinite", f64::INFINITY);
    assert!(fixture.put_priority("new", -0.0).is_stored(), "-0 equals 0");
    assert_eq!(fixture.left(), departures(&[("zero", Cause::Capacity)]));
    assert_eq!(fixture.put_priority("low", f64::NEG_INFINITY), PutOutcome::Refused);
    assert_eq!(fixture.put_priority("none", f64::NAN), PutOutcome::Refused);
}

#[test]
fn s05a_any_number_of_priorities_may_be_in_use() {
    let mut fixture = Fixture::of_capacity(1_000);
    // The priorities neither ascend nor descend.
    let priority_of = |i: u32| f64::from(i * 617 % 1_000) * 0.5;
    for i in 0..1_000 {
        assert!(fixture.put_priority(&i.to_string(), priority_of(i)).is_stored(), "priority {i}");
    }
    assert!(fixture.put_priority("0", 12_345.678).is_stored(), "an existing key with a new priority");
    assert!(fixture.has("0"));
    assert!(fixture.left() == departures(&[("0", Cause::Replaced)]));
    let mut leaving: Vec<u32> = (1..1_000).collect();
    leaving.sort_by(|one, other| priority_of(*one).total_cmp(&priority_of(*other)));
    for i in leaving {
        assert_eq!(fixture.store.pop(&fixture.clock, &mut fixture.left).map(|answer| read(&answer)), Some(i.to_string()));
    }
}

#[test]
fn s05a_among_many_priorities_only_lower_ones_are_evicted() {
    let cost_limit = Some(2_000 * (1_000 + ENTRY_COST));
    let mut fixture = Fixture::new(CacheSettings { capacity: 3_000, cost_limit, shards: Some(1), ..CacheSettings::default() });
    let of = |priority, cost| {
        let terms = StoreTerms { priority: Some(priority), cost: Some(cost), ..StoreTerms::default() };
        NewEntry { terms, ..NewEntry::new(text("")) }
    };
    for i in 0..2_000u32 {
        let key = i.to_string();
        fixture.put_entry(&key, of(f64::from(i), 1_000 - key.len() as u64));
    }
    assert_eq!(fixture.len(), 2_000);
    let cost = 500 * (1_000 + ENTRY_COST) - ENTRY_COST - 3;
    assert_eq!(fixture.put_entry("new", of(498.5, cost)), PutOutcome::Refused, "evicting 499 entries is not enough");
    assert_eq!(fixture.left(), departures(&[("new", Cause::Refused)]));
    assert!(fixture.put_entry("new", of(499.5, cost)).is_stored());
    let left: Vec<String> = fixture.left().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, (0..500).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn s05_nulls_are_evicted_like_values() {
    let mut fixture = Fixture::of_capacity(2);
    fixture.put_entry("null", NewEntry::new(Answer::Null));
    fixture.put("value", "1");
    fixture.put("new", "2");
    assert_eq!(fixture.left(), departures(&[("null", Cause::Capacity)]));
}

#[test]
fn s05_expired_entries_make_room_before_live_ones() {
    let mut fixture = Fixture::of_capacity(20);
    for i in 0..10 {
        fixture.put(&format!("alive {i}"), "");
    }
    for i in 0..10 {
        fixture.put_entry(
            &format!("due {i}"),
            NewEntry {
                terms: StoreTerms { ttl: Some(Ttl::of_ms(10)), priority: Some(9.0), ..StoreTerms::default() },
                ..NewEntry::new(text(""))
            },
        );
    }
    fixture.advance(10);
    for i in 0..10 {
        fixture.put(&format!("new {i}"), "");
    }
    assert!(fixture.left().iter().all(|(key, cause)| key.starts_with("due") && *cause == Cause::Expired));
    assert_eq!(fixture.len(), 20);
}

#[test]
fn s05_a_put_removes_as_many_expired_entries_as_it_needs() {
    let one = 2 + ENTRY_COST;
    let mut fixture = Fixture::of_cost(21 * one);
    assert!(fixture.put_cost("no", 0).is_stored(), "this entry is alive, and the least recently used");
    for i in 10..30 {
        fixture.put_entry(
            &i.to_string(),
            NewEntry {
                terms: StoreTerms { cost: Some(0), ttl: Some(Ttl::of_ms(10)), priority: Some(9.0), ..StoreTerms::default() },
                ..NewEntry::new(text(""))
            },
        );
    }
    fixture.advance(10);
    assert!(fixture.put_cost("in", 19 * one).is_stored(), "this needs more removals than the 8 of every write");
    assert!(fixture.has("no"));
    assert!(fixture.left().iter().all(|(_, cause)| *cause == Cause::Expired));
}

#[test]
fn s06_an_entry_expires_exactly_at_its_end() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put_ttl("a", 10);
    fixture.put_ttl("b", HOUR);
    for (key, ttl) in [("a", 10), ("b", HOUR - 10)] {
        fixture.advance(ttl - 1);
        assert!(fixture.has(key));
        fixture.advance(1);
        assert!(!fixture.has(key) && fixture.lookup(key).is_none());
    }
    assert_eq!((fixture.len(), fixture.cost()), (0, 0), "the sums exclude expired entries");
    assert_eq!(fixture.left(), departures(&[("a", Cause::Expired), ("b", Cause::Expired)]));
}

/// Uses the system's clock, which is coarse. However slow the machine is, an entry that has expired has had its full TTL.
#[test]
fn s06_an_entry_does_not_expire_before_a_short_ttl_has_passed() {
    for idle_ttl_ms in [None, Some(2)] {
        let store = Store::new(&CacheSettings { idle_ttl_ms, ..CacheSettings::default() }, None);
        let clock = Clock::system();
        for _ in 0..20 {
            let before = std::time::Instant::now();
            let ttl = if idle_ttl_ms.is_some() { Ttl::Never } else { Ttl::of_ms(2) };
            let terms = StoreTerms { ttl: Some(ttl), ..StoreTerms::default() };
            store.put(b"a", NewEntry { terms, ..NewEntry::new(text("")) }, &clock, &mut Departures::new());
            while store.peek(b"a", &clock).is_some() {}
            assert!(before.elapsed() >= std::time::Duration::from_millis(2), "the entry expired after {:?}", before.elapsed());
        }
    }
}

#[test]
fn s06_by_default_values_do_not_expire_and_nulls_expire_after_a_minute() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put("value", "v");
    fixture.put_entry("null", NewEntry::new(Answer::Null));
    fixture.put_entry(
        "stated",
        NewEntry { terms: StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() }, ..NewEntry::new(Answer::Null) },
    );
    fixture.advance(59_999);
    assert!(fixture.has("null"));
    fixture.advance(1);
    assert!(!fixture.has("null"));
    fixture.advance(1_000 * HOUR);
    assert!(fixture.has("value") && fixture.has("stated"));
}

#[test]
fn s06_ttl_0_does_not_store_and_removes_the_existing_entry() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put("a", "old");
    assert_eq!(fixture.put_ttl("a", 0), PutOutcome::Refused);
    assert_eq!(fixture.lookup("a"), None);
    assert_eq!(fixture.left(), departures(&[("a", Cause::Removed), ("a", Cause::Refused)]));
    let mut fixture = Fixture::new(CacheSettings { ttl_ms: Some(0), null_ttl_ms: Some(0), ..CacheSettings::default() });
    assert_eq!(fixture.put("value", "v"), PutOutcome::Refused, "a default of 0 does not store either");
    assert_eq!(fixture.put_entry("null", NewEntry::new(Answer::Null)), PutOutcome::Refused);
    assert!(fixture.put_ttl("stated", 5).is_stored());
}

#[test]
fn s06_an_expired_entry_that_is_overwritten_counts_as_expired() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put_ttl("a", 10);
    fixture.advance(20);
    fixture.put("a", "new");
    assert_eq!(fixture.left(), departures(&[("a", Cause::Expired)]));
    assert_eq!((fixture.store.counts().inserts, fixture.store.counts().replacements), (2, 0));
}

#[test]
fn s07_a_timer_removes_expired_entries_in_slices_and_knows_the_next_time() {
    let mut fixture = Fixture::of_capacity(8_000);
    assert_eq!((fixture.store.shards(), fixture.store.next_due()), (1, None));
    for i in 0..1_000 {
        fixture.put_ttl(&i.to_string(), 100 + i % 10);
    }
    fixture.put_ttl("later", HOUR);
    let first_end = Millis(5_000 + 100);
    assert!(fixture.store.next_due().is_some_and(|due| due <= first_end));
    assert!(fixture.store.next_wake().is_some_and(|wake| wake.0 % 500 == 0 && wake.since(first_end) < 500));
    fixture.advance(200);
    let mut slices = 0;
    while fixture.store.sweep(&fixture.clock, 100, &mut fixture.left) {
        slices += 1;
        assert!(fixture.left.len() <= 100 * slices);
    }
    assert_eq!(fixture.left().len(), 1_000);
    assert!(fixture.store.next_due().is_some_and(|due| due > fixture.clock.millis()));
    assert_eq!(fixture.len(), 1);
}

#[test]
fn s07_a_sweep_says_that_entries_which_expire_right_now_are_left() {
    let mut fixture = Fixture::of_capacity(100);
    for i in 0..3 {
        fixture.put_ttl(&i.to_string(), 100);
    }
    fixture.advance(100);
    assert!(fixture.store.sweep(&fixture.clock, 1, &mut fixture.left), "two expired entries are left");
    assert_eq!(fixture.left().len(), 1);
}

#[test]
fn s07_a_timer_that_sleeps_until_next_wake_is_on_time_and_seldom_woken() {
    let mut fixture = Fixture::of_capacity(10_000);
    for i in 0..2_000 {
        fixture.put_ttl(&i.to_string(), 1 + i * 7);
    }
    let mut wakes = 0;
    while let Some(wake) = fixture.store.next_wake() {
        fixture.advance(wake.since(fixture.clock.millis()));
        while fixture.store.sweep(&fixture.clock, 64, &mut fixture.left) {}
        wakes += 1;
    }
    for left in &fixture.left {
        let late = left.left_at.since(left.expires_at().expect("it expires"));
        assert!(late < 1_000, "{left:?} was kept for {late} ms");
    }
    assert_eq!(fixture.left.len(), 2_000);
    assert!(wakes <= 2 * 14 + 2, "{wakes} wakes in 14 seconds");
}

#[test]
fn s07_every_write_removes_up_to_8_expired_entries() {
    let mut fixture = Fixture::new(CacheSettings { timer: false, capacity: 1_000, ..CacheSettings::default() });
    for i in 0..20 {
        fixture.put_ttl(&i.to_string(), 10);
    }
    fixture.advance(60);
    for expected in [8, 8, 4, 0] {
        fixture.put("a", "");
        let expired = fixture.left().iter().filter(|(_, cause)| *cause == Cause::Expired).count();
        assert_eq!(expired, expected);
    }
    fixture.put_ttl("b", 10);
    fixture.advance(10);
    assert!(!fixture.remove("absent"));
    assert_eq!(fixture.left(), departures(&[("b", Cause::Expired)]), "a remove counts as a write");
    fixture.put_ttl("c", 10);
    fixture.advance(10);
    assert_eq!(fixture.store.touch(b"absent", None, &fixture.clock, &mut fixture.left), TouchOutcome::Missing);
    assert_eq!(fixture.left(), departures(&[("c", Cause::Expired)]), "so does a touch");
}

#[test]
fn s08_jitter_stays_within_half_of_the_ttl_and_reaches_both_ends() {
    for (jitter, ttl, low, high) in [(10, 1_000, 990, 1_010), (u64::MAX, 20, 10, 30), (5, 1, 1, 1), (7, 3, 2, 4)] {
        let mut fixture = Fixture::new(CacheSettings { capacity: 10_000, ttl_jitter_ms: jitter, ..CacheSettings::default() });
        let now = fixture.clock.millis();
        let mut drawn = Vec::new();
        for i in 0..2_000 {
            let PutOutcome::Stored { expires_at, .. } = fixture.put_ttl(&i.to_string(), ttl) else { panic!("there is room") };
            drawn.push(expires_at.expect("it expires").since(now));
        }
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&low), Some(&high)), "ttl {ttl} ± {jitter}");
    }
}

#[test]
fn s08_jitter_applies_to_defaults_and_nulls_but_not_without_a_ttl() {
    let settings =
        CacheSettings { ttl_ms: Some(1_000), null_ttl_ms: Some(1_000), ttl_jitter_ms: 500, capacity: 1_000, ..CacheSettings::default() };
    let mut fixture = Fixture::new(settings);
    for answer in [Answer::Null, text("v")] {
        let mut ends = std::collections::BTreeSet::new();
        for i in 0..100 {
            let PutOutcome::Stored { expires_at, .. } = fixture.put_entry(&i.to_string(), NewEntry::new(answer.clone())) else {
                panic!("there is room")
            };
            ends.insert(expires_at);
        }
        assert!(ends.len() > 50 && !ends.contains(&None));
    }
    let never = fixture.put_entry(
        "never",
        NewEntry { terms: StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() }, ..NewEntry::new(Answer::Null) },
    );
    assert!(matches!(never, PutOutcome::Stored { expires_at: None, .. }));
}

#[test]
fn s08_a_seed_makes_jitter_repeatable() {
    let ends = |seed| {
        let mut fixture =
            Fixture::new(CacheSettings { seed, shards: Some(4), ttl_jitter_ms: 1_000, capacity: 100, ..CacheSettings::default() });
        (0..20).map(|i| fixture.put_ttl(&i.to_string(), HOUR)).collect::<Vec<PutOutcome>>()
    };
    assert_eq!(ends(Some(7)), ends(Some(7)));
    assert_ne!(ends(Some(7)), ends(Some(8)));
    assert_ne!(ends(None), ends(None));
}

#[test]
fn s09_an_entry_expires_its_idle_ttl_after_its_last_use() {
    let mut fixture = Fixture::new(CacheSettings { idle_ttl_ms: Some(100), ..CacheSettings::default() });
    fixture.put("used", "");
    fixture.put("idle", "");
    fixture.put_ttl("short", 150);
    for _ in 0..10 {
        fixture.advance(60);
        assert!(fixture.lookup("used").is_some());
        fixture.lookup("short");
    }
    assert_eq!(fixture.len(), 1);
    let mut left = fixture.left();
    left.sort();
    assert_eq!(left, departures(&[("idle", Cause::Expired), ("short", Cause::Expired)]), "the earlier of the two expiry times applies");
    fixture.advance(99);
    assert!(fixture.has("used"), "a peek does not count as a use");
    fixture.advance(1);
    assert!(!fixture.has("used"));
}

/// A departure sink that collects everything.
#[derive(Default)]
struct CollectingSink(Mutex<Departures>);

impl DepartureSink for CollectingSink {
    fn record(&self, departures: &mut Departures) {
        self.0.lock().append(departures);
    }
}

#[test]
fn s11_each_value_is_reported_exactly_once_by_the_sink_or_by_the_caller() {
    let collected = Arc::new(CollectingSink::default());
    let settings = CacheSettings { capacity: 10, cost_limit: Some(2_000), ..CacheSettings::default() };
    for sink in [None, Some(collected.clone() as Arc<dyn DepartureSink>)] {
        let has_sink = sink.is_some();
        let (store, clock, mut out) = (Store::new(&settings, sink), Clock::manual(Millis(0)), Departures::new());
        for i in 0..300u64 {
            let key = [(i % 17) as u8];
            let entry = NewEntry {
                terms: StoreTerms { cost: Some(i * 13 % 400), priority: Some((i % 3) as f64), ..StoreTerms::default() },
                ..NewEntry::new(text(&i.to_string()))
            };
            store.put(&key, entry, &clock, &mut out);
        }
        store.clear(&clock, &mut out);
        if has_sink {
            assert!(out.is_empty(), "with a sink the caller receives nothing");
            out = std::mem::take(&mut collected.0.lock());
        }
        let mut reported: Vec<u64> = out.iter().map(|left| read(&left.answer()).parse().expect("a number")).collect();
        // A refused value leaves after the older value of its key, so the order for each key is that of the puts.
        let by_key = |key: u8| reported.iter().copied().filter(|i| (i % 17) as u8 == key).collect::<Vec<u64>>();
        assert!((0..17).all(|key| by_key(key).is_sorted()));
        reported.sort_unstable();
        assert_eq!(reported, (0..300).collect::<Vec<u64>>());
    }
}

#[test]
fn s11_a_departure_describes_its_entry_and_its_times() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put_ttl("key", 100);
    fixture.advance(30);
    fixture.remove("key");
    let left = &fixture.left[0];
    assert_eq!((read(&left.answer()).as_str(), left.cost), ("key", default_cost("key", "key") + END_COST));
    assert_eq!((left.stored_at, left.expires_at(), left.left_at), (Millis(5_000), Some(Millis(5_100)), Millis(5_030)));
}

#[test]
fn s12_inserts_equal_the_entries_in_the_store_plus_those_that_left() {
    let mut fixture = Fixture::of_capacity(10);
    for i in 0..100 {
        fixture.put_priority(&(i % 13).to_string(), f64::from(i % 4));
    }
    let (counts, entries) = (fixture.store.counts(), fixture.len());
    assert_eq!(counts.inserts + counts.removed(Cause::Refused).entries, 100);
    assert_eq!(counts.inserts, counts.removed_in_all().entries + entries);
    assert!(counts.replacements <= counts.removed(Cause::Replaced).entries, "a put that replaces may still be refused");
}

#[test]
fn s12_no_event_is_lost_or_counted_twice_by_concurrent_resets() {
    const LOOKUPS: u64 = 20_000;
    let settings = CacheSettings { shards: Some(4), ..CacheSettings::default() };
    let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(0)));
    store.put(b"1", NewEntry::new(text("")), &clock, &mut Departures::new());
    let (mut hits, mut misses, mut invalid) = (0, 0, 0);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
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
        while !readers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            add(store.reset_counts());
        }
        add(store.reset_counts());
    });
    assert_eq!((hits, misses, invalid), (LOOKUPS, LOOKUPS, 2 * LOOKUPS));
}

#[test]
fn s12_a_probe_counts_hits_but_not_misses() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put("a", "");
    assert!(fixture.store.probe(b"a", &fixture.clock).is_some());
    assert!(fixture.store.probe(b"b", &fixture.clock).is_none());
    assert_eq!((fixture.store.counts().hits, fixture.store.counts().misses), (1, 0));
}

#[test]
fn s13_peek_changes_neither_recency_nor_statistics() {
    let mut fixture = Fixture::of_capacity(2);
    fixture.put("a", "");
    fixture.put("b", "");
    let before = fixture.store.counts();
    assert!(fixture.has("a") && !fixture.has("absent"));
    assert_eq!(fixture.store.counts(), before);
    fixture.put("c", "");
    assert_eq!(fixture.left(), departures(&[("a", Cause::Capacity)]), "a is still the least recently used");
}

#[test]
fn s13_a_lookup_in_place_counts_as_a_use() {
    let mut fixture = Fixture::of_capacity(2);
    fixture.put("a", "1");
    fixture.put("b", "");
    assert_eq!(fixture.store.lookup_with(b"a", &fixture.clock, read), Some("1".into()));
    assert_eq!(fixture.store.lookup_with(b"x", &fixture.clock, read), None);
    assert_eq!((fixture.store.counts().hits, fixture.store.counts().misses), (1, 1));
    fixture.put("c", "");
    assert_eq!(fixture.left(), departures(&[("b", Cause::Capacity)]));
}

#[test]
fn s14_a_trim_keeps_at_most_the_ratio_of_entries_and_of_cost() {
    for shards in [1, 4] {
        let mut fixture = Fixture::new(CacheSettings { capacity: 1_000, shards: Some(shards), ..CacheSettings::default() });
        for i in 0..100 {
            fixture.put_cost(&i.to_string(), i * 10);
        }
        let (entries, cost) = (fixture.len(), fixture.cost());
        fixture.store.trim(0.6, &fixture.clock, &mut fixture.left);
        assert!(fixture.len() <= entries * 6 / 10 && fixture.cost() <= cost * 6 / 10);
        assert!(fixture.len() >= entries / 4, "the trim removes not much more than it must");
        assert!(fixture.left().iter().all(|(_, cause)| *cause == Cause::Trimmed));
        fixture.store.trim(1.0, &fixture.clock, &mut fixture.left);
        assert!(fixture.left().is_empty());
        fixture.store.trim(0.0, &fixture.clock, &mut fixture.left);
        assert_eq!((fixture.len(), fixture.cost()), (0, 0));
    }
}

#[test]
fn s14_trim_to_keeps_the_requested_number() {
    for shards in [1, 3, 16] {
        let mut fixture = Fixture::new(CacheSettings { capacity: 10_000, shards: Some(shards), ..CacheSettings::default() });
        for i in 0..500 {
            fixture.put(&i.to_string(), "");
        }
        for keep in [600, 333, 100, 7, 1, 0] {
            fixture.store.trim_to(keep, &fixture.clock, &mut fixture.left);
            assert_eq!(fixture.len(), keep.min(500), "with {shards} shards");
        }
    }
}

#[test]
fn s14a_a_resize_trims_before_it_returns() {
    let mut fixture = Fixture::of_capacity(10);
    for i in 0..10 {
        fixture.put(&i.to_string(), "");
    }
    fixture.store.resize(4, None, &fixture.clock, &mut fixture.left);
    assert_eq!((fixture.len(), fixture.store.capacity()), (4, 4));
    assert!(fixture.left().iter().all(|(_, cause)| *cause == Cause::Trimmed));
    let one = default_cost("0", "");
    fixture.store.resize(4, Some(2 * one), &fixture.clock, &mut fixture.left);
    assert_eq!((fixture.len(), fixture.cost(), fixture.store.max_cost()), (2, 2 * one, 2 * one));
    assert_eq!(fixture.left(), departures(&[("6", Cause::Trimmed), ("7", Cause::Trimmed)]));
    fixture.store.resize(100, None, &fixture.clock, &mut fixture.left);
    (0..200).for_each(|i| assert!(fixture.put(&i.to_string(), "").is_stored()));
    assert_eq!(fixture.len(), 100);
}

#[test]
fn s14_pop_returns_a_victim_of_the_lowest_priority_in_all_shards() {
    let mut fixture = Fixture::new(CacheSettings { capacity: 1_000, shards: Some(8), ..CacheSettings::default() });
    for i in 0..60 {
        fixture.put_priority(&i.to_string(), f64::from(i / 10));
    }
    let mut popped = Vec::new();
    while let Some(answer) = fixture.store.pop(&fixture.clock, &mut fixture.left) {
        popped.push(read(&answer).parse::<u32>().expect("a number") / 10);
    }
    assert_eq!(popped.len(), 60);
    assert!(popped.is_sorted());
}

#[test]
fn s14_take_returns_live_entries_only() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put_ttl("a", 10);
    fixture.put_ttl("b", 10);
    let taken = fixture.store.take(b"a", &fixture.clock, &mut fixture.left);
    assert_eq!(taken.map(|answer| read(&answer)), Some("a".into()));
    fixture.advance(10);
    assert!(fixture.store.take(b"b", &fixture.clock, &mut fixture.left).is_none());
    assert_eq!(fixture.left(), departures(&[("a", Cause::Removed), ("b", Cause::Expired)]));
}

#[test]
fn s14_a_put_with_victims_returns_the_entries_that_it_evicted() {
    let mut fixture = Fixture::of_capacity(3);
    fixture.put_ttl("due", 10);
    fixture.put("key", "old");
    fixture.put_priority("high", 5.0);
    fixture.advance(10);
    let mut put = |key: &str, priority| {
        let entry = NewEntry { terms: StoreTerms { priority: Some(priority), ..StoreTerms::default() }, ..NewEntry::new(text(key)) };
        let (put, named) = fixture.store.put_with_victims(key.as_bytes(), &mut { entry }, &fixture.clock, &mut fixture.left);
        (put.is_stored(), named.iter().map(|left| read(&left.answer())).collect::<Vec<_>>())
    };
    assert_eq!(put("key", 1.0), (true, vec![]), "an expired or a replaced entry is no victim");
    assert_eq!(put("new", 1.0), (true, vec![]));
    assert_eq!(put("newer", 2.0), (true, vec!["key".into()]));
    assert_eq!(put("low", 0.0), (false, vec!["low".into()]), "the new entry itself if it is refused");
}

#[test]
fn s16_a_value_stays_readable_after_its_entry_and_its_store_are_dropped() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put("a", "still here");
    let hit = fixture.store.lookup(b"a", &fixture.clock).expect("a hit");
    fixture.remove("a");
    drop(fixture);
    assert_eq!(read(&hit.answer), "still here");
}

#[test]
fn l07_a_panic_in_a_shard_empties_only_that_shard() {
    let collected = Arc::new(CollectingSink::default());
    let settings = CacheSettings { shards: Some(2), ..CacheSettings::default() };
    for sink in [None, Some(collected.clone() as Arc<dyn DepartureSink>)] {
        let (store, clock, mut out) = (Store::new(&settings, sink.clone()), Clock::manual(Millis(0)), Departures::new());
        for i in 0..100u8 {
            let entry = NewEntry {
                terms: StoreTerms { ttl: Some(Ttl::of_ms(10)), ..StoreTerms::default() },
                ..NewEntry::new(text(&i.to_string()))
            };
            store.put(&[i], entry, &clock, &mut out);
        }
        let panic = catch_unwind(AssertUnwindSafe(|| store.lookup_with(&[0], &clock, |_| panic!("on purpose"))));
        assert!(panic.is_err(), "the panic continues to the caller");
        assert!(store.peek(&[0], &clock).is_none());
        let len = store.len(&clock, &mut out);
        assert!(len > 0 && len < 100, "the other shard keeps its entries");
        assert_eq!(store.counts().removed(Cause::Cleared).entries, 100 - len);
        if sink.is_some() {
            assert_eq!(std::mem::take(&mut *collected.0.lock()).len() as u64, 100 - len, "each removed entry is reported");
        }
        assert!(store.put(&[0], NewEntry::new(text("")), &clock, &mut out).is_stored(), "the emptied shard works again");
        assert_eq!(store.len(&clock, &mut out), len + 1);
    }
}

#[test]
fn s08_a_store_with_sip_works_like_any_other() {
    let mut fixture = Fixture::new(CacheSettings { hash: Hash::Sip, capacity: 1_000, shards: Some(3), ..CacheSettings::default() });
    (0..500).for_each(|i| assert!(fixture.put(&i.to_string(), &i.to_string()).is_stored()));
    assert!((0..500).filter(|i| fixture.lookup(&i.to_string()) == Some(i.to_string())).count() > 450);
}

// ---- faults of earlier systems ------------------------------------------------------------------------------------------

#[test]
fn fault01_overwrite_remove_and_expiry_subtract_the_cost() {
    let mut fixture = Fixture::of_cost(3 * (100 + 1 + ENTRY_COST));
    for _ in 0..1_000 {
        fixture.put_cost("a", 100);
        fixture.put_entry(
            "b",
            NewEntry {
                terms: StoreTerms { cost: Some(100), ttl: Some(Ttl::of_ms(10)), ..StoreTerms::default() },
                ..NewEntry::new(text(""))
            },
        );
        fixture.put_cost("c", 100);
        fixture.remove("c");
        fixture.advance(20);
        assert!(fixture.lookup("b").is_none());
    }
    assert!(fixture.put_cost("d", 100).is_stored());
    assert!(fixture.left().iter().all(|(_, cause)| !matches!(cause, Cause::Cost | Cause::Refused)));
}

#[test]
fn fault02_a_null_victim_does_not_end_the_eviction() {
    let mut fixture = Fixture::of_cost(1_100);
    (0..8).for_each(|i| assert!(fixture.put_entry(&i.to_string(), NewEntry::new(Answer::Null)).is_stored()));
    assert!(fixture.put_cost("big", 800).is_stored());
    assert!(fixture.cost() <= 1_100);
    assert_eq!(fixture.left().len(), 7, "seven nulls made enough room");
}

#[test]
fn fault03_a_replacement_that_is_too_large_removes_the_old_value() {
    let mut fixture = Fixture::of_cost(1_000);
    fixture.put("key", "old");
    assert_eq!(fixture.put_cost("key", 1_001), PutOutcome::TooLarge);
    assert_eq!(fixture.lookup("key"), None);
}

#[test]
fn fault04_a_refused_insert_leaves_no_expiry_behind() {
    let mut fixture = Fixture::of_capacity(1);
    fixture.put_priority("high", 5.0);
    for _ in 0..100 {
        let refused = fixture.put_entry(
            "low",
            NewEntry { terms: StoreTerms { ttl: Some(Ttl::of_ms(10)), ..StoreTerms::default() }, ..NewEntry::new(text("")) },
        );
        assert_eq!(refused, PutOutcome::Refused);
    }
    assert_eq!(fixture.store.next_due(), None);
    fixture.advance(100);
    assert_eq!(fixture.store.remove_expired(&fixture.clock, &mut fixture.left), 0);
    assert!(fixture.has("high"));
}

#[test]
fn fault05_no_expired_entry_survives_a_purge_after_removals_from_the_middle() {
    let mut fixture = Fixture::of_capacity(1_000);
    (0..300).for_each(|i| assert!(fixture.put_ttl(&i.to_string(), 10 + i).is_stored()));
    (0..300).filter(|i| i % 3 == 1).for_each(|i| assert!(fixture.remove(&i.to_string())));
    fixture.advance(400);
    assert_eq!(fixture.store.remove_expired(&fixture.clock, &mut fixture.left), 200);
    assert_eq!((fixture.len(), fixture.cost(), fixture.store.next_due()), (0, 0, None));
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
    let mut fixture = Fixture::new(CacheSettings { shards: Some(3), ..CacheSettings::default() });
    for i in 0..100 {
        fixture.put_entry(
            &i.to_string(),
            NewEntry {
                terms: StoreTerms { ttl: (i % 2 == 0).then_some(Ttl::of_ms(9)), ..StoreTerms::default() },
                ..NewEntry::new(object(&ended))
            },
        );
    }
    fixture.remove("5");
    drop(fixture);
    assert_eq!(ended.load(Ordering::SeqCst), 100);
}

/// An object of the host whose destructor calls the store that dropped it.
struct Caller {
    store: Arc<Store>,
    clock: Clock,
    seen: AtomicU64,
}

unsafe extern "C-unwind" fn call_back(caller: *mut c_void) {
    // SAFETY: the test below keeps the caller alive longer than every value.
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
    // Every kind of removal: the caller drops the departures when no lock is held.
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
    assert!(store.lookup(b"a", clock).is_none(), "the next access empties the shard");
    assert_eq!(caller.seen.load(Ordering::SeqCst), 8, "every object that was put");
}

#[test]
fn fault08_no_entry_is_stored_already_expired_whatever_the_jitter() {
    let mut fixture = Fixture::new(CacheSettings { capacity: 5_000, ttl_jitter_ms: 1_000_000, ..CacheSettings::default() });
    for ttl in [1, 2, 3, 10] {
        for i in 0..1_000 {
            let key = format!("{ttl} {i}");
            assert!(fixture.put_ttl(&key, ttl).is_stored());
            assert!(fixture.has(&key), "ttl {ttl}");
        }
    }
}

#[test]
fn fault27_costs_beyond_32_and_64_bits_add_up() {
    let mut fixture = Fixture::of_capacity(8);
    fixture.put_cost("a", 1 << 33);
    fixture.put_cost("b", 1 << 33);
    assert_eq!(fixture.cost(), (1 << 34) + 2 + 2 * ENTRY_COST);
    fixture.put_cost("c", u64::MAX);
    fixture.put_cost("d", u64::MAX);
    assert_eq!(fixture.cost(), u64::MAX, "the reported total saturates; the store still knows the exact one");
    fixture.remove("c");
    fixture.remove("d");
    assert_eq!(fixture.cost(), (1 << 34) + 2 + 2 * ENTRY_COST);
    let mut fixture = Fixture::of_cost(u64::MAX);
    assert!(fixture.put_cost("a", u64::MAX).is_stored());
    assert!(fixture.put_cost("b", 1).is_stored());
    assert_eq!((fixture.len(), fixture.left()), (1, departures(&[("a", Cause::Cost)])));
}

#[test]
fn fault28_huge_ttls_saturate_and_a_clock_may_step_back() {
    let settings = CacheSettings {
        ttl_ms: Some(u64::MAX),
        null_ttl_ms: Some(u64::MAX - 1),
        ttl_jitter_ms: u64::MAX,
        idle_ttl_ms: Some(u64::MAX),
        ..CacheSettings::default()
    };
    let mut fixture = Fixture::new(settings);
    fixture.put("a", "");
    fixture.put_entry("b", NewEntry::new(Answer::Null));
    fixture.advance(1_000 * HOUR);
    assert!(fixture.has("a") && fixture.has("b"));

    let mut fixture = Fixture::new(CacheSettings { idle_ttl_ms: Some(500), ..CacheSettings::default() });
    fixture.put_ttl("a", 1_000);
    fixture.advance(100);
    assert_eq!(fixture.len(), 1);
    // This clock is behind the last one, as the time that another thread sees may be.
    fixture.clock = Clock::manual(Millis(4_000));
    fixture.put_ttl("b", 10);
    assert!(fixture.lookup("a").is_some() && fixture.lookup("b").is_some());
    assert_eq!(fixture.len(), 2);
    fixture.clock = Clock::manual(Millis(6_001));
    assert_eq!((fixture.len(), fixture.cost()), (0, 0));
}
