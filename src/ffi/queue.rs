//! The host's queue across the ABI (rule L02): events for a thread of the program, by callbacks (poll) or by an event struct
//! (next).

use super::constants::{
    KVL_EVENT_CANCEL, KVL_EVENT_CLOSED, KVL_EVENT_DROP, KVL_EVENT_PROGRESS, KVL_EVENT_REMOVAL, KVL_EVENT_REQUEST, KVL_EVENT_RESULT,
    KVL_EVENT_RESULTS, KVL_F_LAST, KVL_FOREVER, KVL_QUEUE_F_ALL, KVL_QUEUE_F_PROVIDER, KVL_QUEUE_F_REMOVALS, KVL_QUEUE_F_RESULTS,
    kvl_status_t,
};
use super::guard::{Caller, guard, guard_or, outside};
use super::handle::{Handle, HasGeneration};
use super::notify::Notify;
use super::request::{OnCancel, RequestHandle};
use super::results::ResultsHandle;
use super::types::{kvl_closed_fn, kvl_config_t, kvl_event_t, kvl_free_fn, kvl_queue_t, kvl_result_t, kvl_value_t, kvl_wake_fn};
use super::value::object_in;
use super::view;
use crate::base::object::UnownedObject;
use crate::base::process::Generation;
use crate::base::sync::Mutex;
use crate::base::{Answer, DropSite, Status, Value};
use crate::engine::polled_event::{FetchEvent, PolledEvent};
use crate::engine::{Core, Routes};
use crate::runtime::host_queue::{HostQueue, ReadError, WakeHook};
use std::any::Any;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::time::Duration;

/// In the flags of kvl_queue_new(): the descriptor is a pipe even where there are eventfds, for libuv. Without effect on Windows.
pub const KVL_QUEUE_NEW_PIPE: u32 = 1;

/// The target of a queue handle.
pub(crate) struct QueueHandle {
    queue: Arc<HostQueue>,
    /// The owner of the data that the last event of kvl_queue_next() lends.
    shown: Mutex<Option<EventView>>,
}

impl QueueHandle {
    /// A reference to the queue.
    pub(crate) fn queue(&self) -> Arc<HostQueue> {
        self.queue.clone()
    }

    /// Ends the last event's loan, before anything else is delivered.
    fn show_no_more(&self) {
        let shown = self.shown.lock().take();
        drop(shown);
    }
}

impl HasGeneration for QueueHandle {
    fn born(&self) -> Generation {
        self.queue.born()
    }
}

impl Handle for kvl_queue_t {
    type Owner = Arc<QueueHandle>;
}

impl WakeHook for Notify<kvl_wake_fn> {
    fn wake(&mut self) {
        // SAFETY: the host gave the function for this user data.
        self.call(|function, user_data| function.into_iter().for_each(|wake| unsafe { wake(user_data) }));
    }
}

/// An event with everything it points at. Dropped before the next one is read, on the reading thread.
struct EventView {
    event: kvl_event_t,
    // In the order in which they must be dropped: first the lent data, then what ends the fetch.
    _result: Option<Box<kvl_result_t>>,
    _lent: Option<Box<dyn Any>>,
    _letter: Option<Box<dyn Any>>,
    _core: Option<Arc<Core>>,
}

// SAFETY: made, read and dropped by the reading thread; a host that moves its reading from one thread to another does so with
// its own synchronisation, as the header's word `one` asks for.
unsafe impl Send for EventView {}

fn event(kind: u32, user_data: *mut c_void, core: Option<&Arc<Core>>) -> kvl_event_t {
    kvl_event_t {
        struct_size: size_of::<kvl_event_t>(),
        kind,
        flags: 0,
        user_data,
        tasks: core.map_or(null_mut(), |core| Arc::as_ptr(core).cast_mut().cast()),
        result: null(),
        results: null_mut(),
        request: null_mut(),
        done: 0,
        failed: 0,
        total: 0,
        cause: 0,
        reserved: 0,
    }
}

impl EventView {
    fn new(event: kvl_event_t, core: Option<Arc<Core>>) -> EventView {
        EventView { event, _result: None, _lent: None, _letter: None, _core: core }
    }

