//! Caches across the ABI: saving to a file and loading from it (rule S18).

use super::constants::kvl_status_t;
use super::guard::{Caller, guard};
use super::types::{kvl_cache_t, kvl_convert_fn, kvl_error_t, kvl_result_t, kvl_transfer_fn, kvl_transfer_t};
use super::view;
use crate::base::{Answer, Error, Status};
use crate::engine::Core;
use crate::engine::pins::Pin;
use crate::engine::saving::{Progress, Transfer};
use crate::runtime::hooks::call_host;
use std::ffi::{c_char, c_void};
use std::path::Path;

fn transfer_view(transfer: &Transfer, size: usize) -> kvl_transfer_t {
    let Transfer { entries, skipped, total, bytes } = *transfer;
    kvl_transfer_t { struct_size: size, entries, skipped, total, bytes }
}

/// The common arguments of save and load.
struct TransferCall {
    cache: *mut kvl_cache_t,
    path: *const c_char,
    on_progress: kvl_transfer_fn,
    user_data: *mut c_void,
    out: (*mut kvl_transfer_t, usize),
    out_error: *mut *mut kvl_error_t,
}

impl TransferCall {
    /// Reports the progress to the host. Returns whether to continue.
    fn report_progress(&self, done: &Transfer) -> bool {
        let Some(function) = self.on_progress else { return true };
        let view = transfer_view(done, size_of::<kvl_transfer_t>());
        // SAFETY: the caller passed the function for this user data; the view stays valid until it returns.
        call_host(|| unsafe { function(self.user_data, &raw const view) }) == Some(0)
    }

    /// Returns the host's replacement for the value of an entry.
    fn converted(&self, caller: &Caller, convert: kvl_convert_fn, entry: &kvl_result_t) -> Option<Answer> {
        let function = convert?;
        // SAFETY: the caller passed the function for this user data; the view stays valid until it returns.
        let value = call_host(|| unsafe { function(self.user_data, std::ptr::from_ref(entry)) })?;
        caller.take(value).ok()
    }
}

impl Caller {
    /// Saves or loads by `work`, and returns the final progress and the error to the caller.
    fn transfer(
        &self,
        call: &TransferCall,
        work: impl FnOnce(&Core, &Path, &mut Transfer, Progress<'_>) -> Result<(), Error>,
    ) -> Result<Status, Status> {
        let error_place = self.out(call.out_error).ok();
        let mut done = Transfer::default();
        let result = self.prepared(call).and_then(|(core, path)| work(&core, path, &mut done, &mut |done| call.report_progress(done)));
        if let Ok(out) = self.struct_out(call.out.0, call.out.1) {
            let view = transfer_view(&done, out.size());
            out.write(&view);
        }
        result.map(|()| Status::OK).map_err(|error| {
            let status = error.status();
            error_place.map_or(status, |place| place.give(error, status))
        })
    }

    /// Checks the arguments of a save or a load.
    fn prepared<'a>(&'a self, call: &TransferCall) -> Result<(Pin<'a>, &'a Path), Error> {
        let core = self.kept(call.cache).map_err(Error::of)?;
        if !call.out.0.is_null() {
            self.struct_out(call.out.0, call.out.1).map_err(Error::of)?;
        }
        Ok((core, self.path(call.path).map_err(Error::of)?))
    }
}

/// Saves the entries of a cache to a file: keys, values, remaining TTLs, costs, priorities, versions, tags, and the order of
/// eviction.
///
/// Once the file is complete and on the disk, it replaces an older file of that name. If the save fails, the older file is unchanged.
/// Objects are skipped. Entries that are stored, replaced or removed meanwhile may or may not be in the file. The remaining TTL of an entry
/// is measured by the cache's clock when the entry is written, and runs on when the entry is loaded: the time in between is not subtracted,
/// because no clock of the library can measure it. No lock is held while the file is written. This needs memory for one block, and 4 bytes
/// for each entry.
///
/// Until it is complete, the new file is called kvlight-PID-N.tmp, in the same folder. A process that ends meanwhile, because it is killed or
/// the machine fails, leaves that file behind. No later save removes it, since it may be the file of a process that is running. A service
/// therefore saves into a folder of its own, and removes what is called kvlight-*.tmp there when it starts, before it saves.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. If it is a symbolic link, the file that it
///                       points to is replaced. The file is readable by its owner only, even if the older one was not.
/// @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] passed to `on_progress` as its first argument; may be NULL. The library does not free it.
/// @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
/// @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
///                       NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no space, no permission; or the path is that of a folder, a device
///         or a pipe, which stays), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the path names
///         no file, `out_size` has no room for struct_size, a misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed),
///         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
    guard(|| caller.transfer(&TransferCall { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error }, Core::save))
}

