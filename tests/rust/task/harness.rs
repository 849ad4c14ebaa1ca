//! A harness for the table: a store, a provider whose answers the test decides, event sinks that record their events (`recording`), and a
//! manual clock. After every step the table's invariants are checked (`Table::check`).

use super::limits::{Failure, Limits};
pub use super::recording::{RecordingSink, Summary, Waiter, failed_with, stale, summary, value};
use kvlight::base::config::{FetchSettings, Settings};
use kvlight::base::{
    Answer, CallKeys, Clock, Error, Labels, ManualClock, Millis, Moment, Now, Object, PackedKeys, Status, StoreTerms, Ttl, Value,
};
use kvlight::task::breaker::BreakerOverride;
use kvlight::task::host::DeferredDrop;
use kvlight::task::second_tier::{TierAbilities, TierHandout};
use kvlight::task::table::{AskOrder, AskProgress, FetchInSteps, Reservation, Write, refusal_of_all};
use kvlight::task::{AnswerStore, RequestId, STEP, Source, Table, TableContext, TakeResult, Unanswered, Verdict};
use kvlight::task::{
    Cancel, Close, Effects, Event, EventSink, FetchRequest, FillResult, Form, Handout, Host, JoinRequest, Outcome, Probe, ProviderAnswer,
};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    static UNDER_LOCK: Cell<bool> = const { Cell::new(false) };
    static ENDED_UNDER_LOCK: Cell<usize> = const { Cell::new(0) };
}

extern "C-unwind" fn end(_: *mut c_void) {
    note_end();
}

/// Called by the destructors of the host. Counts those that run under the table's lock.
pub fn note_end() {
    ENDED_UNDER_LOCK.set(ENDED_UNDER_LOCK.get() + usize::from(UNDER_LOCK.get()));
}

/// An object owned by the host. The test fails if the destructor runs during an operation on the table, which holds the lock (rule L01).
fn object() -> Object {
    Object::new(std::ptr::null_mut(), Some(end))
}

pub fn bytes(text: &str) -> Answer {
    let data = text.to_owned().leak();
    // SAFETY: leaked memory stays readable.
    Answer::Value(unsafe { Value::external(data.as_ptr(), data.len(), object()) })
}

pub fn provider_error(code: i64, permanent: bool) -> Error {
    Error::of_provider(code, b"the record is locked", permanent, Some(object()))
}

/// The store. It keeps every answer that may be stored, until the test removes it.
#[derive(Clone, Default)]
pub struct TestStore {
    entries: Rc<RefCell<Entries>>,
    /// Answers that left, which are dropped once the lock is released.
    removed: Rc<RefCell<Vec<Answer>>>,
    failed_refreshes: Rc<RefCell<Vec<String>>>,
}

type Entries = BTreeMap<Vec<u8>, Stored>;

struct Stored {
    answer: Answer,
    terms: StoreTerms,
    /// Whether it has expired and is in its grace.
    is_stale: bool,
}

impl TestStore {
    pub fn lookup(&self, key: &[u8]) -> Summary {
        self.entries
            .borrow()
            .get(key)
            .filter(|stored| !stored.is_stale)
            .map_or(Summary::Miss, |stored| summary(&stored.answer.clone().into()))
    }

    /// Removes an entry. Its answer is dropped after the lock is released, like the departures of the real store.
    fn take_out(&self, key: &[u8]) {
        self.removed.borrow_mut().extend(self.entries.borrow_mut().remove(key).map(|stored| stored.answer));
    }

    /// Removes an entry, as when it expires without a grace.
    pub fn evict(&self, key: &str) {
        self.take_out(key.as_bytes());
    }

