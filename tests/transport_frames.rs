//! Every row of `corpora/frames.json`, over every transport: what a bad frame gets, and that nobody else notices.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::Ordering;

use serde_json::Value;
use support::in_process::{Carrier, Client, Received, Server, frame, resident};

/// What a flood may cost: far below what it would cost to keep its frames.
const GROWTH: usize = 24 << 20;

/// The row that takes 10 seconds and so has a test of its own.
const STALL: &str = "header_then_stall";

fn rows() -> Vec<Value> {
    serde_json::from_str(include_str!("corpora/frames.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

async fn send(client: &mut Client, text: &str) {
    if let Some(marked) = text.strip_prefix("{REPEAT ") {
        let words: Vec<_> = marked.trim_end_matches('}').split(' ').collect();
        let count: usize = words[0].parse().unwrap();
        if let Some(first) = words.get(3) {
            client.send(&bytes(first)).await;
        }
        let chunk = bytes(words[1]).repeat(count / 100);
        for _ in 0..100 {
            client.send(&chunk).await;
        }
    } else if let Some(size) = text.strip_prefix("{TEXT ") {
        let size = size.trim_end_matches('}').parse().unwrap();
        client.send(&frame(0x81, padded_ping(size).as_bytes())).await;
    } else {
        client.send(&bytes(text.trim_end_matches("{STALL}"))).await;
    }
}

fn padded_ping(size: usize) -> String {
    let mut text = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned();
    text.extend(std::iter::repeat_n(' ', size - text.len()));
    text
}

async fn row(server: &Server, row: &Value) {
    let name = row["name"].as_str().unwrap();
    let (hex, expect) = (row["hex"].as_str().unwrap(), row["expect"].as_str().unwrap());
    let executed = server.echo.texts.load(Ordering::Relaxed);
    let mut client = server.open().await;
    send(&mut client, hex).await;
    match expect {
        "close 1002 or drop" => assert!(matches!(client.closed().await, None | Some(1002)), "{name}"),
        "close 1009 or 1002, at once, without allocating" | "close 1002 or 1009, at once" => {
            assert!(matches!(client.closed().await, Some(1002 | 1009)), "{name}");
        }
        "close 1002 or plain close" => {
            let received = client.receive().await;
            assert!(matches!(received, Received::Close(_) | Received::Gone), "{name}: {received:?}");
        }
        "close 1002 or 1007" => assert!(matches!(client.closed().await, Some(1002 | 1007)), "{name}"),
        "close 1007" => assert_eq!(client.closed().await, Some(1007), "{name}"),
        "close 1009" => assert_eq!(client.closed().await, Some(1009), "{name}"),
        "close 1003 or an error answer" => {
            let received = client.receive().await;
            let error = matches!(&received, Received::Text(text) if text.starts_with(b"error"));
            assert!(error || received == Received::Close(Some(1003)), "{name}: {received:?}");
        }
        "answer or close 1002" => {
            let received = client.receive().await;
            assert!(matches!(received, Received::Text(_) | Received::Close(Some(1002))), "{name}: {received:?}");
        }
        "an answer" => {
            let size = hex.trim_start_matches("{TEXT ").trim_end_matches('}').parse().unwrap();
            assert_eq!(client.receive().await, Received::Text(padded_ping(size).into_bytes()), "{name}");
        }
        "pong with the same payload" => assert_eq!(client.receive().await, Received::Pong(vec![b'a'; 125]), "{name}"),
        "ignored" => client.echo("still here").await,
        "error answer invalid_json, connection usable" => {
            // What it says is the service's business; that it is asked, and that the connection goes on, is ours.
            assert_eq!(client.receive().await, Received::Text(Vec::new()), "{name}");
            client.echo("still here").await;
        }
        "nothing executed" => {
            client.closed().await;
            assert_eq!(client.receive().await, Received::Gone);
            assert_eq!(server.echo.texts.load(Ordering::Relaxed), executed, "{name}");
        }
        "bounded memory; close or wait" | "bounded memory; other clients' p99 at most doubled" => {
            server.open().await.echo("served beside the flood").await;
        }
        "closed within the message time limit" => {
            assert!(matches!(client.closed().await, None | Some(1008)), "{name}");
        }
        other => panic!("{name}: nobody knows what `{other}` means"),
    }
}

async fn every_row(carrier: Carrier) {
    let server = Server::start(carrier);
    let rows = rows();
    assert_eq!(rows.len(), 46, "the corpus has 46 rows");
    let mut witness = server.open().await;
    let before = resident();
    // A port has no end that its host could see.
    let seen = |row: &&Value| carrier != Carrier::Virtio || row["expect"] != "nothing executed";
    for each in rows.iter().filter(|row| row["name"] != STALL).filter(seen) {
        row(&server, each).await;
        witness.echo("unharmed").await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < GROWTH, "grew by {grown} bytes");
}

#[tokio::test]
async fn every_row_over_tcp() {
    every_row(Carrier::Tcp).await;
}

#[tokio::test]
async fn every_row_over_a_unix_socket() {
    every_row(Carrier::Unix).await;
}

#[tokio::test]
async fn every_row_over_standard_input_and_output() {
    every_row(Carrier::Stdio).await;
}

#[tokio::test]
async fn every_row_over_tls() {
    every_row(Carrier::Tls).await;
}

#[tokio::test]
async fn every_row_over_a_virtio_port() {
    every_row(Carrier::Virtio).await;
}

#[tokio::test]
async fn pings_from_a_peer_that_reads_nothing_queue_nowhere() {
    let server = Server::start(Carrier::Tcp);
    let mut client = server.open().await;
    let pings = frame(0x89, &[b'p'; 125]).repeat(4_000);
    let before = resident();
    for _ in 0..100 {
        client.try_send(&pings).await.unwrap();
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < GROWTH, "grew by {grown} bytes after 52 MB of pings");
    client.text("after the flood").await;
    loop {
        match client.receive().await {
            Received::Pong(payload) => assert_eq!(payload, vec![b'p'; 125]),
            other => break assert_eq!(other, Received::Text(b"after the flood".to_vec())),
        }
    }
}

#[tokio::test]
async fn a_message_that_stalls_is_closed_within_10_seconds_on_every_transport() {
    let servers = [Carrier::Tcp, Carrier::Unix, Carrier::Stdio, Carrier::Tls, Carrier::Virtio].map(Server::start);
    let rows = rows();
    let stall = rows.iter().find(|row| row["name"] == STALL).unwrap();
    futures_util::future::join_all(servers.iter().map(|server| row(server, stall))).await;
}
