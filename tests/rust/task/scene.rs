//! A flight of `k` in each state of the table of states, for the stories in `cells` and `cells_host`.

use super::world::{Said, Waiter, World, ms};
use kvlight::base::config::QueueOrder;
use kvlight::task::{Form, Unanswered};

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum State {
    Absent,
    Deferred,
    Queued,
    Running,
    Overtaken,
    Told,
    Backoff,
    OvertakenBackoff,
    Ended,
}

pub use State::*;

pub const WAITING: [State; 3] = [Deferred, Queued, Backoff];
pub const ALL: [State; 9] = [Absent, Deferred, Queued, Running, Overtaken, Told, Backoff, OvertakenBackoff, Ended];

/// A world in which the flight of `k` is in some state. Two slots, requests of one key, two places of which a fetch gets one,
/// one retry after 100 ms. Request 0 is with the provider all the time.
pub struct Scene {
    pub world: World,
    /// Who asked for `k`: its last position.
    pub waiter: Waiter,
    /// The request that holds `k`, or held it.
    pub mine: usize,
    /// An abandoned request that once asked for `k`.
    pub late: Option<usize>,
}

impl Scene {
    pub fn new(state: State) -> Scene {
        Scene::build(state, false)
    }

    /// The same, after an earlier attempt for `k` ran out of time whose answer may still come.
    pub fn after_a_late_attempt(state: State) -> Scene {
        Scene::build(state, true)
    }

    fn build(state: State, has_late: bool) -> Scene {
        let mut world = World::with(|settings| {
            let tasks = &mut settings.tasks;
            (tasks.max_running, tasks.batch_max_keys, tasks.queue_max_keys) = (2, 1, 2);
            tasks.queue_order = QueueOrder::Lifo;
            settings.fetch.attempt_timeout = Some(ms(1_000));
            settings.fetch.retry.fixed = ms(100);
            settings.fetch.retry.count = Some(0);
        });
        // A retry policy of its own, so that the attempt before leaves no flight behind.
        let late = has_late.then(|| {
            world.fetch("k");
            world.advance(1_000);
            0
        });
        let first = world.requests.len();
        world.fetch("busy");
        if matches!(state, Deferred | Queued) {
            world.fetch("busy too");
        }
        let keys: &[&str] = match state {
            Absent => &["!nothing"],
            Deferred => &["first", "k"],
            _ => &["k"],
        };
        let waiter = world.ask(Form::Each, keys, |options| options.fetch.retry.count = Some(1));
        let mine = first + 1;
        match state {
            Absent | Deferred | Queued | Running => {}
            Overtaken => world.remove("k"),
            Told => world.cancel(&waiter),
            Backoff => {
                world.fail(mine, "k", 1);
            }
            OvertakenBackoff => {
                world.remove("k");
                world.fail(mine, "k", 1);
            }
            Ended => {
                world.finish_with(mine, Unanswered::Null);
                world.remove("k");
            }
        }
        Scene { world, waiter, mine, late }
    }

    pub fn told(&self) -> Said {
        self.waiter.outcomes().last().expect("a position").clone()
    }

    pub fn in_flight(&self) -> u64 {
        self.world.table.gauges().in_flight
    }

    /// How many requests for `k` were handed out.
    pub fn loads(&self) -> usize {
        self.world.handed().iter().filter(|keys| keys[..] == ["k"]).count()
    }

    /// Lets the provider finish everything that it has or gets.
    pub fn run_dry(&mut self, answer: &str) {
        self.world.advance(100);
        let mut nth = 0;
        while nth < self.world.requests.len() {
            let keys = self.world.requests[nth].keys();
            self.world.answer(nth, &keys[0], answer);
            self.world.finish(nth);
            nth += 1;
        }
    }
}
