//! Menus hold the keyboard and the pointer while they are open. Clicks and keys reach their entries, those of menus inside them,
//! boxes that open, and menus of the right button; afterwards the window has its input again.

use serde_json::json;

use super::program::{Desk, Program};

/// Everything that opens, by clicks alone.
fn clicks_reach_everything_that_opens(toolkit: &str, mut desk: Desk) {
    let mut program = Program::open(&desk, toolkit, &[]);
    let mut choose = |program: &mut Program, path: &[&str]| {
        for name in path {
            desk.click(program.place(name));
        }
        program.chosen(path[path.len() - 1]);
        program.gone(path[path.len() - 1]);
    };
    for path in [
        ["menu", "second"].as_slice(),
        &["menu", "more", "inner two"],
        &["menu", "more", "inner one"],
        // From the top, so that GTK need not scroll: it lays the chosen one over the box.
        &["combo", "item b"],
        &["combo", "item c"],
    ] {
        choose(&mut program, path);
    }
    let canvas = program.place("canvas");
    for name in ["context two", "context one"] {
        desk.controller.must("right_click", json!({ "coordinate": canvas }));
        assert_eq!(program.pressed(), json!([canvas[0], canvas[1], 3]));
        desk.click(program.place(name));
        program.chosen(name);
        program.gone(name);
    }
    // A click beside the menu closes it, as a person's does.
    desk.click(program.place("menu"));
    program.place("third");
    desk.click(canvas);
    program.gone("third");
    desk.click(program.place("entry"));
    desk.controller.must("type", json!({"text": "abc"}));
    program.wait_for("abc", |line| (line["text"] == "abc").then_some(()));
    desk.click(canvas);
    assert_eq!(program.pressed(), json!([canvas[0], canvas[1], 1]));
}

/// The same by keys while a menu holds the keyboard.
fn keys_reach_menus(toolkit: &str, mut desk: Desk) {
    let mut program = Program::open(&desk, toolkit, &[]);
    program.place("focus");
    let mut keys = |text: &str| desk.controller.must("key", json!({ "text": text }));
    keys("space");
    program.place("first");
    keys("Escape");
    program.gone("first");
    keys("space");
    program.place("first");
    keys("Down Return");
    let chosen = program.wait_for("a choice", |line| line["chosen"].as_str().map(str::to_owned));
    assert!(["first", "second"].contains(&chosen.as_str()), "{chosen}");
    program.gone("first");
    // From the top the last entry is one up, and its menu opens to the right.
    keys("space");
    program.place("more");
    keys("Up Right");
    program.place("inner two");
    keys("Down Return");
    let chosen = program.wait_for("a choice", |line| line["chosen"].as_str().map(str::to_owned));
    assert!(chosen.starts_with("inner"), "{chosen}");
}

/// A click where a tooltip lies is for what is below it: a person's pointer drives the tooltip away.
fn a_click_reaches_what_is_below_a_tooltip(toolkit: &str, mut desk: Desk) {
    let mut program = Program::open(&desk, toolkit, &[]);
    let (canvas, entry) = (program.place("canvas"), program.place("entry"));
    for _ in 0..3 {
        desk.controller.must("mouse_move", json!({ "coordinate": entry }));
        let before = desk.windows.popups();
        desk.controller.must("mouse_move", json!({ "coordinate": [canvas[0], canvas[1] - 40] }));
        let (tooltip, [x, y, width, height]) = desk.windows.wait_for_popup(&before);
        // Its far end may lie beyond the window.
        let over = [i64::from(x + width.min(40) / 2), i64::from(y + height.min(30) / 2)];
        desk.click(over);
        assert_eq!(program.pressed(), json!([over[0], over[1], 1]));
        desk.windows.wait_until_hidden(tooltip);
    }
}

/// Over the whole screen: clicks, a text, and a menu.
fn a_window_over_the_whole_screen_gets_everything(toolkit: &str) {
    let mut desk = Desk::managed();
    let mut program = Program::open(&desk, toolkit, &["fullscreen"]);
    program.place_where("window", |place| place == &json!([0, 0, 800, 600]));
    let canvas = program.place("canvas");
    for at in [canvas, [canvas[0], 580]] {
        desk.click(at);
        assert_eq!(program.pressed(), json!([at[0], at[1], 1]));
    }
    desk.click(program.place("entry"));
    desk.controller.must("type", json!({"text": "überall"}));
    program.wait_for("the text", |line| (line["text"] == "überall").then_some(()));
    for name in ["menu", "more", "inner two"] {
        desk.click(program.place(name));
    }
    program.chosen("inner two");
}

