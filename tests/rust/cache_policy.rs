//! `cache.policy` = `s3fifo`: tests, and a reference that is written from the rule alone (S05). `cache_model.rs` compares the store with the
//! reference after every operation.

use kvlight::base::config::{CacheSettings, EvictionPolicy};
use kvlight::base::{Answer, Clock, Millis, StoreTerms, Ttl, Value};
use kvlight::cache::{Cause, Condition, CopiedEntry, Departures, NewEntry, Store};
use std::collections::{HashMap, VecDeque};

/// The limit that an eviction makes room for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Scarce {
    #[default]
    Entries,
    Cost,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Queue {
    Small,
    Main,
}

/// The queue that an entry is in, and how often it was used there.
#[derive(Clone, Copy, Debug)]
pub struct Standing(Queue, u8);

struct Entry {
    priority: f64,
    cost: u64,
    standing: Standing,
}

/// S3-FIFO over keys. Each priority has a small and a main queue; all priorities share the ghosts.
#[derive(Default)]
pub struct Reference {
    entries: HashMap<u8, Entry>,
    /// All entries in the order in which they entered their queue. Their standing says which queue that is.
    order: VecDeque<u8>,
    /// The keys that were evicted from a small queue, each with the value of `evicted` before that.
    ghosts: Vec<(u8, usize)>,
    /// How many entries were evicted from a small queue.
    evicted: usize,
    /// The limit for which a victim was chosen last.
    scarce: Scarce,
}

impl Reference {
    pub fn standing(&self, key: u8) -> Standing {
        self.entries[&key].standing
    }

    /// The standing of an entry after one more use. A new value for the key begins with it.
    pub fn standing_after_use(&self, key: u8) -> Standing {
        let Standing(queue, uses) = self.standing(key);
        Standing(queue, (uses + 1).min(3))
    }

    /// Adds an entry. `taken_over` is the standing that it gets from the entry that it replaces.
    pub fn enter(&mut self, key: u8, priority: f64, cost: u64, taken_over: Option<Standing>) {
        // A key is a ghost until as many other keys have been evicted as there are entries.
        let is_ghost = |ghost: &(u8, usize)| ghost.0 == key && self.evicted - 1 - ghost.1 < self.entries.len();
        let ghost = self.ghosts.iter().position(is_ghost);
        let standing = match (taken_over, ghost) {
            (Some(standing), _) => standing,
            (None, Some(at)) => {
                self.ghosts.remove(at);
                if self.goes_to_main(priority, cost) { Standing(Queue::Main, 0) } else { Standing(Queue::Small, 1) }
            }
            (None, None) => Standing(Queue::Small, 0),
        };
        self.entries.insert(key, Entry { priority, cost, standing });
        self.order.push_back(key);
    }

    /// Whether a key with a ghost goes to main: if small has more than a tenth of both queues, the newcomer included, or if one of the first two
    /// entries of main was not used. The used ones before it move to the end of main.
    fn goes_to_main(&mut self, priority: f64, cost: u64) -> bool {
        let (small, main) = (self.amount(priority, Queue::Small, self.scarce), self.amount(priority, Queue::Main, self.scarce));
        let newcomer = if self.scarce == Scarce::Entries { 1 } else { cost };
        if 10 * small > small + main + newcomer {
            return true;
        }
        for _ in 0..2 {
            let Some(first) = self.keys_in(priority, Queue::Main).next() else { return true };
            let Standing(queue, uses) = self.standing(first);
            if uses == 0 {
                return true;
            }
            self.put_last(first, Standing(queue, uses - 1));
        }
        false
    }

    fn put_last(&mut self, key: u8, standing: Standing) {
        self.entries.get_mut(&key).expect("the entry is there").standing = standing;
        self.order.retain(|other| *other != key);
        self.order.push_back(key);
    }

    pub fn used(&mut self, key: u8) {
        let standing = self.standing_after_use(key);
        self.entries.get_mut(&key).expect("the entry is there").standing = standing;
    }

    /// Removes an entry, for whatever reason. Before an eviction, [`Reference::record_eviction`] must be called.
    pub fn leave(&mut self, key: u8) {
        self.entries.remove(&key);
        self.order.retain(|other| *other != key);
    }

    /// Makes a ghost of an entry that is about to be evicted, if it is in small.
    pub fn record_eviction(&mut self, key: u8) {
        if self.entries[&key].standing.0 == Queue::Small {
            self.ghosts.retain(|ghost| ghost.0 != key);
            self.ghosts.push((key, self.evicted));
            self.evicted += 1;
        }
    }

