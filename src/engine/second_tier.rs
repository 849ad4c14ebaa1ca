//! How requests for the second tier reach the host, and the host's handle of such a request (rules T01 to T15).
//!
//! A request is passed to a library thread, which calls the host, or to the host's queue. It is pending until the call has returned, or the
//! reader of the queue has taken it. The table decides what becomes of the request, and when. The host holds the only [`TierTicket`] of a
//! request: dropping an unfinished ticket fails the keys to write, or those to read that were not answered.

use super::lifecycle::{CallSite, Lease, PendingCount};
use super::polled_event::PolledEvent;
use super::{Core, Threads};
use crate::base::hint::rarely;
use crate::base::panics::catch_panic;
use crate::base::process::{Generation, HasGeneration};
use crate::base::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, OnceLock, wait, wait_timeout};
use crate::base::{Answer, PackedKeys, Random, Status, StoreTerms, Ttl, Value};
use crate::runtime::delivery::{self, Deliverable, DeliveryResult, PullResult};
use crate::runtime::hooks::call_host;
use crate::runtime::provider_pool::Job;
use crate::task::second_tier::{OutgoingEntry, TierHandout, TierRequestKind};
use crate::task::table::{TierAnswer, TierEnd};
use crate::tier::entry::{Identity, NoEntry, TierEntry};
use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The host's reference to a request for the second tier.
pub struct TierTicket {
    core: Arc<Core>,
    handout: TierHandout,
    finished: AtomicBool,
    /// The bytes of each entry to write, once they are known.
    encoded: Vec<OnceLock<Box<[u8]>>>,
}

/// How much of an entry's TTL is left in the second tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TtlLeft {
    /// The second tier does not say. The TTL in the entry counts in full.
    Unknown,
    /// The second tier does not expire the entry. The TTL in the entry counts in full.
    Never,
    /// This many milliseconds; 0 if the entry has expired.
    Millis(u64),
}

/// An entry that is to be written.
pub struct EntryToWrite<'a> {
    /// The entry, to be stored as it is.
    pub data: &'a [u8],
    /// Its TTL in milliseconds; `None`: it does not expire.
    pub ttl_ms: Option<u64>,
    /// For a fill: the token of the read.
    pub token: &'a [u8],
}

impl TierTicket {
    fn new(core: Arc<Core>, handout: TierHandout) -> TierTicket {
        let encoded = handout.entries.iter().map(|_| OnceLock::new()).collect();
        TierTicket { core, handout, finished: AtomicBool::new(false), encoded }
    }

    /// The process in which the request was created.
    pub fn generation(&self) -> Generation {
        self.core.generation()
    }

    /// Records that the host is about to serve the request. Returns false if the host must not.
    fn take(&self) -> bool {
        self.core.loads().table.lock().take_tier_request(self.handout.id)
    }

    /// What the second tier is to do.
    pub fn kind(&self) -> TierRequestKind {
        self.handout.kind
    }

    /// The keys.
    pub fn keys(&self) -> &PackedKeys {
        &self.handout.keys
    }

    /// The user data of the second tier.
    pub fn user_data(&self) -> *mut c_void {
        self.core.hooks.second_tier.as_ref().map_or(std::ptr::null_mut(), |(tier, _)| tier.user_data())
    }

    fn key(&self, index: usize) -> Result<&[u8], Status> {
        self.keys().get(index).ok_or(Status::ERR_OUT_OF_RANGE)
    }

