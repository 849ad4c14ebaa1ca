//! A hundred thousand fetches, nearly all of them cancelled at once, with `batch.omitted_is_null`: no key is stored as absent unless the
//! provider looked it up (rule F16a). The provider is called on threads of the library, and through a queue.

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

/// One of this many fetches is not cancelled, so that there are absences to store.
const STAYS: u32 = 100;

/// A provider without records. It looks nothing up for a cancelled request.
#[derive(Default)]
struct EmptyProvider {
    looked_up: Mutex<HashSet<Vec<u8>>>,
    calls: AtomicU32,
}

impl EmptyProvider {
    fn answer(&self, ticket: &Ticket) {
        let nth = self.calls.fetch_add(1, Ordering::Relaxed);
        if ticket.cancel_reason() == 0 {
            self.looked_up.lock().expect("no panic").extend(ticket.keys().iter().map(<[u8]>::to_vec));
        }
        match nth % 3 {
            0 => drop(ticket.finish(Unanswered::Unanswered) == Status::OK),
            1 => drop(ticket.finish(Unanswered::Null) == Status::OK),
            // The request is dropped without a finish.
            _ => {}
        }
    }
}

impl Provider for EmptyProvider {
    fn provide(&self, ticket: Ticket) {
        self.answer(&ticket);
    }
}

struct NullReceiver;

impl Receiver for NullReceiver {
    fn result(&mut self, _index: usize, _key: &[u8], _outcome: &Outcome, _last: bool) {}
    fn batch(&mut self, _results: Results) {}
    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}

fn key(nth: u32) -> [u8; 4] {
    nth.to_be_bytes()
}

/// Answers requests from the queue until it is empty.
fn serve(queue: &HostQueue, provider: &EmptyProvider) {
    while let Ok(letter) = queue.next(Some(Duration::ZERO)) {
        if let Ok(letter) = letter.downcast::<PolledEvent>()
            && let PolledEvent::Request { ticket, .. } = *letter
        {
            provider.answer(&ticket);
        }
    }
}

fn fetch_and_cancel(queue: Option<Arc<HostQueue>>) {
    let provider = Arc::new(EmptyProvider::default());
    let mut plan = Plan::default();
    plan.settings.tasks.omitted_is_null = true;
    plan.settings.cache.capacity = u64::from(FETCHES);
    plan.settings.cache.null_ttl_ms = None;
    plan.hooks.provider = Some(provider.clone());
    plan.routes = Routes { provider: queue.clone(), ..Routes::default() };
    let core = Core::engine(plan).expect("threads");
    let settings = core.fetch_settings().clone();
    let mut stays = Vec::new();
    for nth in 0..FETCHES {
        let fetch = Arc::new(FetchHandle::new());
        let call =
            FetchCall { form: Form::Each, settings: settings.clone().into(), progress_step: 0, handle: Some(&fetch), at_once: false };
        let asked = core.fetch([&key(nth)[..]].into_iter(), &call, || Box::new(NullReceiver));
        assert!(matches!(asked, Ok(FetchAnswer::Pending)), "{asked:?}");
        if nth % STAYS == 0 {
            stays.push(fetch);
        } else {
            fetch.cancel();
        }
        if nth % 7 == 0 {
            queue.iter().for_each(|queue| serve(queue, &provider));
        }
    }
    for fetch in stays {
        while !fetch.wait(Some(Duration::from_millis(1))) {
            queue.iter().for_each(|queue| serve(queue, &provider));
        }
    }
    let looked_up = provider.looked_up.lock().expect("no panic");
    let stored = (0..FETCHES).filter(|nth| core.peek(&key(*nth)).expect("open").is_some());
    let unseen: Vec<u32> = stored.filter(|nth| !looked_up.contains(&key(*nth)[..])).collect();
    assert!(
        unseen.is_empty(),
        "{} keys are stored as absent that the provider never looked up: {:?}",
        unseen.len(),
        &unseen[..unseen.len().min(5)]
    );
    assert!(looked_up.len() >= (FETCHES / STAYS) as usize);
    drop(looked_up);
    core.free();
}

#[test]
fn f16a_cancelled_fetches_on_threads_store_no_null_that_the_provider_did_not_look_up() {
    fetch_and_cancel(None);
}

#[test]
fn f16a_cancelled_fetches_in_a_queue_store_no_null_that_the_provider_did_not_look_up() {
    fetch_and_cancel(Some(Arc::new(HostQueue::new(false))));
}
