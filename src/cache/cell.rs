//! The one door to a shard: its lock, what leaves it, and what happens when a panic passes through (rules S11, L01, L07).

use super::departure::{Departures, Outlet};
use super::shard::Shard;
use crate::base::Millis;
use crate::base::hint::rarely;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::sync::{Mutex, MutexGuard};

/// A shard behind its lock. Apart from its neighbours' cache lines (two, as processors fetch them in pairs).
#[repr(align(128))]
pub(super) struct Cell {
    shard: Mutex<Shard>,
    /// The shard's `next_due`, written under its lock, so that a timer can look at all shards without one.
    next_due: AtomicU64,
}

impl Cell {
    pub fn new(shard: Shard) -> Cell {
        Cell { shard: Mutex::new(shard), next_due: AtomicU64::new(Millis::NEVER.0) }
    }

    pub fn next_due(&self) -> Millis {
        Millis(self.next_due.load(Ordering::SeqCst))
    }

    /// The shard, locked, for work that nothing leaves by; ended by [`Entered::done`].
    #[inline(always)]
    pub fn enter<'a>(&'a self, outlet: Option<&'a dyn Outlet>) -> Entered<'a> {
        Entered { shard: self.shard.lock(), cell: self, outlet, intact: false, salvaged: None }
    }

    /// Does `work` that nothing leaves by.
    pub fn read<R>(&self, outlet: Option<&dyn Outlet>, work: impl FnOnce(&mut Shard) -> R) -> R {
        let mut entered = self.enter(outlet);
        let result = work(&mut entered.shard);
        entered.done();
        result
    }

    /// Does `work`, and sends what left to the outlet, or to `out` if there is none.
    pub fn write<R>(&self, outlet: Option<&dyn Outlet>, out: &mut Departures, work: impl FnOnce(&mut Shard) -> R) -> R {
        self.read(outlet, |shard| {
            let result = work(shard);
            self.announce(shard);
            if !shard.leaving().is_empty() {
                if let Some(outlet) = outlet {
                    shard.record_leaving(outlet);
                }
                // To the caller also what an outlet left behind: here it would be dropped under the lock.
                shard.move_leaving_to(out);
            }
            result
        })
    }

    fn announce(&self, shard: &Shard) {
        let next_due = shard.next_due();
        if self.next_due.load(Ordering::Relaxed) != next_due.0 {
            self.next_due.store(next_due.0, Ordering::SeqCst);
        }
    }
}

/// A shard being worked on. If the work unwinds, nobody knows what state the shard is in: it starts again, empty.
pub(super) struct Entered<'a> {
    pub shard: MutexGuard<'a, Shard>,
    cell: &'a Cell,
    outlet: Option<&'a dyn Outlet>,
    intact: bool,
    /// Dropped after the lock, for it stands behind it: a drop may run host code, and without an outlet there is nobody to hand
    /// these to while unwinding.
    salvaged: Option<Box<Departures>>,
}

impl Entered<'_> {
    /// The work ended as it should.
    #[inline(always)]
    pub fn done(mut self) {
        self.intact = true;
    }

    #[cold]
    #[inline(never)]
    fn salvage(&mut self) {
        self.shard.salvage();
        self.cell.announce(&self.shard);
        let mut left = self.shard.take_leaving();
        if let Some(outlet) = self.outlet {
            outlet.record(&mut left);
        }
        self.salvaged = Some(Box::new(left));
    }
}

impl Drop for Entered<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if rarely(!self.intact) {
            self.salvage();
        }
    }
}
