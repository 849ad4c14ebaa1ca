//! The protocol between processes, explored exhaustively (rules T02, T03, T05): two processes load a key through a second tier while a third writes
//! it. In every order of reads, leases, fills, notices and evictions, no process and not the second tier may keep the old value once everything is
//! idle. If any one rule is left out, an order is found in which one does: so each rule is needed, and the exploration would notice its loss.

use std::collections::HashSet;

const LOADERS: usize = 2;
const WRITER: usize = 2;
const PROCESSES: usize = 3;

/// The value of the key in the second tier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Cell {
    Empty,
    /// This loader has the lease.
    Lease(usize),
    /// An entry: 0 is the old value, 1 the new one.
    Entry(u8),
}

/// The condition of a fill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fill {
    /// The cell still has the lease of this load.
    Lease,
    /// The cell is as the lookup had found it.
    AsSeen,
    /// The cell is empty.
    IfEmpty,
    /// None.
    Always,
}

/// How the third process writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Write {
    Remove,
    Put,
}

/// The rules of the protocol.
#[derive(Clone, Copy, Debug)]
struct Rules {
    fill: Fill,
    write: Write,
    /// An answer is stored in a process only if no notice arrived since its lookup began, or since its load began.
    has_stamps: bool,
    /// Notices are sent after the change.
    notices_after_change: bool,
    /// Notices are sent at all.
    has_notices: bool,
    /// How many times the second tier may lose its value.
    evictions: u8,
    /// A load may take over the lease of another one.
    steals: bool,
}

const PROTOCOL: Rules = Rules {
    fill: Fill::Lease,
    write: Write::Remove,
    has_stamps: true,
    notices_after_change: true,
    has_notices: true,
    evictions: 2,
    steals: true,
};

/// The stage of a load.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Load {
    Idle,
    Looked { seen: Cell, is_leased: bool, stamp: u8 },
    Loaded { seen: Cell, is_leased: bool, value: u8, stamp: u8 },
    Answered { value: u8, stamp: u8 },
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    source: u8,
    cell: Cell,
    loads: [Load; LOADERS],
    /// The steps of the write that are left to do, in order.
    writes: Vec<Step>,
    stores: [Option<u8>; PROCESSES],
    /// How many notices each process has received, and how many have been sent to it and not received.
    received: [u8; PROCESSES],
    in_flight: [u8; PROCESSES],
    evictions: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Step {
    Commit,
    Change,
    Notify,
}

impl State {
    fn first(rules: Rules) -> State {
        let mut writes = match (rules.notices_after_change, rules.has_notices) {
            (true, true) => vec![Step::Commit, Step::Change, Step::Notify],
            (false, true) => vec![Step::Commit, Step::Notify, Step::Change],
            (_, false) => vec![Step::Commit, Step::Change],
        };
        writes.reverse();
        State {
            source: 0,
            cell: Cell::Empty,
            loads: [Load::Idle; LOADERS],
            writes,
            stores: [None; PROCESSES],
            received: [0; PROCESSES],
            in_flight: [0; PROCESSES],
            evictions: rules.evictions,
        }
    }

