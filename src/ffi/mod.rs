//! The C ABI: the only module with `extern "C"`. There is one file for each noun of the header, and each export is a few lines under its
//! guard.
//!
//! Shared parts: `guard` (panics, thread class), `handle` (the owner behind each C type), `bytes` (pointers to slices), `notify` (user
//! data), `hooks` and `receivers` (callbacks), `terms` (of an answer), `view` (an entry or a result as C sees it), `copied` (a value in a
//! buffer of the caller), `stats`. Declarations: `constants`, `types`. The other files are nouns. build.rs
//! generates the header from all these files, in the order of its `SECTIONS`, so the readers of an export's doc comment are C programmers;
//! `tests/rust/tidy.rs` checks the form of these comments.
//!
//! This module contains no rule of caching: it checks and converts arguments, and calls the modules below.
#![allow(non_camel_case_types)] // C's naming convention
#![allow(clippy::missing_safety_doc)] // each @param states its promise
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)] // [borrowed] is not a link

pub(crate) mod bytes;
mod copied;
pub(crate) mod guard;
pub(crate) mod handle;
mod hooks;
pub(crate) mod notify;
mod receivers;
pub(crate) mod stats;
mod terms;
pub(crate) mod view;

pub mod constants;
pub mod types;

pub mod breaker;
pub mod cache;
pub mod cache_file;
pub mod cache_write;
pub mod clock;
pub mod conditional;
mod config;
pub mod error;
pub mod fetch;
pub mod invalidate;
pub mod iterator;
pub mod l2;
pub mod lookup;
pub mod options;
pub mod queue;
pub mod reader;
pub mod request;
pub mod results;
pub mod runtime;
pub mod slices;
pub mod status;
pub mod tag;
pub mod tasks;
pub mod value;
pub mod version;

pub use breaker::*;
pub use cache::*;
pub use cache_file::*;
pub use cache_write::*;
pub use clock::*;
pub use config::*;
pub use constants::*;
pub use error::*;
pub use fetch::*;
pub use iterator::*;
pub use options::*;
pub use queue::*;
pub use reader::*;
pub use request::*;
pub use results::*;
pub use runtime::*;
pub use slices::*;
pub use stats::kvl_stats_t;
pub use status::*;
pub use tasks::*;
pub use types::*;
pub use value::*;
pub use version::*;
