//! All flights and the states of their keys, found by id and by key.
//!
//! A key nearly always has one flight at a time, and nothing is left of the key when that flight has ended. So the first flight of a key is
//! stored in the record of the key's state: both are created, found and removed together. If a key still has a state when another flight
//! starts (a write overtook the first flight, or an answer for it may still arrive), that flight is stored separately.

use super::flight::{Flight, KeyState, Standing};
use super::host::Host;
use super::key_index::KeyIndex;
use super::slab::{Id, IdSlab};
use super::{FlightId, KeyStateId};
use crate::base::Key;
use std::cell::Cell;
use std::num::NonZeroU64;
use std::ops::{Index, IndexMut};

/// The flights, and the states of their keys.
pub struct Flights<H: Host> {
    records: IdSlab<KeyStateId, KeyRecord<H>>,
    /// Flights that are not in a record, by their ids without the mark.
    further: IdSlab<FlightId, Flight<H>>,
    by_key: KeyIndex,
    len: usize,
    overtaken: usize,
}

/// The state of a key, and its first flight until that ends.
struct KeyRecord<H: Host> {
    state: KeyState,
    first: Option<Flight<H>>,
}

/// The id of a first flight is that of its record. The ids of other flights are marked.
#[inline(always)]
fn first_of(record: KeyStateId) -> FlightId {
    FlightId::of(record.raw())
}

#[inline(always)]
fn record_of(first: FlightId) -> KeyStateId {
    KeyStateId::of(first.raw())
}

impl<H: Host> Flights<H> {
    /// Creates an empty collection.
    pub fn new() -> Flights<H> {
        Flights { records: IdSlab::new(), further: IdSlab::new(), by_key: KeyIndex::new(), len: 0, overtaken: 0 }
    }

    /// The number of flights.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no flights.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of overtaken flights. While it is 0, no key has two flights.
    pub fn overtaken(&self) -> usize {
        self.overtaken
    }

