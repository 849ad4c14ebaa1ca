//! The main demo: examples/c/digest.c on a folder of thousands of files, compared with sha256sum.

use super::library;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const FILES: usize = 2_200;

/// A folder with many files, an empty one, a broken link, and a name that is not UTF-8.
fn folder_of_files() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(make_folder)
}

fn make_folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("digest");
    let _ = fs::remove_dir_all(&folder);
    for part in ["a", "b/deep", "c"] {
        fs::create_dir_all(folder.join(part)).expect("the target folder can be written");
    }
    for nth in 0..FILES {
        let part = ["a", "b/deep", "c"][nth % 3];
        let content: Vec<u8> = (0..nth * 7 % 5_000).map(|byte| (byte * nth % 251) as u8).collect();
        fs::write(folder.join(part).join(format!("file {nth}")), content).expect("the target folder can be written");
    }
    fs::write(folder.join("empty"), "").expect("the target folder can be written");
    fs::write(folder.join(OsStr::from_bytes(b"no \xff\xfe text")), "bytes").expect("the target folder can be written");
    std::os::unix::fs::symlink("nowhere", folder.join("broken")).expect("the target folder can be written");
    folder
}

fn digest() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(build);
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", program.parent().expect("the program is in a folder"));
    command
}

fn build() -> PathBuf {
    let folder = library::installed_in("demo");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("digest");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", "-I"]).arg(here.join("include"));
    gcc.arg(here.join("examples/c/digest.c")).arg("-o").arg(&program).arg("-L").arg(&folder).args(["-lkvlight", "-lpthread"]);
    library::run(&mut gcc).unwrap_or_else(|error| panic!("{error}"));
    program
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    lines.sort();
    lines
}

#[test]
fn the_demo_computes_the_same_digests_as_sha256sum() {
    let folder = folder_of_files();
    let ours = digest().arg("--list").arg(folder).output().expect("the demo runs");
    assert!(ours.status.success(), "{}", String::from_utf8_lossy(&ours.stderr));
    let mut find = Command::new("find").arg(folder).args(["-type", "f", "-print0"]).stdout(Stdio::piped()).spawn().expect("find runs");
    let input = find.stdout.take().expect("its output is piped");
    let theirs = Command::new("xargs").args(["-0", "sha256sum", "--zero"]).stdin(input).output().expect("sha256sum runs");
    assert!(find.wait().expect("find ends").success());
    // Without --zero, sha256sum would escape strange names. No name here has a newline.
    let theirs: Vec<u8> = theirs.stdout.iter().map(|byte| if *byte == 0 { b'\n' } else { *byte }).collect();
    let (ours, theirs) = (lines(&ours.stdout), lines(&theirs));
    assert_eq!(ours.len(), FILES + 2);
    assert!(ours == theirs, "the digests differ");
}

#[test]
fn the_demo_reports_its_figures() {
    let output = digest().arg(folder_of_files()).output().expect("the demo runs");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |name: &str| {
        let line = output.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no row {name:?} in\n{output}"));
        line[name.len()..].split_whitespace().map(|cell| cell.parse().expect("a number")).collect::<Vec<f64>>()
    };
    // The columns are keys, ms, requests, hits, joined, failed.
    let (first, second, third) = (row("all absent"), row("all resident"), row("half of them twice, reloaded"));
    let all = (FILES + 3) as f64;
    assert_eq!((first[0], first[3], first[5]), (all, 0.0, 1.0), "only the broken link fails\n{output}");
    assert!(first[2] >= (all / 64.0).ceil() && first[2] < all / 8.0, "requests hold many keys\n{output}");
    assert_eq!((second[0], second[3]), (all, all - 1.0), "the second pass hits\n{output}");
    assert_eq!(third[0], 2.0 * (all / 2.0).floor(), "{output}");
    assert!(third[4] >= (all / 2.0).floor(), "the second of each pair joins the load of the first\n{output}");
    assert!(output.contains("No such file or directory"), "failures are reported by kind\n{output}");
}

#[test]
fn the_demo_prints_its_usage() {
    let output = digest().output().expect("the demo runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: digest [--list] DIR"));
}
