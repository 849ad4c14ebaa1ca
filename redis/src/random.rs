//! Random bits that no other process has, for names of writes, epochs and jitter. They come from std's hashers: each has keys of its own,
//! which derive from the system's random numbers.

use std::hash::{BuildHasher, Hasher, RandomState};

/// 64 random bits.
pub fn random() -> [u8; 8] {
    RandomState::new().build_hasher().finish().to_le_bytes()
}

/// A random number from 0 to below 1.
pub fn fraction() -> f64 {
    // The mantissa of a double has 53 bits.
    (u64::from_le_bytes(random()) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_differ() {
        let drawn: std::collections::HashSet<_> = (0..10_000).map(|_| random()).collect();
        assert_eq!(drawn.len(), 10_000);
        assert!((0..1000).map(|_| fraction()).all(|drawn| (0.0..1.0).contains(&drawn)));
    }
}
