//! Errors as callers see them: one allocation, shared by every waiter, so that it is the same object everywhere (rule F20).

use super::{Object, Status};
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::Duration;

/// A shared, immutable error.
#[derive(Clone)]
pub struct Error(Arc<Body>);

/// What an error holds. `kvl_error_t` points at one.
pub struct Body {
    status: Status,
    code: i64,
    message: CString,
    permanent: bool,
    /// How long to wait before the next attempt at least.
    pause: Option<Duration>,
    object: Option<Object>,
    cause: Option<Error>,
}

impl Error {
    /// An error of the library's own.
    pub fn of(status: Status) -> Error {
        let message = status.row().map_or(c"", |row| row.message);
        Error::with_text(status, 0, &message.to_string_lossy())
    }

    /// An error of the library's with a sentence of its own.
    pub fn with_text(status: Status, code: i64, message: &str) -> Error {
        let message = c_text(message.as_bytes());
        Error(Arc::new(Body { status, code, message, permanent: false, pause: None, object: None, cause: None }))
    }

    /// The same error with the reason behind it: what the provider had said before. Causes have none of their own: of one that has, that
    /// is the cause (rule F10b).
    pub fn caused_by(&self, cause: &Error) -> Error {
        let cause = cause.cause().unwrap_or(cause).clone();
        Error(Arc::new(Body {
            status: self.status,
            code: self.code,
            message: self.message.clone(),
            permanent: self.permanent,
            pause: None,
            object: None,
            cause: Some(cause),
        }))
    }

    /// An error of the provider's. `message` is made UTF-8; a NUL in it ends it.
    pub fn of_provider(code: i64, message: &[u8], permanent: bool, object: Option<Object>) -> Error {
        let message = c_text(message);
        Error(Arc::new(Body { status: Status::ERR_PROVIDER, code, message, permanent, pause: None, object, cause: None }))
    }

    /// Says after what pause to try again at the earliest. Only of an error that nobody else holds; else false, and nothing has changed.
    pub fn set_pause(&mut self, pause: Duration) -> bool {
        let body = Arc::get_mut(&mut self.0);
        body.map(|body| body.pause = Some(pause)).is_some()
    }

    /// Whether a retry policy should try again.
    pub fn is_retriable(&self) -> bool {
        !self.0.permanent && self.0.status.is_retriable()
    }

    /// Whether both are one object.
    pub fn is(&self, other: &Error) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether dropping the last reference runs host code on the dropping thread.
    pub fn runs_host_code_on_drop(&self) -> bool {
        self.0.object.as_ref().is_some_and(Object::ends_where_dropped) || self.0.cause.as_ref().is_some_and(Error::runs_host_code_on_drop)
    }

    /// Gives the reference up as a pointer, for [`Error::from_raw`].
    pub fn into_raw(self) -> *const Body {
        Arc::into_raw(self.0)
    }

    /// The pointer, while `self` lives.
    pub fn as_raw(&self) -> *const Body {
        Arc::as_ptr(&self.0)
    }

    /// Takes a reference back.
    ///
    /// # Safety
    /// `raw` came from [`Error::into_raw`], and each such pointer is taken back once.
    pub unsafe fn from_raw(raw: *const Body) -> Error {
        // SAFETY: the caller's promise.
        Error(unsafe { Arc::from_raw(raw) })
    }
}

impl std::ops::Deref for Error {
    type Target = Body;
    fn deref(&self) -> &Body {
        &self.0
    }
}

impl Body {
    /// Why it failed, in the library's vocabulary.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The host's own number; 0 for the library's errors.
    pub fn code(&self) -> i64 {
        self.code
    }

    /// A sentence, UTF-8.
    pub fn message(&self) -> &CStr {
        &self.message
    }

    /// Whether a retry is pointless.
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// How long the provider asks to wait before the next attempt.
    pub fn pause(&self) -> Option<Duration> {
        self.pause
    }

    /// What the provider had failed with before this came of it.
    pub fn cause(&self) -> Option<&Error> {
        self.cause.as_ref()
    }

    /// The host's object, if it gave one.
    pub fn object(&self) -> Option<&Object> {
        self.object.as_ref()
    }
}

fn c_text(message: &[u8]) -> CString {
    let end = message.iter().position(|byte| *byte == 0).unwrap_or(message.len());
    CString::new(String::from_utf8_lossy(&message[..end]).into_owned()).unwrap_or_default()
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}({}, {:?})", self.status, self.code, self.message)
    }
}
