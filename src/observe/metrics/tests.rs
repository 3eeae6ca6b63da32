use std::collections::HashSet;

use super::*;

/// What a small Prometheus takes of one of its targets without a thought.
const MOST_SERIES: usize = 500;

fn user(number: usize) -> UserName {
    format!("user-{number}").try_into().unwrap()
}

fn samples(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap()).collect()
}

fn is(metrics: &Metrics, series: &str, expected: f64) {
    let text = metrics.text();
    let found = samples(&text).into_iter().find(|(name, _)| *name == series);
    let value: f64 = found.unwrap_or_else(|| panic!("no {series} in\n{text}")).1.parse().unwrap();
    assert!((value - expected).abs() < f64::EPSILON, "{series} is {value}, not {expected}");
}

#[test]
fn whatever_happens_there_are_no_more_than_five_hundred_series() {
    let metrics = Metrics::new("1.2.3");
    let at_rest = samples(&metrics.text()).len();
    for kind in ActionKind::ALL {
        for answered in Answered::ALL {
            metrics.answered(kind, answered, Duration::from_millis(3));
        }
    }
    let timing = Timing { queue_us: 1, act_us: 1, settle_us: 1, capture_us: 1, encode_us: 1 };
    metrics.went_through(&timing);
    for kind in ErrorKind::ALL {
        metrics.failed(kind);
    }
    for reason in HttpRefusal::ALL {
        metrics.refused(*reason);
    }
    for reason in Closing::ALL {
        metrics.closed(*reason);
    }
    for reason in EgressReason::ALL {
        metrics.egress(EgressVerdict::Allowed, reason);
        metrics.egress(EgressVerdict::Denied, reason);
    }
    is(&metrics, "deskhand_egress_attempts_total{verdict=\"denied\"}", 15.0);
    is(&metrics, "deskhand_egress_denied_total{reason=\"not_listed\"}", 1.0);
    metrics.picture(1);
    metrics.streamed(1);
    metrics.session_begins();
    metrics.display_opens(1);
    metrics.display_ends();
    metrics.audit_lost(1);
    assert_eq!(samples(&metrics.text()).len(), at_rest, "whoever has no token makes no series");

    let models =
        ["claude-4", "gpt-5", "computer-use-preview", "gemini-3", "qwen3", "ui-tars", "llama-4", "deepseek-v3"];
    for number in 0..1000 {
        metrics.task_begins();
        metrics.task_ends(&user(number), TaskStatus::Error, Duration::from_secs(1));
        let unknown = format!("model-{number}");
        for model in models.into_iter().chain([unknown.as_str()]) {
            metrics.tokens_used(&user(number), model, 1);
        }
    }
    let text = metrics.text();
    let samples = samples(&text);
    let names: HashSet<&str> = samples.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), samples.len(), "a series stands twice");
    assert!(samples.len() <= MOST_SERIES, "{} series:\n{text}", samples.len());
    assert!(samples.iter().all(|(_, value)| value.parse::<f64>().is_ok()), "{text}");
    let users = |name: &str| samples.iter().filter(|(series, _)| series.starts_with(name)).count();
    assert_eq!(users("automation_executions_total{status=\"error\""), people::MOST_USERS + 1);
    is(&metrics, "automation_executions_total{status=\"error\",user_id=\"other\"}", 990.0);
    is(&metrics, "automation_tokens_used_total{model=\"other\",user_id=\"user-3\"}", 1.0);
}

#[test]
fn the_names_are_those_that_dashboards_are_written_for() {
    let metrics = Metrics::new("1.2.3");
    metrics.task_begins();
    metrics.task_begins();
    metrics.task_ends(&user(1), TaskStatus::Success, Duration::from_secs(20));
    metrics.tokens_used(&user(1), "claude-opus", 42);
    for (series, expected) in [
        ("automation_executions_total{status=\"success\",user_id=\"user-1\"}", 1.0),
        ("automation_executions_total{status=\"error\",user_id=\"user-1\"}", 0.0),
        ("automation_execution_duration_seconds_bucket{le=\"15.0\",user_id=\"user-1\"}", 0.0),
        ("automation_execution_duration_seconds_bucket{le=\"60.0\",user_id=\"user-1\"}", 1.0),
        ("automation_execution_duration_seconds_sum{user_id=\"user-1\"}", 20.0),
        ("automation_active_executions", 1.0),
        ("automation_tokens_used_total{model=\"claude\",user_id=\"user-1\"}", 42.0),
        ("deskhand_build_info{version=\"1.2.3\"}", 1.0),
    ] {
        is(&metrics, series, expected);
    }
}

#[test]
fn what_happens_is_counted_where_it_belongs() {
    let metrics = Metrics::new("1.2.3");
    metrics.answered(ActionKind::Click, Answered::Ok, Duration::from_micros(250));
    metrics.failed(ErrorKind::FocusLost);
    metrics.went_through(&Timing { act_us: 200, ..Timing::default() });
    metrics.refused(HttpRefusal::Unauthorized);
    metrics.closed(Closing::Overloaded);
    metrics.picture(10);
    metrics.session_begins();
    metrics.display_opens(3);
    metrics.display_ends();
    metrics.audit_lost(2);
    for (series, expected) in [
        ("deskhand_request_duration_seconds_bucket{le=\"0.001\",action=\"click\",outcome=\"ok\"}", 1.0),
        ("deskhand_request_duration_seconds_count{action=\"click\",outcome=\"error\"}", 0.0),
        ("deskhand_stage_duration_seconds_count{stage=\"act\"}", 1.0),
        ("deskhand_stage_duration_seconds_count{stage=\"queue\"}", 0.0),
        ("deskhand_errors_total{kind=\"focus_lost\"}", 1.0),
        ("deskhand_errors_total{kind=\"internal\"}", 0.0),
        ("deskhand_http_refusals_total{reason=\"unauthorized\"}", 1.0),
        ("deskhand_websocket_closings_total{reason=\"overloaded\"}", 1.0),
        ("deskhand_picture_bytes_total{way=\"answer\"}", 10.0),
        ("deskhand_picture_bytes_total{way=\"stream\"}", 0.0),
        ("deskhand_sessions", 1.0),
        ("deskhand_display_epoch", 3.0),
        ("deskhand_display_up", 0.0),
        ("deskhand_displays_lost_total", 1.0),
        ("deskhand_audit_records_lost_total", 2.0),
    ] {
        is(&metrics, series, expected);
    }
}
