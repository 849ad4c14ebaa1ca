//! An engine to tell stories with: a provider whose requests lie on the table until the story answers them, fetches whose events
//! are collected as they come, and a clock that moves when it is told to.
//!
//! What it hears it shows as words: a value by its text, everything else by the name of its status.
#![allow(dead_code)] // each file of stories uses its part

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

/// How long a story waits for what must come before it says that it did not. Only a broken engine takes that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `holds`; a story that never gets there says what it waited for.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "it never came to that: {what}");
        std::thread::yield_now();
    }
}

/// A value of this text.
pub fn value(text: &str) -> Answer {
    Answer::Value(Value::bytes(text.as_bytes()).expect("memory"))
}

/// A provider's error with this code.
pub fn error(code: i64) -> Error {
    Error::of_provider(code, b"it failed", false, None)
}

/// A provider's error after which no retry helps.
pub fn permanent(code: i64) -> Error {
    Error::of_provider(code, b"it failed for good", true, None)
}

fn name(status: Status) -> String {
    format!("{status:?}").trim_start_matches("KVL_").to_owned()
}

fn text(value: &Value) -> String {
    value.as_bytes().map_or_else(|| "an object".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// An outcome in a word.
pub fn said(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Verdict::Value(value) => text(value),
        _ => name(outcome.status()),
    }
}

/// A lookup in a word.
pub fn found(lookup: &Lookup) -> String {
    match lookup {
        Lookup::Value(value) => text(value),
        other => name(other.status()),
    }
}

/// What a fetch heard.
#[derive(Debug)]
pub enum Heard {
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
    /// The receiver was dropped: the user data ended.
    Gone {
        thread: ThreadId,
    },
}

type OnEvent = Box<dyn FnMut(&Heard) + Send>;

/// A fetch's receiver. What it hears goes to the story, after `then` saw it.
pub struct Ear {
    story: Sender<Heard>,
    then: Option<OnEvent>,
}

impl Ear {
    fn hear(&mut self, heard: Heard) {
        if let Some(then) = &mut self.then {
            then(&heard);
        }
        // A story may have lost interest.
        let _ = self.story.send(heard);
    }
}

impl Receiver for Ear {
    fn result(&mut self, index: usize, key: &[u8], outcome: &Outcome, last: bool) {
        let (key, outcome) = (String::from_utf8_lossy(key).into_owned(), outcome.clone());
        self.hear(Heard::Result { index, key, outcome, last, thread: std::thread::current().id() });
    }

    fn batch(&mut self, results: Results) {
        self.hear(Heard::Batch { results, thread: std::thread::current().id() });
    }

    fn progress(&mut self, done: usize, failed: usize, total: usize) {
        self.hear(Heard::Progress { done, failed, total });
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _ = self.story.send(Heard::Gone { thread: std::thread::current().id() });
    }
}

/// A fetch under way, as its story sees it.
pub struct Waiter {
    pub handle: Arc<FetchHandle>,
    heard: Inbox<Heard>,
}

impl Waiter {
    /// The next thing it hears.
    pub fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("the fetch hears something")
    }

    /// What its one key came to. That the user data ended afterwards, and nothing else came, is checked too.
    pub fn outcome(&self) -> Outcome {
        let Heard::Result { outcome, last, .. } = self.next() else { panic!("a result comes first") };
        assert!(last, "the only result is the last");
        self.ends();
        outcome
    }

    /// [`Waiter::outcome`] in a word.
    pub fn said(&self) -> String {
        said(&self.outcome())
    }

    /// The results of a batch; checks the end as [`Waiter::outcome`] does.
    pub fn results(&self) -> Results {
        loop {
            match self.next() {
                Heard::Batch { results, .. } => {
                    self.ends();
                    return results;
                }
                Heard::Progress { .. } => {}
                other => panic!("a batch is told as a whole: {other:?}"),
            }
        }
    }

    /// The words of a batch in the order asked, and how the whole ended.
    pub fn batch(&self) -> (Vec<String>, String) {
        let batch = self.results().batch;
        let ended = batch.ended.as_ref().map_or("OK".to_owned(), |error| name(error.status()));
        (batch.outcomes.iter().map(said).collect(), ended)
    }

    /// All that an each-fetch of `n` positions hears, by position; checks that the last one is marked, and the end.
    pub fn each(&self, n: usize) -> Vec<String> {
        let mut words = vec![None; n];
        for nth in 1..=n {
            let (index, outcome, last) = loop {
                match self.next() {
                    Heard::Result { index, outcome, last, .. } => break (index, outcome, last),
                    Heard::Progress { .. } => {}
                    other => panic!("results come one by one: {other:?}"),
                }
            };
            assert_eq!(last, nth == n, "the last of {n} is marked, and no other: {nth}");
            let before = words[index].replace(said(&outcome));
            assert_eq!(before, None, "position {index} is told once");
        }
        self.ends();
        words.into_iter().map(|word| word.expect("n different positions were told")).collect()
    }

    /// The user data ends, and nothing comes after it.
    pub fn ends(&self) {
        assert!(matches!(self.next(), Heard::Gone { .. }), "the user data ends after the last event");
        assert!(self.heard.recv().is_err(), "nothing comes after the end of the user data");
    }

    /// Nothing has come so far.
    pub fn hears_nothing(&self) {
        if let Ok(heard) = self.heard.try_recv() {
            panic!("nothing should have come: {heard:?}");
        }
    }

    /// What comes within a moment, for stories in which nothing should.
    pub fn try_next(&self) -> Option<Heard> {
        self.heard.try_recv().ok()
    }

    pub fn cancel(&self) {
        self.handle.cancel();
    }
}

