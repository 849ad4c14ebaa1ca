//! The format of entries in a second tier: bytes that are not exactly an entry of the given key are rejected (rule T13).

use kvlight::tier::entry::{HEADER, NoEntry, TierEntry};
use proptest::prelude::*;

const ENTRY: TierEntry<'static> =
    TierEntry { value: Some(b"a value"), is_object: false, ttl_ms: Some(60_000), load_ms: 12, identity: *b"0123456789ab" };
const NULL: TierEntry<'static> = TierEntry { value: None, ttl_ms: None, ..ENTRY };

#[test]
fn t13_an_entry_reads_as_it_was_written() {
    for entry in [
        ENTRY,
        NULL,
        TierEntry { value: Some(b""), ..ENTRY },
        TierEntry { ttl_ms: Some(0), ..ENTRY },
        TierEntry { is_object: true, ..ENTRY },
    ] {
        let bytes = entry.encode(b"key");
        assert_eq!(bytes.len(), HEADER + entry.value.map_or(0, <[u8]>::len));
        assert_eq!(TierEntry::decode(b"key", &bytes), Ok(entry));
    }
    let longest = TierEntry { ttl_ms: Some(u32::MAX), ..ENTRY }.encode(b"key");
    assert_eq!(TierEntry::decode(b"key", &longest).map(|entry| entry.ttl_ms), Ok(Some(u32::MAX - 1)), "the longest TTL is still finite");
}

#[test]
fn t13_the_format_is_fixed() {
    let bytes =
        TierEntry { value: Some(b"v"), is_object: false, ttl_ms: Some(0x0102_0304), load_ms: 5, identity: *b"0123456789ab" }.encode(b"k");
    let (before, after) = (&bytes[..36], &bytes[40..]);
    assert_eq!(before[..4], [0xcb, 1, 3, 0]);
    assert_eq!(&before[4..16], b"0123456789ab");
    assert_eq!(before[16..24], [0; 8]);
    assert_eq!(before[24..32], [4, 3, 2, 1, 5, 0, 0, 0]);
    assert_eq!(before[32..], [0; 4]);
    assert_eq!(after, b"v");
}

#[test]
fn t13_each_flipped_bit_is_noticed() {
    for entry in [ENTRY, NULL] {
        let bytes = entry.encode(b"key");
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert_eq!(TierEntry::decode(b"key", &damaged), Err(NoEntry), "bit {at}");
        }
    }
}

#[test]
fn t13_each_changed_byte_is_noticed() {
    let bytes = ENTRY.encode(b"key");
    for at in 0..bytes.len() {
        for byte in (0..=u8::MAX).filter(|byte| *byte != bytes[at]) {
            let mut damaged = bytes.clone();
            damaged[at] = byte;
            assert_eq!(TierEntry::decode(b"key", &damaged), Err(NoEntry), "byte {at} is {byte}");
        }
    }
}

#[test]
fn t13_what_is_cut_off_or_longer_is_no_entry() {
    for entry in [ENTRY, NULL] {
        let bytes = entry.encode(b"key");
        for len in 0..bytes.len() {
            assert_eq!(TierEntry::decode(b"key", &bytes[..len]), Err(NoEntry), "{len} bytes");
        }
        assert_eq!(TierEntry::decode(b"key", &[&bytes[..], &[0]].concat()), Err(NoEntry));
    }
}

#[test]
fn t13_the_entry_of_another_key_is_no_entry() {
    let bytes = ENTRY.encode(b"key");
    for other in [&b"kez"[..], b"ke", b"keyy", b""] {
        assert_eq!(TierEntry::decode(other, &bytes), Err(NoEntry));
    }
}

proptest! {
    #[test]
    fn t13_any_entry_reads_as_it_was_written(key: Vec<u8>, value: Option<Vec<u8>>, ttl in proptest::option::of(0..u32::MAX), load: u32, identity: [u8; 12]) {
        let entry = TierEntry { value: value.as_deref(), is_object: false, ttl_ms: ttl, load_ms: load, identity };
        let bytes = entry.encode(&key);
        prop_assert_eq!(TierEntry::decode(&key, &bytes), Ok(entry));
    }

    #[test]
    fn t13_any_bytes_are_read_without_harm(key: Vec<u8>, bytes: Vec<u8>) {
        let _ = TierEntry::decode(&key, &bytes);
        let mut alike = ENTRY.encode(&key);
        let end = alike.len().min(bytes.len());
        let before = alike.clone();
        alike[..end].copy_from_slice(&bytes[..end]);
        prop_assert!(alike == before || TierEntry::decode(&key, &alike) == Err(NoEntry));
    }
}
