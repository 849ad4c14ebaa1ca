//! The results as files: `table.md`, `ratios.json`, `ratios.svg`, `sizes.svg`; the table is printed too.

use crate::Row;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A point of the plot by size.
pub struct Size {
    pub subject: String,
    pub entries: u64,
    pub ns: f64,
}

pub fn all(folder: &Path, rows: &[Row], sizes: &[Size], quick: bool) -> Result<(), String> {
    let table = table(rows, quick);
    print!("{table}");
    let files = [("table.md", table), ("ratios.json", json(rows)), ("ratios.svg", ratios(rows)), ("sizes.svg", by_size(sizes))];
    for (name, text) in files {
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    println!("\nwritten: table.md, ratios.json, ratios.svg, sizes.svg in {}", folder.display());
    Ok(())
}

/// The kind of processor, and how many there are of it for this program.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or("unknown processor").trim();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = std::process::Command::new("date").arg("+%Y-%m-%d").output().map(|output| output.stdout).unwrap_or_default();
    format!("{model}, {cores} cores, {}, {}", std::env::consts::OS, String::from_utf8_lossy(&date).trim())
}

fn table(rows: &[Row], quick: bool) -> String {
    let mut text = format!("Measured by `make bench{}` on {}.\n\n", if quick { "-quick" } else { "" }, machine());
    text.push_str("| work | threads | beside | ours | theirs, or the bound | times as good | asked | |\n|---|---|---|---|---|---|---|---|\n");
    for row in rows {
        let asked = row.asked.map_or_else(String::new, |asked| format!("{asked:.1}"));
        let verdict = if row.asked.is_none() { "" } else if row.is_reached() { "reached" } else { "not reached" };
        let Row { work, threads, peer, ours, theirs, ratio, .. } = row;
        let _ = writeln!(text, "| {work} | {threads} | {peer} | {ours:.1} | {theirs:.1} | {ratio:.2} | {asked} | {verdict} |");
    }
    let asked = rows.iter().filter(|row| row.asked.is_some()).count();
    let reached = rows.iter().filter(|row| row.asked.is_some() && row.is_reached()).count();
    let _ = writeln!(text, "\n{reached} of {asked} reached. Nanoseconds, but for bytes; medians of interleaved runs, ratios of per-round ratios.");
    text
}

fn json(rows: &[Row]) -> String {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let asked = row.asked.map_or("null".to_owned(), |asked| asked.to_string());
            let Row { work, threads, peer, ours, theirs, ratio, .. } = row;
            format!(
                "  {{\"work\": \"{work}\", \"threads\": {threads}, \"peer\": \"{peer}\", \"ns\": {ours:.3}, \"peer_ns\": {theirs:.3}, \"ratio\": {ratio:.4}, \"asked\": {asked}}}"
            )
        })
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#333}.bar{fill:#4a78b5}.short{fill:#c0604a}.line{stroke:#999}</style>";

/// A bar for each row, on a logarithmic scale from a tenth to a hundred; a tick where it should end.
fn ratios(rows: &[Row]) -> String {
    let place = |ratio: f64| 420.0 + (ratio.clamp(0.1, 100.0).log10() + 1.0) * 140.0;
    let height = rows.len() * 18 + 40;
    let mut svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"920\" height=\"{height}\">{STYLE}\n");
    for (at, row) in rows.iter().enumerate() {
        let y = at * 18 + 10;
        let (from, to) = (place(1.0).min(place(row.ratio)), place(1.0).max(place(row.ratio)));
        let class = if row.is_reached() { "bar" } else { "short" };
        let _ = writeln!(svg, "<text x=\"5\" y=\"{}\">{}, {} thr., {}</text>", y + 11, row.work, row.threads, row.peer);
        let _ = writeln!(svg, "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"13\"/>", to - from);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{:.2}</text>", to + 4.0, y + 11, row.ratio);
        if let Some(asked) = row.asked {
            let x = place(asked);
            let _ = writeln!(svg, "<line class=\"line\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{}\" stroke-width=\"3\"/>", y - 1, y + 14);
        }
    }
    let one = place(1.0);
    let _ = writeln!(svg, "<line class=\"line\" x1=\"{one}\" x2=\"{one}\" y1=\"5\" y2=\"{}\"/>", height - 25);
    let _ = writeln!(svg, "<text x=\"5\" y=\"{}\">times as good as the peer, logarithmic; right of the line: better; tick: asked</text></svg>", height - 8);
    svg
}

/// Nanoseconds by entries, both logarithmic.
fn by_size(sizes: &[Size]) -> String {
    const COLOURS: [&str; 4] = ["#4a78b5", "#c0604a", "#5a9a5a", "#888"];
    let x = |entries: u64| 60.0 + ((entries as f64).log10() - 4.0) * 150.0;
    let y = |ns: f64| 320.0 - (ns.max(1.0).log10()) * 95.0;
    let mut subjects: Vec<&str> = Vec::new();
    for size in sizes {
        if !subjects.contains(&size.subject.as_str()) {
            subjects.push(&size.subject);
        }
    }
    let mut svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"370\">{STYLE}\n");
    for ns in [1.0, 10.0, 100.0, 1000.0] {
        let at = y(ns);
        let _ = writeln!(svg, "<line class=\"line\" x1=\"55\" x2=\"520\" y1=\"{at:.0}\" y2=\"{at:.0}\" stroke-dasharray=\"2,4\"/><text x=\"5\" y=\"{:.0}\">{ns} ns</text>", at + 4.0);
    }
    for (subject, colour) in subjects.iter().zip(COLOURS.iter().cycle()) {
        let own: Vec<&Size> = sizes.iter().filter(|size| size.subject == *subject).collect();
        let points: Vec<String> = own.iter().map(|size| format!("{:.1},{:.1}", x(size.entries), y(size.ns))).collect();
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", points.join(" "));
        if let Some(last) = own.last() {
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{subject} {:.0}</text>", x(last.entries) + 6.0, y(last.ns) + 4.0, last.ns);
        }
    }
    for (power, label) in ["10 thousand", "100 thousand", "1 million", "10 million"].iter().enumerate() {
        let _ = writeln!(svg, "<text x=\"{}\" y=\"340\">{label}</text>", 30 + power * 150);
    }
    svg.push_str("<text x=\"5\" y=\"362\">a hit, 64 bytes copied out, keys drawn evenly; by entries</text></svg>\n");
    svg
}
