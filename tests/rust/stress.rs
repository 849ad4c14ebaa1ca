//! Everything at once: a million positions from four threads, a provider that does all that providers do wrong, fetches that are
//! cancelled and time out, writes in between; and an engine that closes in the middle of it. Whatever happens, each position is
//! told exactly once, each fetch ends exactly once, no slot is lost, and every number adds up (rules F01, F03, F09, F12, S03, S12).

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
/// How many different keys there are.
const KEYS: u64 = 30_000;
/// How many fetches a thread has under way at most.
const UNDER_WAY: u64 = 100;

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "it never came to that: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key{number}").into_bytes()
}

/// Every value is its key's text, whoever stored it.
fn value_of(key: &[u8]) -> Answer {
    Answer::Value(Value::bytes(key).expect("memory"))
}

/// What the receivers heard.
#[derive(Default)]
struct Tally {
    told: AtomicU64,
    begun: AtomicU64,
    ended: AtomicU64,
    /// Receivers that ended without a word, as they must when the call was refused after all.
    silent: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    /// An assertion that fails in a callback is a panic that ends there, so it is noted instead.
    fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.lock().expect("no panic").push(what());
        }
    }

    fn nothing_is_wrong(&self) {
        let wrong = self.wrong.lock().expect("no panic");
        assert!(wrong.is_empty(), "{} things, first: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    }
}

/// One fetch's receiver: checks that each position is told once, and that the end comes after the last.
struct Ear {
    tally: Arc<Tally>,
    keys: Vec<Vec<u8>>,
    told: Vec<bool>,
    last: u32,
    /// Set before it is cancelled.
    cancelled: Arc<AtomicBool>,
    may_cancel_itself: bool,
    closing: Arc<AtomicBool>,
    under_way: Arc<AtomicU64>,
    progress: (usize, usize),
}

impl Ear {
    fn position(&mut self, index: usize, outcome: &Outcome) {
        let tally = &self.tally;
        tally.told.fetch_add(1, Ordering::Relaxed);
        tally.check(self.last == 0, || format!("position {index} after the last event"));
        let before = std::mem::replace(&mut self.told[index], true);
        tally.check(!before, || format!("position {index} twice"));
        match &outcome.verdict {
            Verdict::Value(value) => {
                tally.check(value.as_bytes() == Some(&self.keys[index][..]), || format!("another key's value: {value:?}"));
            }
            Verdict::Failed(error) => match error.status() {
                Status::ERR_PROVIDER | Status::ERR_TIMEOUT | Status::ERR_QUEUE_FULL | Status::ERR_UNANSWERED => {}
                Status::ERR_CANCELLED => {
                    let expected = self.may_cancel_itself || self.cancelled.load(Ordering::SeqCst);
                    tally.check(expected, || "CANCELLED, but nobody cancelled it".to_owned());
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

impl Receiver for Ear {
    fn result(&mut self, index: usize, key: &[u8], outcome: &Outcome, last: bool) {
        self.position(index, outcome);
        self.tally.check(key == self.keys[index], || format!("position {index} under another key"));
        self.last += u32::from(last);
    }

    fn batch(&mut self, results: Results) {
        let count = results.batch.outcomes.len();
        self.tally.check(count == self.keys.len(), || format!("{count} results of {}", self.keys.len()));
        for (index, outcome) in results.batch.outcomes.iter().enumerate() {
            self.position(index, outcome);
        }
        self.last += 1;
    }

    fn progress(&mut self, done: usize, failed: usize, total: usize) {
        let rises = done > self.progress.0 && failed >= self.progress.1 && done <= total && total == self.keys.len();
        self.tally.check(rises, || format!("progress {done} {failed} of {total} after {:?}", self.progress));
        self.progress = (done, failed);
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let nothing = !self.told.contains(&true) && self.last == 0;
        if nothing && self.closing.load(Ordering::SeqCst) {
            self.tally.silent.fetch_add(1, Ordering::SeqCst);
        } else {
            let all = !self.told.contains(&false) && self.last == 1;
            self.tally.check(all, || format!("it ended with {:?} told and {} last events", self.told, self.last));
        }
        self.tally.ended.fetch_add(1, Ordering::SeqCst);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A provider that does right and wrong by turns.
struct Moody {
    seed: AtomicU64,
    /// Where others answer.
    others: Mutex<Sender<Ticket>>,
    /// Where requests are kept until their time is over.
    late: Mutex<Sender<Ticket>>,
    /// Requests that nobody answers.
    never: Mutex<Vec<Ticket>>,
}

/// More than this are never answered only when the engine is at its end: each keeps one of `tasks.max_abandoned`.
const NEVER: usize = 3;

impl Moody {
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

impl Provider for Moody {
    fn provide(&self, ticket: Ticket) {
        let mut random = Random::new(Some(self.seed.fetch_add(1, Ordering::Relaxed)));
        match random.up_to(199) {
            // Returns with neither answer nor hold.
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
                // Says everything twice.
                Moody::answer(&ticket, &mut random);
                Moody::answer(&ticket, &mut random);
                ticket.finish(Unanswered::Null);
                ticket.finish(Unanswered::Unanswered);
            }
            40..45 => drop(ticket.finish(Unanswered::Failed(Error::of_provider(3, b"all of it", false, None))) == Status::OK),
            45..50 => {
                // Is done with it before it comes back, and says more.
                ticket.finish(Unanswered::Unanswered);
                Moody::answer(&ticket, &mut random);
            }
            50 => panic!("as a provider might"),
            _ => Moody::answer(&ticket, &mut random),
        }
    }
}

/// Answers what it is sent, from a thread of its own.
fn answer_elsewhere(tickets: &Mutex<Inbox<Ticket>>, seed: u64) {
    let mut random = Random::new(Some(seed));
    loop {
        let ticket = tickets.lock().expect("no panic").recv();
        let Ok(ticket) = ticket else { return };
        Moody::answer(&ticket, &mut random);
        if random.up_to(1) == 0 {
            ticket.finish(Unanswered::Unanswered);
        }
    }
}

/// Answers when the time is over.
fn answer_late(tickets: &Inbox<Ticket>) {
    let mut random = Random::new(Some(99));
    while let Ok(ticket) = tickets.recv() {
        let end = Instant::now() + PATIENCE;
        while ticket.cancel_reason() == 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_micros(100));
        }
        Moody::answer(&ticket, &mut random);
    }
}

struct Stage {
    core: Arc<Core>,
    provider: Arc<Moody>,
    tally: Arc<Tally>,
    closing: Arc<AtomicBool>,
    /// Fetches for the storm: each with the mark that is set before it is cancelled.
    marked: Mutex<Vec<(Arc<FetchHandle>, Arc<AtomicBool>)>>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // They hold the engine, and with it the helpers' channels.
        let never = std::mem::take(&mut *self.provider.never.lock().expect("no panic"));
        drop(never);
    }
}

impl Stage {
    /// An engine with its provider's helpers; `play` runs, and then the helpers end.
    fn with(play: impl FnOnce(&Stage)) {
        let (others, elsewhere) = channel();
        let (late, waiting) = channel();
        let provider =
            Arc::new(Moody { seed: AtomicU64::new(1), others: Mutex::new(others), late: Mutex::new(late), never: Mutex::default() });
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
        // So few places, taken by the newest, that keys of single fetches lose theirs.
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
            // The last engine's reference ends the provider, and with it the helpers' channels.
        });
    }

    /// One thread's part: so many positions, or until the engine is closed.
    fn ask(&self, seed: u64, positions: u64) {
        let mut random = Random::new(Some(seed));
        let under_way = Arc::new(AtomicU64::new(0));
        let mut asked = 0;
        while asked < positions {
            until("a fetch ends", || under_way.load(Ordering::SeqCst) < UNDER_WAY);
            let count = match random.up_to(9) {
                0..4 => 1,
                4..8 => random.up_to(20),
                _ => random.up_to(300),
            };
            let count = count.min(positions - asked).max(1);
            // A few keys are hot, so that fetches meet.
            let pick = |random: &mut Random| key(if random.up_to(3) == 0 { random.up_to(50) } else { random.up_to(KEYS - 1) });
            let keys: Vec<Vec<u8>> = (0..count).map(|_| pick(&mut random)).collect();
            if !self.fetch(keys, &mut random, &under_way) {
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

    /// One fetch; false if the engine is closed.
    fn fetch(&self, keys: Vec<Vec<u8>>, random: &mut Random, under_way: &Arc<AtomicU64>) -> bool {
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
        let ear = Ear {
            tally: self.tally.clone(),
            told: vec![false; keys.len()],
            keys: keys.clone(),
            last: 0,
            cancelled: cancelled.clone(),
            may_cancel_itself: settings.batch_mode == BatchMode::AllOrNothing,
            closing: self.closing.clone(),
            under_way: under_way.clone(),
            progress: (0, 0),
        };
        let progress_step = if random.up_to(3) == 0 { 1 + random.up_to(7) as usize } else { 0 };
        let call = FetchCall { form, settings: Arc::new(settings), progress_step, handle: Some(&handle), at_once: false };
        under_way.fetch_add(1, Ordering::SeqCst);
        self.tally.begun.fetch_add(1, Ordering::SeqCst);
        let mut ear = Some(Box::new(ear));
        let asked = self.core.fetch(keys.iter().map(|key| &key[..]), &call, || ear.take().expect("it is made once"));
        match asked {
            Ok(FetchAnswer::Pending) => {}
            Ok(other) => panic!("{other:?}"),
            Err(Status::ERR_CLOSED) => {
                // If its receiver was made for all that, it has ended by now, without a word.
                let before = self.tally.silent.fetch_sub(u64::from(ear.is_none()), Ordering::SeqCst);
                self.tally.check(before > 0 || ear.is_some(), || "refused, and its receiver did not end".to_owned());
                std::mem::forget(ear);
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

    /// The storm: cancels whatever it is given, over and over, until `over`.
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
fn stress_f01_f09_f12_s03_s12_a_million_positions_from_four_threads() {
    const POSITIONS: u64 = 1_000_000;
    Stage::with(|stage| {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let storm = scope.spawn(|| stage.cancel(&over));
            let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || stage.ask(seed, POSITIONS / 4))).collect();
            threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
            until("every fetch ended", || stage.tally.ended.load(Ordering::SeqCst) == stage.tally.begun.load(Ordering::SeqCst));
            over.store(true, Ordering::SeqCst);
            storm.join().expect("no panic");
        });
        stage.tally.nothing_is_wrong();
        assert_eq!(stage.tally.told.load(Ordering::SeqCst), POSITIONS, "each position is told once");

        // Some requests are never answered. All others let go of their slots, and so do these: their time is over.
        let never = stage.provider.never.lock().expect("no panic").len() as u64;
        assert_eq!(never, NEVER as u64);
        until("no load is under way", || {
            let gauges = stage.core.stats().gauges;
            (gauges.running, gauges.in_flight, gauges.queued, gauges.deferred, gauges.abandoned) == (0, 0, 0, 0, never)
        });

        let stats = stage.core.stats();
        let (store, tasks) = (&stats.store, &stats.tasks);
        assert_eq!(store.hits + store.null_hits + stats.misses() + store.invalid_keys, POSITIONS, "lookups: {stats:?}");
        let ended = tasks.flights_succeeded + tasks.flights_failed + tasks.flights_lost + tasks.flights_cancelled;
        assert_eq!(tasks.flights_started, ended, "loads: {stats:?}");
        assert_eq!((tasks.batch_size.total(), tasks.batch_size.sum), (tasks.requests, tasks.attempts), "requests: {stats:?}");
        for (what, count) in [
            ("hits", store.hits),
            ("null hits", store.null_hits),
            ("joined", tasks.missed_joined),
            ("lost", tasks.flights_lost),
            ("cancelled", tasks.flights_cancelled),
            ("failed", tasks.flights_failed),
            ("retries", tasks.retries),
            ("late answers", tasks.answers_late),
            ("abandoned", tasks.requests_abandoned),
            ("timeouts", tasks.fetch_timeouts),
            ("cancels", tasks.fetch_cancels),
        ] {
            assert!(count > 0, "the storm had {what}: {stats:?}");
        }

        // Time would go on taking entries away: what is left is put anew, for ever.
        for number in 0..1000 {
            let stated = StoreTerms { ttl: kvlight::base::Ttl::from_raw(-1).expect("a TTL"), ..StoreTerms::default() };
            let key = key(number);
            assert_eq!(
                stage.core.put(&key, NewEntry { terms: stated, ..NewEntry::new(value_of(&key)) }, None, &mut Departures::new()),
                Ok(Status::OK)
            );
        }
        until("all that ends has ended", || stage.core.len() == 1000);
        let peeked = (0..KEYS).filter_map(|number| stage.core.peek(&key(number)).expect("open"));
        assert_eq!(stage.core.cost(), peeked.map(|hit| hit.cost).sum::<u64>(), "the ledger is exact");
        let stats = stage.core.stats();
        assert_eq!(stats.store.inserts, stats.entries + stats.store.removed_in_all().entries, "entries: {stats:?}");

        // And it still works, with every slot.
        let under_way = Arc::new(AtomicU64::new(0));
        let mut random = Random::new(Some(7));
        for number in 0..64 {
            assert!(stage.fetch(vec![format!("new{number}").into_bytes()], &mut random, &under_way));
        }
        until("new fetches end", || under_way.load(Ordering::SeqCst) == 0);
        stage.tally.nothing_is_wrong();
        stage.closing.store(true, Ordering::SeqCst);
        stage.core.clone().free();
    });
}

struct News(Sender<()>);

impl CloseListener for News {
    fn closed(self: Box<Self>) {
        let _ = self.0.send(());
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[test]
fn stress_l05_f01_an_engine_that_closes_in_the_middle_tells_all_that_it_accepted() {
    for round in 0..20 {
        Stage::with(|stage| {
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let storm = scope.spawn(|| stage.cancel(&over));
                let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || stage.ask(round * 4 + seed, u64::MAX))).collect();
                until("it is in the middle of it", || stage.tally.told.load(Ordering::SeqCst) > 2000);
                stage.closing.store(true, Ordering::SeqCst);
                let (tell, news) = channel();
                let drain = [None, Some(Some(Duration::from_millis(3))), Some(Some(Duration::from_millis(200)))];
                stage.core.close(drain[round as usize % 3], Some(Box::new(News(tell))));
                if round % 2 == 0 {
                    stage.core.clone().dispose();
                } else {
                    stage.core.clone().free();
                }
                assert_eq!(news.recv_timeout(PATIENCE), Ok(()), "it is told to be closed");
                let told = stage.tally.told.load(Ordering::SeqCst);
                let accepted = threads.into_iter().map(|thread| thread.join().expect("no panic")).count();
                assert_eq!(accepted, 4);
                assert_eq!(stage.tally.told.load(Ordering::SeqCst), told, "nothing is told after the news");
                over.store(true, Ordering::SeqCst);
                storm.join().expect("no panic");
            });
            stage.tally.nothing_is_wrong();
            assert_eq!(stage.tally.silent.load(Ordering::SeqCst), 0, "who was accepted was told");
        });
    }
}
