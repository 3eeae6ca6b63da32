//! The closed list of methods: what each takes, and which of them this version has.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    action::{Action, Button},
    confirm::ConfirmAnswerParams,
    control::LeaseAcquireParams,
    control_params::{BatchParams, CancelParams, ComputerParams, StatusParams},
    error::{ErrorKind, Failure},
    initialize::InitializeParams,
    json,
    params::{
        ButtonParams, ChordParams, ClickAtParams, ClickParams, DragParams, HoldKeyParams, IntoAction, KeyParams,
        LeftClickDragParams, MouseMoveParams, NoParams, PasteParams, ScrollParams, ScrollPixelsParams, TypeParams,
        WaitParams, ZoomParams,
    },
    secret_params::{SecretForgetParams, SecretPutParams},
    subscription::{AcknowledgeParams, SubscribeParams, UnsubscribeParams},
    task::{TaskBeginParams, TaskEndParams},
    usage::{UsageCheckParams, UsageReportParams},
    wait_for::WaitForParams,
    wire,
};

/// How a method's parameters become what the engine runs.
pub(super) enum Kind {
    /// An action of the desktop.
    Action(fn(Map<String, Value>) -> Result<Action, Failure>),
    /// A request about the session or the server; `call` reads it.
    Control,
    /// Part of the contract, not of this version.
    Later,
}

/// One row of the table.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
}

/// Reads parameters strictly: an unknown field is an error that names it, and a wrong value one that says where it stands.
///
/// # Errors
/// `invalid_params`.
pub(super) fn read<T: DeserializeOwned>(params: Map<String, Value>) -> Result<T, Failure> {
    wire::read(Value::Object(params))
}

const fn control<P: JsonSchema>(name: &'static str) -> Method {
    Method { name, kind: Kind::Control, schema: SchemaGenerator::subschema_for::<P> }
}

const fn later(name: &'static str) -> Method {
    Method { name, kind: Kind::Later, schema: |_| schemars::json_schema!({ "type": "object" }) }
}

macro_rules! action {
    ($name:literal, $params:ty) => {
        action!($name, $params, |params| params.into_action())
    };
    ($name:literal, $params:ty, |$value:ident| $into:expr) => {
        Method {
            name: $name,
            kind: Kind::Action(|params| {
                let $value: $params = read(params)?;
                $into
            }),
            schema: SchemaGenerator::subschema_for::<$params>,
        }
    };
}

/// Every method of the contract. The order is that of the contract and of `initialize`.
pub(super) static METHODS: &[Method] = &[
    control::<InitializeParams>("initialize"),
    control::<NoParams>("ping"),
    control::<CancelParams>("cancel"),
    control::<StatusParams>("status"),
    control::<NoParams>("display.info"),
    action!("screenshot", NoParams, |_params| Ok(Action::Screenshot)),
    action!("zoom", ZoomParams),
    action!("left_click", ClickAtParams, |params| Ok(params.into_click(Button::Left, 1))),
    action!("right_click", ClickAtParams, |params| Ok(params.into_click(Button::Right, 1))),
    action!("middle_click", ClickAtParams, |params| Ok(params.into_click(Button::Middle, 1))),
    action!("double_click", ClickAtParams, |params| Ok(params.into_click(Button::Left, 2))),
    action!("triple_click", ClickAtParams, |params| Ok(params.into_click(Button::Left, 3))),
    action!("left_click_drag", LeftClickDragParams),
    action!("mouse_move", MouseMoveParams),
    action!("left_mouse_down", NoParams, |_params| Ok(Action::MouseDown { button: Button::Left })),
    action!("left_mouse_up", NoParams, |_params| Ok(Action::MouseUp { button: Button::Left })),
    action!("cursor_position", NoParams, |_params| Ok(Action::CursorPosition)),
    action!("scroll", ScrollParams),
    action!("type", TypeParams),
    action!("key", KeyParams),
    action!("hold_key", HoldKeyParams),
    action!("wait", WaitParams),
    control::<ComputerParams>("computer"),
    action!("click", ClickParams),
    action!("mouse_down", ButtonParams, |params| Ok(Action::MouseDown { button: params.button })),
    action!("mouse_up", ButtonParams, |params| Ok(Action::MouseUp { button: params.button })),
    action!("drag", DragParams),
    action!("key_down", ChordParams, |params| Ok(Action::KeyDown { chord: super::action::ChordText(params.text) })),
    action!("key_up", ChordParams, |params| Ok(Action::KeyUp { chord: super::action::ChordText(params.text) })),
    action!("paste", PasteParams),
    control::<BatchParams>("batch"),
    action!("scroll_pixels", ScrollPixelsParams),
    later("anthropic.tool_use"),
    later("openai.computer_call"),
    later("gemini.function_call"),
    control::<LeaseAcquireParams>("lease.acquire"),
    control::<NoParams>("lease.release"),
    control::<NoParams>("session.pause"),
    control::<NoParams>("session.resume"),
    control::<NoParams>("session.halt"),
    control::<TaskBeginParams>("task.begin"),
    control::<TaskEndParams>("task.end"),
    control::<UsageCheckParams>("usage.check"),
    control::<UsageReportParams>("usage.report"),
    control::<NoParams>("usage.get"),
    control::<SecretPutParams>("secret.put"),
    control::<SecretForgetParams>("secret.forget"),
    control::<NoParams>("secret.list"),
    control::<ConfirmAnswerParams>("confirm.answer"),
    control::<SubscribeParams>("subscribe"),
    control::<UnsubscribeParams>("unsubscribe"),
    control::<AcknowledgeParams>("frames.ack"),
    later("display.resize"),
    later("display.reset"),
    later("clipboard.read"),
    later("clipboard.write"),
    control::<NoParams>("windows.list"),
    later("windows.activate"),
    later("windows.move"),
    later("windows.close"),
    control::<WaitForParams>("wait_for"),
];

