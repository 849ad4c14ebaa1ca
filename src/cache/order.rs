//! Who leaves first (rule S05): lowest priority, then least recently used.
//!
//! One list per priority in use, from the least to the most recently used, linked through the nodes. Each level keeps its
//! totals, so that whether room can be made is decided by adding up at most 64 numbers, before anybody has to go.
//!
//! A use is only noted. Notes are worked into the lists when they fill their page, and before anybody asks who is where: to
//! move one entry waits for two neighbours far away in memory, to move many waits for all of them at once.

use super::slab::{Place, Slab};

/// How many different priorities there may be at a time.
pub(super) const MAX_LEVELS: usize = 64;

/// How many uses are noted before they are settled.
const NOTES: usize = 63;

struct Level {
    priority: f64,
    oldest: Place,
    newest: Place,
    entries: u64,
    cost: u128,
}

/// How many entries and how much cost.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Amount {
    pub entries: u64,
    pub cost: u128,
}

impl Amount {
    pub fn is_none(self) -> bool {
        self == Amount::default()
    }

    pub fn covers(self, need: Amount) -> bool {
        self.entries >= need.entries && self.cost >= need.cost
    }
}

/// The levels in use.
#[repr(C)]
pub(super) struct Order {
    /// First, since it stands beside what else each lookup writes.
    noted: u32,
    /// Uses that the lists do not show yet, oldest first.
    notes: [Place; NOTES],
    /// By number, which the nodes remember; those without entries are free.
    levels: Vec<Level>,
    /// The numbers of those in use, by ascending priority.
    ranking: Vec<u8>,
}

impl Order {
    pub fn new() -> Order {
        Order { levels: Vec::new(), ranking: Vec::new(), notes: [Place::NONE; NOTES], noted: 0 }
    }

    #[inline]
    fn rank(&self, priority: f64) -> Result<usize, usize> {
        // Most often there is one level, and it is the one asked for.
        if let [level] = self.ranking[..]
            && self.levels[usize::from(level)].priority == priority
        {
            return Ok(0);
        }
        self.rank_of_many(priority)
    }

    #[inline(never)]
    fn rank_of_many(&self, priority: f64) -> Result<usize, usize> {
        self.ranking.binary_search_by(|level| self.levels[usize::from(*level)].priority.total_cmp(&priority))
    }

    /// Whether `priority` would need a level that there is no number for.
    pub fn lacks_level_for(&self, priority: f64) -> bool {
        self.ranking.len() == MAX_LEVELS && self.rank(priority).is_err()
    }

    /// Puts the entry at `place` at the recent end of its priority. -0 must have been made 0 before.
    pub fn enter(&mut self, slab: &mut Slab, place: Place, priority: f64) {
        self.settle(slab);
        let number = match self.rank(priority) {
            Ok(rank) => self.ranking[rank],
            Err(rank) => {
                let number = self.open(priority);
                self.ranking.insert(rank, number);
                number
            }
        };
        slab.set_level(place, number);
        let level = &mut self.levels[usize::from(number)];
        level.entries += 1;
        level.cost += u128::from(slab.cost(place));
        level.append(slab, place);
    }

    fn open(&mut self, priority: f64) -> u8 {
        let level = Level { priority, oldest: Place::NONE, newest: Place::NONE, entries: 0, cost: 0 };
        let number = match self.levels.iter().position(|level| level.entries == 0) {
            Some(free) => {
                self.levels[free] = level;
                free
            }
            None => {
                self.levels.push(level);
                self.levels.len() - 1
            }
        };
        u8::try_from(number).expect("there are at most 64 levels")
    }

    /// Cuts the entry's links; its level goes with its last entry.
    pub fn leave(&mut self, slab: &mut Slab, place: Place) {
        // Notes of it must not be found when its place is another's.
        self.settle(slab);
        let number = slab.level(place);
        let level = &mut self.levels[usize::from(number)];
        level.cut(slab, place);
        level.entries -= 1;
        level.cost -= u128::from(slab.cost(place));
        if level.entries == 0 {
            self.ranking.retain(|ranked| *ranked != number);
        }
    }

