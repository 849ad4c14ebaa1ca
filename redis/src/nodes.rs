//! Servers: one, or those of a cluster, each with some of the keys.
//!
//! ```text
//!   unknown ── reply ──▶ one server
//!      ▲         ╰─────▶ a cluster: slots ── MOVED, a lost node, or after 10 s ──▶ slots fetched again
//!      ╰─ no answer: pause
//! ```
//!
//! A key that moves to another node belongs to a new session there: its leases are void, and its last writes are repeated, since the node
//! may have been a replica that had not received them.

use crate::crc::crc16;
use crate::link::{self, Address, FormerLink, Link, Pause, Problem, bytes, open};
use crate::worker::Worker;
use futures_util::future::join_all;
use redis::{Client, ConnectionAddr, ConnectionInfo, Pipeline, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// The number of slots of a cluster.
const SLOTS: u16 = 16_384;
/// The interval at which the slots are fetched again, even if nothing seems wrong.
const REFRESH: Duration = Duration::from_secs(10);
/// The interval at which the servers are pinged while the journal has recent writes.
const WATCH_PAUSE: Duration = Duration::from_millis(500);
/// The shortest time between two fetches of the slots.
const REFRESH_PAUSE: Duration = Duration::from_millis(100);

/// The slot of a key: that of its hash tag (the part between its first brace and the next closing one) or, without one, of the whole key.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// One server.
pub struct Node {
    /// Makes connections to the server.
    pub client: Client,
    /// Notified each time its link is lost.
    pub lost: Notify,
    /// Whether this server takes over keys of another one, so that the last writes must be repeated before it is used.
    pub takes_over: Cell<bool>,
    link: RefCell<Option<Link>>,
    /// The last link that was made, kept after it is lost, since its commands may still be on their way.
    former: RefCell<Option<Rc<FormerLink>>>,
    time: Cell<ServerTime>,
}

/// A server's clock, as it was read.
#[derive(Clone, Copy, Default)]
struct ServerTime {
    /// In milliseconds since 1970.
    server_ms: u64,
    /// When it was read, in milliseconds of this process's clock.
    read_at: u64,
}

impl Node {
    /// A server to which this client connects.
    pub fn new(client: Client) -> Rc<Node> {
        Rc::new(Node {
            client,
            lost: Notify::new(),
            takes_over: Cell::new(false),
            link: RefCell::new(None),
            former: RefCell::new(None),
            time: Cell::default(),
        })
    }

    /// The link, if there is one.
    pub fn link(&self) -> Option<Link> {
        self.link.borrow().clone()
    }

    /// The last link that was made. When the next link is made, the server is asked to end this one.
    pub fn former(&self) -> Option<Rc<FormerLink>> {
        self.former.borrow().clone()
    }

    /// Records the last link that was made.
    pub fn set_former(&self, former: Rc<FormerLink>) {
        *self.former.borrow_mut() = Some(former);
    }

    /// Sets the link.
    pub fn set_link(&self, link: Link) {
        *self.link.borrow_mut() = Some(link);
    }

    /// Drops the link of this session. Returns whether it was still the current one.
    pub fn lose(&self, session: u64) -> bool {
        let mut link = self.link.borrow_mut();
        let is_current = link.as_ref().is_some_and(|link| link.session == session);
        if is_current {
            *link = None;
            self.lost.notify_one();
        }
        is_current
    }

    /// Drops the link for good. A link refers to its node, so without this neither would be freed.
    fn close(&self) {
        self.link.take();
    }

    /// Takes the server's time from the reply to TIME. Returns whether the reply contains a time.
    pub fn learn_time(&self, reply: &Value, now_ms: u64) -> bool {
        let Value::Array(parts) = reply else { return false };
        let part = |at: usize| -> Option<u64> { str::from_utf8(bytes(parts.get(at)?)?).ok()?.parse().ok() };
        let (Some(seconds), Some(micros)) = (part(0), part(1)) else { return false };
        let server_ms = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        self.time.set(ServerTime { server_ms, read_at: now_ms });
        true
    }

    /// How long ago the server's time was read, in milliseconds.
    pub fn time_age(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.time.get().read_at)
    }

    /// An estimate of the server's clock, in milliseconds since 1970 (rule T14: it is not compared with this machine's wall clock).
    pub fn server_ms(&self, now_ms: u64) -> u64 {
        self.time.get().server_ms.saturating_add(self.time_age(now_ms))
    }
}

