//! `wait_for` a change, and until the screen stands still.

use serde_json::{Value, json};

use crate::support::{Controller, Deskhand, Painter, Picture, Xvfb};

const RED: u32 = 0xff_0000;
const BLUE: u32 = 0x00_00ff;
/// Across the edges of tiles of 64 by 16.
const REGION: [u16; 4] = [50, 20, 90, 30];

struct Scene {
    controller: Controller,
    painter: Painter,
    server: Deskhand,
    display: Xvfb,
}

impl Scene {
    fn new(size: &str) -> Self {
        let display = Xvfb::start(size);
        let painter = Painter::on(&display);
        let server = Deskhand::attached(&display.display);
        Self { controller: Controller::connect(&server), painter, server, display }
    }

    /// Asks, and returns when the wait has begun.
    fn begin(&mut self, params: Value) -> u64 {
        let id = self.controller.send("wait_for", params);
        self.begun();
        id
    }

    /// Returns when the thread that takes pictures has come to what was asked before.
    fn begun(&mut self) {
        self.controller.must("display.info", json!({}));
    }

    fn wait(&mut self, params: Value) -> Value {
        self.controller.must("wait_for", params)
    }

    /// Whether a wait that has begun is over.
    fn is_over(&mut self, id: u64) -> Value {
        self.controller.answer(id).unwrap()
    }

    /// A wait that nothing ends but its time.
    fn outlasts(&mut self, params: Value, draw: impl FnOnce(&Painter)) {
        let id = self.begin(params);
        draw(&self.painter);
        assert_eq!(self.is_over(id)["met"], false);
    }
}

fn corners([x, y, width, height]: [u16; 4]) -> Value {
    json!([x, y, x + width, y + height])
}

/// One pixel just outside each edge, and one inside each corner.
fn pixels([x, y, width, height]: [u16; 4]) -> (Vec<[u16; 4]>, Vec<[u16; 4]>) {
    let (right, bottom) = (x + width, y + height);
    let outside = [(x - 1, y), (x, y - 1), (right, bottom - 1), (right - 1, bottom)];
    let inside = [(x, y), (right - 1, y), (x, bottom - 1), (right - 1, bottom - 1), (x + width / 2, y + height / 2)];
    let dots = |places: &[(u16, u16)]| places.iter().map(|(x, y)| [*x, *y, 1, 1]).collect();
    (dots(&outside), dots(&inside))
}

#[test]
fn a_change_ends_the_wait_and_its_picture_shows_it() {
    let mut scene = Scene::new("320x240");
    let id = scene.begin(json!({"change": {}, "timeout_ms": 40_000}));
    scene.painter.fill([100, 100, 20, 20], RED);
    let result = scene.is_over(id);
    assert_eq!(result["met"], true);
    assert_eq!(Picture::from_result(&result).pixel(105, 105), [255, 0, 0]);
    let members: Vec<&String> = result.as_object().unwrap().keys().collect();
    assert_eq!(members, ["frame", "image", "met", "waited_ms"]);
    let next = scene.controller.must("screenshot", json!({}));
    assert_eq!(next["frame"], result["frame"]);
}

#[test]
fn every_pixel_of_the_region_counts_and_none_beside_it() {
    // An odd width puts the end of a row and the beginning of the next into one word of memory.
    for size in ["320x240", "321x241"] {
        let mut scene = Scene::new(size);
        let (outside, inside) = pixels(REGION);
        let mut color = 0x40_4040;
        for dot in inside {
            color += 0x11;
            let id = scene.begin(json!({"change": {"region": corners(REGION)}, "timeout_ms": 40_000}));
            for beside in &outside {
                scene.painter.fill(*beside, color);
            }
            // Seen, and no reason to end the wait.
            scene.begun();
            scene.painter.fill(dot, color);
            let result = scene.is_over(id);
            let [red, green, blue] = Picture::from_result(&result).pixel(dot[0].into(), dot[1].into());
            assert_eq!((result["met"].as_bool(), u32::from_be_bytes([0, red, green, blue])), (Some(true), color));
        }
        scene.outlasts(json!({"change": {"region": corners(REGION)}, "timeout_ms": 300}), |painter| {
            for beside in &outside {
                painter.fill(*beside, RED);
            }
        });
    }
}

