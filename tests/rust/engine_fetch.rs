//! Fetches through the engine, with real threads: what the tests of the state machine (tests/rust/task) cannot cover (rules F01 to F22).
//! Fault numbers in test names are those of "Faults of earlier systems" in docs/CONTRACT.md.

use super::engine_fixture::*;
use kvlight::base::config::{BatchMode, QueueOrder, ReadMode};
use kvlight::base::{Answer, Status, StoreTerms, Ttl};
use kvlight::engine::fetch::{FetchAnswer, FetchCall};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::task::{Cancel, Form, Source, Unanswered};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn f01_every_form_of_fetch_gets_one_result_per_position_and_then_releases_its_user_data() {
    let engine = test_engine().echo().start();
    assert_eq!(engine.fetch("one").text(), "one!");
    assert_eq!(engine.fetch_each(&["a", "b", "a"]).each(3), ["a!", "b!", "a!"]);
    assert_eq!(engine.fetch_all(&["a", "c", "a"]).batch(), (vec!["a!".into(), "c!".into(), "a!".into()], "OK".into()));
    engine.free();
}

#[test]
fn f01_a_failed_call_calls_nothing_back_and_releases_its_user_data_before_it_returns() {
    let engine = test_engine().echo().start();
    let handle = Arc::new(FetchHandle::new());
    handle.cancel();
    let refused =
        engine.try_ask(Form::Each, &["k"], |_| {}, handle, 0, Some(Box::new(|received| panic!("unexpected event: {received:?}"))));
    assert_eq!(refused.err(), Some(Status::ERR_CANCELLED));
    let closed = engine.close(None);
    expect_closed(&closed);
    let refused = engine.try_ask(
        Form::All,
        &["k"],
        |_| {},
        Arc::new(FetchHandle::new()),
        0,
        Some(Box::new(|received| panic!("unexpected event: {received:?}"))),
    );
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    assert_eq!(engine.calls(), 0);
    engine.free();
}

#[test]
fn f01_a_call_that_returns_its_result_releases_its_user_data_before_its_handle_ends() {
    let engine = test_engine().start();
    engine.put("k", "v");
    let handle = Arc::new(FetchHandle::new());
    let (sender, ended) = channel();
    struct Watch(Arc<FetchHandle>, std::sync::mpsc::Sender<bool>);
    impl Drop for Watch {
        fn drop(&mut self) {
            // A thread that waits for the fetch must still be waiting, since the user data is only now released.
            let _ = self.1.send(self.0.wait(Some(Duration::ZERO)));
        }
    }
    let watch = Watch(handle.clone(), sender);
    let call = FetchCall { handle: Some(&handle), ..engine.call(true) };
    let asked = engine.core.fetch([&b"k"[..]].into_iter(), &call, move || {
        let _kept = &watch;
        Box::new(NullReceiver)
    });
    assert!(matches!(asked, Ok(FetchAnswer::Now(outcome)) if text_of(&outcome) == "v"));
    assert_eq!(ended.recv(), Ok(false), "the fetch has not ended when its user data is released");
    assert!(handle.wait(Some(Duration::ZERO)), "the fetch has ended");
    engine.free();
}

#[test]
fn f02_a_callback_never_runs_inside_the_call_even_for_a_hit() {
    let engine = test_engine().start();
    engine.put("k", "v");
    let here = std::thread::current().id();
    for form in [Form::Each, Form::All] {
        let waiter = engine.ask(form, &["k"], |_| {});
        let thread = match waiter.next() {
            Received::Result { thread, .. } | Received::Batch { thread, .. } => thread,
            other => panic!("{other:?}"),
        };
        assert_ne!(thread, here, "the callback runs on another thread");
        let Received::Dropped { thread: gone } = waiter.next() else { panic!("the user data is released after the event") };
        assert_eq!(gone, thread, "the user data is released where callbacks run");
    }
    assert_eq!(engine.fetch_now("k"), Some("v".into()), "the call itself may return the answer");
    engine.free();
}

#[test]
fn f02_put_and_cancel_never_run_the_callbacks_of_the_fetches_that_they_settle() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    let busy = engine.fetch("busy");
    let held = engine.request();
    let (first, second) = (engine.fetch("k"), engine.fetch("l"));
    let here = std::thread::current().id();
    engine.put("k", "v");
    second.cancel();
    for waiter in [&first, &second] {
        assert!(matches!(waiter.next(), Received::Result { thread, .. } if thread != here));
    }
    held.answer_all();
    assert_eq!(busy.text(), "busy!");
    engine.free();
}

