//! The connection to a server, called a link once it can be used. It is made in the background, and remade when it is lost, with this
//! library's own deadlines. No request waits for it: without a link requests fail at once, which counts as a miss.
//!
//! ```text
//!   no link ── connected, set up, journal repeated ──▶ link (session n)
//!      ▲                                                 │ a command failed or took too long
//!      ╰──────── pause, with backoff ◀───────────────────╯
//! ```
//!
//! Each connection is a *session*, with a number. A lease is valid only in the session in which it was taken: the next
//! session may meet another server, or one that has lost writes.
//!
//! A connection that is given up may still have commands in flight, which a server that was only suspended would execute later. So the next
//! session first has the server close that connection (CLIENT KILL): a write of the old session cannot follow one of the new (rule T07).

use crate::nodes::Node;
use crate::random::fraction;
use crate::stored::Epoch;
use crate::worker::Worker;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, Value};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Replaces the value of a key if it still begins with the name (`stored.rs`) that was read, of a lease or of an entry. With a TTL of 0 the
/// new value does not expire. If the new value is empty, the key is removed.
pub const REPLACE: &str = "if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('UNLINK', KEYS[1]) return 1 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1";

/// Begins another epoch and announces it, unless this has been done: KEYS[1] is the record of that.
const BEGIN_ANEW: &str = "if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', 3600) then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[2], '*', 's', ARGV[3], 'c', ARGV[1])
return 1";

/// The oldest major version that has SET with NX and GET together.
const OLDEST: u32 = 7;
/// The first pause before another attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// A connection in use.
#[derive(Clone)]
pub struct Link {
    connection: MultiplexedConnection,
    /// The server.
    pub node: Rc<Node>,
    /// The number of the session.
    pub session: u64,
    /// The name by which the server knows [`REPLACE`].
    pub script: Rc<[u8]>,
}

/// What is kept of a connection, to end it when the next one is made: it may still have commands in flight.
pub struct FormerLink {
    client: i64,
    server: ServerIdentity,
    /// When it was made, in milliseconds of this process's clock.
    made_at: u64,
}

/// Former links to servers whose keys have moved to others. Such a server may only have been suspended: when keys move back to it, it may
/// still execute commands that this process sent before. The oldest links are dropped.
#[derive(Default)]
pub struct FormerLinks {
    links: VecDeque<(Address, Rc<FormerLink>)>,
}

/// A host and a port.
pub type Address = (String, u16);

/// How many former links are remembered.
const MOST_FORMER: usize = 64;

impl FormerLinks {
    /// Remembers the last link to a server that is no longer used.
    pub fn remember(&mut self, address: Address, link: Rc<FormerLink>) {
        if self.links.len() >= MOST_FORMER {
            self.links.pop_front();
        }
        self.links.push_back((address, link));
    }

    /// Takes out the last link to a server that is used again.
    pub fn take(&mut self, address: &Address) -> Option<Rc<FormerLink>> {
        let at = self.links.iter().rposition(|(of, _)| of == address)?;
        self.links.remove(at).map(|(_, link)| link)
    }
}

/// Which server a connection led to.
#[derive(PartialEq, Eq)]
struct ServerIdentity {
    /// The ID of the server process. Connections end with the process, so a new process executes no earlier commands.
    process: Vec<u8>,
    /// The ID of its data. It changes with a failover or a restart, when some of the data may be lost.
    data: Vec<u8>,
}

/// What is wrong: a sentence for operators.
pub type Problem = String;

/// Opens a connection, within the limits of the settings.
pub async fn open(worker: &Worker, client: &Client) -> Result<MultiplexedConnection, Problem> {
    let limit = worker.settings.connect;
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(None);
    match timeout(limit, client.get_multiplexed_async_connection_with_config(&config)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(explained(&error)),
        Err(_) => Err(format!(
            "The server did not answer within {} ms. Is it reachable from here, and not overloaded? The option connect_ms of the URL is the limit.",
            limit.as_millis()
        )),
    }
}

