//! A man in the middle: passes on what a display and its clients say to each other, until it is told to spoil it.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::{Display, Xvfb};

/// What becomes of the server's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    Pass,
    OneByteASecond,
    Garbage,
    FourGib,
    Endless,
}

const MODES: [Mode; 5] = [Mode::Pass, Mode::OneByteASecond, Mode::Garbage, Mode::FourGib, Mode::Endless];

/// The proxy: a display of its own in front of a real one. Connections that were spoiled once end when the mode is `Pass`
/// again.
pub struct Proxy {
    pub display: Display,
    mode: Arc<AtomicU8>,
}

/// How much is read and written at once.
const CHUNK: usize = 65536;

/// Where free numbers for proxies begin: far from those that servers choose by themselves.
const FIRST: u32 = 2600;

impl Proxy {
    pub fn in_front_of(xvfb: &Xvfb) -> Self {
        fs::create_dir_all("/tmp/.X11-unix").unwrap();
        let own = FIRST + std::process::id() % 5000 * 10;
        let bind = |number: u32| {
            let display = Display { number, xauthority: xvfb.display.xauthority.clone() };
            UnixListener::bind(display.socket()).ok().map(|listener| (display, listener))
        };
        let (display, listener) = (own..own + 10).find_map(bind).expect("a free display number");
        let mode = Arc::new(AtomicU8::new(Mode::Pass as u8));
        let (shared, server) = (Arc::clone(&mode), xvfb.display.socket());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&server) else { return };
                let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let shared = Arc::clone(&shared);
                thread::spawn(move || pass_on(from_client, to_server));
                thread::spawn(move || spoil(server, client, &shared));
            }
        });
        Self { display, mode }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Release);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::Pass);
        fs::remove_file(self.display.socket()).ok();
    }
}

fn pass_on(mut from: UnixStream, mut to: UnixStream) {
    std::io::copy(&mut from, &mut to).ok();
    to.shutdown(std::net::Shutdown::Both).ok();
}

/// The server's direction. An end of either side ends both.
fn spoil(mut server: UnixStream, mut client: UnixStream, shared: &AtomicU8) {
    let mode = || MODES[usize::from(shared.load(Ordering::Acquire))];
    let mut buffer = vec![0; CHUNK];
    // A client that asks nothing is spoiled, too.
    server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    // A thread that writes to a client that reads nothing must end all the same.
    client.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    loop {
        let length = match server.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(_) => break,
        };
        let now = mode();
        let ended = match now {
            Mode::Pass => client.write_all(&buffer[..length]).is_err(),
            Mode::OneByteASecond | Mode::FourGib if length == 0 => false,
            Mode::OneByteASecond => {
                for byte in &buffer[..length] {
                    if mode() != now || client.write_all(&[*byte]).is_err() {
                        break;
                    }
                    for _ in 0..20 {
                        if mode() == now {
                            thread::sleep(Duration::from_millis(50));
                        }
                    }
                }
                true
            }
            Mode::Garbage => {
                // An answer of nonsense to every question, and some more.
                let mut state = u32::try_from(length).unwrap() | 1;
                let mut nonsense = [0; 4096];
                for byte in &mut nonsense {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *byte = state.to_be_bytes()[0];
                }
                client.write_all(&nonsense).is_err()
            }
            Mode::FourGib => {
                // A reply to the request that was just answered, of 2^32 - 1 units of four bytes, and the first of them.
                let mut reply = buffer.clone();
                reply[0] = 1;
                reply[4..8].fill(0xff);
                let zeros = vec![0; CHUNK];
                let mut sent = client.write_all(&reply[..32]);
                while sent.is_ok() && mode() == now {
                    sent = client.write_all(&zeros);
                }
                true
            }
            Mode::Endless => {
                // Events that nobody has asked for, as fast as they are taken: KeymapNotify, which has no sequence number.
                let mut events = vec![0; CHUNK];
                events.iter_mut().step_by(32).for_each(|kind| *kind = 11);
                let mut sent = Ok(());
                while mode() == now && sent.as_ref().map_or_else(would_block, |()| true) {
                    sent = client.write_all(&events);
                }
                true
            }
        };
        if ended {
            break;
        }
    }
    client.shutdown(std::net::Shutdown::Both).ok();
    server.shutdown(std::net::Shutdown::Both).ok();
}

fn would_block(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock
}
