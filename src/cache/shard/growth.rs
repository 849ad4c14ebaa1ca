//! Memory for one more entry, and what is done with it when no entry is left. It is asked for before anything changes, so that a put which gets
//! none changes nothing (rule L09a).

use super::super::lifetimes::Lifetimes;
use super::super::slab::Slab;
use super::super::wheel::Expirations;
use super::ahead::PrefetchedVictim;
use super::{Outgrown, Shard};
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

    pub(super) fn shrink_if_empty(&mut self) {
        // Smaller structures are kept: freeing them is not worth it for a store that is emptied and filled repeatedly.
        const MOST_NODES_KEPT: usize = 64;
        if self.slab.len() == 0 && self.slab.node_capacity() > MOST_NODES_KEPT {
            self.replace_structures();
        }
    }

    /// Replaces all structures by empty ones. Freeing a lot of memory takes time, so the holder of the lock does that after releasing it.
    pub(super) fn replace_structures(&mut self) {
        let (order, lifetimes) = (self.order.empty_copy(), self.expiry.lifetimes());
        self.outgrown = Some(Box::new(Outgrown {
            _slab: std::mem::replace(&mut self.slab, Slab::new()),
            _order: std::mem::replace(&mut self.order, order),
            _lifetimes: std::mem::replace(&mut self.lifetimes, lifetimes),
            _labels: self.labels.take(),
            _ends: std::mem::replace(&mut self.ends, Expirations::new()),
        }));
        self.cost = 0;
        self.prefetched_victim = PrefetchedVictim::NONE;
    }
}
