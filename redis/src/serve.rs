//! Serving kvlight's requests (`kvl_l2_fn`).
//!
//! | request | commands | round trips |
//! |---|---|---|
//! | read | `MGET epoch KEY...`; for keys without an entry `SET KEY lease NX GET PX` | 1 if all have one, else 2 |
//! | fill | the script REPLACE for each key, which stores it if the lease is still there | 1 |
//! | write | `GET epoch`, `SET KEY entry PX` each, then `XADD` to the log | 1 |
//! | remove | `UNLINK KEY` each, then `XADD` | 1 |
//! | clear | `SET epoch`, then `XADD` | 1 |
//!
//! In a cluster the servers are sent the commands for their own keys in parallel; the log is written once all have replied, which costs a
//! second round trip. A key whose server is unreachable fails, and so does one that has moved to another server (rule T11): no other key
//! waits for it.
//!
//! A request fails as a whole if no server replies to a read, if no server of a fill has a link, or if a change cannot be announced in the
//! log. Then kvlight takes the read for a miss, drops the fill, or sends the change again.

use crate::journal::Journal;
use crate::kvlight::{Kind, Request};
use crate::link::{Link, bytes};
use crate::read;
use crate::stored::{self, Epoch, Token};
use crate::worker::Worker;
use futures_util::future::join_all;
use redis::{Pipeline, Value};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// How many times a write is sent, at most. It is sent again if a new epoch has begun meanwhile.
const EPOCH_ATTEMPTS: usize = 4;
/// How many times the removal of keys that have moved is tried, at most.
const REPEAT_ATTEMPTS: usize = 20;
/// The pause after each of these tries.
const REPEAT_PAUSE: Duration = Duration::from_millis(500);

/// Serves a request, and finishes it unless it has failed as a whole.
pub async fn serve(worker: Rc<Worker>, request: Request) {
    let done = match request.kind() {
        Some(Kind::Read) => read::read(&worker, &request).await,
        Some(Kind::Fill) => fill(&worker, &request).await,
        Some(Kind::Write) => write(&worker, &request).await,
        Some(Kind::Remove) => remove(&worker, &request).await,
        Some(Kind::Clear) => clear(&worker, &request).await,
        None => None,
    };
    if done.is_some() {
        request.finish();
    }
}

/// Keys of a request that are in one server.
pub struct Group {
    pub link: Link,
    /// Their indices in the request.
    pub keys: Vec<usize>,
}

/// The keys of a request, grouped by server, and the indices of those whose server has no link.
pub fn groups(worker: &Worker, names: &[Vec<u8>]) -> (Vec<Group>, Vec<usize>) {
    let (mut groups, mut lost): (Vec<Group>, _) = (Vec::new(), Vec::new());
    for (i, name) in names.iter().enumerate() {
        let Some(link) = worker.link_of(name) else {
            lost.push(i);
            continue;
        };
        match groups.iter_mut().find(|group| group.link.session == link.session) {
            Some(group) => group.keys.push(i),
            None => groups.push(Group { link, keys: vec![i] }),
        }
    }
    (groups, lost)
}

/// The names under which the server stores a request's keys.
pub fn names(worker: &Worker, request: &Request) -> Vec<Vec<u8>> {
    request.keys().map(|key| worker.names.entry(key)).collect()
}

/// Has the slots fetched again if the reply says that the server does not serve a key: not at all, not yet, or no longer.
pub fn note_move(worker: &Worker, reply: &Value) {
    if let Value::ServerError(error) = reply
        && ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY"].contains(&error.code())
    {
        worker.moved.notify_one();
    }
}

/// The current epoch. If it is not known, it is read from the server that has it.
pub async fn current_epoch(worker: &Worker) -> Option<Epoch> {
    match worker.epoch.get() {
        Some(epoch) => Some(epoch),
        None => worker.link_of(&worker.names.epoch)?.renew_epoch(worker).await,
    }
}

/// Adds a call of the script REPLACE, which stores `with` if the present value of `key` still begins with `name`.
pub fn add_replace(commands: &mut Pipeline, link: &Link, key: &[u8], name: &[u8], with: &[u8], ttl_ms: u64) {
    commands.cmd("EVALSHA").arg(&*link.script).arg(1).arg(key).arg(name).arg(with).arg(ttl_ms);
}

/// The expiry time of an entry that is written now, and its TTL as commands take it (0: none).
fn expiry(worker: &Worker, link: &Link, ttl_ms: Option<u64>) -> (Option<u64>, u64) {
    (ttl_ms.map(|ttl| link.node.server_ms(worker.now_ms()).saturating_add(ttl)), ttl_ms.unwrap_or(0))
}

/// An entry, as it is stored. It stays uncompressed if this process would not decompress it.
fn new_entry(worker: &Worker, epoch: Epoch, expires_at: Option<u64>, data: &[u8]) -> Vec<u8> {
    let settings = &worker.settings;
    stored::new_entry(epoch, expires_at, data, settings.compress_min.filter(|_| data.len() <= settings.plain_max))
}

