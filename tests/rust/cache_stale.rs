//! Entries past their end that stay as fallbacks, and those that are to be loaded anew before (rules R01, R05, R12), as the store sees them.

use kvlight::base::config::{CacheSettings, RefreshSettings};
use kvlight::base::{Answer, Clock, Millis, StoreTerms, Ttl, Value};
use kvlight::cache::{Cause, Condition, Departures, NewEntry, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn text(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

fn read(answer: &Answer) -> String {
    answer.value().map_or("null".into(), |value| String::from_utf8_lossy(value.as_bytes().expect("bytes")).into_owned())
}

/// A store whose entries live for 100 ms and stay for 50 more.
struct World {
    store: Store,
    clock: Clock,
    left: Departures,
}

fn graceful() -> CacheSettings {
    CacheSettings { ttl_ms: Some(100), stale_ttl_ms: 50, shards: Some(1), ..CacheSettings::default() }
}

impl World {
    fn new(settings: CacheSettings) -> World {
        World { store: Store::new(&settings, None), clock: Clock::manual(Millis(5_000)), left: Departures::new() }
    }

    fn advance(&mut self, by_ms: u64) {
        if let Clock::Manual(clock) = &self.clock {
            clock.advance(by_ms);
        }
    }

    fn put(&mut self, key: &str, terms: StoreTerms) -> bool {
        let entry = NewEntry { terms, ..NewEntry::new(text(key)) };
        self.store.put(key.as_bytes(), entry, &self.clock, &mut self.left).is_stored()
    }

    /// Whether a lookup sees the key.
    fn is_fresh(&self, key: &str) -> bool {
        let key = key.as_bytes();
        let seen = self.store.peek(key, &self.clock).is_some();
        assert_eq!(self.store.lookup(key, &self.clock).is_some(), seen);
        // `None`: it would take the long way.
        let glanced = self.store.try_lookup_fast(key, &self.clock, |_| ());
        assert!(glanced.is_none_or(|glanced| glanced.is_some() == seen));
        seen
    }

    fn stale(&self, key: &str) -> Option<String> {
        self.store.stale(key.as_bytes(), &self.clock).map(|hit| read(&hit.answer))
    }

    fn len(&mut self) -> u64 {
        self.store.len(&self.clock, &mut self.left)
    }

    /// Who left since the last time, and why.
    fn left(&mut self) -> Vec<(String, Cause)> {
        self.left.drain(..).map(|left| (String::from_utf8_lossy(&left.key).into_owned(), left.cause)).collect()
    }
}

#[test]
fn r01_at_its_end_an_entry_becomes_stale_and_leaves_at_the_end_of_its_grace() {
    let mut world = World::new(graceful());
    world.put("k", StoreTerms::default());
    let cost = world.store.cost(&world.clock, &mut world.left);
    world.advance(99);
    assert!(world.is_fresh("k"));
    assert_eq!(world.stale("k"), None, "a fresh entry is no fallback");
    world.advance(1);
    for _ in 0..2 {
        assert!(!world.is_fresh("k"));
        assert_eq!(world.stale("k").as_deref(), Some("k"));
        // Whether the timer has been there or not.
        assert_eq!(world.store.remove_expired(&world.clock, &mut world.left), 0);
    }
    let hit = world.store.stale(b"k", &world.clock).expect("stale");
    assert_eq!((hit.stored_at, hit.expires_at), (Millis(5_000), Some(Millis(5_100))));
    assert_eq!((world.len(), world.store.cost(&world.clock, &mut world.left)), (1, cost), "it is counted");
    world.advance(49);
    assert_eq!((world.stale("k").as_deref(), world.left()), (Some("k"), vec![]));
    world.advance(1);
    assert_eq!(world.stale("k"), None);
    assert_eq!(world.store.remove_expired(&world.clock, &mut world.left), 1);
    assert_eq!((world.left(), world.len()), (vec![("k".into(), Cause::Expired)], 0));
    assert_eq!(world.store.counts().hits, 2, "of the lookups, those while it was fresh");
}

#[test]
fn r01_an_answer_states_its_own_grace() {
    let mut world = World::new(CacheSettings { stale_ttl_ms: 0, ..graceful() });
    world.put("plain", StoreTerms::default());
    world.put("graceful", StoreTerms { stale_ms: Some(1_000), ..StoreTerms::default() });
    world.put("ever", StoreTerms { stale_ms: Some(u64::MAX), ..StoreTerms::default() });
    world.advance(100);
    assert_eq!([world.stale("plain"), world.stale("graceful")], [None, Some("graceful".into())]);
    world.advance(1_000);
    assert_eq!([world.stale("graceful"), world.stale("ever")], [None, Some("ever".into())]);

    let mut world = World::new(graceful());
    world.put("without", StoreTerms { stale_ms: Some(0), ..StoreTerms::default() });
    world.advance(100);
    assert_eq!((world.stale("without"), world.len()), (None, 0));
}

#[test]
fn r01_stale_entries_leave_first_whatever_their_priority_and_the_least_recently_used_of_them() {
    let mut world = World::new(CacheSettings { capacity: 4, ..graceful() });
    for (key, priority) in [("a", 9.0), ("b", 9.0), ("c", f64::INFINITY)] {
        world.put(key, StoreTerms { priority: Some(priority), ..StoreTerms::default() });
        world.advance(1);
    }
    world.advance(100);
    world.put("fresh", StoreTerms { priority: Some(-1.0), ..StoreTerms::default() });
    assert_eq!(world.stale("a").as_deref(), Some("a"), "a use");
    for key in ["1", "2", "3"] {
        // Even for one that no fresh entry would make room for.
        assert!(world.put(key, StoreTerms { priority: Some(-5.0), ..StoreTerms::default() }));
    }
    let order: Vec<String> = world.left().into_iter().map(|(key, cause)| format!("{key} {cause:?}")).collect();
    assert_eq!(order, ["b Capacity", "c Capacity", "a Capacity"]);
    assert!(world.is_fresh("fresh"));
    assert!(!world.put("4", StoreTerms { priority: Some(-6.0), ..StoreTerms::default() }), "nothing stale is left");
}

#[test]
fn r01_what_is_stale_is_not_there_for_writes_either() {
    let mut world = World::new(graceful());
    let put = |world: &mut World, condition: Condition| {
        let entry = NewEntry { condition, ..NewEntry::new(text("new")) };
        world.store.put(b"k", entry, &world.clock, &mut world.left).is_stored()
    };
    world.put("k", StoreTerms::default());
    world.advance(100);
    assert!(!put(&mut world, Condition::Present));
    assert!(!world.store.touch(b"k", None, &world.clock, &mut world.left).eq(&kvlight::cache::TouchOutcome::Done(None)));
    assert_eq!(world.stale("k").as_deref(), Some("k"));
    assert!(put(&mut world, Condition::Absent));
    assert!(world.is_fresh("k"));
    assert_eq!(world.left(), [("k".into(), Cause::Replaced)]);
    world.advance(100);
    assert!(world.store.take(b"k", &world.clock, &mut world.left).is_none());
    assert_eq!((world.left(), world.stale("k")), (vec![("k".into(), Cause::Removed)], None), "a take removes what it does not hand out");
}

#[test]
fn r01_pop_hands_out_what_is_fresh_and_clear_trim_and_resize_take_what_is_stale() {
    let mut world = World::new(graceful());
    world.put("old", StoreTerms::default());
    world.advance(100);
    world.put("new", StoreTerms::default());
    assert_eq!(world.store.pop(&world.clock, &mut world.left).map(|answer| read(&answer)).as_deref(), Some("new"));
    assert!(world.store.pop(&world.clock, &mut world.left).is_none());
    world.put("new", StoreTerms::default());
    world.left();
    world.store.trim_to(1, &world.clock, &mut world.left);
    assert_eq!(world.left(), [("old".into(), Cause::Trimmed)]);
    world.advance(100);
    world.store.clear(&world.clock, &mut world.left);
    assert_eq!((world.left(), world.len()), (vec![("new".into(), Cause::Cleared)], 0));
}

#[test]
fn r01_an_entry_that_was_not_used_for_long_becomes_stale_too() {
    let mut world = World::new(CacheSettings { ttl_ms: None, idle_ttl_ms: Some(30), ..graceful() });
    world.put("k", StoreTerms::default());
    world.advance(20);
    assert!(world.is_fresh("k"));
    world.advance(30);
    assert!(!world.is_fresh("k"));
    assert_eq!(world.store.remove_expired(&world.clock, &mut world.left), 0);
    assert_eq!(world.stale("k").as_deref(), Some("k"));
    world.advance(50);
    assert_eq!((world.stale("k"), world.len()), (None, 0));
}

#[test]
fn r01_s02a_what_is_stale_or_has_a_grace_moves_with_the_shards_of_a_resize() {
    let mut world = World::new(CacheSettings { shards: None, capacity: 100_000, stale_ttl_ms: 500, ..graceful() });
    let names = |kind: &'static str| (0..100).map(move |nth| format!("{kind} {nth}"));
    names("stale").for_each(|name| assert!(world.put(&name, StoreTerms::default())));
    world.advance(100);
    for name in names("stale") {
        assert_eq!(world.stale(&name), Some(name), "its grace began");
    }
    names("fresh").for_each(|name| assert!(world.put(&name, StoreTerms::default())));
    names("ever").for_each(|name| assert!(world.put(&name, StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() })));
    let cost = world.store.cost(&world.clock, &mut world.left);
    for (turn, capacity) in [1_000, 100_000, 500].into_iter().enumerate() {
        let before = world.store.shards();
        world.store.resize(capacity, None, &world.clock, &mut world.left);
        assert_ne!(world.store.shards(), before);
        world.advance(10);
        let age = 100 + 10 * (turn as u64 + 1);
        for name in names("stale") {
            let hit = world.store.stale(name.as_bytes(), &world.clock).expect("it is still a fallback");
            assert_eq!((hit.stored_at, hit.expires_at), (Millis(5_000), Some(Millis(5_100))), "{age} ms old");
            assert!(!world.is_fresh(&name));
        }
        assert!(names("fresh").chain(names("ever")).all(|name| world.is_fresh(&name)));
        assert_eq!((world.len(), world.store.cost(&world.clock, &mut world.left)), (300, cost));
    }
    // The fresh ones keep their end and their grace; the stale ones leave first, and at their time.
    world.advance(70);
    assert!(names("fresh").all(|name| world.stale(&name) == Some(name)));
    world.store.trim_to(250, &world.clock, &mut world.left);
    assert!(world.left().iter().all(|(key, cause)| key.starts_with("stale") && *cause == Cause::Trimmed));
    world.advance(399);
    assert_eq!(world.len(), 250);
    world.advance(1);
    assert_eq!(world.len(), 200);
    world.advance(100);
    assert_eq!(world.len(), 100);
    assert!(names("ever").all(|name| world.is_fresh(&name)));
}

#[test]
fn r02_what_is_worth_nothing_leaves_and_what_is_fresh_stays() {
    let mut world = World::new(graceful());
    world.put("k", StoreTerms::default());
    world.store.remove_stale(b"k", &world.clock, &mut world.left);
    assert!(world.is_fresh("k"));
    world.advance(100);
    world.store.remove_stale(b"k", &world.clock, &mut world.left);
    assert_eq!((world.stale("k"), world.left()), (None, vec![("k".into(), Cause::Removed)]));
}

#[test]
fn r12_an_entry_ends_now() {
    for (stale_ttl_ms, ttl) in [(50, None), (0, None), (50, Some(Ttl::Never))] {
        let mut world = World::new(CacheSettings { stale_ttl_ms, ..graceful() });
        world.put("k", StoreTerms { ttl, ..StoreTerms::default() });
        world.advance(10);
        assert!(world.store.expire(b"k", &world.clock, &mut world.left));
        assert!(!world.is_fresh("k"));
        assert!(!world.store.expire(b"k", &world.clock, &mut world.left), "it has ended");
        if stale_ttl_ms == 0 {
            assert_eq!((world.stale("k"), world.left()), (None, vec![("k".into(), Cause::Expired)]));
            continue;
        }
        assert_eq!(world.store.next_due(), Some(Millis(5_060)));
        world.advance(49);
        assert_eq!(world.stale("k").as_deref(), Some("k"));
        world.advance(1);
        assert_eq!((world.stale("k"), world.len()), (None, 0));
    }
}

/// A store whose entries live for 100 ms, and are to be loaded anew from 80 ms on, at most once in 10.
fn eager(set: impl FnOnce(&mut RefreshSettings)) -> World {
    let mut refresh = RefreshSettings { after: 0.8, after_ms: 0, retry_ms: 10, jitter: 0.0 };
    set(&mut refresh);
    World::new(CacheSettings { ttl_ms: Some(100), shards: Some(1), refresh, seed: Some(1), ..CacheSettings::default() })
}

impl World {
    /// Whether a use of the entry is to have it loaded anew; `None`: it is not there.
    fn is_due(&self, key: &str) -> Option<bool> {
        self.store.lookup_noting(key.as_bytes(), &self.clock, |_| ()).map(|((), is_due)| is_due)
    }
}

#[test]
fn r05_the_first_use_after_a_part_of_the_ttl_is_told_and_the_next_ones_are_not() {
    for (set, at) in [((|_| {}) as fn(&mut RefreshSettings), 80), (|refresh| (refresh.after, refresh.after_ms) = (0.0, 30), 30)] {
        let mut world = eager(set);
        world.put("k", StoreTerms::default());
        world.advance(at - 1);
        assert_eq!(world.is_due("k"), Some(false));
        world.advance(1);
        assert_eq!(world.store.peek(b"k", &world.clock).map(|hit| hit.expires_at), Some(Some(Millis(5_100))), "its end is what it was");
        assert_eq!([world.is_due("k"), world.is_due("k")], [Some(true), Some(false)]);
        world.advance(9);
        assert_eq!(world.is_due("k"), Some(false));
        world.advance(1);
        assert_eq!(world.store.probe_noting(b"k", &world.clock).map(|(_, is_due)| is_due), Some(true), "it was not loaded so far");
        world.store.refresh_failed(b"k", &world.clock);
        world.advance(9);
        assert_eq!(world.is_due("k"), Some(false));
        world.advance(100 - at - 20);
        assert!(world.is_due("k").is_some());
        world.advance(1);
        assert_eq!(world.is_due("k"), None, "it ends when it ends");
        world.store.refresh_failed(b"k", &world.clock);
        assert_eq!((world.is_due("k"), world.len()), (None, 0));
    }
}

#[test]
fn r05_what_is_not_used_is_not_told_and_a_plain_lookup_takes_nothing_away() {
    let mut world = eager(|_| {});
    world.put("k", StoreTerms::default());
    world.advance(90);
    assert!(world.is_fresh("k"));
    assert!(world.is_fresh("k"));
    assert_eq!(world.is_due("k"), Some(true));
}

#[test]
fn r05_a_touch_and_a_put_begin_anew_and_what_lives_for_ever_goes_by_the_time_alone() {
    let mut world = eager(|refresh| (refresh.after, refresh.after_ms) = (0.0, 30));
    world.put("k", StoreTerms::default());
    world.put("ever", StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() });
    world.advance(30);
    world.store.touch(b"k", None, &world.clock, &mut world.left);
    assert_eq!([world.is_due("k"), world.is_due("ever")], [Some(false), Some(true)]);
    world.advance(30);
    assert_eq!(world.is_due("k"), Some(true));
    world.put("k", StoreTerms { keep_ttl: true, ..StoreTerms::default() });
    assert_eq!(world.is_due("k"), Some(false));
    world.advance(69);
    assert!(world.is_due("k").is_some());
    world.advance(1);
    assert_eq!(world.is_due("k"), None, "the end that it was to keep");
    world.advance(100_000);
    assert!(world.is_due("ever").is_some());
}

