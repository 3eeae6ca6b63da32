//! One WebSocket connection after its handshake: one task that reads, lets the service answer, and writes.
//!
//! Reading never waits for writing: a peer that is gone is noticed while its own answers still fill the socket, and
//! then the [`Connection`] is dropped at once, which releases what it held. `tungstenite` parses and answers pings;
//! its few outgoing bytes are kept in a small buffer and go between our frames.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream as _;
use tokio::{
    io::AsyncWrite,
    time::{Instant, Sleep},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::{CapacityError, ProtocolError},
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    protocol::{carrying::Closing, limits},
    transport::{
        frame_socket::{CONTROL_BYTES, FrameSocket},
        frame_writer::{FrameWriter, Masking},
        message_clock::MessageClock,
        outbox::{CLOSE_OVERLOADED, CLOSE_POLICY, Ending, Outbox, OutboxReader},
        service::Connection,
        stream::Stream,
    },
};

/// How long the last words may take: within the second that a shutdown has.
const CLOSE_TIME: Duration = Duration::from_millis(900);
/// How long they may take for a reader that was too slow: it is behind by a socket's buffers at least.
const OVERLOADED_CLOSE_TIME: Duration = Duration::from_secs(5);
/// How many messages and bytes are taken before other connections get their turn.
const MESSAGES_A_TURN: usize = 32;
const BYTES_A_TURN: usize = 128 * 1024;
/// What is read in one call. Requests are small, and each connection keeps such a buffer.
const READ_BUFFER: usize = 16 * 1024;

/// "Going away": the server stops.
const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_PROTOCOL: u16 = 1002;
const CLOSE_NOT_TEXT: u16 = 1007;
const CLOSE_TOO_BIG: u16 = 1009;

/// Which end of the WebSocket we are. It makes no other difference: we answer, and the peer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer has connected to us.
    Server,
    /// We have connected to the peer.
    Client,
}

/// Runs a connection to its end and says why it came. `early` is what followed the handshake in the same read.
pub(super) async fn run(
    end: End,
    stream: Stream,
    early: Vec<u8>,
    open: impl FnOnce(Outbox) -> Box<dyn Connection>,
    shutdown: impl Future<Output = ()>,
) -> Closing {
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = READ_BUFFER;
    config.write_buffer_size = 0;
    config.max_write_buffer_size = CONTROL_BYTES;
    config.max_message_size = Some(limits::MESSAGE_BYTES);
    config.max_frame_size = Some(limits::MESSAGE_BYTES);

    let now = Instant::now();
    let mut clock = MessageClock::default();
    clock.observe(&early, now);
    let socket = FrameSocket { stream, clock, heard: now, control: Vec::new(), held_back: false, budget: BYTES_A_TURN };
    let (role, masking) = match end {
        End::Server => (Role::Server, Masking::Plain),
        End::Client => (Role::Client, Masking::Masked),
    };
    let messages = WebSocketStream::from_partially_read(socket, early, role, Some(config)).await;
    let (sender, outbox) = Outbox::new();
    let mut session = Session {
        messages,
        writer: FrameWriter::new(masking),
        outbox,
        state: State::Open(open(sender)),
        why: None,
        pinged: None,
        timer: Box::pin(tokio::time::sleep_until(now + limits::PING_INTERVAL)),
    };
    let mut shutdown = std::pin::pin!(shutdown);
    let mut stopping = false;
    std::future::poll_fn(|context| {
        if !stopping && shutdown.as_mut().poll(context).is_ready() {
            stopping = true;
            session.end(CLOSE_GOING_AWAY, "the server is shutting down");
        }
        session.poll(context)
    })
    .await;
    session.why.unwrap_or(Closing::Gone)
}

struct Session {
    messages: WebSocketStream<FrameSocket>,
    writer: FrameWriter,
    outbox: OutboxReader,
    state: State,
    /// Why it ends, once that is known; nothing when the peer just goes away.
    why: Option<Closing>,
    /// When the last ping was queued.
    pinged: Option<Instant>,
    /// Armed at or before the next deadline; moved only when it fires, not at every message.
    timer: Pin<Box<Sleep>>,
}

enum State {
    Open(Box<dyn Connection>),
    /// The service knows that it is over; the last words have until then.
    Closing(Instant),
}

/// What one round of reading came to.
enum Read {
    /// Nothing more for now.
    Drained,
    /// There is more, but it is somebody else's turn.
    Yield,
    /// The peer is gone.
    Gone,
}

impl Session {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.outbox.awake();
        self.messages.get_mut().budget = BYTES_A_TURN;
        loop {
            let mut again = false;
            if matches!(self.state, State::Open(_)) {
                match self.read(context) {
                    Read::Drained => {}
                    Read::Yield => again = true,
                    Read::Gone => return Poll::Ready(()),
                }
            }
            if self.write(context).is_err() {
                return Poll::Ready(());
            }
            let socket = self.messages.get_mut();
            if socket.held_back && socket.control.is_empty() {
                socket.held_back = false;
                continue;
            }
            if let State::Open(_) = self.state
                && let Some(Ending { code, reason }) = self.outbox.ending()
            {
                self.end(code, &reason);
                continue;
            }
            if let State::Closing(_) = self.state
                && self.writer.is_empty()
                && Pin::new(&mut self.messages.get_mut().stream).poll_shutdown(context).is_ready()
            {
                return Poll::Ready(());
            }
            match self.poll_timer(context) {
                Due::Nothing => {}
                Due::Changed => continue,
                Due::Over => return Poll::Ready(()),
            }
            if again {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.outbox.sleep(context.waker()) {
                return Poll::Pending;
            }
        }
    }

