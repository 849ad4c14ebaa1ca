//! The removal listener's mail: recorded under the shard's lock, so that the departures of one key are told in store order
//! whatever threads caused them (rule S11).
//!
//! One thread delivers at a time. On a bare cache that is whoever caused a departure; if another is at it just then, that one
//! delivers ours too: order comes before place.

use super::Core;
use super::host::RemovalListener;
use super::letter::Letter;
use crate::base::sync::Mutex;
use crate::cache::{Departure, Departures, Outlet};
use crate::runtime::hooks::call_host;
use crate::runtime::mail::{Delivered, Mail, Pulled, Rest};
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

impl Removals {
    /// The next one, or the end of this delivery.
    fn take(&self) -> Option<Departure> {
        let mut post = self.post.lock();
        let first = post.departures.pop_front();
        post.scheduled = first.is_some();
        first
    }
}

impl Mail for Removals {
    fn deliver(&self, most: usize) -> Delivered {
        if !self.listener.is_callable() {
            return Delivered { count: 0, rest: Rest::NoFunction };
        }
        // While mail waits the engine is kept: its listener's user data ends with it.
        let core = self.core.upgrade();
        let _begun = core.as_ref().map(|core| core.life.begin());
        for count in 0..most {
            let Some(departure) = self.take() else { return Delivered::all(count) };
            call_host(|| self.listener.removed(&departure));
            // It may be the last reference to the value.
            call_host(|| drop(departure));
        }
        Delivered { count: most, rest: Rest::More }
    }

    fn pull(self: Arc<Self>) -> Pulled {
        let Some(departure) = self.take() else { return Pulled::nothing() };
        let core = self.core.upgrade().filter(|core| core.is_engine());
        let letter = Letter::Removal { core, user_data: self.listener.user_data(), departure };
        Pulled { letter: Some(Box::new(letter)), more: true }
    }
}
