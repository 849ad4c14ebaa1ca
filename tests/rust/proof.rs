//! Checks that each rule and each fault in docs/CONTRACT.md has a test with its number in its name. A rule without a test fails here, unless
//! it is in OPEN.
//!
//! `make proof` writes the list of the tests of each rule to target/proof.md.

mod languages;
mod projects;

use languages::{LANGUAGES, is_extension};
use projects::PROJECTS;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Rules that have no test yet. Once one of them has a test, a test below fails until the rule is removed from here.
const OPEN: &[&str] = &[];

const FOLDERS: &[&str] = &["src", "tests", "bindings", "examples"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        FOLDERS.iter().chain(PROJECTS).map(|folder| here().join(folder)).filter(|folder| folder.exists()).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folders can be listed") {
            let path = entry.expect("folders can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                // Skips folders of built or fetched files.
                if !name.starts_with('.') && !["node_modules", "target", "build", "__pycache__"].contains(&&*name) {
                    folders.push(path);
                }
            } else if path.extension().and_then(|extension| extension.to_str()).is_some_and(is_extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The rule numbers in a name: `f01_to_f20_x` has all from F01 to F20, `s01_s14_x` has both.
fn numbers(name: &str) -> Vec<String> {
    // `f07`, `f13a`, `fault07`.
    let is_number = |part: &str| {
        let rule =
            part.strip_prefix(['s', 'f', 'l', 'r', 't']).map(|rest| rest.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(rest));
        let digits = part.strip_prefix("fault").or(rule);
        digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let name = name.strip_prefix("test_").or_else(|| name.strip_prefix("test")).unwrap_or(name).to_ascii_lowercase();
    // `fault_20` is `fault20`.
    let name = name.replace("fault_", "fault");
    let parts: Vec<&str> = name.split('_').collect();
    let mut found: Vec<String> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        match (found.last().cloned(), *part) {
            (_, part) if is_number(part) => {
                let from = found.last().filter(|_| at >= 2 && parts[at - 1] == "to").cloned();
                if let Some(from) = from {
                    let (kind, first, last) = (&from[..1], number_of(&from), number_of(part));
                    found.extend((first + 1..last).map(|number| format!("{kind}{number:02}")));
                }
                found.push(part.to_owned());
            }
            (Some(_), "to") if parts.get(at + 1).is_some_and(|next| is_number(next)) => {}
            _ => break,
        }
    }
    found
}

fn number_of(part: &str) -> u32 {
    part.trim_matches(|c: char| c.is_ascii_alphabetic()).parse().expect("two digits")
}

/// The tests of each number, by file.
type Proofs = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Adds the tests that `text`, the content of `file`, defines.
fn note(text: &str, file: &str, proofs: &mut Proofs) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for line in text.lines() {
        let words: Vec<&str> = line.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2).filter(|pair| LANGUAGES.iter().any(|language| language.definers.contains(&pair[0]))) {
            // The number can also be in a comment behind the name: `def exit_while_unwinding():  # f35`.
            let behind = line.split(['#', '/']).skip(1).flat_map(|comment| numbers(comment.trim().trim_end_matches(['*', ' '])));
            for number in numbers(pair[1]).into_iter().chain(behind.map(fault_beyond_rules)) {
                proofs.entry(number).or_default().entry(file.to_owned()).or_default().insert(pair[1].to_owned());
            }
        }
    }
}

/// Turns `f35` into `fault35`: the rules of fetching end at F22, so a higher number is a fault's.
fn fault_beyond_rules(number: String) -> String {
    match number.strip_prefix('f').filter(|digits| digits.len() == 2 && number_of(digits) > 22) {
        Some(digits) => format!("fault{digits}"),
        None => number,
    }
}

fn proofs() -> Proofs {
    let mut proofs = Proofs::new();
    for path in files() {
        let file = path.strip_prefix(here()).expect("the file is in the repository").to_string_lossy().into_owned();
        // This file contains the names for which it searches.
        if let (Ok(text), true) = (fs::read_to_string(&path), file != "tests/rust/proof.rs") {
            note(&text, &file, &mut proofs);
        }
    }
    assert!(proofs.len() > 30, "the tests were found");
    proofs
}

