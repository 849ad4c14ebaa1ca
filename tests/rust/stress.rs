//! Everything at once: a million positions from four threads, a provider that makes every mistake a provider can make, fetches that are
//! cancelled and time out, and writes in between; and an engine that is closed meanwhile. In every case each position is reported exactly
//! once, each fetch ends exactly once, no slot is lost, and all numbers add up (rules F01, F03, F09, F12, S03, S12).

use kvlight::base::config::{BatchMode, QueueOrder, ReadMode};
use kvlight::base::{Answer, Error, Random, Status, StoreTerms, Value};
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::fetch::{FetchAnswer, FetchCall};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::engine::host::{CloseListener, Provider, Receiver, Results};
use kvlight::engine::request::Ticket;
use kvlight::engine::{Core, Plan};
use kvlight::task::{Form, Outcome, Unanswered, Verdict};
use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Only a broken engine takes this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// The number of different keys.
const KEYS: u64 = 30_000;
/// The largest number of fetches that a thread has in progress.
const IN_PROGRESS: u64 = 100;

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key{number}").into_bytes()
}

/// Every value is the text of its key: those that the provider returns, and those that the test puts.
fn value_of(key: &[u8]) -> Answer {
    Answer::Value(Value::bytes(key).expect("memory"))
}

/// The counters of the receivers.
#[derive(Default)]
struct Tally {
    reported: AtomicU64,
    begun: AtomicU64,
    ended: AtomicU64,
    /// Receivers that were dropped without an event, as they must be when the call was refused.
    silent: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    /// An assertion that fails in a callback is a panic that is caught there, so the failure is recorded instead.
    fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.lock().expect("no panic").push(what());
        }
    }

    fn expect_nothing_wrong(&self) {
        let wrong = self.wrong.lock().expect("no panic");
        assert!(wrong.is_empty(), "{} failed checks, first: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    }
}

/// The receiver of a fetch: checks that each position is reported once, and that the receiver is dropped after the last event.
struct CheckingReceiver {
    tally: Arc<Tally>,
    keys: Vec<Vec<u8>>,
    reported: Vec<bool>,
    /// How many events were marked as the last.
    last: u32,
    /// Set before the fetch is cancelled.
    cancelled: Arc<AtomicBool>,
    /// Whether the failure of one key cancels the others.
    may_cancel_itself: bool,
    closing: Arc<AtomicBool>,
    in_progress: Arc<AtomicU64>,
    progress: (usize, usize),
}

impl CheckingReceiver {
    fn check_position(&mut self, index: usize, outcome: &Outcome) {
        let tally = &self.tally;
        tally.reported.fetch_add(1, Ordering::Relaxed);
        tally.check(self.last == 0, || format!("position {index} after the last event"));
        let before = std::mem::replace(&mut self.reported[index], true);
        tally.check(!before, || format!("position {index} twice"));
        match &outcome.verdict {
            Verdict::Value(value) => {
                tally.check(value.as_bytes() == Some(&self.keys[index][..]), || format!("another key's value: {value:?}"));
            }
            Verdict::Failed(error) => match error.status() {
                Status::ERR_PROVIDER | Status::ERR_TIMEOUT | Status::ERR_QUEUE_FULL | Status::ERR_UNANSWERED => {}
                Status::ERR_CANCELLED => {
                    let expected = self.may_cancel_itself || self.cancelled.load(Ordering::SeqCst);
                    tally.check(expected, || "CANCELLED, but it was not cancelled".to_owned());
                }
                Status::ERR_CLOSED => tally.check(self.closing.load(Ordering::SeqCst), || "CLOSED, but it is open".to_owned()),
                other => tally.check(false, || format!("an unexpected {other:?}")),
            },
            Verdict::Stale(stale) => {
                let bytes = stale.answer.value().and_then(|value| value.as_bytes());
                tally.check(bytes.is_none_or(|bytes| bytes == &self.keys[index][..]), || format!("another key's value: {stale:?}"));
            }
            Verdict::Null | Verdict::Miss => {}
            Verdict::InvalidKey => tally.check(false, || "there is no validator".to_owned()),
        }
    }
}

impl Receiver for CheckingReceiver {
    fn result(&mut self, index: usize, key: &[u8], outcome: &Outcome, last: bool) {
        self.check_position(index, outcome);
        self.tally.check(key == self.keys[index], || format!("position {index} under another key"));
        self.last += u32::from(last);
    }

    fn batch(&mut self, results: Results) {
        let count = results.batch.outcomes.len();
        self.tally.check(count == self.keys.len(), || format!("{count} results of {}", self.keys.len()));
        for (index, outcome) in results.batch.outcomes.iter().enumerate() {
            self.check_position(index, outcome);
        }
        self.last += 1;
    }

    fn progress(&mut self, done: usize, failed: usize, total: usize) {
        let rises = done > self.progress.0 && failed >= self.progress.1 && done <= total && total == self.keys.len();
        self.tally.check(rises, || format!("progress {done} {failed} of {total} after {:?}", self.progress));
        self.progress = (done, failed);
    }
}

impl Drop for CheckingReceiver {
    fn drop(&mut self) {
        let nothing = !self.reported.contains(&true) && self.last == 0;
        if nothing && self.closing.load(Ordering::SeqCst) {
            self.tally.silent.fetch_add(1, Ordering::SeqCst);
        } else {
            let all = !self.reported.contains(&false) && self.last == 1;
            self.tally.check(all, || format!("a fetch ended with {:?} reported, and {} last events", self.reported, self.last));
        }
        self.tally.ended.fetch_add(1, Ordering::SeqCst);
        self.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A provider that behaves well or badly at random.
struct MisbehavingProvider {
    seed: AtomicU64,
    /// Requests to be answered by other threads.
    others: Mutex<Sender<Ticket>>,
    /// Requests to be answered after their attempt has timed out.
    late: Mutex<Sender<Ticket>>,
    /// Requests that are never answered.
    never: Mutex<Vec<Ticket>>,
}

/// The number of requests that stay unanswered until the engine is freed: each occupies one of `tasks.max_abandoned`.
const NEVER: usize = 3;

impl MisbehavingProvider {
    fn answer(ticket: &Ticket, random: &mut Random) {
        let count = ticket.keys().len();
        let first = random.up_to(count as u64) as usize;
        for nth in 0..count {
            let index = (first + nth) % count;
            let key = ticket.keys()[index].to_vec();
            match random.up_to(20) {
                0 => drop(ticket.fail(index, Error::of_provider(1, b"again", false, None)) == Status::OK),
                1 => drop(ticket.fail(index, Error::of_provider(2, b"for good", true, None)) == Status::OK),
                2 => drop(ticket.resolve(index, Answer::Null, StoreTerms::default()) == Status::OK),
                3 => drop(ticket.supply(&key, value_of(&key), StoreTerms::default()) == Status::OK),
                4 => {}
                _ => drop(ticket.resolve(index, value_of(&key), StoreTerms::default()) == Status::OK),
            }
        }
        if random.up_to(10) == 0 {
            let extra = key(random.up_to(KEYS - 1));
            ticket.supply(&extra, value_of(&extra), StoreTerms::default());
        }
    }
}

impl Provider for MisbehavingProvider {
    fn provide(&self, ticket: Ticket) {
        let mut random = Random::new(Some(self.seed.fetch_add(1, Ordering::Relaxed)));
        match random.up_to(199) {
            // Returns without an answer, and drops the request.
            0..5 => {}
            5 => drop(self.late.lock().expect("no panic").send(ticket)),
            6 => {
                let mut never = self.never.lock().expect("no panic");
                if never.len() < NEVER {
                    never.push(ticket);
                }
            }
            7..30 => drop(self.others.lock().expect("no panic").send(ticket)),
            30..40 => {
                // Answers and finishes twice.
                MisbehavingProvider::answer(&ticket, &mut random);
                MisbehavingProvider::answer(&ticket, &mut random);
                ticket.finish(Unanswered::Null);
                ticket.finish(Unanswered::Unanswered);
            }
            40..45 => drop(ticket.finish(Unanswered::Failed(Error::of_provider(3, b"all of it", false, None))) == Status::OK),
            45..50 => {
                // Finishes before it returns, and answers again.
                ticket.finish(Unanswered::Unanswered);
                MisbehavingProvider::answer(&ticket, &mut random);
            }
            50 => panic!("in the provider"),
            _ => MisbehavingProvider::answer(&ticket, &mut random),
        }
    }
}

/// Answers requests on a thread that is not the provider's, until the channel is closed.
fn answer_elsewhere(tickets: &Mutex<Inbox<Ticket>>, seed: u64) {
    let mut random = Random::new(Some(seed));
    loop {
        let ticket = tickets.lock().expect("no panic").recv();
        let Ok(ticket) = ticket else { return };
        MisbehavingProvider::answer(&ticket, &mut random);
        if random.up_to(1) == 0 {
            ticket.finish(Unanswered::Unanswered);
        }
    }
}

/// Answers each request after its attempt has timed out, which cancels the request.
fn answer_late(tickets: &Inbox<Ticket>) {
    let mut random = Random::new(Some(99));
    while let Ok(ticket) = tickets.recv() {
        let end = Instant::now() + PATIENCE;
        while ticket.cancel_reason() == 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_micros(100));
        }
        MisbehavingProvider::answer(&ticket, &mut random);
    }
}

struct Stage {
    core: Arc<Core>,
    provider: Arc<MisbehavingProvider>,
    tally: Arc<Tally>,
    closing: Arc<AtomicBool>,
    /// Fetches to cancel: each with the flag that is set before it is cancelled.
    marked: Mutex<Vec<(Arc<FetchHandle>, Arc<AtomicBool>)>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Requests that are never answered hold the engine, and with it the channels of the helper threads.
        let never = std::mem::take(&mut *self.provider.never.lock().expect("no panic"));
        drop(never);
    }
}

