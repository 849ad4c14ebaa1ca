//! How a thread of ours is made: named `kvl-...`, deaf to signals, which are the host's business (rule L08).

use super::NoThread;
use crate::base::process::claim_thread;
use std::thread::{Builder, JoinHandle};

/// Starts a named thread.
pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, NoThread> {
    let body = move || {
        enter();
        body();
    };
    Builder::new().name(name.to_owned()).spawn(body).map_err(|_| NoThread)
}

/// What every thread of ours does first.
pub fn enter() {
    claim_thread();
    block_signals();
}

fn block_signals() {
    // SAFETY: an all-zero set is a valid place for `sigfillset` to write; the calls change this thread's mask alone.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
}