    /// The entry to write under the key at `index`. Fails with OUT_OF_RANGE, or with WRONG_KIND for another kind of request, and for an
    /// object before [`TierTicket::set_payload`].
    pub fn entry(&self, index: usize) -> Result<EntryToWrite<'_>, Status> {
        let key = self.key(index)?;
        let entry = self.handout.entries.get(index).ok_or(Status::ERR_WRONG_KIND)?;
        let data = match payload_of(entry) {
            Payload::Object => self.encoded[index].get().ok_or(Status::ERR_WRONG_KIND)?,
            Payload::Bytes(value) => self.encoded[index].get_or_init(|| encoded(key, entry, value, false)),
        };
        Ok(EntryToWrite { data, ttl_ms: entry.ttl_ms, token: &entry.token })
    }

    /// The answer to write under the key at `index`. Fails with OUT_OF_RANGE, or with WRONG_KIND for another kind of request.
    pub fn value(&self, index: usize) -> Result<&Answer, Status> {
        self.key(index)?;
        self.handout.entries.get(index).map(|entry| &entry.answer).ok_or(Status::ERR_WRONG_KIND)
    }

    /// States the bytes that stand for the object at `index`. Fails with OUT_OF_RANGE, with WRONG_KIND if there is no object, or with
    /// ALREADY_ANSWERED if the bytes were stated before.
    pub fn set_payload(&self, index: usize, payload: &[u8]) -> Result<(), Status> {
        let key = self.key(index)?;
        let entry = self.handout.entries.get(index).ok_or(Status::ERR_WRONG_KIND)?;
        match payload_of(entry) {
            Payload::Bytes(_) => Err(Status::ERR_WRONG_KIND),
            Payload::Object => self.encoded[index].set(encoded(key, entry, Some(payload), true)).map_err(|_| Status::ERR_ALREADY_ANSWERED),
        }
    }

    /// Decodes an entry of the key at `index`; `None` if `data` is no such entry.
    pub fn decode<'d>(&self, index: usize, data: &'d [u8]) -> Result<Option<TierEntry<'d>>, Status> {
        Ok(TierEntry::decode(self.key(index)?, data).ok())
    }

    /// Like [`TierTicket::hit`], for an entry of an object. `value` is the object, which the host has made of the entry's bytes.
    pub fn hit_object(&self, index: usize, data: &[u8], left: TtlLeft, token: &[u8], value: Value) -> Result<Status, Status> {
        let key = self.key(index)?;
        let given = match TierEntry::decode(key, data) {
            Ok(entry) if entry.is_object && left != TtlLeft::Millis(0) => {
                let answer = Answer::Value(value);
                let terms = self.terms(key, &entry, left, &answer);
                TierAnswer::Hit(answer, terms, token.into())
            }
            _ => TierAnswer::Damaged(token.into()),
        };
        Ok(self.answer(index, given))
    }

    fn answer(&self, index: usize, given: TierAnswer) -> Status {
        let status = self.core.with_table(|table, cx| table.tier_answer(self.handout.id, index, given, cx));
        self.core.throttle_writer(1);
        status
    }

    /// The second tier has this entry of the key at `index`. An entry that cannot be read is a miss.
    pub fn hit(&self, index: usize, data: &[u8], left: TtlLeft, token: &[u8]) -> Result<Status, Status> {
        let key = self.key(index)?;
        let given = match TierEntry::decode(key, data) {
            Ok(entry) if left == TtlLeft::Millis(0) || entry.is_object => TierAnswer::Damaged(token.into()),
            Ok(entry) => self.found(key, &entry, left, token),
            Err(NoEntry) => TierAnswer::Damaged(token.into()),
        };
        Ok(self.answer(index, given))
    }

    fn found(&self, key: &[u8], entry: &TierEntry<'_>, left: TtlLeft, token: &[u8]) -> TierAnswer {
        let answer = match entry.value.map(|bytes| Value::bytes_under(key, bytes)) {
            None => Answer::Null,
            Some(Ok(value)) => Answer::Value(value),
            // A lack of memory counts as a failure of the second tier. Then the provider is called, which may have more luck.
            Some(Err(_)) => return TierAnswer::Failed,
        };
        let terms = self.terms(key, entry, left, &answer);
        TierAnswer::Hit(answer, terms, token.into())
    }

    /// The terms of storing a found entry in this process.
    fn terms(&self, key: &[u8], entry: &TierEntry<'_>, left: TtlLeft, answer: &Answer) -> StoreTerms {
        let written = entry.ttl_ms.map(u64::from);
        let left = match left {
            TtlLeft::Unknown | TtlLeft::Never => written,
            TtlLeft::Millis(left) => Some(written.map_or(left, |written| left.min(written))),
        };
        let left = left.into_iter().chain(self.core.settings.second_tier.local_ttl_ms).min();
        let jitter = self.core.settings.cache.ttl_jitter_ms;
        let ttl = Some(left.map_or(Ttl::Never, |left| Ttl::of_ms(before_jitter(left, jitter))));
        let mut terms = StoreTerms { ttl, ..StoreTerms::default() };
        self.core.state_cost(key, answer, &mut terms);
        terms
    }

    /// The second tier has nothing of the key at `index`. `token` is the lease that it has granted; empty if it has granted none.
    pub fn miss(&self, index: usize, token: &[u8]) -> Result<Status, Status> {
        self.key(index)?;
        Ok(self.answer(index, TierAnswer::Miss(token.into())))
    }

    /// The second tier has nothing of the key at `index`, and has granted the lease to another process.
    pub fn leased(&self, index: usize) -> Result<Status, Status> {
        self.key(index)?;
        Ok(self.answer(index, TierAnswer::Leased))
    }

    /// Whether the lease of the key at `index` may be taken from the process that has it, because this process has waited long enough.
    pub fn is_steal(&self, index: usize) -> bool {
        u32::try_from(index).is_ok_and(|index| self.handout.steals.binary_search(&index).is_ok())
    }

    /// The second tier has failed to read or to write the key at `index`.
    pub fn fail(&self, index: usize) -> Result<Status, Status> {
        match self.kind() {
            TierRequestKind::Read => {
                self.key(index)?;
                Ok(self.answer(index, TierAnswer::Failed))
            }
            // A clear has no keys: it fails as a whole.
            TierRequestKind::Clear if index == 0 => Ok(self.not_done(index, false)),
            _ => {
                self.key(index)?;
                Ok(self.not_done(index, false))
            }
        }
    }

    /// The second tier has refused to store the key at `index`: the key is no longer as the read found it, or the second tier does not take
    /// such values.
    pub fn refused(&self, index: usize) -> Result<Status, Status> {
        self.key(index)?;
        Ok(self.not_done(index, true))
    }

    fn not_done(&self, index: usize, is_refused: bool) -> Status {
        self.core.with_table(|table, _| table.tier_not_done(self.handout.id, index, is_refused))
    }

    /// Ends the request. Keys to write that were not failed are written; keys to read that were not answered have failed.
    pub fn finish(&self) -> Status {
        self.end(TierEnd::Finished)
    }

    fn end(&self, how: TierEnd) -> Status {
        if self.finished.swap(true, Ordering::AcqRel) {
            return Status::ERR_ALREADY_ANSWERED;
        }
        self.core.with_table(|table, cx| table.tier_finish(self.handout.id, how, cx))
    }
}

