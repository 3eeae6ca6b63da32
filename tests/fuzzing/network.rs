//! Bytes of a peer, against the transport of a server in this process.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::support::in_process::{Carrier, Server};

/// How long a connection may stay open whose peer says nothing more. By then it is closed: the peer has said so.
const END_TIME: Duration = Duration::from_secs(10);

/// The name of its thread.
const SERVER_THREAD: &str = "server";
/// Panics on the server's thread, which end a connection and nothing else.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Where the server listens, and what opens a WebSocket there.
fn server() -> &'static (PathBuf, String) {
    static SERVER: OnceLock<(PathBuf, String)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() == Some(SERVER_THREAD) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(panic);
        }));
        let (sender, receiver) = std::sync::mpsc::channel();
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::start(Carrier::Unix);
                sender.send((server.socket_path(), server.handshake())).unwrap();
                std::future::pending::<()>().await;
            });
        };
        std::thread::Builder::new().name(SERVER_THREAD.to_owned()).spawn(body).unwrap();
        receiver.recv().unwrap()
    })
}

fn connect() -> UnixStream {
    let stream = UnixStream::connect(&server().0).unwrap();
    stream.set_read_timeout(Some(END_TIME)).unwrap();
    stream
}

/// Sends bytes and reads to the end; nothing is left open, and nothing has panicked.
fn exchange(mut stream: UnixStream, bytes: &[u8]) -> Vec<u8> {
    // A server that has heard enough closes before the rest.
    stream.write_all(bytes).ok();
    stream.shutdown(Shutdown::Write).ok();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection is not closed: {error}"),
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "something panicked");
    answer
}

/// The first bytes of a connection. Only the token opens the door, and none of the seeds has it in the right place.
pub fn handshake(bytes: &[u8]) {
    let answer = exchange(connect(), bytes);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&answer));
}

/// What follows when the door is open.
pub fn frames(bytes: &[u8]) {
    let mut stream = connect();
    stream.write_all(server().1.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the head of an answer");
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{:?}", String::from_utf8_lossy(&head));
    exchange(stream, bytes);
}
