//! The limit of anything behind a WebSocket: a server that does nothing but answer with as many bytes as it is asked for.

use std::{io::Write, net::TcpListener};

use crate::{
    Failure,
    websocket::{Kind, WebSocket},
};

/// How many digits each of the two lengths has at the beginning of a request; what follows them fills it up to the length of
/// the request that it stands for.
const DIGITS: usize = 10;

/// A request for a binary message and a text message of these lengths (none for 0), itself so long.
pub fn request(binary: usize, text: usize, length: usize) -> Vec<u8> {
    let mut request = format!("{binary:0DIGITS$}{text:0DIGITS$}").into_bytes();
    request.resize(length.max(request.len()), b' ');
    request
}

/// Serves one connection after the other on a free port of loopback, which is the first line of its output.
pub fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    for stream in listener.incoming() {
        // An end of the connection is how it is told to take the next.
        answer(WebSocket::accept(stream?)?).ok();
    }
    Ok(())
}

fn answer(mut socket: WebSocket) -> Result<(), Failure> {
    let mut filler = Vec::new();
    loop {
        let (_, request) = socket.receive()?;
        let number = |at: usize| -> Result<usize, Failure> {
            Ok(std::str::from_utf8(request.get(at..at + DIGITS).ok_or("a short request")?)?.parse()?)
        };
        let (binary, text) = (number(0)?, number(DIGITS)?);
        filler.resize(filler.len().max(binary).max(text), b'A');
        for (kind, length) in [(Kind::Binary, binary), (Kind::Text, text)] {
            if length > 0 {
                socket.send(kind, &filler[..length])?;
            }
        }
    }
}
