//! A file descriptor that is readable while something waits: an eventfd, or a pipe for event loops that know no eventfd.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The system refused a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoDescriptor;

/// A flag that a `poll`, `epoll` or `kqueue` sees. Neither raising nor lowering it ever blocks.
pub struct Descriptor {
    reader: File,
    /// `None`: an eventfd is written where it is read.
    writer: Option<File>,
}

impl Descriptor {
    /// A lowered flag; `pipe` even where there are eventfds.
    pub fn new(pipe: bool) -> Result<Descriptor, NoDescriptor> {
        match event_fd().filter(|_| !pipe) {
            Some(fd) => Ok(Descriptor { reader: fd.into(), writer: None }),
            None => {
                let (reader, writer) = std::io::pipe().map_err(|_| NoDescriptor)?;
                let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
                never_block(&reader)?;
                never_block(&writer)?;
                Ok(Descriptor { reader: reader.into(), writer: Some(writer.into()) })
            }
        }
    }

    /// What a host waits on. It may read it, too.
    pub fn raw(&self) -> RawFd {
        self.reader.as_raw_fd()
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
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn event_fd() -> Option<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    // SAFETY: a new descriptor that nobody else owns.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn event_fd() -> Option<OwnedFd> {
    None
}

fn never_block(fd: &OwnedFd) -> Result<(), NoDescriptor> {
    // SAFETY: the calls take no pointers; the descriptor is open.
    let set = unsafe {
        let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
        flags >= 0 && libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) == 0
    };
    if set { Ok(()) } else { Err(NoDescriptor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(descriptor: &Descriptor) -> bool {
        let mut poll = libc::pollfd { fd: descriptor.raw(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry, which the call fills in.
        unsafe { libc::poll(&mut poll, 1, 0) == 1 }
    }

    #[test]
    fn l02_a_descriptor_is_readable_from_raise_to_lower() {
        for pipe in [false, true] {
            let descriptor = Descriptor::new(pipe).expect("a descriptor");
            assert!(!is_readable(&descriptor));
            for _ in 0..3 {
                descriptor.raise();
            }
            assert!(is_readable(&descriptor));
            descriptor.lower();
            assert!(!is_readable(&descriptor));
            descriptor.lower();
            descriptor.raise();
            assert!(is_readable(&descriptor));
        }
    }
}
