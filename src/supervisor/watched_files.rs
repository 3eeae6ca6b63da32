//! Files that others replace while we run, by inotify(7): nothing wakes us as long as nothing changes.

use std::{
    collections::BTreeSet,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};

/// Room for some events with names; the rest comes with the next read.
const BUFFER: usize = 4096;

/// Watches the directories of some files: a file that is replaced by another of its name is another file, and Kubernetes replaces a
/// link beside it.
#[derive(Debug)]
pub(super) struct WatchedFiles(OwnedFd);

impl WatchedFiles {
    /// Begins to watch.
    pub(super) fn watch<'a>(files: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        let watcher = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let directories: BTreeSet<&Path> = files.filter_map(Path::parent).collect();
        let events = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::CREATE | WatchFlags::ONLYDIR;
        for directory in directories {
            inotify::add_watch(&watcher, directory, events)?;
        }
        Ok(Self(watcher))
    }

    /// Whether something in these directories has changed since the last time.
    pub(super) fn changed(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut changed = false;
        loop {
            match reader.next() {
                Ok(_) => changed = true,
                Err(Errno::AGAIN) => return Ok(changed),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for WatchedFiles {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
