//! The end: draining, closing, breaking (rules L05, L07).

use super::world::{Said, World, failed_with, value};
use kvlight::base::Status;
use kvlight::task::{Cancel, Effects, Form};
use std::time::Duration;

#[test]
fn l05_drain_finishes_what_was_accepted() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
    });
    let waiter = world.fetch_each(&["a", "b"]);
    world.drain(100);
    assert!(!world.table.is_open());
    assert!(!world.table.is_idle());
    world.answer(0, "a", "1");
    world.answer(1, "b", "2");
    assert_eq!(waiter.outcomes(), [value("1"), value("2")]);
    assert!(world.table.is_idle(), "everything was told, and the drain is not over");
}

#[test]
fn l05_a_drain_ends_at_its_deadline() {
    let mut world = World::new();
    let waiter = world.fetch_all(&["a", "b"]);
    world.drain(100);
    world.answer(0, "a", "1");
    world.advance(99);
    assert!(!waiter.is_over());
    world.advance(1);
    assert_eq!(waiter.batch(), Some((vec![value("1"), failed_with(Status::ERR_CLOSED)], Status::ERR_CLOSED)));
    assert_eq!(world.hooks, [(0, Cancel::Closed)]);
}

#[test]
fn l05_a_second_close_may_only_shorten() {
    let mut world = World::new();
    let waiter = world.fetch("a");
    world.drain(100);
    world.drain(1_000);
    world.advance(50);
    assert_eq!(waiter.outcome(), Said::Nothing);
    world.drain(10);
    world.advance(10);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED));

    let mut world = World::new();
    let waiter = world.fetch("a");
    world.drain(100);
    world.drain(1_000);
    world.advance(100);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED), "a second close lengthened the drain");
}

#[test]
fn l05_close_cancel_settles_all_and_is_idempotent() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        settings.tasks.queue_max_keys = 2;
    });
    let fetches = [world.fetch("a"), world.fetch_each(&["b", "c", "d"]), world.fetch_all(&["a", "x"])];
    world.refresh("r");
    world.close();
    world.close();
    world.drain(100);
    for waiter in &fetches {
        assert!(waiter.is_over(), "a fetch was not told of the close");
        let closed = waiter.outcomes().into_iter().filter(|said| *said == failed_with(Status::ERR_CLOSED)).count();
        assert!(closed >= 1);
    }
    assert!(world.table.is_idle());
    assert_eq!(world.hooks, [(0, Cancel::Closed)], "the provider is told once, and why");
    world.finish(0);
    assert_eq!((world.table.gauges().running, world.table.next_due()), (0, None));
}

#[test]
fn l05_cancel_in_a_drain_ends_it() {
    let mut world = World::new();
    let waiter = world.fetch("a");
    world.drain(1_000);
    world.close();
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_CLOSED));
}

#[test]
fn l05_a_drain_ends_endless_retries() {
    let mut world = World::with(|settings| {
        settings.fetch.retry.count = None;
        settings.fetch.retry.fixed = super::world::ms(10);
    });
    let waiter = world.fetch("a");
    world.fail(0, "a", 1);
    world.drain(25);
    world.advance(10);
    world.fail(1, "a", 1);
    world.advance(15);
    assert_eq!((waiter.outcome(), world.table.is_idle()), (failed_with(Status::ERR_CLOSED), true));
}

#[test]
fn l05_a_hung_request_does_not_keep_a_drain_from_ending() {
    let mut world = World::with(|settings| settings.fetch.attempt_timeout = Some(super::world::ms(10)));
    let waiter = world.fetch("a");
    world.drain(1_000);
    world.advance(10);
    assert_eq!((waiter.outcome(), world.table.is_idle()), (failed_with(Status::ERR_TIMEOUT), true));
}

/// What `Table::wreck` does once a panic was caught under the lock.
fn wreck(world: &mut World) -> Vec<Cancel> {
    let mut out = Effects::default();
    world.table.fail_everything(&mut out);
    assert_eq!(world.table.check(), Ok(()), "the wreck is not empty");
    out.cancelled.iter().map(|(_, why)| *why).collect()
}

#[test]
fn l07_a_wrecked_table_tells_all_that_was_open_and_closes() {
    let mut world = World::with(|settings| {
        settings.tasks.max_running = 1;
        settings.tasks.batch_max_keys = 1;
        settings.tasks.queue_max_keys = 2;
        settings.fetch.timeout = Some(Duration::from_secs(5));
    });
    let each = world.fetch_each(&["a", "b", "c", "d"]);
    let all = world.ask(Form::All, &["a", "b"], |options| options.step = 1);
    world.answer(0, "a", "1");
    assert_eq!(wreck(&mut world), [Cancel::Closed, Cancel::Closed]);
    let panicked = failed_with(Status::ERR_PANIC);
    assert_eq!(each.outcomes(), [value("1"), panicked.clone(), panicked.clone(), panicked.clone()]);
    assert_eq!(all.outcomes(), [value("1"), panicked]);
    assert!(world.table.is_idle() && !world.table.is_open());
    assert_eq!(world.table.next_due(), None, "a wreck waits for nothing");
    assert_eq!(wreck(&mut world), [], "a second wreck finds nothing");
}

#[test]
fn l07_requests_of_a_wrecked_table_are_deaf() {
    let mut world = World::new();
    let waiter = world.fetch("a");
    wreck(&mut world);
    assert_eq!(waiter.outcome(), failed_with(Status::ERR_PANIC));
    assert_eq!([world.answer(0, "a", "1"), world.finish(0), world.heartbeat(0)], [Status::ERR_CLOSED; 3]);
    world.returned(0);
    world.cancel(&waiter);
    world.put("a", "2");
    world.clear();
    world.advance(1_000);
    world.close();
    assert_eq!(waiter.told().len(), 1);
}

#[test]
fn l07_a_panic_in_the_middle_of_the_telling_leaves_nobody_untold() {
    let mut world = World::new();
    let (first, broken, last) = (world.fetch("k"), world.fetch("k"), world.fetch("k"));
    broken.break_mailbox();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.answer(0, "k", "v")));
    assert!(caught.is_err(), "the sink did not break");
    wreck(&mut world);
    assert_eq!(first.outcome(), value("v"));
    assert_eq!(last.outcome(), failed_with(Status::ERR_PANIC));
    assert!(last.is_over() && first.is_over());
}
