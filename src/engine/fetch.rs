//! Fetches: the store first, then the table (rules F01 to F05, F19, F21).

use super::Core;
use super::call_settings::CallSettings;
use super::fetch_events::{EventKeys, Events, FetchEvents, FetchSink, Recipient};
use super::fetch_handle::FetchHandle;
use super::fetch_steps::{LongCall, is_long};
use super::host::{Receiver, Results};
use super::joined::Joiner;
use super::transition::{EngineContext, EngineHost, EngineTable, outcome_of};
use crate::base::config::{BACKGROUND, FetchSettings};
use crate::base::hint::rarely;
use crate::base::key::KEY_MAX;
use crate::base::sync::atomic::Ordering;
use crate::base::sync::{Condvar, Mutex, linger, wait};
use crate::base::{CallKeys, Error, Key, Moment, Now, Object, PackedKeys, Status};
use crate::cache::Hit;
use crate::task::table::Reservation;
use crate::task::{BatchOutcome, FetchId, FetchRequest, Form, JoinRequest, Outcome, Probe, Source, Verdict};
use std::sync::Arc;

/// The arguments of a fetch.
pub struct FetchCall<'a> {
    /// How the host wants its results delivered.
    pub form: Form,
    /// The engine's settings, overridden by the options of the call.
    pub settings: CallSettings<'a>,
    /// Progress is reported each time that this many more positions are settled; 0 means never.
    pub progress_step: usize,
    /// The host's handle, to cancel the fetch and to wait for it.
    pub handle: Option<&'a Arc<FetchHandle>>,
    /// Whether the call itself may return the results if all are in the store. No event follows then.
    pub at_once: bool,
}

/// The result of a call.
#[derive(Debug)]
pub enum FetchAnswer {
    /// `Form::Each` with one key: its outcome; no event follows.
    Now(Outcome),
    /// `Form::All`: the results; no event follows.
    Ready(Results),
    /// Accepted: the events follow.
    Pending,
}

/// The keys of a call. A single key is borrowed until the call returns; several keys are copied.
enum KeyArgs<'k> {
    One(&'k [u8]),
    Many(PackedKeys),
}

impl KeyArgs<'_> {
    fn as_call_keys(&self) -> CallKeys<'_> {
        match self {
            KeyArgs::One(key) => CallKeys::One(key),
            KeyArgs::Many(keys) => CallKeys::Many(keys),
        }
    }
}

/// The results of validating and looking up the keys of a call.
struct ProbeResults {
    keys: PackedKeys,
    probes: Vec<Probe>,
    missed: usize,
    records: Option<Box<LookupRecords>>,
}

/// The events for the record listener: VALUE, NULL, MISS or INVALID_KEY for each position that was looked up.
#[derive(Default)]
struct LookupRecords {
    keys: PackedKeys,
    seen: Vec<Option<Status>>,
}

/// The arguments of a call that apply to all of its keys.
struct CallContext<'a> {
    call: &'a FetchCall<'a>,
    /// Whether the receiver runs no host code, so that the thread that settles an event delivers it.
    direct: bool,
    deadline: Option<Moment>,
    urgency: i32,
    context: Option<Arc<Object>>,
    /// The store's epoch before the lookups.
    epoch: u64,
}

impl CallContext<'_> {
    /// Whether the call can do without a record in the table if it joins a load: it cannot be cancelled, does not time out, reports no
    /// progress, and does not switch to a fallback after a time.
    fn can_join_alone(&self) -> bool {
        let CallContext { call, direct, deadline, .. } = self;
        let is_bounded = deadline.is_some() || call.settings.stale_timeout.is_some();
        !is_bounded && !direct && call.handle.is_none() && call.progress_step == 0
    }
}

