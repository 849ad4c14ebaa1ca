//! Keys that missed wait for a look in the second tier, are looked up, and go on to the provider (rules T01, T02).

use super::TierAnswer;
use crate::base::{Moment, Now, PackedKeys, Status};
use crate::task::deadlines::Due;
use crate::task::flight::{Flight, Phase, Stamp};
use crate::task::group::WaitingKey;
use crate::task::host::DeferredDrop;
use crate::task::outcome::Source;
use crate::task::second_tier::{Found, Look, LookPart, Mark, TierHandout, TierRequest, TierRequestKind, Token};
use crate::task::table::admit::Displaced;
use crate::task::table::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::task::{FlightId, TierRequestId};

impl<H: Host> Table<H> {
    /// Whether a key that missed is looked up before it is loaded. If not, the key is counted as bypassed.
    #[inline(never)]
    pub(in crate::task::table) fn looks_up(&mut self, key: &[u8], now: &Now<'_>) -> bool {
        let is_closed = self.life == Acceptance::Closed;
        let looks = self.tier.as_ref().is_some_and(|tier| !is_closed && tier.looks_up(key, now.moment()));
        self.counts.tier_bypassed += u64::from(!looks);
        looks
    }

    /// A new flight waits for a look. With `reloads` its key is loaded whatever the look finds.
    pub(in crate::task::table) fn look_later(&mut self, flight: FlightId, reloads: bool) {
        let Some(tier) = &mut self.tier else { return };
        tier.waiting.push_back(flight);
        if reloads {
            tier.marks.insert(flight, Mark::Reloads);
        }
    }

    /// A fetch that wants its key loaded in any case has joined a flight: if the flight is looked up, it is loaded whatever the look finds.
    #[inline(never)]
    pub(in crate::task::table) fn mark_reload(&mut self, flight: FlightId) {
        if let (Some(tier), Some(Phase::Looking)) = (&mut self.tier, self.flights.get(flight).map(|flight| flight.phase)) {
            tier.marks.entry(flight).or_insert(Mark::Reloads);
        }
    }

    /// A flight has ended: nothing is known of it any more.
    #[inline(never)]
    pub(in crate::task::table) fn forget_look(&mut self, flight: FlightId) {
        if let Some(tier) = &mut self.tier {
            tier.marks.remove(&flight);
            tier.polls.forget(flight);
        }
    }

    /// Sets the deadline of the next poll.
    pub(super) fn arm_polls(&mut self) {
        let Some(tier) = &mut self.tier else { return };
        let at = tier.polls.next_at();
        if tier.polls.timer.map(|timer| timer.at) != at {
            tier.polls.timer.take().into_iter().for_each(|timer| self.deadlines.cancel(timer));
            tier.polls.timer = at.filter(|at| *at < Moment::NEVER).map(|at| self.deadlines.set(at, Due::TierPoll));
        }
    }

    /// Keys that another process loads are looked up again, all that are due together.
    pub(in crate::task::table) fn poll_due<S>(&mut self, cx: &mut TableContext<'_, H, S>) {
        let now = cx.now.moment();
        let Some(tier) = &mut self.tier else { return };
        tier.polls.timer = None;
        while tier.polls.next_at().is_some_and(|at| at <= now) {
            if !cx.out.spend(1) {
                // The rest follows in the next hold.
                tier.polls.timer = Some(self.deadlines.set(now, Due::TierPoll));
                return;
            }
            let Some(flight) = tier.polls.pop(now) else { return };
            tier.waiting.push_back(flight);
        }
    }

