//! Expired entries that stay as fallbacks, and entries that are refreshed ahead of their expiry (rules R01, R05, R12), as far as the store
//! is concerned.

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

/// A store, a manual clock, and all departures.
struct Fixture {
    store: Store,
    clock: Clock,
    left: Departures,
}

/// Entries have a TTL of 100 ms and a grace of 50 ms.
fn graceful() -> CacheSettings {
    CacheSettings { ttl_ms: Some(100), stale_ttl_ms: 50, shards: Some(1), ..CacheSettings::default() }
}

impl Fixture {
    fn new(settings: CacheSettings) -> Fixture {
        Fixture { store: Store::new(&settings, None), clock: Clock::manual(Millis(5_000)), left: Departures::new() }
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

    /// Whether a lookup finds the key. Counts as a use.
    fn is_fresh(&self, key: &str) -> bool {
        let key = key.as_bytes();
        let seen = self.store.peek(key, &self.clock).is_some();
        assert_eq!(self.store.lookup(key, &self.clock).is_some(), seen);
        // `None`: the lookup needs the slow path.
        let found = self.store.try_lookup_fast(key, &self.clock, |_| ());
        assert!(found.is_none_or(|found| found.is_some() == seen));
        seen
    }

    /// The text of the key's stale entry. Counts as a use.
    fn stale(&self, key: &str) -> Option<String> {
        self.store.stale(key.as_bytes(), &self.clock).map(|hit| read(&hit.answer))
    }

    fn len(&mut self) -> u64 {
        self.store.len(&self.clock, &mut self.left)
    }

    /// The departures since the last call: key and cause.
    fn left(&mut self) -> Vec<(String, Cause)> {
        self.left.drain(..).map(|left| (String::from_utf8_lossy(left.key()).into_owned(), left.cause)).collect()
    }
}

#[test]
fn r01_an_expired_entry_becomes_stale_and_leaves_at_the_end_of_its_grace() {
    let mut fixture = Fixture::new(graceful());
    fixture.put("k", StoreTerms::default());
    let cost = fixture.store.cost(&fixture.clock, &mut fixture.left);
    fixture.advance(99);
    assert!(fixture.is_fresh("k"));
    assert_eq!(fixture.stale("k"), None, "a fresh entry is not a fallback");
    fixture.advance(1);
    for _ in 0..2 {
        assert!(!fixture.is_fresh("k"));
        assert_eq!(fixture.stale("k").as_deref(), Some("k"));
        // The timer changes nothing, as the second round shows.
        assert_eq!(fixture.store.remove_expired(&fixture.clock, &mut fixture.left), 0);
    }
    let hit = fixture.store.stale(b"k", &fixture.clock).expect("stale");
    assert_eq!((hit.stored_at, hit.expires_at), (Millis(5_000), Some(Millis(5_100))));
    assert_eq!((fixture.len(), fixture.store.cost(&fixture.clock, &mut fixture.left)), (1, cost), "a stale entry is counted");
    fixture.advance(49);
    assert_eq!((fixture.stale("k").as_deref(), fixture.left()), (Some("k"), vec![]));
    fixture.advance(1);
    assert_eq!(fixture.stale("k"), None);
    assert_eq!(fixture.store.remove_expired(&fixture.clock, &mut fixture.left), 1);
    assert_eq!((fixture.left(), fixture.len()), (vec![("k".into(), Cause::Expired)], 0));
    assert_eq!(fixture.store.counts().hits, 2, "only lookups of the fresh entry count as hits");
}

#[test]
fn r01_an_answer_may_state_its_own_grace() {
    let mut fixture = Fixture::new(CacheSettings { stale_ttl_ms: 0, ..graceful() });
    fixture.put("plain", StoreTerms::default());
    fixture.put("graceful", StoreTerms { stale_ms: Some(1_000), ..StoreTerms::default() });
    fixture.put("ever", StoreTerms { stale_ms: Some(u64::MAX), ..StoreTerms::default() });
    fixture.advance(100);
    assert_eq!([fixture.stale("plain"), fixture.stale("graceful")], [None, Some("graceful".into())]);
    fixture.advance(1_000);
    assert_eq!([fixture.stale("graceful"), fixture.stale("ever")], [None, Some("ever".into())]);

    let mut fixture = Fixture::new(graceful());
    fixture.put("without", StoreTerms { stale_ms: Some(0), ..StoreTerms::default() });
    fixture.advance(100);
    assert_eq!((fixture.stale("without"), fixture.len()), (None, 0));
}

#[test]
fn r01_stale_entries_are_evicted_first_in_order_of_use_whatever_their_priority() {
    let mut fixture = Fixture::new(CacheSettings { capacity: 4, ..graceful() });
    for (key, priority) in [("a", 9.0), ("b", 9.0), ("c", f64::INFINITY)] {
        fixture.put(key, StoreTerms { priority: Some(priority), ..StoreTerms::default() });
        fixture.advance(1);
    }
    fixture.advance(100);
    fixture.put("fresh", StoreTerms { priority: Some(-1.0), ..StoreTerms::default() });
    assert_eq!(fixture.stale("a").as_deref(), Some("a"), "this counts as a use");
    for key in ["1", "2", "3"] {
        // Stale entries leave even for a priority for which no fresh entry would be evicted.
        assert!(fixture.put(key, StoreTerms { priority: Some(-5.0), ..StoreTerms::default() }));
    }
    let order: Vec<String> = fixture.left().into_iter().map(|(key, cause)| format!("{key} {cause:?}")).collect();
    assert_eq!(order, ["b Capacity", "c Capacity", "a Capacity"]);
    assert!(fixture.is_fresh("fresh"));
    assert!(!fixture.put("4", StoreTerms { priority: Some(-6.0), ..StoreTerms::default() }), "no stale entry is left");
}

#[test]
fn r01_a_stale_entry_is_absent_for_writes() {
    let mut fixture = Fixture::new(graceful());
    let put = |fixture: &mut Fixture, condition: Condition| {
        let entry = NewEntry { condition, ..NewEntry::new(text("new")) };
        fixture.store.put(b"k", entry, &fixture.clock, &mut fixture.left).is_stored()
    };
    fixture.put("k", StoreTerms::default());
    fixture.advance(100);
    assert!(!put(&mut fixture, Condition::Present));
    assert!(!fixture.store.touch(b"k", None, &fixture.clock, &mut fixture.left).eq(&kvlight::cache::TouchOutcome::Done(None)));
    assert_eq!(fixture.stale("k").as_deref(), Some("k"));
    assert!(put(&mut fixture, Condition::Absent));
    assert!(fixture.is_fresh("k"));
    assert_eq!(fixture.left(), [("k".into(), Cause::Replaced)]);
    fixture.advance(100);
    assert!(fixture.store.take(b"k", &fixture.clock, &mut fixture.left).is_none());
    assert_eq!(
        (fixture.left(), fixture.stale("k")),
        (vec![("k".into(), Cause::Removed)], None),
        "a take removes a stale entry without returning it"
    );
}

#[test]
fn r01_pop_returns_fresh_entries_and_clear_trim_and_resize_remove_stale_ones() {
    let mut fixture = Fixture::new(graceful());
    fixture.put("old", StoreTerms::default());
    fixture.advance(100);
    fixture.put("new", StoreTerms::default());
    assert_eq!(fixture.store.pop(&fixture.clock, &mut fixture.left).map(|answer| read(&answer)).as_deref(), Some("new"));
    assert!(fixture.store.pop(&fixture.clock, &mut fixture.left).is_none());
    fixture.put("new", StoreTerms::default());
    fixture.left();
    fixture.store.trim_to(1, &fixture.clock, &mut fixture.left);
    assert_eq!(fixture.left(), [("old".into(), Cause::Trimmed)]);
    fixture.advance(100);
    fixture.store.clear(&fixture.clock, &mut fixture.left);
    assert_eq!((fixture.left(), fixture.len()), (vec![("new".into(), Cause::Cleared)], 0));
}

#[test]
fn r01_an_entry_that_expires_by_idleness_becomes_stale() {
    let mut fixture = Fixture::new(CacheSettings { ttl_ms: None, idle_ttl_ms: Some(30), ..graceful() });
    fixture.put("k", StoreTerms::default());
    fixture.advance(20);
    assert!(fixture.is_fresh("k"));
    fixture.advance(30);
    assert!(!fixture.is_fresh("k"));
    assert_eq!(fixture.store.remove_expired(&fixture.clock, &mut fixture.left), 0);
    assert_eq!(fixture.stale("k").as_deref(), Some("k"));
    fixture.advance(50);
    assert_eq!((fixture.stale("k"), fixture.len()), (None, 0));
}

#[test]
fn r01_s02a_stale_entries_and_graces_move_between_shards_in_a_resize() {
    let mut fixture = Fixture::new(CacheSettings { shards: None, capacity: 100_000, stale_ttl_ms: 500, ..graceful() });
    let names = |kind: &'static str| (0..100).map(move |nth| format!("{kind} {nth}"));
    names("stale").for_each(|name| assert!(fixture.put(&name, StoreTerms::default())));
    fixture.advance(100);
    for name in names("stale") {
        assert_eq!(fixture.stale(&name), Some(name), "the entry is in its grace");
    }
    names("fresh").for_each(|name| assert!(fixture.put(&name, StoreTerms::default())));
    names("ever").for_each(|name| assert!(fixture.put(&name, StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() })));
    let cost = fixture.store.cost(&fixture.clock, &mut fixture.left);
    for (turn, capacity) in [1_000, 100_000, 500].into_iter().enumerate() {
        let before = fixture.store.shards();
        fixture.store.resize(capacity, None, &fixture.clock, &mut fixture.left);
        assert_ne!(fixture.store.shards(), before);
        fixture.advance(10);
        let age = 100 + 10 * (turn as u64 + 1);
        for name in names("stale") {
            let hit = fixture.store.stale(name.as_bytes(), &fixture.clock).expect("the entry is still a fallback");
            assert_eq!((hit.stored_at, hit.expires_at), (Millis(5_000), Some(Millis(5_100))), "{age} ms old");
            assert!(!fixture.is_fresh(&name));
        }
        assert!(names("fresh").chain(names("ever")).all(|name| fixture.is_fresh(&name)));
        assert_eq!((fixture.len(), fixture.store.cost(&fixture.clock, &mut fixture.left)), (300, cost));
    }
    // Fresh entries keep their end and their grace. Stale entries are evicted first, and leave at their time.
    fixture.advance(70);
    assert!(names("fresh").all(|name| fixture.stale(&name) == Some(name)));
    fixture.store.trim_to(250, &fixture.clock, &mut fixture.left);
    assert!(fixture.left().iter().all(|(key, cause)| key.starts_with("stale") && *cause == Cause::Trimmed));
    fixture.advance(399);
    assert_eq!(fixture.len(), 250);
    fixture.advance(1);
    assert_eq!(fixture.len(), 200);
    fixture.advance(100);
    assert_eq!(fixture.len(), 100);
    assert!(names("ever").all(|name| fixture.is_fresh(&name)));
}

