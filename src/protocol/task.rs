//! Tasks on the wire.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::Failure,
    limits,
    wire::{self, Whole},
};

/// A task's number within this start of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId(pub u64);

impl std::fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "task-{}", self.0)
    }
}

impl Serialize for TaskId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for TaskId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TaskId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^task-[0-9]+$" })
    }
}

/// The parameters of `task.begin`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskBeginParams {
    /// What the task is to achieve, for the record.
    pub objective: Option<String>,
    /// The language model that works on it.
    pub model: Option<String>,
    /// Why this is done and for whom, for the record.
    pub purpose: Option<String>,
    /// The most acting requests; what the token allows when absent or larger.
    pub max_turns: Option<Whole>,
    /// The longest time in seconds; what the token allows when absent or larger.
    pub max_seconds: Option<Whole>,
}

/// What `task.begin` says, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskBegin {
    /// What the task is to achieve.
    pub objective: Option<String>,
    /// The language model.
    pub model: Option<String>,
    /// Why this is done.
    pub purpose: Option<String>,
    /// Fewer turns than the token allows.
    pub max_turns: Option<u32>,
    /// Less time than the token allows.
    pub max_time: Option<Duration>,
}

impl TaskBeginParams {
    /// # Errors
    /// `out_of_range` for a number or a text that is too large.
    pub(super) fn check(self) -> Result<TaskBegin, Failure> {
        let count = |name, value: Option<Whole>, most: u32| {
            let checked = value.map(|Whole(value)| {
                u32::try_from(value)
                    .ok()
                    .filter(|value| (1..=most).contains(value))
                    .ok_or_else(|| wire::out_of_range(name, value, &format!("1..={most}")))
            });
            checked.transpose()
        };
        Ok(TaskBegin {
            objective: text("objective", self.objective)?,
            model: text("model", self.model)?,
            purpose: text("purpose", self.purpose)?,
            max_turns: count("max_turns", self.max_turns, limits::TASK_TURNS_MAX)?,
            max_time: count("max_seconds", self.max_seconds, limits::TASK_SECONDS_MAX)?
                .map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}

pub(super) fn text(name: &str, text: Option<String>) -> Result<Option<String>, Failure> {
    let characters = text.as_ref().map_or(0, |text| text.chars().count());
    if characters > limits::RECORD_CHARACTERS {
        return Err(wire::out_of_range(name, characters, &format!("0..={} characters", limits::RECORD_CHARACTERS)));
    }
    Ok(text)
}

/// `task.begin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TaskBeginResult {
    /// Its name in records.
    pub task: TaskId,
}

/// The parameters of `task.end`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskEndParams {
    /// Whether it has achieved what it was to.
    pub success: bool,
    /// What came of it, for the record.
    pub summary: Option<String>,
}

/// `task.end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TaskEndResult {
    /// Which.
    pub task: TaskId,
    /// How many acting requests it had.
    pub turns: u32,
    /// From its beginning to its end.
    pub duration_ms: u64,
}

/// What `task.end` says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEnd {
    /// Whether it has achieved what it was to.
    pub success: bool,
    /// What came of it.
    pub summary: Option<String>,
}

impl TaskEndParams {
    /// # Errors
    /// `out_of_range` for a text that is too long.
    pub(super) fn check(self) -> Result<TaskEnd, Failure> {
        Ok(TaskEnd { success: self.success, summary: text("summary", self.summary)? })
    }
}

/// Whether input needs a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskRule {
    /// It may do without.
    #[default]
    Optional,
    /// `--require-task`.
    Required,
}
