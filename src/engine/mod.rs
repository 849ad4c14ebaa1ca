//! The safe interface: one store, one table and one runtime behind methods that a Rust program, or the C ABI, can call.
//!
//! ```text
//!   fetch ──▶ store ── hit ──▶ answered in the call
//!               │ miss
//!               ▼
//!            table (one lock) ──▶ effects ──▶ event lists ──▶ dispatcher, or the host's queue ──▶ callback
//!                                   └──────▶ requests ───▶ provider thread, or the host's queue
//! ```
//!
//! A [`Core`] is a cache, with or without an engine. Locks are taken in this order only: table, shard, event list. The table's lock is
//! held for the protocol alone; the resulting effects are applied after its release, in [`transition`]. No host code is called, and no host
//! object dropped, under any of these locks.
//!
//! - [`host`]: the host's functions, as traits.
//! - [`invalidate`]: keys that another process has changed.
//! - [`fetch`]: fetches. [`fetch_events`]: collects and delivers their events. [`fetch_handle`]: the host's handle, to cancel a fetch and
//!   to wait for it.
//! - [`joined`]: fetches that joined a load and need no event list.
//! - [`fetch_steps`]: fetches of very many keys.
//! - [`request`]: the provider's handle of a request. [`providing`]: how requests reach the provider.
//! - [`cache`]: the store's operations with the additions of a loading cache. [`cache_ref`]: callers' references to a cache.
//! - [`pins`]: keeps a cache in memory during a call. [`plain_puts`]: puts that only concern the store.
//! - [`removals`]: removals that are not reported yet. [`transition`]: operations on the table, and their effects.
//! - [`loads`]: the part that only an engine has: the table and its accompanying data.
//! - [`lifecycle`]: an engine's stage and pending work. [`end`]: close, free, dispose.
//! - [`validated`]: lookups that call the validator and no other host code.
//! - [`entries`]: iterates over all entries.
//! - [`polled_event`]: events that a host takes out of its queue.
//! - [`second_tier`]: requests for a second tier.
//! - [`saving`]: saves entries to a file and loads them.
//! - [`stats`]: statistics as numbers, JSON and OpenMetrics. [`breaker`]: the circuit breaker, for operators.
//! - [`call_settings`]: the settings of one call.

mod breaker;
pub mod cache;
pub mod cache_ref;
pub mod call_settings;
mod end;
pub mod entries;
pub mod fetch;
pub mod fetch_events;
pub mod fetch_handle;
mod fetch_steps;
pub mod host;
pub mod invalidate;
pub mod joined;
mod lifecycle;
mod loads;
#[cfg(test)]
mod panic_tests;
pub mod pins;
mod plain_puts;
pub mod polled_event;
mod providing;
mod removals;
pub mod request;
pub mod saving;
pub mod second_tier;
pub mod stats;
mod transition;
mod validated;

use crate::base::clock::Timed;
use crate::base::config::{CacheSettings, FetchSettings, Settings};
use crate::base::process::{Generation, HasGeneration};
use crate::base::sync::OnceLock;
use crate::base::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::base::{Clock, Millis, Moment, Status};
use crate::cache::{DepartureSink, Departures, Store};
use crate::runtime::host_queue::HostQueue;
use crate::runtime::timer::Alarm;
use crate::runtime::{Runtime, RuntimeEnded};
use host::Hooks;
use lifecycle::{CallSite, DeliveryGuard, LifeStage, Lifecycle, PendingCount};
use loads::Loads;
use pins::Pins;
use removals::{Bounds, Removals};
use std::sync::{Arc, Weak};
use transition::EngineHost;

/// A cache, or an engine if it has [`Loads`].
pub struct Core {
    generation: Generation,
    me: Weak<Core>,
    store: Store,
    /// `None`: a cache without an engine.
    loads: Option<Loads>,
    clock: Clock,
    settings: Settings,
    hooks: Hooks,
    /// Whether a lookup may run a host function, directly or through a load that it starts.
    lookups_call_host: bool,
    /// Whether a put may run a host function, directly or because it affects loads.
    puts_call_host: bool,
    /// Whether the validator is the only host function that a lookup runs.
    only_validates: bool,
    /// Whether a use of an entry may refresh it ahead of its expiry (rule R05).
    refreshes_ahead: bool,
    removals: Arc<Removals>,
    routes: Routes,
    threads: Threads,
    alarm: OnceLock<Alarm>,
    /// When the timer will next look for expired entries, unless an alarm is set for an earlier time. Written by the timer, in milliseconds
    /// of the TTL clock. 0 if there is no timer: no entry expires before that, so none sets an alarm.
    store_wake: AtomicU64,
    /// Whether new keys gather (rule F14a). A copy that is read without the table's lock.
    gathers: AtomicBool,
    life: Lifecycle,
    window: stats::StatsWindow,
    /// The calls that keep the cache in memory.
    pins: Pins,
}

