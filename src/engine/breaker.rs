//! The circuit breaker, as operators see it (rule R07).

use super::Core;
use crate::base::{Now, Status};
use crate::task::breaker::{BreakerOverride, BreakerState};

impl Core {
    /// The state of the circuit breaker; closed for a cache without an engine.
    pub fn breaker_state(&self) -> BreakerState {
        let now = Now::of(&self.clock).moment();
        self.loads.as_ref().map_or(BreakerState::Closed, |loads| loads.table.lock().breaker_state(now))
    }

    /// Forces the circuit breaker open or closed for an operator, or lets it decide again.
    pub fn force_breaker(&self, forced: BreakerOverride) -> Result<(), Status> {
        self.check_open()?;
        self.with_table(|table, cx| table.force_breaker(forced, cx));
        Ok(())
    }
}
