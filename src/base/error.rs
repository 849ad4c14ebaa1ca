//! Errors: one allocation, shared by all waiters, so that each receives the same object (rule F20).

use super::{NoMemory, Object, Status};
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::Duration;

/// A shared, immutable error.
#[derive(Clone)]
pub struct Error(Arc<Body>);

/// The content of an error. A `kvl_error_t *` points at one.
pub struct Body {
    status: Status,
    code: i64,
    message: CString,
    permanent: bool,
    /// The shortest pause before the next attempt, if the provider requested one.
    pause: Option<Duration>,
    forbids_stale: bool,
    object: Option<Object>,
    cause: Option<Error>,
}

impl Error {
    /// Creates an error of the library, with the message of the status.
    pub fn of(status: Status) -> Error {
        let message = status.row().map_or(c"", |row| row.message);
        Error::with_text(status, 0, &message.to_string_lossy())
    }

    /// Creates an error of the library with its own message.
    pub fn with_text(status: Status, code: i64, message: &str) -> Error {
        let message = c_text(message.as_bytes());
        Error(Arc::new(Body { status, code, message, permanent: false, pause: None, forbids_stale: false, object: None, cause: None }))
    }

    /// A copy of this error, with the provider's earlier error as its cause. A cause has no cause itself: if `cause` has one, the copy
    /// gets that one (rule F10b).
    pub fn caused_by(&self, cause: &Error) -> Error {
        let cause = cause.cause().unwrap_or(cause).clone();
        Error(Arc::new(Body {
            status: self.status,
            code: self.code,
            message: self.message.clone(),
            permanent: self.permanent,
            pause: None,
            forbids_stale: self.forbids_stale,
            object: None,
            cause: Some(cause),
        }))
    }

    /// Creates an error of the provider. The message is converted to UTF-8, and ends at its first NUL.
    pub fn of_provider(code: i64, message: &[u8], permanent: bool, object: Option<Object>) -> Error {
        Error::with_message(code, c_text(message), permanent, object)
    }

    /// Like [`Error::of_provider`], but fails if there is no memory for the message.
    pub fn try_of_provider(code: i64, message: &[u8], permanent: bool, object: Option<Object>) -> Result<Error, NoMemory> {
        Ok(Error::with_message(code, try_c_text(message)?, permanent, object))
    }

    fn with_message(code: i64, message: CString, permanent: bool, object: Option<Object>) -> Error {
        Error(Arc::new(Body {
            status: Status::ERR_PROVIDER,
            code,
            message,
            permanent,
            pause: None,
            forbids_stale: false,
            object,
            cause: None,
        }))
    }

    /// Sets the shortest pause before the next attempt. Returns false and changes nothing if there is another reference to the error.
    pub fn set_pause(&mut self, pause: Duration) -> bool {
        let body = Arc::get_mut(&mut self.0);
        body.map(|body| body.pause = Some(pause)).is_some()
    }

    /// Forbids serving a fallback in place of this error (rule R02). Has no effect if there is another reference to the error.
    pub fn forbidding_stale(mut self) -> Error {
        Arc::get_mut(&mut self.0).into_iter().for_each(|body| body.forbids_stale = true);
        self
    }

    /// Whether a retry policy may try again after this error.
    pub fn is_retriable(&self) -> bool {
        !self.0.permanent && self.0.status.is_retriable()
    }

    /// Whether both are the same object. Errors are not compared by content.
    pub fn is(&self, other: &Error) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether dropping the last reference runs host code on the dropping thread.
    pub fn runs_host_code_on_drop(&self) -> bool {
        self.0.object.as_ref().is_some_and(Object::ends_where_dropped) || self.0.cause.as_ref().is_some_and(Error::runs_host_code_on_drop)
    }

    /// Turns the reference into a pointer, for [`Error::from_raw`].
    pub fn into_raw(self) -> *const Body {
        Arc::into_raw(self.0)
    }

    /// The pointer, valid while `self` exists.
    pub fn as_raw(&self) -> *const Body {
        Arc::as_ptr(&self.0)
    }

    /// Turns a pointer into the reference that it was made from.
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
    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The host's error code; 0 for errors of the library.
    pub fn code(&self) -> i64 {
        self.code
    }

    /// The message, in UTF-8.
    pub fn message(&self) -> &CStr {
        &self.message
    }

    /// Whether the provider said that a retry is pointless.
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// Whether the provider stated this error. It is remembered for its key (rule F20), its source is the provider, and a later error of
    /// the library has it as the cause (rule F10b).
    pub fn is_of_provider(&self) -> bool {
        self.status == Status::ERR_PROVIDER
    }

    /// Whether the circuit breaker counts this error of a key against the provider (rule R07). A permanent error is an answer, and the
    /// end of the engine is not the provider's fault.
    pub fn counts_against_provider(&self) -> bool {
        !self.permanent && self.status != Status::ERR_CLOSED
    }

    /// The shortest pause before the next attempt, if the provider requested one.
    pub fn pause(&self) -> Option<Duration> {
        self.pause
    }

    /// The provider's error that led to this one.
    pub fn cause(&self) -> Option<&Error> {
        self.cause.as_ref()
    }

    /// Whether no fallback may be served in place of this error.
    pub fn forbids_stale(&self) -> bool {
        self.forbids_stale
    }

    /// The host's object, if it gave one.
    pub fn object(&self) -> Option<&Object> {
        self.object.as_ref()
    }
}

/// A message up to its first NUL, with invalid UTF-8 replaced.
fn c_text(message: &[u8]) -> CString {
    try_c_text(message).unwrap_or_default()
}

fn try_c_text(message: &[u8]) -> Result<CString, NoMemory> {
    let end = message.iter().position(|byte| *byte == 0).unwrap_or(message.len());
    let parts = || message[..end].utf8_chunks().flat_map(|chunk| [chunk.valid(), if chunk.invalid().is_empty() { "" } else { "\u{FFFD}" }]);
    let mut text = Vec::new();
    // Exactly the needed capacity, with the NUL at the end: otherwise the string would be reallocated.
    text.try_reserve_exact(parts().map(str::len).sum::<usize>() + 1)?;
    parts().for_each(|part| text.extend_from_slice(part.as_bytes()));
    Ok(CString::new(text).unwrap_or_default())
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}({}, {:?})", self.status, self.code, self.message)
    }
}