#[test]
fn r02_removing_a_fallback_does_not_remove_a_fresh_entry() {
    let mut fixture = Fixture::new(graceful());
    fixture.put("k", StoreTerms::default());
    fixture.store.remove_stale(b"k", &fixture.clock, &mut fixture.left);
    assert!(fixture.is_fresh("k"));
    fixture.advance(100);
    fixture.store.remove_stale(b"k", &fixture.clock, &mut fixture.left);
    assert_eq!((fixture.stale("k"), fixture.left()), (None, vec![("k".into(), Cause::Removed)]));
}

#[test]
fn r12_expire_ends_an_entry_at_once() {
    for (stale_ttl_ms, ttl) in [(50, None), (0, None), (50, Some(Ttl::Never))] {
        let mut fixture = Fixture::new(CacheSettings { stale_ttl_ms, ..graceful() });
        fixture.put("k", StoreTerms { ttl, ..StoreTerms::default() });
        fixture.advance(10);
        assert!(fixture.store.expire(b"k", &fixture.clock, &mut fixture.left));
        assert!(!fixture.is_fresh("k"));
        assert!(!fixture.store.expire(b"k", &fixture.clock, &mut fixture.left), "the entry has expired already");
        if stale_ttl_ms == 0 {
            assert_eq!((fixture.stale("k"), fixture.left()), (None, vec![("k".into(), Cause::Expired)]));
            continue;
        }
        assert_eq!(fixture.store.next_due(), Some(Millis(5_060)));
        fixture.advance(49);
        assert_eq!(fixture.stale("k").as_deref(), Some("k"));
        fixture.advance(1);
        assert_eq!((fixture.stale("k"), fixture.len()), (None, 0));
    }
}

