//! Runs the drivers, and writes their figures as tables, plots and JSON.
//!
//!     report [--quick] FOLDER       FOLDER holds the drivers `store` and `fetch`, and receives the results. If `make bench-swift` has
//!                                   left its figures there (`swift.txt`), they are included
//!
//! - [`work`]: the measurements and their goals. [`driver`]: one run of a driver, and medians.
//! - [`write`]: tables and JSON. [`plot`]: the plots.

mod driver;
mod plot;
mod work;
mod write;

use driver::{Rounds, run};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use work::Chapter;

/// A line of the table.
pub struct Row {
    pub chapter: Chapter,
    /// The identifier, also in the JSON.
    pub work: String,
    /// The text in the table.
    pub label: String,
    pub threads: u32,
    /// The name of the peer, or `bound` if there is a fixed limit instead.
    pub peer: String,
    pub ours: f64,
    pub theirs: f64,
    pub ratio: f64,
    /// The goal for the ratio, if there is one.
    pub asked: Option<f64>,
}

impl Row {
    pub fn is_reached(&self) -> bool {
        self.asked.is_none_or(|asked| self.ratio >= asked)
    }
}

/// A point of the plot by size.
pub struct Size {
    pub subject: &'static str,
    pub entries: u64,
    pub ns: f64,
}

#[derive(Default)]
pub struct Found {
    pub rows: Vec<Row>,
    pub sizes: Vec<Size>,
    /// The share of hits with room for a tenth of the keys.
    pub shares: Vec<(&'static str, f64)>,
    /// The same for each trace.
    pub traces: Vec<(String, Vec<(&'static str, f64)>)>,
    /// Measurements without a figure, because no run was undisturbed.
    pub missing: Vec<Missing>,
    pub counted: usize,
    pub thrown_out: usize,
}

/// A measurement without a figure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    pub name: String,
    pub has_goal: bool,
}

/// The part that several rows share.
struct Subject<'a> {
    chapter: Chapter,
    work: &'a str,
    label: &'a str,
    threads: u32,
}

impl Found {
    fn push(&mut self, subject: &Subject, peer: &str, compared: Option<driver::Compared>, asked: Option<f64>) {
        let Subject { chapter, work, label, threads } = *subject;
        let Some(driver::Compared { ours, theirs, ratio }) = compared else {
            self.missing.push(Missing { name: format!("{label} ({threads}) beside {peer}"), has_goal: asked.is_some() });
            return;
        };
        let (work, label, peer) = (work.to_owned(), label.to_owned(), peer.to_owned());
        self.rows.push(Row { chapter, work, label, threads, peer, ours, theirs, ratio, asked });
    }

    /// Adds a row for each peer.
    fn push_peers(&mut self, subject: &Subject, rounds: &Rounds, peers: &[&str], asked: &[(&str, f64)]) {
        self.counted += rounds.counted;
        self.thrown_out += rounds.thrown_out;
        for peer in peers {
            let asked = asked.iter().find(|(name, _)| name == peer).map(|(_, times)| *times);
            self.push(subject, peer, rounds.compare(peer), asked);
        }
    }