    fn of(letter: Box<dyn Any>) -> Option<EventView> {
        let letter = match letter.downcast::<PolledEvent>() {
            Ok(letter) => *letter,
            Err(other) => {
                let orphan = other.downcast::<UnownedObject>().ok()?;
                return Some(EventView::new(event(KVL_EVENT_DROP, orphan.pointer(), None), None));
            }
        };
        Some(match letter {
            PolledEvent::Fetch { core, user_data, event: happened, end } => EventView::of_fetch(core, user_data, happened, Box::new(end)),
            PolledEvent::Request { core, ticket } => {
                let mut shown = EventView::new(event(KVL_EVENT_REQUEST, ticket.user_data(), Some(&core)), Some(core));
                let request = RequestHandle::new(ticket);
                shown.event.request = Arc::as_ptr(&request).cast_mut().cast();
                shown._lent = Some(Box::new(request));
                shown
            }
            PolledEvent::Cancel { core, hook, why: _, pending } => {
                let hook = hook.into_any().downcast::<OnCancel>().ok()?;
                let mut shown = EventView::new(event(KVL_EVENT_CANCEL, hook.notify.user_data(), Some(&core)), Some(core));
                let request = hook.request.upgrade()?;
                shown.event.request = Arc::as_ptr(&request).cast_mut().cast();
                shown._lent = Some(Box::new(request));
                shown._letter = Some(Box::new((hook, pending)));
                shown
            }
            PolledEvent::Removal { core, user_data, departure } => {
                let departure = Box::new(departure);
                let result = Box::new(view::of_departure(&departure));
                let mut shown = EventView::new(event(KVL_EVENT_REMOVAL, user_data, core.as_ref()), core);
                shown.event.result = &raw const *result;
                shown.event.cause = departure.cause as u32;
                shown._result = Some(result);
                shown._lent = Some(departure);
                shown
            }
            PolledEvent::Closed { core, listener } => {
                let listener = listener.downcast::<Notify<kvl_closed_fn>>().ok()?;
                let mut shown = EventView::new(event(KVL_EVENT_CLOSED, listener.user_data(), Some(&core)), Some(core));
                shown.event.flags = KVL_F_LAST;
                shown._letter = Some(listener);
                shown
            }
        })
    }

    fn of_fetch(core: Arc<Core>, user_data: *mut c_void, happened: FetchEvent, end: Box<dyn Any>) -> EventView {
        let mut shown = EventView::new(event(0, user_data, Some(&core)), Some(core));
        shown._letter = Some(end);
        match happened {
            FetchEvent::Result { index, key, outcome, last } => {
                let lent = Box::new((key, outcome));
                let result = Box::new(view::of_outcome(index, &lent.0, &lent.1, last));
                shown.event.kind = KVL_EVENT_RESULT;
                shown.event.flags = result.flags;
                shown.event.result = &raw const *result;
                shown._result = Some(result);
                shown._lent = Some(lent);
            }
            FetchEvent::Results(results) => {
                let batch = Arc::new(ResultsHandle::new(results));
                shown.event.kind = KVL_EVENT_RESULTS;
                shown.event.flags = KVL_F_LAST;
                shown.event.results = Arc::as_ptr(&batch).cast_mut().cast();
                shown._lent = Some(Box::new(batch));
            }
            FetchEvent::Progress { done, failed, total } => {
                shown.event.kind = KVL_EVENT_PROGRESS;
                (shown.event.done, shown.event.failed, shown.event.total) = (done, failed, total);
            }
        }
        shown
    }
}

fn patience(timeout_ms: i64) -> Result<Option<Duration>, Status> {
    match timeout_ms {
        KVL_FOREVER => Ok(None),
        0.. => Ok(Some(Duration::from_millis(timeout_ms.unsigned_abs()))),
        _ => Err(Status::ERR_INVALID_ARG),
    }
}

fn why(unread: ReadError) -> Result<Status, Status> {
    match unread {
        ReadError::Empty => Ok(Status::EMPTY),
        ReadError::NoFunction => Err(Status::ERR_NO_CALLBACK),
        ReadError::Busy => Err(Status::ERR_BUSY),
    }
}

/// Makes a queue, to be named in configurations: kvl_config_set_queue().
///
/// @param flags      0 or KVL_QUEUE_NEW_PIPE.
/// @param out_queue  [out, owned] the queue: free it after the engines that use it.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (unknown flags), KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_new(flags: u32, out_queue: *mut *mut kvl_queue_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_queue)?;
        if flags & !KVL_QUEUE_NEW_PIPE != 0 {
            return Err(Status::ERR_INVALID_ARG);
        }
        let queue = Arc::new(HostQueue::new(flags & KVL_QUEUE_NEW_PIPE != 0));
        Ok(out.give(Arc::new(QueueHandle { queue, shown: Mutex::new(None) }), Status::OK))
    })
}

