//! The log of the egress proxy (`deploy/egress`): what applications ask of the network, and what becomes of it.
//!
//! The proxy runs elsewhere and knows nothing of us; we read what it writes, one JSON object a line. Every word in it but the names
//! of hosts comes from a closed list, and a name is what an application said.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use serde::Deserialize;

use crate::protocol::egress::{Attempt, EgressReason, EgressVerdict};

/// Room for some events with names; the rest comes with the next read.
const EVENT_BYTES: usize = 4096;
/// One read. A machine that asks for a thousand hosts a second writes 200 kB a second.
const READ_BYTES: usize = 64 * 1024;
/// The longest line that is looked at: a host's name has 253 bytes, and all else in a line about as much.
const LINE_BYTES: usize = 4096;
/// The longest name that a host has (RFC 1035, 2.3.4).
const HOST_BYTES: usize = 253;

/// Follows the log from its end on, also when it is put aside for another.
#[derive(Debug)]
pub struct EgressLog {
    path: PathBuf,
    file: File,
    inode: u64,
    watcher: OwnedFd,
    /// The beginning of a line whose end has not been written.
    partial: Vec<u8>,
    /// Whether that line is too long to be looked at.
    overlong: bool,
}

impl EgressLog {
    /// Opens the log, which the proxy makes when it starts.
    ///
    /// # Errors
    /// It is not there, or cannot be read or watched.
    pub fn open(path: &Path) -> io::Result<Self> {
        let watcher = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // The directory: the file that comes in place of this one is another.
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        inotify::add_watch(&watcher, directory, events)?;
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(0))?;
        let inode = file.metadata()?.ino();
        Ok(Self { path: path.to_owned(), file, inode, watcher, partial: Vec::new(), overlong: false })
    }

    /// What has been written since the last time, each attempt given to `take`. To be called when the descriptor is readable.
    ///
    /// # Errors
    /// The log cannot be read any more.
    pub fn read(&mut self, mut take: impl FnMut(Attempt)) -> io::Result<()> {
        self.drain_events()?;
        self.read_file(&mut take)?;
        // The old one was read to its end, behind which nobody writes.
        match File::open(&self.path) {
            Ok(file) => {
                let metadata = file.metadata()?;
                if metadata.ino() != self.inode {
                    (self.file, self.inode) = (file, metadata.ino());
                    (self.partial, self.overlong) = (Vec::new(), false);
                    self.read_file(&mut take)?;
                } else if self.file.stream_position()? > metadata.len() {
                    // It was emptied in its place.
                    self.file.rewind()?;
                    (self.partial, self.overlong) = (Vec::new(), false);
                    self.read_file(&mut take)?;
                }
                Ok(())
            }
            // Between one and the next.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn drain_events(&self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut reader = inotify::Reader::new(&self.watcher, &mut buffer);
        loop {
            match reader.next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read_file(&mut self, take: &mut impl FnMut(Attempt)) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.lines(&buffer[..count], take),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn lines(&mut self, bytes: &[u8], take: &mut impl FnMut(Attempt)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = piece.strip_suffix(b"\n") else {
                self.keep(piece);
                continue;
            };
            self.keep(end);
            if !self.overlong
                && let Some(attempt) = attempt(&self.partial)
            {
                take(attempt);
            }
            self.partial.clear();
            self.overlong = false;
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.overlong || self.partial.len() + bytes.len() > LINE_BYTES {
            self.overlong = true;
            self.partial.clear();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }
}

/// Readable when something may have been written.
impl AsFd for EgressLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watcher.as_fd()
    }
}

/// A line, as far as it is of interest here.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    host: Cow<'a, str>,
    verdict: EgressVerdict,
    #[serde(default)]
    reason: EgressReason,
}

