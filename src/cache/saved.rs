//! The format in which entries are saved to a file (rule S18). Nothing here reads or writes a file.
//!
//! ```text
//!   head     "KVLSAVED", version u32, 0 u32, number of entries u64, check u64
//!   block    length u64, entries u32, check of both u32, check of the body u64, body
//!   ...
//!   end      a block of length 0 without entries, and nothing after it
//!   entry    flags u8, key's length u16, [TTL left in ms u64], [cost u64], [priority f64], [value's length u64], [labels' length u64],
//!            key, value, labels
//! ```
//!
//! All numbers are little-endian. A check is SipHash-1-3 with a fixed key: it detects damage, but does not prevent forgery. The check of a
//! block includes the block's number, so that lost or reordered blocks are detected too.

use super::snapshot::CopiedEntry;
use crate::base::{Answer, Labels, NoMemory, Value};
use siphasher::sip::SipHasher13;

/// The first bytes of a file.
const MAGIC: [u8; 8] = *b"KVLSAVED";
const VERSION: u32 = 1;
/// The length of a file's head, in bytes.
pub const HEAD: usize = 32;
/// The length of a block's head, in bytes.
pub const BLOCK_HEAD: usize = 24;
/// A block is written when its body has this length, in bytes.
pub const BLOCK: usize = 256 << 10;

/// The most that an entry needs besides its key, value and labels, in bytes.
const LONGEST_ENTRY_HEAD: usize = 1 + 2 + 5 * 8;

const HAS_VALUE: u8 = 1;
const HAS_TTL: u8 = 1 << 1;
const HAS_COST: u8 = 1 << 2;
const HAS_PRIORITY: u8 = 1 << 3;
/// The program has encoded an object as this value.
const IS_ENCODED: u8 = 1 << 4;
const HAS_LABELS: u8 = 1 << 5;
const FLAGS: u8 = HAS_VALUE | HAS_TTL | HAS_COST | HAS_PRIORITY | IS_ENCODED | HAS_LABELS;

/// Why bytes are not a valid saved cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// They never were a saved cache, or were damaged.
    Corrupt,
    /// They have another version of the format.
    Version(u32),
    /// They may be valid: there was not enough memory to find out.
    NoMemory,
}

impl From<NoMemory> for Damage {
    fn from(_: NoMemory) -> Damage {
        Damage::NoMemory
    }
}

fn check(number: u64, bytes: &[u8]) -> u64 {
    SipHasher13::new_with_keys(0x6b76_6c69_6768_7421, number).hash(bytes)
}

/// Returns the head of a file with this many entries.
pub fn head(entries: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[16..24].copy_from_slice(&entries.to_le_bytes());
    let check = check(u64::MAX, &head[..24]);
    head[24..].copy_from_slice(&check.to_le_bytes());
    head
}

/// Returns the number of entries of a file, from its head.
pub fn read_head(head: &[u8; HEAD]) -> Result<u64, Damage> {
    let mut rest = Rest(head);
    let (magic, version, _, entries, stated) = (rest.array::<8>()?, rest.u32()?, rest.u32()?, rest.u64()?, rest.u64()?);
    if magic != MAGIC {
        return Err(Damage::Corrupt);
    }
    // Checked before the checksum, because the rest of the head may differ in a later version.
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    if stated == check(u64::MAX, &head[..24]) { Ok(entries) } else { Err(Damage::Corrupt) }
}

/// Whether these bytes could be the start of a file.
pub fn is_start(bytes: &[u8]) -> bool {
    let known = bytes.len().min(MAGIC.len());
    bytes[..known] == MAGIC[..known]
}

/// The block that is being filled.
#[derive(Default)]
pub struct Block {
    number: u64,
    entries: u32,
    /// The body, preceded by room for the head.
    bytes: Vec<u8>,
}

