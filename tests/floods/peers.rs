//! What the peers do.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::support::{Controller, Deskhand};

/// How many slow handshakes are kept going at a time: more than are let in without a token.
const AT_A_TIME: usize = 50;
/// How often each of them says something.
const PACE: Duration = Duration::from_millis(20);

fn connect(server: &Deskhand) -> Option<TcpStream> {
    let stream = TcpStream::connect(server.address()).ok()?;
    stream.set_nodelay(true).ok();
    Some(stream)
}

/// Heads that come byte by byte and are never whole.
pub fn slow_handshakes(server: &Deskhand, amount: usize) {
    let head = b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    let mut open: Vec<(TcpStream, usize)> = Vec::new();
    let mut begun = 0;
    while begun < amount {
        while open.len() < AT_A_TIME && begun < amount {
            begun += 1;
            open.extend(connect(server).map(|stream| (stream, 0)));
        }
        thread::sleep(PACE);
        // One that is refused has been answered or closed, and makes room for another.
        open.retain_mut(|(stream, sent)| {
            let byte = head.get(*sent).copied().unwrap_or(b'x');
            *sent += 1;
            stream.write_all(&[byte]).is_ok() && *sent < 40
        });
    }
}

/// A controller with a token that asks for pictures and reads none of them.
pub fn never_reads(server: &Deskhand, amount: usize) {
    for _ in 0..10 {
        let mut controller = Controller::connect(server);
        for _ in 0..amount / 10 {
            // The server closes a reader that is too slow; whoever is gone asks nothing more.
            controller.send("screenshot", json!({"_meta": {"observe": null}}));
        }
        controller.abandon();
    }
}

/// Pings on an open WebSocket, whose answers are read.
pub fn pings(server: &Deskhand, amount: usize) {
    let mut stream = connect(server).expect("a connection");
    let head = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
        server.address(),
        server.token
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let reading = thread::spawn(move || {
        let mut pongs = vec![0; 64 * 1024];
        while reader.read(&mut pongs).is_ok_and(|count| count > 0) {}
    });
    // A ping of four bytes, masked with zeros (RFC 6455, 5.5.2), a thousand at a time.
    let many = [0x89, 0x84, 0, 0, 0, 0, b'p', b'i', b'n', b'g'].repeat(1000);
    for _ in 0..amount / 1000 {
        match stream.write_all(&many) {
            Ok(()) => {}
            // Too much of it may end the connection.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => break,
            Err(error) => panic!("{error}"),
        }
    }
    drop(stream.shutdown(std::net::Shutdown::Both));
    reading.join().unwrap();
}

/// Nothing: it computes for so many milliseconds, as any program on the same processors may. What a flood costs beyond that is ours.
pub fn only_computes(_server: &Deskhand, amount: usize) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(amount as u64) {
        std::hint::spin_loop();
    }
}

pub fn connects_and_closes(server: &Deskhand, amount: usize) {
    for _ in 0..amount {
        drop(connect(server));
    }
}

/// Whole requests that are refused.
pub fn without_a_token(server: &Deskhand, amount: usize) {
    let request = format!("POST /v1/rpc HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\n{{}}", server.address());
    let begun = Instant::now();
    for _ in 0..amount {
        let Some(mut stream) = connect(server) else { continue };
        if stream.write_all(request.as_bytes()).is_ok() {
            stream.shutdown(std::net::Shutdown::Write).ok();
            let mut answer = Vec::new();
            // A reset is a refusal as well.
            stream.read_to_end(&mut answer).ok();
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4") || answer.starts_with(b"HTTP/1.1 503"));
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not end");
    }
}
