//! The binary under test as a child process.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{Display, PATIENCE, Process, process::Watched};

/// How long the server may take to go and to take everything it started with it.
const GOODBYE: Duration = Duration::from_secs(5);

/// A running server. Dropping it ends it by `SIGTERM` and asserts that no process and no socket of it is left.
pub struct Deskhand {
    pub process: Process,
    pub ready: Value,
    pub display: Display,
    pub token: String,
    /// What it has said on standard output after the ready line.
    lines: Mutex<mpsc::Receiver<String>>,
    address: Option<SocketAddr>,
    /// Whether `serve` started the X server.
    owned: bool,
    ended: bool,
    directory: TempDir,
}

impl Deskhand {
    /// The program itself, for verbs that end by themselves.
    pub fn program() -> Command {
        Command::new(env!("CARGO_BIN_EXE_deskhand"))
    }

    /// The same program with faults that tests ask for (`tests/support/faulty.rs`).
    pub fn faulty() -> PathBuf {
        let path = PathBuf::from(env!("CARGO_BIN_EXE_deskhand")).with_file_name("examples").join("deskhand-faulty");
        assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
        path
    }

    /// `serve` with its own Xvfb of a size such as `1024x768` and a free port.
    pub fn owned(size: &str) -> Self {
        Self::owned_with(size, &[])
    }

    /// The same with more arguments, which may end in `-- COMMAND…`.
    pub fn owned_with(size: &str, arguments: &[&str]) -> Self {
        Self::owned_by(Self::program(), size, arguments)
    }

    /// The same by another program that is `deskhand`, or by one that runs it.
    pub fn owned_by(program: Command, size: &str, arguments: &[&str]) -> Self {
        Self::serve(program, true, &[&["--xvfb", size, "--listen", "127.0.0.1:0"], arguments].concat(), None)
    }

    /// `serve` attached to a display that exists.
    pub fn attached(display: &Display) -> Self {
        Self::attached_with(display, &[])
    }

    pub fn attached_with(display: &Display, arguments: &[&str]) -> Self {
        Self::attached_by(Self::program(), display, arguments)
    }

    pub fn attached_by(program: Command, display: &Display, arguments: &[&str]) -> Self {
        Self::serve(
            program,
            false,
            &[&["--display", &display.name(), "--listen", "127.0.0.1:0"], arguments].concat(),
            Some(display),
        )
    }

