//! Delivers the outcome of a load to its joiners, the fetches that joined it and that nothing could end earlier: one delivery for all of
//! them.

use super::Core;
use super::host::Receiver;
use super::polled_event::{FetchEvent, PolledEvent};
use crate::base::sync::Mutex;
use crate::base::{BlockDeque, Key};
use crate::runtime::delivery::{Deliverable, DeliveryResult, PullResult, Remainder};
use crate::runtime::hooks::call_host;
use crate::task::{Joined, Outcome, Verdict};
use std::sync::Arc;

/// The receiver of a fetch that joined a load: the table holds nothing else of such a fetch. It counts as pending work from the moment it
/// joins.
pub type Joiner = Box<dyn Receiver>;

/// The outcome of a load, on its way to its joiners. They receive it in the order in which they joined, from one thread at a time.
pub(super) struct JoinedDelivery {
    core: Arc<Core>,
    key: Key,
    outcome: Outcome,
    /// The joiners that have not received it. Taken out during a delivery, so that no host code runs under the lock.
    joiners: Mutex<BlockDeque<Joiner>>,
}

impl JoinedDelivery {
    pub(super) fn new(core: Arc<Core>, joined: Joined<Joiner>) -> Arc<JoinedDelivery> {
        let Joined { key, outcome, joiners } = joined;
        Arc::new(JoinedDelivery { core, key, outcome, joiners: Mutex::new(joiners) })
    }

    /// Calls one joiner, and drops it with its user data.
    fn deliver_to(&self, mut joiner: Joiner) {
        call_host(|| joiner.result(0, &self.key, &self.outcome, true));
        drop_receiver(joiner);
    }
}

fn drop_receiver(receiver: Joiner) {
    if receiver.runs_host_code_on_drop() {
        call_host(|| drop(receiver));
    }
}

impl Core {
    /// Ends the pending work of `count` joiners that have been dropped.
    fn end_joined(&self, count: usize) {
        self.life.end_many(self.routes.results_at(), count);
        self.conclude_if_closing();
    }
}

impl Deliverable for JoinedDelivery {
    fn deliver(self: Arc<Self>, most: usize) -> DeliveryResult {
        let _delivering = self.core.delivering(self.core.routes.results_at());
        let mut joiners = std::mem::take(&mut *self.joiners.lock());
        let mut count = 0;
        let mut is_callable = true;
        while count < most
            && let Some(next) = joiners.front()
        {
            is_callable = next.is_callable();
            if !is_callable {
                break;
            }
            joiners.pop_front().into_iter().for_each(|joiner| self.deliver_to(joiner));
            count += 1;
            // If the callback has freed the queue, the other joiners are dropped with this delivery.
            if self.core.routes.results.as_ref().is_some_and(|queue| queue.is_freed()) {
                break;
            }
        }
        let is_over = joiners.is_empty();
        *self.joiners.lock() = joiners;
        self.core.end_joined(count);
        let remainder = match (is_over, is_callable) {
            (true, _) => {
                // This delivery is dropped here, where callbacks run, and before the guard: it holds the engine, and perhaps the last
                // reference to a value.
                drop(self);
                Remainder::Nothing
            }
            (false, true) => Remainder::More(self),
            (false, false) => Remainder::NoFunction(self),
        };
        DeliveryResult { count, remainder }
    }

    fn pull(self: Arc<Self>) -> PullResult {
        let (joiner, more) = {
            let mut joiners = self.joiners.lock();
            (joiners.pop_front(), !joiners.is_empty())
        };
        let Some(joiner) = joiner else { return PullResult::nothing() };
        let user_data = joiner.user_data();
        let event = FetchEvent::Result { index: 0, key: self.key.to_vec(), outcome: self.outcome.clone(), last: true };
        let end = Some(Box::new(JoinedEnd { core: self.core.clone(), joiner: Some(joiner) }) as _);
        let polled = PolledEvent::Fetch { core: self.core.clone(), user_data, event, end };
        PullResult { event: Some(Box::new(polled)), more }
    }
}

impl Drop for JoinedDelivery {
    fn drop(&mut self) {
        // Joiners are left if a queue was freed with this delivery in it. They are dropped here, with their user data.
        let mut joiners = std::mem::take(self.joiners.get_mut());
        let count = joiners.len();
        std::iter::from_fn(|| joiners.pop_front()).for_each(drop_receiver);
        if self.outcome.runs_host_code_on_drop() {
            let outcome = std::mem::replace(&mut self.outcome, Outcome::bare(Verdict::Miss));
            call_host(|| drop(outcome));
        }
        if count > 0 {
            self.core.end_joined(count);
        }
    }
}

/// Ends the fetch when this guard is dropped, which happens after the fetch's only event was read from a queue.
struct JoinedEnd {
    core: Arc<Core>,
    joiner: Option<Joiner>,
}

impl Drop for JoinedEnd {
    fn drop(&mut self) {
        self.joiner.take().into_iter().for_each(drop_receiver);
        self.core.end_joined(1);
    }
}
