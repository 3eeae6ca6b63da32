//! The values of labels: closed sets, or none at all, so that nobody makes series by what they send.

use crate::protocol::{action::Action, call::Call};

/// What stands for a user or a model past the bound of their set.
pub(super) const OTHER: &str = "other";

/// What a request does. Methods that differ only in a button or a unit share a value: sixty methods with two outcomes and a
/// histogram each would be more series than a small server is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// `screenshot`, `zoom`.
    Picture,
    /// All clicks.
    Click,
    /// Both drags.
    Drag,
    /// Moves, and buttons that go down or up by themselves; also asking where the pointer is.
    Pointer,
    /// `scroll`, `scroll_pixels`.
    Scroll,
    /// `type`, `paste`.
    Text,
    /// `key`, `hold_key`, `key_down`, `key_up`.
    Key,
    /// `wait`, `wait_for`: as long as was asked.
    Wait,
    /// Several actions.
    Batch,
    /// About the session or the server.
    Control,
}

impl ActionKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Picture,
        Self::Click,
        Self::Drag,
        Self::Pointer,
        Self::Scroll,
        Self::Text,
        Self::Key,
        Self::Wait,
        Self::Batch,
        Self::Control,
    ];

    /// Of a request. `computer` counts as what it does.
    pub const fn of(call: &Call) -> Self {
        match call {
            Call::Act(action) => Self::of_action(action),
            Call::Batch(_) => Self::Batch,
            Call::WaitFor(_) => Self::Wait,
            _ => Self::Control,
        }
    }

    const fn of_action(action: &Action) -> Self {
        match action {
            Action::Screenshot | Action::Zoom { .. } => Self::Picture,
            Action::Click { .. } => Self::Click,
            Action::Drag { .. } => Self::Drag,
            Action::MouseMove { .. } | Action::MouseDown { .. } | Action::MouseUp { .. } | Action::CursorPosition => {
                Self::Pointer
            }
            Action::Scroll { .. } | Action::ScrollPixels { .. } => Self::Scroll,
            Action::Type { .. } | Action::TypeSecret { .. } | Action::Paste { .. } => Self::Text,
            Action::Key { .. } | Action::HoldKey { .. } | Action::KeyDown { .. } | Action::KeyUp { .. } => Self::Key,
            Action::Wait { .. } => Self::Wait,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Click => "click",
            Self::Drag => "drag",
            Self::Pointer => "pointer",
            Self::Scroll => "scroll",
            Self::Text => "text",
            Self::Key => "key",
            Self::Wait => "wait",
            Self::Batch => "batch",
            Self::Control => "control",
        }
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// With a result.
    Ok,
    /// With an error.
    Error,
}

impl Answered {
    pub(super) const ALL: [Self; 2] = [Self::Ok, Self::Error];

    /// Of an answer.
    pub const fn of<T, E>(answer: &Result<T, E>) -> Self {
        match answer {
            Ok(_) => Self::Ok,
            Err(_) => Self::Error,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// The families of language models that have a value of their own, by how their names begin.
const MODELS: [&str; 8] = ["claude", "gpt", "computer-use-preview", "gemini", "qwen", "ui-tars", "llama", "deepseek"];

/// The family of a model. Whoever serves a model may put names before its name, as in `us.anthropic.claude-…` or
/// `openai/gpt-…`.
pub(super) fn model_family(model: &str) -> &'static str {
    let model = model.to_ascii_lowercase();
    let known = |part: &str| MODELS.into_iter().find(|family| part.starts_with(family));
    model.split(['/', '.']).find_map(known).unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_known_by_the_family_and_whatever_else_is_other() {
        for (model, family) in [
            ("claude-opus-4-5", "claude"),
            ("us.anthropic.claude-sonnet-4-v1:0", "claude"),
            ("OpenAI/GPT-5.1", "gpt"),
            ("computer-use-preview-2025-03-11", "computer-use-preview"),
            ("models/gemini-2.5-computer-use", "gemini"),
            ("Qwen2.5-VL-72B", "qwen"),
            ("", OTHER),
            ("not-claude", OTHER),
            ("x\"} 1\n", OTHER),
        ] {
            assert_eq!(model_family(model), family, "{model}");
        }
    }

    #[test]
    fn kinds_are_numbered_in_the_order_of_the_list() {
        assert!(ActionKind::ALL.iter().enumerate().all(|(number, kind)| *kind as usize == number));
        assert!(Answered::ALL.iter().enumerate().all(|(number, answered)| *answered as usize == number));
    }
}
