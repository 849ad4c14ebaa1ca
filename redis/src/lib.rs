//! libkvlight_redis: a second tier for kvlight on Redis or Valkey, over kvlight's C interface alone. The header describes its functions:
//! include/kvlight_redis.h.
//!
//! ```text
//!   threads of kvlight ── kvl_l2_fn ──▶ queue ──▶ thread kvl-redis ─┬─ serve: one task for each request ──▶ link ──▶ server
//!                                                                   ├─ link: connects to each server, and reconnects
//!                                                                   ╰─ log: reads others' writes ──▶ kvl_tasks_invalidate
//! ```
//!
//! | module | purpose |
//! |---|---|
//! | `api` | the functions of the header |
//! | `settings` | the URL, and the names of keys in the server |
//! | `shared` | what the program's threads and the thread `kvl-redis` share |
//! | `worker` | the thread `kvl-redis` |
//! | `nodes` | the servers: one, or those of a cluster |
//! | `link` | the connection to a server |
//! | `serve`, `read` | kvlight's requests |
//! | `leases` | the leases that are not used yet |
//! | `log` | the log of writes |
//! | `journal` | the last writes, which are sent again after a reconnection |
//! | `event` | an event that a thread can wait for |
//! | `compress` | compression of large entries |
//! | `stored` | the bytes stored under a key |
//! | `crc` | a checksum |
//! | `random` | random bits, for names of writes, epochs and jitter |
//! | `signals` | keeps signals away from the thread `kvl-redis` |
//! | `kvlight` | the functions of kvlight.h, and a request |

mod api;
mod compress;
mod crc;
mod event;
mod journal;
mod kvlight;
mod leases;
mod link;
mod log;
mod nodes;
mod random;
mod read;
mod serve;
mod settings;
mod shared;
mod signals;
mod stored;
mod worker;
