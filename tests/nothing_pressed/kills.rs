//! The executor is killed in drags with modifiers held, at random moments and in each of its processes; the next start
//! releases what it left.

use std::time::{Duration, Instant};

use proptest::{
    prelude::Rng,
    test_runner::{RngAlgorithm, TestRng},
};
use serde_json::json;

use super::support::{Controller, Deskhand, PATIENCE, Recorder, Windows, Xvfb};

/// How often the ordinary run kills, and the long one.
const KILLS: usize = 12;
const MANY_KILLS: usize = 500;

/// A drag of these places makes some forty events.
const EVENTS: usize = 40;

/// How long the drag's events are waited for: it ends by itself before the last ones in some rounds.
const EVENTS_TIME: Duration = Duration::from_millis(500);

/// Which processes are killed.
#[derive(Clone, Copy, Debug)]
enum Victims {
    /// The one that talks to the display.
    Server,
    /// The one that watches over it.
    Supervisor,
    Both,
}

fn kill(mut server: Deskhand, victims: Victims) {
    match victims {
        Victims::Both => {
            server.kill_everything();
        }
        Victims::Supervisor => {
            server.kill();
        }
        Victims::Server => {
            server.child("deskhand-server").kill();
            server.exited(PATIENCE).expect("a supervisor without a server ends");
        }
    }
}

fn drags_that_are_killed(count: usize) {
    let xvfb = Xvfb::start("640x480");
    let windows = Windows::new(&xvfb.display);
    let recorder = Recorder::open(&xvfb.display);
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut below = |limit: usize| usize::try_from(random.next_u32()).unwrap() % limit;
    let mut server = Deskhand::attached(&xvfb.display);
    let (mut left_down, mut starts) = (0, Vec::new());
    for round in 0..count {
        let mut controller = Controller::connect(&server);
        recorder.take_events();
        controller.must("key_down", json!({"text": "alt"}));
        controller.send("drag", json!({"path": [[20, 20], [300, 200], [90, 300]], "text": "ctrl+shift"}));
        let events = below(EVENTS);
        recorder.wait_within(EVENTS_TIME, |seen| (seen.len() >= events).then_some(()));
        let victims = [Victims::Server, Victims::Supervisor, Victims::Both][below(3)];
        kill(server, victims);
        let pressed = |windows: &Windows| windows.pressed_keys().len() + windows.pointer().1.len();
        left_down += usize::from(pressed(&windows) > 0);
        let begun = Instant::now();
        server = Deskhand::attached(&xvfb.display);
        starts.push(begun.elapsed());
        assert_eq!(pressed(&windows), 0, "round {round}, {victims:?} killed after {events} events");
    }
    starts.sort();
    eprintln!(
        "{count} kills, {left_down} of them left something down; starts took {:.0?}, the longest {:.0?}",
        starts[count / 2],
        starts[count - 1]
    );
    // Otherwise nothing has been tried.
    assert!(left_down > count / 4, "{left_down} of {count}");
}

#[test]
fn an_executor_that_is_killed_in_a_drag_leaves_nothing_pressed_after_the_next_start() {
    drags_that_are_killed(KILLS);
}

#[test]
#[ignore = "soak: half a minute"]
fn five_hundred_executors_that_are_killed_in_a_drag_leave_nothing_pressed_after_the_next_start() {
    drags_that_are_killed(MANY_KILLS);
}
