//! The texts that are hardest to type, code point by code point: ten thousand ideographs, every emoji, stacked marks, scripts that
//! run from right to left. Into a browser, a GTK editor and a terminal, on a display of our own and on somebody else's.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and shows its times")]

mod support;

use std::{fs, time::Instant};

use serde_json::json;
use support::{
    Chromium, Controller, Deskhand, Display, Mousepad, Page, Process, Windows, Xterm, Xvfb, texts::difference,
    xvfb::start_window_manager,
};

/// How many ideographs the ordinary run types, and the long one.
const IDEOGRAPHS: u32 = 2_000;
const MANY_IDEOGRAPHS: u32 = 10_000;
/// Of the emoji, the ordinary run types one in so many.
const EMOJI_STEP: usize = 12;

/// Unicode's own list of emoji, of Debian's package `unicode-data`.
const EMOJI_LIST: &str = "/usr/share/unicode/emoji/emoji-test.txt";

/// So many different ideographs, in lines: the first of the CJK block of 20,992.
fn ideographs(count: u32) -> String {
    const LINE: usize = 60;
    // A prime that divides none of the counts visits each once, far from its neighbours.
    let all: Vec<_> = (0..count).map(|nth| char::from_u32(0x4e00 + nth * 7919 % count).unwrap()).collect();
    all.chunks(LINE).flat_map(|line| line.iter().chain(['\n'].iter())).collect()
}

/// One in so many of all emoji, one a line: sequences joined by ZWJ, skin tones, flags, key caps, tags and selectors among them.
fn emoji(step: usize) -> String {
    let list =
        fs::read_to_string(EMOJI_LIST).unwrap_or_else(|error| panic!("{EMOJI_LIST}: {error}; install unicode-data"));
    let qualified = list.lines().filter_map(|line| {
        let (code_points, rest) = line.split_once(';')?;
        rest.trim_start().starts_with("fully-qualified").then_some(code_points)
    });
    let sequence = |code_points: &str| -> String {
        let of = |hexadecimal| char::from_u32(u32::from_str_radix(hexadecimal, 16).unwrap()).unwrap();
        code_points.split_whitespace().map(of).chain(['\n']).collect()
    };
    qualified.step_by(step).map(sequence).collect()
}

/// Marks that stand on letters, decomposed; scripts from right to left; what steers their direction; tabs and new lines.
fn marks_and_directions() -> String {
    [
        // Vietnamese and Polish, decomposed; a letter under ten marks.
        "Tie\u{302}\u{301}ng Vie\u{323}\u{302}t, z\u{301}o\u{301}\u{142}w, Z\u{351}\u{36b}\u{343}\u{36a}\u{302}\u{36b}\u{33d}\u{34f}\u{334}\u{319}o",
        // Devanagari, Thai, Tibetan, Hangul in its parts.
        "हिन्दी क्षत्रिय, ภาษาไทย ที่นั่น, བོད་སྐད, \u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}",
        // Hebrew with points, Arabic with signs, Syriac, Thaana.
        "בְּרֵאשִׁית בָּרָא, العَرَبِيَّةُ ١٢٣, ܫܠܡܐ, ދިވެހި",
        // Every control of the direction.
        "a\u{200e}b\u{200f}c\u{202a}d\u{202b}e\u{202c}f\u{202d}g\u{202e}h\u{202c}i\u{2066}j\u{2067}k\u{2068}l\u{2069}m\u{61c}n",
        // Joiners, a soft hyphen, spaces of several kinds.
        "\u{200c}न्\u{200d}म \u{ad}x\u{2009}y\u{3000}z\u{202f}\u{2060}\u{feff}",
        "tab\tand\ttab\t",
        "",
        "the end of 𝔐𝔞𝔱𝔥 and 𐎠𐏃𐎠",
    ]
    .join("\n")
}

/// A display with a window manager, and an executor on it. Fields are dropped in this order.
struct Desk {
    controller: Controller,
    windows: Windows,
    _window_manager: Option<Process>,
    _server: Deskhand,
    display: Display,
    _xvfb: Option<Xvfb>,
}

impl Desk {
    fn of_our_own() -> Self {
        let server = Deskhand::owned("1024x768");
        let window_manager = start_window_manager(&server.display);
        Self::with(server, Some(window_manager), None)
    }

    fn of_somebody_else() -> Self {
        let xvfb = Xvfb::start_managed("1024x768");
        Self::with(Deskhand::attached(&xvfb.display), None, Some(xvfb))
    }

    fn with(server: Deskhand, window_manager: Option<Process>, xvfb: Option<Xvfb>) -> Self {
        let display = server.display.clone();
        let (controller, windows) = (Controller::connect(&server), Windows::new(&display));
        Self { controller, windows, _window_manager: window_manager, _server: server, display, _xvfb: xvfb }
    }