impl Stage {
    /// Creates an engine and its provider's helper threads, runs `play`, and ends the helpers.
    fn with(play: impl FnOnce(&Stage)) {
        let (others, elsewhere) = channel();
        let (late, waiting) = channel();
        let provider = Arc::new(MisbehavingProvider {
            seed: AtomicU64::new(1),
            others: Mutex::new(others),
            late: Mutex::new(late),
            never: Mutex::default(),
        });
        let elsewhere = Mutex::new(elsewhere);
        let mut plan = Plan::default();
        plan.settings.cache.capacity = 5000;
        plan.settings.cache.shards = Some(4);
        plan.settings.cache.ttl_ms = Some(20);
        plan.settings.cache.null_ttl_ms = Some(5);
        plan.settings.cache.ttl_jitter_ms = 10;
        plan.settings.cache.error_ttl_ms = 1;
        plan.settings.tasks.max_running = 8;
        plan.settings.tasks.max_abandoned = 8;
        // There are few places and the newest keys take them, so keys of single fetches lose theirs.
        plan.settings.tasks.queue_max_keys = 2;
        plan.settings.tasks.queue_order = QueueOrder::Lifo;
        plan.settings.fetch.attempt_timeout = Some(Duration::from_millis(5));
        plan.settings.fetch.retry.count = Some(1);
        plan.settings.fetch.retry.fixed = Duration::from_millis(1);
        plan.hooks.provider = Some(provider.clone());
        let core = Core::engine(plan).expect("threads");
        std::thread::scope(|scope| {
            for seed in 0..2 {
                let elsewhere = &elsewhere;
                scope.spawn(move || answer_elsewhere(elsewhere, seed));
            }
            scope.spawn(move || answer_late(&waiting));
            let stage = Stage { core, provider, tally: Arc::default(), closing: Arc::default(), marked: Mutex::default() };
            play(&stage);
            // Dropping the engine's last reference drops the provider, and with it the helpers' channels.
        });
    }

