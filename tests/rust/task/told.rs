//! What a fetch was told: event sinks that remember, and refuse what must not be.

use super::world::{Shelf, note_end};
use kvlight::base::{Error, Status};
use kvlight::task::{BatchOutcome, Event, EventSink, FetchId, Outcome, Verdict};
use std::cell::RefCell;
use std::rc::Rc;

/// What a position was told, as a story would say it.
#[derive(Clone, PartialEq, Debug)]
pub enum Said {
    /// It was told nothing so far.
    Nothing,
    Value(String),
    Null,
    Miss,
    InvalidKey,
    /// What is past its end, and what the load failed with.
    Stale(Box<Said>, Option<Status>),
    /// The library's own error.
    Failed(Status),
    /// The provider's error with this code.
    Error(i64),
}

pub fn failed_with(status: Status) -> Said {
    Said::Failed(status)
}

/// A value past its end, told because the load failed with that; `None`: because it takes too long.
pub fn stale(text: &str, failure: Option<Status>) -> Said {
    Said::Stale(Box::new(value(text)), failure)
}

pub fn value(text: &str) -> Said {
    Said::Value(text.into())
}

pub fn said(verdict: &Verdict) -> Said {
    match verdict {
        Verdict::Value(value) => Said::Value(String::from_utf8_lossy(value.as_bytes().unwrap_or(b"an object")).into_owned()),
        Verdict::Null => Said::Null,
        Verdict::Miss => Said::Miss,
        Verdict::InvalidKey => Said::InvalidKey,
        Verdict::Stale(stale) => {
            Said::Stale(Box::new(said(&stale.answer.clone().into())), stale.failure.as_ref().map(|error| error.status()))
        }
        Verdict::Failed(error) if error.status() == Status::ERR_PROVIDER => Said::Error(error.code()),
        Verdict::Failed(error) => Said::Failed(error.status()),
    }
}

/// One event as it was told.
#[derive(Debug, Clone)]
pub struct Told {
    pub index: usize,
    pub outcome: Outcome,
    pub last: bool,
    /// What the store had of the key at the moment the event was posted.
    pub in_store: Said,
}

/// Where the events of one fetch are collected.
#[derive(Clone)]
pub struct Post(Rc<RefCell<Posted>>);

#[derive(Default)]
struct Posted {
    keys: Vec<String>,
    shelf: Shelf,
    /// Posted and not delivered.
    waiting: Vec<Event>,
    scheduled: bool,
    told: Vec<Told>,
    batch: Option<BatchOutcome>,
    progress: Vec<(usize, usize, usize)>,
    over: bool,
    polled: (usize, usize),
    /// The order of all events: `p`rogress, `r`esult, `b`atch.
    order: String,
    breaks: bool,
}

impl EventSink for Post {
    fn post(&self, event: Event) -> bool {
        let mut posted = self.0.borrow_mut();
        assert!(!posted.breaks, "the sink breaks");
        assert!(!posted.over, "an event came after the last one: {event:?}");
        match &event {
            Event::Result { index, outcome, last } => {
                assert!(posted.told.iter().all(|told| told.index != *index), "position {index} was told twice");
                let in_store = posted.shelf.lookup(posted.keys[*index].as_bytes());
                posted.told.push(Told { index: *index, outcome: outcome.clone(), last: *last, in_store });
                posted.over = *last;
                posted.order.push('r');
            }
            Event::Batch(batch) => {
                posted.batch = Some(batch.clone());
                posted.over = true;
                posted.order.push('b');
            }
            Event::Progress { done, failed, total } => {
                let fell = posted.progress.last().is_some_and(|(before, ..)| before >= done);
                assert!(!fell, "progress fell or stood still: {done} after {:?}", posted.progress);
                posted.progress.push((*done, *failed, *total));
                posted.order.push('p');
            }
        }
        posted.waiting.push(event);
        !std::mem::replace(&mut posted.scheduled, true)
    }

    fn progress(&self, done: usize, failed: usize) {
        let mut posted = self.0.borrow_mut();
        assert!(done > posted.polled.0, "the number of settled positions fell or stood still");
        posted.polled = (done, failed);
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        note_end();
    }
}

impl Post {
    pub fn new(keys: &[&str], shelf: &Shelf) -> Post {
        let keys = keys.iter().map(|key| key.to_string()).collect();
        Post(Rc::new(RefCell::new(Posted { keys, shelf: shelf.clone(), ..Posted::default() })))
    }

    /// Whether something was posted since the last delivery.
    pub fn waits(&self) -> bool {
        !self.0.borrow().waiting.is_empty()
    }

    pub fn deliver(&self) {
        let mut posted = self.0.borrow_mut();
        posted.scheduled = false;
        posted.waiting.clear();
    }
}

/// A fetch as its caller sees it.
#[derive(Clone)]
pub struct Waiter {
    /// `None`: everything was settled in the call.
    pub id: Option<FetchId>,
    pub post: Post,
}

impl Waiter {
    /// What each position was told, in the order asked.
    pub fn outcomes(&self) -> Vec<Said> {
        let posted = self.post.0.borrow();
        let mut outcomes = vec![Said::Nothing; posted.keys.len()];
        posted.told.iter().for_each(|told| outcomes[told.index] = said(&told.outcome.verdict));
        if let Some(batch) = &posted.batch {
            outcomes = batch.outcomes.iter().map(|outcome| said(&outcome.verdict)).collect();
        }
        outcomes
    }

    /// What the only position was told.
    pub fn outcome(&self) -> Said {
        let outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "the fetch has more than one position");
        outcomes[0].clone()
    }

    /// The whole outcome of one position.
    pub fn details(&self, index: usize) -> Outcome {
        let posted = self.post.0.borrow();
        if let Some(batch) = &posted.batch {
            return batch.outcomes[index].clone();
        }
        posted.told.iter().find(|told| told.index == index).expect("the position was told").outcome.clone()
    }

    /// What the whole ended with.
    pub fn ended(&self) -> Error {
        self.post.0.borrow().batch.as_ref().and_then(|batch| batch.ended.clone()).expect("the whole ended early")
    }

    pub fn error(&self, index: usize) -> Error {
        self.details(index).error().expect("the position failed").clone()
    }

    pub fn told(&self) -> Vec<Told> {
        self.post.0.borrow().told.clone()
    }

    /// How the batch ended, if it did: its results and its own status.
    pub fn batch(&self) -> Option<(Vec<Said>, Status)> {
        let posted = self.post.0.borrow();
        let batch = posted.batch.as_ref()?;
        let status = batch.ended.as_ref().map_or(Status::OK, |error| error.status());
        Some((batch.outcomes.iter().map(|outcome| said(&outcome.verdict)).collect(), status))
    }

    pub fn progress(&self) -> Vec<(usize, usize, usize)> {
        self.post.0.borrow().progress.clone()
    }

    /// How many positions are settled, and how many of them failed, as one who asks hears it.
    pub fn polled(&self) -> (usize, usize) {
        self.post.0.borrow().polled
    }

    pub fn order(&self) -> String {
        self.post.0.borrow().order.clone()
    }

    /// Whether the last event came.
    pub fn is_over(&self) -> bool {
        self.post.0.borrow().over
    }

    pub fn break_mailbox(&self) {
        self.post.0.borrow_mut().breaks = true;
    }
}
