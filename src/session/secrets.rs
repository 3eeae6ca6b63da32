//! The secrets that are kept: by name, for a time, for so many uses.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::protocol::{
    error::{ErrorKind, Failure},
    limits,
    secret::{Secret, SecretAccess, SecretName, SecretRule, SecretText},
    secret_params::{SecretListed, SecretRuleParams},
};

/// All of them.
#[derive(Debug, Default)]
pub struct Secrets {
    kept: BTreeMap<SecretName, Kept>,
}

#[derive(Debug)]
struct Kept {
    text: Arc<SecretText>,
    rule: Arc<SecretRule>,
    until: Option<Instant>,
    /// How often it may still be typed.
    uses: Option<u32>,
}

/// A secret that is about to be typed: one of its uses is taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What to type.
    pub text: Arc<SecretText>,
    /// Where, and what follows.
    pub rule: Arc<SecretRule>,
}

impl Secrets {
    /// Keeps one, in place of an earlier one of the name. Says how many there are then.
    ///
    /// # Errors
    /// `overloaded` when there are as many as there may be.
    pub fn put(&mut self, now: Instant, name: SecretName, secret: Secret) -> Result<usize, Failure> {
        self.expire(now);
        if self.kept.len() >= limits::SECRETS_MAX && !self.kept.contains_key(&name) {
            let most = limits::SECRETS_MAX;
            return Err(Failure::new(
                ErrorKind::Overloaded,
                format!("{most} secrets are kept already; forget one with secret.forget"),
            ));
        }
        let Secret { text, rule, lifetime, uses } = secret;
        // A lifetime past the clock's end is none.
        let until = lifetime.and_then(|lifetime| now.checked_add(lifetime));
        self.kept.insert(name, Kept { text, rule: Arc::new(rule), until, uses });
        Ok(self.kept.len())
    }

    /// Forgets one. Says how many there are then.
    ///
    /// # Errors
    /// `not_found`.
    pub fn forget(&mut self, now: Instant, name: &SecretName) -> Result<usize, Failure> {
        self.expire(now);
        match self.kept.remove(name) {
            Some(_) => Ok(self.kept.len()),
            None => {
                Err(Failure::new(ErrorKind::NotFound, format!("there is no secret `{name}`; secret.list names them")))
            }
        }
    }

    /// What there is, by name.
    pub fn list(&mut self, now: Instant) -> Vec<SecretListed> {
        self.expire(now);
        let listed = |(name, kept): (&SecretName, &Kept)| SecretListed {
            name: name.clone(),
            rule: SecretRuleParams::from(&*kept.rule),
            ttl_s: kept.until.map(|until| until.saturating_duration_since(now).as_secs()),
            uses: kept.uses,
        };
        self.kept.iter().map(listed).collect()
    }

    /// Whether somebody may have a secret typed. What they may not is as unknown as what there is not.
    ///
    /// # Errors
    /// `secret_unknown`.
    pub fn look_up(&mut self, now: Instant, name: &SecretName, access: &SecretAccess) -> Result<Taken, Failure> {
        self.expire(now);
        let found = self.kept.get(name).filter(|kept| access.includes(name) && kept.uses != Some(0));
        found.map(|kept| Taken { text: Arc::clone(&kept.text), rule: Arc::clone(&kept.rule) }).ok_or_else(|| {
            Failure::new(
                ErrorKind::SecretUnknown,
                format!("there is no secret `{name}` that you may have typed; an admin puts it, and the tokens file says who may"),
            )
        })
    }

    /// The same, and takes one of its uses.
    ///
    /// # Errors
    /// `secret_unknown`.
    pub fn take(&mut self, now: Instant, name: &SecretName, access: &SecretAccess) -> Result<Taken, Failure> {
        let taken = self.look_up(now, name, access)?;
        if let Some(Kept { uses: Some(uses), .. }) = self.kept.get_mut(name) {
            *uses -= 1;
        }
        Ok(taken)
    }

    /// Says what came of it: nothing of it was typed, so the use is given back; or it was, and a secret without further uses goes.
    pub fn conclude(&mut self, name: &SecretName, taken: &Taken, typed: Typed) {
        let Some(kept) = self.kept.get_mut(name).filter(|kept| Arc::ptr_eq(&kept.text, &taken.text)) else { return };
        match (&mut kept.uses, typed) {
            (Some(uses), Typed::Nothing) => *uses += 1,
            (Some(0), Typed::Something) => drop(self.kept.remove(name)),
            _ => {}
        }
    }

    /// Forgets those whose time is over. Says when the next one's is.
    pub fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.kept.retain(|_, kept| kept.until.is_none_or(|until| now < until));
        self.kept.values().filter_map(|kept| kept.until).min()
    }
}

/// What of a secret was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing.
    Nothing,
    /// All of it, or nobody knows.
    Something,
}

/// What was typed into a window, and so can be seen, and when it no longer matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stain {
    /// The window, where it matters whether that is gone.
    pub window: Option<u32>,
    /// When pictures come again at the latest.
    pub until: Option<Instant>,
    /// Since when the window is gone.
    pub gone: Option<Instant>,
}

/// How long after a window has gone its pixels may still be there: programs draw within a few milliseconds what was uncovered, and
/// on a busy machine within a few hundred.
const LINGER_TIME: Duration = Duration::from_millis(500);

impl Stain {
    /// One that begins now.
    pub fn new(now: Instant, rule: &SecretRule, window: u32) -> Self {
        Self {
            window: rule.clearing.window_gone.then_some(window),
            until: rule.clearing.after.and_then(|after| now.checked_add(after)),
            gone: None,
        }
    }

