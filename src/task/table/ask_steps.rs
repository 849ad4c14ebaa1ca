//! A fetch of very many keys arrives: its keys are processed in steps, each in one hold of the lock (rule S19).

use super::ask::{Asked, FetchContext, FetchRequest, Probe};
use super::ask_order::AskOrder;
use super::{Acceptance, AnswerStore, Host, Table, TableContext};
use crate::base::config::FetchSettings;
use crate::base::{CallKeys, Error, Moment, Now};
use crate::task::FetchId;
use crate::task::deadlines::Due;
use crate::task::demand::Wish;
use crate::task::fetch::Form;
use crate::task::queue::{QueuePosition, Rank, Search};
use std::sync::Arc;

/// A fetch whose keys are processed in steps, from `Table::begin` to `Table::end_ask` (rule S19).
pub struct FetchInSteps {
    id: FetchId,
    form: Form,
    settings: Arc<FetchSettings>,
    wish: Wish,
    queue_position: QueuePosition,
    rank: Rank,
    deadline: Option<Moment>,
    /// The next place in `order`.
    next: usize,
    /// How far the fetch has searched for keys that give up their places.
    search: Search,
    order: AskOrder,
    own_keys: OwnKeys,
}

/// The sorted hashes of a fetch's own keys, once they are needed: these keys must not give up their places to the fetch (rule F13g).
pub(super) type OwnKeys = Option<Vec<u64>>;

/// What is left to do after a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskProgress {
    /// Positions are left.
    More,
    /// Positions are left, and before the next step `FetchInSteps::sort_keys` must be called, with no lock held.
    NeedsSortedKeys,
    /// All positions are processed.
    Done,
}

impl FetchInSteps {
    /// Sorts the hashes of the fetch's keys, so that the table can look keys up among them.
    pub fn sort_keys(&mut self) {
        self.own_keys = Some(self.order.take_sorted_hashes());
    }
}

impl<H: Host> Table<H> {
    /// Adds a fetch whose keys are then processed in steps, the first step in the same hold (rule S19). `refusal` is the result of
    /// [`refusal_of_all`]. The keys and lookups in `ask` are not read: each step receives them.
    pub fn begin(&mut self, mut ask: FetchRequest<'_, H>, order: AskOrder, refusal: Option<Error>, now: &Now<'_>) -> FetchInSteps {
        let (id, wish, queue_position) = self.register(&mut ask, true, refusal, now);
        self.fetches[id].is_asking = true;
        let rank = self.queue.ranking.rank(wish.urgency, queue_position);
        let FetchRequest { form, settings, deadline, .. } = ask;
        FetchInSteps {
            id,
            form,
            settings: settings.clone(),
            wish,
            queue_position,
            rank,
            deadline,
            next: 0,
            search: Search::default(),
            order,
            own_keys: None,
        }
    }

    /// Processes the next keys. `keys` must be the same in each step; `reprobe` is true if the store was written since they were looked up.
    pub fn ask_more<S: AnswerStore>(
        &mut self,
        asking: &mut FetchInSteps,
        keys: &CallKeys<'_>,
        probes: &mut [Probe],
        reprobe: bool,
        cx: &mut TableContext<'_, H, S>,
    ) -> AskProgress {
        let FetchInSteps { id, form, settings, wish, queue_position, rank, next, search, order, own_keys, .. } = asking;
        let (id, form, wish, queue_position, rank) = (*id, *form, *wish, *queue_position, *rank);
        let (settings, steps) = (&*settings, Some(&*own_keys));
        let (looked_ahead, searched) = (false, *search);
        let (retries, lingers) = (settings.retry.allows(1), self.may_linger());
        let mut context = FetchContext {
            id,
            form,
            settings,
            reprobe,
            wish,
            retries,
            lingers,
            queue_position,
            rank,
            looked_ahead,
            search: searched,
            steps,
        };
        // A request is filled in one hold, in the order of the keys (rule F14).
        let most = next.saturating_add(cx.out.budget).saturating_add(self.settings.batch_max_keys as usize);
        if !self.fetches.contains_key(id) || (self.life == Acceptance::Closed && !form.delivers()) {
            // Checking this once is enough: within a hold, the table keeps a fetch that is being processed.
            *next = probes.len();
        }
        let mut needs_sorted_keys = false;
        while *next < probes.len().min(most) {
            // All positions of one key are processed in one hold.
            if !cx.out.spend(1) && self.opening.is_empty() && !order.repeats(*next) {
                break;
            }
            match self.ask_probed(&mut context, order.position(*next), keys, probes, cx) {
                Asked::Processed => *next += 1,
                Asked::NeedsSortedKeys => {
                    needs_sorted_keys = true;
                    break;
                }
                Asked::Searching => break,
            }
        }
        *search = context.search;
        self.hand_out_opening(cx);
        self.conclude(cx);
        match *next < probes.len() {
            true if needs_sorted_keys => AskProgress::NeedsSortedKeys,
            true => AskProgress::More,
            false => AskProgress::Done,
        }
    }

    /// Ends the arrival, after the last step. Returns the fetch's id if any position is still open.
    pub fn end_ask<S: AnswerStore>(&mut self, asking: FetchInSteps, cx: &mut TableContext<'_, H, S>) -> Option<FetchId> {
        let FetchInSteps { id, settings, deadline, next, order, own_keys, .. } = asking;
        cx.out.defer_memory(next, (order, own_keys));
        let fetch = self.fetches.get_mut(id)?;
        fetch.is_asking = false;
        if let Some(deadline) = deadline.filter(|_| self.life != Acceptance::Closed) {
            fetch.deadline = Some(self.deadlines.set(deadline, Due::Fetch(id)));
        }
        self.conclude_ask(id, settings.stale_timeout, cx)
    }
}

/// The error that ends an all-or-nothing batch before any of it is handed out: that of its first refused key. Reads all results.
pub fn refusal_of_all(form: Form, settings: &FetchSettings, probes: &[Probe]) -> Option<Error> {
    if !settings.batch_mode.is_all_or_nothing() || !form.delivers() {
        return None;
    }
    probes.iter().find_map(|probe| match probe {
        Probe::Settled(outcome) => outcome.refusal(),
        Probe::Missed { .. } => None,
    })
}