/// What a failure to connect means, and what helps.
pub fn explained(error: &RedisError) -> Problem {
    if error.is_connection_refusal() {
        return "Nothing listens at the address of the URL. Is the server running, and are host and port right?".to_owned();
    }
    let said = without_quotations(&error.to_string());
    match error.code() {
        // The crate `redis` gives the system's error for a host name, which has no kind of its own, only these words.
        _ if said.contains("lookup address") || said.contains("No address found") => format!(
            "The host name in the URL has no address ({said}). Is it written correctly, and does the name service of this machine know it?"
        ),
        _ if said.contains("no permissions") => "The user lacks rights. Grant what the README lists under ACL.".to_owned(),
        _ if said.contains("refused to switch database") => {
            "The server refused the database of the URL, the number after the host, as in redis://host:6379/0, or the option db. It must be below \
             the setting databases of the server (16 by default), and 0 in a cluster."
                .to_owned()
        }
        Some("WRONGPASS") => "The server refused user and password. Correct them in the URL.".to_owned(),
        Some("NOAUTH") => "The server asks for a password: write it into the URL, as in redis://user:password@host:6379.".to_owned(),
        _ if said.contains("authentication failed") || said.contains("WRONGPASS") => {
            "The server refused user and password. Correct them in the URL.".to_owned()
        }
        _ if said.contains("certificate") => {
            format!(
                "The certificate of the server is not trusted ({said}). The system's certificates are trusted, or those in the file that the \
                 environment variable SSL_CERT_FILE names; and the URL must name the host as the certificate does."
            )
        }
        _ => format!("The connection failed: {said}. Is it the right port, and TLS (rediss://) where the server wants it?"),
    }
}

/// What a server says, without what it quotes, since that may be a key, a value or a password (rule T18): a server or a proxy that does not
/// know a command names the arguments of it. The text ends at the first quotation.
fn without_quotations(said: &str) -> String {
    let mut former = ' ';
    for (at, c) in said.char_indices() {
        // An apostrophe in a word is no quotation.
        if matches!(c, '"' | '`') || c == '\'' && !former.is_alphanumeric() {
            return format!("{} …", said[..at].trim_end());
        }
        former = c;
    }
    said.to_owned()
}

/// What the server says in reply to a command that it did not carry out.
pub fn refusal(what: &str, reply: &Value) -> Problem {
    match reply {
        Value::ServerError(error) if error.code() == "NOPERM" => {
            format!("The user may not run {what}. Grant what the README lists under ACL.")
        }
        Value::ServerError(error) if error.code() == "NOAUTH" => {
            "The server asks for a password: write it into the URL, as in redis://user:password@host:6379.".to_owned()
        }
        Value::ServerError(error) => {
            let said = without_quotations(error.details().unwrap_or_default());
            format!("The server refused {what}: {} {said}", error.code())
        }
        _ => format!("The server's reply to {what} is not understood."),
    }
}

/// The bytes of a reply.
pub fn bytes(reply: &Value) -> Option<&[u8]> {
    match reply {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

/// The value in the line of INFO that begins with `name`; `None` if there is no such line.
pub fn info<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":")).map(<[u8]>::trim_ascii)
}

/// Whether a server is a primary, by what INFO says.
pub fn is_primary(about: &[u8]) -> bool {
    info(about, "role") == Some(b"master")
}

/// Connects to a server whenever there is no link to it. Does not return.
pub async fn keep(worker: Rc<Worker>, node: Rc<Node>) {
    let mut pause = Pause::new(worker.settings.reconnect_cap);
    loop {
        let former = node.former();
        match make(&worker, &node, former.as_deref()).await {
            Ok((link, former)) => {
                pause.reset();
                node.set_former(Rc::new(former));
                worker.set_link(&node, link);
                worker.report_recovery();
                node.lost.notified().await;
            }
            Err(problem) => {
                worker.shared.report(Some(problem));
                worker.moved.notify_one();
                sleep(pause.next()).await;
            }
        }
    }
}

