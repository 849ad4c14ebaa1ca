//! Points in time and durations, with a type for each clock so that they cannot be confused (rule S15).

use std::num::NonZeroU64;
use std::time::Duration;

/// A point on the suspend-aware clock, which expiry uses: milliseconds since an arbitrary start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// Later than any time that the clock shows.
    pub const NEVER: Millis = Millis(u64::MAX);

    /// Adds `span_ms` milliseconds, saturating at [`Millis::NEVER`].
    pub fn after(self, span_ms: u64) -> Millis {
        Millis(self.0.saturating_add(span_ms))
    }

    /// The milliseconds since `earlier`; 0 if that is in the future.
    pub fn since(self, earlier: Millis) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The present time, to the precision of a coarse clock. Expiry times are set from the latest possible time and compared with the earliest,
/// so that no entry expires too early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Present {
    /// The earliest possible time.
    pub earliest: Millis,
    /// The latest possible time.
    pub latest: Millis,
}

/// A point on the monotonic clock, which timeouts, backoff and linger use: nanoseconds since an arbitrary start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Later than any time that the clock shows.
    pub const NEVER: Moment = Moment(u64::MAX);

    /// Adds `span`, saturating at [`Moment::NEVER`].
    pub fn after(self, span: Duration) -> Moment {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(nanos))
    }

    /// Subtracts `span`, saturating at the start of the clock.
    pub fn before(self, span: Duration) -> Moment {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_sub(nanos))
    }

    /// The time since `earlier`; zero if that is in the future.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// How long an entry stays fresh (rule S06).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ttl {
    /// It does not expire.
    Never,
    /// This many milliseconds.
    For(NonZeroU64),
    /// It is not stored, and an existing entry under the key is removed.
    DoNotStore,
}

impl Ttl {
    /// The TTL of `ms` milliseconds; 0 means "do not store".
    pub fn of_ms(ms: u64) -> Ttl {
        NonZeroU64::new(ms).map_or(Ttl::DoNotStore, Ttl::For)
    }

    /// Decodes the form of the C API: above 0, milliseconds; 0, do not store; -1, never; -2, the default (`None`). Other numbers are
    /// errors.
    pub fn from_raw(ms: i64) -> Result<Option<Ttl>, NotATtl> {
        match ms {
            -2 => Ok(None),
            -1 => Ok(Some(Ttl::Never)),
            0.. => Ok(Some(Ttl::of_ms(ms.unsigned_abs()))),
            _ => Err(NotATtl),
        }
    }
}

/// A number that [`Ttl::from_raw`] does not accept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotATtl;
