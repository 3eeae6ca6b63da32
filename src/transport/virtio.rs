//! A virtio-serial port: one descriptor for as long as the machine runs, over which one host after the other comes and goes.
//!
//! How the port behaves was measured with QEMU 7.2 and Linux 6.1. Without a host a read gives 0 at once and poll says HUP for as
//! long, so a descriptor that stays registered with an edge of its end wakes its task without pause (600,000 times a second). Opened
//! again, the port loses bytes. So the one descriptor is taken out of the runtime when the host is gone, asked every
//! [`HOST_PAUSE`], and registered anew when one is there. Connections are told apart by [`SyncLine`]s.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, unix::AsyncFd},
    net::UnixStream,
    sync::watch,
    task::JoinHandle,
};

use super::{
    http::until_stopped,
    service::ServiceFuture,
    sync_line::{Scanned, Scanner, SyncLine},
};

/// How often a port without a host is asked for one. It costs 50 wake-ups a second while there is none, and the host's first
/// request waits 10 ms on average: the guest's own start takes seconds.
const HOST_PAUSE: Duration = Duration::from_millis(20);
/// How long a host has to be gone before its connection is. Where one host follows another at once, the guest may hear of the new
/// one's first bytes before it hears that the old one has closed.
const GONE_AFTER: Duration = Duration::from_millis(250);
/// When a host that has had no echo greets again: bytes that QEMU had not passed on are lost when the host before it closes.
const GREET_AGAIN: Duration = Duration::from_secs(1);
/// How long a connection that is over has to end by itself, which takes a WebSocket no time; only a request that came by `POST` goes
/// on without its peer, and is cut off.
const FORGET_TIME: Duration = Duration::from_millis(100);
/// One read or write: QEMU's port takes 32,768 bytes at a time.
const BUFFER: usize = 32 * 1024;
/// Where udev names ports, and where the kernel does.
const NAMED: &str = "/dev/virtio-ports";
const KERNEL: &str = "/sys/class/virtio-ports";

/// An open port.
#[derive(Debug)]
pub(super) struct Port {
    file: File,
    path: PathBuf,
}

/// Why a port is not served any more.
#[derive(Debug)]
enum Left {
    /// The host has closed its end; another may come.
    HostGone,
    /// The server stops, and the last connection has ended.
    Stopped,
    /// The port itself fails.
    Failed(io::Error),
}

/// The connection that the port carries now.
struct Carried {
    /// Our end of it.
    stream: UnixStream,
    task: JoinHandle<()>,
    /// What it has said and the port has not taken. It is kept while no host is seen: what looks like the end of this connection may be
    /// the end of the one before.
    outgoing: Vec<u8>,
}

impl Carried {
    /// Ends it: when this returns, what it held is being released, and the next may begin.
    async fn end(self) {
        let Self { stream, mut task, outgoing: _ } = self;
        drop(stream);
        if tokio::time::timeout(FORGET_TIME, &mut task).await.is_err() {
            task.abort();
        }
    }
}

/// How a connection begins: its server's end of it.
pub(super) trait Begin: FnMut(OwnedFd) -> io::Result<JoinHandle<()>> {}

impl<T: FnMut(OwnedFd) -> io::Result<JoinHandle<()>>> Begin for T {}

