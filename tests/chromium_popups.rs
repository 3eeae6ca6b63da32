//! What opens over a web page – lists, menus of the right button, tooltips – and a page over the whole screen: clicks, keys and
//! texts reach them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Browser, page::Report};

/// The kinds of events that the page reports of its own content: what a menu does.
fn kinds(report: &Report) -> Vec<String> {
    report.events.iter().map(|event| event.kind().to_owned()).collect()
}

/// Does something that opens a pop-up, and waits for that.
fn open(browser: &mut Browser, method: &str, params: Value) -> (u32, [i32; 4]) {
    let before = browser.desktop.windows.popups();
    browser.must(method, params);
    browser.desktop.windows.wait_for_popup(&before)
}

#[test]
fn chromium_takes_a_click_and_keys_in_the_list_of_a_select() {
    let mut browser = Browser::open("popups.html");
    let at = browser.middle("choice");
    for (row, name) in [(4, "four"), (1, "one"), (3, "three")] {
        let (list, [x, y, width, height]) = open(&mut browser, "left_click", json!({ "coordinate": at }));
        let params = json!({"coordinate": [x + width / 2, y + (2 * row + 1) * height / 12]});
        browser.must("left_click", params);
        browser.page.wait_for(name, |report| (report.state["choice"] == name).then_some(()));
        browser.desktop.windows.wait_until_hidden(list);
    }
    let (list, _) = open(&mut browser, "left_click", json!({ "coordinate": at }));
    browser.must("key", json!({"text": "Down Down Return"}));
    browser.page.wait_for("the last one", |report| (report.state["choice"] == "five").then_some(()));
    browser.desktop.windows.wait_until_hidden(list);
    // The window that the list came out of is the one that is meant.
    let (_, [x, y, width, height]) = open(&mut browser, "left_click", json!({ "coordinate": at }));
    let expected = json!({"class": "chromium", "title": "pop-ups"});
    let params = json!({"coordinate": [x + width / 2, y + 5 * height / 12], "_meta": {"expect_window": expected}});
    browser.must("left_click", params);
    browser.page.wait_for("the third", |report| (report.state["choice"] == "two").then_some(()));
}

#[test]
fn chromium_takes_keys_in_the_menu_of_the_right_button_and_a_click_beside_it() {
    let mut browser = Browser::open("popups.html");
    let at = browser.middle("text");
    browser.must("left_click", json!({ "coordinate": at }));
    browser.must("key", json!({"text": "ctrl+a"}));
    let (menu, _) = open(&mut browser, "right_click", json!({ "coordinate": at }));
    browser.page.forget_events();
    browser.must("key", json!({"text": "Down Down Return"}));
    browser.desktop.windows.wait_until_hidden(menu);
    // With everything selected the first two that can be chosen are to cut and to copy. Chromium itself may take the first key for
    // none while its menu opens.
    browser.page.wait_for("what the entry does", |report| {
        kinds(report).iter().any(|kind| kind == "cut" || kind == "copy").then_some(())
    });
    // Beside the menu a click closes it, and the next one is the page's again.
    let (menu, _) = open(&mut browser, "right_click", json!({ "coordinate": at }));
    let [x, y, ..] = browser.page.report().rectangle("tip");
    let beside = [x + 20, y + 20];
    browser.must("left_click", json!({ "coordinate": beside }));
    browser.desktop.windows.wait_until_hidden(menu);
    // The page may still have to tell of the click that opened the menu.
    browser.settle();
    let report = browser.after("left_click", json!({ "coordinate": at }));
    assert_eq!(report.of("mousedown", "text").count(), 1);
}

#[test]
fn chromium_takes_a_click_where_a_tooltip_lies() {
    let mut browser = Browser::open("popups.html");
    let at = browser.middle("tip");
    for _ in 0..3 {
        // Elsewhere first: a tooltip comes once for each visit.
        let elsewhere = browser.middle("text");
        browser.must("mouse_move", json!({ "coordinate": elsewhere }));
        browser.settle();
        let (tooltip, [x, y, width, height]) = open(&mut browser, "mouse_move", json!({ "coordinate": at }));
        let over = [x + width / 2, y + height / 2];
        let report = browser.after("left_click", json!({ "coordinate": over }));
        let presses: Vec<_> = report.of("mousedown", "tip").map(|event| json!([event.0["x"], event.0["y"]])).collect();
        assert_eq!(presses, [json!(over)], "the tooltip at {:?}", [x, y, width, height]);
        browser.desktop.windows.wait_until_hidden(tooltip);
    }
}

#[test]
fn chromium_takes_clicks_keys_and_texts_over_the_whole_screen() {
    let mut browser = Browser::open("popups.html");
    let height = |report: &Report| report.state["inner"][1].as_i64();
    let before = height(&browser.page.report());
    browser.must("key", json!({"text": "F11"}));
    browser.page.wait_for("the whole screen", |report| (report.state["inner"] == json!([1024, 768])).then_some(()));
    // The page's place on the screen is another one now; the next event of the mouse tells it.
    let anywhere = browser.after("mouse_move", json!({"coordinate": [700, 700]}));
    let [x, y, width, height_of_tip] = anywhere.rectangle("tip");
    let report = browser.after("left_click", json!({"coordinate": [x + width / 2, y + height_of_tip / 2]}));
    assert_eq!(report.of("mousedown", "tip").count(), 1);
    let at = report.middle("text");
    browser.must("left_click", json!({ "coordinate": at }));
    browser.must("key", json!({"text": "ctrl+a"}));
    browser.must("type", json!({"text": "über alles hinweg — 全画面"}));
    browser.page.wait_for("the text", |report| (report.state["text"] == "über alles hinweg — 全画面").then_some(()));
    for corner in [[1023, 767], [0, 767]] {
        let report = browser.after("left_click", json!({ "coordinate": corner }));
        let presses: Vec<_> = report.events.iter().filter(|event| event.kind() == "mousedown").collect();
        assert_eq!(presses.len(), 1);
        assert_eq!(json!([presses[0].0["x"], presses[0].0["y"]]), json!(corner));
    }
    browser.must("key", json!({"text": "F11"}));
    browser.page.wait_for("a window again", |report| (height(report) == before).then_some(()));
}
