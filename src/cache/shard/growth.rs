//! Memory for one more entry. It is asked for before anything changes, so that a put which gets
//! none changes nothing (rule L09a).

use super::super::lifetimes::Lifetimes;
use super::Shard;
use crate::base::NoMemory;

impl Shard {
    /// Gets memory for another entry in everything that grows with the number of entries.
    #[cold]
    #[inline(never)]
    pub(super) fn try_grow(&mut self) -> Result<(), NoMemory> {
        let capacity = self.slab.wanted_capacity(self.limits.entries);
        if !self.ends.is_unused() {
            self.ends.try_reserve(capacity)?;
        }
        self.order.try_reserve(capacity)?;
        self.lifetimes.as_mut().map_or(Ok(()), |lifetimes| lifetimes.try_reserve(capacity))?;
        // The nodes decide whether there is room: they come last.
        self.slab.try_grow(self.limits.entries)
    }

    /// Whether an entry is the first that needs a column, which is then allocated for all nodes at once.
    #[inline(always)]
    pub(super) fn lacks_columns(&self, ends: bool, grace_ms: u64, priority: f64) -> bool {
        ends && self.ends.is_unused()
            || grace_ms > 0 && self.lifetimes.as_ref().is_none_or(|lifetimes| lifetimes.is_unused())
            || !self.slab.has_levels() && self.order.may_need_level(priority)
    }

    /// Gets memory for the columns that an entry is the first to need.
    #[cold]
    #[inline(never)]
    pub(super) fn try_begin_columns(&mut self, ends: bool, grace_ms: u64, priority: f64) -> Result<(), NoMemory> {
        let capacity = self.slab.node_capacity();
        if ends {
            self.ends.try_reserve(capacity)?;
        }
        if grace_ms > 0 {
            self.lifetimes.get_or_insert_with(|| Box::new(Lifetimes::new())).try_begin(capacity)?;
        }
        if self.order.may_need_level(priority) { self.slab.try_begin_levels() } else { Ok(()) }
    }
}
