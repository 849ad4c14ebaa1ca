//! Caches across the ABI: into a file and out of it (rule S18).

use super::constants::kvl_status_t;
use super::guard::{Caller, guard};
use super::types::{kvl_cache_t, kvl_convert_fn, kvl_error_t, kvl_result_t, kvl_transfer_fn, kvl_transfer_t};
use super::view;
use crate::base::{Answer, Error, Status};
use crate::engine::Core;
use crate::engine::saving::{Progress, Transfer};
use crate::runtime::hooks::call_host;
use std::ffi::{c_char, c_void};
use std::path::Path;

fn shown(transfer: &Transfer, size: usize) -> kvl_transfer_t {
    let Transfer { entries, skipped, total, bytes } = *transfer;
    kvl_transfer_t { struct_size: size, entries, skipped, total, bytes }
}

/// What both directions are asked with.
struct Asked {
    cache: *mut kvl_cache_t,
    path: *const c_char,
    on_progress: kvl_transfer_fn,
    user_data: *mut c_void,
    out: (*mut kvl_transfer_t, usize),
    out_error: *mut *mut kvl_error_t,
}

impl Asked {
    /// Reports the progress to the host. Returns whether to continue.
    fn report_progress(&self, done: &Transfer) -> bool {
        let Some(function) = self.on_progress else { return true };
        let view = shown(done, size_of::<kvl_transfer_t>());
        // SAFETY: the caller gave the function for this user data; what it is shown lives until it returns.
        call_host(|| unsafe { function(self.user_data, &raw const view) }) == Some(0)
    }

    /// What the host puts in place of the value of an entry.
    fn converted(&self, caller: &Caller, convert: kvl_convert_fn, entry: &kvl_result_t) -> Option<Answer> {
        let function = convert?;
        // SAFETY: the caller gave the function for this user data; what it is shown lives until it returns.
        let value = call_host(|| unsafe { function(self.user_data, std::ptr::from_ref(entry)) })?;
        caller.take(value).ok()
    }
}

impl Caller {
    fn transfer(
        &self,
        asked: &Asked,
        work: impl FnOnce(&Core, &Path, &mut Transfer, Progress<'_>) -> Result<(), Error>,
    ) -> Result<Status, Status> {
        let error_place = self.out(asked.out_error).ok();
        let mut done = Transfer::default();
        let went = self.prepared(asked).and_then(|(core, path)| work(&core, path, &mut done, &mut |done| asked.report_progress(done)));
        if let Ok(room) = self.room(asked.out.0, asked.out.1) {
            let view = shown(&done, room.size());
            room.write(&view);
        }
        went.map(|()| Status::OK).map_err(|error| {
            let status = error.status();
            error_place.map_or(status, |place| place.give(error, status))
        })
    }

    fn prepared<'a>(&'a self, asked: &Asked) -> Result<(std::sync::Arc<Core>, &'a Path), Error> {
        let core = self.kept(asked.cache).map_err(Error::of)?;
        if !asked.out.0.is_null() {
            self.room(asked.out.0, asked.out.1).map_err(Error::of)?;
        }
        Ok((core, self.path(asked.path).map_err(Error::of)?))
    }
}

/// Writes the entries of a cache to a file: keys, values, what remains of their TTLs, costs, priorities, and the order of their use.
///
/// The file replaces an older one of that name once it is complete and on the disk; if this fails, the older one is unchanged. Objects are
/// left out. Entries that are stored, replaced or removed meanwhile may or may not be in the file. The rest of a TTL is measured by the
/// cache's clock when its entry is written, and continues when the entry is loaded: the time in between, which no clock of the library can
/// measure, is not subtracted. No lock is held while the file is written; besides a block it takes 4 bytes of memory for each entry.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. Only its owner may read a file that is made.
/// @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] what `on_progress` is given first; may be NULL. The library does not end it.
/// @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
/// @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no room, no right), KVL_ERR_CANCELLED (`on_progress` stopped it),
///         KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even struct_size has room, a misaligned pointer),
///         KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_save(
    cache: *mut kvl_cache_t,
    path: *const c_char,
    on_progress: kvl_transfer_fn,
    user_data: *mut c_void,
    out_transfer: *mut kvl_transfer_t,
    out_size: usize,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.transfer(&Asked { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error }, Core::save))
}

