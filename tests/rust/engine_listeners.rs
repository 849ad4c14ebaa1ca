//! The host's functions except the provider: validator, cost function, removal listener and record listener. Also statistics and the manual
//! clock (rules S03, S10 to S12, S15).

use super::engine_fixture::*;
use kvlight::base::config::ReadMode;
use kvlight::base::{Answer, Clock, Millis, Status, StoreTerms};
use kvlight::cache::{Cause, Departures, NewEntry};
use kvlight::engine::Core;
use kvlight::engine::fetch::{FetchAnswer, FetchCall};
use kvlight::task::Form;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

type Seen<T> = Arc<Mutex<Vec<T>>>;

fn seen<T>() -> Seen<T> {
    Arc::new(Mutex::new(Vec::new()))
}

fn take<T>(seen: &Seen<T>) -> Vec<T> {
    std::mem::take(&mut *seen.lock().expect("no panic"))
}

fn word(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

#[test]
fn s10_the_validator_runs_once_for_each_position_in_order_on_the_calling_thread() {
    let asked: Seen<(String, ThreadId)> = seen();
    let note = asked.clone();
    let validator = move |key: &[u8]| {
        note.lock().expect("no panic").push((word(key), std::thread::current().id()));
        !key.starts_with(b"bad")
    };
    let engine = test_engine().hooks(|hooks| hooks.validator = Some(Arc::new(HostFunction(validator)))).start();
    let here = std::thread::current().id();
    let keys = |asked: &Seen<(String, ThreadId)>| {
        let calls = take(asked);
        assert!(calls.iter().all(|(_, thread)| *thread == here), "on the calling thread");
        calls.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };

    assert_eq!((engine.lookup("bad"), keys(&asked)), ("INVALID_KEY".into(), vec!["bad".into()]));
    assert_eq!((engine.put("bad", "v"), keys(&asked)), (Status::INVALID_KEY, vec!["bad".into()]));
    assert_eq!((engine.put("good", "v"), keys(&asked)), (Status::OK, vec!["good".into()]));

    let waiter = engine.fetch_all(&["good", "bad1", "new", "bad1", "bad2"]);
    assert_eq!(keys(&asked), ["good", "bad1", "new", "bad1", "bad2"], "once for each position, duplicates included, in order");
    let request = engine.request();
    assert_eq!(request.keys(), ["new"], "an invalid key costs no provider call");
    assert_eq!(request.supply("bad3", "v"), Status::INVALID_KEY);
    assert_eq!(request.supply("extra", "v"), Status::OK);
    assert_eq!(request.supply("new", "v"), Status::OK);
    assert_eq!(keys(&asked), ["bad3", "extra", "new"]);
    request.finish();
    assert_eq!(waiter.batch().0, ["v", "INVALID_KEY", "v", "INVALID_KEY", "INVALID_KEY"]);

    assert_eq!(engine.refresh(&["bad", "good"]), Ok(()));
    assert_eq!(keys(&asked), ["bad", "good"]);
    assert_eq!(engine.request().keys(), ["good"]);

    engine.peek("bad");
    engine.remove("bad");
    assert_eq!(keys(&asked), Vec::<String>::new(), "peek and remove do not call the validator");
    let closed = engine.close(None);
    expect_closed(&closed);
    assert_eq!(engine.put("good", "v"), Status::ERR_CLOSED);
    assert_eq!(keys(&asked), Vec::<String>::new(), "a closed engine does not call the validator");
    engine.free();
}

#[test]
fn s10_an_invalid_key_takes_no_slot() {
    let engine = test_engine()
        .with(|settings| settings.tasks.max_running = 1)
        .hooks(|hooks| hooks.validator = Some(Arc::new(HostFunction(|key: &[u8]| key != b"bad"))))
        .start();
    assert_eq!(engine.fetch("bad").text(), "INVALID_KEY");
    assert_eq!(engine.fetch_now("bad"), Some("INVALID_KEY".into()));
    let waiter = engine.fetch("good");
    engine.request().answer_all();
    assert_eq!((waiter.text(), engine.calls()), ("good!".into(), 1));
    engine.free();
}

#[test]
fn s03_the_cost_function_is_called_once_for_each_value_and_a_stated_cost_beats_it() {
    let asked: Seen<String> = seen();
    let note = asked.clone();
    let cost = move |key: &[u8], _: &kvlight::base::Value| {
        note.lock().expect("no panic").push(word(key));
        1000
    };
    let engine = test_engine().hooks(|hooks| hooks.cost = Some(Arc::new(HostFunction(cost)))).start();
    engine.put("put", "v");
    let waiter = engine.fetch("loaded");
    engine.request().answer_all();
    assert!(waiter.outcome().cost >= 1000);
    assert_eq!(take(&asked), ["put", "loaded"]);
    let before = engine.core.cost();
    engine
        .core
        .put(
            b"own",
            NewEntry { terms: StoreTerms { cost: Some(5), ..StoreTerms::default() }, ..NewEntry::new(value("v")) },
            None,
            &mut Departures::new(),
        )
        .expect("open");
    engine.put_answer("null", Answer::Null);
    assert_eq!(take(&asked), Vec::<String>::new());
    assert!(engine.core.cost() - before < 1000);
    engine.free();
}

#[test]
fn s11_the_listener_receives_each_value_once_and_those_of_a_key_in_store_order() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 2000;
    const KEYS: usize = 8;
    // Each key is written by one thread, so that the test knows the order of its values.
    let received: Seen<(String, String, Cause)> = seen();
    let note = received.clone();
    let listener = move |left: &kvlight::cache::Departure| note.lock().expect("no panic").push(departed(left));
    let engine = test_engine()
        .with(|settings| settings.cache.capacity = (THREADS * KEYS / 2) as u64)
        .hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener))))
        .start();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let engine = &engine;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let key = format!("{thread}/{}", round % KEYS);
                    match round % 5 {
                        4 => drop(engine.core.remove(key.as_bytes()).expect("open")),
                        _ => assert_eq!(engine.put(&key, &round.to_string()), Status::OK),
                    }
                }
            });
        }
    });
    engine.core.clear().expect("open");
    let given = THREADS * ROUNDS / 5 * 4;
    until("every value is reported", || received.lock().expect("no panic").len() >= given);
    engine.free();
    let received = take(&received);
    assert_eq!(received.len(), given, "each value is reported once");
    let mut last: HashMap<String, i64> = HashMap::new();
    for (key, round, _) in received {
        let round: i64 = round.parse().expect("a number was put");
        let before = last.insert(key.clone(), round).unwrap_or(-1);
        assert!(before < round, "{key}: {round} was reported after {before}, but was put earlier");
    }
}

