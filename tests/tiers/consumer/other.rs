//! Another static Rust library, which uses common parts of std: threads, caught panics, collections.

use std::collections::HashMap;

#[unsafe(no_mangle)]
pub extern "C" fn other_count(n: u32) -> u32 {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| assert_eq!(n, 0, "on purpose"));
    let counted = std::thread::spawn(move || (0..n).map(|i| (i % 7, i)).collect::<HashMap<_, _>>().len());
    if caught.is_err() { counted.join().map_or(0, |count| count as u32) } else { 0 }
}
