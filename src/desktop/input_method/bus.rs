//! As much of D-Bus as one question takes: connect, say who we are, call, read the answer (D-Bus specification 0.42). The
//! address came from another program: every wait has an end, and every length a limit.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// The longest message that is read. The description of an engine is some hundred bytes.
const MESSAGE_BYTES: usize = 64 * 1024;
/// How many messages may come before the answer: signals about names.
const MESSAGES: usize = 64;
/// The longest line while we say who we are.
const LINE_BYTES: usize = 512;
/// What every message has before its header fields end.
const FIXED_BYTES: usize = 16;
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;

/// A connection to a bus.
pub(super) struct Bus {
    stream: UnixStream,
    end: Instant,
    serial: u32,
}

impl Bus {
    /// Connects to the first address that answers, in all within this time.
    pub(super) fn connect(addresses: &str, limit: Duration) -> Option<Self> {
        let end = Instant::now() + limit;
        addresses.split(';').find_map(|address| {
            let mut bus = Self { stream: connected(address)?, end, serial: 0 };
            bus.introduce()?;
            bus.ask("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", &[])?;
            Some(bus)
        })
    }

    fn introduce(&mut self) -> Option<()> {
        let user = rustix::process::geteuid().as_raw().to_string();
        let hex = data_encoding::HEXLOWER.encode(user.as_bytes());
        self.send(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.fill(&mut byte)?;
            line.push(byte[0]);
            if line.len() > LINE_BYTES {
                return None;
            }
        }
        line.starts_with(b"OK ").then_some(())?;
        self.send(b"BEGIN\r\n")
    }

    /// Calls a method whose arguments are strings, and returns the body of its answer.
    pub(super) fn ask(
        &mut self,
        name: &str,
        path: &str,
        interface: &str,
        member: &str,
        arguments: &[&str],
    ) -> Option<Vec<u8>> {
        self.serial += 1;
        let mut body = Vec::new();
        for argument in arguments {
            put_string(&mut body, argument);
        }
        let mut fields = Vec::new();
        for (code, kind, value) in [(1, b'o', path), (2, b's', interface), (3, b's', member), (6, b's', name)] {
            pad(&mut fields, 8);
            fields.extend([code, 1, kind, 0]);
            put_string(&mut fields, value);
        }
        if !arguments.is_empty() {
            pad(&mut fields, 8);
            let count = u8::try_from(arguments.len()).ok()?;
            fields.extend([8, 1, b'g', 0, count]);
            fields.extend(arguments.iter().map(|_| b's'));
            fields.push(0);
        }
        let mut message = vec![b'l', METHOD_CALL, 0, 1];
        message.extend(u32::try_from(body.len()).ok()?.to_le_bytes());
        message.extend(self.serial.to_le_bytes());
        message.extend(u32::try_from(fields.len()).ok()?.to_le_bytes());
        message.extend(fields);
        pad(&mut message, 8);
        message.extend(body);
        self.send(&message)?;
        for _ in 0..MESSAGES {
            let (kind, replied, body) = self.receive()?;
            if replied == Some(self.serial) {
                return (kind == METHOD_RETURN).then_some(body);
            }
        }
        None
    }

    /// One message: its type, the serial that it answers, its body.
    fn receive(&mut self) -> Option<(u8, Option<u32>, Vec<u8>)> {
        let mut fixed = [0; FIXED_BYTES];
        self.fill(&mut fixed)?;
        // The daemon may pass messages on in the other byte order, which nobody on this machine has.
        (fixed[0] == b'l').then_some(())?;
        let (body, fields) = (number(&fixed, &mut 4)?, number(&fixed, &mut 12)?);
        let fields = usize::try_from(fields).ok()?;
        let padded = fields.checked_next_multiple_of(8)?;
        let body = usize::try_from(body).ok()?;
        (padded.checked_add(body)? <= MESSAGE_BYTES).then_some(())?;
        let mut rest = vec![0; padded + body];
        self.fill(&mut rest)?;
        let body = rest.split_off(padded);
        Some((fixed[1], reply_serial(&rest[..fields]), body))
    }

