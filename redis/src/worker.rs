//! The thread `kvl-redis`: it serves requests, maintains the links and reads the log. Its tasks run on one thread, so what they share needs
//! no lock. It sleeps unless something arrives.

use crate::journal::Journal;
use crate::leases::Leases;
use crate::link::{FormerLinks, Link, Problem};
use crate::nodes::{self, Node, Topology};
use crate::settings::{Names, Settings};
use crate::shared::{Command, Shared, count};
use crate::stored::{Epoch, KnownEpoch};
use crate::{log, serve};
use redis::{Client, Pipeline};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

/// The interval at which a server's time is read again: clocks drift, and are adjusted.
pub const TIME_LASTS_MS: u64 = 1_000;
/// How long the shutdown waits for a host name that is being looked up.
const RESOLVER_LIMIT: Duration = Duration::from_secs(1);

/// What the thread's tasks share.
pub struct Worker {
    /// What the thread shares with the program's threads.
    pub shared: Arc<Shared>,
    /// The settings of the URL.
    pub settings: Settings,
    /// Clients of the servers of the URL, or of its Sentinels.
    pub clients: Vec<Client>,
    /// The names of the keys in the server.
    pub names: Names,
    /// The current epoch, if it is known.
    pub epoch: KnownEpoch,
    /// The last writes.
    pub journal: RefCell<Journal>,
    /// The leases that are not used yet.
    pub leases: RefCell<Leases>,
    /// Notified when a write is added to the journal.
    pub has_written: Notify,
    /// Whether the problem that is shown is a write that the server refused.
    pub refuses_writes: Cell<bool>,
    /// Whether the log has been followed before. If so, to begin at its end again is a gap.
    pub has_heard: Cell<bool>,
    /// When the log was last read, or when everything cached was last expired because it could not be read.
    pub current_at: Cell<Instant>,
    /// Former links to servers that are no longer used.
    pub former_links: RefCell<FormerLinks>,
    /// The servers.
    pub topology: RefCell<Topology>,
    /// Notified when the topology seems outdated.
    pub moved: Notify,
    /// The number of the last session.
    sessions: Cell<u64>,
    /// The start of this process's clock.
    began: Instant,
}

/// Runs until the command to stop arrives.
pub fn run(runtime: Runtime, clients: Vec<Client>, shared: Arc<Shared>, mut commands: UnboundedReceiver<Command>) {
    let local = LocalSet::new();
    let worker = Rc::new(Worker::new(clients, shared));
    local.block_on(&runtime, async {
        tokio::task::spawn_local(nodes::keep_all(worker.clone()));
        tokio::task::spawn_local(nodes::watch(worker.clone()));
        tokio::task::spawn_local(log::follow(worker.clone()));
        while let Some(Command::Serve(request)) = commands.recv().await {
            tokio::task::spawn_local(serve::serve(worker.clone(), request));
        }
    });
    worker.shared.is_connected.store(false, Ordering::Relaxed);
    worker.shared.is_listening.store(false, Ordering::Relaxed);
    worker.topology.take().close();
    // The channel exists as long as its senders, and this thread's waker in it would keep the runtime's descriptors open. Polling replaces
    // that waker by one that does nothing.
    commands.close();
    while let Poll::Ready(Some(_)) = commands.poll_recv(&mut Context::from_waker(Waker::noop())) {}
    // Requests that are being served fail here; those in the queue failed in the loop above.
    drop((local, commands, worker));
    runtime.shutdown_timeout(RESOLVER_LIMIT);
}

impl Worker {
    fn new(clients: Vec<Client>, shared: Arc<Shared>) -> Worker {
        Worker {
            settings: shared.settings.clone(),
            names: Names::new(&shared.settings.prefix),
            clients,
            epoch: KnownEpoch::default(),
            journal: RefCell::default(),
            leases: RefCell::default(),
            has_written: Notify::new(),
            refuses_writes: Cell::new(false),
            has_heard: Cell::new(false),
            current_at: Cell::new(Instant::now()),
            former_links: RefCell::default(),
            topology: RefCell::default(),
            moved: Notify::new(),
            sessions: Cell::new(0),
            began: Instant::now(),
            shared,
        }
    }

