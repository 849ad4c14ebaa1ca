//! The plots, as SVG: ratios by work, a hit's time by the number of entries, memory by peer.

use crate::work::Chapter;
use crate::write::called;
use crate::{Row, Size};
use std::fmt::Write as _;

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#333}.small{font-size:11px;fill:#666}.title{font-weight:bold;font-size:14px}.chapter{font-weight:bold}.in{fill:#fff}\
                     .grid{stroke:#ddd}.one{stroke:#666}</style>";

/// One colour for one subject, in every plot.
fn colour(subject: &str) -> &'static str {
    match subject {
        "kvlight" => "#1f6fb4",
        "kvlight_s3fifo" => "#7fb2dd",
        "quick_cache" => "#d1662f",
        "quick_cache_in_turn" => "#e8a983",
        "moka" => "#7a4fa3",
        "moka_in_turn" => "#b9a0d0",
        "lru_mutex" => "#4c9a52",
        "lru_sharded" => "#9ac79d",
        "papaya" => "#c2476d",
        "hashbrown" => "#888888",
        "channel_std" => "#b0892a",
        "parked_worker" => "#2f8f8f",
        "channel_crossbeam" => "#d6c07a",
        "channel_by_64" => "#6b5b1e",
        "earlier_library" => "#8a3b1a",
        _ => "#111111",
    }
}

fn open(width: usize, height: usize, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">{STYLE}\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n<text class=\"title\" x=\"12\" y=\"22\">{title}</text>\n"
    )
}