/// A store whose entries have a TTL of 100 ms and are due for a refresh from 80 ms on, at most once in 10 ms.
fn eager(set: impl FnOnce(&mut RefreshSettings)) -> Fixture {
    let mut refresh = RefreshSettings { after: 0.8, after_ms: 0, retry_ms: 10, jitter: 0.0 };
    set(&mut refresh);
    Fixture::new(CacheSettings { ttl_ms: Some(100), shards: Some(1), refresh, seed: Some(1), ..CacheSettings::default() })
}

impl Fixture {
    /// Whether a use of the entry must start a refresh; `None` if there is no entry.
    fn is_due(&self, key: &str) -> Option<bool> {
        self.store.lookup_and_refresh_due(key.as_bytes(), &self.clock, |_| ()).map(|((), is_due)| is_due)
    }
}

#[test]
fn r05_only_the_first_use_after_a_share_of_the_ttl_is_due() {
    for (set, at) in [((|_| {}) as fn(&mut RefreshSettings), 80), (|refresh| (refresh.after, refresh.after_ms) = (0.0, 30), 30)] {
        let mut fixture = eager(set);
        fixture.put("k", StoreTerms::default());
        fixture.advance(at - 1);
        assert_eq!(fixture.is_due("k"), Some(false));
        fixture.advance(1);
        assert_eq!(
            fixture.store.peek(b"k", &fixture.clock).map(|hit| hit.expires_at),
            Some(Some(Millis(5_100))),
            "its expiry has not changed"
        );
        assert_eq!([fixture.is_due("k"), fixture.is_due("k")], [Some(true), Some(false)]);
        fixture.advance(9);
        assert_eq!(fixture.is_due("k"), Some(false));
        fixture.advance(1);
        assert_eq!(
            fixture.store.probe_and_refresh_due(b"k", &fixture.clock).map(|(_, is_due)| is_due),
            Some(true),
            "the entry was not refreshed, so it is due again"
        );
        fixture.store.refresh_failed(b"k", &fixture.clock);
        fixture.advance(9);
        assert_eq!(fixture.is_due("k"), Some(false));
        fixture.advance(100 - at - 20);
        assert!(fixture.is_due("k").is_some());
        fixture.advance(1);
        assert_eq!(fixture.is_due("k"), None, "the entry expires at its end");
        fixture.store.refresh_failed(b"k", &fixture.clock);
        assert_eq!((fixture.is_due("k"), fixture.len()), (None, 0));
    }
}

