//! Tasks: what a user's loop is working on, and how long it may.
//!
//! A loop that runs away does so because nothing in it counts. So turns and minutes are counted here, where a loop cannot reach
//! them: past the limit input is refused until the task ends and another begins.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use crate::protocol::{
    error::{ErrorKind, Failure},
    identity::{UserLimits, UserName},
    limits,
    task::{TaskBegin, TaskId, TaskRule},
};

/// A task at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name in answers and records.
    pub id: TaskId,
    /// What the user said of it.
    pub said: TaskBegin,
    begun: Instant,
    turns: u32,
    max_turns: u32,
    max_time: Duration,
}

/// What a task came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Which.
    pub task: Task,
    /// How many acting requests it had.
    pub turns: u32,
    /// From its beginning to its end.
    pub duration: Duration,
}

/// The tasks of all users; at most one each.
#[derive(Debug, Default)]
pub struct Tasks {
    rule: TaskRule,
    at_work: HashMap<UserName, Task>,
    last: u64,
}

impl Tasks {
    /// None yet.
    pub fn new(rule: TaskRule) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Begins a task. A request may ask for less than the user is allowed, never for more.
    ///
    /// # Errors
    /// `conflict` while the user has one.
    pub fn begin(
        &mut self,
        now: Instant,
        user: &UserName,
        allowed: &UserLimits,
        said: TaskBegin,
    ) -> Result<TaskId, Failure> {
        if let Some(task) = self.at_work.get(user) {
            let message = format!("the task {} has not ended; end it with task.end first", task.id);
            return Err(Failure::new(ErrorKind::Conflict, message));
        }
        let most_turns = allowed.max_turns.map_or(limits::TASK_TURNS, NonZeroU32::get);
        let most_time = allowed.max_time.unwrap_or(limits::TASK_TIME);
        self.last += 1;
        let id = TaskId(self.last);
        let task = Task {
            id,
            begun: now,
            turns: 0,
            max_turns: said.max_turns.map_or(most_turns, |asked| asked.min(most_turns)),
            max_time: said.max_time.map_or(most_time, |asked| asked.min(most_time)),
            said,
        };
        self.at_work.insert(user.clone(), task);
        Ok(id)
    }

    /// Ends a user's task.
    ///
    /// # Errors
    /// `not_found` when there is none.
    pub fn end(&mut self, now: Instant, user: &UserName) -> Result<Ended, Failure> {
        let task = self
            .at_work
            .remove(user)
            .ok_or_else(|| Failure::new(ErrorKind::NotFound, "there is no task to end; task.begin begins one"))?;
        let (turns, duration) = (task.turns, now.saturating_duration_since(task.begun));
        Ok(Ended { task, turns, duration })
    }

    /// The task at work.
    pub fn current(&self, user: &UserName) -> Option<&Task> {
        self.at_work.get(user)
    }

    /// Counts an acting request.
    ///
    /// # Errors
    /// `task_limit` past the turns or the time of the task, `task_required` where input needs a task and there is none.
    pub fn turn(&mut self, now: Instant, user: &UserName) -> Result<(), Failure> {
        let Some(task) = self.at_work.get_mut(user) else {
            return match self.rule {
                TaskRule::Optional => Ok(()),
                TaskRule::Required => {
                    Err(Failure::new(ErrorKind::TaskRequired, "input needs a task here; begin one with task.begin"))
                }
            };
        };
        let over = |what: String| {
            Failure::new(ErrorKind::TaskLimit, format!("{what}; end the task {} with task.end", task.id))
                .hint("a new task has its own turns and time")
        };
        let took = now.saturating_duration_since(task.begun);
        if took >= task.max_time {
            return Err(over(format!("the task has had its {} seconds", task.max_time.as_secs())));
        }
        if task.turns >= task.max_turns {
            return Err(over(format!("the task has had its {} turns", task.max_turns)));
        }
        task.turns += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        name.to_owned().try_into().expect("a name")
    }

