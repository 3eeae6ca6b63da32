//! The support itself, on a plain Xvfb: what it reports is what the X server did.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail")]

mod support;

use support::{
    Chromium, Display, Mousepad, Page, Recorded, Recorder, Windows, Xterm, Xvfb,
    recorder::{buttons, typed},
};
use x11rb::{
    connection::Connection as _,
    protocol::{
        xproto::{
            BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
            MOTION_NOTIFY_EVENT,
        },
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

/// Plain XTEST, so that the support is tested without the program that it is for.
struct Hands(RustConnection);

impl Hands {
    fn on(display: &Display) -> Self {
        Self(display.connect())
    }

    fn fake(&self, kind: u8, detail: u8, x: i16, y: i16) {
        let root = self.0.setup().roots[0].root;
        self.0.xtest_fake_input(kind, detail, 0, root, x, y, 0).unwrap().check().unwrap();
    }

    fn click(&self, x: i16, y: i16) {
        self.fake(MOTION_NOTIFY_EVENT, 0, x, y);
        self.fake(BUTTON_PRESS_EVENT, 1, 0, 0);
        self.fake(BUTTON_RELEASE_EVENT, 1, 0, 0);
    }

    /// Types small letters of the plain US layout, with Return for a line break.
    fn type_letters(&self, text: &str) {
        let first = self.0.setup().min_keycode;
        let map = self.0.get_keyboard_mapping(first, self.0.setup().max_keycode - first + 1).unwrap().reply().unwrap();
        for character in text.chars() {
            let keysym = if character == '\n' { 0xff0d } else { u32::from(character) };
            let key =
                map.keysyms.chunks(usize::from(map.keysyms_per_keycode)).position(|row| row[0] == keysym).unwrap();
            self.press(&[first + u8::try_from(key).unwrap()]);
        }
    }

    fn press(&self, keycodes: &[u8]) {
        for keycode in keycodes {
            self.fake(KEY_PRESS_EVENT, *keycode, 0, 0);
        }
        for keycode in keycodes.iter().rev() {
            self.fake(KEY_RELEASE_EVENT, *keycode, 0, 0);
        }
    }
}

/// Control and S on the evdev keycodes that Xvfb starts with.
const CONTROL_S: [u8; 2] = [37, 39];

#[test]
fn the_recorder_sees_keys_buttons_and_motion_in_order() {
    let xvfb = Xvfb::start("800x600");
    let recorder = Recorder::open(&xvfb.display);
    let windows = Windows::new(&xvfb.display);
    let hands = Hands::on(&xvfb.display);
    windows.focus(recorder.window);
    hands.click(100, 120);
    hands.type_letters("hello");
    assert_eq!(recorder.wait_for_text("hello"), "hello");
    let events = recorder.wait_for("the last release", |events| {
        matches!(events.last(), Some(Recorded::Key { down: false, .. })).then(|| events.to_vec())
    });
    assert_eq!(typed(&events), "hello");
    assert_eq!(buttons(&events), [(true, 1, 100, 120), (false, 1, 100, 120)]);
    assert!(events.iter().any(|event| matches!(event, Recorded::Enter { .. })));
    assert_eq!(windows.pressed_keys(), Vec::<u8>::new());
    assert_eq!(windows.pointer(), ((100, 120), vec![]));
}

#[test]
fn a_key_that_stays_down_is_told() {
    let xvfb = Xvfb::start("800x600");
    let hands = Hands::on(&xvfb.display);
    hands.fake(KEY_PRESS_EVENT, CONTROL_S[0], 0, 0);
    hands.fake(BUTTON_PRESS_EVENT, 3, 0, 0);
    let windows = Windows::new(&xvfb.display);
    assert_eq!(windows.pressed_keys(), [CONTROL_S[0]]);
    assert_eq!(windows.pointer().1, [3]);
}

#[test]
fn xterm_tells_what_it_received() {
    let xvfb = Xvfb::start_managed("800x600");
    let xterm = Xterm::open(&xvfb.display);
    Windows::new(&xvfb.display).wait_for_focus(xterm.window);
    Hands::on(&xvfb.display).type_letters("one\ntwo\n");
    assert_eq!(xterm.wait_for_text("one\ntwo\n"), "one\ntwo\n");
}

#[test]
fn mousepad_tells_what_it_saved() {
    let xvfb = Xvfb::start_managed("800x600");
    let mousepad = Mousepad::open(&xvfb.display, "");
    Windows::new(&xvfb.display).wait_for_focus(mousepad.window);
    let hands = Hands::on(&xvfb.display);
    hands.type_letters("saved\n");
    hands.press(&CONTROL_S);
    assert_eq!(mousepad.wait_for_saved(|content| !content.is_empty()), "saved\n");
}

#[test]
fn chromium_reports_every_event_and_where_its_elements_are() {
    let xvfb = Xvfb::start_managed("1024x768");
    let page = Page::serve();
    let chromium = Chromium::open(&xvfb.display, &page, "form.html");
    Windows::new(&xvfb.display).wait_for_focus(chromium.window);
    page.wait_until_ready();
    let [x, y] = page.report().middle("name").map(|place| i16::try_from(place).unwrap());
    let hands = Hands::on(&xvfb.display);
    hands.click(x, y);
    page.wait_for("the click", |report| (report.state["focus"] == "name").then_some(()));
    hands.type_letters("ada");
    page.wait_for("the text", |report| (report.state["form"]["name"] == "ada").then_some(()));
    let report = page.report();
    assert_eq!(
        report.of("click", "name").map(|click| (click.0["x"].clone(), click.0["y"].clone())).collect::<Vec<_>>(),
        [(x.into(), y.into())]
    );
    let keys: Vec<_> = report.of("keydown", "name").map(|key| key.0["key"].clone()).collect();
    assert_eq!(keys, ["a", "d", "a"]);
    assert_eq!(report.state["corner"]["exact"], true);
}
