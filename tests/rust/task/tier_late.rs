//! A second tier that takes too long to write (rules T01, T06, T07): the write counts as failed and is sent again, and what a late write may have
//! overwritten is removed.

use super::harness::*;
use super::recording::Summary;
use kvlight::base::{Status, StoreTerms};
use kvlight::task::second_tier::{TierAbilities, TierRequestKind};
use kvlight::task::table::{TierAnswer, TierEnd};
use proptest::prelude::*;

const PLAIN: TierAbilities = TierAbilities { is_conditional: false, grants_leases: false, takes_objects: false };
const LEASES: TierAbilities = TierAbilities { is_conditional: true, grants_leases: true, takes_objects: false };

fn with_tier(abilities: TierAbilities) -> Harness {
    Harness::with_tier(abilities, |settings| settings.second_tier.max_requests = 2)
}

fn take(harness: &mut Harness, nth: usize) -> bool {
    let id = harness.tier[nth].id;
    harness.step(|table, _| table.take_tier_request(id))
}

fn end(harness: &mut Harness, nth: usize, how: TierEnd) -> Status {
    let id = harness.tier[nth].id;
    harness.step(|table, cx| table.tier_finish(id, how, cx))
}

fn finish(harness: &mut Harness, nth: usize) -> Status {
    end(harness, nth, TierEnd::Finished)
}

fn miss(harness: &mut Harness, nth: usize) {
    let id = harness.tier[nth].id;
    let status = harness.step(|table, cx| table.tier_answer(id, 0, TierAnswer::Miss(Box::from(*b"lease")), cx));
    assert_eq!((status, finish(harness, nth)), (Status::OK, Status::OK));
}

fn kinds(harness: &Harness) -> Vec<TierRequestKind> {
    harness.tier.iter().map(|handout| handout.kind).collect()
}

use TierRequestKind::{Clear, Fill, Read, Remove, Write};

#[test]
fn t07_a_write_that_is_never_finished_counts_as_failed_and_is_sent_again() {
    let mut harness = with_tier(PLAIN);
    harness.put("k", "1");
    harness.remove("gone");
    assert!(take(&mut harness, 0));
    harness.advance(4_999);
    assert_eq!(harness.table.counts().tier_write_errors, 0);
    harness.advance(1);
    assert_eq!((harness.table.counts().tier_write_errors, harness.table.tier_gauges().0), (1, 2));
    let upto = harness.table.tier_written();
    harness.advance(1_000);
    assert_eq!(kinds(&harness), [Write, Write]);
    assert_eq!(finish(&mut harness, 1), Status::OK);
    assert_eq!((kinds(&harness)[2], finish(&mut harness, 2)), (Remove, Status::OK));
    assert_eq!((harness.table.has_tier_written(upto), harness.table.tier_gauges().0), (Some(true), 0));
    let id = harness.tier[0].id;
    assert_eq!(harness.step(|table, _| table.tier_not_done(id, 0, false)), Status::LATE);
    assert_eq!(finish(&mut harness, 0), Status::LATE);
    assert_eq!(finish(&mut harness, 0), Status::ERR_ALREADY_ANSWERED);
    assert_eq!((harness.tier.len(), harness.table.counts().tier_write_errors), (3, 1), "the late write wrote the same value");
}

#[test]
fn t07_removals_and_clears_have_a_time_limit_too() {
    let mut harness = with_tier(PLAIN);
    harness.remove("k");
    harness.advance(5_000);
    harness.step(|table, cx| table.clear_behind(cx));
    harness.advance(1_000);
    assert_eq!(kinds(&harness), [Remove, Clear]);
    harness.advance(5_000);
    // Two requests are with the host, which is the maximum: no third one is handed out.
    harness.advance(100_000);
    assert_eq!((harness.tier.len(), harness.table.tier_gauges().0), (2, 1));
    assert_eq!(finish(&mut harness, 0), Status::LATE);
    assert_eq!(kinds(&harness), [Remove, Clear, Clear]);
    assert_eq!((finish(&mut harness, 2), harness.table.tier_gauges().0), (Status::OK, 0));
}

