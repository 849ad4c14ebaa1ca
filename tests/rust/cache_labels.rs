//! Versions and tags of entries (rules R06, R11), as the store sees them.

use kvlight::base::config::CacheSettings;
use kvlight::base::{Answer, Clock, Labels, Millis, StoreTerms, Ttl, Value};
use kvlight::cache::{Cause, Departures, ENTRY_COST, NewEntry, Store};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn text(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

fn labels(version: &str, tags: &[&str]) -> Option<Labels> {
    Labels::new(version.as_bytes(), tags.iter().map(|tag| tag.as_bytes())).expect("good labels")
}

fn tagged(tags: &[&str]) -> StoreTerms {
    StoreTerms { labels: labels("", tags), ..StoreTerms::default() }
}

struct Fixture {
    store: Store,
    clock: Clock,
    left: Departures,
}

/// Entries are fresh for 100 ms, and then stale for 50 ms.
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

    fn put_answer(&mut self, key: &str, answer: &Answer, terms: StoreTerms) -> bool {
        let entry = NewEntry { terms, ..NewEntry::new(answer.clone()) };
        self.store.put(key.as_bytes(), entry, &self.clock, &mut self.left).is_stored()
    }

    fn put(&mut self, key: &str, terms: StoreTerms) -> bool {
        self.put_answer(key, &text(key), terms)
    }

    fn renew(&mut self, key: &str, answer: &Answer, labels: Option<Labels>) -> bool {
        self.put_answer(key, answer, StoreTerms { renews: true, labels, ..StoreTerms::default() })
    }

    fn is_fresh(&self, key: &str) -> bool {
        self.store.peek(key.as_bytes(), &self.clock).is_some()
    }

    fn is_stale(&self, key: &str) -> bool {
        self.store.stale(key.as_bytes(), &self.clock).is_some()
    }

    /// The age of the key's entry, fresh or stale, and its labels.
    fn known(&self, key: &str) -> Option<(u64, Option<Labels>)> {
        let (hit, labels) = self.store.known(key.as_bytes(), &self.clock)?;
        Some((self.clock.millis().since(hit.stored_at), labels))
    }

    fn len(&mut self) -> u64 {
        self.store.len(&self.clock, &mut self.left)
    }

    fn cost(&mut self) -> u64 {
        self.store.cost(&self.clock, &mut self.left)
    }

    fn remove_tag(&mut self, tag: &str) -> usize {
        self.store.remove_tag(tag.as_bytes(), &self.clock, &mut self.left)
    }

    fn expire_tag(&mut self, tag: &str) -> usize {
        self.store.expire_tag(tag.as_bytes(), &self.clock, &mut self.left)
    }

    /// The departures since the last call: key and cause.
    fn left(&mut self) -> Vec<(String, Cause)> {
        self.left.drain(..).map(|left| (String::from_utf8_lossy(left.key()).into_owned(), left.cause)).collect()
    }
}

#[test]
fn r06_a_renewed_value_gets_a_new_lifetime_without_leaving() {
    for fresh in [true, false] {
        let mut fixture = Fixture::new(graceful());
        let (answer, version) = (text("value"), labels("v1", &["t"]));
        fixture.put_answer("k", &answer, StoreTerms { labels: version.clone(), ..StoreTerms::default() });
        let (cost, age) = (fixture.cost(), if fresh { 90 } else { 120 });
        fixture.advance(age);
        assert_eq!((fixture.is_fresh("k"), fixture.is_stale("k")), (fresh, !fresh));
        assert_eq!(fixture.known("k"), Some((age, version.clone())));
        assert!(fixture.renew("k", &answer, version.clone()));
        assert_eq!((fixture.left(), fixture.len(), fixture.cost()), (vec![], 1, cost));
        assert_eq!(fixture.known("k"), Some((0, version.clone())));
        fixture.advance(99);
        assert!(fixture.is_fresh("k"));
        fixture.advance(1);
        assert_eq!((fixture.is_fresh("k"), fixture.is_stale("k")), (false, true));
        fixture.advance(50);
        assert_eq!((fixture.known("k"), fixture.len(), fixture.cost()), (None, 0, 0));
        assert_eq!(fixture.remove_tag("t"), 0);
    }
}

#[test]
fn r06_renewing_a_value_counts_as_a_use() {
    let mut fixture = Fixture::new(CacheSettings { capacity: 2, ..graceful() });
    let answer = text("value");
    fixture.put_answer("k", &answer, StoreTerms::default());
    fixture.put("other", StoreTerms::default());
    fixture.renew("k", &answer, None);
    fixture.put("third", StoreTerms::default());
    assert_eq!((fixture.left(), fixture.is_fresh("k")), (vec![("other".into(), Cause::Capacity)], true), "the renewed entry was used last");
}

