//! Another program on the display that gets in the way. A process of its own, because programs are told apart by process.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{ChildStdin, ChildStdout, Command, Stdio},
};

use super::support::{Display, Process};

pub struct Other {
    process: Process,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Other {
    /// Starts it and waits until it does what it is for.
    pub fn start(display: &Display, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/other.py");
        // Debian's own interpreter, which has Debian's python3-xlib.
        let mut command = Command::new("/usr/bin/python3");
        display.give_to(command.arg(script).args(arguments)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let input = process.child().stdin.take();
        let output = BufReader::new(process.child().stdout.take().unwrap());
        let mut other = Self { process, input, output };
        assert_eq!(other.line(), "ready", "python3-xlib is needed");
        other
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it and says how many presses it received.
    pub fn end(mut self) -> usize {
        drop(self.input.take());
        self.line().parse().unwrap()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
