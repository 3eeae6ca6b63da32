//! The decision on a request by the operator's policy, before anything of it runs.

use std::sync::Arc;

use crate::{
    plan::{
        bounds::{Bounds, OutOfBounds},
        chord::parse_chord,
        chord_pattern::ChordPattern,
    },
    protocol::{
        action::{Action, ChordText},
        call::{self, Call, Prepared},
        error::{ErrorKind, Failure},
        observe::{ObservedImage, Observing},
        policy::{ConfirmRule, Permission, Policy, WindowRules},
    },
};

/// A policy that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rulebook {
    policy: Policy,
    bounds: Option<Arc<Bounds>>,
}

impl Rulebook {
    /// Puts a policy in force.
    ///
    /// # Errors
    /// A pattern of a chord that is none.
    pub fn new(policy: Policy) -> Result<Self, String> {
        let chords = policy.deny_chords.iter().map(|text| ChordPattern::parse(text)).collect::<Result<Vec<_>, _>>();
        let chords = chords.map_err(|error| format!("deny_chords: {error}"))?;
        let bounds = Bounds::new(policy.regions.clone(), chords).map(Arc::new);
        Ok(Self { policy, bounds })
    }

    /// The SHA-256 of its file.
    pub fn sha256(&self) -> &str {
        &self.policy.sha256
    }

    /// What actions must keep within.
    pub fn bounds(&self) -> Option<&Arc<Bounds>> {
        self.bounds.as_ref()
    }

    /// The rules about windows, where any is about input.
    pub fn windows_for_input(&self) -> Option<&Arc<WindowRules>> {
        Some(&self.policy.windows).filter(|rules| rules.restrict_input())
    }

    /// The rules about windows, where any paints one over.
    pub fn windows_for_masks(&self) -> Option<&Arc<WindowRules>> {
        Some(&self.policy.windows).filter(|rules| rules.mask_anything())
    }

    /// What waits for consent.
    pub fn confirm(&self) -> &[ConfirmRule] {
        &self.policy.confirm
    }

    /// The rule by which a request waits for consent that is no action, and so for no window.
    pub fn rule_for(&self, method: &str) -> Option<&ConfirmRule> {
        self.confirm().iter().find(|rule| rule.method == Some(method) && rule.window.is_none())
    }

    /// Whether a method may be called at all. `computer` is what it names.
    pub fn lists(&self, method: &str) -> bool {
        method == "computer" || self.policy.lists(method)
    }

    /// Whether a request may run, as far as it alone tells.
    ///
    /// # Errors
    /// `forbidden` with the rule; of a batch with the place of the action.
    pub fn permits(&self, request: &Prepared) -> Result<(), Failure> {
        let Prepared { method, call, members, meta, .. } = request;
        match call {
            Call::Batch(actions) => {
                self.method(method)?;
                for ((action, name), index) in actions.iter().zip(members).zip(0..) {
                    self.action(name, action).map_err(|failure| call::indexed(failure, name, index))?;
                }
            }
            Call::Act(action) => self.action(members.first().unwrap_or(method), action)?,
            _ => self.method(method)?,
        }
        let looks = matches!(call, Call::Act(Action::Screenshot | Action::Zoom { .. }));
        let wants_picture = matches!(&meta.observe, Observing::On(observe) if observe.image == ObservedImage::Sent);
        if wants_picture && !looks && !self.policy.lists("screenshot") {
            let message =
                "the policy does not list `screenshot`, so `observe` gives no picture; ask for it with `image: false`";
            return Err(forbidden(message));
        }
        Ok(())
    }

    fn action(&self, name: &str, action: &Action) -> Result<(), Failure> {
        self.method(name)?;
        if matches!(action, Action::Paste { .. }) {
            self.clipboard(name)?;
        }
        let Some(bounds) = &self.bounds else { return Ok(()) };
        for ChordText(text) in chords(action) {
            // What is no chord is told by whoever looks its keys up, before anything runs.
            if let Ok(chord) = parse_chord(text) {
                bounds.chord(&chord).map_err(out_of_bounds)?;
            }
        }
        Ok(())
    }

    fn method(&self, name: &str) -> Result<(), Failure> {
        if !self.policy.lists(name) {
            return Err(forbidden(format!(
                "the policy's methods do not list `{name}`; use one that `initialize` names"
            )));
        }
        if name.starts_with("clipboard.") {
            self.clipboard(name)?;
        }
        if name == "display.resize" && self.policy.resize == Permission::Denied {
            return Err(forbidden("the policy does not have `resize = true`, so the screen keeps its size"));
        }
        Ok(())
    }

    fn clipboard(&self, name: &str) -> Result<(), Failure> {
        match self.policy.clipboard {
            Permission::Granted => Ok(()),
            Permission::Denied => {
                Err(forbidden(format!("the policy does not have `clipboard = true`, which `{name}` needs; use `type`")))
            }
        }
    }
}

/// The chords that an action presses. What it lets go of is none of them.
fn chords(action: &Action) -> impl Iterator<Item = &ChordText> {
    let (several, one): (&[ChordText], Option<&ChordText>) = match action {
        Action::Key { chords, .. } => (chords, None),
        Action::KeyDown { chord } | Action::HoldKey { chord, .. } => (&[], Some(chord)),
        Action::Click { held, .. }
        | Action::Drag { held, .. }
        | Action::Scroll { held, .. }
        | Action::ScrollPixels { held, .. } => (&[], held.as_ref()),
        _ => (&[], None),
    };
    several.iter().chain(one)
}