    fn lowest_priority(&self) -> Option<f64> {
        self.entries.values().map(|entry| entry.priority).min_by(f64::total_cmp)
    }

    fn keys_in(&self, priority: f64, queue: Queue) -> impl Iterator<Item = u8> {
        self.order.iter().copied().filter(move |key| {
            let entry = &self.entries[key];
            entry.priority == priority && entry.standing.0 == queue
        })
    }

    fn amount(&self, priority: f64, queue: Queue, scarce: Scarce) -> u64 {
        self.keys_in(priority, queue).map(|key| if scarce == Scarce::Entries { 1 } else { self.entries[&key].cost }).sum()
    }

    /// Returns the entry to evict next. The search moves up to 64 entries that were used.
    pub fn victim(&mut self, scarce: Scarce) -> Option<u8> {
        let priority = self.lowest_priority()?;
        self.scarce = scarce;
        for moved in 0.. {
            let (small, main) = (self.amount(priority, Queue::Small, scarce), self.amount(priority, Queue::Main, scarce));
            let is_small_due = main == 0 || (small > 0 && 10 * small >= small + main);
            let queue = if is_small_due { Queue::Small } else { Queue::Main };
            let first = self.keys_in(priority, queue).next().expect("the queue that is due has entries");
            let Standing(_, uses) = self.entries[&first].standing;
            let stays = if queue == Queue::Small { uses >= 2 } else { uses >= 1 };
            if !stays || moved == 64 {
                return Some(first);
            }
            self.put_last(first, Standing(Queue::Main, if queue == Queue::Small { 0 } else { uses - 1 }));
        }
        None
    }

    /// All entries in the order of the queues: the lowest priority first, and small before main.
    pub fn in_order(&self) -> Vec<u8> {
        let mut priorities: Vec<f64> = self.entries.values().map(|entry| entry.priority).collect();
        priorities.sort_by(f64::total_cmp);
        priorities.dedup();
        let queues = priorities.into_iter().flat_map(|priority| [(priority, Queue::Small), (priority, Queue::Main)]);
        queues.flat_map(|(priority, queue)| self.keys_in(priority, queue).collect::<Vec<_>>()).collect()
    }
}

// ---- tests ------------------------------------------------------------------------------------------------------------

struct Fixture {
    store: Store,
    clock: Clock,
    left: Departures,
}

impl Fixture {
    fn new(settings: CacheSettings) -> Fixture {
        Fixture::with(EvictionPolicy::S3Fifo, settings)
    }

    fn with(policy: EvictionPolicy, settings: CacheSettings) -> Fixture {
        let settings = CacheSettings { policy, ..settings };
        Fixture { store: Store::new(&settings, None), clock: Clock::manual(Millis(0)), left: Departures::new() }
    }

    fn of_capacity(capacity: u64) -> Fixture {
        Fixture::new(CacheSettings { capacity, shards: Some(1), ..CacheSettings::default() })
    }

    fn put_with(&mut self, number: u32, terms: StoreTerms) {
        let value = Answer::Value(Value::bytes(&number.to_le_bytes()).expect("memory"));
        let put = self.store.put(&number.to_le_bytes(), NewEntry { terms, ..NewEntry::new(value) }, &self.clock, &mut self.left);
        assert!(put.is_stored(), "{number}: {put:?}");
    }

    fn put(&mut self, number: u32) {
        self.put_with(number, StoreTerms::default());
    }

    fn put_all(&mut self, numbers: impl IntoIterator<Item = u32>) {
        numbers.into_iter().for_each(|number| self.put(number));
    }

    /// Looks up these keys, and returns how many were found.
    fn hits(&self, numbers: impl IntoIterator<Item = u32>) -> usize {
        numbers.into_iter().filter(|number| self.store.lookup(&number.to_le_bytes(), &self.clock).is_some()).count()
    }

    fn has(&self, number: u32) -> bool {
        self.store.peek(&number.to_le_bytes(), &self.clock).is_some()
    }

    fn held(&self, numbers: std::ops::Range<u32>) -> Vec<u32> {
        numbers.filter(|number| self.has(*number)).collect()
    }

    /// The numbers of the entries that have left since the last call.
    fn left(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.left).iter().map(|left| u32::from_le_bytes(left.key()[..].try_into().expect("four bytes"))).collect()
    }

    fn copied(&self) -> Vec<CopiedEntry> {
        let (mut snapshot, mut page) = (self.store.snapshot().expect("memory"), Vec::new());
        while self.store.copy_page(&mut snapshot, &self.clock, &mut page).expect("memory") {}
        page
    }
}

