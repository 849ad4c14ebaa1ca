//! The protocol between processes, explored exhaustively (rules T01 to T12 and T15): two of three processes fetch a key through a second tier, and one
//! writes it, in every order of lookups, leases, fills, changes, notices, evictions and failures. Once everything is idle, neither a process nor the
//! second tier may keep an old value; no fetch may fail, wait for ever, or load what its lookup has found. Then the rules are broken, one at a time: an
//! order in which one of these things happens must be found, so each rule is needed, and the exploration would notice its loss.
//!
//! What cannot be seen here has tests of its own:
//!
//! - T12 also bounds and counts what waits. Here too much may wait at any moment; the numbers are in `second_tier.rs`.
//! - T13 is about the bytes of an entry (`second_tier_entry.rs`); here an entry is the number of a write.
//! - T14 is about times, and here there are none: an entry may leave the second tier at any moment (an eviction), and a lease be taken over at any
//!   moment. No process can rely on a clock, so there is nothing to break. `tests/tiers/redis/stories.py` has entries that expire.
//! - T16 to T19 are about locks, threads, texts and round trips, not about the order of events: `second_tier.rs`, `tests/tiers/redis`.

use foldhash::fast::FixedState;
use std::collections::HashSet;

/// The process that writes. Notices go to the others.
const WRITER: usize = 2;
const PROCESSES: usize = 3;

/// What the second tier has under the key. Values are numbered by their writes; 0 is the one from before the first write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Cell {
    Empty,
    /// This process has the lease.
    Lease(usize),
    Entry(u8),
}

/// What the store of a process has under the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Held {
    Nothing,
    Fresh(u8),
    /// It may be outdated.
    Expired(u8),
}

/// A rule of the protocol that is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Broken {
    /// T01: a fetch fails if its lookup does.
    LookupsFailFetches,
    /// T02: what was written since a lookup or a load began does not matter when its answer is stored.
    AnswersAreStoredInAnyCase,
    /// T03: a fill compares nothing.
    FillsCompareNothing,
    /// T03: a fill wants the key to be absent.
    FillsWantAbsence,
    /// T03: a fill wants the key to be as the lookup had found it, and there are no leases.
    FillsWantWhatWasSeen,
    /// T04: notices are sent before the change.
    NoticesComeFirst,
    /// T05: no notice is sent.
    NoNotices,
    /// T05: a notice does not remove the entry.
    NoticesRemoveNothing,
    /// T05: a notice does not overtake what is being looked up or loaded.
    NoticesOvertakeNothing,
    /// T06: the writer looks up a key whose write has not reached the second tier.
    DirtyKeysAreLookedUp,
    /// T07: a write that failed is not sent again.
    WritesAreTriedOnce,
    /// T07: what a late write has overwritten stays.
    LateWritesStay,
    /// T08: a process that has missed a notice changes nothing.
    GapsAreIgnored,
    /// T09: an entry that may be outdated is returned.
    ExpiredEntriesAreReturned,
    /// T10: a lease is never taken over.
    LeasesAreKept,
    /// T11: if one key of a request cannot be looked up, no key of the request counts as found.
    RequestsFailAsAWhole,
    /// T12: if more keys wait than can be remembered, they are forgotten and nothing is cleared.
    OverflowsAreForgotten,
    /// T12: no notice tells the other processes that an overflow has cleared the second tier.
    ClearsAreSilent,
    /// T12: the writer looks a key up before everything is cleared.
    KeysAreLookedUpBeforeTheirClear,
    /// T12: a value that has no room is not written, and the older one stays.
    ValuesWithoutRoomAreForgotten,
    /// T15: a fetch waits until the second tier is filled.
    CallersWaitForFills,
    /// T15: a fetch fails if its fill does.
    FillsFailFetches,
}

