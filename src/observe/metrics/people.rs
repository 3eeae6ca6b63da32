//! The series of tasks and tokens, which have a user: only somebody who is authenticated and has begun something gets any, and
//! no more than a few users do.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::labels::{OTHER, model_family};
use crate::protocol::identity::UserName;

/// How many users have series of their own; those after them share one. A desktop serves few, and each costs eighteen series.
pub(super) const MOST_USERS: usize = 10;
/// Up to the fifteen minutes that a task has unless its token says otherwise, in seconds.
const TASK_BUCKETS: [f64; 4] = [15.0, 60.0, 300.0, 900.0];

type Value = Cow<'static, str>;
type OfUser = [(&'static str, Value); 1];
type OfUserAnd = [(&'static str, Value); 2];

/// What `task.end` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// It has achieved what it was to.
    Success,
    /// It has not.
    Error,
}

impl TaskStatus {
    const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// The metrics that have a user.
#[derive(Debug)]
pub(super) struct People {
    known: Mutex<Vec<UserName>>,
    executions: Family<OfUserAnd, Counter>,
    durations: Family<OfUser, Histogram>,
    active: Gauge,
    tokens: Family<OfUserAnd, Counter>,
}

impl People {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let people = Self {
            known: Mutex::default(),
            executions: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(TASK_BUCKETS)),
            active: Gauge::default(),
            tokens: Family::default(),
        };
        registry.register("automation_executions", "Tasks that have ended", people.executions.clone());
        let help = "Time of tasks from task.begin to task.end";
        registry.register("automation_execution_duration_seconds", help, people.durations.clone());
        registry.register("automation_active_executions", "Tasks at work", people.active.clone());
        let help = "Tokens of language models, as usage.report says them";
        registry.register("automation_tokens_used", help, people.tokens.clone());
        people
    }

    pub(super) fn task_begins(&self) {
        self.active.inc();
    }

    pub(super) fn task_ends(&self, user: &UserName, status: TaskStatus, took: Duration) {
        self.active.dec();
        let user = self.label(user);
        // Both, so that the first failure is an increase and not a series that was not there.
        for each in [TaskStatus::Success, TaskStatus::Error] {
            let labels = [("status", each.word().into()), ("user_id", user.clone())];
            self.executions.get_or_create(&labels).inc_by(u64::from(each == status));
        }
        self.durations.get_or_create(&[("user_id", user)]).observe(took.as_secs_f64());
    }

    pub(super) fn tokens_used(&self, user: &UserName, model: &str, tokens: u64) {
        let labels = [("model", model_family(model).into()), ("user_id", self.label(user))];
        self.tokens.get_or_create(&labels).inc_by(tokens);
    }

    fn label(&self, user: &UserName) -> Value {
        // Each change is one insertion.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(user) {
            if known.len() == MOST_USERS {
                return OTHER.into();
            }
            known.push(user.clone());
        }
        user.as_str().to_owned().into()
    }
}