#[test]
fn s05_s3fifo_a_scan_evicts_none_of_the_entries_that_are_used_again() {
    for (policy, kept) in [(EvictionPolicy::S3Fifo, 60), (EvictionPolicy::Lru, 0)] {
        let mut fixture = Fixture::with(policy, CacheSettings { capacity: 100, ..CacheSettings::default() });
        fixture.put_all(0..60);
        assert_eq!((fixture.hits(0..60), fixture.hits(0..60)), (60, 60));
        fixture.put_all(1_000..5_000);
        assert_eq!((fixture.held(0..60).len(), fixture.held(1_000..5_000).len()), (kept, 100 - kept), "{policy:?}");
    }
}

#[test]
fn s05_s3fifo_one_use_is_not_enough_to_stay() {
    let mut fixture = Fixture::of_capacity(10);
    fixture.put_all(0..10);
    assert_eq!((fixture.hits(0..4), fixture.hits([1, 3])), (4, 2));
    fixture.put_all(10..14);
    assert_eq!(fixture.left(), [0, 2, 4, 5], "1 and 3 were used twice");
}

#[test]
fn s05_s3fifo_a_key_that_comes_back_soon_takes_the_room_of_one_that_was_not_used() {
    let mut fixture = Fixture::of_capacity(10);
    fixture.put_all(0..10);
    assert_eq!((fixture.hits(0..9), fixture.hits(0..9)), (9, 9));
    // The used entries move to main, where they begin without uses; the others leave through small.
    fixture.put_all(10..12);
    assert_eq!(fixture.left(), [9, 10]);
    // 9 has a ghost, and the first of main was not used since it came there.
    fixture.put(9);
    assert_eq!(fixture.left(), [11]);
    fixture.put(20);
    assert_eq!(fixture.left(), [0], "small has less than its tenth, so that main loses its first");
    fixture.put_all(21..25);
    assert!(fixture.has(9) && !fixture.has(20));
    // Once all of main was used, a key that comes back goes to small, and has to be used once more.
    assert_eq!(fixture.hits((1..10).chain([24])), 10);
    fixture.put(20);
    fixture.put(30);
    assert!(!fixture.has(20) && fixture.held(1..10).len() == 9, "no entry of main has left for it");
}

#[test]
fn s05_s3fifo_a_loop_over_more_keys_than_fit_hits_often() {
    let mut fixture = Fixture::of_capacity(100);
    let mut hits = 0;
    for number in (0..100).flat_map(|_| 0..125) {
        let hit = fixture.hits([number]);
        hits += hit;
        if hit == 0 {
            fixture.put(number);
        }
    }
    assert!(hits > 100 * 125 * 65 / 100, "{hits} of {}; none with lru", 100 * 125);
}

#[test]
fn s05_s3fifo_entries_of_a_lower_priority_leave_first_however_often_they_were_used() {
    let mut fixture = Fixture::of_capacity(10);
    let of = |priority| StoreTerms { priority: Some(priority), ..StoreTerms::default() };
    (0..5).for_each(|number| fixture.put_with(number, of(1.0)));
    (5..10).for_each(|number| fixture.put_with(number, of(0.0)));
    assert_eq!((fixture.hits(5..10), fixture.hits(5..10), fixture.hits(5..10)), (5, 5, 5));
    (10..15).for_each(|number| fixture.put_with(number, of(1.0)));
    let mut left = fixture.left();
    left.sort_unstable();
    assert_eq!(left, [5, 6, 7, 8, 9]);
    let refused = fixture.store.put(b"low", NewEntry { terms: of(0.0), ..NewEntry::new(Answer::Null) }, &fixture.clock, &mut fixture.left);
    assert!(!refused.is_stored());
}

#[test]
fn s05_s3fifo_small_has_a_tenth_of_the_cost_if_that_is_the_limit() {
    let mut fixture =
        Fixture::new(CacheSettings { capacity: 1 << 40, cost_limit: Some(100_000), shards: Some(1), ..CacheSettings::default() });
    let of = |cost| StoreTerms { cost: Some(cost), ..StoreTerms::default() };
    (0..60).for_each(|number| fixture.put_with(number, of(900)));
    assert_eq!((fixture.hits(0..60), fixture.hits(0..60)), (60, 60));
    (1_000..1_500).for_each(|number| fixture.put_with(number, of(1_900)));
    assert!(fixture.held(0..60).len() == 60 && fixture.store.cost(&fixture.clock, &mut fixture.left) <= 100_000);
    assert!(fixture.left.iter().all(|left| left.cause == Cause::Cost));
}

