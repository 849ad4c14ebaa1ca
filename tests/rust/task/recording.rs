//! An event sink for tests: records the events of a fetch, asserts that they are in order, and summarizes their outcomes.

use super::harness::{TestStore, note_end};
use kvlight::base::{Error, Status};
use kvlight::task::{BatchOutcome, Event, EventSink, FetchId, Outcome, Verdict};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The summary of an outcome, for comparison in tests.
#[derive(Clone, PartialEq, Debug)]
pub enum Summary {
    /// Not settled yet.
    Pending,
    Value(String),
    Null,
    Miss,
    InvalidKey,
    /// An expired value, and the status of the load's error; `None`: the load takes too long.
    Stale(Box<Summary>, Option<Status>),
    /// The library's own error.
    Failed(Status),
    /// The provider's error with this code.
    Error(i64),
}

pub fn failed_with(status: Status) -> Summary {
    Summary::Failed(status)
}

/// An expired value, served because the load failed with this status; `None`: because it takes too long.
pub fn stale(text: &str, failure: Option<Status>) -> Summary {
    Summary::Stale(Box::new(value(text)), failure)
}

pub fn value(text: &str) -> Summary {
    Summary::Value(text.into())
}

pub fn summary(verdict: &Verdict) -> Summary {
    match verdict {
        Verdict::Value(value) => Summary::Value(String::from_utf8_lossy(value.as_bytes().unwrap_or(b"an object")).into_owned()),
        Verdict::Null => Summary::Null,
        Verdict::Miss => Summary::Miss,
        Verdict::InvalidKey => Summary::InvalidKey,
        Verdict::Stale(stale) => {
            Summary::Stale(Box::new(summary(&stale.answer.clone().into())), stale.failure.as_ref().map(|error| error.status()))
        }
        Verdict::Failed(error) if error.status() == Status::ERR_PROVIDER => Summary::Error(error.code()),
        Verdict::Failed(error) => Summary::Failed(error.status()),
    }
}

thread_local! {
    static SETTLED: Cell<usize> = const { Cell::new(0) };
}

/// How many positions of all fetches have been settled on this thread so far.
pub fn settled() -> usize {
    SETTLED.get()
}

/// A result, as it was recorded.
#[derive(Debug, Clone)]
pub struct RecordedResult {
    pub index: usize,
    pub outcome: Outcome,
    pub last: bool,
    /// What a lookup of the key found when the result was recorded.
    pub in_store: Summary,
}

/// An event sink that records events.
#[derive(Clone)]
pub struct RecordingSink(Rc<RefCell<Recording>>);

#[derive(Default)]
struct Recording {
    keys: Vec<String>,
    store: TestStore,
    /// Events that were recorded and have not been delivered.
    pending: Vec<Event>,
    scheduled: bool,
    results: Vec<RecordedResult>,
    batch: Option<BatchOutcome>,
    progress: Vec<(usize, usize, usize)>,
    has_ended: bool,
    polled: (usize, usize),
    /// The kinds of all events, in order: `p`rogress, `r`esult, `b`atch.
    order: String,
    panics: bool,
}

impl EventSink for RecordingSink {
    fn post(&self, event: Event) -> bool {
        let mut recording = self.0.borrow_mut();
        assert!(!recording.panics, "the test requested this panic");
        assert!(!recording.has_ended, "an event was recorded after the last one: {event:?}");
        match &event {
            Event::Result { index, outcome, last } => {
                assert!(recording.results.iter().all(|result| result.index != *index), "position {index} has two results");
                let in_store = recording.store.lookup(recording.keys[*index].as_bytes());
                recording.results.push(RecordedResult { index: *index, outcome: outcome.clone(), last: *last, in_store });
                recording.has_ended = *last;
                recording.order.push('r');
            }
            Event::Batch(batch) => {
                recording.batch = Some(batch.clone());
                recording.has_ended = true;
                recording.order.push('b');
            }
            Event::Progress { done, failed, total } => {
                let stalled = recording.progress.last().is_some_and(|(before, ..)| before >= done);
                assert!(!stalled, "progress did not increase: {done} after {:?}", recording.progress);
                recording.progress.push((*done, *failed, *total));
                recording.order.push('p');
            }
        }
        recording.pending.push(event);
        !std::mem::replace(&mut recording.scheduled, true)
    }

