//! Models: threads that run the engine's real code in every distinct interleaving with at most two to four preemptions (loom). `reads.rs`
//! does the same for a protocol that the library does not have.
//!
//! Built with `--cfg kvl_model`, which replaces std's locks and atomics with loom's (`src/base/sync.rs`). loom cannot see into crossbeam's
//! channel or tokio, so these engines have neither dispatcher nor timer threads: their events go to a queue that the model reads, and a manual
//! clock gives their time. Each model prints the number of executions that it explored.
//!
//! `make test-models` runs them.
#![cfg(kvl_model)]

mod deliveries;
mod engine;
mod fallbacks;
mod reads;
mod resilience;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Explores every execution of `model` with at most `preemptions` preemptions.
fn explore(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    // An execution of a whole engine is longer than loom's default limit of 1000.
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{name}: all {} executions explored", executions.load(Ordering::Relaxed));
}