/// Which server has which keys.
#[derive(Default)]
pub enum Topology {
    /// It is not known yet.
    #[default]
    Unknown,
    /// One server has all keys.
    Single(Rc<Node>),
    /// A cluster.
    Cluster(Cluster),
}

/// The nodes of a cluster, with the slots of each.
#[derive(Default)]
pub struct Cluster {
    ranges: Vec<Range>,
    /// By host and port.
    nodes: HashMap<Address, ClusterNode>,
}

struct Range {
    first: u16,
    last: u16,
    node: Rc<Node>,
}

struct ClusterNode {
    node: Rc<Node>,
    /// Connects to the node whenever there is no link.
    task: JoinHandle<()>,
}

impl Topology {
    /// The server that has a key, if it is known.
    pub fn node_of(&self, key: &[u8]) -> Option<&Rc<Node>> {
        match self {
            Topology::Unknown => None,
            Topology::Single(node) => Some(node),
            Topology::Cluster(cluster) => {
                let slot = slot(key);
                cluster.ranges.iter().find(|range| (range.first..=range.last).contains(&slot)).map(|range| &range.node)
            }
        }
    }

    /// Whether every server has a link.
    pub fn is_connected(&self) -> bool {
        match self {
            Topology::Unknown => false,
            Topology::Single(node) => node.link.borrow().is_some(),
            Topology::Cluster(cluster) => {
                let covered: u32 = cluster.ranges.iter().map(|range| u32::from(range.last - range.first) + 1).sum();
                covered >= u32::from(SLOTS) && cluster.nodes.values().all(|node| node.node.link.borrow().is_some())
            }
        }
    }

    /// The existing links.
    fn links(&self) -> Vec<Link> {
        match self {
            Topology::Unknown => Vec::new(),
            Topology::Single(node) => node.link().into_iter().collect(),
            Topology::Cluster(cluster) => cluster.nodes.values().filter_map(|node| node.node.link()).collect(),
        }
    }

    /// Ends all links.
    pub fn close(self) {
        match self {
            Topology::Unknown => {}
            Topology::Single(node) => node.close(),
            Topology::Cluster(cluster) => cluster.nodes.into_values().for_each(ClusterNode::close),
        }
    }

    /// Whether the servers are a cluster. A primary that Sentinels name counts as a cluster of one.
    pub fn is_cluster(&self) -> bool {
        matches!(self, Topology::Cluster(_))
    }
}

impl ClusterNode {
    fn close(self) {
        self.task.abort();
        self.node.close();
    }
}

/// What a server reports about itself.
enum Shape {
    Single,
    Cluster(Vec<SlotRange>),
}

/// A range of slots, as a server states it.
#[derive(PartialEq, Eq, Debug)]
struct SlotRange {
    first: u16,
    last: u16,
    host: String,
    port: u16,
}

/// Finds the servers, and keeps a link to each. Does not return.
pub async fn keep_all(worker: Rc<Worker>) {
    let mut pause = Pause::new(worker.settings.reconnect_cap);
    // The servers of the URL are tried in turn.
    let mut clients = worker.clients.iter().cycle();
    let slots = loop {
        let Some(client) = clients.next() else { return };
        match ask(&worker, client).await {
            Ok(Shape::Single) => {
                let node = Node::new(client.clone());
                *worker.topology.borrow_mut() = Topology::Single(node.clone());
                return link::keep(worker.clone(), node).await;
            }
            Ok(Shape::Cluster(slots)) => break slots,
            Err(problem) => {
                worker.shared.report(Some(problem));
                sleep(pause.next()).await;
            }
        }
    };
    apply(&worker, &slots);
    loop {
        let _ = timeout(REFRESH, worker.moved.notified()).await;
        let clients: Vec<Client> = match &*worker.topology.borrow() {
            Topology::Cluster(cluster) if worker.settings.sentinel.is_none() => {
                cluster.nodes.values().map(|node| node.node.client.clone()).collect()
            }
            _ => Vec::new(),
        };
        for client in clients.iter().chain(&worker.clients) {
            // A server that was removed from the cluster reports no slots.
            if let Ok(Shape::Cluster(slots)) = ask(&worker, client).await
                && !slots.is_empty()
            {
                apply(&worker, &slots);
                break;
            }
        }
        sleep(REFRESH_PAUSE).await;
    }
}

