//! Where the events of one fetch are collected, and from where they are delivered, one at a time and in order (rule F03).

use super::Core;
use super::handle::Fetch;
use super::host::{Receiver, Results};
use crate::base::PackedKeys;
use crate::base::sync::Mutex;
use crate::runtime::hooks::call_host;
use crate::runtime::mail::Mail;
use crate::task::{Event, Mailbox as Post};
use smallvec::SmallVec;
use std::sync::Arc;

/// The inbox as the table knows it.
#[derive(Clone)]
pub struct Mailbox(pub(super) Arc<Inbox>);

/// One fetch's events.
pub struct Inbox {
    core: Arc<Core>,
    handle: Option<Arc<Fetch>>,
    /// Whether its receiver runs nothing of the host's, so that it is delivered where its events come up.
    direct: bool,
    held: Mutex<Held>,
}

struct Held {
    events: SmallVec<[Event; 1]>,
    /// Whether somebody is about to deliver, or at it.
    scheduled: bool,
    /// Away while somebody delivers; gone after the last event.
    desk: Option<Desk>,
}

/// What one delivery works with.
struct Desk {
    receiver: Box<dyn Receiver>,
    keys: PackedKeys,
}

impl Inbox {
    pub(super) fn new(core: Arc<Core>, handle: Option<Arc<Fetch>>, direct: bool, receiver: Box<dyn Receiver>) -> Arc<Inbox> {
        let desk = Some(Desk { receiver, keys: PackedKeys::default() });
        Arc::new(Inbox { core, handle, direct, held: Mutex::new(Held { events: SmallVec::new(), scheduled: false, desk }) })
    }

    /// The keys whose positions it tells of. Given once they were asked, before the first delivery can begin.
    pub(super) fn keep_keys(&self, keys: PackedKeys) {
        if let Some(desk) = &mut self.held.lock().desk {
            desk.keys = keys;
        }
    }

    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Tells one event; true if it was the last.
    fn tell(desk: &mut Desk, event: Event) -> bool {
        let Desk { receiver, keys } = desk;
        match event {
            Event::Result { index, outcome, last } => {
                let key = keys.get(index).unwrap_or_default();
                call_host(|| receiver.result(index, key, &outcome, last));
                // Dropped here, where callbacks run: it may be the last reference to the value.
                drop(outcome);
                last
            }
            Event::Batch(batch) => {
                let results = Results { keys: std::mem::take(keys), batch };
                call_host(|| receiver.batch(results));
                true
            }
            Event::Progress { done, failed, total } => {
                call_host(|| receiver.progress(done, failed, total));
                false
            }
        }
    }

    fn end(&self, desk: Desk) {
        // The user data ends here, then who waits for the fetch may go on, then the engine may be closed.
        drop(desk);
        if let Some(handle) = &self.handle {
            handle.end();
        }
        self.core.life.fetch_ends();
        self.core.conclude_if_closing();
    }
}

impl Post for Mailbox {
    fn post(&self, event: Event) -> bool {
        let mut held = self.0.held.lock();
        match (held.events.last_mut(), &event) {
            // Progress may skip: what was not told yet is brought up to date.
            (Some(before @ Event::Progress { .. }), Event::Progress { .. }) => *before = event,
            _ => held.events.push(event),
        }
        !std::mem::replace(&mut held.scheduled, true)
    }

    fn progress(&self, done: usize, failed: usize) {
        if let Some(handle) = &self.0.handle {
            handle.note_progress(done, failed);
        }
    }
}

impl Mail for Inbox {
    fn deliver(self: Arc<Self>, most: usize) -> usize {
        let mut delivered = 0;
        loop {
            let (events, mut desk) = {
                let mut held = self.held.lock();
                let wanted = held.events.len().min(most - delivered);
                if wanted == 0 {
                    // With events left it stays scheduled: who limited the delivery goes on with it.
                    held.scheduled = !held.events.is_empty();
                    return delivered;
                }
                let events: SmallVec<[Event; 1]> =
                    if wanted == held.events.len() { std::mem::take(&mut held.events) } else { held.events.drain(..wanted).collect() };
                (events, held.desk.take())
            };
            for event in events {
                delivered += 1;
                let Some(present) = &mut desk else { continue };
                if Inbox::tell(present, event)
                    && let Some(done) = desk.take()
                {
                    self.end(done);
                }
            }
            if desk.is_some() {
                self.held.lock().desk = desk;
            }
        }
    }
}
