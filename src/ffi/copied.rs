//! Values that a lookup copies into a buffer of the caller.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::ScalarOut;
use super::types::kvl_cache_t;
use crate::base::hint::rarely;
use crate::base::{Answer, Status, Value};
use crate::engine::Core;

impl Caller {
    /// Whether the buffer for the value overlaps the key.
    #[inline(always)]
    pub(super) fn overlap(key: *const u8, key_len: usize, buf: *const u8, cap: usize) -> bool {
        // They overlap if one begins inside the other. An empty one inside the other counts as an overlap too, which does no harm.
        let (key, buf) = (key.addr(), buf.addr());
        (buf.wrapping_sub(key) < key_len) | (key.wrapping_sub(buf) < cap)
    }

    #[inline(always)]
    pub(super) fn byte_buffer(&self, buf: *mut u8, cap: usize, out_len: *mut usize) -> Result<ByteBuffer<'_>, Status> {
        let len = self.place(out_len)?;
        if buf.is_null() && cap > 0 { Err(Status::ERR_NULL_POINTER) } else { Ok(ByteBuffer { buf, cap, len }) }
    }
}

/// A buffer of the caller, and the place for the length of its content.
pub(super) struct ByteBuffer<'caller> {
    buf: *mut u8,
    cap: usize,
    len: ScalarOut<'caller, usize>,
}

/// The length in bytes of the longest values that are copied under the lock of their shard: for these, an additional reference would cost
/// more than the copy. Longer values are copied after the lock is released.
const COPIED_UNDER_LOCK: usize = 4096;

impl ByteBuffer<'_> {
    /// Copies the bytes of `answer`, under the lock of its shard. A value that is too long for that is put into `long`, to be copied after
    /// the lock.
    #[inline(always)]
    pub(super) fn see(&self, answer: &Answer, long: &mut Option<Value>) -> Status {
        let Some(value) = answer.value() else { return Status::NULL };
        let Some(bytes) = value.as_bytes() else { return Status::ERR_WRONG_KIND };
        self.len.write(bytes.len());
        if rarely(bytes.len() > self.cap) {
            return Status::TRUNCATED;
        }
        if rarely(bytes.len() > COPIED_UNDER_LOCK) {
            *long = Some(value.clone());
        } else {
            self.copy(bytes);
        }
        Status::VALUE
    }

    /// Copies the bytes of the value that [`ByteBuffer::see`] kept, after the lock of a shard of `core` was released.
    pub(super) fn finish(&self, long: Value, core: &Core) -> Status {
        long.as_bytes().into_iter().for_each(|bytes| self.copy(bytes));
        core.release_value(long);
        Status::VALUE
    }

    #[inline(always)]
    fn copy(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            // SAFETY: the caller promises `cap` bytes, which `see` found to be enough, and that nothing else uses them meanwhile.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.buf, bytes.len()) };
        }
    }
}

/// The slower paths of [`kvl_cache_get_into`](super::cache::kvl_cache_get_into).
#[inline(never)]
pub(super) fn get_into_slow(
    caller: &Caller,
    cache: *mut kvl_cache_t,
    (key, key_len): (*const u8, usize),
    (buf, cap): (*mut u8, usize),
    out_len: *mut usize,
) -> kvl_status_t {
    let mut long = None;
    if !Caller::overlap(key, key_len, buf, cap)
        && let Ok(buffer) = caller.byte_buffer(buf, cap, out_len)
        && let Some((pin, status)) = caller.try_validated(cache, key, key_len, |answer| buffer.see(answer, &mut long))
    {
        return long.map_or(status.0, |long| guard_or(Status::ERR_PANIC, || buffer.finish(long, &pin)).0);
    }
    guard(|| {
        let (core, passed_key) = (caller.kept(cache)?, caller.key(key, key_len)?);
        let buffer = caller.byte_buffer(buf, cap, out_len)?;
        // The record listener must receive the original key, so it is copied before the buffer is written.
        let own = Caller::overlap(key, key_len, buf, cap).then(|| passed_key.to_vec());
        let key = own.as_deref().unwrap_or(passed_key);
        let mut long = None;
        let status = core.get_with(key, |answer| buffer.see(answer, &mut long))?.unwrap_or_else(|lookup| lookup.status());
        Ok(long.map_or(status, |long| buffer.finish(long, &core)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize) -> Answer {
        Answer::Value(Value::bytes(&vec![7; len]).expect("memory"))
    }

    #[test]
    fn s19_long_values_are_copied_after_the_lock() {
        let (mut buf, mut len) = ([0u8; 2 * COPIED_UNDER_LOCK], 0usize);
        // SAFETY: the pointers below are those of the two places above, which outlive the caller.
        let caller = unsafe { Caller::trusted() };
        let buffer = caller.byte_buffer(buf.as_mut_ptr(), buf.len(), &mut len).expect("neither is NULL");
        let mut long = None;
        let seen = buffer.see(&bytes(COPIED_UNDER_LOCK), &mut long);
        assert!(seen == Status::VALUE && long.is_none() && buf[0] == 7, "a short value is copied under the lock");
        buf.fill(0);
        let seen = buffer.see(&bytes(COPIED_UNDER_LOCK + 1), &mut long);
        assert!(seen == Status::VALUE && len == COPIED_UNDER_LOCK + 1 && buf.iter().all(|byte| *byte == 0));
        let core = Core::cache(crate::engine::Plan::default()).expect("a cache");
        assert_eq!(buffer.finish(long.take().expect("it is kept"), &core), Status::VALUE);
        assert!(buf[..=COPIED_UNDER_LOCK].iter().all(|byte| *byte == 7) && buf[COPIED_UNDER_LOCK + 1] == 0);
        assert!(buffer.see(&bytes(buf.len() + 1), &mut long) == Status::TRUNCATED && long.is_none());
    }
}
