//! Somebody else listens where the display's server did, and waits for its cookie.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;

use crate::{
    LONG,
    arena::ANSWER_TIME,
    memory::{Before, GROWTH},
    support::{Controller, Deskhand, Display, PATIENCE, process::Watched},
};

/// So many bytes of a cookie in a row are no accident.
const RECOGNISED: usize = 4;
/// How long a display may take to come back once nobody is in its way.
const COME_BACK: Duration = Duration::from_secs(5);

/// How long an executor that gives up takes for that.
const GIVING_UP: Duration = Duration::from_secs(2);

/// Listens on the display's path, its abstract name and its TCP port, and keeps everything that is said.
struct Impostor {
    display: Display,
    cookie: Vec<u8>,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
}

impl Impostor {
    fn new(display: &Display) -> Self {
        let file = fs::read(display.xauthority.as_ref().unwrap()).unwrap();
        let cookie = file[file.len() - 16..].to_vec();
        Self { display: display.clone(), cookie, heard: Arc::default(), stop: Arc::default() }
    }

    /// Takes the path, whoever had it.
    fn take_path(&self) {
        fs::remove_file(self.display.socket()).ok();
        // A server that starts at this moment may have been faster.
        if let Ok(listener) = UnixListener::bind(self.display.socket()) {
            self.listen(move || listener.accept().map(|(stream, _)| stream));
        }
    }

    fn take_abstract_name(&self) -> bool {
        let name = SocketAddr::from_abstract_name(self.display.socket().to_str().unwrap()).unwrap();
        let Ok(listener) = UnixListener::bind_addr(&name) else { return false };
        self.listen(move || listener.accept().map(|(stream, _)| stream));
        true
    }

    fn take_port(&self) {
        let port = u16::try_from(6000 + self.display.number).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        self.listen(move || listener.accept().map(|(stream, _)| UnixStream::from(OwnedFd::from(stream))));
    }

    fn listen(&self, accept: impl Fn() -> std::io::Result<UnixStream> + Send + 'static) {
        let (heard, stop) = (Arc::clone(&self.heard), Arc::clone(&self.stop));
        thread::spawn(move || {
            while let Ok(mut stream) = accept() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let heard = Arc::clone(&heard);
                thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
                    let mut said = Vec::new();
                    let mut chunk = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut chunk) {
                        said.extend_from_slice(&chunk[..length]);
                        heard.lock().unwrap().push(said.clone());
                    }
                    heard.lock().unwrap().push(said);
                });
            }
        });
    }

    /// Asserts that nothing of the cookie was said, and returns how many spoke.
    fn assert_ignorant(&self) -> usize {
        let heard = self.heard.lock().unwrap();
        for said in heard.iter() {
            let leaked =
                said.windows(RECOGNISED).any(|bytes| self.cookie.windows(RECOGNISED).any(|part| part == bytes));
            assert!(!leaked, "the cookie reached the impostor: {said:?}");
        }
        heard.len()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the threads that wait for somebody.
        UnixStream::connect(self.display.socket()).ok();
        let name = SocketAddr::from_abstract_name(self.display.socket().to_str().unwrap()).unwrap();
        UnixStream::connect_addr(&name).ok();
        std::net::TcpStream::connect(("127.0.0.1", u16::try_from(6000 + self.display.number).unwrap())).ok();
    }
}

/// Asks until a picture comes back, each answer in time and of an honest kind.
fn wait_until_back(controller: &mut Controller, limit: Duration) {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = controller.call("screenshot", json!({}));
        assert!(asked.elapsed() < ANSWER_TIME, "{answer:?}");
        match answer {
            Ok(_) => return,
            Err(error) => {
                let kind = error["data"]["kind"].as_str().unwrap();
                assert!(["display_lost", "display_untrusted"].contains(&kind), "{error}");
            }
        }
        assert!(begun.elapsed() < limit, "the display does not come back");
    }
}

