//! The functions of kvlight.h that this library is built on, and a request of the second tier as a value.

use std::ffi::{c_char, c_void};

/// `kvl_status_t`.
pub type Status = i32;
pub const OK: Status = 0;
pub const ERR_NULL_POINTER: Status = -2;
pub const ERR_BAD_VALUE: Status = -4;
pub const ERR_NO_THREAD: Status = -101;
pub const ERR_NO_FD: Status = -102;
pub const ERR_FORKED: Status = -201;
pub const ERR_PANIC: Status = -900;

/// `kvl_slice_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice {
    pub data: *const u8,
    pub len: usize,
}

macro_rules! opaque {
    ($($name:ident;)*) => {$(
        /// A handle of kvlight, used through pointers alone.
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
        }
    )*};
}
opaque! {
    Config;
    Tasks;
    Value;
    Error;
    L2Request;
}

pub type L2Fn = unsafe extern "C" fn(user_data: *mut c_void, request: *mut L2Request);
pub type FreeFn = unsafe extern "C" fn(user_data: *mut c_void);

unsafe extern "C" {
    fn kvl_config_set_l2(
        config: *mut Config,
        abilities: u32,
        function: Option<L2Fn>,
        user_data: *mut c_void,
        user_data_free: Option<FreeFn>,
    ) -> Status;
    fn kvl_l2_request_kind(request: *const L2Request) -> u32;
    fn kvl_l2_request_len(request: *const L2Request) -> usize;
    fn kvl_l2_request_keys(request: *const L2Request) -> *const Slice;
    fn kvl_l2_request_entry(
        request: *const L2Request,
        i: usize,
        out_data: *mut *const u8,
        out_len: *mut usize,
        out_ttl_ms: *mut i64,
        out_token: *mut *const u8,
        out_token_len: *mut usize,
    ) -> Status;
    fn kvl_l2_request_hit(
        request: *mut L2Request,
        i: usize,
        data: *const u8,
        len: usize,
        ttl_left_ms: i64,
        token: *const u8,
        token_len: usize,
    ) -> Status;
    fn kvl_l2_request_miss(request: *mut L2Request, i: usize, token: *const u8, token_len: usize) -> Status;
    fn kvl_l2_request_leased(request: *mut L2Request, i: usize) -> Status;
    fn kvl_l2_request_steals(request: *const L2Request, i: usize) -> u32;
    fn kvl_l2_request_refused(request: *mut L2Request, i: usize) -> Status;
    fn kvl_l2_request_fail(request: *mut L2Request, i: usize) -> Status;
    fn kvl_l2_request_finish(request: *mut L2Request) -> Status;
    fn kvl_l2_request_retain(request: *mut L2Request) -> *mut L2Request;
    fn kvl_l2_request_release(request: *mut L2Request);
    fn kvl_tasks_invalidate(tasks: *mut Tasks, keys: *const Slice, n: usize, flags: u32) -> Status;
    fn kvl_value_new_bytes(data: *const u8, len: usize, out_value: *mut *mut Value) -> Status;
    fn kvl_error_new(code: i64, message: *const c_char, message_len: usize, flags: u32, out_error: *mut *mut Error) -> Status;
}

/// KVL_L2_F_CONDITIONAL and KVL_L2_F_LEASES.
const ABILITIES: u32 = 1 | 2;
/// KVL_INVALIDATE_F_ALL.
const ALL: u32 = 1;
/// KVL_INVALIDATE_F_EXPIRE.
const EXPIRE: u32 = 2;
/// KVL_TTL_NEVER.
const NEVER: i64 = -1;

/// Sets the second tier of a configuration. `free` runs once with `user_data`, even if this fails.
///
/// # Safety
/// `config` is a configuration of kvlight, or null; `serve` and `free` may be called with `user_data` from any thread.
pub unsafe fn set_second_tier(config: *mut Config, serve: L2Fn, user_data: *mut c_void, free: FreeFn) -> Status {
    // SAFETY: as this function's caller promises.
    unsafe { kvl_config_set_l2(config, ABILITIES, Some(serve), user_data, Some(free)) }
}

/// Writes a new value with these bytes.
///
/// # Safety
/// `out` may be written to.
pub unsafe fn new_value(bytes: &[u8], out: *mut *mut Value) -> Status {
    // SAFETY: the bytes are copied; `out` as this function's caller promises.
    unsafe { kvl_value_new_bytes(bytes.as_ptr(), bytes.len(), out) }
}

/// Writes a new error with this text.
///
/// # Safety
/// `out` is null or may be written to.
pub unsafe fn new_error(text: &str, out: *mut *mut Error) {
    if !out.is_null() {
        // SAFETY: the text is copied; `out` as this function's caller promises. Without memory there is no error to write.
        unsafe { kvl_error_new(0, text.as_ptr().cast(), text.len(), 0, out) };
    }
}

/// An engine that is attached: it must not be freed before it is detached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Engine(pub *mut Tasks);

// SAFETY: kvl_tasks_invalidate, the only function that is called with it, may be called from any thread.
unsafe impl Send for Engine {}

