//! Long work in steps (rule S19): no thread waits for the table's lock for longer than a step of a few hundred keys takes.
//!
//! Each hold of the lock has a budget ([`Effects::budget`]) of about one unit for each key. An event that needs more begins a [`LongWork`]
//! and does as much of it as the budget allows. The thread that caused the event then releases the lock, carries out the effects, lets
//! waiting threads in, and does the next step ([`Table::go_on`]), until the work is done. Only then does its call return. Work is done in
//! the order in which it began, so that of two pieces of work on one fetch the second finds the first complete.
//!
//! What other threads may see between two steps:
//! - *A fetch arrives*: its keys are processed up to a point. Its timeout, its cancel and its deliveries (rule F02) take effect after the
//!   last of them. A step that follows a write looks its keys up in the store again (rule F07).
//! - *A fetch ends*: the positions that were not reached still wait for their flights, and an answer may settle them first. Positions end
//!   from the last to the first, because the first ones are with the provider: when ending one frees a slot, no key of the fetch is waiting
//!   for that slot any more.
//! - *A flight of very many waiters has ended*: its answer is in the store. A waiter that was not reached may still be cancelled or time
//!   out.
//! - *A request is finished*: it accepts no further answers, and is not cancelled any more. Keys that were not reached count as running.
//! - *All keys are cleared*: an answer for a key that was not reached may still be stored, because the store is emptied after the last
//!   step.
//! - *The engine closes*: fetches and answers are refused, nothing times out, and no request is handed out.
//! - *Deadlines of one instant fire*: no request is formed before the last of them has fired.

use super::settle::{EndReason, settle_joiners};
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::config::LeavePolicy;
use crate::base::{Answer, Error, StoreTerms};
use crate::task::demand::Wish;
use crate::task::fetch::Position;
use crate::task::flight::Phase;
use crate::task::host::{DeferredDrop, Effects};
use crate::task::outcome::{Outcome, Source};
use crate::task::request::{Part, Time};
use crate::task::waiters::Waiters;
use crate::task::{FetchId, FlightId, RequestId};
use std::collections::VecDeque;

/// Work that an event began and that is done in steps.
pub(super) enum LongWork {
    /// The open positions of a fetch are settled and leave their flights, from the last to the first.
    EndFetch(FetchEnd),
    /// The positions that waited for a flight are settled.
    Settle(Box<Settlement>),
    /// The provider has finished a request.
    Finish(Finish),
    /// All keys were cleared: the key states from this place on are still to be overtaken.
    Overtake { from: usize },
    /// The engine closes: the fetches from this place on are still to be ended.
    CloseFetches { from: usize },
    /// The engine closes, and its fetches have ended: the joiners of the flights from this place on are still to be settled.
    CloseJoiners { from: usize },
    /// The engine closes, and its joiners are settled: the requests from this place on are still to be cancelled.
    CloseRequests { from: usize },
    /// The engine closes, and its requests are cancelled: the waiting flights from this place on are still to be ended.
    CloseFlights { from: usize },
    /// Requests can be formed, or keys that wait are to be refused.
    Form,
    /// Keys wait for a look in the second tier or have had one, or fills have expired.
    SecondTier,
    /// The urgency of a fetch changed: its positions from `next` on still have the earlier urgency.
    Urgency { fetch: FetchId, before: Wish, after: Wish, next: usize },
    /// The positions of a fetch from `next` on are still to be settled with their fallbacks.
    Fallbacks { fetch: FetchId, next: usize },
}

pub(super) struct FetchEnd {
    pub fetch: FetchId,
    /// The error with which its open positions are settled.
    pub error: Error,
    /// What happens to loads that no other fetch wants.
    pub how: LeavePolicy,
    /// The positions before this one have not been processed.
    pub left: usize,
    /// Whether the fetch as a whole ends for this reason, and not for an earlier one.
    pub ends_whole: bool,
}

pub(super) struct Settlement {
    /// The waiters that this settlement has not reached.
    pub waiters: Waiters,
    pub outcome: Outcome,
    /// The fetch that started the flight.
    pub owner: FetchId,
}

pub(super) struct Finish {
    pub request: RequestId,
    /// Whether an omitted key becomes null; otherwise it fails with `error`.
    pub omitted_is_null: bool,
    pub error: Error,
    /// The index of the next part.
    pub next: usize,
}

