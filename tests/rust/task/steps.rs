//! Long work is done in steps, and events between two steps see a consistent table (rule S19). One hold of the lock processes no more than
//! a few hundred keys, whatever the event.

use super::harness::{Harness, Summary, Waiter, bytes, failed_with, keys, ms, provider_error, refs, stale, value};
use kvlight::base::config::{BatchMode, LeavePolicy, QueueOrder, ReadMode, Settings};
use kvlight::base::{Status, StoreTerms};
use kvlight::task::breaker::BreakerOverride;
use kvlight::task::{Form, ProviderAnswer, Source, TakeResult, Unanswered};

/// Few keys and short steps, because the table's invariants are checked after each step.
const MANY: usize = 200;
const STEP: usize = 16;
/// The default of `batch.max_keys`. A hold that fills or refuses a request may exceed its budget by as many keys.
const BATCH: usize = 20;

fn harness(set: impl FnOnce(&mut Settings)) -> Harness {
    let mut harness = Harness::with(set);
    harness.budget = STEP;
    harness
}

/// One slot, and requests of up to [`BATCH`] keys.
fn one_slot(settings: &mut Settings) {
    settings.tasks.max_running = 1;
}

/// A harness in which a fetch of very many keys waits, and long work continues only when the test says so.
fn waiting(set: impl FnOnce(&mut Settings)) -> (Harness, Waiter) {
    let mut harness = harness(|settings| {
        one_slot(settings);
        set(settings);
    });
    let names = keys(MANY);
    let waiter = harness.ask(Form::Each, &refs(&names), |_| {});
    harness.most_in_a_hold = (0, 0);
    harness.is_slow = true;
    (harness, waiter)
}

/// Does the long work until nothing is left, and returns the number of steps.
fn finish_work(harness: &mut Harness) -> usize {
    let mut steps = 1;
    while harness.go_on() {
        steps += 1;
    }
    let (settled, started) = harness.most_in_a_hold;
    assert!(
        settled <= STEP + BATCH && started <= STEP + BATCH,
        "in one hold {settled} positions were settled and {started} flights started"
    );
    steps
}

/// Lets the provider answer all requests, until none is left.
fn answer_all(harness: &mut Harness) {
    harness.is_slow = false;
    let mut nth = 0;
    while nth < harness.requests.len() {
        for key in harness.requests[nth].keys() {
            harness.answer(nth, &key, &key);
        }
        harness.finish(nth);
        nth += 1;
    }
}

#[test]
fn s19_very_many_keys_are_asked_in_steps_and_all_are_answered() {
    let mut harness = harness(one_slot);
    let names = keys(MANY);
    let mut long = harness.ask_first(Form::All, &refs(&names), |options| options.progress_step = 50);
    let mut steps = 1;
    let mut single = None;
    loop {
        if steps == 3 {
            // A write between two steps is seen by later steps (F07) and by loads that wait (F08).
            harness.put("k199", "put");
            harness.put("k60", "put");
            single = Some(harness.fetch_with("other", |options| options.urgency = 1));
        }
        if !harness.ask_more(&mut long) {
            break;
        }
        steps += 1;
    }
    let waiter = harness.ask_last(long);
    assert!(steps >= MANY / (STEP + BATCH), "{steps} steps");
    assert!(harness.most_in_a_hold.1 <= STEP + BATCH, "{:?} in one hold", harness.most_in_a_hold);
    answer_all(&mut harness);
    let outcomes = waiter.outcomes();
    for (name, outcome) in names.iter().zip(&outcomes) {
        let is_put = name == "k199" || name == "k60";
        assert_eq!(*outcome, value(if is_put { "put" } else { name }), "{name}");
    }
    assert_eq!(single.expect("the fetch was started").outcome(), value("other"));
    assert_eq!(harness.requests[1].keys()[0], "other", "the more urgent key goes first, although it arrived between two steps");
    let order: Vec<String> = harness.handed().concat().into_iter().filter(|key| key != "other").collect();
    assert!(order.iter().eq(names.iter().filter(|name| *name != "k199" && *name != "k60")), "in the order asked (F14)");
    assert!(harness.table.is_idle());
}

