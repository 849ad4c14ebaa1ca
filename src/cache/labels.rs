//! The labels of a shard's entries: their versions and tags (rules R06, R11). Also finds the entries with a tag. A shard in which no entry
//! has labels has no such index.
//!
//! Trees rather than hash tables: a hash table that grows moves all of its elements in one hold of the shard's lock (rule S19).

use super::slab::Place;
use crate::base::{KeyHasher, Labels};
use std::collections::{BTreeMap, BTreeSet};

/// What the labels of an entry take besides their own bytes, in bytes: a node of the tree, and the header of their block.
const LABELS_COST: u64 = 48;

/// The memory of the index for each tag, in bytes.
const TAG_COST: u64 = 24;

/// The part of an entry's cost that its labels cause, in bytes.
pub(super) fn labels_cost(labels: Option<&Labels>) -> u64 {
    labels.map_or(0, |labels| LABELS_COST + labels.packed().len() as u64 + TAG_COST * labels.tags().count() as u64)
}

/// The labels by place, and the places by tag.
#[derive(Default)]
pub(super) struct LabelIndex {
    labels: BTreeMap<u32, Labels>,
    /// The hash of each tag, with the place of an entry that has the tag.
    tagged: BTreeSet<(u64, u32)>,
}

impl LabelIndex {
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The labels of the entry at `place`.
    pub fn of(&self, place: Place) -> Option<&Labels> {
        self.labels.get(&place.number())
    }

    /// Adds the labels of the entry at `place`.
    pub fn enter(&mut self, place: Place, labels: Labels, hasher: &KeyHasher) {
        self.tagged.extend(labels.tags().map(|tag| (hasher.hash(tag), place.number())));
        self.labels.insert(place.number(), labels);
    }

    /// Removes and returns the labels of the entry at `place`.
    pub fn leave(&mut self, place: Place, hasher: &KeyHasher) -> Option<Labels> {
        let labels = self.labels.remove(&place.number())?;
        for tag in labels.tags() {
            self.tagged.remove(&(hasher.hash(tag), place.number()));
        }
        Some(labels)
    }

    /// The first entry with this tag whose place has at least the number `from`. Skips entries with another tag of the same hash.
    pub fn next_with(&self, tag: &[u8], from: u32, hasher: &KeyHasher) -> Option<Place> {
        let hash = hasher.hash(tag);
        let places = self.tagged.range((hash, from)..=(hash, u32::MAX)).map(|(_, number)| Place::of_number(*number));
        places.into_iter().find(|place| self.of(*place).is_some_and(|labels| labels.tags().any(|other| other == tag)))
    }
}
