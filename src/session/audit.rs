//! What a record says of a request: what was asked for, without what is typed and where, unless all of it is to be kept.
//!
//! A key is typed text, too: a password can be pressed key by key. So a chord is kept only where it makes no character: with a
//! modifier other than Shift, or of keys that move, delete or open something.

use serde_json::{Map, Value, json};

use crate::protocol::{
    action::{Action, ChordText},
    audit::{AuditDetails, REDACTED},
    call::{Call, Prepared},
    control::{ControlCall, Force, LeaseCall},
    secret::SecretCall,
    secret_params::SecretRuleParams,
    units::Coordinate,
};

/// With one of these a chord makes no character.
const MODIFIERS: [&str; 9] = ["ctrl", "control", "control_l", "control_r", "alt", "alt_l", "super", "super_l", "meta"];
/// These make none by themselves.
const SILENT_KEYS: [&str; 26] = [
    "return",
    "enter",
    "tab",
    "escape",
    "esc",
    "backspace",
    "delete",
    "insert",
    "home",
    "end",
    "pageup",
    "page_up",
    "prior",
    "pagedown",
    "page_down",
    "next",
    "up",
    "down",
    "left",
    "right",
    "menu",
    "print",
    "pause",
    "caps_lock",
    "num_lock",
    "scroll_lock",
];
/// Nor do these, which only change others.
const SHIFTS: [&str; 3] = ["shift", "shift_l", "shift_r"];

/// What is recorded of a request.
pub fn details(request: &Prepared, keep: AuditDetails) -> Map<String, Value> {
    let mut details = call_details(&request.call, keep);
    details.insert("method".to_owned(), request.method.into());
    if let Some(keyed) = &request.meta.request_key {
        details.insert("request_key".to_owned(), String::from(keyed.key.clone()).into());
    }
    details
}

fn call_details(call: &Call, keep: AuditDetails) -> Map<String, Value> {
    match call {
        Call::Act(action) => action_details(action, keep),
        Call::Batch(actions) => {
            let named = |action: &Action| {
                let mut one = action_details(action, keep);
                one.insert("action".to_owned(), name(action).into());
                Value::Object(one)
            };
            object(json!({ "actions": actions.iter().map(named).collect::<Vec<_>>() }))
        }
        Call::Secret(SecretCall::Put(name, secret)) => object(json!({
            "event": "put", "secret": name, "rule": SecretRuleParams::from(&secret.rule), "uses": secret.uses,
            "ttl_s": secret.lifetime.map(|lifetime| lifetime.as_secs()),
        })),
        Call::Secret(SecretCall::Forget(name)) => object(json!({ "event": "forget", "secret": name })),
        Call::Secret(SecretCall::List) => object(json!({ "event": "list" })),
        Call::Lease(LeaseCall::Acquire(force)) => object(json!({ "force": *force == Force::Take })),
        Call::Control(call) => {
            let event = match call {
                ControlCall::Pause => "pause",
                ControlCall::Resume => "resume",
                ControlCall::Halt => "halt",
            };
            object(json!({ "event": event }))
        }
        Call::TaskBegin(said) => object(json!({
            "objective": said.objective, "purpose": said.purpose, "model": said.model,
            "max_turns": said.max_turns, "max_seconds": said.max_time.map(|time| time.as_secs()),
        })),
        Call::TaskEnd(said) => object(json!({ "success": said.success, "summary": said.summary })),
        _ => Map::new(),
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::Screenshot => "screenshot",
        Action::Zoom { .. } => "zoom",
        Action::Click { .. } => "click",
        Action::MouseDown { .. } => "mouse_down",
        Action::MouseUp { .. } => "mouse_up",
        Action::Drag { .. } => "drag",
        Action::MouseMove { .. } => "mouse_move",
        Action::CursorPosition => "cursor_position",
        Action::Scroll { .. } => "scroll",
        Action::ScrollPixels { .. } => "scroll_pixels",
        Action::Type { .. } | Action::TypeSecret { .. } => "type",
        Action::Paste { .. } => "paste",
        Action::Key { .. } => "key",
        Action::KeyDown { .. } => "key_down",
        Action::KeyUp { .. } => "key_up",
        Action::HoldKey { .. } => "hold_key",
        Action::Wait { .. } => "wait",
    }
}