    fn send(&mut self, bytes: &[u8]) -> Option<()> {
        self.wait()?;
        self.stream.write_all(bytes).ok()
    }

    fn fill(&mut self, mut buffer: &mut [u8]) -> Option<()> {
        while !buffer.is_empty() {
            self.wait()?;
            match self.stream.read(buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => buffer = &mut buffer[count..],
            }
        }
        Some(())
    }

    /// Lets the next read or write end in time.
    fn wait(&self) -> Option<()> {
        let left = self.end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.stream.set_read_timeout(Some(left)).ok()?;
        self.stream.set_write_timeout(Some(left)).ok()
    }
}

/// A stream to `unix:path=…` or `unix:abstract=…`. A listener whose queue is full is not waited for.
fn connected(address: &str) -> Option<UnixStream> {
    let mut values = address.strip_prefix("unix:")?.split(',').filter_map(|pair| pair.split_once('='));
    let address = values.find_map(|(key, value)| match key {
        "path" => SocketAddrUnix::new(value).ok(),
        "abstract" => SocketAddrUnix::new_abstract_name(value.as_bytes()).ok(),
        _ => None,
    })?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    connect(&socket, &address).ok()?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).ok()?;
    Some(stream)
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    // Names of ours, all short.
    bytes.extend(u32::try_from(text.len()).unwrap_or_default().to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn number(bytes: &[u8], at: &mut usize) -> Option<u32> {
    *at = at.checked_next_multiple_of(4)?;
    let number = u32::from_le_bytes(*bytes.get(*at..)?.first_chunk()?);
    *at += 4;
    Some(number)
}

/// The string at a place of a body; the place moves on.
pub(super) fn string(bytes: &[u8], at: &mut usize) -> Option<String> {
    let length = usize::try_from(number(bytes, at)?).ok()?;
    let text = bytes.get(*at..)?.get(..length)?;
    *at += length + 1;
    String::from_utf8(text.to_vec()).ok()
}

/// The name in an object as ibus serialises it: its type's name, attachments `a{sv}`, and then its fields, of which the name
/// of an engine is the first.
pub(super) fn serialized_name(body: &[u8], kind: &str) -> Option<String> {
    let kind = [kind.as_bytes(), &[0]].concat();
    let mut at = body.windows(kind.len()).position(|window| window == kind)? + kind.len();
    let attachments = usize::try_from(number(body, &mut at)?).ok()?;
    at = at.checked_next_multiple_of(8)?.checked_add(attachments)?;
    string(body, &mut at)
}

/// The serial in the header field `REPLY_SERIAL`.
fn reply_serial(fields: &[u8]) -> Option<u32> {
    const REPLY_SERIAL: u8 = 5;
    let mut at = 0_usize;
    loop {
        at = at.checked_next_multiple_of(8)?;
        let &[code, 1, kind, 0] = fields.get(at..)?.first_chunk()? else { return None };
        at += 4;
        match kind {
            b'u' => {
                let value = number(fields, &mut at)?;
                if code == REPLY_SERIAL {
                    return Some(value);
                }
            }
            b's' | b'o' => drop(string(fields, &mut at)?),
            b'g' => at += usize::from(*fields.get(at)?) + 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_behind_its_attachments() {
        let mut body = vec![0; 6];
        body.extend(b"IBusEngineDesc\0");
        pad(&mut body, 4);
        body.extend(8_u32.to_le_bytes());
        pad(&mut body, 8);
        body.extend([7; 8]);
        put_string(&mut body, "xkb:us::eng");
        assert_eq!(serialized_name(&body, "IBusEngineDesc").as_deref(), Some("xkb:us::eng"));
        for length in 0..body.len() - 1 {
            assert_eq!(serialized_name(&body[..length], "IBusEngineDesc"), None);
        }
    }

    #[test]
    fn a_bus_that_says_nothing_costs_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let begun = Instant::now();
        let address = format!("tcp:host=x;unix:path={},guid=0", path.display());
        assert!(Bus::connect(&address, Duration::from_millis(30)).is_none());
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert!(Bus::connect("unix:path=/nonexistent/bus", Duration::from_secs(5)).is_none());
    }
}
