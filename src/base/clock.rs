//! The two clocks (rule S15): suspend-aware time for TTLs, monotonic time for timeouts; and a manual clock for both.

use super::sync::Mutex;
use super::sync::atomic::{AtomicU64, Ordering};
use super::{Millis, Moment, Present, platform};
use std::cell::Cell;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What has something to do when time passes.
pub trait Timed: Send + Sync {
    /// When it next has something to do, on the monotonic clock.
    fn next_due(&self) -> Option<Moment>;
    /// Does all that is due.
    fn fire(&self);
}

/// Where a cache or an engine reads the time.
#[derive(Clone)]
pub enum Clock {
    /// The system's clocks.
    System(Arc<SystemClock>),
    /// A clock that moves only when it is advanced.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// A view on the system's clocks.
    pub fn system() -> Clock {
        Clock::System(Arc::new(SystemClock::new()))
    }

    /// A manual clock that starts at `now`.
    pub fn manual(now: Millis) -> Clock {
        Clock::Manual(Arc::new(ManualClock::new(now)))
    }

    /// Now, for TTLs: cheap, moving on while the machine sleeps, and up to a few milliseconds behind ([`Clock::present`]).
    pub fn millis(&self) -> Millis {
        match self {
            Clock::System(clock) => clock.millis(),
            Clock::Manual(clock) => clock.millis(),
        }
    }

    /// As [`Clock::millis`], and how far behind it may be.
    pub fn present(&self) -> Present {
        let earliest = self.millis();
        Present { earliest, latest: earliest.after(self.behind_ms()) }
    }

    fn behind_ms(&self) -> u64 {
        match self {
            Clock::System(clock) => clock.behind_ms,
            Clock::Manual(_) => 0,
        }
    }

    /// Now, for timeouts: precise, and standing still while the machine sleeps.
    pub fn moment(&self) -> Moment {
        match self {
            Clock::System(_) => platform::running(),
            Clock::Manual(clock) => clock.moment(),
        }
    }

    /// The moment at which the TTL clock will show `at`, as far as can be known now.
    pub fn moment_of(&self, at: Millis) -> Moment {
        let ahead = Duration::from_millis(at.since(self.millis()));
        self.moment().after(ahead)
    }
}

/// The system's clocks. Suspend-aware and coarse at once is not on offer from the system, so the coarse monotonic clock is
/// read and the time spent asleep is added, which is looked up again twice a second of running time.
pub struct SystemClock {
    asleep_ms: AtomicU64,
    looked_up_ms: AtomicU64,
    /// How far what it shows may be behind the time: a tick of the coarse clock, and what is cut off below a millisecond.
    behind_ms: u64,
}

const LOOK_UP_MS: u64 = 500;

impl SystemClock {
    fn new() -> SystemClock {
        let behind_ms = platform::coarse_step_ns().div_ceil(1_000_000) + 1;
        let clock = SystemClock { asleep_ms: AtomicU64::new(0), looked_up_ms: AtomicU64::new(0), behind_ms };
        clock.look_up(platform::running_coarse().0 / 1_000_000);
        clock
    }

    fn millis(&self) -> Millis {
        let running = platform::running_coarse().0 / 1_000_000;
        if running.saturating_sub(self.looked_up_ms.load(Ordering::Relaxed)) >= LOOK_UP_MS {
            self.look_up(running);
        }
        Millis(running + self.asleep_ms.load(Ordering::Relaxed))
    }

    #[cold]
    fn look_up(&self, running: u64) {
        // Two readings apart by the scheduler only ever look like more sleep, never less; `fetch_max` would keep such an
        // error for good, a plain store mends it half a second later. Time may then seem to step back by that error, which
        // all arithmetic on it bears.
        let asleep = platform::suspend_aware().0.saturating_sub(platform::running().0) / 1_000_000;
        self.asleep_ms.store(asleep, Ordering::Relaxed);
        self.looked_up_ms.store(running, Ordering::Relaxed);
    }
}

/// A clock for tests: time stands still until [`ManualClock::advance`].
///
/// It stops at the end of its range. The monotonic reading counts nanoseconds from its start, of which there are fewer than of
/// milliseconds: it stops sooner, and from then on no timeout falls due, while entries go on expiring.
pub struct ManualClock {
    started: Millis,
    now_ms: AtomicU64,
    attached: Mutex<Vec<Weak<dyn Timed>>>,
    /// One advance at a time: two would fire the same deadlines side by side.
    advancing: Mutex<()>,
}

impl ManualClock {
    /// What it shows last: C has no larger number for it.
    const END: Millis = Millis(i64::MAX.unsigned_abs());

    /// A clock that shows `now`.
    pub fn new(now: Millis) -> ManualClock {
        let now = now.min(ManualClock::END);
        ManualClock { started: now, now_ms: AtomicU64::new(now.0), attached: Mutex::default(), advancing: Mutex::default() }
    }

    /// Now.
    pub fn millis(&self) -> Millis {
        Millis(self.now_ms.load(Ordering::SeqCst))
    }

    fn moment(&self) -> Moment {
        // Never `Moment::NEVER`: what is due then would be due now, again and again.
        Moment(self.millis().since(self.started).saturating_mul(NANOS)).min(Moment(Moment::NEVER.0 - 1))
    }

    /// The first whole millisecond that is not before `due`: deadlines lie in between too (linger).
    pub fn millis_at(&self, due: Moment) -> Millis {
        self.started.after(due.0.div_ceil(NANOS))
    }

    /// From now on `timed` is fired when time passes.
    pub fn attach(&self, timed: Weak<dyn Timed>) {
        self.attached.lock().push(timed);
    }

    /// Moves time by `by_ms`, stopping at every deadline on the way, and returns when all that fell due has been fired.
    pub fn advance(&self, by_ms: u64) {
        let _one = self.advancing.lock();
        let goal = self.millis().after(by_ms).min(ManualClock::END);
        loop {
            // Upgraded handles are dropped outside the list's lock: the last of an engine may go with them.
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

/// Nanoseconds of a millisecond.
const NANOS: u64 = 1_000_000;

/// The time of one operation: read when it is first needed, then the same until the operation ends. Most operations never ask.
pub struct Now<'a> {
    clock: &'a Clock,
    moment: Cell<Option<Moment>>,
    millis: Cell<Option<Millis>>,
}

impl<'a> Now<'a> {
    /// The time of an operation that begins.
    pub fn of(clock: &'a Clock) -> Now<'a> {
        Now { clock, moment: Cell::new(None), millis: Cell::new(None) }
    }

    /// The monotonic clock.
    pub fn moment(&self) -> Moment {
        self.moment.get().unwrap_or_else(|| {
            let moment = self.clock.moment();
            self.moment.set(Some(moment));
            moment
        })
    }

    /// The suspend-aware clock.
    pub fn millis(&self) -> Millis {
        self.millis.get().unwrap_or_else(|| {
            let millis = self.clock.millis();
            self.millis.set(Some(millis));
            millis
        })
    }

    /// How many milliseconds something that is not over has left until `end`, at least: 1 or more.
    pub fn left_until(&self, end: Millis) -> u64 {
        end.since(self.millis().after(self.clock.behind_ms())).max(1)
    }

    /// The clock itself.
    pub fn clock(&self) -> &'a Clock {
        self.clock
    }
}