impl Drop for TierTicket {
    fn drop(&mut self) {
        let _ = catch_panic(|| self.end(TierEnd::Dropped));
        let entries = std::mem::take(&mut self.handout.entries);
        if entries.iter().any(|entry| entry.answer.runs_host_code_on_drop()) {
            // Like all values, they are dropped where callbacks run.
            self.core.send_drop(entries);
        }
    }
}

/// A TTL that, even with the store's jitter, ends within `left_ms`, so that what was found does not outlive the entry in the second tier.
/// The jitter is at most half of the TTL, either way.
fn before_jitter(left_ms: u64, jitter_ms: u64) -> u64 {
    (left_ms - jitter_ms.min(left_ms.div_ceil(3))).max(left_ms.min(1))
}

/// What an entry for the second tier contains.
enum Payload<'a> {
    /// The value's bytes; `None` for null.
    Bytes(Option<&'a [u8]>),
    /// Bytes that the host states, which stand for an object.
    Object,
}

fn payload_of(entry: &OutgoingEntry) -> Payload<'_> {
    match entry.answer.value() {
        None => Payload::Bytes(None),
        Some(value) => value.as_bytes().map_or(Payload::Object, |bytes| Payload::Bytes(Some(bytes))),
    }
}

fn encoded(key: &[u8], entry: &OutgoingEntry, value: Option<&[u8]>, is_object: bool) -> Box<[u8]> {
    let mut random = Random::new(None);
    let mut identity = Identity::default();
    identity[..8].copy_from_slice(&random.bits().to_le_bytes());
    identity[8..].copy_from_slice(&random.bits().to_le_bytes()[..4]);
    let ttl_ms = entry.ttl_ms.map(|ttl| u32::try_from(ttl).unwrap_or(u32::MAX));
    let load_ms = u32::try_from(entry.load_ms).unwrap_or(u32::MAX);
    TierEntry { value, is_object, ttl_ms, load_ms, identity }.encode(key).into()
}

impl Core {
    /// Passes a request to where the second tier is served. Called with no lock held, while other work is pending.
    pub(super) fn hand_to_tier(&self, handout: TierHandout) {
        let ticket = TierTicket::new(self.me(), handout);
        if let Some(queue) = &self.routes.second_tier {
            let pending = PendingCount::new(self.me(), CallSite::Queue);
            return queue.send(Arc::new(TierDelivery(Mutex::new(Some(TierCall { ticket, core: self.me(), pending, _lease: None })))));
        }
        // The engine's own threads are joined and need no lease.
        let lease = matches!(self.threads, Threads::Shared(_)).then(|| self.life.lease());
        let pending = PendingCount::new(self.me(), CallSite::Threads);
        let call = Box::new(TierCall { ticket, core: self.me(), pending, _lease: lease });
        match self.runtime() {
            Some(runtime) => runtime.run(self.settings.tasks.stack_bytes, call),
            None => call.refused(),
        }
    }

