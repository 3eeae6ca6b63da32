//! Where lines go: a file that is synchronised, standard output, or the system's log.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::{
        fd::AsFd as _,
        unix::{
            fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
            net::UnixDatagram,
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FlockOperation, OFlags, RenameFlags, flock, renameat_with},
    io::Errno,
};

use super::{AuditError, chain};
use crate::protocol::audit::Head;

/// Whether bytes must be on the disk when a write returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// With the system: they survive a kill, not a power cut.
    Written,
    /// On the disk.
    Durable,
}

/// Takes whole lines. What fails leaves nothing behind, so that it can be tried again.
pub trait Storage: Send {
    /// Writes lines.
    ///
    /// # Errors
    /// What the system says; then none of them is there.
    fn write(&mut self, lines: &str, durability: Durability) -> io::Result<()>;

    /// Puts on the disk what was only written.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&mut self) -> io::Result<()>;

    /// Begins another file when this one is full, which `last` is the last record of. Whether it did.
    ///
    /// # Errors
    /// What the system says; then this file goes on.
    fn rotate(&mut self, _last: u64) -> io::Result<bool> {
        Ok(false)
    }
}

impl Storage for Box<dyn Storage> {
    fn write(&mut self, lines: &str, durability: Durability) -> io::Result<()> {
        (**self).write(lines, durability)
    }

    fn sync(&mut self) -> io::Result<()> {
        (**self).sync()
    }

    fn rotate(&mut self, last: u64) -> io::Result<bool> {
        (**self).rotate(last)
    }
}

/// How large a file may become, and how many are kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// From this size on another one is begun.
    pub bytes: u64,
    /// How many earlier ones are kept; `None` for all.
    pub keep: Option<usize>,
}

/// A file of lines.
#[derive(Debug)]
pub struct FileStorage {
    file: File,
    path: PathBuf,
    /// Behind the last line that was written whole.
    end: u64,
    /// Whether something that is no line may stand behind the end.
    tail: Tail,
    rotation: Rotation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    Clean,
    Dirty,
}

/// What an existing file ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// The number of its last record; 0 for none.
    pub seq: u64,
    /// Its head.
    pub head: Head,
    /// The bytes of a line that was not written whole, which are gone now.
    pub torn: u64,
}

/// No line is longer: a batch of a hundred actions takes some 30 kB.
const LINE_BYTES: u64 = 1024 * 1024;

impl FileStorage {
    /// Opens a file, or begins one that only we can use.
    ///
    /// # Errors
    /// Why it cannot be used: others can write to it, another server has it, its last line is no record.
    pub fn open(path: &Path, rotation: Rotation) -> Result<(Self, Last), AuditError> {
        let failed = |error: io::Error| AuditError::Open { path: path.to_owned(), error };
        let file = open(path, OpenOptions::new().create(true)).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is no ordinary file")));
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(AuditError::Writable { path: path.to_owned(), mode });
        }
        match flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN) => return Err(AuditError::InUse { path: path.to_owned() }),
            Err(error) => return Err(failed(error.into())),
        }
        let no_record = || AuditError::NoRecord { path: path.to_owned() };
        let mut last = read_last(&file, metadata.len()).map_err(failed)?.ok_or_else(no_record)?;
        let end = metadata.len() - last.torn;
        if last.torn > 0 {
            file.set_len(end).map_err(failed)?;
        }
        // Killed between putting a full file aside and the first line of the next.
        if end == 0
            && let Some(earlier) = earlier_files(path).map_err(failed)?.pop()
        {
            let file = File::open(&earlier).map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            last = read_last(&file, length).map_err(failed)?.ok_or_else(no_record)?;
        }
        // The name of a file that has just been made is no more durable than its bytes.
        sync_directory(path).map_err(failed)?;
        Ok((Self { file, path: path.to_owned(), end, tail: Tail::Clean, rotation }, last))
    }
}

/// The last whole line of a file, and what follows on it. `None` when that is no record.
fn read_last(mut file: &File, length: u64) -> io::Result<Option<Last>> {
    let start = length.saturating_sub(LINE_BYTES);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length - start).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let torn = (bytes.len() - whole) as u64;
    let Some(lines) = bytes[..whole].strip_suffix(b"\n") else {
        return Ok((start == 0).then_some(Last { seq: 0, head: Head::NONE, torn }));
    };
    let begin = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = std::str::from_utf8(&lines[begin..]).ok();
    Ok(line.and_then(|line| {
        let (open, head) = chain::split(line)?;
        Some(Last { seq: super::seq_of(open)?, head, torn })
    }))
}

