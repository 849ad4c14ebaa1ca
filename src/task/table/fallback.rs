//! Serves expired entries that the store keeps as fallbacks (rules R02 to R04).
//!
//! A position gets the first of these that is available: a fresh hit; the answer of a load, after any retries; a fallback; a remembered
//! error; the error of the load.

use super::steps::LongWork;
use super::{AnswerStore, Host, Table, TableContext};
use crate::base::{Error, Key, Moment, Status};
use crate::task::deadlines::{DeadlineId, Due};
use crate::task::fetch::Position;
use crate::task::flight::Standing;
use crate::task::host::{DeferredDrop, Effects};
use crate::task::outcome::{Outcome, Source};
use crate::task::throttle::Throttle;
use crate::task::{FetchId, FlightId, KeyStateId};

/// The maximum number of pauses that one firing of the deadline ends.
const PAUSES_PER_STEP: usize = 256;

/// The keys that are not to be loaded for a while, and the deadline that ends the first of their pauses.
pub(super) struct ThrottledKeys {
    pauses: Throttle,
    timer: Option<DeadlineId>,
}

impl ThrottledKeys {
    pub fn new(pauses: Throttle) -> ThrottledKeys {
        ThrottledKeys { pauses, timer: None }
    }

    /// Whether no key is throttled.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pauses.is_empty()
    }

    /// Allows loading the key again.
    pub fn end<H: Host>(&mut self, key: &[u8], out: &mut Effects<H>) {
        if !self.pauses.is_empty() {
            self.pauses.end(key, &mut |error| out.deferred_drops.push(DeferredDrop::Error(error)));
        }
    }

    /// The deadline that ends the first pause. Used in checks.
    pub fn timer(&self) -> Option<DeadlineId> {
        self.timer
    }
}

impl<H: Host> Table<H> {
    /// Returns the outcome for all waiters of a flight that failed for good and is still in the table. Remembers the error and throttles
    /// the key where the rules say so (rules F20, R03).
    pub(super) fn after_failure<S: AnswerStore>(&mut self, id: FlightId, error: Error, cx: &mut TableContext<'_, H, S>) -> Outcome {
        let flight = &self.flights[id];
        if flight.is_ahead {
            cx.store.refresh_failed(&self.flights[flight.key_state].key);
        }
        let (key_state, is_current) = (flight.key_state, flight.standing == Standing::Current);
        let is_of_provider = error.is_of_provider();
        let key = &self.flights[key_state].key;
        if is_current && is_of_provider {
            let drops = &mut cx.out.deferred_drops;
            self.error_memory.remember(key, &error, cx.now.millis(), &mut |error| drops.push(DeferredDrop::Error(error)));
            self.arm_error_expiry(cx.now);
        }
        if error.forbids_stale() && is_current {
            cx.store.remove_stale(&self.flights[key_state].key);
        }
        let Some(stale) = self.stale(key_state, &error, cx) else {
            let source = if is_of_provider { Source::Provider } else { Source::None };
            return Outcome { source, ..Outcome::failed(error) };
        };
        // A key that did not reach the provider may be loaded again at once.
        if is_current && !matches!(error.status(), Status::ERR_UNAVAILABLE | Status::ERR_QUEUE_FULL) {
            self.throttle_key(key_state, &error, cx);
        }
        stale.with_failure(error)
    }

    /// Returns the fallback for the key, unless the error forbids it.
    fn stale<S: AnswerStore>(&self, key_state: KeyStateId, error: &Error, cx: &mut TableContext<'_, H, S>) -> Option<Outcome> {
        if error.forbids_stale() { None } else { cx.store.stale(&self.flights[key_state].key) }
    }