/// The pauses between attempts: exponential backoff with jitter, so that processes do not all reconnect at once.
pub struct Pause {
    next: Duration,
    cap: Duration,
}

impl Pause {
    /// Pauses of up to `cap`, before the jitter.
    pub fn new(cap: Duration) -> Pause {
        Pause { next: FIRST_PAUSE.min(cap), cap }
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.next = FIRST_PAUSE.min(self.cap);
    }

    /// The pause after an attempt that failed.
    pub fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.8 + 0.4 * fraction());
        self.next = (self.next * 2).min(self.cap);
        pause
    }
}

/// Connects to a server, checks it, ends the former connection, and repeats writes that the server may lack. Also returns what to remember
/// of the new connection for the time when it is given up.
async fn make(worker: &Worker, node: &Rc<Node>, former: Option<&FormerLink>) -> Result<(Link, FormerLink), Problem> {
    let mut connection = open(worker, &node.client).await?;
    let has_epoch = worker.node_of(&worker.names.epoch).is_some_and(|of_epoch| Rc::ptr_eq(&of_epoch, node));
    let mut setup = Pipeline::new();
    setup.cmd("CLIENT").arg("ID");
    setup.cmd("INFO").arg("server").arg("replication").arg("persistence");
    setup.cmd("TIME");
    setup.cmd("SCRIPT").arg("LOAD").arg(REPLACE);
    if has_epoch {
        setup.cmd("GET").arg(&worker.names.epoch);
    }
    let round = worker.epoch.round();
    let replies = run(worker, &mut connection, &setup).await?;
    let [client, about, time, script, epoch @ ..] = &replies[..] else {
        return Err("The server did not reply to each command.".to_owned());
    };
    let Value::Int(client) = client else { return Err(refusal("CLIENT ID", client)) };
    let about = bytes(about).ok_or_else(|| refusal("INFO", about))?;
    let version = info(about, "redis_version").unwrap_or_default();
    let major = version.split(|byte| *byte == b'.').next().and_then(|major| str::from_utf8(major).ok()?.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST) {
        let version = String::from_utf8_lossy(version);
        return Err(format!("The server has version {version}. Redis 7.0 or Valkey 7.2 is needed: upgrade it."));
    }
    if worker.settings.sentinel.is_some() && !is_primary(about) {
        return Err("The server that Sentinel names is not a primary: a failover may be under way.".to_owned());
    }
    if !node.learn_time(time, worker.now_ms()) {
        return Err(refusal("TIME", time));
    }
    let script: Rc<[u8]> = bytes(script).ok_or_else(|| refusal("SCRIPT LOAD", script))?.into();
    let of_server = |name: &str| info(about, name).unwrap_or_default().to_vec();
    let server = ServerIdentity { process: of_server("run_id"), data: of_server("master_replid") };
    if let Some(former) = former.filter(|former| former.server.process == server.process) {
        let mut kill = Pipeline::new();
        kill.cmd("CLIENT").arg("KILL").arg("ID").arg(former.client);
        let replies = run(worker, &mut connection, &kill).await?;
        if let Some(reply @ Value::ServerError(_)) = replies.first() {
            return Err(refusal("CLIENT KILL", reply));
        }
    }
    let mut link = Link { connection, node: node.clone(), session: worker.next_session(), script };
    if has_epoch {
        let epoch = match epoch.first().and_then(bytes).and_then(|epoch| Epoch::try_from(epoch).ok()) {
            Some(epoch) => epoch,
            None => new_epoch(worker, &mut link.connection).await?,
        };
        worker.epoch.learn(epoch, round);
    }
    if worker.settings.clears_restarted
        && let Some(former) = former.filter(|former| former.server.process != server.process)
        && has_loaded_a_copy(about, worker.now_ms().saturating_sub(former.made_at))
    {
        begin_anew(worker, &mut link, &server.process).await?;
        if has_epoch {
            let round = worker.epoch.round();
            worker.epoch.learn(new_epoch(worker, &mut link.connection).await?, round);
        }
    }
    if node.takes_over.get() || former.is_some_and(|former| former.server != server) {
        repeat_writes(worker, &mut link).await?;
        node.takes_over.set(false);
    }
    Ok((link, FormerLink { client: *client, server, made_at: worker.now_ms() }))
}

