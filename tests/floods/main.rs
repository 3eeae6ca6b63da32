//! Peers that flood: whoever controls goes on being answered, and memory is bounded.
//!
//! How much slower the answers get is printed and not asserted: it is the machine's, too. `benches` has a quiet one.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a test shows its figures")]

#[allow(dead_code, reason = "what hostile programs may cost is less")]
#[path = "../hostile/memory.rs"]
mod memory;
mod peers;
#[path = "../support/mod.rs"]
mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use memory::Before;
use serde_json::json;
use support::{Controller, Deskhand, Recorder};

/// By how much the executor may grow, in KiB: the contract's.
const GROWTH: u64 = 24 * 1024;
/// How many answers there are to compare with.
const QUIET_ANSWERS: usize = 300;

/// How long a flood goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Once.
    Short,
    /// Again and again until as many answers have been given as before it: few of them have no hundredth part.
    Whole,
}

/// One flood, with `amount` of what it consists of, while a controller clicks.
fn endure(name: &str, form: Form, amount: usize, flood: fn(&Deskhand, usize)) {
    let server = Deskhand::owned("640x480");
    let recorder = Recorder::open(&server.display);
    let mut controller = Controller::connect(&server);
    let mut clicks = 0;
    let mut click = |controller: &mut Controller| {
        let asked = Instant::now();
        controller.must("left_click", json!({"coordinate": [100 + clicks % 200, 100]}));
        clicks += 1;
        asked.elapsed()
    };
    let quiet: Vec<_> = (0..QUIET_ANSWERS).map(|_| click(&mut controller)).collect();
    let before = Before::measure(&server);
    let (is_over, is_enough) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut busy = Vec::new();
    thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            flood(&server, amount);
            while form == Form::Whole && !is_enough.load(Ordering::Acquire) {
                flood(&server, amount);
            }
            is_over.store(true, Ordering::Release);
        });
        while !is_over.load(Ordering::Acquire) && !flooding.is_finished() {
            busy.push(click(&mut controller));
            is_enough.store(busy.len() >= QUIET_ANSWERS, Ordering::Release);
        }
        flooding.join().expect("the flood is carried out");
    });
    let growth = before.growth(&server);
    let [before, meanwhile] = [quiet, busy].map(|mut times| {
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        (times.len(), at(50), at(99))
    });
    eprintln!("{name}: answers, p50, p99 before {before:?}, meanwhile {meanwhile:?}; growth {growth} KiB");
    assert!(growth <= GROWTH, "{growth} KiB more than before");
    // Every click has arrived, and none that nobody asked for.
    let is_press = |event: &&support::Recorded| matches!(event, support::Recorded::Button { down: true, .. });
    assert_eq!(recorder.everything().iter().filter(is_press).count(), clicks);
    // Whoever comes afterwards is let in.
    let begun = Instant::now();
    while Controller::connect_with(&server, &[("authorization", &format!("Bearer {}", server.token))]).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(15), "nobody is let in");
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// A flood as a test of its ordinary form, a tenth, and of its whole form.
macro_rules! flood {
    ($name:ident, $whole:ident, $amount:literal, $flood:path) => {
        #[test]
        fn $name() {
            endure(stringify!($name), Form::Short, $amount / 10, $flood);
        }

        #[test]
        #[ignore = "soak: ten times as many"]
        fn $whole() {
            endure(stringify!($whole), Form::Whole, $amount, $flood);
        }
    };
}

flood!(a_program_that_only_computes, a_program_that_only_computes_for_long, 5_000, peers::only_computes);
flood!(slow_handshakes, two_thousand_slow_handshakes, 2_000, peers::slow_handshakes);
flood!(a_peer_that_never_reads, a_peer_that_never_reads_for_long, 2_000, peers::never_reads);
flood!(pings, a_million_pings, 1_000_000, peers::pings);
flood!(connections_that_close_at_once, ten_thousand_connections_that_close_at_once, 10_000, peers::connects_and_closes);
flood!(requests_without_a_token, ten_thousand_requests_without_a_token, 10_000, peers::without_a_token);
