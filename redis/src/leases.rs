//! The leases that this process was granted and has not used. If another process writes a key while this one loads it, the answer is not
//! stored, so the lease is given back: otherwise every other process that wants the key would wait for it, for l2.wait_ms.

use crate::serve::add_replace;
use crate::stored::Token;
use crate::worker::Worker;
use redis::Pipeline;
use std::collections::HashMap;
use std::rc::Rc;

/// The maximum number of leases that are remembered. Leases beyond it are not given back: they expire after lease_ms.
const MOST: usize = 65_536;

/// Leases by key.
#[derive(Default)]
pub struct Leases {
    by_key: HashMap<Box<[u8]>, Token>,
}

/// A lease that is not needed any more.
pub struct Unused {
    key: Box<[u8]>,
    token: Token,
}

impl Leases {
    /// Records that the key was leased to this process.
    pub fn add(&mut self, key: &[u8], token: Token, now_ms: u64) {
        if self.by_key.len() >= MOST {
            self.by_key.retain(|_, token| token.until > now_ms);
        }
        if self.by_key.len() < MOST {
            self.by_key.insert(key.into(), token);
        }
    }

    /// Records that the key's lease was used, or replaced by a write.
    pub fn forget(&mut self, key: &[u8]) {
        self.by_key.remove(key);
    }

    /// Takes out the leases of these keys, which another process has written.
    pub fn overtaken(&mut self, keys: &[&[u8]]) -> Vec<Unused> {
        keys.iter().filter_map(|key| self.by_key.remove_entry(*key)).map(|(key, token)| Unused { key, token }).collect()
    }

    /// Takes out all leases: another process has cleared everything.
    pub fn all_overtaken(&mut self) -> Vec<Unused> {
        self.by_key.drain().map(|(key, token)| Unused { key, token }).collect()
    }
}

impl Unused {
    /// The lease of this key.
    pub fn new(key: &[u8], token: Token) -> Unused {
        Unused { key: key.into(), token }
    }
}

/// Removes leases from their servers, if they are still there. Nothing waits for that. A lease that could not be removed expires.
pub fn give_back(worker: &Rc<Worker>, unused: Vec<Unused>) {
    if unused.is_empty() {
        return;
    }
    let worker = worker.clone();
    tokio::task::spawn_local(async move {
        // All leases in one server are removed by one pipeline, then those in the next server.
        let mut left = unused;
        while let Some(first) = left.first() {
            let Some(link) = worker.link_of(&worker.names.entry(&first.key)) else {
                left.remove(0);
                continue;
            };
            let is_here =
                |lease: &Unused| worker.link_of(&worker.names.entry(&lease.key)).is_some_and(|other| other.session == link.session);
            let (here, elsewhere): (Vec<Unused>, Vec<Unused>) = left.into_iter().partition(is_here);
            left = elsewhere;
            let mut commands = Pipeline::new();
            for Unused { key, token } in here.iter().filter(|lease| lease.token.session == link.session) {
                add_replace(&mut commands, &link, &worker.names.entry(key), &token.name, b"", 0);
            }
            if !commands.is_empty() {
                link.run_script(&worker, &commands).await;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::new_lease;

    fn token(until: u64) -> Token {
        Token { name: new_lease([1; 8], [2; 8]), session: 1, until }
    }

    #[test]
    fn t10_a_lease_is_given_back_once_and_not_after_its_use() {
        let mut leases = Leases::default();
        for key in [b"a", b"b", b"c"] {
            leases.add(key, token(10), 0);
        }
        leases.forget(b"a");
        let keys: Vec<_> = leases.overtaken(&[b"a", b"b", b"d"]).into_iter().map(|unused| unused.key).collect();
        assert_eq!(keys, [Box::from(&b"b"[..])]);
        assert_eq!(leases.all_overtaken().len(), 1);
        assert!(leases.all_overtaken().is_empty());
    }

    #[test]
    fn t12_the_leases_that_are_remembered_are_bounded() {
        let mut leases = Leases::default();
        for nth in 0..=MOST {
            leases.add(&nth.to_le_bytes(), token(10), 0);
        }
        assert_eq!(leases.by_key.len(), MOST);
        leases.add(b"later", token(30), 20);
        assert_eq!(leases.by_key.len(), 1, "leases that have ended make room");
    }
}