#[test]
fn s19_requests_are_filled_across_the_steps() {
    let mut harness = harness(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (100, 30);
    });
    let names = keys(MANY);
    let mut long = harness.ask_first(Form::All, &refs(&names), |_| {});
    while harness.ask_more(&mut long) {}
    harness.ask_last(long);
    let sizes: Vec<usize> = harness.handed().iter().map(Vec::len).collect();
    assert!(sizes[..MANY / 30].iter().all(|size| *size == 30), "{sizes:?} (F14)");
}

#[test]
fn s19_f01_a_close_between_two_steps_settles_what_was_asked_and_what_was_not() {
    for form in [Form::Each, Form::All, Form::Refresh] {
        let mut harness = harness(one_slot);
        let names = keys(MANY);
        let mut long = harness.ask_first(form, &refs(&names), |_| {});
        harness.ask_more(&mut long);
        harness.close();
        while harness.ask_more(&mut long) {}
        let waiter = harness.ask_last(long);
        if form.delivers() {
            assert!(waiter.outcomes().iter().all(|outcome| *outcome == failed_with(Status::ERR_CLOSED)) && waiter.has_ended());
        }
        harness.finish(0);
        assert!(harness.table.is_idle());
        assert_eq!((harness.requests.len(), harness.table.gauges().in_flight, harness.table.gauges().running), (1, 0, 0));
        // A refresh looks nothing up, so that none of its keys was missed.
        assert_eq!(harness.table.counts().misses.unasked > 0, form.delivers(), "{form:?}");
    }
}

#[test]
fn s19_f13g_no_key_of_a_fetch_loses_its_place_to_another_key_of_that_fetch() {
    for order in QueueOrder::ALL {
        let mut harness = harness(|settings| {
            one_slot(settings);
            (settings.tasks.queue_max_keys, settings.tasks.queue_order) = (20, order);
        });
        harness.fetch("running");
        // Single fetches hold all places: half for keys at the end of the large fetch's list, and half for other keys.
        let own: Vec<Waiter> = (0..10).map(|nth| harness.fetch(&format!("k{}", MANY - 1 - nth))).collect();
        let others: Vec<Waiter> = (0..10).map(|nth| harness.fetch(&format!("other{nth}"))).collect();
        let names = keys(MANY);
        let batch = harness.ask(Form::All, &refs(&names), |options| options.urgency = 1);
        let lost = |waiters: &[Waiter]| waiters.iter().filter(|waiter| waiter.outcome() == failed_with(Status::ERR_QUEUE_FULL)).count();
        assert_eq!((lost(&own), lost(&others)), (0, 10), "{order:?}");
        answer_all(&mut harness);
        assert!(batch.outcomes().iter().zip(&names).all(|(outcome, name)| *outcome == value(name)));
        assert_eq!(lost(&own), 0);
    }
}

/// All places are held by keys that the large fetch wants too. Its search for places passes each holder once, and only a few in each step.
#[test]
fn s19_f13b_a_search_that_passes_many_keys_is_done_in_steps() {
    const HELD: usize = 20 * STEP;
    let mut harness = harness(|settings| {
        one_slot(settings);
        settings.tasks.queue_max_keys = HELD as u32;
    });
    harness.fetch("running");
    let own: Vec<Waiter> = (0..HELD).map(|nth| harness.fetch(&format!("own{nth}"))).collect();
    let mut names = keys(MANY);
    names.extend((0..HELD).map(|nth| format!("own{nth}")));
    let (mut long, mut steps) = (harness.ask_first(Form::All, &refs(&names), |options| options.urgency = 1), 1);
    while harness.ask_more(&mut long) {
        steps += 1;
    }
    let least = (names.len() + HELD) / (STEP + 1);
    assert!((least..2 * least).contains(&steps), "{steps} steps, at least {least} expected");
    let batch = harness.ask_last(long);
    assert!(own.iter().all(|waiter| !waiter.has_ended()), "no key of its own has lost its place (F13g)");
    answer_all(&mut harness);
    assert!(batch.outcomes().iter().zip(&names).all(|(outcome, name)| *outcome == value(name)));
}

