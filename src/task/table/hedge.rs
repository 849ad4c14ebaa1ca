//! A slow request is handed out once more, with its open keys (rule R09).
//!
//! The flights stay with the first request. The parts of the second one, *hedge parts*, only refer to them. The first answer from either
//! request settles a flight, and makes the other part unwanted. If a key fails in the first request, its flight goes on in the second one.

use super::{AnswerStore, Host, Table, TableContext};
use crate::base::{Error, PackedKeys};
use crate::task::flight::Phase;
use crate::task::hedge::Hedge;
use crate::task::host::{Effects, Handout, STEP};
use crate::task::request::{Hold, Part, Request};
use crate::task::{FlightId, RequestId};

impl<H: Host> Table<H> {
    /// Hands a slow request out once more, if a slot and a token are free and hedging allows it.
    pub(super) fn hedge_due<S: AnswerStore>(&mut self, id: RequestId, cx: &mut TableContext<'_, H, S>) {
        let Some(request) = self.requests.get_mut(id) else { return };
        request.hedge = Hedge::None;
        let is_open = request.wanted > 0 && request.hold == Hold::Slot && !request.is_finishing;
        if is_open && self.may_hand_out(cx.now) && self.breaker.is_closed() && self.hedging.take_credit() {
            self.hand_out_again(id, cx);
        }
    }

    /// Creates a request that repeats the wanted keys of another one, as many as one hold of the lock takes (rule S19).
    fn hand_out_again<S: AnswerStore>(&mut self, id: RequestId, cx: &mut TableContext<'_, H, S>) {
        let first = &self.requests[id];
        let open = (0..).zip(&first.parts).filter_map(|(index, part)| match part {
            Part::Open { flight, .. } => Some((index, *flight)),
            _ => None,
        });
        let (indexes, repeated): (Vec<u32>, Vec<FlightId>) =
            open.filter(|(_, flight)| self.flights[*flight].is_wanted()).take(STEP).unzip();
        let (issue, count) = (self.issue(cx.now.moment()), repeated.len());
        let mut keys = PackedKeys::try_with_capacity(count, 16 * count).unwrap_or_default();
        let (mut attempts, mut contexts) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let (mut parts, mut urgency) = (Vec::with_capacity(count), i32::MIN);
        for flight_id in repeated {
            let (flight, key_state) = self.flights.get_with_key(flight_id).expect("an open part has a flight");
            keys.push(&key_state.key);
            attempts.push(flight.attempts);
            contexts.push(self.fetches.get(flight.owner).and_then(|fetch| fetch.context.clone()));
            urgency = urgency.max(flight.demand.urgency());
            let remains = flight.remains(key_state.stamp_of(flight.standing, issue.attempt));
            self.flights[remains.key_state].holders += 1;
            parts.push(Part::Hedge { remains, flight: flight_id });
        }
        self.hedged += count;
        let host = &self.host;
        let hedge = self.requests.insert_with_key(|request| {
            let handle = host.request(Handout { id: request, keys, attempts, contexts, urgency });
            Request::new(handle, parts, issue, Hedge::Repeats { indexes, won: false })
        });
        self.requests[id].hedge = Hedge::By(hedge);
        self.counts.count_request(count as u64);
        self.counts.hedges_started += 1;
        cx.out.handed.push(self.requests[hedge].handle.clone());
    }

    /// The hedge part of a running flight, if there is one.
    fn hedge_of(&self, id: FlightId) -> Option<(RequestId, usize)> {
        let Phase::Running { request, index } = self.flights.get(id)?.phase else { return None };
        let Hedge::By(hedge) = self.requests.get(request)?.hedge else { return None };
        let hedged = self.requests.get(hedge)?;
        let Hedge::Repeats { indexes, .. } = &hedged.hedge else { return None };
        let at = indexes.binary_search(&index).ok()?;
        matches!(hedged.parts[at], Part::Hedge { .. }).then_some((hedge, at))
    }

    /// Makes the hedge part of a running flight unwanted, because the flight is about to end or to be settled by another answer.
    #[inline]
    pub(super) fn withdraw_hedge(&mut self, id: FlightId, out: &mut Effects<H>) {
        if self.hedged > 0 {
            self.withdraw_hedge_of(id, out);
        }
    }

    #[cold]
    fn withdraw_hedge_of(&mut self, id: FlightId, out: &mut Effects<H>) {
        let Some((hedge, index)) = self.hedge_of(id) else { return };
        if let Part::Hedge { remains, .. } = self.requests[hedge].parts[index] {
            self.requests[hedge].parts[index] = Part::Unwanted(remains);
            self.hedged -= 1;
            self.drop_wanted_key(hedge, out);
        }
    }

    /// Handles a failed attempt of a running flight that has a hedge part: the flight goes on there, and the error becomes the cause of a
    /// later error. Without a hedge part, returns the error.
    #[inline]
    pub(super) fn go_on_in_hedge(&mut self, id: FlightId, error: Error, out: &mut Effects<H>) -> Option<Error> {
        if self.hedged == 0 { Some(error) } else { self.go_on_in_hedge_of(id, error, out) }
    }

    #[cold]
    fn go_on_in_hedge_of(&mut self, id: FlightId, error: Error, out: &mut Effects<H>) -> Option<Error> {
        let Some((request, index)) = self.hedge_of(id) else { return Some(error) };
        if !self.flights[id].is_wanted() {
            self.withdraw_hedge_of(id, out);
            return Some(error);
        }
        if let Part::Hedge { remains, flight } = self.requests[request].parts[index] {
            self.requests[request].parts[index] = Part::Open { flight, stamp: remains.stamp };
            self.flights.release(remains.key_state);
            self.flights[id].phase = Phase::Running { request, index: index as u32 };
            self.hedged -= 1;
            self.note_win(request);
        }
        let dropped = self.flights[id].note_error(error);
        out.defer_error_drop(dropped);
        None
    }

    /// Updates the counts of a request before the answer for one of its hedge parts is handled.
    pub(super) fn hedge_answered(&mut self, id: RequestId, out: &mut Effects<H>) {
        self.hedged -= 1;
        let request = &mut self.requests[id];
        request.wanted -= 1;
        if request.wanted == 0 && request.unanswered > 0 {
            self.cancel_request(id, out);
        }
    }

    /// Records that a hedge answered a key first, or took one over.
    pub(super) fn note_win(&mut self, id: RequestId) {
        if let Hedge::Repeats { won, .. } = &mut self.requests[id].hedge {
            self.counts.hedges_won += u64::from(!std::mem::replace(won, true));
        }
    }

    /// Ends the role that a removed request had in hedging.
    pub(super) fn end_hedge(&mut self, hedge: &Hedge) {
        match hedge {
            Hedge::Due(timer) => self.deadlines.cancel(*timer),
            Hedge::Repeats { won: false, .. } => self.counts.hedges_lost += 1,
            Hedge::None | Hedge::By(_) | Hedge::Repeats { won: true, .. } => {}
        }
    }
}
