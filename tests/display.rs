//! Displays that die, come late, come back, change their size, or are of a size that is refused.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and shows its times")]

mod support;

use std::{
    fs, io,
    os::unix::net::UnixListener,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Controller, Deskhand, Display, PATIENCE, Recorder, Xvfb, display::shrink, files::wait_for_content};

/// How long after its death an owned display may take until COMMAND runs on the next one.
const COME_BACK: Duration = Duration::from_secs(3);

/// Asks for the display again and again until it is there in this epoch.
fn wait_for_epoch(controller: &mut Controller, epoch: u32) -> Value {
    let begun = Instant::now();
    loop {
        match controller.call("display.info", json!({})) {
            Ok(info) if info["epoch"] == epoch => return info,
            Ok(info) => assert!(info["epoch"].as_u64().unwrap() < u64::from(epoch), "{info}"),
            Err(error) => assert_eq!(error["data"]["kind"], "display_lost", "{error}"),
        }
        assert!(begun.elapsed() < PATIENCE, "no epoch {epoch}");
    }
}

/// Coordinates of an older display are refused, and nothing moves, until the session has seen a picture of this one.
fn assert_stale_until_seen(controller: &mut Controller) {
    let before = controller.must("cursor_position", json!({}))["cursor"].clone();
    for (method, params) in [
        ("left_click", json!({"coordinate": [7, 9]})),
        ("mouse_move", json!({"coordinate": [7, 9]})),
        ("zoom", json!({"region": [0, 0, 9, 9]})),
    ] {
        let (kind, error) = controller.must_fail(method, params);
        assert_eq!((kind.as_str(), &error["data"]["executed"]), ("stale_frame", &json!("no")), "{method}: {error}");
    }
    assert_eq!(controller.must("cursor_position", json!({}))["cursor"], before);
    controller.must("screenshot", json!({}));
    assert_eq!(controller.must("left_click", json!({"coordinate": [7, 9]}))["cursor"], json!([7, 9]));
}

/// The lines of a file once there are so many.
fn lines(path: &Path, count: usize) -> Vec<String> {
    let content = wait_for_content(path, |content| content.split(|byte| *byte == b'\n').count() > count);
    String::from_utf8(content).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_killed_display_is_back_with_its_command_and_a_new_epoch_within_three_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let started = directory.path().join("started");
    let script = format!("echo $$ $DISPLAY >> {}; exec sleep 1000", started.display());
    let server = Deskhand::owned_with("640x480", &["--", "sh", "-c", &script]);
    let mut controller = Controller::connect(&server);
    let first = controller.must("screenshot", json!({}))["frame"].clone();
    assert_eq!(first, "1-1");
    let mut before = lines(&started, 1).remove(0);
    for epoch in 2..=4 {
        let killed = Instant::now();
        server.xvfb().signal(Signal::KILL);
        let after = lines(&started, usize::try_from(epoch).unwrap()).pop().unwrap();
        let info = wait_for_epoch(&mut controller, epoch);
        let away = killed.elapsed();
        eprintln!("epoch {epoch} and COMMAND after {} ms", away.as_millis());
        assert!(away < COME_BACK, "{away:?}");
        assert_eq!(
            (&info["name"], &info["width"], &info["height"]),
            (&json!(server.display.name()), &json!(640), &json!(480))
        );
        let (before_pid, before_display) = before.split_once(' ').unwrap();
        let (pid, display) = after.split_once(' ').unwrap();
        assert_eq!(display, before_display);
        assert!(!Path::new("/proc").join(before_pid).exists(), "the first COMMAND is gone");
        assert!(Path::new("/proc").join(pid).exists(), "the next COMMAND runs");
        before = after;
        assert_stale_until_seen(&mut controller);
        assert_eq!(controller.must("screenshot", json!({}))["frame"], format!("{epoch}-1"));
    }
}

#[test]
fn a_display_that_dies_with_input_held_and_an_action_running_says_so() {
    let server = Deskhand::owned("640x480");
    let _window = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    controller.must("key_down", json!({"text": "shift"}));
    let running = controller.send("hold_key", json!({"text": "F5", "duration": 300}));
    let status = controller.must("status", json!({}));
    assert_eq!(status["in_flight"], 1, "{status}");
    server.xvfb().signal(Signal::KILL);
    let error = controller.answer(running).expect_err("its display has died");
    assert_eq!(error["data"]["kind"], "display_lost", "{error}");
    wait_for_epoch(&mut controller, 2);
    controller.must("screenshot", json!({}));
    assert_eq!(
        controller.must("mouse_move", json!({"coordinate": [3, 4]}))["held"],
        json!({"keys": [], "buttons": []})
    );
}

