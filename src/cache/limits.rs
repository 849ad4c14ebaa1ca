//! The two limits of the store, and how they are split among shards (rules S02 to S04).

use super::slab::MAX_NODES;

/// A store with a smaller capacity has one shard.
const SMALLEST_SHARDED_CAPACITY: u64 = 8_192;
/// The minimum capacity of a shard. Keys are spread over shards at random: with 1,024 entries the first eviction happens about 3 percent
/// too early; with fewer, even earlier.
const ENTRIES_PER_SHARD: u64 = 1_024;
/// A hit holds the lock of a shard for half of the hit's time; with this many shards, threads seldom contend. (Measured with two threads,
/// speed relative to quick_cache: 0.7, 0.75, 0.9 and 1.0 with 4, 8, 16 and 32 shards for each core.)
const SHARDS_PER_CORE: usize = 32;
/// The minimum part of the cost limit for each shard if their number is chosen automatically, in bytes.
const SMALLEST_COST_PART: u64 = 1 << 20;

/// The limits of a whole store: entries, and total cost in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limits {
    pub capacity: u64,
    pub cost: Option<u64>,
}

/// The limits of one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ShardLimits {
    pub entries: u64,
    pub cost: Option<u64>,
    /// The maximum cost of an entry. The same for every shard, so that it does not depend on the shard of the key.
    pub max_cost: u64,
}

impl ShardLimits {
    /// Limits that allow nothing.
    pub const NONE: ShardLimits = ShardLimits { entries: 0, cost: None, max_cost: 0 };

    /// The limits of two shards together: the sums, and the larger maximum cost of an entry.
    pub fn and(self, other: ShardLimits) -> ShardLimits {
        ShardLimits {
            entries: self.entries.saturating_add(other.entries),
            cost: self.cost.zip(other.cost).map(|(one, other)| one.saturating_add(other)),
            max_cost: self.max_cost.max(other.max_cost),
        }
    }

    /// What is left after this many entries with this total cost.
    pub fn without(self, entries: u64, cost: u128) -> ShardLimits {
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        ShardLimits { entries: self.entries.saturating_sub(entries), cost: self.cost.map(|limit| limit.saturating_sub(cost)), ..self }
    }

    /// Returns one of `parts` equal parts, rounded down.
    pub fn split(self, parts: u64) -> ShardLimits {
        ShardLimits { entries: self.entries / parts, cost: self.cost.map(|limit| limit / parts), ..self }
    }

    /// The smaller number of entries and the smaller cost, with the maximum cost of an entry that `other` has.
    pub fn smaller(self, other: ShardLimits) -> ShardLimits {
        let cost = self.cost.into_iter().chain(other.cost).min();
        ShardLimits { entries: self.entries.min(other.entries), cost, max_cost: other.max_cost }
    }
}

impl Limits {
    /// The number of shards: the requested one, if any, but never more than the capacity, so that each shard has room for an entry.
    pub fn shards(self, requested: Option<u32>, cores: usize) -> usize {
        let most = usize::try_from(self.capacity.max(1)).unwrap_or(usize::MAX);
        if let Some(requested) = requested {
            return (requested.max(1) as usize).min(most);
        }
        if self.capacity < SMALLEST_SHARDED_CAPACITY {
            return 1;
        }
        let by_cores = (cores * SHARDS_PER_CORE).next_power_of_two() as u64;
        let by_cost = self.cost.map_or(u64::MAX, |cost| cost / SMALLEST_COST_PART);
        let fit = by_cores.min(self.capacity / ENTRIES_PER_SHARD).min(by_cost).max(1);
        1 << fit.ilog2()
    }

    /// The limits of the shard at `index` of `shards`: equal parts; the first shards get the remainders.
    pub fn shard_limits(self, index: usize, shards: usize) -> ShardLimits {
        let (index, shards) = (index as u64, shards as u64);
        let split = |whole: u64| whole / shards + u64::from(index < whole % shards);
        ShardLimits { entries: split(self.capacity).min(MAX_NODES), cost: self.cost.map(split), max_cost: self.max_cost(shards) }
    }

    /// The maximum cost of an entry, in any shard.
    pub fn max_cost(self, shards: u64) -> u64 {
        self.cost.map_or(u64::MAX, |cost| cost / shards)
    }
}

/// Returns `ratio` of `whole`, rounded down. Computed in floating point, so that 0.7 of 10 is 7, although the closest binary number to 0.7
/// is slightly less.
pub(super) fn share(whole: u128, ratio: f64) -> u128 {
    // A NaN ratio gives the whole, so that a mistake loses nothing; the API has refused it earlier.
    if ratio.is_nan() { whole } else { ((whole as f64 * ratio) as u128).min(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(capacity: u64, cost: Option<u64>) -> Limits {
        Limits { capacity, cost }
    }

    #[test]
    fn s02_one_shard_up_to_capacity_8191_then_powers_of_two() {
        for (capacity, shards) in [(0, 1), (1, 1), (8_191, 1), (8_192, 8), (16_383, 8), (16_384, 16), (100_000, 64), (u64::MAX, 128)] {
            assert_eq!(limits(capacity, None).shards(None, 4), shards, "capacity {capacity}");
        }
        assert_eq!(limits(u64::MAX, None).shards(None, 3), 128, "32 for each core, rounded up to a power of two");
    }

    #[test]
    fn s02_a_cost_limit_leaves_each_shard_a_mebibyte() {
        for (cost, shards) in [(0, 1), (1 << 20, 1), (3 << 20, 2), (4 << 20, 4), (u64::MAX, 64)] {
            assert_eq!(limits(100_000, Some(cost)).shards(None, 4), shards, "limit {cost}");
        }
    }

    #[test]
    fn s02_the_requested_number_of_shards_is_used_if_each_has_room_for_an_entry() {
        assert_eq!(limits(100, Some(5)).shards(Some(7), 1), 7);
        assert_eq!(limits(3, None).shards(Some(7), 1), 3);
        assert_eq!(limits(0, None).shards(Some(7), 1), 1);
    }

    #[test]
    fn s02_parts_add_up_to_the_whole() {
        for (capacity, cost, shards) in [(10, 17, 3), (0, 0, 4), (7, 7, 7), (1 << 20, u64::MAX, 16)] {
            let whole = limits(capacity, Some(cost));
            let parts: Vec<ShardLimits> = (0..shards).map(|index| whole.shard_limits(index, shards)).collect();
            assert_eq!(parts.iter().map(|part| part.entries).sum::<u64>(), capacity);
            assert_eq!(parts.iter().map(|part| u128::from(part.cost.expect("a limit"))).sum::<u128>(), u128::from(cost));
            assert!(parts.iter().all(|part| part.max_cost <= part.cost.expect("a limit")));
        }
    }

    #[test]
    fn s14_a_share_is_the_ratio_of_the_whole_and_never_exceeds_it() {
        for (whole, ratio, part) in [(10, 0.5, 5), (10, 0.7, 7), (10, 0.99, 9), (10, 0.0, 0), (10, -1.0, 0), (10, 1.0, 10), (10, 2.0, 10)] {
            assert_eq!(share(whole, ratio), part, "{ratio} of {whole}");
        }
        assert_eq!(share(1 << 95, 0.25), 1 << 93);
        assert_eq!(share(u128::from(u64::MAX), 1.0), u128::from(u64::MAX));
        assert_eq!(share(10, f64::NAN), 10);
    }
}
