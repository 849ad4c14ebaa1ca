//! The host's callbacks, as the receivers of a fetch's events and as the listener for the close of an engine.

use super::notify::Notify;
use super::options::Progress;
use super::results::ResultsHandle;
use super::types::{kvl_closed_fn, kvl_result_fn, kvl_results_fn, kvl_results_t};
use super::view;
use crate::base::Status;
use crate::engine::Core;
use crate::engine::host::{CloseListener, Receiver, Results};
use crate::task::Outcome;
use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

/// Refuses a call without a function, unless events go to a queue.
pub(super) fn check_callable<F: Copy>(core: &Core, notify: &Notify<Option<F>>) -> Result<(), Status> {
    if core.results_at().needs_function() && notify.function().is_none() { Err(Status::ERR_NO_CALLBACK) } else { Ok(()) }
}

/// Refuses progress that could not be delivered (rule L09b). Calls that wait and refreshes report none.
pub(super) fn check_progress(core: &Core, progress: &Option<Progress>) -> Result<(), Status> {
    let is_silent = progress.as_ref().is_some_and(|progress| progress.function.is_none());
    if core.results_at().needs_function() && is_silent { Err(Status::ERR_NO_CALLBACK) } else { Ok(()) }
}

/// Delivers one fetch's events to the host's function.
pub(super) struct CallbackReceiver<F> {
    pub(super) notify: Notify<F>,
    pub(super) progress: Option<Progress>,
}

impl<F: Copy> CallbackReceiver<F> {
    fn report_progress(&self, done: usize, failed: usize, total: usize) {
        let Some(progress) = self.progress.and_then(|progress| progress.function) else { return };
        // SAFETY: the host passed the function to be called with the fetch's user data.
        self.notify.call(|_, user_data| unsafe { progress(user_data, done, failed, total) });
    }
}

// SAFETY: functions and user data of the host may be used on any thread, one at a time (section USER DATA of the header).
unsafe impl<F> Send for CallbackReceiver<F> {}

impl Receiver for CallbackReceiver<kvl_result_fn> {
    fn result(&mut self, index: usize, key: &[u8], outcome: &Outcome, last: bool) {
        let result = view::of_outcome(index, key, outcome, last);
        // SAFETY: the host passed the function for this user data; the result stays valid until it returns.
        self.notify.function().into_iter().for_each(|callback| unsafe { callback(self.notify.user_data(), &result) });
    }

    fn batch(&mut self, _: Results) {}

    fn progress(&mut self, done: usize, failed: usize, total: usize) {
        self.report_progress(done, failed, total);
    }

    fn is_callable(&self) -> bool {
        self.notify.function().is_some()
    }

    fn user_data(&self) -> *mut c_void {
        self.notify.user_data()
    }

    fn runs_host_code_on_drop(&self) -> bool {
        self.notify.runs_host_code_on_drop()
    }
}

impl Receiver for CallbackReceiver<kvl_results_fn> {
    fn result(&mut self, _: usize, _: &[u8], _: &Outcome, _: bool) {}

    fn batch(&mut self, results: Results) {
        let batch = Arc::new(ResultsHandle::new(results));
        let handle = Arc::as_ptr(&batch).cast_mut().cast::<kvl_results_t>();
        // SAFETY: the host passed the function for this user data; the results stay valid until it returns.
        self.notify.call(|function, user_data| function.into_iter().for_each(|callback| unsafe { callback(user_data, handle) }));
    }

    fn progress(&mut self, done: usize, failed: usize, total: usize) {
        self.report_progress(done, failed, total);
    }

    fn is_callable(&self) -> bool {
        self.notify.function().is_some()
    }

    fn user_data(&self) -> *mut c_void {
        self.notify.user_data()
    }

    fn runs_host_code_on_drop(&self) -> bool {
        self.notify.runs_host_code_on_drop()
    }
}

impl CloseListener for Notify<kvl_closed_fn> {
    fn closed(self: Box<Self>) {
        // SAFETY: the host passed the function for this user data.
        self.call(|function, user_data| function.into_iter().for_each(|callback| unsafe { callback(user_data) }));
    }

    // Without a function, a close is reported only by an event in a queue.
    fn is_callable(&self) -> bool {
        self.function().is_some()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
