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
//! A request that has no link, or loses it, fails as a whole: kvlight treats that as a miss, or writes again.

use crate::kvlight::{Kind, Request};
use crate::link::{Link, bytes};
use crate::shared::count;
use crate::stored::{self, Epoch, Name, Stored, Token};
use crate::worker::{EPOCH_ATTEMPTS, Worker};
use redis::{Pipeline, Value};
use std::rc::Rc;

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

/// What stands in the way of an entry of a key.
enum Obstacle<'a> {
    /// There is none.
    Absent,
    /// Something is there that is no entry now: of another epoch, or of another program. Its name.
    Outdated(&'a [u8]),
}

async fn read(worker: &Worker, request: &Request) -> Option<()> {
    let link = worker.link()?;
    let mut commands = Pipeline::new();
    commands.cmd("MGET").arg(&worker.names.epoch);
    for key in request.keys() {
        commands.arg(worker.names.entry(key));
    }
    if worker.is_time_old() {
        commands.cmd("TIME");
    }
    let replies = link.run(worker, &commands).await?;
    if let Some(time) = replies.get(1) {
        worker.learn_time(time);
    }
    let Some(Value::Array(found)) = replies.first() else {
        worker.shared.report(Some("The server refused MGET. Grant what the README lists under ACL.".to_owned()));
        return None;
    };
    let (epoch, found) = found.split_first()?;
    let epoch = match bytes(epoch).and_then(|epoch| Epoch::try_from(epoch).ok()) {
        Some(epoch) => epoch,
        // It was evicted, or everything was flushed. Under another epoch no entry from before is valid.
        None => link.renew_epoch(worker).await?,
    };
    worker.epoch.set(Some(epoch));
    let mut claims = Vec::new();
    for (i, value) in found.iter().enumerate() {
        match value {
            Value::Nil => claims.push((i, Obstacle::Absent)),
            value => match bytes(value) {
                Some(found) => {
                    if !answer(worker, &link, request, i, epoch, found) {
                        claims.push((i, Obstacle::Outdated(stored::name_of(found))));
                    }
                }
                None => request.fail(i),
            },
        }
    }
    claim(worker, &link, request, epoch, &claims).await
}

