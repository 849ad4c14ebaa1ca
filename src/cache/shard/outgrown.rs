//! What a shard no longer uses: structures that became empty, and tables that were replaced by others. Freeing much memory takes time, so
//! the holder of the lock does that after releasing it (rule S19).

use super::super::departure::{Cause, Departures};
use super::super::index::OutgrownTable;
use super::super::labels::LabelIndex;
use super::super::lifetimes::Lifetimes;
use super::super::links::Links;
use super::super::order::EvictionOrder;
use super::super::policy::GhostTable;
use super::super::slab::Slab;
use super::super::wheel::Expirations;
use super::Shard;
use super::victim_prefetch::PrefetchedVictim;
use crate::base::hint::rarely;

/// What is kept in the shard until the lock is released.
#[derive(Default)]
pub(super) struct Unused {
    structures: Option<Structures>,
    ghosts: Option<GhostTable>,
}

/// The structures that a shard has replaced by empty ones.
struct Structures {
    _slab: Slab,
    _order: EvictionOrder,
    _ends: Expirations,
    _lifetimes: Option<Box<Lifetimes>>,
    _labels: Option<Box<LabelIndex>>,
}

/// What the holder of the lock frees after releasing it.
pub(in crate::cache) struct Outgrown {
    _unused: Option<Box<Unused>>,
    _memory: (OutgrownTable, Vec<Links>),
}

impl Shard {
    /// Empties the shard after a panic in one of its operations. No link, total or index can be trusted then.
    pub fn salvage(&mut self, out: &mut Departures) {
        for detached in std::mem::replace(&mut self.slab, Slab::new()).into_entries() {
            let (at, end) = (detached.stored_at, detached.record.deadline());
            self.depart(detached, Cause::Cleared, end, at, out);
        }
        self.replace_structures();
    }

    pub(super) fn shrink_if_empty(&mut self) {
        // Smaller structures are kept: freeing them is not worth it for a store that is emptied and filled repeatedly.
        const MOST_NODES_KEPT: usize = 64;
        if self.slab.len() == 0 && self.slab.node_capacity() > MOST_NODES_KEPT {
            self.replace_structures();
        }
    }

    /// Replaces all structures by empty ones.
    pub(super) fn replace_structures(&mut self) {
        let (order, lifetimes) = (self.order.empty_copy(), self.expiry.lifetimes());
        self.outgrown.get_or_insert_default().structures = Some(Structures {
            _slab: std::mem::replace(&mut self.slab, Slab::new()),
            _order: std::mem::replace(&mut self.order, order),
            _lifetimes: std::mem::replace(&mut self.lifetimes, lifetimes),
            _labels: self.labels.take(),
            _ends: std::mem::replace(&mut self.ends, Expirations::new()),
        });
        self.cost = 0;
        self.prefetched_victim = PrefetchedVictim::NONE;
    }

    /// Keeps a table of ghosts until the lock is released.
    #[cold]
    #[inline(never)]
    pub(super) fn discard(&mut self, ghosts: GhostTable) {
        self.outgrown.get_or_insert_default().ghosts = Some(ghosts);
    }

    /// Returns memory that is no longer needed, to be dropped after the lock is released.
    #[inline(always)]
    pub fn take_outgrown(&mut self) -> Option<Box<Outgrown>> {
        if rarely(self.outgrown.is_some() || self.slab.has_outgrown()) { Some(self.outgrown()) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn outgrown(&mut self) -> Box<Outgrown> {
        Box::new(Outgrown { _unused: self.outgrown.take(), _memory: self.slab.take_outgrown() })
    }
}
