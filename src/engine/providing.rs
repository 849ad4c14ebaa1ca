//! How requests reach the host's provider: on library threads, or through the host's queue (rules F12, L02).

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

/// Requests that no thread has taken to the provider yet, and the number of threads that were summoned for them.
///
/// `summoned >= tickets.len()` whenever the lock is free, so that there is a thread for each request. A thread that returns from the
/// provider takes the next request, sooner than a thread that still has to wake up. So a summoned thread may find no request; then it
/// lingers, and still counts as summoned.
#[derive(Default)]
pub(super) struct ReadyRequests {
    tickets: VecDeque<Ticket>,
    summoned: usize,
    /// Requests for which the system refused a thread, until they have been failed.
    refused: VecDeque<Ticket>,
    /// Whether a thread is failing the refused requests.
    failing: bool,
}

impl ReadyRequests {
    /// Records that a summoned thread was refused. Returns whether the caller must fail the requests that lack a thread.
    fn refuse(&mut self) -> bool {
        self.summoned -= 1;
        // A thread that returned from the provider may have taken a request meanwhile; then none lacks a thread.
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
            let mut ready = self.loads().ready.lock();
            ready.tickets.push_back(ticket);
            if ready.summoned >= ready.tickets.len() {
                return;
            }
            ready.summoned += 1;
        }
        // The engine's own threads are joined and need no lease.
        let lease = matches!(self.threads, Threads::Shared(_)).then(|| self.life.lease());
        let summons = Box::new(ProviderJob { core: self.me(), _lease: lease });
        match self.runtime() {
            Some(runtime) => runtime.run(self.settings.tasks.stack_bytes, summons),
            None => summons.refused(),
        }
    }

    /// Fails requests for which there is no thread. That may form further requests that lack a thread too, and call this function
    /// recursively: they are left to the outer call, so that the recursion is bounded.
    fn fail_refused(&self) {
        let next = || self.loads().ready.lock().next_refused();
        while let Some(ticket) = next() {
            let _ = catch_panic(|| ticket.finish(Unanswered::Failed(Error::of(Status::ERR_NO_THREAD))));
            drop(ticket);
            self.life.end_one(CallSite::Threads);
        }
        self.conclude_if_closing();
    }

    /// Runs on a summoned thread: takes requests to the provider until there are none.
    fn provide_ready(&self) {
        let mut next = self.next_ready();
        while let Some(ticket) = next.take() {
            let id = ticket.id();
            // A panic of the library must neither be printed nor keep the engine from ending.
            if self.removals.must_throttle() {
                // The thread is throttled before the call and not after it: another request may use the slot long before the call returns.
                let _ = catch_panic(|| self.throttle_writer_now(ticket.keys().len()));
            }
            let _ = catch_panic(|| self.provide(ticket));
            let _ = catch_panic(|| {
                self.with_table_handing(
                    |table, cx| table.request_returned(id, cx),
                    |request| {
                        // This thread takes one of the new requests itself.
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
                self.loads().ready.lock().summoned += 1;
                next = self.next_ready();
            }
        }
    }

    /// The next request for a summoned thread, which then no longer counts as summoned.
    fn next_ready(&self) -> Option<Ticket> {
        let take = |gives_up: bool| {
            let mut ready = self.loads().ready.lock();
            let ticket = ready.tickets.pop_front();
            ready.summoned -= usize::from(ticket.is_some() || gives_up);
            ticket
        };
        linger(|| take(false)).or_else(|| take(true))
    }

    /// Calls the provider, unless no key of the request is wanted any more. Returns whether the provider was called.
    fn provide(&self, ticket: Ticket) -> bool {
        let runs = self.take_request(ticket.id()) == TakeResult::Run;
        match &self.hooks.provider {
            // Whatever the host does with the ticket, dropping it finishes the request.
            Some(provider) if runs => {
                call_host(|| provider.provide(ticket));
            }
            _ => drop(ticket),
        }
        runs
    }

    fn take_request(&self, id: RequestId) -> TakeResult {
        let now = Now::of(&self.clock);
        let (taken, due) = {
            let mut table = self.loads().table.lock();
            (table.take_request(id, &now), table.next_due())
        };
        self.table_due(due);
        taken
    }

    fn request_returned(&self, id: RequestId) {
        let _ = catch_panic(|| self.with_table(|table, cx| table.request_returned(id, cx)));
    }
}

/// The job that lets a thread provide the ready requests.
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
        if self.core.loads().ready.lock().refuse() {
            self.core.fail_refused();
        }
    }
}

/// A request that waits in the program's queue. It is taken out once: by the reader of the queue, or when it is withdrawn.
pub(super) struct RequestDelivery(Mutex<Option<WaitingRequest>>);

/// The fields are in the order in which they must be dropped.
struct WaitingRequest {
    ticket: Ticket,
    core: Arc<Core>,
    pending: PendingCount,
}

impl RequestDelivery {
    fn new(core: Arc<Core>, request: Arc<ProviderRequest>) -> Arc<RequestDelivery> {
        let pending = PendingCount::begun(core.clone(), CallSite::Queue);
        let waiting = WaitingRequest { ticket: Ticket::new(request.clone()), core, pending };
        let item = Arc::new(RequestDelivery(Mutex::new(Some(waiting))));
        request.set_delivery(&item);
        item
    }

    fn take(&self) -> Option<WaitingRequest> {
        self.0.lock().take()
    }

    /// Withdraws a request whose keys are all unwanted by now. Frees its slot without waiting for the reader of the queue.
    pub(super) fn withdraw(&self) {
        let Some(WaitingRequest { ticket, core, pending }) = self.take() else { return };
        let id = ticket.id();
        let _ = catch_panic(|| ticket.finish(Unanswered::Failed(Error::of(Status::ERR_CANCELLED))));
        core.request_returned(id);
        // The contexts in the ticket are dropped where callbacks run.
        core.send_drop(ticket);
        drop(pending);
    }
}

impl Deliverable for RequestDelivery {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let waiting = {
            let mut held = self.0.lock();
            let is_callable =
                |waiting: &WaitingRequest| waiting.core.hooks.provider.as_ref().is_some_and(|provider| provider.is_callable());
            if held.as_ref().is_some_and(|waiting| !is_callable(waiting)) {
                drop(held);
                return DeliveryResult { count: 0, remainder: delivery::Remainder::NoFunction(self) };
            }
            held.take()
        };
        let Some(WaitingRequest { ticket, core, pending }) = waiting else { return DeliveryResult::all(0) };
        let _delivering = core.delivering(CallSite::Queue);
        let id = ticket.id();
        let ran = core.provide(ticket);
        core.request_returned(id);
        drop((core, pending));
        DeliveryResult::all(usize::from(ran))
    }

    /// The reader of the queue answers the request later, and no provider is called. So the request counts as returned at once.
    fn pull(self: Arc<Self>) -> PullResult {
        let Some(WaitingRequest { ticket, core, pending }) = self.take() else { return PullResult::nothing() };
        if core.take_request(ticket.id()) == TakeResult::Skip {
            drop((ticket, core, pending));
            return PullResult::nothing();
        }
        core.request_returned(ticket.id());
        drop(pending);
        PullResult { event: Some(Box::new(PolledEvent::Request { core, ticket })), more: false }
    }
}
