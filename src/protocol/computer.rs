//! `computer{action, …}`: the three older single tools, each with its own list of actions and fields.

use serde_json::{Map, Value};

use super::{
    action::Action,
    error::{ErrorKind, Failure},
    json,
    meta::ToolVersion,
    method::{self, Kind},
};

/// The actions of the first version; later ones add to them.
const ACTIONS_20241022: &[&str] = &[
    "key",
    "type",
    "mouse_move",
    "left_click",
    "left_click_drag",
    "right_click",
    "middle_click",
    "double_click",
    "screenshot",
    "cursor_position",
];

/// What the second version added.
const ACTIONS_20250124: &[&str] = &["left_mouse_down", "left_mouse_up", "scroll", "hold_key", "wait", "triple_click"];

/// What the third version added.
const ACTIONS_20251124: &[&str] = &["zoom"];

/// The optional fields of the tool, whichever its action.
const FIELDS: &[&str] =
    &["coordinate", "start_coordinate", "text", "duration", "scroll_direction", "scroll_amount", "region", "repeat"];

impl ToolVersion {
    fn actions(self) -> impl Iterator<Item = &'static str> {
        let second = if self == Self::Computer20241022 { &[] } else { ACTIONS_20250124 };
        let third = if self == Self::Computer20251124 { ACTIONS_20251124 } else { &[] };
        ACTIONS_20241022.iter().chain(second).chain(third).copied()
    }

    /// Fields that the toolset of today knows and this version did not.
    fn refuses(self, action: &str, field: &str) -> bool {
        match self {
            Self::Computer20241022 => {
                (action.ends_with("_click") && ["coordinate", "text"].contains(&field))
                    || (action == "left_click_drag" && field != "coordinate")
                    || (action == "key" && field == "repeat")
            }
            Self::Computer20250124 => action == "key" && field == "repeat",
            Self::Computer20251124 => false,
        }
    }
}

/// Reads a call of one of the older tools: the member of today's toolset that it names, and its action.
///
/// # Errors
/// `invalid_params` for an action or a field that the version does not have, else what the action itself says.
pub(super) fn read(mut params: Map<String, Value>, tool: ToolVersion) -> Result<(&'static str, Action), Failure> {
    let invalid = |message: String| Failure::new(ErrorKind::InvalidParams, message);
    let action = match params.remove("action") {
        Some(Value::String(action)) => action,
        Some(other) => return Err(invalid(format!("action = {other} is not a string"))),
        None => return Err(invalid("missing field `action`: which of the tool's actions to carry out".to_owned())),
    };
    let Some(name) = tool.actions().find(|known| *known == action) else {
        let known: Vec<_> = tool.actions().collect();
        let message = format!("action = `{}` is not one of {}", json::clipped(&action), known.join(", "));
        return Err(invalid(message));
    };
    // Models fill in every field of the tool that they do not use with null; that is absent.
    params.retain(|field, value| !(value.is_null() && FIELDS.contains(&field.as_str())));
    if let Some(field) = params.keys().find(|field| tool.refuses(name, field)) {
        return Err(invalid(format!("{name} of this tool version has no field `{field}`; leave it out")));
    }
    match method::find(name)?.kind {
        Kind::Action(read) => Ok((name, read(params)?)),
        Kind::Control | Kind::Later => Err(invalid(format!("{name} is not an action"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::{action::Button, units::Coordinate};

    fn call(tool: ToolVersion, params: &Value) -> Result<Action, ErrorKind> {
        let Value::Object(params) = params.clone() else { unreachable!("an object") };
        read(params, tool).map(|(_, action)| action).map_err(|failure| failure.kind)
    }

    #[test]
    fn each_version_has_its_actions_and_no_later_ones() {
        use ToolVersion::{Computer20241022, Computer20250124, Computer20251124};
        let zoom = json!({"action": "zoom", "region": [0, 0, 5, 5]});
        let wait = json!({"action": "wait", "duration": 1});
        for (tool, waits, zooms) in
            [(Computer20241022, false, false), (Computer20250124, true, false), (Computer20251124, true, true)]
        {
            assert_eq!(call(tool, &wait).is_ok(), waits, "{tool:?}");
            assert_eq!(call(tool, &zoom).is_ok(), zooms, "{tool:?}");
            assert_eq!(call(tool, &json!({"action": "screenshot"})), Ok(Action::Screenshot));
        }
    }

    #[test]
    fn every_action_of_every_version_is_a_method() {
        for name in ToolVersion::Computer20251124.actions() {
            assert!(matches!(method::find(name).map(|method| &method.kind), Ok(Kind::Action(_))), "{name}");
        }
    }

    #[test]
    fn fields_that_are_null_are_absent() {
        let screenshot = json!({"action": "screenshot", "coordinate": null, "text": null, "duration": null});
        assert_eq!(call(ToolVersion::Computer20241022, &screenshot), Ok(Action::Screenshot));
        let move_nowhere = json!({"action": "mouse_move", "coordinate": null});
        assert_eq!(call(ToolVersion::Computer20251124, &move_nowhere), Err(ErrorKind::InvalidParams));
        let unknown = json!({"action": "screenshot", "colour": null});
        assert_eq!(call(ToolVersion::Computer20251124, &unknown), Err(ErrorKind::InvalidParams));
    }

    #[test]
    fn the_first_version_clicks_at_the_pointer_only() {
        let click = json!({"action": "left_click", "coordinate": [1, 2]});
        assert_eq!(call(ToolVersion::Computer20241022, &click), Err(ErrorKind::InvalidParams));
        let expected =
            Action::Click { button: Button::Left, count: 1, at: Some(Coordinate { x: 1, y: 2 }), held: None };
        assert_eq!(call(ToolVersion::Computer20250124, &click), Ok(expected));
    }
}
