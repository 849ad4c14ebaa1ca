//! The results as files: `table.md`, `short.md` for the README, `ratios.json`, and the plots; the table is printed too.

use crate::work::Chapter;
use crate::{Found, Row, plot};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn all(folder: &Path, found: &Found, quick: bool) -> Result<(), String> {
    let table = table(found, quick);
    print!("{table}");
    let files = [
        ("table.md", table),
        ("short.md", short(found, quick)),
        ("ratios.json", json(&found.rows)),
        ("ratios.svg", plot::ratios(&found.rows)),
        ("sizes.svg", plot::by_size(&found.sizes)),
        ("memory.svg", plot::memory(&found.rows)),
    ];
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    for (name, text) in &files {
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    println!("\nwritten: {} in {}", names.join(", "), folder.display());
    Ok(())
}

/// A number with separators: 10,000,000.
pub fn spelled(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The name of a peer in a table.
pub fn called(peer: &str) -> &str {
    match peer {
        "bound" => "(goal)",
        "lru_mutex" => "lru, one mutex",
        "lru_sharded" => "lru, sharded",
        "hashbrown" => "bare hashbrown",
        "kvlight_s3fifo" => "kvlight, s3fifo",
        "channel_std" => "channel (std)",
        "channel_crossbeam" => "channel (crossbeam)",
        "channel_by_64" => "channel, 64 keys a message",
        "parked_worker" => "parked worker",
        "quick_cache_in_turn" => "quick_cache, in turn",
        "moka_in_turn" => "moka, in turn",
        "earlier_library" => "an earlier library, on another machine",
        "papaya" => "papaya, no limit",
        other => other,
    }
}

/// The first line of a program's output.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or("unknown").trim().to_owned()
}

/// The date, the versions and the machine of the measurement.
fn measured(quick: bool) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or("unknown processor").trim();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let rustc: Vec<String> = said("rustc", &["-V"]).split(' ').take(2).map(str::to_owned).collect();
    format!(
        "Measured by `make bench{}` on {}: {model}, {cores} cores, {} GiB, {} {}, {}.",
        if quick { "-quick" } else { "" },
        said("date", &["+%Y-%m-%d"]),
        (kib + (1 << 19)) >> 20,
        std::env::consts::OS,
        std::env::consts::ARCH,
        rustc.join(" ")
    )
}

pub fn reached(found: &Found) -> String {
    let asked: Vec<&Row> = found.rows.iter().filter(|row| row.asked.is_some()).collect();
    let missing = found.missing.iter().filter(|missing| missing.has_goal).count();
    let reached = asked.iter().filter(|row| row.is_reached()).count();
    let unknown = if missing == 0 { String::new() } else { format!(", {missing} without a figure") };
    format!("Of {} rows with a target, {reached} reach it{unknown}.", asked.len() + missing)
}

fn figure(figure: f64) -> String {
    if figure >= 1000.0 { spelled(figure.round() as u64) } else { format!("{figure:.1}") }
}

