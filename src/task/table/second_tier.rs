//! The second tier: keys that missed are looked up there before they are queued for the provider; what is loaded or written here is written
//! there behind the callers' backs (rules T01 to T15; the states are in `task::second_tier`).
//!
//! A look begins, like an attempt, with a stamp: a hit is stored and delivered only if nothing was written since (rule T02). Whatever else comes
//! of it, even no answer, is a miss (rule T01).

use super::admit::Displaced;
use super::steps::LongWork;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::config::SecondTierSettings;
use crate::base::hint::rarely;
use crate::base::{Answer, Moment, Now, PackedKeys, Status, StoreTerms};
use crate::task::deadlines::Due;
use crate::task::flight::{Flight, Phase, Stamp};
use crate::task::group::WaitingKey;
use crate::task::host::{DeferredDrop, Effects, FillResult};
use crate::task::outcome::Source;
use crate::task::queue::Search;
use crate::task::second_tier::{
    Found, Look, LookPart, Mark, OutgoingEntry, SecondTier, Sent, TierAbilities, TierHandout, TierRequest, TierRequestKind, Token,
};
use crate::task::{FlightId, TierRequestId};

/// What the second tier says of a key that is looked up.
#[derive(Debug)]
pub enum TierAnswer {
    /// It has an entry: the answer, with the terms of storing it here, and the token of this entry.
    Hit(Answer, StoreTerms, Token),
    /// It has none; the token is a lease, if it grants them.
    Miss(Token),
    /// It has one that cannot be read.
    Damaged(Token),
    /// It failed.
    Failed,
}

