//! TLS on TCP: who gets in, what a certificate that is replaced does, and that nothing is held back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use deskhand::{
    protocol::carrying::HttpRefusal,
    transport::{
        client::ClientError,
        endpoint::Endpoint,
        http::HttpSettings,
        listener::{Listener, serve},
        tls::{ClientChoice, Identity, ServerTls, TlsError, Trusted},
    },
};
use futures_util::{SinkExt, StreamExt};
use support::in_process::{Carrier, Counted, Server, TOKEN, certificates::Authority, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

/// The contract's 5 seconds for a handshake, and what a busy machine adds.
const HANDSHAKE_TIME_AND_MARGIN: Duration = Duration::from_secs(8);

fn url(server: &Server) -> String {
    let (_, port) = server.host().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap();
    format!("wss://localhost:{port}")
}

fn endpoint(server: &Server, authority: &Authority, identity: Option<Identity<'_>>) -> Endpoint {
    let authority = authority.pem();
    Endpoint::parse_with(&url(server), ClientChoice { trusted: Trusted::Authority(&authority), identity }).unwrap()
}

#[tokio::test]
async fn an_answer_of_30_megabytes_arrives_whole() {
    let server = Server::start(Carrier::Tls);
    let mut socket = endpoint(&server, &server.authority, None).websocket(Some(TOKEN)).await.unwrap();
    socket.send(Message::text(format!("big {}", 30 << 20))).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap().len(), 30 << 20);
    // Nothing of a short one is kept back either.
    socket.send(Message::text("short")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("short"));
}

