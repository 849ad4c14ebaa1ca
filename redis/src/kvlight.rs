//! The functions of kvlight.h that this library is built on, and a request of the second tier as a value.

use crate::event::Event;
use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// `kvl_status_t`.
pub type Status = i32;
pub const OK: Status = 0;
pub const ERR_INVALID_ARG: Status = -1;
pub const ERR_NULL_POINTER: Status = -2;
pub const ERR_BAD_VALUE: Status = -4;
pub const ERR_NO_THREAD: Status = -101;
pub const ERR_NO_FD: Status = -102;
pub const ERR_CLOSED: Status = -200;
pub const ERR_FORKED: Status = -201;
pub const ERR_UNAVAILABLE: Status = -305;
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
}

/// Declares functions of kvlight.h, and `kvl_redis_library_t`, which has a pointer to each: a program may contain several copies of
/// kvlight, and a handle belongs to the copy that made it.
macro_rules! library {
    ($($field:ident = $function:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        unsafe extern "C" {
            $(fn $function($($argument: $type),*) $(-> $result)?;)*
        }

        /// `kvl_redis_library_t`.
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct Library {
            struct_size: usize,
            $($field: unsafe extern "C" fn($($argument: $type),*) $(-> $result)?,)*
        }

        /// The functions of the copy that this library is linked with.
        pub const LINKED: Library = Library { struct_size: size_of::<Library>(), $($field: $function,)* };
    };
}
library! {
    l2_request_kind = kvl_l2_request_kind(request: *const L2Request) -> u32;
    l2_request_len = kvl_l2_request_len(request: *const L2Request) -> usize;
    l2_request_keys = kvl_l2_request_keys(request: *const L2Request) -> *const Slice;
    l2_request_entry = kvl_l2_request_entry(
        request: *const L2Request, i: usize, out_data: *mut *const u8, out_len: *mut usize, out_ttl_ms: *mut i64, out_token: *mut *const u8,
        out_token_len: *mut usize
    ) -> Status;
    l2_request_payload = kvl_l2_request_payload(
        request: *const L2Request, i: usize, data: *const u8, len: usize, out_data: *mut *const u8, out_len: *mut usize
    ) -> Status;
    l2_request_hit = kvl_l2_request_hit(
        request: *mut L2Request, i: usize, data: *const u8, len: usize, ttl_left_ms: i64, token: *const u8, token_len: usize
    ) -> Status;
    l2_request_miss = kvl_l2_request_miss(request: *mut L2Request, i: usize, token: *const u8, token_len: usize) -> Status;
    l2_request_leased = kvl_l2_request_leased(request: *mut L2Request, i: usize) -> Status;
    l2_request_steals = kvl_l2_request_steals(request: *const L2Request, i: usize) -> u32;
    l2_request_refused = kvl_l2_request_refused(request: *mut L2Request, i: usize) -> Status;
    l2_request_fail = kvl_l2_request_fail(request: *mut L2Request, i: usize) -> Status;
    l2_request_finish = kvl_l2_request_finish(request: *mut L2Request) -> Status;
    l2_request_retain = kvl_l2_request_retain(request: *mut L2Request) -> *mut L2Request;
    l2_request_release = kvl_l2_request_release(request: *mut L2Request);
    tasks_invalidate = kvl_tasks_invalidate(tasks: *mut Tasks, keys: *const Slice, n: usize, flags: u32) -> Status;
    value_new_bytes = kvl_value_new_bytes(data: *const u8, len: usize, out_value: *mut *mut Value) -> Status;
    error_new = kvl_error_new(code: i64, message: *const c_char, message_len: usize, flags: u32, out_error: *mut *mut Error) -> Status;
}

impl Library {
    /// Copies the functions that a program has passed; for null, those that are linked. `None`: the program passed fewer functions than
    /// this library needs.
    ///
    /// # Safety
    /// `library` is null, or as many bytes as its first field says may be read.
    pub unsafe fn copied(library: *const Library) -> Option<Library> {
        if library.is_null() {
            return Some(LINKED);
        }
        // SAFETY: as this function's caller promises. The pointers are read only if all of them are there.
        unsafe { (library.cast::<usize>().read() >= size_of::<Library>()).then(|| library.read()) }
    }

    /// Writes a new value with these bytes.
    ///
    /// # Safety
    /// `out` may be written to.
    pub unsafe fn new_value(&self, bytes: &[u8], out: *mut *mut Value) -> Status {
        // SAFETY: the bytes are copied; `out` as this function's caller promises.
        unsafe { (self.value_new_bytes)(bytes.as_ptr(), bytes.len(), out) }
    }

    /// Writes a new error with this text.
    ///
    /// # Safety
    /// `out` is null or may be written to.
    pub unsafe fn new_error(&self, text: &str, out: *mut *mut Error) {
        if !out.is_null() {
            // SAFETY: the text is copied; `out` as this function's caller promises. Without memory there is no error to write.
            unsafe { (self.error_new)(0, text.as_ptr().cast(), text.len(), 0, out) };
        }
    }
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

/// An attached engine. The program does not free it before it is detached.
#[derive(Clone, Copy)]
pub struct Engine {
    tasks: *mut Tasks,
    invalidate: unsafe extern "C" fn(*mut Tasks, *const Slice, usize, u32) -> Status,
}

// SAFETY: kvl_tasks_invalidate, the only function that is called with the engine, may be called from any thread.
unsafe impl Send for Engine {}

impl PartialEq for Engine {
    fn eq(&self, other: &Engine) -> bool {
        self.tasks == other.tasks
    }
}

impl Engine {
    /// An engine of the copy of kvlight that `library` belongs to.
    pub fn new(tasks: *mut Tasks, library: &Library) -> Engine {
        Engine { tasks, invalidate: library.tasks_invalidate }
    }

    /// Invalidates these keys, which another process has changed.
    pub fn invalidate(self, keys: &[&[u8]]) {
        let slices: Vec<Slice> = keys.iter().map(|key| Slice { data: key.as_ptr(), len: key.len() }).collect();
        // SAFETY: the engine is attached, so it exists; the slices outlive the call.
        unsafe { (self.invalidate)(self.tasks, slices.as_ptr(), slices.len(), 0) };
    }

    /// Invalidates all keys, which another process has changed.
    pub fn invalidate_all(self) {
        // SAFETY: the engine is attached, so it exists.
        unsafe { (self.invalidate)(self.tasks, std::ptr::null(), 0, ALL) };
    }

    /// Expires all entries, since it is unknown what other processes have changed.
    pub fn expire_all(self) {
        // SAFETY: the engine is attached, so it exists.
        unsafe { (self.invalidate)(self.tasks, std::ptr::null(), 0, ALL | EXPIRE) };
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

/// `kvl_redis_found_t`: the entry of an object that was found. The program decodes the object and answers the key. `data` and `token` are
/// boxes of this library.
#[repr(C)]
pub struct Found {
    index: usize,
    data: *const u8,
    len: usize,
    ttl_left_ms: i64,
    token: *const u8,
    token_len: usize,
}

// SAFETY: it owns the boxes that the pointers point to.
unsafe impl Send for Found {}

impl Found {
    fn new(index: usize, entry: &[u8], ttl_left_ms: i64, token: &[u8]) -> Found {
        let boxed = |bytes: &[u8]| Box::into_raw(Box::<[u8]>::from(bytes)).cast_const().cast();
        Found { index, data: boxed(entry), len: entry.len(), ttl_left_ms, token: boxed(token), token_len: token.len() }
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        for (start, len) in [(self.data, self.len), (self.token, self.token_len)] {
            // SAFETY: `new` has made a box of each.
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start.cast_mut(), len)) });
        }
    }
}

