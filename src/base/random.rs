//! Random numbers for spreading things out, not for secrets: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
//! generators", 2014).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Scales `bits` to a number from 0 to `most`, both included. The bias of a 128-bit product is below 2^-64 per value.
fn scaled(bits: u64, most: u64) -> u64 {
    ((u128::from(bits) * (u128::from(most) + 1)) >> 64) as u64
}

/// The initial state: `seed`, or a number from the system's randomness.
fn start(seed: Option<u64>) -> u64 {
    seed.unwrap_or_else(|| RandomState::new().build_hasher().finish())
}

/// A generator. The same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from `seed`, or from the system's randomness.
    pub fn new(seed: Option<u64>) -> Random {
        Random(start(seed))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mixed(self.0)
    }

    /// A uniformly distributed number from 0 to `most`, both included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        scaled(self.bits(), most)
    }

    /// A uniformly distributed number from 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A generator for several threads. The first thread to draw gets the first number.
#[derive(Debug)]
pub struct SharedRandom(AtomicU64);

impl SharedRandom {
    /// Starts from `seed`, or from the system's randomness.
    pub fn new(seed: Option<u64>) -> SharedRandom {
        SharedRandom(AtomicU64::new(start(seed)))
    }

    /// A uniformly distributed number from 0 to `most`, both included.
    pub fn up_to(&self, most: u64) -> u64 {
        scaled(mixed(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP)), most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_generator_draws_the_same_numbers_as_an_unshared_one() {
        let (mut alone, shared) = (Random::new(Some(5)), SharedRandom::new(Some(5)));
        (0..100).for_each(|most| assert_eq!(alone.up_to(most), shared.up_to(most)));
    }

    #[test]
    fn draws_reach_both_ends_of_the_range_and_stay_inside() {
        let mut random = Random::new(Some(1));
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[random.up_to(4) as usize] += 1;
        }
        assert!(seen.iter().all(|times| (120..280).contains(times)), "{seen:?}");
        assert_eq!(random.up_to(0), 0);
        random.up_to(u64::MAX);
    }
}
