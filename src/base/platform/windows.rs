//! Windows 10 and later: clocks that stand still in sleep, an event to wait for; no forks, and no signals that a thread could block.
//!
//! The waits of std do not count the time that the machine sleeps, std's `Instant` does; so timeouts are measured by the "unbiased"
//! interrupt time. Its precise reading, and the one that counts sleep, are asked for by name: no import library that every compiler
//! brings has them.

use super::NoReadyFlag;
use crate::base::Moment;
use std::ffi::{CStr, c_void};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::null;
use std::sync::OnceLock;

type Module = *mut c_void;
type ReadClock = unsafe extern "system" fn(*mut u64);

#[link(name = "kernel32")]
unsafe extern "system" {
    fn CreateEventW(security: *const c_void, manual_reset: i32, set: i32, name: *const u16) -> RawHandle;
    fn SetEvent(event: RawHandle) -> i32;
    fn ResetEvent(event: RawHandle) -> i32;
    #[cfg(test)]
    fn WaitForSingleObject(object: RawHandle, timeout_ms: u32) -> u32;
    fn GetModuleHandleExW(flags: u32, name_or_address: *const u16, module: *mut Module) -> i32;
    fn GetModuleHandleA(name: *const std::ffi::c_char) -> Module;
    fn GetProcAddress(module: Module, name: *const std::ffi::c_char) -> Option<unsafe extern "system" fn()>;
    fn GetTickCount64() -> u64;
    fn QueryUnbiasedInterruptTime(time: *mut u64) -> i32;
}

/// The interrupt time counts in steps of 100 ns.
const STEP_NS: u64 = 100;

/// The longest time between two interrupts of the clock: 1/64 s.
const TICK_NS: u64 = 15_625_000;

/// The clocks that have to be asked for by name.
struct Clocks {
    running: Option<ReadClock>,
    suspend_aware: Option<ReadClock>,
}

fn clocks() -> &'static Clocks {
    static FOUND: OnceLock<Clocks> = OnceLock::new();
    FOUND
        .get_or_init(|| Clocks { running: clock(c"QueryUnbiasedInterruptTimePrecise"), suspend_aware: clock(c"QueryInterruptTimePrecise") })
}

fn clock(name: &CStr) -> Option<ReadClock> {
    // SAFETY: both names are strings; that library is part of every process, and never unloaded.
    let found = unsafe { GetProcAddress(GetModuleHandleA(c"kernelbase.dll".as_ptr()), name.as_ptr()) };
    // SAFETY: the functions of those names take a place for one number and return nothing.
    found.map(|function| unsafe { std::mem::transmute::<unsafe extern "system" fn(), ReadClock>(function) })
}

fn read(clock: ReadClock) -> Moment {
    let mut steps = 0;
    // SAFETY: a valid place for one number.
    unsafe { clock(&mut steps) };
    Moment(steps.saturating_mul(STEP_NS))
}

/// Now, on the clock that stands still while the machine sleeps, as std's waits do.
pub fn running() -> Moment {
    clocks().running.map_or_else(running_coarse, read)
}

/// The same clock, read cheaply, and up to [`coarse_step_ns`] behind.
#[inline]
pub fn running_coarse() -> Moment {
    let mut steps = 0;
    // SAFETY: a valid place for one number.
    unsafe { QueryUnbiasedInterruptTime(&mut steps) };
    Moment(steps.saturating_mul(STEP_NS))
}

/// Now, on a clock that goes on while the machine sleeps and is otherwise the same.
pub fn suspend_aware() -> Moment {
    // SAFETY: it takes nothing.
    clocks().suspend_aware.map_or_else(|| Moment(unsafe { GetTickCount64() }.saturating_mul(1_000_000)), read)
}

/// How far behind [`running_coarse`] may be, in nanoseconds.
pub fn coarse_step_ns() -> u64 {
    TICK_NS
}

/// There are no forks.
pub fn watch_forks(_in_child: extern "C" fn()) {}

/// There are no signals that a thread could block.
#[derive(Clone, Copy, PartialEq)]
pub struct SignalSet;

impl SignalSet {
    /// None.
    pub fn empty() -> SignalSet {
        SignalSet
    }

    /// None.
    pub fn asynchronous() -> SignalSet {
        SignalSet
    }

    /// None.
    pub fn without(self, _others: SignalSet) -> SignalSet {
        SignalSet
    }
}

/// Nothing to block.
pub fn block_signals() -> SignalSet {
    SignalSet
}

/// Nothing was blocked.
pub fn restore_signals(_signals: &SignalSet) {}

/// Nothing was blocked.
pub fn unblock_signals(_signals: &SignalSet) {}

/// A flag that `WaitForSingleObject` and its kin see: an event, which is set while the flag is up. Neither raising nor lowering it ever
/// blocks.
pub struct ReadyFlag(OwnedHandle);

impl ReadyFlag {
    /// A lowered flag. There is one kind only.
    pub fn new(_pipe: bool) -> Result<ReadyFlag, NoReadyFlag> {
        const BY_HAND: i32 = 1;
        // SAFETY: nothing but null pointers, which stand for "no name" and "the usual rights".
        let event = unsafe { CreateEventW(null(), BY_HAND, 0, null()) };
        if event.is_null() {
            return Err(NoReadyFlag);
        }
        // SAFETY: a new handle that nobody else owns.
        Ok(ReadyFlag(unsafe { OwnedHandle::from_raw_handle(event) }))
    }

    /// The descriptor that a host waits on: there is none here.
    pub fn descriptor(&self) -> Option<i32> {
        None
    }

    /// The handle that a host waits on.
    pub fn handle(&self) -> Option<*mut c_void> {
        Some(self.0.as_raw_handle())
    }

    /// Sets the event.
    pub fn raise(&self) {
        // SAFETY: the handle is ours, and open.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    /// Resets the event.
    pub fn lower(&self) {
        // SAFETY: the handle is ours, and open.
        unsafe { ResetEvent(self.0.as_raw_handle()) };
    }

    #[cfg(test)]
    pub(super) fn is_ready(&self) -> bool {
        // SAFETY: the handle is ours, and open.
        unsafe { WaitForSingleObject(self.0.as_raw_handle(), 0) == 0 }
    }
}

/// The code of the library stays where it is, even after FreeLibrary: threads stand in it.
pub fn pin_library() {
    const PIN: u32 = 1;
    const FROM_ADDRESS: u32 = 4;
    let mut module = std::ptr::null_mut();
    let here = pin_library as fn() as *const u16;
    // SAFETY: the flags say that it is an address, that of a function of the library; `module` is a valid place to write.
    unsafe { GetModuleHandleExW(PIN | FROM_ADDRESS, here, &mut module) };
}
