//! Saves a cache's entries to a file and loads them (rule S18). No lock is held while a file is read or written.

use super::Core;
use crate::base::Error;
use crate::base::key::KEY_MAX;
use crate::base::platform::{keep_private, sync_folder};
use crate::base::{Answer, Kind, Millis, NoMemory, Status, StoreTerms, Value};
use crate::cache::saved::{BLOCK_HEAD, Block, BlockHead, Damage, HEAD, SavedEntry, head, is_start, read_head};
use crate::cache::{Condition, CopiedEntry, Departures, NewEntry};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of a save or a load.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// Entries that were written to the file, or stored in the cache.
    pub entries: u64,
    /// Entries that were skipped.
    pub skipped: u64,
    /// The expected number of entries: as of the beginning of a save, or as stated in the file.
    pub total: u64,
    /// Bytes of the file that were written or read.
    pub bytes: u64,
}

/// Called after each block with the progress; `false` stops the transfer.
pub type Progress<'a> = &'a mut dyn FnMut(&Transfer) -> bool;
/// Returns the bytes to write for the object under a key. `None` skips the entry.
pub type Encode<'a> = &'a mut dyn FnMut(&[u8], &Value) -> Option<Value>;
/// Returns the answer to store for an entry of the file. `None` skips the entry.
type Decode<'a> = &'a mut dyn FnMut(&SavedEntry<'_>) -> Result<Option<Answer>, Status>;
/// Returns the answer that the encoded bytes of a key stand for; `None` skips the entry.
pub type DecodeBytes<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Option<Answer>;

fn failed(path: &Path, doing: &str, error: &io::Error) -> Error {
    let status = if error.kind() == ErrorKind::OutOfMemory { Status::ERR_NO_MEMORY } else { Status::ERR_IO };
    Error::with_text(status, i64::from(error.raw_os_error().unwrap_or(0)), &format!("{doing} {}: {error}", path.display()))
}

fn file_error(status: Status, path: &Path, what: &str) -> Error {
    Error::with_text(status, 0, &format!("{} {what}", path.display()))
}

/// Whether this is neither a file nor a folder, but a device or a pipe.
fn is_neither(found: &Metadata) -> bool {
    !found.is_file() && !found.is_dir()
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a file")
}

/// Opens the file that is loaded. Fails for a pipe, which would wait for a writer, and for a device, which may never end; for a folder,
/// reading fails.
fn open_saved(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|found| is_neither(&found)) {
        return Err(not_a_file());
    }
    File::open(path)
}

/// The file that a save replaces. A symbolic link stays, and what it refers to is replaced. Fails for anything that is neither a file nor a
/// folder, such as a device or a pipe, since the rename at the end would remove it. For a folder, the rename itself fails.
fn replaced_by(name: &Path) -> io::Result<PathBuf> {
    const MAX_LINKS: usize = 40;
    let mut target = name.to_path_buf();
    for _ in 0..MAX_LINKS {
        match std::fs::symlink_metadata(&target) {
            Ok(found) if found.is_symlink() => target = target.with_file_name(std::fs::read_link(&target)?),
            Ok(found) if is_neither(&found) => return Err(not_a_file()),
            // A path that cannot be examined cannot be opened either, unless nothing of that name exists yet.
            _ => return Ok(target),
        }
    }
    // Fails with the system's error for a loop of links.
    std::fs::canonicalize(name)
}

/// A file with a temporary name, which is deleted unless it gets its final name.
struct TemporaryFile {
    target: PathBuf,
    path: PathBuf,
    file: Option<File>,
}