const ALL_BROKEN: [Broken; 22] = [
    Broken::LookupsFailFetches,
    Broken::AnswersAreStoredInAnyCase,
    Broken::FillsCompareNothing,
    Broken::FillsWantAbsence,
    Broken::FillsWantWhatWasSeen,
    Broken::NoticesComeFirst,
    Broken::NoNotices,
    Broken::NoticesRemoveNothing,
    Broken::NoticesOvertakeNothing,
    Broken::DirtyKeysAreLookedUp,
    Broken::WritesAreTriedOnce,
    Broken::LateWritesStay,
    Broken::GapsAreIgnored,
    Broken::ExpiredEntriesAreReturned,
    Broken::LeasesAreKept,
    Broken::RequestsFailAsAWhole,
    Broken::OverflowsAreForgotten,
    Broken::ClearsAreSilent,
    Broken::KeysAreLookedUpBeforeTheirClear,
    Broken::ValuesWithoutRoomAreForgotten,
    Broken::CallersWaitForFills,
    Broken::FillsFailFetches,
];

/// How often each fault may still happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Faults {
    /// The second tier loses its value.
    evictions: u8,
    /// A lookup fails.
    failed_lookups: u8,
    /// The lookup of another key in the same request fails.
    failed_neighbours: u8,
    /// A fill fails, or is never carried out.
    failed_fills: u8,
    /// A change fails.
    failed_writes: u8,
    /// A change takes so long that it counts as failed, and is made at some later time.
    late_writes: u8,
    /// While a change waits, there are more of them than can be remembered, or there is no room for its value.
    overflows: u8,
    /// A notice is lost with its connection.
    lost_notices: u8,
}

/// What one exploration is about. All faults and all processes at once would be too many states.
#[derive(Clone, Copy, Debug)]
struct World {
    faults: Faults,
    /// The two processes that fetch the key.
    fetching: [usize; 2],
    /// Whether the last write is a put, or a removal after which the value is loaded.
    puts: bool,
    writes: u8,
    /// Whether a fetch waits for a process that has the lease, or loads the key without a lease (`l2.single_flight`).
    waits: bool,
}

fn worlds() -> Vec<World> {
    let none = Faults::default();
    let for_two_readers = [
        Faults { evictions: 2, ..none },
        Faults { evictions: 1, failed_lookups: 1, ..none },
        Faults { failed_neighbours: 1, ..none },
        Faults { failed_fills: 1, ..none },
        Faults { failed_writes: 1, ..none },
        Faults { late_writes: 1, ..none },
        Faults { overflows: 1, ..none },
        Faults { evictions: 1, lost_notices: 1, ..none },
    ];
    let for_reader_and_writer = [
        Faults { evictions: 1, ..none },
        Faults { failed_writes: 1, ..none },
        Faults { late_writes: 1, ..none },
        Faults { overflows: 1, ..none },
    ];
    let for_two_readers = for_two_readers.map(|faults| (faults, [0, 1]));
    let all = for_two_readers.into_iter().chain(for_reader_and_writer.map(|faults| (faults, [0, WRITER])));
    let mut worlds = Vec::new();
    for (faults, fetching) in all {
        for (puts, waits) in [(false, false), (false, true), (true, false), (true, true)] {
            worlds.push(World { faults, fetching, puts, writes: 1 + faults.late_writes, waits });
        }
    }
    // The largest worlds come last: most broken rules are noticed in a smaller one.
    worlds.sort_by_key(|world| (world.writes, world.faults.evictions));
    worlds
}

/// The stage of a fetch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Fetch {
    Idle,
    /// The lookup has found no entry. `seen`: what it has found, if that matters because there are no leases.
    Missed {
        seen: Cell,
        is_leased: bool,
    },
    /// The provider has answered. `is_whole`: nothing was written since it was asked, as far as the process knows.
    Loaded {
        seen: Cell,
        is_leased: bool,
        value: u8,
        is_whole: bool,
    },
    /// The second tier has answered with an entry.
    Found {
        value: u8,
        is_whole: bool,
    },
    /// It waits for its fill, as no fetch does while the rules hold.
    Filling,
    Done,
    Failed,
}

/// What a process passes on to the second tier after a load.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Fill {
    Nothing,
    /// It may arrive at any time, also after the process has learned of a write.
    Sent {
        seen: Cell,
        is_leased: bool,
        value: u8,
    },
    /// The second tier never carries it out.
    Hanging,
}

