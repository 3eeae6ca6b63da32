//! What typing does to the keymap of a display, and what others who change it do to typing.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use deskhand::{
    desktop::{Desktop, hands::CORE_KEYBOARD, xkb_map::read_map},
    plan::{gesture::Gesture, keymap::KeymapDescription, tables::wide_characters::WIDE_CHARACTERS},
};
use serde_json::json;
use x11rb::protocol::{
    xkb::ConnectionExt as _,
    xproto::{KEY_PRESS_EVENT, KEY_RELEASE_EVENT},
    xtest::ConnectionExt as _,
};

use super::{
    Scene, focused_recorder, perform, pressed, received,
    support::{Controller, Deskhand, Xvfb},
};

/// Characters on no US key and in no table of frequent ones.
const RARE: &str = "㐀㐁㐂 x 㐃㐄𐌀𐌁";
/// Longer than a page stays after a text.
const PATIENCE: Duration = Duration::from_secs(10);

fn type_text(text: &str) -> Gesture {
    Gesture::Type(text.into())
}

fn keymap(xvfb: &Xvfb) -> KeymapDescription {
    let link = xvfb.link();
    link.connection.xkb_use_extension(1, 0).unwrap().reply().unwrap();
    read_map(&link, CORE_KEYBOARD).unwrap()
}

/// Whether every key and every modifier is as before. Key types that no key uses stay behind.
fn is_same(now: &KeymapDescription, before: &KeymapDescription) -> bool {
    now.keys == before.keys && now.modifiers == before.modifiers
}

/// Waits until the keymap is this one again.
#[track_caller]
fn is_put_back(xvfb: &Xvfb, before: &KeymapDescription) {
    let start = Instant::now();
    while !is_same(&keymap(xvfb), before) {
        assert!(start.elapsed() < PATIENCE, "{}", difference(&keymap(xvfb), before));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is different, short enough to read.
fn difference(now: &KeymapDescription, before: &KeymapDescription) -> String {
    let keys = now.keys.iter().zip(&before.keys).filter(|(now, before)| now != before);
    let keys: Vec<_> = keys.take(3).collect();
    format!("keys {keys:?}; modifiers {:?} instead of {:?}", now.modifiers, before.modifiers)
}

/// Loads a layout as a user would.
fn set_layout(xvfb: &Xvfb, layout: &str) {
    let mut command = Command::new("setxkbmap");
    let name = layout.split(['(', ')']).collect::<Vec<_>>();
    let variant = name.get(1).map_or(vec![], |variant| vec!["-variant", variant]);
    let status = xvfb.display.give_to(&mut command).args(["-layout", name[0]]).args(variant).status();
    assert!(status.unwrap().success());
}

#[test]
fn the_keymap_of_somebody_elses_display_is_put_back_after_a_text() {
    let scene = Scene::new();
    let before = keymap(&scene.xvfb);
    scene.perform(type_text(RARE)).unwrap();
    assert!(!is_same(&keymap(&scene.xvfb), &before), "the text needs a page");
    assert_eq!(received(&scene.recorder), RARE);
    is_put_back(&scene.xvfb, &before);
    scene.perform(type_text(RARE)).unwrap();
    assert_eq!(received(&scene.recorder), RARE.repeat(2));
}

#[test]
fn the_keymap_is_put_back_when_we_end_right_after_a_text() {
    let Scene { desktop, recorder, xvfb } = Scene::new();
    let before = keymap(&xvfb);
    perform(desktop.input(), type_text(RARE)).unwrap();
    drop(desktop);
    is_put_back(&xvfb, &before);
    assert_eq!(received(&recorder), RARE);
}

#[test]
fn the_keymap_that_a_killed_predecessor_left_is_put_back_at_the_next_start() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder(&xvfb);
    let before = keymap(&xvfb);
    let server = Deskhand::attached(&xvfb.display);
    Controller::connect(&server).must("type", json!({"text": RARE}));
    server.kill_everything();
    assert!(!is_same(&keymap(&xvfb), &before), "killed before it could put the keymap back");
    let desktop = Desktop::open(&xvfb.target()).unwrap();
    assert!(is_same(&keymap(&xvfb), &before), "{}", difference(&keymap(&xvfb), &before));
    perform(desktop.input(), type_text("after")).unwrap();
    assert_eq!(received(&recorder), format!("{RARE}after"));
}

#[test]
fn every_layout_types_every_text() {
    for layout in ["de", "fr", "ru", "jp", "us(dvorak)", "us,ru"] {
        let xvfb = Xvfb::start("640x480");
        set_layout(&xvfb, layout);
        let recorder = focused_recorder(&xvfb);
        let before = keymap(&xvfb);
        let desktop = Desktop::open(&xvfb.target()).unwrap();
        let ascii: String = (' '..='~').collect();
        let text = format!("{ascii} äßéèçñ€ я ё漢かな {RARE} 😀👍🏽");
        perform(desktop.input(), type_text(&text)).unwrap();
        assert_eq!(received(&recorder), text, "{layout}");
        is_put_back(&xvfb, &before);
    }
}

#[test]
fn a_display_of_our_own_has_thousands_of_characters_without_a_change_of_its_keymap() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder(&xvfb);
    let desktop = Desktop::open(&xvfb.owned_target()).unwrap();
    let before = keymap(&xvfb);
    let text: String = WIDE_CHARACTERS.chars().take(4800).collect();
    perform(desktop.input(), type_text(&text)).unwrap();
    assert_eq!(received(&recorder), text);
    assert_eq!(keymap(&xvfb), before);
    perform(desktop.input(), type_text(RARE)).unwrap();
    assert_eq!(received(&recorder), text + RARE, "what the table lacks comes by a page");
}

