//! A second tier in Rust: a store behind the engine that several processes may share.

use super::value::{shared, stored};
use crate::base::Value;
use crate::base::panics::catch_panic_within;
use crate::engine::host::SecondTierStore;
use crate::engine::second_tier::TierTicket;
pub use crate::engine::second_tier::TtlLeft;
use crate::task::second_tier::{TierAbilities, TierRequestKind};
use std::error::Error;
use std::sync::Arc;

/// Why a second tier has failed. No caller receives it: after a failed read the provider is asked, and a failed write is repeated.
pub type TierError = Box<dyn Error + Send + Sync>;

/// A key to look up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WantedKey<'a> {
    /// The key's bytes.
    pub key: &'a [u8],
    /// Whether another process has held the lease of the key for longer than `l2.wait_ms`, so that it may be granted again.
    pub may_take_lease: bool,
}

/// What is to be stored under a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SharedEntry<'a> {
    /// The key's bytes.
    pub key: &'a [u8],
    /// The bytes to store, unchanged.
    pub data: &'a [u8],
    /// Its TTL from now on, in milliseconds; `None`: it does not expire. An entry that is kept longer never expires, since each hit begins its
    /// TTL anew.
    pub ttl_ms: Option<u64>,
    /// For a fill: the token that the read of the key gave; empty for a write.
    pub token: &'a [u8],
}

/// The answer of a second tier for one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TierFound {
    /// An entry.
    Hit {
        /// The data of its [`SharedEntry`].
        data: Vec<u8>,
        /// How much of its TTL is left.
        ttl_left: TtlLeft,
        /// Identifies this very entry: a fill with this token may replace it. Empty: no fill may.
        token: Vec<u8>,
    },
    /// No entry.
    Vacant {
        /// The token of the lease, if one was granted; else empty.
        token: Vec<u8>,
    },
    /// No entry, and another process has the lease: the key is looked up again, for at most `l2.wait_ms`.
    Leased,
    /// The key cannot be looked up.
    Failed,
}

