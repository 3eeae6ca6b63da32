//! What the operator of a server allows (`--policy`): typed and checked as far as the contract alone allows. It does not change
//! while the server runs, so whoever talks a model into anything cannot talk it out of this.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    units::NativeRegion,
    window::{SeenWindow, WindowMatch},
};

/// What no policy can forbid: what tells about the server, what stops, and what lets go. A rule must not keep a key down.
/// `confirm.answer` is a policy's own: only an admin may, and only what a rule has asked.
pub const ALWAYS_ALLOWED: [&str; 11] = [
    "initialize",
    "ping",
    "status",
    "cancel",
    "lease.release",
    "session.pause",
    "session.halt",
    "left_mouse_up",
    "mouse_up",
    "key_up",
    "confirm.answer",
];

/// What is answered where it arrives and cannot wait for consent, beside [`ALWAYS_ALLOWED`].
const NEVER_WAITS: [&str; 7] =
    ["subscribe", "unsubscribe", "frames.ack", "task.begin", "task.end", "usage.check", "usage.get"];

/// Whether a method can be made to wait for consent.
pub fn can_wait(method: &str) -> bool {
    !ALWAYS_ALLOWED.contains(&method) && !NEVER_WAITS.contains(&method) && method != "computer"
}

/// Whether something is allowed that is off unless the file says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// It is not.
    #[default]
    Denied,
    /// It is.
    Granted,
}

impl From<Option<bool>> for Permission {
    fn from(said: Option<bool>) -> Self {
        if said == Some(true) { Self::Granted } else { Self::Denied }
    }
}

/// A policy. What it does not list is forbidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The methods that are allowed beside [`ALWAYS_ALLOWED`].
    pub methods: BTreeSet<&'static str>,
    /// Patterns of chords that are not pressed, as the file writes them; `plan` reads the names of keys.
    pub deny_chords: Vec<String>,
    /// Where pointer actions may land; anywhere when there is none.
    pub regions: Vec<NativeRegion>,
    /// What holds for which windows.
    pub windows: Arc<WindowRules>,
    /// What waits for a person's consent.
    pub confirm: Vec<ConfirmRule>,
    /// Whether pastes and the clipboard may be used.
    pub clipboard: Permission,
    /// Whether the screen's size may be changed.
    pub resize: Permission,
    /// The domains that applications may reach. The egress proxy enforces it; here it is only kept.
    pub navigate: Vec<String>,
}

impl Policy {
    /// Whether a method may be called at all.
    pub fn lists(&self, method: &str) -> bool {
        ALWAYS_ALLOWED.contains(&method) || self.methods.contains(method)
    }
}

/// How a session is told of the policy (`initialize`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PolicyInformation {
    /// The SHA-256 of the policy file, in hexadecimal.
    pub sha256: String,
}

/// What waits for consent: what fits all that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmRule {
    /// This method; any that acts where none is given.
    pub method: Option<&'static str>,
    /// Input for a window of this class.
    pub window: Option<WindowMatch>,
    /// How long the consent is waited for.
    pub deadline: Duration,
}

/// Whether a window may get input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Allowed,
    /// It may not.
    Denied,
}

/// Whether a window can be seen in pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// It can.
    Shown,
    /// It is painted over.
    Masked,
}

/// One rule about windows. All that it names must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRule {
    /// What the window says of itself.
    pub window: Option<WindowMatch>,
    /// The path of its process's executable, as the X server and the kernel know it.
    pub executable: Option<String>,
    /// What the rule says about input; another rule decides where it says nothing.
    pub access: Option<Access>,
    /// What the rule says about pictures, likewise.
    pub visibility: Option<Visibility>,
    /// The rule in the words of the file, for messages.
    pub text: String,
}

/// The executable of the process that a window belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executable {
    /// Its path.
    Path(String),
    /// A process namespace or the kernel hides it.
    Hidden,
}

impl Executable {
    /// Whether it is the one at this path. An executable that was replaced while it runs is still that.
    fn is(&self, path: &str) -> Option<bool> {
        match self {
            Self::Path(found) => Some(found == path || found.strip_suffix(" (deleted)") == Some(path)),
            Self::Hidden => None,
        }
    }
}

