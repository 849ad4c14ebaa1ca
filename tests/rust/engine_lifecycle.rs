//! Threads and the end: which functions may be called where, what is released when and on which thread, how an engine closes, and what
//! happens after a panic of the host (rules L01 to L09, S16).

use super::engine_fixture::*;
use kvlight::base::config::Settings;
use kvlight::base::{Answer, Status, StoreTerms};
use kvlight::cache::{Departures, NewEntry};
use kvlight::engine::fetch::{FetchAnswer, FetchCall};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::engine::host::{CloseListener, Receiver, Results};
use kvlight::engine::{Core, Plan};
use kvlight::runtime::Runtime;
use kvlight::runtime::threads::STACK_BYTES;
use kvlight::task::{Cancel, Form, Outcome, Unanswered};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

const DISPATCHER: &str = "kvl-dispatch";

/// All callbacks except that for the victims of a put, sorted.
const CALLBACKS: [&str; 10] = [
    "batch",
    "cancel hook",
    "cost function",
    "destructor",
    "progress",
    "provider",
    "record listener",
    "removal listener",
    "result",
    "validator",
];

/// One request at a time, and one retry after a pause of 10 ms.
fn one_slot_and_one_retry(settings: &mut Settings) {
    settings.tasks.max_running = 1;
    settings.fetch.retry.count = Some(1);
    settings.fetch.retry.fixed = Duration::from_millis(10);
}