impl Engine {
    /// Another process has changed these keys.
    pub fn invalidate(self, keys: &[&[u8]]) {
        let slices: Vec<Slice> = keys.iter().map(|key| Slice { data: key.as_ptr(), len: key.len() }).collect();
        // SAFETY: the engine is attached, so it exists; the slices outlive the call.
        unsafe { kvl_tasks_invalidate(self.0, slices.as_ptr(), slices.len(), 0) };
    }

    /// Another process has changed all keys.
    pub fn invalidate_all(self) {
        // SAFETY: the engine is attached, so it exists.
        unsafe { kvl_tasks_invalidate(self.0, std::ptr::null(), 0, ALL) };
    }

    /// What other processes have changed is unknown.
    pub fn expire_all(self) {
        // SAFETY: the engine is attached, so it exists.
        unsafe { kvl_tasks_invalidate(self.0, std::ptr::null(), 0, ALL | EXPIRE) };
    }
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Read,
    Fill,
    Write,
    Remove,
    Clear,
}

/// An entry to be stored.
pub struct Entry<'a> {
    pub data: &'a [u8],
    /// In milliseconds; `None`: it does not expire.
    pub ttl_ms: Option<u64>,
    pub token: &'a [u8],
}

/// A request of the second tier. If it is dropped before it is finished, all of it has failed.
pub struct Request(*mut L2Request);

// SAFETY: the functions of a retained request may be called from any thread.
unsafe impl Send for Request {}

impl Request {
    /// Retains a request.
    ///
    /// # Safety
    /// `request` is the one that the second tier is called with.
    pub unsafe fn retain(request: *mut L2Request) -> Request {
        // SAFETY: as this function's caller promises.
        Request(unsafe { kvl_l2_request_retain(request) })
    }

    /// What it asks for; `None` for a kind that this library does not know.
    pub fn kind(&self) -> Option<Kind> {
        // SAFETY: the request is retained.
        Some(match unsafe { kvl_l2_request_kind(self.0) } {
            1 => Kind::Read,
            2 => Kind::Fill,
            3 => Kind::Write,
            4 => Kind::Remove,
            5 => Kind::Clear,
            _ => return None,
        })
    }

    /// Its keys.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        // SAFETY: the request is retained; its slices live as long as it does.
        let slices = unsafe {
            let (start, len) = (kvl_l2_request_keys(self.0), kvl_l2_request_len(self.0));
            if start.is_null() { &[][..] } else { std::slice::from_raw_parts(start, len) }
        };
        // SAFETY: as above.
        slices.iter().map(|slice| unsafe { bytes_of(slice.data, slice.len) })
    }

    /// The entry to store under a key.
    pub fn entry(&self, i: usize) -> Option<Entry<'_>> {
        let (mut data, mut len, mut ttl_ms) = (std::ptr::null(), 0, 0);
        let (mut token, mut token_len) = (std::ptr::null(), 0);
        // SAFETY: the request is retained; what it returns lives as long as it does.
        unsafe {
            let status = kvl_l2_request_entry(self.0, i, &mut data, &mut len, &mut ttl_ms, &mut token, &mut token_len);
            (status >= 0).then(|| Entry {
                data: bytes_of(data, len),
                ttl_ms: (ttl_ms != NEVER).then(|| ttl_ms.max(1).cast_unsigned()),
                token: bytes_of(token, token_len),
            })
        }
    }

    /// The key has this entry.
    pub fn hit(&self, i: usize, entry: &[u8], left_ms: Option<u64>, token: &[u8]) {
        let left = left_ms.map_or(NEVER, |left| i64::try_from(left).unwrap_or(i64::MAX));
        // SAFETY: the request is retained; entry and token are copied.
        unsafe { kvl_l2_request_hit(self.0, i, entry.as_ptr(), entry.len(), left, token.as_ptr(), token.len()) };
    }

    /// The key has no entry. With a token it may be filled.
    pub fn miss(&self, i: usize, token: &[u8]) {
        // SAFETY: the request is retained; the token is copied.
        unsafe { kvl_l2_request_miss(self.0, i, token.as_ptr(), token.len()) };
    }

    /// The key has no entry, and another process loads it.
    pub fn leased(&self, i: usize) {
        // SAFETY: the request is retained.
        unsafe { kvl_l2_request_leased(self.0, i) };
    }

    /// Whether the lease of the process that loads the key may be taken over.
    pub fn steals(&self, i: usize) -> bool {
        // SAFETY: the request is retained.
        unsafe { kvl_l2_request_steals(self.0, i) != 0 }
    }

    /// The key was written meanwhile and is not filled.
    pub fn refuse(&self, i: usize) {
        // SAFETY: the request is retained.
        unsafe { kvl_l2_request_refused(self.0, i) };
    }

    /// The key could not be read or written.
    pub fn fail(&self, i: usize) {
        // SAFETY: the request is retained.
        unsafe { kvl_l2_request_fail(self.0, i) };
    }

    /// Everything that was asked is done, but for what was refused or has failed.
    pub fn finish(self) {
        // SAFETY: the request is retained.
        unsafe { kvl_l2_request_finish(self.0) };
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: the request is retained, and not used after this.
        unsafe { kvl_l2_request_release(self.0) };
    }
}

/// # Safety
/// `start` is null, or `len` bytes from there live for 'a.
unsafe fn bytes_of<'a>(start: *const u8, len: usize) -> &'a [u8] {
    // SAFETY: as this function's caller promises.
    if start.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(start, len) } }
}
