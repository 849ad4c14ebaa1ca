//! Joiners: fetches of one key that joined a load and that nothing but its end can settle. For each of them the table keeps only where the
//! outcome is delivered (rules F06, F08, F09, F11, F13, F19, R02, L05, L07).

use super::harness::{Harness, Options, Summary, Waiter, failed_with, ms, stale, value};
use kvlight::base::Status;
use kvlight::base::config::ReadMode;
use kvlight::task::{Cancel, Effects, Source};

fn join(harness: &mut Harness, key: &str) -> Waiter {
    harness.join(key, |_| {}).expect("there is a load to join")
}

#[test]
fn f06_a_joiner_gets_the_outcome_of_the_load() {
    let mut harness = Harness::new();
    let first = harness.fetch("k");
    let joined = [join(&mut harness, "k"), join(&mut harness, "k")];
    let last = harness.fetch_all(&["k"]);
    assert_eq!((harness.requests.len(), harness.table.counts().misses.joined), (1, 3));
    harness.answer(0, "k", "v");
    for waiter in [&first, &joined[0], &joined[1], &last] {
        assert_eq!(waiter.outcome(), value("v"));
    }
    let (one, other) = (first.details(0), joined[1].details(0));
    assert_eq!((one.source, other.source, other.attempts), (Source::Provider, Source::Joined, 1));
    assert!(harness.table.is_idle());
}

#[test]
fn f06_a_load_that_has_ended_or_whose_answer_may_be_in_the_store_is_not_joined() {
    let mut harness = Harness::new();
    assert!(harness.join("k", |_| {}).is_none(), "there is no load");
    harness.fetch("k");
    assert!(harness.join("k", |options| options.fetch.read = ReadMode::CacheOnly).is_none());
    assert!(harness.join("k", |options| options.missed_before = true).is_none(), "the answer may have been stored since");
    let forced = |options: &mut Options| (options.missed_before, options.fetch.read) = (true, ReadMode::Refresh);
    let joined = harness.join("k", forced).expect("a refresh does not read the store");
    harness.answer(0, "k", "v");
    assert_eq!(joined.outcome(), value("v"));
    assert!(harness.join("k", |_| {}).is_none(), "the load has ended");
}

#[test]
fn f09_a_load_with_joiners_continues_when_the_fetch_that_started_it_is_cancelled() {
    for waits in [true, false] {
        let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
        if waits {
            harness.fetch("before");
        }
        let first = harness.fetch("k");
        let joined = join(&mut harness, "k");
        harness.cancel(&first);
        assert_eq!((first.outcome(), joined.outcome()), (failed_with(Status::ERR_CANCELLED), Summary::Pending));
        if waits {
            harness.answer(0, "before", "b");
            harness.finish(0);
        }
        assert!(harness.hooks.is_empty());
        harness.answer(usize::from(waits), "k", "v");
        assert_eq!(joined.outcome(), value("v"));
    }
}

#[test]
fn f13c_a_joiner_raises_the_urgency_of_its_key() {
    let mut harness = Harness::with(|settings| (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, 1));
    harness.fetch("before");
    let (one, other) = (harness.fetch("one"), harness.fetch("other"));
    let joined = harness.join("other", |options| options.urgency = 5).expect("there is a load to join");
    harness.answer(0, "before", "b");
    harness.finish(0);
    harness.answer(1, "other", "o");
    assert_eq!((joined.outcome(), other.outcome(), one.outcome()), (value("o"), value("o"), Summary::Pending));
}

#[test]
fn f19_a_joiner_adds_its_priority_and_its_wish_to_store() {
    let mut harness = Harness::new();
    harness.fetch_with("k", |options| options.fetch.read = ReadMode::NoStore);
    harness.join("k", |options| options.fetch.priority = Some(4.0)).expect("there is a load to join");
    harness.answer(0, "k", "v");
    assert_eq!((harness.lookup("k"), harness.store.priority("k")), (value("v"), Some(4.0)));
}

