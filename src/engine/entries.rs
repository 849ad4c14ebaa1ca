//! Iterates over all entries of a cache (rule S18).

use super::Core;
use crate::base::{Key, Status};
use crate::cache::{Hit, Walk};

/// An iteration over all entries. It holds a page of keys, but no value and no lock.
#[derive(Default)]
pub struct Entries {
    walk: Walk,
    /// The rest of the page, the next key last.
    page: Vec<Key>,
}

impl Entries {
    /// Returns the next entry as it is now; `None` after the last. Each key that has an entry throughout is visited once. Counts neither a
    /// use nor a lookup.
    pub fn next(&mut self, core: &Core) -> Result<Option<(Key, Hit)>, Status> {
        loop {
            while let Some(key) = self.page.pop() {
                // The entry may have left since the page was read.
                if let Some(hit) = core.peek(&key)? {
                    return Ok(Some((key, hit)));
                }
            }
            core.check_not_over()?;
            if !core.store.walk(&mut self.walk, &core.clock, &mut self.page) {
                // Frees the page.
                self.page = Vec::new();
                return Ok(None);
            }
            self.page.reverse();
        }
    }
}
