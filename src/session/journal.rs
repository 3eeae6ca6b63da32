//! At most once: what became of the requests that named a key.
//!
//! A loop whose connection breaks does not know whether its click happened. It sends the click again with the same key, and gets
//! the recorded outcome instead of a second click. What is asked for and not in here is told apart from what was forgotten:
//! an answer is never a guess.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::protocol::{
    error::{ErrorKind, Executed, Failure},
    identity::UserName,
    request_key::{Fingerprint, RequestKey},
};

/// How long an outcome is kept after its end.
pub const KEPT: Duration = Duration::from_secs(10 * 60);
/// How many keys of a user are kept; the oldest outcome goes first.
pub const KEYS: usize = 10_000;

/// How many bytes of results are kept for a user; the oldest outcome goes first. A click's is 250 bytes, so ten thousand fit; a
/// hundred batches a minute do not.
pub const BYTES: usize = 4 * 1024 * 1024;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was admitted and has not ended.
    Running,
    /// It succeeded; the result as JSON, without its picture.
    Done(String),
    /// It failed.
    Failed(Failure),
}

impl Recorded {
    fn bytes(&self) -> usize {
        match self {
            Self::Running => 0,
            Self::Done(text) => text.len(),
            Self::Failed(failure) => {
                failure.message.len() + failure.detail.as_ref().map_or(0, |_| size_of::<Failure>())
            }
        }
    }
}

/// What a journal says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It knows.
    Known(Recorded),
    /// It has never begun: nothing of this user has been forgotten since the server started.
    NotStarted,
    /// Some of this user's outcomes have been forgotten, and it may be one of them.
    Forgotten,
}

#[derive(Debug)]
struct Record {
    fingerprint: Fingerprint,
    state: Recorded,
}

#[derive(Debug, Default)]
struct OfUser {
    records: HashMap<RequestKey, Record>,
    /// What has ended, oldest first.
    ended: VecDeque<(Instant, RequestKey)>,
    bytes: usize,
    has_forgotten: bool,
}

/// The journals of all users.
#[derive(Debug, Default)]
pub struct Journal {
    users: HashMap<UserName, OfUser>,
}

impl Journal {
    /// What became of a request; `None` when it is new.
    ///
    /// # Errors
    /// `conflict` when the key stands for another request or for one that runs.
    pub fn find(
        &mut self,
        now: Instant,
        user: &UserName,
        key: &RequestKey,
        request: Fingerprint,
    ) -> Result<Option<Recorded>, Failure> {
        let Some(journal) = self.users.get_mut(user) else { return Ok(None) };
        journal.forget(now);
        let Some(record) = journal.records.get(key) else { return Ok(None) };
        if record.fingerprint != request {
            return Err(Failure::new(
                ErrorKind::Conflict,
                "this request_key stands for another request; use a new key for each request",
            ));
        }
        match &record.state {
            Recorded::Running => Err(Failure::new(
                ErrorKind::Conflict,
                "the request with this request_key is still running; ask status{request_key} for its end",
            )
            .executed(Executed::Unknown)),
            ended => Ok(Some(ended.clone())),
        }
    }

    /// Enters a request that begins. As many may run as the connections let through, which is far fewer than are kept.
    pub fn enter(&mut self, user: &UserName, key: &RequestKey, request: Fingerprint) {
        let journal = self.users.entry(user.clone()).or_default();
        if journal.records.len() >= KEYS {
            journal.forget_oldest();
        }
        journal.records.insert(key.clone(), Record { fingerprint: request, state: Recorded::Running });
    }

    /// Records how a request ended.
    pub fn end(&mut self, now: Instant, user: &UserName, key: &RequestKey, outcome: Recorded) {
        let Some(journal) = self.users.get_mut(user) else { return };
        if let Some(record) = journal.records.get_mut(key) {
            journal.bytes += outcome.bytes();
            record.state = outcome;
            journal.ended.push_back((now, key.clone()));
        }
        while journal.bytes > BYTES && journal.forget_oldest() {}
    }

    /// What became of a key.
    pub fn look_up(&mut self, now: Instant, user: &UserName, key: &RequestKey) -> Lookup {
        let Some(journal) = self.users.get_mut(user) else { return Lookup::NotStarted };
        journal.forget(now);
        match journal.records.get(key) {
            Some(record) => Lookup::Known(record.state.clone()),
            None if journal.has_forgotten => Lookup::Forgotten,
            None => Lookup::NotStarted,
        }
    }
}

