//! Serving kvlight's requests (`kvl_l2_fn`).
//!
//! | request | commands | round trips |
//! |---|---|---|
//! | read | `MGET epoch KEY...`; for keys without an entry `SET KEY lease NX GET PX` | 1 if all have one, else 2 |
//! | fill | the script REPLACE for each key: if its lease is still there | 1 |
//! | write | `GET epoch`, `SET KEY entry PX` each, then `XADD` to the log | 1 |
//! | remove | `UNLINK KEY` each, then `XADD` | 1 |
//! | clear | `SET epoch`, then `XADD` | 1 |
//!
//! In a cluster each server is sent what concerns its keys, all at the same time; the log is written when their replies are there, which is a second
//! round trip. A key whose server is not there fails, and so does one that is elsewhere than was thought (rule T11): no other key waits for it.
//!
//! A request that has no link, or loses it, fails as a whole: kvlight treats that as a miss, or writes again.

use crate::journal::Journal;
use crate::kvlight::{Kind, Request};
use crate::link::{Link, bytes};
use crate::shared::count;
use crate::stored::{self, Epoch, Name, Stored, Token};
use crate::worker::{TIME_LASTS_MS, Worker};
use futures_util::future::join_all;
use redis::{Pipeline, Value};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// How often a write is sent again because a new epoch had begun.
const EPOCH_ATTEMPTS: usize = 4;
/// How often keys that have moved are repeated if that fails.
const REPEAT_ATTEMPTS: usize = 20;
/// The pause between these.
const REPEAT_PAUSE: Duration = Duration::from_millis(500);

