//! How long a change of the screen takes to reach a subscriber.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Failure,
    command::nanoseconds,
    screen::Screen,
    websocket::{Kind, WebSocket},
};

/// Longer than a server that sends thirty frames a second waits before the next.
const BETWEEN_FRAMES: Duration = Duration::from_millis(100);
/// Messages beside the frames' own that may come before a change's last one.
const MOST_OTHERS: usize = 1000;

/// Changes a screen that has been still so often, each time after the frame before has been acknowledged. The time is from the
/// change until the event that ends its tiles has come. Changes without a pause would measure the pace at which frames are sent.
pub fn measure(
    screen: &mut Screen,
    socket: &mut WebSocket,
    subscription: u64,
    count: usize,
    percent: f64,
) -> Result<Value, Failure> {
    let (mut took, mut bytes) = (Vec::new(), Vec::new());
    drain(socket, subscription)?;
    for round in 0..count {
        thread::sleep(BETWEEN_FRAMES);
        let begun = Instant::now();
        screen.change(percent)?;
        let mut received = 0;
        let (serial, ended) = next_frame(socket, &mut received)?;
        took.push(nanoseconds(ended - begun));
        bytes.push(received);
        acknowledge(socket, subscription, &serial, round)?;
    }
    Ok(json!({"nanoseconds": took, "bytes": bytes}))
}

fn acknowledge(socket: &mut WebSocket, subscription: u64, serial: &Value, id: usize) -> Result<(), Failure> {
    let params = json!({"subscription": subscription, "serial": serial});
    let acknowledge = json!({"jsonrpc": "2.0", "id": id, "method": "frames.ack", "params": params});
    socket.send(Kind::Text, acknowledge.to_string().as_bytes())
}

/// Takes in the frames of what was drawn before: the first one, and those of other changes. A frame that is still to come when
/// the first change is made would be taken for that change's.
fn drain(socket: &mut WebSocket, subscription: u64) -> Result<(), Failure> {
    loop {
        thread::sleep(BETWEEN_FRAMES);
        socket.send(Kind::Text, br#"{"jsonrpc":"2.0","id":"drained","method":"ping","params":{}}"#)?;
        let mut frames = 0;
        loop {
            let (kind, payload) = socket.receive()?;
            if kind == Kind::Binary {
                continue;
            }
            let message: Value = serde_json::from_slice(payload)?;
            if message["id"] == "drained" {
                break;
            }
            if message["params"]["type"] == "frames" {
                frames += 1;
                acknowledge(socket, subscription, &message["params"]["serial"], frames)?;
            }
        }
        if frames == 0 {
            return Ok(());
        }
    }
}

/// Reads up to the next `frames` event; its serial and when it came.
fn next_frame(socket: &mut WebSocket, received: &mut usize) -> Result<(Value, Instant), Failure> {
    for _ in 0..MOST_OTHERS {
        let (kind, payload) = socket.receive()?;
        let ended = Instant::now();
        *received += payload.len();
        if kind == Kind::Binary {
            continue;
        }
        let message: Value = serde_json::from_slice(payload)?;
        if message.get("error").is_some() {
            return Err(format!("acknowledging is refused: {message}").into());
        }
        let params = &message["params"];
        if message["method"] == "event" && params["type"] == "frames" {
            return Ok((params["serial"].clone(), ended));
        }
    }
    Err(format!("no frame among {MOST_OTHERS} messages").into())
}
