//! Lives and threads: who may call what from where, what ends when and on which thread, how an engine closes, and what a panic of
//! the host's leaves behind (rules L01 to L09, S16).

use super::engine_world::*;
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

/// The callbacks that are called under way, whatever the story.
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

/// Calls every function that may be called from everywhere.
fn everything(core: &Arc<Core>) {
    let key = &b"everything"[..];
    core.put(key, NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
    core.put(key, NewEntry::new(Answer::Null), Some(&mut |_| {}), &mut Departures::new()).expect("open");
    core.get(key).expect("open");
    assert!(core.get_with(key, |_| ()).is_ok());
    core.get_uncounted_miss(key).expect("open");
    core.peek(key).expect("open");
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
        let call = FetchCall { form, settings, progress_step: 1, handle: Some(&handle), at_once: false };
        let asked = core.fetch([&b"asked"[..], b"asked too"].into_iter(), &call, || Box::new(Deaf));
        assert!(matches!(asked, Ok(FetchAnswer::Pending)));
        handle.set_urgency(1);
        let _ = handle.progress();
        handle.cancel();
    }
    core.clear().expect("open");
    core.reset_stats();
}

/// Runs [`everything`] in the first call of each callback, and notes which were called.
struct Meddler {
    core: OnceLock<Weak<Core>>,
    begun: Mutex<Vec<&'static str>>,
    done: Mutex<Vec<&'static str>>,
}

impl Meddler {
    fn meddle(&self, callback: &'static str) {
        let Some(core) = self.core.get().and_then(Weak::upgrade) else { return };
        {
            let mut begun = self.begun.lock().expect("no panic");
            if begun.contains(&callback) {
                return;
            }
            begun.push(callback);
        }
        everything(&core);
        // Not before: an assertion that fails in a callback is a panic that ends there.
        self.done.lock().expect("no panic").push(callback);
    }
}

#[test]
fn l01_fault_07_fault_26_every_function_may_be_called_from_every_callback() {
    let meddler = Arc::new(Meddler { core: OnceLock::new(), begun: Mutex::default(), done: Mutex::default() });
    let by = || meddler.clone();
    let (provider, validator, cost, removal, record) = (by(), by(), by(), by(), by());
    let is_set = Arc::new(AtomicBool::new(false));
    let sets = is_set.clone();
    let world = story()
        .hooks(|hooks| {
            hooks.validator = Some(Arc::new(By(move |_: &[u8]| {
                validator.meddle("validator");
                true
            })));
            hooks.cost = Some(Arc::new(By(move |_: &[u8], _: &kvlight::base::Value| {
                cost.meddle("cost function");
                1
            })));
            hooks.removal = Some(Arc::new(By(move |_: &kvlight::cache::Departure| removal.meddle("removal listener"))));
            hooks.record = Some(Arc::new(By(move |_: Status, _: &[u8]| record.meddle("record listener"))));
        })
        .answered(move |ticket| {
            let meddler = provider.clone();
            if ticket.keys()[0] == *b"unwanted" {
                let waits = Arc::new((Mutex::new(false), std::sync::Condvar::new()));
                let heard = waits.clone();
                let request = move |why: Cancel| {
                    assert_eq!(why, Cancel::Unwanted);
                    meddler.meddle("cancel hook");
                    *heard.0.lock().expect("no panic") = true;
                    heard.1.notify_all();
                };
                assert_eq!(hook_on(ticket, request), Status::OK);
                sets.store(true, Ordering::SeqCst);
                let told = waits.0.lock().expect("no panic");
                drop(waits.1.wait_while(told, |told| !*told).expect("no panic"));
                return;
            }
            meddler.meddle("provider");
            ticket.resolve(0, value("v"), StoreTerms::default());
        })
        .begin();
    assert!(meddler.core.set(Arc::downgrade(&world.core)).is_ok());

    let ear = by();
    world.fetch_then("k", move |_| ear.meddle("result")).outcome();
    let ear = by();
    let then = move |heard: &Heard| match heard {
        Heard::Progress { .. } => ear.meddle("progress"),
        _ => ear.meddle("batch"),
    };
    world.try_ask(Form::All, &["a", "b"], |_| {}, Arc::new(FetchHandle::new()), 1, Some(Box::new(then))).expect("open").results();
    let unwanted = world.fetch("unwanted");
    until("the hook is set", || is_set.load(Ordering::SeqCst));
    unwanted.cancel();
    let end = by();
    let ends = Ends::with(move || end.meddle("destructor"));
    world.put_answer("object", ends.value());
    world.remove("object");
    // Whoever still meddles may resize the store, and then there is no victim.
    let done = |count| meddler.done.lock().expect("no panic").len() == count;
    until("each callback but the victim's has been called", || done(CALLBACKS.len()));
    let victim = by();
    world.core.resize(1, None).expect("open");
    world.put("first", "v");
    let mut named = |_: &kvlight::cache::Departure| victim.meddle("victim");
    world.core.put(b"second", NewEntry::new(value("v")), Some(&mut named), &mut Departures::new()).expect("open");
    until("each callback has been called", || done(CALLBACKS.len() + 1));
    let mut done = meddler.done.lock().expect("no panic").clone();
    done.sort_unstable();
    assert_eq!(done, [&CALLBACKS[..], &["victim"]].concat());
    world.free();
}

