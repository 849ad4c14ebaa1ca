//! The two clocks (rule S15): suspend-aware time for TTLs, monotonic time for timeouts. Also a manual clock for both, and the time of one
//! operation.

use super::process::{Generation, HasGeneration};
use super::sync::Mutex;
use super::sync::atomic::{AtomicU64, Ordering};
use super::{Millis, Moment, Present, platform};
use std::cell::Cell;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// An object with deadlines.
pub trait Timed: Send + Sync {
    /// The next deadline, on the monotonic clock; `None` if there is none.
    fn next_due(&self) -> Option<Moment>;
    /// Handles everything that is due.
    fn fire(&self);
}

/// The source of the time for a cache or an engine.
#[derive(Clone)]
pub enum Clock {
    /// The system's clocks.
    System(Arc<SystemClock>),
    /// A clock that moves only when it is advanced.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// The system's clocks.
    pub fn system() -> Clock {
        Clock::System(Arc::new(SystemClock::new()))
    }

    /// A manual clock that starts at `now`.
    pub fn manual(now: Millis) -> Clock {
        Clock::Manual(Arc::new(ManualClock::new(now)))
    }

    /// The time for TTLs. Cheap to read. It includes the time that the machine sleeps, and may be a few milliseconds behind
    /// ([`Clock::present`]).
    pub fn millis(&self) -> Millis {
        match self {
            Clock::System(clock) => clock.millis(),
            Clock::Manual(clock) => clock.millis(),
        }
    }

    /// Like [`Clock::millis`], with the range in which the precise time lies.
    pub fn present(&self) -> Present {
        let earliest = self.millis();
        Present { earliest, latest: earliest.after(self.behind_ms()) }
    }

    /// Like [`Clock::present`], but the latest time is read from the precise clock. A TTL that is counted from it does not end early, even
    /// if the system updates the coarse clock late, as a virtual machine may do by more than a tick.
    pub fn present_precisely(&self) -> Present {
        let earliest = self.millis();
        Present { earliest, latest: self.latest() }
    }

    /// The precise time for TTLs, rounded up; never before [`Clock::millis`].
    fn latest(&self) -> Millis {
        match self {
            Clock::System(clock) => clock.precise_millis(),
            Clock::Manual(clock) => clock.millis(),
        }
    }

    fn behind_ms(&self) -> u64 {
        match self {
            Clock::System(clock) => clock.behind_ms,
            Clock::Manual(_) => 0,
        }
    }

    /// The time for timeouts. Precise, and excludes the time that the machine sleeps.
    pub fn moment(&self) -> Moment {
        match self {
            Clock::System(_) => platform::running(),
            Clock::Manual(clock) => clock.moment(),
        }
    }

    /// The moment at which the TTL clock will show `at`, if the machine does not sleep until then.
    pub fn moment_of(&self, at: Millis) -> Moment {
        let ahead = Duration::from_millis(at.since(self.millis()));
        self.moment().after(ahead)
    }
}

/// The system's clocks. No system clock is both suspend-aware and coarse, so the coarse monotonic clock is read, and the time that the
/// machine was suspended is added. That time is measured again once half a second of running time has passed.
pub struct SystemClock {
    asleep_ms: AtomicU64,
    measured_at_ms: AtomicU64,
    /// How far the coarse time may be behind: one tick of the coarse clock, and the fraction of a millisecond that is cut off.
    behind_ms: u64,
}

const MEASURE_EVERY_MS: u64 = 500;

impl SystemClock {
    fn new() -> SystemClock {
        let behind_ms = platform::coarse_step_ns().div_ceil(1_000_000) + 1;
        let clock = SystemClock { asleep_ms: AtomicU64::new(0), measured_at_ms: AtomicU64::new(0), behind_ms };
        clock.measure_sleep(platform::running_coarse().0 / 1_000_000);
        clock
    }

    fn millis(&self) -> Millis {
        let running = platform::running_coarse().0 / 1_000_000;
        if running.saturating_sub(self.measured_at_ms.load(Ordering::Relaxed)) >= MEASURE_EVERY_MS {
            self.measure_sleep(running);
        }
        Millis(running + self.asleep_ms.load(Ordering::Relaxed))
    }

    /// Rounded up; never before [`SystemClock::millis`].
    fn precise_millis(&self) -> Millis {
        Millis(platform::running().0.div_ceil(1_000_000) + self.asleep_ms.load(Ordering::Relaxed))
    }

    #[cold]
    fn measure_sleep(&self, running: u64) {
        // If the thread is descheduled between the two readings, the suspended time seems shorter than it is, never longer. The measured
        // time never shrinks, or an entry that is stored between two measurements would expire early by the error of the first.
        let asleep = platform::suspend_aware().0.saturating_sub(platform::running().0) / 1_000_000;
        self.asleep_ms.fetch_max(asleep, Ordering::Relaxed);
        self.measured_at_ms.store(running, Ordering::Relaxed);
    }
}

