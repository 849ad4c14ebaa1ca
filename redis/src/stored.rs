//! What is under a key in the server: the lease of a process that loads it, or an entry. Numbers are little-endian.
//!
//! ```text
//!    0   1  magic 0xCE
//!    1   1  kind: 1 a lease, 2 an entry, 3 an entry that is compressed
//!    2   8  epoch: the generation of all entries; a clear begins another one
//!   10  16  identity: random, for each write; in a lease the last 8 bytes identify its holder
//!   26   6  of an entry: when it expires, in milliseconds since 1970 by the server's clock; 0: never
//!   32   2  of an entry: CRC-16 of the bytes before it
//!   34      of an entry: the bytes from kvlight, unchanged or compressed (`compress`); they have a checksum of their own
//! ```
//!
//! A damaged value is a miss, like one that another program wrote (rule T13). The first 26 bytes are the *name* of the value: each write has
//! its own. A change that depends on what was read compares the name alone.

use crate::compress::compressed;
use crate::crc::crc16;
use crate::random::random;
use std::cell::Cell;

/// The generation of all entries. Entries of another epoch count as absent.
pub type Epoch = [u8; 8];

/// The current epoch, as far as the process knows it.
#[derive(Default)]
pub struct KnownEpoch {
    epoch: Cell<Option<Epoch>>,
    round: Cell<u64>,
}

impl KnownEpoch {
    /// The epoch, if it is known.
    pub fn get(&self) -> Option<Epoch> {
        self.epoch.get()
    }

    /// Forgets the epoch, since another one may have begun: it must be read again.
    pub fn forget(&self) {
        self.epoch.set(None);
        self.round.set(self.round.get() + 1);
    }

    /// The number of times that the epoch was forgotten: to be noted before the server is asked for the epoch, for [`KnownEpoch::learn`].
    pub fn round(&self) -> u64 {
        self.round.get()
    }

    /// Takes the epoch that the server replied, unless another one may have begun since `round` was noted.
    pub fn learn(&self, epoch: Epoch, round: u64) {
        if round == self.round.get() {
            self.epoch.set(Some(epoch));
        }
    }
}

/// The random number that identifies a holder of leases.
pub type Holder = [u8; 8];

/// The length of a name in bytes.
pub const NAME: usize = 26;
/// The offset of the checksum.
const CRC: usize = 32;
const HEADER: usize = 34;
/// The latest time that 6 bytes can hold, some 8,900 years after 1970.
const LATEST: u64 = (1 << 48) - 1;
const MAGIC: u8 = 0xce;
const LEASE: u8 = 1;
const ENTRY: u8 = 2;
/// A version of this library that does not know this kind takes the value for another program's: a miss.
const COMPRESSED: u8 = 3;

/// What identifies one write.
pub type Name = [u8; NAME];

/// A value that was found under a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored<'a> {
    /// A lease: some process loads the key.
    Lease(Epoch),
    /// The key has an entry.
    Entry {
        /// The epoch that it belongs to.
        epoch: Epoch,
        /// When it expires, in milliseconds of the server's clock; `None`: never.
        expires_at: Option<u64>,
        /// The bytes from kvlight, or what they were compressed to.
        entry: &'a [u8],
        /// Whether it is compressed.
        is_compressed: bool,
    },
    /// Something else: damaged, or written by another program or a later version of this library.
    Foreign,
}

/// The name of a new write.
fn new_name(kind: u8, epoch: Epoch) -> Name {
    let mut name = [0; NAME];
    (name[0], name[1]) = (MAGIC, kind);
    name[2..10].copy_from_slice(&epoch);
    name[10..18].copy_from_slice(&random());
    name[18..].copy_from_slice(&random());
    name
}

/// A new lease. It consists of its name, which ends with the number of its holder.
pub fn new_lease(epoch: Epoch, holder: Holder) -> Name {
    let mut name = new_name(LEASE, epoch);
    name[18..].copy_from_slice(&holder);
    name
}

/// Whether a lease is one of this holder's.
pub fn is_lease_of(lease: &[u8], holder: Holder) -> bool {
    lease.get(18..) == Some(&holder)
}

/// A new entry, as it is stored: compressed if it has at least `compress_min` bytes and becomes smaller.
pub fn new_entry(epoch: Epoch, expires_at: Option<u64>, entry: &[u8], compress_min: Option<usize>) -> Vec<u8> {
    let smaller = compressed(entry, compress_min);
    let (kind, entry) = smaller.as_deref().map_or((ENTRY, entry), |smaller| (COMPRESSED, smaller));
    let mut bytes = Vec::with_capacity(HEADER + entry.len());
    bytes.extend(new_name(kind, epoch));
    bytes.extend(&expires_at.unwrap_or(0).min(LATEST).to_le_bytes()[..CRC - NAME]);
    bytes.extend(crc16(&bytes).to_le_bytes());
    bytes.extend(entry);
    bytes
}

/// Parses the value under a key.
pub fn read(bytes: &[u8]) -> Stored<'_> {
    let Some((name, rest)) = bytes.split_first_chunk::<NAME>() else { return Stored::Foreign };
    let epoch = epoch_of(name);
    match (name[0], name[1]) {
        (MAGIC, LEASE) if rest.is_empty() => Stored::Lease(epoch),
        (MAGIC, kind @ (ENTRY | COMPRESSED)) => match rest.split_first_chunk::<{ HEADER - NAME }>() {
            Some(([at @ .., crc_low, crc_high], entry)) if [*crc_low, *crc_high] == crc16(&bytes[..CRC]).to_le_bytes() => {
                let mut expires_at = [0; 8];
                expires_at[..at.len()].copy_from_slice(at);
                let expires_at = Some(u64::from_le_bytes(expires_at)).filter(|at| *at != 0);
                Stored::Entry { epoch, expires_at, entry, is_compressed: kind == COMPRESSED }
            }
            _ => Stored::Foreign,
        },
        _ => Stored::Foreign,
    }
}

