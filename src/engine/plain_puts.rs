//! Puts that run no host code, into a cache without an engine: the store does all there is to do.

use super::Core;
use crate::base::Status;
use crate::base::hint::rarely;
use crate::cache::{Departures, NewEntry, PutOutcome};

impl Core {
    /// Whether a put runs host code before it returns, or affects loads.
    #[inline(always)]
    pub fn puts_call_host(&self) -> bool {
        rarely(self.puts_call_host)
    }

    /// Like [`Core::put_from`], for a cache for which [`Core::puts_call_host`] is false.
    #[inline(always)]
    pub fn put_plainly(&self, key: &[u8], entry: &mut NewEntry, left: &mut Departures) -> Result<Status, Status> {
        self.check_open()?;
        // Only a fetch serves stale entries, and this cache has no fetches.
        entry.terms.stale_ms = Some(0);
        let put = self.store.put_from(key, entry, &self.clock, left);
        self.entry_stored(put);
        self.throttle_writer(1);
        status_of(put)
    }

    /// Makes the timer wake in time for an entry that was stored, if it expires.
    #[inline(always)]
    pub(super) fn entry_stored(&self, put: PutOutcome) {
        if let PutOutcome::Stored { expires_at: Some(end), .. } = put {
            self.entry_due(end);
        }
    }
}

/// The status for the outcome of a put in the C API.
#[inline(always)]
pub(super) fn status_of(put: PutOutcome) -> Result<Status, Status> {
    match put {
        PutOutcome::Stored { .. } => Ok(Status::OK),
        PutOutcome::Refused => Ok(Status::REFUSED),
        PutOutcome::TooLarge => Ok(Status::TOO_LARGE),
        PutOutcome::Conflict => Ok(Status::CONFLICT),
        PutOutcome::Missing => Ok(Status::MISS),
        PutOutcome::NoMemory => Err(Status::ERR_NO_MEMORY),
    }
}
