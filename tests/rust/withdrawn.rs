//! Fetches that are cancelled at once, by the hundred thousand, where what the provider leaves out does not exist: no key is stored that the
//! provider did not look up (rule F16A), on its own threads and through a queue.

use kvlight::base::Status;
use kvlight::engine::fetch::{FetchAnswer, FetchCall};
use kvlight::engine::fetch_handle::FetchHandle;
use kvlight::engine::host::{Provider, Receiver, Results};
use kvlight::engine::polled_event::PolledEvent;
use kvlight::engine::request::Ticket;
use kvlight::engine::{Core, Plan, Routes};
use kvlight::runtime::host_queue::HostQueue;
use kvlight::task::{Form, Outcome, Unanswered};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FETCHES: u32 = 100_000;

/// Of so many fetches one is not cancelled, so that there are absences to be stored.
const STAYS: u32 = 100;

/// A provider whose records do not exist. It gives up a request that is no longer wanted, as the guide shows.
#[derive(Default)]
struct Nothing {
    looked_up: Mutex<HashSet<Vec<u8>>>,
    calls: AtomicU32,
}

impl Nothing {
    fn answer(&self, ticket: &Ticket) {
        let nth = self.calls.fetch_add(1, Ordering::Relaxed);
        if ticket.cancel_reason() == 0 {
            self.looked_up.lock().expect("no panic").extend(ticket.keys().iter().map(<[u8]>::to_vec));
        }
        match nth % 3 {
            0 => drop(ticket.finish(Unanswered::Unanswered) == Status::OK),
            1 => drop(ticket.finish(Unanswered::Null) == Status::OK),
            // It goes without a finish.
            _ => {}
        }
    }
}

impl Provider for Nothing {
    fn provide(&self, ticket: Ticket) {
        self.answer(&ticket);
    }
}

struct Deaf;

impl Receiver for Deaf {
    fn result(&mut self, _index: usize, _key: &[u8], _outcome: &Outcome, _last: bool) {}
    fn batch(&mut self, _results: Results) {}
    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}

fn key(nth: u32) -> [u8; 4] {
    nth.to_be_bytes()
}

/// Reads requests out of the queue until it is empty.
fn serve(queue: &HostQueue, provider: &Nothing) {
    while let Ok(letter) = queue.next(Some(Duration::ZERO)) {
        if let Ok(letter) = letter.downcast::<PolledEvent>()
            && let PolledEvent::Request { ticket, .. } = *letter
        {
            provider.answer(&ticket);
        }
    }
}

fn storm(queue: Option<Arc<HostQueue>>) {
    let provider = Arc::new(Nothing::default());
    let mut plan = Plan::default();
    plan.settings.tasks.omitted_is_null = true;
    plan.settings.cache.capacity = u64::from(FETCHES);
    plan.settings.cache.null_ttl_ms = None;
    plan.hooks.provider = Some(provider.clone());
    plan.routes = Routes { provider: queue.clone(), ..Routes::default() };
    let core = Core::engine(plan).expect("threads");
    let settings = core.fetch_settings().clone();
    let mut last = Vec::new();
    for nth in 0..FETCHES {
        let fetch = Arc::new(FetchHandle::new());
        let call = FetchCall { form: Form::Each, settings: settings.clone(), progress_step: 0, handle: Some(&fetch), at_once: false };
        let asked = core.fetch([&key(nth)[..]].into_iter(), &call, || Box::new(Deaf));
        assert!(matches!(asked, Ok(FetchAnswer::Pending)), "{asked:?}");
        if nth % STAYS == 0 {
            last.push(fetch);
        } else {
            fetch.cancel();
        }
        if nth % 7 == 0 {
            queue.iter().for_each(|queue| serve(queue, &provider));
        }
    }
    for fetch in last {
        while !fetch.wait(Some(Duration::from_millis(1))) {
            queue.iter().for_each(|queue| serve(queue, &provider));
        }
    }
    let looked_up = provider.looked_up.lock().expect("no panic");
    let stored = (0..FETCHES).filter(|nth| core.peek(&key(*nth)).expect("open").is_some());
    let unseen: Vec<u32> = stored.filter(|nth| !looked_up.contains(&key(*nth)[..])).collect();
    assert!(unseen.is_empty(), "{} keys are stored as absent that the provider never looked up: {:?}", unseen.len(), &unseen[..5]);
    assert!(looked_up.len() >= (FETCHES / STAYS) as usize);
    drop(looked_up);
    core.free();
}

#[test]
fn f16a_a_hundred_thousand_cancelled_fetches_on_threads_make_no_nulls() {
    storm(None);
}

#[test]
fn f16a_a_hundred_thousand_cancelled_fetches_in_a_queue_make_no_nulls() {
    storm(Some(Arc::new(HostQueue::new(false))));
}
