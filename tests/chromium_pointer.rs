//! What a web page receives of the pointer's actions: buttons, counts, chords, drags and the wheel.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Browser, PageEvent, Picture, page::Report};

/// The fields of every event of one type on one element.
fn fields(report: &Report, kind: &str, target: &str, names: &[&str]) -> Vec<Value> {
    report.of(kind, target).map(|event| names.iter().map(|name| event.0[*name].clone()).collect()).collect()
}

/// The sum of what the wheel has turned: x, y.
fn turned(report: &Report) -> [i64; 2] {
    report.events.iter().filter(|event| event.kind() == "wheel").fold([0, 0], |sum, event| {
        [sum[0] + event.0["delta"][0].as_i64().unwrap(), sum[1] + event.0["delta"][1].as_i64().unwrap()]
    })
}

#[test]
fn chromium_receives_every_button_where_it_was_clicked() {
    let mut browser = Browser::open("form.html");
    let at = browser.middle("pad");
    let expected = [
        ("left_click", json!({}), 0, "click"),
        ("middle_click", json!({}), 1, "auxclick"),
        ("right_click", json!({}), 2, "contextmenu"),
        ("click", json!({"button": "back"}), 3, "auxclick"),
        ("click", json!({"button": "forward"}), 4, "auxclick"),
        ("click", json!({"button": "middle"}), 1, "auxclick"),
        ("click", json!({}), 0, "click"),
    ];
    for (method, mut params, button, event) in expected {
        params["coordinate"] = json!(at);
        let report = browser.after(method, params);
        let names = ["button", "detail", "x", "y", "modifiers"];
        let wanted = [json!([button, 1, at[0], at[1], []])];
        assert_eq!(fields(&report, "mousedown", "pad", &names), wanted, "{method}");
        assert_eq!(fields(&report, "mouseup", "pad", &names), wanted, "{method}");
        assert_eq!(report.of(event, "pad").count(), 1, "{method}: {event}");
    }
    assert_eq!(browser.page.report().state["title"], "Deskhand test page", "back and forward are clicks here");
}

#[test]
fn chromium_counts_double_and_triple_clicks() {
    let mut browser = Browser::open("form.html");
    let at = browser.middle("pad");
    let clicks = |report: &Report| fields(report, "click", "pad", &["detail"]);
    for _ in 0..3 {
        let report = browser.after("double_click", json!({ "coordinate": at }));
        assert_eq!(clicks(&report), [json!([1]), json!([2])]);
        assert_eq!(report.of("dblclick", "pad").count(), 1);
        // Somewhere else, so that the next click begins to count anew.
        browser.must("left_click", json!({"coordinate": browser_corner(&browser)}));
        let report = browser.after("triple_click", json!({ "coordinate": at }));
        assert_eq!(clicks(&report), [json!([1]), json!([2]), json!([3])]);
        assert_eq!(report.of("dblclick", "pad").count(), 1);
        browser.must("left_click", json!({"coordinate": browser_corner(&browser)}));
    }
}

/// A place on the page with nothing on it.
fn browser_corner(browser: &Browser) -> [i64; 2] {
    let [x, y, ..] = browser.page.report().rectangle("form");
    [x - 20, y - 40]
}

#[test]
fn chromium_sees_the_keys_that_are_held_during_a_click() {
    let mut browser = Browser::open("form.html");
    let at = browser.middle("pad");
    for (held, modifiers) in [
        ("ctrl", json!(["Control"])),
        ("shift", json!(["Shift"])),
        ("ctrl+shift", json!(["Shift", "Control"])),
        ("alt", json!(["Alt"])),
        ("super", json!(["Meta"])),
    ] {
        let report = browser.after("left_click", json!({"coordinate": at, "text": held}));
        assert_eq!(fields(&report, "click", "pad", &["modifiers"]), [json!([modifiers])], "{held}");
        let after = browser.after("left_click", json!({ "coordinate": at }));
        assert_eq!(fields(&after, "click", "pad", &["modifiers"]), [json!([[]])], "after {held}: {:#?}", after.events);
    }
}

#[test]
fn chromium_takes_a_drag_and_drop() {
    let mut browser = Browser::open("form.html");
    for count in 1..=3 {
        let (from, to) = (browser.middle("chip"), browser.middle("basket"));
        // Somewhere else, or the next press at the same place is a double click, which drags nothing.
        browser.must("left_click", json!({"coordinate": browser_corner(&browser)}));
        browser.page.forget_events();
        browser.must("left_click_drag", json!({"start_coordinate": from, "coordinate": to}));
        browser.page.wait_for("the drop", |report| (report.state["dropped"] == count).then_some(()));
        browser.page.wait_for("the end of the drag", |report| report.of("dragend", "chip").next().map(|_| ()));
        let report = browser.settle();
        assert_eq!(report.of("dragstart", "chip").count(), 1);
        assert_eq!(report.of("drop", "basket").count(), 1);
    }
}

