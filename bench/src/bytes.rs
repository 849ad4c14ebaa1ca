//! The keys and values of the peers. A key is laid out like kvlight's own (src/base/key.rs), and hashed and compared as kvlight does it, so
//! that no peer has a slower key.

use std::hash::{Hash, Hasher};
use triomphe::ThinArc;

const INLINE: usize = 22;

/// A key of 24 bytes that stores up to 22 bytes inline; the bench's keys have 16.
#[derive(Clone, Debug)]
pub struct Key(Bytes);

#[derive(Clone, Debug)]
enum Bytes {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Key {
    pub fn new(bytes: &[u8]) -> Key {
        if bytes.len() > INLINE {
            return Key(Bytes::Heap(bytes.into()));
        }
        let mut inline = [0; INLINE];
        inline[..bytes.len()].copy_from_slice(bytes);
        Key(Bytes::Inline { len: bytes.len() as u8, bytes: inline })
    }

    #[inline]
    fn slice(&self) -> &Slice {
        Slice::of(match &self.0 {
            Bytes::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Bytes::Heap(bytes) => bytes,
        })
    }
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.slice().hash(state);
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        self.slice() == other.slice()
    }
}

impl Eq for Key {}

/// The borrowed form of a key, so that a lookup does not allocate.
#[repr(transparent)]
pub struct Slice([u8]);

impl Slice {
    #[inline]
    pub fn of(bytes: &[u8]) -> &Slice {
        // SAFETY: transparent over a slice of bytes.
        unsafe { &*(std::ptr::from_ref(bytes) as *const Slice) }
    }
}

impl Hash for Slice {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl PartialEq for Slice {
    /// Keys of common lengths are compared as words, which is faster than a call of memcmp.
    #[inline]
    fn eq(&self, other: &Slice) -> bool {
        let (own, other) = (&self.0, &other.0);
        if own.len() != other.len() {
            return false;
        }
        let ends = |bytes: &[u8]| Some((u64::from_ne_bytes(*bytes.first_chunk()?), u64::from_ne_bytes(*bytes.last_chunk()?)));
        match own.len() {
            8..=16 => ends(own) == ends(other),
            _ => own == other,
        }
    }
}

impl Eq for Slice {}

impl std::borrow::Borrow<Slice> for Key {
    #[inline]
    fn borrow(&self) -> &Slice {
        self.slice()
    }
}

/// A reference-counted value: count, length and bytes in one allocation.
pub type Value = ThinArc<(), u8>;

pub fn value(bytes: &[u8]) -> Value {
    ThinArc::from_header_and_slice((), bytes)
}
