//! The store's operations with the additions of a loading cache: validator, cost function, record listener, and the effect of writes on
//! loads in progress. They serve a cache without an engine as well as the cache of an engine.

use super::Core;
use super::invalidate::Writer;
use super::lifecycle::{CallSite, PendingCount};
use super::plain_puts::status_of;
use super::transition::{EngineContext, EngineTable, filled_of};
use crate::base::config::CacheSettings;
use crate::base::hint::rarely;
use crate::base::key::KEY_MAX;
use crate::base::panics::catch_panic;
use crate::base::{Answer, Labels, Now, Status, Ttl, Value};
use crate::cache::{Departure, Departures, EachStep, Hit, NewEntry, PutOutcome, StepSink, TouchOutcome};
use crate::runtime::hooks::call_host;
use crate::task::table::Write;

/// The result of a lookup.
#[derive(Debug)]
pub enum Lookup {
    /// A value.
    Value(Value),
    /// Known to be absent.
    Null,
    /// Not in the store.
    Miss,
    /// The validator refused the key.
    InvalidKey,
}

impl Lookup {
    /// The status for the result in the C API.
    #[inline]
    pub fn status(&self) -> Status {
        match self {
            Lookup::Value(_) => Status::VALUE,
            Lookup::Null => Status::NULL,
            Lookup::Miss => Status::MISS,
            Lookup::InvalidKey => Status::INVALID_KEY,
        }
    }
}

impl From<Option<Answer>> for Lookup {
    #[inline]
    fn from(answer: Option<Answer>) -> Lookup {
        match answer {
            Some(Answer::Value(value)) => Lookup::Value(value),
            Some(Answer::Null) => Lookup::Null,
            None => Lookup::Miss,
        }
    }
}

impl Core {
    /// Whether a lookup runs host code, or may start a load, which may run host code.
    #[inline]
    pub fn lookups_call_host(&self) -> bool {
        rarely(self.lookups_call_host)
    }

    /// Fails with CLOSED if the engine was freed.
    #[inline]
    pub fn check_not_over(&self) -> Result<(), Status> {
        if rarely(self.life.is_over()) { Err(Status::ERR_CLOSED) } else { Ok(()) }
    }

    /// Whether the validator accepts the key. Called once for each position, under no lock (rule S10).
    #[inline(always)]
    pub(super) fn is_valid(&self, key: &[u8]) -> bool {
        !rarely(self.hooks.validator.is_some()) || self.ask_validator(key)
    }

    #[inline(never)]
    pub(super) fn ask_validator(&self, key: &[u8]) -> bool {
        match &self.hooks.validator {
            None => true,
            Some(validator) => call_host(|| validator.is_valid(key)).unwrap_or(false),
        }
    }

    #[inline]
    pub(super) fn record(&self, record: Status, key: &[u8]) {
        if let Some(listener) = &self.hooks.record {
            call_host(|| listener.looked_up(record, key));
        }
    }

    pub(super) fn reject(&self, key: &[u8]) {
        self.store.count_invalid_key();
        self.record(Status::INVALID_KEY, key);
    }

    /// The fast path of [`Core::get_with`]: runs no host code, does not wait and does not panic. The outer `None` means that the lookup
    /// needs the slow path; nothing was done.
    #[inline(always)]
    pub fn try_lookup_fast<R>(&self, key: &[u8], see: impl FnOnce(&Answer) -> R) -> Option<Option<R>> {
        if rarely(self.life.is_over() || self.lookups_call_host) { None } else { self.store.try_lookup_fast(key, &self.clock, see) }
    }

    /// The fast path of [`Core::get_uncounted_miss`], like [`Core::try_lookup_fast`].
    #[inline(always)]
    pub fn try_hit_fast<R>(&self, key: &[u8], see: impl FnOnce(&Answer) -> R) -> Option<Option<R>> {
        if rarely(self.check_open().is_err() || self.lookups_call_host) { None } else { self.store.try_hit_fast(key, &self.clock, see) }
    }

