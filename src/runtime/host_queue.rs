//! The host's queue (rule L02): deliveries wait in it until a thread of the host polls for them, so that a single-threaded host is never
//! called on another thread.
//!
//! The host notices waiting deliveries by a descriptor that is readable while there are any, by a wake function, or by waiting in
//! [`HostQueue::poll`] or [`HostQueue::next`]. Sending never blocks, and nothing is lost: a delivery stays until it is read, or until the
//! queue is freed.
//!
//! A flag says whether the host was notified. It is raised and lowered under one lock: a sender raises it after it has sent, and a reader
//! that finds nothing lowers it. If the reader checked outside of the lock, it could lower the flag although a delivery had just arrived. A
//! reader does not report an empty queue while the flag is up, because the host was notified of that rise and would not be notified again.

use super::delivery::{AnyEvent, Deliverable, DeliveryResult, PullResult, Remainder};
use super::delivery_queue::DeliveryQueue;
use super::hooks::call_host;
use super::{NoThread, threads};
use crate::base::object::{DropSite, UnownedObject};
use crate::base::panics::catch_panic;
use crate::base::platform::{NoReadyFlag, ReadyFlag};
use crate::base::process::Generation;
use crate::base::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use std::ffi::c_void;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The queue of a host.
pub struct HostQueue {
    generation: Generation,
    deliveries: DeliveryQueue,
    /// Whether a thread is reading. Only one may at a time.
    reading: AtomicBool,
    /// A delivery that was begun: some of its events were read, but not all.
    begun: Mutex<Option<Arc<dyn Deliverable>>>,
    signal: Mutex<Signal>,
    /// Whether the host uses a descriptor or a wake function. Without either the flag stays down.
    is_signalling: AtomicBool,
    /// The number of engines and caches that send to the queue.
    attached: AtomicUsize,
    freed: AtomicBool,
    pipe: bool,
}

/// What notifies the host.
#[derive(Default)]
struct Signal {
    /// The flag: whether the host was notified since the queue was last found empty.
    raised: bool,
    /// The descriptor or handle, ready while the flag is up.
    flag: Option<ReadyFlag>,
    waker: Option<Waker>,
}

/// Notifies the host that a queue is no longer empty.
pub trait WakeHook: Send {
    /// Called on a thread of its own.
    fn wake(&mut self);
}

/// Why a queue cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// No event arrived within the timeout, or the wait was interrupted.
    Empty,
    /// The next event has no function to call: only [`HostQueue::next`] can take it.
    NoFunction,
    /// Another thread is reading.
    Busy,
}

impl HostQueue {
    /// Creates an empty queue. `pipe`: its descriptor is a pipe, even on systems with eventfds.
    pub fn new(pipe: bool) -> HostQueue {
        HostQueue {
            generation: Generation::now(),
            deliveries: DeliveryQueue::new(),
            reading: AtomicBool::new(false),
            begun: Mutex::new(None),
            signal: Mutex::default(),
            is_signalling: AtomicBool::new(false),
            attached: AtomicUsize::new(0),
            freed: AtomicBool::new(false),
            pipe,
        }
    }

    /// Registers a sender.
    pub fn attach(&self) {
        self.attached.fetch_add(1, Ordering::AcqRel);
    }

