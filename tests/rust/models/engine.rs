//! Whole engines: cancel against settle, close against submit, put against load, join against finish, removals, and the end of an engine
//! against deliveries. Most models of a fetch are explored with all events in one queue, and with a separate queue for each kind.

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

/// A provider that answers every key with `old`.
#[derive(Default)]
struct OldProvider {
    calls: AtomicUsize,
    /// The number of calls that have not returned.
    inside: AtomicUsize,
}

impl Provider for OldProvider {
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

/// The events that were delivered to the host, in order.
type EventLog = Arc<Mutex<Vec<(&'static str, Status)>>>;

struct EventRecorder(&'static str, EventLog);

impl Receiver for EventRecorder {
    fn result(&mut self, _index: usize, _key: &[u8], outcome: &Outcome, last: bool) {
        assert!(last, "one position, one event");
        self.1.lock().expect("the log").push((self.0, outcome.status()));
    }
    fn batch(&mut self, _results: Results) {
        unreachable!("no batch was fetched");
    }
    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}

impl CloseListener for EventRecorder {
    fn closed(self: Box<Self>) {
        self.1.lock().expect("the log").push((self.0, Status::OK));
    }
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

/// Whether all events go to one queue, or each kind to its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Queues {
    One,
    Apart,
}

struct Harness {
    core: Arc<Core>,
    routes: Routes,
    provider: Arc<OldProvider>,
    removed: Arc<Mutex<Vec<Vec<u8>>>>,
    log: EventLog,
}

/// Explores `model` with one queue and with three.
fn explore_routes(name: &'static str, preemptions: usize, model: impl Fn(Harness) + Copy + Sync + Send + 'static) {
    for queues in [Queues::One, Queues::Apart] {
        explore(&format!("{name}, queues: {queues:?}"), preemptions, move || model(Harness::new(queues)));
    }
}

impl Harness {
    fn new(queues: Queues) -> Harness {
        let (provider, removed) = (Arc::new(OldProvider::default()), Arc::default());
        let listener = Departed(Arc::clone(&removed));
        let hooks = Hooks { provider: Some(provider.clone()), removal: Some(Arc::new(listener)), ..Hooks::default() };
        let one = Arc::new(HostQueue::new(false));
        let next = || Some(if queues == Queues::One { one.clone() } else { Arc::new(HostQueue::new(false)) });
        let routes = Routes { results: next(), provider: next(), removals: next(), second_tier: None };
        let plan =
            Plan { settings: Settings::default(), hooks, clock: Some(Clock::manual(Millis(0))), runtime: None, routes: routes.clone() };
        Harness { core: Core::engine(plan).expect("an engine without threads"), routes, provider, removed, log: EventLog::default() }
    }

    fn fetch(&self, name: &'static str, handle: Option<&Arc<FetchHandle>>) -> Result<(), Status> {
        fetch(&self.core, &self.log, name, handle)
    }

    /// Delivers everything that is pending in any queue.
    fn drain(&self) {
        let queues = [&self.routes.provider, &self.routes.removals, &self.routes.results];
        let poll = |queue: &HostQueue| queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok();
        // A delivery from one queue may add to another.
        while queues.iter().any(|queue| queue.as_deref().is_some_and(poll)) {}
    }

    fn events(&self) -> Vec<(&'static str, Status)> {
        self.log.lock().expect("the log").clone()
    }

    fn lookup(&self) -> Option<Vec<u8>> {
        match self.core.get(b"k").expect("the engine is open") {
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

fn fetch(core: &Core, log: &EventLog, name: &'static str, handle: Option<&Arc<FetchHandle>>) -> Result<(), Status> {
    let call = FetchCall { form: Form::Each, settings: core.fetch_settings().clone().into(), progress_step: 0, handle, at_once: false };
    let log = log.clone();
    core.fetch([&b"k"[..]].into_iter(), &call, || Box::new(EventRecorder(name, log))).map(drop)
}

#[test]
fn f01_f09_a_cancel_concurrent_with_the_answer_gives_one_event() {
    explore_routes("cancel against settle", 3, |harness| {
        let handle = Arc::new(FetchHandle::new());
        harness.fetch("a", Some(&handle)).expect("the engine is open");
        let canceller = loom::thread::spawn(move || handle.cancel());
        harness.drain();
        canceller.join().expect("the thread ends");
        harness.drain();
        let events = harness.events();
        assert!(matches!(events[..], [("a", Status::VALUE | Status::ERR_CANCELLED)]), "{events:?}");
        harness.end();
    });
}

#[test]
fn f09_a_cancel_during_the_call_is_not_lost() {
    explore_routes("cancel against submit", 3, |harness| {
        let handle = Arc::new(FetchHandle::new());
        let canceller = {
            let handle = handle.clone();
            loom::thread::spawn(move || handle.cancel())
        };
        let accepted = harness.fetch("a", Some(&handle));
        canceller.join().expect("the thread ends");
        harness.drain();
        let events = harness.events();
        match accepted {
            // If the cancel came first, the fetch is refused and there is no event. Otherwise the cancel finds the fetch in the table,
            // because nothing has been delivered yet.
            Err(status) => assert!(status == Status::ERR_CANCELLED && events.is_empty(), "{status:?} {events:?}"),
            Ok(()) => assert_eq!(events, [("a", Status::ERR_CANCELLED)]),
        }
        harness.end();
    });
}

#[test]
fn f01_l05_a_fetch_concurrent_with_a_close_is_refused_or_settled_before_the_end() {
    explore_routes("close against submit", 3, |harness| {
        let closer = {
            let (core, log) = (harness.core.clone(), harness.log.clone());
            loom::thread::spawn(move || core.close(None, Some(Box::new(EventRecorder("end", log)))))
        };
        let accepted = harness.fetch("a", None);
        closer.join().expect("the thread ends");
        harness.drain();
        let events = harness.events();
        match accepted {
            Err(status) => assert!(status == Status::ERR_CLOSED && events == [("end", Status::OK)], "{status:?} {events:?}"),
            Ok(()) => assert!(
                matches!(events[..], [("a", Status::ERR_CLOSED), ("end", Status::OK)]),
                "an accepted fetch is settled before the close event: {events:?}"
            ),
        }
        harness.core.clone().free();
    });
}

#[test]
fn f08_a_put_concurrent_with_the_answer_wins() {
    explore_routes("put against load", 3, |harness| {
        harness.fetch("a", None).expect("the engine is open");
        let writer = {
            let core = harness.core.clone();
            loom::thread::spawn(move || {
                core.put(b"k", NewEntry::new(value("new")), None, &mut Departures::new()).expect("the engine is open")
            })
        };
        harness.drain();
        assert_eq!(writer.join().expect("the thread ends"), Status::OK);
        harness.drain();
        assert_eq!(harness.lookup().as_deref(), Some(&b"new"[..]), "in either order, the put is newer than the load");
        assert_eq!(harness.events(), [("a", Status::VALUE)]);
        harness.end();
    });
}

#[test]
fn f06_f07_two_fetches_are_each_settled_once_by_one_request() {
    explore_routes("join against finish", 3, |harness| {
        let other = {
            let (core, log) = (harness.core.clone(), harness.log.clone());
            loom::thread::spawn(move || fetch(&core, &log, "b", None).expect("the engine is open"))
        };
        harness.fetch("a", None).expect("the engine is open");
        harness.drain();
        other.join().expect("the thread ends");
        harness.drain();
        let mut events = harness.events();
        events.sort_by_key(|(name, _)| *name);
        assert_eq!(events, [("a", Status::VALUE), ("b", Status::VALUE)]);
        // The later fetch joined the load or hit what it stored, so there is no second load.
        assert_eq!(harness.provider.calls.load(Ordering::Relaxed), 1);
        harness.end();
    });
}

/// A thread that reads one queue is inside the provider while another thread reads the close event from another queue.
#[test]
fn l05b_the_close_event_follows_a_call_from_another_queue() {
    explore("close against a provider's call", 2, || {
        let harness = Harness::new(Queues::Apart);
        harness.fetch("a", None).expect("the engine is open");
        let reader = {
            let queue = harness.routes.provider.clone().expect("a queue");
            loom::thread::spawn(move || queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok())
        };
        harness.core.close(None, Some(Box::new(EventRecorder("end", harness.log.clone()))));
        let results = harness.routes.results.as_ref().expect("a queue");
        while results.poll(usize::MAX, Some(Duration::ZERO)).is_ok() {}
        if harness.events().iter().any(|(name, _)| *name == "end") {
            assert_eq!(harness.provider.inside.load(Ordering::SeqCst), 0, "a call has not returned");
        }
        reader.join().expect("the thread ends");
        harness.drain();
        let events: Vec<&str> = harness.events().iter().map(|(name, _)| *name).collect();
        assert_eq!(events, ["a", "end"]);
        harness.core.clone().free();
    });
}

#[test]
fn l05b_free_waits_for_a_call_that_a_queue_delivers() {
    explore("free against a provider's call", 2, || {
        let harness = Harness::new(Queues::Apart);
        harness.fetch("a", None).expect("the engine is open");
        let reader = {
            let queue = harness.routes.provider.clone().expect("a queue");
            loom::thread::spawn(move || queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok())
        };
        harness.core.clone().free();
        assert_eq!(harness.provider.inside.load(Ordering::SeqCst), 0, "a call has not returned");
        let calls = harness.provider.calls.load(Ordering::SeqCst);
        reader.join().expect("the thread ends");
        assert_eq!(harness.provider.calls.load(Ordering::SeqCst), calls, "a call began after the end");
        harness.drain();
    });
}

/// A removal is in its own queue while the engine closes.
#[test]
fn l05b_the_close_event_follows_pending_removals() {
    explore("close against a removal", 2, || {
        let harness = Harness::new(Queues::Apart);
        harness.core.put(b"k", NewEntry::new(value("1")), None, &mut Departures::new()).expect("the engine is open");
        harness.core.put(b"k", NewEntry::new(value("2")), None, &mut Departures::new()).expect("the engine is open");
        let reader = {
            let queue = harness.routes.removals.clone().expect("a queue");
            loom::thread::spawn(move || queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok())
        };
        harness.core.close(None, Some(Box::new(EventRecorder("end", harness.log.clone()))));
        let results = harness.routes.results.as_ref().expect("a queue");
        while results.poll(usize::MAX, Some(Duration::ZERO)).is_ok() {}
        if !harness.events().is_empty() {
            assert_eq!(*harness.removed.lock().expect("the list"), [b"1"], "the close event came before the removal");
        }
        reader.join().expect("the thread ends");
        harness.drain();
        assert_eq!(harness.events(), [("end", Status::OK)]);
        harness.core.clone().free();
    });
}

/// Records the value of each entry that leaves.
struct Departed(Arc<Mutex<Vec<Vec<u8>>>>);

impl RemovalListener for Departed {
    fn removed(&self, departure: &Departure) {
        let answer = departure.answer();
        let bytes = answer.value().and_then(Value::as_bytes).unwrap_or_default();
        self.0.lock().expect("the list").push(bytes.to_vec());
    }
}

#[test]
fn s11_removals_of_one_key_are_reported_once_and_in_store_order() {
    explore("removals", 3, || {
        let departed = Arc::new(Mutex::new(Vec::new()));
        let hooks = Hooks { removal: Some(Arc::new(Departed(departed.clone()))), ..Hooks::default() };
        let cache = Core::cache(Plan { hooks, clock: Some(Clock::manual(Millis(0))), ..Plan::default() }).expect("a cache");
        cache.put(b"k", NewEntry::new(value("0")), None, &mut Departures::new()).expect("the engine is open");
        let writers: Vec<_> = ["1", "2"]
            .into_iter()
            .map(|text| {
                let cache = cache.clone();
                loom::thread::spawn(move || {
                    cache.put(b"k", NewEntry::new(value(text)), None, &mut Departures::new()).expect("the engine is open")
                })
            })
            .collect();
        for writer in writers {
            assert_eq!(writer.join().expect("the thread ends"), Status::OK);
        }
        let left = match cache.get(b"k").expect("the engine is open") {
            Lookup::Value(value) => value.as_bytes().map(<[u8]>::to_vec).unwrap_or_default(),
            other => panic!("{other:?}"),
        };
        let mut all = departed.lock().expect("the list").clone();
        assert_eq!(all.len(), 2, "two values were replaced: {all:?}");
        assert_eq!(all[0], b"0", "the first value leaves first: {all:?}");
        all.push(left);
        all.sort();
        assert_eq!(all, [b"0".to_vec(), b"1".to_vec(), b"2".to_vec()], "each value is reported once, or still stored");
    });
}
