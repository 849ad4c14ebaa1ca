//! Statistics across the ABI: as a struct of the caller's size, and as text. They are the same for caches and engines.

use super::guard::Caller;
use super::view::signed;
use crate::base::{Answer, Status, Value};
use crate::engine::stats::Stats;

macro_rules! statistics {
    ($($name:ident: $kind:ident, $path:literal, $family:literal, $label:literal, $of:expr; $about:literal;)*) => {
        /// The counters since the last reset, and the current gauges. build.rs writes it into the header.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default)]
        pub struct kvl_stats_t {
            /// The number of bytes that the library has filled.
            pub struct_size: usize,
            /// The number of the window: it changes with each reset.
            pub window_id: u64,
            /// The length of the window so far, in milliseconds.
            pub window_ms: i64,
            $(#[doc = $about] pub $name: u64,)*
        }

        fn view(stats: &Stats) -> kvl_stats_t {
            let [$($name),*] = stats.values();
            kvl_stats_t {
                struct_size: size_of::<kvl_stats_t>(),
                window_id: stats.window_id,
                window_ms: signed(stats.window_ms),
                $($name),*
            }
        }
    };
}
macro_rules! families {
    ($($family:literal: $about:literal;)*) => {};
}
include!("../base/statistics_table.rs");

impl Caller {
    /// Writes as much of the statistics as `out_size` bytes hold. `stats` is called only after the place for them was checked.
    pub(crate) fn write_stats(
        &self,
        out_stats: *mut kvl_stats_t,
        out_size: usize,
        stats: impl FnOnce() -> Result<Stats, Status>,
    ) -> Result<Status, Status> {
        let out = self.struct_out(out_stats, out_size)?;
        let view = kvl_stats_t { struct_size: out.size(), ..view(&stats()?) };
        out.write(&view);
        Ok(Status::OK)
    }
}

/// Creates a value that holds a text.
pub(crate) fn text(text: &str) -> Result<Answer, Status> {
    Value::bytes(text.as_bytes()).map(Answer::Value).map_err(|_| Status::ERR_NO_MEMORY)
}
