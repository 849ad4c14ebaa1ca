//! Any sequence of events with any settings: after every step the table's invariants are checked, and everything that was delivered and
//! stored is compared with what is allowed.
//!
//! Every value contains the number of the request that loaded it, and the model records how often each key had been written when each
//! request was handed out. So a stored value must be as new as the last write of its key, and a waiter must not receive a value that is
//! older than its call. Nulls have no text that could contain their origin, so each is checked when it appears: [`Silence`].

use super::harness::{Harness, LongAsk, Options, Summary, Waiter, bytes, ms, provider_error, tagged};
use super::limits::Limits;
use super::model_settings::settings;
use kvlight::base::config::{BatchMode, FetchSettings, LeavePolicy, ReadMode, RetrySettings};
use kvlight::base::{Answer, Status, StoreTerms};
use kvlight::task::breaker::BreakerOverride;
use kvlight::task::counts::Gauges;
use kvlight::task::{Form, ProviderAnswer, STEP, Source, TakeResult, Unanswered};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// The keys of the model. The validator refuses the last one.
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "!h"];

/// The tags of the model.
const TAGS: [&str; 2] = ["even", "odd"];

#[derive(Clone, Debug)]
enum Event {
    Fetch(Call),
    Refresh(Vec<usize>),
    /// An entry is used shortly before its expiry.
    RefreshAhead(usize),
    /// The entries with a tag are removed.
    RemoveTag(usize),
    /// The provider reads the stored entry of a key of a request.
    Look(usize, usize),
    Answer(usize, usize, Reply),
    Extra(usize, usize),
    Finish(usize, Rest),
    Put(usize),
    Remove(usize),
    Clear,
    /// An entry reaches the end of its TTL, and its grace begins.
    Age(usize),
    /// The host expires an entry, and its grace begins.
    Expire(usize),
    Cancel(usize),
    Urgency(usize, i32),
    Advance(u64),
    Take(usize),
    Return(usize),
    Heartbeat(usize),
    Drain(u64),
    Close,
    /// An operator forces a state of the circuit breaker, or lets it decide again.
    Force(BreakerOverride),
    /// The host lets keys gather, or hands out those that have.
    Gather(bool),
}

#[derive(Clone, Debug)]
struct Call {
    all: bool,
    keys: Vec<usize>,
    read: ReadMode,
    all_or_nothing: bool,
    urgency: i32,
    timeout_ms: Option<u64>,
    /// The stale timeout of the fetch.
    stale_ms: Option<u64>,
    retries: u32,
    pause_ms: u64,
    /// After how many keys progress is reported; 0: not at all.
    step: usize,
    missed_before: bool,
    /// Whether a running load continues when the fetch times out, and when it is cancelled.
    continues: (bool, bool),
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    Value,
    Null,
    /// The provider answers that the entry is the one that it read. If there was no entry, it does not answer.
    NotModified,
    Failed,
    FailedForGood,
}

/// What a finish says of the keys without an answer.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Unanswered,
    Null,
    Failed,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let some = 0..64usize;
    let event = prop_oneof![
        12 => call().prop_map(Event::Fetch),
        2 => prop::collection::vec(0..8usize, 1..4).prop_map(Event::Refresh),
        2 => (0..7usize).prop_map(Event::RefreshAhead),
        2 => (0..2usize).prop_map(Event::RemoveTag),
        14 => (some.clone(), some.clone(), reply()).prop_map(|(request, key, reply)| Event::Answer(request, key, reply)),
        3 => (some.clone(), some.clone()).prop_map(|(request, key)| Event::Look(request, key)),
        3 => (some.clone(), 0..7usize).prop_map(|(request, key)| Event::Extra(request, key)),
        5 => (some.clone(), prop_oneof![Just(Rest::Unanswered), Just(Rest::Null), Just(Rest::Failed)])
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
        1 => prop_oneof![2 => Just(BreakerOverride::No), 1 => Just(BreakerOverride::Closed), 1 => Just(BreakerOverride::Open)]
            .prop_map(Event::Force),
        2 => any::<bool>().prop_map(Event::Gather),
    ];
    let end = prop_oneof![6 => Just(vec![]), 2 => (0..50u64).prop_map(|ms| vec![Event::Drain(ms)]), 1 => Just(vec![Event::Close])];
    (prop::collection::vec(event.clone(), 1..90), end, prop::collection::vec(event, 0..20))
        .prop_map(|(before, end, after)| [before, end, after].concat())
}

