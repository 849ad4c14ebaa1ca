//! The caches that kvlight is compared with (its peers), behind C functions of the same form as kvlight's, so that runs differ only in the cache.
//!
//! Keys and values are like kvlight's: keys of any length, short ones without an allocation; a value is one reference-counted
//! allocation. All hash with foldhash, the fast kind that kvlight uses, and a random seed. All allocate with the system's
//! allocator, and all are compiled with the same settings.
//!
//! - [`peers`]: one type per peer, all with the same few operations. [`c_api`]: those operations as C functions.
//! - [`loading`]: loading through the peers' own async interfaces, and through a worker thread and channels.

mod bytes;
mod c_api;
mod loading;
mod peers;
