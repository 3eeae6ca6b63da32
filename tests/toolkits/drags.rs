//! Drags: drag and drop between widgets, selections in texts, and windows by their title bars.

use serde_json::{Value, json};

use crate::{
    probe::{Place, Probe, Toolkit},
    subject::{at, with_each},
    support::Browser,
};

/// How often each drag and drop is done.
const DROPS: usize = 10;

/// Drags from the source to the target, and returns what was dropped and by which action.
fn drop_once(probe: &mut Probe, toolkit: Toolkit, held: Option<&str>) -> (String, String) {
    let (from, to) = (probe.middle("source"), probe.middle("target"));
    // A click in the same place just before must not turn the drag's press into a second click.
    probe.must("left_click", at(from));
    probe.forget();
    probe.must("left_click_drag", json!({"start_coordinate": from, "coordinate": to, "text": held}));
    let is = |event: &Value, what: &str| event["kind"] == "drag" && event["what"] == what;
    probe.wait_for("the end of the drag", |events| events.iter().any(|event| is(event, "end")).then_some(()));
    let events = probe.settle();
    assert_eq!(events.iter().filter(|event| is(event, "begin")).count(), 1, "{toolkit:?}: {events:#?}");
    let drops: Vec<_> = events.iter().filter(|event| is(event, "drop")).collect();
    assert_eq!(drops.len(), 1, "{toolkit:?}, {held:?}: {events:#?}");
    let text = |name: &str| drops[0][name].as_str().unwrap().to_owned();
    (text("data"), text("action"))
}

fn drops_every_time(toolkit: Toolkit) {
    let mut probe = Probe::open(toolkit, Place::Owned);
    for round in 0..DROPS {
        // Without a key GTK copies what may be copied, and Qt moves it.
        let (held, action) = match (toolkit, round % 2) {
            (Toolkit::Gtk, 0) => (None, "copy"),
            (Toolkit::Gtk, _) => (Some("shift"), "move"),
            (_, 0) => (None, "move"),
            (..) => (Some("ctrl"), "copy"),
        };
        assert_eq!(drop_once(&mut probe, toolkit, held), ("parcel".into(), action.into()), "round {round}");
        assert!(probe.windows.pressed_keys().is_empty() && probe.windows.pointer().1.is_empty());
    }
}

#[test]
fn gtk_takes_a_drag_and_drop_and_sees_the_key_that_makes_it_a_move() {
    drops_every_time(Toolkit::Gtk);
}

#[test]
fn qt_takes_a_drag_and_drop_and_sees_the_key_that_makes_it_a_copy() {
    drops_every_time(Toolkit::Qt);
}

#[test]
fn drag_and_drop_needs_no_window_manager() {
    for toolkit in [Toolkit::Gtk, Toolkit::Qt] {
        let mut probe = Probe::open(toolkit, Place::Bare);
        assert_eq!(drop_once(&mut probe, toolkit, Some("ctrl")), ("parcel".into(), "copy".into()), "{toolkit:?}");
    }
}

#[test]
fn chromium_takes_a_drag_and_drop_straight_after_a_click_on_what_is_dragged() {
    let mut browser = Browser::open("form.html");
    for count in 1..=DROPS {
        let (from, to) = (browser.middle("chip"), browser.middle("basket"));
        browser.must("left_click", at(from));
        browser.page.forget_events();
        let held = (count % 2 == 0).then_some("shift");
        browser.must("left_click_drag", json!({"start_coordinate": from, "coordinate": to, "text": held}));
        browser.page.wait_for("the drop", |report| (report.state["dropped"] == count).then_some(()));
        browser.page.wait_for("the end of the drag", |report| report.of("dragend", "chip").next().map(|_| ()));
        let report = browser.settle();
        assert_eq!(report.of("drop", "basket").count(), 1);
    }
}

#[test]
fn a_drag_selects_text_and_with_shift_it_extends_the_selection() {
    with_each(|toolkit, probe| {
        for (from, to, selected) in [(0, 5, "alpha"), (6, 10, "beta"), (10, 6, "beta"), (16, 11, "gamma")] {
            probe
                .must("left_click_drag", json!({"start_coordinate": probe.caret(from), "coordinate": probe.caret(to)}));
            probe.settle();
            assert_eq!(probe.state["selection"], selected, "{toolkit:?}");
            probe.must("key", json!({"text": "Right"}));
        }
        probe.must("left_click", at(probe.caret(6)));
        probe.must(
            "left_click_drag",
            json!({"start_coordinate": probe.caret(8), "coordinate": probe.caret(10), "text": "shift"}),
        );
        probe.settle();
        assert_eq!(probe.state["selection"], "beta", "{toolkit:?}");
    });
}

#[test]
fn chromium_selects_text_by_a_drag() {
    let mut browser = Browser::open("form.html");
    let [x, y, width, height] = browser.page.report().rectangle("notes");
    browser.must("left_click", at([x + width / 2, y + height / 2]));
    browser.must("type", json!({"text": "first line\nsecond"}));
    // From before the first character to after the last of the line.
    let row = y + 14;
    browser.must("left_click_drag", json!({"start_coordinate": [x + 4, row], "coordinate": [x + width - 20, row]}));
    browser.must("type", json!({"text": "1"}));
    assert_eq!(browser.settle().state["form"]["notes"], "1\nsecond");
}

#[test]
fn a_window_goes_where_its_title_bar_is_dragged() {
    let mut probe = Probe::open(Toolkit::Gtk, Place::Owned);
    for (right, down) in [(150, 100), (60, 180), (-100, -90), (37, 11), (-90, -120)] {
        let [x, y, width, height] = probe.windows.rectangle(probe.window);
        let title = [x + width / 2, y - 8];
        probe.must(
            "left_click_drag",
            json!({"start_coordinate": title, "coordinate": [title[0] + right, title[1] + down]}),
        );
        probe.windows.wait_for_rectangle(probe.window, [x + right, y + down, width, height]);
    }
}
