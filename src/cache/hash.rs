//! Hashing of keys, seeded per store: at random, or by `cache.seed`.

use crate::base::Random;
use crate::base::config::Hash;
use foldhash::fast::FixedState;
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher, Hasher};

/// How one store hashes its keys.
#[derive(Clone)]
pub(super) enum KeyHasher {
    Fast(FixedState),
    Sip(SipHasher13),
}

impl KeyHasher {
    pub fn new(hash: Hash, random: &mut Random) -> KeyHasher {
        match hash {
            Hash::Fast => KeyHasher::Fast(FixedState::with_seed(random.bits())),
            Hash::Sip => KeyHasher::Sip(SipHasher13::new_with_keys(random.bits(), random.bits())),
        }
    }

    #[inline(always)]
    pub fn hash(&self, key: &[u8]) -> u64 {
        match self {
            KeyHasher::Fast(state) => {
                let mut hasher = state.build_hasher();
                hasher.write(key);
                hasher.finish()
            }
            KeyHasher::Sip(hasher) => sip(hasher, key),
        }
    }
}

/// Apart, and called rare, so that the fast hash stands where it is used.
#[cold]
#[inline(never)]
fn sip(hasher: &SipHasher13, key: &[u8]) -> u64 {
    hasher.hash(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_equal_seeds_hash_alike_and_others_do_not() {
        for hash in [Hash::Fast, Hash::Sip] {
            let of = |seed| KeyHasher::new(hash, &mut Random::new(seed)).hash(b"some key");
            assert_eq!(of(Some(7)), of(Some(7)));
            assert_ne!(of(Some(7)), of(Some(8)));
            assert_ne!(of(None), of(None));
        }
    }
}
