//! Compression of large entries: an LZ4 block after the length of the entry.
//!
//! ```text
//!    0   4  the length of the entry, little-endian
//!    4      an LZ4 block
//! ```
//!
//! What comes from the server is not trusted: no more memory is allocated than `plain_max` of the URL allows, nor than a block of this
//! length can fill.

use lz4_flex::block;

/// The size of the length in front of the block, in bytes.
const PREFIX: usize = 4;
/// The most bytes that one byte of a block can expand to, rounded up.
const MOST_PER_BYTE: usize = 256;
/// A compressed entry has at most this many eighths of the entry's own length; otherwise the entry is stored as it is.
const MOST_EIGHTHS: usize = 7;

/// Compresses an entry of at least `least` bytes; `None`: the entry has fewer bytes, or would hardly become smaller, or `least` is `None`.
pub fn compressed(entry: &[u8], least: Option<usize>) -> Option<Vec<u8>> {
    let len = u32::try_from(entry.len()).ok()?;
    least.filter(|least| entry.len() >= *least)?;
    let mut data = vec![0; PREFIX + block::get_maximum_output_size(entry.len())];
    data[..PREFIX].copy_from_slice(&len.to_le_bytes());
    let packed = block::compress_into(entry, &mut data[PREFIX..]).ok()?;
    data.truncate(PREFIX + packed);
    (data.len() <= entry.len() / 8 * MOST_EIGHTHS).then_some(data)
}

/// Returns the entry that was compressed; `None`: the data are damaged, or the entry is longer than `most`.
pub fn plain(data: &[u8], most: usize) -> Option<Vec<u8>> {
    let (len, packed) = data.split_first_chunk::<PREFIX>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    if len > most || len > packed.len().saturating_mul(MOST_PER_BYTE) {
        return None;
    }
    let mut entry = vec![0; len];
    (block::decompress_into(packed, &mut entry).ok()? == len).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1 << 20;

    fn text(len: usize) -> Vec<u8> {
        b"a page of the shop, with a price. ".iter().copied().cycle().take(len).collect()
    }

    #[test]
    fn a_decompressed_entry_is_as_it_was() {
        for len in [100, 1_000, 65_535, 65_536, MOST] {
            let entry = text(len);
            let data = compressed(&entry, Some(100)).unwrap_or_else(|| panic!("{len} bytes are compressed"));
            assert!(data.len() < len);
            assert_eq!(plain(&data, MOST), Some(entry));
        }
    }

    #[test]
    fn what_is_small_or_would_stay_large_is_not_compressed() {
        assert_eq!(compressed(&text(99), Some(100)), None);
        assert_eq!(compressed(&text(1_000), None), None, "it is not asked for");
        let random: Vec<u8> = (0..1_000).flat_map(|_| crate::random::random()).collect();
        assert_eq!(compressed(&random, Some(0)), None);
        assert_eq!(compressed(b"", Some(0)), None);
    }

    #[test]
    fn t13_a_decompression_bomb_takes_no_memory() {
        let data = compressed(&vec![0; MOST], Some(0)).expect("zeros are compressed");
        assert!(data.len() < MOST / 200, "a small part stands for all");
        assert_eq!(plain(&data, MOST - 1), None, "longer than is allowed");
        for claim in [u32::MAX, MOST as u32 + 1, MOST as u32 - 1, 0] {
            let mut lie = data.clone();
            lie[..PREFIX].copy_from_slice(&claim.to_le_bytes());
            assert_eq!(plain(&lie, usize::MAX), None, "a length of {claim}");
        }
    }

    #[test]
    fn t13_cut_off_or_damaged_data_never_become_an_entry_of_another_length() {
        let entry = text(2_000);
        let data = compressed(&entry, Some(0)).expect("it is compressed");
        for len in 0..data.len() {
            assert_eq!(plain(&data[..len], MOST), None, "{len} bytes");
        }
        for at in 0..data.len() {
            for bit in 0..8 {
                let mut damaged = data.clone();
                damaged[at] ^= 1 << bit;
                // The entry may have other bytes: its own checksum finds that.
                assert!(plain(&damaged, MOST).is_none_or(|plain| plain.len() == entry.len()), "byte {at}");
            }
        }
    }
}
