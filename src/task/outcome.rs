//! The outcome with which a position is settled.

use crate::base::variants::variants;
use crate::base::{Answer, Error, Status, Value};

/// The result of one position of a fetch (rules F01, F22).
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The result itself.
    pub verdict: Verdict,
    /// Where the answer came from.
    pub source: Source,
    /// The number of attempts that the flight made.
    pub attempts: u32,
    /// The time since the answer was loaded or put, in milliseconds.
    pub age_ms: u64,
    /// How long the answer stays in the store, in milliseconds: -1 if it does not expire, 0 if it is not stored.
    pub ttl_left_ms: i64,
    /// The cost of the entry in bytes; 0 if the answer is not stored.
    pub cost: u64,
}

/// The result of a position.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The record.
    Value(Value),
    /// There is no such record.
    Null,
    /// The store has no entry for the key, and the fetch asked only for cached values.
    Miss,
    /// The validator refused the key.
    InvalidKey,
    /// There is no answer, for this reason.
    Failed(Error),
    /// An expired answer that is served as a fallback (rule R02).
    Stale(Box<Stale>),
}

/// An expired answer.
#[derive(Clone, Debug)]
pub struct Stale {
    /// The value, or null.
    pub answer: Answer,
    /// The error of the load; `None` if it did not fail, but is still running.
    pub failure: Option<Error>,
}

variants! {
    /// The source of an outcome. The numbers are part of the C API.
    #[non_exhaustive]
    #[repr(u32)]
    pub enum Source {
        /// There is no answer.
        None = 0,
        /// The store.
        Store = 1,
        /// The provider, by a load that this fetch started.
        Provider = 2,
        /// The provider, by a load that another fetch had started.
        Joined = 3,
        /// A put, which settled a load that was not with the provider.
        Put = 4,
        /// The remembered error of an earlier load.
        ErrorMemory = 5,
        /// The store, which had it as a fallback.
        Stale = 6,
        /// The second tier.
        SecondTier = 7,
    }
}

impl Outcome {
    /// Creates an outcome without an answer.
    pub fn bare(verdict: Verdict) -> Outcome {
        Outcome { verdict, source: Source::None, attempts: 0, age_ms: 0, ttl_left_ms: 0, cost: 0 }
    }

    /// Creates a failure.
    pub fn failed(error: Error) -> Outcome {
        Outcome::bare(Verdict::Failed(error))
    }

    /// Creates an outcome with an answer from this source.
    pub fn of(answer: Answer, source: Source) -> Outcome {
        Outcome { source, ..Outcome::bare(answer.into()) }
    }

    /// Adds the facts of the load that it is the outcome of.
    #[inline(always)]
    pub fn of_load(self, attempts: u32) -> Outcome {
        Outcome { attempts, ..self }
    }

    /// Turns an answer of the store into a fallback that is served without a failure.
    pub fn as_stale(self) -> Outcome {
        self.stale_after(None)
    }

    /// Turns an answer of the store into a fallback that is served in place of this failure.
    pub fn with_failure(self, failure: Error) -> Outcome {
        self.stale_after(Some(failure))
    }

    fn stale_after(self, failure: Option<Error>) -> Outcome {
        let answer = match self.verdict {
            Verdict::Value(value) => Answer::Value(value),
            Verdict::Null | Verdict::Miss | Verdict::InvalidKey | Verdict::Failed(_) | Verdict::Stale(_) => Answer::Null,
        };
        Outcome { verdict: Verdict::Stale(Box::new(Stale { answer, failure })), source: Source::Stale, ..self }
    }

    /// The error, if the position failed.
    pub fn error(&self) -> Option<&Error> {
        match &self.verdict {
            Verdict::Failed(error) => Some(error),
            Verdict::Value(_) | Verdict::Null | Verdict::Miss | Verdict::InvalidKey | Verdict::Stale(_) => None,
        }
    }

    /// The error with which this outcome ends an all-or-nothing batch before anything is loaded: the key is too long, or the validator
    /// refused it. `None` for any other outcome.
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

    /// The status that reports this outcome to the program.
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

/// The results of a whole batch (rules F05, F17, F18).
#[derive(Clone, Debug)]
pub struct BatchOutcome {
    /// One for each position, in the order of the call.
    pub outcomes: Vec<Outcome>,
    /// Why the fetch as a whole ended early, if it did.
    pub ended: Option<Error>,
}
