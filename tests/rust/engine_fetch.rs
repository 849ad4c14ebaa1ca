//! Fetching through the engine, threads and all: what the state machine's own stories cannot see (rules F01 to F22).

use super::engine_world::*;
use kvlight::base::config::{BatchMode, QueueOrder, ReadMode};
use kvlight::base::{Answer, Status, StoreTerms, Ttl};
use kvlight::engine::fetch::{FetchAnswer, FetchCall};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::task::{Form, Source, Unanswered};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn f01_every_way_to_ask_is_told_once_for_each_position_and_then_the_user_data_ends() {
    let world = story().echo().begin();
    assert_eq!(world.fetch("one").said(), "one!");
    assert_eq!(world.fetch_each(&["a", "b", "a"]).each(3), ["a!", "b!", "a!"]);
    assert_eq!(world.fetch_all(&["a", "c", "a"]).batch(), (vec!["a!".into(), "c!".into(), "a!".into()], "OK".into()));
    world.free();
}

#[test]
fn f01_a_call_that_fails_is_told_nothing_and_its_user_data_ends_inside_it() {
    let world = story().echo().begin();
    let handle = Arc::new(FetchHandle::new());
    handle.cancel();
    let refused = world.try_ask(Form::Each, &["k"], |_| {}, handle, 0, Some(Box::new(|heard| panic!("told: {heard:?}"))));
    assert_eq!(refused.err(), Some(Status::ERR_CANCELLED));
    let news = world.close(None);
    hears_closed(&news);
    let refused =
        world.try_ask(Form::All, &["k"], |_| {}, Arc::new(FetchHandle::new()), 0, Some(Box::new(|heard| panic!("told: {heard:?}"))));
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    assert_eq!(world.calls(), 0);
    world.free();
}

#[test]
fn f01_a_call_that_answers_at_once_ends_its_user_data_before_its_handle() {
    let world = story().begin();
    world.put("k", "v");
    let handle = Arc::new(FetchHandle::new());
    let (story, ended) = channel();
    struct Watch(Arc<FetchHandle>, std::sync::mpsc::Sender<bool>);
    impl Drop for Watch {
        fn drop(&mut self) {
            // Whoever waits for the fetch must still be waiting: its user data has not ended yet.
            let _ = self.1.send(self.0.wait(Some(Duration::ZERO)));
        }
    }
    let watch = Watch(handle.clone(), story);
    let call = FetchCall { handle: Some(&handle), ..world.call(true) };
    let asked = world.core.fetch([&b"k"[..]].into_iter(), &call, move || {
        let _kept = &watch;
        Box::new(Deaf)
    });
    assert!(matches!(asked, Ok(FetchAnswer::Now(outcome)) if said(&outcome) == "v"));
    assert_eq!(ended.recv(), Ok(false), "the fetch had not ended when its user data did");
    assert!(handle.wait(Some(Duration::ZERO)), "now it has");
    world.free();
}

#[test]
fn f02_a_callback_never_runs_inside_the_call_not_even_for_a_hit() {
    let world = story().begin();
    world.put("k", "v");
    let here = std::thread::current().id();
    for form in [Form::Each, Form::All] {
        let waiter = world.ask(form, &["k"], |_| {});
        let thread = match waiter.next() {
            Heard::Result { thread, .. } | Heard::Batch { thread, .. } => thread,
            other => panic!("{other:?}"),
        };
        assert_ne!(thread, here, "it was told elsewhere");
        let Heard::Gone { thread: gone } = waiter.next() else { panic!("the user data ends") };
        assert_eq!(gone, thread, "the user data ends where callbacks run");
    }
    assert_eq!(world.fetch_now("k"), Some("v".into()), "the call may answer by what it returns");
    world.free();
}

#[test]
fn f02_put_and_cancel_settle_others_whose_callbacks_do_not_run_inside_them() {
    let world = story().with(|settings| settings.tasks.max_running = 1).begin();
    let busy = world.fetch("busy");
    let held = world.request();
    let (first, second) = (world.fetch("k"), world.fetch("l"));
    let here = std::thread::current().id();
    world.put("k", "v");
    second.cancel();
    for waiter in [&first, &second] {
        assert!(matches!(waiter.next(), Heard::Result { thread, .. } if thread != here));
    }
    held.answer_all();
    assert_eq!(busy.said(), "busy!");
    world.free();
}

