//! What each user has used up of what is limited by a window: requests, typed characters, bytes of pictures.

use std::{collections::HashMap, time::Instant};

use super::sliding_log::{SlidingLog, Spent};
use crate::protocol::{
    error::{ErrorKind, Failure},
    identity::{Principal, UserName, WindowLimit},
};

/// What a request takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// 1 for what acts, looks or begins a task, 0 for what is exempt.
    pub requests: u64,
    /// Characters to be typed or pasted.
    pub characters: u64,
}

#[derive(Debug, Default)]
struct OfUser {
    requests: SlidingLog,
    characters: SlidingLog,
    image_bytes: SlidingLog,
}

/// All users' windows. A user's count on however many connections.
#[derive(Debug, Default)]
pub struct Allowances {
    users: HashMap<UserName, OfUser>,
}

impl Allowances {
    /// Whether there is room for a request.
    ///
    /// # Errors
    /// `rate_limited`, with the time after which there will be.
    pub fn check(&mut self, now: Instant, principal: &Principal, takes: Takes) -> Result<(), Failure> {
        let limits = &principal.limits;
        let used = self.of(principal);
        check(&mut used.requests, now, takes.requests, limits.requests, "requests")?;
        check(&mut used.characters, now, takes.characters, limits.typed_characters, "typed characters")?;
        // How large a picture is comes out when it is there; but where nothing is left, none is taken.
        check(&mut used.image_bytes, now, takes.requests.min(1), limits.image_bytes, "bytes of pictures")
    }

    /// Takes what was checked.
    pub fn take(&mut self, now: Instant, principal: &Principal, takes: Takes) {
        let limits = principal.limits;
        let used = self.of(principal);
        if limits.requests.is_some() {
            used.requests.add(now, takes.requests);
        }
        if limits.typed_characters.is_some() {
            used.characters.add(now, takes.characters);
        }
    }

    /// Takes a picture's bytes.
    ///
    /// # Errors
    /// `rate_limited` when there is no room for it: it is not to be sent then.
    pub fn take_picture(&mut self, now: Instant, principal: &Principal, bytes: u64) -> Result<(), Failure> {
        let Some(limit) = principal.limits.image_bytes else { return Ok(()) };
        let used = self.of(principal);
        check(&mut used.image_bytes, now, bytes, Some(limit), "bytes of pictures")?;
        used.image_bytes.add(now, bytes);
        Ok(())
    }

    fn of(&mut self, principal: &Principal) -> &mut OfUser {
        self.users.entry(principal.user.clone()).or_default()
    }
}

fn check(
    log: &mut SlidingLog,
    now: Instant,
    amount: u64,
    limit: Option<WindowLimit>,
    what: &str,
) -> Result<(), Failure> {
    let Some(limit) = limit.filter(|_| amount > 0) else { return Ok(()) };
    log.check(now, amount, limit).map_err(|Spent { retry_after }| {
        let (most, minutes) = (limit.amount, limit.window.as_secs() / 60);
        let Some(wait) = retry_after else {
            let message =
                format!("{amount} {what} are more than the {most} in {minutes} minutes that this user may have");
            return Failure::new(ErrorKind::RateLimited, message);
        };
        // Rounded up: whoever waits as long as is said gets through.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let message = format!("{most} {what} in {minutes} minutes are used up; try again in {seconds} s");
        let milliseconds = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Failure::new(ErrorKind::RateLimited, message).with(|detail| detail.retry_after_ms = Some(milliseconds))
    })
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU64, time::Duration};

    use super::*;

    fn principal(amount: u64) -> Principal {
        let limit =
            WindowLimit { amount: NonZeroU64::new(amount).expect("not zero"), window: Duration::from_secs(3600) };
        let mut principal = Principal::single_token();
        principal.limits.requests = Some(limit);
        principal.limits.image_bytes = Some(limit);
        principal
    }

    #[test]
    fn the_guides_hundred_in_sixty_minutes_with_the_remaining_seconds() {
        let (start, principal, mut used) = (Instant::now(), principal(100), Allowances::default());
        let one = Takes { requests: 1, characters: 0 };
        for second in 0..100 {
            let now = start + Duration::from_secs(second);
            assert_eq!(used.check(now, &principal, one), Ok(()));
            used.take(now, &principal, one);
        }
        let now = start + Duration::from_secs(1800);
        let refused = used.check(now, &principal, one).expect_err("the hundred and first");
        assert_eq!(refused.kind, ErrorKind::RateLimited);
        assert_eq!(refused.message, "100 requests in 60 minutes are used up; try again in 1800 s");
        assert_eq!(refused.detail.expect("detail").retry_after_ms, Some(1_800_000));
        assert_eq!(used.check(now, &principal, Takes::default()), Ok(()), "what is exempt passes");
        let other = Principal { user: "other".to_owned().try_into().expect("a name"), ..principal };
        assert_eq!(used.check(now, &other, one), Ok(()));
    }

    #[test]
    fn a_picture_that_does_not_fit_is_not_sent_and_takes_nothing() {
        let (now, principal, mut used) = (Instant::now(), principal(100), Allowances::default());
        assert_eq!(used.take_picture(now, &principal, 90), Ok(()));
        let refused = used.take_picture(now, &principal, 11).expect_err("101 bytes");
        assert_eq!(refused.kind, ErrorKind::RateLimited);
        assert_eq!(used.take_picture(now, &principal, 10), Ok(()));
        let one = Takes { requests: 1, characters: 0 };
        assert!(used.check(now, &principal, one).is_err(), "nothing is left");
        let never = used.take_picture(now, &principal, 101).expect_err("more than the limit");
        assert_eq!(never.detail.and_then(|detail| detail.retry_after_ms), None);
    }
}
