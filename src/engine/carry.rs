//! The way into the table and out of it: one lock hold for the protocol, then, with no lock held, everything it set off.

use super::inbox::Mailbox;
use super::letter::Letter;
use super::removals::Removals;
use super::request::{Request, Ticket};
use super::{Core, Threads};
use crate::base::object::Object;
use crate::base::panics::contained;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::Ordering;
use crate::base::{Answer, Error, Key, Now, Status};
use crate::cache::{Departure, Departures, Entry, Hit, Put};
use crate::runtime::hooks::call_host;
use crate::runtime::mail::{self, Delivered, Drops, Mail, Pulled};
use crate::runtime::providers::Worker;
use crate::task::host::Litter;
use crate::task::{Cancel, Filled, Handout, Host, Outbox, Outcome, RequestId, Rest, Source, Store, Table, Taken, Terms, Turn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};

/// What the engine lends to its table.
pub struct Lent(pub(super) Weak<Core>);

impl Host for Lent {
    type Mailbox = Mailbox;
    type Request = Arc<Request>;
    type Context = Arc<Object>;

    fn request(&self, handout: Handout<Arc<Object>>) -> Arc<Request> {
        let core = self.0.upgrade().expect("the table is worked on through its engine");
        // Counted under the table's lock, before anybody can find the table idle. What goes to a host's queue counts from when
        // the host takes it.
        if !core.provider_is_queued() {
            core.life.call_begins();
        }
        Arc::new(Request::new(core, handout))
    }
}

/// The store, as the table sees it.
pub(super) struct Stocked<'a> {
    pub core: &'a Core,
    pub now: &'a Now<'a>,
    pub left: &'a mut Departures,
    /// Whether something with an end was stored.
    pub ends: bool,
    /// Positions that the store had after all, in the order asked: their keys, and what was found.
    pub found: Vec<(Key, Status)>,
}

impl Store for Stocked<'_> {
    fn probe(&mut self, key: &[u8]) -> Option<Outcome> {
        // A shard that broke is empty, and the table goes on (rule L07).
        let hit = contained(|| self.core.store.probe(key, self.now.clock())).unwrap_or_default()?;
        let outcome = outcome_of(hit, self.now);
        if self.core.hooks.record.is_some() {
            self.found.push((Key::new(key), outcome.status()));
        }
        Some(outcome)
    }

    fn fill(&mut self, key: &[u8], answer: &Answer, terms: Terms) -> Filled {
        let entry = Entry { answer: answer.clone(), cost: terms.cost, ttl: terms.ttl, priority: terms.priority.unwrap_or(0.0) };
        let put = contained(|| self.core.store.put(key, entry, self.now.clock(), self.left));
        self.core.epoch.fetch_add(1, Ordering::AcqRel);
        let Ok(put) = put else { return Filled::default() };
        self.ends |= matches!(put, Put::Stored { expires_at: Some(_), .. });
        filled_of(put, self.now)
    }
}

pub(super) fn filled_of(put: Put, now: &Now<'_>) -> Filled {
    match put {
        Put::Stored { cost, expires_at } => Filled { ttl_left_ms: ttl_left(expires_at, now), cost },
        Put::Refused | Put::TooLarge => Filled::default(),
    }
}

/// What a hit tells a fetch.
pub(super) fn outcome_of(hit: Hit, now: &Now<'_>) -> Outcome {
    Outcome {
        age_ms: now.millis().since(hit.stored_at),
        ttl_left_ms: ttl_left(hit.expires_at, now),
        cost: hit.cost,
        ..Outcome::of(hit.answer, Source::Store)
    }
}

pub(super) fn ttl_left(expires_at: Option<crate::base::Millis>, now: &Now<'_>) -> i64 {
    expires_at.map_or(-1, |end| i64::try_from(end.since(now.millis())).unwrap_or(i64::MAX))
}

type EngineTable = Table<Lent>;
type EngineTurn<'a, 'b> = Turn<'a, Lent, Stocked<'b>>;

