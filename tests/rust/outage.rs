//! The demo of an outage: examples/c/outage.c, with a short outage.

use super::library;

use std::path::Path;
use std::process::Command;

#[test]
fn r02_r13_in_a_short_outage_no_fetch_of_a_key_once_seen_fails() {
    let folder = library::installed_in("outage");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("outage");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-I"]).arg(here.join("include"));
    gcc.arg(here.join("examples/c/outage.c")).arg("-o").arg(&program).arg("-L").arg(&folder).args(["-lkvlight", "-lpthread"]);
    library::run(&mut gcc).unwrap_or_else(|error| panic!("{error}"));
    // The program exits with 1 if a fetch of the resilient cache failed.
    let printed =
        library::run(Command::new(&program).arg("2000").env("LD_LIBRARY_PATH", &folder)).unwrap_or_else(|error| panic!("{error}"));
    assert!(printed.contains("resilient: 0 of its fetches failed"), "{printed}");
    let row = |phase: &str, cache: &str| {
        let is_it = |line: &&str| line.starts_with(&format!("{phase:<8} {cache:<12}"));
        let row = printed.lines().find(is_it).unwrap_or_else(|| panic!("no row of {phase}, {cache}: {printed}"));
        row.split_whitespace().rev().map(|word| word.trim_end_matches('%').parse().unwrap_or(f64::NAN)).collect::<Vec<f64>>()
    };
    // From the end of the row: provider calls, p99, stale, failed, fetches.
    assert!(row("down", "as it comes")[3] > 0.0, "without these settings, fetches fail: {printed}");
    assert!(row("down", "resilient")[2] > 0.0, "stale entries are served: {printed}");
    // How many calls are saved, and how soon callers have their answers, depends on the machine: task/outage.rs proves both under a manual clock.
    let [calls, without] = ["resilient", "as it comes"].map(|cache| row("down", cache)[0]);
    assert!(calls < without, "{calls} calls in the outage are not below {without}: {printed}");
}
