//! A page in a browser on the desktop, which can reach the server's port: whatever it tries, nothing acts, it is shown nothing, and
//! all of it is counted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]

mod support;

use std::fs;

use serde_json::Value;
use support::{Chromium, Deskhand, Page};

/// What the metrics count under a name, over all its labels.
fn counted(metrics: &str, name: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[test]
fn chromium_lets_a_hostile_page_try_everything_and_nothing_acts() {
    let directory = tempfile::tempdir().unwrap();
    let audit = directory.path().join("audit.jsonl");
    let server = Deskhand::owned_with("1024x768", &["--audit", audit.to_str().unwrap()]);
    let page = Page::serve();
    // The name means the page's address and ours: what a name server does that answers differently the second time.
    let port = server.address().port();
    let url = page.url(&format!("hostile.html?port={port}")).replace("127.0.0.1", "evil.test");
    let _browser = Chromium::open_at(&server.display, &url, &["--host-resolver-rules=MAP evil.test 127.0.0.1"]);
    let outcomes: Vec<(String, String)> = page.wait_for("what came of its attempts", |report| {
        let outcomes = report.state["outcomes"].as_array().filter(|_| report.state["done"] == true)?;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Some(outcomes.iter().map(|outcome| (text(&outcome[0]), text(&outcome[1]))).collect())
    });
    assert_eq!(outcomes.len(), 3 * 14);
    for (what, outcome) in &outcomes {
        // What is sent without being read is sent; a page is told nothing of it.
        let is_blind = ["beacon", "form", "without cors", "ticket at"].iter().any(|blind| what.contains(blind));
        let expected: &[&str] = if is_blind { &["refused", "opaque", "sent"] } else { &["refused"] };
        assert!(expected.contains(&outcome.as_str()), "{what}: {outcome}");
    }
    let (host, token) = (server.address(), &server.token);
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    let metrics = server.http(request.as_bytes());
    let refused = counted(&metrics, "deskhand_http_refusals_total");
    assert!(refused >= f64::from(u32::try_from(outcomes.len()).unwrap()), "{refused} of {}", outcomes.len());
    for name in ["deskhand_request_duration_seconds_count", "deskhand_sessions", "deskhand_picture_bytes"] {
        assert!(metrics.contains(name) && counted(&metrics, name).abs() < f64::EPSILON, "{name} in {metrics}");
    }
    assert!(server.stop().success());
    let records = fs::read_to_string(audit).unwrap();
    let kinds: Vec<_> = records
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["action_type"].as_str().unwrap().to_owned())
        .collect();
    assert!(kinds.iter().all(|kind| kind == "config" || kind == "auth_failed"), "{kinds:?}");
}
