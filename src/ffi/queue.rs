//! The host's queue across the ABI (rule L02): events for a thread of the program, by callbacks (poll) or as a struct (next).

use super::constants::{
    KVL_EVENT_CANCEL, KVL_EVENT_CLOSED, KVL_EVENT_DROP, KVL_EVENT_L2, KVL_EVENT_PROGRESS, KVL_EVENT_REMOVAL, KVL_EVENT_REQUEST,
    KVL_EVENT_RESULT, KVL_EVENT_RESULTS, KVL_F_LAST, KVL_FOREVER, KVL_QUEUE_F_ALL, KVL_QUEUE_F_L2, KVL_QUEUE_F_PROVIDER,
    KVL_QUEUE_F_REMOVALS, KVL_QUEUE_F_RESULTS, kvl_status_t,
};
use super::guard::{Caller, guard, guard_or, outside};
use super::handle::{Handle, HasGeneration};
use super::l2::L2RequestHandle;
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

/// In the flags of kvl_queue_new(): the descriptor is a pipe even on systems with eventfds, for libuv. No effect on Windows.
pub const KVL_QUEUE_NEW_PIPE: u32 = 1;

/// The target of a queue handle.
pub(crate) struct QueueHandle {
    queue: Arc<HostQueue>,
    /// The owner of everything to which the last event of kvl_queue_next() points.
    last_event: Mutex<Option<EventView>>,
}

impl QueueHandle {
    /// A reference to the queue.
    pub(crate) fn queue(&self) -> Arc<HostQueue> {
        self.queue.clone()
    }

    /// Drops the last event, before anything else is delivered.
    fn drop_last_event(&self) {
        let last_event = self.last_event.lock().take();
        drop(last_event);
    }
}

impl HasGeneration for QueueHandle {
    fn generation(&self) -> Generation {
        self.queue.generation()
    }
}

impl Handle for kvl_queue_t {
    type Owner = Arc<QueueHandle>;
}

impl WakeHook for Notify<kvl_wake_fn> {
    fn wake(&mut self) {
        // SAFETY: the host passed the function for this user data.
        self.call(|function, user_data| function.into_iter().for_each(|wake| unsafe { wake(user_data) }));
    }
}

/// An event with everything to which it points. It is dropped before the next one is read, on the reading thread.
struct EventView {
    event: kvl_event_t,
    // In the order in which they must be dropped: first the data that the event points to, then the object that ends the fetch.
    _result: Option<Box<kvl_result_t>>,
    _borrowed: Option<Box<dyn Any>>,
    _ends: Option<Box<dyn Any>>,
    _core: Option<Arc<Core>>,
}

// SAFETY: created, read and dropped by the reading thread. A host that moves its reading from one thread to another synchronises that
// itself, as the header's class `one` demands.
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
        l2_request: null_mut(),
    }
}

impl EventView {
    fn new(event: kvl_event_t, core: Option<Arc<Core>>) -> EventView {
        EventView { event, _result: None, _borrowed: None, _ends: None, _core: core }
    }

    /// The view of what was taken from the queue; `None` if nothing is left to report.
    fn of(polled: Box<dyn Any>) -> Option<EventView> {
        let polled = match polled.downcast::<PolledEvent>() {
            Ok(polled) => *polled,
            Err(other) => {
                let object = other.downcast::<UnownedObject>().ok()?;
                return Some(EventView::new(event(KVL_EVENT_DROP, object.pointer(), None), None));
            }
        };
        Some(match polled {
            PolledEvent::Fetch { core, user_data, event: fetch_event, end } => {
                EventView::of_fetch(core, user_data, fetch_event, Box::new(end))
            }
            PolledEvent::Request { core, ticket } => {
                let mut view = EventView::new(event(KVL_EVENT_REQUEST, ticket.user_data(), Some(&core)), Some(core));
                let request = RequestHandle::new(ticket);
                view.event.request = Arc::as_ptr(&request).cast_mut().cast();
                view._borrowed = Some(Box::new(request));
                view
            }
            PolledEvent::SecondTier { core, ticket } => {
                let mut view = EventView::new(event(KVL_EVENT_L2, ticket.user_data(), Some(&core)), Some(core));
                let request = L2RequestHandle::new(ticket);
                view.event.l2_request = Arc::as_ptr(&request).cast_mut().cast();
                view._borrowed = Some(Box::new(request));
                view
            }
            PolledEvent::Cancel { core, hook, why: _, pending } => {
                let hook = hook.into_any().downcast::<OnCancel>().ok()?;
                let mut view = EventView::new(event(KVL_EVENT_CANCEL, hook.notify.user_data(), Some(&core)), Some(core));
                let request = hook.request.upgrade()?;
                view.event.request = Arc::as_ptr(&request).cast_mut().cast();
                view._borrowed = Some(Box::new(request));
                view._ends = Some(Box::new((hook, pending)));
                view
            }
            PolledEvent::Removal { core, user_data, departure } => {
                let departure = Box::new(departure);
                let result = Box::new(view::of_departure(&departure));
                let mut view = EventView::new(event(KVL_EVENT_REMOVAL, user_data, core.as_ref()), core);
                view.event.result = &raw const *result;
                view.event.cause = departure.cause as u32;
                view._result = Some(result);
                view._borrowed = Some(departure);
                view
            }
            PolledEvent::Closed { core, listener } => {
                let listener = listener.downcast::<Notify<kvl_closed_fn>>().ok()?;
                let mut view = EventView::new(event(KVL_EVENT_CLOSED, listener.user_data(), Some(&core)), Some(core));
                view.event.flags = KVL_F_LAST;
                view._ends = Some(listener);
                view
            }
        })
    }

