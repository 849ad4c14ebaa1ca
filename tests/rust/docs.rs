//! Checks that the documents are correct: their programs compile, run and print the documented output; their links have targets; the
//! settings, functions, tests and paths that they name exist; and their lists and tables are complete.
//!
//! A block marked `c`, `cpp` or `python` is a complete program (`languages.rs`). If the next block after it is marked `text`, that is its output.

mod languages;
mod library;
mod projects;

use languages::{LANGUAGES, Language, is_extension};
use projects::PROJECTS;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct Page {
    /// Relative to the root of the repository.
    path: PathBuf,
    text: String,
}

/// All Markdown pages at the top and below docs, and the README of each package and project.
fn pages() -> Vec<Page> {
    let (mut folders, mut pages) = (vec![here().join("docs")], Vec::new());
    let mut files: Vec<PathBuf> = list(here());
    while let Some(folder) = folders.pop() {
        for path in list(&folder) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.extend(list(&here().join("bindings")).into_iter().map(|package| package.join("README.md")).filter(|page| page.exists()));
    files.extend(PROJECTS.iter().map(|name| here().join(name).join("README.md")).filter(|page| page.exists()));
    files.sort();
    for path in files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&path).expect("documents are UTF-8");
        pages.push(Page { path: path.strip_prefix(here()).expect("the page is in the repository").to_owned(), text });
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
            let block = found.last_mut().expect("a block is open");
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!open, "a block is not closed");
    found
}

fn run(command: &mut Command, place: &str) -> String {
    library::run(command).unwrap_or_else(|error| panic!("{place}: {error}"))
}