/// A line for each work; on it a dot for each peer, at kvlight's speed-up over that peer. The scale is logarithmic.
pub fn ratios(rows: &[Row]) -> String {
    const LEFT: f64 = 345.0;
    const RIGHT: f64 = 900.0;
    const LINE: usize = 24;
    let mut works: Vec<(&Row, Vec<&Row>)> = Vec::new();
    for row in rows {
        match works.iter_mut().find(|(first, _)| first.work == row.work && first.threads == row.threads) {
            Some((_, of_it)) => of_it.push(row),
            None => works.push((row, vec![row])),
        }
    }
    let shown = || rows.iter().flat_map(|row| [row.ratio, row.asked.unwrap_or(1.0)]);
    let (least, most) = (shown().fold(0.5, f64::min).log2().floor(), shown().fold(2.0, f64::max).log2().ceil());
    let place = |ratio: f64| LEFT + (ratio.log2() - least) / (most - least) * (RIGHT - LEFT);
    let mut peers: Vec<&str> = Vec::new();
    for row in rows {
        if !peers.contains(&row.peer.as_str()) {
            peers.push(&row.peer);
        }
    }
    let legend_lines = peers.len().div_ceil(4);
    let top = 62 + legend_lines * 18;
    let chapters = Chapter::ALL.iter().filter(|chapter| works.iter().any(|(first, _)| first.chapter == **chapter)).count();
    let bottom = top + (works.len() + chapters) * LINE;
    let mut svg = open(940, bottom + 40, "Speed-up over the peer, or over the bound; right of 1 is better");
    for (at, peer) in peers.iter().enumerate() {
        let (x, y) = (20 + at % 4 * 225, 46 + at / 4 * 18);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"{}\" r=\"5\" fill=\"{}\"/><text x=\"{}\" y=\"{y}\">{}</text>",
            y - 4,
            colour(peer),
            x + 10,
            called(peer)
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"small\" x=\"12\" y=\"{}\">upright stroke: the goal beside the peer of its colour; hollow dot: not reached</text>",
        48 + legend_lines * 18
    );
    let mut power = least;
    while power <= most {
        let (x, times) = (place(power.exp2()), power.exp2());
        let class = if power == 0.0 { "one" } else { "grid" };
        let _ = writeln!(svg, "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{bottom}\"/>", top - 4);
        let _ = writeln!(svg, "<text class=\"small\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{}\">{times}</text>", bottom + 16);
        power += 1.0;
    }
    let mut y = top;
    for chapter in Chapter::ALL {
        let of_it: Vec<_> = works.iter().filter(|(first, _)| first.chapter == chapter).collect();
        if of_it.is_empty() {
            continue;
        }
        let _ = writeln!(svg, "<text class=\"chapter\" x=\"12\" y=\"{}\">{}</text>", y + 16, chapter.title());
        y += LINE;
        for (first, rows) in of_it {
            let middle = y + LINE / 2;
            let threads = if first.threads == 1 { String::new() } else { format!(" ({} threads)", first.threads) };
            let _ = writeln!(svg, "<text x=\"20\" y=\"{}\">{}{threads}</text>", middle + 4, first.label);
            let _ = writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{middle}\" y2=\"{middle}\"/>");
            for row in rows {
                let (x, paint) = (place(row.ratio), colour(&row.peer));
                if let Some(asked) = row.asked {
                    let at = place(asked);
                    let _ = writeln!(
                        svg,
                        "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"{paint}\" stroke-width=\"2\"/>",
                        middle - 9,
                        middle + 9
                    );
                }
                let fill = if row.is_reached() { paint } else { "#fff" };
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{x:.1}\" cy=\"{middle}\" r=\"5\" fill=\"{fill}\" stroke=\"{paint}\" stroke-width=\"2\"><title>{}: {:.2}</title></circle>",
                    called(&row.peer),
                    row.ratio
                );
            }
            y += LINE;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Nanoseconds by entries, both logarithmic.
pub fn by_size(sizes: &[Size]) -> String {
    const STEPS: [f64; 9] = [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];
    let mut svg = open(680, 380, "A hit, 64 bytes copied out, keys drawn evenly: nanoseconds by entries");
    let (low, high) = sizes.iter().fold((f64::MAX, 0_f64), |(low, high), size| (low.min(size.ns), high.max(size.ns)));
    if sizes.is_empty() {
        return svg + "</svg>\n";
    }
    let from = STEPS.iter().rev().find(|step| **step <= low).copied().unwrap_or(STEPS[0]);
    let to = STEPS.iter().find(|step| **step >= high).copied().unwrap_or(STEPS[8]);
    let x = |entries: u64| 80.0 + ((entries as f64).log10() - 4.0) * 140.0;
    let y = |ns: f64| 330.0 - (ns / from).ln() / (to / from).ln() * 280.0;
    for step in STEPS.iter().filter(|step| (from..=to).contains(*step)) {
        let at = y(*step);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"70\" x2=\"520\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
        let _ = writeln!(svg, "<text class=\"small\" text-anchor=\"end\" x=\"62\" y=\"{:.1}\">{step} ns</text>", at + 4.0);
    }
    let (mut subjects, mut counts): (Vec<&str>, Vec<u64>) = (Vec::new(), Vec::new());
    for size in sizes {
        if !subjects.contains(&size.subject) {
            subjects.push(size.subject);
        }
        if !counts.contains(&size.entries) {
            counts.push(size.entries);
        }
    }
    for entries in counts {
        let _ = writeln!(
            svg,
            "<text class=\"small\" text-anchor=\"middle\" x=\"{:.1}\" y=\"352\">{}</text>",
            x(entries),
            crate::write::spelled(entries)
        );
    }
    // Labels are placed where the lines end, without overlapping.
    let mut ends: Vec<(&str, &Size)> =
        subjects.iter().filter_map(|subject| Some((*subject, sizes.iter().rfind(|size| size.subject == *subject)?))).collect();
    ends.sort_by(|a, b| b.1.ns.total_cmp(&a.1.ns));
    let mut above = f64::MIN;
    for (subject, last) in ends {
        let own: Vec<&Size> = sizes.iter().filter(|size| size.subject == subject).collect();
        let points: Vec<String> = own.iter().map(|size| format!("{:.1},{:.1}", x(size.entries), y(size.ns))).collect();
        let paint = colour(subject);
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{paint}\" stroke-width=\"2\"/>", points.join(" "));
        for size in own {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{paint}\"/>", x(size.entries), y(size.ns));
        }
        let at = (y(last.ns) + 4.0).max(above + 16.0);
        above = at;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{at:.1}\" style=\"fill:{paint}\">{} {:.0} ns</text>",
            x(last.entries) + 10.0,
            called(subject),
            last.ns
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A bar for each cache: its bytes of heap for each entry.
pub fn memory(rows: &[Row]) -> String {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.chapter == Chapter::Memory).collect();
    let ours = rows.first().map(|row| ("kvlight", row.ours));
    let mut bars: Vec<(&str, f64)> =
        ours.into_iter().chain(rows.iter().filter(|row| row.peer != "bound").map(|row| (row.peer.as_str(), row.theirs))).collect();
    bars.sort_by(|a, b| a.1.total_cmp(&b.1));
    let most = bars.iter().map(|bar| bar.1).fold(1.0, f64::max);
    let mut svg = open(680, 60 + bars.len() * 26, "Bytes of heap an entry: keys of 16 bytes, values of 64");
    for (at, (subject, bytes)) in bars.iter().enumerate() {
        let (y, width) = (40 + at * 26, bytes / most * 520.0);
        let _ = writeln!(svg, "<text text-anchor=\"end\" x=\"115\" y=\"{}\">{}</text>", y + 14, called(subject));
        let _ = writeln!(svg, "<rect x=\"122\" y=\"{y}\" width=\"{width:.1}\" height=\"19\" fill=\"{}\"/>", colour(subject));
        let _ = writeln!(svg, "<text class=\"in\" text-anchor=\"end\" x=\"{:.1}\" y=\"{}\">{bytes:.0}</text>", 116.0 + width, y + 14);
    }
    if let Some(bound) = rows.iter().find(|row| row.peer == "bound") {
        let (x, bottom) = (122.0 + bound.theirs / most * 520.0, 40 + bars.len() * 26);
        let _ = writeln!(svg, "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"34\" y2=\"{bottom}\" stroke=\"#111\" stroke-dasharray=\"4,3\"/>");
        let _ = writeln!(
            svg,
            "<text class=\"small\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">goal: {:.0}</text>",
            bottom + 12,
            bound.theirs
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::colour;
    use crate::work::{BYTES_SUBJECTS, FETCH, STORE};
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn no_two_subjects_have_the_same_colour() {
        let peers = STORE.iter().flat_map(|item| item.subjects).chain(FETCH.iter().flat_map(|item| item.subjects)).chain(BYTES_SUBJECTS);
        let subjects: BTreeSet<&str> = peers.copied().chain(["kvlight", "bound", "earlier_library"]).collect();
        let mut by_colour: BTreeMap<&str, &str> = BTreeMap::new();
        for subject in subjects {
            if let Some(other) = by_colour.insert(colour(subject), subject) {
                panic!("{subject} has the colour of {other}");
            }
        }
    }
}
