//! Events that a host takes out of its queue one by one, instead of being called. What an event borrows ends when it is dropped:
//! after the last event of a fetch, so does the user data.

use super::Core;
use super::fetch_events::End;
use super::host::Results;
use super::request::{CancelHook, Ticket};
use crate::cache::Departure;
use crate::task::{Cancel, Outcome};
use std::any::Any;
use std::ffi::c_void;
use std::sync::Arc;

/// One event.
pub enum PolledEvent {
    /// Something of a fetch.
    Fetch {
        /// Whose event it is.
        core: Arc<Core>,
        /// The fetch's.
        user_data: *mut c_void,
        /// What happened.
        event: FetchEvent,
        /// Dropped last: ends the fetch after its last event.
        end: Option<End>,
    },
    /// The provider is asked.
    Request {
        /// Whose event it is.
        core: Arc<Core>,
        /// What it is asked. Dropping it finishes it.
        ticket: Ticket,
    },
    /// A request is no longer wanted.
    Cancel {
        /// Whose event it is.
        core: Arc<Core>,
        /// The hook.
        hook: Box<dyn CancelHook>,
        /// Why it is due.
        why: Cancel,
        /// Dropped last: until then the engine counts it as under way.
        pending: Box<dyn Any>,
    },
    /// A value is no longer in the store.
    Removal {
        /// Whose event it is; `None` for a cache without an engine.
        core: Option<Arc<Core>>,
        /// The listener's.
        user_data: *mut c_void,
        /// What left.
        departure: Departure,
    },
    /// The engine is closed.
    Closed {
        /// Whose event it is.
        core: Arc<Core>,
        /// The listener, as it was given.
        listener: Box<dyn Any>,
    },
}

/// What happened to a fetch.
pub enum FetchEvent {
    /// One position is settled.
    Result {
        /// Its index in the call.
        index: usize,
        /// Its key.
        key: Vec<u8>,
        /// What came of it.
        outcome: Outcome,
        /// Whether nothing more follows.
        last: bool,
    },
    /// All positions are settled.
    Results(Results),
    /// Some more positions are settled.
    Progress {
        /// How many are.
        done: usize,
        /// How many of them failed.
        failed: usize,
        /// How many there are.
        total: usize,
    },
}
