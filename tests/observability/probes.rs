//! `/healthz` and `/readyz` for whoever watches over the server.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    scrape::{get, probe},
    server,
    support::PATIENCE,
};

#[test]
fn readyz_is_a_round_trip_to_the_x_server_and_however_many_ask_it_answers() {
    let server = server(&[]);
    let address = probe(&server);
    assert_eq!(get(address, "/healthz").0, 200);
    assert_eq!(get(address, "/readyz").0, 200);
    let begun = Instant::now();
    // Two clients in turn, as fast as they get answers: a place among the eight is free again only when the server has seen that a
    // client is gone.
    let answered: usize = thread::scope(|scope| {
        let ask = || (0..250).filter(|_| get(address, "/readyz").0 == 200).count();
        let clients: Vec<_> = (0..2).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(answered, 500, "after {:?}", begun.elapsed());

    let xvfb = server.xvfb();
    xvfb.signal(rustix::process::Signal::STOP);
    let stopped = Instant::now();
    while get(address, "/readyz").0 == 200 {
        assert!(stopped.elapsed() < Duration::from_secs(5), "ready although the X server stands still");
    }
    assert_eq!(get(address, "/healthz").0, 200, "the server itself is well");
    xvfb.signal(rustix::process::Signal::CONT);
    let resumed = Instant::now();
    while get(address, "/readyz").0 != 200 {
        assert!(resumed.elapsed() < PATIENCE, "the X server goes on, and is not ready");
    }
}

#[test]
fn the_ready_line_names_the_address_only_where_there_is_one_and_keeps_it_apart() {
    let with = server(&[]);
    let listen = with.ready["listen"].as_array().unwrap();
    assert_eq!(listen.len(), 1, "{}", with.ready);
    assert_ne!(listen[0], with.ready["probe"]);
    let without = super::support::Deskhand::owned("640x480");
    assert!(without.ready.get("probe").is_none(), "{}", without.ready);
}

#[test]
fn an_address_that_others_reach_needs_no_consent_and_says_so_in_the_log() {
    let server = super::support::Deskhand::owned_with("640x480", &["--probe-listen", "0.0.0.0:0"]);
    assert_eq!(get(([127, 0, 0, 1], probe(&server).port()).into(), "/metrics").0, 200);
    assert!(server.log().contains("readable from other machines without a token"), "{}", server.log());
}