fn hook_on(ticket: &kvlight::engine::request::Ticket, tells: impl Fn(Cancel) + Send + 'static) -> Status {
    struct Hook<F>(F);
    impl<F: Fn(Cancel) + Send + 'static> kvlight::engine::request::CancelHook for Hook<F> {
        fn cancelled(&self, why: Cancel) {
            (self.0)(why);
        }
        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }
    ticket.on_cancel(Box::new(Hook(tells))).err().map_or(Status::OK, |(status, _)| status)
}

#[test]
fn l03_a_slow_callback_delays_neither_providers_nor_admission_nor_time() {
    let world = story()
        .with(|settings| {
            settings.tasks.max_running = 1;
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = Duration::from_millis(10);
        })
        .begin();
    let (go_on, waits) = channel::<()>();
    let (begun, is_slow) = channel();
    world.put("hit", "v");
    let slow = world.fetch_then("hit", move |heard| {
        if matches!(heard, Heard::Result { .. }) {
            begun.send(()).expect("the story listens");
            waits.recv_timeout(PATIENCE).expect("the story goes on");
        }
    });
    is_slow.recv_timeout(PATIENCE).expect("the callback begins");
    let other = world.fetch("k");
    let request = world.request();
    request.fail("k", error(1));
    drop(request);
    world.settles_but_for_flights(1);
    world.advance(10);
    world.request().answer_all();
    until("the answer is stored", || world.peek("k") == "k!");
    other.hears_nothing();
    go_on.send(()).expect("the callback waits");
    assert_eq!((slow.said(), other.said()), ("v".into(), "k!".into()));
    world.free();
}

#[test]
fn l03_removals_that_never_end_do_not_hold_up_results() {
    let core: Arc<OnceLock<Weak<Core>>> = Arc::default();
    let (engine, enough) = (core.clone(), Arc::new(AtomicBool::new(false)));
    let ends = enough.clone();
    // Each removal that is heard of causes the next one.
    let listener = move |_: &kvlight::cache::Departure| {
        if let (Some(core), false) = (engine.get().and_then(Weak::upgrade), ends.load(Ordering::SeqCst)) {
            core.put(b"k", NewEntry::new(value("v")), None, &mut Departures::new()).expect("open");
            core.remove(b"k").expect("open");
        }
    };
    let world = story().hooks(|hooks| hooks.removal = Some(Arc::new(By(listener)))).echo().begin();
    assert!(core.set(Arc::downgrade(&world.core)).is_ok());
    world.put("k", "v");
    world.remove("k");
    for n in 0..10 {
        assert_eq!(world.fetch(&format!("k{n}")).said(), format!("k{n}!"));
    }
    enough.store(true, Ordering::SeqCst);
    world.free();
}

#[test]
fn l04_what_a_refused_fetch_had_found_is_dropped_under_no_lock() {
    let core: Arc<OnceLock<Weak<Core>>> = Arc::default();
    let engine = core.clone();
    // Between the look into the store and the way into the table the engine closes, and the value found is removed.
    let validator = move |key: &[u8]| {
        if let (b"absent", Some(core)) = (key, engine.get().and_then(Weak::upgrade)) {
            core.remove(b"object").expect("open");
            core.close(None, None);
        }
        true
    };
    let world = story().hooks(|hooks| hooks.validator = Some(Arc::new(By(validator)))).begin();
    assert!(core.set(Arc::downgrade(&world.core)).is_ok());
    let engine = core.clone();
    let ends = Ends::with(move || {
        // Would wait for ever under the table's lock.
        let core = engine.get().and_then(Weak::upgrade).expect("it is not freed yet");
        let _ = core.stats();
    });
    world.put_answer("object", ends.value());
    let refused = world.try_ask(Form::All, &["object", "absent"], |_| {}, Arc::new(FetchHandle::new()), 0, None);
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    until("the object has ended", || ends.count() == 1);
    world.free();
}

