//! Fallbacks: expired entries that are served if there is nothing better (rules R02 to R04, R12, R13).

use super::harness::{Harness, Summary, Waiter, failed_with, ms, provider_error, stale, value};
use super::recording::RecordedResult;
use kvlight::base::Status;
use kvlight::base::config::Settings;
use kvlight::task::breaker::{BreakerOverride, BreakerState};
use kvlight::task::{Form, ProviderAnswer, Source, Unanswered, Verdict};

const FAILED: Option<Status> = Some(Status::ERR_PROVIDER);

/// A harness in which the entries of `k` and of `n`, which is null, have expired.
fn aged(set: impl FnOnce(&mut Settings)) -> Harness {
    let mut harness = Harness::with(set);
    harness.put("k", "old");
    harness.put_answer("n", &kvlight::base::Answer::Null);
    ["k", "n"].into_iter().for_each(|key| harness.store.make_stale(key));
    harness
}

/// A harness in which a load of `k` has just failed, so that `k` is not loaded again for a second.
fn throttled() -> Harness {
    let mut harness = aged(|_| {});
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 503);
    harness.finish(0);
    assert_eq!(waiter.outcome(), stale("old", FAILED));
    harness
}

#[test]
fn r02_a_failure_is_covered_by_the_fallback() {
    let mut harness = aged(|_| {});
    let (value_of, null_of, nothing_of) = (harness.fetch("k"), harness.fetch("n"), harness.fetch("new"));
    for (nth, key) in ["k", "n", "new"].into_iter().enumerate() {
        harness.fail(nth, key, 503);
        harness.finish(nth);
    }
    assert_eq!(value_of.outcome(), stale("old", FAILED));
    assert_eq!(null_of.outcome(), Summary::Stale(Box::new(Summary::Null), FAILED));
    assert_eq!(nothing_of.outcome(), Summary::Error(503));
    assert_eq!(harness.table.counts().stale_error, 2);
    let RecordedResult { outcome, .. } = value_of.results().pop().expect("there is a result");
    assert_eq!((outcome.source, outcome.age_ms, outcome.status(), outcome.attempts), (Source::Stale, 7, Status::VALUE, 1));
    let Verdict::Stale(stale) = outcome.verdict else { panic!("the outcome is not stale") };
    assert_eq!(stale.failure.map(|error| error.code()), Some(503), "the failure is available to the program");
}

#[test]
fn r02_every_waiter_receives_the_fallback_whatever_the_failure() {
    let set = |settings: &mut Settings| settings.fetch.attempt_timeout = Some(ms(10));
    let unanswered = |harness: &mut Harness| {
        harness.finish_with(0, Unanswered::Unanswered);
    };
    let failed = |harness: &mut Harness| {
        harness.finish_with(0, Unanswered::Failed(provider_error(1, true)));
    };
    let late = |harness: &mut Harness| harness.advance(10);
    let causes: [(&dyn Fn(&mut Harness), Status); 3] =
        [(&unanswered, Status::ERR_UNANSWERED), (&failed, Status::ERR_PROVIDER), (&late, Status::ERR_TIMEOUT)];
    for (cause, status) in causes {
        let mut harness = aged(set);
        let (first, joined) = (harness.fetch("k"), harness.fetch_all(&["k", "k"]));
        cause(&mut harness);
        let expected = stale("old", Some(status));
        assert_eq!(first.outcome(), expected);
        assert_eq!(joined.batch().map(|(outcomes, _)| outcomes), Some(vec![expected.clone(), expected]));
        assert_eq!(harness.table.counts().stale_error, 3);
    }
}

#[test]
fn s19_r02_a_fallback_counts_for_each_fetch_that_receives_it_in_whichever_step() {
    let mut harness = aged(|_| {});
    harness.budget = 4;
    let waiters: Vec<_> = (0..20).map(|_| harness.fetch("k")).collect();
    let joined = harness.join("k", |_| {}).expect("there is a load to join");
    harness.cancel(&waiters[3]);
    harness.is_slow = true;
    harness.fail_for_good(0, "k", 503);
    assert!(harness.has_long_work());
    harness.cancel(&waiters[19]);
    while harness.go_on() {}
    let is_covered = |waiter: &&Waiter| waiter.outcome() == stale("old", FAILED);
    assert_eq!((waiters.iter().chain([&joined]).filter(is_covered).count(), harness.table.counts().stale_error), (19, 19));
    for left in [&waiters[3], &waiters[19]] {
        assert_eq!(left.outcome(), failed_with(Status::ERR_CANCELLED));
    }
}

#[test]
fn r02_a_covered_failure_does_not_end_an_all_or_nothing_batch() {
    let mut harness = aged(|_| {});
    let whole = harness.ask(Form::All, &["k", "m"], |options| options.fetch.batch_mode = kvlight::base::config::BatchMode::AllOrNothing);
    harness.fail(0, "k", 503);
    harness.answer(0, "m", "v");
    assert_eq!(whole.batch(), Some((vec![stale("old", FAILED), value("v")], Status::OK)));
}