/// Stores the entries of a file of kvl_cache_save(), from the least to the most recently used. What stands for objects is left out.
///
/// A key that has an entry keeps it, since that is younger than the file. Entries are stored as by a put, so that of a file that is too
/// large for the cache the most recently used ones stay; entries that the validator or the store refuses are left out. Loads in progress are
/// not overtaken. The file is read block by block, and a block is stored only if it is undamaged: at the first damaged block this fails, and
/// the entries of earlier blocks stay. That detects damage, not forgery: a file that others can write may contain anything.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
/// @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] what `on_progress` is given first; may be NULL. The library does not end it.
/// @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
/// @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no right), KVL_ERR_CORRUPT (the file is damaged, or is no saved cache),
///         KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it is of a later version), KVL_ERR_CANCELLED (`on_progress`
///         stopped it), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even struct_size has room, a misaligned
///         pointer), KVL_ERR_CLOSED, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_load(
    cache: *mut kvl_cache_t,
    path: *const c_char,
    on_progress: kvl_transfer_fn,
    user_data: *mut c_void,
    out_transfer: *mut kvl_transfer_t,
    out_size: usize,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.transfer(&Asked { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error }, Core::load))
}

/// Saves like kvl_cache_save(), and with the objects: what `encode` returns is written in their place.
///
/// `encode` is called on this thread for each object, under no lock, and not for bytes and nulls. What it returns must be bytes; the entry is
/// left out if it is NULL or something else. To stop, return non-zero from `on_progress`.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. Only its owner may read a file that is made.
/// @param encode         [borrowed] turns objects into bytes; not NULL.
/// @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] what both functions are given first; may be NULL. The library does not end it.
/// @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
/// @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no room, no right), KVL_ERR_CANCELLED (`on_progress` stopped it),
///         KVL_ERR_NO_CALLBACK (`encode` is NULL), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even struct_size
///         has room, a misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_save_encoded(
    cache: *mut kvl_cache_t,
    path: *const c_char,
    encode: kvl_convert_fn,
    on_progress: kvl_transfer_fn,
    user_data: *mut c_void,
    out_transfer: *mut kvl_transfer_t,
    out_size: usize,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let asked = Asked { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error };
        caller.transfer(&asked, |core, path, done, progress| {
            encode.ok_or(Error::of(Status::ERR_NO_CALLBACK))?;
            core.save_encoded(path, done, progress, &mut |key, value| {
                asked.converted(&caller, encode, &view::of_object(key, value)).and_then(Answer::into_value)
            })
        })
    })
}

/// Loads like kvl_cache_load(), and with the objects: what `decode` returns is stored in their place.
///
/// `decode` is called on this thread for each value that `encode` of kvl_cache_save_encoded() returned, under no lock, and not for others. It may
/// return an object, bytes or kvl_value_null(); the entry is left out if it is NULL. In `entry`, `value` is NULL, and `data` has the bytes.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
/// @param decode         [borrowed] turns bytes into objects; not NULL.
/// @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] what both functions are given first; may be NULL. The library does not end it.
/// @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
/// @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no right), KVL_ERR_CORRUPT (the file is damaged, or is no saved cache),
///         KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it is of a later version), KVL_ERR_CANCELLED (`on_progress`
///         stopped it), KVL_ERR_NO_CALLBACK (`decode` is NULL), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even
///         struct_size has room, a misaligned pointer), KVL_ERR_CLOSED, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_load_decoded(
    cache: *mut kvl_cache_t,
    path: *const c_char,
    decode: kvl_convert_fn,
    on_progress: kvl_transfer_fn,
    user_data: *mut c_void,
    out_transfer: *mut kvl_transfer_t,
    out_size: usize,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let asked = Asked { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error };
        caller.transfer(&asked, |core, path, done, progress| {
            decode.ok_or(Error::of(Status::ERR_NO_CALLBACK))?;
            core.load_decoded(path, done, progress, &mut |key, bytes| asked.converted(&caller, decode, &view::of_bytes(key, bytes)))
        })
    })
}
