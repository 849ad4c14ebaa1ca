//! The thread `kvl-redis`: it serves requests, keeps the link and hears the log. All of it is one thread, so what it shares with itself needs no
//! lock; it sleeps unless something arrives.

use crate::journal::Journal;
use crate::link::{self, Link};
use crate::settings::{Names, Settings};
use crate::shared::{Command, Shared, count};
use crate::stored::Epoch;
use crate::{log, serve};
use redis::{Client, Pipeline, Value};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

/// How often a write is sent again because a new epoch had begun.
pub const EPOCH_ATTEMPTS: usize = 4;
/// After so long the server's time is asked for again.
const TIME_LASTS_MS: u64 = 1_000;
/// How long the end waits for a name that is being looked up.
const RESOLVER_LIMIT: Duration = Duration::from_secs(1);

/// What the thread's tasks share.
pub struct Worker {
    /// What it shares with other threads.
    pub shared: Arc<Shared>,
    /// The settings of the URL.
    pub settings: Settings,
    /// Makes connections.
    pub client: Client,
    /// The keys in the server.
    pub names: Names,
    /// The generation of all entries, as far as it is known.
    pub epoch: Cell<Option<Epoch>>,
    /// The last writes.
    pub journal: RefCell<Journal>,
    /// Whether the problem that is shown is a write that the server refused.
    pub refuses_writes: Cell<bool>,
    /// Whether the log has ever been heard.
    pub has_heard: Cell<bool>,
    /// Rings when the link is lost, once each time.
    pub lost: Notify,
    link: RefCell<Option<Link>>,
    began: Instant,
    time: Cell<ServerTime>,
}

/// The server's clock, as it was read.
#[derive(Clone, Copy, Default)]
struct ServerTime {
    /// In milliseconds since 1970.
    server_ms: u64,
    /// When it was read, by the clock of this process.
    read_at: u64,
}

/// Runs until it is told to stop.
pub fn run(runtime: Runtime, client: Client, shared: Arc<Shared>, mut commands: UnboundedReceiver<Command>) {
    let local = LocalSet::new();
    let worker = Rc::new(Worker::new(client, shared));
    local.block_on(&runtime, async {
        tokio::task::spawn_local(link::keep(worker.clone()));
        tokio::task::spawn_local(log::follow(worker.clone()));
        while let Some(Command::Serve(request)) = commands.recv().await {
            tokio::task::spawn_local(serve::serve(worker.clone(), request));
        }
    });
    worker.shared.is_connected.store(false, Ordering::Relaxed);
    worker.shared.is_listening.store(false, Ordering::Relaxed);
    // Requests that are not served yet fail here, and those that are still in the queue.
    drop((local, commands, worker));
    runtime.shutdown_timeout(RESOLVER_LIMIT);
}

impl Worker {
    fn new(client: Client, shared: Arc<Shared>) -> Worker {
        Worker {
            settings: shared.settings.clone(),
            names: Names::new(&shared.settings.prefix),
            client,
            epoch: Cell::new(None),
            journal: RefCell::default(),
            refuses_writes: Cell::new(false),
            has_heard: Cell::new(false),
            lost: Notify::new(),
            link: RefCell::new(None),
            began: Instant::now(),
            time: Cell::default(),
            shared,
        }
    }

    /// The link, if there is one.
    pub fn link(&self) -> Option<Link> {
        self.link.borrow().clone()
    }

    /// There is a link from now on.
    pub fn set_link(&self, link: Link) {
        *self.link.borrow_mut() = Some(link);
        count(&self.shared.counts.sessions, 1);
        self.shared.is_connected.store(true, Ordering::Relaxed);
    }

    /// The link of this session is not used any more.
    pub fn lose(&self, session: u64, problem: String) {
        let mut link = self.link.borrow_mut();
        if link.as_ref().is_some_and(|link| link.session == session) {
            *link = None;
            self.shared.is_connected.store(false, Ordering::Relaxed);
            self.shared.report(Some(problem));
            self.lost.notify_one();
        }
    }

    /// Milliseconds of this process's clock. It does not jump.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes the server's time from the reply to TIME. Returns whether it is one.
    pub fn learn_time(&self, reply: &Value) -> bool {
        let Value::Array(parts) = reply else { return false };
        let part = |at: usize| -> Option<u64> { str::from_utf8(link::bytes(parts.get(at)?)?).ok()?.parse().ok() };
        let (Some(seconds), Some(micros)) = (part(0), part(1)) else { return false };
        let server_ms = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        self.time.set(ServerTime { server_ms, read_at: self.now_ms() });
        true
    }

    /// Whether the server's time is worth asking for again. Clocks drift, and are set.
    pub fn is_time_old(&self) -> bool {
        self.now_ms().saturating_sub(self.time.get().read_at) >= TIME_LASTS_MS
    }

    /// The server's clock in milliseconds since 1970, as far as it is known (rule T14: no clock of this machine is compared with it).
    pub fn server_ms(&self) -> u64 {
        let ServerTime { server_ms, read_at } = self.time.get();
        server_ms.saturating_add(self.now_ms().saturating_sub(read_at))
    }

    /// Until when a lease may be used that is asked for now: well before the server forgets it.
    pub fn lease_until(&self) -> u64 {
        let lease = u64::try_from(self.settings.lease.as_millis()).unwrap_or(u64::MAX);
        self.now_ms().saturating_add(lease / 5 * 4)
    }

    /// The removal of keys, and the notice after it (rule T04). The last reply is that of the notice.
    pub fn add_removal<'a>(&self, commands: &mut Pipeline, keys: impl Iterator<Item = &'a [u8]> + Clone) {
        for key in keys.clone() {
            commands.cmd("UNLINK").arg(self.names.entry(key));
        }
        self.add_notice(commands, keys);
    }

    /// The notice of a change of keys: an entry of the log.
    pub fn add_notice<'a>(&self, commands: &mut Pipeline, keys: impl Iterator<Item = &'a [u8]>) {
        self.add_log_entry(commands);
        for key in keys {
            commands.arg("k").arg(key);
        }
    }

    /// The beginning of another epoch, which makes all entries absent, and the notice after it.
    pub fn add_clear(&self, commands: &mut Pipeline, epoch: Epoch) {
        commands.cmd("SET").arg(&self.names.epoch).arg(&epoch[..]);
        self.add_log_entry(commands);
        commands.arg("c").arg(&epoch[..]);
    }

    /// An entry of the log that only says where it comes from.
    pub fn add_log_entry(&self, commands: &mut Pipeline) {
        commands.cmd("XADD").arg(&self.names.log).arg("MAXLEN").arg("~").arg(self.settings.log_entries).arg("*");
        commands.arg("s").arg(&self.shared.source[..]);
    }
}
