//! Hashing of keys, and the small generator behind TTL jitter. Both are seeded per store: at random, or by `cache.seed`.

use crate::base::config::Hash;
use foldhash::fast::FixedState;
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher, Hasher, RandomState};

/// How one store hashes its keys.
#[derive(Clone)]
pub(super) enum KeyHasher {
    Fast(FixedState),
    Sip(SipHasher13),
}

impl KeyHasher {
    pub fn new(hash: Hash, random: &mut Random) -> KeyHasher {
        match hash {
            Hash::Fast => KeyHasher::Fast(FixedState::with_seed(random.draw())),
            Hash::Sip => KeyHasher::Sip(SipHasher13::new_with_keys(random.draw(), random.draw())),
        }
    }

    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        match self {
            KeyHasher::Fast(state) => {
                let mut hasher = state.build_hasher();
                hasher.write(key);
                hasher.finish()
            }
            KeyHasher::Sip(hasher) => hasher.hash(key),
        }
    }
}

/// A seed nobody can foresee. The standard library takes it from the system once and varies it per call.
pub(super) fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A whole number from 0 to `last`, both included (Lemire: Fast random integer generation in an interval, 2019; the bias
    /// of leaving out the rejection is below `last` in 2^64).
    pub fn up_to(&mut self, last: u64) -> u64 {
        let wide = u128::from(self.draw()) * (u128::from(last) + 1);
        (wide >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_reaches_both_ends_and_nothing_beyond() {
        let mut random = Random::new(1);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[random.up_to(4) as usize] += 1;
        }
        assert!(seen.iter().all(|times| (120..280).contains(times)), "{seen:?}");
        assert_eq!(random.up_to(0), 0);
        random.up_to(u64::MAX);
    }

    #[test]
    fn s08_equal_seeds_hash_alike_and_others_do_not() {
        for hash in [Hash::Fast, Hash::Sip] {
            let of = |seed| KeyHasher::new(hash, &mut Random::new(seed)).hash(b"some key");
            assert_eq!(of(7), of(7));
            assert_ne!(of(7), of(8));
            assert_ne!(of(random_seed()), of(random_seed()));
        }
    }
}
