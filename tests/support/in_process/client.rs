//! A client that works with raw bytes, so that it can be as wrong as it likes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::support::PATIENCE;

/// A stream in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Fails the test when `future` takes longer than anything here may take.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("took longer than anything here may take")
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    pub text: String,
}

/// What arrives on an open WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Ping,
    /// With the code, unless the frame was empty.
    Close(Option<u16>),
    /// The end of the stream, or a reset.
    Gone,
}

pub struct Client {
    pub stream: Box<dyn Duplex>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn new(stream: Box<dyn Duplex>) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends as much as the peer takes; one that has closed already takes nothing, which some tests want to see.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.ok();
    }

    pub async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// Takes what arrives next; 0 at the end.
    pub async fn more(&mut self) -> usize {
        self.buffer.reserve(64 * 1024);
        // A reset ends the stream as an end does.
        within(self.stream.read_buf(&mut self.buffer)).await.unwrap_or(0)
    }

    /// The head of the answer; `None` when the connection ends before.
    pub async fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
                let status = text.split(' ').nth(1).unwrap().parse().unwrap();
                return Some(Head { status, text: text.to_lowercase() });
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    /// Everything until the connection ends.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    pub async fn text(&mut self, text: &str) {
        self.send(&frame(0x81, text.as_bytes())).await;
    }

    /// The next frame. The server sends no fragments and masks nothing.
    pub async fn receive(&mut self) -> Received {
        let (first, length, head) = loop {
            if let Some(found) = self.frame_head() {
                break found;
            }
            if self.more().await == 0 {
                return Received::Gone;
            }
        };
        while self.buffer.len() < head + length {
            if self.more().await == 0 {
                return Received::Gone;
            }
        }
        let payload: Vec<u8> = self.buffer.drain(..head + length).skip(head).collect();
        match first {
            0x81 => Received::Text(payload),
            0x82 => Received::Binary(payload),
            0x88 => Received::Close(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]))),
            0x89 => Received::Ping,
            0x8a => Received::Pong(payload),
            other => panic!("the server sent a frame that begins with {other:#x}"),
        }
    }

    fn frame_head(&self) -> Option<(u8, usize, usize)> {
        let (first, second) = (*self.buffer.first()?, *self.buffer.get(1)?);
        let (length, head) = match second {
            126 => (u64::from(u16::from_be_bytes(self.buffer.get(2..4)?.try_into().unwrap())), 4),
            127 => (u64::from_be_bytes(self.buffer.get(2..10)?.try_into().unwrap()), 10),
            short => (u64::from(short), 2),
        };
        Some((first, usize::try_from(length).unwrap(), head))
    }

    /// Asks and gets the same text back: the connection works.
    pub async fn echo(&mut self, text: &str) {
        self.text(text).await;
        assert_eq!(self.receive().await, Received::Text(text.as_bytes().to_vec()));
    }

    /// Waits for the end of the connection and returns the close code, if one came before it.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.receive().await {
                Received::Close(code) => return code,
                Received::Gone => return None,
                _ => {}
            }
        }
    }
}

/// A client's frame with the masking key 0.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..65_536 => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0xff);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}
