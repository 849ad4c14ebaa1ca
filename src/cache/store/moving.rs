//! Moves the entries of a group of shards to other shards in steps (rules S02a, S19).
//!
//! ```text
//!   begin    the sources' entries, with their structures, become *leaving shards*; empty shards take their places, and
//!            from now on the keys of the group belong to the targets
//!   steps    64 entries at a time, the most recently used first, each as the least recently used of its target
//!   end      the leaving shards are empty, and their memory is freed
//! ```
//!
//! While a group moves, an operation on one of its keys first brings the key's entry to the key's target. So the operation finds the entry,
//! and works on one shard like any other. The entries that have not arrived count as less recently used than those of the target: a put
//! that lacks room evicts from them first. An operation on all entries first moves the rest of the group.
//!
//! The lock of [`Store::moving`] protects the group. It is taken before the locks of shards: by operations on keys of the group that moves,
//! by the steps, and by changes of the layout. While the number of shards does not change, only a resize takes it.

use super::super::departure::{Departures, StepSink};
use super::super::entry::{EntryParts, PutOutcome};
use super::super::layout::Layout;
use super::super::limits::ShardLimits;
use super::super::locked_shard::LockedShard;
use super::super::shard::Shard;
use super::super::shard::moves::MovingEntry;
use super::super::shard::steps::STEP;
use super::super::work::LockScope;
use super::Store;
use crate::base::sync::MutexGuard;
use crate::base::sync::atomic::Ordering;
use crate::base::{Clock, Millis, Present};
use std::ops::Range;

/// A shard whose entries are on their way to other shards.
struct LeavingShard {
    shard: Shard,
    /// The number of entries when the shard began to leave.
    entries: u64,
}

/// The layout, and [`Store::moves_begun`], just before an entry was brought to its shard for a read.
#[derive(Clone, Copy)]
pub(super) struct Brought {
    layout: Layout,
    moves_begun: u64,
}

/// A group that moves.
pub(super) struct MovingGroup {
    /// The layouts before and after the group began to move.
    before: Layout,
    after: Layout,
    /// The numbers of the shards that the group's entries come from, and of the shards that they go to.
    sources: Range<usize>,
    targets: Range<usize>,
    /// One shard for each of `sources`.
    leaving: Vec<LeavingShard>,
    /// The number of entries when it began to move.
    entries: u64,
    /// Whether there is an idle TTL.
    are_uses_timed: bool,
}

impl MovingGroup {
    /// The leaving shard that contains the entry with this hash, if it has not arrived yet; `None` for a hash of another group.
    fn source_of(&mut self, hash: u64) -> Option<&mut Shard> {
        let middle = Store::middle_of(hash);
        let (from, to) = (self.before.index(middle), self.after.index(middle));
        let is_own = self.after.is_in_last_begun(middle) && self.targets.contains(&to);
        self.leaving.get_mut(from.checked_sub(self.sources.start)?).filter(|_| is_own).map(|leaving| &mut leaving.shard)
    }

    /// Takes the next entry out of a leaving shard: the shard that has the largest part of its entries left; with an idle TTL, the shard
    /// whose last entry was used most recently. Among equal shards, the one with the highest number.
    fn next(&mut self) -> Option<(usize, MovingEntry)> {
        let is_timed = self.are_uses_timed;
        let rank = |leaving: &mut LeavingShard| {
            let last = leaving.shard.entries().checked_sub(1)?;
            if is_timed { leaving.shard.last_use().map(|used| used.0) } else { Some((last << 32) / leaving.entries.max(1)) }
        };
        let ranked = self.leaving.iter_mut().enumerate().filter_map(|(at, leaving)| Some((rank(leaving)?, at)));
        let (_, at) = ranked.max()?;
        Some((at, self.leaving[at].shard.take_last()?))
    }

    /// About the number of entries that each target will have at most.
    fn room(&self) -> u64 {
        self.entries / self.targets.len() as u64 * 9 / 8 + 1
    }
}

