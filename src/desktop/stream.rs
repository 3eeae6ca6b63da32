//! The X connection's bytes, with a deadline: x11rb waits for ever by itself, and a stopped server must cost a bounded time.

use std::{
    cell::{Cell, RefCell},
    io,
    io::IoSlice,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use x11rb::rust_connection::{DefaultStream, PollMode, Stream};

use super::{connection::OPERATION_TIME, incoming::Incoming};

/// How long a write without a deadline may wait for room in the kernel's buffer, as long as an answer may take.
const WRITE_TIME: Duration = OPERATION_TIME;

/// How much is read before a deadline is looked at again: more than the kernel's buffer holds, so that only a server which
/// sends faster than we read meets it.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// A Unix stream whose waits end at a deadline with [`io::ErrorKind::TimedOut`].
///
/// A wait that times out loses nothing: the connection goes on when the server does. The exception is a write that the
/// kernel's buffer cannot take; x11rb may then have sent half a request, so [`DeadlineStream::is_torn`] tells.
#[derive(Debug)]
pub struct DeadlineStream {
    inner: DefaultStream,
    deadline: Cell<Option<Instant>>,
    /// The last write found the kernel's buffer full.
    write_blocked: Cell<bool>,
    torn: Cell<bool>,
    /// How much was read since the last wait.
    read_at_once: Cell<usize>,
    /// What comes is counted from the first packet on.
    incoming: RefCell<Option<Incoming>>,
}

impl DeadlineStream {
    /// Wraps a connected stream.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let (inner, _address) = DefaultStream::from_unix_stream(stream)?;
        Ok(Self {
            inner,
            deadline: Cell::new(None),
            write_blocked: Cell::new(false),
            torn: Cell::new(false),
            read_at_once: Cell::new(0),
            incoming: RefCell::new(None),
        })
    }

    /// From now on the server sends packets, each as long as it says: the connection has been set up.
    pub fn expect_packets(&self) {
        *self.incoming.borrow_mut() = Some(Incoming::default());
    }

    /// Notes what is known about what comes; nothing before packets are expected.
    pub fn note_incoming(&self, note: impl FnOnce(&mut Incoming)) {
        self.incoming.borrow_mut().as_mut().map(note);
    }

    /// Sets when waits end; with `None` a wait for the server's bytes lasts for ever. Returns the deadline that was set before.
    pub fn set_deadline(&self, deadline: Option<Instant>) -> Option<Instant> {
        self.deadline.replace(deadline)
    }

    /// Whether a write timed out, after which the stream may end inside a request, or the server has sent what it must not:
    /// the stream cannot be used any more.
    pub fn is_torn(&self) -> bool {
        self.torn.get()
    }

    fn note<T>(&self, written: io::Result<T>) -> io::Result<T> {
        self.write_blocked.set(written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        written
    }
}

/// How long `poll` may wait until the deadline; `None` when it has passed.
pub fn remaining(deadline: Option<Instant>) -> Option<Option<Timespec>> {
    let Some(deadline) = deadline else { return Some(None) };
    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
    // A duration of more seconds than `i64` holds is as good as for ever.
    Some(Timespec::try_from(left).ok())
}

impl AsFd for DeadlineStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl Stream for DeadlineStream {
    fn poll(&self, mode: PollMode) -> io::Result<()> {
        // x11rb polls before each request, even when it only fills its own buffer. A stream may say "ready" wrongly, as
        // long as it does not do so for ever; the write itself tells, and saves a system call a request.
        if mode.writable() && !self.write_blocked.get() {
            return Ok(());
        }
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, mode.readable());
        flags.set(PollFlags::OUT, mode.writable());
        let mut deadline = self.deadline.get();
        if deadline.is_none() && mode.writable() {
            // Waiting for an event may take for ever; a server that takes no bytes never does so on purpose.
            deadline = Instant::now().checked_add(WRITE_TIME);
        }
        loop {
            let Some(timeout) = remaining(deadline) else {
                if mode.writable() {
                    self.torn.set(true);
                }
                return Err(io::ErrorKind::TimedOut.into());
            };
            match poll(&mut [PollFd::new(&self.inner, flags)], timeout.as_ref()) {
                // An error or a hang-up is found by the read or write that follows.
                Ok(1..) => return Ok(()),
                Ok(0) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&self, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        loop {
            // x11rb reads as long as there is something, and a server that never stops sending must not keep us there.
            let before = self.read_at_once.replace(0);
            if before >= BYTES_AT_ONCE {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = self.inner.read(buffer, descriptors)?;
            self.read_at_once.set(before + count);
            let Some(incoming) = &mut *self.incoming.borrow_mut() else { return Ok(count) };
            let kept = incoming.sift(&mut buffer[..count]).inspect_err(|_| self.torn.set(true))?;
            // Nothing read means the end of the stream, and nothing kept does not.
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }

    fn write(&self, buffer: &[u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        self.note(self.inner.write(buffer, descriptors))
    }

    fn write_vectored(&self, buffers: &[IoSlice<'_>], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        self.note(self.inner.write_vectored(buffers, descriptors))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn pair() -> (DeadlineStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (DeadlineStream::new(ours).unwrap(), theirs)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn a_read_that_nobody_answers_ends_at_the_deadline_and_can_be_tried_again() {
        let (stream, mut server) = pair();
        stream.set_deadline(Some(soon()));
        assert_eq!(stream.poll(PollMode::Readable).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(!stream.is_torn());
        io::Write::write_all(&mut server, b"late").unwrap();
        stream.set_deadline(None);
        stream.poll(PollMode::Readable).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut buffer, &mut Vec::new()).unwrap(), 4);
    }

    #[test]
    fn a_write_that_nobody_takes_ends_at_the_deadline_and_tears_the_stream() {
        let (stream, mut server) = pair();
        let chunk = vec![7; 65536];
        let mut written = 0;
        while let Ok(count) = stream.write(&chunk, &mut Vec::new()) {
            written += count;
        }
        stream.set_deadline(Some(soon()));
        assert_eq!(stream.poll(PollMode::ReadAndWritable).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(stream.is_torn());
        let mut taken = vec![0; written];
        server.read_exact(&mut taken).unwrap();
        assert!(taken.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_server_that_never_stops_sending_does_not_keep_a_reader() {
        let (stream, mut server) = pair();
        server.set_nonblocking(true).unwrap();
        let (mut chunk, mut taken) = (vec![0; 65536], 0);
        let fill = |server: &mut UnixStream| while io::Write::write(server, &vec![7; 65536]).is_ok() {};
        let blocked = loop {
            fill(&mut server);
            match stream.read(&mut chunk, &mut Vec::new()) {
                Ok(count) => taken += count,
                Err(error) => break error,
            }
        };
        assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
        assert!((BYTES_AT_ONCE..2 * BYTES_AT_ONCE).contains(&taken), "{taken}");
        stream.read(&mut chunk, &mut Vec::new()).unwrap();
    }

    #[test]
    fn packets_are_counted_from_the_moment_on_that_they_are_expected() {
        let (stream, mut server) = pair();
        let reply = [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        io::Write::write_all(&mut server, &reply).unwrap();
        stream.read(&mut [0; 64], &mut Vec::new()).unwrap();
        stream.expect_packets();
        io::Write::write_all(&mut server, &reply).unwrap();
        assert_eq!(stream.read(&mut [0; 64], &mut Vec::new()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(stream.is_torn());
    }

    #[test]
    fn what_is_left_out_is_not_the_end_of_the_stream() {
        let (stream, mut server) = pair();
        stream.expect_packets();
        // MappingNotify, sent by a client.
        let forged = [0xa2; 32];
        io::Write::write_all(&mut server, &forged).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(stream.read(&mut buffer, &mut Vec::new()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        io::Write::write_all(&mut server, &[forged, [12; 32]].concat()).unwrap();
        assert_eq!(stream.read(&mut buffer, &mut Vec::new()).unwrap(), 32);
        assert_eq!(buffer[..32], [12; 32]);
        drop(server);
        assert_eq!(stream.read(&mut buffer, &mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn a_server_that_went_away_wakes_a_wait_at_once() {
        let (stream, server) = pair();
        drop(server);
        stream.poll(PollMode::Readable).unwrap();
        assert_eq!(stream.read(&mut [0; 8], &mut Vec::new()).unwrap(), 0);
    }
}
