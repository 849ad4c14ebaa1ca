//! What the program's threads and the thread `kvl-redis` share.
//!
//! | lock | held for | held while taking |
//! |---|---|---|
//! | engines | attaching and detaching; invalidating keys in the engines, so that no engine is freed meanwhile | locks of kvlight |
//! | problem | replacing or copying a text | – |
//!
//! No code of the program runs under either: kvl_tasks_invalidate leaves the release of values to other threads.

use crate::kvlight::{Engine, Library, Request};
use crate::settings::Settings;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// A command to the thread `kvl-redis`.
pub enum Command {
    /// Serves a request. An engine has at most `l2.max_requests` + 1 requests at a time, which bounds the queue.
    Serve(Request),
    /// Ends the thread.
    Stop,
}

/// Counters for operators and tests. Each is read by itself, so together they are no snapshot.
#[derive(Default)]
pub struct Counts {
    /// Links that were made.
    pub sessions: AtomicU64,
    /// Leases that this process was granted.
    pub leases: AtomicU64,
    /// Keys that another process was loading when they were looked up.
    pub busy: AtomicU64,
    /// Keys that other processes have written, as read from the log.
    pub heard: AtomicU64,
    /// Keys that this process itself has written, as read from the log, and skipped.
    pub own: AtomicU64,
    /// How many times the log no longer contained the entry that was read last.
    pub gaps: AtomicU64,
    /// How many times the log could not be read for `blind_ms`.
    pub blind: AtomicU64,
}

/// Adds to a counter.
pub fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

/// What the threads share.
pub struct Shared {
    /// The settings of the URL.
    pub settings: Settings,
    /// The functions of the copy of kvlight that the requests and engines belong to.
    pub library: Library,
    /// Identifies this process, in the log and as a holder of leases.
    pub source: [u8; 8],
    /// The counters.
    pub counts: Counts,
    /// Whether every server has a link.
    pub is_connected: AtomicBool,
    /// Whether the log is being read.
    pub is_listening: AtomicBool,
    commands: UnboundedSender<Command>,
    engines: Mutex<Engines>,
    problem: Mutex<Option<String>>,
}

/// The attached engines.
#[derive(Default)]
struct Engines {
    attached: Vec<Engine>,
    /// Whether the second tier has ended: no engine is attached any more.
    is_over: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks protect is consistent at any time, also after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Creates the state of one second tier.
    pub fn new(settings: Settings, library: Library, commands: UnboundedSender<Command>) -> Shared {
        Shared {
            settings,
            library,
            source: crate::random::random(),
            counts: Counts::default(),
            is_connected: AtomicBool::new(false),
            is_listening: AtomicBool::new(false),
            commands,
            engines: Mutex::default(),
            problem: Mutex::new(Some("The connection is not made yet.".to_owned())),
        }
    }

    /// Sends a command to the thread. If the thread has ended, the command is dropped, and a request in it fails.
    pub fn ask(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Attaches an engine: keys are invalidated in it from now on. Its present entries expire, since writes of their keys may have been read
    /// from the log already. Returns false, and does nothing, after the end.
    pub fn attach(&self, engine: Engine) -> bool {
        let mut engines = lock(&self.engines);
        if engines.is_over {
            return false;
        }
        if !engines.attached.contains(&engine) {
            engines.attached.push(engine);
            engine.expire_all();
        }
        true
    }

    /// Detaches all engines, for good. When this returns, no engine is being called.
    pub fn end(&self) {
        *lock(&self.engines) = Engines { attached: Vec::new(), is_over: true };
    }

    /// Whether exactly one engine is attached.
    pub fn has_one_engine(&self) -> bool {
        lock(&self.engines).attached.len() == 1
    }

    /// Calls a function with each attached engine.
    pub fn each_engine(&self, mut action: impl FnMut(Engine)) {
        lock(&self.engines).attached.iter().for_each(|engine| action(*engine));
    }

    /// Sets the problem that `kvl_redis_state` shows; `None` if there is none.
    pub fn report(&self, problem: Option<String>) {
        *lock(&self.problem) = problem;
    }

    /// The state as JSON.
    pub fn describe(&self) -> String {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let mut text = format!("{{\"connected\":{},\"listening\":{},\"problem\":", is(&self.is_connected), is(&self.is_listening));
        match &*lock(&self.problem) {
            Some(problem) => put_json(&mut text, problem),
            None => text.push_str("null"),
        }
        let Counts { sessions, leases, busy, heard, own, gaps, blind } = &self.counts;
        for (name, counter) in
            [("sessions", sessions), ("leases", leases), ("busy", busy), ("heard", heard), ("own", own), ("gaps", gaps), ("blind", blind)]
        {
            let _ = write!(text, ",\"{name}\":{}", counter.load(Ordering::Relaxed));
        }
        text.push('}');
        text
    }
}

/// Appends a text as a JSON string.
fn put_json(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_valid_json() {
        let mut json = String::new();
        put_json(&mut json, "a \"b\" \\ \n é");
        assert_eq!(json, r#""a \"b\" \\ \u000a é""#);
    }
}