#[test]
fn r05_jitter_makes_it_earlier_and_never_later() {
    let mut world = eager(|refresh| (refresh.jitter, refresh.retry_ms) = (0.5, 1_000));
    let names: Vec<String> = (0..200).map(|nth| nth.to_string()).collect();
    names.iter().for_each(|name| assert!(world.put(name, StoreTerms::default())));
    let mut due_at = Vec::new();
    for now in 0..100 {
        due_at.extend(names.iter().filter(|name| world.is_due(name) == Some(true)).map(|_| now));
        world.advance(1);
    }
    assert_eq!(due_at.len(), 200, "each once");
    assert!(due_at.iter().all(|now| (40..=80).contains(now)), "{due_at:?}");
    assert!((50..150).contains(&due_at.iter().filter(|now| **now < 60).count()), "they are spread: {due_at:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Put { key: u8, ttl: u64, grace: Option<u64>, priority: i8 },
    Advance(u64),
    Stale(u8),
    Expire(u8),
    Remove(u8),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0u8..6;
    prop_oneof![
        4 => (key(), 1u64..80, proptest::option::of(0u64..80), -2i8..2).prop_map(|(key, ttl, grace, priority)| Step::Put { key, ttl, grace, priority }),
        3 => (1u64..50).prop_map(Step::Advance),
        3 => key().prop_map(Step::Stale),
        1 => key().prop_map(Step::Expire),
        1 => key().prop_map(Step::Remove),
        1 => Just(Step::Sweep),
    ]
}

/// What must be known of a key: when it ends, and when it leaves.
#[derive(Clone, Copy)]
struct Known {
    end: u64,
    leaves: u64,
}

proptest! {
    /// Fresh before its end, a fallback before the end of its grace, then gone; and counted as long as it is there.
    #[test]
    fn r01_any_sequence_of_operations(steps in proptest::collection::vec(step(), 1..200), shards in 1u32..3) {
        let mut world = World::new(CacheSettings { capacity: 1_000, shards: Some(shards), ..graceful() });
        let mut known: BTreeMap<u8, Known> = BTreeMap::new();
        world.put("0", StoreTerms::default());
        let cost = world.store.cost(&world.clock, &mut world.left);
        world.store.clear(&world.clock, &mut world.left);
        let mut now = 5_000;
        for step in steps {
            let name = |key: u8| key.to_string();
            match step {
                Step::Put { key, ttl, grace, priority } => {
                    let terms = StoreTerms { ttl: Some(Ttl::of_ms(ttl)), stale_ms: grace, priority: Some(priority.into()), ..StoreTerms::default() };
                    prop_assert!(world.put(&name(key), terms));
                    known.insert(key, Known { end: now + ttl, leaves: now + ttl + grace.unwrap_or(50) });
                }
                Step::Advance(by) => {
                    world.advance(by);
                    now += by;
                }
                Step::Stale(key) => {
                    let is_stale = known.get(&key).is_some_and(|known| known.end <= now && now < known.leaves);
                    prop_assert_eq!(world.stale(&name(key)).is_some(), is_stale);
                }
                Step::Expire(key) => {
                    let alive = known.get(&key).copied().filter(|known| now < known.end);
                    prop_assert_eq!(world.store.expire(name(key).as_bytes(), &world.clock, &mut world.left), alive.is_some());
                    if let Some(alive) = alive {
                        known.insert(key, Known { end: now, leaves: now + (alive.leaves - alive.end) });
                    }
                }
                Step::Remove(key) => {
                    let is_alive = known.remove(&key).is_some_and(|known| now < known.end);
                    prop_assert_eq!(world.store.remove(name(key).as_bytes(), &world.clock, &mut world.left), is_alive);
                }
                Step::Sweep => {
                    while world.store.sweep(&world.clock, 1, &mut world.left) {}
                }
            }
            for (key, known) in &known {
                prop_assert_eq!(world.is_fresh(&name(*key)), now < known.end);
            }
            let there = known.values().filter(|known| now < known.leaves).count() as u64;
            prop_assert_eq!(world.len(), there);
            prop_assert_eq!(world.store.cost(&world.clock, &mut world.left), there * cost);
        }
    }
}
