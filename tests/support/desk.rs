//! The supervisor with a server that only does what the supervisor has to see of one: started, listened to, and never left
//! behind.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{PATIENCE, Process, process::Watched};

/// The program under test: `deskhand` with a server that only does what the supervisor has to see.
pub fn program() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_deskhand")).with_file_name("examples").join("deskhand-supervised");
    assert!(path.exists(), "{} is missing; run `cargo build --examples`", path.display());
    path
}

/// The program with this line of arguments and a bare environment.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
    command
}

/// Runs it to its end.
pub fn run(mut command: Command) -> (i32, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A running `deskhand serve`.
pub struct Desk {
    process: Process,
    events: Receiver<Value>,
    errors: Option<thread::JoinHandle<String>>,
}

impl Desk {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_command(command(arguments))
    }

    pub fn start_command(mut command: Command) -> Self {
        let mut process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
        let (sender, events) = channel();
        let output = BufReader::new(process.child().stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap();
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut errors = process.child().stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { process, events, errors: Some(errors) }
    }

    /// Waits for an event of this name and gives it back.
    pub fn event(&self, name: &str) -> Value {
        loop {
            let event = self.events.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no event {name} came"));
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Waits until COMMAND runs and gives its process back.
    pub fn command(&self) -> Watched {
        let pid = self.event("command")["pid"].as_u64().unwrap();
        Watched::open(pid.try_into().unwrap()).expect("COMMAND runs")
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// The process below it that has this name.
    pub fn child(&self, name: &str) -> Watched {
        let found = self.descendants().into_iter().find(|process| process.name == name);
        found.unwrap_or_else(|| panic!("no process {name}"))
    }

    /// All processes below it.
    pub fn descendants(&self) -> Vec<Watched> {
        self.process.descendants()
    }

    /// Waits for its end; what it wrote to standard error comes with it.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = self.process.wait(PATIENCE).expect("its end");
        (status, self.errors.take().unwrap().join().unwrap())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Not killed at once: it takes its display and its files with it.
        self.process.end();
    }
}
