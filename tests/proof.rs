//! The list of proofs: every rule, every fault of earlier systems, and the tests whose names carry its number.
//!
//! docs/PROOF.md is made from the tables below and from the names of the tests; KVL_BLESS=1 writes it anew. A rule without a test is not kept
//! yet, and fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What each rule promises, in short. The header and ARCHITECTURE.md say the rest.
const RULES: &[(&str, &str)] = &[
    ("s01", "A lookup is a value, a null, a miss or an invalid key, and nothing else."),
    ("s02", "The store is bounded by entries and by cost, and never above a bound when anybody can look."),
    ("s03", "The ledger is exact: the total is the sum over the live entries, whichever way one leaves."),
    ("s04", "What is dearer than a shard's part is not stored, and the older value under its key goes."),
    (
        "s05",
        "Room is made from what is expired, then from the lowest priority, then from the least recently used; if that does not suffice, nobody leaves.",
    ),
    ("s06", "An entry lives for its TTL and is not returned after it; 0 stores nothing."),
    ("s07", "Expired entries give their memory back by themselves, and never by a scan."),
    ("s08", "Jitter spreads TTLs, and lets nothing be born expired; a seed makes it repeatable."),
    ("s09", "An entry ends its idle time after its last use."),
    ("s10", "The validator runs once for each position, on the calling thread; an invalid key costs no provider call and no slot."),
    ("s11", "Each value given to the store is heard of exactly once when it is no longer there, per key in store order."),
    ("s12", "Every position counts as one lookup of one outcome, every load as one of one end; windows lose nothing."),
    ("s13", "Looking without use (peek, contains) changes neither order nor statistics; sizes are read at any time."),
    ("s14", "Resize, trim, remove, take, pop and clear have taken effect when they return; a put can name its victims."),
    ("s15", "Two clocks, and a manual one in place of both, which fires all that fell due before it returns."),
    ("s16", "A value stays readable as long as somebody holds it, whatever became of entry and engine."),
    ("f01", "Each position of an accepted fetch is settled once and told once; of a refused one nothing is told."),
    ("f02", "No result is told inside the caller's own call; what is resident can be its answer."),
    ("f03", "The events of one fetch come one at a time; progress never falls; the last is marked."),
    ("f04", "Many keys, each told alone: n positions are n events; a key is in a request at most once."),
    ("f05", "Many keys, told together: one event, results in the order asked, for none as well."),
    ("f06", "One current load for each key, whoever asks in whatever form."),
    ("f07", "An answer is in the store before anybody is told, and its load ends only then."),
    ("f08", "A write overtakes a load in the provider's hands: its waiters are served, the store is not."),
    ("f09", "Cancel settles one's own positions and touches nobody else's; what nobody wants ends."),
    ("f10", "Timeouts of a fetch and of an attempt; a late answer counts only if nothing newer was written."),
    ("f11", "Retry by count, shape, budget; a pause holds neither slot nor place nor thread."),
    ("f12", "At most so many requests hold a slot, and none is ever lost."),
    ("f13", "A free slot is taken in the call; else a bounded queue, in which one fetch has its share; the loser is told."),
    ("f14", "Requests are filled with what one fetch asked, in order; keys may linger for company."),
    ("f15", "The provider answers in any order, from any thread, as often as it likes: only the first answer counts."),
    ("f16", "A key that is left unanswered fails as such, or is null where that was said."),
    ("f17", "One key's error is that key's alone, unless the batch is all or nothing."),
    ("f18", "A batch says how many came from where and what failed."),
    ("f19", "Options for one fetch, and what becomes of them when fetches share a load."),
    ("f20", "An error is the same object at every waiter; final ones can be remembered for a time."),
    ("f21", "A fetch from inside the provider joins; one that would wait for itself is refused."),
    ("f22", "A result says where it came from, after how many attempts, how old it is and how long it will live."),
    ("l01", "Code of the host's runs under no lock, and may call back."),
    ("l02", "Delivery is the host's choice: a thread of ours, or a queue that it reads itself."),
    ("l03", "A slow callback delays callbacks, and nothing else; an unread queue loses nothing."),
    ("l04", "User data and objects end exactly once, under no lock, where callbacks run or at their queue."),
    ("l05", "Close never blocks and tells when it is done; free waits for code that has begun; dispose never waits."),
    ("l06", "In the child of a fork older handles are refused, their frees do nothing, and values stay readable."),
    ("l07", "No panic crosses the boundary or is printed; what it broke is emptied or told."),
    ("l08", "No signals, no environment, no output, nothing at load time; after the last free nothing is left."),
    ("l09", "Bad input gets a status of its own and changes nothing."),
];

