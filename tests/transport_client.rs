//! The verbs that talk to a server: what they print, what they write and how they end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use deskhand::{
    cli::{
        call::{self, CallArguments},
        client::{CallError, ServerArguments},
        health::{self, HealthArguments},
    },
    exit::{Exit, Fatal},
    transport::{
        client::ClientError,
        endpoint::{DEFAULT_URL, Endpoint},
    },
};
use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use support::in_process::{Carrier, Server, TOKEN};
use tokio_tungstenite::tungstenite::Message;

fn endpoint(server: &Server) -> Endpoint {
    match server.carrier {
        Carrier::Unix => Endpoint::Unix(server.socket_path()),
        _ => Endpoint::parse(&format!("ws://{}", server.host())).unwrap(),
    }
}

#[tokio::test]
async fn a_session_opens_over_tcp_and_over_a_unix_socket() {
    for carrier in [Carrier::Tcp, Carrier::Unix] {
        let server = Server::start(carrier);
        let mut socket = endpoint(&server).websocket(Some(TOKEN)).await.unwrap();
        // Longer than what tungstenite takes in one frame unless told otherwise.
        socket.send(Message::text(format!("big {}", 30 << 20))).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().len(), 30 << 20, "{carrier:?}");
    }
}

#[tokio::test]
async fn a_wrong_token_and_none_are_refused_with_the_reason() {
    let server = Server::start(Carrier::Tcp);
    for token in [None, Some("wrong")] {
        match endpoint(&server).websocket(token).await {
            Err(ClientError::Unauthorized) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn readiness_is_asked_over_tcp_and_over_a_unix_socket() {
    for carrier in [Carrier::Tcp, Carrier::Unix] {
        let server = Server::start(carrier);
        assert_eq!(endpoint(&server).get("/readyz").await.unwrap(), (StatusCode::OK, "ready".to_owned()));
    }
    let server = Server::unready("the display is gone");
    let answer = endpoint(&server).get("/readyz").await.unwrap();
    assert_eq!(answer, (StatusCode::SERVICE_UNAVAILABLE, "the display is gone".to_owned()));
}

#[tokio::test]
async fn nobody_there_is_told_as_that() {
    let server = Server::start(Carrier::Tcp);
    let gone = endpoint(&server);
    server.stop().await;
    let error = tokio::time::timeout(Duration::from_secs(5), gone.get("/readyz")).await.unwrap().unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable { endpoint, .. } if *endpoint == gone), "{error}");
    let error = Endpoint::Unix("/nowhere/socket".into()).websocket(None).await.unwrap_err();
    assert!(error.to_string().starts_with("nothing listens at /nowhere/socket"), "{error}");
}

fn at(url: &str) -> ServerArguments {
    ServerArguments { url: url.to_owned(), socket: None, virtio: None, tls_ca: None, tls_cert: None, tls_key: None }
}

fn arguments(server: &Server) -> ServerArguments {
    match server.carrier {
        Carrier::Unix => ServerArguments { socket: Some(server.socket_path()), ..at(DEFAULT_URL) },
        _ => at(&format!("ws://{}", server.host())),
    }
}

/// Runs a verb as the command line does: on a thread with a runtime of its own.
async fn run(verb: impl FnOnce() -> Result<(), CallError> + Send + 'static) -> Result<(), CallError> {
    tokio::task::spawn_blocking(verb).await.unwrap()
}

fn call(server: &Server, token: &str) -> CallArguments {
    let token_file = server.directory.path().join("token");
    std::fs::write(&token_file, format!("{token}\n")).unwrap();
    CallArguments {
        method: "screenshot".to_owned(),
        params: "{}".to_owned(),
        server: arguments(server),
        token_file: Some(token_file),
        output: Some(server.directory.path().join("shot.png")),
    }
}

#[tokio::test]
async fn call_writes_the_picture_to_its_file() {
    for carrier in [Carrier::Tcp, Carrier::Unix] {
        let server = Server::start(carrier);
        let arguments = call(&server, TOKEN);
        let picture = arguments.output.clone().unwrap();
        run(move || call::run(&arguments)).await.unwrap();
        assert_eq!(std::fs::read(picture).unwrap(), b"pixels", "{carrier:?}");
    }
}

#[tokio::test]
async fn call_ends_with_4_for_a_wrong_token_and_with_1_when_nobody_listens() {
    let server = Server::start(Carrier::Tcp);
    let arguments = call(&server, "wrong");
    let again = arguments.clone();
    let error = run(move || call::run(&arguments)).await.unwrap_err();
    assert!(error.to_string().contains("--token-file"), "{error}");
    assert_eq!(Fatal::from(error).exit, Exit::NotAllowed);
    server.stop().await;
    let without = CallArguments { token_file: None, ..again };
    let error = run(move || call::run(&without)).await.unwrap_err();
    assert!(error.to_string().contains("deskhand serve"), "{error}");
    assert_eq!(Fatal::from(error).exit, Exit::Failed);
}

#[tokio::test]
async fn health_is_silent_when_ready_and_says_why_when_not() {
    let server = Server::start(Carrier::Tcp);
    let ready = HealthArguments { server: arguments(&server) };
    run(move || health::run(&ready)).await.unwrap();
    let server = Server::unready("the display is gone");
    let unready = HealthArguments { server: arguments(&server) };
    let error = run(move || health::run(&unready)).await.unwrap_err();
    assert_eq!(Fatal::from(error), Fatal::new(Exit::Failed, "not ready: the display is gone"));
}
