//! The timer thread. It sleeps until the earliest deadline of all watched objects, or for [`LOOK_EVERY`] at most; without a deadline it
//! does not wake.
//!
//! Each watched object has an alarm. Code that makes the object due earlier sets the alarm; code that makes it due later does nothing, and
//! the timer notices that when it wakes.

use super::{NoThread, threads};
use crate::base::Moment;
use crate::base::clock::{Clock, Timed};
use crate::base::panics::catch_panic;
use crate::base::sync::{Condvar, Mutex, wait};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// A handle to the timer's thread.
pub struct Timer {
    handle: Handle,
    stop: Arc<Notify>,
    /// Identifies the timer: see [`HERE`].
    number: usize,
}

thread_local! {
    /// The number of the timer whose thread this is, or 0. A number rather than `std::thread::current()`, because std would allocate a
    /// handle for every host thread that calls it.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

fn next_number() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// In bytes. Small, because no host code runs on the timer's thread.
const STACK_BYTES: usize = 1 << 20;

impl Timer {
    pub(super) fn start() -> Result<(Timer, JoinHandle<()>), NoThread> {
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let started = Arc::new(StartSignal::default());
        let starting = started.clone();
        let number = next_number();
        // The tokio runtime is created on the timer's own thread, because creating it leaves a few bytes in the thread's local
        // storage, which a host's main thread would never free (rule L08).
        let thread = threads::start("kvl-timer", STACK_BYTES, move || {
            HERE.with(|here| here.set(number));
            let runtime = Builder::new_current_thread().enable_time().build();
            let Ok(runtime) = runtime else { return starting.set(Err(NoThread)) };
            starting.set(Ok(runtime.handle().clone()));
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

    /// Calls `act` every `period` on the timer's thread, until it returns [`Repeat::Done`] or panics.
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

    /// Watches `timed` until it is dropped or the alarm is ended.
    pub fn watch(&self, timed: Weak<dyn Timed>, clock: Clock) -> Alarm {
        let alarm = Alarm::new();
        self.handle.spawn(watch(timed, clock, alarm.clone(), LOOK_EVERY));
        alarm
    }

    /// Whether this is the timer's own thread.
    pub fn is_here(&self) -> bool {
        HERE.try_with(Cell::get) == Ok(self.number)
    }

    /// Waits until the timer has finished its current action; returns at once on the timer's own thread. Never waits for the host, whose
    /// code does not run there.
    pub fn wait_for_current_action(&self) {
        if self.is_here() {
            return;
        }
        let idle = Arc::new(IdleSignal::default());
        let guard = IdleGuard(idle.clone());
        self.handle.spawn(async move { drop(guard) });
        idle.wait();
    }
}

/// Whether a periodic action is to be called again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Repeat {
    Again,
    Done,
}

/// The creator of the timer waits here for its start.
#[derive(Default)]
struct StartSignal {
    handle: Mutex<Option<Result<Handle, NoThread>>>,
    changed: Condvar,
}

impl StartSignal {
    fn set(&self, handle: Result<Handle, NoThread>) {
        *self.handle.lock() = Some(handle);
        self.changed.notify_all();
    }

    fn wait(&self) -> Result<Handle, NoThread> {
        let mut handle = self.handle.lock();
        loop {
            match handle.take() {
                Some(handle) => return handle,
                None => handle = wait(&self.changed, handle),
            }
        }
    }
}

/// A caller of [`Timer::wait_for_current_action`] waits here.
#[derive(Default)]
struct IdleSignal {
    is_done: Mutex<bool>,
    changed: Condvar,
}

impl IdleSignal {
    fn wait(&self) {
        let mut is_done = self.is_done.lock();
        while !*is_done {
            is_done = wait(&self.changed, is_done);
        }
    }
}

/// Signals when it is dropped. A timer that has ended drops new tasks without running them, so the caller does not wait for it.
struct IdleGuard(Arc<IdleSignal>);

impl Drop for IdleGuard {
    fn drop(&mut self) {
        *self.0.is_done.lock() = true;
        self.0.changed.notify_all();
    }
}

/// Lets a watched object report that it is due earlier than before.
#[derive(Clone)]
pub struct Alarm {
    /// The time at which the timer will wake for the object; [`AWAKE`] while it checks the object.
    armed: Arc<AtomicU64>,
    /// Whether the timer must stop watching the object.
    ended: Arc<AtomicBool>,
    wakeup: Arc<Notify>,
}

/// Marks that the timer is checking the object now, and will check it again before it sleeps.
const AWAKE: u64 = 0;

impl Alarm {
    fn new() -> Alarm {
        Alarm { armed: Arc::new(AtomicU64::new(AWAKE)), ended: Arc::default(), wakeup: Arc::new(Notify::new()) }
    }

    /// Reports that the object is due at `due`.
    pub fn set_for(&self, due: Moment) {
        // SeqCst, here and below: the caller has written the deadline before this read, and the timer writes `armed` before its last read
        // of the deadline. One of the two sees the other.
        if due.0 < self.armed.load(Ordering::SeqCst) {
            self.wakeup.notify_one();
        }
    }

    /// Ends the watch. After the next [`Timer::wait_for_current_action`], the timer does not hold the object, even briefly.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.wakeup.notify_one();
    }
}

/// How long the timer sleeps at most while an object has a deadline. The end of a TTL comes sooner than was computed if the machine sleeps
/// meanwhile, and nothing sets an alarm for that.
const LOOK_EVERY: Duration = Duration::from_secs(60);

async fn watch(timed: Weak<dyn Timed>, clock: Clock, alarm: Alarm, look_every: Duration) {
    loop {
        if alarm.ended.load(Ordering::SeqCst) {
            return;
        }
        let Some(object) = timed.upgrade() else { return };
        alarm.armed.store(AWAKE, Ordering::SeqCst);
        if object.next_due().is_some_and(|due| due <= clock.moment()) {
            // A panic was handled where it happened. The timer continues for the other objects.
            let _ = catch_panic(|| object.fire());
        }
        let due = object.next_due().unwrap_or(Moment::NEVER);
        alarm.armed.store(due.0, Ordering::SeqCst);
        let is_earlier = object.next_due().is_some_and(|again| again < due);
        // The timer must not keep the object alive.
        drop(object);
        if is_earlier {
            continue;
        }
        let ahead = due.since(clock.moment());
        if due == Moment::NEVER {
            alarm.wakeup.notified().await;
        } else if ahead > look_every {
            let _ = timeout(look_every, alarm.wakeup.notified()).await;
        } else {
            wait_until(Instant::now() + ahead, &alarm.wakeup).await;
        }
    }
}

/// How long before a deadline Tokio is asked to wake. Tokio counts in whole milliseconds, and may wake 2 ms late. The rest of the time is
/// spent in naps.
const EARLY: Duration = Duration::from_millis(2);

/// The longest single sleep of the timer's thread before a near deadline, and therefore the longest delay until it notices an earlier one.
const NAP: Duration = Duration::from_micros(200);

thread_local! {
    /// The number of naps of this timer's thread. If several objects wait for a near deadline, one of them naps in each round, and the
    /// others see that.
    static NAPS: Cell<u64> = const { Cell::new(0) };
}

/// Waits until `deadline`, or until `wakeup` is notified.
async fn wait_until(deadline: Instant, wakeup: &Notify) {
    let mut notified = pin!(wakeup.notified());
    let early = deadline.checked_sub(EARLY).unwrap_or(deadline);
    if timeout_at(early, notified.as_mut()).await.is_ok() {
        return;
    }
    let mut naps_before = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if naps_before == Some(NAPS.get()) {
            std::thread::sleep(left.min(NAP));
            NAPS.set(NAPS.get() + 1);
        }
        naps_before = Some(NAPS.get());
        // The other objects may be due, too.
        yield_now().await;
        let is_notified = poll_fn(|context| Poll::Ready(notified.as_mut().poll(context).is_ready())).await;
        if is_notified {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object whose deadline was computed before the machine slept.
    #[derive(Default)]
    struct Sleeper {
        has_slept: AtomicBool,
        fired: Notify,
    }

    impl Timed for Sleeper {
        fn next_due(&self) -> Option<Moment> {
            let hour = Moment(3600 * 1_000_000_000);
            Some(if self.has_slept.load(Ordering::SeqCst) { Moment::default() } else { hour })
        }

        fn fire(&self) {
            self.has_slept.store(false, Ordering::SeqCst);
            self.fired.notify_one();
        }
    }

    #[test]
    fn s15_a_deadline_that_came_closer_while_the_machine_slept_is_noticed() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let sleeper = Arc::new(Sleeper::default());
        let timed = Arc::downgrade(&sleeper) as Weak<dyn Timed>;
        let clock = Clock::manual(crate::base::Millis(5));
        let limit = Duration::from_secs(5);
        runtime.block_on(async {
            runtime.spawn(watch(timed, clock, Alarm::new(), Duration::from_millis(1)));
            yield_now().await;
            sleeper.has_slept.store(true, Ordering::SeqCst);
            assert!(timeout(limit, sleeper.fired.notified()).await.is_ok(), "the timer still sleeps");
        });
    }
}