#[test]
fn s19_f09_a_cancel_of_very_many_keys_goes_in_steps_from_the_last_key_backwards() {
    let (mut harness, waiter) = waiting(|_| {});
    harness.cancel(&waiter);
    assert_eq!(waiter.polled().0, STEP, "the first hold settles one step's worth");
    // An answer still counts for a key that was not reached, and fetches that join its load are not affected (F09, fault 24 in CONTRACT).
    harness.answer(0, "k5", "in time");
    let joined = harness.fetch("k100");
    let late = harness.fetch("k199");
    harness.finish(0);
    assert!(finish_work(&mut harness) >= MANY / STEP - 1);
    let outcomes = waiter.outcomes();
    assert_eq!(outcomes[5], value("in time"));
    // The finish settled the other keys of its request as unanswered before the cancel reached them; all others are cancelled.
    assert!(outcomes[BATCH..].iter().filter(|outcome| **outcome != failed_with(Status::ERR_CANCELLED)).count() <= BATCH, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| *outcome != Summary::Pending) && waiter.has_ended());
    answer_all(&mut harness);
    assert_eq!((joined.outcome(), late.outcome()), (value("k100"), value("k199")));
    assert!(harness.table.is_idle());
}

#[test]
fn s19_f09_while_very_many_keys_are_cancelled_none_of_them_is_handed_out() {
    let (mut harness, waiter) = waiting(|_| {});
    harness.cancel(&waiter);
    harness.cancel(&waiter);
    assert_eq!(harness.table.counts().fetch_cancels, 1, "the second cancel finds the first at work");
    let mut freed = false;
    while harness.go_on() {
        if !freed && harness.hooks.len() == 1 {
            harness.finish(0);
            freed = true;
        }
    }
    assert_eq!((harness.requests.len(), harness.hooks.len()), (1, 1), "the provider is notified once, about the request that it has");
    harness.is_slow = false;
    harness.finish(0);
    assert!(harness.table.is_idle() && waiter.outcomes().iter().all(|outcome| *outcome == failed_with(Status::ERR_CANCELLED)));
}

#[test]
fn s19_f10_a_timeout_of_very_many_keys_goes_in_steps() {
    let mut harness = harness(one_slot);
    let names = keys(MANY);
    let waiter = harness.ask(Form::All, &refs(&names), |options| {
        options.fetch.timeout = Some(ms(10));
        (options.fetch.retry.count, options.fetch.retry.fixed) = (Some(9), ms(5));
        options.fetch.on_timeout = LeavePolicy::Cancel;
    });
    harness.fail(0, "k3", 503);
    harness.most_in_a_hold = (0, 0);
    harness.advance(10);
    assert!(harness.most_in_a_hold.0 <= STEP);
    let (outcomes, status) = waiter.batch().expect("the batch has ended");
    assert_eq!((outcomes.len(), status), (MANY, Status::ERR_TIMEOUT));
    assert!(outcomes.iter().all(|outcome| *outcome == failed_with(Status::ERR_TIMEOUT)));
    assert_eq!(waiter.ended().cause().map(|cause| cause.code()), Some(503), "the cause of the first key that has one (F10b)");
    assert_eq!((harness.table.counts().fetch_timeouts, waiter.error(3).cause().map(|cause| cause.code())), (1, Some(503)));
    harness.finish(0);
    assert!(harness.table.is_idle());
}

