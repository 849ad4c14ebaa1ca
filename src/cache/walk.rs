//! Walking over all entries, a page at a time, while others change the store (rule S18).
//!
//! The walk goes by hash: shard after shard, as their numbers rise with the hash's middle bits, and inside a shard by the bits that its
//! index is ordered by. A key's hash never changes, whatever is stored, replaced or removed and however the index grows, so a key that
//! has an entry throughout is met exactly once. Between two pages no lock is held, and the walk remembers only how far it has come.

use super::shard::Shard;
use super::store::Store;
use crate::base::{Clock, Key, Millis};

/// How many keys a page has, more or less: as many as lie in the buckets that are looked at.
pub(super) const PAGE: usize = 64;

/// Hashes that are yet to be walked: those whose middle bits lie between `first` and `last`, and whose low bits are not below `from`.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u32,
    last: u32,
    from: u32,
}

/// How far a walk has come.
#[derive(Debug)]
pub struct Walk {
    /// What is yet to come, the next at the end. There are never more than a few.
    rest: Vec<Range>,
}

impl Default for Walk {
    fn default() -> Walk {
        Walk::new()
    }
}

impl Walk {
    /// A walk that has yet to begin.
    pub fn new() -> Walk {
        Walk { rest: vec![Range { first: 0, last: u32::MAX, from: 0 }] }
    }
}

impl Store {
    /// Appends the keys of the next page to `keys`: those whose entries are alive, which may be none. Says whether there was a page.
    /// It is no use of the entries.
    pub fn walk(&self, walk: &mut Walk, clock: &Clock, keys: &mut Vec<Key>) -> bool {
        let Some(mut range) = walk.rest.pop() else { return false };
        let (cell, last) = self.cell_from(range.first);
        if last < range.last {
            walk.rest.push(Range { first: last + 1, ..range });
            range.last = last;
        }
        let now = clock.millis();
        let next = cell.read(self.sink(), |shard| {
            shard.walk(range.from, now, |hash, key| {
                if (range.first..=range.last).contains(&Store::middle_of(hash)) {
                    keys.push(Key::new(key));
                }
            })
        });
        walk.rest.extend(next.map(|from| Range { from, ..range }));
        true
    }
}

impl Shard {
    /// Shows the keys of the next page of live entries, in the order of their hashes' low bits, and says where the page after it begins.
    fn walk(&self, from: u32, now: Millis, mut show: impl FnMut(u64, &[u8])) -> Option<u32> {
        self.places(from, PAGE, |place| {
            if let Some((hash, key)) = self.live_at(place, now) {
                show(hash, key);
            }
        })
    }
}
