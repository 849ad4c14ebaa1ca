//! All entries of a cache, one after the other (rule S18).

use super::Core;
use crate::base::{Key, Status};
use crate::cache::{Hit, Walk};

/// How far somebody has come who looks at all entries. It holds a page of keys, and neither a value nor a lock.
#[derive(Default)]
pub struct Entries {
    walk: Walk,
    /// What is left of the page, the next at the end.
    page: Vec<Key>,
}

impl Entries {
    /// The next entry as it is now; `None` after the last. Each key that has an entry all the time comes once. It is neither a use nor a lookup.
    pub fn next(&mut self, core: &Core) -> Result<Option<(Key, Hit)>, Status> {
        loop {
            while let Some(key) = self.page.pop() {
                // It may have left since the page was read.
                if let Some(hit) = core.peek(&key)? {
                    return Ok(Some((key, hit)));
                }
            }
            core.check_not_over()?;
            if !core.store.walk(&mut self.walk, &core.clock, &mut self.page) {
                // Not the memory of a page for the rest of its life.
                self.page = Vec::new();
                return Ok(None);
            }
            self.page.reverse();
        }
    }
}