    /// Adds a row that compares kvlight's figure with the goal `most`.
    fn push_bound(&mut self, subject: &Subject, rounds: &Rounds, most: f64) {
        let ours = rounds.median("kvlight");
        self.push(subject, "bound", ours.map(|ours| driver::Compared { ours, theirs: most, ratio: most / ours }), Some(1.0));
    }
}

/// Prints the current step, and the time since the start.
struct Progress {
    began: Instant,
    step: usize,
    steps: usize,
}

impl Progress {
    fn tell(&mut self, what: &str) {
        self.step += 1;
        let seconds = self.began.elapsed().as_secs();
        eprintln!("[{:2}/{}, {}:{:02}] {what}", self.step, self.steps, seconds / 60, seconds % 60);
    }
}

/// kvlight and its peers, in the form that the drivers take.
fn list(peers: &[&str]) -> String {
    format!("kvlight,{}", peers.join(","))
}

/// How many times everything is measured; the medians are published. The quick form measures once.
const RUNS: usize = 3;

/// How many times a measurement is repeated if the machine was too busy.
const AGAIN: usize = 2;

/// Runs a driver, and again while a peer has no round in which both the peer and kvlight have a figure.
fn run_undisturbed(driver: &Path, arguments: &[&str], peers: &[&str]) -> Result<Rounds, String> {
    let mut rounds = run(driver, arguments)?;
    for _ in 0..AGAIN {
        if peers.iter().all(|peer| rounds.compare(peer).is_some()) {
            break;
        }
        eprintln!("        the machine was too busy: again");
        rounds.add(run(driver, arguments)?);
    }
    Ok(rounds)
}

fn measure(folder: &Path, quick: bool) -> Result<Found, String> {
    let runs = if quick { 1 } else { RUNS };
    let mut progress = Progress { began: Instant::now(), step: 0, steps: 0 };
    let found = (0..runs).map(|_| measure_once(folder, quick, runs, &mut progress)).collect::<Result<Vec<Found>, String>>()?;
    Ok(Found::of(found))
}

fn measure_once(folder: &Path, quick: bool, runs: usize, progress: &mut Progress) -> Result<Found, String> {
    let (store, fetch) = (folder.join("store"), folder.join("fetch"));
    let mut found = Found::default();
    let keys = work::KEYS.to_string();
    let sizes = &work::SIZES[..work::SIZES.len() - usize::from(quick)];
    let file = std::env::var("BENCH_TRACE").ok();
    let traces = work::TRACES.iter().copied().chain(file.as_deref().map(|file| (file, "BENCH_TRACE")));
    let steps = work::STORE.len() + 1 + work::FETCH.len() + traces.clone().count() + sizes.len();
    progress.steps = runs * steps;
    for item in work::STORE {
        let name = format!("{}, {}", item.work, item.form);
        progress.tell(&format!("{name}, {} thread{}", item.threads, if item.threads == 1 { "" } else { "s" }));
        let (rounds, seconds) = if quick { ("9", "3") } else { ("61", "16") };
        let threads = item.threads.to_string();
        let arguments = [item.work, item.form, &threads, &keys, rounds, seconds, &list(item.subjects)];
        let rounds = run_undisturbed(&store, &arguments, item.subjects)?;
        let subject = Subject { chapter: item.chapter, work: &name, label: item.label, threads: item.threads };
        found.push_peers(&subject, &rounds, item.subjects, item.asked);
        if item.work == "tenth" && item.threads == 1 {
            let subjects = ["kvlight"].iter().chain(item.subjects);
            found.shares = subjects.filter_map(|subject| Some((*subject, rounds.share(subject)?))).collect();
        }
    }
    for (trace, label) in traces {
        progress.tell(&format!("which part hits: {label}"));
        let rounds = run(&store, &["trace", trace, "1", &keys, "1", "0", &list(work::TRACE_SUBJECTS)])?;
        let subjects = ["kvlight"].iter().chain(work::TRACE_SUBJECTS);
        found.traces.push((label.to_owned(), subjects.filter_map(|subject| Some((*subject, rounds.share(subject)?))).collect()));
    }
    progress.tell("heap bytes an entry");
    let subject = Subject { chapter: Chapter::Memory, work: "heap bytes an entry", label: "heap bytes an entry", threads: 1 };
    let rounds = run(&store, &["bytes", "retained", "1", &keys, "1", "0", &list(work::BYTES_SUBJECTS)])?;
    found.push_bound(&subject, &rounds, work::MOST_BYTES);
    found.push_peers(&subject, &rounds, work::BYTES_SUBJECTS, &[]);
    for item in work::FETCH {
        progress.tell(item.name);
        let (rounds, seconds) = if quick { ("41", "3") } else { ("201", "12") };
        let rounds = run_undisturbed(&fetch, &[item.work, rounds, seconds], item.subjects)?;
        let subject = Subject { chapter: Chapter::Fetching, work: item.name, label: item.label, threads: 1 };
        found.push_bound(&subject, &rounds, item.most);
        found.push_peers(&subject, &rounds, item.subjects, &[]);
    }
    for &entries in sizes {
        progress.tell(&format!("a copied hit among {}, drawn evenly", write::spelled(entries)));
        let (rounds, seconds) = if quick { ("7", "3") } else { ("31", "12") };
        let (count, subjects) = (entries.to_string(), list(work::SIZE_SUBJECTS));
        let rounds = run_undisturbed(&store, &["uniform", "copied", "1", &count, rounds, seconds, &subjects], work::SIZE_SUBJECTS)?;
        let (name, label) = (format!("uniform, copied, {entries} entries"), format!("copied out, of {}", write::spelled(entries)));
        let subject = Subject { chapter: Chapter::Lookups, work: &name, label: &label, threads: 1 };
        found.push_peers(&subject, &rounds, work::SIZE_SUBJECTS, &[]);
        for subject in ["kvlight"].iter().chain(work::SIZE_SUBJECTS) {
            found.sizes.extend(rounds.median(subject).map(|ns| Size { subject, entries, ns }));
        }
    }
    found.swift(&std::fs::read_to_string(folder.join("swift.txt")).unwrap_or_default());
    Ok(found)
}

/// The median element by `figure`.
fn middle<T>(mut all: Vec<T>, figure: impl Fn(&T) -> f64) -> Option<T> {
    all.sort_by(|one, other| figure(one).total_cmp(&figure(other)));
    let at = all.len() / 2;
    all.into_iter().nth(at)
}

/// Groups elements, in the order of their first occurrence.
fn grouped<T>(all: impl Iterator<Item = T>, same: impl Fn(&T, &T) -> bool) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for one in all {
        match groups.iter_mut().find(|group| same(&group[0], &one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

impl Found {
    /// Combines several runs: the median of each row by its ratio, and of each size by its time.
    fn of(mut runs: Vec<Found>) -> Found {
        let rows = grouped(runs.iter_mut().flat_map(|run| std::mem::take(&mut run.rows)), |one, other| {
            (&one.work, one.threads, &one.peer) == (&other.work, other.threads, &other.peer)
        });
        let sizes = grouped(runs.iter_mut().flat_map(|run| std::mem::take(&mut run.sizes)), |one, other| {
            (one.subject, one.entries) == (other.subject, other.entries)
        });
        let rows: Vec<Row> = rows.into_iter().filter_map(|rows| middle(rows, |row| row.ratio)).collect();
        let is_missing = |missing: &Missing| runs.iter().all(|run| run.missing.contains(missing));
        let missing: Vec<Missing> = runs[0].missing.iter().filter(|missing| is_missing(missing)).cloned().collect();
        let (counted, thrown_out) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.counted, sum.1 + run.thrown_out));
        let first = runs.swap_remove(0);
        let sizes = sizes.into_iter().filter_map(|sizes| middle(sizes, |size| size.ns)).collect();
        Found { rows, sizes, missing, counted, thrown_out, ..first }
    }

    /// Adds rows for the output of `make bench-swift`, if it has run.
    fn swift(&mut self, printed: &str) {
        for (line, label, published, asked) in work::SWIFT {
            let figure = printed.lines().find_map(|printed| printed.strip_prefix(line)?.split_whitespace().next()?.parse::<f64>().ok());
            let Some(ours) = figure.filter(|figure| *figure > 0.0) else { continue };
            let subject = Subject { chapter: Chapter::Swift, work: &format!("swift, {label}"), label, threads: 1 };
            let compared = driver::Compared { ours, theirs: *published, ratio: published / ours };
            self.push(&subject, "earlier_library", Some(compared), *asked);
        }
    }
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.first().is_some_and(|first| first == "--quick");
    if quick {
        arguments.remove(0);
    }
    let [folder] = &arguments[..] else {
        eprintln!("usage: report [--quick] FOLDER");
        return ExitCode::from(2);
    };
    let folder = PathBuf::from(folder);
    let written = measure(&folder, quick).and_then(|found| write::all(&folder, &found, quick));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_row_of_several_runs_is_published() {
        let run = |ratios: &[(&str, f64)]| {
            let subject = Subject { chapter: Chapter::Lookups, work: "work", label: "label", threads: 1 };
            let mut found = Found { counted: 1, ..Found::default() };
            for (peer, ratio) in ratios {
                let compared = (*ratio > 0.0).then_some(driver::Compared { ours: 1.0, theirs: *ratio, ratio: *ratio });
                found.push(&subject, peer, compared, Some(1.0));
            }
            found
        };
        let found = Found::of(vec![
            run(&[("moka", 3.0), ("lru", 0.0), ("quick", 0.0)]),
            run(&[("moka", 1.0), ("lru", 7.0), ("quick", 0.0)]),
            run(&[("moka", 2.0), ("lru", 0.0), ("quick", 0.0)]),
        ]);
        assert_eq!(found.rows.iter().map(|row| (&*row.peer, row.ratio)).collect::<Vec<_>>(), [("moka", 2.0), ("lru", 7.0)]);
        assert_eq!((found.missing, found.counted), (vec![Missing { name: "label (1) beside quick".to_owned(), has_goal: true }], 3));
        let found = Found::of(vec![run(&[("moka", 0.0), ("lru", 7.0)]), run(&[("moka", 3.0), ("lru", 0.0)])]);
        assert_eq!(write::reached(&found), "Of 2 rows with a target, 2 reach it.", "each has a figure in one of the runs");
    }

    #[test]
    fn the_figures_of_swift_are_found_by_name() {
        let mut found = Found::default();
        found.swift(
            "ns per key\ngetElement, 10,000 Int keys in order               218\nfetch(key:), resident, of 1,000                    300\n",
        );
        let row = &found.rows[0];
        assert_eq!((found.rows.len(), row.ours, row.ratio, row.is_reached()), (1, 218.0, 5.0, true));
    }
}
