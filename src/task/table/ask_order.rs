//! The order in which the keys of a very large fetch are asked: a key that it lists several times is asked for all of them at once.
//!
//! Otherwise the load of the first position could end between two steps, and a later one would start another load of the same key
//! (rule F06).

use crate::base::{CallKeys, KeyHasher};

/// The order of the positions of one fetch. `None` inside [`super::Asking`]: no key is listed twice, and the order is that of the call.
pub struct AskOrder(Vec<OrderedPosition>);

/// A position, and whether it repeats the key of the place before it.
#[derive(Clone, Copy)]
struct OrderedPosition {
    position: u32,
    repeats: bool,
}

impl AskOrder {
    /// The order for these keys, if a key occurs more than once. Runs without a lock, in linear time unless keys repeat.
    pub fn of(keys: &CallKeys<'_>, hasher: &KeyHasher) -> Option<AskOrder> {
        let hashes: Vec<u64> = (0..keys.len()).map(|position| hasher.hash(&keys[position])).collect();
        // Marks in place of a set of hashes: a key whose mark is there already may be a repetition. Few others are.
        let marks = (hashes.len() * 8).next_power_of_two() as u64;
        let mark = |hash: u64| ((hash & (marks - 1)) >> 6) as usize;
        let bit = |hash: u64| 1_u64 << (hash & 63);
        let (mut seen, mut again) = (vec![0_u64; mark(u64::MAX) + 1], Vec::new());
        for hash in &hashes {
            if seen[mark(*hash)] & bit(*hash) != 0 {
                again.resize(seen.len(), 0_u64);
                again[mark(*hash)] |= bit(*hash);
            }
            seen[mark(*hash)] |= bit(*hash);
        }
        if again.is_empty() {
            return None;
        }
        let is_candidate = |hash: u64| again[mark(hash)] & bit(hash) != 0;
        let mut candidates: Vec<(u64, u32)> =
            (0..).zip(&hashes).filter(|(_, hash)| is_candidate(**hash)).map(|(position, hash)| (*hash, position)).collect();
        candidates.sort_unstable();
        // The positions that repeat a key, by the first position of that key. Equal hashes of different keys do no harm.
        let mut repeated: Vec<(u32, u32)> = Vec::new();
        for run in candidates.chunk_by(|(one, _), (other, _)| one == other) {
            repeated.extend(run[1..].iter().map(|(_, position)| (run[0].1, *position)));
        }
        repeated.sort_unstable();
        let mut later: Vec<u32> = repeated.iter().map(|(_, position)| *position).collect();
        later.sort_unstable();
        let (mut repeated, mut later) = (repeated.into_iter().peekable(), later.into_iter().peekable());
        let mut places = Vec::with_capacity(hashes.len());
        for position in 0..hashes.len() as u32 {
            if later.next_if_eq(&position).is_some() {
                continue;
            }
            places.push(OrderedPosition { position, repeats: false });
            while let Some((_, position)) = repeated.next_if(|(first, _)| *first == position) {
                places.push(OrderedPosition { position, repeats: true });
            }
        }
        Some(AskOrder(places))
    }

    /// The position at this place of the order.
    pub(super) fn position(&self, place: usize) -> u32 {
        self.0[place].position
    }

    /// Whether the position at this place repeats the key of the place before it.
    pub(super) fn repeats(&self, place: usize) -> bool {
        self.0[place].repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PackedKeys;
    use crate::base::config::Hash;

    fn order(keys: &[&str]) -> Option<Vec<(u32, bool)>> {
        let mut packed = PackedKeys::default();
        keys.iter().for_each(|key| packed.push(key.as_bytes()));
        let order = AskOrder::of(&CallKeys::Many(&packed), &KeyHasher::new(Hash::Sip))?;
        Some((0..keys.len()).map(|place| (order.position(place), order.repeats(place))).collect())
    }

    #[test]
    fn f06_a_key_that_is_listed_again_is_asked_with_its_first_position() {
        assert_eq!(
            order(&["a", "b", "c", "a", "b", "a", "d"]),
            Some(vec![(0, false), (3, true), (5, true), (1, false), (4, true), (2, false), (6, false)])
        );
    }

    #[test]
    fn f06_different_keys_keep_their_order() {
        let keys: Vec<String> = (0..2_000).map(|nth| format!("key {nth}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let in_order = |order: Vec<(u32, bool)>| order.iter().enumerate().all(|(place, at)| *at == (place as u32, false));
        assert!(order(&keys).is_none_or(in_order));
        let twice = [&keys[..], &keys[..]].concat();
        let order = order(&twice).expect("every key is listed twice");
        assert!(order.chunks(2).zip(0..).all(|(pair, first)| pair == [(first, false), (first + 2_000, true)]));
    }
}
