//! Conditional writes and touches, with loads and other writers at the same time (rule S17). Also an entry for which the timer must wake
//! earlier (rule S07).

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
    let engine = test_engine().start();
    engine.put("k", "old");
    engine.refresh(&["k"]).expect("open");
    let request = engine.request();
    assert_eq!(engine.core.touch(b"k", Some(Ttl::of_ms(50))), Ok(Status::OK));
    request.answer("k", "new");
    assert_eq!(engine.lookup("k"), "new", "the refresh stored its answer");
    assert_eq!(engine.core.touch(b"missing", None), Ok(Status::MISS));
    engine.free();
}

#[test]
fn s17_a_touch_moves_the_expiry_both_ways_and_updates_the_timer() {
    let engine = test_engine().start();
    engine.put("k", "v");
    assert_eq!(engine.core.touch(b"k", Some(Ttl::of_ms(1_000))), Ok(Status::OK));
    engine.advance(900);
    assert_eq!(engine.core.touch(b"k", Some(Ttl::of_ms(200))), Ok(Status::OK));
    engine.advance(199);
    assert_eq!(engine.peek("k"), "v");
    engine.advance(1);
    assert_eq!(engine.stats().store.removed(kvlight::cache::Cause::Expired).entries, 1, "it expired without a lookup");
    engine.free();
}

#[test]
fn s07_an_entry_that_ends_before_all_others_wakes_the_timer() {
    let engine = test_engine().with_system_clock().start();
    for round in 1..=3 {
        for (key, ms) in [("late", 3_600_000), ("later", 7_200_000), ("soon", 1)] {
            let terms = StoreTerms { ttl: Some(Ttl::of_ms(ms)), ..StoreTerms::default() };
            assert_eq!(put(&engine.core, key, NewEntry { terms, ..NewEntry::new(value("v")) }), Status::OK);
        }
        until("it has expired without another call", || engine.stats().store.removed(kvlight::cache::Cause::Expired).entries == round);
    }
    engine.free();
}

#[test]
fn s17_a_touch_with_a_ttl_of_0_is_refused_and_changes_nothing() {
    let engine = test_engine().with(|settings| settings.cache.ttl_ms = Some(0)).start();
    let never = StoreTerms { ttl: Some(Ttl::Never), ..StoreTerms::default() };
    assert_eq!(put(&engine.core, "k", NewEntry { terms: never, ..NewEntry::new(value("v")) }), Status::OK);
    for ttl in [Some(Ttl::DoNotStore), None] {
        assert_eq!(engine.core.touch(b"k", ttl), Err(Status::ERR_BAD_VALUE));
        assert_eq!(engine.core.peek(b"k").expect("open").expect("an entry").expires_at, None);
    }
    engine.free();
}

#[test]
fn s17_a_put_whose_condition_does_not_hold_writes_nothing() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    engine.put("k", "old");
    engine.refresh(&["k"]).expect("open");
    let running = engine.request();
    let waiter = engine.fetch("waits");
    assert_eq!(put_if(&engine.core, "k", "put", Condition::Absent), Status::CONFLICT);
    assert_eq!(
        put_if(&engine.core, "k", "put", Condition::Holds(value("old"))),
        Status::CONFLICT,
        "another value with equal bytes is not the stored one"
    );
    assert_eq!(put_if(&engine.core, "waits", "put", Condition::Present), Status::MISS);
    assert_eq!(put_if(&engine.core, "waits", "put", Condition::Holds(Answer::Null)), Status::MISS);
    running.answer("k", "new");
    assert_eq!(engine.lookup("k"), "new", "the load was not overtaken");
    running.finish();
    engine.request().answer_all();
    assert_eq!(waiter.text(), "waits!", "the puts did not settle the load that waited");
    engine.free();
}

#[test]
fn s17_a_put_whose_condition_holds_is_an_ordinary_write() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    engine.put("k", "old");
    engine.refresh(&["k"]).expect("open");
    let running = engine.request();
    let waiter = engine.fetch("waits");
    let old = held(&engine.core, "k");
    assert_eq!(put_if(&engine.core, "k", "put", Condition::Holds(old)), Status::OK);
    assert_eq!(put_if(&engine.core, "waits", "put", Condition::Absent), Status::OK);
    let outcome = waiter.outcome();
    assert_eq!((text_of(&outcome), outcome.source), ("put".into(), Source::Put));
    running.answer("k", "late");
    assert_eq!(engine.lookup("k"), "put", "the load was overtaken");
    engine.free();
}

#[test]
fn s17_null_is_an_entry_and_can_be_compared() {
    let engine = test_engine().start();
    engine.put_answer("k", Answer::Null);
    assert_eq!(put_if(&engine.core, "k", "v", Condition::Absent), Status::CONFLICT);
    assert_eq!(put_if(&engine.core, "k", "v", Condition::Holds(value("v"))), Status::CONFLICT);
    assert_eq!(put_if(&engine.core, "k", "v", Condition::Holds(Answer::Null)), Status::OK);
    assert_eq!(engine.lookup("k"), "v");
    engine.free();
}

#[test]
fn s17_the_validator_runs_before_the_condition_is_checked() {
    let engine = test_engine().hooks(|hooks| hooks.validator = Some(Arc::new(HostFunction(|key: &[u8]| key != b"bad")))).start();
    assert_eq!(put_if(&engine.core, "bad", "v", Condition::Present), Status::INVALID_KEY);
    engine.free();
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
    let engine = test_engine().start();
    count_together(&engine.core);
    engine.free();
}