/// Faults of earlier systems of this kind, each of which must have a test here.
const FAULTS: &[&str] = &[
    "Cost is not given back by overwrite, remove or expiry, until everything is refused.",
    "A null as the victim ends the eviction, and the limit is overrun.",
    "A replacement that is too large is refused, and the old value is served on.",
    "A refused insert leaves a ghost among the deadlines, and a purge never ends.",
    "Expired entries survive a purge after removals from the middle.",
    "A cache that is dropped leaks its values.",
    "A callback that calls back deadlocks.",
    "Jitter larger than the TTL: born expired.",
    "Each failed load leaks a slot.",
    "Duplicates in a batch make its callback run twice.",
    "A provider that never answers costs its key and a slot for ever.",
    "A provider that answers twice lifts the running limit.",
    "An engine released in flight never calls back.",
    "A pause before a retry sleeps on the provider's thread.",
    "Retries that fail at once grow the stack; a count of 0 retries once.",
    "One bad key fails its whole batch.",
    "A key left out of an answer is absent for ever.",
    "A thousand keys on the defaults lose most of themselves.",
    "A batch size that never forms a request spins.",
    "An empty batch is told inside the call, everything else later.",
    "A write loses to an older load that finishes later.",
    "Who led a load goes away, and its followers fail or start again.",
    "One waiter's cancel fails the others.",
    "Who comes between a cancel and its settling is told \"cancelled\".",
    "A timeout frees the waiter and not the key.",
    "A removal listener runs under the lock.",
    "Costs overflow 32 bits.",
    "Huge TTLs overflow; a clock that steps back panics.",
    "A load starts twice, since the first ended before its answer was stored.",
    "Errors are cached for ever, or never.",
    "One failed background refresh stops all of them.",
    "A waiter is resumed twice or never when cancel meets completion.",
    "A blocking free is called by a thread that holds an interpreter's lock.",
    "After a fork the child's calls are accepted and never completed.",
    "A panic, or a thread that unwinds, while an interpreter exits.",
    "The callback runs, and frees its memory, before the call that asked has returned.",
    "The last reference to the engine goes inside a callback.",
    "A provider returns with neither finish nor retain.",
    "An older program's smaller struct is written beyond its end.",
    "An object expires by timer while a queue delivers: its destructor runs on a foreign thread.",
    "A cancel hook that is set after the cancel; one that holds its own request.",
    "An unchecked out-of-memory is stored as an absence.",
    "A late answer comes after a write.",
    "A huge fetch starves single ones.",
];

/// What has no test yet. To be struck off as soon as there is one, which this test notices.
const OPEN: &[&str] = &[];

