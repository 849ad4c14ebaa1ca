//! Events that a host takes out of its queue one by one, instead of being called back. Everything borrowed from an event is valid until the
//! event is dropped. Dropping the last event of a fetch releases the user data of the fetch.

use super::Core;
use super::host::Results;
use super::request::{CancelHook, Ticket};
use super::second_tier::TierTicket;
use crate::cache::Departure;
use crate::task::{Cancel, Outcome};
use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

/// One event.
pub enum PolledEvent {
    /// An event of a fetch.
    Fetch {
        /// The engine.
        core: Arc<Core>,
        /// The user data of the fetch.
        user_data: *mut c_void,
        /// The event.
        event: FetchEvent,
        /// Dropped last: ends the fetch after its last event.
        end: Option<Box<dyn Any>>,
    },
    /// A request for the provider.
    Request {
        /// The engine.
        core: Arc<Core>,
        /// The request. Dropping the ticket finishes it.
        ticket: Ticket,
    },
    /// A request for the second tier.
    SecondTier {
        /// The engine.
        core: Arc<Core>,
        /// The request. Dropping the ticket ends it.
        ticket: TierTicket,
    },
    /// A request is no longer wanted.
    Cancel {
        /// The engine.
        core: Arc<Core>,
        /// The hook.
        hook: Box<dyn CancelHook>,
        /// Why the request is no longer wanted.
        why: Cancel,
        /// Dropped last: until then the engine counts the event as pending.
        pending: Box<dyn Any>,
    },
    /// A value is no longer in the store.
    Removal {
        /// The engine; `None` for a cache without one.
        core: Option<Arc<Core>>,
        /// The user data of the listener.
        user_data: *mut c_void,
        /// The departed value.
        departure: Departure,
    },
    /// The engine is closed.
    Closed {
        /// The engine.
        core: Arc<Core>,
        /// The listener, as the host passed it.
        listener: Box<dyn Any>,
    },
}

/// An event of a fetch.
pub enum FetchEvent {
    /// One position is settled.
    Result {
        /// The index of the position in the call.
        index: usize,
        /// The key of the position.
        key: Vec<u8>,
        /// The outcome of the position.
        outcome: Outcome,
        /// Whether no further event of the fetch follows.
        last: bool,
    },
    /// All positions are settled.
    Results(Results),
    /// Some more positions are settled.
    Progress {
        /// How many positions are settled.
        done: usize,
        /// How many of them failed.
        failed: usize,
        /// How many positions there are.
        total: usize,
    },
}
