//! When a provider's silence may be taken for "there is no such record" (rule F16A): only for a key that it had in its hands, wanted, when it
//! finished a live attempt.

use super::world::{Said, World, failed_with, ms, value};
use kvlight::base::Status;
use kvlight::base::config::{BatchMode, ReadMode};
use kvlight::task::{Form, TakeResult, Unanswered};

/// The two ways of saying that what has no answer does not exist.
fn silences() -> [(&'static str, Unanswered); 2] {
    [("by omission", Unanswered::Unanswered), ("by the rest is null", Unanswered::Null)]
}

fn world() -> World {
    World::with(|settings| settings.tasks.omitted_is_null = true)
}

fn world_by_hand() -> World {
    let mut world = world();
    world.by_hand = true;
    world
}

#[test]
fn f16a_a_request_withdrawn_before_it_was_taken_makes_no_nulls() {
    for (how, rest) in silences() {
        let mut world = world_by_hand();
        let waiter = world.fetch_with("k", |options| options.fetch.timeout = Some(ms(10)));
        let cancelled = world.fetch("l");
        world.advance(10);
        world.cancel(&cancelled);
        for nth in 0..2 {
            assert_eq!(world.take(nth), TakeResult::Skip);
            world.finish_with(nth, rest.clone());
        }
        assert_eq!((waiter.outcome(), cancelled.outcome()), (failed_with(Status::ERR_TIMEOUT), failed_with(Status::ERR_CANCELLED)));
        assert_eq!([world.lookup("k"), world.lookup("l")], [Said::Miss, Said::Miss], "{how}, of keys that nobody looked up");
        assert_eq!(world.fetch("k").outcome(), Said::Nothing, "{how}");
    }
}

#[test]
fn f16a_a_request_that_nobody_took_is_unanswered_even_for_those_who_wait() {
    for (how, rest) in silences() {
        let mut world = world_by_hand();
        let waiter = world.fetch("k");
        world.finish_with(0, rest);
        assert_eq!((waiter.outcome(), world.lookup("k")), (failed_with(Status::ERR_UNANSWERED), Said::Miss), "{how}");
    }
}

#[test]
fn f16a_a_provider_that_finishes_when_it_sees_the_cancel_says_nothing_of_its_keys() {
    for (how, rest) in silences() {
        let mut world = world();
        let waiter = world.fetch_each(&["a", "b"]);
        world.answer(0, "a", "1");
        world.cancel(&waiter);
        assert_eq!(world.finish_with(0, rest), Status::OK);
        assert_eq!([world.lookup("a"), world.lookup("b")], [value("1"), Said::Miss], "{how}");
    }
}

#[test]
fn f16a_a_cancelled_refresh_leaves_the_value_as_it_was() {
    for (how, rest) in silences() {
        let mut world = world();
        world.put("k", "good");
        let refresh = world.fetch_with("k", |options| options.fetch.read = ReadMode::Refresh);
        world.cancel(&refresh);
        world.finish_with(0, rest);
        assert_eq!(world.lookup("k"), value("good"), "{how}");
    }
}

#[test]
fn f16a_a_batch_that_failed_as_a_whole_says_nothing_of_its_other_keys() {
    for (how, rest) in silences() {
        let mut world = world();
        let waiter = world.ask(Form::All, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
        world.fail(0, "a", 7);
        assert!(waiter.is_over());
        world.finish_with(0, rest);
        assert_eq!(world.lookup("b"), Said::Miss, "{how}");
    }
}

#[test]
fn f16a_a_finish_after_the_attempts_time_leaves_the_key_to_its_retry() {
    // The key pauses, waits for a slot, or is with the provider again.
    for (where_it_is, advance) in [("in backoff", 0), ("in its second attempt", 5)] {
        for (how, rest) in silences() {
            let mut world = World::with(|settings| {
                settings.tasks.omitted_is_null = true;
                settings.fetch.attempt_timeout = Some(ms(10));
                (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(3), ms(5));
            });
            let waiter = world.fetch("k");
            world.advance(10);
            world.advance(advance);
            assert_eq!(world.finish_with(0, rest), Status::OK);
            assert_eq!((waiter.outcome(), world.lookup("k")), (Said::Nothing, Said::Miss), "{how}, {where_it_is}");
            world.advance(5 - advance);
            world.answer(1, "k", "v");
            assert_eq!(waiter.outcome(), value("v"), "{how}, {where_it_is}");
        }
    }
}

#[test]
fn f16a_a_finish_after_the_last_attempts_time_or_the_close_stores_nothing() {
    for (how, rest) in silences() {
        let mut world = World::with(|settings| {
            settings.tasks.omitted_is_null = true;
            settings.fetch.attempt_timeout = Some(ms(10));
        });
        world.fetch("late");
        world.advance(10);
        world.finish_with(0, rest.clone());
        world.fetch("closed");
        world.close();
        assert_eq!(world.finish_with(1, rest), Status::ERR_CLOSED);
        assert_eq!([world.lookup("late"), world.lookup("closed")], [Said::Miss, Said::Miss], "{how}");
    }
}

#[test]
fn f16a_of_a_live_request_only_the_wanted_keys_are_absent() {
    for (how, rest) in silences() {
        let mut world = World::with(|settings| {
            settings.tasks.omitted_is_null = true;
            settings.tasks.max_running = 1;
            settings.fetch.retry.count = Some(5);
        });
        world.fetch("busy");
        let (stays, leaves) = (world.fetch("a"), world.fetch("b"));
        world.finish(0);
        assert_eq!(world.handed()[1].len(), 2, "both keys are in one request");
        world.cancel(&leaves);
        world.finish_with(1, rest);
        assert_eq!((stays.outcome(), world.lookup("a"), world.lookup("b")), (Said::Null, Said::Null, Said::Miss), "{how}");
        let counts = world.table.counts();
        assert_eq!((counts.flights_failed, world.requests.len()), (1, 2), "{how}: an unwanted key that fails is not retried");
    }
}

#[test]
fn f16a_an_unwanted_key_that_is_wanted_again_is_absent_if_the_provider_says_so() {
    for (how, rest) in silences() {
        let mut world = world();
        let both = world.fetch_each(&["a", "b"]);
        let stays = world.fetch("a");
        world.cancel(&both);
        let again = world.fetch("b");
        world.finish_with(0, rest);
        assert_eq!([stays.outcome(), again.outcome()], [Said::Null, Said::Null], "{how}");
    }
}

#[test]
fn f16a_a_refresh_wants_its_key() {
    for (how, rest) in silences() {
        let mut world = world();
        world.put("k", "deleted since");
        world.refresh("k");
        world.finish_with(0, rest);
        assert_eq!(world.lookup("k"), Said::Null, "{how}");
    }
}

#[test]
fn f16a_what_another_answer_settled_is_not_made_absent_by_the_finish() {
    for (how, rest) in silences() {
        let mut world = World::with(|settings| {
            settings.tasks.omitted_is_null = true;
            settings.fetch.attempt_timeout = Some(ms(10));
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = ms(0);
        });
        let waiter = world.fetch("k");
        world.advance(10);
        world.answer(0, "k", "late");
        world.finish_with(1, rest);
        assert_eq!((waiter.outcome(), world.lookup("k")), (value("late"), value("late")), "{how}");
    }
}

#[test]
fn f16a_f09_f10_a_null_stated_for_a_key_counts_even_when_it_is_unwanted_or_late() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    let cancelled = world.fetch("unwanted");
    world.cancel(&cancelled);
    assert_eq!(world.answer_null(0, "unwanted"), Status::LATE);
    world.fetch("late");
    world.advance(10);
    assert_eq!(world.answer_null(1, "late"), Status::LATE);
    assert_eq!([world.lookup("unwanted"), world.lookup("late")], [Said::Null, Said::Null]);
}

#[test]
fn f16a_a_finish_with_an_error_fails_what_lives_and_nothing_else() {
    let mut world = World::with(|settings| {
        settings.cache.error_ttl_ms = 1_000;
        settings.fetch.attempt_timeout = Some(ms(10));
        (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(1), ms(5));
    });
    let waiter = world.fetch("k");
    world.advance(10);
    world.finish_with(0, Unanswered::Failed(super::world::provider_error(7, true)));
    world.advance(5);
    world.answer(1, "k", "v");
    assert_eq!(waiter.outcome(), value("v"));
}

#[test]
fn s12a_an_answer_that_nobody_gave_is_not_counted_as_late() {
    for (how, rest) in silences() {
        let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
        let cancelled = world.fetch_each(&["a", "b"]);
        world.cancel(&cancelled);
        world.finish_with(0, rest.clone());
        world.fetch("late");
        world.advance(10);
        world.finish_with(1, rest);
        assert_eq!(world.table.counts().answers_late, 0, "{how}");
        world.fetch("said");
        world.advance(10);
        world.answer(2, "said", "v");
        assert_eq!(world.table.counts().answers_late, 1, "{how}");
    }
}
