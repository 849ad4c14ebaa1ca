//! A request while the provider has it: taken, kept alive by heartbeats, timed out, finished (rules F10, F12, F16).

use super::steps::{Finish, LongWork};
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::{Error, Moment, Now, Status};
use crate::task::deadlines::Due;
use crate::task::hedge::Hedge;
use crate::task::host::{Cancel, DeferredDrop};
use crate::task::request::{Hold, Part, ProviderCall, Time};
use crate::task::{FlightId, RequestId};

/// How the end of a request settles the keys that the provider has not answered.
#[derive(Clone, Debug)]
pub enum Unanswered {
    /// They fail with UNANSWERED, or become null if the configuration says so.
    Unanswered,
    /// They become null: the provider says that there are no such records.
    Null,
    /// They fail with this error.
    Failed(Error),
}

/// Whether the provider is to be called for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TakeResult {
    /// Yes. The request counts as taken from now on.
    Run,
    /// No: none of its keys is wanted any more, or the engine is closed. The caller must finish the request.
    Skip,
}

impl<H: Host> Table<H> {
    /// The provider, or the reader of the program's queue, takes a request. Its attempt timeout starts.
    pub fn take_request(&mut self, id: RequestId, now: &Now<'_>) -> TakeResult {
        // A close cancels requests in steps. The provider must not get one that the close has not reached yet.
        let is_closed = self.life == Acceptance::Closed;
        let Some(request) = self.requests.get_mut(id).filter(|request| request.wanted > 0 && !request.is_finishing && !is_closed) else {
            return TakeResult::Skip;
        };
        if request.is_taken() {
            return TakeResult::Run;
        }
        request.call = ProviderCall::Running;
        let deadline = self.attempt_timeout.map_or(Moment::NEVER, |timeout| now.moment().after(timeout));
        if deadline < Moment::NEVER {
            request.time = Time::Until(self.deadlines.set(deadline, Due::Attempt(id)));
        }
        if let (Hedge::None, Some(delay)) = (&request.hedge, self.hedging.delay()) {
            request.hedge = Hedge::Due(self.deadlines.set(now.moment().after(delay), Due::Hedge(id)));
        }
        TakeResult::Run
    }

    /// The provider's call has returned. Answers may still follow.
    pub fn request_returned<S: AnswerStore>(&mut self, id: RequestId, cx: &mut TableContext<'_, H, S>) {
        let Some(request) = self.requests.get_mut(id).filter(|request| request.is_taken()) else { return };
        request.call = ProviderCall::Returned;
        if request.is_done() {
            self.release(id, cx);
        }
        self.conclude(cx);
    }

    /// The provider reports that it is still working: restarts the attempt timeout.
    pub fn heartbeat(&mut self, id: RequestId, now: &Now<'_>) -> Status {
        let status = self.status_if_ended(id);
        let Some(request) = self.requests.get_mut(id).filter(|_| status == Status::OK) else { return status };
        match (&mut request.time, self.attempt_timeout) {
            (Time::Over, _) => return Status::LATE,
            (Time::Until(timer), Some(timeout)) => {
                self.deadlines.cancel(*timer);
                *timer = self.deadlines.set(now.moment().after(timeout), Due::Attempt(id));
            }
            (Time::Until(_) | Time::Unlimited, _) => {}
        }
        Status::OK
    }

    /// The status of a call on a request that has ended; OK if it has not.
    pub(super) fn status_if_ended(&self, id: RequestId) -> Status {
        let is_there = self.requests.get(id).is_some_and(|request| !request.is_finishing);
        match (is_there, self.life) {
            (_, Acceptance::Closed) => Status::ERR_CLOSED,
            (true, _) => Status::OK,
            (false, _) => Status::ERR_ALREADY_ANSWERED,
        }
    }

    /// The time left for the attempt of a request; `None` if there is no limit, or the request has ended.
    pub fn time_left(&self, id: RequestId, now: &Now<'_>) -> Option<std::time::Duration> {
        match self.requests.get(id)?.time {
            Time::Unlimited => None,
            Time::Until(timer) => Some(timer.at.since(now.moment())),
            Time::Over => Some(std::time::Duration::ZERO),
        }
    }

    /// Whether the answer for this key of the request is wanted.
    pub fn is_wanted(&self, id: RequestId, index: usize) -> bool {
        let flight = self.requests.get(id).and_then(|request| match request.parts.get(index)? {
            Part::Open { flight, .. } | Part::Hedge { flight, .. } => Some(*flight),
            Part::Unwanted(_) | Part::Late { .. } | Part::Answered => None,
        });
        flight.and_then(|flight| self.flights.get(flight)).is_some_and(|flight| flight.is_wanted())
    }