/// Loads the entries of a file of kvl_cache_save(), in order of eviction: what would be evicted last comes last. Encoded objects are
/// skipped. The cache that was saved may have had another `cache.policy`.
///
/// A key that has an entry keeps it, because it is younger than the file. Entries are stored like those of a put. If the file has too many
/// entries for the cache, the last ones stay; entries that the validator or the store refuses are skipped. Loads in progress are not
/// overtaken. The file is read block by block, and a block is stored only if it is undamaged: at the first damaged block this fails, and
/// the entries of earlier blocks stay. That detects damage, not forgery: a file that others can write may contain anything, also a block that
/// takes as much memory as the file is long.
///
/// Other processes may have changed records since the file was saved, and no notice of these changes will come any more. So a program that
/// otherwise receives such notices, through a second tier for example, calls kvl_tasks_invalidate() after the load, with KVL_INVALIDATE_F_ALL
/// and KVL_INVALIDATE_F_EXPIRE: the entries then only serve as fallbacks (`stale.ttl_ms`). kvl_redis_attach() does that for what was loaded
/// before.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
/// @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] passed to `on_progress` as its first argument; may be NULL. The library does not free it.
/// @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
/// @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
///                       NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no permission; or the path is that of a folder, a device or a pipe),
///         KVL_ERR_CORRUPT (the file is damaged, or is not a saved cache), KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it
///         has a version that this library does not know), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NULL_POINTER,
///         KVL_ERR_INVALID_ARG (the path names no file, `out_size` has no room for struct_size, a misaligned pointer), KVL_ERR_CLOSED,
///         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
    guard(|| caller.transfer(&TransferCall { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error }, Core::load))
}

/// Saves like kvl_cache_save(), but includes the objects, in the form of the bytes that `encode` returns for them.
///
/// `encode` is called on this thread for each object, under no lock, and not for bytes and nulls. It must return a value of bytes; for NULL
/// or any other value the entry is skipped. To stop the save, return a number other than 0 from `on_progress`.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. If it is a symbolic link, the file that it
///                       points to is replaced. The file is readable by its owner only, even if the older one was not.
/// @param encode         [borrowed] converts objects to bytes; not NULL.
/// @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] passed to both functions as their first argument; may be NULL. The library does not free it.
/// @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
/// @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
///                       NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no space, no permission; or the path is that of a folder, a device
///         or a pipe, which stays), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NO_CALLBACK (`encode` is NULL),
///         KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the path names no file, `out_size` has no room for struct_size, a misaligned
///         pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
        let call = TransferCall { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error };
        caller.transfer(&call, |core, path, done, progress| {
            encode.ok_or(Error::of(Status::ERR_NO_CALLBACK))?;
            core.save_encoded(path, done, progress, &mut |key, value| {
                call.converted(&caller, encode, &view::of_object(key, value)).and_then(Answer::into_value)
            })
        })
    })
}

/// Loads like kvl_cache_load(), but includes the encoded objects, and stores the values that `decode` returns for them.
///
/// `decode` is called on this thread for each value that `encode` of kvl_cache_save_encoded() returned, under no lock, and for no other
/// value. It may return an object, bytes or kvl_value_null(); for NULL the entry is skipped. In `entry`, `value` is NULL, and `data` has
/// the bytes.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
/// @param decode         [borrowed] converts bytes to objects; not NULL.
/// @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
/// @param user_data      [borrowed] passed to both functions as their first argument; may be NULL. The library does not free it.
/// @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
/// @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
/// @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
///                       NULL.
/// @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no permission; or the path is that of a folder, a device or a pipe),
///         KVL_ERR_CORRUPT (the file is damaged, or is not a saved cache), KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it
///         has a version that this library does not know), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NO_CALLBACK (`decode` is
///         NULL), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the path names no file, `out_size` has no room for struct_size, a misaligned
///         pointer), KVL_ERR_CLOSED, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
        let call = TransferCall { cache, path, on_progress, user_data, out: (out_transfer, out_size), out_error };
        caller.transfer(&call, |core, path, done, progress| {
            decode.ok_or(Error::of(Status::ERR_NO_CALLBACK))?;
            core.load_decoded(path, done, progress, &mut |key, bytes| call.converted(&caller, decode, &view::of_bytes(key, bytes)))
        })
    })
}
