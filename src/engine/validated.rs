//! Lookups that run no host code except the validator.

use super::Core;
use crate::base::hint::rarely;
use crate::base::panics::catch_panic;
use crate::base::process::ThreadState;
use crate::base::{Answer, Status};
use crate::runtime::hooks::call_host_on;

impl Core {
    /// Whether a lookup can be made by [`Core::look_up_validated`].
    #[inline]
    pub fn only_validates(&self) -> bool {
        self.only_validates && !self.life.is_over()
    }

    /// A lookup that runs no host code except the validator. Does not panic, and so needs no guard. `see` runs under a lock: it
    /// may copy bytes and do nothing else. `thread` is the state of the current thread.
    #[inline(always)]
    pub fn look_up_validated(&self, thread: &ThreadState, key: &[u8], see: impl FnOnce(&Answer) -> Status) -> Status {
        let is_valid =
            self.hooks.validator.as_ref().is_none_or(|validator| call_host_on(thread, || validator.is_valid(key)).unwrap_or(false));
        if rarely(!is_valid) {
            self.store.count_invalid_key();
            return Status::INVALID_KEY;
        }
        let mut see = Some(see);
        let mut see_once = |answer: &Answer| see.take().map_or(Status::ERR_PANIC, |see| see(answer));
        match self.store.try_lookup_fast(key, &self.clock, &mut see_once) {
            Some(seen) => seen.unwrap_or(Status::MISS),
            None => self.look_up_guarded(key, &mut see_once),
        }
    }

    #[inline(never)]
    fn look_up_guarded(&self, key: &[u8], see: &mut dyn FnMut(&Answer) -> Status) -> Status {
        catch_panic(|| self.store.lookup_with(key, &self.clock, see)).map_or(Status::ERR_PANIC, |seen| seen.unwrap_or(Status::MISS))
    }
}
