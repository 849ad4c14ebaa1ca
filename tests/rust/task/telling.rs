//! What a fetch is told, and how often (rules F01, F03 to F05, F17, F18, F22).

use super::world::{Said, World, failed_with, keys, provider_error, refs, value};
use kvlight::base::config::{BatchMode, ReadMode};
use kvlight::base::{Status, StoreTerms};
use kvlight::task::{Form, ProviderAnswer, Source, Unanswered};

#[test]
fn f01_each_position_of_a_mixed_fetch_is_told_exactly_once() {
    let mut world = World::new();
    world.put("resident", "r");
    let waiter = world.fetch_each(&["resident", "!refused", "loaded", "absent", "broken"]);
    world.answer(0, "loaded", "l");
    world.answer_null(0, "absent");
    world.fail(0, "broken", 7);
    assert_eq!(waiter.outcomes(), [value("r"), Said::InvalidKey, value("l"), Said::Null, Said::Error(7)]);
    assert_eq!(waiter.told().len(), 5, "five positions make five events");
}

#[test]
fn f01_an_invalid_key_costs_no_provider_call() {
    let mut world = World::new();
    let waiter = world.fetch("!refused");
    assert_eq!(waiter.outcome(), Said::InvalidKey);
    assert!(world.requests.is_empty(), "the provider heard of a key that the validator refused");
}

#[test]
fn f03_progress_never_falls_and_ends_with_all_before_the_batch() {
    let mut world = World::with(|settings| settings.tasks.batch_max_keys = 1);
    let waiter = world.ask(Form::All, &["a", "b", "c"], |options| options.step = 1);
    world.answer(1, "b", "2");
    world.fail(0, "a", 1);
    world.answer(2, "c", "3");
    assert_eq!(waiter.progress(), [(1, 0, 3), (2, 1, 3), (3, 1, 3)]);
    assert_eq!(waiter.order(), "pppb", "the batch comes after the last progress");
}

#[test]
fn f03_progress_may_skip_but_not_the_end() {
    let mut world = World::new();
    let names = keys(7);
    let waiter = world.ask(Form::All, &refs(&names), |options| options.step = 3);
    for key in &names {
        world.answer(0, key, "v");
    }
    assert_eq!(waiter.progress(), [(3, 0, 7), (6, 0, 7), (7, 0, 7)]);
}

#[test]
fn f03_only_the_last_event_is_marked() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b", "c"]);
    world.answer(0, "b", "2");
    world.answer(0, "c", "3");
    assert!(waiter.told().iter().all(|told| !told.last), "a position is open, and an event was marked as the last");
    world.answer(0, "a", "1");
    let marks: Vec<(usize, bool)> = waiter.told().iter().map(|told| (told.index, told.last)).collect();
    assert_eq!(marks, [(1, false), (2, false), (0, true)]);
}

#[test]
fn f04_duplicates_are_told_each_and_loaded_once() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b", "a", "a"]);
    assert_eq!(world.handed(), [["a", "b"]], "a key is in a request at most once");
    world.answer(0, "a", "1");
    world.answer(0, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2"), value("1"), value("1")]);
    assert_eq!(waiter.told().iter().filter(|told| told.last).count(), 1);
}

#[test]
fn f04_no_keys_no_event() {
    let mut world = World::new();
    let waiter = world.fetch_each(&[]);
    assert_eq!((waiter.order().as_str(), waiter.id), ("", None));
    assert!(world.table.is_idle());
}

#[test]
fn f05_the_results_come_in_the_order_asked_with_duplicates() {
    let mut world = World::new();
    let waiter = world.fetch_all(&["b", "a", "b", "c"]);
    world.answer(0, "c", "3");
    world.answer(0, "a", "1");
    assert_eq!(waiter.batch(), None, "a position is open, and the batch was told");
    world.answer(0, "b", "2");
    assert_eq!(waiter.batch(), Some((vec![value("2"), value("1"), value("2"), value("3")], Status::OK)));
    assert_eq!(waiter.order(), "b");
}

#[test]
fn f05_a_batch_of_nothing_is_one_event() {
    let mut world = World::new();
    let waiter = world.fetch_all(&[]);
    assert_eq!(waiter.batch(), Some((vec![], Status::OK)));
    assert!(world.table.is_idle());
}

#[test]
fn f17_one_keys_error_is_that_keys_alone() {
    let mut world = World::new();
    let waiter = world.fetch_all(&["a", "b", "!c", "d"]);
    world.fail(0, "a", 7);
    world.answer(0, "b", "2");
    world.answer_null(0, "d");
    let told = vec![Said::Error(7), value("2"), Said::InvalidKey, Said::Null];
    assert_eq!(waiter.batch(), Some((told, Status::OK)));
}