/// Calls every function that may be called everywhere.
fn everything(core: &Arc<Core>) {
    let key = &b"everything"[..];
    core.put(key, NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
    core.put(key, NewEntry::new(Answer::Null), Some(&mut |_| {}), &mut Departures::new()).expect("open");
    core.get(key).expect("open");
    assert!(core.get_with(key, |_| ()).is_ok());
    core.get_uncounted_miss(key).expect("open");
    core.peek(key).expect("open");
    core.touch(key, None).expect("open");
    core.remove(key).expect("open");
    core.take(key).expect("open");
    core.put(key, NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
    core.pop().expect("open");
    core.trim(1.0).expect("open");
    core.trim_to(1000).expect("open");
    core.remove_expired().expect("open");
    core.resize(2000, None).expect("open");
    let _ = (core.len(), core.cost(), core.capacity(), core.cost_limit(), core.max_cost());
    let stats = core.stats();
    let _ = (stats.to_json(), stats.to_openmetrics());
    core.refresh([&b"refreshed"[..]].into_iter(), core.fetch_settings()).expect("open");
    for form in [Form::Each, Form::All] {
        let handle = Arc::new(FetchHandle::new());
        let settings = core.fetch_settings().clone();
        let call = FetchCall { form, settings: settings.into(), progress_step: 1, handle: Some(&handle), at_once: false };
        let asked = core.fetch([&b"asked"[..], b"asked too"].into_iter(), &call, || Box::new(NullReceiver));
        assert!(matches!(asked, Ok(FetchAnswer::Pending)));
        handle.set_urgency(1);
        let _ = handle.progress();
        handle.cancel();
    }
    core.clear().expect("open");
    core.reset_stats();
}

/// Runs [`everything`] in the first call of each callback, and records which were called.
struct NestedCaller {
    core: OnceLock<Weak<Core>>,
    begun: Mutex<Vec<&'static str>>,
    done: Mutex<Vec<&'static str>>,
}

impl NestedCaller {
    fn call_everything(&self, callback: &'static str) {
        let Some(core) = self.core.get().and_then(Weak::upgrade) else { return };
        {
            let mut begun = self.begun.lock().expect("no panic");
            if begun.contains(&callback) {
                return;
            }
            begun.push(callback);
        }
        everything(&core);
        // The callback counts as done only now: if an assertion fails above, the library catches that panic, and nothing else shows it.
        self.done.lock().expect("no panic").push(callback);
    }
}

#[test]
fn l01_fault07_fault26_every_function_may_be_called_from_every_callback() {
    let nested = Arc::new(NestedCaller { core: OnceLock::new(), begun: Mutex::default(), done: Mutex::default() });
    let by = || nested.clone();
    let (provider, validator, cost, removal, record) = (by(), by(), by(), by(), by());
    let is_set = Arc::new(AtomicBool::new(false));
    let sets = is_set.clone();
    let engine = test_engine()
        .hooks(|hooks| {
            hooks.validator = Some(Arc::new(HostFunction(move |_: &[u8]| {
                validator.call_everything("validator");
                true
            })));
            hooks.cost = Some(Arc::new(HostFunction(move |_: &[u8], _: &kvlight::base::Value| {
                cost.call_everything("cost function");
                1
            })));
            hooks.removal = Some(Arc::new(HostFunction(move |_: &kvlight::cache::Departure| removal.call_everything("removal listener"))));
            hooks.record = Some(Arc::new(HostFunction(move |_: Status, _: &[u8]| record.call_everything("record listener"))));
        })
        .answered_by(move |ticket| {
            let nested = provider.clone();
            if ticket.keys()[0] == *b"unwanted" {
                let waits = Arc::new((Mutex::new(false), std::sync::Condvar::new()));
                let received = waits.clone();
                let hook = move |why: Cancel| {
                    assert_eq!(why, Cancel::Unwanted);
                    nested.call_everything("cancel hook");
                    *received.0.lock().expect("no panic") = true;
                    received.1.notify_all();
                };
                assert_eq!(hook_on(ticket, hook), Status::OK);
                sets.store(true, Ordering::SeqCst);
                let notified = waits.0.lock().expect("no panic");
                drop(waits.1.wait_while(notified, |notified| !*notified).expect("no panic"));
                return;
            }
            nested.call_everything("provider");
            ticket.resolve(0, value("v"), StoreTerms::default());
        })
        .start();
    assert!(nested.core.set(Arc::downgrade(&engine.core)).is_ok());

    let events = by();
    engine.fetch_then("k", move |_| events.call_everything("result")).outcome();
    let events = by();
    let then = move |received: &Received| match received {
        Received::Progress { .. } => events.call_everything("progress"),
        _ => events.call_everything("batch"),
    };
    engine.try_ask(Form::All, &["a", "b"], |_| {}, Arc::new(FetchHandle::new()), 1, Some(Box::new(then))).expect("open").results();
    let unwanted = engine.fetch("unwanted");
    until("the hook is set", || is_set.load(Ordering::SeqCst));
    unwanted.cancel();
    let end = by();
    let ends = DropLog::with(move || end.call_everything("destructor"));
    engine.put_answer("object", ends.value());
    engine.remove("object");
    // A callback that is still running may resize the store, and then there would be no victim.
    let done = |count| nested.done.lock().expect("no panic").len() == count;
    until("each callback but the victim's has been called", || done(CALLBACKS.len()));
    let victim = by();
    engine.core.resize(1, None).expect("open");
    engine.put("first", "v");
    let mut named = |_: &kvlight::cache::Departure| victim.call_everything("victim");
    engine.core.put(b"second", NewEntry::new(value("v")), Some(&mut named), &mut Departures::new()).expect("open");
    until("each callback has been called", || done(CALLBACKS.len() + 1));
    let mut done = nested.done.lock().expect("no panic").clone();
    done.sort_unstable();
    assert_eq!(done, [&CALLBACKS[..], &["victim"]].concat());
    engine.free();
}

fn hook_on(ticket: &kvlight::engine::request::Ticket, notify: impl Fn(Cancel) + Send + 'static) -> Status {
    struct Hook<F>(F);
    impl<F: Fn(Cancel) + Send + 'static> kvlight::engine::request::CancelHook for Hook<F> {
        fn cancelled(&self, why: Cancel) {
            (self.0)(why);
        }
        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }
    ticket.on_cancel(Box::new(Hook(notify))).err().map_or(Status::OK, |(status, _)| status)
}

#[test]
fn l03_a_slow_callback_delays_neither_providers_nor_admission_nor_time() {
    let engine = test_engine().with(one_slot_and_one_retry).start();
    let (go_on, waits) = channel::<()>();
    let (begun, is_slow) = channel();
    engine.put("hit", "v");
    let slow = engine.fetch_then("hit", move |received| {
        if matches!(received, Received::Result { .. }) {
            begun.send(()).expect("the test listens");
            waits.recv_timeout(PATIENCE).expect("the test continues");
        }
    });
    is_slow.recv_timeout(PATIENCE).expect("the callback begins");
    let other = engine.fetch("k");
    let request = engine.request();
    request.fail("k", error(1));
    drop(request);
    engine.wait_until_only_flights(1);
    engine.advance(10);
    engine.request().answer_all();
    until("the answer is stored", || engine.peek("k") == "k!");
    other.expect_no_event();
    go_on.send(()).expect("the callback waits");
    assert_eq!((slow.text(), other.text()), ("v".into(), "k!".into()));
    engine.free();
}

#[test]
fn l03_endless_removals_do_not_delay_results() {
    let core: Arc<OnceLock<Weak<Core>>> = Arc::default();
    let (weak, enough) = (core.clone(), Arc::new(AtomicBool::new(false)));
    let ends = enough.clone();
    // Each reported removal causes the next one.
    let listener = move |_: &kvlight::cache::Departure| {
        if let (Some(core), false) = (weak.get().and_then(Weak::upgrade), ends.load(Ordering::SeqCst)) {
            core.put(b"k", NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
            core.remove(b"k").expect("open");
        }
    };
    let engine = test_engine().hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(listener)))).echo().start();
    assert!(core.set(Arc::downgrade(&engine.core)).is_ok());
    engine.put("k", "v");
    engine.remove("k");
    for n in 0..10 {
        assert_eq!(engine.fetch(&format!("k{n}")).text(), format!("k{n}!"));
    }
    enough.store(true, Ordering::SeqCst);
    engine.free();
}

