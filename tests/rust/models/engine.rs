//! Whole engines: cancel against settle, close against submit, put against load, join against finish, removals, and the end of an
//! engine against deliveries. Each model of a fetch is explored with all events in one queue, and with a queue for each route.

use super::explore;
use kvlight::base::config::Settings;
use kvlight::base::{Answer, Clock, Millis, Status, StoreTerms, Value};
use kvlight::cache::{Departure, Departures, NewEntry};
use kvlight::engine::cache::Lookup;
use kvlight::engine::fetch::FetchCall;
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::engine::host::{CloseListener, Hooks, Provider, Receiver, RemovalListener, Results};
use kvlight::engine::request::Ticket;
use kvlight::engine::{Core, Plan, Routes};
use kvlight::runtime::host_queue::HostQueue;
use kvlight::task::{Form, Outcome};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers every key with `old`.
#[derive(Default)]
struct Old {
    calls: AtomicUsize,
    /// How many calls have yet to return.
    inside: AtomicUsize,
}

impl Provider for Old {
    fn provide(&self, request: Ticket) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.inside.fetch_add(1, Ordering::SeqCst);
        for index in 0..request.keys().len() {
            request.resolve(index, value("old"), StoreTerms::default());
        }
        drop(request);
        loom::thread::yield_now();
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

fn value(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

/// What the host was told, in order.
type Diary = Arc<Mutex<Vec<(&'static str, Status)>>>;

struct Told(&'static str, Diary);

impl Receiver for Told {
    fn result(&mut self, _index: usize, _key: &[u8], outcome: &Outcome, last: bool) {
        assert!(last, "one position, one event");
        self.1.lock().expect("the diary").push((self.0, outcome.status()));
    }
    fn batch(&mut self, _results: Results) {
        unreachable!("nobody asked for a batch");
    }
    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}

impl CloseListener for Told {
    fn closed(self: Box<Self>) {
        self.1.lock().expect("the diary").push((self.0, Status::OK));
    }
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

/// Whether all events go to one queue, or those of each route to one of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Queues {
    One,
    Apart,
}

struct World {
    core: Arc<Core>,
    routes: Routes,
    provider: Arc<Old>,
    removed: Arc<Mutex<Vec<Vec<u8>>>>,
    diary: Diary,
}

/// Explores `model` with one queue and with three.
fn explore_routes(name: &'static str, preemptions: usize, model: impl Fn(World) + Copy + Sync + Send + 'static) {
    for queues in [Queues::One, Queues::Apart] {
        explore(&format!("{name}, queues: {queues:?}"), preemptions, move || model(World::new(queues)));
    }
}

impl World {
    fn new(queues: Queues) -> World {
        let (provider, removed) = (Arc::new(Old::default()), Arc::default());
        let listener = Departed(Arc::clone(&removed));
        let hooks = Hooks { provider: Some(provider.clone()), removal: Some(Arc::new(listener)), ..Hooks::default() };
        let one = Arc::new(HostQueue::new(false));
        let next = || Some(if queues == Queues::One { one.clone() } else { Arc::new(HostQueue::new(false)) });
        let routes = Routes { results: next(), provider: next(), removals: next() };
        let plan =
            Plan { settings: Settings::default(), hooks, clock: Some(Clock::manual(Millis(0))), runtime: None, routes: routes.clone() };
        World { core: Core::engine(plan).expect("it needs no threads"), routes, provider, removed, diary: Diary::default() }
    }

    fn fetch(&self, name: &'static str, handle: Option<&Arc<FetchHandle>>) -> Result<(), Status> {
        fetch(&self.core, &self.diary, name, handle)
    }

    /// Delivers all that waits, in whatever queue.
    fn drain(&self) {
        let queues = [&self.routes.provider, &self.routes.removals, &self.routes.results];
        let poll = |queue: &HostQueue| queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok();
        // What is delivered in one may send to another.
        while queues.iter().any(|queue| queue.as_deref().is_some_and(poll)) {}
    }

    fn told(&self) -> Vec<(&'static str, Status)> {
        self.diary.lock().expect("the diary").clone()
    }

    fn lookup(&self) -> Option<Vec<u8>> {
        match self.core.get(b"k").expect("it is open") {
            Lookup::Value(value) => value.as_bytes().map(<[u8]>::to_vec),
            _ => None,
        }
    }

    fn end(self) {
        self.core.close(None, None);
        self.drain();
        self.core.clone().free();
        self.drain();
    }
}

fn fetch(core: &Core, diary: &Diary, name: &'static str, handle: Option<&Arc<FetchHandle>>) -> Result<(), Status> {
    let call = FetchCall { form: Form::Each, settings: core.fetch_settings().clone(), progress_step: 0, handle, at_once: false };
    let diary = diary.clone();
    core.fetch([&b"k"[..]].into_iter(), &call, || Box::new(Told(name, diary))).map(drop)
}

#[test]
fn f01_f09_a_cancel_that_meets_the_answer_leaves_one_event() {
    explore_routes("cancel against settle", 3, |world| {
        let handle = Arc::new(FetchHandle::new());
        world.fetch("a", Some(&handle)).expect("it is open");
        let canceller = loom::thread::spawn(move || handle.cancel());
        world.drain();
        canceller.join().expect("it ends");
        world.drain();
        let told = world.told();
        assert!(matches!(told[..], [("a", Status::VALUE | Status::ERR_CANCELLED)]), "{told:?}");
        world.end();
    });
}

#[test]
fn f09_a_cancel_while_the_call_is_on_its_way_is_not_lost() {
    explore_routes("cancel against submit", 3, |world| {
        let handle = Arc::new(FetchHandle::new());
        let canceller = {
            let handle = handle.clone();
            loom::thread::spawn(move || handle.cancel())
        };
        let accepted = world.fetch("a", Some(&handle));
        canceller.join().expect("it ends");
        world.drain();
        let told = world.told();
        match accepted {
            // Cancelled before: no event. Else the cancel finds it in the table, since nothing was delivered before it ended.
            Err(status) => assert!(status == Status::ERR_CANCELLED && told.is_empty(), "{status:?} {told:?}"),
            Ok(()) => assert_eq!(told, [("a", Status::ERR_CANCELLED)]),
        }
        world.end();
    });
}

#[test]
fn f01_l05_a_fetch_that_meets_a_close_is_refused_or_told_before_the_end() {
    explore_routes("close against submit", 3, |world| {
        let closer = {
            let (core, diary) = (world.core.clone(), world.diary.clone());
            loom::thread::spawn(move || core.close(None, Some(Box::new(Told("end", diary)))))
        };
        let accepted = world.fetch("a", None);
        closer.join().expect("it ends");
        world.drain();
        let told = world.told();
        match accepted {
            Err(status) => assert!(status == Status::ERR_CLOSED && told == [("end", Status::OK)], "{status:?} {told:?}"),
            Ok(()) => assert!(
                matches!(told[..], [("a", Status::ERR_CLOSED), ("end", Status::OK)]),
                "an accepted fetch is told, then the end: {told:?}"
            ),
        }
        world.core.clone().free();
    });
}

#[test]
fn f08_a_put_that_meets_the_answer_wins() {
    explore_routes("put against load", 3, |world| {
        world.fetch("a", None).expect("it is open");
        let writer = {
            let core = world.core.clone();
            loom::thread::spawn(move || core.put(b"k", NewEntry::new(value("new")), None, &mut Departures::new()).expect("it is open"))
        };
        world.drain();
        assert_eq!(writer.join().expect("it ends"), Status::OK);
        world.drain();
        assert_eq!(world.lookup().as_deref(), Some(&b"new"[..]), "whatever the order, the put is newer than the load");
        assert_eq!(world.told(), [("a", Status::VALUE)]);
        world.end();
    });
}

#[test]
fn f06_f07_two_who_ask_are_each_told_once_and_the_provider_is_asked_once() {
    explore_routes("join against finish", 3, |world| {
        let other = {
            let (core, diary) = (world.core.clone(), world.diary.clone());
            loom::thread::spawn(move || fetch(&core, &diary, "b", None).expect("it is open"))
        };
        world.fetch("a", None).expect("it is open");
        world.drain();
        other.join().expect("it ends");
        world.drain();
        let mut told = world.told();
        told.sort_by_key(|(name, _)| *name);
        assert_eq!(told, [("a", Status::VALUE), ("b", Status::VALUE)]);
        // Whoever came late joined the load or hit what it stored: never was there a second one.
        assert_eq!(world.provider.calls.load(Ordering::Relaxed), 1);
        world.end();
    });
}

/// The reader of a queue of its own is inside the provider when another thread reads the news of the end.
#[test]
fn l05b_the_end_is_told_behind_a_call_in_another_queue() {
    explore("close against a provider's call", 2, || {
        let world = World::new(Queues::Apart);
        world.fetch("a", None).expect("it is open");
        let reader = {
            let queue = world.routes.provider.clone().expect("a queue");
            loom::thread::spawn(move || queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok())
        };
        world.core.close(None, Some(Box::new(Told("end", world.diary.clone()))));
        let results = world.routes.results.as_ref().expect("a queue");
        while results.poll(usize::MAX, Some(Duration::ZERO)).is_ok() {}
        if world.told().iter().any(|(name, _)| *name == "end") {
            assert_eq!(world.provider.inside.load(Ordering::SeqCst), 0, "a call has yet to return");
        }
        reader.join().expect("it ends");
        world.drain();
        let told: Vec<&str> = world.told().iter().map(|(name, _)| *name).collect();
        assert_eq!(told, ["a", "end"]);
        world.core.clone().free();
    });
}

#[test]
fn l05b_free_waits_for_a_call_that_a_queue_delivers() {
    explore("free against a provider's call", 2, || {
        let world = World::new(Queues::Apart);
        world.fetch("a", None).expect("it is open");
        let reader = {
            let queue = world.routes.provider.clone().expect("a queue");
            loom::thread::spawn(move || queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok())
        };
        world.core.clone().free();
        assert_eq!(world.provider.inside.load(Ordering::SeqCst), 0, "a call has yet to return");
        let calls = world.provider.calls.load(Ordering::SeqCst);
        reader.join().expect("it ends");
        assert_eq!(world.provider.calls.load(Ordering::SeqCst), calls, "a call began after the end");
        world.drain();
    });
}

/// A removal lies in a queue of its own while the engine closes.
#[test]
fn l05b_the_end_is_told_behind_what_left() {
    explore("close against a removal", 2, || {
        let world = World::new(Queues::Apart);
        world.core.put(b"k", NewEntry::new(value("1")), None, &mut Departures::new()).expect("it is open");
        world.core.put(b"k", NewEntry::new(value("2")), None, &mut Departures::new()).expect("it is open");
        let reader = {
            let queue = world.routes.removals.clone().expect("a queue");
            loom::thread::spawn(move || queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok())
        };
        world.core.close(None, Some(Box::new(Told("end", world.diary.clone()))));
        let results = world.routes.results.as_ref().expect("a queue");
        while results.poll(usize::MAX, Some(Duration::ZERO)).is_ok() {}
        if !world.told().is_empty() {
            assert_eq!(*world.removed.lock().expect("the list"), [b"1"], "the end came first");
        }
        reader.join().expect("it ends");
        world.drain();
        assert_eq!(world.told(), [("end", Status::OK)]);
        world.core.clone().free();
    });
}

struct Departed(Arc<Mutex<Vec<Vec<u8>>>>);

impl RemovalListener for Departed {
    fn removed(&self, departure: &Departure) {
        let bytes = departure.answer.value().and_then(Value::as_bytes).unwrap_or_default();
        self.0.lock().expect("the list").push(bytes.to_vec());
    }
}

#[test]
fn s11_removals_of_one_key_are_told_once_and_in_store_order() {
    explore("removals", 3, || {
        let departed = Arc::new(Mutex::new(Vec::new()));
        let hooks = Hooks { removal: Some(Arc::new(Departed(departed.clone()))), ..Hooks::default() };
        let cache = Core::cache(Plan { hooks, clock: Some(Clock::manual(Millis(0))), ..Plan::default() }).expect("a cache");
        cache.put(b"k", NewEntry::new(value("0")), None, &mut Departures::new()).expect("it is open");
        let writers: Vec<_> = ["1", "2"]
            .into_iter()
            .map(|text| {
                let cache = cache.clone();
                loom::thread::spawn(move || cache.put(b"k", NewEntry::new(value(text)), None, &mut Departures::new()).expect("it is open"))
            })
            .collect();
        for writer in writers {
            assert_eq!(writer.join().expect("it ends"), Status::OK);
        }
        let left = match cache.get(b"k").expect("it is open") {
            Lookup::Value(value) => value.as_bytes().map(<[u8]>::to_vec).unwrap_or_default(),
            other => panic!("{other:?}"),
        };
        let mut all = departed.lock().expect("the list").clone();
        assert_eq!(all.len(), 2, "two were replaced: {all:?}");
        assert_eq!(all[0], b"0", "the first leaves first: {all:?}");
        all.push(left);
        all.sort();
        assert_eq!(all, [b"0".to_vec(), b"1".to_vec(), b"2".to_vec()], "each value is heard of once, or still there");
    });
}