    fn type_text(&mut self, into: &str, text: &str) {
        let begun = Instant::now();
        self.controller.must("type", json!({ "text": text }));
        eprintln!("{into}: {} code points in {:.0?}", text.chars().count(), begun.elapsed());
    }
}

fn into_a_browser(mut desk: Desk, texts: &[String]) {
    let page = Page::serve();
    let chromium = Chromium::open(&desk.display, &page, "textarea.html#pauses");
    desk.windows.wait_for_focus(chromium.window);
    page.wait_until_ready();
    for text in texts {
        // A tab leaves the field.
        let text = &text.replace('\t', " ");
        desk.controller.must("key", json!({"text": "ctrl+a Delete"}));
        page.wait_for("an empty field", |report| (report.state["text"] == "").then_some(()));
        desk.type_text("chromium", text);
        let length = text.chars().count();
        let received = page.wait_for("the whole text", |report| {
            let text = report.state["text"].as_str()?;
            (text.chars().count() >= length).then(|| text.to_owned())
        });
        assert!(received == *text, "{}", difference(text, &received));
    }
}

fn into_an_editor(mut desk: Desk, texts: &[String]) {
    let mousepad = Mousepad::open(&desk.display, "");
    desk.windows.wait_for_focus(mousepad.window);
    for text in texts {
        desk.controller.must("key", json!({"text": "ctrl+a Delete"}));
        desk.type_text("mousepad", text);
        desk.controller.must("key", json!({"text": "ctrl+s"}));
        let is_as_long = |content: &[u8]| String::from_utf8_lossy(content).chars().count() == text.chars().count();
        let received = mousepad.wait_for_saved(is_as_long);
        assert!(received == *text, "{}", difference(text, &received));
    }
}

fn into_a_terminal(mut desk: Desk, texts: &[String]) {
    let xterm = Xterm::open(&desk.display);
    desk.windows.wait_for_focus(xterm.window);
    let mut all = String::new();
    for text in texts {
        desk.type_text("xterm", text);
        all.push_str(text);
        let received = xterm.wait_for_text(&all);
        assert!(received == all, "{}", difference(&all, &received));
    }
}

fn some() -> [String; 3] {
    [marks_and_directions(), emoji(EMOJI_STEP), ideographs(IDEOGRAPHS)]
}

fn all() -> [String; 3] {
    [marks_and_directions(), emoji(1), ideographs(MANY_IDEOGRAPHS)]
}

/// The same in parts: with every character a browser lays its whole field out anew, and takes minutes for ten thousand.
fn all_in_parts() -> Vec<String> {
    const LINES: usize = 300;
    let parts = |text: &String| -> Vec<String> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        // A line is an emoji, or sixty ideographs.
        let in_a_part = if text.chars().count() > 10 * lines.len() { LINES / 10 } else { LINES };
        lines.chunks(in_a_part).map(<[&str]>::concat).collect()
    };
    all().iter().flat_map(parts).collect()
}

#[test]
fn a_browser_on_a_display_of_our_own_chromium() {
    into_a_browser(Desk::of_our_own(), &some());
}

#[test]
fn a_browser_on_somebody_elses_display_chromium() {
    into_a_browser(Desk::of_somebody_else(), &some());
}

#[test]
fn an_editor_on_a_display_of_our_own() {
    into_an_editor(Desk::of_our_own(), &some());
}

#[test]
fn an_editor_on_somebody_elses_display() {
    into_an_editor(Desk::of_somebody_else(), &some());
}

#[test]
fn a_terminal_on_a_display_of_our_own() {
    into_a_terminal(Desk::of_our_own(), &some());
}

#[test]
fn a_terminal_on_somebody_elses_display() {
    into_a_terminal(Desk::of_somebody_else(), &some());
}

#[test]
#[ignore = "soak: every emoji and ten thousand ideographs"]
fn a_browser_receives_all_of_it_chromium() {
    into_a_browser(Desk::of_our_own(), &all_in_parts());
    into_a_browser(Desk::of_somebody_else(), &all_in_parts());
}

#[test]
#[ignore = "soak: every emoji and ten thousand ideographs"]
fn an_editor_receives_all_of_it() {
    into_an_editor(Desk::of_our_own(), &all());
    into_an_editor(Desk::of_somebody_else(), &all());
}

#[test]
#[ignore = "soak: every emoji and ten thousand ideographs"]
fn a_terminal_receives_all_of_it() {
    into_a_terminal(Desk::of_our_own(), &all());
    into_a_terminal(Desk::of_somebody_else(), &all());
}
