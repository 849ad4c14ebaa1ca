//! The error of a fetch, as a Rust error.

use crate::base::panics::catch_panic;
use crate::base::{Error, Object, Status};
use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

/// The error of a provider.
pub(super) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// The reason why a call or a fetch failed. All callers that waited for one load receive clones of the same error.
#[derive(Clone)]
pub struct FetchError(Error);

/// The kind of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The provider failed; see [`FetchError::provider_error`].
    Provider,
    /// The provider finished without an answer to the key.
    Unanswered,
    /// No answer arrived in time.
    Timeout,
    /// The fetch was cancelled.
    Cancelled,
    /// There was no place in the queue.
    QueueFull,
    /// The circuit breaker is open.
    Unavailable,
    /// The cache or the engine is closed.
    Closed,
    /// The key is longer than 65,535 bytes.
    InvalidKey,
    /// A setting was refused, and the message says which, and which values are accepted; or a term of an entry is out of range.
    BadSetting,
    /// The call would wait where nothing may wait: a blocking call inside the provider or a callback, or a future that is polled inside a
    /// callback of its own engine and has no result yet.
    WouldDeadlock,
    /// The handle was created before a fork, and this is the child: create a new one there.
    Forked,
    /// Any other failure, described by the message.
    Other,
}

impl FetchError {
    pub(super) fn of(status: Status) -> FetchError {
        FetchError(Error::of(status))
    }

    pub(super) fn with_text(status: Status, text: &str) -> FetchError {
        FetchError(Error::with_text(status, 0, text))
    }

    pub(super) fn new(error: Error) -> FetchError {
        FetchError(error)
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self.0.status() {
            Status::ERR_PROVIDER => ErrorKind::Provider,
            Status::ERR_UNANSWERED => ErrorKind::Unanswered,
            Status::ERR_TIMEOUT => ErrorKind::Timeout,
            Status::ERR_CANCELLED => ErrorKind::Cancelled,
            Status::ERR_QUEUE_FULL => ErrorKind::QueueFull,
            Status::ERR_UNAVAILABLE => ErrorKind::Unavailable,
            Status::ERR_CLOSED => ErrorKind::Closed,
            Status::ERR_KEY_TOO_LONG | Status::INVALID_KEY => ErrorKind::InvalidKey,
            Status::ERR_BAD_VALUE | Status::ERR_UNKNOWN_KEY => ErrorKind::BadSetting,
            Status::ERR_REENTRANT => ErrorKind::WouldDeadlock,
            Status::ERR_FORKED => ErrorKind::Forked,
            _ => ErrorKind::Other,
        }
    }

    /// Whether another attempt may succeed.
    pub fn is_retriable(&self) -> bool {
        self.0.is_retriable()
    }

    /// The error with which the provider failed, if it did. For a fetch that ended otherwise, for example by its timeout: the error of its
    /// last failed attempt.
    pub fn provider_error(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        let object = self.0.object().or_else(|| self.0.cause()?.object())?;
        // SAFETY: the errors of a typed engine carry no other objects than those of `of_provider`, and `self` holds this one.
        Some(&**unsafe { &*object.pointer().cast_const().cast::<Cause>() })
    }

    /// Whether both are the same error of the same load.
    pub fn is_same(&self, other: &FetchError) -> bool {
        self.0.is(&other.0)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message().to_string_lossy())
    }
}

impl fmt::Debug for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.provider_error().map(|error| error as _)
    }
}

unsafe extern "C-unwind" fn drop_cause(pointer: *mut c_void) {
    // SAFETY: the pointer came from `Box::into_raw` in `of_provider`, and this runs once for it.
    let cause = unsafe { Box::from_raw(pointer.cast::<Cause>()) };
    let _ = catch_panic(|| drop(cause));
}

/// The error of a provider that panicked, with the text of the panic if its payload is known and is a text.
pub(super) fn of_panic(payload: Option<&(dyn Any + Send)>) -> String {
    let text = payload
        .and_then(|payload| payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str)));
    text.map_or_else(|| "the provider panicked".into(), |text| format!("the provider panicked: {text}"))
}

/// The library's form of a provider's error. If it is `permanent`, the key is not retried.
pub(super) fn of_provider(cause: Cause, permanent: bool) -> Error {
    let text = cause.to_string();
    let object = Object::new(Box::into_raw(Box::new(cause)).cast(), Some(drop_cause));
    Error::of_provider(0, text.as_bytes(), permanent, Some(object))
}