/// The long work that has begun and is not done, the oldest first.
#[derive(Default)]
pub(super) struct Backlog {
    work: VecDeque<LongWork>,
    /// The number of pieces of long work that ever began.
    begun: u64,
    /// How many of these are done.
    done: u64,
    /// Whether work began since `conclude` last looked.
    is_new: bool,
    /// Whether `LongWork::Form` is in `work`.
    forms: bool,
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// Whether work began since the last `take_new`.
    #[inline(always)]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    pub fn take_new(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// Whether this request is being finished in steps. For checks.
    pub fn finishes(&self, id: RequestId) -> bool {
        self.work.iter().any(|work| matches!(work, LongWork::Finish(finish) if finish.request == id))
    }

    /// Whether positions that waited for an ended flight are still to be settled. For checks.
    pub fn settles(&self) -> bool {
        self.work.iter().any(|work| matches!(work, LongWork::Settle(_)))
    }

    /// Whether requests are still to be formed. For checks.
    pub fn forms(&self) -> bool {
        self.forms
    }
}

impl<H: Host> Table<H> {
    /// The number of pieces of long work that ever began. If an operation raises it, its caller goes on until that many are done.
    #[inline(always)]
    pub fn long_work_begun(&self) -> u64 {
        self.backlog.begun
    }

    /// Whether one of the first `many` pieces of long work is not done.
    pub fn has_long_work(&self, many: u64) -> bool {
        self.backlog.done < many
    }

    /// Does another step of the oldest long work. Returns whether one of the first `many` pieces is still not done.
    pub fn go_on<S: AnswerStore>(&mut self, many: u64, cx: &mut TableContext<'_, H, S>) -> bool {
        if self.has_long_work(many) {
            self.work_on(cx);
        }
        self.conclude(cx);
        self.has_long_work(many)
    }

    /// Adds long work. `conclude` does its first step.
    #[cold]
    pub(super) fn begin_work(&mut self, work: LongWork) {
        self.backlog.work.push_back(work);
        self.backlog.begun += 1;
        self.backlog.is_new = true;
    }

    /// Forms requests in the next hold.
    #[cold]
    pub(super) fn form_later(&mut self) {
        if !std::mem::replace(&mut self.backlog.forms, true) {
            self.begin_work(LongWork::Form);
        }
    }

