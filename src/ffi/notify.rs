//! User data: a callback of the host, its argument, and the function that frees the argument (section USER DATA of the header).
//!
//! Dropping a [`Notify`] frees the user data once, as host code. An export creates one before it checks anything, so that the user data is
//! freed whatever the export returns.

use super::types::kvl_free_fn;
use crate::base::Object;
use crate::base::process::calling_host;
use std::ffi::c_void;

/// A callback with its user data. `F` is a callback type of the header. The callback may be NULL if its events are read from a queue.
pub(crate) struct Notify<F> {
    function: F,
    user_data: Object,
}

impl<F: Copy> Notify<F> {
    /// Takes over the function, the user data and its destructor.
    pub(crate) fn new(function: F, user_data: *mut c_void, user_data_free: kvl_free_fn) -> Notify<F> {
        Notify { function, user_data: Object::new(user_data, user_data_free) }
    }

    /// The function.
    pub(crate) fn function(&self) -> F {
        self.function
    }

    /// The user data.
    pub(crate) fn user_data(&self) -> *mut c_void {
        self.user_data.pointer()
    }

    /// Whether dropping the user data runs a host function.
    pub(crate) fn runs_host_code_on_drop(&self) -> bool {
        self.user_data.ends_where_dropped()
    }

    /// Runs `call`, which calls the function with the user data, and marks it as host code.
    pub(crate) fn call<R>(&self, call: impl FnOnce(F, *mut c_void) -> R) -> R {
        calling_host(|| self.call_within(call))
    }

    /// Like [`Notify::call`], for code that already counts as host code, because the engine runs it through `call_host`.
    #[inline(always)]
    pub(crate) fn call_within<R>(&self, call: impl FnOnce(F, *mut c_void) -> R) -> R {
        call(self.function, self.user_data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::process::must_not_wait;
    use crate::ffi::types::kvl_closed_fn;
    use std::sync::atomic::{AtomicU32, Ordering};

    unsafe extern "C-unwind" fn count(user_data: *mut c_void) {
        assert!(must_not_wait(), "the destructor runs as host code");
        // SAFETY: the test passes a counter that outlives its `Notify`.
        unsafe { (*user_data.cast::<AtomicU32>()).fetch_add(1, Ordering::Relaxed) };
    }

    #[test]
    fn l04_user_data_is_freed_once_and_calls_count_as_callbacks() {
        let calls = AtomicU32::new(0);
        let user_data = std::ptr::from_ref(&calls).cast_mut().cast();
        let notify = Notify::<kvl_closed_fn>::new(Some(count), user_data, Some(count));
        // SAFETY: the function was given for this user data.
        notify.call(|function, user_data| unsafe { function.expect("given above")(user_data) });
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        drop(notify);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }
}
