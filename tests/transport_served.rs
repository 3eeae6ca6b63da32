//! The program itself, by ways that leave the machine, under its sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use support::{
    Deskhand, PATIENCE,
    in_process::{
        called::{Controller, Desk},
        certificates::{Authority, Certified},
        within,
    },
};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// Files as an operator has them.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Puts a file in its place as tools do that renew certificates: written beside it, then renamed.
    fn put(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.0.path().join(name), self.0.path().join(format!("{name}.new")));
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &path).unwrap();
        path
    }

    fn put_identity(&self, Certified { certificate, key }: &Certified) -> [PathBuf; 2] {
        [self.put("certificate.pem", certificate), self.put("key.pem", key)]
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `deskhand call ping` as a person would type it.
fn ping(server: &Deskhand, files: &Files, authority: &Path) -> Output {
    let token = files.put("token", &server.token);
    let url = format!("wss://localhost:{}", server.address().port());
    let mut command: Command = Deskhand::program();
    command.args(["call", "ping", "--url", &url, "--tls-ca", text(authority), "--token-file", text(&token)]);
    command.output().unwrap()
}

#[test]
fn a_certificate_is_read_again_when_its_files_change() {
    let (files, before, after) = (Files::new(), Authority::new(), Authority::new());
    let [certificate, key] = files.put_identity(&before.certify("localhost"));
    let tls = ["--sandbox", "require", "--tls-cert", text(&certificate), "--tls-key", text(&key)];
    let server = Deskhand::owned_with("320x240", &tls);
    let (old, new) = (files.put("before.pem", &before.pem()), files.put("after.pem", &after.pem()));
    let answer = ping(&server, &files, &old);
    assert!(answer.status.success(), "{answer:?}");
    let stranger = ping(&server, &files, &new);
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("--tls-ca"), "{stranger:?}");

    files.put_identity(&after.certify("localhost"));
    let begun = Instant::now();
    while !ping(&server, &files, &new).status.success() {
        assert!(begun.elapsed() < PATIENCE, "the new certificate is not shown: {}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!ping(&server, &files, &old).status.success());

    // What cannot be used changes nothing.
    files.put("certificate.pem", "nonsense");
    let begun = Instant::now();
    while !server.log().contains("the certificate stays as it was") {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(ping(&server, &files, &new).status.success());
}

async fn ask(desk: &mut Desk, id: u64, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    desk.send(Message::text(request.to_string())).await.unwrap();
    let answer = within(desk.next()).await.unwrap().unwrap();
    let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
    assert_eq!(answer["id"], id, "{answer}");
    answer["result"].clone()
}

#[tokio::test]
async fn a_guest_is_driven_by_the_controller_that_it_calls_and_by_the_same_after_it_was_gone() {
    let (files, authority) = (Files::new(), Authority::new());
    let controller = Controller::new(&authority.certify("localhost")).await;
    let authority = files.put("authority.pem", &authority.pem());
    let url = format!("dial:wss://localhost:{}/desks/7", controller.port());
    let arguments = ["--sandbox", "require", "--listen", &url, "--dial-ca", text(&authority)];
    let server = Deskhand::owned_with("320x240", &arguments);
    assert!(server.ready["listen"].as_array().unwrap().contains(&json!(url)), "{}", server.ready);

    let (mut desk, path, _) = controller.answer().await.unwrap();
    assert_eq!(path, "/desks/7");
    let first =
        ask(&mut desk, 1, "initialize", json!({"protocol": "deskhand.v1", "client": {"name": "test", "version": "1"}}))
            .await;
    assert_eq!(first["role"], "admin", "{first}");
    let screenshot = ask(&mut desk, 2, "screenshot", json!({})).await;
    assert_eq!((&screenshot["image"]["width"], &screenshot["image"]["height"]), (&json!(320), &json!(240)));
    ask(&mut desk, 3, "key_down", json!({"text": "Shift_L"})).await;
    // Gone without a word, with a key held.
    drop(desk);

    let (mut desk, ..) = controller.answer().await.unwrap();
    let status = ask(&mut desk, 1, "status", json!({})).await;
    assert_eq!(status["held"]["keys"], json!([]), "{status}");
    let moved = ask(&mut desk, 2, "mouse_move", json!({"coordinate": [5, 6]})).await;
    assert_eq!(moved["cursor"], json!([5, 6]), "{moved}");
}

/// What starts is told at once what is wrong with it.
#[test]
fn what_does_not_go_together_is_refused_with_the_remedy() {
    let (files, authority) = (Files::new(), Authority::new());
    let [certificate, key] = files.put_identity(&authority.certify("localhost"));
    let (certificate, key) = (text(&certificate), text(&key));
    let other = files.put("other.pem", &authority.certify("localhost").key);
    let open = files.put("open.pem", "");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let pin = "0".repeat(64);
    let rows: &[(&[&str], i32, &str)] = &[
        (&["--tls-cert", certificate], 2, "--tls-key"),
        (&["--tls-client-ca", certificate], 2, "--tls-cert"),
        (&["--tls-cert", certificate, "--tls-key", text(&other)], 2, "TLS cannot be spoken"),
        (&["--tls-cert", certificate, "--tls-key", "/nowhere"], 2, "/nowhere"),
        (&["--tls-cert", certificate, "--tls-key", text(&open)], 4, "chmod 600"),
        (&["--tls-cert", certificate, "--tls-key", key, "--listen", "stdio"], 2, "no address that could speak TLS"),
        (&["--listen", "0.0.0.0:0"], 4, "--tls-cert"),
        (&["--listen", "dial:wss://localhost"], 2, "--dial-ca"),
        (&["--listen", "dial:wss://localhost", "--dial-ca", "/nowhere"], 2, "/nowhere"),
        (&["--listen", "dial:wss://localhost", "--dial-ca", certificate, "--dial-pin", &pin], 2, "exclude"),
        (&["--dial-pin", &pin], 2, "no controller"),
        (&["--listen", "dial:wss://localhost", "--dial-pin", "abc"], 2, "64 hexadecimal"),
        (&["--listen", "virtio:/nowhere/port"], 5, "/nowhere/port"),
    ];
    for (arguments, exit, said) in rows {
        let output = Deskhand::program().arg("serve").arg("--xvfb=320x240").args(*arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(*exit) && errors.contains(said),
            "{arguments:?}: {:?} {errors}",
            output.status
        );
    }
}
