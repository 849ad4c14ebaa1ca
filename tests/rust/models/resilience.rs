//! Races of what protects callers from a slow or failing provider: two requests for the same key (hedging), the circuit breaker against
//! fetches, two first uses of an entry that is to be refreshed. Also tags against loads, and unmodified answers against puts.

use super::explore;
use kvlight::base::config::Settings;
use kvlight::base::{Answer, Clock, Error, Labels, Millis, Status, StoreTerms, Value};
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::cache::Lookup;
use kvlight::engine::fetch::FetchCall;
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::engine::host::{Hooks, Provider, Receiver, Results};
use kvlight::engine::request::Ticket;
use kvlight::engine::{Core, Plan, Routes};
use kvlight::runtime::host_queue::HostQueue;
use kvlight::task::breaker::BreakerState;
use kvlight::task::{Form, Outcome, Unanswered, Verdict};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A provider that keeps its requests until the model answers them.
#[derive(Default)]
struct KeepingProvider(Mutex<Vec<Ticket>>);

impl Provider for KeepingProvider {
    fn provide(&self, request: Ticket) {
        self.0.lock().expect("the requests").push(request);
    }
}

/// The name of each fetch, and what it received.
type EventLog = Arc<Mutex<Vec<(&'static str, Outcome)>>>;

struct EventRecorder(&'static str, EventLog);

impl Receiver for EventRecorder {
    fn result(&mut self, _index: usize, _key: &[u8], outcome: &Outcome, _last: bool) {
        self.1.lock().expect("the log").push((self.0, outcome.clone()));
    }
    fn batch(&mut self, _results: Results) {
        unreachable!("no batch was fetched");
    }
    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}

pub fn value(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

pub fn failure() -> Error {
    Error::of_provider(1, b"down", false, None)
}

/// What a fetch received.
#[derive(PartialEq, Eq, Debug)]
pub enum Received {
    Value(String),
    /// The fallback, and the failure that it covers. `None` at the soft timeout, when nothing has failed yet.
    Stale(String, Option<Status>),
    Failed(Status),
}

pub struct Harness {
    pub core: Arc<Core>,
    queue: Arc<HostQueue>,
    provider: Arc<KeepingProvider>,
    pub clock: Clock,
    pub log: EventLog,
}

impl Harness {
    pub fn new(set: impl FnOnce(&mut Settings)) -> Harness {
        let mut settings = Settings::default();
        set(&mut settings);
        let (provider, queue) = (Arc::new(KeepingProvider::default()), Arc::new(HostQueue::new(false)));
        let hooks = Hooks { provider: Some(provider.clone()), ..Hooks::default() };
        let route = || Some(queue.clone());
        let routes = Routes { results: route(), provider: route(), removals: route(), second_tier: None };
        let clock = Clock::manual(Millis(0));
        let plan = Plan { settings, hooks, clock: Some(clock.clone()), runtime: None, routes };
        Harness { core: Core::engine(plan).expect("an engine without threads"), queue, provider, clock, log: EventLog::default() }
    }

    /// A harness with an entry of `k` that has been in its grace for 10 ms, and the request of the fetch "a" for `k`.
    pub fn aged(set: impl FnOnce(&mut Settings)) -> (Harness, Ticket) {
        let harness = Harness::new(|settings| {
            (settings.cache.ttl_ms, settings.cache.stale_ttl_ms) = (Some(10), 1_000);
            set(settings);
        });
        harness.put("old");
        advance(&harness.clock, 20);
        harness.fetch("a", b"k");
        harness.drain();
        let request = harness.request().expect("a request");
        (harness, request)
    }

    /// Puts `text` under `k`.
    pub fn put(&self, text: &str) {
        put(&self.core, text);
    }

    /// A harness with a fetch "a" of `k` that was hedged, and the two requests for `k`.
    fn hedged() -> (Harness, Ticket, Ticket) {
        let harness = Harness::new(hedging);
        harness.fetch("a", b"k");
        harness.drain();
        advance(&harness.clock, 10);
        harness.drain();
        let (first, second) = (harness.request().expect("a request"), harness.request().expect("a hedge"));
        (harness, first, second)
    }

    pub fn fetch(&self, name: &'static str, key: &[u8]) {
        fetch(&self.core, &self.log, name, key);
    }

    pub fn drain(&self) {
        while self.queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok() {}
    }

    /// Takes the oldest request that the provider keeps.
    pub fn request(&self) -> Option<Ticket> {
        let mut kept = self.provider.0.lock().expect("the requests");
        (!kept.is_empty()).then(|| kept.remove(0))
    }

    pub fn events(&self) -> Vec<(&'static str, Status)> {
        let mut events: Vec<_> = self.log.lock().expect("the log").iter().map(|(name, outcome)| (*name, outcome.status())).collect();
        events.sort_by_key(|(name, _)| *name);
        events
    }

    /// What the fetch `name` received.
    pub fn received(&self, name: &str) -> Received {
        let log = self.log.lock().expect("the log");
        let mut outcomes = log.iter().filter(|(of, _)| *of == name).map(|(_, outcome)| outcome);
        let (Some(outcome), None) = (outcomes.next(), outcomes.next()) else { panic!("one position, one event: {log:?}") };
        match &outcome.verdict {
            Verdict::Value(value) => Received::Value(text_in(value)),
            Verdict::Stale(stale) => {
                let failure = stale.failure.as_ref().map(|error| error.status());
                Received::Stale(text_in(stale.answer.value().expect("the model stores values only")), failure)
            }
            _ => Received::Failed(outcome.status()),
        }
    }

    pub fn end(self) {
        self.core.close(None, None);
        self.drain();
        self.provider.0.lock().expect("the requests").clear();
        self.core.clone().free();
        self.drain();
    }
}

pub fn fetch(core: &Core, log: &EventLog, name: &'static str, key: &[u8]) {
    fetch_with(core, log, name, key, None);
}

pub fn fetch_with(core: &Core, log: &EventLog, name: &'static str, key: &[u8], handle: Option<&Arc<FetchHandle>>) {
    let call = FetchCall { form: Form::Each, settings: core.fetch_settings().clone().into(), progress_step: 0, handle, at_once: false };
    let log = log.clone();
    core.fetch([key].into_iter(), &call, || Box::new(EventRecorder(name, log))).map(drop).expect("the engine is open");
}

pub fn advance(clock: &Clock, by_ms: u64) {
    if let Clock::Manual(clock) = clock {
        clock.advance(by_ms);
    }
}

/// Puts `text` under `k`.
pub fn put(core: &Core, text: &str) {
    assert_eq!(core.put(b"k", NewEntry::new(value(text)), None, &mut Departures::new()).expect("the engine is open"), Status::OK);
}

fn text_in(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().expect("bytes")).into_owned()
}

pub fn text_of(core: &Core, key: &[u8]) -> Option<Vec<u8>> {
    match core.get(key).expect("the engine is open") {
        Lookup::Value(value) => value.as_bytes().map(<[u8]>::to_vec),
        _ => None,
    }
}

/// Hedging without a limit, after 10 ms.
fn hedging(settings: &mut Settings) {
    (settings.tasks.hedge.after, settings.tasks.hedge.max_ratio) = (Duration::from_millis(10), 1.0);
}

#[test]
fn r09_the_answer_concurrent_with_the_hedge_gives_one_event() {
    explore("answer against hedge", 3, || {
        let harness = Harness::new(hedging);
        harness.fetch("a", b"k");
        harness.drain();
        let first = harness.request().expect("a request");
        let timer = {
            let clock = harness.clock.clone();
            loom::thread::spawn(move || advance(&clock, 10))
        };
        assert_eq!(first.resolve(0, value("first"), StoreTerms::default()), Status::OK, "nobody else answers");
        drop(first);
        timer.join().expect("the thread ends");
        harness.drain();
        if let Some(second) = harness.request() {
            assert_ne!(second.resolve(0, value("second"), StoreTerms::default()), Status::OK, "the key has its answer");
        }
        harness.drain();
        assert_eq!(harness.events(), [("a", Status::VALUE)]);
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"first"[..]));
        harness.end();
    });
}

