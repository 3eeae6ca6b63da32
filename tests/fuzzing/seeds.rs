//! What the edits begin with: what is right, and what was wrong once.

use std::fs;

use deskhand::{
    desktop::xauthority::COOKIE_NAME,
    observe::audit::{Opened, Opening, Target, storage::Rotation},
    protocol::{
        audit::{ActionType, AuditDetails, AuditMode, Outcome, Record},
        token::TokenHash,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::support::in_process::TOKEN;

fn corpus(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/corpora/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Everything in the corpus of JSON, and a request of each method whose answers are kept.
pub fn messages() -> Vec<Vec<u8>> {
    let texts = corpus("json").into_iter().filter_map(|entry| Some(entry["text"].as_str()?.as_bytes().to_vec()));
    let golden = fs::read_dir(format!("{}/tests/golden", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let files = golden.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let requests = files.flat_map(|text| serde_json::from_str::<Vec<Value>>(&text).unwrap_or_default());
    let request = |mut entry: Value| {
        let mut request = entry["request"].take();
        request["jsonrpc"] = json!("2.0");
        request["id"] = json!(1);
        request.to_string().into_bytes()
    };
    let all: Vec<_> = texts.chain(requests.map(request)).collect();
    assert!(all.len() > 100, "{}", all.len());
    all
}

pub fn policies() -> Vec<Vec<u8>> {
    let whole = r#"
        methods = ["screenshot", "left_click", "type", "key", "subscribe"]
        deny_chords = ["ctrl+alt+*", "super"]
        regions = [[0, 0, 1024, 700], [5, 5, 6, 6]]
        clipboard = true
        resize = false
        navigate = ["example.org", "*.example.org"]
        [[window]]
        class = "firefox"
        title = "Inbox"
        allow = true
        [[window]]
        executable = "/usr/bin/keepassxc"
        allow = false
        mask = true
        [[confirm]]
        method = "left_click"
        class = "bank"
        deadline_s = 60
    "#;
    vec![whole.as_bytes().to_vec(), b"methods = []".to_vec(), Vec::new()]
}

pub fn tokens() -> Vec<Vec<u8>> {
    let hash = TokenHash::of(TOKEN.as_bytes());
    let whole = format!(
        "[[token]]\nuser = \"ann@example.org\"\nrole = \"control\"\nsha256 = \"{hash}\"\nsecrets = [\"pin\", \"bank.password\"]\n\
         expires = 2027-01-31T12:00:00+01:00\nlimits = {{ requests = 100, window_minutes = 60, typed_characters = 5, image_bytes = 6, \
         sessions = 2, monthly_tokens = 1000000, max_turns = 80, max_seconds = 1800, idle_seconds = 600 }}\n"
    );
    vec![whole.into_bytes(), Vec::new()]
}

pub fn secrets() -> Vec<Vec<u8>> {
    let rule = json!({"class": "a", "title": "b", "executable": "/c", "allow_unconfined": true, "taint": "mask", "clear": {"after_s": 5, "window_gone": true}});
    let whole = json!({"name": "pin", "value": "hunter2-hunter2", "rule": rule, "ttl_s": 60, "uses": 3});
    vec![whole.to_string().into_bytes(), br#"{"name":"pin","value":["hunter2-hunter2"],"rule":{}}"#.to_vec()]
}

/// A file as a server leaves it.
pub fn audits() -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let opened = Opened::open(Opening {
        target: Target::File { path: path.clone(), rotation: Rotation { bytes: 1 << 20, keep: None } },
        key: None,
        mode: AuditMode::Strict,
        details: AuditDetails::Redacted,
        boot: "0123456789abcdef",
        first: Record::new(Timestamp::UNIX_EPOCH, ActionType::Config, Outcome::Success),
    });
    let audit = opened.unwrap().start().unwrap();
    for number in 0..5 {
        audit.note(Record::new(Timestamp::UNIX_EPOCH, ActionType::ToolUse, Outcome::Started).with("number", number));
    }
    audit.close();
    vec![fs::read(path).unwrap(), Vec::new(), b"{}\n".to_vec()]
}

/// Xauthority(5) as libXau writes it.
pub fn cookies() -> Vec<Vec<u8>> {
    let field = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let entry = |family: u16, number: &[u8]| {
        [&family.to_be_bytes()[..], &field(b"host"), &field(number), &field(COOKIE_NAME), &field(&[7; 16])].concat()
    };
    vec![[entry(256, b"7"), entry(0xffff, b"")].concat(), entry(256, b"8"), Vec::new()]
}

/// Sizes, and rows that change.
pub fn pictures() -> Vec<Vec<u8>> {
    let script = [[0, 255, 7, 3], [3, 1, 200, 0], [40, 20, 9, 77], [0, 0, 1, 1], [89, 1, 0, 255]].concat();
    [[63, 47, 0], [0, 0, 1], [16, 2, 0], [95, 89, 1]].map(|head| [&head[..], &script].concat()).to_vec()
}

/// Answers of every kind and of some lengths.
pub fn x_server() -> Vec<Vec<u8>> {
    let replies = |units: u8| [[4 + 8 * units].as_slice(), &[1; 32], &[units; 128]].concat().repeat(30);
    let mixed: Vec<u8> = (0..2000_u32).map(|index| u8::try_from(index * 37 % 251).unwrap()).collect();
    vec![replies(0), replies(1), replies(8), replies(31), mixed, [[1; 33], [0; 33], [3; 33]].concat().repeat(20)]
}

/// Heads as they come without the token: with one they open.
pub fn handshakes() -> Vec<Vec<u8>> {
    let entry = |entry: Value| {
        let line = entry["line"].as_str().unwrap_or("GET /v1/ws HTTP/1.1").to_owned();
        let headers = entry["headers"].as_array().cloned().unwrap_or_default();
        let header = |header: Value| Some(format!("{}: {}\r\n", header[0].as_str()?, header[1].as_str()?));
        let headers: String = headers.into_iter().filter_map(header).collect();
        format!("{line}\r\n{headers}\r\n").replace("{HOST}", "localhost").into_bytes()
    };
    corpus("handshake").into_iter().map(entry).collect()
}

pub fn frames() -> Vec<Vec<u8>> {
    let hex = |entry: Value| data_encoding::HEXLOWER.decode(entry["hex"].as_str()?.as_bytes()).ok();
    let frames: Vec<_> = corpus("frames").into_iter().filter_map(hex).filter(|frame| frame.len() < 4096).collect();
    assert!(frames.len() > 20, "{}", frames.len());
    frames
}