    /// The state of a key, if it has one.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<KeyStateId> {
        self.by_key.find(hash, |id| self[id].key.is(key))
    }

    /// Like [`Flights::find`], with the key's current flight, if it has one.
    #[inline(always)]
    pub fn find_with_current(&self, hash: u64, key: &[u8]) -> Option<(KeyStateId, Option<FlightId>)> {
        let current = Cell::new(None);
        let found = self.by_key.find(hash, |id| {
            let state = &self[id];
            current.set(state.current);
            state.key.is(key)
        });
        found.map(|id| (id, current.get()))
    }

    /// The state with this id; `None` if it was removed.
    #[inline]
    pub fn key_state(&self, id: KeyStateId) -> Option<&KeyState> {
        Some(&self.records.get(id)?.state)
    }

    /// The number of keys that are compared to find the state of this key.
    #[cfg(test)]
    pub fn compared(&self, hash: u64, key: &[u8]) -> usize {
        let compared = std::cell::Cell::new(0);
        let is_it = |id: KeyStateId| {
            compared.set(compared.get() + 1);
            self[id].key.is(key)
        };
        assert!(self.by_key.find(hash, is_it).is_some());
        compared.get()
    }

    /// Adds the state of a key without a flight.
    #[cfg(test)]
    pub fn add_state(&mut self, hash: u64, key: &[u8]) {
        let state = KeyState::of(Key::new(key), hash, FlightId::NULL);
        let id = self.records.insert_with_key(|_| KeyRecord { state, first: None });
        self.by_key.insert(hash, id);
    }

    /// The flight with this id; `None` if it has ended.
    #[inline]
    pub fn get(&self, id: FlightId) -> Option<&Flight<H>> {
        match id.raw().unmarked() {
            Some(raw) => self.further.get(FlightId::of(raw)),
            None => self.records.get(record_of(id))?.first.as_ref(),
        }
    }

    /// The flight with this id, mutable; `None` if it has ended.
    #[inline]
    pub fn get_mut(&mut self, id: FlightId) -> Option<&mut Flight<H>> {
        match id.raw().unmarked() {
            Some(raw) => self.further.get_mut(FlightId::of(raw)),
            None => self.records.get_mut(record_of(id))?.first.as_mut(),
        }
    }

    /// The flight with this id and the state of its key; `None` if it has ended.
    #[inline]
    pub fn get_with_key(&mut self, id: FlightId) -> Option<(&mut Flight<H>, &mut KeyState)> {
        let Flights { records, further, .. } = self;
        match id.raw().unmarked() {
            None => {
                let KeyRecord { state, first } = records.get_mut(record_of(id))?;
                Some((first.as_mut()?, state))
            }
            Some(raw) => {
                let flight = further.get_mut(FlightId::of(raw))?;
                let record = records.get_mut(flight.key_state)?;
                Some((flight, &mut record.state))
            }
        }
    }

    /// Adds the first flight of a key that has no state.
    #[inline(always)]
    pub fn add_first(&mut self, hash: u64, key: &[u8], make: impl FnOnce(KeyStateId) -> Flight<H>) -> FlightId {
        let key = Key::new(key);
        let id = self.records.insert_with_key(
            #[inline(always)]
            |id| KeyRecord { state: KeyState::of(key, hash, first_of(id)), first: Some(make(id)) },
        );
        self.by_key.insert(hash, id);
        self.len += 1;
        first_of(id)
    }

    /// Adds a flight of a key that has a state and no current flight.
    pub fn add_further(&mut self, key_state: KeyStateId, flight: Flight<H>) -> FlightId {
        let id = FlightId::of(self.further.insert_with_key(|_| flight).raw().marked());
        let state = &mut self[key_state];
        state.current = Some(id);
        state.holders += 1;
        self.len += 1;
        id
    }

    /// Marks the current flight of a key as overtaken by the write with this number.
    pub fn overtake(&mut self, id: FlightId, write: NonZeroU64) {
        let Some((flight, state)) = self.get_with_key(id) else { return };
        flight.standing = Standing::Overtaken { write };
        state.current = None;
        state.overtaken.push(id);
        self.overtaken += 1;
    }

    /// Removes a flight, and returns what `keep` takes out of it. The caller must release the flight's reference to the state of its key.
    pub fn remove<R>(&mut self, id: FlightId, keep: impl FnOnce(&mut Flight<H>) -> R) -> Option<R> {
        let (flight, state) = self.get_with_key(id)?;
        let (standing, kept) = (flight.standing, keep(flight));
        match standing {
            Standing::Current => state.current = None,
            Standing::Overtaken { .. } => {
                state.overtaken.retain(|other| *other != id);
                self.overtaken -= 1;
            }
        }
        match id.raw().unmarked() {
            Some(raw) => drop(self.further.remove(FlightId::of(raw))),
            None => self.records.get_mut(record_of(id))?.first = None,
        }
        self.len -= 1;
        Some(kept)
    }

    /// Does what [`Flights::remove`] does, and releases the reference to the state of the key.
    #[inline(always)]
    pub fn remove_and_release<R>(&mut self, id: FlightId, keep: impl FnOnce(&mut Flight<H>) -> R) -> Option<R> {
        let mut keep = Some(keep);
        // Usually nothing is left of the key afterwards, so that the flight and the state are removed in one step.
        let only = self.records.vacate(
            record_of(id),
            #[inline(always)]
            |place| {
                let record = place.as_mut().filter(|record| record.is_held_by_first_alone())?;
                let (hash, kept) = (record.state.hash, keep.take()?(record.first.as_mut()?));
                if record.owns_nothing() {
                    // This is nearly always so, and finding it out is quicker than dropping each part.
                    std::mem::forget(place.take());
                } else {
                    *place = None;
                }
                Some((hash, kept))
            },
        );
        if let Some((hash, kept)) = only {
            self.by_key.remove(hash, record_of(id));
            self.len -= 1;
            return Some(kept);
        }
        let key_state = self.get(id)?.key_state;
        let kept = self.remove(id, keep.take()?)?;
        self.release(key_state);
        Some(kept)
    }

    /// Drops one reference to the state of a key, and removes the state with its last reference.
    pub fn release(&mut self, id: KeyStateId) {
        let state = &mut self[id];
        state.holders -= 1;
        if state.holders == 0 {
            debug_assert!(state.current.is_none() && state.overtaken.is_empty());
            let hash = state.hash;
            self.by_key.remove(hash, id);
            self.records.remove_with(id, |_| ());
        }
    }

    /// The flights with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FlightId, &Flight<H>)> {
        let first = self.records.iter().filter_map(|(id, record)| Some((first_of(id), record.first.as_ref()?)));
        first.chain(self.further.iter().map(|(id, flight)| (FlightId::of(id.raw().marked()), flight)))
    }

    /// The ids of the flights.
    pub fn keys(&self) -> impl Iterator<Item = FlightId> {
        self.iter().map(|(id, _)| id)
    }

    /// The flights.
    pub fn values(&self) -> impl Iterator<Item = &Flight<H>> {
        self.iter().map(|(_, flight)| flight)
    }

    /// The states with their ids.
    pub fn key_states(&self) -> impl Iterator<Item = (KeyStateId, &KeyState)> {
        self.records.iter().map(|(id, record)| (id, &record.state))
    }

    /// Returns the first key state at or after `place`, preceded by the `place` for the next call: for visiting all key states a few at a
    /// time.
    pub fn key_state_from(&self, place: usize) -> Option<(usize, KeyStateId)> {
        self.records.id_from(place)
    }

    /// Returns the first flight at or after `place`, preceded by the `place` for the next call: for visiting all flights a few at a time.
    pub fn flight_from(&self, place: usize) -> Option<(usize, FlightId)> {
        /// The places of further flights come after all places that a record can have.
        const FURTHER: usize = 1 << (u32::BITS - 1);
        let mut place = place;
        while let Some((next, record)) = self.records.id_from(place).filter(|_| place < FURTHER) {
            if self.records[record].first.is_some() {
                return Some((next, first_of(record)));
            }
            place = next;
        }
        let (next, further) = self.further.id_from(place.saturating_sub(FURTHER))?;
        Some((FURTHER + next, FlightId::of(further.raw().marked())))
    }

    /// Removes everything. Returns the flights.
    pub fn drain(&mut self) -> Vec<Flight<H>> {
        let mut flights = self.further.drain();
        flights.extend(self.records.drain().into_iter().filter_map(|record| record.first));
        self.by_key.clear();
        (self.len, self.overtaken) = (0, 0);
        flights
    }

    /// Checks that the counts are consistent: reads everything.
    pub fn check(&self) -> Result<(), String> {
        let overtaken = self.values().filter(|flight| flight.standing != Standing::Current).count();
        let (is, counted) = ((self.values().count(), overtaken), (self.len, self.overtaken));
        if is != counted {
            return Err(format!("flights and overtaken flights are {is:?}, but {counted:?} were counted"));
        }
        if self.by_key.len() != self.records.len() {
            return Err("the index has not exactly one entry for each key state".into());
        }
        Ok(())
    }
}

