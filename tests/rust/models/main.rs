//! Models: the real code under every interleaving of its threads that differs, up to two or three preemptions (loom).
//!
//! Built with `--cfg kvl_model`, which puts loom's locks and atomics in the place of std's (base/sync.rs). loom sees neither
//! crossbeam's channel nor tokio, so the engines here have no threads of their own: their events go to a queue that the model
//! reads, and their time stands still. Each model says how many executions it took to see them all.
//!
//! `make test-models`
#![cfg(kvl_model)]

mod engine;
mod mail;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Explores `model` to the end.
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
