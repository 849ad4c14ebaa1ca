//! The outcome that a position is settled with.

use crate::base::{Answer, Error, Status, Value};

/// How one position of a fetch was settled (rules F01, F22).
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The result itself.
    pub verdict: Verdict,
    /// Where it came from.
    pub source: Source,
    /// How many attempts the flight made.
    pub attempts: u32,
    /// How long ago the answer was loaded or put, in milliseconds.
    pub age_ms: u64,
    /// How long it will live, in milliseconds: -1 for ever, 0 when it is not stored.
    pub ttl_left_ms: i64,
    /// What its entry costs; 0 when it is not stored.
    pub cost: u64,
}

/// The result of a position.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The record.
    Value(Value),
    /// There is no such record.
    Null,
    /// The store does not have the key, and the fetch asked only for what is cached.
    Miss,
    /// The validator refused the key.
    InvalidKey,
    /// No answer, for this reason.
    Failed(Error),
    /// An answer whose time is over, for want of a better one (rule R02).
    Stale(Box<Stale>),
}

/// An answer whose time is over.
#[derive(Clone, Debug)]
pub struct Stale {
    /// The value, or null.
    pub answer: Answer,
    /// What the load failed with; `None`: nothing failed, it takes too long.
    pub failure: Option<Error>,
}

/// Where an outcome came from. The numbers are part of the C API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Source {
    /// There is no answer.
    None = 0,
    /// The store had it.
    Store = 1,
    /// This fetch started the load.
    Provider = 2,
    /// Another fetch had started the load.
    Joined = 3,
    /// A put settled the waiting load.
    Put = 4,
    /// The remembered error of an earlier load.
    ErrorMemory = 5,
    /// The store had it, though its time was over.
    Stale = 6,
}

impl Outcome {
    /// An outcome without an answer.
    pub fn bare(verdict: Verdict) -> Outcome {
        Outcome { verdict, source: Source::None, attempts: 0, age_ms: 0, ttl_left_ms: 0, cost: 0 }
    }

    /// A failure.
    pub fn failed(error: Error) -> Outcome {
        Outcome::bare(Verdict::Failed(error))
    }

    /// An answer from somewhere.
    pub fn of(answer: Answer, source: Source) -> Outcome {
        Outcome { source, ..Outcome::bare(answer.into()) }
    }

    /// An answer as the store still has it, told without a failure.
    pub fn as_stale(self) -> Outcome {
        self.stale_after(None)
    }

    /// The same, told instead of a failure.
    pub fn with_failure(self, failure: Error) -> Outcome {
        self.stale_after(Some(failure))
    }

    fn stale_after(self, failure: Option<Error>) -> Outcome {
        let answer = match self.verdict {
            Verdict::Value(value) => Answer::Value(value),
            _ => Answer::Null,
        };
        Outcome { verdict: Verdict::Stale(Box::new(Stale { answer, failure })), source: Source::Stale, ..self }
    }

    /// The error, if it failed.
    pub fn error(&self) -> Option<&Error> {
        match &self.verdict {
            Verdict::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Why an all-or-nothing batch with this outcome ends before it begins: the key is too long, or the validator refused it.
    pub fn refusal(&self) -> Option<Error> {
        match &self.verdict {
            Verdict::Failed(error) => Some(error.clone()),
            Verdict::InvalidKey => Some(Error::of(Status::INVALID_KEY)),
            Verdict::Value(_) | Verdict::Null | Verdict::Miss | Verdict::Stale(_) => None,
        }
    }

    /// Whether dropping it may run host code.
    pub fn runs_host_code_on_drop(&self) -> bool {
        match &self.verdict {
            Verdict::Value(value) => value.runs_host_code_on_drop(),
            Verdict::Failed(error) => error.runs_host_code_on_drop(),
            Verdict::Stale(stale) => {
                stale.answer.runs_host_code_on_drop() || stale.failure.as_ref().is_some_and(|error| error.runs_host_code_on_drop())
            }
            Verdict::Null | Verdict::Miss | Verdict::InvalidKey => false,
        }
    }

    /// The status that reports it.
    pub fn status(&self) -> Status {
        match &self.verdict {
            Verdict::Value(_) => Status::VALUE,
            Verdict::Null => Status::NULL,
            Verdict::Miss => Status::MISS,
            Verdict::InvalidKey => Status::INVALID_KEY,
            Verdict::Failed(error) => error.status(),
            Verdict::Stale(stale) if stale.answer.value().is_some() => Status::VALUE,
            Verdict::Stale(_) => Status::NULL,
        }
    }
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Verdict {
        match answer {
            Answer::Value(value) => Verdict::Value(value),
            Answer::Null => Verdict::Null,
        }
    }
}

/// How a whole batch ended: a result for each position, in the order asked (rules F05, F17, F18).
#[derive(Clone, Debug)]
pub struct BatchOutcome {
    /// One for each position.
    pub outcomes: Vec<Outcome>,
    /// Why the fetch as a whole ended early, if it did.
    pub ended: Option<Error>,
}
