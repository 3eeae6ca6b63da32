//! Texts under running input methods: a real daemon of ibus on a private bus, and real applications that use it.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

#[path = "../support/mod.rs"]
mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    Controller, Deskhand, Display, PATIENCE, Process, Windows, Xvfb, files::wait_for_content, texts::difference,
};
use tempfile::TempDir;

/// The engine that hands every key on, and one that composes syllables.
const PLAIN: &str = "xkb:us::eng";
const HANGUL: &str = "hangul";
/// More different characters than a page of keys holds.
const CHARACTERS: u32 = 2_500;
/// How often a layout may be loaded while texts are typed.
const ATTEMPTS: usize = 4;

/// ibus on a bus and in a home of its own.
struct Method {
    display: Display,
    bus: String,
    home: TempDir,
    _daemons: [Process; 2],
}

impl Method {
    fn start(display: &Display, engine: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address=1"]).stdout(Stdio::piped()).stdin(Stdio::null());
        let mut bus_daemon = Process::start(display.give_to(&mut command).env("XDG_RUNTIME_DIR", home.path()));
        let mut bus = String::new();
        BufReader::new(bus_daemon.child().stdout.take().unwrap()).read_line(&mut bus).unwrap();
        let bus = bus.trim().to_owned();
        let mut command = Command::new("ibus-daemon");
        command.args(["--xim", "--emoji-extension=disable"]);
        surround(&mut command, display, &bus, &home);
        let daemon = Process::start(&mut command);
        let method = Self { display: display.clone(), bus, home, _daemons: [daemon, bus_daemon] };
        method.switch_to(engine);
        method
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        surround(&mut command, &self.display, &self.bus, &self.home);
        command
    }

