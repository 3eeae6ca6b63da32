//! A pointer that does not get where it should: the true place is told, and nothing is clicked.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;
use x11rb::{
    CURRENT_TIME, NONE,
    connection::Connection as _,
    protocol::{
        Event,
        xfixes::{BarrierDirections, ConnectionExt as _},
        xinput::{self, ConnectionExt as _},
        xproto::{
            ConfigureWindowAux, ConnectionExt as _, CreateWindowAux, EventMask, GrabMode, GrabStatus,
            MOTION_NOTIFY_EVENT, WindowClass,
        },
        xtest::ConnectionExt as _,
    },
};

use super::{Scene, data, other::Other, support::recorder};

/// Ends what runs beside a test, also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

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
fn a_program_that_warps_the_pointer_in_a_loop_gets_clicks_at_their_place_and_is_told_of_otherwise() {
    let mut scene = Scene::new();
    let other = Other::start(&scene.server.display, &["warp"]);
    let mut elsewhere = 0;
    for round in 0..40 {
        scene.recorder.everything();
        scene.recorder.take_events();
        let (method, count) = if round % 4 == 0 { ("double_click", 2) } else { ("left_click", 1) };
        let answer = scene.controller.call(method, json!({"coordinate": [400, 300]}));
        let clicks = recorder::buttons(&scene.recorder.everything());
        let presses = clicks.iter().filter(|(down, ..)| *down);
        let strays = presses.clone().filter(|&&(_, _, x, y)| (x, y) != (400, 300)).count();
        assert!(strays == 0 || answer.is_err(), "done, and elsewhere: {clicks:?}");
        elsewhere += strays;
        match answer {
            Ok(_) => assert_eq!(presses.count(), count, "{clicks:?}"),
            Err(error) => {
                assert_eq!(data(&error)["kind"], "pointer_blocked", "{error:#}");
                assert_eq!(data(&error)["pointer"], json!([50, 50]), "{error:#}");
                assert!(presses.count() - strays < count, "{clicks:?}");
            }
        }
    }
    // The server carries move and press out without a break, unless it loses its processor between the two.
    assert!(elsewhere <= 1, "{elsewhere} clicks elsewhere");
    other.end();
}

/// The owner of the window is who confines the pointer, so its click would count; the place where it may be moves all the while.
#[test]
fn a_cage_that_moves_gets_a_click_at_its_place_or_none() {
    let mut scene = Scene::new();
    let connection = scene.server.display.connect();
    let root = connection.setup().roots[0].root;
    let cage = connection.generate_id().unwrap();
    let attributes = CreateWindowAux::new().override_redirect(1);
    let kind = WindowClass::INPUT_ONLY;
    connection.create_window(0, cage, root, 300, 200, 40, 40, 0, kind, 0, &attributes).unwrap().check().unwrap();
    connection.map_window(cage).unwrap().check().unwrap();
    // With the motions, by which the holder of the pointer is known.
    let (mode, mask) = (GrabMode::ASYNC, EventMask::BUTTON_PRESS | EventMask::POINTER_MOTION);
    let grab = connection.grab_pointer(false, root, mask, mode, mode, cage, NONE, CURRENT_TIME).unwrap();
    assert_eq!(grab.reply().unwrap().status, GrabStatus::SUCCESS);
    let stop = AtomicBool::new(false);
    let (mut done, mut blocked) = (0, 0);
    thread::scope(|scope| {
        let _stopped = Stop(&stop);
        scope.spawn(|| {
            for step in (0..120).cycle() {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                let x = 240 + if step < 60 { step } else { 120 - step };
                connection.configure_window(cage, &ConfigureWindowAux::new().x(x)).unwrap().check().unwrap();
            }
        });
        for _ in 0..60 {
            let answer = scene.controller.call("left_click", json!({"coordinate": [300, 220]}));
            connection.get_input_focus().unwrap().reply().unwrap();
            let mut presses = Vec::new();
            while let Some(event) = connection.poll_for_event().unwrap() {
                if let Event::ButtonPress(event) = event {
                    presses.push((event.root_x, event.root_y));
                }
            }
            match answer {
                Ok(_) => {
                    done += 1;
                    assert_eq!(presses, [(300, 220)]);
                }
                Err(error) => {
                    blocked += 1;
                    // Who cannot move the pointer does not learn who holds it.
                    let kind = data(&error)["kind"].as_str().unwrap();
                    assert!(["pointer_blocked", "input_grabbed"].contains(&kind), "{error:#}");
                    // A press that was under way when the cage moved is told as one, by the place where it was.
                    if data(&error)["executed"] == "no" {
                        assert_eq!(presses, [], "{error:#}");
                    }
                    assert!(!presses.contains(&(300, 220)), "{error:#}");
                }
            }
        }
    });
    eprintln!("{done} done, {blocked} blocked");
}

