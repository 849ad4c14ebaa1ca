//! The peers of the bench behind the functions that kvlight has: what differs in a run is the cache, not the way to it.
//!
//! Key and value are as kvlight's own: keys of any length, short ones without an allocation; a value is one counted allocation
//! behind one pointer. All hash with foldhash, the fast kind that kvlight uses, and a random seed. All allocate with the system's
//! allocator, and all are compiled with the same settings.
//!
//! - [`peers`]: one type per peer, all with the same few operations. [`face`]: those operations as C functions.
//! - [`loading`]: loading through the peers' own async interfaces, and through a worker thread and channels.

mod bytes;
mod face;
mod loading;
mod peers;
