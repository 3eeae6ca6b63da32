//! The other end of a connection, for tests: answers what is asked and writes down the bytes of every request.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use x11rb::protocol::xproto::Setup;

pub(super) use super::fake_setup::setup;
use super::{
    connection::{Link, OPERATION_TIME, OpenError},
    fake_setup::introduction,
};

/// The opcode that every extension gets, as if it were the only one: XTEST in the tests that look at bytes.
pub(super) const EXTENSION: u8 = 130;
/// Core opcodes (X11 protocol, "Requests").
const QUERY_POINTER: u8 = 38;
const GET_INPUT_FOCUS: u8 = 43;
const QUERY_KEYMAP: u8 = 44;
const QUERY_EXTENSION: u8 = 98;

/// What the server answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Where the pointer stands.
    pub(super) pointer: (i16, i16),
    /// The modifiers and buttons that are down.
    pub(super) mask: u16,
    /// The keys that are down.
    pub(super) keys: [u8; 32],
}

/// A server on a thread of its own. Every request's bytes come out of `requests`.
pub(super) struct FakeServer {
    pub(super) requests: Receiver<Vec<u8>>,
    thread: JoinHandle<()>,
}

impl FakeServer {
    /// Starts a server with a screen that is read, and connects to it.
    pub(super) fn connect(answers: Answers) -> (Self, Link) {
        let (server, link) = Self::connect_to(setup(), answers, None);
        (server, link.unwrap())
    }

    /// Starts a server that introduces itself with `setup`, and connects with this cookie.
    pub(super) fn connect_to(
        setup: Setup,
        answers: Answers,
        cookie: Option<Vec<u8>>,
    ) -> (Self, Result<Link, OpenError>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (sender, requests) = channel();
        let thread = std::thread::spawn(move || serve(theirs, &setup, &answers, &sender));
        (Self { requests, thread }, Link::set_up(ours, cookie, OPERATION_TIME))
    }

    /// Everything that was asked after the connection was set up. Ends the server: the link must be gone.
    pub(super) fn finish(self) -> Vec<Vec<u8>> {
        self.thread.join().unwrap();
        self.requests.iter().collect()
    }
}

fn serve(mut stream: UnixStream, setup: &Setup, answers: &Answers, requests: &Sender<Vec<u8>>) {
    let mut hello = [0; 12];
    stream.read_exact(&mut hello).unwrap();
    let padded = |length: [u8; 2]| usize::from(u16::from_ne_bytes(length)).next_multiple_of(4);
    let mut authorization = vec![0; padded([hello[6], hello[7]]) + padded([hello[8], hello[9]])];
    stream.read_exact(&mut authorization).unwrap();
    requests.send([&hello[..], &authorization].concat()).unwrap();
    stream.write_all(&introduction(setup)).unwrap();
    let mut sequence = 0_u16;
    let mut header = [0; 4];
    while stream.read_exact(&mut header).is_ok() {
        let mut request = header.to_vec();
        request.resize(4 * usize::from(u16::from_ne_bytes([header[2], header[3]])), 0);
        stream.read_exact(&mut request[4..]).unwrap();
        sequence = sequence.wrapping_add(1);
        if let Some(reply) = reply(header[0], sequence, answers) {
            stream.write_all(&reply).unwrap();
        }
        requests.send(request).unwrap();
    }
}

fn reply(opcode: u8, sequence: u16, answers: &Answers) -> Option<Vec<u8>> {
    let mut reply = vec![0; 32];
    reply[0] = 1;
    reply[2..4].copy_from_slice(&sequence.to_ne_bytes());
    match opcode {
        QUERY_EXTENSION => (reply[8], reply[9]) = (1, EXTENSION),
        GET_INPUT_FOCUS => {}
        QUERY_POINTER => {
            reply[16..18].copy_from_slice(&answers.pointer.0.to_ne_bytes());
            reply[18..20].copy_from_slice(&answers.pointer.1.to_ne_bytes());
            reply[24..26].copy_from_slice(&answers.mask.to_ne_bytes());
        }
        QUERY_KEYMAP => {
            reply[4..8].copy_from_slice(&2_u32.to_ne_bytes());
            reply.truncate(8);
            reply.extend(answers.keys);
        }
        _ => return None,
    }
    Some(reply)
}