/// Pings the servers while the journal has recent writes, so that the loss of a server is noticed early: another one may have taken over
/// without the last writes.
pub async fn watch(worker: Rc<Worker>) {
    loop {
        worker.has_written.notified().await;
        while worker.journal.borrow().has_recent_writes(worker.now_ms(), worker.settings.journal) {
            sleep(WATCH_PAUSE).await;
            let links = worker.topology.borrow().links();
            let mut ping = Pipeline::new();
            ping.cmd("PING");
            join_all(links.iter().map(|link| link.run(&worker, &ping))).await;
        }
        if worker.topology.borrow().is_connected() {
            worker.journal.borrow_mut().forget_old(worker.now_ms(), worker.settings.journal);
        }
    }
}

/// Asks a server whether it is part of a cluster, and for the slots; or a Sentinel for the primary.
async fn ask(worker: &Worker, client: &Client) -> Result<Shape, Problem> {
    let mut connection = open(worker, client).await?;
    if let Some(sentinel) = &worker.settings.sentinel {
        let mut question = Pipeline::new();
        question.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&sentinel.primary);
        let replies = link::run(worker, &mut connection, &question).await?;
        let reply = replies.first().unwrap_or(&Value::Nil);
        return match reply {
            Value::Nil => Err("Sentinel knows no primary with the name in the option sentinel of the URL.".to_owned()),
            reply => primary_of(reply).map(|primary| Shape::Cluster(vec![primary])).ok_or_else(|| link::refusal("SENTINEL", reply)),
        };
    }
    let mut commands = Pipeline::new();
    commands.cmd("INFO").arg("server");
    commands.cmd("CLUSTER").arg("SLOTS");
    let replies = link::run(worker, &mut connection, &commands).await?;
    let [about, slots] = &replies[..] else { return Err("The server did not reply to each command.".to_owned()) };
    let about = bytes(about).ok_or_else(|| link::refusal("INFO", about))?;
    if link::info(about, "redis_mode") != Some(b"cluster") {
        return Ok(Shape::Single);
    }
    let host = match client.get_connection_info().addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.as_str(),
        _ => return Err("A cluster is reached by host and port: write redis://host:port in the URL.".to_owned()),
    };
    slots_of(slots, host).map(Shape::Cluster).ok_or_else(|| link::refusal("CLUSTER SLOTS", slots))
}

/// Parses the reply of a Sentinel: the primary, which has all keys.
fn primary_of(reply: &Value) -> Option<SlotRange> {
    let Value::Array(parts) = reply else { return None };
    let part = |at: usize| str::from_utf8(bytes(parts.get(at)?)?).ok();
    Some(SlotRange { first: 0, last: SLOTS - 1, host: part(0)?.to_owned(), port: part(1)?.parse().ok()? })
}

/// Parses the reply to CLUSTER SLOTS. `host` is the host that was asked, and the host of each server that the reply does not name, since a
/// server may not know its own name.
fn slots_of(reply: &Value, host: &str) -> Option<Vec<SlotRange>> {
    let Value::Array(ranges) = reply else { return None };
    let range = |range: &Value| -> Option<SlotRange> {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &parts[..] else { return None };
        let named =
            primary.first().and_then(bytes).and_then(|name| str::from_utf8(name).ok()).filter(|name| !name.is_empty() && *name != "?");
        let Some(Value::Int(port)) = primary.get(1) else { return None };
        let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
        let is_valid = first <= last && last < SLOTS;
        is_valid.then_some(SlotRange { first, last, host: named.unwrap_or(host).to_owned(), port: u16::try_from(*port).ok()? })
    };
    ranges.iter().map(range).collect()
}

/// The connection parameters of `seed`, a server of the URL, with the address of another server.
fn info_of(seed: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let addr = match seed.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    seed.clone().set_addr(addr)
}

