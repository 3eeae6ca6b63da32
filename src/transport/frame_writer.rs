//! Writes frames to the socket in as few calls as the kernel allows, a server's without copying payloads.
//!
//! A server's frames are not masked (RFC 6455, 5.1), so a frame is a header of at most ten bytes before bytes that are
//! already there; a picture of a megabyte goes from where it was encoded into the kernel, for as many readers as there are. A client's
//! have to be: where we have called a controller each frame is a copy.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::AsyncWrite;

use crate::{
    protocol::message::{BinaryMessage, MessageText},
    transport::outbox::{Charge, Delivery, Outgoing},
};

/// How many slices one call hands to the kernel: enough for eight small answers at once.
const SLICES: usize = 16;
/// The longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_PAYLOAD: usize = 125;

#[derive(Clone, Copy)]
enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
}

/// Whether frames are masked (RFC 6455, 5.1 and 5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Masking {
    /// As a server sends them.
    #[default]
    Plain,
    /// As a client must.
    Masked,
}

/// Frames on their way into the socket.
#[derive(Default)]
pub(super) struct FrameWriter {
    masking: Masking,
    chunks: VecDeque<Chunk>,
    /// Bytes of the first chunk that are written.
    written: usize,
}

struct Chunk {
    head: [u8; HEAD_BYTES],
    head_length: usize,
    body: Body,
    length: usize,
    /// The share of the bound that is given back when the chunk is written; an attachment has none of its own.
    _charge: Option<Charge>,
}

enum Body {
    Text(MessageText),
    Binary(BinaryMessage),
    /// A whole message's payload, masked.
    Masked(Vec<u8>),
    /// Of a close frame, or whole control frames that are already encoded.
    Control(Vec<u8>),
}

impl FrameWriter {
    /// With frames like these.
    pub(super) fn new(masking: Masking) -> Self {
        Self { masking, ..Self::default() }
    }

    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Queues a message.
    pub(super) fn message(&mut self, delivery: Delivery) {
        let Delivery { outgoing, charge } = delivery;
        let Outgoing { attachments, text } = outgoing;
        for binary in attachments {
            self.chunks.push_back(Chunk::new(self.masking, Opcode::Binary, Body::Binary(binary), None));
        }
        self.chunks.push_back(Chunk::new(self.masking, Opcode::Text, Body::Text(text), Some(charge)));
    }

    /// Queues encoded control frames before every message that has not begun. Takes them only when none wait already,
    /// so that a peer that pings without reading fills the caller's small buffer and nothing else.
    pub(super) fn control(&mut self, frames: &mut Vec<u8>) {
        let place = usize::from(self.written > 0);
        let waits = self.chunks.iter().take(place + 1).any(|chunk| matches!(chunk.body, Body::Control(_)));
        if !frames.is_empty() && !waits {
            self.chunks.insert(place, Chunk::encoded(std::mem::take(frames)));
        }
    }

    /// A ping with an empty payload, encoded.
    pub(super) fn ping(&self) -> Vec<u8> {
        match self.masking {
            Masking::Plain => {
                let (head, length) = header(Opcode::Ping, 0);
                head[..length].to_vec()
            }
            Masking::Masked => {
                let (head, length, _) = masked_header(Opcode::Ping, 0);
                head[..length].to_vec()
            }
        }
    }

    /// Forgets what has not begun.
    pub(super) fn abandon(&mut self) {
        self.chunks.truncate(usize::from(self.written > 0));
    }

    /// Queues a close frame behind everything. No code: an empty one.
    pub(super) fn close(&mut self, code: Option<u16>, reason: &str) {
        let mut payload = Vec::new();
        if let Some(code) = code {
            payload.extend(code.to_be_bytes());
            let mut length = reason.len().min(CONTROL_PAYLOAD - payload.len());
            while !reason.is_char_boundary(length) {
                length -= 1;
            }
            payload.extend(&reason.as_bytes()[..length]);
        }
        self.chunks.push_back(Chunk::new(self.masking, Opcode::Close, Body::Control(payload), None));
    }

