//! What pictures must not show: the windows that the policy masks, and what secrets have been typed into.
//!
//! The input thread draws it before the first key of a secret goes out, while it holds the X server; whoever takes pixels looks
//! before and after. So a picture that shows a secret was taken when the curtain was drawn, and is told apart.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use x11rb::protocol::xproto::Window;

use crate::protocol::{
    policy::{Visibility, WindowRule, WindowRules},
    window::WindowMatch,
};

/// What a part of the curtain covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// There are no pictures.
    Everything,
    /// This window is painted over.
    Window(Window),
}

/// A part of the curtain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part(u64);

/// The curtain of one server, over all displays that it opens one after the other.
#[derive(Debug, Default)]
pub struct Curtain {
    policy: Option<Arc<WindowRules>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    parts: Vec<(Part, Cover)>,
    /// Counts the changes.
    version: u64,
}

/// How the curtain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Which change was the last.
    pub version: u64,
    /// Whether there are pictures at all.
    pub view: View,
}

/// Whether there are pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// There are, perhaps with windows painted over.
    #[default]
    Open,
    /// There are none.
    Closed,
}

impl Curtain {
    /// One that covers what the policy says.
    pub fn new(policy: Option<Arc<WindowRules>>) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Covers something more, from now on.
    pub fn draw(&self, cover: Cover) -> Part {
        let mut state = self.lock();
        state.version += 1;
        let part = Part(state.version);
        state.parts.push((part, cover));
        part
    }

    /// Covers that no longer.
    pub fn open(&self, part: Part) {
        let mut state = self.lock();
        state.version += 1;
        state.parts.retain(|(other, _)| *other != part);
    }

    /// How it stands now.
    pub fn standing(&self) -> Standing {
        let state = self.lock();
        let is_closed = state.parts.iter().any(|(_, cover)| *cover == Cover::Everything);
        Standing { version: state.version, view: if is_closed { View::Closed } else { View::Open } }
    }

    /// Which windows are painted over; `None` where none is.
    pub fn masks(&self) -> Option<Arc<WindowRules>> {
        let windows: Vec<_> = self
            .lock()
            .parts
            .iter()
            .filter_map(|(_, cover)| if let Cover::Window(window) = cover { Some(mask(*window)) } else { None })
            .collect();
        if windows.is_empty() {
            return self.policy.clone();
        }
        let known = self.policy.iter().flat_map(|rules| rules.0.iter().cloned());
        Some(Arc::new(WindowRules(windows.into_iter().chain(known).collect())))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in between can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mask(window: Window) -> WindowRule {
    WindowRule {
        window: Some(WindowMatch::of_id(window)),
        executable: None,
        access: None,
        visibility: Some(Visibility::Masked),
        text: "of a secret".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_covers_until_it_is_opened_and_the_policys_masks_stay() {
        let policy = Arc::new(WindowRules(vec![mask(1)]));
        let curtain = Curtain::new(Some(Arc::clone(&policy)));
        let masks = || curtain.masks().map_or(0, |rules| rules.0.len());
        let before = curtain.standing();
        let (everything, window) = (curtain.draw(Cover::Everything), curtain.draw(Cover::Window(7)));
        assert_eq!((curtain.standing().view, masks()), (View::Closed, 2));
        assert!(curtain.standing().version > before.version);
        curtain.open(everything);
        assert_eq!((curtain.standing().view, masks()), (View::Open, 2));
        let drawn = curtain.standing();
        curtain.open(window);
        assert_eq!((curtain.masks(), curtain.standing().view), (Some(policy), View::Open));
        assert_ne!(curtain.standing().version, drawn.version);
    }
}
