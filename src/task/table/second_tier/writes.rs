//! What was written or loaded here is passed on to the second tier (rules T03, T06, T07, T12, T15).
//!
//! One request writes at a time. If the host takes too long for it, the request counts as failed, and its keys are sent again unless they
//! are fills. But it may still write them, after something newer. So a key that was written since is neither looked up nor filled until the
//! late request has ended, and is then removed from the second tier. While `l2.max_requests` requests are late, nothing is sent.

use super::TierEnd;
use crate::base::hint::rarely;
use crate::base::{Answer, Millis, Moment, Now, Status};
use crate::task::counts::TaskCounts;
use crate::task::deadlines::Due;
use crate::task::host::{DeferredDrop, Effects, FillResult};
use crate::task::second_tier::{Mark, OutgoingEntry, SendStage, Sent, StoreResult, TierHandout, TierRequest, TierRequestKind, Token};
use crate::task::table::{Acceptance, Host, Table, TableContext};
use crate::task::{FlightId, TierRequestId};

impl<H: Host> Table<H> {
    /// The host has put a key (`Some`: the answer, and what the store did with it), or removed it. Must be called in the same hold of the
    /// lock as the write itself, before [`Table::written`].
    pub fn write_behind<S>(&mut self, key: &[u8], put: Option<(&Answer, FillResult)>, cx: &mut TableContext<'_, H, S>) {
        if self.refuses_writes() {
            return;
        }
        let Some(tier) = &mut self.tier else { return };
        let entry = put.filter(|(answer, filled)| filled.ttl_left_ms != 0 && tier.takes(answer)).map(|(answer, filled)| {
            let ttl_ms = tier.ttl_of(filled.ttl_left_ms);
            (OutgoingEntry { answer: answer.clone(), ttl_ms, load_ms: 0, token: Token::default() }, cx.now.millis())
        });
        self.pass_on(key, entry, cx);
        self.form_write(cx);
    }

