//! A controller on the WebSocket, as a client library would be: blocking, one thread, nothing hidden.

use std::{
    collections::{HashMap, VecDeque},
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    self, Message, WebSocket,
    client::IntoClientRequest,
    handshake::client::Request,
    http::{HeaderName, HeaderValue},
    protocol::WebSocketConfig,
};

use super::{Deskhand, PATIENCE, Picture};

/// The id of a controller's first request: far from the small numbers that raw messages carry.
const FIRST_ID: u64 = 1000;

/// A stream under a WebSocket.
pub trait Carrier: Read + Write + Send {}
impl<T: Read + Write + Send> Carrier for T {}

/// Why there is no WebSocket: the status that the server answered the upgrade with.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub u16);

pub struct Controller {
    socket: WebSocket<Box<dyn Carrier>>,
    next: u64,
    answers: HashMap<u64, Result<Value, Value>>,
    events: VecDeque<Value>,
    /// Answers whose id is not one of ours: `null`, or text sent raw.
    others: VecDeque<Value>,
    /// The kind and the bytes of each binary message, by its number.
    attachments: HashMap<u64, (u8, Vec<u8>)>,
}

impl Controller {
    /// Connects with the server's own token.
    pub fn connect(server: &Deskhand) -> Self {
        let authorization = format!("Bearer {}", server.token);
        Self::connect_with(server, &[("authorization", &authorization)]).expect("a WebSocket")
    }

    /// Connects with these headers beside those of the upgrade; a second `host` replaces the first.
    pub fn connect_with(server: &Deskhand, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::upgrade(Box::new(stream), &server.address().to_string(), headers)
    }