#[test]
fn r06_other_labels_or_another_value_replace_the_entry_and_an_absent_key_is_stored() {
    let mut fixture = Fixture::new(graceful());
    let answer = text("value");
    fixture.put_answer("k", &answer, StoreTerms { labels: labels("v1", &[]), ..StoreTerms::default() });
    fixture.renew("k", &answer, labels("v2", &[]));
    assert_eq!((fixture.left(), fixture.known("k")), (vec![("k".into(), Cause::Replaced)], Some((0, labels("v2", &[])))));
    fixture.renew("k", &text("other"), labels("v2", &[]));
    assert_eq!(fixture.left(), [("k".into(), Cause::Replaced)]);
    fixture.renew("new", &text("v"), None);
    assert!(fixture.is_fresh("new"));
    let terms = StoreTerms { renews: true, ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() };
    fixture.put_answer("k", &answer, terms);
    assert!(!fixture.is_fresh("k"));
    fixture.store.clear(&fixture.clock, &mut fixture.left);
    assert_eq!((fixture.len(), fixture.cost()), (0, 0));
}

#[test]
fn r11_s03_labels_add_to_the_cost_of_their_entry() {
    let mut fixture = Fixture::new(CacheSettings::default());
    let cost_with = |fixture: &mut Fixture, labels: Option<Labels>| {
        fixture.put_answer("k", &Answer::Null, StoreTerms { cost: Some(0), labels, ..StoreTerms::default() });
        fixture.cost()
    };
    let plain = ENTRY_COST + 1;
    assert_eq!(cost_with(&mut fixture, None), plain);
    let version = cost_with(&mut fixture, labels("v", &[]));
    let tags = ["a".repeat(255), "b".repeat(255)];
    let all = cost_with(&mut fixture, labels("v", &[&tags[0], &tags[1]]));
    assert!(version > plain && all > version + 510, "{plain}, {version}, {all}");
    assert_eq!(cost_with(&mut fixture, None), plain, "the cost of labels leaves with them");
    fixture.store.clear(&fixture.clock, &mut fixture.left);
    assert_eq!(fixture.cost(), 0);
}

#[test]
fn r11_removing_a_tag_removes_its_entries_and_no_others() {
    for shards in [1, 4] {
        let mut fixture = Fixture::new(CacheSettings { shards: Some(shards), ..graceful() });
        for (key, tags) in [("1", &["a"][..]), ("2", &["a", "b"]), ("3", &["b"]), ("4", &[])] {
            fixture.put(key, tagged(tags));
        }
        assert_eq!((fixture.remove_tag("a"), fixture.remove_tag("a"), fixture.remove_tag("c")), (2, 0, 0));
        let mut left = fixture.left();
        left.sort();
        assert_eq!(left, [("1".into(), Cause::Tag), ("2".into(), Cause::Tag)]);
        assert_eq!(["1", "2", "3", "4"].map(|key| fixture.is_fresh(key)), [false, false, true, true]);
        // A value with another tag replaces the one with tag b.
        fixture.put("3", tagged(&["c"]));
        fixture.left();
        assert_eq!((fixture.remove_tag("b"), fixture.remove_tag("c")), (0, 1));
        assert_eq!(fixture.store.counts().removed(Cause::Tag).entries, 3);
    }
}

#[test]
fn r11_a_stale_entry_leaves_with_its_tag_too_and_is_not_counted() {
    let mut fixture = Fixture::new(graceful());
    fixture.put("k", tagged(&["a"]));
    fixture.advance(100);
    assert!(fixture.is_stale("k"));
    assert_eq!((fixture.remove_tag("a"), fixture.len()), (0, 0));
    assert_eq!(fixture.left(), [("k".into(), Cause::Tag)]);
}

#[test]
fn r12_the_entries_with_a_tag_or_all_entries_expire_at_once() {
    let mut fixture = Fixture::new(graceful());
    let put_all = |fixture: &mut Fixture| [("1", &["a"][..]), ("2", &["a"]), ("3", &[])].map(|(key, tags)| fixture.put(key, tagged(tags)));
    put_all(&mut fixture);
    fixture.advance(10);
    assert_eq!([fixture.expire_tag("a"), fixture.expire_tag("a")], [2, 0], "the first call has expired them");
    assert_eq!(["1", "2", "3"].map(|key| (fixture.is_fresh(key), fixture.is_stale(key))), [(false, true), (false, true), (true, false)]);
    assert_eq!(fixture.left(), []);
    fixture.store.expire_all(&fixture.clock, &mut fixture.left);
    assert_eq!(["1", "2", "3"].map(|key| (fixture.is_fresh(key), fixture.is_stale(key))), [(false, true); 3]);
    fixture.advance(49);
    assert!(fixture.is_stale("1"));
    fixture.advance(1);
    assert_eq!(fixture.len(), 0);
    fixture.left();

    let mut fixture = Fixture::new(CacheSettings { stale_ttl_ms: 0, ..graceful() });
    put_all(&mut fixture);
    assert_eq!(fixture.expire_tag("a"), 2);
    assert!(fixture.left().iter().all(|(_, cause)| *cause == Cause::Expired));
    fixture.store.expire_all(&fixture.clock, &mut fixture.left);
    assert_eq!((fixture.left(), fixture.len()), (vec![("3".into(), Cause::Expired)], 0));
}

