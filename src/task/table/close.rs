//! The engine closes (rule L05), or fails after a panic (rule L07).

use super::settle::settle_joiners;
use super::steps::LongWork;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::Moment;
use crate::task::deadlines::Due;
use crate::task::host::{Cancel, DeferredDrop, Effects};
use crate::task::outcome::Outcome;
use crate::task::queue::WaitQueue;
use crate::task::request::Slots;
use std::time::Duration;

/// How an engine closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Close {
    /// Accepted fetches continue until this time at the latest.
    Drain(Moment),
    /// Accepted fetches are settled with CLOSED.
    Cancel,
}

impl<H: Host> Table<H> {
    /// Stops accepting fetches. A second close can only shorten a drain.
    pub fn close<S: AnswerStore>(&mut self, how: Close, cx: &mut TableContext<'_, H, S>) {
        match (self.life, how) {
            (Acceptance::Closed, _) => {}
            (Acceptance::Open | Acceptance::Draining(_), Close::Cancel) => self.end_all(cx),
            (Acceptance::Draining(before), Close::Drain(until)) if before <= until => {}
            (Acceptance::Open | Acceptance::Draining(_), Close::Drain(until)) => {
                self.life = Acceptance::Draining(until);
                // No new key will come to fill a lingering request (rule L05a).
                self.settings.batch_linger = Duration::ZERO;
                self.gathers = false;
                self.deadlines.set(until, Due::Drain);
                self.drain_tier(cx.out, cx.now.moment());
            }
        }
        self.conclude(cx);
    }

    /// Settles everything with CLOSED. Keeps only the requests that the provider has.
    pub(super) fn end_all<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        self.life = Acceptance::Closed;
        // Later steps end the flights that are left then: those that refreshes or joiners want, or that continue without demand.
        self.begin_work(LongWork::CloseFetches { from: 0 });
        cx.out.deferred_drops.extend(self.error_memory.clear().map(DeferredDrop::from));
        self.end_all_throttles(cx.out);
        self.close_tier(cx.out);
        let deadlines = std::mem::take(&mut self.deadlines);
        cx.out.defer_memory(deadlines.len(), deadlines);
        self.errors_expire = None;
        self.is_firing = false;
    }

    /// Settles every open position with PANIC after a panic of the table, which is closed and empty afterwards.
    pub fn fail_everything(&mut self, out: &mut Effects<H>) {
        self.life = Acceptance::Closed;
        self.forget_work(out);
        self.is_firing = false;
        for mut fetch in self.fetches.drain() {
            for position in 0..fetch.positions.len() {
                if fetch.positions[position] != crate::task::fetch::Position::Settled {
                    fetch.settle(position, Outcome::failed(self.errors.panic.clone()), out);
                }
            }
            fetch.defer_drops(out);
        }
        for request in self.requests.drain() {
            out.cancelled.push((request.handle, Cancel::Closed));
        }
        self.counts.flights_ended.cancelled += self.flights.len() as u64;
        for flight in self.flights.drain() {
            out.defer_error_drop(flight.last_error);
            if let Some(joiners) = flight.joiners {
                settle_joiners(*joiners, Outcome::failed(self.errors.panic.clone()), out);
            }
        }
        self.end_all_throttles(out);
        self.close_tier(out);
        self.queue = WaitQueue::new(&self.settings);
        self.opening.clear();
        self.collapsing.clear();
        self.deadlines = Default::default();
        self.slots = Slots::new(&self.settings);
        self.hedged = 0;
    }
}
