//! Which windows an action's input may reach: the one that a request expects (`_meta.expect_window`), and those that the operator's
//! policy lets it reach.

use x11rb::protocol::xproto::Window;

use super::{
    connection::{Link, LinkError},
    curtain::View,
    failure::InputCause,
    focus::Focused,
    grabs::Client,
    permit::Permit,
    station::Station,
    toplevel,
};
use crate::protocol::{
    error::Process,
    policy::{Access, Executable, Judgement, WindowRules},
    units::NativePoint,
    window::{SeenWindow, WindowMatch},
};

/// As much of a title as a message needs.
const SHOWN: usize = 120;

/// What holds for the windows of one action.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// The one that is expected; `None` for any.
    pub expected: Option<&'a WindowMatch>,
    /// The policy's rules; `None` for none.
    pub rules: Option<&'a WindowRules>,
    /// Whether a refusal may name a window by its title.
    pub view: View,
}

/// Whether input may reach a window; if not, why.
pub type Verdict = Result<(), InputCause>;

impl<'a> Targets<'a> {
    /// Those of a permit.
    pub fn of(permit: &'a Permit) -> Self {
        Self { expected: permit.expect_window.as_deref(), rules: permit.windows.as_deref(), view: permit.view }
    }

    /// Without the one that is expected: that is looked at once, before anything is sent.
    #[must_use]
    pub const fn rules_only(self) -> Self {
        Self { expected: None, ..self }
    }

    /// Without the policy: for what lets go, which no rule forbids.
    #[must_use]
    pub const fn expected_only(self) -> Self {
        Self { rules: None, ..self }
    }

    /// Whether any window will do.
    pub const fn are_any(self) -> bool {
        self.expected.is_none() && self.rules.is_none()
    }

    /// Whether the pointer may act at a place of the screen.
    ///
    /// # Errors
    /// [`InputCause::TargetMismatch`], [`InputCause::Forbidden`].
    pub fn at(self, station: &Station, at: NativePoint) -> Verdict {
        if self.are_any() {
            return Ok(());
        }
        let place = format!("at ({}, {}) of the display", at.x, at.y);
        self.judge(station.link(), &place, &toplevel::at(station.link(), at)?)?
    }

    /// Whether keys may go where they go now.
    pub fn focused(self, link: &Link, focused: Focused) -> Result<Verdict, LinkError> {
        match focused {
            Focused::Window(window) => self.around(link, window),
            Focused::Manager | Focused::Nowhere => self.judge(link, FOCUS, &[]),
        }
    }

    /// Whether keys may go to a window.
    pub fn around(self, link: &Link, window: Window) -> Result<Verdict, LinkError> {
        self.judge(link, FOCUS, &toplevel::around(link, window)?)
    }

    /// Whether keys may go to a client that holds the keyboard, which is the one of its pop-ups on top.
    pub fn holder(self, link: &Link, holder: Client) -> Result<Verdict, LinkError> {
        match holder.popup_on_top(link)? {
            Some(popup) => self.around(link, popup),
            None => self.judge(link, FOCUS, &[]),
        }
    }

    /// Judges what was found at a place: a window and, after a pop-up, the one that it came out of.
    fn judge(self, link: &Link, place: &str, found: &[SeenWindow]) -> Result<Verdict, LinkError> {
        if let Some(wanted) = self.expected
            && !found.iter().any(|window| wanted.accepts(window))
        {
            return Ok(Err(mismatch(place, found.first(), self.view)));
        }
        self.rules.map_or(Ok(Ok(())), |rules| allowed(link, rules, place, found, self.view))
    }
}

const FOCUS: &str = "with the keyboard focus";

/// One that is denied denies all, and one that is allowed is enough.
fn allowed(
    link: &Link,
    rules: &WindowRules,
    place: &str,
    found: &[SeenWindow],
    view: View,
) -> Result<Verdict, LinkError> {
    let mut access = rules.unmatched();
    for window in found {
        let executable = if rules.ask_executables() { executable(link, window)? } else { Executable::Hidden };
        let described = describe(window, view);
        match rules.input(window, &executable) {
            Judgement::Allowed => access = Access::Allowed,
            Judgement::Unmatched => {}
            Judgement::Denied(rule) => {
                return Ok(Err(InputCause::Forbidden(format!(
                    "the window {place} is {described}, which the policy's rule {} denies; nothing was sent to it",
                    rule.text
                ))));
            }
            Judgement::Hidden(rule) => {
                return Ok(Err(InputCause::TargetMismatch(format!(
                    "the window {place} is {described}, and the policy's rule {} asks for its executable, which the system hides; \
                     nothing was sent to it; run Deskhand in the process namespace of the desktop and as its user",
                    rule.text
                ))));
            }
        }
    }
    if access == Access::Allowed {
        return Ok(Ok(()));
    }
    let what = found.first().map_or_else(|| "no window of a program".to_owned(), |window| describe(window, view));
    Ok(Err(InputCause::Forbidden(format!(
        "what is {place} is {what}, and no [[window]] rule of the policy allows that; nothing was sent to it"
    ))))
}

/// The true executable of a window's process.
pub(super) fn executable(link: &Link, window: &SeenWindow) -> Result<Executable, LinkError> {
    let Some(id) = window.ids.first() else { return Ok(Executable::Hidden) };
    // 0 is what a process namespace shows of everybody outside it.
    let process = Client::of(link, *id).process(link)?.filter(|process| process.pid != 0);
    Ok(match process {
        Some(Process { executable: Some(path), .. }) => Executable::Path(path),
        _ => Executable::Hidden,
    })
}

/// A window in words. A title may show what must not be seen.
pub(super) fn describe(window: &SeenWindow, view: View) -> String {
    let [instance, class] = window.class.each_ref().map(|name| name.chars().take(SHOWN).collect::<String>());
    let title: String = match view {
        View::Open => window.title.chars().take(SHOWN).collect(),
        View::Closed => return format!("one of class \"{instance}\", \"{class}\""),
    };
    format!("\"{title}\" of class \"{instance}\", \"{class}\"")
}

fn mismatch(place: &str, found: Option<&SeenWindow>, view: View) -> InputCause {
    InputCause::TargetMismatch(match found {
        Some(window) => format!(
            "the window {place} is {}, not the expected one; nothing was sent; look at the screen again",
            describe(window, view)
        ),
        None if place == FOCUS => {
            "no window has the keyboard focus, but one was expected; nothing was sent; click into it first".to_owned()
        }
        None => format!("there is no window {place}, but one was expected; nothing was sent; look at the screen again"),
    })
}