impl Core {
    /// Fetches `keys`. A key longer than [`KEY_MAX`] bytes fails on its own. `receiver` is called only if events follow.
    pub fn fetch<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone,
        call: &FetchCall<'_>,
        receiver: impl FnOnce() -> Box<dyn Receiver>,
    ) -> Result<FetchAnswer, Status> {
        self.fetch_to(keys, call, false, receiver)
    }

    fn fetch_to<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone,
        call: &FetchCall<'_>,
        direct: bool,
        receiver: impl FnOnce() -> Box<dyn Receiver>,
    ) -> Result<FetchAnswer, Status> {
        self.check_open()?;
        // Counted from the beginning of the call (rule F10).
        let deadline = call.settings.timeout.map(|timeout| self.clock.moment().after(timeout));
        let (urgency, context) = match call.handle {
            Some(handle) => handle.begin(keys.len())?,
            None => (None, None),
        };
        let urgency = urgency.or(call.settings.urgency).unwrap_or(0);
        let mut asking = CallContext { call, direct, deadline, urgency, context, epoch: self.loads().epoch() };
        // Most fetches have one key and need no lists, unless there is a record listener.
        let is_one = call.form == Form::Each && keys.len() == 1 && self.hooks.record.is_none();
        let result = match keys.clone().next() {
            Some(key) if is_one && key.len() <= KEY_MAX => self.fetch_one(key, &mut asking, receiver),
            _ => self.fetch_many(keys, &mut asking, receiver),
        };
        if let (Err(_), Some(handle)) = (&result, call.handle) {
            handle.give_back();
        }
        result
    }

    #[inline(always)]
    fn fetch_one(&self, key: &[u8], asking: &mut CallContext<'_>, receiver: impl FnOnce() -> Joiner) -> Result<FetchAnswer, Status> {
        let (call, hash) = (asking.call, self.hash_of(key));
        let mut probe = match call.at_once {
            // An answer that the call returns at once does not report its age and cost.
            true => self.probe_key(hash, key, &call.settings, || self.probe(hash, key), |hit| Outcome::of(hit.answer, Source::Store)),
            false => self.probe_key(hash, key, &call.settings, || self.probe(hash, key), |hit| outcome_of(hit, &Now::of(&self.clock))),
        };
        if call.at_once
            && let Probe::Settled(outcome) = probe
        {
            self.end_at_once(call, receiver, 1, usize::from(outcome.error().is_some()));
            return Ok(FetchAnswer::Now(outcome));
        }
        self.ask_one(hash, key, &mut probe, asking, receiver())
    }

    /// Continues a fetch of one key that the call itself does not answer: joins the key's load, or registers the fetch in the table. Not
    /// inlined, so that a hit saves no registers for this.
    #[inline(never)]
    fn ask_one(
        &self,
        hash: u64,
        key: &[u8],
        probe: &mut Probe,
        asking: &mut CallContext<'_>,
        mut receiver: Box<dyn Receiver>,
    ) -> Result<FetchAnswer, Status> {
        if matches!(probe, Probe::Missed { .. }) && asking.can_join_alone() {
            match self.join_alone(hash, key, asking, receiver)? {
                None => return Ok(FetchAnswer::Pending),
                Some(unused) => receiver = unused,
            }
        }
        self.ask(KeyArgs::One(key), std::slice::from_mut(probe), None, asking, receiver)
    }

    /// Joins the load of `key`, if there is one. Otherwise, or if the store may have the key by now, returns the receiver.
    fn join_alone(&self, hash: u64, key: &[u8], asking: &CallContext<'_>, receiver: Joiner) -> Result<Option<Joiner>, Status> {
        let mut receiver = Some(receiver);
        let is_open = self.with_table(|table, _| {
            let is_open = table.is_open();
            if is_open {
                let reprobe = self.loads().epoch() != asking.epoch;
                let request = JoinRequest { hash, key, reprobe, settings: &asking.call.settings, urgency: asking.urgency };
                table.join_alone(&request, || {
                    self.life.begin(self.routes.results_at());
                    receiver.take().expect("it joins once")
                });
            }
            is_open
        });
        // No lock is held here: if the fetch was refused, the receiver is dropped, and its user data with it.
        if is_open { Ok(receiver) } else { Err(Status::ERR_CLOSED) }
    }

    fn fetch_many<'k>(
        &self,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        asking: &mut CallContext<'_>,
        receiver: impl FnOnce() -> Box<dyn Receiver>,
    ) -> Result<FetchAnswer, Status> {
        let call = asking.call;
        let mut probed = self.probe_keys(keys, call)?;
        // With `Form::Each`, a fetch of no keys has nothing to deliver.
        let is_empty = probed.probes.is_empty() && call.form == Form::Each;
        if (call.at_once || is_empty) && probed.missed == 0 {
            self.end_at_once(call, receiver, probed.probes.len(), probed.failures());
            probed.records.take().into_iter().for_each(|records| self.report_records(&records));
            return Ok(probed.answer_at_once(call));
        }
        let ProbeResults { keys, mut probes, records, .. } = probed;
        self.ask(KeyArgs::Many(keys), &mut probes, records, asking, receiver())
    }

    /// Ends a fetch whose results the call itself returns: no event follows.
    fn end_at_once(&self, call: &FetchCall<'_>, receiver: impl FnOnce() -> Box<dyn Receiver>, settled: usize, failed: usize) {
        // The user data is dropped first: a thread that waits for the fetch may rely on that.
        drop(receiver);
        if let Some(handle) = call.handle {
            handle.note_progress(settled, failed);
            drop(handle.end());
        }
    }

    /// Validates and looks up each key in order, under no lock but the shard's.
    fn probe_keys<'k>(&self, keys: impl Iterator<Item = &'k [u8]> + Clone, call: &FetchCall<'_>) -> Result<ProbeResults, Status> {
        let now = Now::of(&self.clock);
        let count = keys.size_hint().0;
        let records = self.hooks.record.is_some().then(Box::default);
        let packed = PackedKeys::try_with_capacity(count, count.saturating_mul(16)).ok_or(Status::ERR_NO_MEMORY)?;
        let mut probed = ProbeResults { keys: packed, probes: Vec::new(), missed: 0, records };
        probed.probes.try_reserve_exact(count).map_err(|_| Status::ERR_NO_MEMORY)?;
        if let Some(records) = &mut probed.records {
            records.keys = PackedKeys::try_with_capacity(count, 0).ok_or(Status::ERR_NO_MEMORY)?;
        }
        for (hash, key) in self.prefetch_ahead(keys) {
            let probe = self.probe_key(hash, key, &call.settings, || self.probe_inlined(hash, key), |hit| outcome_of(hit, &now));
            probed.keys.try_push(key).map_err(|_| Status::ERR_NO_MEMORY)?;
            probed.missed += usize::from(matches!(probe, Probe::Missed { .. }));
            if let Some(records) = &mut probed.records {
                records.keys.try_push(key).map_err(|_| Status::ERR_NO_MEMORY)?;
                records.seen.try_reserve(1).map_err(|_| Status::ERR_NO_MEMORY)?;
                records.seen.push(record_of(&probe));
            }
            probed.probes.push(probe);
        }
        Ok(probed)
    }

    #[inline]
    fn probe_key(
        &self,
        hash: u64,
        key: &[u8],
        settings: &FetchSettings,
        probe: impl FnOnce() -> Option<Hit>,
        outcome: impl FnOnce(Hit) -> Outcome,
    ) -> Probe {
        if key.len() > KEY_MAX {
            return Probe::Settled(Outcome::failed(Error::of(Status::ERR_KEY_TOO_LONG)));
        }
        if !self.is_valid(key) {
            self.store.count_invalid_key();
            return Probe::Settled(Outcome::bare(Verdict::InvalidKey));
        }
        if settings.reads_store()
            && let Some(hit) = probe()
        {
            return Probe::Settled(outcome(hit));
        }
        Probe::Missed { hash }
    }

    /// Reports each position to the record listener, in the order of the call and under no lock (rule S12).
    fn report_records(&self, records: &LookupRecords) {
        for (key, record) in records.keys.iter().zip(&records.seen) {
            record.iter().for_each(|record| self.record(*record, key));
        }
    }

    fn ask(
        &self,
        mut keys: KeyArgs<'_>,
        probes: &mut [Probe],
        mut records: Option<Box<LookupRecords>>,
        asking: &mut CallContext<'_>,
        receiver: Box<dyn Receiver>,
    ) -> Result<FetchAnswer, Status> {
        let CallContext { call, direct, deadline, urgency, ref mut context, epoch } = *asking;
        let reservation = Reservation::try_new(probes.len(), call.form).ok_or(Status::ERR_NO_MEMORY)?;
        let events = Events::try_new(probes.len(), call.form, call.progress_step).ok_or(Status::ERR_NO_MEMORY)?;
        let kept = match &keys {
            KeyArgs::One(key) => EventKeys::One(Key::new(key)),
            KeyArgs::Many(_) => EventKeys::Many(PackedKeys::default()),
        };
        let fetch_events = FetchEvents::new(self.me(), call.handle.cloned(), direct, events, receiver, kept);
        if let (true, KeyArgs::Many(packed)) = (is_long(probes.len()), &mut keys) {
            let (none, keys) = (PackedKeys::default(), std::mem::take(packed));
            let ask = FetchRequest {
                keys: CallKeys::Many(&none),
                probes: &mut [],
                reprobe: false,
                form: call.form,
                settings: &call.settings,
                sink: Some(FetchSink(fetch_events.clone())),
                context: context.take(),
                urgency,
                deadline,
                progress_step: call.progress_step,
                reservation,
            };
            let mut long = LongCall { keys, probes, epoch, events: Some(&fetch_events), found: Vec::new() };
            let accepted = self.ask_in_steps(ask, &mut long, |table, cx, id, keys| {
                fetch_events.keep_keys(keys);
                self.activate(call, id, table, cx);
            });
            let found = long.found;
            return match accepted {
                Ok(()) => {
                    if let Some(mut records) = records {
                        note_found(&mut records, &found);
                        self.report_records(&records);
                    }
                    Ok(FetchAnswer::Pending)
                }
                Err(status) => {
                    drop(fetch_events.withdraw());
                    Err(status)
                }
            };
        }
        let mut unaccepted = None;
        let result = self.try_with_table(
            |table, cx| {
                if !table.is_open() {
                    return Err(Status::ERR_CLOSED);
                }
                self.life.begin(fetch_events.site());
                let ask = FetchRequest {
                    keys: keys.as_call_keys(),
                    probes,
                    reprobe: self.loads().epoch() != epoch,
                    form: call.form,
                    settings: &call.settings,
                    sink: Some(FetchSink(fetch_events.clone())),
                    // Taken out of the call, so that it is dropped under no lock even if the call fails: it may belong to the host.
                    context: context.take(),
                    urgency,
                    deadline,
                    progress_step: call.progress_step,
                    reservation,
                };
                let refused = RefusalGuard { core: self, fetch_events: &fetch_events, recipient: &mut unaccepted };
                let id = table.ask(ask, cx);
                std::mem::forget(refused);
                if let KeyArgs::Many(keys) = &mut keys {
                    fetch_events.keep_keys(std::mem::take(keys));
                }
                self.activate(call, id, table, cx);
                if let Some(records) = &mut records {
                    note_found(records, &cx.store.found);
                }
                Ok(FetchAnswer::Pending)
            },
            |request| self.hand_to_provider(request),
        );
        match result {
            Ok(Ok(answer)) => {
                records.into_iter().for_each(|records| self.report_records(&records));
                Ok(answer)
            }
            // No lock is held here, so the user data of a fetch that was not accepted can be released.
            Ok(Err(refused)) => {
                drop(fetch_events.withdraw());
                Err(refused)
            }
            Err(_) => {
                drop(unaccepted);
                Err(Status::ERR_PANIC)
            }
        }
    }

    /// Connects the call's handle to the fetch once the table has all keys, and applies what the program has asked of the handle since the
    /// call began.
    #[inline]
    fn activate(&self, call: &FetchCall<'_>, id: Option<FetchId>, table: &mut EngineTable, cx: &mut EngineContext<'_, '_>) {
        let Some(handle) = call.handle else { return };
        let early = handle.activate(&self.me(), id);
        let id = id.unwrap_or(FetchId::NULL);
        early.urgency.into_iter().for_each(|urgency| table.set_urgency(id, urgency, cx));
        if early.cancelled {
            table.cancel(id, cx);
        }
    }

    /// Lets the keys of the next fetches gather for fuller requests, or hands out the keys that have gathered.
    pub fn gather(&self, gathers: bool) -> Result<(), Status> {
        self.check_open()?;
        self.with_table(|table, cx| {
            self.gathers.store(gathers, Ordering::Relaxed);
            table.gather(gathers, cx);
        });
        Ok(())
    }

    /// Hands out what has gathered, because the calling thread is about to wait for a fetch, and may be the one that was to end the
    /// gathering.
    pub(super) fn end_gathering(&self) {
        // The flag changes only under the table's lock. The thread's fetch took that lock too, so if its keys gather, the thread sees the
        // flag.
        if rarely(self.gathers.load(Ordering::Relaxed)) {
            let _ = self.gather(false);
        }
    }

    /// Reloads `keys`, or joins their loads in progress. Delivers nothing.
    pub fn refresh<'k>(&self, keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone, settings: &Arc<FetchSettings>) -> Result<(), Status> {
        // A refresh loads and stores; options that forbid either contradict it.
        if !settings.read.loads() || !settings.read.stores() {
            return Err(Status::ERR_INVALID_ARG);
        }
        self.check_open()?;
        let mut packed = PackedKeys::try_with_capacity(keys.len(), 0).ok_or(Status::ERR_NO_MEMORY)?;
        for key in keys.filter(|key| key.len() <= KEY_MAX && self.is_valid(key)) {
            packed.try_push(key).map_err(|_| Status::ERR_NO_MEMORY)?;
        }
        let reservation = Reservation::try_new(0, Form::Refresh).ok_or(Status::ERR_NO_MEMORY)?;
        let mut probes = Vec::new();
        probes.try_reserve_exact(packed.len()).map_err(|_| Status::ERR_NO_MEMORY)?;
        probes.extend(packed.iter().map(|key| Probe::Missed { hash: self.hash_of(key) }));
        let urgency = settings.urgency.unwrap_or(BACKGROUND);
        if is_long(packed.len()) {
            let none = PackedKeys::default();
            let ask = silent_request(Form::Refresh, CallKeys::Many(&none), &mut [], settings, urgency, reservation);
            let mut long = LongCall { keys: packed, probes: &mut probes, epoch: 0, events: None, found: Vec::new() };
            return self.ask_in_steps(ask, &mut long, |_, _, _, _| {});
        }
        self.with_table(|table, cx| {
            if !table.is_open() {
                return Err(Status::ERR_CLOSED);
            }
            table.ask(silent_request(Form::Refresh, CallKeys::Many(&packed), &mut probes, settings, urgency, reservation), cx);
            Ok(())
        })
    }

    /// Refreshes `key` in the background, because its entry was used shortly before it expires. Joins a load of the key that is in
    /// progress; does nothing if the queue has no place (rule R05) or the engine is closing.
    pub(super) fn refresh_ahead(&self, key: &[u8]) {
        let read = self.refresh_settings().read;
        if !read.loads() || !read.stores() {
            // With these settings, nothing is loaded, or nothing is stored.
            return;
        }
        let Some(reservation) = Reservation::try_new(0, Form::Ahead) else { return };
        let hash = self.hash_of(key);
        self.with_table(|table, cx| {
            if table.is_open() {
                let probes = &mut [Probe::Missed { hash }];
                let ask = silent_request(Form::Ahead, CallKeys::One(key), probes, &self.loads().refresh_settings, BACKGROUND, reservation);
                table.ask(ask, cx);
            }
        });
    }

    /// Fetches and waits for the results. Must not be called from callbacks: a provider or the dispatcher would wait for itself.
    pub fn fetch_wait<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone,
        call: &FetchCall<'_>,
    ) -> Result<FetchAnswer, Status> {
        let call = FetchCall { at_once: true, settings: call.settings.clone(), ..*call };
        let waiter = Arc::new(BlockingWaiter::default());
        let receiver = || Box::new(waiter.clone()) as Box<dyn Receiver>;
        match self.fetch_to(keys, &call, true, receiver)? {
            FetchAnswer::Pending => {
                self.end_gathering();
                Ok(waiter.wait())
            }
            at_once => Ok(at_once),
        }
    }
}

