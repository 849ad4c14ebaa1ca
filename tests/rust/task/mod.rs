//! The state machine of a load, told in stories: one rule each, on a clock that moves only when the story says so.

mod absence;
mod admission;
mod ahead;
mod causes;
mod cells;
mod cells_host;
mod closing;
mod counting;
mod faults;
mod gate;
mod joining;
mod leaving;
mod model;
mod places;
mod provider;
mod scene;
mod small;
mod stale;
mod telling;
mod timing;
mod told;
mod urgency;
mod world;