    fn progress(&self, done: usize, failed: usize) {
        let mut recording = self.0.borrow_mut();
        SETTLED.set(SETTLED.get() + 1);
        assert!(done > recording.polled.0, "the number of settled positions did not increase");
        recording.polled = (done, failed);
    }
}

impl Drop for RecordingSink {
    fn drop(&mut self) {
        note_end();
    }
}

impl RecordingSink {
    pub fn new(keys: &[&str], store: &TestStore) -> RecordingSink {
        let keys = keys.iter().map(|key| key.to_string()).collect();
        RecordingSink(Rc::new(RefCell::new(Recording { keys, store: store.clone(), ..Recording::default() })))
    }

    /// Whether an event was recorded since the last delivery.
    pub fn has_pending(&self) -> bool {
        !self.0.borrow().pending.is_empty()
    }

    pub fn deliver(&self) {
        let mut recording = self.0.borrow_mut();
        recording.scheduled = false;
        recording.pending.clear();
    }
}

/// A fetch, and what was delivered to its caller.
#[derive(Clone)]
pub struct Waiter {
    /// `None` if all positions were settled in the call.
    pub id: Option<FetchId>,
    pub sink: RecordingSink,
}

impl Waiter {
    /// The summary of each position's outcome, in the order of the call.
    pub fn outcomes(&self) -> Vec<Summary> {
        let recording = self.sink.0.borrow();
        let mut outcomes = vec![Summary::Pending; recording.keys.len()];
        recording.results.iter().for_each(|result| outcomes[result.index] = summary(&result.outcome.verdict));
        if let Some(batch) = &recording.batch {
            outcomes = batch.outcomes.iter().map(|outcome| summary(&outcome.verdict)).collect();
        }
        outcomes
    }

    /// The summary of the only position's outcome.
    pub fn outcome(&self) -> Summary {
        let outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "the fetch has more than one position");
        outcomes[0].clone()
    }

    /// The complete outcome of one position.
    pub fn details(&self, index: usize) -> Outcome {
        let recording = self.sink.0.borrow();
        if let Some(batch) = &recording.batch {
            return batch.outcomes[index].clone();
        }
        recording.results.iter().find(|result| result.index == index).expect("the position has a result").outcome.clone()
    }

    /// The error with which the fetch as a whole ended early.
    pub fn ended(&self) -> Error {
        self.sink.0.borrow().batch.as_ref().and_then(|batch| batch.ended.clone()).expect("the fetch ended early")
    }

    pub fn error(&self, index: usize) -> Error {
        self.details(index).error().expect("the position failed").clone()
    }

    pub fn results(&self) -> Vec<RecordedResult> {
        self.sink.0.borrow().results.clone()
    }

    /// The summaries and the status of the batch, once it has ended.
    pub fn batch(&self) -> Option<(Vec<Summary>, Status)> {
        let recording = self.sink.0.borrow();
        let batch = recording.batch.as_ref()?;
        let status = batch.ended.as_ref().map_or(Status::OK, |error| error.status());
        Some((batch.outcomes.iter().map(|outcome| summary(&outcome.verdict)).collect(), status))
    }

    pub fn progress(&self) -> Vec<(usize, usize, usize)> {
        self.sink.0.borrow().progress.clone()
    }

    /// The numbers of settled positions and of those that failed, as a caller polls them.
    pub fn polled(&self) -> (usize, usize) {
        self.sink.0.borrow().polled
    }

    pub fn order(&self) -> String {
        self.sink.0.borrow().order.clone()
    }

    /// Whether the last event was recorded.
    pub fn has_ended(&self) -> bool {
        self.sink.0.borrow().has_ended
    }

    pub fn panic_on_next_event(&self) {
        self.sink.0.borrow_mut().panics = true;
    }
}
