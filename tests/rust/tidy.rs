//! House law, held by a test: floors, where `unsafe` may stand and why it does, what every export tells, how long a file may be.
//!
//! It reads the sources as text. Comments and strings are taken out where code is meant, so that words in them break no law.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms by floor; a room may use those on lower floors only, so rooms of one floor do not know each other.
const FLOORS: &[(&str, u8)] = &[("base", 0), ("cache", 1), ("task", 1), ("runtime", 2), ("engine", 3), ("ffi", 4), ("typed", 4)];

/// Where `unsafe` may stand: whole rooms end in a slash.
const UNSAFE_ROOMS: &[&str] = &[
    "ffi/",
    "base/hint.rs",
    "base/value.rs",
    "base/record.rs",
    "base/object.rs",
    "base/platform/",
    "base/error.rs",
    "cache/slab.rs",
    "typed/value.rs",
    "typed/error.rs",
];

/// Who alone may name a crate that starts threads or carries events between them.
const THREAD_CRATES: &[&str] = &["tokio", "crossbeam"];

const LONGEST_FILE: usize = 600;

struct Source {
    /// Below src/, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules lie between the crate's root and this file.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { folders } else { folders + 1 }
    }

    fn code(&self) -> String {
        code_of(&self.text)
    }

    /// Code without the file's own tests, which stand at its end.
    fn product_code(&self) -> String {
        code_of(self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default())
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path: PathBuf = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).expect("it was found there");
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                files.push(Source { path: below.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    assert!(files.len() > 20, "the sources were found: {}", files.len());
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The text with comments, strings and character literals blanked out, line for line.
fn code_of(text: &str) -> String {
    enum In {
        Code,
        Line,
        Block(usize),
        Str,
        Raw(usize),
    }
    let (mut code, mut state, mut at) = (String::new(), In::Code, 0);
    let bytes = text.as_bytes();
    let hashes = |from: usize| bytes[from..].iter().take_while(|byte| **byte == b'#').count();
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (next, width, shown) = match state {
            In::Code if rest.starts_with(b"//") => (In::Line, 2, false),
            In::Code if rest.starts_with(b"/*") => (In::Block(1), 2, false),
            In::Code if rest.starts_with(b"r\"") => (In::Raw(0), 2, false),
            In::Code if rest.starts_with(b"r#") && bytes.get(at + 1 + hashes(at + 1)) == Some(&b'"') => {
                (In::Raw(hashes(at + 1)), 2 + hashes(at + 1), false)
            }
            In::Code if rest[0] == b'"' => (In::Str, 1, false),
            In::Code if rest.starts_with(b"'\\") => (In::Code, 3 + rest[3..].iter().take_while(|byte| **byte != b'\'').count() + 1, false),
            In::Code if rest.len() > 2 && rest[0] == b'\'' && rest[2] == b'\'' => (In::Code, 3, false),
            In::Code => (In::Code, 1, true),
            In::Line if rest[0] == b'\n' => (In::Code, 1, true),
            In::Line => (In::Line, 1, false),
            In::Block(depth) if rest.starts_with(b"/*") => (In::Block(depth + 1), 2, false),
            In::Block(1) if rest.starts_with(b"*/") => (In::Code, 2, false),
            In::Block(depth) if rest.starts_with(b"*/") => (In::Block(depth - 1), 2, false),
            In::Block(depth) => (In::Block(depth), 1, false),
            In::Str if rest[0] == b'\\' => (In::Str, 2, false),
            In::Str if rest[0] == b'"' => (In::Code, 1, false),
            In::Str => (In::Str, 1, false),
            In::Raw(count) if rest[0] == b'"' && hashes(at + 1) >= count => (In::Code, 1 + count, false),
            In::Raw(count) => (In::Raw(count), 1, false),
        };
        for byte in &rest[..width.min(rest.len())] {
            code.push(if (shown && byte.is_ascii()) || *byte == b'\n' { char::from(*byte) } else { ' ' });
        }
        (state, at) = (next, at + width);
    }
    code
}

/// Whether `word` stands in `code` as a word of its own.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part))
}