/// Once with each press: what is pressed is pressed at its place all the same, also the second time.
#[test]
fn a_program_that_warps_the_pointer_at_each_press_gets_every_press_at_its_place() {
    let mut scene = Scene::new();
    let connection = scene.server.display.connect();
    let root = connection.setup().roots[0].root;
    connection.xinput_xi_query_version(2, 2).unwrap().reply().unwrap();
    let mask = xinput::EventMask { deviceid: 1, mask: vec![xinput::XIEventMask::RAW_BUTTON_PRESS] };
    connection.xinput_xi_select_events(root, &[mask]).unwrap().check().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stopped = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Acquire) {
                match connection.poll_for_event().unwrap() {
                    Some(Event::XinputRawButtonPress(_)) => {
                        connection.warp_pointer(NONE, root, 0, 0, 0, 0, 50, 50).unwrap().check().unwrap();
                    }
                    _ => thread::yield_now(),
                }
            }
        });
        for (method, count) in
            [("left_click", 1), ("double_click", 2), ("triple_click", 3)].into_iter().cycle().take(12)
        {
            scene.recorder.everything();
            scene.recorder.take_events();
            let answer = scene.controller.call(method, json!({"coordinate": [400, 300]}));
            let clicks = recorder::buttons(&scene.recorder.everything());
            let presses: Vec<_> = clicks.iter().filter(|(down, ..)| *down).collect();
            assert!(presses.iter().all(|(_, _, x, y)| (*x, *y) == (400, 300)), "{method}: {clicks:?}");
            match answer {
                Ok(_) => assert_eq!(presses.len(), count, "{method}: {clicks:?}"),
                Err(error) => assert_eq!(data(&error)["kind"], "pointer_blocked", "{method}: {error:#}"),
            }
        }
    });
}

/// A barrier holds a pointer that is pushed; XTEST's absolute motion is not, and jumps over it (`input_constrain_cursor` is for
/// relative motion, X server, `dix/getevents.c`).
#[test]
fn a_barrier_stops_mice_but_not_us() {
    let mut scene = Scene::new();
    let connection = scene.server.display.connect();
    connection.xfixes_query_version(5, 0).unwrap().reply().unwrap();
    let (barrier, root) = (connection.generate_id().unwrap(), connection.setup().roots[0].root);
    connection.warp_pointer(NONE, root, 0, 0, 0, 0, 10, 10).unwrap().check().unwrap();
    connection
        .xfixes_create_pointer_barrier(barrier, root, 200, 0, 200, 480, BarrierDirections::default(), &[])
        .unwrap()
        .check()
        .unwrap();
    // The barrier is there: who pushes does not get past it.
    let (relative, motion) = (1, MOTION_NOTIFY_EVENT);
    connection.xtest_fake_input(motion, relative, 0, root, 300, 5, 0).unwrap().check().unwrap();
    let pushed = connection.query_pointer(root).unwrap().reply().unwrap();
    assert_eq!(pushed.root_x, 199);
    scene.controller.must("left_click", json!({"coordinate": [400, 300]}));
    assert_eq!(recorder::buttons(&scene.recorder.everything()), [(true, 1, 400, 300), (false, 1, 400, 300)]);
}
