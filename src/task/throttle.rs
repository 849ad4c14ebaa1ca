//! Keys that are not loaded again for a while, because a load failed and a fallback was served in its place (rule R03).
//!
//! All pauses have the same length, so that the first to begin is the first to end. The list of keys needs no bound, because only a failed
//! load adds a key, and the key leaves when its pause ends.

use super::fifo_map::{Emptied, FifoMap, Remembered};
use crate::base::{Error, Key, Moment};
use std::time::Duration;

/// The keys that are not to be loaded, with the errors of their loads.
pub struct Throttle {
    /// The oldest pause is the first to end.
    pauses: FifoMap<Pause>,
    length: Duration,
}

struct Pause {
    error: Error,
    until: Moment,
}

impl Remembered for Pause {
    fn runs_host_code_on_drop(&self) -> bool {
        self.error.runs_host_code_on_drop()
    }
}

impl Throttle {
    /// Creates a throttle with pauses of this length; zero: no pauses.
    pub fn new(length: Duration) -> Throttle {
        Throttle { pauses: FifoMap::new(), length }
    }

    /// The error of the last load of `key`, if its pause has not ended.
    pub fn recall(&self, key: &[u8], now: Moment) -> Option<Error> {
        self.pauses.get(key).filter(|pause| pause.until > now).map(|pause| pause.error.clone())
    }

    /// Begins a pause of `key` at `now`. An error that it replaces is passed to `gone`.
    pub fn begin(&mut self, key: &Key, error: &Error, now: Moment, gone: &mut impl FnMut(Error)) {
        if !self.length.is_zero() {
            let pause = Pause { error: error.clone(), until: now.after(self.length) };
            self.pauses.insert(key, pause).into_iter().for_each(|older| gone(older.error));
        }
    }

    /// Ends the pause of `key`.
    pub fn end(&mut self, key: &[u8], gone: &mut impl FnMut(Error)) {
        self.pauses.remove(key).into_iter().for_each(|pause| gone(pause.error));
    }

    /// Ends up to `most` pauses that are due.
    pub fn end_due(&mut self, most: usize, now: Moment, gone: &mut impl FnMut(Error)) {
        for _ in 0..most {
            if self.next_due().is_none_or(|due| due > now) {
                return;
            }
            self.pauses.pop_oldest().into_iter().for_each(|(_, pause)| gone(pause.error));
        }
    }

    /// The time at which the first pause ends.
    pub fn next_due(&self) -> Option<Moment> {
        self.pauses.oldest().map(|(_, pause)| pause.until)
    }

    /// Whether there is no pause.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pauses.is_empty()
    }

    /// Ends all pauses. Returns them, if there are any, to be dropped once the lock is released.
    #[must_use]
    pub fn clear(&mut self) -> Option<Emptied> {
        self.pauses.take_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Object;
    use std::ffi::c_void;

    extern "C-unwind" fn ignore(_: *mut c_void) {}

    #[test]
    fn l01_r03_errors_with_an_object_of_the_program_are_dropped_where_its_code_may_run() {
        for object in [None, Some(Object::new(std::ptr::null_mut(), Some(ignore)))] {
            let has_object = object.is_some();
            let mut throttle = Throttle::new(Duration::from_secs(1));
            throttle.begin(&Key::new(b"a"), &Error::of_provider(7, b"", false, object), Moment(0), &mut drop);
            assert_eq!(throttle.clear().expect("a pause").runs_host_code, has_object);
        }
    }
}