#[test]
fn f03_progress_never_decreases_and_reaches_the_total_before_the_batch_event() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 8).start();
    let keys: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let waiter = engine.try_ask(Form::All, &keys, |_| {}, Arc::new(FetchHandle::new()), 7, None).expect("accepted");
    for nth in 0..50 {
        let request = engine.request();
        let key = &request.keys()[0];
        if nth % 5 == 0 {
            request.fail(key, error(1))
        } else {
            request.answer(key, "v")
        };
        request.finish();
    }
    let (mut before, mut reports) = ((0, 0), 0);
    loop {
        match waiter.next() {
            Received::Progress { done, failed, total } => {
                assert_eq!(total, 50);
                assert!(done > before.0 && failed >= before.1 && done >= failed, "progress of {done} after {before:?}");
                before = (done, failed);
                reports += 1;
            }
            Received::Batch { results, .. } => {
                assert_eq!(before, (50, 10), "progress reaches the total");
                assert_eq!(results.batch.outcomes.len(), 50);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(reports <= 8, "50 positions in steps of 7, and the end: {reports}");
    waiter.expect_end();
    assert_eq!(waiter.handle.progress(), (50, 10, 50));
    engine.free();
}

#[test]
fn f03_events_of_one_fetch_are_delivered_one_at_a_time_whichever_threads_answer() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 8).echo().start();
    let inside = Arc::new(AtomicUsize::new(0));
    let keys: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let running = inside.clone();
    let overlap = Arc::new(AtomicUsize::new(0));
    let overlaps = overlap.clone();
    let then = move |_: &Received| {
        if running.fetch_add(1, Ordering::SeqCst) > 0 {
            overlaps.fetch_add(1, Ordering::SeqCst);
        }
        std::thread::yield_now();
        running.fetch_sub(1, Ordering::SeqCst);
    };
    let waiter = engine.try_ask(Form::Each, &keys, |_| {}, Arc::new(FetchHandle::new()), 0, Some(Box::new(then))).expect("accepted");
    assert_eq!(waiter.each(200).len(), 200);
    assert_eq!(overlap.load(Ordering::SeqCst), 0);
    engine.free();
}

#[test]
fn f04_an_empty_fetch_each_gets_no_event_and_does_not_delay_the_close() {
    let engine = test_engine().start();
    let handle = Arc::new(FetchHandle::new());
    let call = FetchCall { handle: Some(&handle), ..engine.call(false) };
    let asked = engine.core.fetch(std::iter::empty::<&[u8]>(), &call, || Box::new(NullReceiver));
    assert!(matches!(asked, Ok(FetchAnswer::Ready(results)) if results.batch.outcomes.is_empty()));
    assert!(handle.wait(Some(Duration::ZERO)), "the fetch has ended");
    // This would wait forever if the empty fetch counted as in progress.
    engine.free();
}

#[test]
fn f05_fault20_an_empty_batch_gets_its_event() {
    let engine = test_engine().start();
    let waiter = engine.fetch_all(&[]);
    let Received::Batch { results, thread } = waiter.next() else { panic!("a batch event was expected") };
    assert_eq!(results.batch.outcomes.len(), 0);
    assert_ne!(thread, std::thread::current().id(), "the callback runs outside of the call");
    waiter.expect_end();
    engine.free();
}

#[test]
fn f05_fault10_duplicates_in_a_batch_are_one_load_and_one_event() {
    let engine = test_engine().with(|settings| settings.tasks.batch_max_keys = 20).start();
    let waiter = engine.fetch_all(&["a", "b", "a", "a"]);
    let request = engine.request();
    assert_eq!(request.keys(), ["a", "b"]);
    request.answer_all();
    assert_eq!(waiter.batch().0, ["a!", "b!", "a!", "a!"]);
    engine.free();
}

#[test]
fn f07_a_lookup_from_the_callback_hits() {
    let engine = test_engine().start();
    for round in 0..200 {
        let key = format!("k{round}");
        let (core, seen) = (engine.core.clone(), Arc::new(Mutex::new(String::new())));
        let (note, asked) = (seen.clone(), key.clone());
        let waiter = engine.fetch_then(&key, move |received| {
            if matches!(received, Received::Result { .. }) {
                *note.lock().expect("no panic") = text_of_lookup(&core.get(asked.as_bytes()).expect("open"));
            }
        });
        engine.request().answer_all();
        assert_eq!(waiter.text(), format!("{key}!"));
        assert_eq!(*seen.lock().expect("no panic"), format!("{key}!"));
    }
    engine.free();
}

