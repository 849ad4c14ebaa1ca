//! Operations on all entries of a store, in steps. Between two steps, other threads get the locks (rule S19), and departures are passed on.

use super::super::departure::{Departures, StepSink};
use super::super::limits::{Limits, share};
use super::super::locked_shard::LockedShard;
use super::super::shard::{Shard, TagFate};
use super::Store;
use super::reshard::in_proportion;
use crate::base::{Clock, Millis};

impl Store {
    /// Repeats a step on a shard until it returns that there is no more to do. After each step, `out` takes the departures, with no lock
    /// held.
    pub(super) fn in_steps(&self, shard: &LockedShard, out: &mut dyn StepSink, mut step: impl FnMut(&mut Shard, &mut Departures) -> bool) {
        loop {
            let mut left = Departures::new();
            let more = shard.write(self.sink(), &mut left, &mut step);
            out.take(&mut left);
            if !more {
                return;
            }
            shard.give_way();
        }
    }

    /// Removes the expired entries of one shard.
    pub(super) fn reclaim_all(&self, shard: &LockedShard, now: Millis, out: &mut dyn StepSink) {
        self.in_steps(shard, out, |shard, left| shard.reclaim_step(now, left));
    }

    /// Runs `work`, which visits all shards, while every entry is in its shard. Runs it again if a group began to move meanwhile: entries
    /// may have moved to shards that were visited already.
    fn while_none_moves<R>(&self, out: &mut dyn StepSink, mut work: impl FnMut(&mut dyn StepSink) -> R) -> R {
        loop {
            let begun = self.moves_begun();
            self.end_move(out);
            let done = work(out);
            if self.moves_begun() == begun {
                return done;
            }
        }
    }

    /// Removes all expired entries, and passes each shard to `look`, which notes what it sees in a `T`. Begins anew, with another `T`, if a
    /// group began to move meanwhile: so the `T` that is returned has each entry once.
    pub(super) fn visit_all<T: Default>(&self, now: Millis, out: &mut dyn StepSink, mut look: impl FnMut(&mut T, &Shard)) -> T {
        self.while_none_moves(out, |out| {
            let mut seen = T::default();
            for shard in &self.locked_shards {
                self.in_steps(shard, out, |shard, left| {
                    let more = shard.reclaim_step(now, left);
                    if !more {
                        look(&mut seen, shard);
                    }
                    more
                });
            }
            seen
        })
    }

    /// The number of entries of each shard, and their cost, after removing expired ones.
    pub(super) fn held(&self, now: Millis, out: &mut dyn StepSink) -> (Vec<u128>, Vec<u128>) {
        self.visit_all(now, out, |(entries, costs): &mut (Vec<_>, Vec<_>), shard| {
            entries.push(u128::from(shard.entries()));
            costs.push(shard.cost());
        })
    }

    /// Keeps `ratio` (0 to 1) of the entries and of the total cost, after removing expired entries.
    pub fn trim(&self, ratio: f64, clock: &Clock, out: &mut dyn StepSink) {
        let now = clock.millis();
        let (entries, costs) = self.held(now, out);
        let [entries, cost] = [entries, costs].map(|held| u64::try_from(share(held.iter().sum(), ratio)).unwrap_or(u64::MAX));
        self.trim_within(Limits { capacity: entries, cost: Some(cost) }, now, out);
    }

    /// Keeps at most `entries` entries.
    pub fn trim_to(&self, entries: u64, clock: &Clock, out: &mut dyn StepSink) {
        self.trim_within(Limits { capacity: entries, cost: None }, clock.millis(), out);
    }