    /// Unregisters a sender.
    pub fn detach(&self) {
        self.attached.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether the queue has no senders.
    pub fn is_unused(&self) -> bool {
        self.attached.load(Ordering::Acquire) == 0
    }

    /// Sends a delivery. Never blocks.
    pub fn send(&self, item: Arc<dyn Deliverable>) {
        if self.freed.load(Ordering::Acquire) {
            // The delivery will never be read, so it is dropped here.
            return drop(item);
        }
        self.deliveries.send(item);
        if self.is_signalling.load(Ordering::Acquire) {
            self.raise();
        }
        // If the queue was freed meanwhile, its deliveries may have been dropped before this one was sent. SeqCst, so that either this
        // thread sees that the queue was freed, or the thread that frees it sees the delivery.
        if self.is_freed() {
            self.drop_all();
        }
    }

    fn raise(&self) {
        let mut signal = self.signal.lock();
        // A faster reader may have taken the delivery already, and checked the flag before: then there is nothing to report.
        if !self.is_empty() && !std::mem::replace(&mut signal.raised, true) {
            signal.flag.iter().for_each(ReadyFlag::raise);
            signal.waker.iter().for_each(Waker::signal);
        }
    }

    /// Lowers the flag if nothing is waiting. Returns false if something is waiting while the flag is up: the host has been notified of it
    /// already.
    fn lower_if_empty(&self) -> bool {
        if !self.is_signalling.load(Ordering::Acquire) {
            return true;
        }
        let mut signal = self.signal.lock();
        if signal.raised && self.is_empty() {
            signal.raised = false;
            signal.flag.iter().for_each(ReadyFlag::lower);
        }
        !signal.raised
    }

    /// The number of deliveries that are waiting, including one of which only some events were read.
    pub fn len(&self) -> usize {
        self.deliveries.len() + usize::from(self.begun.lock().is_some())
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.begun.lock().is_none()
    }

    /// Whether the flag is up, for the models in the tests. Turns signalling on.
    #[doc(hidden)]
    pub fn is_raised(&self) -> bool {
        self.is_signalling.store(true, Ordering::SeqCst);
        self.signal.lock().raised
    }

    /// The descriptor for a host's event loop, which is readable while something is waiting. The queue owns it and closes it.
    pub fn descriptor(&self) -> Result<i32, NoReadyFlag> {
        self.ask_flag(ReadyFlag::descriptor)
    }

    /// Like [`HostQueue::descriptor`], for systems that have handles instead.
    pub fn handle(&self) -> Result<*mut c_void, NoReadyFlag> {
        self.ask_flag(ReadyFlag::handle)
    }

    fn ask_flag<R>(&self, ask: impl FnOnce(&ReadyFlag) -> Option<R>) -> Result<R, NoReadyFlag> {
        let mut signal = self.signal.lock();
        if signal.flag.is_none() {
            signal.flag = Some(ReadyFlag::new(self.pipe)?);
            // As in `set_wake`: later senders signal, and earlier deliveries are signalled here.
            self.is_signalling.store(true, Ordering::SeqCst);
            signal.raised = !self.is_empty();
            if signal.raised {
                signal.flag.iter().for_each(ReadyFlag::raise);
            }
        }
        signal.flag.as_ref().and_then(ask).ok_or(NoReadyFlag)
    }

    /// Makes `hook` run on its own thread whenever the queue stops being empty, and at once if it is not empty now. Replaces the previous
    /// hook, whose thread has ended when this returns.
    pub fn set_wake(&self, hook: Option<Box<dyn WakeHook>>) -> Result<(), NoThread> {
        let waker = hook.map(Waker::start).transpose()?;
        let before = {
            let mut signal = self.signal.lock();
            let before = std::mem::replace(&mut signal.waker, waker);
            self.is_signalling.store(true, Ordering::SeqCst);
            if !self.is_empty() {
                signal.raised = true;
                signal.flag.iter().for_each(ReadyFlag::raise);
                signal.waker.iter().for_each(Waker::signal);
            }
            before
        };
        // Waits for the thread of the previous hook, and runs host code.
        drop(before);
        Ok(())
    }

    /// Makes the reader that waits in `poll` or `next`, or the next one to do so, stop waiting.
    pub fn wake(&self) {
        self.deliveries.wake();
    }

    /// Calls the functions of at most `most` events on this thread. Waits for the first event for at most `timeout` (`None`: without
    /// limit). Returns the number of calls.
    pub fn poll(&self, most: usize, timeout: Option<Duration>) -> Result<usize, ReadError> {
        let _reader = self.read()?;
        let (mut count, mut patience) = (0, timeout);
        while count < most && !self.is_freed() {
            let Some(item) = self.next_delivery(patience) else {
                if self.lower_if_empty() {
                    break;
                }
                // The delivery arrived while the flag was still up, so the host was not notified: if the queue were reported empty, the
                // host would miss the delivery.
                patience = Some(Duration::ZERO);
                continue;
            };
            let delivered = item.deliver(most - count);
            count += delivered.count;
            match delivered.remainder {
                Remainder::Nothing => {}
                Remainder::More(rest) => *self.begun.lock() = Some(rest),
                Remainder::NoFunction(rest) => {
                    *self.begun.lock() = Some(rest);
                    return if count > 0 { Ok(count) } else { Err(ReadError::NoFunction) };
                }
            }
            if count > 0 {
                // A reader that has delivered something does not wait for more.
                patience = Some(Duration::ZERO);
            }
        }
        self.lower_if_empty();
        if count == 0 && most > 0 { Err(ReadError::Empty) } else { Ok(count) }
    }

    /// Takes out the next event. Waits for it for at most `timeout` (`None`: without limit).
    pub fn next(&self, timeout: Option<Duration>) -> Result<AnyEvent, ReadError> {
        let _reader = self.read()?;
        let mut patience = timeout;
        while !self.is_freed() {
            let Some(item) = self.next_delivery(patience) else {
                if self.lower_if_empty() {
                    return Err(ReadError::Empty);
                }
                // As in `poll`.
                patience = Some(Duration::ZERO);
                continue;
            };
            let pulled = item.clone().pull();
            if pulled.more {
                *self.begun.lock() = Some(item);
            }
            self.lower_if_empty();
            if let Some(event) = pulled.event {
                return Ok(event);
            }
        }
        Err(ReadError::Empty)
    }

    fn next_delivery(&self, timeout: Option<Duration>) -> Option<Arc<dyn Deliverable>> {
        let begun = self.begun.lock().take();
        begun.or_else(|| self.deliveries.take(timeout))
    }

    fn read(&self) -> Result<ReadGuard<'_>, ReadError> {
        if self.reading.swap(true, Ordering::Acquire) { Err(ReadError::Busy) } else { Ok(ReadGuard(self)) }
    }