fn call() -> impl Strategy<Value = Call> {
    let read = prop_oneof![5 => Just(ReadMode::Normal), 4 => prop::sample::select(&ReadMode::ALL[..])];
    let keys = prop::collection::vec(0..8usize, 0..9);
    let timeout = prop_oneof![3 => Just(None), 1 => (1..80u64).prop_map(Some)];
    let timeout = (timeout, prop_oneof![3 => Just(None), 1 => Just(Some(0)), 1 => (1..40u64).prop_map(Some)]);
    let modes = (any::<bool>(), prop::bool::weighted(0.2), any::<bool>(), any::<(bool, bool)>());
    (keys, read, modes, -2..3i32, timeout, 0..3u32, prop_oneof![Just(0), Just(10u64)], 0..3usize).prop_map(
        |(keys, read, (all, all_or_nothing, missed_before, continues), urgency, (timeout_ms, stale_ms), retries, pause_ms, step)| Call {
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
            continues,
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        4 => Just(Reply::Value),
        1 => Just(Reply::Null),
        2 => Just(Reply::NotModified),
        3 => Just(Reply::Failed),
        1 => Just(Reply::FailedForGood)
    ]
}

/// How much is done in one hold of the lock, and whether the rest waits until the next events have happened (rule S19).
fn steps() -> impl Strategy<Value = (usize, bool)> {
    (prop_oneof![3 => Just(STEP), 1 => Just(1usize), 1 => Just(3usize)], any::<bool>())
}

/// A fetch, and what it may still receive.
struct SentFetch {
    call: Call,
    waiter: Waiter,
    /// The number of steps before the fetch.
    at_step: usize,
    /// The number of writes of each position's key before the fetch.
    writes: Vec<u64>,
    cancelled: bool,
}

/// What a finish may mean for the keys without an answer.
struct Silence {
    /// The keys that may become null: the provider had taken them, they were wanted, and the attempt had not timed out.
    absent: Vec<String>,
    /// The provider never took the request, so its keys are unanswered, whatever the configuration makes of an omission.
    is_unseen: bool,
}

/// The keys and positions that are null, or unanswered.
struct Nulls {
    stored: HashSet<&'static str>,
    /// Fetch, position, key, status.
    delivered: HashSet<(usize, usize, &'static str, Status)>,
}

#[derive(Default)]
struct Run {
    harness: Harness,
    fetches: Vec<SentFetch>,
    /// Keys for which there was a refresh, which cannot be cancelled.
    refreshed: HashSet<String>,
    /// Keys of requests that have been answered.
    answered: HashSet<(usize, String)>,
    finished: HashSet<usize>,
    /// The number of calls of `check_nulls`: the time to which all other steps refer.
    steps: usize,
    /// The step at which the provider last said that a key does not exist.
    absent: HashMap<String, usize>,
    /// The step at which a request that the provider never took was last finished.
    unseen_at: usize,
    /// The number of writes of each key.
    writes: HashMap<String, u64>,
    /// The number of writes of each key when each request was handed out.
    handed: Vec<HashMap<String, u64>>,
    /// What the provider saw of a key of a request when it first looked, which it may later answer to be unmodified.
    known: HashMap<(usize, String), Option<(Answer, StoreTerms)>>,
    /// The number of requests when each tag was last removed.
    removed_tags: [usize; 2],
    closed: bool,
    /// Whether an operator ever opened the circuit breaker.
    forced: bool,
    /// A fetch whose arrival is being processed in steps, with its `call`, `at_step` and `writes` of [`SentFetch`].
    asking: Option<(LongAsk, Call, usize, Vec<u64>)>,
    /// What may be null because of answers and finishes that are still being processed in steps.
    lingering: Vec<Silence>,
}

/// The tag of the values that requests load for a key.
fn tag_of(key: &str) -> usize {
    usize::from(key.as_bytes()[0] % 2)
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

    /// Picks one of the eight newest requests, which are the most interesting.
    fn request(&self, nth: usize) -> Option<usize> {
        let count = self.harness.requests.len();
        (count > 0).then(|| count - 1 - nth % count.min(8))
    }

    /// Picks one of the twelve newest fetches.
    fn fetch(&self, nth: usize) -> Option<usize> {
        let count = self.fetches.len();
        (count > 0).then(|| count - 1 - nth % count.min(12))
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Fetch(call) => self.ask(call),
            Event::Refresh(keys) => {
                let keys: Vec<&str> = keys.iter().map(|key| KEYS[*key]).collect();
                if self.harness.table.is_open() {
                    self.harness.ask(Form::Refresh, &keys, |_| {});
                    self.refreshed.extend(keys.into_iter().map(str::to_owned));
                }
            }
            Event::RefreshAhead(key) => {
                if self.harness.table.is_open() {
                    self.harness.refresh_ahead(KEYS[key]);
                    self.refreshed.insert(KEYS[key].to_owned());
                }
            }
            Event::RemoveTag(tag) => {
                self.removed_tags[tag] = self.harness.requests.len();
                self.harness.remove_tag(TAGS[tag]);
            }
            Event::Look(request, key) => {
                let Some(request) = self.request(request) else { return };
                let keys = self.harness.requests[request].keys();
                self.look(request, &keys[key % keys.len()]);
            }
            Event::Answer(request, key, reply) => self.answer(request, key, reply),
            Event::Extra(request, key) => {
                let Some(request) = self.request(request) else { return };
                let key = KEYS[key];
                if !self.harness.requests[request].keys().iter().any(|known| known == key) {
                    let at = self.harness.requests.len();
                    self.harness.extra(request, key, &format!("request {request} {at}"));
                }
            }
            Event::Finish(request, rest) => {
                let Some(request) = self.request(request) else { return };
                self.finish(request, rest);
            }
            Event::Put(_) if !self.harness.table.is_open() => {}
            Event::Put(key) => {
                let nth = self.write(KEYS[key]);
                self.harness.put(KEYS[key], &format!("put {nth}"));
            }
            Event::Remove(key) => {
                self.write(KEYS[key]);
                self.harness.remove(KEYS[key]);
            }
            Event::Clear => {
                for key in KEYS {
                    self.write(key);
                }
                // To an observer a clear is one event: what a load stores before the clear has reached its key is removed too.
                let is_slow = std::mem::replace(&mut self.harness.is_slow, false);
                self.harness.clear();
                self.harness.is_slow = is_slow;
            }
            Event::Age(key) => {
                if self.harness.lookup(KEYS[key]) != Summary::Miss {
                    self.harness.store.make_stale(KEYS[key]);
                }
            }
            Event::Expire(key) => {
                if self.harness.lookup(KEYS[key]) != Summary::Miss {
                    self.harness.expire(KEYS[key]);
                }
            }
            Event::Cancel(fetch) => {
                let Some(fetch) = self.fetch(fetch) else { return };
                self.fetches[fetch].cancelled = true;
                self.harness.cancel(&self.fetches[fetch].waiter.clone());
            }
            Event::Urgency(fetch, urgency) => {
                let Some(fetch) = self.fetch(fetch) else { return };
                self.harness.set_urgency(&self.fetches[fetch].waiter.clone(), urgency);
            }
            Event::Advance(ms) => self.harness.advance(ms),
            Event::Take(request) => {
                let Some(request) = self.request(request) else { return };
                if self.harness.takes_manually && self.harness.take(request) == TakeResult::Skip {
                    self.harness.finish(request);
                }
            }
            Event::Return(request) => {
                let Some(request) = self.request(request) else { return };
                self.harness.returned(request);
            }
            Event::Heartbeat(request) => {
                let Some(request) = self.request(request) else { return };
                self.harness.heartbeat(request);
            }
            Event::Force(forced) => {
                self.forced |= forced == BreakerOverride::Open;
                self.harness.force_breaker(forced);
            }
            Event::Gather(gathers) => self.harness.gather(gathers),
            Event::Drain(ms) => {
                self.closed = true;
                self.harness.drain(ms);
            }
            Event::Close => {
                self.closed = true;
                self.harness.close();
            }
        }
    }

    fn ask(&mut self, call: Call) {
        if !self.harness.table.is_open() {
            return;
        }
        let keys: Vec<&str> = call.keys.iter().map(|key| KEYS[*key]).collect();
        let form = if call.all { Form::All } else { Form::Each };
        let writes: Vec<u64> = keys.iter().map(|key| self.writes(key)).collect();
        let set = |options: &mut Options| {
            let leave = |continues| if continues { LeavePolicy::Continue } else { LeavePolicy::Cancel };
            // Every field of a fetch and of its retries is named, so that the compiler asks for a new one. The priority matters only to the store.
            let FetchSettings { attempt_timeout, priority, urgency, ref retry, .. } = options.fetch;
            options.fetch = FetchSettings {
                timeout: call.timeout_ms.map(ms),
                attempt_timeout,
                retry: RetrySettings {
                    count: Some(call.retries),
                    shape: retry.shape,
                    first: retry.first,
                    fixed: ms(call.pause_ms),
                    factor: retry.factor,
                    switch_after: retry.switch_after,
                    cap: retry.cap,
                    jitter: retry.jitter,
                    budget: retry.budget,
                },
                read: call.read,
                priority,
                urgency,
                batch_mode: if call.all_or_nothing { BatchMode::AllOrNothing } else { BatchMode::Partial },
                on_timeout: leave(call.continues.0),
                on_cancel: leave(call.continues.1),
                stale_timeout: call.stale_ms.map(ms),
            };
            (options.urgency, options.progress_step, options.missed_before) = (call.urgency, call.step, call.missed_before);
        };
        if self.harness.is_slow && keys.len() > self.harness.budget && self.asking.is_none() {
            let long = self.harness.ask_first(form, &keys, set);
            self.asking = Some((long, call, self.steps, writes));
            return;
        }
        let waiter = self.harness.ask(form, &keys, set);
        self.fetches.push(SentFetch { call, waiter, at_step: self.steps, writes, cancelled: false });
    }

    /// Does another step of the fetch whose arrival is being processed, if there is one.
    fn ask_more(&mut self) {
        let Some((mut long, call, at_step, writes)) = self.asking.take() else { return };
        if self.harness.ask_more(&mut long) {
            self.asking = Some((long, call, at_step, writes));
            return;
        }
        let waiter = self.harness.ask_last(long);
        self.fetches.push(SentFetch { call, waiter, at_step, writes, cancelled: false });
    }

    /// The entry that the store had under the key, fresh or stale, when the provider first looked for this request.
    fn look(&mut self, request: usize, key: &str) -> Option<(Answer, StoreTerms)> {
        let known = self.known.entry((request, key.to_owned())).or_insert_with(|| self.harness.store.known(key));
        known.clone().map(|(answer, terms)| (answer, StoreTerms { labels: terms.labels, renews: true, ..StoreTerms::default() }))
    }

    fn answer(&mut self, request: usize, key: usize, reply: Reply) {
        let Some(request) = self.request(request) else { return };
        let keys = self.harness.requests[request].keys();
        let key = &keys[key % keys.len()];
        let given = match reply {
            Reply::Value => ProviderAnswer::Answer(bytes(&format!("request {request}")), tagged(&[TAGS[tag_of(key)]])),
            Reply::Null => ProviderAnswer::Answer(Answer::Null, StoreTerms::default()),
            Reply::NotModified => match self.look(request, key) {
                Some((answer, terms)) => ProviderAnswer::Answer(answer, terms),
                None => return,
            },
            Reply::Failed => ProviderAnswer::Failed(provider_error(1, false)),
            Reply::FailedForGood => ProviderAnswer::Failed(provider_error(2, true)),
        };
        let is_null = matches!(given, ProviderAnswer::Answer(Answer::Null, _));
        let before = self.nulls();
        self.harness.give(request, key, given);
        let may_be_null = if is_null { vec![key.clone()] } else { Vec::new() };
        self.check_nulls(&before, &may_be_null, false);
        if self.harness.has_long_work() {
            // Fetches that waited for the key may receive the outcome in a later step.
            self.lingering.push(Silence { absent: may_be_null, is_unseen: false });
        }
        self.answered.insert((request, key.clone()));
    }

    fn finish(&mut self, request: usize, rest: Rest) {
        let silence = self.silence(request, rest);
        let before = self.nulls();
        self.harness.finish_with(
            request,
            match rest {
                Rest::Unanswered => Unanswered::Unanswered,
                Rest::Null => Unanswered::Null,
                Rest::Failed => Unanswered::Failed(provider_error(1, false)),
            },
        );
        self.check_nulls(&before, &silence.absent, silence.is_unseen);
        if self.harness.has_long_work() {
            self.lingering.push(silence);
        }
        self.finished.insert(request);
    }

    /// What the missing answers mean if the provider finishes this request now.
    fn silence(&self, request: usize, rest: Rest) -> Silence {
        let is_seen = self.harness.requests[request].taken;
        let is_cancelled = self.harness.hooks.iter().any(|(nth, _)| *nth == request);
        let says_null = match rest {
            Rest::Unanswered => self.harness.settings.tasks.omitted_is_null,
            Rest::Null => true,
            Rest::Failed => false,
        };
        let lives = is_seen && !is_cancelled && !self.finished.contains(&request);
        // A fetch that joins a load while its request is being finished counts as having come before.
        let may_be_wanted = |key: &String| self.harness.is_slow || self.may_be_wanted(key);
        let is_open = |key: &String| !self.answered.contains(&(request, key.clone())) && may_be_wanted(key);
        let keys = self.harness.requests[request].keys().into_iter().filter(|key| lives && says_null && is_open(key));
        Silence { absent: keys.collect(), is_unseen: !is_seen }
    }

    /// Whether a fetch waits for the key, or left with its load continuing, or there was a refresh of the key.
    fn may_be_wanted(&self, key: &str) -> bool {
        let waits = |sent: &SentFetch| {
            let outcomes = sent.waiter.outcomes();
            let wants = |summary: &Summary| match summary {
                Summary::Pending | Summary::Stale(_, None) => true,
                Summary::Failed(Status::ERR_TIMEOUT) => sent.call.continues.0,
                Summary::Failed(Status::ERR_CANCELLED) => sent.call.continues.1,
                _ => false,
            };
            (0..outcomes.len()).any(|at| KEYS[sent.call.keys[at]] == key && wants(&outcomes[at]))
        };
        self.refreshed.contains(key) || self.fetches.iter().any(waits)
    }

    /// The keys that are null in the store, and the positions that received null or unanswered.
    fn nulls(&self) -> Nulls {
        let stored = KEYS.into_iter().filter(|key| self.harness.lookup(key) == Summary::Null).collect();
        let mut delivered = HashSet::new();
        for (nth, sent) in self.fetches.iter().enumerate() {
            for (at, summary) in sent.waiter.outcomes().into_iter().enumerate() {
                let key = KEYS[sent.call.keys[at]];
                match summary {
                    Summary::Null if sent.waiter.details(at).source != Source::Store => delivered.insert((nth, at, key, Status::NULL)),
                    Summary::Failed(status @ Status::ERR_UNANSWERED) => delivered.insert((nth, at, key, status)),
                    _ => false,
                };
            }
        }
        Nulls { stored, delivered }
    }

    /// Checks that everything that is null or unanswered now, and was not `before`, may be so.
    fn check_nulls(&mut self, before: &Nulls, may_be_null: &[String], may_be_unanswered: bool) {
        let now = self.nulls();
        self.steps += 1;
        let may_be_null: Vec<String> =
            may_be_null.iter().chain(self.lingering.iter().flat_map(|silence| &silence.absent)).cloned().collect();
        let may_be_unanswered = may_be_unanswered || self.lingering.iter().any(|silence| silence.is_unseen);
        self.absent.extend(may_be_null.iter().map(|key| (key.clone(), self.steps)));
        self.unseen_at = if may_be_unanswered { self.steps } else { self.unseen_at };
        for key in now.stored.difference(&before.stored) {
            assert!(may_be_null.iter().any(|known| known == key), "{key} is stored as null, but the provider did not look it up");
        }
        for (nth, _, key, status) in now.delivered.difference(&before.delivered) {
            let sent = &self.fetches[*nth];
            // The results of a batch appear together with its last one, and results in steps appear late: they may have been settled earlier.
            let since = if sent.call.all || self.harness.is_slow { sent.at_step } else { self.steps };
            match *status {
                Status::NULL => {
                    let is_absent = self.absent.get(*key).is_some_and(|step| *step >= since);
                    assert!(is_absent, "{key} was delivered as null, but the provider did not look it up");
                }
                _ => {
                    let is_unanswered = self.unseen_at >= since || !self.harness.settings.tasks.omitted_is_null;
                    assert!(is_unanswered, "{key} is unanswered, but an omission is null");
                }
            }
        }
    }

    /// Records the number of writes before each new request.
    fn note_handed(&mut self) {
        for nth in self.handed.len()..self.harness.requests.len() {
            let keys = self.harness.requests[nth].keys();
            let mut unique = keys.clone();
            unique.sort();
            unique.dedup();
            assert_eq!(unique.len(), keys.len(), "a key is in a request twice: {keys:?}");
            self.handed.push(self.writes.clone());
        }
    }

    /// Returns how often the key had been written when the value with this text was put, or its load was handed out.
    fn version(&self, key: &str, text: &str) -> u64 {
        let (origin, nth) = text.split_once(' ').expect("values of the model have two or three words");
        if origin == "put" {
            return nth.parse().expect("a number");
        }
        let request: usize = nth.split(' ').next().and_then(|nth| nth.parse().ok()).expect("a number");
        self.handed[request].get(key).copied().unwrap_or_default()
    }

    fn check_store(&self) {
        for key in KEYS {
            if let Summary::Value(text) = self.harness.lookup(key) {
                assert_eq!(self.version(key, &text), self.writes(key), "{key} was written since, but the store has {text:?}");
                let loaded_by = text.strip_prefix("request ").and_then(|nth| nth.parse::<usize>().ok());
                let is_newer = loaded_by.is_none_or(|nth| nth >= self.removed_tags[tag_of(key)]);
                assert!(is_newer, "the tag of {key} was removed since, but the store has {text:?}");
            }
        }
    }

    fn check_delivered(&self) {
        for sent in &self.fetches {
            for (at, summary) in sent.waiter.outcomes().into_iter().enumerate() {
                let key = KEYS[sent.call.keys[at]];
                match summary {
                    Summary::Value(text) => {
                        assert!(self.version(key, &text) >= sent.writes[at], "{key} received {text:?}, which is older than the call")
                    }
                    Summary::Stale(kept, _) => {
                        if let Summary::Value(text) = *kept {
                            assert!(
                                self.version(key, &text) >= sent.writes[at],
                                "{key} received {text:?}, which is older than an earlier write"
                            )
                        }
                    }
                    Summary::Failed(Status::ERR_CANCELLED) => {
                        assert!(sent.cancelled || sent.call.all_or_nothing, "{key} was cancelled without a reason")
                    }
                    Summary::Failed(Status::ERR_CLOSED) => assert!(self.closed, "{key} was closed without a close"),
                    Summary::Failed(Status::ERR_TIMEOUT) => {
                        let timed = sent.call.timeout_ms.is_some() || self.harness.settings.fetch.attempt_timeout.is_some();
                        assert!(timed, "{key} timed out without a timeout");
                    }
                    Summary::Failed(Status::ERR_UNANSWERED | Status::ERR_QUEUE_FULL) => {}
                    Summary::Failed(Status::ERR_UNAVAILABLE) => {
                        assert!(self.forced || self.harness.table.counts().breaker_opened > 0, "{key} was refused by a closed breaker")
                    }
                    Summary::Failed(status) => panic!("{key} failed with {status:?}"),
                    Summary::InvalidKey => assert!(key.starts_with('!')),
                    Summary::Miss => assert!(!sent.call.read.loads() || !sent.waiter.has_ended(), "{key} missed"),
                    Summary::Pending | Summary::Null | Summary::Error(_) => {}
                }
            }
            for result in sent.waiter.results() {
                let loaded = matches!(result.outcome.source, Source::Provider | Source::Joined) && result.outcome.ttl_left_ms != 0;
                let summary = super::harness::summary(&result.outcome.verdict);
                // Between two steps of a delivery the key may be removed.
                assert!(
                    !loaded || self.harness.is_slow || result.in_store == summary,
                    "{summary:?} was delivered, but the store had {:?}",
                    result.in_store
                );
            }
        }
    }

    fn step(&mut self, event: Event) {
        let before = self.nulls();
        self.ask_more();
        self.harness.go_on();
        self.check_nulls(&before, &[], false);
        if !self.harness.has_long_work() {
            self.lingering.clear();
        }
        self.note_handed();
        let before = self.nulls();
        let checks_nulls = matches!(event, Event::Answer(..) | Event::Finish(..));
        self.apply(event);
        if !checks_nulls {
            self.check_nulls(&before, &[], false);
        }
        self.note_handed();
        self.check_store();
        self.check_delivered();
        if let Some(mut limits) = self.harness.limits.take() {
            limits.at_rest(&self.harness);
            self.harness.limits = Some(limits);
        }
    }

    /// Lets an adaptive limit rise, with refreshes of a key that is not one of the model's.
    fn warm_up(&mut self) {
        let takes_manually = std::mem::replace(&mut self.harness.takes_manually, false);
        let mut done = 0;
        for _ in 0..120 {
            // Without places, a refresh that must wait for a token is lost.
            self.harness.refresh("warm");
            self.harness.advance(25);
            for nth in done..self.harness.requests.len() {
                self.harness.answer(nth, "warm", "v");
                self.harness.finish(nth);
            }
            done = self.harness.requests.len();
            self.harness.remove("warm");
        }
        self.note_handed();
        self.harness.takes_manually = takes_manually;
    }

    /// Lets the provider finish everything that it has, until the table is idle.
    fn finish_everything(&mut self) {
        let before = self.nulls();
        while self.asking.is_some() {
            self.ask_more();
            self.note_handed();
        }
        while self.harness.go_on() {}
        self.check_nulls(&before, &[], false);
        self.lingering.clear();
        self.note_handed();
        let was_slow = std::mem::replace(&mut self.harness.is_slow, false);
        self.harness.force_breaker(BreakerOverride::No);
        self.harness.gather(false);
        for _ in 0..200 {
            for nth in 0..self.harness.requests.len() {
                self.finish(nth, Rest::Unanswered);
            }
            self.note_handed();
            self.harness.advance(100);
            if self.harness.table.is_idle() {
                break;
            }
        }
        assert!(self.harness.table.is_idle(), "the table is not idle although the provider has finished everything");
        self.harness.close();
        for nth in 0..self.harness.requests.len() {
            self.harness.finish(nth);
        }
        self.harness.is_slow = was_slow;
        self.check_store();
        self.check_delivered();
    }

    fn check_end(&self) {
        let (mut positions, mut answered_at_once) = (0, 0);
        for SentFetch { call, waiter, .. } in &self.fetches {
            let outcomes = waiter.outcomes();
            assert!(!outcomes.contains(&Summary::Pending), "a position is not settled: {outcomes:?}");
            let events = waiter.order();
            let results = events.chars().filter(|event| *event == 'r').count();
            let batches = events.chars().filter(|event| *event == 'b').count();
            assert_eq!((results, batches), if call.all { (0, 1) } else { (call.keys.len(), 0) });
            assert_eq!(waiter.has_ended(), call.all || !call.keys.is_empty(), "the last event is marked");
            let last = waiter.progress().last().map(|(done, _, total)| (*done, *total));
            let wanted = (call.step > 0 && !call.keys.is_empty()).then_some((call.keys.len(), call.keys.len()));
            assert_eq!(last, wanted, "progress ends with the total");
            positions += outcomes.len();
            let at_once = |at: &usize| outcomes[*at] == Summary::InvalidKey || waiter.details(*at).source == Source::Store;
            answered_at_once += (0..outcomes.len()).filter(at_once).count();
        }
        let counts = self.harness.table.counts();
        // If a fetch ends between two steps, a position that was a hit may receive that end instead of its value.
        let misses = (positions - answered_at_once) as u64;
        let may_be_less = self.harness.budget < STEP && counts.misses.total() < misses;
        assert!(counts.misses.total() == misses || may_be_less, "each miss is counted once: {counts:?}");
        assert_eq!(counts.requests, self.harness.requests.len() as u64);
        let handed = self.harness.requests.iter().map(|request| request.keys().len() as u64).sum::<u64>();
        assert!(counts.attempts == handed || counts.hedges_started > 0 && counts.attempts < handed, "{} of {handed}", counts.attempts);
        assert_eq!(counts.hedges_started, counts.hedges_won + counts.hedges_lost, "each hedge is won or lost");
        let share = self.harness.settings.tasks.hedge.max_ratio * (counts.requests - counts.hedges_started) as f64;
        assert!(counts.hedges_started as f64 <= share, "{} of {} requests are hedges", counts.hedges_started, counts.requests);
        let ahead = counts.ahead_succeeded + counts.ahead_failed;
        assert!((ahead..=ahead + counts.ahead_dropped).contains(&counts.ahead_started), "each refresh ahead ended once: {counts:?}");
        let gauges = self.harness.table.gauges();
        let concurrency_limit = gauges.concurrency_limit;
        assert_eq!(gauges, Gauges { concurrency_limit, ..Gauges::default() }, "nothing is left");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn f01_to_f20_r06_r07_r08_r09_r10_r11_any_sequence_of_events_keeps_the_invariants(
        ((settings, takes_manually), steps, warm, events) in (settings(), steps(), any::<bool>(), events())
    ) {
        let is_adaptive = settings.tasks.limit.is_adaptive();
        let limits = Some(Box::new(Limits::new(&settings)));
        let mut harness = Harness::with(|all| *all = settings);
        harness.takes_manually = takes_manually;
        (harness.budget, harness.is_slow) = steps;
        harness.limits = limits;
        let mut run = Run { harness, ..Run::default() };
        if is_adaptive && warm {
            run.warm_up();
        }
        for event in events {
            run.step(event);
        }
        run.finish_everything();
        run.check_end();
    }
}
