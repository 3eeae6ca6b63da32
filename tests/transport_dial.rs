//! A server that calls its controller: whom it takes for that, what goes over the connection, and that it calls again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::{os::unix::net::UnixStream, sync::Arc, thread, time::Duration};

use deskhand::{
    protocol::dial_url::DialUrl,
    transport::{
        dialler::{self, DialLine},
        http::HttpSettings,
        listener::{Listener, serve},
        tls::{ClientChoice, ClientTls, Trusted},
    },
};
use futures_util::{SinkExt, StreamExt};
use sha2::{Digest, Sha256};
use support::in_process::{
    Carrier, Server,
    called::{Controller, Desk},
    certificates::Authority,
    within,
};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

/// A desk that calls; it stops with this.
struct Calling {
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

fn call(server: &Server, url: &str, trusted: Trusted<'_>) -> Calling {
    let url: DialUrl = url.parse().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let addresses = [(url.host().to_owned(), url.port())];
    thread::spawn(move || dialler::answer(theirs, &addresses).unwrap());
    let tls = ClientTls::new(ClientChoice { trusted, identity: None }).unwrap();
    let listener = Listener::dial(url, 0, Arc::new(DialLine::new(ours).unwrap()), tls);
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(serve(vec![listener], server.service(), HttpSettings::default(), async {
        stopped.await.ok();
    }));
    Calling { stop, serving }
}

async fn echo(desk: &mut Desk, text: &str) {
    desk.send(Message::text(text)).await.unwrap();
    assert_eq!(within(desk.next()).await.unwrap().unwrap(), Message::text(text));
}

#[tokio::test]
async fn the_controller_asks_and_the_desk_answers() {
    let (server, authority) = (Server::start(Carrier::Unix), Authority::new());
    let controller = Controller::new(&authority.certify("localhost")).await;
    let pem = authority.pem();
    let url = format!("wss://localhost:{}/desks/7?pool=a", controller.port());
    let calling = call(&server, &url, Trusted::Authority(&pem));
    let (mut desk, path, protocol) = controller.answer().await.unwrap();
    assert_eq!((path.as_str(), protocol.as_str()), ("/desks/7?pool=a", "deskhand.v1"));
    echo(&mut desk, "hello").await;
    // Longer than what one write takes, and than what TLS keeps.
    desk.send(Message::text(format!("big {}", 5 << 20))).await.unwrap();
    assert_eq!(within(desk.next()).await.unwrap().unwrap().len(), 5 << 20);
    desk.send(Message::Ping(b"still there".to_vec().into())).await.unwrap();
    assert_eq!(within(desk.next()).await.unwrap().unwrap(), Message::Pong(b"still there".to_vec().into()));
    // A desk that stops says so.
    calling.stop.send(()).unwrap();
    match within(desk.next()).await.unwrap().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("{other:?}"),
    }
    drop(desk);
    within(calling.serving).await.unwrap();
}

#[tokio::test]
async fn a_desk_calls_again_when_the_connection_ends_and_when_there_was_none() {
    let (server, authority) = (Server::start(Carrier::Unix), Authority::new());
    let controller = Controller::new(&authority.certify("localhost")).await;
    let pem = authority.pem();
    let _calling = call(&server, &format!("wss://localhost:{}", controller.port()), Trusted::Authority(&pem));
    let (mut desk, ..) = controller.answer().await.unwrap();
    echo(&mut desk, "first").await;
    drop(desk);
    let (desk, ..) = controller.answer().await.unwrap();
    drop(desk);
    // One that goes before the handshake is over.
    drop(within(controller.listener.accept()).await.unwrap());
    let (mut desk, ..) = controller.answer().await.unwrap();
    echo(&mut desk, "again").await;
}

#[tokio::test]
async fn whoever_has_another_certificate_is_not_the_controller() {
    let (server, authority) = (Server::start(Carrier::Unix), Authority::new());
    let pem = authority.pem();
    // Another authority's, and the right one's for another name.
    for certified in [Authority::new().certify("localhost"), authority.certify("elsewhere.example")] {
        let controller = Controller::new(&certified).await;
        let url = format!("wss://localhost:{}", controller.port());
        let _calling = call(&server, &url, Trusted::Authority(&pem));
        for _ in 0..2 {
            assert!(controller.answer().await.is_none());
        }
    }
}

#[tokio::test]
async fn a_pinned_key_is_taken_whatever_the_certificate_says_and_no_other() {
    let server = Server::start(Carrier::Unix);
    let certified = Authority::new().certify("any.example");
    let controller = Controller::new(&certified).await;
    let url = format!("wss://localhost:{}", controller.port());
    let key = rcgen::KeyPair::from_pem(&certified.key).unwrap();
    let pin: [u8; 32] = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key)).into();
    let calling = call(&server, &url, Trusted::Key(pin));
    let (mut desk, ..) = controller.answer().await.unwrap();
    echo(&mut desk, "hello").await;
    calling.stop.send(()).unwrap();
    drop(desk);
    within(calling.serving).await.unwrap();
    let _calling = call(&server, &url, Trusted::Key([7; 32]));
    assert!(controller.answer().await.is_none());
}

#[tokio::test]
async fn a_desk_that_cannot_reach_its_controller_stops_at_once_all_the_same() {
    let server = Server::start(Carrier::Unix);
    let calling = call(&server, "wss://127.0.0.1:1", Trusted::Key([7; 32]));
    calling.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(2), calling.serving).await.unwrap().unwrap();
}