    /// Passes flights whose look has ended to the provider.
    pub(super) fn pass_looked<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        while let Some(tier) = &mut self.tier
            && !tier.looked.is_empty()
        {
            if !cx.out.spend(1) {
                return self.go_on_later();
            }
            let Some(id) = tier.looked.pop_front() else { return };
            if self.flights.get(id).is_some_and(|flight| matches!(flight.phase, Phase::Looking))
                && !self.pass_to_provider(id, cx)
                && let Some(tier) = &mut self.tier
            {
                // The budget is used up: the search for this flight's place goes on in the next hold.
                tier.looked.push_front(id);
            }
        }
        if let Some(tier) = &mut self.tier {
            tier.search = None;
        }
    }

    /// A flight that was looked up without success gets a slot or enters the queue, as if its fetch had arrived just now. Returns false if
    /// the search for a place must go on in the next hold.
    fn pass_to_provider<S: AnswerStore>(&mut self, id: FlightId, cx: &mut TableContext<'_, H, S>) -> bool {
        if !self.is_provider_available(cx.now) {
            let owner = self.flights[id].owner;
            if self.leave_queue(owner, 1) {
                self.forget_fetch(owner, cx.out);
            }
            // No request has a part of the flight, so the flight may wait for a retry, or end.
            self.fail_unavailable(id, cx);
            return true;
        }
        // A flight that nobody waits for gathers no further keys.
        let lingers = self.may_linger() && !self.flights[id].continues;
        if !lingers && self.queue.len() == 0 && (!self.opening.is_empty() || self.may_hand_out(cx.now)) {
            self.flights[id].phase = Phase::Opening;
            self.opening.push(id);
            if self.opening.len() >= self.settings.batch_max_keys as usize {
                self.hand_out_opening(cx);
            }
            return true;
        }
        if self.flights[id].continues {
            // As any flight that nobody waits for, it does not wait for a slot.
            self.end_waiting(id, cx.out);
            return true;
        }
        if self.queue.is_full() {
            self.form_requests(cx);
        }
        if self.queue.is_full() {
            let is_deferrable = self.flights[id].demand.is_deferrable();
            match self.displace_for(id, is_deferrable, cx) {
                Displaced::One => {}
                // The key waits without a place, at the same position in the order.
                Displaced::Nobody | Displaced::NotYet if is_deferrable => {}
                Displaced::Nobody => {
                    self.lose(id, cx);
                    return true;
                }
                Displaced::NotYet => return false,
            }
        }
        let flight = &mut self.flights[id];
        flight.phase = Phase::Queued;
        let (owner, urgency, position) = (flight.owner, flight.demand.urgency(), flight.position);
        // The fetch is kept while a flight that it started waits.
        let queue_position = self.fetches[owner].queue_position;
        self.queue.push(self.queue.ranking.rank(urgency, queue_position), WaitingKey { position, flight: id }, queue_position.requested_at);
        true
    }

    /// Takes a place for a flight that was looked up without success, as for a key of a fetch that arrives (rules F13b, F13d, F13g), unless
    /// the flight needs none. Successive flights that one fetch started share one search.
    fn displace_for<S: AnswerStore>(&mut self, id: FlightId, is_deferrable: bool, cx: &mut TableContext<'_, H, S>) -> Displaced {
        let flight = &self.flights[id];
        let owner = flight.owner;
        let is_refresh = flight.waiters.is_empty() && flight.joiners.is_none();
        let rank = self.queue.ranking.rank(flight.demand.urgency(), self.fetches[owner].queue_position);
        if is_refresh || is_deferrable && self.queue.is_share_used(rank) {
            return Displaced::Nobody;
        }
        let is_own = |_: &Self, other: &Flight<H>| other.owner == owner || other.waiters.iter().any(|waiter| waiter.fetch == owner);
        let begun = self.tier.as_ref().and_then(|tier| tier.search).filter(|(searcher, _)| *searcher == owner);
        let mut search = begun.map(|(_, search)| search).unwrap_or_default();
        let displaced = self.displace(rank, &mut search, is_own, cx);
        if let Some(tier) = &mut self.tier {
            tier.search = Some((owner, search));
        }
        displaced
    }

    /// Forms requests that read, as long as keys wait for a look and the second tier takes more.
    pub(super) fn form_looks<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        while let Some(tier) = &mut self.tier
            && !tier.waiting.is_empty()
        {
            let now = cx.now.moment();
            // A breaker whose time is over lets one request through, which decides. A read that timed out earlier decides nothing.
            let is_probed = tier.breaker.is_tripped() && (tier.reading > tier.late || tier.behind.sent.is_some());
            if !tier.breaker.admits(now) || is_probed {
                self.counts.tier_bypassed += tier.waiting.len() as u64;
                tier.looked.append(&mut tier.waiting);
                return;
            }
            if tier.reading >= tier.settings.max_requests {
                if tier.late >= tier.reading {
                    // All of these requests are late. They may never end, and no deadline is left that would move the keys on (rule T01).
                    self.counts.tier_bypassed += tier.waiting.len() as u64;
                    tier.looked.append(&mut tier.waiting);
                }
                return;
            }
            if cx.out.budget == 0 {
                return self.go_on_later();
            }
            self.attempts += 1;
            let (mut parts, mut keys, mut steals) = (Vec::new(), PackedKeys::default(), Vec::new());
            while parts.len() < tier.settings.batch_keys as usize
                && let Some(id) = tier.waiting.pop_front()
            {
                let found = self.flights.get_with_key(id).filter(|(flight, _)| matches!(flight.phase, Phase::Looking));
                let Some((flight, key_state)) = found.filter(|(_, key_state)| !tier.behind.is_dirty(&key_state.key)) else {
                    // The flight has ended, or its key was written meanwhile and is loaded without a look.
                    tier.looked.push_back(id);
                    if !cx.out.spend(1) {
                        break;
                    }
                    continue;
                };
                if tier.polls.begin_look(id, now) {
                    steals.push(parts.len() as u32);
                }
                parts.push(LookPart::Open { flight: id, stamp: key_state.stamp_of(flight.standing, self.attempts) });
                keys.push(&key_state.key);
            }
            if parts.is_empty() {
                continue;
            }
            cx.out.budget = cx.out.budget.saturating_sub(parts.len());
            tier.reading += 1;
            self.counts.tier_reads += 1;
            let id =
                tier.requests.insert_with_key(|_| TierRequest::Look(Look { parts, timer: None, answered: 0, failed: 0, is_late: false }));
            if let Some(timeout) = tier.settings.timeout {
                let timer = self.deadlines.set(now.after(timeout), Due::TierRequest(id));
                if let Some(TierRequest::Look(look)) = tier.requests.get_mut(id) {
                    look.timer = Some(timer).filter(|timer| timer.at < Moment::NEVER);
                }
            }
            cx.out.hand_to_tier(TierHandout { id, kind: TierRequestKind::Read, keys, entries: Vec::new(), steals });
        }
    }

    /// The time of a look is over: its keys go to the provider, and so do those that wait for a look if no other can be formed.
    pub(in crate::task::table) fn look_due(&mut self, id: TierRequestId, now: &Now<'_>) {
        let Some(tier) = &mut self.tier else { return };
        let Some(TierRequest::Look(look)) = tier.requests.get_mut(id) else { return };
        (look.timer, look.is_late) = (None, true);
        tier.late += 1;
        for part in &mut look.parts {
            match std::mem::replace(part, LookPart::Answered) {
                LookPart::Open { flight, .. } => {
                    self.counts.tier_timeouts += 1;
                    tier.looked.push_back(flight);
                }
                LookPart::Missed(flight) => tier.looked.push_back(flight),
                LookPart::Answered => {}
            }
        }
        self.counts.tier_opened += u64::from(tier.breaker.failed(now.moment()));
        if tier.reading >= tier.settings.max_requests {
            self.counts.tier_bypassed += tier.waiting.len() as u64;
            tier.looked.append(&mut tier.waiting);
        }
    }

    /// The second tier answers a key that is looked up. `index` must be below the number of keys of the request. Returns LATE also for a
    /// lease that gives no right to fill, which the host can then give back.
    pub fn tier_answer<S: AnswerStore>(
        &mut self,
        id: TierRequestId,
        index: usize,
        given: TierAnswer,
        cx: &mut TableContext<'_, H, S>,
    ) -> Status {
        let (status, part) = self.take_look_part(id, index, matches!(given, TierAnswer::Failed));
        let is_leased = matches!(&given, TierAnswer::Miss(token) if !token.is_empty());
        let may_fill = match part {
            Some((flight, stamp)) => {
                let is_missed = self.look_answered(flight, stamp, given, cx);
                let Some(tier) = &mut self.tier else { return status };
                if let (true, Some(TierRequest::Look(look))) = (is_missed, tier.requests.get_mut(id)) {
                    look.parts[index] = LookPart::Missed(flight);
                }
                tier.marks.contains_key(&flight)
            }
            None => {
                if let TierAnswer::Hit(answer, ..) = given {
                    cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
                }
                false
            }
        };
        self.pass_missed(id);
        self.conclude(cx);
        if is_leased && !may_fill && status == Status::OK { Status::LATE } else { status }
    }

    /// Marks a part as answered. Returns the status of the call and, if the part's flight still waits for the answer, the flight and its
    /// stamp.
    pub(super) fn take_look_part(&mut self, id: TierRequestId, index: usize, has_failed: bool) -> (Status, Option<(FlightId, Stamp)>) {
        let status_if_gone = self.status_of_gone_tier_request();
        let look = match self.tier.as_mut().and_then(|tier| tier.requests.get_mut(id)) {
            Some(TierRequest::Look(look)) => look,
            Some(TierRequest::Sent(_)) => return (Status::ERR_WRONG_KIND, None),
            None => return (status_if_gone, None),
        };
        match look.parts[index] {
            LookPart::Answered if look.is_late => (Status::LATE, None),
            LookPart::Answered | LookPart::Missed(_) => (Status::ERR_ALREADY_ANSWERED, None),
            LookPart::Open { flight, stamp } => {
                look.parts[index] = LookPart::Answered;
                look.answered += 1;
                look.failed += usize::from(has_failed);
                let waits = self.flights.get(flight).is_some_and(|flight| matches!(flight.phase, Phase::Looking));
                (Status::OK, waits.then_some((flight, stamp)))
            }
        }
    }

    /// Passes on the keys of a request that were looked up without success, once each key of the request has an answer, so that they form
    /// one batch for the provider too.
    fn pass_missed(&mut self, id: TierRequestId) {
        let Some(tier) = &mut self.tier else { return };
        let Some(TierRequest::Look(look)) = tier.requests.get_mut(id) else { return };
        if look.answered < look.parts.len() || look.is_late {
            return;
        }
        for part in &mut look.parts {
            if let LookPart::Missed(flight) = std::mem::replace(part, LookPart::Answered) {
                tier.looked.push_back(flight);
            }
        }
    }

    /// Handles the answer to a look of a flight. Returns whether the flight is to go to the provider.
    pub(super) fn look_answered<S: AnswerStore>(
        &mut self,
        id: FlightId,
        stamp: Stamp,
        given: TierAnswer,
        cx: &mut TableContext<'_, H, S>,
    ) -> bool {
        let Some(tier) = &mut self.tier else { return false };
        let Some((_, key_state)) = self.flights.get_with_key(id) else { return false };
        let is_whole = key_state.is_whole(stamp);
        let reloads = tier.marks.remove(&id).is_some();
        let (found, token) = match given {
            TierAnswer::Hit(answer, mut terms, token) => {
                if is_whole && !reloads {
                    self.counts.tier_hits += 1;
                    if !self.requests.is_empty() {
                        // To the requests that the provider has, this answer is a write.
                        self.recent.write(key_state.hash, true);
                    }
                    self.stop_waiting(id);
                    self.settle_current(id, stamp, answer, &mut terms, Source::SecondTier, cx);
                    return false;
                }
                cx.out.deferred_drops.push(DeferredDrop::Answer(answer));
                (Some(Found::Entry), token)
            }
            TierAnswer::Leased => {
                let has_waited = tier.polls.has_waited(id);
                let waits = is_whole && !reloads && tier.settings.single_flight && tier.polls.wait(id, cx.now.moment(), tier.settings.wait);
                self.counts.tier_waited += u64::from(waits && !has_waited);
                if waits {
                    return false;
                }
                // Without a lease nothing is filled.
                self.counts.tier_misses += 1;
                (None, Token::default())
            }
            TierAnswer::Miss(token) => {
                self.counts.tier_stolen += u64::from(tier.polls.is_last(id) && !token.is_empty());
                (Some(Found::Nothing), token)
            }
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
        // A write since the look began has changed the second tier too.
        if let (Some(found), true) = (found, is_whole)
            && let Some(token) = tier.fill_token(found, token)
        {
            tier.marks.insert(id, Mark::Fills { token, cleared: tier.behind.cleared });
        }
        true
    }

    /// The host has finished a look. Keys that it has not answered have failed.
    pub(super) fn look_finished(&mut self, look: Look, now: Moment) {
        let Some(tier) = &mut self.tier else { return };
        tier.reading -= 1;
        tier.late -= u32::from(look.is_late);
        if let Some(timer) = look.timer {
            self.deadlines.cancel(timer);
        }
        let mut failed = look.failed;
        for part in &look.parts {
            match part {
                LookPart::Open { flight, .. } => {
                    failed += 1;
                    self.counts.tier_errors += 1;
                    tier.looked.push_back(*flight);
                }
                LookPart::Missed(flight) => tier.looked.push_back(*flight),
                LookPart::Answered => {}
            }
        }
        if !look.is_late {
            // The timeout of a late request was reported to the breaker when it fired.
            if failed == look.parts.len() {
                self.counts.tier_opened += u64::from(tier.breaker.failed(now));
            } else {
                tier.breaker.succeeded();
            }
        }
    }
}
