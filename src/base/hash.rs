//! Hashing of keys with secret seeds (rule S21).
//!
//! An attacker who can predict hashes can choose keys that all collide, so that every lookup visits all of them. Therefore each hasher has
//! its own secrets from the system's randomness, which are used for nothing else: the generators of jitter, whose numbers are visible in
//! TTLs, have seeds of their own ([`super::Random`]), and `cache.seed` does not affect hashes.

use super::config::Hash;
use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The keyed hash function of one store, or of one table of loads.
#[derive(Clone)]
pub enum KeyHasher {
    /// foldhash. Both of its seeds are secret: with the published shared seed, anyone can construct keys that collide whatever the other
    /// seed is.
    Fast(FoldSeeds),
    /// SipHash-1-3.
    Sip(SipHasher13),
}

/// The seeds of a foldhash hasher.
#[derive(Clone)]
pub struct FoldSeeds {
    own: u64,
    shared: SharedSeed,
}

impl KeyHasher {
    /// Creates a hasher of this kind, with new secrets.
    pub fn new(hash: Hash) -> KeyHasher {
        // SipHash of a number, keyed by the system: the results reveal nothing about that key, or about each other.
        let system = RandomState::new();
        let secret = |number: u64| system.hash_one(number);
        match hash {
            Hash::Fast => KeyHasher::Fast(FoldSeeds { own: secret(0), shared: SharedSeed::from_u64(secret(1)) }),
            Hash::Sip => KeyHasher::Sip(SipHasher13::new_with_keys(secret(0), secret(1))),
        }
    }

    /// The hash of `key`.
    #[inline(always)]
    pub fn hash(&self, key: &[u8]) -> u64 {
        match self {
            KeyHasher::Fast(FoldSeeds { own, shared }) => {
                let mut hasher = FoldHasher::with_seed(*own, shared);
                hasher.write(key);
                spread(hasher.finish())
            }
            KeyHasher::Sip(hasher) => sip(hasher, key),
        }
    }
}

/// Makes all bits of a hash depend on the lower half. The last step of foldhash is one multiplication. If keys are a counter followed by a
/// constant, the lower halves of their hashes are multiples of one number, and under some secrets these lie in a few short runs.
#[inline(always)]
fn spread(hash: u64) -> u64 {
    hash ^ (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32)
}

/// A separate function, marked as rare, so that the fast hash is inlined into its callers.
#[cold]
#[inline(never)]
fn sip(hasher: &SipHasher13, key: &[u8]) -> u64 {
    hasher.hash(key)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The words of foldhash's published shared seed. A key that contains one of them makes a factor, and with it the folded product, 0.
    const PUBLISHED: [u64; 6] = [
        0xc0ac_29b7_c97c_50dd,
        0x3f84_d5b5_b547_0917,
        0x9216_d5d9_8979_fb1b,
        0xd131_0ba6_98df_b5ac,
        0x2ffd_72db_d01a_dfb7,
        0xb8e1_afed_6a26_7e96,
    ];

    /// Keys of `len` bytes that begin with different numbers and end in `PUBLISHED[constant]`, which keys of 20 bytes or more contain
    /// twice. Under the published seed all of them have the same hash.
    pub(crate) fn colliding_keys(len: usize, constant: usize, count: u32) -> Vec<Vec<u8>> {
        let key = |number: u32| {
            let mut key = vec![b'a'; len];
            key[..4].copy_from_slice(&number.to_le_bytes());
            key[len - 8..].copy_from_slice(&PUBLISHED[constant].to_le_bytes());
            if len >= 20 {
                key[len - 16..len - 8].copy_from_slice(&PUBLISHED[constant].to_le_bytes());
            }
            key
        };
        (0..count).map(key).collect()
    }

    #[test]
    fn s21_keys_made_to_collide_under_published_seeds_are_spread() {
        for hash in Hash::ALL {
            for (len, constant) in (12..40).flat_map(|len| (0..6).map(move |constant| (len, constant))) {
                let hasher = KeyHasher::new(hash);
                let keys = colliding_keys(len, constant, 2_000);
                // The bits by which a store's index distinguishes keys.
                let tags: HashSet<u32> = keys.iter().map(|key| hasher.hash(key) as u32).collect();
                assert!(tags.len() > 1_000, "{hash:?}, length {len}, constant {constant}: {} hashes of 2000 keys", tags.len());
            }
        }
    }

    #[test]
    fn s21_every_hasher_has_its_own_secrets() {
        for hash in Hash::ALL {
            let of = || KeyHasher::new(hash).hash(b"some key");
            assert_ne!(of(), of());
            let hasher = KeyHasher::new(hash);
            assert_eq!(hasher.hash(b"some key"), hasher.clone().hash(b"some key"));
        }
    }
}
