//! The product under the sandbox. All other tests run under it as well, because it is on by default; these name what a
//! filter or Landlock could take away.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    process::Stdio,
    time::Instant,
};

use deskhand::protocol::token::TokenHash;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    confined,
    support::{
        Controller, Deskhand, Managed, Mousepad, PATIENCE, Process, Viewer, Xterm, display::shrink, process::Watched,
    },
    whole_sandbox,
};

/// Tries until it is so; `what` is told when it never is.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn pictures_of_every_kind_are_taken_and_streamed() {
    let server = confined("640x480", &[]);
    let mut controller = Controller::connect(&server);
    for (format, mime) in [("png", "image/png"), ("jpeg", "image/jpeg"), ("webp", "image/webp")] {
        let answer = controller.must("screenshot", json!({"_meta": {"format": format, "cursor": true}}));
        assert_eq!(answer["image"]["mime"], mime);
        let zoomed = controller.must("zoom", json!({"region": [10, 10, 50, 40], "_meta": {"format": format}}));
        assert_eq!(zoomed["image"]["width"], 640, "{format}");
    }
    controller.must("screenshot", json!({"_meta": {"preset": "compact"}}));
    let mut viewer = Viewer::connect(&server);
    viewer.next_frame();
    let drawn = Process::start(server.display.give_to(std::process::Command::new("xsetroot").args(["-solid", "red"])));
    viewer.next_frame();
    drop(drawn);
    let id = controller.send("wait_for", json!({"change": {}, "timeout_ms": 10_000}));
    let drawn = Process::start(server.display.give_to(std::process::Command::new("xsetroot").args(["-solid", "blue"])));
    let changed = controller.answer(id).unwrap();
    assert_eq!(changed["met"], true, "{changed}");
    drop(drawn);
}

#[test]
fn texts_with_pages_of_characters_and_pastes_arrive() {
    let mut desktop = Managed::start("800x600");
    assert_eq!(desktop.controller.must("display.info", json!({}))["sandbox"], whole_sandbox());
    let text: String = (0..2_000).map(|nth| char::from_u32(0x4e00 + nth).unwrap()).collect::<String>() + "grüße 👍🏽";
    let terminal = Xterm::open(&desktop.server.display);
    desktop.windows.wait_for_focus(terminal.window);
    desktop.type_text(&text);
    assert_eq!(terminal.wait_for_text(&text), text);
    drop(terminal);
    let editor = Mousepad::open(&desktop.server.display, "");
    desktop.windows.wait_for_focus(editor.window);
    desktop.controller.must("paste", json!({ "text": text }));
    desktop.controller.must("key", json!({"text": "ctrl+s"}));
    editor.wait_for_saved(|content| content == text.as_bytes());
}

#[test]
fn a_display_that_shrinks_and_one_that_dies_are_opened_again() {
    let server = confined("640x480", &[]);
    let mut controller = Controller::connect(&server);
    controller.must("screenshot", json!({}));
    shrink(&server.display, 400, 300);
    let mut epoch = |wanted: u32| {
        until("the display is not opened again", || {
            controller.call("display.info", json!({})).is_ok_and(|info| info["epoch"] == wanted)
        });
        controller.must("screenshot", json!({}));
        controller.must("left_click", json!({"coordinate": [30, 30]}));
    };
    epoch(2);
    server.xvfb().signal(Signal::KILL);
    epoch(3);
}

#[test]
fn tokens_are_read_again_and_what_was_used_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (tokens, state) = (directory.path().join("tokens.toml"), directory.path().join("state"));
    let write = |letter: &str| {
        let hash = TokenHash::of(letter.repeat(64).as_bytes());
        let text = format!(
            "[[token]]\nuser = \"u\"\nrole = \"control\"\nsha256 = \"{hash}\"\nlimits = {{ monthly_tokens = 1000 }}\n"
        );
        fs::write(&tokens, text).unwrap();
        fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let connect = |server: &Deskhand, letter: &str| {
        Controller::connect_with(server, &[("authorization", &format!("Bearer {}", letter.repeat(64)))])
    };
    let used = |server: &Deskhand| connect(server, "b").unwrap().must("usage.get", json!({}))["used"].clone();
    write("a");
    let arguments = ["--tokens", tokens.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let server = confined("320x240", &arguments);
    connect(&server, "a").expect("the first token");
    write("b");
    server.process.signal(Signal::HUP);
    until("the tokens are not read again", || connect(&server, "b").is_ok());
    connect(&server, "b").unwrap().must("usage.report", json!({"model": "m", "input_tokens": 300, "output_tokens": 0}));
    let before = used(&server);
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(used(&confined("320x240", &arguments)), before);
}

#[test]
fn a_unix_socket_is_served_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("desk.sock");
    let server = confined("320x240", &["--listen", &format!("unix:{}", path.display())]);
    let authorization = format!("Bearer {}", server.token);
    let stream = Box::new(UnixStream::connect(&path).unwrap());
    let mut controller = Controller::upgrade(stream, "localhost", &[("authorization", &authorization)]).unwrap();
    controller.must("screenshot", json!({}));
    drop(controller);
    assert_eq!(server.stop().code(), Some(0));
    assert!(!path.exists(), "the socket's file stays behind");
}

#[test]
fn standard_input_and_output_are_served() {
    let mut command = Deskhand::program();
    command.args(["serve", "--xvfb", "320x240", "--listen", "stdio", "--sandbox=require"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Process::start(&mut command);
    let (mut input, mut output) = (process.child().stdin.take().unwrap(), process.child().stdout.take().unwrap());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "screenshot", "params": {}}).to_string();
    write!(
        input,
        "POST /v1/rpc HTTP/1.1\r\nHost: desk\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    output.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let answer: Value = serde_json::from_str(body).unwrap();
    assert_eq!(answer["result"]["image"]["mime"], "image/png", "{answer}");
    drop(input);
    assert_eq!(process.wait(PATIENCE).expect("its end").code(), Some(0));
}

#[test]
fn a_killed_supervisor_leaves_no_process_and_no_secret() {
    let server = confined("320x240", &["--", "sh", "-c", "sleep 1000 & sleep 1000 & wait"]);
    let token = server.ready["token_file"].as_str().unwrap().to_owned();
    let sleepers = |all: &[Watched]| all.iter().filter(|process| process.name == "sleep").count();
    until("COMMAND has not started both", || sleepers(&server.process.descendants()) == 2);
    server.kill();
    assert!(!Path::new(&token).parent().unwrap().exists(), "the private directory stays behind");
}
