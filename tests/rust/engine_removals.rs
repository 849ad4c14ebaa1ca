//! What has left and is yet to be reported is bounded, whoever writes and however slow the host is (rule S11a).

use super::engine_world::*;
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
/// As many may be pending in a store that holds no more than this.
const PENDING: usize = 16;
/// Writers that were let through at the same time, and what is being reported.
const SLACK: usize = 2 * WRITERS + 2;

/// Takes longer than a put.
fn work() {
    for _ in 0..20 {
        std::thread::yield_now();
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

/// How many are pending, seen from outside: put, not in the store, and not heard of.
fn pending(puts: usize, heard: usize) -> usize {
    puts.saturating_sub(heard + CAPACITY)
}

fn note_most(most: &AtomicUsize, is: usize) {
    most.fetch_max(is, Ordering::SeqCst);
}

#[test]
fn s11a_writers_wait_for_a_listener_that_is_slower() {
    let (heard, worst) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let note = heard.clone();
    let listener = move |_: &Departure| {
        work();
        note.fetch_add(1, Ordering::SeqCst);
    };
    let world = story().with(|s| s.cache.capacity = CAPACITY as u64).hooks(|hooks| hooks.removal = Some(Arc::new(By(listener)))).begin();
    write(&world.core, || value("v"), |puts| note_most(&worst, pending(puts, heard.load(Ordering::SeqCst))));
    let worst = worst.into_inner();
    assert!(worst <= PENDING + SLACK, "{worst} were pending at once");
    world.free();
    assert_eq!(heard.load(Ordering::SeqCst), WRITERS * PUTS - CAPACITY, "and each that left was heard of");
}

#[test]
fn s11a_writers_end_values_themselves_where_nobody_listens() {
    let worst = AtomicUsize::new(0);
    let ends = Ends::with(work);
    let world = story().with(|s| s.cache.capacity = CAPACITY as u64).begin();
    write(&world.core, || ends.value(), |puts| note_most(&worst, pending(puts, ends.count())));
    let worst = worst.into_inner();
    assert!(worst <= PENDING + SLACK, "{worst} were pending at once");
    world.free();
    assert_eq!(ends.count(), WRITERS * PUTS);
}

#[test]
fn s11a_providers_are_held_back_too() {
    let (heard, worst, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let note = heard.clone();
    let listener = move |_: &Departure| {
        work();
        note.fetch_add(1, Ordering::SeqCst);
    };
    let (seen, most) = (heard.clone(), worst.clone());
    let world = story()
        .with(|settings| settings.cache.capacity = CAPACITY as u64)
        .hooks(|hooks| hooks.removal = Some(Arc::new(By(listener))))
        .answered(move |ticket| {
            for index in 0..ticket.keys().len() {
                ticket.resolve(index, value("v"), Default::default());
            }
            let answered = answered.fetch_add(ticket.keys().len(), Ordering::SeqCst);
            most.fetch_max(pending(answered, seen.load(Ordering::SeqCst)), Ordering::SeqCst);
        })
        .begin();
    let keys: Vec<String> = (0..WRITERS * PUTS).map(|number| number.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    world.fetch_all(&keys).batch();
    // Four threads of it, with a full request each.
    let worst = worst.load(Ordering::SeqCst);
    assert!(worst <= PENDING + 4 * 20, "{worst} were pending at once");
    world.free();
    assert_eq!(heard.load(Ordering::SeqCst), WRITERS * PUTS - CAPACITY);
}

/// What a listener of a cache without an engine heard, and how.
#[derive(Default)]
struct Heard {
    at_work: AtomicBool,
    by_thread: Mutex<HashMap<ThreadId, usize>>,
    numbers: Mutex<HashMap<Vec<u8>, u64>>,
    count: AtomicUsize,
}

impl Heard {
    fn here(&self) -> usize {
        self.by_thread.lock().expect("no panic").get(&std::thread::current().id()).copied().unwrap_or(0)
    }
}

fn bare_cache(heard: &Arc<Heard>) -> Arc<Core> {
    let note = heard.clone();
    let listener = move |left: &Departure| {
        assert!(!note.at_work.swap(true, Ordering::SeqCst), "one at a time");
        work();
        *note.by_thread.lock().expect("no panic").entry(std::thread::current().id()).or_default() += 1;
        let number =
            left.answer.value().and_then(|value| value.as_bytes()).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight")));
        let before = note.numbers.lock().expect("no panic").insert(left.key.to_vec(), number.expect("bytes"));
        assert!(before < number, "those of one key in store order");
        note.count.fetch_add(1, Ordering::SeqCst);
        note.at_work.store(false, Ordering::SeqCst);
    };
    let mut plan = Plan::default();
    plan.settings.cache.capacity = CAPACITY as u64;
    plan.hooks.removal = Some(Arc::new(By(listener)));
    Core::cache(plan).expect("no runtime is shared")
}

fn number(number: u64) -> Answer {
    Answer::Value(kvlight::base::Value::bytes(&number.to_le_bytes()).expect("memory"))
}

#[test]
fn s11a_no_put_on_a_bare_cache_reports_for_the_others_for_long() {
    let heard = Arc::<Heard>::default();
    let cache = bare_cache(&heard);
    let (most_at_once, worst, puts) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (cache, heard, most_at_once, worst, puts) = (&cache, &heard, &most_at_once, &worst, &puts);
            scope.spawn(move || {
                for round in 0..PUTS {
                    let before = heard.here();
                    // Few keys, each of one writer: what leaves of it is caused by all of them.
                    put(cache, &format!("{writer} {}", round % CAPACITY), number(round as u64));
                    note_most(most_at_once, heard.here() - before);
                    note_most(worst, pending(puts.fetch_add(1, Ordering::SeqCst) + 1, heard.count.load(Ordering::SeqCst)));
                }
            });
        }
    });
    let (most, worst) = (most_at_once.into_inner(), worst.into_inner());
    assert!(most <= SLACK, "one put reported {most} removals");
    assert!(worst <= SLACK, "{worst} were pending at once");
}

#[test]
fn s11a_what_a_listener_removes_is_reported_before_the_call_returns() {
    let heard = Arc::<Heard>::default();
    let cache = bare_cache(&heard);
    (0..CAPACITY as u8).for_each(|key| put(&cache, &key.to_string(), number(1)));
    assert_eq!(heard.count.load(Ordering::SeqCst), 0);
    cache.clear().expect("open");
    assert_eq!(heard.count.load(Ordering::SeqCst), CAPACITY);
    assert_eq!(heard.here(), CAPACITY, "on this thread");
}

/// A program keeps a lock of its own around its puts, and its listener takes that lock. On an engine they are two threads.
#[test]
fn s11a_a_listener_that_waits_for_the_writer_holds_it_up_once() {
    let lock = Arc::new(Mutex::new(()));
    let heard = Arc::new(AtomicUsize::new(0));
    let (theirs, note) = (lock.clone(), heard.clone());
    let listener = move |_: &Departure| {
        let _held = theirs.lock().expect("no panic");
        note.fetch_add(1, Ordering::SeqCst);
    };
    let world = story().with(|s| s.cache.capacity = CAPACITY as u64).hooks(|hooks| hooks.removal = Some(Arc::new(By(listener)))).begin();
    let held = lock.lock().expect("no panic");
    let began = std::time::Instant::now();
    (0..200).for_each(|number| put(&world.core, &number.to_string(), value("v")));
    assert!(began.elapsed() < Duration::from_secs(60), "each put waited anew");
    drop(held);
    world.free();
    assert_eq!(heard.load(Ordering::SeqCst), 200 - CAPACITY);
}

#[test]
fn s11a_what_is_pending_is_a_gauge() {
    let (reached, go) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
    let (here, on, first) = (reached.clone(), go.clone(), AtomicBool::new(true));
    let listener = move |_: &Departure| {
        if first.swap(false, Ordering::SeqCst) {
            here.wait();
            on.wait();
        }
    };
    let world = story().hooks(|hooks| hooks.removal = Some(Arc::new(By(listener)))).begin();
    for key in ["a", "b", "c"] {
        world.put(key, "value");
        world.remove(key);
    }
    reached.wait();
    let value = kvlight::base::Answer::Value(kvlight::base::Value::bytes(b"value").expect("memory"));
    let entry = kvlight::cache::cost_of(&kvlight::base::Record::new(b"a", value), None, 0);
    assert_eq!(world.stats().pending_removals, (2, 2 * entry), "one is with the listener");
    go.wait();
    until("nothing is pending", || world.stats().pending_removals == (0, 0));
    world.free();
}

#[test]
fn s11a_a_bulk_of_removals_holds_no_later_put_for_long() {
    let heard = Arc::new(AtomicUsize::new(0));
    let note = heard.clone();
    let listener = move |_: &Departure| {
        work();
        note.fetch_add(1, Ordering::SeqCst);
    };
    let many = 5_000;
    let world = story().with(|s| s.cache.capacity = many).hooks(|hooks| hooks.removal = Some(Arc::new(By(listener)))).begin();
    (0..many).for_each(|number| put(&world.core, &number.to_string(), value("v")));
    world.core.clear().expect("open");
    let before = heard.load(Ordering::SeqCst);
    put(&world.core, "k", value("v"));
    let waited_for = heard.load(Ordering::SeqCst) - before;
    assert!(waited_for < many as usize / 2, "a put waited for {waited_for} removals that it did not cause");
    world.free();
    assert_eq!(heard.load(Ordering::SeqCst), many as usize);
}
