//! The first line over the socket pair, with the descriptors of standard input and output where a listener needs them.

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

/// What arrived: the hand-over, the streams when a `stdio` listener is configured, and what came after the line.
pub(super) type Received = (Handover, Option<StandardStreams>, Vec<u8>);

/// Sends the hand-over; `streams` are standard input and output.
pub(super) fn send(
    mut socket: &UnixStream,
    handover: &Handover,
    streams: Option<[BorrowedFd<'_>; STDIO_DESCRIPTORS]>,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(handover)?;
    line.push(b'\n');
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STDIO_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if let Some(streams) = &streams
        && !control.push(SendAncillaryMessage::ScmRights(streams))
    {
        return Err(io::Error::other("two descriptors do not fit the space made for two"));
    }
    let sent = sendmsg(socket, &[IoSlice::new(&line)], &mut control, SendFlags::NOSIGNAL)?;
    socket.write_all(&line[sent..])
}

/// Waits for the hand-over.
pub(super) fn receive(socket: impl AsFd) -> io::Result<Received> {
    let (mut bytes, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STDIO_DESCRIPTORS))];
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
            return Ok((serde_json::from_slice(&bytes)?, streams(descriptors)?, rest));
        }
        if bytes.len() > LINE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the hand-over has no end"));
        }
    }
}

fn streams(descriptors: Vec<OwnedFd>) -> io::Result<Option<StandardStreams>> {
    if descriptors.is_empty() {
        return Ok(None);
    }
    let [input, output] = <[OwnedFd; STDIO_DESCRIPTORS]>::try_from(descriptors)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "standard input and output come together"))?;
    Ok(Some(StandardStreams { input, output }))
}
