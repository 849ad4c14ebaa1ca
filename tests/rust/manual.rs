//! The manual: `make docs` builds it from the header, the settings and the documents, and a browser opens it from disk.
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

/// The manual, built once for all tests of this file.
fn manual() -> &'static Path {
    static MANUAL: OnceLock<PathBuf> = OnceLock::new();
    MANUAL.get_or_init(|| {
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
    for entry in fs::read_dir(folder).expect("the folder exists") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() && !path.ends_with("_static") {
            pages.extend(pages_of(&path));
        } else if path.extension().is_some_and(|extension| extension == "html") {
            pages.push(path);
        }
    }
    pages
}

fn pages() -> Vec<PathBuf> {
    let pages = pages_of(manual());
    assert!(pages.len() > 15, "the manual has pages: {}", pages.len());
    pages
}

#[test]
fn the_manual_has_every_name_of_the_header_and_every_setting() {
    let (api, settings) = (read(manual().join("docs/api.html")), read(manual().join("docs/CONFIGURATION.html")));
    let header = read(here().join("include/kvlight.h"));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // The first two occurrences define KVL_API; each further one begins a declaration.
    let functions = header.split("KVL_API").skip(3).filter_map(|rest| rest.split('(').next()?.split(|c: char| !is_part(c)).next_back());
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define KVL_")?.split_whitespace().next());
    let defined = defined.filter(|name| *name != "API").map(|name| format!("KVL_{name}"));
    let names: Vec<String> = functions.map(str::to_owned).chain(defined).collect();
    assert!(names.len() > 200 && names.contains(&"kvl_tasks_fetch".to_owned()), "the header was read: {}", names.len());
    for name in names {
        assert!(api.contains(&format!("id=\"c.{name}\"")), "the reference has no {name}");
    }
    let keys: serde_json::Value = serde_json::from_str(&read(here().join("src/ffi/config_keys.json"))).expect("valid JSON");
    let keys = keys.as_array().expect("a list");
    assert!(keys.len() > 30, "the settings were read: {}", keys.len());
    for key in keys.iter().map(|key| key["name"].as_str().expect("a setting has a name")) {
        assert!(settings.contains(key), "the manual has no {key}");
    }
}

/// Nothing is loaded from a server: everything that a page loads is in the manual's folder.
#[test]
fn the_manual_loads_only_its_own_files() {
    for page in pages() {
        let text = read(&page);
        for loaded in ["src=\"", "<link rel=\"stylesheet\" type=\"text/css\" href=\""] {
            for piece in text.split(loaded).skip(1) {
                let target = piece.split(['"', '?']).next().unwrap_or_default();
                let path = page.parent().expect("a page is in a folder").join(target);
                assert!(path.is_file() || target.starts_with("data:"), "{}: {loaded}{target}", page.display());
            }
        }
    }
}

#[test]
fn every_page_fits_a_phone_and_a_desktop_in_light_and_dark() {
    let Some(mut browser) = Browser::start("fits") else { return };
    let back = "getComputedStyle(document.body).backgroundColor";
    // The first page only redirects to another.
    for page in pages().into_iter().filter(|page| page.parent() != Some(manual()) || !page.ends_with("index.html")) {
        let mut seen = Vec::new();
        for (width, scheme) in [(390, "dark"), (1280, "light")] {
            browser.open(&format!("file://{}", page.display()), width, scheme);
            assert_eq!(browser.overflow(), json!(0), "{} at a width of {width} is wider than the screen", page.display());
            seen.push(browser.value(back));
        }
        assert_ne!(seen[0], seen[1], "{}: the colours follow the reader's scheme", page.display());
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

#[test]
fn the_search_finds_functions_and_settings_from_disk() {
    let Some(mut browser) = Browser::start("search") else { return };
    for (asked, page) in [("kvl_fetch_wait", "docs/api.html"), ("queue.max_keys", "docs/CONFIGURATION.html")] {
        browser.open(&format!("file://{}?q={asked}", manual().join("search.html").display()), 1280, "light");
        // Results appear one after the other.
        let found = format!(
            "new Promise(done => {{ let looks = 0; const look = () => {{ \
               const found = [...document.querySelectorAll('#search-results li a')].map(each => each.getAttribute('href')).join(' '); \
               if (found.includes('{page}') || ++looks > 500) done(found); else setTimeout(look, 20); }}; look(); }})"
        );
        let found = browser.value(&found);
        assert!(found.as_str().is_some_and(|found| found.contains(page)), "{asked}: {found}");
    }
}