#[test]
fn s19_f17_a_batch_that_fails_as_a_whole_ends_in_steps() {
    let mut harness = harness(one_slot);
    let names = keys(MANY);
    let waiter = harness.ask(Form::All, &refs(&names), |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    harness.most_in_a_hold = (0, 0);
    harness.fail_for_good(0, "k3", 7);
    assert!(harness.most_in_a_hold.0 <= STEP + 1);
    assert_eq!(waiter.ended().code(), 7);
    assert_eq!(waiter.outcomes().iter().filter(|outcome| **outcome == failed_with(Status::ERR_CANCELLED)).count(), MANY - 1);
    harness.finish(0);
    assert_eq!((harness.requests.len(), harness.table.is_idle()), (1, true), "no other key of the batch is handed out");

    // A batch with a refused key starts no load at all.
    let mut names = names;
    names[150] = "!refused".into();
    let waiter = harness.ask(Form::All, &refs(&names), |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    assert_eq!((harness.requests.len(), waiter.ended().status()), (1, Status::INVALID_KEY));
}

#[test]
fn s19_f11_pauses_that_end_at_one_instant_end_in_steps_and_requests_are_formed_after_the_last() {
    let mut harness = harness(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, MANY as u32);
        (settings.fetch.retry.count, settings.fetch.retry.fixed) = (Some(1), ms(10));
    });
    let names = keys(MANY);
    let waiter = harness.ask(Form::All, &refs(&names), |_| {});
    harness.finish_with(0, Unanswered::Failed(provider_error(503, false)));
    harness.advance(9);
    assert_eq!((harness.requests.len(), harness.table.gauges().queued), (1, 0));
    let mut steps = 0;
    harness.advance_by(1, |harness| {
        steps += 1;
        assert_eq!(harness.requests.len(), 1, "a request was formed before all pauses ended");
        // Writes that come in between find a consistent table.
        harness.put(&format!("k{}", MANY - steps), "put");
    });
    assert!(steps >= MANY / (STEP + 4), "{steps} steps");
    let handed = harness.requests[1].keys();
    let rest: Vec<&String> = names.iter().filter(|name| handed.contains(name)).collect();
    assert!(handed.iter().eq(rest.iter().copied()) && handed.len() >= MANY - steps, "in the order in which the pauses ended");
    answer_all(&mut harness);
    assert!(waiter.outcomes().iter().all(|outcome| matches!(outcome, Summary::Value(_))));
}

#[test]
fn s19_f16a_a_large_request_is_finished_in_steps_and_takes_no_answer_meanwhile() {
    for (rest, omitted) in [(Unanswered::Null, Summary::Null), (Unanswered::Failed(provider_error(9, true)), Summary::Error(9))] {
        let mut harness = harness(|settings| {
            (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, MANY as u32);
        });
        let names = keys(MANY);
        let waiter = harness.ask(Form::Each, &refs(&names), |_| {});
        harness.answer(0, "k0", "v");
        (harness.is_slow, harness.most_in_a_hold) = (true, (0, 0));
        assert_eq!(harness.finish_with(0, rest), Status::OK);
        assert_eq!(waiter.polled().0, STEP, "one of these was answered before");
        assert_eq!(harness.answer(0, "k199", "too late"), Status::ERR_ALREADY_ANSWERED);
        assert_eq!((harness.finish(0), harness.heartbeat(0), harness.extra(0, "x", "v")), {
            let over = Status::ERR_ALREADY_ANSWERED;
            (over, over, over)
        });
        // The slot becomes free with the last key; a write in between overtakes the keys that were not reached.
        let other = harness.fetch("other");
        harness.put("k198", "put");
        assert_eq!(harness.requests.len(), 1);
        finish_work(&mut harness);
        let outcomes = waiter.outcomes();
        assert!(outcomes[1..].iter().all(|outcome| *outcome == omitted), "{outcomes:?}");
        assert_eq!((harness.lookup("k198"), harness.requests.len()), (value("put"), 2));
        answer_all(&mut harness);
        assert_eq!(other.outcome(), value("other"));
        assert!(harness.table.is_idle());
    }
}

#[test]
fn s19_f16a_a_close_while_a_request_is_finished_stores_nothing_more() {
    let mut harness = harness(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, MANY as u32);
    });
    let names = keys(MANY);
    let waiter = harness.ask(Form::Each, &refs(&names), |_| {});
    (harness.is_slow, harness.most_in_a_hold) = (true, (0, 0));
    harness.finish_with(0, Unanswered::Null);
    let before = waiter.polled().0;
    harness.close();
    finish_work(&mut harness);
    let outcomes = waiter.outcomes();
    assert!(outcomes[before..].iter().all(|outcome| *outcome == failed_with(Status::ERR_CLOSED)), "{outcomes:?}");
    assert_eq!(harness.lookup("k199"), Summary::Miss);
    assert!(harness.hooks.is_empty() && harness.table.is_idle(), "a request that is finished is not cancelled");
}

