//! The caller's handle of a fetch: created before the call, so that the fetch can be cancelled before, during and after it.

use super::Core;
use crate::base::object::Object;
use crate::base::process::Generation;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait, wait_until};
use crate::base::{Error, Status};
use crate::task::FetchId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The handle of one fetch, before, during and after its call.
pub struct FetchHandle {
    born: Generation,
    inner: Mutex<HandleState>,
    ended: Condvar,
    done: AtomicUsize,
    failed: AtomicUsize,
    total: AtomicUsize,
}

struct HandleState {
    stage: Stage,
    /// `None`: not stated, so that the options decide.
    urgency: Option<i32>,
    context: Option<Arc<Object>>,
}

enum Stage {
    /// Not used yet.
    Unused,
    /// Cancelled before it was used.
    Cancelled,
    /// A call uses it, and has not put it into the table yet.
    Starting { cancelled: bool },
    /// Under way.
    Active { core: Arc<Core>, id: FetchId },
    /// No longer in the table; its last event may not be delivered yet.
    Settled,
    /// All events are delivered.
    Ended,
}

impl FetchHandle {
    /// The handle of a fetch that has not been used yet.
    #[allow(clippy::new_without_default)] // it belongs to a process, which a default value would hide
    pub fn new() -> FetchHandle {
        FetchHandle {
            born: Generation::now(),
            inner: Mutex::new(HandleState { stage: Stage::Unused, urgency: None, context: None }),
            ended: Condvar::new(),
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
        }
    }

    /// In which process it was made.
    pub fn born(&self) -> Generation {
        self.born
    }

    /// Sets the context that is passed to the provider. `Err` returns the object: the handle was used already.
    pub fn set_context(&self, context: Object) -> Result<(), Object> {
        let mut inner = self.inner.lock();
        if !matches!(inner.stage, Stage::Unused) {
            return Err(context);
        }
        let before = inner.context.replace(Arc::new(context));
        drop(inner);
        // Runs host code.
        drop(before);
        Ok(())
    }

    /// Sets its urgency, before its call or while it waits.
    pub fn set_urgency(&self, urgency: i32) {
        let active = {
            let mut inner = self.inner.lock();
            inner.urgency = Some(urgency);
            inner.active()
        };
        if let Some((core, id)) = active {
            core.with_table(|table, turn| table.set_urgency(id, urgency, turn));
        }
    }

    /// Settles all open positions with CANCELLED.
    pub fn cancel(&self) {
        let active = {
            let mut inner = self.inner.lock();
            match &mut inner.stage {
                Stage::Unused => inner.stage = Stage::Cancelled,
                Stage::Starting { cancelled } => *cancelled = true,
                Stage::Cancelled | Stage::Active { .. } | Stage::Settled | Stage::Ended => {}
            }
            inner.active()
        };
        // The table's lock comes before the handle's, so the handle's is released first. If the fetch ends in between, its
        // id is stale and nothing happens.
        if let Some((core, id)) = active {
            core.with_table(|table, turn| table.cancel(id, turn));
        }
    }

    /// Marks it as used by a call.
    pub(super) fn begin(&self, total: usize) -> Result<(Option<i32>, Option<Arc<Object>>), Status> {
        let mut inner = self.inner.lock();
        match inner.stage {
            Stage::Unused => inner.stage = Stage::Starting { cancelled: false },
            Stage::Cancelled => return Err(Status::ERR_CANCELLED),
            _ => return Err(Status::ERR_ALREADY_USED),
        }
        self.total.store(total, Ordering::Relaxed);
        Ok((inner.urgency, inner.context.clone()))
    }

    /// The call has put it into the table, under whose lock this runs. Returns what the host did with the handle meanwhile.
    pub(super) fn activate(&self, core: &Arc<Core>, id: Option<FetchId>) -> EarlyChanges {
        let mut inner = self.inner.lock();
        let urgency = inner.urgency;
        let Stage::Starting { cancelled } = inner.stage else { return EarlyChanges { cancelled: false, urgency } };
        inner.stage = match id {
            Some(id) => Stage::Active { core: core.clone(), id },
            None => Stage::Settled,
        };
        EarlyChanges { cancelled, urgency }
    }

    /// The call failed: the handle counts as not used.
    pub(super) fn give_back(&self) {
        let mut inner = self.inner.lock();
        if let Stage::Starting { cancelled } = inner.stage {
            inner.stage = if cancelled { Stage::Cancelled } else { Stage::Unused };
        }
    }

    /// The last event is delivered, or the call answered at once. The caller must drop the returned context.
    #[must_use]
    pub(super) fn end(&self) -> Option<Arc<Object>> {
        let (before, context) = {
            let mut inner = self.inner.lock();
            (std::mem::replace(&mut inner.stage, Stage::Ended), inner.context.take())
        };
        self.ended.notify_all();
        // The engine's reference goes after the lock: it may be the last.
        drop(before);
        context
    }

    pub(super) fn note_progress(&self, done: usize, failed: usize) {
        self.done.store(done, Ordering::Relaxed);
        self.failed.store(failed, Ordering::Relaxed);
    }

    /// How many positions are settled, how many of them failed, and how many there are.
    pub fn progress(&self) -> (usize, usize, usize) {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (of(&self.done), of(&self.failed), of(&self.total))
    }

    /// Waits until the last event is delivered; `None`: as long as it takes. False if that took longer. A handle that was never used does not
    /// wait.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut inner = self.inner.lock();
        while !matches!(inner.stage, Stage::Unused | Stage::Cancelled | Stage::Ended) {
            match until {
                None => inner = wait(&self.ended, inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    inner = wait_until(&self.ended, inner, left);
                }
            }
        }
        true
    }
}

/// What the host did with the handle between the beginning of the call and its entry into the table.
pub(super) struct EarlyChanges {
    pub cancelled: bool,
    pub urgency: Option<i32>,
}

impl HandleState {
    fn active(&self) -> Option<(Arc<Core>, FetchId)> {
        match &self.stage {
            Stage::Active { core, id } => Some((core.clone(), *id)),
            _ => None,
        }
    }
}

/// What a blocking fetch receives.
pub type Waited = Result<crate::task::Outcome, Error>;
