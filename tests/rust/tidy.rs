//! Checks rules for the sources: layers, where `unsafe` and unwrap are allowed, which modules may start threads or contain code for a
//! single system, how words of settings are told apart, the documentation and the guard of exports, names of types, lists of modules, the
//! length of files.
//!
//! The tests read the sources as text. Comments and strings are removed where only code counts, so that words in them break no rule.

mod projects;

use projects::PROJECTS;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules by layer. A module may use only those of lower layers, so modules of the same layer do not know each other.
const LAYERS: &[(&str, u8)] =
    &[("base", 0), ("cache", 1), ("task", 1), ("tier", 1), ("runtime", 2), ("engine", 3), ("ffi", 4), ("typed", 4)];

/// Where `unsafe` is allowed. Whole modules end in a slash.
const UNSAFE_ALLOWED: &[&str] = &[
    "ffi/",
    "base/hint.rs",
    "base/value.rs",
    "base/record.rs",
    "base/object.rs",
    "base/platform/",
    "base/error.rs",
    "cache/column.rs",
    "cache/slab.rs",
    "typed/value.rs",
    "typed/error.rs",
];

/// Crates that start threads or pass events between them. Only the runtime may name them.
const THREAD_CRATES: &[&str] = &["tokio", "crossbeam"];

/// In lines.
const LONGEST_FILE: usize = 600;

struct Source {
    /// Relative to src/, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many `super::` lead from this file to the crate's root.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { folders } else { folders + 1 }
    }

    fn code(&self) -> String {
        code_of(&self.text)
    }

    /// The code without the file's tests, which are at its end.
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
                let below = path.strip_prefix(&root).expect("the file is below src");
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                files.push(Source { path: below.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    assert!(files.len() > 20, "the sources were found: {}", files.len());
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The text with comments, strings and character literals replaced by spaces, line by line.
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

/// Whether `word` is in `code` as a whole word.
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part))
}

/// The modules that a file names through `crate::` or enough `super::`s.
fn modules_named(source: &Source) -> Vec<String> {
    let code: String = source.code().split_whitespace().collect::<Vec<_>>().join(" ").replace(" ::", "::").replace(":: ", "::");
    let roots = ["crate::".to_owned(), "kvlight::".to_owned(), "super::".repeat(source.depth())];
    let mut named = Vec::new();
    for root in &roots {
        for (at, _) in code.match_indices(root.as_str()) {
            let rest = &code[at + root.len()..];
            // One path, or several in braces. Only the first name of each path counts, so inner braces are left out.
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

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn complain(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}\n", complaints.join("\n  "));
}

#[test]
fn a_module_uses_only_modules_of_lower_layers() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let Some(own) = layer(source.module()) else {
            complaints.push(format!("src/{}: a module without a layer", source.path));
            continue;
        };
        for named in modules_named(source) {
            if named != source.module() && layer(&named).is_some_and(|other| other >= own) {
                complaints.push(format!("src/{}: names {named}", source.path));
            }
        }
    }
    complain("A module imports only from lower layers", &complaints);
}

#[test]
fn the_parser_of_imports_finds_them_all() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let named = |path, text| modules_named(&file(path, text));
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
fn unsafe_is_used_only_where_allowed_and_is_justified() {
    let mut complaints = Vec::new();
    for source in sources() {
        let code = source.code();
        let allowed = UNSAFE_ALLOWED.iter().any(|module| source.path.starts_with(module));
        if has_word(&code, "unsafe") && !allowed {
            complaints.push(format!("src/{}: unsafe where it is not allowed", source.path));
        }
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in code.lines().enumerate() {
            let opens = line.match_indices("unsafe").any(|(at, word)| {
                let after = line[at + word.len()..].trim_start();
                after.starts_with('{') || after.starts_with("impl ") || after.starts_with("impl<")
            });
            // The reason is in the comment directly above the line, or above the statement that the line continues.
            let above = lines[..number].iter().rev().map(|line| line.trim());
            let reasoned = above
                .take_while(|line| line.starts_with("//") || line.starts_with("#[") || !line.ends_with([';', '{', '}']) && !line.is_empty())
                .any(|line| line.starts_with("// SAFETY: "));
            if opens && !reasoned {
                complaints.push(format!("src/{}:{}: no SAFETY comment above", source.path, number + 1));
            }
        }
    }
    for allowed in UNSAFE_ALLOWED {
        if !sources().iter().any(|source| source.path.starts_with(allowed) && has_word(&source.code(), "unsafe")) {
            complaints.push(format!("src/{allowed}: unsafe is allowed, but there is none"));
        }
    }
    complain("Every unsafe is in an allowed place and has its reason", &complaints);
}

