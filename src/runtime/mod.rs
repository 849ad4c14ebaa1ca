//! Threads, timers, delivery: the only room that names tokio or crossbeam, and the only one whose threads call the host.
//!
//! - [`threads`]: how a thread of ours is made: named, and deaf to signals.
//! - [`mail`]: what is delivered, and where: to the dispatcher thread, or to the host's queue.
//! - [`postbox`]: a queue of mail, and a way to wait for it.
//! - [`timer`]: what happens when time passes.
//! - [`hooks`]: the host's functions, as Rust sees them; each call is marked as being inside a callback.
//! - [`Runtime`]: one timer thread, one dispatcher thread, and provider threads on demand.
//!
//! It knows nothing of keys in flight: a floor above gives it things that are due and mail to deliver.

pub mod hooks;
pub mod mail;
pub mod postbox;
pub mod threads;
pub mod timer;

use crate::base::process::must_not_wait;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use mail::{Dispatcher, Mail};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use timer::Timer;

/// The system refused a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoThread;

/// The runtime has been ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended;

/// The threads of one engine, or of several that share them.
pub struct Runtime {
    timer: Timer,
    dispatcher: Dispatcher,
    /// The timer's, until somebody joins it.
    timing: Mutex<Option<JoinHandle<()>>>,
    /// The dispatcher's, until somebody joins it.
    dispatching: Mutex<Option<JoinHandle<()>>>,
    /// How many engines and caches use it, or [`ENDED`].
    attached: AtomicUsize,
}

/// Nobody can attach any more.
const ENDED: usize = usize::MAX;

/// How long a provider thread stays when there is nothing to do.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// More provider threads than this there are never: requests beyond wait for one. Engines bound themselves far below.
const MOST_PROVIDERS: usize = 100_000;

impl Runtime {
    /// Starts the timer thread and the dispatcher thread.
    pub fn start() -> Result<Arc<Runtime>, NoThread> {
        let (dispatcher, dispatching) = Dispatcher::start()?;
        let (timer, timing) = match Timer::start(MOST_PROVIDERS, KEEP_ALIVE) {
            Ok(started) => started,
            Err(refused) => {
                dispatcher.stop();
                let _ = dispatching.join();
                return Err(refused);
            }
        };
        let (timing, dispatching) = (Mutex::new(Some(timing)), Mutex::new(Some(dispatching)));
        Ok(Arc::new(Runtime { timer, dispatcher, timing, dispatching, attached: AtomicUsize::new(0) }))
    }

    /// The timer.
    pub fn timer(&self) -> &Timer {
        &self.timer
    }

    /// The dispatcher.
    pub fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Runs `job` on a provider thread; `Err` gives it back if no thread could be had.
    pub fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), NoThread> {
        self.timer.run(job)
    }

    /// Somebody uses it from now on, unless it has been ended.
    pub fn attach(&self) -> Result<(), Ended> {
        let one_more = |attached| (attached != ENDED).then(|| attached + 1);
        self.attached.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).map(drop).map_err(|_| Ended)
    }

    /// Somebody uses it no more.
    pub fn detach(&self) {
        self.attached.fetch_sub(1, Ordering::AcqRel);
    }

    /// Ends it for good if nobody uses it, and says whether that was so. Then [`Runtime::stop`] waits for nobody's calls.
    pub fn end_if_unused(&self) -> bool {
        self.attached.compare_exchange(0, ENDED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Ends the threads after what they have begun and what was sent to them. Waits for that, unless this is a thread of ours
    /// or a callback, which would wait for itself.
    pub fn stop(&self) {
        self.timer.stop();
        // First the threads that send mail, then the one that delivers it: nothing is delivered anywhere else.
        join(&self.timing);
        self.dispatcher.stop();
        join(&self.dispatching);
    }

    /// As [`Runtime::stop`], for who must never wait for the host: no provider call is out, and where the dispatcher has mail
    /// to deliver, its thread is left to end by itself.
    pub fn stop_if_idle(&self) {
        self.timer.stop();
        join(&self.timing);
        if self.dispatcher.is_busy() {
            drop(self.dispatching.lock().take());
        }
        self.stop();
    }

    /// Delivers mail where callbacks run, and returns when it is delivered.
    pub fn deliver_and_wait(&self, mail: Arc<dyn Mail>) {
        if must_not_wait() {
            mail.deliver(usize::MAX);
            return;
        }
        let gate = Arc::new(mail::Gate::new(mail));
        self.send(gate.clone());
        gate.wait();
    }

    /// Sends mail to the dispatcher; if it has stopped, delivers it here.
    pub fn send(&self, mail: Arc<dyn Mail>) {
        self.dispatcher.send(mail);
    }
}

/// Waits for the end of a thread that was told to end, unless that would be waiting for ourselves.
fn join(thread: &Mutex<Option<JoinHandle<()>>>) {
    let thread = thread.lock().take();
    if let (Some(thread), false) = (thread, must_not_wait()) {
        // A panic of that thread was caught and told where it happened.
        let _ = thread.join();
    }
}
