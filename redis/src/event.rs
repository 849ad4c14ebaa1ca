//! Something that happens once, and that one thread waits for.
//!
//! Not a channel of std: that would leave a few bytes allocated for the calling thread until it exits, which a leak checker would report.

use std::sync::{Condvar, Mutex, PoisonError};

/// A value that one thread sets and another one takes. Nothing else is done under its lock.
pub struct Event<T> {
    state: Mutex<State<T>>,
    is_set: Condvar,
}

enum State<T> {
    Awaited,
    Set(T),
    Taken,
}

impl<T> Event<T> {
    /// Creates an event that has not happened yet.
    pub fn new() -> Event<T> {
        Event { state: Mutex::new(State::Awaited), is_set: Condvar::new() }
    }

    /// Makes the event happen, with this value. Only the first call counts.
    pub fn set(&self, value: T) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Awaited = *state {
            *state = State::Set(value);
            self.is_set.notify_all();
        }
    }

    /// Waits for the event, and takes its value. To be called once.
    pub fn wait(&self) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match std::mem::replace(&mut *state, State::Taken) {
                State::Set(value) => return value,
                former => *state = former,
            }
            state = self.is_set.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts() {
        let event = Event::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                event.set(1);
                event.set(2);
            });
            assert_eq!(event.wait(), 1);
        });
        event.set(3);
    }
}
