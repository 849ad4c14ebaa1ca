//! Mutants: small errors planted in a copy of the project, to see which of them the tests find.
//!
//! All of them are compiled in at once, each behind `crate::mutant(number)`; an environment variable selects the active one. So one
//! build serves thousands of mutants; a build for each would take days.
//!
//! ```text
//! mutants plant PROJECT LIST FOLDER...   rewrites the sources under PROJECT/FOLDER and writes LIST; omits mutants that do not compile
//! mutants hunt LIST SEED COUNT SECONDS PROGRAM...
//!                                        activates COUNT of them, drawn by SEED, and runs the test programs with each until one
//!                                        fails or hangs: it may take SECONDS, or four times what it takes without a mutant if that
//!                                        is more; prints the mutants that survived
//! ```

mod hunt;
mod operators;
mod plant;

use std::path::Path;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["plant", project, list, folders @ ..] if !folders.is_empty() => plant::run(Path::new(project), Path::new(list), folders),
        ["hunt", list, seed, count, seconds, programs @ ..] if !programs.is_empty() => {
            let numbers = [seed, count, seconds].map(|word| word.parse().expect("SEED, COUNT and SECONDS are numbers"));
            hunt::run(Path::new(list), numbers, programs);
        }
        _ => {
            eprintln!("usage: mutants plant PROJECT LIST FOLDER... | mutants hunt LIST SEED COUNT SECONDS PROGRAM...");
            std::process::exit(2);
        }
    }
}