/// Where the pointer was while the slider was dragged, column by column.
fn path_of(report: &Report) -> Vec<i64> {
    let moves = report.of("pointermove", "handle").filter(|event| event.0["buttons"] == 1);
    moves.flat_map(|event| event.0["path"].as_array().unwrap().iter().map(|at| at[0].as_i64().unwrap())).collect()
}

#[test]
fn chromium_sees_the_pointer_move_during_a_drag() {
    let mut browser = Browser::open("form.html");
    let [x, y, width, height] = browser.page.report().rectangle("track");
    let row = y + height / 2;
    let report =
        browser.after("left_click_drag", json!({"start_coordinate": [x + 2, row], "coordinate": [x + width / 2, row]}));
    let value = report.state["slider"].as_i64().unwrap();
    assert!((49..=51).contains(&value), "the slider is at {value} %");
    let path = path_of(&report);
    // How many moves a page hears of is Chromium's choice: on a busy machine it merges them.
    let between = path.iter().filter(|place| (x + width / 10..x + width / 2).contains(place)).count();
    assert!(between > 0, "moves with the button down: {path:?}");
    assert!(path.is_sorted() && path.iter().all(|place| (x..=x + width / 2).contains(place)), "{path:?}");

    // Along a path, there and back again, with a key held.
    let path = json!([[x + width / 2, row], [x + width, row], [x + width / 4, row]]);
    let report = browser.after("drag", json!({"path": path, "text": "shift"}));
    let value = report.state["slider"].as_i64().unwrap();
    assert!((24..=26).contains(&value), "the slider is at {value} %");
    let furthest = path_of(&report).into_iter().max().unwrap();
    assert!(furthest >= x + width - 5, "the drag went to {furthest}, not to {}", x + width);
    let held = |event: &PageEvent| event.0["modifiers"] == json!(["Shift"]);
    assert!(report.of("pointerdown", "handle").all(held) && report.of("pointerup", "handle").all(held));
}

#[test]
fn chromium_sees_a_button_that_is_held_until_it_is_released() {
    let mut browser = Browser::open("form.html");
    let [x, y, width, height] = browser.page.report().rectangle("track");
    let row = y + height / 2;
    browser.must("mouse_move", json!({"coordinate": [x + 2, row]}));
    let report = browser.after("left_mouse_down", json!({}));
    assert_eq!(fields(&report, "mousedown", "handle", &["button", "buttons"]), [json!([0, 1])]);
    assert_eq!(report.of("mouseup", "handle").count(), 0);
    let report = browser.after("mouse_move", json!({"coordinate": [x + width / 2, row]}));
    assert!((49..=51).contains(&report.state["slider"].as_i64().unwrap()), "{}", report.state["slider"]);
    let report = browser.after("left_mouse_up", json!({}));
    assert_eq!(fields(&report, "mouseup", "handle", &["button", "buttons"]), [json!([0, 0])]);

    let at = browser.middle("pad");
    browser.must("mouse_move", json!({ "coordinate": at }));
    let report = browser.after("mouse_down", json!({"button": "right"}));
    assert_eq!(fields(&report, "mousedown", "pad", &["button", "buttons"]), [json!([2, 2])]);
    let report = browser.after("mouse_up", json!({"button": "right"}));
    assert_eq!(fields(&report, "mouseup", "pad", &["button", "buttons"]), [json!([2, 0])]);
}

#[test]
fn chromium_scrolls_by_whole_notches_in_four_directions() {
    let mut browser = Browser::open("form.html");
    let at = browser.middle("rows");
    // One notch of this browser, measured by one notch of the wheel.
    let notch = notch(&mut browser, at);
    for (direction, amount, x, y) in
        [("down", 5, 0, 5), ("up", 3, 0, -3), ("right", 4, 4, 0), ("left", 2, -2, 0), ("down", 100, 0, 100)]
    {
        browser.page.forget_events();
        browser.must("scroll", json!({"scroll_direction": direction, "scroll_amount": amount, "coordinate": at}));
        let wanted = [x * notch, y * notch];
        browser.page.wait_for(&format!("{amount} notches {direction}"), |report| {
            let last = report.events.iter().rev().find(|event| event.kind() == "wheel")?;
            assert_eq!((&last.0["x"], &last.0["y"]), (&json!(at[0]), &json!(at[1])));
            (turned(report) == wanted).then_some(())
        });
        browser.settle();
        assert_eq!(turned(&browser.page.report()), wanted, "no notch more");
    }
}

