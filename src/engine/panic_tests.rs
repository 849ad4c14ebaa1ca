//! Tests of panics inside the engine itself, in the table and in a shard, which no host can cause (rule L07).

use super::host::{Hooks, Provider, Receiver, Results};
use super::request::Ticket;
use super::{Core, Plan};
use crate::base::panics::catch_panic;
use crate::base::{Answer, Clock, Millis, Status, StoreTerms, Value};
use crate::cache::{Departures, NewEntry};
use crate::engine::fetch::{FetchAnswer, FetchCall};
use crate::task::{Form, Outcome};
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::sync::{Arc, Mutex};

/// Passes its requests to the test, unanswered.
struct RequestForwarder(Mutex<Sender<Ticket>>);

impl Provider for RequestForwarder {
    fn provide(&self, request: Ticket) {
        // After the test has ended, the request is dropped.
        let _ = self.0.lock().expect("no panic").send(request);
    }
}

struct StatusListener(Sender<Status>);

impl Receiver for StatusListener {
    fn result(&mut self, _: usize, _: &[u8], outcome: &Outcome, _: bool) {
        let _ = self.0.send(outcome.status());
    }
    fn batch(&mut self, results: Results) {
        for outcome in &results.batch.outcomes {
            let _ = self.0.send(outcome.status());
        }
    }
    fn progress(&mut self, _: usize, _: usize, _: usize) {}
}

fn engine() -> (Arc<Core>, Inbox<Ticket>) {
    let (sender, tickets) = channel();
    let hooks = Hooks { provider: Some(Arc::new(RequestForwarder(Mutex::new(sender)))), ..Hooks::default() };
    let plan = Plan { hooks, clock: Some(Clock::manual(Millis(0))), ..Plan::default() };
    (Core::engine(plan).expect("threads"), tickets)
}

fn ask(core: &Core, form: Form, keys: &[&[u8]]) -> (Result<FetchAnswer, Status>, Inbox<Status>) {
    let (sender, statuses) = channel();
    let call = FetchCall { form, settings: core.fetch_settings().clone().into(), progress_step: 0, handle: None, at_once: false };
    (core.fetch(keys.iter().copied(), &call, || Box::new(StatusListener(sender))), statuses)
}

fn value() -> Answer {
    Answer::Value(Value::bytes(b"v").expect("memory"))
}

#[test]
fn l07_a_panic_inside_the_table_fails_every_fetch_and_closes_the_engine() {
    let (core, tickets) = engine();
    let (_, one) = ask(&core, Form::Each, &[b"a", b"b"]);
    let (_, batch) = ask(&core, Form::All, &[b"a", b"c"]);
    let held = tickets.recv().expect("the provider is called");
    assert!(catch_panic(|| core.with_table(|_, _| panic!("inside the table"))).is_err());
    for statuses in [one, batch] {
        assert_eq!(statuses.iter().collect::<Vec<_>>(), [Status::ERR_PANIC, Status::ERR_PANIC]);
    }
    assert_ne!(held.cancel_reason(), 0);
    assert_eq!(held.resolve(0, value(), StoreTerms::default()), Status::ERR_CLOSED);
    let (asked, nothing) = ask(&core, Form::Each, &[b"d"]);
    assert_eq!((asked.err(), nothing.iter().count()), (Some(Status::ERR_CLOSED), 0));
    assert_eq!(core.put(b"k", NewEntry::new(value()), None, &mut Departures::new()), Err(Status::ERR_CLOSED));
    assert!(core.get(b"k").is_ok(), "lookups work until the engine is freed");
    drop((held, tickets));
    core.free();
}

#[test]
fn l07_a_panic_inside_a_shard_during_a_write_does_not_affect_the_table() {
    let (core, tickets) = engine();
    core.put(b"k", NewEntry::new(value()), None, &mut Departures::new()).expect("open");
    let (_, statuses) = ask(&core, Form::Each, &[b"a"]);
    let held = tickets.recv().expect("the provider is called");
    let breaks = |_: &Answer| -> () { panic!("inside the shard") };
    let broken = core.write(b"k", |_| core.store.lookup_with(b"k", &core.clock, breaks));
    assert_eq!(broken, Err(Status::ERR_PANIC));
    assert_eq!(core.len(), 0, "the shard is empty");
    assert_eq!(held.resolve(0, value(), StoreTerms::default()), Status::OK);
    assert_eq!(statuses.iter().collect::<Vec<_>>(), [Status::VALUE], "the engine continues");
    drop(held);
    core.free();
}