impl TemporaryFile {
    fn new(name: &Path) -> io::Result<TemporaryFile> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let target = replaced_by(name)?;
        target.file_name().ok_or(ErrorKind::InvalidInput)?;
        loop {
            // Does not contain the name of the target, which may be as long as the file system allows.
            let own = format!("kvlight-{}-{}.tmp", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
            let path = target.with_file_name(own);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            // The content of a cache may be confidential.
            keep_private(&mut options);
            match options.open(&path) {
                // A process with the same id left it behind when it died.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| TemporaryFile { target, path, file: Some(file) }),
            }
        }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Replaces the old file with the complete new one: a reader finds one or the other, even after a power failure.
    fn publish(mut self, entries: u64) -> io::Result<()> {
        let file = self.file()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&head(entries))?;
        file.sync_all()?;
        // Closed first, because some systems do not rename open files.
        self.file = None;
        std::fs::rename(&self.path, &self.target)?;
        self.path.clear();
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Ignored: the file is in place, and some file systems cannot sync folders.
        let _ = sync_folder(folder);
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        self.file = None;
        if !self.path.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Core {
    /// Writes all entries except objects to a file, in eviction order. A file of that name is replaced once the new one is complete, and
    /// stays unchanged if this fails. Entries that are stored, removed or replaced meanwhile may or may not be in the file.
    pub fn save(&self, path: &Path, done: &mut Transfer, progress: Progress<'_>) -> Result<(), Error> {
        self.save_encoded(path, done, progress, &mut |_, _| None)
    }

    /// Like [`Core::save`], but includes the objects, as the bytes that `encode` returns for them. `encode` is called under no lock.
    pub fn save_encoded(&self, path: &Path, done: &mut Transfer, progress: Progress<'_>, encode: Encode<'_>) -> Result<(), Error> {
        self.check_not_over().map_err(Error::of)?;
        let writing = |error: io::Error| failed(path, "cannot write", &error);
        let mut draft = TemporaryFile::new(path).map_err(writing)?;
        // Space for the head, which is written last because it contains the number of entries.
        draft.file().and_then(|file| file.write_all(&[0; HEAD])).map_err(writing)?;
        let no_memory = |_: NoMemory| Error::of(Status::ERR_NO_MEMORY);
        let mut snapshot = self.store.snapshot().map_err(no_memory)?;
        *done = Transfer { total: snapshot.entries(), bytes: HEAD as u64, ..Transfer::default() };
        let (mut block, mut page) = (Block::default(), Vec::new());
        let mut more = true;
        while more {
            self.check_not_over().map_err(Error::of)?;
            more = self.store.copy_page(&mut snapshot, &self.clock, &mut page).map_err(no_memory)?;
            for entry in page.drain(..) {
                self.write_entry(entry, &mut block, done, encode).map_err(no_memory)?;
                if block.is_full() {
                    Core::write_block(&mut draft, &mut block, done).map_err(writing)?;
                    report_progress(done, progress)?;
                }
            }
        }
        if !block.is_empty() {
            Core::write_block(&mut draft, &mut block, done).map_err(writing)?;
        }
        // An empty block marks the end.
        Core::write_block(&mut draft, &mut block, done).map_err(writing)?;
        report_progress(done, progress)?;
        draft.publish(done.entries).map_err(writing)
    }

    fn write_entry(&self, mut entry: CopiedEntry, block: &mut Block, done: &mut Transfer, encode: Encode<'_>) -> Result<(), NoMemory> {
        let object = match &entry.answer {
            Answer::Value(value) => match value.kind() {
                Kind::Object => Some(value.clone()),
                Kind::Bytes => None,
            },
            Answer::Null => None,
        };
        let encoded = object.as_ref().and_then(|value| encode(&entry.key, value));
        let is_encoded = encoded.is_some();
        if let Some(bytes) = encoded {
            entry.answer = Answer::Value(bytes);
        }
        let pushed = block.push(&entry, is_encoded);
        if let Some(value) = object {
            self.release_value(value);
        }
        // If the entry has left the cache, this may be the last reference.
        if let Some(value) = entry.answer.into_value() {
            self.release_value(value);
        }
        *(if pushed? { &mut done.entries } else { &mut done.skipped }) += 1;
        Ok(())
    }

    fn write_block(draft: &mut TemporaryFile, block: &mut Block, done: &mut Transfer) -> io::Result<()> {
        let file = draft.file()?;
        block.finish(|bytes| {
            done.bytes += bytes.len() as u64;
            file.write_all(bytes)
        })
    }

    /// Stores the entries of a file, except those whose key has an entry already, which is younger. A damaged block ends the load before
    /// any of its entries is stored; the entries of earlier blocks stay.
    pub fn load(&self, path: &Path, done: &mut Transfer, progress: Progress<'_>) -> Result<(), Error> {
        self.load_entries(path, done, progress, &mut |saved| {
            if saved.is_encoded { Ok(None) } else { saved.answer().map(Some).ok_or(Status::ERR_NO_MEMORY) }
        })
    }

    /// Like [`Core::load`], but includes the encoded objects, as the answers that `decode` returns for a key and its bytes. If `decode`
    /// returns `None`, the entry is skipped. `decode` is called under no lock.
    pub fn load_decoded(&self, path: &Path, done: &mut Transfer, progress: Progress<'_>, decode: DecodeBytes<'_>) -> Result<(), Error> {
        self.load_entries(path, done, progress, &mut |saved| match saved.value {
            Some(bytes) if saved.is_encoded => Ok(decode(saved.key, bytes)),
            _ => saved.answer().map(Some).ok_or(Status::ERR_NO_MEMORY),
        })
    }

    fn load_entries(&self, path: &Path, done: &mut Transfer, progress: Progress<'_>, decode: Decode<'_>) -> Result<(), Error> {
        self.check_open().map_err(Error::of)?;
        let reading = |error: io::Error| failed(path, "cannot read", &error);
        let damaged = |damage: Damage| match damage {
            Damage::Corrupt => file_error(Status::ERR_CORRUPT, path, "is damaged, or is not a saved cache"),
            Damage::Version(version) => {
                file_error(Status::ERR_FILE_VERSION, path, &format!("is of version {version}, which this library does not know"))
            }
            Damage::NoMemory => Error::of(Status::ERR_NO_MEMORY),
        };
        let cut = || file_error(Status::ERR_TRUNCATED, path, "ends too early");
        let mut file = BufReader::new(open_saved(path).map_err(reading)?);
        let mut start = Vec::new();
        file.by_ref().take(HEAD as u64).read_to_end(&mut start).map_err(reading)?;
        if !is_start(&start) {
            return Err(damaged(Damage::Corrupt));
        }
        let total = read_head(start.first_chunk().ok_or_else(cut)?).map_err(damaged)?;
        *done = Transfer { total, bytes: HEAD as u64, ..Transfer::default() };
        for number in 0.. {
            let (mut start, mut body) = (Vec::new(), Vec::new());
            file.by_ref().take(BLOCK_HEAD as u64).read_to_end(&mut start).map_err(reading)?;
            let head = BlockHead::read(number, start.first_chunk().ok_or_else(cut)?).map_err(damaged)?;
            if head.length == 0 {
                break;
            }
            // Takes no more memory than the file has bytes, even if the head of the block states more.
            file.by_ref().take(head.length).read_to_end(&mut body).map_err(reading)?;
            if (body.len() as u64) < head.length {
                return Err(cut());
            }
            for entry in head.entries(&body).map_err(damaged)? {
                self.restore(&entry, done, decode).map_err(Error::of)?;
            }
            done.bytes += (start.len() + body.len()) as u64;
            report_progress(done, progress)?;
        }
        done.bytes += BLOCK_HEAD as u64;
        if file.read(&mut [0]).map_err(reading)? > 0 {
            return Err(damaged(Damage::Corrupt));
        }
        report_progress(done, progress)
    }

    /// Stores an entry of a file. Does not overtake loads in progress, since their answers are younger.
    fn restore(&self, saved: &SavedEntry<'_>, done: &mut Transfer, decode: Decode<'_>) -> Result<(), Status> {
        self.check_open()?;
        let Some(answer) = decode(saved)? else {
            done.skipped += 1;
            return Ok(());
        };
        let stored = saved.key.len() <= KEY_MAX && self.is_valid(saved.key) && {
            let end = saved.ttl_left_ms.map_or(Millis::NEVER, |left| self.clock.present().latest.after(left));
            let (cost, labels) = (saved.cost, saved.labels.clone());
            let terms = StoreTerms { priority: Some(saved.priority), cost, labels, ..StoreTerms::default() };
            let entry = NewEntry { terms, condition: Condition::Restored(end), ..NewEntry::new(answer) };
            let mut left = Departures::new();
            let put = self.store.put(saved.key, entry, &self.clock, &mut left);
            self.release_departures(left);
            self.throttle_writer(1);
            self.entry_stored(put);
            put.is_stored()
        };
        *(if stored { &mut done.entries } else { &mut done.skipped }) += 1;
        Ok(())
    }
}

fn report_progress(done: &Transfer, progress: Progress<'_>) -> Result<(), Error> {
    if progress(done) { Ok(()) } else { Err(Error::with_text(Status::ERR_CANCELLED, 0, "stopped by its progress function")) }
}