impl Store {
    /// Takes the lock of the moving group. If a panic left its state unknown, its leaving shards are emptied into `out`.
    fn hold_moving(&self, out: &mut Departures) -> MutexGuard<'_, Option<Box<MovingGroup>>> {
        self.moving.lock_unless_broken().unwrap_or_else(|mut broken| {
            broken.iter_mut().flat_map(|group| &mut group.leaving).for_each(|leaving| leaving.shard.salvage(out));
            self.moving.mended();
            if let Some(sink) = self.sink()
                && !out.is_empty()
            {
                sink.record(out);
            }
            broken
        })
    }

    /// Does the next step of a change of the layout. If there is no such change, begins one to `shards` shards, unless `may_begin`, which
    /// is called under the lock, returns false. Returns whether there may be more to do.
    pub(super) fn change_layout(&self, shards: Option<usize>, may_begin: impl FnOnce() -> bool, out: &mut dyn StepSink) -> bool {
        let (mut left, mut ended) = (Departures::new(), None);
        let (more, targets) = {
            let mut moving = self.hold_moving(&mut left);
            let layout = self.layout();
            let targets = moving.as_ref().map_or(0..0, |group| group.targets.clone());
            let more = if moving.is_some() {
                ended = self.move_some(&mut moving, &mut left);
                true
            } else if layout.has_begun_all() {
                // This happens only if a panic has ended the last group.
                self.set_layout(layout.ended());
                true
            } else if layout.is_changing() {
                *moving = Some(self.begin_group(layout, &mut left));
                true
            } else {
                let next = shards.filter(|shards| layout != Layout::of(*shards) && may_begin());
                // This does not move any hash to another shard yet.
                next.into_iter().for_each(|shards| self.set_layout(layout.begin(shards)));
                next.is_some()
            };
            (more, targets)
        };
        // Frees the memory of the leaving shards, with no lock held.
        drop(ended);
        out.take(&mut left);
        self.give_way_in(targets);
        more
    }

    /// Brings all entries of the group that moves to their shards, in steps. Returns at once if no group moves. When this returns, another
    /// group may have begun to move; then the layout has changed.
    pub(in super::super) fn end_move(&self, out: &mut dyn StepSink) {
        let layout = self.layout();
        while layout.is_changing() && self.layout() == layout && self.move_step(out) {}
    }

    /// Moves some entries. Returns whether there was a group that moves.
    pub(super) fn move_step(&self, out: &mut dyn StepSink) -> bool {
        let mut left = Departures::new();
        let (targets, ended) = {
            let mut moving = self.hold_moving(&mut left);
            (moving.as_ref().map(|group| group.targets.clone()), self.move_some(&mut moving, &mut left))
        };
        drop(ended);
        out.take(&mut left);
        let moves = targets.is_some();
        self.give_way_in(targets.unwrap_or_default());
        moves
    }

    /// Lets threads that wait for the group or for one of these shards go first.
    fn give_way_in(&self, shards: Range<usize>) {
        self.moving.give_way();
        self.locked_shards[shards].iter().for_each(LockedShard::give_way);
    }

    /// The number of groups that have begun to move. It is raised while the shards of the group are locked, before an entry moves: if it is
    /// the same before and after a visit to all shards, no group began to move during the visit.
    pub(super) fn moves_begun(&self) -> u64 {
        self.moves_begun.load(Ordering::Acquire)
    }

    fn set_layout(&self, layout: Layout) {
        self.layout.store(layout.word().0, Ordering::Relaxed);
    }

    /// The earliest time at which an entry that has not arrived may expire.
    pub(super) fn moving_due(&self) -> Millis {
        Millis(self.moving_due.load(Ordering::SeqCst))
    }

    /// Begins to move the next group.
    fn begin_group(&self, before: Layout, left: &mut Departures) -> Box<MovingGroup> {
        let _hold = LockScope::begin();
        let group = before.next_group();
        let after = before.with_begun(&group);
        // The locks are taken in ascending order, as in `move_some`. All other operations hold one lock at a time.
        let (one, other) = (group.sources.clone(), group.targets.clone());
        let (first, second) = if one.start < other.start { (one, other) } else { (other, one) };
        let concerned = first.clone().chain(second.start.max(first.end)..second.end);
        let mut held: Vec<_> = concerned.map(|index| (index, self.locked_shards[index].hold(self.sink(), left))).collect();
        let sources = || group.sources.clone();
        let due = held.iter().filter(|(index, _)| sources().contains(index)).map(|(_, shard)| shard.next_due()).min();
        // Set before the shards announce that nothing in them expires: see `Store::next_due`.
        self.moving_due.store(due.unwrap_or(Millis::NEVER).0, Ordering::SeqCst);
        let (mut spare, mut leaving) = (None::<ShardLimits>, Vec::with_capacity(group.sources.len()));
        for (_, shard) in held.iter_mut().filter(|(index, _)| sources().contains(index)) {
            let mut shard = shard.vacate();
            let (limits, entries) = (shard.limits(), shard.entries());
            let unused = limits.without(entries, shard.cost());
            spare = Some(spare.map_or(unused, |spare| spare.and(unused)));
            let cost = limits.cost.map(|_| u64::try_from(shard.cost()).unwrap_or(u64::MAX));
            shard.set_limits(ShardLimits { entries, cost, ..limits });
            leaving.push(LeavingShard { shard, entries });
        }
        // The unused part of the limits is divided equally. An entry brings its own part along.
        let spare = spare.unwrap_or(ShardLimits::NONE).split(group.targets.len() as u64);
        held.iter_mut().filter(|(index, _)| group.targets.contains(index)).for_each(|(_, shard)| shard.set_limits(spare));
        self.set_layout(after);
        self.moves_begun.fetch_add(1, Ordering::Release);
        held.iter().for_each(|(index, shard)| self.locked_shards[*index].announce(shard));
        let are_uses_timed = leaving.iter().any(|leaving| leaving.shard.has_idle_ttl());
        let entries = leaving.iter().map(|leaving| leaving.entries).sum();
        Box::new(MovingGroup { before, after, sources: group.sources, targets: group.targets, leaving, entries, are_uses_timed })
    }

    /// Moves some entries of the group. Returns the group once all have arrived, to be dropped under no lock.
    fn move_some(&self, moving: &mut Option<Box<MovingGroup>>, left: &mut Departures) -> Option<Box<MovingGroup>> {
        let group = moving.as_deref_mut()?;
        let hold = LockScope::begin();
        let (first, room) = (group.targets.start, group.room());
        let mut targets: Vec<_> = group.targets.clone().map(|index| self.locked_shards[index].hold(self.sink(), left)).collect();
        for _ in 0..STEP {
            let Some((at, entry)) = group.next() else { break };
            let target = group.after.index(Store::middle_of(entry.hash)) - first;
            group.leaving[at].shard.hand(entry, &mut targets[target], room);
        }
        let has_arrived = group.leaving.iter().all(|leaving| leaving.shard.entries() == 0);
        if has_arrived && let Some(target) = targets.first_mut() {
            // Only a leaving shard that a panic has emptied has limits and counts left: those of its departures.
            let over = group.leaving.iter().map(|leaving| leaving.shard.limits());
            let limits = over.fold(target.limits(), ShardLimits::and);
            target.set_limits(limits);
            group.leaving.iter_mut().for_each(|leaving| target.take_counts_of(&mut leaving.shard));
        }
        let outgrown: Vec<_> = targets.iter_mut().map(|shard| shard.take_outgrown()).collect();
        group.targets.clone().zip(&targets).for_each(|(index, shard)| self.locked_shards[index].announce(shard));
        drop(targets);
        drop((hold, outgrown));
        if !has_arrived {
            return None;
        }
        // Reset after the shards have announced what expires in them: see `Store::next_due`.
        self.moving_due.store(Millis::NEVER.0, Ordering::SeqCst);
        if group.after.has_begun_all() {
            self.set_layout(group.after.ended());
        }
        moving.take()
    }

    /// Brings the entry under `key` to its shard, for a read of it.
    #[cold]
    #[inline(never)]
    pub(super) fn bring_for_read(&self, hash: u64, key: &[u8]) -> Brought {
        let brought = Brought { layout: self.layout(), moves_begun: self.moves_begun() };
        self.bring(hash, key);
        brought
    }

    /// Locks the shard of an entry that was brought there; `None` if the entry may have begun to move again since.
    #[cold]
    #[inline(never)]
    pub(super) fn shard_while_changing(&self, brought: Brought, hash: u64) -> Option<MutexGuard<'_, Shard>> {
        let shard = self.locked_shards[brought.layout.index(Store::middle_of(hash))].lock_for_read(self.sink());
        // The layout alone would not tell: after a whole cycle of changes, the same group begins to move in the same layout.
        (self.layout() == brought.layout && self.moves_begun() == brought.moves_begun).then_some(shard)
    }

    /// Brings the entry under `key` to its shard if the key is in the group that moves. The entry stays there until a group begins to move.
    fn bring(&self, hash: u64, key: &[u8]) {
        if !self.layout().is_in_last_begun(Store::middle_of(hash)) {
            return;
        }
        // Departures from shards that are emptied after a panic. Dropped when no lock is held.
        let mut left = Departures::new();
        {
            let mut moving = self.hold_moving(&mut left);
            let Some(group) = moving.as_deref_mut() else { return };
            let (room, target) = (group.room(), group.after.index(Store::middle_of(hash)));
            let Some(source) = group.source_of(hash) else { return };
            let bring = |shard: &mut Shard, _: &mut Departures| {
                source.take_key(hash, key).into_iter().for_each(|entry| source.hand(entry, shard, room));
            };
            self.locked_shards[target].write(self.sink(), &mut left, bring);
        }
    }

    /// A put while the number of shards is being changed.
    #[cold]
    #[inline(never)]
    pub(super) fn put_while_changing(
        &self,
        hash: u64,
        key: &[u8],
        entry: EntryParts<'_>,
        present: Present,
        clock: &Clock,
        out: &mut Departures,
    ) -> PutOutcome {
        self.write_while_changing(
            (hash, key),
            clock,
            out,
            move |shard, leaving, out| shard.put(hash, key, EntryParts { leaving, ..entry }, present, out),
            |put, _, _| put,
        )
    }

    /// [`Store::write_then`] while the number of shards is being changed.
    #[cold]
    #[inline(never)]
    pub(super) fn write_while_changing<R, T>(
        &self,
        (hash, key): (u64, &[u8]),
        clock: &Clock,
        out: &mut Departures,
        change: impl FnOnce(&mut Shard, Option<&mut Shard>, &mut Departures) -> R,
        conclude: impl FnOnce(R, &Departures, usize) -> T,
    ) -> T {
        let (middle, now) = (Store::middle_of(hash), clock.millis());
        loop {
            let layout = self.layout();
            // Under this lock the layout does not change.
            let mut moving = layout.is_in_last_begun(middle).then(|| self.hold_moving(out));
            let locked = &self.locked_shards[self.layout().index(middle)];
            let shard = locked.hold(self.sink(), out);
            if self.layout() != layout {
                continue;
            }
            let room = moving.as_ref().and_then(|moving| moving.as_ref()).map_or(0, |group| group.room());
            let source = moving.as_mut().and_then(|moving| moving.as_mut()).and_then(|group| group.source_of(hash));
            return locked.change(shard, self.sink(), out, |shard, out| {
                let earlier = out.len();
                let Some(source) = source else {
                    let done = change(shard, None, out);
                    return conclude(done, out, earlier);
                };
                source.take_key(hash, key).into_iter().for_each(|entry| source.hand(entry, shard, room));
                shard.set_limits(shard.limits().and(source.limits()));
                let done = change(shard, Some(&mut *source), out);
                shard.fit_with(source, now, out);
                conclude(done, out, earlier)
            });
        }
    }
}

