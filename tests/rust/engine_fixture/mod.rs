//! An engine for tests: a provider whose requests wait until the test answers them, fetches whose events are recorded, and a clock that
//! moves only when it is advanced.
//!
//! Outcomes are shown as texts: a value by its own text, everything else by the name of its status.
#![allow(dead_code)] // each test file uses some of it

use kvlight::base::config::{FetchSettings, Settings};
use kvlight::base::object::{FreeFn, Object};
use kvlight::base::{Answer, Clock, Error, ManualClock, Millis, Status, StoreTerms, Value};
use kvlight::cache::{Cause, Departure};
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::cache::Lookup;
use kvlight::engine::fetch::{FetchAnswer, FetchCall};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::engine::host::{CloseListener, CostFunction, Provider, Receiver, RecordListener, RemovalListener, Results, Validator};
use kvlight::engine::request::{CancelHook, Ticket};
use kvlight::engine::stats::Stats;
use kvlight::engine::{Core, Plan};
use kvlight::task::{Cancel, Form, Outcome, Source, Unanswered, Verdict};
use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Inbox, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// How long a test waits for an event before it fails. Only a broken engine takes that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `holds` returns true. On failure the panic says what was waited for.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "timed out waiting until {what}");
        std::thread::yield_now();
    }
}

/// A value with this text.
pub fn value(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

/// A provider's error with this code, which may be retried.
pub fn error(code: i64) -> Error {
    Error::of_provider(code, b"it failed", false, None)
}

/// A provider's error with this code, which is not retried.
pub fn permanent(code: i64) -> Error {
    Error::of_provider(code, b"it failed permanently", true, None)
}

fn name(status: Status) -> String {
    format!("{status:?}").trim_start_matches("KVL_").to_owned()
}

fn text(value: &Value) -> String {
    value.as_bytes().map_or_else(|| "an object".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// The text of an outcome.
pub fn text_of(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Value(value) => text(value),
        _ => name(outcome.status()),
    }
}

/// The text of a lookup.
pub fn text_of_lookup(lookup: &Lookup) -> String {
    match lookup {
        Lookup::Value(value) => text(value),
        other => name(other.status()),
    }
}

/// An event of a fetch, as the test receives it.
#[derive(Debug)]
pub enum Received {
    Result {
        index: usize,
        key: String,
        outcome: Outcome,
        last: bool,
        thread: ThreadId,
    },
    Batch {
        results: Results,
        thread: ThreadId,
    },
    Progress {
        done: usize,
        failed: usize,
        total: usize,
    },
    /// The receiver was dropped, which released the user data.
    Dropped {
        thread: ThreadId,
    },
}

type OnEvent = Box<dyn FnMut(&Received) + Send>;

/// Records the events of a fetch: calls `then` with each, and sends it to the test.
pub struct EventRecorder {
    sender: Sender<Received>,
    then: Option<OnEvent>,
}

impl EventRecorder {
    fn record(&mut self, received: Received) {
        if let Some(then) = &mut self.then {
            then(&received);
        }
        // The test may have dropped the other end.
        let _ = self.sender.send(received);
    }
}

impl Receiver for EventRecorder {
    fn result(&mut self, index: usize, key: &[u8], outcome: &Outcome, last: bool) {
        let (key, outcome) = (String::from_utf8_lossy(key).into_owned(), outcome.clone());
        self.record(Received::Result { index, key, outcome, last, thread: std::thread::current().id() });
    }

    fn batch(&mut self, results: Results) {
        self.record(Received::Batch { results, thread: std::thread::current().id() });
    }

    fn progress(&mut self, done: usize, failed: usize, total: usize) {
        self.record(Received::Progress { done, failed, total });
    }
}

impl Drop for EventRecorder {
    fn drop(&mut self) {
        let _ = self.sender.send(Received::Dropped { thread: std::thread::current().id() });
    }
}

/// A fetch in progress: its handle, and its events as they arrive.
pub struct Waiter {
    pub handle: Arc<FetchHandle>,
    received: Inbox<Received>,
}

impl Waiter {
    /// The next event.
    pub fn next(&self) -> Received {
        self.received.recv_timeout(PATIENCE).expect("an event of the fetch arrives")
    }

    /// The outcome of a fetch of one key. Also checks that the user data is released afterwards, and that no further event follows.
    pub fn outcome(&self) -> Outcome {
        let Received::Result { outcome, last, .. } = self.next() else { panic!("the first event is a result") };
        assert!(last, "the only result is the last");
        self.expect_end();
        outcome
    }

    /// The text of [`Waiter::outcome`].
    pub fn text(&self) -> String {
        text_of(&self.outcome())
    }

    /// The results of a batch. Checks its end like [`Waiter::outcome`].
    pub fn results(&self) -> Results {
        loop {
            match self.next() {
                Received::Batch { results, .. } => {
                    self.expect_end();
                    return results;
                }
                Received::Progress { .. } => {}
                other => panic!("a batch event was expected: {other:?}"),
            }
        }
    }

    /// The texts of a batch in the order of the call, and the status of the whole.
    pub fn batch(&self) -> (Vec<String>, String) {
        let batch = self.results().batch;
        let ended = batch.ended.as_ref().map_or("OK".to_owned(), |error| name(error.status()));
        (batch.outcomes.iter().map(text_of).collect(), ended)
    }

    /// The texts of a fetch of `n` positions with one event each, by position. Checks that only the last event is marked as the last, and the
    /// end like [`Waiter::outcome`].
    pub fn each(&self, n: usize) -> Vec<String> {
        let mut words = vec![None; n];
        for nth in 1..=n {
            let (index, outcome, last) = loop {
                match self.next() {
                    Received::Result { index, outcome, last, .. } => break (index, outcome, last),
                    Received::Progress { .. } => {}
                    other => panic!("a result event was expected: {other:?}"),
                }
            };
            assert_eq!(last, nth == n, "only the last of {n} results is marked: {nth}");
            let before = words[index].replace(text_of(&outcome));
            assert_eq!(before, None, "position {index} has one result");
        }
        self.expect_end();
        words.into_iter().map(|word| word.expect("every position has a result")).collect()
    }

    /// Checks that the user data is released, and that no event follows.
    pub fn expect_end(&self) {
        assert!(matches!(self.next(), Received::Dropped { .. }), "the user data is released after the last event");
        assert!(self.received.recv().is_err(), "no event follows the release of the user data");
    }

    /// Checks that no event has arrived so far.
    pub fn expect_no_event(&self) {
        if let Ok(received) = self.received.try_recv() {
            panic!("no event was expected: {received:?}");
        }
    }

    /// An event that has arrived already, if there is one.
    pub fn try_next(&self) -> Option<Received> {
        self.received.try_recv().ok()
    }

    pub fn cancel(&self) {
        self.handle.cancel();
    }
}

type Answerer = Box<dyn Fn(&Ticket) + Send + Sync>;

/// The provider: sends each request to the test, or answers it with the function `by`.
struct TestProvider {
    sender: Mutex<Sender<Request>>,
    by: Option<Answerer>,
    calls: Arc<AtomicUsize>,
}

impl Provider for TestProvider {
    fn provide(&self, ticket: Ticket) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match &self.by {
            Some(answer) => answer(&ticket),
            None => {
                let _ = self.sender.lock().expect("no panic").send(Request(ticket));
            }
        }
    }
}

/// A request that the test holds.
pub struct Request(pub Ticket);

impl Request {
    pub fn keys(&self) -> Vec<String> {
        self.0.keys().iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    pub fn index(&self, key: &str) -> usize {
        self.0.keys().iter().position(|other| other == key.as_bytes()).unwrap_or_else(|| panic!("{key} is not in {:?}", self.keys()))
    }

    /// Answers one key. Returns the status of the answer.
    pub fn answer(&self, key: &str, text: &str) -> Status {
        self.0.resolve(self.index(key), value(text), StoreTerms::default())
    }

    pub fn answer_null(&self, key: &str) -> Status {
        self.0.resolve(self.index(key), Answer::Null, StoreTerms::default())
    }

    pub fn fail(&self, key: &str, error: Error) -> Status {
        self.0.fail(self.index(key), error)
    }

    pub fn supply(&self, key: &str, text: &str) -> Status {
        self.0.supply(key.as_bytes(), value(text), StoreTerms::default())
    }

    pub fn finish(&self) -> Status {
        self.0.finish(Unanswered::Unanswered)
    }

    /// Answers every key with `<key>!` and finishes.
    pub fn answer_all(self) {
        for key in self.keys() {
            self.answer(&key, &format!("{key}!"));
        }
        self.finish();
    }

    /// Calls `notify` when the request is no longer wanted.
    pub fn on_cancel(&self, notify: impl Fn(Cancel) + Send + 'static) -> Status {
        match self.0.on_cancel(Box::new(CancelClosure(notify))) {
            Ok(()) => Status::OK,
            Err((status, _)) => status,
        }
    }
}

struct CancelClosure<F>(F);

impl<F: Fn(Cancel) + Send + 'static> CancelHook for CancelClosure<F> {
    fn cancelled(&self, why: Cancel) {
        (self.0)(why);
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Reports to the test that the engine is closed.
pub struct CloseRecorder(pub Sender<&'static str>);

impl CloseListener for CloseRecorder {
    fn closed(self: Box<Self>) {
        let _ = self.0.send("closed");
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A closure as one of the host's functions.
pub struct HostFunction<F>(pub F);

impl<F: Fn(&[u8]) -> bool + Send + Sync> Validator for HostFunction<F> {
    fn is_valid(&self, key: &[u8]) -> bool {
        (self.0)(key)
    }
}

impl<F: Fn(&[u8], &Value) -> u64 + Send + Sync> CostFunction for HostFunction<F> {
    fn cost(&self, key: &[u8], value: &Value) -> u64 {
        (self.0)(key, value)
    }
}

impl<F: Fn(&Departure) + Send + Sync> RemovalListener for HostFunction<F> {
    fn removed(&self, departure: &Departure) {
        (self.0)(departure);
    }
}

impl<F: Fn(Status, &[u8]) + Send + Sync> RecordListener for HostFunction<F> {
    fn looked_up(&self, record: Status, key: &[u8]) {
        (self.0)(record, key);
    }
}

/// A departure as texts: its key, its value and its cause.
pub fn departed(departure: &Departure) -> (String, String, Cause) {
    let word = departure.answer().value().map_or("NULL".to_owned(), text);
    (String::from_utf8_lossy(departure.key()).into_owned(), word, departure.cause)
}

/// Builds the engine of a test.
pub struct EngineBuilder {
    pub plan: Plan,
    by: Option<Answerer>,
}

impl EngineBuilder {
    pub fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.plan.settings);
        self
    }

    pub fn hooks(mut self, set: impl FnOnce(&mut kvlight::engine::host::Hooks)) -> Self {
        set(&mut self.plan.hooks);
        self
    }

    /// Answers requests with `by`, on provider threads. A request is finished when `by` returns.
    pub fn answered_by(mut self, by: impl Fn(&Ticket) + Send + Sync + 'static) -> Self {
        self.by = Some(Box::new(by));
        self
    }

    /// Answers every key at once with `<key>!`.
    pub fn echo(self) -> Self {
        self.answered_by(|ticket| {
            for (index, key) in ticket.keys().iter().enumerate() {
                ticket.resolve(index, value(&format!("{}!", String::from_utf8_lossy(key))), StoreTerms::default());
            }
        })
    }

    /// Uses the system's clocks instead of one that the test advances.
    pub fn with_system_clock(mut self) -> Self {
        self.plan.clock = None;
        self
    }

    pub fn start(self) -> EngineFixture {
        let EngineBuilder { mut plan, by } = self;
        let (sender, requests) = channel();
        let calls = Arc::new(AtomicUsize::new(0));
        plan.hooks.provider = Some(Arc::new(TestProvider { sender: Mutex::new(sender), by, calls: calls.clone() }));
        let clock = match &plan.clock {
            Some(Clock::Manual(clock)) => Some(clock.clone()),
            _ => None,
        };
        let core = Core::engine(plan).expect("threads");
        EngineFixture { core, clock, requests: Mutex::new(requests), calls }
    }
}

/// The engine of a test, with its provider and its clock.
pub struct EngineFixture {
    pub core: Arc<Core>,
    clock: Option<Arc<ManualClock>>,
    requests: Mutex<Inbox<Request>>,
    calls: Arc<AtomicUsize>,
}

/// The default engine of a test: default settings, one key per request, a manual clock.
pub fn test_engine() -> EngineBuilder {
    let mut plan = Plan { clock: Some(Clock::manual(Millis(1_000_000))), ..Plan::default() };
    plan.settings.tasks.batch_max_keys = 1;
    // The manual clock does not move by itself, so retries have no pause unless a test sets one.
    plan.settings.fetch.retry.fixed = Duration::ZERO;
    EngineBuilder { plan, by: None }
}

impl EngineFixture {
    /// The next request, from the provider's thread.
    pub fn request(&self) -> Request {
        self.requests.lock().expect("no panic").recv_timeout(PATIENCE).expect("the provider is called")
    }

    /// A request that has arrived already, if there is one.
    pub fn request_now(&self) -> Option<Request> {
        self.requests.lock().expect("no panic").try_recv().ok()
    }

    /// How often the provider was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn advance(&self, by_ms: u64) {
        self.clock.as_ref().expect("a manual clock").advance(by_ms);
    }

    pub fn fetch_settings(&self) -> FetchSettings {
        (**self.core.fetch_settings()).clone()
    }

    /// Starts a fetch that calls `then` in each callback. `step` is its progress step. `Err` is the status of a call that was refused.
    pub fn try_ask(
        &self,
        form: Form,
        keys: &[&str],
        set: impl FnOnce(&mut FetchSettings),
        handle: Arc<FetchHandle>,
        step: usize,
        then: Option<OnEvent>,
    ) -> Result<Waiter, Status> {
        let mut settings = self.fetch_settings();
        set(&mut settings);
        let (sender, received) = channel();
        let call = FetchCall { form, settings: Arc::new(settings).into(), progress_step: step, handle: Some(&handle), at_once: false };
        let receiver = move || Box::new(EventRecorder { sender, then }) as Box<dyn Receiver>;
        match self.core.fetch(keys.iter().map(|key| key.as_bytes()), &call, receiver)? {
            FetchAnswer::Pending => Ok(Waiter { handle, received }),
            at_once => panic!("the call should be pending: {at_once:?}"),
        }
    }

    pub fn ask(&self, form: Form, keys: &[&str], set: impl FnOnce(&mut FetchSettings)) -> Waiter {
        self.try_ask(form, keys, set, Arc::new(FetchHandle::new()), 0, None).expect("the fetch is accepted")
    }

    pub fn fetch(&self, key: &str) -> Waiter {
        self.ask(Form::Each, &[key], |_| {})
    }

    pub fn fetch_with(&self, key: &str, set: impl FnOnce(&mut FetchSettings)) -> Waiter {
        self.ask(Form::Each, &[key], set)
    }

    /// Starts a fetch, and calls `then` in its callback.
    pub fn fetch_then(&self, key: &str, then: impl FnMut(&Received) + Send + 'static) -> Waiter {
        self.try_ask(Form::Each, &[key], |_| {}, Arc::new(FetchHandle::new()), 0, Some(Box::new(then))).expect("the fetch is accepted")
    }

    pub fn fetch_each(&self, keys: &[&str]) -> Waiter {
        self.ask(Form::Each, keys, |_| {})
    }

    pub fn fetch_all(&self, keys: &[&str]) -> Waiter {
        self.ask(Form::All, keys, |_| {})
    }

    /// The text of a fetch that the call itself answers; `None` if the call does not.
    pub fn fetch_now(&self, key: &str) -> Option<String> {
        let call = self.call(true);
        match self.core.fetch([key.as_bytes()].into_iter(), &call, || Box::new(NullReceiver)).expect("accepted") {
            FetchAnswer::Now(outcome) => Some(text_of(&outcome)),
            _ => None,
        }
    }

    /// A call for a fetch with the engine's settings. `at_once`: the call itself may return the result.
    pub fn call(&self, at_once: bool) -> FetchCall<'static> {
        FetchCall { form: Form::Each, settings: self.core.fetch_settings().clone().into(), progress_step: 0, handle: None, at_once }
    }

    pub fn refresh(&self, keys: &[&str]) -> Result<(), Status> {
        self.core.refresh(keys.iter().map(|key| key.as_bytes()), self.core.fetch_settings())
    }

    pub fn put(&self, key: &str, text: &str) -> Status {
        self.put_answer(key, value(text))
    }

    pub fn put_answer(&self, key: &str, answer: Answer) -> Status {
        self.core.put(key.as_bytes(), NewEntry::new(answer), None, &mut Departures::new()).unwrap_or_else(|status| status)
    }

    pub fn remove(&self, key: &str) -> Status {
        self.core.remove(key.as_bytes()).unwrap_or_else(|status| status)
    }

    /// The text of a lookup.
    pub fn lookup(&self, key: &str) -> String {
        self.core.get(key.as_bytes()).map_or_else(name, |lookup| text_of_lookup(&lookup))
    }

    /// The text of a peek, which counts no lookup.
    pub fn peek(&self, key: &str) -> String {
        self.core.peek(key.as_bytes()).map_or_else(name, |hit| text_of_lookup(&hit.map(|hit| hit.answer).into()))
    }

    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Waits until no load and no provider call is in progress.
    pub fn wait_until_idle(&self) {
        until("nothing is in progress", || {
            let gauges = self.core.stats().gauges;
            gauges.in_flight == 0 && gauges.running == 0 && gauges.abandoned == 0
        });
    }

    /// Waits until no request is running and exactly `flights` loads are in progress.
    pub fn wait_until_only_flights(&self, flights: u64) {
        until("no request is running", || {
            let gauges = self.core.stats().gauges;
            gauges.in_flight == flights && gauges.running == 0
        });
    }

    /// Closes the engine, with or without a drain like [`Core::close`]. The returned channel receives "closed".
    pub fn close(&self, drain: Option<Option<Duration>>) -> Inbox<&'static str> {
        let (sender, closed) = channel();
        self.core.close(drain, Some(Box::new(CloseRecorder(sender))));
        closed
    }

    pub fn free(self) {
        self.core.free();
    }
}

/// Checks that the close is reported, and only once.
pub fn expect_closed(closed: &Inbox<&'static str>) {
    assert_eq!(closed.recv_timeout(PATIENCE), Ok("closed"));
    assert_eq!(closed.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "the close is reported once");
}

/// A receiver that ignores all events.
pub struct NullReceiver;

impl Receiver for NullReceiver {
    fn result(&mut self, _: usize, _: &[u8], _: &Outcome, _: bool) {}
    fn batch(&mut self, _: Results) {}
    fn progress(&mut self, _: usize, _: usize, _: usize) {}
}

/// Records the threads on which objects are destroyed, in order.
pub struct DropLog {
    threads: Mutex<Vec<(ThreadId, String)>>,
    then: Option<Box<dyn Fn() + Send + Sync>>,
}

impl DropLog {
    pub fn new() -> Arc<DropLog> {
        Arc::new(DropLog { threads: Mutex::default(), then: None })
    }

    /// Like [`DropLog::new`], and calls `then` for each destroyed object.
    pub fn with(then: impl Fn() + Send + Sync + 'static) -> Arc<DropLog> {
        Arc::new(DropLog { threads: Mutex::default(), then: Some(Box::new(then)) })
    }

    unsafe extern "C-unwind" fn end(pointer: *mut std::ffi::c_void) {
        // SAFETY: `object` below gave up an `Arc` for this pointer, and this function is called once for each.
        let ends = unsafe { Arc::from_raw(pointer.cast_const().cast::<DropLog>()) };
        assert!(kvlight::base::process::must_not_wait(), "a destructor runs as host code");
        if let Some(then) = &ends.then {
            then();
        }
        ends.threads.lock().expect("no panic").push((std::thread::current().id(), thread_name()));
    }

    /// An object whose destruction is recorded in this log.
    pub fn object(self: &Arc<DropLog>) -> Object {
        let end: FreeFn = DropLog::end;
        Object::new(Arc::into_raw(self.clone()).cast_mut().cast(), Some(end))
    }

    /// A value of such an object.
    pub fn value(self: &Arc<DropLog>) -> Answer {
        Answer::Value(Value::object(self.object(), 1))
    }

    /// The threads on which objects were destroyed so far.
    pub fn threads(&self) -> Vec<ThreadId> {
        self.threads.lock().expect("no panic").iter().map(|(thread, _)| *thread).collect()
    }

    /// The names of those threads.
    pub fn names(&self) -> Vec<String> {
        self.threads.lock().expect("no panic").iter().map(|(_, name)| name.clone()).collect()
    }

    pub fn count(&self) -> usize {
        self.threads().len()
    }
}

/// The name of the current thread.
pub fn thread_name() -> String {
    std::thread::current().name().unwrap_or("?").to_owned()
}

/// The source of an outcome.
pub fn source(outcome: &Outcome) -> Source {
    outcome.source
}
