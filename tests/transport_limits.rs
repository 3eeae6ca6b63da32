//! The limits and promises of the transport, each at its edge and one past it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::{os::unix::fs::PermissionsExt, time::Duration};

use deskhand::{
    protocol::{
        identity::{Principal, Role},
        limits,
    },
    transport::{
        listener::Listener,
        outbox::{Closed, Offered, Outbox, Outgoing},
    },
};
use support::in_process::{Carrier, Client, Event, Received, Server, TOKEN, frame, resident};
use tokio::{io::AsyncWriteExt, net::UnixListener};

async fn ask(server: &Server, head: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let mut client = server.connect().await;
    client.send(&[format!("{head}\r\nHost: {}\r\n", server.host()).as_bytes(), body].concat()).await;
    let head = client.head().await.expect("an answer");
    (head.status, head.text, client.rest().await)
}

fn rpc(size: usize) -> Vec<u8> {
    let head = format!("Authorization: Bearer {TOKEN}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), &vec![b' '; size]].concat()
}

#[tokio::test]
async fn probes_answer_without_a_token_and_say_why_not_ready() {
    let (status, head, body) = ask(&Server::start(Carrier::Tcp), "GET /healthz HTTP/1.1", b"\r\n").await;
    assert_eq!((status, body.as_slice()), (200, b"ok\n".as_slice()));
    for header in ["cache-control: no-store", "x-content-type-options: nosniff", "connection: close"] {
        assert!(head.contains(header), "{head}");
    }
    assert!(!head.contains("\r\ndate:"), "{head}");
    assert_eq!(ask(&Server::start(Carrier::Tcp), "GET /readyz HTTP/1.1", b"\r\n").await.0, 200);
    let (status, _, body) = ask(&Server::unready("the display is gone"), "GET /readyz HTTP/1.1", b"\r\n").await;
    assert_eq!((status, body.as_slice()), (503, b"the display is gone\n".as_slice()));
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let server = Server::start(Carrier::Tcp);
    let token = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
    for (request, allowed) in [("GET /v1/rpc", "post"), ("PUT /v1/screenshot.png", "get"), ("HEAD /v1/ws", "get")] {
        let (status, head, _) = ask(&server, &format!("{request} HTTP/1.1"), token.as_bytes()).await;
        assert_eq!(status, 405, "{request}");
        assert!(head.contains(&format!("\r\nallow: {allowed}")), "{head}");
    }
}

#[tokio::test]
async fn http_answers_what_the_service_answers() {
    let server = Server::start(Carrier::Tcp);
    let (status, head, body) = ask(&server, "POST /v1/rpc HTTP/1.1", &rpc(100)).await;
    assert_eq!((status, body), (200, vec![b' '; 100]));
    assert!(head.contains("content-type: application/json"), "{head}");
    let token = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
    let (status, head, body) = ask(&server, "GET /v1/screenshot.png HTTP/1.1", token.as_bytes()).await;
    assert_eq!((status, body.as_slice()), (200, b"png".as_slice()));
    assert!(head.contains("content-type: image/png"), "{head}");
}

#[tokio::test]
async fn a_body_may_have_256_kib_and_no_byte_more() {
    let server = Server::start(Carrier::Tcp);
    assert_eq!(ask(&server, "POST /v1/rpc HTTP/1.1", &rpc(limits::MESSAGE_BYTES)).await.0, 200);
    assert_eq!(ask(&server, "POST /v1/rpc HTTP/1.1", &rpc(limits::MESSAGE_BYTES + 1)).await.0, 413);
    let mut chunked = format!(
        "Authorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n",
        limits::MESSAGE_BYTES + 1
    )
    .into_bytes();
    chunked.extend(vec![b' '; limits::MESSAGE_BYTES + 1]);
    chunked.extend(b"\r\n0\r\n\r\n");
    assert_eq!(ask(&server, "POST /v1/rpc HTTP/1.1", &chunked).await.0, 413);
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up_after_10_seconds() {
    let server = Server::start(Carrier::Tcp);
    let mut body = rpc(100);
    body.truncate(body.len() - 1);
    assert_eq!(ask(&server, "POST /v1/rpc HTTP/1.1", &body).await.0, 408);
}

#[tokio::test]
async fn a_host_that_has_said_all_it_will_say_still_gets_its_answer() {
    let server = Server::start(Carrier::Stdio);
    let mut client = server.connect().await;
    client.send(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()).as_bytes()).await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.head().await.unwrap().status, 200);
}

