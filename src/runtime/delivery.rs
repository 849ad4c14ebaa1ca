//! Delivery to the program. An item is sent once, however many events it holds. Deliveries begin in the order in which the items were sent;
//! the dispatcher sends an item with more events than [`BURST`] to the end of its queue after each burst.
//!
//! The dispatcher is one thread. A slow callback delays the callbacks behind it, but no sender (rule L03).

use super::delivery_queue::DeliveryQueue;
use super::{NoThread, threads};
use crate::base::panics::catch_panic;
use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::thread::JoinHandle;

/// An item to be delivered: the events of one fetch, a request, removals, or an object to be dropped.
pub trait Deliverable: Send + Sync {
    /// Delivers at most `most` events by calling the program's functions. Everything that the item holds is released before this returns,
    /// unless events remain.
    fn deliver(self: Arc<Self>, most: usize) -> DeliveryResult;
    /// Takes out one event, for a program that polls for events instead of being called.
    fn pull(self: Arc<Self>) -> PullResult;
}

/// An event that was taken out. The caller knows its type. Everything borrowed from it is valid until it is dropped.
pub type AnyEvent = Box<dyn Any>;

/// The result of a delivery.
pub struct DeliveryResult {
    /// The number of calls of the program's functions.
    pub count: usize,
    /// The part that is not delivered.
    pub remainder: Remainder,
}

/// The part of an item that remains after a delivery.
pub enum Remainder {
    /// Nothing remains. The item is in no queue until it is sent again.
    Nothing,
    /// The events beyond the requested number: this item must be delivered next.
    More(Arc<dyn Deliverable>),
    /// This item, whose next event has no function to call.
    NoFunction(Arc<dyn Deliverable>),
}

impl DeliveryResult {
    /// Everything was delivered, in `count` calls of host functions.
    pub fn all(count: usize) -> DeliveryResult {
        DeliveryResult { count, remainder: Remainder::Nothing }
    }
}

/// The result of taking an event out.
pub struct PullResult {
    /// `None` if there was no event.
    pub event: Option<AnyEvent>,
    /// Whether more events remain.
    pub more: bool,
}

impl PullResult {
    /// No event, and none remains.
    pub fn nothing() -> PullResult {
        PullResult { event: None, more: false }
    }
}

