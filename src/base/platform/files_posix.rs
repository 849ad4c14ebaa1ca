//! Files on POSIX systems.

use std::ffi::{CStr, OsStr};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Converts a file name of a C program, which may contain any bytes. Never `None`.
pub fn path_of(path: &CStr) -> Option<&Path> {
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// Restricts a file created with these options to its owner: mode 0600.
pub fn keep_private(options: &mut OpenOptions) {
    options.mode(0o600);
}

/// Makes renames in the folder survive a loss of power.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
