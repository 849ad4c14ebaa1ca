//! The second tier in the table. The first test plays any sequence of events: the table's invariants hold after each, every position is settled once,
//! and what the store has of a key is never older than the last write of that key (rules T01, T02, T06, T10, L05). The others test one rule each.

use super::harness::*;
use kvlight::base::config::QueueOrder;
use kvlight::base::{Status, StoreTerms};
use kvlight::task::second_tier::{TierAbilities, TierRequestKind};
use kvlight::task::table::{TierAnswer, TierEnd};
use kvlight::task::{Form, Source};
use proptest::prelude::*;
use std::collections::BTreeMap;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Event {
    Fetch { key: usize, count: usize, timeout: Option<u64>, urgency: i32 },
    Refresh { key: usize },
    Join { key: usize },
    Cancel { nth: usize },
    Put { key: usize },
    Remove { key: usize },
    Invalidate { key: usize },
    Clear,
    Tier { nth: usize, index: usize, answer: TierEvent },
    Provide { nth: usize, fails: bool },
    Advance { ms: u64 },
    Close { drains: bool },
}

#[derive(Clone, Copy, Debug)]
enum TierEvent {
    Hit,
    Miss,
    Leased,
    Damaged,
    Fail,
    Refuse,
    Finish,
    Drop,
}

fn event() -> impl Strategy<Value = Event> {
    use Event::*;
    let key = 0..KEYS.len();
    let tier = prop_oneof![
        4 => Just(TierEvent::Hit), 3 => Just(TierEvent::Miss), 3 => Just(TierEvent::Leased), 1 => Just(TierEvent::Damaged), 1 => Just(TierEvent::Fail),
        1 => Just(TierEvent::Refuse), 4 => Just(TierEvent::Finish), 1 => Just(TierEvent::Drop),
    ];
    prop_oneof![
        6 => (key.clone(), 1..4_usize, proptest::option::of(1..40_u64), 0..2_i32)
            .prop_map(|(key, count, timeout, urgency)| Fetch { key, count, timeout, urgency }),
        1 => key.clone().prop_map(|key| Refresh { key }),
        1 => key.clone().prop_map(|key| Join { key }),
        1 => (0..8_usize).prop_map(|nth| Cancel { nth }),
        2 => key.clone().prop_map(|key| Put { key }),
        2 => key.clone().prop_map(|key| Remove { key }),
        2 => key.prop_map(|key| Invalidate { key }),
        1 => Just(Clear),
        12 => (0..4_usize, 0..4_usize, tier).prop_map(|(nth, index, answer)| Tier { nth, index, answer }),
        6 => (0..4_usize, proptest::bool::weighted(0.2)).prop_map(|(nth, fails)| Provide { nth, fails }),
        2 => prop_oneof![1..60_u64, Just(2_000)].prop_map(|ms| Advance { ms }),
    ]
}

struct Run {
    harness: Harness,
    /// The number of writes of each key.
    versions: BTreeMap<&'static str, u64>,
    /// For each request of the provider, the versions when it was handed out.
    provided: Vec<BTreeMap<&'static str, u64>>,
    /// For each request for the second tier, the versions when it was handed out.
    looked: Vec<BTreeMap<&'static str, u64>>,
    waiters: Vec<Waiter>,
    is_closed: bool,
}

impl Run {
    /// Counts a write of the key. Returns its version, as text.
    fn wrote(&mut self, key: &'static str) -> String {
        let version = self.versions.entry(key).or_default();
        *version += 1;
        version.to_string()
    }