#[test]
fn r02_an_open_breaker_and_a_full_queue_are_failures_too() {
    let mut harness = aged(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys, settings.tasks.queue_max_keys) = (1, 1, 1);
    });
    harness.fetch("running");
    let waits = harness.fetch("n");
    let refused = harness.fetch("k");
    assert_eq!(refused.outcome(), stale("old", Some(Status::ERR_QUEUE_FULL)));
    let urgent = harness.fetch_with("urgent", |options| options.urgency = 5);
    assert_eq!(waits.outcome(), Summary::Stale(Box::new(Summary::Null), Some(Status::ERR_QUEUE_FULL)), "the key lost its place");
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    assert_eq!(urgent.outcome(), failed_with(Status::ERR_UNAVAILABLE));
    assert_eq!(harness.table.breaker_state(harness.clock.moment()), BreakerState::Open);
    for _ in 0..2 {
        assert_eq!(
            harness.fetch("k").outcome(),
            stale("old", Some(Status::ERR_UNAVAILABLE)),
            "a refusal by the breaker does not throttle the key"
        );
    }
    assert_eq!((harness.table.counts().stale_error, harness.table.counts().misses.throttled), (4, 0));
}

#[test]
fn r02_a_retry_comes_before_the_fallback() {
    let mut harness = aged(|settings| settings.fetch.retry.count = Some(1));
    let waiter = harness.fetch("k");
    harness.fail(0, "k", 503);
    harness.finish(0);
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.answer(1, "k", "new");
    assert_eq!((waiter.outcome(), harness.lookup("k")), (value("new"), value("new")));
}

#[test]
fn r02_a_cancel_a_fetch_timeout_and_a_close_are_not_covered() {
    let mut harness = aged(|_| {});
    let (cancelled, hasty) = (harness.fetch("k"), harness.fetch_with("k", |options| options.fetch.timeout = Some(ms(5))));
    let closed = harness.fetch("n");
    harness.cancel(&cancelled);
    harness.advance(5);
    harness.close();
    let outcomes = [cancelled.outcome(), hasty.outcome(), closed.outcome()];
    assert_eq!(outcomes, [Status::ERR_CANCELLED, Status::ERR_TIMEOUT, Status::ERR_CLOSED].map(failed_with));
}

#[test]
fn r02_an_error_can_forbid_the_fallback() {
    let mut harness = aged(|_| {});
    let waiter = harness.fetch("k");
    harness.give(0, "k", ProviderAnswer::Failed(provider_error(410, true).forbidding_stale()));
    assert_eq!(waiter.outcome(), Summary::Error(410));
    assert!(!harness.store.has("k"), "the fallback was removed");
}

#[test]
fn r02_a_write_meanwhile_is_not_a_fallback_for_an_overtaken_load() {
    let mut harness = aged(|_| {});
    let (first, removed) = (harness.fetch("k"), harness.fetch("n"));
    harness.put("k", "put");
    harness.remove("n");
    harness.give(0, "k", ProviderAnswer::Failed(provider_error(410, true).forbidding_stale()));
    harness.fail(1, "n", 503);
    assert_eq!((first.outcome(), removed.outcome(), harness.lookup("k")), (Summary::Error(410), Summary::Error(503), value("put")));
}

#[test]
fn r03_after_a_covered_failure_the_key_is_not_loaded_for_a_while() {
    let mut harness = throttled();
    for _ in 0..10 {
        assert_eq!(harness.fetch("k").outcome(), stale("old", FAILED), "the fallback is served at once");
    }
    assert_eq!(harness.requests.len(), 1);
    harness.advance(999);
    assert_eq!(harness.fetch("k").outcome(), stale("old", FAILED));
    harness.advance(1);
    let waiter = harness.fetch("k");
    assert_eq!((waiter.outcome(), harness.requests.len()), (Summary::Pending, 2));
    harness.answer(1, "k", "new");
    assert_eq!(waiter.outcome(), value("new"));
    let counts = harness.table.counts();
    assert_eq!((counts.stale_error, counts.misses.throttled, counts.misses.total()), (1, 11, 13));
    assert_eq!(harness.table.next_due(), None, "a throttling that has ended leaves no deadline");
}

#[test]
fn r03_a_write_a_clear_and_a_refresh_end_the_throttling() {
    type Ends = fn(&mut Harness);
    let ends: [(&str, Ends); 5] = [
        ("put", |harness| {
            harness.put("k", "put");
            harness.store.make_stale("k");
        }),
        ("remove", |harness| harness.remove("k")),
        ("expire", |harness| harness.expire("k")),
        ("clear", Harness::clear),
        ("refresh", |harness| harness.refresh("k")),
    ];
    for (name, end) in ends {
        let mut harness = throttled();
        end(&mut harness);
        let before = harness.requests.len();
        let waiter = harness.fetch("k");
        assert_eq!((waiter.outcome(), harness.requests.len()), (Summary::Pending, before + usize::from(name != "refresh")), "{name}");
    }
}

