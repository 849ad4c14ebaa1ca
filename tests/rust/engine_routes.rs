//! All eight mixtures of the routes for results, requests and removals, against one model (rules L02a, L05b): wherever callbacks run, the same
//! calls have the same outcomes, each entry leaves once and for the same reason, and the notice of the close is delivered last.

use kvlight::base::config::{FetchSettings, ReadMode, Settings};
use kvlight::base::{Answer, Error, Status, StoreTerms, Value};
use kvlight::cache::{Cause, Departure, Departures, NewEntry};
use kvlight::engine::fetch::FetchCall;
use kvlight::engine::host::{CloseListener, Hooks, Provider, Receiver, RemovalListener, Results};
use kvlight::engine::request::Ticket;
use kvlight::engine::{Core, Plan, Routes};
use kvlight::runtime::host_queue::HostQueue;
use kvlight::task::{Form, Outcome, Source};
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver as Inbox, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEYS: u64 = 12;
const STEPS: u32 = 60;
const SEEDS: u64 = 12;
/// How long a test waits for a message. Only a broken engine takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Random numbers that are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// The version of the provider's data. Every fifth key fails; of the others, every seventh does not exist.
#[derive(Default)]
struct ProviderData(Mutex<u64>);

impl ProviderData {
    /// The text of a key, or the code of its error.
    fn of(&self, key: u64) -> Result<Option<String>, i64> {
        match key {
            key if key % 5 == 4 => Err(key as i64),
            key if key % 7 == 6 => Ok(None),
            key => Ok(Some(format!("{key} as of {}", self.0.lock().expect("no panic")))),
        }
    }
}

fn name(key: u64) -> Vec<u8> {
    format!("key {key}").into_bytes()
}

fn number(key: &[u8]) -> u64 {
    String::from_utf8_lossy(key).trim_start_matches("key ").parse().expect("a key of this test")
}

fn answer(text: Option<&str>) -> Answer {
    text.map_or(Answer::Null, |text| Answer::Value(Value::bytes(text.as_bytes()).expect("memory")))
}