/// The threads that a cache uses.
enum Threads {
    /// Its own threads, started when they are first needed.
    Own(OnceLock<Arc<Runtime>>),
    /// The threads of a runtime that others may use too.
    Shared(Arc<Runtime>),
}

/// The queues of the host that receive events instead of library threads (rule L02).
#[derive(Default, Clone)]
pub struct Routes {
    /// Results, progress, the notice of the close, and the release of user data.
    pub results: Option<Arc<HostQueue>>,
    /// Requests and cancel hooks.
    pub provider: Option<Arc<HostQueue>>,
    /// Removals.
    pub removals: Option<Arc<HostQueue>>,
    /// Requests for the second tier.
    pub second_tier: Option<Arc<HostQueue>>,
}

impl Routes {
    fn each(&self, act: impl Fn(&HostQueue)) {
        [&self.results, &self.provider, &self.removals, &self.second_tier].into_iter().flatten().for_each(|queue| act(queue));
    }

    /// The bounds of pending removals. There are none for a queue, because only its reader can report removals, and that may be this very
    /// thread.
    fn bounds_of_removals(&self, settings: &CacheSettings, has_listener: bool) -> Bounds {
        let route = if has_listener { &self.removals } else { &self.results };
        match settings.max_pending_removals {
            Some(most) if route.is_none() => Bounds::new(most, settings.capacity, settings.cost_limit),
            _ => Bounds::NONE,
        }
    }

    fn attach(&self) {
        self.each(HostQueue::attach);
    }

    fn detach(&self) {
        self.each(HostQueue::detach);
    }

    /// Where results, progress and the notice of the close arrive.
    pub fn results_at(&self) -> CallSite {
        call_site_of(&self.results)
    }

    /// Where requests and cancel hooks arrive.
    pub fn provider_at(&self) -> CallSite {
        call_site_of(&self.provider)
    }

    /// Where the listener receives removals.
    pub fn removals_at(&self) -> CallSite {
        call_site_of(&self.removals)
    }

    /// Where requests for the second tier arrive.
    pub fn second_tier_at(&self) -> CallSite {
        call_site_of(&self.second_tier)
    }
}

fn call_site_of(route: &Option<Arc<HostQueue>>) -> CallSite {
    if route.is_some() { CallSite::Queue } else { CallSite::Threads }
}

/// The arguments for creating a cache or an engine.
#[derive(Default)]
pub struct Plan {
    /// The configuration.
    pub settings: Settings,
    /// The host's functions.
    pub hooks: Hooks,
    /// `None`: the system's clock.
    pub clock: Option<Clock>,
    /// `None`: its own threads.
    pub runtime: Option<Arc<Runtime>>,
    /// The host's queues.
    pub routes: Routes,
}

impl Core {
    /// Creates a cache without an engine. Fails with INVALID_HANDLE if the runtime to share has been ended.
    pub fn cache(plan: Plan) -> Result<Arc<Core>, Status> {
        Core::make(plan, false)
    }

    /// Creates an engine, with the errors of [`Core::cache`]. Its threads are started at once, so that a system that refuses them is
    /// noticed here. An engine has no threads if all of its events go to queues of the program and its clock is manual.
    pub fn engine(plan: Plan) -> Result<Arc<Core>, Status> {
        if plan.hooks.provider.is_none() {
            return Err(Status::ERR_NO_PROVIDER);
        }
        let core = Core::make(plan, true)?;
        if core.uses_dispatcher() || matches!(core.clock, Clock::System(_)) {
            let runtime = core.runtime().ok_or(Status::ERR_NO_THREAD)?;
            if core.uses_dispatcher() {
                runtime.dispatcher().start().map_err(|_| Status::ERR_NO_THREAD)?;
            }
        }
        core.set_alarm();
        Ok(core)
    }

