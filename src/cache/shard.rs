//! Every operation of the store, on one shard. The caller holds the lock.
//!
//! ```text
//!            put                      lookup, touch
//!   new ──────────▶ live ◀──────────────────────────┐
//!     │              │ └────────────────────────────┘
//!     │ no room      │ dismiss(cause): order, wheel, index, ledger, slab, in one place
//!     ▼              ▼
//!   Refused        removed       both are departures in the caller's `out`, never dropped here
//! ```
//!
//! An expired entry is treated as absent, except by [`Shard::stale`], [`Shard::see_stale`] and [`Shard::known`]. It is removed, or its
//! grace begins, when the wheel reports it or a write finds it. Live entries are evicted only if no expired or stale one is left.

mod exchange;
mod expiry;
mod growth;
mod hit;
mod labels;
pub(super) mod moves;
mod outgrown;
mod refresh;
mod room;
mod stale;
pub(super) mod steps;
mod victim_prefetch;

use self::exchange::PutPlan;
pub(super) use self::expiry::DefaultExpiry;
pub(super) use self::labels::TagFate;
use self::outgrown::Unused;
use self::stale::time_of;
use self::victim_prefetch::PrefetchedVictim;
use super::counts::StoreCounts;
use super::departure::{Cause, Departure, Departures};
use super::entry::{Condition, EntryParts, Hit, PutOutcome, TouchOutcome};
use super::index::Index;
use super::labels::{LabelIndex, labels_cost};
use super::lifetimes::Lifetimes;
use super::limits::ShardLimits;
use super::order::{EvictionOrder, NOTES, QueueId};
use super::policy::Importance;
use super::slab::{DetachedEntry, FoundEntry, Place, Slab};
use super::wheel::Expirations;
use super::work;
use crate::base::config::EvictionPolicy;
use crate::base::hint::rarely;
use crate::base::{Answer, Clock, KeyHasher, Labels, Millis, Present, Record, Ttl};

/// The effect of a lookup on the entry and on the statistics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LookupKind {
    /// Counts as a use, and as a hit or miss.
    Lookup,
    /// Counts as a use and a hit. A miss is counted by the caller.
    Probe,
    /// Counts as nothing.
    Peek,
}

/// How many expired entries each write removes, at most.
const RECLAIMED_BY_A_WRITE: usize = 8;

/// The results of lookups, which are added to [`StoreCounts`] on request.
#[derive(Clone, Copy, Default)]
struct Lookups {
    hits: u64,
    null_hits: u64,
    misses: u64,
}

impl Lookups {
    #[inline(always)]
    fn found(&mut self, answer: &Answer) {
        match answer {
            Answer::Value(_) => self.hits += 1,
            Answer::Null => self.null_hits += 1,
        }
    }
}

/// A part of the store. The fields that each lookup writes come first and together, because these cache lines move between the processors
/// of different threads. The fields that lookups only read follow.
#[repr(C)]
pub(super) struct Shard {
    lookups: Lookups,
    /// While fewer uses than this are buffered, lookups may take the fast path. 0 if a lookup has to do more than note a use: with an idle
    /// TTL it records the time, and with refresh ahead the entry may be due.
    fast_notes: u32,
    order: EvictionOrder,
    slab: Slab,
    expiry: DefaultExpiry,
    hasher: KeyHasher,
    /// The expiry times of entries with a TTL.
    ends: Expirations,
    /// The ledger: the total cost of the live and the stale entries, in bytes. Wider than a cost, so that the sum cannot overflow.
    cost: u128,
    limits: ShardLimits,
    counts: StoreCounts,
    /// Present only if entries have a grace, or are refreshed ahead of their expiry.
    lifetimes: Option<Box<Lifetimes>>,
    /// Present only if entries have labels.
    labels: Option<Box<LabelIndex>>,
    outgrown: Option<Box<Unused>>,
    /// The next victim and the hash of its key: computed to prefetch, kept so that its eviction need not compute it again.
    prefetched_victim: PrefetchedVictim,
}

impl Shard {
    pub fn new(hasher: KeyHasher, limits: ShardLimits, policy: EvictionPolicy, expiry: DefaultExpiry) -> Shard {
        Shard {
            lifetimes: expiry.lifetimes(),
            labels: None,
            lookups: Lookups::default(),
            fast_notes: if expiry.idle_ms.is_some() || expiry.refresh.is_on() { 0 } else { NOTES as u32 },
            order: EvictionOrder::new(policy, expiry.idle_ms),
            slab: Slab::new(),
            expiry,
            hasher,
            ends: Expirations::new(),
            cost: 0,
            limits,
            counts: StoreCounts::default(),
            outgrown: None,
            prefetched_victim: PrefetchedVictim::NONE,
        }
    }