#[test]
fn l04_drops_of_ours_run_where_callbacks_run_and_under_no_lock() {
    let world = story().with(|settings| settings.cache.capacity = 2).begin();
    let core = Arc::downgrade(&world.core);
    let ends = Ends::with(move || {
        // Would wait for ever under the table's lock or the shard's.
        let core = core.upgrade().expect("it is not freed yet");
        let _ = (core.len(), core.stats());
    });
    world.put_answer("a", ends.value());
    world.put_answer("a", ends.value());
    world.put_answer("b", ends.value());
    world.put_answer("c", ends.value());
    world.remove("b");
    world.core.trim(0.0).expect("open");
    let refused = StoreTerms { ttl: kvlight::base::Ttl::from_raw(0).expect("a TTL"), ..StoreTerms::default() };
    world.core.put(b"d", NewEntry { terms: refused, ..NewEntry::new(ends.value()) }, None, &mut Departures::new()).expect("open");
    until("all have ended", || ends.count() == 5);
    assert_eq!(ends.names(), [DISPATCHER; 5]);
    let waiter = world.fetch("k");
    let request = world.request();
    request.0.resolve(0, ends.value(), StoreTerms::default());
    assert_eq!(request.0.resolve(0, ends.value(), StoreTerms::default()), Status::ERR_ALREADY_ANSWERED);
    waiter.outcome();
    until("the refused one has ended", || ends.count() == 6);
    assert_eq!(ends.names()[5], DISPATCHER, "what was refused is dropped there, too");
    request.finish();
    world.core.clear().expect("open");
    until("all have ended", || ends.count() == 7);
    assert_eq!(ends.names()[6], DISPATCHER);
    world.free();
}

#[test]
fn l04_what_is_in_the_store_at_the_end_is_dropped_before_free_returns() {
    let ends = Ends::new();
    let world = story().begin();
    for n in 0..10 {
        world.put_answer(&format!("k{n}"), ends.value());
    }
    world.free();
    assert_eq!(ends.names(), [DISPATCHER; 10]);
}

#[test]
fn l04_a_context_ends_once_where_callbacks_run_and_after_fetch_and_request() {
    let world = story().begin();
    let ends = Ends::new();
    let handle = Arc::new(FetchHandle::new());
    assert!(handle.set_context(ends.object()).is_ok());
    let waiter = world.try_ask(Form::Each, &["k"], |_| {}, handle, 0, None).expect("accepted");
    let request = world.request();
    assert!(request.0.context(0).is_some_and(|context| !context.pointer().is_null()));
    request.answer("k", "v");
    waiter.outcome();
    drop(waiter);
    assert_eq!(ends.count(), 0, "the request has it still");
    let here = std::thread::current().id();
    drop(request);
    until("it has ended", || ends.count() == 1);
    assert!(ends.threads() == [here] || ends.names() == [DISPATCHER], "by who dropped the last reference: {:?}", ends.names());
    world.free();
}

#[test]
fn l04_nothing_of_the_hosts_runs_on_the_timers_thread() {
    // A blocking fetch that times out ends on the timer's thread. Its context must not.
    let world = story().on_system_time().begin();
    let ends = Ends::new();
    let handle = Arc::new(FetchHandle::new());
    assert!(handle.set_context(ends.object()).is_ok());
    let mut settings = world.fetch_settings();
    settings.timeout = Some(Duration::from_millis(2));
    let call = FetchCall { form: Form::Each, settings: Arc::new(settings), progress_step: 0, handle: Some(&handle), at_once: true };
    let asked = world.core.fetch_wait([&b"k"[..]].into_iter(), &call).expect("accepted");
    assert!(matches!(asked, FetchAnswer::Now(outcome) if said(&outcome) == "ERR_TIMEOUT"));
    // Whether the provider was asked before those 2 ms were over is the machine's affair: a request that nobody wants is not handed out.
    drop(handle);
    world.free();
    assert_eq!(ends.count(), 1);
    assert!(!ends.names().contains(&"kvl-timer".to_owned()), "{:?}", ends.names());
}