#[test]
fn r09_of_two_answers_to_both_requests_one_counts() {
    explore("answer against the answer of the hedge", 3, || {
        let (harness, first, second) = Harness::hedged();
        let other = loom::thread::spawn(move || second.resolve(0, value("second"), StoreTerms::default()));
        let mine = first.resolve(0, value("first"), StoreTerms::default());
        drop(first);
        let others = other.join().expect("the thread ends");
        harness.drain();
        assert!((mine == Status::OK) != (others == Status::OK), "{mine:?} {others:?}");
        assert_eq!(harness.events(), [("a", Status::VALUE)]);
        // The hedge began later, so its answer is the newer one, whether it settles the fetch or comes late.
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"second"[..]));
        harness.end();
    });
}

#[test]
fn r09_an_error_of_one_request_fails_no_key_that_the_other_answers() {
    explore("error against the answer of the hedge", 3, || {
        let (harness, first, second) = Harness::hedged();
        let other = loom::thread::spawn(move || {
            second.fail(0, failure());
            drop(second);
        });
        first.resolve(0, value("first"), StoreTerms::default());
        drop(first);
        other.join().expect("the thread ends");
        harness.drain();
        assert_eq!(harness.events(), [("a", Status::VALUE)]);
        harness.end();
    });
}

#[test]
fn r07_a_fetch_concurrent_with_the_opening_of_the_breaker_is_answered_once() {
    explore("fetch against an opening breaker", 3, || {
        let harness = Harness::new(|settings| settings.tasks.breaker.consecutive = 1);
        harness.fetch("a", b"k");
        harness.drain();
        let request = harness.request().expect("a request");
        let other = {
            let (core, log) = (harness.core.clone(), harness.log.clone());
            loom::thread::spawn(move || fetch(&core, &log, "b", b"other"))
        };
        request.finish(Unanswered::Failed(failure()));
        drop(request);
        other.join().expect("the thread ends");
        harness.drain();
        assert_eq!(harness.core.breaker_state(), BreakerState::Open);
        if let Some(request) = harness.request() {
            request.resolve(0, value("v"), StoreTerms::default());
            drop(request);
            harness.drain();
        }
        let events = harness.events();
        assert!(matches!(events[..], [("a", Status::ERR_PROVIDER), ("b", Status::VALUE | Status::ERR_UNAVAILABLE)]), "{events:?}");
        harness.end();
    });
}