/// A step of the writer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Step {
    /// The source gets this value.
    Commit(u8),
    /// The writer's own store gets this value or, if the write is a removal, nothing.
    Store(u8),
    /// The second tier gets this value; `None`: its entry is removed.
    Change(Option<u8>),
    Notify,
    /// The entries of all keys in the second tier are removed.
    Clear,
    /// The others are told that any key may have changed.
    NotifyOfClear,
}

/// The steps that are left, the next one last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Steps([Option<Step>; 8]);

impl Steps {
    fn iter(&self) -> impl DoubleEndedIterator<Item = Step> {
        self.0.iter().flatten().copied()
    }

    fn next(&self) -> Option<Step> {
        self.iter().last()
    }

    fn pop(&mut self) {
        if let Some(last) = self.0.iter_mut().rev().find(|step| step.is_some()) {
            *last = None;
        }
    }

    fn push(&mut self, step: Step) {
        *self.0.iter_mut().find(|step| step.is_none()).expect("there is room for each step") = Some(step);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct State {
    source: u8,
    cell: Cell,
    fetches: [Fetch; PROCESSES],
    fills: [Fill; PROCESSES],
    stores: [Held; PROCESSES],
    steps: Steps,
    /// A put that counts as failed and may still arrive.
    late: Option<u8>,
    /// How many notices are on their way to each process.
    in_flight: [u8; PROCESSES],
    /// Whether each process has missed a notice.
    has_gap: [bool; PROCESSES],
    left: Faults,
}

/// What is wrong with a state.
#[derive(Debug)]
#[expect(dead_code, reason = "printed if a test fails")]
enum Wrong {
    OldValue(State),
    FailedFetch(State),
    NeedlessLoad(State),
    Stuck(State),
}

impl State {
    /// Every possible initial state.
    fn initial(world: World, broken: Option<Broken>) -> Vec<State> {
        let mut steps = Steps::default();
        for value in (1..=world.writes).rev() {
            let (change, notice) = (Step::Change(Some(value).filter(|value| world.puts || *value < world.writes)), Step::Notify);
            let ends = if broken == Some(Broken::NoticesComeFirst) { [change, notice] } else { [notice, change] };
            let last_first = ends.into_iter().chain([Step::Store(value), Step::Commit(value)]);
            last_first.filter(|step| *step != Step::Notify || broken != Some(Broken::NoNotices)).for_each(|step| steps.push(step));
        }
        let mut all = Vec::new();
        let fetches = std::array::from_fn(|process| if world.fetching.contains(&process) { Fetch::Idle } else { Fetch::Done });
        for cell in [Cell::Empty, Cell::Entry(0)] {
            for held in
                [[Held::Nothing, Held::Nothing], [Held::Fresh(0), Held::Nothing], [Held::Nothing, Held::Fresh(0)], [Held::Fresh(0); 2]]
            {
                let mut stores = [Held::Nothing; PROCESSES];
                world.fetching.into_iter().zip(held).for_each(|(process, held)| stores[process] = held);
                all.push(State {
                    source: 0,
                    cell,
                    fetches,
                    fills: [Fill::Nothing; PROCESSES],
                    stores,
                    steps,
                    late: None,
                    in_flight: [0; PROCESSES],
                    has_gap: [false; PROCESSES],
                    left: world.faults,
                });
            }
        }
        all
    }

    /// Every possible next state.
    fn next(&self, world: World, broken: Option<Broken>) -> Vec<State> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut State)| {
            let mut next = *self;
            change(&mut next);
            all.push(next);
        };
        for process in 0..PROCESSES {
            self.next_of_fetch(process, world, broken, &mut add);
            self.next_of_fill(process, broken, &mut add);
        }
        self.next_of_writer(world, broken, &mut add);
        for process in (0..WRITER).filter(|process| self.in_flight[*process] > 0) {
            add(&|next| {
                next.in_flight[process] -= 1;
                if broken != Some(Broken::NoticesRemoveNothing) {
                    next.stores[process] = Held::Nothing;
                }
                if broken != Some(Broken::NoticesOvertakeNothing) {
                    next.overtake(process);
                }
            });
            if self.left.lost_notices > 0 {
                add(&|next| {
                    next.left.lost_notices -= 1;
                    next.in_flight[process] -= 1;
                    next.has_gap[process] = true;
                });
            }
        }
        for process in (0..WRITER).filter(|process| self.has_gap[*process]) {
            add(&|next| {
                next.has_gap[process] = false;
                if broken != Some(Broken::GapsAreIgnored) {
                    next.overtake(process);
                    if let Held::Fresh(value) = next.stores[process] {
                        next.stores[process] = Held::Expired(value);
                    }
                }
            });
        }
        if self.left.evictions > 0 && self.cell != Cell::Empty {
            add(&|next| {
                next.left.evictions -= 1;
                next.cell = Cell::Empty;
            });
        }
        all
    }

