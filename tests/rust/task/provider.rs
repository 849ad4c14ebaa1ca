//! What the provider may do: in which order, how often and how late it answers (rules F04, F09, F15, F16).

use super::harness::{Harness, NamedEvent, Summary, bytes, failed_with, ms, provider_error, value};
use kvlight::base::{Answer, Status, StoreTerms, Ttl};
use kvlight::task::{ProviderAnswer, Unanswered};

#[test]
fn f15_answers_are_delivered_in_any_order_and_before_the_finish() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b", "c"]);
    harness.answer(0, "c", "3");
    assert_eq!(waiter.outcomes(), [Summary::Pending, Summary::Pending, value("3")]);
    harness.answer(0, "a", "1");
    assert_eq!(harness.finish(0), Status::OK);
    assert_eq!(waiter.outcomes(), [value("1"), failed_with(Status::ERR_UNANSWERED), value("3")]);
}

#[test]
fn f09_a_request_with_all_keys_answered_is_not_cancelled() {
    for ends in [|harness: &mut Harness| harness.returned(0), |harness: &mut Harness| harness.close()] {
        let mut harness = Harness::new();
        harness.takes_manually = true;
        harness.fetch("k");
        harness.take(0);
        harness.answer(0, "k", "v");
        ends(&mut harness);
        assert_eq!(harness.hooks, []);
    }
}

#[test]
fn f15_a_second_answer_is_refused() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b"]);
    assert_eq!(harness.answer(0, "a", "1"), Status::OK);
    assert_eq!(harness.answer(0, "a", "2"), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(harness.fail(0, "a", 9), Status::ERR_ALREADY_ANSWERED);
    assert_eq!((waiter.results().len(), harness.lookup("a")), (1, value("1")));
}

#[test]
fn f15_a_second_finish_is_refused() {
    let mut harness = Harness::new();
    harness.fetch("a");
    assert_eq!(harness.finish(0), Status::OK);
    assert_eq!(harness.finish(0), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(harness.finish_with(0, Unanswered::Failed(provider_error(1, false))), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(harness.answer(0, "a", "1"), Status::ERR_ALREADY_ANSWERED);
    assert_eq!((harness.lookup("a"), harness.table.gauges().running), (Summary::Miss, 0));
}

#[test]
fn f15_calls_on_a_request_after_the_close_are_refused() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("a");
    harness.close();
    assert_eq!(harness.answer(0, "a", "1"), Status::ERR_CLOSED);
    assert_eq!(harness.extra(0, "b", "2"), Status::ERR_CLOSED);
    assert_eq!(harness.finish(0), Status::ERR_CLOSED);
    assert_eq!(harness.finish(0), Status::ERR_CLOSED);
    assert_eq!((waiter.outcome(), harness.lookup("a")), (failed_with(Status::ERR_CLOSED), Summary::Miss));
}

#[test]
fn f15_an_answer_may_state_its_terms() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b"]);
    harness.give(0, "a", ProviderAnswer::Answer(bytes("1"), StoreTerms { priority: Some(7.0), ..StoreTerms::default() }));
    harness.give(0, "b", ProviderAnswer::Answer(bytes("2"), StoreTerms { ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() }));
    assert_eq!(waiter.outcomes(), [value("1"), value("2")]);
    assert_eq!((harness.store.priority("a"), harness.lookup("b")), (Some(7.0), Summary::Miss));
}

#[test]
fn f15_an_extra_is_stored() {
    let mut harness = Harness::new();
    harness.fetch("a");
    assert_eq!(harness.extra(0, "x", "1"), Status::OK);
    assert_eq!(harness.lookup("x"), value("1"));
}

#[test]
fn f15_an_extra_whose_key_was_written_after_the_request_is_outdated() {
    let writes: [NamedEvent; 5] = [
        ("a put", |harness| harness.put("x", "new")),
        ("a remove", |harness| harness.remove("x")),
        ("a clear", |harness| harness.clear()),
        ("a load", |harness| {
            harness.fetch("x");
            harness.answer(1, "x", "new");
        }),
        ("another extra", |harness| {
            harness.fetch("other");
            harness.extra(1, "x", "new");
        }),
    ];
    for (what, write) in writes {
        let mut harness = Harness::new();
        harness.fetch("a");
        write(&mut harness);
        let before = harness.lookup("x");
        assert_eq!(harness.extra(0, "x", "old"), Status::LATE, "{what}");
        assert_eq!(harness.lookup("x"), before, "an older extra does not undo {what}");
    }
}