    /// Fetches `positions` positions, or fewer if the engine is closed. Writes now and then.
    fn ask(&self, seed: u64, positions: u64) {
        let mut random = Random::new(Some(seed));
        let in_progress = Arc::new(AtomicU64::new(0));
        let mut asked = 0;
        while asked < positions {
            until("a fetch ends", || in_progress.load(Ordering::SeqCst) < IN_PROGRESS);
            let count = match random.up_to(9) {
                0..4 => 1,
                4..8 => random.up_to(20),
                _ => random.up_to(300),
            };
            let count = count.min(positions - asked).max(1);
            // A few keys are hot, so that fetches join each other.
            let pick = |random: &mut Random| key(if random.up_to(3) == 0 { random.up_to(50) } else { random.up_to(KEYS - 1) });
            let keys: Vec<Vec<u8>> = (0..count).map(|_| pick(&mut random)).collect();
            if !self.fetch(keys, &mut random, &in_progress) {
                return;
            }
            asked += count;
            match random.up_to(30) {
                0 => drop(self.core.remove(&pick(&mut random)).is_ok()),
                1..4 => {
                    let key = pick(&mut random);
                    let _ = self.core.put(&key, NewEntry::new(value_of(&key)), None, &mut Departures::new());
                }
                4 => drop(self.core.refresh([&pick(&mut random)[..]].into_iter(), self.core.fetch_settings()).is_ok()),
                5 if random.up_to(300) == 0 => drop(self.core.clear().is_ok()),
                _ => {}
            }
        }
    }