#[tokio::test]
async fn the_ninth_connection_without_a_token_gets_503_and_the_first_eight_go_on() {
    let server = Server::start(Carrier::Tcp);
    let mut silent = Vec::new();
    for _ in 0..limits::CONNECTIONS_UNAUTHENTICATED {
        silent.push(server.connect().await);
    }
    let mut ninth = server.connect().await;
    assert_eq!(ninth.head().await.unwrap().status, 503);
    // The message, and the end of the connection.
    assert!(ninth.rest().await.ends_with(b"\n"));
    for client in &mut silent {
        client.send(server.handshake().as_bytes()).await;
        assert_eq!(client.head().await.unwrap().status, 101);
    }
    // All eight have authenticated: there is room again.
    server.open().await.echo("welcome").await;
}

#[tokio::test]
async fn the_seventeenth_websocket_gets_503_until_one_of_the_sixteen_ends() {
    let mut server = Server::start(Carrier::Tcp);
    let mut open = Vec::new();
    for _ in 0..limits::CONNECTIONS_AUTHENTICATED {
        open.push(server.open().await);
        assert!(matches!(server.event().await, Event::Opened(_)));
    }
    let mut next = server.connect().await;
    next.send(server.handshake().as_bytes()).await;
    assert_eq!(next.head().await.unwrap().status, 503);
    let mut last = open.pop().unwrap();
    last.send(&frame(0x88, &1000_u16.to_be_bytes())).await;
    assert_eq!(last.closed().await, Some(1000));
    drop(last);
    assert_eq!(server.event().await, Event::Dropped);
    loop {
        let mut again = server.connect().await;
        again.send(server.handshake().as_bytes()).await;
        if again.head().await.unwrap().status == 101 {
            break;
        }
    }
    for client in &mut open {
        client.echo("unharmed").await;
    }
}

#[tokio::test]
async fn an_attachment_comes_right_before_the_text_that_names_it() {
    let server = Server::start(Carrier::Tcp);
    let mut client = server.open().await;
    for text in ["first", "attach 300000", "last"] {
        client.text(text).await;
    }
    assert_eq!(client.receive().await, Received::Text(b"first".to_vec()));
    assert_eq!(
        client.receive().await,
        Received::Binary([vec![1, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0], vec![7; 300_000]].concat())
    );
    assert_eq!(client.receive().await, Received::Text(b"attached".to_vec()));
    assert_eq!(client.receive().await, Received::Text(b"last".to_vec()));
}

#[tokio::test]
async fn one_reply_of_30_mib_passes_when_nothing_else_waits() {
    let server = Server::start(Carrier::Tcp);
    let mut client = server.open().await;
    client.text(&format!("big {}", 30 << 20)).await;
    client.text("and a small one behind it").await;
    assert_eq!(client.receive().await, Received::Text(vec![b'x'; 30 << 20]));
    assert_eq!(client.receive().await, Received::Text(b"and a small one behind it".to_vec()));
    client.text(&format!("big {}", limits::OUTBOUND_REPLY_BYTES + 1)).await;
    assert_eq!(client.closed().await, Some(1013));
}

#[tokio::test]
async fn a_reader_that_is_too_slow_costs_bounded_memory_and_is_closed_with_1013() {
    let mut server = Server::start(Carrier::Tcp);
    let mut slow = server.open().await;
    assert!(matches!(server.event().await, Event::Opened(_)));
    let outbox = server.outbox().await;
    let before = resident();
    slow.text("flood 1000").await;
    assert_eq!(server.event().await, Event::Dropped, "the session ends before the reader notices");
    assert!(outbox.queued_bytes() <= limits::OUTBOUND_BYTES);
    assert_eq!(outbox.send(Outgoing::text("late".to_owned())), Err(Closed));
    let grown = resident().saturating_sub(before);
    assert!(grown < 2 * limits::OUTBOUND_BYTES, "grew by {grown} bytes");
    assert_eq!(slow.closed().await, Some(1013));
}