#[test]
fn l04_expired_objects_are_unlinked_by_the_timer_and_dropped_by_the_dispatcher() {
    let world = story().with(|settings| settings.cache.ttl_ms = Some(1)).on_system_time().begin();
    let ends = Ends::new();
    world.put_answer("k", ends.value());
    until("it has expired and ended untouched", || ends.count() == 1);
    assert_eq!(ends.names(), [DISPATCHER]);
    world.free();
}

#[test]
fn l05_close_is_told_when_all_is_done_and_refuses_from_then_on() {
    let world = story().with(|settings| settings.tasks.max_running = 1).begin();
    let (running, waiting) = (world.fetch("running"), world.fetch("waiting"));
    let request = world.request();
    let news = world.close(None);
    assert_eq!((running.said(), waiting.said()), ("ERR_CLOSED".into(), "ERR_CLOSED".into()));
    hears_closed(&news);
    assert_eq!(request.0.cancel_reason(), Cancel::Closed as u32);
    assert_eq!(world.put("k", "v"), Status::ERR_CLOSED);
    assert_eq!(world.refresh(&["k"]), Err(Status::ERR_CLOSED));
    let refused = world.try_ask(Form::Each, &["k"], |_| {}, Arc::new(FetchHandle::new()), 0, None);
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    assert_eq!(world.lookup("k"), "MISS", "it can still be looked into");
    hears_closed(&world.close(None));
    hears_closed(&world.close(Some(None)));
    drop(request);
    world.free();
}

#[test]
fn l05_close_waits_for_provider_calls_that_have_begun() {
    let (go_on, waits) = channel::<()>();
    let waits = Mutex::new(waits);
    let (begun, is_in) = channel();
    let begun = Mutex::new(begun);
    let world = story()
        .answered(move |_| {
            begun.lock().expect("no panic").send(()).expect("the story listens");
            waits.lock().expect("no panic").recv_timeout(PATIENCE).expect("the story goes on");
        })
        .begin();
    let waiter = world.fetch("k");
    is_in.recv_timeout(PATIENCE).expect("the provider is called");
    let news = world.close(None);
    assert_eq!(waiter.said(), "ERR_CLOSED", "the waiter need not wait for it");
    assert!(news.try_recv().is_err(), "the provider's call is still out");
    let freed = Arc::new(AtomicBool::new(false));
    let core = world.core.clone();
    let (is_freed, calls) = (freed.clone(), world);
    let freeing = std::thread::spawn(move || {
        core.free();
        is_freed.store(true, Ordering::SeqCst);
    });
    assert!(!freed.load(Ordering::SeqCst) && news.try_recv().is_err());
    go_on.send(()).expect("the provider waits");
    freeing.join().expect("no panic");
    hears_closed(&news);
    drop(calls);
}

#[test]
fn l05_drain_finishes_what_was_accepted() {
    let world = story()
        .with(|settings| {
            settings.tasks.max_running = 1;
            settings.fetch.retry.count = Some(1);
            settings.fetch.retry.fixed = Duration::from_millis(10);
        })
        .begin();
    let (first, second) = (world.fetch("first"), world.fetch("second"));
    let news = world.close(Some(None));
    let refused = world.try_ask(Form::Each, &["k"], |_| {}, Arc::new(FetchHandle::new()), 0, None);
    assert_eq!(refused.err(), Some(Status::ERR_CLOSED));
    let request = world.request();
    request.fail("first", error(1));
    drop(request);
    world.request().answer_all();
    assert_eq!(second.said(), "second!");
    world.settles_but_for_flights(1);
    assert!(news.try_recv().is_err());
    world.advance(10);
    world.request().answer_all();
    assert_eq!(first.said(), "first!", "retries included");
    hears_closed(&news);
    world.free();
}

