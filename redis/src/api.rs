//! The functions of kvlight_redis.h. No panic crosses them.

use crate::kvlight::{self, Config, Engine, Error, L2Request, Request, Status, Tasks, Value};
use crate::settings::Settings;
use crate::shared::{Command, Shared};
use crate::signals::without_signals;
use crate::worker;
use redis::Client;
use std::ffi::{CStr, c_char, c_void};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::Builder;
use tokio::sync::mpsc::unbounded_channel;

/// `kvl_redis_t`.
pub struct Redis {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// The process that made it. A child of it has no thread.
    process: u32,
}

fn guarded(action: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or(kvlight::ERR_PANIC)
}

/// Why a second tier was not made.
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
        let url = unsafe { CStr::from_ptr(url) };
        // SAFETY: the caller promises a configuration.
        match unsafe { make(config, url) } {
            Ok(redis) => {
                // SAFETY: the caller promises a place for it.
                unsafe { out_redis.write(Box::into_raw(Box::new(redis))) };
                kvlight::OK
            }
            Err(Refused { status, why }) => {
                // SAFETY: the caller promises a place for it, or null.
                unsafe { kvlight::new_error(&why, out_error) };
                status
            }
        }
    })
}

/// Whether the thread has what it needs. Not a channel of std: that would keep a few bytes of the program's thread until it ends, which a program
/// that looks for leaks would find.
struct Start {
    result: Mutex<Option<io::Result<()>>>,
    is_set: Condvar,
}

impl Start {
    fn new() -> (Arc<Start>, Arc<Start>) {
        let start = Arc::new(Start { result: Mutex::new(None), is_set: Condvar::new() });
        (start.clone(), start)
    }

    /// The first result counts: why it has failed, rather than that it has ended.
    fn set(&self, result: io::Result<()>) {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(result);
        self.is_set.notify_all();
    }

    fn wait(&self) -> io::Result<()> {
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match result.take() {
                Some(result) => return result,
                None => result = self.is_set.wait(result).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// # Safety
/// `config` is a configuration of kvlight.
unsafe fn make(config: *mut Config, url: &CStr) -> Result<Redis, Refused> {
    let url = url.to_str().map_err(|_| refused(kvlight::ERR_BAD_VALUE, "The URL is not UTF-8: write other bytes as %XX."))?;
    let settings = Settings::from_url(url).map_err(|why| refused(kvlight::ERR_BAD_VALUE, why))?;
    let clients: Result<Vec<Client>, _> = settings.servers.iter().cloned().map(Client::open).collect();
    let clients = clients.map_err(|error| refused(kvlight::ERR_BAD_VALUE, error.to_string()))?;
    let (sender, commands) = unbounded_channel();
    let shared = Arc::new(Shared::new(settings, sender));
    let of_thread = shared.clone();
    let (started, start) = Start::new();
    let thread = without_signals(|| {
        let builder = std::thread::Builder::new().name("kvl-redis".to_owned());
        builder.spawn(move || {
            // After a panic, which would be an error of this library, requests fail, and kvlight asks the provider.
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
    let redis = Redis { shared: shared.clone(), thread: Some(thread), process: std::process::id() };
    start.wait().map_err(|error| refused(kvlight::ERR_NO_FD, format!("The system has no descriptor left: {error}")))?;
    // SAFETY: the caller promises a configuration. The user data is one reference to what is shared, which `release` gives back.
    let status = unsafe { kvlight::set_second_tier(config, serve, Arc::into_raw(shared).cast_mut().cast(), release) };
    if status != kvlight::OK {
        return Err(refused(status, "The configuration took no second tier."));
    }
    Ok(redis)
}

/// `kvl_l2_fn`: hands the request to the thread, which answers it.
unsafe extern "C" fn serve(user_data: *mut c_void, request: *mut L2Request) {
    let _ = catch_unwind(|| {
        // SAFETY: kvlight passes the user data, which it has not released.
        let shared = unsafe { &*user_data.cast::<Shared>() };
        // SAFETY: this is the request that the second tier is called with.
        shared.ask(Command::Serve(unsafe { Request::retain(request) }));
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
/// As `kvl_redis_attach` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_attach(redis: *mut Redis, tasks: *mut Tasks) -> Status {
    guarded(|| {
        if redis.is_null() || tasks.is_null() {
            return kvlight::ERR_NULL_POINTER;
        }
        // SAFETY: the caller promises one that was not freed.
        let redis = unsafe { &*redis };
        if redis.process != std::process::id() {
            return kvlight::ERR_FORKED;
        }
        redis.shared.attach(Engine(tasks));
        kvlight::OK
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
        // SAFETY: the caller promises one that was not freed.
        let redis = unsafe { &*redis };
        if redis.process != std::process::id() {
            return kvlight::ERR_FORKED;
        }
        // SAFETY: the caller promises a place for the value.
        unsafe { kvlight::new_value(redis.shared.describe().as_bytes(), out_text) }
    })
}

/// # Safety
/// As `kvl_redis_free` in the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_redis_free(redis: *mut Redis) {
    guarded(|| {
        if !redis.is_null() {
            // SAFETY: the caller promises one that was not freed, and does not use it again.
            drop(unsafe { Box::from_raw(redis) });
        }
        kvlight::OK
    });
}

impl Drop for Redis {
    fn drop(&mut self) {
        let thread = self.thread.take();
        if self.process != std::process::id() {
            // In the child of a fork there is no thread to wait for, and its locks may be held for ever.
            std::mem::forget((thread, self.shared.clone()));
            return;
        }
        self.shared.detach_all();
        self.shared.ask(Command::Stop);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
