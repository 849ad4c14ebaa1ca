//! An engine does long work in steps (rule S19). Whatever other threads do in between, each fetch receives all of its results once.

use super::engine_fixture::{test_engine, until, value};
use kvlight::base::{Status, StoreTerms};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::task::Form;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

const MANY: usize = 3_000;

fn names() -> Vec<String> {
    (0..MANY).map(|nth| format!("k{nth}")).collect()
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn s19_f02_very_many_keys_are_all_delivered_while_others_write() {
    let engine = test_engine().with(|settings| settings.tasks.batch_max_keys = 20).echo().start();
    let names = names();
    let keys = refs(&names);
    thread::scope(|threads| {
        let writer = threads.spawn(|| (0..MANY).step_by(7).for_each(|nth| assert_eq!(engine.put(&names[nth], "put"), Status::OK)));
        for round in 0..4 {
            let form = if round % 2 == 0 { Form::Each } else { Form::All };
            let waiter = engine.ask(form, &keys, |settings| settings.read = kvlight::base::config::ReadMode::Normal);
            let outcomes = if form == Form::Each { waiter.each(MANY) } else { waiter.batch().0 };
            for (name, outcome) in names.iter().zip(outcomes) {
                assert!(outcome == format!("{name}!") || outcome == "put", "{name} is {outcome}");
            }
            assert_eq!(engine.core.clear(), Ok(()));
        }
        writer.join().expect("it writes");
    });
    engine.wait_until_idle();
    engine.free();
}

#[test]
fn s19_s12_each_position_is_recorded_once_although_it_is_looked_up_again() {
    let records: Arc<Mutex<HashMap<Vec<u8>, Vec<Status>>>> = Arc::default();
    let known = records.clone();
    let engine = test_engine()
        .hooks(move |hooks| {
            hooks.record = Some(Arc::new(super::engine_fixture::HostFunction(move |status: Status, key: &[u8]| {
                known.lock().expect("no panic").entry(key.to_vec()).or_default().push(status);
            })))
        })
        .with(|settings| (settings.tasks.batch_max_keys, settings.cache.capacity) = (20, 10_000))
        .echo()
        .start();
    let names = names();
    let waiter = engine.ask(Form::All, &refs(&names), |_| {});
    assert_eq!(waiter.batch().1, "OK");
    let records = records.lock().expect("no panic");
    assert!(names.iter().all(|name| records[name.as_bytes()] == [Status::MISS]));
    drop(records);
    engine.free();
}

#[test]
fn s19_f09_a_cancel_during_the_call_takes_effect_with_its_last_step() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    let names = names();
    let handle = Arc::new(FetchHandle::new());
    thread::scope(|threads| {
        // The provider has the first key as soon as the first step is done.
        let canceller = threads.spawn(|| {
            let request = engine.request();
            handle.cancel();
            request
        });
        let waiter = engine.try_ask(Form::Each, &refs(&names), |_| {}, handle.clone(), 0, None).expect("it is accepted");
        let request = canceller.join().expect("it cancels");
        assert!(waiter.each(MANY).iter().all(|outcome| outcome == "ERR_CANCELLED"));
        assert_eq!(request.finish(), Status::OK);
    });
    engine.wait_until_idle();
    assert_eq!((engine.calls(), engine.stats().tasks.fetch_cancels), (1, 1));
    engine.free();
}

#[test]
fn s19_l05_a_close_amid_the_calls_of_others_settles_all_of_them() {
    for _ in 0..10 {
        let engine = test_engine()
            .with(|settings| (settings.tasks.batch_max_keys, settings.tasks.max_running) = (50, 3))
            .answered_by(|ticket| {
                ticket.resolve(0, value("v"), StoreTerms::default());
            })
            .start();
        let (names, accepted) = (names(), AtomicUsize::new(0));
        let closed = thread::scope(|threads| {
            for form in [Form::Each, Form::All] {
                let (engine, names, accepted) = (&engine, &names, &accepted);
                threads.spawn(move || {
                    for _ in 0..1_000 {
                        let refresh = engine.refresh(&refs(names));
                        match engine.try_ask(form, &refs(names), |_| {}, Arc::new(FetchHandle::new()), 100, None) {
                            Ok(waiter) => {
                                accepted.fetch_add(1, SeqCst);
                                let outcomes = if form == Form::Each { waiter.each(MANY) } else { waiter.batch().0 };
                                assert_eq!(outcomes.len(), MANY);
                            }
                            Err(status) => {
                                assert_eq!(status, Status::ERR_CLOSED);
                                return;
                            }
                        }
                        assert!(matches!(refresh, Ok(()) | Err(Status::ERR_CLOSED)));
                    }
                });
            }
            until("both ask", || accepted.load(SeqCst) >= 2);
            engine.close(None)
        });
        super::engine_fixture::expect_closed(&closed);
        assert_eq!(engine.stats().gauges.in_flight, 0);
        engine.free();
    }
}

#[test]
fn s19_f16a_very_many_keys_of_one_request_are_finished_by_several_threads_at_once() {
    let engine =
        test_engine().with(|settings| (settings.tasks.batch_max_keys, settings.tasks.omitted_is_null) = (MANY as u32, true)).start();
    let names = names();
    let waiter = engine.ask(Form::Each, &refs(&names), |_| {});
    let request = engine.request();
    let finished: Vec<Status> = thread::scope(|threads| {
        let finishers: Vec<_> = (0..3).map(|_| threads.spawn(|| request.finish())).collect();
        let late = threads.spawn(|| request.answer(&names[MANY - 1], "v"));
        let status = late.join().expect("it answers");
        assert!(matches!(status, Status::OK | Status::ERR_ALREADY_ANSWERED), "{status:?}");
        finishers.into_iter().map(|finisher| finisher.join().expect("it finishes")).collect()
    });
    assert_eq!(finished.iter().filter(|status| **status == Status::OK).count(), 1, "{finished:?}");
    let outcomes = waiter.each(MANY);
    assert!(outcomes[..MANY - 1].iter().all(|outcome| outcome == "NULL"));
    drop(request);
    engine.free();
}