#[test]
fn f07_fault29_no_key_is_loaded_twice_while_its_answer_is_in_the_store() {
    const KEYS: usize = 500;
    let engine = test_engine().with(|settings| settings.tasks.max_running = 4).echo().start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..KEYS {
                    assert_eq!(engine.fetch(&format!("k{n}")).text(), format!("k{n}!"));
                }
            });
        }
    });
    assert_eq!(engine.stats().tasks.attempts, KEYS as u64, "each key was loaded once");
    engine.free();
}

#[test]
fn f08_fault21_a_put_through_the_cache_overtakes_the_load_in_progress() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    assert_eq!(engine.put("k", "new"), Status::OK);
    assert_eq!(request.answer("k", "old"), Status::OK);
    assert_eq!(waiter.text(), "old");
    assert_eq!(engine.lookup("k"), "new");
    engine.free();
}

#[test]
fn f08_remove_take_and_clear_through_the_cache_overtake_the_load_in_progress() {
    let engine = test_engine().start();
    let writes: [&dyn Fn(); 3] = [&|| assert!(engine.core.remove(b"k").is_ok()), &|| assert!(engine.core.take(b"k").is_ok()), &|| {
        engine.core.clear().expect("open")
    }];
    for write in writes {
        let before = engine.fetch("k");
        let first = engine.request();
        write();
        let after = engine.fetch("k");
        let second = engine.request();
        first.answer("k", "old");
        assert_eq!((before.text(), engine.lookup("k")), ("old".into(), "MISS".into()));
        second.answer("k", "new");
        assert_eq!((after.text(), engine.lookup("k")), ("new".into(), "new".into()));
        engine.remove("k");
    }
    engine.free();
}

#[test]
fn f08_a_put_settles_a_load_that_waits_for_a_slot() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    let busy = engine.fetch("busy");
    let held = engine.request();
    let waiter = engine.fetch("k");
    engine.put("k", "put");
    let outcome = waiter.outcome();
    assert_eq!((text_of(&outcome), outcome.source), ("put".into(), Source::Put));
    held.answer_all();
    assert_eq!(busy.text(), "busy!");
    assert_eq!(engine.calls(), 1, "the key was not loaded");
    engine.free();
}

#[test]
fn f09_fault23_cancel_affects_no_other_fetch() {
    let engine = test_engine().start();
    let (mine, theirs) = (engine.fetch("k"), engine.fetch("k"));
    let request = engine.request();
    mine.cancel();
    mine.cancel();
    assert_eq!(mine.text(), "ERR_CANCELLED");
    request.answer_all();
    let outcome = theirs.outcome();
    assert_eq!((text_of(&outcome), outcome.source), ("k!".into(), Source::Joined));
    mine.cancel();
    engine.free();
}

#[test]
fn f09_fault24_a_fetch_that_starts_after_a_cancel_is_never_cancelled_by_it() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 2).echo().start();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for round in 0..300 {
                    engine.remove("k");
                    let waiter = engine.fetch("k");
                    if (thread + round) % 2 == 0 {
                        waiter.cancel();
                        let word = waiter.text();
                        assert!(["k!", "ERR_CANCELLED"].contains(&&*word), "{word}");
                    } else {
                        assert_eq!(waiter.text(), "k!", "a fetch that was not cancelled gets an answer");
                    }
                }
            });
        }
    });
    engine.wait_until_idle();
    engine.free();
}

#[test]
fn f09_releasing_the_handle_does_not_cancel() {
    let engine = test_engine().start();
    let (sender, received) = channel();
    let handle = Arc::new(FetchHandle::new());
    let then = move |received: &Received| {
        if let Received::Result { outcome, .. } = received {
            let _ = sender.send(text_of(outcome));
        }
    };
    drop(engine.try_ask(Form::Each, &["k"], |_| {}, handle, 0, Some(Box::new(then))).expect("accepted"));
    engine.request().answer_all();
    assert_eq!(received.recv_timeout(PATIENCE), Ok("k!".into()));
    engine.free();
}