impl Block {
    /// Whether the block is long enough to be written.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK + BLOCK_HEAD
    }

    /// Whether it holds no entry.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Appends an entry. `is_encoded` says that its bytes stand for an object. Returns false, and appends nothing, if its value is an
    /// object.
    pub fn push(&mut self, entry: &CopiedEntry, is_encoded: bool) -> Result<bool, NoMemory> {
        let value = match &entry.answer {
            Answer::Null => None,
            Answer::Value(value) => match value.as_bytes() {
                Some(bytes) => Some(bytes),
                None => return Ok(false),
            },
        };
        let priority = (entry.priority != 0.0).then_some(entry.priority);
        let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
        let flags = flag(value.is_some(), HAS_VALUE)
            | flag(entry.ttl_left_ms.is_some(), HAS_TTL)
            | flag(entry.cost.is_some(), HAS_COST)
            | flag(priority.is_some(), HAS_PRIORITY)
            | flag(is_encoded, IS_ENCODED)
            | flag(entry.labels.is_some(), HAS_LABELS);
        let labels = entry.labels.as_ref().map(Labels::packed);
        let lengths = [entry.key.len(), value.map_or(0, <[u8]>::len), labels.map_or(0, <[u8]>::len)];
        self.bytes.try_reserve(lengths.iter().sum::<usize>() + BLOCK_HEAD + LONGEST_ENTRY_HEAD)?;
        if self.bytes.is_empty() {
            self.bytes.resize(BLOCK_HEAD, 0);
        }
        self.bytes.push(flags);
        self.bytes.extend((entry.key.len() as u16).to_le_bytes());
        let len = |bytes: &[u8]| bytes.len() as u64;
        let numbers = [entry.ttl_left_ms, entry.cost, priority.map(f64::to_bits), value.map(len), labels.map(len)];
        numbers.into_iter().flatten().for_each(|number| self.bytes.extend(number.to_le_bytes()));
        self.bytes.extend_from_slice(&entry.key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.bytes.extend_from_slice(labels.unwrap_or_default());
        self.entries += 1;
        Ok(true)
    }

    /// Passes the finished block to `write`, and begins the next one. An empty block marks the end of the file.
    pub fn finish<E>(&mut self, write: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.bytes.resize(self.bytes.len().max(BLOCK_HEAD), 0);
        let (head, body) = self.bytes.split_at_mut(BLOCK_HEAD);
        head[..8].copy_from_slice(&(body.len() as u64).to_le_bytes());
        head[8..12].copy_from_slice(&self.entries.to_le_bytes());
        let of_head = check(self.number, &head[..12]) as u32;
        head[12..16].copy_from_slice(&of_head.to_le_bytes());
        head[16..].copy_from_slice(&check(self.number, body).to_le_bytes());
        let written = write(&self.bytes);
        self.bytes.clear();
        // Does not keep the memory that a large value needed.
        self.bytes.shrink_to(2 * BLOCK);
        (self.number, self.entries) = (self.number + 1, 0);
        written
    }
}

/// The decoded head of a block.
#[derive(Clone, Copy, Debug)]
pub struct BlockHead {
    number: u64,
    /// The length of the body, in bytes; 0 at the end of the file.
    pub length: u64,
    entries: u32,
    check: u64,
}

impl BlockHead {
    /// Decodes the head of the block with this number.
    pub fn read(number: u64, head: &[u8; BLOCK_HEAD]) -> Result<BlockHead, Damage> {
        let mut rest = Rest(head);
        let (length, entries, of_head, of_body) = (rest.u64()?, rest.u32()?, rest.u32()?, rest.u64()?);
        let is_end = length == 0;
        if of_head != check(number, &head[..12]) as u32 || is_end != (entries == 0) || (is_end && of_body != check(number, &[])) {
            return Err(Damage::Corrupt);
        }
        Ok(BlockHead { number, length, entries, check: of_body })
    }

    /// Decodes the entries of the body. Verifies all before it returns any.
    pub fn entries<'a>(&self, body: &'a [u8]) -> Result<Vec<SavedEntry<'a>>, Damage> {
        if body.len() as u64 != self.length || check(self.number, body) != self.check {
            return Err(Damage::Corrupt);
        }
        let mut rest = Rest(body);
        let mut entries = Vec::new();
        for _ in 0..self.entries {
            entries.try_reserve(1).map_err(NoMemory::from)?;
            entries.push(rest.entry()?);
        }
        if rest.0.is_empty() { Ok(entries) } else { Err(Damage::Corrupt) }
    }
}

