//! The socket as the WebSocket parser sees it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{message_clock::MessageClock, stream::Stream};

/// Pongs that wait for a peer that does not read. The pong to the newest ping replaces older ones after that, which
/// RFC 6455, 5.5.3, allows.
pub(super) const CONTROL_BYTES: usize = 4 * 1024;

/// Reads are watched and rationed, writes go into a small buffer of whole frames.
pub(super) struct FrameSocket {
    /// What carries the connection.
    pub(super) stream: Stream,
    /// The time limits of messages.
    pub(super) clock: MessageClock,
    /// When the peer last sent something.
    pub(super) heard: Instant,
    /// Frames of the parser that are still to be written.
    pub(super) control: Vec<u8>,
    /// Whether the parser wanted to write and found the buffer full.
    pub(super) held_back: bool,
    /// Bytes that may still be read in this turn.
    pub(super) budget: usize,
}

impl AsyncRead for FrameSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.budget == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let bytes = &buffer.filled()[before..];
        if !bytes.is_empty() {
            let now = Instant::now();
            this.heard = now;
            this.clock.observe(bytes, now);
            this.budget = this.budget.saturating_sub(bytes.len());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FrameSocket {
    fn poll_write(mut self: Pin<&mut Self>, _context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // All or nothing keeps the buffer a sequence of whole frames. Nobody need be woken: the session lets the parser
        // try again when it has written.
        if self.control.len() + bytes.len() > CONTROL_BYTES && !self.control.is_empty() {
            self.held_back = true;
            return Poll::Pending;
        }
        self.control.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The session shuts the stream down itself, after its own last frame.
        Poll::Ready(Ok(()))
    }
}