/// A store that keys are looked up in before the provider is asked for them, and that receives what was loaded and put: a cache server, a
/// database, a folder. Several processes may share one.
///
/// Its methods are called on threads of the engine, several at a time, and may block. An error, a panic or a list of the wrong length is a
/// failure of the second tier, and does not fail a fetch.
pub trait TierStore: Send + Sync + 'static {
    /// Whether [`TierStore::fill`] stores an entry only if its token still belongs to the key. Asked once.
    fn is_conditional(&self) -> bool {
        false
    }

    /// Whether [`TierStore::read`] gives a token for a key that is not there, to one reader at a time. Asked once. If this and
    /// [`TierStore::is_conditional`] are true, no older load ever replaces a newer write, in any process.
    fn grants_leases(&self) -> bool {
        false
    }

    /// Looks keys up. The answers are in the order of the keys.
    fn read(&self, keys: &[WantedKey<'_>]) -> Result<Vec<TierFound>, TierError>;

    /// Stores what was loaded; if [`TierStore::is_conditional`], only entries whose token still belongs to the key. Returns whether each
    /// entry was stored.
    fn fill(&self, entries: &[SharedEntry<'_>]) -> Result<Vec<bool>, TierError>;

    /// Stores what was put.
    fn write(&self, entries: &[SharedEntry<'_>]) -> Result<(), TierError>;

    /// Removes keys, whether they are there or not.
    fn remove(&self, keys: &[&[u8]]) -> Result<(), TierError>;

    /// Removes all keys.
    fn clear(&self) -> Result<(), TierError>;
}

/// A second tier with the functions that turn values into bytes, and bytes into values.
pub(super) struct Sharing<T, E, D> {
    pub tier: T,
    pub encode: E,
    pub decode: D,
}

impl<T: TierStore, E, D> Sharing<T, E, D> {
    pub(super) fn abilities(&self) -> TierAbilities {
        TierAbilities { is_conditional: self.tier.is_conditional(), grants_leases: self.tier.grants_leases(), takes_objects: true }
    }
}

/// The store that an engine asks, for values of type `V`.
pub(super) struct TypedTier<T, V, E, D> {
    sharing: Sharing<T, E, D>,
    values: std::marker::PhantomData<fn(V) -> V>,
}

impl<T, V, E, D> TypedTier<T, V, E, D> {
    pub(super) fn new(sharing: Sharing<T, E, D>) -> TypedTier<T, V, E, D> {
        TypedTier { sharing, values: std::marker::PhantomData }
    }
}

impl<T, V, E, D> SecondTierStore for TypedTier<T, V, E, D>
where
    T: TierStore,
    V: Send + Sync + 'static,
    E: Fn(&V) -> Option<Vec<u8>> + Send + Sync,
    D: Fn(&[u8]) -> Option<V> + Send + Sync,
{
    fn serve(&self, request: TierTicket) {
        let keys: Vec<&[u8]> = request.keys().iter().collect();
        let kind = request.kind();
        let done = match kind {
            TierRequestKind::Read => self.look_up(&request, &keys),
            TierRequestKind::Fill | TierRequestKind::Write => self.store(&request, &keys),
            TierRequestKind::Remove => self.sharing.tier.remove(&keys),
            TierRequestKind::Clear => self.sharing.tier.clear(),
        };
        // A read is finished even if it failed, which fails the keys without an answer. Any other request fails by being dropped.
        if done.is_ok() || kind == TierRequestKind::Read {
            request.finish();
        }
    }
}

impl<T, V, E, D> TypedTier<T, V, E, D>
where
    T: TierStore,
    V: Send + Sync + 'static,
    E: Fn(&V) -> Option<Vec<u8>> + Send + Sync,
    D: Fn(&[u8]) -> Option<V> + Send + Sync,
{
    fn look_up(&self, request: &TierTicket, keys: &[&[u8]]) -> Result<(), TierError> {
        let wanted: Vec<WantedKey<'_>> =
            keys.iter().enumerate().map(|(index, key)| WantedKey { key, may_take_lease: request.is_steal(index) }).collect();
        let found = self.sharing.tier.read(&wanted)?;
        if found.len() != keys.len() {
            return Err(format!("a second tier answered {} keys with {}", keys.len(), found.len()).into());
        }
        // An answer that comes late, or after the close, is refused. That is not the second tier's fault.
        for (index, found) in found.into_iter().enumerate() {
            let _ = match found {
                TierFound::Hit { data, ttl_left, token } => self.hit(request, index, &data, ttl_left, &token),
                TierFound::Vacant { token } => request.miss(index, &token),
                TierFound::Leased => request.leased(index),
                TierFound::Failed => request.fail(index),
            };
        }
        Ok(())
    }

    /// Answers a key with an entry. If its bytes cannot be decoded, empty data are passed on, which count as a damaged entry.
    fn hit(
        &self,
        request: &TierTicket,
        index: usize,
        data: &[u8],
        left: TtlLeft,
        token: &[u8],
    ) -> Result<crate::base::Status, crate::base::Status> {
        match request.decode(index, data)? {
            Some(entry) if entry.value.is_none() => request.hit(index, data, left, token),
            Some(entry) if entry.is_object => {
                match entry.value.and_then(|bytes| catch_panic_within(|| (self.sharing.decode)(bytes)).ok().flatten()) {
                    Some(value) => request.hit_object(index, data, left, token, stored(Arc::new(value), 0)),
                    None => request.hit(index, &[], left, token),
                }
            }
            _ => request.hit(index, &[], left, token),
        }
    }

    fn store(&self, request: &TierTicket, keys: &[&[u8]]) -> Result<(), TierError> {
        let mut places = Vec::with_capacity(keys.len());
        let mut entries = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let payload = match request.value(index).ok().map(|answer| answer.value()) {
                Some(Some(value)) => self.payload(value),
                // A null needs no bytes from the program.
                _ => None,
            };
            if let Some(payload) = payload {
                let _ = request.set_payload(index, &payload);
            }
            match request.entry(index) {
                Ok(entry) => {
                    places.push(index);
                    entries.push(SharedEntry { key, data: entry.data, ttl_ms: entry.ttl_ms, token: entry.token });
                }
                // The value was not encoded.
                Err(_) => drop(request.refused(index)),
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        if request.kind() == TierRequestKind::Write {
            return self.sharing.tier.write(&entries);
        }
        let stored = self.sharing.tier.fill(&entries)?;
        if stored.len() != entries.len() {
            return Err(format!("a second tier answered {} entries with {}", entries.len(), stored.len()).into());
        }
        for (index, is_stored) in places.into_iter().zip(stored) {
            if !is_stored {
                let _ = request.refused(index);
            }
        }
        Ok(())
    }

    /// The value as bytes, if the program's function makes any. Here and in [`TypedTier::hit`], a panic of that function concerns this key
    /// alone (rule T11).
    fn payload(&self, value: &Value) -> Option<Vec<u8>> {
        catch_panic_within(|| (self.sharing.encode)(&shared::<V>(value))).ok().flatten()
    }
}
