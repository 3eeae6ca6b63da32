//! Focus that moves in the middle of a text: the count is what the window received, exactly.

use serde_json::json;

use super::{Scene, data, other::Other};

/// Long enough to be under way for seconds at the pace of the tests, so that the other program gets its turn.
fn long_text() -> String {
    "abcdefghijklmnopqrstuvwxyz ".repeat(60)
}

#[test]
fn the_count_is_what_the_window_received_before_another_one_took_the_focus() {
    for after in ["1", "40", "300"] {
        let mut scene = Scene::new();
        let window = scene.recorder.window.to_string();
        let other = Other::start(&scene.server.display, &["thief", &window, after]);
        let (kind, error) = scene.controller.must_fail("type", json!({"text": long_text(), "_meta": {"pace_ms": 2}}));
        assert_eq!(kind, "focus_lost", "{error:#}");
        let typed = usize::try_from(data(&error)["typed"].as_u64().unwrap()).unwrap();
        assert_eq!(scene.received(), long_text()[..typed], "taken after {after}");
        assert!(typed >= after.parse().unwrap());
        other.end();
    }
}

#[test]
fn the_count_is_exact_as_well_when_another_program_takes_the_keyboard() {
    let mut scene = Scene::new();
    let window = scene.recorder.window.to_string();
    let other = Other::start(&scene.server.display, &["grabber", &window, "30"]);
    let (kind, error) = scene.controller.must_fail("type", json!({"text": long_text(), "_meta": {"pace_ms": 2}}));
    assert_eq!(kind, "input_grabbed", "{error:#}");
    assert_eq!(data(&error)["process"]["pid"], other.pid(), "{error:#}");
    let typed = usize::try_from(data(&error)["typed"].as_u64().unwrap()).unwrap();
    assert_eq!(scene.received(), long_text()[..typed]);
    other.end();
}

#[test]
fn a_pace_leaves_time_between_characters() {
    let mut scene = Scene::new();
    scene.controller.must("type", json!({"text": "abcd", "_meta": {"pace_ms": 20}}));
    let times: Vec<u32> = scene
        .recorder
        .everything()
        .iter()
        .filter_map(|seen| match seen {
            super::support::Recorded::Key { down: true, time, .. } => Some(*time),
            _ => None,
        })
        .collect();
    assert_eq!(times.len(), 4);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 20), "{times:?}");
    scene.controller.must("type", json!({"text": "xyz", "_meta": {"pace_ms": 90}}));
    assert_eq!(scene.received(), "abcdxyz");
}