/// What the program that waits for a request receives: the objects that were found, or `None` if the whole request has failed.
pub type Outcome = Option<Vec<Found>>;

/// Where a thread of the program waits for a request, and the objects that were found so far.
struct Caller {
    outcome: Arc<Event<Outcome>>,
    found: RefCell<Vec<Found>>,
}

/// A request of the second tier. If it is dropped before it is finished, all of it has failed.
///
/// | the request came from | it is finished by | objects that were found |
/// |---|---|---|
/// | kvlight, which called the second tier | [`Request::finish`] | there are none: this second tier does not accept objects |
/// | the program, which waits for the outcome | the program, after it has received the outcome | are part of the outcome |
pub struct Request {
    handle: *mut L2Request,
    library: Library,
    caller: Option<Caller>,
}

// SAFETY: the functions of a retained request may be called from any thread.
unsafe impl Send for Request {}

impl Request {
    /// Retains a request that kvlight has called the second tier with.
    ///
    /// # Safety
    /// `request` is the one that the second tier is called with, by this copy of kvlight.
    pub unsafe fn retain(request: *mut L2Request, library: &Library) -> Request {
        // SAFETY: as this function's caller promises.
        Request { handle: unsafe { (library.l2_request_retain)(request) }, library: *library, caller: None }
    }

    /// Retains a request from the program, which waits for the outcome.
    ///
    /// # Safety
    /// `request` is a request of this copy of kvlight.
    pub unsafe fn retain_for(request: *mut L2Request, library: &Library, outcome: Arc<Event<Outcome>>) -> Request {
        let caller = Some(Caller { outcome, found: RefCell::default() });
        // SAFETY: as this function's caller promises.
        Request { handle: unsafe { (library.l2_request_retain)(request) }, library: *library, caller }
    }

