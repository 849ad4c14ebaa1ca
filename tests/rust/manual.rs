//! The manual: `make docs` makes it of header, settings and documents; a browser opens it from disk.
//!
//! Sphinx itself fails on a dead link and on a document that no page lists.

mod browser;

use browser::Browser;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The manual, made once for all tests of this file.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manual");
        let made = Command::new(here().join("docs/make")).arg(&folder).output().expect("docs/make runs");
        assert!(made.status.success(), "docs/make: {}", String::from_utf8_lossy(&made.stderr));
        folder
    })
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

fn pages_of(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() && !path.ends_with("_static") {
            pages.extend(pages_of(&path));
        } else if path.extension().is_some_and(|extension| extension == "html") {
            pages.push(path);
        }
    }
    pages
}

fn pages() -> Vec<PathBuf> {
    let pages = pages_of(made());
    assert!(pages.len() > 15, "the manual has pages: {}", pages.len());
    pages
}

#[test]
fn the_manual_has_every_name_of_the_header_and_every_setting() {
    let (api, settings) = (read(made().join("docs/api.html")), read(made().join("docs/CONFIGURATION.html")));
    let header = read(here().join("include/kvlight.h"));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let functions = header.split("KVL_API").skip(3).filter_map(|rest| rest.split('(').next()?.split(|c: char| !is_part(c)).next_back());
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define KVL_")?.split_whitespace().next());
    let defined = defined.filter(|name| *name != "API").map(|name| format!("KVL_{name}"));
    let names: Vec<String> = functions.map(str::to_owned).chain(defined).collect();
    assert!(names.len() > 200 && names.contains(&"kvl_tasks_fetch".to_owned()), "the header was read: {}", names.len());
    for name in names {
        assert!(api.contains(&format!("id=\"c.{name}\"")), "the reference has no {name}");
    }
    let keys: serde_json::Value = serde_json::from_str(&read(here().join("src/ffi/config_keys.json"))).expect("it is JSON");
    let keys = keys.as_array().expect("it is a list");
    assert!(keys.len() > 30, "the settings were read: {}", keys.len());
    for key in keys.iter().map(|key| key["name"].as_str().expect("a setting has a name")) {
        assert!(settings.contains(key), "the manual has no {key}");
    }
}

/// Nothing is fetched from anywhere: what a page loads lies beside it.
#[test]
fn the_manual_needs_nothing_but_itself() {
    for page in pages() {
        let text = read(&page);
        for loaded in ["src=\"", "<link rel=\"stylesheet\" type=\"text/css\" href=\""] {
            for piece in text.split(loaded).skip(1) {
                let target = piece.split(['"', '?']).next().unwrap_or_default();
                let path = page.parent().expect("a page lies in a folder").join(target);
                assert!(path.is_file() || target.starts_with("data:"), "{}: {loaded}{target}", page.display());
            }
        }
    }
}

#[test]
fn every_page_fits_a_phone_and_a_desk_light_and_dark() {
    let Some(mut browser) = Browser::start("fits") else { return };
    let back = "getComputedStyle(document.body).backgroundColor";
    // The very first page only leads on to another.
    for page in pages().into_iter().filter(|page| page.parent() != Some(made()) || !page.ends_with("index.html")) {
        let mut seen = Vec::new();
        for (width, scheme) in [(390, "dark"), (1280, "light")] {
            browser.open(&format!("file://{}", page.display()), width, scheme);
            assert_eq!(browser.overflow(), json!(0), "{} at {width}: it is wider than the screen", page.display());
            seen.push(browser.value(back));
        }
        assert_ne!(seen[0], seen[1], "{}: it follows the reader's colours", page.display());
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn the_search_finds_functions_and_settings_from_disk() {
    let Some(mut browser) = Browser::start("search") else { return };
    for (asked, page) in [("kvl_fetch_wait", "docs/api.html"), ("queue.max_keys", "docs/CONFIGURATION.html")] {
        browser.open(&format!("file://{}?q={asked}", made().join("search.html").display()), 1280, "light");
        // Results come one after the other.
        let found = format!(
            "new Promise(done => {{ let looks = 0; const look = () => {{ \
               const found = [...document.querySelectorAll('#search-results li a')].map(each => each.getAttribute('href')).join(' '); \
               if (found.includes('{page}') || ++looks > 500) done(found); else setTimeout(look, 20); }}; look(); }})"
        );
        let found = browser.value(&found);
        assert!(found.as_str().is_some_and(|found| found.contains(page)), "{asked}: {found}");
    }
}