#[test]
fn f03_progress_never_falls_and_ends_with_the_whole_before_the_batch() {
    let world = story().with(|settings| settings.tasks.max_running = 8).begin();
    let keys: Vec<String> = (0..50).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let waiter = world.try_ask(Form::All, &keys, |_| {}, Arc::new(FetchHandle::new()), 7, None).expect("accepted");
    for nth in 0..50 {
        let request = world.request();
        let key = &request.keys()[0];
        if nth % 5 == 0 {
            request.fail(key, error(1))
        } else {
            request.answer(key, "v")
        };
        request.finish();
    }
    let (mut before, mut told) = ((0, 0), 0);
    loop {
        match waiter.next() {
            Heard::Progress { done, failed, total } => {
                assert_eq!(total, 50);
                assert!(done > before.0 && failed >= before.1 && done >= failed, "{done} of them after {before:?}");
                before = (done, failed);
                told += 1;
            }
            Heard::Batch { results, .. } => {
                assert_eq!(before, (50, 10), "progress ends with the whole");
                assert_eq!(results.batch.outcomes.len(), 50);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(told <= 8, "steps of 7, and the end: {told}");
    waiter.ends();
    assert_eq!(waiter.handle.progress(), (50, 10, 50));
    world.free();
}

#[test]
fn f03_events_of_one_fetch_come_one_at_a_time_whatever_threads_answer() {
    let world = story().with(|settings| settings.tasks.max_running = 8).echo().begin();
    let inside = Arc::new(AtomicUsize::new(0));
    let keys: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let at_work = inside.clone();
    let overlap = Arc::new(AtomicUsize::new(0));
    let overlaps = overlap.clone();
    let then = move |_: &Heard| {
        if at_work.fetch_add(1, Ordering::SeqCst) > 0 {
            overlaps.fetch_add(1, Ordering::SeqCst);
        }
        std::thread::yield_now();
        at_work.fetch_sub(1, Ordering::SeqCst);
    };
    let waiter = world.try_ask(Form::Each, &keys, |_| {}, Arc::new(FetchHandle::new()), 0, Some(Box::new(then))).expect("accepted");
    assert_eq!(waiter.each(200).len(), 200);
    assert_eq!(overlap.load(Ordering::SeqCst), 0);
    world.free();
}

#[test]
fn f04_nothing_asked_one_by_one_is_told_nothing_and_holds_nobody_up() {
    let world = story().begin();
    let handle = Arc::new(FetchHandle::new());
    let call = FetchCall { handle: Some(&handle), ..world.call(false) };
    let asked = world.core.fetch(std::iter::empty::<&[u8]>(), &call, || Box::new(Deaf));
    assert!(matches!(asked, Ok(FetchAnswer::Ready(results)) if results.batch.outcomes.is_empty()));
    assert!(handle.wait(Some(Duration::ZERO)), "it is over");
    // It would wait for ever if the empty fetch counted as under way.
    world.free();
}

#[test]
fn f05_fault_20_an_empty_batch_is_told_like_every_other() {
    let world = story().begin();
    let waiter = world.fetch_all(&[]);
    let Heard::Batch { results, thread } = waiter.next() else { panic!("one event comes") };
    assert_eq!(results.batch.outcomes.len(), 0);
    assert_ne!(thread, std::thread::current().id(), "not inside the call");
    waiter.ends();
    world.free();
}

#[test]
fn f05_fault_10_duplicates_in_a_batch_are_one_load_and_one_event() {
    let world = story().with(|settings| settings.tasks.batch_max_keys = 20).begin();
    let waiter = world.fetch_all(&["a", "b", "a", "a"]);
    let request = world.request();
    assert_eq!(request.keys(), ["a", "b"]);
    request.answer_all();
    assert_eq!(waiter.batch().0, ["a!", "b!", "a!", "a!"]);
    world.free();
}

#[test]
fn f07_a_lookup_from_the_callback_hits() {
    let world = story().begin();
    for round in 0..200 {
        let key = format!("k{round}");
        let (core, seen) = (world.core.clone(), Arc::new(Mutex::new(String::new())));
        let (note, asked) = (seen.clone(), key.clone());
        let waiter = world.fetch_then(&key, move |heard| {
            if matches!(heard, Heard::Result { .. }) {
                *note.lock().expect("no panic") = found(&core.get(asked.as_bytes()).expect("open"));
            }
        });
        world.request().answer_all();
        assert_eq!(waiter.said(), format!("{key}!"));
        assert_eq!(*seen.lock().expect("no panic"), format!("{key}!"));
    }
    world.free();
}

#[test]
fn f07_fault_29_no_key_is_loaded_twice_while_its_answer_is_in_the_store() {
    const KEYS: usize = 500;
    let world = story().with(|settings| settings.tasks.max_running = 4).echo().begin();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..KEYS {
                    assert_eq!(world.fetch(&format!("k{n}")).said(), format!("k{n}!"));
                }
            });
        }
    });
    assert_eq!(world.stats().tasks.attempts, KEYS as u64, "each key was asked of the provider once");
    world.free();
}

