//! Every row of `corpora/handshake.json`, over every transport: who is let in, and what the others are told.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use support::in_process::{Carrier, Event, Server, TOKEN, within};
use tokio::time::Instant;

/// What the rows expect that have their own test below.
const SLOW: &str = "closed within the handshake time limit";
/// The limit of the contract and a second for a busy machine.
const HANDSHAKE_TIME_AND_MARGIN: Duration = Duration::from_secs(6);

fn rows() -> Vec<Value> {
    serde_json::from_str(include_str!("corpora/handshake.json")).unwrap()
}

fn filled(text: &str, host: &str) -> Vec<u8> {
    let mut flipped_first = TOKEN.to_owned();
    flipped_first.replace_range(..1, "6");
    let mut flipped_last = TOKEN.to_owned();
    flipped_last.replace_range(TOKEN.len() - 1.., "3");
    let user_token = data_encoding::BASE64.encode(format!("user:{TOKEN}").as_bytes());
    let mut text = text
        .replace("{TOKEN[:-1]}", &TOKEN[..TOKEN.len() - 1])
        .replace("{TOKEN}", TOKEN)
        .replace("{HOST}", host)
        .replace("{FLIP_FIRST}", &flipped_first)
        .replace("{FLIP_LAST}", &flipped_last)
        .replace("{SWAPCASE}", &TOKEN.to_uppercase())
        .replace("{B64_USER_TOKEN}", &user_token);
    while let Some(start) = text.find("{A*") {
        let end = start + text[start..].find('}').unwrap();
        let count = text[start + 3..end].parse().unwrap();
        text.replace_range(start..=end, &"A".repeat(count));
    }
    // The corpus writes bytes as the characters of the same number.
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

fn request(row: &Value, host: &str) -> Vec<u8> {
    if let Some(raw) = row["raw"].as_str() {
        return filled(raw.trim_end_matches("{SLOW}"), host);
    }
    let mut lines = vec![row["line"].as_str().unwrap().to_owned()];
    for header in row["headers"].as_array().unwrap() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        match value.strip_prefix("{REPEAT ").and_then(|rest| rest.strip_suffix('}')) {
            Some(count) => lines.extend((0..count.parse::<u32>().unwrap()).map(|number| format!("{name}: {number}"))),
            None => lines.push(format!("{name}: {value}")),
        }
    }
    filled(&(lines.join("\r\n") + "\r\n\r\n"), host)
}

/// The statuses that pass, by the row's own expectation and what the transport leaves unchecked.
fn expected(row: &Value, carrier: Carrier) -> Vec<u16> {
    let name = row["name"].as_str().unwrap();
    let status = u16::try_from(row["expect"].as_u64().unwrap()).unwrap();
    let about_the_name = (name.starts_with("host_") || name == "absolute_target_other_host") && status == 403;
    match carrier {
        // Host is not checked where no page can reach.
        Carrier::Unix | Carrier::Stdio | Carrier::Virtio if about_the_name => vec![101],
        // Only the host holds the other end: no token is needed.
        Carrier::Stdio | Carrier::Virtio if status == 401 => vec![101],
        _ => {
            let mut statuses = vec![status];
            let note = row["note"].as_str().unwrap_or_default();
            statuses.extend(note.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<u16>().ok()));
            statuses
        }
    }
}

async fn every_row(carrier: Carrier) {
    let mut server = Server::start(carrier);
    let host = server.host();
    let rows = rows();
    let mut unauthorized = BTreeSet::new();
    let (mut checked, mut opened) = (0, 0);
    {
        for row in rows.iter().filter(|row| row["expect"] != SLOW) {
            let name = row["name"].as_str().unwrap();
            let mut client = server.connect().await;
            client.send(&request(row, &host)).await;
            // A port has no end that its host could see.
            if carrier == Carrier::Virtio && row["expect"] == "4xx or close" {
                continue;
            }
            let head = client.head().await;
            if let Some(expect) = row["expect"].as_str() {
                assert_eq!(expect, "4xx or close");
                assert!(head.is_none_or(|head| (400..500).contains(&head.status)), "{carrier:?} {name}");
            } else {
                let head = head.unwrap_or_else(|| panic!("{carrier:?} {name}: closed without an answer"));
                assert!(expected(row, carrier).contains(&head.status), "{carrier:?} {name}: {head:?}");
                let offers = row.to_string().contains("deskhand.v1");
                let echoed = head.text.contains("sec-websocket-protocol: deskhand.v1\r\n");
                assert_eq!(echoed, head.status == 101 && offers, "{name}: {head:?}");
                match head.status {
                    101 => opened += 1,
                    401 => {
                        let body = client.rest().await;
                        unauthorized.insert((head.text, body));
                    }
                    _ => {}
                }
            }
            checked += 1;
        }
    }
    let (without_an_answer, all) = (rows.iter().filter(|row| row["expect"] == "4xx or close").count(), 54);
    let left_out = if carrier == Carrier::Virtio { without_an_answer } else { 0 };
    assert_eq!(checked, all - left_out, "the corpus has 56 rows, of which 2 take their time");
    if !carrier.is_the_hosts() {
        assert_eq!(unauthorized.len(), 1, "missing and wrong tokens get the same bytes");
    }
    let mut told = 0;
    while let Ok(event) = server.events.try_recv() {
        told += usize::from(matches!(event, Event::Opened(_)));
    }
    assert_eq!(told, opened, "only an upgrade reaches the service");
}

/// Sends a byte a second, or nothing, until the server has had enough.
async fn trickle(server: &Server, row: &Value) {
    let raw = row["raw"].as_str().unwrap();
    let mut client = server.connect().await;
    client.send(&request(row, &server.host())).await;
    let begun = Instant::now();
    let (mut read, mut write) = tokio::io::split(client.stream);
    let talk = async {
        if raw.ends_with("{SLOW}") {
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            for byte in b"\r\nHost: localhost\r\nX-Slow: aaaaaaaaaaaa" {
                ticks.tick().await;
                if tokio::io::AsyncWriteExt::write_all(&mut write, &[*byte]).await.is_err() {
                    break;
                }
            }
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let ended = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer);
    tokio::select! {
        // A reset is an end too.
        _ = within(ended) => {}
        () = talk => {}
    }
    assert!(begun.elapsed() < HANDSHAKE_TIME_AND_MARGIN, "{row}");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{row}");
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
async fn who_says_nothing_or_a_byte_a_second_is_closed_after_5_seconds_on_every_transport() {
    let servers = [Carrier::Tcp, Carrier::Unix, Carrier::Stdio, Carrier::Tls].map(Server::start);
    let rows: Vec<_> = rows().into_iter().filter(|row| row["expect"] == SLOW).collect();
    assert_eq!(rows.len(), 2);
    let all = servers.iter().flat_map(|server| rows.iter().map(move |row| trickle(server, row)));
    futures_util::future::join_all(all).await;
}
