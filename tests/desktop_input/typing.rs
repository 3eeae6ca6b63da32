//! Texts as an application understands them.

use deskhand::{
    desktop::{Desktop, failure::InputCause},
    plan::gesture::Gesture,
    protocol::error::{ErrorKind, Executed},
};
use x11rb::protocol::{
    xkb::{self, ConnectionExt as _},
    xproto::{ConnectionExt as _, InputFocus, ModMask},
};

use super::{
    Scene, focused_recorder, focused_recorder_with, perform, pressed, received,
    support::{RecorderOptions, Xvfb},
};

fn type_text(text: &str) -> Gesture {
    Gesture::Type(text.into())
}

/// So many different characters that no key of the layout has: CJK ideographs.
fn ideographs(first: u32, count: u32) -> String {
    (first..first + count).map(|code| char::from_u32(0x4e00 + code).unwrap()).collect()
}

#[test]
fn every_ascii_character_arrives_in_order() {
    let scene = Scene::new();
    let ascii: String = (' '..='~').collect();
    let text = format!("{ascii}\n\t{}", ascii.chars().rev().collect::<String>()).repeat(5);
    scene.perform(type_text(&text)).unwrap();
    assert_eq!(received(&scene.recorder), text);
    assert_eq!(pressed(&scene.xvfb), (vec![], 0));
}

#[test]
fn more_characters_than_there_are_keys_arrive_page_after_page() {
    let scene = Scene::new();
    let text = format!("start {} middle {} end", ideographs(0, 400), ideographs(200, 300));
    scene.perform(type_text(&text)).unwrap();
    assert_eq!(received(&scene.recorder), text);
    // The next call may use the same keycodes for other characters at once.
    scene.perform(type_text(&ideographs(900, 200))).unwrap();
    assert_eq!(received(&scene.recorder), text + &ideographs(900, 200));
}

#[test]
fn an_application_that_cannot_acknowledge_gets_no_keycode_twice_and_the_call_says_how_far_it_got() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder_with(&xvfb, &RecorderOptions { answers_ping: false, ..RecorderOptions::default() });
    let desktop = Desktop::open(&xvfb.target()).unwrap();
    let text = ideographs(0, 6000);
    let error = perform(desktop.input(), type_text(&text)).unwrap_err();
    assert_eq!((&error.cause, error.executed), (&InputCause::NoSpareKeys, Executed::Partial));
    let typed = usize::try_from(error.typed.unwrap()).unwrap();
    assert!(typed > 20, "one page at least: {typed}");
    let first: String = text.chars().take(typed).collect();
    assert_eq!(received(&recorder), first);
    // Nor does a later call take a keycode away whose key may still be unread; what the keys mean already is no trouble.
    let error = perform(desktop.input(), type_text("龍")).unwrap_err();
    assert_eq!((&error.cause, error.typed), (&InputCause::NoSpareKeys, Some(0)));
    perform(desktop.input(), type_text("plain")).unwrap();
    assert_eq!(received(&recorder), first + "plain");
}

#[test]
fn caps_lock_does_not_reach_the_text_and_is_on_again_afterwards() {
    let scene = Scene::new();
    let connection = scene.xvfb.display.connect();
    connection.xkb_use_extension(1, 0).unwrap().reply().unwrap();
    let lock = ModMask::LOCK;
    let none = ModMask::from(0_u16);
    connection
        .xkb_latch_lock_state(0x100, lock, lock, false, xkb::Group::from(0), none, false, 0)
        .unwrap()
        .check()
        .unwrap();
    scene.perform(type_text("Plain and ж")).unwrap();
    assert_eq!(received(&scene.recorder), "Plain and ж");
    assert_eq!(pressed(&scene.xvfb), (vec![], 2), "Lock is on, nothing is down");
}

#[test]
fn without_a_window_to_type_into_nothing_is_typed() {
    let scene = Scene::new();
    let connection = scene.xvfb.display.connect();
    connection.set_input_focus(InputFocus::NONE, x11rb::NONE, 0_u32).unwrap().check().unwrap();
    let error = scene.perform(type_text("lost")).unwrap_err();
    assert_eq!((error.cause.kind(), error.executed, error.typed), (ErrorKind::FocusLost, Executed::No, Some(0)));
    assert_eq!(received(&scene.recorder), "");
    // With the focus following the pointer, the window under it is as good as focused; the bare root is not.
    connection.set_input_focus(InputFocus::POINTER_ROOT, InputFocus::POINTER_ROOT, 0_u32).unwrap().check().unwrap();
    scene.perform(type_text("found")).unwrap();
    assert_eq!(received(&scene.recorder), "found");
    connection.unmap_window(scene.recorder.window).unwrap().check().unwrap();
    let error = scene.perform(type_text("lost")).unwrap_err();
    assert_eq!(error.cause, InputCause::FocusLost);
}

#[test]
fn an_application_that_hangs_ends_the_text_with_the_number_of_characters_that_it_will_read() {
    let scene = Scene::new();
    let text = ideographs(0, 6000);
    scene.perform(type_text("x")).unwrap();
    let pause = scene.recorder.hang();
    let error = scene.perform(type_text(&text)).unwrap_err();
    assert_eq!(error.cause, InputCause::Unacknowledged);
    drop(pause);
    let typed = usize::try_from(error.typed.unwrap()).unwrap();
    assert_eq!(received(&scene.recorder), format!("x{}", text.chars().take(typed).collect::<String>()));
}

#[test]
fn another_program_that_changes_the_layout_in_the_middle_stops_the_text() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder(&xvfb);
    let other = xvfb.display.connect();
    let mut steps = 0;
    let hook = Box::new(move |_: &_| {
        steps += 1;
        if steps == 1000 {
            // Key 38 is A; from here on it means B.
            other.change_keyboard_mapping(1, 38, 2, &[0x62, 0x42]).unwrap().check().unwrap();
        }
    });
    let desktop = Desktop::open_with(&xvfb.target(), Some(hook)).unwrap();
    let text = "a".repeat(1000);
    let error = perform(desktop.input(), type_text(&text)).unwrap_err();
    assert_eq!((&error.cause, error.executed), (&InputCause::KeymapChanged, Executed::Partial));
    let typed = usize::try_from(error.typed.unwrap()).unwrap();
    assert!((1..1000).contains(&typed), "{typed}");
    assert!(received(&recorder).starts_with(&"a".repeat(typed)));
    perform(desktop.input(), type_text("a")).unwrap();
    assert!(received(&recorder).ends_with('a'), "the new layout is known: another key or a page has the letter");
}
