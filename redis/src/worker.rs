//! The thread `kvl-redis`: it serves requests, keeps the link and hears the log. All of it is one thread, so what it shares with itself needs no
//! lock; it sleeps unless something arrives.

use crate::journal::Journal;
use crate::link::{Link, Problem};
use crate::nodes::{self, Node, Topology};
use crate::settings::{Names, Settings};
use crate::shared::{Command, Shared, count};
use crate::stored::Epoch;
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

/// After so long a server's time is asked for again: clocks drift, and are set.
pub const TIME_LASTS_MS: u64 = 1_000;
/// How long the end waits for a name that is being looked up.
const RESOLVER_LIMIT: Duration = Duration::from_secs(1);

/// What the thread's tasks share.
pub struct Worker {
    /// What it shares with other threads.
    pub shared: Arc<Shared>,
    /// The settings of the URL.
    pub settings: Settings,
    /// Make connections to the servers of the URL.
    pub clients: Vec<Client>,
    /// The keys in the server.
    pub names: Names,
    /// The generation of all entries, as far as it is known.
    pub epoch: Cell<Option<Epoch>>,
    /// The last writes.
    pub journal: RefCell<Journal>,
    /// Rings when something is added to them.
    pub has_written: Notify,
    /// Whether the problem that is shown is a write that the server refused.
    pub refuses_writes: Cell<bool>,
    /// Whether the log has ever been heard.
    pub has_heard: Cell<bool>,
    /// When the log was heard last.
    pub heard_at: Cell<Instant>,
    /// Whether all entries have expired because it was not heard for blind_ms, and it was not heard since.
    pub is_blind: Cell<bool>,
    /// The servers.
    pub topology: RefCell<Topology>,
    /// Rings when keys seem to be elsewhere than the topology says.
    pub moved: Notify,
    sessions: Cell<u64>,
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
    // The channel lasts as long as its senders, and a waker that is left in it would keep the runtime's descriptors: another one takes its place.
    commands.close();
    while let Poll::Ready(Some(_)) = commands.poll_recv(&mut Context::from_waker(Waker::noop())) {}
    // Requests that are not served yet fail here, and those that are still in the queue.
    drop((local, commands, worker));
    runtime.shutdown_timeout(RESOLVER_LIMIT);
}

impl Worker {
    fn new(clients: Vec<Client>, shared: Arc<Shared>) -> Worker {
        Worker {
            settings: shared.settings.clone(),
            names: Names::new(&shared.settings.prefix),
            clients,
            epoch: Cell::new(None),
            journal: RefCell::default(),
            has_written: Notify::new(),
            refuses_writes: Cell::new(false),
            has_heard: Cell::new(false),
            heard_at: Cell::new(Instant::now()),
            is_blind: Cell::new(false),
            topology: RefCell::default(),
            moved: Notify::new(),
            sessions: Cell::new(0),
            began: Instant::now(),
            shared,
        }
    }

    /// The server that has a key of the server, if it is known.
    pub fn node_of(&self, name: &[u8]) -> Option<Rc<Node>> {
        self.topology.borrow().node_of(name).cloned()
    }

    /// The link to the server that has a key of the server, if there is one.
    pub fn link_of(&self, name: &[u8]) -> Option<Link> {
        self.node_of(name)?.link()
    }

    /// The number of the next session.
    pub fn next_session(&self) -> u64 {
        self.sessions.set(self.sessions.get() + 1);
        self.sessions.get()
    }

    /// There is a link to a server from now on.
    pub fn set_link(&self, node: &Node, link: Link) {
        node.set_link(link);
        count(&self.shared.counts.sessions, 1);
        self.note_links();
    }

    /// A link is not used any more.
    pub fn lose(&self, link: &Link, problem: Problem) {
        if link.node.lose(link.session) {
            self.shared.report(Some(problem));
            self.note_links();
            self.moved.notify_one();
        }
    }

    /// Shows whether all servers can be used.
    pub fn note_links(&self) {
        self.shared.is_connected.store(self.topology.borrow().is_connected(), Ordering::Relaxed);
    }

    /// The log was heard, up to now.
    pub fn note_heard(&self) {
        self.heard_at.set(Instant::now());
        self.is_blind.set(false);
    }

    /// Shows that all is well, if requests are being served and the log heard.
    pub fn report_well(&self) {
        if self.topology.borrow().is_connected() && self.shared.is_listening.load(Ordering::Relaxed) {
            self.shared.report(None);
        }
    }

    /// Milliseconds of this process's clock. It does not jump.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Adds to the journal, before the write is sent.
    pub fn note_write(&self, add: impl FnOnce(&mut Journal, u64, Duration)) {
        let mut journal = self.journal.borrow_mut();
        if self.topology.borrow().is_connected() {
            journal.forget_old(self.now_ms(), self.settings.journal);
        }
        add(&mut journal, self.now_ms(), self.settings.journal);
        self.has_written.notify_one();
    }

    /// Until when a lease may be used that is asked for now: well before the server forgets it.
    pub fn lease_until(&self) -> u64 {
        let lease = u64::try_from(self.settings.lease.as_millis()).unwrap_or(u64::MAX);
        self.now_ms().saturating_add(lease / 5 * 4)
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
        self.add_epoch_notice(commands, epoch);
    }

    /// The notice that another epoch has begun: an entry of the log.
    pub fn add_epoch_notice(&self, commands: &mut Pipeline, epoch: Epoch) {
        self.add_log_entry(commands);
        commands.arg("c").arg(&epoch[..]);
    }

    /// An entry of the log that only says where it comes from.
    pub fn add_log_entry(&self, commands: &mut Pipeline) {
        commands.cmd("XADD").arg(&self.names.log).arg("MAXLEN").arg("~").arg(self.settings.log_entries).arg("*");
        commands.arg("s").arg(&self.shared.source[..]);
    }
}