#[test]
fn l04_a_value_found_by_a_refused_fetch_is_dropped_under_no_lock() {
    let core: Arc<OnceLock<Weak<Core>>> = Arc::default();
    let weak = core.clone();
    // After `object` was looked up, and before the fetch takes the table's lock, the engine closes and `object` is removed.
    let validator = move |key: &[u8]| {
        if let (b"absent", Some(core)) = (key, weak.get().and_then(Weak::upgrade)) {
            core.remove(b"object").expect("open");
            core.close(None, None);
        }
        true
    };
    let engine = test_engine().hooks(|hooks| hooks.validator = Some(Arc::new(HostFunction(validator)))).start();
    assert!(core.set(Arc::downgrade(&engine.core)).is_ok());
    let weak = core.clone();
    let ends = DropLog::with(move || {
        // This would wait forever under the table's lock.
        let core = weak.get().and_then(Weak::upgrade).expect("the engine is not freed yet");
        let _ = core.stats();
    });
    engine.put_answer("object", ends.value());
    let refused = engine.try_ask(Form::All, &["object", "absent"], |_| {}, Arc::new(FetchHandle::new()), 0, None);
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    until("the object has ended", || ends.count() == 1);
    engine.free();
}

#[test]
fn l04_drops_by_the_library_run_where_callbacks_run_and_under_no_lock() {
    let engine = test_engine().with(|settings| settings.cache.capacity = 2).start();
    let core = Arc::downgrade(&engine.core);
    let ends = DropLog::with(move || {
        // This would wait forever under the table's lock or the shard's.
        let core = core.upgrade().expect("the engine is not freed yet");
        let _ = (core.len(), core.stats());
    });
    engine.put_answer("a", ends.value());
    engine.put_answer("a", ends.value());
    engine.put_answer("b", ends.value());
    engine.put_answer("c", ends.value());
    engine.remove("b");
    engine.core.trim(0.0).expect("open");
    let refused = StoreTerms { ttl: kvlight::base::Ttl::from_raw(0).expect("a TTL"), ..StoreTerms::default() };
    engine.core.put(b"d", NewEntry { terms: refused, ..NewEntry::new(ends.value()) }, None, &mut Departures::new()).expect("open");
    until("all have ended", || ends.count() == 5);
    assert_eq!(ends.names(), [DISPATCHER; 5]);
    let waiter = engine.fetch("k");
    let request = engine.request();
    request.0.resolve(0, ends.value(), StoreTerms::default());
    assert_eq!(request.0.resolve(0, ends.value(), StoreTerms::default()), Status::ERR_ALREADY_ANSWERED);
    waiter.outcome();
    until("the refused one has ended", || ends.count() == 6);
    assert_eq!(ends.names()[5], DISPATCHER, "a refused value is dropped there too");
    request.finish();
    engine.core.clear().expect("open");
    until("all have ended", || ends.count() == 7);
    assert_eq!(ends.names()[6], DISPATCHER);
    engine.free();
}

#[test]
fn l04_the_entries_are_dropped_before_free_returns() {
    let ends = DropLog::new();
    let engine = test_engine().start();
    for n in 0..10 {
        engine.put_answer(&format!("k{n}"), ends.value());
    }
    engine.free();
    assert_eq!(ends.names(), [DISPATCHER; 10]);
}

#[test]
fn l04_a_context_is_destroyed_once_after_its_fetch_and_its_request() {
    let engine = test_engine().start();
    let ends = DropLog::new();
    let handle = Arc::new(FetchHandle::new());
    assert!(handle.set_context(ends.object()).is_ok());
    let waiter = engine.try_ask(Form::Each, &["k"], |_| {}, handle, 0, None).expect("accepted");
    let request = engine.request();
    assert!(request.0.context(0).is_some_and(|context| !context.pointer().is_null()));
    request.answer("k", "v");
    waiter.outcome();
    drop(waiter);
    assert_eq!(ends.count(), 0, "the request still holds it");
    let here = std::thread::current().id();
    drop(request);
    until("it has ended", || ends.count() == 1);
    assert!(ends.threads() == [here] || ends.names() == [DISPATCHER], "on the thread that dropped the last reference: {:?}", ends.names());
    engine.free();
}

