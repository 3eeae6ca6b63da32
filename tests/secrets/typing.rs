//! Where a secret may be typed, and what of it is.

use std::path::Path;

use serde_json::json;

use super::{
    desk::{CLASS, Desk, SECRET, window},
    support::{Controller, Deskhand, Recorder, Windows, Xvfb, files::wait_for_content, recorder},
};

#[test]
fn a_secret_is_typed_whole_into_the_window_that_its_rule_names() {
    let mut desk = Desk::new(&[]);
    desk.put(&json!({}), &json!({}));
    let result = desk.type_it().unwrap();
    assert_eq!(desk.received(), SECRET);
    assert_eq!(result["held"], json!({"keys": [], "buttons": []}));
    // Characters that the keymap gets for it, again, and between other texts.
    desk.put(&json!({}), &json!({"value": "ж漢字🗝".replace('🗝', "ᚠ")}));
    desk.login.take_events();
    desk.controller.must("type", json!({"text": "before "}));
    desk.type_it().unwrap();
    desk.type_it().unwrap();
    desk.controller.must("type", json!({"text": " after"}));
    assert_eq!(desk.received(), "before ж漢字ᚠж漢字ᚠ after");
    // Nobody is kept waiting by the display afterwards.
    desk.controller.must("windows.list", json!({}));
}

#[test]
fn a_secret_goes_into_no_other_window_whoever_asks() {
    let mut desk = Desk::new(&[]);
    let notes = Recorder::open_with(&desk.server.display, &window("Notes", (400, 50, 200, 200)));
    desk.put(&json!({}), &json!({"uses": 1}));
    desk.windows.focus(notes.window);
    let error = desk.controller.call("type", json!({"secret": "pin"})).unwrap_err();
    assert_eq!((&error["data"]["kind"], &error["data"]["executed"]), (&json!("target_mismatch"), &json!("no")));
    assert_eq!(recorder::typed(&notes.everything()), "");
    // In a batch, by an older tool, and with the window expected that it is.
    for (method, params) in [
        ("batch", json!({"actions": [{"name": "type", "input": {"secret": "pin"}}]})),
        ("type", json!({"secret": "pin", "_meta": {"expect_window": {"class": "Notes"}}})),
    ] {
        let answer = desk.controller.call(method, params);
        let text = answer.map_or_else(|error| error.to_string(), |result| result.to_string());
        assert!(text.contains("target_mismatch"), "{text}");
    }
    assert_eq!(recorder::typed(&notes.everything()), "");
    // The rule by title and by executable, which is this program's.
    desk.windows.focus(desk.login.window);
    for rule in [json!({"title": "Sign out"}), json!({"executable": "/usr/bin/true"})] {
        desk.put(&rule, &json!({}));
        assert_eq!(desk.type_it().unwrap_err(), "target_mismatch");
    }
    let executable = std::env::current_exe().unwrap();
    desk.put(&json!({"title": "Sign in", "executable": executable}), &json!({"uses": 1}));
    assert_eq!(desk.received(), "");
    desk.type_it().unwrap();
    assert_eq!(desk.received(), SECRET);
    assert_eq!(desk.type_it().unwrap_err(), "secret_unknown", "it had one use");
}

/// What a program has written when it was done.
fn written(file: &Path) -> String {
    String::from_utf8(wait_for_content(file, |content| content.ends_with(b"."))).unwrap()
}

#[test]
fn nobody_else_may_be_connected_while_a_secret_is_typed_but_who_was_named() {
    let directory = tempfile::tempdir().unwrap();
    // The stranger is this program, which is connected to wait for windows.
    let us = std::env::current_exe().unwrap();
    for (arguments, rule, accepted) in [
        (&[][..], json!({}), false),
        (&[], json!({"allow_unconfined": true}), true),
        (&["--secret-client", "/usr/bin/true"], json!({}), false),
        (&["--secret-client", us.to_str().unwrap()], json!({}), true),
    ] {
        let line = directory.path().join(format!("line-{accepted}-{}", arguments.len()));
        let script =
            format!("read -r line; printf %s. \"$line\" > {0}.new; mv {0}.new {0}; sleep 1000", line.display());
        let command = ["--", "xterm", "-class", CLASS, "-e", "sh", "-c", &script];
        let server = Deskhand::owned_with("640x480", &[arguments, &command].concat());
        let windows = Windows::new(&server.display);
        windows.focus(windows.wait_for_class(CLASS));
        let mut controller = Controller::connect(&server);
        let mut rule = rule;
        rule["class"] = json!(CLASS);
        controller.must("secret.put", json!({"name": "pin", "value": "p in\n", "rule": rule}));
        match (accepted, controller.call("type", json!({"secret": "pin"}))) {
            (true, Ok(_)) => assert_eq!(written(&line), "p in."),
            (false, Err(error)) => {
                assert_eq!(error["data"]["kind"], "display_not_confined");
                assert!(error["message"].as_str().unwrap().contains(us.to_str().unwrap()), "{error}");
                controller.must("key", json!({"text": "Return"}));
                assert_eq!(written(&line), ".", "nothing of it was typed");
            }
            (_, answer) => panic!("{arguments:?}: {answer:?}"),
        }
    }
}

#[test]
fn a_secret_is_typed_on_somebody_elses_display_too_and_all_or_nothing() {
    let xvfb = Xvfb::start("640x480");
    let mut desk = Desk::on(Deskhand::attached(&xvfb.display));
    desk.put(&json!({}), &json!({}));
    desk.type_it().unwrap();
    assert_eq!(desk.received(), SECRET);
    // More characters than fit onto the spare keys at once: nothing of it is typed, and none of them is named.
    let many: String = ('\u{4e00}'..).take(4096).collect();
    desk.put(&json!({}), &json!({ "value": many }));
    desk.login.take_events();
    let error = desk.controller.call("type", json!({"secret": "pin"})).unwrap_err();
    assert_eq!(error["data"]["kind"], "unmappable_character", "{error}");
    assert!(!error.to_string().contains("4E") && !error.to_string().contains('\u{4e00}'), "{error}");
    assert_eq!(desk.received(), "");
}

#[test]
fn a_keyboard_that_is_grabbed_gets_no_secret() {
    use x11rb::protocol::xproto::{ConnectionExt as _, GrabMode};
    let mut desk = Desk::new(&[]);
    desk.put(&json!({}), &json!({}));
    let thief = desk.server.display.connect();
    let mode = GrabMode::ASYNC;
    let grab = thief.grab_keyboard(false, desk.login.window, x11rb::CURRENT_TIME, mode, mode);
    grab.unwrap().reply().unwrap();
    assert_eq!(desk.type_it().unwrap_err(), "input_grabbed");
    thief.ungrab_keyboard(x11rb::CURRENT_TIME).unwrap().ignore_error();
    drop(thief);
    desk.type_it().unwrap();
    assert_eq!(desk.received(), SECRET);
}

#[test]
fn a_secret_has_no_pace_and_no_text_beside_it() {
    let mut desk = Desk::new(&[]);
    desk.put(&json!({}), &json!({}));
    for params in [
        json!({"secret": "pin", "_meta": {"pace_ms": 5}}),
        json!({"secret": "pin", "text": "a"}),
        json!({"secret": "p i n"}),
        json!({}),
    ] {
        assert_eq!(desk.controller.must_fail("type", params).0, "invalid_params");
    }
    assert_eq!(desk.received(), "");
}