    /// The server that holds this key, if it is known.
    pub fn node_of(&self, name: &[u8]) -> Option<Rc<Node>> {
        self.topology.borrow().node_of(name).cloned()
    }

    /// The link to the server that holds this key, if there is one.
    pub fn link_of(&self, name: &[u8]) -> Option<Link> {
        self.node_of(name)?.link()
    }

    /// A number for a new session.
    pub fn next_session(&self) -> u64 {
        self.sessions.set(self.sessions.get() + 1);
        self.sessions.get()
    }

    /// Sets the link to a server.
    pub fn set_link(&self, node: &Node, link: Link) {
        node.set_link(link);
        count(&self.shared.counts.sessions, 1);
        self.note_links();
    }

    /// Drops a link.
    pub fn lose(&self, link: &Link, problem: Problem) {
        if link.node.lose(link.session) {
            self.shared.report(Some(problem));
            self.note_links();
            self.moved.notify_one();
        }
    }

    /// Updates whether all servers are connected.
    pub fn note_links(&self) {
        self.shared.is_connected.store(self.topology.borrow().is_connected(), Ordering::Relaxed);
    }

    /// Records that the log has been read up to now.
    pub fn note_log_read(&self) {
        self.current_at.set(Instant::now());
    }

    /// Clears the reported problem, if requests are being served and the log is being read.
    pub fn report_recovery(&self) {
        if self.topology.borrow().is_connected() && self.shared.is_listening.load(Ordering::Relaxed) {
            self.shared.report(None);
        }
    }

    /// Whether the keys are spread over several servers. Sentinels name a single one at a time.
    pub fn is_sharded(&self) -> bool {
        self.settings.sentinel.is_none() && self.topology.borrow().is_cluster()
    }

    /// Milliseconds of this process's clock. It does not jump.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Records a write in the journal: to be called before it is sent.
    pub fn note_write(&self, add: impl FnOnce(&mut Journal, u64, Duration)) {
        let mut journal = self.journal.borrow_mut();
        if self.topology.borrow().is_connected() {
            journal.forget_old(self.now_ms(), self.settings.journal);
        }
        add(&mut journal, self.now_ms(), self.settings.journal);
        self.has_written.notify_one();
    }

    /// Until when a lease that is requested now may be used, in milliseconds of this process's clock: well before it expires in the server.
    pub fn lease_until(&self) -> u64 {
        let lease = u64::try_from(self.settings.lease.as_millis()).unwrap_or(u64::MAX);
        self.now_ms().saturating_add(lease / 5 * 4)
    }

    /// Adds the notice of a change of keys: an entry of the log.
    pub fn add_notice<'a>(&self, commands: &mut Pipeline, keys: impl Iterator<Item = &'a [u8]>) {
        self.add_log_entry(commands);
        for key in keys {
            commands.arg("k").arg(key);
        }
    }

    /// Adds a new epoch, which makes all entries absent, and the notice after it.
    pub fn add_clear(&self, commands: &mut Pipeline, epoch: Epoch) {
        commands.cmd("SET").arg(&self.names.epoch).arg(&epoch[..]);
        self.add_epoch_notice(commands, epoch);
    }

    /// Adds the notice that a new epoch has begun: an entry of the log.
    pub fn add_epoch_notice(&self, commands: &mut Pipeline, epoch: Epoch) {
        self.add_log_entry(commands);
        commands.arg("c").arg(&epoch[..]);
    }

    /// Adds an entry of the log that names its writer; the caller appends the rest.
    pub fn add_log_entry(&self, commands: &mut Pipeline) {
        commands.cmd("XADD").arg(&self.names.log).arg("MAXLEN").arg("~").arg(self.settings.log_entries).arg("*");
        commands.arg("s").arg(&self.shared.source[..]);
    }
}
