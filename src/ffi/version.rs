//! The version of the library that a program runs with. The header has the version that the program was compiled with.

use super::guard::guard_or;
use std::ffi::c_char;

const TEXT: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => panic!("the version of Cargo.toml holds a NUL"),
};

const NUMBER: u32 = {
    let (digits, mut number, mut at) = (env!("KVL_VERSION_NUMBER").as_bytes(), 0, 0);
    while at < digits.len() {
        number = number * 10 + (digits[at] - b'0') as u32;
        at += 1;
    }
    number
};

/// Returns the version of the library as a number, to be compared with KVL_VERSION_NUMBER.
///
/// @return major * 1000000 + minor * 1000 + patch.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_version_number() -> u32 {
    guard_or(NUMBER, || NUMBER)
}

/// Returns the version of the library as text.
///
/// @return a static text such as "0.1.0", never NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_version_string() -> *const c_char {
    guard_or(TEXT.as_ptr(), || TEXT.as_ptr())
}