#[test]
fn s11_each_removal_has_its_cause_and_answers_of_the_provider_are_reported_too() {
    let received: Seen<(String, String, Cause)> = seen();
    let note = received.clone();
    let listener = move |left: &kvlight::cache::Departure| note.lock().expect("no panic").push(departed(left));
    let engine = test_engine()
        .with(|settings| settings.cache.capacity = 2)
        .hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener))))
        .start();
    let waiter = engine.fetch("loaded");
    engine.request().answer_all();
    waiter.outcome();
    engine.put("loaded", "again");
    engine.put("b", "b");
    engine.put("c", "c");
    engine.remove("b");
    let put_for = |key: &[u8], text: &str, ms: i64| {
        let stated = StoreTerms { ttl: kvlight::base::Ttl::from_raw(ms).expect("a TTL"), ..StoreTerms::default() };
        engine.core.put(key, NewEntry { terms: stated, ..NewEntry::new(value(text)) }, None, &mut Departures::new()).expect("open");
    };
    put_for(b"short", "s", 10);
    engine.advance(10);
    put_for(b"no", "n", 0);
    engine.core.clear().expect("open");
    let expected = [
        ("loaded", "loaded!", Cause::Replaced),
        ("loaded", "again", Cause::Capacity),
        ("b", "b", Cause::Removed),
        ("short", "s", Cause::Expired),
        ("no", "n", Cause::Refused),
        ("c", "c", Cause::Cleared),
    ];
    until("all removals are reported", || received.lock().expect("no panic").len() >= expected.len());
    let received = take(&received);
    let received: Vec<(&str, &str, Cause)> = received.iter().map(|(key, word, cause)| (&**key, &**word, *cause)).collect();
    assert_eq!(received, expected);
    engine.free();
}

