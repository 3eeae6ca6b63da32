//! The client's half of RFC 6455, and no more of it than a measurement needs: whole messages, no extensions.
//!
//! A buffer is kept and a message is one `write` and as few `read`s as the socket has it ready in, so that the client's part
//! of each figure is as small as it can be. Text is not checked for UTF-8.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::Failure;

/// A server that says nothing for so long has failed: the slowest that is measured takes some seconds for a text.
const PATIENCE: Duration = Duration::from_secs(180);
/// The key of the handshake. It only has to be 16 bytes in base64; what it protects from are caches.
const KEY: &str = "ZGVza2hhbmQgYmVuY2htYQ==";
/// At least so much room is offered to each read, so that a picture comes in few of them.
const READ_SIZE: usize = 256 * 1024;

/// What stands for a length of up to 125 when the length follows instead.
const LENGTH_OF_16_BITS: u8 = 0x7e;
const LENGTH_OF_64_BITS: u8 = 0x7f;

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
}

/// One end of a connection after its handshake.
pub struct WebSocket {
    stream: TcpStream,
    /// Whether what is sent has to be masked: by clients, not by servers.
    masks: bool,
    received: Vec<u8>,
    /// `received[start..end]` has arrived and not been looked at.
    start: usize,
    end: usize,
    outgoing: Vec<u8>,
}

impl WebSocket {
    /// Connects and upgrades.
    pub fn connect(address: &str, path: &str, headers: &[(String, String)]) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        let mut socket = Self::over(stream, true)?;
        socket.stream.write_all((request + "\r\n").as_bytes())?;
        let head = socket.head()?;
        if head.starts_with("HTTP/1.1 101") {
            return Ok(socket);
        }
        Err(format!("the upgrade is answered with {:?}", head.lines().next().unwrap_or_default()).into())
    }

    /// The server's end: whatever is asked for is upgraded, unchecked; `bench-client` is the only one that asks.
    pub fn accept(stream: TcpStream) -> Result<Self, Failure> {
        let mut socket = Self::over(stream, false)?;
        socket.head()?;
        socket
            .stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")?;
        Ok(socket)
    }

    fn over(stream: TcpStream, masks: bool) -> Result<Self, Failure> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, masks, received: vec![0; READ_SIZE], start: 0, end: 0, outgoing: Vec::new() })
    }

    /// Reads the head of an HTTP message and leaves what follows it.
    fn head(&mut self) -> Result<String, Failure> {
        loop {
            let arrived = &self.received[self.start..self.end];
            if let Some(length) = arrived.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&arrived[..length]).into_owned();
                self.start += length + 4;
                return Ok(head);
            }
            self.more(1)?;
        }
    }

    /// Sends one message in one frame.
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Failure> {
        self.outgoing.clear();
        self.outgoing.push(0x80 | if kind == Kind::Text { 1 } else { 2 });
        let mask_bit = if self.masks { 0x80 } else { 0 };
        match payload.len() {
            length @ 0..126 => self.outgoing.push(mask_bit | u8::try_from(length)?),
            length @ 126..0x1_0000 => {
                self.outgoing.push(mask_bit | LENGTH_OF_16_BITS);
                self.outgoing.extend(u16::try_from(length)?.to_be_bytes());
            }
            length => {
                self.outgoing.push(mask_bit | LENGTH_OF_64_BITS);
                self.outgoing.extend(u64::try_from(length)?.to_be_bytes());
            }
        }
        if self.masks {
            // A mask of zeros is a mask: what it is for, hiding patterns from proxies, does not arise on loopback.
            self.outgoing.extend([0; 4]);
        }
        self.outgoing.extend_from_slice(payload);
        Ok(self.stream.write_all(&self.outgoing)?)
    }

    /// Reads the next message; its payload is valid until the next call.
    pub fn receive(&mut self) -> Result<(Kind, &[u8]), Failure> {
        loop {
            let (opcode, start, length) = self.frame()?;
            match opcode {
                0x81 => return Ok((Kind::Text, &self.received[start..start + length])),
                0x82 => return Ok((Kind::Binary, &self.received[start..start + length])),
                0x88 => {
                    let why = &self.received[start..start + length];
                    let code = why.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    let reason = String::from_utf8_lossy(why.get(2..).unwrap_or_default());
                    return Err(format!("the server has closed the connection: {code} {reason}").into());
                }
                0x89 => {
                    let pong = self.received[start..start + length].to_vec();
                    let mut frame = vec![0x8a, if self.masks { 0x80 } else { 0 } | u8::try_from(pong.len())?];
                    frame.extend(self.masks.then_some([0; 4]).iter().flatten());
                    frame.extend(pong);
                    self.stream.write_all(&frame)?;
                }
                0x8a => {}
                other => {
                    return Err(format!("a frame begins with {other:#x}; only whole messages are understood").into());
                }
            }
        }
    }

    /// Takes in one frame: its first byte, and where its payload is. Unmasks it where it is masked.
    fn frame(&mut self) -> Result<(u8, usize, usize), Failure> {
        self.have(2)?;
        let (first, second) = (self.received[self.start], self.received[self.start + 1]);
        let extended = match second & 0x7f {
            LENGTH_OF_16_BITS => 2,
            LENGTH_OF_64_BITS => 8,
            _ => 0,
        };
        let mask_size = if second & 0x80 == 0 { 0 } else { 4 };
        let header = 2 + extended + mask_size;
        self.have(header)?;
        let at = self.start + 2;
        let length = if extended == 0 {
            usize::from(second & 0x7f)
        } else {
            self.received[at..at + extended].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        };
        self.have(header + length)?;
        let payload = self.start + header;
        if mask_size > 0 {
            let mask: [u8; 4] = self.received[payload - 4..payload].try_into()?;
            if mask != [0; 4] {
                let bytes = self.received[payload..payload + length].iter_mut();
                bytes.zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            }
        }
        self.start = payload + length;
        Ok((first, payload, length))
    }

    /// Waits until so many unread bytes are there.
    fn have(&mut self, count: usize) -> Result<(), Failure> {
        while self.end - self.start < count {
            self.more(count)?;
        }
        Ok(())
    }

    fn more(&mut self, wanted: usize) -> Result<(), Failure> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start + wanted.max(READ_SIZE) > self.received.len() {
            self.received.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = (self.start + wanted).max(self.end + READ_SIZE);
        if self.received.len() < room {
            self.received.resize(room, 0);
        }
        match self.stream.read(&mut self.received[self.end..])? {
            0 => Err("the server has gone away".into()),
            length => {
                self.end += length;
                Ok(())
            }
        }
    }
}
