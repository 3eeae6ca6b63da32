//! The pointer: where it is and what it looks like, when it moves and only then.

use deskhand::desktop::connection::Link;
use serde_json::{Value, json};
use x11rb::{
    connection::Connection as _,
    protocol::{
        xfixes::ConnectionExt as _,
        xproto::{ConnectionExt as _, CreateWindowAux, Cursor, WindowClass},
    },
};

use crate::support::{Controller, Deskhand, PATIENCE};

fn at(x: i64, y: i64) -> impl Fn(&Value) -> bool {
    move |event| event["type"] == "cursor" && (&event["x"], &event["y"]) == (&json!(x), &json!(y))
}

#[test]
fn motion_is_told_and_standing_still_is_not() {
    let server = Deskhand::owned("640x480");
    let (mut watching, mut hand) = (Controller::connect(&server), Controller::connect(&server));
    watching.must("subscribe", json!({"events": ["cursor"]}));
    // At first where it is: in the middle.
    watching.event(at(320, 240));
    for step in 0..20 {
        let (x, y) = (step * 30, 400 - step * 20);
        hand.must("mouse_move", json!({"coordinate": [x, y]}));
        watching.event(at(x, y));
    }
    for _ in 0..50 {
        watching.must("cursor_position", json!({}));
        watching.must("screenshot", json!({}));
    }
    assert_eq!(watching.waiting_events(), 0, "nothing moves");
    hand.must("mouse_move", json!({"coordinate": [1, 2]}));
    watching.event(at(1, 2));
}

#[test]
fn a_flood_of_motion_is_told_as_its_newest() {
    let server = Deskhand::owned("640x480");
    let (mut watching, mut hand) = (Controller::connect(&server), Controller::connect(&server));
    watching.must("subscribe", json!({"events": ["cursor"]}));
    watching.event(at(320, 240));
    let path: Vec<_> = (0..10_000).map(|step| json!([step % 640, step % 480])).collect();
    hand.must("drag", json!({"path": path, "button": "left"}));
    hand.must("mouse_move", json!({"coordinate": [5, 6]}));
    let mut events = 0;
    loop {
        events += 1;
        let event = watching.event(|event| event["type"] == "cursor");
        if at(5, 6)(&event) {
            break;
        }
    }
    eprintln!("10,000 places were told as {events}");
    assert!(events < 2_000, "{events} events");
}

#[test]
fn places_are_told_in_the_sessions_coordinates() {
    let server = Deskhand::owned("640x480");
    let mut controller = Controller::connect(&server);
    let client = json!({"name": "t", "version": "1"});
    let screen = json!({"width": 320, "height": 120});
    controller.must("initialize", json!({"protocol": "deskhand.v1", "client": client, "screen": screen}));
    controller.must("subscribe", json!({"events": ["cursor"]}));
    controller.event(at(160, 60));
    controller.must("mouse_move", json!({"coordinate": [100, 50]}));
    controller.event(at(100, 50));
}

/// A window in the upper left corner with a cursor of this name.
fn named_cursor(link: &Link, name: &[u8]) -> Cursor {
    let connection = &link.connection;
    connection.xfixes_query_version(2, 0).unwrap().reply().unwrap();
    let [pixmap, cursor, window] = [(); 3].map(|()| connection.generate_id().unwrap());
    connection.create_pixmap(1, pixmap, link.root, 8, 8).unwrap();
    connection.create_cursor(cursor, pixmap, pixmap, 0, 0, 0, 0, 0, 0, 0, 0).unwrap();
    connection.xfixes_set_cursor_name(cursor, name).unwrap();
    let attributes = CreateWindowAux::new().cursor(cursor).override_redirect(1);
    let class = WindowClass::INPUT_OUTPUT;
    connection.create_window(0, window, link.root, 0, 0, 50, 50, 0, class, 0, &attributes).unwrap();
    connection.map_window(window).unwrap();
    link.round_trip().unwrap();
    cursor
}

#[test]
fn the_shape_is_told_by_its_name() {
    let server = Deskhand::owned("640x480");
    let (mut watching, mut hand) = (Controller::connect(&server), Controller::connect(&server));
    watching.must("subscribe", json!({"events": ["cursor"]}));
    let first = watching.event(at(320, 240));
    assert_eq!(first.get("shape"), None, "the root window's cursor has no name: {first}");
    let target = deskhand::desktop::target::Target {
        display: server.display.name().parse().unwrap(),
        xauthority: server.display.xauthority.clone(),
        expected_server: None,
    };
    let link = Link::open(&target, PATIENCE).unwrap();
    let cursor = named_cursor(&link, b"pointer");
    hand.must("mouse_move", json!({"coordinate": [10, 10]}));
    watching.event(|event| event["shape"] == "pointer" && event["x"] == 10);
    // Another one under a pointer that stands still, with a name that is an attack.
    let [pixmap, other] = [(); 2].map(|()| link.connection.generate_id().unwrap());
    link.connection.create_pixmap(1, pixmap, link.root, 8, 8).unwrap();
    link.connection.create_cursor(other, pixmap, pixmap, 0, 0, 0, 0, 0, 0, 0, 0).unwrap();
    let long = [b"\x1b[2Jbusy\n".as_slice(), &vec![b'x'; 60_000]].concat();
    link.connection.xfixes_set_cursor_name(other, &long).unwrap();
    link.connection.xfixes_change_cursor(other, cursor).unwrap();
    link.round_trip().unwrap();
    let event = watching.event(|event| event["shape"] != "pointer" || event["x"] != 10);
    let shape = event["shape"].as_str().expect("a shape");
    assert!(shape.starts_with("busy x") && shape.len() <= 64, "{shape:?}");
}