    fn begun(tasks: &mut Tasks, now: Instant, allowed: &UserLimits, said: TaskBegin) -> TaskId {
        tasks.begin(now, &user("u"), allowed, said).expect("a task")
    }

    fn turn(tasks: &mut Tasks, now: Instant) -> Result<(), ErrorKind> {
        tasks.turn(now, &user("u")).map_err(|failure| failure.kind)
    }

    #[test]
    fn fifty_turns_and_fifteen_minutes_unless_the_token_allows_more() {
        let (start, mut tasks) = (Instant::now(), Tasks::default());
        begun(&mut tasks, start, &UserLimits::default(), TaskBegin::default());
        for _ in 0..50 {
            assert_eq!(turn(&mut tasks, start), Ok(()));
        }
        assert_eq!(turn(&mut tasks, start), Err(ErrorKind::TaskLimit));
        assert_eq!(tasks.end(start, &user("u")).expect("it ran").turns, 50, "what was refused is no turn");

        begun(&mut tasks, start, &UserLimits::default(), TaskBegin::default());
        let last = start + Duration::from_millis(15 * 60 * 1000 - 1);
        assert_eq!(turn(&mut tasks, last), Ok(()));
        assert_eq!(turn(&mut tasks, start + Duration::from_secs(15 * 60)), Err(ErrorKind::TaskLimit));
        tasks.end(last, &user("u")).expect("it ran");

        let allowed = UserLimits {
            max_turns: NonZeroU32::new(60),
            max_time: Some(Duration::from_secs(3600)),
            ..UserLimits::default()
        };
        begun(&mut tasks, start, &allowed, TaskBegin::default());
        for _ in 0..60 {
            assert_eq!(turn(&mut tasks, start + Duration::from_secs(3599)), Ok(()));
        }
        assert_eq!(turn(&mut tasks, start), Err(ErrorKind::TaskLimit));
    }

    #[test]
    fn a_task_may_ask_for_less_and_never_gets_more() {
        let (now, mut tasks) = (Instant::now(), Tasks::default());
        for (asked, turns) in [(3, 3), (1_000, 50)] {
            let said = TaskBegin { max_turns: Some(asked), ..TaskBegin::default() };
            begun(&mut tasks, now, &UserLimits::default(), said);
            for _ in 0..turns {
                assert_eq!(turn(&mut tasks, now), Ok(()));
            }
            assert_eq!(turn(&mut tasks, now), Err(ErrorKind::TaskLimit), "{asked}");
            tasks.end(now, &user("u")).expect("it ran");
        }
    }

    #[test]
    fn where_tasks_are_required_nothing_acts_without_one() {
        let (now, mut tasks) = (Instant::now(), Tasks::new(TaskRule::Required));
        assert_eq!(turn(&mut tasks, now), Err(ErrorKind::TaskRequired));
        begun(&mut tasks, now, &UserLimits::default(), TaskBegin::default());
        assert_eq!(turn(&mut tasks, now), Ok(()));
        assert_eq!(tasks.turn(now, &user("another")).map_err(|failure| failure.kind), Err(ErrorKind::TaskRequired));
        tasks.end(now, &user("u")).expect("it ran");
        assert_eq!(turn(&mut tasks, now), Err(ErrorKind::TaskRequired));
    }

    #[test]
    fn a_user_has_one_task_at_a_time() {
        let (now, mut tasks) = (Instant::now(), Tasks::default());
        begun(&mut tasks, now, &UserLimits::default(), TaskBegin::default());
        let second = tasks.begin(now, &user("u"), &UserLimits::default(), TaskBegin::default());
        assert_eq!(second.map_err(|failure| failure.kind), Err(ErrorKind::Conflict));
        assert_eq!(tasks.end(now, &user("v")).map_err(|failure| failure.kind), Err(ErrorKind::NotFound));
    }
}
