//! The provider's handle of a request. It stays valid after everything else has ended; its calls then return KVL_ERR_CLOSED.
//!
//! The table and the engine's own deliveries hold [`ProviderRequest`]s; the host holds the only [`Ticket`]. Dropping an unfinished ticket
//! finishes the request: a promise to answer cannot be dropped silently.

use super::Core;
use super::host::CostFunction;
use super::lifecycle::PendingCount;
use super::polled_event::PolledEvent;
use super::providing::RequestDelivery;
use crate::base::object::Object;
use crate::base::panics::catch_panic;
use crate::base::process::{Generation, HasGeneration};
use crate::base::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::base::sync::{Mutex, OnceLock};
use crate::base::{Answer, Error, Labels, Now, PackedKeys, Status, StoreTerms, Value};
use crate::runtime::delivery::{self, Deliverable, DeliveryResult, PullResult};
use crate::runtime::hooks::call_host;
use crate::task::{Cancel, Handout, RequestId, Unanswered};
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The request to which a ticket belongs.
pub struct ProviderRequest {
    core: Arc<Core>,
    handout: Handout<Arc<Object>>,
    finished: AtomicBool,
    /// 0, or a [`Cancel`].
    cancelled: AtomicU32,
    hook: Mutex<HookState>,
    /// The delivery in the program's queue, if there is one; needed to withdraw the request.
    delivery: OnceLock<Weak<RequestDelivery>>,
    by_key: OnceLock<HashMap<Vec<u8>, usize>>,
    /// What the store had of each key when the provider first asked for that.
    known: OnceLock<Box<[OnceLock<Option<KnownEntry>>]>>,
}

/// What the store had of a key (rule R06).
pub struct KnownEntry {
    /// The value, or null.
    pub answer: Answer,
    /// The age of the entry, in milliseconds.
    pub age_ms: u64,
    /// The version and the tags of the entry.
    pub labels: Option<Labels>,
}

/// Called when the request is no longer wanted. Dropped after the call, or when the request is finished.
pub trait CancelHook: Send {
    /// The request is no longer wanted.
    fn cancelled(&self, why: Cancel);
    /// Whether there is a function to call; if not, the event is for a host's queue.
    fn is_callable(&self) -> bool {
        true
    }
    /// The hook itself, for the reader of a queue.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

enum HookState {
    /// No hook was set.
    Unset,
    Set(Box<dyn CancelHook>),
    /// Sent to where it runs.
    Due(DueHook),
    /// The hook has run, or never will.
    Over,
}

/// With at least this many keys, [`ProviderRequest::index_of`] uses a hash table.
const MANY: usize = 32;

impl ProviderRequest {
    pub(super) fn new(core: Arc<Core>, handout: Handout<Arc<Object>>) -> ProviderRequest {
        ProviderRequest {
            core,
            handout,
            finished: AtomicBool::new(false),
            cancelled: AtomicU32::new(0),
            hook: Mutex::new(HookState::Unset),
            delivery: OnceLock::new(),
            by_key: OnceLock::new(),
            known: OnceLock::new(),
        }
    }

    /// The engine.
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Records why the request is no longer wanted. Returns true if the hook must be sent.
    pub(super) fn note_cancel(&self, why: Cancel) -> bool {
        let mut hook = self.hook.lock();
        // The first reason stays.
        let _ = self.cancelled.compare_exchange(0, why as u32, Ordering::AcqRel, Ordering::Relaxed);
        match std::mem::replace(&mut *hook, HookState::Over) {
            HookState::Set(set) => {
                let pending = PendingCount::new(self.core.clone(), self.core.routes.provider_at());
                *hook = HookState::Due(DueHook { hook: set, why, pending });
                true
            }
            other => {
                *hook = other;
                false
            }
        }
    }

    /// Records the request's delivery in the program's queue.
    pub(super) fn set_delivery(&self, item: &Arc<RequestDelivery>) {
        let _ = self.delivery.set(Arc::downgrade(item));
    }

