//! Keys: each by its own keysym in each toolkit, the keypad as it is engraved, chords that the window manager takes, and exactly
//! as many and as long as was asked for.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::{
    probe::{Place, Probe, Toolkit},
    subject::with_each,
    support::{Browser, Display, PageEvent, Process, files::wait_for_content},
};

/// The keysyms that went down, and those that went up.
fn keysyms(events: &[Value], down: bool) -> Vec<u64> {
    let keys = events.iter().filter(|event| event["kind"] == "key" && event["down"] == down);
    keys.map(|event| event["keysym"].as_u64().unwrap()).collect()
}

/// Checks that each name gives one press and one release of its keysym.
fn arrive_as(probe: &mut Probe, what: &str, keys: impl IntoIterator<Item = (String, u64)>) {
    for (name, keysym) in keys {
        let events = probe.after("key", json!({ "text": name }));
        let both = [true, false].map(|down| keysyms(&events, down));
        assert_eq!(both, [vec![keysym], vec![keysym]], "{what}, {name}");
    }
}

fn function_keys() -> impl Iterator<Item = (String, u64)> {
    // F8 is the probes' own.
    (1..=24_u64).filter(|number| *number != 8).map(|number| (format!("F{number}"), 0xffbd + number))
}

fn other_keys() -> impl Iterator<Item = (String, u64)> {
    [
        ("Print", 0xff61),
        ("Menu", 0xff67),
        ("Pause", 0xff13),
        ("Insert", 0xff63),
        ("XF86AudioPlay", 0x1008_ff14),
        ("XF86AudioNext", 0x1008_ff17),
        ("XF86AudioPrev", 0x1008_ff16),
        ("XF86AudioStop", 0x1008_ff15),
        ("XF86AudioMute", 0x1008_ff12),
        ("XF86AudioLowerVolume", 0x1008_ff11),
        ("XF86AudioRaiseVolume", 0x1008_ff13),
        ("XF86MonBrightnessUp", 0x1008_ff02),
        ("super", 0xffeb),
        ("shift", 0xffe1),
        ("Shift_R", 0xffe2),
        ("ctrl", 0xffe3),
        ("Control_R", 0xffe4),
        ("alt", 0xffe9),
    ]
    .into_iter()
    .map(|(name, keysym)| (name.to_owned(), keysym))
}

#[test]
fn function_keys_media_keys_and_single_modifiers_arrive_as_themselves() {
    with_each(|toolkit, probe| {
        arrive_as(probe, &format!("{toolkit:?}"), function_keys().chain(other_keys()));
        // Pressed alone, Alt or Menu may have opened something.
        assert!(probe.windows.pressed_keys().is_empty());
    });
}

#[test]
fn function_keys_arrive_on_a_display_of_somebody_else() {
    let mut probe = Probe::open(Toolkit::Gtk, Place::Attached);
    arrive_as(&mut probe, "attached", function_keys().chain(other_keys()));
}

fn keypad() -> impl Iterator<Item = (String, u64)> {
    let digits = (0..=9_u64).map(|digit| (format!("KP_{digit}"), 0xffb0 + digit));
    let others = [
        ("KP_Decimal", 0xffae),
        ("KP_Add", 0xffab),
        ("KP_Subtract", 0xffad),
        ("KP_Multiply", 0xffaa),
        ("KP_Divide", 0xffaf),
        ("KP_Enter", 0xff8d),
    ];
    digits.chain(others.map(|(name, keysym)| (name.to_owned(), keysym)))
}

/// The keys of the keypad's keysyms among those that went down: Num Lock or Shift may be pressed around them.
fn keypad_presses(events: &[Value]) -> Vec<u64> {
    keysyms(events, true).into_iter().filter(|keysym| (0xff80..=0xffbd).contains(keysym)).collect()
}

#[test]
fn the_keypad_gives_what_is_engraved_whether_num_lock_is_on_or_off() {
    for place in [Place::Owned, Place::Attached] {
        for toolkit in Toolkit::ALL {
            let mut probe = Probe::open(toolkit, place);
            for num_lock in ["off", "on"] {
                if num_lock == "on" {
                    probe.after("key", json!({"text": "Num_Lock"}));
                }
                for (name, keysym) in keypad() {
                    let events = probe.after("key", json!({ "text": name }));
                    assert_eq!(
                        keypad_presses(&events),
                        [keysym],
                        "{toolkit:?}, {place:?}, Num Lock {num_lock}, {name}"
                    );
                }
            }
            probe.must("key", json!({"text": "Num_Lock"}));
        }
    }
}

#[test]
fn chromium_sees_the_digits_of_the_keypad_while_num_lock_is_off() {
    let mut browser = Browser::open("keys.html");
    for digit in 0..=9 {
        let report = browser.after("key", json!({"text": format!("KP_{digit}")}));
        let keys: Vec<_> = report
            .events
            .iter()
            .filter(|event| event.kind() == "keydown" && event.0["location"] == 3)
            .map(|event| (event.0["key"].clone(), event.0["code"].clone()))
            .collect();
        assert_eq!(keys, [(json!(digit.to_string()), json!(format!("Numpad{digit}")))], "{:#?}", report.events);
    }
}

