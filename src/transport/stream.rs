//! A connected byte stream, whatever carries it.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::Sleep,
};

/// How long a closed connection is still read, so that unread input does not turn our last words into a reset
/// (RFC 9112, 9.6): the kernel answers data for a closed socket with RST, and RST discards what the peer has not read.
const LINGER_TIME: Duration = Duration::from_millis(500);

/// A TCP or Unix connection. Its shutdown says goodbye, then reads on for a moment.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    linger: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Over TCP, without Nagle's delay: every message is a whole answer that somebody waits for.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { socket: Socket::Tcp(stream), linger: None })
    }

    /// Over a Unix socket.
    pub fn unix(stream: UnixStream) -> Self {
        Self { socket: Socket::Unix(stream), linger: None }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(match &mut self.socket {
                Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
                Socket::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            })?;
            self.linger = Some(Box::pin(tokio::time::sleep(LINGER_TIME)));
        }
        if let Some(linger) = &mut self.linger
            && linger.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0_u8; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(self.as_mut().poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