    /// Withdraws the request from the program's queue, if it still waits there, because no key of it is wanted any more.
    pub(super) fn withdraw(&self) {
        if let Some(item) = self.delivery.get().and_then(Weak::upgrade) {
            item.withdraw();
        }
    }

    /// The keys.
    pub fn keys(&self) -> &PackedKeys {
        &self.handout.keys
    }

    /// The provider's user data.
    pub fn user_data(&self) -> *mut std::ffi::c_void {
        self.core.hooks.provider.as_ref().map_or(std::ptr::null_mut(), |provider| provider.user_data())
    }

    /// The number of the attempt of the key's flight, counted from 1.
    pub fn attempt(&self, index: usize) -> Option<u32> {
        self.handout.attempts.get(index).copied()
    }

    /// The context of the fetch that started the key's flight.
    pub fn context(&self, index: usize) -> Option<&Object> {
        self.handout.contexts.get(index)?.as_deref()
    }

    /// Whether dropping the last reference may run host code.
    pub(super) fn runs_host_code_on_drop(&self) -> bool {
        let known = self.known.get().into_iter().flatten().filter_map(OnceLock::get).flatten();
        self.handout.contexts.iter().flatten().any(|context| context.ends_where_dropped())
            || known.into_iter().any(|known| known.answer.runs_host_code_on_drop())
    }

    /// Returns what the store has of the key at `index`, or had at the first call for this key. Fails with OUT_OF_RANGE.
    pub fn known(&self, index: usize) -> Result<Option<&KnownEntry>, Status> {
        let key = self.keys().get(index).ok_or(Status::ERR_OUT_OF_RANGE)?;
        let all = self.known.get_or_init(|| (0..self.keys().len()).map(|_| OnceLock::new()).collect());
        let look = || {
            let (hit, labels) = catch_panic(|| self.core.store.known(key, &self.core.clock)).unwrap_or_default()?;
            Some(KnownEntry { age_ms: self.core.age_of_ms(&hit), answer: hit.answer, labels })
        };
        Ok(all[index].get_or_init(look).as_ref())
    }

    /// The highest urgency among the keys when the request was formed.
    pub fn urgency(&self) -> i32 {
        self.handout.urgency
    }

    /// Why the request is no longer wanted, as a number of [`Cancel`]; 0 if it is wanted.
    pub fn cancel_reason(&self) -> u32 {
        self.cancelled.load(Ordering::Acquire)
    }

    /// How much time the attempt has left; `None` if it has no timeout.
    pub fn time_left(&self) -> Option<Duration> {
        let now = Now::of(&self.core.clock);
        self.core.loads().table.lock().time_left(self.handout.id, &now)
    }

    /// Whether the answer for this key is wanted.
    pub fn is_wanted(&self, index: usize) -> bool {
        self.core.loads().table.lock().is_wanted(self.handout.id, index)
    }

    /// The index of a key; `None` if it is not in the request.
    pub fn index_of(&self, key: &[u8]) -> Option<usize> {
        let keys = &self.handout.keys;
        if keys.len() < MANY {
            return keys.iter().position(|other| other == key);
        }
        let by_key = self.by_key.get_or_init(|| keys.iter().enumerate().map(|(index, key)| (key.to_vec(), index)).collect());
        by_key.get(key).copied()
    }

