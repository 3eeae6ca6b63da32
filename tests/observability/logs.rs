//! No peer writes the log full.

use std::time::{Duration, Instant};

use super::support::{Controller, Deskhand, PATIENCE};

#[test]
fn a_client_that_connects_again_and_again_writes_ten_lines_a_second() {
    let server = Deskhand::owned("640x480");
    let lines = || server.log().lines().filter(|line| line.contains("session begins")).count();
    let begun = Instant::now();
    let mut connections = 0;
    while !server.log().contains("more from here that were left out") {
        Controller::connect(&server).abandon();
        connections += 1;
        assert!(begun.elapsed() < PATIENCE, "nothing was left out of {connections} lines");
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(lines() <= 10 * (seconds + 2), "{} lines in {:?}", lines(), begun.elapsed());
    assert!(connections > 10 && begun.elapsed() >= Duration::from_millis(900), "{connections}");
}