async fn fill(worker: &Worker, request: &Request) -> Option<()> {
    let names = names(worker, request);
    let (groups, lost) = groups(worker, &names);
    if groups.is_empty() {
        return None;
    }
    lost.into_iter().for_each(|i| request.fail(i));
    request.keys().for_each(|key| worker.leases.borrow_mut().forget(key));
    join_all(groups.iter().map(|group| async {
        if fill_group(worker, request, group, &names).await.is_none() {
            group.keys.iter().for_each(|i| request.fail(*i));
        }
    }))
    .await;
    Some(())
}

async fn fill_group(worker: &Worker, request: &Request, group: &Group, names: &[Vec<u8>]) -> Option<()> {
    let Group { link, keys } = group;
    let epoch = current_epoch(worker).await?;
    let mut commands = Pipeline::new();
    let mut sent = Vec::new();
    for i in keys {
        // No entry: the value is an object that the program could not encode, and has refused already.
        let Some(entry) = request.entry(*i) else { continue };
        let token = Token::from_bytes(entry.token)
            .filter(|token| token.session == link.session && token.until > worker.now_ms() && stored::epoch_of(&token.name) == epoch);
        let Some(token) = token else {
            // The lease may have expired, or the server that granted it may have lost it since (rule T03).
            request.refuse(*i);
            continue;
        };
        let (expires_at, ttl_ms) = expiry(worker, link, entry.ttl_ms);
        let bytes = new_entry(worker, epoch, expires_at, entry.data);
        add_replace(&mut commands, link, &names[*i], &token.name, &bytes, ttl_ms);
        sent.push(*i);
    }
    if sent.is_empty() {
        return Some(());
    }
    let replies = link.run_script(worker, &commands).await?;
    for (i, reply) in sent.into_iter().zip(&replies) {
        match reply {
            Value::Int(1) => {}
            Value::Int(_) => request.refuse(i),
            reply => {
                note_move(worker, reply);
                request.fail(i);
            }
        }
    }
    Some(())
}

async fn write(worker: &Worker, request: &Request) -> Option<()> {
    for _ in 0..EPOCH_ATTEMPTS {
        let round = worker.epoch.round();
        let epoch = current_epoch(worker).await?;
        let change = |commands: &mut Pipeline, link: &Link, i: usize, name: &[u8]| {
            // The program could not encode the object, so nothing is stored; but the older entry must go.
            let Some(entry) = request.entry(i) else {
                commands.cmd("UNLINK").arg(name);
                return;
            };
            let (expires_at, ttl_ms) = expiry(worker, link, entry.ttl_ms);
            commands.cmd("SET").arg(name).arg(new_entry(worker, epoch, expires_at, entry.data));
            if ttl_ms > 0 {
                commands.arg("PX").arg(ttl_ms);
            }
        };
        let Changed { replies, epoch: now } = apply_change(worker, request, change).await?;
        match now {
            Some(now) if now == epoch => {
                worker.epoch.learn(now, round);
                finish_change(worker, request, &replies);
                return Some(());
            }
            // An entry of a former epoch is absent for every process, so it is written again.
            Some(now) => worker.epoch.learn(now, round),
            None => worker.epoch.learn(worker.link_of(&worker.names.epoch)?.renew_epoch(worker).await?, round),
        }
    }
    None
}

async fn remove(worker: &Worker, request: &Request) -> Option<()> {
    let change = |commands: &mut Pipeline, _: &Link, _: usize, name: &[u8]| {
        commands.cmd("UNLINK").arg(name);
    };
    let Changed { replies, .. } = apply_change(worker, request, change).await?;
    finish_change(worker, request, &replies);
    Some(())
}

/// The outcome of a change.
struct Changed {
    /// The server's reply for each key; `None`: there was none, or the notice was not confirmed.
    replies: Vec<Option<Value>>,
    /// The epoch right after the notice; `None`: it is missing in the server.
    epoch: Option<Epoch>,
}