    /// Asks until the daemon, which may still be starting, says that it uses the engine.
    fn switch_to(&self, engine: &str) {
        let begun = Instant::now();
        loop {
            self.command("ibus").args(["engine", engine]).status().unwrap();
            let said = self.command("ibus").arg("engine").stdout(Stdio::piped()).output().unwrap();
            if String::from_utf8_lossy(&said.stdout).trim() == engine {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "ibus does not switch to {engine}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn open(&self, mut command: Command, class: &str, file: PathBuf) -> Application {
        let windows = Windows::new(&self.display);
        let process = Process::start(&mut command);
        let window = windows.wait_for_class(class);
        windows.wait_for_focus(window);
        Application { file, _process: process }
    }

    fn gtk(&self) -> Application {
        let file = self.home.path().join("gtk");
        let mut command = self.command("/usr/bin/python3");
        command.arg("-B").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/input_methods/gtk_text.py")).arg(&file);
        self.open(command, "deskhand-text", file)
    }

    fn st(&self) -> Application {
        let file = self.home.path().join("st");
        let mut command = self.command("stterm");
        command.args(["-e", "sh", "-c", "stty raw -echo && exec cat > \"$0\""]).arg(&file);
        let application = self.open(command, "st-256color", file);
        wait_for_content(&application.file, |_| application.file.exists());
        application
    }
}

fn surround(command: &mut Command, display: &Display, bus: &str, home: &TempDir) {
    display
        .give_to(command)
        // Debian's own interpreter runs some engines.
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env_remove("XDG_CONFIG_HOME")
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .env("LANG", "C.UTF-8")
        .env_remove("LC_ALL")
        .env("NO_AT_BRIDGE", "1")
        .envs([("GTK_IM_MODULE", "ibus"), ("QT_IM_MODULE", "ibus"), ("XMODIFIERS", "@im=ibus")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
}

/// An application with a file that tells what it received.
struct Application {
    file: PathBuf,
    _process: Process,
}

impl Application {
    fn assert_receives(&self, text: &str) {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\r', "\n");
        let content = wait_for_content(&self.file, |bytes| shown(bytes).chars().count() >= text.chars().count());
        assert!(shown(&content) == text, "{}", difference(text, &shown(&content)));
    }
}

fn ideographs() -> String {
    let character = |nth: u32| char::from_u32(0x4e00 + nth * 7919 % CHARACTERS).unwrap();
    (0..CHARACTERS).map(character).collect()
}

/// Types a text and says whether nothing came between: ibus loads its engine's layout, as `setxkbmap` does, some time after a window
/// first uses it, and then the call says so; and on a machine with five times as much to do as it can, a thousand keys by way of
/// ibus take longer than an application has. Either way it is told how much has arrived, and the rest never does.
fn types_undisturbed(controller: &mut Controller, text: &str) -> bool {
    match controller.call("type", json!({ "text": text })) {
        Ok(_) => true,
        Err(error) => {
            let (kind, typed) = (&error["data"]["kind"], error["data"]["typed"].as_u64());
            assert!(kind == "keymap_changed" || kind == "deadline_exceeded", "{error}");
            assert!(typed.is_some_and(|typed| typed <= text.chars().count() as u64), "{error}");
            false
        }
    }
}

/// Tries until it is done, which ibus can put off by its layout, and others by what they do, but not for ever.
fn in_the_end(mut attempt: impl FnMut() -> bool) {
    assert!((0..ATTEMPTS).any(|_| attempt()), "something comes between all the time");
}

/// st hands its keys to the method's server and looks them up when they come back.
#[test]
fn a_terminal_under_a_plain_engine_receives_more_characters_than_a_page_holds() {
    let xvfb = Xvfb::start_managed("800x600");
    let server = Deskhand::attached(&xvfb.display);
    let method = Method::start(&xvfb.display, PLAIN);
    let terminal = method.st();
    let mut controller = Controller::connect(&server);
    let text = ideographs();
    let mut attempt = 0;
    in_the_end(|| {
        attempt += 1;
        // Behind the end nothing of the text is on its way any more; and an attempt that was disturbed at its very end has
        // left an end, which must not count for the next.
        let end = format!("END{attempt}");
        if !types_undisturbed(&mut controller, &text) || !types_undisturbed(&mut controller, &end) {
            return false;
        }
        let content = wait_for_content(&terminal.file, |bytes| bytes.ends_with(end.as_bytes()));
        let expected = text.clone() + &end;
        let received = String::from_utf8_lossy(&content);
        assert!(received.ends_with(&expected), "attempt {attempt}: {}", difference(&expected, &received));
        true
    });
}

#[test]
fn a_gtk_program_under_a_plain_engine_receives_every_character() {
    let xvfb = Xvfb::start_managed("800x600");
    let server = Deskhand::attached(&xvfb.display);
    let method = Method::start(&xvfb.display, PLAIN);
    let editor = method.gtk();
    let text = format!("nihao, a {} grüße 👍🏽", ideographs());
    let mut controller = Controller::connect(&server);
    in_the_end(|| {
        controller.must("key", json!({"text": "ctrl+a Delete"}));
        types_undisturbed(&mut controller, &text)
    });
    editor.assert_receives(&text);
}

#[test]
fn a_composing_engine_is_named_and_nothing_is_typed_and_paste_works() {
    let xvfb = Xvfb::start_managed("800x600");
    let server = Deskhand::attached(&xvfb.display);
    let method = Method::start(&xvfb.display, HANGUL);
    let editor = method.gtk();
    method.switch_to(HANGUL);
    let mut controller = Controller::connect(&server);
    let (kind, error) = controller.must_fail("type", json!({"text": "nihao, a"}));
    assert_eq!((kind.as_str(), &error["data"]["executed"]), ("input_grabbed", &json!("no")), "{error}");
    assert_eq!(error["data"]["typed"], 0, "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("\"hangul\" of ibus") && message.contains("`paste`"), "{message}");
    controller.must("paste", json!({"text": "nihao, a 世界"}));
    editor.assert_receives("nihao, a 世界");
    assert!(!fs::read_to_string(&editor.file).unwrap().is_empty());
    method.switch_to(PLAIN);
    in_the_end(|| {
        controller.must("key", json!({"text": "ctrl+a Delete"}));
        controller.must("paste", json!({"text": "nihao, a 世界"}));
        types_undisturbed(&mut controller, ", b")
    });
    editor.assert_receives("nihao, a 世界, b");
}