/// Answers a key with what is under it. Returns false if that is neither an entry nor a lease of this epoch.
fn answer(worker: &Worker, link: &Link, request: &Request, i: usize, epoch: Epoch, found: &[u8]) -> bool {
    match stored::read(found) {
        Stored::Entry { epoch: own, expires_at, entry } if own == epoch => {
            let left = expires_at.map(|at| at.saturating_sub(worker.server_ms()));
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
async fn claim(worker: &Worker, link: &Link, request: &Request, epoch: Epoch, claims: &[(usize, Obstacle<'_>)]) -> Option<()> {
    if claims.is_empty() {
        return Some(());
    }
    let keys: Vec<&[u8]> = request.keys().collect();
    let lease_ms = u64::try_from(worker.settings.lease.as_millis()).unwrap_or(u64::MAX);
    let until = worker.lease_until();
    let leases: Vec<Name> = claims.iter().map(|_| stored::new_lease(epoch)).collect();
    let mut commands = Pipeline::new();
    for ((i, obstacle), lease) in claims.iter().zip(&leases) {
        let key = worker.names.entry(keys[*i]);
        match obstacle {
            Obstacle::Absent => {
                commands.cmd("SET").arg(key).arg(&lease[..]).arg("NX").arg("GET").arg("PX").arg(lease_ms);
            }
            Obstacle::Outdated(name) => add_replace(&mut commands, link, &key, name, lease, lease_ms),
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
            request.miss(*i, &[]);
        }
    }
    Some(())
}

fn add_replace(commands: &mut Pipeline, link: &Link, key: &[u8], name: &[u8], with: &[u8], ttl_ms: u64) {
    commands.cmd("EVALSHA").arg(&*link.script).arg(1).arg(key).arg(name).arg(with).arg(ttl_ms);
}

/// When an entry expires that is written now, and its TTL as commands have it: 0 is none.
fn expiry(worker: &Worker, ttl_ms: Option<u64>) -> (Option<u64>, u64) {
    (ttl_ms.map(|ttl| worker.server_ms().saturating_add(ttl)), ttl_ms.unwrap_or(0))
}

async fn fill(worker: &Worker, request: &Request) -> Option<()> {
    let link = worker.link()?;
    let epoch = worker.epoch.get()?;
    let mut commands = Pipeline::new();
    let mut sent = Vec::new();
    for (i, key) in request.keys().enumerate() {
        let entry = request.entry(i)?;
        let token = Token::from_bytes(entry.token)
            .filter(|token| token.session == link.session && token.until > worker.now_ms() && stored::epoch_of(&token.name) == epoch);
        let Some(token) = token else {
            // The lease may have ended, or was taken from a server that has lost it since (rule T03).
            request.refuse(i);
            continue;
        };
        let (expires_at, ttl_ms) = expiry(worker, entry.ttl_ms);
        let bytes = stored::new_entry(epoch, expires_at, entry.data);
        add_replace(&mut commands, &link, &worker.names.entry(key), &token.name, &bytes, ttl_ms);
        sent.push(i);
    }
    if sent.is_empty() {
        return Some(());
    }
    let replies = link.run_script(worker, &commands).await?;
    for (i, reply) in sent.into_iter().zip(&replies) {
        match reply {
            Value::Int(1) => {}
            Value::Int(_) => request.refuse(i),
            _ => request.fail(i),
        }
    }
    Some(())
}

async fn write(worker: &Worker, request: &Request) -> Option<()> {
    let link = worker.link()?;
    worker.journal.borrow_mut().add(request.keys(), worker.now_ms(), worker.settings.journal);
    for _ in 0..EPOCH_ATTEMPTS {
        let epoch = worker.epoch.get()?;
        let mut commands = Pipeline::new();
        // An entry of a former epoch would be absent for everybody.
        commands.cmd("GET").arg(&worker.names.epoch);
        add_entries(worker, request, epoch, &mut commands)?;
        worker.add_notice(&mut commands, request.keys());
        let replies = link.run(worker, &commands).await?;
        let (now, changes) = replies.split_first()?;
        match bytes(now).and_then(|now| Epoch::try_from(now).ok()) {
            Some(now) if now == epoch => {
                finish_change(worker, request, changes);
                return Some(());
            }
            Some(now) => worker.epoch.set(Some(now)),
            None => worker.epoch.set(Some(link.renew_epoch(worker).await?)),
        }
    }
    None
}

/// Adds the commands that store the entries of a request.
fn add_entries(worker: &Worker, request: &Request, epoch: Epoch, commands: &mut Pipeline) -> Option<()> {
    for (i, key) in request.keys().enumerate() {
        let entry = request.entry(i)?;
        let (expires_at, ttl_ms) = expiry(worker, entry.ttl_ms);
        commands.cmd("SET").arg(worker.names.entry(key)).arg(stored::new_entry(epoch, expires_at, entry.data));
        if ttl_ms > 0 {
            commands.arg("PX").arg(ttl_ms);
        }
    }
    Some(())
}

async fn remove(worker: &Worker, request: &Request) -> Option<()> {
    let link = worker.link()?;
    let mut commands = Pipeline::new();
    let keys: Vec<&[u8]> = request.keys().collect();
    worker.add_removal(&mut commands, keys.iter().copied());
    worker.journal.borrow_mut().add(request.keys(), worker.now_ms(), worker.settings.journal);
    let replies = link.run(worker, &commands).await?;
    finish_change(worker, request, &replies);
    Some(())
}

/// Takes the replies to changes: one for each key, and that of the notice after them. A key is written when both are done; else it is written again.
fn finish_change(worker: &Worker, request: &Request, replies: &[Value]) {
    let Some((notice, changes)) = replies.split_last() else { return };
    let is_done = |reply: &Value| !matches!(reply, Value::ServerError(_));
    for (i, reply) in changes.iter().enumerate() {
        if !is_done(reply) || !is_done(notice) {
            report_refusal(worker, if is_done(reply) { notice } else { reply });
            request.fail(i);
        }
    }
    if replies.iter().all(is_done) && worker.refuses_writes.replace(false) {
        worker.shared.report(None);
    }
}

/// A server without memory, or a user without rights, is something that people must mend.
fn report_refusal(worker: &Worker, reply: &Value) {
    if let Value::ServerError(error) = reply {
        let help = match error.code() {
            "OOM" => "Give it more memory, or a maxmemory-policy that evicts: volatile-lru.",
            "NOPERM" => "Grant what the README lists under ACL.",
            "READONLY" => "It is a replica: the URL must name the primary.",
            _ => "The server's log may say more.",
        };
        worker.refuses_writes.set(true);
        worker.shared.report(Some(format!("The server refused a write ({}). {help}", error.code())));
    }
}

async fn clear(worker: &Worker, request: &Request) -> Option<()> {
    let link = worker.link()?;
    let epoch = crate::random::random();
    let mut commands = Pipeline::new();
    worker.add_clear(&mut commands, epoch);
    worker.journal.borrow_mut().add_all(worker.now_ms(), worker.settings.journal);
    let replies = link.run(worker, &commands).await?;
    match &replies[..] {
        [Value::ServerError(_), ..] | [_, Value::ServerError(_)] => {
            replies.iter().for_each(|reply| report_refusal(worker, reply));
            request.fail(0);
        }
        _ => worker.epoch.set(Some(epoch)),
    }
    Some(())
}