    /// What a fetch may do next.
    fn next_of_fetch(&self, process: usize, world: World, broken: Option<Broken>, add: &mut dyn FnMut(&dyn Fn(&mut State))) {
        match (self.fetches[process], self.stores[process]) {
            (Fetch::Idle, Held::Fresh(_)) => add(&|next| next.fetches[process] = Fetch::Done),
            (Fetch::Idle, Held::Expired(value)) if broken == Some(Broken::ExpiredEntriesAreReturned) => add(&|next| {
                next.stores[process] = Held::Fresh(value);
                next.fetches[process] = Fetch::Done;
            }),
            // The fetch goes to the provider at once, and fills nothing.
            (Fetch::Idle, _) if process == WRITER && self.is_dirty(broken) && broken != Some(Broken::DirtyKeysAreLookedUp) => {
                add(&|next| next.fetches[process] = Fetch::Missed { seen: Cell::Empty, is_leased: false });
            }
            // The fetch waits for as long as another process has the lease.
            (Fetch::Idle, _) if matches!(self.cell, Cell::Lease(_)) && world.waits && broken == Some(Broken::LeasesAreKept) => {}
            (Fetch::Idle, _) => {
                add(&|next| next.look_up(process, world, broken));
                if self.left.failed_neighbours > 0 {
                    add(&|next| {
                        next.left.failed_neighbours -= 1;
                        if broken == Some(Broken::RequestsFailAsAWhole) {
                            next.fetches[process] = Fetch::Missed { seen: next.cell, is_leased: false };
                        } else {
                            next.look_up(process, world, broken);
                        }
                    });
                }
                if self.left.failed_lookups > 0 {
                    add(&|next| {
                        next.left.failed_lookups -= 1;
                        let missed = Fetch::Missed { seen: Cell::Empty, is_leased: false };
                        next.fetches[process] = if broken == Some(Broken::LookupsFailFetches) { Fetch::Failed } else { missed };
                    });
                }
            }
            (Fetch::Missed { seen, is_leased }, _) => add(&|next| {
                next.fetches[process] = Fetch::Loaded { seen, is_leased, value: next.source, is_whole: true };
            }),
            (Fetch::Loaded { seen, is_leased, value, is_whole }, _) => add(&|next| {
                next.store(process, value, is_whole, broken);
                next.fetches[process] = Fetch::Done;
                let may_fill = is_leased
                    || matches!(broken, Some(Broken::FillsCompareNothing | Broken::FillsWantAbsence | Broken::FillsWantWhatWasSeen));
                // A load that was overtaken fills nothing.
                if may_fill && is_whole {
                    next.fills[process] = Fill::Sent { seen, is_leased, value };
                    if broken == Some(Broken::CallersWaitForFills) {
                        next.fetches[process] = Fetch::Filling;
                    }
                }
            }),
            (Fetch::Found { value, is_whole }, _) => add(&|next| {
                next.store(process, value, is_whole, broken);
                next.fetches[process] = Fetch::Done;
            }),
            (Fetch::Filling, _) if self.fills[process] == Fill::Nothing => add(&|next| next.fetches[process] = Fetch::Done),
            (Fetch::Filling | Fetch::Done | Fetch::Failed, _) => {}
        }
    }