/// A rule or a fault of docs/CONTRACT.md.
struct NumberedRule {
    /// As in the names of tests: `f07`, `fault07`.
    number: String,
    words: String,
}

fn contract() -> Vec<NumberedRule> {
    let text = fs::read_to_string(here().join("docs/CONTRACT.md")).expect("docs/CONTRACT.md exists");
    let rule_in = |line: &str| {
        if let Some((number, words)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("** ")) {
            return Some(NumberedRule { number: number.to_ascii_lowercase(), words: words.to_owned() });
        }
        let (at, words) = line.split_once(". ")?;
        let at: u32 = at.parse().ok()?;
        Some(NumberedRule { number: format!("fault{at:02}"), words: words.to_owned() })
    };
    let rules: Vec<NumberedRule> = text.lines().filter_map(rule_in).collect();
    assert!(rules.len() > 80, "the rules were found");
    rules
}

fn page(proofs: &Proofs) -> String {
    let mut page = String::from("# Which test proves what\n");
    for NumberedRule { number, words } in contract() {
        let _ = write!(page, "\n**{number}** {words}\n\n");
        for (file, tests) in proofs.get(&number).into_iter().flatten() {
            let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
            let _ = writeln!(page, "- {file}: {}", tests.join(", "));
        }
    }
    page
}

/// Whether a separate test proves the rule. A test of a range of rules is listed with each of them, but does not suffice for any.
fn is_proved(number: &str, proofs: &Proofs) -> bool {
    proofs.get(number).is_some_and(|files| files.values().flatten().any(|test| !test.contains("_to_") || numbers(test).len() < 3))
}

fn all_numbers() -> Vec<String> {
    contract().into_iter().map(|rule| rule.number).collect()
}

#[test]
fn every_rule_and_every_fault_has_a_test_with_its_number() {
    let proofs = proofs();
    let is_open = |number: &str| OPEN.contains(&number);
    let without: Vec<String> = all_numbers().into_iter().filter(|number| !is_proved(number, &proofs) && !is_open(number)).collect();
    assert!(without.is_empty(), "no test has these numbers: {without:?}");
    let closed: Vec<&&str> = OPEN.iter().filter(|number| is_proved(number, &proofs)).collect();
    assert!(closed.is_empty(), "these have a test now: remove them from OPEN: {closed:?}");
}

#[test]
fn no_test_has_the_number_of_an_unknown_rule() {
    let known = all_numbers();
    let unknown: Vec<_> = proofs().into_iter().filter(|(number, _)| !known.contains(number)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Writes the list for `make proof`. It is not committed, because the names of the tests are its source.
#[test]
fn the_list_of_proofs_is_written() {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here().join("target"), PathBuf::from);
    fs::create_dir_all(&target).expect("the build folder can be made");
    fs::write(target.join("proof.md"), page(&proofs())).expect("the build folder can be written");
}

#[test]
fn the_parser_of_names_finds_the_numbers() {
    assert_eq!(numbers("f07_stored_before_told"), ["f07"]);
    assert_eq!(numbers("s01_s14_the_store"), ["s01", "s14"]);
    assert_eq!(numbers("f01_to_f04_any"), ["f01", "f02", "f03", "f04"]);
    assert_eq!(numbers("f13a_batches_lose_nothing"), ["f13a"]);
    assert_eq!(numbers("fault44_a_huge_fetch"), ["fault44"]);
    assert_eq!(numbers("f05_fault_20_an_empty_batch"), ["f05", "fault20"]);
    assert_eq!(numbers("test_f09_cancel"), ["f09"]);
    assert_eq!(numbers("the_f09_is_not_a_number_here"), Vec::<String>::new());
    assert_eq!(numbers("f9_x"), Vec::<String>::new());
    let mut proofs = Proofs::new();
    note("static void l01_callbacks(void)\n    l01_called();\n@Test func f02_x() {", "a", &mut proofs);
    note("def exit_while_unwinding() -> None:  # f35", "b", &mut proofs);
    assert_eq!(proofs.keys().collect::<Vec<_>>(), ["f02", "fault35", "l01"]);
}