/// Whether a server was started again in the last `age_ms`, with a copy of its data from a file: then it has forgotten all writes since the
/// file was written, which may be long ago. A log of its own writes (`appendonly`) lacks the last second at most. `about` is what INFO
/// says.
fn has_loaded_a_copy(about: &[u8], age_ms: u64) -> bool {
    let number = |name: &str| str::from_utf8(info(about, name)?).ok()?.parse::<u64>().ok();
    let is_younger = number("uptime_in_seconds").is_none_or(|uptime| uptime <= age_ms / 1000 + 1);
    is_younger && number("rdb_last_load_keys_loaded") != Some(0) && number("aof_enabled") != Some(1)
}

/// Begins another epoch, so that nothing from before is valid, unless another process has done so for this server process.
async fn begin_anew(worker: &Worker, link: &mut Link, process: &[u8]) -> Result<(), Problem> {
    let mut of_log = match worker.node_of(&worker.names.log) {
        Some(node) if !Rc::ptr_eq(&node, &link.node) => node.link().ok_or("The server of the log is not there.")?.connection,
        _ => link.connection.clone(),
    };
    let mut load = Pipeline::new();
    load.cmd("SCRIPT").arg("LOAD").arg(BEGIN_ANEW);
    let replies = run(worker, &mut of_log, &load).await?;
    let script = replies.first().and_then(bytes).ok_or("The server refused SCRIPT LOAD.")?;
    let epoch: Epoch = crate::random::random();
    let mut begin = Pipeline::new();
    begin.cmd("EVALSHA").arg(script).arg(3).arg(worker.names.restart(process)).arg(&worker.names.epoch).arg(&worker.names.log);
    begin.arg(&epoch[..]).arg(worker.settings.log_entries).arg(&worker.shared.source[..]);
    all_done(&run(worker, &mut of_log, &begin).await?)?;
    worker.epoch.forget();
    Ok(())
}

/// Sets a new epoch in place of a missing one, unless another process has done so. In a cluster it is announced in the log, since lookups
/// there do not read the epoch.
async fn new_epoch(worker: &Worker, connection: &mut MultiplexedConnection) -> Result<Epoch, Problem> {
    let epoch = crate::random::random();
    let mut set = Pipeline::new();
    set.cmd("SET").arg(&worker.names.epoch).arg(&epoch[..]).arg("NX").arg("GET");
    let replies = run(worker, connection, &set).await?;
    match replies.first() {
        Some(Value::Nil) => {
            if worker.is_sharded() {
                let mut notice = Pipeline::new();
                worker.add_epoch_notice(&mut notice, epoch);
                run(worker, connection, &notice).await?;
            }
            Ok(epoch)
        }
        Some(reply) => match bytes(reply).map(Epoch::try_from) {
            Some(Ok(other)) => Ok(other),
            Some(Err(_)) => {
                Err(format!("The epoch in the server is damaged: delete the key {}.", String::from_utf8_lossy(&worker.names.epoch)))
            }
            None => Err(refusal("SET", reply)),
        },
        None => Err("The server did not reply.".to_owned()),
    }
}