#[test]
fn t01_a_write_that_is_never_finished_does_not_keep_the_second_tier_from_its_next_chance() {
    let mut harness = Harness::with_tier(PLAIN, |settings| (settings.second_tier.max_requests, settings.second_tier.break_after) = (1, 1));
    harness.put("k", "1");
    take(&mut harness, 0);
    harness.advance(5_000);
    assert!(harness.table.tier_gauges().1, "the second tier is avoided");
    harness.fetch("a");
    assert_eq!(kinds(&harness), [Write]);
    harness.advance(1_000);
    harness.fetch("b");
    assert_eq!(kinds(&harness), [Write, Read], "a look decides");
    miss(&mut harness, 1);
    assert!(!harness.table.tier_gauges().1);
}

#[test]
fn t06_t07_what_a_late_write_may_have_overwritten_is_not_looked_up_and_is_then_removed() {
    for how in [TierEnd::Finished, TierEnd::Dropped] {
        let mut harness = with_tier(PLAIN);
        harness.put("k", "old");
        take(&mut harness, 0);
        harness.advance(6_000);
        finish(&mut harness, 1);
        harness.put("k", "new");
        finish(&mut harness, 2);
        assert_eq!((kinds(&harness), harness.table.tier_gauges().0), (vec![Write; 3], 0));
        // The second tier may have either value.
        harness.invalidate("k");
        let waiter = harness.fetch("k");
        assert_eq!((kinds(&harness).len(), harness.handed().concat()), (3, vec!["k".to_owned()]));
        harness.answer(0, "k", "newest");
        assert_eq!((waiter.outcome(), kinds(&harness).len()), (value("newest"), 3), "nor is it filled");
        assert_eq!(end(&mut harness, 0, how), Status::LATE);
        assert_eq!((kinds(&harness)[3], harness.table.counts().tier_writes), (Remove, 2));
        finish(&mut harness, 3);
        harness.invalidate("k");
        harness.fetch("k");
        assert_eq!(kinds(&harness)[4], Read);
        harness.advance(100_000);
        assert_eq!(kinds(&harness).len(), 5);
    }
}

#[test]
fn t07_a_key_that_is_being_written_when_a_late_write_of_it_ends_is_written_again() {
    let mut harness = with_tier(PLAIN);
    harness.put("k", "old");
    take(&mut harness, 0);
    harness.put("k", "new");
    harness.advance(6_000);
    take(&mut harness, 1);
    let upto = harness.table.tier_written();
    assert_eq!(finish(&mut harness, 0), Status::LATE);
    assert_eq!(finish(&mut harness, 1), Status::OK);
    assert_eq!((kinds(&harness), harness.table.has_tier_written(upto)), (vec![Write; 3], Some(true)));
    assert_eq!(harness.tier[2].entries[0].answer.value().and_then(|value| value.as_bytes()), Some(&b"new"[..]));
    assert_eq!((finish(&mut harness, 2), harness.table.tier_gauges().0), (Status::OK, 0));
}

#[test]
fn t07_a_clear_while_a_write_is_late_is_followed_by_a_removal() {
    let mut harness = with_tier(PLAIN);
    harness.put("k", "old");
    take(&mut harness, 0);
    harness.advance(6_000);
    finish(&mut harness, 1);
    harness.step(|table, cx| table.clear_behind(cx));
    harness.clear();
    finish(&mut harness, 2);
    harness.fetch("k");
    assert_eq!(kinds(&harness), [Write, Write, Clear], "the key is not looked up");
    finish(&mut harness, 0);
    assert_eq!(kinds(&harness)[3], Remove);
}

#[test]
fn t07_a_write_whose_time_is_over_before_the_host_takes_it_is_never_served() {
    let mut harness = with_tier(PLAIN);
    harness.put("k", "old");
    harness.advance(6_000);
    finish(&mut harness, 1);
    harness.put("k", "new");
    finish(&mut harness, 2);
    assert!(!take(&mut harness, 0));
    end(&mut harness, 0, TierEnd::Dropped);
    assert_eq!(kinds(&harness), [Write; 3], "a write that was never served has overwritten nothing");
    harness.invalidate("k");
    harness.fetch("k");
    assert_eq!(kinds(&harness)[3], Read);
}

#[test]
fn t07_a_write_that_waits_in_a_queue_that_nobody_reads_keeps_its_value() {
    let mut harness = Harness::with_tier(PLAIN, |settings| (settings.second_tier.max_requests, settings.second_tier.break_after) = (9, 1));
    harness.put("k", "v");
    harness.advance(30_000);
    assert!(harness.tier.len() > 4 && kinds(&harness).iter().all(|kind| *kind == Write), "{:?}", kinds(&harness));
    assert!(!harness.table.tier_gauges().1, "writes that the host has not taken say nothing about the second tier");
    for nth in 0..harness.tier.len() - 1 {
        assert!(!take(&mut harness, nth));
        end(&mut harness, nth, TierEnd::Dropped);
    }
    let last = harness.tier.len() - 1;
    assert!(take(&mut harness, last));
    assert_eq!((finish(&mut harness, last), harness.table.tier_gauges().0), (Status::OK, 0));
}