/// Finds a method that this version has.
///
/// # Errors
/// `unknown_method` with the nearest names, or `unsupported`.
pub(super) fn find(name: &str) -> Result<&'static Method, Failure> {
    match METHODS.iter().find(|method| method.name == name) {
        Some(method) if matches!(method.kind, Kind::Later) => {
            Err(Failure::new(ErrorKind::Unsupported, format!("{name} is not part of this version"))
                .hint("`initialize` lists the methods that this server has"))
        }
        Some(method) => Ok(method),
        None => {
            let names = nearest(name);
            let message = format!("there is no method `{}`; nearest: {}", json::clipped(name), names.join(", "));
            Err(Failure::new(ErrorKind::UnknownMethod, message).with(|detail| detail.names = Some(names)))
        }
    }
}

/// The name of a method as the table spells it, also of one that a later version brings.
///
/// # Errors
/// The nearest names.
pub fn named(name: &str) -> Result<&'static str, Vec<String>> {
    let names = || METHODS.iter().map(|method| method.name);
    names().find(|known| *known == name).ok_or_else(|| nearest_of(name, names()))
}

/// The names of all methods that this version has.
pub fn available() -> impl Iterator<Item = &'static str> {
    METHODS.iter().filter(|method| !matches!(method.kind, Kind::Later)).map(|method| method.name)
}

/// The three names most like this one.
fn nearest(name: &str) -> Vec<String> {
    nearest_of(name, available())
}

fn nearest_of(name: &str, known: impl Iterator<Item = &'static str>) -> Vec<String> {
    /// As many as fit one line and still help.
    const SHOWN: usize = 3;
    let name: String = name.chars().take(64).collect();
    let mut ranked: Vec<_> = known.map(|known| (strsim::damerau_levenshtein(&name, known), known)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(SHOWN).map(|(_, known)| known.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_stands_once() {
        let names: HashSet<_> = METHODS.iter().map(|method| method.name).collect();
        assert_eq!(names.len(), METHODS.len());
    }

    #[test]
    fn an_unknown_name_comes_back_with_the_nearest() {
        let failure = find("left_clik").err().expect("unknown");
        assert_eq!(failure.kind, ErrorKind::UnknownMethod);
        assert_eq!(failure.detail.expect("names").names.expect("names")[0], "left_click");
    }

    #[test]
    fn what_a_later_version_adds_is_unsupported_and_not_listed() {
        assert_eq!(find("display.reset").err().expect("later").kind, ErrorKind::Unsupported);
        assert!(available().all(|name| name != "display.reset"));
    }
}
