//! What the harness can ask for, and how it is carried out.

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Failure, carrier::Carrier, echo, limits::Limits, recorder::Recorder, screen::Screen, stream, websocket::WebSocket,
};

/// One line of input. Durations come back in nanoseconds.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Opens a WebSocket under a name.
    Connect { name: String, address: String, path: String, headers: Vec<(String, String)> },
    /// Starts a program that speaks lines, under a name.
    Start { name: String, command: Vec<String>, environment: Vec<(String, String)>, directory: String, log: PathBuf },
    /// Opens a socket that speaks lines, under a name.
    Unix { name: String, path: String },
    /// Closes what has this name.
    Close { name: String },
    /// The request and its answer, so often; before each, so many percent of the screen change.
    Exchange { name: String, request: String, count: usize, change: Option<f64>, want_answer: bool },
    /// Requests of which so many are on their way at a time. They are sent in turn, each once.
    Pipeline { name: String, requests: Vec<String>, in_flight: usize },
    /// The limit: the same bytes to and fro, through a server that does nothing.
    Echo { name: String, binary: usize, text: usize, request: usize, count: usize },
    /// Opens a display, for all that follows.
    Display { number: u32, cookie: String },
    /// A window over the whole screen, which shows the first of two pictures.
    Frames { width: u16, height: u16, files: [String; 2] },
    /// Changes so many percent of the screen.
    Change { percent: f64 },
    /// Shows the first picture again, before changes of so many percent.
    Restore { percent: f64 },
    /// Takes the window of pictures away.
    Uncover,
    /// A window that counts the input that it gets.
    Recorder { width: u16, height: u16, managed: bool },
    /// What the recorder has counted since it was last asked; waits until so many clicks and keys are there, or not.
    Counted { buttons: usize, keys: usize },
    /// Takes the recorder away.
    NoRecorder,
    /// The limit: copies of the screen through shared memory, compared with the one before where asked for.
    Capture { count: usize, change: Option<f64>, compare: bool },
    /// The limit: the screen encoded by the png crate's fastest preset, on one core.
    Encode { count: usize },
    /// The limit: moves and clicks by XTEST, each with one round trip.
    Click { count: usize },
    /// A text as keys by XTEST, with one round trip: the key codes and whether shift goes with them.
    Keys { keys: Vec<(u8, bool)>, count: usize },
    /// Changes of the screen until a subscription's event has brought them.
    Stream { name: String, subscription: u64, count: usize, percent: f64 },
}

/// What is open.
#[derive(Default)]
pub struct Client {
    carriers: HashMap<String, Carrier>,
    screen: Option<Screen>,
    recorder: Option<Recorder>,
    limits: Option<Limits>,
}

/// How long the recorder is waited for: an application that is a quarter of a second late has lost the input.
const EVENTS: Duration = Duration::from_millis(250);

impl Client {
    /// Does as told; the answer is an object.
    pub fn carry_out(&mut self, command: Command) -> Result<Value, Failure> {
        match command {
            Command::Connect { name, address, path, headers } => {
                let begun = Instant::now();
                let socket = WebSocket::connect(&address, &path, &headers)?;
                let took = nanoseconds(begun.elapsed());
                self.carriers.insert(name, Carrier::WebSocket(Box::new(socket)));
                return Ok(json!({"nanoseconds": [took]}));
            }
            Command::Start { name, command, environment, directory, log } => {
                self.carriers.insert(name, Carrier::start(&command, &environment, &directory, &log)?);
            }
            Command::Unix { name, path } => {
                self.carriers.insert(name, Carrier::unix(&path)?);
            }
            Command::Close { name } => {
                self.carriers.remove(&name);
            }
            Command::Exchange { name, request, count, change, want_answer } => {
                return self.exchange(&name, request.as_bytes(), count, change, want_answer);
            }
            Command::Pipeline { name, requests, in_flight } => return self.pipeline(&name, &requests, in_flight),
            Command::Echo { name, binary, text, request, count } => {
                let request = echo::request(binary, text, request);
                return self.exchange(&name, &request, count, None, false);
            }
            Command::Display { number, cookie } => {
                (self.recorder, self.limits) = (None, None);
                self.screen = Some(Screen::open(number, &cookie)?);
            }
            Command::Frames { width, height, files } => self.screen()?.show(width, height, &files)?,
            Command::Change { percent } => self.screen()?.change(percent)?,
            Command::Restore { percent } => self.screen()?.restore(percent)?,
            Command::Uncover => self.screen()?.uncover()?,
            Command::Recorder { width, height, managed } => {
                self.recorder = Some(Recorder::open(self.screen()?, width, height, managed)?);
            }
            Command::Counted { buttons, keys } => {
                let recorder = self.recorder.as_mut().ok_or("there is no recorder")?;
                let counted = recorder.wait(buttons, keys, EVENTS)?;
                return Ok(json!({"buttons": counted.buttons, "keys": counted.keys, "held": counted.held}));
            }
            Command::NoRecorder => self.recorder = None,
            Command::Capture { count, change, compare } => return self.capture(count, change, compare),
            Command::Encode { count } => return timed(count, || self.limits()?.encode()),
            Command::Click { count } => {
                let screen = self.screen()?;
                return timed(count, || screen.click(200, 200).map(|()| 0));
            }
            Command::Keys { keys, count } => {
                let screen = self.screen()?;
                return timed(count, || screen.keys(&keys).map(|()| 0));
            }
            Command::Stream { name, subscription, count, percent } => {
                let screen = self.screen.as_mut().ok_or("there is no display")?;
                let carrier = self.carriers.get_mut(&name).ok_or("no such connection")?;
                let Carrier::WebSocket(socket) = carrier else { return Err("a stream needs a WebSocket".into()) };
                return stream::measure(screen, socket, subscription, count, percent);
            }
        }
        Ok(json!({}))
    }

