//! The peers as C functions that return kvlight's statuses. They check their arguments as kvlight does, so that no peer saves that time.
//! The benchmark's values are shorter than the longest key, so one check serves for both.

use crate::bytes::{Value, value};
use crate::peers::{Floor, Lru, LruSharded, Moka, Papaya, Peer, Quick};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

const VALUE: c_int = 1;
const MISS: c_int = 3;
const REFUSED: c_int = -2;
const KEY_MAX: usize = 65_535;

unsafe fn slice<'a>(data: *const u8, len: usize) -> Option<&'a [u8]> {
    if data.is_null() || len > KEY_MAX {
        return None;
    }
    // SAFETY: the driver passes `len` readable bytes.
    Some(unsafe { std::slice::from_raw_parts(data, len) })
}

unsafe fn make<P: Peer>(capacity: usize, with_ttl: c_int) -> *mut c_void {
    Box::into_raw(Box::new(P::new(capacity, with_ttl != 0))).cast()
}

unsafe fn get<P: Peer>(cache: *mut c_void, key: *const u8, len: usize, out: *mut *mut c_void) -> c_int {
    // SAFETY: the driver passes a cache that `make` created, and valid pointers.
    let (Some(cache), Some(key), false) = (unsafe { (cache.cast::<P>().as_ref(), slice(key, len), out.is_null()) }) else {
        return REFUSED;
    };
    let found = cache.get(key);
    let status = if found.is_some() { VALUE } else { MISS };
    // SAFETY: as above.
    unsafe { out.write(found.map_or(null_mut(), |value| value.into_raw().cast_mut().cast())) };
    status
}

unsafe fn get_into<P: Peer>(cache: *mut c_void, key: *const u8, len: usize, buf: *mut u8, cap: usize, out_len: *mut usize) -> c_int {
    // SAFETY: as in `get`.
    let (Some(cache), Some(key), false) = (unsafe { (cache.cast::<P>().as_ref(), slice(key, len), out_len.is_null()) }) else {
        return REFUSED;
    };
    let shown = cache.show(key, |bytes| {
        if bytes.len() <= cap {
            // SAFETY: the driver has room for `cap` bytes.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buf, bytes.len()) };
        }
        // SAFETY: as above.
        unsafe { out_len.write(bytes.len()) };
    });
    if shown { VALUE } else { MISS }
}

unsafe fn put<P: Peer>(cache: *mut c_void, key: *const u8, len: usize, data: *const u8, data_len: usize) -> c_int {
    // SAFETY: as in `get`.
    let (Some(cache), Some(key), Some(data)) = (unsafe { (cache.cast::<P>().as_ref(), slice(key, len), slice(data, data_len)) }) else {
        return REFUSED;
    };
    cache.put(key, value(data));
    0
}

// SAFETY of all of them: the driver keeps the promises of `get`, `put` and `make` above, and frees a cache once.
macro_rules! c_functions {
    ($peer:ty, $new:ident, $get:ident, $get_into:ident, $put:ident, $len:ident, $free:ident) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $new(capacity: usize, with_ttl: c_int) -> *mut c_void {
            unsafe { make::<$peer>(capacity, with_ttl) }
        }
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $get(cache: *mut c_void, key: *const u8, len: usize, out: *mut *mut c_void) -> c_int {
            unsafe { get::<$peer>(cache, key, len, out) }
        }
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $get_into(
            cache: *mut c_void,
            key: *const u8,
            len: usize,
            buf: *mut u8,
            cap: usize,
            out_len: *mut usize,
        ) -> c_int {
            unsafe { get_into::<$peer>(cache, key, len, buf, cap, out_len) }
        }
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $put(cache: *mut c_void, key: *const u8, len: usize, data: *const u8, data_len: usize) -> c_int {
            unsafe { put::<$peer>(cache, key, len, data, data_len) }
        }
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $len(cache: *mut c_void) -> usize {
            unsafe { (*cache.cast::<$peer>()).len() }
        }
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $free(cache: *mut c_void) {
            drop(unsafe { Box::from_raw(cache.cast::<$peer>()) });
        }
    };
}

c_functions!(Quick, quick_new, quick_get, quick_get_into, quick_put, quick_len, quick_free);
c_functions!(Moka, moka_new, moka_get, moka_get_into, moka_put, moka_len, moka_free);
c_functions!(Lru, lru_new, lru_get, lru_get_into, lru_put, lru_len, lru_free);
c_functions!(LruSharded, lrus_new, lrus_get, lrus_get_into, lrus_put, lrus_len, lrus_free);
c_functions!(Papaya, papaya_new, papaya_get, papaya_get_into, papaya_put, papaya_len, papaya_free);
c_functions!(Floor, floor_new, floor_get, floor_get_into, floor_put, floor_len, floor_free);

/// Releases a value that a lookup returned.
#[unsafe(no_mangle)]
unsafe extern "C" fn peer_value_release(value: *mut c_void) {
    if !value.is_null() {
        // SAFETY: the driver passes a value that a lookup returned, and each only once.
        drop(unsafe { Value::from_raw(value.cast()) });
    }
}
