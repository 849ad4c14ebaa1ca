//! Maps hashes to shards, also while the number of shards changes (rule S02a).
//!
//! Shards are numbered in ascending order of the middle bits of their hashes. When their number changes, entries move group by group: a
//! group is the smallest range of hashes that consists of whole shards both before and after. If the number shrinks, groups move in
//! ascending order, otherwise in descending order, so that no shard serves two groups at the same time. One number, the *boundary*,
//! separates the groups that have begun to move from the others. The keys of a group belong to its new shards as soon as it begins to
//! move; `store/moving.rs` brings their entries there.

use crate::base::hint::rarely;

/// The maximum number of shards.
pub(super) const MOST_SHARDS: usize = u16::MAX as usize;

/// How hashes are divided among shards. It fits into a [`LayoutWord`], which is read and written atomically.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    /// The number of shards before the change. Applies to hashes whose group has not begun to move.
    before: u16,
    /// The number of shards after the change. Applies to hashes whose group has begun to move.
    after: u16,
    boundary: u32,
}

/// A part of a change: a range of hashes, by their middle bits, and the shards that it affects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct MoveGroup {
    first: u32,
    last: u32,
    /// The shards that contain its entries before it moves.
    pub sources: std::ops::Range<usize>,
    /// The shards that contain them afterwards.
    pub targets: std::ops::Range<usize>,
}

/// A layout as one word. While the number of shards is not being changed, the word is that number. So a lookup finds its shard with one
/// multiplication, and checks with one comparison that the layout has not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LayoutWord(pub u64);

impl LayoutWord {
    /// Whether the number of shards is being changed.
    #[inline(always)]
    pub fn is_changing(self) -> bool {
        self.0 > MOST_SHARDS as u64
    }

    /// Like [`Layout::index`], and fast while the number of shards is not being changed.
    #[inline(always)]
    pub fn index(self, middle: u32) -> usize {
        if rarely(self.is_changing()) { self.index_while_changing(middle) } else { ((u64::from(middle) * self.0) >> 32) as usize }
    }

    /// Like [`LayoutWord::index`]; `None` while the number of shards is being changed, when an entry may be in neither shard.
    #[inline(always)]
    pub fn index_if_still(self, middle: u32) -> Option<usize> {
        if rarely(self.is_changing()) {
            return None;
        }
        Some(((u64::from(middle) * self.0) >> 32) as usize)
    }

    #[cold]
    #[inline(never)]
    fn index_while_changing(self, middle: u32) -> usize {
        Layout::of_word(self).index(middle)
    }
}

fn common_divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { common_divisor(other, one % other) }
}

/// Divides all middle bits into `parts` equal ranges, and returns the first of range `index`.
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

    fn shrinks(self) -> bool {
        self.after < self.before
    }

    /// The boundary before the first group begins to move; its complement is the boundary when all have begun. No other boundary has one
    /// of these two values, because each group is a range of more than 2^16 values.
    fn first_boundary(self) -> u32 {
        if self.shrinks() { 0 } else { u32::MAX }
    }

    /// Whether all groups have begun to move.
    pub fn has_begun_all(self) -> bool {
        self.is_changing() && self.boundary == !self.first_boundary()
    }

    fn has_begun(self, middle: u32) -> bool {
        self.has_begun_all() || if self.shrinks() { middle < self.boundary } else { middle > self.boundary }
    }

    fn groups(self) -> usize {
        common_divisor(usize::from(self.before), usize::from(self.after))
    }

    fn group_of(self, middle: u32) -> usize {
        ((u64::from(middle) * self.groups() as u64) >> 32) as usize
    }

    /// Whether hashes with these middle bits belong to the group that has begun to move last.
    pub fn is_in_last_begun(self, middle: u32) -> bool {
        if !self.is_changing() || self.boundary == self.first_boundary() {
            return false;
        }
        let last = match (self.shrinks(), self.has_begun_all()) {
            (true, true) => self.groups() - 1,
            (true, false) => self.group_of(self.boundary - 1),
            (false, true) => 0,
            (false, false) => self.group_of(self.boundary + 1),
        };
        self.group_of(middle) == last
    }

    fn shards_for(self, middle: u32) -> u64 {
        u64::from(if self.is_changing() && !self.has_begun(middle) { self.before } else { self.after })
    }

    /// Returns the shard of hashes with these middle bits.
    pub fn index(self, middle: u32) -> usize {
        ((u64::from(middle) * self.shards_for(middle)) >> 32) as usize
    }

    /// Returns the last of the consecutive middle bits, from `middle` on, that belong to the same shard.
    pub fn last_beside(self, middle: u32) -> u32 {
        let last = (start(self.index(middle) + 1, self.shards_for(middle) as usize) - 1) as u32;
        match (self.shrinks(), self.has_begun(middle)) {
            _ if !self.is_changing() || self.has_begun_all() => last,
            (true, true) => last.min(self.boundary - 1),
            (false, false) => last.min(self.boundary),
            _ => last,
        }
    }

    /// Begins a change to this number of shards.
    pub fn begin(self, shards: usize) -> Layout {
        let layout = Layout { before: self.after, ..Layout::of(shards) };
        Layout { boundary: layout.first_boundary(), ..layout }
    }

    /// Returns the next group to move. Call only during a change in which not all groups have begun.
    pub fn next_group(self) -> MoveGroup {
        let (before, after, groups) = (usize::from(self.before), usize::from(self.after), self.groups());
        let number = self.group_of(self.boundary);
        let parts = |shards: usize| number * (shards / groups)..(number + 1) * (shards / groups);
        let (first, last) = (start(number, groups) as u32, (start(number + 1, groups) - 1) as u32);
        MoveGroup { first, last, sources: parts(before), targets: parts(after) }
    }

    /// Returns the layout once the group has begun to move. Even after the last group, the change goes on until [`Layout::ended`].
    pub fn with_begun(self, group: &MoveGroup) -> Layout {
        let boundary = if self.shrinks() { group.last.checked_add(1) } else { group.first.checked_sub(1) };
        Layout { boundary: boundary.unwrap_or(!self.first_boundary()), ..self }
    }

    /// Returns the layout after the change.
    pub fn ended(self) -> Layout {
        Layout::of(self.shards())
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
            assert!(SOME.iter().all(|middle| !layout.is_in_last_begun(*middle)), "none has begun");
            while !layout.has_begun_all() {
                assert!(layout.is_changing() && layout.word().is_changing());
                assert_eq!(Layout::of_word(layout.word()), layout);
                assert!(SOME.iter().all(|middle| layout.word().index(*middle) == layout.index(*middle)));
                let group = layout.next_group();
                let next = layout.with_begun(&group);
                for middle in SOME {
                    assert_eq!(
                        next.is_in_last_begun(middle),
                        (group.first..=group.last).contains(&middle),
                        "{before} to {after}: {middle}"
                    );
                    let last = next.last_beside(middle);
                    assert!(last >= middle && next.index(last) == next.index(middle));
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
            assert!(layout.word().is_changing(), "the last group has begun, and has not arrived");
            assert_eq!(Layout::of_word(layout.word()), layout);
            assert!(SOME.iter().all(|middle| layout.index(*middle) == Layout::of(after).index(*middle)));
            let layout = layout.ended();
            assert_eq!((layout, groups), (Layout::of(after), common_divisor(before, after)));
            assert_eq!(layout.word(), LayoutWord(after as u64), "without a change, the word is the number of shards");
            assert!(SOME.iter().all(|middle| layout.word().index(*middle) == layout.index(*middle)));
        }
    }
}
