//! Compares generated files with the committed ones. With KVL_BLESS=1, overwrites the committed files first.

use std::fs;
use std::path::Path;

/// The root of the repository.
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Fails if the committed file differs from the generated text.
pub fn compare(committed: &str, generated: &str) {
    let path = here().join(committed);
    if std::env::var_os("KVL_BLESS").is_some_and(|bless| bless == "1") {
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder can be made");
        fs::write(&path, generated).expect("the file can be written");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(generated.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| text.lines().count().min(generated.lines().count())) + 1;
    assert!(
        text == generated,
        "{committed} differs from what the sources say, from line {line} on: run `make generate` and look at the difference"
    );
}
