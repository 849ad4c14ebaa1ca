//! An engine: a typed cache with a provider.

use super::builder::Builder;
use super::cache::TypedCache;
use super::error::FetchError;
use super::fetch::{BatchFuture, FetchFuture, of_outcome, only_outcome};
use super::fetched::Fetched;
use super::in_process::InProcess;
use super::key::{CacheKey, KeyBytes, copied};
use super::options::{CallOptions, FetchOptions};
use crate::base::Status;
use crate::base::config::FetchSettings;
use crate::base::process::must_not_wait;
use crate::engine::Core;
use crate::engine::call_settings::CallSettings;
use crate::engine::fetch::{FetchAnswer, FetchCall};
use crate::engine::host::CloseListener;
use crate::engine::invalidate::Outdated;
use crate::task::breaker::{BreakerOverride, BreakerState};
use crate::task::{Form, Outcome};
use std::any::Any;
use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// The result of fetching one key: its value, `None` if the key is known to be absent, or the reason it failed. With `read` = `cache_only`,
/// `None` also stands for a key without an entry; `detailed()` tells the two apart by the source.
pub type FetchResult<V> = Result<Option<Arc<V>>, FetchError>;

/// An engine. A clone is another handle to the same engine. When the last handle is dropped, the engine closes: fetches in progress fail
/// with [`super::ErrorKind::Closed`], changes that wait for the second tier are lost, and the engine's threads end on their own.
/// [`Tasks::shut_down`] waits for that; [`Tasks::drain`] lets accepted work end.
///
/// In a forked child, handles from before the fork are refused: calls fail with [`super::ErrorKind::Forked`], getters return nothing, and
/// dropping a handle has no effect. Values stay readable, and the child may create engines of its own.
pub struct Tasks<K: CacheKey, V> {
    engine: Arc<OwnedEngine>,
    types: PhantomData<fn(K) -> V>,
}

impl<K: CacheKey, V> Clone for Tasks<K, V> {
    fn clone(&self) -> Tasks<K, V> {
        Tasks { engine: self.engine.clone(), types: PhantomData }
    }
}

/// Disposes of the engine when it is dropped.
struct OwnedEngine(InProcess<Arc<Core>>);

