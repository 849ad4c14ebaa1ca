//! What the documents show is true: their programs compile, run and print what is said; their links lead somewhere; the tests
//! they name exist.
//!
//! A block marked `c`, `cpp` or `python` is a whole program. If the next block after it is marked `text`, that is what it prints.

#[path = "c/library.rs"]
mod library;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct Page {
    /// Below the checkout.
    path: PathBuf,
    text: String,
}

/// All Markdown that we keep at the top and under docs.
fn pages() -> Vec<Page> {
    let (mut folders, mut pages) = (vec![here().join("docs")], Vec::new());
    let mut files: Vec<PathBuf> = list(here());
    while let Some(folder) = folders.pop() {
        for path in list(&folder) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    for path in files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&path).expect("documents are UTF-8");
        pages.push(Page { path: path.strip_prefix(here()).expect("it was found there").to_owned(), text });
    }
    assert!(pages.iter().any(|page| page.path.ends_with("README.md")), "the documents were found");
    pages
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("the folder can be listed").path()).collect()
}

struct Block<'a> {
    language: &'a str,
    text: String,
    line: usize,
}

/// The fenced blocks of a page, in order.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            if !open {
                found.push(Block { language: language.trim(), text: String::new(), line: number + 1 });
            }
            open = !open;
        } else if open {
            let block = found.last_mut().expect("it was opened");
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!open, "a block is not closed");
    found
}

/// A folder with the library under the names by which it is linked and loaded.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let built = library::shared();
    let soname = format!("libkvlight.so.{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    for name in ["libkvlight.so", &soname] {
        fs::copy(&built, folder.join(name)).expect("the target folder can be written");
    }
    folder
}

fn run(command: &mut Command, place: &str) -> String {
    library::run(command).unwrap_or_else(|error| panic!("{place}: {error}"))
}

fn trimmed(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

const LANGUAGES: &[&str] = &["c", "cpp", "python"];

/// What runs a source: the program that it is compiled to, or its interpreter.
fn program_of(source: &Path, language: &str, folder: &Path, place: &str) -> Command {
    if language == "python" {
        let mut python = Command::new("python3");
        python.arg(source).env("PYTHONPATH", here().join("examples/python")).env("KVL_LIBRARY", folder.join("libkvlight.so"));
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        return python;
    }
    let program = source.with_extension("");
    let (compiler, standard) = if language == "c" { ("gcc", "-std=c11") } else { ("g++", "-std=c++17") };
    let mut compile = Command::new(compiler);
    compile.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(here().join("include"));
    compile.arg(source).arg("-o").arg(&program).arg("-L").arg(folder).args(["-lkvlight", "-lpthread"]);
    run(&mut compile, place);
    Command::new(program)
}

#[test]
fn every_program_in_the_documents_compiles_runs_and_prints_what_is_said() {
    let folder = installed();
    let (mut programs, mut wrong) = (0, Vec::new());
    for page in pages() {
        let blocks = blocks(&page.text);
        for (nth, block) in blocks.iter().enumerate().filter(|(_, block)| LANGUAGES.contains(&block.language)) {
            programs += 1;
            let place = format!("{}:{}", page.path.display(), block.line);
            let source = folder.join(format!("program_{programs}")).with_extension(block.language);
            fs::write(&source, &block.text).expect("the target folder can be written");
            let printed = run(program_of(&source, block.language, &folder, &place).env("LD_LIBRARY_PATH", &folder), &place);
            if let Some(said) = blocks.get(nth + 1).filter(|next| next.language == "text")
                && trimmed(&printed) != trimmed(&said.text)
            {
                wrong.push(format!("{place} prints:\n{printed}and not:\n{}", said.text));
            }
        }
    }
    assert!(wrong.is_empty(), "programs that print something else than is said:\n{}", wrong.join("\n"));
    assert!(programs > 0, "README.md has a program");
}

/// Swift's toolchain is not everywhere, so what the documents show of it is taken word for word from what its tests compile.
#[test]
fn swift_in_the_documents_is_of_programs_that_are_tested() {
    let mut sources = String::new();
    ["examples/swift", "swift/Tests"].iter().for_each(|folder| sources_below(folder, &mut sources));
    for page in pages() {
        for block in blocks(&page.text).into_iter().filter(|block| block.language == "swift") {
            for part in block.text.split("\n\n") {
                assert!(sources.contains(part.trim_end()), "{}:{}: no program has\n{part}", page.path.display(), block.line);
            }
        }
    }
}

#[test]
fn the_first_example_is_short() {
    let readme = fs::read_to_string(here().join("README.md")).expect("it is there");
    let blocks = blocks(&readme);
    let first = blocks.iter().find(|block| block.language == "c").expect("README.md has a program in C");
    let lines = first.text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("#include") && !line.starts_with("/*"));
    let (count, longest) = (lines.count(), first.text.lines().map(str::len).max().unwrap_or(0));
    assert!(count <= 34 && longest <= 140, "{count} lines, the longest of {longest} characters");
}

