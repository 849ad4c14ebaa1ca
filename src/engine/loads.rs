//! What an engine has and a cache without a provider lacks: the table of loads, and what goes with it.

use super::providing::ReadyRequests;
use super::transition::EngineHost;
use crate::base::config::{FetchSettings, Settings};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::cache::Store;
use crate::task::Table;
use std::sync::Arc;

/// The loads of an engine.
pub(super) struct Loads {
    pub(super) table: Mutex<Table<EngineHost>>,
    pub(super) ready: Mutex<ReadyRequests>,
    /// Counts the stored answers and writes: a fetch that missed in the store knows by it whether to look again.
    epoch: AtomicU64,
    /// The settings of a fetch that states none of its own.
    pub(super) fetch_settings: Arc<FetchSettings>,
    /// The settings of a refresh that states none of its own: the urgency of fetches does not apply to it.
    pub(super) refresh_settings: Arc<FetchSettings>,
}

impl Loads {
    /// An engine's. Its table hashes as the store does: an answer is stored under the hash that its key was asked for by.
    pub(super) fn new(host: EngineHost, settings: &Settings, store: &Store) -> Loads {
        Loads {
            table: Mutex::new(Table::with_hasher(host, settings, store.hasher().clone())),
            ready: Mutex::default(),
            epoch: AtomicU64::new(0),
            fetch_settings: Arc::new(settings.fetch.clone()),
            refresh_settings: Arc::new(FetchSettings { urgency: None, ..settings.fetch.clone() }),
        }
    }

    /// The store was written. Only under the table's lock, so that a load and a store suffice; a fetch that sees the new epoch sees the
    /// write too.
    #[inline]
    pub(super) fn note_written(&self) {
        self.epoch.store(self.epoch.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// The epoch to compare with later.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}
