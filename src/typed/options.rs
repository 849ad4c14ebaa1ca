//! The options of one fetch: settings that override those of the engine.

use super::error::FetchError;
use super::setting::IntoSetting;
use crate::base::Status;
use crate::base::config::{Draft, FetchRefusal, FetchSettings, Input, Scope};
use std::sync::Arc;

/// Settings for single calls, in place of the engine's. Those that `docs/CONFIGURATION.md` marks *per fetch* can be set; for each that is not
/// set, the engine's applies.
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
#[derive(Clone, Debug)]
#[must_use = "options have no effect before they are passed to a call"]
pub struct FetchOptions(Draft);

impl Default for FetchOptions {
    fn default() -> FetchOptions {
        FetchOptions::new()
    }
}

impl FetchOptions {
    /// Options that set nothing.
    pub fn new() -> FetchOptions {
        FetchOptions(Draft::new(Scope::Fetch))
    }

    /// Sets one setting by its name in `docs/CONFIGURATION.md`. If the name or the value is refused, calls with these options fail with
    /// [`super::ErrorKind::BadSetting`], and their error describes it.
    pub fn set(mut self, name: &str, value: impl IntoSetting) -> FetchOptions {
        // The draft remembers the first refused setting.
        let _ = self.0.set(name, Input::Text(&value.to_text(name)));
        self
    }

    /// The settings of a call with these options, in place of `base`.
    pub(super) fn over(&self, base: &FetchSettings) -> Result<Arc<FetchSettings>, FetchError> {
        self.0.for_fetch(base).map(Arc::new).map_err(|refusal| {
            let sentence = match refusal {
                FetchRefusal::Setting => self.0.problem().map(|problem| problem.to_string_lossy()).unwrap_or_default(),
                FetchRefusal::Contradiction(sentence) => sentence.to_string_lossy(),
            };
            FetchError::with_text(Status::ERR_BAD_VALUE, &sentence)
        })
    }
}
