//! Several keys, for hosts that can build one buffer and an array of numbers, but no array of pointers.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard};
use super::types::kvl_slice_t;
use super::value::start_of;
use crate::base::Status;

/// Converts keys that are packed end to end in one buffer to slices, which point into that buffer.
///
/// @param packed      [borrowed for as long as the slices are used] the keys, `packed_len` bytes in total; may be NULL if `packed_len` is
///                    0.
/// @param packed_len  the total length in bytes.
/// @param lens        [borrowed] `n` lengths in bytes, whose sum is `packed_len`; may be NULL if `n` is 0.
/// @param n           the number of keys.
/// @param out_slices  [out] `n` slices; may be NULL if `n` is 0.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the lengths do not add up to `packed_len`, a length larger than any memory, a
///         misaligned pointer), KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_slices_unpack(
    packed: *const u8,
    packed_len: usize,
    lens: *const u32,
    n: usize,
    out_slices: *mut kvl_slice_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (mut rest, lens) = (caller.items(packed, packed_len)?, caller.items(lens, n)?);
        if n > 0 && out_slices.is_null() {
            return Err(Status::ERR_NULL_POINTER);
        }
        if n > isize::MAX as usize / size_of::<kvl_slice_t>() || !out_slices.is_aligned() {
            return Err(Status::ERR_INVALID_ARG);
        }
        // Checked before the first slice is written, because outputs are written on success only. A u64 can hold the sum of any array of
        // u32s.
        if lens.iter().map(|len| u64::from(*len)).sum::<u64>() != packed_len as u64 {
            return Err(Status::ERR_INVALID_ARG);
        }
        for (at, len) in lens.iter().enumerate() {
            let (key, behind) = rest.split_at(*len as usize);
            rest = behind;
            // SAFETY: `at` is below `n`, and the caller promises room for `n` slices.
            unsafe { out_slices.add(at).write(kvl_slice_t { data: start_of(key), len: key.len() }) };
        }
        Ok(Status::OK)
    })
}