impl Core {
    /// Works on the table, then carries out what that set off. Only for engines.
    pub(super) fn turn<R>(&self, work: impl FnOnce(&mut EngineTable, &mut EngineTurn<'_, '_>) -> R) -> R {
        let now = Now::of(&self.clock);
        let (mut out, mut left) = (Outbox::default(), Departures::new());
        let mut store = Stocked { core: self, now: &now, left: &mut left, ends: false, found: Vec::new() };
        let table = self.table.as_ref().expect("asked of engines only");
        let (result, due, carries) = {
            let mut table = table.lock();
            let mut turn = Turn { now: &now, store: &mut store, out: &mut out };
            let result = catch_unwind(AssertUnwindSafe(|| work(&mut table, &mut turn)));
            if result.is_err() {
                // Nobody knows what state it is in: everybody hears of it, and the engine closes (rule L07).
                self.life.shut();
                table.wreck(&mut out);
            }
            // Results and requests on their way are counted for themselves.
            let carries = !(out.cancelled.is_empty() && out.litter.is_empty() && store.left.is_empty());
            if carries {
                self.life.carry_begins();
            }
            (result, table.next_due(), carries)
        };
        let ends = store.ends;
        self.carry_out(out);
        self.let_go(left);
        if carries {
            self.life.carry_ends();
        }
        self.table_due(due);
        if ends {
            self.store_due();
        }
        self.conclude_if_closing();
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn carry_out(&self, out: Outbox<Lent>) {
        for Mailbox(inbox) in out.scheduled {
            if inbox.is_direct() {
                inbox.deliver(usize::MAX);
            } else {
                self.send(inbox);
            }
        }
        for (request, why) in out.cancelled {
            request.cancelled(why);
        }
        for request in out.handed {
            self.hand_to_provider(request);
        }
        for litter in out.litter {
            self.drop_litter(litter);
        }
    }

    fn hand_to_provider(&self, request: Arc<Request>) {
        let core = request.core().clone();
        if let Some(queue) = &self.routes.provider {
            let ticket = Mutex::new(Some(Ticket::new(request)));
            return queue.send(Arc::new(RequestMail { core, ticket }));
        }
        // Shared, so that it is still here when no thread is to be had.
        let ticket = Arc::new(Mutex::new(Some(Ticket::new(request))));
        let theirs = ticket.clone();
        // Threads of its own are joined.
        let lease = matches!(self.threads, Threads::Shared(_)).then(|| self.life.lease());
        let job = Box::new(move |worker: &Worker<'_>| {
            let ticket = theirs.lock().take();
            // Gone if this thread came only after the request had failed for want of one.
            if let Some(ticket) = ticket {
                // A panic of ours must not be printed, nor keep the engine from its end.
                let _ = contained(|| core.provide(ticket, || worker.call_is_over()));
                core.life.call_ends();
                core.conclude_if_closing();
            }
            drop(core);
            drop(lease);
        });
        if self.runtime().is_none_or(|runtime| runtime.run(job).is_err()) {
            let ticket = ticket.lock().take();
            if let Some(ticket) = ticket {
                // The request fails rather than waits for a thread. Not here: the next one may fail likewise, and so would
                // as many as wait, each on the stack of the one before.
                self.send(Arc::new(NoThreadMail(Mutex::new(Some(ticket)))));
            }
        }
    }

    /// Calls the provider, on a thread of its own or on the one that polls; `returned` hears of it when the host's function is through.
    fn provide(&self, ticket: Ticket, returned: impl FnOnce()) -> bool {
        let id = ticket.id();
        let runs = self.take_request(id) == Taken::Run;
        match &self.hooks.provider {
            // Whatever the host does with the ticket: when the last of it goes, what was not answered is finished.
            Some(provider) if runs => {
                let kept = call_host(|| provider.provide(ticket));
                returned();
                drop(kept);
            }
            _ => {
                returned();
                drop(ticket);
            }
        }
        self.request_returned(id);
        runs
    }

    fn take_request(&self, id: RequestId) -> Taken {
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
        let _ = contained(|| self.turn(|table, turn| table.request_returned(id, turn)));
    }

    /// Sends mail to where callbacks run.
    pub(super) fn send(&self, mail: Arc<dyn Mail>) {
        if let Some(queue) = &self.routes.results {
            return queue.send(mail);
        }
        match self.running() {
            Some(runtime) => runtime.send(mail),
            // A cache without threads delivers where it was called, after its locks.
            None => {
                mail.deliver(usize::MAX);
            }
        }
    }

