//! Wakes mutants, each in processes of its own, and runs the tests. Who makes a test fail, or hang, is found.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub fn run(list: &Path, [seed, count, seconds]: [u64; 3], programs: &[&str]) {
    let text = fs::read_to_string(list).expect("the list can be read");
    let mut rows: Vec<&str> = text.lines().collect();
    shuffle(&mut rows, seed);
    rows.truncate(count as usize);
    // Whoever fails while nobody is awake would find every mutant.
    for program in programs {
        assert!(passes(program, "0", seconds), "{program} fails without any mutant");
    }
    let (taken, tried, survivors) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let hunter = || {
        while let Some(row) = rows.get(taken.fetch_add(1, Relaxed)) {
            let number = row.split('\t').next().expect("a row begins with a number");
            if programs.iter().all(|program| passes(program, number, seconds)) {
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
    println!("seed {seed}: {} tried, {} found, {survivors} survived", rows.len(), rows.len() - survivors);
}

/// Fisher and Yates, with the generator of Steele, Lea and Flood (SplitMix64).
fn shuffle(rows: &mut [&str], mut state: u64) {
    for i in (1..rows.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        rows.swap(i, ((z ^ (z >> 31)) % (i as u64 + 1)) as usize);
    }
}

fn passes(program: &str, number: &str, seconds: u64) -> bool {
    let mut child = Command::new(program)
        .env("KVL_MUTANT", number)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let until = Instant::now() + Duration::from_secs(seconds);
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