/// The rooms that a file names through `crate::` or enough `super::`s.
fn rooms_named(source: &Source) -> Vec<String> {
    let code: String = source.code().split_whitespace().collect::<Vec<_>>().join(" ").replace(" ::", "::").replace(":: ", "::");
    let roots = ["crate::".to_owned(), "kvlight::".to_owned(), "super::".repeat(source.depth())];
    let mut named = Vec::new();
    for root in &roots {
        for (at, _) in code.match_indices(root.as_str()) {
            let rest = &code[at + root.len()..];
            // One name, or several in braces: of those, what stands first at the outermost level.
            let mut level = 0;
            let mut outermost = String::new();
            for c in rest.chars() {
                match c {
                    '{' => level += 1,
                    '}' => level -= 1,
                    _ if level <= 1 => outermost.push(c),
                    _ => {}
                }
                if c == ';' || (level == 0 && !(c.is_alphanumeric() || c == '_' || c == '}')) {
                    break;
                }
            }
            let names = outermost.split(',').map(|name| name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""));
            named.extend(names.map(str::to_owned));
        }
    }
    named
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn complain(law: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{law}:\n  {}\n", complaints.join("\n  "));
}

#[test]
fn a_room_uses_only_rooms_on_lower_floors() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let Some(own) = floor(source.room()) else {
            complaints.push(format!("src/{}: a room without a floor", source.path));
            continue;
        };
        for named in rooms_named(source) {
            if named != source.room() && floor(&named).is_some_and(|other| other >= own) {
                complaints.push(format!("src/{}: names {named}", source.path));
            }
        }
    }
    complain("A room imports only from lower floors", &complaints);
}

#[test]
fn the_reader_of_imports_sees_what_it_must() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let named = |path, text| rooms_named(&file(path, text));
    assert_eq!(named("cache/a.rs", "use crate::task::Flight;"), ["task"]);
    assert_eq!(named("cache/a.rs", "use crate::{base::{Key, Value}, task::Flight};"), ["base", "task"]);
    assert_eq!(named("cache/a.rs", "let x = super::super::engine::run();"), ["engine"]);
    assert_eq!(named("cache/mod.rs", "use super::runtime;"), ["runtime"]);
    assert!(
        named("cache/a.rs", "// crate::task\nlet s = \"crate::task\"; let r = r#\"crate::\"task\"#;").iter().all(|name| name.is_empty())
    );
    assert_eq!(code_of("'\"' a '\\'' b \"\\\"\" c /* /* */ d */ e").split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "e"]);
    assert!(has_word("x.unwrap()", "unwrap") && !has_word("x.unwrap_or(1)", "unwrap"));
}

#[test]
fn unsafe_stands_only_in_its_rooms_and_says_why_it_is_sound() {
    let mut complaints = Vec::new();
    for source in sources() {
        let code = source.code();
        let allowed = UNSAFE_ROOMS.iter().any(|room| source.path.starts_with(room));
        if has_word(&code, "unsafe") && !allowed {
            complaints.push(format!("src/{}: unsafe outside its rooms", source.path));
        }
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in code.lines().enumerate() {
            let opens = line.match_indices("unsafe").any(|(at, word)| {
                let after = line[at + word.len()..].trim_start();
                after.starts_with('{') || after.starts_with("impl ") || after.starts_with("impl<")
            });
            // The reason stands in the comment right above the line, or above the statement that the line goes on with.
            let above = lines[..number].iter().rev().map(|line| line.trim());
            let reasoned = above
                .take_while(|line| line.starts_with("//") || line.starts_with("#[") || !line.ends_with([';', '{', '}']) && !line.is_empty())
                .any(|line| line.starts_with("// SAFETY: "));
            if opens && !reasoned {
                complaints.push(format!("src/{}:{}: no SAFETY line above", source.path, number + 1));
            }
        }
    }
    complain("Every unsafe has its room and its reason", &complaints);
}

#[test]
fn files_stay_small_and_open_with_what_they_are_for() {
    let mut complaints = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            complaints.push(format!("src/{}: {lines} lines, at most {LONGEST_FILE}", source.path));
        }
        let included = source.text.starts_with("// ");
        if !source.text.starts_with("//! ") && !included {
            complaints.push(format!("src/{}: its first line does not say what it is for", source.path));
        }
    }
    complain("One idea a file, said on its first line", &complaints);
}

/// The types that a file defines, its tests' own included.
fn types_defined(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut words = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if ["struct", "enum", "union", "trait"].contains(&word) {
            names.extend(words.next().filter(|name| name.starts_with(char::is_uppercase)));
        }
    }
    names
}