#[test]
fn l05_a_drain_ends_at_its_deadline_and_a_second_close_may_only_shorten_it() {
    let world = story().begin();
    let waiter = world.fetch("k");
    let request = world.request();
    let news = [
        world.close(Some(Some(Duration::from_millis(100)))),
        world.close(Some(None)),
        world.close(Some(Some(Duration::from_millis(50)))),
        world.close(Some(Some(Duration::from_millis(70)))),
    ];
    world.advance(49);
    waiter.hears_nothing();
    world.advance(1);
    assert_eq!(waiter.said(), "ERR_CLOSED");
    drop(request);
    news.iter().for_each(hears_closed);
    world.free();
}

#[test]
fn l05_fault_13_an_engine_released_in_flight_tells_everybody() {
    let world = story().with(|settings| settings.tasks.max_running = 2).begin();
    let waiters: Vec<Waiter> = (0..50).map(|n| world.fetch(&format!("k{n}"))).collect();
    let batch = world.fetch_all(&["a", "b"]);
    let requests = [world.request(), world.request()];
    world.free();
    waiters.iter().for_each(|waiter| assert_eq!(waiter.said(), "ERR_CLOSED"));
    assert_eq!(batch.batch().1, "ERR_CLOSED");
    drop(requests);
}

/// Gives an engine up, in one place.
struct GivesUp {
    place: &'static str,
    core: Mutex<Option<Arc<Core>>>,
    told: Mutex<Sender<&'static str>>,
}

impl GivesUp {
    fn at(&self, place: &str) {
        if place != self.place {
            return;
        }
        let core = self.core.lock().expect("no panic").take();
        if let Some(core) = core {
            core.close(None, Some(Box::new(News(self.told.lock().expect("no panic").clone()))));
            core.dispose();
        }
    }
}

/// A fetch's receiver that gives its engine up.
struct Leaver(Arc<GivesUp>);

impl Receiver for Leaver {
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

impl Drop for Leaver {
    fn drop(&mut self) {
        self.0.at("user data");
    }
}

#[test]
fn l05_fault_37_dispose_is_legal_in_every_callback_and_the_last_reference_may_go_there() {
    for place in CALLBACKS.into_iter().chain(["user data"]) {
        let (told, news) = channel();
        let leaver = Arc::new(GivesUp { place, core: Mutex::default(), told: Mutex::new(told) });
        let by = || leaver.clone();
        let (validator, removal, record, cost, provider, end) = (by(), by(), by(), by(), by(), by());
        let is_hooked = Arc::new(AtomicBool::new(false));
        let hooked = is_hooked.clone();
        let world = story()
            .hooks(|hooks| {
                hooks.validator = Some(Arc::new(By(move |_: &[u8]| {
                    validator.at("validator");
                    true
                })));
                hooks.removal = Some(Arc::new(By(move |_: &kvlight::cache::Departure| removal.at("removal listener"))));
                hooks.record = Some(Arc::new(By(move |_: Status, _: &[u8]| record.at("record listener"))));
                hooks.cost = Some(Arc::new(By(move |_: &[u8], _: &kvlight::base::Value| {
                    cost.at("cost function");
                    1
                })));
            })
            .answered(move |ticket| {
                provider.at("provider");
                if ticket.keys()[0] == *b"unwanted" {
                    let hook = provider.clone();
                    let (tell, told) = channel();
                    let set = hook_on(ticket, move |_| {
                        hook.at("cancel hook");
                        let _ = tell.send(());
                    });
                    hooked.store(true, Ordering::SeqCst);
                    // A hook that has not begun when the request is finished never will, so it is waited for.
                    if set == Status::OK {
                        told.recv_timeout(PATIENCE).expect("the hook is called");
                    }
                }
                ticket.resolve(0, value("v"), StoreTerms::default());
            })
            .begin();
        let core = Arc::downgrade(&world.core);
        *leaver.core.lock().expect("no panic") = Some(world.core);

        let ends = Ends::with(move || end.at("destructor"));
        let object = ends.value();
        let fetch = |core: &Core, form: Form, key: &[u8], handle: &Arc<FetchHandle>| {
            let settings = core.fetch_settings().clone();
            let call = FetchCall { form, settings, progress_step: 1, handle: Some(handle), at_once: false };
            let _ = core.fetch([key].into_iter(), &call, || Box::new(Leaver(leaver.clone())));
        };
        let deeds: [&dyn Fn(&Core); 4] = [
            &|core| {
                let _ = core.put(b"object", NewEntry::new(object.clone()), None, &mut Departures::new());
                let _ = core.remove(b"object");
            },
            &|core| fetch(core, Form::Each, b"k", &Arc::new(FetchHandle::new())),
            &|core| fetch(core, Form::All, b"l", &Arc::new(FetchHandle::new())),
            &|core| {
                let handle = Arc::new(FetchHandle::new());
                fetch(core, Form::Each, b"unwanted", &handle);
                until("the hook is set, or all is over", || {
                    is_hooked.load(Ordering::SeqCst) || core.put(b"p", NewEntry::new(Answer::Null), None, &mut Departures::new()).is_err()
                });
                handle.cancel();
            },
        ];
        for deed in deeds {
            // As a C program holds it while it calls.
            let Some(core) = core.upgrade() else { break };
            deed(&core);
        }
        drop(object);
        assert_eq!(news.recv_timeout(PATIENCE), Ok("closed"), "given up in: {place}");
        until("the engine freed itself", || core.strong_count() == 0);
    }
}

#[test]
fn l05_after_free_no_callback_starts_whatever_other_threads_do() {
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
        let world = story()
            .with(|settings| settings.cache.capacity = 4)
            .hooks(|hooks| hooks.removal = Some(Arc::new(By(move |_: &kvlight::cache::Departure| removal()))))
            .answered(move |ticket| {
                provide();
                let cancel = cancel.clone();
                hook_on(ticket, move |_| cancel());
            })
            .begin();
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let core = world.core.clone();
                scope.spawn(move || {
                    for n in 0.. {
                        let key = format!("{thread}{}", n % 9);
                        if core.put(key.as_bytes(), NewEntry::new(value("v")), None, &mut Departures::new()).is_err() {
                            break;
                        }
                        let handle = Arc::new(FetchHandle::new());
                        let settings = core.fetch_settings().clone();
                        let call = FetchCall { form: Form::Each, settings, progress_step: 0, handle: Some(&handle), at_once: false };
                        let _ = core.fetch([key.as_bytes(), b"absent"].into_iter(), &call, || Box::new(Deaf));
                        handle.cancel();
                    }
                });
            }
            for _ in 0..round {
                std::thread::yield_now();
            }
            world.core.clone().free();
            freed.store(true, Ordering::SeqCst);
        });
        assert_eq!(late.load(Ordering::SeqCst), 0, "callbacks after the end of free");
    }
}