impl Storage for FileStorage {
    fn write(&mut self, lines: &str, durability: Durability) -> io::Result<()> {
        if self.tail == Tail::Dirty {
            self.file.set_len(self.end)?;
            self.tail = Tail::Clean;
        }
        let written = self.file.write_all_at(lines.as_bytes(), self.end).and_then(|()| match durability {
            Durability::Written => Ok(()),
            Durability::Durable => self.file.sync_data(),
        });
        match written {
            Ok(()) => self.end += lines.len() as u64,
            // If this fails, too, it is done before the next line.
            Err(_) if self.file.set_len(self.end).is_ok() => {}
            Err(_) => self.tail = Tail::Dirty,
        }
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn rotate(&mut self, last: u64) -> io::Result<bool> {
        if self.end < self.rotation.bytes {
            return Ok(false);
        }
        self.file.sync_data()?;
        let kept = earlier_name(&self.path, last);
        put_aside(&self.path, &kept)?;
        let begun = open(&self.path, OpenOptions::new().create_new(true)).and_then(|file| {
            flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive)?;
            Ok(file)
        });
        match begun {
            Ok(file) => self.file = file,
            Err(error) => {
                put_aside(&kept, &self.path)?;
                return Err(error);
            }
        }
        self.end = 0;
        self.tail = Tail::Clean;
        sync_directory(&self.path)?;
        if let Some(keep) = self.rotation.keep {
            let earlier = earlier_files(&self.path)?;
            for old in earlier.iter().take(earlier.len().saturating_sub(keep)) {
                fs::remove_file(old)?;
            }
        }
        Ok(true)
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // A link could lead to a file of somebody else's.
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    options.read(true).write(true).mode(0o600).custom_flags(flags).open(path)
}

/// Gives a file another name, which nothing has yet: the one thing that the sandbox lets be renamed.
fn put_aside(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// `audit.jsonl.00000000000000001234`: the number of the last record in it, so that names sort as the records do.
fn earlier_name(path: &Path, last: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{last:020}"));
    name.into()
}

/// The files that went before this one, the oldest first.
///
/// # Errors
/// Why the directory cannot be read.
pub fn earlier_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut earlier = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?.file_name();
        let number = entry.to_str().and_then(|entry| entry.strip_prefix(name)?.strip_prefix('.'));
        if number.is_some_and(|number| number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit())) {
            earlier.push(directory.join(entry));
        }
    }
    earlier.sort();
    Ok(earlier)
}

/// Standard output: whoever reads it keeps it.
#[derive(Debug)]
pub struct StandardOutput;

impl Storage for StandardOutput {
    fn write(&mut self, lines: &str, _durability: Durability) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(lines.as_bytes())?;
        output.flush()
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The system's log (`syslog(3)`).
#[derive(Debug)]
pub struct SystemLog {
    socket: UnixDatagram,
}

/// Where it listens.
const SYSTEM_LOG: &str = "/dev/log";
/// Facility 10 (security), severity 6 (informational): RFC 5424, 6.2.1.
const PRIORITY: u32 = 10 * 8 + 6;

impl SystemLog {
    /// # Errors
    /// Why it cannot be reached.
    pub fn open() -> Result<Self, AuditError> {
        let failed = |error| AuditError::Open { path: SYSTEM_LOG.into(), error };
        let socket = UnixDatagram::unbound().map_err(failed)?;
        socket.connect(SYSTEM_LOG).map_err(failed)?;
        Ok(Self { socket })
    }
}

impl Storage for SystemLog {
    fn write(&mut self, lines: &str, _durability: Durability) -> io::Result<()> {
        for line in lines.lines() {
            self.socket.send(format!("<{PRIORITY}>deskhand: {line}").as_bytes())?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::observe::audit::chain::{Chain, RootKey};

    const ROTATION: Rotation = Rotation { bytes: 100, keep: Some(1) };

    fn lines(count: u64) -> String {
        let mut chain = Chain::start(&RootKey::none(), "boot", 0, Head::NONE);
        let mut lines = String::new();
        for seq in 1..=count {
            chain.append(&format!("{{\"seq\":{seq}}}"), &mut lines);
        }
        lines
    }

    #[test]
    fn a_file_goes_on_behind_its_last_whole_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let (mut storage, last) = FileStorage::open(&path, ROTATION).unwrap();
        assert_eq!(last, Last { seq: 0, head: Head::NONE, torn: 0 });
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        storage.write(&lines(3), Durability::Durable).unwrap();
        drop(storage);
        let whole = fs::read_to_string(&path).unwrap();
        for torn in ["", "{", "{\"seq\":4,\"head\":\""] {
            fs::write(&path, format!("{whole}{torn}")).unwrap();
            let (storage, last) = FileStorage::open(&path, ROTATION).unwrap();
            let (_, head) = chain::split(whole.lines().last().unwrap()).unwrap();
            assert_eq!(last, Last { seq: 3, head, torn: torn.len() as u64 });
            drop(storage);
            assert_eq!(fs::read_to_string(&path).unwrap(), whole, "what was torn is gone");
        }
    }

    #[test]
    fn what_is_no_record_of_ours_is_not_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        for text in ["somebody's notes\n", "{\"seq\":1}\n"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(FileStorage::open(&path, ROTATION), Err(AuditError::NoRecord { .. })), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(matches!(FileStorage::open(&path, ROTATION), Err(AuditError::Writable { .. })));
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(FileStorage::open(&link, ROTATION), Err(AuditError::Open { .. })));
        assert!(matches!(FileStorage::open(Path::new("/dev/null"), ROTATION), Err(AuditError::Open { .. })));
    }

    #[test]
    fn two_servers_do_not_share_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let _first = FileStorage::open(&path, ROTATION).unwrap();
        assert!(matches!(FileStorage::open(&path, ROTATION), Err(AuditError::InUse { .. })));
    }

    #[test]
    fn a_full_file_is_put_aside_under_the_number_of_its_last_record_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let (mut storage, _) = FileStorage::open(&path, ROTATION).unwrap();
        assert!(!storage.rotate(0).unwrap(), "it is empty");
        for seq in [7, 8, 12] {
            storage.write(&lines(2), Durability::Written).unwrap();
            assert!(storage.rotate(seq).unwrap());
        }
        let earlier = earlier_files(&path).unwrap();
        assert_eq!(earlier, [directory.path().join("audit.00000000000000000012")]);
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert!(
            matches!(FileStorage::open(&path, ROTATION), Err(AuditError::InUse { .. })),
            "the new one is ours, too"
        );
    }
}