    fn text(versions: &BTreeMap<&'static str, u64>, key: &str) -> String {
        versions.get(key).copied().unwrap_or_default().to_string()
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Fetch { key, count, timeout, urgency } => {
                let keys: Vec<&str> = KEYS.iter().copied().cycle().skip(key).take(count).collect();
                let form = if count == 1 { Form::Each } else { Form::All };
                if !self.is_closed {
                    let set = |options: &mut Options| (options.fetch.timeout, options.urgency) = (timeout.map(ms), urgency);
                    self.waiters.push(self.harness.ask(form, &keys, set));
                }
            }
            Event::Refresh { key } if !self.is_closed => self.harness.refresh(KEYS[key]),
            Event::Join { key } if !self.is_closed => self.waiters.extend(self.harness.join(KEYS[key], |_| {})),
            Event::Refresh { .. } | Event::Join { .. } => {}
            Event::Cancel { nth } => {
                if let Some(waiter) = self.waiters.get(nth) {
                    self.harness.cancel(waiter);
                }
            }
            Event::Put { key } if !self.is_closed => {
                let text = self.wrote(KEYS[key]);
                self.harness.put(KEYS[key], &text);
            }
            Event::Put { .. } => {}
            Event::Remove { key } => {
                self.wrote(KEYS[key]);
                self.harness.remove(KEYS[key]);
            }
            Event::Invalidate { key } => {
                self.wrote(KEYS[key]);
                self.harness.invalidate(KEYS[key]);
            }
            Event::Clear => {
                KEYS.iter().for_each(|key| drop(self.wrote(key)));
                self.harness.step(|table, cx| table.clear_behind(cx));
                self.harness.clear();
            }
            Event::Tier { nth, index, answer } => self.answer_tier(nth, index, answer),
            Event::Provide { nth, fails } => self.provide(nth, fails),
            Event::Advance { ms } => self.harness.advance(ms),
            Event::Close { drains: true } => {
                self.is_closed = true;
                self.harness.drain(10_000);
            }
            Event::Close { drains: false } => {
                self.is_closed = true;
                self.harness.close();
            }
        }
        self.note_requests();
        for key in KEYS {
            if let Some(text) = match self.harness.lookup(key) {
                super::recording::Summary::Value(text) => Some(text),
                _ => None,
            } {
                let (stored, last) = (text.parse::<u64>().expect("a version"), self.versions.get(key).copied().unwrap_or_default());
                assert!(stored >= last, "the store has version {stored} of {key}, which was written {last} times");
            }
        }
    }

    fn note_requests(&mut self) {
        while self.provided.len() < self.harness.requests.len() {
            self.provided.push(self.versions.clone());
        }
        while self.looked.len() < self.harness.tier.len() {
            let nth = self.looked.len();
            // Every second request is taken, so that both taken and untaken requests end.
            if nth.is_multiple_of(2) {
                let id = self.harness.tier[nth].id;
                self.harness.step(|table, _| table.take_tier_request(id));
            }
            self.looked.push(self.versions.clone());
        }
    }

    fn answer_tier(&mut self, from_end: usize, index: usize, answer: TierEvent) {
        let Some(nth) = self.harness.tier.len().checked_sub(from_end + 1) else { return };
        let handout = self.harness.tier[nth].clone();
        let (id, count) = (handout.id, handout.keys.len());
        match answer {
            TierEvent::Finish => drop(self.harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx))),
            TierEvent::Drop => drop(self.harness.step(|table, cx| table.tier_finish(id, TierEnd::Dropped, cx))),
            _ if index >= count => {}
            _ if handout.kind != TierRequestKind::Read => {
                let is_refused = matches!(answer, TierEvent::Refuse);
                self.harness.step(|table, _| table.tier_not_done(id, index, is_refused));
            }
            _ => {
                let key = String::from_utf8_lossy(handout.keys.get(index).expect("counted")).into_owned();
                let given = match answer {
                    TierEvent::Hit => {
                        TierAnswer::Hit(bytes(&Run::text(&self.looked[nth], &key)), StoreTerms::default(), Box::from(*b"seen"))
                    }
                    TierEvent::Damaged => TierAnswer::Damaged(Box::from(*b"damaged")),
                    TierEvent::Fail => TierAnswer::Failed,
                    TierEvent::Leased => TierAnswer::Leased,
                    _ => TierAnswer::Miss(Box::from(*b"lease")),
                };
                self.harness.step(|table, cx| table.tier_answer(id, index, given, cx));
            }
        }
    }

    fn provide(&mut self, from_end: usize, fails: bool) {
        let Some(nth) = self.harness.requests.len().checked_sub(from_end + 1) else { return };
        for key in self.harness.requests[nth].keys() {
            if fails {
                self.harness.fail(nth, &key, 1);
            } else {
                let text = Run::text(&self.provided[nth], &key);
                self.harness.answer(nth, &key, &text);
            }
        }
        self.harness.finish(nth);
    }

    /// Serves all requests until there are none, and checks that every fetch has a result.
    fn finish_everything(&mut self) {
        for _ in 0..200 {
            let (tier, provided) = (self.harness.tier.len(), self.harness.requests.len());
            for nth in 0..tier {
                let id = self.harness.tier[nth].id;
                self.harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
            }
            for nth in 0..provided {
                self.note_requests();
                self.provide(self.harness.requests.len() - nth - 1, false);
            }
            self.note_requests();
            self.harness.advance(2_000);
            let is_done = self.waiters.iter().all(|waiter| waiter.has_ended()) && self.harness.table.tier_gauges().0 == 0;
            if is_done && (tier, provided) == (self.harness.tier.len(), self.harness.requests.len()) {
                break;
            }
        }
        assert!(self.waiters.iter().all(|waiter| waiter.has_ended()), "a fetch has no result");
        assert!(self.harness.table.is_idle(), "something is left");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn t01_t02_t06_t10_l05_any_sequence_of_events_keeps_the_invariants(
        (events, close, rest, abilities, limits, budget) in (
            proptest::collection::vec(event(), 1..60),
            proptest::option::of(proptest::bool::ANY),
            proptest::collection::vec(event(), 0..12),
            (proptest::bool::ANY, proptest::bool::ANY),
            (1..3_u32, 1..3_u32, 1..4_u32, 0..3_u32, 1..3_u32),
            prop_oneof![Just(kvlight::task::STEP), 2..6_usize],
        )
    ) {
        let (is_conditional, grants_leases) = abilities;
        let (max_requests, batch_keys, max_running, queue_max_keys, pending_keys) = limits;
        let mut harness = Harness::with_tier(TierAbilities { is_conditional, grants_leases, takes_objects: false }, |settings| {
            let tier = &mut settings.second_tier;
            (tier.max_requests, tier.batch_keys, tier.pending_keys, tier.break_after) = (max_requests, batch_keys, pending_keys, 3);
            (settings.tasks.max_running, settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (max_running, 2, queue_max_keys);
        });
        harness.budget = budget;
        let mut run = Run { harness, versions: BTreeMap::new(), provided: Vec::new(), looked: Vec::new(), waiters: Vec::new(), is_closed: false };
        for event in events {
            run.step(event);
        }
        if let Some(drains) = close {
            run.step(Event::Close { drains });
            for event in rest {
                let was_over = run.harness.table.is_over();
                run.step(event);
                assert!(!was_over || run.harness.table.is_over(), "something began after the end");
            }
        }
        run.finish_everything();
    }
}

#[test]
fn t02_a_look_holds_neither_a_slot_nor_a_place() {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| {
        (settings.tasks.max_running, settings.tasks.queue_max_keys) = (1, 0);
    });
    let first = harness.fetch("a");
    let second = harness.fetch("b");
    assert_eq!(harness.tier.len(), 2, "both are looked up");
    assert_eq!(harness.table.gauges().running + harness.table.gauges().queued, 0);
    let given = TierAnswer::Hit(bytes("1"), StoreTerms::default(), Box::default());
    let id = harness.tier[1].id;
    harness.step(|table, cx| table.tier_answer(id, 0, given, cx));
    assert_eq!(second.details(0).source, Source::SecondTier);
    let id = harness.tier[0].id;
    harness.step(|table, cx| table.tier_answer(id, 0, TierAnswer::Miss(Box::default()), cx));
    harness.answer(0, "a", "2");
    assert_eq!(first.outcome(), value("2"));
    assert_eq!(harness.lookup("b"), value("1"));
}

