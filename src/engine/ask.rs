//! Fetches: the store first, then the table (rules F01 to F05, F19, F21).

use super::Core;
use super::carry::outcome_of;
use super::handle::Fetch;
use super::host::{Receiver, Results};
use super::inbox::{EventRoom, Inbox, Mailbox};
use crate::base::config::{BatchMode, FetchSettings, Read};
use crate::base::key::KEY_MAX;
use crate::base::sync::atomic::Ordering;
use crate::base::sync::{Condvar, Mutex, linger, wait};
use crate::base::{Error, Key, Moment, Now, PackedKeys, Status};
use crate::cache::Hit;
use crate::task::table::Room;
use crate::task::{Ask, Batch, Form, Outcome, Probe, Source, Verdict};
use smallvec::SmallVec;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// One call.
pub struct Call<'a> {
    /// How the host wants to be told.
    pub form: Form,
    /// The engine's settings with the options over them.
    pub settings: Arc<FetchSettings>,
    /// After how many more settled positions progress is told; 0: never.
    pub progress_step: usize,
    /// By which the host cancels it and waits for it.
    pub handle: Option<&'a Arc<Fetch>>,
    /// Whether the call itself may answer what is resident; then no event follows.
    pub at_once: bool,
}

/// What a call came to.
#[derive(Debug)]
pub enum Asked {
    /// `Form::Each` with one key: here is its outcome, and no event follows.
    Now(Outcome),
    /// `Form::All`: here are the results, and no event follows.
    Ready(Results),
    /// Accepted: exactly the promised events follow.
    Pending,
}

/// What the store and the validator said of a call's keys.
struct Probed {
    keys: PackedKeys,
    probes: SmallVec<[Probe; 1]>,
    missed: usize,
    /// As of before the store was asked.
    epoch: u64,
    /// What the record listener will hear, if there is one: VALUE, NULL, MISS, INVALID_KEY for each position that was looked up.
    records: Vec<Option<Status>>,
}

