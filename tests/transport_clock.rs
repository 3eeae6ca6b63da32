//! The time limits of an open connection. They last what the contract says, so they stand in a file that starts early.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use support::in_process::{Carrier, Event, Received, Server, frame};

#[tokio::test]
async fn a_quiet_peer_is_pinged_and_lives_while_it_answers_and_is_dead_when_it_does_not() {
    let mut server = Server::start(Carrier::Tcp);
    let mut silent = server.open().await;
    assert!(matches!(server.event().await, Event::Opened(_)));
    let mut lively = server.open().await;
    assert!(matches!(server.event().await, Event::Opened(_)));
    let silence = async {
        assert_eq!(silent.receive().await, Received::Ping);
        assert_eq!(silent.receive().await, Received::Gone, "no close: nobody is there to read it");
    };
    let answers = async {
        assert_eq!(lively.receive().await, Received::Ping);
        lively.send(&frame(0x8a, b"")).await;
    };
    tokio::join!(silence, answers);
    assert_eq!(server.event().await, Event::Dropped);
    lively.text("still alive").await;
    // Its own next ping falls due with the end of the silent one.
    let answer = loop {
        match lively.receive().await {
            Received::Ping => {}
            other => break other,
        }
    };
    assert_eq!(answer, Received::Text(b"still alive".to_vec()));
    assert!(server.events.try_recv().is_err(), "only the silent one has ended");
}