    /// Whether there is no room for another note.
    #[inline]
    pub fn is_page_full(&self) -> bool {
        self.noted as usize >= NOTES
    }

    /// The entry was used. There must be room for the note.
    #[inline(always)]
    pub fn note_use(&mut self, place: Place) {
        debug_assert!(!self.is_page_full());
        if let Some(note) = self.notes.get_mut(self.noted as usize) {
            *note = place;
            self.noted += 1;
        }
    }

    /// Works the noted uses into the lists, in the order in which they happened.
    #[inline]
    pub fn settle(&mut self, slab: &mut Slab) {
        if self.noted > 0 {
            self.settle_notes(slab);
        }
    }

    #[inline(never)]
    fn settle_notes(&mut self, slab: &mut Slab) {
        let notes = &self.notes[..self.noted as usize];
        // To move an entry is to write to its neighbours, far away: memory is asked for those of all before the first is moved.
        notes.iter().for_each(|place| slab.neighbours_needed_soon(*place));
        if let [level] = &mut self.levels[..] {
            notes.iter().for_each(|place| level.renew(slab, *place));
        } else {
            notes.iter().for_each(|place| self.levels[usize::from(slab.level(*place))].renew(slab, *place));
        }
        self.noted = 0;
    }

    /// Who leaves next if nobody is used before.
    pub fn oldest(&self) -> Option<Place> {
        self.ranking.first().and_then(|level| self.levels.get(usize::from(*level))).and_then(|level| level.oldest.some())
    }

    /// Who leaves next.
    pub fn next_victim(&mut self, slab: &mut Slab) -> Option<Place> {
        self.settle(slab);
        self.ranking.first().and_then(|level| self.levels[usize::from(*level)].oldest.some())
    }

    /// The lowest priority in use.
    pub fn lowest(&self) -> Option<f64> {
        self.ranking.first().map(|level| self.levels[usize::from(*level)].priority)
    }

    /// What all entries of a priority not above `priority` hold together.
    pub fn evictable(&self, priority: f64) -> Amount {
        let mut amount = Amount::default();
        for level in self.ranking.iter().map(|level| &self.levels[usize::from(*level)]).take_while(|level| level.priority <= priority) {
            amount.entries += level.entries;
            amount.cost += level.cost;
        }
        amount
    }

    /// Whether those who would leave to give back `need` are the last of their level. Walks them; asked only when there are
    /// 64 levels and a newcomer would be the 65th.
    pub fn frees_a_level(&mut self, slab: &mut Slab, need: Amount) -> bool {
        self.settle(slab);
        let Some(lowest) = self.ranking.first().map(|level| &self.levels[usize::from(*level)]) else { return false };
        let mut given = Amount::default();
        let mut next = lowest.oldest.some();
        while let Some(place) = next {
            if given.covers(need) {
                return false;
            }
            given.entries += 1;
            given.cost += u128::from(slab.cost(place));
            next = slab.newer(place).some();
        }
        true
    }
}

impl Level {
    /// The entry becomes the newest.
    #[inline]
    fn renew(&mut self, slab: &mut Slab, place: Place) {
        if self.newest == place {
            return;
        }
        let (older, newer) = (slab.older(place), slab.newer(place));
        // Not the newest, so there is a newer one.
        slab.set_older(newer, older);
        match older.some() {
            Some(older) => slab.set_newer(older, newer),
            None => self.oldest = newer,
        }
        slab.link_last(self.newest, place);
        self.newest = place;
    }

    #[inline]
    fn append(&mut self, slab: &mut Slab, place: Place) {
        slab.set_older(place, self.newest);
        slab.set_newer(place, Place::NONE);
        match self.newest.some() {
            Some(newest) => slab.set_newer(newest, place),
            None => self.oldest = place,
        }
        self.newest = place;
    }