/// What is answered when an action would leave its bounds.
pub fn out_of_bounds(OutOfBounds(message): OutOfBounds) -> Failure {
    forbidden(message)
}

fn forbidden(message: impl Into<String>) -> Failure {
    Failure::new(ErrorKind::Forbidden, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{method, request};

    fn rulebook(methods: &[&'static str], deny_chords: &[&str], clipboard: Permission) -> Rulebook {
        let deny_chords = deny_chords.iter().map(|text| (*text).to_owned()).collect();
        let methods = methods.iter().copied().collect();
        Rulebook::new(Policy { methods, deny_chords, clipboard, ..Policy::default() }).expect("a policy")
    }

    fn decide(rulebook: &Rulebook, method: &str, params: &serde_json::Value) -> Result<(), Failure> {
        let text = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let prepared = call::prepare(request::read(&text).expect("an envelope"));
        rulebook.permits(&prepared.expect("a request"))
    }

    fn is_forbidden(outcome: &Result<(), Failure>) -> bool {
        outcome.as_ref().is_err_and(|failure| failure.kind == ErrorKind::Forbidden)
    }

    #[test]
    fn a_member_counts_whether_it_comes_alone_in_a_batch_or_by_an_older_tool() {
        let rules = rulebook(&["batch", "left_click", "key"], &["ctrl+alt+*"], Permission::Denied);
        let object = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        for (method, params) in [
            ("left_click", r#"{"coordinate":[1,1]}"#),
            ("computer", r#"{"action":"left_click","coordinate":[1,1]}"#),
            ("batch", r#"{"actions":[{"name":"left_click"},{"name":"computer","input":{"action":"key","text":"a"}}]}"#),
            ("key_up", r#"{"text":"ctrl+alt+t"}"#),
            ("ping", "{}"),
        ] {
            assert_eq!(decide(&rules, method, &object(params)), Ok(()), "{method} {params}");
        }
        for (method, params, index) in [
            ("click", r#"{"coordinate":[1,1]}"#, None),
            ("computer", r#"{"action":"screenshot"}"#, None),
            ("computer", r#"{"action":"left_click","coordinate":[1,1],"text":"alt+ctrl+Delete"}"#, None),
            ("batch", r#"{"actions":[{"name":"left_click"},{"name":"type","input":{"text":"a"}}]}"#, Some(1)),
            ("batch", r#"{"actions":[{"name":"key","input":{"text":"a ctrl+alt+t"}}]}"#, Some(0)),
            ("left_click", r#"{"_meta":{"observe":{}}}"#, None),
            ("display.info", "{}", None),
        ] {
            let outcome = decide(&rules, method, &object(params));
            assert!(is_forbidden(&outcome), "{method} {params}: {outcome:?}");
            assert_eq!(outcome.expect_err("forbidden").detail.and_then(|detail| detail.index), index, "{params}");
        }
        assert_eq!(decide(&rules, "left_click", &object(r#"{"_meta":{"observe":{"image":false}}}"#)), Ok(()));
    }

    #[test]
    fn the_clipboard_is_off_until_the_policy_has_it() {
        let paste = serde_json::json!({"text": "a"});
        assert!(is_forbidden(&decide(&rulebook(&["paste"], &[], Permission::Denied), "paste", &paste)));
        assert_eq!(decide(&rulebook(&["paste"], &[], Permission::Granted), "paste", &paste), Ok(()));
    }

    #[test]
    fn nothing_is_listed_by_an_empty_policy_but_what_stops_and_lets_go() {
        let rules = rulebook(&[], &[], Permission::Denied);
        let listed: Vec<_> = method::available().filter(|name| *name != "computer" && rules.lists(name)).collect();
        let expected = crate::protocol::policy::ALWAYS_ALLOWED;
        assert!(listed.iter().all(|name| expected.contains(name)), "{listed:?}");
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        let policy = Policy { deny_chords: vec!["ctrl+Retrun".to_owned()], ..Policy::default() };
        assert!(Rulebook::new(policy).expect_err("unknown").contains("Return"));
    }

    proptest! {
        /// Each way to hold keys, each order and each alias comes to the same.
        #[test]
        fn no_permutation_of_a_denied_chord_passes(
            order in Just(["control", "alt", "t"]).prop_shuffle(),
            more in prop::option::of(prop::sample::select(vec!["shift", "F5", "x", "super"])),
            way in 0..5_usize,
        ) {
            let names = |part: &str| match part { "control" => ["ctrl", "Control_R", "CTRL"], "alt" => ["option", "Meta_L", "Alt_R"], _ => ["t", "T", "KeyT"] };
            let rules = rulebook(&["key", "hold_key", "key_down", "left_click", "scroll"], &["ctrl+alt+t"], Permission::Denied);
            for variant in 0..3 {
                let keys: Vec<_> = more.into_iter().chain(order.map(|part| names(part)[variant])).collect();
                let text = keys.join("+");
                let (method, params) = match way {
                    0 => ("key", serde_json::json!({"text": format!("a {text}")})),
                    1 => ("hold_key", serde_json::json!({"text": text, "duration": 0})),
                    2 => ("key_down", serde_json::json!({"text": text})),
                    3 => ("left_click", serde_json::json!({"text": text})),
                    _ => ("scroll", serde_json::json!({"text": text, "scroll_direction": "up", "scroll_amount": 1})),
                };
                let outcome = decide(&rules, method, &params);
                prop_assert!(is_forbidden(&outcome), "{method} {text}");
            }
        }
    }
}
