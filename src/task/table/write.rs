//! The program writes the cache while keys are being loaded (rule F08). A put settles the flights that are not with the provider, and every
//! write overtakes those that are.

use super::steps::LongWork;
use super::{AnswerStore, Host, Table, TableContext};
use crate::base::hint::rarely;
use crate::base::{Answer, StoreTerms};
use crate::task::flight::Phase;
use crate::task::host::{DeferredDrop, Effects, FillResult};
use crate::task::outcome::Source;
use crate::task::{FlightId, KeyStateId};
use std::num::NonZeroU64;

/// A write to the cache.
#[derive(Clone, Copy, Debug)]
pub enum Write<'a> {
    /// A put, with its result in the store. Even if the store refused the value, flights are settled with it: it is the newest.
    Put(&'a Answer, FillResult),
    /// There is no newer value: a removal, a take, an expiry, an invalidation, or a put in which the store panicked.
    Removed,
}

impl<H: Host> Table<H> {
    /// The program has written this key. Must be called in the same hold of the lock as the write itself: no load may store an answer
    /// between the two.
    pub fn written<S: AnswerStore>(&mut self, key: &[u8], write: Write<'_>, cx: &mut TableContext<'_, H, S>) {
        let hash = self.hash(key);
        self.recent.write(hash, self.has_requests());
        let drops = &mut cx.out.deferred_drops;
        self.error_memory.forget(key, &mut |error| drops.push(DeferredDrop::Error(error)));
        self.throttled.end(key, cx.out);
        if rarely(self.tier.is_some()) {
            self.forget_fills(Some(key), cx.out);
        }
        let Some(key_state) = self.flights.find(hash, key) else { return };
        self.flights[key_state].writes += 1;
        if let Write::Put(answer, filled) = write {
            self.settle_waiting(key_state, answer, Source::Put, filled, cx);
        }
        if let Some(key_state) = self.flights.find(hash, key) {
            self.overtake(key_state, cx.out);
        }
        self.conclude(cx);
    }

    /// The program is about to remove or expire all keys. Called before the store is changed, in steps.
    pub fn clearing<S: AnswerStore>(&mut self, cx: &mut TableContext<'_, H, S>) {
        self.recent.write_all();
        cx.out.deferred_drops.extend(self.error_memory.clear().map(DeferredDrop::from));
        self.end_all_throttles(cx.out);
        if rarely(self.tier.is_some()) {
            self.forget_fills(None, cx.out);
        }
        self.begin_work(LongWork::Overtake { from: 0 });
        self.conclude(cx);
    }

    /// The program removed or expired the entries with this tag: an answer to a request that is with the provider now is not stored if it
    /// carries the tag (rule R11). Whether it does is known only when it arrives, so running loads can still be joined.
    pub fn tag_removed(&mut self, tag: &[u8]) {
        match self.requests.values().map(|request| request.attempt).min() {
            Some(oldest) => self.removed_tags.note(tag, self.attempts, oldest),
            None => self.removed_tags.clear(),
        }
    }

    /// Whether a tag of an answer was removed since its attempt began.
    #[inline(always)]
    pub(super) fn is_tag_removed(&self, terms: &StoreTerms, attempt: u64) -> bool {
        rarely(terms.labels.is_some()) && terms.labels.as_ref().is_some_and(|labels| self.removed_tags.include_any_of(labels, attempt))
    }

    /// The key was just written: a running flight still settles the positions that have joined it, but cannot be joined any more.
    pub(super) fn overtake(&mut self, key_state: KeyStateId, out: &mut Effects<H>) {
        let Some(id) = self.flights[key_state].current else { return };
        if let Phase::Running { request, .. } = self.flights[id].phase {
            let Some(write) = NonZeroU64::new(self.flights[key_state].writes) else { return };
            self.flights.overtake(id, write);
            if std::mem::take(&mut self.flights[id].continues) {
                // The flight continued so that fetches could join it and its answer could be stored. Neither is possible now.
                self.drop_wanted_key(request, out);
            }
        }
    }

    /// Settles those flights of a key that are not with the provider, with an answer that did not come from their own attempts.
    pub(super) fn settle_waiting<S: AnswerStore>(
        &mut self,
        key_state: KeyStateId,
        answer: &Answer,
        source: Source,
        filled: FillResult,
        cx: &mut TableContext<'_, H, S>,
    ) {
        let key_state = &self.flights[key_state];
        let waits = |id: &FlightId| !matches!(self.flights[*id].phase, Phase::Running { .. });
        let waiting: Vec<FlightId> = key_state.current.iter().chain(&key_state.overtaken).copied().filter(waits).collect();
        for id in waiting {
            self.stop_waiting(id);
            self.end_with(id, answer.clone(), source, filled, cx);
        }
    }
}