#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod room_tests;

#[cfg(test)]
mod tests {
    use super::super::super::departure::{Cause, EachStep};
    use super::super::super::entry::{ENTRY_COST, NewEntry};
    use super::super::super::snapshot::CopiedEntry;
    use super::super::super::walk::Walk;
    use super::*;
    use crate::base::config::{CacheSettings, EvictionPolicy};
    use crate::base::{Answer, Random, StoreTerms, Ttl, Value};
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    pub(super) fn key(number: u64) -> [u8; 4] {
        (number as u32).to_be_bytes()
    }

    pub(super) fn number_of(key: &[u8]) -> u64 {
        u64::from(u32::from_be_bytes(key.try_into().expect("four bytes")))
    }

    fn value(number: u64) -> Answer {
        Answer::Value(Value::bytes(&number.to_be_bytes()).expect("memory"))
    }

    fn read(answer: &Answer) -> u64 {
        u64::from_be_bytes(answer.value().and_then(Value::as_bytes).expect("bytes").try_into().expect("eight bytes"))
    }

    /// What a test knows of each key's entry: its value and its end.
    type Known = BTreeMap<u64, (u64, u64)>;

    /// A store and a model of it, on which arbitrary operations are played between the steps of a resize. Nothing is ever evicted.
    struct Play {
        store: Store,
        clock: Clock,
        known: RefCell<Known>,
        random: RefCell<Random>,
        next_value: Cell<u64>,
        ops_while_moving: Cell<u64>,
    }

