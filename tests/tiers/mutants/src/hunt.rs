//! Runs the tests for each mutant, in processes in which it alone is active. A mutant is killed if a test fails or hangs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub fn run(list: &Path, [seed, count, seconds]: [u64; 3], programs: &[&str]) {
    let text = fs::read_to_string(list).expect("the list can be read");
    let mut rows: Vec<&str> = text.lines().collect();
    rows.sort_by_cached_key(|row| lot(row, seed));
    rows.truncate(count as usize);
    // Runs each program without a mutant first. A program that fails even so would kill every mutant, as would one that always exceeds its limit.
    let limits = programs.iter().map(|program| {
        let begun = Instant::now();
        assert!(passes(program, "0", Duration::from_secs(3600)), "{program} fails without any mutant");
        (*program, Duration::from_secs(seconds).max(4 * begun.elapsed()))
    });
    let programs: Vec<(&str, Duration)> = limits.collect();
    let (taken, tried, survivors) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let hunter = || {
        while let Some(row) = rows.get(taken.fetch_add(1, Relaxed)) {
            let number = row.split('\t').next().expect("a row begins with a number");
            if programs.iter().all(|&(program, limit)| passes(program, number, limit)) {
                survivors.fetch_add(1, Relaxed);
                println!("SURVIVED\t{row}");
            }
            let tried = tried.fetch_add(1, Relaxed) + 1;
            if tried.is_multiple_of(50) {
                println!("{tried} of {} tried, {} survived", rows.len(), survivors.load(Relaxed));
            }
        }
    };
    thread::scope(|hunters| (0..thread::available_parallelism().map_or(1, usize::from)).for_each(|_| drop(hunters.spawn(hunter))));
    let survivors = survivors.into_inner();
    println!("seed {seed}: {} tried, {} killed, {survivors} survived", rows.len(), rows.len() - survivors);
}

/// A mutant's place in the draw. It depends on the mutant's file and description, not on its line or number, so that changes elsewhere do not
/// change which mutants are drawn. FNV-1a (Fowler, Noll, Vo), mixed by SplitMix64 (Steele, Lea, Flood).
fn lot(row: &str, seed: u64) -> u64 {
    let (_, mutant) = row.split_once('\t').expect("a row begins with a number");
    let (place, change) = mutant.split_once('\t').expect("a row has a place and a change");
    let file = place.split(':').next().unwrap_or(place);
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut z = file.bytes().chain(change.bytes()).fold(0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), fnv);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Whether the tests pass. `program` is a path, optionally with a space and the prefix of the names of the tests to run.
fn passes(program: &str, number: &str, limit: Duration) -> bool {
    let mut words = program.split(' ');
    let mut child = Command::new(words.next().expect("a program has a path"))
        .args(words)
        .env("KVL_MUTANT", number)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let until = Instant::now() + limit;
    loop {
        match child.try_wait().expect("it is our child") {
            Some(status) => return status.success(),
            None if Instant::now() > until => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}
