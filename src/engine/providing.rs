//! Requests on their way to the host's provider: on library threads, or through the host's queue (rules F12, L02).

use super::lifecycle::{CallSite, Lease, PendingCount};
use super::polled_event::PolledEvent;
use super::request::{ProviderRequest, Ticket};
use super::{Core, Threads};
use crate::base::panics::catch_panic;
use crate::base::sync::{Mutex, linger};
use crate::base::{Error, Now, Status};
use crate::runtime::delivery::{self, Deliverable, DeliveryResult, PullResult};
use crate::runtime::hooks::call_host;
use crate::runtime::provider_pool::Job;
use crate::task::{RequestId, TakeResult, Unanswered};
use std::collections::VecDeque;
use std::sync::Arc;

/// Requests that no thread has taken to the provider yet, and the threads that are on their way to them.
///
/// There is a thread for each request: `summoned >= tickets.len()` whenever the lock is free. But a thread that comes back from
/// the host takes what is there, and is faster than one that has yet to wake up; so a thread may find nothing. Then it lingers,
/// and counts as summoned while it does.
#[derive(Default)]
pub(super) struct ReadyRequests {
    tickets: VecDeque<Ticket>,
    summoned: usize,
    /// Those for which the system refused a thread, until they have failed.
    refused: VecDeque<Ticket>,
    /// Whether somebody fails them.
    failing: bool,
}

impl ReadyRequests {
    /// A thread that was summoned will not come. Whether the caller is to fail what lacks one.
    fn refuse(&mut self) -> bool {
        self.summoned -= 1;
        // None does if a thread that came back has taken one meanwhile.
        if self.tickets.len() > self.summoned {
            self.refused.extend(self.tickets.pop_back());
        }
        !self.refused.is_empty() && !std::mem::replace(&mut self.failing, true)
    }

    /// The next request to fail, for the caller that [`ReadyRequests::refuse`] chose.
    fn next_refused(&mut self) -> Option<Ticket> {
        let next = self.refused.pop_front();
        self.failing = next.is_some();
        next
    }
}

impl Core {
    pub(super) fn hand_to_provider(&self, request: Arc<ProviderRequest>) {
        if let Some(queue) = &self.routes.provider {
            return queue.send(RequestDelivery::new(self.me(), request));
        }
        let ticket = Ticket::new(request);
        {
            let mut ready = self.ready.lock();
            ready.tickets.push_back(ticket);
            if ready.summoned >= ready.tickets.len() {
                return;
            }
            ready.summoned += 1;
        }
        // Threads of its own are joined.
        let lease = matches!(self.threads, Threads::Shared(_)).then(|| self.life.lease());
        let summons = Box::new(ProviderJob { core: self.me(), _lease: lease });
        match self.runtime() {
            Some(runtime) => runtime.run(self.settings.tasks.stack_bytes, summons),
            None => summons.refused(),
        }
    }

    /// Fails requests for which there is no thread. The next one may lack a thread likewise, so that this comes here again: then it is
    /// left to who is at it, instead of on the stack of the one before.
    fn fail_refused(&self) {
        let next = || self.ready.lock().next_refused();
        while let Some(ticket) = next() {
            let _ = catch_panic(|| ticket.finish(Unanswered::Failed(Error::of(Status::ERR_NO_THREAD))));
            drop(ticket);
            self.life.end_one(CallSite::Threads);
        }
        self.conclude_if_closing();
    }

    /// What a summoned thread does.
    fn provide_ready(&self) {
        let mut next = self.next_ready();
        while let Some(ticket) = next.take() {
            let id = ticket.id();
            // A panic of the library must neither be printed nor keep the engine from ending.
            if self.removals.is_over() {
                // Before the call: when it returns, its slot may have been given to another request long ago.
                let _ = catch_panic(|| self.throttle_writer_now(ticket.keys().len()));
            }
            let _ = catch_panic(|| self.provide(ticket));
            let _ = catch_panic(|| {
                self.with_table_handing(
                    |table, turn| table.request_returned(id, turn),
                    |request| {
                        // One of them needs no other thread: this one is back.
                        if next.is_none() {
                            next = Some(Ticket::new(request));
                        } else {
                            self.hand_to_provider(request);
                        }
                    },
                )
            });
            self.life.end_one(CallSite::Threads);
            self.conclude_if_closing();
            if next.is_none() {
                self.ready.lock().summoned += 1;
                next = self.next_ready();
            }
        }
    }

