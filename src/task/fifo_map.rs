//! A map that remembers the order in which its values were added.
//!
//! It consists of trees rather than hash tables, because a hash table that grows moves all of its elements in one hold of the lock (rule
//! S19).

use crate::base::Key;
use std::collections::BTreeMap;

/// A value of a [`FifoMap`].
pub trait Remembered: Send + 'static {
    /// Whether dropping it may run host code. The answer never changes for a value.
    fn runs_host_code_on_drop(&self) -> bool;
}

/// What a map contained. It is kept only to be dropped.
pub struct Emptied {
    /// The contents.
    pub contents: Box<dyn Send>,
    /// Whether dropping them may run host code.
    pub runs_host_code: bool,
}

/// A map by key that also finds its oldest value.
pub struct FifoMap<V> {
    /// The values, with the numbers of their additions.
    by_key: BTreeMap<Key, (u64, V)>,
    by_age: BTreeMap<u64, Key>,
    /// The number of values that were ever added.
    added: u64,
    /// The number of values whose drop may run host code.
    with_host_code: usize,
}

impl<V: Remembered> FifoMap<V> {
    /// An empty map.
    pub const fn new() -> FifoMap<V> {
        FifoMap { by_key: BTreeMap::new(), by_age: BTreeMap::new(), added: 0, with_host_code: 0 }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is no value.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The value of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        self.by_key.get(key).map(|(_, value)| value)
    }

    /// Adds a value as the youngest one. Returns the value that it replaces.
    pub fn insert(&mut self, key: &Key, value: V) -> Option<V> {
        self.added += 1;
        self.with_host_code += usize::from(value.runs_host_code_on_drop());
        let older = self.by_key.insert(key.clone(), (self.added, value));
        self.by_age.insert(self.added, key.clone());
        older.map(|(nth, value)| {
            self.by_age.remove(&nth);
            self.uncount(value)
        })
    }

    /// Removes the value of `key`.
    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        let (nth, value) = self.by_key.remove(key)?;
        self.by_age.remove(&nth);
        Some(self.uncount(value))
    }

    /// Subtracts a removed value from `with_host_code`, and returns it.
    fn uncount(&mut self, value: V) -> V {
        self.with_host_code -= usize::from(value.runs_host_code_on_drop());
        value
    }

    /// The oldest value, with its key.
    pub fn oldest(&self) -> Option<(&Key, &V)> {
        let (_, key) = self.by_age.first_key_value()?;
        Some((key, self.get(key)?))
    }

    /// Removes the oldest value.
    pub fn pop_oldest(&mut self) -> Option<(Key, V)> {
        let (_, key) = self.by_age.pop_first()?;
        let (_, value) = self.by_key.remove(&*key)?;
        Some((key, self.uncount(value)))
    }

    /// The total length of the keys in both trees, in bytes.
    #[cfg(test)]
    pub fn key_bytes(&self) -> usize {
        self.by_key.keys().chain(self.by_age.values()).map(|key| key.len()).sum()
    }

    /// Empties the map. Returns what it contained, if anything, to be dropped once the table's lock is released.
    #[must_use]
    pub fn take_all(&mut self) -> Option<Emptied> {
        if self.is_empty() {
            return None;
        }
        let contents = Box::new((std::mem::take(&mut self.by_key), std::mem::take(&mut self.by_age)));
        Some(Emptied { contents, runs_host_code: std::mem::take(&mut self.with_host_code) > 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Remembered for usize {
        fn runs_host_code_on_drop(&self) -> bool {
            self.is_multiple_of(3)
        }
    }

    proptest! {
        #[test]
        fn s19_the_map_behaves_like_a_list_in_the_order_of_addition(steps in prop::collection::vec((0..4u8, 0..9u8), 1..200)) {
            let (mut map, mut list) = (FifoMap::new(), Vec::<(u8, usize)>::new());
            for (nth, (step, name)) in steps.into_iter().enumerate() {
                let at = list.iter().position(|(other, _)| *other == name);
                match step {
                    0 | 1 => {
                        let older = at.map(|at| list.remove(at).1);
                        list.push((name, nth));
                        prop_assert_eq!(map.insert(&Key::new(&[name]), nth), older);
                    }
                    2 => prop_assert_eq!(map.remove(&[name]), at.map(|at| list.remove(at).1)),
                    _ => {
                        let oldest = (!list.is_empty()).then(|| list.remove(0));
                        prop_assert_eq!(map.pop_oldest().map(|(key, value)| (key[0], value)), oldest);
                    }
                }
                prop_assert_eq!(map.oldest().map(|(key, value)| (key[0], *value)), list.first().copied());
                prop_assert_eq!((map.len(), map.by_age.len(), map.is_empty()), (list.len(), list.len(), list.is_empty()));
                prop_assert_eq!(map.with_host_code, list.iter().filter(|(_, value)| value.runs_host_code_on_drop()).count());
                prop_assert_eq!(map.get(&[name]).copied(), list.iter().find(|(other, _)| *other == name).map(|(_, value)| *value));
            }
        }
    }
}