/// An entry in a block.
#[derive(Clone, PartialEq, Debug)]
pub struct SavedEntry<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value; `None` for null.
    pub value: Option<&'a [u8]>,
    /// The stated cost of the value in bytes; `None` if the cost is computed.
    pub cost: Option<u64>,
    /// The priority.
    pub priority: f64,
    /// The time to live that was left, in milliseconds; `None` if the entry does not expire.
    pub ttl_left_ms: Option<u64>,
    /// Whether the value stands for an object.
    pub is_encoded: bool,
    /// The version and the tags of the entry.
    pub labels: Option<Labels>,
}

impl SavedEntry<'_> {
    /// Creates the answer; `None` if there is not enough memory.
    pub fn answer(&self) -> Option<Answer> {
        match self.value {
            None => Some(Answer::Null),
            Some(bytes) => Value::bytes_under(self.key, bytes).ok().map(Answer::Value),
        }
    }
}

/// The bytes that have not been read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, count: u64) -> Result<&'a [u8], Damage> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.0.len()).ok_or(Damage::Corrupt)?;
        let (bytes, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.bytes(N as u64)?.try_into().map_err(|_| Damage::Corrupt)
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn number(&mut self, flags: u8, flag: u8) -> Result<Option<u64>, Damage> {
        if flags & flag == 0 { Ok(None) } else { self.u64().map(Some) }
    }

    fn entry(&mut self) -> Result<SavedEntry<'a>, Damage> {
        let [flags] = self.array()?;
        let key_len = u16::from_le_bytes(self.array()?);
        let (ttl_left_ms, cost) = (self.number(flags, HAS_TTL)?, self.number(flags, HAS_COST)?);
        let priority = self.number(flags, HAS_PRIORITY)?.map_or(0.0, f64::from_bits);
        let (value_len, labels_len) = (self.number(flags, HAS_VALUE)?, self.number(flags, HAS_LABELS)?);
        if flags & !FLAGS != 0 || priority.is_nan() {
            return Err(Damage::Corrupt);
        }
        let key = self.bytes(u64::from(key_len))?;
        let value = value_len.map(|len| self.bytes(len)).transpose()?;
        let labels = labels_len.map(|len| Labels::of_packed(self.bytes(len)?).ok_or(Damage::Corrupt)).transpose()?;
        Ok(SavedEntry { key, value, cost, priority, ttl_left_ms, is_encoded: flags & IS_ENCODED != 0, labels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Key;
    use std::io::Write;

    fn copied(key: &[u8], value: Option<&[u8]>, numbers: Option<u64>, priority: f64) -> CopiedEntry {
        let answer = value.map_or(Answer::Null, |bytes| Answer::Value(Value::bytes(bytes).expect("memory")));
        let labels = numbers.and_then(|number| Labels::of_packed(&[1, number as u8, 2, b't', number as u8]));
        CopiedEntry { key: Key::new(key), answer, cost: numbers, priority, ttl_left_ms: numbers, labels }
    }

    fn block_of(number: u64, entries: &[CopiedEntry]) -> Vec<u8> {
        let mut block = Block { number, ..Block::default() };
        assert!(entries.iter().all(|entry| block.push(entry, entry.priority < 0.0) == Ok(true)));
        let mut bytes = Vec::new();
        block.finish(|written| bytes.write_all(written)).expect("memory");
        bytes
    }

    fn read(number: u64, bytes: &[u8]) -> Result<Vec<SavedEntry<'_>>, Damage> {
        let (head, body) = bytes.split_first_chunk().expect("a head");
        BlockHead::read(number, head)?.entries(body)
    }

    #[test]
    fn s18_entries_that_are_written_are_read_back() {
        let long = vec![7; 65_535];
        let entries = [
            copied(b"", None, None, 0.0),
            copied(b"key", Some(b""), Some(u64::MAX), -1.5),
            copied(&long, Some(&long), Some(0), f64::INFINITY),
        ];
        let bytes = block_of(3, &entries);
        let read = read(3, &bytes).expect("an undamaged block");
        assert_eq!(read.len(), 3);
        for (read, entry) in read.iter().zip(&entries) {
            assert_eq!((read.key, read.value), (&*entry.key, entry.answer.value().and_then(Value::as_bytes)));
            assert_eq!(read.is_encoded, entry.priority < 0.0);
            assert_eq!((read.cost, read.ttl_left_ms, read.priority), (entry.cost, entry.ttl_left_ms, entry.priority));
            assert_eq!((&read.labels, read.labels.is_some()), (&entry.labels, entry.cost.is_some()));
        }
        assert_eq!(read_head(&head(12)), Ok(12));
    }

    #[test]
    fn s18_every_flipped_bit_is_detected() {
        let whole = block_of(1, &[copied(b"key", Some(b"value"), Some(5), 2.0), copied(b"other", None, None, 0.0)]);
        assert!(read(1, &whole).is_ok() && read(2, &whole) == Err(Damage::Corrupt), "the check includes the number of the block");
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(1, &damaged), Err(Damage::Corrupt), "bit {bit}");
        }
        for bit in 0..HEAD * 8 {
            let mut damaged = head(7);
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_head(&damaged).is_err(), "bit {bit}");
        }
        for (number, end) in [(0, block_of(0, &[])), (9, block_of(9, &[]))] {
            assert_eq!(read(number, &end), Ok(vec![]));
            for bit in 0..end.len() * 8 {
                let mut damaged = end.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(read(number, &damaged), Err(Damage::Corrupt), "bit {bit} of the end");
            }
        }
    }

    #[test]
    fn s18_forged_bodies_with_valid_checks_are_refused() {
        // The checks are valid, as those of a forged file can be.
        let forged = |body: &[u8], entries: u32| {
            let mut block = Block { number: 0, entries, bytes: vec![0; BLOCK_HEAD] };
            block.bytes.extend_from_slice(body);
            let mut bytes = Vec::new();
            block.finish(|written| bytes.write_all(written)).expect("memory");
            read(0, &bytes).map(|entries| entries.len())
        };
        assert_eq!(forged(&[0, 0, 0], 1), Ok(1), "an empty key with null");
        assert_eq!(forged(&[0, 0, 0], 2), Err(Damage::Corrupt), "fewer entries than stated");
        assert_eq!(forged(&[0, 0, 0, 0], 1), Err(Damage::Corrupt), "more bytes than stated");
        assert_eq!(forged(&[0, 0, 0], u32::MAX), Err(Damage::Corrupt));
        assert_eq!(forged(&[1 << 7, 0, 0], 1), Err(Damage::Corrupt), "an unknown flag");
        assert_eq!(forged(&[0, 0xff, 0xff], 1), Err(Damage::Corrupt), "a key beyond the end");
        let huge = [&[HAS_VALUE, 0, 0][..], &u64::MAX.to_le_bytes()].concat();
        assert_eq!(forged(&huge, 1), Err(Damage::Corrupt), "a value beyond the end");
        let no_labels = [&[HAS_LABELS, 0, 0][..], &2_u64.to_le_bytes(), &[0, 7]].concat();
        assert_eq!(forged(&no_labels, 1), Err(Damage::Corrupt), "bytes that are no labels");
        let no_number = [&[HAS_PRIORITY, 0, 0][..], &f64::NAN.to_bits().to_le_bytes()].concat();
        assert_eq!(forged(&no_number, 1), Err(Damage::Corrupt), "a priority that is NaN");
    }

    #[test]
    fn s18_files_of_a_later_version_or_another_kind_are_refused() {
        let mut later = head(7);
        later[8] = 2;
        assert_eq!(read_head(&later), Err(Damage::Version(2)));
        assert_eq!(read_head(&[0; HEAD]), Err(Damage::Corrupt));
        assert!(is_start(b"") && is_start(b"KVL") && is_start(&head(1)) && !is_start(b"KVM") && !is_start(b"sqlite"));
    }
}
