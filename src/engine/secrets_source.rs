//! The secrets of the start, from the descriptor that `--secrets-fd` names.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::secrets::SecretKeeper;
use crate::{
    exit::Fatal,
    protocol::{secret::SecretCall, secret_params},
};

/// How long the other end of a pipe may take to write all of them and to close it.
const SOURCE_TIME: Duration = Duration::from_secs(10);
/// The most that is read: all secrets of the longest kind, escaped.
const SOURCE_BYTES: usize = 8 * 1024 * 1024;
/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads them all and keeps them.
///
/// # Errors
/// Which line cannot be used and why, without anything of the line.
pub(super) fn read(source: OwnedFd, keeper: &SecretKeeper) -> Result<(), Fatal> {
    let unreadable = |problem: &dyn std::fmt::Display| Fatal::usage(format!("secrets-fd cannot be read: {problem}"));
    let bytes = contents(source).map_err(|error| unreadable(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable(&"it is not UTF-8"))?;
    let mut kept = 0;
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let wrong = |problem: String| Fatal::usage(format!("secrets-fd: line {number}: {problem}"));
        match secret_params::read_line(line).map_err(wrong)? {
            SecretCall::Put(name, secret) => {
                kept = keeper.put(name, *secret).map_err(|failure| wrong(failure.message))?;
            }
            SecretCall::Forget(_) | SecretCall::List => return Err(wrong("it is no secret to put".to_owned())),
        }
    }
    tracing::info!(secrets = kept, "secrets are kept");
    Ok(())
}

/// All of it, in memory that is never moved and wiped at the end.
fn contents(source: OwnedFd) -> io::Result<Zeroizing<Vec<u8>>> {
    let deadline = Instant::now() + SOURCE_TIME;
    let mut file = File::from(source);
    let mut bytes = Zeroizing::new(vec![0_u8; SOURCE_BYTES]);
    let mut length = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // At most ten seconds, so the conversion holds.
        let left = Timespec::try_from(left).unwrap_or_default();
        if poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&left))? == 0 {
            let message = "its other end was not closed within 10 s; close it when the last line is written";
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        let end = (length + CHUNK_BYTES).min(SOURCE_BYTES);
        match file.read(&mut bytes[length..end])? {
            0 if length == SOURCE_BYTES => {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("it has more than {SOURCE_BYTES} bytes"),
                ));
            }
            0 => break,
            read => length += read,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}
