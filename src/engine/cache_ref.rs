//! A cache as its callers hold it. Others keep the core for moments too: a timer that looks whether something is due, removals
//! on their way to the listener. So holders are counted apart, and what a cache alone kept running ends with the last of them,
//! when its caller can see it, and not with the thread that happens to drop the last reference.

use super::lifecycle::LifeStage;
use super::{Core, Threads};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

/// One of those who hold a cache.
pub struct CacheRef(Arc<Core>);

impl CacheRef {
    /// One more who holds it.
    pub fn new(core: Arc<Core>) -> CacheRef {
        core.life.holder_comes();
        CacheRef(core)
    }

    /// Gives the hold up as a pointer, for [`CacheRef::of_counted`].
    pub fn into_raw(self) -> *const Core {
        Arc::as_ptr(&ManuallyDrop::new(self).0)
    }

    /// Takes back the reference behind [`CacheRef::into_raw`]'s pointer, which counts as a holder already.
    pub fn of_counted(core: Arc<Core>) -> CacheRef {
        CacheRef(core)
    }

    /// A reference that keeps the core in memory through a call, and holds nothing else.
    pub fn core(&self) -> Arc<Core> {
        self.0.clone()
    }
}

impl Clone for CacheRef {
    fn clone(&self) -> CacheRef {
        CacheRef::new(self.core())
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
        if self.0.life.last_holder_goes() && !self.0.is_engine() {
            self.0.retire();
        }
    }
}

impl Core {
    /// Nobody holds this cache any more: its threads end, and are waited for where that is allowed and nothing of the host's
    /// runs on them; those of others it leaves. What is in it goes with the last reference, and none of that is reported to the listener.
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
