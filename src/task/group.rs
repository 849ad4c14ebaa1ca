//! A group: the waiting keys of one fetch at one urgency, in the order of their positions.

use super::FlightId;
use crate::base::BlockDeque;
use std::collections::BTreeMap;

/// A key that waits in the queue.
#[derive(Clone, Copy, Debug)]
pub struct WaitingKey {
    /// The position in the fetch that started the key's flight.
    pub position: u32,
    pub flight: FlightId,
}

/// The waiting keys of one fetch at one urgency, and the number of places that they hold. There is at least one key.
pub struct Group {
    keys: GroupKeys,
    /// The number of keys.
    pub len: usize,
    pub places: usize,
    /// The maximum number of places; 0 for keys that are retried, which need none.
    pub most_places: usize,
}

enum GroupKeys {
    One(WaitingKey),
    Many(Box<Many>),
}

/// Keys nearly always arrive in the order of their positions, and are then appended to a list. A key goes to a tree instead if it arrives
/// between others, because its urgency changed, or if there is no memory for a longer list. Removing a key from the middle of the list
/// costs no more than finding it: its slot becomes empty (a null flight), and is dropped once it is at either end of the list.
struct Many {
    /// Ordered by position. The first and the last slot are not empty.
    listed: BlockDeque<WaitingKey>,
    /// Keys that arrived between others, by position.
    between: BTreeMap<u32, FlightId>,
}

impl Group {
    /// Creates a group of one key, without a place.
    pub fn of(key: WaitingKey, most_places: usize) -> Group {
        Group { keys: GroupKeys::One(key), len: 1, places: 0, most_places }
    }

    /// Whether the keys wait for another attempt.
    pub fn is_retried(&self) -> bool {
        self.most_places == 0
    }

    /// The number of keys that wait without a place.
    pub fn deferred(&self) -> usize {
        self.len - self.places
    }

    /// The number of further places that the keys could hold.
    #[inline]
    pub fn lacks(&self) -> usize {
        self.len.min(self.most_places).saturating_sub(self.places)
    }

    /// The key that is served first.
    #[inline]
    pub fn first(&self) -> WaitingKey {
        match &self.keys {
            GroupKeys::One(key) => *key,
            GroupKeys::Many(many) if many.between.is_empty() => *many.listed.front().expect("a group has at least one key"),
            GroupKeys::Many(many) => many.end(many.listed.front(), many.between.first_key_value(), u32::lt),
        }
    }

    /// The key that is served last.
    pub fn last(&self) -> WaitingKey {
        match &self.keys {
            GroupKeys::One(key) => *key,
            GroupKeys::Many(many) => many.end(many.listed.back(), many.between.last_key_value(), u32::gt),
        }
    }

    /// Adds a key.
    #[inline]
    pub fn push(&mut self, key: WaitingKey) {
        self.len += 1;
        match &mut self.keys {
            GroupKeys::Many(many) => many.push(key),
            GroupKeys::One(only) => {
                let mut many = Many { listed: BlockDeque::new(), between: BTreeMap::new() };
                many.push(*only);
                many.push(key);
                self.keys = GroupKeys::Many(Box::new(many));
            }
        }
    }

    /// Removes the key at `position`. If it was the last key, the caller must drop the group.
    #[inline]
    pub fn remove(&mut self, position: u32) {
        self.len -= 1;
        if let (GroupKeys::Many(many), true) = (&mut self.keys, self.len > 0) {
            many.remove(position);
        }
    }

    /// Moves keys from the front to `popped` until `popped` has `most` keys, or until `may_go` refuses one. Returns whether a key was
    /// refused.
    #[inline]
    pub fn pop(&mut self, most: usize, popped: &mut Vec<FlightId>, mut may_go: impl FnMut(&[FlightId], FlightId) -> bool) -> bool {
        if let GroupKeys::Many(many) = &mut self.keys
            && many.between.is_empty()
        {
            let before = popped.len();
            let is_refused = many.pop_listed(most, popped, may_go);
            self.len -= popped.len() - before;
            return is_refused;
        }
        while self.len > 0 && popped.len() < most {
            let first = self.first();
            if !may_go(popped, first.flight) {
                return true;
            }
            popped.push(first.flight);
            self.remove(first.position);
        }
        false
    }

    /// The keys in order. Used in checks.
    pub fn keys(&self) -> Vec<WaitingKey> {
        match &self.keys {
            GroupKeys::One(key) => vec![*key],
            GroupKeys::Many(many) => {
                let listed = many.listed.iter().copied().filter(|key| key.flight != FlightId::NULL);
                let between = many.between.iter().map(|(position, flight)| WaitingKey { position: *position, flight: *flight });
                let mut keys: Vec<WaitingKey> = listed.chain(between).collect();
                keys.sort_by_key(|key| key.position);
                keys
            }
        }
    }
}

