//! Keys that another process loads: they are looked up again until the answer is there, for `l2.wait_ms` at most (rule T10).

use crate::base::Moment;
use crate::task::FlightId;
use crate::task::deadlines::DeadlineId;
use std::collections::BTreeMap;
use std::time::Duration;

/// The shortest and the longest pause between two looks.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(50);

/// The flights that wait for another process, and when each is looked up again.
#[derive(Default)]
pub(in crate::task) struct Polls {
    waits: BTreeMap<FlightId, Wait>,
    /// The next look of each flight, by its time and its number. Flights that have ended since are skipped.
    next: BTreeMap<(Moment, u64), FlightId>,
    nth: u64,
    /// The deadline of the first look in `next`.
    pub timer: Option<DeadlineId>,
}

/// How a flight waits.
struct Wait {
    until: Moment,
    /// Whether the look that is under way is the last one, which may take the lease over.
    is_last: bool,
}

impl Polls {
    /// Another process loads the flight's key. Returns whether the flight waits for that load. It does not after its last look, nor if
    /// `most`, the longest wait, is zero.
    pub fn wait(&mut self, flight: FlightId, now: Moment, most: Duration) -> bool {
        if most.is_zero() || self.is_last(flight) {
            return false;
        }
        let until = self.waits.entry(flight).or_insert_with(|| Wait { until: now.after(most), is_last: false }).until;
        // The longer the wait, the rarer the looks: each pause is a quarter of the wait so far.
        let began = until.before(most);
        let pause = (now.since(began) / 4).clamp(SHORTEST, LONGEST);
        self.nth += 1;
        self.next.insert((now.after(pause).min(until).max(now), self.nth), flight);
        true
    }

    /// Whether the flight has begun to wait.
    pub fn has_waited(&self, flight: FlightId) -> bool {
        self.waits.contains_key(&flight)
    }

    /// A look of the flight begins. Returns whether it may take the lease over, because the flight has waited for as long as it may.
    pub fn begin_look(&mut self, flight: FlightId, now: Moment) -> bool {
        let Some(wait) = self.waits.get_mut(&flight) else { return false };
        wait.is_last = wait.until <= now;
        wait.is_last
    }

    /// Whether the look that is under way may take the lease over.
    pub fn is_last(&self, flight: FlightId) -> bool {
        self.waits.get(&flight).is_some_and(|wait| wait.is_last)
    }

    /// The flights that have begun to wait. For checks.
    pub fn flights(&self) -> impl Iterator<Item = FlightId> {
        self.waits.keys().copied()
    }

    /// Whether the flight waits for its next look.
    pub fn contains(&self, flight: FlightId) -> bool {
        self.next.values().any(|other| *other == flight)
    }

    /// How many flights wait for their next look.
    pub fn len(&self) -> usize {
        self.next.len()
    }

    /// When the next look is due.
    pub fn next_at(&self) -> Option<Moment> {
        self.next.first_key_value().map(|((at, _), _)| *at)
    }

    /// Removes and returns the next flight whose look is due.
    pub fn pop(&mut self, now: Moment) -> Option<FlightId> {
        let first = self.next.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// Forgets how long a flight has waited, because it has ended.
    pub fn forget(&mut self, flight: FlightId) {
        self.waits.remove(&flight);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Polls::default();
    }
}