    fn drop_litter(&self, litter: Litter<Lent>) {
        match litter {
            // Ours alone: its receiver was dropped with its last event.
            Litter::Mailbox(_) => drop(litter),
            Litter::Request(request) => self.drop_request(request),
            _ if litter.runs_host_code() && self.is_engine() => self.send(Drops::mail(litter)),
            _ => drop(litter),
        }
    }

    /// A fetch's context, which may be the last reference, goes where callbacks run.
    pub(super) fn drop_context(&self, context: Arc<Object>) {
        if context.ends_where_dropped() { self.send(Drops::mail(context)) } else { drop(context) }
    }

    /// A request carries contexts of the host's, and this may be the last reference.
    fn drop_request(&self, request: Arc<Request>) {
        if request.runs_host_code_on_drop() { self.send(Drops::mail(request)) } else { drop(request) }
    }

    /// Lets go of what left the store, after all locks, on the thread that caused it: the listener's mail is sent, or on a bare
    /// cache delivered here; what runs host code is sent to where callbacks run, if there is such a place.
    pub(super) fn let_go(&self, left: Departures) {
        if self.is_engine() {
            return self.send_departures(left);
        }
        self.send_removals(|removals| {
            removals.deliver(usize::MAX);
        });
        drop(left);
    }

    /// As [`Core::let_go`], from the timer's thread, on which nothing of the host's runs.
    pub(super) fn send_departures(&self, left: Departures) {
        self.send_removals(|removals| self.send(removals));
        let runs_host_code = |departure: &Departure| departure.answer.runs_host_code_on_drop();
        if left.iter().any(runs_host_code) {
            self.send(Drops::mail(left));
        }
    }

    /// Sends what the removal listener has not heard yet, if nobody does: to the host's queue, or else `elsewhere`.
    fn send_removals(&self, elsewhere: impl FnOnce(Arc<Removals>)) {
        let Some(removals) = self.removals.as_ref().filter(|removals| removals.schedule()) else { return };
        match &self.routes.removals {
            Some(queue) => queue.send(removals.clone()),
            None => elsewhere(removals.clone()),
        }
    }
}

impl Request {
    fn cancelled(self: Arc<Request>, why: Cancel) {
        let core = self.core().clone();
        if self.note_cancel(why) {
            match &core.routes.provider {
                Some(queue) => queue.send(self),
                None => core.send(self),
            }
        } else {
            core.drop_request(self);
        }
    }
}

/// A request for which there was no thread.
struct NoThreadMail(Mutex<Option<Ticket>>);

impl Mail for NoThreadMail {
    fn deliver(self: Arc<Self>, _most: usize) -> Delivered {
        let ticket = self.0.lock().take();
        if let Some(ticket) = ticket {
            let core = ticket.core().clone();
            let _ = contained(|| ticket.finish(Rest::Failed(Error::of(Status::ERR_NO_THREAD))));
            drop(ticket);
            core.life.call_ends();
            core.conclude_if_closing();
        }
        Delivered::all(0)
    }

    fn pull(self: Arc<Self>) -> Pulled {
        self.deliver(1);
        Pulled::nothing()
    }
}

/// A request on its way through the host's queue.
struct RequestMail {
    core: Arc<Core>,
    ticket: Mutex<Option<Ticket>>,
}

impl Mail for RequestMail {
    fn deliver(self: Arc<Self>, _most: usize) -> Delivered {
        if !self.core.hooks.provider.as_ref().is_some_and(|provider| provider.is_callable()) {
            return Delivered { count: 0, rest: mail::Rest::NoFunction };
        }
        let _begun = self.core.life.begin();
        let ticket = self.ticket.lock().take();
        let Some(ticket) = ticket else { return Delivered::all(0) };
        let ran = self.core.provide(ticket, || ());
        Delivered::all(usize::from(ran))
    }

    /// Who takes requests out answers when it likes: nothing is out that could come back.
    fn pull(self: Arc<Self>) -> Pulled {
        let ticket = self.ticket.lock().take();
        let Some(ticket) = ticket else { return Pulled::nothing() };
        let taken = self.core.take_request(ticket.id());
        self.core.request_returned(ticket.id());
        if taken == Taken::Skip {
            return Pulled::nothing();
        }
        let letter = Letter::Request { core: self.core.clone(), ticket };
        Pulled { letter: Some(Box::new(letter)), more: false }
    }
}
