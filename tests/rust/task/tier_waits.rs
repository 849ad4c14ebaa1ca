//! Keys that another process loads (rule T10): they are looked up again until their answer is there, for a bounded time.

use super::harness::*;
use kvlight::base::config::{LeavePolicy, Overflow, QueueOrder, Settings};
use kvlight::base::{Status, StoreTerms};
use kvlight::task::Source;
use kvlight::task::second_tier::{TierAbilities, TierRequestKind};
use kvlight::task::table::{TierAnswer, TierEnd};

const LEASES: TierAbilities = TierAbilities { is_conditional: true, grants_leases: true, takes_objects: false };

fn with_tier(set: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with_tier(LEASES, set)
}

fn names(harness: &Harness, nth: usize) -> Vec<String> {
    harness.tier[nth].keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
}

/// Gives the same answer to all keys of the latest request, which must be a read.
fn answer(harness: &mut Harness, given: impl Fn() -> TierAnswer) {
    let handout = harness.tier.last().expect("a request").clone();
    assert_eq!(handout.kind, TierRequestKind::Read);
    for index in 0..handout.keys.len() {
        let status = harness.step(|table, cx| table.tier_answer(handout.id, index, given(), cx));
        assert_eq!(status, Status::OK);
    }
    harness.step(|table, cx| table.tier_finish(handout.id, TierEnd::Finished, cx));
}

fn leased(harness: &mut Harness) {
    answer(harness, || TierAnswer::Leased);
}

fn hit(harness: &mut Harness, text: &str) {
    answer(harness, || TierAnswer::Hit(bytes(text), StoreTerms::default(), Box::default()));
}

#[test]
fn t10_a_key_that_another_process_loads_is_looked_up_again_until_its_answer_is_there() {
    let mut harness = with_tier(|_| {});
    let waiter = harness.fetch("k");
    leased(&mut harness);
    assert_eq!((harness.tier.len(), harness.requests.len()), (1, 0));
    harness.advance(4);
    assert_eq!(harness.tier.len(), 1);
    harness.advance(1);
    assert_eq!((harness.tier.len(), harness.tier[1].steals.as_slice()), (2, &[][..]), "after 5 ms at the earliest");
    let joins = harness.fetch("k");
    leased(&mut harness);
    harness.advance(5);
    hit(&mut harness, "theirs");
    assert!([&waiter, &joins].iter().all(|waiter| waiter.outcome() == value("theirs") && waiter.details(0).source == Source::SecondTier));
    assert_eq!((harness.requests.len(), harness.lookup("k")), (0, value("theirs")));
    let counts = harness.table.counts();
    assert_eq!((counts.tier_waited, counts.tier_stolen, counts.tier_hits, counts.tier_misses), (1, 0, 1, 0));
    assert_eq!(harness.table.next_due(), None);
}

#[test]
fn t10_a_leased_key_is_looked_up_less_and_less_often_and_then_its_lease_is_taken_over() {
    let mut harness = with_tier(|_| {});
    let waiter = harness.fetch("k");
    let mut looks = Vec::new();
    let mut waited = 0;
    while harness.tier.last().is_some_and(|last| last.steals.is_empty()) {
        leased(&mut harness);
        let before = harness.tier.len();
        while harness.tier.len() == before {
            harness.advance(1);
            waited += 1;
        }
        looks.push(waited);
    }
    assert_eq!(looks[..5], [5, 10, 15, 20, 25]);
    assert!(looks.windows(2).all(|pair| (5..=50).contains(&(pair[1] - pair[0]))) && looks.len() < 50, "{looks:?}");
    assert_eq!((waited, harness.tier.last().map(|last| last.steals.clone())), (1_000, Some(vec![0])), "the limit is l2.wait_ms");
    answer(&mut harness, || TierAnswer::Miss(Box::from(*b"stolen")));
    harness.answer(0, "k", "mine");
    assert_eq!(waiter.outcome(), value("mine"));
    let fill = harness.tier.last().expect("a fill");
    assert_eq!((fill.kind, &*fill.entries[0].token), (TierRequestKind::Fill, &b"stolen"[..]));
    assert_eq!((harness.table.counts().tier_waited, harness.table.counts().tier_stolen), (1, 1));
}

#[test]
fn t10_t03_a_key_whose_lease_cannot_be_taken_over_is_loaded_but_not_filled() {
    let mut harness = with_tier(|settings| settings.second_tier.wait = ms(1));
    let waiter = harness.fetch("k");
    leased(&mut harness);
    harness.advance(1);
    assert_eq!(harness.tier[1].steals, [0]);
    leased(&mut harness);
    harness.answer(0, "k", "mine");
    assert_eq!((waiter.outcome(), harness.tier.len(), harness.lookup("k")), (value("mine"), 2, value("mine")));
}

