//! Collects the events of one fetch and delivers them, one at a time and in order (rule F03).

use super::Core;
use super::fetch_handle::FetchHandle;
use super::host::{Receiver, Results};
use super::lifecycle::CallSite;
use super::polled_event::{FetchEvent, PolledEvent};
use crate::base::sync::Mutex;
use crate::base::{Key, PackedKeys};
use crate::runtime::delivery::{Deliverable, DeliveryResult, PullResult, Remainder};
use crate::runtime::hooks::call_host;
use crate::task::{Event, EventSink, Form};
use std::any::Any;
use std::sync::Arc;

/// The reference to a fetch's events that the table holds.
#[derive(Clone)]
pub struct FetchSink(pub(super) Arc<FetchEvents>);

/// The events of one fetch, and their receiver.
pub struct FetchEvents {
    core: Arc<Core>,
    handle: Option<Arc<FetchHandle>>,
    /// Whether the receiver runs no host code, so that the thread that settles an event delivers it.
    direct: bool,
    pending: Mutex<PendingEvents>,
}

struct PendingEvents {
    events: Events,
    /// Whether a delivery is scheduled or in progress.
    scheduled: bool,
    /// `None` during a delivery, and after the last event.
    recipient: Option<Recipient>,
}

/// Events that are not delivered yet. Their memory is reserved before the fetch is accepted (rule F01).
pub(super) enum Events {
    /// For a fetch that has only one event.
    One(Option<Event>),
    /// Delivered events stay at the front until all are delivered, so that the reserved memory is never freed while events may
    /// follow.
    Many { listed: Vec<Option<Event>>, delivered: usize },
}

impl Events {
    /// Reserves memory for the events of `positions` positions; `None` if there is not enough.
    pub(super) fn try_new(positions: usize, form: Form, progress_step: usize) -> Option<Events> {
        let results = if form == Form::Each { positions } else { 1 };
        // One for each step, and one at the end.
        let progress = positions.checked_div(progress_step).map_or(0, |steps| steps + 1);
        let count = results.checked_add(progress)?;
        if count <= 1 {
            return Some(Events::One(None));
        }
        let mut listed = Vec::new();
        listed.try_reserve_exact(count).ok()?;
        Some(Events::Many { listed, delivered: 0 })
    }

    fn push(&mut self, event: Event) {
        match self {
            Events::One(slot) => *slot = Some(event),
            Events::Many { listed, .. } => match (listed.last_mut(), &event) {
                // Progress may skip steps: a progress event that is not delivered yet is replaced.
                (Some(before @ Some(Event::Progress { .. })), Event::Progress { .. }) => *before = Some(event),
                _ => listed.push(Some(event)),
            },
        }
    }

    #[inline]
    fn take(&mut self) -> Option<Event> {
        match self {
            Events::One(event) => event.take(),
            Events::Many { listed, delivered } => {
                let event = listed.get_mut(*delivered)?.take();
                *delivered += 1;
                if *delivered == listed.len() {
                    listed.clear();
                    *delivered = 0;
                }
                event
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Events::One(event) => event.is_none(),
            Events::Many { listed, .. } => listed.is_empty(),
        }
    }
}

/// The parts of a fetch that one delivery needs.
pub(super) struct Recipient {
    receiver: Box<dyn Receiver>,
    keys: EventKeys,
}

/// The keys of the positions whose results are delivered.
pub(super) enum EventKeys {
    /// The key of a fetch of one key. Only a running callback sees it, so it may move at any other time.
    One(Key),
    /// Results point into these keys, so they are never moved or copied.
    Many(PackedKeys),
}

impl EventKeys {
    fn get(&self, index: usize) -> &[u8] {
        match self {
            EventKeys::One(key) => key,
            EventKeys::Many(keys) => keys.get(index).unwrap_or_default(),
        }
    }

    fn take(&mut self) -> PackedKeys {
        let mut packed = PackedKeys::default();
        match self {
            EventKeys::One(key) => packed.push(key),
            EventKeys::Many(keys) => packed = std::mem::take(keys),
        }
        packed
    }
}

impl FetchEvents {
    /// Creates the events of a fetch; the memory of `events` is reserved.
    pub(super) fn new(
        core: Arc<Core>,
        handle: Option<Arc<FetchHandle>>,
        direct: bool,
        events: Events,
        receiver: Box<dyn Receiver>,
        keys: EventKeys,
    ) -> Arc<FetchEvents> {
        let recipient = Some(Recipient { receiver, keys });
        let held = PendingEvents { events, scheduled: false, recipient };
        Arc::new(FetchEvents { core, handle, direct, pending: Mutex::new(held) })
    }

    /// Holds deliveries back until [`FetchEvents::release`]. Called before other threads can see the fetch.
    pub(super) fn hold_back(&self) {
        self.pending.lock().scheduled = true;
    }

    /// Lets deliveries begin; true if one must be scheduled now. Called under the table's lock, like the posting of events.
    #[must_use]
    pub(super) fn release(&self) -> bool {
        let mut held = self.pending.lock();
        held.scheduled = !held.events.is_empty();
        held.scheduled
    }

    /// Stores the keys of a fetch of several keys, once the table has them and before the first delivery can begin.
    pub(super) fn keep_keys(&self, keys: PackedKeys) {
        if let Some(recipient) = &mut self.pending.lock().recipient {
            recipient.keys = EventKeys::Many(keys);
        }
    }

    /// Takes the recipient of a fetch that was not accepted: nothing is delivered, and dropping the recipient releases the user data.
    #[must_use]
    pub(super) fn withdraw(&self) -> Option<Recipient> {
        self.pending.lock().recipient.take()
    }

    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Where the events are delivered. Direct ones are delivered by the thread that settles them.
    pub(super) fn site(&self) -> CallSite {
        if self.direct { CallSite::Threads } else { self.core.routes.results_at() }
    }