/// Hands out a descriptor that is readable while events wait, for `poll`, `epoll` or an event loop.
///
/// You may read it; then drain the queue until it says KVL_EMPTY. It is the queue's: do not close it. On Windows there is none:
/// kvl_queue_handle().
///
/// @param queue   [borrowed] from kvl_queue_new().
/// @param out_fd  [out] the descriptor; it never blocks.
/// @return KVL_OK; KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_fd(queue: *mut kvl_queue_t, out_fd: *mut i32) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let place = caller.place(out_fd)?;
        let fd = caller.borrow(queue)?.queue.descriptor().map_err(|_| Status::ERR_NO_FD)?;
        place.write(fd);
        Ok(Status::OK)
    })
}

/// Hands out the handle of an event that is set while events wait, for `WaitForSingleObject` and its kin. On Windows alone: elsewhere it
/// answers KVL_ERR_NO_FD, and there is kvl_queue_fd().
///
/// The library sets and resets it; drain the queue until it says KVL_EMPTY. It is the queue's: do not close it.
///
/// @param queue       [borrowed] from kvl_queue_new().
/// @param out_handle  [out] the HANDLE.
/// @return KVL_OK; KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_handle(queue: *mut kvl_queue_t, out_handle: *mut *mut c_void) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let place = caller.place(out_handle)?;
        let handle = caller.borrow(queue)?.queue.handle().map_err(|_| Status::ERR_NO_FD)?;
        place.write(handle);
        Ok(Status::OK)
    })
}

/// Asks to be called when the queue stops being empty: for executors. Replaces the function before, which will not run any more.
///
/// @param queue           [borrowed] from kvl_queue_new().
/// @param function        [retained] runs on a thread of the library; it may only schedule a poll. NULL: none.
/// @param user_data       [retained] what `function` is given.
/// @param user_data_free  [retained] ends `user_data` with the queue, when it is replaced, or before this returns if it fails; may be
///                        NULL.
/// @return KVL_OK; KVL_ERR_NO_THREAD, KVL_ERR_REENTRANT, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_set_wake(
    queue: *mut kvl_queue_t,
    function: kvl_wake_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Notify::new(function, user_data, user_data_free);
        outside()?;
        let queue = caller.share(queue.cast_const())?;
        let hook = notify.function().is_some().then(|| Box::new(notify) as Box<dyn WakeHook>);
        queue.queue.set_wake(hook).map_err(|_| Status::ERR_NO_THREAD)?;
        Ok(Status::OK)
    })
}

/// Runs the callbacks of at most `max` events on this thread.
///
/// @param queue       [borrowed] from kvl_queue_new().
/// @param max         how many events at most.
/// @param timeout_ms  how long to wait for the first one, in milliseconds; 0: not at all; KVL_FOREVER.
/// @param out_ran     [out] how many ran; may be NULL.
/// @return KVL_OK, KVL_EMPTY (none within the time, or kvl_queue_wake()); KVL_ERR_NO_CALLBACK (the next event has none: it is for
///         kvl_queue_next()), KVL_ERR_BUSY (another thread reads), KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one, outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_poll(queue: *mut kvl_queue_t, max: usize, timeout_ms: i64, out_ran: *mut usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        outside()?;
        let queue = caller.share(queue.cast_const())?;
        let timeout = patience(timeout_ms)?;
        queue.show_no_more();
        match queue.queue.poll(max, timeout) {
            Ok(ran) => {
                caller.place(out_ran).into_iter().for_each(|place| place.write(ran));
                Ok(Status::OK)
            }
            Err(unread) => why(unread),
        }
    })
}

/// Takes the next event out. No function of the program's is called but destructors.
///
/// What the event points at is valid until the next kvl_queue_next() or kvl_queue_poll() on this queue; retain what is to stay.
///
/// @param queue       [borrowed] from kvl_queue_new().
/// @param timeout_ms  how long to wait for it, in milliseconds; 0: not at all; KVL_FOREVER.
/// @param out_event   [out] the event.
/// @param out_size    sizeof *out_event.
/// @return KVL_OK, KVL_EMPTY (none within the time, or kvl_queue_wake()); KVL_ERR_BUSY (another thread reads), KVL_ERR_REENTRANT,
///         KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one, outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_next(
    queue: *mut kvl_queue_t,
    timeout_ms: i64,
    out_event: *mut kvl_event_t,
    out_size: usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        outside()?;
        let room = caller.room(out_event, out_size)?;
        let queue = caller.share(queue.cast_const())?;
        let timeout = patience(timeout_ms)?;
        queue.show_no_more();
        loop {
            let letter = match queue.queue.next(timeout) {
                Ok(letter) => letter,
                Err(unread) => return why(unread),
            };
            // A hook whose request is gone has no event.
            if let Some(mut shown) = EventView::of(letter) {
                shown.event.struct_size = room.size();
                room.write(&shown.event);
                *queue.shown.lock() = Some(shown);
                return Ok(Status::OK);
            }
        }
    })
}