    #[inline]
    pub fn index(&self) -> &Index {
        self.slab.index()
    }

    #[inline]
    pub fn slab(&self) -> &Slab {
        &self.slab
    }

    /// See [`EvictionOrder::queue_after`]. Applies all recorded uses.
    pub fn queue_after(&mut self, id: Option<QueueId>) -> Option<QueueId> {
        self.order.apply_uses(&mut self.slab);
        self.order.queue_after(id)
    }

    /// See [`EvictionOrder::first_of`]. Applies all recorded uses.
    pub fn first_of(&mut self, id: QueueId) -> Option<Place> {
        self.order.apply_uses(&mut self.slab);
        self.order.first_of(id)
    }

    pub fn priority_of(&self, place: Place) -> f64 {
        self.order.priority_of(&self.slab, place)
    }

    pub fn limits(&self) -> ShardLimits {
        self.limits
    }

    pub fn set_limits(&mut self, limits: ShardLimits) {
        self.limits = limits;
    }

    pub fn has_idle_ttl(&self) -> bool {
        self.order.has_idle_ttl()
    }

    /// The part of each entry's cost that the eviction order causes, in bytes.
    pub fn cost_of_order(&self) -> u64 {
        self.order.entry_cost()
    }

    pub fn entries(&self) -> u64 {
        self.slab.len()
    }

    pub fn cost(&self) -> u128 {
        self.cost
    }

    pub fn counts(&self) -> StoreCounts {
        let Lookups { hits, null_hits, misses } = self.lookups;
        StoreCounts { hits, null_hits, misses, ..self.counts }
    }

    pub fn take_counts(&mut self) -> StoreCounts {
        let counts = self.counts();
        (self.lookups, self.counts) = (Lookups::default(), StoreCounts::default());
        counts
    }

    pub fn lowest_priority(&self) -> Option<f64> {
        self.order.lowest()
    }

    pub fn next_due(&self) -> Millis {
        self.ends.next_due().min(self.order.next_idle())
    }

    /// See [`Slab::walk`].
    pub fn places(&self, from: u32, most: usize, show: impl FnMut(Place)) -> Option<u32> {
        self.slab.walk(from, most, show)
    }

    /// Returns the hash and the key of the entry at `place`, if it is alive.
    pub fn live_at(&self, place: Place, now: Millis) -> Option<(u64, &[u8])> {
        let key = self.slab.key(place);
        (self.end_of(place) > now).then(|| (self.hasher.hash(key), key))
    }