#[test]
fn the_outbox_takes_16_mib_or_one_reply_of_40_and_then_no_more() {
    let text = |size: usize| Outgoing::text("x".repeat(size));
    let (outbox, mut reader) = Outbox::new();
    assert_eq!(outbox.send(text(limits::OUTBOUND_BYTES)), Ok(()));
    assert_eq!(outbox.queued_bytes(), limits::OUTBOUND_BYTES);
    assert_eq!(outbox.send(text(1)), Err(Closed));
    assert_eq!(reader.ending().unwrap().code, 1013);
    assert!(reader.try_next().is_none());
    assert_eq!(outbox.queued_bytes(), 0, "what waited is freed");

    let (outbox, mut reader) = Outbox::new();
    assert_eq!(outbox.send(text(limits::OUTBOUND_REPLY_BYTES)), Ok(()));
    let writing = reader.try_next().unwrap();
    assert_eq!(outbox.queued_bytes(), limits::OUTBOUND_REPLY_BYTES, "counts until it is written");
    drop(writing);
    assert_eq!(outbox.queued_bytes(), 0);
    assert_eq!(outbox.send(text(1)), Ok(()));
    assert_eq!(outbox.send(text(limits::OUTBOUND_BYTES)), Err(Closed), "only an empty queue takes a large reply");

    let (outbox, _reader) = Outbox::new();
    assert_eq!(outbox.send(text(limits::OUTBOUND_REPLY_BYTES + 1)), Err(Closed));
}

#[test]
fn a_stream_waits_behind_64_kib_and_takes_nothing_of_the_room_for_answers() {
    let text = |size: usize| Outgoing::text("x".repeat(size));
    let (outbox, mut reader) = Outbox::new();
    assert_eq!(outbox.offer(text(limits::STREAM_WAITS_BEHIND_BYTES)), Ok(Offered::Queued));
    assert!(outbox.takes_offers());
    assert_eq!(outbox.offer(text(limits::OUTBOUND_REPLY_BYTES)), Ok(Offered::Queued), "nothing much waits");
    assert!(!outbox.takes_offers());
    assert_eq!(outbox.offer(text(1)), Ok(Offered::Busy));
    assert_eq!(outbox.send(text(limits::OUTBOUND_REPLY_BYTES)), Ok(()), "as if there was no stream");
    while let Some(delivery) = reader.try_next() {
        drop(delivery);
    }
    assert_eq!(outbox.queued_bytes(), 0);
    assert_eq!(outbox.offer(text(limits::OUTBOUND_REPLY_BYTES + 1)), Ok(Offered::Busy));
    assert_eq!(outbox.send(text(limits::STREAM_WAITS_BEHIND_BYTES + 1)), Ok(()));
    assert_eq!(outbox.offer(text(1)), Ok(Offered::Busy), "behind an answer");
    let writing = reader.try_next().unwrap();
    assert!(!outbox.takes_offers(), "counts until it is written");
    drop(writing);
    assert_eq!(outbox.offer(text(1)), Ok(Offered::Queued));
    drop(reader);
    assert_eq!(outbox.offer(text(1)), Err(Closed));
}