    /// What a fill may do next.
    fn next_of_fill(&self, process: usize, broken: Option<Broken>, add: &mut dyn FnMut(&dyn Fn(&mut State))) {
        let Fill::Sent { seen, is_leased, value } = self.fills[process] else { return };
        add(&|next| {
            let fills = match broken {
                Some(Broken::FillsCompareNothing) => true,
                Some(Broken::FillsWantAbsence) => next.cell == Cell::Empty,
                Some(Broken::FillsWantWhatWasSeen) => next.cell == seen,
                _ => is_leased && next.cell == Cell::Lease(process),
            };
            if fills {
                next.cell = Cell::Entry(value);
            }
            next.fills[process] = Fill::Nothing;
        });
        if self.left.failed_fills > 0 {
            add(&|next| {
                next.left.failed_fills -= 1;
                next.fills[process] = Fill::Nothing;
                if broken == Some(Broken::FillsFailFetches) {
                    next.fetches[process] = Fetch::Failed;
                }
            });
            add(&|next| {
                next.left.failed_fills -= 1;
                next.fills[process] = Fill::Hanging;
            });
        }
    }

    /// What the writer may do next.
    fn next_of_writer(&self, world: World, broken: Option<Broken>, add: &mut dyn FnMut(&dyn Fn(&mut State))) {
        if let Some(step) = self.steps.next() {
            add(&|next| {
                next.steps.pop();
                match step {
                    Step::Commit(value) => next.source = value,
                    Step::Store(value) => {
                        next.overtake(WRITER);
                        next.stores[WRITER] = if world.puts { Held::Fresh(value) } else { Held::Nothing };
                    }
                    Step::Change(value) => next.cell = value.map_or(Cell::Empty, Cell::Entry),
                    Step::Notify => (0..WRITER).for_each(|process| next.in_flight[process] += 1),
                    Step::Clear => next.cell = Cell::Empty,
                    Step::NotifyOfClear => (0..WRITER).for_each(|process| next.has_gap[process] = true),
                }
            });
            if matches!(step, Step::Change(_)) && self.left.failed_writes > 0 {
                add(&|next| {
                    next.left.failed_writes -= 1;
                    if broken == Some(Broken::WritesAreTriedOnce) {
                        next.steps.pop();
                    }
                });
            }
            if matches!(step, Step::Change(_)) && self.left.overflows > 0 {
                add(&|next| next.forget_change(broken));
            }
            if matches!(step, Step::Change(Some(_))) && self.left.overflows > 0 {
                add(&|next| {
                    next.left.overflows -= 1;
                    next.steps.pop();
                    if broken != Some(Broken::ValuesWithoutRoomAreForgotten) {
                        next.steps.push(Step::Change(None));
                    }
                });
            }
            if let Step::Change(Some(value)) = step
                && self.left.late_writes > 0
            {
                add(&|next| {
                    next.left.late_writes -= 1;
                    next.late = Some(value);
                });
            }
        }
        if let Some(value) = self.late {
            add(&|next| {
                let is_changed_later = next.steps.iter().any(|step| matches!(step, Step::Change(_)));
                if next.is_late_outdated() && !is_changed_later && broken != Some(Broken::LateWritesStay) {
                    // These come before a notice that is still to be sent.
                    next.steps.push(Step::Notify);
                    next.steps.push(Step::Change(None));
                }
                next.late = None;
                next.cell = Cell::Entry(value);
            });
        }
    }

    fn look_up(&mut self, process: usize, world: World, broken: Option<Broken>) {
        let has_leases = broken != Some(Broken::FillsWantWhatWasSeen);
        match self.cell {
            Cell::Entry(value) => self.fetches[process] = Fetch::Found { value, is_whole: true },
            Cell::Lease(_) if has_leases && world.waits => self.take_lease(process),
            Cell::Empty if has_leases => self.take_lease(process),
            Cell::Lease(_) if has_leases => self.fetches[process] = Fetch::Missed { seen: Cell::Empty, is_leased: false },
            seen => self.fetches[process] = Fetch::Missed { seen, is_leased: false },
        }
    }

    fn take_lease(&mut self, process: usize) {
        self.fetches[process] = Fetch::Missed { seen: Cell::Empty, is_leased: true };
        self.cell = Cell::Lease(process);
    }

    /// Stores the answer of a fetch in its process, unless something was written meanwhile.
    fn store(&mut self, process: usize, value: u8, is_whole: bool, broken: Option<Broken>) {
        if is_whole || broken == Some(Broken::AnswersAreStoredInAnyCase) {
            self.stores[process] = Held::Fresh(value);
        }
    }

