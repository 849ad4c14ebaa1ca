//! Threads, timers and delivery: the only module that names tokio or crossbeam, and the only one whose threads call the host.
//!
//! - [`threads`]: starts threads of the library. [`provider_pool`]: the threads on which the provider runs.
//! - [`delivery`]: items to be delivered, and the dispatcher thread that delivers them.
//! - [`delivery_queue`]: a queue of deliveries that a reader can wait on.
//! - [`host_queue`]: deliveries that wait until the host polls for them.
//! - [`timer`]: the thread that acts when a deadline has come.
//! - [`hooks`]: calls of host functions, during which the thread counts as inside a callback.
//! - [`Runtime`]: one timer thread, one dispatcher thread, and provider threads on demand.
//!
//! This module knows nothing about keys and loads: its users give it objects with deadlines, and items to deliver.

pub mod delivery;
pub mod delivery_queue;
pub mod hooks;
pub mod host_queue;
pub mod provider_pool;
pub mod threads;
pub mod timer;

use crate::base::process::must_not_wait;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use delivery::{Deliverable, Dispatcher};
use provider_pool::{Job, Pool, Staffing};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;
use timer::{Repeat, Timer};

/// The system refused a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoThread;

/// The runtime has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuntimeEnded;

/// The threads of one engine, or of several engines and caches that share them.
pub struct Runtime {
    timer: Timer,
    dispatcher: Dispatcher,
    providers: Arc<Providers>,
    /// The timer's thread, until it is joined.
    timing: Mutex<Option<JoinHandle<()>>>,
    /// The number of engines and caches that use the runtime, or [`ENDED`].
    attached: AtomicUsize,
}

/// The value of `attached` once the runtime has ended: nothing can be attached any more.
const ENDED: usize = usize::MAX;

/// How long a provider thread stays alive without work.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The interval between attempts to start a thread while a job waits for one.
const REINFORCE_EVERY: Duration = Duration::from_millis(100);

/// The provider threads.
struct Providers {
    pool: Pool,
    /// Whether the timer is trying to start more threads.
    is_reinforcing: AtomicBool,
}

impl Providers {
    /// Records that the timer tries to start more threads. Returns false if it was doing so already.
    fn begin_to_reinforce(&self) -> bool {
        !self.is_reinforcing.swap(true, Ordering::AcqRel)
    }

    fn reinforce(&self) -> Repeat {
        // Cleared before the pool is asked: a thread that finds it short of threads afterwards makes the timer try again.
        self.is_reinforcing.store(false, Ordering::Release);
        let is_short = self.pool.reinforce() == Staffing::Short;
        if is_short && self.begin_to_reinforce() { Repeat::Again } else { Repeat::Done }
    }
}

impl Runtime {
    /// Starts the timer thread. The other threads start when they are needed. The dispatcher thread has a stack of `stack_bytes`.
    pub fn start(stack_bytes: usize) -> Result<Arc<Runtime>, NoThread> {
        let (timer, timing) = Timer::start()?;
        let providers = Arc::new(Providers { pool: Pool::new(KEEP_ALIVE), is_reinforcing: AtomicBool::new(false) });
        let (dispatcher, timing) = (Dispatcher::new(stack_bytes), Mutex::new(Some(timing)));
        Ok(Arc::new(Runtime { timer, dispatcher, providers, timing, attached: AtomicUsize::new(0) }))
    }

    /// The timer.
    pub fn timer(&self) -> &Timer {
        &self.timer
    }

    /// The dispatcher.
    pub fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Runs `job` on a provider thread with a stack of `stack_bytes`, or refuses it. If the system refuses a thread while others are
    /// running, the job waits for one of those, and starting a thread is retried until the job has begun.
    pub fn run(&self, stack_bytes: usize, job: Box<dyn Job>) {
        if self.providers.pool.run(stack_bytes, job) == Staffing::Short && self.providers.begin_to_reinforce() {
            let providers = self.providers.clone();
            self.timer.repeat(REINFORCE_EVERY, move || providers.reinforce());
        }
    }

    /// Registers a user, unless the runtime has ended.
    pub fn attach(&self) -> Result<(), RuntimeEnded> {
        let one_more = |attached| (attached != ENDED).then(|| attached + 1);
        self.attached.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).map(drop).map_err(|_| RuntimeEnded)
    }

    /// Unregisters a user.
    pub fn detach(&self) {
        self.attached.fetch_sub(1, Ordering::AcqRel);
    }

    /// Marks the runtime as ended if it has no users. Returns whether it had none: then [`Runtime::stop`] does not wait for host code.
    pub fn end_if_unused(&self) -> bool {
        self.attached.compare_exchange(0, ENDED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Ends the threads after they have finished their current work and everything that was sent to them. Waits for that, except on a
    /// library thread or in a callback, where it would wait for itself.
    pub fn stop(&self) {
        self.timer.stop();
        // The threads that send end first, then the dispatcher, so that everything is delivered on the dispatcher's thread.
        join(self.timing.lock().take());
        self.providers.pool.stop();
        join(self.dispatcher.stop());
    }

    /// Like [`Runtime::stop`], for a caller that must never wait for the host. No provider call may be running. A dispatcher with pending
    /// deliveries is not waited for.
    pub fn stop_if_idle(&self) {
        self.timer.stop();
        join(self.timing.lock().take());
        self.providers.pool.stop();
        let is_busy = self.dispatcher.is_busy();
        let dispatching = self.dispatcher.stop();
        if is_busy {
            dispatching.into_iter().for_each(detach);
        } else {
            join(dispatching);
        }
    }

    /// Delivers `item` where callbacks run, and returns once it is delivered.
    pub fn deliver_and_wait(&self, item: Arc<dyn Deliverable>) {
        if must_not_wait() {
            return delivery::deliver_all_of(item);
        }
        let delivery_gate = Arc::new(delivery::DeliveryGate::new(item));
        self.send(delivery_gate.clone());
        delivery_gate.wait();
    }

    /// Sends to the dispatcher; delivers here if the dispatcher has stopped.
    pub fn send(&self, item: Arc<dyn Deliverable>) {
        self.dispatcher.send(item);
    }
}

/// Joins a thread that was asked to end. Where waiting is not allowed, detaches it.
fn join(thread: Option<JoinHandle<()>>) {
    let Some(thread) = thread else { return };
    if must_not_wait() {
        detach(thread);
    } else {
        // A panic of that thread was caught where it happened.
        let _ = thread.join();
    }
}

/// Lets a thread end without being joined. In builds for the race detector, the handle is leaked: std is not instrumented, so the detector
/// would report the drop as a race with the end of the thread.
fn detach(thread: JoinHandle<()>) {
    if cfg!(kvl_race) { std::mem::forget(thread) } else { drop(thread) }
}
