//! Two hundred secrets, typed and mistyped among other requests, and then looked for in everything that leaves the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use aho_corasick::AhoCorasick;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    desk::{CLASS, Desk, window},
    support::{Controller, Deskhand, PATIENCE, Recorder, Windows},
};

/// How many secrets, by the promise.
const SECRETS: usize = 200;
/// How often each is typed or tried; with what comes in between some thousands of requests.
const ROUNDS: usize = 2;
/// A move to here panics in the test program.
const PANIC: [i32; 2] = [1, 1];

/// A text that occurs nowhere else: with quotes, beyond ASCII, of two lines.
fn canary(index: usize) -> String {
    let mixed = u64::try_from(index + 1).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let core = format!("{mixed:016x}");
    match index % 4 {
        0 => format!("cAnary-{core}"),
        1 => format!("cAn\"ar\\y'<&>% {core}"),
        2 => format!("cÄnäry ж漢 {core} ß"),
        _ => format!("cAnary {core}\n{}-second", &core[8..]),
    }
}

/// The forms in which it would be found.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let base64 = |offset: usize| {
        let padded = [vec![0; offset], secret.as_bytes().to_vec()].concat();
        let text = data_encoding::BASE64.encode(&padded);
        // What depends on the neighbours is left out at both ends.
        text.as_bytes()[4..text.len() - 6].to_vec()
    };
    let json = serde_json::to_string(secret).unwrap();
    let ascii_json: String = secret
        .chars()
        .map(|one| if one.is_ascii() { one.to_string() } else { format!("\\u{:04x}", u32::from(one)) })
        .collect();
    let url: String = secret
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let joined = |separator: &str, one: fn(char) -> String| {
        secret.chars().take(10).map(one).collect::<Vec<_>>().join(separator).into_bytes()
    };
    let mut forms = vec![
        secret.as_bytes().to_vec(),
        base64(0),
        base64(1),
        base64(2),
        data_encoding::HEXLOWER.encode(secret.as_bytes()).into_bytes(),
        data_encoding::HEXUPPER.encode(secret.as_bytes()).into_bytes(),
        json.as_bytes()[1..json.len() - 1].to_vec(),
        ascii_json.into_bytes(),
        url.into_bytes(),
        secret.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        secret.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        format!("{secret:?}").trim_matches('"').as_bytes().to_vec(),
        joined(", ", |one| u32::from(one).to_string()),
        joined(",", |one| u32::from(one).to_string()),
        joined(" ", |one| format!("{:x}", u32::from(one))),
        joined("), Keysym(", |one| u32::from(one).to_string()),
    ];
    forms.dedup();
    forms
}

/// Where everything is collected, and what of it is a leak.
struct Search {
    /// All forms at once.
    forms: AhoCorasick,
    /// Whose each is.
    secrets: Vec<usize>,
}

impl Search {
    fn new() -> Self {
        let all = (0..SECRETS).flat_map(|index| forms(&canary(index)).into_iter().map(move |form| (index, form)));
        let (secrets, forms): (Vec<_>, Vec<_>) = all.unzip();
        Self { forms: AhoCorasick::new(forms).unwrap(), secrets }
    }

    fn leaks(&self, haystack: &[u8]) -> Vec<usize> {
        let found: BTreeSet<_> =
            self.forms.find_overlapping_iter(haystack).map(|form| self.secrets[form.pattern().as_usize()]).collect();
        found.into_iter().collect()
    }

    fn assert_clean(&self, place: &str, haystack: &[u8]) {
        assert_eq!(self.leaks(haystack), Vec::<usize>::new(), "{place}");
    }
}

#[test]
fn the_search_finds_a_secret_in_every_form() {
    let search = Search::new();
    for index in 0..8 {
        for form in forms(&canary(index)) {
            assert!(search.leaks(&[b"before ", form.as_slice(), b" after"].concat()).contains(&index));
        }
    }
    let inside = data_encoding::BASE64.encode(format!("some text {} and more", canary(5)).as_bytes());
    assert!(search.leaks(inside.as_bytes()).contains(&5));
}

/// All that is told to those who follow what happens, and the answers to one's own requests.
struct Ear {
    controller: Controller,
    heard: Vec<u8>,
    /// How often secrets were not typed, by the kind of the error.
    untyped: BTreeMap<String, usize>,
}

impl Ear {
    fn ask(&mut self, method: &str, params: Value) {
        let answer = self.controller.call(method, params);
        if let Err(error) = &answer
            && method == "type"
        {
            *self.untyped.entry(error["data"]["kind"].to_string()).or_default() += 1;
        }
        self.hear(&answer);
    }