#[test]
fn f09_urgency_set_while_a_fetch_waits_moves_it_ahead() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    let busy = engine.fetch("busy");
    let held = engine.request();
    let (early, late) = (engine.fetch("early"), engine.fetch("late"));
    early.handle.set_urgency(5);
    held.answer_all();
    let request = engine.request();
    assert_eq!((request.keys(), request.0.urgency()), (vec!["early".into()], 5));
    request.answer_all();
    engine.request().answer_all();
    for waiter in [busy, early, late] {
        waiter.outcome();
    }
    engine.free();
}

#[test]
fn f10_a_timeout_settles_open_positions_and_keeps_the_results_of_others() {
    let engine = test_engine().start();
    engine.put("here", "v");
    let waiter = engine.ask(Form::All, &["here", "slow", "answered"], |settings| settings.timeout = Some(Duration::from_millis(50)));
    let requests = [engine.request(), engine.request()];
    for request in &requests {
        if request.keys() == ["answered"] {
            request.answer("answered", "in time");
        }
    }
    engine.advance(49);
    waiter.expect_no_event();
    engine.advance(1);
    assert_eq!(waiter.batch(), (vec!["v".into(), "ERR_TIMEOUT".into(), "in time".into()], "ERR_TIMEOUT".into()));
    engine.free();
}

#[test]
fn f10_fault11_a_provider_that_never_answers_blocks_neither_its_key_nor_its_slot() {
    let engine = test_engine()
        .with(|settings| {
            settings.tasks.max_running = 1;
            settings.fetch.attempt_timeout = Some(Duration::from_millis(100));
        })
        .start();
    let waiter = engine.fetch("k");
    let hung = engine.request();
    engine.advance(100);
    assert_eq!(waiter.text(), "ERR_TIMEOUT");
    let again = engine.fetch("k");
    engine.request().answer_all();
    assert_eq!(again.text(), "k!");
    assert_eq!(engine.stats().gauges.abandoned, 1);
    drop(hung);
    engine.wait_until_idle();
    engine.free();
}

#[test]
fn f10_a_heartbeat_restarts_the_timeout_of_the_attempt() {
    let engine = test_engine().with(|settings| settings.fetch.attempt_timeout = Some(Duration::from_millis(100))).start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    for _ in 0..5 {
        engine.advance(90);
        assert_eq!(request.0.heartbeat(), Status::OK);
        assert_eq!(request.0.time_left(), Some(Duration::from_millis(100)));
    }
    assert_eq!(request.answer("k", "v"), Status::OK);
    assert_eq!(waiter.text(), "v");
    engine.free();
}

#[test]
fn f10_fault43_a_late_answer_is_stored_unless_the_key_was_written() {
    let engine = test_engine().with(|settings| settings.fetch.attempt_timeout = Some(Duration::from_millis(100))).start();
    let waiter = engine.fetch("k");
    let late = engine.request();
    engine.advance(100);
    assert_eq!(waiter.text(), "ERR_TIMEOUT");
    assert_eq!(late.answer("k", "late"), Status::LATE);
    assert_eq!(engine.lookup("k"), "late");
    late.finish();

    engine.remove("k");
    let waiter = engine.fetch("k");
    let late = engine.request();
    engine.advance(100);
    assert_eq!(waiter.text(), "ERR_TIMEOUT");
    engine.put("k", "put");
    assert_eq!(late.answer("k", "late"), Status::LATE);
    assert_eq!(engine.lookup("k"), "put", "a late answer does not overwrite a later put");
    late.finish();
    engine.free();
}

#[test]
fn f10_a_late_answer_settles_the_flight_while_its_next_attempt_runs() {
    let engine = test_engine()
        .with(|settings| {
            settings.fetch.attempt_timeout = Some(Duration::from_millis(100));
            settings.fetch.retry.count = Some(3);
        })
        .start();
    let waiter = engine.fetch("k");
    let first = engine.request();
    engine.advance(100);
    let second = engine.request();
    assert_eq!(second.0.attempt(0), Some(2));
    assert_eq!(first.answer("k", "late but true"), Status::LATE);
    assert_eq!(waiter.text(), "late but true");
    assert_eq!(second.0.cancel_reason(), Cancel::Unwanted as u32, "the second attempt is no longer wanted");
    engine.free();
}

#[test]
fn f11_fault15_retries_do_not_grow_the_stack() {
    const TRIES: u32 = 200_000;
    // The provider fails inside its own call, as fast as it can: each retry starts at the end of the previous attempt.
    let engine = test_engine()
        .with(|settings| settings.fetch.retry.count = Some(TRIES))
        .answered_by(|ticket| {
            ticket.fail(0, error(1));
        })
        .start();
    let outcome = engine.fetch("k").outcome();
    assert_eq!((text_of(&outcome), outcome.attempts), ("ERR_PROVIDER".into(), TRIES + 1));
    assert_eq!(engine.calls(), TRIES as usize + 1);
    engine.free();
}

