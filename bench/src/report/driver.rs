//! One run of a driver: figures by round and subject, and what is made of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a driver printed: per round, a figure for each subject that had an undisturbed run.
pub struct Rounds(Vec<BTreeMap<String, f64>>);

pub fn run(driver: &Path, arguments: &[&str]) -> Result<Rounds, String> {
    let named = || format!("{} {}", driver.display(), arguments.join(" "));
    let output = Command::new(driver).args(arguments).stderr(Stdio::inherit()).output().map_err(|error| format!("{}: {error}", named()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", named(), output.status));
    }
    let mut rounds = vec![BTreeMap::new()];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["round"] => rounds.push(BTreeMap::new()),
            ["run", subject, figure] => {
                let figure = figure.parse().map_err(|_| format!("{}: {line}", named()))?;
                rounds.last_mut().expect("it begins with one").insert(subject.to_owned(), figure);
            }
            _ => return Err(format!("{}: {line}", named())),
        }
    }
    Ok(Rounds(rounds))
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

impl Rounds {
    pub fn peers(&self) -> Vec<String> {
        let mut peers: Vec<String> = Vec::new();
        for name in self.0.iter().flat_map(BTreeMap::keys) {
            if name != "kvlight" && !peers.contains(name) {
                peers.push(name.clone());
            }
        }
        peers
    }

    pub fn median(&self, subject: &str) -> Option<f64> {
        median(self.0.iter().filter_map(|round| round.get(subject).copied()).collect())
    }

    /// Our figure, the peer's, and how many times as good ours is: medians over the rounds that have both.
    pub fn compare(&self, peer: &str) -> Option<(f64, f64, f64)> {
        let both: Vec<(f64, f64)> = self.0.iter().filter_map(|round| Some((*round.get("kvlight")?, *round.get(peer)?))).collect();
        let ours = median(both.iter().map(|pair| pair.0).collect())?;
        let theirs = median(both.iter().map(|pair| pair.1).collect())?;
        Some((ours, theirs, median(both.iter().map(|pair| pair.1 / pair.0).collect())?))
    }
}
