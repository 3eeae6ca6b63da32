//! Signals as descriptors to wait for, so that the supervisor needs no code in a signal handler.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
};

use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    low_level::pipe::register,
};

/// Descriptors that become readable when signals arrive.
#[derive(Debug)]
pub(super) struct Signals {
    children: UnixStream,
    stop: UnixStream,
    reload: Option<UnixStream>,
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HangUp {
    /// The terminal has gone, and so do we.
    Stops,
    /// There is a tokens file to read again.
    Reloads,
}

impl Signals {
    pub(super) fn install(hang_up: HangUp) -> io::Result<Self> {
        // `nohup` has SIGHUP ignored, and means it.
        let stops = hang_up == HangUp::Stops && !ignores(SIGHUP);
        let stop: &[i32] = if stops { &[SIGTERM, SIGINT, SIGHUP] } else { &[SIGTERM, SIGINT] };
        let reload = (hang_up == HangUp::Reloads).then(|| watch(&[SIGHUP])).transpose()?;
        Ok(Self { children: watch(&[SIGCHLD])?, stop: watch(stop)?, reload })
    }

    /// Readable after somebody asked us to read the tokens file again.
    pub(super) const fn reload(&self) -> Option<&UnixStream> {
        self.reload.as_ref()
    }

    /// Whether somebody has asked us to read the tokens file again since the last call.
    pub(super) fn take_reload(&self) -> io::Result<bool> {
        self.reload.as_ref().map_or(Ok(false), drain)
    }

    /// Readable after a child changed its state.
    pub(super) const fn children(&self) -> &UnixStream {
        &self.children
    }

    /// Readable after somebody asked us to stop.
    pub(super) const fn stop(&self) -> &UnixStream {
        &self.stop
    }

    /// Forgets the children's signals so far; called before looking at the children.
    pub(super) fn clear_children(&self) -> io::Result<()> {
        drain(&self.children).map(|_| ())
    }

    /// Whether somebody has asked us to stop since the last call.
    pub(super) fn take_stop(&self) -> io::Result<bool> {
        drain(&self.stop)
    }
}

fn watch(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}

fn drain(mut socket: &UnixStream) -> io::Result<bool> {
    let mut any = false;
    loop {
        match socket.read(&mut [0; 64]) {
            Ok(0) => return Ok(any),
            Ok(_) => any = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(any),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether this process was started with the signal ignored (`SigIgn`, proc(5)).
fn ignores(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
