//! The caller's handle of a fetch. It is created before the call, so that the fetch can be cancelled before, during and after the call.

use super::Core;
use crate::base::Status;
use crate::base::object::Object;
use crate::base::process::Generation;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait, wait_timeout};
use crate::task::FetchId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The handle of one fetch.
pub struct FetchHandle {
    generation: Generation,
    inner: Mutex<HandleState>,
    changed: Condvar,
    done: AtomicUsize,
    failed: AtomicUsize,
    total: AtomicUsize,
}

struct HandleState {
    stage: Stage,
    /// `None` if the handle does not state one, so that the options decide.
    urgency: Option<i32>,
    context: Option<Arc<Object>>,
    /// The number of threads in [`FetchHandle::wait`]. Most fetches have none, and notifying none would still be a system call.
    waiters: usize,
}

enum Stage {
    /// Not used yet.
    Unused,
    /// Cancelled before it was used.
    Cancelled,
    /// A call uses the handle, and has not put the fetch into the table yet.
    Starting { cancelled: bool },
    /// The fetch is in progress.
    Active { core: Arc<Core>, id: FetchId },
    /// The fetch is no longer in the table; its last event may not be delivered yet.
    Settled,
    /// All events are delivered.
    Ended,
}

impl FetchHandle {
    /// Creates the handle of a fetch that has not been started.
    #[allow(clippy::new_without_default)] // it belongs to a process, which a default value would hide
    pub fn new() -> FetchHandle {
        FetchHandle {
            generation: Generation::now(),
            inner: Mutex::new(HandleState { stage: Stage::Unused, urgency: None, context: None, waiters: 0 }),
            changed: Condvar::new(),
            done: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
        }
    }

    /// The process in which the handle was created.
    pub fn generation(&self) -> Generation {
        self.generation
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

    /// Sets the urgency of the fetch, before its call or while it is in progress.
    pub fn set_urgency(&self, urgency: i32) {
        let active = {
            let mut inner = self.inner.lock();
            inner.urgency = Some(urgency);
            inner.active()
        };
        if let Some((core, id)) = active {
            core.with_table(|table, cx| table.set_urgency(id, urgency, cx));
        }
    }

    /// Settles all open positions with CANCELLED. A call that has not begun yet fails with it.
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
        // The table's lock is taken before the handle's, so the handle's is released first. If the fetch ends in between, its id is stale
        // and the call has no effect.
        if let Some((core, id)) = active {
            core.with_table(|table, cx| table.cancel(id, cx));
        }
    }

    /// Marks the handle as used by a call for `total` positions. Returns its urgency and context.
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

    /// Marks the fetch as in the table, under whose lock this runs. Returns the changes that the host made through the handle since the
    /// call began.
    pub(super) fn activate(&self, core: &Arc<Core>, id: Option<FetchId>) -> EarlyChanges {
        let mut inner = self.inner.lock();
        let urgency = inner.urgency;
        let Stage::Starting { cancelled } = inner.stage else { return EarlyChanges { cancelled: false, urgency } };
        inner.stage = match id {
            Some(id) => Stage::Active { core: core.clone(), id },
            None => Stage::Settled,
        };
        // A thread that is already waiting can now end gathering: it knows the engine.
        self.notify(&inner);
        EarlyChanges { cancelled, urgency }
    }

    /// Marks the handle as unused again, because the call failed.
    pub(super) fn give_back(&self) {
        let mut inner = self.inner.lock();
        if let Stage::Starting { cancelled } = inner.stage {
            inner.stage = if cancelled { Stage::Cancelled } else { Stage::Unused };
            self.notify(&inner);
        }
    }

    /// Marks the fetch as ended: its last event is delivered, or the call returned the results. The caller must drop the returned context.
    #[must_use]
    pub(super) fn end(&self) -> Option<Arc<Object>> {
        let (before, context) = {
            let mut inner = self.inner.lock();
            let before = std::mem::replace(&mut inner.stage, Stage::Ended);
            self.notify(&inner);
            (before, inner.context.take())
        };
        // The former stage may hold the last reference to the engine, so it is dropped after the lock is released.
        drop(before);
        context
    }

    /// Wakes the threads in [`FetchHandle::wait`] after a change of the stage. A thread that begins to wait later takes the same lock and
    /// sees the new stage.
    fn notify(&self, inner: &HandleState) {
        if inner.waiters > 0 {
            self.changed.notify_all();
        }
    }

    pub(super) fn note_progress(&self, done: usize, failed: usize) {
        self.done.store(done, Ordering::Relaxed);
        self.failed.store(failed, Ordering::Relaxed);
    }

    /// The numbers of positions that are settled, of those that failed, and of all.
    pub fn progress(&self) -> (usize, usize, usize) {
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (of(&self.done), of(&self.failed), of(&self.total))
    }

    /// Waits until the last event is delivered, for at most `timeout` (`None`: without limit). Returns false if the time ran out. Returns
    /// at once for a handle that was never used.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut has_ended_gathering = false;
        let mut inner = self.inner.lock();
        inner.waiters += 1;
        let mut in_time = true;
        while in_time && !matches!(inner.stage, Stage::Unused | Stage::Cancelled | Stage::Ended) {
            if !has_ended_gathering && let Some((core, _)) = inner.active() {
                // The next lines take the table's lock, and may drop the last reference to the engine. Neither may happen under the
                // handle's lock.
                drop(inner);
                core.end_gathering();
                drop(core);
                has_ended_gathering = true;
                inner = self.inner.lock();
                continue;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match left {
                None => inner = wait(&self.changed, inner),
                Some(left) if left.is_zero() => in_time = false,
                Some(left) => inner = wait_timeout(&self.changed, inner, left),
            }
        }
        inner.waiters -= 1;
        in_time
    }
}

/// The changes that the host made through the handle between the beginning of the call and its entry into the table.
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