#[test]
fn r05_after_plain_lookups_an_entry_is_still_due() {
    let mut fixture = eager(|_| {});
    fixture.put("k", StoreTerms::default());
    fixture.advance(90);
    assert!(fixture.is_fresh("k"));
    assert!(fixture.is_fresh("k"));
    assert_eq!(fixture.is_due("k"), Some(true));
}

#[test]
fn r05_a_touch_and_a_put_restart_the_time_and_after_ms_needs_no_ttl() {
    let mut fixture = eager(|refresh| (refresh.after, refresh.after_ms) = (0.0, 30));
    fixture.put("k", StoreTerms::default());
    fixture.put("ever", StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() });
    fixture.advance(30);
    fixture.store.touch(b"k", None, &fixture.clock, &mut fixture.left);
    assert_eq!([fixture.is_due("k"), fixture.is_due("ever")], [Some(false), Some(true)]);
    fixture.advance(30);
    assert_eq!(fixture.is_due("k"), Some(true));
    fixture.put("k", StoreTerms { keep_ttl: true, ..StoreTerms::default() });
    assert_eq!(fixture.is_due("k"), Some(false));
    fixture.advance(69);
    assert!(fixture.is_due("k").is_some());
    fixture.advance(1);
    assert_eq!(fixture.is_due("k"), None, "the entry kept its expiry");
    fixture.advance(100_000);
    assert!(fixture.is_due("ever").is_some());
}

