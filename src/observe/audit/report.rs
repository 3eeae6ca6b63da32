//! What a user did, from the records: for whoever has to answer for it.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::storage::earlier_files;

/// A record as a report reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// When.
    pub timestamp: String,
    /// Whose doing.
    pub user_id: Option<String>,
    /// In which session.
    pub session_id: Option<String>,
    /// As part of which task.
    pub task_id: Option<String>,
    /// What it is about.
    pub action_type: String,
    /// What exactly.
    #[serde(default)]
    pub details: Map<String, Value>,
    /// How far it has come.
    pub outcome: String,
    /// How long it took.
    pub duration_us: Option<u64>,
}

impl Entry {
    /// One line for a person. What stands in details is JSON, so nothing in it moves the cursor.
    pub fn line(&self) -> String {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let took = self.duration_us.map(|took| format!(" {took} µs")).unwrap_or_default();
        let details = Value::Object(self.details.clone());
        format!(
            "{} {} {} {} {} {} {}{took} {details}",
            self.seq,
            self.timestamp,
            or_dash(&self.user_id),
            or_dash(&self.session_id),
            or_dash(&self.task_id),
            self.action_type,
            self.outcome
        )
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.details.get(name)?.as_str()
    }
}

/// What a user did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    user: String,
    first: Option<String>,
    last: Option<String>,
    sessions: usize,
    tasks: Vec<Task>,
    /// Method → how often it was done, failed, was refused.
    methods: BTreeMap<String, [u64; 3]>,
    /// Why.
    failures: BTreeMap<String, u64>,
    unreadable: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Task {
    id: String,
    begun: String,
    said: String,
    end: String,
}

/// Reads what a user did from a file and those that went before it.
///
/// # Errors
/// Why a file cannot be read.
pub fn report(path: &Path, user: &str) -> io::Result<Report> {
    let mut report = Report { user: user.to_owned(), ..Report::default() };
    let mut files = earlier_files(path)?;
    files.push(path.to_owned());
    for file in files {
        for line in BufReader::new(File::open(file)?).lines() {
            match serde_json::from_str::<Entry>(&line?) {
                Ok(entry) if entry.user_id.as_deref() == Some(user) => report.add(&entry),
                Ok(_) => {}
                Err(_) => report.unreadable += 1,
            }
        }
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, entry: &Entry) {
        self.first.get_or_insert_with(|| entry.timestamp.clone());
        self.last = Some(entry.timestamp.clone());
        match entry.action_type.as_str() {
            "session" if entry.text("event") == Some("begins") => self.sessions += 1,
            "execution_started" => {
                let said = ["objective", "purpose", "model"].into_iter().filter_map(|name| {
                    // Quoted: a text of a user's must not look like a line of ours.
                    entry.text(name).map(|text| format!("{name} {}", Value::from(text)))
                });
                let said = said.collect::<Vec<_>>().join(", ");
                let id = entry.task_id.clone().unwrap_or_default();
                self.tasks.push(Task { id, begun: entry.timestamp.clone(), said, end: "not ended".to_owned() });
            }
            "completion" => {
                let number = |name: &str| entry.details.get(name).and_then(Value::as_u64).unwrap_or(0);
                let success = entry.details.get("success") == Some(&Value::Bool(true));
                let word = if success { "success" } else { "no success" };
                let end = format!("{word}, {} turns, {} ms", number("turns"), number("duration_ms"));
                let id = entry.task_id.clone().unwrap_or_default();
                if let Some(task) = self.tasks.iter_mut().rev().find(|task| task.id == id) {
                    task.end = end;
                }
            }
            "tool_use" if entry.outcome == "success" => self.count(entry, 0),
            "error" => self.count(entry, 1),
            "refused" => self.count(entry, 2),
            _ => {}
        }
    }

    fn count(&mut self, entry: &Entry, column: usize) {
        let method = entry.text("method").unwrap_or("-").to_owned();
        self.methods.entry(method).or_default()[column] += 1;
        if column > 0 {
            *self.failures.entry(entry.outcome.clone()).or_default() += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (&self.first, &self.last) else {
            return writeln!(formatter, "{}: no records", self.user);
        };
        writeln!(
            formatter,
            "{}: {first} to {last}, {} sessions, {} tasks",
            self.user,
            self.sessions,
            self.tasks.len()
        )?;
        for Task { id, begun, said, end } in &self.tasks {
            writeln!(formatter, "  {id} {begun} {end}{}{said}", if said.is_empty() { "" } else { ": " })?;
        }
        writeln!(formatter, "{:<24} {:>8} {:>8} {:>8}", "method", "done", "failed", "refused")?;
        for (method, [done, failed, refused]) in &self.methods {
            writeln!(formatter, "{method:<24} {done:>8} {failed:>8} {refused:>8}")?;
        }
        for (kind, count) in &self.failures {
            writeln!(formatter, "{kind}: {count}")?;
        }
        if self.unreadable > 0 {
            writeln!(formatter, "{} lines are no records; see `deskhand audit verify`", self.unreadable)?;
        }
        Ok(())
    }
}
