//! Another process wrote keys: what this one knows of them is outdated (rule T05).

use super::Core;
use crate::base::Status;
use crate::base::panics::catch_panic;
use crate::task::STEP;
use crate::task::table::Write;

/// What becomes of an entry that is outdated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outdated {
    /// It is removed.
    Removed,
    /// It expires: it stays as a fallback for the length of its grace (rule R12).
    Expired,
}

impl Core {
    /// Another process wrote these keys: their entries leave, and their loads in progress are overtaken (rule F08). Only for engines. A step
    /// of the keys is one hold of the table's lock (rule S19).
    pub fn invalidate<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, fate: Outdated) -> Result<(), Status> {
        self.check_not_over()?;
        let mut keys = keys.peekable();
        let mut result = Ok(());
        while keys.peek().is_some() {
            let step = keys.by_ref().take(STEP);
            result = result.and(self.with_table(|table, turn| {
                let mut result = Ok(());
                for key in step {
                    let left = &mut *turn.store.left;
                    let ended = catch_panic(|| match fate {
                        Outdated::Removed => self.store.remove(key, &self.clock, left),
                        Outdated::Expired => self.store.expire(key, &self.clock, left),
                    });
                    turn.store.ends |= fate == Outdated::Expired && ended.is_ok_and(|was_alive| was_alive);
                    result = result.and(ended.map(|_| ()).map_err(|_| Status::ERR_PANIC));
                    self.loads().note_written();
                    table.written(key, Write::Removed, turn);
                }
                result
            }));
            self.loads().table.give_way();
        }
        result
    }

    /// Another process wrote any number of keys, or this one has lost track of what others wrote: everything is outdated.
    pub fn invalidate_all(&self, fate: Outdated) -> Result<(), Status> {
        match fate {
            Outdated::Removed => self.clear(),
            Outdated::Expired => self.expire_all(),
        }
    }
}
