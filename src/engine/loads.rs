//! The part of an engine that a cache without a provider lacks: the table of loads, and the data that accompanies it.

use super::host::Hooks;
use super::providing::ReadyRequests;
use super::second_tier::TierProgress;
use super::transition::EngineHost;
use crate::base::config::{FetchSettings, Settings};
use crate::base::fair::FairMutex;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::cache::Store;
use crate::task::Table;
use std::sync::Arc;

/// The loads of an engine, and their settings.
pub(super) struct Loads {
    pub(super) table: FairMutex<Table<EngineHost>>,
    pub(super) ready: Mutex<ReadyRequests>,
    pub(super) tier_progress: TierProgress,
    /// Counts the writes to the store, stored answers included. If it has changed since a fetch missed in the store, the fetch looks again.
    epoch: AtomicU64,
    /// The settings of a fetch that states none.
    pub(super) fetch_settings: Arc<FetchSettings>,
    /// The settings of a refresh that states none: the urgency of fetches does not apply to it.
    pub(super) refresh_settings: Arc<FetchSettings>,
}

impl Loads {
    /// Creates the loads of an engine. The table uses the store's hasher, so that the hash of a requested key also serves to store its
    /// answer.
    pub(super) fn new(host: EngineHost, settings: &Settings, hooks: &Hooks, store: &Store) -> Loads {
        let mut table = Table::with_hasher(host, settings, store.hasher().clone());
        if let Some((_, abilities)) = &hooks.second_tier {
            table.use_second_tier(&settings.second_tier, *abilities);
        }
        Loads {
            table: FairMutex::new(table),
            tier_progress: TierProgress::default(),
            ready: Mutex::default(),
            epoch: AtomicU64::new(0),
            fetch_settings: Arc::new(settings.fetch.clone()),
            refresh_settings: Arc::new(FetchSettings { urgency: None, ..settings.fetch.clone() }),
        }
    }

    /// Records that the store was written. Called only under the table's lock, so that no atomic addition is needed. A fetch that sees the
    /// new epoch sees the write too.
    #[inline]
    pub(super) fn note_written(&self) {
        self.epoch.store(self.epoch.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// The epoch to compare with later.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}