/// The name of a stored value, or the whole value if it is shorter. Conditional changes compare it.
pub fn name_of(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(NAME)]
}

/// The epoch that a name belongs to.
pub fn epoch_of(name: &Name) -> Epoch {
    let mut epoch = Epoch::default();
    epoch.copy_from_slice(&name[2..10]);
    epoch
}

/// The token that a read passes to kvlight and a fill receives: the name that must still be under the key, and how long the right to fill
/// lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// The lease, or the entry that was found.
    pub name: Name,
    /// The session of the link in which the name was read. In another session a fill could reach a server that has lost a write.
    pub session: u64,
    /// Until when the token may be used, in milliseconds of this process's clock.
    pub until: u64,
}

/// The length of a token in bytes.
pub const TOKEN: usize = NAME + 16;

impl Token {
    /// The token as bytes.
    pub fn to_bytes(self) -> [u8; TOKEN] {
        let mut bytes = [0; TOKEN];
        bytes[..NAME].copy_from_slice(&self.name);
        bytes[NAME..NAME + 8].copy_from_slice(&self.session.to_le_bytes());
        bytes[NAME + 8..].copy_from_slice(&self.until.to_le_bytes());
        bytes
    }

    /// Parses a token; `None` if the bytes are not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Token> {
        let (name, rest) = bytes.split_first_chunk::<NAME>()?;
        let (session, rest) = rest.split_first_chunk::<8>()?;
        let until: &[u8; 8] = rest.try_into().ok()?;
        Some(Token { name: *name, session: u64::from_le_bytes(*session), until: u64::from_le_bytes(*until) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t05_an_epoch_requested_before_the_notice_of_a_clear_is_not_taken() {
        let known = KnownEpoch::default();
        let round = known.round();
        known.learn([1; 8], round);
        assert_eq!(known.get(), Some([1; 8]));
        known.forget();
        known.learn([1; 8], round);
        assert_eq!(known.get(), None, "the reply may be from before the clear");
        known.learn([2; 8], known.round());
        assert_eq!(known.get(), Some([2; 8]));
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let epoch = [7; 8];
        for expires_at in [None, Some(1), Some(1_800_000_000_000), Some(LATEST)] {
            for entry in [&b""[..], b"x", &[0; 5000]] {
                let bytes = new_entry(epoch, expires_at, entry, None);
                assert_eq!(read(&bytes), Stored::Entry { epoch, expires_at, entry, is_compressed: false });
                assert_eq!(name_of(&bytes), &bytes[..NAME]);
            }
        }
        assert_eq!(read(&new_lease(epoch, [8; 8])), Stored::Lease(epoch));
        let late = new_entry(epoch, Some(u64::MAX), b"", None);
        assert_eq!(read(&late), Stored::Entry { epoch, expires_at: Some(LATEST), entry: b"", is_compressed: false });
    }

    #[test]
    fn t13_each_damaged_byte_of_the_header_is_noticed() {
        let entry = new_entry([7; 8], Some(1_800_000_000_000), b"value", None);
        for at in 0..HEADER {
            for byte in (0..=u8::MAX).filter(|byte| *byte != entry[at]) {
                let mut damaged = entry.clone();
                damaged[at] = byte;
                assert_eq!(read(&damaged), Stored::Foreign, "byte {at} is {byte}");
            }
        }
    }

    #[test]
    fn two_writes_have_two_names() {
        assert_ne!(new_lease([1; 8], [2; 8]), new_lease([1; 8], [2; 8]));
        assert_ne!(new_entry([1; 8], None, b"", None)[..NAME], new_entry([1; 8], None, b"", None)[..NAME]);
    }

    #[test]
    fn a_lease_names_its_holder() {
        let lease = new_lease([1; 8], [2; 8]);
        assert!(is_lease_of(&lease, [2; 8]) && !is_lease_of(&lease, [3; 8]) && !is_lease_of(b"", [2; 8]));
    }

    #[test]
    fn t13_what_is_cut_off_or_of_another_program_is_foreign() {
        let entry = new_entry([7; 8], None, b"value", None);
        for len in 0..HEADER {
            assert_eq!(read(&entry[..len]), Stored::Foreign, "{len} bytes");
        }
        let lease = new_lease([7; 8], [8; 8]);
        for len in 0..NAME {
            assert_eq!(read(&lease[..len]), Stored::Foreign, "{len} bytes");
        }
        for bytes in [&b"OK"[..], b"a text of another program, longer than a header"] {
            assert_eq!(read(bytes), Stored::Foreign);
        }
        let mut long_lease = lease.to_vec();
        long_lease.push(0);
        assert_eq!(read(&long_lease), Stored::Foreign);
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token = Token { name: new_lease([3; 8], [2; 8]), session: 4, until: 5 };
        assert_eq!(Token::from_bytes(&token.to_bytes()), Some(token));
        for len in 0..TOKEN {
            assert_eq!(Token::from_bytes(&token.to_bytes()[..len]), None, "{len} bytes");
        }
        assert_eq!(Token::from_bytes(&[0; TOKEN + 1]), None);
    }
}
