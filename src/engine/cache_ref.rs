//! The reference to a cache that callers hold. The library holds the core for short times too: the timer while it checks for due entries,
//! and removals until they are reported. Therefore callers' references are counted separately, and the threads of a cache without an engine
//! end when its caller drops the last of these, not when some thread drops the last reference to the core.

use super::lifecycle::LifeStage;
use super::{Core, Threads};
use crate::base::process::{Generation, HasGeneration};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

/// A counted reference to a cache.
pub struct CacheRef(Arc<Core>);

impl CacheRef {
    /// Adds a counted reference.
    pub fn new(core: Arc<Core>) -> CacheRef {
        core.life.add_holder();
        CacheRef(core)
    }

    /// Turns the reference into a pointer, for [`CacheRef::of_counted`].
    pub fn into_raw(self) -> *const Core {
        Arc::as_ptr(&ManuallyDrop::new(self).0)
    }

    /// Restores a reference that [`CacheRef::into_raw`] has turned into a pointer, without counting it again.
    pub fn of_counted(core: Arc<Core>) -> CacheRef {
        CacheRef(core)
    }

    /// A reference that keeps the core in memory during a call, and is not counted.
    pub fn core(&self) -> Arc<Core> {
        self.0.clone()
    }
}

impl Clone for CacheRef {
    fn clone(&self) -> CacheRef {
        CacheRef::new(self.core())
    }
}

impl HasGeneration for CacheRef {
    #[inline]
    fn generation(&self) -> Generation {
        self.0.generation()
    }
}

impl Deref for CacheRef {
    type Target = Core;
    fn deref(&self) -> &Core {
        &self.0
    }
}

impl Drop for CacheRef {
    fn drop(&mut self) {
        self.0.pins.give(&self.0);
        if self.0.life.remove_holder() && !self.0.is_engine() {
            self.0.retire();
        }
    }
}

impl Core {
    /// Ends the cache's own threads after the last counted reference was dropped. They are joined where that is allowed and no host code
    /// runs on them; a shared runtime is left running. The entries are dropped with the last reference to the core, and not reported to the
    /// listener.
    fn retire(&self) {
        self.life.advance(LifeStage::Over);
        self.end_alarm();
        match &self.threads {
            Threads::Own(_) => self.running().into_iter().for_each(|runtime| runtime.stop_if_idle()),
            Threads::Shared(runtime) => self.leave(runtime),
        }
        self.unroute();
    }
}