fn text(answer: &Answer) -> String {
    answer.value().and_then(Value::as_bytes).map_or_else(|| "null".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

struct ModelProvider(Arc<ProviderData>);

impl Provider for ModelProvider {
    fn provide(&self, request: Ticket) {
        for index in 0..request.keys().len() {
            let status = match self.0.of(number(request.keys().get(index).expect("a key"))) {
                Ok(known) => request.resolve(index, answer(known.as_deref()), StoreTerms::default()),
                Err(code) => request.fail(index, Error::of_provider(code, b"it fails", true, None)),
            };
            assert_eq!(status, Status::OK);
        }
    }
}

/// The departures of each key, in order.
type Left = BTreeMap<u64, Vec<(String, Cause)>>;

struct DepartureRecorder(Arc<Mutex<Left>>);

impl RemovalListener for DepartureRecorder {
    fn removed(&self, departure: &Departure) {
        let mut left = self.0.lock().expect("no panic");
        left.entry(number(departure.key())).or_default().push((text(&departure.answer()), departure.cause));
    }
}

/// Sends the outcome of each position, with its source.
struct OutcomeSender(Sender<Vec<(String, Source)>>);

fn text_and_source(outcome: &Outcome) -> (String, Source) {
    let words = match outcome.error() {
        Some(error) => format!("{:?} {}", error.status(), error.code()),
        None => match &outcome.verdict {
            kvlight::task::Verdict::Value(value) => text(&Answer::Value(value.clone())),
            _ => "null".to_owned(),
        },
    };
    (words, outcome.source)
}

impl Receiver for OutcomeSender {
    fn result(&mut self, _index: usize, _key: &[u8], outcome: &Outcome, last: bool) {
        assert!(last, "one position has one event");
        let _ = self.0.send(vec![text_and_source(outcome)]);
    }
    fn batch(&mut self, results: Results) {
        let _ = self.0.send(results.batch.outcomes.iter().map(text_and_source).collect());
    }
    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}

/// Reports the close, with the departures recorded by then.
struct CloseRecorder(Sender<Left>, Arc<Mutex<Left>>);

impl CloseListener for CloseRecorder {
    fn closed(self: Box<Self>) {
        let _ = self.0.send(self.1.lock().expect("no panic").clone());
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// An engine with one mixture of routes, and the model of its correct state.
struct ModelRun {
    core: Arc<Core>,
    queues: Vec<Arc<HostQueue>>,
    truth: Arc<ProviderData>,
    left: Arc<Mutex<Left>>,
    /// The texts that must be in the store.
    model: HashMap<u64, String>,
    /// The departures that must have been reported.
    expected: Left,
    /// The description of this run, for messages.
    what: String,
}

impl ModelRun {
    fn new(mixture: usize, apart: bool, seed: u64) -> ModelRun {
        ModelRun::with(mixture, apart, seed, Settings::default())
    }

    /// `mixture`: bit 0 sends results, bit 1 requests, bit 2 removals to a queue; `apart`: each to its own queue.
    fn with(mixture: usize, apart: bool, seed: u64, mut settings: Settings) -> ModelRun {
        let (truth, left) = (Arc::new(ProviderData::default()), Arc::new(Mutex::new(Left::new())));
        let one = Arc::new(HostQueue::new(false));
        let mut queues = Vec::new();
        let mut route = |bit: usize| {
            let queue = (mixture & bit != 0).then(|| if apart { Arc::new(HostQueue::new(false)) } else { one.clone() });
            queues.extend(queue.clone());
            queue
        };
        let routes = Routes { results: route(1), provider: route(2), removals: route(4), second_tier: None };
        settings.cache.capacity = 1000;
        settings.tasks.batch_max_keys = 4;
        let hooks = Hooks {
            provider: Some(Arc::new(ModelProvider(truth.clone()))),
            removal: Some(Arc::new(DepartureRecorder(left.clone()))),
            ..Hooks::default()
        };
        let core = Core::engine(Plan { settings, hooks, routes, ..Plan::default() }).expect("threads");
        let what = format!("mixture {mixture}, apart: {apart}, seed {seed}");
        ModelRun { core, queues, truth, left, model: HashMap::new(), expected: Left::new(), what }
    }

    /// Reads all queues until a message arrives in `inbox`, and returns that.
    fn read_until<T>(&self, inbox: &Inbox<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            match inbox.try_recv() {
                Ok(came) => return came,
                Err(TryRecvError::Disconnected) => panic!("{}: the user data was released without an event", self.what),
                Err(TryRecvError::Empty) => assert!(Instant::now() < end, "{}: no message arrived", self.what),
            }
            let read = self.queues.iter().filter(|queue| queue.poll(usize::MAX, Some(Duration::ZERO)).is_ok()).count();
            if read == 0 {
                std::thread::yield_now();
            }
        }
    }

    fn leaves(&mut self, key: u64, cause: Cause) {
        if let Some(before) = self.model.remove(&key) {
            self.expected.entry(key).or_default().push((before, cause));
        }
    }

    fn stores(&mut self, key: u64, text: String) {
        self.leaves(key, Cause::Replaced);
        self.model.insert(key, text);
    }

    /// The expected outcome of a position that is loaded. `loaded`: the keys that earlier positions of the same call have loaded.
    fn load(&mut self, key: u64, loaded: &mut Vec<u64>) -> (String, Source) {
        let is_joined = loaded.contains(&key);
        if !is_joined {
            loaded.push(key);
        }
        let text = match self.truth.of(key) {
            Ok(known) => {
                let text = known.unwrap_or("null".into());
                if !is_joined {
                    self.stores(key, text.clone());
                }
                text
            }
            Err(code) => format!("{:?} {code}", Status::ERR_PROVIDER),
        };
        (text, if is_joined { Source::Joined } else { Source::Provider })
    }

    fn fetch(&mut self, keys: &[u64], read: ReadMode) {
        let form = if keys.len() == 1 { Form::Each } else { Form::All };
        let settings = Arc::new(FetchSettings { read, ..(**self.core.fetch_settings()).clone() });
        let call = FetchCall { form, settings: settings.into(), progress_step: 0, handle: None, at_once: false };
        let names: Vec<Vec<u8>> = keys.iter().map(|key| name(*key)).collect();
        let (sender, inbox) = channel();
        self.core.fetch(names.iter().map(Vec::as_slice), &call, || Box::new(OutcomeSender(sender))).expect("it is open");
        // All keys are looked up in the store before one is loaded.
        let mut loaded = Vec::new();
        let hits: Vec<Option<String>> = keys.iter().map(|key| self.model.get(key).filter(|_| read != ReadMode::Refresh).cloned()).collect();
        let expected: Vec<(String, Source)> = keys
            .iter()
            .zip(hits)
            .map(|(key, hit)| hit.map_or_else(|| self.load(*key, &mut loaded), |text| (text, Source::Store)))
            .collect();
        assert_eq!(self.read_until(&inbox), expected, "{}: {keys:?}", self.what);
    }

    fn step(&mut self, random: &mut Random) {
        let key = random.below(KEYS);
        match random.below(10) {
            0..=3 => self.fetch(&[key], ReadMode::Normal),
            4 => self.fetch(&[key], ReadMode::Refresh),
            5 | 6 => {
                let keys: Vec<u64> = (0..2 + random.below(8)).map(|_| random.below(KEYS)).collect();
                self.fetch(&keys, ReadMode::Normal);
            }
            7 => {
                let text = format!("put {}", random.below(1000));
                let put = self.core.put(&name(key), NewEntry::new(answer(Some(&text))), None, &mut Departures::new());
                assert_eq!(put, Ok(Status::OK), "{}", self.what);
                self.stores(key, text);
            }
            8 => {
                let is_there = self.model.contains_key(&key);
                let removed = self.core.remove(&name(key));
                assert_eq!(removed, Ok(if is_there { Status::OK } else { Status::MISS }), "{}", self.what);
                self.leaves(key, Cause::Removed);
            }
            _ if random.below(4) == 0 => {
                self.core.clear().expect("it is open");
                (0..KEYS).for_each(|key| self.leaves(key, Cause::Cleared));
            }
            _ => *self.truth.0.lock().expect("no panic") += 1,
        }
    }

    fn end(self) {
        let (sender, inbox) = channel();
        self.core.close(None, Some(Box::new(CloseRecorder(sender, self.left.clone()))));
        let left_before_the_end = self.read_until(&inbox);
        assert_eq!(
            left_before_the_end, self.expected,
            "{}: the notice of the close came before a departure, or a departure differs",
            self.what
        );
        self.core.free();
    }
}

#[test]
fn l02a_every_mixture_of_routes_has_the_same_outcomes() {
    for mixture in 0..8 {
        for apart in [false, true] {
            for seed in 0..SEEDS {
                let (mut run, mut random) = (ModelRun::new(mixture, apart, seed), Random(seed));
                (0..STEPS).for_each(|_| run.step(&mut random));
                run.end();
            }
        }
    }
}

#[test]
fn f20_remembered_errors_without_an_object_are_not_sent_to_the_queue() {
    let mut settings = Settings::default();
    settings.cache.error_ttl_ms = 60_000;
    // All three routes lead to one queue.
    let mut run = ModelRun::with(7, false, 0, settings);
    run.fetch(&[4], ReadMode::Normal);
    while run.queues[0].poll(1, Some(Duration::from_millis(20))).is_ok() {}
    assert!(!run.queues[0].is_raised());
    run.core.clear().expect("it is open");
    assert!(!run.queues[0].is_raised(), "the clear has sent something");
    run.fetch(&[4], ReadMode::Normal);
    run.end();
}