    /// Every possible next state.
    fn next(&self, rules: Rules) -> Vec<State> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut State)| {
            let mut next = self.clone();
            change(&mut next);
            all.push(next);
        };
        for (at, load) in self.loads.into_iter().enumerate() {
            let stamp = self.received[at];
            match load {
                // The read, and with it the lease of an empty cell. A load that waits for another one is idle until it reads again, or takes the
                // lease over.
                Load::Idle => {
                    for steals in [false, true] {
                        if steals && !(rules.steals && matches!(self.cell, Cell::Lease(_))) {
                            continue;
                        }
                        add(&|next| {
                            next.loads[at] = match next.cell {
                                Cell::Entry(value) => Load::Answered { value, stamp },
                                seen => {
                                    let is_leased = rules.fill == Fill::Lease && (seen == Cell::Empty || steals);
                                    if is_leased {
                                        next.cell = Cell::Lease(at);
                                    }
                                    Load::Looked { seen, is_leased, stamp }
                                }
                            }
                        });
                    }
                }
                // The provider's attempt begins with a stamp of its own.
                Load::Looked { seen, is_leased, .. } => add(&|next| {
                    next.loads[at] = Load::Loaded { seen, is_leased, value: next.source, stamp };
                }),
                Load::Loaded { seen, is_leased, value, stamp } => add(&|next| {
                    let fills = match rules.fill {
                        Fill::Lease => is_leased && next.cell == Cell::Lease(at),
                        Fill::AsSeen => next.cell == seen,
                        Fill::IfEmpty => next.cell == Cell::Empty,
                        Fill::Always => true,
                    };
                    // A load that was overtaken fills nothing.
                    if fills && (!rules.has_stamps || next.received[at] == stamp) {
                        next.cell = Cell::Entry(value);
                    }
                    next.loads[at] = Load::Answered { value, stamp };
                }),
                Load::Answered { value, stamp } => add(&|next| {
                    if !rules.has_stamps || next.received[at] == stamp {
                        next.stores[at] = Some(value);
                    }
                    next.loads[at] = Load::Done;
                }),
                Load::Done => {}
            }
        }
        if let Some(step) = self.writes.last() {
            add(&|next| {
                next.writes.pop();
                match step {
                    Step::Commit => next.source = 1,
                    Step::Change => {
                        next.cell = if rules.write == Write::Put { Cell::Entry(1) } else { Cell::Empty };
                        next.stores[WRITER] = Some(1).filter(|_| rules.write == Write::Put);
                    }
                    Step::Notify => (0..LOADERS).for_each(|process| next.in_flight[process] += 1),
                }
            });
        }
        for process in (0..LOADERS).filter(|process| self.in_flight[*process] > 0) {
            add(&|next| {
                next.in_flight[process] -= 1;
                next.received[process] += 1;
                next.stores[process] = None;
            });
        }
        if self.evictions > 0 && self.cell != Cell::Empty {
            add(&|next| {
                next.evictions -= 1;
                next.cell = Cell::Empty;
            });
        }
        all
    }

    fn is_quiet(&self) -> bool {
        self.writes.is_empty() && self.in_flight == [0; PROCESSES] && self.loads == [Load::Done; LOADERS]
    }

    fn keeps_the_old_value(&self) -> bool {
        self.cell == Cell::Entry(0) || self.stores.contains(&Some(0))
    }
}

/// The number of states; `Err`: a state in which everything is idle and the old value stays.
fn explore(rules: Rules) -> Result<usize, State> {
    let first = State::first(rules);
    let mut seen = HashSet::from([first.clone()]);
    let mut todo = vec![first];
    while let Some(state) = todo.pop() {
        if state.is_quiet() && state.keeps_the_old_value() {
            return Err(state);
        }
        todo.extend(state.next(rules).into_iter().filter(|next| seen.insert(next.clone())));
    }
    Ok(seen.len())
}

#[test]
fn t02_t03_t05_t10_no_old_value_stays_after_a_write() {
    for write in [Write::Remove, Write::Put] {
        let states = explore(Rules { write, ..PROTOCOL }).unwrap_or_else(|state| panic!("{write:?}: {state:?}"));
        assert!(states > 1_000, "{states} states with {write:?}: too few to be all");
    }
}

#[test]
fn t03_a_fill_that_compares_less_brings_an_old_value_back() {
    for fill in [Fill::Always, Fill::IfEmpty, Fill::AsSeen] {
        // Without notices in between: what stays in the second tier is found by the next load.
        let found = explore(Rules { fill, ..PROTOCOL });
        assert!(found.is_err(), "{fill:?} was not noticed");
    }
}

#[test]
fn t02_without_stamps_a_process_keeps_what_it_read_before_the_news() {
    assert!(explore(Rules { has_stamps: false, ..PROTOCOL }).is_err());
}

#[test]
fn t05_news_before_the_change_or_none_leave_an_old_value() {
    assert!(explore(Rules { notices_after_change: false, ..PROTOCOL }).is_err());
    assert!(explore(Rules { has_notices: false, ..PROTOCOL }).is_err());
}
