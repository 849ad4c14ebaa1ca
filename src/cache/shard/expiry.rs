//! When entries end, are to be loaded anew and leave, where they do not say so themselves (rules S06, S08, R01, R05).

use super::super::lifetimes::Lifetimes;
use crate::base::config::{CacheSettings, RefreshSettings};
use crate::base::{Answer, Millis, SharedRandom, Ttl};
use std::sync::Arc;

/// When entries end if they do not say so themselves.
#[derive(Clone)]
pub(in crate::cache) struct DefaultExpiry {
    value_ttl: Ttl,
    null_ttl: Ttl,
    jitter_ms: u64,
    pub(super) idle_ms: Option<u64>,
    /// How long an entry stays after its end, as a fallback.
    pub(super) stale_ms: u64,
    /// When it is to be loaded anew.
    pub(super) refresh: RefreshSettings,
    /// What jitter is drawn from: one generator for all shards, so that a seed repeats it whatever shards the keys are in. What
    /// it was made from says nothing of the hash.
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

    /// Room for what the defaults ask of entries beyond a deadline.
    pub(super) fn lifetimes(&self) -> Option<Box<Lifetimes>> {
        (self.stale_ms > 0 || self.refresh.is_on()).then(|| Box::new(Lifetimes::new()))
    }

    /// From when on an entry stored now, which ends at `end`, is to be loaded anew; its end for never.
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

    /// The point at which an entry stored now ends. At most half of the TTL is taken off, so that nothing is born expired.
    pub(super) fn deadline(&self, ttl: Ttl, now: Millis) -> Millis {
        let Ttl::For(ttl) = ttl else { return Millis::NEVER };
        let range = self.jitter_ms.min(ttl.get() / 2);
        if range == 0 {
            return now.after(ttl.get());
        }
        now.after(ttl.get() - range).after(self.random.up_to(2 * range))
    }
}
