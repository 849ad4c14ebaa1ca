//! One run of a driver: figures by round and subject, and their medians and comparisons.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// The output of a driver.
#[derive(Default)]
pub struct Rounds {
    /// Per round, a figure for each subject that had an undisturbed run.
    figures: Vec<BTreeMap<String, f64>>,
    /// The share of hits, if the driver prints it.
    shares: Vec<(String, f64)>,
    pub counted: usize,
    /// Runs that were discarded because a thread did not have a processor throughout.
    pub thrown_out: usize,
}

pub fn run(driver: &Path, arguments: &[&str]) -> Result<Rounds, String> {
    let named = || format!("{} {}", driver.display(), arguments.join(" "));
    let output = Command::new(driver).args(arguments).stderr(Stdio::inherit()).output().map_err(|error| format!("{}: {error}", named()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", named(), output.status));
    }
    read(&String::from_utf8_lossy(&output.stdout)).map_err(|line| format!("{}: it printed {line:?}", named()))
}

/// Parses the output of a driver. The error is the line that cannot be parsed.
fn read(text: &str) -> Result<Rounds, String> {
    let mut rounds = Rounds { figures: vec![BTreeMap::new()], ..Rounds::default() };
    for line in text.lines() {
        let number = |text: &str| text.parse::<f64>().map_err(|_| line.to_owned());
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["round"] => rounds.figures.push(BTreeMap::new()),
            ["run", subject, figure] => {
                rounds.figures.last_mut().expect("it begins with one").insert(subject.to_owned(), number(figure)?);
                rounds.counted += 1;
            }
            ["lost", _] => rounds.thrown_out += 1,
            ["share", subject, share] => rounds.shares.push((subject.to_owned(), number(share)?)),
            _ => return Err(line.to_owned()),
        }
    }
    Ok(rounds)
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// The figure of kvlight, that of a peer, and the speed-up.
pub struct Compared {
    pub ours: f64,
    pub theirs: f64,
    pub ratio: f64,
}

impl Rounds {
    pub fn median(&self, subject: &str) -> Option<f64> {
        median(self.figures.iter().filter_map(|round| round.get(subject).copied()).collect())
    }

    /// Adds the figures of another run of the same work.
    pub fn add(&mut self, other: Rounds) {
        self.figures.extend(other.figures);
        self.counted += other.counted;
        self.thrown_out += other.thrown_out;
    }

    pub fn share(&self, subject: &str) -> Option<f64> {
        self.shares.iter().find(|(name, _)| name == subject).map(|(_, share)| *share)
    }

    /// Medians over the rounds that have both figures, so that a disturbance of a whole round does not favour either.
    pub fn compare(&self, peer: &str) -> Option<Compared> {
        let both: Vec<(f64, f64)> = self.figures.iter().filter_map(|round| Some((*round.get("kvlight")?, *round.get(peer)?))).collect();
        let ours = median(both.iter().map(|pair| pair.0).collect())?;
        let theirs = median(both.iter().map(|pair| pair.1).collect())?;
        Some(Compared { ours, theirs, ratio: median(both.iter().map(|pair| pair.1 / pair.0).collect())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_of_rounds() {
        let text = "round\nrun kvlight 10\nrun moka 40\nround\nlost moka\nrun kvlight 1000\nround\nrun kvlight 100\nrun moka 200\n\
                    round\nrun kvlight 20\nrun moka 60\nshare kvlight 0.5\n";
        let rounds = read(text).expect("it can be read");
        let compared = rounds.compare("moka").expect("there are rounds with both");
        assert_eq!((compared.ours, compared.theirs, compared.ratio), (20.0, 60.0, 3.0));
        assert_eq!((rounds.counted, rounds.thrown_out, rounds.share("kvlight"), rounds.share("moka")), (7, 1, Some(0.5), None));
        assert!(rounds.compare("lru").is_none() && read("run kvlight fast").is_err());
    }
}
