//! The shared library for C programs: built by cargo with the settings of the tests, and copied to where a program can load it.

// Some test programs use only a part of this module.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of `libkvlight.so`, built with the settings of this test run.
pub fn shared() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--lib", "--message-format=json-render-diagnostics", "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).arg("--target-dir").arg(target());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo can be run");
    assert!(output.status.success(), "cargo build --lib: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("cargo writes JSON");
    let built = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    built
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == "kvlight")
        .filter_map(|message| message["filenames"].as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|extension| extension == "so"))
        .expect("Cargo.toml asks for a cdylib")
}

/// A folder with this name that contains the library, under the names with which it is linked and loaded.
pub fn installed_in(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let built = shared();
    let soname = format!("libkvlight.so.{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    for name in ["libkvlight.so", &soname] {
        // Replaced as a whole: a copy into the file would change the library under a program that runs with it, in another run of the tests.
        let (copy, installed) = (folder.join(format!("{name}.{}", std::process::id())), folder.join(name));
        fs::copy(&built, &copy).and_then(|_| fs::rename(&copy, installed)).expect("the target folder can be written");
    }
    folder
}

/// The target folder of this test run.
pub fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the folder for tests' files is in the target folder")
}

/// Runs a program. Returns all that it printed, or how it failed.
pub fn run(program: &mut Command) -> Result<String, String> {
    let output = program.output().map_err(|error| format!("{program:?}: {error}"))?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(format!("{program:?}: {}\n{text}", output.status)) }
}
