//! What lies on top without a frame: input reaches it.

use serde_json::json;

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, PropMode},
    wrapper::ConnectionExt as _,
};

use super::{
    Scene,
    program::Desk,
    support::{Recorder, RecorderOptions, recorder},
};

#[test]
fn windows_without_a_frame_and_over_the_whole_screen_get_what_is_meant_for_them() {
    let mut scene = Scene::new();
    let options = RecorderOptions {
        title: "tooltip",
        rectangle: (100, 100, 50, 20),
        override_redirect: true,
        ..RecorderOptions::default()
    };
    let tooltip = Recorder::open_with(&scene.server.display, &options);
    scene.controller.must("left_click", json!({"coordinate": [120, 110]}));
    scene.controller.must("left_click", json!({"coordinate": [160, 110]}));
    scene.controller.must("type", json!({"text": "still the window below"}));
    assert_eq!(recorder::buttons(&tooltip.everything()).len(), 2);
    assert_eq!(recorder::buttons(&scene.recorder.everything()).len(), 2);
    assert_eq!(scene.received(), "still the window below");
}

#[test]
fn who_says_that_his_pop_up_is_part_of_another_window_is_not_believed() {
    let mut scene = Scene::new();
    let options = RecorderOptions {
        title: "tooltip",
        rectangle: (100, 100, 50, 20),
        override_redirect: true,
        ..RecorderOptions::default()
    };
    let liar = Recorder::open_with(&scene.server.display, &options);
    let connection = scene.server.display.connect();
    let (name, kind) = (AtomEnum::WM_TRANSIENT_FOR, AtomEnum::WINDOW);
    let said = [scene.recorder.window];
    connection.change_property32(PropMode::REPLACE, liar.window, name, kind, &said).unwrap().check().unwrap();
    let params = json!({"coordinate": [120, 110], "_meta": {"expect_window": {"class": "Editor"}}});
    let (kind, error) = scene.controller.must_fail("left_click", params);
    assert_eq!(kind, "target_mismatch", "{error:#}");
    assert!(recorder::buttons(&liar.everything()).is_empty());
}

#[test]
fn a_tooltip_that_stays_gets_the_click_that_is_made_on_it() {
    let mut scene = Scene::new();
    let options = RecorderOptions {
        title: "tooltip",
        rectangle: (100, 100, 50, 20),
        override_redirect: true,
        ..RecorderOptions::default()
    };
    let tooltip = Recorder::open_with(&scene.server.display, &options);
    let connection = scene.server.display.connect();
    let atom = |name: &str| connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
    let (name, kind) = (atom("_NET_WM_WINDOW_TYPE"), AtomEnum::ATOM);
    let types = [atom("_NET_WM_WINDOW_TYPE_TOOLTIP")];
    connection.change_property32(PropMode::REPLACE, tooltip.window, name, kind, &types).unwrap().check().unwrap();
    scene.controller.must("left_click", json!({"coordinate": [120, 110]}));
    assert_eq!(recorder::buttons(&tooltip.everything()), [(true, 1, 120, 110), (false, 1, 120, 110)]);
    assert!(scene.is_untouched());
}

#[test]
fn a_window_that_the_window_manager_has_made_as_large_as_the_screen_gets_everything() {
    let mut desk = Desk::managed();
    let options = RecorderOptions { rectangle: (100, 100, 300, 200), ..RecorderOptions::default() };
    let recorder = Recorder::open_with(&desk.server.display, &options);
    desk.windows.wait_for_focus(recorder.window);
    let connection = desk.server.display.connect();
    let atom = |name: &str| connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
    // `_NET_WM_STATE` with 1: add (EWMH).
    let content = [1, atom("_NET_WM_STATE_FULLSCREEN"), 0, 1, 0];
    let message = ClientMessageEvent::new(32, recorder.window, atom("_NET_WM_STATE"), content);
    let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
    connection.send_event(false, connection.setup().roots[0].root, mask, message).unwrap().check().unwrap();
    desk.windows.wait_for_rectangle(recorder.window, [0, 0, 800, 600]);
    let corners: [(i16, i16); 4] = [(0, 0), (799, 599), (799, 0), (0, 599)];
    for (x, y) in corners {
        desk.click([x.into(), y.into()]);
    }
    desk.controller.must("type", json!({"text": "all of it"}));
    desk.controller.must("key", json!({"text": "F11"}));
    let events = recorder.everything();
    let presses: Vec<_> = recorder::buttons(&events).into_iter().filter(|(down, ..)| *down).collect();
    assert_eq!(presses, corners.map(|(x, y)| (true, 1, x, y)));
    assert_eq!(recorder::typed(&events), "all of it");
}
