//! What the provider may say, in which order, how often, how late (rules F15, F16).

use super::world::{Happening, Said, World, bytes, failed_with, ms, provider_error, value};
use kvlight::base::{Answer, Status, StoreTerms, Ttl};
use kvlight::task::{ProviderAnswer, Unanswered};

#[test]
fn f15_answers_come_in_any_order_and_waiters_see_them_before_the_finish() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b", "c"]);
    world.answer(0, "c", "3");
    assert_eq!(waiter.outcomes(), [Said::Nothing, Said::Nothing, value("3")]);
    world.answer(0, "a", "1");
    assert_eq!(world.finish(0), Status::OK);
    assert_eq!(waiter.outcomes(), [value("1"), failed_with(Status::ERR_UNANSWERED), value("3")]);
}

#[test]
fn f09_a_request_is_not_told_to_stop_when_it_has_nothing_left_to_answer() {
    for ends in [|world: &mut World| world.returned(0), |world: &mut World| world.close()] {
        let mut world = World::new();
        world.by_hand = true;
        world.fetch("k");
        world.take(0);
        world.answer(0, "k", "v");
        ends(&mut world);
        assert_eq!(world.hooks, []);
    }
}

#[test]
fn f15_a_second_answer_gets_a_status_and_changes_nothing() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b"]);
    assert_eq!(world.answer(0, "a", "1"), Status::OK);
    assert_eq!(world.answer(0, "a", "2"), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(world.fail(0, "a", 9), Status::ERR_ALREADY_ANSWERED);
    assert_eq!((waiter.told().len(), world.lookup("a")), (1, value("1")));
}

#[test]
fn f15_a_second_finish_gets_a_status_and_changes_nothing() {
    let mut world = World::new();
    world.fetch("a");
    assert_eq!(world.finish(0), Status::OK);
    assert_eq!(world.finish(0), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(world.finish_with(0, Unanswered::Failed(provider_error(1, false))), Status::ERR_ALREADY_ANSWERED);
    assert_eq!(world.answer(0, "a", "1"), Status::ERR_ALREADY_ANSWERED);
    assert_eq!((world.lookup("a"), world.table.gauges().running), (Said::Miss, 0));
}

#[test]
fn f15_a_request_stays_deaf_and_harmless_after_the_close() {
    let mut world = World::new();
    let waiter = world.fetch("a");
    world.close();
    assert_eq!(world.answer(0, "a", "1"), Status::ERR_CLOSED);
    assert_eq!(world.extra(0, "b", "2"), Status::ERR_CLOSED);
    assert_eq!(world.finish(0), Status::ERR_CLOSED);
    assert_eq!(world.finish(0), Status::ERR_CLOSED);
    assert_eq!((waiter.outcome(), world.lookup("a")), (failed_with(Status::ERR_CLOSED), Said::Miss));
}

#[test]
fn f15_an_answer_may_say_how_it_is_stored() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b"]);
    world.give(0, "a", ProviderAnswer::Answer(bytes("1"), StoreTerms { priority: Some(7.0), ..StoreTerms::default() }));
    world.give(0, "b", ProviderAnswer::Answer(bytes("2"), StoreTerms { ttl: Some(Ttl::DoNotStore), ..StoreTerms::default() }));
    assert_eq!(waiter.outcomes(), [value("1"), value("2")]);
    assert_eq!((world.shelf.priority("a"), world.lookup("b")), (Some(7.0), Said::Miss));
}

#[test]
fn f15_an_extra_is_stored() {
    let mut world = World::new();
    world.fetch("a");
    assert_eq!(world.extra(0, "x", "1"), Status::OK);
    assert_eq!(world.lookup("x"), value("1"));
}

#[test]
fn f15_an_extra_that_was_written_since_the_handing_out_is_old_news() {
    let writes: [Happening; 5] = [
        ("a put", |world| world.put("x", "new")),
        ("a remove", |world| world.remove("x")),
        ("a clear", |world| world.clear()),
        ("a load", |world| {
            world.fetch("x");
            world.answer(1, "x", "new");
        }),
        ("another extra", |world| {
            world.fetch("other");
            world.extra(1, "x", "new");
        }),
    ];
    for (what, write) in writes {
        let mut world = World::new();
        world.fetch("a");
        write(&mut world);
        let before = world.lookup("x");
        assert_eq!(world.extra(0, "x", "old"), Status::LATE, "{what}");
        assert_eq!(world.lookup("x"), before, "{what} was undone by an older extra");
    }
}

