//! Keys and values, shaped as kvlight shapes its own.

use smallvec::SmallVec;
use std::hash::{Hash, Hasher};
use triomphe::ThinArc;

/// 24 bytes itself; up to 16 bytes lie inside, and the bench's keys are of 16.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key(SmallVec<[u8; 16]>);

impl Key {
    pub fn new(bytes: &[u8]) -> Key {
        Key(SmallVec::from_slice(bytes))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// What a key borrows as: a lookup allocates nothing.
#[repr(transparent)]
pub struct Slice([u8]);

impl Slice {
    pub fn of(bytes: &[u8]) -> &Slice {
        // SAFETY: transparent over a slice of bytes.
        unsafe { &*(std::ptr::from_ref(bytes) as *const Slice) }
    }
}

impl Hash for Slice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl PartialEq for Slice {
    fn eq(&self, other: &Slice) -> bool {
        self.0 == other.0
    }
}

impl Eq for Slice {}

impl std::borrow::Borrow<Slice> for Key {
    fn borrow(&self) -> &Slice {
        Slice::of(&self.0)
    }
}

/// A counted value: count, length and bytes in one allocation.
pub type Value = ThinArc<(), u8>;

pub fn value(bytes: &[u8]) -> Value {
    ThinArc::from_header_and_slice((), bytes)
}
