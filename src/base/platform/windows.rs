//! Windows 10 and later: clocks that stand still during sleep, and an event to wait on. There are no forks, and no signals that a thread
//! could block.
//!
//! std's waits do not count the time that the machine sleeps, but std's `Instant` does. So timeouts are measured by the "unbiased"
//! interrupt time. The functions for its precise reading, and for the interrupt time that includes sleep, are looked up by name at run
//! time, because not every compiler has an import library that contains them.

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

/// The unit of the interrupt time: 100 ns.
const STEP_NS: u64 = 100;

/// The longest time between two clock interrupts: 1/64 s.
const TICK_NS: u64 = 15_625_000;

/// The clocks that are looked up by name.
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
    // SAFETY: both names are strings, and kernelbase.dll is part of every process and never unloaded.
    let found = unsafe { GetProcAddress(GetModuleHandleA(c"kernelbase.dll".as_ptr()), name.as_ptr()) };
    // SAFETY: the functions of these names take a pointer to one number and return nothing.
    found.map(|function| unsafe { std::mem::transmute::<unsafe extern "system" fn(), ReadClock>(function) })
}

fn read(clock: ReadClock) -> Moment {
    let mut steps = 0;
    // SAFETY: `steps` is valid for writing one number.
    unsafe { clock(&mut steps) };
    Moment(steps.saturating_mul(STEP_NS))
}

/// The time of the clock that stands still while the machine sleeps, as std's waits do.
pub fn running() -> Moment {
    clocks().running.map_or_else(running_coarse, read)
}

/// The time of the same clock, read cheaply and up to [`coarse_step_ns`] behind.
#[inline]
pub fn running_coarse() -> Moment {
    let mut steps = 0;
    // SAFETY: `steps` is valid for writing one number.
    unsafe { QueryUnbiasedInterruptTime(&mut steps) };
    Moment(steps.saturating_mul(STEP_NS))
}

/// The time of a clock that also runs while the machine sleeps.
pub fn suspend_aware() -> Moment {
    // SAFETY: the call takes no arguments.
    clocks().suspend_aware.map_or_else(|| Moment(unsafe { GetTickCount64() }.saturating_mul(1_000_000)), read)
}

/// The most by which [`running_coarse`] may lag, in nanoseconds.
pub fn coarse_step_ns() -> u64 {
    TICK_NS
}

/// Does nothing: there are no forks.
pub fn watch_forks(_in_child: extern "C" fn()) {}

/// There are no signals that a thread could block, so this holds nothing.
#[derive(Clone, Copy, PartialEq)]
pub struct SignalSet;

impl SignalSet {
    /// The only set.
    pub fn empty() -> SignalSet {
        SignalSet
    }

    /// The only set.
    pub fn asynchronous() -> SignalSet {
        SignalSet
    }

    /// The only set.
    pub fn without(self, _others: SignalSet) -> SignalSet {
        SignalSet
    }
}

/// Does nothing: there are no signals.
pub fn block_signals() -> SignalSet {
    SignalSet
}

/// Does nothing: there are no signals.
pub fn restore_signals(_signals: &SignalSet) {}

/// Does nothing: there are no signals.
pub fn unblock_signals(_signals: &SignalSet) {}

/// A flag for `WaitForSingleObject` and related functions: an event that is set while the flag is raised. Neither raising nor lowering it
/// blocks.
pub struct ReadyFlag(OwnedHandle);

impl ReadyFlag {
    /// Creates a lowered flag, which is always an event: `_pipe` is ignored.
    pub fn new(_pipe: bool) -> Result<ReadyFlag, NoReadyFlag> {
        const BY_HAND: i32 = 1;
        // SAFETY: the pointers are null, which means "no name" and "default access rights".
        let event = unsafe { CreateEventW(null(), BY_HAND, 0, null()) };
        if event.is_null() {
            return Err(NoReadyFlag);
        }
        // SAFETY: a new handle with no other owner.
        Ok(ReadyFlag(unsafe { OwnedHandle::from_raw_handle(event) }))
    }

    /// The descriptor that a host waits on; always `None` here.
    pub fn descriptor(&self) -> Option<i32> {
        None
    }

    /// The handle that a host waits on.
    pub fn handle(&self) -> Option<*mut c_void> {
        Some(self.0.as_raw_handle())
    }

    /// Sets the event.
    pub fn raise(&self) {
        // SAFETY: this flag owns the handle, which is open.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    /// Resets the event.
    pub fn lower(&self) {
        // SAFETY: this flag owns the handle, which is open.
        unsafe { ResetEvent(self.0.as_raw_handle()) };
    }

    #[cfg(test)]
    pub(super) fn is_ready(&self) -> bool {
        // SAFETY: this flag owns the handle, which is open.
        unsafe { WaitForSingleObject(self.0.as_raw_handle(), 0) == 0 }
    }
}

/// Keeps the library's code mapped, even after FreeLibrary: its threads run that code.
pub fn pin_library() {
    const PIN: u32 = 1;
    const FROM_ADDRESS: u32 = 4;
    let mut module = std::ptr::null_mut();
    let here = pin_library as fn() as *const u16;
    // SAFETY: the flags say that the name is an address, here that of a function of the library; `module` is valid for writing.
    unsafe { GetModuleHandleExW(PIN | FROM_ADDRESS, here, &mut module) };
}
