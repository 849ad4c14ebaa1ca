//! What the systems with POSIX have in common: clocks by number, fork handlers, signal masks, and descriptors to wait for.

use super::NoReadyFlag;
use super::system;
use crate::base::Moment;
use std::ffi::c_void;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// Now, on the clock that stands still while the machine sleeps: the one by which std's waits are measured.
pub fn running() -> Moment {
    read(system::RUNNING)
}

/// The same clock, read cheaply, and up to [`COARSE_STEP_NS`] behind.
#[inline]
pub fn running_coarse() -> Moment {
    read(system::RUNNING_COARSE)
}

/// Now, on a clock that goes on while the machine sleeps and is otherwise the same.
pub fn suspend_aware() -> Moment {
    read(system::SUSPEND_AWARE)
}

/// How far behind [`running_coarse`] may be, in nanoseconds.
pub fn coarse_step_ns() -> u64 {
    let mut step = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `step` is a valid place to write; the system has that clock.
    unsafe { libc::clock_getres(system::RUNNING_COARSE, &mut step) };
    nanoseconds(step)
}

#[inline]
fn read(clock: libc::clockid_t) -> Moment {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place to write; the system has the clocks that its file names.
    unsafe { libc::clock_gettime(clock, &mut now) };
    Moment(nanoseconds(now))
}

#[inline]
fn nanoseconds(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// From now on `in_child` runs in the child of every fork, on the thread that forked. It may do there only what a signal handler may.
pub fn watch_forks(in_child: extern "C" fn()) {
    // SAFETY: a function that lives as long as the library, which stays loaded.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// Some of the system's signals.
#[derive(Clone, Copy)]
pub struct SignalSet(libc::sigset_t);

/// What a fault of the very code that runs raises. Blocked, it ends the program even where a handler was set.
const SYNCHRONOUS: [libc::c_int; 7] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];

/// Beyond the highest number of a signal on the systems that we build for.
const LAST_SIGNAL: libc::c_int = 128;

impl SignalSet {
    /// None of them.
    pub fn empty() -> SignalSet {
        // SAFETY: an all-zero set is a valid place for `sigemptyset` to write.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            SignalSet(set)
        }
    }

    /// All but those that a fault of the running code raises.
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

    /// Those that are not in `others`.
    pub fn without(mut self, others: SignalSet) -> SignalSet {
        for signal in (1..=LAST_SIGNAL).filter(|signal| others.contains(*signal)) {
            // SAFETY: a valid set, and a number that it takes for a signal.
            unsafe { libc::sigdelset(&mut self.0, signal) };
        }
        self
    }

    fn contains(&self, signal: libc::c_int) -> bool {
        // SAFETY: a valid set; a number that is no signal is answered with an error.
        unsafe { libc::sigismember(&self.0, signal) == 1 }
    }
}

impl PartialEq for SignalSet {
    fn eq(&self, other: &SignalSet) -> bool {
        (1..=LAST_SIGNAL).all(|signal| self.contains(signal) == other.contains(signal))
    }
}

/// This thread blocks all signals but the synchronous ones. Says what it blocked before.
pub fn block_signals() -> SignalSet {
    let mut before = SignalSet::empty();
    // SAFETY: both sets are valid; the call changes this thread's mask alone.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &SignalSet::asynchronous().0, &mut before.0) };
    before
}

/// This thread blocks `signals` and no others.
pub fn restore_signals(signals: &SignalSet) {
    // SAFETY: a valid set; the call changes this thread's mask alone.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &signals.0, std::ptr::null_mut()) };
}

/// This thread takes `signals` again. Allowed in the child of a fork.
pub fn unblock_signals(signals: &SignalSet) {
    // SAFETY: a valid set; the call changes this thread's mask alone.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals.0, std::ptr::null_mut()) };
}

/// A flag that `poll`, `epoll` or `kqueue` sees: a descriptor that is readable while it is up. Neither raising nor lowering it ever
/// blocks. It is an eventfd, or a pipe where there are none and for event loops that know none.
pub struct ReadyFlag {
    reader: File,
    /// `None`: an eventfd is written where it is read.
    writer: Option<File>,
}

impl ReadyFlag {
    /// A lowered flag; `pipe` even where there are eventfds.
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

    /// The descriptor that a host waits on. It may read it, too.
    pub fn descriptor(&self) -> Option<i32> {
        Some(self.reader.as_raw_fd())
    }

    /// The handle that a host waits on: there is none here.
    pub fn handle(&self) -> Option<*mut c_void> {
        None
    }

    /// Makes it readable.
    pub fn raise(&self) {
        let one = 1u64.to_ne_bytes();
        // A full pipe is readable as it is.
        let _ = match &self.writer {
            Some(writer) => { writer }.write(&one[..1]),
            None => { &self.reader }.write(&one),
        };
    }

    /// Makes it unreadable.
    pub fn lower(&self) {
        let mut buffer = [0; 8];
        // Until nothing is left; a host may have read some of it, or all.
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
    // SAFETY: the calls take no pointers; the descriptor is open.
    let set = unsafe {
        let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
        flags >= 0 && libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) == 0
    };
    if set { Ok(()) } else { Err(NoReadyFlag) }
}