#[test]
fn l04_no_host_code_runs_on_the_timers_thread() {
    // A blocking fetch that times out ends on the timer's thread. Its context must not be destroyed there.
    let engine = test_engine().with_system_clock().start();
    let ends = DropLog::new();
    let handle = Arc::new(FetchHandle::new());
    assert!(handle.set_context(ends.object()).is_ok());
    let mut settings = engine.fetch_settings();
    settings.timeout = Some(Duration::from_millis(2));
    let call = FetchCall { form: Form::Each, settings: Arc::new(settings).into(), progress_step: 0, handle: Some(&handle), at_once: true };
    let asked = engine.core.fetch_wait([&b"k"[..]].into_iter(), &call).expect("accepted");
    assert!(matches!(asked, FetchAnswer::Now(outcome) if text_of(&outcome) == "ERR_TIMEOUT"));
    // No request is expected: if the 2 ms pass before the provider is called, nobody wants the key any more, and it is not called.
    drop(handle);
    engine.free();
    assert_eq!(ends.count(), 1);
    assert!(!ends.names().contains(&"kvl-timer".to_owned()), "{:?}", ends.names());
}

#[test]
fn l04_expired_objects_are_unlinked_by_the_timer_and_dropped_by_the_dispatcher() {
    let engine = test_engine().with(|settings| settings.cache.ttl_ms = Some(1)).with_system_clock().start();
    let ends = DropLog::new();
    engine.put_answer("k", ends.value());
    until("it has expired and ended untouched", || ends.count() == 1);
    assert_eq!(ends.names(), [DISPATCHER]);
    engine.free();
}

#[test]
fn l05_a_close_is_reported_when_all_is_done_and_later_calls_are_refused() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 1).start();
    let (running, waiting) = (engine.fetch("running"), engine.fetch("waiting"));
    let request = engine.request();
    let closed = engine.close(None);
    assert_eq!((running.text(), waiting.text()), ("ERR_CLOSED".into(), "ERR_CLOSED".into()));
    expect_closed(&closed);
    assert_eq!(request.0.cancel_reason(), Cancel::Closed as u32);
    assert_eq!(engine.put("k", "v"), Status::ERR_CLOSED);
    assert_eq!(engine.refresh(&["k"]), Err(Status::ERR_CLOSED));
    let refused = engine.try_ask(Form::Each, &["k"], |_| {}, Arc::new(FetchHandle::new()), 0, None);
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    assert_eq!(engine.lookup("k"), "MISS", "lookups still work");
    expect_closed(&engine.close(None));
    expect_closed(&engine.close(Some(None)));
    drop(request);
    engine.free();
}

#[test]
fn l05_close_waits_for_running_provider_calls() {
    let (go_on, waits) = channel::<()>();
    let waits = Mutex::new(waits);
    let (begun, is_in) = channel();
    let begun = Mutex::new(begun);
    let engine = test_engine()
        .answered_by(move |_| {
            begun.lock().expect("no panic").send(()).expect("the test listens");
            waits.lock().expect("no panic").recv_timeout(PATIENCE).expect("the test continues");
        })
        .start();
    let waiter = engine.fetch("k");
    is_in.recv_timeout(PATIENCE).expect("the provider is called");
    let closed = engine.close(None);
    assert_eq!(waiter.text(), "ERR_CLOSED", "the fetch does not wait for the provider");
    assert!(closed.try_recv().is_err(), "the provider's call is still running");
    let freed = Arc::new(AtomicBool::new(false));
    let (core, is_freed) = (engine.core.clone(), freed.clone());
    let freeing = std::thread::spawn(move || {
        core.free();
        is_freed.store(true, Ordering::SeqCst);
    });
    assert!(!freed.load(Ordering::SeqCst) && closed.try_recv().is_err());
    go_on.send(()).expect("the provider waits");
    freeing.join().expect("no panic");
    expect_closed(&closed);
}

#[test]
fn l05_a_drain_finishes_accepted_work() {
    let engine = test_engine().with(one_slot_and_one_retry).start();
    let (first, second) = (engine.fetch("first"), engine.fetch("second"));
    let closed = engine.close(Some(None));
    let refused = engine.try_ask(Form::Each, &["k"], |_| {}, Arc::new(FetchHandle::new()), 0, None);
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    let request = engine.request();
    request.fail("first", error(1));
    drop(request);
    engine.request().answer_all();
    assert_eq!(second.text(), "second!");
    engine.wait_until_only_flights(1);
    assert!(closed.try_recv().is_err());
    engine.advance(10);
    engine.request().answer_all();
    assert_eq!(first.text(), "first!", "retries included");
    expect_closed(&closed);
    engine.free();
}

#[test]
fn l05_a_drain_ends_at_its_deadline_and_a_second_close_can_only_shorten_it() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    let closed = [
        engine.close(Some(Some(Duration::from_millis(100)))),
        engine.close(Some(None)),
        engine.close(Some(Some(Duration::from_millis(50)))),
        engine.close(Some(Some(Duration::from_millis(70)))),
    ];
    engine.advance(49);
    waiter.expect_no_event();
    engine.advance(1);
    assert_eq!(waiter.text(), "ERR_CLOSED");
    drop(request);
    closed.iter().for_each(expect_closed);
    engine.free();
}

