//! How a thread of the library is made: named `kvl-...`, with a stack of a known size, and blind to the program's signals (rule L08).

use super::NoThread;
use crate::base::process::{SignalsHidden, claim_thread};
use std::thread::{Builder, JoinHandle};

/// The stack of a thread that runs the program's code, unless a setting says otherwise: what a program's own threads mostly have.
pub const STACK_BYTES: usize = 8 << 20;

/// Starts a named thread with a stack of `stack_bytes`.
pub fn start(name: &str, stack_bytes: usize, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, NoThread> {
    // Inherited, so that no signal finds the thread before it has come to block it.
    let signals = SignalsHidden::new();
    let hidden = signals.hidden();
    let body = move || {
        claim_thread(hidden);
        body();
    };
    Builder::new().name(name.to_owned()).stack_size(stack_bytes).spawn(body).map_err(|_| NoThread)
}
