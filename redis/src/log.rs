//! The log of writes: a stream in the server, kept short. Every write adds an entry after it is done; every process reads the entries on a
//! connection of its own, and invalidates in its engines the keys that were written.
//!
//! ```text
//!   no connection ── connected ──▶ is the last entry that was read still there?
//!      ▲      │                       ├─ yes: read what followed ────▶ following
//!      │      │                       ╰─ no (a gap), or the first time: everything cached expires ──▶ following
//!      │      ╰─ each blind_ms without a successful read: everything cached expires
//!      ╰────────── a command failed, or took too long, or the log is in another server ◀── following
//! ```
//!
//! A read is a transaction of two commands: one asks for the entry that was read last, the other for those after it. The log is trimmed
//! from its old end alone, so if that entry is still there, nothing was missed, not even by a restart, a flush or a failover
//! (rule T08).
//!
//! A cached value that expires stays as a fallback for its grace period. Its key is looked up again when it is next fetched, so that not
//! all keys are loaded at once.

use crate::leases::give_back;
use crate::link::{Pause, Problem, bytes, explained, is_primary, open, refusal, run};
use crate::nodes::Node;
use crate::serve::note_move;
use crate::shared::count;
use crate::stored::Epoch;
use crate::worker::Worker;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How long the server waits for an entry before it replies that there is none. If no reply has come `command_ms` after that, the
/// connection is given up.
const WAIT: Duration = Duration::from_millis(1_000);
/// How many entries are read at once.
const LOG_BATCH: usize = 4_096;
/// The number of keys that one call invalidates in an engine.
const MOST_KEYS: usize = 1_024;

/// The identifier of an entry of the log.
type Position = Vec<u8>;

/// Follows the log. Does not return.
pub async fn follow(worker: Rc<Worker>) {
    let mut position: Option<Position> = None;
    // A connection over which nothing could be read counts as a failed attempt.
    let mut pause = Pause::new(worker.settings.reconnect_cap);
    let mut until_next = Duration::ZERO;
    loop {
        let (node, mut connection) = {
            let mut connected = pin!(async {
                sleep(until_next).await;
                connect(&worker).await
            });
            match worker.settings.blind {
                Some(blind) => loop {
                    match timeout(blind.saturating_sub(worker.current_at.get().elapsed()), &mut connected).await {
                        Ok(connected) => break connected,
                        Err(_) => expire_unread(&worker),
                    }
                },
                None => connected.await,
            }
        };
        let problem = follow_by(&worker, &node, &mut connection, &mut position).await;
        if worker.shared.is_listening.swap(false, Ordering::Relaxed) {
            pause.reset();
        }
        worker.shared.report(Some(problem));
        // Whatever ended this connection may have ended the link too, which notices only when it is used.
        if let Some(link) = worker.link_of(&worker.names.log) {
            let mut ping = Pipeline::new();
            ping.cmd("PING");
            link.run(&worker, &ping).await;
        }
        until_next = pause.next();
    }
}

/// Expires everything cached, since the log has not been read for `blind_ms`. What is loaded from now on may become outdated as well, by
/// writes that this process does not hear of, so it expires after the next `blind_ms`.
fn expire_unread(worker: &Worker) {
    // A clear may have been missed, too.
    worker.epoch.forget();
    worker.shared.each_engine(|engine| engine.expire_all());
    worker.current_at.set(Instant::now());
    count(&worker.shared.counts.blind, 1);
}

/// Connects to the server that has the log, trying until it succeeds.
async fn connect(worker: &Worker) -> (Rc<Node>, MultiplexedConnection) {
    let mut pause = Pause::new(worker.settings.reconnect_cap);
    loop {
        if let Some(node) = worker.node_of(&worker.names.log)
            && let Ok(mut connection) = open(worker, &node.client).await
            && may_have_log(worker, &mut connection).await
        {
            return (node, connection);
        }
        sleep(pause.next()).await;
    }
}

/// Whether a server may have the log: one that Sentinel names must be a primary.
async fn may_have_log(worker: &Worker, connection: &mut MultiplexedConnection) -> bool {
    if worker.settings.sentinel.is_none() {
        return true;
    }
    let mut ask = Pipeline::new();
    ask.cmd("INFO").arg("replication");
    let replies = run(worker, connection, &ask).await;
    replies.is_ok_and(|replies| replies.first().and_then(bytes).is_some_and(is_primary))
}

