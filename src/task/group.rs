//! A group: the waiting keys of one fetch at one urgency, in the order asked.

use super::FlightId;
use std::collections::{BTreeMap, VecDeque};

/// A key that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Its position in the fetch that started its flight.
    pub position: u32,
    pub flight: FlightId,
}

/// The waiting keys of one fetch at one urgency, and how many places of the queue they hold. There is at least one.
pub struct Group {
    keys: Keys,
    pub places: usize,
    /// How many places they may hold.
    pub most_places: usize,
}

enum Keys {
    One(Waiting),
    Many(Box<Many>),
}

/// Keys come in the order asked, so that they are nearly always listed one after the other; one whose urgency changed later comes between
/// others. To take one out of the middle costs no more than to find it: its place in the list stays, empty, until it comes to an end of
/// the list.
struct Many {
    /// In the order asked. First and last are not empty.
    listed: VecDeque<(u32, Option<FlightId>)>,
    /// How many of them are not empty.
    full: usize,
    /// Those that came between.
    between: BTreeMap<u32, FlightId>,
}

impl Group {
    /// A group of one key, which holds no place yet.
    pub fn of(key: Waiting, most_places: usize) -> Group {
        Group { keys: Keys::One(key), places: 0, most_places }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        match &self.keys {
            Keys::One(_) => 1,
            Keys::Many(many) => many.len(),
        }
    }

    /// How many of them wait without a place.
    pub fn deferred(&self) -> usize {
        self.len() - self.places
    }

    /// Whether its keys are tried again.
    pub fn is_retried(&self) -> bool {
        self.most_places == 0
    }

    /// How many more places they could hold.
    pub fn lacks(&self) -> usize {
        self.len().min(self.most_places).saturating_sub(self.places)
    }

    /// The key that goes first.
    pub fn first(&self) -> Waiting {
        match &self.keys {
            Keys::One(key) => *key,
            Keys::Many(many) => many.end(many.listed.front(), many.between.first_key_value(), u32::lt),
        }
    }

    /// The key that goes last.
    pub fn last(&self) -> Waiting {
        match &self.keys {
            Keys::One(key) => *key,
            Keys::Many(many) => many.end(many.listed.back(), many.between.last_key_value(), u32::gt),
        }
    }

    /// One more key.
    #[inline]
    pub fn push(&mut self, key: Waiting) {
        match &mut self.keys {
            Keys::Many(many) => many.push(key),
            Keys::One(only) => {
                let mut many = Many { listed: VecDeque::new(), full: 0, between: BTreeMap::new() };
                many.push(*only);
                many.push(key);
                self.keys = Keys::Many(Box::new(many));
            }
        }
    }

    /// Takes out the key that was asked at this position. False if it is the only one: then the group itself is to go.
    #[inline]
    pub fn remove(&mut self, position: u32) -> bool {
        match &mut self.keys {
            Keys::Many(many) if many.len() > 1 => {
                many.remove(position);
                true
            }
            _ => false,
        }
    }

    /// The keys in order. For checks.
    pub fn keys(&self) -> Vec<Waiting> {
        match &self.keys {
            Keys::One(key) => vec![*key],
            Keys::Many(many) => {
                let listed = many.listed.iter().filter_map(|(position, flight)| Some(Waiting { position: *position, flight: (*flight)? }));
                let between = many.between.iter().map(|(position, flight)| Waiting { position: *position, flight: *flight });
                let mut keys: Vec<Waiting> = listed.chain(between).collect();
                keys.sort_by_key(|key| key.position);
                keys
            }
        }
    }
}

impl Many {
    fn len(&self) -> usize {
        self.full + self.between.len()
    }

    /// The one of the two ends that comes before the other.
    fn end(
        &self,
        listed: Option<&(u32, Option<FlightId>)>,
        between: Option<(&u32, &FlightId)>,
        is_before: fn(&u32, &u32) -> bool,
    ) -> Waiting {
        let listed = listed.and_then(|(position, flight)| Some(Waiting { position: *position, flight: (*flight)? }));
        let between = between.map(|(position, flight)| Waiting { position: *position, flight: *flight });
        match (listed, between) {
            (Some(one), Some(other)) => {
                if is_before(&one.position, &other.position) {
                    one
                } else {
                    other
                }
            }
            (one, other) => one.or(other).expect("a group without keys is forgotten"),
        }
    }

    #[inline]
    fn push(&mut self, key: Waiting) {
        if self.listed.back().is_none_or(|(last, _)| *last < key.position) {
            self.listed.push_back((key.position, Some(key.flight)));
            self.full += 1;
        } else {
            self.between.insert(key.position, key.flight);
        }
    }

    #[inline]
    fn remove(&mut self, position: u32) {
        if self.listed.front().is_some_and(|(first, _)| *first == position) {
            // Nearly always the first goes.
            self.listed.pop_front();
            self.full -= 1;
        } else if self.between.remove(&position).is_some() {
            return;
        } else if let Ok(at) = self.listed.binary_search_by_key(&position, |(listed, _)| *listed) {
            self.listed[at].1 = None;
            self.full -= 1;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.listed.front().is_some_and(|(_, flight)| flight.is_none()) {
            self.listed.pop_front();
        }
        while self.listed.back().is_some_and(|(_, flight)| flight.is_none()) {
            self.listed.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    #[test]
    fn f13_a_group_is_in_order_whatever_comes_and_goes() {
        let mut flights = slotmap::SlotMap::<FlightId, ()>::with_key();
        let mut random = Random::new(Some(1));
        let mut draw = |below: usize| (random.unit() * below as f64) as usize;
        for _ in 0..50 {
            let mut known: BTreeMap<u32, FlightId> = BTreeMap::new();
            let mut group: Option<Group> = None;
            for nth in 0..200u32 {
                // Most in order, some between.
                let position = if draw(4) == 0 { draw(400) as u32 } else { 400 + nth };
                if draw(5) < 3 && !known.contains_key(&position) {
                    let key = Waiting { position, flight: flights.insert(()) };
                    known.insert(position, key.flight);
                    match &mut group {
                        Some(group) => group.push(key),
                        None => group = Some(Group::of(key, 3)),
                    }
                } else if let Some(some) = &mut group {
                    let position = *known.keys().nth(draw(known.len()) * draw(2)).expect("it has keys");
                    known.remove(&position);
                    if !some.remove(position) {
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
                assert_eq!((group.len(), group.deferred(), group.lacks()), (known.len(), known.len(), known.len().min(3)));
                assert_eq!(Some((&first.position, &first.flight)), known.first_key_value());
                assert_eq!(Some((&last.position, &last.flight)), known.last_key_value());
            }
        }
    }
}
