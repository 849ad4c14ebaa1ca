//! Runs the drivers, and writes what they found as a table, plots and JSON.
//!
//!     report [--quick] FOLDER       FOLDER holds the drivers `store` and `fetch`, and takes the results
//!
//! - [`work`]: what is measured and what is asked. [`driver`]: one run of a driver, and medians. [`write`]: the files.

mod driver;
mod work;
mod write;

use driver::{Rounds, run};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A line of the table.
pub struct Row {
    pub work: String,
    pub threads: u32,
    pub peer: String,
    pub ours: f64,
    pub theirs: f64,
    pub ratio: f64,
    pub asked: Option<f64>,
}

impl Row {
    pub fn is_reached(&self) -> bool {
        self.asked.is_none_or(|asked| self.ratio >= asked)
    }
}

fn beside(rows: &mut Vec<Row>, work: &str, threads: u32, rounds: &Rounds, asked: &[(&str, f64)]) {
    for peer in rounds.peers() {
        let Some((ours, theirs, ratio)) = rounds.compare(&peer) else {
            eprintln!("  {work}: no undisturbed run beside {peer}");
            continue;
        };
        let asked = asked.iter().find(|(name, _)| *name == peer).map(|(_, times)| *times);
        rows.push(Row { work: work.to_owned(), threads, peer, ours, theirs, ratio, asked });
    }
}

fn bound(rows: &mut Vec<Row>, work: &str, threads: u32, rounds: &Rounds, most: f64) {
    let Some(ours) = rounds.median("kvlight") else { return };
    let (work, peer) = (work.to_owned(), "bound".to_owned());
    rows.push(Row { work, threads, peer, ours, theirs: most, ratio: most / ours, asked: Some(1.0) });
}

fn measure(folder: &Path, quick: bool) -> Result<(Vec<Row>, Vec<write::Size>), String> {
    let (store, fetch) = (folder.join("store"), folder.join("fetch"));
    let mut rows = Vec::new();
    let rounds = if quick { "7" } else { "41" };
    let keys = "100000";
    let steps = work::STORE.len() + 1 + work::FETCH.len() + work::SIZES.len() - usize::from(quick);
    let mut step = 0;
    let mut tell = |what: &str| {
        step += 1;
        eprintln!("[{step}/{steps}] {what}");
    };
    for item in work::STORE {
        let name = format!("{}, {}", item.work, item.form);
        tell(&format!("{name}, {} thread(s)", item.threads));
        let found = run(&store, &[item.work, item.form, &item.threads.to_string(), keys, rounds, item.subjects])?;
        beside(&mut rows, &name, item.threads, &found, item.asked);
    }
    tell("heap bytes an entry");
    let found = run(&store, &["bytes", "retained", "1", keys, "1", "kvlight,quick_cache,moka,lru_mutex,lru_sharded,hashbrown"])?;
    bound(&mut rows, "heap bytes an entry", 1, &found, work::MOST_BYTES);
    beside(&mut rows, "heap bytes an entry", 1, &found, &[]);
    for (work, name, most) in work::FETCH {
        tell(name);
        let found = run(&fetch, &[work, if quick { "15" } else { "101" }])?;
        bound(&mut rows, name, 1, &found, *most);
        beside(&mut rows, name, 1, &found, &[]);
    }
    let mut sizes = Vec::new();
    for entries in work::SIZES.iter().take(work::SIZES.len() - usize::from(quick)) {
        tell(&format!("a copied hit among {entries} entries, drawn evenly"));
        let rounds = if quick { "5" } else { "15" };
        let found = run(&store, &["uniform", "copied", "1", &entries.to_string(), rounds, work::SIZE_SUBJECTS])?;
        let name = format!("uniform, copied, {entries} entries");
        beside(&mut rows, &name, 1, &found, &[]);
        for subject in work::SIZE_SUBJECTS.split(',') {
            if let Some(ns) = found.median(subject) {
                sizes.push(write::Size { subject: subject.to_owned(), entries: *entries, ns });
            }
        }
    }
    Ok((rows, sizes))
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
    let written = measure(&folder, quick).and_then(|(rows, sizes)| write::all(&folder, &rows, &sizes, quick));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}