const FOLDERS: &[&str] = &["src", "tests", "swift", "bindings", "examples"];
const LANGUAGES: &[&str] = &["rs", "c", "h", "cpp", "hpp", "swift", "py", "lua", "js", "rb", "go", "php"];
/// What stands before the name of a test where it is written, in the languages above.
const DEFINERS: &[&str] = &["fn", "void", "int", "func", "def", "function", "mod", "bool"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| here().join(folder)).filter(|folder| folder.exists()).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folders can be listed") {
            let path = entry.expect("folders can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                // Built or fetched, not ours.
                if !name.starts_with('.') && !["node_modules", "target", "build", "__pycache__"].contains(&&*name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| LANGUAGES.iter().any(|language| extension == *language)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The numbers that a name carries: `f01_to_f20_x` is all from F01 to F20, `s01_s14_x` both.
fn numbers(name: &str) -> Vec<String> {
    let is_number = |part: &str| {
        let digits = part.strip_prefix("fault").or_else(|| part.strip_prefix(['s', 'f', 'l']));
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
    part.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse().expect("two digits")
}

/// By number, the tests that carry it, by file.
type Proofs = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn note(text: &str, file: &str, proofs: &mut Proofs) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for line in text.lines() {
        let words: Vec<&str> = line.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2).filter(|pair| DEFINERS.contains(&pair[0])) {
            // Where names are read by people alone, the number stands in a comment behind: `def exit_while_unwinding():  # f35`.
            let behind = line.split(['#', '/']).skip(1).flat_map(|comment| numbers(comment.trim().trim_end_matches(['*', ' '])));
            for number in numbers(pair[1]).into_iter().chain(behind.map(fault_beyond_rules)) {
                proofs.entry(number).or_default().entry(file.to_owned()).or_default().insert(pair[1].to_owned());
            }
        }
    }
}

/// Rules of fetching end at F22; a higher number is a fault's.
fn fault_beyond_rules(number: String) -> String {
    match number.strip_prefix('f').filter(|digits| digits.len() == 2 && number_of(digits) > 22) {
        Some(digits) => format!("fault{digits}"),
        None => number,
    }
}

fn proofs() -> Proofs {
    let mut proofs = Proofs::new();
    for path in files() {
        let file = path.strip_prefix(here()).expect("it lies here").to_string_lossy().into_owned();
        // This file names what it looks for.
        if let (Ok(text), true) = (fs::read_to_string(&path), file != "tests/proof.rs") {
            note(&text, &file, &mut proofs);
        }
    }
    assert!(proofs.len() > 30, "the tests were found");
    proofs
}

/// A fault that we planted: a patch under tests/planted, with what it says of itself before the difference.
struct Planted {
    file: String,
    rule: String,
    fault: String,
    test: String,
}

fn planted() -> Vec<Planted> {
    let folder = here().join("tests/planted");
    let mut found: Vec<Planted> = fs::read_dir(folder)
        .expect("tests/planted can be listed")
        .map(|entry| entry.expect("tests/planted can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("patches are UTF-8");
            let said = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("{}: no line {name:?}", path.display())).trim().to_owned()
            };
            let file = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            Planted { file, rule: said("Rule:"), fault: said("Broken:"), test: said("Test:") }
        })
        .collect();
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

fn entry(page: &mut String, number: &str, title: &str, words: &str, proofs: &Proofs) {
    let _ = write!(page, "\n**{title}** {words}\n\n");
    let Some(files) = proofs.get(number) else {
        let _ = writeln!(page, "- No test yet: not kept yet.");
        return;
    };
    for (file, tests) in files {
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        let _ = writeln!(page, "- [{file}](../{file}): {}", tests.join(", "));
    }
}

fn page(proofs: &Proofs) -> String {
    let mut page = String::from(
        "# Proof\n\nMade by `make proof` from the names of the tests; a test compares. Each rule that the library keeps has a number, and a test that proves one carries \
         it in its name.\n\n[The store](#the-store) · [Fetching](#fetching) · [Lives and threads](#lives-and-threads) · \
         [Faults of earlier systems](#faults-of-earlier-systems) · [Broken on purpose](#broken-on-purpose) · [Figures](#figures)\n",
    );
    for (number, words) in RULES {
        let _ = match *number {
            "s01" => writeln!(page, "\n## The store"),
            "f01" => writeln!(page, "\n## Fetching"),
            "l01" => writeln!(page, "\n## Lives and threads"),
            _ => Ok(()),
        };
        entry(&mut page, number, &number.to_ascii_uppercase(), words, proofs);
    }
    page.push_str("\n## Faults of earlier systems\n\nEach of these was somebody's bug, in a cache or a loader; here it is a test.\n");
    for (at, words) in FAULTS.iter().enumerate() {
        let number = format!("fault{:02}", at + 1);
        entry(&mut page, &number, &format!("{}.", at + 1), words, proofs);
    }
    page.push_str(
        "\n## Broken on purpose\n\nA test that cannot fail proves nothing. `make planted` breaks the code by a line or two, for each of these in a copy of its own, and runs the \
         test that must notice.\n\n| rule | what is broken | the test that notices | patch |\n|---|---|---|---|\n",
    );
    for Planted { file, rule, fault, test } in planted() {
        let test = test.rsplit(' ').next().unwrap_or_default().rsplit("::").next().unwrap_or_default().to_owned();
        let _ = writeln!(page, "| {rule} | {fault} | `{test}` | [{file}](../tests/planted/{file}) |");
    }
    let _ = write!(
        page,
        "\nThe tiers that look from outside plant what they must see themselves, whenever they run (`make test`; \
         [tests/planted/tiers](../tests/planted/tiers)):\n\n{}\n\n## Figures\n\nTaken by these commands, on the day that stands behind \
         each; `KVL_BLESS=1` writes them down.\n\n- `tests/mutants/run`: {}\n- `tests/coverage/run`: {}\n",
        planted_in_tiers(),
        figure("mutants"),
        figure("coverage")
    );
    page
}

