//! Tokens of language models, counted per user and UTC month.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::protocol::{
    error::{ErrorKind, Failure},
    identity::{UserLimits, UserName},
    usage::{Month, UsageCheckResult, UsageResult, Used},
};

/// The tokens of all users in their newest month.
#[derive(Debug, Default)]
pub struct Usage {
    users: HashMap<UserName, (Month, u64)>,
}

impl Usage {
    /// Continues with what was on the disk.
    pub fn restore(&mut self, used: Used) {
        let known = self.users.entry(used.user).or_insert((used.month, used.tokens));
        if used.month >= known.0 {
            *known = (used.month, used.tokens);
        }
    }

    /// Counts tokens. They are counted whatever the quota says: they have been used.
    pub fn report(&mut self, now: Timestamp, user: &UserName, tokens: u64) -> Used {
        let (month, before) = self.current(now, user);
        let tokens = before.saturating_add(tokens);
        self.users.insert(user.clone(), (month, tokens));
        Used { user: user.clone(), month, tokens }
    }

    /// Whether the month has room for so many more.
    pub fn check(&self, now: Timestamp, user: &UserName, limits: &UserLimits, tokens: u64) -> UsageCheckResult {
        let remaining = self.remaining(now, user, limits);
        UsageCheckResult { allowed: remaining.is_none_or(|remaining| tokens <= remaining), remaining }
    }

    /// What has been used and what may be.
    pub fn get(&self, now: Timestamp, user: &UserName, limits: &UserLimits) -> UsageResult {
        let (month, tokens) = self.current(now, user);
        let limit = limits.monthly_tokens;
        UsageResult { used: tokens, limit, resets_at: limit.and_then(|_| month.end()).map(|end| end.to_string()) }
    }

    /// # Errors
    /// `quota_exceeded` when the month has nothing left.
    pub fn admits(&self, now: Timestamp, user: &UserName, limits: &UserLimits) -> Result<(), Failure> {
        if self.remaining(now, user, limits) != Some(0) {
            return Ok(());
        }
        let usage = self.get(now, user, limits);
        let (limit, resets) = (usage.limit.unwrap_or_default(), usage.resets_at.unwrap_or_default());
        let message = format!("the {limit} tokens of this month are used up; more from {resets} on");
        Err(Failure::new(ErrorKind::QuotaExceeded, message).with(|detail| detail.remaining_tokens = Some(0)))
    }

    fn remaining(&self, now: Timestamp, user: &UserName, limits: &UserLimits) -> Option<u64> {
        limits.monthly_tokens.map(|limit| limit.saturating_sub(self.current(now, user).1))
    }

    /// The month that counts. A clock that is set back does not open a month again that has been left: what was used in the newer
    /// one goes on counting.
    fn current(&self, now: Timestamp, user: &UserName) -> (Month, u64) {
        let month = Month::of(now);
        self.users.get(user).copied().filter(|(known, _)| *known >= month).unwrap_or((month, 0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn user() -> UserName {
        "u".to_owned().try_into().expect("a name")
    }

    fn limits(tokens: u64) -> UserLimits {
        UserLimits { monthly_tokens: Some(tokens), ..UserLimits::default() }
    }

    #[test]
    fn a_spent_month_refuses_and_the_next_begins_anew() {
        let (mut usage, user, limits) = (Usage::default(), user(), limits(100));
        let (november, december) = (at("2026-11-30T23:59:59Z"), at("2026-12-01T00:00:00Z"));
        usage.report(november, &user, 60);
        assert_eq!(usage.check(november, &user, &limits, 40), UsageCheckResult { allowed: true, remaining: Some(40) });
        assert_eq!(usage.check(november, &user, &limits, 41), UsageCheckResult { allowed: false, remaining: Some(40) });
        assert_eq!(usage.admits(november, &user, &limits), Ok(()));
        assert_eq!(usage.report(november, &user, 70).tokens, 130, "what is used is counted, over the quota too");
        let refused = usage.admits(november, &user, &limits).expect_err("nothing is left");
        assert_eq!(refused.kind, ErrorKind::QuotaExceeded);
        assert_eq!(refused.detail.expect("detail").remaining_tokens, Some(0));
        assert!(refused.message.contains("2026-12-01T00:00:00Z"), "{}", refused.message);
        assert_eq!(usage.admits(december, &user, &limits), Ok(()));
        assert_eq!(usage.get(december, &user, &limits).used, 0);
    }

    #[test]
    fn what_was_on_the_disk_goes_on_counting() {
        let (mut usage, user) = (Usage::default(), user());
        let now = at("2026-11-15T00:00:00Z");
        usage.restore(Used { user: user.clone(), month: Month::of(at("2026-10-01T00:00:00Z")), tokens: 7 });
        assert_eq!(usage.get(now, &user, &limits(9)).used, 0, "another month");
        usage.restore(Used { user: user.clone(), month: Month::of(now), tokens: 8 });
        usage.restore(Used { user: user.clone(), month: Month::of(at("2026-10-01T00:00:00Z")), tokens: 7 });
        assert_eq!(usage.get(now, &user, &limits(9)).used, 8);
    }

    proptest! {
        /// Whatever the clock does: what is reported is never forgotten as long as the month has not gone on.
        #[test]
        fn a_clock_that_is_set_opens_no_quota_again(steps in proptest::collection::vec((-80_i64..80, 0_u64..50), 1..60)) {
            let (mut usage, user, limits) = (Usage::default(), user(), limits(100));
            let (mut now, mut newest, mut spent) = (at("2026-06-15T00:00:00Z"), None, 0_u64);
            for (days, tokens) in steps {
                now = Timestamp::from_second(now.as_second() + days * 86_400).expect("in range");
                // A month begins with its first report, and only a later one ends it.
                let month = Some(Month::of(now));
                if month > newest {
                    spent = 0;
                }
                if usage.admits(now, &user, &limits).is_ok() {
                    prop_assert!(spent < 100);
                    usage.report(now, &user, tokens);
                    (newest, spent) = (newest.max(month), spent + tokens);
                }
                prop_assert_eq!(usage.get(now, &user, &limits).used, spent);
            }
        }
    }
}