#[test]
fn l05_fault13_an_engine_freed_with_loads_in_progress_settles_every_fetch() {
    let engine = test_engine().with(|settings| settings.tasks.max_running = 2).start();
    let waiters: Vec<Waiter> = (0..50).map(|n| engine.fetch(&format!("k{n}"))).collect();
    let batch = engine.fetch_all(&["a", "b"]);
    let requests = [engine.request(), engine.request()];
    engine.free();
    waiters.iter().for_each(|waiter| assert_eq!(waiter.text(), "ERR_CLOSED"));
    assert_eq!(batch.batch().1, "ERR_CLOSED");
    drop(requests);
}

/// Disposes of an engine in the callback `place`.
struct DisposeAt {
    place: &'static str,
    core: Mutex<Option<Arc<Core>>>,
    notified: Mutex<Sender<&'static str>>,
}

impl DisposeAt {
    fn at(&self, place: &str) {
        if place != self.place {
            return;
        }
        let core = self.core.lock().expect("no panic").take();
        if let Some(core) = core {
            core.close(None, Some(Box::new(CloseRecorder(self.notified.lock().expect("no panic").clone()))));
            core.dispose();
        }
    }
}

/// A fetch's receiver that disposes of its engine.
struct DisposingReceiver(Arc<DisposeAt>);

impl Receiver for DisposingReceiver {
    fn result(&mut self, _: usize, _: &[u8], _: &Outcome, _: bool) {
        self.0.at("result");
    }
    fn batch(&mut self, _: Results) {
        self.0.at("batch");
    }
    fn progress(&mut self, _: usize, _: usize, _: usize) {
        self.0.at("progress");
    }
}

impl Drop for DisposingReceiver {
    fn drop(&mut self) {
        self.0.at("user data");
    }
}

#[test]
fn l05_fault37_dispose_is_allowed_in_every_callback_with_the_last_reference() {
    for place in CALLBACKS.into_iter().chain(["user data"]) {
        let (notified, closed) = channel();
        let disposer = Arc::new(DisposeAt { place, core: Mutex::default(), notified: Mutex::new(notified) });
        let by = || disposer.clone();
        let (validator, removal, record, cost, provider, end) = (by(), by(), by(), by(), by(), by());
        let is_hooked = Arc::new(AtomicBool::new(false));
        let hooked = is_hooked.clone();
        let engine = test_engine()
            .hooks(|hooks| {
                hooks.validator = Some(Arc::new(HostFunction(move |_: &[u8]| {
                    validator.at("validator");
                    true
                })));
                hooks.removal = Some(Arc::new(HostFunction(move |_: &kvlight::cache::Departure| removal.at("removal listener"))));
                hooks.record = Some(Arc::new(HostFunction(move |_: Status, _: &[u8]| record.at("record listener"))));
                hooks.cost = Some(Arc::new(HostFunction(move |_: &[u8], _: &kvlight::base::Value| {
                    cost.at("cost function");
                    1
                })));
            })
            .answered_by(move |ticket| {
                provider.at("provider");
                if ticket.keys()[0] == *b"unwanted" {
                    let hook = provider.clone();
                    let (notify, notified) = channel();
                    let set = hook_on(ticket, move |_| {
                        hook.at("cancel hook");
                        let _ = notify.send(());
                    });
                    hooked.store(true, Ordering::SeqCst);
                    // A hook that has not begun when the request is finished is never called, so the test waits for its beginning.
                    if set == Status::OK {
                        notified.recv_timeout(PATIENCE).expect("the hook is called");
                    }
                }
                ticket.resolve(0, value("v"), StoreTerms::default());
            })
            .start();
        let core = Arc::downgrade(&engine.core);
        *disposer.core.lock().expect("no panic") = Some(engine.core);

        let ends = DropLog::with(move || end.at("destructor"));
        let object = ends.value();
        let fetch = |core: &Core, form: Form, key: &[u8], handle: &Arc<FetchHandle>| {
            let settings = core.fetch_settings().clone();
            let call = FetchCall { form, settings: settings.into(), progress_step: 1, handle: Some(handle), at_once: false };
            let _ = core.fetch([key].into_iter(), &call, || Box::new(DisposingReceiver(disposer.clone())));
        };
        let calls: [&dyn Fn(&Core); 4] = [
            &|core| {
                let _ = core.put(b"object", NewEntry::new(object.clone()), None, &mut Departures::new());
                let _ = core.remove(b"object");
            },
            &|core| fetch(core, Form::Each, b"k", &Arc::new(FetchHandle::new())),
            &|core| fetch(core, Form::All, b"l", &Arc::new(FetchHandle::new())),
            &|core| {
                let handle = Arc::new(FetchHandle::new());
                fetch(core, Form::Each, b"unwanted", &handle);
                until("the hook is set, or the test is done", || {
                    is_hooked.load(Ordering::SeqCst) || core.put(b"p", NewEntry::new(Answer::Null), None, &mut Departures::new()).is_err()
                });
                handle.cancel();
            },
        ];
        for call in calls {
            // A C program holds a reference like this during a call.
            let Some(core) = core.upgrade() else { break };
            call(&core);
        }
        drop(object);
        assert_eq!(closed.recv_timeout(PATIENCE), Ok("closed"), "disposed of in: {place}");
        until("the engine freed itself", || core.strong_count() == 0);
    }
}

