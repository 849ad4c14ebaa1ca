//! An answer for a key: a value, or null, which means that there is no such record.

use super::Value;

/// An answer. `Null` is stored like a value.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The record.
    Value(Value),
    /// There is no such record.
    Null,
}

impl Answer {
    /// The cost of the value itself, in bytes; 0 for null.
    pub fn cost(&self) -> u64 {
        match self {
            Answer::Value(value) => value.cost(),
            Answer::Null => 0,
        }
    }

    /// The value; `None` for null.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Answer::Value(value) => Some(value),
            Answer::Null => None,
        }
    }

    /// Turns the answer into its value; `None` for null.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Answer::Value(value) => Some(value),
            Answer::Null => None,
        }
    }

    /// Whether both are handles of the same value, or both are null. Values are not compared by content.
    pub fn is(&self, other: &Answer) -> bool {
        match (self, other) {
            (Answer::Value(one), Answer::Value(other)) => one.as_raw() == other.as_raw(),
            (Answer::Null, Answer::Null) => true,
            _ => false,
        }
    }

    /// Like `clone`, but without an atomic operation if this is the only reference.
    #[inline]
    pub fn share(&mut self) -> Answer {
        match self {
            Answer::Value(value) => Answer::Value(value.share()),
            Answer::Null => Answer::Null,
        }
    }

    /// Takes the answer out and leaves null.
    pub fn take(&mut self) -> Answer {
        std::mem::replace(self, Answer::Null)
    }

    /// Whether destroying the answer runs no host code and reports no DROP event.
    pub fn ends_silently(&self) -> bool {
        self.value().is_none_or(Value::ends_silently)
    }

    /// Whether dropping the last reference runs host code on the dropping thread. Such an answer is dropped only where callbacks may run.
    pub fn runs_host_code_on_drop(&self) -> bool {
        self.value().is_some_and(Value::runs_host_code_on_drop)
    }
}
