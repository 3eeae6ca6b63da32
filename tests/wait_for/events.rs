//! The event `windows`.

use serde_json::{Value, json};

use crate::{
    client::Kind,
    window::{Manager, Scene},
};

fn titles(event: &Value) -> Vec<&str> {
    event["windows"].as_array().unwrap().iter().map(|window| window["title"].as_str().unwrap()).collect()
}

#[test]
fn a_subscriber_is_told_of_every_change_and_of_what_there_is_at_first() {
    for manager in [Manager::Nobody, Manager::Openbox] {
        let mut scene = Scene::new(manager);
        let window = scene.client.window(Kind::Ordinary, [40, 60, 200, 100], ["a", "A"], "one");
        let id = scene.begin(json!({"class": "A"}));
        scene.client.map(window);
        scene.met(id);
        let number = scene.controller.must("subscribe", json!({"events": ["windows"]}))["subscription"].clone();
        let first = scene.controller.event(|event| event["type"] == "windows");
        assert_eq!((&first["subscription"], titles(&first)), (&number, vec!["one"]));
        let list = scene.controller.must("windows.list", json!({}));
        assert_eq!(first["windows"], list["windows"]);
        scene.client.title(window, "two");
        scene.controller.event(|event| event["type"] == "windows" && titles(event) == ["two"]);
        scene.client.destroy(window);
        scene.controller.event(|event| event["type"] == "windows" && titles(event).is_empty());
        scene.controller.must("unsubscribe", json!({"subscription": number}));
    }
}