    /// Replaces the next change and its notice, which cannot be remembered, by a clear.
    fn forget_change(&mut self, broken: Option<Broken>) {
        self.left.overflows -= 1;
        self.steps.pop();
        if self.steps.next() == Some(Step::Notify) {
            self.steps.pop();
        }
        if broken == Some(Broken::OverflowsAreForgotten) {
            return;
        }
        if broken != Some(Broken::ClearsAreSilent) {
            self.steps.push(Step::NotifyOfClear);
        }
        self.steps.push(Step::Clear);
    }

    /// The process learns that the key was written.
    fn overtake(&mut self, process: usize) {
        if let Fetch::Loaded { is_whole, .. } | Fetch::Found { is_whole, .. } = &mut self.fetches[process] {
            *is_whole = false;
        }
    }

    /// Whether the second tier may have an older value of the key than the writer.
    fn is_dirty(&self, broken: Option<Broken>) -> bool {
        let is_write = |step: &Step| matches!(step, Step::Store(_) | Step::Change(_) | Step::Clear);
        let is_waiting = match self.steps.iter().rev().find(is_write) {
            Some(Step::Change(_)) => true,
            Some(Step::Clear) => broken != Some(Broken::KeysAreLookedUpBeforeTheirClear),
            _ => false,
        };
        is_waiting || self.is_late_outdated()
    }

    /// Whether a late write is older than what the writer has written.
    fn is_late_outdated(&self) -> bool {
        self.late.is_some_and(|late| self.source > late && !self.steps.iter().any(|step| step == Step::Store(late + 1)))
    }

    fn is_idle(&self) -> bool {
        let are_done = self.fetches.iter().all(|fetch| *fetch == Fetch::Done);
        let are_sent = self.fills.iter().all(|fill| matches!(fill, Fill::Nothing | Fill::Hanging));
        are_done
            && are_sent
            && self.steps.next().is_none()
            && self.late.is_none()
            && self.in_flight == [0; PROCESSES]
            && self.has_gap == [false; PROCESSES]
    }

    fn keeps_an_old_value(&self) -> bool {
        let is_old = |value: u8| value != self.source;
        matches!(self.cell, Cell::Entry(value) if is_old(value))
            || self.stores.iter().any(|held| matches!(held, Held::Fresh(value) if is_old(*value)))
    }
}

/// Explores every state. Returns their number, or what is wrong with one.
fn explore(world: World, broken: Option<Broken>) -> Result<usize, Box<Wrong>> {
    let mut todo = State::initial(world, broken);
    let mut seen: HashSet<State, FixedState> = todo.iter().copied().collect();
    while let Some(state) = todo.pop() {
        if state.is_idle() && state.keeps_an_old_value() {
            return Err(Box::new(Wrong::OldValue(state)));
        }
        if state.fetches.contains(&Fetch::Failed) {
            return Err(Box::new(Wrong::FailedFetch(state)));
        }
        if state.fetches.iter().any(|fetch| matches!(fetch, Fetch::Missed { seen: Cell::Entry(_), .. })) {
            return Err(Box::new(Wrong::NeedlessLoad(state)));
        }
        let next = state.next(world, broken);
        if next.is_empty() && !state.is_idle() {
            return Err(Box::new(Wrong::Stuck(state)));
        }
        todo.extend(next.into_iter().filter(|next| seen.insert(*next)));
    }
    Ok(seen.len())
}

#[test]
fn t01_t02_t03_t04_t05_t06_t07_t08_t09_t10_t11_t12_t15_no_old_value_stays_after_a_write() {
    for world in worlds() {
        let states = explore(world, None).unwrap_or_else(|wrong| panic!("{world:?}: {wrong:?}"));
        assert!(states > 1_000, "{states} states of {world:?}: too few to be all");
    }
}

#[test]
fn t01_t02_t03_t04_t05_t06_t07_t08_t09_t10_t11_t12_t15_each_rule_is_needed() {
    for broken in ALL_BROKEN {
        assert!(worlds().into_iter().any(|world| explore(world, Some(broken)).is_err()), "{broken:?} is not noticed");
    }
}