#[test]
fn s11_an_engine_calls_its_listener_where_callbacks_run_and_a_bare_cache_on_the_causing_thread() {
    let threads: Seen<ThreadId> = seen();
    let note = threads.clone();
    let listener = move |_: &kvlight::cache::Departure| note.lock().expect("no panic").push(std::thread::current().id());
    let listener = Arc::new(HostFunction(listener));
    let here = std::thread::current().id();
    let given = listener.clone();
    let engine = test_engine().hooks(move |hooks| hooks.removal = Some(given)).start();
    engine.put("k", "v");
    engine.remove("k");
    engine.free();
    let notified = take(&threads);
    assert!(notified.len() == 1 && notified[0] != here, "free waits for recorded removals: {notified:?}");

    let mut plan = test_engine().plan;
    plan.hooks.removal = Some(listener);
    let cache = Core::cache(plan).expect("no runtime is shared");
    cache.put(b"k", NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
    cache.remove(b"k").expect("open");
    assert_eq!(take(&threads), [here]);
}

#[test]
fn s11_l01_the_listener_of_a_bare_cache_may_write_the_cache() {
    let core: Arc<Mutex<Option<Arc<Core>>>> = Arc::default();
    let received: Seen<String> = seen();
    let (cache, note) = (core.clone(), received.clone());
    let listener = move |left: &kvlight::cache::Departure| {
        let (key, _, _) = departed(left);
        note.lock().expect("no panic").push(key.clone());
        let core = cache.lock().expect("no panic").clone().expect("it is set while the cache is used");
        if key.len() < 50 {
            // Each departure puts and removes the next value, inside the callback.
            let next = format!("{key}+");
            core.put(next.as_bytes(), NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
            core.remove(next.as_bytes()).expect("open");
        }
    };
    let mut plan = test_engine().plan;
    plan.hooks.removal = Some(Arc::new(HostFunction(listener)));
    let cache = Core::cache(plan).expect("no runtime is shared");
    *core.lock().expect("no panic") = Some(cache.clone());
    cache.put(b"k", NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
    cache.remove(b"k").expect("open");
    *core.lock().expect("no panic") = None;
    assert_eq!(take(&received).len(), 50, "all removals were reported, one after the other");
}

#[test]
fn s12_the_record_listener_receives_each_position_in_order_on_the_calling_thread_before_the_call_returns() {
    let received: Seen<(Status, String, ThreadId)> = seen();
    let note = received.clone();
    let record = move |record: Status, key: &[u8]| note.lock().expect("no panic").push((record, word(key), std::thread::current().id()));
    let engine = test_engine()
        .hooks(|hooks| {
            hooks.record = Some(Arc::new(HostFunction(record)));
            hooks.validator = Some(Arc::new(HostFunction(|key: &[u8]| key != b"bad")));
        })
        .start();
    engine.put("v", "v");
    engine.put_answer("n", Answer::Null);
    take(&received);
    let here = std::thread::current().id();
    let expected = [
        (Status::MISS, "new".to_owned(), here),
        (Status::VALUE, "v".to_owned(), here),
        (Status::INVALID_KEY, "bad".to_owned(), here),
        (Status::NULL, "n".to_owned(), here),
        (Status::MISS, "new".to_owned(), here),
    ];
    for form in [Form::Each, Form::All] {
        let waiter = engine.ask(form, &["new", "v", "bad", "n", "new"], |_| {});
        assert_eq!(take(&received), expected);
        waiter.cancel();
    }
    let call = FetchCall { form: Form::All, ..engine.call(true) };
    let asked = engine.core.fetch([&b"v"[..], b"bad", b"n"].into_iter(), &call, || Box::new(NullReceiver));
    assert!(matches!(asked, Ok(FetchAnswer::Ready(_))));
    assert_eq!(take(&received), expected[1..4]);
    engine.lookup("v");
    engine.peek("v");
    engine.remove("v");
    assert_eq!(take(&received), [(Status::VALUE, "v".to_owned(), here)], "peek and remove are not lookups");
    engine.free();
}

#[test]
fn s12_the_record_listener_and_the_statistics_agree_whatever_is_stored_meanwhile() {
    // An answer may be stored after a fetch's lookup, but before the fetch takes the table's lock: then the position is a hit after all, in
    // the statistics and for the listener.
    let (hits, misses) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (hit, miss) = (hits.clone(), misses.clone());
    let record = move |record: Status, _: &[u8]| {
        let count = if record == Status::MISS { &miss } else { &hit };
        count.fetch_add(1, Ordering::SeqCst);
    };
    let engine = test_engine()
        .with(|settings| settings.tasks.max_running = 8)
        .hooks(|hooks| hooks.record = Some(Arc::new(HostFunction(record))))
        .echo()
        .start();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0..3000 {
                    if n % 7 == thread {
                        engine.remove(&format!("k{}", n % 5));
                    }
                    engine.fetch(&format!("k{}", n % 5)).outcome();
                }
            });
        }
    });
    engine.wait_until_idle();
    let stats = engine.stats();
    assert_eq!((stats.store.hits as usize, stats.misses() as usize), (hits.load(Ordering::SeqCst), misses.load(Ordering::SeqCst)));
    assert_eq!(stats.store.hits + stats.misses(), 4 * 3000, "each position is one lookup");
    engine.free();
}