#[test]
fn f08_fault_21_put_through_the_cache_beats_the_load_under_way() {
    let world = story().begin();
    let waiter = world.fetch("k");
    let request = world.request();
    assert_eq!(world.put("k", "new"), Status::OK);
    assert_eq!(request.answer("k", "old"), Status::OK);
    assert_eq!(waiter.said(), "old");
    assert_eq!(world.lookup("k"), "new");
    world.free();
}

#[test]
fn f08_remove_take_and_clear_through_the_cache_overtake_the_load_under_way() {
    let world = story().begin();
    let writes: [&dyn Fn(); 3] =
        [&|| assert!(world.core.remove(b"k").is_ok()), &|| assert!(world.core.take(b"k").is_ok()), &|| world.core.clear().expect("open")];
    for write in writes {
        let before = world.fetch("k");
        let first = world.request();
        write();
        let after = world.fetch("k");
        let second = world.request();
        first.answer("k", "old");
        assert_eq!((before.said(), world.lookup("k")), ("old".into(), "MISS".into()));
        second.answer("k", "new");
        assert_eq!((after.said(), world.lookup("k")), ("new".into(), "new".into()));
        world.remove("k");
    }
    world.free();
}

#[test]
fn f08_a_put_settles_what_waits_for_a_slot() {
    let world = story().with(|settings| settings.tasks.max_running = 1).begin();
    let busy = world.fetch("busy");
    let held = world.request();
    let waiter = world.fetch("k");
    world.put("k", "put");
    let outcome = waiter.outcome();
    assert_eq!((said(&outcome), outcome.source), ("put".into(), Source::Put));
    held.answer_all();
    assert_eq!(busy.said(), "busy!");
    assert_eq!(world.calls(), 1, "it was not loaded");
    world.free();
}

#[test]
fn f09_fault_23_cancel_touches_nobody_elses() {
    let world = story().begin();
    let (mine, theirs) = (world.fetch("k"), world.fetch("k"));
    let request = world.request();
    mine.cancel();
    mine.cancel();
    assert_eq!(mine.said(), "ERR_CANCELLED");
    request.answer_all();
    let outcome = theirs.outcome();
    assert_eq!((said(&outcome), outcome.source), ("k!".into(), Source::Joined));
    mine.cancel();
    world.free();
}

#[test]
fn f09_fault_24_who_comes_after_a_cancel_is_never_told_cancelled() {
    let world = story().with(|settings| settings.tasks.max_running = 2).echo().begin();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let world = &world;
            scope.spawn(move || {
                for round in 0..300 {
                    world.remove("k");
                    let waiter = world.fetch("k");
                    if (thread + round) % 2 == 0 {
                        waiter.cancel();
                        let word = waiter.said();
                        assert!(["k!", "ERR_CANCELLED"].contains(&&*word), "{word}");
                    } else {
                        assert_eq!(waiter.said(), "k!", "who did not cancel has an answer");
                    }
                }
            });
        }
    });
    world.settles();
    world.free();
}