/// A harness with a fill of `k`, request 1, that the host has taken and not finished in time.
fn with_late_fill(abilities: TierAbilities) -> Harness {
    let mut harness = with_tier(abilities);
    harness.fetch("k");
    miss(&mut harness, 0);
    harness.answer(0, "k", "loaded");
    take(&mut harness, 1);
    harness.advance(6_000);
    harness
}

#[test]
fn t03_t06_a_late_fill_that_compares_overwrites_nothing_and_any_other_is_removed() {
    for (abilities, then) in [(PLAIN, Some(Remove)), (LEASES, None)] {
        let mut harness = with_late_fill(abilities);
        assert_eq!((kinds(&harness), harness.table.counts().tier_write_errors), (vec![Read, Fill], 1));
        harness.put("k", "new");
        finish(&mut harness, 2);
        assert_eq!(finish(&mut harness, 1), Status::LATE);
        assert_eq!(kinds(&harness).get(3).copied(), then);
        // A late fill of a key that was not written since has done its work.
        let mut harness = with_late_fill(abilities);
        assert_eq!((finish(&mut harness, 1), kinds(&harness).len()), (Status::LATE, 2));
    }
}

#[test]
fn l05_t07_a_drain_gives_up_what_cannot_be_sent_because_too_many_writes_are_late() {
    let mut harness = Harness::with_tier(PLAIN, |settings| settings.second_tier.max_requests = 1);
    harness.put("k", "1");
    take(&mut harness, 0);
    harness.advance(100_000);
    let upto = harness.table.tier_written();
    assert_eq!((harness.tier.len(), harness.table.has_tier_written(upto)), (1, Some(false)));
    harness.drain(10_000);
    assert!(harness.table.is_over());
    assert_eq!(harness.table.has_tier_written(upto), None);
    finish(&mut harness, 0);
    assert_eq!(harness.tier.len(), 1, "nothing begins after the end");
}

#[test]
fn l05_t07_a_drain_does_not_wait_longer_for_a_write_than_its_time_limit() {
    let mut harness = with_tier(PLAIN);
    harness.put("k", "1");
    harness.drain(60_000);
    harness.advance(4_999);
    assert!(!harness.table.is_over());
    harness.advance(1);
    assert!(harness.table.is_over());
}

#[test]
fn l05_t07_a_drain_tries_each_write_once_whatever_comes_of_the_others() {
    let mut harness = Harness::with_tier(PLAIN, |settings| settings.second_tier.batch_keys = 1);
    for key in ["a", "b", "c"] {
        harness.put(key, "1");
    }
    harness.drain(60_000);
    assert_eq!(end(&mut harness, 0, TierEnd::Dropped), Status::OK);
    assert_eq!((finish(&mut harness, 1), finish(&mut harness, 2)), (Status::OK, Status::OK));
    assert!(harness.table.is_over());
    assert_eq!((kinds(&harness), harness.table.counts().tier_writes), (vec![Write; 3], 2));
    assert_eq!((harness.table.has_tier_written(0), harness.table.has_tier_written(1)), (Some(true), None));
}

#[test]
fn l05_t07_a_drain_writes_what_waits_behind_a_fill_or_a_clear_that_fails() {
    let mut harness = with_tier(PLAIN);
    harness.fetch("k");
    miss(&mut harness, 0);
    harness.answer(0, "k", "loaded");
    harness.put("a", "1");
    harness.drain(60_000);
    end(&mut harness, 1, TierEnd::Dropped);
    assert_eq!((kinds(&harness), finish(&mut harness, 2)), (vec![Read, Fill, Write], Status::OK));
    assert!(harness.table.is_over());
    assert_eq!(harness.table.has_tier_written(1), Some(true));

    let mut harness = with_tier(PLAIN);
    harness.step(|table, cx| table.clear_behind(cx));
    harness.put("a", "1");
    harness.drain(60_000);
    end(&mut harness, 0, TierEnd::Dropped);
    assert_eq!((kinds(&harness), finish(&mut harness, 1)), (vec![Clear, Write], Status::OK));
    assert!(harness.table.is_over());
    assert_eq!(harness.table.has_tier_written(2), None, "the clear is lost");
}

