//! The host's functions, as the engine sees them. They may be called on any thread, and never under a lock of the library.

use super::request::Ticket;
use super::second_tier::TierTicket;
use crate::base::{Status, Value};
use crate::cache::Departure;
use crate::task::second_tier::TierAbilities;
use crate::task::{BatchOutcome, Outcome};
use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

/// Answers requests for keys.
pub trait Provider: Send + Sync {
    /// Answers the request's keys, now or later, and finishes the request. Dropping the ticket finishes it too.
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

/// Reads and writes a second tier: a store behind this one, which several processes may share.
pub trait SecondTierStore: Send + Sync {
    /// Serves the request, now or later, and finishes it. Dropping the ticket unfinished fails the keys to write, or those to read that
    /// were not answered.
    fn serve(&self, request: TierTicket);
    /// Whether there is a function to call; if not, requests are for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The user data of the second tier; NULL if there is none.
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

/// Is notified of values that have left the store.
pub trait RemovalListener: Send + Sync {
    /// `departure` has left the store, or was never stored.
    fn removed(&self, departure: &Departure);
    /// Whether there is a function to call; if not, removals are for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The user data of the listener; NULL if there is none.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
}

/// Is notified of the result of each lookup.
pub trait RecordListener: Send + Sync {
    /// Reports a lookup of `key` with VALUE, NULL, MISS or INVALID_KEY.
    fn looked_up(&self, record: Status, key: &[u8]);
}

/// Receives the events of a fetch. Its methods run where callbacks run, and it is dropped there after the last of them.
pub trait Receiver: Send {
    /// Reports that one position is settled. `last`: no event follows.
    fn result(&mut self, index: usize, key: &[u8], outcome: &Outcome, last: bool);
    /// Reports that all positions are settled.
    fn batch(&mut self, results: Results);
    /// Reports that some more positions are settled.
    fn progress(&mut self, done: usize, failed: usize, total: usize);
    /// Whether there is a function to call; if not, the events are for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The user data of the fetch; NULL if there is none.
    fn user_data(&self) -> *mut c_void {
        std::ptr::null_mut()
    }
    /// Whether dropping the receiver may run host code.
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
    /// The listener itself, for the reader of a queue.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The results of a batch: the keys, and an outcome for each.
#[derive(Debug)]
pub struct Results {
    /// The keys, in the order of the call.
    pub keys: crate::base::PackedKeys,
    /// The outcomes of the keys, in the same order.
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
    pub second_tier: Option<(Arc<dyn SecondTierStore>, TierAbilities)>,
}
