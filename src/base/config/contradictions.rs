//! Settings that are valid by themselves but exclude each other.

use super::{Draft, FetchSettings, Settings};
use std::ffi::CStr;

/// Why a fetch is refused.
#[derive(Clone, Copy, Debug)]
pub enum FetchRefusal {
    /// A setting of its options was refused: [`Draft::problem`].
    Setting,
    /// Its options contradict each other or the engine's settings, as the sentence says.
    Contradiction(&'static CStr),
}

impl Draft {
    /// A sentence that says why an engine cannot be created from these settings, although each is valid; `None` if it can.
    pub fn contradiction(&self) -> Option<String> {
        let Settings { cache, tasks, fetch, .. } = &self.settings;
        let hedges = !tasks.hedge.after.is_zero() || tasks.hedge.percentile > 0.0;
        let refreshes = cache.refresh.after > 0.0 || cache.refresh.after_ms > 0;
        let sentence = if cache.capacity == 0 && (cache.stale_ttl_ms > 0 || refreshes) {
            "\"stale.ttl_ms\" and \"refresh\" settings concern entries, but with \"cache.capacity\" = 0 there are none"
        } else if cache.stale_ttl_ms > 0 && cache.ttl_ms.is_none() && cache.idle_ttl_ms.is_none() {
            "\"stale.ttl_ms\" keeps expired entries, but no entry expires: set \"cache.ttl_ms\" or \"cache.idle_ttl_ms\""
        } else if cache.refresh.after > 0.0 && cache.refresh.after_ms > 0 {
            "\"refresh.after\" and \"refresh.after_ms\" exclude each other: set one of them"
        } else if cache.refresh.after > 0.0 && cache.ttl_ms.is_none() {
            "\"refresh.after\" is a share of the TTL, but values have none: set \"cache.ttl_ms\", or \"refresh.after_ms\""
        } else if cache.refresh.after >= 1.0 && cache.refresh.jitter == 0.0 {
            "\"refresh.after\" = 1 is the end of the TTL, when there is nothing left to refresh: lower it, or set \"refresh.jitter\""
        } else if refreshes && cache.ttl_ms == Some(0) {
            "\"refresh\" settings concern values, but with \"cache.ttl_ms\" = 0 none is stored"
        } else if cache.refresh.after_ms > 0 && cache.ttl_ms.is_some_and(|ttl| ttl <= cache.refresh.after_ms) {
            "\"refresh.after_ms\" is not below \"cache.ttl_ms\", so values expire before they are refreshed: lower the former or raise the latter"
        } else if fetch.stale_timeout.is_some_and(|stale| fetch.timeout.is_some_and(|timeout| timeout <= stale)) {
            "\"stale.timeout_ms\" is not below \"timeout_ms\", so a fetch ends before it receives the fallback: lower the former or raise the latter"
        } else if fetch.stale_timeout.is_some() && !fetch.read.loads() {
            "\"stale.timeout_ms\" limits how long a fetch waits for its load, but with \"read\" = cache_only nothing is loaded"
        } else if refreshes && !(fetch.read.loads() && fetch.read.stores()) {
            "\"refresh\" settings load values and store them, but with \"read\" = cache_only or no_store a fetch does not"
        } else if tasks.queue_ageing.is_some() && !tasks.queue_order.can_age() {
            "\"queue.ageing_ms\" works with \"queue.order\" = fifo alone, since with lifo older keys go last"
        } else if tasks.limit.is_adaptive() && tasks.min_running > tasks.max_running {
            "\"tasks.min_running\" exceeds \"tasks.max_running\": lower the former or raise the latter"
        } else if !tasks.hedge.after.is_zero() && tasks.hedge.percentile > 0.0 {
            "\"hedge.after_ms\" and \"hedge.percentile\" exclude each other: set one of them"
        } else if hedges && !tasks.idempotent {
            "\"hedge\" settings call the provider twice for a key, which \"provider.idempotent\" = false forbids"
        } else if hedges && tasks.max_running == 1 {
            "\"hedge\" settings need a free slot while a request is slow: raise \"tasks.max_running\" to 2 or more"
        } else if hedges && tasks.hedge.max_ratio == 0.0 {
            "\"hedge.max_ratio\" = 0 lets no request be repeated: raise it, or set neither \"hedge.after_ms\" nor \"hedge.percentile\""
        } else if !tasks.hedge.after.is_zero() && fetch.attempt_timeout.is_some_and(|timeout| timeout <= tasks.hedge.after) {
            "\"hedge.after_ms\" is not below \"attempt_timeout_ms\", so no request is ever repeated: lower the former or raise the latter"
        } else {
            return None;
        };
        Some(sentence.into())
    }

    /// The settings of a fetch with these options in an engine with the settings `base`.
    pub fn for_fetch(&self, base: &FetchSettings) -> Result<FetchSettings, FetchRefusal> {
        if self.problem.is_some() {
            return Err(FetchRefusal::Setting);
        }
        let settings = self.over(base);
        self.contradiction_in(&settings).map_or(Ok(settings), |sentence| Err(FetchRefusal::Contradiction(sentence)))
    }