fn trimmed(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

/// Whether blocks with this mark are programs that are run here.
fn is_run(mark: &str) -> bool {
    LANGUAGES.iter().any(|language| language.mark == mark && language.quoted.is_empty())
}

/// Installs the Python package into `folder`, built with the library of this test run.
fn python_package(folder: &Path) -> PathBuf {
    let package = folder.join("python");
    BUILT.call_once(|| {
        let mut build = Command::new(here().join("bindings/python/build.sh"));
        build.arg(&package).env("KVL_INCLUDE_DIR", here().join("include"));
        build.env("KVL_LIB_DIR", library::shared().parent().expect("the library is in a folder"));
        run(&mut build, "bindings/python");
    });
    package
}

static BUILT: Once = Once::new();

/// The command that runs a source: the compiled program, or the interpreter.
fn program_of(source: &Path, language: &str, folder: &Path, place: &str) -> Command {
    if language == "python" {
        let mut python = Command::new("python3");
        python.arg(source).env("PYTHONPATH", python_package(folder));
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
fn every_program_in_the_documents_compiles_runs_and_prints_the_documented_output() {
    let folder = library::installed_in("docs");
    let (mut programs, mut wrong) = (0, Vec::new());
    for page in pages() {
        let blocks = blocks(&page.text);
        for (nth, block) in blocks.iter().enumerate().filter(|(_, block)| is_run(block.language)) {
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
    assert!(wrong.is_empty(), "programs whose output differs from the documents:\n{}", wrong.join("\n"));
    assert!(programs > 0, "README.md has a program");
}

/// The marks of blocks that quote a tested program, each with the folders of those programs.
fn quoted() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    const CMAKE: (&str, &[&str]) = ("cmake", &["tests/tiers/consumer"]);
    let of_languages = LANGUAGES.iter().map(|language| (language.mark, language.quoted));
    of_languages.filter(|(_, folders)| !folders.is_empty()).chain([CMAKE])
}

#[test]
fn programs_that_are_not_run_here_are_quoted_from_tested_ones() {
    if !projects::are_there() {
        return;
    }
    let mut shown = Vec::new();
    // The page of the Swift package shows fragments that use types of an imaginary program.
    for page in pages().into_iter().filter(|page| !page.path.ends_with("swift/README.md")) {
        for block in blocks(&page.text) {
            let place = format!("{}:{}", page.path.display(), block.line);
            let Some((mark, folders)) = quoted().find(|(mark, _)| *mark == block.language) else {
                let is_checked = is_run(block.language) || ["text", "sh", "{toctree}"].contains(&block.language);
                assert!(is_checked, "{place}: no test checks blocks marked {:?}", block.language);
                continue;
            };
            let mut sources = String::new();
            folders.iter().for_each(|folder| sources_below(folder, &mut sources));
            // Programs in the comments of a module are run as its doc tests.
            let sources = sources.replace("//! ", "");
            for part in block.text.split("\n\n") {
                assert!(sources.contains(part.trim_end()), "{place}: no program has\n{part}");
            }
            shown.push(mark);
        }
    }
    assert!(quoted().all(|(mark, _)| shown.contains(&mark)), "only these are shown: {shown:?}");
}

/// Targets are recognised in text between backticks and in blocks for a shell.
#[test]
fn every_target_of_make_that_is_named_exists() {
    let makefile = fs::read_to_string(here().join("Makefile")).expect("the file exists");
    let (mut named, mut unknown) = (0, Vec::new());
    for page in pages() {
        let spans = page.text.split('`').map(str::to_owned);
        let lines = blocks(&page.text).into_iter().filter(|block| block.language == "sh").flat_map(|block| lines_of(&block.text));
        for said in spans.chain(lines) {
            let Some(target) = said.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next()) else { continue };
            named += 1;
            if !target.contains('=') && target != "#" && !makefile.contains(&format!("\n{target}:")) {
                unknown.push(format!("{}: make {target}", page.path.display()));
            }
        }
    }
    assert!(named > 10, "the documents were read: {named}");
    assert!(unknown.is_empty(), "unknown targets of make:\n  {}", unknown.join("\n  "));
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The names of all settings.
fn settings() -> Vec<String> {
    let text = fs::read_to_string(here().join("src/ffi/config_keys.json")).expect("the file exists");
    let keys: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let list = keys.as_array().expect("a list");
    list.iter().map(|key| key["name"].as_str().expect("a setting has a name").to_owned()).collect()
}

#[test]
fn every_dependency_is_explained_and_used_where_the_table_says() {
    let manifest = fs::read_to_string(here().join("Cargo.toml")).expect("the file exists");
    let architecture = fs::read_to_string(here().join("ARCHITECTURE.md")).expect("the file exists");
    let chapter = architecture
        .split("\n## ")
        .find(|chapter| chapter.starts_with("Dependencies\n"))
        .expect("ARCHITECTURE.md has a chapter on dependencies");
    let lines: String =
        chapter.lines().filter(|line| line.starts_with('|')).map(|line| line.split('|').nth(1).unwrap_or_default()).collect();
    let named: Vec<&str> = lines.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c))).collect();
    let (mut is_list, mut count) = (false, 0);
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_list = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| is_list) {
            count += 1;
            assert!(named.contains(&name), "{name} is a dependency, but ARCHITECTURE.md does not explain it");
        }
    }
    assert!(count > 10, "the list was read: {count}");
    let rows = chapter.lines().filter(|line| line.starts_with('|') && line.contains('`'));
    let mut places = 0;
    for cells in rows.map(|line| line.split('|').collect::<Vec<_>>()) {
        let name = cells[1].split_whitespace().next().unwrap_or_default().trim_end_matches(',').replace('-', "_");
        for place in cells[2].split('`').skip(1).step_by(2).filter(|place| !place.starts_with("tests")) {
            let path = place.replace("::", "/");
            let found =
                [place.to_owned(), format!("src/{path}.rs"), format!("src/{path}")].into_iter().find(|path| here().join(path).exists());
            let found = found.unwrap_or_else(|| panic!("ARCHITECTURE.md: {name} is said to be used in {place}, which does not exist"));
            let mut text = fs::read_to_string(here().join(&found)).unwrap_or_default();
            if text.is_empty() {
                sources_below(&found, &mut text);
            }
            assert!(text.contains(&name), "ARCHITECTURE.md: {name} is said to be used in {place}, but is not");
            places += 1;
        }
    }
    assert!(places > 10, "the places were read: {places}");
}