    /// Keeps what fits the limits, which are divided among the shards in proportion to what they have.
    fn trim_within(&self, Limits { capacity, cost }: Limits, now: Millis, out: &mut dyn StepSink) {
        self.while_none_moves(out, |out| {
            let (entries, costs) = self.held(now, out);
            let fits = |held: &[u128], limit: u64| held.iter().sum::<u128>() <= u128::from(limit);
            if fits(&entries, capacity) && cost.is_none_or(|cost| fits(&costs, cost)) {
                return;
            }
            let entries = in_proportion(capacity, &entries);
            let costs = cost.map(|cost| in_proportion(cost, &costs));
            for (at, (shard, entries)) in self.locked_shards.iter().zip(entries).enumerate() {
                let cost = costs.as_ref().map_or(u128::MAX, |costs| u128::from(costs[at]));
                self.in_steps(shard, out, |shard, left| shard.trim_step(entries, cost, now, left));
            }
        });
    }

    /// Removes all entries that exist when this is called, and perhaps some that are stored meanwhile.
    pub fn clear(&self, clock: &Clock, out: &mut dyn StepSink) {
        let now = clock.millis();
        self.while_none_moves(out, |out| {
            for shard in &self.locked_shards {
                self.reclaim_all(shard, now, out);
                let mut progress = None;
                self.in_steps(shard, out, |shard, left| {
                    let progress = progress.get_or_insert_with(|| shard.begin_clear());
                    shard.clear_step(progress, now, left)
                });
            }
        });
    }

    /// Removes all entries with the tag that exist when this is called, and perhaps some that are stored while it runs (rule R11). Returns
    /// how many of them were alive. Takes time in proportion to their number.
    pub fn remove_tag(&self, tag: &[u8], clock: &Clock, out: &mut dyn StepSink) -> usize {
        self.end_tagged(tag, TagFate::Removed, clock, out)
    }

    /// Like [`Store::remove_tag`], but expires the entries: their grace begins, or they leave (rule R12).
    pub fn expire_tag(&self, tag: &[u8], clock: &Clock, out: &mut dyn StepSink) -> usize {
        self.end_tagged(tag, TagFate::Expired, clock, out)
    }

    fn end_tagged(&self, tag: &[u8], fate: TagFate, clock: &Clock, out: &mut dyn StepSink) -> usize {
        let (now, mut count) = (clock.millis(), 0);
        self.while_none_moves(out, |out| {
            for shard in &self.locked_shards {
                let mut from = 0;
                self.in_steps(shard, out, |shard, left| shard.tag_step(tag, fate, &mut from, &mut count, now, left));
            }
        });
        count
    }

    /// Expires all entries that exist when this is called, and perhaps some that are stored while it runs (rule R12).
    pub fn expire_all(&self, clock: &Clock, out: &mut dyn StepSink) {
        let now = clock.millis();
        self.while_none_moves(out, |out| {
            for shard in &self.locked_shards {
                let mut places = None;
                self.in_steps(shard, out, |shard, left| {
                    let places = places.get_or_insert_with(|| 0..shard.slab().nodes());
                    shard.expire_step(places, now, left)
                });
            }
        });
    }

    /// Removes all expired entries. Returns their number.
    pub fn remove_expired(&self, clock: &Clock, out: &mut dyn StepSink) -> usize {
        let (now, mut removed) = (clock.millis(), 0);
        self.while_none_moves(out, |out| {
            for shard in &self.locked_shards {
                self.in_steps(shard, out, |shard, left| {
                    let before = shard.entries();
                    let more = shard.reclaim_step(now, left);
                    removed += (before - shard.entries()) as usize;
                    more
                });
            }
        });
        removed
    }

    /// Returns the number of entries, after removing expired ones.
    pub fn len(&self, clock: &Clock, out: &mut dyn StepSink) -> u64 {
        self.visit_all(clock.millis(), out, |entries: &mut u64, shard| *entries += shard.entries())
    }