    /// Frees the queue: deliveries that wait are dropped here, later ones where they are sent. Waits for a wake function that is running.
    pub fn free(&self) {
        drop(self.end());
    }

    /// Like [`HostQueue::free`], but does not wait for a wake function that is running.
    pub fn dispose(&self) {
        self.end().waker.into_iter().for_each(Waker::leave);
    }

    fn end(&self) -> Signal {
        self.freed.store(true, Ordering::SeqCst);
        // The reader has nothing more to wait for.
        self.deliveries.wake();
        let signal = std::mem::take(&mut *self.signal.lock());
        self.drop_all();
        signal
    }

    /// Whether the queue was freed, which a callback may have done.
    pub fn is_freed(&self) -> bool {
        self.freed.load(Ordering::SeqCst)
    }

    fn drop_all(&self) {
        let begun = self.begun.lock().take();
        let _ = catch_panic(|| drop(begun));
        while let Some(item) = self.deliveries.try_take() {
            // This may drop the last reference to an engine, and run host code.
            let _ = catch_panic(|| drop(item));
        }
    }
}

struct ReadGuard<'a>(&'a HostQueue);

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        self.0.reading.store(false, Ordering::Release);
        // If the queue was freed during the read, for example by a callback, nobody will read what this reader has put back.
        if self.0.is_freed() {
            self.0.drop_all();
        }
    }
}

/// Objects bound to a queue are destroyed where it is read, whichever thread drops the last reference (rule L04).
impl DropSite for HostQueue {
    fn accept(&self, object: UnownedObject) {
        // Destroyed here if the queue is freed, and in the child of a fork, where the locks and the descriptor belong to the parent (rule
        // L06).
        if self.freed.load(Ordering::Acquire) || self.generation.is_stale() {
            return object.end();
        }
        self.send(Arc::new(ObjectDrop(Mutex::new(Some(object)))));
    }