    fn make(plan: Plan, is_engine: bool) -> Result<Arc<Core>, Status> {
        let Plan { mut settings, hooks, clock, runtime, routes } = plan;
        if !is_engine {
            // Only fetches serve stale entries and refresh entries.
            settings.cache.stale_ttl_ms = 0;
            settings.cache.refresh.after = 0.0;
            settings.cache.refresh.after_ms = 0;
        }
        if let Some(runtime) = &runtime {
            runtime.attach().map_err(|RuntimeEnded| Status::ERR_INVALID_HANDLE)?;
        }
        let clock = clock.unwrap_or_else(Clock::system);
        let core = Arc::new_cyclic(|me: &Weak<Core>| {
            let removals = Arc::new(Removals::new(
                hooks.removal.clone(),
                routes.bounds_of_removals(&settings.cache, hooks.removal.is_some()),
                me.clone(),
            ));
            let sink = removals.has_listener().then(|| removals.clone() as Arc<dyn DepartureSink>);
            let store = Store::new(&settings.cache, sink);
            // A manual clock needs no timer.
            let uses_timer = matches!(clock, Clock::System(_)) && (is_engine || settings.cache.timer);
            Core {
                generation: Generation::now(),
                me: me.clone(),
                loads: is_engine.then(|| Loads::new(EngineHost(me.clone()), &settings, &hooks, &store)),
                window: stats::StatsWindow::new(clock.moment()),
                clock: clock.clone(),
                pins: Pins::new(store.cores()),
                only_validates: hooks.validator.is_some() && hooks.record.is_none() && !settings.cache.refresh.is_on(),
                lookups_call_host: hooks.validator.is_some() || hooks.record.is_some() || settings.cache.refresh.is_on(),
                puts_call_host: is_engine || hooks.validator.is_some() || hooks.cost.is_some() || hooks.removal.is_some(),
                refreshes_ahead: settings.cache.refresh.is_on(),
                settings,
                hooks,
                removals,
                routes,
                threads: runtime.map_or(Threads::Own(OnceLock::new()), Threads::Shared),
                alarm: OnceLock::new(),
                store_wake: AtomicU64::new(if uses_timer { Millis::NEVER.0 } else { 0 }),
                gathers: AtomicBool::new(false),
                life: Lifecycle::default(),
                store,
            }
        });
        core.routes.attach();
        if let Clock::Manual(manual) = &clock {
            manual.attach(core.me.clone() as Weak<dyn Timed>);
        }
        Ok(core)
    }

    /// The queue that receives the engine's results, if there is one. Objects of the engine's provider are bound to this queue.
    pub fn results_queue(&self) -> Option<Arc<HostQueue>> {
        self.routes.results.clone()
    }

    /// Where the second tier receives requests.
    pub fn second_tier_at(&self) -> CallSite {
        self.routes.second_tier_at()
    }

    /// Where the provider receives requests and cancel hooks.
    pub fn provider_at(&self) -> CallSite {
        self.routes.provider_at()
    }

    /// Where the host receives results.
    pub fn results_at(&self) -> CallSite {
        self.routes.results_at()
    }

    /// Whether the calling thread delivers the engine's events. On that thread, a wait for such an event never ends.
    pub fn delivers_here(&self) -> bool {
        self.running().is_some_and(|runtime| runtime.dispatcher().is_here())
    }

    /// Whether the dispatcher's thread delivers anything of an engine: results, cancel hooks or removals.
    fn uses_dispatcher(&self) -> bool {
        let removals = self.removals.has_listener().then(|| self.routes.removals_at());
        [Some(self.results_at()), Some(self.provider_at()), removals].contains(&Some(CallSite::Threads))
    }

    /// Marks a delivery as in progress if the program reads a queue for it. On threads of the library the pending work itself marks it.
    fn delivering(&self, site: CallSite) -> Option<DeliveryGuard> {
        (site == CallSite::Queue).then(|| DeliveryGuard::new(self.me()))
    }

    /// Whether the cache has an engine.
    pub fn is_engine(&self) -> bool {
        self.loads.is_some()
    }

    /// The loads. Only for engines.
    fn loads(&self) -> &Loads {
        self.loads.as_ref().expect("only engines load")
    }

    /// The settings of a fetch that states none. Only for engines.
    pub fn fetch_settings(&self) -> &Arc<FetchSettings> {
        &self.loads().fetch_settings
    }

    /// Whether a fetch without options begins with a lookup in the store. With a validator it does not: the validator comes first, and runs
    /// once for each position (rule S10). Only for engines.
    pub fn reads_store_first(&self) -> bool {
        self.hooks.validator.is_none() && self.fetch_settings().reads_store()
    }

    /// The settings of a refresh that states none. Only for engines.
    pub fn refresh_settings(&self) -> &Arc<FetchSettings> {
        &self.loads().refresh_settings
    }

    /// A new strong reference to this core.
    pub fn me(&self) -> Arc<Core> {
        self.me.upgrade().expect("the caller of a method holds a reference")
    }