    fn finish(&self, rest: Unanswered) -> Status {
        let status = self.core.with_table(|table, cx| table.finish(self.handout.id, rest, cx));
        self.finished.store(true, Ordering::Release);
        // A hook that has not begun never runs. It may hold a ticket of this very request, so it is dropped with no lock held.
        let hook = std::mem::replace(&mut *self.hook.lock(), HookState::Over);
        drop(hook);
        status
    }
}

impl ProviderRequest {
    /// Takes the hook if it is due. `called`: the caller is going to call the hook's function, so this fails if there is none.
    fn take_due(&self, called: bool) -> Result<Option<DueHook>, NoFunction> {
        let mut held = self.hook.lock();
        match std::mem::replace(&mut *held, HookState::Over) {
            HookState::Due(due) if called && !due.hook.is_callable() => {
                *held = HookState::Due(due);
                Err(NoFunction)
            }
            HookState::Due(due) => Ok(Some(due)),
            other => {
                *held = other;
                Ok(None)
            }
        }
    }
}

/// A hook that is due. The fields are in the order in which they must be dropped.
struct DueHook {
    hook: Box<dyn CancelHook>,
    why: Cancel,
    pending: PendingCount,
}

struct NoFunction;

/// A cancel hook that was sent to where it runs. If the request is finished before, the hook does not run.
pub(super) struct CancelDelivery(Mutex<Option<Arc<ProviderRequest>>>);

impl CancelDelivery {
    pub(super) fn new(request: Arc<ProviderRequest>) -> Arc<CancelDelivery> {
        Arc::new(CancelDelivery(Mutex::new(Some(request))))
    }
}

impl Deliverable for CancelDelivery {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let Some(request) = self.0.lock().take() else { return DeliveryResult::all(0) };
        let core = request.core.clone();
        let _delivering = core.delivering(core.routes.provider_at());
        match request.take_due(true) {
            Ok(Some(due)) => {
                let DueHook { hook, why, pending } = due;
                call_host(|| hook.cancelled(why));
                call_host(|| drop(hook));
                core.drop_request(request);
                drop((pending, core));
                DeliveryResult::all(1)
            }
            Ok(None) => {
                core.drop_request(request);
                drop(core);
                DeliveryResult::all(0)
            }
            Err(NoFunction) => {
                *self.0.lock() = Some(request);
                DeliveryResult { count: 0, remainder: delivery::Remainder::NoFunction(self) }
            }
        }
    }

    fn pull(self: Arc<Self>) -> PullResult {
        let Some(request) = self.0.lock().take() else { return PullResult::nothing() };
        let Ok(Some(DueHook { hook, why, pending })) = request.take_due(false) else { return PullResult::nothing() };
        let event = PolledEvent::Cancel { core: request.core.clone(), hook, why, pending: Box::new(pending) };
        PullResult { event: Some(Box::new(event)), more: false }
    }
}

/// The host's reference to a request. Dropping it finishes the request, unless it is finished.
pub struct Ticket(Arc<ProviderRequest>);

impl Ticket {
    pub(super) fn new(request: Arc<ProviderRequest>) -> Ticket {
        Ticket(request)
    }

    pub(super) fn id(&self) -> RequestId {
        self.0.handout.id
    }

    /// Answers the key at `index`. Returns OK, LATE, ALREADY_ANSWERED, OUT_OF_RANGE or CLOSED.
    pub fn resolve(&self, index: usize, answer: Answer, mut terms: StoreTerms) -> Status {
        self.resolve_with(index, |_| Ok(answer), &mut terms).unwrap_or_else(|status| status)
    }

    /// Like [`Ticket::resolve`], with the answer that `make` creates for the key, and with terms that stay where they are. `make` gets an
    /// empty key if the index is out of range; its error is returned.
    #[inline(always)]
    pub fn resolve_with(
        &self,
        index: usize,
        make: impl FnOnce(&[u8]) -> Result<Answer, Status>,
        terms: &mut StoreTerms,
    ) -> Result<Status, Status> {
        let key = self.keys().get(index);
        let answer = make(key.unwrap_or_default())?;
        Ok(key.map_or(Status::ERR_OUT_OF_RANGE, |key| self.resolve_key(index, key, answer, terms)))
    }

    fn resolve_key(&self, index: usize, key: &[u8], answer: Answer, terms: &mut StoreTerms) -> Status {
        self.core.state_cost(key, &answer, terms);
        let status = self.core.with_table(|table, cx| table.resolve(self.id(), index, answer, terms, cx));
        self.core.throttle_writer(1);
        status
    }