#[test]
fn f12_consecutive_attempts_share_few_threads() {
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen = threads.clone();
    let engine = test_engine()
        .with(|settings| settings.fetch.retry.count = Some(10_000))
        .answered_by(move |ticket| {
            seen.lock().expect("no panic").insert(std::thread::current().id());
            ticket.fail(0, error(1));
        })
        .start();
    assert_eq!(engine.fetch("k").outcome().attempts, 10_001);
    // One thread for each attempt would be 10,001. How many attempts overlap at their ends depends on the scheduler.
    let threads = threads.lock().expect("no panic").len();
    assert!(threads < 100, "{threads} threads for attempts that follow each other");
    engine.free();
}

#[test]
fn f11_fault15_count_zero_retries_nothing() {
    let engine = test_engine()
        .answered_by(|ticket| {
            ticket.fail(0, error(1));
        })
        .start();
    assert_eq!((engine.fetch("k").outcome().attempts, engine.calls()), (1, 1));
    engine.free();
}

#[test]
fn f11_fault14_a_key_in_backoff_holds_no_thread_and_no_slot() {
    let engine = test_engine()
        .with(|settings| {
            settings.tasks.max_running = 1;
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = Duration::from_secs(3600);
        })
        .start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    request.fail("k", error(1));
    drop(request);
    engine.wait_until_only_flights(1);
    let other = engine.fetch("other");
    engine.request().answer_all();
    assert_eq!(other.text(), "other!", "the only slot was free");
    engine.advance(3_600_000);
    engine.request().answer_all();
    let outcome = waiter.outcome();
    assert_eq!((text_of(&outcome), outcome.attempts), ("k!".into(), 2));
    engine.free();
}

#[test]
fn f12_fault12_a_misbehaving_provider_does_not_raise_the_running_limit() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, highest) = (now.clone(), most.clone());
    let engine = test_engine()
        .with(|settings| {
            settings.tasks.max_running = 2;
            settings.fetch.retry.count = Some(1);
        })
        .answered_by(move |ticket| {
            highest.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // The provider answers twice and finishes twice; keys that end in 3 fail.
            let fails = ticket.keys()[0].ends_with(b"3");
            for _ in 0..2 {
                if fails {
                    ticket.fail(0, error(1))
                } else {
                    ticket.resolve(0, value("v"), StoreTerms::default())
                };
            }
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
            ticket.finish(Unanswered::Unanswered);
            ticket.finish(Unanswered::Unanswered);
        })
        .start();
    let keys: Vec<String> = (0..400).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let words = engine.fetch_each(&keys).each(400);
    assert_eq!(words.iter().filter(|word| *word == "v").count(), 360);
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?} at a time");
    engine.wait_until_idle();
    engine.free();
}

#[test]
fn f12_fault09_failed_loads_free_their_slots() {
    let engine = test_engine()
        .with(|settings| settings.tasks.max_running = 4)
        .answered_by(|ticket| {
            ticket.fail(0, error(1));
        })
        .start();
    for n in 0..100 {
        assert_eq!(engine.fetch(&format!("k{n}")).text(), "ERR_PROVIDER");
    }
    engine.wait_until_idle();
    engine.free();
}