#[test]
fn f15_a_write_before_the_request_does_not_outdate_an_extra() {
    let mut harness = Harness::new();
    harness.fetch("held");
    harness.put("x", "before");
    harness.fetch("a");
    assert_eq!(harness.extra(1, "x", "new"), Status::OK);
    assert_eq!(harness.lookup("x"), value("new"));
}

#[test]
fn f15_an_extra_settles_a_waiting_flight_of_its_key() {
    let mut harness = Harness::with(|settings| settings.tasks.max_running = 1);
    harness.fetch("a");
    let waiting = harness.fetch("x");
    harness.extra(0, "x", "1");
    assert_eq!((waiting.outcome(), harness.lookup("x")), (value("1"), value("1")));
    harness.finish(0);
    assert_eq!(harness.requests.len(), 1, "a key that an extra answered is not loaded");
}

#[test]
fn f15_an_extra_does_not_settle_a_running_flight() {
    let mut harness = Harness::new();
    harness.fetch("a");
    let running = harness.fetch("x");
    harness.extra(0, "x", "extra");
    assert_eq!((running.outcome(), harness.lookup("x")), (Summary::Pending, value("extra")));
    harness.answer(1, "x", "loaded");
    assert_eq!((running.outcome(), harness.lookup("x")), (value("loaded"), value("loaded")), "the answer of the younger request is newer");
}

#[test]
fn f15_an_extra_of_a_younger_request_is_not_undone_by_an_older_load() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("x");
    harness.fetch("a");
    harness.extra(1, "x", "young");
    harness.answer(0, "x", "old");
    assert_eq!((waiter.outcome(), harness.lookup("x")), (value("old"), value("young")));
}

#[test]
fn f15_an_extra_of_an_abandoned_request_is_stored() {
    let mut harness = Harness::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    harness.fetch("a");
    harness.advance(10);
    assert_eq!(harness.extra(0, "x", "1"), Status::OK);
}

#[test]
fn f16_a_key_without_an_answer_is_unanswered() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("a");
    harness.finish(0);
    assert_eq!((waiter.outcome(), harness.lookup("a")), (failed_with(Status::ERR_UNANSWERED), Summary::Miss));
}

#[test]
fn f16_a_key_without_an_answer_is_null_if_configured() {
    let mut harness = Harness::with(|settings| settings.tasks.omitted_is_null = true);
    let waiter = harness.fetch("a");
    harness.finish(0);
    assert_eq!((waiter.outcome(), harness.lookup("a")), (Summary::Null, Summary::Null));
}

#[test]
fn f16_a_finish_may_state_that_the_rest_is_null_or_failed() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b"]);
    harness.answer(0, "a", "1");
    harness.finish_with(0, Unanswered::Null);
    assert_eq!(waiter.outcomes(), [value("1"), Summary::Null]);
    let other = harness.fetch_each(&["c", "d"]);
    harness.finish_with(1, Unanswered::Failed(provider_error(5, false)));
    assert_eq!(other.outcomes(), [Summary::Error(5), Summary::Error(5)]);
    assert!(other.error(0).is(&other.error(1)), "both positions have the same error object");
}

#[test]
fn f16_an_unanswered_key_is_retried() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = Some(1));
    let waiter = harness.fetch("a");
    harness.finish(0);
    harness.answer(1, "a", "1");
    assert_eq!(waiter.outcome(), value("1"));
}

#[test]
fn f16_a_finish_with_nulls_does_not_store_an_overtaken_key() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("a");
    harness.put_answer("a", &Answer::Null);
    harness.put("a", "new");
    harness.finish_with(0, Unanswered::Null);
    assert_eq!((waiter.outcome(), harness.lookup("a")), (Summary::Null, value("new")));
}

#[test]
fn f04_an_overtaken_retry_and_the_current_flight_of_its_key_are_in_different_requests() {
    let mut harness = Harness::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    let before = harness.fetch("k");
    harness.remove("k");
    harness.fail(0, "k", 7);
    harness.fetch("busy");
    let after = harness.fetch("k");
    harness.advance(10);
    harness.finish_with(1, Unanswered::Null);
    assert_eq!(harness.handed()[2..], [["k"]], "a key is in a request at most once");
    harness.answer(2, "k", "first");
    assert_eq!([before.outcome(), after.outcome()], [value("first"), Summary::Pending]);
    harness.answer(3, "k", "second");
    assert_eq!((after.outcome(), harness.lookup("k")), (value("second"), value("second")));
}
