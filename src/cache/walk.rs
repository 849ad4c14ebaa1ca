//! Walks over all entries, a page at a time, while other threads change the store (rule S18).
//!
//! The walk follows the order of hashes: shards are in the order of the middle bits of the hash, and the index of a shard is in the order
//! of the low bits. The hash of a key never changes, whatever is stored, replaced or removed and however the index grows. So a key that has
//! an entry throughout is visited exactly once. Between two pages no lock is held, and the walk keeps only its position.

use super::departure::Departures;
use super::shard::Shard;
use super::store::Store;
use crate::base::{Clock, Key, Millis};

/// The approximate number of keys in a page. Whole buckets are visited.
pub(super) const PAGE: usize = 64;

/// The hashes still to be visited: middle bits from `first` to `last`, low bits of at least `from`.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u32,
    last: u32,
    from: u32,
}

/// The position of a walk.
#[derive(Debug)]
pub struct Walk {
    /// The ranges still to be visited, the next one at the end. There are never more than a few.
    rest: Vec<Range>,
}

impl Default for Walk {
    fn default() -> Walk {
        Walk::new()
    }
}

impl Walk {
    /// A walk that starts at the beginning.
    pub fn new() -> Walk {
        Walk { rest: vec![Range { first: 0, last: u32::MAX, from: 0 }] }
    }
}

impl Store {
    /// Appends the keys of the live entries of the next page, possibly none, to `keys`. Returns false if there was no page left. Does not
    /// count as a use.
    pub fn walk(&self, walk: &mut Walk, clock: &Clock, keys: &mut Vec<Key>) -> bool {
        let Some(mut range) = walk.rest.pop() else { return false };
        let now = clock.millis();
        let next = loop {
            let layout = self.layout();
            // Departures from shards that a panic broke are dropped at the end of the statement, under no lock.
            self.end_move(&mut Departures::new());
            let last = layout.last_beside(range.first).min(range.last);
            let shard = &self.locked_shards()[layout.index(range.first)];
            // A thread that walks takes the lock of a shard again and again, also to read the entries of each page.
            shard.give_way();
            let page = shard.read_if(
                self.sink(),
                || self.layout() == layout,
                |shard| {
                    shard.walk(range.from, now, |hash, key| {
                        if (range.first..=last).contains(&Store::middle_of(hash)) {
                            keys.push(Key::new(key));
                        }
                    })
                },
            );
            if let Ok(next) = page {
                if last < range.last {
                    walk.rest.push(Range { first: last + 1, ..range });
                    range.last = last;
                }
                break next;
            }
        };
        walk.rest.extend(next.map(|from| Range { from, ..range }));
        true
    }
}

impl Shard {
    /// Calls `show` with the keys of the next page of live entries, in order of their home buckets. Returns where the next page begins.
    fn walk(&self, from: u32, now: Millis, mut show: impl FnMut(u64, &[u8])) -> Option<u32> {
        self.places(from, PAGE, |place| {
            if let Some((hash, key)) = self.live_at(place, now) {
                show(hash, key);
            }
        })
    }
}
