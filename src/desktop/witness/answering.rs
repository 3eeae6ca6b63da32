//! The other end of the line.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

use super::{Question, Sockets, threads, xauthority};
use crate::desktop::{input_method::Environment, xauthority::Unread};

/// The longest question.
const QUESTION_BYTES: u64 = 256;
/// The longest name of a function in the kernel is below this.
const NAME_BYTES: u64 = 256;

/// Answers until nobody can ask any more. `cookie` is the display's cookie file.
///
/// # Errors
/// The system's, about the socket, and what is no question.
pub fn answer(socket: UnixStream, cookie: Option<&Path>) -> io::Result<()> {
    let mut reader = BufReader::new(socket);
    loop {
        let mut text = Vec::new();
        (&mut reader).take(QUESTION_BYTES).read_until(b'\n', &mut text)?;
        if text.is_empty() {
            return Ok(());
        }
        let mut answer = answer_to(serde_json::from_slice(&text)?, cookie)?;
        answer.push(b'\n');
        reader.get_mut().write_all(&answer)?;
    }
}

fn answer_to(question: Question, cookie: Option<&Path>) -> serde_json::Result<Vec<u8>> {
    let reason = |error: io::Error| error.to_string();
    match question {
        Question::Threads(process) => serde_json::to_vec(&threads::look(process).map_err(reason)),
        Question::Sockets(process) => serde_json::to_vec(&Sockets::of(process).map_err(reason)),
        Question::Place(process) => serde_json::to_vec(&place(process)),
        Question::Program(process) => serde_json::to_vec(&program(process)),
        Question::Parent(process) => serde_json::to_vec(&parent(process)),
        Question::InputMethod { process, display } => serde_json::to_vec(&Environment::of(process, display)),
        Question::Cookie => {
            let nothing = || Err(Unread::from(&io::ErrorKind::NotFound.into()));
            serde_json::to_vec(&cookie.map_or_else(nothing, xauthority::contents))
        }
    }
}

pub(super) fn place(process: u32) -> Option<String> {
    let mut place = String::new();
    File::open(format!("/proc/{process}/wchan")).ok()?.take(NAME_BYTES).read_to_string(&mut place).ok()?;
    Some(place)
}

pub(super) fn program(process: u32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{process}/exe")).ok()?;
    Some(path.to_string_lossy().into_owned())
}

pub(super) fn parent(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