    /// Iterates over the keys with their hashes, and prefetches the entry of each key `AHEAD` keys in advance. A key that is too long is
    /// not read; its hash is 0.
    #[inline(always)]
    pub(super) fn prefetch_ahead<'k, K: Iterator<Item = &'k [u8]> + Clone>(&self, keys: K) -> impl Iterator<Item = (u64, &'k [u8])> {
        /// About as many cache misses as a processor can have in flight.
        const AHEAD: usize = 8;
        // The hashes of the next `AHEAD` keys. A key's hash replaces that of the key `AHEAD` places before it.
        let mut hashes = [0; AHEAD];
        let mut ahead = keys.clone();
        hashes.iter_mut().zip(ahead.by_ref()).for_each(|(hash, key)| *hash = self.hash_ahead(key));
        keys.enumerate().map(
            #[inline(always)]
            move |(at, key)| {
                let hash = &mut hashes[at % AHEAD];
                let own = *hash;
                if let Some(key) = ahead.next() {
                    *hash = self.hash_ahead(key);
                }
                (own, key)
            },
        )
    }

    #[inline(always)]
    fn hash_ahead(&self, key: &[u8]) -> u64 {
        if rarely(key.len() > KEY_MAX) {
            return 0;
        }
        let hash = self.store.hasher().hash(key);
        self.store.prefetch(hash);
        hash
    }

