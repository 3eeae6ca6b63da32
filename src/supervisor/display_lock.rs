//! The number of a display and its lock file. `-displayfd` switches Xvfb's own lock off, and two servers would then
//! silently replace each other's socket; so the supervisor holds the lock, also while Xvfb is being restarted.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
    process::{Pid, test_kill_process},
};

use crate::{
    exit::{Exit, Fatal},
    protocol::display::DisplayNumber,
    supervisor::probe::{socket_path, somebody_listens},
};

/// Where free numbers begin: past those of real seats, as xvfb-run has it.
const FIRST: u16 = 99;
/// Where the search ends: far more displays than one machine holds.
const LAST: u16 = 1_999;
/// A lock file is a process id in ten columns and a newline (`XFree86`, `os/utils.c`, and every X server since).
const LOCK_BYTES: usize = 11;
/// How supervisors are called, also those of another version or from another folder.
const NAME: &str = "deskhand";
/// A lock that changes hands this often while we look is not going to be ours.
const ATTEMPTS: u32 = 8;

/// A display number that is ours. Dropping it removes the lock file and the socket that Xvfb left.
#[derive(Debug)]
pub(super) struct DisplayLock {
    number: DisplayNumber,
    path: PathBuf,
}

/// Why a number is not free.
#[derive(Debug)]
enum Taken {
    /// Somebody holds it.
    Held(String),
    /// The file system says no.
    Failed(io::Error),
}

impl DisplayLock {
    /// Takes this number, or a free one.
    pub(super) fn take(asked: Option<DisplayNumber>) -> Result<Self, Fatal> {
        make_socket_directory()?;
        if let Some(number) = asked {
            return Self::take_number(number).map_err(|taken| {
                let reason = match taken {
                    Taken::Held(reason) => format!("{reason}; choose another number with --display, or none"),
                    Taken::Failed(error) => format!("its lock file cannot be made: {error}"),
                };
                Fatal::new(Exit::NoDisplay, format!("display {number} is not free: {reason}"))
            });
        }
        for number in (FIRST..=LAST).filter_map(DisplayNumber::new) {
            match Self::take_number(number) {
                Ok(lock) => return Ok(lock),
                Err(Taken::Held(reason)) => tracing::debug!(%number, reason, "display number is not free"),
                Err(Taken::Failed(error)) => {
                    let message = format!("cannot make a display lock in /tmp: {error}; Xvfb needs a writable /tmp");
                    return Err(Fatal::new(Exit::NoDisplay, message));
                }
            }
        }
        Err(Fatal::new(Exit::NoDisplay, format!("no display number from :{FIRST} to :{LAST} is free")))
    }

    fn take_number(number: DisplayNumber) -> Result<Self, Taken> {
        let path = PathBuf::from(format!("/tmp/.X{}-lock", number.get()));
        for _ in 0..ATTEMPTS {
            match create(&path) {
                Ok(()) => {
                    let lock = Self { number, path };
                    return if somebody_listens(number) {
                        Err(lock.give_back("a server without a lock file listens on its socket"))
                    } else {
                        Ok(lock)
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if somebody_listens(number) {
                        return Err(Taken::Held("a server listens on its socket".into()));
                    }
                    remove_stale(&path)?;
                }
                Err(error) => return Err(Taken::Failed(error)),
            }
        }
        Err(Taken::Held("its lock file keeps changing hands".into()))
    }

    /// Removes the lock but not the socket: that is somebody else's.
    fn give_back(self, reason: &str) -> Taken {
        let removed = fs::remove_file(&self.path);
        std::mem::forget(self);
        removed.map_or_else(Taken::Failed, |()| Taken::Held(reason.into()))
    }

    pub(super) const fn number(&self) -> DisplayNumber {
        self.number
    }

    /// Removes the socket that a killed Xvfb left behind.
    pub(super) fn remove_socket(&self) {
        remove(Path::new(&socket_path(self.number)));
    }
}

impl Drop for DisplayLock {
    fn drop(&mut self) {
        self.remove_socket();
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "cannot remove a file of the display");
    }
}

/// Creates the lock with its content in one step: linking fails when the name exists (the same promise as `O_EXCL`),
/// and nobody ever sees a lock without a process id.
fn create(path: &Path) -> io::Result<()> {
    let own = std::process::id();
    let temporary = PathBuf::from(format!("{}.{own}", path.display()));
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o444).open(&temporary);
    let mut file = match open() {
        // Left by a killed predecessor with our process id.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&temporary)?;
            open()?
        }
        opened => opened?,
    };
    let linked = file.write_all(format!("{own:>10}\n").as_bytes()).and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    linked
}

/// Removes a lock whose holder is dead. Two who find the same stale lock take turns by an advisory lock on the very
/// file: the second then sees that the name means another file, and leaves that alone.
fn remove_stale(path: &Path) -> Result<(), Taken> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Taken::Held(format!("its lock file cannot be read: {error}"))),
    };
    flock(&file, FlockOperation::LockExclusive).map_err(|error| Taken::Failed(error.into()))?;
    let same = fs::symlink_metadata(path)
        .ok()
        .zip(file.metadata().ok())
        .is_some_and(|(named, opened)| (named.dev(), named.ino()) == (opened.dev(), opened.ino()));
    if !same {
        return Ok(());
    }
    match holder(file) {
        None => Err(Taken::Held(format!("{} is not a lock file; remove it", path.display()))),
        Some(holder) if is_alive(holder) => {
            Err(Taken::Held(format!("process {} holds {}", holder.as_raw_nonzero(), path.display())))
        }
        Some(_) => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Taken::Held(format!("its stale lock file cannot be removed: {error}")))
            }
            _ => Ok(()),
        },
    }
}

fn holder(file: File) -> Option<Pid> {
    let mut text = String::new();
    file.take(LOCK_BYTES as u64 + 1).read_to_string(&mut text).ok()?;
    (text.len() == LOCK_BYTES).then(|| text.trim().parse().ok().and_then(Pid::from_raw))?
}

/// Whether the holder may still be an X server or a supervisor that is about to start one. Our own id means a predecessor
/// in a restarted container: this process has no lock yet. There, small process ids come again, so one that now means a
/// shell, or a dead process that nobody has waited for, holds nothing.
fn is_alive(holder: Pid) -> bool {
    if holder == rustix::process::getpid() || test_kill_process(holder) == Err(Errno::SRCH) {
        return false;
    }
    let process = PathBuf::from(format!("/proc/{}", holder.as_raw_nonzero()));
    // `pid (name) state …`; the name may itself hold parentheses (proc(5)).
    let Ok(stat) = fs::read_to_string(process.join("stat")) else { return true };
    let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else { return true };
    let is_dead = rest.trim_start().starts_with('Z');
    let is_supervisor = match (fs::read_link(process.join("exe")), fs::read_link("/proc/self/exe")) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        // Another user's program cannot be looked at.
        _ => true,
    };
    !is_dead && (name.starts_with('X') || name.starts_with(NAME) || is_supervisor)
}

/// Xvfb makes the socket directory only for root.
fn make_socket_directory() -> Result<(), Fatal> {
    let path = Path::new("/tmp/.X11-unix");
    let made = match fs::DirBuilder::new().mode(0o1777).create(path) {
        // The file creation mask has taken bits away.
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o1777)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    made.map_err(|error| {
        let remedy = "create it with mode 1777 when the image is built, or make /tmp writable";
        Fatal::new(
            Exit::NoDisplay,
            format!("cannot make {} for the display's socket: {error}; {remedy}", path.display()),
        )
    })
}