#[test]
fn files_are_short_and_begin_with_their_purpose() {
    let mut complaints = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            complaints.push(format!("src/{}: {lines} lines, at most {LONGEST_FILE}", source.path));
        }
        // A file for `include!` cannot begin with `//!`.
        let included = source.text.starts_with("// ");
        if !source.text.starts_with("//! ") && !included {
            complaints.push(format!("src/{}: its first line does not state its purpose", source.path));
        }
    }
    complain("A file has one purpose, stated on its first line", &complaints);
}

/// The modules that a file declares, without those of its tests.
fn modules_declared(text: &str) -> Vec<&str> {
    let mut declared = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            lines.next();
        }
        let name = line.split_once("mod ").filter(|(before, _)| before.is_empty() || before.starts_with("pub")).map(|(_, name)| name);
        declared.extend(name.and_then(|name| name.strip_suffix(';')));
    }
    declared
}

/// A file whose top says what its modules are for names all of them.
#[test]
fn a_list_of_modules_is_complete() {
    if !projects::are_there() {
        return;
    }
    let mut complaints = Vec::new();
    let of_projects: Vec<Source> = PROJECTS
        .iter()
        .map(|name| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src/lib.rs");
            Source { path: format!("../{name}/src/lib.rs"), text: fs::read_to_string(file).expect("the file exists") }
        })
        .collect();
    let mut lists = 0;
    for source in sources().iter().chain(&of_projects) {
        let top: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
        let declared = modules_declared(&source.text);
        let missing: Vec<_> = declared.iter().filter(|name| !top.contains(&format!("`{name}`"))).collect();
        // A file whose top names half of its modules or fewer has no list of them.
        if declared.len() > 2 && missing.len() * 2 < declared.len() {
            lists += 1;
            complaints.extend(missing.iter().map(|name| format!("src/{}: what is {name} for?", source.path)));
        }
    }
    assert!(lists > 4, "the lists were found: {lists}");
    complain("A list of modules has all of them", &complaints);
}

/// The types that a file defines, including those of its tests.
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
    // In base/platform each system defines its own type under the same name.
    for source in sources.iter().filter(|source| !source.path.starts_with("base/platform/")) {
        for name in types_defined(&source.code()) {
            if let Some(before) = seen.insert(name.to_owned(), &source.path).filter(|before| *before != &source.path) {
                complaints.push(format!("{name}: in src/{before} and in src/{}", source.path));
            }
        }
    }
    complain("A name has one meaning", &complaints);
}

#[test]
fn the_parser_of_types_finds_them_all() {
    let code = "pub struct A;\npub(super) enum B<T> { C(T) }\ntrait D: E {}\nimpl D for A {}\nunion F { a: u8 }\nfn structural() {}";
    assert_eq!(types_defined(code), ["A", "B", "D", "F"]);
}

/// A file directly in `tests` would be a separate program, which links the whole library once more.
#[test]
fn tests_are_in_their_folders() {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")).expect("tests can be listed");
    let files = entries.map(|entry| entry.expect("tests can be listed").path()).filter(|path| path.is_file());
    complain("A test must be a module of tests/rust/main.rs", &files.map(|path| path.display().to_string()).collect::<Vec<_>>());
}

/// Words by which code asks for the current system, or calls it.
const SYSTEM_WORDS: &[&str] = &["target_os", "target_vendor", "target_family", "target_env", "libc", "windows", "unix"];

#[test]
fn code_for_single_systems_is_in_one_folder() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with("base/platform/")) {
        let code = source.code();
        for (number, line) in code.lines().enumerate() {
            let asks = |word: &&&str| has_word(line, word) && (line.contains("cfg") || !["windows", "unix"].contains(*word));
            if let Some(word) = SYSTEM_WORDS.iter().find(asks) {
                complaints.push(format!("src/{}:{}: uses {word}", source.path, number + 1));
            }
            if line.contains("std::os::") {
                complaints.push(format!("src/{}:{}: uses a module of std that other systems lack", source.path, number + 1));
            }
        }
    }
    complain("Code for single systems is in src/base/platform", &complaints);
}