#[test]
fn r03_without_a_fallback_no_key_is_throttled() {
    let mut harness = Harness::new();
    for nth in 0..3 {
        let waiter = harness.fetch("k");
        harness.fail(nth, "k", 503);
        harness.finish(nth);
        assert_eq!(waiter.outcome(), Summary::Error(503));
    }
    let mut harness = throttled();
    harness.store.evict("k");
    harness.fetch("k");
    assert_eq!(harness.requests.len(), 2, "the fallback has left, so the key is loaded");
}

#[test]
fn r04_a_fetch_waits_no_longer_than_stale_timeout_and_the_load_continues() {
    let mut harness = aged(|settings| settings.fetch.stale_timeout = Some(ms(50)));
    let (waiter, without) = (harness.fetch("k"), harness.fetch("new"));
    harness.advance(49);
    assert_eq!(waiter.outcome(), Summary::Pending);
    harness.advance(1);
    assert_eq!((waiter.outcome(), without.outcome()), (stale("old", None), Summary::Pending));
    harness.advance(1_000);
    assert!(harness.hooks.is_empty(), "the provider is not notified");
    harness.answer(0, "k", "new");
    assert_eq!(harness.lookup("k"), value("new"));
    harness.answer(1, "new", "v");
    assert_eq!(without.outcome(), value("v"));
    assert_eq!((harness.table.counts().stale_timeout, harness.table.counts().flights_ended.succeeded), (1, 2));
    assert!(harness.table.is_idle());
}

#[test]
fn r04_stale_while_revalidate_is_delivered_at_once() {
    let mut harness = aged(|settings| settings.fetch.stale_timeout = Some(ms(0)));
    let whole = harness.fetch_all(&["k", "n"]);
    let expected = vec![stale("old", None), Summary::Stale(Box::new(Summary::Null), None)];
    assert_eq!(whole.batch(), Some((expected, Status::OK)));
    assert_eq!(harness.handed(), [["k", "n"]]);
    // Any number of other fetches join the load without leaving waiters behind.
    for _ in 0..1_000 {
        assert_eq!(harness.fetch("k").outcome(), stale("old", None));
    }
    let eager = harness.fetch_with("k", |options| options.fetch.stale_timeout = None);
    harness.cancel(&eager);
    assert_eq!((harness.requests.len(), harness.hooks.len()), (1, 0));
    harness.answer(0, "k", "new");
    harness.answer_null(0, "n");
    assert_eq!(harness.fetch("k").outcome(), value("new"));
    assert!(harness.table.is_idle());
}

#[test]
fn r04_a_load_that_continues_may_wait_be_retried_and_fail() {
    let mut harness = aged(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, 1);
        settings.fetch.stale_timeout = Some(ms(0));
        settings.fetch.retry.count = Some(1);
    });
    let busy = harness.fetch("busy");
    assert_eq!(harness.fetch("k").outcome(), stale("old", None), "the load waits for a slot");
    harness.answer(0, "busy", "v");
    harness.finish(0);
    assert_eq!((busy.outcome(), harness.handed().len()), (value("v"), 2));
    harness.fail(1, "k", 503);
    harness.finish(1);
    assert_eq!(harness.handed().len(), 3, "the load is retried");
    harness.fail(2, "k", 503);
    harness.finish(2);
    assert_eq!(harness.table.counts().flights_ended.failed, 1);
    assert_eq!(harness.fetch("k").outcome(), stale("old", FAILED), "the key is throttled");
    assert!(harness.table.is_idle());
}

#[test]
fn r04_each_fetch_has_its_own_stale_timeout() {
    let mut harness = aged(|_| {});
    let patient = harness.fetch("k");
    let hasty = harness.fetch_with("k", |options| options.fetch.stale_timeout = Some(ms(5)));
    harness.advance(5);
    assert_eq!((patient.outcome(), hasty.outcome()), (Summary::Pending, stale("old", None)));
    harness.close();
    assert_eq!(patient.outcome(), failed_with(Status::ERR_CLOSED));
}

#[test]
fn r12_expiring_a_key_overtakes_its_load_and_leaves_a_fallback() {
    let mut harness = Harness::new();
    harness.put("k", "old");
    let before = harness.fetch_with("k", |options| options.fetch.read = kvlight::base::config::ReadMode::Refresh);
    harness.expire("k");
    let after = harness.fetch("k");
    assert_eq!(harness.requests.len(), 2, "the key is loaded again");
    harness.answer(0, "k", "from before");
    assert_eq!((before.outcome(), harness.lookup("k")), (value("from before"), Summary::Miss));
    harness.fail(1, "k", 503);
    assert_eq!(after.outcome(), stale("old", FAILED));
}

#[test]
fn r13_a_remembered_error_comes_after_the_fallback() {
    let mut harness = aged(|settings| {
        settings.cache.error_ttl_ms = 60_000;
        settings.tasks.stale_retry = ms(0);
    });
    harness.fetch("k");
    harness.fail(0, "k", 503);
    harness.finish(0);
    assert_eq!(harness.fetch("k").outcome(), stale("old", FAILED));
    harness.store.evict("k");
    assert_eq!(harness.fetch("k").outcome(), Summary::Error(503));
    assert_eq!((harness.requests.len(), harness.table.counts().misses.remembered), (1, 2));
}
