//! The second tier: keys that missed are looked up there before they are queued for the provider; what is loaded or written here is then
//! written there, without making callers wait (rules T01 to T15; the states are in `task::second_tier`).
//!
//! A look begins, like an attempt, with a stamp: a hit is stored and delivered only if its key has not been written since (rule T02). If
//! another process has the lease, the key is looked up again for a while (rule T10). Any other result of a look, even none at all, counts
//! as a miss (rule T01).

use super::steps::LongWork;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::config::SecondTierSettings;
use crate::base::{Answer, Status, StoreTerms};
use crate::task::TierRequestId;
use crate::task::host::{DeferredDrop, Effects};
use crate::task::second_tier::{SecondTier, TierAbilities, TierRequest, Token};

mod looks;
mod writes;

/// What the second tier says of a key that is looked up.
#[derive(Debug)]
pub enum TierAnswer {
    /// It has an entry: the answer, with the terms of storing it here, and the token of this entry.
    Hit(Answer, StoreTerms, Token),
    /// It has no entry. The token is a lease, if the second tier grants leases.
    Miss(Token),
    /// It has no entry, and another process has the lease.
    Leased,
    /// It has an entry that cannot be read.
    Damaged(Token),
    /// It failed.
    Failed,
}

/// How a request for the second tier ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TierEnd {
    /// The host has finished it. If it writes, every key for which the host reported no other result counts as written.
    Finished,
    /// The host has dropped it without finishing it. If it writes, all of its keys have failed.
    Dropped,
}

impl<H: Host> Table<H> {
    /// Uses a second tier from now on. Called before the first fetch.
    pub fn use_second_tier(&mut self, settings: &SecondTierSettings, abilities: TierAbilities) {
        self.tier = Some(Box::new(SecondTier::new(settings, abilities)));
    }

    /// Whether there is a second tier.
    #[inline]
    pub fn has_second_tier(&self) -> bool {
        self.tier.is_some()
    }

    /// The number of keys that wait to be written to the second tier, and whether it is being avoided because it fails.
    pub fn tier_gauges(&self) -> (u64, bool) {
        self.tier.as_ref().map_or((0, false), |tier| (tier.behind.pending() as u64, tier.breaker.is_tripped()))
    }

    /// The host is about to serve the request. Returns false if it must not, because the engine is closed, or because the request writes
    /// and its time is over.
    pub fn take_tier_request(&mut self, id: TierRequestId) -> bool {
        match self.tier.as_mut().and_then(|tier| tier.requests.get_mut(id)) {
            Some(TierRequest::Look(_)) => true,
            Some(TierRequest::Sent(sent)) => sent.take(),
            None => false,
        }
    }

    /// Handles the timeout of a request for the second tier.
    pub(super) fn tier_request_due<S>(&mut self, id: TierRequestId, cx: &mut TableContext<'_, H, S>) {
        match self.tier.as_ref().and_then(|tier| tier.requests.get(id)) {
            Some(TierRequest::Look(_)) => self.look_due(id, cx.now),
            Some(TierRequest::Sent(_)) => self.write_due(id, cx),
            None => {}
        }
    }

    /// The number of the last write, for [`Table::has_tier_written`].
    pub fn tier_written(&self) -> u64 {
        self.tier.as_ref().map_or(0, |tier| tier.behind.written)
    }

    /// Whether the second tier has every write up to this number; `None` if one of them was given up.
    pub fn has_tier_written(&self, upto: u64) -> Option<bool> {
        self.tier.as_ref().map_or(Some(true), |tier| tier.behind.has_written(upto))
    }

    /// Does what an event has made possible for the second tier. Does nothing once the engine is closed, or while deadlines fire, since
    /// requests are formed after that.
    #[inline(never)]
    pub(super) fn conclude_tier<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        if self.is_firing || self.life == Acceptance::Closed {
            return;
        }
        self.pass_looked(cx);
        self.form_looks(cx);
        self.pass_looked(cx);
        self.hand_out_opening(cx);
        self.form_write(cx);
        self.arm_polls();
    }

    /// Goes on with [`Table::conclude_tier`] in the next hold of the lock.
    fn go_on_later(&mut self) {
        let Some(tier) = &mut self.tier else { return };
        if !std::mem::replace(&mut tier.goes_on_later, true) {
            self.begin_work(LongWork::SecondTier);
        }
    }

    /// The step of the long work that [`Table::go_on_later`] began. It only clears the mark: the `conclude` that follows does the work.
    pub(super) fn end_tier_step(&mut self) {
        if let Some(tier) = &mut self.tier {
            tier.goes_on_later = false;
        }
    }

    /// The status of a call on a request of the second tier that no longer exists.
    fn status_of_gone_tier_request(&self) -> Status {
        if self.life == Acceptance::Closed { Status::ERR_CLOSED } else { Status::ERR_ALREADY_ANSWERED }
    }

    /// The host ends a request of the second tier. Returns LATE for a request that writes and whose time was over.
    pub fn tier_finish<S: AnswerStore>(&mut self, id: TierRequestId, how: TierEnd, cx: &mut TableContext<'_, H, S>) -> Status {
        let status_if_gone = self.status_of_gone_tier_request();
        match self.tier.as_mut().and_then(|tier| tier.requests.remove(id)) {
            Some(TierRequest::Look(look)) => self.look_finished(look, cx.now.moment()),
            Some(TierRequest::Sent(sent)) if sent.is_over() => {
                self.late_write_ended(&sent, cx);
                self.conclude(cx);
                return Status::LATE;
            }
            Some(TierRequest::Sent(sent)) => self.write_finished(sent, how, cx),
            None => return status_if_gone,
        }
        self.conclude(cx);
        Status::OK
    }

    /// The engine is closed: nothing is read or written any more.
    pub(super) fn close_tier(&mut self, out: &mut Effects<H>) {
        if let Some(tier) = &mut self.tier {
            out.deferred_drops.push(DeferredDrop::Waiting(tier.close()));
        }
    }
}