impl Port {
    /// Opens the port at `path`. A path in `/dev/virtio-ports` is found where no udev has made it, too.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let device = if path.exists() { path.to_owned() } else { device_of(path).unwrap_or_else(|| path.to_owned()) };
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::open(&device, flags, Mode::empty()).map_err(|error| match error {
            rustix::io::Errno::BUSY => io::Error::other("another program has the port open; only one can"),
            error => error.into(),
        })?;
        Ok(Self { file: file.into(), path: path.to_owned() })
    }

    /// One that is open already and does not block.
    pub(super) fn new(descriptor: OwnedFd, path: PathBuf) -> Self {
        Self { file: descriptor.into(), path }
    }

    /// Where it is, as it was named.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves hosts one after the other, each connection by the task that `begin` starts, until the server stops. `released` is waited
    /// for between one connection and the next.
    ///
    /// # Errors
    /// Why the port cannot be used any more.
    pub(super) async fn serve(
        self,
        mut stopped: watch::Receiver<bool>,
        mut begin: impl Begin,
        released: impl Fn() -> ServiceFuture<()>,
    ) -> io::Result<()> {
        let mut file = self.file;
        // What the last host left half-said may come with the first bytes of the next, so this outlives hosts.
        let mut scanner = Scanner::default();
        let mut carried: Option<Carried> = None;
        loop {
            tokio::select! {
                found = host(&file) => found?,
                () = tokio::time::sleep(GONE_AFTER), if carried.is_some() => {
                    end(&mut carried).await;
                    continue;
                }
                () = until_stopped(&mut stopped) => break,
            }
            let port = watched(file)?;
            match carry(&port, &mut scanner, &mut stopped, &mut begin, &released, &mut carried).await {
                Left::HostGone => file = port.into_inner(),
                Left::Stopped => break,
                Left::Failed(error) => {
                    end(&mut carried).await;
                    return Err(error);
                }
            }
        }
        end(&mut carried).await;
        Ok(())
    }
}

async fn end(carried: &mut Option<Carried>) {
    if let Some(carried) = carried.take() {
        carried.end().await;
    }
}

/// The port as the runtime watches it.
#[allow(deprecated, reason = "what replaces it is unsafe, for types whose descriptor may change; a file's does not")]
fn watched(file: File) -> io::Result<AsyncFd<File>> {
    AsyncFd::new(file)
}

/// Waits until a host has the other end open.
async fn host(file: &File) -> io::Result<()> {
    while host_is_gone(file)? {
        tokio::time::sleep(HOST_PAUSE).await;
    }
    Ok(())
}

