//! `cargo bench --bench figures`: the figures that README states, through a real WebSocket on loopback at 1024×768, in one
//! run. It reports and judges nothing.
//!
//! Each figure is measured in rounds that alternate with the limit beside it (a ping through the same connection), so that
//! a noisy machine shows in both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    Chromium, Controller, Deskhand, Display, Page, Recorder, RecorderOptions, Xvfb, xvfb::start_window_manager,
};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, CreateWindowAux, WindowClass},
};

/// Fifty characters that every layout has.
const FIFTY: &str = "The quick brown fox jumps over the lazy dog. 01234";
/// Enough for a stable 99th percentile of what takes a quarter of a millisecond.
const ROUNDS: usize = 500;

/// Durations of one kind, for their percentiles.
#[derive(Default)]
struct Sample(Vec<Duration>);

impl Sample {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.0.push(begun.elapsed());
        result
    }

    fn report(mut self, name: &str, limit: &str) {
        self.0.sort_unstable();
        let at = |share: usize| self.0[(self.0.len() - 1) * share / 100].as_secs_f64() * 1e3;
        println!("{name:<44} p50 {:>7.3} ms   p99 {:>7.3} ms   limit {limit}", at(50), at(99));
    }
}

/// Millions, for people.
#[allow(clippy::cast_precision_loss, reason = "shown with one or two digits")]
fn millions(count: u64) -> f64 {
    count as f64 / 1e6
}

/// Bytes of memory that a process has for itself, and its share of what it shares (`smaps_rollup` of proc(5)).
fn memory(pid: u32) -> (u64, u64) {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let field = |name: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    (field("Rss:"), field("Pss:"))
}

/// Ticks of CPU time that a process has used.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The supervisor and the server process.
fn processes(server: &Deskhand) -> Vec<u32> {
    let child = server.process.descendants().into_iter().find(|process| process.name.starts_with("deskhand"));
    vec![server.process.pid(), child.expect("the server process").pid]
}

fn pointer(controller: &mut Controller, surroundings: &str) {
    let (mut ping, mut moves, mut clicks) = (Sample::default(), Sample::default(), Sample::default());
    for round in 0..ROUNDS {
        let at = json!({"coordinate": [100 + round % 400, 200]});
        ping.time(|| controller.exchange("ping", &json!({})));
        moves.time(|| controller.exchange("mouse_move", &at));
        clicks.time(|| controller.exchange("left_click", &at));
    }
    ping.report(&format!("ping, {surroundings}"), "–");
    moves.report(&format!("mouse move, {surroundings}"), "0.2 ms");
    clicks.report(&format!("click, {surroundings}"), "0.25 ms");
}

fn typing(controller: &mut Controller) {
    let mut fifty = Sample::default();
    for _ in 0..100 {
        fifty.time(|| controller.exchange("type", &json!({"text": FIFTY})));
    }
    fifty.report("50 ASCII characters", "5 ms");
}

fn pictures(controller: &mut Controller, what: &str, change: &mut dyn FnMut()) {
    let (mut unchanged, mut full, mut ping) = (Sample::default(), Sample::default(), Sample::default());
    let (mut capture, mut encode) = (Sample::default(), Sample::default());
    let mut bytes = 0;
    for _ in 0..ROUNDS / 2 {
        change();
        let answer = full.time(|| controller.exchange("screenshot", &json!({})));
        unchanged.time(|| controller.exchange("screenshot", &json!({})));
        ping.time(|| controller.exchange("ping", &json!({})));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let result = &answer["result"];
        bytes = result["image"]["bytes"].as_u64().unwrap();
        capture.0.push(Duration::from_micros(result["timing"]["capture_us"].as_u64().unwrap()));
        encode.0.push(Duration::from_micros(result["timing"]["encode_us"].as_u64().unwrap()));
    }
    full.report(&format!("full screenshot, {what} ({} KB)", bytes / 1000), "4 ms");
    capture.report("  of it: reading the screen", "–");
    encode.report("  of it: encoding", "–");
    unchanged.report(&format!("unchanged screenshot, {what}"), "–");
    ping.report("  ping beside it", "–");
}

