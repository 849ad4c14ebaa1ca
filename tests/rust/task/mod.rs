//! Tests of the state machine of a load. Each tests one rule, on a clock that moves only when the test says so.

mod absence;
mod admission;
mod ahead;
mod alone;
mod causes;
mod cells;
mod cells_host;
mod closing;
mod counting;
mod delivery;
mod faults;
mod gate;
mod harness;
mod joining;
mod labels;
mod leaving;
mod model;
mod places;
mod provider;
mod recording;
mod scene;
mod small;
mod stale;
mod timing;
mod urgency;
