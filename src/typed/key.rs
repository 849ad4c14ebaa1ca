//! The types that can be keys.

use crate::base::Status;
use crate::base::key::KEY_MAX;
use smallvec::SmallVec;
use std::sync::Arc;

/// A type that can be looked up as a key. A key has at most 65,535 bytes. Two values are the same key if their bytes are equal, whatever
/// their `Eq` says.
///
/// If a [`CacheKey`] can be borrowed as this type, both must have the same bytes, as `String` and `str` do.
pub trait KeyBytes {
    /// Calls `use_bytes` with the bytes.
    fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R;
}

/// A type whose values are the keys of a cache. Implemented for strings, bytes, integers (big-endian, so that unsigned ones sort by their
/// bytes; `usize` and `isize` have the bytes of 64 bits on every machine), `char`, `bool`, and pairs of these.
pub trait CacheKey: KeyBytes + Sized + 'static {
    /// Restores the key from its bytes.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! bytes_of {
    ($($type:ty),*) => {
        $(impl KeyBytes for $type {
            #[inline]
            fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
                use_bytes(self.as_ref())
            }
        })*
    };
}
bytes_of!(str, String, [u8], Vec<u8>);

macro_rules! shared_strings {
    ($($type:ty),*) => {
        $(impl KeyBytes for $type {
            #[inline]
            fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
                use_bytes(self.as_bytes())
            }
        }
        impl CacheKey for $type {
            fn from_bytes(bytes: &[u8]) -> $type {
                String::from_utf8_lossy(bytes).into()
            }
        })*
    };
}
shared_strings!(Box<str>, Arc<str>);

impl CacheKey for String {
    fn from_bytes(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

impl CacheKey for Vec<u8> {
    fn from_bytes(bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl KeyBytes for $integer {
            #[inline]
            fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
                use_bytes(&self.to_be_bytes())
            }
        }
        impl CacheKey for $integer {
            fn from_bytes(bytes: &[u8]) -> $integer {
                <$integer>::from_be_bytes(bytes.try_into().expect("the bytes of an integer of this type"))
            }
        })*
    };
}
integers! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 }

macro_rules! stated_as {
    ($($type:ty, $bytes:ty, $into:expr, $back:expr;)*) => {
        $(impl KeyBytes for $type {
            #[inline]
            fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
                let into: fn($type) -> $bytes = $into;
                into(*self).with_bytes(use_bytes)
            }
        }
        impl CacheKey for $type {
            fn from_bytes(bytes: &[u8]) -> $type {
                let back: fn($bytes) -> Option<$type> = $back;
                back(<$bytes>::from_bytes(bytes)).expect("the bytes of a value of this type")
            }
        })*
    };
}
stated_as! {
    usize, u64, |value| value as u64, |stated| stated.try_into().ok();
    isize, i64, |value| value as i64, |stated| stated.try_into().ok();
    char, u32, u32::from, char::from_u32;
    bool, u8, u8::from, |stated| Some(stated != 0);
}

/// The length of the first part, in four bytes, then both parts: no two pairs have the same bytes.
impl<A: KeyBytes, B: KeyBytes> KeyBytes for (A, B) {
    fn with_bytes<R>(&self, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
        let mut bytes = SmallVec::<[u8; 64]>::new();
        self.0.with_bytes(|first| {
            // A longer part makes the key too long anyway.
            bytes.extend_from_slice(&u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(first);
        });
        self.1.with_bytes(|second| bytes.extend_from_slice(second));
        use_bytes(&bytes)
    }
}

impl<A: CacheKey, B: CacheKey> CacheKey for (A, B) {
    fn from_bytes(bytes: &[u8]) -> (A, B) {
        let parts = bytes.split_first_chunk().and_then(|(len, parts)| parts.split_at_checked(u32::from_be_bytes(*len) as usize));
        let (first, second) = parts.expect("the bytes of a pair");
        (A::from_bytes(first), B::from_bytes(second))
    }
}

/// Calls `use_bytes` with the bytes of a key. KEY_TOO_LONG: the key has more bytes than any entry's, and `use_bytes` is not called.
#[inline]
pub(super) fn with_key<Q: KeyBytes + ?Sized, R>(key: &Q, use_bytes: impl FnOnce(&[u8]) -> Result<R, Status>) -> Result<R, Status> {
    key.with_bytes(|bytes| if bytes.len() <= KEY_MAX { use_bytes(bytes) } else { Err(Status::ERR_KEY_TOO_LONG) })
}

/// Copies of the keys' bytes, for a call that outlives the keys.
pub(super) fn copied<'k, Q: KeyBytes + ?Sized + 'k>(keys: impl IntoIterator<Item = &'k Q>) -> Vec<Vec<u8>> {
    keys.into_iter().map(|key| key.with_bytes(<[u8]>::to_vec)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_round_trip<K: CacheKey + PartialEq + std::fmt::Debug>(key: K) {
        assert_eq!(key.with_bytes(K::from_bytes), key);
    }

    #[test]
    fn s01_a_key_is_restored_from_its_bytes() {
        assert_round_trip("Grüße".to_owned());
        assert_round_trip(String::new());
        assert_round_trip(vec![1_u8, 2]);
        assert_round_trip(u64::MAX);
        assert_round_trip(i16::MIN);
        assert_round_trip(usize::MAX);
        assert_round_trip(isize::MIN);
        assert_round_trip('ü');
        assert_round_trip(true);
        assert_round_trip::<Box<str>>("Grüße".into());
        assert_round_trip::<Arc<str>>("Grüße".into());
        assert_round_trip(("a".to_owned(), 7_u32));
        assert_round_trip((String::new(), (true, 'x')));
        assert_eq!("a".with_bytes(<[u8]>::to_vec), Arc::<str>::from("a").with_bytes(<[u8]>::to_vec));
        let pair = |first: &str, second: &str| (first.to_owned(), second.to_owned()).with_bytes(<[u8]>::to_vec);
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
        assert_eq!("a".with_bytes(<[u8]>::to_vec), "a".to_owned().with_bytes(<[u8]>::to_vec));
    }
}
