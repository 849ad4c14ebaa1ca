//! What POSIX systems have in common: clocks by number, fork handlers, signal masks, and descriptors to wait on.

use super::NoReadyFlag;
use super::system;
use crate::base::Moment;
use std::ffi::c_void;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// The time of the clock that stands still while the machine sleeps; std measures its waits by it too.
pub fn running() -> Moment {
    read(system::RUNNING)
}

/// The time of the same clock, read cheaply and up to [`coarse_step_ns`] behind.
#[inline]
pub fn running_coarse() -> Moment {
    read(system::RUNNING_COARSE)
}

/// The time of a clock that also runs while the machine sleeps. On a system without one, the same as [`running`] (see bsd.rs).
pub fn suspend_aware() -> Moment {
    read(system::SUSPEND_AWARE)
}

/// The most by which [`running_coarse`] may lag, in nanoseconds.
pub fn coarse_step_ns() -> u64 {
    let mut step = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `step` is valid for writing, and the system has that clock.
    unsafe { libc::clock_getres(system::RUNNING_COARSE, &mut step) };
    nanoseconds(step)
}

#[inline]
fn read(clock: libc::clockid_t) -> Moment {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for writing, and the system has the clocks that its module `system` names.
    unsafe { libc::clock_gettime(clock, &mut now) };
    Moment(nanoseconds(now))
}

#[inline]
fn nanoseconds(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Registers `in_child`, which runs in the child of every later fork, on the thread that forked. It may do only what a signal handler may.
pub fn watch_forks(in_child: extern "C" fn()) {
    // SAFETY: the function exists as long as the library, which stays loaded.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// A set of signals.
#[derive(Clone, Copy)]
pub struct SignalSet(libc::sigset_t);

/// The signals that running code raises against itself: those of faults, and that of `abort()`. If the signal of a fault is blocked, the
/// fault ends the program even if the signal has a handler.
const SYNCHRONOUS: [libc::c_int; 7] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];

/// An upper bound of the signal numbers on the supported systems.
const SIGNAL_BOUND: libc::c_int = 128;

impl SignalSet {
    /// The empty set.
    pub fn empty() -> SignalSet {
        // SAFETY: an all-zero set is valid for `sigemptyset` to write.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            SignalSet(set)
        }
    }

    /// All signals except the synchronous ones.
    pub fn asynchronous() -> SignalSet {
        let mut set = SignalSet::empty();
        // SAFETY: a valid set, and signals of this system.
        unsafe {
            libc::sigfillset(&mut set.0);
            for signal in SYNCHRONOUS {
                libc::sigdelset(&mut set.0, signal);
            }
        }
        set
    }

    /// The signals of this set that are not in `others`.
    pub fn without(mut self, others: SignalSet) -> SignalSet {
        for signal in (1..=SIGNAL_BOUND).filter(|signal| others.contains(*signal)) {
            // SAFETY: a valid set, and a number that `sigismember` accepted as a signal.
            unsafe { libc::sigdelset(&mut self.0, signal) };
        }
        self
    }

    fn contains(&self, signal: libc::c_int) -> bool {
        // SAFETY: a valid set; for a number that is not a signal, the call returns an error.
        unsafe { libc::sigismember(&self.0, signal) == 1 }
    }
}

impl PartialEq for SignalSet {
    fn eq(&self, other: &SignalSet) -> bool {
        (1..=SIGNAL_BOUND).all(|signal| self.contains(signal) == other.contains(signal))
    }
}

/// Blocks all signals except the synchronous ones on the current thread. Returns the signals that were blocked before.
pub fn block_signals() -> SignalSet {
    let mut before = SignalSet::empty();
    // SAFETY: both sets are valid, and the call changes only this thread's mask.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &SignalSet::asynchronous().0, &mut before.0) };
    before
}

/// Makes `signals` the blocked signals of the current thread.
pub fn restore_signals(signals: &SignalSet) {
    // SAFETY: a valid set, and the call changes only this thread's mask.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &signals.0, std::ptr::null_mut()) };
}

/// Unblocks `signals` on the current thread. Allowed in the child of a fork.
pub fn unblock_signals(signals: &SignalSet) {
    // SAFETY: a valid set, and the call changes only this thread's mask.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals.0, std::ptr::null_mut()) };
}

/// A flag for `poll`, `epoll` or `kqueue`: a descriptor that is readable while the flag is raised. Neither raising nor lowering it blocks.
/// It is an eventfd, or a pipe if the system has no eventfds or the host's event loop does not support them.
pub struct ReadyFlag {
    reader: File,
    /// `None` for an eventfd, which is written through `reader`.
    writer: Option<File>,
}

impl ReadyFlag {
    /// Creates a lowered flag. `pipe` requests a pipe even if the system has eventfds.
    pub fn new(pipe: bool) -> Result<ReadyFlag, NoReadyFlag> {
        if let Some(fd) = system::event_fd().filter(|_| !pipe) {
            return Ok(ReadyFlag { reader: fd.into(), writer: None });
        }
        let (reader, writer) = std::io::pipe().map_err(|_| NoReadyFlag)?;
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        never_block(&reader)?;
        never_block(&writer)?;
        Ok(ReadyFlag { reader: reader.into(), writer: Some(writer.into()) })
    }

    /// The descriptor that a host waits on. The host may also read from it.
    pub fn descriptor(&self) -> Option<i32> {
        Some(self.reader.as_raw_fd())
    }

    /// The handle that a host waits on; always `None` here.
    pub fn handle(&self) -> Option<*mut c_void> {
        None
    }

    /// Makes the descriptor readable.
    pub fn raise(&self) {
        let one = 1u64.to_ne_bytes();
        // A full pipe is already readable.
        let _ = match &self.writer {
            Some(writer) => { writer }.write(&one[..1]),
            None => { &self.reader }.write(&one),
        };
    }

    /// Makes the descriptor unreadable.
    pub fn lower(&self) {
        let mut buffer = [0; 8];
        // The host may have read some of the pipe already, or all.
        while (&self.reader).read(&mut buffer).is_ok_and(|read| read > 0) {
            if self.writer.is_none() {
                return;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_ready(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry, which the call fills in.
        unsafe { libc::poll(&mut poll, 1, 0) == 1 }
    }
}

fn never_block(fd: &OwnedFd) -> Result<(), NoReadyFlag> {
    // SAFETY: the calls take no pointers, and the descriptor is open.
    let set = unsafe {
        let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
        flags >= 0 && libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) == 0
    };
    if set { Ok(()) } else { Err(NoReadyFlag) }
}