    fn of_fetch(core: Arc<Core>, user_data: *mut c_void, fetch_event: FetchEvent, end: Box<dyn Any>) -> EventView {
        let mut view = EventView::new(event(0, user_data, Some(&core)), Some(core));
        view._ends = Some(end);
        match fetch_event {
            FetchEvent::Result { index, key, outcome, last } => {
                let owned = Box::new((key, outcome));
                let result = Box::new(view::of_outcome(index, &owned.0, &owned.1, last));
                view.event.kind = KVL_EVENT_RESULT;
                view.event.flags = result.flags;
                view.event.result = &raw const *result;
                view._result = Some(result);
                view._borrowed = Some(owned);
            }
            FetchEvent::Results(results) => {
                let batch = Arc::new(ResultsHandle::new(results));
                view.event.kind = KVL_EVENT_RESULTS;
                view.event.flags = KVL_F_LAST;
                view.event.results = Arc::as_ptr(&batch).cast_mut().cast();
                view._borrowed = Some(Box::new(batch));
            }
            FetchEvent::Progress { done, failed, total } => {
                view.event.kind = KVL_EVENT_PROGRESS;
                (view.event.done, view.event.failed, view.event.total) = (done, failed, total);
            }
        }
        view
    }
}

fn timeout_of(timeout_ms: i64) -> Result<Option<Duration>, Status> {
    match timeout_ms {
        KVL_FOREVER => Ok(None),
        0.. => Ok(Some(Duration::from_millis(timeout_ms.unsigned_abs()))),
        _ => Err(Status::ERR_INVALID_ARG),
    }
}

fn status_of_read(error: ReadError) -> Result<Status, Status> {
    match error {
        ReadError::Empty => Ok(Status::EMPTY),
        ReadError::NoFunction => Err(Status::ERR_NO_CALLBACK),
        ReadError::Busy => Err(Status::ERR_BUSY),
    }
}

/// Creates a queue, to be set in configurations: kvl_config_set_queue().
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
        Ok(out.give(Arc::new(QueueHandle { queue, last_event: Mutex::new(None) }), Status::OK))
    })
}

/// Returns a descriptor that is readable while events wait, for `poll`, `epoll` or an event loop.
///
/// The program may read from the descriptor, and must then drain the queue until a call returns KVL_EMPTY. The queue owns the descriptor:
/// do not close it. Windows has no descriptor: see kvl_queue_handle().
///
/// @param queue   [borrowed] from kvl_queue_new().
/// @param out_fd  [out] the descriptor, which is non-blocking.
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

/// Returns the handle of an event that is set while events wait, for `WaitForSingleObject` and similar functions. Only on Windows:
/// elsewhere this returns KVL_ERR_NO_FD, and there is kvl_queue_fd().
///
/// The library sets and resets the event; drain the queue until a call returns KVL_EMPTY. The queue owns the handle: do not close it.
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

/// Sets a function to be called when the queue stops being empty, for executors. It replaces the previous function, which does not run any
/// more.
///
/// @param queue           [borrowed] from kvl_queue_new().
/// @param function        [retained] runs on a thread of the library; it may only schedule a poll. NULL: no function.
/// @param user_data       [retained] passed to `function` as its first argument.
/// @param user_data_free  [retained] frees `user_data` with the queue, when the function is replaced, or before this returns if the call
///                        fails; may be NULL.
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
/// @param max         the largest number of events to deliver; with 0 the call returns KVL_OK at once.
/// @param timeout_ms  how long to wait for the first event, in milliseconds; 0: do not wait; KVL_FOREVER: without limit.
/// @param out_ran     [out] the number of callbacks that ran; may be NULL.
/// @return KVL_OK, KVL_EMPTY (no event within the timeout, or kvl_queue_wake()); KVL_ERR_NO_CALLBACK (the next event has no function: use
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
        let timeout = timeout_of(timeout_ms)?;
        queue.drop_last_event();
        match queue.queue.poll(max, timeout) {
            Ok(ran) => {
                caller.place(out_ran).into_iter().for_each(|place| place.write(ran));
                Ok(Status::OK)
            }
            Err(error) => status_of_read(error),
        }
    })
}

