//! The options of one fetch: settings that override those of the engine.

use super::error::FetchError;
use super::setting::IntoSetting;
use crate::base::Status;
use crate::base::config::{Draft, FetchRefusal, FetchSettings, Input, Scope};
use std::fmt;
use std::sync::Arc;

/// Settings for single calls. Those that `docs/CONFIGURATION.md` marks *per fetch* can be set. For the settings that these options do not
/// set, the engine's values apply.
///
/// ```
/// # use kvlight::{FetchError, FetchOptions, Tasks};
/// # use std::{collections::HashMap, time::Duration};
/// # fn main() -> Result<(), FetchError> {
/// # let tasks: Tasks<String, u64> = Tasks::builder().load(|_: &[String]| Ok::<_, std::io::Error>(HashMap::new())).build()?;
/// let impatient = FetchOptions::new()
///     .set("timeout_ms", Duration::from_secs(2))
///     // With an expired value at hand, wait no longer than this for a newer one.
///     .set("stale.timeout_ms", Duration::from_millis(50))
///     .set("retry.count", 3);
/// tasks.fetch_wait_with("key", &impatient)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "options have no effect before they are passed to a call"]
pub struct FetchOptions {
    draft: Draft,
    progress: Option<ProgressReport>,
}

/// The progress of a fetch of several keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchProgress {
    /// How many positions in the list of keys are settled.
    pub done: usize,
    /// How many of the settled positions have failed.
    pub failed: usize,
    /// How many positions there are.
    pub total: usize,
}

/// A function that receives the progress each time that `step` more positions are settled.
#[derive(Clone)]
pub(super) struct ProgressReport {
    pub step: usize,
    pub function: Arc<dyn Fn(FetchProgress) + Send + Sync>,
}

/// The options of one call, checked.
#[derive(Default)]
pub(super) struct CallOptions {
    /// `None`: the engine's.
    pub settings: Option<Arc<FetchSettings>>,
    pub progress: Option<ProgressReport>,
}

impl fmt::Debug for FetchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchOptions").field("draft", &self.draft).field("progress", &self.progress.is_some()).finish()
    }
}

impl Default for FetchOptions {
    fn default() -> FetchOptions {
        FetchOptions::new()
    }
}

impl FetchOptions {
    /// Options that set nothing.
    pub fn new() -> FetchOptions {
        FetchOptions { draft: Draft::new(Scope::Fetch), progress: None }
    }

    /// Sets one setting by its name in `docs/CONFIGURATION.md`. If the name or the value is refused, calls with these options fail with
    /// [`super::ErrorKind::BadSetting`], and their error describes it.
    pub fn set(mut self, name: &str, value: impl IntoSetting) -> FetchOptions {
        // The draft remembers the first refused setting.
        let _ = self.draft.set(name, Input::Text(&value.to_text(name)));
        self
    }

    /// Sets a function that receives the progress of a future: each time that `step` more positions are settled, and when all are. It runs
    /// on the dispatcher's thread, where no fetch of the engine can be waited for ([`super::Tasks::fetch`]). Steps that follow each other
    /// faster than that thread reports them are reported as one. The function is not called if the call itself finds everything in the cache. Calls that block report no progress.
    /// A step of 0 is taken as 1.
    pub fn on_progress(mut self, step: usize, report: impl Fn(FetchProgress) + Send + Sync + 'static) -> FetchOptions {
        self.progress = Some(ProgressReport { step: step.max(1), function: Arc::new(report) });
        self
    }

    /// The options of a future in an engine with the settings `base`.
    pub(super) fn for_call(&self, base: &FetchSettings) -> Result<CallOptions, FetchError> {
        Ok(CallOptions { settings: Some(self.over(base)?), progress: self.progress.clone() })
    }

    /// `base`, overridden by these options.
    pub(super) fn over(&self, base: &FetchSettings) -> Result<Arc<FetchSettings>, FetchError> {
        self.draft.for_fetch(base).map(Arc::new).map_err(|refusal| {
            let sentence = match refusal {
                FetchRefusal::Setting => self.draft.problem().map(|problem| problem.to_string_lossy()).unwrap_or_default(),
                FetchRefusal::Contradiction(sentence) => sentence.to_string_lossy(),
            };
            FetchError::with_text(Status::ERR_BAD_VALUE, &sentence)
        })
    }
}