    fn generation(&self) -> Generation {
        self.generation
    }
}

/// An object on its way through the queue that it is bound to.
struct ObjectDrop(Mutex<Option<UnownedObject>>);

impl Deliverable for ObjectDrop {
    fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
        let mut held = self.0.lock();
        if held.as_ref().is_some_and(|object| !object.has_destructor()) {
            drop(held);
            return DeliveryResult { count: 0, remainder: Remainder::NoFunction(self) };
        }
        let object = held.take();
        drop(held);
        object.into_iter().for_each(UnownedObject::end);
        DeliveryResult::all(1)
    }

    fn pull(self: Arc<Self>) -> PullResult {
        let object = self.0.lock().take();
        match object {
            // The destructor runs here, on the reading thread.
            Some(object) if object.has_destructor() => {
                object.end();
                PullResult::nothing()
            }
            object => PullResult { event: object.map(|object| Box::new(object) as AnyEvent), more: false },
        }
    }
}

impl Drop for ObjectDrop {
    fn drop(&mut self) {
        // The object is still here if a queue was freed with this delivery in it.
        let object = self.0.lock().take();
        object.into_iter().for_each(UnownedObject::end);
    }
}

/// The thread on which a wake function runs, so that it never runs inside a call by the host.
struct Waker {
    wakeup: Arc<Wakeup>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Wakeup {
    state: Mutex<WakeupState>,
    signalled: Condvar,
}

#[derive(Default)]
struct WakeupState {
    signalled: bool,
    ended: bool,
}

impl Waker {
    fn start(mut hook: Box<dyn WakeHook>) -> Result<Waker, NoThread> {
        let wakeup = Arc::new(Wakeup::default());
        let shared = wakeup.clone();
        let thread = threads::start("kvl-wake", threads::STACK_BYTES, move || {
            while shared.wait() {
                call_host(|| hook.wake());
            }
        })?;
        Ok(Waker { wakeup, thread: Some(thread) })
    }

    fn signal(&self) {
        self.wakeup.state.lock().signalled = true;
        self.wakeup.signalled.notify_one();
    }

    /// Ends the thread without waiting for it.
    fn leave(mut self) {
        self.thread = None;
    }
}

impl Wakeup {
    /// Waits for a signal. Returns false if the thread must end.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return false;
            }
            if std::mem::take(&mut state.signalled) {
                return true;
            }
            state = wait(&self.signalled, state);
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.wakeup.state.lock().ended = true;
        self.wakeup.signalled.notify_one();
        // Never inside a callback: kvl_queue_set_wake() and kvl_queue_free() refuse to be called there.
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::delivery::{DeliveryResult, PullResult};
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A delivery that claims to have made `calls` calls. It closes a channel when it is dropped.
    struct CallCounter {
        calls: usize,
        _dropped: Sender<()>,
    }

    impl Deliverable for CallCounter {
        fn deliver(self: Arc<Self>, _most: usize) -> DeliveryResult {
            DeliveryResult::all(self.calls)
        }
        fn pull(self: Arc<Self>) -> PullResult {
            PullResult::nothing()
        }
    }

    fn counter(calls: usize) -> (Arc<CallCounter>, Receiver<()>) {
        let (sender, dropped) = channel();
        (Arc::new(CallCounter { calls, _dropped: sender }), dropped)
    }

    #[test]
    fn l04_a_delivery_without_calls_is_dropped_before_the_reader_waits_for_the_next() {
        let queue = HostQueue::new(false);
        let ((silent, dropped), (calling, _)) = (counter(0), counter(1));
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| queue.poll(8, None));
            queue.send(silent);
            // The channel closes when the delivery is dropped, while the reader still waits. Otherwise this would wait forever.
            assert!(dropped.recv().is_err());
            queue.send(calling);
            assert_eq!(reader.join().expect("no panic"), Ok(1));
        });
    }
}