    /// Passes on the latest write of a key: its entry or, if that is `None`, its removal. Returns false if all keys are to be cleared
    /// instead.
    fn pass_on<S>(&mut self, key: &[u8], entry: Option<(OutgoingEntry, Millis)>, cx: &mut TableContext<'_, H, S>) -> bool {
        let Some(tier) = &mut self.tier else { return false };
        let drops = &mut cx.out.deferred_drops;
        let settings = &tier.settings;
        let is_known = tier.behind.write(key, entry, settings, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        if !is_known {
            // Which keys are outdated cannot be remembered any more, so all count as outdated.
            self.counts.tier_overflows += 1;
            drops.push(DeferredDrop::Waiting(tier.behind.clear_all()));
        }
        is_known
    }

    /// The host has cleared the store.
    pub fn clear_behind<S>(&mut self, cx: &mut TableContext<'_, H, S>) {
        if self.refuses_writes() {
            return;
        }
        let Some(tier) = &mut self.tier else { return };
        cx.out.deferred_drops.push(DeferredDrop::Waiting(tier.behind.clear_all()));
        self.form_write(cx);
    }

    /// Whether a write that happens now comes too late to be passed on: the engine is closed, or its drain has ended and nothing may begin
    /// any more (rule L05). If so, records that the write is lost.
    pub(super) fn refuses_writes(&mut self) -> bool {
        let is_late = self.life == Acceptance::Closed || self.is_over();
        if let (true, Some(tier)) = (is_late, &mut self.tier) {
            tier.behind.refuse();
        }
        is_late
    }

    /// A key was written, here or elsewhere (`None`: all): what was loaded before is not filled.
    #[inline(never)]
    pub(in crate::task::table) fn forget_fills(&mut self, key: Option<&[u8]>, out: &mut Effects<H>) {
        let Some(tier) = &mut self.tier else { return };
        let drops = &mut out.deferred_drops;
        match key {
            Some(key) => tier.behind.forget_fill(key, &mut |answer| drops.push(DeferredDrop::Answer(answer))),
            None => drops.push(DeferredDrop::Waiting(tier.behind.forget_fills())),
        }
    }

    /// Forms the next request that writes, unless one is under way.
    pub(super) fn form_write<S>(&mut self, cx: &mut TableContext<'_, H, S>) {
        let Some(tier) = &mut self.tier else { return };
        let now = cx.now.moment();
        if tier.behind.sent.is_some() || tier.behind.retry.is_some() || self.life == Acceptance::Closed || tier.behind.pending() == 0 {
            return;
        }
        if tier.behind.late_requests >= tier.settings.max_requests {
            if self.life != Acceptance::Open {
                // A drain does not wait: nobody knows when one of the late requests will end.
                cx.out.deferred_drops.push(DeferredDrop::Waiting(tier.behind.lose()));
            }
            return;
        }
        if !tier.breaker.admits(now) {
            if self.life != Acceptance::Open {
                // A drain does not wait until requests may be sent again.
                cx.out.deferred_drops.push(DeferredDrop::Waiting(tier.behind.lose()));
                return;
            }
            tier.behind.retry = Some(self.deadlines.set(tier.breaker.next_at(now), Due::TierRetry));
            return;
        }
        let drops = &mut cx.out.deferred_drops;
        let most = tier.settings.batch_keys as usize;
        let budget = &mut cx.out.budget;
        let next = tier.behind.next(most, cx.now.millis(), budget, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        let Some((sent, keys, entries)) = next else {
            if tier.behind.pending() > 0 {
                // All fills that fit into the budget had expired.
                self.go_on_later();
            }
            return;
        };
        let kind = sent.kind;
        let id = tier.requests.insert_with_key(|_| TierRequest::Sent(sent));
        let timer = self.deadlines.set(now.after(tier.settings.write_timeout), Due::TierRequest(id));
        if let Some(TierRequest::Sent(sent)) = tier.requests.get_mut(id) {
            sent.timer = Some(timer).filter(|timer| timer.at < Moment::NEVER);
        }
        tier.behind.sent = Some(id);
        cx.out.hand_to_tier(TierHandout { id, kind, keys, entries, steals: Vec::new() });
    }

    /// The pause after a failure is over: what failed may be written again.
    pub(in crate::task::table) fn tier_retry_due(&mut self) {
        if let Some(tier) = &mut self.tier {
            tier.behind.retry = None;
        }
    }

    /// The second tier has failed to store a key or, if `is_refused`, has refused to: the key was not as the read had found it, or the
    /// second tier does not take such values.
    pub fn tier_not_done(&mut self, id: TierRequestId, index: usize, is_refused: bool) -> Status {
        let status_if_gone = self.status_of_gone_tier_request();
        match self.tier.as_mut().and_then(|tier| tier.requests.get_mut(id)) {
            Some(TierRequest::Sent(sent)) if sent.is_over() => return Status::LATE,
            Some(TierRequest::Sent(sent)) if !is_refused => sent.results[index] = StoreResult::Failed,
            Some(TierRequest::Sent(sent)) if matches!(sent.kind, TierRequestKind::Fill | TierRequestKind::Write) => {
                sent.results[index] = StoreResult::Refused;
            }
            Some(_) => return Status::ERR_WRONG_KIND,
            None => return status_if_gone,
        }
        Status::OK
    }

    /// The host has ended a request that writes within its time.
    pub(super) fn write_finished<S>(&mut self, mut sent: Sent, how: TierEnd, cx: &mut TableContext<'_, H, S>) {
        if how == TierEnd::Dropped {
            sent.fail();
        }
        sent.timer.take().into_iter().for_each(|timer| self.deadlines.cancel(timer));
        self.write_ended(&sent, cx);
    }

    /// The host takes too long for a request that writes: as far as the table is concerned, it has failed.
    pub(super) fn write_due<S>(&mut self, id: TierRequestId, cx: &mut TableContext<'_, H, S>) {
        let Some(tier) = &mut self.tier else { return };
        let Some(TierRequest::Sent(place)) = tier.requests.get_mut(id) else { return };
        let mut sent = std::mem::replace(place, Sent::new(place.kind, Vec::new(), 0));
        sent.time_out();
        cx.out.budget = cx.out.budget.saturating_sub(sent.keys.len());
        self.write_ended(&sent, cx);
        let Some(tier) = &mut self.tier else { return };
        tier.behind.timed_out(&sent, tier.abilities.is_conditional);
        if let Some(TierRequest::Sent(place)) = tier.requests.get_mut(id) {
            *place = sent;
        }
    }

    /// The host has ended a request whose time was over. What it may have written after something newer is removed.
    pub(super) fn late_write_ended<S>(&mut self, sent: &Sent, cx: &mut TableContext<'_, H, S>) {
        let Some(tier) = &mut self.tier else { return };
        let is_conditional = tier.abilities.is_conditional;
        let overwritten = tier.behind.late_ended(sent, is_conditional);
        if self.life == Acceptance::Closed || self.is_over() {
            return;
        }
        for key in &overwritten {
            if !self.pass_on(key, None, cx) {
                return;
            }
        }
    }

    /// A request that writes has ended or timed out: counts its results, and keeps what failed for later.
    fn write_ended<S>(&mut self, sent: &Sent, cx: &mut TableContext<'_, H, S>) {
        let Some(tier) = &mut self.tier else { return };
        tier.behind.sent = None;
        let (done, failed) = (sent.count(StoreResult::Done), sent.count(StoreResult::Failed));
        let counts: &mut TaskCounts = &mut self.counts;
        if sent.kind == TierRequestKind::Fill {
            counts.tier_fills += done;
            counts.tier_fills_refused += sent.count(StoreResult::Refused);
        } else {
            counts.tier_writes += done;
        }
        counts.tier_write_errors += failed;
        let drops = &mut cx.out.deferred_drops;
        tier.behind.ended(sent, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        let now = cx.now.moment();
        // A request that the host never took says nothing about the second tier.
        let is_failure = failed == sent.keys.len() as u64 && sent.stage != SendStage::Expired;
        if failed == 0 {
            return tier.breaker.succeeded();
        }
        counts.tier_opened += u64::from(is_failure && tier.breaker.failed(now));
        if self.life != Acceptance::Open {
            // A drain tries each write once.
            return tier.behind.lose_failed(sent, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        }
        let at = tier.breaker.next_at(now).max(now.after(tier.settings.break_for));
        tier.behind.retry = Some(self.deadlines.set(at, Due::TierRetry));
    }

    /// A flight is settled with an answer: fills the second tier with it, if the answer was stored and the flight's look gave the right to
    /// fill.
    #[inline(never)]
    pub(in crate::task::table) fn fill_behind(
        &mut self,
        id: FlightId,
        (answer, filled, is_tagged): (&Answer, FillResult, bool),
        load_ms: u64,
        (now, out): (&Now<'_>, &mut Effects<H>),
    ) {
        let Some(tier) = &mut self.tier else { return };
        let Some(Mark::Fills { token, cleared }) = tier.marks.remove(&id) else { return };
        // Tags end entries in this process only, so an entry with tags is not filled. A clear may have been passed on before it has
        // overtaken every flight; hence the comparison of the clears.
        if filled.ttl_left_ms == 0 || is_tagged || cleared != tier.behind.cleared || !tier.takes(answer) {
            return;
        }
        let Some((_, key_state)) = self.flights.get_with_key(id) else { return };
        let entry = OutgoingEntry { answer: answer.clone(), ttl_ms: tier.ttl_of(filled.ttl_left_ms), load_ms, token };
        let drops = &mut out.deferred_drops;
        let fits =
            tier.behind.fill(&key_state.key, entry, now.millis(), &tier.settings, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        self.counts.tier_fills_dropped += u64::from(!fits);
    }

    /// A drain begins: what cannot be written now is given up.
    pub(in crate::task::table) fn drain_tier(&mut self, out: &mut Effects<H>, now: Moment) {
        let Some(tier) = &mut self.tier else { return };
        if tier.behind.retry.is_some() || !tier.breaker.admits(now) {
            tier.behind.retry.take().into_iter().for_each(|timer| self.deadlines.cancel(timer));
            out.deferred_drops.push(DeferredDrop::Waiting(tier.behind.lose()));
        }
    }

    /// Whether nothing is to be written, for the end of a drain.
    pub(in crate::task::table) fn is_tier_idle(&self) -> bool {
        !rarely(self.tier.is_some()) || self.tier.as_ref().is_some_and(|tier| tier.behind.is_done())
    }
}
