//! Starts threads of the library. They are named `kvl-...`, have a stack of known size, and block the program's signals (rule L08).

use super::NoThread;
use crate::base::process::{SignalsHidden, claim_thread};
use std::thread::{Builder, JoinHandle};

/// The default stack size, in bytes, of a thread that runs host code: the usual size of a program's main thread.
pub const STACK_BYTES: usize = 8 << 20;

/// Starts a named thread with a stack of `stack_bytes`.
pub fn start(name: &str, stack_bytes: usize, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, NoThread> {
    // The new thread inherits the signal mask, so that no signal reaches it before it has blocked the signals itself.
    let signals = SignalsHidden::new();
    let hidden = signals.hidden();
    let body = move || {
        claim_thread(hidden);
        body();
    };
    Builder::new().name(name.to_owned()).stack_size(stack_bytes).spawn(body).map_err(|_| NoThread)
}
