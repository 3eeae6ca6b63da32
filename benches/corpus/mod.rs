//! Frames of 1024×768 to measure encoders with: what people see, made on displays of our own, and three that are reckoned out.

#![allow(unreachable_pub, reason = "a module of each benchmark, and public to it")]
#![allow(dead_code, reason = "each benchmark uses its own part")]

use std::{fs, process::Command};

use deskhand::{
    desktop::{
        capture::{Attendance, Capture, CaptureMethod, CursorOverlay, FrameRequest},
        ended::EndSignal,
    },
    image::pixels::Pixels,
    protocol::units::NativeSize,
};

use super::support::{Chromium, Page, Process, Windows, Xvfb, applications, xvfb::start_window_manager};

pub const SIZE: NativeSize = NativeSize { width: 1024, height: 768 };
const WIDTH: usize = SIZE.width as usize;
const HEIGHT: usize = SIZE.height as usize;

/// A frame in BGRX, without padding.
pub struct Frame {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl Frame {
    pub fn pixels(&self) -> Pixels<'_> {
        Pixels::new(&self.bytes, WIDTH * 4, SIZE).expect("a whole frame")
    }

    pub fn rgb(&self) -> Vec<u8> {
        self.bytes.as_chunks::<4>().0.iter().flat_map(|&[blue, green, red, _]| [red, green, blue]).collect()
    }
}

/// A frame by a rule for each pixel, 0xRRGGBB.
fn reckoned(name: &'static str, colour: impl Fn(u32, u32) -> u32) -> Frame {
    let places = (0..u32::from(SIZE.height)).flat_map(|y| (0..u32::from(SIZE.width)).map(move |x| (x, y)));
    Frame { name, bytes: places.flat_map(|(x, y)| colour(x, y).to_le_bytes()).collect() }
}

/// A number that looks like chance and follows from two.
fn chance(x: u32, y: u32) -> u32 {
    let mixed = (x << 16 | y).wrapping_add(0x9E37_79B9).wrapping_mul(0x85EB_CA6B);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0xC2B2_AE35);
    mixed ^ mixed >> 13
}

/// The frames that need no display.
pub fn reckoned_frames() -> Vec<Frame> {
    vec![
        reckoned("gradient", |x, y| (x / 4) << 16 | (y / 3) << 8 | ((x + y) / 8)),
        reckoned("photograph", photograph),
        reckoned("noise", |x, y| chance(x, y) & 0xff_ff_ff),
    ]
}

/// Light over shapes of several sizes, with a sensor's noise of a few steps, as a camera's pictures have.
fn photograph(x: u32, y: u32) -> u32 {
    /// A surface between random heights at every `step` pixels, 0 to 255.
    fn surface(x: u32, y: u32, step: u32, seed: u32) -> u32 {
        let height = |x: u32, y: u32| chance(x + seed * 1000, y) & 0xff;
        let (left, top, across, down) = (x / step, y / step, x % step, y % step);
        let mix = |first: u32, second: u32, part: u32| (first * (step - part) + second * part) / step;
        let upper = mix(height(left, top), height(left + 1, top), across);
        let lower = mix(height(left, top + 1), height(left + 1, top + 1), across);
        mix(upper, lower, down)
    }
    let light = surface(x, y, 256, 1) / 2 + surface(x, y, 61, 2) / 4 + surface(x, y, 17, 3) / 8;
    let colour =
        |share: u32, seed: u32| (light * share / 100 + chance(x + seed, y) % 5 + surface(x, y, 128, seed) / 9).min(255);
    colour(95, 4) << 16 | colour(80, 5) << 8 | colour(70, 6)
}

/// A display, what runs on it, and the picture once it is there.
fn shown(name: &'static str, start: impl FnOnce(&Xvfb) -> Box<dyn std::any::Any>) -> Frame {
    let xvfb = Xvfb::start("1024x768");
    let _manager = start_window_manager(&xvfb.display);
    let _running = start(&xvfb);
    let capture = Capture::start(xvfb.link(), CaptureMethod::SharedMemory, Attendance::default(), EndSignal::default())
        .expect("a thread");
    let shoot = || {
        let taken = capture.with_frame(FrameRequest { cursor: CursorOverlay::Without }, |frame| {
            frame.map(|frame| (frame.serial, frame.pixels.rows().flatten().copied().collect::<Vec<u8>>()))
        });
        taken.blocking_recv().expect("a frame").expect("a screen")
    };
    // Two seconds without a change, because an office suite draws its window in several steps; but what never rests is taken after
    // fifteen as it is.
    let mut last = shoot();
    let mut quiet = 0;
    for _ in 0..150 {
        if quiet >= 20 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        let next = shoot();
        quiet = if next.0 == last.0 { quiet + 1 } else { 0 };
        last = next;
    }
    Frame { name, bytes: last.1 }
}

/// All frames: a terminal, a document in an office suite, a busy web page, and those that need no display.
pub fn frames() -> Vec<Frame> {
    let home = tempfile::tempdir().expect("a directory");
    let started = |xvfb: &Xvfb, command: &mut Command, class: &str| -> Process {
        let process = applications::start(&xvfb.display, command, home.path());
        Windows::new(&xvfb.display).wait_for_class(class);
        process
    };
    let mut frames = vec![
        shown("terminal", |xvfb| {
            let list = "ls -l --color=always /usr/bin | head -200; sleep 1000";
            let mut xterm = Command::new("xterm");
            xterm.args(["-fa", "DejaVu Sans Mono", "-fs", "9", "-geometry", "168x58+0+0", "-e", "sh", "-c", list]);
            Box::new(started(xvfb, &mut xterm, "xterm"))
        }),
        shown("document", |xvfb| {
            let words =
                ["every", "order", "is", "read", "twice", "and", "none", "of", "them", "signed", "before", "noon"];
            let text: Vec<&str> = (0..1800).map(|n| words[chance(n, 7) as usize % words.len()]).collect();
            let paragraphs: Vec<String> = text.chunks(90).map(|words| words.join(" ")).collect();
            let file = home.path().join("document.txt");
            fs::write(&file, paragraphs.join("\n\n")).expect("a file");
            let mut writer = Command::new("soffice");
            writer.args(["--norestore", "--nologo", "--writer"]).arg(file);
            Box::new(started(xvfb, &mut writer, "libreoffice"))
        }),
        shown("web page", |xvfb| {
            let page = Page::serve();
            let browser = Chromium::open(&xvfb.display, &page, "busy.html");
            page.wait_until_ready();
            Box::new((page, browser))
        }),
    ];
    frames.extend(reckoned_frames());
    frames
}