#[test]
fn f15_what_was_written_before_the_handing_out_does_not_matter() {
    let mut world = World::new();
    world.fetch("held");
    world.put("x", "before");
    world.fetch("a");
    assert_eq!(world.extra(1, "x", "new"), Status::OK);
    assert_eq!(world.lookup("x"), value("new"));
}

#[test]
fn f15_an_extra_settles_a_waiting_flight_of_its_key() {
    let mut world = World::with(|settings| settings.tasks.max_running = 1);
    world.fetch("a");
    let waiting = world.fetch("x");
    world.extra(0, "x", "1");
    assert_eq!((waiting.outcome(), world.lookup("x")), (value("1"), value("1")));
    world.finish(0);
    assert_eq!(world.requests.len(), 1, "a key was loaded that an extra had answered");
}

#[test]
fn f15_an_extra_leaves_a_running_flight_alone() {
    let mut world = World::new();
    world.fetch("a");
    let running = world.fetch("x");
    world.extra(0, "x", "extra");
    assert_eq!((running.outcome(), world.lookup("x")), (Said::Nothing, value("extra")));
    world.answer(1, "x", "loaded");
    assert_eq!((running.outcome(), world.lookup("x")), (value("loaded"), value("loaded")), "the younger request is the newer");
}

#[test]
fn f15_an_extra_of_a_younger_request_is_not_undone_by_an_older_load() {
    let mut world = World::new();
    let waiter = world.fetch("x");
    world.fetch("a");
    world.extra(1, "x", "young");
    world.answer(0, "x", "old");
    assert_eq!((waiter.outcome(), world.lookup("x")), (value("old"), value("young")));
}

#[test]
fn f15_an_extra_of_an_abandoned_request_is_still_welcome() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(ms(10)));
    world.fetch("a");
    world.advance(10);
    assert_eq!(world.extra(0, "x", "1"), Status::OK);
}

#[test]
fn f16_a_key_without_an_answer_is_unanswered() {
    let mut world = World::new();
    let waiter = world.fetch("a");
    world.finish(0);
    assert_eq!((waiter.outcome(), world.lookup("a")), (failed_with(Status::ERR_UNANSWERED), Said::Miss));
}

#[test]
fn f16_a_key_without_an_answer_is_null_where_configured() {
    let mut world = World::with(|settings| settings.tasks.omitted_is_null = true);
    let waiter = world.fetch("a");
    world.finish(0);
    assert_eq!((waiter.outcome(), world.lookup("a")), (Said::Null, Said::Null));
}

#[test]
fn f16_the_provider_may_say_that_the_rest_is_null_or_failed() {
    let mut world = World::new();
    let waiter = world.fetch_each(&["a", "b"]);
    world.answer(0, "a", "1");
    world.finish_with(0, Unanswered::Null);
    assert_eq!(waiter.outcomes(), [value("1"), Said::Null]);
    let other = world.fetch_each(&["c", "d"]);
    world.finish_with(1, Unanswered::Failed(provider_error(5, false)));
    assert_eq!(other.outcomes(), [Said::Error(5), Said::Error(5)]);
    assert!(other.error(0).is(&other.error(1)), "the one error was copied");
}

#[test]
fn f16_an_unanswered_key_is_retried() {
    let mut world = World::with(|settings| settings.fetch.retry.count = Some(1));
    let waiter = world.fetch("a");
    world.finish(0);
    world.answer(1, "a", "1");
    assert_eq!(waiter.outcome(), value("1"));
}

#[test]
fn f16_a_rest_of_null_comes_too_late_for_what_a_write_overtook() {
    let mut world = World::new();
    let waiter = world.fetch("a");
    world.put_answer("a", &Answer::Null);
    world.put("a", "new");
    world.finish_with(0, Unanswered::Null);
    assert_eq!((waiter.outcome(), world.lookup("a")), (Said::Null, value("new")));
}

#[test]
fn f04_an_overtaken_retry_and_the_current_flight_of_its_key_travel_apart() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.fetch.retry.count = Some(1);
        settings.fetch.retry.fixed = ms(10);
    });
    let before = world.fetch("k");
    world.remove("k");
    world.fail(0, "k", 7);
    world.fetch("busy");
    let after = world.fetch("k");
    world.advance(10);
    world.finish_with(1, Unanswered::Null);
    assert_eq!(world.handed()[2..], [["k"]], "a key is in a request at most once");
    world.answer(2, "k", "first");
    assert_eq!([before.outcome(), after.outcome()], [value("first"), Said::Nothing]);
    world.answer(3, "k", "second");
    assert_eq!((after.outcome(), world.lookup("k")), (value("second"), value("second")));
}