type Answerer = Box<dyn Fn(&Ticket) + Send + Sync>;

/// The provider: hands each request to the story, or answers it by a function.
struct Provides {
    story: Mutex<Sender<Request>>,
    by: Option<Answerer>,
    calls: Arc<AtomicUsize>,
}

impl Provider for Provides {
    fn provide(&self, ticket: Ticket) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match &self.by {
            Some(answer) => answer(&ticket),
            None => {
                let _ = self.story.lock().expect("no panic").send(Request(ticket));
            }
        }
    }
}

/// A request in the story's hands.
pub struct Request(pub Ticket);

impl Request {
    pub fn keys(&self) -> Vec<String> {
        self.0.keys().iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    pub fn index(&self, key: &str) -> usize {
        self.0.keys().iter().position(|other| other == key.as_bytes()).unwrap_or_else(|| panic!("{key} is not in {:?}", self.keys()))
    }

    /// Answers one key, and says what that was told.
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

    /// From now on `tells` hears when the request is no longer wanted.
    pub fn on_cancel(&self, tells: impl Fn(Cancel) + Send + 'static) -> Status {
        match self.0.on_cancel(Box::new(Hook(tells))) {
            Ok(()) => Status::OK,
            Err((status, _)) => status,
        }
    }
}

struct Hook<F>(F);

impl<F: Fn(Cancel) + Send + 'static> CancelHook for Hook<F> {
    fn cancelled(&self, why: Cancel) {
        (self.0)(why);
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Tells the story that the engine is closed.
pub struct News(pub Sender<&'static str>);

impl CloseListener for News {
    fn closed(self: Box<Self>) {
        let _ = self.0.send("closed");
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A closure as one of the host's functions.
pub struct By<F>(pub F);

impl<F: Fn(&[u8]) -> bool + Send + Sync> Validator for By<F> {
    fn is_valid(&self, key: &[u8]) -> bool {
        (self.0)(key)
    }
}

impl<F: Fn(&[u8], &Value) -> u64 + Send + Sync> CostFunction for By<F> {
    fn cost(&self, key: &[u8], value: &Value) -> u64 {
        (self.0)(key, value)
    }
}

impl<F: Fn(&Departure) + Send + Sync> RemovalListener for By<F> {
    fn removed(&self, departure: &Departure) {
        (self.0)(departure);
    }
}

impl<F: Fn(Status, &[u8]) + Send + Sync> RecordListener for By<F> {
    fn looked_up(&self, record: Status, key: &[u8]) {
        (self.0)(record, key);
    }
}

/// What left, in words.
pub fn departed(departure: &Departure) -> (String, String, Cause) {
    let word = departure.answer.value().map_or("NULL".to_owned(), text);
    (String::from_utf8_lossy(&departure.key).into_owned(), word, departure.cause)
}

/// A story's beginning.
pub struct Beginning {
    pub plan: Plan,
    by: Option<Answerer>,
}

impl Beginning {
    pub fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.plan.settings);
        self
    }

    pub fn hooks(mut self, set: impl FnOnce(&mut kvlight::engine::host::Hooks)) -> Self {
        set(&mut self.plan.hooks);
        self
    }

    /// Requests are answered by `by`, on provider threads, and are finished when it returns.
    pub fn answered(mut self, by: impl Fn(&Ticket) + Send + Sync + 'static) -> Self {
        self.by = Some(Box::new(by));
        self
    }

    /// Every key is answered at once with `<key>!`.
    pub fn echo(self) -> Self {
        self.answered(|ticket| {
            for (index, key) in ticket.keys().iter().enumerate() {
                ticket.resolve(index, value(&format!("{}!", String::from_utf8_lossy(key))), StoreTerms::default());
            }
        })
    }

    /// The system's clocks instead of one that the story moves.
    pub fn on_system_time(mut self) -> Self {
        self.plan.clock = None;
        self
    }

    pub fn begin(self) -> World {
        let Beginning { mut plan, by } = self;
        let (story, requests) = channel();
        let calls = Arc::new(AtomicUsize::new(0));
        plan.hooks.provider = Some(Arc::new(Provides { story: Mutex::new(story), by, calls: calls.clone() }));
        let clock = match &plan.clock {
            Some(Clock::Manual(clock)) => Some(clock.clone()),
            _ => None,
        };
        let core = Core::engine(plan).expect("threads");
        World { core, clock, requests: Mutex::new(requests), calls }
    }
}

/// An engine and all around it.
pub struct World {
    pub core: Arc<Core>,
    clock: Option<Arc<ManualClock>>,
    requests: Mutex<Inbox<Request>>,
    calls: Arc<AtomicUsize>,
}

/// The engine a story begins with: the defaults, one key a request, a clock that stands still.
pub fn story() -> Beginning {
    let mut plan = Plan { clock: Some(Clock::manual(Millis(1_000_000))), ..Plan::default() };
    plan.settings.tasks.batch_max_keys = 1;
    // Time stands still: a story that retries does so at once, unless it says otherwise.
    plan.settings.fetch.retry.fixed = Duration::ZERO;
    Beginning { plan, by: None }
}

impl World {
    /// The next request, from the provider's thread.
    pub fn request(&self) -> Request {
        self.requests.lock().expect("no panic").recv_timeout(PATIENCE).expect("the provider is asked")
    }

    /// A request that is here by now, if there is one.
    pub fn request_now(&self) -> Option<Request> {
        self.requests.lock().expect("no panic").try_recv().ok()
    }

    /// How often the provider was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn advance(&self, by_ms: u64) {
        self.clock.as_ref().expect("a clock that is moved").advance(by_ms);
    }

    pub fn fetch_settings(&self) -> FetchSettings {
        (**self.core.fetch_settings()).clone()
    }

    /// Asks; `Err` is why the call was refused.
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
        let (story, heard) = channel();
        let call = FetchCall { form, settings: Arc::new(settings), progress_step: step, handle: Some(&handle), at_once: false };
        let receiver = move || Box::new(Ear { story, then }) as Box<dyn Receiver>;
        match self.core.fetch(keys.iter().map(|key| key.as_bytes()), &call, receiver)? {
            FetchAnswer::Pending => Ok(Waiter { handle, heard }),
            at_once => panic!("it was told to wait for events: {at_once:?}"),
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

    /// Fetches, and does `then` in the callback.
    pub fn fetch_then(&self, key: &str, then: impl FnMut(&Heard) + Send + 'static) -> Waiter {
        self.try_ask(Form::Each, &[key], |_| {}, Arc::new(FetchHandle::new()), 0, Some(Box::new(then))).expect("the fetch is accepted")
    }

    pub fn fetch_each(&self, keys: &[&str]) -> Waiter {
        self.ask(Form::Each, keys, |_| {})
    }

    pub fn fetch_all(&self, keys: &[&str]) -> Waiter {
        self.ask(Form::All, keys, |_| {})
    }

    /// Fetches, answered in the call if possible.
    pub fn fetch_now(&self, key: &str) -> Option<String> {
        let call = self.call(true);
        match self.core.fetch([key.as_bytes()].into_iter(), &call, || Box::new(Deaf)).expect("accepted") {
            FetchAnswer::Now(outcome) => Some(said(&outcome)),
            _ => None,
        }
    }

    /// A call without frills.
    pub fn call(&self, at_once: bool) -> FetchCall<'static> {
        FetchCall { form: Form::Each, settings: self.core.fetch_settings().clone(), progress_step: 0, handle: None, at_once }
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

    /// What a lookup says.
    pub fn lookup(&self, key: &str) -> String {
        self.core.get(key.as_bytes()).map_or_else(name, |lookup| found(&lookup))
    }

    /// What the store has, without a lookup.
    pub fn peek(&self, key: &str) -> String {
        self.core.peek(key.as_bytes()).map_or_else(name, |hit| found(&hit.map(|hit| hit.answer).into()))
    }

    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Waits until no provider call and no event is on its way.
    pub fn settles(&self) {
        until("nothing is under way", || {
            let gauges = self.core.stats().gauges;
            gauges.in_flight == 0 && gauges.running == 0 && gauges.abandoned == 0
        });
    }

    /// Waits until no request is with the provider and so many loads are under way.
    pub fn settles_but_for_flights(&self, flights: u64) {
        until("no request is with the provider", || {
            let gauges = self.core.stats().gauges;
            gauges.in_flight == flights && gauges.running == 0
        });
    }

    /// Closes; the story hears "closed".
    pub fn close(&self, drain: Option<Option<Duration>>) -> Inbox<&'static str> {
        let (tell, news) = channel();
        self.core.close(drain, Some(Box::new(News(tell))));
        news
    }

    pub fn free(self) {
        self.core.free();
    }
}

/// The engine is told to be closed.
pub fn hears_closed(news: &Inbox<&'static str>) {
    assert_eq!(news.recv_timeout(PATIENCE), Ok("closed"));
    assert_eq!(news.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "it is told once");
}

/// A receiver that must not hear anything.
pub struct Deaf;

impl Receiver for Deaf {
    fn result(&mut self, _: usize, _: &[u8], _: &Outcome, _: bool) {}
    fn batch(&mut self, _: Results) {}
    fn progress(&mut self, _: usize, _: usize, _: usize) {}
}

/// Where objects of one story ended: by the names of the threads, in order.
pub struct Ends {
    threads: Mutex<Vec<(ThreadId, String)>>,
    then: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Ends {
    pub fn new() -> Arc<Ends> {
        Arc::new(Ends { threads: Mutex::default(), then: None })
    }

    /// Each end also does `then`.
    pub fn with(then: impl Fn() + Send + Sync + 'static) -> Arc<Ends> {
        Arc::new(Ends { threads: Mutex::default(), then: Some(Box::new(then)) })
    }

    unsafe extern "C-unwind" fn end(pointer: *mut std::ffi::c_void) {
        // SAFETY: `object` below gave an `Arc` up for this pointer, and this runs once for it.
        let ends = unsafe { Arc::from_raw(pointer.cast_const().cast::<Ends>()) };
        assert!(kvlight::base::process::must_not_wait(), "a destructor runs as code of the host's");
        if let Some(then) = &ends.then {
            then();
        }
        ends.threads.lock().expect("no panic").push((std::thread::current().id(), thread_name()));
    }

    /// An object whose end is noted here.
    pub fn object(self: &Arc<Ends>) -> Object {
        let end: FreeFn = Ends::end;
        Object::new(Arc::into_raw(self.clone()).cast_mut().cast(), Some(end))
    }

    /// A value of such an object.
    pub fn value(self: &Arc<Ends>) -> Answer {
        Answer::Value(Value::object(self.object(), 1))
    }

    /// On which threads objects ended so far.
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

/// The name of the thread that a callback runs on.
pub fn thread_name() -> String {
    std::thread::current().name().unwrap_or("?").to_owned()
}

/// The source of an outcome; for stories that look at it.
pub fn source(outcome: &Outcome) -> Source {
    outcome.source
}
