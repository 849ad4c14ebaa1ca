//! The table of statuses as C sees it: names, messages, and kvl_status_count() with kvl_status_at(), from which bindings create their own
//! table.

use super::constants::kvl_status_t;
use super::guard::guard_or;
use crate::base::Status;
use crate::base::status::TABLE;
use std::ffi::c_char;

/// Returns the name of a status.
///
/// @param status any number.
/// @return a static text such as "KVL_ERR_TIMEOUT", never NULL; "KVL_UNKNOWN" for a number that is no status.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_status_name(status: kvl_status_t) -> *const c_char {
    guard_or(c"KVL_UNKNOWN".as_ptr(), || Status(status).row().map_or(c"KVL_UNKNOWN", |row| row.name).as_ptr())
}

/// Returns a sentence that says what a status means and what to do about it.
///
/// @param status any number.
/// @return a static text in UTF-8, never NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_status_message(status: kvl_status_t) -> *const c_char {
    const NONE: &std::ffi::CStr = c"not a status of this version of the library";
    guard_or(NONE.as_ptr(), || Status(status).row().map_or(NONE, |row| row.message).as_ptr())
}

/// Returns whether the same fetch may succeed when it is retried, so that a retry policy retries it.
///
/// @param status any number.
/// @return 1 if so, else 0.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_status_is_retriable(status: kvl_status_t) -> u32 {
    guard_or(0, || u32::from(Status(status).is_retriable()))
}

/// Returns the number of statuses, for kvl_status_at().
///
/// @return their number, above 0.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_status_count() -> usize {
    guard_or(TABLE.len(), || TABLE.len())
}

/// Returns the status at an index of the table, from which a binding creates its own constants.
///
/// @param i 0 to kvl_status_count() - 1.
/// @return the status; KVL_ERR_OUT_OF_RANGE beyond the last. The table contains that status, too, so compare `i` with kvl_status_count().
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_status_at(i: usize) -> kvl_status_t {
    let beyond = Status::ERR_OUT_OF_RANGE.0;
    guard_or(beyond, || TABLE.get(i).map_or(beyond, |row| row.status.0))
}
