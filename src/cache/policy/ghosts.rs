//! Ghosts: the keys that were evicted last, each as a part of its hash.
//!
//! A ghost is forgotten once as many others were inserted after it as there are entries. It carries the time of its insertion, counted in
//! ghosts, so that none has to be removed. The ghosts are in buckets of one cache line, by their hash. A new ghost replaces the oldest in
//! its bucket; there are so many buckets that the oldest is nearly always forgotten already.
//!
//! When the number of entries changes much, a table of another size takes the new ghosts. The former table is still asked until all ghosts
//! in it are forgotten: nothing is moved, and no step takes longer the more ghosts there are (rule S19).
//!
//! About one ghost in a hundred is forgotten too early, and fewer than one key in ten thousand is mistaken for a ghost. Both can only
//! cost a hit.

/// The number of ghosts in a bucket.
const WAYS: usize = 16;
/// There is room for three ghosts where two are expected.
const ROOM: (usize, usize) = (3, 2);
/// The smallest number of buckets.
const FEWEST: usize = 16;
/// The bits of a ghost that hold its time; the others hold a part of its hash.
const TIME_BITS: u32 = 12;
/// A table counts time in steps. In this many steps, as many ghosts are inserted as the table is made for.
const STEPS: u64 = 1 << (TIME_BITS - 2);

/// The memory for the ghost of an entry, in bytes.
pub(super) const GHOST_BYTES: u64 = (size_of::<u32>() * ROOM.0 / ROOM.1) as u64;

/// The number of ghosts in a part of a table.
const PART: usize = 1 << 11;

/// A table of ghosts. Each has a tag in its upper bits and a time in the lower ones; 0 is no ghost.
#[derive(Default)]
pub(in super::super) struct GhostTable {
    /// Each part is allocated when its first ghost arrives, so that no step writes a large table. All but the last have [`PART`] ghosts.
    parts: Vec<Vec<u32>>,
    len: usize,
    /// The number of ghosts that the table is made for.
    expected: u64,
}

impl GhostTable {
    /// An empty table; `None` if there is no memory.
    fn new(expected: u64) -> Option<GhostTable> {
        let expected = expected.max((FEWEST * WAYS * ROOM.1 / ROOM.0) as u64);
        let ghosts = usize::try_from(expected).ok()?.checked_mul(ROOM.0)? / ROOM.1;
        let len = ghosts.checked_next_multiple_of(WAYS)?;
        let mut parts = Vec::new();
        parts.try_reserve_exact(len.div_ceil(PART)).ok()?;
        parts.resize_with(len.div_ceil(PART), Vec::new);
        Some(GhostTable { parts, len, expected })
    }

    fn is_unused(&self) -> bool {
        self.len == 0
    }

    /// Whether the size is right for this many ghosts.
    fn fits(&self, kept: u64) -> bool {
        kept <= self.expected.saturating_add(self.expected / 4) && (kept >= self.expected / 4 || self.len <= FEWEST * WAYS)
    }

    /// The number of ghosts in a step of time.
    fn step(&self) -> u64 {
        self.expected.div_ceil(STEPS).max(1)
    }

    fn time(&self, inserted: u64) -> u32 {
        (inserted / self.step()) as u32 & ((1 << TIME_BITS) - 1)
    }

    /// The steps since a ghost was inserted.
    fn age(ghost: u32, time: u32) -> u32 {
        time.wrapping_sub(ghost) & ((1 << TIME_BITS) - 1)
    }

    /// The bucket of a hash, which is found by the lower half of the hash. Empty if the bucket has no memory; with `allocates` it first
    /// gets memory if there is any.
    fn bucket(&mut self, hash: u64, allocates: bool) -> &mut [u32] {
        let buckets = (self.len / WAYS) as u64;
        let start = ((u64::from(hash as u32) * buckets) >> 32) as usize * WAYS;
        let len = (self.len - start / PART * PART).min(PART);
        let Some(part) = self.parts.get_mut(start / PART) else { return &mut [] };
        if allocates && part.is_empty() && part.try_reserve_exact(len).is_ok() {
            part.resize(len, 0);
        }
        part.get_mut(start % PART..start % PART + WAYS).unwrap_or_default()
    }
}

/// The part of a hash that a ghost holds: bits that select neither the shard nor the bucket.
fn tag(hash: u64) -> u32 {
    ((hash >> 48) as u32) << 4 | (hash as u32 & 15)
}

/// The ghosts of a shard.
#[derive(Default)]
pub(super) struct Ghosts {
    table: GhostTable,
    former: GhostTable,
    /// The number of ghosts that were inserted in all.
    inserted: u64,
    /// The number of ghosts that were inserted before the present table was created.
    inserted_before: u64,
}

impl Ghosts {
    /// Removes the ghost of the key with this hash, if it is among the last `kept`.
    pub fn take(&mut self, hash: u64, kept: u64) -> bool {
        let inserted = self.inserted;
        [&mut self.table, &mut self.former].into_iter().any(|table| {
            let (time, step, most) = (table.time(inserted), table.step(), kept.min(2 * table.expected));
            let is_it = |ghost: &&mut u32| {
                **ghost >> TIME_BITS == tag(hash) && **ghost != 0 && u64::from(GhostTable::age(**ghost, time)) * step < most
            };
            table.bucket(hash, false).iter_mut().find(is_it).map(|ghost| *ghost = 0).is_some()
        })
    }