/// The same by programs that people use in scripts, each as a whole process, where they are installed.
fn peers(display: &Display) {
    let time = |name: &str, program: &str, arguments: &[&str], runs: usize| {
        let mut sample = Sample::default();
        for _ in 0..runs {
            let mut command = Command::new(program);
            display.give_to(&mut command).args(arguments);
            match sample.time(|| command.status()) {
                Ok(status) if status.success() => {}
                Ok(status) => return println!("{name:<44} failed: {status}"),
                Err(error) => return println!("{name:<44} not measured: {error}"),
            }
        }
        sample.report(name, "–");
    };
    let picture = tempfile::tempdir().unwrap();
    let picture = picture.path().join("peer.png");
    time("peer: xdotool, click", "xdotool", &["mousemove", "200", "200", "click", "1"], 30);
    time("peer: xdotool, 50 ASCII characters", "xdotool", &["type", FIFTY], 5);
    time("peer: scrot, screenshot", "scrot", &["-o", picture.to_str().unwrap()], 20);
}

/// A start of the program on a display that is there, until its first picture has been received.
fn attach() {
    let xvfb = Xvfb::start("1024x768");
    let (mut attach, mut start) = (Sample::default(), Sample::default());
    for _ in 0..10 {
        let server = start.time(|| Deskhand::attached(&xvfb.display));
        attach.time(|| {
            let mut controller = Controller::connect(&server);
            controller.must("screenshot", json!({}));
        });
    }
    start.report("start of the program to its ready line", "–");
    attach.report("attach to first screenshot", "20 ms");
}

/// How long the server is left alone before its memory counts: it gives back what it shares with the X server after five
/// seconds without a picture.
const LEFT_ALONE: Duration = Duration::from_secs(6);

fn idle(server: &Deskhand) {
    let processes = processes(server);
    let ticks = |processes: &[u32]| processes.iter().map(|pid| cpu_ticks(*pid)).sum::<u64>();
    let before = ticks(&processes);
    std::thread::sleep(LEFT_ALONE);
    println!("{:<44} {} ms in 6 s   limit 0 %", "processor time when idle", (ticks(&processes) - before) * 10);
    let memory: Vec<_> = processes.iter().map(|pid| memory(*pid)).collect();
    let (rss, pss) = memory.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!(
        "{:<44} {:.1} MB resident, {:.1} MB proportional   limit 12 MB",
        "memory of server and supervisor",
        millions(rss),
        millions(pss)
    );
}

/// Changes the colour of a small square in a corner each time that it is called: the least that makes a frame a new one.
fn flicker(display: &Display) -> impl FnMut() + use<> {
    let connection = display.connect();
    let window = connection.generate_id().unwrap();
    let root = connection.setup().roots[0].root;
    let look = CreateWindowAux::new().override_redirect(1).background_pixel(0);
    let class = WindowClass::INPUT_OUTPUT;
    connection.create_window(0, window, root, 0, 0, 8, 8, 0, class, 0, &look).unwrap();
    connection.map_window(window).unwrap().check().unwrap();
    let mut colour = 0;
    move || {
        colour = (colour + 0x01_01_01) % 0x100_0000;
        connection
            .change_window_attributes(window, &ChangeWindowAttributesAux::new().background_pixel(colour))
            .unwrap();
        connection.clear_area(false, window, 0, 0, 0, 0).unwrap().check().unwrap();
    }
}

fn main() {
    let binary = fs::metadata(env!("CARGO_BIN_EXE_deskhand")).unwrap().len();
    println!("{:<44} {:.2} MB   limit 8 MB", "binary", millions(binary));
    attach();
    let server = Deskhand::owned("1024x768");
    let mut controller = Controller::connect(&server);
    controller.must("ping", json!({}));
    idle(&server);
    {
        let whole = RecorderOptions { rectangle: (0, 0, 1024, 768), ..RecorderOptions::default() };
        let _window = Recorder::open_with(&server.display, &whole);
        pointer(&mut controller, "no window manager");
        typing(&mut controller);
    }
    let _manager = start_window_manager(&server.display);
    {
        let _window = Recorder::open(&server.display);
        pointer(&mut controller, "openbox");
        peers(&server.display);
    }
    let page = Page::serve();
    let _browser = Chromium::open(&server.display, &page, "busy.html");
    page.wait_until_ready();
    let mut change = flicker(&server.display);
    pictures(&mut controller, "busy web page", &mut change);
    idle_after(&server, &mut controller);
}

/// The same after many pictures: nothing may grow.
fn idle_after(server: &Deskhand, controller: &mut Controller) {
    let before: Value = controller.must("status", json!({}));
    assert_eq!(before["in_flight"], 0);
    println!("after {ROUNDS} pictures:");
    idle(server);
}