#[test]
fn f15_eight_threads_may_answer_in_any_order() {
    let engine = test_engine().with(|settings| settings.tasks.batch_max_keys = 800).start();
    let keys: Vec<String> = (0..800).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let waiter = engine.fetch_each(&keys);
    let request = engine.request();
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (request, refused) = (&request, &refused);
            scope.spawn(move || {
                for nth in 0..800 {
                    // Each thread tries every key in its own order. Each key takes the first answer.
                    let index = (nth * 7 + thread * 100) % 800;
                    let key = format!("k{index}");
                    let status = if nth % 2 == 0 { request.answer(&key, "v") } else { request.supply(&key, "v") };
                    match status {
                        Status::OK => {}
                        Status::ERR_ALREADY_ANSWERED => drop(refused.fetch_add(1, Ordering::SeqCst)),
                        other => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(refused.load(Ordering::SeqCst), 7 * 800, "each key took one answer");
    assert!(waiter.each(800).iter().all(|word| word == "v"), "results are delivered before the finish");
    assert_eq!(request.finish(), Status::OK);
    engine.free();
}

#[test]
fn f15_a_request_stays_valid_but_refuses_answers_after_the_engine_is_freed() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    engine.free();
    assert_eq!(waiter.text(), "ERR_CLOSED");
    assert_eq!(request.keys(), ["k"]);
    assert_eq!(request.0.cancel_reason(), Cancel::Closed as u32);
    assert!(!request.0.is_wanted(0));
    assert_eq!(request.answer("k", "v"), Status::ERR_CLOSED);
    assert_eq!(request.supply("other", "v"), Status::ERR_CLOSED);
    assert_eq!(request.finish(), Status::ERR_CLOSED);
    assert_eq!(request.on_cancel(|_| panic!("the hook must not be called")), Status::ERR_CLOSED);
}

#[test]
fn f15_an_extra_key_is_stored_unless_it_is_outdated() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    assert_eq!(request.supply("extra", "more"), Status::OK);
    assert_eq!(engine.lookup("extra"), "more");
    engine.put("written", "put");
    assert_eq!(request.supply("written", "old"), Status::LATE);
    assert_eq!(engine.lookup("written"), "put");
    request.answer_all();
    assert_eq!(waiter.text(), "k!");
    engine.free();
}

#[test]
fn f15_fault38_a_request_that_the_provider_drops_leaves_its_keys_unanswered() {
    let engine = test_engine().answered_by(|_| {}).start();
    assert_eq!(engine.fetch("k").text(), "ERR_UNANSWERED");
    engine.wait_until_idle();
    engine.free();
}

#[test]
fn f16_unanswered_keys_become_null_with_omitted_is_null() {
    let engine = test_engine().with(|settings| settings.tasks.omitted_is_null = true).answered_by(|_| {}).start();
    assert_eq!(engine.fetch("k").text(), "NULL");
    assert_eq!(engine.lookup("k"), "NULL");
    engine.advance(60_000);
    assert_eq!(engine.lookup("k"), "MISS", "fault 17: an omission is forgotten after cache.null_ttl_ms");
    engine.free();
}

#[test]
fn f17_all_or_nothing_keeps_settled_results_and_ends_with_the_first_failure() {
    let engine = test_engine().start();
    let waiter = engine.ask(Form::All, &["a", "b", "c"], |settings| settings.batch_mode = BatchMode::AllOrNothing);
    let requests = [engine.request(), engine.request(), engine.request()];
    let of = |key: &str| requests.iter().find(|request| request.keys() == [key]).expect("each key is a request");
    of("a").answer("a", "v");
    of("b").fail("b", permanent(1));
    assert_eq!(waiter.batch(), (vec!["v".into(), "ERR_PROVIDER".into(), "ERR_CANCELLED".into()], "ERR_PROVIDER".into()));
    engine.free();
}

#[test]
fn f17_all_or_nothing_applies_to_a_batch_that_the_call_returns() {
    let engine = test_engine().with(|settings| settings.fetch.batch_mode = BatchMode::AllOrNothing).start();
    engine.put("a", "v");
    let long = vec![b'x'; 70_000];
    let call = FetchCall { form: Form::All, ..engine.call(true) };
    let asked = engine.core.fetch([&b"a"[..], &long].into_iter(), &call, || Box::new(NullReceiver));
    let Ok(FetchAnswer::Ready(results)) = asked else { panic!("the call should return the results: {asked:?}") };
    let words: Vec<String> = results.batch.outcomes.iter().map(text_of).collect();
    assert_eq!(words, ["v", "ERR_KEY_TOO_LONG"]);
    assert_eq!(results.batch.ended.map(|error| error.status()), Some(Status::ERR_KEY_TOO_LONG));
    engine.free();
}

#[test]
fn f18_f22_a_batch_reports_the_source_of_each_position() {
    let engine = test_engine().start();
    engine.put("stored", "v");
    engine.advance(40);
    let other = engine.fetch("joined");
    let first = engine.request();
    let waiter = engine.fetch_all(&["stored", "joined", "loaded", "failed", "loaded"]);
    let requests = [engine.request(), engine.request()];
    first.answer_all();
    for request in requests {
        if request.keys() == ["failed"] {
            request.fail("failed", error(7));
        } else {
            request.answer_all();
        }
    }
    let outcomes = waiter.results().batch.outcomes;
    let sources: Vec<Source> = outcomes.iter().map(source).collect();
    assert_eq!(sources[..3], [Source::Store, Source::Joined, Source::Provider]);
    assert_eq!(sources[4], Source::Joined, "the second position of the key joined the load of the first");
    assert_eq!((outcomes[0].age_ms, outcomes[2].age_ms), (40, 0));
    assert_eq!((outcomes[2].attempts, outcomes[2].ttl_left_ms, outcomes[0].ttl_left_ms), (1, -1, -1));
    assert!(outcomes[2].cost > 0);
    assert_eq!(outcomes[3].error().map(|error| error.code()), Some(7));
    assert_eq!(other.text(), "joined!");
    engine.free();
}

#[test]
fn f19_each_read_mode_reads_and_stores_as_defined() {
    let engine = test_engine().start();
    assert_eq!(engine.fetch_with("k", |settings| settings.read = ReadMode::CacheOnly).text(), "MISS");
    assert_eq!(engine.calls(), 0);
    engine.put("k", "old");
    let refreshed = engine.fetch_with("k", |settings| settings.read = ReadMode::Refresh);
    let request = engine.request();
    assert_eq!(engine.lookup("k"), "old", "lookups still return the old value");
    request.fail("k", error(1));
    drop(request);
    assert_eq!((refreshed.text(), engine.lookup("k")), ("ERR_PROVIDER".into(), "old".into()));
    let refreshed = engine.fetch_with("k", |settings| settings.read = ReadMode::Refresh);
    engine.request().answer_all();
    assert_eq!((refreshed.text(), engine.lookup("k")), ("k!".into(), "k!".into()));
    let unstored = engine.fetch_with("l", |settings| settings.read = ReadMode::NoStore);
    engine.request().answer_all();
    assert_eq!((unstored.text(), engine.lookup("l")), ("l!".into(), "MISS".into()));
    engine.free();
}

#[test]
fn f19_an_answers_ttl_beats_the_configuration() {
    let engine = test_engine().with(|settings| settings.cache.ttl_ms = Some(1000)).start();
    let plain = engine.fetch("plain");
    engine.request().answer_all();
    assert_eq!(plain.outcome().ttl_left_ms, 1000);
    let stated = engine.fetch("stated");
    let request = engine.request();
    let ttl = Ttl::from_raw(50).expect("a TTL");
    request.0.resolve(0, value("v"), StoreTerms { ttl, ..StoreTerms::default() });
    assert_eq!(stated.outcome().ttl_left_ms, 50);
    engine.free();
}

#[test]
fn f19_a_refresh_of_several_keys_stores_the_answers_and_delivers_nothing() {
    let engine = test_engine().with(|settings| settings.tasks.batch_max_keys = 20).start();
    assert_eq!(engine.refresh(&["a", "b", "a"]), Ok(()));
    let request = engine.request();
    assert_eq!(request.keys(), ["a", "b"]);
    request.answer_all();
    until("the answers are stored", || engine.peek("b") == "b!");
    assert_eq!(engine.lookup("a"), "a!");
    assert_eq!(engine.stats().misses(), 0, "a refresh does not count as a lookup");
    engine.free();
}

#[test]
fn f20_every_waiter_receives_the_same_error() {
    let engine = test_engine().start();
    let (one, other) = (engine.fetch("k"), engine.fetch("k"));
    let request = engine.request();
    let given = error(-7);
    request.fail("k", given.clone());
    for waiter in [one, other] {
        let outcome = waiter.outcome();
        let received = outcome.error().expect("it failed");
        assert!(received.is(&given) && received.code() == -7);
    }
    engine.free();
}

#[test]
fn f20_a_final_error_is_remembered_until_it_expires() {
    let engine = test_engine().with(|settings| settings.cache.error_ttl_ms = 1000).start();
    let waiter = engine.fetch("k");
    engine.request().fail("k", error(3));
    assert_eq!(waiter.text(), "ERR_PROVIDER");
    let again = engine.fetch("k").outcome();
    assert_eq!((text_of(&again), again.source), ("ERR_PROVIDER".into(), Source::ErrorMemory));
    assert_eq!((engine.lookup("k"), engine.calls()), ("MISS".into(), 1));
    engine.advance(1000);
    let waiter = engine.fetch("k");
    engine.request().answer_all();
    assert_eq!(waiter.text(), "k!");
    engine.free();
}

#[test]
fn f21_a_fetch_by_the_provider_of_the_key_it_is_loading_joins_that_flight() {
    let (inner, received) = channel();
    let inner = Mutex::new(inner);
    let engine = test_engine()
        .answered_by(move |ticket| {
            let sender = inner.lock().expect("no panic").clone();
            let core = ticket.core().clone();
            let call = FetchCall {
                form: Form::Each,
                settings: core.fetch_settings().clone().into(),
                progress_step: 0,
                handle: None,
                at_once: false,
            };
            struct OutcomeSender(std::sync::mpsc::Sender<(String, Source)>);
            impl kvlight::engine::host::Receiver for OutcomeSender {
                fn result(&mut self, _: usize, _: &[u8], outcome: &kvlight::task::Outcome, _: bool) {
                    let _ = self.0.send((text_of(outcome), outcome.source));
                }
                fn batch(&mut self, _: kvlight::engine::host::Results) {}
                fn progress(&mut self, _: usize, _: usize, _: usize) {}
            }
            core.fetch([&b"k"[..]].into_iter(), &call, || Box::new(OutcomeSender(sender))).expect("accepted");
            ticket.resolve(0, value("v"), StoreTerms::default());
        })
        .start();
    assert_eq!(engine.fetch("k").text(), "v");
    assert_eq!(received.recv_timeout(PATIENCE), Ok(("v".into(), Source::Joined)));
    assert_eq!(engine.calls(), 1);
    engine.free();
}

#[test]
fn f21_a_blocking_fetch_waits_for_its_answer_but_no_longer_than_its_timeout() {
    let engine = test_engine().echo().with_system_clock().start();
    let asked = engine.core.fetch_wait([&b"k"[..]].into_iter(), &engine.call(true)).expect("accepted");
    assert!(matches!(asked, FetchAnswer::Now(outcome) if text_of(&outcome) == "k!"));
    let call = FetchCall { form: Form::All, ..engine.call(true) };
    let asked = engine.core.fetch_wait([&b"k"[..], b"l"].into_iter(), &call).expect("accepted");
    let FetchAnswer::Ready(results) = asked else { panic!("a batch") };
    assert_eq!(results.batch.outcomes.iter().map(text_of).collect::<Vec<_>>(), ["k!", "l!"]);
    engine.free();

    let engine = test_engine().with_system_clock().start();
    let mut settings = engine.fetch_settings();
    settings.timeout = Some(Duration::from_millis(5));
    let call = FetchCall { settings: Arc::new(settings).into(), ..engine.call(true) };
    let asked = engine.core.fetch_wait([&b"k"[..]].into_iter(), &call).expect("accepted");
    assert!(matches!(asked, FetchAnswer::Now(outcome) if text_of(&outcome) == "ERR_TIMEOUT"));
    engine.free();
}

#[test]
fn fault34_36_the_callback_may_run_and_the_fetch_may_end_before_the_call_returns() {
    // The caller passes the handle in, and the receiver is created for the call. So no memory of the caller is written after the fetch is
    // accepted (ADR 3).
    let engine = test_engine().with(|settings| settings.tasks.max_running = 8).echo().start();
    for n in 0..2000 {
        let waiter = engine.fetch(&format!("k{n}"));
        assert!(waiter.handle.wait(Some(PATIENCE)), "the fetch ends");
        assert_eq!(waiter.text(), format!("k{n}!"));
    }
    engine.free();
}

#[test]
fn fault42_null_is_distinguished_from_a_miss() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    engine.request().answer_null("k");
    assert_eq!((waiter.text(), engine.lookup("k")), ("NULL".into(), "NULL".into()));
    assert_eq!(engine.put_answer("k", Answer::Null), Status::OK);
    engine.free();
}

#[test]
fn fault44_under_lifo_a_huge_fetch_does_not_delay_single_ones() {
    let engine = test_engine().with(|settings| (settings.tasks.max_running, settings.tasks.queue_order) = (1, QueueOrder::Lifo)).start();
    let keys: Vec<String> = (0..1000).map(|n| format!("huge{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let huge = engine.fetch_each(&keys);
    let first = engine.request();
    let single = engine.fetch("single");
    first.answer_all();
    // The single fetch was made last, and its key is loaded first.
    let next = engine.request();
    assert_eq!(next.keys(), ["single"]);
    next.answer_all();
    assert_eq!(single.text(), "single!");
    for _ in 1..1000 {
        engine.request().answer_all();
    }
    assert!(huge.each(1000).iter().all(|word| word.ends_with('!')), "fault 18: no key of the huge fetch was lost");
    engine.free();
}