#[test]
fn what_was_drawn_before_the_request_is_no_change_unless_it_is_asked_for() {
    let mut scene = Scene::new("320x240");
    let before = scene.controller.must("screenshot", json!({}))["frame"].clone();
    scene.painter.fill([10, 10, 5, 5], RED);
    assert_eq!(scene.wait(json!({"change": {}, "timeout_ms": 100}))["met"], false);
    let since = json!({"change": {"since": before}, "timeout_ms": 40_000});
    assert_eq!(scene.wait(since)["met"], true);
    let here = json!({"change": {"since": before, "region": [0, 0, 64, 16]}, "timeout_ms": 40_000});
    assert_eq!(scene.wait(here)["met"], true);
    let elsewhere = json!({"change": {"since": before, "region": [64, 16, 320, 240]}, "timeout_ms": 100});
    assert_eq!(scene.wait(elsewhere)["met"], false);
    // Drawn, and not captured yet.
    let now = scene.controller.must("screenshot", json!({}))["frame"].clone();
    scene.painter.fill([100, 100, 5, 5], RED);
    let result = scene.wait(json!({"change": {"since": now, "region": [100, 100, 105, 105]}, "timeout_ms": 40_000}));
    assert_eq!((&result["met"], Picture::from_result(&result).pixel(101, 101)), (&json!(true), [255, 0, 0]));
}

#[test]
fn a_frame_of_an_older_display_has_changed_and_one_that_is_yet_to_come_is_refused() {
    let mut server = Scene::new("640x480");
    let old = server.controller.must("screenshot", json!({}))["frame"].as_str().unwrap().to_owned();
    let (epoch, serial) = old.split_once('-').unwrap();
    let (epoch, serial): (u32, u64) = (epoch.parse().unwrap(), serial.parse().unwrap());
    for wrong in [format!("{epoch}-{}", serial + 1), format!("{}-1", epoch + 1), "0-1".to_owned()] {
        let (kind, error) =
            server.controller.must_fail("wait_for", json!({"change": {"since": wrong}, "timeout_ms": 100}));
        assert_eq!(kind, "out_of_range", "{error}");
        assert!(error["message"].as_str().unwrap().contains(&wrong), "{error}");
    }
    drop(server);
    let owned = Deskhand::owned("320x240");
    let mut controller = Controller::connect(&owned);
    let old = controller.must("screenshot", json!({}))["frame"].clone();
    owned.xvfb().kill();
    // The next picture is the new display's.
    let new = loop {
        if let Ok(result) = controller.call("screenshot", json!({}))
            && result["frame"] != old
        {
            break result["frame"].clone();
        }
    };
    let result = controller.must("wait_for", json!({"change": {"since": old}, "timeout_ms": 40_000}));
    assert_eq!((&result["met"], &result["frame"]), (&json!(true), &new));
}

#[test]
fn a_screen_that_stands_still_ends_the_wait_and_one_that_does_not_the_time() {
    let mut scene = Scene::new("320x240");
    let result = scene.wait(json!({"stable": {"quiet_ms": 100}, "timeout_ms": 40_000}));
    assert_eq!(result["met"], true);
    assert!(result["waited_ms"].as_u64().unwrap() >= 100, "{}", result["waited_ms"]);
    assert!(result.get("image").is_some() && result.get("frame").is_some());

    // As long as something is drawn again and again, the wait goes on; its time alone ends it.
    let id = scene.begin(json!({"stable": {"quiet_ms": 2000}, "timeout_ms": 3000}));
    let elsewhere = json!({"stable": {"quiet_ms": 200, "region": corners(REGION)}, "timeout_ms": 40_000});
    let beside = scene.begin(elsewhere);
    let mut color = 0;
    let result = loop {
        color += 1;
        scene.painter.fill([200, 150, 10, 10], color);
        // One captured picture after the other, each of them different.
        scene.controller.must("screenshot", json!({}));
        if scene.controller.has_answer(id) {
            break scene.is_over(id);
        }
    };
    assert_eq!(result["met"], false);
    assert!(result["waited_ms"].as_u64().unwrap() >= 3000);
    assert_eq!(scene.is_over(beside)["met"], true, "nothing changed where it looked");
}

