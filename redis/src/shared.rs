//! What the program's threads and the thread `kvl-redis` share.
//!
//! | lock | held for | held while taking |
//! |---|---|---|
//! | engines | attaching and detaching; telling the engines of writes, so that an engine is not freed meanwhile | locks of kvlight |
//! | problem | replacing or copying a text | – |
//!
//! No code of the program runs under either: kvl_tasks_invalidate passes values on to be released elsewhere.

use crate::kvlight::{Engine, Library, Request};
use crate::settings::Settings;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// What the thread is asked to do.
pub enum Command {
    /// To serve a request. kvlight has `l2.max_requests` and one more of an engine at a time: that bounds the queue.
    Serve(Request),
    /// To end.
    Stop,
}

/// Counters for people and tests, without an order among them.
#[derive(Default)]
pub struct Counts {
    /// Connections that were made.
    pub sessions: AtomicU64,
    /// Leases that this process was granted.
    pub leases: AtomicU64,
    /// Keys that were found to be loaded by another process.
    pub busy: AtomicU64,
    /// Keys of other processes' writes that were heard.
    pub heard: AtomicU64,
    /// Keys of this process's writes that were heard and skipped.
    pub own: AtomicU64,
    /// Times that the log did not reach back to what was heard before.
    pub gaps: AtomicU64,
    /// Times that the log could not be heard for blind_ms.
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
    /// The copy of kvlight that its requests and engines are of.
    pub library: Library,
    /// Names this process in the log.
    pub source: [u8; 8],
    /// The counters.
    pub counts: Counts,
    /// Whether there is a link.
    pub is_connected: AtomicBool,
    /// Whether the log is being heard.
    pub is_listening: AtomicBool,
    commands: UnboundedSender<Command>,
    engines: Mutex<Vec<Engine>>,
    problem: Mutex<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Of one second tier.
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

    /// Asks the thread. If it has ended, the command is dropped, and with it a request fails.
    pub fn ask(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Tells this engine of writes from now on. What it has already expires, since writes of that may have been heard before.
    pub fn attach(&self, engine: Engine) {
        let mut engines = lock(&self.engines);
        if !engines.contains(&engine) {
            engines.push(engine);
            engine.expire_all();
        }
    }

    /// Tells no engine of anything any more. When this returns, none is being told.
    pub fn detach_all(&self) {
        lock(&self.engines).clear();
    }

    /// Whether this process's own writes may be skipped: the one engine has made them itself. If there are several, the others must hear of them.
    pub fn skips_own(&self) -> bool {
        self.has_one_engine()
    }

    /// Whether just one engine is attached.
    pub fn has_one_engine(&self) -> bool {
        lock(&self.engines).len() == 1
    }

    /// Does something with each engine that is attached.
    pub fn each_engine(&self, mut action: impl FnMut(Engine)) {
        lock(&self.engines).iter().for_each(|engine| action(*engine));
    }

    /// Keeps what is wrong, to be shown; `None`: all is well.
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

/// Appends a text in JSON's quotes.
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