/// The arguments of a refresh: a fetch whose results are not delivered.
fn silent_request<'a>(
    form: Form,
    keys: CallKeys<'a>,
    probes: &'a mut [Probe],
    settings: &'a Arc<FetchSettings>,
    urgency: i32,
    reservation: Reservation,
) -> FetchRequest<'a, EngineHost> {
    let (sink, context, deadline) = (None, None, None);
    FetchRequest { keys, probes, reprobe: false, form, settings, sink, context, urgency, deadline, progress_step: 0, reservation }
}

/// Cleans up after a panic of the table while it accepts a fetch: the table settles everything, but a call that fails must deliver nothing
/// (rule F01).
struct RefusalGuard<'a> {
    core: &'a Core,
    fetch_events: &'a FetchEvents,
    /// Receives the recipient with the user data, to be dropped where no lock is held.
    recipient: &'a mut Option<Recipient>,
}

impl Drop for RefusalGuard<'_> {
    fn drop(&mut self) {
        *self.recipient = self.fetch_events.withdraw();
        self.core.life.end_one(self.fetch_events.site());
    }
}

impl ProbeResults {
    fn failures(&self) -> usize {
        self.probes.iter().filter(|probe| matches!(probe, Probe::Settled(outcome) if outcome.error().is_some())).count()
    }

