//! The server on real displays, closed loop: what the controller asked for is what an X client received.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail")]

mod support;

use serde_json::json;
use support::{
    Chromium, Controller, Deskhand, Page, Picture, Recorded, Recorder, RecorderOptions, Windows, Xvfb,
    controller::Refused,
    recorder::{buttons, typed},
    xvfb::start_window_manager,
};

#[test]
fn an_owned_display_comes_up_as_the_ready_line_says_and_goes_with_the_server() {
    let server = Deskhand::owned("1024x768");
    assert_eq!(server.ready["screen"], json!({"width": 1024, "height": 768}));
    assert_eq!(server.token.len(), 64);
    let picture = Controller::connect(&server).screenshot();
    assert_eq!((picture.width, picture.height), (1024, 768));
    assert!(server.stop().success());
}

#[test]
fn nothing_is_left_when_the_server_is_killed() {
    let server = Deskhand::owned("640x480");
    server.kill();
}

#[test]
fn a_screenshot_shows_the_window_pixel_by_pixel() {
    let server = Deskhand::owned("640x480");
    let options = RecorderOptions {
        rectangle: (100, 50, 200, 100),
        colour: 0x12_34_56,
        override_redirect: true,
        ..RecorderOptions::default()
    };
    let _recorder = Recorder::open_with(&server.display, &options);
    let picture = Controller::connect(&server).screenshot();
    for (x, y) in [(100, 50), (299, 50), (100, 149), (299, 149)] {
        assert_eq!(picture.pixel(x, y), [0x12, 0x34, 0x56], "at {x},{y}");
    }
    for (x, y) in [(99, 50), (300, 50), (100, 49), (299, 150)] {
        assert_ne!(picture.pixel(x, y), [0x12, 0x34, 0x56], "at {x},{y}");
    }
}

#[test]
fn an_attachment_is_the_same_picture_as_base64() {
    let server = Deskhand::owned("640x480");
    let mut controller = Controller::connect(&server);
    controller.must(
        "initialize",
        json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}, "images": "attachment"}),
    );
    let result = controller.must("screenshot", json!({}));
    let bytes = controller.attachment(&result);
    let attached = Picture::from_attachment(&result, &bytes);
    assert!(attached == Controller::connect(&server).screenshot());
}

#[test]
fn clicks_and_keys_arrive_in_order_at_their_place() {
    let xvfb = Xvfb::start("800x600");
    let recorder = Recorder::open(&xvfb.display);
    Windows::new(&xvfb.display).focus(recorder.window);
    let server = Deskhand::attached(&xvfb.display);
    let mut controller = Controller::connect(&server);
    controller.must("right_click", json!({"coordinate": [321, 123]}));
    controller.must("type", json!({"text": "Grüße, 42"}));
    assert_eq!(recorder.wait_for_text("Grüße, 42"), "Grüße, 42");
    let events = recorder.events();
    assert_eq!(buttons(&events), [(true, 3, 321, 123), (false, 3, 321, 123)]);
    let first_key = events.iter().position(|event| matches!(event, Recorded::Key { .. }));
    let last_button = events.iter().rposition(|event| matches!(event, Recorded::Button { .. }));
    assert!(last_button < first_key);
}

/// A window manager holds every press until it has given the window the focus; keys are not held. Text after a click must
/// not overtake it.
#[test]
fn text_never_overtakes_the_click_before_it_under_a_window_manager() {
    let server = Deskhand::owned("800x600");
    let _window_manager = start_window_manager(&server.display);
    let left = Recorder::open_with(
        &server.display,
        &RecorderOptions { rectangle: (0, 0, 300, 400), ..RecorderOptions::default() },
    );
    let right = Recorder::open_with(
        &server.display,
        &RecorderOptions { rectangle: (400, 0, 300, 400), ..RecorderOptions::default() },
    );
    let windows = Windows::new(&server.display);
    let [left_place, right_place] = [&left, &right].map(|recorder| {
        let [x, y, width, height] = windows.rectangle(recorder.window);
        [x + width / 2, y + height / 2]
    });
    let mut controller = Controller::connect(&server);
    for round in 0..50 {
        for (recorder, place) in [(&left, left_place), (&right, right_place)] {
            controller.must("left_click", json!({"coordinate": place}));
            controller.must("type", json!({"text": "äx"}));
            let events =
                recorder.wait_for("the text", |events| (typed(events).chars().count() >= 2).then(|| events.to_vec()));
            assert_eq!(typed(&events), "äx", "round {round}");
            let press = events.iter().position(|event| matches!(event, Recorded::Button { down: true, .. }));
            let key = events.iter().position(|event| matches!(event, Recorded::Key { .. }));
            assert!(press.is_some() && press < key, "round {round}: a key before the click: {events:#?}");
            recorder.wait_for("the last release", |events| {
                matches!(events.last(), Some(Recorded::Key { down: false, .. })).then_some(())
            });
            recorder.take_events();
        }
    }
}

#[test]
fn text_goes_into_the_field_of_a_browser_that_was_clicked() {
    let server = Deskhand::owned("1024x768");
    let _window_manager = start_window_manager(&server.display);
    let page = Page::serve();
    let browser = Chromium::open(&server.display, &page, "form.html");
    Windows::new(&server.display).wait_for_focus(browser.window);
    page.wait_until_ready();
    let mut controller = Controller::connect(&server);
    for round in 0..20 {
        let (name, notes) = (format!("Zoë {round}"), format!("Ελλάδα {round}"));
        for (field, text) in [("name", &name), ("notes", &notes)] {
            controller.must("triple_click", json!({"coordinate": page.report().middle(field)}));
            controller.must("type", json!({"text": text}));
        }
        page.wait_for("both texts", |report| {
            let form = &report.state["form"];
            (form["name"] == name.as_str() && form["notes"] == notes.as_str()).then_some(())
        });
    }
}

#[test]
fn a_wrong_or_missing_token_gets_no_upgrade() {
    let server = Deskhand::owned("640x480");
    let wrong = format!("Bearer {}", "0".repeat(64));
    for headers in [vec![], vec![("authorization", wrong.as_str())], vec![("authorization", "Bearer ")]] {
        assert_eq!(Controller::connect_with(&server, &headers).err(), Some(Refused(401)), "{headers:?}");
    }
    let foreign = format!("Bearer {}", server.token);
    let headers = [("authorization", foreign.as_str()), ("origin", "https://example.com")];
    assert_eq!(Controller::connect_with(&server, &headers).err(), Some(Refused(403)));
}

#[test]
fn nothing_stays_pressed_when_the_controller_goes_away() {
    let server = Deskhand::owned("640x480");
    let windows = Windows::new(&server.display);
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    controller.must("key_down", json!({"text": "shift"}));
    controller.must("mouse_down", json!({"button": "left"}));
    assert_eq!((windows.pressed_keys().len(), windows.pointer().1), (1, vec![1]));
    controller.abandon();
    recorder.wait_for("both releases", |events| {
        let keys = events.iter().any(|event| matches!(event, Recorded::Key { down: false, .. }));
        let buttons = events.iter().any(|event| matches!(event, Recorded::Button { down: false, .. }));
        (keys && buttons).then_some(())
    });
    assert_eq!((windows.pressed_keys().len(), windows.pointer().1), (0, vec![]));
}
