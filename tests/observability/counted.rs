//! What a controller does is in the metrics, and nothing that it says is.

use serde_json::json;

use super::{
    scrape::Scrape,
    server,
    support::{Controller, Deskhand},
};

/// A task as a loop runs it, with one mistake. Afterwards every series is there that can be.
pub fn work(server: &Deskhand) {
    let mut controller = Controller::connect(server);
    controller.must("task.begin", json!({"objective": "o"}));
    controller.must("left_click", json!({"coordinate": [5, 5]}));
    controller.must("left_click", json!({"coordinate": [6, 6]}));
    controller.must("screenshot", json!({}));
    assert_eq!(controller.must_fail("left_click", json!({"coordinate": [5000, 5]})).0, "out_of_range");
    controller.must("usage.report", json!({"model": "claude-opus-4-5", "input_tokens": 1000, "output_tokens": 234}));
    controller.must("task.end", json!({"success": true}));
}

#[test]
fn a_task_its_actions_and_its_mistakes_are_counted() {
    let server = server(&[]);
    let before = Scrape::of(&server);
    assert!(before.value("deskhand_display_up", &[]) > 0.0, "the display is open since the ready line");
    let mut controller = Controller::connect(&server);
    controller.must("task.begin", json!({}));
    let during = Scrape::of(&server);
    assert_counts(&during, &[("automation_active_executions", &[], 1.0), ("deskhand_sessions", &[], 1.0)]);
    controller.must("task.end", json!({"success": false}));
    controller.abandon();
    work(&server);

    let clicks = [("action", "click"), ("outcome", "ok")];
    let user = ("user_id", "default");
    let after = Scrape::of(&server);
    assert_counts(
        &after,
        &[
            ("automation_executions_total", &[("status", "success"), user], 1.0),
            ("automation_executions_total", &[("status", "error"), user], 1.0),
            ("automation_execution_duration_seconds_count", &[user], 2.0),
            ("automation_active_executions", &[], 0.0),
            ("automation_tokens_used_total", &[("model", "claude"), user], 1234.0),
            ("deskhand_request_duration_seconds_count", &clicks, 2.0),
            ("deskhand_request_duration_seconds_count", &[("action", "click"), ("outcome", "error")], 1.0),
            ("deskhand_request_duration_seconds_count", &[("action", "picture"), ("outcome", "ok")], 1.0),
            // Two tasks begun and ended, one report.
            ("deskhand_request_duration_seconds_count", &[("action", "control"), ("outcome", "ok")], 5.0),
            ("deskhand_stage_duration_seconds_count", &[("stage", "act")], 2.0),
            ("deskhand_stage_duration_seconds_count", &[("stage", "capture")], 1.0),
            ("deskhand_errors_total", &[("kind", "out_of_range")], 1.0),
            ("deskhand_errors_total", &[("kind", "internal")], 0.0),
            ("deskhand_display_epoch", &[], 1.0),
            ("deskhand_displays_lost_total", &[], 0.0),
            ("deskhand_audit_records_lost_total", &[], 0.0),
            ("deskhand_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
        ],
    );
    assert!(after.value("deskhand_request_duration_seconds_sum", &clicks) > 0.0);
    assert!(after.value("deskhand_picture_bytes_total", &[("way", "answer")]) > 0.0);
}

/// A name, labels and the value that a series is to have.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

fn assert_counts(scrape: &Scrape, rows: &[Row<'_>]) {
    for (name, labels, expected) in rows {
        let value = scrape.value(name, labels);
        assert!((value - expected).abs() < f64::EPSILON, "{name}{labels:?} is {value}, not {expected}");
    }
}

#[test]
fn errors_in_batches_before_requests_and_of_single_requests_are_counted() {
    let server = server(&[]);
    let mut controller = Controller::connect(&server);
    controller.send_raw("no JSON");
    controller.raw_answer();
    assert_eq!(controller.must_fail("no.such.method", json!({})).0, "unknown_method");
    let expects = json!({"expect_window": {"title": "no such window"}});
    let click = json!({"name": "left_click", "input": {"coordinate": [5, 5]}});
    let batch = controller.must("batch", json!({"actions": [click, click], "_meta": expects}));
    assert_eq!(batch["results"][0]["error"]["data"]["kind"], "target_mismatch", "{batch}");
    controller.abandon();
    let answer = server.rpc(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}));
    assert!(answer["error"].is_object(), "{answer}");
    let scrape = Scrape::of(&server);
    let errors = |kind| scrape.value("deskhand_errors_total", &[("kind", kind)]);
    let counted = ["invalid_json", "unknown_method", "target_mismatch", "not_executed"].map(errors);
    assert_eq!(counted.map(|count| count.to_string()), ["1", "1", "1", "0"], "what was not tried is no error");
    let all: f64 = scrape.samples.iter().filter(|one| one.name == "deskhand_errors_total").map(|one| one.value).sum();
    assert!((all - 4.0).abs() < f64::EPSILON, "{}", scrape.text);
}

#[test]
fn whoever_has_no_token_makes_no_series_and_what_is_said_stands_nowhere() {
    let server = server(&[]);
    work(&server);
    let before = Scrape::of(&server);
    for number in 0..50 {
        let request = format!(
            "GET /metrics?user_id=attacker{number} HTTP/1.1\r\nHost: attacker{number}.example\r\nUser-Agent: attacker{number}\r\n\
             Authorization: Bearer attacker{number}\r\nConnection: close\r\n\r\n"
        );
        assert!(server.http(request.as_bytes()).starts_with("HTTP/1.1 403"));
        let request = format!(
            "GET /attacker{number} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer attacker{number}\r\nConnection: close\r\n\r\n",
            server.address()
        );
        assert!(server.http(request.as_bytes()).starts_with("HTTP/1.1 401"));
    }
    let mut controller = Controller::connect(&server);
    // No window has the focus; it was said all the same.
    controller.call("type", json!({"text": "correct horse"})).ok();
    for number in 0..50 {
        let report = json!({"model": format!("attacker{number}"), "input_tokens": 1, "output_tokens": 0});
        controller.must("usage.report", report);
        controller.must_fail(&format!("attacker{number}"), json!({}));
    }
    let after = Scrape::of(&server);
    assert_eq!(after.samples.len(), before.samples.len() + 1, "only the tokens of other models are new");
    assert!(after.samples.len() <= 500, "{} series", after.samples.len());
    assert!(!after.text.contains("attacker") && !after.text.contains("horse"), "{}", after.text);
    let refused = |reason| after.value("deskhand_http_refusals_total", &[("reason", reason)]);
    assert_eq!([refused("host"), refused("unauthorized")].map(|count| count.to_string()), ["50", "50"]);
    assert!(!server.log().contains("horse"));
}

#[test]
fn a_display_that_goes_away_and_comes_back_is_counted() {
    let server = server(&[]);
    let mut controller = Controller::connect(&server);
    server.xvfb().kill();
    // A picture waits for the new display.
    while controller.call("screenshot", json!({})).is_err() {}
    let scrape = Scrape::of(&server);
    let value = |name| scrape.value(name, &[]).to_string();
    let names = ["deskhand_display_up", "deskhand_display_epoch", "deskhand_displays_lost_total"];
    assert_eq!(names.map(value), ["1", "2", "1"]);
}
