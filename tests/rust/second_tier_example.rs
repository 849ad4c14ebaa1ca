//! The example of a second tier: examples/c/second_tier.c, two engines over a store in memory.

use super::library;

use std::path::Path;
use std::process::Command;

#[test]
fn t02_t05_two_engines_share_a_store_and_see_each_others_writes() {
    let folder = library::installed_in("second_tier");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("second_tier");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-I"]).arg(here.join("include"));
    gcc.arg(here.join("examples/c/second_tier.c")).arg("-o").arg(&program).arg("-L").arg(&folder).args(["-lkvlight", "-lpthread"]);
    library::run(&mut gcc).unwrap_or_else(|error| panic!("{error}"));
    let printed = library::run(Command::new(&program).env("LD_LIBRARY_PATH", &folder)).unwrap_or_else(|error| panic!("{error}"));
    let expected = [
        "  engine A loads user:7 from the source",
        "engine A: user:7 = from the source",
        "engine B: user:7 = from the source (second tier)",
        "engine B: user:7 = from the source",
        "engine A writes user:7",
        "engine B: user:7 = written by A (second tier)",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}