    /// Starts one fetch. Returns false if the engine is closed.
    fn fetch(&self, keys: Vec<Vec<u8>>, random: &mut Random, in_progress: &Arc<AtomicU64>) -> bool {
        let mut settings = (**self.core.fetch_settings()).clone();
        match random.up_to(20) {
            0 => settings.read = ReadMode::Refresh,
            1 => settings.read = ReadMode::CacheOnly,
            2 => settings.read = ReadMode::NoStore,
            3 => settings.timeout = Some(Duration::from_millis(1 + random.up_to(3))),
            4 => settings.batch_mode = BatchMode::AllOrNothing,
            _ => {}
        }
        let form = if random.up_to(1) == 0 { Form::Each } else { Form::All };
        let (handle, cancelled) = (Arc::new(FetchHandle::new()), Arc::new(AtomicBool::new(false)));
        let receiver = CheckingReceiver {
            tally: self.tally.clone(),
            reported: vec![false; keys.len()],
            keys: keys.clone(),
            last: 0,
            cancelled: cancelled.clone(),
            may_cancel_itself: settings.batch_mode.is_all_or_nothing(),
            closing: self.closing.clone(),
            in_progress: in_progress.clone(),
            progress: (0, 0),
        };
        let progress_step = if random.up_to(3) == 0 { 1 + random.up_to(7) as usize } else { 0 };
        let call = FetchCall { form, settings: Arc::new(settings).into(), progress_step, handle: Some(&handle), at_once: false };
        in_progress.fetch_add(1, Ordering::SeqCst);
        self.tally.begun.fetch_add(1, Ordering::SeqCst);
        let mut receiver = Some(Box::new(receiver));
        let asked = self.core.fetch(keys.iter().map(|key| &key[..]), &call, || receiver.take().expect("the receiver is created once"));
        match asked {
            Ok(FetchAnswer::Pending) => {}
            Ok(other) => panic!("{other:?}"),
            Err(Status::ERR_CLOSED) => {
                // If the engine created the receiver, it has dropped it by now, without an event. Otherwise the receiver is forgotten below,
                // since its drop would be counted as the end of a fetch.
                let before = self.tally.silent.fetch_sub(u64::from(receiver.is_none()), Ordering::SeqCst);
                self.tally.check(before > 0 || receiver.is_some(), || "refused, and its receiver did not end".to_owned());
                std::mem::forget(receiver);
                return false;
            }
            Err(other) => panic!("{other:?}"),
        }
        if random.up_to(4) == 0 {
            if random.up_to(1) == 0 {
                cancelled.store(true, Ordering::SeqCst);
                handle.cancel();
            } else {
                self.marked.lock().expect("no panic").push((handle, cancelled));
            }
        }
        true
    }

