//! Files on Windows.

use std::ffi::CStr;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

/// Converts a file name of a C program; `None` if it is not UTF-8.
pub fn path_of(path: &CStr) -> Option<&Path> {
    path.to_str().ok().map(Path::new)
}

/// Does nothing: a file has the access rights of its folder.
pub fn keep_private(_: &mut OpenOptions) {}

/// Does nothing: the system itself makes changes of folders durable.
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