impl<H: Host> KeyRecord<H> {
    /// Whether the first flight is current, and nothing else refers to the state.
    #[inline(always)]
    fn is_held_by_first_alone(&self) -> bool {
        self.state.holders == 1 && self.first.as_ref().is_some_and(|flight| flight.standing == Standing::Current)
    }

    /// Whether dropping the record frees and releases nothing.
    #[inline(always)]
    fn owns_nothing(&self) -> bool {
        self.state.owns_nothing() && self.first.as_ref().is_none_or(Flight::owns_nothing)
    }
}

impl<H: Host> Index<FlightId> for Flights<H> {
    type Output = Flight<H>;
    #[inline]
    fn index(&self, id: FlightId) -> &Flight<H> {
        self.get(id).expect("the id is that of a flight")
    }
}

impl<H: Host> IndexMut<FlightId> for Flights<H> {
    #[inline]
    fn index_mut(&mut self, id: FlightId) -> &mut Flight<H> {
        self.get_mut(id).expect("the id is that of a flight")
    }
}

impl<H: Host> Index<KeyStateId> for Flights<H> {
    type Output = KeyState;
    #[inline]
    fn index(&self, id: KeyStateId) -> &KeyState {
        &self.records[id].state
    }
}

impl<H: Host> IndexMut<KeyStateId> for Flights<H> {
    #[inline]
    fn index_mut(&mut self, id: KeyStateId) -> &mut KeyState {
        &mut self.records[id].state
    }
}