    /// An attempt timed out.
    pub(super) fn attempt_due<S: AnswerStore>(&mut self, id: RequestId, cx: &mut TableContext<'_, H, S>) {
        let Some(request) = self.requests.get_mut(id) else { return };
        request.time = Time::Over;
        // This happens even if every key is answered: a provider's call that does not return must not keep the slot.
        if request.hold == Hold::Slot {
            self.abandon(id, cx);
        }
    }

    /// Abandons a request whose attempt timed out: its unanswered keys fail with TIMEOUT, and answers that still arrive are late (rule
    /// F10).
    fn abandon<S: AnswerStore>(&mut self, id: RequestId, cx: &mut TableContext<'_, H, S>) {
        self.counts.requests_abandoned += 1;
        let mut failed: Vec<FlightId> = Vec::new();
        let request = &mut self.requests[id];
        for part in &mut request.parts {
            if let Part::Open { flight: flight_id, stamp } = *part {
                let remains = self.flights[flight_id].remains(stamp);
                self.flights[remains.key_state].holders += 1;
                *part = Part::Late { remains, flight: flight_id };
                failed.push(flight_id);
            } else if let Part::Hedge { remains, flight } = *part {
                *part = Part::Late { remains, flight };
                self.hedged -= 1;
            }
        }
        let was_wanted = request.wanted > 0;
        request.wanted = 0;
        request.failed |= was_wanted;
        if was_wanted {
            self.slots.note_timeout(request.formed, cx.now.moment());
        }
        request.hold = self.slots.abandon(id, request.attempt, request.hold);
        cx.out.cancelled.push((request.handle.clone(), Cancel::Timeout));
        self.report_to_breaker(id, was_wanted, cx.now.moment());
        for flight in failed {
            self.counts.attempt_timeouts += 1;
            self.fail(flight, self.errors.timeout.clone(), cx);
        }
    }

    /// The provider has finished a request. Open parts are settled according to `rest`, and the request is removed.
    ///
    /// An omitted key becomes null only if the provider had taken the request, the key was wanted, and the attempt had not timed out.
    /// Otherwise the provider may not have looked it up at all (rule F16a).
    pub fn finish<S: AnswerStore>(&mut self, id: RequestId, rest: Unanswered, cx: &mut TableContext<'_, H, S>) -> Status {
        let status = self.status_if_ended(id);
        let Some(request) = self.requests.get(id).filter(|request| !request.is_finishing) else {
            if let Unanswered::Failed(error) = rest {
                cx.out.deferred_drops.push(DeferredDrop::Error(error));
            }
            return status;
        };
        let unanswered = || self.errors.unanswered.clone();
        let (omitted_is_null, error) = match rest {
            Unanswered::Unanswered => (self.settings.omitted_is_null && request.is_taken(), unanswered()),
            Unanswered::Null => (request.is_taken(), unanswered()),
            Unanswered::Failed(error) => (false, error),
        };
        if let Some(rest) = self.finish_more(Finish { request: id, omitted_is_null, error, next: 0 }, cx) {
            self.finish_in_steps(rest);
        }
        self.conclude(cx);
        status
    }

    #[cold]
    fn finish_in_steps(&mut self, rest: Finish) {
        let request = &mut self.requests[rest.request];
        request.is_finishing = true;
        if let Time::Until(timer) = std::mem::replace(&mut request.time, Time::Unlimited) {
            self.deadlines.cancel(timer);
        }
        self.begin_work(LongWork::Finish(rest));
    }

    /// Frees what the request occupies, and records its latency and its result.
    pub(super) fn release<S>(&mut self, id: RequestId, cx: &mut TableContext<'_, H, S>) {
        let request = &mut self.requests[id];
        let attempt = request.attempt;
        let hold = std::mem::replace(&mut request.hold, Hold::Nothing);
        if hold == Hold::Nothing {
            return;
        }
        let latency = cx.now.moment().since(request.formed);
        self.counts.latency.count(latency.as_micros() as u64);
        if !matches!(request.hedge, Hedge::Repeats { .. }) {
            self.hedging.note_latency(latency);
        }
        if hold == Hold::Slot {
            let request = &self.requests[id];
            let says_something = request.is_taken() && !request.is_withdrawn;
            if says_something && !request.failed {
                self.slots.note_success(request.formed, cx.now.moment());
            }
            self.report_to_breaker(id, says_something, cx.now.moment());
        }
        if let Some(abandoned) = self.slots.release(attempt, hold) {
            self.requests[abandoned].hold = Hold::Abandoned;
        }
    }
}