#[test]
fn s12_l01_the_record_listener_runs_under_no_lock() {
    let core: Arc<Mutex<Option<Arc<Core>>>> = Arc::default();
    let cache = core.clone();
    let record = move |_: Status, key: &[u8]| {
        let core = cache.lock().expect("no panic").clone();
        if let Some(core) = core.filter(|_| key == b"k") {
            // This would wait forever under the table's lock or a shard's.
            core.put(b"inner", NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
            core.stats();
        }
    };
    let engine = test_engine().hooks(|hooks| hooks.record = Some(Arc::new(HostFunction(record)))).start();
    *core.lock().expect("no panic") = Some(engine.core.clone());
    let waiter = engine.fetch("k");
    assert_eq!(engine.peek("inner"), "v");
    waiter.cancel();
    *core.lock().expect("no panic") = None;
    engine.free();
}

/// Checks the identities of rule S12 when nothing is in progress. `positions` is how many keys were looked up or fetched.
fn check_identities(engine: &EngineFixture, positions: u64) {
    let stats = engine.stats();
    let (store, tasks, gauges) = (&stats.store, &stats.tasks, &stats.gauges);
    assert_eq!(store.hits + store.null_hits + stats.misses() + store.invalid_keys, positions, "lookups: {stats:?}");
    let ended = tasks.flights_ended.total();
    assert_eq!(tasks.flights_started, ended + gauges.in_flight, "loads: {stats:?}");
    assert_eq!(store.inserts, stats.entries + store.removed_in_all().entries, "entries: {stats:?}");
    assert_eq!(tasks.batch_size.total(), tasks.requests, "requests: {stats:?}");
    assert_eq!(tasks.batch_size.sum, tasks.attempts, "keys in requests: {stats:?}");
}

#[test]
fn s12_every_lookup_miss_and_load_is_counted_in_exactly_one_class() {
    let engine = test_engine()
        .with(|settings| {
            settings.tasks.max_running = 2;
            settings.tasks.batch_max_keys = 3;
            settings.tasks.queue_max_keys = 8;
            settings.cache.capacity = 64;
            settings.cache.error_ttl_ms = 3;
            settings.fetch.retry.count = Some(1);
        })
        .hooks(|hooks| hooks.validator = Some(Arc::new(HostFunction(|key: &[u8]| !key.ends_with(b"9")))))
        .answered_by(|ticket| {
            for (index, key) in ticket.keys().iter().enumerate() {
                match key.last() {
                    Some(b'0') => drop(ticket.fail(index, error(1))),
                    Some(b'1') => drop(ticket.resolve(index, Answer::Null, StoreTerms::default())),
                    Some(b'2') => {}
                    _ => drop(ticket.resolve(index, value("v"), StoreTerms::default())),
                }
            }
        })
        .start();
    let positions: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u64)
            .map(|thread| {
                let engine = &engine;
                scope.spawn(move || {
                    let mut asked = 0;
                    for round in 0..400u64 {
                        let key = |nth: u64| format!("k{}", (round * 13 + thread * 7 + nth * 3) % 160);
                        let keys: Vec<String> = (0..round % 6).map(key).collect();
                        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                        asked += keys.len() as u64;
                        let waiter = engine.ask(Form::All, &keys, |settings| {
                            if round % 11 == 0 {
                                settings.read = ReadMode::CacheOnly;
                            }
                        });
                        if round % 5 == 0 {
                            waiter.cancel();
                        }
                        assert_eq!(waiter.batch().0.len(), keys.len());
                        engine.lookup(&key(9));
                        asked += 1;
                        if round % 17 == 0 {
                            engine.advance(1);
                        }
                    }
                    asked
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    engine.wait_until_idle();
    check_identities(&engine, positions);
    engine.free();
}

#[test]
fn s12_each_event_is_counted_in_exactly_one_window() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 4).echo().start();
    let first = engine.stats().window_id;
    engine.core.reset_stats();
    engine.fetch("a").outcome();
    engine.lookup("a");
    engine.wait_until_idle();
    let stats = engine.stats();
    assert_eq!((stats.window_id, stats.store.hits, stats.misses(), stats.tasks.flights_ended.succeeded), (first + 1, 1, 1, 1));
    engine.advance(5);
    engine.core.reset_stats();
    engine.advance(7);
    let stats = engine.stats();
    assert_eq!((stats.window_id, stats.window_ms, stats.store.hits, stats.misses(), stats.entries), (first + 2, 7, 0, 0, 1));
    engine.free();
}

#[test]
fn s12_json_and_openmetrics_are_well_formed_and_agree() {
    let engine = test_engine().echo().start();
    engine.fetch("a").outcome();
    engine.lookup("a");
    engine.lookup("a");
    engine.wait_until_idle();
    let stats = engine.stats();
    let json: serde_json::Value = serde_json::from_str(&stats.to_json()).expect("valid JSON");
    assert_eq!(json["lookups"]["hits"], 2);
    assert_eq!(json["lookups"]["misses"], 1);
    assert_eq!(json["loads"]["succeeded"], 1);
    assert_eq!(json["now"]["entries"], 1);

    let text = stats.to_openmetrics();
    assert!(text.ends_with("# EOF\n"));
    let mut families: Vec<(&str, &str)> = Vec::new();
    let mut buckets: HashMap<&str, u64> = HashMap::new();
    for line in text.lines().take_while(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type line has a name and a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.iter().all(|(known, _)| *known != name), "{name} is declared once");
            families.push((name, kind));
            continue;
        }
        let (name, kind) = families.last().copied().expect("a type comes before its samples");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.starts_with(&format!("{name} ")) && rest.len() > name.len() + 5, "{line}");
            continue;
        }
        let (sample, number) = line.rsplit_once(' ').expect("a sample has a value");
        let number: f64 = number.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
        let suffix = sample.strip_prefix(name).unwrap_or_else(|| panic!("{line} is listed under {name}"));
        let (suffix, labels) = suffix.split_once('{').map_or((suffix, None), |(suffix, labels)| (suffix, Some(labels)));
        assert!(labels.is_none_or(|labels| labels.ends_with("\"}") && labels.contains("=\"")), "{line}");
        match (kind, suffix) {
            ("counter", "_total") | ("gauge", "") | ("histogram", "_sum") => {}
            ("histogram", "_bucket") => {
                let before = buckets.insert(name, number as u64).unwrap_or(0);
                assert!(before <= number as u64, "buckets are cumulative: {line}");
            }
            ("histogram", "_count") => assert_eq!(buckets[name], number as u64, "+Inf is the count: {line}"),
            _ => panic!("{line} is not a sample of a {kind}"),
        }
    }
    assert!(text.contains("kvlight_lookups_total{result=\"hit\"} 2\n"));
    engine.free();
}

