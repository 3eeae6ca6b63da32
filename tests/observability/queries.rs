//! The names in `PromQL` expressions, and whether a scrape has them.

use super::scrape::{Sample, Scrape};

/// The words of `PromQL` that are used, and the labels by which is grouped: whatever else stands there has to be a metric.
const WORDS: &[&str] = &[
    "sum",
    "by",
    "rate",
    "increase",
    "histogram_quantile",
    "and",
    "on",
    "label_values",
    "le",
    "instance",
    "action",
    "stage",
    "kind",
    "reason",
    "verdict",
    "way",
    "status",
    "user_id",
    "model",
];

/// What Prometheus itself adds.
const ADDED: &[&str] = &["up"];
const ADDED_LABELS: &[&str] = &["instance", "job"];

/// A metric's name with what its labels are compared with.
#[derive(Debug, PartialEq, Eq)]
struct Selector {
    name: String,
    labels: Vec<(String, Vec<String>)>,
}

fn selectors(expression: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let is_part = |character: char| character.is_ascii_alphanumeric() || "_:.".contains(character);
        if !(is_part(first) || first == '$') {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest[1..].find(|character| !is_part(character)).map_or(rest.len(), |end| end + 1);
        let word = &rest[..end];
        rest = &rest[end..];
        // A number, a duration, or a variable of Grafana's.
        if !(first.is_ascii_alphabetic() || first == '_') || WORDS.contains(&word) {
            continue;
        }
        let mut labels = Vec::new();
        if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').unwrap_or_else(|| panic!("no end of labels in {expression}"));
            labels = inner[..end].split(',').map(matcher).collect();
            rest = &inner[end + 1..];
        }
        found.push(Selector { name: word.to_owned(), labels });
    }
    found
}

fn matcher(text: &str) -> (String, Vec<String>) {
    let (label, rest) =
        text.trim().split_at(text.trim().find(['=', '!']).unwrap_or_else(|| panic!("no label: {text}")));
    let value = rest.trim_start_matches(['=', '!', '~']).trim_matches('"');
    (label.to_owned(), value.split('|').map(str::to_owned).collect())
}

/// What an expression names that a scrape does not have.
pub fn unknown(expression: &str, scrape: &Scrape) -> Vec<String> {
    let mut unknown = Vec::new();
    for Selector { name, labels } in selectors(expression) {
        if ADDED.contains(&name.as_str()) {
            continue;
        }
        let samples: Vec<&Sample> = scrape.samples.iter().filter(|sample| sample.name == name).collect();
        if samples.is_empty() {
            unknown.push(name.clone());
        }
        for (label, values) in labels.iter().filter(|(label, _)| !ADDED_LABELS.contains(&label.as_str())) {
            let has = |value: &String| samples.iter().any(|sample| sample.labels.get(label) == Some(value));
            unknown.extend(values.iter().filter(|value| !has(value)).map(|value| format!("{name}{{{label}={value}}}")));
        }
    }
    unknown
}

#[test]
fn every_name_in_an_expression_is_looked_for() {
    let scrape = Scrape::read("a_total{reason=\"x\"} 1\nb_bucket{le=\"1.0\"} 1\n# EOF\n".to_owned());
    let expression = r#"sum by (le, instance) (rate(a_total{instance=~"$i",reason=~"x|y"}[5m])) / (c_total{job="j"} > 0.95) and up == 1"#;
    assert_eq!(unknown(expression, &scrape), ["a_total{reason=y}", "c_total"]);
    assert!(unknown("histogram_quantile(0.5, sum by (le) (rate(b_bucket[$__rate_interval])))", &scrape).is_empty());
}