#[test]
fn a_display_that_comes_up_late_is_waited_for() {
    let place = Place::new(720);
    let display = place.display.clone();
    // Somebody who listens and hangs up: an X server that is not up yet. It shows that the server has tried.
    let socket = UnixListener::bind(display.socket()).unwrap();
    let waiting = thread::spawn(move || Deskhand::attached(&display));
    drop(socket.accept().unwrap());
    drop(socket);
    fs::remove_file(place.display.socket()).unwrap();
    let _xvfb = Xvfb::start_at(&place.display, "640x480");
    let server = waiting.join().unwrap();
    let mut controller = Controller::connect(&server);
    let info = controller.must("display.info", json!({}));
    assert_eq!((&info["epoch"], &info["owned"], &info["width"]), (&json!(1), &json!(false), &json!(640)));
    assert_eq!(controller.must("left_click", json!({"coordinate": [5, 6]}))["cursor"], json!([5, 6]));
}

#[test]
fn an_attached_display_that_comes_back_is_a_new_epoch() {
    let place = Place::new(721);
    let xvfb = Xvfb::start_at(&place.display, "640x480");
    let server = Deskhand::attached(&place.display);
    let mut controller = Controller::connect(&server);
    controller.must("screenshot", json!({}));
    controller.must("left_click", json!({"coordinate": [600, 400]}));
    drop(xvfb);
    for (method, params) in [("screenshot", json!({})), ("left_click", json!({"coordinate": [1, 1]}))] {
        let (kind, error) = controller.must_fail(method, params);
        assert_eq!((kind.as_str(), &error["data"]["executed"]), ("display_lost", &json!("no")), "{method}: {error}");
    }
    assert_eq!(controller.must("status", json!({}))["in_flight"], 0, "the connection lives");
    // Smaller than before: nothing of the old size is left.
    let _again = Xvfb::start_at(&place.display, "400x300");
    let info = wait_for_epoch(&mut controller, 2);
    assert_eq!((&info["width"], &info["height"]), (&json!(400), &json!(300)));
    assert_stale_until_seen(&mut controller);
    assert_eq!(controller.must_fail("left_click", json!({"coordinate": [600, 400]})).0, "out_of_range");
    assert_eq!(controller.screenshot().width, 400);
}

/// Containers that share nothing but the display's socket count processes apart, and then the kernel has no number for who listens.
#[test]
fn a_display_of_another_process_space_can_be_attached_to() {
    let xvfb = Xvfb::start("320x240");
    let mut command = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        command.args(["--user", "--map-current-user"]);
    }
    command.args(["--pid", "--fork", "--mount-proc"]).arg(Deskhand::program().get_program()).args(["doctor", "--json"]);
    let output = xvfb.display.give_to(&mut command).output().unwrap();
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bad: Vec<_> = findings.as_array().unwrap().iter().filter(|finding| finding["verdict"] == "bad").collect();
    assert!(output.status.success() && bad.is_empty(), "{bad:?} {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_screen_that_shrinks_is_a_new_epoch_in_its_new_size() {
    let server = Deskhand::owned("1024x768");
    let mut controller = Controller::connect(&server);
    controller.must("screenshot", json!({}));
    shrink(&server.display, 800, 600);
    let info = wait_for_epoch(&mut controller, 2);
    assert_eq!((&info["width"], &info["height"]), (&json!(800), &json!(600)));
    assert_stale_until_seen(&mut controller);
    let picture = controller.screenshot();
    assert_eq!((picture.width, picture.height), (800, 600));
    assert_eq!(controller.must("mouse_move", json!({"coordinate": [799, 599]}))["cursor"], json!([799, 599]));
    let (kind, error) = controller.must_fail("mouse_move", json!({"coordinate": [800, 0]}));
    assert_eq!(kind, "out_of_range");
    assert!(error["message"].as_str().unwrap().contains("800 is outside 0..800"), "{error}");
}

/// A display number of this test's own, with a folder for its cookie. Nothing of it is there before or after.
struct Place {
    display: Display,
    _directory: tempfile::TempDir,
}

impl Place {
    fn new(number: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let xauthority = directory.path().join("Xauthority");
        fs::write(&xauthority, support::xvfb::cookie_file()).unwrap();
        let display = Display { number, xauthority: Some(xauthority) };
        let place = Self { display, _directory: directory };
        place.clean();
        place
    }

    /// X servers that were killed leave these.
    fn clean(&self) {
        for path in [self.display.socket(), self.display.lock()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{}: {error}", path.display()),
                _ => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clean();
    }
}