    fn read(&mut self, context: &mut Context<'_>) -> Read {
        for _ in 0..MESSAGES_A_TURN {
            let State::Open(connection) = &mut self.state else { return Read::Drained };
            match Pin::new(&mut self.messages).poll_next(context) {
                Poll::Pending => return Read::Drained,
                Poll::Ready(None) => return Read::Gone,
                Poll::Ready(Some(Ok(message))) => match message {
                    Message::Text(text) => connection.text(&text),
                    Message::Binary(bytes) => connection.binary(&bytes),
                    Message::Close(frame) => {
                        self.why.get_or_insert(Closing::ByPeer);
                        self.close(frame.map(|frame| frame.code.into()), "");
                        return Read::Drained;
                    }
                    // Answered by the crate, or no answer due.
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                },
                Poll::Ready(Some(Err(error))) => match complaint(&error) {
                    Some((code, reason)) => {
                        self.end(code, reason);
                        return Read::Drained;
                    }
                    None => return Read::Gone,
                },
            }
        }
        Read::Yield
    }

    fn write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        loop {
            // Only a batch leaves the bounded queue at a time; its bytes count as queued until they are written.
            if self.writer.is_empty() && matches!(self.state, State::Open(_)) {
                for _ in 0..MESSAGES_A_TURN {
                    let Some(delivery) = self.outbox.try_next() else { break };
                    self.writer.message(delivery);
                }
            }
            let socket = self.messages.get_mut();
            if matches!(self.state, State::Open(_)) {
                self.writer.control(&mut socket.control);
            }
            if self.writer.is_empty() {
                // TLS may keep what the socket did not take.
                return match Pin::new(&mut socket.stream).poll_flush(context) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => Ok(()),
                };
            }
            match self.writer.poll_write(&mut socket.stream, context) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Ends the session for a reason of ours.
    fn end(&mut self, code: u16, reason: &str) {
        self.why.get_or_insert(why(code));
        self.close(Some(code), reason);
    }

    /// Ends the session and queues the last words behind what is queued by now. Again: only hurries.
    fn close(&mut self, code: Option<u16>, reason: &str) {
        let overloaded = code == Some(CLOSE_OVERLOADED);
        let deadline = Instant::now() + if overloaded { OVERLOADED_CLOSE_TIME } else { CLOSE_TIME };
        if let State::Closing(earlier) = &mut self.state {
            *earlier = deadline.min(*earlier);
            return;
        }
        // Drops the connection, which releases what it held, before anything that may take time.
        self.state = State::Closing(deadline);
        self.outbox.refuse();
        if overloaded {
            self.writer.abandon();
        }
        while let Some(delivery) = self.outbox.try_next() {
            self.writer.message(delivery);
        }
        self.writer.close(code, reason);
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Due {
        loop {
            let due = self.due();
            if due < self.timer.deadline() {
                self.timer.as_mut().reset(due);
            }
            if self.timer.as_mut().poll(context).is_pending() {
                return Due::Nothing;
            }
            let now = Instant::now();
            if due > now {
                self.timer.as_mut().reset(due);
                continue;
            }
            // Armed again by the next round: a timer that has fired must not be polled as it is.
            self.timer.as_mut().reset(now + limits::PING_INTERVAL);
            let socket = self.messages.get_mut();
            if let State::Closing(_) = self.state {
                return Due::Over;
            }
            if socket.clock.deadline().is_some_and(|deadline| deadline <= now) {
                self.end(CLOSE_POLICY, "a message must be complete within 10 s of its first byte");
            } else if now >= socket.heard + limits::PEER_DEAD_AFTER {
                self.why.get_or_insert(Closing::Silent);
                return Due::Over;
            } else {
                self.pinged = Some(now);
                socket.control.extend(self.writer.ping());
            }
            return Due::Changed;
        }
    }

    fn due(&self) -> Instant {
        if let State::Closing(deadline) = self.state {
            return deadline;
        }
        let socket = self.messages.get_ref();
        let pinged = self.pinged.is_some_and(|pinged| pinged >= socket.heard);
        let due = socket.heard + if pinged { limits::PEER_DEAD_AFTER } else { limits::PING_INTERVAL };
        socket.clock.deadline().map_or(due, |deadline| deadline.min(due))
    }
}

/// What the timer brought.
enum Due {
    Nothing,
    /// Something is to be written.
    Changed,
    /// The connection is over.
    Over,
}

/// What a code of ours says to whoever counts.
const fn why(code: u16) -> Closing {
    match code {
        CLOSE_GOING_AWAY => Closing::GoingAway,
        CLOSE_PROTOCOL => Closing::Protocol,
        CLOSE_NOT_TEXT => Closing::NotText,
        CLOSE_TOO_BIG => Closing::TooBig,
        CLOSE_OVERLOADED => Closing::Overloaded,
        // The one that is left.
        _ => Closing::Policy,
    }
}

/// The close code and reason for what the parser found, or `None` when there is nobody left to tell.
fn complaint(error: &Error) -> Option<(u16, &'static str)> {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some((CLOSE_PROTOCOL, "not a frame that RFC 6455 allows here")),
        Error::Utf8(_) => Some((CLOSE_NOT_TEXT, "a text message must be UTF-8")),
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Some((CLOSE_TOO_BIG, "a message may have 262144 bytes"))
        }
        _ => None,
    }
}
