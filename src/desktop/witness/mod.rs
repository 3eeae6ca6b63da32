//! Questions about other processes that take the permission to trace them, and about the two kinds of files outside `/proc`
//! that the desktop reads: what they say is evidence, never a condition.
//!
//! Where the server is under Landlock, the kernel lets it look at no process that is not (`sandbox`). Then [`ask_elsewhere`]
//! has named a socket whose other end is `deskhand witness-child`, which is under none, answers these questions and
//! nothing else, and reads nothing that comes from outside but what the kernel says about processes. Everywhere else (tests,
//! `doctor`, a kernel without Landlock) the same functions look themselves.
//!
//! Cost: a question goes around in some twenty microseconds. They are asked when a text is typed into a program that answers
//! no question of its own, when a window is typed into for the first time in a call, for a TCP socket that is new, and while a
//! command works in a terminal; clicks, keys and pictures ask none.

mod answering;
mod line;

use std::{io, os::unix::net::UnixStream, path::Path, sync::OnceLock};

use serde::{Deserialize, Serialize};

pub use self::answering::answer;
use self::line::Line;
use super::{
    input_method::Environment,
    resting_place::Sockets,
    threads::{self, Sleeper},
    xauthority::{self, Unread},
};

/// The way to whoever answers; none: we look ourselves. One for the process, as Landlock is.
static LINE: OnceLock<Line> = OnceLock::new();

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    /// Where a process's threads sleep.
    Threads(u32),
    /// Which sockets it has.
    Sockets(u32),
    /// Where in the kernel its first thread sleeps.
    Place(u32),
    /// Which program it is.
    Program(u32),
    /// Which process has started it.
    Parent(u32),
    /// Which input method it was told to use on this display, and where that is: a few variables of its environment.
    InputMethod { process: u32, display: Option<u16> },
    /// What is in the display's cookie file: the one that the witness was started with.
    Cookie,
}

/// Sends questions there from now on.
///
/// # Errors
/// The system's, about the socket.
pub fn ask_elsewhere(socket: UnixStream) -> io::Result<()> {
    let line = Line::new(socket)?;
    LINE.set(line).map_err(|_| io::Error::other("questions are sent elsewhere already"))
}

/// Where a process's threads sleep; `None` when one of them does not.
///
/// # Errors
/// They cannot be looked at.
pub fn threads(process: u32) -> io::Result<Option<Vec<Sleeper>>> {
    match LINE.get() {
        None => threads::look(process),
        Some(line) => said(line.ask(Question::Threads(process))?),
    }
}

/// The sockets among a process's files.
///
/// # Errors
/// They cannot be looked at.
pub fn sockets(process: u32) -> io::Result<Sockets> {
    match LINE.get() {
        None => Sockets::of(process),
        Some(line) => said(line.ask(Question::Sockets(process))?),
    }
}

/// The name of the function in which the kernel sleeps for a process (`/proc/PID/wchan`).
pub fn place(process: u32) -> Option<String> {
    match LINE.get() {
        None => answering::place(process),
        Some(line) => line.ask(Question::Place(process)).ok()?,
    }
}

/// The path of the program that a process runs.
pub fn program(process: u32) -> Option<String> {
    match LINE.get() {
        None => answering::program(process),
        Some(line) => line.ask(Question::Program(process)).ok()?,
    }
}

/// The process that has started a process, or has taken it over.
pub fn parent(process: u32) -> Option<u32> {
    match LINE.get() {
        None => answering::parent(process),
        Some(line) => line.ask(Question::Parent(process)).ok()?,
    }
}

/// What the environment of a process says about input methods.
pub fn input_method(process: u32, display: Option<u16>) -> Option<Environment> {
    match LINE.get() {
        None => Environment::of(process, display),
        Some(line) => line.ask(Question::InputMethod { process, display }).ok()?,
    }
}

/// What is in the cookie file.
///
/// # Errors
/// Why it cannot be read.
pub fn cookie_file(path: &Path) -> Result<Vec<u8>, Unread> {
    match LINE.get() {
        None => xauthority::contents(path),
        Some(line) => line.ask(Question::Cookie).unwrap_or_else(|error| Err(Unread::from(&error))),
    }
}

/// What the other end could not see cannot be seen.
fn said<T>(answer: Result<T, String>) -> io::Result<T> {
    answer.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_asked_elsewhere_is_what_one_sees_oneself() {
        let directory = tempfile::tempdir().unwrap();
        let cookie = directory.path().join("cookie");
        std::fs::write(&cookie, b"\0\xffcookie\n").unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let known = cookie.clone();
        let witness = thread::spawn(move || answer(theirs, Some(&known)));
        let line = Line::new(ours).unwrap();
        let us = std::process::id();
        let program: Option<String> = line.ask(Question::Program(us)).unwrap();
        assert_eq!(program, answering::program(us));
        assert!(program.is_some());
        let sockets: Result<Sockets, String> = line.ask(Question::Sockets(us)).unwrap();
        assert!(sockets.unwrap().inodes.len() >= 2, "both ends of the line");
        let awake: Result<Option<Vec<Sleeper>>, String> = line.ask(Question::Threads(us)).unwrap();
        assert_eq!(awake, Ok(None), "one of our threads looks");
        // Process ids end at 2²² (proc(5), pid_max).
        let nobody: Result<Option<Vec<Sleeper>>, String> = line.ask(Question::Threads(1 << 23)).unwrap();
        assert!(nobody.is_err());
        let content: Result<Vec<u8>, Unread> = line.ask(Question::Cookie).unwrap();
        assert_eq!(content, Ok(b"\0\xffcookie\n".to_vec()));
        std::fs::remove_file(cookie).unwrap();
        let content: Result<Vec<u8>, Unread> = line.ask(Question::Cookie).unwrap();
        assert_eq!(content, Err(Unread::System(2)), "ENOENT");
        drop(line);
        witness.join().unwrap().unwrap();
    }

    #[test]
    fn a_witness_that_is_gone_is_an_error_each_time() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let line = Line::new(ours).unwrap();
        for _ in 0..2 {
            assert!(line.ask::<Option<String>>(Question::Place(1)).is_err());
        }
    }
}