#[test]
fn s12_the_samples_of_a_metric_add_up_to_its_total() {
    let engine = test_engine()
        .with(|settings| {
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = std::time::Duration::ZERO;
        })
        .start();
    engine.put("a", "1");
    engine.put("a", "2");
    engine.put("b", "1");
    let waiter = engine.fetch("c");
    engine.request().fail("c", error(1));
    engine.request().answer("c", "v");
    assert_eq!(waiter.text(), "v");
    engine.wait_until_idle();
    let stats = engine.stats();
    let text = stats.to_openmetrics();
    let sum = |metric: &str| -> u64 {
        let samples = text.lines().filter(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with("_total")));
        samples.map(|line| line.rsplit_once(' ').expect("a value").1.parse::<u64>().expect("a number")).sum()
    };
    assert_eq!((sum("kvlight_inserts"), stats.store.inserts), (4, 4));
    assert_eq!((sum("kvlight_attempts"), stats.tasks.attempts), (2, 2));
    assert_eq!((sum("kvlight_requests"), stats.tasks.requests), (2, 2));
    assert_eq!((sum("kvlight_lookups"), stats.misses()), (1, 1));
    engine.free();
}

#[test]
fn s15_an_advance_moves_every_kind_of_time_and_returns_when_everything_due_was_fired() {
    let engine = test_engine()
        .with(|settings| {
            settings.cache.ttl_ms = Some(100);
            settings.fetch.retry.count = Some(2);
            settings.fetch.retry.fixed = std::time::Duration::from_millis(30);
            settings.fetch.timeout = Some(std::time::Duration::from_millis(500));
        })
        .start();
    engine.put("k", "v");
    let waiter = engine.fetch("failing");
    for attempt in 1..=2 {
        let request = engine.request();
        assert_eq!(request.0.attempt(0), Some(attempt));
        request.fail("failing", error(1));
        drop(request);
        engine.wait_until_only_flights(1);
        engine.advance(29);
        assert!(engine.request_now().is_none(), "the pause has not ended");
        engine.advance(1);
    }
    let hung = engine.request();
    assert_eq!(engine.lookup("k"), "v");
    engine.advance(40);
    assert_eq!((engine.lookup("k"), engine.core.len()), ("MISS".into(), 0));
    engine.advance(400);
    assert_eq!(waiter.text(), "ERR_TIMEOUT");
    drop(hung);
    engine.free();
}

#[test]
fn s15_one_clock_moves_several_engines() {
    let clock = Clock::manual(Millis(0));
    let engines: Vec<EngineFixture> = (0..3)
        .map(|_| {
            let mut builder = test_engine().with(|settings| settings.cache.ttl_ms = Some(10));
            builder.plan.clock = Some(clock.clone());
            builder.start()
        })
        .collect();
    engines.iter().for_each(|engine| assert_eq!(engine.put("k", "v"), Status::OK));
    engines[0].advance(9);
    assert!(engines.iter().all(|engine| engine.peek("k") == "v"));
    engines[2].advance(1);
    assert!(engines.iter().all(|engine| engine.peek("k") == "MISS"));
    engines.into_iter().for_each(EngineFixture::free);
}