/// What the tier counted when its figure was last written down.
fn figure(name: &str) -> String {
    let path = here().join("tests/figures").join(name).with_extension("txt");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

/// The defects by which the tiers are proved: the table of tests/planted/tiers/README.md.
fn planted_in_tiers() -> String {
    let text = fs::read_to_string(here().join("tests/planted/tiers/README.md")).expect("tests/planted/tiers has its README");
    text.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n")
}

/// Whether a test of its own proves the rule. One that sweeps over a range of rules is listed with each, and does not suffice for any.
fn is_proved(number: &str, proofs: &Proofs) -> bool {
    proofs.get(number).is_some_and(|files| files.values().flatten().any(|test| !test.contains("_to_") || numbers(test).len() < 3))
}

fn all_numbers() -> Vec<String> {
    let rules = RULES.iter().map(|(number, _)| (*number).to_owned());
    rules.chain((1..=FAULTS.len()).map(|number| format!("fault{number:02}"))).collect()
}

#[test]
fn every_rule_and_every_fault_has_a_test_that_carries_its_number() {
    let proofs = proofs();
    let is_open = |number: &str| OPEN.contains(&number);
    let without: Vec<String> = all_numbers().into_iter().filter(|number| !is_proved(number, &proofs) && !is_open(number)).collect();
    assert!(without.is_empty(), "no test carries these numbers, so nothing proves them: {without:?}");
    let closed: Vec<&&str> = OPEN.iter().filter(|number| is_proved(number, &proofs)).collect();
    assert!(closed.is_empty(), "these have a test by now: strike them off OPEN in tests/proof.rs: {closed:?}");
}

#[test]
fn no_test_carries_a_number_that_no_rule_has() {
    let known = all_numbers();
    let unknown: Vec<_> = proofs().into_iter().filter(|(number, _)| !known.contains(number)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_list_of_proofs_is_the_one_that_the_tests_make() {
    let (path, made) = (here().join("docs/PROOF.md"), page(&proofs()));
    if std::env::var_os("KVL_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&path, &made).expect("docs can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(made.lines()).position(|(old, new)| old != new);
    let line = line.unwrap_or_else(|| kept.lines().count().min(made.lines().count())) + 1;
    assert!(kept == made, "docs/PROOF.md differs from what the tests say, from line {line} on: run `make proof`");
}

/// Otherwise `make planted` would break nothing, and the page above would say something that nobody can repeat.
#[test]
fn every_planted_fault_can_still_be_planted() {
    let sources: String = files().iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let mut complaints = Vec::new();
    for Planted { file, rule, test, .. } in planted() {
        let name = test.rsplit(' ').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
        if !sources.contains(&format!(" {name}(")) {
            complaints.push(format!("{file}: there is no test {name}"));
        }
        if !RULES.iter().any(|(number, _)| number.to_ascii_uppercase() == rule) {
            complaints.push(format!("{file}: there is no rule {rule}"));
        }
        complaints.extend(does_not_apply(&file));
    }
    let tiers = fs::read_dir(here().join("tests/planted/tiers")).expect("tests/planted/tiers can be listed");
    let tiers = tiers.map(|entry| entry.expect("tests/planted/tiers can be listed").file_name().to_string_lossy().into_owned());
    complaints.extend(tiers.filter(|file| file.ends_with(".patch")).filter_map(|file| does_not_apply(&format!("tiers/{file}"))));
    assert!(complaints.is_empty(), "the sources moved on under tests/planted:\n  {}", complaints.join("\n  "));
}

/// What is wrong with a patch under tests/planted, if it cannot be applied to the tree as it is.
fn does_not_apply(file: &str) -> Option<String> {
    let mut git = std::process::Command::new("git");
    git.args(["apply", "--check", "-C1"]).arg(here().join("tests/planted").join(file)).current_dir(here());
    let output = git.output().expect("git runs");
    (!output.status.success()).then(|| format!("{file}: does not apply: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[test]
fn the_reader_of_names_sees_what_it_must() {
    assert_eq!(numbers("f07_stored_before_told"), ["f07"]);
    assert_eq!(numbers("s01_s14_the_store"), ["s01", "s14"]);
    assert_eq!(numbers("f01_to_f04_any"), ["f01", "f02", "f03", "f04"]);
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