/// The server is killed, and the impostor is there before the next one: on the path and the port, and on the abstract name as
/// far as it gets it.
pub fn after_a_crash(time: Duration) {
    let mut server = Deskhand::owned_with("640x480", &["--", "sleep", "1000"]);
    let mut controller = Controller::connect(&server);
    controller.must("screenshot", json!({}));
    let before = Before::measure(&server);
    let impostor = Impostor::new(&server.display);
    impostor.take_port();
    let deadline = Instant::now() + time;
    let mut crashes = 0;
    loop {
        server.xvfb().signal(Signal::KILL);
        // In the way for as long as it may: the next server takes the path back, and has to find the abstract name free.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(300) {
            impostor.take_path();
            thread::sleep(Duration::from_millis(1));
        }
        fs::remove_file(server.display.socket()).ok();
        // The server of this moment may have lost its path for good; the next one makes it again.
        if let Some(xvfb) = server.process.descendants().into_iter().find(|process: &Watched| process.name == "Xvfb") {
            xvfb.signal(Signal::KILL);
        }
        crashes += 1;
        // Who keeps five servers in a row from starting ends the executor, which says so.
        if let Some(status) = server.exited(GIVING_UP) {
            assert_eq!(status.code(), Some(3), "{}", server.log());
            eprintln!("impostor after a crash: gives up, {} heard", impostor.assert_ignorant());
            return;
        }
        wait_until_back(&mut controller, COME_BACK);
        if Instant::now() >= deadline || time < LONG {
            break;
        }
        // Servers that die within five seconds of their start count as unable to start.
        thread::sleep(Duration::from_secs(6));
    }
    let growth = before.growth(&server);
    eprintln!("impostor after a crash: {crashes} crashes, {} heard; growth {growth} KiB", impostor.assert_ignorant());
    assert!(growth <= GROWTH, "{growth} KiB");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// The impostor keeps the abstract name, without which no server starts: that is told, by the exit code at the latest.
pub fn on_the_abstract_name(_: Duration) {
    let mut server = Deskhand::owned_with("640x480", &["--", "sleep", "1000"]);
    let mut controller = Controller::connect(&server);
    controller.must("screenshot", json!({}));
    let impostor = Impostor::new(&server.display);
    server.xvfb().signal(Signal::KILL);
    let begun = Instant::now();
    while !impostor.take_abstract_name() && begun.elapsed() < Duration::from_millis(500) {}
    let ended = server.exited(COME_BACK);
    impostor.assert_ignorant();
    assert!(!server.log().contains("panicked"), "{}", server.log());
    match ended {
        Some(status) => assert_eq!(status.code(), Some(3), "{}", server.log()),
        None => wait_until_back(&mut controller, COME_BACK),
    }
    drop(impostor);
}

/// COMMAND ends while somebody else sits on the display's path: the supervisor asks the display whether it lives, and must not
/// tell the cookie to whoever answers.
pub fn while_command_ends(_: Duration) {
    let server = Deskhand::owned_with("640x480", &["--", "sleep", "1000"]);
    let mut controller = Controller::connect(&server);
    controller.must("screenshot", json!({}));
    let impostor = Impostor::new(&server.display);
    impostor.take_path();
    let command = |name: &str| server.process.descendants().into_iter().find(|process| process.name == name);
    let begun = Instant::now();
    let sleep = loop {
        if let Some(process) = command("sleep") {
            break process;
        }
        assert!(begun.elapsed() < PATIENCE, "no COMMAND");
    };
    let xvfb = server.xvfb();
    sleep.kill();
    assert!(xvfb.wait(PATIENCE), "a server that nobody can reach any more is replaced");
    wait_until_back(&mut controller, COME_BACK);
    impostor.assert_ignorant();
    let begun = Instant::now();
    while command("sleep").is_none() {
        assert!(begun.elapsed() < PATIENCE, "COMMAND does not run again");
    }
}