#[test]
fn f09_releasing_the_handle_does_not_cancel() {
    let world = story().begin();
    let (story, heard) = channel();
    let handle = Arc::new(FetchHandle::new());
    let then = move |heard: &Heard| {
        if let Heard::Result { outcome, .. } = heard {
            let _ = story.send(said(outcome));
        }
    };
    drop(world.try_ask(Form::Each, &["k"], |_| {}, handle, 0, Some(Box::new(then))).expect("accepted"));
    world.request().answer_all();
    assert_eq!(heard.recv_timeout(PATIENCE), Ok("k!".into()));
    world.free();
}

#[test]
fn f09_urgency_given_while_a_fetch_waits_moves_it_ahead() {
    let world = story().with(|settings| settings.tasks.max_running = 1).begin();
    let busy = world.fetch("busy");
    let held = world.request();
    let (early, late) = (world.fetch("early"), world.fetch("late"));
    early.handle.set_urgency(5);
    held.answer_all();
    let request = world.request();
    assert_eq!((request.keys(), request.0.urgency()), (vec!["early".into()], 5));
    request.answer_all();
    world.request().answer_all();
    for waiter in [busy, early, late] {
        waiter.outcome();
    }
    world.free();
}

#[test]
fn f10_timeout_settles_what_is_open_and_delivers_the_rest() {
    let world = story().begin();
    world.put("here", "v");
    let waiter = world.ask(Form::All, &["here", "slow", "answered"], |settings| settings.timeout = Some(Duration::from_millis(50)));
    let requests = [world.request(), world.request()];
    for request in &requests {
        if request.keys() == ["answered"] {
            request.answer("answered", "in time");
        }
    }
    world.advance(49);
    waiter.hears_nothing();
    world.advance(1);
    assert_eq!(waiter.batch(), (vec!["v".into(), "ERR_TIMEOUT".into(), "in time".into()], "ERR_TIMEOUT".into()));
    world.free();
}

#[test]
fn f10_fault_11_a_provider_that_never_answers_costs_neither_its_key_nor_its_slot() {
    let world = story()
        .with(|settings| {
            settings.tasks.max_running = 1;
            settings.fetch.attempt_timeout = Some(Duration::from_millis(100));
        })
        .begin();
    let waiter = world.fetch("k");
    let hung = world.request();
    world.advance(100);
    assert_eq!(waiter.said(), "ERR_TIMEOUT");
    let again = world.fetch("k");
    world.request().answer_all();
    assert_eq!(again.said(), "k!");
    assert_eq!(world.stats().gauges.abandoned, 1);
    drop(hung);
    world.settles();
    world.free();
}

#[test]
fn f10_a_heartbeat_starts_the_attempts_time_anew() {
    let world = story().with(|settings| settings.fetch.attempt_timeout = Some(Duration::from_millis(100))).begin();
    let waiter = world.fetch("k");
    let request = world.request();
    for _ in 0..5 {
        world.advance(90);
        assert_eq!(request.0.heartbeat(), Status::OK);
        assert_eq!(request.0.time_left(), Some(Duration::from_millis(100)));
    }
    assert_eq!(request.answer("k", "v"), Status::OK);
    assert_eq!(waiter.said(), "v");
    world.free();
}

#[test]
fn f10_fault_43_a_late_answer_is_stored_unless_the_key_was_written() {
    let world = story().with(|settings| settings.fetch.attempt_timeout = Some(Duration::from_millis(100))).begin();
    let waiter = world.fetch("k");
    let late = world.request();
    world.advance(100);
    assert_eq!(waiter.said(), "ERR_TIMEOUT");
    assert_eq!(late.answer("k", "late"), Status::LATE);
    assert_eq!(world.lookup("k"), "late");
    late.finish();

    world.remove("k");
    let waiter = world.fetch("k");
    let late = world.request();
    world.advance(100);
    assert_eq!(waiter.said(), "ERR_TIMEOUT");
    world.put("k", "put");
    assert_eq!(late.answer("k", "late"), Status::LATE);
    assert_eq!(world.lookup("k"), "put", "nothing that was written is undone by what is late");
    late.finish();
    world.free();
}