#[test]
fn l05_no_callback_starts_after_free_whatever_other_threads_do() {
    for round in 0..40 {
        let freed = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicUsize::new(0));
        let check = || {
            let (freed, late) = (freed.clone(), late.clone());
            move || {
                if freed.load(Ordering::SeqCst) {
                    late.fetch_add(1, Ordering::SeqCst);
                }
            }
        };
        let (removal, cancel, provide) = (check(), check(), check());
        let engine = test_engine()
            .with(|settings| settings.cache.capacity = 4)
            .hooks(|hooks| hooks.removal = Some(Arc::new(HostFunction(move |_: &kvlight::cache::Departure| removal()))))
            .answered_by(move |ticket| {
                provide();
                let cancel = cancel.clone();
                hook_on(ticket, move |_| cancel());
            })
            .start();
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let core = engine.core.clone();
                scope.spawn(move || {
                    for n in 0.. {
                        let key = format!("{thread}{}", n % 9);
                        if core.put(key.as_bytes(), NewEntry::new(value("v")), None, &mut Departures::new()).is_err() {
                            break;
                        }
                        let handle = Arc::new(FetchHandle::new());
                        let settings = core.fetch_settings().clone();
                        let call = FetchCall {
                            form: Form::Each,
                            settings: settings.into(),
                            progress_step: 0,
                            handle: Some(&handle),
                            at_once: false,
                        };
                        let _ = core.fetch([key.as_bytes(), b"absent"].into_iter(), &call, || Box::new(NullReceiver));
                        handle.cancel();
                    }
                });
            }
            for _ in 0..round {
                std::thread::yield_now();
            }
            engine.core.clone().free();
            freed.store(true, Ordering::SeqCst);
        });
        assert_eq!(late.load(Ordering::SeqCst), 0, "callbacks that started after free had returned");
    }
}

#[test]
fn l05_on_a_shared_runtime_the_hooks_are_released_when_free_returns() {
    let runtime = Runtime::start(STACK_BYTES).expect("threads");
    for _ in 0..500 {
        struct Ended(Sender<()>, Arc<AtomicBool>);
        impl Drop for Ended {
            fn drop(&mut self) {
                assert!(!self.1.load(Ordering::SeqCst), "the hook is released before free returns");
                let _ = self.0.send(());
            }
        }
        let (notify, ended) = channel();
        let freed = Arc::new(AtomicBool::new(false));
        let kept = Ended(notify, freed.clone());
        let mut builder = test_engine().with(|settings| settings.cache.ttl_ms = Some(1)).with_system_clock().echo();
        builder.plan.runtime = Some(runtime.clone());
        let validator = HostFunction(move |_: &[u8]| {
            let _kept = &kept;
            true
        });
        let engine = builder.hooks(|hooks| hooks.validator = Some(Arc::new(validator))).start();
        engine.put("k", "v");
        assert_eq!(engine.fetch("l").text(), "l!");
        engine.free();
        freed.store(true, Ordering::SeqCst);
        assert!(ended.try_recv().is_ok(), "the validator's user data is released");
    }
    assert!(runtime.end_if_unused(), "nothing is attached any more");
    runtime.stop();
}

#[test]
fn l05_fault41_a_hook_set_after_the_cancel_is_refused_and_one_that_holds_its_request_is_released_with_it() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    waiter.cancel();
    assert_eq!(request.on_cancel(|_| panic!("the hook must not be called")), Status::ERR_CANCELLED);
    drop(request);

    let waiter = engine.fetch("l");
    let request = Arc::new(engine.request());
    let held = request.clone();
    let (notify, notified) = channel();
    let hook = move |why: Cancel| {
        assert_eq!(held.keys(), ["l"]);
        notify.send(why).expect("the test listens");
    };
    assert_eq!(request.on_cancel(hook), Status::OK);
    assert_eq!(request.on_cancel(|_| {}), Status::ERR_ALREADY_USED);
    drop(request);
    waiter.cancel();
    assert_eq!(notified.recv_timeout(PATIENCE), Ok(Cancel::Unwanted));
    // The hook was the last holder of the request. Dropping it finishes the request.
    engine.wait_until_idle();

    let finished = engine.fetch("m");
    let request = Arc::new(engine.request());
    let held = request.clone();
    assert_eq!(request.on_cancel(move |_| drop(held.keys())), Status::OK);
    request.answer("m", "v");
    request.finish();
    assert_eq!(Arc::strong_count(&request), 1, "the finish released the hook");
    assert_eq!(finished.text(), "v");
    engine.free();
}