#[test]
fn l05_on_a_shared_runtime_the_hooks_have_ended_when_free_returns() {
    let runtime = Runtime::start(STACK_BYTES).expect("threads");
    for _ in 0..500 {
        struct Ended(Sender<()>, Arc<AtomicBool>);
        impl Drop for Ended {
            fn drop(&mut self) {
                assert!(!self.1.load(Ordering::SeqCst), "behind the back of who freed the engine");
                let _ = self.0.send(());
            }
        }
        let (tell, ended) = channel();
        let freed = Arc::new(AtomicBool::new(false));
        let kept = Ended(tell, freed.clone());
        let mut beginning = story().with(|settings| settings.cache.ttl_ms = Some(1)).on_system_time().echo();
        beginning.plan.runtime = Some(runtime.clone());
        let validator = By(move |_: &[u8]| {
            let _kept = &kept;
            true
        });
        let world = beginning.hooks(|hooks| hooks.validator = Some(Arc::new(validator))).begin();
        world.put("k", "v");
        assert_eq!(world.fetch("l").said(), "l!");
        world.free();
        freed.store(true, Ordering::SeqCst);
        assert!(ended.try_recv().is_ok(), "the validator's user data has ended");
    }
    assert!(runtime.end_if_unused(), "nobody is attached any more");
    runtime.stop();
}

#[test]
fn l05_fault_41_a_hook_set_after_the_cancel_is_refused_and_one_that_holds_its_request_ends_with_it() {
    let world = story().begin();
    let waiter = world.fetch("k");
    let request = world.request();
    waiter.cancel();
    assert_eq!(request.on_cancel(|_| panic!("it will not be called")), Status::ERR_CANCELLED);
    drop(request);

    let waiter = world.fetch("l");
    let request = Arc::new(world.request());
    let held = request.clone();
    let (tell, told) = channel();
    let hook = move |why: Cancel| {
        assert_eq!(held.keys(), ["l"]);
        tell.send(why).expect("the story listens");
    };
    assert_eq!(request.on_cancel(hook), Status::OK);
    assert_eq!(request.on_cancel(|_| {}), Status::ERR_ALREADY_USED);
    drop(request);
    waiter.cancel();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Cancel::Unwanted));
    // The hook was the last to hold the request: with it the request is finished.
    world.settles();

    let finished = world.fetch("m");
    let request = Arc::new(world.request());
    let held = request.clone();
    assert_eq!(request.on_cancel(move |_| drop(held.keys())), Status::OK);
    request.answer("m", "v");
    request.finish();
    assert_eq!(Arc::strong_count(&request), 1, "the finish let go of the hook");
    assert_eq!(finished.said(), "v");
    world.free();
}

