//! The number of pending removals, those not reported yet, is bounded, whichever threads write and however slow the host is (rule S11a).

use super::engine_fixture::*;
use kvlight::base::{Answer, Status};
use kvlight::cache::{Departure, Departures, NewEntry};
use kvlight::engine::{Core, Plan};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

const WRITERS: usize = 3;
const PUTS: usize = 2_000;
const CAPACITY: usize = 8;
/// The largest number of removals that may be pending for a store of this size.
const PENDING: usize = 16;
/// By how much [`PENDING`] may be exceeded: writers may pass the check at the same time, and removals that are being reported still count.
const SLACK: usize = 2 * WRITERS + 2;

/// Takes longer than a put. It spins, since a thread that yields on a busy machine may run again only when the writers are done.
fn work() {
    for _ in 0..2_000 {
        std::hint::spin_loop();
    }
}

fn put(core: &Core, key: &str, answer: Answer) {
    let mut left = Departures::new();
    assert_eq!(core.put(key.as_bytes(), NewEntry::new(answer), None, &mut left), Ok(Status::OK));
}

/// `WRITERS` threads put `PUTS` values each; `after` is called after each put, with the number of all puts so far.
fn write(core: &Core, answer: impl Fn() -> Answer + Sync, after: impl Fn(usize) + Sync) {
    let puts = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (puts, answer, after) = (&puts, &answer, &after);
            scope.spawn(move || {
                for number in 0..PUTS {
                    put(core, &format!("{writer} {number}"), answer());
                    after(puts.fetch_add(1, Ordering::SeqCst) + 1);
                }
            });
        }
    });
}

/// The number of pending removals, computed from outside: values that were put, are not in the store, and were not reported.
fn pending(puts: usize, received: usize) -> usize {
    puts.saturating_sub(received + CAPACITY)
}

fn note_most(most: &AtomicUsize, number: usize) {
    most.fetch_max(number, Ordering::SeqCst);
}

#[test]
fn s11a_writers_wait_for_a_slower_listener() {
    let (received, worst) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let note = received.clone();
    let listener = move |_: &Departure| {
        work();
        note.fetch_add(1, Ordering::SeqCst);
    };
    let engine = test_engine()
        .with(|s| s.cache.capacity = CAPACITY as u64)
        .hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener))))
        .start();
    write(&engine.core, || value("v"), |puts| note_most(&worst, pending(puts, received.load(Ordering::SeqCst))));
    let worst = worst.into_inner();
    assert!(worst <= PENDING + SLACK, "{worst} were pending at once");
    engine.free();
    assert_eq!(received.load(Ordering::SeqCst), WRITERS * PUTS - CAPACITY, "each departure was reported");
}

#[test]
fn s11a_writers_drop_values_themselves_without_a_listener() {
    let worst = AtomicUsize::new(0);
    let ends = DropLog::with(work);
    let engine = test_engine().with(|s| s.cache.capacity = CAPACITY as u64).start();
    write(&engine.core, || ends.value(), |puts| note_most(&worst, pending(puts, ends.count())));
    let worst = worst.into_inner();
    assert!(worst <= PENDING + SLACK, "{worst} were pending at once");
    engine.free();
    assert_eq!(ends.count(), WRITERS * PUTS);
}

#[test]
fn s11a_provider_threads_wait_for_a_slower_listener_too() {
    let (received, worst, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let note = received.clone();
    let listener = move |_: &Departure| {
        work();
        note.fetch_add(1, Ordering::SeqCst);
    };
    let (seen, most) = (received.clone(), worst.clone());
    let engine = test_engine()
        .with(|settings| settings.cache.capacity = CAPACITY as u64)
        .hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener))))
        .answered_by(move |ticket| {
            for index in 0..ticket.keys().len() {
                ticket.resolve(index, value("v"), Default::default());
            }
            let answered = answered.fetch_add(ticket.keys().len(), Ordering::SeqCst);
            most.fetch_max(pending(answered, seen.load(Ordering::SeqCst)), Ordering::SeqCst);
        })
        .start();
    let keys: Vec<String> = (0..WRITERS * PUTS).map(|number| number.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    engine.fetch_all(&keys).batch();
    // Each of the four provider threads waits only before its next request. 20 removals for each are more than enough.
    let worst = worst.load(Ordering::SeqCst);
    assert!(worst <= PENDING + 4 * 20, "{worst} were pending at once");
    engine.free();
    assert_eq!(received.load(Ordering::SeqCst), WRITERS * PUTS - CAPACITY);
}

/// What the listener of a cache without an engine has received.
#[derive(Default)]
struct ListenerLog {
    /// Whether the listener is being called.
    running: AtomicBool,
    by_thread: Mutex<HashMap<ThreadId, usize>>,
    /// The last value of each key.
    numbers: Mutex<HashMap<Vec<u8>, u64>>,
    count: AtomicUsize,
}

impl ListenerLog {
    /// How many removals were reported on the current thread.
    fn here(&self) -> usize {
        self.by_thread.lock().expect("no panic").get(&std::thread::current().id()).copied().unwrap_or(0)
    }
}

