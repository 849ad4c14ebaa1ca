//! Random numbers for spreading things out, not for secrets: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
//! number generators", 2014).

use std::hash::{BuildHasher, Hasher, RandomState};

/// A generator; the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From `seed`, or from the system's randomness.
    pub fn new(seed: Option<u64>) -> Random {
        Random(seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Uniformly from 0 to `most`, both included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        // The bias of a 128-bit product is below 2^-64 per value.
        ((u128::from(self.bits()) * (u128::from(most) + 1)) >> 64) as u64
    }

    /// Uniformly from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_reaches_both_ends_and_nothing_beyond() {
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