    /// Delivers one event; true if it was the last.
    fn deliver_event(recipient: &mut Recipient, event: Event) -> bool {
        let Recipient { receiver, keys } = recipient;
        match event {
            Event::Result { index, outcome, last } => {
                let key = keys.get(index);
                call_host(|| receiver.result(index, key, &outcome, last));
                // The outcome is dropped here, where callbacks run: it may have the last reference to the value.
                if outcome.runs_host_code_on_drop() {
                    call_host(|| drop(outcome));
                }
                last
            }
            Event::Batch(batch) => {
                let results = Results { keys: keys.take(), batch };
                call_host(|| receiver.batch(results));
                true
            }
            Event::Progress { done, failed, total } => {
                call_host(|| receiver.progress(done, failed, total));
                false
            }
        }
    }

    fn end_with(&self, recipient: Recipient) {
        // The order matters: the user data is released first, then waiting threads may continue, then the engine may be closed. The context
        // too is dropped before waiting threads continue, except with direct events, whose thread may run no host code.
        if recipient.receiver.runs_host_code_on_drop() {
            call_host(|| drop(recipient));
        } else {
            drop(recipient);
        }
        if let Some(context) = self.handle.as_ref().and_then(|handle| handle.end()) {
            if self.direct { self.core.drop_context(context) } else { drop(context) }
        }
        self.core.life.end_one(self.site());
        self.core.conclude_if_closing();
    }
}

impl EventSink for FetchSink {
    fn post(&self, event: Event) -> bool {
        let mut held = self.0.pending.lock();
        held.events.push(event);
        !std::mem::replace(&mut held.scheduled, true)
    }

    fn progress(&self, done: usize, failed: usize) {
        if let Some(handle) = &self.0.handle {
            handle.note_progress(done, failed);
        }
    }
}

/// Ends the fetch when this guard is dropped, which happens after the fetch's last event was read from a queue.
struct LastEventGuard {
    fetch_events: Arc<FetchEvents>,
    recipient: Option<Recipient>,
}

impl Drop for LastEventGuard {
    fn drop(&mut self) {
        if let Some(recipient) = self.recipient.take() {
            self.fetch_events.end_with(recipient);
        }
    }
}

/// Why a delivery stopped.
enum StopReason {
    Nothing,
    More,
    NoFunction,
}

impl FetchEvents {
    /// Delivers at most `most` events, and returns how many.
    fn deliver_some(&self, most: usize) -> (usize, StopReason) {
        let mut count = 0;
        loop {
            let (event, recipient) = {
                let mut held = self.pending.lock();
                held.scheduled = !held.events.is_empty();
                if !held.scheduled {
                    return (count, StopReason::Nothing);
                }
                if held.recipient.as_ref().is_some_and(|recipient| !recipient.receiver.is_callable()) {
                    return (count, StopReason::NoFunction);
                }
                if count == most {
                    return (count, StopReason::More);
                }
                (held.events.take(), held.recipient.take())
            };
            count += 1;
            // Without a recipient the fetch has ended, or was never accepted because its table panicked.
            let (Some(event), Some(mut recipient)) = (event, recipient) else { continue };
            if FetchEvents::deliver_event(&mut recipient, event) {
                self.end_with(recipient);
                return (count, StopReason::Nothing);
            }
            self.pending.lock().recipient = Some(recipient);
        }
    }
}

impl Deliverable for FetchEvents {
    fn deliver(self: Arc<Self>, most: usize) -> DeliveryResult {
        let _delivering = self.core.delivering(self.site());
        let (count, left) = self.deliver_some(most);
        let rest = match left {
            StopReason::More => Remainder::More(self),
            StopReason::NoFunction => Remainder::NoFunction(self),
            StopReason::Nothing => {
                drop(self);
                Remainder::Nothing
            }
        };
        DeliveryResult { count, remainder: rest }
    }

    fn pull(self: Arc<Self>) -> PullResult {
        let mut held = self.pending.lock();
        let event = if held.recipient.is_some() { held.events.take() } else { None };
        let Some(event) = event else {
            held.scheduled = false;
            return PullResult::nothing();
        };
        let more = !held.events.is_empty();
        held.scheduled = more;
        let is_last = matches!(&event, Event::Batch(_) | Event::Result { last: true, .. });
        let Some(recipient) = held.recipient.as_mut() else { return PullResult::nothing() };
        let user_data = recipient.receiver.user_data();
        let event = match event {
            Event::Result { index, outcome, last } => FetchEvent::Result { index, key: recipient.keys.get(index).to_vec(), outcome, last },
            Event::Batch(batch) => FetchEvent::Results(Results { keys: recipient.keys.take(), batch }),
            Event::Progress { done, failed, total } => FetchEvent::Progress { done, failed, total },
        };
        let recipient = if is_last { held.recipient.take() } else { None };
        drop(held);
        let end =
            recipient.map(|recipient| Box::new(LastEventGuard { fetch_events: self.clone(), recipient: Some(recipient) }) as Box<dyn Any>);
        let polled = PolledEvent::Fetch { core: self.core.clone(), user_data, event, end };
        PullResult { event: Some(Box::new(polled)), more }
    }
}

impl Drop for FetchEvents {
    fn drop(&mut self) {
        // A queue was freed with this delivery in it: releases the user data and ends the fetch.
        let recipient = self.pending.get_mut().recipient.take();
        if let Some(recipient) = recipient {
            self.end_with(recipient);
        }
    }
}
