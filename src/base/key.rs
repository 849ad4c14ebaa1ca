//! Keys of 0 to 65,535 bytes. Short ones are stored inside the handle and allocate nothing.

use super::hint::rarely;
use super::memory::NoMemory;
use smallvec::SmallVec;

/// The maximum length of a key, in bytes.
pub const KEY_MAX: usize = 65_535;

const INLINE: usize = 22;

/// An owned key. The handle has at most 24 bytes; keys of up to 22 bytes allocate nothing.
#[derive(Clone)]
pub struct Key(Bytes);

#[derive(Clone)]
enum Bytes {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

/// The inline bytes of a key of 16 bytes, given as two words; for a key of 8 bytes `second` is 0. They are written in the pieces in which a
/// [`Key`] is moved afterwards, because reading pieces other than those just written stalls the processor. This also avoids a call to
/// `memcpy`.
#[inline(always)]
fn inline_of(first: u64, second: u64) -> [u8; INLINE] {
    let mut inline = [0; INLINE];
    inline[..6].copy_from_slice(&first.to_le_bytes()[..6]);
    inline[6..14].copy_from_slice(&(first >> 48 | second << 16).to_le_bytes());
    inline[14..].copy_from_slice(&(second >> 48).to_le_bytes());
    inline
}

impl Key {
    /// The empty key.
    pub const EMPTY: Key = Key(Bytes::Inline { len: 0, bytes: [0; INLINE] });

    /// Copies `bytes`, whose length must be at most [`KEY_MAX`].
    pub fn new(bytes: &[u8]) -> Key {
        debug_assert!(bytes.len() <= KEY_MAX);
        if bytes.len() <= INLINE {
            let inline = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
                (Some(first), _) if bytes.len() == 8 => inline_of(u64::from_le_bytes(*first), 0),
                (Some(first), Some(last)) if bytes.len() == 16 => inline_of(u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
                _ => {
                    let mut inline = [0; INLINE];
                    inline[..bytes.len()].copy_from_slice(bytes);
                    inline
                }
            };
            Key(Bytes::Inline { len: bytes.len() as u8, bytes: inline })
        } else {
            Key(Bytes::Heap(bytes.into()))
        }
    }

    /// Whether its bytes equal `key`. Common lengths are compared as words, because a call to `memcmp` costs more.
    #[inline(always)]
    pub fn is(&self, key: &[u8]) -> bool {
        let Bytes::Inline { len, bytes } = &self.0 else { return self.as_bytes() == key };
        if usize::from(*len) != key.len() {
            return false;
        }
        let word = |bytes: &[u8]| bytes.first_chunk().map(|word| u64::from_ne_bytes(*word));
        match key.len() {
            8 => word(bytes) == word(key),
            16 => word(bytes) == word(key) && word(&bytes[8..]) == word(&key[8..]),
            _ => self.as_bytes() == key,
        }
    }

    /// Whether the bytes are inside the handle, so that dropping the key frees nothing.
    #[inline(always)]
    pub fn owns_nothing(&self) -> bool {
        matches!(self.0, Bytes::Inline { .. })
    }

    /// The bytes.
    #[inline(always)]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Bytes::Heap(bytes) => bytes,
        }
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Keys are ordered by their bytes, like slices.
impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// Several keys end to end in one buffer, as a fetch and a request store them. Moving the struct does not move the bytes.
#[derive(Clone, Default, Debug)]
pub struct PackedKeys {
    bytes: Vec<u8>,
    ends: SmallVec<[usize; 1]>,
}

impl PackedKeys {
    /// Reserves memory for `keys` keys of `bytes` bytes in total; `None` if there is not enough.
    pub fn try_with_capacity(keys: usize, bytes: usize) -> Option<PackedKeys> {
        let mut packed = PackedKeys::default();
        packed.bytes.try_reserve_exact(bytes).ok()?;
        packed.ends.try_reserve_exact(keys).ok()?;
        Some(packed)
    }

    /// Appends a key. Not inlined: otherwise the compiler merges both branches into one call to `memcpy`.
    #[inline(never)]
    pub fn push(&mut self, key: &[u8]) {
        match key.first_chunk::<16>() {
            // Avoids a call to `memcpy`.
            Some(sixteen) if key.len() == 16 => self.bytes.extend_from_slice(sixteen),
            _ => self.bytes.extend_from_slice(key),
        }
        self.ends.push(self.bytes.len());
    }

    /// Appends a key, or nothing if there is no memory for its bytes. Room for its end was reserved by
    /// [`PackedKeys::try_with_capacity`].
    #[inline(always)]
    pub fn try_push(&mut self, key: &[u8]) -> Result<(), NoMemory> {
        if rarely(self.bytes.capacity() - self.bytes.len() < key.len()) {
            self.try_grow(key.len())?;
        }
        self.push(key);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn try_grow(&mut self, more: usize) -> Result<(), NoMemory> {
        Ok(self.bytes.try_reserve(more)?)
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The key at `index`, if there is one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let ends = self.ends.as_slice();
        let end = *ends.get(index)?;
        let start = if index == 0 { 0 } else { ends[index - 1] };
        self.bytes.get(start..end)
    }

    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut start, *end)..*end])
    }
}

/// The keys of a call, one for each position. A single key is borrowed, so that it needs no copy.
#[derive(Clone, Copy, Debug)]
pub enum CallKeys<'a> {
    /// One key.
    One(&'a [u8]),
    /// Any number of keys.
    Many(&'a PackedKeys),
}

impl CallKeys<'_> {
    /// The number of keys.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            CallKeys::One(_) => 1,
            CallKeys::Many(keys) => keys.len(),
        }
    }

    /// Whether there are no keys.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::ops::Index<usize> for CallKeys<'_> {
    type Output = [u8];
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        match self {
            CallKeys::One(key) => key,
            CallKeys::Many(keys) => &keys[index],
        }
    }
}

impl std::ops::Index<usize> for PackedKeys {
    type Output = [u8];
    fn index(&self, index: usize) -> &[u8] {
        self.get(index).expect("the index is below the length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_any_length_is_kept_in_a_handle_of_24_bytes() {
        assert_eq!(size_of::<Key>(), 24);
        for len in (0..=INLINE + 1).chain([KEY_MAX]) {
            let bytes: Vec<u8> = (1..=len).map(|nth| nth as u8).collect();
            let key = Key::new(&bytes);
            assert_eq!(key.as_bytes(), bytes);
            assert!(key.is(&bytes));
            if let Bytes::Inline { bytes, .. } = key.0 {
                assert!(bytes[len..].iter().all(|byte| *byte == 0), "the rest of the inline array is zero");
            }
        }
    }

    #[test]
    fn packed_keys_keep_order_and_empty_keys() {
        let mut packed = PackedKeys::default();
        for key in [&b"a"[..], b"", b"bcd", b""] {
            packed.push(key);
        }
        assert_eq!(packed.iter().collect::<Vec<_>>(), [&b"a"[..], b"", b"bcd", b""]);
        assert_eq!(packed.get(4), None);
    }
}