fn host_is_gone(file: &File) -> io::Result<bool> {
    let mut asked = [PollFd::new(file, PollFlags::empty())];
    match poll(&mut asked, Some(&Timespec::default())) {
        Ok(_) => Ok(asked[0].revents().contains(PollFlags::HUP)),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Carries connections until the host is gone or the server has stopped.
async fn carry(
    port: &AsyncFd<File>,
    scanner: &mut Scanner,
    stopped: &mut watch::Receiver<bool>,
    begin: &mut impl Begin,
    released: &impl Fn() -> ServiceFuture<()>,
    carried: &mut Option<Carried>,
) -> Left {
    let (mut asked, mut answer) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut stopping = false;
    loop {
        if stopping && carried.is_none() {
            return Left::Stopped;
        }
        let went = tokio::select! {
            // What the host says goes first: it may be that the connection is over.
            biased;
            read = read(port, &mut asked) => match read {
                Ok(count) => take(scanner.feed(&asked[..count]), carried, begin, released).await,
                Err(left) => Err(left),
            },
            spoken = speak(port, carried, &mut answer) => spoken,
            // The connection is told by its own server; its last words still pass.
            () = until_stopped(stopped), if !stopping => {
                stopping = true;
                Ok(())
            }
        };
        if let Err(left) = went {
            return left;
        }
    }
}

/// Carries a part of what the connection says: reads it, or writes what was read. Without a connection there is nothing to do.
async fn speak(port: &AsyncFd<File>, carried: &mut Option<Carried>, buffer: &mut [u8]) -> Result<(), Left> {
    let Some(connection) = carried else { return std::future::pending().await };
    if !connection.outgoing.is_empty() {
        return write(port, &mut connection.outgoing).await;
    }
    match connection.stream.read(buffer).await {
        Ok(count) if count > 0 => connection.outgoing.extend_from_slice(&buffer[..count]),
        // The server has ended it; what was said before has told the host.
        Ok(_) | Err(_) => *carried = None,
    }
    Ok(())
}

/// Begins another connection where a line says so, and hands on what belongs to the one that is there.
async fn take(
    Scanned { line, rest }: Scanned,
    carried: &mut Option<Carried>,
    begin: &mut impl Begin,
    released: &impl Fn() -> ServiceFuture<()>,
) -> Result<(), Left> {
    if let Some(line) = line {
        end(carried).await;
        released().await;
        *carried = Some(connect(begin, line).map_err(Left::Failed)?);
    }
    if let Some(connection) = carried
        && !rest.is_empty()
        // The server has ended it: what still comes is for nobody, until the next line.
        && connection.stream.write_all(&rest).await.is_err()
    {
        *carried = None;
    }
    Ok(())
}

/// A connection that begins with the echo of its line.
fn connect(begin: &mut impl Begin, line: SyncLine) -> io::Result<Carried> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let task = begin(theirs.into())?;
    Ok(Carried { stream: UnixStream::from_std(ours)?, task, outgoing: line.bytes().to_vec() })
}

async fn read(port: &AsyncFd<File>, buffer: &mut [u8]) -> Result<usize, Left> {
    loop {
        let mut ready = port.readable().await.map_err(Left::Failed)?;
        let closed = ready.ready().is_read_closed();
        match ready.try_io(|port| port.get_ref().read(buffer)) {
            Ok(Ok(0)) => return Err(Left::HostGone),
            Ok(Ok(count)) => return Ok(count),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(Left::Failed(error)),
            Err(_would_block) => still_there(port, closed)?,
        }
    }
}

/// Writes as much of what the connection has said as the port takes.
async fn write(port: &AsyncFd<File>, outgoing: &mut Vec<u8>) -> Result<(), Left> {
    loop {
        let mut ready = port.writable().await.map_err(Left::Failed)?;
        let closed = ready.ready().is_write_closed();
        match ready.try_io(|port| port.get_ref().write(outgoing)) {
            Ok(Ok(0)) => return Err(Left::HostGone),
            Ok(Ok(count)) => {
                outgoing.drain(..count);
                return Ok(());
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(Left::Failed(error)),
            Err(_would_block) => still_there(port, closed)?,
        }
    }
}

/// Whether it is worth waiting for the port as it is registered. Once it has reported an end, the runtime calls it ready for good,
/// although another host may be there by now: asking it again and again would use up this task's turn, and nothing else of it
/// would be done. Registered anew it is what it is.
fn still_there(port: &AsyncFd<File>, closed: bool) -> Result<(), Left> {
    if closed {
        return Err(Left::HostGone);
    }
    match host_is_gone(port.get_ref()) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Left::HostGone),
        Err(error) => Err(Left::Failed(error)),
    }
}

/// The device whose port has the name that `path` ends with: guests without udev have no `/dev/virtio-ports`.
fn device_of(path: &Path) -> Option<PathBuf> {
    let name = path.strip_prefix(NAMED).ok()?.to_str()?;
    let ports = fs::read_dir(KERNEL).ok()?;
    ports.filter_map(Result::ok).find_map(|port| {
        let said = fs::read_to_string(port.path().join("name")).ok()?;
        (said.trim_end() == name).then(|| Path::new("/dev").join(port.file_name()))
    })
}

/// Makes sure that whoever is at the other end of `stream` listens to this connection and to no earlier one.
///
/// # Errors
/// The connection has failed. How long it may take is the caller's concern.
pub(super) async fn greet(stream: &mut UnixStream) -> io::Result<()> {
    let mut scanner = Scanner::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        // Another each time, so that a late echo of the last one is none of this.
        let line = SyncLine::fresh().map_err(io::Error::other)?;
        stream.write_all(line.bytes()).await?;
        let again = tokio::time::sleep(GREET_AGAIN);
        tokio::pin!(again);
        loop {
            let count = tokio::select! {
                count = stream.read(&mut buffer) => count?,
                () = &mut again => break,
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // Whatever is before the echo was for others. Behind it is nothing: the guest speaks when it is asked.
            if scanner.feed(&buffer[..count]).line == Some(line) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