#[test]
fn l05_the_timeout_of_an_attempt_and_the_close_reach_the_hook_with_their_reasons() {
    let world = story().with(|settings| settings.fetch.attempt_timeout = Some(Duration::from_millis(10))).begin();
    let (tell, told) = channel();
    let waiter = world.fetch("k");
    let (first, hears) = (world.request(), tell.clone());
    first.on_cancel(move |why| hears.send(why).expect("the story listens"));
    world.advance(10);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Cancel::Timeout));
    assert_eq!(waiter.said(), "ERR_TIMEOUT");
    let waiter = world.fetch("l");
    let second = world.request();
    second.on_cancel(move |why| tell.send(why).expect("the story listens"));
    world.free();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Cancel::Closed));
    assert_eq!(waiter.said(), "ERR_CLOSED");
    drop((first, second));
}

/// Everything of the host's panics, once each.
fn panics_everywhere() {
    let world = story()
        .hooks(|hooks| {
            hooks.validator = Some(Arc::new(By(|key: &[u8]| if key == b"validator" { panic!("of the validator") } else { true })));
            hooks.cost =
                Some(Arc::new(By(|key: &[u8], _: &kvlight::base::Value| if key == b"cost" { panic!("of the cost function") } else { 1 })));
            hooks.removal = Some(Arc::new(By(|left: &kvlight::cache::Departure| {
                if *left.key == *b"removal" {
                    panic!("of the removal listener")
                }
            })));
            hooks.record = Some(Arc::new(By(|_: Status, key: &[u8]| {
                if key == b"record" {
                    panic!("of the record listener")
                }
            })));
        })
        .answered(|ticket| {
            if ticket.keys()[0] == *b"provider" {
                panic!("of the provider");
            }
            if ticket.keys()[0] == *b"hook" {
                hook_on(ticket, |_| panic!("of the cancel hook"));
                return;
            }
            ticket.resolve(0, value("v"), StoreTerms::default());
        })
        .begin();
    assert_eq!(world.lookup("validator"), "INVALID_KEY");
    assert_eq!(world.put("cost", "value"), Status::OK);
    world.put("removal", "v");
    world.remove("removal");
    assert_eq!(world.lookup("record"), "MISS");
    assert_eq!(world.fetch("provider").said(), "ERR_UNANSWERED");
    let hooked = world.fetch("hook");
    until("its provider's call came back", || world.stats().gauges.running == 0 && world.calls() == 2);
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
                panic!("of the user data's end");
            }
        }
    }
    for (form, ends_badly, calls) in [(Form::Each, false, 4), (Form::All, false, 2), (Form::Each, true, 4), (Form::All, true, 2)] {
        let (story, heard) = channel();
        let handle = Arc::new(FetchHandle::new());
        let call =
            FetchCall { form, settings: world.core.fetch_settings().clone(), progress_step: 1, handle: Some(&handle), at_once: false };
        let asked = world.core.fetch([&b"a"[..], b"b", b"c"].into_iter(), &call, || Box::new(Panics(story, ends_badly)));
        assert!(matches!(asked, Ok(FetchAnswer::Pending)));
        assert!(handle.wait(Some(PATIENCE)), "the fetch ends all the same");
        assert_eq!(heard.iter().count(), calls, "each position was told, and the user data ended");
    }

    struct BadNews;
    impl CloseListener for BadNews {
        fn closed(self: Box<Self>) {
            panic!("of the news");
        }
        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }
    // All goes on.
    assert_eq!(world.fetch("k").said(), "v");
    assert_eq!(world.lookup("k"), "v");
    world.core.close(None, Some(Box::new(BadNews)));
    hears_closed(&world.close(None));
    world.free();
}

