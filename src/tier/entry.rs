//! The format of an entry in a second tier (rule T13). Numbers are little-endian.
//!
//! ```text
//!    0   1  magic 0xCB
//!    1   1  format 1
//!    2   1  kind: 2 a null, 3 bytes, 4 an object as bytes that the program made of it
//!    3   1  flags: none is defined; an entry with one is of a later version
//!    4  12  identity of this write: random
//!   16   8  0; reserved for the clock of a store that has one
//!   24   4  TTL when it was written, in milliseconds; 0xFFFFFFFF: it does not expire
//!   28   4  how long its load took, in milliseconds; 0: it was put
//!   32   4  0; reserved for a generation of all entries
//!   36   4  CRC-32C of the length of the key (4 bytes), the key, bytes 0 to 35, and the value
//!   40      the bytes of the value
//! ```
//!
//! The key is part of the checksum, so that an entry under a wrong key counts as damaged. Bytes that are damaged, cut off, of a later
//! version or of another key are no entry: reading them is a miss, never an error.

use super::crc::crc32c;

/// The length of the part before the value, in bytes.
pub const HEADER: usize = 40;
const MAGIC: u8 = 0xcb;
const FORMAT: u8 = 1;
const NULL: u8 = 2;
const BYTES: u8 = 3;
const OBJECT: u8 = 4;
const CRC_AT: usize = 36;
const NEVER: u32 = u32::MAX;

/// Random bytes that identify one write.
pub type Identity = [u8; 12];

/// The content of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TierEntry<'a> {
    /// The value's bytes; `None`: the key is known to be absent.
    pub value: Option<&'a [u8]>,
    /// Whether the bytes stand for an object.
    pub is_object: bool,
    /// Its TTL when it was written, in milliseconds; `None`: it does not expire.
    pub ttl_ms: Option<u32>,
    /// How long its load took, in milliseconds; 0: it was put.
    pub load_ms: u32,
    /// Identifies the write.
    pub identity: Identity,
}

/// The bytes are no entry of this key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoEntry;

impl<'a> TierEntry<'a> {
    /// The entry as bytes. A TTL that is too long for the format is shortened to the longest possible.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let value = self.value.unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEADER + value.len());
        let kind = match self.value {
            None => NULL,
            Some(_) if self.is_object => OBJECT,
            Some(_) => BYTES,
        };
        bytes.extend([MAGIC, FORMAT, kind, 0]);
        bytes.extend(self.identity);
        bytes.extend([0; 8]);
        bytes.extend(self.ttl_ms.map_or(NEVER, |ttl| ttl.min(NEVER - 1)).to_le_bytes());
        bytes.extend(self.load_ms.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(checksum(key, &bytes, value).to_le_bytes());
        bytes.extend(value);
        bytes
    }

    /// Reads what [`TierEntry::encode`] wrote under this key.
    pub fn decode(key: &[u8], bytes: &'a [u8]) -> Result<TierEntry<'a>, NoEntry> {
        let (header, value) = bytes.split_at_checked(HEADER).ok_or(NoEntry)?;
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if header[..2] != [MAGIC, FORMAT] || header[3] != 0 || word(CRC_AT) != checksum(key, &header[..CRC_AT], value) {
            return Err(NoEntry);
        }
        let value = match header[2] {
            NULL if value.is_empty() => None,
            BYTES | OBJECT => Some(value),
            _ => return Err(NoEntry),
        };
        let ttl_ms = Some(word(24)).filter(|ttl| *ttl != NEVER);
        let identity = header[4..16].try_into().map_err(|_| NoEntry)?;
        Ok(TierEntry { value, is_object: header[2] == OBJECT, ttl_ms, load_ms: word(28), identity })
    }
}

/// The checksum of an entry under `key`. It includes the key's length, since the same bytes can be divided into key and entry in several
/// ways.
fn checksum(key: &[u8], header: &[u8], value: &[u8]) -> u32 {
    crc32c(&[&(key.len() as u32).to_le_bytes(), key, header, value])
}