    /// Inserts the ghost of the key with this hash. `kept` is how many ghosts should be remembered. Returns a table that is no longer used.
    pub fn insert(&mut self, hash: u64, kept: u64) -> Option<GhostTable> {
        let outgrown = self.fit(kept);
        self.inserted += 1;
        let (tag, time) = (tag(hash), self.table.time(self.inserted));
        // Overwrites an earlier ghost of the key; without one, an empty place; without one, the oldest ghost.
        let rank = |ghost: &&mut u32| match **ghost {
            0 => u32::MAX - 1,
            ghost if ghost >> TIME_BITS == tag => u32::MAX,
            ghost => GhostTable::age(ghost, time),
        };
        self.table.bucket(hash, true).iter_mut().max_by_key(rank).into_iter().for_each(|place| *place = tag << TIME_BITS | time);
        outgrown
    }

    /// Replaces a table that is too small or much too large. Gives up the former table when all of its ghosts are forgotten.
    fn fit(&mut self, kept: u64) -> Option<GhostTable> {
        if !self.former.is_unused() && self.inserted - self.inserted_before >= kept {
            return Some(std::mem::take(&mut self.former));
        }
        if self.table.fits(kept) {
            return None;
        }
        // Without memory for another table this one stays, and forgets its ghosts earlier.
        let table = GhostTable::new(kept)?;
        self.inserted_before = self.inserted;
        let outgrown = std::mem::replace(&mut self.former, std::mem::replace(&mut self.table, table));
        (!outgrown.is_unused()).then_some(outgrown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    fn hashes(count: usize) -> Vec<u64> {
        let mut random = Random::new(Some(1));
        (0..count).map(|_| random.bits()).collect()
    }

    fn insert_all(ghosts: &mut Ghosts, hashes: &[u64], kept: u64) -> usize {
        hashes.iter().filter_map(|hash| ghosts.insert(*hash, kept)).count()
    }

    #[test]
    fn s05_the_last_ghosts_are_known_and_each_is_taken_once() {
        let (mut ghosts, hashes) = (Ghosts::default(), hashes(100));
        insert_all(&mut ghosts, &hashes, 10);
        let known = |ghosts: &mut Ghosts, kept| (0..100).filter(|number| ghosts.take(hashes[*number], kept)).collect::<Vec<_>>();
        assert_eq!(known(&mut ghosts, 0), [0; 0]);
        assert_eq!(known(&mut ghosts, 3), [97, 98, 99]);
        assert_eq!(known(&mut ghosts, 10), [90, 91, 92, 93, 94, 95, 96]);
        assert_eq!(known(&mut ghosts, 10), [0; 0]);
    }

    #[test]
    fn s05_a_key_has_one_ghost() {
        let (mut ghosts, hashes) = (Ghosts::default(), hashes(2));
        insert_all(&mut ghosts, &[hashes[0]; 20], 100);
        insert_all(&mut ghosts, &hashes[1..], 100);
        assert!(ghosts.take(hashes[0], 100) && !ghosts.take(hashes[0], 100) && ghosts.take(hashes[1], 100));
    }

    #[test]
    fn s05_nearly_all_of_many_ghosts_are_known_and_hardly_a_key_is_mistaken_for_one() {
        let (mut ghosts, hashes) = (Ghosts::default(), hashes(200_000));
        insert_all(&mut ghosts, &hashes[..100_000], 10_000);
        let mistaken = hashes[100_000..].iter().filter(|hash| ghosts.take(**hash, 10_000)).count();
        assert!(mistaken <= 10, "{mistaken} of 100,000");
        let forgotten = hashes[..89_000].iter().filter(|hash| ghosts.take(**hash, 10_000)).count();
        assert!(forgotten <= 10, "{forgotten} of 89,000");
        let known = hashes[90_000..100_000].iter().filter(|hash| ghosts.take(**hash, 10_000)).count();
        assert!((9_700..=10_000).contains(&known), "{known} of 10,000");
    }

    #[test]
    fn s19_a_table_of_another_size_takes_over_without_forgetting() {
        let (mut ghosts, hashes) = (Ghosts::default(), hashes(4_000));
        assert_eq!(insert_all(&mut ghosts, &hashes[..101], 100), 0);
        assert_eq!(insert_all(&mut ghosts, &hashes[101..102], 1_000), 0);
        assert!(!ghosts.former.is_unused());
        assert!(hashes[..101].iter().step_by(2).all(|hash| ghosts.take(*hash, 1_000)), "those in the former table are known");
        assert_eq!(insert_all(&mut ghosts, &hashes[102..], 1_000), 1, "it is given back when all of its ghosts are forgotten");
        assert!(ghosts.former.is_unused() && hashes[..101].iter().all(|hash| !ghosts.take(*hash, u64::MAX)));
        assert!(ghosts.take(hashes[3_999], 1_000));
    }

    #[test]
    fn s20_a_table_that_is_much_too_large_is_given_back() {
        let (mut ghosts, hashes) = (Ghosts::default(), hashes(40));
        insert_all(&mut ghosts, &hashes[..20], 100_000);
        let large = ghosts.table.len;
        assert_eq!(insert_all(&mut ghosts, &hashes[20..], 10), 1);
        assert!(ghosts.table.len < large / 100 && ghosts.former.is_unused());
    }
}