/// Takes out the next event. Calls no function of the program except destructors.
///
/// Everything to which the event points is valid until the next kvl_queue_next() or kvl_queue_poll() on this queue; retain a value, an
/// error, results or a request to keep it for longer.
///
/// @param queue       [borrowed] from kvl_queue_new().
/// @param timeout_ms  how long to wait for the event, in milliseconds; 0: do not wait; KVL_FOREVER: without limit.
/// @param out_event   [out] the event.
/// @param out_size    sizeof(kvl_event_t) as the program was compiled, in bytes.
/// @return KVL_OK, KVL_EMPTY (no event within the timeout, or kvl_queue_wake()); KVL_ERR_BUSY (another thread reads), KVL_ERR_REENTRANT,
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
        let out = caller.struct_out(out_event, out_size)?;
        let queue = caller.share(queue.cast_const())?;
        let timeout = timeout_of(timeout_ms)?;
        queue.drop_last_event();
        loop {
            let polled = match queue.queue.next(timeout) {
                Ok(polled) => polled,
                Err(error) => return status_of_read(error),
            };
            // A cancel hook whose request was released has no event.
            if let Some(mut view) = EventView::of(polled) {
                view.event.struct_size = out.size();
                out.write(&view.event);
                *queue.last_event.lock() = Some(view);
                return Ok(Status::OK);
            }
        }
    })
}

/// Returns how many events wait. A queue has no limit, so a program whose threads cause events faster than it reads them can hold these
/// threads back while many wait.
///
/// Events that were sent together, such as the results of fetches that waited for one key, count as one. A destructor that is to run on the
/// reading thread counts as an event.
///
/// @param queue  [borrowed] from kvl_queue_new(); may be NULL.
/// @return the number of events; 0 for NULL and for a queue from before a fork.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_len(queue: *const kvl_queue_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(queue).map_or(0, |handle| handle.queue.len()))
}

/// Makes a waiting kvl_queue_poll() or kvl_queue_next(), or the next one that would wait, return KVL_EMPTY.
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

/// Frees a queue. Waiting events are dropped here: destructors, also those of user data, run, but no callback does.
///
/// An engine that was disposed of by kvl_tasks_dispose() does not keep the queue busy, even while it is still ending: events that it sends
/// later are dropped where they are sent.
///
/// @param queue  [owned] from kvl_queue_new(); may be NULL. Unchanged on an error.
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
        handle.drop_last_event();
        handle.queue.free();
        Ok(Status::OK)
    })
}

/// Disposes of a queue that is no longer read. Never waits, so that destructors, finalizers and callbacks can call it.
///
/// Unlike kvl_queue_free(), it does not require that the engines and caches that send to it have ended, so it may be called before or after
/// they are disposed of. Waiting events are dropped here, and later ones where they are sent: destructors, also those of user data, run,
/// but no callback does. A fetch whose result would be sent to the queue gets no event: only its user data is freed.
///
/// @param queue  [owned] from kvl_queue_new(); may be NULL. Must not be used again. If a callback disposes of the queue that is being read,
///               that call of kvl_queue_poll() or kvl_queue_next() ends after the callback.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_queue_dispose(queue: *mut kvl_queue_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || {
        if let Ok(handle) = caller.take(queue) {
            handle.drop_last_event();
            handle.queue.dispose();
        }
    });
}

/// Sends events to a queue instead of to threads of the library.
///
/// @param config  [borrowed] from kvl_config_new().
/// @param queue   [retained] from kvl_queue_new(); NULL: threads of the library again.
/// @param what    KVL_QUEUE_F_RESULTS, KVL_QUEUE_F_PROVIDER, KVL_QUEUE_F_REMOVALS and KVL_QUEUE_F_L2 combined by `|`; KVL_QUEUE_F_ALL for
///                the first three.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (unknown bits, or none), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_queue(config: *mut kvl_config_t, queue: *mut kvl_queue_t, what: u32) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let config = caller.borrow(config)?;
        if what == 0 || what & !(KVL_QUEUE_F_ALL | KVL_QUEUE_F_L2) != 0 {
            return Err(Status::ERR_INVALID_ARG);
        }
        let queue = if queue.is_null() { None } else { Some(caller.borrow(queue)?.queue()) };
        config.route(|routes: &mut Routes| {
            for (flag, route) in [
                (KVL_QUEUE_F_RESULTS, &mut routes.results),
                (KVL_QUEUE_F_PROVIDER, &mut routes.provider),
                (KVL_QUEUE_F_REMOVALS, &mut routes.removals),
                (KVL_QUEUE_F_L2, &mut routes.second_tier),
            ] {
                if what & flag != 0 {
                    route.clone_from(&queue);
                }
            }
        });
        Ok(Status::OK)
    })
}

/// Creates a value of an object that is destroyed where a queue is read, whichever thread drops the last reference.
///
/// @param queue        [retained] from kvl_queue_new(). Once it is freed, the object is destroyed where its last reference is dropped.
/// @param object       [owned by the value] any pointer but NULL.
/// @param cost         the object's cost, in bytes.
/// @param object_free  [retained] frees `object` inside kvl_queue_poll() or kvl_queue_next(), or before this returns if the call fails.
///                     NULL: KVL_EVENT_DROP reports the drop.
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
        Ok(out.give(Answer::Value(Value::object(object.bound_to(queue), cost)), Status::OK))
    })
}
