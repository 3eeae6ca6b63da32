//! The tokens of language models: on the wire, and as they are counted.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::Failure,
    identity::UserName,
    limits,
    task::text,
    wire::{self, Whole},
};

/// The parameters of `usage.check`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageCheckParams {
    /// How many tokens the next call of the model is likely to take.
    pub estimated_tokens: Whole,
}

impl UsageCheckParams {
    /// # Errors
    /// `out_of_range`.
    pub(super) fn check(&self) -> Result<u64, Failure> {
        tokens("estimated_tokens", self.estimated_tokens)
    }
}

fn tokens(name: &str, Whole(value): Whole) -> Result<u64, Failure> {
    let known = u64::try_from(value).ok().filter(|tokens| *tokens <= limits::REPORTED_TOKENS_MAX);
    known.ok_or_else(|| wire::out_of_range(name, value, &format!("0..={}", limits::REPORTED_TOKENS_MAX)))
}

/// `usage.check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UsageCheckResult {
    /// Whether the month has room for them.
    pub allowed: bool,
    /// What the month has left; absent where nothing limits it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
}

/// The parameters of `usage.report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageReportParams {
    /// The language model.
    pub model: String,
    /// What it was given.
    pub input_tokens: Whole,
    /// What it has written.
    pub output_tokens: Whole,
}

/// What `usage.report` says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    /// The language model.
    pub model: String,
    /// What it was given.
    pub input_tokens: u64,
    /// What it has written.
    pub output_tokens: u64,
}

impl UsageReportParams {
    /// # Errors
    /// `out_of_range`.
    pub(super) fn check(self) -> Result<UsageReport, Failure> {
        let model = text("model", Some(self.model))?.unwrap_or_default();
        Ok(UsageReport {
            model,
            input_tokens: tokens("input_tokens", self.input_tokens)?,
            output_tokens: tokens("output_tokens", self.output_tokens)?,
        })
    }
}

/// What is asked about tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageCall {
    /// Whether the month has room for so many.
    Check(u64),
    /// So many have been used.
    Report(UsageReport),
    /// How many have been used.
    Get,
}

/// `usage.get`, and `usage.report`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UsageResult {
    /// Tokens of this month.
    pub used: u64,
    /// The month's quota; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// When the next month begins, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<String>,
}

/// A month of the calendar in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The one that a moment lies in.
    pub fn of(now: Timestamp) -> Self {
        let date = TimeZone::UTC.to_datetime(now).date();
        Self { year: date.year(), month: date.month() }
    }

    /// When the next one begins; `None` at the end of the calendar.
    pub fn end(self) -> Option<Timestamp> {
        let (year, month) = if self.month == 12 { (self.year.checked_add(1)?, 1) } else { (self.year, self.month + 1) };
        TimeZone::UTC.to_timestamp(Date::new(year, month, 1).ok()?.to_datetime(jiff::civil::Time::midnight())).ok()
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

impl std::str::FromStr for Month {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (year, month) = text.split_once('-').ok_or(())?;
        let read = Self { year: year.parse().map_err(|_| ())?, month: month.parse().map_err(|_| ())? };
        Some(read).filter(|month| (1..=12).contains(&month.month) && month.to_string() == text).ok_or(())
    }
}

/// What a user has used in a month: what has to be on the disk before the report is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// Whose.
    pub user: UserName,
    /// When.
    pub month: Month,
    /// How many tokens.
    pub tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn a_month_ends_where_the_next_begins_in_utc() {
        assert_eq!(Month::of(at("2026-12-31T23:59:59.999Z")).to_string(), "2026-12");
        assert_eq!(Month::of(at("2027-01-01T00:59:59+01:00")).to_string(), "2026-12");
        assert_eq!(Month::of(at("2026-12-15T00:00:00Z")).end(), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!("2026-02".parse(), Ok(Month::of(at("2026-02-28T12:00:00Z"))));
        for wrong in ["2026-2", "2026-13", "2026", "x-01"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }
}
