//! The order in which the positions of a very large fetch are processed: all positions of one key follow each other.
//!
//! If they did not, the load of the first position could end between two steps, and a later position would start another load of the same
//! key (rule F06).

use super::Probe;
use crate::base::{CallKeys, KeyHasher};

/// The hashes of the keys of one fetch, and the order in which its positions are processed.
pub struct AskOrder {
    /// In the order of the call.
    hashes: Vec<u64>,
    /// The positions in the order of processing. Empty if no key is listed twice: the order is then that of the call.
    places: Vec<OrderedPosition>,
}

/// A position, and whether it repeats the key of the place before it.
#[derive(Clone, Copy)]
struct OrderedPosition {
    position: u32,
    repeats: bool,
}

/// An empty list with memory for `count` items; `None` if there is not enough.
fn with_room_for<T>(count: usize) -> Option<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).ok()?;
    Some(list)
}

impl AskOrder {
    /// The order for these keys; `None` if there is no memory for it. `probes` has the result of each key's lookup. Takes linear time
    /// unless keys repeat, and must run without a lock. Keys that were found are hashed here, with the table's hasher.
    pub fn of(keys: &CallKeys<'_>, probes: &[Probe], hasher: &KeyHasher) -> Option<AskOrder> {
        let mut hashes = with_room_for(keys.len())?;
        hashes.extend(probes.iter().enumerate().map(|(position, probe)| match probe {
            Probe::Missed { hash } => *hash,
            Probe::Settled(_) => hasher.hash(&keys[position]),
        }));
        let repeated = repeated_positions(&hashes)?;
        if repeated.is_empty() {
            return Some(AskOrder { hashes, places: Vec::new() });
        }
        let (mut places, mut later) = (with_room_for(hashes.len())?, with_room_for(repeated.len())?);
        later.extend(repeated.iter().map(|(_, position)| *position));
        later.sort_unstable();
        let (mut repeated, mut later) = (repeated.into_iter().peekable(), later.into_iter().peekable());
        for position in 0..hashes.len() as u32 {
            if later.next_if_eq(&position).is_some() {
                continue;
            }
            places.push(OrderedPosition { position, repeats: false });
            while let Some((_, position)) = repeated.next_if(|(first, _)| *first == position) {
                places.push(OrderedPosition { position, repeats: true });
            }
        }
        Some(AskOrder { hashes, places })
    }

    /// The position at this place of the order.
    pub(super) fn position(&self, place: usize) -> u32 {
        self.places.get(place).map_or(place as u32, |at| at.position)
    }

    /// Whether the position at this place repeats the key of the place before it.
    pub(super) fn repeats(&self, place: usize) -> bool {
        self.places.get(place).is_some_and(|at| at.repeats)
    }

    /// Moves the hashes out, in ascending order. Can be called once.
    pub(super) fn take_sorted_hashes(&mut self) -> Vec<u64> {
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.sort_unstable();
        hashes
    }
}

/// Pairs of the first position of a key and a later position that repeats the key, in ascending order. Different keys of one hash count as
/// repeated, which does no harm. `None` if there is no memory.
fn repeated_positions(hashes: &[u64]) -> Option<Vec<(u32, u32)>> {
    // A bitmap stands for the set of hashes. A key whose bit is set already is a candidate: it repeats an earlier key, or shares its bit by
    // chance.
    let marks = (hashes.len() * 32).next_power_of_two().max(64) as u64;
    let word = |hash: u64| ((hash & (marks - 1)) >> 6) as usize;
    let bit = |hash: u64| 1_u64 << (hash & 63);
    let words = (marks / 64) as usize;
    let (mut seen, mut again) = (with_room_for(words)?, with_room_for(words)?);
    seen.resize(words, 0_u64);
    again.resize(words, 0_u64);
    let mut candidates = 0;
    for hash in hashes {
        let is_seen = seen[word(*hash)] & bit(*hash);
        again[word(*hash)] |= is_seen;
        candidates += usize::from(is_seen != 0);
        seen[word(*hash)] |= bit(*hash);
    }
    if candidates == 0 {
        return Some(Vec::new());
    }
    // Each candidate marks at most two positions: its own, and the first one with the same bit.
    let (mut marked, mut repeated) = (with_room_for(2 * candidates)?, with_room_for(candidates)?);
    let is_marked = |hash: u64| again[word(hash)] & bit(hash) != 0;
    marked.extend((0..).zip(hashes).filter(|(_, hash)| is_marked(**hash)).map(|(position, hash)| (*hash, position)));
    marked.sort_unstable();
    for run in marked.chunk_by(|(one, _), (other, _): &(u64, u32)| one == other) {
        repeated.extend(run[1..].iter().map(|(_, position)| (run[0].1, *position)));
    }
    repeated.sort_unstable();
    Some(repeated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PackedKeys;
    use crate::base::config::Hash;

    fn missed(keys: &PackedKeys, hasher: &KeyHasher) -> Vec<Probe> {
        keys.iter().map(|key| Probe::Missed { hash: hasher.hash(key) }).collect()
    }

    fn order(keys: &[&str]) -> Vec<(u32, bool)> {
        let mut packed = PackedKeys::default();
        keys.iter().for_each(|key| packed.push(key.as_bytes()));
        let hasher = KeyHasher::new(Hash::Sip);
        let order = AskOrder::of(&CallKeys::Many(&packed), &missed(&packed, &hasher), &hasher).expect("memory");
        (0..keys.len()).map(|place| (order.position(place), order.repeats(place))).collect()
    }

    #[test]
    fn f06_a_key_that_is_listed_again_is_asked_with_its_first_position() {
        assert_eq!(
            order(&["a", "b", "c", "a", "b", "a", "d"]),
            [(0, false), (3, true), (5, true), (1, false), (4, true), (2, false), (6, false)]
        );
    }

    #[test]
    fn f13g_the_hashes_are_sorted_for_lookups() {
        let mut packed = PackedKeys::default();
        ["b", "a", "c"].iter().for_each(|key| packed.push(key.as_bytes()));
        let hasher = KeyHasher::new(Hash::Fast);
        let hashes = AskOrder::of(&CallKeys::Many(&packed), &missed(&packed, &hasher), &hasher).expect("memory").take_sorted_hashes();
        assert!(hashes.is_sorted() && hashes.len() == 3 && hashes.contains(&hasher.hash(b"b")));
    }

    #[test]
    fn f06_different_keys_keep_their_order() {
        let keys: Vec<String> = (0..2_000).map(|nth| format!("key {nth}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert!((0..).zip(order(&keys)).all(|(place, at)| at == (place, false)));
        let twice = [&keys[..], &keys[..]].concat();
        assert!(order(&twice).chunks(2).zip(0..).all(|(pair, first)| pair == [(first, false), (first + 2_000, true)]));
    }
}