#[test]
fn r05_two_first_uses_at_once_start_one_refresh() {
    explore("use against use of an entry to be refreshed", 3, || {
        let harness = Harness::new(|settings| (settings.cache.ttl_ms, settings.cache.refresh.after) = (Some(100), 0.5));
        harness.put("v");
        advance(&harness.clock, 60);
        let other = {
            let core = harness.core.clone();
            loom::thread::spawn(move || text_of(&core, b"k"))
        };
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"v"[..]));
        assert_eq!(other.join().expect("the thread ends").as_deref(), Some(&b"v"[..]));
        harness.drain();
        let request = harness.request().expect("a refresh");
        assert!(harness.request().is_none(), "one refresh is enough");
        request.resolve(0, value("new"), StoreTerms::default());
        drop(request);
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"new"[..]));
        harness.end();
    });
}

#[test]
fn r11_an_answer_with_a_tag_that_is_removed_meanwhile_does_not_stay() {
    explore("answer against the removal of its tag", 3, || {
        let harness = Harness::new(|_| {});
        harness.fetch("a", b"k");
        harness.drain();
        let request = harness.request().expect("a request");
        let remover = {
            let core = harness.core.clone();
            loom::thread::spawn(move || core.remove_tag(b"tag").expect("the engine is open"))
        };
        let labels = Labels::new(b"", [&b"tag"[..]].into_iter()).expect("good labels");
        request.resolve(0, value("v"), StoreTerms { labels, ..StoreTerms::default() });
        drop(request);
        remover.join().expect("the thread ends");
        harness.drain();
        assert_eq!(harness.events(), [("a", Status::VALUE)]);
        assert_eq!(text_of(&harness.core, b"k"), None, "in either order, the load began before the removal");
        harness.end();
    });
}

#[test]
fn r06_f08_an_unmodified_answer_concurrent_with_a_put_loses() {
    explore("unmodified answer against put", 3, || {
        let (harness, request) = Harness::aged(|_| {});
        assert!(request.known(0).expect("an index").is_some(), "the entry is stale");
        let writer = {
            let core = harness.core.clone();
            loom::thread::spawn(move || put(&core, "new"))
        };
        request.not_modified(0, StoreTerms::default()).expect("good terms");
        drop(request);
        writer.join().expect("the thread ends");
        harness.drain();
        assert_eq!(harness.events(), [("a", Status::VALUE)]);
        assert_eq!(text_of(&harness.core, b"k").as_deref(), Some(&b"new"[..]), "in either order, the put is newer");
        harness.end();
    });
}