    /// Looks up each of `keys` in order, like [`Core::get_with`], after [`Core::check_not_over`]. Passes to `see` the key's index and the
    /// answer, or the status of a key without an answer. `see` gets answers under a lock: it may copy them and do nothing else.
    #[inline(always)]
    pub fn look_up_each<'k>(&self, keys: impl Iterator<Item = &'k [u8]> + Clone, mut see: impl FnMut(usize, Result<&Answer, Status>)) {
        for (at, (hash, key)) in self.prefetch_ahead(keys).enumerate() {
            if rarely(key.len() > KEY_MAX) {
                see(at, Err(Status::ERR_KEY_TOO_LONG));
                continue;
            }
            if !self.lookups_call_host() {
                match self.store.try_lookup_hashed(hash, key, &self.clock, |answer| see(at, Ok(answer))) {
                    Some(Some(())) => continue,
                    Some(None) => {
                        see(at, Err(Status::MISS));
                        continue;
                    }
                    None => {}
                }
            }
            self.look_up_slowly(key, at, &mut see);
        }
    }

    #[inline(never)]
    fn look_up_slowly(&self, key: &[u8], at: usize, see: &mut dyn FnMut(usize, Result<&Answer, Status>)) {
        let seen = if self.lookups_call_host() {
            self.see_and_record(key, |answer| see(at, Ok(answer)))
        } else {
            self.store.lookup_with(key, &self.clock, |answer| see(at, Ok(answer))).ok_or(Lookup::Miss)
        };
        if let Err(lookup) = seen {
            see(at, Err(lookup.status()));
        }
    }

    /// Looks `key` up. Counts as a lookup and a use.
    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Result<Lookup, Status> {
        self.check_not_over()?;
        Ok(self.look_up(key))
    }

    /// Like [`Core::get`], after [`Core::check_not_over`].
    #[inline(always)]
    pub fn look_up(&self, key: &[u8]) -> Lookup {
        if self.lookups_call_host() { self.look_up_and_record(key) } else { self.store.lookup_with(key, &self.clock, Answer::clone).into() }
    }

    #[inline(never)]
    fn look_up_and_record(&self, key: &[u8]) -> Lookup {
        if !self.is_valid(key) {
            self.reject(key);
            return Lookup::InvalidKey;
        }
        let found: Lookup = self.lookup_with(key, Answer::clone).into();
        self.record(found.status(), key);
        found
    }

    /// Like [`Core::get`], but passes the answer to `see`, which runs under a lock: it may copy bytes and do nothing else.
    #[inline(always)]
    pub fn get_with<R>(&self, key: &[u8], see: impl FnOnce(&Answer) -> R) -> Result<Result<R, Lookup>, Status> {
        self.check_not_over()?;
        if self.lookups_call_host() {
            return Ok(self.see_and_record(key, see));
        }
        Ok(self.store.lookup_with(key, &self.clock, see).ok_or(Lookup::Miss))
    }

    #[inline(never)]
    fn see_and_record<R>(&self, key: &[u8], see: impl FnOnce(&Answer) -> R) -> Result<R, Lookup> {
        if !self.is_valid(key) {
            self.reject(key);
            return Err(Lookup::InvalidKey);
        }
        let mut record = Status::MISS;
        let seen = self.lookup_with(key, |answer| {
            record = if answer.value().is_some() { Status::VALUE } else { Status::NULL };
            see(answer)
        });
        self.record(record, key);
        seen.ok_or(Lookup::Miss)
    }

    /// Like [`Core::get`], for an engine; a miss is not counted, because the fetch that follows counts it.
    pub fn get_uncounted_miss(&self, key: &[u8]) -> Result<Lookup, Status> {
        self.check_open()?;
        if !self.is_valid(key) {
            self.reject(key);
            return Ok(Lookup::InvalidKey);
        }
        let answer = match rarely(self.refreshes_ahead) {
            true => self.probe_and_refresh(key).map(|hit| hit.answer),
            false => self.store.probe_with(key, &self.clock, Answer::clone),
        };
        let found = Lookup::from(answer);
        if !matches!(found, Lookup::Miss) {
            self.record(found.status(), key);
        }
        Ok(found)
    }

    /// A lookup that may start a refresh ahead of the entry's expiry.
    fn lookup_with<R>(&self, key: &[u8], see: impl FnOnce(&Answer) -> R) -> Option<R> {
        if !self.refreshes_ahead {
            let mut see = Some(see);
            let mut see_once = |answer: &Answer| see.take().map(|see| see(answer));
            let seen = self.store.try_lookup_fast(key, &self.clock, &mut see_once);
            return seen.unwrap_or_else(|| self.store.lookup_with(key, &self.clock, see_once)).flatten();
        }
        let (seen, is_due) = self.store.lookup_and_refresh_due(key, &self.clock, see)?;
        if is_due {
            self.refresh_ahead(key);
        }
        Some(seen)
    }

    /// Like [`Core::lookup_with`], for a fetch, which counts its miss elsewhere.
    #[inline(never)]
    pub(super) fn probe(&self, hash: u64, key: &[u8]) -> Option<Hit> {
        self.probe_inlined(hash, key)
    }

    /// Like [`Core::probe`], inlined: in a loop over many keys this saves moving each hit through memory.
    #[inline(always)]
    pub(super) fn probe_inlined(&self, hash: u64, key: &[u8]) -> Option<Hit> {
        if rarely(self.refreshes_ahead) { self.probe_and_refresh(key) } else { self.store.probe_hashed(hash, key, &self.clock) }
    }

    /// The hash of `key` in the store, for [`Core::probe`].
    #[inline]
    pub(super) fn hash_of(&self, key: &[u8]) -> u64 {
        self.store.hasher().hash(key)
    }

    #[inline(never)]
    fn probe_and_refresh(&self, key: &[u8]) -> Option<Hit> {
        let (hit, is_due) = self.store.probe_and_refresh_due(key, &self.clock)?;
        if is_due {
            self.refresh_ahead(key);
        }
        Some(hit)
    }

    /// Looks `key` up without counting a lookup or a use (rule S13).
    pub fn peek(&self, key: &[u8]) -> Result<Option<Hit>, Status> {
        self.check_not_over()?;
        Ok(self.store.peek(key, &self.clock))
    }

    /// The milliseconds until an entry expires, in the C API's form: -1 if it never does.
    pub fn ttl_left_ms(&self, hit: &Hit) -> i64 {
        super::transition::ttl_left(hit.expires_at, &Now::of(&self.clock))
    }

    /// Milliseconds since an entry was stored.
    pub fn age_of_ms(&self, hit: &Hit) -> u64 {
        Now::of(&self.clock).millis().since(hit.stored_at)
    }

    /// Milliseconds since a departed entry was stored.
    pub fn age_ms(departure: &Departure) -> u64 {
        departure.left_at.since(departure.stored_at)
    }

    /// Stores an entry. Returns OK; INVALID_KEY, REFUSED or TOO_LARGE; CONFLICT or MISS if its condition does not hold. `on_victim` is
    /// called for each entry that this put evicted, or for the new value if it was refused. Departures from a cache without an engine are
    /// added to `left`, for the caller to drop.
    #[inline]
    pub fn put(
        &self,
        key: &[u8],
        mut entry: NewEntry,
        on_victim: Option<&mut dyn FnMut(&Departure)>,
        left: &mut Departures,
    ) -> Result<Status, Status> {
        self.put_from(key, &mut entry, on_victim, left)
    }

    /// Like [`Core::put`], but takes the answer out of `entry`, which itself is not moved.
    #[inline]
    pub fn put_from(
        &self,
        key: &[u8],
        entry: &mut NewEntry,
        on_victim: Option<&mut dyn FnMut(&Departure)>,
        left: &mut Departures,
    ) -> Result<Status, Status> {
        self.check_open()?;
        if !self.is_valid(key) {
            // This is no lookup, and is not counted as one.
            return Ok(Status::INVALID_KEY);
        }
        self.state_cost(key, &entry.answer, &mut entry.terms);
        if !self.is_engine() {
            // Only a fetch serves stale entries, and this cache has no fetches.
            entry.terms.stale_ms = Some(0);
        }
        let mut victims = Vec::new();
        let evicted = on_victim.is_some().then_some(&mut victims);
        let put = if self.is_engine() { self.put_past_loads(key, entry, evicted)? } else { self.put_alone(key, entry, evicted, left) };
        self.throttle_writer(1);
        if let Some(on_victim) = on_victim {
            victims.iter().for_each(|victim| {
                call_host(|| on_victim(victim));
            });
        }
        status_of(put)
    }

    /// Stores into an engine's cache. The write and its effect on loads are one step: no load may store between the two (rule F08).
    fn put_past_loads(&self, key: &[u8], entry: &mut NewEntry, evicted: Option<&mut Vec<Departure>>) -> Result<PutOutcome, Status> {
        // Keeps the value alive until the lock is released: no last reference may be dropped under the lock.
        let answer = entry.answer.clone();
        // Tags end entries in this process only, so an entry with tags stays in this process.
        let is_tagged = rarely(entry.terms.labels.is_some()) && entry.terms.labels.as_ref().is_some_and(Labels::has_tags);
        self.with_table(|table, cx| {
            if !table.is_open() {
                return Err(Status::ERR_CLOSED);
            }
            // A shard that panicked is empty, and the table continues (rule L07). The new value is certainly not stored.
            let Ok(put) = catch_panic(|| self.put_into_store(key, entry, evicted, cx.store.left)) else {
                self.conclude_write(table, key, Write::Removed, false, cx);
                return Err(Status::ERR_PANIC);
            };
            if !put.took_place() {
                return Ok(put);
            }
            cx.store.note_end(put);
            self.conclude_write(table, key, Write::Put(&answer, filled_of(put, cx.now)), is_tagged, cx);
            Ok(put)
        })
    }

    /// Stores into a cache without an engine.
    #[inline(always)]
    fn put_alone(&self, key: &[u8], entry: &mut NewEntry, evicted: Option<&mut Vec<Departure>>, left: &mut Departures) -> PutOutcome {
        let put = self.put_into_store(key, entry, evicted, left);
        self.report_removals(false);
        self.entry_stored(put);
        put
    }

    #[inline(always)]
    fn put_into_store(&self, key: &[u8], entry: &mut NewEntry, evicted: Option<&mut Vec<Departure>>, left: &mut Departures) -> PutOutcome {
        match evicted {
            Some(victims) => {
                let (put, evicted) = self.store.put_with_victims(key, entry, &self.clock, left);
                *victims = evicted;
                put
            }
            None => self.store.put_from(key, entry, &self.clock, left),
        }
    }

    /// Sets a new TTL for an entry. Returns OK or MISS; BAD_VALUE for a TTL of 0. Does not affect loads (rule S17), since the value stays
    /// the same.
    pub fn touch(&self, key: &[u8], ttl: Option<Ttl>) -> Result<Status, Status> {
        if ttl == Some(Ttl::DoNotStore) {
            return Err(Status::ERR_BAD_VALUE);
        }
        match self.change(|left| self.store.touch(key, ttl, &self.clock, left))? {
            TouchOutcome::Done(end) => {
                end.into_iter().for_each(|end| self.entry_due(end));
                Ok(Status::OK)
            }
            TouchOutcome::Missing => Ok(Status::MISS),
            TouchOutcome::NoTtl => Err(Status::ERR_BAD_VALUE),
        }
    }

    /// Removes an entry. Returns OK or MISS.
    pub fn remove(&self, key: &[u8]) -> Result<Status, Status> {
        let removed = self.write(key, |left| self.store.remove(key, &self.clock, left))?;
        Ok(if removed { Status::OK } else { Status::MISS })
    }

    /// Expires an entry now. Returns OK or MISS. The entry's grace begins, or without one the entry is removed (rule R12).
    pub fn expire(&self, key: &[u8]) -> Result<Status, Status> {
        let expired = self.write(key, |left| self.store.expire(key, &self.clock, left))?;
        if expired {
            self.store_due();
        }
        Ok(if expired { Status::OK } else { Status::MISS })
    }

    /// Removes an entry and returns it.
    pub fn take(&self, key: &[u8]) -> Result<Lookup, Status> {
        Ok(self.write(key, |left| self.store.take(key, &self.clock, left))?.into())
    }

    /// Runs `work`, which removes the entry of `key`, and overtakes the loads of `key` that are in progress.
    pub(super) fn write<R>(&self, key: &[u8], work: impl FnOnce(&mut Departures) -> R) -> Result<R, Status> {
        self.check_not_over()?;
        if !self.is_engine() {
            return self.change(work);
        }
        self.with_table(|table, cx| {
            let result = catch_panic(|| work(cx.store.left)).map_err(|_| Status::ERR_PANIC);
            self.conclude_write(table, key, Write::Removed, false, cx);
            result
        })
    }

    /// What follows each write of a key, in the same hold of the table: lookups made before it are repeated, the second tier learns of it,
    /// and loads of the key are overtaken. An entry that `stays_here` is removed from the second tier instead of being written there.
    #[inline(always)]
    fn conclude_write(&self, table: &mut EngineTable, key: &[u8], write: Write<'_>, stays_here: bool, cx: &mut EngineContext<'_, '_>) {
        self.loads().note_written();
        if rarely(table.has_second_tier()) {
            let put = match write {
                Write::Put(answer, filled) if !stays_here => Some((answer, filled)),
                Write::Put(..) | Write::Removed => None,
            };
            table.write_behind(key, put, cx);
        }
        table.written(key, write, cx);
    }

    /// Runs `work`, a change that does not affect loads, and releases the departures.
    fn change<R>(&self, work: impl FnOnce(&mut Departures) -> R) -> Result<R, Status> {
        self.check_not_over()?;
        // Counted because departures still have to be sent to where they are reported.
        let _pending = self.is_engine().then(|| PendingCount::new(self.me(), CallSite::Threads));
        let mut left = Departures::new();
        let result = work(&mut left);
        self.release_departures(left);
        Ok(result)
    }

    /// Like [`Core::change`], for any number of entries: departures are released after each step (rule S19).
    fn change_in_steps<R>(&self, work: impl FnOnce(&mut dyn StepSink) -> R) -> Result<R, Status> {
        self.check_not_over()?;
        let _pending = self.is_engine().then(|| PendingCount::new(self.me(), CallSite::Threads));
        Ok(work(&mut EachStep(|left| self.release_departures(left))))
    }

    /// Removes the next victim and returns it.
    pub fn pop(&self) -> Result<Lookup, Status> {
        Ok(self.change(|left| self.store.pop(&self.clock, left))?.into())
    }

    /// Evicts entries until at most `ratio` (0 to 1) of the entries and of the cost is left.
    pub fn trim(&self, ratio: f64) -> Result<(), Status> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(Status::ERR_INVALID_ARG);
        }
        self.change_in_steps(|left| self.store.trim(ratio, &self.clock, left))
    }

    /// Evicts entries until at most `entries` are left.
    pub fn trim_to(&self, entries: u64) -> Result<(), Status> {
        self.change_in_steps(|left| self.store.trim_to(entries, &self.clock, left))
    }

    /// Removes expired entries, and returns their number.
    pub fn remove_expired(&self) -> Result<usize, Status> {
        self.change_in_steps(|left| self.store.remove_expired(&self.clock, left))
    }

    /// Removes the entries with a tag, and returns how many were alive. Answers of running loads with that tag are not stored (rule R11).
    pub fn remove_tag(&self, tag: &[u8]) -> Result<usize, Status> {
        self.end_tagged(tag, |left| self.store.remove_tag(tag, &self.clock, left))
    }

    /// Expires the entries with a tag, and returns how many (rule R12). Affects running loads like [`Core::remove_tag`].
    pub fn expire_tag(&self, tag: &[u8]) -> Result<usize, Status> {
        let expired = self.end_tagged(tag, |left| self.store.expire_tag(tag, &self.clock, left));
        self.store_due();
        expired
    }

    fn end_tagged(&self, tag: &[u8], work: impl FnOnce(&mut dyn StepSink) -> usize) -> Result<usize, Status> {
        self.check_not_over()?;
        if self.is_engine() {
            self.with_table(|table, _| {
                self.loads().note_written();
                table.tag_removed(tag);
            });
        }
        catch_panic(|| self.change_in_steps(work)).unwrap_or(Err(Status::ERR_PANIC))
    }

    /// Expires everything (rule R12), with the effect of a clear on running loads.
    pub fn expire_all(&self) -> Result<(), Status> {
        let expired = self.overtaking_all(Writer::ThisProcess, |left| self.store.expire_all(&self.clock, left));
        self.store_due();
        expired
    }

    /// Removes everything. First all loads in progress are overtaken, in steps under the table's lock, so that their answers are not
    /// stored. Then the entries leave, without the table's lock; entries that a later load stores meanwhile may leave with them.
    pub fn clear(&self) -> Result<(), Status> {
        self.overtaking_all(Writer::ThisProcess, |left| self.store.clear(&self.clock, left))
    }

    /// Overtakes all loads in progress, and then runs `work`, which ends all entries. `writer` says which process has changed them.
    pub(super) fn overtaking_all(&self, writer: Writer, work: impl FnOnce(&mut dyn StepSink)) -> Result<(), Status> {
        self.check_not_over()?;
        if self.is_engine() {
            self.with_table(|table, cx| {
                self.loads().note_written();
                if writer == Writer::ThisProcess && rarely(table.has_second_tier()) {
                    table.clear_behind(cx);
                }
                table.clearing(cx);
            });
        }
        catch_panic(|| self.change_in_steps(work)).unwrap_or(Err(Status::ERR_PANIC))
    }

    /// Changes both limits, and evicts until the entries fit.
    pub fn resize(&self, capacity: u64, cost_limit: Option<u64>) -> Result<(), Status> {
        let limits = CacheSettings { capacity, cost_limit, ..self.settings.cache.clone() };
        self.removals.set_bounds(self.routes.bounds_of_removals(&limits, self.removals.has_listener()));
        let done = self.change_in_steps(|left| self.store.resize(capacity, cost_limit, &self.clock, left));
        // While an entry was on its way from one shard to another, the timer may have seen it in neither.
        self.store_due();
        done
    }

    /// The number of entries; 0 after the end of the engine.
    pub fn len(&self) -> u64 {
        self.change_in_steps(|left| self.store.len(&self.clock, left)).unwrap_or(0)
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The total cost of the entries, in bytes; 0 after the end of the engine.
    pub fn cost(&self) -> u64 {
        self.change_in_steps(|left| self.store.cost(&self.clock, left)).unwrap_or(0)
    }

    /// The limit on the number of entries.
    pub fn capacity(&self) -> u64 {
        self.store.capacity()
    }

    /// The limit on the total cost, in bytes; `None` for no limit.
    pub fn cost_limit(&self) -> Option<u64> {
        self.store.cost_limit()
    }

    /// The limit on the cost of one entry, in bytes.
    pub fn max_cost(&self) -> u64 {
        self.store.max_cost()
    }
}