#[test]
fn a_type_name_has_one_meaning() {
    let (mut complaints, mut seen) = (Vec::new(), std::collections::BTreeMap::new());
    let sources = sources();
    // What each system has of its own stands there under one name.
    for source in sources.iter().filter(|source| !source.path.starts_with("base/platform/")) {
        for name in types_defined(&source.code()) {
            if let Some(before) = seen.insert(name.to_owned(), &source.path).filter(|before| *before != &source.path) {
                complaints.push(format!("{name}: in src/{before} and in src/{}", source.path));
            }
        }
    }
    complain("One name, one meaning", &complaints);
}

#[test]
fn the_reader_of_types_sees_what_it_must() {
    let code = "pub struct A;\npub(super) enum B<T> { C(T) }\ntrait D: E {}\nimpl D for A {}\nunion F { a: u8 }\nfn structural() {}";
    assert_eq!(types_defined(code), ["A", "B", "D", "F"]);
}

/// A file right below `tests` would be a program of its own, which links the whole library once more.
#[test]
fn tests_stand_in_their_folders() {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")).expect("tests can be listed");
    let files = entries.map(|entry| entry.expect("tests can be listed").path()).filter(|path| path.is_file());
    complain("A test is a module of tests/rust/main.rs", &files.map(|path| path.display().to_string()).collect::<Vec<_>>());
}

/// Words by which code asks on which system it is, or calls that system.
const SYSTEM_WORDS: &[&str] = &["target_os", "target_vendor", "target_family", "target_env", "libc", "windows", "unix"];

#[test]
fn what_differs_by_system_stands_in_one_room() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with("base/platform/")) {
        let code = source.code();
        for (number, line) in code.lines().enumerate() {
            let asks = |word: &&&str| has_word(line, word) && (line.contains("cfg") || !["windows", "unix"].contains(*word));
            if let Some(word) = SYSTEM_WORDS.iter().find(asks) {
                complaints.push(format!("src/{}:{}: says {word}", source.path, number + 1));
            }
            if line.contains("std::os::") {
                complaints.push(format!("src/{}:{}: names a module of std that other systems lack", source.path, number + 1));
            }
        }
    }
    complain("What differs by system stands in src/base/platform", &complaints);
}

#[test]
fn nothing_is_unwrapped_at_the_edges() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| ["ffi", "runtime"].contains(&source.room())) {
        for (number, line) in source.product_code().lines().enumerate() {
            if has_word(line, "unwrap") {
                complaints.push(format!("src/{}:{}", source.path, number + 1));
            }
        }
    }
    complain("No unwrap in ffi and runtime", &complaints);
}

#[test]
fn crates_that_start_threads_are_named_in_the_runtime_alone() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.room() != "runtime") {
        for name in THREAD_CRATES {
            let code = source.code();
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            if code.match_indices(name).any(|(at, _)| !code[..at].ends_with(is_part)) {
                complaints.push(format!("src/{}: names {name}", source.path));
            }
        }
    }
    complain("Only the runtime knows threads", &complaints);
}

/// An export with what stands above it.
struct Export<'a> {
    name: &'a str,
    docs: String,
    parameters: Vec<(&'a str, &'a str)>,
    returns: bool,
}

fn exports(text: &str) -> Vec<Export<'_>> {
    const MARK: &str = "\n#[unsafe(no_mangle)]\n";
    let mut found = Vec::new();
    for (at, _) in text.match_indices(MARK) {
        let above = text[..at].lines().rev().take_while(|line| line.starts_with("///")).collect::<Vec<_>>();
        let docs = above.iter().rev().map(|line| line[3..].trim()).collect::<Vec<_>>().join("\n");
        let below = &text[at + MARK.len()..];
        let signature = below.split_once(" {\n").map_or(below, |(signature, _)| signature);
        let (before, rest) = signature.split_once('(').expect("a function has parentheses");
        let (inside, after) = rest.rsplit_once(')').expect("a function has parentheses");
        let name = before.rsplit(' ').next().expect("a function has a name");
        let parameters = inside.split(',').filter_map(|parameter| parameter.split_once(':'));
        let parameters = parameters.map(|(name, kind)| (name.trim(), kind.trim())).collect();
        found.push(Export { name, docs, parameters, returns: after.contains("->") });
    }
    found
}

