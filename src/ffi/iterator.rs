//! Iterators across the ABI: all entries of a cache, one after the other (rule S18).

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

/// What an iterator's handle holds. The lock makes a mistaken use from two threads a wait, not a corruption; no lock of the cache's is held
/// between two calls.
pub(crate) struct Iterator {
    cache: CacheRef,
    entries: Mutex<Entries>,
    view: Mutex<Option<(Key, Hit)>>,
}

impl Iterator {
    /// Puts another entry in view, or none. What was there may be the last reference to a value, whose end runs host code: so not
    /// under the lock.
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
    fn born(&self) -> Generation {
        self.cache.born()
    }
}

impl Handle for kvl_iterator_t {
    type Owner = Arc<Iterator>;
}

/// Makes an iterator over the entries of a cache, for one thread.
///
/// It shows each key that has an entry from here to the last call exactly once, and of keys that get or lose theirs meanwhile some. It holds
/// no lock between two calls and a few keys at most, and neither delays nor is disturbed by other threads, nor by what its own thread changes in
/// the cache. The order of the entries is none that says anything.
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

/// Shows the next entry as it is now, until the next call on this iterator, whatever becomes of the entry meanwhile.
///
/// It is no use of the entry and no lookup, and loads nothing. To keep the value, retain it.
///
/// @param iterator   [borrowed] from kvl_iterator_new().
/// @param out_entry  [out] is filled as far as `out_size` goes: key, value (`value`, `data` or `object`), age, time left, cost and status;
///                   what it points at is borrowed until the next call on this iterator. Untouched on KVL_EMPTY.
/// @param out_size   sizeof(kvl_result_t) as the program knows it, in bytes.
/// @return KVL_VALUE, KVL_NULL; KVL_EMPTY (there are no more); KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (not even struct_size has room, a
///         misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_iterator_next(iterator: *mut kvl_iterator_t, out_entry: *mut kvl_result_t, out_size: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        // Kept: the end of the value in view may free the iterator (rule L04a).
        let iterator = caller.share(iterator.cast_const())?;
        let room = caller.room(out_entry, out_size)?;
        iterator.show(None);
        // Taken out meanwhile: a shard in which something panicked is emptied by the next caller, and its values end here.
        let mut entries = std::mem::take(&mut *iterator.entries.lock());
        let next = entries.next(&iterator.cache);
        *iterator.entries.lock() = entries;
        iterator.show(next?);
        let view = iterator.view.lock();
        let Some((key, hit)) = view.as_ref() else { return Ok(Status::EMPTY) };
        let mut entry = view::of_hit(key, hit, &iterator.cache);
        entry.struct_size = room.size();
        let status = Status(entry.status);
        room.write(&entry);
        Ok(status)
    })
}

/// Ends an iterator, lets go of the entry in view, and gives the cache up.
///
/// @param iterator [owned] from kvl_iterator_new(); nothing is done to NULL.
/// @threads one
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_iterator_free(iterator: *mut kvl_iterator_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(iterator));
}