    fn answer_at_once(self, call: &FetchCall<'_>) -> FetchAnswer {
        let outcome = |probe| match probe {
            Probe::Settled(outcome) => outcome,
            Probe::Missed { .. } => Outcome::bare(Verdict::Miss),
        };
        // This reuses the memory of the probes, which are as large.
        let mut outcomes: Vec<Outcome> = self.probes.into_iter().map(outcome).collect();
        if call.form == Form::Each
            && let Some(only) = outcomes.pop()
        {
            return FetchAnswer::Now(only);
        }
        let is_whole = call.settings.batch_mode.is_all_or_nothing();
        let ended = if is_whole { outcomes.iter().find_map(Outcome::error).cloned() } else { None };
        FetchAnswer::Ready(Results { keys: self.keys, batch: BatchOutcome { outcomes, ended } })
    }
}

/// The status for the record listener of a position after its lookup; `None` for one that was not looked up.
fn record_of(probe: &Probe) -> Option<Status> {
    match probe {
        Probe::Missed { .. } => Some(Status::MISS),
        Probe::Settled(outcome) => Some(outcome.status()).filter(|status| !status.is_error()),
    }
}

/// Corrects the records of positions that missed at first but were found by the second lookup. `found` lists these in the order of the
/// call.
fn note_found(records: &mut LookupRecords, found: &[(Key, Status)]) {
    let mut found = found.iter().peekable();
    for (key, record) in records.keys.iter().zip(&mut records.seen) {
        if *record == Some(Status::MISS)
            && let Some((_, status)) = found.next_if(|(name, _)| name.as_bytes() == key)
        {
            *record = Some(*status);
        }
    }
}

/// Where a blocking fetch waits for its answer. No host code runs here.
#[derive(Default)]
struct BlockingWaiter {
    answer: Mutex<Option<FetchAnswer>>,
    arrived: Condvar,
}

impl BlockingWaiter {
    fn wait(&self) -> FetchAnswer {
        if let Some(answer) = linger(|| self.answer.lock().take()) {
            return answer;
        }
        let mut answer = self.answer.lock();
        loop {
            match answer.take() {
                Some(taken) => return taken,
                None => answer = wait(&self.arrived, answer),
            }
        }
    }

    fn receive(&self, answer: FetchAnswer) {
        *self.answer.lock() = Some(answer);
        self.arrived.notify_all();
    }
}

impl Receiver for Arc<BlockingWaiter> {
    fn result(&mut self, _index: usize, _key: &[u8], outcome: &Outcome, _last: bool) {
        self.receive(FetchAnswer::Now(outcome.clone()));
    }

    fn batch(&mut self, results: Results) {
        self.receive(FetchAnswer::Ready(results));
    }

    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}