    /// Whether it lasts at least as long as another one, whatever happens.
    pub fn outlasts(&self, other: &Self) -> bool {
        let later = match (self.until, other.until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => ours >= theirs,
        };
        later && self.window == other.window && self.gone.is_none()
    }

    /// Takes note of whether its window is there.
    pub fn note(&mut self, now: Instant, is_there: bool) {
        self.gone = if is_there { None } else { self.gone.or(Some(now)) };
    }

    /// Whether pictures may come again.
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now) || self.gone.is_some_and(|gone| gone + LINGER_TIME <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{secret::SecretCall, secret_params};

    fn secret(more: &str) -> (SecretName, Secret) {
        let line = format!(r#"{{"name":"pin","value":"4711","rule":{{"class":"Login"}}{more}}}"#);
        match secret_params::read_line(&line).expect("a secret") {
            SecretCall::Put(name, secret) => (name, *secret),
            other => panic!("{other:?}"),
        }
    }

    fn kept(more: &str) -> (Secrets, SecretName, Instant) {
        let (mut secrets, now, (name, secret)) = (Secrets::default(), Instant::now(), secret(more));
        assert_eq!(secrets.put(now, name.clone(), secret), Ok(1));
        (secrets, name, now)
    }

    #[test]
    fn a_secret_is_typed_as_often_as_it_may_be_and_a_use_that_typed_nothing_does_not_count() {
        let (mut secrets, name, now) = kept(r#","uses":2"#);
        for typed in [Typed::Nothing, Typed::Something, Typed::Nothing, Typed::Something] {
            let taken = secrets.take(now, &name, &SecretAccess::All).expect("a use is left");
            assert_eq!(taken.text.expose(), "4711");
            secrets.conclude(&name, &taken, typed);
        }
        assert_eq!(secrets.take(now, &name, &SecretAccess::All).expect_err("used up").kind, ErrorKind::SecretUnknown);
        assert!(secrets.list(now).is_empty());
    }

    #[test]
    fn two_uses_at_once_are_not_more_than_there_are() {
        let (mut secrets, name, now) = kept(r#","uses":1"#);
        let taken = secrets.take(now, &name, &SecretAccess::All).expect("the only use");
        assert!(secrets.take(now, &name, &SecretAccess::All).is_err());
        secrets.conclude(&name, &taken, Typed::Nothing);
        assert!(secrets.take(now, &name, &SecretAccess::All).is_ok());
    }

    #[test]
    fn a_secret_is_gone_when_its_time_is_over_and_when_it_is_forgotten() {
        let (mut secrets, name, now) = kept(r#","ttl_s":5"#);
        assert_eq!(secrets.expire(now), Some(now + Duration::from_secs(5)));
        assert!(secrets.look_up(now + Duration::from_millis(4999), &name, &SecretAccess::All).is_ok());
        assert!(secrets.look_up(now + Duration::from_secs(5), &name, &SecretAccess::All).is_err());
        let (mut secrets, name, now) = kept("");
        assert_eq!(secrets.forget(now, &name), Ok(0));
        assert_eq!(secrets.forget(now, &name).expect_err("gone").kind, ErrorKind::NotFound);
    }

    #[test]
    fn what_somebody_may_not_have_typed_is_as_unknown_as_what_there_is_not() {
        let (mut secrets, name, now) = kept("");
        let other = SecretName::try_from("other".to_owned()).expect("a name");
        let denied = secrets.look_up(now, &name, &SecretAccess::None).expect_err("not named");
        let missing = secrets.look_up(now, &other, &SecretAccess::All).expect_err("not there");
        assert_eq!(denied.message.replace("pin", "other"), missing.message);
    }

    #[test]
    fn no_more_are_kept_than_may_be_and_one_of_the_same_name_takes_its_place() {
        let (mut secrets, now) = (Secrets::default(), Instant::now());
        let named = |number: usize| SecretName::try_from(format!("s{number}")).expect("a name");
        for number in 0..limits::SECRETS_MAX {
            secrets.put(now, named(number), secret("").1).expect("there is room");
        }
        assert_eq!(secrets.put(now, named(9999), secret("").1).expect_err("full").kind, ErrorKind::Overloaded);
        assert_eq!(secrets.put(now, named(0), secret("").1), Ok(limits::SECRETS_MAX));
    }

    #[test]
    fn pictures_come_again_when_the_window_has_been_gone_for_a_moment_or_the_time_is_over() {
        let (_, Secret { rule, .. }) = secret("");
        let (now, moment) = (Instant::now(), Duration::from_millis(1));
        let mut stain = Stain::new(now, &rule, 7);
        assert_eq!((stain.window, stain.until, stain.is_over(now + Duration::from_secs(3600))), (Some(7), None, false));
        stain.note(now, false);
        assert!(!stain.is_over(now + Duration::from_millis(499)) && stain.is_over(now + LINGER_TIME));
        stain.note(now + moment, true);
        assert!(!stain.is_over(now + LINGER_TIME), "it was there again");
        assert!(Stain::new(now, &rule, 7).outlasts(&stain) && !Stain::new(now, &rule, 8).outlasts(&stain));
        let mut timed = rule;
        timed.clearing.after = Some(Duration::from_secs(5));
        timed.clearing.window_gone = false;
        let stain = Stain::new(now, &timed, 7);
        assert_eq!(stain.window, None);
        assert!(
            Stain::new(now + moment, &timed, 7).outlasts(&stain)
                && !stain.outlasts(&Stain::new(now + moment, &timed, 7))
        );
        assert!(!stain.is_over(now + Duration::from_millis(4999)) && stain.is_over(now + Duration::from_secs(5)));
    }
}