    /// The runtime, started if necessary; `None` if the system refuses its threads.
    fn runtime(&self) -> Option<&Arc<Runtime>> {
        match &self.threads {
            Threads::Shared(runtime) => Some(runtime),
            Threads::Own(cell) => {
                if let Some(runtime) = cell.get() {
                    return Some(runtime);
                }
                let started = Runtime::start(self.settings.tasks.stack_bytes).ok()?;
                if let Err(second) = cell.set(started) {
                    // Another thread was faster.
                    second.stop();
                }
                cell.get()
            }
        }
    }

    /// The runtime, if it is started.
    fn running(&self) -> Option<&Arc<Runtime>> {
        match &self.threads {
            Threads::Shared(runtime) => Some(runtime),
            Threads::Own(cell) => cell.get(),
        }
    }

    /// Registers with the timer, once. A manual clock needs no timer: it fires what is due when it is advanced.
    fn set_alarm(&self) -> Option<&Alarm> {
        if let (Clock::System(_), None) = (&self.clock, self.alarm.get()) {
            let runtime = self.runtime()?;
            let me = self.me.clone() as Weak<dyn Timed>;
            self.alarm.get_or_init(|| runtime.timer().watch(me, self.clock.clone()));
        }
        self.alarm.get()
    }

    /// Makes the timer wake when the table's next deadline is due, if there is one.
    fn table_due(&self, due: Option<Moment>) {
        if let (Some(due), Some(alarm)) = (due, self.alarm.get()) {
            alarm.set_for(due);
        }
    }

    /// Whether expired entries are removed at their time. With `cache.timer=false` no thread is ever started for that.
    fn is_timed(&self) -> bool {
        self.settings.cache.timer || self.is_engine()
    }

    /// Makes the timer wake in time for an entry that was stored and expires at `end`. Nearly always the timer wakes for an earlier one:
    /// then this reads neither a clock nor the shards.
    #[inline]
    fn entry_due(&self, end: Millis) {
        // SeqCst, as in `next_due`. The entry's end was written before this read. If this reads an earlier time than the one until which
        // the timer is about to sleep, the timer has yet to read all ends once more.
        if Store::wake_for(end).0 < self.store_wake.load(Ordering::SeqCst) {
            self.wake_for_entry(end);
        }
    }

    #[inline(never)]
    fn wake_for_entry(&self, end: Millis) {
        if let Some(alarm) = self.set_alarm() {
            alarm.set_for(self.clock.moment_of(Store::wake_for(end)));
        }
    }

    /// Makes the timer wake in time for any entry that may expire before the timer's next wake.
    fn store_due(&self) {
        if !self.is_timed() {
            return;
        }
        if let (Some(wake), Some(alarm)) = (self.store.next_wake(), self.set_alarm()) {
            alarm.set_for(self.clock.moment_of(wake));
        }
    }
}

impl HasGeneration for Core {
    #[inline]
    fn generation(&self) -> Generation {
        self.generation
    }
}

/// The number of entries that the timer examines in one hold of a shard's lock.
const SWEEP: usize = 256;

impl Timed for Core {
    fn next_due(&self) -> Option<Moment> {
        if self.life.has_reached(LifeStage::Drained) {
            return None;
        }
        let table = self.loads.as_ref().and_then(|loads| loads.table.lock().next_due());
        // A manual clock stops at each expiry; with the system's clock the timer looks at most twice a second.
        let store = match &self.clock {
            Clock::Manual(_) => self.store.next_due().filter(|_| self.is_timed()),
            Clock::System(_) => {
                let wake = self.store.next_wake().filter(|_| self.is_timed());
                // SeqCst: after the ends were read. The timer calls this twice before it sleeps, and sleeps until the earlier time.
                self.store_wake.store(wake.unwrap_or(Millis::NEVER).0, Ordering::SeqCst);
                wake
            }
        };
        table.into_iter().chain(store.map(|end| self.clock.moment_of(end))).min()
    }

    fn fire(&self) {
        if self.life.has_reached(LifeStage::Drained) {
            return;
        }
        if self.is_engine() {
            while self.with_table(|table, cx| table.advance(cx)) {
                self.loads().table.give_way();
            }
        }
        if self.is_timed() {
            let _pending = self.is_engine().then(|| PendingCount::new(self.me(), CallSite::Threads));
            loop {
                let mut left = Departures::new();
                let more = self.store.sweep(&self.clock, SWEEP, &mut left);
                // Destructors and the listener run where callbacks run, not on this thread.
                self.send_departures(left);
                if !more {
                    break;
                }
            }
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.unroute();
        if let Some(alarm) = self.alarm.get() {
            alarm.end();
        }
        match &self.threads {
            Threads::Shared(runtime) => self.leave(runtime),
            Threads::Own(cell) => {
                if let Some(runtime) = cell.get() {
                    runtime.stop_if_idle();
                }
            }
        }
    }
}
