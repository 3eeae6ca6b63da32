//! Connections to the outside, made by a process of its own.
//!
//! The server cannot connect to anything but Unix sockets, and shall not be able to (`sandbox`): whoever took it over would
//! otherwise have a way out. So a child of the supervisor, which knows the few addresses of the configuration and nothing else,
//! looks up their names and connects, and hands over the sockets. What it is asked is the number of an address; what it answers is
//! a socket, or why there is none.

use std::{
    io::{self, IoSlice, IoSliceMut, Read},
    mem::MaybeUninit,
    net::{TcpStream, ToSocketAddrs},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as Blocking,
    },
    time::{Duration, Instant},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::{io::AsyncWriteExt as _, net::UnixStream, sync::Mutex};

/// How long connecting may take, over all addresses that a name has.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// The longest answer: the system's word for what went wrong.
const ANSWER_BYTES: usize = 512;
/// What an answer with a socket says.
const CONNECTED: &[u8] = b"connected";

/// The server's end of the line.
#[derive(Debug)]
pub struct DialLine(Mutex<UnixStream>);

impl DialLine {
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// The line cannot be made to wait without blocking.
    pub fn new(line: Blocking) -> io::Result<Self> {
        line.set_nonblocking(true)?;
        Ok(Self(Mutex::new(UnixStream::from_std(line)?)))
    }

    /// A connection to the address with this number. One at a time: who waits here longer than connecting may take waits for another.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn connect(&self, number: u8) -> io::Result<tokio::net::TcpStream> {
        let mut line = self.0.lock().await;
        line.write_all(&[number]).await?;
        loop {
            line.readable().await?;
            let answer = line.try_io(tokio::io::Interest::READABLE, || receive(&*line));
            match answer {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                answer => {
                    let stream = TcpStream::from(answer?);
                    stream.set_nonblocking(true)?;
                    return tokio::net::TcpStream::from_std(stream);
                }
            }
        }
    }
}

/// Takes one answer: both ends send each in one piece.
fn receive(line: impl AsFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut text = [0; ANSWER_BYTES];
    let message = recvmsg(line, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let socket = control.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    match socket {
        Some(socket) => Ok(socket),
        None if message.bytes == 0 => Err(io::Error::other("the process that connects has ended")),
        None => Err(io::Error::other(String::from_utf8_lossy(&text[..message.bytes]).into_owned())),
    }
}

/// Answers until the server is gone, in the process that connects. `addresses` are hosts and ports, in their order.
///
/// # Errors
/// The line has failed.
pub fn answer(mut line: Blocking, addresses: &[(String, u16)]) -> io::Result<()> {
    let mut number = [0];
    loop {
        match line.read(&mut number) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let connected = match addresses.get(usize::from(number[0])) {
            Some((host, port)) => connect(host, *port),
            None => Err(io::Error::other("there is no such address")),
        };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let send = |text: &[u8], control: &mut SendAncillaryBuffer<'_, '_, '_>| {
            sendmsg(&line, &[IoSlice::new(text)], control, SendFlags::NOSIGNAL)
        };
        match &connected {
            Ok(stream) => {
                let sockets = [stream.as_fd()];
                if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
                    return Err(io::Error::other("one descriptor does not fit the space made for one"));
                }
                send(CONNECTED, &mut control)?;
            }
            Err(error) => {
                let text = error.to_string();
                // Read as text with whatever stands for half a character.
                send(&text.as_bytes()[..text.len().min(ANSWER_BYTES)], &mut control)?;
            }
        }
    }
}

/// Tries the addresses of a name one after the other.
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let begun = Instant::now();
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        let Some(left) = CONNECT_TIME.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { break };
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    #[tokio::test]
    async fn a_connection_comes_from_the_other_process_or_the_reason_why_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ours, theirs) = Blocking::pair().unwrap();
        let addresses = [("localhost".to_owned(), port), ("127.0.0.1".to_owned(), 1)];
        let answering = thread::spawn(move || answer(theirs, &addresses));
        let line = DialLine::new(ours).unwrap();
        let stream = line.connect(0).await.unwrap();
        assert_eq!(listener.accept().unwrap().1, stream.local_addr().unwrap());
        let refused = line.connect(1).await.unwrap_err();
        assert!(refused.to_string().contains("127.0.0.1:1"), "{refused}");
        assert!(line.connect(7).await.unwrap_err().to_string().contains("no such address"));
        // And again, after a failure.
        line.connect(0).await.unwrap();
        drop(line);
        answering.join().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_process_that_has_ended_is_told_as_that() {
        let (ours, theirs) = Blocking::pair().unwrap();
        let line = DialLine::new(ours).unwrap();
        drop(theirs);
        assert!(line.connect(0).await.is_err());
    }
}