    /// Returns the fallback for a key that could not be loaded, or must not be; without one, `outcome`.
    pub(super) fn instead_of_load<S: AnswerStore>(&mut self, key: &[u8], outcome: Outcome, cx: &mut TableContext<'_, H, S>) -> Outcome {
        match outcome.error() {
            Some(error) if !error.forbids_stale() => match cx.store.stale(key) {
                Some(stale) => {
                    self.counts.stale_error += 1;
                    stale.with_failure(error.clone())
                }
                None => outcome,
            },
            _ => outcome,
        }
    }

    /// Returns the fallback for a key that must not be loaded yet; `None` if it may be loaded, or has no fallback.
    pub(super) fn fallback_while_throttled<S: AnswerStore>(&mut self, key: &[u8], cx: &mut TableContext<'_, H, S>) -> Option<Outcome> {
        let error = self.throttled.pauses.recall(key, cx.now.moment())?;
        match cx.store.stale(key) {
            Some(stale) => {
                self.counts.misses.throttled += 1;
                Some(stale.with_failure(error))
            }
            None => {
                cx.out.deferred_drops.push(DeferredDrop::Error(error));
                None
            }
        }
    }

    fn throttle_key<S>(&mut self, key_state: KeyStateId, error: &Error, cx: &mut TableContext<'_, H, S>) {
        let drops = &mut cx.out.deferred_drops;
        let key: &Key = &self.flights[key_state].key;
        self.throttled.pauses.begin(key, error, cx.now.moment(), &mut |error| drops.push(DeferredDrop::Error(error)));
        self.arm_throttle(Moment::default());
    }

    fn arm_throttle(&mut self, not_before: Moment) {
        if self.throttled.timer.is_none()
            && let Some(due) = self.throttled.pauses.next_due()
        {
            self.throttled.timer = Some(self.deadlines.set(due.max(not_before), Due::Throttle));
        }
    }

    /// Allows loading all keys again.
    pub(super) fn end_all_throttles(&mut self, out: &mut Effects<H>) {
        out.deferred_drops.extend(self.throttled.pauses.clear().map(DeferredDrop::from));
        self.throttled.timer.take().into_iter().for_each(|timer| self.deadlines.cancel(timer));
    }

    /// Ends the pauses that are due.
    pub(super) fn throttle_due<S>(&mut self, cx: &mut TableContext<'_, H, S>) {
        let drops = &mut cx.out.deferred_drops;
        let now = cx.now.moment();
        self.throttled.timer = None;
        self.throttled.pauses.end_due(PAUSES_PER_STEP, now, &mut |error| drops.push(DeferredDrop::Error(error)));
        self.arm_throttle(now);
    }

    /// Settles the positions of a fetch that has waited long enough with their fallbacks, if they have one. The loads continue.
    pub(super) fn deliver_fallbacks<S: AnswerStore>(&mut self, id: FetchId, cx: &mut TableContext<'_, H, S>) {
        let Some(count) = self.fetches.get(id).map(|fetch| fetch.positions.len()) else { return };
        if !cx.out.spend(count) {
            return self.begin_work(LongWork::Fallbacks { fetch: id, next: 0 });
        }
        for position in 0..count {
            self.settle_with_fallback(id, position, cx);
        }
    }

    /// Settles one position with its fallback, if it is open and has one.
    pub(super) fn settle_with_fallback<S: AnswerStore>(&mut self, id: FetchId, position: usize, cx: &mut TableContext<'_, H, S>) {
        let Some(Position::Open(flight)) = self.fetches.get(id).map(|fetch| fetch.positions[position]) else { return };
        let Some(key_state) = self.flights.get(flight).map(|flight| flight.key_state) else { return };
        let Some(stale) = cx.store.stale(&self.flights[key_state].key) else { return };
        let wish = self.wish_at(id, position);
        self.counts.stale_timeout += 1;
        self.settle(id, position as u32, stale.as_stale(), cx.out);
        if std::mem::replace(&mut self.flights[flight].revalidates, true) {
            // The wish of another fetch keeps the load wanted already.
            self.change_demand(flight, |demand| demand.remove(wish));
            self.sweep_waiters(flight);
        }
    }
}
