//! Where the events of one fetch are collected, and from where they are delivered, one at a time and in order (rule F03).

use super::Core;
use super::handle::Fetch;
use super::host::{Receiver, Results};
use super::letter::{FetchEvent, Letter};
use crate::base::PackedKeys;
use crate::base::sync::Mutex;
use crate::runtime::hooks::call_host;
use crate::runtime::mail::{Delivered, Mail, Pulled, Rest};
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

    /// The fetch was not accepted: its user data ends, and nothing else does.
    pub(super) fn discard(&self) {
        let desk = self.held.lock().desk.take();
        drop(desk);
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

    fn end_with(&self, desk: Desk) {
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

/// Ends a fetch when it is dropped: its last event was read.
pub struct End {
    inbox: Arc<Inbox>,
    desk: Option<Desk>,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            self.inbox.end_with(desk);
        }
    }
}

impl Mail for Inbox {
    fn deliver(self: Arc<Self>, most: usize) -> Delivered {
        let _begun = self.core.life.begin();
        let mut count = 0;
        loop {
            let (events, mut desk) = {
                let mut held = self.held.lock();
                if held.desk.as_ref().is_some_and(|desk| !desk.receiver.is_callable()) && !held.events.is_empty() {
                    return Delivered { count, rest: Rest::NoFunction };
                }
                let wanted = held.events.len().min(most - count);
                if wanted == 0 {
                    held.scheduled = !held.events.is_empty();
                    let rest = if held.scheduled { Rest::More } else { Rest::Nothing };
                    return Delivered { count, rest };
                }
                let events: SmallVec<[Event; 1]> =
                    if wanted == held.events.len() { std::mem::take(&mut held.events) } else { held.events.drain(..wanted).collect() };
                (events, held.desk.take())
            };
            for event in events {
                count += 1;
                let Some(present) = &mut desk else { continue };
                if Inbox::tell(present, event)
                    && let Some(done) = desk.take()
                {
                    self.end_with(done);
                }
            }
            if desk.is_some() {
                self.held.lock().desk = desk;
            }
        }
    }

    fn pull(self: Arc<Self>) -> Pulled {
        let mut held = self.held.lock();
        if held.events.is_empty() || held.desk.is_none() {
            held.scheduled = false;
            return Pulled::nothing();
        }
        let event = held.events.remove(0);
        let more = !held.events.is_empty();
        held.scheduled = more;
        let is_last = matches!(&event, Event::Batch(_) | Event::Result { last: true, .. });
        let Some(desk) = held.desk.as_mut() else { return Pulled::nothing() };
        let user_data = desk.receiver.user_data();
        let event = match event {
            Event::Result { index, outcome, last } => {
                FetchEvent::Result { index, key: desk.keys.get(index).unwrap_or_default().to_vec(), outcome, last }
            }
            Event::Batch(batch) => FetchEvent::Results(Results { keys: std::mem::take(&mut desk.keys), batch }),
            Event::Progress { done, failed, total } => FetchEvent::Progress { done, failed, total },
        };
        let desk = if is_last { held.desk.take() } else { None };
        drop(held);
        let end = desk.map(|desk| End { inbox: self.clone(), desk: Some(desk) });
        let letter = Letter::Fetch { core: self.core.clone(), user_data, event, end };
        Pulled { letter: Some(Box::new(letter)), more }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // A queue was freed with its mail inside: the user data ends here, and so does the fetch.
        let desk = self.held.lock().desk.take();
        if let Some(desk) = desk {
            self.end_with(desk);
        }
    }
}