#[tokio::test]
async fn a_peer_that_is_gone_is_noticed_while_its_answers_still_fill_the_socket() {
    for reset in [false, true] {
        let mut server = Server::start(Carrier::Tcp);
        let stream = server.connect_tcp().await;
        if reset {
            // Closing with unread data or without lingering sends RST.
            stream.set_zero_linger().unwrap();
        }
        let mut client = Client::new(Box::new(stream));
        client.send(server.handshake().as_bytes()).await;
        assert_eq!(client.head().await.unwrap().status, 101);
        let principal = Principal { role: Role::Control, ..Principal::single_token() };
        assert_eq!(server.event().await, Event::Opened(principal));
        let outbox = server.outbox().await;
        client.text("flood 14").await;
        // The writer is stuck once the queue stops shrinking below what the kernel takes.
        while outbox.queued_bytes() == 0 {
            tokio::task::yield_now().await;
        }
        drop(client);
        let noticed = tokio::time::timeout(Duration::from_secs(2), server.event()).await;
        assert_eq!(noticed, Ok(Event::Dropped), "reset: {reset}");
        while outbox.queued_bytes() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_message_in_fragments_with_pings_between_is_one_message() {
    let server = Server::start(Carrier::Tcp);
    let mut client = server.open().await;
    client.send(&frame(0x01, b"one ")).await;
    client.send(&frame(0x89, b"ping")).await;
    client.send(&frame(0x80, b"message")).await;
    assert_eq!(client.receive().await, Received::Pong(b"ping".to_vec()));
    assert_eq!(client.receive().await, Received::Text(b"one message".to_vec()));
}

#[tokio::test]
async fn frames_in_the_same_packet_as_the_handshake_are_not_lost() {
    let server = Server::start(Carrier::Tcp);
    let mut client = server.connect().await;
    client.send(&[server.handshake().as_bytes(), &frame(0x81, b"early")].concat()).await;
    assert_eq!(client.head().await.unwrap().status, 101);
    assert_eq!(client.receive().await, Received::Text(b"early".to_vec()));
}

#[tokio::test]
async fn shutdown_tells_every_connection_and_waits_for_no_silent_one() {
    for carrier in [Carrier::Tcp, Carrier::Unix] {
        let mut server = Server::start(carrier);
        let mut polite = server.open().await;
        let _silent = server.open().await;
        let _half_a_request = server.connect().await;
        let _stuck = server.open().await;
        for _ in 0..3 {
            assert!(matches!(server.event().await, Event::Opened(_)));
        }
        server.begin_stop();
        assert_eq!(polite.closed().await, Some(1001), "{carrier:?}");
        for _ in 0..3 {
            assert_eq!(server.event().await, Event::Dropped);
        }
        let path = server.socket_path();
        let address = server.address.clone();
        server.stop().await;
        assert!(!path.exists(), "the socket's file is gone");
        if let Some(deskhand::protocol::address::ListenAddress::Tcp(address)) = address {
            assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
        }
    }
}

#[tokio::test]
async fn the_connection_over_standard_input_is_the_hosts_own_and_its_end_ends_the_server() {
    let mut server = Server::start(Carrier::Stdio);
    let mut client = server.connect().await;
    let head = server.handshake().replace(&format!("Authorization: Bearer {TOKEN}\r\n"), "");
    client.send(head.as_bytes()).await;
    assert_eq!(client.head().await.unwrap().status, 101);
    let host = Principal::host();
    assert_eq!(server.event().await, Event::Opened(host));
    client.echo("over pipes").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(server.event().await, Event::Dropped);
    assert_eq!(client.receive().await, Received::Gone);
}

#[tokio::test]
async fn a_unix_socket_is_its_owners_alone_and_takes_nobodys_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let first = Listener::unix(path.clone()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(first.address().to_string(), format!("unix:{}", path.display()));
    assert!(Listener::unix(path.clone()).is_err(), "somebody answers there");
    drop(first);
    assert!(!path.exists());

    // Dropped without its file being removed: what a killed server leaves behind.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(Listener::unix(path.clone()).unwrap());

    std::fs::write(&path, "not a socket").unwrap();
    let error = Listener::unix(path.clone()).unwrap_err();
    assert!(error.to_string().starts_with("cannot listen on unix:"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a socket");
}

#[tokio::test]
async fn a_taken_port_is_a_typed_error() {
    let first = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = first.address();
    let error = Listener::tcp(address.to_string().parse().unwrap()).unwrap_err();
    assert_eq!(error.address, address);
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
}
