//! Text of so many different characters that keycodes must be used again, into an application of each class of
//! acknowledgement, stopped at random meanwhile: nothing is lost; and with the acknowledgement left out, the same text in the
//! same application is.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "the times are shown")]

mod applications;
mod classes;
mod stalls;
#[path = "../support/mod.rs"]
mod support;

use std::time::Instant;

use deskhand::{
    desktop::{
        Desktop,
        acknowledge::Acknowledging,
        failure::{InputError, Performed},
        faults::Faults,
        permit::Permit,
    },
    plan::gesture::Gesture,
};

use applications::Application;
use stalls::Stalls;
use support::{Display, Windows, Xvfb, texts::difference};

/// How many different characters: many times what the spare keycodes hold at once.
const CHARACTERS: u32 = 8_000;
/// What is typed first: a program that has looked up a key knows the keymap as it was before the first page.
const BEFORE: &str = "before";
/// What is typed last. Its characters have keys of their own, so that it arrives whatever became of the text before it.
const ENDING: &str = "END";

/// A display without a window manager, whose applications run no input method.
struct Scene {
    desktop: Desktop,
    xvfb: Xvfb,
}

impl Scene {
    /// On an attached display.
    fn new(xvfb: Xvfb, acknowledging: Acknowledging) -> Self {
        let faults = Faults { acknowledging, ..Faults::default() };
        let desktop = Desktop::open_with_faults(&xvfb.target(), faults).unwrap();
        Self { desktop, xvfb }
    }

    fn perform(&self, gesture: Gesture) -> Result<Performed, InputError> {
        let reply = self.desktop.input().perform(gesture, Permit::default());
        reply.blocking_recv().expect("the input thread answers everything")
    }

    fn type_text(&self, text: &str) -> Result<Performed, InputError> {
        self.perform(Gesture::Type(text.into()))
    }

    fn focus(&self, application: &Application) {
        Windows::new(&self.xvfb.display).focus(application.window);
    }

    /// What the application has received, once everything has come.
    fn received(&self, application: &Application) -> String {
        self.type_text(ENDING).unwrap();
        let mut received = application.received(ENDING);
        received.truncate(received.len() - ENDING.len());
        received
    }
}

/// So many different characters that no layout has: ideographs, each once, in lines, since editors draw a long one slowly.
fn ideographs(count: u32) -> String {
    const LINE: usize = 60;
    // A prime that does not divide the count visits each once.
    let all: Vec<_> = (0..count).map(|nth| char::from_u32(0x4e00 + nth * 7919 % count).unwrap()).collect();
    all.chunks(LINE).flat_map(|line| line.iter().chain(['\n'].iter())).collect()
}

/// Types the text while the application is stopped at random, and returns how that ended and what arrived.
fn type_while_it_stalls(
    scene: &Scene,
    application: &Application,
    text: &str,
) -> (Result<Performed, InputError>, String) {
    scene.focus(application);
    scene.type_text(BEFORE).unwrap();
    let begun = Instant::now();
    let stalls = Stalls::of(&application.process);
    let outcome = scene.type_text(text);
    drop(stalls);
    eprintln!("{} characters: {:?} in {:.1?}", text.chars().count(), outcome.as_ref().err(), begun.elapsed());
    let received = scene.received(application);
    (outcome, received.strip_prefix(BEFORE).unwrap_or(&received).to_owned())
}

/// The text arrives exactly, although the application stalls.
fn assert_that_all_arrives(open: impl Fn(&Display) -> Application) {
    let xvfb = Xvfb::start("640x480");
    let application = open(&xvfb.display);
    let scene = Scene::new(xvfb, Acknowledging::Awaited);
    let text = ideographs(CHARACTERS);
    let (outcome, received) = type_while_it_stalls(&scene, &application, &text);
    assert_eq!(outcome.err(), None);
    assert!(received == text, "{}", difference(&text, &received));
}

/// Without the acknowledgement the same application loses the same text, and nobody notices.
fn assert_that_text_is_lost_without(open: impl Fn(&Display) -> Application) {
    let xvfb = Xvfb::start("640x480");
    let application = open(&xvfb.display);
    let scene = Scene::new(xvfb, Acknowledging::LeftOut);
    let text = ideographs(CHARACTERS);
    let (outcome, received) = type_while_it_stalls(&scene, &application, &text);
    assert_eq!(outcome.err(), None);
    let right = text.chars().zip(received.chars()).filter(|(wanted, got)| wanted == got).count();
    eprintln!("{right} of {} characters are in their place", text.chars().count());
    assert!(received != text, "the acknowledgement is not what keeps this text whole");
}
