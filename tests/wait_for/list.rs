//! `windows.list`.

use serde_json::{Value, json};

use crate::{
    client::Kind,
    support::{Controller, Windows},
    window::{Manager, Scene},
};

fn named<'a>(list: &'a Value, class: &str) -> &'a Value {
    let windows = list["windows"].as_array().unwrap();
    windows.iter().find(|window| window["class"] == class).unwrap_or_else(|| panic!("no {class} in {list}"))
}

#[test]
fn a_list_tells_place_and_names_from_the_lowest_to_the_topmost() {
    for manager in [Manager::Nobody, Manager::Openbox] {
        let mut scene = Scene::new(manager);
        assert_eq!(scene.controller.must("windows.list", json!({})), json!({"windows": []}), "an empty desktop");
        let watching = Windows::new(&scene.server.display);
        let mut ids = Vec::new();
        for (class, place) in [("Low", [40, 60, 300, 200]), ("High", [100, 120, 250, 150])] {
            let window = scene.client.window(Kind::Ordinary, place, ["instance", class], "a title");
            let id = scene.begin(json!({"class": class}));
            scene.client.map(window);
            scene.met(id);
            ids.push(window);
        }
        let popup = scene.client.window(Kind::OverrideRedirect, [-20, 580, 100, 50], ["menu", "Menu"], "");
        let id = scene.begin(json!({"class": "Menu"}));
        scene.client.map(popup);
        scene.met(id);
        let _hidden = scene.client.window(Kind::Ordinary, [0, 0, 10, 10], ["hidden", "Hidden"], "");
        watching.focus(ids[1]);
        let list = scene.controller.must("windows.list", json!({}));
        let order: Vec<&Value> = list["windows"].as_array().unwrap().iter().map(|window| &window["class"]).collect();
        assert_eq!(order, ["Low", "High", "Menu"]);
        let high = named(&list, "High");
        let [x, y, width, height] = watching.rectangle(ids[1]);
        let expected = json!({"id": ids[1], "class": "High", "instance": "instance", "title": "a title",
            "x": x, "y": y, "width": width, "height": height, "active": true});
        assert_eq!(high, &expected, "the application's own window, wherever a frame has put it");
        assert_eq!((width, height), (250, 150));
        assert_eq!((&named(&list, "Low")["active"], &named(&list, "Menu")["active"]), (&json!(false), &json!(false)));
        let popup = named(&list, "Menu");
        assert_eq!((&popup["x"], &popup["y"], &popup["width"]), (&json!(-20), &json!(580), &json!(100)));
        // What is listed can be named where a window is expected.
        let meta = json!({"expect_window": {"id": high["id"]}});
        scene.controller.must("key", json!({"text": "F8", "_meta": meta}));
    }
}

#[test]
fn a_list_speaks_the_sessions_coordinates_and_needs_no_lease() {
    let mut scene = Scene::new(Manager::Nobody);
    let window = scene.client.window(Kind::Ordinary, [40, 60, 200, 100], ["a", "A"], "a");
    scene.client.map(window);
    scene.controller.must("left_click", json!({"coordinate": [700, 500]}));
    let mut observer = Controller::connect(&scene.server);
    let mut initialize = json!({"protocol": "deskhand.v1", "client": {"name": "t", "version": "1"}});
    initialize["screen"] = json!({"max_long_edge": 400});
    initialize["role"] = json!("observe");
    observer.must("initialize", initialize);
    let list = observer.must("windows.list", json!({}));
    let seen = named(&list, "A");
    assert_eq!((&seen["x"], &seen["y"]), (&json!(20), &json!(30)));
    assert_eq!((&seen["width"], &seen["height"]), (&json!(100), &json!(50)));
    let waited = observer.must("wait_for", json!({"window": {"class": "A"}, "timeout_ms": 40_000}));
    assert_eq!(waited["met"], true);
}