    /// Expires the entry of the key, if there is one; its grace begins.
    pub fn make_stale(&self, key: &str) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(key.as_bytes()) {
            entry.is_stale = true;
        }
    }

    /// The keys whose refresh ahead of expiry failed.
    pub fn failed_refreshes(&self) -> Vec<String> {
        self.failed_refreshes.borrow().clone()
    }

    /// The entry of the key, fresh or stale, and the terms on which it was stored.
    pub fn known(&self, key: &str) -> Option<(Answer, StoreTerms)> {
        self.entries.borrow().get(key.as_bytes()).map(|stored| (stored.answer.clone(), stored.terms.clone()))
    }

    /// Whether the key has an entry, fresh or stale.
    pub fn has(&self, key: &str) -> bool {
        self.entries.borrow().contains_key(key.as_bytes())
    }

    /// Removes the entries with the tag.
    fn remove_tagged(&self, tag: &str) {
        let is_tagged = |stored: &Stored| stored.terms.labels.iter().any(|labels| labels.tags().any(|other| other == tag.as_bytes()));
        let tagged = |(key, stored): (&Vec<u8>, &Stored)| is_tagged(stored).then(|| key.clone());
        let keys: Vec<Vec<u8>> = self.entries.borrow().iter().filter_map(tagged).collect();
        keys.iter().for_each(|key| self.take_out(key));
    }

    pub fn priority(&self, key: &str) -> Option<f64> {
        self.entries.borrow().get(key.as_bytes()).and_then(|stored| stored.terms.priority)
    }
}

impl AnswerStore for TestStore {
    fn probe(&mut self, _hash: u64, key: &[u8]) -> Option<Outcome> {
        let entries = self.entries.borrow();
        let stored = entries.get(key).filter(|stored| !stored.is_stale)?;
        Some(Outcome::of(stored.answer.clone(), Source::Store))
    }

    fn fill(&mut self, _hash: u64, key: &[u8], answer: &mut Answer, terms: &mut StoreTerms) -> FillResult {
        self.take_out(key);
        if terms.ttl == Some(Ttl::DoNotStore) {
            return FillResult::default();
        }
        let filled = FillResult { ttl_left_ms: -1, cost: terms.cost.unwrap_or(0) };
        self.entries.borrow_mut().insert(key.to_vec(), Stored { answer: answer.clone(), terms: terms.clone(), is_stale: false });
        filled
    }

    fn stale(&mut self, key: &[u8]) -> Option<Outcome> {
        let entries = self.entries.borrow();
        let stored = entries.get(key).filter(|stored| stored.is_stale)?;
        Some(Outcome { age_ms: 7, ..Outcome::of(stored.answer.clone(), Source::Store) })
    }

    fn refresh_failed(&mut self, key: &[u8]) {
        self.failed_refreshes.borrow_mut().push(String::from_utf8_lossy(key).into_owned());
    }

    fn remove_stale(&mut self, key: &[u8]) {
        if self.stale(key).is_some() {
            self.take_out(key);
        }
    }
}

pub struct TestHost;

impl Host for TestHost {
    type Sink = RecordingSink;
    type Request = Rc<Handout<&'static str>>;
    type Context = &'static str;
    type Joiner = RecordingSink;

    fn request(&self, handout: Handout<&'static str>) -> Self::Request {
        Rc::new(handout)
    }
}

/// The options of a fetch.
#[derive(Clone)]
pub struct Options {
    pub fetch: FetchSettings,
    pub urgency: i32,
    pub progress_step: usize,
    pub context: Option<&'static str>,
    /// Skips the lookup before the table is locked, as if the key was stored between the lookup and the lock.
    pub missed_before: bool,
}

/// A request as the provider sees it.
#[derive(Clone)]
pub struct HandedRequest {
    pub id: RequestId,
    pub handout: Rc<Handout<&'static str>>,
    /// Whether the provider has taken it.
    pub taken: bool,
}