/// Repeats the last writes on a server that may lack them, for example after a failover to a replica that had not received them. Their keys
/// are removed and announced once more, so that no older entries of them remain. If the server has the log, notices about keys of any
/// server may be missing: all keys are announced once more.
async fn repeat_writes(worker: &Worker, link: &mut Link) -> Result<(), Problem> {
    let journal = worker.journal.borrow().clone();
    let is_here = |name: &[u8]| worker.node_of(name).is_some_and(|node| Rc::ptr_eq(&node, &link.node));
    let (has_epoch, has_log) = (is_here(&worker.names.epoch), is_here(&worker.names.log));
    if journal.has_overflowed || journal.is_everything && has_epoch {
        let epoch = crate::random::random();
        let mut clear = Pipeline::new();
        worker.add_clear(&mut clear, epoch);
        let round = worker.epoch.round();
        if has_epoch {
            all_done(&run(worker, &mut link.connection, &clear).await?)?;
        } else {
            run_by_log(worker, &clear).await?;
        }
        worker.epoch.learn(epoch, round);
        // The repetition is recorded like any other write: a server that takes over later may lack it.
        worker.journal.borrow_mut().note_repeated(&journal, worker.now_ms());
        worker.has_written.notify_one();
    }
    let keys: Vec<(&[u8], bool)> = journal.keys().map(|key| (key, is_here(&worker.names.entry(key)))).collect();
    for some in keys.chunks(256) {
        let (mut removal, mut notice) = (Pipeline::new(), Pipeline::new());
        for (key, _) in some.iter().filter(|(_, is_here)| *is_here) {
            removal.cmd("UNLINK").arg(worker.names.entry(key));
        }
        let announced: Vec<&[u8]> = some.iter().filter(|(_, is_here)| *is_here || has_log).map(|(key, _)| *key).collect();
        if announced.is_empty() {
            continue;
        }
        worker.add_notice(&mut notice, announced.into_iter());
        if !removal.is_empty() {
            all_done(&run(worker, &mut link.connection, &removal).await?)?;
        }
        if has_log {
            all_done(&run(worker, &mut link.connection, &notice).await?)?;
        } else {
            run_by_log(worker, &notice).await?;
        }
    }
    Ok(())
}

/// Sends repeated writes to the server that has the log and the epoch.
async fn run_by_log(worker: &Worker, commands: &Pipeline) -> Result<(), Problem> {
    let of_log = worker.link_of(&worker.names.log).ok_or("The server of the log is not there.")?;
    all_done(&of_log.run(worker, commands).await.ok_or("The server of the log is not there.")?)
}

/// Checks that every command was executed.
fn all_done(replies: &[Value]) -> Result<(), Problem> {
    match replies.iter().find(|reply| matches!(reply, Value::ServerError(_))) {
        Some(reply) => Err(refusal("the writes that are repeated", reply)),
        None => Ok(()),
    }
}

/// Sends commands together, and returns the reply of each.
pub async fn run(worker: &Worker, connection: &mut MultiplexedConnection, commands: &Pipeline) -> Result<Vec<Value>, Problem> {
    match timeout(worker.settings.command, connection.send_packed_commands(commands, 0, commands.len())).await {
        Ok(Ok(replies)) => Ok(replies),
        Ok(Err(error)) => Err(explained(&error)),
        Err(_) => Err(format!("The server did not answer within {} ms (command_ms).", worker.settings.command.as_millis())),
    }
}

impl Link {
    /// Sends commands together, and returns the reply of each. `None`: the link is lost. Dropping the future does not cancel the commands.
    pub async fn run(&self, worker: &Worker, commands: &Pipeline) -> Option<Vec<Value>> {
        let mut connection = self.connection.clone();
        match run(worker, &mut connection, commands).await {
            Ok(replies) if replies.len() == commands.len() => Some(replies),
            Ok(_) => {
                worker.lose(self, "The server's replies do not match the commands.".to_owned());
                None
            }
            Err(problem) => {
                worker.lose(self, problem);
                None
            }
        }
    }

    /// Sets a new epoch, unless another process has done so. Returns the current one.
    pub async fn renew_epoch(&self, worker: &Worker) -> Option<Epoch> {
        match new_epoch(worker, &mut self.connection.clone()).await {
            Ok(epoch) => Some(epoch),
            Err(problem) => {
                worker.lose(self, problem);
                None
            }
        }
    }