/// The text without its fenced blocks.
fn prose(text: &str) -> String {
    let mut open = false;
    let mut kept = String::new();
    for line in text.lines() {
        let fence = line.starts_with("```");
        open ^= fence;
        if !open && !fence {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// By what a heading is linked to: `## A cache alone` by `a-cache-alone`.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    headings
        .map(|title| title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut lost = Vec::new();
    for page in pages() {
        let (folder, text) = (page.path.parent().expect("a page lies in a folder"), prose(&page.text));
        for piece in text.split("](").skip(1) {
            let target = piece.split(')').next().unwrap_or_default();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if target.contains("://") {
                continue;
            }
            let path = if file.is_empty() { here().join(&page.path) } else { here().join(folder).join(file) };
            let is_there = path.exists()
                && (anchor.is_empty()
                    || anchors(&prose(&fs::read_to_string(&path).unwrap_or_default())).iter().any(|known| known == anchor));
            if !is_there {
                lost.push(format!("{}: {target}", page.path.display()));
            }
        }
    }
    assert!(lost.is_empty(), "links that lead nowhere:\n  {}", lost.join("\n  "));
}

/// `make docs`: it tries every link of its own, and stops at what it cannot read.
#[test]
fn the_manual_has_every_name_of_the_header() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manual");
    run(Command::new("python3").arg(here().join("packaging/manual.py")).arg(&folder), "packaging/manual.py");
    let page = |name: &str| fs::read_to_string(folder.join(name)).expect("the manual has this page");
    let (api, search) = (page("api.html"), page("search.js"));
    let header = fs::read_to_string(here().join("include/kvlight.h")).expect("it is there");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let functions = header.split("KVL_API").skip(3).filter_map(|rest| rest.split('(').next()?.split(|c: char| !is_part(c)).next_back());
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define KVL_")?.split_whitespace().next());
    let defined = defined.filter(|name| *name != "API").map(|name| format!("KVL_{name}"));
    let names: Vec<String> = functions.map(str::to_owned).chain(defined).collect();
    assert!(names.len() > 200 && names.contains(&"kvl_tasks_fetch".to_owned()), "the header was read: {}", names.len());
    for name in names {
        assert!(api.contains(&format!("id=\"{name}\"")), "the reference has no {name}");
        assert!(search.contains(&format!("[\"{name}\",")), "the search does not find {name}");
    }
    assert!(page("guide.html").contains("<a href=\"api.html#kvl_tasks_fetch\">"), "names in programs lead to the reference");
    assert!(page("configuration.html").contains("id=\"cache.capacity\""), "a setting has a place of its own");
}

/// Functions, types and constants that the documents and the manual page name are the header's.
#[test]
fn every_name_of_the_library_is_one_of_its_header() {
    let header = fs::read_to_string(here().join("include/kvlight.h")).expect("it is there");
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let known: std::collections::BTreeSet<&str> = header.split(|c: char| !is_part(c)).collect();
    let manual = here().join("packaging/kvlight.3");
    let mut texts: Vec<(String, String)> = pages().into_iter().map(|page| (page.path.display().to_string(), page.text)).collect();
    texts.push(("packaging/kvlight.3".to_owned(), fs::read_to_string(manual).expect("it is there")));
    let mut unknown = Vec::new();
    for (place, text) in &texts {
        let names = text.split(|c: char| !is_part(c)).filter(|name| name.starts_with("kvl_") || name.starts_with("KVL_"));
        for name in names.filter(|name| !known.contains(name) && !NOT_OF_THE_HEADER.contains(name)) {
            unknown.push(format!("{place}: {name}"));
        }
    }
    assert!(unknown.is_empty(), "names that the header does not have:\n  {}", unknown.join("\n  "));
}

/// Variables of the environment and of the build.
const NOT_OF_THE_HEADER: &[&str] = &["KVL_BLESS", "KVL_LIBRARY", "kvl_model"];

fn sources_below(folder: &str, found: &mut String) {
    for path in list(&here().join(folder)) {
        let name = path.strip_prefix(here()).expect("it lies there").to_string_lossy().into_owned();
        if path.is_dir() {
            sources_below(&name, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push_str(&text);
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut sources = String::new();
    ["tests", "src", "swift", "examples"]
        .iter()
        .filter(|folder| here().join(folder).exists())
        .for_each(|folder| sources_below(folder, &mut sources));
    let mut missing = Vec::new();
    for page in pages() {
        for name in page.text.split('`').filter(|word| is_test_name(word)) {
            if !sources.contains(&format!(" {name}(")) && !sources.contains(&format!("mod {name} ")) {
                missing.push(format!("{}: {name}", page.path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "tests that are named and do not exist:\n  {}", missing.join("\n  "));
}

/// `f07_stored_before_told`.
fn is_test_name(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() > 4
        && b"sfl".contains(&bytes[0])
        && bytes[1].is_ascii_digit()
        && bytes[2].is_ascii_digit()
        && bytes[3] == b'_'
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
}

#[test]
fn the_reader_of_pages_sees_what_it_must() {
    let found = blocks("a\n```c\nint x;\n```\nb\n```text\nout\n```\n");
    assert_eq!(found.iter().map(|block| (block.language, block.line)).collect::<Vec<_>>(), [("c", 2), ("text", 6)]);
    assert_eq!(found[0].text, "int x;\n");
    assert!(is_test_name("f07_stored_before_told") && !is_test_name("fn07_x") && !is_test_name("f07_ x"));
}
