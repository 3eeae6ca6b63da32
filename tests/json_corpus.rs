//! Every message of `corpora/json.json` gets its typed error, changes nothing on the display and leaves the connection usable.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail")]

mod support;

use serde_json::{Value, json};
use support::{Controller, Deskhand, Windows};

/// One row of the corpus.
struct Row {
    name: String,
    text: String,
    kinds: Vec<&'static str>,
}

/// The kinds that a row allows, from its words.
fn kinds(row: &Value) -> Vec<&'static str> {
    const KINDS: [&str; 6] =
        ["invalid_json", "invalid_request", "unknown_method", "invalid_params", "out_of_range", "unsupported"];
    let said = format!("{} {}", row["kind"].as_str().expect("kind"), row["note"].as_str().unwrap_or_default());
    if said.starts_with("a typed error") {
        return KINDS.to_vec();
    }
    KINDS.into_iter().filter(|kind| said.contains(kind)).collect()
}

fn rows() -> Vec<Row> {
    let corpus: Vec<Value> = serde_json::from_str(include_str!("corpora/json.json")).expect("the corpus");
    let screenshots = json!(vec![json!({"name": "screenshot", "input": {}}); 101]).to_string();
    let nested = |depth: usize| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}"#, "[".repeat(depth));
    corpus
        .iter()
        .map(|row| {
            let mut text = row["text"].as_str().expect("text").to_owned();
            if let Some(depth) = text.strip_prefix("{DEEP ").and_then(|rest| rest.strip_suffix('}')) {
                text = nested(depth.parse().expect("a number"));
            }
            text = text.replace("{101 SCREENSHOTS}", &screenshots);
            while let Some(start) = text.find("{A*") {
                let end = start + text[start..].find('}').expect("closed");
                let count = text[start + 3..end].parse().expect("a number");
                text.replace_range(start..=end, &"A".repeat(count));
            }
            Row { name: row["name"].as_str().expect("name").to_owned(), text, kinds: kinds(row) }
        })
        .collect()
}

#[test]
fn every_wrong_message_gets_its_error_and_nothing_else_happens() {
    let server = Deskhand::owned("1024x768");
    let windows = Windows::new(&server.display);
    let mut controller = Controller::connect(&server);
    controller.must("mouse_move", json!({"coordinate": [500, 300]}));
    let before = (windows.pointer(), windows.pressed_keys());
    let frame = controller.must("screenshot", json!({}))["frame"].clone();
    let rows = rows();
    assert!(rows.len() >= 79, "the corpus is complete");
    for row in rows {
        controller.send_raw(&row.text);
        let answer = controller.raw_answer();
        let kind = answer["error"]["data"]["kind"].as_str().unwrap_or_else(|| panic!("{}: {answer}", row.name));
        assert!(row.kinds.contains(&kind), "{}: {kind} is not one of {:?}: {answer}", row.name, row.kinds);
        assert_eq!(answer["error"]["data"]["executed"], "no", "{}", row.name);
        let sent: Option<Value> = serde_json::from_str(&row.text).ok();
        let id = sent.as_ref().and_then(|sent| sent.get("id")).filter(|id| {
            kind != "invalid_json" && (id.is_i64() || id.as_str().is_some_and(|text| text.chars().count() <= 128))
        });
        assert_eq!(&answer["id"], id.unwrap_or(&Value::Null), "{}: the id of the answer", row.name);
        assert!(controller.call("ping", json!({})).is_ok(), "{}: the connection must stay usable", row.name);
        assert_eq!((windows.pointer(), windows.pressed_keys()), before, "{}: something reached the display", row.name);
    }
    assert_eq!(controller.must("screenshot", json!({}))["frame"], frame, "nothing was drawn");
}
