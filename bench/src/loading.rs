//! What the peers do for a key that is absent: their own async loading, and a worker thread behind channels, which is how
//! programs load without a loading cache. Each function does its work once and answers nanoseconds.

use crate::bytes::{Key, Slice, Value, value};
use foldhash::fast::RandomState;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{FutureExt, Shared, join, join_all};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

type QuickCache = quick_cache::sync::Cache<Key, Value, quick_cache::UnitWeighter, RandomState>;
type MokaCache = moka::future::Cache<Key, Value, RandomState>;

const BYTES: [u8; 64] = [7; 64];

fn quick(capacity: usize) -> QuickCache {
    let lifecycle = quick_cache::sync::DefaultLifecycle::default();
    quick_cache::sync::Cache::with(capacity, capacity as u64, quick_cache::UnitWeighter, RandomState::default(), lifecycle)
}

fn moka(capacity: u64) -> MokaCache {
    moka::future::Cache::builder().max_capacity(capacity).build_with_hasher(RandomState::default())
}

/// Keys that no earlier call used.
fn fresh_keys(n: usize) -> Vec<[u8; 16]> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let first = NEXT.fetch_add(n as u64, Ordering::Relaxed);
    (first..first + n as u64)
        .map(|number| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
            key
        })
        .collect()
}

fn nanos(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64
}

/// What the worker is sent: a key and where to answer.
struct Job {
    at: usize,
    key: [u8; 16],
    reply: Reply,
}

enum Reply {
    Std(mpsc::Sender<(usize, Value)>),
    Crossbeam(crossbeam_channel::Sender<(usize, Value)>),
}

/// `n` absent keys by way of one worker and a channel for each direction, one message a key: nanoseconds a key.
#[unsafe(no_mangle)]
extern "C" fn load_channel_std(n: usize) -> f64 {
    let cache = Arc::new(quick(1 << 17));
    let (jobs, inbox) = mpsc::channel::<Job>();
    let stored = cache.clone();
    let worker = thread::spawn(move || inbox.into_iter().for_each(|job| work(&stored, job)));
    let keys = fresh_keys(n);
    let began = Instant::now();
    let (reply, answers) = mpsc::channel();
    for (at, key) in keys.into_iter().enumerate() {
        if cache.get(Slice::of(&key)).is_none() {
            let _ = jobs.send(Job { at, key, reply: Reply::Std(reply.clone()) });
        }
    }
    drop(reply);
    let took = collect(answers.into_iter(), n, began);
    drop(jobs);
    let _ = worker.join();
    took
}

/// As [`load_channel_std`], by the channel that kvlight itself depends on.
#[unsafe(no_mangle)]
extern "C" fn load_channel_crossbeam(n: usize) -> f64 {
    let cache = Arc::new(quick(1 << 17));
    let (jobs, inbox) = crossbeam_channel::unbounded::<Job>();
    let stored = cache.clone();
    let worker = thread::spawn(move || inbox.into_iter().for_each(|job| work(&stored, job)));
    let keys = fresh_keys(n);
    let began = Instant::now();
    let (reply, answers) = crossbeam_channel::unbounded();
    for (at, key) in keys.into_iter().enumerate() {
        if cache.get(Slice::of(&key)).is_none() {
            let _ = jobs.send(Job { at, key, reply: Reply::Crossbeam(reply.clone()) });
        }
    }
    drop(reply);
    let took = collect(answers.into_iter(), n, began);
    drop(jobs);
    let _ = worker.join();
    took
}

fn work(cache: &QuickCache, job: Job) {
    let answer = value(&BYTES);
    cache.insert(Key::new(&job.key), answer.clone());
    match job.reply {
        Reply::Std(sender) => drop(sender.send((job.at, answer))),
        Reply::Crossbeam(sender) => drop(sender.send((job.at, answer))),
    }
}

fn collect(answers: impl Iterator<Item = (usize, Value)>, n: usize, began: Instant) -> f64 {
    let mut values: Vec<Option<Value>> = vec![None; n];
    for (at, value) in answers.take(n) {
        values[at] = Some(value);
    }
    let took = nanos(began) / n as f64;
    assert!(values.iter().all(Option::is_some), "every key was answered");
    took
}