/// The dispatcher thread. It is started by [`Dispatcher::start`], which an engine calls when it is created, or else by the first item. A
/// program that reads all events from queues never has one.
pub struct Dispatcher {
    inner: Arc<DispatcherState>,
    stack_bytes: usize,
    /// The thread, until it is joined.
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct DispatcherState {
    queue: DeliveryQueue,
    /// The number of items that were sent and are not completely delivered.
    undelivered: AtomicUsize,
    phase: Mutex<DispatcherPhase>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DispatcherPhase {
    /// Not started, or the system refused the thread.
    Idle,
    Running,
    /// Later items are delivered by the sending thread.
    Stopped,
}

thread_local! {
    /// On a dispatcher's thread: the address of its state, which the thread holds for as long as it runs. Elsewhere 0.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

impl Dispatcher {
    pub(super) fn new(stack_bytes: usize) -> Dispatcher {
        let inner =
            DispatcherState { queue: DeliveryQueue::new(), undelivered: AtomicUsize::new(0), phase: Mutex::new(DispatcherPhase::Idle) };
        Dispatcher { inner: Arc::new(inner), stack_bytes, thread: Mutex::new(None) }
    }

    /// Starts the thread, unless it is running or was stopped.
    pub fn start(&self) -> Result<(), NoThread> {
        let mut phase = self.inner.phase.lock();
        if *phase == DispatcherPhase::Idle {
            let state = self.inner.clone();
            *self.thread.lock() = Some(threads::start("kvl-dispatch", self.stack_bytes, move || state.deliver_all())?);
            *phase = DispatcherPhase::Running;
        }
        Ok(())
    }

    /// Sends an item, and returns before it is delivered. After a stop, or if the system refuses the thread, this call delivers it itself.
    pub(super) fn send(&self, item: Arc<dyn Deliverable>) {
        let started = self.start();
        let phase = self.inner.phase.lock();
        if *phase == DispatcherPhase::Stopped || started.is_err() {
            drop(phase);
            deliver_all_of(item);
            return;
        }
        self.inner.undelivered.fetch_add(1, Ordering::AcqRel);
        // Under the lock, because nothing may be sent after the stop.
        self.inner.queue.send(item);
    }

    /// Whether this is the dispatcher's own thread.
    pub fn is_here(&self) -> bool {
        HERE.try_with(Cell::get) == Ok(Arc::as_ptr(&self.inner).addr())
    }

    /// Whether an item was sent and is not completely delivered.
    pub(super) fn is_busy(&self) -> bool {
        self.inner.undelivered.load(Ordering::Acquire) > 0
    }

    /// Makes the thread end after it has delivered everything that was sent. Returns it to be joined; `None` if it never started.
    pub(super) fn stop(&self) -> Option<JoinHandle<()>> {
        *self.inner.phase.lock() = DispatcherPhase::Stopped;
        self.inner.queue.wake();
        self.thread.lock().take()
    }
}

impl DispatcherState {
    fn deliver_all(self: &Arc<Self>) {
        HERE.with(|here| here.set(Arc::as_ptr(self).addr()));
        loop {
            match self.queue.take(None) {
                Some(item) => match deliver(item, BURST) {
                    Remainder::More(rest) => self.queue.send(rest),
                    // Nothing remains, or an event without a function. Nobody can take that event here, so what is left is dropped.
                    done => {
                        let _ = catch_panic(|| drop(done));
                        self.undelivered.fetch_sub(1, Ordering::AcqRel);
                    }
                },
                None if *self.phase.lock() == DispatcherPhase::Stopped && self.queue.is_empty() => return,
                None => {}
            }
        }
    }
}

/// The number of events of one item that are delivered before the next item gets its turn. Without a limit an endless item, such as
/// removals under constant writes, would delay the others forever.
const BURST: usize = 256;

fn deliver(item: Arc<dyn Deliverable>, most: usize) -> Remainder {
    // A panic of the host is caught in `call_host`; a panic of the library must not end the thread.
    catch_panic(move || item.deliver(most)).map_or(Remainder::Nothing, |delivered| delivered.remainder)
}

/// Delivers all events of an item on this thread.
pub fn deliver_all_of(item: Arc<dyn Deliverable>) {
    let mut rest = Remainder::More(item);
    while let Remainder::More(item) = rest {
        rest = deliver(item, usize::MAX);
    }
}

/// An item whose sender waits until it is delivered.
pub(super) struct DeliveryGate {
    item: Mutex<Option<Arc<dyn Deliverable>>>,
    delivered: Mutex<bool>,
    open: Condvar,
}

impl DeliveryGate {
    pub(super) fn new(item: Arc<dyn Deliverable>) -> DeliveryGate {
        DeliveryGate { item: Mutex::new(Some(item)), delivered: Mutex::new(false), open: Condvar::new() }
    }

    pub(super) fn wait(&self) {
        let mut delivered = self.delivered.lock();
        while !*delivered {
            delivered = wait(&self.open, delivered);
        }
    }
}

impl Deliverable for DeliveryGate {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let item = self.item.lock().take();
        // All events at once, because the sender waits for them.
        item.into_iter().for_each(deliver_all_of);
        *self.delivered.lock() = true;
        self.open.notify_all();
        DeliveryResult::all(0)
    }

    fn pull(self: Arc<Self>) -> PullResult {
        self.deliver(usize::MAX);
        PullResult::nothing()
    }
}

/// An object whose drop may run host code, sent to be dropped where callbacks run (rule L04).
pub struct RemoteDrop<T>(Mutex<Option<T>>);

impl<T: Send + 'static> RemoteDrop<T> {
    /// Creates an item that drops `what` on delivery.
    pub fn deliverable(what: T) -> Arc<dyn Deliverable> {
        Arc::new(RemoteDrop(Mutex::new(Some(what))))
    }
}

impl<T: Send> Deliverable for RemoteDrop<T> {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let what = self.0.lock().take();
        drop(what);
        DeliveryResult::all(0)
    }

    fn pull(self: Arc<Self>) -> PullResult {
        self.deliver(1);
        PullResult::nothing()
    }
}
