//! What is delivered to a fetch, and how often (rules F01, F03 to F05, F17, F18, F20, F22).

use super::harness::{Harness, Summary, failed_with, keys, provider_error, refs, value};
use kvlight::base::config::{BatchMode, ReadMode};
use kvlight::base::{Status, StoreTerms};
use kvlight::task::{Form, ProviderAnswer, Source, Unanswered};

#[test]
fn f01_each_position_of_a_mixed_fetch_is_delivered_exactly_once() {
    let mut harness = Harness::new();
    harness.put("resident", "r");
    let waiter = harness.fetch_each(&["resident", "!refused", "loaded", "absent", "broken"]);
    harness.answer(0, "loaded", "l");
    harness.answer_null(0, "absent");
    harness.fail(0, "broken", 7);
    assert_eq!(waiter.outcomes(), [value("r"), Summary::InvalidKey, value("l"), Summary::Null, Summary::Error(7)]);
    assert_eq!(waiter.results().len(), 5, "five positions make five events");
}

#[test]
fn f01_an_invalid_key_causes_no_request() {
    let mut harness = Harness::new();
    let waiter = harness.fetch("!refused");
    assert_eq!(waiter.outcome(), Summary::InvalidKey);
    assert!(harness.requests.is_empty(), "a key that the validator refused is not requested");
}

#[test]
fn f03_progress_never_decreases_and_reaches_the_total_before_the_batch() {
    let mut harness = Harness::with(|settings| settings.tasks.batch_max_keys = 1);
    let waiter = harness.ask(Form::All, &["a", "b", "c"], |options| options.progress_step = 1);
    harness.answer(1, "b", "2");
    harness.fail(0, "a", 1);
    harness.answer(2, "c", "3");
    assert_eq!(waiter.progress(), [(1, 0, 3), (2, 1, 3), (3, 1, 3)]);
    assert_eq!(waiter.order(), "pppb", "the batch comes after the last progress");
}

#[test]
fn f03_progress_may_skip_steps_but_not_the_last() {
    let mut harness = Harness::new();
    let names = keys(7);
    let waiter = harness.ask(Form::All, &refs(&names), |options| options.progress_step = 3);
    for key in &names {
        harness.answer(0, key, "v");
    }
    assert_eq!(waiter.progress(), [(3, 0, 7), (6, 0, 7), (7, 0, 7)]);
}

#[test]
fn f03_only_the_last_event_is_marked() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b", "c"]);
    harness.answer(0, "b", "2");
    harness.answer(0, "c", "3");
    assert!(waiter.results().iter().all(|result| !result.last), "no event is marked as the last while a position is open");
    harness.answer(0, "a", "1");
    let marks: Vec<(usize, bool)> = waiter.results().iter().map(|result| (result.index, result.last)).collect();
    assert_eq!(marks, [(1, false), (2, false), (0, true)]);
}

#[test]
fn f04_duplicates_are_each_delivered_and_loaded_once() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&["a", "b", "a", "a"]);
    assert_eq!(harness.handed(), [["a", "b"]], "a key is in a request at most once");
    harness.answer(0, "a", "1");
    harness.answer(0, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2"), value("1"), value("1")]);
    assert_eq!(waiter.results().iter().filter(|result| result.last).count(), 1);
}

#[test]
fn f04_a_fetch_without_keys_has_no_event() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_each(&[]);
    assert_eq!((waiter.order().as_str(), waiter.id), ("", None));
    assert!(harness.table.is_idle());
}

#[test]
fn f05_the_results_are_in_the_order_of_the_call_with_duplicates() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_all(&["b", "a", "b", "c"]);
    harness.answer(0, "c", "3");
    harness.answer(0, "a", "1");
    assert_eq!(waiter.batch(), None, "the batch is not delivered while a position is open");
    harness.answer(0, "b", "2");
    assert_eq!(waiter.batch(), Some((vec![value("2"), value("1"), value("2"), value("3")], Status::OK)));
    assert_eq!(waiter.order(), "b");
}

#[test]
fn f05_an_empty_batch_is_one_event() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_all(&[]);
    assert_eq!(waiter.batch(), Some((vec![], Status::OK)));
    assert!(harness.table.is_idle());
}

#[test]
fn f17_the_error_of_one_key_does_not_affect_others() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_all(&["a", "b", "!c", "d"]);
    harness.fail(0, "a", 7);
    harness.answer(0, "b", "2");
    harness.answer_null(0, "d");
    let expected = vec![Summary::Error(7), value("2"), Summary::InvalidKey, Summary::Null];
    assert_eq!(waiter.batch(), Some((expected, Status::OK)));
}

