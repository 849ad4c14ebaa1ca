//! Any sequence of events on any settings: after every step the table looks itself over, and what was told and stored is
//! compared with what may have been.
//!
//! What is compared: every value says which request brought it, every request knows how often each of its keys had been written
//! when it was handed out. So a stored value must be as new as the last write of its key, and a waiter must never be told what
//! is older than its own call. Nulls have no text to say where they come from, so each is checked when it appears: [`Silence`].

use super::world::{Said, Waiter, World, bytes, ms, provider_error};
use kvlight::base::config::{BatchMode, LeavePolicy, Overflow, QueueOrder, ReadMode, Settings};
use kvlight::base::{Answer, Status, StoreTerms};
use kvlight::task::counts::Gauges;
use kvlight::task::{Form, ProviderAnswer, Source, TakeResult, Unanswered};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// The keys of the model; the validator refuses the last.
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "!h"];

#[derive(Clone, Debug)]
enum Event {
    Fetch(Call),
    Refresh(Vec<usize>),
    Answer(usize, usize, Reply),
    Extra(usize, usize),
    Finish(usize, Close),
    Put(usize),
    Remove(usize),
    Clear,
    /// An entry's time is over, and its grace begins: by itself, or by order of the host.
    Age(usize),
    Expire(usize),
    Cancel(usize),
    Urgency(usize, i32),
    Advance(u64),
    Take(usize),
    Return(usize),
    Heartbeat(usize),
    Drain(u64),
    Close,
}

#[derive(Clone, Debug)]
struct Call {
    all: bool,
    keys: Vec<usize>,
    read: ReadMode,
    all_or_nothing: bool,
    urgency: i32,
    timeout_ms: Option<u64>,
    /// How long it waits for better than what is stale.
    stale_ms: Option<u64>,
    retries: u32,
    pause_ms: u64,
    step: usize,
    missed_before: bool,
    /// Whether what the provider has of it goes on when it times out, and when it is cancelled.
    goes_on: (bool, bool),
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    Value,
    Null,
    Failed,
    FailedForGood,
}

#[derive(Clone, Copy, Debug)]
enum Close {
    Unanswered,
    Null,
    Failed,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let some = 0..64usize;
    let event = prop_oneof![
        12 => call().prop_map(Event::Fetch),
        2 => prop::collection::vec(0..8usize, 1..4).prop_map(Event::Refresh),
        14 => (some.clone(), some.clone(), reply()).prop_map(|(request, key, reply)| Event::Answer(request, key, reply)),
        3 => (some.clone(), 0..7usize).prop_map(|(request, key)| Event::Extra(request, key)),
        5 => (some.clone(), prop_oneof![Just(Close::Unanswered), Just(Close::Null), Just(Close::Failed)])
            .prop_map(|(request, rest)| Event::Finish(request, rest)),
        3 => (0..7usize).prop_map(Event::Put),
        3 => (0..7usize).prop_map(Event::Remove),
        1 => Just(Event::Clear),
        4 => (0..7usize).prop_map(Event::Age),
        1 => (0..7usize).prop_map(Event::Expire),
        4 => some.clone().prop_map(Event::Cancel),
        2 => (some.clone(), -2..3i32).prop_map(|(fetch, urgency)| Event::Urgency(fetch, urgency)),
        6 => (1..60u64).prop_map(Event::Advance),
        6 => some.clone().prop_map(Event::Take),
        5 => some.clone().prop_map(Event::Return),
        1 => some.prop_map(Event::Heartbeat),
    ];
    let end = prop_oneof![6 => Just(vec![]), 2 => (0..50u64).prop_map(|ms| vec![Event::Drain(ms)]), 1 => Just(vec![Event::Close])];
    (prop::collection::vec(event.clone(), 1..90), end, prop::collection::vec(event, 0..20))
        .prop_map(|(before, end, after)| [before, end, after].concat())
}