#[test]
fn r05_jitter_makes_a_refresh_earlier_and_never_later() {
    let mut fixture = eager(|refresh| (refresh.jitter, refresh.retry_ms) = (0.5, 1_000));
    let names: Vec<String> = (0..200).map(|nth| nth.to_string()).collect();
    names.iter().for_each(|name| assert!(fixture.put(name, StoreTerms::default())));
    let mut due_at = Vec::new();
    for now in 0..100 {
        due_at.extend(names.iter().filter(|name| fixture.is_due(name) == Some(true)).map(|_| now));
        fixture.advance(1);
    }
    assert_eq!(due_at.len(), 200, "each entry is due once");
    assert!(due_at.iter().all(|now| (40..=80).contains(now)), "{due_at:?}");
    assert!((50..150).contains(&due_at.iter().filter(|now| **now < 60).count()), "the refreshes are not spread: {due_at:?}");
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

/// The state of a key in the model: when it expires, and when it leaves.
#[derive(Clone, Copy)]
struct Known {
    end: u64,
    leaves: u64,
}

proptest! {
    /// An entry is fresh until its end, then a fallback until the end of its grace, then gone. It is counted as long as it is in the store.
    #[test]
    fn r01_any_sequence_of_operations_behaves_like_the_model(steps in proptest::collection::vec(step(), 1..200), shards in 1u32..3) {
        let mut fixture = Fixture::new(CacheSettings { capacity: 1_000, shards: Some(shards), ..graceful() });
        let mut known: BTreeMap<u8, Known> = BTreeMap::new();
        fixture.put("0", StoreTerms::default());
        let cost = fixture.store.cost(&fixture.clock, &mut fixture.left);
        fixture.store.clear(&fixture.clock, &mut fixture.left);
        let mut now = 5_000;
        for step in steps {
            let name = |key: u8| key.to_string();
            match step {
                Step::Put { key, ttl, grace, priority } => {
                    let terms = StoreTerms { ttl: Some(Ttl::of_ms(ttl)), stale_ms: grace, priority: Some(priority.into()), ..StoreTerms::default() };
                    prop_assert!(fixture.put(&name(key), terms));
                    known.insert(key, Known { end: now + ttl, leaves: now + ttl + grace.unwrap_or(50) });
                }
                Step::Advance(by) => {
                    fixture.advance(by);
                    now += by;
                }
                Step::Stale(key) => {
                    let is_stale = known.get(&key).is_some_and(|known| known.end <= now && now < known.leaves);
                    prop_assert_eq!(fixture.stale(&name(key)).is_some(), is_stale);
                }
                Step::Expire(key) => {
                    let alive = known.get(&key).copied().filter(|known| now < known.end);
                    prop_assert_eq!(fixture.store.expire(name(key).as_bytes(), &fixture.clock, &mut fixture.left), alive.is_some());
                    if let Some(alive) = alive {
                        known.insert(key, Known { end: now, leaves: now + (alive.leaves - alive.end) });
                    }
                }
                Step::Remove(key) => {
                    let is_alive = known.remove(&key).is_some_and(|known| now < known.end);
                    prop_assert_eq!(fixture.store.remove(name(key).as_bytes(), &fixture.clock, &mut fixture.left), is_alive);
                }
                Step::Sweep => {
                    while fixture.store.sweep(&fixture.clock, 1, &mut fixture.left) {}
                }
            }
            for (key, known) in &known {
                prop_assert_eq!(fixture.is_fresh(&name(*key)), now < known.end);
            }
            let there = known.values().filter(|known| now < known.leaves).count() as u64;
            prop_assert_eq!(fixture.len(), there);
            prop_assert_eq!(fixture.store.cost(&fixture.clock, &mut fixture.left), there * cost);
        }
    }
}