    /// Cancels the marked fetches until `over` is set.
    fn cancel(&self, over: &AtomicBool) {
        while !over.load(Ordering::SeqCst) {
            let marked = std::mem::take(&mut *self.marked.lock().expect("no panic"));
            for (handle, cancelled) in marked {
                cancelled.store(true, Ordering::SeqCst);
                handle.cancel();
                handle.set_urgency(3);
                handle.cancel();
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

#[test]
fn stress_f01_f09_f12_s03_s12_a_million_positions_from_four_threads_are_each_reported_once() {
    const POSITIONS: u64 = 1_000_000;
    Stage::with(|stage| {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let canceller = scope.spawn(|| stage.cancel(&over));
            let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || stage.ask(seed, POSITIONS / 4))).collect();
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            until("every fetch ended", || stage.tally.ended.load(Ordering::SeqCst) == stage.tally.begun.load(Ordering::SeqCst));
            over.store(true, Ordering::SeqCst);
            canceller.join().expect("no panic");
        });
        stage.tally.expect_nothing_wrong();
        assert_eq!(stage.tally.reported.load(Ordering::SeqCst), POSITIONS, "each position is reported once");

        // The requests that are never answered have freed their slots like all others, because they have timed out.
        let never = stage.provider.never.lock().expect("no panic").len() as u64;
        assert_eq!(never, NEVER as u64);
        until("no load is in progress", || {
            let gauges = stage.core.stats().gauges;
            (gauges.running, gauges.in_flight, gauges.queued, gauges.deferred, gauges.abandoned) == (0, 0, 0, 0, never)
        });

        let stats = stage.core.stats();
        let (store, tasks) = (&stats.store, &stats.tasks);
        assert_eq!(store.hits + store.null_hits + stats.misses() + store.invalid_keys, POSITIONS, "lookups: {stats:?}");
        let ended = tasks.flights_ended.total();
        assert_eq!(tasks.flights_started, ended, "loads: {stats:?}");
        assert_eq!((tasks.batch_size.total(), tasks.batch_size.sum), (tasks.requests, tasks.attempts), "requests: {stats:?}");
        for (what, count) in [
            ("hits", store.hits),
            ("null hits", store.null_hits),
            ("joined", tasks.misses.joined),
            ("lost", tasks.flights_ended.lost),
            ("cancelled", tasks.flights_ended.cancelled),
            ("failed", tasks.flights_ended.failed),
            ("retries", tasks.retries),
            ("late answers", tasks.answers_late),
            ("abandoned", tasks.requests_abandoned),
            ("timeouts", tasks.fetch_timeouts),
            ("cancels", tasks.fetch_cancels),
        ] {
            assert!(count > 0, "the run had {what}: {stats:?}");
        }

        // Entries would expire during the checks below, so a thousand are stored without a TTL, and all others expire first.
        for number in 0..1000 {
            let stated = StoreTerms { ttl: kvlight::base::Ttl::from_raw(-1).expect("a TTL"), ..StoreTerms::default() };
            let key = key(number);
            assert_eq!(
                stage.core.put(&key, NewEntry { terms: stated, ..NewEntry::new(value_of(&key)) }, None, &mut Departures::new()),
                Ok(Status::OK)
            );
        }
        until("all entries with a TTL have expired", || stage.core.len() == 1000);
        let peeked = (0..KEYS).filter_map(|number| stage.core.peek(&key(number)).expect("open"));
        assert_eq!(stage.core.cost(), peeked.map(|hit| hit.cost).sum::<u64>(), "the total cost is exact");
        let stats = stage.core.stats();
        assert_eq!(stats.store.inserts, stats.entries + stats.store.removed_in_all().entries, "entries: {stats:?}");

        // The engine still works, with every slot.
        let in_progress = Arc::new(AtomicU64::new(0));
        let mut random = Random::new(Some(7));
        for number in 0..64 {
            assert!(stage.fetch(vec![format!("new{number}").into_bytes()], &mut random, &in_progress));
        }
        until("new fetches end", || in_progress.load(Ordering::SeqCst) == 0);
        stage.tally.expect_nothing_wrong();
        stage.closing.store(true, Ordering::SeqCst);
        stage.core.clone().free();
    });
}

struct CloseRecorder(Sender<()>);

impl CloseListener for CloseRecorder {
    fn closed(self: Box<Self>) {
        let _ = self.0.send(());
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[test]
fn stress_l05_f01_an_engine_that_is_closed_meanwhile_settles_every_accepted_fetch() {
    for round in 0..20 {
        Stage::with(|stage| {
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let canceller = scope.spawn(|| stage.cancel(&over));
                let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || stage.ask(round * 4 + seed, u64::MAX))).collect();
                until("some positions are reported", || stage.tally.reported.load(Ordering::SeqCst) > 2000);
                stage.closing.store(true, Ordering::SeqCst);
                let (sender, closed) = channel();
                let drain = [None, Some(Some(Duration::from_millis(3))), Some(Some(Duration::from_millis(200)))];
                stage.core.close(drain[round as usize % 3], Some(Box::new(CloseRecorder(sender))));
                if round % 2 == 0 {
                    stage.core.clone().dispose();
                } else {
                    stage.core.clone().free();
                }
                assert_eq!(closed.recv_timeout(PATIENCE), Ok(()), "the close is reported");
                let reported = stage.tally.reported.load(Ordering::SeqCst);
                let joined = threads.into_iter().map(|thread| thread.join().expect("no panic")).count();
                assert_eq!(joined, 4);
                assert_eq!(stage.tally.reported.load(Ordering::SeqCst), reported, "no event follows the report of the close");
                over.store(true, Ordering::SeqCst);
                canceller.join().expect("no panic");
            });
            stage.tally.expect_nothing_wrong();
            assert_eq!(stage.tally.silent.load(Ordering::SeqCst), 0, "every accepted fetch was settled");
        });
    }
}
