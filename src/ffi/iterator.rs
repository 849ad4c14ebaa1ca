//! Iterators across the ABI: visit all entries of a cache (rule S18).

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::{Handle, HasGeneration};
use super::types::{kvl_cache_t, kvl_iterator_t, kvl_result_t};
use super::view;
use crate::base::process::Generation;
use crate::base::sync::Mutex;
use crate::base::{Key, Status};
use crate::cache::Hit;
use crate::engine::cache_ref::CacheRef;
use crate::engine::entries::Entries;
use std::sync::Arc;

/// The target of an iterator handle. With the locks, mistaken use from two threads waits instead of corrupting memory. No lock of the cache
/// is held between two calls.
pub(crate) struct Iterator {
    cache: CacheRef,
    entries: Mutex<Entries>,
    view: Mutex<Option<(Key, Hit)>>,
}

impl Iterator {
    /// Sets the view to another entry, or to none. Dropping the previous one may drop the last reference to its value and run host code, so
    /// that is not done under the lock.
    fn show(&self, entry: Option<(Key, Hit)>) {
        let old = std::mem::replace(&mut *self.view.lock(), entry);
        if let Some(value) = old.and_then(|(_, hit)| hit.answer.into_value()) {
            self.cache.release_value(value);
        }
    }
}

impl Drop for Iterator {
    fn drop(&mut self) {
        self.show(None);
    }
}

impl HasGeneration for Iterator {
    fn generation(&self) -> Generation {
        self.cache.generation()
    }
}

impl Handle for kvl_iterator_t {
    type Owner = Arc<Iterator>;
}

/// Creates an iterator over the entries of a cache, for one thread.
///
/// Each key that has an entry from now until the last call is visited exactly once. Keys that get or lose their entry meanwhile may be
/// visited or not. Between two calls the iterator holds no lock, and only a few keys. It does not delay other threads, and may be used
/// while its own thread or others change the cache. The order of the entries is unspecified.
///
/// @param cache         [retained] from kvl_cache_new() or kvl_tasks_cache().
/// @param out_iterator  [out, owned] the iterator: free it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_iterator_new(cache: *mut kvl_cache_t, out_iterator: *mut *mut kvl_iterator_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_iterator)?;
        let iterator = Iterator { cache: caller.share(cache)?, entries: Mutex::default(), view: Mutex::default() };
        Ok(out.give(Arc::new(iterator), Status::OK))
    })
}

/// Returns the next entry as it is now. The entry stays readable until the next call on this iterator, even if it is removed meanwhile.
///
/// Counts neither as a use of the entry nor as a lookup, and loads nothing. To keep the value, retain it.
///
/// @param iterator   [borrowed] from kvl_iterator_new().
/// @param out_entry  [out] the entry, filled up to `out_size` bytes: key, value (`value`, `data` or `object`), age, remaining TTL, cost and
///                   status. Its pointers are borrowed until the next call on this iterator. Untouched on KVL_EMPTY.
/// @param out_size   sizeof(kvl_result_t) as the program was compiled, in bytes.
/// @return KVL_VALUE, KVL_NULL; KVL_EMPTY (there are no more entries); KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`out_size` has no room
///         for struct_size, a misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_iterator_next(iterator: *mut kvl_iterator_t, out_entry: *mut kvl_result_t, out_size: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        // The iterator is kept, because the destructor of the value in view may free it (rule L04a).
        let iterator = caller.share(iterator.cast_const())?;
        let out = caller.struct_out(out_entry, out_size)?;
        iterator.show(None);
        // Taken out of the lock, because `next` may run destructors: it empties a shard in which code panicked.
        let mut entries = std::mem::take(&mut *iterator.entries.lock());
        let next = entries.next(&iterator.cache);
        *iterator.entries.lock() = entries;
        iterator.show(next?);
        let view = iterator.view.lock();
        let Some((key, hit)) = view.as_ref() else { return Ok(Status::EMPTY) };
        let mut entry = view::of_hit(key, hit, &iterator.cache);
        entry.struct_size = out.size();
        let status = Status(entry.status);
        out.write(&entry);
        Ok(status)
    })
}

/// Frees an iterator, and with it the entry in view and the reference to the cache.
///
/// @param iterator [owned] from kvl_iterator_new(); NULL is ignored.
/// @threads one
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_iterator_free(iterator: *mut kvl_iterator_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(iterator));
}
