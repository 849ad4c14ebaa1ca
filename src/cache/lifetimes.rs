//! The times of an entry besides its deadline: its grace, and which entries are in it (rule R01); its end, where the deadline is the earlier time
//! from which it is to be loaded anew (rule R05).
//!
//! ```text
//!   fresh ── its end ──▶ stale ── end of its grace ──▶ gone
//!     └── its end, without grace ──▶ gone
//! ```
//!
//! A fresh entry stands in the order of its priority, a stale one in the list here, from the first to leave to the last: by when it became
//! stale, or was last told as a fallback. Columns by place in the slab, which a store without grace and refreshes does not have. What is zero there says
//! nothing of its entry, so that the memory comes from the system as it is.

use super::levels::Amount;
use super::slab::Place;
use crate::base::Millis;

/// The times of a shard's entries.
pub(super) struct Lifetimes {
    /// What the timing wheel goes by: of a fresh entry the end that its TTL sets, of a stale one the end of its grace.
    times: Vec<u64>,
    /// How long a fresh entry stays after its end, in milliseconds, or [`STALE`].
    graces: Vec<u64>,
    /// The neighbours of a stale entry: who leaves before it and who after it.
    links: Vec<[u32; 2]>,
    first: Place,
    last: Place,
    amount: Amount,
}

/// In the place of the grace of an entry that is in it.
const STALE: u64 = u64::MAX;

impl Lifetimes {
    pub fn new() -> Lifetimes {
        let (times, graces, links) = (Vec::new(), Vec::new(), Vec::new());
        Lifetimes { times, graces, links, first: Place::NONE, last: Place::NONE, amount: Amount::default() }
    }

    /// An entry comes, fresh. `room` is for how many entries the slab has memory.
    pub fn enter(&mut self, place: Place, end: Millis, grace_ms: u64, room: usize) {
        let at = place.index();
        if self.times.len() <= at {
            let room = room.max(at + 1);
            if self.times.is_empty() {
                (self.times, self.graces, self.links) = (vec![0; room], vec![0; room], vec![[0, 0]; room]);
            } else {
                self.times.resize(room, 0);
                self.graces.resize(room, 0);
                self.links.resize(room, [0, 0]);
            }
        }
        self.times[at] = end.0;
        self.graces[at] = grace_ms.min(STALE - 1);
    }

    /// A fresh entry has a new end.
    pub fn set_end(&mut self, place: Place, end: Millis) {
        if let Some(time) = self.times.get_mut(place.index()) {
            *time = end.0;
        }
    }

    /// What the wheel goes by; `deadline` is what the entry itself says.
    pub fn time(&self, place: Place, deadline: Millis) -> Millis {
        self.times.get(place.index()).filter(|time| **time != 0).map_or(deadline, |time| Millis(*time))
    }

    /// The end that the TTL of the entry sets, or of a stale one that it had.
    pub fn end(&self, place: Place, deadline: Millis) -> Millis {
        if self.is_stale(place) { deadline } else { self.time(place, deadline) }
    }

    pub fn is_stale(&self, place: Place) -> bool {
        self.graces.get(place.index()) == Some(&STALE)
    }

    /// How long the entry stays after its end: a stale one no longer than it does.
    pub fn grace_ms(&self, place: Place) -> u64 {
        self.graces.get(place.index()).copied().filter(|grace| *grace != STALE).unwrap_or(0)
    }

    /// The grace of the entry begins, and ends at `until`.
    pub fn begin_grace(&mut self, place: Place, until: Millis, cost: u64) {
        self.times[place.index()] = until.0;
        self.graces[place.index()] = STALE;
        self.amount.add(Amount { entries: 1, cost: u128::from(cost) });
        self.append(place);
    }

    /// The stale entry was told as a fallback: it leaves last.
    pub fn renew(&mut self, place: Place) {
        if self.last != place {
            self.cut(place);
            self.append(place);
        }
    }

    /// An entry leaves. False if it was fresh, and stands in the order.
    pub fn leave(&mut self, place: Place, cost: u64) -> bool {
        let is_stale = self.is_stale(place);
        if is_stale {
            self.cut(place);
            self.amount.subtract(Amount { entries: 1, cost: u128::from(cost) });
            self.graces[place.index()] = 0;
        }
        is_stale
    }

    /// The stale entry that leaves first.
    pub fn first(&self) -> Option<Place> {
        self.first.some()
    }

    /// What all stale entries hold together.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    fn append(&mut self, place: Place) {
        self.links[place.index()] = [self.last.number(), Place::NONE.number()];
        match self.last.some() {
            Some(last) => self.links[last.index()][1] = place.number(),
            None => self.first = place,
        }
        self.last = place;
    }

    fn cut(&mut self, place: Place) {
        let [before, after] = self.links[place.index()].map(Place::of_number);
        match before.some() {
            Some(before) => self.links[before.index()][1] = after.number(),
            None => self.first = after,
        }
        match after.some() {
            Some(after) => self.links[after.index()][0] = before.number(),
            None => self.last = before,
        }
    }
}