    /// Returns the total cost of the entries in bytes, after removing expired ones. Saturates.
    pub fn cost(&self, clock: &Clock, out: &mut dyn StepSink) -> u64 {
        let cost = self.visit_all(clock.millis(), out, |cost: &mut u128, shard| *cost += shard.cost());
        u64::try_from(cost).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::departure::{Cause, EachStep};
    use super::super::super::entry::{NewEntry, PutOutcome};
    use super::super::super::snapshot::CopiedEntry;
    use super::super::super::walk::Walk;
    use super::super::super::work::longest_hold_of;
    use super::*;
    use crate::base::config::{CacheSettings, EvictionPolicy};
    use crate::base::{Answer, StoreTerms, Ttl};
    use std::cell::Cell;

    const MANY: u32 = 10_000;
    /// An upper bound of the entries in one hold: those of a step, and those that the timing wheel moves down a level meanwhile.
    const SMALL: u64 = 256;

    fn key(number: u32) -> [u8; 4] {
        number.to_be_bytes()
    }

    fn put(store: &Store, clock: &Clock, number: u32, ttl: Ttl) -> PutOutcome {
        let terms = StoreTerms { ttl: Some(ttl), priority: Some(f64::from(number % 3)), ..StoreTerms::default() };
        store.put(&key(number), NewEntry { terms, ..NewEntry::new(Answer::Null) }, clock, &mut Departures::new())
    }

    /// A full store with one shard, and its clock.
    fn full_with(policy: EvictionPolicy, ttl: Ttl) -> (Store, Clock) {
        let settings = CacheSettings { policy, capacity: u64::from(MANY), shards: Some(1), ..CacheSettings::default() };
        let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(0)));
        (0..MANY).for_each(|number| assert!(put(&store, &clock, number, ttl).is_stored()));
        (store, clock)
    }

    fn full(ttl: Ttl) -> (Store, Clock) {
        full_with(EvictionPolicy::Lru, ttl)
    }

    fn advance(clock: &Clock, by_ms: u64) {
        if let Clock::Manual(clock) = clock {
            clock.advance(by_ms);
        }
    }

    fn len(store: &Store, clock: &Clock) -> u64 {
        store.len(clock, &mut Departures::new())
    }

    #[test]
    fn s19_operations_on_all_entries_hold_the_lock_briefly() {
        type Work = fn(&Store, &Clock, &mut Departures);
        let works: [(&str, Work, u64); 9] = [
            ("clear", |store, clock, out| store.clear(clock, out), 0),
            ("trim", |store, clock, out| store.trim(0.1, clock, out), u64::from(MANY) / 10),
            ("trim_to", |store, clock, out| store.trim_to(9, clock, out), 9),
            ("resize", |store, clock, out| store.resize(9, None, clock, out), 9),
            ("resize by cost", |store, clock, out| store.resize(u64::from(MANY), Some(0), clock, out), 0),
            ("pop", |store, clock, out| assert!(store.pop(clock, out).is_some()), u64::from(MANY) - 1),
            ("cost", |store, clock, out| assert!(store.cost(clock, out) > 0), u64::from(MANY)),
            (
                "walk",
                |store, clock, _| {
                    let (mut walk, mut page) = (Walk::new(), Vec::new());
                    while store.walk(&mut walk, clock, &mut page) {}
                    assert_eq!(page.len(), MANY as usize);
                },
                u64::from(MANY),
            ),
            (
                "copy",
                |store, clock, _| {
                    let (mut snapshot, mut page) = (store.snapshot().expect("memory"), Vec::<CopiedEntry>::new());
                    while store.copy_page(&mut snapshot, clock, &mut page).expect("memory") {}
                    assert_eq!(page.len(), MANY as usize);
                },
                u64::from(MANY),
            ),
        ];
        for (policy, (name, work, stay)) in EvictionPolicy::ALL.into_iter().flat_map(|policy| works.map(|work| (policy, work))) {
            let (store, clock) = full_with(policy, Ttl::of_ms(3_600_000));
            let mut left = Departures::new();
            let longest = longest_hold_of(|| work(&store, &clock, &mut left));
            assert!(longest <= SMALL, "{name}: {longest} entries in one hold");
            assert_eq!((len(&store, &clock), left.len() as u64), (stay, u64::from(MANY) - stay), "{name}");
        }
    }

    #[test]
    fn s19_many_entries_that_expire_at_once_are_removed_in_small_steps() {
        type Work = fn(&Store, &Clock, &mut Departures);
        let works: [(&str, Work); 7] = [
            ("len", |store, clock, out| assert_eq!(store.len(clock, out), 0)),
            ("cost", |store, clock, out| assert_eq!(store.cost(clock, out), 0)),
            ("remove_expired", |store, clock, out| assert_eq!(store.remove_expired(clock, out), MANY as usize)),
            ("pop", |store, clock, out| assert!(store.pop(clock, out).is_none())),
            ("trim", |store, clock, out| store.trim(0.5, clock, out)),
            ("clear", |store, clock, out| store.clear(clock, out)),
            ("resize", |store, clock, out| store.resize(1, None, clock, out)),
        ];
        for (policy, (name, work)) in EvictionPolicy::ALL.into_iter().flat_map(|policy| works.map(|work| (policy, work))) {
            let (store, clock) = full_with(policy, Ttl::of_ms(1_000));
            advance(&clock, 1_000);
            let mut left = Departures::new();
            let longest = longest_hold_of(|| work(&store, &clock, &mut left));
            assert!(longest <= SMALL, "{name}: {longest} entries in one hold");
            assert!(left.len() == MANY as usize && left.iter().all(|left| left.cause == Cause::Expired), "{name}");
        }
    }

    /// A store with 64 shards and 4,000 entries. Half of the entries expire at 1,000 ms.
    fn divided() -> (Store, Clock) {
        let settings = CacheSettings { capacity: 65_536, shards: Some(64), ..CacheSettings::default() };
        let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(0)));
        for number in 0..4_000 {
            let ttl = if number % 2 == 0 { Ttl::Never } else { Ttl::of_ms(1_000) };
            assert!(put(&store, &clock, number, ttl).is_stored());
        }
        (store, clock)
    }

    #[test]
    fn s02a_s14_operations_on_all_entries_miss_none_of_a_group_that_begins_to_move_meanwhile() {
        type Work = fn(&Store, &Clock, &mut dyn StepSink) -> u64;
        let works: [(&str, Work, u64, u64); 6] = [
            ("len", |store, clock, out| store.len(clock, out), 2_000, 2_000),
            ("cost", |store, clock, out| store.cost(clock, out) / store.cost(clock, &mut Departures::new()), 1, 2_000),
            ("remove_expired", |store, clock, out| store.remove_expired(clock, out) as u64, 2_000, 2_000),
            ("trim_to", |store, clock, out| (store.trim_to(100, clock, out), 0).1, 0, 100),
            ("trim", |store, clock, out| (store.trim(0.5, clock, out), 0).1, 0, 1_000),
            ("clear", |store, clock, out| (store.clear(clock, out), 0).1, 0, 0),
        ];
        for ((name, work, result, stay), step) in works.into_iter().flat_map(|work| [1, 7, 65, 70, 140].map(|step| (work, step))) {
            let (store, clock) = divided();
            advance(&clock, 1_000);
            let steps = Cell::new(0);
            let done = work(
                &store,
                &clock,
                &mut EachStep(|_| {
                    if steps.replace(steps.get() + 1) == step {
                        while store.moving.lock().is_none() {
                            assert!(store.change_layout(Some(1), || true, &mut Departures::new()));
                        }
                    }
                }),
            );
            assert_eq!(done, result, "{name}, step {step}");
            let held = len(&store, &clock);
            // The parts are rounded.
            assert!(held <= stay && held + 64 >= stay, "{name}, step {step}: {held} entries");
        }
    }

    #[test]
    fn s02a_s14_the_length_is_exact_and_pop_finds_every_entry_while_another_thread_resizes() {
        let settings = CacheSettings { capacity: 65_536, ..CacheSettings::default() };
        let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(0)));
        (0..1_000).for_each(|number| assert!(put(&store, &clock, number, Ttl::Never).is_stored()));
        let ends = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for capacity in [4_000, 65_536, 20_000].into_iter().cycle() {
                    if ends.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    store.resize(capacity, None, &clock, &mut Departures::new());
                }
            });
            let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                (0..300).for_each(|turn| assert_eq!(len(&store, &clock), 1_000, "turn {turn}"));
                (0..1_000).for_each(|turn| assert!(store.pop(&clock, &mut Departures::new()).is_some(), "turn {turn}"));
                assert!(store.pop(&clock, &mut Departures::new()).is_none());
            }));
            ends.store(true, std::sync::atomic::Ordering::Relaxed);
            played.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }

    /// Each search for a victim may move 64 entries that were used, and a step searches for 64 victims.
    #[test]
    fn s19_with_s3fifo_a_step_moves_a_bounded_number_of_used_entries() {
        let (store, clock) = full_with(EvictionPolicy::S3Fifo, Ttl::Never);
        (0..3 * MANY).for_each(|number| assert!(store.lookup(&key(number % MANY), &clock).is_some()));
        let one = longest_hold_of(|| assert!(put(&store, &clock, MANY / 3 * 3 + 2, Ttl::Never).is_stored()));
        assert_eq!(one, 65, "every entry was used: 64 are moved, and one is evicted");
        let longest = longest_hold_of(|| store.trim(0.1, &clock, &mut Departures::new()));
        assert!((65..=64 * 65).contains(&longest), "{longest} entries in one hold");
        assert_eq!(len(&store, &clock), u64::from(MANY) / 10);
    }

    #[test]
    fn s14_a_clear_removes_entries_that_are_used_meanwhile_and_ends_despite_puts() {
        let (store, clock) = full(Ttl::Never);
        let (mut left, next) = (Departures::new(), Cell::new(MANY));
        store.clear(
            &clock,
            &mut EachStep(|mut step: Departures| {
                left.append(&mut step);
                // The entries that would leave next are used, and new entries replace those that have left.
                (0..MANY).step_by(7).for_each(|number| drop(store.lookup(&key(number), &clock)));
                (0..50).for_each(|_| {
                    put(&store, &clock, next.get(), Ttl::Never);
                    next.set(next.get() + 1);
                });
            }),
        );
        assert!((0..MANY).all(|number| store.peek(&key(number), &clock).is_none()), "every entry that existed has left");
        let cleared = left.iter().filter(|left| left.cause == Cause::Cleared).count();
        assert!(cleared >= MANY as usize && left.iter().all(|left| left.cause == Cause::Cleared));
    }

    #[test]
    fn s19_a_put_during_a_resize_does_not_do_the_rest_of_the_resize() {
        let (store, clock) = full(Ttl::Never);
        let (number, longest) = (Cell::new(MANY), Cell::new(0));
        store.resize(
            100,
            None,
            &clock,
            &mut EachStep(|_| {
                number.set(number.get() + 1);
                let one = longest_hold_of(|| assert!(put(&store, &clock, number.get() / 3 * 3 + 2, Ttl::Never).is_stored()));
                longest.set(longest.get().max(one));
            }),
        );
        assert!(longest.get() <= 4, "{} entries for one put", longest.get());
        assert_eq!(len(&store, &clock), 100);
    }

    #[test]
    fn s14_of_two_concurrent_resizes_the_later_one_applies_fully() {
        let settings = CacheSettings { capacity: 20_000, shards: Some(8), ..CacheSettings::default() };
        let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(0)));
        (0..MANY).for_each(|number| assert!(put(&store, &clock, number, Ttl::Never).is_stored()));
        let (steps, mut left) = (Cell::new(0), Departures::new());
        store.resize(
            80,
            None,
            &clock,
            &mut EachStep(|_| {
                steps.set(steps.get() + 1);
                if steps.get() == 50 {
                    store.resize(8_000, None, &clock, &mut left);
                }
            }),
        );
        assert_eq!(store.capacity(), 8_000);
        for number in 0..4 * MANY {
            put(&store, &clock, number, Ttl::Never);
        }
        assert_eq!(len(&store, &clock), 8_000, "every shard has its share of the later limits");
    }
}
