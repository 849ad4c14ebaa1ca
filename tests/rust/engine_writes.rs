//! Conditional writes and touches, with loads and other writers at the same time (rule S17).

use super::engine_fixture::*;
use kvlight::base::{Answer, Status, StoreTerms, Ttl};
use kvlight::cache::{Condition, Departures, NewEntry};
use kvlight::engine::cache::Lookup;
use kvlight::engine::{Core, Plan};
use kvlight::task::Source;
use std::sync::Arc;

fn put(core: &Core, key: &str, entry: NewEntry) -> Status {
    let mut left = Departures::new();
    core.put(key.as_bytes(), entry, None, &mut left).unwrap_or_else(|status| status)
}

fn put_if(core: &Core, key: &str, text: &str, condition: Condition) -> Status {
    put(core, key, NewEntry { condition, ..NewEntry::new(value(text)) })
}

fn held(core: &Core, key: &str) -> Answer {
    core.peek(key.as_bytes()).expect("open").expect("an entry").answer
}

#[test]
fn s17_a_touch_overtakes_no_load() {
    let world = test_engine().start();
    world.put("k", "old");
    world.refresh(&["k"]).expect("open");
    let request = world.request();
    assert_eq!(world.core.touch(b"k", Some(Ttl::of_ms(50))), Ok(Status::OK));
    request.answer("k", "new");
    assert_eq!(world.lookup("k"), "new", "the refresh stored its answer");
    assert_eq!(world.core.touch(b"missing", None), Ok(Status::MISS));
    world.free();
}

#[test]
fn s17_a_touch_moves_the_expiry_both_ways_and_updates_the_timer() {
    let world = test_engine().start();
    world.put("k", "v");
    assert_eq!(world.core.touch(b"k", Some(Ttl::of_ms(1_000))), Ok(Status::OK));
    world.advance(900);
    assert_eq!(world.core.touch(b"k", Some(Ttl::of_ms(200))), Ok(Status::OK));
    world.advance(199);
    assert_eq!(world.peek("k"), "v");
    world.advance(1);
    assert_eq!(world.stats().store.removed(kvlight::cache::Cause::Expired).entries, 1, "it expired without a lookup");
    world.free();
}

#[test]
fn s07_an_entry_that_ends_before_all_others_wakes_the_timer() {
    let world = test_engine().with_system_clock().start();
    for round in 1..=3 {
        for (key, ms) in [("late", 3_600_000), ("later", 7_200_000), ("soon", 1)] {
            let terms = StoreTerms { ttl: Some(Ttl::of_ms(ms)), ..StoreTerms::default() };
            assert_eq!(put(&world.core, key, NewEntry { terms, ..NewEntry::new(value("v")) }), Status::OK);
        }
        until("it has expired without another call", || world.stats().store.removed(kvlight::cache::Cause::Expired).entries == round);
    }
    world.free();
}

#[test]
fn s17_a_touch_with_a_ttl_of_0_is_refused_and_changes_nothing() {
    let world = test_engine().with(|settings| settings.cache.ttl_ms = Some(0)).start();
    let never = StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() };
    assert_eq!(put(&world.core, "k", NewEntry { terms: never, ..NewEntry::new(value("v")) }), Status::OK);
    for ttl in [Some(Ttl::DoNotStore), None] {
        assert_eq!(world.core.touch(b"k", ttl), Err(Status::ERR_BAD_VALUE));
        assert_eq!(world.core.peek(b"k").expect("open").expect("an entry").expires_at, None);
    }
    world.free();
}

#[test]
fn s17_a_put_whose_condition_does_not_hold_writes_nothing() {
    let world = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    world.put("k", "old");
    world.refresh(&["k"]).expect("open");
    let running = world.request();
    let waiter = world.fetch("waits");
    assert_eq!(put_if(&world.core, "k", "put", Condition::Absent), Status::CONFLICT);
    assert_eq!(
        put_if(&world.core, "k", "put", Condition::Holds(value("old"))),
        Status::CONFLICT,
        "another value with equal bytes is not the stored one"
    );
    assert_eq!(put_if(&world.core, "waits", "put", Condition::Present), Status::MISS);
    assert_eq!(put_if(&world.core, "waits", "put", Condition::Holds(Answer::Null)), Status::MISS);
    running.answer("k", "new");
    assert_eq!(world.lookup("k"), "new", "the load was not overtaken");
    running.finish();
    world.request().answer_all();
    assert_eq!(waiter.text(), "waits!", "the load that waited was not settled");
    world.free();
}

#[test]
fn s17_a_put_whose_condition_holds_is_an_ordinary_write() {
    let world = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    world.put("k", "old");
    world.refresh(&["k"]).expect("open");
    let running = world.request();
    let waiter = world.fetch("waits");
    let old = held(&world.core, "k");
    assert_eq!(put_if(&world.core, "k", "put", Condition::Holds(old)), Status::OK);
    assert_eq!(put_if(&world.core, "waits", "put", Condition::Absent), Status::OK);
    let outcome = waiter.outcome();
    assert_eq!((text_of(&outcome), outcome.source), ("put".into(), Source::Put));
    running.answer("k", "late");
    assert_eq!(world.lookup("k"), "put", "the load was overtaken");
    world.free();
}

#[test]
fn s17_null_is_an_entry_and_can_be_compared() {
    let world = test_engine().start();
    world.put_answer("k", Answer::Null);
    assert_eq!(put_if(&world.core, "k", "v", Condition::Absent), Status::CONFLICT);
    assert_eq!(put_if(&world.core, "k", "v", Condition::Holds(value("v"))), Status::CONFLICT);
    assert_eq!(put_if(&world.core, "k", "v", Condition::Holds(Answer::Null)), Status::OK);
    assert_eq!(world.lookup("k"), "v");
    world.free();
}

#[test]
fn s17_the_validator_runs_before_the_condition_is_checked() {
    let world = test_engine().hooks(|hooks| hooks.validator = Some(Arc::new(HostFunction(|key: &[u8]| key != b"bad")))).start();
    assert_eq!(put_if(&world.core, "bad", "v", Condition::Present), Status::INVALID_KEY);
    world.free();
}

/// Each thread reads a number, and puts the next one if the number is still stored. No increment is lost.
fn count_together(core: &Arc<Core>) {
    const THREADS: u64 = 4;
    const STEPS: u64 = 2_000;
    let number = |answer: &Answer| {
        let bytes = answer.value().and_then(|value| value.as_bytes()).expect("bytes").try_into().expect("eight");
        u64::from_le_bytes(bytes)
    };
    let answer = |number: u64| Answer::Value(kvlight::base::Value::bytes(&number.to_le_bytes()).expect("memory"));
    assert_eq!(put(core, "n", NewEntry::new(answer(0))), Status::OK);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..STEPS {
                    loop {
                        let Ok(Lookup::Value(read)) = core.get(b"n") else { panic!("the key is never removed") };
                        let read = Answer::Value(read);
                        let entry = NewEntry { condition: Condition::Holds(read.clone()), ..NewEntry::new(answer(number(&read) + 1)) };
                        match put(core, "n", entry) {
                            Status::OK => break,
                            status => assert_eq!(status, Status::CONFLICT),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(number(&held(core, "n")), THREADS * STEPS);
}

#[test]
fn s17_no_increment_by_compare_and_put_is_lost() {
    let cache = Core::cache(Plan::default()).expect("a cache");
    count_together(&cache);
    let world = test_engine().start();
    count_together(&world.core);
    world.free();
}
