//! What carries a request to a server and its answer back: a WebSocket, or lines over pipes or a socket.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    Failure,
    websocket::{Kind, WebSocket},
};

/// As for a WebSocket.
const PATIENCE: Duration = Duration::from_secs(180);
/// Room for a picture in few reads.
const READ_SIZE: usize = 256 * 1024;

/// What an answer was made of.
#[derive(Default, Debug)]
pub struct Answer {
    /// Bytes of the binary messages that came before it.
    pub binary: usize,
    /// Bytes of the answer itself.
    pub text: usize,
}

/// One request and one answer at a time, or several on their way.
pub enum Carrier {
    /// Messages; binary ones belong to the text message that follows them.
    WebSocket(Box<WebSocket>),
    /// Lines to and from a program that we started, or a socket.
    Lines {
        /// Where requests go.
        output: Box<dyn Write>,
        /// Where answers come from.
        input: Box<dyn BufRead>,
        /// The program, to be ended.
        child: Option<Child>,
        /// The last answer.
        line: Vec<u8>,
        /// Where the program complains.
        log: PathBuf,
    },
}

impl Carrier {
    /// Starts a program that speaks lines on its standard input and output, and complains into a log.
    pub fn start(
        command: &[String],
        environment: &[(String, String)],
        directory: &str,
        log: &Path,
    ) -> Result<Self, Failure> {
        let (program, arguments) = command.split_first().ok_or("no program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().cloned())
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let output = Box::new(child.stdin.take().ok_or("no pipe")?);
        let input = Box::new(BufReader::with_capacity(READ_SIZE, child.stdout.take().ok_or("no pipe")?));
        Ok(Self::Lines { output, input, child: Some(child), line: Vec::new(), log: log.to_owned() })
    }

    /// Connects to a socket that speaks lines.
    pub fn unix(path: &str) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path).map_err(|error| format!("{path}: {error}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let input: Box<dyn Read> = Box::new(stream.try_clone()?);
        let input = Box::new(BufReader::with_capacity(READ_SIZE, input));
        Ok(Self::Lines { output: Box::new(stream), input, child: None, line: Vec::new(), log: PathBuf::new() })
    }

    /// Sends a request.
    pub fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        match self {
            Self::WebSocket(socket) => socket.send(Kind::Text, request),
            Self::Lines { output, log, .. } => {
                output.write_all(&[request, b"\n"].concat()).map_err(|error| ended(&error.to_string(), log))?;
                Ok(output.flush()?)
            }
        }
    }

    /// Receives the next answer: the messages up to a text message, or a line that is no notification. `look` gets its text.
    pub fn receive(&mut self, mut look: impl FnMut(&[u8])) -> Result<Answer, Failure> {
        let mut answer = Answer::default();
        match self {
            Self::WebSocket(socket) => loop {
                match socket.receive()? {
                    (Kind::Binary, bytes) => answer.binary += bytes.len(),
                    (Kind::Text, text) => {
                        answer.text = text.len();
                        look(text);
                        return Ok(answer);
                    }
                }
            },
            Self::Lines { input, line, log, .. } => loop {
                line.clear();
                if input.read_until(b'\n', line)? == 0 {
                    return Err(ended("the program has ended", log).into());
                }
                // An MCP server may say something of its own accord; that has a method and no result.
                if !is_notification(line) {
                    answer.text = line.len();
                    look(line);
                    return Ok(answer);
                }
            },
        }
    }
}

/// Why a program has ended: the last line of its log that says something.
fn ended(what: &str, log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let last = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("{what}: {last}")
}

/// Looks only at the beginning: the method of a notification stands there, and answers are long.
fn is_notification(line: &[u8]) -> bool {
    let beginning = &line[..line.len().min(100)];
    beginning.windows(8).any(|bytes| bytes == b"\"method\"") || beginning.iter().all(u8::is_ascii_whitespace)
}

impl Drop for Carrier {
    /// The end of its input tells a program to end; one that does not is ended.
    fn drop(&mut self) {
        let Self::Lines { output, child: Some(child), .. } = self else { return };
        *output = Box::new(std::io::sink());
        for _ in 0..100 {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().ok();
        child.wait().ok();
    }
}