#[test]
fn f08_a_write_treats_joiners_as_it_treats_other_waiters() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    let running = harness.fetch("k");
    let joined = join(&mut harness, "k");
    harness.put("k", "newer");
    assert_eq!(joined.outcome(), Summary::Pending, "an overtaken load still serves its joiners");
    assert!(harness.join("k", |_| {}).is_none(), "an overtaken load is not joined");
    harness.fetch("waits");
    let waiting = join(&mut harness, "waits");
    harness.put("waits", "put");
    assert_eq!(waiting.outcome(), value("put"));
    harness.answer(0, "k", "older");
    assert_eq!([running.outcome(), joined.outcome()], [value("older"), value("older")]);
    assert_eq!(harness.lookup("k"), value("newer"));
}

#[test]
fn f11_a_joiner_gets_the_error_of_the_last_attempt() {
    let mut harness = Harness::with(|settings| {
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(100);
    });
    harness.fetch("k");
    let early = join(&mut harness, "k");
    harness.fail(0, "k", 1);
    let late = join(&mut harness, "k");
    harness.advance(100);
    harness.fail(1, "k", 2);
    assert_eq!([early.outcome(), late.outcome()], [Summary::Error(2), Summary::Error(2)]);
    assert_eq!(early.details(0).attempts, 2);
    assert!(harness.table.is_idle());
}

#[test]
fn f13_joiners_of_a_key_that_loses_its_place_fail_with_it() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.queue_max_keys = 1;
    });
    harness.fetch("running");
    harness.fetch("k");
    let joined = join(&mut harness, "k");
    harness.fetch_with("urgent", |options| options.urgency = 1);
    assert_eq!(joined.outcome(), failed_with(Status::ERR_QUEUE_FULL));
}

#[test]
fn r02_joiners_get_the_fallback_when_the_load_fails() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    harness.store.make_stale("k");
    let first = harness.fetch("k");
    let joined = [join(&mut harness, "k"), join(&mut harness, "k")];
    harness.fail_for_good(0, "k", 7);
    for waiter in [&first, &joined[0], &joined[1]] {
        assert_eq!(waiter.outcome(), stale("old", Some(Status::ERR_PROVIDER)));
    }
    assert_eq!(harness.table.counts().stale_error, 3);
}

#[test]
fn l05_a_close_settles_joiners() {
    for (max_running, hooks) in [(1, vec![(0, Cancel::Closed)]), (2, vec![(0, Cancel::Closed), (1, Cancel::Closed)])] {
        let mut harness = Harness::with(|settings| settings.tasks.max_running = max_running);
        harness.fetch("before");
        harness.fetch("k");
        let joined = join(&mut harness, "k");
        harness.close();
        assert_eq!((joined.outcome(), harness.hooks.clone()), (failed_with(Status::ERR_CLOSED), hooks));
        assert!(harness.table.is_idle());
    }
}

#[test]
fn l05_a_drain_waits_for_a_load_with_a_joiner() {
    let mut harness = Harness::new();
    let first = harness.fetch("k");
    let joined = join(&mut harness, "k");
    harness.cancel(&first);
    harness.drain(1_000);
    assert_eq!(joined.outcome(), Summary::Pending);
    harness.answer(0, "k", "v");
    assert_eq!(joined.outcome(), value("v"));
}

#[test]
fn l07_a_panic_of_the_table_settles_joiners() {
    let mut harness = Harness::new();
    harness.fetch("k");
    let joined = join(&mut harness, "k");
    let mut out = Effects::default();
    harness.table.fail_everything(&mut out);
    let settled: Vec<_> = out.joined.iter().map(|load| (load.key.to_vec(), load.outcome.status(), load.joiners.len())).collect();
    assert_eq!(settled, [(b"k".to_vec(), Status::ERR_PANIC, 1)]);
    assert_eq!(joined.outcome(), Summary::Pending, "this harness has not delivered the result");
    assert!(harness.table.is_idle());
}