/// Follows the log over this connection to a server until it fails, or the log is in another server. Returns why.
async fn follow_by(
    worker: &Rc<Worker>,
    node: &Rc<Node>,
    connection: &mut MultiplexedConnection,
    position: &mut Option<Position>,
) -> Problem {
    loop {
        // A primary that was cut off from its Sentinels still answers, though nothing is added to its log any more.
        if !worker.node_of(&worker.names.log).is_some_and(|of_log| Rc::ptr_eq(&of_log, node)) {
            return "The log is in another server now.".to_owned();
        }
        match read_entries(worker, connection, position).await {
            Ok(Read::More) => continue,
            Ok(Read::End) => {}
            Err(problem) => return problem,
        }
        if !worker.shared.is_listening.load(Ordering::Relaxed) {
            if let Err(problem) = learn_epoch(worker, connection, position).await {
                return problem;
            }
            worker.shared.is_listening.store(true, Ordering::Relaxed);
            worker.report_recovery();
        }
        if let Err(problem) = wait(worker, connection, position).await {
            return problem;
        }
    }
}

/// Whether a read has reached the end of the log, or there is more to read.
enum Read {
    More,
    End,
}

/// Reads and applies the entries after the position. Without a position, begins at the end of the log, and expires everything cached.
async fn read_entries(
    worker: &Rc<Worker>,
    connection: &mut MultiplexedConnection,
    position: &mut Option<Position>,
) -> Result<Read, Problem> {
    let Some(last) = position.clone() else {
        *position = Some(begin(worker, connection).await?);
        // What is cached may have been changed or cleared by writes before this entry.
        worker.epoch.forget();
        worker.shared.each_engine(|engine| engine.expire_all());
        if worker.has_heard.replace(true) {
            count(&worker.shared.counts.gaps, 1);
        }
        return Ok(Read::More);
    };
    let mut commands = Pipeline::new();
    commands.cmd("MULTI");
    commands.cmd("XRANGE").arg(&worker.names.log).arg(&last).arg(&last);
    commands.cmd("XRANGE").arg(&worker.names.log).arg([b"(", &last[..]].concat()).arg("+").arg("COUNT").arg(LOG_BATCH);
    commands.cmd("EXEC");
    let replies = run(worker, connection, &commands).await?;
    check(worker, "XRANGE", &replies)?;
    let Some(Value::Array(results)) = replies.last() else { return Err("The server refused to read the log.".to_owned()) };
    check(worker, "XRANGE", results)?;
    let [Value::Array(known), Value::Array(entries)] = &results[..] else {
        return Err("The server's reply to XRANGE is not understood.".to_owned());
    };
    if known.is_empty() {
        *position = None;
        return Ok(Read::More);
    }
    let Some(newest) = entries.last() else {
        worker.note_log_read();
        return Ok(Read::End);
    };
    invalidate(worker, entries);
    *position = Some(id_of(newest).ok_or("The log has an entry without an identifier.")?.to_vec());
    worker.note_log_read();
    Ok(if entries.len() < LOG_BATCH { Read::End } else { Read::More })
}

/// Adds an entry to begin at, and returns its identifier: a position must be an entry that exists.
async fn begin(worker: &Worker, connection: &mut MultiplexedConnection) -> Result<Position, Problem> {
    let mut commands = Pipeline::new();
    worker.add_log_entry(&mut commands);
    let replies = run(worker, connection, &commands).await?;
    check(worker, "XADD", &replies)?;
    let entry = replies.first().unwrap_or(&Value::Nil);
    Ok(bytes(entry).ok_or_else(|| refusal("XADD", entry))?.to_vec())
}

/// Fails if a command was refused. If the log seems to be in another server, has the slots fetched again.
fn check(worker: &Worker, what: &str, replies: &[Value]) -> Result<(), Problem> {
    replies.iter().for_each(|reply| note_move(worker, reply));
    match replies.iter().find(|reply| matches!(reply, Value::ServerError(_))) {
        Some(reply) => Err(refusal(what, reply)),
        None => Ok(()),
    }
}

/// Reads the epoch, since a clear may have been missed. If the server has no epoch, the next lookup sets one. Fails if the server does not
/// allow the log to be read.
async fn learn_epoch(worker: &Worker, connection: &mut MultiplexedConnection, position: &Option<Position>) -> Result<(), Problem> {
    let Some(last) = position else { return Ok(()) };
    let mut commands = Pipeline::new();
    commands.cmd("GET").arg(&worker.names.epoch);
    commands.cmd("XREAD").arg("COUNT").arg(1).arg("STREAMS").arg(&worker.names.log).arg(last);
    let round = worker.epoch.round();
    let replies = run(worker, connection, &commands).await?;
    check(worker, "XREAD", &replies)?;
    if let Some(Ok(epoch)) = replies.first().and_then(bytes).map(Epoch::try_from) {
        worker.epoch.learn(epoch, round);
    }
    Ok(())
}