    /// What a summoned thread takes, which then counts as summoned no more.
    fn next_ready(&self) -> Option<Ticket> {
        let take = |gives_up: bool| {
            let mut ready = self.ready.lock();
            let ticket = ready.tickets.pop_front();
            ready.summoned -= usize::from(ticket.is_some() || gives_up);
            ticket
        };
        linger(|| take(false)).or_else(|| take(true))
    }

    /// Calls the provider, unless nobody wants its answer any more.
    fn provide(&self, ticket: Ticket) -> bool {
        let runs = self.take_request(ticket.id()) == TakeResult::Run;
        match &self.hooks.provider {
            // Whatever the host does with the ticket: when the last of it goes, what was not answered is finished.
            Some(provider) if runs => {
                call_host(|| provider.provide(ticket));
            }
            _ => drop(ticket),
        }
        runs
    }

    fn take_request(&self, id: RequestId) -> TakeResult {
        let now = Now::of(&self.clock);
        let table = self.table.as_ref().expect("requests are an engine's");
        let (taken, due) = {
            let mut table = table.lock();
            (table.take_request(id, &now), table.next_due())
        };
        self.table_due(due);
        taken
    }

    fn request_returned(&self, id: RequestId) {
        let _ = catch_panic(|| self.with_table(|table, turn| table.request_returned(id, turn)));
    }
}

/// What brings a thread to the requests that are ready.
struct ProviderJob {
    core: Arc<Core>,
    /// Dropped after the engine.
    _lease: Option<Lease>,
}

impl Job for ProviderJob {
    fn run(self: Box<Self>) {
        self.core.provide_ready();
    }

    fn refused(self: Box<Self>) {
        if self.core.ready.lock().refuse() {
            self.core.fail_refused();
        }
    }
}

/// A request on its way through the program's queue. It is taken out of it once: by who reads the queue, or back again.
pub(super) struct RequestDelivery(Mutex<Option<Waiting>>);

/// In the order in which they are dropped.
struct Waiting {
    ticket: Ticket,
    core: Arc<Core>,
    pending: PendingCount,
}

impl RequestDelivery {
    fn new(core: Arc<Core>, request: Arc<ProviderRequest>) -> Arc<RequestDelivery> {
        let pending = PendingCount::begun(core.clone(), CallSite::Queue);
        let waiting = Waiting { ticket: Ticket::new(request.clone()), core, pending };
        let item = Arc::new(RequestDelivery(Mutex::new(Some(waiting))));
        request.wait_by(&item);
        item
    }

    fn take(&self) -> Option<Waiting> {
        self.0.lock().take()
    }

    /// Nobody wants it any more: it gives its slot back without waiting for who reads the queue.
    pub(super) fn take_back(&self) {
        let Some(Waiting { ticket, core, pending }) = self.take() else { return };
        let id = ticket.id();
        let _ = catch_panic(|| ticket.finish(Unanswered::Failed(Error::of(Status::ERR_CANCELLED))));
        core.request_returned(id);
        // The contexts that it carries end where callbacks run.
        core.send_drop(ticket);
        drop(pending);
    }
}

impl Deliverable for RequestDelivery {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let waiting = {
            let mut held = self.0.lock();
            let is_callable = |waiting: &Waiting| waiting.core.hooks.provider.as_ref().is_some_and(|provider| provider.is_callable());
            if held.as_ref().is_some_and(|waiting| !is_callable(waiting)) {
                drop(held);
                return DeliveryResult { count: 0, remainder: delivery::Remainder::NoFunction(self) };
            }
            held.take()
        };
        let Some(Waiting { ticket, core, pending }) = waiting else { return DeliveryResult::all(0) };
        let _delivering = core.delivering(CallSite::Queue);
        let id = ticket.id();
        let ran = core.provide(ticket);
        core.request_returned(id);
        drop((core, pending));
        DeliveryResult::all(usize::from(ran))
    }

    /// Who takes requests out answers when it likes: nothing is out that could come back.
    fn pull(self: Arc<Self>) -> PullResult {
        let Some(Waiting { ticket, core, pending }) = self.take() else { return PullResult::nothing() };
        if core.take_request(ticket.id()) == TakeResult::Skip {
            drop((ticket, core, pending));
            return PullResult::nothing();
        }
        core.request_returned(ticket.id());
        drop(pending);
        PullResult { event: Some(Box::new(PolledEvent::Request { core, ticket })), more: false }
    }
}
