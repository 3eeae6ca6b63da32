//! Copies bytes between descriptors of any kind: pipes, sockets, files, terminals.
//!
//! By blocking threads: a descriptor that other processes share must not be made non-blocking (the flag belongs to the
//! open file, so a shell's terminal would change with it), and epoll refuses regular files.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
};

use rustix::event::{PollFd, PollFlags};
use tokio::sync::oneshot;

use super::stream::Stream;

/// One copy step; a pipe holds as much.
const BUFFER: usize = 64 * 1024;

/// Copies until the end of `from`, whether or not somebody else made the descriptors non-blocking.
pub fn pump(mut from: impl Read + AsFd, mut to: impl Write + AsFd) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) => {
                wait(&error, &from, PollFlags::IN)?;
                continue;
            }
        };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            match to.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) => wait(&error, &to, PollFlags::OUT)?,
            }
        }
    }
}

/// Waits out an error that means "not yet"; returns every other.
fn wait(error: &io::Error, descriptor: &impl AsFd, events: PollFlags) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => match rustix::event::poll(&mut [PollFd::new(descriptor, events)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        },
        _ => Err(io::Error::from(error.kind())),
    }
}

/// Carries a stream that only the runtime can read to and from two descriptors, until the peer has ended it. The end of `read` is not
/// passed on: what the peer still says comes out.
pub async fn carry(stream: Stream, read: OwnedFd, write: OwnedFd) -> io::Result<()> {
    let (socket, written) = join(read, write)?;
    socket.set_nonblocking(true)?;
    let mut socket = tokio::net::UnixStream::from_std(socket)?;
    let (mut from_peer, mut to_peer) = tokio::io::split(stream);
    {
        let (mut from_here, mut to_here) = socket.split();
        let outward = async {
            tokio::io::copy(&mut from_here, &mut to_peer).await?;
            std::future::pending::<io::Result<u64>>().await
        };
        let inward = tokio::io::copy(&mut from_peer, &mut to_here);
        tokio::select! {
            ended = inward => ended,
            failed = outward => failed,
        }?;
    }
    drop(socket);
    // The thread that writes says when it is done; one that has failed has nothing more to say.
    written.await.ok();
    Ok(())
}

/// Makes one socket of a descriptor to read and one to write. The receiver hears when everything that was written to the
/// socket has reached `write`.
pub(super) fn join(read: OwnedFd, write: OwnedFd) -> io::Result<(UnixStream, oneshot::Receiver<()>)> {
    let (ours, theirs) = UnixStream::pair()?;
    let (inward, outward) = (theirs.try_clone()?, theirs);
    let (finished, heard) = oneshot::channel();
    thread::Builder::new().name("standard input".to_owned()).spawn(move || {
        let how = if pump(File::from(read), &inward).is_ok() { Shutdown::Write } else { Shutdown::Both };
        // Fails only when the other side is gone, and then there is nobody left to tell.
        inward.shutdown(how).ok();
    })?;
    thread::Builder::new().name("standard output".to_owned()).spawn(move || {
        if pump(&outward, File::from(write)).is_err() {
            // As above.
            outward.shutdown(Shutdown::Both).ok();
        }
        // The receiver may have stopped waiting.
        finished.send(()).ok();
    })?;
    Ok((ours, heard))
}
