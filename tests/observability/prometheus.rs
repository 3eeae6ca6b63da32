//! A real Prometheus: it reads what the server says, and what is shipped for it works.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    counted::work,
    queries::unknown,
    scrape::{Scrape, probe},
    server, shipped,
    support::{PATIENCE, Process},
};

/// What `promtool` says, which must be that all is well.
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("promtool: {error}; is prometheus installed?"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {said}\n{input}");
    said
}

/// A Prometheus that runs as the shipped example says, on a port of its own and in a hurry.
struct Prometheus {
    address: SocketAddr,
    process: Process,
    _directory: TempDir,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let example = fs::read_to_string(shipped("prometheus.yml")).unwrap();
        let (interval, address) = ("scrape_interval: 15s", "\"127.0.0.1:7011\"");
        assert!(example.contains(interval) && example.contains(address), "{example}");
        let config = example.replace(interval, "scrape_interval: 1s").replace(address, &format!("\"{target}\""));
        let path = directory.path().join("prometheus.yml");
        fs::write(&path, config).unwrap();
        fs::copy(shipped("alerts.yml"), directory.path().join("alerts.yml")).unwrap();
        // It takes no free port by itself that it would tell.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::start(&mut command);
        let log = process.child().stderr.take().unwrap();
        let (sender, lines) = mpsc::channel();
        // Reads on to the end, so that it never blocks on its log.
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        let mut said = String::new();
        while !said.contains("Server is ready to receive web requests") {
            let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("prometheus is not ready:\n{said}"));
            said.push_str(&line);
            said.push('\n');
        }
        Self { address, process, _directory: directory }
    }

    /// What its API says under a path.
    fn api(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // In 1.0 there are no chunks to be put together.
        write!(stream, "GET /api/v1/{path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {answer}"));
        let answer: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The series that an expression comes to now.
    fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: Vec<String> = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        self.api(&format!("query?query={}", encoded.concat()))["result"].as_array().unwrap().clone()
    }

    /// The value of the one series, once it has been scraped.
    fn value(&self, expression: &str) -> f64 {
        let begun = Instant::now();
        loop {
            if let [series] = self.query(expression).as_slice() {
                return series["value"][1].as_str().unwrap().parse().unwrap();
            }
            assert!(begun.elapsed() < PATIENCE, "nothing was scraped for {expression}: {}", self.api("targets"));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.end();
    }
}

/// The expressions of the dashboard.
fn dashboard() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let text = member.as_str().filter(|text| name == "expr" || text.starts_with("label_values("));
                    match text {
                        Some(text) => found.push(text.to_owned()),
                        None => collect(member, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(shipped("dashboard.json")).unwrap()).unwrap();
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    found
}

#[test]
fn what_is_shipped_for_prometheus_passes_its_own_checks() {
    let path = |name| shipped(name).to_str().unwrap().to_owned();
    let said = promtool(&["check", "rules", &path("alerts.yml")], "");
    assert!(said.contains("12 rules found"), "{said}");
    promtool(&["check", "config", &path("prometheus.yml")], "");
    promtool(&["test", "rules", &path("alerts.test.yml")], "");
}

#[test]
fn the_metrics_pass_promtools_check() {
    let server = server(&[]);
    work(&server);
    promtool(&["check", "metrics"], &Scrape::of(&server).as_prometheus_text());
}

#[test]
fn the_dashboard_names_only_what_a_server_tells() {
    let server = server(&[]);
    work(&server);
    let scrape = Scrape::of(&server);
    let expressions = dashboard();
    assert!(expressions.len() > 20, "{expressions:?}");
    for expression in &expressions {
        let unknown = unknown(expression, &scrape);
        assert!(unknown.is_empty(), "no {unknown:?} in a scrape: {expression}");
    }
    // And what a server tells is shown.
    for family in scrape.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, _) = family.split_once(' ').unwrap();
        assert!(expressions.iter().any(|expression| expression.contains(name)), "{name} is on no panel");
    }
}

#[test]
fn a_prometheus_scrapes_a_server_and_answers_with_its_counters() {
    let server = server(&[]);
    work(&server);
    let target = probe(&server);
    let scrape = Scrape::of(&server);
    let prometheus = Prometheus::start(target);
    for (expression, expected) in [
        ("up{job=\"deskhand\"}", "1"),
        ("automation_executions_total{status=\"success\",user_id=\"default\"}", "1"),
        ("automation_tokens_used_total{model=\"claude\",user_id=\"default\"}", "1234"),
        ("automation_execution_duration_seconds_count", "1"),
        ("automation_active_executions", "0"),
        ("sum(deskhand_request_duration_seconds_count{action=\"click\",outcome=\"ok\"})", "2"),
        ("deskhand_errors_total{kind=\"out_of_range\"}", "1"),
        ("deskhand_display_up", "1"),
        ("deskhand_build_info", "1"),
    ] {
        assert_eq!(prometheus.value(expression).to_string(), expected, "{expression}");
    }
    let targets = prometheus.api("targets");
    assert_eq!(targets["activeTargets"][0]["health"], "up", "{targets}");
    assert_eq!(targets["activeTargets"][0]["lastError"], "", "{targets}");

    let rules = prometheus.api("rules");
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 10, "{rules:?}");
    for rule in rules {
        let expression = rule["query"].as_str().unwrap();
        let unknown = unknown(expression, &scrape);
        assert!(unknown.is_empty(), "no {unknown:?} in a scrape: {expression}");
        assert_eq!(prometheus.query(expression), Vec::<Value>::new(), "all is well, but {}", rule["name"]);
    }
    for expression in dashboard().iter().filter(|expression| !expression.starts_with("label_values(")) {
        // Fails where it is no PromQL.
        prometheus.query(&expression.replace("$__rate_interval", "1m").replace("$instance", ".*"));
    }
}