#[test]
fn l05_a_removal_after_the_end_of_a_close_begins_nothing_and_is_lost() {
    for drains in [false, true] {
        let mut harness = Harness::with_tier(TierAbilities::default(), |_| {});
        if drains {
            harness.drain(10_000);
        } else {
            harness.close();
        }
        assert!(harness.table.is_over());
        harness.remove("a");
        harness.step(|table, cx| table.clear_behind(cx));
        assert!(harness.table.is_over());
        assert!(harness.tier.is_empty(), "nothing is written any more");
        assert!(harness.table.next_due().is_none_or(|due| drains && due > harness.in_ms(9_000)), "nothing is due but the end of the drain");
        assert_eq!(harness.table.tier_written(), 2, "the removal and the clear were counted");
        assert_eq!(harness.table.has_tier_written(0), Some(true));
        assert_eq!(harness.table.has_tier_written(1), None, "they are given up");
    }
}

#[test]
fn t01_reads_that_have_timed_out_do_not_hold_up_later_keys() {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| settings.second_tier.max_requests = 2);
    let slow = [harness.fetch("a"), harness.fetch("b")];
    harness.advance(50);
    assert_eq!(harness.handed().concat(), ["a", "b"]);
    let later = harness.fetch("c");
    assert_eq!(
        harness.handed().concat(),
        ["a", "b", "c"],
        "both reads have timed out, so no lookup of \"c\" can begin, and it goes to the provider"
    );
    assert_eq!(harness.table.counts().tier_bypassed, 1);
    // Once one of them is finished, keys are looked up again.
    let id = harness.tier[0].id;
    harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    let looked = harness.fetch("d");
    assert_eq!(harness.tier.len(), 3);
    // While a read that has not timed out is in progress, further keys wait.
    let waits = harness.fetch("e");
    assert_eq!((harness.tier.len(), harness.handed().concat().len()), (3, 3));
    harness.advance(50);
    for nth in 0..harness.requests.len() {
        for key in harness.requests[nth].keys() {
            harness.answer(nth, &key, "v");
        }
    }
    assert!(slow.iter().chain([&later, &looked, &waits]).all(|waiter| waiter.outcome() == value("v")));
}