    /// Does long work until the budget is used up, or nothing is left.
    #[cold]
    #[inline(never)]
    pub(super) fn work_on<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        while cx.out.budget > 0
            && let Some(work) = self.backlog.work.pop_front()
        {
            match self.step(work, cx) {
                Some(rest) => self.backlog.work.push_front(rest),
                None => self.backlog.done += 1,
            }
        }
    }

    /// Does as much of the work as the budget allows. Returns what is left of it.
    fn step<S: AnswerStore>(&mut self, work: LongWork, cx: &mut TableContext<'_, H, S>) -> Option<LongWork> {
        match work {
            LongWork::EndFetch(end) => self.end_more(end, cx).map(LongWork::EndFetch),
            LongWork::Settle(settlement) => self.settle_more(settlement, cx.out).map(LongWork::Settle),
            LongWork::Finish(finish) => self.finish_more(finish, cx).map(LongWork::Finish),
            LongWork::Overtake { mut from } => {
                while let Some((next, key_state)) = self.flights.key_state_from(from) {
                    if !cx.out.spend(1) {
                        return Some(LongWork::Overtake { from });
                    }
                    from = next;
                    self.flights[key_state].writes += 1;
                    self.overtake(key_state, cx.out);
                }
                None
            }
            LongWork::CloseFetches { mut from } => {
                while let Some((next, fetch)) = self.fetches.id_from(from) {
                    if !cx.out.spend(1) {
                        return Some(LongWork::CloseFetches { from });
                    }
                    from = next;
                    self.end_fetch(fetch, EndReason::Close, cx);
                }
                // This is done after the long work that `end_fetch` may have begun.
                self.begin_work(LongWork::CloseJoiners { from: 0 });
                None
            }
            LongWork::CloseJoiners { mut from } => {
                while let Some((next, id)) = self.flights.flight_from(from) {
                    if !cx.out.spend(1) {
                        return Some(LongWork::CloseJoiners { from });
                    }
                    from = next;
                    let flight = &mut self.flights[id];
                    if let Some(joiners) = flight.joiners.take() {
                        let outcome = flight.failed(&self.errors.closed);
                        settle_joiners(*joiners, outcome, cx.out);
                    }
                }
                self.begin_work(LongWork::CloseRequests { from: 0 });
                None
            }
            LongWork::CloseRequests { mut from } => {
                while let Some((next, request)) = self.requests.id_from(from) {
                    if !cx.out.spend(1) {
                        return Some(LongWork::CloseRequests { from });
                    }
                    from = next;
                    if self.requests[request].wanted > 0 {
                        self.cancel_request(request, cx.out);
                    }
                }
                self.begin_work(LongWork::CloseFlights { from: 0 });
                None
            }
            LongWork::CloseFlights { mut from } => {
                while let Some((next, flight)) = self.flights.flight_from(from) {
                    if !cx.out.spend(1) {
                        return Some(LongWork::CloseFlights { from });
                    }
                    from = next;
                    // A running flight ends with the finish of its request, which began earlier.
                    if !matches!(self.flights[flight].phase, Phase::Running { .. }) {
                        self.end_waiting(flight, cx.out);
                    }
                }
                None
            }
            LongWork::SecondTier => {
                self.end_tier_step();
                None
            }
            LongWork::Form => {
                // `conclude` forms the requests.
                self.backlog.forms = false;
                None
            }
            LongWork::Urgency { fetch, before, after, mut next } => {
                let count = self.fetches.get(fetch).map_or(0, |fetch| fetch.positions.len());
                while next < count {
                    if !cx.out.spend(1) {
                        return Some(LongWork::Urgency { fetch, before, after, next });
                    }
                    if let Position::Open(flight) = self.fetches[fetch].positions[next] {
                        self.exchange_wish(flight, before, after);
                    }
                    next += 1;
                }
                None
            }
            LongWork::Fallbacks { fetch, mut next } => {
                while self.fetches.get(fetch).is_some_and(|fetch| next < fetch.positions.len()) {
                    if !cx.out.spend(1) {
                        return Some(LongWork::Fallbacks { fetch, next });
                    }
                    self.settle_with_fallback(fetch, next, cx);
                    next += 1;
                }
                None
            }
        }
    }

    /// Ends positions of a fetch, from the last to the first.
    pub(super) fn end_more<S: AnswerStore>(&mut self, mut end: FetchEnd, cx: &mut TableContext<'_, H, S>) -> Option<FetchEnd> {
        while end.left > 0 {
            if !cx.out.spend(1) {
                return Some(end);
            }
            end.left -= 1;
            // The last open position ends the fetch, which is then removed.
            let Some(fetch) = self.fetches.get(end.fetch) else { break };
            let Position::Open(flight) = fetch.positions[end.left] else { continue };
            let cause = self.flights.get(flight).and_then(|flight| flight.last_error.as_ref());
            if let (true, Some(cause)) = (end.ends_whole, cause) {
                // The error of the whole batch has room for one cause: that of the first key that has one, which is reached last.
                let caused = end.error.caused_by(cause);
                let before = self.fetches[end.fetch].ended.replace(caused);
                cx.out.defer_error_drop(before);
            }
            self.end_position(end.fetch, end.left, flight, &end.error, end.how, cx.out);
        }
        None
    }

    /// Settles an open position with an error, and leaves its flight.
    pub(super) fn end_position(
        &mut self,
        fetch: FetchId,
        position: usize,
        flight: FlightId,
        error: &Error,
        how: LeavePolicy,
        out: &mut Effects<H>,
    ) {
        let wish = self.wish_at(fetch, position);
        // Reports how many attempts its load had made, and the cause, although the load itself may continue (rule F10b).
        let outcome = match self.flights.get(flight) {
            Some(load) => load.failed(error),
            None => Outcome::failed(error.clone()),
        };
        self.settle(fetch, position as u32, outcome, out);
        self.leave(flight, wish, how, out);
    }

    /// What a position adds to the demand for its key. While the urgency of its fetch is being changed, the position may still have the
    /// earlier urgency.
    pub(super) fn wish_at(&self, id: FetchId, position: usize) -> Wish {
        let earlier = self.backlog.work.iter().find_map(|work| match work {
            LongWork::Urgency { fetch, before, next, .. } if *fetch == id && position >= *next => Some(*before),
            _ => None,
        });
        earlier.unwrap_or_else(|| self.fetches[id].wish)
    }

    /// Settles further positions that waited for a flight that has ended.
    fn settle_more(&mut self, mut settlement: Box<Settlement>, out: &mut Effects<H>) -> Option<Box<Settlement>> {
        while !settlement.waiters.is_empty() {
            if !out.spend(1) {
                return Some(settlement);
            }
            if let Some(waiter) = settlement.waiters.pop() {
                self.settle_waiter(waiter, settlement.outcome.clone(), out);
            }
        }
        self.forget_fetch_if_ended(settlement.owner, out);
        out.defer_outcome_drop(settlement.outcome);
        None
    }

    /// Settles the parts of a request that the provider has finished. After the last part, removes the request.
    pub(super) fn finish_more<S: AnswerStore>(&mut self, mut finish: Finish, cx: &mut TableContext<'_, H, S>) -> Option<Finish> {
        let id = finish.request;
        let end = self.requests[id].parts.len();
        if self.requests[id].unanswered == 0 {
            // The usual case: there is nothing to settle.
            finish.next = end;
        }
        let until = end.min(finish.next + cx.out.budget);
        cx.out.budget -= until - finish.next;
        for index in finish.next..until {
            match self.requests[id].take_part(index) {
                Part::Open { flight, stamp } => {
                    let is_wanted = self.flights[flight].is_wanted();
                    self.requests[id].wanted -= usize::from(is_wanted);
                    if self.life == Acceptance::Closed {
                        self.close_flight(flight, cx.out);
                    } else if finish.omitted_is_null && is_wanted {
                        self.settle_current(flight, stamp, Answer::Null, &mut StoreTerms::default(), Source::Provider, cx);
                    } else {
                        if is_wanted {
                            self.note_failure(id, &finish.error);
                        }
                        self.fail(flight, finish.error.clone(), cx);
                    }
                }
                Part::Unwanted(remains) | Part::Late { remains, .. } => self.flights.release(remains.key_state),
                Part::Hedge { remains, .. } => {
                    self.hedged -= 1;
                    self.requests[id].wanted -= 1;
                    self.flights.release(remains.key_state);
                }
                Part::Answered => {}
            }
        }
        if until < end {
            finish.next = until;
            return Some(finish);
        }
        cx.out.deferred_drops.push(DeferredDrop::Error(finish.error));
        self.release(id, cx);
        if let Some(request) = self.requests.remove(id) {
            if let Time::Until(timer) = request.time {
                self.deadlines.cancel(timer);
            }
            self.end_hedge(&request.hedge);
            cx.out.deferred_drops.push(DeferredDrop::Request(request.handle));
            cx.out.defer_memory(request.parts.len(), request.parts);
        }
        None
    }

    /// Ends a running flight whose request is finished while the engine closes.
    fn close_flight(&mut self, id: FlightId, out: &mut Effects<H>) {
        self.withdraw_hedge(id, out);
        let outcome = Outcome::failed(self.flights[id].with_cause(&self.errors.closed));
        self.counts.ahead_dropped += u64::from(self.flights[id].is_ahead);
        let flight = self.take_flight(id);
        self.counts.flights_ended.cancelled += 1;
        self.settle_flight(flight, outcome, out);
    }

    /// Forgets all long work: the table has panicked.
    pub(super) fn forget_work(&mut self, out: &mut Effects<H>) {
        self.backlog.done = self.backlog.begun;
        (self.backlog.forms, self.backlog.is_new) = (false, false);
        for work in std::mem::take(&mut self.backlog.work) {
            match work {
                LongWork::EndFetch(FetchEnd { error, .. }) | LongWork::Finish(Finish { error, .. }) => out.defer_error_drop(Some(error)),
                LongWork::Settle(settlement) => out.defer_outcome_drop(settlement.outcome),
                // These hold nothing of the program's.
                LongWork::Overtake { .. }
                | LongWork::CloseFetches { .. }
                | LongWork::CloseJoiners { .. }
                | LongWork::CloseRequests { .. }
                | LongWork::CloseFlights { .. }
                | LongWork::Form
                | LongWork::SecondTier
                | LongWork::Urgency { .. }
                | LongWork::Fallbacks { .. } => {}
            }
        }
    }
}