/// What the browser makes of one notch down.
fn notch(browser: &mut Browser, at: [i64; 2]) -> i64 {
    browser.page.forget_events();
    browser.must("scroll", json!({"scroll_direction": "down", "scroll_amount": 1, "coordinate": at}));
    let [x, y] = browser.page.wait_for("one notch", |report| Some(turned(report)).filter(|turned| *turned != [0, 0]));
    assert!(x == 0 && y > 0, "one notch down is {x}, {y}");
    y
}

/// Every turn of the wheel, wherever: the page does not stop the browser, which zooms at once and may tell the page later, when
/// something else is under the pointer.
fn wheels(report: &Report) -> impl Iterator<Item = &PageEvent> {
    report.events.iter().filter(|event| event.kind() == "wheel")
}

#[test]
fn chromium_zooms_by_the_wheel_with_control_held() {
    let mut browser = Browser::open("form.html");
    let at = browser.middle("pad");
    let width = |report: &Report| report.rectangle("pad")[2];
    let before = width(&browser.page.report());
    browser.page.forget_events();
    browser.must("scroll", json!({"scroll_direction": "up", "scroll_amount": 1, "coordinate": at, "text": "ctrl"}));
    browser.page.wait_for("the page at another zoom", |report| {
        let resized = report.events.iter().any(|event| event.kind() == "resize");
        (resized && wheels(report).count() > 0).then_some(())
    });
    let report = browser.page.report();
    let held: Vec<_> = wheels(&report).map(|event| event.0["modifiers"].clone()).collect();
    assert_eq!(held, [json!(["Control"])]);
    assert_ne!(width(&report), before);
    browser.page.forget_events();
    browser.must("scroll", json!({"scroll_direction": "down", "scroll_amount": 1, "coordinate": at}));
    browser.page.wait_for("a wheel without control", |report| {
        report.events.iter().any(|event| event.kind() == "wheel" && event.0["modifiers"] == json!([])).then_some(())
    });
}

#[test]
fn a_picture_of_chromium_shows_the_colours_of_its_page() {
    const ACCENT: [u8; 3] = [0x0b, 0x6e, 0x6e];
    const CHIP: [u8; 3] = [0x24, 0x42, 0x6b];
    let mut browser = Browser::open("form.html");
    for (id, colour) in [("submit", ACCENT), ("chip", CHIP)] {
        let [x, y, width, height] = browser.page.report().rectangle(id);
        // Left of the words, right of the round corner.
        let region = [x + 6, y + height / 2 - 3, x + 10, y + height / 2];
        let zoomed = Picture::from_result(&browser.must("zoom", json!({ "region": region })));
        assert_eq!((zoomed.width, zoomed.height), (1024, 768), "{id}: four by three pixels fill the screen's size");
        assert_eq!(zoomed.colours(), 1, "{id}");
        assert_eq!(zoomed.pixel(512, 384), colour, "{id}");
        let whole = browser.desktop.controller.screenshot();
        let at = |value: i64| u32::try_from(value).unwrap();
        assert_eq!(whole.pixel(at(x + 8), at(y + height / 2)), colour, "{id}");
        assert_ne!(whole.pixel(at(x - 4), at(y + height / 2)), colour, "{id}: beside it");
        assert!(at(x + width) <= whole.width);
    }
}

#[test]
fn a_picture_shows_the_pointer_of_chromium_where_it_is_and_only_when_asked() {
    let mut browser = Browser::open("form.html");
    let [x, y] = browser.middle("track");
    browser.must("mouse_move", json!({"coordinate": [x, y]}));
    browser.settle();
    let without = browser.desktop.controller.screenshot();
    let with = Picture::from_result(&browser.must("screenshot", json!({"_meta": {"cursor": true}})));
    // Only the page: the browser's own bar may be busy with something.
    let top = browser.page.report().rectangle("form")[1];
    let different: Vec<(i64, i64)> = (0..i64::from(without.width))
        .flat_map(|column| (top..i64::from(without.height)).map(move |row| (column, row)))
        .filter(|&(column, row)| {
            let [column, row] = [column, row].map(|at| u32::try_from(at).unwrap());
            without.pixel(column, row) != with.pixel(column, row)
        })
        .collect();
    // An arrow of 24 pixels has some hundred of them; its tip is at the pointer.
    assert!(different.len() > 20, "{} pixels differ", different.len());
    assert!(different.iter().all(|(column, row)| (column - x).abs() < 32 && (row - y).abs() < 32), "{different:?}");
}
