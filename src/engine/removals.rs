//! The removal listener's mail: recorded under the shard's lock, so that the departures of one key are told in store order
//! whatever threads caused them (rule S11).
//!
//! One thread delivers at a time. On a bare cache that is whoever caused a departure; if another is at it just then, that one
//! delivers ours too: order comes before place.

use super::Core;
use super::host::RemovalListener;
use crate::base::sync::Mutex;
use crate::cache::{Departure, Departures, Outlet};
use crate::runtime::hooks::call_host;
use crate::runtime::mail::Mail;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// Departures on their way to the listener.
pub(super) struct Removals {
    listener: Arc<dyn RemovalListener>,
    core: Weak<Core>,
    post: Mutex<Post>,
}

#[derive(Default)]
struct Post {
    departures: VecDeque<Departure>,
    scheduled: bool,
    /// After the end of the engine nobody listens.
    silent: bool,
}

impl Removals {
    pub(super) fn new(listener: Arc<dyn RemovalListener>, core: Weak<Core>) -> Removals {
        Removals { listener, core, post: Mutex::default() }
    }

    /// Whether there is mail that nobody delivers yet; then the caller does.
    pub(super) fn schedule(&self) -> bool {
        let mut post = self.post.lock();
        !post.departures.is_empty() && !std::mem::replace(&mut post.scheduled, true)
    }

    /// Records nothing any more.
    pub(super) fn silence(&self) {
        self.post.lock().silent = true;
    }
}

impl Outlet for Removals {
    fn record(&self, departures: &mut Departures) {
        let mut post = self.post.lock();
        if !post.silent {
            post.departures.extend(departures.drain(..));
        }
    }
}

impl Mail for Removals {
    fn deliver(self: Arc<Self>, most: usize) -> usize {
        // While mail waits the engine is kept: its listener's user data ends with it.
        let _core = self.core.upgrade();
        let mut delivered = 0;
        while delivered < most {
            let departure = {
                let mut post = self.post.lock();
                let first = post.departures.pop_front();
                post.scheduled = first.is_some();
                first
            };
            let Some(departure) = departure else { break };
            call_host(|| self.listener.removed(&departure));
            delivered += 1;
        }
        delivered
    }
}