    const KEYS: u64 = 1_500;
    /// Cost limits: with `FEW` bytes a store has one shard, with `MANY` it has up to sixteen.
    pub(super) const FEW: u64 = 1 << 20;
    pub(super) const MANY: u64 = 16 << 20;

    impl Play {
        fn new(settings: CacheSettings, seed: u64) -> Play {
            let settings = CacheSettings { capacity: 1 << 20, cost_limit: Some(MANY), ..settings };
            let (store, clock) = (Store::new(&settings, None), Clock::manual(Millis(1_000)));
            let (known, random) = (RefCell::default(), RefCell::new(Random::new(Some(seed))));
            Play { store, clock, known, random, next_value: Cell::new(0), ops_while_moving: Cell::new(0) }
        }

        fn below(&self, bound: u64) -> u64 {
            self.random.borrow_mut().bits() % bound
        }

        fn now(&self) -> u64 {
            self.clock.millis().0
        }

        fn live(&self, key: u64) -> Option<u64> {
            self.known.borrow().get(&key).filter(|(_, end)| *end > self.now()).map(|(value, _)| *value)
        }

        fn put(&self, number: u64) {
            let value_number = self.next_value.replace(self.next_value.get() + 1);
            let ttl = if self.below(3) == 0 { Ttl::of_ms(1 + self.below(400)) } else { Ttl::Never };
            let terms = StoreTerms { ttl: Some(ttl), priority: Some(self.below(3) as f64), ..StoreTerms::default() };
            let entry = NewEntry { terms, ..NewEntry::new(value(value_number)) };
            assert!(self.store.put(&key(number), entry, &self.clock, &mut Departures::new()).is_stored());
            let end = match ttl {
                Ttl::For(ttl) => self.now() + ttl.get(),
                _ => u64::MAX,
            };
            self.known.borrow_mut().insert(number, (value_number, end));
        }

