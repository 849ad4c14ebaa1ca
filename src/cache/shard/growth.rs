//! Gets memory for one more entry before anything changes, so that a put without enough memory changes nothing (rule L09a).

use super::super::lifetimes::Lifetimes;
use super::{EntryParts, Shard};
use crate::base::NoMemory;
use crate::base::hint::rarely;

impl Shard {
    /// Gets memory for another entry in everything that grows with the number of entries.
    #[cold]
    #[inline(never)]
    pub(super) fn try_grow(&mut self) -> Result<(), NoMemory> {
        let capacity = self.slab.wanted_capacity(self.limits.entries);
        if !self.ends.is_unused() {
            self.ends.try_grow(capacity)?;
        }
        self.order.try_grow(capacity)?;
        if let Some(lifetimes) = &mut self.lifetimes {
            lifetimes.try_grow(capacity)?;
        }
        // The nodes come last, because their capacity decides whether there is room.
        self.slab.try_grow(self.limits.entries)
    }

    /// Gets memory for the columns that this entry is the first to need. Returns true if there is no memory.
    #[inline(always)]
    pub(super) fn lacks_columns_for(&mut self, entry: &EntryParts<'_>, ends: bool) -> bool {
        let grace_ms = entry.terms.stale_ms.unwrap_or(self.expiry.stale_ms);
        // Adding 0 turns -0 into 0, which is the same priority.
        let priority = entry.terms.priority.unwrap_or(0.0) + 0.0;
        rarely(self.lacks_columns(ends, grace_ms, priority)) && self.try_begin_columns(ends, grace_ms, priority).is_err()
    }

    /// Whether an entry with these times and this priority is the first that needs a column.
    #[inline(always)]
    fn lacks_columns(&self, ends: bool, grace_ms: u64, priority: f64) -> bool {
        ends && self.ends.is_unused()
            || grace_ms > 0 && self.lifetimes.is_none()
            || !self.slab.has_levels() && self.order.may_need_level(priority)
    }

    /// Gets memory for the missing columns. If there is none, no entry is affected.
    #[cold]
    #[inline(never)]
    fn try_begin_columns(&mut self, ends: bool, grace_ms: u64, priority: f64) -> Result<(), NoMemory> {
        let capacity = self.slab.node_capacity();
        if ends {
            self.ends.try_grow(capacity)?;
        }
        if self.order.may_need_level(priority) {
            self.slab.try_begin_levels()?;
        }
        if grace_ms > 0 && self.lifetimes.is_none() {
            let mut lifetimes = Lifetimes::new();
            lifetimes.try_grow(capacity)?;
            // Last, because every new entry costs more once the shard has lifetimes.
            self.lifetimes = Some(Box::new(lifetimes));
        }
        Ok(())
    }
}