#[test]
fn t01_a_read_that_is_never_finished_does_not_keep_the_second_tier_from_its_next_chance() {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| settings.second_tier.break_after = 1);
    harness.fetch("a");
    harness.advance(50);
    harness.fetch("b");
    assert_eq!((harness.tier.len(), harness.requests.len()), (1, 2), "the second tier is avoided");
    harness.advance(1_000);
    harness.fetch("c");
    assert_eq!((harness.tier.len(), harness.requests.len()), (2, 2), "one request decides");
    harness.fetch("d");
    assert_eq!((harness.tier.len(), harness.requests.len()), (2, 3), "and only one");
    let id = harness.tier[1].id;
    harness.step(|table, cx| table.tier_answer(id, 0, TierAnswer::Miss(Box::default()), cx));
    harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    assert!(!harness.table.tier_gauges().1);
}

#[test]
fn t07_writes_that_a_clear_or_an_overflow_replaces_count_as_written_when_the_clear_is_done() {
    for overflows in [false, true] {
        let mut harness = Harness::with_tier(TierAbilities::default(), |settings| settings.second_tier.pending_keys = 1);
        let finish = |harness: &mut Harness, nth: usize, how| {
            let id = harness.tier[nth].id;
            harness.step(|table, cx| table.tier_finish(id, how, cx));
        };
        let clear = |harness: &mut Harness| {
            if overflows {
                harness.remove("other");
            } else {
                harness.step(|table, cx| table.clear_behind(cx));
            }
        };
        harness.remove("k");
        let upto = harness.table.tier_written();
        clear(&mut harness);
        let cleared = harness.table.tier_written();
        assert_eq!(harness.table.has_tier_written(upto), Some(false), "the second tier has the old entry");
        finish(&mut harness, 0, TierEnd::Dropped);
        assert_eq!(harness.table.has_tier_written(upto), Some(false));
        harness.advance(1_000);
        assert_eq!((harness.tier.len(), harness.tier[1].kind), (2, TierRequestKind::Clear));
        // Another clear begins while the first is in progress. A sync that began before it waits only for the first.
        harness.step(|table, cx| table.clear_behind(cx));
        assert_eq!(harness.table.has_tier_written(upto), Some(false));
        finish(&mut harness, 1, TierEnd::Finished);
        assert_eq!((harness.table.has_tier_written(upto), harness.table.has_tier_written(cleared)), (Some(true), Some(true)));
        assert_eq!(harness.table.has_tier_written(cleared + 1), Some(false));
        finish(&mut harness, 2, TierEnd::Finished);
        assert_eq!(harness.table.has_tier_written(cleared + 1), Some(true));
        assert_eq!(harness.tier.len(), 3);
    }
}

/// A table with one slot and one place. `runs` has the slot, and `queued`, with urgency 0, has the place. The second tier had neither key.
fn crowded(order: QueueOrder) -> (Harness, Waiter) {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, 1);
        (settings.tasks.queue_max_keys, settings.tasks.queue_order) = (1, order);
    });
    harness.fetch("runs");
    miss(&mut harness);
    let queued = harness.fetch("queued");
    miss(&mut harness);
    assert_eq!((harness.requests.len(), harness.table.gauges().queued), (1, 1));
    (harness, queued)
}