#[test]
fn r11_s02a_labels_move_with_their_entries_when_shards_change() {
    let mut fixture = Fixture::new(CacheSettings { shards: None, capacity: 100_000, stale_ttl_ms: 1_000, ..graceful() });
    let names: Vec<String> = (0..300).map(|nth| nth.to_string()).collect();
    let of = |nth: usize| labels(&format!("v{nth}"), &[if nth.is_multiple_of(3) { "third" } else { "other" }]);
    for (nth, name) in names.iter().enumerate() {
        fixture.put(name, StoreTerms { labels: of(nth), ..StoreTerms::default() });
        if nth == 149 {
            fixture.advance(100);
        }
    }
    assert!(fixture.is_stale("0"));
    let cost = fixture.cost();
    for capacity in [1_000, 100_000, 500] {
        fixture.store.resize(capacity, None, &fixture.clock, &mut fixture.left);
        assert!(names.iter().enumerate().all(|(nth, name)| fixture.known(name).is_some_and(|(_, labels)| labels == of(nth))));
        assert_eq!(fixture.cost(), cost);
    }
    assert_eq!((fixture.remove_tag("third"), fixture.len()), (50, 200), "half of the 100 are stale, and not counted");
    assert_eq!((fixture.remove_tag("other"), fixture.len(), fixture.cost()), (100, 0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Put { key: u8, tags: BTreeSet<u8>, ttl: u64 },
    Remove(u8),
    RemoveTag(u8),
    ExpireTag(u8),
    ExpireAll,
    Advance(u64),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0u8..12;
    let tags = proptest::collection::btree_set(0u8..4, 0..3);
    prop_oneof![
        8 => (key(), tags, 1u64..100).prop_map(|(key, tags, ttl)| Step::Put { key, tags, ttl }),
        2 => key().prop_map(Step::Remove),
        2 => (0u8..4).prop_map(Step::RemoveTag),
        2 => (0u8..4).prop_map(Step::ExpireTag),
        1 => Just(Step::ExpireAll),
        3 => (1u64..60).prop_map(Step::Advance),
        1 => Just(Step::Clear),
    ]
}

/// The state of a key in the model.
#[derive(Clone)]
struct Expected {
    tags: BTreeSet<u8>,
    /// When the entry becomes stale.
    end: u64,
    /// When it leaves.
    leaves: u64,
}

proptest! {
    #[test]
    fn r11_any_sequence_of_operations_behaves_like_the_model(steps in proptest::collection::vec(step(), 1..150), shards in 1u32..3) {
        let mut fixture = Fixture::new(CacheSettings { shards: Some(shards), ..graceful() });
        let (mut known, mut now) = (BTreeMap::<u8, Expected>::new(), 5_000);
        for step in steps {
            let alive = |tag: u8, known: &BTreeMap<u8, Expected>| known.values().filter(|e| e.tags.contains(&tag) && now < e.end).count();
            match step {
                Step::Put { key, tags, ttl } => {
                    let names: Vec<String> = tags.iter().map(u8::to_string).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let terms = StoreTerms { ttl: Some(Ttl::of_ms(ttl)), ..tagged(&names) };
                    prop_assert!(fixture.put(&key.to_string(), terms));
                    known.insert(key, Expected { tags, end: now + ttl, leaves: now + ttl + 50 });
                }
                Step::Remove(key) => {
                    fixture.store.remove(key.to_string().as_bytes(), &fixture.clock, &mut fixture.left);
                    known.remove(&key);
                }
                Step::RemoveTag(tag) => {
                    prop_assert_eq!(fixture.remove_tag(&tag.to_string()), alive(tag, &known));
                    known.retain(|_, entry| !entry.tags.contains(&tag));
                }
                Step::ExpireTag(tag) => {
                    prop_assert_eq!(fixture.expire_tag(&tag.to_string()), alive(tag, &known));
                    for entry in known.values_mut().filter(|entry| entry.tags.contains(&tag) && now < entry.end) {
                        (entry.end, entry.leaves) = (now, now + 50);
                    }
                }
                Step::ExpireAll => {
                    fixture.store.expire_all(&fixture.clock, &mut fixture.left);
                    for entry in known.values_mut().filter(|entry| now < entry.end) {
                        (entry.end, entry.leaves) = (now, now + 50);
                    }
                }
                Step::Advance(by) => {
                    fixture.advance(by);
                    now += by;
                }
                Step::Clear => {
                    fixture.store.clear(&fixture.clock, &mut fixture.left);
                    known.clear();
                }
            }
            known.retain(|_, entry| now < entry.leaves);
            prop_assert_eq!(fixture.len(), known.len() as u64);
            for key in 0u8..12 {
                let entry = known.get(&key);
                prop_assert_eq!(fixture.is_fresh(&key.to_string()), entry.is_some_and(|entry| now < entry.end));
                prop_assert_eq!(fixture.known(&key.to_string()).is_some(), entry.is_some());
            }
        }
        fixture.store.clear(&fixture.clock, &mut fixture.left);
        prop_assert_eq!(fixture.cost(), 0);
    }
}