#[test]
fn f10_a_late_answer_settles_the_attempt_that_runs_by_then() {
    let world = story()
        .with(|settings| {
            settings.fetch.attempt_timeout = Some(Duration::from_millis(100));
            settings.fetch.retry.count = Some(3);
        })
        .begin();
    let waiter = world.fetch("k");
    let first = world.request();
    world.advance(100);
    let second = world.request();
    assert_eq!(second.0.attempt(0), Some(2));
    assert_eq!(first.answer("k", "late but true"), Status::LATE);
    assert_eq!(waiter.said(), "late but true");
    assert_eq!(second.0.cancel_reason(), 1, "the second attempt is not wanted any more");
    world.free();
}

#[test]
fn f11_fault_15_retries_do_not_grow_the_stack() {
    const TRIES: u32 = 200_000;
    // The provider fails inside its own call, as fast as it can: each retry comes from the end of the attempt before.
    let world = story()
        .with(|settings| settings.fetch.retry.count = Some(TRIES))
        .answered(|ticket| {
            ticket.fail(0, error(1));
        })
        .begin();
    let outcome = world.fetch("k").outcome();
    assert_eq!((said(&outcome), outcome.attempts), ("ERR_PROVIDER".into(), TRIES + 1));
    assert_eq!(world.calls(), TRIES as usize + 1);
    world.free();
}

#[test]
fn f12_loads_that_follow_upon_each_other_share_few_threads() {
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let seen = threads.clone();
    let world = story()
        .with(|settings| settings.fetch.retry.count = Some(10_000))
        .answered(move |ticket| {
            seen.lock().expect("no panic").insert(std::thread::current().id());
            ticket.fail(0, error(1));
        })
        .begin();
    assert_eq!(world.fetch("k").outcome().attempts, 10_001);
    // A thread each would be ten thousand; how many meet on their way is the system's affair.
    let threads = threads.lock().expect("no panic").len();
    assert!(threads < 100, "{threads} threads were started though another one's call had come back");
    world.free();
}

#[test]
fn f11_fault_15_count_zero_retries_nothing() {
    let world = story()
        .answered(|ticket| {
            ticket.fail(0, error(1));
        })
        .begin();
    assert_eq!((world.fetch("k").outcome().attempts, world.calls()), (1, 1));
    world.free();
}

#[test]
fn f11_fault_14_a_key_that_backs_off_holds_no_thread_and_no_slot() {
    let world = story()
        .with(|settings| {
            settings.tasks.max_running = 1;
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = Duration::from_secs(3600);
        })
        .begin();
    let waiter = world.fetch("k");
    let request = world.request();
    request.fail("k", error(1));
    drop(request);
    world.settles_but_for_flights(1);
    let other = world.fetch("other");
    world.request().answer_all();
    assert_eq!(other.said(), "other!", "the only slot was free");
    world.advance(3_600_000);
    world.request().answer_all();
    let outcome = waiter.outcome();
    assert_eq!((said(&outcome), outcome.attempts), ("k!".into(), 2));
    world.free();
}

#[test]
fn f12_fault_12_no_misbehaviour_lifts_the_running_limit() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, highest) = (now.clone(), most.clone());
    let world = story()
        .with(|settings| {
            settings.tasks.max_running = 2;
            settings.fetch.retry.count = Some(1);
        })
        .answered(move |ticket| {
            highest.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // It answers twice and finishes twice; every third fails.
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
        .begin();
    let keys: Vec<String> = (0..400).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let words = world.fetch_each(&keys).each(400);
    assert_eq!(words.iter().filter(|word| *word == "v").count(), 360);
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?} at a time");
    world.settles();
    world.free();
}

#[test]
fn f12_fault_09_failed_loads_leave_no_slot_behind() {
    let world = story()
        .with(|settings| settings.tasks.max_running = 4)
        .answered(|ticket| {
            ticket.fail(0, error(1));
        })
        .begin();
    for n in 0..100 {
        assert_eq!(world.fetch(&format!("k{n}")).said(), "ERR_PROVIDER");
    }
    world.settles();
    world.free();
}