        fn random_operation(&self) {
            let (number, out) = (self.below(KEYS), &mut Departures::new());
            let (name, live) = (key(number), self.live(number));
            self.ops_while_moving.set(self.ops_while_moving.get() + u64::from(self.store.moving.lock().is_some()));
            match self.below(16) {
                0..4 => self.put(number),
                4..7 => assert_eq!(self.store.lookup(&name, &self.clock).map(|hit| read(&hit.answer)), live),
                7 => assert_eq!(self.store.peek(&name, &self.clock).map(|hit| read(&hit.answer)), live),
                8 => {
                    let seen = self.store.try_lookup_fast(&name, &self.clock, read);
                    assert!(seen.is_none_or(|seen| seen == live));
                }
                9 => {
                    assert_eq!(self.store.remove(&name, &self.clock, out), live.is_some());
                    self.known.borrow_mut().remove(&number);
                }
                10 => {
                    assert_eq!(self.store.take(&name, &self.clock, out).map(|answer| read(&answer)), live);
                    self.known.borrow_mut().remove(&number);
                }
                11 => {
                    let touched = self.store.touch(&name, Some(Ttl::of_ms(50)), &self.clock, out);
                    assert_eq!(matches!(touched, super::super::super::entry::TouchOutcome::Done(_)), live.is_some());
                    if live.is_some() {
                        let end = self.now() + 50;
                        self.known.borrow_mut().entry(number).and_modify(|(_, known)| *known = end);
                    }
                }
                12 => {
                    if let Clock::Manual(clock) = &self.clock {
                        clock.advance(1);
                    }
                }
                13 => drop(self.store.sweep(&self.clock, 10, out)),
                14 => {
                    assert_eq!(self.store.expire(&name, &self.clock, out), live.is_some());
                    self.known.borrow_mut().remove(&number);
                }
                _ => self.check_rarely(),
            }
            // Some of the expired entries have left already.
            let first = self.known.borrow().values().map(|(_, end)| *end).filter(|end| *end > self.now()).min();
            let due = self.store.next_due().unwrap_or(Millis::NEVER).0;
            assert!(first.is_none_or(|first| due <= first), "the timer sleeps beyond an expiry: {due}, {first:?}");
        }

