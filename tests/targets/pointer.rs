//! A pointer that does not get where it should: the true place is told, and nothing is clicked.

use serde_json::json;
use x11rb::{
    connection::Connection as _,
    protocol::{
        xfixes::{BarrierDirections, ConnectionExt as _},
        xproto::ConnectionExt as _,
    },
};

use super::{Scene, data, other::Other, support::recorder};

#[test]
fn a_confining_grab_blocks_the_pointer_and_its_true_place_is_told() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["confine"]);
    for (method, params) in [
        ("left_click", json!({"coordinate": [400, 300]})),
        ("double_click", json!({"coordinate": [400, 300]})),
        ("mouse_move", json!({"coordinate": [400, 300]})),
        ("left_click_drag", json!({"start_coordinate": [400, 300], "coordinate": [410, 300]})),
        ("scroll_pixels", json!({"coordinate": [400, 300], "dx": 0, "dy": 53})),
    ] {
        let (kind, error) = scene.controller.must_fail(method, params);
        assert_eq!(kind, "pointer_blocked", "{method}: {error:#}");
        let place = &data(&error)["pointer"];
        assert!([&place[0], &place[1]].iter().all(|axis| (20..80).contains(&axis.as_i64().unwrap())), "{place}");
    }
    assert!(recorder::buttons(&scene.recorder.everything()).is_empty());
    other.end();
}

#[test]
fn a_program_that_warps_the_pointer_in_a_loop_never_gets_a_click_elsewhere() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["warp"]);
    for round in 0..40 {
        scene.recorder.everything();
        scene.recorder.take_events();
        let (method, count) = if round % 4 == 0 { ("double_click", 2) } else { ("left_click", 1) };
        let answer = scene.controller.call(method, json!({"coordinate": [400, 300]}));
        let clicks = recorder::buttons(&scene.recorder.everything());
        let presses = clicks.iter().filter(|(down, ..)| *down);
        assert!(presses.clone().all(|&(_, _, x, y)| (x, y) == (400, 300)), "{clicks:?}");
        match answer {
            Ok(_) => assert_eq!(presses.count(), count, "{clicks:?}"),
            Err(error) => {
                assert_eq!(data(&error)["kind"], "pointer_blocked", "{error:#}");
                assert_eq!(data(&error)["pointer"], json!([50, 50]), "{error:#}");
                assert!(presses.count() < count, "{clicks:?}");
            }
        }
    }
    other.end();
}

#[test]
fn a_barrier_stops_mice_but_not_us() {
    let mut scene = Scene::new();
    let connection = scene.server.display.connect();
    connection.xfixes_query_version(5, 0).unwrap().reply().unwrap();
    let (barrier, root) = (connection.generate_id().unwrap(), connection.setup().roots[0].root);
    connection.warp_pointer(x11rb::NONE, root, 0, 0, 0, 0, 10, 10).unwrap().check().unwrap();
    connection
        .xfixes_create_pointer_barrier(barrier, root, 200, 0, 200, 480, BarrierDirections::default(), &[])
        .unwrap()
        .check()
        .unwrap();
    scene.controller.must("left_click", json!({"coordinate": [400, 300]}));
    assert_eq!(recorder::buttons(&scene.recorder.everything()), [(true, 1, 400, 300), (false, 1, 400, 300)]);
}