/// What a line says; nothing where it is no such line.
fn attempt(line: &[u8]) -> Option<Attempt> {
    let Line { host, verdict, reason } = serde_json::from_slice(line).ok()?;
    // As the proxy writes it, percent-encoded; anything else is not from there.
    let is_a_name = !host.is_empty() && host.len() <= HOST_BYTES && host.bytes().all(|byte| byte.is_ascii_graphic());
    Some(Attempt { host: if is_a_name { host.into_owned() } else { "?".to_owned() }, verdict, reason })
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    const DENIED: &str = r#"{"time":1.5,"client":"10.0.0.2","method":"CONNECT","host":"evil.example","port":"443","sni":"-","verdict":"denied","reason":"not_listed","status":407,"error":"ERR_ACCESS_DENIED"}"#;
    const ALLOWED: &str = r#"{"time":1.5,"host":"good.example","verdict":"allowed","reason":"listed"}"#;

    struct Log {
        directory: tempfile::TempDir,
        log: EgressLog,
    }

    impl Log {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("access.log");
            fs::write(&path, format!("{ALLOWED}\n")).unwrap();
            let log = EgressLog::open(&path).unwrap();
            Self { directory, log }
        }

        fn write(&self, text: &str) {
            let path = self.directory.path().join("access.log");
            fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
        }

        fn read(&mut self) -> Vec<(String, EgressVerdict, EgressReason)> {
            let mut seen = Vec::new();
            self.log.read(|Attempt { host, verdict, reason }| seen.push((host, verdict, reason))).unwrap();
            seen
        }
    }

    fn denied() -> (String, EgressVerdict, EgressReason) {
        ("evil.example".to_owned(), EgressVerdict::Denied, EgressReason::NotListed)
    }

    fn allowed() -> (String, EgressVerdict, EgressReason) {
        ("good.example".to_owned(), EgressVerdict::Allowed, EgressReason::Listed)
    }

    #[test]
    fn what_is_written_from_now_on_is_read_once_and_in_its_order() {
        let mut log = Log::new();
        assert_eq!(log.read(), []);
        log.write(&format!("{DENIED}\n{ALLOWED}\n"));
        assert_eq!(log.read(), [denied(), allowed()]);
        assert_eq!(log.read(), []);
    }

    #[test]
    fn a_line_counts_when_its_end_has_come() {
        let mut log = Log::new();
        let (begin, end) = DENIED.split_at(50);
        log.write(begin);
        assert_eq!(log.read(), []);
        log.write(&format!("{end}\n"));
        assert_eq!(log.read(), [denied()]);
    }

    #[test]
    fn another_log_in_its_place_is_followed_and_nothing_is_lost_between() {
        let mut log = Log::new();
        log.write(&format!("{DENIED}\n"));
        let path = log.directory.path().join("access.log");
        fs::rename(&path, path.with_extension("log.0")).unwrap();
        assert_eq!(log.read(), [denied()]);
        log.write(&format!("{ALLOWED}\n"));
        assert_eq!(log.read(), [allowed()]);
        // Emptied in its place.
        fs::write(&path, "").unwrap();
        assert_eq!(log.read(), []);
        log.write(&format!("{DENIED}\n"));
        assert_eq!(log.read(), [denied()]);
    }

    #[test]
    fn what_is_no_such_line_is_passed_over() {
        let mut log = Log::new();
        let overlong = format!(r#"{{"host":"{}","verdict":"denied"}}"#, "a".repeat(LINE_BYTES));
        let later = r#"{"host":"a","verdict":"denied","reason":"something_new"}"#;
        let control = r#"{"host":"a\u001b[2J","verdict":"denied","reason":"port"}"#;
        log.write(&format!("nonsense\n{{}}\n{overlong}\n{later}\n{control}\n{DENIED}\n"));
        let other = ("a".to_owned(), EgressVerdict::Denied, EgressReason::Other);
        let hidden = ("?".to_owned(), EgressVerdict::Denied, EgressReason::Port);
        assert_eq!(log.read(), [other, hidden, denied()]);
    }

    #[test]
    fn a_log_that_is_not_there_is_told_as_that() {
        assert_eq!(EgressLog::open(Path::new("/nowhere/access.log")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