impl OfUser {
    fn forget(&mut self, now: Instant) {
        while self.ended.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= KEPT) {
            self.forget_oldest();
        }
    }

    /// Whether there was one.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, key)) = self.ended.pop_front() else { return false };
        if let Some(record) = self.records.remove(&key) {
            self.bytes -= record.state.bytes();
        }
        self.has_forgotten = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> RequestKey {
        text.to_owned().try_into().expect("a key")
    }

    fn fingerprint(text: &str) -> Fingerprint {
        let params = [("text".to_owned(), text.into())].into_iter().collect();
        Fingerprint::of("type", &params)
    }

    fn done(text: &str) -> Recorded {
        Recorded::Done(text.to_owned())
    }

    fn user(name: &str) -> UserName {
        name.to_owned().try_into().expect("a name")
    }

    /// What `find` says, and the entry of what is new.
    fn begin(
        journal: &mut Journal,
        now: Instant,
        name: &str,
        text: &str,
        request: &str,
    ) -> Result<Option<Recorded>, Failure> {
        let (user, key, request) = (user(name), key(text), fingerprint(request));
        let found = journal.find(now, &user, &key, request)?;
        if found.is_none() {
            journal.enter(&user, &key, request);
        }
        Ok(found)
    }

    #[test]
    fn a_key_runs_once_and_then_answers_with_what_it_came_to() {
        let (now, mut journal, u) = (Instant::now(), Journal::default(), user("u"));
        assert_eq!(journal.look_up(now, &u, &key("a")), Lookup::NotStarted);
        assert_eq!(begin(&mut journal, now, "u", "a", "x"), Ok(None));
        assert_eq!(journal.look_up(now, &u, &key("a")), Lookup::Known(Recorded::Running));
        let running = begin(&mut journal, now, "u", "a", "x").expect_err("it runs");
        assert_eq!((running.kind, running.executed), (ErrorKind::Conflict, Executed::Unknown));
        journal.end(now, &u, &key("a"), done("{}"));
        assert_eq!(begin(&mut journal, now, "u", "a", "x"), Ok(Some(done("{}"))));
        assert_eq!(journal.look_up(now, &u, &key("a")), Lookup::Known(done("{}")));
    }

    #[test]
    fn another_request_under_the_same_key_is_a_conflict_and_another_user_has_keys_of_its_own() {
        let (now, mut journal) = (Instant::now(), Journal::default());
        assert_eq!(begin(&mut journal, now, "u", "a", "x"), Ok(None));
        journal.end(now, &user("u"), &key("a"), done("{}"));
        let other = begin(&mut journal, now, "u", "a", "y").expect_err("another request");
        assert_eq!((other.kind, other.executed), (ErrorKind::Conflict, Executed::No));
        assert_eq!(begin(&mut journal, now, "v", "a", "y"), Ok(None));
    }

    #[test]
    fn after_ten_minutes_an_outcome_is_forgotten_and_said_to_be() {
        let (start, mut journal, u) = (Instant::now(), Journal::default(), user("u"));
        assert_eq!(begin(&mut journal, start, "u", "a", "x"), Ok(None));
        // What runs is kept however long it takes.
        assert_eq!(journal.look_up(start + 2 * KEPT, &u, &key("a")), Lookup::Known(Recorded::Running));
        journal.end(start + 2 * KEPT, &u, &key("a"), done("{}"));
        let last = start + 2 * KEPT + Duration::from_millis(599_999);
        assert_eq!(journal.look_up(last, &u, &key("a")), Lookup::Known(done("{}")));
        assert_eq!(journal.look_up(start + 3 * KEPT, &u, &key("a")), Lookup::Forgotten);
        assert_eq!(journal.look_up(start + 3 * KEPT, &u, &key("never")), Lookup::Forgotten, "nobody can tell");
        assert_eq!(journal.look_up(start + 3 * KEPT, &user("v"), &key("a")), Lookup::NotStarted);
    }

    #[test]
    fn ten_thousand_keys_are_kept_and_what_runs_is_never_forgotten() {
        let (now, mut journal, u) = (Instant::now(), Journal::default(), user("u"));
        assert_eq!(begin(&mut journal, now, "u", "runs", "x"), Ok(None));
        for number in 0..KEYS {
            let number = number.to_string();
            assert_eq!(begin(&mut journal, now, "u", &number, "x"), Ok(None));
            journal.end(now, &u, &key(&number), done("{}"));
        }
        assert_eq!(journal.look_up(now, &u, &key("0")), Lookup::Forgotten);
        assert_eq!(journal.look_up(now, &u, &key("1")), Lookup::Known(done("{}")));
        assert_eq!(journal.look_up(now, &u, &key("runs")), Lookup::Known(Recorded::Running));
    }

    #[test]
    fn large_results_do_not_pile_up() {
        let (now, mut journal, u) = (Instant::now(), Journal::default(), user("u"));
        let large = "x".repeat(BYTES / 10);
        for number in 0..30 {
            let number = number.to_string();
            assert_eq!(begin(&mut journal, now, "u", &number, "x"), Ok(None));
            journal.end(now, &u, &key(&number), done(&large));
        }
        let is_kept = |number: &i32| {
            matches!(journal.look_up(now, &u, &key(&number.to_string())), Lookup::Known(Recorded::Done(_)))
        };
        assert_eq!((0..30).filter(is_kept).collect::<Vec<_>>(), (20..30).collect::<Vec<_>>());
    }
}