fn table(found: &Found, quick: bool) -> String {
    let mut text = format!("{}\n{}\n", measured(quick), reached(found));
    for chapter in Chapter::ALL {
        let rows: Vec<&Row> = found.rows.iter().filter(|row| row.chapter == chapter).collect();
        if rows.is_empty() {
            continue;
        }
        let unit = if chapter == Chapter::Memory { "bytes" } else { "ns" };
        let _ = write!(
            text,
            "\n### {}\n\n| work | threads | kvlight, {unit} | compared with | {unit} | speed-up | target | |\n",
            chapter.title()
        );
        text.push_str("|---|--:|--:|---|--:|--:|--:|---|\n");
        for row in rows {
            let asked = row.asked.map_or_else(String::new, |asked| format!("{asked:.1}"));
            let verdict = if row.asked.is_none() {
                ""
            } else if row.is_reached() {
                "reached"
            } else {
                "not reached"
            };
            let (label, threads, peer) = (&row.label, row.threads, called(&row.peer));
            let (ours, theirs, ratio) = (figure(row.ours), figure(row.theirs), row.ratio);
            let _ = writeln!(text, "| {label} | {threads} | {ours} | {peer} | {theirs} | {ratio:.2} | {asked} | {verdict} |");
        }
    }
    if !found.shares.is_empty() {
        text.push_str("\n### What room for a tenth is worth\n\n| | lookups that hit |\n|---|--:|\n");
        for (subject, share) in &found.shares {
            let _ = writeln!(text, "| {} | {:.1} % |", called(subject), 100.0 * share);
        }
    }
    if let Some((_, first)) = found.traces.first() {
        let subjects: Vec<&str> = first.iter().map(|(subject, _)| called(subject)).collect();
        let _ = write!(
            text,
            "\n### Which part of the lookups hits, with room for a tenth of the keys\n\n| asked for | {} |\n",
            subjects.join(" | ")
        );
        let _ = writeln!(text, "|---|{}", "--:|".repeat(subjects.len()));
        for (trace, shares) in &found.traces {
            let shares: Vec<String> = shares.iter().map(|(_, share)| format!("{:.1} %", 100.0 * share)).collect();
            let _ = writeln!(text, "| {trace} | {} |", shares.join(" | "));
        }
    }
    let (counted, thrown_out) = (found.counted, found.thrown_out);
    let _ = write!(text, "\nOf {} runs {thrown_out} were thrown out, since a thread did not have its processor.\n", counted + thrown_out);
    if !found.missing.is_empty() {
        let names: Vec<&str> = found.missing.iter().map(|missing| missing.name.as_str()).collect();
        let _ = writeln!(text, "No run was undisturbed of: {}.", names.join("; "));
    }
    text
}

/// The rows of the README, by label and threads: one of each kind. If several peers have a goal, the row of the first is shown.
const SHORT: &[(&str, u32)] = &[
    ("a reference taken and given back", 1),
    ("miss, put, evict", 1),
    ("1,000 absent keys, ns a key", 1),
    ("100,000 absent keys, 64 a request, ns a key", 1),
];

/// The table of the README.
fn short(found: &Found, quick: bool) -> String {
    let mut text = String::from("| work | threads | kvlight | compared with | its time | speed-up |\n|---|--:|--:|---|--:|--:|\n");
    let shown =
        |&(label, threads): &(&str, u32)| found.rows.iter().find(|row| row.label == label && row.threads == threads && row.asked.is_some());
    for row in SHORT.iter().filter_map(shown) {
        let (label, threads, peer, ratio) = (&row.label, row.threads, called(&row.peer), row.ratio);
        let unit = if row.chapter == Chapter::Memory { "bytes" } else { "ns" };
        let (ours, theirs) = (figure(row.ours), figure(row.theirs));
        let what = match row.chapter {
            Chapter::Lookups => "hit, ",
            Chapter::Fetching => "fetch: ",
            Chapter::Swift => "from Swift: ",
            Chapter::Writes | Chapter::Memory => "",
        };
        let _ = writeln!(text, "| {what}{label} | {threads} | {ours} {unit} | {peer} | {theirs} {unit} | {ratio:.2} |");
    }
    let _ = write!(text, "\n{}\n", measured(quick));
    text
}

fn json(rows: &[Row]) -> String {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let asked = row.asked.map_or("null".to_owned(), |asked| asked.to_string());
            let Row { work, threads, peer, ours, theirs, ratio, .. } = row;
            format!(
                "  {{\"work\": \"{work}\", \"threads\": {threads}, \"peer\": \"{peer}\", \"ns\": {ours:.3}, \"peer_ns\": {theirs:.3}, \
                 \"ratio\": {ratio:.4}, \"asked\": {asked}}}"
            )
        })
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_by_thousands() {
        assert_eq!([7, 999, 1000, 10_000_000].map(spelled), ["7", "999", "1,000", "10,000,000"]);
    }
}