/// What the rules come to for the input of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// A rule allows it.
    Allowed,
    /// This rule forbids it.
    Denied(&'a WindowRule),
    /// No rule speaks of it.
    Unmatched,
    /// It depends on this rule's executable, which is hidden.
    Hidden(&'a WindowRule),
}

/// The rules about windows, the first that fits decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowRules(pub Vec<WindowRule>);

impl WindowRules {
    /// Whether any rule speaks of input.
    pub fn restrict_input(&self) -> bool {
        self.0.iter().any(|rule| rule.access.is_some())
    }

    /// Whether any rule has a window painted over.
    pub fn mask_anything(&self) -> bool {
        self.0.iter().any(|rule| rule.visibility == Some(Visibility::Masked))
    }

    /// Whether the executables of windows matter for input.
    pub fn ask_executables(&self) -> bool {
        self.0.iter().any(|rule| rule.executable.is_some())
    }

    /// What a window is that no rule speaks of: denied as soon as any rule allows something.
    pub fn unmatched(&self) -> Access {
        let allows = self.0.iter().any(|rule| rule.access == Some(Access::Allowed));
        if allows { Access::Denied } else { Access::Allowed }
    }

    /// What the rules say about the input of a window.
    pub fn input(&self, window: &SeenWindow, executable: &Executable) -> Judgement<'_> {
        for rule in &self.0 {
            let Some(access) = rule.access else { continue };
            return match (rule.fits(window, executable), access) {
                (Some(false), _) => continue,
                (None, _) => Judgement::Hidden(rule),
                (Some(true), Access::Allowed) => Judgement::Allowed,
                (Some(true), Access::Denied) => Judgement::Denied(rule),
            };
        }
        Judgement::Unmatched
    }

    /// Whether a window is painted over. One whose executable is hidden is, where that decides.
    pub fn visibility(&self, window: &SeenWindow, executable: &Executable) -> Visibility {
        for rule in &self.0 {
            let Some(visibility) = rule.visibility else { continue };
            match rule.fits(window, executable) {
                Some(false) => {}
                Some(true) => return visibility,
                None => return Visibility::Masked,
            }
        }
        Visibility::Shown
    }
}

impl WindowRule {
    /// Whether the rule is about this window; `None` where a hidden executable decides.
    fn fits(&self, window: &SeenWindow, executable: &Executable) -> Option<bool> {
        if !self.window.as_ref().is_none_or(|wanted| wanted.accepts(window)) {
            return Some(false);
        }
        self.executable.as_deref().map_or(Some(true), |path| executable.is(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(class: &str, executable: Option<&str>, access: Option<Access>, masked: Option<Visibility>) -> WindowRule {
        WindowRule {
            window: Some(WindowMatch::new("window", Some(class.to_owned()), None).expect("a class")),
            executable: executable.map(str::to_owned),
            access,
            visibility: masked,
            text: class.to_owned(),
        }
    }

    fn window(class: &str) -> SeenWindow {
        SeenWindow { class: ["instance".to_owned(), class.to_owned()], ..SeenWindow::default() }
    }

    const HERE: Executable = Executable::Hidden;

    #[test]
    fn the_first_rule_that_fits_and_speaks_of_input_decides() {
        let (allow, deny) = (Some(Access::Allowed), Some(Access::Denied));
        let rules = WindowRules(vec![
            rule("a", None, None, Some(Visibility::Masked)),
            rule("a", None, allow, None),
            rule("A", None, deny, None),
            rule("b", None, deny, None),
        ]);
        assert_eq!(rules.input(&window("a"), &HERE), Judgement::Allowed);
        assert!(matches!(rules.input(&window("B"), &HERE), Judgement::Denied(rule) if rule.text == "b"));
        assert_eq!(rules.input(&window("c"), &HERE), Judgement::Unmatched);
        assert_eq!(rules.unmatched(), Access::Denied);
        assert_eq!(WindowRules(vec![rule("b", None, deny, None)]).unmatched(), Access::Allowed);
        assert_eq!(rules.visibility(&window("a"), &HERE), Visibility::Masked);
        assert_eq!(rules.visibility(&window("b"), &HERE), Visibility::Shown);
    }

    #[test]
    fn an_executable_is_known_by_its_path_and_a_hidden_one_is_never_taken_for_another() {
        let rules = WindowRules(vec![rule("a", Some("/bin/x"), Some(Access::Denied), Some(Visibility::Masked))]);
        let at = |path: &str| Executable::Path(path.to_owned());
        for path in ["/bin/x", "/bin/x (deleted)"] {
            assert!(matches!(rules.input(&window("a"), &at(path)), Judgement::Denied(_)), "{path}");
        }
        assert_eq!(rules.input(&window("a"), &at("/bin/xy")), Judgement::Unmatched);
        assert!(matches!(rules.input(&window("a"), &Executable::Hidden), Judgement::Hidden(_)));
        assert_eq!(rules.input(&window("b"), &Executable::Hidden), Judgement::Unmatched, "it does not matter there");
        assert_eq!(rules.visibility(&window("a"), &Executable::Hidden), Visibility::Masked);
        assert_eq!(rules.visibility(&window("a"), &at("/bin/y")), Visibility::Shown);
    }

    #[test]
    fn what_is_not_listed_is_not_allowed_but_for_what_stops_and_lets_go() {
        let policy = Policy { methods: ["screenshot"].into(), ..Policy::default() };
        assert!(policy.lists("screenshot") && !policy.lists("zoom"));
        assert!(ALWAYS_ALLOWED.iter().all(|method| Policy::default().lists(method)));
        assert!(ALWAYS_ALLOWED.iter().all(|method| super::super::method::named(method) == Ok(*method)));
    }
}