impl Many {
    /// The key at one end of the group: the one of the two that comes first in the order of `is_before`.
    fn end(&self, listed: Option<&WaitingKey>, between: Option<(&u32, &FlightId)>, is_before: fn(&u32, &u32) -> bool) -> WaitingKey {
        let between = between.map(|(position, flight)| WaitingKey { position: *position, flight: *flight });
        match (listed.copied(), between) {
            (Some(one), Some(other)) if is_before(&other.position, &one.position) => other,
            (one, other) => one.or(other).expect("a group has at least one key"),
        }
    }

    #[inline]
    fn push(&mut self, key: WaitingKey) {
        let is_last = self.listed.back().is_none_or(|last| last.position < key.position);
        if !is_last || self.listed.try_push_back(key).is_err() {
            self.between.insert(key.position, key.flight);
        }
    }

    /// Does what [`Group::pop`] does, when all keys are in the list.
    #[inline]
    fn pop_listed(&mut self, most: usize, popped: &mut Vec<FlightId>, mut may_go: impl FnMut(&[FlightId], FlightId) -> bool) -> bool {
        let mut is_refused = false;
        while popped.len() < most
            && let Some(key) = self.listed.front()
        {
            if key.flight != FlightId::NULL {
                is_refused = !may_go(popped, key.flight);
                if is_refused {
                    break;
                }
                popped.push(key.flight);
            }
            self.listed.pop_front();
        }
        self.trim();
        is_refused
    }

    #[inline]
    fn remove(&mut self, position: u32) {
        if self.listed.front().is_some_and(|first| first.position == position) {
            // The most frequent case: the first key.
            self.listed.pop_front();
            if self.listed.front().is_some_and(|next| next.flight == FlightId::NULL) {
                self.trim();
            }
        } else if self.between.remove(&position).is_none() {
            self.remove_within(position);
        }
    }

    fn remove_within(&mut self, position: u32) {
        let (mut from, mut until) = (0, self.listed.len());
        while from < until {
            let middle = from.midpoint(until);
            match self.listed.get_mut(middle) {
                Some(slot) if slot.position == position => {
                    slot.flight = FlightId::NULL;
                    return self.trim();
                }
                Some(slot) if slot.position < position => from = middle + 1,
                _ => until = middle,
            }
        }
    }

    /// Drops the empty slots at both ends of the list.
    fn trim(&mut self) {
        let is_empty = |slot: Option<&WaitingKey>| slot.is_some_and(|key| key.flight == FlightId::NULL);
        while is_empty(self.listed.front()) {
            self.listed.pop_front();
        }
        while is_empty(self.listed.back()) {
            self.listed.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    #[test]
    fn f13_a_group_stays_in_order_as_keys_are_added_and_removed() {
        let mut flights = crate::task::slab::IdSlab::<FlightId, ()>::new();
        let mut random = Random::new(Some(1));
        let mut draw = |below: usize| (random.unit() * below as f64) as usize;
        for _ in 0..50 {
            let mut known: BTreeMap<u32, FlightId> = BTreeMap::new();
            let mut group: Option<Group> = None;
            for nth in 0..200u32 {
                // Most keys arrive in order, some between others.
                let position = if draw(4) == 0 { draw(400) as u32 } else { 400 + nth };
                if draw(5) < 3 && !known.contains_key(&position) {
                    let key = WaitingKey { position, flight: flights.insert_with_key(|_| ()) };
                    known.insert(position, key.flight);
                    match &mut group {
                        Some(group) => group.push(key),
                        None => group = Some(Group::of(key, 3)),
                    }
                } else if draw(4) == 0
                    && let Some(some) = &mut group
                {
                    // A key may be refused, which ends the popping.
                    let (most, refused) = (1 + draw(6), known.values().nth(draw(9)).copied());
                    let first: Vec<(u32, FlightId)> = known.iter().take(most).map(|(position, flight)| (*position, *flight)).collect();
                    let expected: Vec<(u32, FlightId)> = first.iter().copied().take_while(|(_, flight)| Some(*flight) != refused).collect();
                    let mut popped = Vec::new();
                    let is_refused = some.pop(most, &mut popped, |_, flight| Some(flight) != refused);
                    assert!(popped.iter().eq(expected.iter().map(|(_, flight)| flight)));
                    assert_eq!(is_refused, expected.len() < first.len());
                    known.retain(|position, _| expected.iter().all(|(gone, _)| gone != position));
                    if some.len == 0 {
                        group = None;
                    }
                } else if let Some(some) = &mut group {
                    let position = *known.keys().nth(draw(known.len()) * draw(2)).expect("there is a key");
                    known.remove(&position);
                    some.remove(position);
                    if some.len == 0 {
                        group = None;
                    }
                }
                let Some(group) = &group else {
                    assert!(known.is_empty());
                    continue;
                };
                let keys = group.keys().into_iter().map(|key| (key.position, key.flight));
                assert!(keys.eq(known.iter().map(|(position, flight)| (*position, *flight))));
                let (first, last) = (group.first(), group.last());
                assert_eq!((group.len, group.deferred(), group.lacks()), (known.len(), known.len(), known.len().min(3)));
                assert_eq!(Some((&first.position, &first.flight)), known.first_key_value());
                assert_eq!(Some((&last.position, &last.flight)), known.last_key_value());
            }
        }
    }
}