    /// Writes until all is written, the socket is full, or it fails.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            let mut skip = self.written;
            for part in self.chunks.iter().flat_map(Chunk::pieces) {
                let skipped = skip.min(part.len());
                skip -= skipped;
                if skipped < part.len() {
                    slices[used] = IoSlice::new(&part[skipped..]);
                    used += 1;
                }
                if used == SLICES {
                    break;
                }
            }
            let count = ready!(Pin::new(&mut *socket).poll_write_vectored(context, &slices[..used]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            while let Some(chunk) = self.chunks.front()
                && self.written >= chunk.length
            {
                self.written -= chunk.length;
                self.chunks.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Chunk {
    fn new(masking: Masking, opcode: Opcode, body: Body, charge: Option<Charge>) -> Self {
        let payload = body.pieces().map(<[u8]>::len).sum();
        let (head, head_length, body) = match masking {
            Masking::Plain => {
                let (head, head_length) = header(opcode, payload);
                (head, head_length, body)
            }
            Masking::Masked => {
                let (head, head_length, key) = masked_header(opcode, payload);
                let mut bytes = Vec::with_capacity(payload);
                body.pieces().for_each(|piece| bytes.extend_from_slice(piece));
                for part in bytes.chunks_mut(KEY_BYTES) {
                    part.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
                }
                let control = matches!(body, Body::Control(_));
                (head, head_length, if control { Body::Control(bytes) } else { Body::Masked(bytes) })
            }
        };
        Self { head, head_length, body, length: head_length + payload, _charge: charge }
    }

    fn encoded(frames: Vec<u8>) -> Self {
        let length = frames.len();
        Self { head: [0; HEAD_BYTES], head_length: 0, body: Body::Control(frames), length, _charge: None }
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        [&self.head[..self.head_length]].into_iter().chain(self.body.pieces())
    }
}

impl Body {
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let (text, binary, control) = match self {
            Self::Text(text) => (Some(text), None, None),
            Self::Binary(binary) => (None, Some(binary), None),
            Self::Control(bytes) | Self::Masked(bytes) => (None, None, Some(bytes.as_slice())),
        };
        let messages = text.into_iter().flat_map(MessageText::pieces);
        messages.chain(binary.into_iter().flat_map(BinaryMessage::pieces)).chain(control)
    }
}

/// A header with its longest length and a key.
const HEAD_BYTES: usize = 10 + KEY_BYTES;
const KEY_BYTES: usize = 4;
/// Says that a key follows the length.
const MASK: u8 = 0x80;

/// The header of a final, masked frame, its length, and the key that stands at its end.
fn masked_header(opcode: Opcode, payload: usize) -> ([u8; HEAD_BYTES], usize, [u8; KEY_BYTES]) {
    let (mut head, length) = header(opcode, payload);
    // The key keeps pages in a browser from choosing what a proxy sees. What we send goes through TLS, and no page chooses it, so
    // without random numbers a key that is known does as well.
    let key = getrandom::u32().unwrap_or_default().to_ne_bytes();
    head[1] |= MASK;
    head[length..length + KEY_BYTES].copy_from_slice(&key);
    (head, length + KEY_BYTES, key)
}

/// The header of a final, unmasked frame (RFC 6455, 5.2) and its length.
fn header(opcode: Opcode, payload: usize) -> ([u8; HEAD_BYTES], usize) {
    let mut head = [0; HEAD_BYTES];
    head[0] = 0x80 | opcode as u8;
    if let Ok(short) = u8::try_from(payload)
        && short < 126
    {
        head[1] = short;
        (head, 2)
    } else if let Ok(medium) = u16::try_from(payload) {
        head[1] = 126;
        head[2..4].copy_from_slice(&medium.to_be_bytes());
        (head, 4)
    } else {
        head[1] = 127;
        head[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        (head, 10)
    }
}
