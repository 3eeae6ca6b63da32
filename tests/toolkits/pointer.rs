//! Buttons and the wheel: the right number, the right count, with the modifiers that were asked for.

use serde_json::{Value, json};

use crate::{
    probe::{Place, Probe, Toolkit},
    subject::{Press, Subject, with_each},
    support::{Browser, page::Report},
};

const BUTTONS: [(&str, u64); 5] = [("left", 1), ("middle", 2), ("right", 3), ("back", 8), ("forward", 9)];

/// The four directions and the way that one notch goes: right and down count up.
const DIRECTIONS: [(&str, [f64; 2]); 4] =
    [("up", [0.0, -1.0]), ("down", [0.0, 1.0]), ("left", [-1.0, 0.0]), ("right", [1.0, 0.0])];

#[test]
fn each_button_arrives_by_its_own_number_with_the_modifiers_that_are_held() {
    with_each(|toolkit, probe| {
        let pad = probe.middle("pad");
        let modifiers = [(None, vec![]), (Some("ctrl"), vec!["Control"]), (Some("shift+alt"), vec!["Shift", "Alt"])];
        for (text, held) in modifiers {
            // Another button each time, so that no click is the second of two.
            for (name, button) in BUTTONS {
                probe.begin();
                probe.act("click", json!({"button": name, "coordinate": pad, "text": text}));
                let held = held.iter().map(|&name| name.to_owned()).collect();
                assert_eq!(
                    probe.presses(),
                    [Press { at: pad, button, count: 1, held }],
                    "{toolkit:?}, {name}, {text:?}"
                );
                let events = probe.events();
                let releases: Vec<_> = events.iter().filter(|event| event["kind"] == "release").collect();
                assert!(releases.len() == 1 && releases[0]["button"] == button, "{toolkit:?}, {name}: {releases:?}");
            }
        }
    });
}

/// The turns of the wheel that a probe saw: x, y and modifiers of each.
fn turns(events: &[Value]) -> Vec<([f64; 2], Value)> {
    let wheels = events.iter().filter(|event| event["kind"] == "wheel");
    wheels.map(|event| (["x", "y"].map(|axis| event[axis].as_f64().unwrap()), event["held"].clone())).collect()
}

fn sum(turns: &[([f64; 2], Value)]) -> [f64; 2] {
    turns.iter().fold([0.0, 0.0], |[x, y], ([right, down], _)| [x + right, y + down])
}

#[test]
fn the_wheel_turns_by_as_many_notches_as_were_asked_for() {
    with_each(|toolkit, probe| {
        let pad = probe.middle("pad");
        for (direction, way) in DIRECTIONS {
            for notches in 1..=10 {
                let scroll = json!({"scroll_direction": direction, "scroll_amount": notches, "coordinate": pad});
                let turns = turns(&probe.after("scroll", scroll));
                assert_eq!(sum(&turns), way.map(|one| one * f64::from(notches)), "{toolkit:?}, {notches} {direction}");
                assert_eq!(turns.len(), usize::try_from(notches).unwrap(), "{toolkit:?}, {notches} {direction}");
            }
        }
    });
}

#[test]
fn the_wheel_turns_while_modifiers_are_held() {
    with_each(|toolkit, probe| {
        let pad = probe.middle("pad");
        for (text, held) in [("ctrl", ["Control"]), ("shift", ["Shift"]), ("alt", ["Alt"])] {
            let scroll = json!({"scroll_direction": "down", "scroll_amount": 3, "coordinate": pad, "text": text});
            let turns = turns(&probe.after("scroll", scroll));
            // Tk cannot tell Shift and the sideways wheel apart, Qt turns the axis for Alt: their own conventions.
            let sideways = matches!((toolkit, text), (Toolkit::Tk, "shift") | (Toolkit::Qt, "alt"));
            let expected = if sideways { [3.0, 0.0] } else { [0.0, 3.0] };
            assert_eq!(sum(&turns), expected, "{toolkit:?}, {text}");
            assert!(turns.iter().all(|(_, keys)| *keys == json!(held)), "{toolkit:?}, {text}: {turns:?}");
        }
    });
}

#[test]
fn buttons_and_wheel_arrive_on_a_display_of_somebody_else_and_without_a_window_manager() {
    for (toolkit, place) in [(Toolkit::Gtk, Place::Attached), (Toolkit::Qt, Place::Bare), (Toolkit::Tk, Place::Bare)] {
        let mut probe = Probe::open(toolkit, place);
        let pad = probe.middle("pad");
        probe.begin();
        for (name, _) in BUTTONS {
            probe.act("click", json!({"button": name, "coordinate": pad}));
        }
        let numbers: Vec<_> = probe.presses().iter().map(|press| press.button).collect();
        assert_eq!(numbers, BUTTONS.map(|(_, number)| number), "{toolkit:?}, {place:?}");
        for (direction, way) in DIRECTIONS {
            let scroll = json!({"scroll_direction": direction, "scroll_amount": 4, "coordinate": pad});
            assert_eq!(sum(&turns(&probe.after("scroll", scroll))), way.map(|one| one * 4.0), "{toolkit:?}, {place:?}");
        }
    }
}

#[test]
fn chromium_scrolls_by_each_number_of_notches_and_sees_the_modifiers() {
    let mut browser = Browser::open("form.html");
    let rows = browser.middle("rows");
    let turned = |report: &Report| {
        report.events.iter().filter(|event| event.kind() == "wheel").fold([0.0, 0.0], |[x, y], event| {
            let [right, down] = [0, 1].map(|axis| event.0["delta"][axis].as_f64().unwrap());
            [x + right, y + down]
        })
    };
    let mut scroll = |direction: &str, notches: u32, text: Option<&str>, wanted: Option<[f64; 2]>| {
        browser.page.forget_events();
        let parameters =
            json!({"scroll_direction": direction, "scroll_amount": notches, "coordinate": rows, "text": text});
        browser.must("scroll", parameters);
        // The page gets the wheel a frame later than the keys.
        browser.page.wait_for(&format!("{notches} {direction} {text:?}"), |report| {
            let turned = turned(report);
            wanted.map_or(turned != [0.0, 0.0], |wanted| turned == wanted).then_some(())
        });
        browser.settle()
    };
    let [_, notch] = turned(&scroll("down", 1, None, None));
    assert!(notch > 0.0);
    for (direction, way) in DIRECTIONS {
        for notches in 1..=10 {
            let wanted = way.map(|one| one * notch * f64::from(notches));
            let report = scroll(direction, notches, None, Some(wanted));
            assert_eq!(turned(&report), wanted, "{notches} {direction}");
        }
    }
    // Chromium scrolls sideways for it, and leaves the event as it is.
    let report = scroll("down", 3, Some("shift"), Some([0.0, 3.0 * notch]));
    let mut wheels = report.events.iter().filter(|event| event.kind() == "wheel");
    assert!(wheels.all(|event| event.0["modifiers"] == json!(["Shift"])), "{:?}", report.events);
}