#[test]
fn l05_t07_a_drain_tries_the_newest_write_of_a_key_whose_earlier_one_failed() {
    let mut harness = with_tier(PLAIN);
    harness.put("a", "1");
    harness.put("a", "2");
    harness.drain(60_000);
    for nth in 0..2 {
        assert!(!harness.table.is_over());
        end(&mut harness, nth, TierEnd::Dropped);
    }
    assert!(harness.table.is_over());
    assert_eq!((kinds(&harness), harness.table.has_tier_written(1)), (vec![Write; 2], None));
}

#[test]
fn l05_t01_a_drain_does_not_wait_for_a_second_tier_that_is_avoided() {
    let mut harness = Harness::with_tier(PLAIN, |settings| settings.second_tier.break_after = 1);
    harness.fetch("k");
    miss(&mut harness, 0);
    harness.fetch("fails");
    end(&mut harness, 1, TierEnd::Dropped);
    assert!(harness.table.tier_gauges().1, "the second tier is avoided");
    harness.drain(600_000);
    for nth in 0..harness.requests.len() {
        for key in harness.requests[nth].keys() {
            harness.answer(nth, &key, "v");
        }
        harness.finish(nth);
    }
    assert!(harness.table.is_over());
    assert_eq!(kinds(&harness), [Read; 2]);
}

#[test]
fn t07_what_was_looked_up_before_a_clear_is_not_filled_after_it() {
    let mut harness = with_tier(PLAIN);
    harness.fetch("k");
    miss(&mut harness, 0);
    // With very many running loads the clear may be finished before the last of them is overtaken.
    harness.step(|table, cx| table.clear_behind(cx));
    finish(&mut harness, 1);
    harness.answer(0, "k", "from before");
    assert_eq!(kinds(&harness), [Read, Clear]);
}

#[test]
fn t12_if_a_late_write_leaves_too_many_keys_to_remove_everything_is_cleared() {
    let mut harness = Harness::with_tier(PLAIN, |settings| settings.second_tier.pending_keys = 4);
    for key in ["a", "b", "c", "d"] {
        harness.put(key, "1");
    }
    finish(&mut harness, 0);
    take(&mut harness, 1);
    harness.advance(6_000);
    finish(&mut harness, 2);
    for key in ["b", "c", "d"] {
        harness.put(key, "2");
    }
    let mut next = 3;
    while harness.table.tier_gauges().0 > 0 {
        finish(&mut harness, next);
        next += 1;
    }
    harness.put("e", "1");
    harness.put("f", "1");
    harness.put("g", "1");
    assert_eq!(harness.table.tier_gauges().0, 3);
    finish(&mut harness, 1);
    assert_eq!((harness.table.counts().tier_overflows, harness.table.tier_gauges().0), (1, 1), "the whole second tier is cleared");
}

/// An event of the property below.
#[derive(Clone, Debug)]
enum Step {
    Put,
    Remove,
    Clear,
    Invalidate,
    Fetch,
    /// The host does what a request asks, and keeps the request.
    Do {
        nth: usize,
    },
    /// The host ends a request.
    End {
        nth: usize,
        does_first: bool,
    },
    Provide {
        nth: usize,
    },
    Advance {
        ms: u64,
    },
}

fn steps() -> impl Strategy<Value = Step> {
    let nth = 0..4_usize;
    prop_oneof![
        3 => Just(Step::Put),
        1 => Just(Step::Remove),
        1 => Just(Step::Clear),
        2 => Just(Step::Invalidate),
        4 => Just(Step::Fetch),
        5 => nth.clone().prop_map(|nth| Step::Do { nth }),
        5 => (nth.clone(), any::<bool>()).prop_map(|(nth, does_first)| Step::End { nth, does_first }),
        4 => nth.prop_map(|nth| Step::Provide { nth }),
        3 => prop_oneof![Just(60), Just(1_000), Just(5_000)].prop_map(|ms| Step::Advance { ms }),
    ]
}

/// One process, one key, and a second tier that compares nothing. The version of the key grows with each write.
struct World {
    harness: Harness,
    version: u64,
    /// The version at which each request was handed to the provider.
    provided: Vec<u64>,
    /// The version in the second tier.
    cell: Option<u64>,
    /// Which requests for the second tier the host has done, and which it has ended.
    is_done: Vec<bool>,
    is_ended: Vec<bool>,
}

