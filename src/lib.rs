//! kvlight: a loading cache for every language, behind a C ABI.
//!
//! A program asks for keys; kvlight answers from memory, and fetches what is missing from the program's own provider.
//! The rooms, from the lowest floor up; a room imports only from rooms on lower floors:
//!
//! - [`base`]: keys, values, errors, statuses, configuration, clocks.
//! - [`cache`]: the store. Pure data: `now` is an argument.
//! - [`task`]: the state machine of a load. Pure data: events in, effects out.
//! - [`runtime`]: threads, timers, delivery.
//! - [`engine`]: one cache, one task table and one runtime behind a safe interface.
//! - [`ffi`]: the C ABI.
#![warn(missing_docs)]

pub mod base;
pub mod cache;
pub mod engine;
pub mod ffi;
pub mod runtime;
pub mod task;
