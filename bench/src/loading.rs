//! Loading by the peers: their async loading, and a worker thread behind channels, which is how programs load without a loading
//! cache. Through channels, loads are not shared with other callers and cannot be cancelled. Each function runs one measurement and
//! returns nanoseconds (for each key, trip or waiter).
//!
//! Caches and workers are created once and kept, like kvlight's engine, so that they are warm. Functions that are measured in turn have a
//! cache each, so that all caches store as many keys. The timed part is from the first call until all answers have arrived: keys are
//! created before, and answers are dropped after.

use crate::bytes::{Key, Slice, Value, value};
use foldhash::fast::RandomState;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{join, join_all};
use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

type QuickCache = quick_cache::sync::Cache<Key, Value, quick_cache::UnitWeighter, RandomState>;
type MokaCache = moka::future::Cache<Key, Value, RandomState>;

const BYTES: [u8; 64] = [7; 64];

/// The same as in bench/driver/fetch.c. A function loads 1,000 keys twice a round, so nothing is evicted in 500 rounds.
const CAPACITY: usize = 1 << 20;

fn new_quick() -> QuickCache {
    let lifecycle = quick_cache::sync::DefaultLifecycle::default();
    quick_cache::sync::Cache::with(CAPACITY, CAPACITY as u64, quick_cache::UnitWeighter, RandomState::default(), lifecycle)
}

fn new_moka() -> MokaCache {
    moka::future::Cache::builder().max_capacity(CAPACITY as u64).build_with_hasher(RandomState::default())
}

static QUICK: LazyLock<QuickCache> = LazyLock::new(new_quick);
static QUICK_IN_TURN: LazyLock<QuickCache> = LazyLock::new(new_quick);
static MOKA: LazyLock<MokaCache> = LazyLock::new(new_moka);
static MOKA_IN_TURN: LazyLock<MokaCache> = LazyLock::new(new_moka);
/// What the workers store. It is a quick_cache too.
static STORED_BY_STD: LazyLock<QuickCache> = LazyLock::new(new_quick);
static STORED_BY_CROSSBEAM: LazyLock<QuickCache> = LazyLock::new(new_quick);
static STORED_BY_BATCH: LazyLock<QuickCache> = LazyLock::new(new_quick);

fn keys_from(first: u64, n: usize) -> Vec<[u8; 16]> {
    (first..first + n as u64)
        .map(|number| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
            key[8..].copy_from_slice(&number.to_le_bytes());
            key
        })
        .collect()
}

/// Keys that no earlier call used.
fn fresh_keys(n: usize) -> Vec<[u8; 16]> {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
    keys_from(NEXT.fetch_add(n as u64, Ordering::Relaxed), n)
}

fn nanos(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64
}

/// A message for the worker: a key, and where to send the answer.
struct Job {
    at: usize,
    key: [u8; 16],
    reply: Reply,
}

enum Reply {
    Std(mpsc::Sender<(usize, Value)>),
    Crossbeam(crossbeam_channel::Sender<(usize, Value)>),
    /// The caller stores the answer.
    Once(oneshot::Sender<Value>),
}

/// Many keys at once, and where to send all the answers.
struct Batch {
    at: usize,
    keys: Vec<[u8; 16]>,
    reply: mpsc::Sender<(usize, Vec<Value>)>,
}

static STD: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = mpsc::channel();
    thread::spawn(move || inbox.into_iter().for_each(work));
    jobs
});

static CROSSBEAM: LazyLock<crossbeam_channel::Sender<Job>> = LazyLock::new(|| {
    let (jobs, inbox) = crossbeam_channel::unbounded();
    thread::spawn(move || inbox.into_iter().for_each(work));
    jobs
});

static BY_BATCH: LazyLock<mpsc::Sender<Batch>> = LazyLock::new(|| {
    let (batches, inbox) = mpsc::channel::<Batch>();
    thread::spawn(move || {
        for Batch { at, keys, reply } in inbox {
            drop(reply.send((at, keys.iter().map(|key| load_and_store(&STORED_BY_BATCH, key)).collect())));
        }
    });
    batches
});

fn load_and_store(store: &QuickCache, key: &[u8; 16]) -> Value {
    let answer = value(&BYTES);
    store.insert(Key::new(key), answer.clone());
    answer
}

