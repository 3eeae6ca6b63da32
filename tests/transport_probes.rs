//! The listener for probes, and what whoever counts is told of those who are refused and of connections that end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use deskhand::{
    protocol::{
        address::ListenAddress,
        carrying::{Closing, HttpRefusal},
        limits,
    },
    transport::{
        http::HttpSettings,
        listener::{Listener, serve},
    },
};
use support::in_process::{Carrier, Client, Counted, Server, TOKEN, echo::EchoService, frame, within};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle};

/// A server with a listener of each kind.
struct Both {
    main: SocketAddr,
    probe: SocketAddr,
    /// Holds what the service tells.
    told: Server,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn address(listener: &Listener) -> SocketAddr {
    match listener.address() {
        ListenAddress::Tcp(address) => address,
        other => panic!("{other}"),
    }
}

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Both {
    fn start() -> Self {
        let told = Server::start(Carrier::Tcp);
        let (main, probe) = (Listener::tcp(free()).unwrap(), Listener::probe(free()).unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let addresses = (address(&main), address(&probe));
        let service = Arc::new(EchoService(Arc::clone(&told.echo)));
        let task = tokio::spawn(serve(vec![main, probe], service, HttpSettings::default(), async {
            stopped.await.ok();
        }));
        Self { main: addresses.0, probe: addresses.1, told, stop, task }
    }

    async fn stop(self) {
        drop(self.stop);
        within(self.task).await.unwrap();
        assert!(TcpStream::connect(self.probe).await.is_err(), "nobody listens any more");
    }
}

async fn connect(to: SocketAddr) -> Client {
    Client::new(Box::new(TcpStream::connect(to).await.unwrap()))
}

/// One request of lines, and the status, head and body that come back.
async fn ask(to: SocketAddr, lines: &[&str]) -> (u16, String, String) {
    let mut client = connect(to).await;
    client.send((lines.join("\r\n") + "\r\n\r\n").as_bytes()).await;
    let head = client.head().await.expect("an answer");
    (head.status, head.text, String::from_utf8(client.rest().await).unwrap())
}

const OPEN_METRICS: &str = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";

#[tokio::test]
async fn probes_are_answered_without_a_token_under_every_name_and_there_is_nothing_else() {
    let server = Both::start();
    let host = "Host: whatever.example";
    let (status, head, body) = ask(server.probe, &["GET /metrics HTTP/1.1", host]).await;
    assert_eq!((status, body.as_str()), (200, "# EOF\n"));
    assert!(head.contains(OPEN_METRICS) && head.contains("connection: close"), "{head}");
    assert_eq!(ask(server.probe, &["GET /healthz HTTP/1.1", host]).await.0, 200);
    assert_eq!(ask(server.probe, &["GET /readyz HTTP/1.1", host]).await.0, 200);
    let token = format!("Authorization: Bearer {TOKEN}");
    for path in ["/", "/v1/ws", "/v1/rpc", "/v1/screenshot.png", "/metrics/", "/mcp"] {
        for with in [vec![host], vec![host, token.as_str()]] {
            let line = format!("GET {path} HTTP/1.1");
            assert_eq!(ask(server.probe, &[&[line.as_str()], with.as_slice()].concat()).await.0, 404, "{path}");
        }
    }
    assert_eq!(ask(server.probe, &["POST /metrics HTTP/1.1", host, "Content-Length: 0"]).await.0, 405);
    let page = format!("Origin: http://{}", server.probe);
    assert_eq!(ask(server.probe, &["GET /metrics HTTP/1.1", host, &page]).await.0, 403, "a page is no probe");
    server.stop().await;
}

#[tokio::test]
async fn on_the_addresses_of_controllers_metrics_need_a_token() {
    let server = Both::start();
    let host = format!("Host: {}", server.main);
    assert_eq!(ask(server.main, &["GET /metrics HTTP/1.1", &host, "Connection: close"]).await.0, 401);
    let token = format!("Authorization: Bearer {TOKEN}");
    let (status, head, body) = ask(server.main, &["GET /metrics HTTP/1.1", &host, &token, "Connection: close"]).await;
    assert_eq!((status, body.as_str()), (200, "# EOF\n"));
    assert!(head.contains(OPEN_METRICS), "{head}");
    let foreign = ["GET /metrics HTTP/1.1", "Host: whatever.example", &token];
    assert_eq!(ask(server.main, &foreign).await.0, 403, "a page whose name leads here reads nothing");
    server.stop().await;
}

#[tokio::test]
async fn neither_probes_nor_controllers_take_the_places_of_the_others() {
    let server = Both::start();
    for (flooded, other) in [(server.probe, server.main), (server.main, server.probe)] {
        let mut silent = Vec::new();
        for _ in 0..limits::CONNECTIONS_UNAUTHENTICATED {
            silent.push(connect(flooded).await);
        }
        assert_eq!(connect(flooded).await.head().await.unwrap().status, 503);
        let host = format!("Host: {other}");
        assert_eq!(ask(other, &["GET /healthz HTTP/1.1", &host, "Connection: close"]).await.0, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_listener_for_probes_alone_keeps_no_server_running() {
    let told = Server::start(Carrier::Tcp);
    let (read, write) = std::io::pipe().unwrap();
    let (_answers, output) = std::io::pipe().unwrap();
    let listeners = vec![Listener::stdio(read.into(), output.into()), Listener::probe(free()).unwrap()];
    let service = Arc::new(EchoService(Arc::clone(&told.echo)));
    let serving = tokio::spawn(serve(listeners, service, HttpSettings::default(), std::future::pending()));
    drop(write);
    within(serving).await.unwrap();
}

#[tokio::test]
async fn every_refusal_is_counted_by_its_reason() {
    let mut server = Both::start();
    let host = format!("Host: {}", server.main);
    let token = format!("Authorization: Bearer {TOKEN}");
    let close = "Connection: close";
    let rows: &[(&[&str], HttpRefusal)] = &[
        (&["GET / HTTP/1.1", &host, &host], HttpRefusal::Malformed),
        (&["no HTTP at all"], HttpRefusal::Malformed),
        (&["GET /v1/ws HTTP/1.1", "Host: evil.example"], HttpRefusal::Host),
        (&["GET /v1/ws HTTP/1.1", &host, "Origin: https://evil.example"], HttpRefusal::Origin),
        (&["GET /v1/ws HTTP/1.1", &host], HttpRefusal::Unauthorized),
        (&["GET /v1/ws HTTP/1.1", &host, "Authorization: Bearer wrong"], HttpRefusal::Unauthorized),
        (&["GET /v1/ws HTTP/1.1", &host, &token, close], HttpRefusal::Upgrade),
        (&["POST /v1/rpc HTTP/1.1", &host, &token, close, "Content-Length: 262145"], HttpRefusal::Body),
    ];
    for (lines, reason) in rows {
        ask(server.main, lines).await;
        assert_eq!(server.told.counted().await, Counted::Refused(*reason), "{lines:?}");
    }
    let mut silent = Vec::new();
    for _ in 0..limits::CONNECTIONS_UNAUTHENTICATED {
        silent.push(connect(server.main).await);
    }
    connect(server.main).await.rest().await;
    assert_eq!(server.told.counted().await, Counted::Refused(HttpRefusal::TooManyConnections));
    silent.pop().unwrap().rest().await;
    assert_eq!(server.told.counted().await, Counted::Refused(HttpRefusal::TimedOut));
    server.stop().await;
}

#[tokio::test]
async fn every_end_of_a_websocket_is_counted_by_its_reason() {
    let mut server = Server::start(Carrier::Tcp);
    let closed = frame(0x88, &1000u16.to_be_bytes());
    // A peer's own code says nothing about us.
    let odd = frame(0x88, &1002u16.to_be_bytes());
    let large = frame(0x81, &vec![b' '; limits::MESSAGE_BYTES + 1]);
    for (sent, reason) in [
        (closed, Closing::ByPeer),
        (odd, Closing::ByPeer),
        (frame(0x83, b""), Closing::Protocol),
        (frame(0x81, b"\xff"), Closing::NotText),
        (large, Closing::TooBig),
        (frame(0x81, b"flood 1000"), Closing::Overloaded),
    ] {
        let mut client = server.open().await;
        server.outbox().await;
        client.send(&sent).await;
        client.closed().await;
        drop(client);
        assert_eq!(server.counted().await, Counted::Closed(reason));
    }
    drop(server.open().await);
    server.outbox().await;
    assert_eq!(server.counted().await, Counted::Closed(Closing::Gone));
    let mut ended = server.open().await;
    server.outbox().await.close(1008, "a rule");
    assert_eq!(ended.closed().await, Some(1008));
    drop(ended);
    assert_eq!(server.counted().await, Counted::Closed(Closing::Policy));
    let mut places = Vec::new();
    for _ in 0..limits::CONNECTIONS_AUTHENTICATED {
        places.push(server.open().await);
    }
    let mut late = server.connect().await;
    late.send(server.handshake().as_bytes()).await;
    assert_eq!(late.head().await.unwrap().status, 503);
    assert_eq!(server.counted().await, Counted::Refused(HttpRefusal::TooManyWebSockets));
    server.begin_stop();
    let stopping = async {
        for client in &mut places {
            assert_eq!(client.closed().await, Some(1001));
        }
    };
    tokio::time::timeout(Duration::from_secs(5), stopping).await.unwrap();
    drop(places);
    assert_eq!(server.counted().await, Counted::Closed(Closing::GoingAway));
    server.stop().await;
}
