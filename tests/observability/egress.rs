//! What applications ask of the network is told and counted, from the log of the proxy that decides it.

use std::{fs, io::Write, path::Path, time::Instant};

use serde_json::json;

use super::{
    scrape::Scrape,
    server,
    support::{Controller, PATIENCE},
};

/// Lines as `deploy/egress` has them written.
fn append(log: &Path, host: &str, verdict: &str, reason: &str) {
    let line = json!({"time": 1.5, "client": "10.0.0.2", "method": "CONNECT", "host": host, "port": "443", "sni": "-",
        "verdict": verdict, "reason": reason, "status": 200, "error": "-"});
    let mut file = fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[test]
fn attempts_are_told_and_counted_also_after_the_log_was_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("access.log");
    append(&log, "before.example", "denied", "not_listed");
    // Under the sandbox: the log that comes later is another file.
    let server = server(&["--sandbox", "require", "--egress-log", log.to_str().unwrap()]);
    let mut controller = Controller::connect(&server);
    controller.must("subscribe", json!({"events": ["egress"]}));
    let mut told = |host: &str, verdict: &str| {
        let event = controller.event(|event| event["type"] == "egress");
        assert_eq!((&event["host"], &event["verdict"]), (&json!(host), &json!(verdict)), "{event}");
    };
    append(&log, "good.example", "allowed", "listed");
    told("good.example", "allowed");
    append(&log, "evil.example", "denied", "not_listed");
    told("evil.example", "denied");
    fs::rename(&log, log.with_extension("log.0")).unwrap();
    append(&log, "169.254.169.254", "denied", "address");
    told("169.254.169.254", "denied");

    let begun = Instant::now();
    loop {
        let scrape = Scrape::of(&server);
        let denied = |reason| scrape.value("deskhand_egress_denied_total", &[("reason", reason)]);
        let attempts = |verdict| scrape.value("deskhand_egress_attempts_total", &[("verdict", verdict)]);
        // What was there before the start is not counted.
        if (denied("not_listed"), denied("address"), attempts("allowed"), attempts("denied")) == (1.0, 1.0, 1.0, 2.0) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
    }
}

#[test]
fn without_a_log_there_is_nothing_to_subscribe_to() {
    let server = server(&[]);
    let mut controller = Controller::connect(&server);
    let (kind, error) = controller.must_fail("subscribe", json!({"events": ["egress"]}));
    assert_eq!(kind, "unsupported");
    assert!(error["message"].as_str().unwrap().contains("--egress-log"), "{error}");
}
