//! A plain Xvfb of the test's own, for attaching to, and a window manager on it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use deskhand::{
    desktop::{connection::Link, target::Target},
    protocol::display::DisplayNumber,
};
use rustix::{
    io::FdFlags,
    pipe::{PipeFlags, pipe_with},
};
use tempfile::TempDir;

use super::{Display, PATIENCE, Process, files::wait_for_content, process::readable};

/// Xvfb with a cookie, on a number that it chose. Gone with the value.
pub struct Xvfb {
    pub display: Display,
    pub process: Process,
    window_manager: Option<Process>,
    _directory: TempDir,
}

impl Xvfb {
    /// Starts Xvfb with a screen such as `1024x768` and waits until it accepts connections.
    pub fn start(size: &str) -> Self {
        Self::start_with(size, &[])
    }

    /// The same with more options, of which Xvfb takes the last where two speak of the same.
    pub fn start_with(size: &str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let xauthority = directory.path().join("Xauthority");
        std::fs::write(&xauthority, cookie_file()).unwrap();
        Self::launch(None, xauthority, &format!("{size}x24"), options, directory)
    }

    /// The same with another depth.
    pub fn start_with_depth(size: &str, depth: u8) -> Self {
        Self::start_with(size, &["-screen", "0", &format!("{size}x{depth}")])
    }

    /// The same on the number and with the cookie of this display, which may have been there before.
    pub fn start_at(display: &Display, size: &str) -> Self {
        let xauthority = display.xauthority.clone().expect("a cookie file");
        Self::launch(Some(display.name()), xauthority, &format!("{size}x24"), &[], tempfile::tempdir().unwrap())
    }

    fn launch(number: Option<String>, xauthority: PathBuf, screen: &str, options: &[&str], directory: TempDir) -> Self {
        let (ready, announce) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let announce_number = inheritable(&announce);
        let mut command = Command::new("Xvfb");
        command
            .args(number)
            .args(["-displayfd", &announce_number, "-screen", "0", screen])
            .args(["-noreset", "-nolisten", "tcp", "-s", "0", "-auth"])
            .arg(&xauthority)
            .args(options)
            .stdin(Stdio::null())
            .stderr(File::create(directory.path().join("Xvfb.log")).unwrap());
        let process = Process::start(&mut command);
        drop(announce);
        // -displayfd writes the number and a newline once the sockets listen.
        assert!(readable(&ready, Instant::now() + PATIENCE), "Xvfb does not come up");
        let mut number = String::new();
        BufReader::new(File::from(ready)).read_line(&mut number).unwrap();
        let log = std::fs::read_to_string(directory.path().join("Xvfb.log")).unwrap_or_default();
        let number = number.trim().parse().unwrap_or_else(|_| panic!("Xvfb did not say its number: {log}"));
        let display = Display { number, xauthority: Some(xauthority) };
        Self { display, process, window_manager: None, _directory: directory }
    }

    /// `start` with openbox, configured as the project's desktop is.
    pub fn start_managed(size: &str) -> Self {
        let mut xvfb = Self::start(size);
        xvfb.window_manager = Some(start_window_manager(&xvfb.display));
        xvfb
    }

    /// The display as a program that started this server would open it.
    pub fn target(&self) -> Target {
        Target {
            display: DisplayNumber::new(self.display.number.try_into().unwrap()).unwrap(),
            xauthority: self.display.xauthority.clone(),
            expected_server: None,
        }
    }

    /// The display as one that Deskhand started itself: its keymap is made wide.
    pub fn owned_target(&self) -> Target {
        Target { expected_server: Some(self.process.pid()), ..self.target() }
    }

    /// A connection as Deskhand opens it.
    pub fn link(&self) -> Link {
        Link::open(&self.target(), PATIENCE).unwrap()
    }

    /// How many shared frames the server has mapped.
    pub fn shared_frames(&self) -> usize {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.process.pid())).unwrap();
        maps.lines().filter(|line| line.contains("memfd:deskhand-frame")).count()
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        // A server that is killed leaves its socket and its lock behind.
        self.process.end();
    }
}

/// Starts openbox on a display and waits until it manages windows. Its `_NET_SUPPORTING_WM_CHECK` comes too early for that:
/// a window that is mapped right after it may stay unmapped. Its start-up command runs when all is set up.
pub fn start_window_manager(display: &Display) -> Process {
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("xvfb/openbox.xml");
    let directory = tempfile::tempdir().unwrap();
    let ready = directory.path().join("ready");
    let mut command = Command::new("openbox");
    display
        .give_to(&mut command)
        .env("XCOMPOSEFILE", "/dev/null")
        .arg("--sm-disable")
        .arg("--config-file")
        .arg(configuration);
    command.arg("--startup").arg(format!("touch {}", ready.display()));
    let process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    wait_for_content(&ready, |_| ready.exists());
    process
}

/// Lets a child inherit the descriptor, and returns its number for the child's command line.
fn inheritable(descriptor: &OwnedFd) -> String {
    rustix::io::fcntl_setfd(descriptor, FdFlags::empty()).unwrap();
    std::os::fd::AsRawFd::as_raw_fd(descriptor).to_string()
}

/// One entry for any host and display: family `FamilyWild` (0xffff), empty address and number, then the cookie (Xau(3)).
pub fn cookie_file() -> Vec<u8> {
    let mut cookie = [0; 16];
    File::open("/dev/urandom").unwrap().read_exact(&mut cookie).unwrap();
    let mut file = vec![0xff, 0xff, 0, 0, 0, 0];
    for field in [b"MIT-MAGIC-COOKIE-1".as_slice(), &cookie] {
        file.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
        file.extend(field);
    }
    file
}