#[test]
fn ffi_and_runtime_do_not_unwrap() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| ["ffi", "runtime"].contains(&source.module())) {
        for (number, line) in source.product_code().lines().enumerate() {
            if has_word(line, "unwrap") {
                complaints.push(format!("src/{}:{}", source.path, number + 1));
            }
        }
    }
    complain("No unwrap in ffi and runtime", &complaints);
}

/// A comparison would go on to compile with a new word, and take it for all the others.
#[test]
fn words_of_settings_are_told_apart_by_match() {
    let (sources, mut complaints) = (sources(), Vec::new());
    let settings = sources.iter().find(|source| source.path == "base/config/settings.rs").expect("the settings have a file");
    let is_name = |c: char| c.is_alphanumeric();
    let enums: Vec<&str> = settings.text.split("pub enum ").skip(1).filter_map(|rest| rest.split(|c| !is_name(c)).next()).collect();
    assert!(enums.len() > 5 && enums.contains(&"QueueOrder"), "the enums were found: {enums:?}");
    for source in &sources {
        for (number, line) in source.product_code().lines().enumerate() {
            let compares = |name: &&str| ["== ", "!= "].iter().any(|operator| line.contains(&format!("{operator}{name}::")));
            let asks = |name: &&str| line.contains("matches!") && line.contains(&format!("{name}::"));
            if enums.iter().any(|name| compares(name) || asks(name)) {
                complaints.push(format!("src/{}:{}", source.path, number + 1));
            }
        }
    }
    complain("The words of a setting are told apart by a match without a default, in a method of their enum", &complaints);
}

#[test]
fn only_the_runtime_names_crates_that_start_threads() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "runtime") {
        for name in THREAD_CRATES {
            let code = source.code();
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            if code.match_indices(name).any(|(at, _)| !code[..at].ends_with(is_part)) {
                complaints.push(format!("src/{}: names {name}", source.path));
            }
        }
    }
    complain("Only the runtime uses crates that start threads", &complaints);
}

/// An export with its documentation.
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
    /// The text after the tag `@name`, up to the next tag.
    fn section(&self, name: &str) -> Option<String> {
        let (_, rest) = self.docs.split_once(&format!("@{name}"))?;
        let text = rest.split("\n@").next().unwrap_or_default();
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// What the documentation lacks.
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
                lacks.push(format!("the owner of {parameter}: [borrowed], [copied], [retained], [owned] or [out]"));
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
fn every_export_is_documented_completely() {
    let (mut complaints, mut count) = (Vec::new(), 0);
    for source in sources() {
        let marks = source.code().matches("no_mangle").count();
        let exports = exports(&source.text);
        if marks != exports.len() {
            complaints.push(format!("src/{}: an export in an unusual form", source.path));
        }
        if marks > 0 && source.module() != "ffi" {
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
    for source in sources().iter().filter(|source| source.module() == "ffi") {
        let code = source.product_code();
        for function in code.split("#[unsafe(no_mangle)]").skip(1) {
            let body = function.split("\n}").next().unwrap_or_default();
            // A lookup has its guard in the function with its slower paths.
            if !["guard", "guard_or", "guard_slow", "get_slow", "get_object_slow", "tasks_get_slow", "tasks_get_object_slow", "unguarded"]
                .iter()
                .any(|guard| has_word(body, guard))
            {
                complaints.push(format!("src/{}: {}", source.path, function.trim().lines().next().unwrap_or_default()));
            }
        }
    }
    complain("Every export goes through the one guard, or says that it needs none", &complaints);
}

#[test]
fn the_parser_of_exports_finds_what_is_missing() {
    let text = "\n/// Does it well.\n///\n/// @param x a number.\n/// @param p [borrowed] y.\n/// @return KVL_OK, KVL_ERR_WRONG.\n/// @threads all\n\
                #[unsafe(no_mangle)]\npub unsafe extern \"C\" fn kvl_x(x: u32, p: *mut u8, q: *mut u8) {\n}\n";
    let found = exports(text);
    assert_eq!(found.len(), 1);
    let lacks = found[0].lacks().join("; ");
    for lack in ["@param q", "no @return", "@threads", "@since", "KVL_ERR_WRONG"] {
        assert!(lacks.contains(lack), "{lack} is not in: {lacks}");
    }
    assert!(!lacks.contains("@param x") && !lacks.contains("the owner of p") && !lacks.contains("a sentence"), "{lacks}");
}