    #[inline(always)]
    fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        self.slab.find(hash, key).map(|found| found.place)
    }

    /// When the entry at `place` expires, unless it is used or touched before.
    #[inline]
    fn end_of(&self, place: Place) -> Millis {
        let deadline = self.slab.deadline(place);
        let deadline = self.lifetimes.as_ref().map_or(deadline, |lifetimes| lifetimes.end(place, deadline));
        deadline.min(self.order.idle_end(place))
    }

    /// Passes the live entry under `key` to `see`. Inlined with all it calls, so that what `see` does not use is not read from memory.
    #[inline(always)]
    pub fn read<R>(
        &mut self,
        hash: u64,
        key: &[u8],
        clock: &Clock,
        kind: LookupKind,
        see: impl FnOnce(&Slab, FoundEntry<'_>, Millis) -> R,
    ) -> Option<R> {
        if rarely(self.order.is_buffer_full()) {
            self.order.apply_uses(&mut self.slab);
        }
        let Some(FoundEntry { place, record }) = self.slab.find(hash, key) else { return self.not_found(kind) };
        // The clock is read only for an entry that can expire.
        let mut end = Millis::NEVER;
        if rarely(self.order.has_idle_ttl() || record.deadline() != Millis::NEVER) {
            let deadline = self.lifetimes.as_ref().map_or(record.deadline(), |lifetimes| lifetimes.end(place, record.deadline()));
            match end_if_alive(&mut self.order, place, deadline, clock, kind) {
                Some(later) => end = later,
                None => return self.not_found(kind),
            }
        }
        if kind != LookupKind::Peek {
            self.order.note_use(place);
            self.lookups.found(&record.answer());
        }
        Some(see(&self.slab, FoundEntry { place, record }, end))
    }

    #[inline(always)]
    fn not_found<R>(&mut self, kind: LookupKind) -> Option<R> {
        if kind == LookupKind::Lookup {
            self.lookups.misses += 1;
        }
        None
    }

    /// Whether [`Shard::lookup_fast`] may be used.
    #[inline(always)]
    pub fn is_fast(&self) -> bool {
        self.order.noted() < self.fast_notes
    }

    /// The fast path of a lookup, on which nothing can panic.
    #[inline(always)]
    pub fn lookup_fast<R>(&mut self, hash: u64, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<R> {
        let Some(FoundEntry { place, record }) = self.slab.find(hash, key) else {
            self.lookups.misses += 1;
            return None;
        };
        // The record's deadline is the entry's end here: with refresh ahead, where it could be earlier, there is no fast path.
        if rarely(record.deadline() != Millis::NEVER) && record.deadline() <= clock.millis() {
            self.lookups.misses += 1;
            return None;
        }
        self.order.note_use(place);
        let answer = record.answer();
        self.lookups.found(&answer);
        Some(see(&answer))
    }

    /// Stores an entry: see [`Store::put`](super::store::Store::put).
    #[inline(always)]
    pub fn put(&mut self, hash: u64, key: &[u8], mut entry: EntryParts<'_>, present: Present, out: &mut Departures) -> PutOutcome {
        let now = present.earliest;
        self.reclaim(now, RECLAIMED_BY_A_WRITE, out);
        if rarely(self.slab.must_grow(self.limits.entries)) && self.try_grow().is_err() {
            return PutOutcome::NoMemory;
        }
        let found = self.find(hash, key);
        if let Some(place) = found {
            self.slab.prefetch(place);
        }
        let mut kept_end = None;
        if rarely(entry.depends_on_older()) {
            let alive = found.filter(|place| self.end_of(*place) > now);
            if let Err(unmet) = entry.condition.check(alive.map(|place| self.slab.answer(place)).as_deref()) {
                return unmet;
            }
            if entry.terms.renews
                && let Some(place) = found
                && let ttl = self.expiry.ttl_of(entry.terms.ttl, entry.answer)
                && self.is_renewed(place, &entry, ttl, now)
            {
                if self.lacks_columns_for(&entry, ttl != Ttl::Never) {
                    return PutOutcome::NoMemory;
                }
                return self.renew(place, &entry, ttl, present);
            }
            kept_end = match entry.condition {
                Condition::Restored(end) => Some(*end),
                _ => alive.filter(|_| entry.terms.keep_ttl).map(|place| time_of(&self.slab, self.lifetimes.as_deref(), place)),
            };
        }
        let plan = PutPlan::new(&entry, &self.expiry, found, kept_end, present);
        if self.lacks_columns_for(&entry, plan.ends()) {
            return PutOutcome::NoMemory;
        }
        let mut record = None;
        if self.may_exchange(&entry, &plan) {
            let (made, cost) = self.record_of(key, &mut entry, &plan);
            if let Some((place, cause)) = self.node_for(found, cost, now) {
                let entering = DetachedEntry { record: made, cost, stored_at: now };
                return self.exchange(place, cause, hash, entering, &plan, out);
            }
            record = Some(made);
        }
        // The copy of the plan lets the compiler keep the plan itself in registers.
        self.put_into_own_node(hash, key, entry, record, &{ plan }, out)
    }

    /// The rest of a put whose entry does not take over the node of another one. `record` is the entry's record, if it was made already.
    #[inline(never)]
    fn put_into_own_node(
        &mut self,
        hash: u64,
        key: &[u8],
        mut entry: EntryParts<'_>,
        record: Option<Record>,
        plan: &PutPlan,
        out: &mut Departures,
    ) -> PutOutcome {
        let PutPlan { found, priority, grace_ms, present, .. } = *plan;
        let now = present.earliest;
        let is_restored = matches!(entry.condition, Condition::Restored(_));
        let mut queue_state = if is_restored { self.order.queue_state_of_returning() } else { None };
        let older_cause = found.map(|place| {
            let its_state = self.order.queue_state_after_use(&mut self.slab, place);
            let cause = if plan.stores() { Cause::Replaced } else { Cause::Removed };
            // The older entry leaves before room is made for the newer one, so it leaves even if the newer one is refused.
            let cause = self.dismiss_or_expire(place, cause, now, out);
            if rarely(its_state.is_some()) && cause == Cause::Replaced {
                queue_state = its_state;
            }
            cause
        });
        let (mut record, mut cost) = match record {
            Some(record) => {
                let cost = self.own_cost_of(&record, &entry, plan);
                (record, cost)
            }
            // Made only after the older entry has left, because the new value may be in that entry's record.
            None => self.record_of(key, &mut entry, plan),
        };
        let labels = entry.terms.labels.take();
        if rarely(labels.is_some()) {
            cost = cost.saturating_add(labels_cost(labels.as_ref()));
        }
        if let Err(refusal) = self.make_room(cost, priority, plan.stores(), now, entry.leaving, out) {
            self.depart(DetachedEntry { record, cost, stored_at: now }, Cause::Refused, Millis::NEVER, now, out);
            return refusal;
        }
        self.counts.inserts += 1;
        self.counts.replacements += u64::from(older_cause == Some(Cause::Replaced));
        let deadline = plan.deadline(&self.expiry);
        if rarely(deadline != Millis::NEVER) {
            record.set_deadline(deadline);
        }
        let importance = Importance { priority, queue_state };
        let end = self.store(hash, DetachedEntry { record, cost, stored_at: now }, importance, grace_ms, labels, present.latest);
        PutOutcome::Stored { cost, expires_at: finite(end) }
    }

    fn store(
        &mut self,
        hash: u64,
        detached: DetachedEntry,
        importance: Importance,
        grace_ms: u64,
        labels: Option<Labels>,
        used: Millis,
    ) -> Millis {
        self.cost += u128::from(detached.cost);
        let deadline = detached.record.deadline();
        let place = self.slab.insert(hash, detached, self.limits.entries);
        self.order.enter(&mut self.slab, place, hash, importance, used);
        self.note_labels(place, labels);
        self.note_lifetime(place, deadline, grace_ms, used)
    }

    /// Restarts the TTL of the live entry under `key`. Counts as a use.
    pub fn touch(&mut self, hash: u64, key: &[u8], ttl: Option<Ttl>, present: Present, out: &mut Departures) -> TouchOutcome {
        let now = present.earliest;
        self.reclaim(now, RECLAIMED_BY_A_WRITE, out);
        let Some(place) = self.find(hash, key).filter(|place| self.end_of(*place) > now) else { return TouchOutcome::Missing };
        let ttl = self.expiry.ttl_of(ttl, &self.slab.answer(place));
        if ttl == Ttl::DoNotStore {
            return TouchOutcome::NoTtl;
        }
        self.ends.remove(place);
        let deadline = self.expiry.deadline(ttl, present.latest);
        self.slab.set_deadline(place, self.expiry.refresh_at(present.latest, deadline));
        self.lifetimes.iter_mut().for_each(|lifetimes| lifetimes.set_end(place, deadline));
        if rarely(self.order.is_buffer_full()) {
            self.order.apply_uses(&mut self.slab);
        }
        self.order.time_use(place, present.latest);
        self.order.note_use(place);
        TouchOutcome::Done(finite(self.note_end(place, deadline)))
    }

    /// Registers the expiry of the entry at `place` if it has a TTL. Returns when it expires.
    #[inline(always)]
    fn note_end(&mut self, place: Place, deadline: Millis) -> Millis {
        if deadline != Millis::NEVER {
            self.note_deadline(place, deadline);
        }
        deadline.min(self.order.idle_end(place))
    }

    #[inline(never)]
    fn note_deadline(&mut self, place: Place, deadline: Millis) {
        let Shard { ends, slab, lifetimes, .. } = self;
        ends.insert(place, deadline, slab.node_capacity(), |place| time_of(slab, lifetimes.as_deref(), place));
    }

    /// Removes the entry at `place`: as expired if its time is over, else for `cause`. Returns the cause.
    fn dismiss_or_expire(&mut self, place: Place, cause: Cause, now: Millis, out: &mut Departures) -> Cause {
        let cause = if self.leaves_at(place) <= now { Cause::Expired } else { cause };
        self.dismiss(place, cause, now, out);
        cause
    }

    /// Removes one entry from all structures. Only [`Shard::exchange`], [`Shard::salvage`] and a move to another shard remove entries
    /// without this function.
    fn dismiss(&mut self, place: Place, cause: Cause, now: Millis, out: &mut Departures) {
        let end = self.end_of(place);
        let hash = self.prefetched_victim.take(place).unwrap_or_else(|| self.hasher.hash(self.slab.key(place)));
        self.ends.remove(place);
        // A fallback is in no queue any more.
        if cause.is_eviction() && !self.lifetimes.as_ref().is_some_and(|lifetimes| lifetimes.is_stale(place)) {
            self.order.note_evicted(place, hash).into_iter().for_each(|table| self.discard(table));
        }
        self.release(place, cause, end, now, out, |slab| slab.remove(hash, place));
    }

    #[inline(always)]
    fn release(
        &mut self,
        place: Place,
        cause: Cause,
        end: Millis,
        now: Millis,
        out: &mut Departures,
        remove: impl FnOnce(&mut Slab) -> DetachedEntry,
    ) {
        work::entry();
        let cost = self.slab.cost(place);
        drop(self.take_labels(place));
        if !self.lifetimes.as_mut().is_some_and(|lifetimes| lifetimes.leave(place, cost)) {
            self.order.leave(&mut self.slab, place);
        }
        self.cost -= u128::from(cost);
        let left = remove(&mut self.slab);
        self.depart(left, cause, end, now, out);
    }

    #[inline(always)]
    fn depart(&mut self, left: DetachedEntry, cause: Cause, end: Millis, left_at: Millis, out: &mut Departures) {
        let DetachedEntry { record, cost, stored_at } = left;
        self.counts.depart(cause, cost);
        out.push(Departure { record: record.leave(), cost, stored_at, end, left_at, cause });
    }

    /// Removes up to `most` expired entries, or begins their grace. Returns their number.
    #[inline]
    pub fn reclaim(&mut self, now: Millis, most: usize, out: &mut Departures) -> usize {
        if self.next_due() <= now { self.reclaim_due(now, most, out) } else { 0 }
    }

    #[inline(never)]
    fn reclaim_due(&mut self, now: Millis, most: usize, out: &mut Departures) -> usize {
        (0..most).take_while(|_| self.next_expired(now).map(|place| self.end(place, self.end_of(place), now, out)).is_some()).count()
    }

    fn next_expired(&mut self, now: Millis) -> Option<Place> {
        let Shard { ends, slab, lifetimes, .. } = self;
        let due = ends.take(now, |place| time_of(slab, lifetimes.as_deref(), place));
        due.or_else(|| self.order.longest_idle(&mut self.slab).filter(|place| self.end_of(*place) <= now))
    }

    /// Like [`Shard::reclaim`]; also frees the memory of the nodes if no entry is left.
    pub fn sweep(&mut self, now: Millis, most: usize, out: &mut Departures) -> usize {
        let entries = self.reclaim(now, most, out);
        self.shrink_if_empty();
        entries
    }

    /// Removes the entry under `key`. If it was alive, returns true, and the entry is the last departure.
    pub fn remove(&mut self, hash: u64, key: &[u8], now: Millis, out: &mut Departures) -> bool {
        self.reclaim(now, RECLAIMED_BY_A_WRITE, out);
        let found = self.find(hash, key);
        found.is_some_and(|place| {
            let is_alive = self.end_of(place) > now;
            self.dismiss_or_expire(place, Cause::Removed, now, out);
            is_alive
        })
    }
}

/// Returns when an entry expires; `None` if it has expired. Records the time of the use, unless `kind` is a peek.
#[inline(never)]
fn end_if_alive(order: &mut EvictionOrder, place: Place, deadline: Millis, clock: &Clock, kind: LookupKind) -> Option<Millis> {
    let present = clock.present();
    if deadline.min(order.idle_end(place)) <= present.earliest {
        return None;
    }
    if kind != LookupKind::Peek {
        order.time_use(place, present.latest);
    }
    Some(deadline.min(order.idle_end(place)))
}

fn finite(end: Millis) -> Option<Millis> {
    (end != Millis::NEVER).then_some(end)
}

impl Hit {
    #[inline(always)]
    pub(super) fn of(slab: &Slab, found: FoundEntry<'_>, end: Millis) -> Hit {
        let FoundEntry { place, record } = found;
        let (cost, stored_at) = slab.cost_and_time(place);
        Hit { answer: Answer::clone(&record.answer()), cost, stored_at, expires_at: finite(end) }
    }
}
