//! The functions of kvlight_redis.h. No panic crosses them.

use crate::event::Event;
use crate::kvlight::{self, Config, Engine, Error, Found, L2Request, LINKED, Library, Request, Status, Tasks, Value};
use crate::settings::Settings;
use crate::shared::{Command, Shared};
use crate::signals::without_signals;
use crate::worker;
use redis::Client;
use std::ffi::{CStr, c_char, c_void};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::Builder;
use tokio::sync::mpsc::unbounded_channel;

/// `kvl_redis_t`.
pub struct Redis {
    shared: Arc<Shared>,
    /// `None` once the thread has been ended. The lock is held only to take or look at this.
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The process that made this. In a forked child there is no such thread.
    process: u32,
}

fn guarded(action: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or(kvlight::ERR_PANIC)
}

/// Why a second tier could not be created.
struct Refused {
    status: Status,
    why: String,
}

fn refused(status: Status, why: impl Into<String>) -> Refused {
    Refused { status, why: why.into() }
}

/// # Safety
/// As `kvl_redis_use` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_use(
    config: *mut Config,
    url: *const c_char,
    out_redis: *mut *mut Redis,
    out_error: *mut *mut Error,
) -> Status {
    guarded(|| {
        if config.is_null() || url.is_null() || out_redis.is_null() {
            return kvlight::ERR_NULL_POINTER;
        }
        // SAFETY: the caller promises a text that ends with a NUL.
        let made = make(unsafe { CStr::from_ptr(url) }, LINKED).and_then(|redis| {
            let user_data = Arc::into_raw(redis.shared.clone()).cast_mut().cast();
            // SAFETY: the caller promises a configuration. The user data is one reference to what is shared, which `release` gives back.
            match unsafe { kvlight::set_second_tier(config, serve, user_data, release) } {
                kvlight::OK => Ok(redis),
                status => Err(refused(status, "The configuration did not accept a second tier.")),
            }
        });
        // SAFETY: the caller promises that both may be written to.
        unsafe { write_out(made, &LINKED, out_redis, out_error) }
    })
}

/// # Safety
/// As `kvl_redis_open` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_open(
    url: *const c_char,
    library: *const Library,
    out_redis: *mut *mut Redis,
    out_error: *mut *mut Error,
) -> Status {
    guarded(|| {
        if url.is_null() || out_redis.is_null() {
            return kvlight::ERR_NULL_POINTER;
        }
        // SAFETY: the caller promises the functions of its copy of kvlight, or null.
        let Some(library) = (unsafe { Library::copied(library) }) else { return kvlight::ERR_INVALID_ARG };
        // SAFETY: the caller promises a text that ends with a NUL, and that both outputs may be written to.
        unsafe { write_out(make(CStr::from_ptr(url), library), &library, out_redis, out_error) }
    })
}

/// Writes the new connection, or the error.
///
/// # Safety
/// `out_redis` may be written to; `out_error` too, or it is null.
unsafe fn write_out(made: Result<Redis, Refused>, library: &Library, out_redis: *mut *mut Redis, out_error: *mut *mut Error) -> Status {
    match made {
        Ok(redis) => {
            // SAFETY: as this function's caller promises.
            unsafe { out_redis.write(Box::into_raw(Box::new(redis))) };
            kvlight::OK
        }
        Err(Refused { status, why }) => {
            // SAFETY: as this function's caller promises.
            unsafe { library.new_error(&why, out_error) };
            status
        }
    }
}

/// Reads the URL and starts the thread.
fn make(url: &CStr, library: Library) -> Result<Redis, Refused> {
    let url = url.to_str().map_err(|_| refused(kvlight::ERR_BAD_VALUE, "The URL is not UTF-8: write other bytes as %XX."))?;
    let settings = Settings::from_url(url).map_err(|why| refused(kvlight::ERR_BAD_VALUE, why))?;
    let clients: Result<Vec<Client>, _> = settings.asked().iter().cloned().map(Client::open).collect();
    let clients = clients.map_err(|error| refused(kvlight::ERR_BAD_VALUE, error.to_string()))?;
    let (sender, commands) = unbounded_channel();
    let shared = Arc::new(Shared::new(settings, library, sender));
    let of_thread = shared.clone();
    // Whether the thread could create its runtime. The first result counts, so the reason for a failure is not replaced by the fact that
    // the thread has ended.
    let start: Arc<Event<io::Result<()>>> = Arc::new(Event::new());
    let started = start.clone();
    let thread = without_signals(|| {
        let builder = std::thread::Builder::new().name("kvl-redis".to_owned());
        builder.spawn(move || {
            // After a panic, which would be a bug of this library, requests fail, and kvlight asks the provider.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let runtime = Builder::new_current_thread().enable_io().enable_time().max_blocking_threads(1).build();
                match runtime {
                    Ok(runtime) => {
                        started.set(Ok(()));
                        worker::run(runtime, clients, of_thread, commands);
                    }
                    Err(error) => started.set(Err(error)),
                }
            }));
            started.set(Err(io::Error::other("the thread has ended")));
        })
    });
    let thread = thread.map_err(|error| refused(kvlight::ERR_NO_THREAD, format!("The system has no thread left: {error}")))?;
    let redis = Redis { shared, thread: Mutex::new(Some(thread)), process: std::process::id() };
    start.wait().map_err(|error| refused(kvlight::ERR_NO_FD, format!("The system has no descriptor left: {error}")))?;
    Ok(redis)
}