#[test]
fn l05_the_hook_receives_the_reason_of_a_timeout_and_of_a_close() {
    let engine = test_engine().with(|settings| settings.fetch.attempt_timeout = Some(Duration::from_millis(10))).start();
    let (notify, notified) = channel();
    let waiter = engine.fetch("k");
    let (first, other) = (engine.request(), notify.clone());
    first.on_cancel(move |why| other.send(why).expect("the test listens"));
    engine.advance(10);
    assert_eq!(notified.recv_timeout(PATIENCE), Ok(Cancel::Timeout));
    assert_eq!(waiter.text(), "ERR_TIMEOUT");
    let waiter = engine.fetch("l");
    let second = engine.request();
    second.on_cancel(move |why| notify.send(why).expect("the test listens"));
    engine.free();
    assert_eq!(notified.recv_timeout(PATIENCE), Ok(Cancel::Closed));
    assert_eq!(waiter.text(), "ERR_CLOSED");
    drop((first, second));
}

/// Runs an engine in which each function of the host panics.
fn panics_everywhere() {
    let engine = test_engine()
        .hooks(|hooks| {
            hooks.validator =
                Some(Arc::new(HostFunction(|key: &[u8]| if key == b"validator" { panic!("of the validator") } else { true })));
            hooks.cost = Some(Arc::new(HostFunction(
                |key: &[u8], _: &kvlight::base::Value| if key == b"cost" { panic!("of the cost function") } else { 1 },
            )));
            hooks.removal = Some(Arc::new(HostFunction(|left: &kvlight::cache::Departure| {
                if left.key() == b"removal" {
                    panic!("of the removal listener")
                }
            })));
            hooks.record = Some(Arc::new(HostFunction(|_: Status, key: &[u8]| {
                if key == b"record" {
                    panic!("of the record listener")
                }
            })));
        })
        .answered_by(|ticket| {
            if ticket.keys()[0] == *b"provider" {
                panic!("of the provider");
            }
            if ticket.keys()[0] == *b"hook" {
                hook_on(ticket, |_| panic!("of the cancel hook"));
                return;
            }
            ticket.resolve(0, value("v"), StoreTerms::default());
        })
        .start();
    assert_eq!(engine.lookup("validator"), "INVALID_KEY");
    assert_eq!(engine.put("cost", "value"), Status::OK);
    engine.put("removal", "v");
    engine.remove("removal");
    assert_eq!(engine.lookup("record"), "MISS");
    assert_eq!(engine.fetch("provider").text(), "ERR_UNANSWERED");
    let hooked = engine.fetch("hook");
    until("its provider's call came back", || engine.stats().gauges.running == 0 && engine.calls() == 2);
    hooked.cancel();

    struct Panics(Sender<()>, bool);
    impl Receiver for Panics {
        fn result(&mut self, _: usize, _: &[u8], _: &Outcome, _: bool) {
            let _ = self.0.send(());
            panic!("of the receiver");
        }
        fn batch(&mut self, _: Results) {
            let _ = self.0.send(());
            panic!("of the receiver");
        }
        fn progress(&mut self, _: usize, _: usize, _: usize) {
            panic!("of the receiver");
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            let _ = self.0.send(());
            if self.1 {
                panic!("of the user data's destructor");
            }
        }
    }
    for (form, ends_badly, calls) in [(Form::Each, false, 4), (Form::All, false, 2), (Form::Each, true, 4), (Form::All, true, 2)] {
        let (sender, received) = channel();
        let handle = Arc::new(FetchHandle::new());
        let call = FetchCall {
            form,
            settings: engine.core.fetch_settings().clone().into(),
            progress_step: 1,
            handle: Some(&handle),
            at_once: false,
        };
        let asked = engine.core.fetch([&b"a"[..], b"b", b"c"].into_iter(), &call, || Box::new(Panics(sender, ends_badly)));
        assert!(matches!(asked, Ok(FetchAnswer::Pending)));
        assert!(handle.wait(Some(PATIENCE)), "the fetch ends nevertheless");
        assert_eq!(received.iter().count(), calls, "each position was reported, and the user data released");
    }

    struct PanickingListener;
    impl CloseListener for PanickingListener {
        fn closed(self: Box<Self>) {
            panic!("of the close listener");
        }
        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }
    // The engine continues.
    assert_eq!(engine.fetch("k").text(), "v");
    assert_eq!(engine.lookup("k"), "v");
    engine.core.close(None, Some(Box::new(PanickingListener)));
    expect_closed(&engine.close(None));
    engine.free();
}