#[test]
fn t10_without_single_flight_or_a_time_to_wait_a_leased_key_is_a_miss() {
    let off: [fn(&mut Settings); 2] = [|settings| settings.second_tier.single_flight = false, |settings| settings.second_tier.wait = ms(0)];
    for set in off {
        let mut harness = with_tier(set);
        let waiter = harness.fetch("k");
        leased(&mut harness);
        harness.answer(0, "k", "mine");
        assert_eq!((waiter.outcome(), harness.tier.len()), (value("mine"), 1));
        assert_eq!((harness.table.counts().tier_waited, harness.table.counts().tier_misses), (0, 1));
    }
}

#[test]
fn t10_the_polls_of_one_process_are_one_request() {
    let mut harness = with_tier(|_| {});
    let all = keys(20);
    harness.fetch_all(&refs(&all));
    leased(&mut harness);
    harness.advance(5);
    assert_eq!(names(&harness, 1), all);
}

#[test]
fn t10_f09_f10_a_fetch_that_waits_for_another_process_may_leave() {
    let mut harness = with_tier(|_| {});
    let cancelled = harness.fetch("a");
    leased(&mut harness);
    let late = harness.fetch_with("b", |options| {
        (options.fetch.timeout, options.fetch.on_timeout) = (Some(ms(3)), LeavePolicy::Cancel);
    });
    leased(&mut harness);
    harness.cancel(&cancelled);
    harness.advance(100);
    assert_eq!((cancelled.outcome(), late.outcome()), (failed_with(Status::ERR_CANCELLED), failed_with(Status::ERR_TIMEOUT)));
    assert_eq!((harness.tier.len(), harness.requests.len()), (2, 0));
    assert!(harness.table.is_idle() && harness.table.next_due().is_none());
}

/// A fetch that times out while its key is looked up.
fn impatient(harness: &mut Harness, key: &str) {
    let waiter = harness.fetch_with(key, |options| options.fetch.timeout = Some(ms(3)));
    harness.advance(3);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_TIMEOUT));
}

#[test]
fn f10a_t01_what_a_look_finds_after_the_timeout_of_its_last_waiter_is_stored() {
    let mut harness = with_tier(|_| {});
    impatient(&mut harness, "k");
    hit(&mut harness, "theirs");
    assert_eq!((harness.lookup("k"), harness.requests.len(), harness.table.counts().tier_hits), (value("theirs"), 0, 1));
    assert!(harness.table.is_idle());
}

#[test]
fn f10a_t01_a_key_that_a_look_does_not_find_after_the_timeout_of_its_last_waiter_is_loaded_if_a_slot_is_free() {
    for lingers in [false, true] {
        let mut harness = with_tier(|settings| {
            settings.tasks.max_running = 1;
            settings.tasks.batch_linger = ms(if lingers { 1_000 } else { 0 });
        });
        impatient(&mut harness, "k");
        answer(&mut harness, || TierAnswer::Miss(Box::default()));
        assert_eq!(harness.handed(), [["k"]]);
        let busy = harness.fetch("other");
        answer(&mut harness, || TierAnswer::Miss(Box::default()));
        harness.answer(0, "k", "mine");
        assert_eq!(harness.lookup("k"), value("mine"));
        harness.advance(1_000);
        impatient(&mut harness, "late");
        answer(&mut harness, || TierAnswer::Miss(Box::default()));
        assert_eq!(harness.handed(), [["k"], ["other"]]);
        harness.answer(1, "other", "mine");
        assert_eq!((busy.outcome(), harness.requests.len()), (value("mine"), 2), "a load that nobody waits for does not wait for a slot");
        assert!(harness.table.is_idle());
    }
}

#[test]
fn f10a_a_look_ends_with_its_last_waiter_if_that_one_is_cancelled_or_has_chosen_so() {
    for (policy, goes_on) in [(LeavePolicy::Cancel, false), (LeavePolicy::Continue, true)] {
        let mut harness = with_tier(|_| {});
        let timed_out = harness.fetch_with("a", |options| (options.fetch.timeout, options.fetch.on_timeout) = (Some(ms(3)), policy));
        let cancelled = harness.fetch_with("b", |options| options.fetch.on_cancel = policy);
        harness.cancel(&cancelled);
        harness.advance(3);
        assert!(timed_out.has_ended() && cancelled.has_ended());
        assert_eq!(harness.table.is_idle(), !goes_on);
    }
}

#[test]
fn f10a_t10_fetches_that_time_out_one_after_the_other_take_the_lease_over() {
    let mut harness = with_tier(|settings| settings.second_tier.wait = ms(100));
    let mut looks = 0;
    for _ in 0..100 {
        impatient(&mut harness, "k");
        if harness.tier.len() > looks {
            looks = harness.tier.len();
            let is_last = !harness.tier[looks - 1].steals.is_empty();
            answer(&mut harness, || if is_last { TierAnswer::Miss(Box::from(*b"lease")) } else { TierAnswer::Leased });
        }
    }
    assert_eq!((harness.handed(), harness.table.counts().tier_stolen), (vec![vec!["k".to_owned()]], 1));
}

