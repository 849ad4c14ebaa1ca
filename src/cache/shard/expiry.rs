//! The times of entries that are stored without times of their own: when they expire, when they become due for a refresh, and how long they
//! stay as fallbacks (rules S06, S08, R01, R05).

use super::super::lifetimes::Lifetimes;
use super::super::slab::Place;
use super::Shard;
use crate::base::config::{CacheSettings, RefreshSettings};
use crate::base::hint::rarely;
use crate::base::{Answer, Millis, SharedRandom, Ttl};
use std::sync::Arc;

/// The settings of these times.
#[derive(Clone)]
pub(in crate::cache) struct DefaultExpiry {
    value_ttl: Ttl,
    null_ttl: Ttl,
    jitter_ms: u64,
    pub(super) idle_ms: Option<u64>,
    /// How long an entry stays as a fallback after its expiry, in milliseconds.
    pub(super) stale_ms: u64,
    /// When an entry is due for a refresh ahead of its expiry.
    pub(super) refresh: RefreshSettings,
    /// The generator of the jitter. All shards share it, so that one seed gives the same jitter whichever shards the keys are in. Its seed
    /// is unrelated to the hash seeds, so visible jitter reveals nothing about hashes.
    random: Arc<SharedRandom>,
}

impl DefaultExpiry {
    pub fn new(settings: &CacheSettings) -> DefaultExpiry {
        let ttl = |ms: Option<u64>| ms.map_or(Ttl::Never, Ttl::of_ms);
        DefaultExpiry {
            value_ttl: ttl(settings.ttl_ms),
            null_ttl: ttl(settings.null_ttl_ms),
            jitter_ms: settings.ttl_jitter_ms,
            idle_ms: settings.idle_ttl_ms,
            stale_ms: settings.stale_ttl_ms,
            refresh: settings.refresh.clone(),
            random: Arc::new(SharedRandom::new(settings.seed)),
        }
    }

    pub(super) fn ttl_of(&self, stated: Option<Ttl>, answer: &Answer) -> Ttl {
        stated.unwrap_or(match answer {
            Answer::Value(_) => self.value_ttl,
            Answer::Null => self.null_ttl,
        })
    }

    /// An empty store of graces and refresh times; `None` if no setting needs one.
    pub(super) fn lifetimes(&self) -> Option<Box<Lifetimes>> {
        (self.stale_ms > 0 || self.refresh.is_on()).then(|| Box::new(Lifetimes::new()))
    }

    /// When an entry that is stored now and expires at `end` becomes due for a refresh; `end` if it never does.
    pub(super) fn refresh_at(&self, now: Millis, end: Millis) -> Millis {
        let RefreshSettings { after, after_ms, jitter, .. } = self.refresh;
        let span = match after_ms {
            0 if after > 0.0 && end != Millis::NEVER => (end.since(now) as f64 * after) as u64,
            0 => return end,
            span => span,
        };
        let range = (span as f64 * jitter) as u64;
        let earlier = if range == 0 { 0 } else { self.random.up_to(range) };
        now.after((span - earlier.min(span)).max(1)).min(end)
    }

    /// When an entry that is stored now expires. Jitter moves the expiry by up to `jitter_ms` either way, but by at most half of the TTL,
    /// so that no entry is stored already expired. `before_jitter` in `src/engine/second_tier.rs` relies on this range.
    pub(super) fn deadline(&self, ttl: Ttl, now: Millis) -> Millis {
        let Ttl::For(ttl) = ttl else { return Millis::NEVER };
        let range = self.jitter_ms.min(ttl.get() / 2);
        if range == 0 {
            return now.after(ttl.get());
        }
        now.after(ttl.get() - range).after(self.random.up_to(2 * range))
    }
}

impl Shard {
    /// Records the times of the entry at `place`, which is stored now, and returns when it expires.
    #[inline(always)]
    pub(super) fn note_lifetime(&mut self, place: Place, deadline: Millis, grace_ms: u64, used: Millis) -> Millis {
        if rarely(grace_ms > 0 || self.lifetimes.is_some()) {
            let lifetimes = self.lifetimes.get_or_insert_with(|| Box::new(Lifetimes::new()));
            lifetimes.enter(place, deadline, grace_ms, self.slab.node_capacity());
            if self.expiry.refresh.is_on() {
                self.slab.set_deadline(place, self.expiry.refresh_at(used, deadline));
            }
        }
        self.note_end(place, deadline)
    }
}
