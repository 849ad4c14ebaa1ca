//! Files on Windows.

use std::ffi::CStr;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

/// The name of a file as C programs give it: UTF-8.
pub fn path_of(path: &CStr) -> Option<&Path> {
    path.to_str().ok().map(Path::new)
}

/// A file has the rights that its folder gives.
pub fn keep_private(_: &mut OpenOptions) {}

/// The system writes changes of folders by itself.
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