    /// A sentence about these options if they contradict each other whatever the engine's settings are.
    pub fn contradiction_of_options(&self) -> Option<&'static CStr> {
        self.contradiction_in(&self.over(&FetchSettings::default()))
    }

    /// A sentence that says why a fetch with these options is refused: the soft timeout that they state could never take effect under
    /// `settings`, which are those of the engine with the options over them.
    ///
    /// A soft timeout that only the configuration states refuses no fetch: a program may shorten `timeout_ms` of single fetches to the time
    /// that it has left, which must not become an error.
    fn contradiction_in(&self, settings: &FetchSettings) -> Option<&'static CStr> {
        let is_stated = || self.stated.iter().any(|(name, _)| *name == "stale.timeout_ms");
        let soft = settings.stale_timeout.filter(|_| is_stated())?;
        if settings.timeout.is_some_and(|timeout| timeout <= soft) {
            Some(c"\"stale.timeout_ms\" is not below \"timeout_ms\", so the fetch ends before it receives the fallback: lower the former or raise the latter")
        } else if !settings.read.loads() {
            Some(c"\"stale.timeout_ms\" limits how long the fetch waits for its load, but with \"read\" = cache_only nothing is loaded")
        } else if !settings.read.stores() && soft.is_zero() {
            Some(c"\"stale.timeout_ms\" = 0 leaves the answer of the load to later fetches, but with \"read\" = no_store it is not stored for them")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Input, Scope};
    use super::*;
    use crate::base::Status;

    /// The sentence about the settings in `text`; `None` if an engine can be created from them.
    fn problem(text: &str) -> Option<String> {
        let mut draft = Draft::new(Scope::Engine);
        for setting in text.split_whitespace() {
            let (name, value) = setting.split_once('=').expect("name=value");
            if let Err(status) = draft.set(name, Input::Text(value)) {
                assert_eq!(status, Status::ERR_BAD_VALUE, "{setting}");
                return Some(draft.problem().expect("a sentence").to_str().expect("text").to_owned());
            }
        }
        draft.contradiction()
    }

    #[test]
    fn l09b_r01_r04_r05_r07_r08_r09_r10_settings_that_cannot_work_are_refused_with_a_sentence_that_names_them() {
        for (bad, good) in [
            ("stale.ttl_ms=5", "stale.ttl_ms=5 cache.ttl_ms=5"),
            ("stale.ttl_ms=5 cache.ttl_ms=-1", "stale.ttl_ms=5 cache.idle_ttl_ms=5"),
            ("stale.ttl_ms=-1", "stale.ttl_ms=0"),
            ("stale.retry_ms=-1", "stale.retry_ms=0"),
            ("stale.timeout_ms=-2", "stale.timeout_ms=0"),
            ("refresh.after=1.5", "refresh.after=1 refresh.jitter=0.5 cache.ttl_ms=5"),
            ("refresh.after=1 cache.ttl_ms=5", "refresh.after=0.9 cache.ttl_ms=5"),
            ("refresh.after=-0.5", "refresh.after=0"),
            ("refresh.after=NaN", "refresh.after_ms=5"),
            ("refresh.after=0.5", "refresh.after=0.5 cache.ttl_ms=5"),
            ("refresh.after=0.5 refresh.after_ms=5 cache.ttl_ms=6", "refresh.after_ms=5 cache.ttl_ms=6"),
            ("refresh.after_ms=-1", "refresh.after_ms=0"),
            ("refresh.retry_ms=0", "refresh.retry_ms=1"),
            ("refresh.jitter=1.1", "refresh.jitter=1"),
            ("breaker.failure_ratio=1.1", "breaker.failure_ratio=1"),
            ("breaker.failure_ratio=-0.1", "breaker.failure_ratio=0"),
            ("breaker.window_ms=9", "breaker.window_ms=10"),
            ("breaker.min_requests=0", "breaker.min_requests=1"),
            ("breaker.consecutive=-1", "breaker.consecutive=0"),
            ("breaker.open_ms=0", "breaker.open_ms=1"),
            ("breaker.probes=0", "breaker.probes=1"),
            ("rate.requests_per_s=-1", "rate.requests_per_s=0"),
            ("rate.requests_per_s=inf", "rate.requests_per_s=0.5"),
            ("rate.burst=0", "rate.burst=1"),
            ("hedge.after_ms=-1", "hedge.after_ms=5"),
            ("hedge.percentile=1.1", "hedge.percentile=0.95"),
            ("hedge.percentile=-0.1", "hedge.percentile=0"),
            ("hedge.max_ratio=1.1", "hedge.max_ratio=1"),
            ("hedge.after_ms=5 hedge.percentile=0.9", "hedge.percentile=0.9"),
            ("hedge.after_ms=5 provider.idempotent=false", "provider.idempotent=false"),
            ("hedge.percentile=0.5 provider.idempotent=false", "hedge.percentile=0.5 provider.idempotent=true"),
            ("hedge.after_ms=5 attempt_timeout_ms=5", "hedge.after_ms=5 attempt_timeout_ms=6"),
            ("hedge.after_ms=5 tasks.max_running=1", "hedge.after_ms=5 tasks.max_running=2"),
            ("hedge.percentile=0.9 tasks.max_running=1", "tasks.max_running=1"),
            ("hedge.after_ms=5 hedge.max_ratio=0", "hedge.max_ratio=0"),
            ("stale.ttl_ms=5 cache.ttl_ms=5 cache.capacity=0", "cache.ttl_ms=5 cache.capacity=0"),
            ("refresh.after_ms=5 cache.capacity=0", "refresh.after_ms=5 cache.capacity=1"),
            ("refresh.after_ms=5 cache.ttl_ms=5", "refresh.after_ms=5 cache.ttl_ms=6"),
            ("refresh.after=0.5 cache.ttl_ms=0", "cache.ttl_ms=0"),
            ("stale.timeout_ms=5 timeout_ms=5", "stale.timeout_ms=5 timeout_ms=6"),
            ("stale.timeout_ms=6 timeout_ms=5", "timeout_ms=5"),
            ("stale.timeout_ms=5 read=cache_only", "stale.timeout_ms=5 read=no_store"),
            ("refresh.after_ms=5 read=cache_only", "refresh.after_ms=5 read=refresh"),
            ("refresh.after=0.5 cache.ttl_ms=5 read=no_store", "refresh.after=0.5 cache.ttl_ms=5 read=normal"),
            ("queue.order=lifo queue.ageing_ms=5", "queue.order=fifo queue.ageing_ms=5"),
            ("tasks.limit=some", "tasks.limit=adaptive"),
            ("tasks.min_running=0", "tasks.min_running=1"),
            ("tasks.limit=adaptive tasks.min_running=5", "tasks.min_running=5"),
            ("tasks.limit=adaptive tasks.min_running=5 tasks.max_running=4", "tasks.limit=adaptive tasks.min_running=4"),
        ] {
            let name = bad.split('=').next().expect("a name");
            let sentence = problem(bad).unwrap_or_else(|| panic!("{bad} was accepted"));
            let family = name.split('.').next().expect("a family");
            assert!(sentence.contains(family), "{bad}: {sentence}");
            assert_eq!(problem(good), None, "{good}");
        }
    }