/// A pop-up is part of the window that it came out of, and of no other.
fn a_pop_up_counts_as_its_window(toolkit: &str, mut desk: Desk) {
    let mut program = Program::open(&desk, toolkit, &[]);
    let by_id = json!({"id": program.window, "title": "popup test"});
    for expected in [by_id, json!({"title": "popup"}), json!({"class": "deskhand-popups", "title": "popup test"})] {
        for path in [["menu", "second"].as_slice(), &["menu", "more", "inner two"], &["combo", "item b"]] {
            for name in path {
                let at = program.place(name);
                let meta = json!({ "expect_window": expected });
                desk.controller.must("left_click", json!({"coordinate": at, "_meta": meta}));
            }
            let name = path[path.len() - 1];
            if path[0] == "menu" {
                program.chosen(name);
            }
            program.gone(name);
        }
    }
    desk.click(program.place("menu"));
    let at = program.place("first");
    let params = json!({"coordinate": at, "_meta": {"expect_window": {"title": "Bank"}}});
    let (kind, error) = desk.controller.must_fail("left_click", params);
    assert_eq!(kind, "target_mismatch", "{error:#}");
    let meta = json!({"expect_window": {"title": "popup test"}});
    desk.controller.must("key", json!({"text": "Escape", "_meta": meta}));
    program.gone("first");
}

#[test]
fn a_click_reaches_what_is_below_a_tooltip_of_gtk() {
    a_click_reaches_what_is_below_a_tooltip("gtk", Desk::managed());
}

#[test]
fn a_click_reaches_what_is_below_a_tooltip_of_gtk_without_a_window_manager() {
    a_click_reaches_what_is_below_a_tooltip("gtk", Desk::bare());
}

#[test]
fn a_click_reaches_what_is_below_a_tooltip_of_qt() {
    a_click_reaches_what_is_below_a_tooltip("qt", Desk::managed());
}

#[test]
fn a_gtk_window_over_the_whole_screen_gets_everything() {
    a_window_over_the_whole_screen_gets_everything("gtk");
}

#[test]
fn a_qt_window_over_the_whole_screen_gets_everything() {
    a_window_over_the_whole_screen_gets_everything("qt");
}

#[test]
fn a_tk_window_over_the_whole_screen_gets_everything() {
    a_window_over_the_whole_screen_gets_everything("tk");
}

#[test]
fn a_pop_up_of_gtk_counts_as_its_window() {
    a_pop_up_counts_as_its_window("gtk", Desk::managed());
}

#[test]
fn a_pop_up_of_qt_counts_as_its_window() {
    a_pop_up_counts_as_its_window("qt", Desk::managed());
}

#[test]
fn a_pop_up_of_tk_counts_as_its_window() {
    a_pop_up_counts_as_its_window("tk", Desk::managed());
}

#[test]
fn a_pop_up_of_tk_counts_as_its_window_without_a_window_manager() {
    a_pop_up_counts_as_its_window("tk", Desk::bare());
}

#[test]
fn clicks_reach_everything_that_opens_in_gtk() {
    clicks_reach_everything_that_opens("gtk", Desk::managed());
}

#[test]
fn clicks_reach_everything_that_opens_in_gtk_without_a_window_manager() {
    clicks_reach_everything_that_opens("gtk", Desk::bare());
}

#[test]
fn clicks_reach_everything_that_opens_in_qt() {
    clicks_reach_everything_that_opens("qt", Desk::managed());
}

#[test]
fn clicks_reach_everything_that_opens_in_qt_without_a_window_manager() {
    clicks_reach_everything_that_opens("qt", Desk::bare());
}

#[test]
fn clicks_reach_everything_that_opens_in_tk() {
    clicks_reach_everything_that_opens("tk", Desk::managed());
}

#[test]
fn clicks_reach_everything_that_opens_in_tk_without_a_window_manager() {
    clicks_reach_everything_that_opens("tk", Desk::bare());
}

#[test]
fn keys_reach_menus_of_gtk() {
    keys_reach_menus("gtk", Desk::managed());
}

#[test]
fn keys_reach_menus_of_qt() {
    keys_reach_menus("qt", Desk::managed());
}

#[test]
fn keys_reach_menus_of_tk() {
    keys_reach_menus("tk", Desk::managed());
}