    fn serve(mut command: Command, owned: bool, arguments: &[&str], given: Option<&Display>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("deskhand.log")).unwrap();
        command.arg("serve").args(arguments);
        command.env_remove("DISPLAY").env_remove("XAUTHORITY").env("XDG_RUNTIME_DIR", directory.path());
        if let Some(display) = given {
            display.give_to(&mut command);
        }
        let mut process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log));
        let output = process.child().stdout.take().unwrap();
        let lines = lines(output);
        let ready = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let log = fs::read_to_string(directory.path().join("deskhand.log")).unwrap_or_default();
            panic!("deskhand serve {arguments:?} says no ready line within {PATIENCE:?}; its log:\n{log}")
        });
        let ready: Value =
            serde_json::from_str(&ready).unwrap_or_else(|error| panic!("{error} in the ready line {ready}"));
        assert_eq!(ready["event"], "ready", "{ready}");
        let xauthority = ready["xauthority"].as_str().map(PathBuf::from);
        let mut display = Display::new(ready["display"].as_str().expect("a display"), xauthority.as_deref());
        if let Some(given) = given {
            display.xauthority.clone_from(&given.xauthority);
        }
        let token = ready["token_file"]
            .as_str()
            .map(|path| fs::read_to_string(path).unwrap().trim().to_owned())
            .unwrap_or_default();
        let address = ready["listen"].as_array().and_then(|all| all.iter().find_map(|one| one.as_str()?.parse().ok()));
        Self { process, ready, display, token, lines: Mutex::new(lines), address, owned, ended: false, directory }
    }

    /// The next line of JSON on standard output.
    pub fn line(&self) -> Value {
        let line = self.lines.lock().unwrap().recv_timeout(PATIENCE).expect("a line on standard output");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
    }

    /// The process below it that has this name, once it has: it is called otherwise until it has become its program.
    pub fn child(&self, name: &str) -> Watched {
        let begun = Instant::now();
        loop {
            if let Some(found) = self.process.descendants().into_iter().find(|process| process.name == name) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "no process {name}");
            thread::yield_now();
        }
    }

    /// The TCP listener.
    pub fn address(&self) -> SocketAddr {
        self.address.unwrap_or_else(|| panic!("no TCP listener in {}", self.ready))
    }

    /// The X server that `serve` started; a new one after each restart.
    pub fn xvfb(&self) -> Watched {
        self.process.descendants().into_iter().find(|process| process.name == "Xvfb").expect("an Xvfb of its own")
    }

    /// All that the server and its COMMAND have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("deskhand.log")).unwrap_or_default()
    }

    /// Waits for a server that ends by itself; `None` where it still runs.
    pub fn exited(&mut self, limit: Duration) -> Option<ExitStatus> {
        let status = self.process.wait(limit)?;
        self.ended = true;
        Some(status)
    }

    /// Asks the server to stop and waits for it. Returns how it ended, after checking that nothing of it is left.
    pub fn stop(mut self) -> ExitStatus {
        self.end(Signal::TERM)
    }

    /// Ends the server without a chance to clean up, and checks that nothing of it is left all the same.
    pub fn kill(mut self) -> ExitStatus {
        self.end(Signal::KILL)
    }

    /// Kills every process of the server at once, so that none can clean up after another.
    pub fn kill_everything(mut self) -> ExitStatus {
        // The supervisor must not see its child die: it is stopped first.
        self.process.signal(Signal::STOP);
        for process in self.process.descendants() {
            process.kill();
        }
        self.end(Signal::KILL)
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        let left: Vec<Watched> = self.process.descendants();
        self.process.signal(signal);
        self.ended = true;
        let status = self
            .process
            .wait(GOODBYE)
            .unwrap_or_else(|| panic!("the server is still there {GOODBYE:?} after {signal:?}"));
        for process in &left {
            assert!(process.wait(GOODBYE), "{} ({}) outlives the server", process.name, process.pid);
        }
        if self.owned && signal == Signal::TERM {
            self.assert_display_is_gone(&left);
        }
        status
    }

    /// Another server may have taken the display's number already, so a lock counts only when it names a process of ours,
    /// and a socket only when nobody answers on it.
    fn assert_display_is_gone(&self, left: &[Watched]) {
        if let Ok(lock) = fs::read_to_string(self.display.lock()) {
            let holder = lock.trim().parse::<u32>().ok();
            let is_ours = holder
                .is_none_or(|holder| holder == self.process.pid() || left.iter().any(|process| process.pid == holder));
            assert!(!is_ours, "{} of {holder:?} is left behind", self.display.lock().display());
        }
        let socket = self.display.socket();
        let refused =
            UnixStream::connect(&socket).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        assert!(!refused, "{} is left behind", socket.display());
    }

    /// Sends raw bytes as one HTTP exchange and reads until the server closes or has answered completely.
    pub fn http(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        // A reset after the answer is the server's way of not reading the rest of what was sent.
        while let Ok(length @ 1..) = stream.read(&mut chunk) {
            answer.extend_from_slice(&chunk[..length]);
            if is_complete(&answer) {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// One `POST /v1/rpc`.
    pub fn rpc(&self, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "POST /v1/rpc HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.address(),
            self.token,
            body.len()
        );
        let answer = self.http(request.as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {answer}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Deskhand {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- deskhand's log ---\n{}--- end ---", self.log());
        } else if !self.ended {
            self.end(Signal::TERM);
        }
    }
}

/// Reads lines as they come, whether or not anybody wants them, so that the server never blocks on it.
fn lines(output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // The receiver goes with its test.
            sender.send(line).ok();
        }
    });
    receiver
}

/// Whether an HTTP/1.1 answer has the length that it announces.
fn is_complete(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= end + 4 + length)
}