fn action_details(action: &Action, keep: AuditDetails) -> Map<String, Value> {
    let place = |at: &Option<Coordinate>| at.as_ref().map(|at| point(at, keep));
    let held = |held: &Option<ChordText>| held.as_ref().map(|held| chord(held, keep));
    let value = match action {
        Action::Screenshot | Action::CursorPosition => json!({}),
        Action::Zoom { region } => {
            json!({ "region": shown(keep, || json!([region.x0, region.y0, region.x1, region.y1])) })
        }
        Action::Click { button, count, at, held: keys } => {
            json!({ "button": button, "count": count, "coordinate": place(at), "keys": held(keys) })
        }
        Action::MouseDown { button } | Action::MouseUp { button } => json!({ "button": button }),
        Action::Drag { start, path, button, held: keys } => json!({
            "button": button, "points": path.len() + usize::from(start.is_some()), "keys": held(keys),
            "path": shown(keep, || start.iter().chain(path).map(|at| point(at, keep)).collect()),
        }),
        Action::MouseMove { at } => json!({ "coordinate": point(at, keep) }),
        Action::Scroll { direction, notches, at, held: keys } => {
            json!({ "direction": direction, "notches": notches, "coordinate": place(at), "keys": held(keys) })
        }
        Action::ScrollPixels { dx, dy, at, held: keys } => {
            json!({ "dx": dx, "dy": dy, "coordinate": place(at), "keys": held(keys) })
        }
        Action::TypeSecret { name } => json!({ "secret": name }),
        Action::Type { text } | Action::Paste { text } => {
            json!({ "text": shown(keep, || json!(text)), "characters": text.chars().count() })
        }
        Action::Key { chords, repeat } => {
            json!({ "keys": chords.iter().map(|one| chord(one, keep)).collect::<Vec<_>>(), "repeat": repeat })
        }
        Action::KeyDown { chord: keys } | Action::KeyUp { chord: keys } => json!({ "keys": chord(keys, keep) }),
        Action::HoldKey { chord: keys, duration } => {
            json!({ "keys": chord(keys, keep), "duration_ms": milliseconds(*duration) })
        }
        Action::Wait { duration } => json!({ "duration_ms": milliseconds(*duration) }),
    };
    object(value)
}

/// The members of an object that say something.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

fn shown(keep: AuditDetails, full: impl FnOnce() -> Value) -> Value {
    match keep {
        AuditDetails::Full => full(),
        AuditDetails::Redacted => REDACTED.into(),
    }
}

fn point(at: &Coordinate, keep: AuditDetails) -> Value {
    shown(keep, || json!([at.x, at.y]))
}

fn chord(ChordText(text): &ChordText, keep: AuditDetails) -> Value {
    let keys: Vec<String> = text.split('+').map(str::to_ascii_lowercase).collect();
    let is = |list: &[&str], key: &String| list.contains(&key.as_str());
    let is_function = |key: &String| key.strip_prefix('f').is_some_and(|number| number.parse::<u8>().is_ok());
    let commands = keys.iter().any(|key| is(&MODIFIERS, key));
    let silent = keys.iter().all(|key| is(&SILENT_KEYS, key) || is(&SHIFTS, key) || is_function(key));
    if commands || silent { text.as_str().into() } else { shown(keep, || text.as_str().into()) }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{call, request};

    fn recorded(method: &str, params: &str, keep: AuditDetails) -> Value {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let prepared = call::prepare(request::read(&text).expect("a request")).expect("a call");
        Value::Object(details(&prepared, keep))
    }

    #[test]
    fn what_is_typed_and_where_is_left_out_and_its_length_kept() {
        for (method, params, expected) in [
            ("type", r#"{"text":"päss word"}"#, json!({"text": REDACTED, "characters": 9})),
            ("paste", r#"{"text":"secret"}"#, json!({"text": REDACTED, "characters": 6})),
            ("left_click", r#"{"coordinate":[11,22]}"#, json!({"button": "left", "count": 1, "coordinate": REDACTED})),
            ("drag", r#"{"path":[[1,2],[3,4]]}"#, json!({"button": "left", "points": 2, "path": REDACTED})),
            ("wait", r#"{"duration":0.5}"#, json!({"duration_ms": 500})),
            ("task.begin", r#"{"purpose":"why"}"#, json!({"purpose": "why"})),
        ] {
            let mut recorded = recorded(method, params, AuditDetails::Redacted);
            assert_eq!(recorded["method"].take(), method);
            recorded.as_object_mut().unwrap().remove("method");
            assert_eq!(recorded, expected);
        }
    }

    #[test]
    fn keys_that_make_a_character_are_typed_text() {
        let keys =
            |text: &str| recorded("key", &format!(r#"{{"text":"{text}"}}"#), AuditDetails::Redacted)["keys"].clone();
        for text in ["p", "exclam", "shift+a", "7", "odiaeresis", "KP_7", "space", "f", "Multi_key"] {
            assert_eq!(keys(text), json!([REDACTED]), "{text}");
        }
        for text in ["ctrl+c", "Return", "alt+F4", "shift+Tab", "F12", "super", "ctrl+shift+t", "Page_Down"] {
            assert_eq!(keys(text), json!([text]), "{text}");
        }
        assert_eq!(keys("p ctrl+a q"), json!([REDACTED, "ctrl+a", REDACTED]), "each by itself");
    }

    #[test]
    fn a_batch_is_recorded_action_by_action() {
        let params = r#"{"actions":[{"name":"left_click"},{"name":"type","input":{"text":"abc"}}]}"#;
        let recorded = recorded("batch", params, AuditDetails::Redacted);
        assert_eq!(
            recorded["actions"],
            json!([{"action": "click", "button": "left", "count": 1},
                {"action": "type", "text": REDACTED, "characters": 3}])
        );
    }

    #[test]
    fn all_of_it_is_kept_where_that_was_asked_for() {
        let full = |method, params| recorded(method, params, AuditDetails::Full).to_string();
        assert!(full("type", r#"{"text":"abc"}"#).contains("abc"));
        assert!(full("key", r#"{"text":"p"}"#).contains(r#"["p"]"#));
        assert!(!full("left_click", r#"{"coordinate":[11,22]}"#).contains(REDACTED));
    }
}
