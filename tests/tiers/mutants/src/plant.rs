//! Rewrites the sources until they compile. Mutants that do not compile are barred, a few at a time.

use crate::operators::{Mutant, Planter};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use syn::visit_mut::VisitMut;

/// The function that is added to the copy's src/lib.rs.
const IS_ACTIVE: &str = "
/// Whether a planted error is active.
#[doc(hidden)]
#[inline]
pub fn mutant(number: u32) -> bool {
    static ACTIVE: std::sync::LazyLock<u32> =
        std::sync::LazyLock::new(|| std::env::var(\"KVL_MUTANT\").ok().and_then(|text| text.parse().ok()).unwrap_or(0));
    *ACTIVE == number
}
";

pub fn run(project: &Path, list: &Path, folders: &[&str]) {
    let mut files = Vec::new();
    folders.iter().for_each(|folder| sources(&project.join(folder), &mut files));
    files.sort();
    let sound: BTreeMap<PathBuf, String> = files.into_iter().map(|file| (file.clone(), read(&file))).collect();
    let library = project.join("src/lib.rs");
    fs::write(&library, format!("#![allow(warnings, clippy::all)]\n{}{IS_ACTIVE}", read(&library).replace("#![warn(missing_docs)]", "")))
        .expect("the copy can be written");

    let mut barred = HashSet::new();
    loop {
        let planted = plant(&sound, &barred);
        let failing = failing(project, &planted);
        if failing.is_empty() {
            write_list(project, list, &planted);
            println!("{} planted, {} do not compile", planted.iter().map(|(_, mutants)| mutants.len()).sum::<usize>(), barred.len());
            return;
        }
        barred.extend(failing);
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => sources(&path, files),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn plant(sound: &BTreeMap<PathBuf, String>, barred: &HashSet<u32>) -> Vec<(PathBuf, Vec<Mutant>)> {
    let mut last = 0;
    let mut all = Vec::new();
    for (file, text) in sound {
        let mut tree = syn::parse_file(text).expect("the project compiles");
        let mut planter = Planter { last, barred, planted: Vec::new() };
        planter.visit_file_mut(&mut tree);
        last = planter.last;
        fs::write(file, prettyplease::unparse(&tree)).expect("the copy can be written");
        all.push((file.clone(), planter.planted));
    }
    all
}

/// The mutants that do not compile: those on the lines of the compiler's errors or just above. Panics with the compiler's output if it reports
/// errors only elsewhere.
fn failing(project: &Path, planted: &[(PathBuf, Vec<Mutant>)]) -> HashSet<u32> {
    let output = Command::new("cargo")
        .args(["check", "--lib", "--message-format=json", "--manifest-path"])
        .arg(project.join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    if output.status.success() {
        return HashSet::new();
    }
    let mut failing = HashSet::new();
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        for span in message["spans"].as_array().into_iter().flatten() {
            let file = project.join(span["file_name"].as_str().unwrap_or_default());
            if !planted.iter().any(|(planted, _)| *planted == file) {
                continue;
            }
            let text = read(&file);
            let lines: Vec<&str> = text.lines().collect();
            let first = span["line_start"].as_u64().unwrap_or(1) as usize - 1;
            // The condition is at most a few lines above the code that it guards.
            let found = (0..6)
                .filter_map(|above| lines.get(first.checked_sub(above)?))
                .map(|line| numbers_in(line))
                .find(|found| !found.is_empty());
            failing.extend(found.into_iter().flatten());
        }
    }
    if failing.is_empty() {
        panic!("no mutant is to blame:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    failing
}

fn numbers_in(line: &str) -> Vec<u32> {
    line.split("crate::mutant(").skip(1).filter_map(|rest| rest.split(')').next()?.trim_end_matches("u32").parse().ok()).collect()
}

fn write_list(project: &Path, list: &Path, planted: &[(PathBuf, Vec<Mutant>)]) {
    let mut text = String::new();
    for (file, mutants) in planted {
        let file = file.strip_prefix(project).expect("it lies in the project");
        for Mutant { number, line, about } in mutants {
            let about: String = about.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
            text.push_str(&format!("{number}\t{}:{line}\t{about}\n", file.display()));
        }
    }
    fs::write(list, text).expect("the list can be written");
}