    /// Calls the host, unless the request must not be served any more. Returns whether the host was called.
    fn serve_tier(&self, ticket: TierTicket) -> bool {
        let runs = ticket.take();
        match &self.hooks.second_tier {
            // Whatever the host does with the ticket, dropping it ends the request.
            Some((tier, _)) if runs => {
                call_host(|| tier.serve(ticket));
            }
            _ => drop(ticket),
        }
        runs
    }

    /// Waits until the second tier has everything that was written before this call, for at most `timeout`. Returns false if the time ran
    /// out. Fails with CLOSED if some of it was given up. Must not be called from callbacks.
    pub fn sync_second_tier(&self, timeout: Option<Duration>) -> Result<bool, Status> {
        self.check_not_over()?;
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let loads = self.loads();
        let upto = loads.table.lock().tier_written();
        let progress = &loads.tier_progress;
        progress.awaiting.fetch_add(1, Ordering::SeqCst);
        let result = loop {
            let seen = *progress.steps.lock();
            match loads.table.lock().has_tier_written(upto) {
                Some(true) => break Ok(true),
                None => break Err(Status::ERR_CLOSED),
                Some(false) => {}
            }
            let mut steps = progress.steps.lock();
            let mut is_over = false;
            while *steps == seen && !is_over {
                match until {
                    None => steps = wait(&progress.changed, steps),
                    Some(until) => {
                        let left = until.saturating_duration_since(Instant::now());
                        is_over = left.is_zero();
                        if !is_over {
                            steps = wait_timeout(&progress.changed, steps, left);
                        }
                    }
                }
            }
            if is_over {
                break Ok(false);
            }
        };
        progress.awaiting.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Wakes the threads in [`Core::sync_second_tier`], since something may have been written to the second tier, or given up.
    #[inline]
    pub(super) fn note_tier_progress(&self) {
        let progress = &self.loads().tier_progress;
        if rarely(progress.awaiting.load(Ordering::SeqCst) > 0) {
            *progress.steps.lock() += 1;
            progress.changed.notify_all();
        }
    }
}

/// What the threads in [`Core::sync_second_tier`] wait for.
#[derive(Default)]
pub(super) struct TierProgress {
    /// The number of these threads.
    awaiting: AtomicUsize,
    /// How often they were woken. Locked under no other lock, and no other is taken under it.
    steps: Mutex<u64>,
    changed: Condvar,
}

/// A call of the second tier that is due. The fields are in the order in which they must be dropped.
struct TierCall {
    ticket: TierTicket,
    core: Arc<Core>,
    pending: PendingCount,
    _lease: Option<Lease>,
}

impl Job for TierCall {
    fn run(self: Box<Self>) {
        let TierCall { ticket, core, pending, _lease } = *self;
        // A panic of the library must neither be printed nor keep the engine from ending.
        let _ = catch_panic(|| core.serve_tier(ticket));
        drop((core, pending));
    }

    fn refused(self: Box<Self>) {
        // Dropping the ticket fails the request.
        drop(self);
    }
}

/// A request that waits in the program's queue.
struct TierDelivery(Mutex<Option<TierCall>>);

impl Deliverable for TierDelivery {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let call = {
            let mut held = self.0.lock();
            let is_callable = |call: &TierCall| call.core.hooks.second_tier.as_ref().is_some_and(|(tier, _)| tier.is_callable());
            if held.as_ref().is_some_and(|call| !is_callable(call)) {
                drop(held);
                return DeliveryResult { count: 0, remainder: delivery::Remainder::NoFunction(self) };
            }
            held.take()
        };
        let Some(TierCall { ticket, core, pending, .. }) = call else { return DeliveryResult::all(0) };
        let _delivering = core.delivering(CallSite::Queue);
        let ran = core.serve_tier(ticket);
        drop((core, pending));
        DeliveryResult::all(usize::from(ran))
    }

    fn pull(self: Arc<Self>) -> PullResult {
        let Some(TierCall { ticket, core, pending, .. }) = self.0.lock().take() else { return PullResult::nothing() };
        if !ticket.take() {
            drop((ticket, core, pending));
            return PullResult::nothing();
        }
        drop(pending);
        PullResult { event: Some(Box::new(PolledEvent::SecondTier { core, ticket })), more: false }
    }
}
