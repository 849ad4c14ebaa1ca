//! Puts a flight of `k` into each state of the table of states, for the tests in `cells*.rs`.

use super::harness::{Harness, Summary, Waiter, ms};
use kvlight::base::config::QueueOrder;
use kvlight::task::{Form, Unanswered};

/// A column of the table of states.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum State {
    Absent,
    Deferred,
    Queued,
    Running,
    Overtaken,
    Unwanted,
    Backoff,
    OvertakenBackoff,
    Ended,
}

pub use State::*;

pub const WAITING: [State; 3] = [Deferred, Queued, Backoff];
pub const ALL: [State; Ended as usize + 1] = [Absent, Deferred, Queued, Running, Overtaken, Unwanted, Backoff, OvertakenBackoff, Ended];

/// A harness in which the flight of `k` is in some state. There are two slots, requests of one key, and two places, of which a fetch may
/// hold one. `k` is retried once, after 100 ms. The request for `busy` is with the provider all the time.
pub struct Scene {
    pub harness: Harness,
    /// The fetch of `k`, whose last position is `k`.
    pub waiter: Waiter,
    /// The index of the request for `k`.
    pub request: usize,
    /// The index of an abandoned request for `k`.
    pub late: Option<usize>,
}

impl Scene {
    pub fn new(state: State) -> Scene {
        Scene::build(state, false)
    }

    /// As `new`, but an earlier attempt for `k` has timed out, and its answer may still arrive.
    pub fn after_a_late_attempt(state: State) -> Scene {
        Scene::build(state, true)
    }

    fn build(state: State, has_late: bool) -> Scene {
        let mut harness = Harness::with(|settings| {
            let tasks = &mut settings.tasks;
            (tasks.max_running, tasks.batch_max_keys, tasks.queue_max_keys) = (2, 1, 2);
            tasks.queue_order = QueueOrder::Lifo;
            settings.fetch.attempt_timeout = Some(ms(1_000));
            settings.fetch.retry.fixed = ms(100);
            settings.fetch.retry.count = Some(0);
        });
        // This fetch is not retried, so that its attempt leaves no flight behind when it times out.
        let late = has_late.then(|| {
            harness.fetch("k");
            harness.advance(1_000);
            0
        });
        let first = harness.requests.len();
        harness.fetch("busy");
        if matches!(state, Deferred | Queued) {
            harness.fetch("busy too");
        }
        let keys: &[&str] = match state {
            Absent => &["!nothing"],
            Deferred => &["first", "k"],
            _ => &["k"],
        };
        let waiter = harness.ask(Form::Each, keys, |options| options.fetch.retry.count = Some(1));
        let request = first + 1;
        match state {
            Absent | Deferred | Queued | Running => {}
            Overtaken => harness.remove("k"),
            Unwanted => harness.cancel(&waiter),
            Backoff => {
                harness.fail(request, "k", 1);
            }
            OvertakenBackoff => {
                harness.remove("k");
                harness.fail(request, "k", 1);
            }
            Ended => {
                harness.finish_with(request, Unanswered::Null);
                harness.remove("k");
            }
        }
        Scene { harness, waiter, request, late }
    }

    pub fn outcome(&self) -> Summary {
        self.waiter.outcomes().last().expect("there is a position").clone()
    }

    pub fn in_flight(&self) -> u64 {
        self.harness.table.gauges().in_flight
    }

    /// The number of requests for `k` that were handed out.
    pub fn loads(&self) -> usize {
        self.harness.handed().iter().filter(|keys| keys[..] == ["k"]).count()
    }

    /// Lets a retry become due, and the provider answer and finish every request that it has or receives.
    pub fn finish_everything(&mut self, answer: &str) {
        self.harness.advance(100);
        let mut nth = 0;
        while nth < self.harness.requests.len() {
            let keys = self.harness.requests[nth].keys();
            self.harness.answer(nth, &keys[0], answer);
            self.harness.finish(nth);
            nth += 1;
        }
    }
}
