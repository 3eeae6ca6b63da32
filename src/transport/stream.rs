//! A connected byte stream, whatever carries it.

use std::{
    future::Future,
    io,
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::Sleep,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_vsock::VsockStream;

/// How long a closed connection is still read, so that unread input does not turn our last words into a reset
/// (RFC 9112, 9.6): the kernel answers data for a closed socket with RST, and RST discards what the peer has not read.
const LINGER_TIME: Duration = Duration::from_millis(500);

/// A connection of any kind. Its shutdown says goodbye, then reads on for a moment.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    linger: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Vsock(VsockStream),
    /// Boxed, because the state of TLS is twenty times as large as a socket.
    Tls(Box<TlsStream<TcpStream>>),
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

    /// Over vsock(7), between a virtual machine and its host.
    pub fn vsock(stream: VsockStream) -> Self {
        Self { socket: Socket::Vsock(stream), linger: None }
    }

    /// The same with TLS on it, as the server. Only TCP has it; the others do not leave the machine.
    pub(super) async fn accept_tls(self, config: Arc<ServerConfig>) -> io::Result<Self> {
        match self.socket {
            Socket::Tcp(stream) => {
                let stream = TlsAcceptor::from(config).accept(stream).await?;
                Ok(Self { socket: Socket::Tls(Box::new(stream.into())), linger: None })
            }
            _ => Ok(self),
        }
    }

    /// The same with TLS on it, as the client of the server with this name.
    pub(super) async fn connect_tls(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        match self.socket {
            Socket::Tcp(stream) => {
                let stream = TlsConnector::from(config).connect(name, stream).await?;
                Ok(Self { socket: Socket::Tls(Box::new(stream.into())), linger: None })
            }
            _ => Ok(self),
        }
    }

    /// The socket itself, out of the runtime.
    pub fn into_descriptor(self) -> io::Result<OwnedFd> {
        match self.socket {
            Socket::Tcp(stream) => stream.into_std().map(OwnedFd::from),
            Socket::Unix(stream) => stream.into_std().map(OwnedFd::from),
            // Its own descriptor stays with the runtime; a copy is the same socket.
            Socket::Vsock(stream) => stream.as_fd().try_clone_to_owned(),
            Socket::Tls(_) => Err(io::Error::other("what goes over this socket is encrypted")),
        }
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
            Socket::Vsock(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Vsock(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
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
            Socket::Vsock(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            // The others hand everything to the kernel at once.
            Socket::Tcp(_) | Socket::Unix(_) | Socket::Vsock(_) => Poll::Ready(Ok(())),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(match &mut self.socket {
                Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
                Socket::Unix(stream) => Pin::new(stream).poll_shutdown(context),
                Socket::Vsock(stream) => Pin::new(stream).poll_shutdown(context),
                Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
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
