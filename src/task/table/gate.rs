//! The limits between the queue and the provider other than slots: the rate limit and the circuit breaker (rules R07, R08).

use super::{AnswerStore, Host, RateWait, Table, TableContext};
use crate::base::{Error, Moment, Now};
use crate::task::breaker::{BreakerOverride, BreakerState, RequestOutcome};
use crate::task::deadlines::Due;
use crate::task::{FlightId, RequestId};

impl<H: Host> Table<H> {
    /// Whether a request may be formed now: a slot and a token are available.
    #[inline(always)]
    pub(super) fn may_hand_out(&self, now: &Now<'_>) -> bool {
        self.slots.is_free() && self.rate.has_token(|| now.moment())
    }

    /// Whether the rate limit allows another request. If not, sets a deadline for the time at which it will.
    pub(super) fn rate_allows(&mut self, now: Moment) -> bool {
        if self.rate.has_token(|| now) {
            return true;
        }
        let until = self.rate.next_at();
        let since = match self.rate_wait {
            Some(wait) if wait.timer.at == until => return false,
            Some(wait) => {
                self.deadlines.cancel(wait.timer);
                wait.since
            }
            None => {
                self.counts.rate_waits += 1;
                now
            }
        };
        self.rate_wait = Some(RateWait { since, timer: self.deadlines.set(until, Due::Rate) });
        false
    }

    /// Takes the token for a request that is handed out.
    #[inline(always)]
    pub(super) fn take_token(&mut self, now: Moment) {
        self.rate.take(now);
        if let Some(wait) = self.rate_wait.take() {
            self.deadlines.cancel(wait.timer);
            self.counts.rate_waited_us += now.since(wait.since).as_micros() as u64;
        }
    }

    /// Whether the circuit breaker lets a key through to the provider. If not, the key is counted as refused.
    #[inline(always)]
    pub(super) fn is_provider_available(&mut self, now: &Now<'_>) -> bool {
        let admits = self.breaker.admits(|| now.moment());
        self.counts.breaker_refused += u64::from(!admits);
        admits
    }

    /// Fails all waiting keys while the circuit breaker is open: a key that cannot be loaded must not hold a place.
    pub(super) fn refuse_waiting_keys<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        while self.queue.len() > 0 && !self.breaker.admits(|| cx.now.moment()) {
            if cx.out.budget == 0 {
                return self.form_later();
            }
            let mut taken = std::mem::take(&mut self.forming);
            self.take_first(&mut taken);
            cx.out.budget = cx.out.budget.saturating_sub(taken.len());
            for id in taken.drain(..) {
                let owner = self.flights[id].owner;
                if self.leave_queue(owner, 1) {
                    self.forget_fetch(owner, cx.out);
                }
                self.counts.breaker_refused += 1;
                self.fail_unavailable(id, cx);
            }
            self.forming = taken;
        }
    }

    /// Fails a key because the circuit breaker is open. It is not retried before the breaker lets requests through.
    pub(super) fn fail_unavailable<S: AnswerStore>(&mut self, id: FlightId, cx: &mut TableContext<'_, H, S>) {
        let not_before = self.breaker.retry_at(cx.now.moment());
        self.fail_until(id, self.errors.unavailable.clone(), not_before, cx);
    }

    /// Marks the request as failed if the error of one of its keys indicates a failing provider.
    pub(super) fn note_failure(&mut self, id: RequestId, error: &Error) {
        if let Some(request) = self.requests.get_mut(id) {
            request.failed |= error.counts_against_provider();
        }
    }

    /// Reports the result of a request to the circuit breaker, once the request has ended or timed out. `says_something`: whether its end
    /// says anything about the provider. The end of a request that nobody wanted does not, unless the request had failed before.
    pub(super) fn report_to_breaker(&mut self, id: RequestId, says_something: bool, now: Moment) {
        let request = &self.requests[id];
        let ending = if request.failed { RequestOutcome::Failed } else { RequestOutcome::Succeeded };
        if !says_something && !request.failed {
            self.breaker.withdrawn(request.era);
        } else if self.breaker.ended(request.era, ending, now) {
            self.counts.breaker_opened += 1;
        }
    }

    /// The state of the circuit breaker.
    pub fn breaker_state(&self, now: Moment) -> BreakerState {
        self.breaker.state(now)
    }

    /// Opens or closes the circuit breaker for an operator, or lets it decide again.
    pub fn force_breaker<S: AnswerStore>(&mut self, forced: BreakerOverride, cx: &mut TableContext<'_, H, S>) {
        self.breaker.force(forced);
        self.conclude(cx);
    }
}
