//! A deadline fires. [`Due`] lists the kinds of deadlines.

use super::admit::RetryStart;
use super::settle::EndReason;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::Now;
use crate::task::deadlines::Due;
use crate::task::host::DeferredDrop;
use std::time::Duration;

impl<H: Host> Table<H> {
    /// Fires deadlines that are due. Returns true if more of them are due: the caller then lets waiting threads in, and calls again. No
    /// requests are formed before the last of them has fired.
    pub fn advance<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) -> bool {
        while cx.out.spend(1)
            && let Some((at, due)) = self.deadlines.pop(cx.now.moment())
        {
            match due {
                Due::Fetch(id) => {
                    let Some(fetch) = self.fetches.get_mut(id) else { continue };
                    fetch.deadline = None;
                    if fetch.open > 0 && !fetch.is_ending {
                        self.counts.fetch_timeouts += 1;
                        self.end_fetch(id, EndReason::Timeout, cx);
                    }
                }
                Due::Attempt(id) => self.attempt_due(id, cx),
                Due::Hedge(id) => self.hedge_due(id, cx),
                Due::Retry(id) => self.requeue(id, RetryStart::Paused, cx.now.moment()),
                Due::Stale(id) => {
                    let Some(fetch) = self.fetches.get_mut(id) else { continue };
                    fetch.stale_at = None;
                    self.deliver_fallbacks(id, cx);
                }
                Due::Throttle => self.throttle_due(cx),
                Due::Linger => self.linger = None,
                Due::TierRequest(id) => self.tier_request_due(id, cx),
                Due::TierPoll => self.poll_due(cx),
                Due::TierRetry => self.tier_retry_due(),
                Due::ErrorMemory => self.expire_errors(cx),
                // `conclude` forms the requests that are possible now, and sets the next deadline if keys must wait again.
                Due::Rate => {
                    if self.queue.len() == 0 {
                        self.rate_wait = None;
                    }
                }
                Due::Drain => {
                    if matches!(self.life, Acceptance::Draining(until) if until <= at) {
                        self.end_all(cx);
                    }
                }
            }
        }
        self.is_firing = self.deadlines.next().is_some_and(|next| next <= cx.now.moment());
        self.conclude(cx);
        self.is_firing
    }

    /// Forgets errors that have expired. If many expire at once, that takes several steps, a millisecond apart (rule S19).
    fn expire_errors<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        self.errors_expire = None;
        let drops = &mut cx.out.deferred_drops;
        self.error_memory.expire(cx.now.millis(), &mut |error| drops.push(DeferredDrop::Error(error)));
        self.arm_error_expiry(cx.now);
    }

    /// Sets the deadline at which the oldest remembered error expires, if none is set.
    pub(super) fn arm_error_expiry(&mut self, now: &Now<'_>) {
        if let (None, Some(end)) = (self.errors_expire, self.error_memory.next_end()) {
            let at = now.clock().moment_of(end).max(now.moment().after(Duration::from_millis(1)));
            self.errors_expire = Some(self.deadlines.set(at, Due::ErrorMemory));
        }
    }
}
