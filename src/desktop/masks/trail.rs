//! Where windows have been lately, whoever has looked at them there: what a hidden window leaves behind may still be seen.

use std::{collections::HashMap, time::Instant};

use x11rb::protocol::{Event, xproto::Window};

use super::{LINGER_TIME, Place};

/// How many windows' places are known, also of those that cannot be seen.
const PLACES: usize = 8192;
/// How many steps are remembered; the time that they matter for is short.
const STEPS: usize = 2048;

/// The places.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Where each window is, as far as was told.
    places: HashMap<Window, Place>,
    steps: Vec<(Instant, Window, Place)>,
    /// When a step was lost.
    lost: Option<Instant>,
}

impl Trail {
    /// Takes note of what was told about a child of the root.
    pub(super) fn note(&mut self, event: &Event, window: Window, place: Option<Place>) {
        if let Some(place) = place
            && (self.places.len() < PLACES || self.places.contains_key(&window))
        {
            self.places.insert(window, place);
        }
        match event {
            Event::ConfigureNotify(_) | Event::MapNotify(_) => {
                // One that was made before anybody asked to be told is found by the next look.
                if let Some(place) = place.or_else(|| self.places.get(&window).copied()) {
                    self.step(Instant::now(), window, place);
                }
            }
            Event::DestroyNotify(_) | Event::ReparentNotify(_) => drop(self.places.remove(&window)),
            _ => {}
        }
    }

    fn step(&mut self, now: Instant, window: Window, place: Place) {
        if self.steps.len() >= STEPS {
            self.steps.retain(|(at, ..)| now.saturating_duration_since(*at) < LINGER_TIME);
        }
        if self.steps.len() >= STEPS {
            self.steps.clear();
            self.lost = Some(now);
        }
        self.steps.push((now, window, place));
    }

    /// The steps that matter; `None` when some of them are lost.
    pub(super) fn lately(&mut self, now: Instant) -> Option<Vec<(Window, Place)>> {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < LINGER_TIME;
        self.steps.retain(|(at, ..)| is_recent(*at));
        self.lost = self.lost.filter(|at| is_recent(*at));
        self.lost.is_none().then(|| self.steps.iter().map(|(_, window, place)| (*window, *place)).collect())
    }
}