    #[inline]
    fn cut(&mut self, slab: &mut Slab, place: Place) {
        let (older, newer) = (slab.older(place), slab.newer(place));
        match older.some() {
            Some(older) => slab.set_newer(older, newer),
            None => self.oldest = newer,
        }
        match newer.some() {
            Some(newer) => slab.set_older(newer, older),
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::departure::Departure;
    use super::super::slab::Held;
    use super::*;
    use crate::base::{Answer, Key, Millis};

    #[derive(Default)]
    struct World {
        slab: Option<Slab>,
        order: Option<Order>,
    }

    impl World {
        fn parts(&mut self) -> (&mut Slab, &mut Order) {
            (self.slab.get_or_insert_with(Slab::new), self.order.get_or_insert_with(Order::new))
        }

        fn enter(&mut self, priority: f64, cost: u64) -> Place {
            let (slab, order) = self.parts();
            let held = Held { key: Key::new(b""), answer: Answer::Null, cost, deadline: Millis::NEVER, stored_at: Millis(0) };
            let place = slab.insert(held, 1000);
            order.enter(slab, place, priority);
            place
        }

        fn leave(&mut self, place: Place) {
            let (slab, order) = self.parts();
            order.leave(slab, place);
            let mut left = Departure::BLANK;
            slab.remove(place, &mut left);
        }

        fn next_victim(&mut self) -> Option<Place> {
            let (slab, order) = self.parts();
            order.next_victim(slab)
        }

        fn leaving_order(&mut self) -> Vec<Place> {
            let mut left = Vec::new();
            while let Some(victim) = self.next_victim() {
                left.push(victim);
                self.leave(victim);
            }
            left
        }
    }

    #[test]
    fn s05_lowest_priority_leaves_first_then_the_least_recently_used() {
        let mut world = World::default();
        let [a, b, c, d] = [1.0, f64::NEG_INFINITY, 1.0, f64::INFINITY].map(|priority| world.enter(priority, 1));
        let (slab, order) = world.parts();
        order.note_use(a);
        order.settle(slab);
        assert_eq!(order.lowest(), Some(f64::NEG_INFINITY));
        assert_eq!(world.leaving_order(), [b, c, a, d]);
    }

    #[test]
    fn s05_what_can_be_evicted_is_known_from_totals() {
        let mut world = World::default();
        for (priority, cost) in [(0.0, 10), (0.0, 5), (1.0, 7), (2.0, u64::MAX), (2.0, u64::MAX)] {
            world.enter(priority, cost);
        }
        let order = world.parts().1;
        assert_eq!(order.evictable(-1.0), Amount::default());
        assert_eq!(order.evictable(0.5), Amount { entries: 2, cost: 15 });
        assert_eq!(order.evictable(1.0), Amount { entries: 3, cost: 22 });
        assert_eq!(order.evictable(f64::INFINITY), Amount { entries: 5, cost: 22 + 2 * u128::from(u64::MAX) });
    }

    #[test]
    fn s05_who_would_have_to_leave_is_told_with_every_use_in() {
        let mut world = World::default();
        let (dear, _cheap) = (world.enter(1.0, 10), world.enter(1.0, 1));
        let need = Amount { entries: 1, cost: 10 };
        let (slab, order) = world.parts();
        assert!(!order.frees_a_level(slab, need), "the dear one is older, and enough");
        order.note_use(dear);
        assert!(order.frees_a_level(slab, need), "the cheap one is older now, and not enough");
    }

    #[test]
    fn s05_a_level_ends_with_its_last_entry_and_its_number_is_used_again() {
        let mut world = World::default();
        let places: Vec<Place> = (0..MAX_LEVELS).map(|i| world.enter(i as f64, 1)).collect();
        assert!(world.parts().1.lacks_level_for(0.5));
        assert!(!world.parts().1.lacks_level_for(63.0));
        world.leave(places[17]);
        assert!(!world.parts().1.lacks_level_for(0.5));
        world.enter(0.5, 1);
        assert!(world.parts().1.lacks_level_for(17.0));
        assert_eq!(world.parts().1.levels.len(), MAX_LEVELS);
    }
}
