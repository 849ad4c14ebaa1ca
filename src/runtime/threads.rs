//! Creates threads of the library: named `kvl-...`, with a stack of known size, and with the program's signals blocked (rule L08).

use super::NoThread;
use crate::base::process::{SignalsHidden, claim_thread};
use std::thread::{Builder, JoinHandle};

/// The stack size of a thread that runs host code, unless a setting says otherwise: the usual size of a program's own threads.
pub const STACK_BYTES: usize = 8 << 20;

/// Starts a named thread with a stack of `stack_bytes`.
pub fn start(name: &str, stack_bytes: usize, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, NoThread> {
    // The signal mask is inherited, so that no signal reaches the thread before it has blocked them.
    let signals = SignalsHidden::new();
    let hidden = signals.hidden();
    let body = move || {
        claim_thread(hidden);
        body();
    };
    Builder::new().name(name.to_owned()).stack_size(stack_bytes).spawn(body).map_err(|_| NoThread)
}