/// A clock for tests: time stands still until [`ManualClock::advance`].
///
/// It stops at the end of its range. The monotonic reading, in nanoseconds from the start, has a shorter range than the one in
/// milliseconds, so it stops earlier: from then on no timeout fires, while entries still expire.
pub struct ManualClock {
    generation: Generation,
    started: Millis,
    now_ms: AtomicU64,
    attached: Mutex<Vec<Weak<dyn Timed>>>,
    /// Held during an advance. Two at a time would fire the same deadlines concurrently.
    advancing: Mutex<()>,
}

impl ManualClock {
    /// The last time that it shows, which is the largest that the C API can express.
    const END: Millis = Millis(i64::MAX.unsigned_abs());

    /// A clock that shows `now`.
    pub fn new(now: Millis) -> ManualClock {
        let now = now.min(ManualClock::END);
        ManualClock {
            generation: Generation::now(),
            started: now,
            now_ms: AtomicU64::new(now.0),
            attached: Mutex::default(),
            advancing: Mutex::default(),
        }
    }

    /// The current time.
    pub fn millis(&self) -> Millis {
        Millis(self.now_ms.load(Ordering::SeqCst))
    }

    fn moment(&self) -> Moment {
        // Never `Moment::NEVER`, because a deadline of "never" would then be due.
        Moment(self.millis().since(self.started).saturating_mul(NANOS_PER_MS)).min(Moment(Moment::NEVER.0 - 1))
    }

    /// The first whole millisecond that is not before `due`. Deadlines can lie between milliseconds (linger).
    pub fn millis_at(&self, due: Moment) -> Millis {
        self.started.after(due.0.div_ceil(NANOS_PER_MS))
    }

    /// Registers an object to be fired when time is advanced.
    pub fn attach(&self, timed: Weak<dyn Timed>) {
        self.attached.lock().push(timed);
    }

    /// Advances the time by `by_ms`, stopping at every deadline on the way. Returns when everything due has been handled. In a forked child,
    /// a clock from before the fork stands still.
    pub fn advance(&self, by_ms: u64) {
        if self.generation.is_stale() {
            return;
        }
        let _one = self.advancing.lock();
        let goal = self.millis().after(by_ms).min(ManualClock::END);
        loop {
            // Upgraded references are dropped outside the lock of the list, because each may be the last reference to an engine.
            let timed: Vec<Arc<dyn Timed>> = {
                let mut attached = self.attached.lock();
                attached.retain(|timed| timed.strong_count() > 0);
                attached.iter().filter_map(Weak::upgrade).collect()
            };
            let due = timed.iter().filter_map(|timed| timed.next_due()).min().filter(|due| *due != Moment::NEVER);
            let stop = due.map_or(goal, |due| self.millis_at(due).clamp(self.millis(), goal));
            self.now_ms.store(stop.0, Ordering::SeqCst);
            timed.iter().for_each(|timed| timed.fire());
            if stop == goal && timed.iter().all(|timed| timed.next_due().is_none_or(|due| due > self.moment())) {
                return;
            }
        }
    }
}

impl HasGeneration for ManualClock {
    fn generation(&self) -> Generation {
        self.generation
    }
}

/// Nanoseconds in a millisecond.
const NANOS_PER_MS: u64 = 1_000_000;

/// The time of one operation: read when it is first needed, then constant. Most operations do not need it.
pub struct Now<'a> {
    clock: &'a Clock,
    moment: Cell<Option<Moment>>,
    millis: Cell<Option<Millis>>,
}

impl<'a> Now<'a> {
    /// The time of an operation that begins now.
    pub fn of(clock: &'a Clock) -> Now<'a> {
        Now { clock, moment: Cell::new(None), millis: Cell::new(None) }
    }

    /// The time of the monotonic clock.
    pub fn moment(&self) -> Moment {
        self.moment.get().unwrap_or_else(|| {
            let moment = self.clock.moment();
            self.moment.set(Some(moment));
            moment
        })
    }

    /// The time of the suspend-aware clock.
    pub fn millis(&self) -> Millis {
        self.millis.get().unwrap_or_else(|| {
            let millis = self.clock.millis();
            self.millis.set(Some(millis));
            millis
        })
    }

    /// The milliseconds left until `end`, when an entry that is still live expires. At least 1: the precise clock may be at `end` already,
    /// while by the coarse clock the entry is live.
    pub fn left_until(&self, end: Millis) -> u64 {
        end.since(self.clock.latest()).max(1)
    }

    /// The clock itself.
    pub fn clock(&self) -> &'a Clock {
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s06_a_measurement_that_is_too_small_does_not_step_the_time_back() {
        let clock = SystemClock::new();
        // As if the first measurement had been exact, and the thread were descheduled between the readings of the second.
        clock.asleep_ms.fetch_add(60_000, Ordering::Relaxed);
        let before = clock.millis();
        clock.measure_sleep(0);
        assert!(clock.millis() >= before);
    }
}
