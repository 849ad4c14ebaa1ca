//! The lowest floor: types that all other rooms share, without any caching rule.

pub mod answer;
pub mod clock;
pub mod config;
pub mod error;
pub mod fair;
pub mod hash;
pub mod hint;
pub mod key;
pub mod labels;
pub mod memory;
pub mod object;
pub mod panics;
pub mod platform;
pub mod process;
pub mod random;
pub mod record;
pub mod status;
pub mod sync;
pub mod terms;
pub mod time;
pub mod value;
pub(crate) mod variants;

pub use answer::Answer;
pub use clock::{Clock, ManualClock, Now};
pub use error::Error;
pub use hash::KeyHasher;
pub use key::{CallKeys, Key, PackedKeys};
pub use labels::Labels;
pub use memory::NoMemory;
pub use object::{DropSite, Object};
pub use random::{Random, SharedRandom};
pub use record::{FormerRecord, Record};
pub use status::Status;
pub use terms::StoreTerms;
pub use time::{Millis, Moment, Present, Ttl};
pub use value::{Kind, Value};