/// One absent key, handed to a parked worker and waited for: the median of `n` round trips.
#[unsafe(no_mangle)]
extern "C" fn load_round_trip_parked(n: usize) -> f64 {
    let cache = Arc::new(quick(1 << 17));
    let (jobs, inbox) = mpsc::channel::<Job>();
    let stored = cache.clone();
    let worker = thread::spawn(move || inbox.into_iter().for_each(|job| work(&stored, job)));
    let mut times: Vec<f64> = fresh_keys(n)
        .into_iter()
        .map(|key| {
            let began = Instant::now();
            let (reply, answers) = mpsc::channel();
            let _ = jobs.send(Job { at: 0, key, reply: Reply::Std(reply) });
            let answer = answers.recv();
            let took = nanos(began);
            drop(answer);
            took
        })
        .collect();
    drop(jobs);
    let _ = worker.join();
    times.sort_by(f64::total_cmp);
    times[n / 2]
}

/// `n` absent keys through quick_cache's async loading, one after the other on one thread, the loader being instant: ns a key.
#[unsafe(no_mangle)]
extern "C" fn load_async_quick(n: usize) -> f64 {
    let (cache, keys) = (quick(1 << 17), fresh_keys(n));
    let began = Instant::now();
    let load = |key: [u8; 16]| {
        let cache = &cache;
        async move { cache.get_or_insert_async(&Key::new(&key), async { Ok::<_, ()>(value(&BYTES)) }).await }
    };
    let values = block_on(join_all(keys.into_iter().map(load)));
    let took = nanos(began) / n as f64;
    assert!(values.iter().all(Result::is_ok));
    took
}

/// As [`load_async_quick`], through moka's.
#[unsafe(no_mangle)]
extern "C" fn load_async_moka(n: usize) -> f64 {
    let (cache, keys) = (moka(1 << 17), fresh_keys(n));
    let began = Instant::now();
    let load = |key: [u8; 16]| {
        let cache = &cache;
        async move { cache.get_with(Key::new(&key), async { value(&BYTES) }).await }
    };
    let values = block_on(join_all(keys.into_iter().map(load)));
    let took = nanos(began) / n as f64;
    assert_eq!(values.len(), n);
    took
}

/// The load that all wait for, and how to end it.
fn load() -> (oneshot::Sender<Value>, Shared<impl Future<Output = Value>>) {
    let (end, waits) = oneshot::channel();
    (end, waits.map(|answer| answer.unwrap_or_else(|_| value(&BYTES))).shared())
}

/// `n` waiters on one key through quick_cache's async loading, all on one thread: ns a waiter, from the first that asks to the
/// last that has its answer.
#[unsafe(no_mangle)]
extern "C" fn waiters_quick(n: usize) -> f64 {
    let (cache, key) = (quick(1 << 17), fresh_keys(1)[0]);
    let (end, load) = load();
    let began = Instant::now();
    let wait = |_| {
        let (cache, load) = (&cache, load.clone());
        async move { cache.get_or_insert_async(&Key::new(&key), async { Ok::<_, ()>(load.await) }).await }
    };
    let (values, ()) = block_on(join(join_all((0..n).map(wait)), async { drop(end.send(value(&BYTES))) }));
    let took = nanos(began) / n as f64;
    assert!(values.iter().all(Result::is_ok));
    took
}

/// As [`waiters_quick`], through moka's.
#[unsafe(no_mangle)]
extern "C" fn waiters_moka(n: usize) -> f64 {
    let (cache, key) = (moka(1 << 17), fresh_keys(1)[0]);
    let (end, load) = load();
    let began = Instant::now();
    let wait = |_| {
        let (cache, load) = (&cache, load.clone());
        async move { cache.get_with(Key::new(&key), load).await }
    };
    let (values, ()) = block_on(join(join_all((0..n).map(wait)), async { drop(end.send(value(&BYTES))) }));
    let took = nanos(began) / n as f64;
    assert_eq!(values.len(), n);
    took
}