impl Export<'_> {
    /// The text of a section, up to the next.
    fn section(&self, name: &str) -> Option<String> {
        let (_, rest) = self.docs.split_once(&format!("@{name}"))?;
        let text = rest.split("\n@").next().unwrap_or_default();
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn lacks(&self) -> Vec<String> {
        let mut lacks = Vec::new();
        let sentence = self.docs.split("\n\n").next().unwrap_or_default().split("\n@").next().unwrap_or_default();
        if sentence.split_whitespace().count() < 3 || !sentence.trim_end().ends_with('.') {
            lacks.push("a sentence on what it does".to_owned());
        }
        for (parameter, kind) in &self.parameters {
            let text = self.section(&format!("param {parameter} ")).unwrap_or_default();
            let pointer = kind.starts_with('*') || kind.ends_with("_fn");
            let tagged = ["[borrowed", "[copied", "[retained", "[owned", "[out"].iter().any(|tag| text.starts_with(tag));
            if text.is_empty() {
                lacks.push(format!("@param {parameter}"));
            } else if pointer && !tagged {
                lacks.push(format!("who owns {parameter}: [borrowed], [copied], [retained], [owned] or [out]"));
            }
        }
        let returns = self.section("return ");
        if self.returns != returns.is_some() {
            lacks.push(if self.returns { "@return".to_owned() } else { "no @return, as it returns nothing".to_owned() });
        }
        let threads = self.section("threads ").unwrap_or_default();
        if !["any", "one", "outside", "one, outside"].contains(&&*threads) {
            lacks.push("@threads any, one, outside, or one, outside".to_owned());
        }
        let since = self.section("since ").unwrap_or_default();
        if since.is_empty() || !since.split('.').all(|part| part.parse::<u32>().is_ok()) {
            lacks.push("@since with a version".to_owned());
        }
        let words = self.docs.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("KVL_ERR_") && *word != "KVL_ERR_") {
            if !kvlight::base::status::TABLE.iter().any(|row| row.name.to_str() == Ok(word)) {
                lacks.push(format!("a status of the table instead of {word}"));
            }
        }
        lacks
    }
}

#[test]
fn every_export_tells_c_programmers_what_they_must_know() {
    let (mut complaints, mut count) = (Vec::new(), 0);
    for source in sources() {
        let marks = source.code().matches("no_mangle").count();
        let exports = exports(&source.text);
        if marks != exports.len() {
            complaints.push(format!("src/{}: an export that is not written as the others are", source.path));
        }
        if marks > 0 && source.room() != "ffi" {
            complaints.push(format!("src/{}: exports outside ffi", source.path));
        }
        for export in &exports {
            count += 1;
            complaints.extend(export.lacks().iter().map(|lack| format!("src/{}: {} lacks {lack}", source.path, export.name)));
        }
    }
    assert!(count > 50, "the exports were found: {count}");
    complain("Each export has a sentence, its parameters, its statuses, its thread word and its version", &complaints);
}

#[test]
fn an_export_goes_through_the_guard() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.room() == "ffi") {
        let code = source.product_code();
        for function in code.split("#[unsafe(no_mangle)]").skip(1) {
            let body = function.split("\n}").next().unwrap_or_default();
            if !["guard", "guard_or", "guard_apart"].iter().any(|guard| has_word(body, guard)) {
                complaints.push(format!("src/{}: {}", source.path, function.trim().lines().next().unwrap_or_default()));
            }
        }
    }
    complain("Every export goes through the one guard", &complaints);
}

#[test]
fn the_reader_of_exports_sees_what_is_lacking() {
    let text = "\n/// Does it well.\n///\n/// @param x a number.\n/// @param p [borrowed] y.\n/// @return KVL_OK, KVL_ERR_WRONG.\n/// @threads all\n\
                #[unsafe(no_mangle)]\npub unsafe extern \"C\" fn kvl_x(x: u32, p: *mut u8, q: *mut u8) {\n}\n";
    let found = exports(text);
    assert_eq!(found.len(), 1);
    let lacks = found[0].lacks().join("; ");
    for lack in ["@param q", "no @return", "@threads", "@since", "KVL_ERR_WRONG"] {
        assert!(lacks.contains(lack), "{lack} is not in: {lacks}");
    }
    assert!(!lacks.contains("@param x") && !lacks.contains("who owns p") && !lacks.contains("a sentence"), "{lacks}");
}
