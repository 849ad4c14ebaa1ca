//! A queue of entries, linked through the nodes of the slab.

use super::super::links::{LinkArray, Links};
use super::super::slab::Place;

/// A queue, from the entry that leaves first to the one that came last.
pub(super) struct List {
    oldest: Place,
    newest: Place,
}

impl Default for List {
    fn default() -> List {
        List { oldest: Place::NONE, newest: Place::NONE }
    }
}

impl List {
    #[inline(always)]
    pub fn oldest(&self) -> Option<Place> {
        self.oldest.some()
    }

    pub fn newest(&self) -> Option<Place> {
        self.newest.some()
    }

    /// Makes an entry the oldest.
    pub fn make_oldest(&mut self, links: &mut LinkArray, place: Place) {
        if self.oldest == place {
            return;
        }
        self.unlink(links, place);
        let oldest = self.oldest;
        *links.of_mut(place) = Links { older: Place::NONE, newer: oldest };
        // The list has another entry, because this one was not the oldest.
        links.of_mut(oldest).older = place;
        self.oldest = place;
        links.changed([oldest, place]);
    }

    /// Makes an entry the newest.
    #[inline(always)]
    pub fn renew(&mut self, links: &mut LinkArray, place: Place) {
        let newest = self.newest;
        if newest == place {
            return;
        }
        let Links { older, newer } = *links.of(place);
        // There is a newer entry, because this one is not the newest.
        links.of_mut(newer).older = older;
        match older.some() {
            Some(older) => links.of_mut(older).newer = newer,
            None => self.oldest = newer,
        }
        links.of_mut(newest).newer = place;
        *links.of_mut(place) = Links { older: newest, newer: Place::NONE };
        self.newest = place;
        links.changed([older, newer, newest, place]);
    }

    #[inline]
    pub fn append(&mut self, links: &mut LinkArray, place: Place) {
        let newest = self.newest;
        *links.of_mut(place) = Links { older: newest, newer: Place::NONE };
        match newest.some() {
            Some(newest) => links.of_mut(newest).newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
        links.changed([newest, place]);
    }

    #[inline]
    pub fn unlink(&mut self, links: &mut LinkArray, place: Place) {
        let Links { older, newer } = *links.of(place);
        match older.some() {
            Some(older) => links.of_mut(older).newer = newer,
            None => self.oldest = newer,
        }
        match newer.some() {
            Some(newer) => links.of_mut(newer).older = older,
            None => self.newest = older,
        }
        links.changed([older, newer]);
    }
}
