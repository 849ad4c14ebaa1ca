//! Tags that the program removed while requests were with the provider (rule R11). An answer to one of those requests is not stored if it
//! carries one of these tags.

use crate::base::Labels;
use std::collections::BTreeMap;

/// The most tags that are remembered one by one.
const MOST: usize = 256;

/// For each removed tag, the number of the last attempt that had begun before the removal.
#[derive(Default)]
pub struct RemovedTags {
    by_tag: BTreeMap<Box<[u8]>, u64>,
    /// The same number for every tag, once there were too many tags to remember one by one; 0 before that.
    any: u64,
}

impl RemovedTags {
    /// Records the removal of `tag`. `last` is the number of the youngest attempt, `oldest` the number of the oldest attempt that has not
    /// ended.
    pub fn note(&mut self, tag: &[u8], last: u64, oldest: u64) {
        self.by_tag.retain(|_, removed_at| *removed_at >= oldest);
        if self.by_tag.len() >= MOST {
            self.by_tag.clear();
            self.any = last;
        } else {
            self.by_tag.insert(tag.into(), last);
        }
    }

    /// Forgets all tags, because no attempt is running.
    pub fn clear(&mut self) {
        self.by_tag.clear();
    }

    /// Whether one of the tags in `labels` was removed after this attempt began.
    pub fn include_any_of(&self, labels: &Labels, attempt: u64) -> bool {
        let is_removed = |tag: &[u8]| attempt <= self.any || self.by_tag.get(tag).is_some_and(|removed_at| attempt <= *removed_at);
        labels.tags().any(is_removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tags: &[&str]) -> Labels {
        Labels::new(b"", tags.iter().map(|tag| tag.as_bytes())).expect("good").expect("some")
    }

    #[test]
    fn r11_the_removal_of_a_tag_covers_earlier_attempts_and_no_later_ones() {
        let mut removed = RemovedTags::default();
        removed.note(b"a", 5, 3);
        for (tags, attempt, covered) in [(&["a"][..], 5, true), (&["b", "a"], 3, true), (&["a"], 6, false), (&["b"], 3, false)] {
            assert_eq!(removed.include_any_of(&tagged(tags), attempt), covered, "{tags:?} of {attempt}");
        }
        removed.clear();
        assert!(!removed.include_any_of(&tagged(&["a"]), 1));
    }

    #[test]
    fn r11_the_list_of_removed_tags_is_bounded_and_still_covers_every_removal() {
        let mut removed = RemovedTags::default();
        for nth in 0..10_000_u64 {
            removed.note(format!("tag {nth}").as_bytes(), nth + 1, 1);
            assert!(removed.by_tag.len() <= MOST);
        }
        for nth in (0..10_000_u64).step_by(97) {
            assert!(removed.include_any_of(&tagged(&[&format!("tag {nth}")]), nth.min(1)), "{nth}");
        }
        // A removal before the oldest running attempt is forgotten.
        removed.note(b"last", 20_000, 20_000);
        assert_eq!(removed.by_tag.len(), 1);
    }
}
