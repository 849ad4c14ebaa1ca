//! Models: the real code under every distinct interleaving of its threads, up to two or three preemptions (loom).
//!
//! Built with `--cfg kvl_model`, which replaces std's locks and atomics by loom's (base/sync.rs). loom supports neither crossbeam's channel
//! nor tokio, so the engines here have no threads: their events go to a queue that the model reads, and their time stands still. Each model
//! prints the number of executions that it explored.
//!
//! `make test-models`
#![cfg(kvl_model)]

mod deliveries;
mod engine;
mod fallbacks;
mod reads;
mod resilience;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Explores every execution of `model`.
fn explore(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{name}: {} executions, to the end", executions.load(Ordering::Relaxed));
}