#[test]
fn t10_f08_a_write_ends_the_wait() {
    let mut harness = with_tier(|_| {});
    let (put, removed) = (harness.fetch("put"), harness.fetch("removed"));
    for nth in 0..2 {
        let id = harness.tier[nth].id;
        harness.step(|table, cx| table.tier_answer(id, 0, TierAnswer::Leased, cx));
        harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    }
    harness.put("put", "written");
    assert_eq!(put.outcome(), value("written"));
    harness.remove("removed");
    harness.advance(5);
    // The removal of this key is not finished, so the second tier may still have the older entry, and the key is loaded at once.
    harness.answer(0, "removed", "new");
    assert_eq!(removed.outcome(), value("new"));
}

#[test]
fn t10_l05_a_close_ends_the_wait_and_a_drain_lets_it_finish() {
    for drains in [false, true] {
        let mut harness = with_tier(|_| {});
        let waiter = harness.fetch("k");
        leased(&mut harness);
        if drains {
            harness.drain(10_000);
            harness.advance(5);
            hit(&mut harness, "theirs");
            assert_eq!(waiter.outcome(), value("theirs"));
        } else {
            harness.close();
            assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED));
        }
        assert!(harness.table.is_over());
    }
}

#[test]
fn t10_a_refresh_waits_for_no_other_process() {
    let mut harness = with_tier(|_| {});
    harness.refresh("k");
    leased(&mut harness);
    harness.answer(0, "k", "mine");
    assert_eq!(harness.lookup("k"), value("mine"));
}

#[test]
fn t10_t01_a_second_tier_that_stops_answering_ends_the_wait() {
    let mut harness = with_tier(|settings| settings.second_tier.break_after = 1);
    let (first, second) = (harness.fetch("a"), harness.fetch("b"));
    for nth in 0..2 {
        let id = harness.tier[nth].id;
        harness.step(|table, cx| table.tier_answer(id, 0, TierAnswer::Leased, cx));
        harness.step(|table, cx| table.tier_finish(id, TierEnd::Finished, cx));
    }
    harness.advance(55);
    assert_eq!(harness.tier.len(), 3);
    for nth in 0..harness.requests.len() {
        for key in harness.requests[nth].keys() {
            harness.answer(nth, &key, "mine");
        }
    }
    assert_eq!((first.outcome(), second.outcome()), (value("mine"), value("mine")));
}

#[test]
fn s19_t10_very_many_polls_are_begun_in_steps() {
    let mut harness = with_tier(|settings| settings.second_tier.max_requests = 100);
    harness.budget = 50;
    let all = keys(300);
    harness.fetch_all(&refs(&all));
    for nth in 0..harness.tier.len() {
        let handout = harness.tier[nth].clone();
        for index in 0..handout.keys.len() {
            harness.step(|table, cx| table.tier_answer(handout.id, index, TierAnswer::Leased, cx));
        }
        harness.step(|table, cx| table.tier_finish(handout.id, TierEnd::Finished, cx));
    }
    let (before, mut holds) = (harness.tier.len(), 0);
    harness.advance_by(5, |_| holds += 1);
    assert!(holds >= 5, "{holds} holds");
    assert_eq!(harness.tier[before..].iter().map(|handout| handout.keys.len()).sum::<usize>(), 300);
}

/// Every place in the queue is held by a key that the large fetch asks for, too, and so must not be displaced. However many of its other keys
/// need a place, the search looks at each held place once, and only at a few in each step.
#[test]
fn s19_f13b_a_search_for_places_after_a_look_in_the_second_tier_is_done_in_steps() {
    const STEP: usize = 16;
    const HELD: usize = 5 * STEP;
    for many in [1, 10 * STEP] {
        let mut harness = Harness::with_tier(TierAbilities::default(), |settings| {
            (settings.second_tier.max_requests, settings.second_tier.batch_keys) = (2_000, 256);
            (settings.tasks.max_running, settings.tasks.queue_max_keys) = (1, HELD as u32);
            (settings.tasks.queue_overflow, settings.tasks.queue_order) = (Overflow::Reject, QueueOrder::Lifo);
        });
        harness.fetch("running");
        answer(&mut harness, || TierAnswer::Miss(Box::default()));
        let mut own = Vec::new();
        for nth in 0..HELD {
            own.push(harness.fetch(&format!("own{nth}")));
            answer(&mut harness, || TierAnswer::Miss(Box::default()));
        }
        let mut names = keys(many);
        names.extend((0..HELD).map(|nth| format!("own{nth}")));
        let batch = harness.fetch_each(&refs(&names));
        (harness.is_slow, harness.budget) = (true, STEP);
        answer(&mut harness, || TierAnswer::Miss(Box::default()));
        // One hold for the last answer, and one for the finish.
        let mut holds = 2;
        while harness.go_on() {
            holds += 1;
        }
        let least = (many + HELD) / (STEP + 1);
        assert!((least..2 * least).contains(&holds), "{many} keys: {holds} holds, at least {least} expected");
        assert!(own.iter().all(|waiter| !waiter.has_ended()), "the large fetch has taken no place from its own keys (F13g)");
        assert!((0..many).all(|nth| batch.details(nth).status() == Status::ERR_QUEUE_FULL));
    }
}