/// Lets the latest request for the second tier find nothing.
fn miss(harness: &mut Harness) {
    let id = harness.tier.last().expect("a request").id;
    harness.step(|table, cx| table.tier_answer(id, 0, TierAnswer::Miss(Box::default()), cx));
    harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
}

#[test]
fn f13b_t01_a_key_that_was_looked_up_takes_the_place_of_a_less_urgent_key_and_under_lifo_of_an_older_one() {
    for (order, urgency, takes) in [(QueueOrder::Fifo, 1, true), (QueueOrder::Fifo, 0, false), (QueueOrder::Lifo, 0, true)] {
        let (mut harness, queued) = crowded(order);
        let late = harness.fetch_with("late", |options| options.urgency = urgency);
        miss(&mut harness);
        let (lost, kept) = if takes { (queued, late) } else { (late, queued) };
        assert_eq!(lost.outcome(), failed_with(Status::ERR_QUEUE_FULL), "{order:?} {urgency}");
        harness.answer(0, "runs", "1");
        let key = harness.requests[1].keys()[0].clone();
        harness.answer(1, &key, "2");
        assert_eq!(kept.outcome(), value("2"));
    }
}

#[test]
fn f13d_t01_a_refresh_that_was_looked_up_takes_no_place() {
    let (mut harness, queued) = crowded(QueueOrder::Lifo);
    harness.ask(Form::Refresh, &["refreshed"], |options| options.urgency = 9);
    miss(&mut harness);
    assert!(!queued.has_ended());
    assert_eq!((harness.table.gauges().queued, harness.table.gauges().deferred), (1, 1));
}

#[test]
fn t07_a_key_whose_values_cannot_be_written_is_removed_however_often_it_is_put() {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| settings.second_tier.break_after = 0);
    for nth in 0..3 {
        harness.put("k", "v");
        assert_eq!(harness.tier[nth].kind, TierRequestKind::Write);
        harness.put("k", "newer");
        let id = harness.tier[nth].id;
        harness.step(|table, cx| table.tier_finish(id, TierEnd::Dropped, cx));
        harness.advance(1_000);
    }
    assert_eq!((harness.tier.len(), harness.tier[3].kind), (4, TierRequestKind::Remove), "the older entry must not stay");
}

#[test]
fn t07_a_value_that_the_second_tier_does_not_take_is_removed_instead_at_once() {
    let refuse = |harness: &mut Harness, nth: usize| {
        let id = harness.tier[nth].id;
        assert_eq!(harness.step(|table, _| table.tier_not_done(id, 0, true)), Status::OK);
        harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    };
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| settings.second_tier.break_after = 1);
    harness.put("k", "v");
    refuse(&mut harness, 0);
    assert_eq!((harness.tier.len(), harness.tier[1].kind, harness.table.tier_gauges()), (2, TierRequestKind::Remove, (1, false)));
    let id = harness.tier[1].id;
    assert_eq!(harness.step(|table, _| table.tier_not_done(id, 0, true)), Status::ERR_WRONG_KIND);
    harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    assert_eq!((harness.table.counts().tier_writes, harness.table.counts().tier_write_errors), (1, 0));
    // If a newer value was put meanwhile, it is written, and nothing is removed.
    harness.put("k", "v");
    harness.put("k", "newer");
    refuse(&mut harness, 2);
    assert_eq!(harness.tier[3].kind, TierRequestKind::Write);
}

#[test]
fn s19_fills_that_have_expired_are_dropped_in_steps() {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| {
        (settings.second_tier.ttl_ms, settings.second_tier.max_requests) = (Some(10), 100);
        (settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (100, 1_000);
    });
    harness.budget = 50;
    harness.put("slow", "v");
    let names = keys(1_000);
    harness.fetch_all(&refs(&names));
    for nth in 1..harness.tier.len() {
        let id = harness.tier[nth].id;
        for index in 0..harness.tier[nth].keys.len() {
            harness.step(|table, cx| table.tier_answer(id, index, TierAnswer::Miss(Box::default()), cx));
        }
        harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    }
    let mut nth = 0;
    while nth < harness.requests.len() {
        for key in harness.requests[nth].keys() {
            harness.answer(nth, &key, "v");
        }
        nth += 1;
    }
    assert_eq!(harness.table.tier_gauges().0, 1_001, "a write is under way, and fills wait for its end");
    harness.advance(11);
    harness.is_slow = true;
    let (id, mut dropped) = (harness.tier[0].id, harness.deferred_drops);
    harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    assert!(harness.has_long_work());
    loop {
        assert!(harness.deferred_drops - dropped < 60, "{} in a hold", harness.deferred_drops - dropped);
        dropped = harness.deferred_drops;
        if !harness.go_on() {
            break;
        }
    }
    assert_eq!((harness.table.tier_gauges().0, harness.tier.last().map(|last| last.kind)), (0, Some(TierRequestKind::Read)));
    assert!(harness.table.is_idle());
}