#[test]
fn what_a_caret_does_counts() {
    let mut scene = Scene::new("320x240");
    scene.controller.must("screenshot", json!({}));
    // Back and forth, as one that settling has long learned to look past.
    for step in 0..8 {
        scene.painter.fill([30, 30, 2, 12], if step % 2 == 0 { RED } else { BLUE });
        scene.controller.must("screenshot", json!({}));
    }
    let id = scene.begin(json!({"change": {"region": [28, 28, 34, 44]}, "timeout_ms": 40_000}));
    scene.painter.fill([30, 30, 2, 12], RED);
    assert_eq!(scene.is_over(id)["met"], true);
}

#[test]
fn a_wait_holds_nothing_up_and_ends_with_its_cancel_its_deadline_and_its_connection() {
    let mut scene = Scene::new("320x240");
    let waits: Vec<u64> = (0..31).map(|_| scene.begin(json!({"change": {}, "timeout_ms": 300_000}))).collect();
    scene.controller.must("screenshot", json!({}));
    scene.controller.must("left_click", json!({"coordinate": [5, 5]}));
    assert_eq!(scene.controller.must("status", json!({}))["in_flight"], 31);
    for id in &waits {
        assert_eq!(scene.controller.must("cancel", json!({ "id": id }))["cancelled"], true);
        let error = scene.controller.answer(*id).unwrap_err();
        assert_eq!(
            (&error["data"]["kind"], &error["data"]["executed"]),
            (&json!("cancelled"), &json!("no")),
            "{error}"
        );
    }
    for until in [json!({"change": {}}), json!({"stable": {"quiet_ms": 5000}})] {
        let mut params = until;
        params["timeout_ms"] = json!(300_000);
        params["_meta"] = json!({"deadline_ms": 100});
        let (kind, error) = scene.controller.must_fail("wait_for", params);
        assert_eq!((kind.as_str(), &error["data"]["executed"]), ("deadline_exceeded", &json!("no")));
    }
    // Whoever goes away takes his waits along.
    let mut other = Controller::connect(&scene.server);
    other.send("wait_for", json!({"change": {}, "timeout_ms": 300_000}));
    other.must("display.info", json!({}));
    other.abandon();
    scene.painter.fill([1, 1, 5, 5], BLUE);
    assert_eq!(scene.controller.must("status", json!({}))["in_flight"], 0);
}

#[test]
fn the_session_decides_what_the_picture_is_and_what_coordinates_mean() {
    let mut scene = Scene::new("640x480");
    let mut initialize = json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}});
    initialize["screen"] = json!({"max_long_edge": 320});
    initialize["images"] = json!("attachment");
    initialize["role"] = json!("observe");
    scene.controller.must("initialize", initialize);
    let id = scene.begin(json!({"change": {"region": [160, 120, 161, 121]}, "timeout_ms": 40_000}));
    scene.painter.fill([322, 242, 10, 10], RED);
    scene.begun();
    scene.painter.fill([320, 240, 2, 2], RED);
    let result = scene.is_over(id);
    let bytes = scene.controller.attachment(&result);
    let picture = Picture::from_attachment(&result, &bytes);
    assert_eq!((picture.width, picture.height), (320, 240));
    let [red, green, blue] = picture.pixel(160, 120);
    assert!(red > 0x80 && (green, blue) == (0, 0), "made of four pixels and what is around them");
    // The client has this picture.
    let meta = json!({"if_changed": result["frame"]});
    let result = scene.wait(json!({"stable": {"quiet_ms": 1}, "timeout_ms": 40_000, "_meta": meta}));
    assert_eq!(result["image"], json!({"unchanged": true}));
}

#[test]
fn a_display_that_goes_ends_the_wait() {
    let mut scene = Scene::new("320x240");
    let id = scene.begin(json!({"change": {}, "timeout_ms": 300_000}));
    scene.display.process.kill();
    let error = scene.controller.answer(id).unwrap_err();
    assert_eq!(error["data"]["kind"], "display_lost", "{error}");
}
