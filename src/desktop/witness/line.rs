//! The way to the witness: a line of JSON for a question, a line for its answer.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::Question;

/// How long an answer may take. A process can keep whoever reads its environment waiting for ever (it is its own memory, which
/// it may have mapped from a file system of its own); then nothing more is asked, and there is less evidence.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// The longest answer: a cookie file of a megabyte, as numbers.
const ANSWER_BYTES: u64 = 8 * 1024 * 1024;

/// One question at a time, from whichever thread.
#[derive(Debug)]
pub(super) struct Line(Mutex<Option<BufReader<UnixStream>>>);

impl Line {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        // Here and not for each question: the sandbox is entered next.
        socket.set_read_timeout(Some(ANSWER_TIME))?;
        socket.set_write_timeout(Some(ANSWER_TIME))?;
        Ok(Self(Mutex::new(Some(BufReader::new(socket)))))
    }

    /// Asks and waits. After a failure nothing is asked any more: a late answer would be taken for the next one's.
    pub(super) fn ask<T: DeserializeOwned>(&self, question: Question) -> io::Result<T> {
        // The lock is held over a question and its answer; a panic in between leaves the line unusable, and the next one
        // who asks finds that out.
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut reader) = line.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        let answer = exchange(&mut reader, question).inspect_err(
            |error| tracing::warn!(%error, "the witness does not answer; there is less evidence from now on"),
        )?;
        *line = Some(reader);
        drop(line);
        Ok(serde_json::from_slice(&answer)?)
    }
}

fn exchange(reader: &mut BufReader<UnixStream>, question: Question) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(&question)?;
    text.push(b'\n');
    reader.get_mut().write_all(&text)?;
    let mut answer = Vec::new();
    reader.take(ANSWER_BYTES).read_until(b'\n', &mut answer)?;
    match answer.last() {
        Some(b'\n') => Ok(answer),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