/// Makes a waiting kvl_queue_poll() or kvl_queue_next(), or the next one that would wait, say KVL_EMPTY.
///
/// @param queue  [borrowed] from kvl_queue_new().
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_wake(queue: *mut kvl_queue_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        caller.borrow(queue)?.queue.wake();
        Ok(Status::OK)
    })
}

/// Frees a queue. What waits in it is dropped: user data and destructors run, here; no callback does.
///
/// An engine that was given up by kvl_tasks_dispose() does not keep the queue busy, even while it is still ending: what it sends later is
/// dropped where it is sent.
///
/// @param queue  [owned] from kvl_queue_new(); may be NULL. On an error it stays as it was.
/// @return KVL_OK; KVL_ERR_BUSY (an engine or a cache still sends to it), KVL_ERR_REENTRANT, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_free(queue: *mut kvl_queue_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        if queue.is_null() {
            return Ok(Status::OK);
        }
        outside()?;
        if !caller.borrow(queue)?.queue.is_unused() {
            return Err(Status::ERR_BUSY);
        }
        let handle = caller.take(queue)?;
        handle.show_no_more();
        handle.queue.free();
        Ok(Status::OK)
    })
}

/// Gives a queue up: nobody reads it any more. Never waits: for destructors, finalizers and callbacks.
///
/// Unlike kvl_queue_free() it does not ask that the engines and caches that send to it have ended, so it may come before or after their
/// own dispose. What waits in the queue is dropped here, and what is sent to it later is dropped where it is sent: user data and
/// destructors run, no callback does. A fetch whose result would come through it is ended by the end of its user data alone.
///
/// @param queue  [owned] from kvl_queue_new(); may be NULL. Not to be used again. If a callback gives up the very queue that is being
///               read, that call of kvl_queue_poll() or kvl_queue_next() ends after it.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_dispose(queue: *mut kvl_queue_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || {
        if let Ok(handle) = caller.take(queue) {
            handle.show_no_more();
            handle.queue.dispose();
        }
    });
}

/// Sends events to a queue instead of to threads of the library.
///
/// @param config  [borrowed] from kvl_config_new().
/// @param queue   [retained] from kvl_queue_new(); NULL: threads again.
/// @param what    KVL_QUEUE_F_RESULTS, KVL_QUEUE_F_PROVIDER, KVL_QUEUE_F_REMOVALS, added; KVL_QUEUE_F_ALL.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (unknown bits, or none), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_queue(config: *mut kvl_config_t, queue: *mut kvl_queue_t, what: u32) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let config = caller.borrow(config)?;
        if what == 0 || what & !KVL_QUEUE_F_ALL != 0 {
            return Err(Status::ERR_INVALID_ARG);
        }
        let queue = if queue.is_null() { None } else { Some(caller.borrow(queue)?.queue()) };
        config.route(|routes: &mut Routes| {
            for (flag, route) in [
                (KVL_QUEUE_F_RESULTS, &mut routes.results),
                (KVL_QUEUE_F_PROVIDER, &mut routes.provider),
                (KVL_QUEUE_F_REMOVALS, &mut routes.removals),
            ] {
                if what & flag != 0 {
                    route.clone_from(&queue);
                }
            }
        });
        Ok(Status::OK)
    })
}

/// Makes a value of an object that is destroyed where a queue is read, whichever thread drops the last reference.
///
/// @param queue        [retained] from kvl_queue_new(). If it was freed by then, the object ends where the reference is dropped.
/// @param object       [owned by the value] any pointer but NULL.
/// @param cost         what it costs to keep, in bytes.
/// @param object_free  [retained] ends `object` inside kvl_queue_poll() or kvl_queue_next(); NULL: KVL_EVENT_DROP reports the end.
/// @param out_value    [out, owned] the value: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_new_object_on(
    queue: *mut kvl_queue_t,
    object: *mut c_void,
    cost: u64,
    object_free: kvl_free_fn,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let object = object_in(object, object_free)?;
        let out = caller.out(out_value)?;
        let queue: Arc<dyn DropSite> = caller.borrow(queue)?.queue();
        Ok(out.give(Answer::Value(Value::object(object.to_drop_site(queue), cost)), Status::OK))
    })
}
