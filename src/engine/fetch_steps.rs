//! Fetches and refreshes of very many keys. Their keys are processed in steps, each in one hold of the table's lock, so that other threads
//! do not wait for all of them (rule S19). `task::table::steps` describes what other threads may see between two steps.

use super::Core;
use super::fetch_events::{FetchEvents, FetchSink};
use super::transition::{EngineContext, EngineHost, EngineTable};
use crate::base::{CallKeys, Key, PackedKeys, Status};
use crate::task::table::{AskOrder, AskProgress, FetchInSteps, refusal_of_all};
use crate::task::{FetchId, FetchRequest, Probe, STEP};
use std::sync::Arc;

/// Whether a call of this many keys is processed in steps.
#[inline]
pub(super) fn is_long(keys: usize) -> bool {
    keys > STEP
}

/// A call for very many keys.
pub(super) struct LongCall<'a> {
    pub keys: PackedKeys,
    pub probes: &'a mut [Probe],
    /// The store's epoch before the keys were looked up.
    pub epoch: u64,
    /// Where the events go; `None` for a refresh.
    pub events: Option<&'a Arc<FetchEvents>>,
    /// The keys and statuses of positions that repeated lookups found in the store, in the order of processing.
    pub found: Vec<(Key, Status)>,
}

impl LongCall<'_> {
    fn step(&mut self, core: &Core, asking: &mut FetchInSteps, table: &mut EngineTable, cx: &mut EngineContext<'_, '_>) -> AskProgress {
        let reprobe = core.loads().epoch() != self.epoch;
        let progress = table.ask_more(asking, &CallKeys::Many(&self.keys), self.probes, reprobe, cx);
        self.found.append(&mut cx.store.found);
        progress
    }
}

impl Core {
    /// Processes the keys of `call` in steps; `ask` is the fetch without its keys. `accept` runs in the last step, with the fetch's id if
    /// any position is open. Deliveries begin after that, so that a fetch that fails in a later step has delivered nothing (rule F01).
    pub(super) fn ask_in_steps(
        &self,
        ask: FetchRequest<'_, EngineHost>,
        call: &mut LongCall<'_>,
        accept: impl FnOnce(&mut EngineTable, &mut EngineContext<'_, '_>, Option<FetchId>, PackedKeys),
    ) -> Result<(), Status> {
        let order = AskOrder::of(&CallKeys::Many(&call.keys), call.probes, self.store.hasher()).ok_or(Status::ERR_NO_MEMORY)?;
        if let Some(events) = call.events {
            events.hold_back();
        }
        let refusal = refusal_of_all(ask.form, ask.settings, call.probes);
        // Moved into the table only if the fetch is accepted: `ask` may hold the program's objects, which are dropped under no lock.
        let mut ask = Some(ask);
        let first = self.try_with_table(
            |table, cx| {
                let ask = ask.take().filter(|_| table.is_open())?;
                if let Some(events) = call.events {
                    self.life.begin(events.site());
                }
                let mut asking = table.begin(ask, order, refusal, cx.now);
                let progress = call.step(self, &mut asking, table, cx);
                Some((asking, progress))
            },
            |request| self.hand_to_provider(request),
        );
        let (mut asking, mut progress) = match first {
            Ok(Some(begun)) => begun,
            Ok(None) => return Err(Status::ERR_CLOSED),
            Err(_) => return Err(self.refuse_long_call(call)),
        };
        while progress != AskProgress::Done {
            // So that the list rarely grows under the lock.
            call.found.reserve(STEP);
            if progress == AskProgress::NeedsSortedKeys {
                asking.sort_keys();
            }
            self.loads().table.give_way();
            let next = self.try_with_table(|table, cx| call.step(self, &mut asking, table, cx), |request| self.hand_to_provider(request));
            match next {
                Ok(next) => progress = next,
                Err(_) => return Err(self.refuse_long_call(call)),
            }
        }
        let keys = std::mem::take(&mut call.keys);
        let last = self.try_with_table(
            |table, cx| {
                let id = table.end_ask(asking, cx);
                accept(table, cx, id, keys);
                if let Some(events) = call.events
                    && events.release()
                {
                    cx.out.scheduled.push(FetchSink(events.clone()));
                }
            },
            |request| self.hand_to_provider(request),
        );
        last.map_err(|_| self.refuse_long_call(call))
    }

    /// Cleans up after a panic of the table during the call: the table has settled everything, but a call that fails delivers nothing.
    fn refuse_long_call(&self, call: &LongCall<'_>) -> Status {
        if let Some(events) = call.events {
            drop(events.withdraw());
            self.life.end_one(events.site());
            self.conclude_if_closing();
        }
        Status::ERR_PANIC
    }
}