/// A cache without an engine, whose listener writes to the log. Its values are numbers, which must grow for each key.
fn bare_cache(received: &Arc<ListenerLog>) -> Arc<Core> {
    let note = received.clone();
    let listener = move |left: &Departure| {
        assert!(!note.running.swap(true, Ordering::SeqCst), "one at a time");
        work();
        *note.by_thread.lock().expect("no panic").entry(std::thread::current().id()).or_default() += 1;
        let number =
            left.answer().value().and_then(|value| value.as_bytes()).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight")));
        let before = note.numbers.lock().expect("no panic").insert(left.key().to_vec(), number.expect("bytes"));
        assert!(before < number, "the values of one key are reported in store order");
        note.count.fetch_add(1, Ordering::SeqCst);
        note.running.store(false, Ordering::SeqCst);
    };
    let mut plan = Plan::default();
    plan.settings.cache.capacity = CAPACITY as u64;
    plan.hooks.removal = Some(Arc::new(HostFunction(listener)));
    Core::cache(plan).expect("no runtime is shared")
}

fn number(number: u64) -> Answer {
    Answer::Value(kvlight::base::Value::bytes(&number.to_le_bytes()).expect("memory"))
}

#[test]
fn s11a_no_put_on_a_bare_cache_reports_many_removals_of_others() {
    let received = Arc::<ListenerLog>::default();
    let cache = bare_cache(&received);
    let (most_at_once, worst, puts) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (cache, received, most_at_once, worst, puts) = (&cache, &received, &most_at_once, &worst, &puts);
            scope.spawn(move || {
                for round in 0..PUTS {
                    let before = received.here();
                    // Each key is written by one thread, but the puts of all threads evict it.
                    put(cache, &format!("{writer} {}", round % CAPACITY), number(round as u64));
                    note_most(most_at_once, received.here() - before);
                    note_most(worst, pending(puts.fetch_add(1, Ordering::SeqCst) + 1, received.count.load(Ordering::SeqCst)));
                }
            });
        }
    });
    let (most, worst) = (most_at_once.into_inner(), worst.into_inner());
    assert!(most <= SLACK, "one put reported {most} removals");
    assert!(worst <= SLACK, "{worst} were pending at once");
}

#[test]
fn s11a_removals_of_a_clear_are_reported_before_the_call_returns() {
    let received = Arc::<ListenerLog>::default();
    let cache = bare_cache(&received);
    (0..CAPACITY as u8).for_each(|key| put(&cache, &key.to_string(), number(1)));
    assert_eq!(received.count.load(Ordering::SeqCst), 0);
    cache.clear().expect("open");
    assert_eq!(received.count.load(Ordering::SeqCst), CAPACITY);
    assert_eq!(received.here(), CAPACITY, "on this thread");
}

/// Models a program that holds a lock of its own around its puts, and whose listener takes that lock. With an engine, the listener runs on
/// another thread.
#[test]
fn s11a_a_listener_that_waits_for_the_writer_delays_it_once() {
    let lock = Arc::new(Mutex::new(()));
    let received = Arc::new(AtomicUsize::new(0));
    let (theirs, note) = (lock.clone(), received.clone());
    let listener = move |_: &Departure| {
        let _held = theirs.lock().expect("no panic");
        note.fetch_add(1, Ordering::SeqCst);
    };
    let engine = test_engine()
        .with(|s| s.cache.capacity = CAPACITY as u64)
        .hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener))))
        .start();
    let held = lock.lock().expect("no panic");
    let began = std::time::Instant::now();
    (0..200).for_each(|number| put(&engine.core, &number.to_string(), value("v")));
    assert!(began.elapsed() < Duration::from_secs(60), "each put waited");
    drop(held);
    engine.free();
    assert_eq!(received.load(Ordering::SeqCst), 200 - CAPACITY);
}

#[test]
fn s11a_pending_removals_are_a_gauge() {
    let (reached, go) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
    let (here, on, first) = (reached.clone(), go.clone(), AtomicBool::new(true));
    let listener = move |_: &Departure| {
        if first.swap(false, Ordering::SeqCst) {
            here.wait();
            on.wait();
        }
    };
    let engine = test_engine().hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener)))).start();
    for key in ["a", "b", "c"] {
        engine.put(key, "value");
        engine.remove(key);
    }
    reached.wait();
    let value = kvlight::base::Answer::Value(kvlight::base::Value::bytes(b"value").expect("memory"));
    let entry = kvlight::cache::cost_of(&kvlight::base::Record::new(b"a", value), None, 0);
    assert_eq!(engine.stats().pending_removals, (2, 2 * entry), "one is being reported");
    go.wait();
    until("nothing is pending", || engine.stats().pending_removals == (0, 0));
    engine.free();
}

#[test]
fn s11a_many_removals_at_once_do_not_delay_a_later_put_for_long() {
    let received = Arc::new(AtomicUsize::new(0));
    let note = received.clone();
    let listener = move |_: &Departure| {
        work();
        note.fetch_add(1, Ordering::SeqCst);
    };
    let many = 5_000;
    let engine =
        test_engine().with(|s| s.cache.capacity = many).hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener)))).start();
    (0..many).for_each(|number| put(&engine.core, &number.to_string(), value("v")));
    engine.core.clear().expect("open");
    let before = received.load(Ordering::SeqCst);
    put(&engine.core, "k", value("v"));
    let waited_for = received.load(Ordering::SeqCst) - before;
    assert!(waited_for < many as usize / 2, "a put waited for {waited_for} removals that it did not cause");
    engine.free();
    assert_eq!(received.load(Ordering::SeqCst), many as usize);
}
