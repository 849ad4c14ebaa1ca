//! Files where there is POSIX.

use std::ffi::{CStr, OsStr};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of a file as C programs give it: any bytes.
pub fn path_of(path: &CStr) -> Option<&Path> {
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// Only its owner will be able to read the file that is made.
pub fn keep_private(options: &mut OpenOptions) {
    options.mode(0o600);
}

/// What was renamed in the folder is so after a loss of power too.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
