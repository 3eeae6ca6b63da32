//! The wire contract as types: pure data, no I/O.
//!
//! A message goes through three doors. [`json`] reads it strictly, [`request`] reads its envelope, [`call`] finds the method
//! in the table of [`method`] and types its parameters ([`params`], [`computer`], [`initialize`]) and its [`meta`]. What
//! comes out the other way is an [`answer`] or an [`error`]. Every limit stands in [`limits`].
pub mod action;
pub mod address;
pub mod answer;
pub mod answer_text;
pub mod audit;
pub mod call;
pub mod carrying;
pub mod computer;
pub mod confirm;
pub mod control;
pub mod control_params;
pub mod dial_url;
pub mod display;
pub mod egress;
pub mod encoding;
pub mod error;
pub mod identity;
pub mod initialize;
pub mod json;
pub mod limits;
pub mod message;
pub mod meta;
pub mod method;
pub mod observe;
pub mod params;
pub mod policy;
pub mod request;
pub mod request_key;
pub mod schema;
pub mod screen;
pub mod secret;
pub mod secret_params;
pub mod subscription;
pub mod task;
pub mod token;
pub mod token_table;
pub mod units;
pub mod usage;
pub mod wait_for;
pub mod window;
pub mod wire;