#[tokio::test]
async fn a_server_of_another_authority_or_name_is_not_talked_to() {
    let server = Server::start(Carrier::Tls);
    let stranger = endpoint(&server, &Authority::new(), None);
    let elsewhere = url(&server).replace("localhost", "127.0.0.1");
    let pem = server.authority.pem();
    let elsewhere =
        Endpoint::parse_with(&elsewhere, ClientChoice { trusted: Trusted::Authority(&pem), identity: None }).unwrap();
    // Nobody has signed for it that the system trusts.
    let by_the_system = Endpoint::parse(&url(&server)).unwrap();
    for endpoint in [stranger, elsewhere, by_the_system] {
        match endpoint.websocket(Some(TOKEN)).await {
            Err(ClientError::Tls(reason)) => assert!(reason.contains("certificate"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn who_speaks_no_tls_gets_no_answer_and_is_counted() {
    let mut server = Server::start(Carrier::Tls);
    let mut plain = server.connect_tcp().await;
    plain.write_all(server.handshake().as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end too.
    within(plain.read_to_end(&mut answer)).await.ok();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(server.counted().await, Counted::Refused(HttpRefusal::Tls));
}

#[tokio::test]
async fn who_begins_no_handshake_is_closed_after_5_seconds() {
    let server = Server::start(Carrier::Tls);
    let mut silent = server.connect_tcp().await;
    let begun = Instant::now();
    let mut answer = Vec::new();
    tokio::time::timeout(HANDSHAKE_TIME_AND_MARGIN, silent.read_to_end(&mut answer)).await.unwrap().ok();
    assert!(answer.is_empty() && begun.elapsed() > Duration::from_secs(4));
}

/// A server whose clients need a certificate of `clients`.
fn guarded(server: &Server, clients: &Authority) -> (String, tokio::task::JoinHandle<()>) {
    let tls = server.authority.server("localhost", Some(clients));
    let listener = Listener::tls("127.0.0.1:0".parse().unwrap(), tls).unwrap();
    let address = listener.address().to_string();
    let service = server.service();
    let serving = tokio::spawn(serve(vec![listener], service, HttpSettings::default(), std::future::pending()));
    (address.replace("127.0.0.1", "wss://localhost"), serving)
}

#[tokio::test]
async fn where_clients_need_a_certificate_only_those_of_their_authority_get_in() {
    let server = Server::start(Carrier::Tls);
    let (clients, strangers) = (Authority::new(), Authority::new());
    let (url, serving) = guarded(&server, &clients);
    let pem = server.authority.pem();
    let try_as = async |identity: Option<Identity<'_>>, token| {
        let choice = ClientChoice { trusted: Trusted::Authority(&pem), identity };
        Endpoint::parse_with(&url, choice).unwrap().websocket(token).await
    };
    let (ours, theirs) = (clients.certify("loop"), strangers.certify("loop"));
    let mut socket = try_as(Some(ours.identity()), Some(TOKEN)).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
    // A certificate does not stand for a token.
    assert!(matches!(try_as(Some(ours.identity()), None).await, Err(ClientError::Unauthorized)));
    // With TLS 1.3 a client hears that it was refused only after its own part, so with its first words.
    for stranger in [None, Some(theirs.identity())] {
        let refused = try_as(stranger, Some(TOKEN)).await;
        assert!(matches!(refused, Err(ClientError::Tls(_) | ClientError::Protocol(_))), "{refused:?}");
    }
    serving.abort();
}

#[tokio::test]
async fn a_certificate_that_is_replaced_counts_for_new_connections_and_old_ones_go_on() {
    let server = Server::start(Carrier::Tls);
    let (before, after) = (Authority::new(), Authority::new());
    let tls = before.server("localhost", None);
    let listener = Listener::tls("127.0.0.1:0".parse().unwrap(), tls.clone()).unwrap();
    let url = listener.address().to_string().replace("127.0.0.1", "wss://localhost");
    let settings = HttpSettings::default();
    let serving = tokio::spawn(serve(vec![listener], server.service(), settings, std::future::pending()));
    let open = async |authority: &Authority| {
        let pem = authority.pem();
        let choice = ClientChoice { trusted: Trusted::Authority(&pem), identity: None };
        Endpoint::parse_with(&url, choice).unwrap().websocket(Some(TOKEN)).await
    };
    let mut old = open(&before).await.unwrap();
    // What cannot be used changes nothing.
    let (one, other) = (after.certify("localhost"), after.certify("localhost"));
    let mixed = Identity { certificate: &one.certificate, key: &other.key };
    assert!(matches!(tls.replace(mixed, None), Err(TlsError::Unusable(_))));
    assert!(open(&before).await.is_ok());
    tls.replace(one.identity(), None).unwrap();
    assert!(matches!(open(&before).await, Err(ClientError::Tls(_))));
    let mut new = open(&after).await.unwrap();
    for socket in [&mut old, &mut new] {
        socket.send(Message::text("hello")).await.unwrap();
        assert_eq!(within(socket.next()).await.unwrap().unwrap(), Message::text("hello"));
    }
    serving.abort();
}

#[test]
fn what_is_no_certificate_is_told_as_that() {
    let good = Authority::new().certify("localhost");
    for (certificate, key, said) in [
        ("", good.key.as_str(), "holds no certificate"),
        ("hello", good.key.as_str(), "holds no certificate"),
        (good.certificate.as_str(), "", "the key"),
        (good.certificate.as_str(), good.certificate.as_str(), "the key"),
    ] {
        let error = ServerTls::new(Identity { certificate, key }, None).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = ServerTls::new(good.identity(), Some("nothing")).unwrap_err();
    assert!(error.to_string().contains("authority"), "{error}");
}

/// A peer that goes away in the middle of a handshake gives its place back.
#[tokio::test]
async fn handshakes_that_are_broken_off_leave_room_for_others() {
    let server = Server::start(Carrier::Tls);
    for _ in 0..20 {
        let mut broken: TcpStream = server.connect_tcp().await;
        // The head of a record that does not come.
        broken.write_all(&[0x16, 3, 1, 2, 0]).await.unwrap();
        drop(broken);
    }
    server.open().await.echo("there is room").await;
}
