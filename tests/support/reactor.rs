//! A program that reacts to a click as it is told: after a while, in steps, with or without work. A process of its own, as
//! applications are: what the test itself does is none of theirs.

use std::{
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use super::{Display, Process};

/// What the program draws: `[x, y, width, height]` and `0xRRGGBB`.
pub type Shape = ([u16; 4], u32);

/// One part of a reaction.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// For so many milliseconds nothing happens, and nothing tells that something will.
    Sleep(u64),
    /// For so many milliseconds the processor is busy.
    Compute(u64),
    /// Something is drawn.
    Draw(Shape),
}

impl Part {
    fn told(self) -> Value {
        match self {
            Self::Sleep(milliseconds) => json!({ "sleep": milliseconds }),
            Self::Compute(milliseconds) => json!({ "compute": milliseconds }),
            Self::Draw((rectangle, color)) => json!({"draw": rectangle, "color": color}),
        }
    }
}

/// The program.
pub struct Reactor {
    lines: Lines<BufReader<ChildStdout>>,
    _process: Process,
}

impl Reactor {
    /// Covers the whole screen, and does this for each press of a button.
    pub fn start(display: &Display, reaction: &[Part]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/reactor.py");
        let told: Vec<Value> = reaction.iter().map(|part| part.told()).collect();
        // Debian's own interpreter, which has Debian's python3-xlib.
        let mut command = Command::new("/usr/bin/python3");
        command.arg("-B").arg(script).arg(json!(told).to_string()).stdout(Stdio::piped());
        let mut process = Process::start(display.give_to(&mut command));
        let lines = BufReader::new(process.child().stdout.take().unwrap()).lines();
        let mut reactor = Self { lines, _process: process };
        reactor.says("ready");
        reactor
    }

    /// Waits until a reaction has ended.
    pub fn done(&mut self) {
        self.says("done");
    }

    fn says(&mut self, word: &str) {
        assert_eq!(self.lines.next().expect("a living program").unwrap(), word);
    }
}