#[test]
fn f17_all_or_nothing_ends_at_the_first_final_failure() {
    let mut world = World::new();
    let waiter = world.ask(Form::All, &["a", "b", "c"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    world.answer(0, "a", "1");
    world.fail(0, "b", 7);
    let told = vec![value("1"), Said::Error(7), failed_with(Status::ERR_CANCELLED)];
    assert_eq!(waiter.batch(), Some((told, Status::ERR_PROVIDER)), "what was settled stays, the rest is cancelled");
    assert_eq!(world.hooks.len(), 1, "nobody wants the rest of the request, and the provider was not told");
}

#[test]
fn f17_all_or_nothing_does_not_mind_nulls() {
    let mut world = World::new();
    let waiter = world.ask(Form::All, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    world.answer_null(0, "a");
    world.answer_null(0, "b");
    assert_eq!(waiter.batch(), Some((vec![Said::Null, Said::Null], Status::OK)));
}

#[test]
fn f17_all_or_nothing_with_a_key_that_is_refused_hands_nothing_out() {
    let mut world = World::with(|settings| settings.tasks.batch_max_keys = 1);
    world.put("hit", "v");
    let waiter = world.ask(Form::All, &["a", "hit", "!b", "c"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    let cut_off = failed_with(Status::ERR_CANCELLED);
    assert_eq!(waiter.batch(), Some((vec![cut_off.clone(), value("v"), Said::InvalidKey, cut_off], Status::INVALID_KEY)));
    assert_eq!((world.requests.len(), world.table.counts().missed_unasked), (0, 2));
}

#[test]
fn f17_all_or_nothing_waits_for_the_last_retry() {
    let mut world = World::new();
    let waiter = world.ask(Form::All, &["a", "b"], |options| {
        options.fetch.batch_mode = BatchMode::AllOrNothing;
        options.fetch.retry.count = Some(1);
    });
    world.fail(0, "a", 1);
    assert!(!waiter.is_over(), "a failure that is retried is not final");
    world.finish_with(0, Unanswered::Null);
    world.fail(1, "a", 2);
    assert_eq!(waiter.batch(), Some((vec![Said::Error(2), Said::Null], Status::ERR_PROVIDER)));
}

#[test]
fn f17_all_or_nothing_leaves_the_flights_of_others_alone() {
    let mut world = World::new();
    let other = world.fetch("b");
    let waiter = world.ask(Form::Each, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    world.fail(1, "a", 7);
    assert_eq!(waiter.outcomes(), [Said::Error(7), failed_with(Status::ERR_CANCELLED)]);
    world.answer(0, "b", "2");
    assert_eq!(other.outcome(), value("2"));
}

#[test]
fn f17_all_or_nothing_ends_on_a_remembered_error_before_the_rest_is_asked() {
    let mut world = World::with(|settings| settings.cache.error_ttl_ms = 1_000);
    let first = world.fetch("bad");
    world.fail(0, "bad", 7);
    assert_eq!(first.outcome(), Said::Error(7));
    let waiter = world.ask(Form::All, &["bad", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    assert_eq!(waiter.batch(), Some((vec![Said::Error(7), failed_with(Status::ERR_CANCELLED)], Status::ERR_PROVIDER)));
    assert_eq!(world.requests.len(), 1, "a key of a batch that had failed was asked all the same");
}

#[test]
fn f18_a_result_says_whether_it_was_loaded_joined_or_resident() {
    let mut world = World::new();
    world.put("here", "h");
    let first = world.fetch_all(&["here", "a"]);
    let second = world.fetch("a");
    world.answer(0, "a", "1");
    assert_eq!([first.details(0).source, first.details(1).source], [Source::Store, Source::Provider]);
    assert_eq!(second.details(0).source, Source::Joined);
}

#[test]
fn f22_a_result_says_how_many_attempts_it_took_and_how_long_it_lives() {
    let mut world = World::with(|settings| settings.fetch.retry.count = Some(2));
    let waiter = world.fetch("a");
    world.fail(0, "a", 1);
    world.fail(1, "a", 1);
    world.give(2, "a", ProviderAnswer::Answer(super::world::bytes("1"), StoreTerms { cost: Some(33), ..StoreTerms::default() }));
    let told = waiter.details(0);
    assert_eq!((told.attempts, told.ttl_left_ms, told.cost), (3, -1, 33));
}

#[test]
fn f22_what_is_not_stored_says_that_it_will_not_live() {
    let mut world = World::new();
    let waiter = world.fetch_with("a", |options| options.fetch.read = ReadMode::NoStore);
    world.answer(0, "a", "1");
    assert_eq!((waiter.outcome(), waiter.details(0).ttl_left_ms), (value("1"), 0));
    assert_eq!(world.lookup("a"), Said::Miss);
}

#[test]
fn f20_an_error_arrives_identical_at_every_waiter() {
    let mut world = World::new();
    let (one, other) = (world.fetch("a"), world.fetch_all(&["a", "a"]));
    let error = provider_error(7, false);
    world.give(0, "a", ProviderAnswer::Failed(error.clone()));
    assert!(one.error(0).is(&error) && other.error(0).is(&error) && other.error(1).is(&error), "a waiter was told a copy");
    assert_eq!(one.error(0).message().to_bytes(), b"the record is locked");
}