/// `kvl_l2_fn`: hands the request to the thread, which answers it.
unsafe extern "C" fn serve(user_data: *mut c_void, request: *mut L2Request) {
    let _ = catch_unwind(|| {
        // SAFETY: kvlight passes the user data, which it has not released.
        let shared = unsafe { &*user_data.cast::<Shared>() };
        // SAFETY: this is the request that the second tier is called with.
        shared.ask(Command::Serve(unsafe { Request::retain(request, &shared.library) }));
    });
}

/// `kvl_free_fn` of the user data.
unsafe extern "C" fn release(user_data: *mut c_void) {
    let _ = catch_unwind(|| {
        // SAFETY: kvlight calls this once, with the reference that it was given.
        drop(unsafe { Arc::from_raw(user_data.cast::<Shared>().cast_const()) });
    });
}

/// # Safety
/// As `kvl_redis_serve` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_serve(
    redis: *mut Redis,
    request: *mut L2Request,
    out_found: *mut *mut Found,
    out_len: *mut usize,
) -> Status {
    guarded(|| {
        if redis.is_null() || request.is_null() || out_found.is_null() || out_len.is_null() {
            return kvlight::ERR_NULL_POINTER;
        }
        // SAFETY: the caller promises that both may be written to.
        unsafe {
            out_found.write(std::ptr::null_mut());
            out_len.write(0);
        }
        // SAFETY: the caller promises a connection that was not freed.
        let redis = unsafe { &*redis };
        if redis.process != std::process::id() {
            return kvlight::ERR_FORKED;
        }
        let outcome = Arc::new(Event::new());
        // SAFETY: the caller promises a request of its copy of kvlight.
        redis.shared.ask(Command::Serve(unsafe { Request::retain_for(request, &redis.shared.library, outcome.clone()) }));
        let Some(found) = outcome.wait() else {
            return if redis.is_stopped() { kvlight::ERR_CLOSED } else { kvlight::ERR_UNAVAILABLE };
        };
        if !found.is_empty() {
            let found: Box<[Found]> = found.into();
            let len = found.len();
            // SAFETY: the caller promises that both may be written to.
            unsafe {
                out_found.write(Box::into_raw(found).cast());
                out_len.write(len);
            }
        }
        kvlight::OK
    })
}

/// # Safety
/// As `kvl_redis_found_free` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_found_free(found: *mut Found, len: usize) {
    guarded(|| {
        if !found.is_null() {
            // SAFETY: the caller promises what kvl_redis_serve has written.
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(found, len)) });
        }
        kvlight::OK
    });
}

/// # Safety
/// As `kvl_redis_attach` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_attach(redis: *mut Redis, tasks: *mut Tasks) -> Status {
    guarded(|| {
        if redis.is_null() || tasks.is_null() {
            return kvlight::ERR_NULL_POINTER;
        }
        // SAFETY: the caller promises a connection that was not freed.
        let redis = unsafe { &*redis };
        if redis.process != std::process::id() {
            return kvlight::ERR_FORKED;
        }
        if redis.shared.attach(Engine::new(tasks, &redis.shared.library)) { kvlight::OK } else { kvlight::ERR_CLOSED }
    })
}

/// # Safety
/// As `kvl_redis_state` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_state(redis: *const Redis, out_text: *mut *mut Value) -> Status {
    guarded(|| {
        if redis.is_null() || out_text.is_null() {
            return kvlight::ERR_NULL_POINTER;
        }
        // SAFETY: the caller promises a connection that was not freed.
        let redis = unsafe { &*redis };
        if redis.process != std::process::id() {
            return kvlight::ERR_FORKED;
        }
        // SAFETY: the caller promises that it may be written to.
        unsafe { redis.shared.library.new_value(redis.shared.describe().as_bytes(), out_text) }
    })
}

/// # Safety
/// As `kvl_redis_stop` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_stop(redis: *mut Redis) {
    guarded(|| {
        if !redis.is_null() {
            // SAFETY: the caller promises a connection that was not freed.
            unsafe { &*redis }.stop();
        }
        kvlight::OK
    });
}

/// # Safety
/// As `kvl_redis_free` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_free(redis: *mut Redis) {
    guarded(|| {
        if !redis.is_null() {
            // SAFETY: the caller promises a connection that was not freed, and does not use it again.
            drop(unsafe { Box::from_raw(redis) });
        }
        kvlight::OK
    });
}

impl Redis {
    /// Ends the thread and waits for it. In a forked child there is no thread, and the locks may be locked for ever.
    fn stop(&self) {
        if self.process != std::process::id() {
            return;
        }
        self.shared.end();
        self.shared.ask(Command::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Whether the thread was ended.
    fn is_stopped(&self) -> bool {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
        if self.process != std::process::id() {
            // The locks in what is shared may be locked for ever, so both are leaked.
            std::mem::forget((self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take(), self.shared.clone()));
        }
    }
}