    fn hear(&mut self, answer: &Result<Value, Value>) {
        let text = match answer {
            Ok(value) | Err(value) => value.to_string(),
        };
        self.heard.extend_from_slice(text.as_bytes());
    }
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files_below(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[test]
fn two_hundred_secrets_are_found_in_nothing_that_leaves_the_process() {
    let search = Search::new();
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    // A core file would be written here, had it not been forbidden.
    let mut program = Command::new("sh");
    program.args(["-c", "cd \"$0\" && ulimit -c unlimited && exec \"$@\""]).arg(place.path()).arg(Deskhand::faulty());
    let (audit, state) = (path("audit.jsonl"), path("state"));
    let arguments = ["--audit", &audit, "--audit-details", "full", "--state", &state, "--log", "trace"];
    let mut desk = Desk::on(Deskhand::owned_by(program, "640x480", &arguments));
    let notes = Recorder::open_with(&desk.server.display, &window("Notes", (400, 50, 200, 200)));
    let windows = Windows::new(&desk.server.display);
    windows.focus(desk.login.window);
    let mut listener = Controller::connect(&desk.server);
    let events = json!({"events": ["frames", "cursor", "windows", "actions", "lease", "changed"]});
    listener.must("subscribe", events);
    let mut ear = Ear { controller: Controller::connect(&desk.server), heard: Vec::new(), untyped: BTreeMap::new() };
    drop(std::mem::replace(&mut desk.controller, listener));
    // Pictures at once: what is on the screen is not what this is about.
    let client = json!({"name": "ear", "version": "1"});
    ear.ask("initialize", json!({"protocol": "deskhand.v1", "client": client, "observe": null}));
    for index in 0..SECRETS {
        let rule = json!({"class": CLASS, "taint": if index % 2 == 0 { "refuse" } else { "mask" }});
        ear.ask("secret.put", json!({"name": format!("s{index}"), "value": canary(index), "rule": rule}));
    }
    for round in 0..ROUNDS {
        for index in 0..SECRETS {
            let secret = json!({"secret": format!("s{index}")});
            match (index + round) % 5 {
                0 => {
                    windows.focus(notes.window);
                    ear.ask("type", secret);
                    windows.focus(desk.login.window);
                }
                1 => ear.ask("batch", json!({"actions": [{"name": "type", "input": secret}, {"name": "screenshot"}]})),
                _ => ear.ask("type", secret),
            }
            ask_for_more(&mut ear, index, round);
        }
    }
    // It was not all in vain: they have been typed, and none where it must not.
    let missing = |desk: &Desk| -> Vec<usize> {
        let typed = desk.received();
        (0..SECRETS).filter(|index| !typed.contains(&canary(*index))).collect()
    };
    // One is refused where the display did not answer in time, on a machine that has stood still.
    for index in missing(&desk) {
        ear.ask("type", json!({"secret": format!("s{index}")}));
    }
    assert_eq!(missing(&desk), Vec::<usize>::new(), "not typed: {:?}", ear.untyped);
    assert!(notes.everything().iter().all(|event| !matches!(event, super::support::Recorded::Key { .. })));
    let http = |path: &str| {
        let (host, token) = (desk.server.address(), &desk.server.token);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        desk.server.http(request.as_bytes())
    };
    search.assert_clean("answers", &ear.heard);
    search.assert_clean("metrics", http("/metrics").as_bytes());
    while desk.controller.waiting_events() > 0 {
        let event = desk.controller.event(|_| true);
        search.assert_clean("events", event.to_string().as_bytes());
    }
    let processes =
        desk.server.process.descendants().into_iter().filter(|process| process.name.starts_with("deskhand"));
    let mut servers = Vec::new();
    for process in processes {
        let arguments = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap();
        for file in ["cmdline", "environ", "comm", "status", "maps", "stat"] {
            search.assert_clean(file, &fs::read(format!("/proc/{}/{file}", process.pid)).unwrap_or_default());
        }
        if String::from_utf8_lossy(&arguments).contains("serve-child") {
            servers.push(process);
        }
    }
    let [server] = servers.as_slice() else { panic!("{} servers", servers.len()) };
    // The server dies by what leaves a core file behind, and everything that is left is read.
    server.signal(Signal::ABORT);
    assert!(desk.server.exited(PATIENCE).is_some());
    let mut files = Vec::new();
    files_below(place.path(), &mut files);
    assert!(files.iter().any(|file| file.ends_with("audit.jsonl")), "{files:?}");
    assert!(!files.iter().any(|file| file.file_name().unwrap().to_string_lossy().starts_with("core")), "{files:?}");
    for file in files {
        search.assert_clean(&file.display().to_string(), &fs::read(&file).unwrap());
    }
    let log = desk.server.log();
    assert!(log.contains("TRACE") && log.contains("the fault that was asked for"), "the log is the fullest there is");
    search.assert_clean("the log", log.as_bytes());
}

/// What goes wrong beside it, and what looks at everything.
fn ask_for_more(ear: &mut Ear, index: usize, round: usize) {
    let (name, canary) = (format!("s{index}"), canary(index));
    match (index / 3 + round) % 8 {
        0 => ear.ask("secret.put", json!({"name": name, "value": [canary], "rule": {"class": CLASS}})),
        1 => ear.ask("secret.put", json!({"name": name, "value": {canary: 1}, "rule": {}})),
        2 => ear.ask("mouse_move", json!({"coordinate": PANIC})),
        3 => {
            // Not whole, as of a client that breaks off.
            let message =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"secret.put","params":{{"value":{}"#, json!(canary));
            ear.controller.send_raw(&message);
            let answer = ear.controller.raw_answer();
            ear.hear(&Ok(answer));
        }
        4 => ear.ask("secret.list", json!({})),
        5 => ear.ask("screenshot", json!({"_meta": {"observe": null}})),
        6 => ear.ask("status", json!({})),
        _ => ear.ask("type", json!({"text": "plain ", "_meta": {"deadline_ms": 1000}})),
    }
}