#[test]
fn dead_keys_and_the_letter_after_them_compose() {
    for toolkit in [Toolkit::Gtk, Toolkit::Qt] {
        let mut probe = Probe::open(toolkit, Place::Owned);
        probe.clear();
        probe.must("key", json!({"text": "dead_acute e dead_grave a dead_diaeresis u"}));
        probe.settle();
        assert_eq!(probe.state["text"], "éàü", "{toolkit:?}");
    }
}

#[test]
fn chords_hold_exactly_the_modifiers_that_they_name() {
    with_each(|toolkit, probe| {
        for (chord, keysyms, held) in [
            ("ctrl+-", &[0x2d][..], &["Control"][..]),
            ("ctrl+minus", &[0x2d], &["Control"]),
            ("ctrl++", &[0x2b], &["Shift", "Control"]),
            ("ctrl+plus", &[0x2b], &["Shift", "Control"]),
            ("ctrl+c", &[0x63], &["Control"]),
            ("ctrl+A", &[0x61], &["Control"]),
            ("alt+F7", &[0xffc4], &["Alt"]),
            ("ctrl+shift+Left", &[0xff51], &["Shift", "Control"]),
            ("super+k", &[0x6b], &["Super"]),
        ] {
            let events = probe.after("key", json!({ "text": chord }));
            let last = events.iter().rfind(|event| event["kind"] == "key" && event["down"] == true).unwrap();
            assert!(keysyms.contains(&last["keysym"].as_u64().unwrap()), "{toolkit:?}, {chord}: {last}");
            assert_eq!(last["held"], json!(held), "{toolkit:?}, {chord}");
            probe.must("key", json!({"text": "Escape"}));
        }
    });
}

/// openbox with the one key binding that desktops have.
fn openbox_with_alt_f4(display: &Display) -> Process {
    let directory = tempfile::tempdir().unwrap();
    let (configuration, ready) = (directory.path().join("rc.xml"), directory.path().join("ready"));
    let ours = include_str!("../../xvfb/openbox.xml");
    let bound = "<keybind key=\"A-F4\"><action name=\"Close\"/></keybind></keyboard>";
    assert!(ours.contains("</keyboard>"));
    fs::write(&configuration, ours.replace("</keyboard>", bound)).unwrap();
    let mut command = Command::new("openbox");
    display.give_to(&mut command).env("XCOMPOSEFILE", "/dev/null").arg("--sm-disable");
    command.arg("--config-file").arg(&configuration).arg("--startup").arg(format!("touch {}", ready.display()));
    let process = Process::start(&mut command);
    wait_for_content(&ready, |_| ready.exists());
    process
}

#[test]
fn alt_f4_closes_the_window_where_the_window_manager_has_it() {
    for toolkit in Toolkit::ALL {
        let mut probe = Probe::open_under(toolkit, Place::Owned, openbox_with_alt_f4);
        probe.must("key", json!({"text": "alt+F4"}));
        probe
            .wait_for("that it is closed", |events| events.iter().any(|event| event["kind"] == "closed").then_some(()));
    }
}

#[test]
fn a_hundred_repetitions_are_a_hundred_presses() {
    with_each(|toolkit, probe| {
        let events = probe.after("key", json!({"text": "Right", "repeat": 100}));
        for down in [true, false] {
            assert_eq!(keysyms(&events, down), [0xff53; 100], "{toolkit:?}");
        }
    });
    let mut browser = Browser::open("keys.html");
    let report = browser.after("key", json!({"text": "Right", "repeat": 100}));
    let downs: Vec<&PageEvent> = report.events.iter().filter(|event| event.kind() == "keydown").collect();
    assert_eq!(downs.len(), 100);
    assert!(downs.iter().all(|event| event.0["repeat"] == false && event.0["key"] == "ArrowRight"));
}

#[test]
fn a_held_key_is_down_for_as_long_as_was_said() {
    with_each(|toolkit, probe| {
        for milliseconds in [50_u32, 300, 1200] {
            let seconds = f64::from(milliseconds) / 1000.0;
            let events = probe.after("hold_key", json!({"text": "Right", "duration": seconds}));
            let time = |event: &Value| event["time"].as_u64().unwrap();
            let keys: Vec<&Value> = events.iter().filter(|event| event["keysym"] == 0xff53).collect();
            let (first, last) = (keys[0], keys[keys.len() - 1]);
            assert!(first["down"] == true && last["down"] == false, "{toolkit:?}: {keys:?}");
            let held = u32::try_from(time(last) - time(first)).unwrap();
            eprintln!("{toolkit:?}: held for {held} of {milliseconds} ms, {} presses", keysyms(&events, true).len());
            // X times are whole milliseconds; a busy machine may take longer to release.
            assert!(held + 1 >= milliseconds && held < milliseconds + 150, "{toolkit:?}: {held} of {milliseconds} ms");
        }
    });
}