/// Changes the keys of a request, and sends the notice after that (rule T04). `None`: the notice could not be sent, or had no reply.
async fn apply_change(worker: &Worker, request: &Request, change: impl Fn(&mut Pipeline, &Link, usize, &[u8])) -> Option<Changed> {
    let names = names(worker, request);
    let of_log = worker.link_of(&worker.names.log)?;
    worker.note_write(|journal, now_ms, kept| journal.add(request.keys(), now_ms, kept));
    request.keys().for_each(|key| worker.leases.borrow_mut().forget(key));
    let (groups, _) = groups(worker, &names);
    let mut replies: Vec<Option<Value>> = names.iter().map(|_| None).collect();
    let commands_of = |group: &Group| {
        let mut commands = Pipeline::new();
        group.keys.iter().for_each(|i| change(&mut commands, &group.link, *i, &names[*i]));
        commands
    };
    // A server runs commands in the order in which they arrive, so the notice may follow at once.
    if let [group] = &groups[..]
        && group.link.session == of_log.session
    {
        let mut commands = commands_of(group);
        worker.add_notice(&mut commands, request.keys());
        commands.cmd("GET").arg(&worker.names.epoch);
        let mut results = of_log.run(worker, &commands).await?;
        let (epoch, notice) = (results.pop()?, results.pop()?);
        let is_noticed = is_done(worker, &notice);
        for (i, reply) in group.keys.iter().zip(results) {
            replies[*i] = Some(reply).filter(|_| is_noticed);
        }
        return Some(Changed { replies, epoch: epoch_from(&epoch) });
    }
    let results = join_all(groups.iter().map(async |group| group.link.run(worker, &commands_of(group)).await)).await;
    for (group, of_group) in groups.iter().zip(results) {
        for (i, reply) in group.keys.iter().zip(of_group.into_iter().flatten()) {
            replies[*i] = Some(reply);
        }
    }
    let mut commands = Pipeline::new();
    // This includes keys whose server confirmed nothing: it may have applied the change.
    worker.add_notice(&mut commands, request.keys());
    commands.cmd("GET").arg(&worker.names.epoch);
    let results = of_log.run(worker, &commands).await?;
    let [notice, epoch] = &results[..] else { return None };
    if !is_done(worker, notice) {
        replies.fill(None);
    }
    Some(Changed { replies, epoch: epoch_from(epoch) })
}

fn epoch_from(reply: &Value) -> Option<Epoch> {
    bytes(reply).and_then(|epoch| Epoch::try_from(epoch).ok())
}

/// Whether a command was executed. If it was not, reports why.
fn is_done(worker: &Worker, reply: &Value) -> bool {
    let Value::ServerError(error) = reply else { return true };
    note_move(worker, reply);
    // A server without memory, or a user without rights, is something that an operator has to fix.
    let help = match error.code() {
        "OOM" => "Give it more memory, or a maxmemory-policy that evicts: volatile-lru.",
        "NOPERM" => "Grant what the README lists under ACL.",
        "READONLY" => "It is a replica: the URL must name the primary.",
        _ => "The server's log may say more.",
    };
    worker.refuses_writes.set(true);
    worker.shared.report(Some(format!("The server refused a write ({}). {help}", error.code())));
    false
}

/// Evaluates the replies to changes. A key without a reply, or whose change was refused, is written again.
fn finish_change(worker: &Worker, request: &Request, replies: &[Option<Value>]) {
    let mut all = true;
    for (i, reply) in replies.iter().enumerate() {
        if !reply.as_ref().is_some_and(|reply| is_done(worker, reply)) {
            all = false;
            request.fail(i);
        }
    }
    if all && worker.refuses_writes.replace(false) {
        worker.report_recovery();
    }
}

async fn clear(worker: &Worker, request: &Request) -> Option<()> {
    let link = worker.link_of(&worker.names.log)?;
    let epoch = crate::random::random();
    let mut commands = Pipeline::new();
    worker.add_clear(&mut commands, epoch);
    worker.note_write(Journal::add_all);
    let round = worker.epoch.round();
    let replies = link.run(worker, &commands).await?;
    // `count`, not `any`: each reply is checked, so that every problem is reported.
    if replies.iter().filter(|reply| !is_done(worker, reply)).count() > 0 {
        request.fail(0);
    } else {
        worker.epoch.learn(epoch, round);
    }
    Some(())
}

/// Removes keys that have moved to another server, and announces them once more: that server may have been a replica that lacks the last
/// writes.
pub async fn repeat_moved(worker: Rc<Worker>, mut keys: Vec<Vec<u8>>) {
    for _ in 0..REPEAT_ATTEMPTS {
        let names: Vec<Vec<u8>> = keys.iter().map(|key| worker.names.entry(key)).collect();
        let (groups, mut left) = groups(&worker, &names);
        for group in &groups {
            let mut commands = Pipeline::new();
            for i in &group.keys {
                commands.cmd("UNLINK").arg(&names[*i]);
            }
            match group.link.run(&worker, &commands).await {
                Some(replies) => {
                    left.extend(group.keys.iter().zip(&replies).filter(|(_, reply)| !is_done(&worker, reply)).map(|(i, _)| *i))
                }
                None => left.extend(&group.keys),
            }
        }
        let mut notice = Pipeline::new();
        worker.add_notice(&mut notice, keys.iter().map(Vec::as_slice));
        let is_noticed = match worker.link_of(&worker.names.log) {
            Some(link) => link.run(&worker, &notice).await.is_some_and(|replies| replies.iter().all(|reply| is_done(&worker, reply))),
            None => false,
        };
        if is_noticed {
            keys = left.into_iter().map(|i| keys[i].clone()).collect();
        }
        if keys.is_empty() {
            return;
        }
        sleep(REPEAT_PAUSE).await;
    }
}