/// Waits for the next entry, for at most [`WAIT`]. After an entry, waits for `notify_ms`, so that the next read finds more.
async fn wait(worker: &Worker, connection: &mut MultiplexedConnection, position: &Option<Position>) -> Result<(), Problem> {
    let Some(last) = position else { return Ok(()) };
    let mut commands = Pipeline::new();
    commands.cmd("XREAD").arg("COUNT").arg(1).arg("BLOCK").arg(WAIT.as_millis() as u64).arg("STREAMS");
    commands.arg(&worker.names.log).arg(last);
    let replies = run_for(worker, connection, &commands).await?;
    check(worker, "XREAD", &replies)?;
    match replies.first() {
        Some(Value::Nil) => {
            worker.note_log_read();
            Ok(())
        }
        _ => {
            sleep(worker.settings.notify).await;
            Ok(())
        }
    }
}

/// Like `run`, for a command that waits for [`WAIT`].
async fn run_for(worker: &Worker, connection: &mut MultiplexedConnection, commands: &Pipeline) -> Result<Vec<Value>, Problem> {
    match timeout(WAIT + worker.settings.command, connection.send_packed_commands(commands, 0, commands.len())).await {
        Ok(Ok(replies)) => Ok(replies),
        Ok(Err(error)) => Err(format!("The log cannot be read. {}", explained(&error))),
        Err(_) => Err("The server did not answer in time. The log cannot be read.".to_owned()),
    }
}

fn id_of(entry: &Value) -> Option<&[u8]> {
    match entry {
        Value::Array(parts) => bytes(parts.first()?),
        _ => None,
    }
}

/// Invalidates in the engines what entries of the log say.
fn invalidate(worker: &Rc<Worker>, entries: &[Value]) {
    // A single engine knows of this process's own writes, since it has made them. Of several engines, the others must be told.
    let skips_own = worker.shared.has_one_engine();
    let mut keys: Vec<&[u8]> = Vec::new();
    let mut everything = false;
    let (mut own, mut heard) = (0, 0);
    for entry in entries {
        let Notice { source, keys: written, epoch } = Notice::of(entry);
        if epoch.is_some() {
            // This applies to this process's own clear as well: another clear may have followed it in the server. So the server is asked.
            worker.epoch.forget();
        }
        if skips_own && source == Some(&worker.shared.source) {
            own += written.len();
            continue;
        }
        heard += written.len();
        keys.extend(written);
        everything |= epoch.is_some();
    }
    if everything {
        worker.shared.each_engine(|engine| engine.invalidate_all());
        give_back(worker, worker.leases.borrow_mut().all_overtaken());
    } else {
        for some in keys.chunks(MOST_KEYS) {
            worker.shared.each_engine(|engine| engine.invalidate(some));
        }
        // kvlight will not store what is being loaded for these keys, so their leases are of no use.
        give_back(worker, worker.leases.borrow_mut().overtaken(&keys));
    }
    // Counted after the invalidation, so that a test that sees the count can rely on it.
    count(&worker.shared.counts.own, own);
    count(&worker.shared.counts.heard, heard);
}

/// An entry of the log: which process has written which keys, or has cleared everything.
struct Notice<'a> {
    /// The process; `None` if another program wrote the entry.
    source: Option<&'a [u8]>,
    keys: Vec<&'a [u8]>,
    /// All keys were cleared: this epoch has begun.
    epoch: Option<&'a [u8]>,
}

impl<'a> Notice<'a> {
    fn of(entry: &'a Value) -> Notice<'a> {
        let mut notice = Notice { source: None, keys: Vec::new(), epoch: None };
        let Value::Array(parts) = entry else { return notice };
        let Some(Value::Array(fields)) = parts.get(1) else { return notice };
        for field in fields.chunks_exact(2) {
            match (bytes(&field[0]), bytes(&field[1])) {
                (Some(b"s"), value) => notice.source = value,
                (Some(b"k"), Some(key)) => notice.keys.push(key),
                (Some(b"c"), value) => notice.epoch = value,
                // Fields that a later version may add are skipped.
                _ => {}
            }
        }
        notice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn t05_an_entry_of_the_log_names_its_writer_and_its_keys() {
        let fields = ["s", "me", "k", "a", "k", "b", "later", "field", "c", "epoch"].map(text);
        let entry = Value::Array(vec![text("1-0"), Value::Array(fields.into())]);
        let notice = Notice::of(&entry);
        assert_eq!((notice.source, notice.epoch), (Some(&b"me"[..]), Some(&b"epoch"[..])));
        assert_eq!(notice.keys, [b"a", b"b"]);
        assert_eq!(id_of(&entry), Some(&b"1-0"[..]));
        for entry in [Value::Nil, Value::Array(Vec::new()), Value::Array(vec![text("1-0"), Value::Nil])] {
            assert!(Notice::of(&entry).keys.is_empty(), "{entry:?}");
        }
    }
}