impl Core {
    /// Asks for `keys`, each at most [`KEY_MAX`] bytes or settled alone. `receiver` is made only if events follow.
    pub fn fetch<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k [u8]>,
        call: &Call<'_>,
        receiver: impl FnOnce() -> Box<dyn Receiver>,
    ) -> Result<Asked, Status> {
        self.fetch_to(keys, call, false, receiver)
    }

    fn fetch_to<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = &'k [u8]>,
        call: &Call<'_>,
        direct: bool,
        receiver: impl FnOnce() -> Box<dyn Receiver>,
    ) -> Result<Asked, Status> {
        self.check_open()?;
        // From the call's entry (rule F10).
        let deadline = call.settings.timeout.map(|timeout| self.clock.moment().after(timeout));
        let (urgency, context) = match call.handle {
            Some(handle) => handle.begin(keys.len())?,
            None => (0, None),
        };
        let result = self.probe_keys(keys, call).and_then(|probed| {
            // Nothing to tell one by one is nothing to tell.
            let is_empty = probed.probes.is_empty() && call.form == Form::Each;
            if (call.at_once || is_empty) && probed.missed == 0 {
                // The user data first: who waits for the fetch may rely on its end.
                drop(receiver);
                if let Some(handle) = call.handle {
                    handle.note_progress(probed.probes.len(), probed.failures());
                    drop(handle.end());
                }
                self.tell_records(&probed.keys, &probed.records);
                return Ok(probed.answer_at_once(call));
            }
            self.ask(probed, call, direct, deadline, urgency, context, receiver)
        });
        if let (Err(_), Some(handle)) = (&result, call.handle) {
            handle.give_back();
        }
        result
    }

    /// Validates and looks up each key in order, under no lock but the shard's.
    fn probe_keys<'k>(&self, mut keys: impl ExactSizeIterator<Item = &'k [u8]>, call: &Call<'_>) -> Result<Probed, Status> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let count = keys.len();
        let now = Now::of(&self.clock);
        let mut probed = Probed { keys: PackedKeys::default(), probes: SmallVec::new(), missed: 0, epoch, records: Vec::new() };
        // One resident key that the call itself answers: nobody will see the key again, so it is not copied.
        let mut first = None;
        if call.at_once && call.form == Form::Each && count == 1 && self.hooks.record.is_none() {
            // Nor are its age and what it cost.
            let bare = |hit: Hit| Outcome::of(hit.answer, Source::Store);
            first = keys.next().map(|key| (key, self.probe_key(key, &call.settings, bare)));
            if let Some((_, probe @ Probe::Settled(_))) = first {
                probed.probes.push(probe);
                return Ok(probed);
            }
        }
        probed.probes.try_reserve_exact(count).map_err(|_| Status::ERR_NO_MEMORY)?;
        probed.keys = PackedKeys::try_with_capacity(count, count.saturating_mul(16)).ok_or(Status::ERR_NO_MEMORY)?;
        let probe = |key| (key, self.probe_key(key, &call.settings, |hit| outcome_of(hit, &now)));
        for (key, probe) in first.into_iter().chain(keys.map(probe)) {
            probed.keys.push(key);
            probed.missed += usize::from(matches!(probe, Probe::Missed));
            if self.hooks.record.is_some() {
                probed.records.push(record_of(&probe));
            }
            probed.probes.push(probe);
        }
        Ok(probed)
    }

    #[inline]
    fn probe_key(&self, key: &[u8], settings: &FetchSettings, outcome: impl FnOnce(Hit) -> Outcome) -> Probe {
        if key.len() > KEY_MAX {
            return Probe::Settled(Outcome::failed(Error::of(Status::ERR_KEY_TOO_LONG)));
        }
        if !self.is_valid(key) {
            self.store.count_invalid_key();
            return Probe::Settled(Outcome::bare(Verdict::InvalidKey));
        }
        if settings.read != Read::Refresh
            && let Some(hit) = self.store.probe(key, &self.clock)
        {
            return Probe::Settled(outcome(hit));
        }
        Probe::Missed
    }

    /// Tells the record listener of each position in the order asked, after all locks (rule S12).
    fn tell_records(&self, keys: &PackedKeys, records: &[Option<Status>]) {
        for (key, record) in keys.iter().zip(records) {
            record.iter().for_each(|record| self.record(*record, key));
        }
    }

    #[allow(clippy::too_many_arguments)] // the parts of one call, each with a name of its own
    fn ask(
        &self,
        probed: Probed,
        call: &Call<'_>,
        direct: bool,
        deadline: Option<Moment>,
        urgency: i32,
        context: Option<Arc<crate::base::Object>>,
        receiver: impl FnOnce() -> Box<dyn Receiver>,
    ) -> Result<Asked, Status> {
        let Probed { mut keys, mut probes, epoch, mut records, .. } = probed;
        let room = Room::try_new(keys.len(), call.form).ok_or(Status::ERR_NO_MEMORY)?;
        let events = EventRoom::try_new(keys.len(), call.form, call.progress_step).ok_or(Status::ERR_NO_MEMORY)?;
        let inbox = Inbox::new(self.me(), call.handle.cloned(), direct, events, receiver());
        let recorded = if records.is_empty() { PackedKeys::default() } else { keys.clone() };
        let (mut context, mut unaccepted) = (context, None);
        // It borrows what may hold values of the host's: whatever becomes of the call, they are dropped under no lock.
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.turn(|table, turn| {
                if !table.is_open() {
                    return Err(Status::ERR_CLOSED);
                }
                self.life.fetch_begins();
                let ask = Ask {
                    keys: &keys,
                    probes: &mut probes,
                    reprobe: self.is_stale_epoch(epoch),
                    form: call.form,
                    settings: &call.settings,
                    mailbox: Some(Mailbox(inbox.clone())),
                    context: context.take(),
                    urgency,
                    deadline,
                    progress_step: call.progress_step,
                    room,
                };
                let id = catch_unwind(AssertUnwindSafe(|| table.ask(ask, turn))).unwrap_or_else(|panic| {
                    // The table is about to tell everybody; this call fails, and of what failed nothing is told (rule F01).
                    unaccepted = inbox.withdraw();
                    self.life.fetch_ends();
                    resume_unwind(panic)
                });
                inbox.keep_keys(std::mem::take(&mut keys));
                if let Some(handle) = call.handle {
                    let meanwhile = handle.activate(&self.me(), id);
                    let id = id.unwrap_or_default();
                    if meanwhile.urgency != urgency {
                        table.set_urgency(id, meanwhile.urgency);
                    }
                    if meanwhile.cancelled {
                        table.cancel(id, turn);
                    }
                }
                note_found(&recorded, &mut records, &turn.store.found);
                Ok(Asked::Pending)
            })
        }));
        match result {
            Ok(Ok(asked)) => {
                self.tell_records(&recorded, &records);
                Ok(asked)
            }
            // Under no lock: the user data ends here if the fetch was not accepted.
            Ok(Err(refused)) => {
                drop(inbox.withdraw());
                Err(refused)
            }
            Err(_) => {
                drop(unaccepted);
                Err(Status::ERR_PANIC)
            }
        }
    }

    /// Loads `keys` anew, or joins loads under way, and tells nobody.
    pub fn refresh<'k>(&self, keys: impl ExactSizeIterator<Item = &'k [u8]>, settings: &Arc<FetchSettings>) -> Result<(), Status> {
        self.check_open()?;
        let mut packed = PackedKeys::try_with_capacity(keys.len(), 0).ok_or(Status::ERR_NO_MEMORY)?;
        for key in keys {
            if key.len() <= KEY_MAX && self.is_valid(key) {
                packed.push(key);
            }
        }
        let room = Room::try_new(0, Form::Refresh).ok_or(Status::ERR_NO_MEMORY)?;
        let mut probes: Vec<Probe> = (0..packed.len()).map(|_| Probe::Missed).collect();
        self.turn(|table, turn| {
            if !table.is_open() {
                return Err(Status::ERR_CLOSED);
            }
            table.ask(
                Ask {
                    keys: &packed,
                    probes: &mut probes,
                    reprobe: false,
                    form: Form::Refresh,
                    settings,
                    mailbox: None,
                    context: None,
                    urgency: 0,
                    deadline: None,
                    progress_step: 0,
                    room,
                },
                turn,
            );
            Ok(())
        })
    }

    /// Asks and waits. Not from callbacks: a provider or a dispatcher would wait for itself.
    pub fn fetch_wait<'k>(&self, keys: impl ExactSizeIterator<Item = &'k [u8]>, call: &Call<'_>) -> Result<Asked, Status> {
        let call = Call { at_once: true, settings: call.settings.clone(), ..*call };
        let told = Arc::new(Told::default());
        let receiver = || Box::new(told.clone()) as Box<dyn Receiver>;
        match self.fetch_to(keys, &call, true, receiver)? {
            Asked::Pending => Ok(told.wait()),
            at_once => Ok(at_once),
        }
    }
}