    /// The sentence with which an engine that has the settings `config` refuses a fetch with `options`; `None` if it accepts the fetch.
    fn problem_of_fetch(config: &str, options: &str) -> Option<String> {
        let draft = |scope, text: &str| {
            let mut draft = Draft::new(scope);
            for (name, value) in text.split_whitespace().filter_map(|setting| setting.split_once('=')) {
                draft.set(name, Input::Text(value)).expect("a setting with a value in its range");
            }
            draft
        };
        let config = draft(Scope::Engine, config);
        match draft(Scope::Fetch, options).for_fetch(&config.settings.fetch) {
            Ok(_) => None,
            Err(FetchRefusal::Contradiction(sentence)) => Some(sentence.to_str().expect("text").to_owned()),
            Err(FetchRefusal::Setting) => panic!("{options}: every value is in its range"),
        }
    }

    #[test]
    fn l09b_r04_a_fetch_whose_soft_timeout_cannot_be_of_use_is_refused_with_a_sentence_that_names_it() {
        for (config, bad, good) in [
            ("", "stale.timeout_ms=5 timeout_ms=5", "stale.timeout_ms=5 timeout_ms=6"),
            ("", "timeout_ms=5 stale.timeout_ms=6", "timeout_ms=5 stale.timeout_ms=-1"),
            ("timeout_ms=5", "stale.timeout_ms=5", "stale.timeout_ms=4"),
            ("timeout_ms=5", "stale.timeout_ms=5 timeout_ms=4", "stale.timeout_ms=5 timeout_ms=-1"),
            ("", "stale.timeout_ms=0 read=cache_only", "stale.timeout_ms=0 read=refresh"),
            ("read=cache_only", "stale.timeout_ms=5", "stale.timeout_ms=5 read=normal"),
            ("", "stale.timeout_ms=0 read=no_store", "stale.timeout_ms=1 read=no_store"),
            ("read=no_store", "stale.timeout_ms=0", "stale.timeout_ms=-1"),
        ] {
            let sentence = problem_of_fetch(config, bad).unwrap_or_else(|| panic!("{config}, {bad} was accepted"));
            assert!(sentence.contains("\"stale.timeout_ms\""), "{sentence}");
            assert_eq!(problem_of_fetch(config, good), None, "{config}, {good}");
        }
    }

    #[test]
    fn r04_a_soft_timeout_of_the_configuration_refuses_no_fetch() {
        let config = "stale.timeout_ms=500";
        for options in ["", "timeout_ms=37", "read=cache_only", "read=no_store", "retry.count=3 timeout_ms=1"] {
            assert_eq!(problem_of_fetch(config, options), None, "{options}");
        }
    }
}
