//! An exact sliding window: so much in so long, whatever the moment at which one looks.
//!
//! Buckets and leaky counters are cheaper and let through up to twice the limit around a boundary, or refuse what the rule
//! allows. The rule that operators write down ("100 in 60 minutes") is about every window, so each admission is remembered
//! until it leaves the window: at most as many as the limit, because what is refused is not remembered.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::protocol::identity::WindowLimit;

/// What has been taken, and when.
#[derive(Clone, Debug, Default)]
pub struct SlidingLog {
    taken: VecDeque<(Instant, u64)>,
    sum: u64,
}

/// Not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// After how long as much as was asked for is free. `None`: it never will be, it is more than the limit itself.
    pub retry_after: Option<Duration>,
}

impl SlidingLog {
    /// Takes `amount` if the window that ends now has room for it. Time is monotonic: a clock that is set changes nothing.
    ///
    /// # Errors
    /// When it has not; nothing is taken then.
    pub fn take(&mut self, now: Instant, amount: u64, limit: WindowLimit) -> Result<(), Spent> {
        self.check(now, amount, limit)?;
        self.add(now, amount);
        Ok(())
    }

    /// Whether there is room for `amount`, without taking it.
    ///
    /// # Errors
    /// When there is not.
    pub fn check(&mut self, now: Instant, amount: u64, limit: WindowLimit) -> Result<(), Spent> {
        self.forget(now, limit.window);
        let most = limit.amount.get();
        if self.sum.saturating_add(amount) <= most {
            return Ok(());
        }
        if amount > most {
            return Err(Spent { retry_after: None });
        }
        // The moment at which enough of the oldest has left the window.
        let mut left = self.sum;
        let freed = self.taken.iter().find(|(_, taken)| {
            left -= taken;
            left.saturating_add(amount) <= most
        });
        let retry_after = freed.map(|(at, _)| (*at + limit.window).saturating_duration_since(now));
        Err(Spent { retry_after })
    }

    /// Takes what has already been used up, room or not: what cannot be known beforehand, such as the size of a picture.
    pub fn add(&mut self, now: Instant, amount: u64) {
        if amount > 0 {
            self.taken.push_back((now, amount));
            self.sum = self.sum.saturating_add(amount);
        }
    }

    /// Whether nothing is remembered, so that the log itself can be forgotten.
    pub fn is_empty(&mut self, now: Instant, window: Duration) -> bool {
        self.forget(now, window);
        self.taken.is_empty()
    }

    fn forget(&mut self, now: Instant, window: Duration) {
        // A window is half open: what was taken exactly one window ago is outside.
        while let Some((at, amount)) = self.taken.front()
            && now.saturating_duration_since(*at) >= window
        {
            self.sum = self.sum.saturating_sub(*amount);
            self.taken.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use proptest::prelude::*;

    use super::*;

    fn limit(amount: u64, seconds: u64) -> WindowLimit {
        WindowLimit { amount: NonZeroU64::new(amount).expect("not zero"), window: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_remaining_time_is_exact_and_then_there_is_room() {
        let (start, limit, mut log) = (Instant::now(), limit(3, 60), SlidingLog::default());
        for second in [0, 10, 20] {
            assert_eq!(log.take(start + Duration::from_secs(second), 1, limit), Ok(()));
        }
        let at = |seconds| start + Duration::from_secs(seconds);
        let wait = |seconds| Err(Spent { retry_after: Some(Duration::from_secs(seconds)) });
        assert_eq!(log.take(at(30), 1, limit), wait(30));
        assert_eq!(log.check(at(30), 2, limit), wait(40));
        assert_eq!(log.take(at(59), 1, limit), wait(1));
        assert_eq!(log.take(at(60), 1, limit), Ok(()), "the first has left the window");
        assert_eq!(log.take(at(60), 4, limit), Err(Spent { retry_after: None }), "more than the limit");
    }

    proptest! {
        /// Whatever comes when and asks for how much: no window of any beginning holds more than the limit, and whoever waits as
        /// long as was said gets through.
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            most in 1_u64..20,
            asks in proptest::collection::vec((0_u64..5_000, 1_u64..4), 1..200),
        ) {
            let (start, limit, mut log) = (Instant::now(), limit(most, 10), SlidingLog::default());
            let (mut now, mut admitted) = (Duration::ZERO, Vec::new());
            for (pause, amount) in asks {
                now += Duration::from_millis(pause);
                match log.take(start + now, amount, limit) {
                    Ok(()) => admitted.push((now, amount)),
                    Err(Spent { retry_after: None }) => prop_assert!(amount > most),
                    Err(Spent { retry_after: Some(wait) }) => {
                        prop_assert!(wait > Duration::ZERO && wait <= limit.window);
                        let just_before = start + now + wait.saturating_sub(Duration::from_nanos(1));
                        prop_assert!(log.clone().check(just_before, amount, limit).is_err());
                        prop_assert_eq!(log.clone().check(start + now + wait, amount, limit), Ok(()));
                    }
                }
            }
            for (begin, _) in &admitted {
                let inside = admitted.iter().filter(|(at, _)| at >= begin && *at < *begin + limit.window);
                prop_assert!(inside.map(|(_, amount)| amount).sum::<u64>() <= most);
            }
        }
    }
}