impl World {
    fn note(&mut self) {
        self.provided.resize(self.harness.requests.len(), self.version);
        self.is_done.resize(self.harness.tier.len(), false);
        self.is_ended.resize(self.harness.tier.len(), false);
    }

    fn do_request(&mut self, nth: usize) {
        if self.is_done[nth] || self.is_ended[nth] {
            return;
        }
        if !take(&mut self.harness, nth) {
            self.is_ended[nth] = true;
            end(&mut self.harness, nth, TierEnd::Dropped);
            return;
        }
        self.is_done[nth] = true;
        let handout = self.harness.tier[nth].clone();
        match handout.kind {
            Read => {
                let given = match self.cell {
                    Some(version) => TierAnswer::Hit(bytes(&version.to_string()), StoreTerms::default(), Box::default()),
                    None => TierAnswer::Miss(Box::default()),
                };
                self.harness.step(|table, cx| table.tier_answer(handout.id, 0, given, cx));
            }
            Fill | Write => {
                let text = handout.entries[0].answer.value().and_then(|value| value.as_bytes()).expect("bytes").to_vec();
                self.cell = String::from_utf8(text).expect("text").parse().ok();
            }
            Remove | Clear => self.cell = None,
        }
    }

    fn step(&mut self, step: &Step) {
        let from_end = |len: usize, nth: usize| len.checked_sub(nth + 1);
        match *step {
            Step::Put => {
                self.version += 1;
                let text = self.version.to_string();
                self.harness.put("k", &text);
            }
            Step::Remove => {
                self.version += 1;
                self.harness.remove("k");
            }
            Step::Clear => {
                self.version += 1;
                self.harness.step(|table, cx| table.clear_behind(cx));
                self.harness.clear();
            }
            Step::Invalidate => self.harness.invalidate("k"),
            Step::Fetch => drop(self.harness.fetch("k")),
            Step::Do { nth } => from_end(self.harness.tier.len(), nth).into_iter().for_each(|nth| self.do_request(nth)),
            Step::End { nth, does_first } => {
                let Some(nth) = from_end(self.harness.tier.len(), nth) else { return };
                if does_first {
                    self.do_request(nth);
                }
                if !std::mem::replace(&mut self.is_ended[nth], true) {
                    end(&mut self.harness, nth, if self.is_done[nth] { TierEnd::Finished } else { TierEnd::Dropped });
                }
            }
            Step::Provide { nth } => {
                if let Some(nth) = from_end(self.harness.requests.len(), nth) {
                    let text = self.provided[nth].to_string();
                    self.harness.answer(nth, "k", &text);
                    self.harness.finish(nth);
                }
            }
            Step::Advance { ms } => self.harness.advance(ms),
        }
        self.note();
        if let Summary::Value(text) = self.harness.lookup("k") {
            assert_eq!(text, self.version.to_string(), "the store has an older version");
        }
    }

    fn settle(&mut self) {
        for _ in 0..60 {
            while let Some(nth) = self.is_ended.iter().position(|is_ended| !is_ended) {
                let from_end = self.is_ended.len() - nth - 1;
                self.step(&Step::End { nth: from_end, does_first: true });
            }
            for nth in 0..self.harness.requests.len() {
                self.step(&Step::Provide { nth });
            }
            self.step(&Step::Advance { ms: 60_000 });
            if self.harness.table.is_idle() && self.is_ended.iter().all(|is_ended| *is_ended) {
                return;
            }
        }
        panic!("the table never comes to rest");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn t06_t07_no_order_of_late_writes_leaves_an_older_version(
        steps in proptest::collection::vec(steps(), 1..80), max_requests in 1..4_u32, break_after in prop_oneof![Just(0_u32), Just(2)]
    ) {
        let harness = Harness::with_tier(PLAIN, |settings| {
            (settings.second_tier.max_requests, settings.second_tier.break_after) = (max_requests, break_after);
            settings.tasks.max_running = 2;
        });
        let mut world = World { harness, version: 0, provided: Vec::new(), cell: None, is_done: Vec::new(), is_ended: Vec::new() };
        steps.iter().for_each(|step| world.step(step));
        world.settle();
        prop_assert!(world.cell.is_none_or(|version| version == world.version), "{:?} is left, and {} was written", world.cell, world.version);
    }
}