#[test]
fn s19_keys_that_need_no_look_any_more_are_skipped_in_steps() {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| settings.second_tier.max_requests = 1);
    harness.budget = 50;
    harness.fetch("slow");
    let names = keys(300);
    let left: Vec<Waiter> = names.iter().map(|name| harness.fetch(name)).collect();
    let stays = harness.fetch("last");
    left.iter().for_each(|waiter| harness.cancel(waiter));
    harness.is_slow = true;
    let id = harness.tier[0].id;
    harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    assert_eq!((harness.tier.len(), harness.has_long_work()), (1, true));
    while harness.go_on() {}
    assert_eq!(harness.tier.last().map(|last| last.keys.get(0).map(<[u8]>::to_vec)), Some(Some(b"last".to_vec())));
    assert!(!stays.has_ended());
}

#[test]
fn t02_keys_that_one_look_did_not_find_are_one_request_of_the_provider() {
    for how in ["answers", "finish", "timeout", "failure"] {
        let mut harness = Harness::with_tier(TierAbilities::default(), |settings| {
            (settings.tasks.max_running, settings.tasks.batch_max_keys) = (10, 10);
        });
        let waiter = harness.fetch_each(&["a", "b", "c", "d"]);
        let id = harness.tier[0].id;
        let tell =
            |harness: &mut Harness, index: usize, given: TierAnswer| harness.step(|table, cx| table.tier_answer(id, index, given, cx));
        assert_eq!(tell(&mut harness, 0, TierAnswer::Miss(Box::default())), Status::OK);
        assert_eq!(tell(&mut harness, 1, TierAnswer::Hit(bytes("1"), StoreTerms::default(), Box::default())), Status::OK);
        assert_eq!(waiter.details(1).source, Source::SecondTier, "a hit waits for nothing");
        assert_eq!(tell(&mut harness, 0, TierAnswer::Miss(Box::default())), Status::ERR_ALREADY_ANSWERED);
        assert_eq!(tell(&mut harness, 2, TierAnswer::Damaged(Box::default())), Status::OK);
        assert!(harness.requests.is_empty(), "the fourth key may be missed too");
        match how {
            "answers" => drop(tell(&mut harness, 3, TierAnswer::Miss(Box::default()))),
            "failure" => drop(tell(&mut harness, 3, TierAnswer::Failed)),
            "finish" => drop(harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx))),
            _ => harness.advance(50),
        }
        let mut asked = harness.handed().concat();
        asked.sort();
        assert_eq!((harness.requests.len(), asked), (1, vec!["a".to_owned(), "c".into(), "d".into()]), "{how}");
        for key in ["a", "c", "d"] {
            harness.answer(0, key, "2");
        }
        assert!(waiter.has_ended());
    }
}

#[test]
fn t02_f09_a_key_that_was_missed_may_be_cancelled_or_put_before_the_others_are_known() {
    let mut harness = Harness::with_tier(TierAbilities::default(), |settings| settings.second_tier.max_requests = 1);
    harness.fetch("first");
    let waiters = ["a", "b", "c"].map(|key| harness.fetch(key));
    let first = harness.tier[0].id;
    harness.step(|table, cx| table.tier_finish(first, TierEnd::Finished, cx));
    let id = harness.tier[1].id;
    for index in 0..2 {
        harness.step(|table, cx| table.tier_answer(id, index, TierAnswer::Miss(Box::default()), cx));
    }
    harness.cancel(&waiters[0]);
    harness.put("b", "put");
    assert_eq!((waiters[0].outcome(), waiters[1].outcome()), (failed_with(Status::ERR_CANCELLED), value("put")));
    harness.step(|table, cx| table.tier_answer(id, 2, TierAnswer::Miss(Box::default()), cx));
    assert_eq!(harness.handed(), [["first"], ["c"]]);
}
