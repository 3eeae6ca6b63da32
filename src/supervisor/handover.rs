//! The first line over the socket pair, with descriptors: the lines to the witness and to the process that connects, the source of
//! secrets, where there are such, and standard input and output where a listener needs them.

use std::{
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use crate::supervisor::messages::{Handover, LINE_BYTES};

/// Standard input and output of `deskhand serve`.
const STDIO_DESCRIPTORS: usize = 2;
/// These, the lines to the witness and to the process that connects, and the source of secrets.
const DESCRIPTORS: usize = STDIO_DESCRIPTORS + 3;
/// The hand-over is a few hundred bytes: one read takes it.
const READ_BYTES: usize = 4096;

/// The standard streams of `deskhand serve`, in the server.
#[derive(Debug)]
pub struct StandardStreams {
    /// What the host sends.
    pub input: OwnedFd,
    /// What the host receives.
    pub output: OwnedFd,
}

/// The descriptors that came along.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// The line to the witness, where the hand-over names one.
    pub witness: Option<UnixStream>,
    /// The line to the process that connects, where the hand-over names whom to call.
    pub dialler: Option<UnixStream>,
    /// Where secrets are read from, where the hand-over says so.
    pub secrets: Option<OwnedFd>,
    /// The streams when a `stdio` listener is configured.
    pub streams: Option<StandardStreams>,
}

/// What arrived: the hand-over, the descriptors, and what came after the line.
pub(super) type Received = (Handover, Passed, Vec<u8>);

/// The descriptors that go along, in their order.
pub(super) struct Passing<'a> {
    /// The line to the witness.
    pub witness: Option<BorrowedFd<'a>>,
    /// The line to the process that connects.
    pub dialler: Option<BorrowedFd<'a>>,
    /// Where secrets are read from.
    pub secrets: Option<BorrowedFd<'a>>,
    /// Standard input and output.
    pub streams: Option<[BorrowedFd<'a>; STDIO_DESCRIPTORS]>,
}

/// Sends the hand-over.
pub(super) fn send(
    mut socket: &UnixStream,
    handover: &Handover,
    Passing { witness, dialler, secrets, streams }: &Passing<'_>,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(handover)?;
    line.push(b'\n');
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<_> =
        witness.iter().chain(dialler).chain(secrets).chain(streams.iter().flatten()).copied().collect();
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("five descriptors do not fit the space made for five"));
    }
    let sent = sendmsg(socket, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL)?;
    socket.write_all(&line[sent..])
}

/// Waits for the hand-over.
pub(super) fn receive(socket: impl AsFd) -> io::Result<Received> {
    let (mut bytes, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut chunk = [0; READ_BYTES];
        let slices = &mut [IoSliceMut::new(&mut chunk)];
        let message = recvmsg(socket.as_fd(), slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        if message.flags.contains(ReturnFlags::CTRUNC) || message.bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the supervisor ended before its hand-over"));
        }
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = part {
                descriptors.extend(received);
            }
        }
        bytes.extend_from_slice(&chunk[..message.bytes]);
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let rest = bytes.split_off(end + 1);
            let handover: Handover = serde_json::from_slice(&bytes)?;
            let passed = passed(&handover, descriptors)?;
            return Ok((handover, passed, rest));
        }
        if bytes.len() > LINE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the hand-over has no end"));
        }
    }
}

/// Sorts the descriptors.
fn passed(handover: &Handover, mut descriptors: Vec<OwnedFd>) -> io::Result<Passed> {
    let missing = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut first = |is_there, what| match (is_there, descriptors.is_empty()) {
        (false, _) => Ok(None),
        (true, false) => Ok(Some(descriptors.remove(0))),
        (true, true) => Err(missing(what)),
    };
    let witness = first(handover.witness, "the line to the witness has not come along")?.map(UnixStream::from);
    let dialler = first(handover.dial.is_some(), "the line to the process that connects has not come along")?;
    let dialler = dialler.map(UnixStream::from);
    let secrets = first(handover.secrets, "the source of secrets has not come along")?;
    if descriptors.is_empty() {
        return Ok(Passed { witness, dialler, secrets, streams: None });
    }
    let [input, output] = <[OwnedFd; STDIO_DESCRIPTORS]>::try_from(descriptors)
        .map_err(|_| missing("standard input and output come together"))?;
    Ok(Passed { witness, dialler, secrets, streams: Some(StandardStreams { input, output }) })
}
