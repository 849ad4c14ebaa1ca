//! The manual: `make docs` makes it of header, settings and documents; a browser opens it from disk.
//!
//! packaging/manual.py tries every link of its own, and stops at what it cannot read.

mod browser;

use browser::Browser;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The manual, made anew in a folder of this name.
fn made(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let made = Command::new("python3").arg(here().join("packaging/manual.py")).arg(&folder).output().expect("python3 runs");
    assert!(made.status.success(), "packaging/manual.py: {}", String::from_utf8_lossy(&made.stderr));
    folder
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
fn the_manual_has_every_name_of_the_header_and_every_setting() {
    let folder = made("manual");
    let (api, search, settings) = (read(folder.join("api.html")), read(folder.join("manual.js")), read(folder.join("configuration.html")));
    let header = read(here().join("include/kvlight.h"));
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
    let keys: serde_json::Value = serde_json::from_str(&read(here().join("src/ffi/config_keys.json"))).expect("it is JSON");
    let keys = keys.as_array().expect("it is a list");
    assert!(keys.len() > 30, "the settings were read: {}", keys.len());
    for key in keys.iter().map(|key| key["name"].as_str().expect("a setting has a name")) {
        assert!(settings.contains(&format!("id=\"{key}\"")), "the manual has no {key}");
        assert!(search.contains(&format!("[\"{key}\",\"setting\"")), "the search does not find {key}");
    }
    assert!(read(folder.join("guide.html")).contains("<a href=\"api.html#kvl_tasks_fetch\">"), "names in programs lead to the reference");
}

/// Nothing is fetched from anywhere: what a page loads lies beside it.
#[test]
fn the_manual_needs_nothing_but_itself() {
    let folder = made("manual_alone");
    let mut pages = 0;
    for entry in fs::read_dir(&folder).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        let text = read(&path);
        for loaded in ["src=\"", "<link rel=\"stylesheet\" href=\"", "url(", "@import"] {
            for piece in text.split(loaded).skip(1).filter(|_| path.extension().is_some_and(|extension| extension == "html")) {
                let target = piece.split('"').next().unwrap_or_default();
                assert!(folder.join(target).is_file(), "{}: {loaded}{target}", path.display());
            }
        }
        pages += usize::from(path.extension().is_some_and(|extension| extension == "html"));
    }
    assert!(pages > 10, "the pages were read: {pages}");
}

#[test]
fn every_page_fits_a_phone_and_a_desk_and_says_nothing_to_the_console() {
    let Some(mut browser) = Browser::start("fits") else { return };
    let folder = made("manual_seen");
    let mut pages: Vec<PathBuf> =
        fs::read_dir(&folder).expect("it is there").map(|entry| entry.expect("it can be listed").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "html"));
    assert!(pages.len() > 10, "the manual has pages: {}", pages.len());
    for page in pages {
        for (width, scheme) in [(390, "dark"), (1280, "light")] {
            browser.open(&format!("file://{}", page.display()), width, scheme);
            assert_eq!(browser.overflow(), json!(0), "{} at {width}: it is wider than the screen", page.display());
            let menu = "getComputedStyle(document.querySelector('nav.manual')).display";
            assert_eq!(browser.value(menu), json!(if width < 600 { "none" } else { "block" }), "{} at {width}", page.display());
        }
    }
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}

/// Presses a key; `text` is what it writes.
fn press(browser: &mut Browser, key: &str, text: &str) {
    let code = if key == "Enter" { 13 } else { 0 };
    browser.call("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code }));
    browser.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }));
}

fn write(browser: &mut Browser, text: &str) {
    browser.call("Input.insertText", json!({ "text": text }));
}

#[test]
fn what_is_searched_is_found_by_the_keys_alone() {
    let Some(mut browser) = Browser::start("search") else { return };
    let folder = made("manual_searched");
    browser.open(&format!("file://{}", folder.join("index.html").display()), 1280, "light");
    let first = "document.querySelector('#found a b')?.textContent ?? null";
    press(&mut browser, "/", "/");
    write(&mut browser, "fetch wait");
    assert_eq!(browser.value(first), json!("kvl_fetch_wait"), "a name comes before what speaks of it");
    assert_eq!(browser.value("document.querySelectorAll('#found mark').length > 0"), json!(true), "what was asked for is marked");
    browser.value("document.getElementById('search').select()");
    write(&mut browser, "no such thing anywhere");
    assert_eq!(browser.value(first), json!(null));
    assert!(browser.value("document.getElementById('found').textContent").as_str().expect("a text").contains("Nothing"), "it says so");
    browser.value("document.getElementById('search').select()");
    write(&mut browser, "cache.ttl_ms");
    assert_eq!(browser.value(first), json!("cache.ttl_ms"));
    press(&mut browser, "Enter", "\r");
    let there = "new Promise(done => { const look = () => location.hash ? done(location.pathname.split('/').pop() + location.hash) : setTimeout(look, 10); look(); })";
    let mut place = None;
    // The page changes under the question, which then has no answer.
    for _ in 0..100 {
        place = browser.asked(there);
        if place == Some(json!("configuration.html#cache.ttl_ms")) {
            break;
        }
    }
    assert_eq!(place, Some(json!("configuration.html#cache.ttl_ms")), "the first one is opened");
}

#[test]
fn the_theme_and_the_menu_do_what_they_say() {
    let Some(mut browser) = Browser::start("theme") else { return };
    let folder = made("manual_themed");
    browser.open(&format!("file://{}", folder.join("guide.html").display()), 390, "dark");
    let back = "getComputedStyle(document.body).backgroundColor";
    let dark = browser.value(back);
    browser.value("document.getElementById('theme').click()");
    let light = browser.value(back);
    assert_ne!(dark, light, "the button changes the colours");
    assert_eq!(light, json!("rgb(255, 255, 255)"), "from dark to light");
    browser.value("document.getElementById('menu').click()");
    assert_eq!(browser.value("getComputedStyle(document.querySelector('nav.manual')).display"), json!("block"), "the menu opens");
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}