impl Drop for OwnedEngine {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Core::dispose);
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Tasks<K, V> {
    /// A builder for an engine, with every setting at its default.
    pub fn builder() -> Builder<K, V> {
        Builder::new()
    }

    pub(super) fn new(core: Arc<Core>) -> Tasks<K, V> {
        Tasks { engine: Arc::new(OwnedEngine(InProcess::new(core))), types: PhantomData }
    }

    /// Fails in the child of a fork.
    fn core(&self) -> Result<&Arc<Core>, FetchError> {
        self.engine.0.get().map_err(FetchError::of)
    }

    /// The engine for a future, which is refused when it is polled, or for a cache, which refuses its calls.
    fn core_anywhere(&self) -> &Arc<Core> {
        self.engine.0.anywhere().expect("it is taken by the drop alone")
    }

    /// Fetches one key: from the cache if it is there; otherwise from the provider, in one load shared with every other caller that wants
    /// it.
    ///
    /// On the dispatcher's thread of this very engine, that is, inside a removal listener or a progress function, nothing can wait for the
    /// future: unless its result is there, it fails with [`super::ErrorKind::WouldDeadlock`]. Spawn a task there that awaits it.
    pub fn fetch<Q: KeyBytes + ?Sized>(&self, key: &Q) -> FetchFuture<V>
    where
        K: Borrow<Q>,
    {
        FetchFuture::new(self.core_anywhere().clone(), key.with_bytes(<[u8]>::to_vec), Ok(CallOptions::default()))
    }

    /// Like [`Tasks::fetch`], with the given options.
    pub fn fetch_with<Q: KeyBytes + ?Sized>(&self, key: &Q, options: &FetchOptions) -> FetchFuture<V>
    where
        K: Borrow<Q>,
    {
        let core = self.core_anywhere();
        FetchFuture::new(core.clone(), key.with_bytes(<[u8]>::to_vec), options.for_call(core.fetch_settings()))
    }

    /// Fetches several keys; those that are missing are loaded together.
    pub fn fetch_all<'k, Q: KeyBytes + ?Sized + 'k>(&self, keys: impl IntoIterator<Item = &'k Q>) -> BatchFuture<V>
    where
        K: Borrow<Q>,
    {
        BatchFuture::new(self.core_anywhere().clone(), copied(keys), Ok(CallOptions::default()))
    }

    /// Like [`Tasks::fetch_all`], with the given options.
    pub fn fetch_all_with<'k, Q: KeyBytes + ?Sized + 'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Q>,
        options: &FetchOptions,
    ) -> BatchFuture<V>
    where
        K: Borrow<Q>,
    {
        let core = self.core_anywhere();
        BatchFuture::new(core.clone(), copied(keys), options.for_call(core.fetch_settings()))
    }

    /// Like [`Tasks::fetch`], but blocks the calling thread. Inside the provider and every callback it fails with
    /// [`super::ErrorKind::WouldDeadlock`], even if the value is cached, and also inside those of another engine: a thread that may be needed
    /// for an answer must not wait for one. A provider that needs a value of another engine moves its request into a task that awaits
    /// `fetch` of that engine and then answers, or waits for that future with an executor's `block_on`.
    pub fn fetch_wait<Q: KeyBytes + ?Sized>(&self, key: &Q) -> FetchResult<V>
    where
        K: Borrow<Q>,
    {
        of_outcome(self.wait_for_one(Form::Each, key, self.core()?.fetch_settings().into())?)
    }

    /// Like [`Tasks::fetch_wait`], with the given options.
    pub fn fetch_wait_with<Q: KeyBytes + ?Sized>(&self, key: &Q, options: &FetchOptions) -> FetchResult<V>
    where
        K: Borrow<Q>,
    {
        of_outcome(self.wait_for_one(Form::Each, key, self.settings_with(options)?.into())?)
    }

    /// Like [`Tasks::fetch_wait_with`], but the result also says where the value came from, how old it is, and whether it is stale.
    pub fn fetch_wait_detailed<Q: KeyBytes + ?Sized>(&self, key: &Q, options: &FetchOptions) -> Result<Fetched<V>, FetchError>
    where
        K: Borrow<Q>,
    {
        // Only a fetch of many keys gets the age of values that the call itself finds.
        Fetched::new(self.wait_for_one(Form::All, key, self.settings_with(options)?.into())?)
    }

    /// Like [`Tasks::fetch_all`], but blocks the calling thread, with the restriction of [`Tasks::fetch_wait`].
    pub fn fetch_all_wait<'k, Q: KeyBytes + ?Sized + 'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Q>,
    ) -> Result<Vec<FetchResult<V>>, FetchError>
    where
        K: Borrow<Q>,
    {
        let outcomes = self.wait_for_all(&copied(keys), self.core()?.fetch_settings().into())?;
        Ok(outcomes.into_iter().map(of_outcome).collect())
    }

    /// Like [`Tasks::fetch_all_wait`], with the given options.
    pub fn fetch_all_wait_with<'k, Q: KeyBytes + ?Sized + 'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Q>,
        options: &FetchOptions,
    ) -> Result<Vec<FetchResult<V>>, FetchError>
    where
        K: Borrow<Q>,
    {
        Ok(self.wait_for_all(&copied(keys), self.settings_with(options)?.into())?.into_iter().map(of_outcome).collect())
    }

    /// Like [`Tasks::fetch_all_wait_with`], with the details of [`Tasks::fetch_wait_detailed`].
    pub fn fetch_all_wait_detailed<'k, Q: KeyBytes + ?Sized + 'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Q>,
        options: &FetchOptions,
    ) -> Result<Vec<Result<Fetched<V>, FetchError>>, FetchError>
    where
        K: Borrow<Q>,
    {
        Ok(self.wait_for_all(&copied(keys), self.settings_with(options)?.into())?.into_iter().map(Fetched::new).collect())
    }

    /// The settings of a fetch with these options.
    fn settings_with(&self, options: &FetchOptions) -> Result<Arc<FetchSettings>, FetchError> {
        options.over(self.core()?.fetch_settings())
    }

    fn wait_for_one<Q: KeyBytes + ?Sized>(&self, form: Form, key: &Q, settings: CallSettings<'_>) -> Result<Outcome, FetchError> {
        key.with_bytes(|key| self.wait(form, [key].into_iter(), settings)).map(only_outcome)
    }

    fn wait_for_all(&self, keys: &[Vec<u8>], settings: CallSettings<'_>) -> Result<Vec<Outcome>, FetchError> {
        match self.wait(Form::All, keys.iter().map(Vec::as_slice), settings)? {
            FetchAnswer::Ready(results) => Ok(results.batch.outcomes),
            FetchAnswer::Now(_) | FetchAnswer::Pending => unreachable!("a fetch of many keys is answered with its results"),
        }
    }

    fn wait<'k>(
        &self,
        form: Form,
        keys: impl ExactSizeIterator<Item = &'k [u8]> + Clone,
        settings: CallSettings<'_>,
    ) -> Result<FetchAnswer, FetchError> {
        may_wait()?;
        let call = FetchCall { form, settings, progress_step: 0, handle: None, at_once: true };
        self.core()?.fetch_wait(keys, &call).map_err(FetchError::of)
    }

    /// Reloads keys in the background. The cache keeps its current entries until the new ones are stored, also if a load fails. Only
    /// [`super::LoadRequest::fail_gone`] removes an entry, if it has expired.
    pub fn refresh<'k, Q: KeyBytes + ?Sized + 'k>(&self, keys: impl IntoIterator<Item = &'k Q>) -> Result<(), FetchError>
    where
        K: Borrow<Q>,
    {
        self.refresh_by(&copied(keys), self.core()?.refresh_settings())
    }

    /// Like [`Tasks::refresh`], with the given options: for example an `urgency`, or retries. Fails with `read` = `cache_only` or
    /// `no_store`. Options about waiting have no effect, since nobody waits for a refresh; options that contradict each other are refused
    /// as for a fetch.
    pub fn refresh_with<'k, Q: KeyBytes + ?Sized + 'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Q>,
        options: &FetchOptions,
    ) -> Result<(), FetchError>
    where
        K: Borrow<Q>,
    {
        self.refresh_by(&copied(keys), &options.over(self.core()?.refresh_settings())?)
    }

    fn refresh_by(&self, keys: &[Vec<u8>], settings: &Arc<FetchSettings>) -> Result<(), FetchError> {
        if !settings.read.loads() || !settings.read.stores() {
            let sentence = "a refresh loads and stores, which \"read\" = cache_only or no_store forbids: leave \"read\" out";
            return Err(FetchError::with_text(Status::ERR_BAD_VALUE, sentence));
        }
        self.core()?.refresh(keys.iter().map(Vec::as_slice), settings).map_err(FetchError::of)
    }

    /// Invalidates keys that another process has changed: their entries are removed, and the answers of their loads in progress reach those
    /// who wait, but are not stored. Call it after the change, never before.
    pub fn invalidate<'k, Q: KeyBytes + ?Sized + 'k>(&self, keys: impl IntoIterator<Item = &'k Q>) -> Result<(), FetchError>
    where
        K: Borrow<Q>,
    {
        let keys = copied(keys);
        self.core()?.invalidate(keys.iter().map(Vec::as_slice), Outdated::Removed).map_err(FetchError::of)
    }

    /// Invalidates all keys, for example because notices of changes may have been lost.
    pub fn invalidate_all(&self) -> Result<(), FetchError> {
        self.core()?.invalidate_all(Outdated::Removed).map_err(FetchError::of)
    }

    /// Waits until the second tier has everything that was put, removed or cleared before this call, for at most `timeout` (`None`: without
    /// limit). Returns false if `timeout` passed first. Fails if some of these changes were given up. Inside the provider or a callback it
    /// fails with [`super::ErrorKind::WouldDeadlock`].
    pub fn sync_second_tier(&self, timeout: Option<Duration>) -> Result<bool, FetchError> {
        may_wait()?;
        self.core()?.sync_second_tier(timeout).map_err(FetchError::of)
    }

    /// The state of the circuit breaker (`breaker.failure_ratio`, `breaker.consecutive`). In a forked child: closed.
    pub fn breaker_state(&self) -> BreakerState {
        self.core().map_or(BreakerState::Closed, |core| core.breaker_state())
    }

    /// Forces the circuit breaker open or closed, whatever the provider does, or returns it to automatic operation.
    pub fn force_breaker(&self, state: BreakerOverride) -> Result<(), FetchError> {
        self.core()?.force_breaker(state).map_err(FetchError::of)
    }

    /// The engine's cache, for reading and writing.
    pub fn cache(&self) -> TypedCache<K, V> {
        TypedCache::new(self.core_anywhere().clone())
    }

    /// Closes the engine, waits until the provider and callbacks have returned, and ends the engine's threads. From then on, calls through
    /// other handles fail with [`super::ErrorKind::Closed`]. Inside the provider or a callback it closes without waiting.
    ///
    /// Fetches in progress fail with [`super::ErrorKind::Closed`], and changes that wait for the second tier are lost. To keep them, call
    /// [`Tasks::sync_second_tier`] before this, which waits for the changes and says whether some are lost, or [`Tasks::drain`] in its
    /// place, which also lets fetches end.
    pub fn shut_down(self) {
        let Ok(core) = self.core() else { return };
        if must_not_wait() {
            core.close(None, None);
        } else {
            core.clone().free();
        }
    }

    /// Like [`Tasks::shut_down`], but accepted work goes on for at most `limit` (`Duration::MAX`: without limit): fetches and refreshes in
    /// progress end as usual, and changes that wait for the second tier are tried once. What is left after that fails with
    /// [`super::ErrorKind::Closed`] or is lost. New calls are refused from the beginning. Inside the provider or a callback it returns at
    /// once, and the engine ends when its work is done.
    pub fn drain(self, limit: Duration) {
        let Ok(core) = self.core() else { return };
        let (notify, ended) = mpsc::channel();
        let listener = DrainListener { _engine: self.engine.clone(), notify };
        core.close(Some((limit != Duration::MAX).then_some(limit)), Some(Box::new(listener)));
        if !must_not_wait() {
            // The listener is called or dropped, in either case at the end.
            let _ = ended.recv();
            core.clone().free();
        }
    }
}

/// Keeps an engine until its drain has ended: dropping the last handle would cancel the rest.
struct DrainListener {
    _engine: Arc<OwnedEngine>,
    notify: mpsc::Sender<()>,
}

impl CloseListener for DrainListener {
    fn closed(self: Box<Self>) {
        // Nobody listens if the drain does not wait.
        let _ = self.notify.send(());
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Refuses a call that waits, where nothing may wait.
fn may_wait() -> Result<(), FetchError> {
    if !must_not_wait() {
        return Ok(());
    }
    let sentence =
        "no call may wait inside the provider or a callback, not even for another engine: await `fetch` there, or answer the request later";
    Err(FetchError::with_text(Status::ERR_REENTRANT, sentence))
}