#[test]
fn f15_answers_come_in_any_order_from_eight_threads() {
    let world = story().with(|settings| settings.tasks.batch_max_keys = 800).begin();
    let keys: Vec<String> = (0..800).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let waiter = world.fetch_each(&keys);
    let request = world.request();
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (request, refused) = (&request, &refused);
            scope.spawn(move || {
                for nth in 0..800 {
                    // Each thread tries every key in an order of its own; each key is taken by whoever comes first.
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
    assert!(waiter.each(800).iter().all(|word| word == "v"), "waiters hear of answers before the finish");
    assert_eq!(request.finish(), Status::OK);
    world.free();
}

#[test]
fn f15_a_request_stays_valid_though_deaf_after_the_engine_is_gone() {
    let world = story().begin();
    let waiter = world.fetch("k");
    let request = world.request();
    world.free();
    assert_eq!(waiter.said(), "ERR_CLOSED");
    assert_eq!(request.keys(), ["k"]);
    assert_eq!(request.0.cancel_reason(), 3);
    assert!(!request.0.is_wanted(0));
    assert_eq!(request.answer("k", "v"), Status::ERR_CLOSED);
    assert_eq!(request.supply("other", "v"), Status::ERR_CLOSED);
    assert_eq!(request.finish(), Status::ERR_CLOSED);
    assert_eq!(request.on_cancel(|_| panic!("nobody calls")), Status::ERR_CLOSED);
}

#[test]
fn f15_an_extra_key_is_stored_unless_it_is_old_news() {
    let world = story().begin();
    let waiter = world.fetch("k");
    let request = world.request();
    assert_eq!(request.supply("extra", "more"), Status::OK);
    assert_eq!(world.lookup("extra"), "more");
    world.put("written", "put");
    assert_eq!(request.supply("written", "old"), Status::LATE);
    assert_eq!(world.lookup("written"), "put");
    request.answer_all();
    assert_eq!(waiter.said(), "k!");
    world.free();
}

#[test]
fn f15_fault_38_a_provider_that_returns_with_neither_finish_nor_hold_leaves_its_keys_unanswered() {
    let world = story().answered(|_| {}).begin();
    assert_eq!(world.fetch("k").said(), "ERR_UNANSWERED");
    world.settles();
    world.free();
}

#[test]
fn f16_what_is_left_unanswered_is_null_where_that_is_the_rule() {
    let world = story().with(|settings| settings.tasks.omitted_is_null = true).answered(|_| {}).begin();
    assert_eq!(world.fetch("k").said(), "NULL");
    assert_eq!(world.lookup("k"), "NULL");
    world.advance(60_000);
    assert_eq!(world.lookup("k"), "MISS", "fault 17: an omission is forgotten after cache.null_ttl_ms");
    world.free();
}

#[test]
fn f17_all_or_nothing_keeps_what_was_settled_and_is_its_first_failure() {
    let world = story().begin();
    let waiter = world.ask(Form::All, &["a", "b", "c"], |settings| settings.batch_mode = BatchMode::AllOrNothing);
    let requests = [world.request(), world.request(), world.request()];
    let of = |key: &str| requests.iter().find(|request| request.keys() == [key]).expect("each key is a request");
    of("a").answer("a", "v");
    of("b").fail("b", permanent(1));
    assert_eq!(waiter.batch(), (vec!["v".into(), "ERR_PROVIDER".into(), "ERR_CANCELLED".into()], "ERR_PROVIDER".into()));
    world.free();
}

#[test]
fn f17_all_or_nothing_holds_for_a_batch_that_is_answered_at_once() {
    let world = story().with(|settings| settings.fetch.batch_mode = BatchMode::AllOrNothing).begin();
    world.put("a", "v");
    let long = vec![b'x'; 70_000];
    let call = FetchCall { form: Form::All, ..world.call(true) };
    let asked = world.core.fetch([&b"a"[..], &long].into_iter(), &call, || Box::new(Deaf));
    let Ok(FetchAnswer::Ready(results)) = asked else { panic!("all is settled at once: {asked:?}") };
    let words: Vec<String> = results.batch.outcomes.iter().map(said).collect();
    assert_eq!(words, ["v", "ERR_KEY_TOO_LONG"]);
    assert_eq!(results.batch.ended.map(|error| error.status()), Some(Status::ERR_KEY_TOO_LONG));
    world.free();
}

#[test]
fn f18_f22_a_batch_says_of_each_position_where_it_came_from() {
    let world = story().begin();
    world.put("stored", "v");
    world.advance(40);
    let other = world.fetch("joined");
    let first = world.request();
    let waiter = world.fetch_all(&["stored", "joined", "loaded", "failed", "loaded"]);
    let requests = [world.request(), world.request()];
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
    assert_eq!(sources[4], Source::Joined, "its second position joined the load of its first");
    assert_eq!((outcomes[0].age_ms, outcomes[2].age_ms), (40, 0));
    assert_eq!((outcomes[2].attempts, outcomes[2].ttl_left_ms, outcomes[0].ttl_left_ms), (1, -1, -1));
    assert!(outcomes[2].cost > 0);
    assert_eq!(outcomes[3].error().map(|error| error.code()), Some(7));
    assert_eq!(other.said(), "joined!");
    world.free();
}

#[test]
fn f19_the_read_modes() {
    let world = story().begin();
    assert_eq!(world.fetch_with("k", |settings| settings.read = ReadMode::CacheOnly).said(), "MISS");
    assert_eq!(world.calls(), 0);
    world.put("k", "old");
    let refreshed = world.fetch_with("k", |settings| settings.read = ReadMode::Refresh);
    let request = world.request();
    assert_eq!(world.lookup("k"), "old", "others keep hitting the old value");
    request.fail("k", error(1));
    drop(request);
    assert_eq!((refreshed.said(), world.lookup("k")), ("ERR_PROVIDER".into(), "old".into()));
    let refreshed = world.fetch_with("k", |settings| settings.read = ReadMode::Refresh);
    world.request().answer_all();
    assert_eq!((refreshed.said(), world.lookup("k")), ("k!".into(), "k!".into()));
    let unstored = world.fetch_with("l", |settings| settings.read = ReadMode::NoStore);
    world.request().answer_all();
    assert_eq!((unstored.said(), world.lookup("l")), ("l!".into(), "MISS".into()));
    world.free();
}

#[test]
fn f19_an_answer_beats_the_options_and_the_options_beat_the_configuration() {
    let world = story().with(|settings| settings.cache.ttl_ms = Some(1000)).begin();
    let plain = world.fetch("plain");
    world.request().answer_all();
    assert_eq!(plain.outcome().ttl_left_ms, 1000);
    let stated = world.fetch("stated");
    let request = world.request();
    let ttl = Ttl::from_raw(50).expect("a TTL");
    request.0.resolve(0, value("v"), StoreTerms { ttl, ..StoreTerms::default() });
    assert_eq!(stated.outcome().ttl_left_ms, 50);
    world.free();
}

#[test]
fn f19_a_refresh_of_many_keys_tells_nobody_and_stores() {
    let world = story().with(|settings| settings.tasks.batch_max_keys = 20).begin();
    assert_eq!(world.refresh(&["a", "b", "a"]), Ok(()));
    let request = world.request();
    assert_eq!(request.keys(), ["a", "b"]);
    request.answer_all();
    until("the answers are stored", || world.peek("b") == "b!");
    assert_eq!(world.lookup("a"), "a!");
    assert_eq!(world.stats().misses(), 0, "a refresh is no lookup");
    world.free();
}

#[test]
fn f20_every_waiter_has_the_same_error() {
    let world = story().begin();
    let (one, other) = (world.fetch("k"), world.fetch("k"));
    let request = world.request();
    let given = error(-7);
    request.fail("k", given.clone());
    for waiter in [one, other] {
        let outcome = waiter.outcome();
        let heard = outcome.error().expect("it failed");
        assert!(heard.is(&given) && heard.code() == -7);
    }
    world.free();
}

#[test]
fn f20_a_final_error_is_remembered_until_something_is_known_better() {
    let world = story().with(|settings| settings.cache.error_ttl_ms = 1000).begin();
    let waiter = world.fetch("k");
    world.request().fail("k", error(3));
    assert_eq!(waiter.said(), "ERR_PROVIDER");
    let again = world.fetch("k").outcome();
    assert_eq!((said(&again), again.source), ("ERR_PROVIDER".into(), Source::ErrorMemory));
    assert_eq!((world.lookup("k"), world.calls()), ("MISS".into(), 1));
    world.advance(1000);
    let waiter = world.fetch("k");
    world.request().answer_all();
    assert_eq!(waiter.said(), "k!");
    world.free();
}

#[test]
fn f21_a_fetch_from_inside_that_keys_provider_joins_its_own_flight() {
    let (inner, heard) = channel();
    let inner = Mutex::new(inner);
    let world = story()
        .answered(move |ticket| {
            let story = inner.lock().expect("no panic").clone();
            let core = ticket.core().clone();
            let call =
                FetchCall { form: Form::Each, settings: core.fetch_settings().clone(), progress_step: 0, handle: None, at_once: false };
            struct Tell(std::sync::mpsc::Sender<(String, Source)>);
            impl kvlight::engine::host::Receiver for Tell {
                fn result(&mut self, _: usize, _: &[u8], outcome: &kvlight::task::Outcome, _: bool) {
                    let _ = self.0.send((said(outcome), outcome.source));
                }
                fn batch(&mut self, _: kvlight::engine::host::Results) {}
                fn progress(&mut self, _: usize, _: usize, _: usize) {}
            }
            core.fetch([&b"k"[..]].into_iter(), &call, || Box::new(Tell(story))).expect("accepted");
            ticket.resolve(0, value("v"), StoreTerms::default());
        })
        .begin();
    assert_eq!(world.fetch("k").said(), "v");
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(("v".into(), Source::Joined)));
    assert_eq!(world.calls(), 1);
    world.free();
}

#[test]
fn f21_a_blocking_fetch_waits_for_its_answer_and_no_longer_than_its_timeout() {
    let world = story().echo().on_system_time().begin();
    let asked = world.core.fetch_wait([&b"k"[..]].into_iter(), &world.call(true)).expect("accepted");
    assert!(matches!(asked, FetchAnswer::Now(outcome) if said(&outcome) == "k!"));
    let call = FetchCall { form: Form::All, ..world.call(true) };
    let asked = world.core.fetch_wait([&b"k"[..], b"l"].into_iter(), &call).expect("accepted");
    let FetchAnswer::Ready(results) = asked else { panic!("a batch") };
    assert_eq!(results.batch.outcomes.iter().map(said).collect::<Vec<_>>(), ["k!", "l!"]);
    world.free();

    let world = story().on_system_time().begin();
    let mut settings = world.fetch_settings();
    settings.timeout = Some(Duration::from_millis(5));
    let call = FetchCall { settings: Arc::new(settings), ..world.call(true) };
    let asked = world.core.fetch_wait([&b"k"[..]].into_iter(), &call).expect("accepted");
    assert!(matches!(asked, FetchAnswer::Now(outcome) if said(&outcome) == "ERR_TIMEOUT"));
    world.free();
}

#[test]
fn fault_34_36_the_callback_may_run_and_end_everything_before_the_call_returns() {
    // The handle goes in and the receiver is made for the call, so nothing of the caller's is written after acceptance.
    let world = story().with(|settings| settings.tasks.max_running = 8).echo().begin();
    for n in 0..2000 {
        let waiter = world.fetch(&format!("k{n}"));
        assert!(waiter.handle.wait(Some(PATIENCE)), "the fetch ends");
        assert_eq!(waiter.said(), format!("k{n}!"));
    }
    world.free();
}

#[test]
fn fault_42_null_is_told_from_nothing() {
    let world = story().begin();
    let waiter = world.fetch("k");
    world.request().answer_null("k");
    assert_eq!((waiter.said(), world.lookup("k")), ("NULL".into(), "NULL".into()));
    assert_eq!(world.put_answer("k", Answer::Null), Status::OK);
    world.free();
}

#[test]
fn fault_44_under_lifo_a_huge_fetch_does_not_hold_single_ones_up() {
    let world = story().with(|settings| (settings.tasks.max_running, settings.tasks.queue_order) = (1, QueueOrder::Lifo)).begin();
    let keys: Vec<String> = (0..1000).map(|n| format!("huge{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let huge = world.fetch_each(&keys);
    let first = world.request();
    let single = world.fetch("single");
    first.answer_all();
    // The single one came last and goes first.
    let next = world.request();
    assert_eq!(next.keys(), ["single"]);
    next.answer_all();
    assert_eq!(single.said(), "single!");
    for _ in 1..1000 {
        world.request().answer_all();
    }
    assert!(huge.each(1000).iter().all(|word| word.ends_with('!')), "fault 18: none of its own keys was lost");
    world.free();
}