    /// Answers the key at `index` with what [`ProviderRequest::known`] returns, because the record has not changed. Returns what
    /// [`Ticket::resolve`] does, or MISS if nothing is known.
    pub fn not_modified(&self, index: usize, terms: StoreTerms) -> Result<Status, Status> {
        let Some(known) = self.known(index)? else { return Ok(Status::MISS) };
        // Every field is named, so that a new one is not forgotten: what the provider does not state may have to come from the known entry.
        let KnownEntry { answer, age_ms: _, labels: known_labels } = known;
        let StoreTerms { ttl, keep_ttl, stale_ms, priority, cost, labels, renews: _ } = terms;
        let labels = Labels::renewed(labels, known_labels.as_ref());
        Ok(self.resolve(index, answer.clone(), StoreTerms { ttl, keep_ttl, stale_ms, priority, cost, labels, renews: true }))
    }

    /// Fails the key at `index`, with the statuses of [`Ticket::resolve`].
    pub fn fail(&self, index: usize, error: Error) -> Status {
        if index >= self.keys().len() {
            return Status::ERR_OUT_OF_RANGE;
        }
        let status = self.core.with_table(|table, cx| table.reject(self.id(), index, error, cx));
        // A stale entry of the key may have been removed.
        self.core.throttle_writer(1);
        status
    }

    /// Answers a key: one of the request's keys, or an extra key, which is stored unless the answer is outdated.
    pub fn supply(&self, key: &[u8], answer: Answer, mut terms: StoreTerms) -> Status {
        if !self.core.is_valid(key) {
            return Status::INVALID_KEY;
        }
        if let Some(index) = self.0.index_of(key) {
            return self.resolve(index, answer, terms);
        }
        self.core.state_cost(key, &answer, &mut terms);
        let status = self.core.with_table(|table, cx| table.extra(self.id(), key, answer, terms, cx));
        self.core.throttle_writer(1);
        status
    }

    /// Finishes the request: `rest` says how keys without an answer are settled.
    pub fn finish(&self, rest: Unanswered) -> Status {
        self.0.finish(rest)
    }

    /// Restarts the attempt's timeout.
    pub fn heartbeat(&self) -> Status {
        let now = Now::of(&self.core.clock);
        self.core.loads().table.lock().heartbeat(self.id(), &now)
    }

    /// Sets the hook that runs when the request is no longer wanted. `Err` returns the hook and the reason why it will not run.
    pub fn on_cancel(&self, new: Box<dyn CancelHook>) -> Result<(), (Status, Box<dyn CancelHook>)> {
        let mut hook = self.0.hook.lock();
        if self.0.finished.load(Ordering::Acquire) {
            return Err((Status::ERR_CLOSED, new));
        }
        if self.0.cancel_reason() != 0 {
            return Err((Status::ERR_CANCELLED, new));
        }
        match *hook {
            HookState::Unset => {
                *hook = HookState::Set(new);
                Ok(())
            }
            HookState::Set(_) | HookState::Due(_) | HookState::Over => Err((Status::ERR_ALREADY_USED, new)),
        }
    }
}

impl HasGeneration for Ticket {
    fn generation(&self) -> Generation {
        self.0.core.generation()
    }
}

impl std::ops::Deref for Ticket {
    type Target = ProviderRequest;
    fn deref(&self) -> &ProviderRequest {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.0.finished.load(Ordering::Acquire) {
            // After a panic, unanswered keys must not count as absent (rule F16a).
            let rest =
                if std::thread::panicking() { Unanswered::Failed(Error::of(Status::ERR_UNANSWERED)) } else { Unanswered::Unanswered };
            let _ = catch_panic(|| self.0.finish(rest));
        }
    }
}

impl Core {
    /// Adds the value's cost to the terms, before any lock is taken (rule S03): the stated cost, else the cost function's. If there
    /// is neither, the store computes the cost.
    #[inline(always)]
    pub(super) fn state_cost(&self, key: &[u8], answer: &Answer, terms: &mut StoreTerms) {
        if let (Some(function), Answer::Value(value), None) = (&self.hooks.cost, answer, terms.cost) {
            terms.cost = Some(cost_by(&**function, key, value));
        }
    }
}

#[inline(never)]
fn cost_by(function: &dyn CostFunction, key: &[u8], value: &Value) -> u64 {
    call_host(|| function.cost(key, value)).unwrap_or_else(|| value.cost())
}