fn work(job: Job) {
    match job.reply {
        Reply::Std(sender) => drop(sender.send((job.at, load_and_store(&STORED_BY_STD, &job.key)))),
        Reply::Crossbeam(sender) => drop(sender.send((job.at, load_and_store(&STORED_BY_CROSSBEAM, &job.key)))),
        Reply::Once(sender) => drop(sender.send(value(&BYTES))),
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

/// `n` absent keys through one worker and a channel for each direction, one message for each key: nanoseconds for each key.
#[unsafe(no_mangle)]
extern "C" fn load_channel_std(n: usize) -> f64 {
    let (jobs, keys) = (&*STD, fresh_keys(n));
    let began = Instant::now();
    let (reply, answers) = mpsc::channel();
    for (at, key) in keys.into_iter().enumerate() {
        if STORED_BY_STD.get(Slice::of(&key)).is_none() {
            let _ = jobs.send(Job { at, key, reply: Reply::Std(reply.clone()) });
        }
    }
    drop(reply);
    collect(answers.into_iter(), n, began)
}

/// Like [`load_channel_std`], with the channel that kvlight itself uses.
#[unsafe(no_mangle)]
extern "C" fn load_channel_crossbeam(n: usize) -> f64 {
    let (jobs, keys) = (&*CROSSBEAM, fresh_keys(n));
    let began = Instant::now();
    let (reply, answers) = crossbeam_channel::unbounded();
    for (at, key) in keys.into_iter().enumerate() {
        if STORED_BY_CROSSBEAM.get(Slice::of(&key)).is_none() {
            let _ = jobs.send(Job { at, key, reply: Reply::Crossbeam(reply.clone()) });
        }
    }
    drop(reply);
    collect(answers.into_iter(), n, began)
}

/// Like [`load_channel_std`], with 64 keys for each message, as in a program that knows all its keys beforehand.
#[unsafe(no_mangle)]
extern "C" fn load_channel_by_64(n: usize) -> f64 {
    let (batches, keys) = (&*BY_BATCH, fresh_keys(n));
    let began = Instant::now();
    let (reply, answers) = mpsc::channel();
    let mut missed: Vec<[u8; 16]> = Vec::with_capacity(64);
    for (at, key) in keys.iter().enumerate() {
        if STORED_BY_BATCH.get(Slice::of(key)).is_none() {
            missed.push(*key);
        }
        if missed.len() == 64 || at + 1 == n {
            let keys = std::mem::replace(&mut missed, Vec::with_capacity(64));
            let _ = batches.send(Batch { at: at + 1 - keys.len(), keys, reply: reply.clone() });
        }
    }
    drop(reply);
    collect(answers.into_iter().flat_map(|(at, values)| values.into_iter().enumerate().map(move |(i, value)| (at + i, value))), n, began)
}

/// One absent key, sent to a parked worker and waited for: the median of `n` round trips.
#[unsafe(no_mangle)]
extern "C" fn trip_parked(n: usize) -> f64 {
    let jobs = &*STD;
    median_of_trips(n, |key| {
        let (reply, answers) = mpsc::channel();
        if STORED_BY_STD.get(Slice::of(&key)).is_none() {
            let _ = jobs.send(Job { at: 0, key, reply: Reply::Std(reply) });
        }
        answers.recv().map(|(_, value)| value).ok()
    })
}

/// One absent key through quick_cache's async loading, loaded by a parked worker: the median of `n` round trips.
#[unsafe(no_mangle)]
extern "C" fn trip_quick(n: usize) -> f64 {
    let (jobs, cache) = (&*STD, &*QUICK);
    median_of_trips(n, |key| {
        let load = async {
            let (sender, answer) = oneshot::channel();
            let _ = jobs.send(Job { at: 0, key, reply: Reply::Once(sender) });
            answer.await
        };
        block_on(cache.get_or_insert_async(&Key::new(&key), load)).ok()
    })
}

/// Like [`trip_quick`], with moka.
#[unsafe(no_mangle)]
extern "C" fn trip_moka(n: usize) -> f64 {
    let (jobs, cache) = (&*STD, &*MOKA);
    median_of_trips(n, |key| {
        let load = async {
            let (sender, answer) = oneshot::channel();
            let _ = jobs.send(Job { at: 0, key, reply: Reply::Once(sender) });
            answer.await.unwrap_or_else(|_| value(&[]))
        };
        Some(block_on(cache.get_with(Key::new(&key), load)))
    })
}

fn median_of_trips(n: usize, trip: impl Fn([u8; 16]) -> Option<Value>) -> f64 {
    let mut times: Vec<f64> = fresh_keys(n)
        .into_iter()
        .map(|key| {
            let began = Instant::now();
            let answer = trip(key);
            let took = nanos(began);
            assert_eq!(answer.map(|value| value.slice.len()), Some(BYTES.len()));
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[n / 2]
}

async fn ask_quick(cache: &QuickCache, key: &[u8; 16]) -> Value {
    match cache.get_or_insert_async(&Key::new(key), async { Ok::<_, ()>(value(&BYTES)) }).await {
        Ok(value) => value,
        Err(()) => unreachable!("the loader does not fail"),
    }
}

async fn ask_moka(cache: &MokaCache, key: &[u8; 16]) -> Value {
    cache.get_with(Key::new(key), async { value(&BYTES) }).await
}

/// Requests all keys at once, as a program with a slow loader would: nanoseconds for each key.
fn together<'a, F: Future<Output = Value>>(keys: &'a [[u8; 16]], ask: impl Fn(&'a [u8; 16]) -> F) -> f64 {
    let began = Instant::now();
    let values = block_on(join_all(keys.iter().map(ask)));
    let took = nanos(began) / keys.len() as f64;
    assert!(values.len() == keys.len() && values.iter().all(|value| value.slice.len() == BYTES.len()));
    took
}

/// Requests one key after the other, which is fastest if answers are available at once: nanoseconds for each key.
fn in_turn<'a, F: Future<Output = Value>>(keys: &'a [[u8; 16]], ask: impl Fn(&'a [u8; 16]) -> F) -> f64 {
    let mut values = Vec::with_capacity(keys.len());
    let began = Instant::now();
    block_on(async {
        for key in keys {
            values.push(ask(key).await);
        }
    });
    let took = nanos(began) / keys.len() as f64;
    assert!(values.iter().all(|value| value.slice.len() == BYTES.len()));
    took
}

#[unsafe(no_mangle)]
extern "C" fn absent_quick(n: usize) -> f64 {
    together(&fresh_keys(n), |key| ask_quick(&QUICK, key))
}

#[unsafe(no_mangle)]
extern "C" fn absent_moka(n: usize) -> f64 {
    together(&fresh_keys(n), |key| ask_moka(&MOKA, key))
}

#[unsafe(no_mangle)]
extern "C" fn absent_quick_in_turn(n: usize) -> f64 {
    in_turn(&fresh_keys(n), |key| ask_quick(&QUICK_IN_TURN, key))
}

#[unsafe(no_mangle)]
extern "C" fn absent_moka_in_turn(n: usize) -> f64 {
    in_turn(&fresh_keys(n), |key| ask_moka(&MOKA_IN_TURN, key))
}

/// Resident keys: the first call loads them untimed.
fn resident(n: usize, ask: impl Fn(&[[u8; 16]]) -> f64) -> f64 {
    let keys = keys_from(0, n);
    ask(&keys);
    ask(&keys)
}

#[unsafe(no_mangle)]
extern "C" fn resident_quick(n: usize) -> f64 {
    resident(n, |keys| in_turn(keys, |key| ask_quick(&QUICK, key)))
}

#[unsafe(no_mangle)]
extern "C" fn resident_moka(n: usize) -> f64 {
    resident(n, |keys| in_turn(keys, |key| ask_moka(&MOKA, key)))
}

/// `n` waiters for one key that is being loaded, all on one thread: nanoseconds for each waiter, from the first call to the last answer.
/// The load ends when all of them wait.
fn waiters<F: Future<Output = Value>>(n: usize, ask: impl Fn(Cell<Option<oneshot::Receiver<Value>>>) -> F) -> f64 {
    let (end, load) = oneshot::channel();
    let mut load = Some(load);
    let began = Instant::now();
    // The first caller loads the key.
    let all = join_all((0..n).map(|_| ask(Cell::new(load.take()))));
    let (values, ()) = block_on(join(all, async { drop(end.send(value(&BYTES))) }));
    let took = nanos(began) / n as f64;
    assert!(values.len() == n && values.iter().all(|value| value.slice.len() == BYTES.len()));
    took
}

async fn loaded(load: Cell<Option<oneshot::Receiver<Value>>>) -> Value {
    let load = load.take().expect("only the first to ask loads");
    load.await.expect("the load is ended by an answer")
}

#[unsafe(no_mangle)]
extern "C" fn waiters_quick(n: usize) -> f64 {
    let (cache, key) = (&*QUICK, fresh_keys(1)[0]);
    waiters(n, |load| async move {
        let load = async { Ok::<_, ()>(loaded(load).await) };
        match cache.get_or_insert_async(&Key::new(&key), load).await {
            Ok(value) => value,
            Err(()) => unreachable!("the loader does not fail"),
        }
    })
}

/// Like [`waiters_quick`], with moka.
#[unsafe(no_mangle)]
extern "C" fn waiters_moka(n: usize) -> f64 {
    let (cache, key) = (&*MOKA, fresh_keys(1)[0]);
    waiters(n, |load| async move { cache.get_with(Key::new(&key), loaded(load)).await })
}