#[test]
fn s05_s3fifo_a_value_that_replaces_another_keeps_its_standing() {
    let mut fixture = Fixture::of_capacity(10);
    fixture.put_all(0..10);
    // Putting a key three times counts as two uses.
    fixture.put_all([3, 3, 5]);
    fixture.left();
    fixture.put_all(10..20);
    let left = fixture.left();
    assert!(!left.contains(&3) && left.contains(&5), "{left:?}");
}

#[test]
fn s06_s17_s3fifo_a_touch_counts_as_a_use() {
    let mut fixture = Fixture::of_capacity(10);
    fixture.put_all(0..10);
    for _ in 0..2 {
        fixture.store.touch(&0_u32.to_le_bytes(), Some(Ttl::of_ms(1_000)), &fixture.clock, &mut fixture.left);
    }
    fixture.put(10);
    assert_eq!(fixture.left(), [1]);
}

#[test]
fn s13_s3fifo_a_peek_is_no_use() {
    let mut fixture = Fixture::of_capacity(10);
    fixture.put_all(0..10);
    (0..5).for_each(|_| assert!(fixture.has(0)));
    fixture.put(10);
    assert_eq!(fixture.left(), [0]);
}

#[test]
fn s14_s3fifo_a_trim_keeps_what_is_used_again() {
    let mut fixture = Fixture::of_capacity(100);
    fixture.put_all(0..100);
    assert_eq!((fixture.hits((0..100).step_by(2)), fixture.hits((0..100).step_by(2))), (50, 50));
    fixture.store.trim_to(50, &fixture.clock, &mut fixture.left);
    let kept = fixture.held(0..100).into_iter().filter(|number| number % 2 == 0).count();
    assert!((45..=50).contains(&kept) && fixture.left().len() == 50, "{kept} of 50");
}

#[test]
fn s02a_s3fifo_entries_keep_their_standing_when_shards_are_merged_and_divided() {
    let mut fixture = Fixture::new(CacheSettings { capacity: 65_536, ..CacheSettings::default() });
    fixture.put_all(0..4_000);
    assert_eq!((fixture.hits((0..4_000).step_by(2)), fixture.hits((0..4_000).step_by(2))), (2_000, 2_000));
    for capacity in [4_000, 65_536, 4_000] {
        fixture.store.resize(capacity, None, &fixture.clock, &mut fixture.left);
        assert_eq!((fixture.held(0..4_000).len(), fixture.left.len()), (4_000, 0));
    }
    fixture.store.resize(2_000, None, &fixture.clock, &mut fixture.left);
    let kept = fixture.held(0..4_000).into_iter().filter(|number| number % 2 == 0).count();
    assert!(kept > 1_800, "{kept} of 2,000 that were used twice");
}

#[test]
fn s18_s3fifo_a_copy_is_in_the_order_of_the_queues_and_loads_into_main() {
    let mut fixture = Fixture::of_capacity(10);
    fixture.put_all(0..10);
    assert_eq!((fixture.hits(0..5), fixture.hits(0..5)), (5, 5));
    fixture.put(10);
    assert_eq!(fixture.left(), [5]);
    let copied = fixture.copied();
    let keys: Vec<u32> = copied.iter().map(|entry| u32::from_le_bytes(entry.key[..].try_into().expect("four bytes"))).collect();
    assert_eq!(keys, [6, 7, 8, 9, 10, 0, 1, 2, 3, 4], "small, then main");
    assert!(copied.iter().all(|entry| entry.cost.is_none()), "no cost was stated");
    let mut loaded = Fixture::of_capacity(10);
    for entry in copied {
        let restored = NewEntry { condition: Condition::Restored(Millis::NEVER), ..NewEntry::new(entry.answer) };
        assert!(loaded.store.put(&entry.key, restored, &loaded.clock, &mut loaded.left).is_stored());
    }
    loaded.put_all(100..120);
    let (of_main, left) = (loaded.held(0..5), loaded.left());
    assert_eq!(left[0], 6, "the first of the copy leaves first");
    assert_eq!(of_main, [0, 1, 2, 3, 4], "new entries go through small and take no more than its part");
}

#[test]
fn s07_s3fifo_expired_entries_leave_before_any_other() {
    let mut fixture = Fixture::of_capacity(10);
    let ending = StoreTerms { ttl: Some(Ttl::of_ms(100)), ..StoreTerms::default() };
    fixture.put_with(0, ending);
    assert_eq!(fixture.hits([0; 3]), 3);
    fixture.put_all(1..10);
    if let Clock::Manual(clock) = &fixture.clock {
        clock.advance(100);
    }
    fixture.put(10);
    assert_eq!((fixture.left(), fixture.held(1..11).len()), (vec![0], 10));
}
