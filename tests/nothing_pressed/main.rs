//! Nothing stays pressed. Random sequences of actions that hold, press and release, each ended in a random way, against a
//! model of what is held: after every answer the X server, the answer and the model agree, and after every end of a
//! controller, of an executor or of a display nothing is down.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and shows its times"
)]

mod deeds;
mod desk;
mod kills;
mod model;
#[path = "../support/mod.rs"]
mod support;

use desk::{Desk, DisplayOf};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// How many sequences the ordinary run tries of each kind, and how many the long one.
const SEQUENCES: u32 = 12;
const MANY_SEQUENCES: u32 = 250;

/// A sequence that fails is made shorter for so long; each attempt takes up to seconds.
const SHRINKING_MILLISECONDS: u32 = 60_000;

fn every_sequence_leaves_nothing_pressed(display: DisplayOf, sequences: u32) {
    let config = Config {
        cases: sequences,
        failure_persistence: None,
        max_shrink_time: SHRINKING_MILLISECONDS,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&deeds::sequence(), |turns| {
        // A panic is the test's failure, and proptest makes the sequence shorter that led to it.
        let mut desk = Desk::new(display);
        for turn in &turns {
            desk.take_turn(turn).map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[test]
fn on_a_display_of_our_own() {
    every_sequence_leaves_nothing_pressed(DisplayOf::Ours, SEQUENCES);
}

#[test]
fn on_somebody_elses_display() {
    every_sequence_leaves_nothing_pressed(DisplayOf::SomebodyElse, SEQUENCES);
}

#[test]
#[ignore = "soak: a minute or two"]
fn on_a_display_of_our_own_for_long() {
    every_sequence_leaves_nothing_pressed(DisplayOf::Ours, MANY_SEQUENCES);
}

#[test]
#[ignore = "soak: a minute or two"]
fn on_somebody_elses_display_for_long() {
    every_sequence_leaves_nothing_pressed(DisplayOf::SomebodyElse, MANY_SEQUENCES);
}