#[test]
fn every_setting_that_is_named_exists() {
    let (known, mut unknown) = (settings(), Vec::new());
    let groups: Vec<&str> = known.iter().filter_map(|key| key.split_once('.')).map(|(group, _)| group).collect();
    // The changelog names removed settings, and the page of statistics names statistics.
    let is_about_settings = |page: &Page| !["CHANGELOG.md", "STATISTICS.md"].iter().any(|name| page.path.ends_with(name));
    for page in pages().into_iter().filter(is_about_settings) {
        for word in page.text.split('`') {
            let is_setting = word.split_once('.').is_some_and(|(group, rest)| {
                groups.contains(&group) && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !is_extension(rest)
            });
            if is_setting && !known.iter().any(|key| key == word) {
                unknown.push(format!("{}: {word}", page.path.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "settings that do not exist:\n  {}", unknown.join("\n  "));
}

#[test]
fn the_first_example_is_short() {
    let readme = fs::read_to_string(here().join("README.md")).expect("the file exists");
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

/// The link targets of the headings: `a-cache-alone` for `## A cache alone`.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    headings
        .map(|title| title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_has_a_target() {
    if !projects::are_there() {
        return;
    }
    let mut lost = Vec::new();
    for page in pages() {
        let (folder, text) = (page.path.parent().expect("a page is in a folder"), prose(&page.text));
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
    assert!(lost.is_empty(), "links without a target:\n  {}", lost.join("\n  "));
}

/// Every function, type and constant named in the documents or the manual page must be in the header.
#[test]
fn every_name_of_the_library_is_in_its_header() {
    if !projects::are_there() {
        return;
    }
    let headers = PROJECTS.iter().map(|name| format!("{name}/include/kvlight_{name}.h")).chain(["include/kvlight.h".to_owned()]);
    let header: String = headers.map(|header| fs::read_to_string(here().join(header)).expect("the file exists")).collect();
    let words = |text| str::split(text, |c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let known: std::collections::BTreeSet<&str> = words(&header).collect();
    let manual = here().join("packaging/kvlight.3");
    let mut texts: Vec<(String, String)> = pages().into_iter().map(|page| (page.path.display().to_string(), page.text)).collect();
    // The changelog also names what was removed.
    texts.retain(|(place, _)| !place.ends_with("CHANGELOG.md"));
    texts.push(("packaging/kvlight.3".to_owned(), fs::read_to_string(manual).expect("the file exists")));
    let mut unknown = Vec::new();
    for (place, text) in &texts {
        let names = words(text).filter(|name| name.starts_with("kvl_") || name.starts_with("KVL_"));
        for name in names.filter(|name| !known.contains(name) && !NOT_OF_THE_HEADER.contains(name)) {
            unknown.push(format!("{place}: {name}"));
        }
    }
    assert!(unknown.is_empty(), "names that are not in the header:\n  {}", unknown.join("\n  "));
    let is_named = |name: &&&str| texts.iter().any(|(_, text)| words(text).any(|word| word == **name));
    let unused: Vec<_> = NOT_OF_THE_HEADER.iter().filter(|name| !is_named(name)).collect();
    assert!(unused.is_empty(), "not named any more: {unused:?}");
}

/// Names with the library's prefix that are not in its header: variables of the environment and of the build, and the prefix alone.
const NOT_OF_THE_HEADER: &[&str] = &[
    "kvl_",
    "KVL_SWIFT_TREE",
    "KVL_SWIFT_ORIGINAL",
    "KVL_BLESS",
    "KVL_LIBRARY",
    "KVL_REDIS_LIBRARY",
    "KVL_RUBY_LOOKUP",
    "kvl_model",
    "kvl_race",
];

/// Appends the text of all files below a folder to `found`.
fn sources_below(folder: &str, found: &mut String) {
    for path in list(&here().join(folder)) {
        let name = path.strip_prefix(here()).expect("the file is in the repository").to_string_lossy().into_owned();
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
    let folders = ["tests", "src", "bindings", "examples"].iter().chain(PROJECTS);
    folders.filter(|folder| here().join(folder).exists()).for_each(|folder| sources_below(folder, &mut sources));
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

/// A name like `f07_stored_before_told`.
fn is_test_name(word: &str) -> bool {
    let bytes = word.as_bytes();
    let number = word.split('_').next().unwrap_or_default().len();
    bytes.len() > 4
        && b"sflrt".contains(&bytes[0])
        && bytes[1].is_ascii_digit()
        && bytes[2].is_ascii_digit()
        && (number == 3 || number == 4 && bytes[3].is_ascii_lowercase())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// The rows of the table "What each package has", each with the function of the C interface behind it (`|` separates alternatives) and the
/// function of Rust's typed interface ("" if it has none).
const FEATURES: &[(&str, &str, &str)] = &[
    ("a cache without a provider", "cache_new", "build_cache"),
    ("a manual clock", "config_set_clock", "clock"),
    ("a validator of keys", "config_set_validator", ""),
    ("a listener of removals, with the cause", "config_set_removal_listener", "on_removal"),
    ("a listener of lookups", "config_set_record_listener", ""),
    ("results as they settle, progress", "tasks_fetch_each", "on_progress"),
    ("replace if unchanged", "cache_compare_put", ""),
    ("take", "cache_take", "take"),
    ("touch", "cache_touch", "touch"),
    ("limits changed later", "cache_resize", "resize"),
    ("iteration", "iterator_new", "iter"),
    ("files", "cache_save|cache_save_encoded", ""),
    ("files of objects", "cache_save_encoded", ""),
    ("a second tier", "config_set_l2", "second_tier"),
    ("a server as the second tier, by its URL", "kvl_redis_attach|kvl_redis_", ""),
    ("waiting for the second tier", "tasks_l2_sync|sync_second_tier|syncSecondTier", "sync_second_tier"),
    ("an error that states the pause before a retry", "error_set_retry_after", "fail_with_pause"),
    ("a heartbeat of a request", "request_heartbeat", "heartbeat"),
    ("a shared runtime", "config_set_runtime", ""),
    ("tags", "cache_remove_tag", "remove_tag"),
    ("answers that are not modified", "request_not_modified", "not_modified"),
    ("the breaker's state", "tasks_breaker_state", "breaker_state"),
    ("refresh, invalidation", "tasks_invalidate", "invalidate"),
];

/// The sources of a language, without the generated list of all functions.
fn sources_of(language: &Language) -> String {
    let (places, generated) = language.sources;
    let (mut paths, mut text): (Vec<PathBuf>, String) = (places.iter().map(|place| here().join(place)).collect(), String::new());
    while let Some(path) = paths.pop() {
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if path.is_file() && name != generated {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).expect("it can be read")));
        } else if path.is_dir() && !["tests", "node_modules", "build"].contains(&name.as_str()) {
            paths.extend(list(&path));
        }
    }
    text
}

#[test]
fn every_cell_of_the_table_of_features_is_what_the_package_does() {
    if !projects::are_there() {
        return;
    }
    let page = fs::read_to_string(here().join("docs/HOSTS.md")).expect("the page is there");
    let mut rows = page.lines().skip_while(|line| !line.starts_with("| feature |")).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let columns = cells(rows.next().expect("the table is in docs/HOSTS.md"));
    assert_eq!(
        columns[1..],
        LANGUAGES.iter().map(|language| language.name).collect::<Vec<_>>(),
        "a column for each language, in this order"
    );
    let sources: Vec<String> = LANGUAGES.iter().map(sources_of).collect();
    let mut written = Vec::new();
    let mut wrong = Vec::new();
    for row in rows.skip(1).map(cells) {
        let &(name, function, of_rust) =
            FEATURES.iter().find(|feature| feature.0 == row[0]).unwrap_or_else(|| panic!("{} is tested", row[0]));
        for (at, source) in sources.iter().enumerate() {
            let language = LANGUAGES[at].name;
            let (before, sought) = if language == "Rust" { ("fn ", of_rust) } else { ("", function) };
            let is_word_end = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            let calls = |name: &str| {
                let mut places = source.match_indices(name);
                places.any(|(start, found)| is_word_end(&source[start + found.len()..]))
            };
            let has = sought.split('|').any(|name| !name.is_empty() && calls(&format!("{before}{name}")));
            if (row[at + 1] == "yes") != has {
                wrong.push(format!("{name}, {language}: {}", if has { "yes" } else { "–" }));
            }
        }
        written.push(name);
    }
    assert_eq!(written, FEATURES.iter().map(|feature| feature.0).collect::<Vec<_>>(), "all rows, in this order");
    assert!(wrong.is_empty(), "these cells should be\n  {}", wrong.join("\n  "));
}

/// The places, besides those in `languages.rs`, that state the number of scenarios. N stands for the number.
const COUNTS_OF_SCENARIOS: &[(&str, &str)] = &[("tests/tiers/hosts/run", "scenarios=N\n"), ("tests/tiers/platforms/run", "scenarios=N\n")];

/// The scenarios of each language are those of the C program, under the same names and in the same order. In Rust and Swift each is a test whose
/// name has its number.
#[test]
fn every_language_has_and_counts_all_scenarios() {
    let text_of = |path: &str| fs::read_to_string(here().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let model = text_of("tests/programs/scenarios/c/scenarios.c");
    let (_, table) = model.split_once("scenarios[] = {\n").expect("scenarios.c has a table");
    let names: Vec<&str> = table.lines().map_while(|line| line.trim_start().strip_prefix("{\"")?.split('"').next()).collect();
    assert!(names.len() > 10, "the scenarios were read: {names:?}");
    let hosts = text_of("tests/tiers/hosts/run");
    let (_, all) = hosts.split_once("all=(").expect("the tier has a list of languages");
    let all: Vec<&str> = all.split(')').next().unwrap_or_default().split(' ').collect();
    for Language { name: language, folder, scenarios: path, .. } in LANGUAGES {
        assert!(all.contains(folder), "tests/tiers/hosts/run does not run {language}");
        let text = text_of(path);
        let mut rest = &*text;
        for (nth, name) in names.iter().enumerate() {
            // A name that is one word may be the name of a method.
            let spelled = [format!("\"{name}\""), format!("'{name}'"), format!("async {name}("), format!("scenario{:02}_", nth + 1)];
            let found =
                spelled.iter().filter_map(|name| rest.split_once(name.as_str())).map(|(_, after)| after).max_by_key(|after| after.len());
            rest = found.unwrap_or_else(|| panic!("{path}: there is no scenario {name:?}, or it is not where the one in C is"));
        }
    }
    for package in list(&here().join("bindings")).into_iter().filter(|package| package.join("tests/run.sh").exists()) {
        let name = package.file_name().expect("it has a name").to_string_lossy().into_owned();
        assert!(LANGUAGES.iter().any(|language| language.folder == name), "tests/rust/languages.rs has no row for bindings/{name}");
    }
    let counts = LANGUAGES.iter().map(|language| language.count);
    for (path, stated) in counts.chain(COUNTS_OF_SCENARIOS.iter().copied()) {
        let stated = stated.replace('N', &names.len().to_string());
        assert!(text_of(path).contains(&stated), "{path}: there are {} scenarios, and nothing says {stated:?}", names.len());
    }
}

/// README's table has a row for each platform that the tier tries, and says which of them are part of `make test`.
#[test]
fn every_platform_that_is_tested_is_in_the_table_of_platforms() {
    let readme = fs::read_to_string(here().join("README.md")).expect("the file exists");
    let rows: Vec<&str> =
        readme.lines().skip_while(|line| !line.starts_with("| system |")).skip(2).take_while(|line| line.starts_with('|')).collect();
    let tier = fs::read_to_string(here().join("tests/tiers/platforms/run")).expect("the file exists");
    let table = tier.split_once("platforms='\n").and_then(|(_, rest)| rest.split_once('\'')).expect("the tier has its table").0;
    let (mut platforms, mut quick) = (Vec::new(), Vec::new());
    for words in table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()) {
        platforms.push(words[0]);
        if words[words.len() - 1] == "quick" {
            quick.push(words[0]);
        }
    }
    let is_of = |row: &str, platform: &str| {
        let system = row.split('|').nth(1).unwrap_or_default().to_lowercase();
        platform.split('-').all(|word| system.contains(&*word.replace("x86_64", "x86-64")))
    };
    for platform in &platforms {
        assert!(rows.iter().any(|row| is_of(row, platform)), "README.md has no row for {platform}");
    }
    // The first row is the machine's own platform.
    for row in &rows[1..] {
        assert!(platforms.iter().any(|platform| is_of(row, platform)), "tests/tiers/platforms/run has no platform for {row}");
        let is_quick = quick.iter().any(|platform| is_of(row, platform));
        assert!(is_quick != row.ends_with("| no |"), "part of the quick form: {is_quick}, but README.md says {row}");
    }
}

#[test]
fn every_archive_of_a_release_is_in_the_chapter_about_platforms() {
    let read = |path: &str| fs::read_to_string(here().join(path)).expect("the file exists");
    let (cross, readme) = (read("packaging/cross"), read("README.md"));
    let archives = cross.split_once("\narchives=\"").and_then(|(_, rest)| rest.split_once('"')).expect("packaging/cross has the list").0;
    assert!(archives.contains(' '), "the list was read: {archives}");
    for archive in archives.split(' ') {
        assert!(readme.contains(&format!("`{archive}`")), "README.md, Platforms: there is no archive {archive}");
    }
}

/// Each page of the manual has its place in the list of the README and in the contents of the manual.
#[test]
fn every_page_of_the_manual_is_listed() {
    let readme = fs::read_to_string(here().join("README.md")).expect("the file exists");
    let (_, chapter) = readme.split_once("\n## Documentation\n").expect("README.md has the chapter Documentation");
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let contents = fs::read_to_string(here().join("docs/index.md")).expect("the file exists");
    for path in list(&here().join("docs")).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        if name != "index" {
            assert!(chapter.contains(&format!("(docs/{name}.md)")), "README.md, Documentation: docs/{name}.md is not in the list");
            assert!(contents.lines().any(|line| line == name), "docs/index.md: {name} is not in the contents");
        }
    }
}

/// docs/CONFIGURATION.md says what each setting does; docs/TUNING.md says when to change it.
#[test]
fn every_setting_is_in_the_page_about_tuning() {
    let page = fs::read_to_string(here().join("docs/TUNING.md")).expect("the file exists");
    let missing: Vec<String> = settings().into_iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/TUNING.md does not say when to change {missing:?}");
}

/// Whether a text has a version, and not only as a part of a longer one: 0.2.1 is a part of 25.0.2.1 and of 0.2.17.
fn has_version(text: &str, version: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    text.match_indices(version).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + version.len()..]);
        !before.strip_suffix('.').unwrap_or(before).ends_with(is_digit) && !after.strip_prefix('.').unwrap_or(after).starts_with(is_digit)
    })
}

#[test]
fn only_a_whole_version_is_found() {
    assert!(["0.2.1", "kvlight-0.2.1.gem", "Version 0.2.1.", "\"v0.2.1\", 25"].iter().all(|text| has_version(text, "0.2.1")));
    assert!(!["25.0.2.1", "10.2.1", "0.2.17", "0.2.1.4", "0.2"].iter().any(|text| has_version(text, "0.2.1")));
}

/// Each file that names the version is listed in the first step of a release, except generated files and lock files, which are made from the
/// others.
#[test]
fn every_file_with_the_version_is_in_the_steps_of_a_release() {
    let steps = fs::read_to_string(here().join("packaging/PUBLISH.md")).expect("the file exists");
    let (_, steps) = steps.split_once("1. The version").expect("the first step is about the version");
    let step = steps.split("\n2. ").next().unwrap_or_default();
    let mut git = Command::new("git");
    // If this folder lies inside another repository that does not track it, git would list nothing. Naming Cargo.toml as well makes it fail.
    git.args(["ls-files", "--error-unmatch", "--", "Cargo.toml", "."]).current_dir(here());
    let Ok(files) = library::run(&mut git) else {
        println!("NOT RUN: without git the files of the repository cannot be told from built ones");
        return;
    };
    let mut found = 0;
    for path in files.lines() {
        let Ok(text) = fs::read_to_string(here().join(path)) else { continue };
        let is_generated = path.ends_with(".lock") || text.lines().take(5).any(|line| line.contains("enerated from api/api.json"));
        // The format OpenMetrics has a version of its own.
        let mut lines = text.lines().filter(|line| !line.contains("openmetrics-text"));
        if !is_generated && lines.any(|line| has_version(line, env!("CARGO_PKG_VERSION"))) {
            assert!(step.contains(&format!("`{path}`")), "packaging/PUBLISH.md, step 1: {path} names the version");
            found += 1;
        }
    }
    assert!(found > 5, "the files were read: {found}");
}

#[test]
fn the_parser_of_pages_finds_blocks_and_test_names() {
    let found = blocks("a\n```c\nint x;\n```\nb\n```text\nout\n```\n");
    assert_eq!(found.iter().map(|block| (block.language, block.line)).collect::<Vec<_>>(), [("c", 2), ("text", 6)]);
    assert_eq!(found[0].text, "int x;\n");
    assert!(is_test_name("f07_stored_before_told") && is_test_name("f16a_withdrawn") && !is_test_name("fn07_x") && !is_test_name("f07_ x"));
}

/// Each path named in the documents for contributors exists. A word in capitals stands for any name, as in
/// `bindings/LANGUAGE/tests/run.sh`. A path may lack its first folders or its extension.
#[test]
fn every_path_that_is_named_exists() {
    if !projects::are_there() {
        return;
    }
    let known = paths();
    let (mut named, mut unknown) = (0, Vec::new());
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(here().join(page)).expect("the file exists");
        for span in text.split('`').skip(1).step_by(2).filter(|span| is_path(span)) {
            named += 1;
            let pattern = PLACEHOLDERS.iter().fold(span.trim_end_matches('/').to_owned(), |path, word| path.replace(word, "*"));
            if !known.iter().any(|path| ends_with_path(path, &pattern)) {
                unknown.push(format!("{page}: {span}"));
            }
        }
    }
    assert!(named > 100, "the documents were read: {named}");
    assert!(unknown.is_empty(), "paths that do not exist:\n  {}", unknown.join("\n  "));
}

/// Words that stand for any name in a path.
const PLACEHOLDERS: &[&str] = &["LANGUAGE", "NAME", "NOUN", "DEFECT"];

fn is_path(span: &str) -> bool {
    let is_known = |extension: &str| is_extension(extension) || ["json", "md", "toml", "txt"].contains(&extension);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_./+*-".contains(c);
    let has_extension = span.rsplit_once('.').is_some_and(|(name, extension)| !name.is_empty() && is_known(extension));
    span.chars().all(is_name) && !span.starts_with('/') && (span.contains('/') || has_extension)
}

/// All files and folders of the repository, without what was built there.
fn paths() -> Vec<String> {
    let (mut folders, mut found) = (vec![here().to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in list(&folder) {
            let name = path.file_name().expect("a path in a folder has a name").to_string_lossy().into_owned();
            if name == ".git" || name == "target" || name == "node_modules" {
                continue;
            }
            found.push(path.strip_prefix(here()).expect("the path is in the repository").to_string_lossy().into_owned());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// Whether a path or one of its ends, such as `b/c.rs` of `a/b/c.rs`, matches a pattern, with or without the extension.
fn ends_with_path(path: &str, pattern: &str) -> bool {
    let bare = path.rsplit_once('.').map_or(path, |(bare, _)| bare);
    [path, bare].iter().any(|path| {
        let mut ends = std::iter::successors(Some(*path), |end| end.split_once('/').map(|(_, rest)| rest));
        ends.any(|end| matches(end, pattern))
    })
}

/// Whether a text matches a pattern, in which `*` stands for any text.
fn matches(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((start, rest)) => {
            text.strip_prefix(start).is_some_and(|text| (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(&text[at..], rest)))
        }
    }
}

#[test]
fn the_parser_of_paths_finds_them() {
    assert!(is_path("src/task") && is_path("kvlight.hpp") && is_path("bindings/LANGUAGE/tests/run.sh"));
    assert!(!is_path("cache.policy") && !is_path("make generate") && !is_path("Table::check") && !is_path("/metrics"));
    assert!(ends_with_path("src/task/table/ask.rs", "table/ask.rs") && !ends_with_path("src/task/table/ask.rs", "le/ask.rs"));
    assert!(
        ends_with_path("bindings/go/tests/run.sh", "bindings/*/tests/run.sh") && ends_with_path("a/Core/FetchHandle.swift", "Core/*Handle")
    );
}