/// How a request for the second tier ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TierEnd {
    /// The host has finished it: what it has not failed is done.
    Finished,
    /// The host has dropped it: what it has not answered has failed.
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

    /// Whether the request has not ended: after a close there is none.
    pub fn has_tier_request(&self, id: TierRequestId) -> bool {
        self.tier.as_ref().is_some_and(|tier| tier.requests.contains_key(id))
    }

    /// The number of the last write, for [`Table::has_tier_written`].
    pub fn tier_written(&self) -> u64 {
        self.tier.as_ref().map_or(0, |tier| tier.behind.written)
    }

    /// Whether the second tier has every write up to this number; `None`: some were given up.
    pub fn has_tier_written(&self, upto: u64) -> Option<bool> {
        self.tier.as_ref().map_or(Some(true), |tier| tier.behind.has_written(upto))
    }

    /// Whether a key that missed is looked up before it is loaded.
    #[inline(never)]
    pub(super) fn looks_up(&mut self, key: &[u8], now: &Now<'_>) -> bool {
        let is_closed = self.life == Acceptance::Closed;
        let looks = self.tier.as_ref().is_some_and(|tier| !is_closed && tier.looks_up(key, now.moment()));
        self.counts.tier_bypassed += u64::from(!looks);
        looks
    }

    /// A new flight waits for a look.
    pub(super) fn look_later(&mut self, flight: FlightId, reloads: bool) {
        let Some(tier) = &mut self.tier else { return };
        tier.waiting.push_back(flight);
        if reloads {
            tier.marks.insert(flight, Mark::Reloads);
        }
    }

    /// A fetch that loads in any case has joined a flight: what a look finds is not enough for it.
    #[inline(never)]
    pub(super) fn reload(&mut self, flight: FlightId) {
        if let (Some(tier), Some(Phase::Looking)) = (&mut self.tier, self.flights.get(flight).map(|flight| flight.phase)) {
            tier.marks.entry(flight).or_insert(Mark::Reloads);
        }
    }

    /// The host has put a key (`Some`: the answer, its TTL, and whether it may leave this process), or removed it. Called in the same hold of the
    /// lock as the write itself, before [`Table::written`].
    pub fn write_behind<S>(&mut self, key: &[u8], put: Option<(&Answer, FillResult)>, turn: &mut TableContext<'_, H, S>) {
        if self.refuses_writes() {
            return;
        }
        let Some(tier) = &mut self.tier else { return };
        let leaves = |answer: &Answer| answer.value().is_none_or(|value| value.as_bytes().is_some());
        let entry = put.filter(|(answer, filled)| filled.ttl_left_ms != 0 && leaves(answer)).map(|(answer, filled)| {
            let ttl_ms = tier.ttl_of(filled.ttl_left_ms);
            (OutgoingEntry { answer: answer.clone(), ttl_ms, load_ms: 0, token: Token::default() }, turn.now.millis())
        });
        let drops = &mut turn.out.deferred_drops;
        let settings = &tier.settings;
        if !tier.behind.write(key, entry, settings, &mut |answer| drops.push(DeferredDrop::Answer(answer))) {
            // Which keys are outdated cannot be remembered any more, so all are.
            self.counts.tier_overflows += 1;
            drops.push(DeferredDrop::Waiting(tier.behind.clear_all()));
        }
        self.form_write(turn);
    }

    /// The host has cleared the store.
    pub fn clear_behind<S>(&mut self, turn: &mut TableContext<'_, H, S>) {
        if self.refuses_writes() {
            return;
        }
        let Some(tier) = &mut self.tier else { return };
        turn.out.deferred_drops.push(DeferredDrop::Waiting(tier.behind.clear_all()));
        self.form_write(turn);
    }

    /// Whether a write of now is not passed on: the engine is closed, or its drain has ended and nothing may begin any more (rule L05). If so,
    /// records that it is lost.
    fn refuses_writes(&mut self) -> bool {
        let is_late = self.life == Acceptance::Closed || self.is_over();
        if let (true, Some(tier)) = (is_late, &mut self.tier) {
            tier.behind.refuse();
        }
        is_late
    }

    /// A key was written, here or elsewhere (`None`: all): what was loaded before is not filled.
    #[inline(never)]
    pub(super) fn forget_fills(&mut self, key: Option<&[u8]>, out: &mut Effects<H>) {
        let Some(tier) = &mut self.tier else { return };
        let drops = &mut out.deferred_drops;
        match key {
            Some(key) => tier.behind.forget_fill(key, &mut |answer| drops.push(DeferredDrop::Answer(answer))),
            None => drops.push(DeferredDrop::Waiting(tier.behind.forget_fills())),
        }
    }

    /// A flight has ended: nothing is known of it any more.
    #[inline(never)]
    pub(super) fn forget_look(&mut self, flight: FlightId) {
        if let Some(tier) = &mut self.tier {
            tier.marks.remove(&flight);
        }
    }

    /// Does what an event made possible for the second tier. Not while deadlines fire: no request is formed then.
    #[inline(never)]
    pub(super) fn conclude_tier<S: AnswerStore>(&mut self, turn: &mut TableContext<'_, H, S>) {
        if self.is_firing || self.life == Acceptance::Closed {
            return;
        }
        self.pass_looked(turn);
        self.form_looks(turn);
        self.pass_looked(turn);
        self.hand_out_opening(turn);
        self.form_write(turn);
    }

    /// Goes on with [`Table::conclude_tier`] in the next hold of the lock.
    fn go_on_later(&mut self) {
        let Some(tier) = &mut self.tier else { return };
        if !std::mem::replace(&mut tier.goes_on_later, true) {
            self.begin_work(LongWork::SecondTier);
        }
    }

    /// The work that [`Table::go_on_later`] began: `conclude` does it.
    pub(super) fn end_tier_step(&mut self) {
        if let Some(tier) = &mut self.tier {
            tier.goes_on_later = false;
        }
    }

    /// Passes flights whose look has ended to the provider.
    fn pass_looked<S: AnswerStore>(&mut self, turn: &mut TableContext<'_, H, S>) {
        while let Some(tier) = &mut self.tier
            && !tier.looked.is_empty()
        {
            if !turn.out.takes(1) {
                return self.go_on_later();
            }
            let Some(id) = tier.looked.pop_front() else { return };
            if self.flights.get(id).is_some_and(|flight| matches!(flight.phase, Phase::Looking)) {
                self.pass_to_provider(id, turn);
            }
        }
    }

    /// A flight that was looked up without success gets a slot or enters the queue, as if its fetch had arrived just now.
    fn pass_to_provider<S: AnswerStore>(&mut self, id: FlightId, turn: &mut TableContext<'_, H, S>) {
        if !self.is_provider_available(turn.now) {
            let owner = self.flights[id].owner;
            if self.leave_queue(owner, 1) {
                self.forget_fetch(owner, turn.out);
            }
            // No part of it is anywhere: it may wait for a retry, or end.
            return self.fail_unavailable(id, turn);
        }
        if !self.may_linger() && self.queue.len() == 0 && (!self.opening.is_empty() || self.may_hand_out(turn.now)) {
            self.flights[id].phase = Phase::Opening;
            self.opening.push(id);
            if self.opening.len() >= self.settings.batch_max_keys as usize {
                self.hand_out_opening(turn);
            }
            return;
        }
        if self.queue.is_full() {
            self.form_requests(turn);
        }
        if self.queue.is_full() && !self.displace_for(id, turn) && !self.flights[id].demand.is_deferrable() {
            return self.lose(id, turn);
        }
        let flight = &mut self.flights[id];
        flight.phase = Phase::Queued;
        let (owner, urgency, position) = (flight.owner, flight.demand.urgency(), flight.position);
        // The fetch is kept while a flight that it started waits.
        let queue_position = self.fetches[owner].queue_position;
        self.queue.push(self.queue.ranking.rank(urgency, queue_position), WaitingKey { position, flight: id }, queue_position.requested_at);
    }

    /// Takes a place for a flight that was looked up without success, as for a key of a fetch that arrives (rules F13b, F13d, F13g). Returns
    /// false if no key gives way, or if it needs no place.
    fn displace_for<S: AnswerStore>(&mut self, id: FlightId, turn: &mut TableContext<'_, H, S>) -> bool {
        let flight = &self.flights[id];
        let (owner, is_deferrable) = (flight.owner, flight.demand.is_deferrable());
        let is_refresh = flight.waiters.is_empty() && flight.joiners.is_none();
        let rank = self.queue.ranking.rank(flight.demand.urgency(), self.fetches[owner].queue_position);
        if is_refresh || is_deferrable && self.queue.is_share_used(rank) {
            return false;
        }
        let is_own = |_: &Self, other: &Flight<H>| other.owner == owner || other.waiters.iter().any(|waiter| waiter.fetch == owner);
        let mut search = Search::default();
        loop {
            match self.displace(rank, &mut search, is_own, turn) {
                Displaced::One => return true,
                Displaced::Nobody => return false,
                // It waits without a place, at the same position in the order.
                Displaced::NotYet if is_deferrable => return false,
                Displaced::NotYet => {}
            }
        }
    }

    /// Forms requests that read, as long as keys wait for a look and the second tier takes more.
    fn form_looks<S: AnswerStore>(&mut self, turn: &mut TableContext<'_, H, S>) {
        while let Some(tier) = &mut self.tier
            && !tier.waiting.is_empty()
        {
            let now = turn.now.moment();
            // A breaker whose time is over lets one request through, which decides. A read that timed out earlier decides nothing.
            let is_probed = tier.breaker.is_tripped() && (tier.reading > tier.late || tier.behind.sent.is_some());
            if !tier.breaker.admits(now) || is_probed {
                self.counts.tier_bypassed += tier.waiting.len() as u64;
                tier.looked.append(&mut tier.waiting);
                return;
            }
            if tier.reading >= tier.settings.max_requests {
                if tier.late >= tier.reading {
                    // They may never end, and no deadline is left that would move the keys on (rule T01).
                    self.counts.tier_bypassed += tier.waiting.len() as u64;
                    tier.looked.append(&mut tier.waiting);
                }
                return;
            }
            if turn.out.budget == 0 {
                return self.go_on_later();
            }
            self.attempts += 1;
            let (mut parts, mut keys) = (Vec::new(), PackedKeys::default());
            while parts.len() < tier.settings.batch_keys as usize
                && let Some(id) = tier.waiting.pop_front()
            {
                let found = self.flights.get_with_key(id).filter(|(flight, _)| matches!(flight.phase, Phase::Looking));
                let Some((flight, key_state)) = found.filter(|(_, key_state)| !tier.behind.is_dirty(&key_state.key)) else {
                    // It has ended, or its key was written meanwhile: then it is passed on.
                    tier.looked.push_back(id);
                    if !turn.out.takes(1) {
                        break;
                    }
                    continue;
                };
                parts.push(LookPart::Open { flight: id, stamp: key_state.stamp_of(flight.standing, self.attempts) });
                keys.push(&key_state.key);
            }
            if parts.is_empty() {
                continue;
            }
            turn.out.budget = turn.out.budget.saturating_sub(parts.len());
            tier.reading += 1;
            self.counts.tier_reads += 1;
            let id =
                tier.requests.insert_with_key(|_| TierRequest::Look(Look { parts, timer: None, answered: 0, failed: 0, is_late: false }));
            if let Some(timeout) = tier.settings.timeout {
                let timer = self.deadlines.set(now.after(timeout), Due::Look(id));
                if let Some(TierRequest::Look(look)) = tier.requests.get_mut(id) {
                    look.timer = Some(timer).filter(|timer| timer.at < Moment::NEVER);
                }
            }
            turn.out.hand_to_tier(TierHandout { id, kind: TierRequestKind::Read, keys, entries: Vec::new() });
        }
    }

    /// Forms the next request that writes, unless one is under way.
    fn form_write<S>(&mut self, turn: &mut TableContext<'_, H, S>) {
        let Some(tier) = &mut self.tier else { return };
        let now = turn.now.moment();
        if tier.behind.sent.is_some() || tier.behind.retry.is_some() || self.life == Acceptance::Closed || tier.behind.pending() == 0 {
            return;
        }
        if !tier.breaker.admits(now) {
            tier.behind.retry = Some(self.deadlines.set(tier.breaker.next_at(now), Due::TierRetry));
            return;
        }
        let drops = &mut turn.out.deferred_drops;
        let most = tier.settings.batch_keys as usize;
        let budget = &mut turn.out.budget;
        let next = tier.behind.next(most, turn.now.millis(), budget, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        let Some((sent, keys, entries)) = next else {
            if tier.behind.pending() > 0 {
                // So far all of it had expired.
                self.go_on_later();
            }
            return;
        };
        let kind = sent.kind;
        let id = tier.requests.insert_with_key(|_| TierRequest::Sent(sent));
        tier.behind.sent = Some(id);
        turn.out.hand_to_tier(TierHandout { id, kind, keys, entries });
    }

    /// The time of a look is over: its keys go to the provider, and so do those that wait for a look if no other can be formed.
    pub(super) fn look_due(&mut self, id: TierRequestId, now: &Now<'_>) {
        let Some(tier) = &mut self.tier else { return };
        let Some(TierRequest::Look(look)) = tier.requests.get_mut(id) else { return };
        (look.timer, look.is_late) = (None, true);
        tier.late += 1;
        for part in &mut look.parts {
            if let LookPart::Open { flight, .. } = std::mem::replace(part, LookPart::Answered) {
                self.counts.tier_timeouts += 1;
                tier.looked.push_back(flight);
            }
        }
        self.counts.tier_opened += u64::from(tier.breaker.failed(now.moment()));
        if tier.reading >= tier.settings.max_requests {
            self.counts.tier_bypassed += tier.waiting.len() as u64;
            tier.looked.append(&mut tier.waiting);
        }
    }

    /// What failed may be written again.
    pub(super) fn tier_retry_due(&mut self) {
        if let Some(tier) = &mut self.tier {
            tier.behind.retry = None;
        }
    }

    /// The status of a call on a request of the second tier that is not there.
    fn tier_status(&self) -> Status {
        if self.life == Acceptance::Closed { Status::ERR_CLOSED } else { Status::ERR_ALREADY_ANSWERED }
    }

    /// The second tier answers a key that is looked up. `index` is below the number of keys of the request.
    pub fn tier_answer<S: AnswerStore>(
        &mut self,
        id: TierRequestId,
        index: usize,
        given: TierAnswer,
        turn: &mut TableContext<'_, H, S>,
    ) -> Status {
        let (status, part) = self.take_look_part(id, index, matches!(given, TierAnswer::Failed));
        match part {
            Some((flight, stamp)) => self.look_answered(flight, stamp, given, turn),
            None => {
                if let TierAnswer::Hit(answer, ..) = given {
                    turn.out.deferred_drops.push(DeferredDrop::Answer(answer));
                }
            }
        }
        self.conclude(turn);
        status
    }

    /// Marks a part as answered. Returns its flight, if that still waits for the answer.
    fn take_look_part(&mut self, id: TierRequestId, index: usize, has_failed: bool) -> (Status, Option<(FlightId, Stamp)>) {
        let closed = self.tier_status();
        let look = match self.tier.as_mut().and_then(|tier| tier.requests.get_mut(id)) {
            Some(TierRequest::Look(look)) => look,
            Some(TierRequest::Sent(_)) => return (Status::ERR_WRONG_KIND, None),
            None => return (closed, None),
        };
        match std::mem::replace(&mut look.parts[index], LookPart::Answered) {
            LookPart::Answered if look.is_late => (Status::LATE, None),
            LookPart::Answered => (Status::ERR_ALREADY_ANSWERED, None),
            LookPart::Open { flight, stamp } => {
                look.answered += 1;
                look.failed += usize::from(has_failed);
                let waits = self.flights.get(flight).is_some_and(|flight| matches!(flight.phase, Phase::Looking));
                (Status::OK, waits.then_some((flight, stamp)))
            }
        }
    }

    fn look_answered<S: AnswerStore>(&mut self, id: FlightId, stamp: Stamp, given: TierAnswer, turn: &mut TableContext<'_, H, S>) {
        let Some(tier) = &mut self.tier else { return };
        let Some((_, key_state)) = self.flights.get_with_key(id) else { return };
        let is_whole = key_state.is_whole(stamp);
        let reloads = tier.marks.remove(&id).is_some();
        let (found, token) = match given {
            TierAnswer::Hit(answer, mut terms, token) => {
                if is_whole && !reloads {
                    self.counts.tier_hits += 1;
                    if !self.requests.is_empty() {
                        // Requests that the provider has did not bring this answer.
                        self.recent.write(key_state.hash, true);
                    }
                    self.stop_waiting(id);
                    self.settle_current(id, stamp, answer, &mut terms, Source::SecondTier, turn);
                    return;
                }
                turn.out.deferred_drops.push(DeferredDrop::Answer(answer));
                (Some(Found::Entry), token)
            }
            TierAnswer::Miss(token) => (Some(Found::Nothing), token),
            TierAnswer::Damaged(token) => {
                self.counts.tier_damaged += 1;
                (Some(Found::Entry), token)
            }
            TierAnswer::Failed => {
                self.counts.tier_errors += 1;
                (None, Token::default())
            }
        };
        self.counts.tier_misses += u64::from(found == Some(Found::Nothing));
        self.counts.tier_outdated += u64::from(found == Some(Found::Entry) && !is_whole);
        // What was written since the look began has changed the second tier, too.
        if let (Some(found), true) = (found, is_whole)
            && let Some(token) = tier.right_of(found, token)
        {
            tier.marks.insert(id, Mark::Fills(token));
        }
        tier.looked.push_back(id);
    }

    /// The second tier has not filled a key, which was not as the read had found it; or it has failed to write one.
    pub fn tier_not_done(&mut self, id: TierRequestId, index: usize, is_refused: bool) -> Status {
        let closed = self.tier_status();
        match self.tier.as_mut().and_then(|tier| tier.requests.get_mut(id)) {
            Some(TierRequest::Sent(sent)) if !is_refused => sent.failed[index] = true,
            Some(TierRequest::Sent(sent)) if sent.kind == TierRequestKind::Fill => sent.refused[index] = true,
            Some(_) => return Status::ERR_WRONG_KIND,
            None => return closed,
        }
        Status::OK
    }

    /// A request of the second tier ends.
    pub fn tier_finish<S: AnswerStore>(&mut self, id: TierRequestId, how: TierEnd, turn: &mut TableContext<'_, H, S>) -> Status {
        let closed = self.tier_status();
        match self.tier.as_mut().and_then(|tier| tier.requests.remove(id)) {
            Some(TierRequest::Look(look)) => self.look_finished(look, turn.now.moment()),
            Some(TierRequest::Sent(sent)) => self.write_finished(sent, how, turn),
            None => return closed,
        }
        self.conclude(turn);
        Status::OK
    }

    fn look_finished(&mut self, look: Look, now: Moment) {
        let Some(tier) = &mut self.tier else { return };
        tier.reading -= 1;
        tier.late -= u32::from(look.is_late);
        if let Some(timer) = look.timer {
            self.deadlines.cancel(timer);
        }
        let mut failed = look.failed;
        for part in &look.parts {
            if let LookPart::Open { flight, .. } = part {
                failed += 1;
                self.counts.tier_errors += 1;
                tier.looked.push_back(*flight);
            }
        }
        if !look.is_late {
            // Its timeout was reported when it fired.
            if failed == look.parts.len() {
                self.counts.tier_opened += u64::from(tier.breaker.failed(now));
            } else {
                tier.breaker.succeeded();
            }
        }
    }

    fn write_finished<S>(&mut self, mut sent: Sent, how: TierEnd, turn: &mut TableContext<'_, H, S>) {
        let Some(tier) = &mut self.tier else { return };
        if how == TierEnd::Dropped {
            sent.failed.fill(true);
        }
        tier.behind.sent = None;
        let count = |marks: &[bool]| marks.iter().filter(|mark| **mark).count() as u64;
        let (failed, refused, all) = (count(&sent.failed), count(&sent.refused), sent.keys.len() as u64);
        if sent.kind == TierRequestKind::Fill {
            self.counts.tier_fills += all - failed - refused;
            self.counts.tier_fills_refused += refused;
        } else {
            self.counts.tier_writes += all - failed;
        }
        self.counts.tier_write_errors += failed;
        let drops = &mut turn.out.deferred_drops;
        tier.behind.ended(&sent, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        let now = turn.now.moment();
        if failed == 0 {
            return tier.breaker.succeeded();
        }
        self.counts.tier_opened += u64::from(failed == all && tier.breaker.failed(now));
        if self.life != Acceptance::Open {
            // A drain tries each write once.
            return drops.push(DeferredDrop::Waiting(tier.behind.lose()));
        }
        let at = tier.breaker.next_at(now).max(now.after(tier.settings.break_for));
        tier.behind.retry = Some(self.deadlines.set(at, Due::TierRetry));
    }

    /// A flight was settled with an answer of the provider that was stored: fills the second tier with it, if its look gave the right to.
    #[inline(never)]
    pub(super) fn fill_behind(
        &mut self,
        id: FlightId,
        (answer, filled, is_tagged): (&Answer, FillResult, bool),
        load_ms: u64,
        (now, out): (&Now<'_>, &mut Effects<H>),
    ) {
        let Some(tier) = &mut self.tier else { return };
        let Some(Mark::Fills(token)) = tier.marks.remove(&id) else { return };
        let leaves = answer.value().is_none_or(|value| value.as_bytes().is_some());
        // Tags end entries in this process only, so an entry that has some stays in it.
        if filled.ttl_left_ms == 0 || is_tagged || !leaves {
            return;
        }
        let Some((_, key_state)) = self.flights.get_with_key(id) else { return };
        let entry = OutgoingEntry { answer: answer.clone(), ttl_ms: tier.ttl_of(filled.ttl_left_ms), load_ms, token };
        let drops = &mut out.deferred_drops;
        let fits =
            tier.behind.fill(&key_state.key, entry, now.millis(), &tier.settings, &mut |answer| drops.push(DeferredDrop::Answer(answer)));
        self.counts.tier_fills_dropped += u64::from(!fits);
    }

    /// The engine is drained: what cannot be written now is given up.
    pub(super) fn drain_tier(&mut self, out: &mut Effects<H>, now: Moment) {
        let Some(tier) = &mut self.tier else { return };
        if tier.behind.retry.is_some() || !tier.breaker.admits(now) {
            tier.behind.retry.take().into_iter().for_each(|timer| self.deadlines.cancel(timer));
            out.deferred_drops.push(DeferredDrop::Waiting(tier.behind.lose()));
        }
    }

    /// The engine is closed: nothing is read or written any more.
    pub(super) fn close_tier(&mut self, out: &mut Effects<H>) {
        if let Some(tier) = &mut self.tier {
            out.deferred_drops.push(DeferredDrop::Waiting(tier.close()));
        }
    }

    /// Whether nothing is to be written, for the end of a drain.
    pub(super) fn is_tier_idle(&self) -> bool {
        !rarely(self.tier.is_some()) || self.tier.as_ref().is_some_and(|tier| tier.behind.is_done())
    }
}