    fn screen(&mut self) -> Result<&mut Screen, Failure> {
        self.screen.as_mut().ok_or_else(|| "there is no display".into())
    }

    fn limits(&mut self) -> Result<&mut Limits, Failure> {
        if self.limits.is_none() {
            let screen = self.screen.as_ref().ok_or("there is no display")?;
            self.limits = Some(Limits::attach(screen.display())?);
        }
        self.limits.as_mut().ok_or_else(|| "there is no display".into())
    }

    fn exchange(
        &mut self,
        name: &str,
        request: &[u8],
        count: usize,
        change: Option<f64>,
        want_answer: bool,
    ) -> Result<Value, Failure> {
        let carrier = self.carriers.get_mut(name).ok_or_else(|| format!("no connection {name}"))?;
        let (mut took, mut bytes, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let (mut binary, mut failed) = (0, None);
        for round in 0..count {
            if let Some(percent) = change {
                self.screen.as_mut().ok_or("there is no display")?.change(percent)?;
            }
            let begun = Instant::now();
            carrier.send(request)?;
            // The clock stops before anything is looked at.
            let mut ended = begun;
            let answer = carrier.receive(|text| {
                ended = Instant::now();
                failed = failed.take().or_else(|| error_in(text));
                if want_answer && round + 1 == count {
                    last = text.to_vec();
                }
            })?;
            took.push(nanoseconds(ended - begun));
            bytes.push(answer.binary + answer.text);
            binary = answer.binary;
        }
        let mut result = json!({"nanoseconds": took, "bytes": bytes, "binary": binary, "sent": request.len()});
        if want_answer {
            result["answer"] = String::from_utf8_lossy(&last).into();
        }
        if let Some(error) = failed {
            result["error"] = error.into();
        }
        Ok(result)
    }

    fn pipeline(&mut self, name: &str, requests: &[String], in_flight: usize) -> Result<Value, Failure> {
        let carrier = self.carriers.get_mut(name).ok_or_else(|| format!("no connection {name}"))?;
        let mut failed = None;
        let begun = Instant::now();
        let (first, rest) = requests.split_at(in_flight.min(requests.len()));
        for request in first {
            carrier.send(request.as_bytes())?;
        }
        let mut rest = rest.iter();
        for _ in requests {
            carrier.receive(|text| failed = failed.take().or_else(|| error_in(text)))?;
            if let Some(request) = rest.next() {
                carrier.send(request.as_bytes())?;
            }
        }
        let mut result = json!({"nanoseconds": [nanoseconds(begun.elapsed())]});
        if let Some(error) = failed {
            result["error"] = error.into();
        }
        Ok(result)
    }

    fn capture(&mut self, count: usize, change: Option<f64>, compare: bool) -> Result<Value, Failure> {
        self.limits()?;
        let (Some(limits), Some(screen)) = (&mut self.limits, &mut self.screen) else {
            return Err("there is no display".into());
        };
        let mut took = Vec::new();
        for _ in 0..count {
            if let Some(percent) = change {
                screen.change(percent)?;
            }
            let begun = Instant::now();
            limits.capture(compare)?;
            took.push(nanoseconds(begun.elapsed()));
        }
        Ok(json!({ "nanoseconds": took }))
    }
}

/// Times something, so often. What it returns are bytes.
fn timed(count: usize, mut work: impl FnMut() -> Result<usize, Failure>) -> Result<Value, Failure> {
    let (mut took, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let begun = Instant::now();
        let length = work()?;
        took.push(nanoseconds(begun.elapsed()));
        bytes.push(length);
    }
    Ok(json!({"nanoseconds": took, "bytes": bytes}))
}

pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The beginning of an answer that is an error: of JSON-RPC, of an MCP tool, of a server that says `success` or `ok`. An
/// error is short; a picture is not searched for one.
fn error_in(text: &[u8]) -> Option<String> {
    const LONGEST_ERROR: usize = 4096;
    const MARKS: [&str; 6] =
        ["\"error\":{", "\"error\": {", "\"isError\":true", "\"success\":false", "\"success\": false", "\"ok\":false"];
    let text = std::str::from_utf8(text.get(..text.len().min(LONGEST_ERROR))?).ok()?;
    MARKS.iter().any(|mark| text.contains(mark)).then(|| text.chars().take(300).collect())
}