/// The same test runs twice: here, and in a process of its own whose standard error is read.
#[test]
fn l07_a_panic_of_the_hosts_ends_where_it_was_called_is_not_printed_and_the_engine_goes_on() {
    const CHILD: &str = "KVL_TEST_ENGINE_PANICS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        return panics_everywhere();
    }
    let name = concat!(module_path!(), "::l07_a_panic_of_the_hosts_ends_where_it_was_called_is_not_printed_and_the_engine_goes_on");
    let name = name.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::")).expect("a path begins with its crate");
    let program = std::env::current_exe().expect("a test knows its program");
    let mut child = std::process::Command::new(program);
    child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").env("RUST_BACKTRACE", "0");
    let child = child.output().expect("the test program runs");
    let heard = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{heard}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
    assert!(!heard.contains("panicked"), "{heard}");
}

#[test]
fn l07_a_panic_inside_a_shard_empties_that_shard_and_nothing_else() {
    let world = story().begin();
    world.put("k", "v");
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        kvlight::base::panics::catch_panic(|| world.core.get_with(b"k", |_| panic!("under the shard's lock")).map(|seen| seen.is_ok()))
    }));
    assert!(matches!(broken, Ok(Err(_))));
    assert_eq!((world.lookup("k"), world.core.len(), world.core.cost()), ("MISS".into(), 0, 0));
    let waiter = world.fetch("k");
    world.request().answer_all();
    assert_eq!((waiter.said(), world.lookup("k")), ("k!".into(), "k!".into()));
    world.free();
}

#[test]
fn l09_a_key_that_is_too_long_among_many_is_settled_alone() {
    let world = story().begin();
    let long = "x".repeat(65_536);
    let longest = "y".repeat(65_535);
    let waiter = world.fetch_all(&["a", &long, &longest, ""]);
    for _ in 0..3 {
        world.request().answer_all();
    }
    assert_eq!(waiter.batch().0, ["a!", "ERR_KEY_TOO_LONG", &format!("{longest}!"), "!"]);
    assert_eq!(world.core.trim(1.5), Err(Status::ERR_INVALID_ARG));
    assert_eq!(world.core.trim(f64::NAN), Err(Status::ERR_INVALID_ARG));
    assert_eq!(world.core.len(), 3, "and nothing changed");
    world.free();
}

#[test]
fn l09_a_fetch_handle_is_for_one_fetch() {
    let world = story().begin();
    let waiter = world.fetch("k");
    let again = world.try_ask(Form::Each, &["k"], |_| {}, waiter.handle.clone(), 0, None);
    assert_eq!(again.err(), Some(Status::ERR_ALREADY_USED));
    assert!(waiter.handle.set_context(Ends::new().object()).is_err());
    world.request().answer_all();
    assert_eq!(waiter.said(), "k!");
    let again = world.try_ask(Form::Each, &["k"], |_| {}, waiter.handle.clone(), 0, None);
    assert_eq!(again.err(), Some(Status::ERR_ALREADY_USED));
    world.free();
}

#[test]
fn s16_a_value_stays_readable_after_its_entry_and_its_engine() {
    let world = story().begin();
    world.put("k", "kept");
    let Ok(kvlight::engine::cache::Lookup::Value(kept)) = world.core.get(b"k") else { panic!("it was put") };
    world.remove("k");
    world.free();
    assert_eq!(kept.as_bytes(), Some(&b"kept"[..]));
}

#[test]
fn l05_an_engine_without_a_provider_is_refused_and_ends_what_it_was_given() {
    let ended = Arc::new(());
    let kept = ended.clone();
    let mut plan = Plan::default();
    plan.hooks.validator = Some(Arc::new(By(move |_: &[u8]| Arc::strong_count(&kept) > 0)));
    assert_eq!(Core::engine(plan).err(), Some(Status::ERR_NO_PROVIDER));
    assert_eq!(Arc::strong_count(&ended), 1);
}

#[test]
fn l05_finish_and_drop_of_a_request_are_one_finish() {
    let world = story().begin();
    let waiter = world.fetch("k");
    let request = world.request();
    assert_eq!(request.0.finish(Unanswered::Failed(error(9))), Status::OK);
    assert_eq!(request.finish(), Status::ERR_ALREADY_ANSWERED);
    drop(request);
    assert_eq!(waiter.outcome().error().map(|error| error.code()), Some(9));
    world.settles();
    world.free();
}
