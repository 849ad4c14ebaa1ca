//! The store as a whole: which shard a key belongs to, how the limits are split, and the sums over all shards.

mod dues;
mod moving;
mod reshard;
mod steps;

use self::moving::MovingGroup;
use super::counts::StoreCounts;
use super::departure::{Cause, Departure, DepartureSink, Departures};
use super::entry::{Condition, EntryParts, Hit, NewEntry, PutOutcome, TouchOutcome};
use super::layout::{Layout, MOST_SHARDS};
use super::limits::Limits;
use super::locked_shard::LockedShard;
use super::shard::{DefaultExpiry, LookupKind, Shard};
use super::slab::{FoundEntry, Slab};
use super::work::LockScope;
use crate::base::config::CacheSettings;
use crate::base::fair::FairMutex;
use crate::base::hint::rarely;
use crate::base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::base::sync::{Mutex, MutexGuard};
use crate::base::{Answer, Clock, KeyHasher, Labels, Millis, Present, StoreTerms, Ttl};
use std::sync::Arc;

/// A bounded memory of answers. Every method may be called from any thread. The only code of the caller that runs under a lock is the
/// [`DepartureSink`] and the `see` functions of some lookups.
///
/// Methods that change something take a collection for departures. With a departure sink it stays empty; without one, the caller drops or
/// delivers its contents once it holds no lock.
pub struct Store {
    locked_shards: Box<[LockedShard]>,
    hasher: KeyHasher,
    sink: Option<Arc<dyn DepartureSink>>,
    invalid_keys: AtomicU64,
    limits: Mutex<SetLimits>,
    /// How hashes are divided among the shards: a [`LayoutWord`](super::layout::LayoutWord).
    layout: AtomicU64,
    /// The group of shards that moves while the number of shards is being changed.
    moving: FairMutex<Option<Box<MovingGroup>>>,
    /// A lower bound of the times at which entries of that group expire. (std's atomic: the models do not resize, and need not explore it.)
    moving_due: std::sync::atomic::AtomicU64,
    /// The number of groups that have begun to move: see [`Store::moves_begun`].
    moves_begun: std::sync::atomic::AtomicU64,
    /// What determines the number of shards, besides the limits.
    requested_shards: Option<u32>,
    cores: usize,
    /// The shard that `pop` tries first.
    next_to_pop: AtomicUsize,
    /// Whether values, nulls and unused entries expire if their terms state nothing.
    values_expire: bool,
    nulls_expire: bool,
    unused_expire: bool,
}

/// The limits that were set last.
struct SetLimits {
    limits: Limits,
    /// The number of times that limits were set.
    version: u64,
}

impl Store {
    /// Creates an empty store. It allocates its shards, and nothing in advance for entries.
    pub fn new(settings: &CacheSettings, sink: Option<Arc<dyn DepartureSink>>) -> Store {
        let hasher = KeyHasher::new(settings.hash);
        let limits = Limits { capacity: settings.capacity, cost: settings.cost_limit };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = limits.shards(settings.shards, cores).min(MOST_SHARDS);
        let expiry = DefaultExpiry::new(settings);
        let shard = |index| Shard::new(hasher.clone(), limits.shard_limits(index, shards), settings.policy, expiry.clone());
        let locked_shards = (0..shards).map(shard).map(LockedShard::new).collect();
        Store {
            locked_shards,
            hasher,
            sink,
            invalid_keys: AtomicU64::new(0),
            limits: Mutex::new(SetLimits { limits, version: 0 }),
            layout: AtomicU64::new(Layout::of(shards).word().0),
            moving: FairMutex::default(),
            moving_due: std::sync::atomic::AtomicU64::new(Millis::NEVER.0),
            moves_begun: std::sync::atomic::AtomicU64::new(0),
            requested_shards: settings.shards,
            cores,
            next_to_pop: AtomicUsize::new(0),
            values_expire: settings.ttl_ms.is_some(),
            nulls_expire: settings.null_ttl_ms.is_some(),
            unused_expire: settings.idle_ttl_ms.is_some(),
        }
    }

    #[inline]
    pub(super) fn sink(&self) -> Option<&dyn DepartureSink> {
        self.sink.as_deref()
    }

    /// The part of a hash that selects the shard: bits 16 to 47, above all the highest of them. The index within a shard uses the lowest 32
    /// bits in the same manner.
    #[inline(always)]
    pub(super) fn middle_of(hash: u64) -> u32 {
        (hash >> 16) as u32
    }