    /// Like [`Link::run`], for commands with the script REPLACE, which a server may have forgotten.
    pub async fn run_script(&self, worker: &Worker, commands: &Pipeline) -> Option<Vec<Value>> {
        let replies = self.run(worker, commands).await?;
        let is_unknown = |reply: &Value| matches!(reply, Value::ServerError(error) if error.code() == "NOSCRIPT");
        if !replies.iter().any(is_unknown) {
            return Some(replies);
        }
        let mut load = Pipeline::new();
        load.cmd("SCRIPT").arg("LOAD").arg(REPLACE);
        self.run(worker, &load).await?;
        self.run(worker, commands).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t18_what_a_server_quotes_is_not_reported() {
        for (said, reported) in [
            ("unknown command 'SET', with args beginning with: 'p:1:k:key' 'secret' ", "unknown command …"),
            ("unknown command `HELLO`, with args beginning with: `3` `AUTH` `ann` `secret`, ", "unknown command …"),
            ("\"secret\"", " …"),
            ("Redis can't persist. It's full: see 'secret'", "Redis can't persist. It's full: see …"),
            ("DB index is out of range", "DB index is out of range"),
            ("", ""),
        ] {
            assert_eq!(without_quotations(said), reported);
        }
    }

    #[test]
    fn t18_a_host_without_an_address_and_a_database_that_is_refused_have_their_own_remedy() {
        let unknown = std::io::Error::other("failed to lookup address information: Name or service not known");
        let said = explained(&unknown.into());
        assert!(said.contains("host name") && !said.contains("port"), "{said}");
        let details = "DB index is out of range".to_owned();
        let refused = (redis::ErrorKind::Client, "Redis server refused to switch database", details);
        let said = explained(&refused.into());
        assert!(said.contains("databases") && !said.contains("TLS"), "{said}");
        let details = "User ann has no permissions to run the 'select' command".to_owned();
        let denied = (redis::ErrorKind::Client, "Redis server refused to switch database", details);
        assert!(explained(&denied.into()).contains("ACL"));
    }

    #[test]
    fn t07_a_server_that_loaded_an_old_copy_is_recognised_by_its_info() {
        let about = |uptime: u64, keys: u64, aof: u64| {
            format!("# Server\r\nuptime_in_seconds:{uptime}\r\n# Persistence\r\nrdb_last_load_keys_loaded:{keys}\r\naof_enabled:{aof}\r\n")
                .into_bytes()
        };
        assert!(has_loaded_a_copy(&about(0, 5, 0), 10), "it was started again, with a file");
        assert!(has_loaded_a_copy(&about(60, 5, 0), 60_000));
        assert!(
            !has_loaded_a_copy(&about(60, 5, 0), 30_000),
            "it has run for longer than the former connection existed: it was a replica, and has taken over"
        );
        assert!(!has_loaded_a_copy(&about(0, 0, 0), 10), "it is empty");
        assert!(!has_loaded_a_copy(&about(0, 5, 1), 10), "it has a log of its writes");
        assert!(has_loaded_a_copy(b"", 10), "nothing is known");
    }

    #[test]
    fn t07_the_last_link_to_a_server_that_was_left_is_remembered() {
        let link = |client| Rc::new(FormerLink { client, made_at: 0, server: ServerIdentity { process: Vec::new(), data: Vec::new() } });
        let address = |port| ("host".to_owned(), port);
        let mut links = FormerLinks::default();
        links.remember(address(1), link(10));
        links.remember(address(2), link(20));
        links.remember(address(1), link(11));
        assert_eq!(links.take(&address(1)).map(|link| link.client), Some(11));
        assert_eq!(links.take(&address(3)).map(|link| link.client), None);
        for port in 0..MOST_FORMER as u16 {
            links.remember(address(1_000 + port), link(0));
        }
        assert_eq!(links.links.len(), MOST_FORMER);
        assert!(links.take(&address(2)).is_none(), "the oldest are forgotten");
    }
}