#[test]
fn s19_l05_a_close_goes_in_steps_and_nothing_moves_meanwhile() {
    let (mut harness, waiter) = waiting(|settings| settings.tasks.omitted_is_null = true);
    let singles: Vec<Waiter> = (0..MANY).map(|nth| harness.fetch(&format!("s{nth}"))).collect();
    let names: Vec<String> = (0..MANY).map(|nth| format!("r{nth}")).collect();
    harness.is_slow = false;
    harness.ask(Form::Refresh, &refs(&names), |_| {});
    harness.is_slow = true;
    harness.most_in_a_hold = (0, 0);
    harness.close();
    assert!(!harness.table.is_open() && !harness.table.is_idle());
    assert_eq!(harness.answer(0, "k0", "late"), Status::ERR_CLOSED);
    assert_eq!(harness.finish(0), Status::ERR_CLOSED);
    harness.remove("k1");
    harness.go_on();
    harness.advance(1_000);
    assert!(finish_work(&mut harness) >= 2 * MANY / STEP);
    let closed =
        |waiter: &Waiter| waiter.outcomes().iter().all(|outcome| *outcome == failed_with(Status::ERR_CLOSED)) && waiter.has_ended();
    assert!(closed(&waiter) && singles.iter().all(closed));
    assert_eq!((harness.requests.len(), harness.lookup("k0")), (1, Summary::Miss), "nothing more is handed out or stored");
    assert!(harness.table.is_idle());
    assert_eq!((harness.table.gauges().in_flight, harness.table.gauges().queued, harness.table.next_due()), (0, 0, None));
}

#[test]
fn s19_f08_a_clear_overtakes_in_steps_every_load_that_was_running_when_it_began() {
    let mut harness = harness(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (100, 20);
    });
    let names = keys(MANY);
    let waiter = harness.ask(Form::All, &refs(&names), |_| {});
    harness.is_slow = true;
    // As the engine does: the loads first, the store once that is done.
    harness.step(|table, cx| table.clearing(cx));
    let joined = harness.fetch("k0");
    assert_eq!(harness.requests.last().expect("a new load").keys(), ["k0"], "a load that the clear has reached is not joined");
    harness.answer(9, "k190", "not reached");
    let steps = finish_work(&mut harness);
    assert!(steps >= MANY / STEP - 1, "{steps} steps");
    assert_eq!(harness.lookup("k190"), value("not reached"), "the store is emptied after this");
    harness.store.evict("k190");
    answer_all(&mut harness);
    assert_eq!(joined.outcome(), value("k0"));
    assert!(names[1..].iter().all(|name| harness.lookup(name) == Summary::Miss), "no answer of an overtaken load stays stored");
    assert!(waiter.outcomes().iter().all(|outcome| matches!(outcome, Summary::Value(_))), "all positions are delivered");
}

#[test]
fn s19_r07_waiting_keys_are_refused_in_steps_when_the_breaker_opens() {
    let (mut harness, waiter) = waiting(|_| {});
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    assert!(waiter.polled().0 <= STEP + BATCH);
    // A key that was not refused yet is not handed out either.
    harness.finish(0);
    assert!(finish_work(&mut harness) >= MANY / (STEP + BATCH));
    assert_eq!(harness.requests.len(), 1);
    let refused = waiter.outcomes().iter().filter(|outcome| **outcome == failed_with(Status::ERR_UNAVAILABLE)).count();
    assert_eq!((refused, waiter.has_ended()), (MANY - BATCH, true));
    assert!(harness.table.is_idle());
}