#[test]
fn another_layout_on_a_display_of_our_own_is_the_one_that_shortcuts_see_and_texts_stay_right() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder(&xvfb);
    let desktop = Desktop::open(&xvfb.owned_target()).unwrap();
    let mut expected = String::new();
    for layout in ["de", "us", "fr", "us,ru", "us"] {
        set_layout(&xvfb, layout);
        let text = format!("{layout}: yz qwa Straße Привет 漢字 {RARE};");
        perform(desktop.input(), type_text(&text)).unwrap();
        expected += &text;
        assert_eq!(received(&recorder), expected);
    }
}

#[test]
fn two_executors_on_one_display_take_turns() {
    let xvfb = Xvfb::start("640x480");
    let recorder = focused_recorder(&xvfb);
    let [one, other] = [0, 1].map(|_| Desktop::open(&xvfb.target()).unwrap());
    let texts = ["㐀a㐁".repeat(300), "㐂B㐃".repeat(300)];
    let permit = deskhand::desktop::permit::Permit::default;
    let answers = [&one, &other]
        .into_iter()
        .zip(&texts)
        .map(|(desktop, text)| desktop.input().perform(type_text(text), permit()))
        .collect::<Vec<_>>();
    for answer in answers {
        answer.blocking_recv().unwrap().unwrap();
    }
    let received = received(&recorder);
    let [first, second] = &texts;
    assert!(received == format!("{first}{second}") || received == format!("{second}{first}"), "mixed: {received}");
}

#[test]
fn what_is_held_when_a_text_begins_does_not_reach_it_and_is_held_again() {
    let scene = Scene::new();
    let (shift, control) = (50, 37);
    let other = scene.xvfb.display.connect();
    other.xtest_fake_input(KEY_PRESS_EVENT, shift, 0, 0, 0, 0, 0).unwrap();
    other.xtest_fake_input(KEY_PRESS_EVENT, control, 0, 0, 0, 0, 0).unwrap().check().unwrap();
    assert_eq!(pressed(&scene.xvfb).0, [control, shift]);
    scene.perform(type_text("plain ж")).unwrap();
    assert_eq!(received(&scene.recorder), "plain ж");
    assert_eq!(pressed(&scene.xvfb).0, [control, shift]);
    for key in [shift, control] {
        other.xtest_fake_input(KEY_RELEASE_EVENT, key, 0, 0, 0, 0, 0).unwrap().check().unwrap();
    }
    assert_eq!(pressed(&scene.xvfb).0, [0_u8; 0]);
}
