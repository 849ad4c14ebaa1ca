//! Invalidates keys that another process has changed (rule T05).

use super::Core;
use crate::base::key::KEY_MAX;
use crate::base::panics::catch_panic;
use crate::base::{Millis, Status};
use crate::task::STEP;
use crate::task::table::Write;

/// The origin of a write. Writes of this process are also passed on to the second tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Writer {
    ThisProcess,
    AnotherProcess,
}

/// What happens to the entry of an invalidated key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outdated {
    /// It is removed.
    Removed,
    /// It expires: it stays as a fallback for the length of its grace (rule R12).
    Expired,
}

impl Core {
    /// Removes or expires the entries of these keys, and overtakes their loads in progress (rule F08). Only for the cache of an engine,
    /// which has a table of loads. One hold of the table's lock handles [`STEP`] keys (rule S19).
    pub fn invalidate<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, fate: Outdated) -> Result<(), Status> {
        self.check_not_over()?;
        let mut keys = keys.filter(|key| key.len() <= KEY_MAX).peekable();
        let mut result = Ok(());
        while keys.peek().is_some() {
            let step = keys.by_ref().take(STEP);
            result = result.and(self.with_table(|table, cx| {
                let mut result = Ok(());
                for key in step {
                    let left = &mut *cx.store.left;
                    let ended = catch_panic(|| match fate {
                        Outdated::Removed => self.store.remove(key, &self.clock, left),
                        Outdated::Expired => self.store.expire(key, &self.clock, left),
                    });
                    if fate == Outdated::Expired && ended.is_ok_and(|was_alive| was_alive) {
                        // The entry's grace begins. Its end is not known here, so 0 makes the timer look for it at once.
                        cx.store.ends = Millis::default();
                    }
                    result = result.and(ended.map(|_| ()).map_err(|_| Status::ERR_PANIC));
                    self.loads().note_written();
                    // For loads an expiry is like a removal.
                    table.written(key, Write::Removed, cx);
                }
                result
            }));
            self.loads().table.give_way();
        }
        result
    }

    /// Invalidates all keys, for example because notifications of changes may have been lost.
    pub fn invalidate_all(&self, fate: Outdated) -> Result<(), Status> {
        let ended = self.overtaking_all(Writer::AnotherProcess, |left| match fate {
            Outdated::Removed => self.store.clear(&self.clock, left),
            Outdated::Expired => self.store.expire_all(&self.clock, left),
        });
        self.store_due();
        ended
    }
}