#[test]
fn f17_a_batch_ends_as_a_whole_when_the_breaker_refuses_a_key_that_waits() {
    let mut harness = harness(one_slot);
    harness.fetch("running");
    let waiter = harness.ask(Form::All, &["a", "b"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    let joined = harness.ask(Form::All, &["running", "a"], |options| options.fetch.batch_mode = BatchMode::AllOrNothing);
    harness.step(|table, cx| table.force_breaker(BreakerOverride::Open, cx));
    assert_eq!((waiter.ended().status(), joined.ended().status()), (Status::ERR_UNAVAILABLE, Status::ERR_UNAVAILABLE));
    assert_eq!(joined.outcomes()[0], failed_with(Status::ERR_CANCELLED));
}

#[test]
fn s19_f20_very_many_waiters_of_one_key_are_notified_in_steps() {
    let mut harness = harness(|_| {});
    let waiters: Vec<Waiter> = (0..MANY).map(|_| harness.fetch("k")).collect();
    (harness.is_slow, harness.most_in_a_hold) = (true, (0, 0));
    harness.answer(0, "k", "v");
    assert_eq!((harness.lookup("k"), harness.fetch("k").outcome()), (value("v"), value("v")), "the answer is stored first (F07)");
    harness.finish(0);
    // A fetch that is cancelled before its turn is notified of that, and only once.
    harness.cancel(&waiters[MANY - 1]);
    let steps = finish_work(&mut harness);
    assert!(steps >= MANY / STEP - 1, "{steps} steps");
    assert_eq!(waiters[MANY - 1].outcome(), failed_with(Status::ERR_CANCELLED));
    assert!(waiters[..MANY - 1].iter().all(|waiter| waiter.outcome() == value("v")));
    assert!(harness.table.is_idle());
}

#[test]
fn s19_f13c_another_urgency_reaches_very_many_keys_in_steps() {
    let (mut harness, waiter) = waiting(|settings| settings.tasks.queue_max_keys = 10);
    harness.set_urgency(&waiter, 5);
    harness.set_urgency(&waiter, -5);
    finish_work(&mut harness);
    harness.is_slow = false;
    let middle = harness.fetch("middle");
    harness.finish_with(0, Unanswered::Failed(provider_error(1, true)));
    assert_eq!(middle.outcome(), Summary::Pending);
    assert_eq!(harness.requests[1].keys()[0], "middle", "the last urgency counts");
    // A cancel in between subtracts the urgency that each position has at that time.
    harness.is_slow = true;
    harness.set_urgency(&waiter, 9);
    harness.cancel(&waiter);
    finish_work(&mut harness);
    assert!(waiter.has_ended());
    answer_all(&mut harness);
    assert!(harness.table.is_idle());
}

#[test]
fn s19_r04_the_stale_values_of_very_many_keys_are_delivered_in_steps() {
    let mut harness = harness(one_slot);
    let names = keys(MANY);
    for name in &names {
        harness.put(name, name);
        harness.store.make_stale(name);
    }
    let waiter = harness.ask(Form::Each, &refs(&names), |options| options.fetch.stale_timeout = Some(ms(10)));
    harness.most_in_a_hold = (0, 0);
    harness.advance(10);
    assert!(harness.most_in_a_hold.0 <= STEP);
    assert!(waiter.outcomes().iter().zip(&names).all(|(outcome, name)| *outcome == stale(name, None)) && waiter.has_ended());
    answer_all(&mut harness);
    assert!(harness.table.is_idle());
}

#[test]
fn s19_f12_a_request_that_is_being_finished_is_not_taken() {
    let mut harness = harness(|settings| {
        (settings.tasks.max_running, settings.tasks.batch_max_keys) = (1, MANY as u32);
    });
    harness.takes_manually = true;
    let names = keys(MANY);
    let waiter = harness.ask(Form::Each, &refs(&names), |_| {});
    (harness.is_slow, harness.most_in_a_hold) = (true, (0, 0));
    harness.finish(0);
    assert_eq!(harness.take(0), TakeResult::Skip);
    let given = ProviderAnswer::Answer(bytes("v"), StoreTerms::default());
    assert_eq!(harness.give(0, "k199", given), Status::ERR_ALREADY_ANSWERED);
    finish_work(&mut harness);
    assert!(waiter.outcomes().iter().all(|outcome| *outcome == failed_with(Status::ERR_UNANSWERED)));
}

#[test]
fn f06_s19_a_key_that_is_listed_twice_is_loaded_once_even_if_its_load_ends_between_two_steps() {
    let mut harness = harness(|settings| settings.fetch.read = ReadMode::Refresh);
    harness.sync_provider = Some(Box::new(|key, _| ProviderAnswer::Answer(bytes(&String::from_utf8_lossy(key)), StoreTerms::default())));
    let names = keys(MANY);
    let twice = [refs(&names), refs(&names)].concat();
    let waiter = harness.fetch_all(&twice);
    let (outcomes, _) = waiter.batch().expect("all loads have ended");
    assert_eq!(outcomes, twice.iter().map(|key| value(key)).collect::<Vec<Summary>>());
    let handed: usize = harness.handed().iter().map(Vec::len).sum();
    assert_eq!(handed, MANY, "each key is loaded once");
    assert!((0..MANY).all(|at| waiter.details(MANY + at).source == Source::Joined), "the second position joins the load of the first");
}
