//! The settings of one call.

use crate::base::config::FetchSettings;
use std::sync::Arc;

/// The settings of a call: those of the engine, or a copy that the call's options have changed.
#[derive(Clone)]
pub enum CallSettings<'a> {
    /// Those of the engine.
    Engine(&'a Arc<FetchSettings>),
    /// The copy of this call.
    Own(Arc<FetchSettings>),
}

impl<'a> From<&'a Arc<FetchSettings>> for CallSettings<'a> {
    fn from(settings: &'a Arc<FetchSettings>) -> CallSettings<'a> {
        CallSettings::Engine(settings)
    }
}

impl From<Arc<FetchSettings>> for CallSettings<'_> {
    fn from(settings: Arc<FetchSettings>) -> Self {
        CallSettings::Own(settings)
    }
}

impl std::ops::Deref for CallSettings<'_> {
    type Target = Arc<FetchSettings>;
    #[inline]
    fn deref(&self) -> &Arc<FetchSettings> {
        match self {
            CallSettings::Engine(settings) => settings,
            CallSettings::Own(settings) => settings,
        }
    }
}
