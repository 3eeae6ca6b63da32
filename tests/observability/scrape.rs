//! Reads what `/metrics` says.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Read, Write as _},
    net::{SocketAddr, TcpStream},
};

use super::support::{Deskhand, PATIENCE};

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All that a server told.
pub struct Scrape {
    pub text: String,
    pub samples: Vec<Sample>,
}

/// Where a server answers probes.
pub fn probe(server: &Deskhand) -> SocketAddr {
    server.ready["probe"].as_str().unwrap_or_else(|| panic!("no probe in {}", server.ready)).parse().unwrap()
}

/// One GET as a program makes it that knows HTTP/1.1 and nothing of us: status, head and body.
pub fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: whatever.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: {answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

impl Scrape {
    pub fn of(server: &Deskhand) -> Self {
        let (status, head, body) = get(probe(server), "/metrics");
        assert_eq!(status, 200, "{head}");
        assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
        Self::read(body)
    }

    pub fn read(text: String) -> Self {
        assert!(text.ends_with("\n# EOF\n"), "{text}");
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(sample).collect();
        Self { text, samples }
    }

    /// The value of the one series of this name that has these labels among its own.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).map(String::as_str) == Some(value))
        };
        let found: Vec<&Sample> = self.samples.iter().filter(has).collect();
        assert_eq!(found.len(), 1, "series {name}{labels:?}: {found:?}\n{}", self.text);
        found[0].value
    }

    /// As the older text format has it, for programs that know only that: there counters are described by the names of their
    /// samples.
    pub fn as_prometheus_text(&self) -> String {
        let mut text = String::new();
        let mut renamed = BTreeMap::new();
        for line in self.text.lines() {
            if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                match kind {
                    "counter" => renamed.insert(name.to_owned(), (format!("{name}_total"), "counter")),
                    "info" => renamed.insert(name.to_owned(), (format!("{name}_info"), "gauge")),
                    _ => None,
                };
            }
        }
        for line in self.text.lines().filter(|line| *line != "# EOF") {
            let mut parts = line.splitn(4, ' ');
            let (Some("#"), Some(what), Some(name), Some(rest)) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                writeln!(text, "{line}").unwrap();
                continue;
            };
            match renamed.get(name) {
                Some((name, kind)) if what == "TYPE" => writeln!(text, "# TYPE {name} {kind}").unwrap(),
                Some((name, _)) => writeln!(text, "# {what} {name} {rest}").unwrap(),
                None => writeln!(text, "{line}").unwrap(),
            }
        }
        text
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels: {line}"));
    let pair = |pair: &str| {
        let (label, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("no label: {pair} in {line}"));
        (label.to_owned(), value.strip_suffix('"').unwrap().to_owned())
    };
    // No value of ours holds a comma or a quotation mark; one that did would not be read here.
    let labels = labels.split(',').filter(|part| !part.is_empty()).map(pair).collect();
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|_| panic!("no number: {line}")) }
}
