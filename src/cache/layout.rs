//! Maps hashes to shards, also while the number of shards changes (rule S02a).
//!
//! Shards are numbered in ascending order of the middle bits of their hashes. When their number changes, entries move group by group: a
//! group is the smallest range of hashes that consists of whole shards both before and after. If the number shrinks, groups move in
//! ascending order, otherwise in descending order, so that no shard serves two groups at the same time. One number, the *boundary*,
//! separates the groups that have moved from the others.

use crate::base::hint::rarely;

/// The maximum number of shards.
pub(super) const MOST_SHARDS: usize = u16::MAX as usize;

/// How hashes are divided among shards. It fits into a [`LayoutWord`], which is read and written atomically.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    /// The number of shards before the change; applies to hashes that have not moved.
    before: u16,
    /// The number of shards after the change; applies to hashes that have moved.
    after: u16,
    boundary: u32,
}

/// One step of a change: a range of hashes, by their middle bits, and the shards that it affects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct MoveGroup {
    first: u32,
    last: u32,
    /// The shards that contain its entries before the step.
    pub sources: std::ops::Range<usize>,
    /// The shards that contain them after the step.
    pub targets: std::ops::Range<usize>,
}

/// A layout as one word. While the number of shards is not being changed, the word is that number. So a lookup finds its shard with one
/// multiplication, and checks with one comparison that the layout has not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LayoutWord(pub u64);

impl LayoutWord {
    /// Like [`Layout::index`], and fast while the number of shards is not being changed.
    #[inline(always)]
    pub fn index(self, middle: u32) -> usize {
        if rarely(self.0 > MOST_SHARDS as u64) { self.index_while_changing(middle) } else { ((u64::from(middle) * self.0) >> 32) as usize }
    }

    #[cold]
    #[inline(never)]
    fn index_while_changing(self, middle: u32) -> usize {
        Layout::of_word(self).index(middle)
    }
}

fn divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// Returns the lowest middle bits of part `index` of `parts`.
fn start(index: usize, parts: usize) -> u64 {
    ((index as u64) << 32).div_ceil(parts as u64)
}

impl Layout {
    /// Creates a layout with this number of shards, at most [`MOST_SHARDS`].
    pub fn of(shards: usize) -> Layout {
        let shards = shards.clamp(1, MOST_SHARDS) as u16;
        Layout { before: shards, after: shards, boundary: 0 }
    }

    pub fn of_word(LayoutWord(word): LayoutWord) -> Layout {
        let after = word as u16;
        Layout { before: (word >> 48) as u16 ^ after, after, boundary: (word >> 16) as u32 }
    }

    pub fn word(self) -> LayoutWord {
        LayoutWord(u64::from(self.before ^ self.after) << 48 | u64::from(self.boundary) << 16 | u64::from(self.after))
    }

    /// The number of shards; during a change, the new number.
    pub fn shards(self) -> usize {
        usize::from(self.after)
    }

    /// Whether entries are being moved.
    pub fn is_changing(self) -> bool {
        self.before != self.after
    }

    fn has_moved(self, middle: u32) -> bool {
        if self.after < self.before { middle < self.boundary } else { middle > self.boundary }
    }

    fn parts(self, middle: u32) -> u64 {
        u64::from(if self.is_changing() && !self.has_moved(middle) { self.before } else { self.after })
    }

    /// Returns the shard of hashes with these middle bits.
    pub fn index(self, middle: u32) -> usize {
        ((u64::from(middle) * self.parts(middle)) >> 32) as usize
    }

    /// Returns the last of the consecutive middle bits, from `middle` on, that belong to the same shard.
    pub fn last_beside(self, middle: u32) -> u32 {
        let last = (start(self.index(middle) + 1, self.parts(middle) as usize) - 1) as u32;
        match (self.after < self.before, self.has_moved(middle)) {
            _ if !self.is_changing() => last,
            (true, true) => last.min(self.boundary - 1),
            (false, false) => last.min(self.boundary),
            _ => last,
        }
    }

    /// Begins a change to this number of shards.
    pub fn begin(self, shards: usize) -> Layout {
        let after = Layout::of(shards).after;
        Layout { before: self.after, after, boundary: if after < self.after { 0 } else { u32::MAX } }
    }

    /// Returns the next group to move. Call only during a change.
    pub fn next_group(self) -> MoveGroup {
        let (before, after) = (usize::from(self.before), usize::from(self.after));
        let groups = divisor(before, after);
        let number = ((u64::from(self.boundary) * groups as u64) >> 32) as usize;
        let parts = |shards: usize| number * (shards / groups)..(number + 1) * (shards / groups);
        let (first, last) = (start(number, groups) as u32, (start(number + 1, groups) - 1) as u32);
        MoveGroup { first, last, sources: parts(before), targets: parts(after) }
    }

    /// Returns the layout after the group has moved.
    pub fn moved(self, group: &MoveGroup) -> Layout {
        let boundary = if self.after < self.before { group.last.checked_add(1) } else { group.first.checked_sub(1) };
        boundary.map_or(Layout::of(self.shards()), |boundary| Layout { boundary, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: [u32; 9] = [0, 1, 0x3fff_ffff, 0x4000_0000, 0x5555_5555, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX];

    /// Every hash is in a source shard of its group before the group moves, and in a target shard after it. No shard serves two groups.
    #[test]
    fn s02a_groups_move_one_by_one_and_share_no_shard() {
        for (before, after) in [(64, 8), (8, 64), (64, 1), (1, 64), (7, 3), (3, 7), (6, 4), (4, 6), (2, 1), (1, 2)] {
            let mut layout = Layout::of(before).begin(after);
            let mut groups = 0;
            assert!(SOME.iter().all(|middle| layout.index(*middle) == Layout::of(before).index(*middle)));
            while layout.is_changing() {
                assert_eq!(Layout::of_word(layout.word()), layout);
                assert!(SOME.iter().all(|middle| layout.word().index(*middle) == layout.index(*middle)));
                let group = layout.next_group();
                let next = layout.moved(&group);
                for middle in SOME {
                    if (group.first..=group.last).contains(&middle) {
                        assert!(group.sources.contains(&layout.index(middle)), "{before} to {after}: {middle}");
                        assert!(group.targets.contains(&next.index(middle)), "{before} to {after}: {middle}");
                        assert_eq!(next.index(middle), Layout::of(after).index(middle));
                    } else {
                        assert_eq!(layout.index(middle), next.index(middle), "{before} to {after}: {middle} is not in the group");
                        assert!(!group.targets.contains(&next.index(middle)), "{before} to {after}: a shard for two groups");
                    }
                    // The next middle bits belong to another shard, if there are any.
                    let last = layout.last_beside(middle);
                    assert!(last >= middle && layout.index(last) == layout.index(middle));
                    assert!(last == u32::MAX || layout.index(last + 1) != layout.index(middle));
                }
                (layout, groups) = (next, groups + 1);
            }
            assert_eq!((layout, groups), (Layout::of(after), divisor(before, after)));
            assert_eq!(layout.word(), LayoutWord(after as u64), "without a change, the word is the number of shards");
            assert!(SOME.iter().all(|middle| layout.word().index(*middle) == layout.index(*middle)));
        }
    }
}
