//! What only an ordinary user can show: root may look at every process and start nothing that confines itself.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    field, status_of,
    support::{Controller, Deskhand, Page, Windows, files::wait_for_content},
};

/// Somebody who is not root: `nobody`, as Debian numbers it.
const NOBODY: u32 = 65534;
/// More different characters than a page of keys holds.
const CHARACTERS: u32 = 1_500;

/// An ordinary user with a home.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        if geteuid().is_root() {
            chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let user = Self { home };
        fs::copy(env!("CARGO_BIN_EXE_deskhand"), user.file("deskhand")).unwrap();
        fs::set_permissions(user.file("deskhand"), fs::Permissions::from_mode(0o755)).unwrap();
        user
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `deskhand` as this user, in a home of its own.
    fn program(&self) -> Command {
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(self.file("deskhand"));
            command
        } else {
            Command::new(self.file("deskhand"))
        };
        command.env("HOME", self.home.path()).env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("XMODIFIERS");
        command
    }

    /// A client that answers no question, as COMMAND: whether it has read its keys is known only by looking at its process.
    fn silent_client(&self, sandbox: &str) -> Client {
        for name in ["silent_client.py", "xlib.py"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acknowledgement").join(name);
            fs::copy(source, self.file(name)).unwrap();
            fs::set_permissions(self.file(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        let (program, received) = (self.file("silent_client.py"), self.file("received"));
        let command = ["--", "python3", "-B", program.to_str().unwrap(), received.to_str().unwrap()];
        let server = Deskhand::owned_by(self.program(), "640x480", &[&[sandbox], &command[..]].concat());
        Windows::new(&server.display).wait_for_class("silent_client.py");
        let mut controller = Controller::connect(&server);
        controller.must("left_click", json!({"coordinate": [30, 30]}));
        Client { controller, server, received }
    }
}

struct Client {
    controller: Controller,
    server: Deskhand,
    received: PathBuf,
}

/// So many different characters that their keys have to be used again.
fn ideographs(from: u32) -> String {
    (0..CHARACTERS).map(|nth| char::from_u32(from + nth).unwrap()).collect()
}

#[test]
fn evidence_is_the_same_with_the_sandbox_and_without() {
    let evidence = |sandbox| -> Value {
        let user = User::new();
        let mut client = user.silent_client(sandbox);
        client.controller.must("display.info", json!({}))["evidence"].clone()
    };
    let free = evidence("--sandbox=off");
    assert!(free.as_array().unwrap().iter().any(|source| source == "terminal_commands"), "{free}");
    assert_eq!(evidence("--sandbox=require"), free);
}

#[test]
fn a_program_that_answers_nothing_is_still_seen_to_have_read_its_keys() {
    let user = User::new();
    let mut client = user.silent_client("--sandbox=require");
    let text = ideographs(0x4e00);
    client.controller.must("type", json!({ "text": text }));
    let received = wait_for_content(&client.received, |content| content.len() >= text.len());
    assert!(received == text.as_bytes(), "{}", String::from_utf8_lossy(&received));
}

/// The counterpart of the test above: it is the witness that sees it.
#[test]
fn without_its_witness_the_server_stops_and_says_how_far_it_came() {
    if !deskhand::sandbox::landlock_is_offered() {
        eprintln!("not tested: this kernel has no Landlock, and so there is no witness");
        return;
    }
    let user = User::new();
    let mut client = user.silent_client("--sandbox=require");
    let witness = client.server.child("desk-witness");
    witness.kill();
    assert!(witness.wait(super::support::PATIENCE));
    let (_, error) = client.controller.must_fail("type", json!({"text": ideographs(0x4e00)}));
    let typed = error["data"]["typed"].as_u64().unwrap();
    assert!(typed < u64::from(CHARACTERS), "{error}");
    // The rest of the product needs no witness.
    client.controller.must("type", json!({"text": "plain"}));
    client.controller.must("screenshot", json!({}));
}

#[test]
fn chromium_as_command_starts_with_its_own_sandbox() {
    let user = User::new();
    let page = Page::serve();
    let profile = format!("--user-data-dir={}", user.file("profile").display());
    let url = page.url("textarea.html");
    // What the other tests give Chromium, without the flag that takes its sandbox away.
    let command = [
        "--sandbox=require",
        "--",
        "chromium",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-breakpad",
        "--password-store=basic",
        &profile,
        &url,
    ];
    let server = Deskhand::owned_by(user.program(), "1024x768", &command);
    Windows::new(&server.display).wait_for_class("chromium");
    page.wait_until_ready();
    let renderers: Vec<u32> =
        server.process.descendants().iter().map(|process| process.pid).filter(|pid| is_renderer(*pid)).collect();
    assert!(!renderers.is_empty(), "no renderer among {} processes", server.process.descendants().len());
    for renderer in renderers {
        let status = status_of(renderer);
        assert_eq!(field(&status, "Seccomp"), "2", "a renderer under its filter");
        let numbers = field(&status, "NSpid");
        assert!(numbers.split_whitespace().count() > 1, "a renderer in a process namespace of its own: {numbers}");
    }
    let told = Controller::connect(&server).must("display.info", json!({}))["sandbox"].clone();
    assert_eq!(told, super::whole_sandbox());
}

fn is_renderer(process: u32) -> bool {
    fs::read(format!("/proc/{process}/cmdline"))
        .is_ok_and(|line| String::from_utf8_lossy(&line).contains("--type=renderer"))
}