    /// The kind of the request; `None`: this library does not know it.
    pub fn kind(&self) -> Option<Kind> {
        // SAFETY: the request is retained.
        Some(match unsafe { (self.library.l2_request_kind)(self.handle) } {
            1 => Kind::Read,
            2 => Kind::Fill,
            3 => Kind::Write,
            4 => Kind::Remove,
            5 => Kind::Clear,
            _ => return None,
        })
    }

    /// The keys of the request.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        // SAFETY: the request is retained; its slices live as long as it does.
        let slices = unsafe {
            let (start, len) = ((self.library.l2_request_keys)(self.handle), (self.library.l2_request_len)(self.handle));
            if start.is_null() { &[][..] } else { std::slice::from_raw_parts(start, len) }
        };
        // SAFETY: as above.
        slices.iter().map(|slice| unsafe { bytes_of(slice.data, slice.len) })
    }

    /// The entry to store under a key. `None`: the value is an object that the program could not encode.
    pub fn entry(&self, i: usize) -> Option<Entry<'_>> {
        let (mut data, mut len, mut ttl_ms) = (std::ptr::null(), 0, 0);
        let (mut token, mut token_len) = (std::ptr::null(), 0);
        // SAFETY: the request is retained; what it returns lives as long as it does.
        unsafe {
            let status = (self.library.l2_request_entry)(self.handle, i, &mut data, &mut len, &mut ttl_ms, &mut token, &mut token_len);
            (status >= 0).then(|| Entry {
                data: bytes_of(data, len),
                ttl_ms: (ttl_ms != NEVER).then(|| ttl_ms.max(1).cast_unsigned()),
                token: bytes_of(token, token_len),
            })
        }
    }

    /// Answers that the key has this entry.
    pub fn hit(&self, i: usize, entry: &[u8], left_ms: Option<u64>, token: &[u8]) {
        let left = left_ms.map_or(NEVER, |left| i64::try_from(left).unwrap_or(i64::MAX));
        if let Some(caller) = &self.caller
            && self.is_of_object(i, entry)
        {
            caller.found.borrow_mut().push(Found::new(i, entry, left, token));
            return;
        }
        // SAFETY: the request is retained; entry and token are copied.
        unsafe { (self.library.l2_request_hit)(self.handle, i, entry.as_ptr(), entry.len(), left, token.as_ptr(), token.len()) };
    }

    /// Whether an entry is that of an object.
    fn is_of_object(&self, i: usize, entry: &[u8]) -> bool {
        let (mut payload, mut len) = (std::ptr::null(), 0);
        // SAFETY: the request is retained; what is written points into the entry, and is not used.
        unsafe { (self.library.l2_request_payload)(self.handle, i, entry.as_ptr(), entry.len(), &mut payload, &mut len) == OK }
    }

    /// Answers that the key has no entry; with a token, that the key may be filled. Returns whether kvlight took the token: it does not if
    /// the answer came too late, or the key is no longer wanted.
    pub fn miss(&self, i: usize, token: &[u8]) -> bool {
        // SAFETY: the request is retained; the token is copied.
        unsafe { (self.library.l2_request_miss)(self.handle, i, token.as_ptr(), token.len()) == OK }
    }

    /// Answers that the key has no entry, and that another process loads it.
    pub fn leased(&self, i: usize) {
        // SAFETY: the request is retained.
        unsafe { (self.library.l2_request_leased)(self.handle, i) };
    }

    /// Whether the lease of the process that loads the key may be taken over.
    pub fn steals(&self, i: usize) -> bool {
        // SAFETY: the request is retained.
        unsafe { (self.library.l2_request_steals)(self.handle, i) != 0 }
    }

    /// Reports that the key was not stored, since it was written meanwhile.
    pub fn refuse(&self, i: usize) {
        // SAFETY: the request is retained.
        unsafe { (self.library.l2_request_refused)(self.handle, i) };
    }

    /// Reports that the key could not be read or written.
    pub fn fail(&self, i: usize) {
        // SAFETY: the request is retained.
        unsafe { (self.library.l2_request_fail)(self.handle, i) };
    }

    /// Reports that everything is done, except for keys that were refused or have failed.
    pub fn finish(self) {
        match &self.caller {
            Some(caller) => caller.outcome.set(Some(caller.found.take())),
            // SAFETY: the request is retained.
            None => unsafe {
                (self.library.l2_request_finish)(self.handle);
            },
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: the request is retained, and not used after this.
        unsafe { (self.library.l2_request_release)(self.handle) };
        if let Some(caller) = &self.caller {
            // If the request was finished, its outcome was set first, and this one is ignored.
            caller.outcome.set(None);
        }
    }
}

/// # Safety
/// `start` is null, or `len` bytes from there live for 'a.
unsafe fn bytes_of<'a>(start: *const u8, len: usize) -> &'a [u8] {
    // SAFETY: as this function's caller promises.
    if start.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(start, len) } }
}