/// Runs itself in a child process, whose standard error it reads.
#[test]
fn l07_a_panic_of_the_host_is_caught_at_the_call_is_not_printed_and_the_engine_continues() {
    const CHILD: &str = "KVL_TEST_ENGINE_PANICS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return panics_everywhere();
    }
    let name = concat!(module_path!(), "::l07_a_panic_of_the_host_is_caught_at_the_call_is_not_printed_and_the_engine_continues");
    let name = name.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::")).expect("a path begins with its crate");
    let program = std::env::current_exe().expect("a test knows its program");
    let mut child = std::process::Command::new(program);
    child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").env("RUST_BACKTRACE", "0");
    let child = child.output().expect("the test program runs");
    let received = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{received}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
    assert!(!received.contains("panicked"), "{received}");
}

#[test]
fn l07_a_panic_inside_a_shard_empties_only_that_shard() {
    let engine = test_engine().start();
    engine.put("k", "v");
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        kvlight::base::panics::catch_panic(|| engine.core.get_with(b"k", |_| panic!("under the shard's lock")).map(|seen| seen.is_ok()))
    }));
    assert!(matches!(broken, Ok(Err(_))));
    assert_eq!((engine.lookup("k"), engine.core.len(), engine.core.cost()), ("MISS".into(), 0, 0));
    let waiter = engine.fetch("k");
    engine.request().answer_all();
    assert_eq!((waiter.text(), engine.lookup("k")), ("k!".into(), "k!".into()));
    engine.free();
}

#[test]
fn l09_a_key_that_is_too_long_fails_only_its_own_position() {
    let engine = test_engine().start();
    let long = "x".repeat(65_536);
    let longest = "y".repeat(65_535);
    let waiter = engine.fetch_all(&["a", &long, &longest, ""]);
    for _ in 0..3 {
        engine.request().answer_all();
    }
    assert_eq!(waiter.batch().0, ["a!", "ERR_KEY_TOO_LONG", &format!("{longest}!"), "!"]);
    assert_eq!(engine.core.trim(1.5), Err(Status::ERR_INVALID_ARG));
    assert_eq!(engine.core.trim(f64::NAN), Err(Status::ERR_INVALID_ARG));
    assert_eq!(engine.core.len(), 3, "nothing changed");
    engine.free();
}

#[test]
fn l09_a_fetch_handle_can_be_used_for_one_fetch_only() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    let again = engine.try_ask(Form::Each, &["k"], |_| {}, waiter.handle.clone(), 0, None);
    assert_eq!(again.err(), Some(Status::ERR_ALREADY_USED));
    assert!(waiter.handle.set_context(DropLog::new().object()).is_err());
    engine.request().answer_all();
    assert_eq!(waiter.text(), "k!");
    let again = engine.try_ask(Form::Each, &["k"], |_| {}, waiter.handle.clone(), 0, None);
    assert_eq!(again.err(), Some(Status::ERR_ALREADY_USED));
    engine.free();
}

#[test]
fn s16_a_value_stays_readable_after_its_entry_and_its_engine_are_gone() {
    let engine = test_engine().start();
    engine.put("k", "kept");
    let Ok(kvlight::engine::cache::Lookup::Value(kept)) = engine.core.get(b"k") else { panic!("the key has an entry") };
    engine.remove("k");
    engine.free();
    assert_eq!(kept.as_bytes(), Some(&b"kept"[..]));
}

#[test]
fn l05_an_engine_without_a_provider_is_refused_and_its_hooks_are_released() {
    let ended = Arc::new(());
    let kept = ended.clone();
    let mut plan = Plan::default();
    plan.hooks.validator = Some(Arc::new(HostFunction(move |_: &[u8]| Arc::strong_count(&kept) > 0)));
    assert_eq!(Core::engine(plan).err(), Some(Status::ERR_NO_PROVIDER));
    assert_eq!(Arc::strong_count(&ended), 1);
}

#[test]
fn l05_a_request_that_is_finished_and_dropped_is_finished_once() {
    let engine = test_engine().start();
    let waiter = engine.fetch("k");
    let request = engine.request();
    assert_eq!(request.0.finish(Unanswered::Failed(error(9))), Status::OK);
    assert_eq!(request.finish(), Status::ERR_ALREADY_ANSWERED);
    drop(request);
    assert_eq!(waiter.outcome().error().map(|error| error.code()), Some(9));
    engine.wait_until_idle();
    engine.free();
}