impl HandedRequest {
    pub fn keys(&self) -> Vec<String> {
        self.handout.keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    pub fn index(&self, key: &str) -> usize {
        self.handout.keys.iter().position(|known| known == key.as_bytes()).expect("the key is in the request")
    }
}

/// An event of a test, with its name.
pub type NamedEvent = (&'static str, fn(&mut Harness));

/// A provider that answers within its call. Returns its answer for a key and an attempt.
pub type SyncProvider = Box<dyn FnMut(&[u8], u32) -> ProviderAnswer>;

pub struct Harness {
    pub table: Table<TestHost>,
    pub store: TestStore,
    pub clock: Clock,
    manual: Arc<ManualClock>,
    pub settings: Settings,
    /// All requests that were handed out.
    pub requests: Vec<HandedRequest>,
    /// The cancel hooks that ran: the index of the request, and the reason.
    pub hooks: Vec<(usize, Cancel)>,
    /// Whether the test takes requests itself. Otherwise each is taken, and the provider's call returns, at once.
    pub takes_manually: bool,
    pub sync_provider: Option<SyncProvider>,
    /// Whether the table's invariants are checked after every step.
    pub checks: bool,
    /// The number of drops that were deferred until after the lock.
    pub deferred_drops: usize,
    /// How much one hold of the lock may do, in units of about one key.
    pub budget: usize,
    /// Whether long work stops after each step, so that the test decides when it continues.
    pub is_slow: bool,
    /// The most positions that were settled, and flights that were started, in one hold.
    pub most_in_a_hold: (usize, usize),
    untaken: VecDeque<usize>,
    /// Compares the table with a reference for the breaker, the rate limit and the limit of concurrent requests.
    pub limits: Option<Box<Limits>>,
    /// All requests for the second tier.
    pub tier: Vec<Rc<TierHandout>>,
}

impl Default for Harness {
    fn default() -> Harness {
        Harness::new()
    }
}

impl Harness {
    pub fn new() -> Harness {
        Harness::with(|_| {})
    }

    pub fn with(set: impl FnOnce(&mut Settings)) -> Harness {
        let mut settings = Settings::default();
        settings.cache.seed = Some(1);
        // Retries have no pause, unless the test sets one.
        settings.fetch.retry.fixed = Duration::ZERO;
        set(&mut settings);
        let manual = Arc::new(ManualClock::new(Millis(1_000)));
        Harness {
            table: Table::new(TestHost, &settings),
            store: TestStore::default(),
            clock: Clock::Manual(manual.clone()),
            manual,
            settings,
            requests: Vec::new(),
            hooks: Vec::new(),
            takes_manually: false,
            sync_provider: None,
            checks: true,
            deferred_drops: 0,
            budget: STEP,
            is_slow: false,
            most_in_a_hold: (0, 0),
            untaken: VecDeque::new(),
            limits: None,
            tier: Vec::new(),
        }
    }

    /// As `with`, and with a second tier.
    pub fn with_tier(abilities: TierAbilities, set: impl FnOnce(&mut Settings)) -> Harness {
        let mut harness = Harness::with(set);
        harness.table.use_second_tier(&harness.settings.second_tier, abilities);
        harness
    }

    /// Runs one operation on the table and all that follows from it: the provider's calls and, unless `is_slow`, the long work.
    pub fn step<T>(&mut self, operation: impl FnOnce(&mut Table<TestHost>, &mut TableContext<'_, TestHost, TestStore>) -> T) -> T {
        let result = self.act(operation);
        self.run_untaken();
        while !self.is_slow && self.go_on() {}
        result
    }

    fn run_untaken(&mut self) {
        while let Some(nth) = self.untaken.pop_front() {
            self.run(nth);
        }
    }

    pub fn has_long_work(&self) -> bool {
        self.table.has_long_work(self.table.long_work_begun())
    }

    /// Does another step of the long work; false once nothing is left.
    pub fn go_on(&mut self) -> bool {
        if !self.has_long_work() {
            return false;
        }
        self.act(|table, cx| table.go_on(table.long_work_begun(), cx));
        self.run_untaken();
        self.has_long_work()
    }

    /// Runs one operation in one hold of the lock, checks the table, and applies the effects.
    fn act<T>(&mut self, operation: impl FnOnce(&mut Table<TestHost>, &mut TableContext<'_, TestHost, TestStore>) -> T) -> T {
        let (now, mut out) = (Now::of(&self.clock), Effects::default());
        out.budget = self.budget;
        if let Some(limits) = &mut self.limits {
            limits.begin(&self.table, |nth| self.requests[nth].handout.keys.len());
        }
        let (requests, hooks) = (self.requests.len(), self.hooks.len());
        let (settled, started) = (super::recording::settled(), self.table.counts().flights_started);
        UNDER_LOCK.set(true);
        let result = operation(&mut self.table, &mut TableContext { now: &now, store: &mut self.store, out: &mut out });
        UNDER_LOCK.set(false);
        let (most_settled, most_started) = self.most_in_a_hold;
        let started = self.table.counts().flights_started - started;
        self.most_in_a_hold = (most_settled.max(super::recording::settled() - settled), most_started.max(started as usize));
        assert_eq!(ENDED_UNDER_LOCK.take(), 0, "values, errors or sinks were dropped under the table's lock (L01)");
        self.store.removed.borrow_mut().clear();
        if self.checks
            && let Err(broken) = self.table.check()
        {
            panic!("the table is inconsistent: {broken}");
        }
        // Every field is named, so that the compiler asks what happens to a new one.
        let Effects { scheduled, joined, handed, cancelled, tier, deferred_drops, budget: _ } = out;
        scheduled.iter().for_each(RecordingSink::deliver);
        for joined in &joined {
            assert!(!joined.joiners.is_empty(), "a list of joiners is empty");
            for sink in joined.joiners.iter() {
                let outcome = joined.outcome.clone();
                assert!(sink.post(Event::Result { index: 0, outcome, last: true }), "a joiner has a result already");
                sink.deliver();
            }
        }
        for handout in handed {
            self.requests.push(HandedRequest { id: handout.id, handout, taken: false });
            if !self.takes_manually {
                self.untaken.push_back(self.requests.len() - 1);
            }
        }
        self.tier.extend(tier.into_iter().flat_map(|requests| *requests).map(Rc::new));
        for (handout, why) in cancelled {
            let nth = self.requests.iter().position(|request| request.id == handout.id).expect("the request was handed out");
            self.hooks.push((nth, why));
        }
        self.deferred_drops += deferred_drops.len();
        for deferred_drop in &deferred_drops {
            if let DeferredDrop::Sink(sink) = deferred_drop {
                assert!(!sink.has_pending(), "an event was posted, but its sink was not scheduled");
            }
        }
        if let Some(mut limits) = self.limits.take() {
            limits.end(self, requests..self.requests.len(), &self.hooks[hooks..]);
            self.limits = Some(limits);
        }
        result
    }

    /// Runs the provider's call for a request.
    fn run(&mut self, nth: usize) {
        let request = self.requests[nth].clone();
        let id = request.id;
        if self.take(nth) == TakeResult::Skip {
            self.act(|table, cx| table.finish(id, Unanswered::Unanswered, cx));
        } else if let Some(mut sync_provider) = self.sync_provider.take() {
            for (index, key) in request.handout.keys.iter().enumerate() {
                let given = sync_provider(key, request.handout.attempts[index]);
                self.act(|table, cx| table.answer(id, index, given, cx));
            }
            self.act(|table, cx| table.finish(id, Unanswered::Unanswered, cx));
            self.sync_provider = Some(sync_provider);
        }
        self.act(|table, cx| table.request_returned(id, cx));
    }

    pub fn options(&self) -> Options {
        Options { fetch: self.settings.fetch.clone(), urgency: 0, progress_step: 0, context: None, missed_before: false }
    }

    /// A call of the host. A key that begins with `!` is refused by the validator.
    pub fn ask(&mut self, form: Form, keys: &[&str], set: impl FnOnce(&mut Options)) -> Waiter {
        if keys.len() > self.budget {
            let mut long = self.ask_first(form, keys, set);
            while self.ask_more(&mut long) {}
            return self.ask_last(long);
        }
        let mut options = self.options();
        set(&mut options);
        let mut packed = PackedKeys::default();
        let mut probes = Vec::new();
        for key in keys {
            packed.push(key.as_bytes());
            let reads = form.delivers() && options.fetch.reads_store() && !options.missed_before;
            let hit = if reads { self.store.probe(0, key.as_bytes()) } else { None };
            probes.push(match hit {
                _ if key.starts_with('!') => Probe::Settled(Outcome::bare(Verdict::InvalidKey)),
                Some(outcome) => Probe::Settled(outcome),
                None => Probe::Missed { hash: self.table.hash(key.as_bytes()) },
            });
        }
        let recording = RecordingSink::new(keys, &self.store);
        let deadline = options.fetch.timeout.map(|timeout| self.clock.moment().after(timeout));
        let settings = Arc::new(options.fetch);
        let sink = form.delivers().then(|| recording.clone());
        let reservation = Reservation::try_new(keys.len(), form).expect("memory");
        let (urgency, progress_step, context) = (options.urgency, options.progress_step, options.context);
        let (keys, probes, settings) = (CallKeys::Many(&packed), &mut probes[..], &settings);
        let id = self.step(|table, cx| {
            let ask =
                FetchRequest { keys, probes, reprobe: true, form, settings, sink, context, urgency, deadline, progress_step, reservation };
            table.ask(ask, cx)
        });
        Waiter { id, sink: recording }
    }

    /// Does the first step of a call for very many keys.
    pub fn ask_first(&mut self, form: Form, keys: &[&str], set: impl FnOnce(&mut Options)) -> LongAsk {
        let mut options = self.options();
        set(&mut options);
        let (mut packed, mut probes) = (PackedKeys::default(), Vec::new());
        for key in keys {
            packed.push(key.as_bytes());
            probes.push(match self.store.probe(0, key.as_bytes()) {
                _ if key.starts_with('!') => Probe::Settled(Outcome::bare(Verdict::InvalidKey)),
                Some(outcome) if form.delivers() && options.fetch.reads_store() && !options.missed_before => Probe::Settled(outcome),
                _ => Probe::Missed { hash: self.table.hash(key.as_bytes()) },
            });
        }
        let recording = RecordingSink::new(keys, &self.store);
        let deadline = options.fetch.timeout.map(|timeout| self.clock.moment().after(timeout));
        let settings = Arc::new(options.fetch);
        let refusal = refusal_of_all(form, &settings, &probes);
        let sink = form.delivers().then(|| recording.clone());
        let reservation = Reservation::try_new(keys.len(), form).expect("memory");
        let (urgency, progress_step, context, settings) = (options.urgency, options.progress_step, options.context, &settings);
        let none = PackedKeys::default();
        let ask = FetchRequest {
            keys: CallKeys::Many(&none),
            probes: &mut [],
            reprobe: false,
            form,
            settings,
            sink,
            context,
            urgency,
            deadline,
            progress_step,
            reservation,
        };
        let (asking, progress) = self.step(|table, cx| {
            let order = AskOrder::of(&CallKeys::Many(&packed), &probes, table.hasher()).expect("memory");
            let mut asking = table.begin(ask, order, refusal, cx.now);
            let progress = table.ask_more(&mut asking, &CallKeys::Many(&packed), &mut probes, true, cx);
            (asking, progress)
        });
        LongAsk { asking, keys: packed, probes, recording, progress }
    }

    /// Does another step. Returns false once all keys are processed.
    pub fn ask_more(&mut self, long: &mut LongAsk) -> bool {
        let LongAsk { asking, keys, probes, progress, .. } = long;
        let keys = CallKeys::Many(keys);
        match progress {
            AskProgress::Done => return false,
            AskProgress::NeedsSortedKeys => asking.sort_keys(),
            AskProgress::More => {}
        }
        *progress = self.step(|table, cx| table.ask_more(asking, &keys, probes, true, cx));
        *progress != AskProgress::Done
    }

    /// Does the last step.
    pub fn ask_last(&mut self, long: LongAsk) -> Waiter {
        let LongAsk { asking, recording, .. } = long;
        let id = self.step(|table, cx| table.end_ask(asking, cx));
        Waiter { id, sink: recording }
    }

    pub fn fetch(&mut self, key: &str) -> Waiter {
        self.ask(Form::Each, &[key], |_| {})
    }

    /// A call for one key that joins the key's load without a fetch of its own; `None` if there is no load to join.
    pub fn join(&mut self, key: &str, set: impl FnOnce(&mut Options)) -> Option<Waiter> {
        let mut options = self.options();
        set(&mut options);
        let sink = RecordingSink::new(&[key], &self.store);
        let Options { fetch, urgency, missed_before, .. } = options;
        // The joiner stays here if there is nothing to join: no object of the program may be dropped under the lock.
        let (key, mut joiner) = (key.as_bytes(), Some(sink.clone()));
        let joins = self.step(|table, _| {
            let request = JoinRequest { hash: table.hash(key), key, reprobe: missed_before, settings: &fetch, urgency };
            table.join_alone(&request, || joiner.take().expect("a joiner joins once"))
        });
        joins.then_some(Waiter { id: None, sink })
    }

    pub fn fetch_with(&mut self, key: &str, set: impl FnOnce(&mut Options)) -> Waiter {
        self.ask(Form::Each, &[key], set)
    }

    pub fn fetch_each(&mut self, keys: &[&str]) -> Waiter {
        self.ask(Form::Each, keys, |_| {})
    }

    pub fn fetch_all(&mut self, keys: &[&str]) -> Waiter {
        self.ask(Form::All, keys, |_| {})
    }

    pub fn refresh(&mut self, key: &str) {
        self.ask(Form::Refresh, &[key], |_| {});
    }

    /// Starts a refresh ahead, as the use of an entry that is about to expire does.
    pub fn refresh_ahead(&mut self, key: &str) {
        self.ask(Form::Ahead, &[key], |options| options.urgency = kvlight::base::config::BACKGROUND);
    }

    pub fn cancel(&mut self, waiter: &Waiter) {
        if let Some(id) = waiter.id {
            self.step(|table, cx| table.cancel(id, cx));
        }
    }

    pub fn set_urgency(&mut self, waiter: &Waiter, urgency: i32) {
        if let Some(id) = waiter.id {
            self.step(|table, cx| table.set_urgency(id, urgency, cx));
        }
    }

    /// The keys of each request that was handed out.
    pub fn handed(&self) -> Vec<Vec<String>> {
        self.requests.iter().map(HandedRequest::keys).collect()
    }

    pub fn take(&mut self, nth: usize) -> TakeResult {
        let id = self.requests[nth].id;
        let taken = self.act(|table, cx| table.take_request(id, cx.now));
        self.requests[nth].taken |= taken == TakeResult::Run;
        taken
    }

    pub fn returned(&mut self, nth: usize) {
        let id = self.requests[nth].id;
        self.step(|table, cx| table.request_returned(id, cx));
    }

    pub fn heartbeat(&mut self, nth: usize) -> Status {
        let id = self.requests[nth].id;
        self.step(|table, cx| table.heartbeat(id, cx.now))
    }

    pub fn give(&mut self, nth: usize, key: &str, given: ProviderAnswer) -> Status {
        let (id, index) = (self.requests[nth].id, self.requests[nth].index(key));
        let is_failure = matches!(&given, ProviderAnswer::Failed(error) if !error.is_permanent());
        let evidence = self.limits.as_ref().map(|limits| limits.evidence.clone());
        let is_cancelled = self.hooks.iter().any(|(of, _)| *of == nth);
        self.step(|table, cx| {
            let status = table.answer(id, index, given, cx);
            if let (Status::OK | Status::LATE, Some(evidence)) = (status, evidence) {
                let mut evidence = evidence.borrow_mut();
                let known = evidence.entry(nth).or_default();
                known.has_answer |= !is_cancelled;
                if is_failure && status == Status::OK {
                    known.failure = Failure::Certain;
                }
            }
            status
        })
    }

    pub fn answer(&mut self, nth: usize, key: &str, text: &str) -> Status {
        self.give(nth, key, ProviderAnswer::Answer(bytes(text), StoreTerms::default()))
    }

    pub fn answer_null(&mut self, nth: usize, key: &str) -> Status {
        self.give(nth, key, ProviderAnswer::Answer(Answer::Null, StoreTerms::default()))
    }

    /// Answers with an error that may be retried.
    pub fn fail(&mut self, nth: usize, key: &str, code: i64) -> Status {
        self.give(nth, key, ProviderAnswer::Failed(provider_error(code, false)))
    }

    pub fn fail_for_good(&mut self, nth: usize, key: &str, code: i64) -> Status {
        self.give(nth, key, ProviderAnswer::Failed(provider_error(code, true)))
    }

    pub fn extra(&mut self, nth: usize, key: &str, text: &str) -> Status {
        let id = self.requests[nth].id;
        self.step(|table, cx| table.extra(id, key.as_bytes(), bytes(text), StoreTerms::default(), cx))
    }

    pub fn finish(&mut self, nth: usize) -> Status {
        self.finish_with(nth, Unanswered::Unanswered)
    }

    pub fn finish_with(&mut self, nth: usize, rest: Unanswered) -> Status {
        let HandedRequest { id, handout, taken } = self.requests[nth].clone();
        let is_null = match rest {
            Unanswered::Unanswered => taken && self.settings.tasks.omitted_is_null,
            Unanswered::Null => taken,
            Unanswered::Failed(_) => false,
        };
        let evidence = self.limits.as_ref().filter(|_| !is_null).map(|limits| limits.evidence.clone());
        // Keys that are reached in later steps, or that another request has too, may not be wanted by then.
        let certain = if self.settings.tasks.hedge.after.is_zero() { self.budget } else { 0 };
        self.step(|table, cx| {
            let wanted = (0..handout.keys.len()).find(|index| table.is_wanted(id, *index));
            let status = table.finish(id, rest, cx);
            if let (Status::OK, Some(first), Some(evidence)) = (status, wanted, evidence) {
                let finds = if first < certain { Failure::Certain } else { Failure::Perhaps };
                let mut evidence = evidence.borrow_mut();
                let known = evidence.entry(nth).or_default();
                known.failure = known.failure.max(finds);
            }
            status
        })
    }

    /// A put of the host: the store and the table in one step, as under the engine's lock.
    pub fn put(&mut self, key: &str, text: &str) {
        self.put_answer(key, &bytes(text));
    }

    pub fn put_answer(&mut self, key: &str, answer: &Answer) {
        self.step(|table, cx| {
            let filled = cx.store.fill(0, key.as_bytes(), &mut answer.clone(), &mut StoreTerms::default());
            table.write_behind(key.as_bytes(), Some((answer, filled)), cx);
            table.written(key.as_bytes(), Write::Put(answer, filled), cx);
        });
    }

    /// The host expires the entry. A load in progress treats that as a removal.
    pub fn expire(&mut self, key: &str) {
        self.step(|table, cx| {
            cx.store.make_stale(key);
            table.written(key.as_bytes(), Write::Removed, cx);
        });
    }

    pub fn remove(&mut self, key: &str) {
        self.step(|table, cx| {
            cx.store.take_out(key.as_bytes());
            table.write_behind(key.as_bytes(), None, cx);
            table.written(key.as_bytes(), Write::Removed, cx);
        });
    }

    /// Another process wrote the key, and its notice arrives.
    pub fn invalidate(&mut self, key: &str) {
        self.step(|table, cx| {
            cx.store.take_out(key.as_bytes());
            table.written(key.as_bytes(), Write::Removed, cx);
        });
    }

    /// The host removes the entries with the tag: the table first, for running loads, then the store, as in the engine.
    pub fn remove_tag(&mut self, tag: &str) {
        self.step(|table, cx| {
            table.tag_removed(tag.as_bytes());
            cx.store.remove_tagged(tag);
        });
    }

    pub fn clear(&mut self) {
        self.step(|table, cx| {
            let keys: Vec<Vec<u8>> = cx.store.entries.borrow().keys().cloned().collect();
            keys.iter().for_each(|key| cx.store.take_out(key));
            table.clearing(cx);
        });
    }

    pub fn lookup(&self, key: &str) -> Summary {
        self.store.lookup(key.as_bytes())
    }

    /// Advances the clock, stopping at every deadline.
    pub fn advance(&mut self, ms: u64) {
        self.advance_by(ms, |_| {});
    }

    /// As `advance`, and calls `between` whenever the lock is released although more deadlines are due.
    pub fn advance_by(&mut self, ms: u64, mut between: impl FnMut(&mut Harness)) {
        let goal = self.manual.millis().after(ms);
        let mut rounds_at_one_time = 0;
        loop {
            let due = self.table.next_due().map_or(goal, |due| self.manual.millis_at(due));
            let stop = due.clamp(self.manual.millis(), goal);
            rounds_at_one_time = if stop == self.manual.millis() { rounds_at_one_time + 1 } else { 0 };
            assert!(rounds_at_one_time < 1_000, "the timer does not come to rest: something is due at once, again and again");
            self.manual.advance(stop.since(self.manual.millis()));
            while self.step(|table, cx| table.advance(cx)) {
                between(self);
            }
            if stop == goal && self.table.next_due().is_none_or(|due| due > self.clock.moment()) {
                return;
            }
        }
    }

    pub fn close(&mut self) {
        self.closes_at(self.now_ms());
        self.step(|table, cx| table.close(Close::Cancel, cx));
    }

    pub fn drain(&mut self, ms: u64) {
        let until = self.in_ms(ms);
        self.closes_at(self.now_ms() + ms);
        self.step(|table, cx| table.close(Close::Drain(until), cx));
    }

    fn closes_at(&mut self, at: u64) {
        if let Some(limits) = &mut self.limits {
            limits.closes_at = Some(limits.closes_at.unwrap_or(u64::MAX).min(at));
        }
    }

    /// An operator forces a state of the circuit breaker, or lets it decide again.
    pub fn force_breaker(&mut self, forced: BreakerOverride) {
        if let Some(limits) = &mut self.limits {
            limits.force(forced);
        }
        self.step(|table, cx| table.force_breaker(forced, cx));
    }

    pub fn gather(&mut self, gathers: bool) {
        if let Some(limits) = &mut self.limits {
            limits.gathers = gathers;
        }
        self.step(|table, cx| table.gather(gathers, cx));
    }

    pub fn now_ms(&self) -> u64 {
        self.manual.millis().0
    }

    pub fn in_ms(&self, ms: u64) -> Moment {
        self.clock.moment().after(Duration::from_millis(ms))
    }
}

/// Terms with these tags.
pub fn tagged(tags: &[&str]) -> StoreTerms {
    let labels = Labels::new(b"", tags.iter().map(|tag| tag.as_bytes())).expect("good labels");
    StoreTerms { labels, ..StoreTerms::default() }
}

/// A call for very many keys that the table is processing in steps.
pub struct LongAsk {
    asking: FetchInSteps,
    keys: PackedKeys,
    probes: Vec<Probe>,
    recording: RecordingSink,
    progress: AskProgress,
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The keys `k0`, `k1`, and so on, `n` of them.
pub fn keys(n: usize) -> Vec<String> {
    (0..n).map(|nth| format!("k{nth}")).collect()
}

pub fn refs(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}
