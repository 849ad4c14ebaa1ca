//! Room for new entries: how much is lacking, and which entries leave for it (rules S05, S05a). While entries move from one shard to
//! another, the two count as one.

use super::super::departure::{Cause, Departures};
use super::super::entry::PutOutcome;
use super::super::levels::Amount;
use super::super::limits::ShardLimits;
use super::super::policy::Scarce;
use super::Shard;
use crate::base::Millis;

impl Shard {
    /// Makes room for an entry of `cost`. If that fails, returns the reason, and no live entry has left.
    pub(super) fn make_room(
        &mut self,
        cost: u64,
        priority: f64,
        stores: bool,
        now: Millis,
        leaving: Option<&mut Shard>,
        out: &mut Departures,
    ) -> Result<(), PutOutcome> {
        if !stores || self.limits.entries == 0 || priority.is_nan() {
            return Err(PutOutcome::Refused);
        }
        if cost > self.limits.max_cost {
            return Err(PutOutcome::TooLarge);
        }
        if let Some(leaving) = leaving {
            return self.make_room_with(leaving, cost, priority, now, out);
        }
        let cost = u128::from(cost);
        let mut lack = self.lack(1, cost);
        while !lack.is_none() && self.reclaim(now, 1, out) > 0 {
            lack = self.lack(1, cost);
        }
        if lack.is_none() {
            return Ok(());
        }
        if !self.can_evict(lack, priority) {
            return Err(PutOutcome::Refused);
        }
        while !lack.is_none() {
            let (cause, scarce) = if lack.entries > 0 { (Cause::Capacity, Scarce::Entries) } else { (Cause::Cost, Scarce::Cost) };
            if !self.dismiss_next(cause, scarce, now, out) {
                break;
            }
            lack = self.lack(1, cost);
        }
        self.prefetch_victims();
        Ok(())
    }

    /// Whether evicting everything that an entry of this priority may displace would free enough room.
    #[inline(always)]
    fn can_evict(&self, lack: Amount, priority: f64) -> bool {
        if lack.entries == 1 && lack.cost == 0 {
            // The usual case: one entry too many. Any entry of low enough priority will do, so the totals are not needed.
            return self.order.lowest().is_some_and(|lowest| lowest <= priority)
                || self.lifetimes.as_ref().is_some_and(|lifetimes| lifetimes.first().is_some());
        }
        self.evictable(priority).covers(lack)
    }

    /// Returns how much room is missing for this many more entries of this total cost.
    fn lack(&self, entries: u64, cost: u128) -> Amount {
        Amount {
            entries: (self.slab.len() + entries).saturating_sub(self.limits.entries),
            cost: self.limits.cost.map_or(0, |limit| (self.cost + cost).saturating_sub(u128::from(limit))),
        }
    }

    pub(super) fn dismiss_next(&mut self, cause: Cause, scarce: Scarce, now: Millis, out: &mut Departures) -> bool {
        let stale = self.lifetimes.as_ref().and_then(|lifetimes| lifetimes.first());
        stale.or_else(|| self.order.next_victim(&mut self.slab, scarce)).map(|place| self.dismiss(place, cause, now, out)).is_some()
    }

    /// Evicts until this shard and `leaving` together fit the limits of this shard, which are the sum of both. Then `leaving` gets limits
    /// that are just enough for its entries, and this shard gets the rest. Also moves the counters of `leaving` to this shard.
    pub fn fit_with(&mut self, leaving: &mut Shard, now: Millis, out: &mut Departures) {
        self.evict_with(leaving, Amount::default(), now, out);
        let whole = self.limits;
        let held = u64::try_from(leaving.cost).unwrap_or(u64::MAX);
        leaving.limits = ShardLimits { entries: leaving.entries(), cost: whole.cost.map(|_| held), ..whole };
        self.limits = whole.without(leaving.entries(), leaving.cost);
        self.take_counts_of(leaving);
    }

    /// Like [`Shard::make_room`], by evicting from this shard, which has the limits of both, and from `leaving`.
    #[cold]
    #[inline(never)]
    fn make_room_with(
        &mut self,
        leaving: &mut Shard,
        cost: u64,
        priority: f64,
        now: Millis,
        out: &mut Departures,
    ) -> Result<(), PutOutcome> {
        let more = Amount { entries: 1, cost: u128::from(cost) };
        let lack = self.lack_after_reclaiming_with(leaving, more, now, out);
        let mut evictable = self.evictable(priority);
        evictable.add(leaving.evictable(priority));
        if !evictable.covers(lack) {
            return Err(PutOutcome::Refused);
        }
        self.evict_with(leaving, more, now, out);
        Ok(())
    }

    /// Evicts from both until there is room for `more`. Of entries of the same priority, those of `leaving` leave first.
    fn evict_with(&mut self, leaving: &mut Shard, more: Amount, now: Millis, out: &mut Departures) {
        let lowest = |shard: &Shard| match &shard.lifetimes {
            Some(lifetimes) if lifetimes.first().is_some() => Some(f64::NEG_INFINITY),
            _ => shard.lowest_priority(),
        };
        loop {
            let lack = self.lack_after_reclaiming_with(leaving, more, now, out);
            if lack.is_none() {
                return;
            }
            let (cause, scarce) = if lack.entries > 0 { (Cause::Capacity, Scarce::Entries) } else { (Cause::Cost, Scarce::Cost) };
            let is_own = match (lowest(self), lowest(leaving)) {
                (Some(own), Some(other)) => own < other,
                (own, _) => own.is_some(),
            };
            let from = if is_own { &mut *self } else { &mut *leaving };
            if !from.dismiss_next(cause, scarce, now, out) {
                return;
            }
        }
    }

    /// How much room both together lack for `more`, after as many expired entries as necessary have left.
    fn lack_after_reclaiming_with(&mut self, leaving: &mut Shard, more: Amount, now: Millis, out: &mut Departures) -> Amount {
        loop {
            let lack = self.lack(leaving.entries() + more.entries, leaving.cost + more.cost);
            if lack.is_none() || leaving.reclaim(now, 1, out) + self.reclaim(now, 1, out) == 0 {
                return lack;
            }
        }
    }
}
