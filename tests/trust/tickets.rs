//! A page exchanges its token for a ticket, which opens one WebSocket.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    people::{People, connect, token},
    support::{Controller, Deskhand, Refused},
};

/// Exchanges the token of this letter.
fn ticket(server: &Deskhand, letter: char) -> String {
    let (address, token) = (server.address(), token(letter));
    let request = format!(
        "POST /v1/ticket HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let answer = server.http(request.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("no-store"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let ticket = body["ticket"].as_str().unwrap().to_owned();
    assert!(ticket.len() == 64 && body.as_object().unwrap().len() == 1, "{body}");
    ticket
}

fn offer(ticket: &str) -> String {
    format!("deskhand.v1, deskhand.ticket.{ticket}")
}

/// Opens a WebSocket as a page does: nothing but subprotocols and where it comes from. What is answered is `deskhand.v1` alone.
fn open(server: &Deskhand, ticket: &str, origin: &str) -> Result<Controller, Refused> {
    Controller::connect_with(server, &[("sec-websocket-protocol", &offer(ticket)), ("origin", origin)])
}

/// The whole answer to a WebSocket's request with these lines.
fn answer(server: &Deskhand, lines: &[String]) -> String {
    let fixed = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let lines = lines.concat();
    server.http(format!("GET /v1/ws HTTP/1.1\r\nHost: {}\r\n{fixed}\r\n{lines}\r\n", server.address()).as_bytes())
}

#[test]
fn a_ticket_opens_one_websocket_of_a_page_of_ours_with_the_rights_of_its_token() {
    let people = People::new(&[("watcher", "observe", '1', ""), ("loop", "control", '2', "")]);
    let audit = people.path().with_file_name("audit.jsonl");
    let server = people.server(&["--audit", audit.to_str().unwrap(), "--log", "trace"]);
    let ours = format!("http://{}", server.address());
    let watching = ticket(&server, '1');
    // A page that is not ours is told so before its ticket is looked at, so that is not used up.
    assert_eq!(open(&server, &watching, "https://evil.example").err(), Some(Refused(403)));
    let mut page = open(&server, &watching, &ours).expect("a WebSocket");
    page.must("screenshot", json!({}));
    assert_eq!(page.must_fail("left_click", json!({"coordinate": [1, 1]})).0, "forbidden");
    assert_eq!(open(&server, &watching, &ours).err(), Some(Refused(401)), "it is used up");
    let acting = ticket(&server, '2');
    open(&server, &acting, &ours).expect("a WebSocket").must("left_click", json!({"coordinate": [1, 1]}));

    let protocols = |ticket: &str| vec![format!("Sec-WebSocket-Protocol: {}", offer(ticket))];
    let wrong = [
        protocols(&watching),
        protocols(&acting),
        protocols(&"0".repeat(64)),
        protocols(&token('2')),
        protocols(""),
        vec!["Sec-WebSocket-Protocol: deskhand.v1".to_owned()],
        vec![format!("Authorization: Bearer {}", ticket(&server, '2'))],
        [protocols(&ticket(&server, '2')), vec!["Authorization: Bearer wrong".to_owned()]].concat(),
    ];
    let answers: BTreeSet<String> = wrong.iter().map(|lines| answer(&server, lines)).collect();
    assert_eq!(answers.len(), 1, "used, wrong and missing tickets are answered with the same bytes: {answers:?}");
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 401")), "{answers:?}");
    let log = server.log();
    server.stop();
    let told = log + &std::fs::read_to_string(audit).unwrap();
    assert!(!told.contains(&watching) && !told.contains(&acting), "no ticket in the log or in the audit");
}

#[test]
fn without_a_token_there_is_no_ticket_and_a_ticket_buys_none() {
    let people = People::new(&[("loop", "control", '1', "")]);
    let server = people.server(&[]);
    let post = |lines: &str| {
        let request = format!(
            "POST /v1/ticket HTTP/1.1\r\nHost: {}\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n",
            server.address()
        );
        server.http(request.as_bytes())
    };
    let of_ticket = format!("Sec-WebSocket-Protocol: {}\r\n", offer(&ticket(&server, '1')));
    for lines in ["", "Authorization: Bearer wrong\r\n", &of_ticket] {
        assert!(post(lines).starts_with("HTTP/1.1 401"), "{lines}");
    }
    let foreign = format!("Authorization: Bearer {}\r\nOrigin: https://evil.example\r\n", token('1'));
    assert!(post(&foreign).starts_with("HTTP/1.1 403"));
}

#[test]
fn a_ticket_is_worth_nothing_when_its_token_is_not_accepted_any_more() {
    let people = People::new(&[("first", "control", '1', ""), ("second", "admin", '2', "")]);
    let server = people.server(&[]);
    let ours = format!("http://{}", server.address());
    let (removed, lowered) = (ticket(&server, '1'), ticket(&server, '2'));
    people.write(&People::text(&[("second", "observe", '2', "")]));
    server.process.signal(Signal::HUP);
    let mut watching = connect(&server, '2');
    while !server.log().contains("the tokens file was read again") {
        watching.must("ping", json!({}));
    }
    assert_eq!(open(&server, &removed, &ours).err(), Some(Refused(401)));
    let mut page = open(&server, &lowered, &ours).expect("a WebSocket");
    assert_eq!(
        page.must_fail("left_click", json!({"coordinate": [1, 1]})).0,
        "forbidden",
        "the rights are those of now"
    );
}