/// Applies a new slot map: connects to new nodes, and drops the links to those that have left. The writes of keys that have moved are
/// repeated.
fn apply(worker: &Rc<Worker>, slots: &[SlotRange]) {
    let mut before = match worker.topology.take() {
        Topology::Cluster(cluster) => cluster,
        _ => Cluster::default(),
    };
    let is_first = before.ranges.is_empty();
    let mut cluster = Cluster::default();
    for SlotRange { first, last, host, port } in slots {
        let address = (host.clone(), *port);
        let known = cluster.nodes.remove(&address).or_else(|| before.nodes.remove(&address));
        let made = known.or_else(|| {
            let client = Client::open(info_of(worker.settings.servers.first()?, host, *port)).ok()?;
            let node = Node::new(client);
            if let Some(former) = worker.former_links.borrow_mut().take(&address) {
                node.set_former(former);
            }
            node.takes_over.set(!is_first);
            let task = tokio::task::spawn_local(link::keep(worker.clone(), node.clone()));
            Some(ClusterNode { node, task })
        });
        let Some(node) = made else { continue };
        cluster.ranges.push(Range { first: *first, last: *last, node: node.node.clone() });
        cluster.nodes.insert(address, node);
    }
    for (address, node) in before.nodes {
        if let Some(former) = node.node.former() {
            worker.former_links.borrow_mut().remember(address, former);
        }
        node.close();
    }
    let (before, now) = (Topology::Cluster(Cluster { ranges: before.ranges, nodes: HashMap::new() }), Topology::Cluster(cluster));
    // Only a move to a server that was there before counts: a new server gets the last writes repeated before it is used.
    let is_moved = |name: &[u8]| {
        before.node_of(name).is_some_and(|node| now.node_of(name).is_some_and(|other| !Rc::ptr_eq(node, other) && !other.takes_over.get()))
    };
    // If the log has moved, notices about any key may have been lost.
    let all = is_moved(&worker.names.log);
    let moved: Vec<Vec<u8>> =
        worker.journal.borrow().keys().filter(|key| all || is_moved(&worker.names.entry(key))).map(<[u8]>::to_vec).collect();
    *worker.topology.borrow_mut() = now;
    worker.note_links();
    if !moved.is_empty() {
        tokio::task::spawn_local(crate::serve::repeat_moved(worker.clone(), moved));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!((slot(b"foo"), slot(b"bar")), (12182, 5061), "as CLUSTER KEYSLOT says");
        assert_eq!(slot(b"a{foo}b"), slot(b"foo"));
        assert_eq!(slot(b"a{foo}{bar}"), slot(b"foo"));
        assert_eq!(slot(b"a{}b"), crc16(b"a{}b") % SLOTS, "nothing between the braces");
        assert_eq!(slot(b"a{b"), crc16(b"a{b") % SLOTS);
    }

    #[test]
    fn the_reply_of_a_sentinel_is_read() {
        let reply = |parts: &[&str]| Value::Array(parts.iter().map(|part| Value::BulkString((*part).into())).collect());
        let primary = primary_of(&reply(&["10.0.0.1", "7000"])).unwrap();
        assert_eq!(primary, SlotRange { first: 0, last: 16383, host: "10.0.0.1".to_owned(), port: 7000 });
        for bad in [Value::Nil, reply(&[]), reply(&["10.0.0.1"]), reply(&["10.0.0.1", "x"])] {
            assert_eq!(primary_of(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_reply_about_slots_is_read() {
        let text = |text: &str| Value::BulkString(text.into());
        let node = |host: Value, port: i64| Value::Array(vec![host, Value::Int(port), text("id"), Value::Array(Vec::new())]);
        let range = |first, last, nodes: Vec<Value>| Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat());
        let reply = Value::Array(vec![
            range(0, 100, vec![node(text("10.0.0.1"), 7000), node(text("10.0.0.2"), 7001)]),
            range(101, 16383, vec![node(text(""), 7002)]),
        ]);
        let slots = slots_of(&reply, "asked").unwrap();
        let expected = |first, last, host: &str, port| SlotRange { first, last, host: host.to_owned(), port };
        assert_eq!(slots, [expected(0, 100, "10.0.0.1", 7000), expected(101, 16383, "asked", 7002)]);
        for bad in [Value::Nil, Value::Array(vec![Value::Nil]), Value::Array(vec![range(5, 4, vec![node(text("a"), 1)])])] {
            assert_eq!(slots_of(&bad, "asked"), None, "{bad:?}");
        }
    }
}