impl Probed {
    fn failures(&self) -> usize {
        self.probes.iter().filter(|probe| matches!(probe, Probe::Settled(outcome) if outcome.error().is_some())).count()
    }

    fn answer_at_once(self, call: &Call<'_>) -> Asked {
        let mut outcomes = self.probes.into_iter().filter_map(|probe| match probe {
            Probe::Settled(outcome) => Some(outcome),
            Probe::Missed => None,
        });
        match (call.form, outcomes.next()) {
            (Form::Each, Some(outcome)) => Asked::Now(outcome),
            (_, first) => {
                let outcomes: Vec<Outcome> = first.into_iter().chain(outcomes).collect();
                let is_whole = call.settings.batch_mode == BatchMode::AllOrNothing;
                let ended = outcomes.iter().find_map(Outcome::error).filter(|_| is_whole).cloned();
                Asked::Ready(Results { keys: self.keys, batch: Batch { outcomes, ended } })
            }
        }
    }
}

/// What the record listener hears of a position as the store had it; nothing of one that was not looked up.
fn record_of(probe: &Probe) -> Option<Status> {
    match probe {
        Probe::Missed => Some(Status::MISS),
        Probe::Settled(outcome) => Some(outcome.status()).filter(|status| !status.is_error()),
    }
}

/// Positions that missed at first, and that the store had when it was asked again: `found` names them in the order asked, and
/// who is not among the next missed.
fn note_found(keys: &PackedKeys, records: &mut [Option<Status>], found: &[(Key, Status)]) {
    let mut found = found.iter().peekable();
    for (key, record) in keys.iter().zip(records) {
        if *record == Some(Status::MISS)
            && let Some((_, status)) = found.next_if(|(name, _)| name.as_bytes() == key)
        {
            *record = Some(*status);
        }
    }
}

/// Where a blocking fetch waits for its answer. Nothing of the host's runs here.
#[derive(Default)]
struct Told {
    answer: Mutex<Option<Asked>>,
    came: Condvar,
}

impl Told {
    fn wait(&self) -> Asked {
        if let Some(asked) = linger(|| self.answer.lock().take()) {
            return asked;
        }
        let mut answer = self.answer.lock();
        loop {
            match answer.take() {
                Some(asked) => return asked,
                None => answer = wait(&self.came, answer),
            }
        }
    }

    fn come(&self, asked: Asked) {
        *self.answer.lock() = Some(asked);
        self.came.notify_all();
    }
}

impl Receiver for Arc<Told> {
    fn result(&mut self, _index: usize, _key: &[u8], outcome: &Outcome, _last: bool) {
        self.come(Asked::Now(outcome.clone()));
    }

    fn batch(&mut self, results: Results) {
        self.come(Asked::Ready(results));
    }

    fn progress(&mut self, _done: usize, _failed: usize, _total: usize) {}
}
