//! Changes the number of shards when the limits change (rule S02a), so that the store behaves like one created with the new limits.
//!
//! There are never more shards than the store was created with; unused ones are empty. Entries move group by group (`layout.rs`), and a
//! group moves in steps (`moving.rs`). An operation that takes a shard's lock and finds that the layout has changed starts again.

use super::super::departure::StepSink;
use super::super::layout::{Layout, LayoutWord};
use super::super::limits::{Limits, ShardLimits};
use super::Store;
use crate::base::Clock;
use crate::base::sync::atomic::Ordering;

/// Divides `whole` in proportion to `held`, or equally if all of `held` are 0. Rounds the running sum, so that the shares add up.
pub(super) fn in_proportion(whole: u64, held: &[u128]) -> Vec<u64> {
    let equal = vec![1; held.len()];
    let weights = if held.iter().all(|held| *held == 0) { &equal } else { held };
    let all: u128 = weights.iter().sum();
    let (mut so_far, mut given) = (0, 0);
    let share = |weight: &u128| {
        so_far += weight;
        // The products may exceed 128 bits. Then the loss of precision is less than one part in 2^64.
        let until =
            so_far.checked_mul(u128::from(whole)).map_or_else(|| so_far / (all / u128::from(whole)).max(1), |product| product / all);
        let until = until.min(u128::from(whole)) as u64;
        let share = until - given;
        given = until;
        share
    };
    weights.iter().map(share).collect()
}

impl Store {
    pub(in super::super) fn layout(&self) -> Layout {
        Layout::of_word(self.layout_word())
    }

    #[inline(always)]
    pub(super) fn layout_word(&self) -> LayoutWord {
        // Relaxed: a hash changes its shard only under the locks of all affected shards, and the holder of one of them checks the layout
        // again.
        LayoutWord(self.layout.load(Ordering::Relaxed))
    }

    /// Sets both limits, evicts until the entries fit, and changes to the number of shards that a new store with these limits would have,
    /// but not more than this store was created with. Meanwhile the limits of the shards add up to at most the greater of the old and the
    /// new ones.
    pub fn resize(&self, capacity: u64, cost_limit: Option<u64>, clock: &Clock, out: &mut dyn StepSink) {
        let limits = Limits { capacity, cost: cost_limit };
        let version = {
            let mut set = self.limits.lock();
            set.limits = limits;
            set.version += 1;
            set.version
        };
        let shards = self.shards_for(limits);
        // First completes a change that another resize has begun.
        while self.change_layout(None, || false, out) {}
        if self.layout() != Layout::of(shards) {
            let shares = self.shares_as_held(limits, shards, clock, out);
            self.make_fit(shares, version, clock, out);
            while self.change_layout(Some(shards), || self.limits.lock().version == version, out) {}
        }
        let share = |index: usize| if index < shards { limits.shard_limits(index, shards) } else { ShardLimits::NONE };
        let shares: Vec<ShardLimits> = (0..self.locked_shards.len()).map(share).collect();
        // In two passes: first some shards become smaller, then others become larger.
        let smaller =
            self.locked_shards.iter().zip(&shares).map(|(shard, share)| shard.read(self.sink(), |shard| shard.limits().smaller(*share)));
        self.make_fit(smaller.collect(), version, clock, out);
        self.make_fit(shares, version, clock, out);
    }

    pub(super) fn shards_for(&self, limits: Limits) -> usize {
        limits.shards(self.requested_shards, self.cores).min(self.locked_shards.len())
    }

    /// Divides the limits in proportion to what the shards contain, so that nothing is evicted only because the limits are divided anew.
    fn shares_as_held(&self, limits: Limits, shards: usize, clock: &Clock, out: &mut dyn StepSink) -> Vec<ShardLimits> {
        let (mut entries, mut costs) = self.held(clock.millis(), out);
        // Unused shards get nothing.
        entries.truncate(self.layout().shards());
        costs.truncate(entries.len());
        // If there is room, empty shards get some of it.
        let all = entries.iter().sum::<u128>() + entries.len() as u128;
        if all <= u128::from(limits.capacity) {
            entries.iter_mut().chain(&mut costs).for_each(|held| *held += 1);
        }
        let max_cost = limits.max_cost(shards as u64);
        let entries = in_proportion(limits.capacity, &entries);
        let costs = limits.cost.map(|cost| in_proportion(cost, &costs));
        let share = |index: usize| ShardLimits {
            entries: entries.get(index).copied().unwrap_or(0).min(super::super::slab::MAX_NODES),
            cost: costs.as_ref().map(|costs| costs.get(index).copied().unwrap_or(0)),
            max_cost,
        };
        (0..self.locked_shards.len()).map(share).collect()
    }