/// Serves a request, and finishes it unless it has failed as a whole.
pub async fn serve(worker: Rc<Worker>, request: Request) {
    let done = match request.kind() {
        Some(Kind::Read) => read(&worker, &request).await,
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
struct Group {
    link: Link,
    keys: Vec<usize>,
}

/// The keys of a request by their servers, and those whose server is not there.
fn groups(worker: &Worker, names: &[Vec<u8>]) -> (Vec<Group>, Vec<usize>) {
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

/// The keys in the server of a request's keys.
fn names(worker: &Worker, request: &Request) -> Vec<Vec<u8>> {
    request.keys().map(|key| worker.names.entry(key)).collect()
}

/// What stands in the way of an entry of a key.
enum Obstacle {
    /// There is none.
    Absent,
    /// Something is there that is no entry now: of another epoch, or of another program. Its name.
    Outdated(Vec<u8>),
}

async fn read(worker: &Worker, request: &Request) -> Option<()> {
    let names = names(worker, request);
    let (groups, lost) = groups(worker, &names);
    if groups.is_empty() {
        return None;
    }
    lost.into_iter().for_each(|i| request.fail(i));
    // What a server does not answer has failed when the request is finished.
    let read = join_all(groups.iter().map(|group| read_group(worker, request, group, &names))).await;
    read.iter().any(Option::is_some).then_some(())
}

async fn read_group(worker: &Worker, request: &Request, group: &Group, names: &[Vec<u8>]) -> Option<()> {
    let Group { link, keys } = group;
    let mut commands = Pipeline::new();
    let is_cluster = worker.topology.borrow().is_cluster();
    if is_cluster {
        // Keys of several slots cannot be read by one command, though they are in one server.
        for i in keys {
            commands.cmd("GET").arg(&names[*i]);
        }
    } else {
        commands.cmd("MGET").arg(&worker.names.epoch);
        for i in keys {
            commands.arg(&names[*i]);
        }
    }
    let asks_time = link.node.time_age(worker.now_ms()) >= TIME_LASTS_MS;
    if asks_time {
        commands.cmd("TIME");
    }
    let mut replies = link.run(worker, &commands).await?;
    if asks_time && let Some(time) = replies.pop() {
        link.node.learn_time(&time, worker.now_ms());
    }
    let epoch = if is_cluster {
        epoch_of_cluster(worker).await?
    } else {
        let Some(Value::Array(found)) = replies.pop() else {
            worker.shared.report(Some("The server refused MGET. Grant what the README lists under ACL.".to_owned()));
            return None;
        };
        replies = found;
        let epoch = replies.remove(0);
        match bytes(&epoch).and_then(|epoch| Epoch::try_from(epoch).ok()) {
            Some(epoch) => epoch,
            // It was evicted, or everything was flushed. Under another epoch no entry from before is valid.
            None => link.renew_epoch(worker).await?,
        }
    };
    worker.epoch.set(Some(epoch));
    let mut claims = Vec::new();
    for (i, value) in keys.iter().zip(&replies) {
        match value {
            Value::Nil => claims.push((*i, Obstacle::Absent)),
            value => match bytes(value) {
                Some(found) => {
                    if !answer(worker, link, request, *i, epoch, found) {
                        claims.push((*i, Obstacle::Outdated(stored::name_of(found).to_vec())));
                    }
                }
                None => {
                    note_move(worker, value);
                    request.fail(*i);
                }
            },
        }
    }
    claim(worker, link, request, epoch, names, &claims).await
}

/// The epoch, as the log says; if it was lost, the server that has it is asked.
async fn epoch_of_cluster(worker: &Worker) -> Option<Epoch> {
    match worker.epoch.get() {
        Some(epoch) => Some(epoch),
        None => worker.link_of(&worker.names.epoch)?.renew_epoch(worker).await,
    }
}

/// A server may say that it does not have a key, or not yet or any more: then the slots are asked for.
fn note_move(worker: &Worker, reply: &Value) {
    if let Value::ServerError(error) = reply
        && ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "READONLY"].contains(&error.code())
    {
        worker.moved.notify_one();
    }
}

/// Answers a key with what is under it. Returns false if that is neither an entry nor a lease of this epoch.
fn answer(worker: &Worker, link: &Link, request: &Request, i: usize, epoch: Epoch, found: &[u8]) -> bool {
    match stored::read(found) {
        Stored::Entry { epoch: own, expires_at, entry } if own == epoch => {
            let left = expires_at.map(|at| at.saturating_sub(link.node.server_ms(worker.now_ms())));
            let Ok(name) = Name::try_from(stored::name_of(found)) else { return false };
            let token = Token { name, session: link.session, until: u64::MAX };
            request.hit(i, entry, left, &token.to_bytes());
            true
        }
        Stored::Lease(own) if own == epoch => {
            count(&worker.shared.counts.busy, 1);
            // Another process loads it. Without a lease what is loaded here is not stored there.
            request.miss(i, &[]);
            true
        }
        _ => false,
    }
}

/// Takes leases of keys that have no entry.
async fn claim(
    worker: &Worker,
    link: &Link,
    request: &Request,
    epoch: Epoch,
    names: &[Vec<u8>],
    claims: &[(usize, Obstacle)],
) -> Option<()> {
    if claims.is_empty() {
        return Some(());
    }
    let lease_ms = u64::try_from(worker.settings.lease.as_millis()).unwrap_or(u64::MAX);
    let until = worker.lease_until();
    let leases: Vec<Name> = claims.iter().map(|_| stored::new_lease(epoch)).collect();
    let mut commands = Pipeline::new();
    for ((i, obstacle), lease) in claims.iter().zip(&leases) {
        match obstacle {
            Obstacle::Absent => {
                commands.cmd("SET").arg(&names[*i]).arg(&lease[..]).arg("NX").arg("GET").arg("PX").arg(lease_ms);
            }
            Obstacle::Outdated(name) => add_replace(&mut commands, link, &names[*i], name, lease, lease_ms),
        }
    }
    let replies = link.run_script(worker, &commands).await?;
    for (((i, obstacle), lease), reply) in claims.iter().zip(&leases).zip(&replies) {
        let is_ours = match (obstacle, reply) {
            (Obstacle::Absent, Value::Nil) | (Obstacle::Outdated(_), Value::Int(1)) => true,
            (Obstacle::Absent, reply) => match bytes(reply) {
                // Meanwhile another process has filled it, or begun to load it.
                Some(found) if answer(worker, link, request, *i, epoch, found) => continue,
                _ => false,
            },
            _ => false,
        };
        if is_ours {
            count(&worker.shared.counts.leases, 1);
            request.miss(*i, &Token { name: *lease, session: link.session, until }.to_bytes());
        } else {
            note_move(worker, reply);
            request.miss(*i, &[]);
        }
    }
    Some(())
}

fn add_replace(commands: &mut Pipeline, link: &Link, key: &[u8], name: &[u8], with: &[u8], ttl_ms: u64) {
    commands.cmd("EVALSHA").arg(&*link.script).arg(1).arg(key).arg(name).arg(with).arg(ttl_ms);
}

/// When an entry expires that is written now, and its TTL as commands have it: 0 is none.
fn expiry(worker: &Worker, link: &Link, ttl_ms: Option<u64>) -> (Option<u64>, u64) {
    (ttl_ms.map(|ttl| link.node.server_ms(worker.now_ms()).saturating_add(ttl)), ttl_ms.unwrap_or(0))
}

async fn fill(worker: &Worker, request: &Request) -> Option<()> {
    let names = names(worker, request);
    let (groups, lost) = groups(worker, &names);
    if groups.is_empty() {
        return None;
    }
    lost.into_iter().for_each(|i| request.fail(i));
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
    let epoch = worker.epoch.get()?;
    let mut commands = Pipeline::new();
    let mut sent = Vec::new();
    for i in keys {
        let entry = request.entry(*i)?;
        let token = Token::from_bytes(entry.token)
            .filter(|token| token.session == link.session && token.until > worker.now_ms() && stored::epoch_of(&token.name) == epoch);
        let Some(token) = token else {
            // The lease may have ended, or was taken from a server that has lost it since (rule T03).
            request.refuse(*i);
            continue;
        };
        let (expires_at, ttl_ms) = expiry(worker, link, entry.ttl_ms);
        let bytes = stored::new_entry(epoch, expires_at, entry.data);
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
        let epoch = match worker.epoch.get() {
            Some(epoch) => epoch,
            None => worker.link_of(&worker.names.epoch)?.renew_epoch(worker).await?,
        };
        let change = |commands: &mut Pipeline, link: &Link, i: usize, name: &[u8]| {
            // Every key of a write has an entry.
            let Some(entry) = request.entry(i) else { return };
            let (expires_at, ttl_ms) = expiry(worker, link, entry.ttl_ms);
            commands.cmd("SET").arg(name).arg(stored::new_entry(epoch, expires_at, entry.data));
            if ttl_ms > 0 {
                commands.arg("PX").arg(ttl_ms);
            }
        };
        let Changed { replies, epoch: now } = changed(worker, request, change).await?;
        match now {
            Some(now) if now == epoch => {
                finish_change(worker, request, &replies);
                return Some(());
            }
            // An entry of a former epoch is absent for everybody: it is written again.
            Some(now) => worker.epoch.set(Some(now)),
            None => worker.epoch.set(Some(worker.link_of(&worker.names.epoch)?.renew_epoch(worker).await?)),
        }
    }
    None
}

async fn remove(worker: &Worker, request: &Request) -> Option<()> {
    let change = |commands: &mut Pipeline, _: &Link, _: usize, name: &[u8]| {
        commands.cmd("UNLINK").arg(name);
    };
    let Changed { replies, .. } = changed(worker, request, change).await?;
    finish_change(worker, request, &replies);
    Some(())
}

/// What came of changes.
struct Changed {
    /// For each key what the server said; `None`: nothing, or the notice was not sent.
    replies: Vec<Option<Value>>,
    /// The epoch when the notice was sent.
    epoch: Option<Epoch>,
}

/// Changes the keys of a request, and sends the notice after that (rule T04). `None`: the notice was not sent.
async fn changed(worker: &Worker, request: &Request, change: impl Fn(&mut Pipeline, &Link, usize, &[u8])) -> Option<Changed> {
    let names = names(worker, request);
    let of_log = worker.link_of(&worker.names.log)?;
    worker.note_write(|journal, now_ms, kept| journal.add(request.keys(), now_ms, kept));
    let (groups, _) = groups(worker, &names);
    let mut replies: Vec<Option<Value>> = names.iter().map(|_| None).collect();
    let commands_of = |group: &Group| {
        let mut commands = Pipeline::new();
        group.keys.iter().for_each(|i| change(&mut commands, &group.link, *i, &names[*i]));
        commands
    };
    // One server carries out what it is sent in its order, so the notice may follow at once.
    if let [group] = &groups[..]
        && group.link.session == of_log.session
    {
        let mut commands = commands_of(group);
        worker.add_notice(&mut commands, request.keys());
        commands.cmd("GET").arg(&worker.names.epoch);
        let mut said = of_log.run(worker, &commands).await?;
        let (epoch, notice) = (said.pop()?, said.pop()?);
        let is_noticed = is_done(worker, &notice);
        for (i, reply) in group.keys.iter().zip(said) {
            replies[*i] = Some(reply).filter(|_| is_noticed);
        }
        return Some(Changed { replies, epoch: epoch_from(&epoch) });
    }
    let said = join_all(groups.iter().map(async |group| group.link.run(worker, &commands_of(group)).await)).await;
    for (group, said) in groups.iter().zip(said) {
        for (i, reply) in group.keys.iter().zip(said.into_iter().flatten()) {
            replies[*i] = Some(reply);
        }
    }
    let mut commands = Pipeline::new();
    // Also of those that a server did not confirm: it may have carried them out.
    worker.add_notice(&mut commands, request.keys());
    commands.cmd("GET").arg(&worker.names.epoch);
    let said = of_log.run(worker, &commands).await?;
    let [notice, epoch] = &said[..] else { return None };
    if !is_done(worker, notice) {
        replies.fill(None);
    }
    Some(Changed { replies, epoch: epoch_from(epoch) })
}

fn epoch_from(reply: &Value) -> Option<Epoch> {
    bytes(reply).and_then(|epoch| Epoch::try_from(epoch).ok())
}

/// Whether a command was carried out. If it was not, notes why.
fn is_done(worker: &Worker, reply: &Value) -> bool {
    let Value::ServerError(error) = reply else { return true };
    note_move(worker, reply);
    // A server without memory, or a user without rights, is something that people must mend.
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

/// Takes the replies to changes. A key without one, or that was refused, is written again.
fn finish_change(worker: &Worker, request: &Request, replies: &[Option<Value>]) {
    let mut all = true;
    for (i, reply) in replies.iter().enumerate() {
        if !reply.as_ref().is_some_and(|reply| is_done(worker, reply)) {
            all = false;
            request.fail(i);
        }
    }
    if all && worker.refuses_writes.replace(false) {
        worker.shared.report(None);
    }
}

async fn clear(worker: &Worker, request: &Request) -> Option<()> {
    let link = worker.link_of(&worker.names.log)?;
    let epoch = crate::random::random();
    let mut commands = Pipeline::new();
    worker.add_clear(&mut commands, epoch);
    worker.note_write(Journal::add_all);
    let replies = link.run(worker, &commands).await?;
    // Both are asked, so that both problems are noted.
    if replies.iter().filter(|reply| !is_done(worker, reply)).count() > 0 {
        request.fail(0);
    } else {
        worker.epoch.set(Some(epoch));
    }
    Some(())
}

/// Keys have moved to another server, which may be a copy that lacks the last writes: they are removed and told once more.
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