        /// In one of twenty calls, an operation on all entries, which ends the move of a group.
        fn check_rarely(&self) {
            match self.below(40) {
                0 => self.check(),
                // Writes have removed some of them already.
                1 => assert!(self.store.remove_expired(&self.clock, &mut Departures::new()) <= self.forget_expired()),
                _ => {}
            }
        }

        fn forget_expired(&self) -> usize {
            let (mut known, now) = (self.known.borrow_mut(), self.now());
            let before = known.len();
            known.retain(|_, (_, end)| *end > now);
            before - known.len()
        }

        fn check(&self) {
            let known: BTreeMap<u64, u64> =
                self.known.borrow().iter().filter(|(_, (_, end))| *end > self.now()).map(|(key, (value, _))| (*key, *value)).collect();
            assert_eq!(self.store.len(&self.clock, &mut Departures::new()), known.len() as u64);
            let (mut walk, mut keys) = (Walk::new(), Vec::new());
            while self.store.walk(&mut walk, &self.clock, &mut keys) {}
            let mut keys: Vec<u64> = keys.iter().map(|key| number_of(key)).collect();
            keys.sort_unstable();
            assert!(keys.iter().eq(known.keys()), "a walk visits each entry once");
            let (mut snapshot, mut page) = (self.store.snapshot().expect("memory"), Vec::new());
            while self.store.copy_page(&mut snapshot, &self.clock, &mut page).expect("memory") {}
            let copied: BTreeMap<u64, u64> = page.iter().map(|CopiedEntry { key, answer, .. }| (number_of(key), read(answer))).collect();
            assert_eq!((copied, page.len()), (known.clone(), known.len()), "a copy has each entry once");
            let cost = known.len() as u64 * (ENTRY_COST + 12);
            assert!(self.store.cost(&self.clock, &mut Departures::new()) >= cost, "the ledger has all of them");
        }
    }