#[test]
fn f17_all_or_nothing_ends_at_the_first_final_failure() {
    let mut harness = Harness::new();
    let waiter = harness.ask(Form::All, &["a", "b", "c"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    harness.answer(0, "a", "1");
    harness.fail(0, "b", 7);
    let expected = vec![value("1"), Summary::Error(7), failed_with(Status::ERR_CANCELLED)];
    assert_eq!(waiter.batch(), Some((expected, Status::ERR_PROVIDER)), "settled positions do not change, the others are cancelled");
    assert_eq!(harness.hooks.len(), 1, "the rest of the request is not wanted, so the provider is notified");
}

#[test]
fn f17_nulls_do_not_end_an_all_or_nothing_batch() {
    let mut harness = Harness::new();
    let waiter = harness.ask(Form::All, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    harness.answer_null(0, "a");
    harness.answer_null(0, "b");
    assert_eq!(waiter.batch(), Some((vec![Summary::Null, Summary::Null], Status::OK)));
}

#[test]
fn f17_an_all_or_nothing_batch_with_a_refused_key_requests_nothing() {
    let mut harness = Harness::with(|settings| settings.tasks.batch_max_keys = 1);
    harness.put("hit", "v");
    let waiter = harness.ask(Form::All, &["a", "hit", "!b", "c"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    let cut_off = failed_with(Status::ERR_CANCELLED);
    assert_eq!(waiter.batch(), Some((vec![cut_off.clone(), value("v"), Summary::InvalidKey, cut_off], Status::INVALID_KEY)));
    assert_eq!((harness.requests.len(), harness.table.counts().misses.unasked), (0, 2));
}

#[test]
fn f17_all_or_nothing_waits_for_the_last_retry() {
    let mut harness = Harness::new();
    let waiter = harness.ask(Form::All, &["a", "b"], |options| {
        options.fetch.batch_mode = BatchMode::AllOrNothing;
        options.fetch.retry.count = Some(1);
    });
    harness.fail(0, "a", 1);
    assert!(!waiter.has_ended(), "a failure that is retried is not final");
    harness.finish_with(0, Unanswered::Null);
    harness.fail(1, "a", 2);
    assert_eq!(waiter.batch(), Some((vec![Summary::Error(2), Summary::Null], Status::ERR_PROVIDER)));
}

#[test]
fn f17_a_failed_all_or_nothing_batch_does_not_affect_other_fetches() {
    let mut harness = Harness::new();
    let other = harness.fetch("b");
    let waiter = harness.ask(Form::Each, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    harness.fail(1, "a", 7);
    assert_eq!(waiter.outcomes(), [Summary::Error(7), failed_with(Status::ERR_CANCELLED)]);
    harness.answer(0, "b", "2");
    assert_eq!(other.outcome(), value("2"));
}

#[test]
fn f17_all_or_nothing_ends_at_a_remembered_error_before_the_rest_is_requested() {
    let mut harness = Harness::with(|settings| settings.cache.error_ttl_ms = 1_000);
    let first = harness.fetch("bad");
    harness.fail(0, "bad", 7);
    assert_eq!(first.outcome(), Summary::Error(7));
    let waiter = harness.ask(Form::All, &["bad", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    assert_eq!(waiter.batch(), Some((vec![Summary::Error(7), failed_with(Status::ERR_CANCELLED)], Status::ERR_PROVIDER)));
    assert_eq!(harness.requests.len(), 1, "no key of a failed batch is requested");
}

#[test]
fn f18_a_result_states_its_source() {
    let mut harness = Harness::new();
    harness.put("here", "h");
    let first = harness.fetch_all(&["here", "a"]);
    let second = harness.fetch("a");
    harness.answer(0, "a", "1");
    assert_eq!([first.details(0).source, first.details(1).source], [Source::Store, Source::Provider]);
    assert_eq!(second.details(0).source, Source::Joined);
}

#[test]
fn f22_a_result_states_its_attempts_and_its_remaining_ttl() {
    let mut harness = Harness::with(|settings| settings.fetch.retry.count = Some(2));
    let waiter = harness.fetch("a");
    harness.fail(0, "a", 1);
    harness.fail(1, "a", 1);
    harness.give(2, "a", ProviderAnswer::Answer(super::harness::bytes("1"), StoreTerms { cost: Some(33), ..StoreTerms::default() }));
    let outcome = waiter.details(0);
    assert_eq!((outcome.attempts, outcome.ttl_left_ms, outcome.cost), (3, -1, 33));
}

#[test]
fn f22_a_result_that_is_not_stored_has_a_remaining_ttl_of_zero() {
    let mut harness = Harness::new();
    let waiter = harness.fetch_with("a", |options| options.fetch.read = ReadMode::NoStore);
    harness.answer(0, "a", "1");
    assert_eq!((waiter.outcome(), waiter.details(0).ttl_left_ms), (value("1"), 0));
    assert_eq!(harness.lookup("a"), Summary::Miss);
}

#[test]
fn f20_every_waiter_receives_the_same_error_object() {
    let mut harness = Harness::new();
    let (one, other) = (harness.fetch("a"), harness.fetch_all(&["a", "a"]));
    let error = provider_error(7, false);
    harness.give(0, "a", ProviderAnswer::Failed(error.clone()));
    assert!(one.error(0).is(&error) && other.error(0).is(&error) && other.error(1).is(&error), "every waiter has the same error object");
    assert_eq!(one.error(0).message().to_bytes(), b"the record is locked");
}
