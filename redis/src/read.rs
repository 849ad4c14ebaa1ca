//! Reading keys, with leases for those without an entry.
//!
//! ```text
//!   look ──┬─ an entry ──────────────▶ hit
//!          ├─ nothing, or outdated ──▶ request a lease ───────┬─ granted ─▶ miss, with the lease
//!          │                                                  ╰─ an entry, or another process's lease: as above
//!          ╰─ another process's lease ─▶ kvlight looks again later; after l2.wait_ms it allows the lease to be taken over
//! ```
//!
//! If an engine finds its own lease, the load for it has ended without a fill, since an engine has one load of a key at a time: the lease
//! is replaced. A lease that is granted when kvlight does not wait any more, or after the key was written, is given back. Each key is
//! answered as soon as its answer is known.

use crate::compress;
use crate::kvlight::Request;
use crate::leases::{Unused, give_back};
use crate::link::{Link, bytes};
use crate::serve::{Group, add_replace, current_epoch, groups, names, note_move};
use crate::shared::count;
use crate::stored::{self, Epoch, Name, Stored, Token};
use crate::worker::{TIME_LASTS_MS, Worker};
use futures_util::future::join_all;
use redis::{Pipeline, Value};
use std::borrow::Cow;
use std::rc::Rc;

/// Reads the keys of a request.
pub async fn read(worker: &Rc<Worker>, request: &Request) -> Option<()> {
    let names = names(worker, request);
    let (groups, lost) = groups(worker, &names);
    if groups.is_empty() {
        return None;
    }
    lost.into_iter().for_each(|i| request.fail(i));
    let reader = Reader { worker, request, names: &names };
    // If a server does not reply, its keys stay unanswered, and count as failed when the request is finished.
    let read = join_all(groups.iter().map(|group| reader.read_group(group))).await;
    read.iter().any(Option::is_some).then_some(())
}

/// What a lookup found under a key.
enum Found {
    /// The key is answered: it has an entry, or cannot be read.
    Answered,
    /// Another process loads the key, under this lease.
    Leased(Vec<u8>),
    /// Nothing is there.
    Absent,
    /// There is a value that cannot be used: it is of another epoch or another program, or damaged. This is its name.
    Outdated(Vec<u8>),
}

/// A read in progress.
struct Reader<'a> {
    worker: &'a Rc<Worker>,
    request: &'a Request,
    /// The names of the keys in the server.
    names: &'a [Vec<u8>],
}