fn call() -> impl Strategy<Value = Call> {
    let read = prop_oneof![6 => Just(ReadMode::Normal), 1 => Just(ReadMode::Refresh), 1 => Just(ReadMode::CacheOnly), 1 => Just(ReadMode::NoStore)];
    let keys = prop::collection::vec(0..8usize, 0..9);
    let timeout = prop_oneof![3 => Just(None), 1 => (1..80u64).prop_map(Some)];
    let timeout = (timeout, prop_oneof![3 => Just(None), 1 => Just(Some(0)), 1 => (1..40u64).prop_map(Some)]);
    let modes = (any::<bool>(), prop::bool::weighted(0.2), any::<bool>(), any::<(bool, bool)>());
    (keys, read, modes, -2..3i32, timeout, 0..3u32, prop_oneof![Just(0), Just(10u64)], 0..3usize).prop_map(
        |(keys, read, (all, all_or_nothing, missed_before, goes_on), urgency, (timeout_ms, stale_ms), retries, pause_ms, step)| Call {
            all,
            keys,
            read,
            all_or_nothing,
            urgency,
            timeout_ms,
            stale_ms,
            retries,
            pause_ms,
            step,
            missed_before,
            goes_on,
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![4 => Just(Reply::Value), 1 => Just(Reply::Null), 3 => Just(Reply::Failed), 1 => Just(Reply::FailedForGood)]
}

fn settings() -> impl Strategy<Value = (Settings, bool)> {
    let slots = (1..4u32, 0..3u32);
    let order =
        prop_oneof![2 => Just((QueueOrder::Fifo, None)), 1 => Just((QueueOrder::Fifo, Some(15))), 2 => Just((QueueOrder::Lifo, None))];
    let queue = (0..7u32, order, prop_oneof![Just(0.0), Just(0.5), Just(1.0)], prop::bool::weighted(0.8));
    let batch = (1..5u32, prop_oneof![3 => Just(0), 1 => Just(20u64)], any::<bool>());
    let memory = (prop_oneof![Just(0), Just(50u64)], prop_oneof![Just(0), Just(30u64)]);
    (slots, queue, batch, prop::option::of(Just(30u64)), memory, any::<bool>()).prop_map(
        |((running, abandoned), (places, (order, ageing), share, waits), (keys, linger, omitted), attempt, (errors, throttle), by_hand)| {
            let mut settings = Settings::default();
            let tasks = &mut settings.tasks;
            (tasks.max_running, tasks.max_abandoned) = (running, abandoned);
            (tasks.queue_max_keys, tasks.queue_share) = (places, share);
            tasks.queue_overflow = if waits { Overflow::Wait } else { Overflow::Reject };
            (tasks.queue_order, tasks.queue_ageing) = (order, ageing.map(ms));
            (tasks.batch_max_keys, tasks.batch_linger, tasks.omitted_is_null) = (keys, ms(linger), omitted);
            settings.tasks.stale_retry = ms(throttle);
            settings.fetch.attempt_timeout = attempt.map(ms);
            settings.cache.error_ttl_ms = errors;
            (settings, by_hand)
        },
    )
}

/// A fetch, and what may become of it.
struct Asked {
    call: Call,
    waiter: Waiter,
    /// How many events there had been when it was asked.
    at_step: usize,
    /// How often each position's key had been written when it was asked.
    writes: Vec<u64>,
    cancelled: bool,
}

/// What a finish may say of the keys that have no answer.
struct Silence {
    /// That these do not exist: the provider had them in its hands, wanted, in an attempt that lives.
    absent: Vec<String>,
    /// The provider never saw the request, so that its keys are unanswered, whatever the configuration makes of an omission.
    is_unseen: bool,
}

/// What is absent, or unanswered.
struct Nulls {
    stored: HashSet<&'static str>,
    /// Fetch, position, key, status.
    told: HashSet<(usize, usize, &'static str, Status)>,
}

#[derive(Default)]
struct Run {
    world: World,
    fetches: Vec<Asked>,
    /// Keys that a refresh asked for, which nobody takes back.
    refreshed: HashSet<String>,
    /// Keys of requests that have an answer.
    answered: HashSet<(usize, String)>,
    finished: HashSet<usize>,
    /// How many events there were.
    steps: usize,
    /// At which of them the provider last said that a key does not exist.
    absent: HashMap<String, usize>,
    /// At which of them a request was last finished that the provider never saw.
    unseen_at: usize,
    /// How often each key was written.
    writes: HashMap<String, u64>,
    /// How often each key had been written when each request was handed out.
    handed: Vec<HashMap<String, u64>>,
    closed: bool,
}

impl Run {
    fn writes(&self, key: &str) -> u64 {
        self.writes.get(key).copied().unwrap_or_default()
    }

    fn write(&mut self, key: &str) -> u64 {
        let writes = self.writes.entry(key.to_owned()).or_default();
        *writes += 1;
        *writes
    }

    fn request(&self, nth: usize) -> Option<usize> {
        // Young requests are the interesting ones.
        let count = self.world.requests.len();
        (count > 0).then(|| count - 1 - nth % count.min(8))
    }

    fn fetch(&self, nth: usize) -> Option<usize> {
        let count = self.fetches.len();
        (count > 0).then(|| count - 1 - nth % count.min(12))
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Fetch(call) => self.ask(call),
            Event::Refresh(keys) => {
                let keys: Vec<&str> = keys.iter().map(|key| KEYS[*key]).collect();
                if self.world.table.is_open() {
                    self.world.ask(Form::Refresh, &keys, |_| {});
                    self.refreshed.extend(keys.into_iter().map(str::to_owned));
                }
            }
            Event::Answer(request, key, reply) => self.answer(request, key, reply),
            Event::Extra(request, key) => {
                let Some(request) = self.request(request) else { return };
                let key = KEYS[key];
                if !self.world.requests[request].keys().iter().any(|known| known == key) {
                    let at = self.world.requests.len();
                    self.world.extra(request, key, &format!("request {request} {at}"));
                }
            }
            Event::Finish(request, rest) => {
                let Some(request) = self.request(request) else { return };
                self.finish(request, rest);
            }
            Event::Put(_) if !self.world.table.is_open() => {}
            Event::Put(key) => {
                let nth = self.write(KEYS[key]);
                self.world.put(KEYS[key], &format!("put {nth}"));
            }
            Event::Remove(key) => {
                self.write(KEYS[key]);
                self.world.remove(KEYS[key]);
            }
            Event::Clear => {
                for key in KEYS {
                    self.write(key);
                }
                self.world.clear();
            }
            Event::Age(key) => {
                if self.world.lookup(KEYS[key]) != Said::Miss {
                    self.world.shelf.age(KEYS[key]);
                }
            }
            Event::Expire(key) => {
                if self.world.lookup(KEYS[key]) != Said::Miss {
                    self.world.expire(KEYS[key]);
                }
            }
            Event::Cancel(fetch) => {
                let Some(fetch) = self.fetch(fetch) else { return };
                self.fetches[fetch].cancelled = true;
                self.world.cancel(&self.fetches[fetch].waiter.clone());
            }
            Event::Urgency(fetch, urgency) => {
                let Some(fetch) = self.fetch(fetch) else { return };
                self.world.set_urgency(&self.fetches[fetch].waiter.clone(), urgency);
            }
            Event::Advance(ms) => self.world.advance(ms),
            Event::Take(request) => {
                let Some(request) = self.request(request) else { return };
                if self.world.by_hand && self.world.take(request) == TakeResult::Skip {
                    self.world.finish(request);
                }
            }
            Event::Return(request) => {
                let Some(request) = self.request(request) else { return };
                self.world.returned(request);
            }
            Event::Heartbeat(request) => {
                let Some(request) = self.request(request) else { return };
                self.world.heartbeat(request);
            }
            Event::Drain(ms) => {
                self.closed = true;
                self.world.drain(ms);
            }
            Event::Close => {
                self.closed = true;
                self.world.close();
            }
        }
    }

    fn ask(&mut self, call: Call) {
        if !self.world.table.is_open() {
            return;
        }
        let keys: Vec<&str> = call.keys.iter().map(|key| KEYS[*key]).collect();
        let form = if call.all { Form::All } else { Form::Each };
        let waiter = self.world.ask(form, &keys, |options| {
            options.fetch.read = call.read;
            options.fetch.timeout = call.timeout_ms.map(ms);
            options.fetch.stale_timeout = call.stale_ms.map(ms);
            (options.fetch.retry.count, options.fetch.retry.fixed) = (Some(call.retries), ms(call.pause_ms));
            let leave = |goes_on| if goes_on { LeavePolicy::Continue } else { LeavePolicy::Cancel };
            (options.fetch.on_timeout, options.fetch.on_cancel) = (leave(call.goes_on.0), leave(call.goes_on.1));
            options.fetch.batch_mode = if call.all_or_nothing { BatchMode::AllOrNothing } else { BatchMode::Partial };
            (options.urgency, options.step, options.missed_before) = (call.urgency, call.step, call.missed_before);
        });
        let writes = keys.iter().map(|key| self.writes(key)).collect();
        self.fetches.push(Asked { call, waiter, at_step: self.steps, writes, cancelled: false });
    }

    fn answer(&mut self, request: usize, key: usize, reply: Reply) {
        let Some(request) = self.request(request) else { return };
        let keys = self.world.requests[request].keys();
        let given = match reply {
            Reply::Value => ProviderAnswer::Answer(bytes(&format!("request {request}")), StoreTerms::default()),
            Reply::Null => ProviderAnswer::Answer(Answer::Null, StoreTerms::default()),
            Reply::Failed => ProviderAnswer::Failed(provider_error(1, false)),
            Reply::FailedForGood => ProviderAnswer::Failed(provider_error(2, true)),
        };
        let key = &keys[key % keys.len()];
        let before = self.nulls();
        self.world.give(request, key, given);
        let may_be_null = if let Reply::Null = reply { vec![key.clone()] } else { Vec::new() };
        self.check_nulls(&before, &may_be_null, false);
        self.answered.insert((request, key.clone()));
    }

    fn finish(&mut self, request: usize, rest: Close) {
        let silence = self.silence(request, rest);
        let before = self.nulls();
        self.world.finish_with(
            request,
            match rest {
                Close::Unanswered => Unanswered::Unanswered,
                Close::Null => Unanswered::Null,
                Close::Failed => Unanswered::Failed(provider_error(1, false)),
            },
        );
        self.check_nulls(&before, &silence.absent, silence.is_unseen);
        self.finished.insert(request);
    }

    /// What the provider's silence may mean when it finishes this request now.
    fn silence(&self, request: usize, rest: Close) -> Silence {
        let is_seen = self.world.requests[request].taken;
        let is_cancelled = self.world.hooks.iter().any(|(nth, _)| *nth == request);
        let says_null = match rest {
            Close::Unanswered => self.world.settings.tasks.omitted_is_null,
            Close::Null => true,
            Close::Failed => false,
        };
        let lives = is_seen && !is_cancelled && !self.finished.contains(&request);
        let is_open = |key: &String| !self.answered.contains(&(request, key.clone())) && self.may_be_wanted(key);
        let keys = self.world.requests[request].keys().into_iter().filter(|key| lives && says_null && is_open(key));
        Silence { absent: keys.collect(), is_unseen: !is_seen }
    }

    /// Whether any fetch waits for the key or left it to go on, or a refresh asked for it.
    fn may_be_wanted(&self, key: &str) -> bool {
        let waits = |asked: &Asked| {
            let outcomes = asked.waiter.outcomes();
            let wants = |said: &Said| match said {
                Said::Nothing | Said::Stale(_, None) => true,
                Said::Failed(Status::ERR_TIMEOUT) => asked.call.goes_on.0,
                Said::Failed(Status::ERR_CANCELLED) => asked.call.goes_on.1,
                _ => false,
            };
            (0..outcomes.len()).any(|at| KEYS[asked.call.keys[at]] == key && wants(&outcomes[at]))
        };
        self.refreshed.contains(key) || self.fetches.iter().any(waits)
    }

    /// Which keys are absent in the store, and which positions of which fetches were told so, or that a key is unanswered.
    fn nulls(&self) -> Nulls {
        let stored = KEYS.into_iter().filter(|key| self.world.lookup(key) == Said::Null).collect();
        let mut told = HashSet::new();
        for (nth, asked) in self.fetches.iter().enumerate() {
            for (at, said) in asked.waiter.outcomes().into_iter().enumerate() {
                let key = KEYS[asked.call.keys[at]];
                match said {
                    Said::Null if asked.waiter.details(at).source != Source::Store => told.insert((nth, at, key, Status::NULL)),
                    Said::Failed(status @ Status::ERR_UNANSWERED) => told.insert((nth, at, key, status)),
                    _ => false,
                };
            }
        }
        Nulls { stored, told }
    }

    /// Whether what is null now and was not `before` may be so.
    fn check_nulls(&mut self, before: &Nulls, may_be_null: &[String], may_be_unanswered: bool) {
        let now = self.nulls();
        self.steps += 1;
        self.absent.extend(may_be_null.iter().map(|key| (key.clone(), self.steps)));
        self.unseen_at = if may_be_unanswered { self.steps } else { self.unseen_at };
        for key in now.stored.difference(&before.stored) {
            assert!(may_be_null.iter().any(|known| known == key), "{key} is stored as absent, and the provider did not look it up");
        }
        for (nth, _, key, status) in now.told.difference(&before.told) {
            let asked = &self.fetches[*nth];
            // The results of a batch are seen with its last one, whenever the others were settled.
            let since = if asked.call.all { asked.at_step } else { self.steps };
            match *status {
                Status::NULL => {
                    let is_absent = self.absent.get(*key).is_some_and(|step| *step >= since);
                    assert!(is_absent, "{key} was told absent, and the provider did not look it up");
                }
                _ => {
                    let is_unanswered = self.unseen_at >= since || !self.world.settings.tasks.omitted_is_null;
                    assert!(is_unanswered, "{key} is null where it was omitted");
                }
            }
        }
    }

    /// Remembers what was written before the requests that are new.
    fn note_handed(&mut self) {
        for nth in self.handed.len()..self.world.requests.len() {
            let keys = self.world.requests[nth].keys();
            let mut unique = keys.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), keys.len(), "a key is twice in a request: {keys:?}");
            self.handed.push(self.writes.clone());
        }
    }

    /// As of which write of its key a value is, from what it says of itself.
    fn age(&self, key: &str, text: &str) -> u64 {
        let (origin, nth) = text.split_once(' ').expect("values of the model have two words or three");
        if origin == "put" {
            return nth.parse().expect("a number");
        }
        let request: usize = nth.split(' ').next().and_then(|nth| nth.parse().ok()).expect("a number");
        self.handed[request].get(key).copied().unwrap_or_default()
    }

    fn check_store(&self) {
        for key in KEYS {
            if let Said::Value(text) = self.world.lookup(key) {
                assert_eq!(self.age(key, &text), self.writes(key), "{key} was written since, and the store holds {text:?}");
            }
        }
    }

    fn check_told(&self) {
        for asked in &self.fetches {
            for (at, said) in asked.waiter.outcomes().into_iter().enumerate() {
                let key = KEYS[asked.call.keys[at]];
                match said {
                    Said::Value(text) => {
                        assert!(self.age(key, &text) >= asked.writes[at], "{key} was told {text:?}, which is older than the call")
                    }
                    Said::Stale(kept, _) => {
                        if let Said::Value(text) = *kept {
                            assert!(self.age(key, &text) >= asked.writes[at], "{key} was told {text:?}, which is older than a write before")
                        }
                    }
                    Said::Failed(Status::ERR_CANCELLED) => {
                        assert!(asked.cancelled || asked.call.all_or_nothing, "{key} was told of a cancel that nobody asked for")
                    }
                    Said::Failed(Status::ERR_CLOSED) => assert!(self.closed, "{key} was told of a close"),
                    Said::Failed(Status::ERR_TIMEOUT) => {
                        let timed = asked.call.timeout_ms.is_some() || self.world.settings.fetch.attempt_timeout.is_some();
                        assert!(timed, "{key} was told of a timeout");
                    }
                    Said::Failed(Status::ERR_UNANSWERED | Status::ERR_QUEUE_FULL) => {}
                    Said::Failed(status) => panic!("{key} was told {status:?}"),
                    Said::InvalidKey => assert!(key.starts_with('!')),
                    Said::Miss => assert!(asked.call.read == ReadMode::CacheOnly || !asked.waiter.is_over(), "{key} missed"),
                    Said::Nothing | Said::Null | Said::Error(_) => {}
                }
            }
            for told in asked.waiter.told() {
                let loaded = matches!(told.outcome.source, Source::Provider | Source::Joined) && told.outcome.ttl_left_ms != 0;
                let said = super::world::said(&told.outcome.verdict);
                assert!(!loaded || told.in_store == said, "told {said:?}, and the store had {:?}", told.in_store);
            }
        }
    }

    fn step(&mut self, event: Event) {
        let before = self.nulls();
        let speaks = matches!(event, Event::Answer(..) | Event::Finish(..));
        self.apply(event);
        if !speaks {
            self.check_nulls(&before, &[], false);
        }
        self.note_handed();
        self.check_store();
        self.check_told();
    }

    /// Lets the provider finish whatever it has, until nothing is under way.
    fn wind_up(&mut self) {
        for _ in 0..200 {
            for nth in 0..self.world.requests.len() {
                self.finish(nth, Close::Unanswered);
            }
            self.note_handed();
            self.world.advance(100);
            if self.world.table.is_idle() {
                break;
            }
        }
        assert!(self.world.table.is_idle(), "the provider finishes everything, and something is still under way");
        self.world.close();
        for nth in 0..self.world.requests.len() {
            self.world.finish(nth);
        }
        self.check_store();
        self.check_told();
    }

    fn check_end(&self) {
        let (mut positions, mut answered_at_once) = (0, 0);
        for Asked { call, waiter, .. } in &self.fetches {
            let outcomes = waiter.outcomes();
            assert!(!outcomes.contains(&Said::Nothing), "a position was never told: {outcomes:?}");
            let events = waiter.order();
            let results = events.chars().filter(|event| *event == 'r').count();
            let batches = events.chars().filter(|event| *event == 'b').count();
            assert_eq!((results, batches), if call.all { (0, 1) } else { (call.keys.len(), 0) });
            assert_eq!(waiter.is_over(), call.all || !call.keys.is_empty(), "the last event is not marked");
            let told = waiter.progress().last().map(|(done, _, total)| (*done, *total));
            let wanted = (call.step > 0 && !call.keys.is_empty()).then_some((call.keys.len(), call.keys.len()));
            assert_eq!(told, wanted, "progress does not end with all");
            positions += outcomes.len();
            let at_once = |at: &usize| outcomes[*at] == Said::InvalidKey || waiter.details(*at).source == Source::Store;
            answered_at_once += (0..outcomes.len()).filter(at_once).count();
        }
        let counts = self.world.table.counts();
        assert_eq!(counts.misses(), (positions - answered_at_once) as u64, "each miss is counted as one thing: {counts:?}");
        assert_eq!(counts.requests, self.world.requests.len() as u64);
        assert_eq!(counts.attempts, self.world.requests.iter().map(|request| request.keys().len() as u64).sum::<u64>());
        let gauges = self.world.table.gauges();
        let concurrency_limit = gauges.concurrency_limit;
        assert_eq!(gauges, Gauges { concurrency_limit, ..Gauges::default() }, "something is left");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn f01_to_f20_any_sequence_of_events_keeps_the_invariants(((settings, by_hand), events) in (settings(), events())) {
        let mut world = World::with(|all| *all = settings);
        world.by_hand = by_hand;
        let mut run = Run { world, ..Run::default() };
        for event in events {
            run.step(event);
        }
        run.wind_up();
        run.check_end();
    }
}
