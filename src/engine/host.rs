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
    /// What the host gave along, for the request's holder to see; NULL if nothing.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
}

/// Says which keys are asked for in vain.
pub trait Validator: Send + Sync {
    /// Whether `key` can exist.
    fn is_valid(&self, key: &[u8]) -> bool;
}

/// Says what values cost.
pub trait CostFunction: Send + Sync {
    /// What it costs to keep `value`, in bytes.
    fn cost(&self, key: &[u8], value: &Value) -> u64;
}

/// Hears of what is no longer in the store.
pub trait RemovalListener: Send + Sync {
    /// `departure` left, or never got in.
    fn removed(&self, departure: &Departure);
    /// Whether there is a function to call; if not, removals are for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// What the host gave along.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
}

/// Hears how each lookup went.
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
    /// What the host gave along.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
    /// Whether dropping it may run host code.
    fn runs_host_code_on_drop(&self) -> bool {
        true
    }
}

/// Hears that the engine is closed.
pub trait CloseListener: Send {
    /// It is.
    fn closed(self: Box<Self>);
    /// Whether there is a function to call; if not, the news is for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// As it was given, for who takes the news out of a queue.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// What a batch came to: its keys, and an outcome for each.
#[derive(Debug)]
pub struct Results {
    /// The keys in the order asked.
    pub keys: crate::base::PackedKeys,
    /// What came of them.
    pub batch: BatchOutcome,
}

/// All of them.
#[derive(Default, Clone)]
#[allow(missing_docs)] // each is explained at its trait
pub struct Hooks {
    pub provider: Option<Arc<dyn Provider>>,
    pub validator: Option<Arc<dyn Validator>>,
    pub cost: Option<Arc<dyn CostFunction>>,
    pub removal: Option<Arc<dyn RemovalListener>>,
    pub record: Option<Arc<dyn RecordListener>>,
}