impl Reader<'_> {
    /// Reads the keys that are in one server.
    async fn read_group(&self, group: &Group) -> Option<()> {
        let Group { link, keys } = group;
        let Reader { worker, request, names } = self;
        let round = worker.epoch.round();
        let (epoch, values) = self.values(link, keys).await?;
        worker.epoch.learn(epoch, round);
        let mut claims = Vec::new();
        for (i, value) in keys.iter().zip(&values) {
            match self.answer(link, *i, epoch, value) {
                Found::Answered => {}
                Found::Leased(name) if request.steals(*i) || self.is_own(&name) => claims.push((*i, Some(name))),
                Found::Leased(_) => self.answer_leased(*i),
                Found::Absent => claims.push((*i, None)),
                Found::Outdated(name) => claims.push((*i, Some(name))),
            }
        }
        if claims.is_empty() {
            return Some(());
        }
        let lease_ms = u64::try_from(worker.settings.lease.as_millis()).unwrap_or(u64::MAX);
        let until = worker.lease_until();
        let leases: Vec<Name> = claims.iter().map(|_| stored::new_lease(epoch, worker.shared.source)).collect();
        let mut commands = Pipeline::new();
        for ((i, name), lease) in claims.iter().zip(&leases) {
            match name {
                None => {
                    commands.cmd("SET").arg(&names[*i]).arg(&lease[..]).arg("NX").arg("GET").arg("PX").arg(lease_ms);
                }
                Some(name) => add_replace(&mut commands, link, &names[*i], name, lease, lease_ms),
            }
        }
        let replies = link.run_script(worker, &commands).await?;
        let mut unused = Vec::new();
        for (((i, name), lease), reply) in claims.iter().zip(&leases).zip(&replies) {
            match (name, reply) {
                (None, Value::Nil) | (Some(_), Value::Int(1)) => {
                    count(&worker.shared.counts.leases, 1);
                    let token = Token { name: *lease, session: link.session, until };
                    let is_used = request.miss(*i, &token.to_bytes());
                    let Some(key) = request.keys().nth(*i) else { continue };
                    if is_used {
                        worker.leases.borrow_mut().add(key, token, worker.now_ms());
                    } else {
                        unused.push(Unused::new(key, token));
                    }
                }
                // Another process has replaced the value meanwhile.
                (Some(_), Value::Int(_)) => self.answer_leased(*i),
                // Another process has filled the key meanwhile, or begun to load it.
                (_, reply) => match self.answer(link, *i, epoch, reply) {
                    Found::Answered => {}
                    _ => self.answer_leased(*i),
                },
            }
        }
        give_back(worker, unused);
        Some(())
    }

    /// Whether a lease was granted to the engine that asks, for an earlier load. False with several engines in this process: another one
    /// may be using the lease.
    fn is_own(&self, lease: &[u8]) -> bool {
        let shared = &self.worker.shared;
        shared.has_one_engine() && stored::is_lease_of(lease, shared.source)
    }

    /// Answers that another process loads the key.
    fn answer_leased(&self, i: usize) {
        count(&self.worker.shared.counts.busy, 1);
        self.request.leased(i);
    }

    /// Reads the values of keys of one server, and the current epoch.
    async fn values(&self, link: &Link, keys: &[usize]) -> Option<(Epoch, Vec<Value>)> {
        let worker = self.worker;
        let mut commands = Pipeline::new();
        let is_sharded = worker.is_sharded();
        if is_sharded {
            // Keys of several slots cannot be read by one command, even if they are in one server.
            for i in keys {
                commands.cmd("GET").arg(&self.names[*i]);
            }
        } else {
            commands.cmd("MGET").arg(&worker.names.epoch);
            for i in keys {
                commands.arg(&self.names[*i]);
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
        if is_sharded {
            // A new epoch is announced in the log.
            return Some((current_epoch(worker).await?, replies));
        }
        let mut values = match replies.pop() {
            Some(Value::Array(values)) if values.len() == keys.len() + 1 => values,
            _ => {
                worker.shared.report(Some("The server refused MGET. Grant what the README lists under ACL.".to_owned()));
                return None;
            }
        };
        let epoch = match bytes(&values.remove(0)).and_then(|epoch| Epoch::try_from(epoch).ok()) {
            Some(epoch) => epoch,
            // The epoch was evicted, or everything was flushed. Under a new one no entry from before is valid.
            None => link.renew_epoch(worker).await?,
        };
        Some((epoch, values))
    }

    /// Answers a key if it has an entry, or if its value cannot be read.
    fn answer(&self, link: &Link, i: usize, epoch: Epoch, value: &Value) -> Found {
        let worker = self.worker;
        let Some(found) = bytes(value) else {
            if matches!(value, Value::Nil) {
                return Found::Absent;
            }
            note_move(worker, value);
            self.request.fail(i);
            return Found::Answered;
        };
        match stored::read(found) {
            Stored::Entry { epoch: own, expires_at, entry, is_compressed } if own == epoch => {
                let plain = match is_compressed {
                    false => Cow::Borrowed(entry),
                    true => match compress::plain(entry, worker.settings.plain_max) {
                        Some(plain) => Cow::Owned(plain),
                        None => return Found::Outdated(stored::name_of(found).to_vec()),
                    },
                };
                let left = expires_at.map(|at| at.saturating_sub(link.node.server_ms(worker.now_ms())));
                let Ok(name) = Name::try_from(stored::name_of(found)) else { return Found::Absent };
                let token = Token { name, session: link.session, until: u64::MAX };
                self.request.hit(i, &plain, left, &token.to_bytes());
                Found::Answered
            }
            Stored::Lease(own) if own == epoch => Found::Leased(found.to_vec()),
            _ => Found::Outdated(stored::name_of(found).to_vec()),
        }
    }
}
