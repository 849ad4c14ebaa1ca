//! The builder of an engine or a cache: its settings by name, as `docs/CONFIGURATION.md` lists them, and the program's functions.

use super::cache::TypedCache;
use super::error::FetchError;
use super::key::CacheKey;
use super::request::{LoadRequest, call_provider};
use super::second_tier::{Sharing, TierStore, TypedTier};
use super::setting::IntoSetting;
use super::tasks::Tasks;
use super::value::shared;
use crate::base::clock::{Clock, ManualClock};
use crate::base::config::{Draft, Input, Scope};
use crate::base::process::HasGeneration;
use crate::base::{Answer, Status, Value};
use crate::cache::{Cause, Departure};
use crate::engine::host::{CostFunction, Hooks, Provider, RemovalListener};
use crate::engine::request::Ticket;
use crate::engine::{Core, Plan};
use std::collections::HashMap;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::sync::Arc;

/// Collects the settings and functions of an engine or a cache, and creates it.
#[must_use = "a builder has no effect before `build`"]
pub struct Builder<K: CacheKey, V> {
    draft: Draft,
    hooks: Hooks,
    clock: Option<Arc<ManualClock>>,
    types: PhantomData<fn(K) -> V>,
}

impl<K: CacheKey, V: Send + Sync + 'static> Default for Builder<K, V> {
    fn default() -> Builder<K, V> {
        Builder::new()
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Builder<K, V> {
    pub(super) fn new() -> Builder<K, V> {
        Builder { draft: Draft::new(Scope::Engine), hooks: Hooks::default(), clock: None, types: PhantomData }
    }

    /// Sets one setting by its name in `docs/CONFIGURATION.md`. If the name or the value is refused, [`Builder::build`] fails, and its
    /// error says why.
    pub fn set(mut self, name: &str, value: impl IntoSetting) -> Builder<K, V> {
        // The draft remembers the first refused setting.
        let _ = self.draft.set(name, Input::Text(&value.to_text(name)));
        self
    }

    /// Makes the engine use a clock that the program advances, for tests.
    pub fn clock(mut self, clock: Arc<ManualClock>) -> Builder<K, V> {
        self.clock = Some(clock);
        self
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Builder<K, V> {
    /// Sets the provider. It receives requests on a provider thread, and may answer each key now or later, on any thread. If it panics
    /// while it holds a request, the request's unanswered keys fail with [`super::ErrorKind::Provider`] and the text of the panic. Panics
    /// of the program's functions on the library's threads are not printed, unless the program sets a panic hook after the library has set
    /// its own, which the first engine does: a later hook receives them.
    ///
    /// The provider may block, but calls that wait for an engine, this one or another ([`Tasks::fetch_wait`]), fail in it with
    /// [`super::ErrorKind::WouldDeadlock`]; to load through another engine, await its `fetch` in a task that owns the request.
    ///
    /// A provider that owns a [`Tasks`] of its own engine keeps that engine, and itself, in memory for ever: let it own a
    /// `std::sync::Weak<Tasks<K, V>>` of an `Arc` that the program holds.
    pub fn provider(mut self, provide: impl Fn(LoadRequest<K, V>) + Send + Sync + 'static) -> Builder<K, V> {
        self.hooks.provider = Some(Arc::new(ProvidingClosure(move |ticket| call_provider(&provide, ticket))));
        self
    }

    /// Sets a provider in its simplest form: a function that receives the missing keys and returns their values. Keys that it leaves out
    /// are known to be absent; an error or a panic fails all keys. The answers are matched with the keys by their bytes. The function runs
    /// on a provider thread and may block, but may not wait for an engine: see [`Builder::provider`], also for what it should not own.
    pub fn load<E>(self, load: impl Fn(&[K]) -> Result<HashMap<K, V>, E> + Send + Sync + 'static) -> Builder<K, V>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.provider(move |request| match load(&request.keys()) {
            Ok(values) => {
                for (key, value) in values {
                    if let Some(index) = request.index_of(&key) {
                        request.resolve(index, value);
                    }
                }
                request.finish_absent();
            }
            Err(error) => request.finish_failed(error),
        })
    }

    /// Sets a store behind the engine, which several processes may share: keys are looked up there before the provider is asked, and
    /// values that are loaded or put are stored there too. `encode` turns a value into bytes (`None`: the value stays in this process), and
    /// `decode` turns such bytes into a value (`None`: the key counts as missing). Entries with tags stay in this process. When another
    /// process has written a key, call [`Tasks::invalidate`].
    pub fn second_tier(
        mut self,
        tier: impl TierStore,
        encode: impl Fn(&V) -> Option<Vec<u8>> + Send + Sync + 'static,
        decode: impl Fn(&[u8]) -> Option<V> + Send + Sync + 'static,
    ) -> Builder<K, V> {
        let sharing = Sharing { tier, encode, decode };
        let abilities = sharing.abilities();
        self.hooks.second_tier = Some((Arc::new(TypedTier::<_, V, _, _>::new(sharing)), abilities));
        self
    }

    /// Sets the function that computes the cost of a value, in the unit of `cache.cost_limit`. A value without a cost, from
    /// this function or its terms, adds nothing to the cost of its entry.
    pub fn cost(mut self, cost: impl Fn(&V) -> u64 + Send + Sync + 'static) -> Builder<K, V> {
        self.hooks.cost = Some(Arc::new(CostClosure(move |value: &Value| cost(&shared::<V>(value)))));
        self
    }

    /// Sets a function that is called once for each value that leaves the cache, with the reason. It runs on the dispatcher's thread;
    /// without a provider, on the thread whose call removed the value, or on the dispatcher's if the timer removed it after its expiry.
    ///
    /// What is still in the cache at the end, after a shutdown or the drop of the last handle, is dropped without being reported. On the
    /// dispatcher's thread no fetch can be waited for: see [`Tasks::fetch`].
    pub fn on_removal(mut self, removed: impl Fn(K, Arc<V>, Cause) + Send + Sync + 'static) -> Builder<K, V> {
        self.hooks.removal = Some(Arc::new(RemovalClosure(move |departure: &Departure| {
            if let Answer::Value(value) = &*departure.answer() {
                removed(K::from_bytes(departure.key()), shared(value), departure.cause);
            }
        })));
        self
    }

    fn plan(self) -> Result<Plan, FetchError> {
        if let Some(clock) = &self.clock {
            clock.generation().check().map_err(FetchError::of)?;
        }
        let clock = self.clock.map(Clock::Manual);
        Ok(Plan { settings: self.draft.settings().clone(), hooks: self.hooks, clock, ..Plan::default() })
    }

    /// Fails if a setting was refused.
    fn check_settings(&self) -> Result<(), FetchError> {
        let refused = |problem: &CStr| FetchError::with_text(Status::ERR_BAD_VALUE, &problem.to_string_lossy());
        self.draft.problem().map_or(Ok(()), |problem| Err(refused(problem)))
    }

    /// A sentence about what a cache without an engine could never do (rule L09b); `None` if there is nothing of that kind.
    fn only_for_engines(&self) -> Option<&'static str> {
        let cache = &self.draft.settings().cache;
        if self.hooks.provider.is_some() {
            Some("a cache has no provider: create an engine with `build`, or leave `load` and `provider` out")
        } else if self.hooks.second_tier.is_some() {
            Some("a cache has no second tier: create an engine with `build`, or leave `second_tier` out")
        } else if cache.stale_ttl_ms > 0 {
            Some("\"stale.ttl_ms\" keeps entries for fetches, which a cache does not have: create an engine with `build`, or leave it out")
        } else if cache.refresh.is_on() {
            Some("\"refresh\" settings load values, which a cache does not: create an engine with `build`, or leave them out")
        } else {
            None
        }
    }

    /// Creates the engine and starts its threads.
    pub fn build(self) -> Result<Tasks<K, V>, FetchError> {
        self.check_settings()?;
        if let Some(sentence) = self.draft.contradiction() {
            return Err(FetchError::with_text(Status::ERR_BAD_VALUE, &sentence));
        }
        if self.hooks.provider.is_none() {
            let sentence = "an engine needs a provider: call `load` or `provider`, or create a cache with `build_cache`";
            return Err(FetchError::with_text(Status::ERR_BAD_VALUE, sentence));
        }
        Core::engine(self.plan()?).map(Tasks::new).map_err(FetchError::of)
    }

    /// Creates a cache without a provider. Refused with a provider, a second tier, `stale.ttl_ms` or a refresh ahead, which only an engine
    /// has. Other settings of an engine have no effect.
    pub fn build_cache(self) -> Result<TypedCache<K, V>, FetchError> {
        self.check_settings()?;
        if let Some(sentence) = self.only_for_engines() {
            return Err(FetchError::with_text(Status::ERR_BAD_VALUE, sentence));
        }
        Core::cache(self.plan()?).map(TypedCache::new).map_err(FetchError::of)
    }
}

struct ProvidingClosure<F>(F);

impl<F: Fn(Ticket) + Send + Sync> Provider for ProvidingClosure<F> {
    fn provide(&self, request: Ticket) {
        (self.0)(request);
    }
}

struct CostClosure<F>(F);

impl<F: Fn(&Value) -> u64 + Send + Sync> CostFunction for CostClosure<F> {
    fn cost(&self, _key: &[u8], value: &Value) -> u64 {
        (self.0)(value)
    }
}

struct RemovalClosure<F>(F);

impl<F: Fn(&Departure) + Send + Sync> RemovalListener for RemovalClosure<F> {
    fn removed(&self, departure: &Departure) {
        (self.0)(departure);
    }
}