    /// Upgrades any stream: a pipe pair, a bridge.
    pub fn upgrade(carrier: Box<dyn Carrier>, host: &str, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let mut request: Request = format!("ws://{host}/v1/ws").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("deskhand.v1"));
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match tungstenite::client::client_with_config(request, carrier, Some(config)) {
            Ok((socket, answer)) => {
                let protocol = answer.headers().get("sec-websocket-protocol");
                assert_eq!(protocol.map(HeaderValue::as_bytes), Some(b"deskhand.v1".as_slice()));
                Ok(Self {
                    socket,
                    // Not the numbers that raw messages of the tests use.
                    next: FIRST_ID,
                    answers: HashMap::new(),
                    events: VecDeque::new(),
                    others: VecDeque::new(),
                    attachments: HashMap::new(),
                })
            }
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                Err(Refused(answer.status().as_u16()))
            }
            Err(error) => panic!("no HTTP answer to the upgrade: {error}"),
        }
    }

    /// One request and its answer: the result, or the error object.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// A request that must succeed.
    pub fn must(&mut self, method: &str, params: Value) -> Value {
        let shown = params.to_string();
        self.call(method, params).unwrap_or_else(|error| panic!("{method} {shown}: {error:#}"))
    }

    /// A request that must fail; returns its kind and the whole error.
    pub fn must_fail(&mut self, method: &str, params: Value) -> (String, Value) {
        let shown = params.to_string();
        match self.call(method, params) {
            Ok(result) => panic!("{method} {shown} must fail, but: {result:#}"),
            Err(error) => (error["data"]["kind"].as_str().expect("a kind").to_owned(), error),
        }
    }

    /// Sends a request without waiting, for pipelining; `answer` collects it, in any order.
    pub fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        self.send_raw(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        id
    }

    /// Sends a text message as it is.
    pub fn send_raw(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("an open connection");
    }

    /// Sends a binary message, which the contract does not have in this direction.
    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).expect("an open connection");
    }

    /// The answer to a request that was sent.
    pub fn answer(&mut self, id: u64) -> Result<Value, Value> {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            self.read().unwrap_or_else(|closed| panic!("closed ({closed:?}) before the answer to request {id}"));
        }
    }

    /// Whether the answer to a request came before one that has been taken.
    pub fn has_answer(&self, id: u64) -> bool {
        self.answers.contains_key(&id)
    }

    /// The id of the next answer in the order in which the server sends them; `answer` then has it.
    pub fn next_answered(&mut self) -> u64 {
        let known: Vec<u64> = self.answers.keys().copied().collect();
        loop {
            if let Some(id) = self.answers.keys().find(|id| !known.contains(id)) {
                return *id;
            }
            self.read().unwrap_or_else(|closed| panic!("closed ({closed:?}) before the next answer"));
        }
    }

    /// The next answer to something that was sent raw.
    pub fn raw_answer(&mut self) -> Value {
        loop {
            if let Some(answer) = self.others.pop_front() {
                return answer;
            }
            self.read().unwrap_or_else(|closed| panic!("closed ({closed:?}) before an answer"));
        }
    }

    /// The next event that `wanted` agrees with; those before it are dropped.
    pub fn event(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event) {
                    return event;
                }
            }
            self.read().unwrap_or_else(|closed| panic!("closed ({closed:?}) before the event"));
        }
    }

    /// How many events have come that nobody has asked for.
    pub fn waiting_events(&self) -> usize {
        self.events.len()
    }

    /// Reads until the server closes; its close code, or `None` when it just went away.
    pub fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(closed) = self.read() {
                return closed;
            }
        }
    }

    /// The bytes of a binary message that an answer has named.
    pub fn attachment(&mut self, result: &Value) -> Vec<u8> {
        self.binary(1, result["image"]["attachment"].as_u64().expect("an attachment"))
    }

    /// The bytes of a binary message that an event's tile has named.
    pub fn tile(&mut self, tile: &Value) -> Vec<u8> {
        self.binary(2, tile["attachment"].as_u64().expect("an attachment"))
    }

    fn binary(&mut self, expected: u8, number: u64) -> Vec<u8> {
        let (kind, bytes) = self.attachments.remove(&number).expect("the attachment before the text that names it");
        assert_eq!(kind, expected, "the kind of binary message {number}");
        bytes
    }

    /// A screenshot, decoded.
    pub fn screenshot(&mut self) -> Picture {
        Picture::from_result(&self.must("screenshot", json!({})))
    }

    /// Goes away without a close frame, as a controller that was killed.
    pub fn abandon(self) {
        drop(self);
    }

    /// Takes in one message. The error is the close code.
    fn read(&mut self) -> Result<(), Option<u16>> {
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                let mut message: Value = serde_json::from_str(&text).expect("the server sends JSON");
                assert_eq!(message["jsonrpc"], "2.0", "{message}");
                if message["method"] == "event" {
                    self.events.push_back(message["params"].take());
                    return Ok(());
                }
                assert!(
                    message.get("result").is_some() != message.get("error").is_some(),
                    "one of result and error: {message}"
                );
                match message["id"].as_u64().filter(|id| (FIRST_ID..self.next).contains(id)) {
                    Some(id) => {
                        let answer = match message.get_mut("error") {
                            Some(error) => Err(error.take()),
                            None => Ok(message["result"].take()),
                        };
                        assert!(self.answers.insert(id, answer).is_none(), "request {id} is answered twice");
                    }
                    None => self.others.push_back(message),
                }
            }
            Ok(Message::Binary(bytes)) => {
                assert!(bytes.len() >= 12 && bytes[0] == 1, "not an attachment: {:?}", &bytes[..bytes.len().min(12)]);
                let number = u64::from_le_bytes(bytes[4..12].try_into().unwrap());
                let before = self.attachments.insert(number, (bytes[1], bytes[12..].to_vec()));
                assert!(before.is_none(), "binary message {number} has come twice");
            }
            Ok(Message::Close(frame)) => return Err(frame.map(|frame| frame.code.into())),
            Ok(_) => {}
            Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing from the server within {PATIENCE:?}")
            }
            Err(_) => return Err(None),
        }
        Ok(())
    }
}
