//! One thread for time. It sleeps until the earliest deadline of everything it watches; when nothing is due it does not wake.
//!
//! Each watched object has an alarm. Code that makes the object due earlier sets the alarm; code that makes it due later does nothing, and the
//! timer finds out when it wakes.

use super::{NoThread, threads};
use crate::base::Moment;
use crate::base::clock::{Clock, Timed};
use crate::base::panics::catch_panic;
use crate::base::sync::{Condvar, Mutex, wait};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

/// The timer's thread.
pub struct Timer {
    handle: Handle,
    stop: Arc<Notify>,
    /// Which one it is: see [`HERE`].
    number: usize,
}

thread_local! {
    /// On a timer's thread: which timer's. Not by the thread's handle, which std would make for each thread that asks.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

fn next_number() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Nothing of the program's runs there.
const STACK_BYTES: usize = 1 << 20;

impl Timer {
    pub(super) fn start() -> Result<(Timer, JoinHandle<()>), NoThread> {
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let started = Arc::new(StartSignal::default());
        let starting = started.clone();
        let number = next_number();
        // Made on its own thread: making it leaves a few bytes in the thread's local storage, and a host's main thread never
        // gives them back (rule L08).
        let thread = threads::start("kvl-timer", STACK_BYTES, move || {
            HERE.with(|here| here.set(number));
            let runtime = Builder::new_current_thread().enable_time().build();
            let Ok(runtime) = runtime else { return starting.tell(Err(NoThread)) };
            starting.tell(Ok(runtime.handle().clone()));
            drop(starting);
            runtime.block_on(stopped.notified());
        })?;
        match started.wait() {
            Ok(handle) => Ok((Timer { handle, stop, number }, thread)),
            Err(refused) => {
                let _ = thread.join();
                Err(refused)
            }
        }
    }

    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Does `act` every `period`, on the timer's thread, until it says that it is done.
    pub(super) fn repeat(&self, period: Duration, act: impl Fn() -> Repeat + Send + 'static) {
        self.handle.spawn(async move {
            loop {
                sleep(period).await;
                if catch_panic(&act) != Ok(Repeat::Again) {
                    return;
                }
            }
        });
    }

    /// Watches `timed` until it is gone.
    pub fn watch(&self, timed: Weak<dyn Timed>, clock: Clock) -> Alarm {
        let alarm = Alarm { armed: Arc::new(AtomicU64::new(AWAKE)), ended: Arc::default(), wakeup: Arc::new(Notify::new()) };
        self.handle.spawn(watch(timed, clock, alarm.clone()));
        alarm
    }

    /// Whether this is the timer's own thread.
    pub fn is_here(&self) -> bool {
        HERE.try_with(Cell::get) == Ok(self.number)
    }

    /// Returns when the timer is through with what it is doing just now; at once on its own thread. Never waits for the program:
    /// nothing of it runs there.
    pub fn pass(&self) {
        if self.is_here() {
            return;
        }
        let passed = Arc::new(PassSignal::default());
        let passing = PassGuard(passed.clone());
        self.handle.spawn(async move { drop(passing) });
        passed.wait();
    }
}

/// Whether something is to be done once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Repeat {
    Again,
    Done,
}

/// Where who starts the timer waits for it.
#[derive(Default)]
struct StartSignal {
    handle: Mutex<Option<Result<Handle, NoThread>>>,
    came: Condvar,
}

impl StartSignal {
    fn tell(&self, handle: Result<Handle, NoThread>) {
        *self.handle.lock() = Some(handle);
        self.came.notify_all();
    }

    fn wait(&self) -> Result<Handle, NoThread> {
        let mut handle = self.handle.lock();
        loop {
            match handle.take() {
                Some(handle) => return handle,
                None => handle = wait(&self.came, handle),
            }
        }
    }
}

/// Where who passes the timer waits.
#[derive(Default)]
struct PassSignal {
    through: Mutex<bool>,
    came: Condvar,
}

impl PassSignal {
    fn wait(&self) {
        let mut through = self.through.lock();
        while !*through {
            through = wait(&self.came, through);
        }
    }
}

/// Told by its drop: a timer that has ended drops what it is given, and is through with everything, too.
struct PassGuard(Arc<PassSignal>);

impl Drop for PassGuard {
    fn drop(&mut self) {
        *self.0.through.lock() = true;
        self.0.came.notify_all();
    }
}

/// By which a watched thing says that it is due earlier than it was.
#[derive(Clone)]
pub struct Alarm {
    /// Until when the timer sleeps, as far as this thing is concerned.
    armed: Arc<AtomicU64>,
    /// Whether the timer is to look no more.
    ended: Arc<AtomicBool>,
    wakeup: Arc<Notify>,
}

/// The timer looks at the thing right now, and looks again before it sleeps.
const AWAKE: u64 = 0;

impl Alarm {
    /// Something falls due at `due`.
    pub fn set_for(&self, due: Moment) {
        // SeqCst, here and below: the deadline was written before this look; the timer writes `armed` before its last look at
        // the deadline. One of the two sees the other.
        if due.0 < self.armed.load(Ordering::SeqCst) {
            self.wakeup.notify_one();
        }
    }

    /// The thing has nothing to do any more: after the next [`Timer::pass`] the timer does not hold it, not even for a moment.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.wakeup.notify_one();
    }
}

async fn watch(timed: Weak<dyn Timed>, clock: Clock, alarm: Alarm) {
    loop {
        if alarm.ended.load(Ordering::SeqCst) {
            return;
        }
        let Some(thing) = timed.upgrade() else { return };
        alarm.armed.store(AWAKE, Ordering::SeqCst);
        if thing.next_due().is_some_and(|due| due <= clock.moment()) {
            // The panic was reported where it happened; the other objects' time goes on.
            let _ = catch_panic(|| thing.fire());
        }
        let due = thing.next_due().unwrap_or(Moment::NEVER);
        alarm.armed.store(due.0, Ordering::SeqCst);
        let is_earlier = thing.next_due().is_some_and(|again| again < due);
        // The thing may be the last of its kind: it must not be kept alive by its own alarm.
        drop(thing);
        if is_earlier {
            continue;
        }
        if due == Moment::NEVER {
            alarm.wakeup.notified().await;
        } else {
            // Deadlines beyond a year are looked at again then: the clock's arithmetic need not bear more.
            let ahead = due.since(clock.moment()).min(Duration::from_secs(365 * 24 * 3600));
            let _ = timeout_at(Instant::now() + ahead, alarm.wakeup.notified()).await;
        }
    }
}