    /// Sets the limits of each shard and evicts until its entries fit. Stops as soon as there is a later resize, which visits all shards as
    /// well, so that the limits of the two are never mixed.
    fn make_fit(&self, shares: Vec<ShardLimits>, version: u64, clock: &Clock, out: &mut dyn StepSink) {
        let now = clock.millis();
        for (shard, share) in self.locked_shards.iter().zip(shares) {
            self.reclaim_all(shard, now, out);
            self.in_steps(shard, out, |shard, left| self.limits.lock().version == version && shard.resize_step(share, now, left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::departure::{Cause, Departures, EachStep};
    use super::super::super::entry::{NewEntry, PutOutcome};
    use super::super::super::walk::Walk;
    use super::super::super::work::longest_hold_of;
    use super::*;
    use crate::base::config::CacheSettings;
    use crate::base::{Answer, Millis, StoreTerms, Value};
    use std::collections::HashSet;

    fn key(number: u32) -> [u8; 4] {
        number.to_be_bytes()
    }

    fn put_cost(store: &Store, clock: &Clock, number: u32, cost: u64) -> PutOutcome {
        let terms = StoreTerms { cost: Some(cost), ..StoreTerms::default() };
        let value = Answer::Value(Value::bytes(&key(number)).expect("memory"));
        store.put(&key(number), NewEntry { terms, ..NewEntry::new(value) }, clock, &mut Departures::new())
    }

    fn put(store: &Store, clock: &Clock, number: u32) -> PutOutcome {
        put_cost(store, clock, number, 4)
    }

    fn store_of(settings: CacheSettings) -> (Store, Clock) {
        (Store::new(&settings, None), Clock::manual(Millis(0)))
    }

    fn has(store: &Store, clock: &Clock, number: u32) -> bool {
        store.lookup(&key(number), clock).is_some_and(|hit| hit.answer.value().and_then(Value::as_bytes) == Some(&key(number)))
    }

    #[test]
    fn s02a_parts_add_up_and_are_in_proportion() {
        assert_eq!(in_proportion(10, &[1, 1, 2]), [2, 3, 5]);
        assert_eq!(in_proportion(7, &[0, 0, 0]).iter().sum::<u64>(), 7);
        assert_eq!(in_proportion(0, &[5, 6]), [0, 0]);
        let huge = in_proportion(u64::MAX, &[1 << 90, 3 << 90]);
        assert!(huge.iter().all(|share| *share > u64::MAX / 5), "{huge:?}");
        assert!(
            in_proportion(100, &[30, 20, 50]).iter().zip([30, 20, 50]).all(|(share, held)| *share >= held),
            "no share is less than what the shard contains"
        );
    }

    #[test]
    fn s02a_a_store_resized_to_a_few_entries_uses_its_whole_capacity() {
        for capacity in [1, 4, 16, 1_000] {
            let (store, clock) = store_of(CacheSettings { capacity: 100_000, ..CacheSettings::default() });
            assert!(store.shards() > 8);
            (0..20_000).for_each(|number| assert!(put(&store, &clock, number).is_stored()));
            store.resize(capacity, None, &clock, &mut Departures::new());
            assert_eq!(store.len(&clock, &mut Departures::new()), capacity, "the entries fill the capacity");
            let stored = (0..20_000).filter(|number| put(&store, &clock, *number).is_stored()).count();
            assert_eq!((stored, store.len(&clock, &mut Departures::new())), (20_000, capacity), "every put is stored");
        }
    }

    #[test]
    fn s02a_after_a_resize_the_maximum_cost_of_an_entry_is_that_of_a_new_store() {
        let settings = CacheSettings { capacity: 1 << 20, cost_limit: Some(1 << 30), ..CacheSettings::default() };
        let (store, clock) = store_of(settings.clone());
        (0..20_000).for_each(|number| assert!(put(&store, &clock, number).is_stored()));
        let (fresh, _) = store_of(CacheSettings { cost_limit: Some(4 << 20), ..settings });
        store.resize(1 << 20, Some(4 << 20), &clock, &mut Departures::new());
        assert_eq!((store.max_cost(), store.shards()), (fresh.max_cost(), fresh.shards()));
        assert!(put_cost(&store, &clock, 1, 900 << 10).is_stored());
        assert!(store.cost(&clock, &mut Departures::new()) <= 4 << 20);
    }

    #[test]
    fn s02a_entries_keep_their_properties_when_shards_are_merged_and_divided() {
        let (store, clock) = store_of(CacheSettings { capacity: 65_536, idle_ttl_ms: Some(5_000), ..CacheSettings::default() });
        let shards = store.shards();
        (0..4_000).for_each(|number| assert!(put(&store, &clock, number).is_stored()));
        if let Clock::Manual(clock) = &clock {
            clock.advance(1_000);
        }
        let counted = store.counts();
        // The second half is used, so that the first half is evicted and expires first.
        assert!((2_000..4_000).all(|number| has(&store, &clock, number)));
        let mut left = Departures::new();
        for (capacity, expected) in [(4_000, 1), (65_536, shards), (4_000, 1)] {
            store.resize(capacity, None, &clock, &mut left);
            assert_eq!((store.shards(), store.len(&clock, &mut left), left.len()), (expected, 4_000, 0));
            assert!((0..4_000).all(|number| store.peek(&key(number), &clock).is_some_and(|hit| hit.stored_at == Millis(0))));
        }
        assert_eq!(store.counts().inserts, counted.inserts, "moving does not count as inserting");
        store.resize(2_000, None, &clock, &mut left);
        assert!((0..4_000).all(|number| store.peek(&key(number), &clock).is_some() == (number >= 2_000)), "the order of use is kept");
        assert!(left.iter().all(|left| left.cause == Cause::Trimmed));
        if let Clock::Manual(clock) = &clock {
            clock.advance(5_000);
        }
        assert_eq!(store.len(&clock, &mut left), 0, "the time of the last use is kept");
    }

    #[test]
    fn s02a_s18_a_walk_visits_each_entry_once_while_shards_are_merged_and_divided() {
        let (store, clock) = store_of(CacheSettings { capacity: 65_536, ..CacheSettings::default() });
        (0..5_000).for_each(|number| assert!(put(&store, &clock, number).is_stored()));
        let (mut walk, mut page, mut met, mut pages) = (Walk::new(), Vec::new(), Vec::new(), 0);
        while store.walk(&mut walk, &clock, &mut page) {
            met.append(&mut page);
            pages += 1;
            let capacity = if pages % 2 == 0 { 65_536 } else { [5_000, 20_000][pages / 2 % 2] };
            store.resize(capacity, None, &clock, &mut Departures::new());
        }
        let distinct: HashSet<_> = met.iter().map(|key| key.to_vec()).collect();
        assert!(
            pages > 10 && (met.len(), distinct.len()) == (5_000, 5_000),
            "{} keys visited, {} of them distinct",
            met.len(),
            distinct.len()
        );
    }

    #[test]
    fn s02a_between_the_steps_every_entry_is_found_and_the_limits_are_kept() {
        let (store, clock) = store_of(CacheSettings { capacity: 65_536, ..CacheSettings::default() });
        (0..3_000).for_each(|number| assert!(put(&store, &clock, number).is_stored()));
        let mut number = 100_000;
        let limits = || store.locked_shards.iter().map(|shard| shard.read(None, |shard| shard.limits().entries)).sum::<u64>();
        // Each time, either the former or the new capacity is 65,536.
        for capacity in [4_000, 65_536, 3_000] {
            store.resize(
                capacity,
                None,
                &clock,
                &mut EachStep(|left: Departures| {
                    number += 1;
                    put(&store, &clock, number);
                    assert!(left.iter().all(|left| left.cause == Cause::Trimmed));
                    assert!(limits() <= 65_536, "{} entries are allowed on the way to {capacity}", limits());
                    if capacity > 3_000 {
                        assert!((0..3_000).step_by(97).all(|number| has(&store, &clock, number)));
                    }
                }),
            );
            assert_eq!(limits(), capacity);
            assert!(store.len(&clock, &mut Departures::new()) <= capacity);
        }
    }

    #[test]
    fn s02a_s19_no_hold_moves_more_than_the_entries_of_a_step() {
        // The number of shards follows from the cost limit here, and a shard of a mebibyte has many small entries.
        let settings = CacheSettings { capacity: 1 << 20, cost_limit: Some(64 << 20), ..CacheSettings::default() };
        let (store, clock) = store_of(settings);
        (0..20_000).for_each(|number| assert!(put(&store, &clock, number).is_stored()));
        let shards = store.shards();
        for (cost, expected) in [(4 << 20, 4), (64 << 20, shards), (1 << 20, 1), (64 << 20, shards)] {
            let longest = longest_hold_of(|| store.resize(1 << 20, Some(cost), &clock, &mut Departures::new()));
            assert!((1..=65).contains(&longest), "{longest} entries in one hold, to {expected} shards");
            assert_eq!(store.shards(), expected);
        }
    }

    #[test]
    fn s02a_threads_that_use_the_store_while_it_is_resized_lose_nothing() {
        let (store, clock) = store_of(CacheSettings { capacity: 65_536, ..CacheSettings::default() });
        (0..2_000).for_each(|number| assert!(put(&store, &clock, number).is_stored()));
        std::thread::scope(|threads| {
            for thread in 0..2 {
                let (store, clock) = (&store, &clock);
                threads.spawn(move || {
                    for turn in 0..40_000 {
                        assert!(has(store, clock, (turn * 7 + thread) % 2_000), "the entry is found at all times");
                        if turn % 16 == 0 {
                            assert!(put(store, clock, 10_000 + turn / 16 % 500).is_stored());
                        }
                    }
                });
            }
            for turn in 0..200 {
                store.resize([4_000, 65_536, 20_000][turn % 3], None, &clock, &mut Departures::new());
            }
        });
        store.resize(4_000, None, &clock, &mut Departures::new());
        assert!((0..2_000).all(|number| has(&store, &clock, number)));
        assert!((10_000..10_500).all(|number| has(&store, &clock, number)));
    }
}