    pub(super) fn locked_shards(&self) -> &[LockedShard] {
        &self.locked_shards
    }

    #[cfg(test)]
    pub(super) fn first_shard(&self) -> &LockedShard {
        &self.locked_shards[0]
    }

    /// Reads an entry. The whole path of a hit is always inlined: it is so short that calls would cost about as much.
    #[inline(always)]
    fn read<R>(&self, key: &[u8], clock: &Clock, kind: LookupKind, see: impl FnOnce(&Slab, FoundEntry<'_>, Millis) -> R) -> Option<R> {
        self.read_hashed(self.hasher.hash(key), key, clock, kind, see)
    }

    #[inline(always)]
    fn read_hashed<R>(
        &self,
        hash: u64,
        key: &[u8],
        clock: &Clock,
        kind: LookupKind,
        see: impl FnOnce(&Slab, FoundEntry<'_>, Millis) -> R,
    ) -> Option<R> {
        let _hold = LockScope::begin();
        let mut shard = self.shard_for_read(hash, key);
        shard.read(hash, key, clock, kind, see)
    }

    /// Runs `look` on the shard of a key, under its lock.
    fn visit<R>(&self, hash: u64, key: &[u8], look: impl FnOnce(&mut Shard) -> R) -> R {
        let _hold = LockScope::begin();
        let mut shard = self.shard_for_read(hash, key);
        look(&mut shard)
    }

    /// Locks the shard of a key for a read: see [`LockedShard::lock_for_read`].
    #[inline(always)]
    fn shard_for_read(&self, hash: u64, key: &[u8]) -> MutexGuard<'_, Shard> {
        loop {
            let layout = self.layout_word();
            if rarely(layout.is_changing()) {
                match self.shard_while_changing(self.bring_for_read(hash, key), hash) {
                    Some(shard) => return shard,
                    None => continue,
                }
            }
            let shard = self.locked_shards[layout.index(Store::middle_of(hash))].lock_for_read(self.sink());
            if !rarely(self.layout_word() != layout) {
                return shard;
            }
        }
    }

    #[inline(always)]
    fn write<R>(&self, key: &[u8], clock: &Clock, out: &mut Departures, work: impl FnOnce(&mut Shard, u64, &mut Departures) -> R) -> R {
        let hash = self.hasher.hash(key);
        self.write_then(
            (hash, key),
            clock,
            out,
            #[inline(always)]
            move |shard, _, out| work(shard, hash, out),
            |done, _, _| done,
        )
    }

    /// Locks the shard of a hash for [`LockedShard::change`]; `None` while the number of shards is being changed.
    #[inline(always)]
    fn shard_for_write(&self, hash: u64, out: &mut Departures) -> Option<(&LockedShard, MutexGuard<'_, Shard>)> {
        loop {
            let layout = self.layout_word();
            if rarely(layout.is_changing()) {
                return None;
            }
            let locked = &self.locked_shards[layout.index(Store::middle_of(hash))];
            let shard = locked.hold(self.sink(), out);
            if !rarely(self.layout_word() != layout) {
                return Some((locked, shard));
            }
        }
    }

    /// Runs `change` under the lock of the key's shard, with that shard and, while the key's group moves, the shard that its entries are
    /// leaving. Then runs `conclude` with the result, the list of departures, and the index of the first new one.
    #[inline(always)]
    fn write_then<R, T>(
        &self,
        (hash, key): (u64, &[u8]),
        clock: &Clock,
        out: &mut Departures,
        change: impl FnOnce(&mut Shard, Option<&mut Shard>, &mut Departures) -> R,
        conclude: impl FnOnce(R, &Departures, usize) -> T,
    ) -> T {
        let _hold = LockScope::begin();
        let Some((locked, shard)) = self.shard_for_write(hash, out) else {
            return self.write_while_changing((hash, key), clock, out, change, conclude);
        };
        locked.change(shard, self.sink(), out, |shard, out| {
            let earlier = out.len();
            let done = change(shard, None, out);
            conclude(done, out, earlier)
        })
    }

    /// Returns the time at which an entry is put. The precise clock, which costs more, is read only if the expiry is counted from it.
    #[inline(always)]
    fn present_of(&self, ttl: Option<Ttl>, answer: &Answer, clock: &Clock) -> Present {
        let expires = match ttl {
            Some(ttl) => matches!(ttl, Ttl::For(_)),
            None => {
                if matches!(answer, Answer::Null) {
                    self.nulls_expire
                } else {
                    self.values_expire
                }
            }
        };
        if rarely(expires || self.unused_expire) { clock.present_precisely() } else { clock.present() }
    }

    /// Looks `key` up. Counts as a use, and as one hit, null hit or miss.
    #[inline(always)]
    pub fn lookup(&self, key: &[u8], clock: &Clock) -> Option<Hit> {
        self.read(key, clock, LookupKind::Lookup, Hit::of)
    }

    /// Like [`Store::lookup`], but does not count a miss: the caller counts it by its outcome (a load started, joined and so on).
    #[inline]
    pub fn probe(&self, key: &[u8], clock: &Clock) -> Option<Hit> {
        self.read(key, clock, LookupKind::Probe, Hit::of)
    }

    /// Like [`Store::probe`], for a caller that has computed the key's hash with [`Store::hasher`].
    #[inline(always)]
    pub fn probe_hashed(&self, hash: u64, key: &[u8], clock: &Clock) -> Option<Hit> {
        self.read_hashed(hash, key, clock, LookupKind::Probe, Hit::of)
    }

    /// Like [`Store::probe`], but passes the answer to `see` in place, as [`Store::lookup_with`] does.
    #[inline]
    pub fn probe_with<R>(&self, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<R> {
        self.read(key, clock, LookupKind::Probe, |_, found, _| see(&found.record.answer()))
    }

    /// Looks `key` up. Does not count as a use, or in the statistics.
    #[inline]
    pub fn peek(&self, key: &[u8], clock: &Clock) -> Option<Hit> {
        self.read(key, clock, LookupKind::Peek, Hit::of)
    }

    /// Like [`Store::lookup`], but passes the answer to `see` in place, which saves two changes of a shared reference count. `see` runs
    /// under the shard's lock: it may copy bytes and must do nothing else, in particular not call the host or the store.
    #[inline(always)]
    pub fn lookup_with<R>(&self, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<R> {
        self.read(key, clock, LookupKind::Lookup, |_, found, _| see(&found.record.answer()))
    }

    /// The fast path of [`Store::lookup_with`], on which nothing waits or panics. If the outer `Option` is `None`, nothing was done, and
    /// the lookup needs the slow path.
    #[inline(always)]
    pub fn try_lookup_fast<R>(&self, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<Option<R>> {
        self.try_lookup_hashed(self.hasher.hash(key), key, clock, see)
    }

    /// Like [`Store::try_lookup_fast`], for a caller that has computed the key's hash with [`Store::hasher`].
    #[inline(always)]
    pub fn try_lookup_hashed<R>(&self, hash: u64, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<Option<R>> {
        let layout = self.layout_word();
        self.locked_shards.get(layout.index_if_still(Store::middle_of(hash))?)?.try_read(
            #[inline(always)]
            |shard| self.layout_word() == layout && shard.is_fast(),
            #[inline(always)]
            |shard| shard.lookup_fast(hash, key, clock, see),
        )
    }

    /// Like [`Store::try_lookup_fast`], without counting a miss.
    #[inline(always)]
    pub fn try_hit_fast<R>(&self, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<Option<R>> {
        let hash = self.hasher.hash(key);
        let layout = self.layout_word();
        self.locked_shards.get(layout.index_if_still(Store::middle_of(hash))?)?.try_read(
            #[inline(always)]
            |shard| self.layout_word() == layout && shard.is_fast(),
            #[inline(always)]
            |shard| shard.hit_fast(hash, key, clock, see),
        )
    }

    /// Prefetches for a lookup of a key with this hash, which follows soon. Looking up many keys is faster if each is prefetched some keys
    /// ahead.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        if let Some(locked) = self.locked_shards.get(self.layout_word().index(Store::middle_of(hash))) {
            locked.prefetch(hash);
        }
    }

    /// Counts a lookup whose key the validator refused.
    pub fn count_invalid_key(&self) {
        self.invalid_keys.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts an entry, after making room for it.
    ///
    /// An older value under the key leaves in any case: as [`Cause::Replaced`], or as [`Cause::Removed`] if the TTL says not to store. A
    /// new entry that is not stored leaves as [`Cause::Refused`]. If the entry's condition is false, nothing happens.
    pub fn put(&self, key: &[u8], mut entry: NewEntry, clock: &Clock, out: &mut Departures) -> PutOutcome {
        self.put_from(key, &mut entry, clock, out)
    }

    /// Like [`Store::put`], but takes the answer and the labels out of `entry`. What is left of `entry` must be dropped under no lock.
    pub fn put_from(&self, key: &[u8], entry: &mut NewEntry, clock: &Clock, out: &mut Departures) -> PutOutcome {
        let (hash, present) = (self.hasher.hash(key), self.present_of(entry.terms.ttl, &entry.answer, clock));
        self.put_parts(hash, key, entry.parts(), present, clock, out)
    }

    /// Like [`Store::put`] without a condition, for a caller that has computed the key's hash with [`Store::hasher`]. Takes the answer, and
    /// the labels in `terms`. What is left of the two must be dropped under no lock.
    #[inline(always)]
    pub fn put_hashed(
        &self,
        hash: u64,
        key: &[u8],
        answer: &mut Answer,
        terms: &mut StoreTerms,
        clock: &Clock,
        out: &mut Departures,
    ) -> PutOutcome {
        let present = self.present_of(terms.ttl, answer, clock);
        self.put_parts(hash, key, EntryParts { answer, terms, condition: &Condition::None, leaving: None }, present, clock, out)
    }

    /// Puts `entry`. The rare path, taken while the number of shards changes, gets these parts and no closure: to make one, the usual path
    /// would have to write them to memory.
    #[inline(always)]
    fn put_parts(&self, hash: u64, key: &[u8], entry: EntryParts<'_>, present: Present, clock: &Clock, out: &mut Departures) -> PutOutcome {
        let _hold = LockScope::begin();
        let Some((locked, shard)) = self.shard_for_write(hash, out) else {
            return self.put_while_changing(hash, key, entry, present, clock, out);
        };
        locked.change(
            shard,
            self.sink(),
            out,
            #[inline(always)]
            |shard, out| shard.put(hash, key, entry, present, out),
        )
    }

    /// The store's hasher. The table of loads uses it too, and passes its hashes on with answers.
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// Like [`Store::put_from`]; also returns the departures for lack of room: live entries that were evicted by this put, or the new value
    /// if it was refused. Expired entries and an older entry under the same key are not among them.
    pub fn put_with_victims(&self, key: &[u8], entry: &mut NewEntry, clock: &Clock, out: &mut Departures) -> (PutOutcome, Vec<Departure>) {
        let (hash, present) = (self.hasher.hash(key), self.present_of(entry.terms.ttl, &entry.answer, clock));
        let is_victim = |left: &&Departure| matches!(left.cause, Cause::Capacity | Cause::Cost | Cause::Refused);
        self.write_then(
            (hash, key),
            clock,
            out,
            |shard, leaving, out| shard.put(hash, key, EntryParts { leaving, ..entry.parts() }, present, out),
            |put, left, from| (put, left[from..].iter().filter(is_victim).cloned().collect()),
        )
    }

    /// Gives the live entry under `key` a new TTL, counted from now; `None` for the default of its kind. Counts as a use.
    pub fn touch(&self, key: &[u8], ttl: Option<Ttl>, clock: &Clock, out: &mut Departures) -> TouchOutcome {
        let present = clock.present_precisely();
        self.write(key, clock, out, |shard, hash, out| shard.touch(hash, key, ttl, present, out))
    }

    /// Removes the entry under `key`. Returns whether there was a live one.
    pub fn remove(&self, key: &[u8], clock: &Clock, out: &mut Departures) -> bool {
        let now = clock.millis();
        self.write(key, clock, out, |shard, hash, out| shard.remove(hash, key, now, out))
    }

    /// Like [`Store::lookup_with`]; also returns whether the caller must start a refresh of the entry ahead of its expiry (rule R05). After
    /// one lookup gets true, no other does until the retry time has passed, which starts anew if the refresh fails.
    pub fn lookup_and_refresh_due<R>(&self, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<(R, bool)> {
        self.read_and_refresh_due(key, clock, LookupKind::Lookup, |_, found, _| see(&found.record.answer()))
    }

    /// Like [`Store::probe`]; also returns whether the caller must start a refresh, as [`Store::lookup_and_refresh_due`] does.
    pub fn probe_and_refresh_due(&self, key: &[u8], clock: &Clock) -> Option<(Hit, bool)> {
        self.read_and_refresh_due(key, clock, LookupKind::Probe, Hit::of)
    }

    fn read_and_refresh_due<R>(
        &self,
        key: &[u8],
        clock: &Clock,
        kind: LookupKind,
        see: impl FnOnce(&Slab, FoundEntry<'_>, Millis) -> R,
    ) -> Option<(R, bool)> {
        let hash = self.hasher.hash(key);
        self.visit(hash, key, |shard| shard.read_and_refresh_due(hash, key, clock, kind, see))
    }

    /// The entry under `key`, fresh or stale, and its labels (rule R06). Counts neither as a use nor as a lookup.
    pub fn known(&self, key: &[u8], clock: &Clock) -> Option<(Hit, Option<Labels>)> {
        let (hash, now) = (self.hasher.hash(key), clock.millis());
        self.visit(hash, key, |shard| shard.known(hash, key, now))
    }

    /// Records that the refresh of `key` ahead of its expiry failed.
    pub fn refresh_failed(&self, key: &[u8], clock: &Clock) {
        let (hash, present) = (self.hasher.hash(key), clock.present());
        self.visit(hash, key, |shard| shard.refresh_failed(hash, key, present));
    }

    /// Returns the stale entry under `key` (rule R01). Counts as a use, but not as a hit.
    pub fn stale(&self, key: &[u8], clock: &Clock) -> Option<Hit> {
        let (now, hash) = (clock.present().earliest, self.hasher.hash(key));
        self.visit(hash, key, |shard| shard.see_stale(hash, key, now, Hit::of))
    }

    /// Removes the entry under `key` if it has expired.
    pub fn remove_stale(&self, key: &[u8], clock: &Clock, out: &mut Departures) {
        let now = clock.millis();
        self.write(key, clock, out, |shard, hash, out| shard.remove_stale(hash, key, now, out));
    }

    /// Expires the entry under `key` now: its grace begins, or it leaves (rule R12). Returns whether there was a live one.
    pub fn expire(&self, key: &[u8], clock: &Clock, out: &mut Departures) -> bool {
        let now = clock.millis();
        self.write(key, clock, out, |shard, hash, out| shard.expire(hash, key, now, out))
    }

    /// Removes the entry under `key`. Returns its answer if it was alive.
    pub fn take(&self, key: &[u8], clock: &Clock, out: &mut Departures) -> Option<Answer> {
        let now = clock.millis();
        self.write(key, clock, out, |shard, hash, out| if shard.remove(hash, key, now, out) { last_of(out) } else { None })
    }

    /// Removes the next victim and returns its answer. The victim has the lowest priority in the store, and is the next one in its shard by
    /// the policy.
    pub fn pop(&self, clock: &Clock, out: &mut Departures) -> Option<Answer> {
        let now = clock.millis();
        let first = self.next_to_pop.fetch_add(1, Ordering::Relaxed) % self.locked_shards.len();
        loop {
            let lowest = self.visit_all(now, out, |lowest: &mut Vec<_>, shard| lowest.push(shard.lowest_priority()));
            let turns = (first..lowest.len()).chain(0..first);
            let candidates = turns.filter_map(|index| lowest[index].map(|priority| (index, priority)));
            let (index, _) = candidates.min_by(|one, other| one.1.total_cmp(&other.1))?;
            // If another thread has emptied that shard in between, or its first victims have expired, the priorities of all shards are
            // read again.
            let pop = |shard: &mut Shard, out: &mut Departures| if shard.pop(now, out) { last_of(out) } else { None };
            if let Some(answer) = self.locked_shards[index].write(self.sink(), out, pop) {
                return Some(answer);
            }
        }
    }

    /// The maximum number of entries.
    pub fn capacity(&self) -> u64 {
        self.limits.lock().limits.capacity
    }

    /// The maximum total cost of all entries, in bytes; `None` for no limit.
    pub fn cost_limit(&self) -> Option<u64> {
        self.limits.lock().limits.cost
    }

    /// The maximum cost of one entry, in bytes, key and node included.
    pub fn max_cost(&self) -> u64 {
        self.limits.lock().limits.max_cost(self.layout().shards() as u64)
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.layout().shards()
    }

    /// The number of processors that the store was made for.
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// The counters since the last reset.
    pub fn counts(&self) -> StoreCounts {
        let mut sum = StoreCounts { invalid_keys: self.invalid_keys.load(Ordering::Relaxed), ..StoreCounts::default() };
        self.locked_shards.iter().for_each(|locked| locked.read(self.sink(), |shard| sum.add(&shard.counts())));
        sum
    }

    /// Returns the counters since the last reset, and resets them. No event is lost or counted twice.
    pub fn reset_counts(&self) -> StoreCounts {
        let mut sum = StoreCounts { invalid_keys: self.invalid_keys.swap(0, Ordering::Relaxed), ..StoreCounts::default() };
        self.locked_shards.iter().for_each(|locked| locked.read(self.sink(), |shard| sum.add(&shard.take_counts())));
        sum
    }
}

/// The answer of the last departure.
fn last_of(out: &Departures) -> Option<Answer> {
    out.last().map(|left| left.answer().clone())
}

#[cfg(test)]
mod tests {
    use super::super::work::probes_of;
    use super::*;
    use crate::base::Value;
    use crate::base::config::Hash;
    use crate::base::hash::tests::colliding_keys;
    use std::collections::HashMap;

    fn number(number: u32) -> Answer {
        Answer::Value(Value::bytes(&number.to_ne_bytes()).expect("memory"))
    }

    fn read(answer: &Answer) -> u32 {
        let bytes = answer.value().and_then(Value::as_bytes).expect("a value of bytes");
        u32::from_ne_bytes(bytes.try_into().expect("four bytes"))
    }

    /// The index compares 32 bits of a hash. The test finds two keys that agree in all of them, by the birthday paradox.
    #[test]
    fn s01_keys_with_the_same_tag_in_the_index_are_distinct() {
        let settings = CacheSettings { shards: Some(1), ..CacheSettings::default() };
        let (store, clock, mut out) = (Store::new(&settings, None), Clock::manual(Millis(0)), Departures::new());
        let mut by_tag = HashMap::new();
        let (one, other) = (0..u32::MAX)
            .find_map(|key: u32| by_tag.insert(store.hasher.hash(&key.to_ne_bytes()) as u32, key).map(|earlier| (earlier, key)))
            .expect("some hundred thousand keys are enough");
        let lookup = |key: u32| {
            let key = key.to_ne_bytes();
            let seen = store.lookup_with(&key, &clock, read);
            assert_eq!(store.try_lookup_fast(&key, &clock, read), Some(seen));
            seen
        };
        // There are entries between the two, so that a mixture of the bits of their places is the place of neither.
        let keys = [one, 7, 77, other];
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(lookup(*key), None);
            assert!(store.put(&key.to_ne_bytes(), NewEntry::new(number(*key)), &clock, &mut out).is_stored());
            assert_eq!(
                keys[..=at].iter().map(|key| lookup(*key)).collect::<Vec<_>>(),
                keys[..=at].iter().copied().map(Some).collect::<Vec<_>>()
            );
        }
        assert!(store.remove(&one.to_ne_bytes(), &clock, &mut out));
        assert_eq!((lookup(one), lookup(other)), (None, Some(other)));
        assert!(!store.remove(&one.to_ne_bytes(), &clock, &mut out));
    }

    #[test]
    fn s21_the_seed_of_the_jitter_does_not_affect_the_hash() {
        for hash in Hash::ALL {
            let settings = CacheSettings { hash, seed: Some(7), ..CacheSettings::default() };
            let of = || Store::new(&settings, None).hasher.hash(b"some key");
            assert_ne!(of(), of());
        }
    }

    #[test]
    fn s21_keys_made_to_collide_cost_no_more_than_others() {
        for hash in Hash::ALL {
            for (len, constant) in [(12, 1), (16, 1), (24, 0), (31, 0)] {
                let settings = CacheSettings { hash, capacity: 8_000, shards: Some(1), ..CacheSettings::default() };
                let (store, clock, mut out) = (Store::new(&settings, None), Clock::manual(Millis(0)), Departures::new());
                let keys = colliding_keys(len, constant, 4_000);
                let probes = probes_of(|| {
                    for key in &keys {
                        assert!(store.put(key, NewEntry::new(Answer::Null), &clock, &mut out).is_stored());
                    }
                    assert!(keys.iter().all(|key| store.lookup(key, &clock).is_some()));
                });
                // With the published seeds of the hash functions there were 3.3 million.
                assert!(probes < 50 * 8_000, "{hash:?}, length {len}: {probes} buckets for 8000 operations");
            }
        }
    }
}
