//! The host's functions, as the engine sees them. All may be called from any thread; none is called under a lock of the library.

use super::request::Ticket;
use crate::base::{Status, Value};
use crate::cache::Departure;
use crate::task::{BatchOutcome, Outcome};
use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

/// Answers keys.
pub trait Provider: Send + Sync {
    /// Answers the request's keys, now or later, and finishes it, at the latest by dropping it.
    fn provide(&self, request: Ticket);
    /// Whether there is a function to call; if not, requests are for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The provider's user data, which the holder of a request can read; NULL if there is none.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
}

/// Decides which keys are valid.
pub trait Validator: Send + Sync {
    /// Whether `key` is valid.
    fn is_valid(&self, key: &[u8]) -> bool;
}

/// Computes the cost of values.
pub trait CostFunction: Send + Sync {
    /// The cost of `value`, in bytes.
    fn cost(&self, key: &[u8], value: &Value) -> u64;
}

/// Is notified of values that are no longer in the store.
pub trait RemovalListener: Send + Sync {
    /// `departure` has left the store, or was never stored.
    fn removed(&self, departure: &Departure);
    /// Whether there is a function to call; if not, removals are for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The user data.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
}

/// Is notified of the result of each lookup.
pub trait RecordListener: Send + Sync {
    /// VALUE, NULL, MISS or INVALID_KEY.
    fn looked_up(&self, record: Status, key: &[u8]);
}

/// Receives the events of a fetch. It is called, and dropped after the last call, as host code, where callbacks run.
pub trait Receiver: Send {
    /// One position is settled; `last`: nothing more follows.
    fn result(&mut self, index: usize, key: &[u8], outcome: &Outcome, last: bool);
    /// All positions are settled.
    fn batch(&mut self, results: Results);
    /// Some more positions are settled.
    fn progress(&mut self, done: usize, failed: usize, total: usize);
    /// Whether there is a function to call; if not, its events are for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The user data.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
    /// Whether dropping it may run host code.
    fn runs_host_code_on_drop(&self) -> bool {
        true
    }
}

/// Is notified that the engine is closed.
pub trait CloseListener: Send {
    /// The engine is closed.
    fn closed(self: Box<Self>);
    /// Whether there is a function to call; if not, the notice is for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The listener as it was given, for the reader of a queue.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The results of a batch: its keys, and an outcome for each.
#[derive(Debug)]
pub struct Results {
    /// The keys in the order asked.
    pub keys: crate::base::PackedKeys,
    /// Their outcomes, in the same order.
    pub batch: BatchOutcome,
}

/// All functions of a host.
#[derive(Default, Clone)]
#[allow(missing_docs)] // each is explained at its trait
pub struct Hooks {
    pub provider: Option<Arc<dyn Provider>>,
    pub validator: Option<Arc<dyn Validator>>,
    pub cost: Option<Arc<dyn CostFunction>>,
    pub removal: Option<Arc<dyn RemovalListener>>,
    pub record: Option<Arc<dyn RecordListener>>,
}