    #[test]
    fn s02a_s19_operations_between_two_steps_find_every_entry_and_lose_none() {
        let policies = EvictionPolicy::ALL.map(|policy| CacheSettings { policy, ..CacheSettings::default() });
        let idle = CacheSettings { idle_ttl_ms: Some(1 << 40), ..CacheSettings::default() };
        for (kind, seed) in policies.into_iter().chain([idle]).zip(7..) {
            let play = Play::new(kind, seed);
            let shards = play.store.shards();
            (0..KEYS).for_each(|number| play.put(number));
            for (cost, expected) in [(FEW, 1), (3 * FEW, 2), (FEW, 1), (MANY, shards), (2 * FEW, 2), (MANY, shards)] {
                let ops = &mut EachStep(|_| (0..12).for_each(|_| play.random_operation()));
                play.store.resize(1 << 20, Some(cost), &play.clock, ops);
                assert_eq!((play.store.shards(), play.store.layout().is_changing()), (expected, false));
                play.forget_expired();
                play.check();
            }
            let ops = play.ops_while_moving.get();
            assert!(ops > 300, "only {ops} operations took place while a group moved");
        }
    }

    /// A store with one shard that was created with more.
    pub(super) fn with_one_shard(settings: CacheSettings) -> (Store, Clock) {
        let capacity = settings.capacity;
        let (store, clock) = (Store::new(&CacheSettings { cost_limit: Some(1 << 30), ..settings }, None), Clock::manual(Millis(0)));
        assert!(store.shards() > 4);
        store.resize(capacity, Some(2 * FEW - 1), &clock, &mut Departures::new());
        assert_eq!(store.shards(), 1);
        (store, clock)
    }

    #[test]
    fn s02a_a_move_that_nobody_continues_is_ended_by_the_timer_and_by_operations_on_all_entries() {
        type End = fn(&Store, &Clock);
        let ends: [End; 3] = [
            |store, clock| while store.sweep(clock, 64, &mut Departures::new()) {},
            |store, clock| assert_eq!(store.len(clock, &mut Departures::new()), 0),
            |store, clock| store.clear(clock, &mut Departures::new()),
        ];
        for end in ends {
            let (store, clock) = with_one_shard(CacheSettings { capacity: 1 << 20, ttl_ms: Some(100), ..CacheSettings::default() });
            (0..1_000).for_each(|number| {
                assert!(store.put(&key(number), NewEntry::new(value(number)), &clock, &mut Departures::new()).is_stored());
            });
            assert!((0..3).all(|_| store.change_layout(Some(4), || true, &mut Departures::new())));
            assert!(store.moving.lock().as_ref().is_some_and(|group| group.leaving[0].shard.entries() == 1_000 - STEP as u64));
            assert_eq!(store.next_due(), Some(Millis(100)));
            if let Clock::Manual(clock) = &clock {
                clock.advance(100);
            }
            end(&store, &clock);
            assert!(store.moving.lock().is_none());
            assert_eq!((store.next_due(), store.len(&clock, &mut Departures::new())), (None, 0));
            assert_eq!(store.layout(), Layout::of(4));
        }
    }

    #[test]
    fn l07_s12_after_a_panic_while_a_group_moves_what_had_not_arrived_is_gone_and_the_store_goes_on() {
        let (store, clock) = with_one_shard(CacheSettings { capacity: 1 << 20, ..CacheSettings::default() });
        (0..1_000).for_each(|number| {
            assert!(store.put(&key(number), NewEntry::new(value(number)), &clock, &mut Departures::new()).is_stored());
        });
        assert!((0..3).all(|_| store.change_layout(Some(4), || true, &mut Departures::new())));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _moving = store.moving.lock();
            panic!("while a group moves");
        }));
        assert!(panicked.is_err());
        let mut left = Departures::new();
        while store.change_layout(None, || false, &mut left) {}
        let held = store.len(&clock, &mut left);
        assert_eq!((held, left.len() as u64), (STEP as u64, 1_000 - held));
        assert!(left.iter().all(|left| left.cause == Cause::Cleared));
        assert_eq!(store.counts().removed(Cause::Cleared).entries, 1_000 - held, "each departure is counted");
        assert!((0..1_000).all(|number| store.put(&key(number), NewEntry::new(value(number)), &clock, &mut left).is_stored()));
        assert_eq!(store.len(&clock, &mut left), 1_000);
    }
}
