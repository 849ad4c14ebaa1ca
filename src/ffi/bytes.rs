//! Bytes, keys and texts as arguments: converts a pointer and a length to a slice, or to the status of the error.

use super::guard::Caller;
use super::types::kvl_slice_t;
use crate::base::Status;
use crate::base::hint::rarely;
use crate::base::key::KEY_MAX;
use crate::base::platform::path_of;
use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use std::path::Path;
use std::ptr::NonNull;

impl Caller {
    /// The `n` items at `first`, which may be NULL if `n` is 0.
    #[inline]
    pub(crate) fn items<T>(&self, first: *const T, n: usize) -> Result<&[T], Status> {
        if n == 0 {
            return Ok(&[]);
        }
        self.check_array(first, n)?;
        // SAFETY: readable until the export returns, by the promise that `self` stands for; size and alignment were checked.
        Ok(unsafe { std::slice::from_raw_parts(first, n) })
    }

    /// Checks that `first` can be the start of an array of `n` items. NULL can if `n` is 0.
    #[inline]
    pub(crate) fn check_array<T>(&self, first: *const T, n: usize) -> Result<(), Status> {
        if first.is_null() && n > 0 {
            return Err(Status::ERR_NULL_POINTER);
        }
        let fits = n.checked_mul(size_of::<T>()).is_some_and(|size| isize::try_from(size).is_ok());
        if fits && first.is_aligned() { Ok(()) } else { Err(Status::ERR_INVALID_ARG) }
    }

    /// The bytes of one key.
    #[inline]
    pub(crate) fn key(&self, key: *const u8, len: usize) -> Result<&[u8], Status> {
        if rarely(key.is_null()) {
            return if len == 0 { Ok(&[]) } else { Err(Status::ERR_NULL_POINTER) };
        }
        if rarely(len > KEY_MAX) {
            return Err(Status::ERR_KEY_TOO_LONG);
        }
        // SAFETY: not NULL, short, and readable until the export returns, by the promise that `self` stands for.
        Ok(unsafe { std::slice::from_raw_parts(key, len) })
    }

    /// The keys as slices. All pointers are checked before the first is used. A key that is too long is not refused here: it fails only its
    /// own position.
    pub(crate) fn keys(&self, keys: *const kvl_slice_t, n: usize) -> Result<impl ExactSizeIterator<Item = &[u8]> + Clone, Status> {
        let keys = self.items(keys, n)?;
        for key in keys {
            self.items(key.data, key.len)?;
        }
        Ok(keys.iter().map(|key| {
            let start = if key.data.is_null() { NonNull::dangling().as_ptr() } else { key.data.cast_mut() };
            // SAFETY: checked above: a NULL key has no bytes, and `items` accepted the others.
            unsafe { std::slice::from_raw_parts(start.cast_const(), key.len) }
        }))
    }

    /// The name of a file.
    pub(crate) fn path(&self, path: *const c_char) -> Result<&Path, Status> {
        if path.is_null() {
            return Err(Status::ERR_NULL_POINTER);
        }
        // SAFETY: NUL-terminated and readable until the export returns, by the promise that `self` stands for.
        let path = path_of(unsafe { CStr::from_ptr(path) }).ok_or(Status::ERR_INVALID_ARG)?;
        if path.file_name().is_some() { Ok(path) } else { Err(Status::ERR_INVALID_ARG) }
    }

    /// A C string. Invalid UTF-8 is replaced; the result is then not a valid setting.
    pub(crate) fn text(&self, text: *const c_char) -> Result<Cow<'_, str>, Status> {
        if text.is_null() {
            return Err(Status::ERR_NULL_POINTER);
        }
        // SAFETY: NUL-terminated and readable until the export returns, by the promise that `self` stands for.
        Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l09_keys_and_items_are_checked_before_they_are_read() {
        // SAFETY: every pointer below is NULL, or is never read.
        let caller = unsafe { Caller::trusted() };
        let (none, some) = (std::ptr::null::<u8>(), c"key".as_ptr().cast::<u8>());
        assert_eq!(caller.key(none, 0), Ok(&[][..]));
        assert_eq!(caller.key(none, 1), Err(Status::ERR_NULL_POINTER));
        assert_eq!(caller.key(some, 3), Ok(&b"key"[..]));
        assert_eq!(caller.key(some, KEY_MAX + 1), Err(Status::ERR_KEY_TOO_LONG));
        assert_eq!(caller.key(some, usize::MAX), Err(Status::ERR_KEY_TOO_LONG));
        assert_eq!(caller.items(some.cast::<u64>(), usize::MAX / 4), Err(Status::ERR_INVALID_ARG));
        assert_eq!(caller.items(std::ptr::without_provenance::<u64>(1), 1), Err(Status::ERR_INVALID_ARG));
        assert_eq!(caller.text(std::ptr::null()), Err(Status::ERR_NULL_POINTER));
    }
}
